"""public.volume_change: volumes of two periods by the same respondents, and the change between the public
figures."""

import polars as pl

from jobs.base.tables.public_contracts import PublicContract
from jobs.study.public.change_intervals import AFTER, PAIR
from jobs.study.public.tables import coarsen_rows


def transform(rows: pl.DataFrame, contract: PublicContract) -> pl.DataFrame:
    """A row for each period of a pair of which both leave, or of which an earlier release's figure stands.
    The later has the change, in percent of the rounded figures."""
    made = coarsen_rows(rows.drop("change_pct"), contract)
    is_own = pl.col("stands_from").is_null()
    paired = made.filter(is_own.sum().over(PAIR) == 2)
    value = pl.col("estimate").cast(pl.Float64)
    is_earlier = pl.col("match_code") == AFTER
    earlier = paired.filter(is_earlier).select(*PAIR, before=value)
    changed = (
        paired.filter(~is_earlier)
        .join(earlier, on=PAIR)
        .select(
            *contract.key,
            change=pl.when(pl.col("before") > 0).then((100 * (value / pl.col("before") - 1)).round(1)),
        )
    )
    is_kept = ~is_own | (is_own.sum().over(PAIR) == 2)
    return (
        made.filter(is_kept)
        .join(changed, on=contract.key, how="left", maintain_order="left")
        .with_columns(change_pct=pl.col("change").cast(made["change_pct"].dtype))
        .select(made.columns)
    )
