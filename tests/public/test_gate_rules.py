"""Each rule of the gate switched off in turn: the attacker finds the hole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import polars as pl
import pytest

from jobs.attack.known import Known
from jobs.attack.search import attack
from jobs.disclosure import rules
from jobs.public import gate
from jobs.public.cells import Basis, Released
from jobs.public.gate import protect
from jobs.public.knowledge import known, of_release, shape_of
from tests.public.test_gate import GUARDED, P_PCT
from tests.support.small_study import PERIOD, Operator, Small, basis, changed, drawn

SHAPES = {name: shape_of(about) for name, about in GUARDED.items()}


def unattacked(study: Basis, earlier: list[Released], monkeypatch: pytest.MonkeyPatch) -> Released:
    """What would leave by the rules alone, without the attacker's last word."""
    with monkeypatch.context() as patch:
        patch.setattr(gate, "attack", lambda *arguments: [])
        return Released(study, protect(study, earlier, [PERIOD], P_PCT).public)


def knowledge(releases: list[Released]) -> list[Known]:
    return [known(each.basis, of_release(each, GUARDED)) for each in releases]


def country(name: str, *figures: tuple[int, int, int] | None, subscriptions: int = 1000) -> list[Operator]:
    return [
        Operator(f"{name.lower()}-{at}", name, f"{name.lower()}-{at}", subscriptions, each)
        for at, each in enumerate(figures)
    ]


def plain(certain: int) -> tuple[int, int, int]:
    return 3 * certain, certain, certain + certain // 10


# Enough operators elsewhere for areas to be safe whatever Kenya's rows say: in Africa of two countries that
# two operators dominate, so that Kenya does not follow from the region and the others.
AROUND = [
    operator
    for name in ("NPL", "GHA", "PER", "UZB", "TUN", "POL")
    for operator in country(name, *(plain(certain) for certain in (900, 1000, 1100, 1200, 1300, 1400)))
] + [
    operator
    for name in ("NGA", "ZAF")
    for operator in country(name, *(plain(certain) for certain in (5000, 4800, 100, 100, 100)))
]


def study_of(*kenya: Operator) -> Basis:
    return basis(Small((*AROUND, *kenya)), "r1")


SAFE = country("KEN", plain(1000), plain(1100), plain(1200), plain(900))
TWO = country("KEN", plain(1000), plain(1100))
DOMINATED = country("KEN", plain(10000), plain(1100), plain(100))
# Six operators' subscriptions, of which one small part answered: the rate is the cell's.
OTHERS_RATE = country("KEN", plain(1000), plain(1100), plain(1200), None, None, None, None, None)


def without(rule: str, patch: pytest.MonkeyPatch) -> None:
    """Switch a primary rule off."""
    true = pl.lit(True)
    if rule == "own_rate":
        patch.setattr(rules, "has_own_rate", lambda coverage_pct: true)
    else:
        old: Callable[..., pl.DataFrame] = rules.primary
        column = {"threshold": rules.ENOUGH, "p_pct": rules.UNDOMINATED}
        off = [column[each] for each in rule.split("+")]
        patch.setattr(
            rules, "primary", lambda *given: old(*given).with_columns(true.alias(name) for name in off)
        )


def kenyas(released: Released) -> int:
    rows = released.public["public.spam_volume"]
    return rows.filter(pl.col("area_code") == "KEN").height


