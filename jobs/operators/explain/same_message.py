"""Group rows by message: the transmissions of one message, and the rows that name them."""

import datetime as dt
from collections.abc import Mapping

import polars as pl

from jobs.base.tables.contracts import polars_schema, read_contract
from jobs.operators.explain.search import (
    COMPLAINT,
    KNOWLEDGE,
    MESSAGE,
    TRANSMISSION,
    VERDICT,
    LakeSearch,
    Match,
    add_message_hash,
    day_span,
)
from jobs.operators.silver.assembling import LINE_KEY
from jobs.operators.silver.hops import CLOCK_SLACK

# Hops of a message, beside the first.
HOPS = 2


def group_matches(
    search: LakeSearch, silver: Mapping[str, pl.DataFrame], bronze: Mapping[str, pl.DataFrame]
) -> list[Match]:
    """The matches that rows of silver tables belong to, each with its transmissions and messages.

    complete_match() adds the other rows.
    """
    frames = [frame for frame in silver.values() if frame.height]
    if not frames:
        return [Match(search.operator, bronze=dict(bronze))] if bronze else []
    days = day_span(frames)
    sent, message, verdicts = (
        silver.get(each, empty_frame(each)) for each in (TRANSMISSION, MESSAGE, VERDICT)
    )
    # The first transmission of a message has the message's place.
    missing = message.join(add_message_hash(sent), on="message_hash", how="anti")
    if missing.height:
        places = missing.select(LINE_KEY).unique()
        sent = pl.concat([sent, search.read_places(TRANSMISSION, places, days)]).unique("transmission_hash")
    if verdicts.height:
        sent = pl.concat([sent, judged_transmissions(search, verdicts, days)]).unique("transmission_hash")
    seeds = sent["transmission_hash"].implode()
    sent = add_hops(search, sent, days)
    # The rows of silver.message of these transmissions.
    hashes = add_message_hash(sent)["message_hash"].unique().implode()
    counted = search.find_rows(MESSAGE, pl.col("message_hash").is_in(hashes), days)
    found = [
        Match(search.operator, {TRANSMISSION: part, MESSAGE: messages_of_files(counted, part)}, dict(bronze))
        for part in split_messages(sent)
        # Servers reuse queue ids: another message with the same id is no match.
        if part["transmission_hash"].is_in(seeds).any()
    ]
    alone = [
        *split_by(verdicts.filter(~names_transmission(sent, VERDICT)), "queue_id", "message_id_hash"),
        *silver.get(COMPLAINT, empty_frame(COMPLAINT))
        .filter(~names_transmission(sent, COMPLAINT))
        .partition_by("complaint_hash"),
        *silver.get(KNOWLEDGE, empty_frame(KNOWLEDGE))
        .filter(~names_transmission(sent, KNOWLEDGE))
        .partition_by("knowledge_hash"),
    ]
    return found + [Match(search.operator, {silver_table(part): part}) for part in alone]


def messages_of_files(message: pl.DataFrame, sent: pl.DataFrame) -> pl.DataFrame:
    return message.join(add_message_hash(sent).select("message_hash").unique(), on="message_hash", how="semi")


def empty_frame(table: str) -> pl.DataFrame:
    return pl.DataFrame(schema=polars_schema(table))


def silver_table(rows: pl.DataFrame) -> str:
    keys = {"verdict_hash": VERDICT, "complaint_hash": COMPLAINT, "knowledge_hash": KNOWLEDGE}
    return next(table for key, table in keys.items() if key in rows.columns)


def names_transmission(sent: pl.DataFrame, table: str) -> pl.Expr:
    """Return whether a row of a table names one of these transmissions: by queue id, else by message-id."""
    ids, names = (sent[name].drop_nulls().unique().implode() for name in ("queue_id", "message_id_hash"))
    by_id = pl.col("message_id_hash").is_in(names)
    if "queue_id" not in read_contract(table).columns:
        return by_id.fill_null(False)
    named = pl.when(pl.col("queue_id").is_not_null()).then(pl.col("queue_id").is_in(ids)).otherwise(by_id)
    return named.fill_null(False)


def split_by(rows: pl.DataFrame, *names: str) -> list[pl.DataFrame]:
    """The rows grouped by the first of these columns that is not null; a row without any is alone."""
    key = pl.coalesce(*names, pl.col(rows.columns[2]))
    return rows.with_columns(_key=key).partition_by("_key", include_key=False, maintain_order=True)


