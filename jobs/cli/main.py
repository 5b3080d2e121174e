"""The command line, `observatory`.

Exit codes: 0 done, 1 a validation held something back, 2 wrong input or settings, 3 a source is stale or
figures are doubtful (`status`), 4 the program or its engine crashed, 5 try again: another command writes to
the lake, a source is away, or the disk is full.
"""

import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from jobs.base.core.disk import DiskFull, is_full
from jobs.base.core.errors import ObservatoryError
from jobs.base.places.store_errors import find_store_error
from jobs.cli import cost
from jobs.cli.console import err
from jobs.cli.demo import demo
from jobs.cli.interrupt import INTERRUPTED, Interrupted, catch_interrupts
from jobs.cli.operators import audit, key
from jobs.cli.operators.erase import erase
from jobs.cli.operators.explain import explain
from jobs.cli.operators.init import init
from jobs.cli.operators.pipeline import pull, run
from jobs.cli.operators.quarantine import quarantine
from jobs.cli.operators.receipts import receipts
from jobs.cli.operators.reconcile import reconcile
from jobs.cli.operators.renew import renew
from jobs.cli.operators.report import report
from jobs.cli.operators.sniff import sniff
from jobs.cli.operators.status import status
from jobs.cli.operators.submission import submit
from jobs.cli.operators.vacuum import vacuum
from jobs.cli.study import questionnaire, release, study
from jobs.cli.tables import show, tables
from jobs.cli.validate import validate

# Polars, the lake and the runner take seconds to import: a command imports what it needs when it runs.

# The commands by step, in the order of --help: a function, or the module of a group of commands.
STEPS: dict[str, tuple[Callable[..., None] | ModuleType, ...]] = {
    "First steps": (sniff, init, report, demo),
    "Daily work": (pull, run, validate, status, quarantine, vacuum, renew, erase, key),
    "Look closer": (show, tables, explain, reconcile, cost),
    "Study": (submit, receipts, audit, questionnaire, study, release),
}


class BySteps(TyperGroup):
    """The command line, whose help lists commands by step."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [command_name(each) for commands in STEPS.values() for each in commands]


def command_name(command: Callable[..., None] | ModuleType) -> str:
    return command.__name__.rpartition(".")[2]


app = typer.Typer(
    cls=BySteps,
    help="Measure spam: volume, types, routes, sources, and what countering it costs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for step, listed in STEPS.items():
    for each in listed:
        if isinstance(each, ModuleType):
            app.add_typer(each.app, name=command_name(each), rich_help_panel=step)
        else:
            app.command(rich_help_panel=step)(each)
# Exit codes; the second is the shell's own of a program that SIGPIPE ended.
CRASHED, CLOSED_PIPE = 4, 141
# So many characters of a crash's message are printed.
MESSAGE = 300


def main() -> None:
    """Run the command line. An ObservatoryError becomes a message and an exit code."""
    # The program shares the cores out itself: threads of numpy beside its own cost processor time.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        # However it was started: `python -m jobs` is what an image runs.
        app(prog_name="observatory")
    except SystemExit as end:
        # Typer ends with 1 when nobody reads its output any more, as in `show | head`.
        sys.exit(CLOSED_PIPE if end.code == 1 else end.code)
    except ObservatoryError as error:
        exit_with_error(error)
    except Exception as error:
        if is_full(error):
            exit_with_error(DiskFull("a table or file of the lake"))
        if found := find_store_error(error):
            exit_with_error(found)
        raise


def exit_with_error(error: ObservatoryError) -> NoReturn:
    """Print the error and exit; control characters of file names and log lines are made visible."""
    say_error(str(error))
    sys.exit(error.exit_code)


def say_error(text: str) -> None:
    from rich.markup import escape

    from jobs.base.core.patterns import escape_unseen

    err.print(f"[bold red]Error:[/] {escape(chr(10).join(map(escape_unseen, text.splitlines())))}")


def command() -> None:
    """The program `observatory`: main() with exit code 4 and a short message for a crash, 130 for Ctrl-C."""
    catch_interrupts()
    try:
        main()
    except SystemExit:
        raise
    except (Interrupted, KeyboardInterrupt) as stop:
        err.print(str(stop) or "Stopped.", highlight=False)
        sys.exit(INTERRUPTED)
    # A panic of Polars is no Exception.
    except BaseException as error:
        exit_with_crash(error)


def exit_with_crash(error: BaseException) -> NoReturn:
    """Write the traceback to a file that its owner alone can read, print a message, and exit."""
    what = ": ".join([type(error).__name__, *summarise_error(str(error))])
    trace = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="observatory-crash-", suffix=".txt", encoding="utf-8", delete=False
        ) as file:
            file.write(trace)
        where = f"The traceback is in {file.name}."
    except OSError:
        where = f"The traceback could not be written to a file:\n{trace}"
    text = (
        f"the program crashed: {what}\n{where}\n"
        "The tables hold what finished stages wrote. Run the same command again; report a crash that repeats."
    )
    try:
        say_error(text)
    except Exception:
        # Whatever is broken may be needed for the message, too.
        sys.stderr.write(f"Error: {text}\n")
    sys.exit(CRASHED)


def summarise_error(text: str) -> list[str]:
    """The first line of an error's text; after a heading such as `regex parse error:`, also the last line of
    the paragraph, which has the reason. Empty for an empty text."""
    lines = text.strip().partition("\n\n")[0].splitlines()
    is_announced = len(lines) > 1 and lines[0].endswith(":")
    said = f"{lines[0]} {lines[-1].strip()}" if is_announced else "".join(lines[:1])
    return [said[:MESSAGE]] if said else []
