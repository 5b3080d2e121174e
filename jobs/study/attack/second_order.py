"""Second-order programs of an attack, solved by Clarabel, where tangents come inside variances too slowly.

A point is within a cone of cells (cones.py) if there are r with norm(y) <= r T in each cell, where norm(y)²
is S, and the sum of (N r)² is at most the cone's most and the sum of N. For any h

    r T = (r + T)² / 4 - (r - T)² / 4 >= h (r + T) - h² - (r - T)² / 4,

equal where r + T = 2 h. With the right side in its place the program is a second-order one, and allows no
point that is not possible. It is solved again with h at what was found (the convex-concave procedure of
Yuille and Rangarajan 2003). All r, T and y are in parts of those at the first point, so h begins with 1.
"""

import clarabel
import numpy as np
from scipy.sparse import csc_array, csc_matrix, csr_array, diags_array, hstack, vstack

from jobs.study.attack.cones import Cones

Array = np.ndarray
# How often h is set anew, and what part of the gain looked for each time has to bring.
TURNS, BROUGHT = 2, 0.01
# So many times its size a class may rise here.
MOST = 1e3


class SecondOrder:
    """The program, around a change that is within all cones. Its unknowns: the changes that are free, then r
    of each cell, then what (r - T)² / 4 is at most.

    Attributes:
        linear: rows, low and high of low <= rows @ change <= high.
        rise, fall: how far changes may go.
        enough: the most gain that is looked for.
    """

    def __init__(
        self, linear: tuple[csc_array, Array, Array], gain: Array, rise: Array, fall: Array, enough: float,
        cones: Cones, start: Array,
    ) -> None:  # fmt: skip
        y = np.maximum(cones.figures + cones.moves @ start, 0.0)
        squares, sums = cones.sum_cells(cones.share * y**2), cones.sum_cells(cones.weight * y)
        # Where nobody has anything it stays so: such a cell has no r to begin with.
        is_live = sums > 0
        is_dead = abs(cones.moves).T @ (~is_live)[cones.place].astype(float) > 0
        rise, fall = np.where(is_dead, 0.0, np.minimum(rise, MOST)), np.where(is_dead, 0.0, fall)
        self.free = np.flatnonzero((rise > 0) | (fall > 0))
        self.rise, self.fall = rise[self.free], fall[self.free]
        self.cost = np.concatenate([-gain[self.free], np.zeros(2 * is_live.sum())])
        self.add_figures(cones, squares[is_live], sums[is_live], is_live)
        self.add_bounds(linear, gain, enough)
        self.add_limits(cones, cones.stands[is_live] * np.sqrt(squares[is_live]) / sums[is_live], is_live)

    def add_figures(self, cones: Cones, squares: Array, sums: Array, is_live: Array) -> None:
        """T of each cell, as it is and by what changes move it; its figures, of which those that nothing
        moves are one."""
        self.count = len(sums)
        shown = np.flatnonzero(is_live[cones.place])
        place = (np.cumsum(is_live) - 1)[cones.place[shown]]
        moves = csr_array(cones.moves[shown][:, self.free])
        in_cell = csr_array((np.ones(len(shown)), (place, np.arange(len(shown)))), (self.count, len(shown)))
        weight = cones.weight[shown] / sums[place]
        self.sums = in_cell @ (weight * cones.figures[shown])
        self.by_sums = in_cell @ (diags_array(weight) @ moves)
        root = np.sqrt(cones.share[shown] / squares[place])
        is_moved = abs(moves).sum(axis=1) > 0
        figures = root * cones.figures[shown]
        self.still = np.sqrt(in_cell @ np.where(is_moved, 0.0, figures**2))
        self.figures, self.by_figures = figures[is_moved], csr_array((diags_array(root) @ moves)[is_moved])
        self.place = place[is_moved]

    def add_bounds(self, linear: tuple[csc_array, Array, Array], gain: Array, enough: float) -> None:
        """Rows, and how far each change may go; the first of the program's parts."""
        rows, low, high = linear[0][:, self.free], *linear[1:]
        is_low, is_high, each = np.isfinite(low), np.isfinite(high), diags_array(np.ones(len(self.free)))
        changes = vstack([rows[is_high], -rows[is_low], each, -each, csr_array(gain[self.free][None])])
        self.parts = [self.place_columns(changes)]
        self.ends = [np.concatenate([high[is_high], -low[is_low], self.rise, self.fall, [enough]])]
        self.kinds = [clarabel.NonnegativeConeT(changes.shape[0])]

    def add_limits(self, cones: Cones, by_r: Array, is_live: Array) -> None:
        """The sum of (N r)² of each cone, and (r - T)² / 4 of each cell.

        Args:
            by_r: N r at the first point.
        """
        stands, cone = cones.stands[is_live], cones.cone_of_cell[is_live]
        own, each = diags_array(by_r, format="csr"), diags_array(np.ones(self.count), format="csr")
        for at in np.unique(cone):
            of = np.flatnonzero(cone == at)
            self.parts.append(self.place_columns(r=vstack([csr_array((1, self.count)), -own[of]])))
            self.ends += [np.array([np.sqrt(cones.most[at] + stands[of].sum())]), np.zeros(len(of))]
            self.kinds.append(clarabel.SecondOrderConeT(1 + len(of)))
        apart = [
            self.place_columns(apart=-each),
            self.place_columns(self.by_sums, -each),
            self.place_columns(apart=-each),
        ]
        order = np.argsort(np.tile(np.arange(self.count), 3), kind="stable")
        self.parts.append(csr_array(vstack(apart))[order])
        self.ends.append(np.concatenate([np.ones(self.count), -self.sums, -np.ones(self.count)])[order])
        self.kinds += [clarabel.SecondOrderConeT(3)] * self.count

    def place_columns(
        self, changes: csr_array | None = None, r: csr_array | None = None, apart: csr_array | None = None
    ) -> csr_array:
        """Rows of the program with entries in these of its columns."""
        given = (changes, r, apart)
        height = next(each.shape[0] for each in given if each is not None)
        widths = (len(self.free), self.count, self.count)
        return csr_array(
            hstack(
                [
                    csr_array((height, width)) if each is None else each
                    for each, width in zip(given, widths, strict=True)
                ]
            )
        )

    def solve(self, h: Array) -> tuple[Array, Array] | None:
        """The changes that are free, and (r + T) / 2 of each cell; None where the solver gives up."""
        by_h = diags_array(h)
        tops = self.place_columns(-(by_h @ self.by_sums), -by_h, diags_array(np.ones(self.count)))
        norms = vstack([tops, csr_array((self.count, tops.shape[1])), self.place_columns(-self.by_figures)])
        ends = np.concatenate([h * self.sums - h**2, self.still, self.figures])
        cell = np.arange(self.count)
        order = np.argsort(np.concatenate([cell, cell, self.place]), kind="stable")
        sizes = 2 + np.bincount(self.place, minlength=self.count)
        settings = clarabel.DefaultSettings()
        settings.verbose, settings.max_threads = False, 1
        settings.tol_feas = settings.tol_gap_abs = settings.tol_gap_rel = 1e-9
        solution = clarabel.DefaultSolver(
            csc_matrix((len(self.cost), len(self.cost))), self.cost,
            csc_matrix(vstack([*self.parts, csr_array(norms)[order]])),
            np.concatenate([*self.ends, ends[order]]),
            [*self.kinds, *map(clarabel.SecondOrderConeT, sizes.tolist())], settings,
        ).solve()  # fmt: skip
        if str(solution.status) not in ("Solved", "AlmostSolved"):
            return None
        found = np.array(solution.x)
        changes, r = found[: len(self.free)], found[len(self.free) :][: self.count]
        changes = np.clip(changes, -self.fall, self.rise)
        return changes, (r + self.sums + self.by_sums @ changes) / 2


def find_far(
    linear: tuple[csc_array, Array, Array], gain: Array, rise: Array, fall: Array, enough: float,
    cones: Cones, start: Array,
) -> Array:  # fmt: skip
    """The change of the greatest gain found, from one within all cones: within bounds, and within rows and
    cones as nearly as the solver is exact.

    Args:
        linear: rows, low and high of low <= rows @ change <= high.
        gain: what a unit of each change gains.
        rise, fall: how far each change may go up and down.
        enough: the most gain that is looked for.
        start: a change within all cones.
    """
    program = SecondOrder(linear, gain, rise, fall, enough, cones, start)
    change, h = start, np.ones(program.count)
    # Where nobody has anything nothing moves here.
    for _ in range(TURNS if gain[program.free].any() else 0):
        solved = program.solve(h)
        if solved is None:
            break
        before = gain @ change
        change, h = np.zeros(len(gain)), solved[1]
        change[program.free] = solved[0]
        if gain @ change >= enough * (1 - BROUGHT) or gain @ change < before + BROUGHT * enough:
            break
    return change
