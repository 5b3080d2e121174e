"""The gate on generated studies: what leaves, and that nobody finds a contribution in it."""

import polars as pl
import pytest

from jobs.attack.search import Attack
from jobs.core.areas import COUNTRY
from jobs.public.cells import Released
from jobs.public.contracts import public_contract, public_tables
from jobs.public.gate import Protected, make_public_tables
from jobs.public.knowledge import known_release, list_shapes, of_release
from tests.support.small_study import PERIOD, basis, changed, drawn

P_PCT = 13.7
GUARDED = {
    about.protect.contributions: about
    for about in map(public_contract, public_tables())
    if about.protect is not None
}


def found_in(releases: list[Released]) -> int:
    """How many contributions anyone finds in all that was published."""
    shapes = list_shapes(GUARDED, [each.basis for each in releases])
    known = [known_release(each.basis, of_release(each, GUARDED)) for each in releases]
    return len(Attack(known, shapes, P_PCT).find_all())


def countries(protected: Protected) -> set[str]:
    rows = protected.public["public.spam_volume"]
    return set(rows.filter(pl.col("area_kind_code") == COUNTRY)["area_code"])


@pytest.mark.parametrize("seed", range(3))
def test_nobody_finds_a_contribution_in_what_leaves(seed: int) -> None:
    study = basis(drawn(seed), "r1")
    made = make_public_tables(study, [], [PERIOD], P_PCT, leave_out_areas=True)
    assert found_in([Released(study, made.public)]) == 0
    rows = made.public["public.spam_volume"]
    assert rows.columns == list(public_contract("public.spam_volume").schema)
    assert {"WORLD"} <= set(rows["area_code"])


def test_a_chain_of_releases_is_attacked_as_a_whole() -> None:
    small, releases = drawn(5), []
    for number in range(2):
        study = basis(small, f"r{number}")
        releases.append(
            Released(study, make_public_tables(study, releases, [PERIOD], P_PCT, leave_out_areas=True).public)
        )
        small = changed(small, number)
    assert found_in(releases) == 0
