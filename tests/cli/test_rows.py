"""Rows on a terminal: what a log says drives none."""

import polars as pl
import pytest
from rich.console import Console

from jobs.cli.rows import print_table
from tests.base.core.test_patterns import EVIL


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


FRAME = pl.DataFrame(
    {
        "period_code": ["2026-Q4"] * 2,
        "area_name": ["Least developed countries: 5 of 44", "Egypt"],
        "channel_code": ["E-mail", "SMS"],
        "estimate": [432_000_000_000.0, 15_800_000_000.0],
        "estimate_low": [400_000_000_000.0, 14_000_000_000.0],
    }
)


@pytest.mark.parametrize(
    ("needed", "left"),
    [
        # Columns that a person chose: the first ones stay.
        ([], "estimate, estimate_low"),
        # Of others the figure and what tells rows apart, in several lines if need be.
        (["estimate", "period_code", "area_name", "channel_code"], "estimate_low"),
    ],
)
def test_a_narrow_terminal_leaves_out_the_last_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, needed: list[str], left: str
) -> None:
    monkeypatch.setenv("COLUMNS", "56")
    frame = FRAME if needed else FRAME.with_columns(period_code=pl.Series(["2026-Q3", "2026-Q4"]))
    print_table(frame, "spam_volume", Console(width=56, color_system=None), 2, needed)
    shown = capsys.readouterr().out
    assert f"Left out: {left}\n" in shown
    # Also of columns that --columns has chosen: then other ways help.
    assert "a wider terminal and --format csv have all" in " ".join(shown.split())
    assert max(map(len, shown.splitlines())) <= 56
    assert ("432,000,000,000" in shown) == bool(needed)
    assert "Egypt" in shown and "SMS" in shown
