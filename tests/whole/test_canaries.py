"""No identifier passes bronze: canaries in every field of every format, sought in all that a run leaves."""

import datetime as dt
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest

from jobs.base.core.patterns import mask_lines
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import list_tables, read_contract
from jobs.operators.build.checks import format_broken, split_by_operator
from jobs.operators.build.run import Run
from jobs.operators.formats import Source
from jobs.operators.formats.options import complete_options
from jobs.operators.formats.registry import DOCUMENTS, KERNELS
from jobs.operators.formats.shared.documents import frame_of as documents_of
from jobs.operators.ingest.pull import pull_operator
from jobs.operators.packages.packaging import package_of
from jobs.operators.protect.operators import OperatorSpace, Protection
from jobs.operators.report.write import update_page
from jobs.operators.runs.runner import run_stages
from jobs.operators.silver.assembling import assemble_rows
from tests.support.canary_logs import canary_settings, source_of
from tests.support.filter_logs import frame_of
from tests.support.samples import CANARIES
from tests.support.samples.forms import PLANTED, TOKEN, Canaries

pytestmark = pytest.mark.long

PROTECTION = Protection(
    (OperatorSpace("op", "CHE", ("isp.example",), ("127.0.0.0/8",), ("35799",), (("HUB", "hub"),)),), None
)
# What may hold identifiers, readable by its owner alone.
RAW = ("landing", "bronze")


class Left(NamedTuple):
    """A lake with all logs, the page and the packages that were made of it, and what the run said."""

    lake: Lake
    folder: Path
    said: list[str]


@pytest.fixture(scope="module")
def in_slots(tmp_path_factory: pytest.TempPathFactory) -> Left:
    return left_by(tmp_path_factory.mktemp("canaries"), everywhere=False)


@pytest.fixture(scope="module")
def in_all_fields(tmp_path_factory: pytest.TempPathFactory) -> Left:
    return left_by(tmp_path_factory.mktemp("everywhere"), everywhere=True)


@pytest.fixture(params=["in_slots", "in_all_fields"])
def left(request: pytest.FixtureRequest) -> Left:
    found: Left = request.getfixturevalue(request.param)
    return found


def left_by(folder: Path, everywhere: bool) -> Left:
    settings = canary_settings(folder, everywhere)
    (operator,) = settings.operator
    said = pull_operator(operator, settings.lake.root, dt.datetime.now(dt.UTC)).problems
    assert everywhere or said == []
    lake = Lake(settings.lake.root)
    run_stages(Run(lake, settings, [operator], "canaries", report_step=said.append))
    update_page(lake, settings, folder / "page")
    (folder / "package.zip").write_bytes(package_of(settings, operator, "2026-11", None).data)
    return Left(lake, folder, said)


def text_of(frame: pl.DataFrame) -> str:
    """All values of a frame as text; bytes as the signs that they are in Latin-1."""
    return "\n".join(json.dumps(row, ensure_ascii=False, default=told) for row in frame.to_dicts())


