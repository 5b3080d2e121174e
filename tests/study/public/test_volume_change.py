"""Figures of matched respondents beside those of all: their difference is what joined, and the attacker has
both in one set of equations. And intervals of changes, which follow from what leaves."""

import io
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from scipy.stats import t as student

from jobs.base.core.errors import ObservatoryError
from jobs.base.tables import public_contracts as contracts
from jobs.base.tables.contracts import polars_schema, read_yaml
from jobs.base.tables.public_contracts import PublicContract, public_contract, public_tables
from jobs.study.attack.known import Finding
from jobs.study.attack.search import Attack
from jobs.study.public import gate, wholes
from jobs.study.public.cells import Basis, EarlierRelease
from jobs.study.public.derived import derive_columns
from jobs.study.public.gate import make_public_tables, transform_rows
from jobs.study.public.knowledge import known_release, release_numbers, shape_of
from jobs.study.public.wholes import join_blocks, name_both, name_wholes
from tests.golden.test_golden import GOLDEN
from tests.golden.test_golden_public import P_PCT, basis_of

ABOUT = public_contract("public.volume_change")
GUARDED = {each.protect.contributions: each for each in map(public_contract, public_tables()) if each.protect}
CHANGE, VOLUME = "study.volume_change", "study.spam_volume"
PERIOD, RELEASE = "2026-Q4", "2026-Q4/v1.0.0"


CASE = GOLDEN / "public.volume_change" / "one_that_joined"
# Five of six operators have a figure in both quarters, 440,000 in the later, and stand for 1.2 each; the
# sixth joined with 9,000, so that the whole is 449,000: what joined is 9,000 but for 10%.
BASIS = basis_of(CASE, RELEASE)


def without_rule(patch: pytest.MonkeyPatch) -> None:
    """Let the gate hold nothing back for what fewer than three holdings set apart from the whole."""
    patch.setattr(gate, "refuse_apart", lambda held, *others: held)


def find_contributions(public: Mapping[str, pl.DataFrame], basis: Basis) -> list[Finding]:
    """List the whole attack's findings in what left, wholes beside the matched figures."""
    known = known_release(basis, release_numbers(EarlierRelease(basis, public), GUARDED))
    shapes = {name: shape_of(about) for name, about in GUARDED.items()}
    return name_wholes(Attack(join_blocks([known], GUARDED), shapes, P_PCT).find_all(), GUARDED)


def switch_off(monkeypatch: pytest.MonkeyPatch, contract: PublicContract) -> None:
    """Let the gate see this contract."""

    def see_contract(table: str) -> PublicContract:
        return contract if table == contract.table else contracts.public_contract(table)

    for module in (gate, wholes):
        monkeypatch.setattr(module, "public_contract", see_contract)


def test_without_that_rule_the_attack_finds_it_and_matched_figures_drop_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_rule(monkeypatch)
    made = make_public_tables(BASIS, [], (PERIOD,), P_PCT)
    held = made.held_rows.filter(pl.col("rule") == "attack")
    assert set(held["table_name"]) == {CHANGE} and held["series"].null_count() == 0
    assert set(made.findings["holding"]) == {"fji-6-owner"}
    # The whole stays.
    assert made.public["public.spam_volume"].height
    assert find_contributions(made.public, BASIS) == []


def test_with_the_link_to_volumes_switched_off_a_contribution_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ABOUT.protect is not None
    with monkeypatch.context() as patch:
        without_rule(patch)
        switch_off(patch, replace(ABOUT, protect=replace(ABOUT.protect, whole=None)))
        made = make_public_tables(BASIS, [], (PERIOD,), P_PCT)
        assert made.findings.is_empty()
    assert set(made.public[ABOUT.table]["match_code"]) == {"with_before", "with_after"}
    found = find_contributions(made.public, BASIS)
    assert {(each.holding, each.series) for each in found} == {
        ("fji-6-owner", "attempted/OPERATOR/spam_certain")
    }


