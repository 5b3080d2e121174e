"""Pull: each byte of a log lands once, whatever happens to the file's name, and damage is named."""

import bz2
import contextlib
import datetime as dt
import gzip
import hashlib
import io
import lzma
import os
import re
import signal
import socket
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.core.disk import DiskFull
from jobs.base.settings.operator import Operator, SourceSettings
from jobs.operators.formats.registry import KERNELS
from jobs.operators.formats.shared.lines import frame_lines
from jobs.operators.ingest import chunks, source_files, streams
from jobs.operators.ingest import pull as pulling
from jobs.operators.ingest.chunks import Chunks
from jobs.operators.ingest.file_formats import OtherLog, check_named
from jobs.operators.ingest.landing import LastLine
from jobs.operators.ingest.manifest import Stream, read_manifest
from jobs.operators.ingest.pull import Pulled, pull_operator
from jobs.operators.ingest.source_files import is_closed, newest_times, rotation_order
from jobs.operators.ingest.streams import SAMPLE
from tests.conftest import ROOT
from tests.support.examples import examples
from tests.support.filter_logs import lab
from tests.support.landed import data_of
from tests.support.wrapped_logs import EXPORT, WRAPPERS

NOW = dt.datetime(2026, 11, 24, 15, 0, tzinfo=dt.UTC)
HOURS_20, MOMENT = dt.timedelta(hours=20), dt.timedelta(microseconds=1)
REPORT = (ROOT / "tests" / "data" / "reports" / "rfc7489.xml").read_bytes()
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.compress,
}


def text(*numbers: int) -> bytes:
    """Postfix lines, each with its number, so that no two are alike."""
    return b"".join(
        b"2026-11-24T14:%02d:%02d.000000+00:00 mx1 postfix/smtpd[7]: connect from good.example[192.0.2.10]\n"
        % divmod(number, 60)
        for number in numbers
    )


def noise(lines: int) -> bytes:
    """Lines that hardly compress."""
    digests = (hashlib.sha256(str(number).encode()).hexdigest() for number in range(lines))
    return b"".join(
        b"2026-11-24T14:00:00.000000+00:00 mx1 postfix/smtpd[7]: %s\n" % digest.encode() for digest in digests
    )


class Site:
    """One operator with one source, and the folder that its logs are in."""

    def __init__(
        self, root: Path, pattern: str = "mail.log*", format: str = "postfix", **options: Any
    ) -> None:
        self.logs = root / "logs"
        self.logs.mkdir()
        self.lake = root / "lake"
        source = SourceSettings(id="mx1", url=f"{self.logs}/{pattern}", format=format, options=options)
        self.operator = Operator(
            id="a", name="A", country="CHE", holding="a", currency="CHF", source=[source]
        )

    def write(self, name: str, data: bytes) -> Path:
        (self.logs / name).write_bytes(data)
        return self.logs / name

    def rename(self, old: str, new: str) -> None:
        (self.logs / old).rename(self.logs / new)

    def pull(self) -> Pulled:
        return pull_operator(self.operator, str(self.lake), NOW)

    @property
    def streams(self) -> list[Stream]:
        return read_manifest(fsspec.filesystem("file"), f"{self.lake}/landing/a/mx1")

    def landed(self) -> list[bytes]:
        """Return the content of each stream; offsets and counts of the manifest are those of the files."""
        contents = []
        for stream in self.streams:
            content = b""
            for piece in stream.pieces:
                data = data_of(piece.path)
                assert (piece.offset, piece.bytes) == (len(content), len(data))
                content += data
            assert (stream.bytes, stream.sha256) == (len(content), hashlib.sha256(content).hexdigest())
            contents.append(content)
        return contents


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_growing_log_counts_once_through_its_rotations(site: Site) -> None:
    site.write("mail.log", text(1, 2))
    assert site.pull() == Pulled(1, len(text(1, 2)))
    assert site.pull() == Pulled()
    site.write("mail.log", text(1, 2, 3))
    assert site.pull() == Pulled(1, len(text(3)))
    site.write("mail.log", text(1, 2, 3, 4))
    site.rename("mail.log", "mail.log.1")
    site.write("mail.log", text(5))
    assert site.pull() == Pulled(2, len(text(4, 5)))
    site.rename("mail.log.1", "mail.log.2")
    site.write("mail.log.2.gz", gzip.compress((site.logs / "mail.log.2").read_bytes()))
    (site.logs / "mail.log.2").unlink()
    site.rename("mail.log", "mail.log.1")
    site.write("mail.log", text(6))
    assert site.pull() == Pulled(1, len(text(6)))
    assert site.landed() == [text(1, 2, 3, 4), text(5), text(6)]
    assert [piece.file_name for piece in site.streams[0].pieces] == ["mail.log", "mail.log", "mail.log.1"]


@pytest.mark.parametrize("carrier", ["journal json", "export"])
def test_a_log_in_what_carries_it_grows_and_is_rotated(site: Site, carrier: str) -> None:
    lines = text(*range(9)).decode().splitlines()
    wrap = EXPORT if carrier == "export" else WRAPPERS[carrier]
    entries = [wrap(line) for line in lines]
    # An export is unpacked, as what is compressed is; of lines of JSON the bytes are landed as they came.
    landed = [f"{line}\n".encode() for line in lines] if carrier == "export" else entries
    for count in (3, 5, 9):
        # The last entry is still being written.
        site.write("mail.log", b"".join(entries)[: sum(map(len, entries[:count])) + 20 * (count < 9)])
        assert site.pull().problems == []
        assert site.landed() == [b"".join(landed[:count])]
        assert site.pull() == Pulled()
    site.rename("mail.log", "mail.log.1")
    site.write("mail.log", entries[0])
    site.pull()
    assert site.pull() == Pulled()
    site.write("mail.log.2.gz", gzip.compress(b"".join(entries)))
    (site.logs / "mail.log.1").unlink()
    assert site.pull() == Pulled()
    assert site.landed() == [b"".join(landed)]
    assert [frame_lines(stream, 0)["line"].to_list() for stream in site.landed()] == [lines]


