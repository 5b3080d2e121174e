"""The command line run in the tests' own process, without another Python's start. Whatever the width, each
table that it prints is drawn for a terminal of 80 columns, too, which must have all of it."""

import io
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest
import typer.main
from rich.cells import cell_len
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table

from jobs.base.core import key_names
from jobs.cli import main as command_line
from jobs.cli.console import FittingConsole, fit_tables
from jobs.operators.protect.pseudonym_keys import operator_key


class Told(NamedTuple):
    """The exit code of a command, and what it printed."""

    code: int
    out: str
    err: str


Run = Callable[..., Told]
# A test may make several command lines, each with a check of its own.
PRINT = FittingConsole.print


@cache
def whole_command() -> click.Command:
    """All commands with their parameters, which a process makes of their functions once."""
    return typer.main.get_command(command_line.app)


def has_table(drawn: Any) -> bool:
    if isinstance(drawn, Group):
        return any(map(has_table, drawn.renderables))
    return has_table(drawn.renderable) if isinstance(drawn, Padding) else isinstance(drawn, Table)


def cut_table(drawn: Any) -> str:
    """Return a table as a terminal of 80 columns has it, if it is wider or a cell is cut that a wide terminal
    has whole; else nothing."""
    narrow = draw_whole(drawn, 80) if has_table(drawn) else ""
    fits = all(cell_len(line) <= 80 for line in narrow.splitlines())
    has_cut = "…" in narrow and narrow.count("…") > draw_whole(drawn, 400).count("…")
    return "" if fits and not has_cut else narrow


def draw_whole(drawn: Any, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as printed:
        console.print(fit_tables(drawn, width), crop=False)
    return printed.get()


def command_line_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int = 80
) -> Run:
    """`observatory` with some words, on a terminal of so many columns."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(command_line, "app", whole_command())
    cut: list[str] = []

    def print_and_check(console: FittingConsole, *objects: Any, **options: Any) -> None:
        cut.extend(text for each in objects if (text := cut_table(each)))
        PRINT(console, *objects, **options)

    monkeypatch.setattr(FittingConsole, "print", print_and_check)

    def run(*arguments: object) -> Told:
        monkeypatch.setattr(sys, "argv", ["python -m jobs", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            command_line.main()
        except SystemExit as leave:
            code = int(leave.code or 0)
        assert cut == []
        return Told(code, *capsys.readouterr())

    return run


def with_keys_of_files(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`observatory` that takes the keys of pseudonyms from files alone, anew for each command."""
    call = command_line_of(monkeypatch, capsys, width=200)

    def run(*arguments: object) -> Told:
        monkeypatch.delenv(key_names.KEY, raising=False)
        operator_key.cache_clear()
        try:
            return call(*arguments)
        finally:
            operator_key.cache_clear()

    return run


def cost_command(
    settings: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    without_settings: tuple[str, ...] = (),
) -> Run:
    """`observatory cost` with these settings; first words that go without them may be named."""

    def run(*arguments: str, width: int = 120) -> Told:
        own = [] if arguments[0] in without_settings else ["--config", str(settings)]
        return command_line_of(monkeypatch, capsys, width)("cost", *arguments, *own)

    return run
