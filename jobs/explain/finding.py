"""Finding what a person asks for: first in silver, by pseudonyms, then in bronze, as the log has it.

A match is what belongs to one message, attempt or call: the transmissions of all of its hops, the verdicts on
it, its rows of silver.message. Only files of the days that are asked for are read, and of these only the
columns that a condition needs until a row meets it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl

from jobs.config import Observatory, Operator
from jobs.contracts import contract, polars_schema
from jobs.engine.lake import Lake, scan_files
from jobs.explain.names import Names, names_of
from jobs.formats.registry import KERNELS
from jobs.silver.hops import CLOCK_SLACK
from jobs.silver.keys import digests

TRANSMISSION, VERDICT, MESSAGE = "silver.transmission", "silver.verdict", "silver.message"
COMPLAINT, KNOWLEDGE = "silver.complaint", "silver.operator_knowledge"
# Columns of bronze tables that name a message, call or record.
IDS = (
    *("queue_id", "linked_queue_id", "message_id", "call_id", "foreign_id", "message_key", "part_key"),
    *("queue_message_id", "task_tag"),
)
# Columns of silver tables with pseudonyms of what a person may ask for, and with keys of rows.
HASHES = ("queue_id", "message_id_hash", "sender_hash", "recipient_hash")
KEYS = ("transmission_hash", "verdict_hash", "message_hash", "complaint_hash")
PLACE = ["source_id", "stream_id", "offset"]
DAY = dt.timedelta(days=1)
# Hops of a message, beside the first.
HOPS = 2


@dataclass(frozen=True)
class Asked:
    """What a person asks for. day: the UTC day of its first event."""

    text: str
    operators: list[Operator]
    day: dt.date | None = None
    source: str | None = None


@dataclass
class Match:
    """What belongs to one message, attempt or call: rows of each silver table. bronze: rows of bronze tables,
    by format, where these have the name that was asked for."""

    operator: Operator
    silver: dict[str, pl.DataFrame] = field(default_factory=dict)
    bronze: dict[str, pl.DataFrame] = field(default_factory=dict)

    def rows(self, table: str) -> pl.DataFrame:
        return self.silver.get(table, pl.DataFrame(schema=polars_schema(table)))

    @cached_property
    def first(self) -> dict[str, object]:
        """The row that came first, which says when and where the match began."""
        order = (MESSAGE, TRANSMISSION, VERDICT, COMPLAINT, KNOWLEDGE)
        frames = [self.silver[table] for table in order if table in self.silver]
        frame = next((each for each in [*frames, *self.bronze.values()] if each.height), None)
        assert frame is not None
        return frame.sort(time_of(frame), "offset").row(0, named=True)

    @property
    def at(self) -> dt.datetime:
        row = self.first
        found = next(row[name] for name in TIMES if row.get(name) is not None)
        assert isinstance(found, dt.datetime)
        return found

    @cached_property
    def key(self) -> str:
        """The key of a row that finds this match alone; empty where only bronze has it."""
        sent = self.rows(TRANSMISSION)
        if sent.is_empty():
            own = ("verdict_hash", "complaint_hash", "knowledge_hash")
            return str(next((self.first[name] for name in own if name in self.first), ""))
        name = "message_hash" if self.rows(MESSAGE).height else "transmission_hash"
        return str(with_message_hash(sent).sort("first_at", "offset", name)[name][0])

    @property
    def source(self) -> str:
        return str(self.first["source_id"])


TIMES = ("first_at", "verdict_at", "reported_at", "period_date")


def time_of(frame: pl.DataFrame) -> str:
    return next(name for name in TIMES if name in frame.columns)


class Search:
    """One operator's part of a lake, as the last finished run left it."""

    def __init__(self, lake: Lake, settings: Observatory, operator: Operator, asked: Asked) -> None:
        self.lake, self.settings, self.operator, self.asked = lake, settings, operator, asked
        self.versions = lake.versions()
        self.names: Names = names_of(asked.text, operator)

    def rows(
        self,
        table: str,
        where: pl.Expr,
        days: tuple[dt.date, dt.date] | None = None,
        columns: Sequence[str] = (),
    ) -> pl.DataFrame:
        """The operator's rows of a table that meet a condition. days: the first and last that are read.
        columns: these alone."""
        period = "event_date" if table.startswith("bronze.") else str(contract(table).period)

        def is_wanted(partition: Mapping[str, str | None]) -> bool:
            if partition["operator_id"] != self.operator.id:
                return False
            day = partition.get(period)
            return days is None or day is None or str(days[0]) <= day <= str(days[1])

        version = self.versions.get(table)
        if version is None:
            frame = pl.LazyFrame(schema=polars_schema(table))
        else:
            frame = scan_files(table, self.lake.files(table, version, is_wanted)).filter(where)
        return (frame.select(columns) if columns else frame).collect()

    @property
    def formats(self) -> list[str]:
        """The formats of which bronze has rows."""
        return [name for name in KERNELS if f"bronze.{name}" in self.versions]

    def days(self, after: int = 1) -> tuple[dt.date, dt.date] | None:
        """The days to read for the day that is asked for: a message's hops may lie in the next."""
        day = self.asked.day
        return None if day is None else (day - DAY, day + after * DAY)

    def days_of(self, match: Match, lookback: int) -> tuple[dt.date, dt.date]:
        """The days on which bronze may hold rows of a match: those of its rows, and so many beside them."""
        return span(match.silver.values(), before=lookback, after=lookback)

    def in_silver(self) -> dict[str, pl.DataFrame]:
        """The rows of silver tables that have one of the names."""
        found = {}
        for table in (TRANSMISSION, MESSAGE, VERDICT, COMPLAINT, KNOWLEDGE):
            columns = contract(table).columns
            parts = [pl.col(name).is_in(self.names.hashes) for name in HASHES if name in columns]
            if "queue_id" in columns:
                parts.append(pl.col("queue_id").is_in(self.names.texts))
            parts += [
                pl.col(name).str.starts_with(key)
                for key in self.names.keys
                for name in KEYS
                if name in columns
            ]
            found[table] = self.rows(table, pl.any_horizontal(parts), self.days())
        return found

    def in_bronze(self) -> dict[str, pl.DataFrame]:
        """The rows of bronze tables that have one of the names, by format."""
        found = {}
        for name in self.formats:
            table = f"bronze.{name}"
            columns = polars_schema(table)
            parts = [pl.col(each).is_in(self.names.texts) for each in IDS if each in columns]
            if "message_ids" in columns and "@" in self.asked.text:
                ids = pl.element().struct.field("message_id")
                parts.append(pl.col("message_ids").list.eval(ids.is_in(self.names.texts)).list.any())
            if not parts:
                continue
            rows = self.rows(table, pl.any_horizontal(parts), self.days(KERNELS[name].LOOKBACK_DAYS))
            if not rows.is_empty():
                found[name] = rows
        return found

    def days_in_lake(self) -> tuple[dt.date, dt.date] | None:
        """The first and last day of the operator's records."""
        ledger = self.rows("bronze.file", pl.lit(True))
        first, last = ledger["first_event_date"].min(), ledger["last_event_date"].max()
        return (first, last) if isinstance(first, dt.date) and isinstance(last, dt.date) else None

    def quarantined(self) -> pl.DataFrame:
        """The quarantined lines that contain the text."""
        holds = pl.col("line_text").str.contains(self.names.texts[0], literal=True)
        return self.rows("bronze.quarantine", holds)

    def at_places(self, table: str, places: pl.DataFrame, days: tuple[dt.date, dt.date]) -> pl.DataFrame:
        """The rows of a table that begin at one of these places of files."""
        near = pl.col("offset").is_in(places["offset"].implode()) & pl.col("stream_id").is_in(
            places["stream_id"].implode()
        )
        return self.rows(table, near, days).join(places, on=PLACE, how="semi")


