"""public.investment_gap: public spending of an area against a norm, computed from public figures alone."""

import polars as pl

from jobs.base.stats.intervals import gap_interval
from jobs.base.tables.public_contracts import PublicContract
from jobs.study.disclosure.coarse import coarsen_outward
from jobs.study.public.intervals import DIGITS
from jobs.study.public.tables import coarsen_rows

WHOLE = {"strategy_code": "_T", "component_code": "_T", "conversion_code": "market"}
ON = ["period_code", "area_code", "channel_code"]
# Of study.investment_gap's sentences those without a count of respondents, and written for public figures.
ASSUMPTIONS = (
    "The norm is an amount for each subscription and year, chosen by the study.",
    "Spending is that of the table investment, at market rates of the base year; its assumptions apply.",
    "The norm is taken as exact: the interval of the gap is that of spending and of subscriptions.",
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
        variance=pl.col("subscriptions_variance").fill_null(0.0),
    )
    made = ["spend", "spend_low", "spend_high", "gap", "gap_low", "gap_high", "assumptions"]
    beside = coarsen_rows(rows.drop(*made, strict=False), contract).drop(made)
    beside = beside.drop(taken).join(whole, on=ON)

    amounts = pl.col("necessary", "spend", "spend_low", "spend_high").cast(pl.Float64)
    ends = [gap_ends(*row) for row in beside.select(amounts, "variance").rows()]
    missing = pl.col("necessary") - pl.col("spend")
    found = beside.with_columns(
        pl.DataFrame(ends, schema=dict.fromkeys(("gap_low", "gap_high"), pl.Float64), orient="row"),
        gap=pl.max_horizontal(missing, pl.lit(0).cast(pl.Decimal(24, 2))),
        assumptions=pl.lit(list(ASSUMPTIONS)),
    )
    return found.select(pl.col(name).cast(kind) for name, kind in contract.schema.items())


def gap_ends(
    necessary: float, spend: float, low: float | None, high: float | None, variance: float
) -> tuple[float | None, float | None]:
    """gap_interval() of an exact target, rounded outward.

    Args:
        low, high: of spending.
    """
    least, most = gap_interval(necessary, (necessary, necessary), spend, (low, high), variance)
    return (
        None if least is None else coarsen_outward(least, DIGITS, -1),
        None if most is None else coarsen_outward(most, DIGITS, 1),
    )
