"""Prevalence from what a filter flagged, corrected by a test of the filter elsewhere."""

import numpy as np

from jobs.base.stats.prevalence import (
    ENDS,
    REPLICATES,
    Array,
    Calls,
    IntervalEstimate,
    interval_estimate,
    seeded_generator,
)


def rogan_gladen(apparent: float, sensitivity: float, specificity: float) -> tuple[float, bool]:
    """True prevalence from the apparent one (Rogan and Gladen 1978), and whether it had to be cut to 0 to 1.

    Only a filter that distinguishes spam from the rest, sensitivity + specificity > 1, can be corrected for.
    """
    power = sensitivity + specificity - 1
    if power <= 0:
        raise ValueError("sensitivity and specificity must add up to more than 1")
    value = (apparent + specificity - 1) / power
    # What is outside by less than numbers are kept to was not cut.
    return min(max(value, 0.0), 1.0), not -1e-9 <= value <= 1 + 1e-9


def correct_prevalence(
    apparent: tuple[float, float], spam: tuple[int, int], ham: tuple[int, int], seed: str
) -> tuple[IntervalEstimate, bool]:
    """Prevalence where the filter flagged a share between two ends, and whether any of it was cut.

    Args:
        spam: how many were tested and how many of them flagged.
        ham: likewise. The interval holds both the ends of the flagged share and the test's own chance
            (Jeffreys).
    """
    sensitivity, specificity = spam[1] / spam[0], 1 - ham[1] / ham[0]
    ends = [rogan_gladen(each, sensitivity, specificity) for each in apparent]
    caught = draw_rates(spam, seed, "spam")
    passed = 1 - draw_rates(ham, seed, "ham")
    power = caught + passed - 1
    # Where the test leaves open that the filter distinguishes nothing, prevalence may be anything.
    low, high = (
        np.where(power > 0, np.clip((each + passed - 1) / np.where(power > 0, power, 1), 0, 1), otherwise)
        for each, otherwise in zip(apparent, (0.0, 1.0), strict=True)
    )
    found = hold_value((ends[0][0] + ends[1][0]) / 2, low, high)
    return found, any(is_cut for _, is_cut in ends)


def correct_calls(
    apparent: tuple[float, float], spam: tuple[int, int], ham: tuple[int, int], seed: str
) -> Calls:
    """The share of spam among what the filter flagged, what logs leave undecided and what it let pass, by the
    same test and the same draws as correct_prevalence().

    By Bayes, of what was flagged Se pi / (Se pi + (1 - Sp)(1 - pi)) is spam, of what passed
    (1 - Se) pi / ((1 - Se) pi + Sp (1 - pi)). Half of the undecided counts as flagged in the estimate, as in
    correct_prevalence(), so that the three add up to its estimate; in the interval they may be all spam or
    none.
    """
    found, _ = correct_prevalence(apparent, spam, ham, seed)
    sensitivity, specificity = np.array(spam[1] / spam[0]), np.array(1 - ham[1] / ham[0])
    values = [
        float(spam_share(np.array(found.value), *sides))
        for sides in ((sensitivity, 1 - specificity), (1 - sensitivity, specificity))
    ]
    caught = draw_rates(spam, seed, "spam")
    passed = 1 - draw_rates(ham, seed, "ham")
    power = caught + passed - 1
    ends = []
    for each, otherwise in zip(apparent, (0.0, 1.0), strict=True):
        rate = np.clip((each + passed - 1) / np.where(power > 0, power, 1), 0, 1)
        of_sides = [spam_share(rate, *sides) for sides in ((caught, 1 - passed), (1 - caught, passed))]
        ends.append([np.where(power > 0, one, otherwise) for one in of_sides])
    flagged, let_pass = map(hold_value, values, *ends)
    return Calls(
        flagged=flagged if apparent[0] > 0 else None,
        undecided=IntervalEstimate((flagged.value + let_pass.value) / 2, 0.0, 1.0)
        if apparent[0] < apparent[1]
        else None,
        passed=let_pass if apparent[1] < 1 else None,
    )


def hold_value(value: float, low: Array, high: Array) -> IntervalEstimate:
    """A value with the lower point of some draws and the upper one of others, and never outside of them."""
    lower, upper = np.quantile(low, ENDS[0]), np.quantile(high, ENDS[1])
    return IntervalEstimate(value, min(value, float(lower)), max(value, float(upper)))


def spam_share(rate: Array, of_spam: Array, of_ham: Array) -> Array:
    """The share of spam among units that a filter treats in one way, if it treats so the share `of_spam` of
    spam and `of_ham` of the rest; 0 where it treats none so."""
    spam, ham = rate * of_spam, (1 - rate) * of_ham
    return np.divide(spam, spam + ham, out=np.zeros_like(spam + ham), where=spam + ham > 0)


def estimate_rate(count: tuple[int, int], seed: str, name: str) -> IntervalEstimate:
    """A rate of a test, flagged of tested, with its interval (Jeffreys)."""
    return interval_estimate(count[1] / count[0], draw_rates(count, seed, name))


def draw_rates(count: tuple[int, int], seed: str, name: str) -> Array:
    whole, part = count
    return seeded_generator(f"{seed}|{name}").beta(part + 0.5, whole - part + 0.5, REPLICATES)
