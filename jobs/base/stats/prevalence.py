"""Prevalence of spam in the traffic that a filter saw, and the filter's accuracy, from a stratified sample
that a person labelled. From a test elsewhere: jobs/base/stats/prevalence_by_test.py.

Numbers in, numbers out: no table, no engine. A stratum's units were alike in the logs; a group
is the strata with one call of the filter. Prevalence is design-weighted: each stratum counts by its units,
not by its labels. Its interval is a bootstrap with finite population correction, so that a stratum that was
labelled whole adds nothing to it: within each stratum labels are drawn again from a smoothed rate, because
a stratum without any spam among its labels is not one without spam; deviations are scaled by the square root
of (1 - n/N) n/(n - 1) and laid about the estimate (Rao and Wu 1988, for a rate). docs/audit-method.md has
the formulas.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
REPLICATES = 2000
ENDS = (0.025, 0.975)
# Before labels are drawn again, a stratum's are joined by so many of its group's rate, and each group's by so
# many of either kind, shared out over its strata by their units.
LABELS_OF_GROUP_RATE = 2
LABELS_OF_EACH_KIND = 1
# Fewer labels than these say nothing of how a stratum varies.
LEAST_LABELS = 2
# Fewer labels than these of what the filter flagged, or of what it let pass, do not suffice for a part of a
# channel or of a type.
LEAST_LABELS_OF_SIDE = 5


@dataclass(frozen=True)
class Stratum:
    """Units that were alike in the logs: how many, how many drawn, how many of those labelled spam or
    not spam, and how many labelled spam.

    Attributes:
        call: what the filter did with them.
        is_flagged: whether that says spam; None where logs cannot decide.
    """

    code: str
    call: str
    is_flagged: bool | None
    units: int
    sampled: int
    labelled: int
    spam: int


@dataclass(frozen=True)
class IntervalEstimate:
    """An estimate with the ends of its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Quality:
    """Prevalence of a channel by its labels, and how often the filter was right.

    Attributes:
        sensitivity: share of spam that it flagged.
        specificity: share of the rest that it let pass; both over units whose flag is known, None where there
            is none of them or too few labels.
        least, most: prevalence if everything drawn and not labelled were no spam, or all spam.
        calls: of what the filter flagged, of what logs leave undecided and of what it let pass, the share of
            spam; None where there are no such units. The three, weighted by their units, are the prevalence.
    """

    prevalence: IntervalEstimate
    sensitivity: IntervalEstimate | None
    specificity: IntervalEstimate | None
    least: float
    most: float
    calls: Calls


@dataclass(frozen=True)
class Calls:
    """The share of spam among what a filter flagged, what logs leave undecided, and what it let pass."""

    flagged: IntervalEstimate | None
    undecided: IntervalEstimate | None
    passed: IntervalEstimate | None


def allocate_sample(units: Sequence[int], spread: Sequence[float], size: int, least: int) -> list[int]:
    """Allocate the units to draw to strata: in proportion to units x spread (Neyman), at least `least` and at
    most all of it, `size` together where there are so many.

    Args:
        spread: the guessed standard deviation of spam in each stratum. The minimum comes first: a size below
            it is overstepped.
    """
    whole = np.asarray(units, dtype=float)
    floor = np.minimum(whole, least)
    weight = whole * np.asarray(spread, dtype=float)
    wanted = min(float(size), whole.sum())
    if wanted <= floor.sum() or not weight.sum():
        return [int(each) for each in floor]
    # What a common factor gives grows with it: halve until it gives the size.
    low, high = 0.0, wanted / weight[weight > 0].min()
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (low, middle) if np.clip(middle * weight, floor, whole).sum() > wanted else (middle, high)
    exact = np.clip(low * weight, floor, whole)
    given = np.floor(exact + 1e-9)
    # The rest goes, one by one, to the largest fractions.
    order = np.lexsort((np.arange(len(whole)), -(exact - given)))
    for place in [place for place in order if given[place] < whole[place]][: round(wanted - given.sum())]:
        given[place] += 1
    return [int(each) for each in given]


