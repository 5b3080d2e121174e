"""Distance that contributions can surely move: an argument of geometry, which needs no program.

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
w = (I - D½ Q_o Q_o' D½)^-½ D½ Q_o z, by the formula of Sherman, Morrison and Woodbury. With G = Q Q' that is
|z|² = k u . G k u and Q_o z = G_o k u, and u has few entries.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from jobs.study.attack.linear_program import Program

Array = np.ndarray
# By how much an eigenvalue may be computed too large, and the least that it is taken for: both make what
# moves for sure less.
ROUNDED, NOTHING = 1e-12, 1e-16
# Of so many targets at a time products over all classes are held.
TOGETHER = 512


@dataclass(frozen=True)
class Moves:
    """Moves of targets by an attacker's view.

    Attributes:
        numbers: of pairs of side and target.
        lack: how far each is from its goal.
        free: |u|² - |z|².
        seen: k u.
    """

    numbers: Array
    lack: Array
    free: Array
    seen: csr_array

    def square_reach(self, lost: Array) -> Array:
        """The squares of how far they move.

        Args:
            lost: of Projection.weigh_seen().
        """
        found: Array = self.free - ((self.seen @ lost) ** 2).sum(axis=1)
        return found

    def find_short(self, lost: Array) -> Array:
        """Return a mask of the targets that may not reach their goal."""
        found: Array = self.square_reach(lost) < self.lack**2
        return found


class Projection:
    """The projection of a program's rows, and of sums that cones bound.

    Attributes:
        mass: what anyone has not seen of each class, as far as cones let it move.
        sums: of changes in parts of this mass.
        most: of each.
    """

    def __init__(self, program: Program, mass: Array, sums: Array, most: Array) -> None:
        spare = np.minimum(-program.low, program.high)
        binds = np.isfinite(spare)
        rows = np.vstack([program.rows[binds].toarray() * mass, sums])
        both = np.hstack([rows, np.diag(np.concatenate([spare[binds], most]))])
        self.mass = mass
        basis = np.linalg.qr(both.T)[0][: len(mass)]
        self.gram: Array = basis @ basis.T

    def project_targets(self, factors: csr_array, mass: Array) -> tuple[Array, csr_array]:
        """|u|² - |z|² and k u of targets.

        Args:
            factors: targets x classes.
            mass: what an attacker has not seen.
        """
        ratio = np.divide(mass, self.mass, out=np.zeros(len(mass)), where=self.mass > 0)
        scaled = factors.copy()
        scaled.data *= mass[factors.indices]
        length = scaled.power(2).sum(axis=1)
        scaled.data *= ratio[factors.indices]
        squares = [np.zeros(0)]
        for start in range(0, scaled.shape[0], TOGETHER):
            some = scaled[start : start + TOGETHER]
            squares.append(some.multiply(some @ self.gram).sum(axis=1))
        return length - np.concatenate(squares), scaled

    def weigh_seen(self, mass: Array) -> Array:
        """The matrix that makes w of k u, for an attacker who has not seen this mass: classes x seen
        classes."""
        seen = np.flatnonzero(mass < self.mass)
        root = np.sqrt(1 - (mass[seen] / self.mass[seen]) ** 2)
        of_seen = self.gram[seen]
        values, vectors = np.linalg.eigh(np.eye(len(seen)) - root[:, None] * of_seen[:, seen] * root)
        found: Array = of_seen.T @ (root[:, None] * vectors / np.sqrt(np.maximum(values - ROUNDED, NOTHING)))
        return found
