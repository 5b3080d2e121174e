"""How often filters err, in counts by anything: days, stages, countries, routes.

An audit or a test tells of a channel's month how often the filter errs, and a synthetic estimator (Rao and
Molina 2015, chapter 3) takes that to every part of the month. There are two kinds of parts.

- What a message was before the filter saw it, as its day, its source and its route. Assumed is that the
  filter errs alike in all such parts: it flags the same share Se of spam, and lets pass the same share Sp of
  the rest. Parts may differ in how much of them is spam. Of what it flagged and passed, spam is then
  (flagged x Sp - passed x (1 - Sp)) / (Se + Sp - 1), cut to none and all (Rogan and Gladen 1978).
- What the filter itself decided, as stage and outcome. There the share of spam in each of its calls is that
  of the channel: flagged x share of flagged + passed x share of passed. Parts of the first kind are estimated
  so too where sensitivity or specificity is not known.

What the logs leave undecided is spam by its own share in both; of a test elsewhere, whose prevalence counts
half of it as flagged, parts of the first kind do so too. The messages that nobody audited, and what never had
content, are as counted, from certain to possible. Parts add up to what the audit says of the whole, but for
what was cut, and for a month that grew after its sample was drawn, with another mix of calls: there the two
kinds of parts differ.

An interval holds the errors of what the audit says, and the chance by which a part differs from it: that of
as many units drawn from those of the month, none for all of them. Labels of different months and operators
were drawn apart, so distances of estimates from their ends add as squares (Zou and Donner 2008), and so does
chance. Within a month of an audit, shares of calls come from labels of different strata; sensitivity and
specificity share labels: more spam among what passed lowers both, and so does less of it among what was
flagged. A lower sensitivity raises the estimate and a lower specificity lowers it, so they cancel in part,
and squares are on the safe side.

A test elsewhere is one test behind all months and calls of an operator's channel: there the distances by one
rate add up over months as they are, then as squares (spam and the rest were tested apart), and so do those of
operators. Ends of parts may be added: that is the width of the whole or more.

If the spam of one country gets through more often, none of this knows: docs/audit.md says how far it is then
off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.release.figures import CALL_SHARES, SUMS, TOLD
from jobs.shares import CALLS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

# What content was there of, by the name of the count that it is part of.
SEEN = {"units": "seen_units", "spam_certain": "seen_certain", "spam_possible": "seen_possible"}
# So many standard errors of chance are within 95%.
QUANTILE = 1.96
# What is estimated of one operator's month is rounded to these before it is added up: so sums depend on no
# order of rows. An end has the digits that a figure shows.
SPAM, SQUARE, END = "decimal(28,6)", "decimal(36,6)", "decimal(20,4)"
RATES = ("sensitivity", "specificity", *CALL_SHARES)
SIDES = ("below", "above")
# What moves an estimate, of a test in all months at once. The shares of calls come from the same two rates:
# they move with each other.
RATES_MOVED = ("caught", "clean")
TOGETHER = (*RATES_MOVED, "calls")
# What is added up of operators; distances are squares there.
KEPT = ("counted_certain", "counted_possible", "audited_units", "audited_spam", *SIDES)


def rates(estimated: DataFrame) -> DataFrame:
    """What gold.filter_quality_monthly says of each operator's whole month of a channel, with how many units
    each call had; an audit is believed before a test elsewhere."""
    from pyspark.sql import functions as F

    from jobs.gold.filter_quality_monthly import CHANNEL

    whole = estimated.filter("stratum_code = '_T' AND spam_type_code = '_T' AND prevalence IS NOT NULL")
    of_calls = [count.alias(f"{call}_population") for call, count in calls(*SUMS).items()]
    best = whole.groupBy(*CHANNEL).agg(
        F.min_by(F.struct(*TOLD, *of_calls), "quality_method_code").alias("best")
    )
    return best.select(*CHANNEL, "best.*")


def corrected(
    rows: DataFrame,
    keys: list[str],
    known: DataFrame,
    is_decided_by_call: bool = False,
    rated: Column | None = None,
) -> DataFrame:
    """Rows by the keys, of which channel_code is one, with the counts and the filters' errors in them.

    rows: of one definition and of what was received, with operator_id, and period_date or period_code; with
    unit_code and stage_code, or with content_units, content_certain and content_possible. known: rates().
    is_decided_by_call: whether the keys are what the filter decided, rather than what the messages were.
    rated: a condition on rows that are alike in an operator's month and channel; what holds to it also has
    rated_certain, rated_audited_units, rated_low and rated_high.

    Columns beside the counts: seen_units, of which content was there; audited_units, of these those that an
    audit or a test speaks for, and audited_spam, how much of it is spam by that; spam_low and spam_high, the
    ends of all spam, which are spam_certain and spam_possible where nothing was audited.
    """
    from pyspark.sql import functions as F

    from jobs.gold.filter_quality_monthly import CHANNEL

    month = F.col("period_code") if "period_code" in rows.columns else F.date_format("period_date", "yyyy-MM")
    is_rated = F.lit(False) if rated is None else F.coalesce(rated, F.lit(False))
    of_month = rows.withColumns({"period_code": month, "is_rated": is_rated, **seen(rows)})
    cells = of_month.groupBy(*dict.fromkeys([*CHANNEL, *keys]), "is_rated").agg(
        *(F.sum(name).alias(name) for name in (*SUMS, *SEEN.values()))
    )
    populations = [f"{call}_population" for call in CALLS]
    of_calls = F.broadcast(known.select(*CHANNEL, "quality_method_code", *columns(), *populations))
    told = cells.join(of_calls, CHANNEL, "left").withColumns(parts(is_decided_by_call))
    names: dict[str, Column | None] = {"spam": None}
    if rated is not None:
        told = told.withColumn("rated_certain", F.when(F.col("is_rated"), F.col("spam_certain")).otherwise(0))
        names["rated"] = F.col("is_rated")
    counted = [*SUMS, "seen_units", *(["rated_certain"] if rated is not None else [])]
    counts = [F.sum(name).alias(name) for name in counted]
    # What moves together does so in all months of an operator: sums first, then squares.
    of_operators = told.groupBy(*dict.fromkeys(["operator_id", "channel_code", *keys])).agg(
        *counts, *(total for name, where in names.items() for total in sums_of(name, where))
    )
    added = (
        of_operators.withColumns({k: v for name in names for k, v in squares_of(name).items()})
        .groupBy(*keys)
        .agg(*counts, *(F.sum(f"`{name}|{each}`").alias(f"{name}|{each}") for name in names for each in KEPT))
    )
    audited = {
        "audited_units": F.col("`spam|audited_units`"),
        "audited_spam": F.col("`spam|audited_spam`").cast(END),
    }
    if rated is not None:
        audited["rated_audited_units"] = F.col("`rated|audited_units`")
    return added.withColumns(audited | {k: v for name in names for k, v in ends_of(name).items()})


def columns() -> list[str]:
    """What rates() says of a channel's errors."""
    return [f"{rate}{end}" for rate in RATES for end in ("", "_low", "_high")]


