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
