"""Programs of the attack: a solution that breaks a row counts for nothing, and another method is tried."""

import numpy as np
import pytest
from scipy.sparse import csc_array

from jobs.study.attack.cones import Cones
from jobs.study.attack.linear_program import Array, Program

NO_CONES = Cones([], np.zeros(0), np.zeros(0, dtype=int), np.zeros(0))


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_what_one_method_does_not_solve_another_one_does(
    failing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first class may rise as far as the second falls. Of a membership of 25 countries the primal method
    left one program unsolved, and no release could be made."""
    program = Program(csc_array(np.array([[1.0, 1.0]])), np.zeros(1), np.zeros(1))
    checked = program.is_inside
    answers: list[Array] = []

    def is_inside(change: Array, most: Array) -> bool:
        answers.append(change)
        return len(answers) > failing and checked(change, most)

    monkeypatch.setattr(program, "is_inside", is_inside)
    most = np.array([5.0, 5.0, 2.0, 2.0])
    for number in (1, 2):
        answers.clear()
        found = program.find_change(np.array([1.0, 0.0, -1.0, 0.0]), most, 9.0, NO_CONES)
        assert (found is None) == (failing == 2)
        if found is not None:
            assert found[0] == pytest.approx([2.0, -2.0]) and len(found[1]) == 1
        assert program.count == number * min(failing + 1, 2)
