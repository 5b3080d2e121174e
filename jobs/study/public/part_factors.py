"""Public tables of parts: the contract's columns, and part_factor from public figures alone."""

import polars as pl

from jobs.base.tables.public_contracts import PublicContract
from jobs.base.tables.series import ALL, PARTS
from jobs.study.public.tables import coarsen_rows

# The key that a whole and its parts share.
WHOLE_KEY = ("period_code", "area_code", "channel_code", "unit_code", "definition_code", "quantity_code")


def transform(rows: pl.DataFrame, contract: PublicContract) -> pl.DataFrame:
    """coarsen_rows() with part_factor, the rounded whole over the rounded sum of its parts; null where one of
    them does not leave, or an earlier figure stands in its place."""
    made = coarsen_rows(rows.drop("part_factor", strict=False), contract)
    shared = [name for name in contract.key if name in WHOLE_KEY]
    first, *others = (name for name in contract.key if name not in WHOLE_KEY)
    is_whole = pl.all_horizontal(pl.col("stands_from").is_null(), *(pl.col(name) == ALL for name in others))
    whole, summed = (
        made.filter(is_whole & (pl.col(first) == code)).select(
            *shared, value=pl.col("estimate").cast(pl.Float64)
        )
        for code in (ALL, PARTS)
    )
    factors = whole.join(summed, on=shared, suffix="_parts").select(
        *shared,
        factor=pl.when(pl.col("value_parts") > 0).then(pl.col("value") / pl.col("value_parts")),
    )
    joined = made.join(factors, on=shared, how="left", maintain_order="left")
    return joined.with_columns(part_factor=pl.col("factor").round(4).cast(made["part_factor"].dtype)).drop(
        "factor"
    )
