"""jobs.simulation: the cost of countermeasures."""

import datetime as dt
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from jobs import simulation
from jobs.contracts import REFERENCE
from jobs.errors import ObservatoryError
from jobs.formula import evaluate, names_in
from jobs.sampling import simulate
from jobs.simulation import FixedCost

NUMBERS = {"low": pl.Float64, "central": pl.Float64, "high": pl.Float64}
PARAMETERS = pl.read_csv(REFERENCE / "cost_parameter.csv", schema_overrides=NUMBERS)
RATES = pl.read_csv(REFERENCE / "exchange_rate.csv")


def test_every_formula_of_the_table_is_understood():
    known = {"discount_rate": 0.06, "rate": 0.06, "years": 5.0}
    formulas = [text for text in PARAMETERS["driver_formula"] if text and "=" not in text]
    assert len(formulas) > 50
    samples = simulate(PARAMETERS, 8)
    for formula in formulas:
        drivers = dict.fromkeys(names_in(formula) - samples.keys() - known.keys(), 1000.0)
        assert np.all(np.isfinite(evaluate(formula, samples | known | drivers)))


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
    # One CPU hour, a gigabyte of spam received, a gigabyte twice for 14 days.
    expected = 0.042 + 0.0037 + 1 * 14 / 30.4375 * 0.023 * 2
    assert points(only(table, "EMAIL", "CONTENT_FILTER", "marginal")) == pytest.approx(
        [expected] * 3, abs=1e-4
    )
    # Three lookups for each of a million connections.
    assert points(only(table, "EMAIL", "DNSBL", "marginal")) == pytest.approx([0.15] * 3, abs=1e-4)
    assert only(table, "EMAIL", "DNSBL", "marginal")["strategy_code"] == "network"
    assert points(only(table, "_T", "_T", "total")) == pytest.approx([expected + 0.15] * 3, abs=2e-4)


def test_power_and_servers_are_charged_once():
    """The price of an hour of computing includes them; a share for them on top counted them twice."""
    overhead = pl.col("parameter_code") == "infrastructure_overhead_rate"
    prices = certain(PARAMETERS).with_columns(
        pl.when(overhead).then(pl.lit(9.0)).otherwise(pl.col(name)).alias(name) for name in NUMBERS
    )
    table = simulation.cost(effort({"filter_us": 3_600_000_000}), prices, [], RATES, "USD")
    assert points(only(table, "EMAIL", "CONTENT_FILTER", "marginal"))[1] == pytest.approx(0.042, abs=1e-4)


def test_without_logged_time_content_filters_take_the_assumed_time():
    table = simulation.cost(effort({"units_examined": 1_800_000}), certain(PARAMETERS), [], RATES, "USD")
    assert points(only(table, "EMAIL", "CONTENT_FILTER", "marginal"))[1] == pytest.approx(
        10 * 0.042, abs=1e-4
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
