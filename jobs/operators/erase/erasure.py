"""Erasing subscribers from a lake: what was read of them, what was derived from it, and every earlier
version.

Landing and bronze lose the lines (jobs/operators/erase/erasure_plan.py). Silver loses the rows that hold
a pseudonym of theirs, under any key, of days whose logs are long gone, too; then a run computes anew what
depends on either. Samples of audits, results of rules and sketches of senders lose them as well. Last, files
that no present version needs go. An erasure that was broken off is ended by the same command.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from jobs.base.checks.validations import FOLDER
from jobs.base.core.disk import replace_file
from jobs.base.core.errors import ObservatoryError, ValidationHeld
from jobs.base.core.periods import months_of
from jobs.base.places.file_systems import is_local, keeps_versions, open_store
from jobs.base.settings.config import Observatory
from jobs.base.settings.operator import Operator
from jobs.base.store import record
from jobs.base.store.lake import Lake
from jobs.base.store.table_files import DataFile, read_files
from jobs.base.tables import sketch
from jobs.base.tables.checksum import Fingerprint, fingerprint_periods
from jobs.base.tables.contracts import Row, list_tables, read_contract, rows_frame
from jobs.operators.erase.erasure_plan import (
    CHECKED,
    LEDGER,
    PLAN,
    TABLE,
    ErasurePlan,
    apply_plan,
    national_sources,
    remove_history,
    rewrite_partitions,
)
from jobs.operators.erase.named_places import NamedPlaces, find_places, landed_of, texts_of
from jobs.operators.erase.subscribers import Subscribers, hash_names, pseudonyms_of
from jobs.operators.protect.pseudonym_keys import derived_key_id
from jobs.operators.silver.frames import SILVER

MESSAGE, LABEL = "silver.message", "silver.audit_label"
ERASED = b"erased"


@dataclass(frozen=True)
class Asked:
    """A subscriber that is to be erased. name: the number or address as silver has it, of each operator.

    Attributes:
        place: where it was asked for, for messages.
    """

    names: Mapping[str, str]
    place: str


def refuse_versions(lake: Lake) -> None:
    """Raise ObservatoryError where a lake's bucket keeps earlier versions of objects."""
    fs, path = open_store(lake.root)
    if not is_local(lake.root) and keeps_versions(fs, path.partition("/")[0]):
        raise ObservatoryError(
            f"{lake.root}: the bucket keeps earlier versions of objects, which erase could not remove."
            " Suspend its versioning, erase, and then remove the earlier versions below the lake, as by a"
            " lifecycle rule for noncurrent versions"
        )


def plan_erasure(
    lake: Lake,
    settings: Observatory,
    operators: Iterable[Operator],
    asked: Iterable[Asked],
    run_id: str,
    erased_by: str,
    erased_at: dt.datetime,
) -> tuple[ErasurePlan, list[Asked]]:
    """The plan of an erasure, and the subscribers of whom the lake has nothing. Nothing is changed.

    Args:
        operators: those in whose data the subscribers are looked for.
        erased_by: the user of the machine who asked.
        erased_at: UTC.
    """
    plan = ErasurePlan(run_id, erased_at.isoformat(), erased_by)
    plan.checked = str(lake.read(LEDGER, columns=["ingest_id"])["ingest_id"].max() or "")
    found_hashes: set[tuple[str, str]] = set()
    wanted, key_files = list(asked), [each.key_file for each in settings.key_periods]
    last = key_files[-1]
    for operator in operators:
        names = pl.Series([each.names[operator.id] for each in wanted], dtype=pl.String)
        hashes = hash_names(names, operator.id, last)
        subscribers = Subscribers(operator.id, operator.country, {last: frozenset(hashes)})
        places = find_places(lake, subscribers, landed_of(lake, operator.id), national_sources(operator))
        plan.add_places(lake, operator, places)
        everybody = pseudonyms_of({*names, *places.names}, operator.id, key_files)
        plan.pseudonyms[operator.id] = sorted(everybody)
        plan.silver_counts[operator.id], plan.days[operator.id] = count_silver(lake, operator.id, everybody)
        seen = present_names(names, places, lake, operator.id, key_files)
        key_id = derived_key_id(operator.id, last)
        for name, hashed in zip(names, hashes, strict=True):
            if name in seen:
                found_hashes.add((operator.id, name))
                plan.asked.append({"operator_id": operator.id, "key_id": key_id, "erased_hash": hashed})
    absent = [
        each
        for each in wanted
        if not any((operator, name) in found_hashes for operator, name in each.names.items())
    ]
    return plan, absent


