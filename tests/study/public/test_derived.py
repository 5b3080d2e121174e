"""Rates, shares and ranks of published rows, against numbers by hand."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.core.errors import ObservatoryError
from jobs.base.tables.contracts import read_yaml
from jobs.base.tables.public_contracts import PUBLIC, parse_contract, public_contract
from jobs.study.public.derived import derive_columns

Rows = Sequence[dict[str, Any]]
VOLUME, TYPE = public_contract("public.spam_volume"), public_contract("public.spam_type")
LIKE = {
    "period_code": "2026-Q4", "channel_code": "EMAIL", "unit_code": "attempted",
    "definition_code": "OPERATOR", "area_kind_code": "region", "cv_band_code": "acceptable",
}  # fmt: skip


def derived(about: Any, *rows: dict[str, Any], volumes: Rows = ()) -> list[dict[str, Any]]:
    given_rows = pl.DataFrame([LIKE | row for row in rows], schema=about.schema, strict=False)
    beside = pl.DataFrame([LIKE | row for row in volumes], schema=VOLUME.schema, strict=False)
    found = derive_columns(given_rows, about, {VOLUME.table: beside})
    assert found.schema == about.schema and found.height == len(rows)
    return found.to_dicts()


def volume(area: str, quantity: str, estimate: float, **more: Any) -> dict[str, Any]:
    return {"area_code": area, "quantity_code": quantity, "estimate": estimate} | more


def kind(code: str, estimate: float, **more: Any) -> dict[str, Any]:
    return volume("AFR", "spam_certain", estimate, spam_type_code=code) | more


def test_a_rate_has_the_digits_of_its_figure_and_ends_rounded_outward() -> None:
    ends = {"estimate_low": 1_010_000, "estimate_high": 1_480_000, "area_subscriptions": 3_000}
    seen, corrected, unknown = derived(
        VOLUME,
        volume("AFR", "spam_certain", 1_230_000, **ends),
        volume("AFR", "spam_corrected", 1_200_000, **ends),
        volume("FJI", "spam_certain", 1_200_000, **ends | {"area_subscriptions": None}),
    )
    names = ("rate_per_subscription", "rate_low", "rate_high")
    # 410, 336.67 and 493.33 for each of 3,000.
    assert [float(seen[name]) for name in names] == [410, 336, 494]
    assert [float(corrected[name]) for name in names] == [400, 330, 500]
    assert [unknown[name] for name in names] == [None] * 3


def test_a_share_is_of_all_units_and_as_rough_as_the_rougher_figure() -> None:
    seen, corrected, units, alone = derived(
        VOLUME,
        volume("AFR", "spam_certain", 2_090, cv_band_code="caution"),
        volume("AFR", "spam_corrected", 2_100),
        volume("AFR", "units", 3_310),
        # Its units did not leave.
        volume("EUR", "spam_certain", 10),
    )
    assert (float(seen["share_pct"]), seen["share_cv_band_code"]) == (63.1, "caution")
    assert (float(corrected["share_pct"]), corrected["share_cv_band_code"]) == (63, "acceptable")
    assert units["share_pct"] is None and alone["share_pct"] is None


def test_a_share_has_no_more_digits_than_a_rougher_base() -> None:
    rough = "CASE WHEN spam_type_code = '_S' THEN 1 ELSE 3 END"
    columns = tuple(replace(each, by=rough) if each.way == "digits" else each for each in TYPE.columns)
    part, _ = derived(replace(TYPE, columns=columns), kind("AD.retail", 123), kind("_S", 400))
    assert float(part["share_pct"]) == 30


def test_no_share_of_figures_of_two_releases_nor_a_band_where_one_has_none() -> None:
    stands, other, both, _, of_both = derived(
        TYPE,
        kind("AD.retail", 10, stands_from="2026-Q4/v1.0.0"),
        kind("AD.pharma", 30, cv_band_code=None),
        kind("AD.retail", 10, area_code="EUR", stands_from="2026-Q4/v1.0.0"),
        kind("_S", 40),
        kind("_S", 50, area_code="EUR", stands_from="2026-Q4/v1.0.0"),
    )
    assert stands["share_pct"] is None and stands["share_cv_band_code"] is None
    assert (float(other["share_pct"]), other["share_cv_band_code"]) == (75, None)
    assert float(both["share_pct"]) == 20 and of_both["share_pct"] is None


def test_money_for_1000_units_is_of_all_traffic_and_as_rough_as_the_rougher_figure() -> None:
    def money(area: str, estimate: float, **more: Any) -> dict[str, Any]:
        codes = {"strategy_code": "_T", "cost_component_code": "stated", "conversion_code": "market"}
        return {"area_code": area, "estimate": estimate} | codes | more

    volumes = [
        volume("AFR", "units", 4_000_000, cv_band_code="caution"),
        volume("AFR", "units", 8_000_000, definition_code="CONSENT"),
        volume("AFR", "spam_certain", 2_000_000),
        volume("EUR", "units", 4_000_000, stands_from="2026-Q4/v1.0.0"),
        volume("ARB", "units", 0),
    ]
    rows = [money("AFR", 5_100), *(money(area, 5_100) for area in ("EUR", "ARB", "AMS"))]
    seen, *others = derived(public_contract("public.countermeasure_cost"), *rows, volumes=volumes)
    # 1.275 dollars, of an estimate with two digits.
    assert (float(seen["cost_per_thousand"]), seen["thousand_cv_band_code"]) == (1.3, "caution")
    # Of another release; of no traffic; of an area whose traffic did not leave.
    assert [(row["cost_per_thousand"], row["thousand_cv_band_code"]) for row in others] == [(None, None)] * 3


def test_types_are_shares_of_all_types_and_the_whole_is_none() -> None:
    """_T is from other respondents, too; a type over it would be too small."""
    found = derived(TYPE, kind("AD.retail", 10), kind("UNK", 15), kind("_S", 50), kind("_T", 100))
    assert [row["share_pct"] and float(row["share_pct"]) for row in found] == [20, 30, None, None]


def test_ranks_are_what_intervals_leave_open() -> None:
    rows = [
        kind("AD.retail", 100, estimate_low=90, estimate_high=110),
        kind("AD.pharma", 80, estimate_low=70, estimate_high=95),
        kind("PHISH.mail", 10, estimate_low=5, estimate_high=20),
        # Any rank is open to it.
        kind("OTHER", 50),
        kind("UNK", 500, estimate_low=400, estimate_high=600),
        kind("AD", 180, estimate_low=160, estimate_high=205),
        kind("_S", 740, estimate_low=600, estimate_high=800),
    ]
    found = [(row["rank_from"], row["rank_to"]) for row in derived(TYPE, *rows)]
    assert found == [(1, 3), (1, 3), (3, 4), *[(None, None)] * 4]
    # Intervals that touch leave open which is the greater.
    touching = [
        kind("AD.retail", 100, estimate_low=90, estimate_high=110),
        kind("AD.pharma", 80, estimate_low=70, estimate_high=90),
    ]
    assert [(row["rank_from"], row["rank_to"]) for row in derived(TYPE, *touching)] == [(1, 2), (1, 2)]


def test_regions_rank_by_rate_and_no_other_area() -> None:
    """Groups overlap."""
    ends = {"estimate_low": 90, "estimate_high": 110}
    found = derived(
        VOLUME,
        volume("AFR", "units", 100, area_subscriptions=10, **ends),
        volume("EUR", "units", 100, area_subscriptions=20, **ends),
        volume("LDC", "units", 100, area_subscriptions=1, area_kind_code="group", **ends),
        volume("SIDS", "units", 100, area_subscriptions=5, area_kind_code="group", **ends),
    )
    ranks = [(row["rank_from"], row["rank_to"]) for row in found]
    assert ranks == [(1, 1), (2, 2), (None, None), (None, None)]


@given(
    st.integers(1, 9_999), st.floats(1, 3), st.floats(1, 3), st.integers(1, 10**9),
    st.sampled_from(["spam_certain", "spam_corrected"]),
)  # fmt: skip
def test_an_interval_holds_its_rate(
    estimate: int, below: float, above: float, people: int, quantity: str
) -> None:
    ends = {"estimate_low": round(estimate / below, 2), "estimate_high": round(estimate * above, 2)}
    (row,) = derived(VOLUME, volume("AFR", quantity, estimate, area_subscriptions=people, **ends))
    assert row["rate_low"] <= row["rate_per_subscription"] <= row["rate_high"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"rank": None}, "rank names no dimension, or columns derived as rank are missing"),
        ({"share": {"estimate": "units"}}, "share names no dimension"),
        ({"thousand": "public.spam_volume"}, "columns derived as thousand are missing"),
        (
            {"columns": {"share_pct": {"role": "measure", "derived": "ratio"}}},
            "nothing is derived as 'ratio'",
        ),
    ],
)
def test_a_contract_says_what_is_derived_from_what(change: dict[str, Any], told: str) -> None:
    raw = dict(read_yaml(PUBLIC / "spam_volume.yaml"))
    columns = {"columns": raw["columns"] | change.get("columns", {})}
    with pytest.raises(ObservatoryError, match=told):
        parse_contract(raw | change | columns, VOLUME.table, "spam_volume.yaml")
