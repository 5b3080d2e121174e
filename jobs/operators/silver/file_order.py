"""The order of files: events of one second that lie in several files follow the order in which these began.

A log with stamps of whole seconds may be rotated, or cut, within a second: only the files' order says then
what came first. Kernels order what happened at one time by stream and offset. A stream's id is a digest of
its first line, so here streams get names that sort by when their files begin and, of those that begin in one
second, end. Two files that lie in one and the same second have no order that is known.
"""

from collections.abc import Callable

import polars as pl

# Between a stream's number and its id, which has no such sign.
SIGN = "~"
# Names of streams, by their ids.
Order = dict[str, str]


def order_files(extents: pl.DataFrame) -> Order:
    """The name of each stream, from when to when its files have rows (EXTENT of
    jobs/operators/silver/copies.py); none where no two files share a second."""
    # Of snapshots, which repeat each other, files are one.
    files = extents.filter(pl.col("stream_id") != "").group_by("stream_id")
    times = files.agg(pl.col("first_at").min(), pl.col("last_at").max())
    times = times.sort("first_at", "last_at", "stream_id")
    if not times.select((pl.col("first_at") <= pl.col("last_at").cum_max().shift(1)).any()).item():
        return {}
    return {stream: f"{number:07}{SIGN}{stream}" for number, stream in enumerate(times["stream_id"])}


def name_streams(rows: pl.DataFrame, order: Order) -> pl.DataFrame:
    """Bronze rows with the names of their streams."""
    return rename_streams(rows, lambda stream: stream.replace(order)) if order else rows


def restore_streams(rows: pl.DataFrame, order: Order) -> pl.DataFrame:
    """Rows with the ids of their streams."""
    return rename_streams(rows, lambda stream: stream.str.replace(f"^.*{SIGN}", "")) if order else rows


def rename_streams(rows: pl.DataFrame, name: Callable[[pl.Expr], pl.Expr]) -> pl.DataFrame:
    """Rows with other names of streams, also of the events in their lists that are of other streams."""
    renamed = rows.with_columns(name(pl.col("stream_id")))
    lists = [column for column, kind in rows.schema.items() if holds_streams(kind)]
    if not lists:
        return renamed
    stream = pl.element().struct.field("stream_id")
    is_other = (pl.col(column).list.eval(stream.is_not_null()).list.any() for column in lists)
    has_others = renamed.select(pl.any_horizontal(is_other).fill_null(False)).to_series()
    if not has_others.any():
        return renamed
    few = renamed.filter(has_others).with_columns(
        pl.col(column).list.eval(pl.element().struct.with_fields(name(stream).alias("stream_id")))
        for column in lists
    )
    return pl.concat([renamed.filter(~has_others), few])


def holds_streams(kind: pl.DataType) -> bool:
    """Return whether a column is a list of events that may be of other streams than their row."""
    return (
        isinstance(kind, pl.List)
        and isinstance(kind.inner, pl.Struct)
        and any(field.name == "stream_id" for field in kind.inner.fields)
    )
