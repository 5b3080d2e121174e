"""The operators of a channel and period as the estimator takes them, and figures of every area from them.

Frame, denominators and groups are hundreds of rows: they are collected, and the work is numpy's.

Subscriptions that a study takes for a country may be wrong. Its files say by how much: low and high are the 5
and 95% points of a row's own error, and rows of one error class are all off together by shared_error_pct or
less in nine of ten cases. No default is set: rows that state nothing are taken as exact.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.periods import count_days, last_day, months_of
from jobs.base.figures.areas import (
    COUNTRY,
    RAKED,
    Area,
    are_in_area,
    classify_countries,
    join_classes,
    list_areas,
)
from jobs.base.stats.estimation import (
    REPLICATES,
    SMALLEST,
    Array,
    Operators,
    Weighted,
    assign_subscriptions,
    floor_at_one,
    ratio_totals,
    seed_of,
    weight_respondents,
)
from jobs.base.stats.intervals import estimated_totals
from jobs.base.stats.prediction import has_own_rate, point_rate
from jobs.base.stats.sampling import Z95
from jobs.base.stats.variance_function import area_factors
from jobs.base.tables.validity import rows_on_day

ENDS, SHARED = ("subscriptions_low", "subscriptions_high"), ("error_class_code", "shared_error_pct")
# Shares of days without logs are rounded up to these. A month that lacks more is no answer.
MISSING = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1)


@dataclass(frozen=True)
class Reference:
    """The small tables of operators and countries, whether they answer or not."""

    operator_frame: pl.DataFrame
    denominator: pl.DataFrame
    country: pl.DataFrame
    country_group: pl.DataFrame


@dataclass(frozen=True)
class Sample:
    """Weighted operators of a channel and period, the areas, and each area's operators and subscriptions."""

    weighted: Weighted
    areas: list[Area]
    member: Array
    known: Array
    # Of each area the variance of its subscriptions, relative to their square; 0 where they are exact.
    known_variance: Array
    # Of each respondent the share of the period's days that its logs lack.
    missing: Array

    @property
    def holding(self) -> Array:
        """The owner of each operator."""
        return self.weighted.operators.holding

    @cached_property
    def cell(self) -> Array:
        """Region and class of each operator's stratum."""
        return np.array([label.rsplit("|", 1)[0] for label in self.weighted.stratum], dtype=object)

    @cached_property
    def ratio_mask(self) -> Array:
        """Return a mask of the areas with enough respondents for a ratio total; countries never."""
        answered = self.member[:, self.weighted.operators.is_respondent].sum(axis=1)
        return np.array([area.kind != COUNTRY for area in self.areas]) & (answered >= SMALLEST)

    @cached_property
    def subscriptions(self) -> list[tuple[Array, Array, str]]:
        """Return each area's subscriptions of respondents and of silent operators by their owners, unlisted
        ones as one silent owner; and the cell that the area lies in, '' where in several."""
        people, found = self.weighted.operators, []
        for inside, known in zip(self.member, self.known.tolist(), strict=True):
            both = (inside & people.is_respondent, inside & ~people.is_respondent)
            answered, silent = (sum_by_owner(self.weighted, those) for those in both)
            unlisted = known - silent.sum() - answered.sum()
            if unlisted > 1e-6 * known:
                silent = np.append(silent, unlisted)
            labels = set(self.cell[inside].tolist())
            found.append((answered, silent, labels.pop() if len(labels) == 1 else ""))
        return found

    @cached_property
    def coefficients(self) -> Array:
        """Factors of respondents' figures in areas' estimates, areas x respondents."""
        people, weights = self.weighted.operators, self.weighted.weights[0]
        answering = people.is_respondent
        x = people.subscriptions[answering]
        found = self.member[:, answering].astype(float)
        for place in np.flatnonzero(self.member.any(axis=1)):
            mine = self.member[place, answering]
            if self.ratio_mask[place]:
                found[place, mine] = floor_at_one(weights[mine], x[mine], float(self.known[place]))
                continue
            answered, silent, label = self.subscriptions[place]
            left = float(silent.sum())
            donors = cell_mask(self, label)
            donors = donors if donors.any() else cell_mask(self, "")
            if has_own_rate(answered, silent):
                found[place] *= 1 + left / float(answered.sum())
            elif left > 0 and (below := float(weights[donors] @ x[donors])) > 0:
                found[place] += left / below * donors * weights
        return found

    @cached_property
    def factors(self) -> Array:
        """The factor of each area's public error (jobs/base/stats/variance_function.py)."""
        return area_factors(self.weighted, self.coefficients, self.member, self.known, self.ratio_mask)

    @cached_property
    def days_variance(self) -> Array:
        """Return each area's relative variance of taking days without logs to be like the others: the square
        of the share of days that is missing, by the subscriptions that respondents stand for, rounded up to
        one of MISSING. Logs are lost where traffic is highest, in many places at once, so errors are added up
        as if they had one cause; a missing day may have nothing, or three times what others have."""
        people = self.weighted.operators
        stands = self.coefficients * people.subscriptions[people.is_respondent]
        below = stands.sum(axis=1)
        share = np.divide(stands @ self.missing, below, out=np.zeros_like(below), where=below > 0)
        found: Array = np.array(MISSING)[np.searchsorted(MISSING[:-1], share - 1e-9)] ** 2
        return found

    @cached_property
    def groups(self) -> dict[str, Array]:
        """Return a mask of operators for each group that weights are raked to."""
        listed = zip(self.areas, self.member, strict=True)
        return {area.code: member for area, member in listed if area.code in RAKED}


