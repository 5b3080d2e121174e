"""Unknowns of an attack: contributions as sums of atoms, numbers of which only is known that none is
negative.

Certain spam, undecided and other messages are atoms, so that certain <= possible <= units needs no
constraint. Codes that add up, known multiples and years that are the sum of their quarters become expressions
over the same atoms. Whatever does not hold of an operator's own figures is not used for it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jobs.core.series import Shape

Codes = tuple[str, ...]
# Sums of amounts differ from their total by rounding.
NEAR = 1e-6
# Codes of the two shares of a mixture.
FIRST, SECOND = "first share", "second share"


@dataclass
class Unknowns:
    """Atoms of a block: the respondent of each, its true value, and its name."""

    owner: list[str] = field(default_factory=list)
    truth: list[float] = field(default_factory=list)
    key: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, respondent: str, value: float, period: str, name: str) -> int:
        self.owner.append(respondent)
        self.truth.append(max(value, 0.0))
        self.key.append((respondent, period, name))
        return len(self.truth) - 1

    def forget(self, kept: int) -> None:
        """Drop the atoms that were added after so many."""
        for each in (self.owner, self.truth, self.key):
            del each[kept:]

    def value(self, terms: Mapping[int, float]) -> float:
        return sum(factor * self.truth[atom] for atom, factor in terms.items())


def express_figures(
    unknowns: Unknowns, respondent: str, period: str, values: Mapping[Codes, float], shape: Shape
) -> dict[Codes, dict[int, float]]:
    """Each of a respondent's contributions to a period as atoms with factors; adds the atoms."""
    for relations, chains in list_relations(shape):
        found = try_relations(unknowns, respondent, period, values, relations, chains)
        if found is not None:
            return found
    raise AssertionError("figures without any relation are always atoms of their own")


def list_relations(shape: Shape) -> list[tuple[Shape, dict[str, list[str]]]]:
    """The relations to try: all; the first chain alone; then none."""
    chains = list(shape.chains.items())
    some = [(shape, dict(chains[:count])) for count in range(len(chains), -1, -1)]
    return [*some, (Shape(shape.columns), {})]


def try_relations(
    unknowns: Unknowns,
    respondent: str,
    period: str,
    values: Mapping[Codes, float],
    shape: Shape,
    chains: Mapping[str, list[str]],
) -> dict[Codes, dict[int, float]] | None:
    """The expressions under these chains; None where an operator's own figures break them."""
    values = with_shares(values, shape)
    base = base_values(values, shape)
    sizes = max(map(abs, values.values()), default=0.0)
    atoms: dict[Codes, float] = {}
    for codes in base:
        total = 0.0
        for sign, below in signed_corners(codes, base, shape.columns, chains):
            total += sign * base[below]
        if total < -NEAR * max(sizes, 1.0):
            return None
        atoms[codes] = total
    kept = len(unknowns.truth)
    number = {
        codes: unknowns.add(respondent, value, period, "/".join(codes)) for codes, value in atoms.items()
    }
    found: dict[Codes, dict[int, float]] = {}
    for codes in values:
        terms: dict[int, float] = {}
        for part, factor in split_figure(codes, values, shape):
            for below in atoms_under(part, base, shape.columns, chains):
                terms[number[below]] = terms.get(number[below], 0.0) + factor
        found[codes] = terms
        if not is_near(unknowns.value(terms), values[codes]):
            unknowns.forget(kept)
            return None
    return found


def base_values(values: Mapping[Codes, float], shape: Shape) -> dict[Codes, float]:
    """Of the values those that others do not follow from."""
    return {
        codes: value
        for codes, value in values.items()
        if [each for each, _ in split_figure(codes, values, shape)] == [codes]
    }


def with_shares(values: Mapping[Codes, float], shape: Shape) -> dict[Codes, float]:
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


def split_figure(codes: Codes, values: Mapping[Codes, float], shape: Shape) -> list[tuple[Codes, float]]:
    """What a figure is the sum of: itself, or the parts of a total, or a multiple of another."""
    for column, totals in shape.sums.items():
        at = shape.columns.index(column)
        if codes[at] in totals:
            of = [replace_code(codes, at, part) for part in totals[codes[at]]]
            of = [part for part in of if part in values]
            if of and is_near(sum(values[part] for part in of), values[codes]):
                return [each for part in of for each in split_figure(part, values, shape)]
    for column, mixtures in shape.between.items():
        at = shape.columns.index(column)
        first, second = replace_code(codes, at, FIRST), replace_code(codes, at, SECOND)
        for mixed, (one, other) in mixtures.items():
            if codes[at] in (one, other, mixed) and first in values:
                by = values[replace_code(codes, at, other)] / values[replace_code(codes, at, one)]
                factors = {one: (1.0, 1.0), other: (by, by), mixed: (1.0, by)}[codes[at]]
                return list(zip((first, second), factors, strict=True))
    for column, multiples in shape.multiples.items():
        at = shape.columns.index(column)
        if codes[at] in multiples[1:]:
            basis = replace_code(codes, at, multiples[0])
            if basis in values and values[basis] > 0:
                factor = values[codes] / values[basis]
                return [(part, factor * by) for part, by in split_figure(basis, values, shape)]
    return [(codes, 1.0)]


def replace_code(codes: Codes, at: int, code: str) -> Codes:
    return (*codes[:at], code, *codes[at + 1 :])


def is_near(one: float, other: float) -> bool:
    return abs(one - other) <= NEAR * max(abs(one), abs(other), 1.0)


def chain_levels(
    codes: Codes, base: Mapping[Codes, float], columns: Sequence[str], chains: Mapping[str, list[str]]
) -> list[list[str]]:
    """For each chain the codes that stand at or below this one's, as far as every combination has them."""
    found = []
    for column, chain in chains.items():
        at = columns.index(column)
        if codes[at] not in chain:
            found.append([codes[at]])
            continue
        below = chain[: chain.index(codes[at]) + 1]
        found.append([code for code in below if replace_code(codes, at, code) in base])
    return found


def atoms_under(
    codes: Codes, base: Mapping[Codes, float], columns: Sequence[str], chains: Mapping[str, list[str]]
) -> list[Codes]:
    """The atoms that a figure is the sum of: its own and those of all figures below it."""
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
    """The signed figures whose sum is an atom: what a figure has beyond those just below it in each chain."""
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
