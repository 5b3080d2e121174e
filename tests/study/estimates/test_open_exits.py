"""Groups without the countries whose exit is open, where every operator answered: sums by hand."""

import datetime as dt

import polars as pl
import pytest

from jobs.base.tables.contracts import reference_table
from jobs.study.estimates.steps.open_exits import estimate_without_exits, open_exits
from jobs.study.estimates.steps.sample import Reference
from tests.support.small_study import PERIOD, Operator, Small, answers, basis

SENT = {"npl-0": 700, "npl-1": 900, "lao-0": 500, "mwi-0": 1100, "mwi-1": 1300, "fji-0": 2000}
SMALL = Small(
    tuple(
        Operator(name, name[:3].upper(), name, 1000, (3 * spam, spam, spam)) for name, spam in SENT.items()
    ),
    unit="attempted",
)
NAMES = ("ref.operator_frame", "ref.denominator", "ref.country", "ref.country_group")


@pytest.fixture(scope="module")
def reference() -> Reference:
    tables = basis(SMALL, "r1").tables
    return Reference(*(tables[name] for name in NAMES))


def test_three_countries_may_leave_the_least_developed(reference: Reference) -> None:
    rows = open_exits(reference, dt.date(2026, 12, 31))
    assert rows.select("group_code", "iso3").rows() == [("LDC", "BGD"), ("LDC", "LAO"), ("LDC", "NPL")]
    assert open_exits(reference, dt.date(1970, 1, 1)).is_empty()


def test_the_group_has_what_the_others_have(reference: Reference) -> None:
    """Landlocked countries still hold Nepal, Lao PDR and Malawi, and are not asked for."""
    rows = estimate_without_exits(answers(SMALL), reference_table("ref.definition"), reference, PERIOD)
    assert set(rows["area_code"]) == {"LDC"}
    certain = rows.filter(pl.col("quantity_code") == "spam_certain")
    assert certain["estimate"].to_list() == [SENT["mwi-0"] + SENT["mwi-1"]]
    assert certain["subscriptions"].to_list() == [2000]
