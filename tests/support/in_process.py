"""The command line run in the tests' own process, without another Python's start."""

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import click
import pytest
import typer.main

from jobs.base.core import key_names
from jobs.cli import main as command_line
from jobs.operators.protect.pseudonym_keys import operator_key


class Told(NamedTuple):
    """The exit code of a command, and what it printed."""

    code: int
    out: str
    err: str


Run = Callable[..., Told]


@cache
def whole_command() -> click.Command:
    """All commands with their parameters, which a process makes of their functions once."""
    return typer.main.get_command(command_line.app)


def command_line_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int = 80
) -> Run:
    """`observatory` with some words, on a terminal of so many columns."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(command_line, "app", whole_command())

    def run(*arguments: object) -> Told:
        monkeypatch.setattr(sys, "argv", ["python -m jobs", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            command_line.main()
        except SystemExit as leave:
            code = int(leave.code or 0)
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
