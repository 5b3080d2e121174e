"""jobs.simulation: distributions, formulas and the cost of countermeasures."""

import datetime as dt
import math
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs import simulation
from jobs.contracts import REFERENCE
from jobs.errors import ObservatoryError
from jobs.simulation import FixedCost

NUMBERS = {"low": pl.Float64, "central": pl.Float64, "high": pl.Float64}
PARAMETERS = pl.read_csv(REFERENCE / "cost_parameter.csv", schema_overrides=NUMBERS)
RATES = pl.read_csv(REFERENCE / "exchange_rate.csv")
POINTS = np.array([0.05, 0.5, 0.95])


def parameters(*rows: tuple) -> pl.DataFrame:
    names = ["parameter_code", "low", "central", "high", "distribution"]
    return pl.DataFrame(
        rows, schema=dict(zip(names, (pl.String, *NUMBERS.values(), pl.String), strict=True)), orient="row"
    )


# Where the median of the triangle with its top at 0 stands between its 5 and 95% points: 35.6%.
MOST_SKEWED = (0.95**0.5 - 0.5**0.5) / (0.95**0.5 - 0.05**0.5)


# --- distributions ---


def test_lognormal_meets_its_three_points():
    assert simulation.quantile(POINTS, 0.0067, 0.02, 0.5, "lognormal") == pytest.approx([0.0067, 0.02, 0.5])


def test_lognormal_about_the_geometric_mean_is_the_plain_one():
    shares = np.array([0.01, 0.3, 0.5, 0.8, 0.999])
    sigma = math.log(100 / 1) / (2 * 1.6448536269514722)
    plain = [
        math.exp(math.log(10) + sigma * z)
        for z in (-2.3263478740408408, -0.5244005127080407, 0, 0.8416212335729143, 3.090232306167813)
    ]
    assert simulation.quantile(shares, 1, 10, 100, "lognormal") == pytest.approx(plain)


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
    assert simulation.quantile(POINTS, low, central, high, "triangular") == pytest.approx(
        [low, median, high], rel=1e-5
    )


def test_symmetric_triangle_has_known_ends():
    # Half-width 1 / (1 - sqrt(0.1)) about 2, from F(low) = 0.05.
    half = 1 / (1 - math.sqrt(0.1))
    assert simulation.quantile(np.array([0.0, 1.0]), 1, 2, 3, "triangular") == pytest.approx(
        [2 - half, 2 + half]
    )


def test_triangle_does_not_pass_zero():
    # 1 to 61 with its median at the middle would start below 0.
    values = simulation.quantile(np.linspace(0, 1, 1001), 1, 31, 61, "triangular")
    assert values.min() == 0.0 and np.all(np.diff(values) >= 0)


@settings(max_examples=100, deadline=None)
@given(
    st.floats(1e-3, 1e6),
    st.floats(1.001, 1e3),
    st.floats(1.001, 1e3),
    st.sampled_from(["lognormal", "triangular"]),
)
def test_quantiles_rise_and_meet_five_and_ninety_five_percent(low, up, further, distribution):
    central, high = low * up, low * up * further
    values = simulation.quantile(np.linspace(0.001, 0.999, 50), low, central, high, distribution)
    assert np.all(np.diff(values) >= 0)
    assert simulation.quantile(POINTS, low, central, high, distribution)[[0, 2]] == pytest.approx([low, high])


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
        simulation.quantile(POINTS, low, central, high, distribution)


# --- simulation ---


def test_all_parameters_meet_their_points():
    samples = simulation.simulate(PARAMETERS)
    assert len(samples) == PARAMETERS.height
    for row in PARAMETERS.iter_rows(named=True):
        values = samples[row["parameter_code"]]
        p05, _, p95 = simulation.quantiles(values)
        assert len(values) == 8192 and np.all(values >= 0) and np.all(np.isfinite(values))
        assert (p05, p95) == pytest.approx((row["low"], row["high"]), rel=0.01), row["parameter_code"]