def present_names(
    names: pl.Series, places: NamedPlaces, lake: Lake, operator_id: str, key_files: list[str | None]
) -> set[str]:
    """The names that the lake has: in logs, or by a pseudonym."""
    seen = set(names) & places.names
    left = sorted(set(names) - seen)
    of_name = {name: pseudonyms_of([name], operator_id, key_files) for name in left}
    everybody = sorted({each for of_one in of_name.values() for each in of_one})
    if not everybody:
        return seen
    held: set[str] = set()
    for table in SILVER:
        for file in lake.files(table, is_wanted=lambda each: each["operator_id"] == operator_id):
            rows = lake_rows(table, file)
            texts = texts_of(rows)
            hits = texts.filter(texts.str.contains_any(everybody))
            held |= {each for each in everybody if hits.str.contains(each, literal=True).any()}
    return seen | {name for name, of_one in of_name.items() if of_one & held}


def lake_rows(table: str, file: DataFile) -> pl.DataFrame:
    return read_files(table, [file])


def rows_with(pseudonyms: Iterable[str]) -> Callable[[pl.DataFrame], pl.Series]:
    """Return a function that finds the numbers of the rows with one of these pseudonyms in any column."""
    known = sorted(pseudonyms)

    def find(rows: pl.DataFrame) -> pl.Series:
        return texts_of(rows).str.contains_any(known).arg_true()

    return find


def count_silver(lake: Lake, operator_id: str, pseudonyms: set[str]) -> tuple[dict[str, int], list[str]]:
    """Rows of silver that hold one of these pseudonyms, counted by table, and the days of their messages."""
    find, counts, days = rows_with(pseudonyms), {}, set()
    for table in SILVER:
        count = 0
        for file in lake.files(table, is_wanted=lambda each: each["operator_id"] == operator_id):
            numbers = find(lake_rows(table, file))
            count += len(numbers)
            if table == MESSAGE and len(numbers):
                days.add(str(file.partition_value("period_date")))
        counts[table] = count
    return counts, sorted(days)


# --- what is changed ---


def erase_silver(lake: Lake, plan: ErasurePlan) -> None:
    """Take the rows out of silver, of samples of audits and results of rules."""
    started, partitions = record.utc_now(), list[record.Partition]()
    state = record.read_state(lake, SILVER)
    for operator_id, pseudonyms in plan.pseudonyms.items():
        find = rows_with(pseudonyms)
        keys = keys_of_rows(lake, operator_id, find)
        erase_results(lake, [*pseudonyms, *keys])
        erase_labels(lake, operator_id, pseudonyms, find)
        for table in SILVER:
            stay = rewrite_partitions(lake, table, operator_id, find)
            partitions += [print_period(rows, table, operator_id, each, state) for each, rows in stay.items()]
    named = lake.versions()
    changed = [
        table
        for table in list_tables()
        if read_contract(table).layer in ("bronze", "silver") and lake.exists(table)
        if lake.version(table) != named.get(table)
    ]
    if changed:
        record.add_stage(lake, plan.run_id, "erase", started, changed, partitions)


