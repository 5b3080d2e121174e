"""Figures of parts in which the attack finds a contribution: single parts are left out, and never a whole."""

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from jobs.base.tables import public_contracts as contracts
from jobs.base.tables.public_contracts import public_contract
from jobs.study.attack.known import Finding, PublishedCell
from jobs.study.public import gate
from jobs.study.public.cells import CELL, CONTRIBUTION, Basis
from jobs.study.public.gate import Unprotectable, choose_dropped, make_public_tables
from tests.golden.test_golden import GOLDEN
from tests.golden.test_golden_public import P_PCT, basis_of

ABOUT = public_contract("public.spam_type")
TABLE, PERIOD, RELEASE = "study.spam_type", "2026-Q4", "2026-Q4/v1.0.0"


def row(area: str, code: str, estimate: float, kind: str = "region") -> dict[str, Any]:
    series = f"attempted/OPERATOR/spam_certain/{code}"
    return {
        "table_name": TABLE, "period_code": PERIOD, "channel_code": "SMS", "series": series,
        "area_code": area, "area_kind_code": kind, "frame_country_count": 2, "estimate": estimate,
        "spam_type_code": code,
    }  # fmt: skip


ROWS = [
    row("CIS", "AD.retail", 40.0), row("TRANSITION", "AD.retail", 30.0, "group"), row("CIS", "_S", 900.0),
    row("CIS", "_T", 20.0), row("ARB", "UNK", 10.0),
]  # fmt: skip


def finding(*rows: dict[str, Any]) -> Finding:
    cells = tuple(PublishedCell(RELEASE, *(str(each[name]) for name in CELL)) for each in rows)
    return Finding("", "holding", ("one",), TABLE, PERIOD, "SMS", "series", "high", cells)


def dropped(*findings: Finding) -> list[tuple[str | None, str]]:
    found = choose_dropped(
        findings, {TABLE: pl.DataFrame(ROWS)}, {TABLE: ABOUT}, RELEASE, leave_out_areas=False
    )
    return found.select("series", "area_code").rows()


def test_the_smallest_part_goes_and_the_rest_of_its_area_stays() -> None:
    series = "attempted/OPERATOR/spam_certain/AD.retail"
    assert dropped(finding(ROWS[0], ROWS[1])) == [(series, "TRANSITION")]


def test_one_part_goes_for_two_findings_that_it_is_in() -> None:
    assert len(dropped(finding(ROWS[0], ROWS[1]), finding(ROWS[1], ROWS[2]))) == 1


def test_a_whole_never_goes() -> None:
    """A whole never goes: it stands in public.spam_volume, too."""
    assert dropped(finding(ROWS[3])) == []
    assert dropped(finding(ROWS[2], ROWS[3])) == [("attempted/OPERATOR/spam_certain/_S", "CIS")]


# --- one holding that answered and sent no types ------------------------------------------------------


def one_alone(others: int) -> Basis:
    """Five operators with types, and one that answered 9,000 alone: types are 1.2 times theirs, and the whole
    is 409,051, so that the difference of two public figures is 9,000 but for 10%.

    Args:
        others: what the rows say of how many holdings sent no types.
    """
    made = basis_of(GOLDEN / "public.spam_type" / "a_dominated_type_stays", RELEASE)
    tables = dict(made.tables)
    gone = pl.col("respondent_id").is_in(["fji-7", "fji-8"])
    for name in (CONTRIBUTION, "ref.operator_frame"):
        tables[name] = tables[name].filter(~gone)
    tables["ref.denominator"] = tables["ref.denominator"].with_columns(pl.col("subscriptions") * 0 + 6000)
    whole = pl.when(pl.col("spam_type_code") == "_T").then(409_051.0)
    estimate = whole.otherwise(pl.col("estimate").cast(pl.Float64) * 1.2 / 1.6)
    kind = tables[TABLE].schema["estimate"]
    tables[TABLE] = tables[TABLE].with_columns(
        *(estimate.cast(kind).alias(name) for name in ("estimate", "estimate_low", "estimate_high")),
        other_holding_count=pl.lit(others, pl.Int64),
    )
    return Basis(RELEASE, tables)


def public_codes(basis: Basis) -> tuple[set[str], set[str | None]]:
    """The types that leave, and the series that the attack held back."""
    made = make_public_tables(basis, [], (PERIOD,), P_PCT)
    held = made.held_rows.filter(pl.col("rule") == "attack")
    return set(made.public[ABOUT.table]["spam_type_code"]), set(held["series"])


def test_types_stay_where_one_holding_sent_none() -> None:
    assert public_codes(one_alone(1)) == ({"_T"}, set())


def test_without_that_rule_the_attack_finds_it_and_types_drop_one_by_one() -> None:
    left, held = public_codes(one_alone(3))
    assert "attempted/OPERATOR/spam_certain/_S" in held
    assert "_T" in left and "_S" not in left


def test_without_both_nothing_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ABOUT.protect is not None
    rigid = replace(ABOUT, protect=replace(ABOUT.protect, leave_out="FALSE"))
    monkeypatch.setattr(
        gate,
        "public_contract",
        lambda table: rigid if table == rigid.table else contracts.public_contract(table),
    )
    with pytest.raises(Unprotectable):
        public_codes(one_alone(3))