def test_with_the_sums_switched_off_a_contribution_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attacker subtracts a matched figure from the whole, for both are made of the same contributions."""
    assert ABOUT.protect is not None
    protect = ABOUT.protect
    with monkeypatch.context() as patch:
        without_rule(patch)
        switch_off(patch, replace(ABOUT, protect=replace(protect, shape=replace(protect.shape, sums={}))))
        made = make_public_tables(BASIS, [], (PERIOD,), P_PCT)
        assert made.findings.is_empty()
    assert find_contributions(made.public, BASIS)


def test_a_whole_that_is_dropped_is_dropped_beside_matched_figures_too() -> None:
    leaving = {
        VOLUME: pl.DataFrame(
            {
                "table_name": [VOLUME] * 2,
                "period_code": [PERIOD] * 2,
                "channel_code": ["SMS"] * 2,
                "series": ["attempted/OPERATOR/spam_certain", "attempted/OPERATOR/units"],
                "area_code": ["FJI"] * 2,
            }
        )
    }
    dropped = leaving[VOLUME][:1].with_columns(series=pl.lit(None, pl.String))
    series = leaving[VOLUME]["series"].to_list()
    assert set(name_both(dropped, leaving, GUARDED)) == {
        (table, PERIOD, "SMS", each + suffix, "FJI")
        for each in series
        for table, suffix in (
            (VOLUME, ""), (CHANGE, "/_T"), ("study.spam_type", "/_V"), ("study.spam_source", "/_V"),
            ("study.spam_route", "/_V/_T"),
        )
    }  # fmt: skip


def test_a_change_that_is_dropped_leaves_the_figures_of_its_whole() -> None:
    row = {"table_name": [CHANGE], "period_code": [PERIOD], "channel_code": ["SMS"]}
    row |= {"series": ["attempted/OPERATOR/units/with_after"], "area_code": ["DEVELOPED"]}
    leaving = {CHANGE: pl.DataFrame(row)}
    dropped = leaving[CHANGE].with_columns(series=pl.lit(None, pl.String))
    assert name_both(dropped, leaving, GUARDED) == leaving[CHANGE].rows()


# --- intervals of changes ----------------------------------------------------------------------------

VOLUMES = public_contract("public.spam_volume")
NO_VOLUMES = pl.DataFrame(schema=VOLUMES.schema)
# By area: kind, both figures, both factors.
CHANGES = {
    "WORLD": ("world", 31_000_000, 33_400_000, 0.004, 0.005),
    "AFR": ("region", 4_000_000, 4_800_000, 0.02, 0.03),
    "AMS": ("region", 9_000_000, 9_300_000, 0.05, 0.04),
    "ARB": ("region", 2_000_000, 2_240_000, 0.3, 0.25),
    # Nearly all answered.
    "EUR": ("region", 16_000_000, 16_800_000, 0.0001, 0.0001),
    "LDC": ("group", 3_000_000, 3_900_000, 0.03, 0.03),
}
LIKE: dict[str, Any] = {
    "channel_code": "SMS", "unit_code": "attempted", "definition_code": "OPERATOR",
    "quantity_code": "spam_certain", "earlier_period_code": "2026-Q3", "later_period_code": "2026-Q4",
    "days_variance": 0.0004, "coverage_pct": 40.0, "frame_country_count": 2, "holding_count": 9,
    "revision_code": "NEW",
}  # fmt: skip


def study_rows(**changed: Any) -> pl.DataFrame:
    """Rows of each area for both periods, with ends of the study's own."""
    rows = []
    for area, (kind, before, after, *factors) in CHANGES.items():
        for code, period, value, factor in (
            ("with_after", "2026-Q3", before, factors[0]), ("with_before", "2026-Q4", after, factors[1])
        ):  # fmt: skip
            own = {
                "change_pct": 1.0,
                "change_low_pct": -90.0,
                "change_high_pct": 900.0,
                "change_code": "fall",
            }
            rows.append(
                LIKE | {"area_code": area, "area_kind_code": kind, "match_code": code, "period_code": period}
                | {"estimate": value, "area_factor": factor}
                | (own if code == "with_before" else {})
                | changed
            )  # fmt: skip
    schema = polars_schema(ABOUT.source) | dict.fromkeys(("revision_code", "stands_from"), pl.String)
    return pl.DataFrame(rows, schema=schema, strict=False)


def as_published(rows: pl.DataFrame, volumes: pl.DataFrame = NO_VOLUMES) -> dict[str, dict[str, Any]]:
    """Return the public rows, read from CSV, as pairs_of() has them."""
    public = derive_columns(transform_rows(rows, ABOUT), ABOUT, {VOLUMES.table: volumes})
    assert public.schema == ABOUT.schema
    return pairs_of(pl.read_csv(io.StringIO(public.write_csv())))


