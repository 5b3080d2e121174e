"""Coefficients of estimates on contributions, computed anew from what an attacker knows.

An estimate of the study is a linear function of its respondents' contributions. This module follows the
estimator's published description (jobs/base/stats/estimation.py, docs/estimates.md) with code of its own.

- A country: its respondents' sum, and its silent subscriptions at their rate where they have half of all,
  else at the rate of their cell (region and class of the collapsed strata). So do areas with fewer than five
  respondents.
- Another area: known subscriptions x weighted sum / weighted subscriptions. Weights are N/n of the stratum,
  raked to the subscriptions of ratio groups and of the Resolution's groups; in each area none is below 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from jobs.base.core.periods import last_day, months_of
from jobs.base.figures.areas import COUNTRY, RAKED, Area, classify_countries, join_classes, list_areas
from jobs.base.tables.validity import rows_on_day

Array = np.ndarray
# As the estimator is described: respondents of a stratum and of an area with a ratio of its own, respondents
# of a separate ratio, sweeps before Newton's method, and when totals contradict each other.
FEW, MANY, SWEEPS, CONTRADICTED = 5, 20, 50, 1e-3
EXACT = 1e-14


@dataclass(frozen=True)
class Linear:
    """Coefficients of areas x respondents, and which respondents are in each area; and of each respondent its
    weight in the world, its subscriptions and its cell, a region and class."""

    areas: tuple[str, ...]
    respondents: tuple[str, ...]
    weights: Array
    member: Array
    weight: Array
    subscriptions: Array
    cell: Array

    def get_weights(self, area: str) -> Array:
        """The coefficients of an area's estimate."""
        found: Array = self.weights[self.areas.index(area)]
        return found

    def find_members(self, area: str) -> Array:
        """Return a mask of the respondents in an area."""
        found: Array = self.member[self.areas.index(area)]
        return found


@dataclass(frozen=True)
class World:
    """Public knowledge of operators and countries.

    Attributes:
        prices: US dollars for one international dollar of the base year, by country.
    """

    operator_frame: pl.DataFrame
    denominator: pl.DataFrame
    country: pl.DataFrame
    country_group: pl.DataFrame
    prices: Mapping[str, float] = field(default_factory=dict)


def compute_coefficients(world: World, own: dict[str, float | None], channel: str, period: str) -> Linear:
    """The coefficients of a channel and period.

    Args:
        own: the respondents, with the subscriptions that each gave.
    """
    day = last_day(period)
    listed = (
        rows_on_day(world.operator_frame, day).filter(pl.col("channel_code") == channel).sort("respondent_id")
    )
    classes = classify_countries(world.country, world.country_group, day)
    people = join_classes(listed, classes).to_dicts()
    names = [each["respondent_id"] for each in people]
    answers = np.array([name in own for name in names])
    country = np.array([each["country_code"] for each in people], dtype=object)
    x = np.array([subscriptions_of(each, own) for each in people])
    known = known_subscriptions(world.denominator, channel, period)
    x = fill_silent(x, country, answers, known)
    total = {name: float(x[country == name].sum()) for name in sorted(set(country))}
    total |= {name: value for name, value in known.items() if value > total.get(name, 0.0)}
    found = list_areas(classes.filter(pl.col("country_code").is_in(list(total))))
    inside = np.array([np.isin(country.astype(str), area.countries) for area in found])
    subscriptions = np.array([sum(total.get(name, 0.0) for name in area.countries) for area in found])
    region, development, size = (
        [each[name] for each in people] for name in ("region_code", "development_code", "size_code")
    )
    strata = collapse_strata(region, development, size, answers)
    weight = rake_weights(
        strata, answers, x, [inside[at] for at, area in enumerate(found) if area.code in RAKED]
    )
    rows = [
        area_coefficients(area, inside[at], answers, x, weight, float(subscriptions[at]), strata)
        for at, area in enumerate(found)
    ]
    respondents = tuple(name for name, answer in zip(names, answers, strict=True) if answer)
    cell = np.array(["|".join(stratum[:2]) for stratum in strata], dtype=object)
    return Linear(
        tuple(area.code for area in found), respondents, np.array(rows), inside[:, answers],
        weight[answers], x[answers], cell[answers],
    )  # fmt: skip