def test_copytruncate(site: Site) -> None:
    site.write("mail.log", text(1, 2))
    site.pull()
    site.write("mail.log.1", text(1, 2, 3))
    site.write("mail.log", b"")
    assert site.pull() == Pulled(1, len(text(3)))
    site.write("mail.log", text(4))
    site.pull()
    assert site.landed() == [text(1, 2, 3), text(4)]


def test_copies_under_other_names_and_shorter_ones(site: Site) -> None:
    site.write("mail.log", text(1, 2, 3))
    site.pull()
    site.write("mail.log-copy", text(1, 2, 3))
    site.write("mail.log.backup", text(1, 2)[:-10])
    site.write("mail.log.bak.xz", lzma.compress(text(1)))
    assert site.pull() == Pulled()
    assert site.landed() == [text(1, 2, 3)]


def test_a_shorter_copy_does_not_forget_what_waits(site: Site) -> None:
    site.write("mail.log", text(1, 2) + b"2026")
    site.write("mail.log.backup", text(1))
    site.pull()
    assert [stream.waiting_bytes for stream in site.streams] == [4]


def test_different_files_are_different_streams_even_with_one_first_line(site: Site) -> None:
    site.write("mail.log", text(1, 2, 3))
    site.write("mail.log.other", text(1, 4))
    site.write("mail.log.third", text(5))
    assert site.pull().problems == []
    assert sorted(site.landed()) == sorted([text(1, 2, 3), text(1, 4), text(5)])
    assert len({stream.stream_id for stream in site.streams}) == 3
    site.write("mail.log.other", text(1, 4, 6))
    site.pull()
    assert sorted(site.landed()) == sorted([text(1, 2, 3), text(1, 4, 6), text(5)])


def test_the_last_line_waits_until_the_file_is_closed(site: Site) -> None:
    whole = text(1, 2, 3)
    site.write("mail.log", whole[:-5])
    assert site.pull().bytes == len(text(1, 2))
    assert site.streams[0].waiting_bytes == len(text(3)) - 5
    assert site.pull() == Pulled()
    site.rename("mail.log", "mail.log.1")
    assert site.pull().bytes == len(text(3)) - 5
    assert site.streams[0].waiting_bytes == 0
    site.write("mail.log.2.gz", gzip.compress(whole[:-5]))
    (site.logs / "mail.log.1").unlink()
    assert site.pull() == Pulled()
    assert site.landed() == [whole[:-5]]


HISTORY = (
    b'[{"unix_time":1795528800.5,"message-id":"a@b.example","action":"no action","score":1.0,'
    b'"required_score":15.0,"ip":"192.0.2.1","symbols":{}}]'
)


@pytest.mark.parametrize("format", ["rspamd_history", "auto"])
@pytest.mark.parametrize("lines", [b"", HISTORY + b"\n"])
def test_json_without_a_last_line_end_is_whole(tmp_path: Path, format: str, lines: bytes) -> None:
    """Rspamd gives its history as one document without a line end."""
    site = Site(tmp_path, pattern="history.json", format=format)
    later = HISTORY.replace(b"a@b", b"c@d")
    # Half of it has come so far.
    site.write("history.json", lines + later[:-40])
    assert site.pull().bytes == len(lines)
    assert site.pull().bytes == 0
    site.write("history.json", lines + later)
    assert site.pull().bytes == len(later)
    assert site.pull() == Pulled()
    assert b"".join(site.landed()) == lines + later
    # A line end that comes after it is no line of its own.
    site.write("history.json", lines + later + b"\n")
    assert site.pull().bytes == 1


def test_a_last_line_that_stays_as_it_is_is_read(site: Site) -> None:
    """Pulled daily, that is at the second pull."""
    day = dt.timedelta(hours=23, minutes=55)
    site.write("mail.log", text(1, 2)[:-1])
    site.write("mail.log.other", text(7)[:-1])
    found = site.pull()
    assert (found.bytes, len(found.notes)) == (len(text(1)), 1)
    first = site.pull()
    assert (first.bytes, len(first.notes)) == (0, 2)
    for word in ("'a'", "'mx1'", "mail.log", f"{len(text(2)) - 1} bytes", "line end", "whole = true"):
        assert word in first.notes[0]
    # A line that still grows waits on.
    site.write("mail.log.other", text(7)[:-1] + b" more")
    assert pull_operator(site.operator, str(site.lake), NOW + day).bytes == len(text(2)) - 1
    assert pull_operator(site.operator, str(site.lake), NOW + day).bytes == 0
    assert pull_operator(site.operator, str(site.lake), NOW + 2 * day).bytes == len(text(7)) + 4
    assert sorted(site.landed()) == sorted([text(1, 2)[:-1], text(7)[:-1] + b" more"])
    assert pull_operator(site.operator, str(site.lake), NOW + 3 * day).notes == []


@pytest.mark.parametrize(("wait", "is_read"), [(HOURS_20 - MOMENT, False), (HOURS_20, True)])
def test_a_last_line_is_read_once_it_stayed_the_same_for_twenty_hours(
    wait: dt.timedelta, is_read: bool
) -> None:
    first = LastLine(None, NOW, is_closed=False)
    assert not first.is_readable(7, b"a line")
    assert LastLine(first.waiting, NOW + wait, is_closed=False).is_readable(7, b"a line") == is_read


def test_a_source_of_whole_files_is_read_to_the_end(site: Site) -> None:
    (source,) = site.operator.source
    whole = source.model_copy(update={"whole": True})
    site.operator = site.operator.model_copy(update={"source": [whole]})
    site.write("mail.log", text(1, 2)[:-1])
    assert site.pull() == Pulled(1, len(text(1, 2)) - 1)
    assert site.pull() == Pulled()


def test_what_is_compressed_is_closed_whatever_its_name(site: Site) -> None:
    site.write("mail.log", gzip.compress(text(1)[:-1]))
    site.pull()
    assert site.landed() == [text(1)[:-1]]


