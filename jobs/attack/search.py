"""The search: for each contribution both ends of the interval that an attacker can compute, by linear
programs.

A contribution is found if an end of its interval is within p% of the truth. Whatever other contributions
would give the same published figures shows that it is not: each such point clears every attacker that has
nothing in it that changed. So most pairs of attacker and target need no program of their own:

- a target that may change by p% alone, within the rounding of all figures, is clear;
- so is one whose change operators with the same coefficients can make up, whoever of them attacks;
- a program's solution clears all but the attackers whose own figures it changed, and they are asked one by
  one.

An operator's figures may be anything that is not negative; no other belief is ascribed to an attacker.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import highspy
import numpy as np

from jobs.attack.known import Finding, KnownRelease, PublishedCell
from jobs.attack.program import build_program
from jobs.attack.projections import place_atoms, project_changes, smallest_changes
from jobs.attack.system import Array, ProtectedTarget, System, build_systems
from jobs.core.series import Shape

LOW, HIGH = "low", "high"
SIDES = (LOW, HIGH)
NOBODY = ""
# Of the row's size; and how much of an atom's size a change is.
FEASIBLE, CHANGED = 1e-7, 1e-6
# So many times its size an atom may be: it only keeps programs bounded.
MOST = 1e6
WORKERS = 2
# Of the size of a row: a class is wider, a rounded figure narrower.
NARROW = 0.05


def attack_releases(
    releases: Sequence[KnownRelease],
    shapes: Mapping[str, Shape],
    p_pct: float,
    again: Collection[Finding] | None = None,
) -> list[Finding]:
    """Everything that anyone finds from these releases, within p_pct percent.

    again: what was found before figures were dropped. Dropping gives nobody more, so that those contributions
    alone are sought; all without it.
    """
    blocks = None if again is None else {(each.table_name, each.channel_code) for each in again}
    sought = {(each.channel_code, each.period_code, each.series, each.respondents) for each in again or ()}
    searches = []
    for each in build_systems(releases, shapes, blocks):
        targets = [
            target
            for target in each.targets
            if again is None
            or (each.channel, target.period_code, target.series, target.respondents) in sought
        ]
        searches.append(BlockSearch(replace(each, targets=tuple(targets)), p_pct))
    # Solver and linear algebra leave the interpreter free; blocks have nothing in common.
    with ThreadPoolExecutor(WORKERS) as pool:
        return [finding for found in pool.map(BlockSearch.findings, searches) for finding in found]


@dataclass
class SearchCount:
    """What a search did: pairs of attacker, target and side, and the programs that they took."""

    targets: int = 0
    pairs: int = 0
    programs: int = 0


class BlockSearch:
    """The search in one block. Numbers are divided by the size of their atom."""

    def __init__(self, system: System, p_pct: float) -> None:
        self.system, self.p = system, p_pct / 100
        of_person: dict[str, float] = defaultdict(float)
        for (person, _, _), value in zip(system.keys, system.truth, strict=True):
            of_person[person] = max(of_person[person], float(value))
        typical = np.array([of_person[person] for person, _, _ in system.keys])
        self.size = np.maximum(np.maximum(system.truth, 1e-3 * typical), 1e-9)
        self.truth = system.truth / self.size
        rows = system.matrix * self.size
        norm = np.where([cell is None for cell in system.rows], np.abs(rows).max(axis=1, initial=0.0), 1.0)
        self.rows = rows / np.where(norm > 0, norm, 1.0)[:, None]
        now = self.rows @ self.truth
        self.above, self.below = system.high - now, now - system.low
        if len(now) and min(self.above.min(), self.below.min()) < -FEASIBLE:
            at = int(np.argmin(np.minimum(self.above, self.below)))
            raise AssertionError(f"{system.rows[at]} is not what its contributions add up to")
        self.above, self.below = np.maximum(self.above, 0.0), np.maximum(self.below, 0.0)
        self.people = sorted({person for person, _, _ in system.keys})
        self.place = {person: at for at, person in enumerate(self.people)}
        self.person = np.array([self.place[person] for person, _, _ in system.keys], dtype=int)
        self.knowers = self.known_by()
        self.count = SearchCount()
        self.model: highspy.Highs | None = None

    def known_by(self) -> list[frozenset[str]]:
        """Of each operator the holdings that have seen its figures."""
        found: list[frozenset[str]] = [frozenset()] * len(self.people)
        for at, holders in zip(self.person, self.system.holding, strict=True):
            found[at] = holders
        return found

    # --- what needs no program ------------------------------------------------------------------------

    def findings(self) -> list[Finding]:
        """What anyone finds in this block."""
        pending = self.pending()
        self.count.targets = len(self.system.targets)
        found: list[Finding] = []
        while pending:
            (number, side), attackers = pending.popitem()
            found += self.asked(number, side, attackers, pending)
        return found

    def pending(self) -> dict[tuple[int, str], set[str]]:
        """The targets and sides that are not clear without a program, with the attackers to ask."""
        everyone = {NOBODY, *self.system.owners}
        self.alone, partners = self.effects(), self.alike()
        pending: dict[tuple[int, str], set[str]] = {}
        for number, target in enumerate(self.system.targets):
            whose = [self.place[name] for name in target.respondents]
            knowers = frozenset[str]().union(*(self.knowers[at] for at in whose))
            attackers = everyone - knowers
            self.count.pairs += 2 * len(attackers)
            effect = self.p * self.effects_of(whose)
            for side, sign in ((HIGH, 1.0), (LOW, -1.0)):
                # Nobody has less than nothing: that a figure is not negative was known before.
                if side == LOW and target.value <= 0:
                    continue
                if self.is_inside(sign * effect if target.value > 0 else self.one_more(target)):
                    continue
                left = attackers
                if len(whose) == 1 and target.value > 0:
                    left = attackers & self.unequalled(whose[0], side, partners)
                if left:
                    pending[number, side] = set(left)
        return self.after_projections(pending)

    def after_projections(self, pending: dict[tuple[int, str], set[str]]) -> dict[tuple[int, str], set[str]]:
        """What is left of pending once everyone but the attacker made up for each change.

        For atoms of each name apart, P projects on the changes that leave every narrow row as it is; the
        smallest of those with a change of p% in one figure is p P[:, t] / P[t, t], in proportion to figures.
        Where none of them becomes negative, and wide rows hold, the point clears this attacker.
        """
        groups = sorted({self.system.targets[number].respondents for number, _ in pending})
        people = [[self.place[name] for name in group] for group in groups]
        wide = self.rows[self.above + self.below >= NARROW]
        names = {
            name: (
                atoms,
                project_changes(base, wide[:, atoms] * self.truth[atoms]),
                place_atoms(self.person[atoms], people),
            )
            for name, (atoms, base) in self.bases().items()
        }
        above, below = (each[self.above + self.below >= NARROW, None] for each in (self.above, self.below))
        pairs = [key for key in pending if self.system.targets[key[0]].value > 0]
        place = {group: at for at, group in enumerate(groups)}
        of = np.array([place[self.system.targets[number].respondents] for number, _ in pairs], dtype=int)
        is_high = np.array([side == HIGH for _, side in pairs], dtype=bool)[:, None]
        is_other = ~self.has_names([number for number, _ in pairs], list(names))
        for attacker in sorted(set[str]().union(*pending.values())):
            free = np.array([attacker not in knowers for knowers in self.knowers])
            fits = {side: np.ones((len(names), len(groups)), dtype=bool) for side in SIDES}
            effect = {side: np.zeros((len(wide), len(groups))) for side in SIDES}
            for at, (atoms, base, own) in enumerate(names.values()):
                change, moved = smallest_changes(~free[self.person[atoms]], base, own, self.p)
                fits[HIGH][at] = change.min(axis=0, initial=0.0) >= -1
                fits[LOW][at] = change.max(axis=0, initial=0.0) <= 1
                moved = np.nan_to_num(moved)
                effect[HIGH] += np.maximum(moved, 0.0)
                effect[LOW] += np.maximum(-moved, 0.0)
            is_wide = ((effect[HIGH] <= above) & (effect[LOW] <= below)).all(axis=0)
            is_wide_down = ((effect[LOW] <= above) & (effect[HIGH] <= below)).all(axis=0)
            fits[HIGH] &= is_wide
            fits[LOW] &= is_wide_down
            fit = np.where(is_high, fits[HIGH].T[of], fits[LOW].T[of]) | is_other
            for pair in np.flatnonzero(fit.all(axis=1)):
                pending[pairs[pair]].discard(attacker)
        return {key: attackers for key, attackers in pending.items() if attackers}

    def has_names(self, numbers: Sequence[int], names: Sequence[object]) -> Array:
        """Which names the atoms of each of these targets have: targets x names."""
        place = {name: at for at, name in enumerate(names)}
        found = np.zeros((len(numbers), len(names)), dtype=bool)
        for row, number in enumerate(numbers):
            own = {self.system.keys[atom][1:] for atom, _ in self.system.targets[number].terms}
            found[row, [place[name] for name in own if name in place]] = True
        return found

    def bases(self) -> dict[object, tuple[Array, Array]]:
        """For each name of atoms its atoms, and what narrow rows make of their true figures, without rows
        that say the same. Whether a change fits wide ones is seen afterwards."""
        names: dict[object, list[int]] = defaultdict(list)
        for atom in np.flatnonzero(self.truth > 0):
            names[self.system.keys[atom][1:]].append(int(atom))
        found = {}
        for name, mine in names.items():
            atoms = np.array(mine)
            rows = self.rows[self.above + self.below < NARROW][:, atoms] * self.truth[atoms]
            rows = rows[np.abs(rows).max(axis=1) > 0]
            _, strength, base = np.linalg.svd(rows, full_matrices=False)
            kept = strength > 1e-11 * strength.max(initial=0.0)
            found[name] = (atoms, base[kept])
        return found

    def effects_of(self, people: Sequence[int]) -> Array:
        found: Array = self.alone[:, people].sum(axis=1)
        return found

    def effects(self) -> Array:
        """What each operator's figures make of each row: rows x operators."""
        of = np.zeros((len(self.truth), len(self.people)))
        of[np.arange(len(self.truth)), self.person] = self.truth
        found: Array = self.rows @ of
        return found

    def one_more(self, target: ProtectedTarget) -> Array:
        """What a unit more of a target makes of each row. Of a contribution of nothing an attacker must not
        find that it is less than one."""
        atom, factor = max(target.terms, key=lambda term: term[1])
        found: Array = self.rows[:, atom] / (self.size[atom] * factor)
        return found

    def is_inside(self, change: Array) -> bool:
        return bool((change <= self.above + 1e-12).all() and (-change <= self.below + 1e-12).all())

    def alike(self) -> dict[int, list[int]]:
        """Operators that have the same coefficients in every row: of each, those and itself."""
        columns = self.system.matrix
        groups: dict[object, list[int]] = defaultdict(list)
        atoms = [np.flatnonzero(self.person == at) for at in range(len(self.people))]
        self.atoms = [sorted(mine, key=lambda atom: self.system.keys[atom][1:]) for mine in atoms]
        for at, mine in enumerate(self.atoms):
            names = tuple(self.system.keys[atom][1:] for atom in mine)
            largest = np.abs(columns).max(axis=1, initial=0.0)
            shape = np.round(columns[:, mine] / np.where(largest > 0, largest, 1.0)[:, None], 10) + 0.0
            groups[names, shape.tobytes()].append(at)
        return {at: members for members in groups.values() for at in members}

    def unequalled(self, person: int, side: str, partners: Mapping[int, list[int]]) -> set[str]:
        """The attackers that leave too little to operators with the same coefficients to make up for a change
        of p% in this one's figures. To make up for a higher figure theirs must be large enough to be
        lower."""
        others = [at for at in partners[person] if at != person]
        if not others:
            return {NOBODY, *self.system.owners}
        mine = self.p * self.system.truth[self.atoms[person]]
        theirs = np.array([self.system.truth[self.atoms[at]] for at in others])
        left = set()
        for attacker in {NOBODY}.union(*(self.knowers[at] for at in others)):
            free = np.array([attacker not in self.knowers[at] for at in others])
            if not free.any() or (side == HIGH and (theirs[free].sum(axis=0) < mine).any()):
                left.add(attacker)
        if NOBODY in left:
            return {NOBODY, *self.system.owners}
        return left

    # --- programs -------------------------------------------------------------------------------------

    def asked(
        self, number: int, side: str, attackers: set[str], pending: dict[tuple[int, str], set[str]]
    ) -> list[Finding]:
        """Ask programs for one end of a target's interval, first without any attacker's own figures.
        Solutions clear other targets, too."""
        target = self.system.targets[number]
        found = []
        cells, point = self.end(target, side, NOBODY)
        if not self.is_clear(target, side, point):
            return [self.finding(target, side, NOBODY, cells)]
        moved = self.moved(point)
        self.clear(point, moved, pending)
        left = attackers & moved
        while left:
            attacker = min(left)
            left.discard(attacker)
            cells, point = self.end(target, side, attacker)
            if self.is_clear(target, side, point):
                moved = self.moved(point)
                self.clear(point, moved, pending)
                left &= moved
            else:
                found.append(self.finding(target, side, attacker, cells))
        return found

    def moved(self, point: Array) -> set[str]:
        """The holdings that would see that a point is not the truth."""
        people = np.unique(self.person[np.abs(point - self.truth) > CHANGED])
        return set[str]().union(*(self.knowers[at] for at in people))

    def is_clear(self, target: ProtectedTarget, side: str, point: Array) -> bool:
        atoms = [atom for atom, _ in target.terms]
        value = float(np.array([by for _, by in target.terms]) @ (point * self.size)[atoms])
        if target.value <= 0:
            return value >= 1 - FEASIBLE
        ratio = value / target.value
        return ratio >= 1 + self.p if side == HIGH else ratio <= 1 - self.p

    def clear(self, point: Array, moved: set[str], pending: dict[tuple[int, str], set[str]]) -> None:
        """Strike the attackers that a point clears off the targets that it moves far enough."""
        for (number, side), attackers in list(pending.items()):
            if self.is_clear(self.system.targets[number], side, point):
                attackers &= moved
                if not attackers:
                    del pending[number, side]

    def end(
        self, target: ProtectedTarget, side: str, attacker: str
    ) -> tuple[tuple[PublishedCell, ...], Array]:
        """The end of the target's interval, as the point where it is, and the figures that hold it there."""
        model = self.program()
        own = self.system.owners[attacker] if attacker else np.array([], dtype=int)
        atoms = np.array([atom for atom, _ in target.terms], dtype=np.int32)
        weights = np.array([by for _, by in target.terms]) * self.size[atoms]
        weights = weights / weights.max()
        cost = weights if side == LOW else -weights
        model.changeColsCost(len(atoms), atoms, cost)
        self.fix(model, own, self.truth[own], self.truth[own])
        model.run()
        self.count.programs += 1
        status = model.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            # A warm start may end where rounding errors leave no way on: from the beginning there is one.
            model.clearSolver()
            model.run()
            status = model.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            raise AssertionError(f"the program ended as {model.modelStatusToString(status)}")
        solution = model.getSolution()
        point, dual = np.array(solution.col_value), np.array(solution.row_dual)
        model.changeColsCost(len(atoms), atoms, np.zeros(len(atoms)))
        self.fix(model, own, np.zeros(len(own)), np.full(len(own), MOST))
        cells = {
            cell
            for cell, price in zip(self.system.rows, dual, strict=True)
            if cell is not None and abs(price) > 1e-9
        }
        return tuple(sorted(cells, key=repr)), point

    @staticmethod
    def fix(model: highspy.Highs, atoms: Array, low: Array, high: Array) -> None:
        if len(atoms):
            model.changeColsBounds(len(atoms), atoms.astype(np.int32), low, high)

    def program(self) -> highspy.Highs:
        """The block's linear program, built once: afterwards costs and bounds change alone."""
        if self.model is None:
            now = self.rows @ self.truth
            self.model = build_program(self.rows, now - self.below, now + self.above, MOST)
        return self.model

    def finding(
        self, target: ProtectedTarget, side: str, attacker: str, cells: Iterable[PublishedCell]
    ) -> Finding:
        return Finding(
            attacker, target.holding, target.respondents, self.system.table, target.period_code,
            self.system.channel, target.series, side, tuple(cells),
        )  # fmt: skip
