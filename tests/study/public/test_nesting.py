"""Definitions of spam that are within others."""

import pytest

from jobs.study.public import nesting
from jobs.study.public.nesting import find_nested, is_within

BULK = "is_bulk = TRUE"


def test_of_the_definitions_of_the_study() -> None:
    codes = frozenset({"OPERATOR", "CAN_SPAM", "SINGAPORE_SCA", "ITU_T_SG2", "SPAMHAUS_UBE", "CASL"})
    assert set(find_nested(codes)) == {
        ("SINGAPORE_SCA", "ITU_T_SG2"),
        ("SINGAPORE_SCA", "SPAMHAUS_UBE"),
        ("ITU_T_SG2", "SPAMHAUS_UBE"),
    }
    assert ("CASL", "SPAM_ACT_2003") in find_nested(codes | {"SPAM_ACT_2003"})
    assert find_nested(frozenset({"OPERATOR"})) == ()


def test_predicates_of_too_many_values_count_as_within_none(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = f"{BULK} AND is_exempt = FALSE"
    monkeypatch.setattr(nesting, "MOST", 9)
    assert is_within(narrow, BULK)
    monkeypatch.setattr(nesting, "MOST", 8)
    assert not is_within(narrow, BULK)


@pytest.mark.parametrize(
    ("narrow", "wide", "expected"),
    [
        (f"{BULK} AND is_exempt = FALSE", BULK, True),
        (BULK, f"{BULK} AND is_exempt = FALSE", False),
        (BULK, f"{BULK} OR is_exempt = FALSE", True),
        (BULK, BULK, True),
        ("consent_code = 'none'", "consent_code <> 'express'", True),
        ("consent_code <> 'express'", "consent_code IN ('none', 'inferred', 'revoked')", False),
        # True alike, but of an unknown consent one is unknown where the other is false.
        (BULK, f"{BULK} AND (consent_code = 'none' OR consent_code <> 'none')", False),
        # Another reading of nothing: no message is both.
        ("is_bulk = TRUE AND is_bulk = FALSE", "is_exempt = TRUE", False),
        ("message_bytes > 5", "message_bytes > 3", False),
        (f"{BULK} AND engine_code = signature_kind_code", BULK, False),
    ],
)
def test_a_predicate_is_within_another_for_everything_that_may_be_known(
    narrow: str, wide: str, expected: bool
) -> None:
    assert is_within(narrow, wide) is expected
