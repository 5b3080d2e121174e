"""sniff computes what run computes: on every log of the sample data and of the tests, with the settings that
sniff proposes."""

import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs.base.settings import config
from jobs.base.store.lake import Lake
from jobs.operators.build.run import Run
from jobs.operators.formats.registry import KERNELS
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.runs.runner import run_stages
from jobs.operators.sniff.files import logs_of
from jobs.operators.sniff.proposal import source_block
from jobs.operators.sniff.recognition import separate_files
from jobs.operators.sniff.silver import NETWORKS
from jobs.operators.sniff.survey import LogSurvey, survey_log
from tests.conftest import ROOT
from tests.operators.silver.test_hops import HOPS, log_of
from tests.support.lab_logs import LOGS as IN_LAB
from tests.support.mixed import LAB, REPORTS, mixed_logs, mixed_settings, pull_mixed
from tests.support.samples import SAMPLES, files_of
from tests.support.whole_runs import operator_toml

STUDY = ROOT / "sample_data" / "study"
# Beside the logs: what was really sent, another program's report, and how the logs were made.
NO_LOGS = ("*truth.json*", "smsc.jsonl", "eximstats-default.txt", "*.md", "*.py", "*.sh", "etc/*")
NOT_COUNTED = ("dsn", "report")
LEDGER = ("line_count", "record_count", "ignored_count", "quarantined_count")


def answers(arguments: Iterable[object], profile: str | None = None) -> list[LogSurvey]:
    """The final answers on logs, each read whole."""
    until = time.monotonic() + 3600
    logs, problems = logs_of([str(each) for each in arguments], until)
    found = []
    for log in logs:
        parts, wrong = separate_files(log, profile)
        problems += wrong
        for part, recognised in parts:
            *_, last = survey_log(part, recognised, until)
            assert last.is_exact
            # Some of the reports are broken on purpose.
            assert last.format is not None or part.name.endswith((".eml", ".xml")), part.name
            found += [last] if last.format is not None else []
    assert problems == []
    return found


def written(folder: Path) -> list[Path]:
    """Logs of formats that the laboratory has none of, and those that tests make."""
    logs = {f"hop-{name}": log_of(hop).splitlines() for name, hop in HOPS.items()}
    for name, samples in SAMPLES.items():
        made = samples.files if name in IN_LAB else files_of(name)
        logs |= {each: log.lines for each, log in made.items()}
    folder.mkdir()
    for name, lines in logs.items():
        (folder / f"{name}.log").write_text("".join(f"{line}\n" for line in lines))
    return sorted(folder.iterdir())


def others_than(logs: Iterable[Path]) -> list[str]:
    """The files of the sample data and the tests that are of a format, but for these; what tests expect is
    none."""
    known = set(logs)
    files = [
        file
        for folder in ("sample_data", "tests")
        for file in (ROOT / folder).rglob("*")
        if file.is_file()
        and file not in known
        and file.suffix not in (".py", ".pyc")
        and "golden" not in file.parts
        and file.name not in NO_LOGS
    ]
    found, _ = logs_of([str(file) for file in files], time.monotonic() + 3600)
    parts = [part for log in found for part in separate_files(log)[0]]
    return [log.name for log, recognised in parts if recognised[0].format is not None]


def settings_of(found: list[LogSurvey], folder: Path) -> config.Observatory:
    """One operator for each log, whose only source is the one that sniff proposes."""
    networks = f"networks = {list(NETWORKS)}\n"
    operators = [
        operator_toml(f"log-{number}", each.log.name, "CHE", "logs", "CHF", networks, source_block(each))
        for number, each in enumerate(found)
    ]
    file = folder / "observatory.toml"
    file.write_text("\n".join(['[lake]\nroot = "lake"\n\n[limits]\nquarantined_pct = 100\n', *operators]))
    return load_with_options(file, lake_root=str(folder / "lake"))