@pytest.mark.parametrize("format", ["postfix", "dmarc"])
def test_a_name_that_is_no_text_is_written_as_one(tmp_path: Path, format: str) -> None:
    site = Site(tmp_path, pattern="*", format=format)
    with open(os.fsencode(site.logs) + b"/caf\xe9.log", "wb") as file:
        file.write(REPORT if format == "dmarc" else text(1))
    assert site.pull().pieces == 1
    assert [each.file_name for stream in site.streams for each in stream.pieces] == ["caf\\xe9.log"]
    # As an earlier version left it.
    manifest = site.lake / "landing" / "a" / "mx1" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("caf\\\\xe9", "caf\\udce9"))
    assert [each.file_name for stream in site.streams for each in stream.pieces] == ["caf\\xe9.log"]


VERDICT = (
    b"2026-11-24T13:00:00.000000+00:00 mx1 amavis[12]: (00012-01) Passed CLEAN {RelayedInbound}, [192.0.2.5]"
    b" <s@x.example> -> <u@isp.example>, Queue-ID: 4A1, Message-ID: <a@x.example>, Hits: -1, 100 ms\n"
)


def test_a_mail_log_that_begins_with_a_filters_lines_is_a_mail_log(tmp_path: Path) -> None:
    site = Site(tmp_path, format="auto")
    log = site.write("mail.log", VERDICT)
    site.pull()
    assert [each.format for each in site.streams] == ["amavis"]
    with log.open("ab") as more:
        more.write(9 * VERDICT + text(1))
    assert site.pull() == Pulled(1, len(9 * VERDICT + text(1)))
    assert [each.format for each in site.streams] == ["postfix"]
    # Most of its lines are the filter's.
    site.write("mail.log.1", 40 * VERDICT.replace(b"4A1", b"4A2") + text(2))
    site.pull()
    assert [each.format for each in site.streams] == ["postfix", "postfix"]
    # What a mail log names is not what it looks like before the server's first line.
    (tmp_path / "named").mkdir()
    named = Site(tmp_path / "named", format="postfix")
    named.write("mail.log", VERDICT)
    assert named.pull().notes == []


@pytest.mark.parametrize(("count", "is_other"), [(19, False), (18, True)])
def test_a_log_of_which_a_filter_reads_nineteen_in_twenty_lines_is_its_log(
    count: int, is_other: bool
) -> None:
    filters = [line for line in lab("postfix/rspamd.log") if "rspamd_task_write_log" in line][:count]
    server = [line for line in lab("postfix/mail.rfc3164.log") if "postfix/qmgr" in line][:1]
    block = "\n".join([*filters, *server]).encode() + b"\n"
    with pytest.raises(OtherLog) if is_other else contextlib.nullcontext():
        check_named("rspamd", block)


@pytest.mark.parametrize("kind", COMPRESS)
def test_compression_is_told_by_content(site: Site, kind: str) -> None:
    site.write("mail.log", text(1))
    site.pull()
    (site.logs / "mail.log").unlink()
    # Two members, as appending to a compressed file gives.
    site.write("mail.log.old", COMPRESS[kind](text(1)) + COMPRESS[kind](text(2)))
    assert site.pull() == Pulled(1, len(text(2)))
    assert site.landed() == [text(1, 2)]


