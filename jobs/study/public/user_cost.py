"""public.user_cost: what published models say that the published spam costs those who receive it."""

import polars as pl

from jobs.base.costs.user_models import CELL, COVERAGE, DRIVERS, POINTS, count_spam, price_units
from jobs.base.tables.public_contracts import PublicContract
from jobs.study.public.tables import coarsen_rows

COUNTED = ("spam_units", "area_kind_code", "conf_status_code", *COVERAGE)
MADE = tuple(f"{name}_{point}" for name in ("hours", "modelled") for point in POINTS)


def transform(
    rows: pl.DataFrame, contract: PublicContract, spam_volume: pl.DataFrame, spam_type: pl.DataFrame
) -> pl.DataFrame:
    """A row for each model and area of which the spam is published."""
    parts = [rows.clear()]
    for name in DRIVERS:
        counted = count_spam(name, spam_volume, spam_type)
        own = rows.filter(pl.col("driver") == name).drop(*COUNTED, *MADE)
        priced = price_units(own.join(counted, on=CELL))
        parts.append(priced.select(pl.col(each).cast(kind) for each, kind in rows.schema.items()))
    return coarsen_rows(pl.concat(parts), contract)
