"""Correct counts for filter error, as audits and tests measure it: of a channel, or of any part of it.

An audit or a test gives the rates of a filter's errors in a channel's month. docs/audit-method.md derives the
formulas. gold.spam_corrected_monthly has the result for each operator's month; figures over several months
and operators add its rows.

Of a channel and of a type, spam is the units of each call of the filter (flagged, undecided, passed) times
its share of spam, or units x prevalence where no share is known, as of a type; the interval is as far from
that as the units are times the ends of prevalence from prevalence.

To every part of the month a synthetic estimator takes it (Rao and Molina 2015, chapter 3). There are two
kinds of parts.

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

If the spam of one country gets through more often, no estimate here shows it: docs/audit-method.md has
the size of the error.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add

import polars as pl

from jobs.base.core.call_shares import CALL_SHARES, CALLS, ENDS
from jobs.base.figures.counting_rules import CONTENT_SEEN
from jobs.operators.gold.filter_quality_monthly import CHANNEL
from jobs.operators.gold.shared.counting import CONTENT_NAMES

SUMS = ("units", "spam_certain", "spam_possible")
# Counts of the units whose content the filter had, by the name of the count that each is part of.
SEEN_COLUMNS = {"units": "seen_units", "spam_certain": "seen_certain", "spam_possible": "seen_possible"}
ESTIMATES = ("prevalence", "sensitivity", "specificity")
# Columns with the result of an audit or a test for a channel's month.
QUALITY_COLUMNS = (
    *("quality_method_code", "sampled_count", "labelled_count"),
    *(f"{name}{end}" for name in (*ESTIMATES, *CALL_SHARES) for end in ENDS),
)
# So many standard errors of chance are within 95%.
QUANTILE = 1.96
# Estimates of one operator's month are rounded to this many digits before they are added up, so that sums
# depend on no order of rows. An end of an interval has the digits that a figure shows.
EXACT, END = pl.Decimal(38, 6), pl.Decimal(20, 4)
RATES = ("sensitivity", "specificity", *CALL_SHARES)
SIDES = ("below", "above")
# What moves the estimates of a test in all months at once. The shares of calls come from the same two rates:
# they move with each other.
RATES_MOVED = ("caught", "clean")
TOGETHER = (*RATES_MOVED, "calls")
# Distances of an interval's ends from its estimate, in parts that add up over months: squares of distances
# by rates that were drawn for one month alone, and distances by rates that are the same in all months.
DISTANCES = tuple(f"{side}_{each}" for side in SIDES for each in ("drawn", *TOGETHER))
# Of the units that an audit or a test covers: how many they are, and what the filter counted of them.
AUDITED = ("audited_units", "audited_certain", "audited_possible")
# What is added up of rows of months.
ADDED = (*SUMS, "seen_units", *AUDITED, "audited_spam", *DISTANCES)
NOTHING = pl.lit(0.0)


def error_rates(estimated: pl.DataFrame) -> pl.DataFrame:
    """A row of error rates per operator, month and channel, with how many units each call had.

    Args:
        estimated: gold.filter_quality_monthly. An audit goes before a test elsewhere.
    """
    whole = estimated.filter(
        pl.col("stratum_code") == "_T", pl.col("spam_type_code") == "_T", pl.col("prevalence").is_not_null()
    )
    of_calls = [count.alias(f"{call}_population") for call, count in call_counts(*SUMS).items()]
    best = whole.sort("quality_method_code", maintain_order=True).unique(
        CHANNEL, keep="first", maintain_order=True
    )
    return best.select(*CHANNEL, *QUALITY_COLUMNS, *of_calls)


def estimate_whole(seen: pl.DataFrame) -> pl.DataFrame:
    """Channels or types of operators' months, with the result of the audit or test of each.

    By the share of each call, so that parts add up to it; a call without a share, for the sample had none of
    it, stays as counted. By prevalence where no share is known.

    Args:
        seen: units, spam_certain and spam_possible of the messages whose content filters saw, and prevalence
            and shares of calls, null where they are not known.
    """
    rate = {name: pl.col(name).cast(pl.Float64) for name in (*CALL_SHARES, "prevalence")}
    counts = call_counts(*SUMS)
    has_share = {call: pl.col(share).is_not_null() for call, share in zip(CALLS, CALL_SHARES, strict=True)}
    has_shares = pl.any_horizontal(has_share.values())
    audited = {
        call: pl.when(pl.col("prevalence").is_null() | (has_shares & ~has_share[call]))
        .then(0)
        .otherwise(counts[call])
        for call in CALLS
    }
    by_calls = sum_values(
        audited[call] * rate[share].fill_null(0.0) for call, share in zip(CALLS, CALL_SHARES, strict=True)
    )
    by_prevalence = pl.col("units") * rate["prevalence"].fill_null(0.0)
    made = {
        "seen_units": pl.col("units"),
        **audited_counts(audited),
        "audited_spam": pl.when(has_shares).then(by_calls).otherwise(by_prevalence).cast(EXACT),
    }
    for side, end in zip(SIDES, ("prevalence_low", "prevalence_high"), strict=True):
        away = (pl.col(end).cast(pl.Float64) - rate["prevalence"]).abs()
        distance = sum_values(audited.values()) * away.fill_null(0.0)
        made[f"{side}_drawn"] = pl.when(is_test()).then(NOTHING).otherwise(distance**2).cast(EXACT)
        made[f"{side}_calls"] = pl.when(is_test()).then(distance).otherwise(NOTHING).cast(EXACT)
        made |= {f"{side}_{name}": NOTHING.cast(EXACT) for name in RATES_MOVED}
    return seen.with_columns(**made)


def correct_parts(
    rows: pl.DataFrame, keys: list[str], known: pl.DataFrame, is_decided_by_call: bool = False
) -> pl.DataFrame:
    """Parts of a channel by the keys, over all operators and months: correct_months() added up."""
    return add_months(correct_months(rows, keys, known, is_decided_by_call), keys)


def correct_months(
    rows: pl.DataFrame, keys: list[str], known: pl.DataFrame, is_decided_by_call: bool = False
) -> pl.DataFrame:
    """Parts of a channel by the keys, for each operator and month, with the filters' errors in them.

    Columns beside the counts: quality_method_code; seen_units, of which content was there; audited_units, of
    these the ones that an audit or a test covers, and audited_spam, how much of it is spam by that; and
    DISTANCES.

    Args:
        rows: of one definition and of received traffic, with operator_id, and period_date or period_code;
            with unit_code and stage_code, or with content_units, content_certain and content_possible.
        known: error_rates().
        is_decided_by_call: whether the keys are decisions of the filter rather than properties of the
            messages.
    """
    month = pl.col("period_code") if "period_code" in rows.columns else format_month()
    of_month = rows.lazy().with_columns(period_code=month, **seen_counts(rows.columns))
    cells = of_month.group_by(*dict.fromkeys([*CHANNEL, *keys])).agg(
        pl.col(*SUMS, *SEEN_COLUMNS.values()).sum()
    )
    populations = [f"{call}_population" for call in CALLS]
    of_calls = known.lazy().select(
        *CHANNEL, "quality_method_code", pl.col(*rate_columns(), *populations).cast(pl.Float64)
    )
    split = cells.join(of_calls, on=CHANNEL, how="left").with_columns(**estimate_parts(is_decided_by_call))
    return split.select(*dict.fromkeys([*CHANNEL, *keys]), "quality_method_code", *ADDED).collect()


def add_months(months: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Parts added up over operators and months, by the keys (channel_code is one), with bounds of all spam:
    spam_low and spam_high, which are spam_certain and spam_possible where nothing was audited.
    """
    # What moves together does so in all months of an operator: sums first, then squares.
    of_operators = months.lazy().group_by(*dict.fromkeys(["operator_id", "channel_code", *keys]))
    kept = [name for name in ADDED if name not in DISTANCES]
    added = (
        of_operators.agg(pl.col(ADDED).sum())
        .with_columns(**squared_distances())
        .group_by(keys)
        .agg(pl.col(*kept, *SIDES).sum())
        .with_columns(**spam_ends())
    )
    return added.with_columns(pl.col("audited_spam").cast(END)).collect()


