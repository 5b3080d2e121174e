"""Places of the lines of bronze rows: the row's own, and those of the events in its lists."""

from typing import Any

import polars as pl

PLACE = ["source_id", "stream_id", "offset"]


def is_list_of_lines(kind: Any) -> bool:
    inner = getattr(kind, "inner", None)
    return isinstance(inner, pl.Struct) and "offset" in {field.name for field in inner.fields}


def has_lists(rows: pl.DataFrame) -> bool:
    """Return whether rows of a format hold several lines."""
    return any(is_list_of_lines(kind) for kind in rows.schema.values())


def place_lines(rows: pl.DataFrame) -> pl.DataFrame:
    """The lines of bronze rows: row, its number, and source_id, stream_id and offset of the line."""
    own = rows.select(*PLACE).with_row_index("row")
    parts = [own]
    for name, kind in rows.schema.items():
        if is_list_of_lines(kind):
            event = pl.col(name).struct
            inside = (
                rows.select(*PLACE[:2], name)
                .with_row_index("row")
                .explode(name, empty_as_null=False)
                .filter(pl.col(name).is_not_null())
            )
            inner: Any = kind
            fields = {field.name for field in inner.inner.fields}
            whose = {
                each: pl.coalesce(event.field(each), pl.col(each)) if each in fields else pl.col(each)
                for each in PLACE[:2]
            }
            parts.append(inside.select("row", **whose, offset=event.field("offset")))
    return pl.concat(parts).drop_nulls().unique()
