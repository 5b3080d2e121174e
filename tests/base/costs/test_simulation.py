"""jobs.base.costs.simulation: the cost of countermeasures."""

import datetime as dt
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.core.errors import ObservatoryError
from jobs.base.costs import simulation
from jobs.base.costs.prices import FixedCost
from jobs.base.stats.formula import evaluate_formula, names_in
from jobs.base.stats.sampling import sample_parameters
from jobs.base.tables.contracts import REFERENCE
from tests.support.examples import examples

NUMBERS = {"low": pl.Float64, "central": pl.Float64, "high": pl.Float64}
PARAMETERS = pl.read_csv(REFERENCE / "cost_parameter.csv", schema_overrides=NUMBERS)
RATES = pl.read_csv(REFERENCE / "exchange_rate.csv")


def test_every_formula_of_the_table_is_understood():
    known = {"discount_rate": 0.06, "rate": 0.06, "years": 5.0}
    formulas = [text for text in PARAMETERS["driver_formula"] if text and "=" not in text]
    assert len(formulas) > 50
    samples = sample_parameters(PARAMETERS, 8)
    for formula in formulas:
        drivers = dict.fromkeys(names_in(formula) - samples.keys() - known.keys(), 1000.0)
        assert np.all(np.isfinite(evaluate_formula(formula, samples | known | drivers)))


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
    table = simulation.simulate_costs(rows, certain(PARAMETERS), [], RATES, "USD")
    # One CPU hour, a gigabyte of spam received, a gigabyte twice for 14 days.
    expected = 0.042 + 0.0037 + 1 * 14 / 30.4375 * 0.023 * 2
    assert points(only(table, "EMAIL", "CONTENT_FILTER", "marginal")) == pytest.approx(
        [expected] * 3, abs=1e-4
    )
    # Three lookups for each of a million connections.
    assert points(only(table, "EMAIL", "DNSBL", "marginal")) == pytest.approx([0.15] * 3, abs=1e-4)
    assert only(table, "EMAIL", "DNSBL", "marginal")["strategy_code"] == "network"
    assert points(only(table, "_T", "_T", "total")) == pytest.approx([expected + 0.15] * 3, abs=2e-4)


def test_texts_and_calls_are_priced_as_a_service_would_be():
    """Managed filters of texts and of calls are bought by the million; nothing else prices such a filter."""
    for channel, measure, price in (
        ("SMS", "CONTENT_FILTER", 100.0),
        ("MMS", "CONTENT_FILTER", 100.0),
        ("VOICE_CS", "CALL_ANALYTICS", 30.0),
        ("VOICE_IP", "CALL_ANALYTICS", 30.0),
        ("RCS", "CONTENT_FILTER", 50.0),
    ):
        rows = effort({"channel_code": channel, "countermeasure_code": measure, "units_examined": 3_000_000})
        table = simulation.simulate_costs(rows, certain(PARAMETERS), [], RATES, "USD")
        row = only(table, channel, measure, "marginal")
        assert points(row) == pytest.approx([3 * price] * 3), channel
        assert row["bound_code"] == "estimate", "its work has a price"


def test_a_service_is_not_charged_beside_a_filter_of_ones_own():
    """One's own filter and a bought one are alternatives: logged time, or a fixed cost, shows one's own."""
    texts = {"channel_code": "SMS", "units_examined": 3_000_000}
    timed = simulation.simulate_costs(
        effort(texts | {"filter_us": 3_600_000_000}), certain(PARAMETERS), [], RATES, "USD"
    )
    assert points(only(timed, "SMS", "CONTENT_FILTER", "marginal"))[1] == pytest.approx(0.042)
    for code in ("CONTENT_FILTER", "_T"):
        own = FixedCost("firewall", code, "SMS", 1200, 1200, 1200, "USD")
        table = simulation.simulate_costs(effort(texts), certain(PARAMETERS), [own], RATES, "USD")
        row = only(table, "SMS", "CONTENT_FILTER", "marginal")
        # Nothing is missing: the own figure is of this filter.
        assert (points(row)[1], row["bound_code"]) == (0, "estimate")
        assert points(only(table, "SMS", "_T", "total"))[1] == pytest.approx(100 / 30, abs=1e-4)


