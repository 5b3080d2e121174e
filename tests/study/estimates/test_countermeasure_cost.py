"""Costs drawn over operators: means and parts add up in each replicate, prices err alike, figures apart."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.figures.words import TOTAL
from jobs.base.tables.contracts import rows_frame
from jobs.study.estimates.countermeasure_cost import (
    COMPONENTS,
    LEAST_DONORS,
    draw_costs,
    impute_fixed,
    list_donors,
    quantiles_at,
)
from jobs.study.estimates.respondent_cost import (
    FIXED,
    MARGINAL,
    OPERATORS_OWN,
    SEVERAL,
    GivenCosts,
    read_costs,
)

MONTHS = ("2026-10", "2026-11", "2026-12")


def costs(*rows: tuple[str, str, str, str, float, float]) -> GivenCosts | None:
    """Costs of rows: respondent, month, strategy, component, median and the ratio of points to it."""
    made = [
        {"respondent_id": who, "country_code": "FRA", "period_code": month, "channel_code": "EMAIL",
         "strategy_code": strategy, "cost_component_code": component, "currency_code": "USD",
         "amount_p05": median / ratio, "amount_p50": median, "amount_p95": median * ratio,
         "amount_mean": median * (1 + ratio) / 2, "bound_code": "upper"}
        for who, month, strategy, component, median, ratio in rows
    ]  # fmt: skip
    frame = rows_frame(made, "study.submission_cost")
    amounts = pl.col("amount_mean", "amount_p05", "amount_p50", "amount_p95").cast(pl.Float64)
    return read_costs(frame.with_columns(amounts), rows_frame([], "study.submission"), MONTHS)


def three_operators() -> GivenCosts:
    rows = []
    for who, size in (("a", 1.0), ("b", 5.0), ("c", 20.0)):
        for month in MONTHS:
            rows += [
                (who, month, "filtering", MARGINAL, 60 * size, 3.0),
                (who, month, "network", MARGINAL, 30 * size, 2.0),
                (who, month, TOTAL, MARGINAL, 100 * size, 2.5),
            ]
            if who != "c":
                rows.append((who, month, "filtering", FIXED, 40 * size, 1.2))
                rows.append((who, month, TOTAL, FIXED, 90 * size, 1.2))
    found = costs(*rows)
    assert found is not None
    return found


def test_means_of_strategies_and_of_what_serves_several_add_up_to_all() -> None:
    found = three_operators()
    assert found.strategies == (TOTAL, "filtering", "network", SEVERAL)
    assert found.means[:, 1:].sum(axis=1) == pytest.approx(found.means[:, 0])
    assert found.states_fixed.tolist() == [True, True, False]
    assert found.bounds[2, "filtering", MARGINAL] == {"upper"}


def test_who_lacks_a_month_is_no_respondent() -> None:
    assert costs(*(("a", month, TOTAL, MARGINAL, 1.0, 2.0) for month in MONTHS[:2])) is None


def test_prices_err_alike_for_all_and_own_figures_for_each() -> None:
    """Errors of prices do not average out over operators, and those of figures do."""
    found = three_operators()
    drawn = draw_costs(found, 1, 2000)
    assert drawn.mean(axis=0) == pytest.approx(found.means)
    marginal, fixed = (drawn[:, :, 0, OPERATORS_OWN.index(name)] for name in OPERATORS_OWN)
    assert np.corrcoef(marginal.T).min() > 0.999
    assert abs(np.corrcoef(fixed[:, :2].T)[0, 1]) < 0.1
    # Of one strategy and another the prices are others.
    assert abs(np.corrcoef(drawn[:, 0, 1, 0], drawn[:, 0, 2, 0])[0, 1]) < 0.1
    whole = marginal.sum(axis=1)
    assert whole.std() / whole.mean() == pytest.approx(marginal[:, 0].std() / marginal[:, 0].mean())


@given(st.floats(0.01, 1e6), st.floats(1, 50), st.floats(1, 50))
def test_three_points_are_met(median: float, below: float, above: float) -> None:
    points = np.array([median / below, median, median * above])
    z = np.array([-1.6448536269514722, 0.0, 1.6448536269514722])
    assert quantiles_at(z, points) == pytest.approx(points)


def test_points_that_were_rounded_to_nothing_give_no_error() -> None:
    z = np.array([-3.0, 0.0, 3.0])
    assert quantiles_at(z, np.zeros(3)).tolist() == [0, 0, 0]
    assert (quantiles_at(z, np.array([0.0, 0.0, 0.002])) > 0).all()
    assert (quantiles_at(z, np.array([0.0, 0.001, 0.002])) > 0).all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(0, 30))
def test_parts_add_up_in_every_replicate(seed: int, donors: int, takers: int) -> None:
    """Imputed costs of strategies add up to that of all, each operator's for itself; nobody that stated
    something is given anything."""
    random = np.random.default_rng(seed)
    count = donors + takers
    parts = random.gamma(1.0, 1.0, (5, count, 3))
    fixed = np.concatenate([parts.sum(axis=2, keepdims=True), parts], axis=2)
    stated = np.arange(count) < donors
    fixed[:, ~stated] = 0
    subscriptions = random.uniform(1, 100, count)
    size = random.choice(["SMALL", "LARGE"], count).astype(object)
    cells = [size, np.full(count, "", dtype=object)]
    found = impute_fixed(fixed, stated, subscriptions, cells, random)
    assert found[:, :, 1:].sum(axis=2) == pytest.approx(found[:, :, 0])
    assert not found[:, stated].any()
    assert (found[:, ~stated, 0] > 0).all()


def test_the_mean_is_the_donors_amount_over_their_subscriptions() -> None:
    fixed = np.array([[[10.0], [50.0], [0.0]]] * 3)
    stated = np.array([True, True, False])
    cells = [np.full(3, "", dtype=object)]
    found = impute_fixed(fixed, stated, np.array([100.0, 200.0, 50.0]), cells, np.random.default_rng(1))
    assert found[0, 2, 0] == pytest.approx(50 * 60 / 300)
    # In a replicate it is one of the donors'.
    assert set(found[1:, 2, 0].round(6).tolist()) <= {5.0, 12.5}


def test_donors_are_of_the_finest_cell_that_has_enough() -> None:
    fine = np.array(["a"] * LEAST_DONORS + ["b", "a", "b"], dtype=object)
    stated = np.array([True] * (LEAST_DONORS + 1) + [False, False])
    whole = np.full(len(fine), "", dtype=object)
    each = list_donors(stated, stated, [fine, whole])
    found = [(takers.tolist(), donors.tolist()) for takers, donors in each]
    assert found == [([6], [0, 1, 2, 3, 4]), ([7], [0, 1, 2, 3, 4, 5])]
    assert list(list_donors(~stated, np.zeros(len(fine), dtype=bool), [fine, whole])) == []


def test_components_are_sums_of_three() -> None:
    assert COMPONENTS["stated"] == tuple(np.add(COMPONENTS[MARGINAL], COMPONENTS[FIXED]))
    assert COMPONENTS["total"] == tuple(np.add(COMPONENTS["stated"], COMPONENTS["imputed"]))