def estimate_quality(strata: Sequence[Stratum], seed: str) -> Quality | None:
    """The estimates of one channel from all of its strata, in any order; None without any label.

    A group that nobody labelled may be all spam or none: it counts as half in the estimate and as a whole in
    the interval.
    """
    if not sum(each.labelled for each in strata):
        return None
    strata = sorted(strata, key=lambda each: each.code)
    cells = collapse_strata(strata)
    units = np.array([each.units for each in cells], dtype=float)
    whole = units.sum()
    value, drawn = draw_totals(cells, seeded_generator(seed))
    known = np.array([each.spam for each in cells], dtype=float)
    possible = units - np.array([each.labelled - each.spam for each in cells], dtype=float)

    def sum_strata(places: Array) -> tuple[float, Array]:
        """Spam in these strata, and its replicates, inside what the labels leave possible."""
        ends = known[places].sum(), possible[places].sum()
        return float(value[places].sum()), np.clip(drawn[:, places].sum(axis=1), *ends)

    def estimate_call(places: Array) -> IntervalEstimate | None:
        """The share of spam in these strata; None where they hold no units."""
        here = units[places].sum()
        spam, drawn = sum_strata(places)
        return interval_estimate(spam / here, drawn / here) if here else None

    everything = np.ones(len(cells), dtype=bool)
    flagged, undecided, passed = (
        np.array([each.is_flagged is flag for each in cells]) for flag in (True, None, False)
    )
    spam, spam_drawn = sum_strata(everything)
    caught, caught_drawn = sum_strata(flagged)
    missed, missed_drawn = sum_strata(passed)
    ham_flagged, ham_passed = units[flagged].sum() - caught, units[passed].sum() - missed
    return Quality(
        prevalence=interval_estimate(spam / whole, spam_drawn / whole),
        sensitivity=ratio_figure(caught, missed, caught_drawn, missed_drawn),
        specificity=ratio_figure(
            ham_passed,
            ham_flagged,
            units[passed].sum() - missed_drawn,
            units[flagged].sum() - caught_drawn,
        ),
        least=sum(each.units * share_or(each.spam, each.sampled, 0.0) for each in strata) / whole,
        most=sum(
            each.units * share_or(each.spam + each.sampled - each.labelled, each.sampled, 1.0)
            for each in strata
        )
        / whole,
        calls=Calls(estimate_call(flagged), estimate_call(undecided), estimate_call(passed)),
    )


def estimate_part(strata: Sequence[Stratum], seed: str) -> Quality | None:
    """The estimates of a part of a channel, as a band of the score: of all strata that lie in it.

    A part is read by itself, where a channel's parts make up for each other: it has no estimate unless each
    call that it has units of was labelled LEAST_LABELS_OF_SIDE times, or whole. Where the filter made one
    call of all of it, how often that was right is the prevalence, and there is no sensitivity or specificity.
    """
    if not all(
        has_enough_labels([each for each in strata if each.is_flagged is flag])
        for flag in (True, False, None)
    ):
        return None
    found = estimate_quality(strata, seed)
    if found is None or len({each.is_flagged for each in strata if each.units} - {None}) == 2:
        return found
    return replace(found, sensitivity=None, specificity=None)


def estimate_type(strata: Sequence[Stratum], seed: str) -> Quality | None:
    """The estimates of spam of one type: `spam` of each stratum counts its labels of that type alone.

    A total over a domain of a stratified sample: other labels, spam of other types too, count as none of it,
    so that the estimates of all types add up to that of the channel. None where a call that has units was
    never labelled: what stands for it in a channel, half of it spam, would count for each type. Sensitivity
    asks for LEAST_LABELS_OF_SIDE labels of the type.
    """
    calls = {each.call for each in strata if each.units}
    if not all(sum(each.labelled for each in strata if each.call == call) for call in calls):
        return None
    found = estimate_quality(strata, seed)
    is_enough_spam = sum(each.spam for each in strata) >= LEAST_LABELS_OF_SIDE
    # Whoever was not labelled spam of the type may be spam of another: there is no share of what is none.
    return found and replace(
        found, sensitivity=found.sensitivity if is_enough_spam else None, specificity=None
    )


def has_enough_labels(side: Sequence[Stratum]) -> bool:
    """Return whether enough of the units with one flag were labelled."""
    units, labelled = (sum(getattr(each, name) for each in side) for name in ("units", "labelled"))
    return labelled >= min(LEAST_LABELS_OF_SIDE, units)


