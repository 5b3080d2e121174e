"""`observatory submit --dry-run`: all that would leave is shown, and nothing is changed."""

import csv
import io
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from jobs.cli.operators.submission_rows import write_package_files
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.packages.packaging import package_of
from tests.support.in_process import Run, command_line_of
from tests.support.submission_lake import NORTH, put_gold

OPERATOR = f'[lake]\nroot = "lake"\n{NORTH}subscribers = 1000\n'
# Columns that a heading names in words, once for all rows below it.
IN_HEADING = ("period_code", "channel_code", "direction_code", "unit_code")
HEADINGS = {"October 2026, e-mail, inbound, recipient", "November 2026, e-mail, internal, recipient",
            "November 2026, e-mail, outbound, recipient"}  # fmt: skip


@pytest.fixture
def observatory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return command_line_of(monkeypatch, capsys, width=80)


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    put_gold(tmp_path / "lake", "north-mail")
    (tmp_path / "observatory.toml").write_text(OPERATOR)
    return tmp_path / "observatory.toml"


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def words_of(line: str) -> tuple[str, ...]:
    return tuple(line.split())


@pytest.mark.long
def test_every_row_that_would_leave_is_shown_and_nothing_is_written(
    observatory: Run, settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # No program is there that could sign or send.
    monkeypatch.setenv("PATH", "")
    before = files_in(tmp_path)
    told = observatory("submit", "--config", settings, "--period", "2026-Q4", "--dry-run", "--sign", "nobody")
    assert (told.code, files_in(tmp_path)) == (0, before), told
    lines = told.out.splitlines()
    assert max(map(len, lines)) <= 80
    said = " ".join(told.out.split())
    assert (
        "November 2026, e-mail, inbound, recipient: withheld, for it has fewer than 5 units." in said
        and "December 2026: nothing leaves" in said
        and "Of gold's 5 cells 4 leave; 1 held too few units of a kind" in said
        and "Nothing was signed or sent" in said
    ), told.out

    made = package_of(load_with_options(settings), load_with_options(settings).operator[0], "2026-Q4", None)
    files = {name: data.decode() for name, data in made.files.items()}
    shown = Counter(map(words_of, lines))
    for name, text in files.items():
        if not name.endswith(".csv"):
            continue
        rows = Counter(
            tuple(cell for column, cell in row.items() if column not in IN_HEADING)
            for row in csv.DictReader(io.StringIO(text))
        )
        assert rows <= shown, name
        shown -= rows
    assert set(lines) >= HEADINGS


@pytest.mark.long
def test_the_very_files_of_the_package_are_written_where_asked(
    observatory: Run, settings: Path, tmp_path: Path
) -> None:
    known = load_with_options(settings)
    made = package_of(known, known.operator[0], "2026-Q4", None)
    with zipfile.ZipFile(io.BytesIO(made.data)) as archive:
        leaves = {name: archive.read(name) for name in archive.namelist()}
    folder = write_package_files(made, tmp_path / "look")
    assert folder == tmp_path / "look" / "north-mail_2026-Q4"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == leaves
    words = ["submit", "--config", settings, "--period", "2026-Q4", "--dry-run"]
    assert observatory(*words, "--output", tmp_path / "again").code == 0
    again = tmp_path / "again" / folder.name
    assert {path.name: path.read_bytes() for path in again.iterdir()} == leaves