def judged_transmissions(
    search: LakeSearch, verdicts: pl.DataFrame, days: tuple[dt.date, dt.date]
) -> pl.DataFrame:
    """The transmissions that these verdicts judge."""
    named = pl.col("queue_id").is_in(verdicts["queue_id"].drop_nulls().implode())
    named |= pl.col("message_id_hash").is_in(verdicts["message_id_hash"].drop_nulls().implode())
    sent = search.find_rows(TRANSMISSION, named, days)
    when = verdicts.select("verdict_at", said_id="queue_id", said_name="message_id_hash")
    is_named = (pl.col("queue_id") == pl.col("said_id")) | (
        pl.col("said_id").is_null() & (pl.col("message_id_hash") == pl.col("said_name"))
    )
    is_during = pl.col("verdict_at").is_between(
        pl.col("first_at") - CLOCK_SLACK, pl.col("last_at") + CLOCK_SLACK
    )
    pairs = sent.join(when, how="cross").filter(is_named & is_during)
    return pairs.select(sent.columns).unique("transmission_hash")


def add_hops(search: LakeSearch, sent: pl.DataFrame, days: tuple[dt.date, dt.date]) -> pl.DataFrame:
    """The transmissions with their earlier and later hops, and with all recipients of their queue files."""
    for _ in range(HOPS + 1):
        keys = pl.concat(sent[name] for name in ("queue_key", "next_queue_key", "previous_queue_key"))
        keys = keys.drop_nulls().unique().implode()
        files = sent["queue_key"].drop_nulls().unique().implode()
        if not len(keys[0]):
            return sent
        near = pl.col("queue_key").is_in(keys)
        near |= pl.col("next_queue_key").is_in(files) | pl.col("previous_queue_key").is_in(files)
        found = search.find_rows(TRANSMISSION, near, days)
        whole = pl.concat([sent, found]).unique("transmission_hash", maintain_order=True)
        if whole.height == sent.height:
            return whole
        sent = whole
    return sent


def split_messages(sent: pl.DataFrame) -> list[pl.DataFrame]:
    """The transmissions by message: those of one queue file, and of queue files that name each other."""
    if sent.is_empty():
        return []
    rows = add_message_hash(sent)
    groups: dict[str, set[str]] = {}
    of_key: dict[str, set[str]] = {}
    for key, file in rows.select("queue_key", "message_hash").unique().iter_rows():
        groups.setdefault(file, {file})
        if key is not None:
            of_key.setdefault(key, set()).add(file)
    times = {
        file: (first, last)
        for file, first, last in rows.group_by("message_hash")
        .agg(pl.col("first_at").min(), pl.col("last_at").max())
        .iter_rows()
    }
    for file, *others in (
        rows.select("message_hash", "next_queue_key", "previous_queue_key").unique().iter_rows()
    ):
        for other in {each for key in others if key for each in of_key.get(key, ())}:
            (begin, end), (first, last) = times[file], times[other]
            # Servers reuse queue ids.
            if first <= end + CLOCK_SLACK and begin <= last + CLOCK_SLACK:
                joined = groups[file] | groups[other]
                for each in joined:
                    groups[each] = joined
    parts = {min(group): group for group in groups.values()}
    return [
        rows.filter(pl.col("message_hash").is_in(list(group))).drop("message_hash")
        for group in parts.values()
    ]


def complete_match(search: LakeSearch, match: Match) -> Match:
    """The match with the rows of all silver tables that belong to its transmissions."""
    sent = match.silver_rows(TRANSMISSION)
    if sent.is_empty():
        return match
    days = day_span([sent])
    begin, end = sent["first_at"].min(), sent["last_at"].max()
    assert isinstance(begin, dt.datetime) and isinstance(end, dt.datetime)
    during = pl.col("verdict_at").is_between(begin - CLOCK_SLACK, end + CLOCK_SLACK)
    found = {
        TRANSMISSION: sent.sort("first_at", "offset", "transmission_hash"),
        MESSAGE: match.silver_rows(MESSAGE).sort("message_hash", "recipient_hash"),
        VERDICT: search.find_rows(VERDICT, names_transmission(sent, VERDICT) & during, days).sort(
            "verdict_at", "verdict_hash"
        ),
        COMPLAINT: search.find_rows(COMPLAINT, names_transmission(sent, COMPLAINT)),
        KNOWLEDGE: search.find_rows(KNOWLEDGE, names_transmission(sent, KNOWLEDGE), days),
    }
    return Match(match.operator, {table: rows for table, rows in found.items() if rows.height}, match.bronze)
