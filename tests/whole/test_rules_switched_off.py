"""Each rule of the gate switched off alone: what the attacker then finds, and that with the rule nobody finds
anything. Three holdings and p% are in tests/study/public/test_gate.py."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import polars as pl
import pytest

from jobs.base.figures.areas import COUNTRY
from jobs.base.tables.public_contracts import PublicContract
from jobs.study.attack.known import EVERYWHERE, Finding
from jobs.study.attack.search import Attack
from jobs.study.disclosure import rules
from jobs.study.estimates.steps import area_rows
from jobs.study.public import cells, gate
from jobs.study.public.cells import Basis, EarlierRelease
from jobs.study.public.gate import make_public_tables
from tests.study.public.test_gate import AROUND, P_PCT, SAFE, country, found_in, plain
from tests.support.small_study import PERIOD, Operator, Small, basis

pytestmark = pytest.mark.long

TABLE = "public.spam_volume"
MONTHS = ("2026-10", "2026-11", "2026-12")


def without_variances(patch: pytest.MonkeyPatch) -> None:
    """No interval leaves: what a rule on figures prevents is to be seen without them."""
    none = pl.lit(None, pl.Float64).alias("rates_variance")
    choose = gate.choose_variances
    patch.setattr(
        gate,
        "choose_variances",
        lambda rows, *given: choose(rows.with_columns(none), *given),
    )


def by_rules(
    study: Basis,
    earlier: Sequence[EarlierRelease] = (),
    periods: Sequence[str] = (PERIOD,),
    has_intervals: bool = False,
) -> EarlierRelease:
    """Return the release by the rules alone, without the attacker's last word."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Attack, "find_all", lambda attack: [])
        if not has_intervals:
            without_variances(patch)
        return EarlierRelease(study, make_public_tables(study, list(earlier), periods, P_PCT).public)


@contextmanager
def without(rule: str) -> Iterator[None]:
    """One of the primary rules switched off."""
    every = cells.primary_rules

    def others(contract: PublicContract) -> dict[str, pl.Expr]:
        return every(contract) | {rule: pl.lit(False)}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells, "primary_rules", others)
        yield


def holdings(findings: Sequence[Finding]) -> set[str]:
    return {each.holding for each in findings}


def countries(released: EarlierRelease) -> set[str]:
    rows = released.public[TABLE]
    return set(rows.filter(pl.col("area_kind_code") == COUNTRY)["area_code"])


def larger(operators: Sequence[Operator], factor: int) -> list[Operator]:
    return [
        replace(each, figures=tuple(factor * figure for figure in each.figures or ()))  # type: ignore[arg-type]
        for each in operators
    ]


# Least developed countries of Africa: one operator has nearly all that theirs counted. Regions and groups are
# large beside it.
DOMINATED_CLASS = [
    *larger([each for each in AROUND if each.country != "NPL"], 10),
    *country("ETH", plain(12_000), plain(60), plain(60)),
    *(
        each
        for name in ("NPL", "LAO", "IND", "THA")
        for each in country(name, *(plain(certain) for certain in (50_000, 48_000, 1000, 1000, 1000)))
    ),
]
OTHERS_RATE = country("MWI", plain(300), plain(310), plain(320), *[None] * 12)
NOBODY = [*country("UGA", plain(100), plain(110), plain(120)), *country("MWI", None, None, None)]


@pytest.mark.parametrize(("rule", "malawi"), [("own_rate", OTHERS_RATE), ("modelled", NOBODY)])
def test_a_country_at_the_rate_of_others_shows_the_largest_of_them(rule: str, malawi: list[Operator]) -> None:
    """Silent operators of the country are estimated at the rate of its region and class, and Ethiopia's first
    operator has 93% of that: the estimate over the rate's subscriptions is an upper end for it."""
    study = basis(Small((*DOMINATED_CLASS, *malawi)), "r1")
    closed = by_rules(study)
    assert "MWI" not in countries(closed) and found_in(closed) == []
    with without(rule):
        opened = by_rules(study)
    assert countries(opened) - countries(closed) == {"MWI"}
    assert holdings(found_in(opened)) == {"eth-0"}


def test_months_show_who_answered_for_the_quarter_alone() -> None:
    """The quarter is the sum of its months for all that send logs, so that the rest is the other's."""
    around, kenya = larger(AROUND, 3), larger(country("KEN", *map(plain, (900, 990, 1020, 960))), 3)
    other = Operator("ken-9", "KEN", "ken-9", 1000, plain(3000), only_answers=True)
    study = basis(Small((*around, *kenya, other), by_month=True), "r1")
    periods = (*MONTHS, PERIOD)
    closed = by_rules(study, periods=periods)
    assert set(closed.public[TABLE]["period_code"]) == {PERIOD} and found_in(closed) == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "is_month", lambda period: pl.lit(False))
        opened = by_rules(study, periods=periods)
    assert set(opened.public[TABLE]["period_code"]) == set(periods)
    findings = found_in(opened)
    assert holdings(findings) == {"ken-9"} and {each.side for each in findings} == {"low", "high"}


