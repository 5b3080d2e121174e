"""The equations of an attack: published figures as bounds on sums of unknowns.

Series that share operators' figures (quantities, units that contain each other, components and their total)
form a block, over all periods and releases.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.sparse import csc_array, csr_array, vstack

from jobs.base.core.periods import months_of, period_divisions
from jobs.base.tables.series import VOLUME, Shape
from jobs.study.attack.coefficients import Linear, compute_coefficients
from jobs.study.attack.cones import Cone, build_cone
from jobs.study.attack.known import (
    ADMINISTRATION,
    ESTIMATE,
    SILENT_PCT,
    VARIANCE,
    KnownRelease,
    PublishedCell,
)
from jobs.study.attack.unknowns import Codes, Unknowns, join_pairs, replace_code, shared_places
from jobs.study.attack.versions import (
    Coefficients,
    Contributions,
    express_versions,
    list_factors,
    list_orders,
    split_contributions,
    sum_terms,
)

Array = np.ndarray
# A release by its number, a period and a series.
Series = tuple[int, str, str]
LAST = 0.01


@dataclass(frozen=True)
class ProtectedTarget:
    """A contribution that is to be protected: of one operator, or of a holding's operators together."""

    holding: str
    respondents: tuple[str, ...]
    period_code: str
    series: str
    terms: tuple[tuple[int, float], ...]
    value: float


@dataclass(frozen=True)
class System:
    """A block's equations over its atoms: low <= matrix @ atoms <= high, atoms >= 0.

    Attributes:
        owners: of each holding, and of each country's administration, the atoms that it has seen.
        holding: of each atom the names of these.
        rows: the published figure behind each equation, None for one between figures of a respondent.
        cones: of published variances.
    """

    table: str
    channel: str
    truth: Array
    keys: tuple[tuple[str, str, str], ...]
    matrix: csc_array
    low: Array
    high: Array
    rows: tuple[PublishedCell | None, ...]
    owners: Mapping[str, Array]
    holding: tuple[frozenset[str], ...]
    targets: tuple[ProtectedTarget, ...]
    cones: tuple[Cone, ...]


