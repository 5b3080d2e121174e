"""Definitions of spam that hang together: what an attacker finds who knows it, and that the gate prevents it.

All traffic is the same under each definition; spam under a definition is within that under a wider one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from jobs.base.tables.series import Shape
from jobs.study.attack.known import Finding
from jobs.study.attack.search import Attack
from jobs.study.public.cells import EarlierRelease
from jobs.study.public.gate import make_public_tables
from jobs.study.public.knowledge import list_shapes
from tests.study.public.test_gate import AROUND, GUARDED, P_PCT, country, knowledge, plain, unattacked
from tests.support.small_study import NARROW, PERIOD, WIDE, Operator, Small, basis

pytestmark = pytest.mark.long

# The fourth of Kenya's operators.
LATE = "ken-3"


def counted(operator: Operator, shares: Mapping[str, float]) -> Operator:
    """An operator whose spam under more definitions is a share of that under the first."""
    assert operator.figures is not None
    units, certain, possible = operator.figures
    others = {code: (units, int(share * certain), int(share * possible)) for code, share in shares.items()}
    return replace(operator, others=others)


def attack_with(released: Sequence[EarlierRelease], **relations: object) -> list[Finding]:
    """List the findings in releases if attackers have these relations."""
    shapes: dict[str, Shape] = {
        name: replace(shape, **relations)  # type: ignore[arg-type]
        for name, shape in list_shapes(GUARDED, [each.basis for each in released]).items()
    }
    return Attack(knowledge(list(released)), shapes, P_PCT).find_all()


def series(findings: Sequence[Finding]) -> set[tuple[str, str]]:
    return {(each.holding, each.series) for each in findings}


def test_who_answered_by_one_definition_alone_is_found_by_all_traffic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Four of Kenya's operators count spam as they block it, three of them under another definition, too.
    Each figure alone is safe; all traffic of the four less that of the three is the fourth's."""
    kenya = country("KEN", *(plain(certain) for certain in (1000, 1100, 900, 1200)))
    study = basis(Small((*(counted(each, {WIDE: 0.8}) for each in (*AROUND, *kenya[:3])), kenya[3])), "r1")
    by_rules = unattacked(study, [], monkeypatch)
    assert attack_with([by_rules], same={}) == []
    found = attack_with([by_rules])
    assert {LATE} == {each.holding for each in found if each.attacker == ""}
    made = make_public_tables(study, [], [PERIOD], P_PCT)
    assert made.findings.height
    assert attack_with([EarlierRelease(study, made.public)]) == []
    # The operators' own definition stands for all areas.
    world = made.public["public.spam_volume"].filter(area_code="WORLD")
    assert world.filter(definition_code="OPERATOR").height == 3
    assert world.filter(definition_code=WIDE, quantity_code="units").is_empty()


def test_spam_under_a_narrow_definition_is_within_that_under_a_wider_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Kenya's spam by four operators under a narrow definition, less that by three of them under a wider one
    that is little more, is the least that the fourth has."""
    kenya = country("KEN", *(plain(certain) for certain in (1000, 1100, 900, 4000)))
    both = {WIDE: 0.80, NARROW: 0.79}
    study = basis(
        Small(
            (
                *(counted(each, both) for each in (*AROUND, *kenya[:3])),
                counted(kenya[3], {NARROW: 0.79}),
            )
        ),
        "r1",
    )
    by_rules = unattacked(study, [], monkeypatch)
    without, found = (
        {pair for pair in series(attack_with([by_rules], **given)) if "spam" in pair[1]}
        for given in ({"within": {}}, {})
    )
    assert not {pair for pair in without if NARROW in pair[1]}
    assert (LATE, f"recipient/{NARROW}/spam_certain") in found
    made = make_public_tables(study, [], [PERIOD], P_PCT)
    assert attack_with([EarlierRelease(study, made.public)]) == []
