"""A walk through the inside of an attack's constraints, where cones bend them.

From between the truth and where rows alone would lead, in steps: each goes where the target grows most within
an ellipsoid that lies about the point inside all constraints (Dikin 1967), a part of the way to the first
constraint that it meets. No point of the walk breaks a row or a cone, so what it reaches is proved; that
nothing lies beyond is not.
"""

import numpy as np
from scipy.sparse import block_diag, csr_array, diags_array
from scipy.sparse.csgraph import connected_components

from jobs.study.attack.cones import Cones
from jobs.study.attack.program import Program

Array = np.ndarray
TIGHT, NEAR = 1e-12, 1e-9
# Where a walk begins, as a part of the way to where rows alone would lead; its steps, as a part of the way to
# the first constraint; how many; and below which part of what is left a step is too slow to go on. Near a
# constraint a walk may be held up: the second begins at the truth, where there is room, in shorter steps.
WALKS = ((0.5, 0.8, 60, 1e-3), (0.0, 0.5, 200, 1e-5))


def walk(
    program: Program, cones: Cones, gain: Array, mass: Array, free: Array, enough: float, end: Array
) -> Array:
    """A change of classes with a gain of `enough`, or about the most.

    gain: of each class. mass: what each class may fall by. free: which classes may move. end: where rows
    alone would lead.
    """
    found = np.zeros(len(gain))
    within = cones.reach(np.zeros(len(gain)), end, 1.0) * end
    for begin, short, steps, slow in WALKS:
        change = walk_from(program, cones, gain, mass, free, enough, begin * within, short, steps, slow)
        if gain @ change > gain @ found:
            found = change
        if gain @ found >= enough * (1 - NEAR):
            break
    return found


def walk_from(
    program: Program, cones: Cones, gain: Array, mass: Array, free: Array, enough: float,
    change: Array, short: float, steps: int, slow: float,
) -> Array:  # fmt: skip
    """One walk from a change that breaks nothing; no change where it ends outside by rounding."""
    # A class of nothing stays: about it there is no inside.
    at = np.flatnonzero(free & (change + mass > NEAR * np.maximum(mass, 1.0)))
    rows = program.rows[:, at].toarray()
    width = program.high - program.low
    binds = np.isfinite(program.low) | np.isfinite(program.high)
    fixed, loose = rows[binds & (width <= TIGHT)], binds & (width > TIGHT)
    fixed = np.linalg.qr(fixed.T)[0].T[: np.linalg.matrix_rank(fixed)] if len(fixed) else fixed
    rows, low, high = rows[loose], program.low[loose], program.high[loose]
    size = np.maximum(mass[at], change[at] + mass[at])
    for _ in range(steps):
        now, x = rows @ change[at], change[at]
        weight = 1 / np.maximum(now - low, TIGHT) ** 2 + 1 / np.maximum(high - now, TIGHT) ** 2
        bent, slopes = cones.bend(change, at)
        # In parts of what classes have, so that numbers are alike.
        near = diags_array(1 / np.maximum(x / size + mass[at] / size, 1e-9) ** 2 + 1e-6)
        parts = diags_array(size)
        far = np.vstack([np.sqrt(weight)[:, None] * rows, slopes]) * size
        way = np.zeros(len(gain))
        try:
            way[at] = size * solve_step(near + parts @ bent @ parts, far, fixed * size, size * gain[at])
        except np.linalg.LinAlgError:
            # Too near to some constraints for a step to be computed: the walk ends where it is.
            break
        if not gain @ way > 0:
            break
        way *= enough / float(gain @ way)
        step = short * farthest(rows, low, high, cones, change, way, mass, at)
        left = 1 - float(gain @ change) / enough
        change = change + min(step, left) * way
        if step >= left or step < slow * left:
            break
    most = np.concatenate([np.where(free, np.inf, 0.0), mass])
    return change if program.is_inside(change, most) else np.zeros(len(gain))


def solve_step(near: csr_array, far: Array, fixed: Array, gain: Array) -> Array:
    """The move x that gains most within an ellipsoid: that of H x = gain where `fixed` x is nothing.

    H is near + far' far. `near` joins classes of the same respondents alone, so that its inverse is sparse,
    too, and `far` has few rows: Woodbury's identity.
    """
    inverse = invert_blocks(near)
    inner, outer = inverse @ np.column_stack([gain, fixed.T]), inverse @ far.T
    found = inner - outer @ np.linalg.solve(np.eye(len(far)) + far @ outer, far @ inner)
    if not len(fixed):
        return found[:, 0]
    price = np.linalg.solve(fixed @ found[:, 1:] + TIGHT * np.eye(len(fixed)), fixed @ found[:, 0])
    move: Array = found[:, 0] - found[:, 1:] @ price
    return move


def invert_blocks(matrix: csr_array) -> csr_array:
    """The inverse of a matrix of blocks, which its entries join in any order."""
    count, label = connected_components(matrix, directed=False)
    order = np.argsort(label, kind="stable")
    blocks = np.split(order, np.cumsum(np.bincount(label, minlength=count))[:-1])
    inverses = block_diag(
        [np.linalg.inv(matrix[block][:, block].toarray()) for block in blocks], format="csr"
    )
    back = np.argsort(order)
    found: csr_array = csr_array(inverses)[back][:, back]
    return found


def farthest(
    rows: Array, low: Array, high: Array, cones: Cones, change: Array, way: Array, mass: Array, at: Array
) -> float:
    """How far a way leads before it breaks a row, a cone or makes a class less than nothing; at most 4."""
    now, moved = rows @ change[at], rows @ way[at]
    room = np.concatenate([(high - now)[moved > 0], (low - now)[moved < 0], -(change + mass)[way < 0]])
    speed = np.concatenate([moved[moved > 0], moved[moved < 0], way[way < 0]])
    found = min(float((room / speed).min(initial=np.inf)), 4.0)
    return cones.reach(change, way, max(found, 0.0))
