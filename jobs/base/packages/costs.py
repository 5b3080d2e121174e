"""The table of costs in a package: amounts by month, channel, strategy and component, and their bounds."""

from decimal import Decimal

import polars as pl

from jobs.base.figures.words import TOTAL
from jobs.base.tables.contracts import read_contract, reference_table

COST, VOLUME = "study.submission_cost", "study.submission"
RATES = "ref.exchange_rate"
POINTS, MEAN = ("amount_p05", "amount_p50", "amount_p95"), "amount_mean"
CELL = ["period_code", "channel_code", "strategy_code", "cost_component_code"]
# No amount is larger: all of the world's spending on information technology is less a month.
MOST_AMOUNT = Decimal(10**13)
# What rounded means may be off when they are added.
ROUNDED = Decimal("0.0005")


def find_odd_costs(costs: pl.DataFrame, volume: pl.DataFrame) -> list[str]:
    """A line for each month and channel of costs that has no volumes, each currency that the study cannot
    convert, each amount of a strategy without one of all together that is at least as large, and strategies
    whose means are more than all together."""
    file, volumes = (f"{read_contract(table).name}.csv" for table in (COST, VOLUME))
    seen = volume.select("period_code", "channel_code").unique()
    others = costs.join(seen, on=["period_code", "channel_code"], how="anti").sort(CELL)
    wrong = [
        f"{file}: a row is of {period}, {channel}, of which {volumes} has no row"
        for period, channel in others.select("period_code", "channel_code").unique(maintain_order=True).rows()
    ]
    known = set(reference_table(RATES)["currency_code"])
    wrong += [
        f"{file}: ref.exchange_rate has no rate for {currency}: bring both sides to the same release"
        for currency in sorted(set(costs["currency_code"]) - known)
    ]
    by = ["period_code", "channel_code", "cost_component_code", "currency_code"]
    is_whole = pl.col("strategy_code") == TOTAL
    whole = costs.filter(is_whole).select(*by, pl.col(*POINTS, MEAN).name.suffix("_whole"))
    beside = costs.join(whole, on=by, how="left").sort(CELL)
    is_within = pl.all_horizontal(
        (pl.col(each) <= pl.col(f"{each}_whole")).fill_null(False) for each in (*POINTS, MEAN)
    )
    wrong += [
        f"{file}: {component} of {strategy} in {period}, {channel} is not within that of _T"
        for period, channel, strategy, component in beside.filter(~is_within).select(CELL).rows()
    ]
    summed = beside.filter(~is_whole).group_by(by).agg(pl.col(MEAN).sum(), pl.col(f"{MEAN}_whole").first())
    more = summed.filter(pl.col(MEAN) > pl.col(f"{MEAN}_whole") + ROUNDED).sort(by)
    return wrong + [
        f"{file}: strategies' {MEAN} of {component} in {period}, {channel} add up to more than that of _T"
        for period, channel, component in more.select(by[:3]).rows()
    ]