def select_areas(sample: Sample, codes: Sequence[str]) -> Sample:
    """The sample with the figures of these areas alone, in this order."""
    place = {area.code: at for at, area in enumerate(sample.areas)}
    kept = [place[code] for code in codes]
    areas = [sample.areas[at] for at in kept]
    member, known, variance = (each[kept] for each in (sample.member, sample.known, sample.known_variance))
    return replace(sample, areas=areas, member=member, known=known, known_variance=variance)


@dataclass(frozen=True)
class Denominator:
    """A country's subscriptions, and the standard deviations of the logarithm of their errors: of its own,
    and of the one that all rows of an error class share."""

    subscriptions: float
    own_error: float = 0.0
    error_class: str = ""
    shared_error: float = 0.0


@dataclass(frozen=True)
class Stated:
    """The stated errors of subscriptions and days: of countries.

    Attributes:
        framed: the own_error() of each operator in the frame.
        missing: each respondent's share of days without logs.
    """

    denominators: Mapping[str, Denominator]
    framed: Array
    missing: Array


def own_error(low: float | None, high: float | None) -> float:
    """The standard deviation of a logarithm whose 5 and 95% points are these; 0 where none are given."""
    return math.log(high / low) / (2 * Z95) if low and high else 0.0


def known_subscriptions(denominator: pl.DataFrame, channel: str, period: str) -> dict[str, float]:
    """Each country's subscriptions for a period."""
    return {name: of.subscriptions for name, of in known_denominators(denominator, channel, period).items()}


def known_denominators(denominator: pl.DataFrame, channel: str, period: str) -> dict[str, Denominator]:
    """Each country's subscriptions for a period and their errors, from the user's table.

    The row of the period itself; else of the shortest period that holds it; else the latest before its end.
    """
    months = set(months_of(period))
    found: dict[str, tuple[tuple[bool, bool, int, str], Denominator]] = {}
    for country, given, subscriptions, low, high, error_class, shared_pct in (
        denominator.filter(pl.col("channel_code") == channel)
        .select("country_code", "period_code", "subscriptions", *ENDS, *SHARED)
        .rows()
    ):
        spans = months_of(given)
        holds = months <= set(spans)
        if not holds and spans[-1] > max(months):
            continue
        rank = (given == period, holds, -len(spans) if holds else 0, spans[-1])
        if country not in found or rank > found[country][0]:
            shared = math.log1p(float(shared_pct or 0) / 100) / Z95
            own = Denominator(float(subscriptions), own_error(low, high), error_class or "", shared)
            found[country] = (rank, own)
    return {country: value for country, (_, value) in found.items()}


