"""What a package reports on the cost of countermeasures: amounts by month, channel, strategy and component.

A marginal amount is effort times a public price: divided by the price it gives the effort back. So effort is
put into multiples of `least_units` before anything is priced. Units of a measure leave as the nearest
multiple; time and bytes as the mean of a unit, to two digits, times these units. A measure that examined
fewer units than half the threshold costs nothing here.

Means and points are those of the operator's own simulation, strategy by strategy and all together: means add
up, points do not.
"""

from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from jobs.core.contracts import codelist_rows, polars_schema, read_contract, reference_table
from jobs.core.periods import period_bounds
from jobs.core.words import TOTAL, UNKNOWN
from jobs.costs import simulation
from jobs.costs.fixed_costs import fixed_cost_rows, to_fixed_cost
from jobs.costs.prices import Prices, collect_prices
from jobs.costs.simulation import NO_MEASURE
from jobs.engine.lake import Lake, Partition
from jobs.engine.table_files import read_files
from jobs.settings.operator import Operator
from jobs.stats.sampling import Samples, sample_parameters, three_quantiles
from jobs.submission.smallcounts import round_to_multiple

COST, VOLUME = "study.submission_cost", "study.submission"
EFFORT = "gold.countermeasure_effort_daily"
PRICES, RATES = "ref.cost_parameter", "ref.exchange_rate"
POINTS, MEAN = ("amount_p05", "amount_p50", "amount_p95"), "amount_mean"
CELL = ["period_code", "channel_code", "strategy_code", "cost_component_code"]
# No amount is larger: all of the world's spending on information technology is less a month.
MOST_AMOUNT = Decimal(10**13)
MEAN_DIGITS = 2
# What rounded means may be off when they are added.
ROUNDED = Decimal("0.0005")


def costs_of(
    lake: Lake, version: int | None, operator: Operator, period_code: str, volume: pl.DataFrame, least: int
) -> pl.DataFrame:
    """The rows of a package, for months and channels of its volumes. Raises ObservatoryError where the
    operator's own figures are in a currency without an exchange rate."""
    first, last = map(str, period_bounds(period_code))

    def is_wanted(of_file: Partition) -> bool:
        return of_file["operator_id"] == operator.id and first <= str(of_file["period_date"]) <= last

    effort = read_files(EFFORT, lake.files(EFFORT, version, is_wanted)).with_columns(
        pl.col("period_date").dt.strftime("%Y-%m").alias("period_code")
    )
    schema = {name: kind for name, kind in polars_schema(COST).items() if name != "respondent_id"}
    if effort.is_empty():
        return pl.DataFrame(schema=schema)
    figures = [to_fixed_cost(row) for row in fixed_cost_rows(operator)]
    priced = collect_prices(reference_table(PRICES), figures, reference_table(RATES), operator.currency)
    samples = sample_parameters(priced.table)
    seen = set(volume.select("period_code", "channel_code").unique().iter_rows())
    made: list[dict[str, Any]] = []
    for (period,), month in sorted(effort.partition_by("period_code", as_dict=True).items()):
        share = simulation.share_of_year(str(period), month["period_date"].n_unique())
        rows = month_rows(round_effort(month, least), priced, samples, share)
        made += [
            {"period_code": period, "currency_code": priced.shown, "country_code": operator.country, **row}
            for row in rows
            if (period, row["channel_code"]) in seen
        ]
    return pl.DataFrame(made, schema=schema).sort(CELL)


def round_effort(month: pl.DataFrame, least: int) -> pl.DataFrame:
    """A month's effort, a row for each measure of a channel, in multiples of the threshold."""
    of_measures = month.filter(~pl.col("countermeasure_code").is_in(NO_MEASURE))
    examined, acted = pl.col("units_examined"), pl.col("units_acted")
    return (
        of_measures.group_by("channel_code", "countermeasure_code")
        .agg(pl.col(simulation.EFFORT).sum())
        .with_columns(
            round_to_multiple(examined, least),
            round_to_multiple(acted, least),
            *(mean_times(name, examined, least) for name in ("filter_us", "received_bytes")),
            mean_times("quarantined_bytes", acted, least),
        )
        .filter(examined > 0)
    )


def mean_times(total: str, count: pl.Expr, least: int) -> pl.Expr:
    """A total as its mean, to two digits, times the rounded count; none of a count of none."""
    mean = (pl.when(count > 0).then(pl.col(total) / count).otherwise(0.0)).round_sig_figs(MEAN_DIGITS)
    return (mean * round_to_multiple(count, least)).round().cast(pl.Int64).alias(total)


def month_rows(effort: pl.DataFrame, priced: Prices, samples: Samples, share: float) -> list[dict[str, Any]]:
    """Rows of one month: each strategy of a channel and all together, by component. share: the part of a year
    that the operator's own figures are charged for."""
    simulated = simulation.simulate_month(effort, priced, samples, share)
    groups: dict[tuple[str, str, str], list[tuple[str, np.ndarray]]] = {}
    for (channel, measure, component), amount in simulated.amounts.items():
        # What serves several measures is in no strategy.
        for strategy in {strategy_of(measure), TOTAL}:
            groups.setdefault((channel, strategy, component), []).append((measure, amount))
    rows = []
    for (channel, strategy, component), parts in sorted(groups.items()):
        total = np.sum([amount for _, amount in parts], axis=0)
        points = dict(zip(POINTS, three_quantiles(total), strict=True)) | {MEAN: float(total.mean())}
        within = [TOTAL] if strategy == TOTAL else [measure for measure, _ in parts]
        bounds = [simulation.bound_of(channel, each, component, simulated, priced.biases) for each in within]
        rows.append(
            {
                "channel_code": channel,
                "strategy_code": strategy,
                "cost_component_code": component,
                **{name: simulation.to_money(amount) for name, amount in points.items()},
                "bound_code": simulation.joint_bound([each.code for each in bounds]),
            }
        )
    return rows


def strategy_of(measure: str) -> str:
    """A measure's strategy; _T of what serves all of a channel's measures."""
    if measure == TOTAL:
        return TOTAL
    return codelist_rows("countermeasure")[measure]["x1231_strategy_code"] or UNKNOWN


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
