"""The lake: what a transaction of files refuses and replaces, and versions that are gone or taken back."""

import datetime as dt
import os
import shutil
import time
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.core.errors import ObservatoryError
from jobs.base.store.compaction import sweep_files
from jobs.base.store.lake import Lake
from jobs.base.store.table_files import NewFile, remove_files, write_files
from jobs.base.tables.contracts import arrow_schema, polars_schema, read_contract, rows_frame
from tests.support.examples import examples

TABLE = "gold.spam_volume_daily"
DAY = dt.date(2026, 11, 24)
PLACE = {"channel_code": "EMAIL", "direction_code": "inbound", "stage_code": "delivery"}
COUNTS = {"outcome_code": "delivered", "unit_code": "message", "definition_code": "OPERATOR"}


def row(operator: str, day: dt.date, units: int) -> dict[str, Any]:
    return PLACE | COUNTS | {"operator_id": operator, "period_date": day, "units": units}


def frame_of(*rows: tuple[str, dt.date, int]) -> pl.DataFrame:
    return rows_frame([row(*each) for each in rows], TABLE)


def stored(lake: Lake, version: int | None = None) -> list[tuple[Any, ...]]:
    rows = lake.read(TABLE, version, ["operator_id", "period_date", "units"])
    return sorted((name, day.isoformat(), units) for name, day, units in rows.rows())


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake with two days of each of two operators."""
    made = Lake(str(tmp_path))
    days = (DAY, DAY + dt.timedelta(days=1))
    rows = [(name, day, place) for place, name in enumerate("ab") for day in days]
    made.add_files(TABLE, write_files(frame_of(*rows), TABLE, made.root))
    return made


def test_words_of_an_older_contract_stop_no_write(tmp_path: Path) -> None:
    older = Lake(str(tmp_path))
    older.append(frame_of(), TABLE)
    shutil.rmtree(older.path(TABLE))
    older.close_log(TABLE)
    fields = [
        field.with_metadata({"comment": "As an older contract said it"}) for field in arrow_schema(TABLE)
    ]
    by = list(read_contract(TABLE).partition_by)
    DeltaTable.create(older.path(TABLE), pa.schema(fields[:-1]), partition_by=by)
    older.append(frame_of(("a", DAY, 1)), TABLE)
    older.replace(frame_of(("b", DAY, 2)), TABLE, "operator_id = 'b'")
    assert stored(older) == [("a", "2026-11-24", 1), ("b", "2026-11-24", 2)]
    comments = [field.metadata["comment"] for field in DeltaTable(older.path(TABLE)).schema().fields]
    assert comments == ["As an older contract said it"] * (len(fields) - 1) + [
        arrow_schema(TABLE).field(-1).metadata[b"comment"].decode()
    ]


# --- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "replaced",
    [
        {"b": ["2026-11-24"]},
        {"a": ["2026-11-25"]},
        {"a": []},
        {"a": ["2026-11-25"], "b": ["2026-11-24"]},
        {},
    ],
)
def test_a_file_outside_of_the_periods_is_refused(lake: Lake, replaced: dict[str, list[str]]) -> None:
    before, version = stored(lake), lake.version(TABLE)
    files = write_files(frame_of(("a", DAY, 9)), TABLE, lake.root)
    with pytest.raises(ObservatoryError, match="lies outside of the periods to be replaced"):
        lake.replace_periods(TABLE, replaced, files)
    assert (stored(lake), lake.version(TABLE)) == (before, version)


def wrong_frames() -> dict[str, pl.DataFrame]:
    frame = frame_of(("a", DAY, 9)).drop("operator_id", "period_date")
    return {
        "a column is missing": frame.drop("units"),
        "a column is more": frame.with_columns(own=1),
        "a number is text": frame.with_columns(pl.col("units").cast(pl.String)),
        "a number is smaller": frame.with_columns(pl.col("units").cast(pl.Int32)),
        "a number has no sign": frame.with_columns(pl.col("units").cast(pl.UInt64)),
        "a text is a category": frame.with_columns(pl.col("stage_code").cast(pl.Categorical)),
        "a column has another name": frame.rename({"units": "unit"}),
        "a partition column is there": frame.with_columns(operator_id=pl.lit("a")),
    }


@pytest.mark.parametrize("what", wrong_frames())
def test_a_file_whose_columns_are_not_the_contracts_is_refused(lake: Lake, what: str) -> None:
    """delta-rs takes it: a string in a column of numbers is found out by whoever reads the table."""
    before, version = stored(lake), lake.version(TABLE)
    folder = Path(lake.path(TABLE))
    inside = "operator_id=a/period_date=2026-11-24/part-wrong.parquet"
    wrong_frames()[what].write_parquet(folder / inside)
    partition = (("operator_id", "a"), ("period_date", "2026-11-24"))
    file = NewFile(TABLE, inside, partition, (folder / inside).stat().st_size, 1)
    right = write_files(frame_of(("b", DAY, 9)), TABLE, lake.root)
    with pytest.raises(ObservatoryError, match=f"{TABLE}: .*part-wrong.parquet has other columns"):
        lake.add_files(TABLE, [*right, file])
    with pytest.raises(ObservatoryError, match="has other columns"):
        lake.replace_periods(TABLE, {"a": ["2026-11-24"], "b": ["2026-11-24"]}, [*right, file])
    assert (stored(lake), lake.version(TABLE)) == (before, version)


def test_naive_times_are_refused(tmp_path: Path) -> None:
    """Naive times would raise the table's protocol, which not every reader follows."""
    lake, table = Lake(str(tmp_path)), "silver.verdict"
    at = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
    row = {"operator_id": "a", "period_date": DAY, "verdict_hash": "v", "verdict_at": at}
    frame = rows_frame([row], table).with_columns(pl.col("verdict_at").dt.replace_time_zone(None))
    with pytest.raises(ObservatoryError, match=r"other columns than the contract: \['verdict_at'\]"):
        lake.add_files(table, write_files(frame, table, lake.root))
    assert not lake.exists(table)