def test_the_same_seed_gives_the_same_bits_in_any_order():
    first = simulation.simulate(PARAMETERS, 256, seed=7)
    second = simulation.simulate(PARAMETERS.reverse(), 256, seed=7)
    other = simulation.simulate(PARAMETERS, 256, seed=8)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not np.array_equal(first["cpu_hour"], other["cpu_hour"])


def test_parameters_vary_independently():
    samples = simulation.simulate(PARAMETERS)
    uncertain = np.array([values for values in samples.values() if values.std() > 0])
    correlation = np.corrcoef(np.argsort(np.argsort(uncertain)))
    assert np.abs(correlation - np.eye(len(uncertain))).max() < 0.05


@pytest.mark.parametrize("count", [0, -4, 1000])
def test_points_are_a_power_of_two(count):
    with pytest.raises(ValueError, match="powers of two"):
        simulation.simulate(PARAMETERS, count)


def test_one_row_for_each_parameter():
    with pytest.raises(ValueError, match="more than one row for a"):
        simulation.simulate(parameters(("a", 1, 2, 3, "triangular"), ("a", 1, 2, 3, "triangular")), 8)
    assert simulation.simulate(parameters(), 8) == {}


# --- formulas ---


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("1+2*3", 7),
        ("(1+2)*3", 9),
        ("2**-1", 0.5),
        ("-a/1e3", -0.002),
        ("a*b", 10),
        ("crf(0.05, 10)", 0.1295045749654567),
        ("a*crf(rate,years)", 2 * 0.1295045749654567),
    ],
)
def test_formulas(formula, value):
    assert simulation.evaluate(formula, {"a": 2, "b": 5, "rate": 0.05, "years": 10}) == pytest.approx(value)


@pytest.mark.parametrize(
    "formula",
    [
        "__import__('os').system('true')",
        "a.real",
        "a[0]",
        "print(a)",
        "crf(a)",
        "crf(rate=a, years=a)",
        "crf",
        "unknown + 1",
        "a if a else a",
        "[a for a in a]",
        "lambda: a",
        "a < 1",
        "a and a",
        "a // 2",
        "a % 2",
        "'a' * 2",
        "True + 1",
        "1j",
        "(a := 3)",
        "a; a",
        "",
        "f'{a}'",
        "\0",
    ],
)
def test_formulas_hold_arithmetic_only(formula):
    with pytest.raises(ObservatoryError):
        simulation.evaluate(formula, {"a": 2.0})


def test_every_formula_of_the_table_is_understood():
    known = {"discount_rate": 0.06, "rate": 0.06, "years": 5.0}
    formulas = [text for text in PARAMETERS["driver_formula"] if text and "=" not in text]
    assert len(formulas) > 50
    samples = simulation.simulate(PARAMETERS, 8)
    for formula in formulas:
        drivers = dict.fromkeys(simulation.names_in(formula) - samples.keys() - known.keys(), 1000.0)
        assert np.all(np.isfinite(simulation.evaluate(formula, samples | known | drivers)))


# --- cost ---


def effort(*rows: dict) -> pl.DataFrame:
    base = {
        "operator_id": "lab",
        "period_date": dt.date(2026, 11, 24),
        "channel_code": "EMAIL",
        "countermeasure_code": "CONTENT_FILTER",
        "strategy_code": "filtering",
        "units_examined": 0,
        "units_acted": 0,
        "filter_us": 0,
        "received_bytes": 0,
        "quarantined_bytes": 0,
    }
    return pl.DataFrame([base | row for row in rows])


def only(table: pl.DataFrame, channel: str, measure: str, component: str) -> dict:
    rows = table.filter(channel_code=channel, countermeasure_code=measure, cost_component_code=component)
    assert rows.height == 1
    return rows.row(0, named=True)


def points(row: dict) -> list[float]:
    return [float(row[name]) for name in ("amount_p05", "amount_p50", "amount_p95")]