def told(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def found_in(text: str) -> set[str]:
    """Canaries, each with what stands around it."""
    return {text[max(each.start() - 60, 0) : each.end() + 40] for each in PLANTED.finditer(text)}


def has_arrived(canary: str, text: str) -> bool:
    return any(token in text for token in TOKEN.findall(canary.lower()))


def bronze_of(log: Canaries, entries: list[str]) -> tuple[pl.DataFrame, int]:
    """The bronze rows of a log's entries, and how many lines or documents were quarantined."""
    kernel: Any = KERNELS[log.kernel]
    options = complete_options(log.kernel, log.source_options, Path())
    source = Source("op", "s", "a", dt.datetime(2027, 1, 1, tzinfo=dt.UTC), options=options)
    if log.kernel in DOCUMENTS:
        files = entries if log.is_files else [log.head + "".join(entries)]
        documents = [each for file in files for each in kernel.read(file.encode(), "file", source, 1 << 20)]
        rows = documents_of(enumerate(documents), source, kernel.bronze)
        quarantined = sum(each.reason_code is not None for each in documents)
    else:
        lines = frame_of((log.head + "".join(entries)).splitlines())
        whose = {"operator_id": pl.lit("op"), "source_id": pl.lit("s"), "stream_id": pl.lit("a")}
        rows = kernel.parse(lines.lazy(), source).with_columns(**whose).collect()
        quarantined = int((rows["line_code"] == "quarantined").sum())
    return kernel.assemble(rows.lazy()).collect(), quarantined


def past_the_door(log: Canaries, bronze: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The rows of each silver table that the log has some for."""
    return {
        table: assemble_rows(table, {log.kernel: bronze}, PROTECTION)
        for table in KERNELS[log.kernel].silver_rows
    }


def test_every_format_is_planted() -> None:
    assert {log.kernel for log in CANARIES} == set(KERNELS), "each has a module in tests/support/samples/"


@pytest.mark.parametrize("log", CANARIES, ids=lambda log: log.name)
def test_canaries_arrive_and_none_passes_the_door(log: Canaries) -> None:
    entries = list(log.entries())
    bronze, quarantined = bronze_of(log, [text for text, _ in entries])
    assert quarantined == 0
    arrived = text_of(bronze).lower()
    assert [canary for _, canary in entries if canary and not has_arrived(canary, arrived)] == []
    silver = past_the_door(log, bronze)
    assert silver[log.table].height >= len(entries)
    for table, rows in silver.items():
        assert found_in(text_of(rows)) == set(), table


@pytest.mark.parametrize("log", CANARIES, ids=lambda log: log.name)
def test_whatever_stands_in_a_field_no_identifier_passes_the_door(log: Canaries) -> None:
    """A number, an address, a name and a text in every field, codes and ids too."""
    entries = list(log.everywhere())
    bronze, _ = bronze_of(log, entries)
    silver = past_the_door(log, bronze)
    # Where a line's form depends on a field, the line is in quarantine.
    assert silver[log.table].height >= len(entries) / 4
    for table, rows in silver.items():
        told = {name: found_in(text_of(rows.select(name))) for name in rows.columns}
        assert {name: sorted(found)[:3] for name, found in told.items() if found} == {}, table


@pytest.mark.parametrize("log", CANARIES, ids=lambda log: log.name)
def test_no_canary_is_shown_of_a_line_that_nobody_understood(log: Canaries) -> None:
    lines = pl.Series([line for text, _ in log.entries() for line in text.splitlines()])
    for damaged in (lines, lines.str.slice(12), lines.str.replace_all("[<>]", "")):
        assert found_in("\n".join(mask_lines(damaged))) == set()


# --- the whole way --------------------------------------------------------------------------------------


def test_all_that_was_planted_was_counted(in_slots: Left) -> None:
    left = in_slots
    ledger = left.lake.read("bronze.file")
    assert ledger["quarantined_count"].sum() == 0
    assert left.lake.read("bronze.quarantine").is_empty()
    for log in CANARIES:
        rows = left.lake.read(log.table, where=pl.col("source_id") == source_of(log))
        assert rows.height >= len(list(log.entries())), log.name
        bronze = left.lake.read(f"bronze.{log.kernel}", where=pl.col("source_id") == source_of(log))
        arrived = text_of(bronze).lower()
        missed = [canary for _, canary in log.entries() if canary and not has_arrived(canary, arrived)]
        assert missed == [], log.name
    recipients = left.lake.read("gold.spam_volume_daily").filter(pl.col("definition_code") == "OPERATOR")
    assert recipients["units"].sum() > 500


def test_no_canary_is_in_a_table_past_bronze(left: Left) -> None:
    read = [
        table
        for table in list_tables()
        if read_contract(table).layer not in (*RAW, "ref") and left.lake.exists(table)
    ]
    assert {"silver.transmission", "silver.message", "gold.spam_sender_domain_daily", "meta.run"} <= set(read)
    for table in read:
        rows = left.lake.read(table)
        assert not rows.is_empty() and found_in(text_of(rows)) == set(), table


def test_no_canary_is_in_a_file_past_bronze(left: Left) -> None:
    """Delta logs with statistics, validation results, the page and its tables, packages, and their names."""
    root = Path(left.lake.root)
    files = [
        path
        for path in (*root.rglob("*"), *(left.folder / "page").rglob("*"), left.folder / "package.zip")
        if path.is_file() and not (path.is_relative_to(root) and path.relative_to(root).parts[0] in RAW)
    ]
    kinds = {path.suffix for path in files}
    assert {".json", ".html", ".csv", ".zip", ".parquet"} <= kinds
    assert any("_validation" in path.parts for path in files)
    for path in files:
        for name, data in contents(path):
            assert found_in(f"{name}\n{data.decode('latin-1')}") == set(), name
    assert found_in("\n".join(left.said)) == set()


def contents(path: Path) -> Iterator[tuple[str, bytes]]:
    """A file's path and bytes, of an archive those of its members too."""
    yield str(path), path.read_bytes()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            yield from ((f"{path}/{name}", archive.read(name)) for name in archive.namelist())


def test_no_canary_is_in_what_a_held_rule_tells(left: Left) -> None:
    """A rule that every row breaks names a few keys."""
    for table in list_tables():
        if read_contract(table).layer in ("silver", "gold") and left.lake.exists(table):
            for each in split_by_operator(table, "never", left.lake.read(table)):
                assert found_in(format_broken(table, each.rule, each.violations, each.examples)) == set()
