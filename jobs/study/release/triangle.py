"""The revision triangle: each published figure as each release had it, from the first to the last.

It is made of released tables alone, and shows nothing that they do not. Withdrawn releases are left out.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.study.release.released_tables import csv_bytes

HEADER = (
    "table", "key", "period_code", "area_code", "release_number", "release", "figure", "revision_pct",
)  # fmt: skip
NAME = "revision-triangle"
# As in a revision log.
BETWEEN = "/"


def build_triangle(releases: Sequence[tuple[str, Mapping[str, pl.DataFrame]]]) -> pl.DataFrame:
    """A row for each figure and release that has it, in HEADER's columns: revision_pct is its change since
    the release that had it first, in percent.

    Args:
        releases: name and tables as texts (comparing.tables_in), in the order of publication.
    """
    parts = [pl.DataFrame(schema={**dict.fromkeys(HEADER, pl.String), "release_number": pl.Int64})]
    for number, (release, tables) in enumerate(releases, 1):
        for contract in map(public_contract, public_tables()):
            rows = tables.get(contract.name)
            if contract.protect is None or rows is None:
                continue
            figure = pl.col(contract.protect.figure)
            parts.append(
                rows.filter(figure.is_not_null()).select(
                    pl.lit(contract.name).alias("table"),
                    pl.concat_str(contract.key, separator=BETWEEN).alias("key"),
                    "period_code",
                    "area_code",
                    pl.lit(number, pl.Int64).alias("release_number"),
                    pl.lit(release).alias("release"),
                    figure.alias("figure"),
                    pl.lit(None, pl.String).alias("revision_pct"),
                )
            )
    value = pl.col("figure").cast(pl.Float64)
    first = value.first().over("table", "key")
    change = pl.when(first > 0).then((100 * (value / first - 1)).round(2))
    return (
        pl.concat(parts)
        .sort("table", "key", "release_number")
        .with_columns(pl.col("release_number").cast(pl.String), revision_pct=change.cast(pl.String))
    )


def format_triangle(rows: pl.DataFrame) -> bytes:
    """The triangle as CSV."""
    return csv_bytes(list(HEADER), [[value or "" for value in row] for row in rows.rows()])


def read_triangle(folder: Path) -> pl.DataFrame:
    """The triangle of a release's folder. Raises ObservatoryError where it has none."""
    files = sorted(folder.glob(f"{NAME}*.csv"))
    if not files:
        raise ObservatoryError(
            f"{folder} has no {NAME}.csv: name the folder of one release, made by this version or a later one"
        )
    return pl.read_csv(files[0], infer_schema=False)
