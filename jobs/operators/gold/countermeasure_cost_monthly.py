"""gold.countermeasure_cost_monthly: what each countermeasure cost, with its 5, 50 and 95% points."""

import polars as pl

from jobs.base.costs import simulation
from jobs.base.costs.fixed_costs import read_fixed_cost
from jobs.base.costs.price_areas import prices_of_period
from jobs.base.costs.prices import FixedCost
from jobs.base.figures.channels import CALLS
from jobs.base.figures.counting_rules import RECEIVED
from jobs.base.figures.words import TOTAL
from jobs.base.tables.contracts import conform_frame

TABLE = "gold.countermeasure_cost_monthly"


def transform(
    countermeasure_effort_daily: pl.DataFrame,
    spam_volume_daily: pl.DataFrame,
    cost_parameter: pl.DataFrame,
    exchange_rate: pl.DataFrame,
    operator: pl.DataFrame,
    fixed_cost: pl.DataFrame,
    country: pl.DataFrame,
    country_group: pl.DataFrame,
) -> pl.DataFrame:
    """A month of an operator is simulated as a whole: quantiles of a sum are no sum of quantiles. Rates
    divide points by a number that is known, so each point of a rate is that of the amount, divided. Prices
    are those that hold in the operator's country on the month's last day."""
    place = {row["operator_id"]: row for row in operator.to_dicts()}
    fixed: dict[str, list[FixedCost]] = {}
    for row in fixed_cost.to_dicts():
        fixed.setdefault(row["operator_id"], []).append(read_fixed_cost(row))
    months = countermeasure_effort_daily.with_columns(month=pl.col("period_date").dt.strftime("%Y-%m"))
    parts = []
    for (whose, month), effort in months.partition_by("operator_id", "month", as_dict=True).items():
        own = place[str(whose)]
        prices = prices_of_period(cost_parameter, own["country_code"], str(month), country, country_group)
        parts.append(
            simulation.simulate_costs(
                effort, prices, fixed.get(str(whose), []), exchange_rate, own["currency_code"]
            )
        )
    costs = pl.concat([pl.DataFrame(schema=simulation.COST), *parts])
    traffic, subscribers = monthly_traffic(spam_volume_daily), sum_subscribers(operator)
    return conform_frame(add_rates(costs, traffic, subscribers), TABLE)


def add_rates(costs: pl.DataFrame, traffic: pl.DataFrame, subscribers: pl.DataFrame) -> pl.DataFrame:
    """Costs with their amounts for the whole month, for each subscriber, and for 1,000 messages or calls."""
    by = ["operator_id", "channel_code"]
    of_all = subscribers.filter(pl.col("channel_code") == TOTAL)
    days = pl.col("period_code").str.to_date("%Y-%m").dt.month_end().dt.day()
    whole = days / pl.col("day_count").cast(pl.Float64)
    points = {point: pl.col(f"amount_{point}").cast(pl.Float64) for point in ("p05", "p50", "p95")}
    return (
        costs.join(traffic, on=[*by, "period_code"], how="left")
        .join(subscribers, on=by, how="left")
        .join(of_all.select("operator_id", of_all="subscriber_count"), on="operator_id", how="left")
        .with_columns(
            pl.coalesce("subscriber_count", "of_all").alias("subscriber_count"),
            *(round_money(value * whole, 4).alias(f"whole_{point}") for point, value in points.items()),
        )
        .with_columns(
            per_subscriber_p50=round_money(points["p50"] * whole / positive("subscriber_count"), 8),
            per_thousand_p50=round_money(1000 * points["p50"] / positive("traffic_units"), 8),
        )
        .drop("of_all")
    )


def round_money(amount: pl.Expr, digits: int) -> pl.Expr:
    return amount.round(digits).cast(pl.Decimal(20, digits))


def positive(count: str) -> pl.Expr:
    """The count, null where it is zero."""
    return pl.when(pl.col(count) > 0).then(pl.col(count))


def monthly_traffic(spam_volume_daily: pl.DataFrame) -> pl.DataFrame:
    """Count the recipients of messages, or the calls, that each operator received by month and channel."""
    unit = pl.when(pl.col("channel_code").is_in(CALLS)).then(pl.lit("call")).otherwise(pl.lit("recipient"))
    by = ["operator_id", "channel_code", "period_code"]
    return (
        spam_volume_daily.filter(pl.col("direction_code").is_in(RECEIVED), pl.col("unit_code") == unit)
        .group_by(*by[:2], "definition_code", pl.col("period_date").dt.strftime("%Y-%m").alias("period_code"))
        .agg(pl.col("units").sum())
        # All definitions count the same traffic.
        .group_by(by)
        .agg(traffic_units=pl.col("units").max())
    )


def sum_subscribers(operator: pl.DataFrame) -> pl.DataFrame:
    """Subscribers or mailboxes by operator and channel. All channels together (_T) have the one number that
    was given for all, else the sum of the channels': a mailbox counts like a SIM, as in the study."""
    given = (
        operator.select("operator_id", "subscribers")
        .explode("subscribers")
        .unnest("subscribers")
        .drop_nulls("channel_code")
    )
    of_all = given.group_by("operator_id").agg(
        channel_code=pl.lit(TOTAL),
        subscriber_count=pl.coalesce(
            pl.col("subscriber_count").filter(pl.col("channel_code") == TOTAL).first(),
            pl.col("subscriber_count").sum(),
        ),
    )
    return pl.concat([given.filter(pl.col("channel_code") != TOTAL), of_all])
