"""The steps of silver: each takes the frames of one bucket or cut and leaves others. Their order is in
jobs/operators/silver/pipeline.py.

What buckets need of each other goes in cuts, over narrow rows of all buckets. Rows that may meet have a
value in common: the ends of a link, a message-id, the network, sender and recipient of a refusal. All rows of
a value lie in one cut, so each row is read and joined once, however many buckets there are.
"""

from collections.abc import Iterable
from functools import cache

import polars as pl

from jobs.base.tables.buckets import Bucket, select_rows, split_by_value
from jobs.base.tables.contracts import polars_schema, read_contract, reference_table
from jobs.operators.formats.registry import KERNELS
from jobs.operators.silver import (
    assembling,
    bucketing,
    copies,
    file_order,
    hops,
    message_verdicts,
    refusals,
    repeats,
)
from jobs.operators.silver.exchange import Place, Shelf, Stored
from jobs.operators.silver.frames import (
    COPY,
    KNOWLEDGE,
    MESSAGE,
    MOVING,
    TRANSMISSION,
    VERDICT,
    Frame,
    bronze_name,
    held_name,
)
from jobs.operators.silver.message import open_rows

# Columns of bronze tables that silver does not read.
NOT_READ = ("ingest_id", "event_date")


def split_bronze(shelf: Shelf, frame: pl.DataFrame, format_name: str, count: int) -> None:
    """Leave bronze rows by bucket, held rows apart, and the first and last time of each file."""
    rows = frame.drop(NOT_READ, strict=False)
    shelf.leave_rows(Frame.EXTENT, copies.file_extents(rows, format_name))
    if KERNELS[format_name].settle:
        waits = rows.select(assembling.is_held(format_name)).to_series()
        if waits.any():
            shelf.leave_rows(held_name(format_name), rows.filter(waits))
            rows = rows.filter(~waits)
    leave_bronze(shelf, rows, format_name, count)


def leave_bronze(shelf: Shelf, rows: pl.DataFrame, format_name: str, count: int) -> None:
    if count == 1:
        shelf.leave_rows(bronze_name(format_name), rows)
    else:
        numbers = bucketing.bucket_of(rows, format_name, count)
        shelf.leave_by(bronze_name(format_name), rows, numbers, count)


def compare_files(place: Place) -> None:
    """The files that may hold copies, and the order of all, by their times in all bronze rows."""
    found = place.take_all(Frame.EXTENT)
    names = pl.DataFrame([*file_order.order_files(found).items()], schema=["stream_id", "name"], orient="row")
    place.leave_rows(Frame.LOGS, copies.logs_of(found))
    place.leave_rows(Frame.TURNS, repeats.find_turns(found))
    place.leave_rows(Frame.ORDER, names)


def take_order(place: Place) -> file_order.Order:
    """The names of streams by which files are in order, as compare_files() left them."""
    found = place.take_rows(Frame.ORDER)
    return {} if found is None else dict(found.iter_rows())


def settle_held(place: Place, format_name: str) -> None:
    """Give the held rows of a format their keys, and leave them by bucket."""
    rows, order = place.take_all(held_name(format_name)), take_order(place)
    inside = select_rows(rows, place.parameters.is_read(rows, pl.col("first_at").dt.date()))
    found = assembling.settle_rows(format_name, file_order.name_streams(inside, order))
    leave_bronze(place, file_order.restore_streams(found, order), format_name, place.parameters.buckets)


def drop_copies(place: Place) -> tuple[dict[str, pl.DataFrame], pl.DataFrame, file_order.Order]:
    """The bronze rows of a bucket by format, without copies and with the names of their streams; the counts
    of the copies; and those names."""
    order = take_order(place)
    formats = {}
    for format_name in sorted(KERNELS):
        if found := place.frames_named(bronze_name(format_name)):
            rows = bucket_rows(found, format_name, place.bucket)
            rows = select_rows(rows, place.parameters.is_read(rows, pl.col("first_at").dt.date()))
            formats[format_name] = file_order.name_streams(rows, order)
    logs = file_order.name_streams(place.take_or(Frame.LOGS, copies.LOGS), order)
    turned = file_order.name_streams(place.take_or(Frame.TURNS, repeats.TURNS), order)
    formats, found_copies = copies.counted_once(formats, logs, turned)
    return formats, found_copies, order


