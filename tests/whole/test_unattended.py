"""Exit codes for a scheduler: which failures end with the code for another try; the rest goes on."""

import gzip
import io
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from jobs.base.core.numbers import format_bytes
from jobs.base.store.lake import Lake
from tests.operators.formats.test_dmarc import sample
from tests.support.in_process import Run, command_line_of
from tests.support.lying_server import lying_server
from tests.support.whole_runs import operator_toml, source_toml

LINE = "2026-11-24T10:00:0{}+00:00 mx1 postfix/qmgr[7]: 4jYlH071Srz1fPl{}: removed\n"
AGAIN, WRONG = 5, 2


@pytest.fixture
def observatory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return command_line_of(monkeypatch, capsys)


def settings_of(folder: Path, *sources: str) -> Path:
    file = folder / "observatory.toml"
    file.write_text('[lake]\nroot = "lake"\n' + operator_toml("a", "A", "CHE", "a", "CHF", "", *sources))
    return file


def landed(folder: Path) -> set[str]:
    """The sources that pieces were landed of."""
    return {path.parent.name for path in (folder / "lake/landing").rglob("*.log*")}


def test_a_source_that_was_there_and_is_away_is_worth_another_try(observatory: Run, tmp_path: Path) -> None:
    mount = tmp_path / "mount"
    mount.mkdir()
    (mount / "mail.log").write_text(LINE.format(1, "A"))
    (tmp_path / "other.log").write_text(LINE.format(2, "B"))
    file = settings_of(
        tmp_path, source_toml("mx1", "mount/mail.log*", "postfix"), source_toml("mx2", "other.log", "postfix")
    )
    assert observatory("pull", "--config", file).code == 0
    mount.rename(tmp_path / "elsewhere")
    (tmp_path / "other.log").write_text(LINE.format(2, "B") + LINE.format(3, "C"))
    told = observatory("run", "--config", file)
    words = " ".join(told.err.split())
    assert told.code == AGAIN
    assert "operator 'a', source 'mx1'" in words and "is away" in words and "the next pull" in words
    # The other source was read.
    assert Lake(str(tmp_path / "lake")).read("bronze.file")["source_id"].to_list().count("mx2") == 2


def test_a_source_that_never_had_a_file_is_a_wrong_setting(observatory: Run, tmp_path: Path) -> None:
    file = settings_of(tmp_path, source_toml("mx1", "mial.log*", "postfix"))
    assert observatory("pull", "--config", file).code == WRONG


def test_what_lasts_is_not_worth_another_try_and_stops_no_other_file(
    observatory: Run, tmp_path: Path
) -> None:
    (tmp_path / "mail.log").write_text(LINE.format(1, "A"))
    (tmp_path / "mail.log.1").symlink_to(tmp_path / "gone.log")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("mail.log", LINE.format(2, "B"))
    (tmp_path / "mail.log.zip").write_bytes(packed.getvalue())
    file = settings_of(tmp_path, source_toml("mx1", "mail.log*", "postfix"))
    told = observatory("run", "--config", file)
    words = " ".join(told.err.split())
    assert told.code == WRONG
    assert f"{tmp_path}/mail.log.1 is a link to {tmp_path}/gone.log, which is not there" in words
    assert "mail.log.zip is an archive (zip)" in words
    assert Lake(str(tmp_path / "lake")).read("bronze.file")["record_count"].sum() == 1


# --- sources over HTTP ----------------------------------------------------------------------------------


class Server:
    """A web server of a folder's files, and of their list. It gives whole files alone, as Python's own does.

    Attributes:
        status: what it answers with instead, if anything.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.status: int | None = None
        outer = self

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_error(outer.status) if outer.status else super().do_GET()

            def do_HEAD(self) -> None:
                self.send_error(outer.status) if outer.status else super().do_HEAD()

            def log_message(self, *arguments: object) -> None:
                """Nothing is printed."""

        self.server = ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "www").mkdir()
    found = Server(tmp_path / "www")
    yield found
    found.close()


def test_a_log_over_http_counts_once_as_it_grows_and_rotates(
    observatory: Run, tmp_path: Path, server: Server
) -> None:
    log = tmp_path / "www" / "mail.log"
    first, second = (LINE.format(number, name) * 60_000 for number, name in ((1, "A"), (2, "B")))
    # More than one block of what a range would ask for.
    log.write_text(first)
    file = settings_of(tmp_path, source_toml("mx1", f"{server.url}/mail.log*", "postfix"))
    told = observatory("pull", "--config", file)
    assert (told.code, f"1 new piece, {format_bytes(len(first))}" in told.err) == (0, True)
    assert "0 new pieces" in observatory("pull", "--config", file).err
    log.with_name("mail.log.1.gz").write_bytes(gzip.compress((first + second).encode()))
    log.write_text(LINE.format(3, "C"))
    assert f"2 new pieces, {format_bytes(len(second))}" in observatory("pull", "--config", file).err


def test_reports_over_http_are_landed(observatory: Run, tmp_path: Path, server: Server) -> None:
    (tmp_path / "www" / "report.xml").write_bytes(sample("rfc7489.xml"))
    file = settings_of(tmp_path, source_toml("rua", f"{server.url}/report.xml", "dmarc"))
    told = observatory("run", "--config", file)
    assert (told.code, "1 new piece" in told.err) == (0, True), told


def test_a_token_of_a_url_is_shown_by_no_command(observatory: Run, tmp_path: Path) -> None:
    with lying_server() as found:
        url = f"{found.url}/mail.log?token=word-7"
        file = settings_of(tmp_path, source_toml("mx1", url, "postfix"))
        said = [observatory("pull", "--config", file)]
        found.files["/mail.log"] = LINE.format(1, "A").encode()
        said += [observatory(words, "--config", file) for words in ("run", "status")]
        found.files["/mail.log"] = b"<html>Back soon</html>"
        said += [observatory("run", "--config", file)]
        del found.files["/mail.log"]
        said += [observatory(words, "--config", file) for words in ("run", "status")]
    assert [each.code for each in said] == [WRONG, 0, 3, AGAIN, AGAIN, 3]
    assert "word-7" not in "".join("".join((each.out + each.err).split()) for each in said)
    assert all("word-7" not in path.read_text() for path in (tmp_path / "lake").rglob("*.json"))
    refused = settings_of(tmp_path, source_toml("mx1", "https://ann:word-7@mx1.example/mail.log", "postfix"))
    told = observatory("status", "--config", refused)
    assert (told.code, "word-7" in told.err, "connection" in told.err) == (WRONG, False, True)


@pytest.mark.parametrize("pattern", ["mail.log", "mail.log*"])
def test_a_server_that_is_down_is_worth_another_try(
    observatory: Run, tmp_path: Path, pattern: str, server: Server
) -> None:
    (tmp_path / "other.log").write_text(LINE.format(2, "B"))
    url = f"{server.url}/{pattern}"
    file = settings_of(
        tmp_path, source_toml("mx1", url, "postfix"), source_toml("mx2", "other.log", "postfix")
    )
    for status, code in ((503, AGAIN), (404, WRONG), (403, WRONG)):
        server.status = status
        assert observatory("pull", "--config", file).code == code
    server.close()
    told = observatory("run", "--config", file)
    assert (told.code, url in told.err.replace("\n", "")) == (AGAIN, True)
    assert Lake(str(tmp_path / "lake")).read("bronze.file")["source_id"].to_list() == ["mx2"]
