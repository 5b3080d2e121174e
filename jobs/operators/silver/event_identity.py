"""Identity of an event of a log: the host or source of its file, its time, its key and its contents.

Rows of silver that have no key of their own get one: the MD5 of these.
"""

from collections.abc import Callable
from hashlib import md5

import polars as pl

from jobs.operators.formats.registry import KERNELS
from jobs.operators.silver.bucketing import SEED

PLACE = ("source_id", "stream_id", "offset")


def scope_of(rows: pl.DataFrame, format_name: str) -> pl.Expr:
    """The files across which a row is compared: those of a host, of a source, or all of the operator's."""
    source = pl.lit("source|") + pl.col("source_id")
    if KERNELS[format_name].copies.names_hosts:
        scope = pl.lit("all")
    elif "host" in rows.columns:
        scope = pl.coalesce(pl.lit("host|") + pl.col("host"), source)
    else:
        scope = source
    return scope.alias("scope")


def time_of(events: pl.DataFrame) -> str:
    return "at" if "at" in events.columns else "first_at"


def is_line(events: pl.DataFrame, format_name: str) -> pl.Expr:
    """Return whether a row is that of its line: some lines have a second one."""
    second = KERNELS[format_name].copies.second_row
    return pl.lit(True) if second is None else pl.col("event_code") != second


def hash_contents(events: pl.DataFrame, format_name: str) -> Callable[[pl.Series], pl.Series]:
    """A function that hashes the contents of some events, by their rows."""
    of_place = {"operator_id", *PLACE, time_of(events), "ingest_id", "event_date"}
    rules = KERNELS[format_name].copies
    differing = {*rules.differing, "end_offset", "is_closed", "signatures"}
    # Keys of rows without an id of their own hold their place.
    names = rules.naming or [
        name
        for name in events.columns
        if name not in of_place | differing and (name != "assembly_key" or rules.has_stable_key)
    ]
    second = [
        pl.col(name).dt.truncate("1s") if isinstance(events.schema[name], pl.Datetime) else pl.col(name)
        for name in names
    ]

    def hash_rows(rows: pl.Series) -> pl.Series:
        return events.select(pl.col(names).gather(rows)).select(pl.struct(second).hash(SEED)).to_series()

    return hash_rows


def digest_rows(rows: pl.DataFrame, *parts: str | pl.Expr, separator: str) -> pl.Series:
    """Return the MD5 of each row's parts, as 32 hexadecimal digits. Parts that are null are left out."""
    text = rows.select(key=pl.concat_str(*parts, separator=separator, ignore_nulls=True))["key"]
    return pl.Series("key", [md5(each.encode()).hexdigest() for each in text.to_list()], dtype=pl.String)