def bucket_rows(frames: Iterable[Stored], format_name: str, bucket: Bucket) -> pl.DataFrame:
    """The bronze rows of a bucket in frames that hold these and, where they were cut less finely, others."""
    found = []
    for each in frames:
        rows = each.read_rows()
        if each.count < bucket.count:
            rows = rows.filter(bucketing.bucket_of(rows, format_name, bucket.count) == bucket.number)
        found.append(rows)
    return pl.concat(found, rechunk=True)


def assemble_bucket(place: Place) -> None:
    """Keep the rows of silver tables that a bucket's bronze rows are assembled to. Rows of days that are not
    computed, and rows that belong to another bucket, are left for the bucket that they belong to."""
    parameters = place.parameters
    formats, found, order = drop_copies(place)
    place.leave_rows(Frame.COPIES, select_rows(found, parameters.is_computed(found, pl.col("period_date"))))
    for table in parameters.tables:
        rows = assembling.assemble_rows(table, formats, parameters.protection, order)
        if rows.is_empty():
            continue
        is_computed = parameters.is_computed(rows, pl.col(str(read_contract(table).period)))
        place.keep_rows(table, select_rows(rows, is_computed))
        if table == KNOWLEDGE:
            place.leave_rows(KNOWLEDGE, rows)
        if table in (TRANSMISSION, VERDICT):
            is_home = (bucketing.home_of(rows, place.bucket.count) == place.bucket.number).fill_null(True)
            leave_home(place, table, rows.filter(~(is_computed & is_home)))
            if parameters.is_narrowed:
                leave_narrow(place, table, rows)


def sum_copies(place: Place) -> None:
    """The copies that all buckets found, as rows of silver.copy_daily."""
    place.keep_rows(COPY, copies.sum_counts(place.take_all(Frame.COPIES)))


def split_by_home(place: Place, rows: pl.DataFrame) -> list[tuple[int, pl.DataFrame]]:
    """The rows by the bucket that each belongs to; those that belong to any stay at home."""
    count = place.parameters.buckets
    if count == 1:
        return [(place.home, rows)]
    to = bucketing.home_of(rows, count).fill_null(place.home)
    return [(int(number), part) for number, part in split_by_value(rows, to)]


def leave_home(place: Place, table: str, rows: pl.DataFrame) -> None:
    """Leave rows for the bucket that each belongs to."""
    if not rows.is_empty():
        place.leave_parts(table, split_by_home(place, rows), place.parameters.buckets)


def narrow_bucket(place: Place) -> None:
    """Leave what other buckets need of the transmissions and verdicts that belong here."""
    for table in (TRANSMISSION, VERDICT):
        rows = read_home_rows(place, table)
        if not rows.is_empty():
            leave_narrow(place, table, rows)


def leave_narrow(place: Place, table: str, rows: pl.DataFrame) -> None:
    """Leave what other buckets need of rows: ends of links and message-ids of transmissions, the message-ids
    that verdicts ask for; each with the bucket that the row belongs to."""
    cuts = place.parameters.cuts
    parts = split_by_home(place, rows)
    if table == VERDICT:
        asked = pl.concat(message_verdicts.ids_asked_for(part, number) for number, part in parts)
        place.leave_modulo(Frame.ASKED, asked, "id", cuts)
        return
    ends, ids = [], []
    for number, part in parts:
        placed = hops.place_files(part)
        ends.append(hops.link_ends(placed, number))
        ids.append(message_verdicts.message_ids(placed, number))
    place.leave_modulo(Frame.ENDS, pl.concat(ends), "link", cuts)
    place.leave_modulo(Frame.IDS, pl.concat(ids), "id", cuts)


def read_home_rows(place: Place, table: str) -> pl.DataFrame:
    """The transmissions or verdicts that belong to the bucket."""
    return place.take_kept(table, lambda rows: bucketing.home_of(rows, place.bucket.count))


def link_hops(place: Place) -> None:
    """The possible parents of later hops, by the cut that the later hop's bucket is in."""
    found = hops.find_parents(place.take_all(Frame.ENDS))
    place.leave_modulo(Frame.CANDIDATES, found, "bucket", place.parameters.cuts)


def choose_parents(place: Place) -> None:
    """The parent of each later hop: for the cut of the hop, and for that of its parent."""
    chosen = hops.choose_earliest(place.take_all(Frame.CANDIDATES))
    place.leave_modulo(Frame.PARENTS, chosen, "bucket", place.parameters.cuts)
    place.leave_modulo(Frame.CHILDREN, chosen, "parent_bucket", place.parameters.cuts)


