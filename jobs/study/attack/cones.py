"""Published variances of rates as constraints of an attack that are no linear ones.

With x a respondent's subscriptions, w its weight, u = w x, R the ratio of its cell (a region and class) and
d = y/(x R) - 1, a release publishes no less than v = (sum of u d²) / (sum of u (1 - s)), s the share of u in
the cell. So the sum q of u d² is at most v times the other sum. In each cell q is a ratio of quadratic forms,
N (N S / T² - 1) with N = sum of u, S = sum of w y²/x, T = sum of w y.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, vstack

from jobs.study.attack.coefficients import Linear
from jobs.study.attack.known import EVERYWHERE, PublishedCell

Array = np.ndarray
# By how much of it a bound may be broken, and in how many steps its edge is sought.
ROUNDED, STEPS = 1e-9, 30


@dataclass(frozen=True)
class Cone:
    """The variance of one series.

    Attributes:
        figures: respondents x atoms, whose sums are the respondents' figures.
        weight, x: of respondents.
        cell: its place.
        most: the largest q.
    """

    cell: PublishedCell
    figures: csr_array
    weight: Array
    x: Array
    place: Array
    most: float

    def spread(self, y: Array) -> float:
        """q of figures."""
        stands, squares, sums = self.cell_sums(y)
        shown = sums > 0
        return float((stands[shown] * (stands[shown] * squares[shown] / sums[shown] ** 2 - 1)).sum())

    def slope(self, y: Array) -> Array:
        """Growth of q with each figure."""
        stands, squares, sums = self.cell_sums(y)
        inverse = np.divide(1.0, sums, out=np.zeros_like(sums), where=sums > 0)
        of = (stands * inverse)[self.place] ** 2
        found: Array = 2 * of * self.weight * (y / self.x - (squares * inverse)[self.place])
        return found

    def cell_sums(self, y: Array) -> tuple[Array, Array, Array]:
        """Return N, S and T of each cell."""
        count = int(self.place.max(initial=-1)) + 1
        return (
            np.bincount(self.place, self.weight * self.x, count),
            np.bincount(self.place, self.weight * y**2 / self.x, count),
            np.bincount(self.place, self.weight * y, count),
        )


def build_cone(cell: PublishedCell, variance: float, model: Linear, figures: csr_array) -> Cone:
    """The cone of a published variance.

    Args:
        figures: of the model's respondents, over atoms.
    """
    counts = np.flatnonzero((model.subscriptions > 0) & (model.weight > 0))
    weight, x = model.weight[counts], model.subscriptions[counts]
    place = np.unique(model.cell[counts].astype(str), return_inverse=True)[1]
    stands = weight * x
    left = float((stands * (1 - stands / np.bincount(place, stands)[place])).sum())
    return Cone(cell, figures[counts], weight, x, place, variance * left)


class Cones:
    """The cones of a block over classes of contributions, those that the truth fulfils: where a series has
    another one's variance, that may be less than its own, and says nothing of it."""

    def __init__(self, cones: Sequence[Cone], truth: Array, first: Array, size: Array) -> None:
        """Keep the cones whose variance the true figures have.

        Args:
            first: an atom of each class.
            size: of each class.
        """
        of = [(cone, cone.figures @ truth) for cone in cones]
        kept = [(cone, y) for cone, y in of if cone.spread(y) <= cone.most * (1 + ROUNDED)]
        self.keep([(cone, y, csr_array(cone.figures[:, first] * size)) for cone, y in kept], width=len(first))

    def keep(self, kept: Sequence[tuple[Cone, Array, csr_array]], width: int) -> None:
        """Hold these cones: of each the figures as they are, and by what changes of classes move them."""
        self.cones = [cone for cone, _, _ in kept]
        self.truth = [y for _, y, _ in kept]
        self.rows = [rows for _, _, rows in kept]
        # All as one, since points are held against all: figures one below the other, cells counted on.
        counts = [int(cone.place.max(initial=-1)) + 1 for cone in self.cones]
        starts = np.cumsum([0, *counts])
        self.cone_of_cell = np.repeat(np.arange(len(self.cones)), counts)
        self.place = np.concatenate(
            [np.zeros(0, dtype=int), *(cone.place + at for cone, at in zip(self.cones, starts, strict=False))]
        )
        self.weight = np.concatenate([np.zeros(0), *(cone.weight for cone in self.cones)])
        self.share = np.concatenate([np.zeros(0), *(cone.weight / cone.x for cone in self.cones)])
        self.stands = self.sum_cells(
            np.concatenate([np.zeros(0), *(each.weight * each.x for each in self.cones)])
        )
        self.figures = np.concatenate([np.zeros(0), *self.truth])
        self.moves = vstack([csr_array((0, width)), *self.rows], format="csr")
        self.most = np.array([cone.most for cone in self.cones])

    def sum_cells(self, values: Array) -> Array:
        """Sum the values of each cell's respondents."""
        return np.bincount(self.place, values, len(self.cone_of_cell))

    def spreads(self, squares: Array, sums: Array) -> Array:
        """q of each cone, of each cell's S and T."""
        inverse = np.divide(1.0, sums, out=np.zeros_like(sums), where=sums > 0)
        of_cell = self.stands * (self.stands * squares * inverse**2 - 1) * (sums > 0)
        return np.bincount(self.cone_of_cell, of_cell, len(self.cones))

    def drop(self, release: str, names: tuple[str | None, ...]) -> list[PublishedCell]:
        """Drop a cone: table, period, channel and series; and return what was dropped."""
        dropped = [
            cone.cell
            for cone in self.cones
            if (cone.cell.release, cone.cell.name) == (release, (*names, EVERYWHERE))
        ]
        kept = [at for at, cone in enumerate(self.cones) if cone.cell not in dropped]
        width = self.moves.shape[1]
        self.keep([(self.cones[at], self.truth[at], self.rows[at]) for at in kept], width)
        return dropped

    # --- how far contributions surely move ------------------------------------------------------------

    def limit_moves(self, mass: Array) -> tuple[Array, Array, Array]:
        """Return the factor of each class's mass; and sums, with the most of each: moves d of these masses
        break no cone if the squares of d and of sums of d, each over its most, add up to at most 1.

        A move adds e to d, and t to T of a cell as a part of it. Then q is the sum over cells of
        (q + 2 l + E - N t²) / (1 + t)², where l is the sum of u d e and E that of u e². While |t| <= 0.1
        that is at most q + 2 l + 1.5 E + 4.6 q |t|, for 2 |l| <= 2 sqrt(q E) <= 4 q a + E/(4 a) for any a.
        Where all but d takes z² of the 1, three halves of E may be a half (1 - z²) of what q has to spare
        and all else z of it, together at most the whole; of that z² l has one half and t the other.

        Of a figure that is the sum of parts of masses p E is at most u (1 + d)² times the sum over parts of
        p/y times the move's square, by Cauchy and Schwarz.
        """
        grown = np.ones(len(mass))
        found, most = [np.zeros((0, len(mass)))], [np.zeros(0)]
        for cone, y, rows in zip(self.cones, self.truth, self.rows, strict=True):
            stands, squares, sums = cone.cell_sums(y)
            inverse = np.divide(1.0, sums, out=np.zeros_like(sums), where=sums > 0)
            rate = (stands * inverse)[cone.place] / cone.x
            deviation = np.where(inverse[cone.place] > 0, rate * y - 1, 0.0)
            spare = max(cone.most - cone.spread(y), 0.0) or 1e-12 * max(cone.most, 1.0)
            grown += 3 * mass * (abs(rows).T @ (cone.weight * cone.x * rate**2 * (abs(rows) @ mass))) / spare
            parts = cone.weight * inverse[cone.place]
            cells = csr_array((parts, (cone.place, np.arange(len(y)))), (len(stands), len(y)))
            found += [(cells @ rows).toarray(), (rows.T @ (cone.weight * cone.x * deviation * rate))[None]]
            of_cell = np.maximum(stands * (stands * squares * inverse**2 - 1), 0.0)
            limit = spare / (4.6 * np.sqrt(2 * np.maximum(of_cell * of_cell.sum(), 1e-300)))
            most += [np.minimum(limit, 0.1), np.array([spare / np.sqrt(8)])]
        scale = 1 / np.sqrt(grown)
        return scale, np.vstack(found) * (mass * scale), np.concatenate(most)

    # --- single points --------------------------------------------------------------------------------

    def find_broken(self, change: Array) -> list[int]:
        """The cones that a change of classes breaks, the one that it breaks most first."""
        if not self.cones:
            return []
        y = np.maximum(self.figures + self.moves @ change, 0.0)
        spreads = self.spreads(self.sum_cells(self.share * y**2), self.sum_cells(self.weight * y))
        broken = np.flatnonzero(spreads > self.most * (1 + ROUNDED))
        return sorted(broken.tolist(), key=lambda at: -spreads[at] / self.most[at])

    def find_begun(self, change: Array) -> set[int]:
        """The cells in which nobody has anything, and a change gives somebody something."""
        is_dead = self.sum_cells(self.weight * self.figures) <= 0
        return set(np.flatnonzero(is_dead & (self.sum_cells(abs(self.moves @ change)) > 0)).tolist())

    def keep_alike(self, cell: int, rise: Array) -> list[Array]:
        """Rows of changes that are 0 where all of a cell whose figures may rise have the same rate.

        However small rates are, q is that of how they differ: of a change that gives something in a cell of
        nothing no part is within a cone, unless all there rise together.
        """
        of = np.flatnonzero(self.place == cell)
        rates = self.moves[of].toarray() * (self.share / self.weight)[of, None]
        rates = rates[(rates * (rise > 0)).any(axis=1)]
        rows = rates[1:] - rates[:1]
        return list(rows / abs(rows).max(axis=1, keepdims=True)) if len(rows) else []

    def reach(self, change: Array, broken: Sequence[int]) -> Array:
        """Return, for each cone that a change breaks, the largest part of the change that does not break it:
        S and T of a cell are a square and a line of that part."""
        moved = self.moves @ change
        square = [self.sum_cells(self.share * of) for of in (self.figures**2, self.figures * moved, moved**2)]
        line = [self.sum_cells(self.weight * of) for of in (self.figures, moved)]
        low, high = np.zeros(len(self.cones)), np.ones(len(self.cones))
        for _ in range(STEPS):
            middle = (low + high) / 2
            part = middle[self.cone_of_cell]
            squares = square[0] + 2 * part * square[1] + part**2 * square[2]
            is_within = self.spreads(squares, line[0] + part * line[1]) <= self.most
            low, high = np.where(is_within, middle, low), np.where(is_within, high, middle)
        return low[list(broken)]

    def touch(self, change: Array, at: int) -> tuple[Array, float]:
        """The tangent of a cone at a change, which is at its edge: a row of changes, and the most of it.

        Points within a cone of one cell are all on its near side, for q is at most anything where a norm of
        figures is at most a multiple of T. With several cells some may be beyond, where their T moves far.
        """
        cone, rows = self.cones[at], self.rows[at]
        slope = rows.T @ cone.slope(np.maximum(self.truth[at] + rows @ change, 0.0))
        largest = abs(slope).max() or 1.0
        return slope / largest, float(slope @ change / largest)
