"""`observatory status`: freshness, what waits, what is held back, what to do next, as text and as JSON."""

import dataclasses
import datetime as dt
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from jobs.base.checks.validations import latest_results, rule_counts
from jobs.base.core.numbers import format_bytes
from jobs.base.store import lake
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import format_kind, rows_frame
from jobs.cli.operators import status
from jobs.operators.build import checks
from jobs.operators.formats import registry
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.state import sources
from jobs.operators.state.late_records import format_remedy
from jobs.operators.state.sources import source_rows
from tests.conftest import ROOT
from tests.support.in_process import Told, command_line_of
from tests.support.whole_runs import MAIL_NETWORK, operator_toml, source_toml

KEYS = [
    *("operator", "source", "landed", "landed_at", "waiting", "last_record", "stale_days", "is_stale"),
    *("missing_days", "quarantined", "held_rules", "jumps", "packages", "package_due"),
    *("package_problems", "retention", "next_step"),
]
LAST = dt.datetime(2026, 11, 24, 23, 30, tzinfo=dt.UTC)
Command = Callable[..., Told]


@pytest.fixture
def observatory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command line in this process, on a terminal of 80 columns."""
    # The settings of each test have a time of their own.
    monkeypatch.delenv("OBSERVATORY_READ_AT", raising=False)

    return command_line_of(monkeypatch, capsys)


@pytest.mark.long
def test_a_held_source_is_said_once_in_each_run_to_look_like_another_format(
    tmp_path: Path, observatory: Command
) -> None:
    shutil.copy(ROOT / "sample_data" / "lab" / "exim" / "mainlog", tmp_path / "mainlog")
    file = written(tmp_path, LAST + dt.timedelta(days=1), source_toml("mx1", "mainlog", "postfix"))
    for _ in range(2):
        told = observatory("run", "--config", file)
        assert (told.code, "rule quarantine_within_limit is broken" in told.err) == (1, True)
        said = " ".join(told.err.split())
        assert said.count("mainlog looks like exim, and the source names postfix") == 1
    metrics = tmp_path / "observatory.prom"
    observatory("status", "--config", file, "--metrics", metrics)
    assert 'observatory_source_held_rules{operator="a",source="mx1"} 1.0' in metrics.read_text().splitlines()


def written(folder: Path, read_at: dt.datetime, *sources: str, more: str = "") -> Path:
    """A settings file of one operator with these sources."""
    about = operator_toml("a", "A", "CHE", "a", "CHF", MAIL_NETWORK, *sources)
    file = folder / "observatory.toml"
    file.write_text(
        f'[lake]\nroot = "lake"\nread_at = {read_at.isoformat()}\n{more}\n{about}', encoding="utf-8"
    )
    return file


def with_ledger(folder: Path, source: str = "mx1", format: str = "postfix") -> Lake:
    """A lake that has read one file, whose last record is of LAST."""
    found = Lake(str(folder / "lake"))
    about = {"operator_id": "a", "source_id": source}
    day = LAST.date()
    counts = {"line_count": 9, "record_count": 6, "ignored_count": 1, "quarantined_count": 2}
    piece = {"stream_id": source, "piece_id": f"{source}-0", "format_code": format, "landed_at": LAST}
    found.append(
        rows_frame([about | piece | counts | {"last_event_date": day}], "bronze.file"), "bronze.file"
    )
    times = {"first_at": LAST - dt.timedelta(hours=20), "event_date": day}
    times |= {"last_at": LAST} if format == "postfix" else {"first_at": LAST}
    row = about | times | {"stream_id": source, "offset": 0, "assembly_key": "k"}
    found.append(rows_frame([row], f"bronze.{format}"), f"bronze.{format}")
    return found


def statuses(observatory: Command, file: Path) -> tuple[int, list[dict[str, Any]]]:
    told = observatory("status", "--json", "--config", file)
    assert told.err == ""
    return told.code, json.loads(told.out)


@pytest.mark.parametrize(
    ("minutes", "more", "of_source", "code"),
    [
        (2 * 1440, "", "", 0),
        (2 * 1440 + 1, "", "", 3),
        (2 * 1440 + 1, "stale_days = 2.5", "", 0),
        (721, "", "stale_days = 0.5", 3),
        (719, "", "stale_days = 0.5", 0),
        (719, "stale_days = 0.25", "stale_days = 0.5", 0),
        (29 * 1440, "stale_days = 0.25", "stale_days = 30", 0),
    ],
)
def test_a_source_is_stale_by_the_age_of_its_last_record(
    minutes: int, more: str, of_source: str, code: int, tmp_path: Path, observatory: Command
) -> None:
    with_ledger(tmp_path)
    source = source_toml("mx1", "mail.log", "postfix") + of_source
    file = written(tmp_path, LAST + dt.timedelta(minutes=minutes), source, more=more)
    found, (row,) = statuses(observatory, file)
    assert list(row) == KEYS
    assert (found, row["is_stale"]) == (code, code == 3)
    assert row["last_record"] == "2026-11-24T23:30:00+00:00"
    assert row["quarantined"] == 2
    told = observatory("status", "--config", file)
    assert told.code == code
    assert ("  stale\n" in told.out) == (code == 3)
    # Beside what is more urgent.
    assert told.out.count("`observatory quarantine --operator a --source mx1`") == 1


@pytest.mark.parametrize("days", ["0", "-1", "3661", '"soon"'])
def test_an_age_that_is_none_is_refused(days: str, tmp_path: Path, observatory: Command) -> None:
    file = written(tmp_path, LAST, more=f"stale_days = {days}")
    told = observatory("status", "--config", file)
    assert told.code == 2
    assert "[lake] stale_days: " in told.err


def test_days_without_records_are_named_with_what_to_do(tmp_path: Path, observatory: Command) -> None:
    """A log comes in two pieces with a day between them, and another source as a report."""
    found = with_ledger(tmp_path)
    with_ledger(tmp_path, "reports", "dmarc")
    older = LAST.date() - dt.timedelta(days=2)
    for source, kind in (("mx1", "postfix"), ("reports", "dmarc")):
        about = {"operator_id": "a", "source_id": source, "format_code": kind, "landed_at": LAST}
        counts = {"line_count": 1, "record_count": 1, "ignored_count": 0, "quarantined_count": 0}
        pieces = [
            about | counts | {"stream_id": source, "piece_id": f"{source}-{day}"}
            | {"first_event_date": day, "last_event_date": day}
            for day in (older, LAST.date())
        ]  # fmt: skip
        found.append(rows_frame(pieces, "bronze.file"), "bronze.file")
        row = {"operator_id": "a", "source_id": source, "event_date": older, "stream_id": source, "offset": 0}
        row |= {"first_at": LAST - dt.timedelta(days=2), "assembly_key": "k"}
        found.append(rows_frame([row], f"bronze.{kind}"), f"bronze.{kind}")
    logs = [source_toml("mx1", "mail.log", "postfix"), source_toml("reports", "*.xml", "dmarc")]
    code, rows = statuses(observatory, written(tmp_path, LAST, *logs))
    assert (code, [row["missing_days"] for row in rows]) == (0, [["2026-11-23"], []])
    # A lost manifest comes first.
    assert rows[0]["next_step"].startswith("`observatory pull --operator a` makes the lost manifest")
    settings = load_with_options(tmp_path / "observatory.toml")
    (row, _) = source_rows(found, settings, settings.operator)
    (source, _) = settings.operator[0].source
    with_logs = dataclasses.replace(row, landed=9)
    landed = sources.Landed(0, None, 0, 0, is_lost=False, unended=[], is_known=True)
    assert sources.next_step(with_logs, source, landed, LAST) == (
        "Bring the logs of 2026-11-23, of which there is no record, then `observatory run --operator a`"
    )


def test_the_list_of_formats_says_how_files_are_read() -> None:
    assert {name: format_kind(name) for name in registry.KERNELS} == {
        name: each.kind for name, each in registry.KERNELS.items()
    }


def test_what_is_known_beside_the_logs_is_stale_only_where_its_source_says_when(
    tmp_path: Path, observatory: Command
) -> None:
    with_ledger(tmp_path, "register", "knowledge")
    source = source_toml("register", "register.csv", "knowledge")
    file = written(tmp_path, LAST + dt.timedelta(days=9), source)
    assert statuses(observatory, file)[0] == 0
    file = written(tmp_path, LAST + dt.timedelta(days=9), source + "stale_days = 8")
    assert statuses(observatory, file)[0] == 3


def test_a_source_without_a_record_is_stale_once_the_lake_is_older(
    tmp_path: Path, observatory: Command
) -> None:
    source = source_toml("mx1", "mail.log", "postfix")
    file = written(tmp_path, LAST, source)
    code, (row,) = statuses(observatory, file)
    assert (code, row["last_record"], row["landed"]) == (0, None, 0)
    assert row["next_step"].startswith("Nothing is landed: check that ")
    assert f"{tmp_path}/mail.log" in row["next_step"] and "`observatory run" in row["next_step"]
    run = {"run_id": "r", "stage_name": "bronze", "finished_at": LAST}
    Lake(str(tmp_path / "lake")).append(rows_frame([run], "meta.run"), "meta.run")
    for hours, stale in ((48, 0), (49, 3)):
        written(tmp_path, LAST + dt.timedelta(hours=hours), source)
        assert statuses(observatory, file)[0] == stale


LINES = (
    "2026-11-24T10:00:01+00:00 mx1 postfix/smtpd[7]: 4jYl9Z1ZHVz1f01: client=unknown[192.0.2.9]\n"
    "2026-11-24T10:00:03+00:00 mx1 postfix/qmgr[9]: 4jYl9Z1ZHVz1f01: from=<a@odd.example>, size=900, nrcpt=1"
    " (queue active)\n"
)
ODD = "2026-11-24T10:00:04+00:00 mx1 postfix/smtpd[7]: 4jYl9Z1ZHVz1f01: nothing known\n"


@pytest.mark.long
def test_what_waits_and_what_to_do_from_the_first_pull_to_a_held_rule(
    tmp_path: Path, observatory: Command
) -> None:
    log = tmp_path / "mail.log"
    at = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
    file = written(
        tmp_path,
        at,
        source_toml("mx1", str(log), "postfix"),
        more="[limits]\nquarantined_pct = 9\nquarantined_lines = 4",
    )
    log.write_text("", encoding="utf-8")
    assert observatory("pull", "--config", file).code == 0
    _, (row,) = statuses(observatory, file)
    assert row["next_step"] == "All files are empty or left out: `observatory pull --operator a` says why"
    log.write_text("no end", encoding="utf-8")
    assert observatory("pull", "--config", file).code == 0
    _, (row,) = statuses(observatory, file)
    assert (row["landed"], row["waiting"]) == (0, 0)
    assert row["next_step"] == f"Set whole = true for the source if {log} is complete: it has no line end"
    log.write_text(LINES + "no end", encoding="utf-8")
    assert observatory("pull", "--config", file).code == 0
    _, (row,) = statuses(observatory, file)
    assert (row["landed"], row["waiting"]) == (len(LINES), len(LINES) + len("no end"))
    assert row["next_step"] == "`observatory run --operator a` reads what is landed"
    assert observatory("run", "--stage", "bronze", "--stage", "silver", "--config", file).code == 0
    code, (row,) = statuses(observatory, file)
    assert (code, row["waiting"], row["held_rules"]) == (0, len("no end"), [])
    assert row["last_record"] == "2026-11-24T10:00:03+00:00"
    assert row["next_step"].startswith("Set whole = true for the source if its files are complete")
    log.write_text(LINES + 4 * ODD, encoding="utf-8")
    assert observatory("run", "--stage", "bronze", "--stage", "silver", "--config", file).code == 0
    assert observatory("pull", "--config", file).code == 0
    assert observatory("run", "--stage", "bronze", "--stage", "silver", "--config", file).code == 1
    code, (row,) = statuses(observatory, file)
    (rule,) = row["held_rules"]
    assert (code, row["quarantined"], rule["rule"], rule["rows"]) == (0, 4, "quarantine_within_limit", 1)
    assert rule["text"].startswith("at most 9% of a source's lines are quarantined")
    assert row["next_step"] == (
        "`observatory quarantine --operator a --source mx1` shows what was not understood. After you correct"
        " the source's settings, `observatory run --operator a --requarantine` reads its files again"
    )
    told = observatory("status", "--config", file)
    assert (
        "a/mx1  bronze.file: rule quarantine_within_limit is broken on 1 row. It says: at most 9%" in told.out
    )
    assert "2 rules on 1 tables, 1 broken" in told.out


@pytest.mark.long
def test_records_of_closed_days_are_named_until_they_count(tmp_path: Path, observatory: Command) -> None:
    at = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
    source = source_toml("mx1", str(tmp_path / "mail.log*"), "postfix")
    (tmp_path / "mail.log").write_text(LINES, encoding="utf-8")
    stages = ("run", "--stage", "bronze", "--stage", "silver", "--config")
    file = written(tmp_path, at, source)
    observatory("pull", "--config", file)
    assert "change no figure" not in observatory(*stages, file).err
    (tmp_path / "mail.log.2").write_text(LINES.replace("2026-11-24", "2026-09-15"), encoding="utf-8")
    observatory("pull", "--config", file)
    told = (
        "operator 'a', source 'mx1': {} records from 2026-09-15 on (mail.log.2) came after their days were"
        " closed, and change no figure. To count them {}run"
        " `observatory run --operator a --since 2026-09-15`."
    ).format(len(LINES.splitlines()), "{}")
    first = told.format("set open_days = 70 under [lake], and ")
    ran = observatory(*stages, file)
    assert (ran.code, first in " ".join(ran.err.split())) == (0, True)
    # The run told it once; the state tells it until the day is there.
    assert "change no figure" not in observatory(*stages, file).err
    assert first in observatory("status", "--config", file).out
    written(tmp_path, at, source, more="open_days = 70")
    assert told.format("") in observatory("status", "--config", file).out
    assert observatory(*stages, file, "--since", "2026-09-15").code == 0
    assert "change no figure" not in observatory("status", "--config", file).out
    (tmp_path / "mail.log.3").write_text(LINES.replace("2026-11-24", "2009-09-15"), encoding="utf-8")
    observatory("pull", "--config", file)
    ran = observatory(*stages, file)
    assert "(3,660 at most). Was the host's clock wrong?" in " ".join(ran.err.split())


def test_late_records_that_bronze_no_longer_holds_are_not_promised() -> None:
    first, newest = dt.date(2026, 9, 15), dt.date(2026, 11, 24)
    assert "--since 2026-09-15" in format_remedy("a", first, newest, 35, first)
    words = format_remedy("a", first, newest, 35, dt.date(2026, 9, 16))
    assert "Bronze no longer holds them" in words and "--since" not in words


def test_days_of_a_clock_that_was_wrong_are_named(tmp_path: Path, observatory: Command) -> None:
    log = tmp_path / "mail.log"
    lines = LINES.replace("4jYl9Z1ZHVz1f01", "4jYl9Z1ZHVz1f02").replace("2026-11-24", "2019-03-02")
    log.write_text(LINES + lines, encoding="utf-8")
    at = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
    file = written(tmp_path, at, source_toml("mx1", str(log), "postfix"))
    assert observatory("pull", "--config", file).code == 0
    assert observatory("run", "--stage", "bronze", "--stage", "silver", "--config", file).code == 0
    assert (
        "operator 'a': the records of 2019-03-02 lie more than a year before the next, of 2026-11-24. Was the"
        " clock of a host wrong (mail.log)? They count under the days that they state."
    ) in observatory("status", "--config", file).out


def test_a_log_without_any_record_is_named(tmp_path: Path, observatory: Command) -> None:
    log = tmp_path / "mail.log"
    log.write_text(50 * LINES, encoding="utf-8")
    file = written(
        tmp_path, dt.datetime(2026, 11, 25, tzinfo=dt.UTC), source_toml("mx1", str(log), "opendkim")
    )
    assert observatory("pull", "--config", file).code == 0
    assert observatory("run", "--stage", "bronze", "--stage", "silver", "--config", file).code == 0
    assert (
        f"operator 'a', source 'mx1': {50 * len(LINES.splitlines()):,} lines, and none of them is a record of"
        f" opendkim. `observatory sniff {log}` shows what the files look like."
    ) in observatory("status", "--config", file).out


@pytest.mark.parametrize(
    ("beside", "options", "is_named"),
    [("", "", True), ("rspamd", "", True), ("kannel", "", False), ("", "{ bearerbox = false }", False)],
)
def test_smsbox_without_bearerbox_is_named(
    tmp_path: Path, beside: str, options: str, is_named: bool, observatory: Command
) -> None:
    others = [source_toml("other", "other.log", beside)] if beside else []
    source = source_toml("box", "smsbox.log", "kannel_smsbox", options)
    told = observatory("status", "--config", written(tmp_path, LAST, source, *others))
    assert ("SMS that smsbox accepted are counted by bearerbox's log" in told.out) == is_named


def test_traffic_that_is_nobodys_is_named(tmp_path: Path, observatory: Command) -> None:
    log = tmp_path / "mail.log"
    sent = (
        "2026-11-24T10:00:04+00:00 mx1 postfix/local[9]: 4jYl9Z1ZHVz1f01: to=<b@own.example>, relay=local,"
        " delay=0.1, delays=0/0/0/0, dsn=2.0.0, status=sent (delivered to mailbox)\n"
    )
    whole = LINES + sent
    log.write_text("".join(whole.replace("1f01", f"1f{each}") for each in range(10, 20)), encoding="utf-8")
    link = '[[operator.link]]\nname = "PEER"\nkind = "peer"\nscope = "national"\n'
    source = source_toml("mx1", str(log), "postfix")
    at = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
    file = written(tmp_path, at, source)
    assert observatory("pull", "--config", file).code == 0
    assert observatory("run", "--stage", "bronze", "--stage", "silver", "--config", file).code == 0
    words = (
        "operator 'a': 10 of 10 recipients and calls are transit: neither client nor recipient is the"
        " operator's, and totals of spam leave them out. If they are its own, add domains, networks or"
        " number_prefixes to [[operator]] 'a'; the next run counts them anew."
    )
    assert words in observatory("status", "--config", file).out
    # Who carries others' traffic has links.
    file = written(tmp_path, at, link, source)
    assert "transit" not in observatory("status", "--config", file).out


def test_a_last_record_of_another_year_asks_for_the_clock(tmp_path: Path, observatory: Command) -> None:
    log = tmp_path / "mail.log"
    log.write_text(LINES, encoding="utf-8")
    source = source_toml("mx1", str(log), "postfix")
    file = written(tmp_path, dt.datetime(2029, 2, 1, tzinfo=dt.UTC), source)
    assert observatory("run", "--stage", "bronze", "--stage", "silver", "--config", file).code == 0
    assert observatory("pull", "--config", file).code == 0
    assert observatory("run", "--stage", "bronze", "--stage", "silver", "--config", file).code == 0
    code, (row,) = statuses(observatory, file)
    assert (code, row["next_step"]) == (
        3,
        f"The last record is of 2026-11-24, 799 days ago: check its host's clock, and that {log} still"
        " grows, then `observatory run --operator a`",
    )


def kept(folder: Path, name: str, operators: list[str], *results: tuple[str, str, list[str]]) -> None:
    """The results of a run's rules. results: table, rule and the operators that break it."""
    rows = [
        {
            "table": table,
            "rule": rule,
            "says": f"{rule} holds",
            "is_held": not broken,
            "violations": len(broken),
            "examples": [{"operator_id": each} for each in broken],
            "operators": broken,
        }
        for table, rule, broken in results
    ]
    about = {"run_id": name, "results": rows, "operators": operators}
    file = folder / "_validation" / f"{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(about), encoding="utf-8")


