"""Contributions of respondents, release by release, as sums of an attack's unknowns.

An unknown that a later release changed is another one; what it left as it was is the same.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from jobs.base.core.periods import period_divisions
from jobs.base.tables.series import Shape
from jobs.study.attack.unknowns import (
    NEAR,
    Codes,
    Unknowns,
    codes_above,
    express_figures,
    replace_code,
    split_figure,
)

Coefficients = dict[int, float]
# The conversion whose figures are those at parity times the country's price.
MARKET = "market"


@dataclass
class Contributions:
    """A respondent's contributions to a period of a block, by codes.

    Attributes:
        country: the respondent's.
    """

    holding: str
    country: str
    values: dict[Codes, float]
    own: dict[Codes, float | None]
    waived: dict[Codes, bool]


def split_contributions(
    contribution: pl.DataFrame, homes: Mapping[tuple[str, str], Sequence[Codes]]
) -> dict[object, dict[tuple[str, str], Contributions]]:
    """Contributions by block, and in it by period and respondent."""
    found: dict[object, dict[tuple[str, str], Contributions]] = defaultdict(dict)
    columns = (
        "table_name", "channel_code", "series", "period_code", "respondent_id", "holding_id", "country_code",
        "contribution", "own_subscriptions", "is_waived",
    )  # fmt: skip
    for table, channel, series, period, person, holding, country, value, own, waived in contribution.select(
        columns
    ).rows():
        codes = tuple(series.split("/"))
        for block in homes.get((table, series), ()):
            of_block = found[table, channel, block]
            figures = of_block.setdefault((period, person), Contributions(holding, country, {}, {}, {}))
            figures.values[codes] = float(value)
            figures.own[codes] = own
            figures.waived[codes] = bool(waived)
    return found


def list_factors(
    figures: Iterable[Mapping[tuple[str, str], Contributions]], shape: Shape, prices: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """List each country's factors between codes that are multiples of another: market prices over parity,
    from any respondent's positive figures.

    Args:
        prices: for countries where everybody gave nothing.
    """
    found = {country: {MARKET: price} for country, price in prices.items()}
    for column, (first, *others) in shape.multiples.items():
        at = shape.columns.index(column)
        for each in (each for of_release in figures for each in of_release.values()):
            for codes, value in each.values.items():
                basis = each.values.get(replace_code(codes, at, first), 0.0)
                if codes[at] in others and basis > 0:
                    found.setdefault(each.country, {})[codes[at]] = value / basis
    return found


def express_versions(
    unknowns: Unknowns,
    figures: Sequence[Mapping[tuple[str, str], Contributions]],
    periods: Container[str],
    shape: Shape,
    factors: Mapping[str, Mapping[str, float]],
) -> tuple[dict[tuple[int, str, str], dict[Codes, Coefficients]], list[Coefficients]]:
    """The expression of each contribution by release, period and respondent, and equations between versions:
    differences that are zero. Parts come before what they are the sum of.

    Args:
        factors: of list_factors().
    """
    found: dict[tuple[int, str, str], dict[Codes, Coefficients]] = {}
    seen: dict[tuple[str, str], list[tuple[dict[Codes, float], dict[Codes, Coefficients]]]] = defaultdict(
        list
    )
    links: list[Coefficients] = []
    for number, of_release in enumerate(figures):
        for (period, person), each in sorted(
            of_release.items(), key=lambda item: (-len(item[0][0]), item[0])
        ):
            if period not in periods:
                continue
            before = seen[period, person]
            of_country = factors.get(each.country, {})
            same = extend_version(before, each.values, shape, of_country)
            if same is None:
                same = add_up_parts(found, number, period, person, each.values, unknowns) or express_figures(
                    unknowns, person, period, each.values, shape, of_country
                )
                for codes, value in each.values.items():
                    older = next(
                        (terms for values, terms in reversed(before) if values.get(codes) == value), None
                    )
                    if older is not None:
                        links.append(sum_terms([(older[codes], 1.0), (same[codes], -1.0)]))
                before.append((each.values, same))
            found[number, period, person] = same
    without_zeros = ({atom: by for atom, by in link.items() if by} for link in links)
    return found, [link for link in without_zeros if link]


def list_orders(
    figures: Sequence[Mapping[tuple[str, str], Contributions]],
    terms: Mapping[tuple[int, str, str], Mapping[Codes, Coefficients]],
    shape: Shape,
) -> list[Coefficients]:
    """List the differences of two figures of a respondent that are never negative, by chains and codes within
    others, but could be by its unknowns alone: such as what was attempted less what was received, where the
    first is a sum of parts."""
    found: dict[tuple[tuple[int, float], ...], Coefficients] = {}
    for (number, period, person), of in terms.items():
        values = figures[number][period, person].values
        for codes in values:
            for above in codes_above(codes, shape.columns, shape.chains, shape.within):
                # Of a chain the next: what is above that is above this one, too.
                for other in [each for each in above if values.get(each, -1.0) >= values[codes]][:1]:
                    more = sum_terms([(of[other], 1.0), (of[codes], -1.0)])
                    if min(more.values(), default=0.0) < -NEAR:
                        found[tuple(sorted(more.items()))] = more
    return list(found.values())


def extend_version(
    before: Sequence[tuple[Mapping[Codes, float], dict[Codes, Coefficients]]],
    values: Mapping[Codes, float],
    shape: Shape,
    factors: Mapping[str, float],
) -> dict[Codes, Coefficients] | None:
    """The expression of figures as an earlier version has them, with those that came since and are sums of
    these; None where none has them all."""
    for older, terms in before:
        if any(values.get(codes) != value for codes, value in older.items()):
            continue
        made = dict(terms)
        for codes in values.keys() - older.keys():
            parts = split_figure(codes, values, shape, factors)
            if not all(part in terms for part, _ in parts):
                break
            made[codes] = sum_terms((terms[part], by) for part, by in parts)
        else:
            return made
    return None


def add_up_parts(
    found: Mapping[tuple[int, str, str], Mapping[Codes, Coefficients]],
    number: int,
    period: str,
    person: str,
    values: Mapping[Codes, float],
    unknowns: Unknowns,
) -> dict[Codes, Coefficients] | None:
    """The contributions of a year or quarter as the sums of its parts'; None where they are not.

    Args:
        found: by number of the release, period and person, the expression of each figure.
        number: of the release.
        values: the figures of the year or quarter, by codes.
    """
    for names in reversed(period_divisions(period)):
        parts = [found.get((number, name, person), {}) for name in names]
        if not all(set(values) <= set(part) for part in parts):
            continue
        made = {codes: sum_terms((part[codes], 1.0) for part in parts) for codes in values}
        if all(
            math.isclose(unknowns.sum_atoms(terms), values[codes], rel_tol=1e-9, abs_tol=0.5)
            for codes, terms in made.items()
        ):
            return made
    return None


def sum_terms(parts: Iterable[tuple[Coefficients, float]]) -> Coefficients:
    """The sum of expressions, each times a factor."""
    found: Coefficients = defaultdict(float)
    for terms, by in parts:
        for atom, factor in terms.items():
            found[atom] += by * factor
    return dict(found)