def sample_of(
    reference: Reference,
    answered: pl.DataFrame,
    channel: str,
    period: str,
    key: Sequence[str],
    replicates: int = REPLICATES,
) -> tuple[Sample, pl.DataFrame]:
    """The operators of a channel and period, weighted; and the answers in the order of the respondents.

    Args:
        answered: a row for each respondent, with respondent_id and, where it gave them, its subscriptions.
        key: the cell's key; the random numbers of its replicates are drawn from it.
        replicates: none of them for point estimates.
    """
    day = last_day(period)
    people = (
        rows_on_day(reference.operator_frame, day)
        .filter(pl.col("channel_code") == channel)
        .select(
            *("respondent_id", "holding_id", "country_code", "size_code", *ENDS),
            frame_subscriptions="subscriptions",
        )
        .sort("respondent_id")
    )
    unknown = sorted(set(answered["respondent_id"]) - set(people["respondent_id"]))
    if unknown:
        raise ObservatoryError(
            f"{', '.join(unknown[:5])} answered for {channel} in {period} and is not in the frame of"
            " operators: add it to operator_frame.csv with the day it started"
        )
    countries = classify_countries(reference.country, reference.country_group, day)
    people = join_classes(people, countries).join(
        answered.select("respondent_id", own="subscriptions", is_respondent=pl.lit(True)),
        on="respondent_id",
        how="left",
        maintain_order="left",
    )
    is_respondent = people["is_respondent"].fill_null(False).to_numpy()
    reported = (
        people.select(pl.coalesce("own", "frame_subscriptions").cast(pl.Float64)).to_series().to_numpy()
    )
    respondents = people.filter(is_respondent).select("respondent_id")
    given = respondents.join(answered, on="respondent_id", how="left", maintain_order="left")
    missing = np.zeros(given.height)
    if "day_count" in given.columns:
        whole = count_days(period)
        missing = 1 - given["day_count"].fill_null(whole).cast(pl.Float64).to_numpy() / whole
    operators = Operators(
        respondent=people["respondent_id"].to_numpy().astype(object),
        country=people["country_code"].to_numpy().astype(object),
        region=people["region_code"].to_numpy().astype(object),
        development=people["development_code"].to_numpy().astype(object),
        size=people["size_code"].to_numpy().astype(object),
        subscriptions=reported,
        is_respondent=is_respondent,
        holding=people["holding_id"].to_numpy().astype(object),
    )
    stated = Stated(
        known_denominators(reference.denominator, channel, period),
        np.array([own_error(*ends) for ends in people.select(ENDS).rows()]),
        missing,
    )
    return weigh_operators(operators, stated, countries, seed_of(*key, channel, period), replicates), given


def weigh_operators(
    operators: Operators, stated: Stated, countries: pl.DataFrame, seed: int, replicates: int
) -> Sample:
    """The sample of operators with the subscriptions that they or the frame reported.

    Args:
        countries: the result of classify_countries().
    """
    country, is_respondent = operators.country, operators.is_respondent
    known = {name: of.subscriptions for name, of in stated.denominators.items()}
    stands = assign_subscriptions(operators.subscriptions, country, is_respondent, known)
    of_country = {name: float(stands[country == name].sum()) for name in sorted(set(country.tolist()))}
    # Operators that nobody listed have subscriptions too: areas count them.
    of_country |= {name: value for name, value in known.items() if value > of_country.get(name, 0.0)}
    listed = list_areas(countries.filter(pl.col("country_code").is_in(list(of_country))))
    people = replace(operators, subscriptions=stands)
    member = np.array([are_in_area(area, country) for area in listed])
    groups = {area.code: member[place] for place, area in enumerate(listed) if area.code in RAKED}
    totals = np.array([sum(of_country.get(name, 0.0) for name in area.countries) for area in listed])
    silent = silent_errors(people, of_country, stated)
    squares = [known_variance([silent[name] for name in area.countries if name in silent]) for area in listed]
    variance = np.divide(squares, totals**2, out=np.zeros_like(totals), where=totals > 0)
    weighted = weight_respondents(people, groups, seed, replicates)
    return Sample(weighted, listed, member, totals, variance, stated.missing)


