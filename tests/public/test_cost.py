"""Costs beside each other in a release: what follows from two figures of a third that stays, and that the
attack finds it by each link alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from jobs.attack.search import Attack
from jobs.core.contracts import polars_schema, reference_table, rows_frame
from jobs.core.series import Shape
from jobs.public.cells import CONTRIBUTION, Basis, name_cells
from jobs.public.contracts import public_contract, public_tables
from jobs.public.gate import make_public_tables, transform_rows
from jobs.public.knowledge import known_release, read_rows, shape_of

ABOUT = public_contract("public.countermeasure_cost")
TABLE, PERIOD, P_PCT = "study.countermeasure_cost", "2026-Q4", 13.7
SHAPE = shape_of(ABOUT)
# What operators of six holdings gave: strategy and component.
Costs = Mapping[tuple[str, str], Sequence[float]]


def study_of(costs: Costs) -> Basis:
    """A study of six equal operators, all of whom answered, with estimates that are their sums."""
    names = [f"fji-{number}" for number in range(6)]
    of_all = complete(costs)
    places = {"period_code": PERIOD, "channel_code": "EMAIL", "conversion_code": "market"}
    contributions = [
        {"table_name": TABLE, "series": f"{strategy}/{component}/market", "strategy_code": strategy,
         "respondent_id": name, "holding_id": name, "country_code": "FJI", "contribution": float(value),
         "own_subscriptions": 1000, "is_waived": False, **places}
        for (strategy, component), values in of_all.items()
        for name, value in zip(names, values, strict=True)
    ]  # fmt: skip
    rows = [
        {"area_code": "WORLD", "area_kind_code": "world", "strategy_code": strategy,
         "cost_component_code": component, "estimate": sum(values), "estimate_low": sum(values),
         "estimate_high": 2 * sum(values), "cv_band_code": "caution", "coverage_pct": 100,
         "holding_count": 6, "part_holding_count": sum(value > 0 for value in values),
         "nature_code": "E", "obs_status_code": "E", **places}
        for (strategy, component), values in of_all.items()
    ]  # fmt: skip
    frame = [
        {"respondent_id": name, "holding_id": name, "country_code": "FJI", "channel_code": "EMAIL",
         "size_code": "SMALL", "subscriptions": 1000, "source": "made up"}
        for name in names
    ]  # fmt: skip
    known = {
        "ref.operator_frame": rows_frame(frame, "ref.operator_frame").with_columns(
            valid_from=pl.date(2020, 1, 1)
        ),
        "ref.denominator": rows_frame([], "ref.denominator"),
        CONTRIBUTION: rows_frame(contributions, CONTRIBUTION),
        TABLE: rows_frame(rows, TABLE),
    }
    known |= {name: reference_table(name) for name in ("ref.country", "ref.country_group")}
    others = {public_contract(each).source for each in public_tables()} - set(known)
    return Basis("r1", known | {name: pl.DataFrame(schema=polars_schema(name)) for name in others})


def complete(costs: Costs) -> dict[tuple[str, str], list[float]]:
    """Marginal and fixed cost of strategies with both together, and all strategies together."""
    found: dict[tuple[str, str], list[float]] = {}
    for strategy in {strategy for strategy, _ in costs}:
        both = [list(costs.get((strategy, each), [0.0] * 6)) for each in ("marginal", "fixed")]
        whole = [sum(pair) for pair in zip(*both, strict=True)]
        for component, values in zip(("marginal", "fixed", "stated"), (*both, whole), strict=True):
            found[strategy, component] = values
            before = found.get(("_T", component), [0.0] * 6)
            found["_T", component] = [sum(pair) for pair in zip(before, values, strict=True)]
    return found


def attack_on(study: Basis, shape: Shape) -> set[str]:
    """Whose figures an attack finds in all rows that rules let leave, without the gate's last word."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Attack, "find_all", lambda attack: [])
        made = make_public_tables(study, [], [PERIOD], P_PCT)
    left = made.public[ABOUT.table]
    read = read_rows(name_cells(left, ABOUT), ABOUT)
    findings = Attack([known_release(study, read)], {TABLE: shape}, P_PCT).find_all()
    return {each.holding for each in findings}


def without(column: str) -> Shape:
    return replace(SHAPE, sums={name: of for name, of in SHAPE.sums.items() if name != column})


EQUAL = [1000.0, 1100.0, 900.0, 1050.0, 950.0, 1000.0]
# One operator stated a fixed cost, which stays: both others leave.
ONE_STATED: Costs = {("filtering", "marginal"): EQUAL, ("filtering", "fixed"): [1500.0, 0, 0, 0, 0, 0]}
# Of one strategy nearly all is one operator's, so that it stays: all together and the other one leave.
ONE_STRATEGY: Costs = {
    ("filtering", "marginal"): EQUAL, ("filtering", "fixed"): [each / 2 for each in EQUAL],
    ("network", "marginal"): [895.0, 1, 1, 1, 1, 1],
}  # fmt: skip


@pytest.mark.parametrize(
    ("costs", "column"), [(ONE_STATED, "cost_component_code"), (ONE_STRATEGY, "strategy_code")]
)
def test_a_figure_that_stays_follows_from_two_that_leave(costs: Costs, column: str) -> None:
    study = study_of(costs)
    assert attack_on(study, SHAPE) == {"fji-0"}
    assert attack_on(study, without(column)) == set()
    made = make_public_tables(study, [], [PERIOD], P_PCT)
    assert made.findings.height and (made.held_rows["rule"] == "attack").any()
    left = made.public[ABOUT.table]
    assert left.height
    read = read_rows(name_cells(left, ABOUT), ABOUT)
    assert Attack([known_release(study, read)], {TABLE: SHAPE}, P_PCT).find_all() == []


def test_alike_operators_leave_whole() -> None:
    study = study_of({("filtering", "marginal"): EQUAL, ("filtering", "fixed"): EQUAL[::-1]})
    made = make_public_tables(study, [], [PERIOD], P_PCT)
    assert made.findings.is_empty()
    codes = made.public[ABOUT.table].select("strategy_code", "cost_component_code").rows()
    assert sorted(codes) == [
        ("_T", "fixed"), ("_T", "marginal"), ("_T", "stated"), ("filtering", "stated"),
    ]  # fmt: skip


def test_what_few_stated_stays_though_it_is_of_many_operators() -> None:
    """Operators that stated nothing are no holdings of a fixed cost: five of money are those that have it."""
    stating: list[Any] = [1000.0, 1000.0, 1000.0, 1000.0, 0, 0]
    study = study_of({("filtering", "marginal"): EQUAL, ("filtering", "fixed"): stating})
    candidates = transform_rows(study.tables[TABLE].filter(pl.sql_expr(ABOUT.rows)), ABOUT)
    assert "fixed" not in set(candidates["cost_component_code"])