def breaking(folder: Path) -> set[tuple[str, str]]:
    """Each operator with a rule that its rows break."""
    return {
        (who, each.rule) for each in latest_results(Lake(str(folder)), ["a", "b"]) for who in each.operators
    }


def test_each_operators_rules_stand_as_they_were_last_checked(tmp_path: Path) -> None:
    volume, types, message = "gold.spam_volume_daily", "gold.spam_type_daily", "silver.message"
    both = ["a", "b"]
    kept(tmp_path, "1", both, ("bronze.file", "ledger", []), (volume, "sum", both), (types, "key", ["a"]))
    assert breaking(tmp_path) == {("a", "sum"), ("b", "sum"), ("a", "key")}
    # A run of one operator, and one of silver alone, clear no rule of the others.
    kept(tmp_path, "2", ["b"], ("bronze.file", "ledger", []), (volume, "sum", []))
    assert breaking(tmp_path) == {("a", "sum"), ("a", "key")}
    kept(tmp_path, "3", both, ("bronze.file", "ledger", []), (message, "code", ["a"]))
    assert breaking(tmp_path) == {("a", "sum"), ("a", "key"), ("a", "code")}
    assert rule_counts(latest_results(Lake(str(tmp_path)), ["a"])) == [
        ("bronze.file", 1, 0),
        (types, 1, 1),
        (volume, 1, 1),
        (message, 1, 1),
    ]
    # What silver's rules found is gone when its next run kept none of them.
    kept(tmp_path, "4", ["a"], ("bronze.file", "ledger", []), (volume, "sum", []))
    assert breaking(tmp_path) == {("a", "key")}
    assert breaking(tmp_path / "nowhere") == set()


