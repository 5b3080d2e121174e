"""The attacker of its own on small studies: it finds what rules and public terms hold back, and nothing in
what leaves.

Larger ones, of whole memberships and releases in a row: python -m benchmarks.independent, and the long tests.
"""

import ast
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from jobs.study.public.cells import PRICES, WORLD, Basis, EarlierRelease
from jobs.study.public.gate import Unprotectable, make_public_tables
from tests.independent.attacker import (
    ANYONE,
    Found,
    Programs,
    PublishedError,
    Ratios,
    Release,
    Report,
    attack,
)
from tests.independent.maps import Known, RatesCell
from tests.independent.own_errors import with_own_errors
from tests.study.attack.test_attack import PRICES as DOLLARS
from tests.study.attack.test_attack import SERIES, TABLE, release
from tests.study.public.test_gate import AROUND, DOMINATED, P_PCT, TWO, found_in, plain
from tests.support.small_study import NARROW, PERIOD, WIDE, Operator, Small, basis, changed, defined, drawn
from tests.whole.test_rules_switched_off import by_rules, without

FOLDER = Path(__file__).parent
ALLOWED = {"numpy", "polars", "scipy", "highspy", "clarabel", "tests.independent.maps"}
VOLUME = "public.spam_volume"
NESTED = [(NARROW, WIDE)]


def as_published(study: Basis, released: EarlierRelease) -> Release:
    """A release as its CSV files hold it."""
    tables = {
        name.removeprefix("public."): pl.read_csv(rows.write_csv().encode(), infer_schema=False)
        for name, rows in released.public.items()
        if rows.height and not any(isinstance(kind, pl.List | pl.Struct) for kind in rows.dtypes)
    }
    known = Known(*(study.tables[name] for name in WORLD), study.tables.get(PRICES))
    return Release(tables, known, study.tables["study.contribution"])


def made_of(study: Basis, earlier: Sequence[EarlierRelease] = ()) -> EarlierRelease:
    made = make_public_tables(study, list(earlier), [PERIOD], P_PCT, leave_out_areas=True)
    return EarlierRelease(study, made.public)


def ask(*releases: EarlierRelease, own_errors: bool = False) -> Report:
    """The attack on releases in a row. Its own maps give every published figure."""
    published = [as_published(each.basis, each) for each in releases]
    if own_errors:
        own = [each.basis.tables for each in releases]
        published = [with_own_errors(*each) for each in zip(published, own, strict=True)]
    report = attack(published, P_PCT / 100, NESTED, own_errors=own_errors)
    assert report.rows and not report.unlike
    return report