def pairs_of(rows: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """The rows of a series by area: that with the change, with figures of both rows."""
    pairs = {row["area_code"]: row for row in rows.filter(match_code="with_before").to_dicts()}
    for row in rows.filter(match_code="with_after").to_dicts():
        assert row["change_low_pct"] is None and row["change_code"] is None
        pairs[row["area_code"]] |= {"before": row["estimate"], "factor_before": row["area_factor"]}
        pairs[row["area_code"]]["days"] = row["days_variance"] + pairs[row["area_code"]]["days_variance"]
    return pairs


def check_changes(pairs: Mapping[str, Mapping[str, Any]], volumes: tuple[float, float] | None = None) -> None:
    """Each interval as the codebook says, by code of its own.

    Args:
        volumes: variance of rates and its degrees, of the volumes of the later period, for fewer than three
            regions.
    """

    def factor_of(row: Mapping[str, Any]) -> float:
        return float(row["area_factor"] + row["factor_before"]) / 2

    regions = [
        row for row in pairs.values() if row["area_kind_code"] == "region" and row["change_pct"] is not None
    ]
    if len(regions) < 3:
        assert volumes is not None
        check_ends(pairs, factor_of, *volumes)
        return
    mean = sum(map(factor_of, regions)) / len(regions)
    held = [max(factor_of(row), mean / 2) for row in regions]
    logs = [math.log(row["estimate"] / row["before"]) for row in regions]
    middle = sum(log / k for log, k in zip(logs, held, strict=True)) / sum(1 / k for k in held)
    growth = sum((log - middle) ** 2 / k for log, k in zip(logs, held, strict=True)) / (len(regions) - 1)
    check_ends(pairs, factor_of, growth, len(regions) - 1)


def check_ends(
    pairs: Mapping[str, Mapping[str, Any]],
    factor_of: Callable[[Mapping[str, Any]], float],
    growth: float,
    freedom: float,
) -> None:
    for area, row in pairs.items():
        s = math.sqrt(factor_of(row) * growth + row["days"] + 0.00005 / 3)
        reach = math.exp(min(student.ppf(0.975, freedom) * s, math.log(1000)))
        ratio = row["estimate"] / row["before"]
        low, high = 100 * (ratio / reach - 1), 100 * (ratio * reach - 1)
        assert row["change_low_pct"] == pytest.approx(math.floor(10 * low) / 10, abs=1e-9), area
        assert row["change_high_pct"] == pytest.approx(math.ceil(10 * high) / 10, abs=1e-9), area
        way = "rise" if row["change_low_pct"] > 0 else "fall" if row["change_high_pct"] < 0 else "unclear"
        assert row["change_code"] == way
        assert row["change_low_pct"] < row["change_pct"] < row["change_high_pct"]


def test_every_interval_of_a_change_is_made_again_from_the_csv_alone() -> None:
    pairs = as_published(study_rows())
    assert {row["change_code"] for row in pairs.values()} == {"rise", "unclear"}
    check_changes(pairs)


def test_nothing_of_the_studys_own_error_of_a_change_leaves() -> None:
    """Public rows are the same, whatever the study's own ends are; and no contract may let them through."""
    other = {"change_low_pct": 5.0, "change_high_pct": 6.0, "change_code": "rise", "change_pct": 5.5}
    assert as_published(study_rows(**other)) == as_published(study_rows())
    raw = read_yaml(contracts.PUBLIC / "volume_change.yaml")
    raw["columns"]["change_low_pct"] = {"role": "measure"}
    with pytest.raises(ObservatoryError, match="change_low_pct would show the study's own error"):
        contracts.parse_contract(raw, ABOUT.table, "volume_change.yaml")


def test_with_two_regions_the_variance_of_volumes_stands_in_or_no_interval() -> None:
    two = study_rows().filter(~pl.col("area_code").is_in(["AFR", "AMS"]))
    pairs = as_published(two)
    assert {row["change_pct"] for row in pairs.values()} > {12.0}
    assert {row["change_low_pct"] for row in pairs.values()} == {None}
    row = {name: LIKE[name] for name in ("channel_code", "unit_code", "definition_code", "quantity_code")}
    rows = [
        row | {"period_code": "2026-Q4", "rates_variance": 1.25, "rates_freedom": 40.0},
        row | {"period_code": "2026-Q3", "rates_variance": 9.0, "rates_freedom": 2.0},
        # Of a row that stands from an earlier release: the larger one counts.
        row | {"period_code": "2026-Q4", "rates_variance": 0.5, "rates_freedom": 60.0},
    ]
    volumes = pl.DataFrame(rows, schema=VOLUMES.schema)
    pairs = as_published(two, volumes)
    check_changes(pairs, (1.25, 40.0))
    # Three regions show it themselves.
    three = study_rows().filter(pl.col("area_code") != "AFR")
    assert as_published(three, volumes) == as_published(three)
    assert as_published(three)["WORLD"]["change_low_pct"] is not None


def test_a_change_without_both_rows_of_one_release_has_no_interval_and_shows_nothing_of_growth() -> None:
    """Europe's rows stand from releases that differ; nobody knows how much it changed."""
    beside = {VOLUMES.table: NO_VOLUMES}
    rows = derive_columns(transform_rows(study_rows(), ABOUT), ABOUT, beside)
    stands = pl.when(area_code="EUR").then(pl.concat_str(pl.lit("2026-Q4/v1.0."), "match_code"))
    apart = rows.with_columns(stands_from=stands)
    found = derive_columns(apart, ABOUT, beside).filter(match_code="with_before")
    without = derive_columns(rows.filter(pl.col("area_code") != "EUR"), ABOUT, beside)
    assert found.filter(area_code="EUR")["change_low_pct"].to_list() == [None]
    ends = ("area_code", *contracts.OF_CHANGE)
    same = without.filter(match_code="with_before").select(ends)
    assert found.filter(pl.col("area_code") != "EUR").select(ends).equals(same)


def test_where_all_answered_an_interval_is_that_of_rounding() -> None:
    world = as_published(study_rows(area_factor=0.0, days_variance=0.0))["WORLD"]
    # 33.4 over 31.0, each good to 0.05.
    assert world["change_low_pct"] <= 100 * (33.35 / 31.05 - 1)
    assert world["change_high_pct"] >= 100 * (33.45 / 30.95 - 1)
    assert world["change_high_pct"] - world["change_low_pct"] < 3
