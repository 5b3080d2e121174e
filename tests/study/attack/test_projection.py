"""Distance that a projection says targets surely move: there is such a change, and none is missed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csc_array, csr_array

from jobs.study.attack.linear_program import Program
from jobs.study.attack.projection import Array, Moves, Projection
from tests.support.examples import examples

ROWS, CLASSES, TARGETS = 4, 9, 6


def draw_program(seed: int) -> tuple[Program, Array, Array, Array]:
    """A program, what anyone and what an attacker have not seen of its classes, and targets' factors. A row
    says the same as another, a class is nothing, one bound is nowhere, and some rows are exact."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(ROWS, CLASSES)) * (random.random((ROWS, CLASSES)) < 0.7)
    rows[-1] = 2 * rows[0]
    low, high = -random.random(ROWS) * 0.1, random.random(ROWS) * 0.1
    low[0], high[1] = 0.0, np.inf
    mass = random.exponential(size=CLASSES)
    mass[1] = 0.0
    seen = np.where(random.random(CLASSES) < 0.4, random.choice([0.0, 0.5, 1.0], CLASSES), 1.0)
    factors = random.random((TARGETS, CLASSES)) * (random.random((TARGETS, CLASSES)) < 0.3)
    return Program(csc_array(rows), low, high), mass, mass * seen, factors


def find_change(program: Program, mass: Array, factors: Array) -> tuple[float, Array]:
    """Return how far a target moves, and the change of classes: the projection computed anew for a mass."""
    spare = np.minimum(-program.low, program.high)
    both = np.hstack([program.rows.toarray() * mass, np.diag(spare)])
    u = np.concatenate([mass * factors, np.zeros(len(spare))])
    along = u - np.linalg.pinv(both) @ (both @ u)
    reach = float(np.linalg.norm(along))
    return reach, mass * along[: len(mass)] / reach if reach > 1e-9 else np.zeros(len(mass))


def measure_reach(program: Program, anyone: Array, mass: Array, factors: Array) -> Array:
    projection = Projection(program, anyone, np.zeros((0, len(anyone))), np.zeros(0))
    free, seen = projection.project_targets(csr_array(factors), mass)
    moves = Moves(np.arange(len(free)), np.zeros(len(free)), free, seen)
    return np.sqrt(np.maximum(moves.square_reach(projection.weigh_seen(mass)), 0.0))


@examples(90)
@given(seed=st.integers(0, 10**6), is_anyone=st.booleans())
def test_targets_move_as_far_as_it_says(seed: int, is_anyone: bool) -> None:
    program, anyone, mass, factors = draw_program(seed)
    if is_anyone:
        mass = anyone
    found = measure_reach(program, anyone, mass, factors)
    for own, reach in zip(factors, found, strict=True):
        expected, change = find_change(program, mass, own)
        assert reach == pytest.approx(expected, abs=1e-6)
        assert own @ change == pytest.approx(expected, abs=1e-6)
        for side in (change, -change):
            moved = program.rows @ side
            assert (moved >= program.low - 1e-9).all() and (moved <= program.high + 1e-9).all()
            assert (side >= -mass - 1e-9).all()
            assert (side[mass == 0] == 0).all()


def test_what_the_figures_fix_does_not_move() -> None:
    """A class that a row holds exactly, and another that an attacker has left as the only unknown of one."""
    rows = csc_array(np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]))
    program = Program(rows, np.zeros(2), np.zeros(2))
    anyone = np.array([1.0, 2.0, 2.0])
    each = np.eye(3)
    assert measure_reach(program, anyone, anyone, each) == pytest.approx([0.0, 2**0.5, 2**0.5], abs=1e-6)
    left = np.array([1.0, 2.0, 0.0])
    assert measure_reach(program, anyone, left, each) == pytest.approx([0.0, 0.0, 0.0], abs=1e-6)
