"""Stamps of a host whose clock was ahead or behind, set right: the setting clock_offset of a source."""

import polars as pl


def correct_times(rows: pl.DataFrame, offset_s: int) -> pl.DataFrame:
    """The rows with all their times earlier by so many seconds, those in lists and structs, too."""
    if not offset_s:
        return rows
    return rows.with_columns(
        shift_back(pl.col(name), kind, offset_s).alias(name)
        for name, kind in rows.schema.items()
        if has_time(kind)
    )


def has_time(kind: pl.DataType) -> bool:
    if isinstance(kind, pl.List):
        return has_time(kind.inner)  # type: ignore[arg-type]
    if isinstance(kind, pl.Struct):
        return any(has_time(field.dtype) for field in kind.fields)  # type: ignore[arg-type]
    return isinstance(kind, pl.Datetime)


def shift_back(value: pl.Expr, kind: pl.DataType, offset_s: int) -> pl.Expr:
    """The value, earlier by so many seconds."""
    if isinstance(kind, pl.List):
        return value.list.eval(shift_back(pl.element(), kind.inner, offset_s))  # type: ignore[arg-type]
    if isinstance(kind, pl.Struct):
        parts = [
            shift_back(value.struct.field(field.name), field.dtype, offset_s)  # type: ignore[arg-type]
            if has_time(field.dtype)  # type: ignore[arg-type]
            else value.struct.field(field.name)
            for field in kind.fields
        ]
        return pl.when(value.is_not_null()).then(pl.struct(parts))
    return value - pl.duration(seconds=offset_s)
