"""Rows of a country that leave together. A definition of spam that too few of its holdings count by is left
out there, and holds no other definition back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs.base.figures.areas import COUNTRY
from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.study.public import cells, wholes
from jobs.study.public.cells import Basis, EarlierRelease
from jobs.study.public.gate import make_public_tables
from tests.study.public.test_gate import AROUND, P_PCT, SAFE, country, found_in, plain
from tests.study.public.test_knowledge import counted
from tests.support.examples import examples
from tests.support.small_study import DEFINITION, NARROW, PERIOD, WIDE, Small, basis, drawn, rarely
from tests.whole.test_rules_switched_off import by_rules

pytestmark = pytest.mark.long

TABLE = "public.spam_volume"
RULES = ("modelled", "threshold", "p_pct", "own_rate")


def made_of(study: Basis, **given: bool) -> EarlierRelease:
    """Return the release that leaves."""
    return EarlierRelease(study, make_public_tables(study, [], [PERIOD], P_PCT, **given).public)


def counts(released: EarlierRelease, area: str) -> dict[str, int]:
    """Count the rows of an area that leave, by definition."""
    rows = released.public[TABLE].filter(area_code=area)
    return dict(rows["definition_code"].value_counts().rows())


@contextmanager
def let_rare_leave() -> Iterator[None]:
    """The rules switched off for every definition but the operators' own."""
    every = cells.primary_rules
    is_own = pl.col("series").str.contains(f"/{DEFINITION}/")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            cells,
            "primary_rules",
            lambda about: {
                name: rule & is_own if name in RULES else rule for name, rule in every(about).items()
            },
        )
        yield


@pytest.mark.parametrize("rare", [1, 2])
def test_a_rare_definition_is_left_out_of_its_country_alone(rare: int) -> None:
    """Everybody elsewhere counts by a second definition, and one or two of Kenya's four."""
    elsewhere = [counted(each, {WIDE: 0.8}) for each in AROUND]
    kenya = [counted(each, {WIDE: 0.8}) if at < rare else each for at, each in enumerate(SAFE)]
    released = made_of(basis(Small((*elsewhere, *kenya)), "r1"))
    assert counts(released, "KEN") == {DEFINITION: 3}
    assert counts(released, "NPL") == {DEFINITION: 3, WIDE: 3}
    assert found_in(released) == []


def test_who_alone_counts_by_a_definition_changes_nothing_that_leaves() -> None:
    """The study estimates every country by it, too."""
    plainly, rarely_so = (
        made_of(basis(Small((*AROUND, *kenya)), "r1")).public[TABLE]
        for kenya in (SAFE, [counted(SAFE[0], {WIDE: 0.8}), *SAFE[1:]])
    )
    assert plainly.equals(rarely_so)
    assert plainly.filter(pl.col("area_kind_code") == COUNTRY).height


def test_few_subscriptions_behind_a_definition_hold_no_other_back() -> None:
    """Three small ones count by it: silent operators would be estimated at other countries' rate."""
    large = country("KEN", *(plain(certain) for certain in (9000, 9100, 9200)), subscriptions=9000)
    small = [
        replace(counted(each, {WIDE: 0.8}), name=f"{each.name}-s", holding=f"{each.name}-s")
        for each in SAFE[:3]
    ]
    elsewhere = [counted(each, {WIDE: 0.8}) for each in AROUND]
    released = made_of(basis(Small((*elsewhere, *large, *small)), "r1"))
    assert counts(released, "KEN") == {DEFINITION: 3}
    assert found_in(released) == []


def test_a_definition_that_one_dominates_holds_the_others_back() -> None:
    """Nobody knew of its absence before, so that it must not say whether p% failed for it alone."""
    elsewhere = [counted(each, {WIDE: 0.8}) for each in AROUND]
    kenya = [counted(each, {WIDE: share}) for each, share in zip(SAFE, (0.9, 0.01, 0.01, 0.01), strict=True)]
    assert counts(made_of(basis(Small((*elsewhere, *kenya)), "r1")), "KEN") == {}


def kenyas(released: EarlierRelease) -> EarlierRelease:
    """Kenya's volumes alone."""
    return replace(released, public={TABLE: released.public[TABLE].filter(area_code="KEN")})


@pytest.mark.parametrize("rare", [NARROW, WIDE])
def test_what_lies_within_or_around_a_rare_definition_does_not_reveal_it(rare: str) -> None:
    """Little lies between them: spam under the other two bounds that under the rare one closely, yet that of
    each holding no closer than its own. Were the rare one to leave, too, it would be found."""
    shares = {WIDE: 0.99, NARROW: 0.98}
    without = {code: share for code, share in shares.items() if code != rare}
    elsewhere = [counted(each, shares) for each in AROUND]
    kenya = [
        counted(each, shares if at < 2 else without)
        for at, each in enumerate(country("KEN", *(plain(certain) for certain in (1000, 1100, 900, 1200))))
    ]
    study = basis(Small((*elsewhere, *kenya)), "r1")
    closed = by_rules(study)
    assert counts(closed, "KEN") == {DEFINITION: 3} | dict.fromkeys(without, 3)
    assert found_in(kenyas(closed)) == []
    with let_rare_leave():
        opened = by_rules(study)
    assert counts(opened, "KEN") == dict.fromkeys((DEFINITION, WIDE, NARROW), 3)
    found = {(each.holding, each.series.split("/")[1]) for each in found_in(kenyas(opened))}
    assert {(each.holding, rare) for each in kenya[:2]} <= found
    # What the rows of areas say of the same traffic is left to the attack.
    assert found_in(made_of(study)) == []


def few_behind(study: Basis) -> set[tuple[str, str]]:
    """The areas and definitions that some count by, but fewer than three holdings."""
    inside = cells.repeat_by_area(study, [PERIOD]).with_columns(
        definition=pl.col("series").str.split("/").list[1]
    )
    behind = inside.group_by("area_code", "definition").agg(pl.col("holding_id").n_unique())
    return set(behind.filter(pl.col("holding_id") < 3).select("area_code", "definition").rows())


def check_study(small: Small) -> None:
    """Nobody finds anything in what leaves, and nothing leaves that few are behind. Where that may leave, it
    is found."""
    study = basis(small, "r1")
    released = made_of(study, leave_out_areas=True)
    assert found_in(released) == []
    few = few_behind(study)
    assert not few & set(released.public[TABLE].select("area_code", "definition_code").rows())
    with let_rare_leave():
        opened = by_rules(study)
    found = {each.series.split("/")[1] for each in found_in(opened)}
    assert {code for _, code in few if code != DEFINITION} <= found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_studies_in_which_few_count_by_more_definitions(seed: int) -> None:
    check_study(rarely(drawn(seed), seed))


@given(seed=st.integers(0, 10**6), answering=st.floats(0.5, 1.0))
@example(seed=6460, answering=0.5)  # A series with the variance of another kept it in what left.
@examples(15, deadline=None)
def test_any_study_in_which_few_count_by_more_definitions(seed: int, answering: float) -> None:
    check_study(rarely(drawn(seed, answering=answering), seed))


def test_each_rule_says_what_it_holds_back() -> None:
    contract = map(public_contract, public_tables())
    own = {rule for each in contract if each.protect for rule in cells.primary_rules(each)}
    assert set(cells.RULES) == own | {cells.HALF, cells.DECISION, wholes.RULE, "attack"}
