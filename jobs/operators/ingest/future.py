"""Stamps from the future: of a host whose clock was wrong, for no line is written after it was read.

They are quarantined: a day in the far future would close all days before it.
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