@pytest.mark.long
@pytest.mark.parametrize("kind", COMPRESS)
def test_a_truncated_file_keeps_what_came_before_and_a_whole_one_continues(site: Site, kind: str) -> None:
    whole = noise(20_000)
    packed = COMPRESS[kind](whole)
    site.write("mail.log.1", packed[: len(packed) * 9 // 10])
    pulled = site.pull()
    assert pulled.pieces == 1
    assert 0 < pulled.bytes < len(whole)
    assert len(pulled.problems) == 1
    for word in ("'a'", "'mx1'", "mail.log.1 is damaged", "EOFError", "kept"):
        assert word in pulled.problems[0]
    (stream,) = site.streams
    assert stream.pieces[0].damage is not None
    assert whole.startswith(site.landed()[0])
    assert site.landed()[0].endswith(b"\n")
    # It is still damaged, and still said so.
    again = site.pull()
    assert (again.pieces, len(again.problems)) == (0, 1)
    site.write("mail.log.1", packed)
    assert site.pull() == Pulled(1, len(whole) - pulled.bytes)
    assert site.landed() == [whole]


@pytest.mark.parametrize("kind", COMPRESS)
def test_members_after_padding_are_read_and_damage_in_a_later_one_is_named(site: Site, kind: str) -> None:
    first, second = (COMPRESS[kind](text(number)) for number in (1, 2))
    site.write("mail.log.1", first + bytes(8) + second + bytes(512))
    assert site.pull() == Pulled(1, len(text(1, 2)))
    assert site.landed() == [text(1, 2)]
    site.write("mail.log.2", COMPRESS[kind](text(3)) + b"\1" + second[1:])
    pulled = site.pull()
    assert (pulled.pieces, pulled.bytes) == (1, len(text(3)))
    assert "mail.log.2 is damaged" in pulled.problems[0]


@pytest.mark.parametrize("kind", COMPRESS)
def test_damage_is_named_even_if_nothing_can_be_kept(site: Site, kind: str) -> None:
    site.write("mail.log.1", COMPRESS[kind](text(1))[:12])
    (problem,) = site.pull().problems
    assert "mail.log.1 is damaged" in problem
    assert site.streams == []


def test_a_flipped_byte_in_gzip_is_named_and_no_broken_line_is_closed(site: Site) -> None:
    packed = bytearray(gzip.compress(noise(20_000)))
    packed[len(packed) // 2] ^= 0xFF
    site.write("mail.log.1.gz", bytes(packed))
    pulled = site.pull()
    assert len(pulled.problems) == 1
    assert "damaged" in pulled.problems[0]
    assert pulled.bytes > 0
    assert site.landed()[0].endswith(b"\n")


def test_a_missing_source_is_named_and_the_next_one_is_pulled(site: Site) -> None:
    site.write("mail.log", text(1))
    gone = SourceSettings(id="gone", url=f"{site.logs}/nothing*", format="postfix")
    unknown = SourceSettings(id="unknown", url="nosuch://host/mail.log", format="postfix")
    operator = site.operator.model_copy(update={"source": [gone, unknown, *site.operator.source]})
    pulled = pull_operator(operator, str(site.lake), NOW)
    assert pulled.pieces == 1
    assert site.landed() == [text(1)]
    missing, unlisted = pulled.problems
    assert "'gone'" in missing and "no file matches" in missing and f"{site.logs}/nothing*" in missing
    assert "'unknown'" in unlisted and "cannot be listed" in unlisted


@contextlib.contextmanager
def unreadable(monkeypatch: pytest.MonkeyPatch, name: str, error: OSError) -> Iterator[None]:
    """Opening this file raises, whoever asks."""
    kind = type(fsspec.filesystem("file"))
    opened = kind._open

    def denied(self: Any, path: str, *args: Any, **kwargs: Any) -> Any:
        if path.endswith(name):
            raise error
        return opened(self, path, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(kind, "_open", denied)
        yield


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied"), FileNotFoundError(2, "No such file")]
)
def test_an_unreadable_file_is_named_and_the_others_are_pulled(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    for number in (1, 2, 3):
        site.write(f"mail.log.{number}", text(number))
    with unreadable(monkeypatch, "mail.log.2", error):
        pulled = site.pull()
    assert pulled.pieces == 2
    (problem,) = pulled.problems
    assert "mail.log.2 cannot be read" in problem and error.strerror in problem
    assert site.pull() == Pulled(1, len(text(2)))
    assert sorted(site.landed()) == [text(1), text(2), text(3)]


def test_folders_and_empty_files_are_no_problem(site: Site) -> None:
    site.write("mail.log", b"")
    site.write("mail.log.2.gz", gzip.compress(b""))
    (site.logs / "mail.log.d").mkdir()
    site.write("mail.log.1", text(1))
    assert site.pull() == Pulled(1, len(text(1)))
    site.write("mail.log", text(2))
    site.pull()
    assert site.landed() == [text(1), text(2)]


def zipped(data: bytes, name: str = "mail.log") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, data)
    return out.getvalue()


def tarred(data: bytes, mode: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as file:  # type: ignore[call-overload]
        about = tarfile.TarInfo("mail.log")
        about.size = len(data)
        file.addfile(about, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize("format", ["postfix", "auto"])
@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (zipped(text(*range(60))), "zip"),
        (gzip.compress(zipped(text(1))), "zip"),
        (tarred(text(1), "w"), "tar"),
        (tarred(text(1), "w:gz"), "tar"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(60), "7z"),
        (b"Rar!\x1a\x07\x01" + bytes(60), "rar"),
        (b"\x1f\x9d\x90" + bytes(60), "compress"),
        (b"\x04\x22\x4d\x18" + bytes(60), "lz4"),
    ],
    ids=["zip", "zip in gzip", "tar", "tar in gzip", "7z", "rar", "compress", "lz4"],
)
def test_an_archive_is_no_log(tmp_path: Path, format: str, data: bytes, kind: str) -> None:
    site = Site(tmp_path, format=format)
    site.write("mail.log.1", data)
    site.write("mail.log", text(*range(50)))
    pulled = site.pull()
    (problem,) = pulled.problems
    for word in ("'a'", "'mx1'", "mail.log.1", kind, "Unpack", "gzip"):
        assert word in problem
    assert site.landed() == [text(*range(50))]


def test_reports_still_come_in_archives(tmp_path: Path) -> None:
    for number, format in enumerate(("dmarc", "auto")):
        (tmp_path / str(number)).mkdir()
        site = Site(tmp_path / str(number), pattern="*", format=format)
        packed = zipped(REPORT, "receiver.example!shop.example!1795392000!1795478399.xml")
        site.write("report.zip", packed)
        pulled = site.pull()
        assert (pulled.bytes, pulled.problems, pulled.notes) == (len(packed), [], [])


EXIM = (ROOT / "sample_data" / "lab" / "exim" / "mainlog").read_bytes()


@pytest.mark.parametrize(
    ("format", "data", "words"),
    [
        ("postfix", EXIM, ["mail.log looks like exim, and the source names postfix", 'format = "exim"']),
        ("dmarc", EXIM, ["looks like exim, and the source names dmarc"]),
        ("postfix", REPORT, ["looks like dmarc, and the source names postfix"]),
        ("exim", bytes(range(128)) * 40, ["does not look like exim"]),
        ("postfix", b"", ["mail.log is empty"]),
    ],
)
def test_another_format_than_named_is_said_at_once(
    tmp_path: Path, format: str, data: bytes, words: list[str]
) -> None:
    site = Site(tmp_path, pattern="mail.log", format=format)
    site.write("mail.log", data)
    pulled = site.pull()
    assert pulled.problems == []
    (note,) = pulled.notes
    for word in ("'a'", "'mx1'", *words):
        assert word in note


def test_the_format_that_is_named_is_no_surprise(tmp_path: Path) -> None:
    logs = {
        "postfix": "postfix/mail.rfc3164.log",
        "exim": "exim/mainlog",
        "kannel": "kannel/bearerbox-access.log",
        "rspamd": "postfix/rspamd.log",
        # Its lines stand in the log of the mail server.
        "spamassassin": "postfix/mail.iso8601.log",
        "opendkim": "postfix/mail.iso8601.log",
    }
    for format, log in logs.items():
        (tmp_path / format).mkdir()
        site = Site(tmp_path / format, pattern="mail.log", format=format)
        site.write("mail.log", (ROOT / "sample_data" / "lab" / log).read_bytes())
        assert site.pull().notes == []


@pytest.fixture
def sniffed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The formats that looked at a sample, one for each time.

    What all formats make of a file takes 0.1 s: 3,000 small logs kept the lake locked for five minutes.
    """
    calls: list[str] = []

    def counted(name: str, sniff: Callable[[bytes], float]) -> Callable[[bytes], float]:
        def counting(sample: bytes) -> float:
            calls.append(name)
            return sniff(sample)

        return counting

    for name, kernel in KERNELS.items():
        monkeypatch.setitem(KERNELS, name, replace(kernel, sniff=counted(name, kernel.sniff)))
    return calls


def test_a_file_of_the_named_format_is_looked_at_once(tmp_path: Path, sniffed: list[str]) -> None:
    logs = {"postfix": text, "dmarc": lambda number: REPORT.replace(b"</feedback>", b"</feedback>" * number)}
    for format, log in logs.items():
        (tmp_path / format).mkdir()
        site = Site(tmp_path / format, pattern="*", format=format)
        for number in range(1, 4):
            site.write(f"{number}.log", log(number))
        sniffed.clear()
        assert site.pull().pieces == 3
        assert sniffed == [format] * 3


@pytest.mark.long
@pytest.mark.parametrize("options", [{}, {"access_log_format": "%t~%l~%p~%P"}])
def test_all_formats_look_at_the_first_odd_files_alone(
    tmp_path: Path, sniffed: list[str], options: dict[str, Any]
) -> None:
    site = Site(tmp_path, format="kannel", **options)
    for number in range(14):
        site.write(f"mail.log.{number}", b"%d odd words\n" % number * 5)
    sniffed.clear()
    notes = site.pull().notes
    assert sniffed.count("exim") == 10
    if options:
        assert notes == []
    else:
        assert len(notes) == 11
        assert "more of its files do not look like kannel" in notes[-1]


@pytest.mark.parametrize(
    ("format", "options", "line"),
    [
        (
            "asterisk",
            {"columns": ["start", "src", "dst", "billsec", "disposition", "clid"]},
            '"2026-11-24 14:00:00","35799000009","35722000001","7","ANSWERED","""Ann"" <1>"',
        ),
        ("kannel", {"access_log_format": "%t~%l~%p~%P"}, "2026-11-24 14:00:00~Sent SMS~SHOP~35799000001"),
        ("kamailio_flat", {"columns": ["user"], "delimiter": "~"}, "INVITE~a~b~id@x~200~OK~1795529642~ann"),
    ],
)
def test_a_log_of_a_form_that_options_name_is_no_surprise(
    tmp_path: Path, format: str, options: dict[str, Any], line: str
) -> None:
    site = Site(tmp_path, format=format, **options)
    site.write("mail.log", (line + "\n").encode() * 5)
    assert site.pull().notes == []
    # Of another format it is one all the same.
    site.write("mail.log.1", EXIM)
    (note,) = site.pull().notes
    assert f"mail.log.1 looks like exim, and the source names {format}" in note


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (gzip.compress(b""), "mail.log is empty"),
        (bz2.compress(EXIM), "mail.log looks like exim"),
        (zstandard.compress(bytes(range(128)) * 40), "mail.log does not look like postfix"),
        ("\ufeff".encode() + EXIM, "mail.log looks like exim"),
        (EXIM.decode().encode("utf-16"), "mail.log does not look like postfix"),
        (b"\x00" * 5000 + b"\n", "mail.log does not look like postfix"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n", "mail.log does not look like postfix"),
    ],
    ids=["empty gzip", "bzip2", "zstd", "with a mark", "UTF-16", "NULs", "PDF"],
)
def test_what_a_compressed_or_foreign_file_holds_is_said(tmp_path: Path, data: bytes, words: str) -> None:
    site = Site(tmp_path)
    site.write("mail.log", data)
    pulled = site.pull()
    assert any(words in note for note in pulled.notes), pulled
    # Once: the next pull has nothing new of it.
    site.write("mail.log.1", text(1))
    assert not any("look" in note for note in site.pull().notes)