def test_a_file_that_is_gone_is_not_committed(lake: Lake) -> None:
    before, version = stored(lake), lake.version(TABLE)
    files = write_files(frame_of(("a", DAY, 9)), TABLE, lake.root)
    remove_files(files, lake.root)
    with pytest.raises(FileNotFoundError):
        lake.add_files(TABLE, files)
    assert (stored(lake), lake.version(TABLE)) == (before, version)


# --- what is replaced ---------------------------------------------------------------------------------------


def test_periods_of_several_operators_are_replaced_and_no_others(lake: Lake) -> None:
    files = write_files(frame_of(("a", DAY, 7), ("c", DAY, 8)), TABLE, lake.root)
    before = lake.version(TABLE)
    periods = {"a": {"2026-11-24"}, "b": {"2026-11-25"}, "c": {"2026-11-24", "2026-11-25"}}
    version = lake.replace_periods(TABLE, periods, files, {"run_id": "r2"})
    assert stored(lake) == [
        *(("a", "2026-11-24", 7), ("a", "2026-11-25", 0)),
        # A period without a file is empty now.
        *(("b", "2026-11-24", 1), ("c", "2026-11-24", 8)),
    ]
    # One transaction for each operator; who reads the version before sees none of them.
    assert version == before + 3
    assert len(stored(lake, before)) == 4
    log = DeltaTable(lake.path(TABLE))
    assert all("r2" in each["userMetadata"] for each in log.history(3))
    protocol = log.protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)


OPERATORS = ["a", "b", "two words", "50%", "a=b", "100%25", "ü"]
MONTH = [dt.date(2026, 11, day) for day in (1, 2, 3)]
CELLS = st.dictionaries(
    st.tuples(st.sampled_from(OPERATORS), st.sampled_from(MONTH)), st.integers(0, 9), max_size=8
)


@pytest.mark.long
@examples(25)
@given(st.lists(st.tuples(CELLS, st.sets(st.tuples(st.sampled_from(OPERATORS), st.sampled_from(MONTH))))))
def test_any_replacements_give_what_a_dictionary_gives(
    tmp_path_factory: pytest.TempPathFactory, writes: list[Any]
) -> None:
    """Operators may have any name: partition values with spaces, percent and equal signs come back as they
    were."""
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    expected: dict[Any, int] = {}
    for cells, emptied in writes[:3]:
        replaced = set(cells) | emptied
        periods: dict[str, set[str]] = {}
        for name, day in replaced:
            periods.setdefault(name, set()).add(day.isoformat())
        rows = frame_of(*((name, day, units) for (name, day), units in cells.items()))
        lake.replace_periods(TABLE, periods, write_files(rows, TABLE, lake.root) if cells else [])
        expected = {key: units for key, units in expected.items() if key not in replaced} | cells
        assert stored(lake) == sorted(
            (name, day.isoformat(), units) for (name, day), units in expected.items()
        )
    for name in OPERATORS:
        one = lake.files(TABLE, is_wanted=lambda each, name=name: each["operator_id"] == name)
        assert sum(file.rows for file in one) == sum(key[0] == name for key in expected)
        assert {file.partition_value("operator_id") for file in one} <= {name}


# --- versions -----------------------------------------------------------------------------------------------


