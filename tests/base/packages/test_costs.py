"""The cost of countermeasures in a package: effort in multiples of the threshold, priced by the operator."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.packages.costs import COST, POINTS
from jobs.base.settings.operator import FixedCostSettings
from jobs.operators.packages.gold_costs import round_effort
from tests.base.packages.test_packages import OPERATOR, again, contents, judged, made, told
from tests.support.submission_lake import effort_rows, put_effort, put_gold

FILE = "submission_cost.csv"
FIGURES: list[dict[str, Any]] = [
    {"name": "licence", "countermeasure": "CONTENT_FILTER", "low": 1200, "central": 1200, "high": 1200},
    {"name": "staff", "countermeasure": "_T", "low": 600, "central": 1200, "high": 2400},
]
PAYING = OPERATOR.model_copy(
    update={"fixed_cost": [FixedCostSettings(channel="EMAIL", **each) for each in FIGURES]}
)
COLUMNS = ("period_code", "channel_code", "strategy_code", "cost_component_code")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gold")
    put_gold(folder, "north-mail")
    put_effort(
        folder,
        effort_rows(
            "north-mail",
            ("EMAIL", "CONTENT_FILTER", 463, 63, 463_000_000, 0, 0),
            ("EMAIL", "DNSBL", 801, 301, 0, 0, 0),
            # Too few; and no measure of the operator's.
            ("EMAIL", "GREYLIST", 2, 2, 0, 10**9, 0),
            ("EMAIL", "NONE", 400, 400, 0, 10**9, 10**9),
            # A channel of which nothing leaves.
            ("SMS", "USER_REPORT", 900, 900, 0, 0, 0),
        ),
        effort_rows("north-mail", ("EMAIL", "UNKNOWN", 60, 60, 0, 0, 0), day="2026-11-02"),
    )
    return folder


def test_amounts_are_of_effort_in_multiples_of_the_threshold(root: Path, tmp_path: Path) -> None:
    found = judged(made(root, tmp_path, PAYING))
    assert found.wrong == []
    rows = found.tables[COST].sort(COLUMNS)
    assert set(rows["currency_code"]) == {"FJD"} and set(rows["country_code"]) == {"FJI"}
    assert rows.select(*COLUMNS, "bound_code").rows() == [
        ("2026-10", "EMAIL", "_T", "fixed", "estimate"),
        ("2026-10", "EMAIL", "_T", "marginal", "upper"),
        ("2026-10", "EMAIL", "filtering", "fixed", "estimate"),
        ("2026-10", "EMAIL", "filtering", "marginal", "upper"),
        ("2026-10", "EMAIL", "network", "marginal", "estimate"),
        ("2026-11", "EMAIL", "_T", "fixed", "estimate"),
        ("2026-11", "EMAIL", "_T", "marginal", "lower"),
        ("2026-11", "EMAIL", "_U", "marginal", "lower"),
        ("2026-11", "EMAIL", "filtering", "fixed", "estimate"),
    ]
    amounts = {row[:4]: row[4:] for row in rows.select(*COLUMNS, *POINTS).rows()}
    # 1,200 a year, for one of October's 31 days; staff beside it is in no strategy.
    licence = amounts["2026-10", "EMAIL", "filtering", "fixed"]
    assert {float(each) for each in licence} == {round(1200 / 12 / 31, 4)}
    low, middle, high = (float(each) for each in amounts["2026-10", "EMAIL", "_T", "fixed"])
    assert low < middle < high and middle == pytest.approx(2 * 1200 / 12 / 31, rel=0.02)


def test_points_do_not_add_up_to_those_of_all(root: Path, tmp_path: Path) -> None:
    rows = (
        judged(made(root, tmp_path, PAYING))
        .tables[COST]
        .filter(pl.col("period_code") == "2026-10", pl.col("cost_component_code") == "marginal")
    )
    whole, parts = rows.filter(strategy_code="_T"), rows.filter(pl.col("strategy_code") != "_T")
    assert parts["amount_p95"].sum() > whole["amount_p95"].sum()
    assert parts["amount_p05"].sum() < whole["amount_p05"].sum()
    assert float(parts["amount_mean"].sum()) == pytest.approx(float(whole["amount_mean"].sum()), abs=0.001)


def test_an_operator_without_figures_of_its_own_sends_no_fixed_cost(root: Path, tmp_path: Path) -> None:
    rows = judged(made(root, tmp_path)).tables[COST]
    assert set(rows["cost_component_code"]) == {"marginal"}


COUNTS = st.integers(0, 10_000)


@given(st.lists(st.tuples(COUNTS, COUNTS, st.integers(0, 10**9)), min_size=1, max_size=5), st.integers(2, 9))
def test_effort_is_multiples_and_means_of_two_digits(counts: list[tuple[int, int, int]], least: int) -> None:
    """All columns that a price divides are rounded: units are multiples, and so is their time of one mean."""
    effort = pl.concat([
        effort_rows(
            "north-mail",
            ("EMAIL", "CONTENT_FILTER", max(one, other), min(one, other), size, 3 * size, size),
        )
        for one, other, size in counts
    ])  # fmt: skip
    whole = effort.select("units_examined", "units_acted", "filter_us").sum().row(0)
    found = round_effort(effort, least)
    assert found.height == (whole[0] >= least / 2)
    for row in found.to_dicts():
        examined, acted = row["units_examined"], row["units_acted"]
        assert examined % least == acted % least == 0 and examined >= least
        assert abs(examined - whole[0]) <= least / 2 and abs(acted - whole[1]) <= least / 2
        for total, units in ((row["filter_us"], examined), (row["quarantined_bytes"], acted)):
            mean = total / units if units else 0
            assert total == round(float(f"{mean:.1e}") * units)
        assert acted or not row["quarantined_bytes"]


def test_a_few_more_messages_change_no_amount(tmp_path: Path) -> None:
    """A late log with two messages: no amount tells of them."""
    files = []
    for place, (examined, took) in enumerate([(463, 463_000_000), (465, 465_900_000)]):
        folder = tmp_path / str(place)
        put_gold(folder, "north-mail")
        put_effort(
            folder, effort_rows("north-mail", ("EMAIL", "CONTENT_FILTER", examined, 63, took, 10**7, 10**6))
        )
        files.append(contents(made(folder, folder, PAYING))[FILE])
    assert files[0] == files[1] and files[0].count(b"\n") == 5


@pytest.mark.parametrize(
    ("line", "cells", "message"),
    [
        (1, {"amount_p05": "9999999"}, "row 2: it breaks points_in_order"),
        (1, {"cost_component_code": "total"}, "row 2: it breaks components_apart"),
        (1, {"strategy_code": "prayer"}, "is not in the list strategy"),
        (1, {"currency_code": "XQQ"}, "ref.exchange_rate has no rate for XQQ"),
        (1, {"channel_code": "SMS"}, "a row is of 2026-10, SMS, of which submission.csv has no row"),
        (3, {"amount_p95": "99999999"}, "fixed of filtering in 2026-10, EMAIL is not within that of _T"),
        (4, {"amount_mean": "0.0142"}, "amount_mean of marginal in 2026-10, EMAIL add up to more"),
        (3, {"amount_p95": "99999999999999"}, "row 4: an amount is larger than 10,000,000,000,000"),
        (1, {"period_code": "2027-10"}, "period_code is no month of the package's period"),
    ],
)  # fmt: skip
def test_costs_that_cannot_be_are_refused(
    root: Path, tmp_path: Path, line: int, cells: dict[str, str], message: str
) -> None:
    file = made(root, tmp_path, PAYING)
    rows = contents(file)[FILE].decode().splitlines()
    names = rows[0].split(",")
    values = rows[line].split(",")
    rows[line] = ",".join(cells.get(name, value) for name, value in zip(names, values, strict=True))
    again(file, {FILE: ("\n".join(rows) + "\n").encode()})
    assert message in told(file)
