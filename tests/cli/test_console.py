"""Tables on a narrow terminal, where no word is broken, and the consoles that print them; steps in a pipe."""

import io
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from jobs.cli import console as consoles
from jobs.cli.console import FittingConsole, least_width, show_steps, whole_width
from tests.conftest import ROOT
from tests.support.examples import examples
from tests.support.in_process import cut_table

WORDS = st.text("abcdefghij-_.,0123456789", min_size=1, max_size=30)
CELLS = st.lists(WORDS, max_size=3).map(" ".join)


def rendered(drawn: Any, width: int, kind: type[Console] = FittingConsole) -> str:
    console = kind(file=io.StringIO(), width=width, soft_wrap=False)
    console.print(drawn)
    return console.file.getvalue()  # type: ignore[attr-defined]


@st.composite
def tables(draw: Any) -> tuple[Table, list[str]]:
    """A table of any form, and all its words but headings of empty columns."""
    count, kind = draw(st.integers(1, 9)), draw(st.sampled_from(["boxed", "bare", "padded"]))
    options: dict[str, Any] = {
        "boxed": {},
        "bare": {"box": None, "padding": (0, 2, 0, 0), "pad_edge": False},
        "padded": {"box": None},
    }[kind]
    table = Table(title=draw(CELLS) or None, **options)
    heads = draw(st.lists(WORDS, min_size=count, max_size=count))
    for head in heads:
        table.add_column(head, no_wrap=draw(st.booleans()), justify=draw(st.sampled_from(["left", "right"])))
    rows = draw(st.lists(st.lists(CELLS, min_size=count, max_size=count), min_size=1, max_size=4))
    for row in rows:
        table.add_row(*row)
    # A list has no line for an empty cell.
    named = [head for head, *cells in zip(heads, *rows, strict=True) if any(cells)]
    return table, [word for row in [named, *rows] for cell in row for word in cell.split()]


@examples(150)
@given(found=tables(), width=st.sampled_from([80, 100, 120]), is_padded=st.booleans())
def test_no_word_of_a_table_is_broken(found: tuple[Table, list[str]], width: int, is_padded: bool) -> None:
    table, words = found
    text = rendered(Padding(table, (0, 0, 0, 2)) if is_padded else table, width)
    assert max(map(len, text.splitlines())) <= width
    for word in words:
        assert word in text
    if whole_width(table) <= width - 2 * is_padded:
        # What fits is drawn as ever.
        same = Padding(table, (0, 0, 0, 2)) if is_padded else table
        assert text == rendered(same, width, Console)


def test_a_row_of_long_names_is_a_list() -> None:
    table = Table("operator", "stratum", *(f"column{n}" for n in range(7)), title="Audit", caption="Signs.")
    table.add_row("national-telecommunications-company", "flagged by rspamd", *"1234567")
    text = rendered(table, 80)
    assert "national-telecommunications-company" in text and "n\n" not in rendered(Table("a"), 80)
    assert text.splitlines()[0] == "Audit" and text.splitlines()[-1] == "Signs."
    assert "national-telecommunications-company" not in rendered(table, 80, Console)


def test_a_table_that_nearly_fits_loses_its_padding_first() -> None:
    table = Table("area", "", *(f"column{n}" for n in range(8)))
    table.add_row("world", "N", *"12345678")
    assert least_width(table) > 80
    lines = rendered(table, 80).splitlines()
    assert len(lines) == 3 and "world│N│" in lines[2]


def test_a_list_has_no_empty_line_and_no_cell_without_a_name() -> None:
    table = Table("area", "", "what", "open", *(f"column{n}" for n in range(9)))
    table.add_row("world", "N", "", Text(""), *"123456789")
    lines = [line.split() for line in rendered(table, 80).splitlines()]
    assert lines[:2] == [["area", "world", "N"], ["column0", "1"]] and len(lines) == 10


def test_a_table_that_80_columns_cut_is_found() -> None:
    """The check of every table that a test's command line prints."""
    inner = Table.grid()
    inner.add_row(Text("long " * 30, no_wrap=True))
    outer = Table("figure", "bar")
    outer.add_row("spam", inner)
    assert cut_table(Group(Text("Head"), Padding(outer, (0, 0, 0, 2)))) != ""
    outer = Table("figure", "bar")
    outer.add_row("spam " * 30, "long-" * 30)
    assert cut_table(outer) == "" and cut_table(Text("long " * 30, no_wrap=True)) == ""


def test_one_module_makes_the_consoles_that_tables_are_printed_to() -> None:
    """fit_tables() looks into groups and paddings alone, and rows in a pipe are as wide as they are."""
    texts = {
        file.relative_to(ROOT).as_posix(): file.read_text("utf-8") for file in (ROOT / "jobs").rglob("*.py")
    }
    makers = {name for name, text in texts.items() if "Console(" in text}
    assert makers == {"jobs/cli/console.py", "jobs/cli/rows.py"}
    imported = {name for text in texts.values() for name in re.findall(r"(?:from|import) rich\.(\w+)", text)}
    assert imported.isdisjoint({"align", "columns", "layout", "panel", "tree"})


def test_in_a_pipe_each_step_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A release takes minutes: who reads a log sees where it is."""
    piped = FittingConsole(file=io.StringIO(), force_terminal=False)
    monkeypatch.setattr(consoles, "err", piped)
    with show_steps("release") as show_step:
        show_step("release: protecting and attacking")
    assert piped.file.getvalue() == "release: protecting and attacking\n"  # type: ignore[attr-defined]