def keys_of_rows(lake: Lake, operator_id: str, find: Callable[[pl.DataFrame], pl.Series]) -> set[str]:
    """The keys of rows of silver that go: rules that they broke name them."""
    keys: set[str] = set()
    for table in SILVER:
        own = [
            name for name in read_contract(table).key if name.endswith("_hash") and name != "recipient_hash"
        ]
        for file in (
            lake.files(table, is_wanted=lambda each: each["operator_id"] == operator_id) if own else ()
        ):
            rows = lake_rows(table, file)
            keys |= {key for name in own for key in rows[find(rows)][name].drop_nulls() if len(key) == 32}
    return keys


def erase_labels(
    lake: Lake, operator_id: str, pseudonyms: list[str], find: Callable[[pl.DataFrame], pl.Series]
) -> None:
    """Take units out of samples of audits: whatever the subscribers sent or received."""
    if not lake.exists(LABEL):
        return
    units = ["message_hash", "recipient_hash"]
    parts = [pl.DataFrame(schema=dict.fromkeys(units, pl.String))]
    for file in lake.files(MESSAGE, is_wanted=lambda each: each["operator_id"] == operator_id):
        rows = lake_rows(MESSAGE, file)
        parts.append(rows[find(rows)].select(units))
    going = pl.concat(parts).unique()

    def find_units(rows: pl.DataFrame) -> pl.Series:
        is_own = pl.col("recipient_hash").is_in(pseudonyms)
        numbered = rows.select(*units).with_row_index("number")
        sent = numbered.join(going, on=units, how="semi")["number"]
        return pl.concat([numbered.filter(is_own)["number"], sent]).unique().sort()

    rewrite_partitions(lake, LABEL, operator_id, find_units)


def erase_results(lake: Lake, texts: Iterable[str]) -> None:
    """Take pseudonyms and keys of rows out of results of rules, whose examples name them."""
    wanted = sorted(each.encode() for each in texts)
    fs, folder = open_store(f"{lake.root}/{FOLDER}")
    for file in fs.find(folder):
        data = fs.cat_file(file)
        hits = [each for each in wanted if each in data]
        for each in hits:
            data = data.replace(each, ERASED)
        if hits:
            replace_file(fs, file, data)


def erase_sketches(lake: Lake, plan: ErasurePlan) -> None:
    """Take senders and recipients out of sketches of days that are not counted again."""
    started = record.utc_now()
    gold = [table for table in list_tables() if read_contract(table).layer == "gold" and lake.exists(table)]
    state, partitions = record.read_state(lake, gold), list[record.Partition]()
    for operator_id, pseudonyms in plan.pseudonyms.items():
        for table in gold:
            for period, rows in cleaned_sketches(lake, table, operator_id, pseudonyms):
                column = read_contract(table).period
                lake.replace(rows, table, f"operator_id = '{operator_id}' AND {column} = '{period}'")
                partitions.append(print_period(rows, table, operator_id, period, state))
    if partitions:
        written = sorted({each["table_name"] for each in partitions})
        record.add_stage(lake, plan.run_id, "erase", started, written, partitions)


def cleaned_sketches(
    lake: Lake, table: str, operator_id: str, pseudonyms: list[str]
) -> Iterator[tuple[str, pl.DataFrame]]:
    """The periods of a table whose sketches hold somebody, with their rows without them."""
    names = [name for name in read_contract(table).columns if name.endswith("_sketch")]
    if not names:
        return
    hashed = pl.DataFrame({"each": pseudonyms}).select(sketch.hash_pseudonym(pl.col("each")))["each"]
    is_known = pl.element().is_in(hashed.implode())
    by_period: dict[str, list[DataFile]] = {}
    for file in lake.files(table, is_wanted=lambda each: each["operator_id"] == operator_id):
        by_period.setdefault(str(file.partition_value(str(read_contract(table).period))), []).append(file)
    for period, files in by_period.items():
        rows = read_files(table, files)
        empty = pl.lit([], dtype=sketch.LIST)
        lists = rows.select(sketch.unpack_hashes(pl.col(name)).fill_null(empty) for name in names)
        has_some = pl.any_horizontal(pl.col(name).list.eval(is_known).list.any() for name in names)
        if not lists.select(has_some.any()).item():
            continue
        cleaned = lists.select(pl.col(name).list.eval(pl.element().filter(~is_known)) for name in names)
        packed = cleaned.select(sketch.pack_hashes(pl.col(name)) for name in names)
        yield (
            period,
            rows.with_columns(
                pl.when(pl.col(name).is_not_null()).then(packed[name]).alias(name) for name in names
            ),
        )