# Certain spam of Tunisia just passes p%, possible spam just fails; all of Jordan's is only possible.
HALF_SAFE = [
    *(each for each in AROUND if each.country != "TUN"),
    *country("TUN", (60_000, 10_000, 11_200), (12_000, 10_000, 10_000), (1500, 1500, 1500)),
    *country("JOR", (70_000, 0, 20_000)),
]


def without_administrations(patch: pytest.MonkeyPatch) -> None:
    """Let no administration attack: Tunisia's finds Jordan's spam in the region's figure alone."""
    find_all = Attack.find_all
    patch.setattr(
        Attack,
        "find_all",
        lambda attack: [each for each in find_all(attack) if not each.attacker.startswith("administration")],
    )


def test_a_countrys_quantities_leave_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tunisia's certain spam is the least of its possible spam, and the region less that is an upper end of
    Jordan's."""
    without_administrations(monkeypatch)
    study = basis(Small(tuple(HALF_SAFE)), "r1")
    closed = by_rules(study)
    assert "TUN" not in countries(closed) and found_in(closed) == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells, "hold_country_rows", lambda rule, is_rare: rule)
        opened = by_rules(study)
    assert opened.public[TABLE].filter(pl.col("area_code") == "TUN")["quantity_code"].to_list() == [
        "spam_certain"
    ]
    assert holdings(found_in(opened)) == {"jor-0"}


def test_an_attacker_without_the_order_of_quantities_misses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """certain <= possible <= units is a rule of the attacker: without it the gate's last word lets the same
    figures leave."""
    without_administrations(monkeypatch)
    study = basis(Small(tuple(HALF_SAFE)), "r1")
    with pytest.MonkeyPatch.context() as patch:
        without_variances(patch)
        patch.setattr(cells, "hold_country_rows", lambda rule, is_rare: rule)
        strict = make_public_tables(study, [], [PERIOD], P_PCT)
        read = gate.list_shapes
        patch.setattr(
            gate,
            "list_shapes",
            lambda *given: {name: replace(shape, chains={}) for name, shape in read(*given).items()},
        )
        loose = make_public_tables(study, [], [PERIOD], P_PCT)
    assert strict.findings.height and found_in(EarlierRelease(study, strict.public)) == []
    assert loose.findings.is_empty()
    assert holdings(found_in(EarlierRelease(study, loose.public))) == {"jor-0"}


def test_an_exact_variance_shows_who_is_far_from_all_others() -> None:
    """Nearly all of how much rates differ is Kenya's fourth operator: published as it is, without a rule of
    its own, the variance is an upper end for it. No figure of Kenya alone leaves."""
    kenya = country("KEN", *map(plain, (1000, 1100, 1200, 20_000)), None)
    small = Small((*AROUND, *kenya))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(area_rows, "round_up_variance", lambda variance: 1.01 * variance)
        patch.setattr(area_rows, "rule_margin", lambda spread, variance, holding: 0 * variance + 99)
        opened = by_rules(basis(small, "r1"), has_intervals=True)
    findings = found_in(opened)
    assert ("ken-3", "", "high") in {(each.holding, each.attacker, each.side) for each in findings}
    # The variance, beside figures of countries and areas around Kenya that hold the others in place.
    areas = (
        {each.cells[0].area_code for each in findings},
        {cell.area_code for each in findings for cell in each.cells},
    )
    assert areas[0] == {EVERYWHERE} and "KEN" not in areas[1]
    # The gate's last word: such a series leaves without intervals.
    study = basis(small, "r1")
    closed = EarlierRelease(study, make_public_tables(study, [], [PERIOD], P_PCT).public)
    assert found_in(closed) == []
    rows = closed.public[TABLE]
    assert rows.height and rows["rates_variance"].null_count() == rows.height
    assert rows["estimate_high"].null_count() == rows["cv_band_code"].null_count() == rows.height


@pytest.mark.parametrize("late", [1, 2])
def test_a_changed_area_shows_one_or_two_changed_holdings(late: int) -> None:
    """Two releases differ by who answered late: one is found by anyone, of two each by the other."""
    silent = [Operator(f"ken-{8 + at}", "KEN", f"ken-{8 + at}", 1000, None) for at in range(late)]
    answered = [replace(each, figures=plain(5000 + 900 * at)) for at, each in enumerate(silent)]
    before = by_rules(basis(Small((*AROUND, *SAFE, *silent)), "r1"))
    after = basis(Small((*AROUND, *SAFE, *answered)), "r2")
    closed = by_rules(after, [before])
    assert found_in(before, closed) == []
    assert set(closed.public[TABLE].filter(pl.col("area_code") == "WORLD")["stands_from"]) == {"r1"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "may_change", lambda changed: pl.lit(True))
        opened = by_rules(after, [before])
    findings = found_in(before, opened)
    assert {each.holding for each in silent} <= holdings(findings)
    assert {each.attacker for each in findings} == ({""} if late == 1 else {each.holding for each in silent})
