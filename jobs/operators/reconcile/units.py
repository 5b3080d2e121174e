"""Counts of this project for a mail server's log, each with the line of the log that it comes from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.base.tables.contracts import polars_schema, read_contract
from jobs.operators.explain.assembled import assemble_groups
from jobs.operators.explain.search import add_message_hash
from jobs.operators.formats.registry import KERNELS
from jobs.operators.silver import hops, pipeline, refusals
from jobs.operators.silver.assembling import settle_rows
from jobs.operators.silver.frames import MESSAGE, TRANSMISSION, VERDICT, Frame
from jobs.operators.silver.steps import empty_links
from jobs.operators.sniff.silver import PROTECTION

# Lists of bronze rows of which each element is a line.
LISTS = ("entries", "deliveries", "refusals")
UNNAMED = "_U"


@dataclass(frozen=True)
class Counted:
    """A mail log as this project counts it.

    Attributes:
        events: a row per line that a bronze row has: list (entries, deliveries, refusals), row (of bronze),
            row_code, stream_id, offset, verb, sender, recipient.
        sent: a row per transmission: row, sender, recipient (as logged), is_handoff, entry_code, depth (of
            its hop), message_hash and recipient_hash of the unit that it belongs to, outcome and fate of that
            unit.
        units: silver.message.
        copies: the places of lines that another file holds, too.
    """

    events: pl.DataFrame
    sent: pl.DataFrame
    units: pl.DataFrame
    copies: pl.DataFrame


def count_log(bronze: Mapping[str, pl.DataFrame], server: str) -> Counted:
    """The bronze rows of a mail server's log, and of what else was read beside it.

    Args:
        server: its format.
    """
    formats, copied = pipeline.count_once(bronze)
    rows = KERNELS[server].assemble(formats[server].lazy()).collect()
    events = EVENTS_OF[server](rows)
    copies = events.clear()
    if copied.height:
        every = KERNELS[server].assemble(settle_rows(server, bronze[server]).lazy()).collect()
        copies = EVENTS_OF[server](every).join(events, on=["stream_id", "offset"], how="anti")
    parts = [
        (raw, shielded)
        for raw, shielded, _ in assemble_groups([PROTECTION], TRANSMISSION, {server: formats[server]})
    ]
    raw = pl.concat(
        each.select(raw_queue="queue", raw_sender="sender", raw_recipient="recipient", raw_client="client_ip")
        for each, _ in parts
    )
    sent = pl.concat(shielded for _, shielded in parts).select(read_contract(TRANSMISSION).columns)
    verdicts = [shielded for _, shielded, _ in assemble_groups([PROTECTION], VERDICT, formats)]
    none = pl.DataFrame(schema=polars_schema(VERDICT))
    verdict = pl.concat(verdicts).select(none.columns) if verdicts else none
    memory = pipeline.make_messages_in_memory(sent, verdict)
    units, links = memory.table_rows(MESSAGE), memory.left_rows(Frame.LINKS)
    whole = place_units(
        attach_rows(sent.hstack(raw), rows, events, server), units, empty_links() if links is None else links
    )
    return Counted(events, whole, units, copies.select("stream_id", "offset").unique())


def postfix_lines(rows: pl.DataFrame) -> pl.DataFrame:
    """The lines of Postfix's bronze rows: elements of their lists."""
    return pl.concat(list_elements(rows.with_columns(row=postfix_row()), name) for name in LISTS)


def postfix_row() -> pl.Expr:
    """A name for each bronze row: queue files by their id and begin, sessions by their place."""
    queue = pl.concat_str(
        pl.col("host").fill_null(""), pl.lit("|"), "queue_id", pl.col("first_at").dt.epoch("us")
    )
    return pl.coalesce(queue, pl.concat_str("stream_id", pl.lit("|"), "offset", pl.lit("|"), "assembly_key"))


