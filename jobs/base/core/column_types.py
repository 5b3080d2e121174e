"""Types of columns, as contracts write them: Spark SQL's names, read as Arrow's and Polars' types.

Either library is imported only where a function needs it, because Airflow reads contracts while it parses
DAGs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from jobs.base.core.errors import ObservatoryError

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

# The Polars type of each column of a frame, in the frame's order.
ColumnTypes: TypeAlias = "dict[str, pl.DataType | pl.datatypes.DataTypeClass]"


def build_type(
    text: str,
    simple: Mapping[str, Any],
    decimal: Callable[[int, int], Any],
    array: Callable[[Any], Any],
    struct: Callable[[dict[str, Any]], Any],
) -> Any:
    """The type of a field's `type`, made by a library's own. Raises ObservatoryError for a type that no
    contract uses."""

    def parse_type(text: str) -> Any:
        text = text.strip()
        if text in simple:
            return simple[text]
        if text.startswith("decimal("):
            precision, scale = text[len("decimal(") : -1].split(",")
            return decimal(int(precision), int(scale))
        if text.startswith("array<"):
            return array(parse_type(text[len("array<") : -1]))
        if text.startswith("struct<"):
            parts = [part.split(":", 1) for part in split_top(text[len("struct<") : -1])]
            return struct({name.strip(): parse_type(kind) for name, kind in parts})
        raise ObservatoryError(f"fields.yaml: unknown type '{text}'")

    return parse_type(text)


def arrow_type(text: str) -> pa.DataType:
    """The Arrow type of a field's `type`."""
    import pyarrow as pa

    simple = {
        "string": pa.string(),
        "boolean": pa.bool_(),
        "int": pa.int32(),
        "bigint": pa.int64(),
        "double": pa.float64(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us", "UTC"),
        "binary": pa.binary(),
    }
    return build_type(
        text, simple, pa.decimal128, lambda kind: pa.list_(pa.field("element", kind)), pa.struct
    )


def polars_type(text: str) -> pl.DataType:
    """The Polars type of a field's `type`."""
    import polars as pl

    simple = {
        "string": pl.String(),
        "boolean": pl.Boolean(),
        "int": pl.Int32(),
        "bigint": pl.Int64(),
        "double": pl.Float64(),
        "date": pl.Date(),
        "timestamp": pl.Datetime("us", "UTC"),
        "binary": pl.Binary(),
    }
    return build_type(text, simple, pl.Decimal, pl.List, pl.Struct)


def split_top(text: str) -> list[str]:
    """Split at the commas that stand outside brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "<(") - (character in ">)")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
