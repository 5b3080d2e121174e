"""Find implausible counts of a package: more than its logs have lines, or more than its subscriptions would
get, or far from the counts of the package that it replaces.

A signature shows whose counts they are, and no rule within a package shows that all of them were multiplied.
The bounds are wide: what they find is a slip of the operator's program, such as a factor of a thousand.
"""

from collections.abc import Mapping

import polars as pl

from jobs.base.figures.counting_rules import RECEIVED
from jobs.base.figures.words import join_words
from jobs.base.packages.counts import GROUP, compute_totals
from jobs.base.packages.package import Manifest
from jobs.base.packages.subscriptions import WITHIN

# Recipients, attempts, segments or calls for each line of the logs, on average: RFC 5321, 4.5.3.1.8, lets a
# message have a hundred recipients.
MOST_PER_LINE = 100
# What a subscription gets a day, with refused attempts: servers under attack see some hundreds.
MOST_PER_DAY = 10_000
# Smaller counts change by more than these rules allow.
LEAST_COMPARED = 1_000
# Counts of one computation differ by what is rounded alone.
ROUNDING = 1.1
EXAMPLES = 3
PLURAL = {"recipient": "recipients", "message": "messages", "attempt": "attempts", "segment": "segments",
          "call": "calls"}  # fmt: skip
# Units and days of a month, channel, direction and unit.
Group = tuple[str, str, str, str]
Counts = Mapping[Group, tuple[int, int]]


def list_excess_units(manifest: Manifest, volume: pl.DataFrame) -> list[str]:
    """A line for each channel and unit of which there are more than MOST_PER_LINE for each line of logs."""
    lines = sum(each.lines for each in manifest.coverage.sources)
    # Lines leave rounded, too.
    most = MOST_PER_LINE * (lines + manifest.least_units * len(manifest.coverage.sources))
    found: dict[tuple[str, str], int] = {}
    for each in compute_totals(volume):
        key = (each["channel_code"], each["unit_code"])
        found[key] = found.get(key, 0) + each["units"]
    return [
        f"it counts {units:,} {PLURAL.get(unit, unit)} of {channel}, and its logs have {lines:,} lines: more"
        f" than {MOST_PER_LINE} for each. Find out what multiplied them or which logs bronze.file lacks,"
        " compute gold again, and submit again"
        for (channel, unit), units in sorted(found.items())
        if units > most
    ]


def list_excess_per_subscription(
    manifest: Manifest, volume: pl.DataFrame, subscriptions_of: Mapping[str, int]
) -> list[str]:
    """A line for each month and channel whose units came in at more than MOST_PER_DAY a day and subscription.

    Args:
        subscriptions_of: by channel; one that it lacks is not looked at.
    """
    days = {(each.period_code, each.channel_code): each.days for each in manifest.coverage.days}
    wrong = []
    for each in compute_totals(volume.filter(pl.col("direction_code").is_in(RECEIVED))):
        month, channel = each["period_code"], each["channel_code"]
        of_days, subscriptions = days.get((month, channel)), subscriptions_of.get(channel)
        if of_days and subscriptions and each["units"] > MOST_PER_DAY * of_days * subscriptions:
            unit = PLURAL.get(each["unit_code"], each["unit_code"])
            wrong.append(
                f"it counts {each['units']:,} {unit} of {channel} in {month}, for {subscriptions:,}"
                f" subscriptions on {of_days} days: more than {MOST_PER_DAY:,} a day for each. Correct"
                " `subscribers` in the operator's settings or find out what multiplied its counts, and submit"
                " again"
            )
    return wrong


def counts_in(rows: pl.DataFrame) -> Counts:
    """Units and days by group of study.submission's rows."""
    of_month = rows.group_by("period_code", "channel_code").agg(pl.col("day_count").max())
    days = {(month, channel): number for month, channel, number in of_month.rows()}
    return {
        tuple(each[name] for name in GROUP): (
            each["units"], days[each["period_code"], each["channel_code"]] or 0,
        )
        for each in compute_totals(rows)
    }  # fmt: skip


def find_changes(counts: Counts, before: Counts, is_one_computation: bool, name: str) -> list[str]:
    """A line if counts differ from those that they replace by more than another computation explains.

    Of one computation they are the same but for rounding, and so are the days. Of a later one they may be of
    more days or of other logs; more than WITHIN times as many or few a day is asked about.

    Args:
        name: of the package that stands.
    """
    found = []
    for group in sorted(set(counts) & set(before)):
        (now, days), (then, days_then) = counts[group], before[group]
        if max(now, then) < LEAST_COMPARED:
            continue
        if is_one_computation:
            is_far = days != days_then or max(now, then) > ROUNDING * min(now, then)
        else:
            rates = now * max(days_then, 1), then * max(days, 1)
            is_far = max(rates) > WITHIN * min(rates)
        if is_far:
            found.append(f"{' '.join(group)}: {now:,} on {days} days, before {then:,} on {days_then}")
    if not found:
        return []
    more = f" and {len(found) - EXAMPLES} more" if len(found) > EXAMPLES else ""
    says = (
        "computed at the same time, and differs from it"
        if is_one_computation
        else f"has counts of more than {WITHIN} times as many or few a day"
    )
    return [
        f"{join_words(found[:EXAMPLES])}{more}: it would replace {name}, and {says}. Ask the operator why;"
        " if it"
        " is right, load it with --accept-change"
    ]
