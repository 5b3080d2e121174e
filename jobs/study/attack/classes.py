"""Classes of contributions that have the same coefficients in every published figure and variance.

A linear program has one unknown for each class, the sum of its contributions: any of them may be all of that
sum. Sums are divided by the size of their class.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_array, csr_array, diags_array, vstack

from jobs.study.attack.cones import Cones
from jobs.study.attack.system import Array, ProtectedTarget, System

TINY = 1e-300


@dataclass(frozen=True)
class View:
    """The sums that some attackers have not seen: by class, with the number of contributions in each."""

    mass: Array
    count: Array


@dataclass(frozen=True)
class Known:
    """Sums that several attackers have seen: an entry for each attacker and each class of which it has seen
    something.

    Attributes:
        attacker, of_class: of each entry.
        mass, count: the sum that it has seen, and of how many contributions.
        among: how many attackers there are.
    """

    attacker: Array
    of_class: Array
    mass: Array
    count: Array
    among: int

    def find_knowing(self, entries: Array) -> Array:
        """Return a mask of the attackers that have any of these entries."""
        return np.bincount(self.attacker[entries], minlength=self.among) > 0


class Classes:
    """The classes of a block.

    Attributes:
        of_atom: the class of each atom.
        size: the size of each class.
        rows: the equations over classes, each times its scale.
        cones: those of published variances, over classes.
    """

    def __init__(self, system: System) -> None:
        self.truth = system.truth
        # Of a variance each operator's figures have rows of their own, so that they share no class.
        every = [system.matrix, *(cone.figures for cone in system.cones)]
        self.of_atom, first = group_columns(csc_array(vstack(every)))
        of_person: dict[str, float] = defaultdict(float)
        for (person, _, _), value in zip(system.keys, system.truth, strict=True):
            of_person[person] = max(of_person[person], float(value))
        # A class of nothing has a thousandth of the size of its operators, and at least that of one unit.
        self.size = np.maximum(np.bincount(self.of_atom, self.truth), 1.0)
        typical = np.array([of_person[person] for person, _, _ in system.keys])
        np.maximum.at(self.size, self.of_atom, 1e-3 * typical)
        rows = system.matrix[:, first] @ diags_array(self.size)
        # Equations between figures of a respondent have no size of their own.
        largest = np.maximum(abs(rows).max(axis=1).toarray(), TINY)
        self.scale = np.where([cell is None for cell in system.rows], 1 / largest, 1.0)
        self.rows = csc_array(diags_array(self.scale) @ rows)
        self.cones = Cones(system.cones, system.truth, first, self.size)

    def build_view(self, seen: Array) -> View:
        """Return what remains unknown to an attacker who knows these atoms."""
        unseen = np.ones(len(self.truth), dtype=bool)
        unseen[seen] = False
        of, count = self.of_atom[unseen], len(self.size)
        mass = np.bincount(of, self.truth[unseen], count) / self.size
        return View(mass, np.bincount(of, minlength=count))

    def list_known(self, seen: Sequence[Array]) -> Known:
        """List what attackers know who have seen these atoms."""
        attacker = np.repeat(np.arange(len(seen)), [len(atoms) for atoms in seen])
        atoms = np.concatenate([np.zeros(0, dtype=int), *seen])
        entry, of_entry = np.unique(attacker * len(self.size) + self.of_atom[atoms], return_inverse=True)
        who, of_class = np.divmod(entry, len(self.size))
        mass = np.bincount(of_entry, self.truth[atoms], len(entry)) / self.size[of_class]
        return Known(who, of_class, mass, np.bincount(of_entry, minlength=len(entry)), len(seen))


def group_columns(matrix: csc_array) -> tuple[Array, Array]:
    """The class of each column, of columns with the same entries; and one column of each class."""
    largest = np.maximum(abs(matrix).max(axis=1).toarray(), TINY)
    entries = csc_array(diags_array(1 / largest) @ matrix)
    entries.data = entries.data.round(10)
    entries.eliminate_zeros()
    entries.sort_indices()
    classes: dict[tuple[bytes, bytes], list[int]] = defaultdict(list)
    for at, (start, end) in enumerate(zip(entries.indptr, entries.indptr[1:], strict=False)):
        classes[entries.indices[start:end].tobytes(), entries.data[start:end].tobytes()].append(at)
    found = np.zeros(matrix.shape[1], dtype=int)
    for number, columns in enumerate(classes.values()):
        found[columns] = number
    return found, np.array([columns[0] for columns in classes.values()], dtype=int)


class TargetParts:
    """The shares of targets in classes: a part for each class of a target, in the order of targets.

    Attributes:
        starts: the first part of each target.
        target, of_class: the target and the class of each part.
        own: the true sum of each part, in the size of its class.
        least, most: the smallest and the largest factor of a part's atoms, times that size.
        count: how many atoms a part has.
    """

    def __init__(self, targets: Sequence[ProtectedTarget], classes: Classes) -> None:
        parts = []
        for number, target in enumerate(targets):
            of_class: dict[int, list[tuple[int, float]]] = defaultdict(list)
            for atom, factor in target.terms:
                of_class[int(classes.of_atom[atom])].append((atom, factor))
            for at, terms in of_class.items():
                own = sum(float(classes.truth[atom]) for atom, _ in terms)
                factors = [factor for _, factor in terms]
                parts.append((number, at, own, min(factors), max(factors), len(terms)))
        columns = np.array(parts, dtype=float).reshape(-1, 6).T
        self.target, self.of_class, self.count = columns[[0, 1, 5]].astype(int)
        size = classes.size[self.of_class]
        self.own, self.least, self.most = columns[2] / size, columns[3] * size, columns[4] * size
        self.starts = np.searchsorted(self.target, np.arange(len(targets) + 1))

    def find_touched(self, classes: Array) -> Array:
        """Return a mask of the targets in any of these classes."""
        found: Array = np.logical_or.reduceat(classes[self.of_class], self.starts[:-1])
        return found

    def list_factors(self, side: Array, target: Array, view: View) -> csr_array:
        """List the factors with which targets are at most (side 0) or at least (side 1) the content of their
        classes: pairs of side and target x classes."""
        lengths = self.starts[target + 1] - self.starts[target]
        starts = np.cumsum([0, *lengths])
        parts = np.arange(starts[-1]) + np.repeat(self.starts[target] - starts[:-1], lengths)
        of_class = self.of_class[parts]
        least = self.least[parts] * (view.count[of_class] == self.count[parts])
        factors = np.where(np.repeat(side, lengths) == 0, self.most[parts], least)
        return csr_array((factors, of_class, starts), shape=(len(target), len(view.mass)))

    def compute_ends(self, view: View, change: Array, of: slice) -> tuple[Array, Array]:
        """The most and the least that targets are at a point. At most a target is all that is in its classes,
        at least all of those that nobody else is in."""
        starts = self.starts[of.start : of.stop + 1]
        parts = slice(starts[0], starts[-1])
        of_class = self.of_class[parts]
        free = (view.mass + change)[of_class]
        is_alone = view.count[of_class] == self.count[parts]
        at = starts[:-1] - starts[0]
        most = np.add.reduceat(self.most[parts] * free, at)
        return most, np.add.reduceat(self.least[parts] * free * is_alone, at)
