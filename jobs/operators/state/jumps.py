"""Days whose traffic, share of spam or share that others refuse is far from that of the same weekday before.

A day is compared with the same weekday of up to eight weeks before, by the modified z-score of Iglewicz and
Hoaglin (How to Detect and Handle Outliers, 1993): 0.6745 (x - median) / MAD. x is the logarithm of traffic,
or the log-odds of spam: both are changed by a factor where something changes. A score alone says little of
so few weeks, so a jump is also one that matters: traffic that is doubled or halved, odds that are three times
as high or low. Of what a receiving network refuses (4xx and 5xx) only a rise is one, to a share that matters:
it is the sign of a block list, a stolen account or a broken signature.
"""

import datetime as dt
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from jobs.base.core.numbers import format_count, format_percent
from jobs.base.figures.counting_rules import OPERATOR, RECEIVED
from jobs.base.store.lake import Lake
from jobs.base.store.table_files import DataFile, query_files
from jobs.operators.state.missing_days import LOOKED_AT

TABLE = "gold.spam_volume_daily"
REFUSED_TABLE = "gold.refused_by_others_daily"
TRAFFIC, SHARE, REFUSED = "traffic", "share", "refused"
# Weeks that are compared, and the fewest that say what is usual.
WEEKS, LEAST_WEEKS = 8, 4
SCORE = 5.0
# What matters, as a difference of logarithms.
FACTOR = {TRAFFIC: math.log(2), SHARE: math.log(3), REFUSED: math.log(3)}
# A median deviation of less than 5% is chance of few weeks.
LEAST_DEVIATION = 0.05
# A day's traffic that chance alone may double.
LEAST_UNITS = 100
# What a text calls networks that have no name.
NAMES = {"_U": "unknown networks", "_O": "small networks together"}
# The least share of a network's recipients that it has to refuse.
LEAST_REFUSED = 0.05


@dataclass(frozen=True)
class Jump:
    """A day of received traffic, of a channel and unit, or of traffic to a network, that is far from the same
    weekdays before.

    Attributes:
        measure: traffic, in units, share, in percent certain spam, or refused, in percent that the receiving
            network refused.
        value, usual: of the day, and the median of the same weekday before.
        score: modified z-score of its logarithm or log-odds.
        text: all that, as words.
        network: the receiving one, of refused.
    """

    day: dt.date
    channel_code: str
    unit_code: str
    measure: str
    value: float
    usual: float
    score: float
    text: str
    network: str | None = None


def find_jumps(lake: Lake, operators: set[str]) -> dict[str, list[Jump]]:
    """The jumps of each operator within the week before its newest day, whose logs may still come."""
    days = daily_traffic(lake, operators)
    found: dict[str, list[Jump]] = {operator: [] for operator in operators}
    for (operator, channel, unit), rows in days.group_by(
        "operator_id", "channel_code", "unit_code", maintain_order=True
    ):
        counts = {
            day: (units, spam) for day, units, spam in rows.select("period_date", "units", "spam").rows()
        }
        found[str(operator)] += jumps_of(counts, str(channel), str(unit))
    for (operator, channel, network), rows in daily_refusals(lake, operators).group_by(
        "operator_id", "channel_code", "receiving_network", maintain_order=True
    ):
        counts = {
            day: (units, refused)
            for day, units, refused in rows.select("period_date", "units", "refused").rows()
        }
        newest = max(days.filter(pl.col("operator_id") == operator)["period_date"], default=None)
        found[str(operator)] += refusals_of(counts, str(channel), str(network), newest)
    return found


def compared_files(lake: Lake, table: str, operators: set[str]) -> list[DataFile]:
    """The files of a daily table with the weeks that are compared, of each operator."""
    files = lake.files(
        table, lake.versions().get(table), lambda partition: str(partition["operator_id"]) in operators
    )
    newest: dict[str, str] = {}
    for file in files:
        of = dict(file.partition)
        newest[str(of["operator_id"])] = max(str(of["period_date"]), newest.get(str(of["operator_id"]), ""))
    span = dt.timedelta(days=7 * WEEKS + LOOKED_AT)
    return [
        file
        for file in files
        for of in (dict(file.partition),)
        if dt.date.fromisoformat(str(of["period_date"]))
        >= dt.date.fromisoformat(newest[str(of["operator_id"])]) - span
    ]


def daily_refusals(lake: Lake, operators: set[str]) -> pl.DataFrame:
    """Outbound recipients and those that were refused: a row for each operator, channel, receiving network
    and day of the weeks that are compared."""
    by = ["operator_id", "channel_code", "receiving_network", "period_date"]
    recent = compared_files(lake, REFUSED_TABLE, operators)
    if not recent:
        return pl.DataFrame(schema=[*by, "units", "refused"])
    refused = pl.col("refused_for_now_units") + pl.col("refused_units")
    return query_files(
        REFUSED_TABLE,
        recent,
        lambda rows: (
            rows.group_by(by).agg(units=pl.col("outbound_units").sum(), refused=refused.sum()).sort(by)
        ),
    )


