"""Linear programs of an attack, solved by HiGHS."""

from __future__ import annotations

import highspy
import numpy as np

Array = np.ndarray
# Costs and bounds change alone, so the primal simplex method starts where it ended; rows and columns are
# scaled.
OPTIONS: dict[str, bool | float | str] = {
    "output_flag": False, "presolve": "off", "solver": "simplex", "simplex_strategy": 4,
    "simplex_scale_strategy": 0, "threads": 1, "primal_feasibility_tolerance": 1e-9,
}  # fmt: skip


class Program(highspy.Highs):
    """HiGHS without its banner, which it prints when callbacks are turned on; none is used here."""

    def __init__(self) -> None:
        highspy._core._Highs.__init__(self)


def build_program(rows: Array, low: Array, high: Array, most: float) -> Program:
    """A program without costs: low <= rows @ x <= high, 0 <= x <= most."""
    count = rows.shape[1]
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = count, len(rows)
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = np.zeros(count), np.zeros(count), np.full(count, most)
    lp.row_lower_, lp.row_upper_ = low, high
    places = [np.flatnonzero(rows[:, at]) for at in range(count)]
    starts = np.concatenate([[0], np.cumsum([len(each) for each in places])])
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = starts.astype(np.int32)
    lp.a_matrix_.index_ = np.concatenate(places).astype(np.int32)
    lp.a_matrix_.value_ = np.concatenate([rows[each, at] for at, each in enumerate(places)])
    found = Program()
    for name, value in OPTIONS.items():
        found.setOptionValue(name, value)
    found.passModel(lp)
    return found
