"""Days whose traffic, or share of spam, is far from that of the same weekday before.

A day is compared with the same weekday of up to eight weeks before, by the modified z-score of Iglewicz and
Hoaglin (How to Detect and Handle Outliers, 1993): 0.6745 (x - median) / MAD. x is the logarithm of traffic,
or the log-odds of spam: both are changed by a factor where something changes. A score alone says little of
so few weeks, so a jump is also one that matters: traffic that is doubled or halved, odds that are three times
as high or low.
"""

import datetime as dt
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from jobs.core.counting_rules import OPERATOR, RECEIVED
from jobs.engine.lake import Lake
from jobs.engine.table_files import query_files
from jobs.state.missing_days import LOOKED_AT

TABLE = "gold.spam_volume_daily"
TRAFFIC, SHARE = "traffic", "share"
# Weeks that are compared, and the fewest that say what is usual.
WEEKS, LEAST_WEEKS = 8, 4
SCORE = 5.0
# What matters, as a difference of logarithms.
FACTOR = {TRAFFIC: math.log(2), SHARE: math.log(3)}
# A median deviation of less than 5% is chance of few weeks.
LEAST_DEVIATION = 0.05
# A day's traffic that chance alone may double.
LEAST_UNITS = 100


@dataclass(frozen=True)
class Jump:
    """A day of received traffic, of a channel and unit, that is far from the same weekdays before.

    measure: traffic, in units, or share, in percent certain spam. value, usual: of the day, and the median of
    the same weekday before. score: modified z-score of its logarithm or log-odds. text: all that, as words.
    """

    day: dt.date
    channel_code: str
    unit_code: str
    measure: str
    value: float
    usual: float
    score: float
    text: str


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
    return found


def daily_traffic(lake: Lake, operators: set[str]) -> pl.DataFrame:
    """Received units and certain spam by the operators' own definition: a row for each operator, channel,
    unit and day of the weeks that are compared."""
    files = lake.files(
        TABLE, lake.versions().get(TABLE), lambda partition: str(partition["operator_id"]) in operators
    )
    newest: dict[str, str] = {}
    for file in files:
        of = dict(file.partition)
        newest[str(of["operator_id"])] = max(str(of["period_date"]), newest.get(str(of["operator_id"]), ""))
    span = dt.timedelta(days=7 * WEEKS + LOOKED_AT)
    recent = [
        file
        for file in files
        for of in (dict(file.partition),)
        if dt.date.fromisoformat(str(of["period_date"]))
        >= dt.date.fromisoformat(newest[str(of["operator_id"])]) - span
    ]
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


def jumps_of(counts: Mapping[dt.date, tuple[int, int]], channel: str, unit: str) -> list[Jump]:
    """The jumps of one series. counts: by day, units and certain spam."""
    newest = max(counts, default=None)
    if newest is None:
        return []
    found = []
    for number in range(LOOKED_AT, 0, -1):
        day = newest - dt.timedelta(days=number)
        weeks = [day - dt.timedelta(weeks=week) for week in range(1, WEEKS + 1)]
        before = [counts[each] for each in weeks if each in counts]
        # A day without records is missing_days()' to name.
        if day not in counts or len(before) < LEAST_WEEKS:
            continue
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


def jump_of(
    day: dt.date, channel: str, unit: str, measure: str, value: float, usual: float, score: float
) -> Jump:
    text = describe_jump(day, channel, unit, measure, value, usual)
    return Jump(day, channel, unit, measure, value, usual, score, text)


def score_day(value: float, before: Sequence[float], least: float) -> float | None:
    """The modified z-score of a value beside earlier ones; None where it is no jump."""
    middle = statistics.median(before)
    deviation = max(statistics.median(abs(each - middle) for each in before), LEAST_DEVIATION)
    score = 0.6745 * (value - middle) / deviation
    return score if abs(score) >= SCORE and abs(value - middle) >= least else None


def log_odds(units: int, spam: int) -> float:
    """Of a unit being spam. Half a unit on either side keeps it finite."""
    return math.log((spam + 0.5) / (units - spam + 0.5))


def describe_jump(day: dt.date, channel: str, unit: str, measure: str, value: float, usual: float) -> str:
    """What is how much, and what it was on the same weekdays before."""
    what = f"{channel} {unit} of {day:%A}, {day}"
    if measure == TRAFFIC:
        return f"{what}: {value:,.0f} received, where {usual:,.0f} are usual on that weekday"
    return f"{what}: {value:.1f}% certain spam, where {usual:.1f}% are usual on that weekday"