def test_power_and_servers_are_charged_once():
    """The price of an hour of computing includes them; a share for them on top counted them twice."""
    overhead = pl.col("parameter_code") == "infrastructure_overhead_rate"
    prices = certain(PARAMETERS).with_columns(
        pl.when(overhead).then(pl.lit(9.0)).otherwise(pl.col(name)).alias(name) for name in NUMBERS
    )
    table = simulation.simulate_costs(effort({"filter_us": 3_600_000_000}), prices, [], RATES, "USD")
    assert points(only(table, "EMAIL", "CONTENT_FILTER", "marginal"))[1] == pytest.approx(0.042, abs=1e-4)


def test_without_logged_time_content_filters_take_the_assumed_time():
    table = simulation.simulate_costs(
        effort({"units_examined": 1_800_000}), certain(PARAMETERS), [], RATES, "USD"
    )
    assert points(only(table, "EMAIL", "CONTENT_FILTER", "marginal"))[1] == pytest.approx(
        10 * 0.042, abs=1e-4
    )


def test_amounts_are_in_the_operators_currency_or_else_in_usd():
    rows = effort({"filter_us": 36 * 10**11})
    usd = simulation.simulate_costs(rows, certain(PARAMETERS), [], RATES, "USD")
    francs = simulation.simulate_costs(rows, certain(PARAMETERS), [], RATES, "CHF")
    other = simulation.simulate_costs(rows, certain(PARAMETERS), [], RATES, "XTS")
    rate = RATES.filter(currency_code="CHF")["usd_per_unit"].item()
    assert set(francs["currency_code"]) == {"CHF"} and set(other["currency_code"]) == {"USD"}
    assert points(only(francs, "_T", "_T", "total"))[1] * rate == pytest.approx(
        points(only(usd, "_T", "_T", "total"))[1], abs=1e-3
    )
    assert other.equals(usd)


