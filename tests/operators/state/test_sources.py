"""A source that the settings no longer have: its records stay, run, status and page say so, and both ways out
of it work."""

from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.base.store.lake import Lake
from jobs.operators.ingest.source_options import load_with_options
from tests.support.in_process import Told, command_line_of
from tests.support.whole_runs import MAIL_NETWORK, operator_toml, source_toml

LINES = (
    "2026-11-24T10:00:01+00:00 {0} postfix/smtpd[7]: {1}: client=c.example[192.0.2.9]\n"
    "2026-11-24T10:00:02+00:00 {0} postfix/cleanup[8]: {1}: message-id=<{1}@c.example>\n"
    "2026-11-24T10:00:03+00:00 {0} postfix/qmgr[9]: {1}: from=<a@c.example>, size=900, nrcpt=1 (q)\n"
    "2026-11-24T10:00:04+00:00 {0} postfix/local[9]: {1}: to=<b@own.example>, relay=local, delay=0.1,"
    " delays=0/0/0/0, dsn=2.0.0, status=sent (delivered to mailbox)\n"
    "2026-11-24T10:00:05+00:00 {0} postfix/qmgr[9]: {1}: removed\n"
)
SAID = (
    "operator 'a': source 'mx2' is no longer in the settings, and its 5 records of 2026-11-24 stay in all"
    " figures."
)
Command = Callable[..., Told]


@pytest.fixture
def observatory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    monkeypatch.delenv("OBSERVATORY_READ_AT", raising=False)
    for host, id in (("mx1", "4jYl9Z1ZHVz11124"), ("mx2", "4jYl9Z1ZHVz21124")):
        (tmp_path / f"{host}.log").write_text(LINES.format(host, id), encoding="utf-8")
    return command_line_of(monkeypatch, capsys, 400)


def settings(folder: Path, hosts: tuple[str, ...], more: str = "") -> Path:
    sources = [source_toml(host, str(folder / f"{host}.log"), "postfix") for host in hosts]
    about = operator_toml("a", "A", "CHE", "a", "CHF", MAIL_NETWORK, more, *sources)
    file = folder / "observatory.toml"
    file.write_text(f'[lake]\nroot = "lake"\nread_at = 2026-11-25T00:00:00Z\n{about}', encoding="utf-8")
    return file


def sources_in(folder: Path) -> list[str]:
    rows = Lake(str(folder / "lake")).read("silver.message")
    return sorted(set(rows["source_id"]))


@pytest.mark.long
def test_a_source_that_was_removed_is_named_until_it_is_kept(tmp_path: Path, observatory: Command) -> None:
    file = settings(tmp_path, ("mx1", "mx2"))
    page = tmp_path / "page" / "index.html"
    assert SAID not in observatory("run", "--config", file).err
    settings(tmp_path, ("mx1",))
    assert SAID in observatory("run", "--config", file).err
    assert SAID in observatory("status", "--config", file).out
    observatory("report", "--config", file, "--output", page.parent)
    assert "stay in all figures" in page.read_text(encoding="utf-8")
    settings(tmp_path, ("mx1",), 'former_sources = ["mx2"]\n')
    assert SAID not in observatory("run", "--config", file).err + observatory("status", "--config", file).out
    observatory("report", "--config", file, "--output", page.parent)
    assert "stay in all figures" not in page.read_text(encoding="utf-8")
    assert sources_in(tmp_path) == ["mx1", "mx2"]


@pytest.mark.long
def test_a_source_that_was_removed_goes_by_the_commands_that_are_named(
    tmp_path: Path, observatory: Command
) -> None:
    file = settings(tmp_path, ("mx1", "mx2"))
    observatory("run", "--config", file)
    settings(tmp_path, ("mx1",))
    assert "run `observatory renew --anew` and `observatory run`" in observatory("run", "--config", file).err
    assert sources_in(tmp_path) == ["mx1", "mx2"]
    assert observatory("renew", "--anew", "--yes", "--config", file).code == 0
    assert SAID not in observatory("run", "--config", file).err + observatory("status", "--config", file).out
    assert sources_in(tmp_path) == ["mx1"]


def test_a_source_is_either_there_or_a_former_one(tmp_path: Path) -> None:
    file = settings(tmp_path, ("mx1", "mx2"), 'former_sources = ["mx2"]\n')
    with pytest.raises(ObservatoryError, match="former_sources has 'mx2', which is a source of operator 'a'"):
        load_with_options(file)
