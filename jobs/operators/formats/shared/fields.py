"""Steps on a field that kernels of every channel take: clean it, read its time, give its line a code."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.base.core.column_types import ColumnTypes
from jobs.base.tables.contracts import bronze_columns
from jobs.operators.formats import PARSED, PLACE, TRANSMISSION

# A Sendmail queue id ends in the number of the process that made it; one process's messages share a key.
SENDMAIL_ID = r"^(?:.{8}|[A-Z]{3})(\d{5,10})$"
_CODE = r"^([2-5]\d\d)(?:[ -]|$)"
_STATUS = r"^([245]\.\d{1,3}\.\d{1,3})(?: |$)"
# What a mail server's queue file adds to each of its rows.
FACTS_OF_FILE = [
    "first_at",
    "queue",
    "queue_id",
    "entry_code",
    "message_id",
    "sender",
    "client_ip",
    "client_name",
]
FACTS_OF_FILE += ["is_authenticated", "account", "message_bytes"]


def extract_groups(text: pl.Series, pattern: str) -> pl.DataFrame:
    """The pattern's named groups as columns; null where it does not fit, '' never."""
    found = text.str.extract_groups(pattern).struct.unnest()
    return found.with_columns(pl.when(pl.col(pl.String) != "").then(pl.col(pl.String)).name.keep())


def read_in_turn(lines: Any, *readers: Callable[[Any], tuple[pl.DataFrame, pl.Series]]) -> pl.DataFrame:
    """A row for each line of a series or frame, in order, by the first reader that is sure of the line: one
    that only splits comes first, patterns read what it leaves.

    Args:
        readers: each returns the rows of the lines that it is sure of, and which these are; the last is of
            all.
    """
    count, rest = len(lines), pl.int_range(len(lines), eager=True)
    rows, places = [], []
    for read in readers:
        found, is_read = read(lines)
        if len(found) == len(rest):
            rows.append(found)
            places.append(rest)
            break
        if len(found):
            rows.append(found)
            places.append(rest.filter(is_read))
            lines, rest = lines.filter(~is_read), rest.filter(~is_read)
    else:
        raise AssertionError(f"{len(rest)} of {count} lines were left without a row")
    return rows[0] if len(rows) == 1 else pl.concat(rows)[pl.concat(places).arg_sort()]


def none_if_empty(text: pl.Expr, *also: str) -> pl.Expr:
    """Null for the empty text and for the words in `also`."""
    return pl.when(~text.is_in(["", *also]) if also else text != "").then(text)


def clock_to_utc(clock: pl.Expr, time_zone: str) -> pl.Expr:
    """UTC of a local clock. An hour that the clock runs twice is the first; one that it skips is the next."""
    zone: dict[str, Any] = {"ambiguous": "earliest", "non_existent": "null"}
    exact = clock.dt.replace_time_zone(time_zone, **zone)
    if time_zone in ("UTC", "Etc/UTC"):
        return exact
    skipped = clock.dt.offset_by("1h").dt.replace_time_zone(time_zone, **zone)
    return pl.coalesce(exact, skipped).dt.convert_time_zone("UTC")


def local_time(text: pl.Expr, time_zone: str, form: str = "%Y-%m-%d %H:%M:%S") -> pl.Expr:
    """UTC of a local clock as written; null where it is none."""
    return clock_to_utc(text.str.to_datetime(form, time_unit="us", strict=False), time_zone)


def record_columns(typed: Mapping[str, Any]) -> list[pl.Expr]:
    """Columns of parsed lines, null where a line is no record; by `line_code`, with these types."""
    is_record = pl.col("line_code") == "record"
    return [pl.when(is_record).then(pl.col(name)).cast(kind).alias(name) for name, kind in typed.items()]


def select_parsed(lines: pl.LazyFrame, reason: pl.Expr, typed: Mapping[str, Any]) -> pl.LazyFrame:
    """The rows of parse() for lines that have their `line_code`: PARSED, and the typed columns of records.

    Args:
        reason: why a line is quarantined, of those that are.
    """
    reason_code = pl.when(pl.col("line_code") == "quarantined").then(reason)
    return lines.with_columns(reason_code=reason_code).select(*PARSED, *record_columns(typed))


def typed_columns(name: str) -> ColumnTypes:
    """The columns of a format's bronze rows that parse() gives; the others are a row's owner and key."""
    mine = (*PLACE, "assembly_key")
    return {column: kind for column, kind in bronze_columns(name).items() if column not in mine}


def line_code(is_record: pl.Expr) -> pl.Expr:
    """The code of a line: quarantined where it has a `reason_code`, else record or ignored."""
    return choose_code(quarantined=pl.col("reason_code").is_not_null(), record=is_record, otherwise="ignored")


def select_assembled(records: pl.LazyFrame, name: str, assembly_key: pl.Expr) -> pl.LazyFrame:
    """assemble() of a format with one bronze row per record: a line that was read twice is one row."""
    if "line_code" in records.collect_schema().names():
        records = records.filter(pl.col("line_code") == "record").with_columns(assembly_key=assembly_key)
    rows = records.select(*bronze_columns(name))
    return rows.unique(subset=[*PLACE], keep="any", maintain_order=True)


def stack_mail(parts: Sequence[pl.DataFrame], format_code: str) -> pl.LazyFrame:
    """The rows of all parts of a mail log with the columns of TRANSMISSION, null where no part has one."""
    whole = pl.concat([part for part in parts if part.height] or parts[:1], how="diagonal")
    return fill_rows(
        whole.lazy(), TRANSMISSION, format_code=pl.lit(format_code), channel_code=pl.lit("EMAIL")
    )


def fill_rows(rows: pl.LazyFrame, wanted: Mapping[str, Any], **known: pl.Expr) -> pl.LazyFrame:
    """The rows with the columns that are wanted: as known, else as the rows have them, else null."""
    columns = rows.collect_schema().names()
    return rows.select(
        known.get(name, pl.col(name) if name in columns else pl.lit(None)).cast(kind).alias(name)
        for name, kind in wanted.items()
    )


def smtp_reply(reply: pl.Series) -> tuple[pl.Series, pl.Series, pl.Series]:
    """reply_code, dsn_code and reply_text of an SMTP reply; a code that it does not begin with is null."""
    code = reply.str.extract(_CODE)
    rest = reply.str.slice(4).zip_with(code.is_not_null(), reply)
    status = rest.str.extract(_STATUS)
    text = pl.col("rest").str.slice(pl.col("status").str.len_chars() + 1)
    found = pl.DataFrame({"rest": rest, "status": status}).select(
        pl.when(pl.col("status").is_not_null()).then(text).otherwise("rest")
    )
    return code.alias("reply_code"), status.alias("dsn_code"), found.to_series().alias("reply_text")


def place_of_queue(queue_id: pl.Expr) -> pl.Expr:
    """The value from which the bucket of all rows of a queue id follows."""
    return pl.coalesce(queue_id.str.extract(SENDMAIL_ID).str.strip_chars_start("0"), queue_id)


def place_of_event(name: pl.Expr) -> pl.Expr:
    """The value that copies of an event share whose assembly_key holds its source or its place in a file.

    Args:
        name: the name of the event; where it is null, people and second are used.
    """
    second = pl.col("first_at").dt.epoch("s")
    people = pl.concat_str("sender", "recipient", second, separator="|", ignore_nulls=True)
    return pl.coalesce(name, people)