def test_a_version_that_is_gone_says_so(lake: Lake) -> None:
    with pytest.raises(ObservatoryError, match=f"^{TABLE}: its log does not have version 99 any more"):
        lake.read(TABLE, 99)
    # Its log begins later, as after a clean-up.
    for number in range(3):
        files = write_files(frame_of(("a", DAY, number)), TABLE, lake.root)
        lake.replace_periods(TABLE, {"a": {DAY.isoformat()}}, files)
    log = DeltaTable(lake.path(TABLE))
    log.create_checkpoint()
    newest = log.version()
    (Path(lake.path(TABLE)) / "_delta_log" / f"{1:020}.json").unlink()
    (Path(lake.path(TABLE)) / "_delta_log" / f"{0:020}.json").unlink()
    for version in range(newest):
        with pytest.raises(
            ObservatoryError, match=f"does not have version {version} any more; the latest is"
        ):
            lake.read(TABLE, version)
    assert lake.version(TABLE) == newest and ("a", "2026-11-24", 2) in stored(lake)


def test_a_table_that_was_never_written_is_empty(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    assert lake.read(TABLE).schema == pl.Schema(polars_schema(TABLE)) and lake.read(TABLE).is_empty()
    assert lake.files(TABLE) == [] and not lake.exists(TABLE)
    assert lake.versions() == {} and lake.read_form() is None
    assert lake.undo_writes(TABLE, None) is False and sweep_files(lake, TABLE, time.time()) == []


def test_what_a_dead_run_wrote_is_taken_back(lake: Lake) -> None:
    named = lake.version(TABLE)
    before = stored(lake)
    assert lake.undo_writes(TABLE, named) is False and lake.version(TABLE) == named
    lake.replace_periods(TABLE, {"a": {"2026-11-24"}, "b": {"2026-11-24"}}, [])
    lake.add_files(TABLE, write_files(frame_of(("c", DAY, 5)), TABLE, lake.root))
    assert lake.undo_writes(TABLE, named) is True
    assert stored(lake) == before == stored(lake, named)
    protocol = DeltaTable(lake.path(TABLE)).protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)
    # Of a table that no run ever named nothing counts.
    assert lake.undo_writes(TABLE, None) is True and stored(lake) == []
    assert lake.undo_writes(TABLE, None) is False


# --- files of no version ------------------------------------------------------------------------------------


def test_only_files_that_no_version_names_are_swept(lake: Lake) -> None:
    folder = Path(lake.path(TABLE))
    first = lake.version(TABLE)
    for number in range(12):
        files = write_files(frame_of(("a", DAY, number)), TABLE, lake.root)
        lake.replace_periods(TABLE, {"a": {DAY.isoformat()}}, files)
    lake.append(frame_of(("b", DAY, 3)), TABLE)
    DeltaTable(lake.path(TABLE)).create_checkpoint()
    orphans = write_files(frame_of(("a", DAY, 99), ("new", DAY, 99)), TABLE, lake.root)
    start = time.time()
    running = write_files(frame_of(("a", DAY, 98)), TABLE, lake.root)
    for file in orphans:
        os.utime(folder / file.path, (start - 60, start - 60))
    for file in running:
        os.utime(folder / file.path, (start + 1, start + 1))
    versions = range(first, lake.version(TABLE) + 1)
    before = {version: stored(lake, version) for version in versions}
    assert sorted(sweep_files(lake, TABLE, start)) == sorted(file.path for file in orphans)
    # Each version that the log has is still read as it was; what was written since is not touched.
    assert {version: stored(lake, version) for version in versions} == before
    assert all((folder / file.path).exists() for file in running)
    assert sweep_files(lake, TABLE, start) == []
    lake.add_files(TABLE, running)
    # Files that only versions before the log's first have are of no version.
    for version in range(first, first + 3):
        (folder / "_delta_log" / f"{version:020}.json").unlink()
    swept = sweep_files(lake, TABLE, start)
    assert len(swept) <= 2
    for version in versions[4:]:
        try:
            found = stored(lake, version)
        except ObservatoryError:
            continue
        assert found == before[version]


def test_files_of_a_table_without_a_log_are_swept(tmp_path: Path) -> None:
    """A first run that died wrote files and made no table."""
    lake = Lake(str(tmp_path))
    files = write_files(frame_of(("a", DAY, 1), ("b", DAY, 1)), TABLE, lake.root)
    assert sweep_files(lake, TABLE, time.time() - 3600) == []
    assert len(sweep_files(lake, TABLE, time.time() + 1)) == len(files) == 2
    assert not list(Path(lake.path(TABLE)).rglob("*.parquet"))
