"""Each sum and multiple that a contract names, switched off alone: a contribution that is found with the link
is not found without it, and what the gate lets leave reveals none.

Order of quantities: test_rules_switched_off.py. Definitions: tests/study/public/test_knowledge.py.
"""

from dataclasses import dataclass, replace

import pytest

from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.base.tables.series import Shape
from jobs.study.public.gate import Unprotectable, make_public_tables
from jobs.study.public.knowledge import shape_of
from tests.support.linked_study import P_PCT, PERIOD, Given, attack_all, attack_public, study_of

ALIKE = [1000.0, 1100.0, 900.0, 1050.0, 950.0, 1000.0]
# Nearly all is one operator's, so that it stays; with ALIKE it is part of a sum that leaves.
ONE = [895.0, 1.0, 1.0, 1.0, 1.0, 1.0]
BOTH = [alike + one for alike, one in zip(ALIKE, ONE, strict=True)]
SENT = [18_100.0] * 5
SPAM = ("attempted", "OPERATOR", "spam_certain")


@dataclass(frozen=True)
class Linked:
    """A link of a table's contract, and figures of which one that stays follows by it from two that leave.

    Attributes:
        code: the sum, of a column's sums; none for multiples.
        hidden: figures that have no row.
        whose: the holding whose figure follows.
    """

    table: str
    kind: str
    column: str
    code: str
    given: Given
    hidden: tuple[tuple[str, ...], ...] = ()
    whose: str = "fji-0"


def two_parts(table: str, column: str, codes: tuple[str, str, str], *beside: tuple[str, ...]) -> Linked:
    """A sum that leaves, a part of it that leaves, and one that stays. beside: the codes of a series before
    and after the column's."""
    before, after = (*beside, (), ())[:2]
    series = [(*before, code, *after) for code in codes]
    return Linked(table, "sums", column, codes[0], dict(zip(series, (BOTH, ALIKE, ONE), strict=True)))


MONEY = {
    ("_T", component, conversion): [rate * each for each in values]
    for component, values in (("_T", BOTH), ("operating", ALIKE), ("capital", ONE))
    for conversion, rate in (("market", 1), ("ppp", 2))
}
LINKED = [
    two_parts("public.spam_type", "spam_type_code", ("_T", "AD.retail", "UNK"), SPAM),
    two_parts("public.spam_type", "spam_type_code", ("_S", "AD.retail", "UNK"), SPAM),
    *(
        two_parts("public.spam_type", "spam_type_code", codes, SPAM)
        for codes in (
            ("AD", "AD.retail", "AD.pharma"),
            ("FRAUD", "FRAUD.loan", "FRAUD.lottery"),
            ("PHISH", "PHISH.mail", "PHISH.spear"),
            ("MALWARE", "MALWARE.link", "MALWARE.attach"),
            ("PHONE", "PHONE.robocall", "PHONE.wangiri"),
        )
    ),
    two_parts("public.spam_source", "source_region_code", ("_T", "EUR", "_U"), SPAM),
    two_parts("public.spam_source", "source_region_code", ("_S", "EUR", "_U"), SPAM),
    two_parts("public.spam_route", "link_code", ("_T", "hub", "peer"), (*SPAM, "_S")),
    # One holding sent no routes: what it got is the whole less all routes.
    Linked(
        "public.spam_route",
        "sums",
        "origin_region_code",
        "_T",
        {(*SPAM, "_T", "_T"): [*SENT, 9000.0], (*SPAM, "_S", "_T"): [*SENT, None]},
        whose="fji-5",
    ),
    two_parts("public.investment", "strategy_code", ("_T", "filtering", "network"), (), ("_T", "market")),
    two_parts("public.investment", "component_code", ("_T", "operating", "capital"), ("_T",), ("market",)),
    # The sum leaves at market rates, and the part at parity.
    Linked(
        "public.investment",
        "multiples",
        "conversion_code",
        "",
        MONEY,
        hidden=(("_T", "operating", "market"), ("_T", "_T", "ppp")),
    ),
]
# Tables whose sums other tests switch off.
ELSEWHERE = {
    "public.countermeasure_cost": "tests/study/public/test_cost.py",
    "public.volume_change": "tests/study/public/test_volume_change.py",
}


def without(shape: Shape, link: Linked) -> Shape:
    if link.kind == "multiples":
        return replace(shape, multiples={})
    of_column = {code: parts for code, parts in shape.sums[link.column].items() if code != link.code}
    return replace(shape, sums={**shape.sums, link.column: of_column})


@pytest.mark.long
@pytest.mark.parametrize("link", LINKED, ids=lambda each: f"{each.table}-{each.column}-{each.code}")
def test_what_stays_follows_by_the_link_and_by_no_other(link: Linked) -> None:
    contract = public_contract(link.table)
    study, shape = study_of(contract, link.given, link.hidden), shape_of(contract)
    assert attack_all(study, contract, shape) == {link.whose}
    assert attack_all(study, contract, without(shape, link)) == set()
    assert contract.protect is not None
    if contract.protect.leave_out == "FALSE":
        with pytest.raises(Unprotectable):
            make_public_tables(study, [], [PERIOD], P_PCT)
        return
    made = make_public_tables(study, [], [PERIOD], P_PCT)
    assert made.findings.height and made.public[contract.table].height
    assert attack_public(study, contract, made.public, shape) == set()


def test_every_sum_and_multiple_of_a_contract_is_switched_off_once() -> None:
    named = set()
    for table in public_tables():
        protect = public_contract(table).protect
        if protect is not None and table not in ELSEWHERE:
            named |= {
                (table, "sums", column, code) for column, of in protect.shape.sums.items() for code in of
            }
            named |= {(table, "multiples", column, "") for column in protect.shape.multiples}
    assert {(each.table, each.kind, each.column, each.code) for each in LINKED} == named
