"""Joins what smtpd held or discarded before a message had a queue file to the queue file it got.

access(5) may HOLD or DISCARD at RCPT, and so may a milter. smtpd then logs `NOQUEUE: hold: RCPT from
name[ip]: …`, and the queue file that it opens in the same command by the next line of the same process and
client, `QID: client=name[ip]`. Within a piece the two are joined as they are read. Where a piece may have
been cut between them, what is at its edges is kept in a row of its own for each process and client: the
refusals that found no queue file, and copies of the lines that open one and may be the answer to a piece
before. When all pieces are there, settle() joins them by the same rule, and gives the rest to their sessions.
"""

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.operators.formats.postfix.assembly import BRONZE, KEY, group_by_lifetime, taken_apart

# smtpd opens the queue file in the RCPT command that a hold or discard was logged for.
_ADJACENT = pl.duration(seconds=5)
_SMTPD = ["piece", "host", "tag", "pid"]


def link_held(events: pl.DataFrame, envelope: pl.DataFrame) -> pl.DataFrame:
    """Give what is held or discarded at RCPT the queue file that smtpd opened for it.

    Args:
        events: typed lines of a piece; `row` is the place of each in `envelope`, which has all lines. Lines
            of several pieces have `piece`.
    """
    whose = [name for name in _SMTPD if name in envelope.columns]
    verb = pl.col("status_code")
    names = ["row", "event_code", "status_code", "step_code", "row_code", "queue_id", "client_ip"]
    columns = events.select(names).with_row_index("event")
    refusals = columns.filter(pl.col("event_code") == "refusal")
    held = refusals.filter(
        verb.str.contains(r"(?:hold|discard)$")
        & (pl.col("row_code") == "session")
        # A filter before the queue discards what never gets a queue file.
        & (pl.col("step_code") != "END-OF-MESSAGE")
    )["event"]
    entries = columns.filter((pl.col("event_code") == "entry") & (verb == "client"))
    entries = entries.filter(pl.col("row_code") == "queue").select("event", "row", "client_ip", "queue_id")
    entries = pl.concat([entries, envelope.select("at", *whose)[entries["row"]]], how="horizontal")
    answers = [_first_of_piece(entries, envelope)["event"]]
    if len(held):
        waiting = events[held].select("row", "client_ip", held.alias("event"))
        waiting = pl.concat([waiting, envelope.select("at", *whose)[waiting["row"]]], how="horizontal")
        found = waiting.sort("row").join_asof(
            entries.sort("row").rename({"at": "entry_at", "event": "entry"}),
            on="row",
            by=[*whose, "client_ip"],
            strategy="forward",
            check_sortedness=False,
        )
        is_near = (pl.col("entry_at") - pl.col("at")).abs() <= _ADJACENT
        found = found.with_columns(pl.when(is_near).then(pl.col("queue_id", "entry")))
        of_file = found.drop_nulls("queue_id")
        unknown = found.filter(pl.col("queue_id").is_null()).drop_nulls(["pid", "client_ip"])["event"]
        events = events.with_columns(
            events["row_code"].scatter(of_file["event"], "queue").scatter(unknown, "held"),
            events["queue_id"].scatter(of_file["event"], of_file["queue_id"]),
        )
        answers.append(found["entry"].drop_nulls().cast(pl.UInt32))
    marked = entries.filter(pl.col("event").is_in(pl.concat(answers).implode()), pl.col("pid").is_not_null())
    if marked.is_empty():
        return events
    return events.with_columns(events["opener_id"].scatter(marked["event"], marked["pid"]))


def _first_of_piece(entries: pl.DataFrame, envelope: pl.DataFrame) -> pl.DataFrame:
    """The first line of each process and client, near the beginning of the piece, that opens a queue file."""
    whose = [name for name in _SMTPD if name in envelope.columns]
    log = [name for name in whose if name in ("piece", "host")]
    begins = envelope.select(*log, pl.col("at").alias("begin_at"))
    begins = begins.unique(log, keep="first", maintain_order=True)
    near = entries.join(begins, on=log, how="inner", nulls_equal=True, maintain_order="left")
    near = near.filter(pl.col("at") - pl.col("begin_at") <= _ADJACENT)
    return near.unique([*whose, "client_ip"], keep="first", maintain_order=True)


def settle(bronze: pl.LazyFrame) -> pl.LazyFrame:
    """Bronze rows without any `held`: their refusals are those of a queue file, or of a session.

    All rows of an assembly key must be there. Other rows are given back as they came.
    """
    frame = bronze.select(list(BRONZE)).collect()
    is_held = frame["row_code"] == "held"
    if not is_held.any():
        return frame.lazy()
    events = taken_apart(frame.filter(is_held)).drop("queue_id").with_row_index("event")
    second = pl.col("at").dt.truncate("1s")
    waiting = events.filter(pl.col("event_code") == "refusal")
    entries = events.filter(pl.col("event_code") == "entry").select(
        *KEY,
        pl.col("at").alias("entry_at"),
        second.alias("entry_second"),
        pl.col("stream_id").alias("entry_stream"),
        pl.col("offset").alias("entry_offset"),
        pl.col("linked_queue_id").alias("queue_id"),
    )
    same = pl.col("entry_stream") == pl.col("stream_id")
    follows = (
        pl.when(same)
        .then(pl.col("entry_offset") > pl.col("offset"))
        .otherwise(pl.col("entry_second") >= second)
    )
    found = (
        waiting.join(entries, on=KEY, how="inner", nulls_equal=True)
        .filter(
            follows,
            (pl.col("entry_at") - pl.col("at")).abs() <= _ADJACENT,
        )
        # Of its own file the next line; else the next in time.
        .sort(
            "event", ~same, pl.when(same).then("entry_offset"), "entry_second", "entry_stream", "entry_offset"
        )
        .unique("event", keep="first", maintain_order=True)
        .select("event", "queue_id")
    )
    if waiting.is_empty():
        return frame.filter(~is_held).lazy()
    row_code = choose_code(session=pl.col("queue_id").is_null(), otherwise="queue")
    settled = waiting.join(found, on="event", how="left")
    settled = settled.with_columns(row_code.alias("row_code")).drop("event")
    return pl.concat([frame.filter(~is_held), group_by_lifetime(settled)]).lazy()
