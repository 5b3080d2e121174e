"""Scrambled Sobol points: those of scipy.stats.qmc.Sobol, bit for bit.

The import of scipy.stats takes longer than most commands. SciPy's table of direction numbers (Joe and Kuo,
SIAM J. Sci. Comput. 30, 2008) is read without it; where SciPy has no such file, it makes the points itself.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

BITS = 30
# Of commands that read, some import this module and none needs SciPy, whose import they would wait for.
SCIPY = find_spec("scipy")
TABLE = (
    Path(SCIPY.origin if SCIPY and SCIPY.origin else "").with_name("stats") / "_sobol_direction_numbers.npz"
)


def sobol_points(dimensions: int, count: int, rng: np.random.Generator, bits: int = BITS) -> np.ndarray:
    """The first `count` points (a power of two) in [0, 1), one in each row; scrambled by a random linear
    matrix and a random shift (Matousek 1998)."""
    if count < 1 or count & (count - 1):
        raise ValueError(f"{count} points: Sobol points are balanced for powers of two only")
    if not TABLE.is_file():
        from scipy.stats import qmc

        return np.asarray(qmc.Sobol(dimensions, scramble=True, bits=bits, rng=rng).random(count))
    (rng,) = rng.spawn(1)
    kind = np.uint32 if bits <= 32 else np.uint64
    ones = rng.integers(2, size=(dimensions, bits), dtype=kind)
    shift = np.dot(ones, 2 ** np.arange(bits, dtype=kind))
    matrix = np.tril(rng.integers(2, size=(dimensions, bits, bits), dtype=kind))
    vectors = scramble_directions(direction_numbers(dimensions, bits), matrix, bits).astype(kind)
    found = shift.reshape(1, -1)
    # Points come in the order of Gray code: the second half is the first one backwards with one bit changed.
    for place in range(count.bit_length() - 1):
        found = np.concatenate([found, found[::-1] ^ vectors[:, place]])
    return found * (1.0 / 2**bits)


@cache
def direction_numbers(dimensions: int, bits: int) -> np.ndarray:
    """The direction numbers of each dimension, as integers of `bits` bits."""
    with np.load(TABLE) as known:
        polynomials, starts = known["poly"][:dimensions].tolist(), known["vinit"][:dimensions].tolist()
    table = np.empty((dimensions, bits), dtype=np.uint64)
    for row, (polynomial, start) in enumerate(zip(polynomials, starts, strict=True)):
        # A polynomial as the number that its coefficients write in binary, and as many numbers as its degree.
        degree = polynomial.bit_length() - 1
        found = start[:degree] if degree else [1] * bits
        for place in range(len(found), bits):
            value = found[place - degree]
            for step in range(1, degree + 1):
                if polynomial >> (degree - step) & 1:
                    value ^= found[place - step] << step
            found.append(value)
        table[row] = [value << (bits - 1 - place) for place, value in enumerate(found)]
    return table


def scramble_directions(vectors: np.ndarray, matrix: np.ndarray, bits: int) -> np.ndarray:
    """The direction numbers after a lower triangular matrix of bits for each dimension, its diagonal ones."""
    places = np.arange(bits)
    matrix[:, places, places] = 1
    # The highest bit first; sums of at most 64 ones are exact in floating point, whose products are quick.
    shifts = (bits - 1 - places).astype(np.uint64)
    ones = (vectors[:, None, :] >> shifts[None, :, None]) & np.uint64(1)
    sums = np.matmul(matrix.astype(np.float64), ones.astype(np.float64))
    return np.bitwise_or.reduce((sums.astype(np.uint64) & np.uint64(1)) << shifts[None, :, None], axis=1)