def certain(table: pl.DataFrame) -> pl.DataFrame:
    """The parameters with their central values for sure."""
    return table.with_columns(low="central", high="central", distribution=pl.lit("fixed"))


def test_marginal_cost_is_effort_times_price():
    rows = effort(
        {
            "units_examined": 1000,
            "units_acted": 250,
            "filter_us": 3_600_000_000,
            "received_bytes": 4 * 10**9,
            "quarantined_bytes": 10**9,
        },
        {"countermeasure_code": "DNSBL", "strategy_code": "network", "units_examined": 10**6},
    )
    table = simulation.cost(rows, certain(PARAMETERS), [], RATES, "USD")
    # One CPU hour with overhead, a gigabyte of spam received, a gigabyte twice for 14 days.
    expected = 0.042 * 1.4 + 0.0037 + 1 * 14 / 30.4375 * 0.023 * 2
    assert points(only(table, "EMAIL", "CONTENT_FILTER", "marginal")) == pytest.approx(
        [expected] * 3, abs=1e-4
    )
    # Three lookups for each of a million connections.
    assert points(only(table, "EMAIL", "DNSBL", "marginal")) == pytest.approx([0.15] * 3, abs=1e-4)
    assert only(table, "EMAIL", "DNSBL", "marginal")["strategy_code"] == "network"
    assert points(only(table, "_T", "_T", "total")) == pytest.approx([expected + 0.15] * 3, abs=2e-4)


def test_without_logged_time_content_filters_take_the_assumed_time():
    table = simulation.cost(effort({"units_examined": 1_800_000}), certain(PARAMETERS), [], RATES, "USD")
    assert points(only(table, "EMAIL", "CONTENT_FILTER", "marginal"))[1] == pytest.approx(
        10 * 0.042 * 1.4, abs=1e-4
    )


def test_amounts_are_in_the_operators_currency_or_else_in_usd():
    rows = effort({"filter_us": 36 * 10**11})
    usd = simulation.cost(rows, certain(PARAMETERS), [], RATES, "USD")
    francs = simulation.cost(rows, certain(PARAMETERS), [], RATES, "CHF")
    other = simulation.cost(rows, certain(PARAMETERS), [], RATES, "XTS")
    rate = RATES.filter(currency_code="CHF")["usd_per_unit"].item()
    assert set(francs["currency_code"]) == {"CHF"} and set(other["currency_code"]) == {"USD"}
    assert points(only(francs, "_T", "_T", "total"))[1] * rate == pytest.approx(
        points(only(usd, "_T", "_T", "total"))[1], abs=1e-3
    )
    assert other.equals(usd)


def test_an_uncertain_rate_widens_the_interval():
    rows = effort({"filter_us": 36 * 10**12})
    p05, p50, p95 = points(
        only(simulation.cost(rows, certain(PARAMETERS), [], RATES, "FJD"), "_T", "_T", "total")
    )
    assert p05 < p50 < p95
    assert p95 / p05 == pytest.approx(0.47 / 0.41, rel=0.01)


def test_fixed_cost_is_charged_for_the_days_with_data():
    figures = [
        FixedCost("licence", "CONTENT_FILTER", "EMAIL", 3600, 3600, 3600, "CHF"),
        FixedCost("staff", "_T", "EMAIL", 600, 600, 600, "CHF", per="month"),
    ]
    rows = effort(
        {"filter_us": 1},
        {"filter_us": 1, "period_date": dt.date(2026, 11, 23)},
        {"period_date": dt.date(2026, 10, 1)},
    )
    table = simulation.cost(rows, PARAMETERS, figures, RATES, "CHF")
    november, october = table.filter(period_code="2026-11"), table.filter(period_code="2026-10")
    assert points(only(november, "EMAIL", "CONTENT_FILTER", "fixed")) == pytest.approx([300 * 2 / 30] * 3)
    assert points(only(november, "EMAIL", "_T", "fixed")) == pytest.approx([900 * 2 / 30] * 3)
    assert points(only(october, "_T", "_T", "fixed")) == pytest.approx([900 / 31] * 3, abs=1e-4)
    assert set(november["day_count"]) == {2} and set(october["day_count"]) == {1}


