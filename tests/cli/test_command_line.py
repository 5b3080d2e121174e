"""The command line: what it prints, what it says of mistakes, and its exit codes."""

import csv
import datetime as dt
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from jobs.cli import main as command_line
from jobs.cli import pipeline
from jobs.cli.quarantine import how_to_read
from jobs.core import contracts, sketch
from jobs.core.contracts import read_contract, rows_frame
from jobs.core.errors import ValidationHeld
from jobs.engine.lake import Lake
from tests.conftest import ROOT
from tests.support.in_process import Told, command_line_of

LISTED = [each for listed in command_line.STEPS.values() for each in listed]
COMMANDS = [command_line.command_name(each) for each in LISTED]
GROUPS = [command_line.command_name(each) for each in LISTED if isinstance(each, ModuleType)]
# Packages whose import takes a good part of a second, or more.
SLOW = ["great_expectations", "scipy", "altair", "pandas", "pyspark", "jobs.formats.registry"]
SETTINGS = """
[lake]
root = "lake"

[[operator]]
id = "a"
name = "A"
country = "CHE"
holding = "a"
currency = "CHF"

[[operator.source]]
id = "mx1"
url = "mail.log"
format = "postfix"
"""


Observatory = Callable[..., Told]


@pytest.fixture
def observatory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Observatory:
    """Run the command line in this process."""

    return command_line_of(monkeypatch, capsys, width=200)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings of a lake with a few rows in it."""
    folder = tmp_path_factory.mktemp("command_line")
    lasting = SETTINGS.replace("[lake]", "[lake]\nstale_days = 3660")
    (folder / "observatory.toml").write_text(lasting, encoding="utf-8")
    lake = Lake(str(folder / "lake"))

    def append(table: str, *rows: dict[str, Any]) -> None:
        lake.append(rows_frame(list(rows), table), table)

    day = {"operator_id": "a", "period_date": dt.date(2026, 11, 24), "channel_code": "EMAIL"}
    place = {"direction_code": "inbound", "stage_code": "delivery", "outcome_code": "delivered"}
    what = {"definition_code": "OPERATOR", "spam_certain": 0, "spam_possible": 0}
    volume = [
        day | place | what | {"unit_code": unit, "units": units}
        for unit, units in (("recipient", 1234567), ("message", 1000), ("attempt", 7))
    ]
    append("gold.spam_volume_daily", *volume)
    three = pl.select(sketch.to_bytes(pl.lit([1, 2, 3], dtype=sketch.LIST))).item()
    append("gold.bypass_indicator_daily", day | {"bypass_code": "SIMBOX", "flagged_sender_sketch": three})
    file = {"operator_id": "a", "source_id": "mx1", "format_code": "postfix", "file_name": "mail.log"}
    counts = {"line_count": 5000, "record_count": 4000, "ignored_count": 997, "quarantined_count": 3}
    landed = dt.datetime(2026, 11, 25, 6, 30, tzinfo=dt.UTC)
    times = {"last_event_date": dt.date(2026, 11, 24), "landed_at": landed}
    append("bronze.file", file | counts | times | {"stream_id": "s", "piece_id": "s-0"})
    odd = {"operator_id": "a", "source_id": "mx1", "piece_id": "s-0", "format_code": "postfix"}
    lines = [f"weird [red]\x1b[m <{name}@secret.example> {len(name)}" for name in ("ann", "bobby")]
    reasons = ["unknown_shape", "unknown_shape", "truncated"]
    quarantined = [
        odd | {"offset": 100 - number, "reason_code": reason, "line_text": line}
        for number, (reason, line) in enumerate(zip(reasons, [*lines, "cut"], strict=True))
    ]
    append("bronze.quarantine", *quarantined)
    joined = {"operator_id": "a", "source_id": "mx1", "period_date": dt.date(2026, 11, 24)}
    qualities = ["exact"] * 5 + ["by_message_id"] * 1 + ["none"] * 2
    messages = [joined | {"grain_code": "recipient", "join_quality_code": each} for each in qualities]
    for code in ("by_message_id", "by_numbers"):
        messages.append(joined | {"grain_code": "call", "join_quality_code": code})
    # No filter could look at what was refused before.
    append("silver.message", *messages, joined | {"grain_code": "attempt", "join_quality_code": "none"})
    named = ("gold.spam_volume_daily", "silver.message")
    versions = [{"table_name": table, "version": lake.version(table)} for table in named]
    run = {"run_id": "r1", "stage_name": "gold", "ingest_ids": ["i1", "i2"], "table_versions": versions}
    append("meta.run", run)
    # Written after the last finished run: nobody is shown it.
    append("gold.spam_volume_daily", volume[0] | {"outcome_code": "tagged"})
    kept = folder / "lake" / "_validation" / "r1.json"
    kept.parent.mkdir()
    rules = {"first": True, "second": True, "third": False}
    results = [
        {"table": "gold.spam_volume_daily", "rule": rule, "says": "so", "is_held": held, "violations": 0}
        for rule, held in rules.items()
    ]
    kept.write_text(json.dumps({"run_id": "r1", "operators": ["a"], "results": results}), encoding="utf-8")
    return folder / "observatory.toml"


@pytest.fixture
def show(observatory: Observatory, study: Path) -> Observatory:
    return lambda command, *arguments: observatory(command, *arguments, "--config", study)


# --- without a lake -------------------------------------------------------------------------------------


def test_help_names_every_command(observatory: Observatory) -> None:
    told = observatory("--help")
    assert told.code == 0
    assert all(f" {name} " in told.out for name in COMMANDS)
    plain = {command.name or command.callback.__name__ for command in command_line.app.registered_commands}
    assert set(COMMANDS) == plain | {group.name for group in command_line.app.registered_groups}


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(observatory: Observatory, command: str) -> None:
    told = observatory(command, "--help")
    assert told.code == 0
    assert told.err == ""
    assert f"Usage: observatory {command} " in told.out
    assert ("--config" in told.out) == (command not in (*GROUPS, "tables", "sniff", "init", "reconcile"))


def test_the_catalogue_names_every_table_and_key(observatory: Observatory) -> None:
    told = observatory("tables")
    assert told.code == 0
    for table in contracts.list_tables():
        assert table in told.out
    assert "operator_id, message_hash, recipient_hash" in " ".join(told.out.split())


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
        (["show", "--sql", "SELECT 1", "--where", "units > 1"], "--sql goes without a table, --columns and"),
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

    monkeypatch.setattr("jobs.engine.lake.open_lake", fail)
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


# --- show and status ------------------------------------------------------------------------------------


def test_show_prints_a_table_as_the_last_run_left_it(show: Observatory) -> None:
    told = show("show", "gold.spam_volume_daily")
    assert told.code == 0
    assert "1,234,567" in told.out
    assert "3 rows shown" in told.out
    assert "tagged" not in told.out


def test_show_as_csv_json_and_parquet(show: Observatory, tmp_path: Path) -> None:
    names = read_contract("gold.spam_volume_daily").columns
    as_csv = show("show", "gold.spam_volume_daily", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(as_csv.out)))
    assert list(rows[0]) == names
    # In the order of the key.
    assert [(row["unit_code"], row["units"]) for row in rows] == [
        ("attempt", "7"),
        ("message", "1000"),
        ("recipient", "1234567"),
    ]
    as_json = show("show", "gold.spam_volume_daily", "--format", "json", "--where", "units > 100")
    found = [json.loads(line) for line in as_json.out.splitlines()]
    assert [row["units"] for row in found] == [1000, 1234567]
    assert found[0]["period_date"] == "2026-11-24"
    file = tmp_path / "volume.parquet"
    told = show("show", "gold.spam_volume_daily", "--format", "parquet", "--output", file, "--limit", 2)
    assert (told.code, told.out) == (0, "")
    assert f"2 rows in {file}" in told.err.replace("\n", "")
    assert pl.read_parquet(file)["units"].to_list() == [7, 1000]
    file = tmp_path / "volume.csv"
    assert show("show", "gold.spam_volume_daily", "--format", "csv", "--output", file).out == ""
    assert file.read_text(encoding="utf-8") == as_csv.out


def test_nested_values_are_json_in_csv(show: Observatory) -> None:
    told = show("show", "meta.run", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(told.out))
    assert json.loads(row["ingest_ids"]) == ["i1", "i2"]
    names = ("gold.spam_volume_daily", "silver.message")
    assert json.loads(row["table_versions"]) == [{"table_name": name, "version": 1} for name in names]
    assert row["partitions"] == ""


def test_sketches_are_shown_as_what_they_count_and_kept_in_parquet(show: Observatory, tmp_path: Path) -> None:
    told = show("show", "gold.bypass_indicator_daily", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(told.out))
    assert row["flagged_sender_sketch"] == "3"
    file = tmp_path / "rows.parquet"
    show("show", "gold.bypass_indicator_daily", "--format", "parquet", "--output", file)
    assert isinstance(pl.read_parquet(file)["flagged_sender_sketch"][0], bytes)


@pytest.mark.parametrize(("least", "rows"), [(3, 1), (4, 0)])
def test_a_condition_on_a_sketch_is_on_its_count(show: Observatory, least: int, rows: int) -> None:
    where = f"flagged_sender_sketch >= {least}"
    told = show("show", "gold.bypass_indicator_daily", "--where", where, "--format", "json")
    assert (told.code, len(told.out.splitlines())) == (0, rows)


def test_commands_on_a_lake_that_nothing_was_written_to(observatory: Observatory, tmp_path: Path) -> None:
    settings = tmp_path / "observatory.toml"
    settings.write_text(SETTINGS, encoding="utf-8")
    for command in (["status"], ["quarantine"], ["show", "silver.message"], ["show", "meta.run"]):
        told = observatory(*command, "--config", settings)
        assert (told.code, told.err) == (0, ""), command


def test_show_a_reference_table_and_one_without_rows(show: Observatory) -> None:
    told = show("show", "ref.definition", "--format", "csv")
    assert {row["definition_code"] for row in csv.DictReader(io.StringIO(told.out))} >= {
        "OPERATOR",
        "CAN_SPAM",
    }
    told = show("show", "gold.spam_type_daily")
    assert told.code == 0
    assert "0 rows shown" in told.out


@pytest.mark.parametrize(
    "where",
    [
        *("unitz > 1", "units >", "nothing(units)", "period_date = 'soon'", "units = 'x'"),
        # What runs code, or reads something else.
        "java_method('java.lang.System', 'getProperty', 'user.home') <> ''",
        "reflect('java.lang.System', 'getenv', 'HOME') <> ''",
        "units IN (SELECT units FROM gold.spam_volume_daily)",
        "read_text('/etc/hostname') <> ''",
    ],
)
def test_a_wrong_condition_lists_the_columns(show: Observatory, where: str) -> None:
    told = show("show", "gold.spam_volume_daily", "--where", where)
    assert (told.code, told.out) == (2, "")
    assert "Error: --where: " in told.err
    assert "Columns: operator_id, period_date, channel_code," in told.err
    assert "Traceback" not in told.err


def test_an_output_that_cannot_be_written(show: Observatory, tmp_path: Path) -> None:
    for format in ("csv", "parquet"):
        file = tmp_path / "nowhere" / f"volume.{format}"
        told = show("show", "gold.spam_volume_daily", "--format", format, "--output", file)
        assert told.code == 2
        assert f"--output {file}: " in told.err


def test_status_shows_the_ledger_and_the_last_validation(show: Observatory) -> None:
    told = show("status")
    assert told.code == 0
    words = " ".join(told.out.split())
    assert "a mx1 postfix 5,000 4,000 997 3 (0.06%)" in words
    # Eight recipients and two calls; the attempt is none of them.
    assert "a mx1 10 50.0% 20.0% 10.0% 20.0%" in words
    assert "Last validation: 3 rules on 1 tables, 1 broken" in words


def test_status_names_whole_sources_on_a_narrow_terminal(
    show: Observatory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    told = show("status")
    (row,) = [line for line in told.out.splitlines() if "postfix" in line]
    # The operator stands above.
    assert row.split()[:2] == ["mx1", "postfix"]
    assert "…" not in told.out


@pytest.mark.parametrize(
    ("file", "format", "how"),
    [
        ("mail.log", "postfix", "tail -c +8 mail.log | head -n 1"),
        ("mail.log.2.gz", "postfix", "zcat mail.log.2.gz | tail -c +8 | head -n 1"),
        ("my mail.log.zst", "postfix", "zstdcat 'my mail.log.zst' | tail -c +8 | head -n 1"),
        ("mail.log.bz2", "rspamd", "bzcat mail.log.bz2 | tail -c +8 | head -n 1"),
        ("mail.log.xz", "exim", "xzcat mail.log.xz | tail -c +8 | head -n 1"),
        ("reports.mbox", "dmarc", "document 8 of reports.mbox"),
        (None, "postfix", "tail -c +8 FILE | head -n 1"),
    ],
)
def test_a_quarantined_line_is_read_by_what_its_file_is(file: str | None, format: str, how: str) -> None:
    assert how_to_read(file, format, 7) == how


def test_quarantine_groups_lines_by_what_they_look_like(show: Observatory) -> None:
    told = show("quarantine")
    assert (told.code, told.err) == (0, "")
    words = " ".join(told.out.replace("│", " ").split())
    assert "2 a mx1 postfix unknown_shape mail.log @99 weird [red]\\x1b[m <address> <n>" in words
    assert "1 a mx1 postfix truncated mail.log @98 cut" in words
    assert words.index("unknown_shape") < words.index("truncated")
    assert "3 lines of 2 kinds" in words
    assert "unknown_shape: The line has no known shape of this format." in words
    assert "truncated: The line ends in the middle." in words and "bad_xml" not in words
    assert "Read a line, here the first one's: tail -c +100 mail.log | head -n 1" in words
    assert "observatory run --requarantine" in words
    assert "If nothing can be corrected" in words and "raise [limits] quarantined_pct" in words
    assert "secret.example" not in told.out and "\x1b" not in told.out
    told = show("quarantine", "--limit", 1)
    assert "3 lines of 2 kinds; the commonest 1 are shown" in " ".join(told.out.split())
    assert "truncated" not in told.out
    told = show("quarantine", "--reason", "truncated", "--source", "mx1", "--operator", "a")
    assert (
        "1 line of 1 kind\n" in told.out.replace(" \n", "\n").replace("  ", "")
        and "unknown_shape" not in told.out
    )
    told = show("quarantine", "--reason", "too_long")
    assert told.out == "Nothing in quarantine: a rule matched every line.\n"


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--source", "mx2", "--source: unknown 'mx2'; did you mean 'mx1'?"),
        ("--reason", "unknown_shap", "--reason: unknown 'unknown_shap'; did you mean 'unknown_shape'?"),
        ("--operator", "b", "unknown operator 'b'"),
    ],
)
def test_quarantine_refuses_what_it_does_not_know(
    show: Observatory, option: str, value: str, told: str
) -> None:
    found = show("quarantine", option, value)
    assert (found.code, found.out) == (2, "")
    assert told in found.err


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
    """As Polars' PanicException, which is no Exception."""


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


def test_a_reader_that_stops_is_no_held_validation(observatory: Observatory, study: Path) -> None:
    """As in `observatory show ... | head`."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "jobs", "show", "ref.measure", "--format", "csv", "--config", str(study)]
    closed = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    os.close(writer)
    assert closed.returncode == 141
    assert "Traceback" not in closed.stderr


# --- what a command imports -----------------------------------------------------------------------------


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
    slow = [name for name in SLOW if (arguments[0], name) != ("status", "jobs.formats.registry")]
    code = (
        "import sys; from jobs.cli.main import main; sys.argv = ['observatory', *sys.argv[1:]]\n"
        "try: main()\nexcept SystemExit as end: assert not end.code, end.code\n"
        f"sys.exit(', '.join(name for name in {slow} if name in sys.modules) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments, *own], capture_output=True, text=True, cwd=ROOT
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_program_starts_without_what_only_commands_need() -> None:
    """Each command pays for what the program imports before it knows which command it is."""
    heavy = ["polars", "pyarrow", "deltalake", "fsspec", "s3fs", "numpy"]
    code = f"import sys, jobs.cli.main; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stderr


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