def test_what_is_no_file_is_named_and_left_out(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A FIFO that nobody writes to would hold pull for ever."""
    site.write("mail.log", text(1))
    os.mkfifo(site.logs / "mail.log.fifo")
    (site.logs / "mail.log.link").symlink_to(site.logs / "mail.log.fifo")
    (site.logs / "mail.log.gone").symlink_to(site.logs / "nothing")
    with socket.socket(socket.AF_UNIX) as listening:
        # The whole path may be longer than the name of a socket.
        monkeypatch.chdir(site.logs)
        listening.bind("mail.log.sock")

        def waited(*arguments: object) -> None:
            raise Killed

        signal.signal(signal.SIGALRM, waited)
        signal.alarm(20)
        try:
            pulled = site.pull()
        finally:
            signal.alarm(0)
    assert pulled.pieces == 1
    problems = sorted(pulled.problems)
    kinds = ["fifo", "gone", "link", "sock"]
    assert [kind for each in problems for kind in kinds if f"mail.log.{kind} " in each] == kinds
    assert all("is no file" in each for each in problems if ".gone" not in each)
    assert site.landed() == [text(1)]


def test_a_binary_file_is_landed_if_a_format_is_named_and_refused_if_not(tmp_path: Path) -> None:
    binary = bytes(range(256)) * 40
    (tmp_path / "named").mkdir()
    (tmp_path / "auto").mkdir()
    named = Site(tmp_path / "named")
    named.write("mail.log.1", binary)
    assert named.pull().problems == []
    assert named.landed() == [binary]
    auto = Site(tmp_path / "auto", format="auto")
    auto.write("mail.log.1", binary)
    auto.write("mail.log", text(*range(50)))
    pulled = auto.pull()
    (problem,) = pulled.problems
    for word in ("mail.log.1 is of no known format", ", ".join(sorted(KERNELS)), "format ="):
        assert word in problem
    assert auto.landed() == [text(*range(50))]
    assert auto.streams[0].format == "postfix"


@pytest.mark.long
@pytest.mark.parametrize("format", ["dmarc", "auto"])
def test_a_file_of_documents_is_landed_as_it_came_whole_and_once(tmp_path: Path, format: str) -> None:
    site = Site(tmp_path, pattern="*", format=format)
    packed = gzip.compress(REPORT, mtime=0)
    # Without a last line end, and of a name that says it may grow.
    site.write("report.xml", REPORT.rstrip())
    site.write("report.xml.gz", packed)
    assert site.pull() == Pulled(2, len(REPORT.rstrip()) + len(packed))
    assert sorted(site.landed()) == sorted([REPORT.rstrip(), packed])
    assert {(stream.format, stream.waiting_bytes, len(stream.pieces)) for stream in site.streams} == {
        ("dmarc", 0, 1)
    }
    site.write("copy.xml", REPORT.rstrip())
    site.rename("report.xml.gz", "other.bin")
    assert site.pull() == Pulled()
    # A report is never continued: what grew is another.
    site.write("report.xml", REPORT)
    assert site.pull() == Pulled(1, len(REPORT))
    assert sorted(site.landed()) == sorted([REPORT.rstrip(), REPORT, packed])
    assert len({stream.stream_id for stream in site.streams}) == 3
    assert not list((site.lake / "landing").rglob("partial.new"))


def test_logs_and_documents_in_one_source(tmp_path: Path) -> None:
    site = Site(tmp_path, pattern="*", format="auto")
    site.write("mail.log", text(*range(50)))
    site.write("report.xml", REPORT)
    assert site.pull() == Pulled(2, len(text(*range(50)) + REPORT))
    site.write("mail.log", text(*range(60)))
    assert site.pull() == Pulled(1, len(text(*range(50, 60))))
    assert sorted(site.landed()) == sorted([text(*range(60)), REPORT])


def test_an_empty_or_damaged_file_of_documents(tmp_path: Path) -> None:
    """A damaged file is landed as it is: its kernel says what is wrong with it."""
    site = Site(tmp_path, pattern="*", format="feedback")
    site.write("empty.eml", b"")
    damaged = gzip.compress(REPORT)[:-20]
    site.write("damaged.gz", damaged)
    assert site.pull() == Pulled(1, len(damaged))
    assert site.landed() == [damaged]


def test_documents_are_dated_by_their_files_alone(tmp_path: Path) -> None:
    """Numbers in their names are no rotations, and the time in an archive is its sender's word."""
    site = Site(tmp_path, pattern="*", format="dmarc")
    for number in (1, 2, 3):
        file = site.write(f"report.{number}", gzip.compress(REPORT + b" " * number, mtime=86_400))
        os.utime(file, (NOW.timestamp() + number, NOW.timestamp() + number))
    site.pull()
    found = {piece.file_name: piece.newest_at for stream in site.streams for piece in stream.pieces}
    seconds = {number: dt.timedelta(seconds=number) for number in (1, 2, 3)}
    assert found == {f"report.{number}": (NOW + each).isoformat() for number, each in seconds.items()}


def test_a_document_that_is_written_while_it_is_read_is_taken_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, pattern="*", format="dmarc")
    file = site.write("report.xml", REPORT[:100])
    modified = source_files.modified_at

    def meanwhile(fs: Any, name: str) -> dt.datetime:
        with file.open("ab") as out:
            out.write(REPORT[100:])
        return modified(fs, name)

    with monkeypatch.context() as patch:
        patch.setattr(source_files, "modified_at", meanwhile)
        patch.setattr(pulling, "written_times", lambda fs, names, known: {})
        (problem,) = site.pull().problems
    assert "written while it was read" in problem
    assert site.streams == []
    assert site.pull() == Pulled(1, len(REPORT))
    assert site.landed() == [REPORT]