def daily_traffic(lake: Lake, operators: set[str]) -> pl.DataFrame:
    """Received units and certain spam by the operators' own definition: a row for each operator, channel,
    unit and day of the weeks that are compared."""
    recent = compared_files(lake, TABLE, operators)
    by = ["operator_id", "channel_code", "unit_code", "period_date"]
    if not recent:
        return pl.DataFrame(schema=[*by, "units", "spam"])
    return query_files(
        TABLE,
        recent,
        lambda rows: (
            rows.filter(
                (pl.col("definition_code") == OPERATOR) & pl.col("direction_code").is_in(list(RECEIVED))
            )
            .group_by(by)
            .agg(units=pl.col("units").sum(), spam=pl.col("spam_certain").sum())
            .sort(by)
        ),
    )


def days_to_compare(
    counts: Mapping[dt.date, tuple[int, int]], newest: dt.date
) -> Iterator[tuple[dt.date, list[tuple[int, int]]]]:
    """The last days that have counts, each with those of the same weekdays before, where enough of these have
    some. A day without records is missing_days()' to name."""
    for number in range(LOOKED_AT, 0, -1):
        day = newest - dt.timedelta(days=number)
        weeks = [day - dt.timedelta(weeks=week) for week in range(1, WEEKS + 1)]
        before = [counts[each] for each in weeks if each in counts]
        if day in counts and len(before) >= LEAST_WEEKS:
            yield day, before


def jumps_of(counts: Mapping[dt.date, tuple[int, int]], channel: str, unit: str) -> list[Jump]:
    """The jumps of one series.

    Args:
        counts: by day, units and certain spam.
    """
    newest = max(counts, default=None)
    if newest is None:
        return []
    found = []
    for day, before in days_to_compare(counts, newest):
        units, spam = counts[day]
        usual_units = statistics.median(each[0] for each in before)
        if max(units, usual_units) < LEAST_UNITS:
            continue
        volume = score_day(math.log(units + 1), [math.log(each[0] + 1) for each in before], FACTOR[TRAFFIC])
        if volume:
            found.append(jump_of(day, channel, unit, TRAFFIC, float(units), usual_units, volume))
        if min(units, usual_units) < LEAST_UNITS:
            continue
        share = score_day(log_odds(units, spam), [log_odds(*each) for each in before], FACTOR[SHARE])
        if share:
            usual = statistics.median(100 * each[1] / each[0] for each in before if each[0])
            found.append(jump_of(day, channel, unit, SHARE, 100 * spam / units, usual, share))
    return found


def refusals_of(
    counts: Mapping[dt.date, tuple[int, int]], channel: str, network: str, newest: dt.date | None
) -> list[Jump]:
    """The days on which a network refused far more than on the same weekdays before.

    Args:
        counts: by day, outbound recipients and those refused.
        newest: the operator's newest day, whose logs may still come.
    """
    found: list[Jump] = []
    if newest is None:
        return found
    for day, before in days_to_compare(counts, newest):
        units, refused = counts[day]
        if min(units, statistics.median(each[0] for each in before)) < LEAST_UNITS:
            continue
        score = score_day(log_odds(units, refused), [log_odds(*each) for each in before], FACTOR[REFUSED])
        if score is None or score < 0 or refused < LEAST_REFUSED * units:
            continue
        value = 100 * refused / units
        usual = statistics.median(100 * each[1] / each[0] for each in before if each[0])
        text = (
            f"{channel} recipient of {day:%A}, {day}: {NAMES.get(network, network)} refused"
            f" {format_percent(value)} of {units:,}, where {format_percent(usual)} are usual on that weekday"
        )
        found.append(Jump(day, channel, "recipient", REFUSED, value, usual, score, text, network))
    return found


def jump_of(
    day: dt.date, channel: str, unit: str, measure: str, value: float, usual: float, score: float
) -> Jump:
    """A jump with its words: the measure, its value, and the usual one on the same weekdays before.

    Args:
        measure: TRAFFIC or SHARE.
        value, usual: units a day, or the share of certain spam in percent; usual is the median.
        score: the modified z-score.
    """
    if measure == TRAFFIC:
        is_now, was = f"{format_count(value)} received", format_count(usual)
    else:
        is_now, was = f"{format_percent(value)} certain spam", format_percent(usual)
    text = f"{channel} {unit} of {day:%A}, {day}: {is_now}, where {was} are usual on that weekday"
    return Jump(day, channel, unit, measure, value, usual, score, text)


def score_day(value: float, before: Sequence[float], least: float) -> float | None:
    """The modified z-score of a value beside earlier ones; None where it is no jump."""
    middle = statistics.median(before)
    deviation = max(statistics.median(abs(each - middle) for each in before), LEAST_DEVIATION)
    score = 0.6745 * (value - middle) / deviation
    return score if abs(score) >= SCORE and abs(value - middle) >= least else None


def log_odds(units: int, spam: int) -> float:
    """Return the log odds of a unit being spam. Half a unit on either side keeps them finite."""
    return math.log((spam + 0.5) / (units - spam + 0.5))