def format_month() -> pl.Expr:
    """The month of a row's day, as 2026-11."""
    return pl.col("period_date").dt.strftime("%Y-%m")


def rate_columns() -> list[str]:
    """The columns of error_rates() that describe a channel's errors."""
    return [f"{rate}{end}" for rate in RATES for end in ENDS]


def seen_counts(names: list[str]) -> dict[str, pl.Expr]:
    """The counts of the units whose content the filter had. Routes and months of a lake that was written
    before content was counted have nulls: nothing is corrected there."""
    if "stage_code" not in names:
        return {own: pl.col(CONTENT_NAMES[name]).fill_null(0) for name, own in SEEN_COLUMNS.items()}
    had_content = (pl.col("unit_code") == "recipient") & pl.col("stage_code").is_in(CONTENT_SEEN)
    return {own: pl.when(had_content).then(name).otherwise(0) for name, own in SEEN_COLUMNS.items()}


@dataclass(frozen=True)
class CorrectedPart:
    """An estimate of some units of one operator's month: spam; below and above it, the square of chance; and
    for each rate at its end, how far the estimate moves down and up."""

    spam: pl.Expr
    chance: tuple[pl.Expr, pl.Expr]
    moved: dict[str, tuple[pl.Expr, pl.Expr]]


def sum_values(values: Iterable[pl.Expr]) -> pl.Expr:
    """Add up values; null where one of them is null."""
    return reduce(add, values)


