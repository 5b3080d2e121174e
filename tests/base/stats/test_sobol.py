"""jobs.base.stats.sobol: the points of scipy, without its statistics."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import qmc, sobol_indices, uniform

from jobs.base.stats import sobol
from jobs.base.stats.sensitivity import estimate_indices


@pytest.mark.parametrize("bits", [30, 64])
@pytest.mark.parametrize("dimensions", [1, 2, 9, 70, 256, 257])
@pytest.mark.parametrize("power", [0, 1, 10])
def test_points_are_those_of_scipy_to_the_bit(dimensions: int, power: int, bits: int) -> None:
    given = (np.random.default_rng(52) for _ in range(2))
    theirs = qmc.Sobol(dimensions, scramble=True, bits=bits, rng=next(given)).random_base2(power)
    ours = sobol.sobol_points(dimensions, 2**power, next(given), bits)
    assert ours.dtype == theirs.dtype and np.array_equal(ours, theirs)


def test_points_are_balanced_for_powers_of_two_only() -> None:
    with pytest.raises(ValueError, match="12 points"):
        sobol.sobol_points(2, 12, np.random.default_rng(1))


def ishigami(shares: np.ndarray) -> np.ndarray:
    one, two, three = 2 * np.pi * (shares - 0.5)
    return np.asarray(np.sin(one) + 7 * np.sin(two) ** 2 + 0.1 * three**4 * np.sin(one))


def test_sensitivity_indices_are_those_of_scipy_and_of_the_books() -> None:
    """The function of Ishigami and Homma (1990), of which the indices are known exactly."""
    first, whole = estimate_indices(ishigami, 3, 2**12, 52)
    theirs = sobol_indices(func=ishigami, n=2**12, dists=[uniform()] * 3, rng=np.random.default_rng(52))
    assert first == pytest.approx(theirs.first_order, rel=1e-12, abs=1e-12)
    assert whole == pytest.approx(theirs.total_order, rel=1e-12, abs=1e-12)
    assert first == pytest.approx([0.3139, 0.4424, 0.0], abs=0.02)
    assert whole == pytest.approx([0.5576, 0.4424, 0.2437], abs=0.02)


def test_a_constant_has_no_sensitivity() -> None:
    first, whole = estimate_indices(lambda shares: np.ones(shares.shape[1]), 2, 16, 1)
    assert not first.any() and not whole.any()


@pytest.mark.long
def test_simulation_loads_no_statistics_of_scipy() -> None:
    modules = "jobs.base.costs.simulation, jobs.base.stats.sensitivity"
    script = f"import sys, {modules}; sys.exit('scipy.stats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
