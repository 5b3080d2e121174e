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
from scipy.linalg import orth
from scipy.sparse import csr_array

from jobs.study.attack.coefficients import Linear
from jobs.study.attack.known import PublishedCell

Array = np.ndarray
# By how much of it a bound may be broken, and in how many steps a point is brought back within it.
ROUNDED, STEPS = 1e-9, 40


@dataclass(frozen=True)
class Cone:
    """The variance of one series. figures: respondents x atoms, whose sums are the respondents' figures.
    weight, x: of respondents; cell: its place. most: the largest q."""

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
        """By how much q grows with each figure."""
        stands, squares, sums = self.cell_sums(y)
        inverse = np.divide(1.0, sums, out=np.zeros_like(sums), where=sums > 0)
        of = (stands * inverse)[self.place] ** 2
        found: Array = 2 * of * self.weight * (y / self.x - (squares * inverse)[self.place])
        return found

    def cell_sums(self, y: Array) -> tuple[Array, Array, Array]:
        """Of each cell N, S and T."""
        count = int(self.place.max(initial=-1)) + 1
        return (
            np.bincount(self.place, self.weight * self.x, count),
            np.bincount(self.place, self.weight * y**2 / self.x, count),
            np.bincount(self.place, self.weight * y, count),
        )


def build_cone(cell: PublishedCell, variance: float, model: Linear, figures: csr_array) -> Cone:
    """The cone of a published variance. figures: of the model's respondents, over atoms."""
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
        """first: an atom of each class. size: of each class."""
        of = [(cone, cone.figures @ truth) for cone in cones]
        kept = [(cone, y) for cone, y in of if cone.spread(y) <= cone.most * (1 + ROUNDED)]
        self.cones = [cone for cone, _ in kept]
        self.truth = [y for _, y in kept]
        self.rows = [csr_array(cone.figures[:, first] * size) for cone in self.cones]

    def drop(self, release: str, names: tuple[str | None, ...]) -> None:
        """Drop a cone: table, period, channel and series."""
        kept = []
        for at, cone in enumerate(self.cones):
            of = cone.cell
            if (of.release, of.table_name, of.period_code, of.channel_code, of.series) != (release, *names):
                kept.append(at)
        self.cones = [self.cones[at] for at in kept]
        self.truth = [self.truth[at] for at in kept]
        self.rows = [self.rows[at] for at in kept]

    # --- how far contributions surely move ------------------------------------------------------------

    def limit_moves(self, mass: Array) -> tuple[Array, Array]:
        """By what each class's mass is multiplied, and which sums have to stay, so that moves d of length 1
        of these masses break no cone; rows of the latter are orthonormal.

        Moves that leave T of each cell and the linear part of q as they are change q by the square of a
        length, the sum of u (d' - d)². Of a figure that is the sum of parts of masses p this is at most
        u (1 + d)² times the sum over parts of p/y times the move's square, by Cauchy and Schwarz.
        """
        grown = np.ones(len(mass))
        stay = []
        for cone, y, rows in zip(self.cones, self.truth, self.rows, strict=True):
            stands, _, sums = cone.cell_sums(y)
            inverse = np.divide(1.0, sums, out=np.zeros_like(sums), where=sums > 0)
            rate = (stands * inverse)[cone.place] / cone.x
            deviation = np.where(inverse[cone.place] > 0, rate * y - 1, 0.0)
            spare = max(cone.most - cone.spread(y), 0.0) or 1e-12 * max(cone.most, 1.0)
            grown += mass * (abs(rows).T @ (cone.weight * cone.x * rate**2 * (abs(rows) @ mass))) / spare
            cells = csr_array((cone.weight, (cone.place, np.arange(len(y)))), (len(stands), len(y)))
            stay += [(cells @ rows).toarray(), (rows.T @ (cone.weight * cone.x * deviation * rate))[None]]
        scale = 1 / np.sqrt(grown)
        if not stay:
            return scale, np.zeros((0, len(mass)))
        sums_ = np.vstack(stay) * (mass * scale)
        length = np.linalg.norm(sums_, axis=1, keepdims=True)
        return scale, orth((sums_ / np.where(length > 0, length, 1.0)).T).T

    # --- single points --------------------------------------------------------------------------------

    def find_broken(self, change: Array) -> list[int]:
        """The cones that a change of classes breaks, the one that it breaks most first."""
        over = [
            cone.spread(np.maximum(y + rows @ change, 0.0)) / cone.most
            for cone, y, rows in zip(self.cones, self.truth, self.rows, strict=True)
        ]
        return sorted((at for at, by in enumerate(over) if by > 1 + ROUNDED), key=lambda at: -over[at])

    def reach(self, change: Array, way: Array, most: float) -> float:
        """How far a way leads from a change within the cones, at most `most`."""
        if not self.find_broken(change + most * way):
            return most
        low, high = 0.0, most
        for _ in range(STEPS):
            middle = (low + high) / 2
            low, high = (low, middle) if self.find_broken(change + middle * way) else (middle, high)
        return low

    def bend(self, change: Array, classes: Array) -> tuple[csr_array, Array]:
        """The curvature of the cones' logarithmic barrier at a change within them, over some classes: a
        matrix that joins classes of the same respondents, and slopes whose squares are added to it."""
        found = csr_array((len(classes), len(classes)))
        slopes = np.zeros((len(self.cones), len(classes)))
        for at, (cone, y, rows) in enumerate(zip(self.cones, self.truth, self.rows, strict=True)):
            now = np.maximum(y + rows @ change, 0.0)
            spare = max(cone.most - cone.spread(now), 1e-9 * cone.most)
            stands, _, sums = cone.cell_sums(now)
            rate = np.divide(stands, sums, out=np.zeros_like(sums), where=sums > 0)[cone.place] / cone.x
            own = rows[:, classes]
            slopes[at] = (own.T @ cone.slope(now)) / spare
            scaled = csr_array(own.multiply((rate * np.sqrt(2 * cone.weight * cone.x / spare))[:, None]))
            found = found + scaled.T @ scaled
        return found, slopes
