"""Linear programs of an attack, solved by HiGHS.

Unknowns are changes of contributions from the truth, of each a rise and a fall. So every program has a point
to start from, where nothing changes, and moves few contributions from there.
"""

import highspy
import numpy as np
from scipy.sparse import csc_array, hstack

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

    def find_change(self, gain: Array, most: Array, enough: float) -> tuple[Array, Array] | None:
        """The change of greatest gain, and the price of each row; None if no strategy solves it, or rounding
        errors break a row.

        gain, most: of rises and then of falls. enough: a gain beyond which none is sought.
        """
        highs, of = self.highs, np.flatnonzero(gain).astype(np.int32)
        highs.changeColsBounds(len(most), self.columns, np.zeros(len(most)), most)
        highs.changeColsCost(len(gain), self.columns, -gain)
        highs.addRow(-np.inf, enough, len(of), of, gain[of])
        found = None
        for strategy in (PRIMAL, DUAL):
            highs.setOptionValue("simplex_strategy", strategy)
            highs.clearSolver()
            highs.run()
            self.count += 1
            solution = highs.getSolution()
            rise, fall = np.split(np.array(solution.col_value), 2)
            is_solved = highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
            if is_solved and self.is_inside(rise - fall, most):
                found = rise - fall, np.array(solution.row_dual)[: len(self.low)]
                break
        highs.deleteRows(1, np.array([len(self.low)], dtype=np.int32))
        return found

    def is_inside(self, change: Array, most: Array) -> bool:
        """Whether a change fulfils every row and bound."""
        found, both = self.rows @ change, np.concatenate([change, -change])
        is_low, is_high = found >= self.low - FEASIBLE, found <= self.high + FEASIBLE
        return bool(is_low.all() and is_high.all() and (both <= most + FEASIBLE).all())

    def relax_row(self, row: int) -> None:
        """Let a row bound nothing any more."""
        self.low[row], self.high[row] = -np.inf, np.inf
        self.highs.changeRowBounds(row, -np.inf, np.inf)
