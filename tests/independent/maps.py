"""Maps from respondents' sums to a published figure: coefficients from public knowledge alone.

Written from docs/estimates.md alone. It imports nothing of the project, so that neither the estimator nor the
project's own attack can be wrong here in the same way.

A figure of an area is a weighted sum of its respondents' contributions. Operators fall into strata by region,
development class and size; strata with fewer than five respondents are joined. A weight is N/n of the
stratum, raked to known subscriptions. Areas of five respondents and more have the ratio to subscriptions,
with no weight below 1. Countries and smaller areas have their own sum, and silent operators at a rate: their
own if their respondents have half of all subscriptions, else that of their region and class.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

Array = np.ndarray
# Respondents of a stratum; of a stratum with a ratio of its own.
FEW, OWN_RATIO = 5, 20
RESOLUTION = ("LDC", "SIDS", "LLDC", "TRANSITION")
# Groups that weights are raked to; all groups that are areas.
RAKED = (*RESOLUTION, "DEVELOPING")
LISTED = (*RAKED, "DEVELOPED")
WORLD = "WORLD"
# The shape of a stratum's share that the linearised error cuts off.
MOST_SHARE = 0.9
# The 95% point of the normal distribution.
Z95 = 1.6448536269514722


@dataclass(frozen=True)
class Known:
    """Public knowledge: the frame of operators, denominators, countries and their groups, prices."""

    frame: pl.DataFrame
    denominator: pl.DataFrame
    country: pl.DataFrame
    country_group: pl.DataFrame
    price_level: pl.DataFrame | None = None


def end_of(period: str) -> dt.date:
    """The last day of a month, quarter or year."""
    year, _, part = period.partition("-")
    month = 12 if not part else 3 * int(part[1]) if part.startswith("Q") else int(part)
    return dt.date(int(year), month, calendar.monthrange(int(year), month)[1])


def months_in(period: str) -> set[tuple[int, int]]:
    """The months of a period."""
    end = end_of(period)
    count = 12 if "-" not in period else 3 if "Q" in period else 1
    return {(end.year, month) for month in range(end.month - count + 1, end.month + 1)}


def on_day(rows: pl.DataFrame, day: dt.date) -> pl.DataFrame:
    until = pl.col("valid_to").is_null() | (pl.col("valid_to") > day)
    return rows.filter((pl.col("valid_from") <= day) & until)


def places_on(known: Known, day: dt.date) -> dict[str, tuple[str, str, frozenset[str]]]:
    """The region, class and groups of each country."""
    groups: dict[str, set[str]] = {}
    for country, group in on_day(known.country_group, day).select("iso3", "group_code").rows():
        groups.setdefault(country, set()).add(group)
    found = {}
    for country, region in on_day(known.country, day).select("iso3", "itu_region").rows():
        if region is None:
            continue
        of = frozenset(groups.get(country, ()))
        is_developed = "WB_HIGH" in of and not of & set(RESOLUTION)
        found[country] = (region, "LDC" if "LDC" in of else "DEVELOPED" if is_developed else "DEVELOPING", of)
    return found


def denominator_by_country(denominator: pl.DataFrame, channel: str, period: str) -> dict[str, dict[str, Any]]:
    """The row of the period; else of the shortest period around it; else of the last one before its end."""
    wanted = months_in(period)
    best: dict[str, tuple[tuple[int, int, tuple[int, int]], dict[str, Any]]] = {}
    for row in denominator.filter(pl.col("channel_code") == channel).to_dicts():
        country, span = row["country_code"], months_in(row["period_code"])
        if wanted <= span:
            rank = (2, -len(span), max(span))
        elif max(span) <= max(wanted):
            rank = (1, 0, max(span))
        else:
            continue
        if country not in best or best[country][0] < rank:
            best[country] = (rank, row)
    return {country: row for country, (_, row) in best.items()}


def join_rare(codes: Sequence[str], is_counted: Array) -> list[str]:
    """Codes in alphabetical order, of which the one with fewest respondents joins the neighbour with fewer of
    them until each has FEW."""
    groups = [{code} for code in sorted(set(codes))]
    tally = {code: sum(1 for each, yes in zip(codes, is_counted, strict=True) if yes and each == code)
             for code in set(codes)}  # fmt: skip

    def size(at: int) -> int:
        return sum(tally[code] for code in groups[at])

    while len(groups) > 1 and size(at := min(range(len(groups)), key=size)) < FEW:
        beside = min((other for other in (at - 1, at + 1) if 0 <= other < len(groups)), key=size)
        groups[min(at, beside)] |= groups.pop(max(at, beside))
    return ["+".join(sorted(next(group for group in groups if code in group))) for code in codes]


@dataclass(frozen=True)
class RatesCell:
    """Respondents of a region and class.

    Attributes:
        of: their places.
        total: the sum of weight * x.
    """

    of: Array
    weight: Array
    x: Array
    total: float


class Survey:
    """Everything about a channel and period that a list of respondents gives.

    Attributes:
        given: of each respondent the subscriptions that it stated, or None.
    """

    def __init__(self, known: Known, given: Mapping[str, float | None], channel: str, period: str) -> None:
        day = end_of(period)
        people = on_day(known.frame, day).filter(pl.col("channel_code") == channel).sort("respondent_id")
        self.names: list[str] = people["respondent_id"].to_list()
        self.country = np.array(people["country_code"].to_list(), dtype=object)
        self.holding = dict(people.select("respondent_id", "holding_id").rows())
        self.answers = np.array([name in given for name in self.names], dtype=bool)
        stated = [given.get(name) for name in self.names]
        frame = people["subscriptions"].to_list()
        x = np.array([float(listed if own is None else own)
                      for own, listed in zip(stated, frame, strict=True)])  # fmt: skip
        self.denominator = denominator_by_country(known.denominator, channel, period)
        totals = {name: float(row["subscriptions"]) for name, row in self.denominator.items()}
        for name, total in totals.items():
            silent = (self.country == name) & ~self.answers
            if x[silent].sum() > 0:
                rest = total - x[(self.country == name) & self.answers].sum()
                x[silent] *= max(rest, 0.0) / x[silent].sum()
        self.x = x
        self.total = {str(name): float(x[self.country == name].sum()) for name in set(self.country)}
        self.total |= {name: value for name, value in totals.items() if value > self.total.get(name, 0.0)}
        self.places = places_on(known, day)
        self.respondents = [name for name, yes in zip(self.names, self.answers, strict=True) if yes]
        self.region, self.kind = ([self.places[name][at] for name in self.country] for at in (0, 1))
        self.stratum = self.make_strata(people["size_code"].to_list())
        self.cell = [stratum[:2] for stratum in self.stratum]

    def make_strata(self, size: list[str]) -> list[tuple[str, str, str]]:
        """Region, class and size, each joined within the one before."""
        made: list[list[str]] = [["", "", ""] for _ in self.names]

        def fill(level: int, members: list[int]) -> None:
            codes = [(self.region, self.kind, size)[level][at] for at in members]
            for at, code in zip(members, join_rare(codes, self.answers[members]), strict=True):
                made[at][level] = code
            if level < 2:
                for code in sorted({made[at][level] for at in members}):
                    fill(level + 1, [at for at in members if made[at][level] == code])

        fill(0, list(range(len(self.names))))
        return [(a, b, c) for a, b, c in made]

    def countries_of(self, area: str) -> set[str]:
        """The countries of an area that have operators or subscriptions."""
        if area in self.total:
            return {area}
        return {
            name
            for name in self.total
            if name in self.places
            and (area in (WORLD, self.places[name][0]) or (area in LISTED and area in self.places[name][2]))
        }

    def subscription_error(self, area: str) -> float:
        """The relative variance of an area's subscriptions by what denominators state of their errors, for a
        frame that states none: 5 and 95% points, and what a class of sources is off together."""
        own, shared, whole = 0.0, dict[str, float](), 0.0
        for name in self.countries_of(area):
            row, mine = self.denominator.get(name), self.country == name
            whole += self.total[name]
            is_open = (mine & ~self.answers).any() or self.total[name] > self.x[mine].sum() * (1 + 1e-9)
            if row is None or not is_open:
                continue
            if row["subscriptions_low"]:
                spread = np.log(row["subscriptions_high"] / row["subscriptions_low"]) / (
                    2 * 1.6448536269514722
                )
                own += (self.total[name] * spread) ** 2
            if row["shared_error_pct"]:
                off = self.total[name] * np.log(1 + float(row["shared_error_pct"]) / 100) / Z95
                shared[row["error_class_code"]] = shared.get(row["error_class_code"], 0.0) + off
        return float((own + sum(each**2 for each in shared.values())) / whole**2) if whole else 0.0

    def inside(self, area: str) -> Array:
        """Return the operators that are in an area."""
        return np.isin(self.country.astype(str), sorted(self.countries_of(area)))

    @cached_property
    def weight(self) -> Array:
        """The weight of each operator: N/n of its stratum, raked; 0 of silent ones."""
        labels = ["|".join(each) for each in self.stratum]
        base = np.zeros(len(labels))
        for label in set(labels):
            mine = np.array([each == label for each in labels])
            if (mine & self.answers).any():
                base[mine & self.answers] = mine.sum() / (mine & self.answers).sum()
        margins = self.ratio_groups(labels)
        groups = [self.inside(code) for code in RAKED]
        groups = [mine for mine in groups if (mine & self.answers).sum() >= FEW]
        while True:
            found = rake(base, self.x, [*margins, *groups])
            if found is not None or not groups:
                break
            groups.pop()
        assert found is not None
        return found

    def ratio_groups(self, labels: list[str]) -> list[Array]:
        """Strata with a ratio of their own, and what is left of each region."""
        found = []
        regions = [stratum[0] for stratum in self.stratum]
        for region in sorted(set(regions)):
            mine = np.array([each == region for each in regions])
            strata = [np.array([each == label for each in labels]) for label in sorted(set(labels))]
            apart = [each for each in strata if (each & mine).any()
                     and (each & self.answers).sum() >= OWN_RATIO]  # fmt: skip
            rest = mine & ~np.any([*apart, np.zeros_like(mine)], axis=0)
            if rest.any() and (rest & self.answers).sum() < FEW:
                apart, rest = [], mine
            found += [each for each in (*apart, rest) if each.any()]
        return found

    def is_ratio(self, area: str) -> bool:
        """Return whether an area has the ratio to subscriptions: no country, and FEW respondents."""
        return area not in self.total and (self.inside(area) & self.answers).sum() >= FEW

    def coefficients(self, area: str) -> Array:
        """Return the coefficient of each respondent's contribution in an area's figure."""
        inside, own = self.inside(area), self.answers
        known = sum(self.total[name] for name in self.countries_of(area))
        if self.is_ratio(area):
            return floored(self.weight, self.x, inside & own, known)[own]
        found = inside.astype(float)
        answered = float(self.x[inside & own].sum())
        silent = float(self.x[inside & ~own].sum())
        silent += max(known - answered - silent, 0.0)
        if silent <= 1e-6 * known:
            return found[own]
        if answered >= silent:
            return (found * (1 + silent / answered))[own]
        cells = {cell for cell, is_in in zip(self.cell, inside, strict=True) if is_in}
        donors = own & np.array([len(cells) == 1 and cell in cells for cell in self.cell])
        donors = donors if donors.any() else own
        below = float((self.weight * self.x)[donors].sum())
        return (found + np.where(donors, self.weight, 0.0) * (silent / below if below > 0 else 0.0))[own]

    # --- cones ----------------------------------------------------------------------------------------

    def error_map(self, area: str) -> Array:
        """L with the linearised variance |L y|^2 of an area's ratio total (docs/estimates.md)."""
        inside, own = self.inside(area)[self.answers], self.answers
        w, x = self.weight[own], self.x[own]
        known = sum(self.total[name] for name in self.countries_of(area))
        below = float((w * x)[inside].sum())
        share = np.where(inside, w * x / below, 0.0)
        residual = np.diag(inside.astype(float)) - np.outer(
            np.where(inside, x, 0.0), share / np.where(x > 0, x, 1)
        )
        z = (w / (1 - np.minimum(share, MOST_SHARE)))[:, None] * residual * (known / below)
        rows = []
        owner = np.array([self.holding[name] for name in self.names])
        for label in sorted(set(self.stratum)):
            in_stratum = np.array([each == label for each in self.stratum])
            everyone = len(set(owner[in_stratum]))
            mine = in_stratum[own]
            sums = np.array([z[mine & (owner[own] == each)].sum(axis=0) for each in set(owner[own][mine])])
            n = len(sums)
            if n > 1 and everyone > n:
                factor = np.sqrt((1 - n / everyone) * n / (n - 1))
                rows.append(factor * (sums - sums.mean(axis=0)))
        return np.vstack(rows) if rows else np.zeros((0, len(x)))

    def most_freedom(self) -> int:
        """The most degrees of freedom that the error of any area has."""
        counts = dict.fromkeys(self.stratum, 0)
        for label, yes in zip(self.stratum, self.answers, strict=True):
            counts[label] += bool(yes)
        return max(sum(count - 1 for count in counts.values() if count > 1), 1)

    def rates_cells(self) -> list[RatesCell]:
        """Regions and classes, of each its respondents with subscriptions."""
        own = self.answers
        w, x = self.weight[own], self.x[own]
        cells = [cell for cell, yes in zip(self.cell, own, strict=True) if yes]
        found = []
        for cell in sorted(set(cells)):
            mine = np.flatnonzero(np.array([each == cell for each in cells]) & (w * x > 0))
            if len(mine):
                found.append(RatesCell(mine, w[mine], x[mine], float((w * x)[mine].sum())))
        return found

    def rates_map(self, truth: Array) -> tuple[Array, float]:
        """M and U with |M y|^2 = v U, v the variance of rates about the ratio of their cell, at the cells'
        true ratios: who is given these knows more than anyone has.

        Args:
            truth: of each respondent.
        """
        rows, below = [np.zeros((0, len(truth)))], 0.0
        for cell in self.rates_cells():
            u, above = cell.weight * cell.x, float(cell.weight @ truth[cell.of])
            below += float((u * (1 - u / cell.total)).sum())
            if above <= 0:
                continue
            deviation = np.zeros((len(u), len(truth)))
            deviation[:, cell.of] = np.diag(1 / cell.x) - cell.weight[None] / cell.total
            rows.append(np.sqrt(u)[:, None] * deviation * (cell.total / above))
        return np.vstack(rows), below


