"""study.finding: figures that are suspicious, with the area that each moves most. Restricted.

- previous: the respondent's own figure for each subscription changed by more than a factor.
- size_class: its rate is far from those of its channel, size class and series, on the scale of the logarithm,
  by median and median absolute deviation (Rousseeuw and Croux 1993).
- channel: where fewer respondents than a spread takes are of its size class, its rate is very far from those
  of all sizes, as a figure in thousands is.
- bound: more than an operator can plausibly have (ref.answer_bound).
- quarters: a year is less than the quarters that the respondent has of it, or not their sum though it has all
  four.
- influence: an estimate is a linear function of contributions, so it moves by the figure's coefficient times
  the distance from what is expected. The ranking is that of selective editing (Granquist and Kovar 1997).

Of each unit and quantity one series is checked, under the operators' own definition if the respondent has it.
Corrected spam is left out: it is made of the others.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from jobs.base.core.periods import count_days, last_day
from jobs.base.figures.areas import COUNTRY
from jobs.base.figures.counting_rules import OPERATOR
from jobs.base.tables.contracts import Row
from jobs.base.tables.validity import holds_on, rows_on_day
from jobs.study.estimates.steps.given_figures import ANSWERS, MONEY, SUBMISSION, VOLUMES, Given, finding_id
from jobs.study.estimates.steps.rows import MEASURES, OWNERS, frame_rows, is_month
from jobs.study.estimates.steps.sample import Reference, Sample, point_estimates, sample_of
from jobs.study.estimates.steps.spending import ALL, POSTS

TABLE = "study.finding"
SERIES = ("table_name", "period_code", "channel_code", "series")
# How many times a respondent's own figure may change, and how many times it may be that of its size class.
CHANGED, APART = 5.0, 10.0
QUARTERS = 4
# Where a size class has few: how many respondents of the channel it takes, and how many times apart.
FEW, THOUSANDS = 3, 100.0
# Robust standard deviations, the respondents that a spread takes, and the factor that makes the median
# absolute deviation of a normal distribution its standard deviation.
FAR, PEERS, MAD = 4.0, 5, 1.4826
# Of money: all strategies, capital and operating cost, at the market's rates.
AT_MARKET = "market"
RULES = ("previous", "size_class", "bound", "quarters", "channel")
# A year may differ from its four quarters by as much, because figures are rounded.
ROUNDING = 0.01


def transform(
    contribution: pl.DataFrame,
    submission: pl.DataFrame,
    questionnaire_answer: pl.DataFrame,
    indicator_measure: pl.DataFrame,
    answer_bound: pl.DataFrame,
    reference: Reference,
) -> pl.DataFrame:
    """A row for each respondent, period, channel and table with a suspicious figure."""
    whole = contribution.filter(~is_month(pl.col("period_code")))
    found = find_suspicious(whole, reference.operator_frame, answer_bound)
    if found.is_empty():
        return frame_rows([], TABLE)
    moved = pl.DataFrame(list(rank_influences(found, whole, reference)), infer_schema_length=None)
    have = {SUBMISSION: submission, ANSWERS: questionnaire_answer}
    of_account = pl.when(pl.col("table_name") == MONEY).then(pl.lit(ALL)).otherwise("channel_code")
    rows = (
        moved.sort("influence_pct", *SERIES, "respondent_id", "rule", descending=[True] + [False] * 6)
        .with_columns(account=of_account)
        .unique(["table_name", "period_code", "account", "respondent_id"], keep="first", maintain_order=True)
        .to_dicts()
    )
    for row in rows:
        given = Given(*(row[name] for name in (*SERIES[:3], "respondent_id")))
        row["finding_id"] = finding_id(given, have, indicator_measure)
        row["rule_code"] = RULES[row["rule"]]
    return frame_rows(rows, TABLE)


def find_suspicious(whole: pl.DataFrame, frame: pl.DataFrame, bounds: pl.DataFrame) -> pl.DataFrame:
    """A row for each figure and rule that it breaks, with what the rule expects.

    Args:
        whole: contributions of quarters and years.
    """
    rows = checked_series(add_subscriptions(whole, frame))
    if rows.is_empty():
        return rows
    periods = sorted(set(rows["period_code"]))
    days_of_periods = pl.DataFrame(
        {"period_code": periods, "before": [period_before(each) for each in periods],
         "days": [count_days(each) for each in periods], "day": [last_day(each) for each in periods]}
    )  # fmt: skip
    rate = pl.col("contribution") / (pl.col("subscribed") * pl.col("days"))
    rows = rows.join(days_of_periods, on="period_code").with_columns(rate=rate)
    earlier = rows.select(
        *SERIES[:1], *SERIES[2:], "respondent_id",
        before="period_code", rate_before="rate", previous_contribution="contribution",
    )  # fmt: skip
    same = ["table_name", "channel_code", "series", "respondent_id", "before"]
    rows = rows.join(earlier, on=same, how="left")
    logarithm = pl.when(pl.col("rate") > 0).then(pl.col("rate").log())
    rows = rows.with_columns(logarithm=logarithm)
    of_class, of_channel = add_spread(rows, "size_code"), add_spread(rows)
    scale = pl.col("subscribed") * pl.col("days")
    earlier_rate = pl.col("rate_before")
    is_changed = (pl.col("rate") > CHANGED * earlier_rate) | (pl.col("rate") < earlier_rate / CHANGED)
    is_far = pl.col("distance") > FAR * pl.col("spread")
    is_apart = (pl.col("count") >= PEERS) & is_far & (pl.col("distance") > np.log(APART))
    is_thousandfold = (pl.col("count") >= FEW) & is_far & (pl.col("distance") > np.log(THOUSANDS))
    has_few = of_class["count"] < PEERS
    middle = pl.col("middle").exp() * scale
    highest = add_bounds(rows, bounds)
    parts = [
        rows.filter(is_changed).with_columns(expected_value=pl.col("rate_before") * scale, rule=pl.lit(0)),
        of_class.filter(is_apart).with_columns(expected_value=middle, rule=pl.lit(1)),
        highest.filter(pl.col("contribution") > pl.col("expected_value")).with_columns(rule=pl.lit(2)),
        unlike_quarters(rows).with_columns(rule=pl.lit(3)),
        of_channel.filter(has_few, is_thousandfold).with_columns(expected_value=middle, rule=pl.lit(4)),
    ]
    columns = [*SERIES, "respondent_id", "contribution", "previous_contribution", "expected_value", "rule"]
    return pl.concat(part.select(columns) for part in parts)


def add_spread(rows: pl.DataFrame, *size: str) -> pl.DataFrame:
    """Rates with how many respondents of their series have one, the median of their logarithms, the distance
    from it, and the robust standard deviation.

    Args:
        size: a column, where peers are of the same size alone.
    """
    peers, logarithm = [*SERIES, *size], pl.col("logarithm")
    rows = rows.with_columns(
        middle=logarithm.median().over(peers), count=logarithm.count().over(peers)
    ).with_columns(distance=(logarithm - pl.col("middle")).abs())
    return rows.with_columns(spread=MAD * pl.col("distance").median().over(peers))


def checked_series(rows: pl.DataFrame) -> pl.DataFrame:
    """Select the series of contributions that are checked: one for each unit and quantity, and for money all
    of it and the posts."""
    is_money = pl.col("table_name") == MONEY
    is_all = (pl.col("strategy_code") == ALL) & (
        ((pl.col("component_code") == ALL) & (pl.col("conversion_code") == AT_MARKET))
        | (pl.col("component_code") == POSTS)
    )
    volumes = (
        rows.filter(pl.col("table_name") == VOLUMES, pl.col("quantity_code").is_in(MEASURES))
        .sort(pl.col("definition_code") != OPERATOR, "definition_code")
        .unique(
            [*SERIES[:3], "unit_code", "quantity_code", "respondent_id"], keep="first", maintain_order=True
        )
    )
    return pl.concat([volumes, rows.filter(is_money & is_all)])


def add_subscriptions(whole: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """Contributions with their respondent's subscriptions, its own or else the frame's, at least one, and its
    size class."""
    listed = [
        rows_on_day(frame, last_day(period))
        .select("respondent_id", "channel_code", "size_code", framed="subscriptions")
        .with_columns(period_code=pl.lit(period))
        for period in sorted(set(whole["period_code"]))
    ]
    if not listed:
        return whole.clear().with_columns(size_code=pl.lit(""), subscribed=pl.lit(1.0))
    by = ["respondent_id", "channel_code", "period_code"]
    subscriptions = pl.coalesce("own_subscriptions", "framed", 1).clip(lower_bound=1).cast(pl.Float64)
    known = pl.concat(listed).unique(by, keep="first", maintain_order=True)
    return whole.join(known, on=by, how="left").with_columns(subscribed=subscriptions)


def add_bounds(rows: pl.DataFrame, bounds: pl.DataFrame) -> pl.DataFrame:
    """Rows of find_suspicious() whose channel and component have a bound, as their expected value; of a
    channel's own before that of all."""
    limits = bounds.select(
        *("table_name", "component_code", "high_per_subscription", "valid_from", "valid_to"),
        limited="channel_code",
    )
    is_daily = pl.col("table_name") != MONEY
    scale = pl.col("subscribed") * pl.when(is_daily).then("days").otherwise(1)
    return (
        rows.with_columns(component_code=pl.coalesce("component_code", pl.lit(ALL)))
        .join(limits, on=["table_name", "component_code"])
        .filter(pl.col("limited").is_in([ALL]) | (pl.col("limited") == pl.col("channel_code")))
        .filter(holds_on(pl.col("day")))
        .sort(pl.col("limited") == ALL)
        .unique([*SERIES, "respondent_id"], keep="first", maintain_order=True)
        .with_columns(expected_value=pl.col("high_per_subscription") * scale)
    )


