"""A walk through the inside of an attack's constraints, where cones bend them.

From between the truth and where rows alone would lead, in steps: each goes where the target grows most within
an ellipsoid that lies about the point inside all constraints (Dikin 1967), a part of the way to the first
constraint that it meets. No point of the walk breaks a row or a cone, so what it reaches is proved; that
nothing lies beyond is not.
"""

import numpy as np

from jobs.study.attack.cones import Cones
from jobs.study.attack.program import Program

Array = np.ndarray
BEGIN, STEPS, SHORT, SLOW, TIGHT, NEAR = 0.5, 60, 0.8, 1e-3, 1e-12, 1e-9


def walk(
    program: Program, cones: Cones, gain: Array, mass: Array, free: Array, enough: float, end: Array
) -> Array:
    """A change of classes with a gain of `enough`, or about the most.

    gain: of each class. mass: what each class may fall by. free: which classes may move. end: where rows
    alone would lead; the walk begins on the way there.
    """
    change = BEGIN * cones.reach(np.zeros(len(gain)), end, 1.0) * end
    # A class of nothing stays: about it there is no inside.
    at = np.flatnonzero(free & (change + mass > NEAR * np.maximum(mass, 1.0)))
    rows = program.rows[:, at].toarray()
    width = program.high - program.low
    binds = np.isfinite(program.low) | np.isfinite(program.high)
    fixed, loose = rows[binds & (width <= TIGHT)], binds & (width > TIGHT)
    fixed = np.linalg.qr(fixed.T)[0].T[: np.linalg.matrix_rank(fixed)] if len(fixed) else fixed
    rows, low, high = rows[loose], program.low[loose], program.high[loose]
    size = np.maximum(mass[at], change[at] + mass[at])
    for _ in range(STEPS):
        now, x = rows @ change[at], change[at]
        weight = 1 / np.maximum(now - low, TIGHT) ** 2 + 1 / np.maximum(high - now, TIGHT) ** 2
        bent = rows.T @ (weight[:, None] * rows) + cones.bend(change, at)
        bent += np.diag(1 / np.maximum(x + mass[at], 1e-9 * size) ** 2 + 1e-6 / size**2)
        # In parts of what classes have, so that numbers are alike.
        scaled = size[:, None] * bent * size
        both = np.block([[scaled, (fixed * size).T], [fixed * size, -TIGHT * np.eye(len(fixed))]])
        right = np.concatenate([size * gain[at], np.zeros(len(fixed))])
        way = np.zeros(len(gain))
        way[at] = size * np.linalg.solve(both, right)[: len(at)]
        if not gain @ way > 0:
            break
        way *= enough / float(gain @ way)
        step = SHORT * farthest(rows, low, high, cones, change, way, mass, at)
        left = 1 - float(gain @ change) / enough
        change = change + min(step, left) * way
        if step >= left or step < SLOW * left:
            break
    most = np.concatenate([np.where(free, np.inf, 0.0), mass])
    return change if program.is_inside(change, most) else np.zeros(len(gain))


def farthest(
    rows: Array, low: Array, high: Array, cones: Cones, change: Array, way: Array, mass: Array, at: Array
) -> float:
    """How far a way leads before it breaks a row, a cone or makes a class less than nothing; at most 4."""
    now, moved = rows @ change[at], rows @ way[at]
    room = np.concatenate([(high - now)[moved > 0], (low - now)[moved < 0], -(change + mass)[way < 0]])
    speed = np.concatenate([moved[moved > 0], moved[moved < 0], way[way < 0]])
    found = min(float((room / speed).min(initial=np.inf)), 4.0)
    return cones.reach(change, way, max(found, 0.0))
