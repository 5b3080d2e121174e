"""Each rule of the gate switched off alone: what the attacker then finds, and that with the rule nobody finds
anything. Three holdings and p% are in tests/public/test_gate.py."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import polars as pl
import pytest

from jobs.attack.known import ESTIMATE, SILENT_PCT, Finding
from jobs.attack.search import Attack
from jobs.core.areas import COUNTRY
from jobs.disclosure import rules
from jobs.disclosure.coarse import on_grid
from jobs.public import cells, gate, tables
from jobs.public.cells import Basis, Released
from jobs.public.contracts import PublicContract
from jobs.public.gate import make_public_tables
from tests.public.test_gate import (
    AROUND,
    P_PCT,
    SAFE,
    SHAPES,
    country,
    found_in,
    knowledge,
    plain,
)
from tests.support.digits import half_unit
from tests.support.small_study import PERIOD, Operator, Small, basis, drawn

TABLE = "public.spam_volume"
MONTHS = ("2026-10", "2026-11", "2026-12")


def by_rules(study: Basis, earlier: Sequence[Released] = (), periods: Sequence[str] = (PERIOD,)) -> Released:
    """What leaves by the rules alone, without the attacker's last word."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Attack, "find_all", lambda attack: [])
        return Released(study, make_public_tables(study, list(earlier), periods, P_PCT).public)


@contextmanager
def without(rule: str) -> Iterator[None]:
    """One of the primary rules switched off."""
    every = cells.primary_rules

    def others(about: PublicContract) -> dict[str, pl.Expr]:
        return every(about) | {rule: pl.lit(False)}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells, "primary_rules", others)
        yield


def holdings(findings: Sequence[Finding]) -> set[str]:
    return {each.holding for each in findings}


def countries(released: Released) -> set[str]:
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
    """Its silent operators are estimated at the rate of its region and class, and Ethiopia's first operator
    has 93% of that: the estimate over the rate's subscriptions is an upper end for it."""
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


def test_a_countrys_quantities_leave_together() -> None:
    """Tunisia's certain spam is the least of its possible spam, and the region less that is an upper end of
    Jordan's."""
    study = basis(Small(tuple(HALF_SAFE)), "r1")
    closed = by_rules(study)
    assert "TUN" not in countries(closed) and found_in(closed) == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells, "hold_together", lambda rule, is_rare: rule)
        opened = by_rules(study)
    assert opened.public[TABLE].filter(pl.col("area_code") == "TUN")["quantity_code"].to_list() == [
        "spam_certain"
    ]
    assert holdings(found_in(opened)) == {"jor-0"}


def test_an_attacker_without_the_order_of_quantities_misses_it() -> None:
    """certain <= possible <= units is a rule of the attacker: without it the gate's last word lets the same
    figures leave."""
    study = basis(Small(tuple(HALF_SAFE)), "r1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells, "hold_together", lambda rule, is_rare: rule)
        strict = make_public_tables(study, [], [PERIOD], P_PCT)
        read = gate.list_shapes
        patch.setattr(
            gate,
            "list_shapes",
            lambda *given: {name: replace(shape, chains={}) for name, shape in read(*given).items()},
        )
        loose = make_public_tables(study, [], [PERIOD], P_PCT)
    assert strict.findings.height and found_in(Released(study, strict.public)) == []
    assert loose.findings.is_empty()
    assert holdings(found_in(Released(study, loose.public))) == {"jor-0"}


def at_most(released: Released) -> pl.DataFrame:
    """What the study's own lower ends say, as the attacker reads figures: an area's operators reported less
    than the next number of the grid. It is not linear in contributions, but this reading of it is."""
    kept = knowledge([released])[0].published
    rows = released.public[TABLE].filter(pl.col("area_kind_code") != COUNTRY).drop_nulls("estimate_low")
    found = []
    for row in rows.to_dicts():
        value, low = float(row["estimate"]), float(row["estimate_low"])
        series = "/".join((row["unit_code"], row["definition_code"], row["quantity_code"]))
        least = value - half_unit(value, 3) - 0.005
        (cell,) = kept.filter(
            (pl.col("area_code") == row["area_code"])
            & (pl.col("series") == series)
            & (pl.col("form") == ESTIMATE)
        ).to_dicts()
        found.append(
            cell | {"form": SILENT_PCT, "low": 100 * (1 - on_grid(1.01 * low, 1) / least), "high": None}
        )
    assert all(math.isfinite(each["low"]) for each in found)
    return pl.DataFrame(found, schema=kept.schema)


def test_the_studys_own_lower_end_shows_what_was_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is clamped at what an area's operators reported, and that is enough to find some of them; the lower
    end that leaves is made of estimate and upper end, and says nothing that these do not say."""
    study = basis(drawn(4, answering=0.9), "r1")
    closed = Released(study, make_public_tables(study, [], [PERIOD], P_PCT, leave_out_areas=True).public)
    assert found_in(closed) == []
    monkeypatch.setattr(tables, "lower_end", lambda kind, low, estimate, high: low)
    opened = Released(study, make_public_tables(study, [], [PERIOD], P_PCT, leave_out_areas=True).public)
    (known,) = knowledge([opened])
    read = replace(known, published=pl.concat([known.published, at_most(opened)]))
    assert holdings(Attack([read], SHAPES, P_PCT).find_all()) == {"mwi-0", "lao-0"}


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
