"""Spam of respondents with the errors of their filters in it, from the audits of some of them.

Of the messages whose content was seen, corrected spam is flagged F + undecided U + passed P: the filter's
calls and the share of spam in each. What was refused before there was content is as it was counted, from
certain to possible.

- Own audit or test: replicates draw F, U and P from a normal split at the estimate, whose median is the
  estimate and whose 2.5 and 97.5% points are the ends of its interval, cut to 0 to 1. A beta has two
  parameters and would miss one of the three.
- Neither: rates come from the audited operators of the channel by an approximate Bayesian bootstrap hot deck
  (Rubin and Schenker 1986). In each replicate the audited ones are drawn again with replacement, and each
  operator takes the rates of one of those; the estimate itself takes their mean. So which operators were
  audited is part of the interval. It supposes that filters of those that audit err like those of others.
- Tests elsewhere speak for their own operator alone, and are no donors. One test is of all months and calls
  of its operator: a replicate moves all of them by the same quantile, so that their errors add up.
- What logs leave undecided of what was refused before there was content: half of it; in replicates one share
  of an operator's, uniform from none to all.

Months add up; a month without an audit of its own is as of an operator without. Numbers in, numbers out.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.special import ndtri

from jobs.base.core.call_shares import CALLS, ENDS, SHARES, UNTOLD
from jobs.base.core.periods import period_divisions
from jobs.base.stats.estimation import REPLICATES, SMALLEST, Array
from jobs.base.stats.intervals import CONFIDENCE

# Columns of a respondent's month beside its counts. certain_before, undecided_before: messages refused
# before content, certainly spam or undecided by the logs; content_seen: messages whose content the filter
# had, the sum of its calls.
QUALITY_COLUMNS = (
    "certain_before",
    "undecided_before",
    "content_seen",
    *CALLS,
    "quality_method_code",
    *SHARES,
)
MONTH = ("respondent_id", "period_code")
BY = (*MONTH, "channel_code")
AUDIT = "audit"


@dataclass(frozen=True)
class Corrected:
    """Corrected spam of respondents, in their order.

    Attributes:
        y: the estimate and its replicates x respondents x 1.
        least: the certain part of it, respondents x 1.
        has_quality: whether an own audit or test covers any month.
        content_seen: messages whose content the filter had.
        content_seen_with_quality: those of months that an audit or test covers.
        donors: the number of audited operators.
    """

    y: Array
    least: Array
    has_quality: Array
    content_seen: Array
    content_seen_with_quality: Array
    donors: int


def select_period_with_calls(figures: pl.DataFrame, period: str) -> pl.DataFrame:
    """Each respondent's rows of a period: its own, else all its months, else, of a year, its quarters, each
    its own or its months.

    Left out is who reported a part under another definition alone: the filter's calls are those of OPERATOR.
    """
    has_calls = (pl.col("content_seen") == pl.sum_horizontal(*CALLS)).all().over("respondent_id")
    return select_period(figures, period).filter(has_calls).sort(MONTH)


def select_period(figures: pl.DataFrame, period: str) -> pl.DataFrame:
    """Each respondent's rows of a period, whatever its filter's calls."""
    found = figures.filter(pl.col("period_code") == period)
    for parts in period_divisions(period):
        each = [select_period(figures, part).with_columns(part=pl.lit(part)) for part in parts]
        whole = pl.col("part").n_unique().over("respondent_id") == len(parts)
        of_parts = pl.concat(each).filter(whole).drop("part")
        found = pl.concat([found, of_parts.join(found, on="respondent_id", how="anti")])
    return found


def count_audited(months: pl.DataFrame) -> int:
    """Count respondents that have an audit."""
    return months.filter(pl.col("quality_method_code") == AUDIT)["respondent_id"].n_unique()


@dataclass(frozen=True)
class Drawn:
    """The results of audits by month: rows, of respondents in the order of their ids.

    Attributes:
        index: the place of each month's respondent.
        rates: shares of spam in each call, the estimate and its replicates x months x calls.
        before: of what logs leave undecided before there was content, x months.
        has_quality: whether an audit or a test covers the month.
        donors: the number of audited operators.
    """

    rows: pl.DataFrame
    index: Array
    rates: Array
    before: Array
    has_quality: Array
    donors: int

    @property
    def units(self) -> Array:
        """Messages of each call, months x calls."""
        found: Array = self.rows.select(CALLS).cast(pl.Float64).to_numpy()
        return found

    def correct_calls(self) -> Array:
        """Corrected spam in what the filter flagged, left undecided and passed, with what was refused before
        there was content: the estimate and its replicates x months x calls."""
        certain, undecided = count_refused_before_content(self.rows)
        found = self.rates * self.units
        found[:, :, 0] += certain
        found[:, :, 1] += self.before * undecided
        return found


def count_refused_before_content(rows: pl.DataFrame) -> tuple[Array, Array]:
    """Certain spam, and what logs leave undecided, that was refused before there was content."""
    certain, undecided = (
        rows[name].cast(pl.Float64).to_numpy() for name in ("certain_before", "undecided_before")
    )
    return certain, undecided


def correct_spam(months: pl.DataFrame, seed: int, replicates: int = REPLICATES) -> Corrected | None:
    """Corrected spam of the respondents that have rows, in the order of their ids; None where fewer than
    SMALLEST are audited."""
    drawn = draw_corrections(months, seed, replicates)
    if drawn is None:
        return None
    of_person = (drawn.index[:, None] == np.arange(drawn.index.max() + 1)).astype(float)
    units = drawn.units.sum(axis=1)
    return Corrected(
        y=(drawn.correct_calls().sum(axis=2) @ of_person)[:, :, None],
        least=(count_refused_before_content(drawn.rows)[0] @ of_person)[:, None],
        has_quality=drawn.has_quality @ of_person > 0,
        content_seen=units @ of_person,
        content_seen_with_quality=(units * drawn.has_quality) @ of_person,
        donors=drawn.donors,
    )


def draw_corrections(months: pl.DataFrame, seed: int, replicates: int = REPLICATES) -> Drawn | None:
    """Draw the corrections of these months from audits; None where fewer than SMALLEST respondents are
    audited."""
    if count_audited(months) < SMALLEST:
        return None
    rows = months.sort(MONTH)
    random = np.random.default_rng(seed)
    people, index = np.unique(rows["respondent_id"].to_numpy().astype(str), return_inverse=True)
    of_person = (index[:, None] == np.arange(len(people))).astype(float)
    units = rows.select(CALLS).cast(pl.Float64).to_numpy()
    method = rows["quality_method_code"]
    has_quality = method.is_not_null().to_numpy()
    is_audit = (method == AUDIT).fill_null(False).to_numpy()
    rates = draw_audited_shares(rows, index, is_audit, random, replicates)
    donors = np.unique(index[is_audit])
    weights = of_person[:, donors] * is_audit[:, None]
    taken = hot_deck(donor_rates(rates, units, weights, random), len(people), random)
    used = np.where(has_quality[:, None], rates, taken[:, index])
    before = draw_unknown_shares(len(people), random, replicates)[:, index]
    return Drawn(rows, index, used, before, has_quality, len(donors))


def correct_parts(drawn: Drawn, parts: Array) -> Array:
    """Corrected spam of respondents in parts: the estimate and its replicates x respondents x parts.

    No label says of which part a message is, so a call's share of spam is that of all its parts, and
    corrected spam of all parts together is that of the whole, in each replicate.

    Args:
        parts: months x parts x calls, counts whose sums over parts are the month's certain, undecided and
            other units.
    """
    whole = parts.sum(axis=1)
    share = drawn.correct_calls() / np.where(whole > 0, whole, 1.0)
    starts = np.flatnonzero(np.diff(drawn.index, prepend=-1))
    found = [
        np.add.reduceat((share * parts[:, place]).sum(axis=2), starts, axis=1)
        for place in range(parts.shape[1])
    ]
    return np.stack(found, axis=2)


def draw_audited_shares(
    rows: pl.DataFrame, person: Array, is_audit: Array, random: np.random.Generator, replicates: int
) -> Array:
    """Shares of spam, the estimate and its replicates x months x calls.

    An audit is of its own month, and its calls are labelled apart; a test is the same one in all months and
    calls of a respondent.

    Args:
        person: the place of each month's respondent.
    """
    value, low, high = (
        rows.select(pl.col(f"{call}_spam_share{end}").cast(pl.Float64).fill_null(otherwise) for call in CALLS)
        .to_numpy()
        for end, otherwise in zip(ENDS, UNTOLD, strict=True)
    )  # fmt: skip
    reach = ndtri(0.5 + CONFIDENCE / 2)
    apart = random.standard_normal((replicates, *value.shape))
    of_test = random.standard_normal((replicates, person.max() + 1))[:, person, None]
    z = np.where(is_audit[:, None], apart, of_test)
    again = value + z * np.where(z < 0, value - low, high - value) / reach
    return np.concatenate([value[None], np.clip(again, 0.0, 1.0)])


def draw_unknown_shares(people: int, random: np.random.Generator, replicates: int) -> Array:
    """Shares of spam in what nothing is known of, the estimate and its replicates x people."""
    otherwise, least, most = UNTOLD
    return np.concatenate(
        [np.full((1, people), otherwise), random.uniform(least, most, (replicates, people))]
    )


def donor_rates(rates: Array, units: Array, weights: Array, random: np.random.Generator) -> Array:
    """Each audited operator's shares over its audited months, by messages; replicates x donors x calls.

    A donor without messages of a call has the mean of the others'; where none has any, nothing is known.

    Args:
        weights: months x donors, 1 in a donor's audited months.
    """
    of_donor = weights.T @ units
    # Months of others count for no donor.
    own = weights.any(axis=1)
    spam = weights[own].T @ (rates[:, own] * units[own])
    has_any = of_donor > 0
    found = np.divide(spam, of_donor, out=np.zeros_like(spam), where=np.broadcast_to(has_any, spam.shape))
    mean = found.sum(axis=1) / np.maximum(has_any.sum(axis=0), 1)
    otherwise, least, most = UNTOLD
    nobody = random.uniform(least, most, mean.shape)
    nobody[0] = otherwise
    mean = np.where(has_any.any(axis=0), mean, nobody)
    return np.where(has_any, found, mean[:, None, :])


def hot_deck(donors: Array, people: int, random: np.random.Generator) -> Array:
    """Shares that each operator would take from the audited ones: their mean, then of each replicate those of
    one of a sample of them with replacement; replicates x people x calls."""
    replicates, count = donors.shape[0] - 1, donors.shape[1]
    again = random.integers(0, count, (replicates, count))
    picked = np.take_along_axis(again, random.integers(0, count, (replicates, people)), axis=1)
    mean = np.broadcast_to(donors[0].mean(axis=0), (1, people, donors.shape[2]))
    return np.concatenate([mean, np.take_along_axis(donors[1:], picked[:, :, None], axis=1)])
