"""Unknowns of an attack: contributions are sums of atoms, numbers of which an attacker only knows that none
is negative.

An atom is the traffic of one kind: what the same figures count, such as recipients that are undecided under a
narrow definition of spam and certain under a wider one. Figures that count a kind are closed upwards: where
certain spam counts a message, possible spam does, and all units. So certain <= possible <= units, and narrow
<= wide, need no constraint. Codes that add up, known multiples, figures that do not depend on a code, and
years that are the sum of their quarters become expressions over the same atoms. Whatever does not hold of an
operator's own figures is not used for it.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from types import MappingProxyType
from typing import TypeVar

from jobs.base.tables.series import Shape

Codes = tuple[str, ...]
T = TypeVar("T", str, tuple[str, ...])
# Sums of amounts differ from their total by rounding.
NEAR = 1e-6
# Codes of the two shares of a mixture.
FIRST, SECOND = "first share", "second share"
NO_FACTORS: Mapping[str, float] = MappingProxyType({})


@dataclass
class Unknowns:
    """Atoms of a block: the respondent of each, its true value, and its name."""

    owner: list[str] = field(default_factory=list)
    truth: list[float] = field(default_factory=list)
    key: list[tuple[str, str, str]] = field(default_factory=list)

    def add_atom(self, respondent: str, value: float, period: str, name: str) -> int:
        self.owner.append(respondent)
        self.truth.append(max(value, 0.0))
        self.key.append((respondent, period, name))
        return len(self.truth) - 1

    def drop_atoms(self, kept: int) -> None:
        """Drop the atoms that were added after so many."""
        for each in (self.owner, self.truth, self.key):
            del each[kept:]

    def sum_atoms(self, terms: Mapping[int, float]) -> float:
        return sum(factor * self.truth[atom] for atom, factor in terms.items())


def express_figures(
    unknowns: Unknowns,
    respondent: str,
    period: str,
    values: Mapping[Codes, float],
    shape: Shape,
    factors: Mapping[str, float] = NO_FACTORS,
) -> dict[Codes, dict[int, float]]:
    """Each of a respondent's contributions to a period as atoms with factors; adds the atoms.

    Args:
        factors: as split_figure() takes them.
    """
    for relations, chains in list_relations(shape):
        found = try_relations(unknowns, respondent, period, values, relations, chains, factors)
        if found is not None:
            return found
    raise AssertionError("figures without any relation are always atoms of their own")


def list_relations(shape: Shape) -> list[tuple[Shape, dict[str, list[str]]]]:
    """The relations to try: all; without codes within others; the first chain alone; then none."""
    chains = list(shape.chains.items())
    plain = replace(shape, within={})
    some = [(plain, dict(chains[:count])) for count in range(len(chains), -1, -1)]
    return [*([(shape, dict(chains))] if shape.within else []), *some, (Shape(shape.columns), {})]


def try_relations(
    unknowns: Unknowns,
    respondent: str,
    period: str,
    values: Mapping[Codes, float],
    shape: Shape,
    chains: Mapping[str, list[str]],
    factors: Mapping[str, float],
) -> dict[Codes, dict[int, float]] | None:
    """The expressions under these chains; None where an operator's own figures break them.

    Args:
        unknowns: takes the atoms; none is left there where the answer is None.
        values: the respondent's figures of the period, by codes.
        chains: the chains of codes that are tried, by column.
        factors: as split_figure() takes them.
    """
    values = add_mixture_shares(values, shape)
    parts = {codes: split_figure(codes, values, shape, factors) for codes in values}
    base = {codes: values[codes] for codes, of in parts.items() if of == [(codes, 1.0)]}
    # The codes of the first chain, and those within others, order figures of one traffic. Each step of other
    # chains is traffic of its own.
    ordered, steps = dict(list(chains.items())[:1]), dict(list(chains.items())[1:])
    own = {
        codes: sum(sign * base[below] for sign, below in signed_corners(codes, base, shape.columns, steps))
        for codes in base
    }
    near = NEAR * max(max(map(abs, values.values()), default=0.0), 1.0)
    stands = {codes: of[0][0] for codes, of in parts.items() if len(of) == 1 and of[0][1] == 1}
    order = order_codes(base, stands, shape, ordered)
    kept = len(unknowns.truth)
    number: dict[Codes, list[int]] = defaultdict(list)
    for joined in dict.fromkeys(join_pairs(codes, order) for codes in base):
        amounts = split_amounts({codes: own[codes] for codes in joined}, order, near)
        if amounts is None:
            unknowns.drop_atoms(kept)
            return None
        for kind, amount in amounts.items():
            atom = unknowns.add_atom(respondent, amount, period, " ".join("/".join(codes) for codes in kind))
            for codes in kind:
                number[codes].append(atom)
    found: dict[Codes, dict[int, float]] = {}
    for codes in values:
        below = (
            (under, factor)
            for part, factor in parts[codes]
            for under in codes_under(part, base, shape.columns, steps)
        )
        found[codes] = add_terms((atom, factor) for under, factor in below for atom in number[under])
        if not is_near(unknowns.sum_atoms(found[codes]), values[codes]):
            unknowns.drop_atoms(kept)
            return None
    return found


def add_terms(terms: Iterable[tuple[int, float]]) -> dict[int, float]:
    """The factor of each atom, those of one added up."""
    found: dict[int, float] = {}
    for atom, factor in terms:
        found[atom] = found.get(atom, 0.0) + factor
    return found


def join_pairs(one: T, pairs: Iterable[tuple[T, T]]) -> tuple[T, ...]:
    """List the codes that pairs join to one, itself included, in order."""
    found, left = {one}, set(pairs)
    while more := {pair for pair in left if found & set(pair)}:
        found, left = found.union(*more), left - more
    return tuple(sorted(found))


def order_codes(
    base: Collection[Codes], stands: Mapping[Codes, Codes], shape: Shape, chains: Mapping[str, list[str]]
) -> frozenset[tuple[Codes, Codes]]:
    """Pairs of codes of which the first has at most the second's figure.

    Args:
        stands: of figures that are another one's, whose.
    """
    found = set()
    for codes in base:
        above = itertools.chain(*codes_above(codes, shape.columns, chains, shape.within))
        found |= {(codes, stands[other]) for other in above if other in stands}
    return frozenset(found)


def codes_above(
    codes: Codes,
    columns: Sequence[str],
    chains: Mapping[str, list[str]],
    within: Mapping[str, Sequence[tuple[str, str]]],
) -> list[list[Codes]]:
    """List the codes whose figures are at least that of one: of each chain in order, of each code that it is
    within alone."""
    found = []
    for column, chain in chains.items():
        at = columns.index(column)
        found.append([replace_code(codes, at, code) for code in list_after(codes[at], chain)])
    for column, pairs in within.items():
        at = columns.index(column)
        found += [[replace_code(codes, at, wide)] for narrow, wide in pairs if narrow == codes[at]]
    return found


def list_after(code: str, chain: Sequence[str]) -> Sequence[str]:
    return chain[chain.index(code) + 1 :] if code in chain else ()


def split_amounts(
    figures: Mapping[Codes, float], order: frozenset[tuple[Codes, Codes]], near: float
) -> dict[tuple[Codes, ...], float] | None:
    """Split figures into the amount of each kind of traffic. None where figures break their order by more
    than rounding."""
    mine = frozenset(pair for pair in order if pair[0] in figures)
    if min(figures.values()) < -near or any(figures[one] > figures[other] + near for one, other in mine):
        return None
    amounts = dict.fromkeys(list_kinds(tuple(figures), mine), 0.0)
    before = 0.0
    for level in sorted({value for value in figures.values() if value > 0}):
        kind = tuple(codes for codes, value in figures.items() if value >= level)
        # Rounding alone makes a level that is no kind.
        if kind in amounts:
            amounts[kind] += level - before
            before = level
    return amounts


@cache
def list_kinds(
    codes: tuple[Codes, ...], order: frozenset[tuple[Codes, Codes]]
) -> tuple[tuple[Codes, ...], ...]:
    """The sets of codes that have, with each code, those above it; but the empty one."""
    above = {each: {each} for each in codes}
    for _ in codes:
        for one, other in order:
            above[one] |= above[other]
    found: set[frozenset[Codes]] = {frozenset()}
    for each in codes:
        found |= {kind | above[each] for kind in found}
    return tuple(sorted(tuple(each for each in codes if each in kind) for kind in found if kind))


def add_mixture_shares(values: Mapping[Codes, float], shape: Shape) -> dict[Codes, float]:
    """The values, and of mixtures the two shares: what has the same figure in the mixture as in the first
    code, and what has that of the second."""
    found = dict(values)
    for column, mixtures in shape.between.items():
        at = shape.columns.index(column)
        for codes, value in values.items():
            if codes[at] not in mixtures:
                continue
            one, other = (values.get(replace_code(codes, at, code), 0.0) for code in mixtures[codes[at]])
            if one <= 0 or is_near(one, other):
                continue
            first = (value - other) / (1 - other / one)
            if -NEAR * one <= first <= one * (1 + NEAR):
                found[replace_code(codes, at, FIRST)] = min(max(first, 0.0), one)
                found[replace_code(codes, at, SECOND)] = one - min(max(first, 0.0), one)
    return found


def split_figure(
    codes: Codes, values: Mapping[Codes, float], shape: Shape, factors: Mapping[str, float] = NO_FACTORS
) -> list[tuple[Codes, float]]:
    """The figures that a figure is the sum of: itself, the parts of a total, a multiple of another figure, or
    the same figure under another code.

    Args:
        factors: of codes that are multiples the factor, for figures of nothing, whose own factor is 0/0.
            Without it a price in two currencies would be two unknowns.
    """
    for at in shared_places(codes, shape):
        others = sorted(other for other in values if replace_code(other, at, codes[at]) == codes)
        first = next(other for other in others if is_near(values[other], values[codes]))
        if first != codes:
            return split_figure(first, values, shape, factors)
    for column, totals in shape.sums.items():
        at = shape.columns.index(column)
        if codes[at] in totals:
            of = [replace_code(codes, at, part) for part in totals[codes[at]]]
            of = [part for part in of if part in values]
            if of and is_near(sum(values[part] for part in of), values[codes]):
                return [each for part in of for each in split_figure(part, values, shape, factors)]
    for column, mixtures in shape.between.items():
        at = shape.columns.index(column)
        first, second = replace_code(codes, at, FIRST), replace_code(codes, at, SECOND)
        for mixed, (one, other) in mixtures.items():
            if codes[at] in (one, other, mixed) and first in values:
                by = values[replace_code(codes, at, other)] / values[replace_code(codes, at, one)]
                shares = {one: (1.0, 1.0), other: (by, by), mixed: (1.0, by)}[codes[at]]
                return list(zip((first, second), shares, strict=True))
    for column, multiples in shape.multiples.items():
        at = shape.columns.index(column)
        if codes[at] in multiples[1:]:
            basis = replace_code(codes, at, multiples[0])
            value = values.get(basis)
            factor = None
            if value is not None and value > 0:
                factor = values[codes] / value
            elif value == values[codes] == 0:
                factor = factors.get(codes[at])
            if factor is not None:
                return [(part, factor * by) for part, by in split_figure(basis, values, shape, factors)]
    return [(codes, 1.0)]


def shared_places(codes: Codes, shape: Shape) -> list[int]:
    """The places of a figure's codes that make no difference for it."""
    return [
        shape.columns.index(column)
        for column, others in shape.same.items()
        if any(codes[shape.columns.index(other)] in of for other, of in others.items())
    ]


