"""Guards that fail closed: what is null, no number or missing holds a figure back, or stops the release."""

import math
from dataclasses import replace

import polars as pl
import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.base.tables.public_contracts import public_contract
from jobs.base.tables.thresholds import HOLDINGS
from jobs.study.attack.known import Finding
from jobs.study.attack.search import Attack
from jobs.study.disclosure import rules
from jobs.study.public import cells
from jobs.study.public.cells import CONTRIBUTION, Basis, EarlierRelease
from jobs.study.public.gate import Unprotectable, make_public_tables
from jobs.study.public.knowledge import class_edges
from tests.study.public.test_gate import AROUND, P_PCT, SAFE, found_in, unattacked
from tests.support.small_study import PERIOD, Small, basis

VOLUME = public_contract("public.spam_volume")
STUDY = basis(Small((*AROUND, *SAFE)), "r1")
PEOPLE = {"cell": ["a"] * 4, "holding_id": list("wxyz"), "contribution": [5.0, 6.0, 7.0, 8.0]}


def judge(**columns: list[object]) -> tuple[bool, bool]:
    """Return whether a cell of four holdings has enough of them, and whether none dominates it."""
    rows = pl.DataFrame(PEOPLE | {"is_waived": [False] * 4} | columns, strict=False)
    found = rules.judge_cells(rows, ["cell"], pl.lit(HOLDINGS), 10.0)
    return found[rules.ENOUGH].item(), found[rules.UNDOMINATED].item()


def test_a_whole_cell_passes() -> None:
    assert judge() == (True, True)


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -1.0])
def test_a_contribution_that_is_no_amount_holds_its_cell_back(value: float | None) -> None:
    """A sum with NaN is above every threshold."""
    assert judge(contribution=[5.0, 6.0, 7.0, value]) == (False, False)


def test_a_contribution_of_an_unknown_holding_holds_its_cell_back() -> None:
    """An unknown holding may be one of the others."""
    assert judge(holding_id=["w", "x", "y", None]) == (False, False)


@pytest.mark.parametrize("waived", [[None] * 4, [True, True, True, None]])
def test_who_does_not_say_that_it_waives_is_protected(waived: list[bool | None]) -> None:
    assert judge(contribution=[1.0, 1.0, 1.0, 99.0], is_waived=waived) == (True, False)


def held_rules(rows: pl.DataFrame) -> set[str]:
    """The rules that hold back rows of Kenya."""
    inside = cells.repeat_by_area(STUDY, [PERIOD])
    held = cells.refuse_rows(rows.filter(area_code="KEN"), inside, VOLUME, P_PCT)
    return set(held["rule"])


def test_a_condition_on_countries_that_is_null_holds_back() -> None:
    rows = cells.candidate_rows(VOLUME, STUDY, [PERIOD])
    assert held_rules(rows) == set()
    assert VOLUME.protect is not None
    about = replace(VOLUME, protect=replace(VOLUME.protect, countries="cv_pct > 0"))
    rows = rows.filter(area_code="KEN").with_columns(cv_pct=pl.lit(None, pl.Float64))
    held = cells.refuse_rows(rows, cells.repeat_by_area(STUDY, [PERIOD]), about, P_PCT)
    assert held.height == rows.height and set(held["rule"]) == {"areas_only"}


def test_an_area_without_a_kind_is_taken_for_a_country() -> None:
    """Kenya's silent operators would be estimated at other countries' rate."""
    rows = cells.candidate_rows(VOLUME, STUDY, [PERIOD]).with_columns(
        area_kind_code=pl.lit(None, pl.String), coverage_pct=pl.lit(10.0)
    )
    assert held_rules(rows) == {"own_rate"}


@pytest.mark.parametrize("coverage", [None, math.nan])
def test_a_country_of_unknown_coverage_has_no_rate_of_its_own(coverage: float | None) -> None:
    rows = cells.candidate_rows(VOLUME, STUDY, [PERIOD]).with_columns(
        coverage_pct=pl.lit(coverage, pl.Float64)
    )
    assert held_rules(rows) == {"own_rate"}


def with_contributions(study: Basis, contribution: pl.DataFrame) -> Basis:
    return replace(study, tables={**study.tables, CONTRIBUTION: contribution})


def test_contributions_from_no_country_stop_the_release() -> None:
    """Contributions without a country would be in no area, and nobody would see that they changed."""
    own = STUDY.tables[CONTRIBUTION]
    lost = own.with_columns(
        country_code=pl.when(pl.col("respondent_id") == "ken-0").then(pl.lit("XXX")).otherwise("country_code")
    )
    with pytest.raises(ObservatoryError, match="does not have: XXX"):
        make_public_tables(with_contributions(STUDY, lost), [], [PERIOD], P_PCT)


def test_the_attack_refuses_contributions_that_are_no_amount(monkeypatch: pytest.MonkeyPatch) -> None:
    """NaN would leave no bound too near."""
    released = unattacked(STUDY, [], monkeypatch)
    own = STUDY.tables[CONTRIBUTION]
    spoilt = own.with_columns(
        contribution=pl.when(pl.col("respondent_id") == "ken-0").then(math.nan).otherwise("contribution")
    )
    with pytest.raises(AssertionError, match="ken-0"):
        found_in(EarlierRelease(with_contributions(STUDY, spoilt), released.public))


def test_a_finding_that_names_no_figure_holds_the_release_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A finding holds nothing back only if it rests on figures of earlier releases alone."""
    found = Finding(
        "", "ken-0", ("ken-0",), VOLUME.source, PERIOD, "EMAIL", "recipient/OPERATOR/units", "low", ()
    )
    monkeypatch.setattr(Attack, "find_all", lambda attack: [found])
    with pytest.raises(Unprotectable):
        make_public_tables(STUDY, [], [PERIOD], P_PCT)


def test_an_unknown_class_is_refused() -> None:
    """The attack would take it for a class without edges."""
    edges = class_edges("silent_class_code", "silent_pct")
    known, unknown = (pl.DataFrame({"silent_class_code": [code]}) for code in ("25_50", "20_40"))
    assert known.select(**edges).row(0) == (25.0, 50.0)
    with pytest.raises(pl.exceptions.InvalidOperationError):
        unknown.select(**edges)
