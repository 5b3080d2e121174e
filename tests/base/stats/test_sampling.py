"""jobs.base.stats.sampling: Sobol points through the distributions of parameters."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.stats import sampling
from jobs.base.tables.contracts import REFERENCE
from tests.support.examples import examples

NUMBERS = {"low": pl.Float64, "central": pl.Float64, "high": pl.Float64}
PARAMETERS = pl.read_csv(REFERENCE / "cost_parameter.csv", schema_overrides=NUMBERS)
POINTS = np.array([0.05, 0.5, 0.95])


def parameters(*rows: tuple) -> pl.DataFrame:
    names = ["parameter_code", "low", "central", "high", "distribution"]
    return pl.DataFrame(
        rows, schema=dict(zip(names, (pl.String, *NUMBERS.values(), pl.String), strict=True)), orient="row"
    )


# Where the median of the triangle with its top at 0 stands between its 5 and 95% points: 35.6%.
MOST_SKEWED = (0.95**0.5 - 0.5**0.5) / (0.95**0.5 - 0.05**0.5)


def test_lognormal_meets_its_three_points():
    assert sampling.distribution_quantile(POINTS, 0.0067, 0.02, 0.5, "lognormal") == pytest.approx(
        [0.0067, 0.02, 0.5]
    )


def test_lognormal_about_the_geometric_mean_is_the_plain_one():
    shares = np.array([0.01, 0.3, 0.5, 0.8, 0.999])
    sigma = math.log(100 / 1) / (2 * 1.6448536269514722)
    plain = [
        math.exp(math.log(10) + sigma * z)
        for z in (-2.3263478740408408, -0.5244005127080407, 0, 0.8416212335729143, 3.090232306167813)
    ]
    assert sampling.distribution_quantile(shares, 1, 10, 100, "lognormal") == pytest.approx(plain)


@pytest.mark.parametrize(
    ("low", "central", "high", "median"),
    [
        (1, 2, 3, 2),
        (10, 25, 50, 25),
        # No triangle is more skewed than one with its top at an end.
        (12, 24, 60, 12 + 48 * MOST_SKEWED),
        (1600, 2000, 2080, 2080 - 480 * MOST_SKEWED),
    ],
)
def test_triangle_meets_its_ends_and_the_median_if_it_can(low, central, high, median):
    assert sampling.distribution_quantile(POINTS, low, central, high, "triangular") == pytest.approx(
        [low, median, high], rel=1e-5
    )


def test_symmetric_triangle_has_known_ends():
    # Half-width 1 / (1 - sqrt(0.1)) about 2, from F(low) = 0.05.
    half = 1 / (1 - math.sqrt(0.1))
    assert sampling.distribution_quantile(np.array([0.0, 1.0]), 1, 2, 3, "triangular") == pytest.approx(
        [2 - half, 2 + half]
    )


def test_triangle_does_not_pass_zero():
    # 1 to 61 with its median at the middle would start below 0.
    values = sampling.distribution_quantile(np.linspace(0, 1, 1001), 1, 31, 61, "triangular")
    assert values.min() == 0.0 and np.all(np.diff(values) >= 0)


@examples(100)
@given(
    st.floats(1e-3, 1e6),
    st.floats(1.001, 1e3),
    st.floats(1.001, 1e3),
    st.sampled_from(["lognormal", "triangular"]),
)
def test_quantiles_rise_and_meet_five_and_ninety_five_percent(low, up, further, distribution):
    central, high = low * up, low * up * further
    values = sampling.distribution_quantile(np.linspace(0.001, 0.999, 50), low, central, high, distribution)
    assert np.all(np.diff(values) >= 0)
    assert sampling.distribution_quantile(POINTS, low, central, high, distribution)[[0, 2]] == pytest.approx(
        [low, high]
    )


@pytest.mark.parametrize(
    ("low", "central", "high", "distribution", "told"),
    [
        (2, 1, 3, "triangular", "must not fall"),
        (0, 1, 3, "lognormal", "above 0"),
        (1, 2, 3, "normal", "unknown distribution"),
    ],
)
def test_impossible_distributions(low, central, high, distribution, told):
    with pytest.raises(ValueError, match=told):
        sampling.distribution_quantile(POINTS, low, central, high, distribution)


# --- simulation ---


def test_all_parameters_meet_their_points():
    samples = sampling.sample_parameters(PARAMETERS)
    assert len(samples) == PARAMETERS.height
    for row in PARAMETERS.iter_rows(named=True):
        values = samples[row["parameter_code"]]
        p05, _, p95 = sampling.three_quantiles(values)
        assert len(values) == 8192 and np.all(values >= 0) and np.all(np.isfinite(values))
        assert (p05, p95) == pytest.approx((row["low"], row["high"]), rel=0.01), row["parameter_code"]


def test_the_same_seed_gives_the_same_bits_in_any_order():
    first = sampling.sample_parameters(PARAMETERS, 256, seed=7)
    second = sampling.sample_parameters(PARAMETERS.reverse(), 256, seed=7)
    other = sampling.sample_parameters(PARAMETERS, 256, seed=8)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not np.array_equal(first["cpu_hour"], other["cpu_hour"])


def test_parameters_vary_independently():
    samples = sampling.sample_parameters(PARAMETERS)
    uncertain = np.array([values for values in samples.values() if values.std() > 0])
    correlation = np.corrcoef(np.argsort(np.argsort(uncertain)))
    assert np.abs(correlation - np.eye(len(uncertain))).max() < 0.05


@pytest.mark.parametrize("count", [0, -4, 1000])
def test_points_are_a_power_of_two(count):
    with pytest.raises(ValueError, match="powers of two"):
        sampling.sample_parameters(PARAMETERS, count)


def test_one_row_for_each_parameter():
    with pytest.raises(ValueError, match="more than one row for a"):
        sampling.sample_parameters(parameters(("a", 1, 2, 3, "triangular"), ("a", 1, 2, 3, "triangular")), 8)
    assert sampling.sample_parameters(parameters(), 8) == {}