def build_systems(releases: Sequence[KnownRelease], shapes: Mapping[str, Shape]) -> Iterator[System]:
    """The system of each block that anything was published of."""
    linear: dict[object, Linear] = {}
    blocks: dict[tuple[str, str, Codes], dict[Series, list[dict[str, object]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    homes = find_homes(releases, shapes)
    is_own = set()
    for number, known in enumerate(releases):
        for row in known.published.sort(pl.all()).to_dicts():
            table, series = str(row["table_name"]), str(row["series"])
            for codes in homes[table, series]:
                block = (table, str(row["channel_code"]), codes)
                blocks[block][number, str(row["period_code"]), series].append(row)
            if VOLUME not in series.split("/"):
                is_own.add((table, str(row["channel_code"]), homes[table, series][0]))
    parts = [split_contributions(known.contribution, homes) for known in releases]
    for block, published in sorted(blocks.items()):
        if block not in is_own:
            continue
        shape = shapes[block[0]].add_volumes()
        yield build_system(releases, [part.get(block, {}) for part in parts], block, published, shape, linear)


def find_homes(
    releases: Sequence[KnownRelease], shapes: Mapping[str, Shape]
) -> dict[tuple[str, str], list[Codes]]:
    """The blocks of each table's series: its own, and where its figures are those of other codes, too, that
    of each of them. Volumes are in the blocks of their parts."""
    every = {
        pair
        for known in releases
        for rows in (known.published, known.contribution)
        for pair in rows.select("table_name", "series").unique().rows()
        if pair[0] in shapes
    }
    beside = {(table, series) for table, series in every if VOLUME in series.split("/")}
    own = {(table, series): find_block(series, shapes[table]) for table, series in sorted(every - beside)}
    found = {
        (table, series): sorted(
            {
                block
                for (name, other), block in own.items()
                if name == table and find_volume(other, volumes) == find_volume(series, volumes)
            }
        )
        for table, series in beside
        if (volumes := shapes[table].volumes) is not None
    }
    for (table, series), block in own.items():
        found[table, series] = [block]
        for at in shared_places(tuple(series.split("/")), shapes[table]):
            others = {other for (name, _), other in own.items() if name == table and other != block}
            found[table, series] += sorted(
                other for other in others if replace_code(other, at, block[at]) == block
            )
    return found


def find_block(series: str, shape: Shape) -> Codes:
    """The block of a series: its codes, without those that hang together."""
    codes = series.split("/")
    found = []
    for column, code in zip(shape.columns, codes, strict=True):
        chained = shape.chains.get(column, [])
        summed = [each for total, of in shape.sums.get(column, {}).items() for each in (total, *of)]
        multiple = [*shape.multiples.get(column, []), *shape.between.get(column, {})]
        nested = join_pairs(code, shape.within.get(column, ()))
        linked = next((each for each in (chained, summed, multiple) if code in each), nested)
        found.append("+".join(linked))
    return tuple(found)


def find_volume(series: str, volumes: Shape) -> Codes:
    """The block of what a series is a part of, or stands for. Volumes by definitions of which neither is
    within the other have all traffic in common, and are not held beside each other's parts."""
    return find_block("/".join(series.split("/")[: len(volumes.columns)]), volumes)


def build_system(
    releases: Sequence[KnownRelease],
    figures: Sequence[Mapping[tuple[str, str], Contributions]],
    block: tuple[str, str, Codes],
    published: Mapping[Series, list[dict[str, object]]],
    shape: Shape,
    linear: dict[object, Linear],
) -> System:
    """The system of a block.

    Args:
        figures: of each release.
        linear: coefficients that were computed before.
    """
    channel = block[1]
    unknowns = Unknowns()
    periods = complete_periods({period for _, period, _ in published})
    prices = {country: price for known in releases for country, price in known.world.prices.items()}
    wrong = [
        f"{person} contributed {value} to {period} {'/'.join(codes)}"
        for of_release in figures
        for (period, person), each in of_release.items()
        for codes, value in each.values.items()
        if not 0 <= value < math.inf
    ]
    if wrong:
        raise AssertionError(f"{wrong[0]}: that is no amount")
    multiples = list_factors(figures, shape, prices)
    terms, links = express_versions(unknowns, figures, periods, shape, multiples)
    orders = list_orders(figures, terms, shape)
    count = len(unknowns.truth)
    matrix = [gather_terms([*links, *orders], count)]
    low, high = [0.0] * (len(links) + len(orders)), [0.0] * len(links) + [math.inf] * len(orders)
    cells: list[PublishedCell | None] = [None] * len(low)
    behind: dict[Series, list[str]] = {}
    groups: set[tuple[Series, tuple[str, ...]]] = set()
    cones: list[Cone] = []
    for of, rows in published.items():
        number, period, series = of
        codes = tuple(series.split("/"))
        model = find_coefficients(
            releases[number],
            number,
            list_respondents(figures[number], period, codes),
            channel,
            period,
            linear,
        )
        own = [terms[number, period, person][codes] for person in model.respondents]
        gathered = gather_terms(own, count)
        equations = []
        for row in rows:
            area = str(row["area_code"])
            if row["form"] == VARIANCE:
                name = PublishedCell(releases[number].release, block[0], period, channel, series, area)
                cones.append(build_cone(name, float(str(row["value"])), model, gathered))
                continue
            weights, inside = model.get_weights(area), model.find_members(area)
            for least, most, factors in write_equations(row, weights, inside):
                equations.append(factors)
                low.append(least)
                high.append(most)
                cells.append(PublishedCell(releases[number].release, block[0], period, channel, series, area))
            members = tuple(name for name, is_in in zip(model.respondents, inside, strict=True) if is_in)
            groups.add((of, members))
        matrix.append(csr_array(np.reshape(equations, (-1, len(own)))) @ gathered)
        is_behind = np.any(equations, axis=0)
        behind[of] = [name for name, is_in in zip(model.respondents, is_behind, strict=True) if is_in]
    add_unpublished(behind, groups, terms)
    known_to: dict[str, set[str]] = defaultdict(set)
    for of_release in figures:
        for (_, person), each in of_release.items():
            known_to[person] |= {each.holding, ADMINISTRATION.format(each.country)}
    owners: dict[str, list[int]] = defaultdict(list)
    for atom, person in enumerate(unknowns.owner):
        for holding in known_to[person]:
            owners[holding].append(atom)
    return System(
        block[0],
        channel,
        np.array(unknowns.truth),
        tuple(unknowns.key),
        csc_array(vstack(matrix)),
        np.array(low),
        np.array(high),
        tuple(cells),
        {holding: np.array(atoms) for holding, atoms in sorted(owners.items())},
        tuple(frozenset(known_to[name]) for name in unknowns.owner),
        list_targets(figures, terms, behind, groups, unknowns),
        tuple(cones),
    )


def add_unpublished(
    behind: dict[Series, list[str]],
    groups: set[tuple[Series, tuple[str, ...]]],
    terms: Mapping[tuple[int, str, str], Mapping[Codes, Coefficients]],
) -> None:
    """Add to the published figures those that were not published and are made of what these are made of: a
    part that stayed is its whole less the parts that left. It is sought as they are."""
    respondents: dict[tuple[int, str], set[str]] = defaultdict(set)
    seen: dict[tuple[int, str], set[int]] = defaultdict(set)
    for (number, period, name), members in behind.items():
        codes = tuple(name.split("/"))
        respondents[number, period].update(members)
        for person in members:
            seen[number, period].update(terms[number, period, person][codes])
    added: dict[Series, list[str]] = defaultdict(list)
    for (number, period), everyone in respondents.items():
        for person in sorted(everyone):
            for codes, of in terms[number, period, person].items():
                series = (number, period, "/".join(codes))
                if of and series not in behind and seen[number, period].issuperset(of):
                    added[series].append(person)
    places = {(number, period, people) for (number, period, _), people in groups}
    groups |= {
        (series, people)
        for series, own in added.items()
        for number, period, people in places
        if series[:2] == (number, period) and set(people) <= set(own)
    }
    behind |= added


def gather_terms(rows: Sequence[Coefficients], count: int) -> csr_array:
    """Sums of atoms as rows of a matrix."""
    starts = np.cumsum([0, *map(len, rows)])
    entries = [entry for terms in rows for entry in terms.items()]
    atoms, factors = zip(*entries, strict=True) if entries else ((), ())
    return csr_array((np.array(factors, dtype=float), np.array(atoms, dtype=int), starts), (len(rows), count))


def complete_periods(wanted: set[str]) -> set[str]:
    """The periods, with the quarters of years, and all months of a period of which a month is among them."""
    quarters = {part for period in wanted if len(period) == 4 for part in period_divisions(period)[-1]}
    of_months = (months_of(period) for period in wanted | quarters)
    return wanted | quarters | {month for months in of_months if wanted & set(months) for month in months}


def list_respondents(
    figures: Mapping[tuple[str, str], Contributions], period: str, codes: Codes
) -> dict[str, float | None]:
    """The respondents of a series and period with the subscriptions that each gave."""
    return {
        person: each.own[codes]
        for (of, person), each in figures.items()
        if of == period and codes in each.values
    }


def find_coefficients(
    known: KnownRelease,
    number: int,
    own: dict[str, float | None],
    channel: str,
    period: str,
    linear: dict[object, Linear],
) -> Linear:
    key = (number, channel, period, frozenset(own.items()))
    if key not in linear:
        linear[key] = compute_coefficients(known.world, own, channel, period)
    return linear[key]


def write_equations(
    row: Mapping[str, object], weights: Array, inside: Array
) -> list[tuple[float, float, Array]]:
    """Return the equations of a published number: low <= factors @ contributions <= high, divided by its
    size."""
    if row["form"] == ESTIMATE:
        value, digits = float(str(row["value"])), int(str(row["digits"]))
        # The study's own figures have two decimals before they are rounded again.
        half = LAST / 2 + (0.5 * 10.0 ** (math.floor(math.log10(value)) - digits + 1) if value else 0.0)
        size = max(value, LAST)
        return [((value - half) / size, (value + half) / size, weights / size)]
    assert row["form"] == SILENT_PCT
    # reported = (1 - s) estimate, with s between the edges of its class.
    scale, infinite = float(str(row["value"])) or 1.0, math.inf
    found = []
    for edge, is_low in ((row["low"], True), (row["high"], False)):
        if edge is None:
            continue
        factors = (inside - (1 - float(str(edge)) / 100) * weights) / scale
        bounds = (-infinite, 0.0) if is_low else (0.0, infinite)
        # Contributions are never negative, so that some say nothing.
        if (factors > 0).any() and (factors < 0).any():
            found.append((*bounds, factors))
    return found


def list_targets(
    figures: Sequence[Mapping[tuple[str, str], Contributions]],
    terms: Mapping[tuple[int, str, str], Mapping[Codes, Coefficients]],
    behind: Mapping[Series, Sequence[str]],
    groups: set[tuple[Series, tuple[str, ...]]],
    unknowns: Unknowns,
) -> tuple[ProtectedTarget, ...]:
    """List whose contributions are sought: those of each operator behind a published figure, and of each
    holding's operators in an area together. Who waived is no target."""
    found: dict[tuple[object, ...], ProtectedTarget] = {}

    def add_target(number: int, period: str, series: str, holding: str, people: tuple[str, ...]) -> None:
        codes = tuple(series.split("/"))
        if all(figures[number][period, person].waived[codes] for person in people):
            return
        whole = sum_terms((terms[number, period, person][codes], 1.0) for person in people)
        key = tuple(sorted(whole.items()))
        found[key] = ProtectedTarget(holding, people, period, series, key, unknowns.sum_atoms(whole))

    for (number, period, series), people in behind.items():
        for person in people:
            add_target(number, period, series, figures[number][period, person].holding, (person,))
    for (number, period, series), members in sorted(groups):
        of_holding: dict[str, list[str]] = defaultdict(list)
        for person in members:
            of_holding[figures[number][period, person].holding].append(person)
        for holding, own in of_holding.items():
            if len(own) > 1:
                add_target(number, period, series, holding, tuple(sorted(own)))
    return tuple(found.values())