def seen(rows: DataFrame) -> dict[str, Column]:
    """Of the counts, what had content. A lake of before content was counted in routes and months has nulls:
    there nothing is corrected."""
    from pyspark.sql import functions as F

    from jobs.gold.counting import CONTENT_NAMES
    from jobs.shares import HAD_CONTENT

    if "stage_code" not in rows.columns:
        return {own: F.coalesce(CONTENT_NAMES[name], F.lit(0)) for name, own in SEEN.items()}
    had_content = F.expr(HAD_CONTENT)
    return {own: F.when(had_content, F.col(name)).otherwise(0) for name, own in SEEN.items()}


@dataclass(frozen=True)
class Part:
    """An estimate of some units of one operator's month: spam; below and above it, the square of chance; and
    by what is at its end, how far the estimate moves down and up."""

    spam: Column
    chance: tuple[Column, Column]
    moved: dict[str, tuple[Column, Column]]


def together(*parts: Part) -> Part:
    from functools import reduce

    def summed(columns: list[Column]) -> Column:
        return reduce(lambda one, other: one + other, columns)

    below, above = (summed([part.chance[side] for part in parts]) for side in (0, 1))
    moved = {name: distance for part in parts for name, distance in part.moved.items()}
    return Part(summed([part.spam for part in parts]), (below, above), moved)


