"""Erasures that stand: one that was begun is done again until it is whole, and a later pull of the same logs
does not bring a subscriber back.

_erasure/plan.json lists what an erasure removes, before anything is removed; it holds keyed hashes and places
alone. meta.erasure remembers each subscriber by a keyed hash, and until when. After a run has read new
batches, it looks there for subscribers with records from before they were erased, takes their lines out of
landing, and reads the batches again. Records after an erasure count as ever: a number may have another owner
by then.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import polars as pl

from jobs.base.core.disk import replace_file
from jobs.base.core.errors import ObservatoryError
from jobs.base.settings.config import Observatory
from jobs.base.settings.operator import Operator
from jobs.base.store import compaction
from jobs.base.store.lake import Lake
from jobs.base.store.table_files import DataFile, read_files
from jobs.base.tables.contracts import read_contract
from jobs.operators.build.batches import Ingest, Ingested, landed_pieces, record_intent
from jobs.operators.build.bronze_stage import finish_batches
from jobs.operators.erase.erased_lines import erase_document, erase_lines
from jobs.operators.erase.named_places import QUARANTINE, NamedPlaces, find_places, landed_of
from jobs.operators.erase.subscribers import Subscribers
from jobs.operators.ingest.manifest import open_landing
from jobs.operators.ingest.packed import ENDINGS
from jobs.operators.protect.pseudonym_keys import derived_key_id
from jobs.operators.silver.line_places import PLACE

PLAN, TABLE, LEDGER = "_erasure/plan.json", "meta.erasure", "bronze.file"
# In observatory.json: the last batch in which erased subscribers were looked for.
CHECKED = "erasures_checked"
ROW = [*PLACE, "assembly_key"]


@dataclass
class ErasurePlan:
    """The plan of an erasure, of one operator or several.

    Attributes:
        asked: operator_id, key_id and erased_hash of each subscriber.
        pseudonyms: theirs, by operator.
        lines: by piece, the offsets of lines that go.
        documents: pieces that go as a whole.
        batches: pieces that are read again, by their batch.
        rows: by table, places of bronze rows whose batches cannot be read again.
        silver_counts: by operator and table, rows of silver that go.
        days: by operator, those of its messages.
        checked: the last batch that was looked at.
    """

    run_id: str
    erased_at: str
    erased_by: str
    asked: list[dict[str, str]] = field(default_factory=list)
    pseudonyms: dict[str, list[str]] = field(default_factory=dict)
    lines: dict[str, list[int]] = field(default_factory=dict)
    documents: list[str] = field(default_factory=list)
    batches: dict[str, list[str]] = field(default_factory=dict)
    rows: dict[str, list[list[Any]]] = field(default_factory=dict)
    line_count: int = 0
    bronze_row_count: int = 0
    silver_counts: dict[str, dict[str, int]] = field(default_factory=dict)
    days: dict[str, list[str]] = field(default_factory=dict)
    checked: str = ""

    def add_places(self, lake: Lake, operator: Operator, places: NamedPlaces) -> None:
        """Add what goes of an operator's landing and bronze."""
        again, alone = split_batches(lake, operator, places)
        for batch, keys in again.items():
            self.batches[batch] = sorted({*self.batches.get(batch, ()), *keys})
        self.lines |= {key: sorted(offsets) for key, offsets in places.lines.items()}
        self.documents += sorted(places.documents)
        for table, rows in alone.items():
            self.rows.setdefault(table, []).extend([operator.id, *row] for row in rows.rows())
        self.line_count += places.line_count
        self.bronze_row_count += sum(rows.height for rows in places.rows.values())

    def write(self, lake: Lake) -> None:
        replace_file(*lake.own_file(PLAN), json.dumps(asdict(self)).encode())


def read_plan(lake: Lake) -> ErasurePlan | None:
    """The erasure that was begun and is not whole."""
    fs, file = lake.own_file(PLAN)
    return ErasurePlan(**json.loads(fs.cat_file(file))) if fs.exists(file) else None