@pytest.mark.parametrize(
    ("rule", "kenya"), [("threshold+p_pct", TWO), ("p_pct", DOMINATED)], ids=["threshold", "p_pct"]
)
def test_without_a_primary_rule_the_attacker_finds_who_is_behind_a_country(
    rule: str, kenya: list[Operator], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = study_of(*kenya)
    held = unattacked(study, [], monkeypatch)
    assert kenyas(held) == 0
    assert attack(knowledge([held]), SHAPES, P_PCT) == []
    with monkeypatch.context() as patch:
        without(rule, patch)
        open_ = unattacked(study, [], monkeypatch)
    assert kenyas(open_) > 0
    found = attack(knowledge([open_]), SHAPES, P_PCT)
    assert {each.holding for each in found} & {operator.holding for operator in kenya}
    # The gate's last word: without the rule the attacker still keeps the row back.
    with monkeypatch.context() as patch:
        without(rule, patch)
        assert kenyas(Released(study, protect(study, [], [PERIOD], P_PCT).public)) == 0


def test_a_safe_country_leaves() -> None:
    study = study_of(*SAFE)
    made = protect(study, [], [PERIOD], P_PCT)
    assert made.found.is_empty() and kenyas(Released(study, made.public)) == 3


def test_who_waived_is_no_target_but_attacks() -> None:
    """A country of two holdings leaves once both waived; with one of them the other would be found."""
    for waiving, leaves in ((0, False), (1, False), (2, True)):
        kenya = [replace(each, waives=at < waiving) for at, each in enumerate(TWO)]
        study = study_of(*kenya)
        released = Released(study, protect(study, [], [PERIOD], P_PCT).public)
        assert (kenyas(released) > 0) == leaves
        assert attack(knowledge([released]), SHAPES, P_PCT) == []


def test_a_country_at_another_rate_is_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    study = study_of(*OTHERS_RATE)
    assert kenyas(unattacked(study, [], monkeypatch)) == 0
    with monkeypatch.context() as patch:
        without("own_rate", patch)
        assert kenyas(unattacked(study, [], monkeypatch)) == 3


def test_the_clamp_reveals_what_was_reported() -> None:
    """With the study's own lower end an area's sum of contributions would be known exactly where the clamp
    holds; without the clamp the end follows from two figures that leave anyway."""
    study = study_of(*SAFE)
    rows = study.tables["study.spam_volume"].filter(pl.col("area_kind_code") != "country")
    clamped = rows.filter(pl.col("estimate_low") == pl.col("reported"))
    made = protect(study, [], [PERIOD], P_PCT).public["public.spam_volume"]
    key = ["area_code", "quantity_code"]
    shown = made.join(clamped.select(*key, reported=pl.col("reported").cast(pl.Float64)), on=key)
    assert not shown.filter(pl.col("estimate_low").cast(pl.Float64) == pl.col("reported")).height


def test_a_month_does_not_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    small = Small((*AROUND, *SAFE), period="2026-11")
    study = basis(small, "r1")
    assert protect(study, [], ["2026-11"], P_PCT).public["public.spam_volume"].is_empty()


def test_certain_within_possible_is_what_the_attacker_knows() -> None:
    """Possible spam of a dominated country alone would bound the certain spam that did not leave: so a
    country's quantities leave together. The attacker that may use the order finds more than one that may
    not."""
    kenya = [
        Operator("ken-0", "KEN", "ken-0", 1000, (30_000, 9_900, 10_000)),
        Operator("ken-1", "KEN", "ken-1", 1000, (30_000, 100, 10_000)),
        Operator("ken-2", "KEN", "ken-2", 1000, (30_000, 100, 1_000)),
    ]
    study = study_of(*kenya)
    made = protect(study, [], [PERIOD], P_PCT)
    # units and possible spam pass, certain spam does not: none leaves.
    assert kenyas(Released(study, made.public)) == 0
    rules_held = made.held.filter(pl.col("area_code") == "KEN")["rule"].unique().to_list()
    assert rules_held == ["p_pct"]


def test_one_changed_holding_changes_no_area(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the revision rule two releases differ by one late operator, and the difference shows it."""
    late = Operator("ken-9", "KEN", "ken-9", 1000, None)
    before = Small((*AROUND, *SAFE, late))
    after = Small((*AROUND, *SAFE, replace(late, figures=plain(5000))))
    first = unattacked(basis(before, "r1"), [], monkeypatch)
    second = unattacked(basis(after, "r2"), [first], monkeypatch)
    rows = second.public["public.spam_volume"]
    assert set(rows.filter(pl.col("area_code") == "WORLD")["revision_code"]) == {"STANDS"}
    assert set(rows.filter(pl.col("area_code") == "WORLD")["stands_from"]) == {"r1"}
    assert set(rows.filter(pl.col("area_code") == "EUR")["revision_code"]) <= {"SAME", "REVISED"}
    assert attack(knowledge([first, second]), SHAPES, P_PCT) == []
    with monkeypatch.context() as patch:
        patch.setattr(rules, "may_change", lambda changed: pl.lit(True))
        loose = unattacked(basis(after, "r2"), [first], monkeypatch)
    found = attack(knowledge([first, loose]), SHAPES, P_PCT)
    assert "ken-9" in {each.holding for each in found}


def test_three_changed_holdings_change_an_area(monkeypatch: pytest.MonkeyPatch) -> None:
    first = unattacked(basis(Small((*AROUND, *SAFE)), "r1"), [], monkeypatch)
    more = country("KEN", *(plain(certain) for certain in (1000, 1100, 1200, 900, 1000, 1100, 1200)))
    rows = unattacked(basis(Small((*AROUND, *more)), "r2"), [first], monkeypatch).public["public.spam_volume"]
    assert set(rows.filter(pl.col("area_code") == "WORLD")["revision_code"]) == {"REVISED"}


def test_the_percentage_stands_in_nothing_that_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    study = study_of(*DOMINATED)
    made = protect(study, [], [PERIOD], P_PCT)
    for frame in (*made.public.values(), made.held, made.found):
        assert "13.7" not in frame.write_json() and "0.137" not in frame.write_json()


def test_nothing_but_the_gate_makes_public_tables() -> None:
    """Transforms of public tables are called by the gate alone, and no other room writes public tables."""
    import re

    from tests.conftest import ROOT

    callers = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "jobs").rglob("*.py")
        if re.search(
            r"jobs\.public\.(spam_volume|investment|investment_gap|cost)\b|jobs\.public\.\{", file.read_text()
        )
    }
    assert callers == {"jobs/public/gate.py"}


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100))
def test_a_hundred_studies(seed: int) -> None:
    study = basis(drawn(seed), "r1")
    made = protect(study, [], [PERIOD], P_PCT, leave_out_areas=True)
    assert attack(knowledge([Released(study, made.public)]), SHAPES, P_PCT) == []


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 125))
def test_chains_of_four_releases(seed: int) -> None:
    small, releases = drawn(seed), []
    for number in range(4):
        study = basis(small, f"r{number}")
        try:
            made = protect(study, releases, [PERIOD], P_PCT, leave_out_areas=True)
        except gate.Unprotectable:
            # Nothing was published; the next release is attacked all the same.
            small = changed(small, 10 * seed + number)
            continue
        releases.append(Released(study, made.public))
        small = changed(small, 10 * seed + number)
    assert releases
    assert attack(knowledge(releases), SHAPES, P_PCT) == []