def either(condition: Column, one: Part, other: Part) -> Part:
    from pyspark.sql import functions as F

    def chosen(first: Column, second: Column) -> Column:
        return F.when(condition, first).otherwise(second)

    none = (F.lit(0.0), F.lit(0.0))
    moved = {}
    for name in (*RATES_MOVED, *CALLS):
        first, second = one.moved.get(name, none), other.moved.get(name, none)
        moved[name] = (chosen(first[0], second[0]), chosen(first[1], second[1]))
    below, above = (chosen(one.chance[side], other.chance[side]) for side in (0, 1))
    return Part(chosen(one.spam, other.spam), (below, above), moved)


def is_test() -> Column:
    """Whether a test elsewhere speaks, which is one for all months and calls."""
    from pyspark.sql import functions as F

    return F.coalesce(F.col("quality_method_code") != "audit", F.lit(False))


def parts(is_decided_by_call: bool) -> dict[str, Column]:
    """Of one operator's month: what is audited and what stays as counted; squared distances of what was drawn
    for this month alone, and distances of what was not."""
    from functools import reduce

    from pyspark.sql import Column
    from pyspark.sql import functions as F

    counts = calls(*SEEN.values())
    # A call without a share, for the sample had none of it, stays as counted.
    audited = {
        call: F.when(F.col(f"{call}_spam_share").isNotNull(), counts[call]).otherwise(0) for call in CALLS
    }
    units = {call: audited[call].cast("double") for call in CALLS}
    found = together(*(of_call(call, units[call]) for call in CALLS))
    if not is_decided_by_call:
        power = F.col("sensitivity_low") + F.col("specificity_low") - 1
        # What may tell nothing, or was asked of one call alone, cannot be turned round.
        is_able = F.coalesce(power > 0, F.lit(False))
        found = either(is_able, either(is_test(), of_test(units), of_audit(units)), found)
    made = {
        "audited_units": reduce(Column.__add__, audited.values()),
        "audited_spam": found.spam.cast(SPAM),
        "counted_certain": F.col("spam_certain") - audited["flagged"],
        "counted_possible": F.col("spam_possible") - audited["flagged"] - audited["undecided"],
    }
    for place, side in enumerate(SIDES):
        moved = {name: distance[place] for name, distance in found.moved.items()}
        of_calls = reduce(Column.__add__, (moved.pop(call) for call in CALLS))
        apart = reduce(Column.__add__, (distance[place] ** 2 for distance in found.moved.values()))
        squares = found.chance[place] + F.when(is_test(), F.lit(0.0)).otherwise(apart)
        made[side] = squares.cast(SQUARE)
        for name in TOGETHER:
            distance = of_calls if name == "calls" else moved.get(name, F.lit(0.0))
            made[f"{side}_{name}"] = F.when(is_test(), distance).otherwise(F.lit(0.0)).cast(SPAM)
    return made


def rate(name: str) -> Column:
    from pyspark.sql import functions as F

    return F.col(name).cast("double")


def left_out(units: Column, population: Column) -> Column:
    """The share of the month's units that are not in a part of so many: chance is of what might have been
    drawn in their place."""
    from pyspark.sql import functions as F

    return F.greatest(1 - F.coalesce(F.try_divide(units, population), F.lit(1.0)), F.lit(0.0))


def population(*names: str) -> Column:
    """The month's units of these calls."""
    from functools import reduce

    from pyspark.sql import Column
    from pyspark.sql import functions as F

    return reduce(Column.__add__, (F.col(f"{name}_population") for name in names)).cast("double")


def of_call(call: str, units: Column) -> Part:
    """By the share of spam in a call. Its variance by chance is that at the share or at its end, whichever is
    more: a share of none is not known to be none."""
    from pyspark.sql import functions as F

    name = f"{call}_spam_share"
    value = F.coalesce(rate(name), F.lit(0.0))
    drawn = QUANTILE**2 * units * left_out(units, population(call))
    low, high = (F.coalesce(rate(name + end), F.lit(0.0)) for end in ("_low", "_high"))
    below, above = (drawn * F.greatest(value * (1 - value), other * (1 - other)) for other in (low, high))
    return Part(units * value, (below, above), {call: (units * (value - low), units * (high - value))})


def of_audit(units: dict[str, Column]) -> Part:
    """By sensitivity and specificity, which an audit has of what was flagged or passed."""
    alike = of_rates(units["flagged"], units["passed"], population("flagged", "passed"))
    return together(alike, of_call("undecided", units["undecided"]))


