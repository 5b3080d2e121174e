"""The command line: what it prints, what it says of mistakes, and its exit codes."""

import datetime as dt
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import ModuleType

import pytest

from jobs.base.core.errors import ValidationHeld
from jobs.cli import main as command_line
from jobs.cli.main import app
from jobs.cli.operators import pipeline
from tests.base.core.test_patterns import EVIL
from tests.cli.conftest import SETTINGS, Observatory
from tests.conftest import ROOT

LISTED = [each for listed in command_line.STEPS.values() for each in listed]
COMMANDS = [command_line.command_name(each) for each in LISTED]
GROUPS = [command_line.command_name(each) for each in LISTED if isinstance(each, ModuleType)]
# Packages whose import takes a good part of a second, or more.
SLOW = ["great_expectations", "scipy", "altair", "pandas", "pyspark", "jobs.operators.formats.registry"]


# --- without a lake -------------------------------------------------------------------------------------


def test_help_names_every_command(observatory: Observatory) -> None:
    told = observatory("--help")
    assert told.code == 0
    assert all(f" {name} " in told.out for name in COMMANDS)
    plain = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert set(COMMANDS) == plain | {group.name for group in app.registered_groups}


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(observatory: Observatory, command: str) -> None:
    told = observatory(command, "--help")
    assert told.code == 0
    assert told.err == ""
    assert f"Usage: observatory {command} " in told.out
    assert ("--config" in told.out) == (command not in (*GROUPS, "tables", "sniff", "init", "reconcile"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["show", "gold.spam_volume"],
            "unknown table 'gold.spam_volume'; did you mean 'gold.spam_volume_daily'?",
        ),
        (["audit", "sample", "--month", "2026-11", "--score-cuts", "4,0"], "--score-cuts: '4,0' must rise"),
        (["audit", "sample", "--month", "2026-11", "--score-cuts", "a"], "must be numbers joined by commas"),
        (["show", "silver.mesage"], "unknown table 'silver.mesage'; did you mean 'silver.message'?"),
        (["show", "gold.spam_type_daily", "--format", "parquet"], "parquet needs a file: add --output FILE"),
        (
            ["show", "gold.spam_type_daily", "--config", "/nowhere.toml"],
            "/nowhere.toml: no such settings file",
        ),
        (["pull", "--config", "/nowhere.toml"], "Name one with --config"),
        (["status", "--config", "/nowhere.toml"], "Name one with --config"),
        (["shwo"], "No such command 'shwo'"),
        (
            ["show", "--sql", "SELECT 1", "--where", "units > 1"],
            "--sql goes without a table, --columns",
        ),
        (["show", "gold.spam_type_daily", "--format", "xml"], "'xml' is not one of"),
        (["show", "gold.spam_type_daily", "--limit", "0"], "--limit"),
        (["run", "--since", "yesterday"], "'yesterday' does not match"),
        (
            ["run", "--since", "2026-11-24", "--until", "2026-11-23"],
            "--since 2026-11-24 is after --until 2026-11-23",
        ),
        (["run", "--stage", "brass"], "'brass' is not one of"),
    ],
)
def test_a_mistake_is_a_message_and_exit_code_2(
    observatory: Observatory, arguments: list[str], told: str
) -> None:
    found = observatory(*arguments)
    assert found.code == 2
    assert told in found.err
    assert "Traceback" not in found.err
    assert found.out == ""


def test_an_unknown_operator_and_a_wrong_setting(
    observatory: Observatory, study: Path, tmp_path: Path
) -> None:
    found = observatory("pull", "--config", study, "--operator", "b")
    assert (found.code, found.out) == (2, "")
    assert "unknown operator 'b'" in found.err
    wrong = tmp_path / "observatory.toml"
    wrong.write_text(SETTINGS.replace("url", "ulr"), encoding="utf-8")
    found = observatory("pull", "--config", wrong)
    assert found.code == 2
    assert "unknown setting 'ulr'; did you mean 'url'?" in found.err.replace("\n", " ")