def print_period(
    rows: pl.DataFrame, table: str, operator_id: str, period: str, state: record.State
) -> record.Partition:
    """The record for meta.run of an operator-period that has these rows now, from its record before."""
    found = fingerprint_periods(rows, table).get((operator_id, period), Fingerprint(0, ""))
    return {
        "table_name": table,
        "operator_id": operator_id,
        "period": period,
        "row_count": found.rows,
        "checksum": found.checksum,
        "input_checksum": state.get((table, operator_id, period), ("", ""))[1],
    }


def remember_erasure(lake: Lake, plan: ErasurePlan) -> None:
    """Add a row of meta.erasure for each subscriber, unless it has those of this erasure; the plan goes."""
    if lake.read(TABLE, columns=["run_id"], where=pl.col("run_id") == plan.run_id).is_empty():
        rows = [row_of_record(plan, each) for each in plan.asked]
        lake.append(rows_frame(rows, TABLE), TABLE)
    lake.add_notes({CHECKED: max(plan.checked, str(lake.read_notes().get(CHECKED, "")))})
    fs, file = lake.own_file(PLAN)
    fs.rm(file)


def row_of_record(plan: ErasurePlan, asked: Mapping[str, str]) -> Row:
    """A row of meta.erasure."""
    operator_id = asked["operator_id"]
    counts, days = plan.silver_counts.get(operator_id, {}), plan.days.get(operator_id, [])
    return {
        "run_id": plan.run_id,
        **asked,
        "erased_at": dt.datetime.fromisoformat(plan.erased_at),
        "erased_by": plan.erased_by,
        "line_count": plan.line_count,
        "bronze_row_count": plan.bronze_row_count,
        "silver_row_count": sum(counts.values()),
        "message_count": counts.get(MESSAGE, 0),
        "first_erased_date": dt.date.fromisoformat(min(days)) if days else None,
        "last_erased_date": dt.date.fromisoformat(max(days)) if days else None,
    }


def complete_erasure(lake: Lake, plan: ErasurePlan, compute_rest: Callable[[], None]) -> None:
    """Do what a plan says, from wherever it was broken off.

    Args:
        compute_rest: computes what depends on what was erased.
    """
    apply_plan(lake, plan)
    erase_silver(lake, plan)
    held: ValidationHeld | None = None
    try:
        compute_rest()
    except ValidationHeld as error:
        # What is held keeps its figures; the rows are gone all the same.
        held = error
    erase_sketches(lake, plan)
    remove_history(lake, [table for table in list_tables() if read_contract(table).layer != "ref"])
    remember_erasure(lake, plan)
    if held is not None:
        raise held


def find_packages(lake: Lake, months: Mapping[str, Iterable[str]]) -> list[str]:
    """The files of packages with counts of operators for these months, by their operators: that this lake has
    sent, or has received, as a study's does."""
    sent = lake.read("meta.delivery", columns=["operator_id", "period_code", "file_name"])
    received = lake.read("study.submission_receipt", columns=["operator_id", "period_code", "file_name"])
    return sorted(
        {
            str(name)
            for operator, period, name in (*sent.rows(), *received.rows())
            if set(months_of(period)) & set(months.get(operator, ()))
        }
    )
