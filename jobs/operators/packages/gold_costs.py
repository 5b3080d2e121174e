"""The costs of countermeasures in a package, from an operator's gold tables.

A marginal amount is effort times a public price: divided by the price it gives the effort back. So effort is
put into multiples of `least_units` before anything is priced. Units of a measure leave as the nearest
multiple; time and bytes as the mean of a unit, to two digits, times these units. A measure that examined
fewer units than half the threshold costs nothing here.

Means and points are those of the operator's own simulation, strategy by strategy and all together: means add
up, points do not.
"""

import numpy as np
import polars as pl

from jobs.base.core.periods import period_bounds
from jobs.base.costs import simulation
from jobs.base.costs.fixed_costs import fixed_cost_rows, read_fixed_cost
from jobs.base.costs.price_areas import prices_of_period
from jobs.base.costs.prices import Prices, collect_prices
from jobs.base.costs.simulation import NO_MEASURE
from jobs.base.figures.words import TOTAL, UNKNOWN
from jobs.base.packages.costs import CELL, COST, MEAN, POINTS, RATES
from jobs.base.settings.operator import Operator
from jobs.base.stats.sampling import Samples, sample_parameters, three_quantiles
from jobs.base.store.lake import Lake, Partition
from jobs.base.store.table_files import read_files
from jobs.base.tables.contracts import Row, codelist_rows, polars_schema, reference_table
from jobs.operators.packages.smallcounts import round_to_multiple

EFFORT = "gold.countermeasure_effort_daily"
PRICES = "ref.cost_parameter"


MEAN_DIGITS = 2


def costs_of(
    lake: Lake, version: int | None, operator: Operator, period_code: str, volume: pl.DataFrame, least: int
) -> pl.DataFrame:
    """The rows of a package, for months and channels of its volumes. Raises ObservatoryError where the
    operator's own figures are in a currency without an exchange rate.

    Args:
        version: of gold.countermeasure_effort_daily; None for the present one.
        volume: the package's rows of volumes.
        least: the smallest count that leaves; effort is rounded to its multiples.
    """
    first, last = map(str, period_bounds(period_code))

    def is_wanted(of_file: Partition) -> bool:
        return of_file["operator_id"] == operator.id and first <= str(of_file["period_date"]) <= last

    effort = read_files(EFFORT, lake.files(EFFORT, version, is_wanted)).with_columns(
        pl.col("period_date").dt.strftime("%Y-%m").alias("period_code")
    )
    schema = {name: kind for name, kind in polars_schema(COST).items() if name != "respondent_id"}
    if effort.is_empty():
        return pl.DataFrame(schema=schema)
    figures = [read_fixed_cost(row) for row in fixed_cost_rows(operator)]
    seen = set(volume.select("period_code", "channel_code").unique().iter_rows())
    made: list[Row] = []
    for (period,), month in sorted(effort.partition_by("period_code", as_dict=True).items()):
        prices = prices_of_period(
            reference_table(PRICES),
            *(operator.country, str(period)),
            *(reference_table("ref.country"), reference_table("ref.country_group")),
        )
        priced = collect_prices(prices, figures, reference_table(RATES), operator.currency)
        samples = sample_parameters(priced.table)
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


def month_rows(effort: pl.DataFrame, priced: Prices, samples: Samples, share: float) -> list[Row]:
    """Rows of one month: each strategy of a channel and all together, by component.

    Args:
        share: the part of a year that the operator's own figures are charged for.
    """
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
                **{name: simulation.round_amount(amount) for name, amount in points.items()},
                "bound_code": simulation.joint_bound([each.code for each in bounds]),
            }
        )
    return rows


def strategy_of(measure: str) -> str:
    """A measure's strategy; _T of what serves all of a channel's measures."""
    if measure == TOTAL:
        return TOTAL
    return codelist_rows("countermeasure")[measure]["x1231_strategy_code"] or UNKNOWN
