"""The search is a program for each pair of attacker and target, however many it need not ask."""

import pytest

from jobs.attack.search import SIDES, BlockSearch
from jobs.attack.system import build_systems
from jobs.public.cells import Released
from tests.public.test_gate_rules import P_PCT, SHAPES, knowledge, unattacked
from tests.support.small_study import basis, drawn


@pytest.mark.parametrize("seed", [1, pytest.param(54, marks=pytest.mark.long)])
def test_it_finds_what_asking_everything_finds(
    seed: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """By rules alone, so that there is something to find. Seed 54 once had a pair that no point cleared and
    that was taken for clear."""
    released: Released = unattacked(basis(drawn(seed), "r1"), [], monkeypatch)
    for system in build_systems(knowledge([released]), SHAPES):
        asked, search = BlockSearch(system, P_PCT), BlockSearch(system, P_PCT)
        expected = set()
        for target in system.targets:
            knowers = {holder for name in target.respondents for holder in asked.knowers[asked.place[name]]}
            for side in SIDES:
                for attacker in {"", *system.owners} - knowers:
                    _, point = asked.end(target, side, attacker)
                    if not asked.is_clear(target, side, point) and not (side == "low" and target.value <= 0):
                        expected.add((target.respondents, target.series, side))
        found = {(each.respondents, each.series, each.side) for each in search.findings()}
        assert found == expected
        assert search.count.programs < asked.count.programs / 5
    assert capfd.readouterr().out == ""