def unlike_quarters(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of find_suspicious() of years that contradict the same respondent's quarters; their sum is
    expected."""
    whose = ["table_name", "channel_code", "series", "respondent_id"]
    quarters = (
        rows.filter(pl.col("period_code").str.contains("Q"))
        .group_by(*whose, period_code=pl.col("period_code").str.slice(0, 4))
        .agg(expected_value=pl.col("contribution").sum(), quarters=pl.len())
    )
    year, expected = pl.col("contribution"), pl.col("expected_value")
    is_whole = pl.col("quarters") == QUARTERS
    is_unlike = (year - expected).abs() > ROUNDING * expected
    found = rows.join(quarters, on=[*whose, "period_code"])
    return found.filter(pl.when(is_whole).then(is_unlike).otherwise(year < expected))


def period_before(period: str) -> str:
    """The period of the same length that ends where this one begins: of 2026-Q1 it is 2025-Q4."""
    year, number = int(period[:4]), (int(period[6:]) if "Q" in period else 0)
    if not number:
        return str(year - 1)
    return f"{year}-Q{number - 1}" if number > 1 else f"{year - 1}-Q4"


def rank_influences(found: pl.DataFrame, whole: pl.DataFrame, reference: Reference) -> Iterator[Row]:
    """found with the area that each moves most, and by how much of its estimate in percent."""
    samples: dict[tuple[object, ...], Sample] = {}
    known = whole.join(found.select(SERIES).unique(), on=list(SERIES), how="semi")
    behind = known.sort("respondent_id").partition_by(SERIES, as_dict=True)
    for cell, rows in found.partition_by(SERIES, as_dict=True, maintain_order=True).items():
        people = behind[cell]
        period, channel = str(cell[1]), str(cell[2])
        subscribed = people["own_subscriptions"].to_list()
        key = (period, channel, *people["respondent_id"].to_list(), *subscribed)
        if key not in samples:
            answered = people.select("respondent_id", subscriptions="own_subscriptions")
            samples[key], _ = sample_of(reference, answered, channel, period, ("influence",), replicates=0)
        areas = published_areas(samples[key], is_money=cell[0] == MONEY)
        yield from moved_most(samples[key], areas, people, rows)


def moved_most(
    sample: Sample, areas: Sequence[str], people: pl.DataFrame, rows: pl.DataFrame
) -> Iterator[Row]:
    """Find the area that each suspicious figure of a series moves most.

    Args:
        people: all contributions of it, by respondent_id.
    """
    place = {name: at for at, name in enumerate(people["respondent_id"])}
    candidates = rows.to_dicts()
    y = np.zeros((people.height, 1 + len(candidates)))
    y[:, 0] = people["contribution"].to_numpy()
    for column, row in enumerate(candidates, start=1):
        y[place[row["respondent_id"]], column] = abs(row["contribution"] - row["expected_value"])
    # The estimate, and how far each figure moves it: estimates are linear in what was given. Of nothing below
    # zero, since no estimate is below what was reported.
    found = point_estimates(sample, y)
    estimates = np.array([found[area] for area in areas], dtype=float)
    moved, whole = estimates[:, 1:], estimates[:, :1]
    share = np.divide(moved, whole, out=np.where(moved > 0, 1.0, 0.0), where=whole > 0)
    for column, row in enumerate(candidates):
        at = int(share[:, column].argmax())
        expected = row["expected_value"]
        yield row | {
            "area_code": areas[at],
            "influence_pct": 100 * float(share[at, column]),
            "ratio": row["contribution"] / expected if expected > 0 else None,
        }


def published_areas(sample: Sample, is_money: bool) -> list[str]:
    """The areas that may be published: the world, regions and groups where anyone answered, and but for money
    countries where three holdings did."""
    answering = sample.weighted.operators.is_respondent
    holding = sample.holding[answering]
    found = []
    for area, inside in zip(sample.areas, sample.member[:, answering], strict=True):
        holdings = len(set(holding[inside].tolist()))
        if holdings and (area.kind != COUNTRY or (holdings >= OWNERS and not is_money)):
            found.append(area.code)
    return found
