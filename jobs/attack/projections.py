"""Smallest changes of contributions that leave published figures as they are, by projections."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Projection:
    """The projection on changes that leave narrow rows as they are, and what it makes of wide rows."""

    atoms: Array
    wide: Array


def project_changes(base: Array, wide: Array) -> Projection:
    """base: an orthonormal basis of the narrow rows. wide: rows over the same atoms."""
    atoms = np.eye(base.shape[1]) - base.T @ base
    return Projection(atoms, wide @ atoms)


def place_atoms(person: Array, people: Sequence[Sequence[int]]) -> Array:
    """The places of the atoms of each group of operators: a row for each group, filled up with -1. person:
    of each atom its operator."""
    of_person: dict[int, list[int]] = defaultdict(list)
    for at, operator in enumerate(person):
        of_person[int(operator)].append(at)
    groups = [[at for each in group for at in of_person.get(each, ())] for group in people]
    found = np.full((len(groups), max(map(len, groups), default=0)), -1)
    for row, own in enumerate(groups):
        found[row, : len(own)] = own
    return found


def smallest_changes(is_seen: Array, of: Projection, members: Array, p: float) -> tuple[Array, Array]:
    """The smallest changes in proportion that leave rows as they are and what the attacker has seen, one
    column for each group of operators whose figures change by p%; and what they make of wide rows. Not a
    number where there are none, zero where a group has no such figure.

    Changes that leave some atoms alone are projected on by P - P[:, a] P[a, a]^+ P[a, :].
    """
    seen = np.flatnonzero(is_seen)
    inverse = np.linalg.pinv(of.atoms[np.ix_(seen, seen)], rcond=1e-10, hermitian=True)
    taken = inverse @ of.atoms[seen]
    atoms, wide = (each - each[:, seen] @ taken for each in (of.atoms, of.wide))
    found = np.zeros((len(atoms), len(members)))
    moved = np.zeros((len(wide), len(members)))
    is_own = (members >= 0) & ~is_seen[members]
    sizes = is_own.sum(axis=1)
    # Groups of one size together.
    for size in sorted(set(sizes.tolist()) - {0}):
        columns = np.flatnonzero(sizes == size)
        own = members[columns][is_own[columns]].reshape(len(columns), size)
        inside = atoms[own[:, :, None], own[:, None, :]]
        is_free = np.linalg.eigvalsh(inside)[:, 0] >= 1e-7
        part = np.full(own.shape, np.nan)
        goal = np.full((int(is_free.sum()), size, 1), p)
        part[is_free] = np.linalg.solve(inside[is_free], goal)[:, :, 0]
        found[:, columns] = sum(atoms[:, own[:, at]] * part[:, at] for at in range(size))
        moved[:, columns] = sum(wide[:, own[:, at]] * part[:, at] for at in range(size))
    return found, moved
