"""Figures of matched respondents beside those of all: their difference is what joined, and the attacker has
both in one set of equations."""

from collections.abc import Mapping
from dataclasses import replace

import polars as pl
import pytest

from jobs.base.tables import public_contracts as contracts
from jobs.base.tables.public_contracts import PublicContract, public_contract, public_tables
from jobs.study.attack.known import Finding
from jobs.study.attack.search import Attack
from jobs.study.public import gate, wholes
from jobs.study.public.cells import Basis, EarlierRelease
from jobs.study.public.gate import make_public_tables
from jobs.study.public.knowledge import known_release, of_release, shape_of
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
    """What the whole attack finds in what left, wholes beside the matched figures."""
    known = known_release(basis, of_release(EarlierRelease(basis, public), GUARDED))
    shapes = {name: shape_of(about) for name, about in GUARDED.items()}
    return name_wholes(Attack(join_blocks([known], GUARDED), shapes, P_PCT).find_all(), GUARDED)


def switch_off(monkeypatch: pytest.MonkeyPatch, about: PublicContract) -> None:
    """Let the gate see this contract."""

    def see_contract(table: str) -> PublicContract:
        return about if table == about.table else contracts.public_contract(table)

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
    """That a matched figure is made of the same contributions as the whole is what the attacker subtracts."""
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