def test_it_imports_nothing_of_the_project() -> None:
    for file in (FOLDER / "maps.py", FOLDER / "attacker.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            assert not isinstance(node, ast.ImportFrom) or node.level == 0
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                package = name.partition(".")[0]
                assert package in sys.stdlib_module_names or {package, name} & ALLOWED, f"{file.name}: {name}"
                assert package not in ("importlib", "runpy"), f"{file.name}: {name}"


@pytest.mark.long
@pytest.mark.parametrize(("rule", "kenya"), [("threshold", TWO), ("p_pct", DOMINATED)])
def test_it_finds_who_is_behind_a_country_without_a_rule(rule: str, kenya: list) -> None:
    study = basis(Small((*AROUND, *kenya)), "r1")
    held = made_of(study)
    assert not ask(held).found
    with without(rule), without("threshold"), without("p_pct"):
        opened = by_rules(study)
    found = {each.holding for each in ask(opened).found if each.area == "KEN"}
    assert found & {each.holding for each in kenya}
    assert found <= {each.holding for each in found_in(opened)}


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
def test_it_finds_nothing_in_what_leaves_of_a_study(seed: int) -> None:
    small = defined(drawn(seed), seed) if seed % 2 else drawn(seed)
    report = ask(made_of(basis(small, "r1")))
    assert report.asked and report.intervals and not report.found


def test_it_finds_in_what_rules_let_leave_what_the_attack_finds_there() -> None:
    """Without the attack's last word areas and countries together reveal some."""
    small = drawn(1)
    opened = by_rules(basis(small, "r1"))
    own, theirs = ask(opened).found, found_in(opened)
    assert own
    assert {(each.attacker, each.holding, each.series, each.side) for each in own} <= {
        (attacker, each.holding, each.series, each.side)
        for each in theirs
        for attacker in ({each.attacker} if each.attacker else {other.attacker for other in own})
    }


@pytest.mark.long
def test_three_releases_in_a_row() -> None:
    """An operator answers late, one corrects its package, one leaves."""
    small, releases = drawn(0), list[EarlierRelease]()
    for number in range(3):
        releases.append(made_of(basis(small, f"r{number}"), releases))
        small = changed(small, number)
    report = ask(*releases)
    assert report.asked and not report.found
    opened = [replace(each, public=alone(each)) for each in releases]
    assert ask(*opened).rows > report.rows


def alone(released: EarlierRelease) -> dict[str, pl.DataFrame]:
    """A release as if none had been before it."""
    return dict(made_of(released.basis).public)


def test_spending_of_nothing_hides_nobody_in_two_currencies() -> None:
    """Two published figures of world spending bound the one operator of a country of high prices."""
    known = release("FJI", {"FJI": 0.2})
    levels = [(name, 2025, price, 1.0) for name, price in (DOLLARS | {"FJI": 0.2}).items()]
    columns = ("country_code", "price_year", "ppp_rate", "market_rate")
    rows = known.published.select(
        "period_code", "area_code", "channel_code",
        pl.lit("_T").alias("strategy_code"), pl.lit("_T").alias("component_code"),
        pl.col("series").str.split("/").list.last().alias("conversion_code"),
        pl.col("value").cast(pl.String).alias("estimate"),
    )  # fmt: skip
    world = known.world
    public = Known(
        world.operator_frame, world.denominator, world.country, world.country_group,
        pl.DataFrame(levels, schema=columns, orient="row"),
    )  # fmt: skip
    made = Release({TABLE.removeprefix("study."): rows}, public, known.contribution)
    report = attack([made], 0.1)
    assert report.rows == len(SERIES) and not report.unlike
    assert {each.holding for each in report.found if each.attacker == ANYONE} == {"pol-0"}
    # Without prices the currencies have nothing to do with each other.
    assert not attack([replace(made, known=replace(public, price_level=None))], 0.1).found


@pytest.mark.long
def test_the_studys_own_intervals_reveal_who_dominates() -> None:
    """The error of an interval is never below the norm of a linear map of contributions, so the ends bound
    these; linear programs alone find nothing."""
    found: list[Found] = []
    for seed in DOMINATED_SEEDS:
        released = made_of(basis(drawn(seed), "r1"))
        assert not ask(released).found
        found += ask(released, own_errors=True).found
    assert found and all(each.with_cones for each in found)


DOMINATED_SEEDS = (2,)


@pytest.mark.long
@pytest.mark.parametrize(("variance", "is_found"), [("0.0001", True), ("0.4", False)])
def test_a_variance_of_rates_bounds_each_of_them(variance: str, is_found: bool) -> None:
    """All rates are alike, and one operator has most of its region. A variance near nothing says that it has
    their rate; a large one leaves it free."""
    alike = [replace(each, figures=plain(each.subscriptions)) for each in AROUND]
    large = Operator("ken-0", "KEN", "ken-0", 20_000, plain(20_000))
    study = basis(Small((*alike, large)), "r1")
    released = made_of(study)
    made = as_published(study, released)
    rows = made.tables["spam_volume"].with_columns(rates_variance=pl.lit(variance))
    report = attack([replace(made, tables={"spam_volume": rows})], P_PCT / 100)
    assert report.cones and not report.unequal
    found = {each.holding for each in report.found}
    assert found == ({"ken-0"} if is_found else set())
    assert all(each.with_cones for each in report.found)


def test_ratios_that_move_allow_what_true_ones_do_not() -> None:
    """Three operators of one cell with one subscription each and contributions y, 1 and 1, the last two
    known. A variance says that 9 (y² + 2) / (y + 2)² - 3 is at most 0.96, which y = 1/7 and 3 are at the edge
    of. At the true ratio, y = 2, that is 3/8 (y - 1)² <= 0.96."""
    truth, one = np.array([2.0, 1.0, 1.0]), np.ones(3)
    programs = Programs(csr_array((0, 3)), np.zeros(0), np.zeros(0), truth, truth)
    cell = RatesCell(np.arange(3), one, one, 3.0)
    error = PublishedError(np.zeros((0, 3)), [{0: 1.0}, {1: 1.0}, {2: 1.0}], np.sqrt(0.96), [cell])
    seen = np.array([1, 2])
    ratios, up = Ratios(programs, [error]), np.array([1.0, 0.0, 0.0])
    assert ratios.reach(up, seen, 1.0) == pytest.approx(3 / 2 - 1, rel=1e-4)
    assert ratios.reach(-up, seen, 1.0) == pytest.approx(1 - 1 / 14, rel=1e-4)
    # Nobody goes farther than is asked for, nor beyond what a row allows.
    assert ratios.reach(up, seen, 0.1) == pytest.approx(0.15, rel=1e-4)
    bound = Programs(csr_array(up[None]), np.array([-np.inf]), np.array([0.2]), truth, truth)
    assert Ratios(bound, [error]).reach(up, seen, 1.0) == pytest.approx(0.2, rel=1e-4)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4, 8))
def test_four_more_studies(seed: int) -> None:
    try:
        released = made_of(basis(defined(drawn(seed), seed), "r1"))
    except Unprotectable:
        return
    assert not ask(released).found