def test_a_file_without_line_ends(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "LONGEST_LINE", 10_000)
    monkeypatch.setattr(chunks, "CHUNK", 1000)
    site.write("mail.log", b"x" * 9000)
    assert site.pull() == Pulled()
    # Beyond the longest line it lands in parts, so that memory stays bounded; the rest waits.
    site.write("mail.log", b"x" * 25_500)
    pulled = site.pull()
    assert 10_000 < pulled.bytes < 25_500
    assert site.streams[0].waiting_bytes == 25_500 - pulled.bytes <= 10_000
    site.rename("mail.log", "mail.log.1")
    assert site.pull() == Pulled(1, 25_500 - pulled.bytes)
    assert site.landed() == [b"x" * 25_500]


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("moment", ["piece", "manifest"])
@pytest.mark.parametrize("grown", [False, True])
def test_killed_before_the_manifest_is_written(
    site: Site, monkeypatch: pytest.MonkeyPatch, moment: str, grown: bool
) -> None:
    site.write("mail.log", text(1))
    site.pull()
    site.write("mail.log", text(1, 2))
    before = site.streams
    kind = type(fsspec.filesystem("file"))
    moved = kind.mv

    def killed(self: Any, old: str, new: str, **kwargs: Any) -> None:
        if new.endswith(".log.zst") == (moment == "piece"):
            raise Killed
        moved(self, old, new, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(kind, "mv", killed)
        with pytest.raises(Killed):
            site.pull()
    assert site.streams == before
    if grown:
        site.rename("mail.log", "mail.log.1")
        site.write("mail.log.1", text(1, 2, 3))
    assert site.pull().problems == []
    assert site.landed() == [text(1, 2, 3) if grown else text(1, 2)]


def test_a_piece_that_cannot_be_put_in_its_place_leaves_no_stream(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write("mail.log", text(1))
    kind = type(fsspec.filesystem("file"))
    moved = kind.mv

    def full(self: Any, old: str, new: str, **kwargs: Any) -> None:
        if new.endswith(".log.zst"):
            raise OSError(28, "No space left on device")
        moved(self, old, new, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(kind, "mv", full)
        with pytest.raises(DiskFull):
            site.pull()
    assert site.streams == []
    assert site.pull() == Pulled(1, len(text(1)))


def test_a_wildcard_takes_all_logs_of_a_source(tmp_path: Path) -> None:
    site = Site(tmp_path, pattern="*/mail.log*")
    for host in ("mx1", "mx2"):
        (site.logs / host).mkdir()
    site.write("mx1/mail.log", text(1))
    site.write("mx2/mail.log", text(2))
    site.write("mx2/mail.log.1.gz", gzip.compress(text(3)))
    site.write("mx2/other.log", text(4))
    site.pull()
    assert sorted(site.landed()) == [text(1), text(2), text(3)]


def hook_reads(monkeypatch: pytest.MonkeyPatch, after: int, act: Callable[[], None]) -> None:
    """Do something to the files once so many blocks of a file were read."""
    read = Chunks.read_bytes
    seen = 0

    def hooked(self: Chunks, size: int) -> bytes:
        nonlocal seen
        seen += 1
        if seen == after:
            act()
        return read(self, size)

    monkeypatch.setattr(Chunks, "read_bytes", hooked)


@pytest.mark.long
@pytest.mark.parametrize("after", range(1, 60, 4))
def test_rotated_by_renaming_while_it_is_read(
    site: Site, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    first, later = noise(3000), text(*range(200))
    site.write("mail.log", first[: first.index(b"\n", len(first) // 2) + 1])
    site.pull()
    site.write("mail.log", first)

    def rotate() -> None:
        site.rename("mail.log", "mail.log.1")
        site.write("mail.log", later)

    with monkeypatch.context() as patch:
        hook_reads(patch, after, rotate)
        site.pull()
        if not (site.logs / "mail.log.1").exists():
            rotate()
    assert site.pull().problems == []
    assert sorted(site.landed()) == sorted([first, later])


@pytest.mark.long
@pytest.mark.parametrize("after", range(1, 60, 4))
@pytest.mark.parametrize("is_new", [True, False])
def test_copied_and_truncated_while_it_is_read(
    site: Site, monkeypatch: pytest.MonkeyPatch, after: int, is_new: bool
) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 20_000)
    first, later = noise(8000), text(*range(200)) * 60
    if not is_new:
        site.write("mail.log", first[: first.index(b"\n", len(first) // 2) + 1])
        site.pull()
    site.write("mail.log", first)

    def rotate() -> None:
        site.write("mail.log.1", first)
        with (site.logs / "mail.log").open("r+b") as file:
            file.truncate(0)
            file.write(later)

    with monkeypatch.context() as patch:
        hook_reads(patch, after, rotate)
        during = site.pull()
        if not (site.logs / "mail.log.1").exists():
            rotate()
    assert all("replaced while it was read" in problem for problem in during.problems)
    assert site.pull().problems == []
    assert sorted(site.landed()) == sorted([first, later])


@pytest.mark.long
@pytest.mark.parametrize("packed", [False, True])
def test_a_pull_reads_each_file_once_however_many_begin_alike(
    site: Site, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    """Days of a CSV begin with one header; the last one still grows."""
    head, count = b"time;from;to\n" * 40, 30
    days = [head + b"day %d\n" % number + noise(20 + number) for number in range(count)]
    for number, day in enumerate(days):
        site.write(f"mail.log.{number}", gzip.compress(day) if packed else day)
    size = sum(map(len, days))
    seen = {"read": 0, "opened": 0, "hashed": 0}
    read = Chunks.read_bytes

    def counted(self: Chunks, wanted: int) -> bytes:
        block = read(self, wanted)
        seen["read"] += len(block)
        return block

    def landed(*arguments: Any) -> str:
        seen["opened"] += 1
        return landed_digest(*arguments)

    landed_digest = streams.landed_digest
    monkeypatch.setattr(Chunks, "read_bytes", counted)
    monkeypatch.setattr(streams, "landed_digest", landed)
    # A file's start is peeked at twice, and what is new is found after what is known.
    peeked = 3 * sum(min(len(day), SAMPLE) for day in days)
    assert site.pull().pieces == count
    assert seen["read"] <= 2 * size + peeked
    assert seen["opened"] == 0
    for _ in range(2):
        seen["read"] = 0
        assert site.pull() == Pulled()
        assert seen["read"] <= size + peeked
    site.write(f"mail.log.{count - 1}", gzip.compress(days[-1] + days[0]) if packed else days[-1] + days[0])
    assert site.pull() == Pulled(1, len(days[0]))
    # Shorter copies are told by their digest, whichever of the streams they are of.
    site.write("mail.log.copy", days[7][: len(days[7]) // 2])
    seen["opened"] = 0
    assert site.pull() == Pulled()
    assert seen["opened"] <= 1
    assert sorted(site.landed()) == sorted([*days[:-1], days[-1] + days[0]])


@pytest.mark.long
def test_thousands_of_small_files_take_a_look_up_each(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 400
    for number in range(count):
        site.write(f"mail.log.{number}", b"line %d\n" % number * (number % 7 + 1))
    site.pull()
    hashed = 0
    sha256 = hashlib.sha256

    def counted(data: bytes = b"") -> Any:
        nonlocal hashed
        hashed += 1
        return sha256(data)

    monkeypatch.setattr(hashlib, "sha256", counted)
    assert site.pull() == Pulled()
    assert hashed < 20 * count


def gzipped_at(data: bytes, at: dt.datetime) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=at.timestamp()) as file:
        file.write(data)
    return out.getvalue()


def at(day: int, hour: int = 0) -> dt.datetime:
    return dt.datetime(2026, 11, day, hour, tzinfo=dt.UTC)


def newest(site: Site, files: dict[str, tuple[bytes, dt.datetime]]) -> dict[str, dt.datetime]:
    """The bound that newest_times sets for files with these contents and times."""
    for name, (data, time) in files.items():
        os.utime(site.write(name, data), (time.timestamp(), time.timestamp()))
    names = sorted((str(site.logs / name) for name in files), key=rotation_order)
    times = newest_times(fsspec.filesystem("file"), names)
    return {Path(name).name: time for name, time in times.items()}


def test_no_rotation_is_newer_than_a_younger_one(site: Site) -> None:
    # The third was copied later than it was written; the fourth's gzip header tells its real time.
    assert newest(
        site,
        {
            "mail.log": (text(5), at(24, 12)),
            "mail.log.1": (text(4), at(24)),
            "mail.log.2": (text(3), at(23)),
            "mail.log.3": (text(2), at(24, 13)),
            "mail.log.4.gz": (gzipped_at(text(1), at(20)), at(24, 13)),
            "mail.log.10.gz": (gzipped_at(text(0), at(14)), at(24, 13)),
            "other.log.1": (text(9), at(24, 9)),
        },
    ) == {
        "mail.log": at(24, 12),
        "mail.log.1": at(24),
        "mail.log.2": at(23),
        "mail.log.3": at(23),
        "mail.log.4.gz": at(20),
        "mail.log.10.gz": at(14),
        "other.log.1": at(24, 9),
    }


@pytest.mark.parametrize("separator", ["-", "."])
def test_dated_rotations_stand_in_the_order_of_their_dates(site: Site, separator: str) -> None:
    names = [f"mail.log{separator}202611{day}" for day in (19, 20, 21)]
    files = {name: (text(day), at(day)) for day, name in zip((19, 20, 21), names, strict=True)}
    assert newest(site, files | {"mail.log": (text(24), at(24))}) == {
        **dict(zip(names, (at(19), at(20), at(21)), strict=True)),
        "mail.log": at(24),
    }
    assert all(is_closed(name) for name in names)


def test_a_gzip_header_without_time_and_a_file_that_vanished(site: Site) -> None:
    path = site.write("mail.log.1.gz", gzipped_at(text(1), dt.datetime.fromtimestamp(0, dt.UTC)))
    os.utime(path, (at(20).timestamp(),) * 2)
    names = [str(site.logs / "mail.log.2"), str(path)]
    assert newest_times(fsspec.filesystem("file"), names) == {str(path): at(20)}


def test_an_old_message_in_the_queue_does_not_make_its_lines_old(site: Site) -> None:
    # 4g8T6S0X5Yz9v1 and the like: a long queue id tells when its message came, here five days before.
    id_of = dt.datetime(2026, 11, 19, 12, tzinfo=dt.UTC)
    seconds, digits = int(id_of.timestamp()), ""
    alphabet = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
    for _ in range(6):
        seconds, digit = divmod(seconds, 52)
        digits = alphabet[digit] + digits
    line = f"Nov 24 11:00:00 mx1 postfix/qmgr[7]: {digits}2Bc0z9v1: from=<a@a.example>, status=expired\n"
    path = site.write("mail.log", line.encode())
    os.utime(path, (at(24, 12).timestamp(),) * 2)
    site.pull()
    assert dt.datetime.fromisoformat(site.streams[0].pieces[0].newest_at) == at(24, 12)
    # The file was copied a year later: the ids know better, up to the life of a message.
    path.write_bytes(line.replace("11:00:00", "11:30:00").encode())
    later = dt.datetime(2027, 12, 1, tzinfo=dt.UTC).timestamp()
    os.utime(path, (later, later))
    site.pull()
    assert dt.datetime.fromisoformat(site.streams[1].pieces[0].newest_at) == id_of + dt.timedelta(days=6)


LINE = st.binary(max_size=12).map(lambda data: data.replace(b"\n", b" "))


@pytest.mark.long
@examples(150)
@given(bodies=st.lists(LINE, min_size=1, max_size=12), has_end=st.booleans(), data=st.data())
def test_any_life_of_a_log_lands_its_bytes_once(bodies: list[bytes], has_end: bool, data: Any) -> None:
    """A log that grows in any steps, is renamed, copied and compressed between pulls, or is pulled twice."""
    lines = [b"%d %s" % (number, body) for number, body in enumerate(bodies)]
    content = b"\n".join(lines) + (b"\n" if has_end else b"")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=4), label="cuts"))
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder))
        for cut in cuts:
            site.write("mail.log", content[:cut])
            for _ in range(data.draw(st.integers(0, 2), label="pulls")):
                assert site.pull().problems == []
                # A lone CR ends a line, too, once a byte of the next one is there.
                *_, whole = 0, *(end.end() for end in re.finditer(rb"\n|\r(?=[^\r\n])", content[:cut]))
                assert b"".join(site.landed()) == content[:whole]
        (site.logs / "mail.log").unlink(missing_ok=True)
        states = data.draw(st.lists(st.sampled_from(["plain", *COMPRESS]), max_size=3), label="states")
        for number, state in enumerate([*states, "gz"], start=1):
            for old in site.logs.iterdir():
                old.unlink()
            packed = content if state == "plain" else COMPRESS[state](content)
            site.write(f"mail.log.{number}" + ("" if state == "plain" else f".{state}"), packed)
            if data.draw(st.booleans(), label="is the live file there"):
                site.write("mail.log", b"")
            if data.draw(st.booleans(), label="is it pulled") or number > len(states):
                assert site.pull().problems == []
        assert site.landed() == [content]
        assert site.pull() == Pulled()


@pytest.mark.parametrize("end", [b"\r", b"\r\n"])
def test_a_log_whose_lines_end_in_cr_counts_as_it_grows(site: Site, end: bytes) -> None:
    """The classic Mac wrote such logs: the last line waits for what follows it, and a rotation takes it."""

    def lines(*numbers: int) -> bytes:
        return text(*numbers).replace(b"\n", end)

    site.write("mail.log", lines(1, 2))
    first = site.pull()
    site.write("mail.log", lines(1, 2, 3))
    second = site.pull()
    assert (first.problems, second.problems, first.pieces, second.pieces) == ([], [], 1, 1)
    site.rename("mail.log", "mail.log.1")
    site.pull()
    assert site.landed() == [lines(1, 2, 3)]
    assert site.pull() == Pulled()


def test_mixed_line_ends_are_lines(site: Site) -> None:
    data = text(1).replace(b"\n", b"\r") + text(2) + text(3).replace(b"\n", b"\r\n") + text(4)
    site.write("mail.log", data)
    assert site.pull() == Pulled(1, len(data))
    assert frame_lines(site.landed()[0], 0).height == text(1, 2, 3, 4).count(b"\n")
