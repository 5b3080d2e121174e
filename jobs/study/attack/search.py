"""The search: for each contribution both ends of the interval that an attacker can compute, by linear
programs.

A contribution is found if an end of its interval is within p% of the truth. Any other contributions that
give the same published figures show that it is not. For nearly all pairs of attacker and target a projection
shows that such contributions exist, and clears them (jobs/study/attack/projection.py). Only what is left is
asked alone, by programs. The point where one ends was checked against every row and every published variance,
and clears all targets of the same operators that it moves far enough. A variance is no linear constraint:
where a point breaks one, it is sought again with tangents of it.

An operator's figures may be anything that is not negative; no other belief is ascribed to an attacker.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from threadpoolctl import threadpool_limits

from jobs.base.core.machine import usable_cores
from jobs.base.tables.series import Shape
from jobs.study.attack.classes import Classes, TargetParts, View
from jobs.study.attack.known import Finding, KnownRelease, PublishedCell
from jobs.study.attack.linear_program import FEASIBLE, PRICED, Program
from jobs.study.attack.projection import Moves, Projection
from jobs.study.attack.system import Array, System, build_systems

SIDES = HIGH, LOW = "high", "low"
NOBODY = ""
# So many times its size a class may rise: it only keeps programs bounded.
MOST = 1e6
# How much farther than p% targets are to move, against rounding.
MORE = 1.0001


class Attack:
    """The attack on all releases, within p_pct percent."""

    def __init__(self, releases: Sequence[KnownRelease], shapes: Mapping[str, Shape], p_pct: float) -> None:
        self.searches = [BlockSearch(system, p_pct) for system in build_systems(releases, shapes)]

    def find_all(self) -> list[Finding]:
        """Everything that anyone finds; asked again, what of that is still found.

        Blocks are searched beside each other: HiGHS and BLAS let other threads of Python run. BLAS has no
        threads of its own meanwhile, which would wait for each other more than they compute.
        """
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(usable_cores()) as pool:
            return [finding for found in pool.map(BlockSearch.find_all, self.searches) for finding in found]

    def drop_figures(self, release: str, cells: Collection[tuple[str, ...]]) -> None:
        """Drop figures of a release: nobody finds more then.

        Args:
            cells: table, period, channel, series and area.
        """
        for search in self.searches:
            search.drop_figures(release, cells)

    def drop_variances(self, release: str, series: Collection[tuple[str | None, ...]]) -> None:
        """Drop variances of a release: table, period, channel and series."""
        for search in self.searches:
            search.drop_variances(release, series)


@dataclass(frozen=True)
class Found:
    """A finding, the pairs that it is of, and the figures and variances that prove it: while they stay, so
    does it. None where programs leave it open."""

    finding: Finding
    attackers: Array
    side: int
    target: int
    proof: frozenset[PublishedCell] | None


class BlockSearch:
    """The search in one block.

    Attributes:
        pairs: the number of pairs, of attacker, target and side, that it has to decide.
    """

    def __init__(self, system: System, p_pct: float) -> None:
        self.system = system
        self.classes = Classes(system)
        scale = self.classes.scale
        now = system.matrix @ system.truth
        low, high = scale * (system.low - now), scale * (system.high - now)
        if len(now) and max(low.max(), -high.min()) > FEASIBLE:
            at = int(np.argmax(np.maximum(low, -high)))
            raise AssertionError(f"{system.rows[at]} is not what its contributions add up to")
        self.program = Program(self.classes.rows, np.minimum(low, 0.0), np.maximum(high, 0.0))
        self.attackers = [NOBODY, *system.owners]
        self.seen = [np.array([], dtype=int), *system.owners.values()]
        self.known = self.classes.list_known(self.seen)
        # All targets of the same operators follow each other.
        self.targets = sorted(system.targets, key=lambda target: target.respondents)
        self.parts = TargetParts(self.targets, self.classes)
        operators = [target.respondents for target in self.targets]
        self.group = np.cumsum([0, *(one != other for one, other in pairwise(operators))])
        value = np.array([target.value for target in self.targets])
        self.p = p_pct / 100
        # Of a contribution of nothing an attacker must not find that it is less than one.
        step = np.where(value > 0, self.p * value, 1 - FEASIBLE)
        # Sides x targets: as far as a point has to move a target, and a little farther, against rounding.
        self.goals, self.beyond = (np.array([value + by * step, value - by * step]) for by in (1, MORE))
        # Attackers x sides x targets.
        self.pending = np.repeat(~self.is_known(operators)[:, None], 2, axis=1)
        # Nobody has less than nothing: that a figure is not negative was known before.
        self.pending[:, SIDES.index(LOW), value <= 0] = False
        self.pairs = int(self.pending.sum())
        self.was_asked = False
        self.found: list[Found] = []
        # What was dropped since it was asked.
        self.gone: set[PublishedCell] = set()

    def view_of(self, attacker: int) -> View:
        """Sums not seen by an attacker. All views together would take most of the memory of a release."""
        return self.classes.build_view(self.seen[attacker])

    def is_known(self, operators: Sequence[tuple[str, ...]]) -> Array:
        """Attackers x targets: who has seen figures of some of a target's operators."""
        holders = dict(zip((person for person, _, _ in self.system.keys), self.system.holding, strict=True))
        groups = dict.fromkeys(operators)
        seen = [frozenset[str]().union(*map(holders.__getitem__, group)) for group in groups]
        found: Array = np.array([[name in holdings for holdings in seen] for name in self.attackers])
        return found[:, self.group]

    def find_all(self) -> list[Finding]:
        """Return the findings of all attackers on the pending pairs, and leave pending what they find.

        What is asked again was found before, and is no longer proved: a projection clears hardly any of it.
        """
        if not self.was_asked and self.pending.any():
            self.clear_free()
        self.was_asked = True
        kept = [each for each in self.found if each.proof is not None and not each.proof & self.gone]
        for each in kept:
            self.pending[each.attackers, each.side, each.target] = False
        self.gone.clear()
        self.found = [*kept, *self.ask_alone()]
        for each in kept:
            self.pending[each.attackers, each.side, each.target] = True
        return [each.finding for each in self.found]

    def drop_figures(self, release: str, cells: Collection[tuple[str, ...]]) -> None:
        """Drop figures of a release, as Attack does."""
        for row, cell in enumerate(self.system.rows):
            if cell is not None and cell.release == release and cell.name in cells:
                self.program.relax_row(row)
                self.gone.add(cell)

    def drop_variances(self, release: str, series: Collection[tuple[str | None, ...]]) -> None:
        """Drop variances of a release, as Attack does."""
        for names in series:
            self.gone.update(self.classes.cones.drop(release, names))

    # --- all targets together -------------------------------------------------------------------------

    def clear_free(self) -> None:
        """Clear the pairs whose target surely moves far enough."""
        anyone, asked = self.view_of(0), np.flatnonzero(self.pending.any(axis=0))
        self.scale, sums, most = self.classes.cones.limit_moves(anyone.mass)
        projection = Projection(self.program, self.scale * anyone.mass, sums, most)
        of_anyone = self.measure_moves(projection, asked, anyone)
        for attacker, pending in enumerate(self.pending):
            view = self.view_of(attacker)
            weights = projection.weigh_seen(self.scale * view.mass)
            is_short = np.zeros(pending.size, dtype=bool)
            is_short[of_anyone.numbers] = of_anyone.find_short(weights)
            # Who has seen nothing of a target's classes has the same factors and lacks as anyone.
            is_touched = self.parts.find_touched(view.count < anyone.count)
            own = asked[is_touched[asked % len(self.targets)]]
            if len(own):
                mine = self.measure_moves(projection, own, view)
                is_short[own] = False
                is_short[mine.numbers] = mine.find_short(weights)
            pending &= is_short.reshape(pending.shape)

    def measure_moves(self, projection: Projection, numbers: Array, view: View) -> Moves:
        """Measure how far targets surely move.

        Args:
            numbers: of pairs of side and target; those that are at their goal where nothing changes are left
                out.
        """
        side, target = np.divmod(numbers, len(self.targets))
        factors = self.parts.list_factors(side, target, view)
        lack = (self.beyond[side, target] - factors @ view.mass) * np.where(side == SIDES.index(HIGH), 1, -1)
        lacks = np.flatnonzero(lack > 0)
        return Moves(
            numbers[lacks], lack[lacks], *projection.project_targets(factors[lacks], self.scale * view.mass)
        )

    # --- each target alone ----------------------------------------------------------------------------

    def ask_alone(self) -> Iterator[Found]:
        """Ask for each target and side that is pending what the end of its interval is: of all attackers
        together, who know more than any of them; then as anyone, since a point that leaves what an attacker
        has seen as it is stands for that attacker, too; then of halves of those that are left, at last of
        each."""
        found = np.zeros_like(self.pending)
        for side, target in np.argwhere(self.pending.any(axis=0)).tolist():
            same = slice(*np.searchsorted(self.group, [self.group[target], self.group[target] + 1]))
            # Who is to be asked together, and how many of them failed together.
            asked = [(np.flatnonzero(self.pending[:, side, target]), 0)]
            is_last = False
            while asked:
                some, failed = asked.pop()
                some = some[self.pending[some, side, target]]
                if not len(some):
                    continue
                if len(some) == failed > 1:
                    half = len(some) // 2
                    asked += [(some[half:], 0), (some[:half], 0)]
                    continue
                view = self.classes.build_view(np.concatenate([self.seen[at] for at in some]))
                point, cells, proof = self.solve_end(side, target, view, is_last or len(some) == 1)
                is_last = True
                self.clear_pairs(some, view, point, same)
                left = some[self.pending[some, side, target]]
                if not some.any() and not len(left):
                    self.clear_others(point, side, target, same)
                if len(some) > 1:
                    # As anyone first: what anyone finds is asked of nobody else.
                    others = left[left > 0]
                    asked += [(others, len(others)), (left[left == 0], 0)]
                elif len(left):
                    also = some if some[0] else np.flatnonzero(self.pending[:, side, target])
                    found[also, side, target] = True
                    self.pending[also, side, target] = False
                    yield Found(self.make_finding(side, target, some[0], cells), also, side, target, proof)
        self.pending = found

    def clear_pairs(self, attackers: Array | int, view: View, point: Array, targets: slice) -> None:
        """Clear pairs of these attackers and targets that are far enough at a point within their view."""
        most, least = self.parts.compute_ends(view, point, targets)
        self.pending[attackers, 0, targets] &= most < self.goals[0, targets]
        self.pending[attackers, 1, targets] &= least > self.goals[1, targets]

    def clear_others(self, point: Array, side: int, target: int, targets: slice) -> None:
        """Clear pairs of all whose own contributions a point that is possible for anyone leaves as they are.

        Args:
            targets: those of the target's operators.
        """
        anyone, known, move = self.view_of(0), self.known, point[self.known.of_class]
        is_all = known.count == anyone.count[known.of_class]
        is_broken = (-move > anyone.mass[known.of_class] - known.mass + FEASIBLE) | (
            is_all & (move > FEASIBLE)
        )
        of_targets = np.zeros(len(point), dtype=bool)
        of_targets[self.parts.of_class[slice(*self.parts.starts[[targets.start, targets.stop]])]] = True
        pending = self.pending[:, side, target] & ~known.find_knowing(is_broken)
        # Who has seen nothing of these targets' classes has the same ends as anyone.
        is_touched = known.find_knowing(of_targets[known.of_class])
        self.clear_pairs(np.flatnonzero(pending & ~is_touched), anyone, point, targets)
        for attacker in np.flatnonzero(pending & is_touched).tolist():
            self.clear_pairs(attacker, self.view_of(attacker), point, targets)

    @staticmethod
    def bound_moves(view: View) -> Array:
        """Bound how far classes may rise and fall. Nobody has less than nothing."""
        return np.concatenate([np.where(view.count > 0, MOST, 0.0), view.mass])

    def solve_end(
        self, side: int, target: int, view: View, is_last: bool = True
    ) -> tuple[Array, tuple[PublishedCell, ...], frozenset[PublishedCell] | None]:
        """A point where the target is at the end of its interval, or far enough from the truth; the figures
        that hold it there; and all that proves that they do, as Found has it.

        Args:
            is_last: as find_change() takes it.
        """
        part = slice(*self.parts.starts[target : target + 2])
        of_class = self.parts.of_class[part]
        gain = np.zeros(len(self.classes.size))
        if SIDES[side] == HIGH:
            gain[of_class], goal = self.parts.most[part], self.beyond[side, target]
        else:
            is_alone = view.count[of_class] == self.parts.count[part]
            gain[of_class], goal = -self.parts.least[part] * is_alone, -self.beyond[side, target]
        # Nothing moves what is far enough already, such as the least of a target that is nowhere alone.
        scale = abs(gain).max() or 1.0
        enough = max((goal - gain @ view.mass) / scale, 0.0)
        gains = np.concatenate([gain, -gain]) / scale
        cones = self.classes.cones
        solved = self.program.find_change(gains, self.bound_moves(view), enough, cones, is_last)
        if solved is None:
            raise AssertionError("a program's solution breaks its rows")
        point, prices, holding, is_proved = solved
        cells = {
            cell
            for cell, price in zip(self.system.rows, prices, strict=True)
            if cell is not None and abs(price) > PRICED
        }
        variances = [cones.cones[at].cell for at in holding]
        # Of each release the first: without it, the attack is asked again.
        first = {cell.release: cell for cell in reversed(variances)}
        proof = frozenset([*cells, *variances]) if is_proved else None
        return point, tuple(sorted(cells | set(first.values()), key=repr)), proof

    def make_finding(
        self, side: int, target: int, attacker: int, cells: tuple[PublishedCell, ...]
    ) -> Finding:
        of = self.targets[target]
        return Finding(
            self.attackers[attacker], of.holding, of.respondents, self.system.table, of.period_code,
            self.system.channel, of.series, SIDES[side], cells,
        )  # fmt: skip