def test_an_uncertain_rate_widens_the_interval():
    rows = effort({"filter_us": 36 * 10**12})
    p05, p50, p95 = points(
        only(simulation.simulate_costs(rows, certain(PARAMETERS), [], RATES, "FJD"), "_T", "_T", "total")
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
    table = simulation.simulate_costs(rows, PARAMETERS, figures, RATES, "CHF")
    november, october = table.filter(period_code="2026-11"), table.filter(period_code="2026-10")
    assert points(only(november, "EMAIL", "CONTENT_FILTER", "fixed")) == pytest.approx([300 * 2 / 30] * 3)
    assert points(only(november, "EMAIL", "_T", "fixed")) == pytest.approx([900 * 2 / 30] * 3)
    assert points(only(october, "_T", "_T", "fixed")) == pytest.approx([900 / 31] * 3, abs=1e-4)
    assert set(november["day_count"]) == {2} and set(october["day_count"]) == {1}


def bounds_of(
    rows: pl.DataFrame, *figures: FixedCost, parameters=PARAMETERS
) -> dict[tuple[str, str, str], str]:
    table = simulation.simulate_costs(rows, parameters, figures, RATES, "EUR")
    keys = table.select("channel_code", "countermeasure_code", "cost_component_code").rows()
    return dict(zip(keys, table["bound_code"], strict=True))


LICENCE = FixedCost("licence", "CONTENT_FILTER", "EMAIL", 1, 2, 3, "EUR")
STAFF = FixedCost("staff", "_T", "EMAIL", 1, 2, 3, "EUR")
FIREWALL = FixedCost("firewall", "_T", "SMS", 0, 2, 3, "EUR")
# A filter whose log has no times; asking a list; a list of numbers, which nothing prices.
MEASURES = effort(
    {"units_examined": 1000},
    {"countermeasure_code": "DNSBL", "units_examined": 10},
    {"channel_code": "SMS", "countermeasure_code": "NUMBER_BLOCKLIST", "units_examined": 10},
)


def test_a_cost_is_a_lower_bound_while_any_part_of_it_is_missing():
    none, mail, both = (bounds_of(MEASURES, *each) for each in ((), (LICENCE,), (LICENCE, FIREWALL)))
    assert all(none[key] == "lower" for key in none if key[2] == "total")
    assert none["EMAIL", "CONTENT_FILTER", "marginal"] == none["EMAIL", "DNSBL", "marginal"] == "estimate"
    # Nothing prices a number list from logs.
    assert none["SMS", "NUMBER_BLOCKLIST", "marginal"] == none["_T", "_T", "marginal"] == "lower"
    # One fixed cost makes its own measure whole, not the channel that has another measure.
    assert mail["EMAIL", "CONTENT_FILTER", "total"] == mail["EMAIL", "CONTENT_FILTER", "fixed"] == "estimate"
    assert mail["EMAIL", "DNSBL", "total"] == "lower"
    assert (
        mail["EMAIL", "_T", "total"] == mail["EMAIL", "_T", "fixed"] == mail["_T", "_T", "total"] == "lower"
    )
    # What one fixed cost is of, a missing price of another measure is not.
    assert both["SMS", "_T", "fixed"] == "estimate"
    assert both["SMS", "_T", "total"] == both["SMS", "_T", "marginal"] == both["_T", "_T", "total"] == "lower"


def test_a_fixed_cost_of_a_channel_is_that_of_all_its_measures():
    found = bounds_of(MEASURES, STAFF)
    assert found["EMAIL", "_T", "total"] == found["EMAIL", "_T", "fixed"] == "estimate"
    # It is in no measure's own total.
    assert found["EMAIL", "CONTENT_FILTER", "total"] == "lower"


def test_an_input_that_is_too_high_makes_an_upper_bound_and_with_a_missing_part_none():
    """1.47 s of logged time a message, which waits for the network, stood as at least so much."""
    timed = effort({"units_examined": 1000, "filter_us": 1_470_000_000})
    assert bounds_of(timed)["EMAIL", "CONTENT_FILTER", "marginal"] == "upper"
    assert bounds_of(timed, LICENCE)["EMAIL", "CONTENT_FILTER", "total"] == "upper"
    assert bounds_of(timed, LICENCE)["_T", "_T", "total"] == "upper"
    assert bounds_of(timed)["EMAIL", "CONTENT_FILTER", "total"] == "neither"
    assert bounds_of(timed)["_T", "_T", "total"] == "neither"


def test_a_parameter_that_errs_marks_what_it_prices():
    def biased(code: str, bias: str) -> pl.DataFrame:
        own = pl.when(pl.col("parameter_code") == code).then(pl.lit(bias)).otherwise("bias_code")
        return PARAMETERS.with_columns(bias_code=own)

    too_high = bounds_of(MEASURES, STAFF, parameters=biased("dnsbl_lookups_per_connection", "over"))
    assert too_high["EMAIL", "DNSBL", "marginal"] == too_high["EMAIL", "_T", "total"] == "upper"
    assert too_high["EMAIL", "CONTENT_FILTER", "marginal"] == "estimate"
    too_low = bounds_of(MEASURES, STAFF, parameters=biased("cpu_hour", "under"))
    assert too_low["EMAIL", "CONTENT_FILTER", "marginal"] == too_low["EMAIL", "_T", "total"] == "lower"


def test_what_no_measure_did_costs_nothing_and_lacks_no_price():
    rows = effort({"units_examined": 9}, {"countermeasure_code": "DELIVERY_FAILURE", "units_acted": 3})
    found = bounds_of(rows, LICENCE)
    assert found["EMAIL", "DELIVERY_FAILURE", "total"] == found["EMAIL", "_T", "total"] == "estimate"
    idle = bounds_of(effort({"countermeasure_code": "DELIVERY_FAILURE", "units_acted": 3}))
    assert idle["EMAIL", "_T", "total"] == idle["_T", "_T", "total"] == "lower"


CODES = ("CONTENT_FILTER", "DNSBL", "GREYLIST", "ANTIVIRUS", "DELIVERY_FAILURE")


@examples(40)
@given(
    measures=st.lists(
        st.tuples(st.sampled_from(["EMAIL", "SMS"]), st.sampled_from(CODES), st.sampled_from([0, 10**9])),
        min_size=1,
        max_size=6,
        unique_by=lambda each: each[:2],
    ),
    figures=st.sets(st.tuples(st.sampled_from(["EMAIL", "SMS"]), st.sampled_from([*CODES[:3], "_T"]))),
)
def test_a_sum_errs_as_its_parts_do(
    measures: list[tuple[str, str, int]], figures: set[tuple[str, str]]
) -> None:
    names = ("channel_code", "countermeasure_code", "filter_us")
    rows = effort(*(dict(zip(names, each, strict=True)) | {"units_examined": 5} for each in measures))
    stated = [FixedCost(code, code, channel, 1, 2, 3, "EUR") for channel, code in sorted(figures)]
    found = bounds_of(rows, *stated)
    # A channel's own fixed cost is in its total and in none of its measures'.
    has_whole = {channel for channel, code in figures if code == "_T"}
    for (channel, code, component), bound in found.items():
        if code != "_T":
            continue
        if component == "total":
            both = [
                found[channel, "_T", each] for each in ("marginal", "fixed") if (channel, "_T", each) in found
            ]
            assert {bound} >= {simulation.joint_bound([bound, *both])}, "a total errs as its components"
        parts = [
            found[key]
            for key in found
            if key[2] == component
            and key[1] != "_T"
            and channel in (key[0], "_T")
            and key[0] not in has_whole
        ]
        assert bound == simulation.joint_bound([bound, *parts]), "a channel errs as its measures"
    # Of a channel with measures, and no fixed cost of its own, the parts are all.
    for channel in {each[0] for each in measures if each[1] != "DELIVERY_FAILURE"} - has_whole:
        parts = [found[key] for key in found if key[0] == channel and key[2] == "total" and key[1] != "_T"]
        assert found[channel, "_T", "total"] == simulation.joint_bound(parts)


def test_intervals_of_a_total_are_narrower_than_sums_of_points():
    figures = [FixedCost(name, "CONTENT_FILTER", "EMAIL", 10, 30, 90, "USD") for name in ("a", "b", "c")]
    table = simulation.simulate_costs(effort({"filter_us": 1}), PARAMETERS, figures, RATES, "USD")
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
    first = simulation.simulate_costs(effort(*rows), PARAMETERS, figures, RATES, "NPR")
    second = simulation.simulate_costs(
        effort(*rows[::-1]), PARAMETERS.reverse(), figures, RATES.reverse(), "NPR"
    )
    assert first.equals(second)
    assert first.select(
        pl.all_horizontal(
            pl.col("amount_p05") <= pl.col("amount_p50"), pl.col("amount_p50") <= pl.col("amount_p95")
        ).all()
    ).item()
    assert first["amount_p50"].dtype == pl.Decimal(20, 4) and isinstance(first["amount_p50"][0], Decimal)


def test_no_effort_no_cost_and_no_rate_no_guess():
    assert simulation.simulate_costs(effort({}).clear(), PARAMETERS, [], RATES, "CHF").schema == pl.Schema(
        simulation.COST
    )
    with pytest.raises(ObservatoryError, match="no rate for XTS"):
        simulation.simulate_costs(
            effort({}), PARAMETERS, [FixedCost("a", "_T", "EMAIL", 1, 2, 3, "XTS")], RATES, "XTS"
        )
