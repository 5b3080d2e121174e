"""Linear programs of an attack, solved by HiGHS.

Unknowns are changes of contributions from the truth, of each a rise and a fall. So every program has a point
to start from, where nothing changes, and moves few contributions from there. Published variances are no
linear constraints: where a solution breaks one, tangents of it become rows, and where these come inside
slowly a second-order program seeks the point.
"""

import highspy
import numpy as np
from scipy.sparse import csc_array, hstack

from jobs.study.attack.cones import Cones
from jobs.study.attack.second_order import find_far

Array = np.ndarray
# Of the strategies of the simplex method the one that starts where nothing changes; and the one for programs
# that it leaves unsolved.
PRIMAL, DUAL = 4, 1
OPTIONS: dict[str, bool | float | str] = {
    "output_flag": False, "presolve": "off", "solver": "simplex", "simplex_scale_strategy": 0, "threads": 1,
    "primal_feasibility_tolerance": 1e-9, "small_matrix_value": 1e-12,
}  # fmt: skip
# By how much of its size a row may be broken.
FEASIBLE = 1e-7
# How much farther solutions are sought with tangents, and how often at most.
FARTHER, TANGENTS, FEW_TANGENTS = 1.05, 20, 8
# A gain is enough within rounding; a row with a lesser price holds nothing.
NEAR, PRICED = 1e-6, 1e-9