def estimate_stratum(stratum: Stratum, seed: str) -> IntervalEstimate | None:
    """The prevalence of one stratum alone; its interval is that of Jeffreys for what was not labelled."""
    if not stratum.labelled:
        return None
    rng = seeded_generator(f"{seed}|{stratum.code}")
    clean = stratum.labelled - stratum.spam
    rates = rng.beta(stratum.spam + 0.5, clean + 0.5, REPLICATES)
    spam = stratum.spam + rng.binomial(stratum.units - stratum.labelled, rates)
    found = interval_estimate(stratum.spam / stratum.labelled, spam / stratum.units)
    # With no spam among the labels there may be none, with nothing else there may be nothing else.
    low = stratum.spam / stratum.units if not stratum.spam else found.low
    high = (stratum.units - clean) / stratum.units if not clean else found.high
    return IntervalEstimate(found.value, low, high)


def collapse_strata(strata: Sequence[Stratum]) -> list[Stratum]:
    """The strata, in the order of their codes, with those of too few labels put together with the next of
    their group, or with the one before."""
    kept: list[Stratum] = []
    for call in sorted({each.call for each in strata}):
        group: list[Stratum] = []
        open_: Stratum | None = None
        for each in sorted((one for one in strata if one.call == call and one.units), key=lambda s: s.code):
            merged = each if open_ is None else merge_strata(open_, each)
            open_ = None if is_enough(merged) else merged
            if open_ is None:
                group.append(merged)
        if open_ is not None:
            group = [*group[:-1], merge_strata(group[-1], open_)] if group else [open_]
        kept += group
    return kept


def is_enough(stratum: Stratum) -> bool:
    return stratum.labelled >= LEAST_LABELS or stratum.labelled == stratum.units


def merge_strata(one: Stratum, other: Stratum) -> Stratum:
    return Stratum(
        code=f"{one.code}+{other.code}",
        call=one.call,
        is_flagged=one.is_flagged,
        units=one.units + other.units,
        sampled=one.sampled + other.sampled,
        labelled=one.labelled + other.labelled,
        spam=one.spam + other.spam,
    )


def draw_totals(cells: list[Stratum], rng: np.random.Generator) -> tuple[Array, Array]:
    """Spam in each stratum: the estimate, and replicates of it, a row each."""
    values = np.empty(len(cells))
    drawn = np.empty((REPLICATES, len(cells)))
    for place, cell in enumerate(cells):
        group = [each for each in cells if each.call == cell.call]
        labels = sum(each.labelled for each in group)
        either = LABELS_OF_EACH_KIND * cell.units / sum(each.units for each in group)
        if not labels:
            values[place] = cell.units / 2
            drawn[:, place] = np.tile((0.0, cell.units), REPLICATES // 2)
            continue
        of_group = LABELS_OF_GROUP_RATE * (sum(each.spam for each in group) + 0.5) / (labels + 1)
        rate = cell.spam / cell.labelled
        smoothed = (cell.spam + of_group + either) / (cell.labelled + LABELS_OF_GROUP_RATE + 2 * either)
        again = rng.binomial(cell.labelled, smoothed, REPLICATES) / cell.labelled
        correction = 1 - cell.labelled / cell.units
        scale = np.sqrt(correction * cell.labelled / max(cell.labelled - 1, 1))
        values[place] = cell.units * rate
        drawn[:, place] = cell.units * (rate + scale * (again - smoothed))
    return values, drawn


def ratio_figure(part: float, other: float, part_drawn: Array, other_drawn: Array) -> IntervalEstimate | None:
    """part / (part + other), with its interval; None of nothing."""
    if part + other <= 0:
        return None
    whole = part_drawn + other_drawn
    there = whole > 0
    return interval_estimate(part / (part + other), part_drawn[there] / whole[there])


def interval_estimate(value: float, drawn: Array) -> IntervalEstimate:
    """The estimate with the points of its replicates: never outside of them, never outside of 0 to 1."""
    value = min(max(float(value), 0.0), 1.0)
    low, high = (float(end) for end in np.quantile(drawn, ENDS)) if len(drawn) else (0.0, 1.0)
    return IntervalEstimate(value, max(min(low, value), 0.0), min(max(high, value), 1.0))


def share_or(part: int, whole: int, otherwise: float) -> float:
    return part / whole if whole else otherwise


def seeded_generator(seed: str) -> np.random.Generator:
    """Random numbers that depend on the text alone."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:16], "big"))
