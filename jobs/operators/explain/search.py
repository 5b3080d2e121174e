"""Search an operator's tables for a message, attempt or call.

A match has all rows of one message, attempt or call: the transmissions of all its hops, the verdicts on it,
its rows of silver.message. Only files of the days in question are read, and only the columns of the condition
until a row meets it.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl

from jobs.base.settings.config import Observatory
from jobs.base.settings.operator import Operator
from jobs.base.store.lake import Lake
from jobs.base.store.table_files import read_files
from jobs.base.tables.contracts import polars_schema, read_contract
from jobs.operators.explain.searched_names import Names, search_names
from jobs.operators.formats.registry import KERNELS
from jobs.operators.silver.assembling import LINE_KEY
from jobs.operators.silver.event_identity import digest_rows

TRANSMISSION, VERDICT, MESSAGE = "silver.transmission", "silver.verdict", "silver.message"
COMPLAINT, KNOWLEDGE = "silver.complaint", "silver.operator_knowledge"
# Columns of bronze tables that name a message, call or record.
IDS = (
    *("queue_id", "linked_queue_id", "message_id", "call_id", "foreign_id", "message_key", "part_key"),
    *("queue_message_id", "task_tag"),
)
# Columns of silver tables with pseudonyms, and with keys of rows.
HASHES = ("queue_id", "message_id_hash", "sender_hash", "recipient_hash")
KEYS = ("transmission_hash", "verdict_hash", "message_hash", "complaint_hash")
DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class SearchQuestion:
    """The question of a person.

    Attributes:
        text: an id, number or address.
        day: the UTC day of the first event.
    """

    text: str
    operators: list[Operator]
    day: dt.date | None = None
    source: str | None = None


@dataclass
class Match:
    """All rows of one message, attempt or call, by silver table.

    Attributes:
        bronze: rows of bronze by format, if bronze has the name that was asked for.
    """

    operator: Operator
    silver: dict[str, pl.DataFrame] = field(default_factory=dict)
    bronze: dict[str, pl.DataFrame] = field(default_factory=dict)

    def silver_rows(self, table: str) -> pl.DataFrame:
        return self.silver.get(table, pl.DataFrame(schema=polars_schema(table)))

    @cached_property
    def first(self) -> dict[str, object]:
        """The earliest row: it has the time and source at which the match began."""
        order = (MESSAGE, TRANSMISSION, VERDICT, COMPLAINT, KNOWLEDGE)
        frames = [self.silver[table] for table in order if table in self.silver]
        frame = next((each for each in [*frames, *self.bronze.values()] if each.height), None)
        assert frame is not None
        return frame.sort(time_column(frame), "offset").row(0, named=True)

    @property
    def at(self) -> dt.datetime:
        row = self.first
        found = next(row[name] for name in TIMES if row.get(name) is not None)
        assert isinstance(found, dt.datetime)
        return found

    @cached_property
    def key(self) -> str:
        """The key of a row that selects this match alone; empty if only bronze has the match."""
        sent = self.silver_rows(TRANSMISSION)
        if sent.is_empty():
            own = ("verdict_hash", "complaint_hash", "knowledge_hash")
            return str(next((self.first[name] for name in own if name in self.first), ""))
        name = "message_hash" if self.silver_rows(MESSAGE).height else "transmission_hash"
        return str(add_message_hash(sent).sort("first_at", "offset", name)[name][0])

    @property
    def source(self) -> str:
        return str(self.first["source_id"])


TIMES = ("first_at", "verdict_at", "reported_at", "period_date")


def time_column(frame: pl.DataFrame) -> str:
    return next(name for name in TIMES if name in frame.columns)


class LakeSearch:
    """One operator's part of a lake, as the last finished run left it."""

    def __init__(
        self, lake: Lake, settings: Observatory, operator: Operator, question: SearchQuestion
    ) -> None:
        self.lake, self.settings, self.operator, self.question = lake, settings, operator, question
        self.versions = lake.versions()
        self.names: Names = search_names(question.text, operator, settings.key_periods)

    def find_rows(
        self,
        table: str,
        where: pl.Expr,
        days: tuple[dt.date, dt.date] | None = None,
        columns: Sequence[str] = (),
    ) -> pl.DataFrame:
        """The operator's rows of a table that meet a condition.

        Args:
            days: the first and last that are read.
            columns: these alone.
        """
        period = "event_date" if table.startswith("bronze.") else str(read_contract(table).period)

        def is_wanted(partition: Mapping[str, str | None]) -> bool:
            if partition["operator_id"] != self.operator.id:
                return False
            day = partition.get(period)
            return days is None or day is None or str(days[0]) <= day <= str(days[1])

        version = self.versions.get(table)
        if version is None:
            return pl.DataFrame(schema=polars_schema(table)).select(columns or pl.all())
        return read_files(table, self.lake.files(table, version, is_wanted), columns or None, where)

    @property
    def formats(self) -> list[str]:
        """The formats that have a bronze table in the lake."""
        return [name for name in KERNELS if f"bronze.{name}" in self.versions]

    def days_to_read(self, after: int = 1) -> tuple[dt.date, dt.date] | None:
        """The days to read for the day that is asked for: later hops of a message may be on the next day."""
        day = self.question.day
        return None if day is None else (day - DAY, day + after * DAY)

    def days_of(self, match: Match, lookback: int) -> tuple[dt.date, dt.date]:
        """The days on which bronze may hold rows of a match: its own, and `lookback` more on both sides."""
        return day_span(match.silver.values(), before=lookback, after=lookback)

    def search_silver(self) -> dict[str, pl.DataFrame]:
        """The rows of silver tables that have one of the names."""
        found = {}
        for table in (TRANSMISSION, MESSAGE, VERDICT, COMPLAINT, KNOWLEDGE):
            columns = read_contract(table).columns
            parts = [pl.col(name).is_in(self.names.hashes) for name in HASHES if name in columns]
            if "queue_id" in columns:
                parts.append(pl.col("queue_id").is_in(self.names.texts))
            parts += [
                pl.col(name).str.starts_with(key)
                for key in self.names.keys
                for name in KEYS
                if name in columns
            ]
            found[table] = self.find_rows(table, pl.any_horizontal(parts), self.days_to_read())
        return found

    def search_bronze(self) -> dict[str, pl.DataFrame]:
        """The rows of bronze tables that have one of the names, by format."""
        found = {}
        for name in self.formats:
            table = f"bronze.{name}"
            columns = polars_schema(table)
            parts = [pl.col(each).is_in(self.names.texts) for each in IDS if each in columns]
            if "message_ids" in columns and "@" in self.question.text:
                ids = pl.element().struct.field("message_id")
                parts.append(pl.col("message_ids").list.eval(ids.is_in(self.names.texts)).list.any())
            if not parts:
                continue
            rows = self.find_rows(
                table, pl.any_horizontal(parts), self.days_to_read(KERNELS[name].lookback_days)
            )
            if not rows.is_empty():
                found[name] = rows
        return found

    def days_in_lake(self) -> tuple[dt.date, dt.date] | None:
        """The first and last day of the operator's records."""
        ledger = self.find_rows("bronze.file", pl.lit(True))
        first, last = ledger["first_event_date"].min(), ledger["last_event_date"].max()
        return (first, last) if isinstance(first, dt.date) and isinstance(last, dt.date) else None

    def find_quarantined(self) -> pl.DataFrame:
        """The quarantined lines that contain the text."""
        holds = pl.col("line_text").str.contains(self.names.texts[0], literal=True)
        return self.find_rows("bronze.quarantine", holds)

    def read_places(self, table: str, places: pl.DataFrame, days: tuple[dt.date, dt.date]) -> pl.DataFrame:
        """The rows of a table that begin at one of these places of files."""
        near = pl.col("offset").is_in(places["offset"].implode()) & pl.col("stream_id").is_in(
            places["stream_id"].implode()
        )
        return self.find_rows(table, near, days).join(places, on=LINE_KEY, how="semi")


def day_span(frames: Iterable[pl.DataFrame], before: int = 1, after: int = 1) -> tuple[dt.date, dt.date]:
    """The first and last day of rows, widened by so many days."""
    times = [frame[time_column(frame)].cast(pl.Date) for frame in frames if frame.height]
    days = pl.concat(times)
    first, last = days.min(), days.max()
    assert isinstance(first, dt.date) and isinstance(last, dt.date)
    return first - before * DAY, last + after * DAY


def add_message_hash(sent: pl.DataFrame) -> pl.DataFrame:
    """The transmissions, each with the key of the message that would begin with it."""
    place = pl.concat_str(*LINE_KEY, separator=":", ignore_nulls=True)
    parts = (pl.coalesce("queue_key", place), pl.col("first_at").dt.epoch("us"))
    return sent.with_columns(digest_rows(sent, *parts, separator="|").alias("message_hash"))