def subscriptions_of(operator: Mapping[str, Any], own: Mapping[str, float | None]) -> float:
    """The subscriptions that an operator gave, or those of the frame."""
    given = own.get(operator["respondent_id"])
    return float(operator["subscriptions"] if given is None else given)


def area_coefficients(
    area: Area,
    inside: Array,
    answers: Array,
    x: Array,
    weight: Array,
    known: float,
    strata: list[tuple[str, ...]],
) -> Array:
    """The coefficients of one area, by which the figure of each answering operator enters the estimate.

    Args:
        inside: of each operator of the frame whether it is in the area.
        answers: of each operator whether it answered.
        x: the subscriptions of each operator.
        weight: the raked weight of each operator.
        known: the area's subscriptions by the reference table.
        strata: as collapse_strata() returns them.
    """
    mine, xs, ws = inside[answers], x[answers], weight[answers]
    if area.kind != COUNTRY and mine.sum() >= FEW:
        found = np.zeros(len(xs))
        found[mine] = scale_above_one(ws[mine], xs[mine], known)
        return found
    found = mine.astype(float)
    if not inside.any():
        return np.zeros(len(xs))
    answered, silent = float(x[inside & answers].sum()), float(x[inside & ~answers].sum())
    unlisted = known - silent - answered
    silent += unlisted if unlisted > 1e-6 * known else 0.0
    if 0 < answered >= silent:
        return found * (1 + silent / answered)
    cells = [stratum[:2] for stratum in strata]
    of_area = {cells[at] for at in np.flatnonzero(inside)}
    of_answers = [cells[at] for at in np.flatnonzero(answers)]
    is_cell = np.array([cell in of_area for cell in of_answers])
    if len(of_area) > 1 or not is_cell.any():
        is_cell = np.ones(len(xs), dtype=bool)
    below = float(ws[is_cell] @ xs[is_cell])
    return found + (silent / below * np.where(is_cell, ws, 0.0) if below > 0 else 0.0)


def scale_above_one(weight: Array, x: Array, known: float) -> Array:
    """Weights scaled so that weighted subscriptions are those known, with none below 1."""
    fixed: set[int] = set()
    while True:
        free = [at for at in range(len(x)) if at not in fixed]
        below = sum(weight[at] * x[at] for at in free)
        scale = (known - sum(x[at] for at in fixed)) / below if below > 0 else 1.0
        found = np.array([1.0 if at in fixed else weight[at] * scale for at in range(len(x))])
        low = {at for at in free if found[at] < 1}
        if not low:
            return found
        fixed |= low


def known_subscriptions(denominator: pl.DataFrame, channel: str, period: str) -> dict[str, float]:
    """Known subscriptions by country: those of the period; else of the shortest period around it; else of the
    latest period that ended before."""
    months = set(months_of(period))
    best: dict[str, tuple[tuple[int, ...], str, float]] = {}
    for row_ in denominator.filter(pl.col("channel_code") == channel).to_dicts():
        span = months_of(row_["period_code"])
        if row_["period_code"] == period:
            rank: tuple[int, ...] = (2, 0)
        elif months <= set(span):
            rank = (1, -len(span))
        elif span[-1] <= max(months):
            rank = (0, 0)
        else:
            continue
        candidate = (rank, span[-1], float(row_["subscriptions"]))
        if row_["country_code"] not in best or candidate[:2] > best[row_["country_code"]][:2]:
            best[row_["country_code"]] = candidate
    return {name: value for name, (_, _, value) in best.items()}


def fill_silent(x: Array, country: Array, answers: Array, known: dict[str, float]) -> Array:
    """Silent operators' subscriptions scaled to what is known of their country beyond its respondents'."""
    found = x.copy()
    for name, total in known.items():
        silent = (country == name) & ~answers
        if x[silent].sum() > 0:
            left = max(total - x[(country == name) & answers].sum(), 0.0)
            found[silent] = x[silent] * left / x[silent].sum()
    return found


def collapse_strata(
    region: list[str], development: list[str], size: list[str], answers: Array
) -> list[tuple[str, ...]]:
    """The stratum of each operator: region, class and size, joined until each has FEW respondents."""
    place = list(range(len(region)))
    regions = merge_codes(region, answers, place)
    kinds, sizes = [""] * len(region), [""] * len(region)
    for name in sorted(set(regions)):
        of_region = [at for at in place if regions[at] == name]
        for at, kind in zip(of_region, merge_codes(development, answers, of_region), strict=True):
            kinds[at] = kind
        for kind in sorted({kinds[at] for at in of_region}):
            of_kind = [at for at in of_region if kinds[at] == kind]
            for at, group in zip(of_kind, merge_codes(size, answers, of_kind), strict=True):
                sizes[at] = group
    return list(zip(regions, kinds, sizes, strict=True))