def split_batches(
    lake: Lake, operator: Operator, places: NamedPlaces
) -> tuple[dict[str, set[str]], dict[str, pl.DataFrame]]:
    """The batches that are read again, each source of one as a whole, with their pieces; and the rows of
    bronze whose batches cannot be, because landing no longer has all of their logs."""
    ledger = lake.read(LEDGER, where=pl.col("operator_id") == operator.id).select(
        "ingest_id", "source_id", key=pl.concat_str("operator_id", "source_id", "piece_id", separator="/")
    )
    touched = [ledger.filter(pl.col("key").is_in([*places.lines, *places.documents]))]
    touched += [rows.select("ingest_id", "source_id", key=pl.lit("")) for rows in places.rows.values()]
    if places.quarantined.height:
        touched.append(places.quarantined.select("ingest_id", "source_id", key=pl.lit("")))
    parts = pl.concat(touched).select("ingest_id", "source_id").unique()
    fs, area = open_landing(lake.root)
    there = [key for key, *_ in landed_pieces(fs, area, [operator])]
    whole = ledger.join(parts, on=["ingest_id", "source_id"], how="semi").with_columns(
        is_there=pl.col("key").is_in(there).all().over("ingest_id", "source_id")
    )
    again = whole.filter("is_there")
    batches = {
        str(batch): set(part["key"])
        for (batch,), part in again.partition_by("ingest_id", as_dict=True).items()
    }
    alone = {
        table: rows.join(again, on=["ingest_id", "source_id"], how="anti").select(ROW)
        for table, rows in places.rows.items()
    }
    if places.quarantined.height:
        left = places.quarantined.join(again, on=["ingest_id", "source_id"], how="anti")
        alone[QUARANTINE] = left.select("source_id", "piece_id", "offset", assembly_key=pl.lit(""))
    return batches, {table: rows for table, rows in alone.items() if rows.height}


def apply_plan(lake: Lake, plan: ErasurePlan) -> None:
    """Take the lines out of landing, and the rows out of bronze that are not read again; then say which
    batches are. Each step may be done again."""
    fs, area = open_landing(lake.root)
    operators = {key.split("/", 1)[0] for key in (*plan.lines, *plan.documents)} | {*plan.pseudonyms}
    pieces = {each.key: each for operator in operators for each in landed_of(lake, operator)}
    for operator in operators:
        remove_unnamed(lake, operator)
    for key, offsets in plan.lines.items():
        if key in pieces:
            erase_lines(fs, pieces[key].whole, offsets)
    for key in plan.documents:
        if key in pieces:
            erase_document(fs, pieces[key].piece.path)
    for table, rows in plan.rows.items():
        delete_places(lake, table, rows)
    for batch, keys in plan.batches.items():
        record_intent(fs, area, batch, set(keys), again=True)


def remove_unnamed(lake: Lake, operator_id: str) -> None:
    """Remove what pulls that died left in landing: pieces that no manifest names; a pull lands them again."""
    fs, area = open_landing(lake.root)
    named = {each.piece.path for each in landed_of(lake, operator_id)}
    for ending in (*ENDINGS, ".new"):
        for path in fs.glob(f"{area}/{operator_id}/*/*{ending}"):
            if path not in named:
                fs.rm(path)


def delete_places(lake: Lake, table: str, rows: list[list[Any]]) -> None:
    """Take rows out of a bronze table by their places."""
    columns = ["operator_id", "source_id", "stream_id", "offset", "assembly_key"]
    if table == QUARANTINE:
        columns[2] = "piece_id"
    going = pl.DataFrame(rows, schema=columns, orient="row").cast({"offset": pl.Int64})
    by = columns[:4] if table == QUARANTINE else columns
    for operator in going["operator_id"].unique():
        rewrite_partitions(
            lake,
            table,
            operator,
            lambda found: found.select(by).with_row_index().join(going, on=by, how="semi")["index"],
        )