def replace_code(codes: Codes, at: int, code: str) -> Codes:
    return (*codes[:at], code, *codes[at + 1 :])


def is_near(one: float, other: float) -> bool:
    return abs(one - other) <= NEAR * max(abs(one), abs(other), 1.0)


def chain_levels(
    codes: Codes, base: Mapping[Codes, float], columns: Sequence[str], chains: Mapping[str, list[str]]
) -> list[list[str]]:
    """List, by chain, the codes that stand at or below this one's, as far as every combination has them."""
    found = []
    for column, chain in chains.items():
        at = columns.index(column)
        if codes[at] not in chain:
            found.append([codes[at]])
            continue
        below = chain[: chain.index(codes[at]) + 1]
        found.append([code for code in below if replace_code(codes, at, code) in base])
    return found


def codes_under(
    codes: Codes, base: Mapping[Codes, float], columns: Sequence[str], chains: Mapping[str, list[str]]
) -> list[Codes]:
    """The codes whose own traffic a figure counts: its own and those below it."""
    places = [columns.index(column) for column in chains]
    found = []
    for combination in itertools.product(*chain_levels(codes, base, columns, chains)):
        other = codes
        for at, code in zip(places, combination, strict=True):
            other = replace_code(other, at, code)
        found.append(other)
    return [each for each in found if each in base]


def signed_corners(
    codes: Codes, base: Mapping[Codes, float], columns: Sequence[str], chains: Mapping[str, list[str]]
) -> list[tuple[int, Codes]]:
    """The signed figures whose sum is what a figure has beyond those just below it in each chain."""
    places = [columns.index(column) for column in chains]
    choices = []
    for at, mine in zip(places, chain_levels(codes, base, columns, chains), strict=True):
        choices.append([(1, codes[at])] + ([(-1, mine[-2])] if len(mine) > 1 else []))
    found = []
    for combination in itertools.product(*choices):
        sign, other = 1, codes
        for at, (each, code) in zip(places, combination, strict=True):
            sign, other = sign * each, replace_code(other, at, code)
        if other in base:
            found.append((sign, other))
    return found