def silent_errors(
    people: Operators, of_country: Mapping[str, float], stated: Stated
) -> dict[str, Denominator]:
    """Errors of the subscriptions of countries with silent or unlisted operators; where all answered, what
    they report stands. Of a country without a denominator they are those of its silent operators in the
    frame, each by itself."""
    found = {}
    for name, total in of_country.items():
        inside = people.country == name
        silent = inside & ~people.is_respondent
        if not silent.any() and total <= people.subscriptions[inside].sum() * (1 + 1e-9):
            continue
        if name in stated.denominators:
            found[name] = replace(stated.denominators[name], subscriptions=total)
        elif total > 0:
            off = (people.subscriptions * stated.framed)[silent]
            found[name] = Denominator(total, float(np.sqrt(off @ off)) / total)
    return found


def known_variance(countries: Sequence[Denominator]) -> float:
    """The variance of the sum of countries' subscriptions: their own errors each by itself, those of a class
    together."""
    shared: dict[str, float] = defaultdict(float)
    for each in countries:
        shared[each.error_class] += each.subscriptions * each.shared_error
    own = sum((each.subscriptions * each.own_error) ** 2 for each in countries)
    return own + sum(off**2 for off in shared.values())


def point_estimates(sample: Sample, y: Array) -> dict[str, list[float | None]]:
    """Each area's estimates alone, one for each measure, as area_rows.estimate_areas() has them.

    Args:
        y: respondents x measures.
    """
    people = sample.weighted.operators
    enough = sample.ratio_mask
    totals, _ = estimated_totals(sample.weighted, y, sample.member[enough], sample.known[enough], y)
    at_ratio = dict(zip(np.flatnonzero(enough).tolist(), totals, strict=True))
    ratios = {label: each[0] for label, each in cell_totals(sample, y, sample.weighted.weights[:1]).items()}
    found: dict[str, list[float | None]] = {}
    for place, area in enumerate(sample.areas):
        inside = sample.member[place]
        if place in at_ratio:
            found[area.code] = at_ratio[place].tolist()
        elif not inside.any():
            found[area.code] = [None] * y.shape[1]
        else:
            answered, silent, label = sample.subscriptions[place]
            reported = y[inside[people.is_respondent]].sum(axis=0)
            rate = point_rate(reported, answered, silent, ratios.get(label, ratios[""]))
            found[area.code] = (reported + silent.sum() * rate).tolist()
    return found


def cell_totals(sample: Sample, y: Array, weights: Array) -> dict[str, Array]:
    """The ratio to subscriptions of each cell, rows of weights x measures, and of the world under ''."""
    people = sample.weighted.operators
    labels = ["", *sorted(set(sample.cell[people.is_respondent].tolist()))]
    x = people.subscriptions[people.is_respondent]
    found = {}
    for label in labels:
        inside = cell_mask(sample, label)
        whole = np.ones((1, int(inside.sum())), dtype=bool)
        found[label] = ratio_totals(weights[:, inside], x[inside], y[inside], whole, np.ones(1))[:, 0]
    return found


def cell_mask(sample: Sample, label: str) -> Array:
    """Return a mask of a cell's respondents; all respondents under ''."""
    cells = sample.cell[sample.weighted.operators.is_respondent]
    return np.ones(len(cells), dtype=bool) if label == "" else cells == label


def sum_by_owner(sample: Weighted, chosen: Array) -> Array:
    """Subscriptions of these operators, those of one holding together."""
    owner = np.unique(sample.owner[chosen], return_inverse=True)[1]
    return np.bincount(owner, sample.operators.subscriptions[chosen])