def rewrite_partitions(
    lake: Lake, table: str, operator_id: str, find: Callable[[pl.DataFrame], pl.Series]
) -> dict[str, pl.DataFrame]:
    """Take rows out of an operator's partitions, each in a transaction of its own that names no row; by
    period the rows that stay.

    Args:
        find: of a partition's rows, the numbers of those that go.
    """
    of_partition: dict[tuple[tuple[str, str | None], ...], list[DataFile]] = {}
    for file in lake.files(table, is_wanted=lambda each: each["operator_id"] == operator_id):
        of_partition.setdefault(file.partition, []).append(file)
    stay = {}
    for partition, files in of_partition.items():
        rows = read_files(table, files)
        numbers = find(rows)
        if not len(numbers):
            continue
        left = rows.with_row_index("number").filter(~pl.col("number").is_in(numbers.implode())).drop("number")
        where = " AND ".join(
            f"{name} IS NULL" if value is None else f"{name} = '{value}'" for name, value in partition
        )
        if left.height:
            lake.replace(left, table, where)
        else:
            lake.delete(table, where)
        period = read_contract(table).period
        stay[str(dict(partition).get(str(period)))] = left
    return stay


def remove_history(lake: Lake, tables: Iterable[str]) -> None:
    """Remove every file that no present version of tables needs, and what their logs say of earlier ones."""
    from jobs.operators.keep import vacuum

    named, now = lake.versions(), dt.timedelta(0)
    for table in tables:
        if lake.exists(table):
            vacuum.remove_old_files(lake, table, named.get(table), now)
            compaction.shorten_log(lake, table, named.get(table), now)


# --- later pulls ---


def erase_again(work: Ingest) -> Ingested:
    """Erase what new batches have of subscribers that were erased before, and read these batches again."""
    lake, settings = work.lake, work.settings
    known = lake.read(TABLE)
    if known.is_empty():
        return Ingested()
    last = str(lake.read_notes().get(CHECKED, ""))
    ledger = lake.read(LEDGER, where=pl.col("ingest_id") > last)
    found = False
    for operator in work.operators:
        mine = known.filter(operator_id=operator.id)
        for (at,), of_time in mine.partition_by("erased_at", as_dict=True).items():
            new = ledger.filter(
                pl.col("operator_id") == operator.id,
                pl.col("first_event_date").is_null() | (pl.col("first_event_date") <= at.date()),
            )
            if new.is_empty():
                continue
            keys = set(
                new.select(key=pl.concat_str("operator_id", "source_id", "piece_id", separator="/"))["key"]
            )
            places = find_places(
                lake,
                remembered(settings, operator, of_time),
                [each for each in landed_of(lake, operator.id) if each.key in keys],
                national_sources(operator),
                at,
                set(new["ingest_id"]),
            )
            if places.is_nothing:
                continue
            plan = ErasurePlan("", "", "")
            plan.add_places(lake, operator, places)
            apply_plan(lake, plan)
            found = True
    again = finish_batches(work) if found else Ingested()
    if ledger.height:
        lake.add_notes({CHECKED: max(last, str(ledger["ingest_id"].max()))})
    return again


def remembered(settings: Observatory, operator: Operator, known: pl.DataFrame) -> Subscribers:
    """Erased subscribers of an operator, from rows of meta.erasure. Raises ObservatoryError where the
    settings no longer have the key that they are remembered by."""
    files = {derived_key_id(operator.id, each.key_file): each.key_file for each in settings.key_periods}
    hashes: dict[str | None, frozenset[str]] = {}
    for (key_id,), rows in known.partition_by("key_id", as_dict=True).items():
        if key_id not in files:
            raise ObservatoryError(
                f"operator '{operator.id}': {rows.height} erased subscribers are remembered by the key with"
                f" the id {key_id}, which the settings no longer name: a pull could bring them back. Name its"
                " file again in [lake] key_file or a [[key]]"
            )
        hashes[files[str(key_id)]] = frozenset(rows["erased_hash"])
    return Subscribers(operator.id, operator.country, hashes)


def national_sources(operator: Operator) -> set[str]:
    return {source.id for source in operator.source if source.numbers == "national"}