def list_elements(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    event = pl.col(name).struct
    fields = {field.name for field in rows.schema[name].inner.fields}  # type: ignore[attr-defined]
    listed = rows.select("row", "row_code", name, own_stream="stream_id").filter(pl.col(name).list.len() > 0)
    none = pl.lit(None, pl.String)
    return listed.explode(name).select(
        "row",
        "row_code",
        list=pl.lit(name),
        stream_id=pl.coalesce(event.field("stream_id"), "own_stream"),
        offset=event.field("offset"),
        verb=event.field("status_code"),
        sender=event.field("sender") if "sender" in fields else none,
        recipient=pl.coalesce(event.field("original_recipient"), event.field("recipient"))
        if name == "deliveries"
        else event.field("recipient")
        if "recipient" in fields
        else none,
    )


def exim_lines(rows: pl.DataFrame) -> pl.DataFrame:
    """The lines of Exim's bronze rows, of which each is one."""
    lists = {"arrival": "entries", "delivery": "deliveries", "refusal": "refusals"}
    return rows.filter(pl.col("event_code").is_in(list(lists))).select(
        row=exim_row("queue_id", "client_ip"),
        row_code=pl.when(pl.col("queue_id").is_not_null()).then(pl.lit("queue")).otherwise(pl.lit("session")),
        list=pl.col("event_code").replace_strict(lists, default=None),
        stream_id="stream_id",
        offset="offset",
        verb="status_code",
        sender="sender",
        recipient=pl.coalesce("original_recipient", "recipient"),
    )


def exim_row(queue_id: str | pl.Expr, client: str) -> pl.Expr:
    """The name of a group of lines: a message's, or the refusals of a client."""
    return pl.coalesce(pl.format("queue {}", queue_id), pl.format("client {}", client), pl.lit("client"))


EVENTS_OF: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {"postfix": postfix_lines, "exim": exim_lines}


def attach_rows(sent: pl.DataFrame, rows: pl.DataFrame, events: pl.DataFrame, server: str) -> pl.DataFrame:
    """The transmissions with the `row` of the events that each is made of."""
    if server == "exim":
        queue = pl.col("raw_queue").str.extract(r"([^|]*)$")
        return sent.with_columns(row=exim_row(queue, "raw_client"))
    files = rows.filter(pl.col("row_code") == "queue").select(
        "first_at",
        raw_queue=pl.concat_str(pl.col("host").fill_null(""), pl.lit("|"), "queue_id"),
        of_file=postfix_row(),
    )
    first = events.filter(pl.col("list") == "refusals").select("stream_id", "offset", of_event="row")
    return (
        sent.with_row_index("number")
        .join(files, on=["raw_queue", "first_at"], how="left")
        .join(first.unique(["stream_id", "offset"]), on=["stream_id", "offset"], how="left")
        .unique("number", maintain_order=True)
        .with_columns(row=pl.when(pl.col("raw_queue").is_not_null()).then("of_file").otherwise("of_event"))
        .drop("number")
    )


def place_units(sent: pl.DataFrame, units: pl.DataFrame, links: pl.DataFrame) -> pl.DataFrame:
    """The transmissions with the unit that each belongs to, and its fate."""
    here = add_message_hash(sent).with_row_index("number")
    hop = hops.place_files(here).select("number", "file")
    depth = hop.join(links.select("file", "root", "depth"), on="file", how="left").select(
        "number", "depth", root=pl.coalesce("root", "file")
    )
    of_root = hop.join(here.select("number", "message_hash"), on="number").select(
        root="file", unit_hash="message_hash"
    )
    here = here.join(depth, on="number", how="left").join(of_root.unique("root"), on="root", how="left")
    recipient = pl.col("recipient_hash").fill_null(UNNAMED)
    here = here.with_columns(
        unit_hash=pl.coalesce("unit_hash", "message_hash"),
        unit_recipient=recipient,
        depth=pl.col("depth").fill_null(0),
    )
    known = units.select(
        unit_hash="message_hash",
        unit_recipient="recipient_hash",
        unit_outcome="outcome_code",
        unit_stage="stage_code",
    )
    joined = here.join(known, on=["unit_hash", "unit_recipient"], how="left")
    of_message = units.select(unit_hash="message_hash", is_message=pl.lit(True)).unique()
    joined = joined.join(of_message, on="unit_hash", how="left")
    return joined.with_columns(fate=fate_code())


def fate_code() -> pl.Expr:
    """The fate of a transmission: counted, or the reason why it is not."""
    return choose_code(
        own=pl.col("entry_code").is_in(hops.NOT_COUNTED).fill_null(False),
        counted=pl.col("unit_outcome").is_not_null(),
        alias=pl.col("depth") > 0,
        named=pl.col("is_message").fill_null(False),
        followed=refusals.IS_TEMPORARY,
        otherwise="none",
    )
