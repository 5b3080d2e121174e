"""Joins Postfix's lines into bronze rows: one per lifetime of a queue file or of a refusing session.

row_code queue    a queue file from its entry to its removal, on one host and instance
         session  an smtpd process's SMTP session in which something was refused
         held     what a process held or discarded before the queue file was named, and the queue files
                  that it may have been; settle() of held_messages.py takes them to where they belong
         screen   a postscreen session that failed a test or was refused
         listing  dnsblog's answers on one address

A row keeps every event that it was made of, in lists by kind, so that rows can be taken apart and
joined again: assemble(a + b) == assemble(assemble(a) + assemble(b)) for any cut. Events are ordered
by (whole second, stream, offset): a file's own order holds within a second, whatever the rendering; of
two streams the one that told of the key first comes first.

A lifetime ends with its removal (queue file) or disconnect (session), before the next entry of the
same queue id, when a session's client changes, and when LOOKBACK_DAYS (sessions: hours) have
passed since its first event. Postfix reuses short queue ids as soon as a file is removed.
"""

from typing import Any

import numpy as np
import polars as pl

from jobs.base.tables.contracts import bronze_columns
from jobs.operators.formats import TIMESTAMP

LOOKBACK_DAYS = 6
_SESSION_HOURS = 6

BRONZE = bronze_columns("postfix")
# The rows of a key are one row, or lifetimes after each other.
KEY = ["operator_id", "assembly_key", "client_port"]
_PLACE_OF_OWNER = ["operator_id", "host", "instance"]
_OWNER = [*_PLACE_OF_OWNER, "row_code", "queue_id", "process_id", "client_port"]
# Where an event's line stands. source_id and stream_id are null where they are the row's own.
_PLACE = ("at", "source_id", "stream_id", "offset")
# The list of a bronze row that holds the events of a code, and their fields beside the place.
EVENTS = {
    "entry": "entries",
    "message_id": "message_ids",
    "subject": "subjects",
    "queued": "queueings",
    "delivery": "deliveries",
    "refusal": "refusals",
    "removal": "removals",
    "notice": "notices",
}


def _fields_of(events: Any) -> list[pl.Field]:
    """The fields of a list of structs."""
    return list(events.inner.fields)


FIELDS = {
    column: {field.name: field.dtype for field in _fields_of(BRONZE[column]) if field.name not in _PLACE}
    for column in EVENTS.values()
}


def assemble(records: pl.LazyFrame) -> pl.LazyFrame:
    """Bronze rows from parsed records, or from bronze rows of several pieces, files or days."""
    names = records.collect_schema().names()
    frame = records.collect()
    rows = _assemble_records(frame) if "event_code" in names else _assemble_bronze(frame)
    return rows.select(pl.col(name).cast(kind) for name, kind in BRONZE.items()).lazy()


def _assemble_records(frame: pl.DataFrame) -> pl.DataFrame:
    """Keys whose events are one lifetime in file order need one group_by; the others are sorted."""
    if frame.is_empty():
        return pl.DataFrame(schema=BRONZE)
    events = frame.drop("line_code", "reason_code", strict=False)
    owners = events.select(pl.struct("operator_id", "source_id", "stream_id").n_unique()).item()
    if owners > 1 or not events["offset"].is_sorted():
        return group_by_lifetime(_add_openings(events))
    events = _add_owners(_add_openings(events))
    owner = [*_PLACE_OF_OWNER, "owner"]
    # An smtpd process serves one session after another, so its events are never one lifetime.
    is_session = events["row_code"].is_in(["session", "held"])
    second = pl.col("at").dt.truncate("1s")
    lives = events.select(*owner, "event_code", "at").filter(~is_session)
    lives = lives.with_columns((second < second.cum_max()).alias("is_behind"))
    others = lives.group_by(owner).agg(_is_plain(lives).alias("is_plain")).filter(~pl.col("is_plain"))
    others = others.select(owner)
    if others.height:
        listed = others.with_columns(pl.lit(True).alias("is_listed"))
        found = events.select(owner)
        found = found.join(listed, on=owner, how="left", nulls_equal=True, maintain_order="left")
        is_slow = is_session | found["is_listed"].fill_null(False)
    else:
        is_slow = is_session
    if not is_slow.any():
        return _rows_of_owners(events)
    return pl.concat([_rows_of_owners(events.filter(~is_slow)), group_by_lifetime(events.filter(is_slow))])