def test_the_text_of_a_silver_rule_is_kept_with_it() -> None:
    table = "silver.message"
    assert checks.rule_text(table, checks.KEY_UNIQUE).startswith("the key (operator_id, message_hash")
    texts = {rule.name: checks.rule_text(table, rule.name) for rule in checks.rules_of(table)}
    assert texts["outcome_code_known"] == "outcome_code is in the list outcome"
    assert texts["operator_id_not_null"] == "operator_id is given"
    assert all(texts.values())


def test_status_fits_80_columns_and_breaks_no_name(tmp_path: Path, observatory: Command) -> None:
    with_ledger(tmp_path)
    names = ["mx1", "a-source-of-a-long-name"]
    sources = [source_toml(name, "mail.log", "postfix") for name in names]
    file = written(tmp_path, LAST + dt.timedelta(days=3), *sources)
    told = observatory("status", "--config", file)
    tables, _, _ = told.out.partition("\nProblems\n")
    assert max(map(cell_len, tables.splitlines())) <= 80
    rows = [line.split() for line in tables.splitlines()]
    assert ["a"] in rows
    assert {row[0] for row in rows if row} >= set(names)
    assert "2026-11-24 23:30  stale" in tables


def test_stale_sources_have_one_step_together(tmp_path: Path, observatory: Command) -> None:
    names = ("mx1", "mx2", "mx3")
    sources = [source_toml(name, str(tmp_path / f"{name}.log"), "postfix") for name in names]
    for name in names[:2]:
        (tmp_path / f"{name}.log").write_text(LINES, encoding="utf-8")
    file = written(tmp_path, LAST + dt.timedelta(days=3), *sources)
    observatory("pull", "--config", file)
    assert observatory("run", "--stage", "bronze", "--config", file).code == 0
    steps = observatory("status", "--config", file).out.partition("\nNext\n")[2].replace("\n", " ")
    together = "2 sources are stale: check that their files still grow, then `observatory run --operator a`"
    assert together in steps
    assert "Check that" not in steps and "a/mx3  Nothing is landed" in steps
    # One alone is named, with its files.
    file = written(tmp_path, LAST + dt.timedelta(days=3), sources[0])
    steps = observatory("status", "--config", file).out.partition("\nNext\n")[2].replace("\n", " ")
    assert "a/mx1  Check that" in steps and "are stale" not in steps