def of_test(units: dict[str, Column]) -> Part:
    """By sensitivity and specificity of a test: half of the undecided counts as flagged, as in the prevalence
    that a test gives (jobs/prevalence.py), and in the interval all of it or none."""
    from pyspark.sql import functions as F

    half = units["undecided"] / 2
    alike = of_rates(units["flagged"] + half, units["passed"] + half, population(*CALLS))
    away = F.try_divide(half, rate("sensitivity") + rate("specificity") - 1)
    return together(alike, Part(half * 0, (half * 0, half * 0), {"undecided": (away, away)}))


def of_rates(flagged: Column, passed: Column, whole: Column) -> Part:
    """By sensitivity and specificity. A distance is how far the estimate moves if one of them is at its end:
    spam × (Se' - Se) / (Se' + Sp - 1), and the rest × (Sp' - Sp) / (Se + Sp' - 1). By chance, as many of this
    spam were caught, and of the rest flagged, as of so many drawn from the whole."""
    from pyspark.sql import functions as F

    units = flagged + passed
    caught, clean = rate("sensitivity"), rate("specificity")
    power = caught + clean - 1
    found = F.try_divide(flagged * clean - passed * (1 - clean), power)
    spam = F.least(F.greatest(found, F.lit(0.0)), units)
    rest = units - spam
    drawn = spam * caught * (1 - caught) + rest * clean * (1 - clean)
    chance = QUANTILE**2 * left_out(units, whole) * F.try_divide(drawn, power**2)

    def by_caught(end: str) -> Column:
        other = rate(f"sensitivity{end}")
        return F.abs(F.try_divide(spam * (other - caught), other + clean - 1))

    def by_clean(end: str) -> Column:
        other = rate(f"specificity{end}")
        return F.abs(F.try_divide(rest * (other - clean), caught + other - 1))

    # The more spam is caught, the less there was; the more of the rest passes, the more.
    moved = {
        "caught": (by_caught("_high"), by_caught("_low")),
        "clean": (by_clean("_low"), by_clean("_high")),
    }
    return Part(spam, (chance, chance), moved)


def calls(units: str, certain: str, possible: str) -> dict[str, Column]:
    """The units of each call of the filter: what it flagged is spam for certain, what it let pass is none."""
    from pyspark.sql import functions as F

    return {
        "flagged": F.col(certain),
        "undecided": F.col(possible) - F.col(certain),
        "passed": F.col(units) - F.col(possible),
    }


def sums_of(name: str, where: Column | None) -> list[Column]:
    """Of all, or of those that a condition holds to."""
    from pyspark.sql import functions as F

    kept = [*KEPT, *(f"{side}_{each}" for side in SIDES for each in TOGETHER)]
    counts = {
        each: F.col(each) if where is None else F.when(where, F.col(each)).otherwise(0) for each in kept
    }
    return [F.sum(count).alias(f"{name}|{each}") for each, count in counts.items()]


def squares_of(name: str) -> dict[str, Column]:
    """Of one operator, the squared distances with those of what moves together in all its months."""
    from functools import reduce

    from pyspark.sql import Column
    from pyspark.sql import functions as F

    squares = {}
    for side in SIDES:
        distances = [F.col(f"`{name}|{side}_{each}`").cast("double") for each in TOGETHER]
        moved = reduce(Column.__add__, (distance**2 for distance in distances)).cast(SQUARE)
        squares[f"{name}|{side}"] = F.col(f"`{name}|{side}`") + moved
    return squares


def ends_of(name: str) -> dict[str, Column]:
    """What was counted and what is estimated, less and more the root of the squared distances: of what was
    audited, never less than none nor more than all."""
    from pyspark.sql import functions as F

    def of(count: str) -> Column:
        return F.col(f"`{name}|{count}`")

    spam = of("audited_spam").cast(END)
    below, above = (F.sqrt(of(side).cast("double")).cast(END) for side in ("below", "above"))
    least, most = F.lit(0).cast(END), of("audited_units").cast(END)
    return {
        f"{name}_low": (of("counted_certain") + F.greatest(spam - below, least)).cast(END),
        f"{name}_high": (of("counted_possible") + F.least(spam + above, most)).cast(END),
    }
