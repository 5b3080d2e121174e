"""The operators of a channel and period as the estimator takes them, and figures of every area from them.

Frame, denominators and groups are hundreds of rows: they are collected, and the work is numpy's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from jobs.core.areas import COUNTRY, GROUPS, Area, areas, classified, members, on_day, with_classes
from jobs.core.errors import ObservatoryError
from jobs.core.periods import last_day, months_of
from jobs.stats.estimation import (
    REPLICATES,
    SMALLEST,
    Array,
    Operators,
    Weighted,
    ratio_totals,
    seed_of,
    subscriptions_stood_for,
    weighted,
)
from jobs.stats.intervals import (
    BAND_FACTORS,
    ONE_RESPONDENT,
    Imputed,
    at_factor,
    cv_band,
    estimated_totals,
    figures,
    has_own_rate,
    point_rate,
    predicted_figure,
)
from jobs.study.estimate.rows import confidentiality

# Columns of a figure for each factor of the non-response band other than 1, which is the estimate itself.
AT = {factor: f"at_{round(100 * factor):03d}" for factor in BAND_FACTORS if factor != 1.0}


@dataclass(frozen=True)
class Reference:
    """What is known of operators and countries whether they answer or not; small tables."""

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
    holding: Array

    @cached_property
    def cell(self) -> Array:
        """Region and class of each operator's stratum."""
        return np.array([label.rsplit("|", 1)[0] for label in self.weighted.stratum], dtype=object)


def known_subscriptions(denominator: pl.DataFrame, channel: str, period: str) -> dict[str, float]:
    """Each country's subscriptions for a period, from the user's table.

    The row of the period itself; else of the shortest period that holds it; else the latest before its end.
    """
    months = set(months_of(period))
    found: dict[str, tuple[tuple[bool, bool, int, str], float]] = {}
    for country, given, subscriptions in (
        denominator.filter(pl.col("channel_code") == channel)
        .select("country_code", "period_code", "subscriptions")
        .rows()
    ):
        spans = months_of(given)
        holds = months <= set(spans)
        if not holds and spans[-1] > max(months):
            continue
        rank = (given == period, holds, -len(spans) if holds else 0, spans[-1])
        if country not in found or rank > found[country][0]:
            found[country] = (rank, float(subscriptions))
    return {country: value for country, (_, value) in found.items()}


def sample_of(
    reference: Reference, answered: pl.DataFrame, channel: str, period: str, key: Sequence[str]
) -> tuple[Sample, pl.DataFrame]:
    """The operators of a channel and period, weighted; and the answers in the order of the respondents.

    answered: a row for each respondent, with respondent_id and, where it gave them, its subscriptions. key:
    of the cell; the random numbers of its replicates are drawn from it.
    """
    day = last_day(period)
    people = (
        on_day(reference.operator_frame, day)
        .filter(pl.col("channel_code") == channel)
        .select(
            "respondent_id", "holding_id", "country_code", "size_code", frame_subscriptions="subscriptions"
        )
        .sort("respondent_id")
    )
    unknown = sorted(set(answered["respondent_id"]) - set(people["respondent_id"]))
    if unknown:
        raise ObservatoryError(
            f"{', '.join(unknown[:5])} answered for {channel} in {period} and is not in the frame of"
            " operators: add it to operator_frame.csv with the day it started"
        )
    countries = classified(reference.country, reference.country_group, day)
    people = with_classes(people, countries).join(
        answered.select("respondent_id", own="subscriptions", is_respondent=pl.lit(True)),
        on="respondent_id",
        how="left",
        maintain_order="left",
    )
    is_respondent = people["is_respondent"].fill_null(False).to_numpy()
    reported = (
        people.select(pl.coalesce("own", "frame_subscriptions").cast(pl.Float64)).to_series().to_numpy()
    )
    country = people["country_code"].to_numpy().astype(object)
    known = known_subscriptions(reference.denominator, channel, period)
    stands = subscriptions_stood_for(reported, country, is_respondent, known)
    of_country = {name: float(stands[country == name].sum()) for name in sorted(set(country.tolist()))}
    # Operators that nobody listed have subscriptions too: areas count them.
    of_country |= {name: value for name, value in known.items() if value > of_country.get(name, 0.0)}
    listed = areas(countries.filter(pl.col("country_code").is_in(list(of_country))))
    operators = Operators(
        respondent=people["respondent_id"].to_numpy().astype(object),
        country=country,
        region=people["region_code"].to_numpy().astype(object),
        development=people["development_code"].to_numpy().astype(object),
        size=people["size_code"].to_numpy().astype(object),
        subscriptions=stands,
        is_respondent=is_respondent,
    )
    member = np.array([members(area, country) for area in listed])
    groups = {area.code: member[place] for place, area in enumerate(listed) if area.code in GROUPS}
    drawn = weighted(operators, groups, seed_of(*key, channel, period), REPLICATES)
    totals = np.array([sum(of_country.get(name, 0.0) for name in area.countries) for area in listed])
    holding = people["holding_id"].to_numpy().astype(object)
    return Sample(drawn, listed, member, totals, holding), people.filter(is_respondent).select(
        "respondent_id"
    ).join(answered, on="respondent_id", how="left", maintain_order="left")