@pytest.mark.long
def test_what_is_kept_and_what_a_vacuum_would_remove(tmp_path: Path, observatory: Command) -> None:
    found = with_ledger(tmp_path)
    versions = [{"table_name": "bronze.postfix", "version": found.version("bronze.postfix")}]
    row = {"run_id": "r", "stage_name": "bronze", "finished_at": LAST, "table_versions": versions}
    found.append(rows_frame([row], "meta.run"), "meta.run")
    kept = "open_days = 1\n[retention]\nbronze = 3"
    source = source_toml("mx1", "mx1.log", "postfix")
    file = written(tmp_path, LAST + dt.timedelta(days=3), source, more=kept)
    told = observatory("status", "--config", file).out
    # What an open day's messages may have begun in, and the days before that.
    assert "Days: landing 35, bronze 14, silver 400; gold stays." in told
    longer = (
        "[retention] says bronze 3, but days that are open ([lake] open_days = 1) are computed from more."
    )
    assert longer in told
    assert "`observatory vacuum` has removed nothing yet, and has nothing to remove now." in told
    # A record of a day that is long closed.
    old = LAST - dt.timedelta(days=90)
    times = {"first_at": old, "last_at": old, "event_date": old.date()}
    late = {"operator_id": "a", "source_id": "mx1", "stream_id": "mx1", "offset": 9, "assembly_key": "k"}
    found.append(rows_frame([late | times], "bronze.postfix"), "bronze.postfix")
    versions = [{"table_name": "bronze.postfix", "version": found.version("bronze.postfix")}]
    found.append(rows_frame([row | {"run_id": "s", "table_versions": versions}], "meta.run"), "meta.run")
    _, (source_row,) = statuses(observatory, file)
    due = source_row["retention"].pop("due_bytes")
    assert due > 0
    assert source_row["retention"] == {
        "landing": 35, "bronze": 14, "silver": 400, "removed_at": None, "due_of_all_bytes": 0
    }  # fmt: skip
    told = observatory("status", "--config", file).out
    assert f"and would now remove {format_bytes(due)}." in told
    assert observatory("vacuum", "--config", file).code == 0
    _, (source_row,) = statuses(observatory, file)
    assert source_row["retention"]["removed_at"] is not None and source_row["retention"]["due_bytes"] == 0
    assert "`observatory vacuum` last removed something on 20" in observatory("status", "--config", file).out


def test_a_terminal_shows_all_words_of_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(status, "out", Console(file=shown, force_terminal=True, width=60, color_system=None))
    words = [f"word{number}" for number in range(30)]
    status.show_list("Next", [("a/mx1", " ".join(words)), ("", " ".join(words))])
    lines = shown.getvalue().splitlines()
    assert max(map(cell_len, lines)) <= 60
    assert " ".join(lines).split() == ["Next", "a/mx1", *words, *words]


def test_json_has_the_sources_of_the_settings_in_their_order(tmp_path: Path) -> None:
    with_ledger(tmp_path, "gone")
    file = written(tmp_path, LAST, *(source_toml(name, "x.log", "postfix") for name in ("z", "b")))
    settings = load_with_options(file)
    rows = source_rows(lake.open_lake(settings.lake.root), settings, settings.operator)
    assert [row.source for row in rows] == ["z", "b"]


def test_every_key_is_documented() -> None:
    page = (ROOT / "docs" / "operator-reference.md").read_text(encoding="utf-8")
    assert [key for key in KEYS if f"`{key}`" not in page] == []
