"""What tasks of the silver stage do, bucket by bucket; jobs/stages/silver_steps.py has their order.

A task that writes rows of a silver table checks them, adds up their checksums, and writes those of the days
that the run computes as files that no transaction names yet. Rows of days beside these only help to compute
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import polars as pl

from jobs.core.checksum import Fingerprints, checksums
from jobs.core.contracts import contract, polars_schema, reference
from jobs.engine.table_files import DataFile, NewFile, read_files, write_files
from jobs.engine.tasks import Bucket, Left, by_value, chosen, leave, leave_buckets, named, take
from jobs.formats.registry import KERNELS
from jobs.protect.operators import Door
from jobs.silver import assembling, bucketing, copies, file_order, hops, refusals, repeats, standing
from jobs.silver.frames import Frame
from jobs.silver.message import opened
from jobs.stages import cuts, windows
from jobs.stages.checks import Broken, check_rows

MESSAGE = "silver.message"
TRANSMISSION, VERDICT, KNOWLEDGE = "silver.transmission", "silver.verdict", "silver.operator_knowledge"
ASSEMBLED = (
    TRANSMISSION,
    VERDICT,
    "silver.complaint",
    "silver.authentication_report",
    KNOWLEDGE,
)
# Columns of bronze tables that silver does not read.
NOT_READ = ("ingest_id", "event_date")
Days = windows.Days


@dataclass
class Made:
    """What a task made for tables: files, the fingerprints of their rows, the rules that rows break, and
    frames in staging for later tasks."""

    files: list[NewFile] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    fingerprints: dict[str, list[Fingerprints]] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)

    def add(self, rows: pl.DataFrame, table: str, root: str) -> None:
        """Check rows of a table, add up their checksums, and write them as files."""
        if rows.is_empty():
            return
        self.broken += check_rows(rows, table)
        self.fingerprints.setdefault(table, []).append(checksums(rows, table))
        self.files += write_files(rows, table, root)


@dataclass
class OfBucket(Made):
    """The same of one bucket."""

    bucket: Bucket = Bucket(0, 1)


def bronze(format_name: str) -> str:
    return f"bronze.{format_name}"


def held(format_name: str) -> str:
    return f"held.{format_name}"


def split_rows(frame: pl.DataFrame, format_name: str, staging: str, count: int) -> list[Left]:
    """Leave bronze rows by bucket; those that have no key yet apart. Beside them from when to when each file
    has rows."""
    rows = frame.drop(NOT_READ, strict=False)
    left = leave(copies.extents(rows, format_name), Frame.EXTENT, staging)
    if KERNELS[format_name].settle:
        waits = rows.select(assembling.is_held(format_name)).to_series()
        if waits.any():
            left += leave(rows.filter(waits), held(format_name), staging)
            rows = rows.filter(~waits)
    return left + into_buckets(rows, format_name, staging, count)


def into_buckets(rows: pl.DataFrame, format_name: str, staging: str, count: int) -> list[Left]:
    """Leave bronze rows by bucket."""
    if count == 1:
        return leave(rows, bronze(format_name), staging)
    parts = by_value(rows, bucketing.bucket_of(rows, format_name, count))
    return leave_buckets(parts, bronze(format_name), staging, count)


def split(
    *, staging: str, files: Sequence[DataFile], format_name: str, count: int, waiting: pl.DataFrame
) -> list[Left]:
    """Read files of a bronze table and leave their rows by bucket, but for those of parts that wait."""
    rows = read_files(bronze(format_name), files)
    if waiting.height:
        rows = rows.join(waiting, on=windows.PART, how="anti", maintain_order="left")
    return split_rows(rows, format_name, staging, count)


def settle(
    *,
    staging: str,
    parts: Sequence[Left],
    order: Sequence[Left],
    format_name: str,
    days: Days,
    count: int,
) -> list[Left]:
    """Give the held rows of a format their keys, and leave them by bucket."""
    rows, names = take(parts), names_of(order)
    assert rows is not None
    inside = rows.filter(windows.is_inside(days, pl.col("first_at").dt.date()))
    found = assembling.settled(format_name, file_order.ordered(inside, names))
    return into_buckets(file_order.plain(found, names), format_name, staging, count)


def names_of(parts: Sequence[Left]) -> file_order.Order:
    """The names of streams by which files are in order, as compare() left them."""
    found = take(parts)
    return {} if found is None else dict(found.iter_rows())


def compare(*, staging: str, parts: Sequence[Left]) -> list[Left]:
    """The files that may hold copies, and the order of all, by their times in all bronze rows."""
    found = take(parts)
    assert found is not None
    names = pl.DataFrame([*file_order.order_of(found).items()], schema=["stream_id", "name"], orient="row")
    left = leave(copies.logs_of(found), Frame.LOGS, staging)
    left += leave(repeats.turns(found), Frame.TURNS, staging)
    return left + leave(names, Frame.ORDER, staging)


def sum_copies(*, root: str, parts: Sequence[Left]) -> Made:
    """The copies that all buckets found, as rows of silver.copy_daily."""
    made = Made()
    found = take(parts)
    assert found is not None
    made.add(copies.summed(found), copies.TABLE, root)
    return made


def assemble(
    *,
    root: str,
    staging: str,
    bucket: Bucket,
    parts: Sequence[Left],
    read: Days,
    computed: Days,
    door: Door,
    count: int,
    of_cuts: int,
) -> OfBucket:
    """The bronze rows of a bucket as rows of silver tables; what the messages of all buckets need of them.

    parts: frames with rows of the bucket, the files that may hold copies, and the order of all. count,
    of_cuts: of the buckets that rows move between, and of the cuts that narrow rows meet in.
    """
    made = OfBucket(bucket=bucket)
    formats = {}
    order = names_of(named(parts, Frame.ORDER))
    for name in sorted({each.name for each in parts} - {Frame.LOGS, Frame.TURNS, Frame.ORDER}):
        format_name = name.split(".", 1)[1]
        rows = bucket_rows(named(parts, name), format_name, bucket)
        rows = chosen(rows, is_inside(rows, read, pl.col("first_at").dt.date()))
        formats[format_name] = file_order.ordered(rows, order)
    logs = file_order.ordered(none_or(take(named(parts, Frame.LOGS)), copies.LOGS), order)
    turned = file_order.ordered(none_or(take(named(parts, Frame.TURNS)), repeats.TURNS), order)
    formats, found = copies.counted_once(formats, logs, turned)
    found = chosen(found, is_inside(found, computed, pl.col("period_date")))
    made.left += leave(found, Frame.COPIES, staging)
    home = bucket.number % count
    narrow: dict[tuple[Frame, str], list[pl.DataFrame]] = {}
    for table in ASSEMBLED:
        own = [name.split(".")[1] for name in contract(table).reads]
        own_formats = {name: formats[name] for name in own if name in formats}
        rows = assembling.assembled(table, own_formats, door, order)
        if rows.is_empty():
            continue
        is_computed = is_inside(rows, computed, pl.col(str(contract(table).period)))
        made.add(chosen(rows, is_computed), table, root)
        if table == KNOWLEDGE:
            made.left += leave(rows, KNOWLEDGE, staging)
        if table not in (TRANSMISSION, VERDICT):
            continue
        # What is in the files of this bucket need not move there.
        moves = rows.filter(~(is_computed & is_home(rows, bucket)))
        made.left += move(moves, table, staging, home, count)
        for number, part in by_home(rows, home, count):
            if table == TRANSMISSION:
                placed = hops.placed(part)
                narrow.setdefault((Frame.ENDS, "link"), []).append(hops.ends(placed, number))
                narrow.setdefault((Frame.IDS, "id"), []).append(standing.message_ids(placed, number))
            else:
                narrow.setdefault((Frame.ASKED, "id"), []).append(standing.asked(part, number))
    for (name, value), frames in narrow.items():
        made.left += cuts.leave_by(pl.concat(frames), value, name, staging, of_cuts)
    return made


def is_inside(rows: pl.DataFrame, days: Days, day: pl.Expr) -> pl.Series:
    return rows.select(windows.is_inside(days, day).alias("is_inside")).to_series()


def bucket_rows(parts: Iterable[Left], format_name: str, bucket: Bucket) -> pl.DataFrame:
    """The bronze rows of a bucket in frames that hold these and, where they were cut less finely, others."""
    frames = []
    for each in parts:
        rows = take([each])
        assert rows is not None
        if each.count < bucket.count:
            rows = rows.filter(bucketing.bucket_of(rows, format_name, bucket.count) == bucket.number)
        frames.append(rows)
    return pl.concat(frames, rechunk=True)


def is_home(rows: pl.DataFrame, bucket: Bucket) -> pl.Series:
    """Whether transmissions or verdicts belong to the bucket, or to none."""
    return (bucketing.home_of(rows, bucket.count) == bucket.number).fill_null(True)


def by_home(rows: pl.DataFrame, home: int, count: int) -> list[tuple[int, pl.DataFrame]]:
    """The rows by the bucket that each belongs to; those that belong to none stay at home."""
    if count == 1:
        return [(home, rows)]
    to = bucketing.home_of(rows, count).fill_null(home)
    return [(int(number), part) for number, part in by_value(rows, to)]


def move(rows: pl.DataFrame, table: str, staging: str, home: int, count: int) -> list[Left]:
    """Leave rows for the bucket that each belongs to."""
    if rows.is_empty():
        return []
    return leave_buckets(by_home(rows, home, count), table, staging, count)


def forward(*, staging: str, of_bucket: Inputs, of_cuts: int) -> list[Left]:
    """A bucket's rows of later hops, and its verdicts without a queue id, by the cut of the bucket that each
    goes to."""
    left: list[Left] = []
    links, routes = take(named(of_bucket.left, Frame.LINKS)), take(named(of_bucket.left, Frame.ROUTES))
    if links is not None:
        later = hops.later_rows(hops.placed(of_bucket.transmissions()), links)
        left += cuts.leave_by(later, "bucket", Frame.LATER, staging, of_cuts)
    if routes is not None:
        by_id = standing.routed(of_bucket.verdicts(), routes)
        left += cuts.leave_by(by_id, "bucket", Frame.BY_ID, staging, of_cuts)
    return left


@dataclass(frozen=True)
class Inputs:
    """Where the transmissions and verdicts of a bucket lie: in files that its assembly wrote, and in staging.

    part, parts: which part of the bucket's queue files a task takes.
    """

    bucket: Bucket
    files: tuple[DataFile, ...]
    left: tuple[Left, ...]
    part: int = 0
    parts: int = 1

    @property
    def halves(self) -> list[Inputs]:
        """The same rows in two parts."""
        return [
            replace(self, part=part, parts=self.parts * 2) for part in (self.part, self.part + self.parts)
        ]

    def rows(self, table: str) -> pl.DataFrame:
        own = read_files(table, [file for file in self.files if table_of(file) == table])
        moved = take(named(self.left, table))
        together = own if moved is None else pl.concat([own, moved.select(own.columns)])
        return chosen(together, is_home(together, self.bucket))

    def transmissions(self) -> pl.DataFrame:
        rows = self.rows(TRANSMISSION)
        if self.parts == 1:
            return rows
        place = pl.struct("operator_id", pl.coalesce("queue_id", "transmission_hash")).hash(bucketing.SEED)
        return rows.filter(place % self.parts == self.part)

    def verdicts(self) -> pl.DataFrame:
        return self.rows(VERDICT)


def table_of(file: DataFile) -> str:
    """silver.<name>, from the folders of the file."""
    folders = file.path.split("/")
    return ".".join(folders[folders.index("silver") :][:2]) if "silver" in folders else ""


def messages(*, root: str, staging: str, of_bucket: Inputs, computed: Days, count: int, of_cuts: int) -> Made:
    """The messages of a bucket. Temporary refusals wait in staging: what follows them may lie elsewhere.

    count, of_cuts: of the buckets that rows move between, and of the cuts that narrow rows meet in.
    """
    made = Made()
    known = take(named(of_bucket.left, Frame.LINKS))
    links = no_links() if known is None else known
    rows, verdict = of_bucket.transmissions(), of_bucket.verdicts()
    later, by_id = take(named(of_bucket.left, Frame.LATER)), take(named(of_bucket.left, Frame.BY_ID))
    message = opened(
        rows,
        verdict,
        links,
        hops.later_rows(hops.placed(rows.clear()), links) if later is None else later,
        verdict.clear() if by_id is None else by_id,
        none_or(take(named(of_bucket.left, KNOWLEDGE)), polars_schema(KNOWLEDGE)),
        reference("ref.attribute_rule"),
    )
    home = of_bucket.bucket.number % count
    triples = refusals.triples(message).with_columns(bucket=pl.lit(home, pl.Int32))
    made.left += cuts.leave_by(triples, "triple", Frame.TRIPLES, staging, of_cuts)
    inside = chosen(message, is_inside(message, computed, pl.col("period_date")))
    waits = inside.select(refusals.IS_TEMPORARY.fill_null(False)).to_series()
    made.add(inside.filter(~waits), MESSAGE, root)
    made.left += leave_buckets([(home, inside.filter(waits))], Frame.TEMPORARY, staging, count)
    return made


@cache
def no_links() -> pl.DataFrame:
    return hops.roots(hops.candidates(pl.DataFrame(schema=hops.ENDS)))


def none_or(frame: pl.DataFrame | None, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    return pl.DataFrame(schema=dict(schema)) if frame is None else frame


def refused(*, root: str, parts: Sequence[Left], followed: Sequence[Left]) -> Made:
    """The temporary refusals that nothing followed up, as rows of silver.message."""
    made = Made()
    rows = take(parts)
    assert rows is not None
    dropped = take(followed)
    made.add(rows if dropped is None else refusals.without_followed(rows, dropped), MESSAGE, root)
    return made