def estimates(
    sample: Sample, y: Array, least: Array | None = None, imputed_freedom: float | None = None
) -> list[dict[str, object]]:
    """A row for each area and measure, `measure` its place: estimate, interval, band, counts, nature, status.

    y: respondents x measures, or replicates x respondents x measures where values were imputed; least: what
    is certain of imputed ones, respondents x measures; imputed_freedom: see figures(). Areas with fewer than
    SMALLEST respondents, and all countries, are what was reported and the rest at a rate; the others are
    ratio totals.
    """
    own = y[0] if y.ndim == 3 else y
    certain = own if least is None else least
    is_certain = own == certain
    answering = sample.weighted.operators.is_respondent
    enough = by_ratio(sample)
    found = figures(sample.weighted, y, sample.member[enough], sample.known[enough], certain, imputed_freedom)
    four: dict[int, tuple[Array, Array, Array, Array] | None] = {
        int(place): (found.estimate[number], found.error[number], found.low[number], found.high[number])
        for number, place in enumerate(np.flatnonzero(enough))
    }
    cells = cell_ratios(sample, y)
    rows = []
    for place in range(len(sample.areas)):
        mine = sample.member[place, answering]
        if place not in four:
            four[place] = predicted(sample, y, certain, place, cells, imputed_freedom)
        rows += described(sample, place, own[mine].sum(axis=0), is_certain[mine].all(axis=0), four[place])
    return rows


def by_ratio(sample: Sample) -> Array:
    """Which areas have respondents enough for a ratio total; countries never."""
    answered = sample.member[:, sample.weighted.operators.is_respondent].sum(axis=1)
    return np.array([area.kind != COUNTRY for area in sample.areas]) & (answered >= SMALLEST)


def point_estimates(sample: Sample, y: Array) -> dict[str, list[float | None]]:
    """Each area's estimates alone, one for each measure, as estimates() has them.

    y: respondents x measures.
    """
    people = sample.weighted.operators
    enough = by_ratio(sample)
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
            answered, silent, label = subscriptions_of(sample, place)
            reported = y[inside[people.is_respondent]].sum(axis=0)
            rate = point_rate(reported, answered, silent, ratios.get(label, ratios[""]))
            found[area.code] = (reported + silent.sum() * rate).tolist()
    return found