def _rows_of_owners(events: pl.DataFrame) -> pl.DataFrame:
    """One row for each owner, from its events in order."""
    # Most pieces are of one host and instance: one column then separates the owners in half the time.
    place = _PLACE_OF_OWNER
    is_one = events.height and events.select(pl.col(place).n_unique()).row(0) == (1,) * len(place)
    owner = ["owner"] if is_one else [*place, "owner"]
    named = pl.col(name for name in (*_OWNER, "client_ip") if name not in owner).first()
    return _finish_rows(events.group_by(owner).agg(named, *_event_aggregates(is_alone=True)))


def _name_owner(*more: str) -> pl.Expr:
    """A name for what an event or row belongs to that is no queue file; nothing reads it again."""
    client = pl.when(pl.col("row_code") != "session").then("client_ip")
    # postscreen's sessions and dnsblog's answers are joined by address.
    kind = pl.col("row_code").replace("listing", "screen")
    return pl.concat_str(kind, "process_id", client, *more, separator="|", ignore_nulls=True)


def _add_owners(events: pl.DataFrame) -> pl.DataFrame:
    """The events with `owner`, the name of what each belongs to on its host and instance."""
    if "owner" in events.columns:
        return events
    others = events["queue_id"].is_null().arg_true()
    names = events[others].select(_name_owner("client_port")).to_series()
    return events.with_columns(events["queue_id"].scatter(others, names).alias("owner"))


def _is_plain(events: pl.DataFrame) -> pl.Expr:
    """Return whether a key's events are one lifetime: an entry only at the beginning, a removal only at the
    end, no clock set back."""
    code = pl.col("event_code")
    entries = (code == "entry").sum()
    removals = (code == "removal").sum()
    last = code.filter(code != "notice").last() if (events["event_code"] == "notice").any() else code.last()
    return (
        ((entries == 0) | ((entries == 1) & (code.first() == "entry")))
        & ((removals == 0) | ((removals == 1) & (last == "removal")))
        & (pl.col("at").max() - pl.col("at").min() <= pl.duration(hours=_SESSION_HOURS))
        & ~pl.col("is_behind").any()
    )


def _add_openings(events: pl.DataFrame) -> pl.DataFrame:
    """The events, and beside each queue file whose held or discarded RCPT may stand elsewhere its opening."""
    openings = events.filter(pl.col("opener_id").is_not_null())
    if openings.is_empty():
        return events
    openings = openings.with_columns(
        pl.lit("held").alias("row_code"),
        pl.lit(None, pl.String).alias("queue_id"),
        pl.col("opener_id").alias("process_id"),
        pl.col("queue_id").alias("linked_queue_id"),
    )
    return pl.concat([events, openings])