def test_without_a_key_nothing_starts(
    observatory: Observatory, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OBSERVATORY_PSEUDONYM_KEY")
    monkeypatch.delenv("OBSERVATORY_PSEUDONYM_KEY_FILE", raising=False)

    def fail(*arguments: object) -> None:
        raise AssertionError("work began without a key")

    monkeypatch.setattr("jobs.base.store.lake.open_lake", fail)
    monkeypatch.setattr(pipeline, "pull_all", fail)
    found = observatory("run", "--config", study)
    assert found.code == 2
    assert "OBSERVATORY_PSEUDONYM_KEY" in found.err


@pytest.mark.parametrize("key", ["a" * 32, "ab" * 40, "\0" * 64])
def test_a_key_that_can_be_guessed_is_refused(
    observatory: Observatory, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.delenv("OBSERVATORY_PSEUDONYM_KEY")
    (tmp_path / "key").write_text(key)
    (tmp_path / "key").chmod(0o600)
    monkeypatch.setenv("OBSERVATORY_PSEUDONYM_KEY_FILE", str(tmp_path / "key"))
    found = observatory("run", "--config", study)
    assert found.code == 2
    assert "can be guessed" in found.err and "openssl rand -hex 32" in found.err


def test_a_source_that_is_missing_ends_with_exit_code_2(
    observatory: Observatory, study: Path, tmp_path: Path
) -> None:
    settings = tmp_path / "observatory.toml"
    settings.write_text(SETTINGS, encoding="utf-8")
    found = observatory("pull", "--config", settings)
    assert found.code == 2
    assert "mail.log" in found.err
    (tmp_path / "mail.log").write_text("", encoding="utf-8")
    (tmp_path / "mail.log").write_bytes(
        b"2026-11-24T10:00:00+00:00 mx1 postfix/qmgr[7]: 4jYlH071Srz1fPlf: removed\n"
    )
    found = observatory("pull", "--config", settings)
    assert (found.code, found.out) == (0, "")
    assert "pull: 1 new piece, " in found.err
    assert "pull: 0 new pieces, " in observatory("pull", "--config", settings).err


def test_a_validation_that_holds_ends_with_exit_code_1(
    observatory: Observatory, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "gold.spam_type_daily: rule units_given is broken on 2 rows; [the] table stays as it was."

    def hold(*arguments: object) -> None:
        raise ValidationHeld(text)

    monkeypatch.setattr(pipeline, "run_with_progress", hold)
    found = observatory("run", "--config", study, "--stage", "gold")
    assert found.code == 1
    assert text in found.err


def test_a_scheduler_learns_that_no_table_has_changed(
    observatory: Observatory, study: Path, tmp_path: Path
) -> None:
    settings, log = tmp_path / "observatory.toml", tmp_path / "mail.log"
    settings.write_text(SETTINGS, encoding="utf-8")
    line = b"2026-11-24T10:00:0%d+00:00 mx1 postfix/qmgr[7]: 4jYlH071Srz1fPlf: removed\n"

    def run(since: dt.datetime) -> int:
        observatory("pull", "--config", settings)
        moment = f"{since:%Y-%m-%dT%H:%M:%S.%fZ}"
        told = observatory("run", "--config", settings, "--stage", "bronze", "--changed-since", moment)
        return told.code

    start = dt.datetime.now(dt.UTC)
    log.write_bytes(line % 0)
    assert run(start) == 0
    first = dt.datetime.now(dt.UTC)
    # What is the same since the first run is still new to whoever looked before it.
    assert (run(first), run(start)) == (99, 0)
    log.write_bytes(line % 0 + line % 1)
    assert (run(first), run(first), run(dt.datetime.now(dt.UTC))) == (0, 0, 99)


def test_commands_on_a_lake_that_nothing_was_written_to(observatory: Observatory, tmp_path: Path) -> None:
    settings = tmp_path / "observatory.toml"
    settings.write_text(SETTINGS, encoding="utf-8")
    for command in (["status"], ["quarantine"], ["show", "silver.message"], ["show", "meta.run"]):
        told = observatory(*command, "--config", settings)
        assert (told.code, told.err) == (0, ""), command


def test_help_lists_commands_by_step(observatory: Observatory) -> None:
    told = observatory("--help")
    titles = ["First steps", "Daily work", "Look closer", "Study"]
    names = ["sniff", "init", "report", "pull", "run", "status", "show", "cost", "submit", "study"]
    places = [re.search(rf"─ {title} ─|│ {title} ", told.out) for title in (*titles, *names)]
    starts = [each.start() if each else -1 for each in places]
    assert -1 not in starts
    assert starts[:4] == sorted(starts[:4]) and starts[4:] == sorted(starts[4:])


def test_settings_for_the_demo_lie_in_the_clone() -> None:
    assert (ROOT / "sample_data" / "observatory.toml").is_file()


# --- crashes --------------------------------------------------------------------------------------------


class Panic(BaseException):
    """An error like Polars' PanicException, which is no Exception."""


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ZeroDivisionError("division by\x1b[31m zero\nmore"), "ZeroDivisionError: division by\\x1b[31m zero"),
        (BrokenProcessPool("a worker was killed"), "BrokenProcessPool: a worker was killed"),
        (MemoryError(), "the program crashed: MemoryError"),
        (Panic("index out of bounds"), "Panic: index out of bounds"),
        (
            ValueError("regex parse error:\n    (foo\n    ^\nerror: unclosed group\n\nmore:\n\tone more"),
            "ValueError: regex parse error: error: unclosed group",
        ),
    ],
)
def test_a_crash_is_a_short_message_and_exit_code_4(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    error: BaseException,
    told: str,
) -> None:
    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(pipeline, "pull_all", fail)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(
        sys, "argv", ["observatory", "pull", "--config", str(ROOT / "sample_data" / "observatory.toml")]
    )
    with pytest.raises(SystemExit) as end:
        command_line.command()
    found = capsys.readouterr()
    assert (end.value.code, found.out) == (4, "")
    said = " ".join(found.err.split("\n"))
    assert told in said and "Traceback (most" not in said and "more" not in said
    (file,) = tmp_path.iterdir()
    assert str(file) in found.err.replace("\n", "")
    assert "Traceback (most" in file.read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o077 == 0