def described(
    sample: Sample,
    place: int,
    reported: Array,
    is_certain: Array,
    four: tuple[Array, Array, Array, Array] | None,
) -> list[dict[str, object]]:
    """The rows of an area, one for each measure. four: estimate, error and interval, the last three not a
    number where nothing shows them; None where no operator is known."""
    people, inside, known = sample.weighted.operators, sample.member[place], float(sample.known[place])
    area, answered = sample.areas[place], inside & people.is_respondent
    covered, count = float(people.subscriptions[answered].sum()), int(answered.sum())
    owners, of_rate = owners_of(sample, answered), owners_of_rate(sample, place)
    beside: dict[str, object] = {
        "area_code": area.code,
        "area_kind_code": area.kind,
        "subscriptions": round(known),
        "coverage_pct": 100 * covered / known if known > 0 else 0.0,
        "respondent_count": count,
        "holding_count": owners,
        "rate_holding_count": of_rate,
        # Where nobody answered the figure is its donors'.
        "conf_status_code": confidentiality(owners or of_rate or 0),
        "operator_count": int(inside.sum()),
    }
    is_complete = is_certain & (covered >= known * (1 - 1e-9))
    natures = [nature(area.kind, count, each) for each in is_complete.tolist()]
    columns: dict[str, list[object]] = {
        "measure": list(range(len(reported))),
        "reported": reported.tolist(),
        "nature_code": [*natures],
    }
    names = [f"{name}{end}" for name in AT.values() for end in ("", "_low", "_high")]
    if four is None:
        nothing = ["estimate", "estimate_low", "estimate_high", "per_subscription", "cv_pct", "cv_band_code"]
        beside |= dict.fromkeys([*nothing, *names]) | {"obs_status_code": "O"}
    else:
        estimate, error, low, high = four
        cv_pct = 100 * np.divide(error, estimate, out=0 * error, where=estimate > 0)
        bands = [cv_band(each) for each in cv_pct.tolist()]
        columns |= {
            f"{name}{end}": or_none(at_factor(value, reported, factor))
            for factor, name in AT.items()
            for end, value in (("", estimate), ("_low", low), ("_high", high))
        }
        columns |= {
            "estimate": estimate.tolist(),
            "estimate_low": or_none(low),
            "estimate_high": or_none(high),
            "per_subscription": (estimate / known).tolist() if known > 0 else [None] * len(bands),
            "cv_pct": or_none(np.minimum(cv_pct, 99_999.0)),
            "cv_band_code": [*bands],
            "obs_status_code": [
                obs_status(each == "C", band) for each, band in zip(natures, bands, strict=True)
            ],
        }
    return [
        beside | dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def owners_of(sample: Sample, chosen: Array) -> int:
    """How many owners these operators have."""
    return len(set(sample.holding[chosen].tolist()))


def owners_of_rate(sample: Sample, place: int) -> int | None:
    """Owners of the respondents whose rate an area's silent operators take, as point_estimates() has it; None
    where none is silent or known."""
    people, inside = sample.weighted.operators, sample.member[place]
    answered, silent, label = subscriptions_of(sample, place)
    if not inside.any() or not silent.sum() > 0:
        return None
    if by_ratio(sample)[place] or has_own_rate(answered, silent):
        return owners_of(sample, inside & people.is_respondent)
    donors = people.is_respondent & (sample.cell == label)
    return owners_of(sample, donors if donors.any() else people.is_respondent)


def or_none(values: Array) -> list[object]:
    """Numbers, None for one that is not a number."""
    return [None if np.isnan(value) else value for value in values.tolist()]


def obs_status(is_complete: bool, band: str) -> str:
    """SDMX OBS_STATUS: A as all operators reported it, U an estimate of low reliability, E any other. One to
    be taken with caution is told so by its band."""
    return "A" if is_complete else "U" if band in ("unreliable", ONE_RESPONDENT) else "E"


def nature(kind: str, respondents: int, is_complete: bool) -> str:
    """SDMX NATURE: C a country's operators all answered, CA they were scaled up, M none did, E of an area."""
    if kind != COUNTRY:
        return "E"
    if not respondents:
        return "M"
    return "C" if is_complete else "CA"


@dataclass(frozen=True)
class Cell:
    """Respondents of one region and class: for each measure the ratio with replicates, and the variance of
    their rates.

    freedom: of that variance; 0 of one respondent, whose rate shows none. imputed: replicates of the ratio at
    the estimate's weights, where values were imputed.
    """

    ratio: Array
    variance: Array
    freedom: int
    imputed: Array | None


def cell_ratios(sample: Sample, values: Array) -> dict[str, Cell]:
    """The ratio to subscriptions of each region and class, and of the world under ''. values: y of
    estimates()."""
    y = values[0] if values.ndim == 3 else values
    people = sample.weighted.operators
    answering = people.is_respondent
    x, weights = people.subscriptions[answering], sample.weighted.weights
    found = {}
    for label, ratio in cell_totals(sample, y, weights).items():
        inside = in_cell(sample, label)
        usable = inside & (x > 0)
        rates = y[usable] / x[usable][:, None]
        of = weights[0][usable]
        spread = (of[:, None] * (rates - ratio[0]) ** 2).sum(axis=0) / max(of.sum(), 1e-12)
        count = int(usable.sum())
        imputed = None
        if values.ndim == 3:
            stands = weights[0][inside]
            below = float(stands @ x[inside])
            imputed = (stands / below if below > 0 else 0 * stands) @ values[1:, inside]
        found[label] = Cell(ratio, spread * count / max(count - 1, 1), max(count - 1, 0), imputed)
    return found


def cell_totals(sample: Sample, y: Array, weights: Array) -> dict[str, Array]:
    """The ratio to subscriptions of each cell, rows of weights x measures, and of the world under ''."""
    people = sample.weighted.operators
    labels = ["", *sorted(set(sample.cell[people.is_respondent].tolist()))]
    x = people.subscriptions[people.is_respondent]
    found = {}
    for label in labels:
        inside = in_cell(sample, label)
        whole = np.ones((1, int(inside.sum())), dtype=bool)
        found[label] = ratio_totals(weights[:, inside], x[inside], y[inside], whole, np.ones(1))[:, 0]
    return found


def in_cell(sample: Sample, label: str) -> Array:
    """Which respondents are of a cell; all of them under ''."""
    cells = sample.cell[sample.weighted.operators.is_respondent]
    return np.ones(len(cells), dtype=bool) if label == "" else cells == label


def subscriptions_of(sample: Sample, place: int) -> tuple[Array, Array, str]:
    """Subscriptions of an area's respondents and of its silent operators, those that nobody listed as one of
    them; and the cell that it lies in, '' where it lies in several."""
    people, inside, known = sample.weighted.operators, sample.member[place], float(sample.known[place])
    labels = set(sample.cell[inside].tolist())
    silent = people.subscriptions[inside & ~people.is_respondent]
    answered = people.subscriptions[inside & people.is_respondent]
    unlisted = known - silent.sum() - answered.sum()
    if unlisted > 1e-6 * known:
        silent = np.append(silent, unlisted)
    return answered, silent, labels.pop() if len(labels) == 1 else ""


def predicted(
    sample: Sample,
    y: Array,
    certain: Array,
    place: int,
    cells: dict[str, Cell],
    imputed_freedom: float | None,
) -> tuple[Array, Array, Array, Array] | None:
    """Estimate, error and interval of a country or a small area, for each measure; None where no operator is
    known.

    One respondent says nothing of how rates vary: error and interval of what silent operators have are not a
    number. Where none is silent the figure is exact.
    """
    if not sample.member[place].any():
        return None
    answered, silent, label = subscriptions_of(sample, place)
    cell = cells.get(label, cells[""])
    mine = sample.member[place, sample.weighted.operators.is_respondent]
    imputed = None
    if cell.imputed is not None:
        imputed = Imputed(y[1:, mine].sum(axis=1), cell.imputed, imputed_freedom)
    estimate, error, low, high = predicted_figure(
        (y[0] if y.ndim == 3 else y)[mine],
        answered,
        silent,
        cell.ratio,
        cell.variance,
        max(cell.freedom, 1),
        certain[mine].sum(axis=0),
        imputed,
    )
    if cell.freedom < 1 and silent.sum() > 0:
        error, low, high = (np.full_like(estimate, np.nan) for _ in range(3))
    return estimate, error, low, high