def test_a_total_without_fixed_figures_is_a_lower_bound():
    rows = effort(
        {"filter_us": 10**12},
        {"countermeasure_code": "DNSBL", "units_examined": 10},
        {"channel_code": "SMS", "countermeasure_code": "NUMBER_BLOCKLIST", "units_examined": 10},
    )
    licence = FixedCost("licence", "CONTENT_FILTER", "EMAIL", 1, 2, 3, "EUR")
    firewall = FixedCost("firewall", "_T", "SMS", 0, 2, 3, "EUR")

    def bounds(*figures: FixedCost) -> dict[tuple[str, str, str], bool]:
        table = simulation.cost(rows, PARAMETERS, figures, RATES, "EUR")
        keys = table.select("channel_code", "countermeasure_code", "cost_component_code").rows()
        return dict(zip(keys, table["is_lower_bound"], strict=True))

    none, mail, both = bounds(), bounds(licence), bounds(licence, firewall)
    assert all(none[key] for key in none if key[2] == "total") and not any(key[2] == "fixed" for key in none)
    assert not mail["EMAIL", "CONTENT_FILTER", "total"] and not mail["EMAIL", "_T", "total"]
    assert mail["EMAIL", "DNSBL", "total"] and mail["SMS", "_T", "total"] and mail["_T", "_T", "total"]
    assert not both["SMS", "_T", "total"] and not both["_T", "_T", "total"]
    # Nothing prices a number list from logs.
    assert both["SMS", "NUMBER_BLOCKLIST", "marginal"] and not both["EMAIL", "CONTENT_FILTER", "marginal"]


def test_intervals_of_a_total_are_narrower_than_sums_of_points():
    figures = [FixedCost(name, "CONTENT_FILTER", "EMAIL", 10, 30, 90, "USD") for name in ("a", "b", "c")]
    table = simulation.cost(effort({"filter_us": 1}), PARAMETERS, figures, RATES, "USD")
    share = 1 / 30 / 12
    p05, p50, p95 = points(only(table, "EMAIL", "CONTENT_FILTER", "fixed"))
    assert 3 * 10 * share < p05 < p50 < p95 < 3 * 90 * share


def test_cost_is_the_same_whatever_the_order_and_split_of_effort():
    days = [dt.date(2026, 11, day) for day in (1, 2, 3)]
    rows = [
        {"period_date": day, "countermeasure_code": code, "filter_us": 10**10, "units_examined": 7}
        for day in days
        for code in ("CONTENT_FILTER", "DNSBL")
    ]
    figures = [FixedCost("licence", "CONTENT_FILTER", "EMAIL", 10, 20, 90, "GBP")]
    first = simulation.cost(effort(*rows), PARAMETERS, figures, RATES, "NPR")
    second = simulation.cost(effort(*rows[::-1]), PARAMETERS.reverse(), figures, RATES.reverse(), "NPR")
    assert first.equals(second)
    assert first.select(
        pl.all_horizontal(
            pl.col("amount_p05") <= pl.col("amount_p50"), pl.col("amount_p50") <= pl.col("amount_p95")
        ).all()
    ).item()
    assert first["amount_p50"].dtype == pl.Decimal(20, 4) and isinstance(first["amount_p50"][0], Decimal)


def test_no_effort_no_cost_and_no_rate_no_guess():
    assert simulation.cost(effort({}).clear(), PARAMETERS, [], RATES, "CHF").schema == pl.Schema(
        simulation.COST
    )
    with pytest.raises(ObservatoryError, match="no rate for XTS"):
        simulation.cost(effort({}), PARAMETERS, [FixedCost("a", "_T", "EMAIL", 1, 2, 3, "XTS")], RATES, "XTS")