def counted(rows: pl.DataFrame, *by: str) -> dict[str, Counter[Any]]:
    """Count the rows of each operator, by columns."""
    found: dict[str, Counter[Any]] = {}
    for operator, *key in rows.select("operator_id", *by).iter_rows():
        found.setdefault(operator, Counter())[tuple(key)] += 1
    return found


def units_of(message: pl.DataFrame) -> dict[str, Counter[Any]]:
    """Units of each operator by channel, unit, stage and outcome, counted as docs/counting.md says."""
    found: dict[str, Counter[Any]] = {}
    columns = ("operator_id", "channel_code", "stage_code", "outcome_code", "grain_code")
    rows = message.select(*columns, "is_message_row", "segment_count")
    for operator, channel, stage, outcome, grain, is_message_row, segments in rows.iter_rows():
        counts = found.setdefault(operator, Counter())
        counts[channel, grain, stage, outcome] += 1
        if is_message_row:
            counts[channel, "message", stage, outcome] += 1
        if grain == "recipient" and segments:
            counts[channel, "segment", stage, outcome] += segments
    return found


def of_ledger(answer: LogSurvey) -> tuple[float, ...]:
    if answer.documents is not None:
        read = answer.documents
        return read.documents, read.records, read.ignored, sum(read.reasons.values())
    assert answer.tally is not None
    files = answer.tally.files
    return tuple(
        sum(getattr(each, name) for each in files) for name in ("lines", "records", "ignored", "quarantined")
    )


@pytest.mark.long
def test_totals_are_those_of_a_run(tmp_path: Path) -> None:
    mix = tmp_path / "mix"
    mixed_settings(mix)
    mixed_logs(mix)
    logs = [
        file
        for folder in (
            LAB,
            STUDY,
            *(mix / name for name in ("exim", "postfix", "kamailio", "kannel", "reports")),
        )
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not any(map(file.match, NO_LOGS))
    ]
    assert others_than([*logs, *REPORTS.iterdir()]) == []
    found = answers([*logs, *written(tmp_path / "written")])
    found += answers([mix / "calls.csv"], str(mix / "profile.toml"))
    settings = settings_of(found, tmp_path)
    pull_mixed(settings)
    lake = Lake(settings.lake.root)
    run_stages(
        Run(lake, settings, list(settings.operator), "equal", report_step=lambda text: None),
        ("bronze", "silver"),
    )

    ledger = lake.read("bronze.file").group_by("operator_id").agg(pl.col(LEDGER).sum())
    lines = {operator: tuple(counts) for operator, *counts in ledger.iter_rows()}
    reasons = counted(lake.read("bronze.quarantine"), "reason_code")
    sent = lake.read("silver.transmission")
    transmissions = counted(sent, "channel_code", "stage_code", "outcome_code")
    entries = counted(sent, "entry_code")
    verdicts = counted(lake.read("silver.verdict"), "engine_code", "action_name", "is_spam")
    units = units_of(lake.read("silver.message"))
    for number, each in enumerate(found):
        name = f"log-{number}"
        where = f"{each.log.name} ({each.format})"
        assert of_ledger(each) == lines[name], where
        wanted_reasons = {reason: count for (reason,), count in reasons.get(name, {}).items()}
        if each.documents is not None:
            assert each.documents.reasons == wanted_reasons, where
            continue
        assert each.quarantined_by_reason() == wanted_reasons, where
        assert each.transmissions == transmissions.get(name, {}), where
        assert each.verdicts == verdicts.get(name, {}), where
        wanted = units.get(name, Counter())
        assert (each.units.units if each.units else {}) == wanted, where
        if each.units is None:
            continue
        left_out = each.units.not_counted
        assert [left_out.get(code, 0) for code in NOT_COUNTED] == [
            entries[name][code,] for code in NOT_COUNTED
        ], where
        # What is sent is counted or left out.
        rows = sum(count for (_, unit, *_), count in wanted.items() if unit not in ("message", "segment"))
        assert entries[name].total() + each.units.named == rows + sum(left_out.values()), where
    assert {each.format for each in found} == set(KERNELS), "each has logs in tests/support/samples/"
