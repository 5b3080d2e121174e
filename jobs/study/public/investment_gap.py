"""public.investment_gap: public spending of an area against a norm, computed from public figures alone."""

import polars as pl

from jobs.base.tables.public_contracts import PublicContract
from jobs.study.public.tables import coarsen_rows

WHOLE = {"strategy_code": "_T", "component_code": "_T", "conversion_code": "market"}
ON = ["period_code", "area_code", "channel_code"]
# Of study.investment_gap's sentences those without a count of respondents, and written for public figures.
ASSUMPTIONS = (
    "The norm is an amount for each subscription and year, chosen by the study.",
    "Spending is that of the table investment, at market rates of the base year; its assumptions apply.",
    "The norm is taken as exact: the interval of the gap is that of spending alone.",
    "An area whose total spending exceeds the norm has no gap, even if some of its operators have one.",
    "The need for each subscription is the same in all countries.",
)


def transform(rows: pl.DataFrame, contract: PublicContract, investment: pl.DataFrame) -> pl.DataFrame:
    """A row for each row of public.investment on all spending, and norm."""
    taken = ["cv_band_code", "obs_status_code", "revision_code", "stands_from"]
    whole = investment.filter(pl.col(name) == code for name, code in WHOLE.items()).select(
        *ON,
        *taken,
        spend="estimate",
        spend_low="estimate_low",
        spend_high="estimate_high",
    )
    made = ["spend", "spend_low", "spend_high", "gap", "gap_low", "gap_high", "assumptions"]
    beside = coarsen_rows(rows.drop(*made, strict=False), contract).drop("spend", "spend_low", "spend_high")
    beside = beside.drop(taken).join(whole, on=ON)

    def missing_amount(spent: str) -> pl.Expr:
        return pl.max_horizontal(pl.col("necessary") - pl.col(spent), pl.lit(0).cast(pl.Decimal(24, 2)))

    found = beside.with_columns(
        gap=missing_amount("spend"),
        gap_low=pl.when(pl.col("spend_high").is_not_null()).then(missing_amount("spend_high")),
        gap_high=pl.when(pl.col("spend_low").is_not_null()).then(missing_amount("spend_low")),
        assumptions=pl.lit(list(ASSUMPTIONS)),
    )
    return found.select(pl.col(name).cast(kind) for name, kind in contract.schema.items())
