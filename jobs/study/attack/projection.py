"""How far contributions can surely move: an argument of geometry, which needs no program.

m is what an attacker has not seen of each class, s how far each row is from its nearer bound, and P the
orthogonal projection onto the vectors that B = (rows diag(m), diag(s)) maps to nothing. For a target with the
factors g take u = (m g, 0) and d = P u / |P u|. To change the classes by m d

- breaks no row: B d = 0, so a row changes by its s times an entry of d, and no entry of d is beyond 1;
- leaves no class less than nothing, since it moves none by more than its m;
- moves the target by g . (m d) = u . P u / |P u| = |P u|.

The opposite change does the same the other way. So whoever cannot exclude a move by |P u| finds nothing.
|P u|² = |u|² - |Q' u|², where the columns of Q are an orthonormal basis of the rows of B; of a single class
(|Q' u| / |u|)² is its leverage on the published figures. Rows that say the same twice, and rounding, only add
columns to Q, so that less moves.

Published variances are cones (jobs/study/attack/cones.py): with a smaller m and rows that bound some sums, d
breaks none of them, either.

An attacker has a smaller m, k times that of anyone, of the classes that it has seen. Q is that of anyone, Q_o
its rows of these classes, D = 1 - k² of each, and z = Q' k u. Then |Q' u|² is |z|² + |w|² with
w = (I - D½ Q_o Q_o' D½)^-½ D½ Q_o z, by the formula of Sherman, Morrison and Woodbury.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from jobs.study.attack.program import Program

Array = np.ndarray
# By how much an eigenvalue may be computed too large, and the least that it is taken for: both make what
# moves for sure less.
ROUNDED, NOTHING = 1e-12, 1e-16


@dataclass(frozen=True)
class Moves:
    """Moves of targets by an attacker's view. numbers: of pairs of side and target. lack: how far each is
    from its goal. free: |u|² - |z|². along: z."""

    numbers: Array
    lack: Array
    free: Array
    along: Array

    @cached_property
    def squares(self) -> Array:
        """|z|² of each, which all attackers share."""
        found: Array = np.einsum("ij,ij->i", self.along, self.along)
        return found

    def square_reach(self, weights: Array) -> Array:
        """The squares of how far they move. weights: of Projection.weigh_seen()."""
        found: Array = self.free - ((self.along @ weights.T) ** 2).sum(axis=1)
        return found

    def find_short(self, weights: Array) -> Array:
        """Which of them may not reach their goal. Of most the largest |w| that weights make of any z as long
        as theirs shows that they do."""
        largest = np.linalg.norm(weights @ weights.T, 2)
        found: Array = self.free - largest * self.squares < self.lack**2
        left = np.flatnonzero(found)
        nearer = Moves(self.numbers[left], self.lack[left], self.free[left], self.along[left])
        found[left] = nearer.square_reach(weights) < nearer.lack**2
        return found


class Projection:
    """The projection of a program's rows, and of sums that cones bound. mass: what anyone has not seen of
    each class, as far as cones let it move. sums: of changes in parts of this mass. most: of each."""

    def __init__(self, program: Program, mass: Array, sums: Array, most: Array) -> None:
        spare = np.minimum(-program.low, program.high)
        binds = np.isfinite(spare)
        rows = np.vstack([program.rows[binds].toarray() * mass, sums])
        both = np.hstack([rows, np.diag(np.concatenate([spare[binds], most]))])
        self.mass = mass
        self.basis: Array = np.linalg.qr(both.T)[0][: len(mass)]

    def project_targets(self, factors: csr_array, mass: Array) -> tuple[Array, Array]:
        """|u|² - |z|² and z of targets. factors: targets x classes. mass: what an attacker has not seen."""
        ratio = np.divide(mass, self.mass, out=np.zeros(len(mass)), where=self.mass > 0)
        scaled = factors.copy()
        scaled.data *= mass[factors.indices]
        length = scaled.power(2).sum(axis=1)
        scaled.data *= ratio[factors.indices]
        along = scaled @ self.basis
        return length - np.einsum("ij,ij->i", along, along), along

    def weigh_seen(self, mass: Array) -> Array:
        """The matrix that makes w of z, for an attacker who has not seen this mass."""
        seen = np.flatnonzero(mass < self.mass)
        lost = np.sqrt(1 - (mass[seen] / self.mass[seen]) ** 2)[:, None] * self.basis[seen]
        values, vectors = np.linalg.eigh(np.eye(len(seen)) - lost @ lost.T)
        found: Array = (vectors / np.sqrt(np.maximum(values - ROUNDED, NOTHING))).T @ lost
        return found