class Program:
    """Changes with low <= rows @ change <= high, which no change at all fulfils."""

    def __init__(self, rows: csc_array, low: Array, high: Array) -> None:
        self.rows, self.low, self.high = rows, low, high
        both = csc_array(hstack([rows, -rows]))
        lp = highspy.HighsLp()
        lp.num_row_, lp.num_col_ = both.shape
        lp.col_cost_ = lp.col_lower_ = lp.col_upper_ = np.zeros(lp.num_col_)
        lp.row_lower_, lp.row_upper_ = low, high
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = both.indptr, both.indices, both.data
        self.columns = np.arange(lp.num_col_, dtype=np.int32)
        # Without the banner that highspy.Highs prints when callbacks are turned on; none is used here.
        self.highs = highspy._core._Highs()
        for name, value in OPTIONS.items():
            self.highs.setOptionValue(name, value)
        self.highs.passModel(lp)
        self.count = 0
        # Of each row in the last solution.
        self.prices = np.zeros(0)

    def find_change(
        self, gain: Array, most: Array, enough: float, cones: Cones, is_last: bool = True
    ) -> tuple[Array, Array, list[int], bool] | None:
        """The change of greatest gain; the price of each row; which cones, with these rows, keep it from
        enough where rows alone would not, the one of the greatest price first; and whether these prices prove
        that nothing gains enough, or it is open. None if no strategy solves it, or rounding errors break a
        row.

        Args:
            gain, most: of rises and then of falls.
            enough: a gain beyond which none is sought.
            is_last: nobody else is asked where this leaves it open; else cones are tried for a short time.
        """
        highs, of = self.highs, np.flatnonzero(gain).astype(np.int32)
        highs.changeColsBounds(len(most), self.columns, np.zeros(len(most)), most)
        highs.changeColsCost(len(gain), self.columns, -gain)
        highs.addRow(-np.inf, enough, len(of), of, gain[of])
        found = None
        for strategy in (PRIMAL, DUAL):
            highs.setOptionValue("simplex_strategy", strategy)
            highs.clearSolver()
            change = self.solve(most)
            if change is not None:
                prices, holding = self.prices[: len(self.low)], list[int]()
                is_proved = gain[: len(change)] @ change < enough * (1 - NEAR)
                if cones.find_broken(change):
                    change, touched, left = self.bend(change, gain, most, enough, cones, is_last)
                    if not is_proved:
                        prices, holding = self.prices[: len(self.low)], self.find_holding(touched, cones)
                        is_proved = left < enough * (1 - NEAR)
                found = change, prices, holding, is_proved
                break
        rows = np.arange(len(self.low), highs.getNumRow(), dtype=np.int32)
        highs.deleteRows(len(rows), rows)
        return found

    def solve(self, most: Array) -> Array | None:
        """The change that is a solution as the program stands."""
        self.highs.run()
        self.count += 1
        solution = self.highs.getSolution()
        rise, fall = np.split(np.array(solution.col_value), 2)
        is_solved = self.highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
        if not is_solved or not self.is_inside(rise - fall, most):
            return None
        self.prices = np.array(solution.row_dual)
        return rise - fall

    def bend(
        self, change: Array, gain: Array, most: Array, enough: float, cones: Cones, is_last: bool
    ) -> tuple[Array, list[int], float]:
        """Return a change within all cones, of a gain of `enough` or what was found; the cone of each row
        behind that of the gain; and the gain of the last solution within these rows.

        Of each cone that a solution breaks the tangent where the way from the truth leaves it becomes a row
        (Veinott 1967), until the part of a solution that is within all cones gains enough, or no solution
        does. In a cell of nothing all rise alike, soon or not at all. Where TANGENTS leave it open,
        a second-order program has the last word, if nobody else is asked.

        Args:
            change: a solution that breaks some cones.
            gain, most: of rises and then of falls.
            is_last: nobody else is asked where this leaves it open.
        """
        highs, best, touched = self.highs, np.zeros_like(change), list[int]()
        gains = gain[: len(change)]
        highs.setOptionValue("simplex_strategy", DUAL)
        # A part of a solution is enough where all of it is more.
        highs.changeRowBounds(len(self.low), -np.inf, FARTHER * enough)
        alike = set[int]()
        mean = change
        for number in range(TANGENTS):
            if number >= FEW_TANGENTS and (alike or not is_last):
                break
            # Solutions lie on different sides of what is possible: their mean comes inside sooner.
            mean = mean + (change - mean) * 2 / (number + 2)
            for cell in sorted(cones.find_begun(change) - alike):
                alike.add(cell)
                for row in cones.keep_alike(cell, most[: len(change)]):
                    self.add_row(0.0, row, 0.0)
                    touched.append(int(cones.cone_of_cell[cell]))
            for point in (change, mean):
                broken = cones.find_broken(point)
                parts = cones.reach(point, broken)
                inside = parts.min(initial=1.0) * point
                if gains @ inside > gains @ best and not cones.find_broken(inside):
                    best = inside
                for at, part in zip(broken, parts, strict=True):
                    row, end = cones.touch(part * point, at)
                    self.add_row(-np.inf, row, end)
                    touched.append(at)
            if gains @ best >= enough or gains @ change < enough * (1 - NEAR):
                break
            solved = self.solve(most)
            if solved is None:
                break
            change = solved
        if is_last and gains @ best < enough and gains @ change >= enough * (1 - NEAR):
            best = self.go_far(best, gains, most, enough, cones)
        return best if self.is_inside(best, most) else np.zeros_like(best), touched, float(gains @ change)

    def go_far(self, best: Array, gains: Array, most: Array, enough: float, cones: Cones) -> Array:
        """A change within all cones that gains more than this one, by a second-order program; this one if
        there is none."""
        linear, (rise, fall) = (self.rows, self.low, self.high), np.split(most, 2)
        point = find_far(linear, gains, rise, fall, FARTHER * enough, cones, best)
        inside = cones.reach(point, cones.find_broken(point)).min(initial=1.0) * point
        is_within = not cones.find_broken(inside) and self.is_inside(inside, most)
        return inside if is_within and gains @ inside > gains @ best else best

    def add_row(self, low: float, row: Array, high: float) -> None:
        """Add a row of changes."""
        of = np.flatnonzero(row).astype(np.int32)
        both = np.concatenate([of, of + len(row)]).astype(np.int32)
        self.highs.addRow(low, high, len(both), both, np.concatenate([row[of], -row[of]]))

    def find_holding(self, touched: list[int], cones: Cones) -> list[int]:
        """The cones whose rows have a price in the last solution, that of the greatest first. Where none
        has one, nothing is proved, and any cone may hold the solution."""
        of = self.prices[len(self.low) + 1 :]
        by_cone = np.bincount(touched[: len(of)], abs(of), len(cones.cones))
        order = np.argsort(-by_cone, kind="stable").tolist()
        return [at for at in order if by_cone[at] > PRICED] or order

    def is_inside(self, change: Array, most: Array) -> bool:
        """Return whether a change fulfils every row and bound."""
        found, both = self.rows @ change, np.concatenate([change, -change])
        is_low, is_high = found >= self.low - FEASIBLE, found <= self.high + FEASIBLE
        return bool(is_low.all() and is_high.all() and (both <= most + FEASIBLE).all())

    def relax_row(self, row: int) -> None:
        """Let a row bound nothing any more."""
        self.low[row], self.high[row] = -np.inf, np.inf
        self.highs.changeRowBounds(row, -np.inf, np.inf)