def rake(base: Array, x: Array, sets: list[Array]) -> Array | None:
    """Weights base * exp(sum of the multipliers of the sets that hold an operator) whose sums of w x are the
    subscriptions of each set; None where no such weights are near."""
    used = [each for each in sets if (base * x)[each].sum() > 0]
    member = np.array(used, dtype=float).T
    want = np.array([x[each].sum() for each in used])
    scale = np.where(want > 0, want, 1.0)
    found = base.copy()
    for each, total in list(zip(used, want, strict=True)) * 50:
        found[each] *= total / (found * x)[each].sum()
    for _ in range(60):
        off = (want - member.T @ (found * x)) / scale
        if np.abs(off).max() < 1e-13:
            break
        slope = member.T @ ((found * x)[:, None] * member) / np.outer(scale, scale)
        step = np.linalg.pinv(slope, rcond=1e-12, hermitian=True) @ off / scale
        found = found * np.exp(np.clip(member @ step, -1.0, 1.0))
    return found if np.abs((want - member.T @ (found * x)) / scale).max() < 1e-3 else None


def floored(weight: Array, x: Array, mine: Array, known: float) -> Array:
    """Weights of an area scaled to its known subscriptions, with none below 1."""
    found, free = np.zeros(len(x)), mine.copy()
    while True:
        below = float((weight * x)[free].sum())
        factor = (known - x[mine & ~free].sum()) / below if below > 0 else 1.0
        found[mine] = 1.0
        found[free] = weight[free] * factor
        low = free & (found < 1)
        if not low.any():
            return found
        free &= ~low
