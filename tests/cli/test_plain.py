"""What a log says is shown, and obeyed by nothing: no terminal, no spreadsheet."""

import csv
import io
import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from jobs.cli import main as command_line
from jobs.cli.rows import print_table
from jobs.core.patterns import UNSEEN
from jobs.core.safe_text import to_safe_csv, to_safe_json

EVIL = "\x1b]0;owned\x07\x1b[31m[bold]red[/bold]\u202e\x9b"


def cells(frame: pl.DataFrame) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_safe_csv(frame))))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+35799000001", "'+35799000001"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\\x09=1"),
        ("\r=1", "'\\x0d=1"),
        ("\uff1d1", "'\uff1d1"),
        ("a=1", "a=1"),
        ('say "=1"; no', 'say "=1"; no'),
        (EVIL, "\\x1b]0;owned\\x07\\x1b[31m[bold]red[/bold]\\u202e\\x9b"),
        (None, ""),
    ],
)
def test_a_field_of_a_csv_file(text: str | None, written: str) -> None:
    frame = pl.DataFrame({"text": [text], "units": [-7]}, schema={"text": pl.String, "units": pl.Int64})
    assert cells(frame) == [{"text": written, "units": "-7"}]


@given(st.lists(st.one_of(st.none(), st.text()), max_size=5))
def test_any_text(texts: list[str | None]) -> None:
    """No field of CSV is a formula or drives a terminal; JSON gives every text back as it was."""
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    for row in cells(frame.with_columns(more=pl.lit("x"))):
        assert not row["text"].startswith(("=", "+", "-", "@"))
        assert not UNSEEN.search(row["text"])
    written = to_safe_json(frame)
    lines = written.split("\n")[:-1]
    assert not any(UNSEEN.search(line) for line in lines)
    assert [json.loads(line)["text"] for line in lines] == texts


def test_a_table_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """The signs that would drive it are shown, and markup is text."""
    # In pieces: what is longer than a cell is cut.
    pieces = ["\x1b]0;owned\x07", "\x1b[31m[bold]red[/bold]", "\u202e\x9b"]
    assert "".join(pieces) == EVIL
    frame = pl.DataFrame({"line_text": pieces, "units": [1234] * len(pieces)})
    print_table(
        frame, "bronze.quarantine", Console(width=120, force_terminal=True, color_system=None), len(pieces)
    )
    shown = capsys.readouterr().out
    for piece in ("\\x1b]0;owned\\x07", "\\x1b[31m[bold]red[/bold]", "\\u202e\\x9b"):
        assert piece in shown
    assert "1,234" in shown
    assert "owned\x07" not in shown and "\u202e" not in shown and "\x1b[31m" not in shown


def test_a_files_name_in_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from jobs.core.errors import ObservatoryError

    def fail() -> None:
        raise ObservatoryError(f"mail{EVIL}.log cannot be read\nand another")

    monkeypatch.setattr(command_line, "app", fail)
    with pytest.raises(SystemExit):
        command_line.main()
    told = capsys.readouterr().err
    assert "\x1b" not in told and "\\x1b" in told and "[bold]red" in told
    assert told.splitlines()[-1] == "and another"