def add_parts(*parts: CorrectedPart) -> CorrectedPart:
    below, above = (sum_values(part.chance[side] for part in parts) for side in (0, 1))
    moved = {name: distance for part in parts for name, distance in part.moved.items()}
    return CorrectedPart(sum_values(part.spam for part in parts), (below, above), moved)


def choose_part(condition: pl.Expr, one: CorrectedPart, other: CorrectedPart) -> CorrectedPart:
    def choose_value(first: pl.Expr, second: pl.Expr) -> pl.Expr:
        return pl.when(condition).then(first).otherwise(second)

    none = (NOTHING, NOTHING)
    moved = {}
    for name in (*RATES_MOVED, *CALLS):
        first, second = one.moved.get(name, none), other.moved.get(name, none)
        moved[name] = (choose_value(first[0], second[0]), choose_value(first[1], second[1]))
    below, above = (choose_value(one.chance[side], other.chance[side]) for side in (0, 1))
    return CorrectedPart(choose_value(one.spam, other.spam), (below, above), moved)


def is_test() -> pl.Expr:
    """Return whether the rates come from a test elsewhere, which is one for all months and calls."""
    return (pl.col("quality_method_code") != "audit").fill_null(False)


def estimate_parts(is_decided_by_call: bool) -> dict[str, pl.Expr]:
    """Return the parts of one operator's month, audited and as counted; squared distances of rates that were
    drawn for this month alone, and distances of the others."""
    counts = call_counts(*SEEN_COLUMNS.values())
    # A call without a share, because the sample had none of it, stays as counted.
    audited = {
        call: pl.when(pl.col(f"{call}_spam_share").is_not_null()).then(counts[call]).otherwise(0)
        for call in CALLS
    }
    units = {call: audited[call].cast(pl.Float64) for call in CALLS}
    found = add_parts(*(estimate_by_call(call, units[call]) for call in CALLS))
    if not is_decided_by_call:
        power = pl.col("sensitivity_low") + pl.col("specificity_low") - 1
        # A filter that may be no better than chance, or was audited in one call alone, cannot be inverted.
        is_able = (power > 0).fill_null(False)
        found = choose_part(
            is_able, choose_part(is_test(), estimate_by_test(units), estimate_by_audit(units)), found
        )
    made = {**audited_counts(audited), "audited_spam": found.spam.cast(EXACT)}
    for place, side in enumerate(SIDES):
        moved = {name: distance[place] for name, distance in found.moved.items()}
        of_calls = sum_values(moved.pop(call) for call in CALLS)
        apart = sum_values(distance[place] ** 2 for distance in found.moved.values())
        squares = found.chance[place] + pl.when(is_test()).then(NOTHING).otherwise(apart)
        made[f"{side}_drawn"] = squares.cast(EXACT)
        for name in TOGETHER:
            distance = of_calls if name == "calls" else moved.get(name, NOTHING)
            made[f"{side}_{name}"] = pl.when(is_test()).then(distance).otherwise(NOTHING).cast(EXACT)
    return made


def audited_counts(audited: dict[str, pl.Expr]) -> dict[str, pl.Expr]:
    """The units that are audited, and the filter's counts of them, from those of each call."""
    return {
        "audited_units": sum_values(audited.values()),
        "audited_certain": audited["flagged"],
        "audited_possible": audited["flagged"] + audited["undecided"],
    }