def find(lake: Lake, settings: Observatory, asked: Asked) -> list[Match]:
    """All matches, the earliest first."""
    found: list[Match] = []
    for operator in asked.operators:
        search = Search(lake, settings, operator, asked)
        silver = search.in_silver()
        bronze: dict[str, pl.DataFrame] = {}
        if all(frame.is_empty() for frame in silver.values()):
            bronze = search.in_bronze()
            silver |= of_bronze(search, bronze)
        found += matches(search, silver, bronze)
    kept = [match for match in found if is_asked(match, asked)]
    return sorted(kept, key=lambda match: (match.at, match.operator.id, match.key))


def is_asked(match: Match, asked: Asked) -> bool:
    sources = {source for frame in match.silver.values() for source in frame["source_id"]}
    sources |= {source for frame in match.bronze.values() for source in frame["source_id"]}
    return (asked.day is None or match.at.date() == asked.day) and (
        asked.source is None or asked.source in sources
    )


def span(frames: Iterable[pl.DataFrame], before: int = 1, after: int = 1) -> tuple[dt.date, dt.date]:
    """The days of rows, and so many more."""
    times = [frame[time_of(frame)].cast(pl.Date) for frame in frames if frame.height]
    days = pl.concat(times)
    first, last = days.min(), days.max()
    assert isinstance(first, dt.date) and isinstance(last, dt.date)
    return first - before * DAY, last + after * DAY