def root_hops(place: Place) -> None:
    """The first hops of files whose parents are in this cut, by the bucket of each file."""
    rows, above = place.take_all(Frame.CHILDREN), place.take_rows(Frame.PARENTS)
    links = hops.join_roots(rows, rows.clear() if above is None else above)
    place.leave_modulo(Frame.LINKS, links, "bucket", place.parameters.buckets)


def route_verdicts(place: Place) -> None:
    """The buckets that verdicts without a queue id go to, by the bucket that each verdict is in."""
    questions, answers = place.take_all(Frame.ASKED), place.take_rows(Frame.IDS)
    if answers is not None:
        found = message_verdicts.find_routes(questions, answers).unique()
        place.leave_modulo(Frame.ROUTES, found, "bucket", place.parameters.buckets)


def forward_rows(place: Place) -> None:
    """A bucket's rows of later hops, and its verdicts without a queue id, by the cut of the bucket that each
    goes to. Sent straight from bucket to bucket, the frames would be the square of the number of buckets."""
    cuts = place.parameters.cuts
    links, routes = place.take_rows(Frame.LINKS), place.take_rows(Frame.ROUTES)
    if links is not None:
        later = hops.later_rows(hops.place_files(read_home_rows(place, TRANSMISSION)), links)
        place.leave_modulo(Frame.LATER_LEAVES, later, "bucket", cuts)
    if routes is not None:
        by_id = message_verdicts.join_routes(read_home_rows(place, VERDICT), routes)
        place.leave_modulo(Frame.BY_ID_LEAVES, by_id, "bucket", cuts)


def spread_rows(place: Place) -> None:
    """Rows that move to buckets of a cut, by the bucket that each goes to."""
    for name, arrives in MOVING.items():
        rows = place.take_rows(name)
        if rows is not None:
            place.leave_modulo(arrives, rows, "bucket", place.parameters.buckets)


def open_messages(place: Place) -> None:
    """Keep the messages of a bucket. Temporary refusals wait: what follows them may lie elsewhere."""
    parameters = place.parameters
    known, later, by_id = (place.take_rows(name) for name in (Frame.LINKS, Frame.LATER, Frame.BY_ID))
    links = empty_links() if known is None else known
    transmission, verdict = read_home_rows(place, TRANSMISSION), read_home_rows(place, VERDICT)
    if place.parts > 1:
        key = pl.struct("operator_id", pl.coalesce("queue_id", "transmission_hash")).hash(bucketing.SEED)
        transmission = transmission.filter(key % place.parts == place.part)
    message = open_rows(
        transmission,
        verdict,
        links,
        hops.later_rows(hops.place_files(transmission.clear()), links) if later is None else later,
        verdict.clear() if by_id is None else by_id,
        place.take_or(KNOWLEDGE, polars_schema(KNOWLEDGE)),
        reference_table("ref.attribute_rule")
        if parameters.attribute_rule is None
        else parameters.attribute_rule,
    )
    if parameters.message_columns is not None:
        message = message.select(parameters.message_columns)
    triples = refusals.hash_triples(message).with_columns(bucket=pl.lit(place.home, pl.Int32))
    place.leave_modulo(Frame.TRIPLES, triples, "triple", parameters.cuts)
    inside = select_rows(message, parameters.is_computed(message, pl.col("period_date")))
    waits = inside.select(refusals.IS_TEMPORARY.fill_null(False)).to_series()
    place.keep_rows(MESSAGE, inside.filter(~waits))
    place.leave_parts(Frame.TEMPORARY, [(place.home, inside.filter(waits))], parameters.buckets)


@cache
def empty_links() -> pl.DataFrame:
    return hops.find_roots(hops.find_parents(pl.DataFrame(schema=hops.ENDS)))


def follow_refusals(place: Place) -> None:
    """The temporary refusals that were followed up, by the bucket of each."""
    found = refusals.find_followed(place.take_all(Frame.TRIPLES))
    place.leave_modulo(Frame.FOLLOWED, found, "bucket", place.parameters.buckets)


def keep_refusals(place: Place) -> None:
    """Keep the temporary refusals that no later attempt followed up: each counts as a message."""
    rows, dropped = place.take_all(Frame.TEMPORARY), place.take_rows(Frame.FOLLOWED)
    place.keep_rows(MESSAGE, rows if dropped is None else refusals.drop_followed(rows, dropped))
