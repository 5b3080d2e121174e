"""A lake that is copied to another folder or into a bucket is the same lake there: nothing is read twice."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.base.store.lake import Lake
from tests.support.in_process import Run, command_line_of
from tests.support.lakes_on_s3 import ROOT as BUCKET
from tests.support.lakes_on_s3 import rows_of_lake, start_store
from tests.support.servers import S3
from tests.whole.test_faults import FILTER, MAIL, SMS, settings_of

# Lines of each log.
SOME, MORE = 150, 250
LOGS = {"mail.log": MAIL, "rspamd.log": FILTER, "bearerbox.log": SMS}


@pytest.fixture
def observatory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return command_line_of(monkeypatch, capsys)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    yield from start_store(tmp_path / "s3", monkeypatch)


def with_settings(folder: Path, root: str) -> Path:
    """Settings of a lake at this root, whose logs lie beside them."""
    settings_of(folder, *(str(folder / name) for name in LOGS), lake=root)
    return folder / "observatory.toml"


def make_lake(folder: Path, observatory: Run) -> Path:
    """A lake that has read the first lines of each log, and more of them in a second run."""
    folder.mkdir()
    file = with_settings(folder, str(folder / "lake"))
    for count in (80, SOME):
        write_logs(folder, count)
        assert observatory("run", "--config", file).code == 0
    return file


def write_logs(folder: Path, count: int) -> None:
    for name, log in LOGS.items():
        lines = log.read_bytes().splitlines(keepends=True)
        (folder / name).write_bytes(b"".join(lines[:count]))


def look(observatory: Run, file: Path) -> tuple[object, ...]:
    """Return the output of status, the rules and the tables of a lake."""
    told = observatory("status", "--json", "--config", file)
    assert told.code in (0, 3), told
    held = observatory("validate", "--config", file)
    assert held.code == 0, held
    rows = json.loads(told.out)
    assert sum(row["landed"] for row in rows) > 0 == sum(row["waiting"] for row in rows)
    return rows, rows_of_lake(Lake(root_of(file)))


def root_of(file: Path) -> str:
    (line,) = (each for each in file.read_text().splitlines() if each.startswith("root = "))
    return line.split('"')[1]


def use_moved(observatory: Run, seen: tuple[object, ...], after: Path, folder: Path) -> dict[str, list[str]]:
    """Nothing is new in a lake that was moved; the rows once the logs have grown.

    Args:
        seen: of the lake before.
        folder: of its logs.
    """
    assert look(observatory, after) == seen
    told = observatory("run", "--config", after)
    assert (told.code, "0 new pieces" in told.err) == (0, True), told
    assert look(observatory, after)[1] == seen[1]
    write_logs(folder, MORE)
    assert observatory("run", "--config", after).code == 0
    grown = rows_of_lake(Lake(root_of(after)))
    # All that was landed can be read again there.
    assert observatory("renew", "--anew", "--yes", "--config", after).code == 0
    assert observatory("run", "--config", after).code == 0
    volume = "gold.spam_volume_daily"
    assert rows_of_lake(Lake(root_of(after)))[volume] == grown[volume]
    return grown


@pytest.mark.long
def test_in_another_folder(tmp_path: Path, observatory: Run) -> None:
    before = make_lake(tmp_path / "one", observatory)
    seen = look(observatory, before)
    moved, old = tmp_path / "two", tmp_path / "one" / "lake"
    shutil.copytree(old, moved)
    # Whoever looks for a piece where it was finds none.
    old.rename(tmp_path / "hidden")
    after = tmp_path / "one" / "moved.toml"
    after.write_text(before.read_text().replace(str(old), str(moved)))
    grown = use_moved(observatory, seen, after, before.parent)
    (tmp_path / "hidden").rename(old)
    assert observatory("run", "--config", before).code == 0
    assert rows_of_lake(Lake(str(old))) == grown


@pytest.mark.remote
def test_in_a_bucket_and_back(tmp_path: Path, observatory: Run, store: S3) -> None:
    before = make_lake(tmp_path / "one", observatory)
    seen = look(observatory, before)
    old, back = tmp_path / "one" / "lake", tmp_path / "three"
    store.files().put(str(old), BUCKET, recursive=True)
    old.rename(tmp_path / "hidden")
    after = tmp_path / "one" / "in_a_bucket.toml"
    after.write_text(before.read_text().replace(str(old), BUCKET))
    grown = use_moved(observatory, seen, after, before.parent)
    (tmp_path / "hidden").rename(old)
    assert observatory("run", "--config", before).code == 0
    assert rows_of_lake(Lake(str(old))) == grown
    seen = look(observatory, after)
    store.files().get(BUCKET, str(back), recursive=True)
    after.write_text(after.read_text().replace(BUCKET, str(back)))
    assert look(observatory, after) == seen
