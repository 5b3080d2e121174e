"""The search: for each contribution both ends of the interval that an attacker can compute, by linear
programs.

A contribution is found if an end of its interval is within p% of the truth. Any other contributions that
give the same published figures show that it is not: such a point clears all targets that it moves far
enough, for all attackers whose own figures it leaves as they are. So programs first move random halves of all
targets together, as anyone and as each attacker. Only what none of these points clears is asked alone.
Nothing is cleared but by a point that was checked against every row.

An operator's figures may be anything that is not negative; no other belief is ascribed to an attacker.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from jobs.attack.classes import Classes, Parts, View
from jobs.attack.known import Finding, KnownRelease, PublishedCell
from jobs.attack.program import FEASIBLE, Program
from jobs.attack.system import Array, System, build_systems
from jobs.core.series import Shape

SIDES = HIGH, LOW = "high", "low"
NOBODY = ""
# So many times its size a class may rise: it only keeps programs bounded.
MOST = 1e6
# How much farther than p% programs move targets; by how much of its size a class is as it was.
MORE, SAME = 1.0001, 1e-9
ROUNDS, SEED = 2, 52
WORKERS = 2


class Attack:
    """The attack on all releases, within p_pct percent."""

    def __init__(self, releases: Sequence[KnownRelease], shapes: Mapping[str, Shape], p_pct: float) -> None:
        self.searches = [BlockSearch(system, p_pct) for system in build_systems(releases, shapes)]

    def find_all(self) -> list[Finding]:
        """Everything that anyone finds; asked again, what of that is still found."""
        # The solver leaves the interpreter free; blocks have nothing in common.
        with ThreadPoolExecutor(WORKERS) as pool:
            return [finding for found in pool.map(BlockSearch.find_all, self.searches) for finding in found]

    def drop_figures(self, release: str, cells: Collection[tuple[str | None, ...]]) -> None:
        """Drop figures of a release: nobody finds more then. cells: table, period, channel, series and area;
        all series where it is None."""
        for search in self.searches:
            search.drop_figures(release, cells)


class BlockSearch:
    """The search in one block. pairs: of attacker, target and side."""

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
        self.views = [self.classes.build_view(seen) for seen in self.seen]
        # All targets of the same operators follow each other.
        self.targets = sorted(system.targets, key=lambda target: target.respondents)
        self.parts = Parts(self.targets, self.classes)
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

    def is_known(self, operators: Sequence[tuple[str, ...]]) -> Array:
        """Attackers x targets: who has seen figures of some of a target's operators."""
        holders = dict(zip((person for person, _, _ in self.system.keys), self.system.holding, strict=True))
        groups = dict.fromkeys(operators)
        seen = [frozenset[str]().union(*map(holders.__getitem__, group)) for group in groups]
        found: Array = np.array([[name in holdings for holdings in seen] for name in self.attackers])
        return found[:, self.group]

    def find_all(self) -> list[Finding]:
        """What anyone finds of the pairs that are pending, which these are afterwards."""
        if not self.pending.any():
            return []
        self.move_together()
        return list(self.ask_alone())

    def drop_figures(self, release: str, cells: Collection[tuple[str | None, ...]]) -> None:
        """Drop figures of a release, as Attack does."""
        for row, cell in enumerate(self.system.rows):
            if cell is None or cell.release != release:
                continue
            names = (cell.table_name, cell.period_code, cell.channel_code)
            if any((*names, series, cell.area_code) in cells for series in (cell.series, None)):
                self.program.relax_row(row)

    def clear_targets(self, change: Array, attackers: Iterable[int], of: slice) -> None:
        """Clear the pairs of these attackers and targets for which a point shows that nothing is found: those
        whose attacker has seen nothing that it changes, and whose target it moves far enough."""
        for at in attackers:
            view = self.views[at]
            if (change >= -view.mass - SAME).all() and (abs(change[view.count == 0]) <= SAME).all():
                most, least = self.parts.compute_ends(view, change, of)
                self.pending[at, 0, of] &= most < self.goals[0, of]
                self.pending[at, 1, of] &= least > self.goals[1, of]

    # --- many targets together ------------------------------------------------------------------------

    def move_together(self) -> None:
        """Move random halves of what is pending, as anyone and then as each attacker."""
        random = np.random.default_rng(SEED)
        everyone, everything = range(len(self.attackers)), slice(0, len(self.targets))
        self.clear_targets(np.zeros(len(self.classes.size)), everyone, everything)
        for _ in range(ROUNDS):
            wish = self.wish_moves(self.choose_sides(random))
            gain = np.divide(1.0, wish, out=np.zeros(len(wish)), where=wish > 0)
            for at in everyone:
                if not self.pending[at].any() and at:
                    continue
                most = self.bound_moves(self.views[at])
                most = np.where(wish > 0, np.minimum(wish, most), most)
                solved = self.program.solve(gain, most, is_fresh=at == 0)
                if solved is not None:
                    self.clear_targets(solved[0], [at] if at else everyone, everything)

    def choose_sides(self, random: np.random.Generator) -> Array:
        """Sides x targets to move: each operator's either up or down, and no class both."""
        pending = self.pending.any(axis=0)
        rank = np.where(pending, random.random((2, len(self.targets)))[:, self.group], -1.0)
        rank = rank[:, self.parts.target]
        best = np.full((2, len(self.classes.size)), -1.0)
        for side in range(2):
            np.maximum.at(best[side], self.parts.of_class, rank[side])
        is_best = np.array([best[0] > best[1], best[1] > best[0]])[:, self.parts.of_class]
        found: Array = pending & np.logical_and.reduceat(is_best, self.parts.starts[:-1], axis=1)
        return found

    def wish_moves(self, sought: Array) -> Array:
        """The rises and falls of classes that move these sides and targets far enough, even for those who
        have seen all others in their classes."""
        parts = self.parts
        is_nothing = self.goals[1, parts.target] < 0
        step = MORE * np.where(is_nothing, 1 / parts.most, self.p * parts.own)
        found = np.zeros((2, len(self.classes.size)))
        for side in range(2):
            is_sought = sought[side, parts.target]
            np.maximum.at(found[side], parts.of_class[is_sought], step[is_sought])
        return np.concatenate(found)

    @staticmethod
    def bound_moves(view: View) -> Array:
        """How far classes may rise and fall. Nobody has less than nothing."""
        return np.concatenate([np.where(view.count > 0, MOST, 0.0), view.mass])

    # --- each target alone ----------------------------------------------------------------------------

    def ask_alone(self) -> Iterator[Finding]:
        """Ask for each target and side that is pending what the end of its interval is: of all attackers
        together, who know more than any of them, then of halves of them, at last of each."""
        found = np.zeros_like(self.pending)
        for side, target in np.argwhere(self.pending.any(axis=0)).tolist():
            same = slice(*np.searchsorted(self.group, [self.group[target], self.group[target] + 1]))
            asked = [np.flatnonzero(self.pending[:, side, target])]
            while asked:
                some = asked.pop()
                some = some[self.pending[some, side, target]]
                if not len(some):
                    continue
                view = self.classes.build_view(np.concatenate([self.seen[at] for at in some]))
                point, cells = self.solve_end(side, target, view)
                self.clear_targets(point, some, same)
                left = some[self.pending[some, side, target]]
                if len(some) > 1:
                    # As anyone first: what anyone finds is asked of nobody else.
                    anyone, others = left[left == 0], left[left > 0]
                    half = len(others) // 2
                    asked += [others[half:], others[:half], anyone]
                elif len(left):
                    also = some if some[0] else np.flatnonzero(self.pending[:, side, target])
                    found[also, side, target] = True
                    self.pending[also, side, target] = False
                    yield self.make_finding(side, target, some[0], cells)
        self.pending = found

    def solve_end(self, side: int, target: int, view: View) -> tuple[Array, tuple[PublishedCell, ...]]:
        """A point where the target is at the end of its interval, or far enough from the truth; and the
        figures that hold it there."""
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
        solved = self.program.solve(np.concatenate([gain, -gain]) / scale, self.bound_moves(view), enough)
        if solved is None:
            raise AssertionError("a program's solution breaks its rows")
        point, prices = solved
        cells = {
            cell
            for cell, price in zip(self.system.rows, prices, strict=True)
            if cell is not None and abs(price) > 1e-9
        }
        return point, tuple(sorted(cells, key=repr))

    def make_finding(
        self, side: int, target: int, attacker: int, cells: tuple[PublishedCell, ...]
    ) -> Finding:
        of = self.targets[target]
        return Finding(
            self.attackers[attacker], of.holding, of.respondents, self.system.table, of.period_code,
            self.system.channel, of.series, SIDES[side], cells,
        )  # fmt: skip