def merge_codes(code: list[str], answers: Array, place: list[int]) -> list[str]:
    """Codes of operators at these places; the group with fewest respondents joins its smaller neighbour until
    each has FEW."""
    names = sorted({code[at] for at in place})
    groups = [([name], sum(bool(answers[at]) for at in place if code[at] == name)) for name in names]
    while len(groups) > 1:
        at = min(range(len(groups)), key=lambda number: groups[number][1])
        if groups[at][1] >= FEW:
            break
        near = [number for number in (at - 1, at + 1) if 0 <= number < len(groups)]
        other = min(near, key=lambda number: groups[number][1])
        first, second = min(at, other), max(at, other)
        joined = (groups[first][0] + groups[second][0], groups[first][1] + groups[second][1])
        groups[first : second + 1] = [joined]
    of = {name: "+".join(members) for members, _ in groups for name in members}
    return [of[code[at]] for at in place]


def rake_weights(strata: list[tuple[str, ...]], answers: Array, x: Array, groups: list[Array]) -> Array:
    """The weight of each operator: N/n of its stratum, raked to subscriptions of ratio groups and groups."""
    labels = np.array(["|".join(each) for each in strata], dtype=object)
    regions = np.array([each[0] for each in strata], dtype=object)
    weight = np.zeros(len(x))
    for label in set(labels):
        stratum = labels == label
        count = (stratum & answers).sum()
        weight[stratum & answers] = stratum.sum() / count if count else 0.0
    sets = [[labels == label for label in sorted(separate_strata(labels, regions, answers))]]
    sets[0] += [
        (regions == name) & ~np.any([np.zeros(len(x), dtype=bool), *sets[0]], axis=0)
        for name in sorted(set(regions))
    ]
    sets[0] = [each for each in sets[0] if each.any()]
    sets += [[member] for member in groups if (member & answers).sum() >= FEW]
    while True:
        found, off = fit_weights(weight, x, sets)
        if off <= CONTRADICTED or len(sets) == 1:
            return found
        sets.pop()


def separate_strata(labels: Array, regions: Array, answers: Array) -> set[str]:
    """Strata with a ratio of their own: with MANY respondents, where FEW are left to the rest of the
    region."""
    found: set[str] = set()
    for name in set(regions):
        inside = regions == name
        large = {label for label in set(labels[inside]) if (answers & (labels == label)).sum() >= MANY}
        rest = inside & ~np.isin(labels.astype(str), sorted(large))
        if large and (not rest.any() or (answers & rest).sum() >= FEW):
            found |= large
    return found


def fit_weights(weight: Array, x: Array, sets: list[list[Array]]) -> tuple[Array, float]:
    """Weights whose sums of w x are the sets' subscriptions, by iterative fitting and then Newton's method;
    and how far they are from it."""
    found = weight.copy()
    for _ in range(SWEEPS if len(sets) > 1 else 1):
        for partition in sets:
            for member in partition:
                now = float(found[member] @ x[member])
                if now > 0:
                    found[member] = found[member] * (x[member].sum() / now)
    if len(sets) == 1:
        return found, 0.0
    flat = [member for partition in sets for member in partition if float(weight[member] @ x[member]) > 0]
    of_set = np.array(flat, dtype=float).T
    totals = np.array([x[member].sum() for member in flat])
    scale = np.where(totals > 0, totals, 1.0)
    exact = found
    for _ in range(SWEEPS):
        missing = totals - (exact * x) @ of_set
        if np.abs(missing / scale).max() < EXACT:
            break
        slope = of_set.T @ ((exact * x)[:, None] * of_set)
        step = np.linalg.lstsq(slope / np.outer(scale, scale), missing / scale, rcond=1e-12)[0] / scale
        exact = exact * np.exp(np.clip(of_set @ step, -1.0, 1.0))
    off, before = (float(np.abs((totals - (each * x) @ of_set) / scale).max()) for each in (exact, found))
    return (exact, off) if off < 1e-6 else (found, before)