def _assemble_bronze(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows alone under their key stand as they are; the others are taken apart and joined."""
    frame = frame.select(list(BRONZE))
    many = frame.select(pl.struct(KEY).is_duplicated()).to_series()
    if not many.any():
        return frame
    apart = _are_apart(frame, many)
    return pl.concat([pick_rows(frame, apart), group_by_lifetime(taken_apart(pick_rows(frame, ~apart)))])


def pick_rows(frame: pl.DataFrame, mask: pl.Series) -> pl.DataFrame:
    """The rows where the mask holds. Of rows with lists in one chunk, to gather takes half the time of to
    filter; in several it takes ten times as long."""
    return frame[mask.arg_true()] if frame.n_chunks() == 1 else frame.filter(mask)


def _are_apart(frame: pl.DataFrame, many: pl.Series) -> pl.Series:
    """Return whether each row stands as it is, whatever other rows its key has.

    An smtpd process serves many sessions, so that nearly all rows of sessions share their key. A row of a
    session begins a lifetime if the row before it ended, by a removal, in an earlier second than it begins,
    and no other row reaches so far. A row between two such bounds has no event of another's lifetime. Keys of
    several streams are left to group_by_lifetime(), since which comes first depends on all rows, and so are
    keys with events that name no client, since theirs is that of events before.
    """
    is_session = many & (frame["row_code"] == "session")
    if not is_session.any():
        return ~many
    event = pl.element().struct
    of_client = event.field("stream_id").is_null() & event.field("client_ip").is_not_null()
    second = pl.col("first_at", "last_at").dt.truncate("1s")
    rows = frame.filter(is_session).select(
        *KEY,
        second,
        (pl.col("removals").list.len() > 0).alias("is_ended"),
        pl.all_horizontal(
            *(pl.col(name).list.eval(of_client).list.all() for name in ("entries", "refusals")),
            pl.col("removals").list.eval(event.field("stream_id").is_null()).list.all(),
        ).alias("is_whole"),
        "stream_id",
    )
    rows = rows.with_row_index("row").sort(*KEY, "first_at", nulls_last=True)
    rows = rows.with_columns(pl.struct(KEY).rle_id().alias("key"))
    # How far the rows before reach, and those before the one before.
    before = pl.col("last_at").cum_max().shift(1).over("key")
    rows = rows.with_columns(before.alias("before"))
    rows = rows.with_columns(
        pl.col("is_ended").shift(1).over("key").alias("was_ended"),
        (pl.col("last_at") > pl.col("before")).fill_null(True).shift(1).over("key").alias("was_last"),
    )
    begins = pl.col("before").is_null() | (
        (pl.col("first_at") > pl.col("before")) & pl.col("was_ended") & pl.col("was_last")
    )
    rows = rows.with_columns(begins.alias("begins"))
    is_alone = (pl.col("is_whole").all() & (pl.col("stream_id").n_unique() == 1)).over("key")
    # The row after, which begins a lifetime, too; after the last row of all there is none.
    is_apart = pl.col("begins") & pl.col("begins").shift(-1, fill_value=True) & is_alone
    found = rows.select("row", is_apart.alias("is_apart")).sort("row")["is_apart"]
    return (~many).scatter(is_session.arg_true(), found)


def taken_apart(rows: pl.DataFrame) -> pl.DataFrame:
    """The events that the rows were made of."""
    parts = []
    for code, column in EVENTS.items():
        some = rows.filter(pl.col(column).list.len() > 0)
        some = some.select(
            *_OWNER,
            "assembly_key",
            pl.col("source_id").alias("_source"),
            pl.col("stream_id").alias("_stream"),
            column,
        )
        some = some.explode(column).unnest(column)
        parts.append(
            some.with_columns(
                pl.lit(code).alias("event_code"),
                pl.coalesce("source_id", "_source").alias("source_id"),
                pl.coalesce("stream_id", "_stream").alias("stream_id"),
            ).drop("_source", "_stream")
        )
    return pl.concat(parts, how="diagonal")


def event_times(rows: pl.DataFrame, of_file: pl.Series) -> pl.DataFrame:
    """file, at and offset of the events that rows have of their own file.

    Args:
        of_file: each row's number.
    """
    parts = []
    for column in EVENTS.values():
        event = pl.col(column).list.explode(keep_nulls=False, empty_as_null=False)
        found = rows.select(event.alias("event")).unnest("event").select("at", "offset", "stream_id")
        counts = rows[column].list.len().fill_null(0)
        parts.append(found.with_columns(pl.Series("file", np.repeat(of_file.to_numpy(), counts.to_numpy()))))
    whole = pl.concat(parts)
    return (
        whole
        if whole["stream_id"].null_count() == len(whole)
        else whole.filter(pl.col("stream_id").is_null())
    )


def has_event_at(seconds: pl.Series) -> pl.Expr:
    """Return whether a row has an event in one of these seconds."""
    at = pl.element().struct.field("at").dt.truncate("1s").is_in(seconds.implode())
    return pl.any_horizontal(pl.col(name).list.eval(at).list.any() for name in EVENTS.values())


def is_of_several(rows: pl.DataFrame) -> pl.Series:
    """Return whether a row has events of other streams than its own."""
    is_other = pl.element().struct.field("stream_id").is_not_null()
    return rows.select(
        pl.any_horizontal(pl.col(name).list.eval(is_other).list.any() for name in EVENTS.values())
    ).to_series()


def group_by_lifetime(events: pl.DataFrame) -> pl.DataFrame:
    """Sort the events of each owner, cut them into lifetimes, and make one row of each."""
    events = _add_owners(events)
    owner = [*_PLACE_OF_OWNER, "owner"]
    keys = events.select(owner).unique().with_row_index("key")
    events = events.join(keys, on=owner, how="left", nulls_equal=True, maintain_order="left")
    events = events.with_columns(pl.col("at").dt.truncate("1s").alias("second"))
    # Of two files that meet in a second, the one that began first: it was rotated.
    begins = pl.lit(None, TIMESTAMP)
    if events["stream_id"].n_unique() > 1:
        begins = pl.col("at").min().over("key", "stream_id")
    events = events.with_columns(begins.alias("begins"))
    order = ["key", "second", "begins", "stream_id", "offset"]
    events = events.sort(order, nulls_last=True)
    # A line may come twice, from a piece read again: it stands beside itself.
    line = pl.struct("key", "stream_id", "offset")
    events = events.filter((line != line.shift(1)).fill_null(True))

    is_notice = pl.col("event_code") == "notice"
    has_notice = (events["event_code"] == "notice").any()
    owned = events.filter(~is_notice) if has_notice else events
    owned = owned.with_columns(_opens_lifetime().alias("starts"))
    if has_notice:
        # A notice on a DSN comes when it likes; it belongs to what was there before it.
        notices = events.filter(is_notice).with_columns(pl.lit(False).alias("starts"))
        owned = pl.concat([owned, notices]).sort(order, nulls_last=True)
    events = owned
    limit = (
        pl.when(pl.col("row_code") == "queue")
        .then(pl.duration(days=LOOKBACK_DAYS))
        .otherwise(pl.duration(hours=_SESSION_HOURS))
    )
    is_first = pl.col("key").cast(pl.Int64).diff().fill_null(1) != 0
    events = events.with_columns(pl.col("starts") | is_first)
    while True:
        # `starts` holds at each key's first event, so that lifetimes number through all keys.
        events = events.with_columns(pl.col("starts").cum_sum().alias("life"))
        age = pl.col("second") - pl.col("second").first().over("life")
        late = events.select("life", (age > limit).alias("late"))
        if not late["late"].any():
            break
        # Only the first late event of a lifetime is sure to begin another.
        is_next = pl.col("late") & (pl.col("late").cast(pl.Int32).cum_sum().over("life") == 1)
        events = events.with_columns((pl.col("starts") | late.select(is_next).to_series()).alias("starts"))
    is_alone = events.select(pl.col("source_id", "stream_id").n_unique()).row(0) == (1, 1)
    named = pl.col(*_OWNER, "client_ip").first()
    return _finish_rows(events.group_by("life").agg(named, *_event_aggregates(is_alone=is_alone)))


def _opens_lifetime() -> pl.Expr:
    """Return whether an event, in order within its key and notices apart, begins a lifetime."""
    code, before = pl.col("event_code"), pl.col("event_code").shift(1)
    is_queue = pl.col("row_code") == "queue"
    # smtpd logs a hold or discard of the first RCPT just before it opens the queue file.
    early = is_queue & (code == "refusal") & pl.col("log_text").str.starts_with("NOQUEUE: ").fill_null(False)
    opening = (((code == "entry") & is_queue) | early) & ~early.shift(1, fill_value=False)
    # A message that a filter refuses before the queue has its client in the line before alone.
    client = pl.when(code.is_in(["refusal", "entry"])).then("client_ip").forward_fill().over("key")
    changed = (client != client.shift(1)).fill_null(False) & (pl.col("row_code") == "session")
    # A long queue id holds its time and is never used again, whatever a clock that jumps back makes of it.
    is_long = pl.col("queue_id").str.contains("z", literal=True).fill_null(False)
    return (opening | (before == "removal").fill_null(False) | changed) & ~is_long


def _event_aggregates(*, is_alone: bool) -> list[pl.Expr]:
    """A row from its events in order. `is_alone`: all are of one source and stream."""
    first = [pl.col(name).first() for name in ("source_id", "stream_id", "offset")]
    times = [pl.col("at").min().alias("first_at"), pl.col("at").max().alias("last_at")]
    lists = []
    for code, column in EVENTS.items():
        if is_alone:
            owner = [pl.lit(None, pl.String).alias("source_id"), pl.lit(None, pl.String).alias("stream_id")]
        else:
            owner = [
                pl.when(pl.col(name) != pl.col(name).first()).then(pl.col(name)).alias(name)
                for name in ("source_id", "stream_id")
            ]
        event = pl.struct(pl.col("at"), *owner, pl.col("offset"), *FIELDS[column])
        lists.append(event.filter(pl.col("event_code") == code).alias(column))
    return first + times + lists


def _finish_rows(rows: pl.DataFrame) -> pl.DataFrame:
    place = [pl.col(name).fill_null("") for name in ("host", "instance")]
    owner = pl.coalesce("queue_id", _name_owner())
    return rows.with_columns(
        pl.concat_str(*place, owner, separator="|").alias("assembly_key"),
        # An event that settle() or link_held() gave to a queue file has that of its session.
        pl.when(pl.col("queue_id").is_null()).then("process_id").alias("process_id"),
    ).select(pl.col(name).cast(kind) for name, kind in BRONZE.items())
