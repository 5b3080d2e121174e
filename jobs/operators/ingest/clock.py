"""Stamps of a host whose clock was wrong.

A known offset is set right (the setting clock_offset of a source). Records from the future are quarantined:
no line is written after it was read, and a day in the far future would close all days before it.
"""

import polars as pl

from jobs.operators.formats import Source

REASON = "from_the_future"


def set_apart(
    codes: pl.DataFrame, records: pl.DataFrame, source: Source
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """codes and records of a block with the records from the future quarantined.

    Args:
        codes: offset, line_code and reason_code of each line.
        records: the rows that are records.
    """
    late = future_offsets(records, source)
    if late.is_empty():
        return codes, records
    return quarantine_codes(codes, late), records.filter(~pl.col("offset").is_in(late.implode()))


def quarantine_future(lines: pl.DataFrame, source: Source) -> pl.DataFrame:
    """The rows of parse() for a block, with the records from the future quarantined."""
    late = future_offsets(lines.filter(pl.col("line_code") == "record"), source)
    return lines if late.is_empty() else quarantine_codes(lines, late)


def quarantine_codes(codes: pl.DataFrame, late: pl.Series) -> pl.DataFrame:
    """The codes of lines, of which those at these offsets are quarantined."""
    is_late = pl.col("offset").is_in(late.implode())
    return codes.with_columns(
        line_code=pl.when(is_late).then(pl.lit("quarantined")).otherwise(pl.col("line_code").cast(pl.String)),
        reason_code=pl.when(is_late).then(pl.lit(REASON)).otherwise(pl.col("reason_code").cast(pl.String)),
    )


def future_offsets(records: pl.DataFrame, source: Source) -> pl.Series:
    """The offsets of records with a time after source.latest_at."""
    latest = source.latest_at
    after = [times > latest for times in (read_times(records) if latest and records.height else ())]
    late = [records["offset"].filter(is_after) for is_after in after if is_after.any()]
    return pl.concat(late).unique() if late else pl.Series("offset", [], pl.Int64)


def read_times(records: pl.DataFrame) -> list[pl.Series]:
    """All times of records; of a list of rows the latest of each column."""
    times = [records[name] for name, kind in records.schema.items() if isinstance(kind, pl.Datetime)]
    for name, kind in records.schema.items():
        if isinstance(kind, pl.List) and isinstance(kind.inner, pl.Struct):
            times += [
                records[name].list.eval(pl.element().struct.field(field.name)).list.max()
                for field in kind.inner.fields
                if isinstance(field.dtype, pl.Datetime)
            ]
    return times


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