def of_bronze(search: Search, bronze: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The rows of silver that bronze rows were assembled to.

    Most begin at the place of one of the rows. The others are found among those that the rows' keys give.
    """
    from jobs.explain.assembled import hashes_of

    if not bronze:
        return {}
    places = pl.concat(frame.select(PLACE) for frame in bronze.values()).unique()
    days = span(bronze.values(), before=search_days(bronze), after=1)
    found = {}
    for table, key in ((TRANSMISSION, "transmission_hash"), (VERDICT, "verdict_hash")):
        rows = search.at_places(table, places, days)
        if rows.is_empty():
            hashes = hashes_of(search, table, bronze)
            rows = search.rows(table, pl.col(key).is_in(hashes), days)
        found[table] = rows
    return found


def search_days(formats: Iterable[str]) -> int:
    """The longest life of a message in any of the formats, in days."""
    return max(KERNELS[name].LOOKBACK_DAYS for name in formats)


# --- what belongs together ------------------------------------------------------------------------------


def matches(
    search: Search, silver: Mapping[str, pl.DataFrame], bronze: Mapping[str, pl.DataFrame]
) -> list[Match]:
    """The matches that rows of silver tables belong to, each with its transmissions; completed() adds the
    rest."""
    frames = [frame for frame in silver.values() if frame.height]
    if not frames:
        return [Match(search.operator, bronze=dict(bronze))] if bronze else []
    days = span(frames)
    sent, message, said = (silver.get(each, none_of(each)) for each in (TRANSMISSION, MESSAGE, VERDICT))
    # The transmission that came in has the place of its message.
    missing = message.join(with_message_hash(sent), on="message_hash", how="anti")
    if missing.height:
        places = missing.select(PLACE).unique()
        sent = pl.concat([sent, search.at_places(TRANSMISSION, places, days)]).unique("transmission_hash")
    if said.height:
        sent = pl.concat([sent, judged(search, said, days)]).unique("transmission_hash")
    seeds = sent["transmission_hash"].implode()
    sent = with_hops(search, sent, days)
    counted = of_messages(search, sent, days)
    found = [
        Match(search.operator, {TRANSMISSION: part, MESSAGE: of_files(counted, part)}, dict(bronze))
        for part in together(sent)
        # Queue ids come again: what else has one is no match.
        if part["transmission_hash"].is_in(seeds).any()
    ]
    alone = [
        *by(said.filter(~about(sent, VERDICT)), "queue_id", "message_id_hash"),
        *silver.get(COMPLAINT, none_of(COMPLAINT))
        .filter(~about(sent, COMPLAINT))
        .partition_by("complaint_hash"),
        *silver.get(KNOWLEDGE, none_of(KNOWLEDGE))
        .filter(~about(sent, KNOWLEDGE))
        .partition_by("knowledge_hash"),
    ]
    return found + [Match(search.operator, {table_of(part): part}) for part in alone]


def of_messages(search: Search, sent: pl.DataFrame, days: tuple[dt.date, dt.date]) -> pl.DataFrame:
    """The rows of silver.message that transmissions became."""
    hashes = with_message_hash(sent)["message_hash"].unique().implode()
    return search.rows(MESSAGE, pl.col("message_hash").is_in(hashes), days)


def of_files(message: pl.DataFrame, sent: pl.DataFrame) -> pl.DataFrame:
    return message.join(
        with_message_hash(sent).select("message_hash").unique(), on="message_hash", how="semi"
    )


def none_of(table: str) -> pl.DataFrame:
    return pl.DataFrame(schema=polars_schema(table))


def table_of(rows: pl.DataFrame) -> str:
    keys = {"verdict_hash": VERDICT, "complaint_hash": COMPLAINT, "knowledge_hash": KNOWLEDGE}
    return next(table for key, table in keys.items() if key in rows.columns)


def about(sent: pl.DataFrame, table: str) -> pl.Expr:
    """Whether a row of a table names one of these transmissions: by queue id, else by message-id."""
    ids, names = (sent[name].drop_nulls().unique().implode() for name in ("queue_id", "message_id_hash"))
    by_id = pl.col("message_id_hash").is_in(names)
    if "queue_id" not in contract(table).columns:
        return by_id.fill_null(False)
    named = pl.when(pl.col("queue_id").is_not_null()).then(pl.col("queue_id").is_in(ids)).otherwise(by_id)
    return named.fill_null(False)


def by(rows: pl.DataFrame, *names: str) -> list[pl.DataFrame]:
    """The rows by the first of these columns that they have, else each alone."""
    key = pl.coalesce(*names, pl.col(rows.columns[2]))
    return rows.with_columns(_key=key).partition_by("_key", include_key=False, maintain_order=True)


def judged(search: Search, said: pl.DataFrame, days: tuple[dt.date, dt.date]) -> pl.DataFrame:
    """The transmissions that verdicts are on."""
    named = pl.col("queue_id").is_in(said["queue_id"].drop_nulls().implode())
    named |= pl.col("message_id_hash").is_in(said["message_id_hash"].drop_nulls().implode())
    sent = search.rows(TRANSMISSION, named, days)
    when = said.select("verdict_at", said_id="queue_id", said_name="message_id_hash")
    is_named = (pl.col("queue_id") == pl.col("said_id")) | (
        pl.col("said_id").is_null() & (pl.col("message_id_hash") == pl.col("said_name"))
    )
    is_during = pl.col("verdict_at").is_between(
        pl.col("first_at") - CLOCK_SLACK, pl.col("last_at") + CLOCK_SLACK
    )
    pairs = sent.join(when, how="cross").filter(is_named & is_during)
    return pairs.select(sent.columns).unique("transmission_hash")


def with_message_hash(sent: pl.DataFrame) -> pl.DataFrame:
    """The transmissions with the key that a message has which came in by each."""
    place = pl.concat_str(*PLACE, separator=":", ignore_nulls=True)
    parts = (pl.coalesce("queue_key", place), pl.col("first_at").dt.epoch("us"))
    return sent.with_columns(digests(sent, *parts, separator="|").alias("message_hash"))


def with_hops(search: Search, sent: pl.DataFrame, days: tuple[dt.date, dt.date]) -> pl.DataFrame:
    """The transmissions, those that they were handed to or came from, and all recipients of their files."""
    for _ in range(HOPS + 1):
        keys = pl.concat(sent[name] for name in ("queue_key", "next_queue_key", "previous_queue_key"))
        keys = keys.drop_nulls().unique().implode()
        files = sent["queue_key"].drop_nulls().unique().implode()
        if not len(keys[0]):
            return sent
        near = pl.col("queue_key").is_in(keys)
        near |= pl.col("next_queue_key").is_in(files) | pl.col("previous_queue_key").is_in(files)
        found = search.rows(TRANSMISSION, near, days)
        whole = pl.concat([sent, found]).unique("transmission_hash", maintain_order=True)
        if whole.height == sent.height:
            return whole
        sent = whole
    return sent


def together(sent: pl.DataFrame) -> list[pl.DataFrame]:
    """The transmissions of each message: those of one file, and of files that name each other."""
    if sent.is_empty():
        return []
    rows = with_message_hash(sent)
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
            # Queue ids come again.
            if first <= end + CLOCK_SLACK and begin <= last + CLOCK_SLACK:
                joined = groups[file] | groups[other]
                for each in joined:
                    groups[each] = joined
    parts = {min(group): group for group in groups.values()}
    return [
        rows.filter(pl.col("message_hash").is_in(list(group))).drop("message_hash")
        for group in parts.values()
    ]


def completed(search: Search, match: Match) -> Match:
    """The match with the rows of all silver tables that belong to its transmissions."""
    sent = match.rows(TRANSMISSION)
    if sent.is_empty():
        return match
    days = span([sent])
    begin, end = sent["first_at"].min(), sent["last_at"].max()
    assert isinstance(begin, dt.datetime) and isinstance(end, dt.datetime)
    during = pl.col("verdict_at").is_between(begin - CLOCK_SLACK, end + CLOCK_SLACK)
    found = {
        TRANSMISSION: sent.sort("first_at", "offset"),
        MESSAGE: match.rows(MESSAGE),
        VERDICT: search.rows(VERDICT, about(sent, VERDICT) & during, days).sort("verdict_at"),
        COMPLAINT: search.rows(COMPLAINT, about(sent, COMPLAINT)),
        KNOWLEDGE: search.rows(KNOWLEDGE, about(sent, KNOWLEDGE), days),
    }
    return Match(match.operator, {table: rows for table, rows in found.items() if rows.height}, match.bronze)