def divide_or_null(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """Null where the whole is zero."""
    return pl.when(whole != 0).then(part / whole)


def share_outside(units: pl.Expr, population: pl.Expr) -> pl.Expr:
    """The share of the month's units that are outside a part of this size: chance is of units that might have
    been drawn in their place."""
    return pl.max_horizontal(1 - divide_or_null(units, population).fill_null(1.0), NOTHING)


def month_population(*names: str) -> pl.Expr:
    """The month's units of these calls."""
    return sum_values(pl.col(f"{name}_population") for name in names)


def estimate_by_call(call: str, units: pl.Expr) -> CorrectedPart:
    """Estimate spam by the share of spam in a call. Its variance by chance is the larger of those at the
    share and at its end: a share of zero in a sample need not be zero."""
    name = f"{call}_spam_share"
    value = pl.col(name).fill_null(0.0)
    drawn = QUANTILE**2 * units * share_outside(units, month_population(call))
    low, high = (pl.col(name + end).fill_null(0.0) for end in ("_low", "_high"))
    below, above = (
        drawn * pl.max_horizontal(value * (1 - value), other * (1 - other)) for other in (low, high)
    )
    return CorrectedPart(
        units * value, (below, above), {call: (units * (value - low), units * (high - value))}
    )


def estimate_by_audit(units: dict[str, pl.Expr]) -> CorrectedPart:
    """Estimate spam by sensitivity and specificity, which an audit has of what was flagged or passed."""
    alike = estimate_by_rates(units["flagged"], units["passed"], month_population("flagged", "passed"))
    return add_parts(alike, estimate_by_call("undecided", units["undecided"]))


def estimate_by_test(units: dict[str, pl.Expr]) -> CorrectedPart:
    """Estimate spam by sensitivity and specificity of a test: half of the undecided counts as flagged, as in
    the prevalence that a test gives (jobs/base/stats/prevalence_by_test.py), and in the interval all of it or
    none."""
    half = units["undecided"] / 2
    alike = estimate_by_rates(units["flagged"] + half, units["passed"] + half, month_population(*CALLS))
    away = divide_or_null(half, pl.col("sensitivity") + pl.col("specificity") - 1)
    return add_parts(alike, CorrectedPart(half * 0, (half * 0, half * 0), {"undecided": (away, away)}))


def estimate_by_rates(flagged: pl.Expr, passed: pl.Expr, whole: pl.Expr) -> CorrectedPart:
    """Estimate spam by sensitivity and specificity. A distance is how far the estimate moves if one of them
    is at its end: spam × (Se' - Se) / (Se' + Sp - 1), and the rest × (Sp' - Sp) / (Se + Sp' - 1). By chance,
    as many of this spam were caught, and of the rest flagged, as of so many drawn from the whole."""
    units = flagged + passed
    caught, clean = pl.col("sensitivity"), pl.col("specificity")
    power = caught + clean - 1
    found = divide_or_null(flagged * clean - passed * (1 - clean), power)
    spam = pl.min_horizontal(pl.max_horizontal(found, NOTHING), units)
    rest = units - spam
    drawn = spam * caught * (1 - caught) + rest * clean * (1 - clean)
    chance = QUANTILE**2 * share_outside(units, whole) * divide_or_null(drawn, power**2)

    def sum_by_caught(end: str) -> pl.Expr:
        other = pl.col(f"sensitivity{end}")
        return divide_or_null(spam * (other - caught), other + clean - 1).abs()

    def sum_by_clean(end: str) -> pl.Expr:
        other = pl.col(f"specificity{end}")
        return divide_or_null(rest * (other - clean), caught + other - 1).abs()

    # The more spam is caught, the less there was; the more of the rest passes, the more.
    moved = {
        "caught": (sum_by_caught("_high"), sum_by_caught("_low")),
        "clean": (sum_by_clean("_low"), sum_by_clean("_high")),
    }
    return CorrectedPart(spam, (chance, chance), moved)


def call_counts(units: str, certain: str, possible: str) -> dict[str, pl.Expr]:
    """The units of each call of the filter: flagged ones are certain spam, passed ones are none."""
    return {
        "flagged": pl.col(certain),
        "undecided": pl.col(possible) - pl.col(certain),
        "passed": pl.col(units) - pl.col(possible),
    }


def squared_distances() -> dict[str, pl.Expr]:
    """Return one operator's squared distances, with those of rates that move together in all its months."""
    found = {}
    for side in SIDES:
        distances = [pl.col(f"{side}_{each}").cast(pl.Float64) for each in TOGETHER]
        found[side] = pl.col(f"{side}_drawn") + sum_values(distance**2 for distance in distances).cast(EXACT)
    return found


def spam_ends() -> dict[str, pl.Expr]:
    """Counted and estimated units, less and more the root of the squared distances: of audited
    units, never less than none nor more than all."""
    spam = pl.col("audited_spam").cast(END)
    below, above = (pl.col(side).cast(pl.Float64).sqrt().cast(END) for side in SIDES)
    least, most = pl.lit(0).cast(END), pl.col("audited_units").cast(END)
    certain, possible = (
        pl.col(f"spam_{name}") - pl.col(f"audited_{name}") for name in ("certain", "possible")
    )
    return {
        "spam_low": (certain + pl.max_horizontal(spam - below, least)).cast(END),
        "spam_high": (possible + pl.min_horizontal(spam + above, most)).cast(END),
    }