def test_a_crash_without_a_place_for_its_traceback_shows_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(SystemExit) as end:
        command_line.exit_with_crash(KeyError("x"))
    found = capsys.readouterr().err
    assert end.value.code == 4
    assert "could not be written to a file" in found and "KeyError: 'x'" in found


@pytest.mark.long
def test_a_reader_that_stops_is_no_held_validation(observatory: Observatory, study: Path) -> None:
    """A reader stops in `observatory show ... | head`."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "jobs", "show", "ref.measure", "--format", "csv", "--config", str(study)]
    closed = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    os.close(writer)
    assert closed.returncode == 141
    assert "Traceback" not in closed.stderr


# --- what a command imports -----------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize(
    "arguments",
    [
        ["tables"],
        ["show", "gold.spam_volume_daily"],
        ["show", "gold.spam_volume_daily", "--format", "csv"],
        ["status"],
        ["quarantine"],
    ],
)
def test_commands_that_read_import_nothing_that_takes_seconds(arguments: list[str], study: Path) -> None:
    own = ["--config", str(study)] if arguments[0] != "tables" else []
    # What a vacuum would remove depends on the lives of formats' messages: a tenth of a second.
    slow = [name for name in SLOW if (arguments[0], name) != ("status", "jobs.operators.formats.registry")]
    code = (
        "import sys; from jobs.cli.main import main; sys.argv = ['observatory', *sys.argv[1:]]\n"
        "try: main()\nexcept SystemExit as end: assert not end.code, end.code\n"
        f"sys.exit(', '.join(name for name in {slow} if name in sys.modules) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments, *own], capture_output=True, text=True, cwd=ROOT
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.long
def test_the_program_starts_without_what_only_commands_need() -> None:
    """Each command pays for what the program imports before it knows which command it is."""
    heavy = ["polars", "pyarrow", "deltalake", "fsspec", "s3fs", "numpy"]
    code = f"import sys, jobs.cli.main; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.long
def test_numpy_has_one_thread_beside_those_of_the_program() -> None:
    """Set before anything imports it: afterwards it would be too late."""
    code = (
        "import os, sys; from jobs.cli.main import main\n"
        "assert 'numpy' not in sys.modules; sys.argv = ['observatory', '--help']\n"
        "try: main()\nexcept SystemExit: print('threads', os.environ.get('OPENBLAS_NUM_THREADS'))"
    )
    own = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=own)
    assert done.stdout.rstrip().endswith("threads 1"), done.stderr


def test_a_files_name_in_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from jobs.base.core.errors import ObservatoryError

    def fail(prog_name: str) -> None:
        raise ObservatoryError(f"mail{EVIL}.log cannot be read\nand another")

    monkeypatch.setattr(command_line, "app", fail)
    with pytest.raises(SystemExit):
        command_line.main()
    told = capsys.readouterr().err
    assert "\x1b" not in told and "\\x1b" in told and "[bold]red" in told
    assert told.splitlines()[-1] == "and another"
