"""Tables as CSV and Parquet: a row each, a column each, nothing else."""

import csv
import io

import polars as pl

from jobs.study.release.about import About
from jobs.study.release.released import ReleasedTable, format_rows


def csv_of(table: ReleasedTable) -> bytes:
    """The table as CSV in UTF-8 with a header; empty where there is no value."""
    return csv_bytes(table.tidy.columns, format_rows(table.tidy))


def csv_bytes(header: list[str], rows: list[list[str]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode("utf-8")


def parquet_of(table: ReleasedTable, about: About) -> bytes:
    """The table as Parquet; the file's metadata has the release's title."""
    out = io.BytesIO()
    rows = table.tidy
    numbers = [pl.col(name).cast(pl.Float64) for name in rows.columns if rows[name].dtype.is_decimal()]
    rows.with_columns(numbers).write_parquet(
        out,
        compression="zstd",
        metadata={"title": about.title, "release": about.name, "table": table.name},
    )
    return out.getvalue()
