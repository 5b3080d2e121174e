"""Rules on rows of bronze and silver: who breaks one, on how many rows, and what a person reads."""

import datetime as dt
from typing import Any

import pytest

from expectations import ledger
from jobs.base.core.errors import ValidationHeld
from jobs.operators.build import checks
from tests.support.volume_rows import ROW, TABLE, frame

MESSAGE = "silver.message"


def test_rows_that_hold_all_rules_break_none() -> None:
    days = [{"period_date": dt.date(2026, 11, day)} for day in range(1, 6)]
    assert checks.check_rows(frame(*days), TABLE) == []
    assert checks.check_rows(frame(), TABLE) == []
    assert checks.check_rows(frame({"outcome_code": "_U"}), TABLE) == []


def test_a_broken_rule_holds_with_table_rule_count_and_keys() -> None:
    days = [{"period_date": dt.date(2026, 11, day)} for day in range(1, 6)]
    (found,) = checks.check_rows(frame(ROW, *({"spam_possible": 11} | day for day in days)), TABLE)
    with pytest.raises(ValidationHeld) as error:
        checks.refuse_broken_rows([found])
    first, *examples = str(error.value).splitlines()
    assert first == (
        "gold.spam_volume_daily: rule possible_within_units is broken on 5 rows; the table stays as it was."
    )
    assert len(examples) == checks.EXAMPLES
    assert all("operator_id=a, period_date=2026-11-0" in example for example in examples)
    assert all("definition_code=OPERATOR" in example for example in examples)
    assert error.value.exit_code == 1
    checks.refuse_broken_rows([])


def test_broken_rows_hold_back_their_operator_alone() -> None:
    rows = [{}, {"operator_id": "b", "spam_certain": 7}, {"operator_id": "c"}]
    rows += [{"operator_id": "c", "unit_code": unit, "spam_certain": -1} for unit in ("call", "attempt")]
    found = checks.check_rows(frame(*rows, {"operator_id": "b", "spam_certain": 7}), TABLE)
    assert [(each.rule, each.operator_id, each.violations) for each in found] == [
        ("certain_within_possible", "b", 2),
        ("certain_not_negative", "c", 2),
        ("key_unique", "b", 1),
    ]
    assert [example["unit_code"] for example in found[1].examples] == ["attempt", "call"]


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"outcome_code": "rejectd"}, "outcome_code_known"),
        ({"definition_code": "NOBODYS"}, "definition_code_known"),
        ({"stage_code": None}, "stage_code_not_null"),
        ({"units": None}, "units_not_null"),
        ({"spam_certain": 7}, "certain_within_possible"),
        ({"spam_certain": -1}, "certain_not_negative"),
    ],
)
def test_each_kind_of_native_rule(wrong: dict[str, Any], rule: str) -> None:
    found = {each.rule: each for each in checks.check_rows(frame(ROW, {"operator_id": "b"} | wrong), TABLE)}
    assert (found[rule].violations, found[rule].operator_id) == (1, "b")


def test_a_key_that_occurs_twice_holds() -> None:
    rows = frame(ROW, {"units": 8}, {"units": 9}, {"stage_code": "connect"})
    (found,) = checks.check_rows(rows, TABLE)
    assert (found.rule, found.violations) == ("key_unique", 2)
    assert checks.format_broken(TABLE, found.rule, 2, found.examples).splitlines()[0] == (
        "gold.spam_volume_daily: rule key_unique is broken on 2 rows; the table stays as it was."
    )
    assert (found.examples[0]["stage_code"], found.examples[0]["outcome_code"]) == ("content", "rejected")


def test_a_key_may_occur_once_in_each_period() -> None:
    """The key of silver.message has no day."""
    key = {"operator_id": "a", "message_hash": "m", "recipient_hash": "r"}
    days = [key | {"period_date": dt.date(2026, 11, day)} for day in (24, 25)]
    for rows, count in ((days, 0), ([*days, days[0]], 1)):
        found = checks.check_rows(frame(*rows, table=MESSAGE), MESSAGE)
        assert sum(each.violations for each in found if each.rule == "key_unique") == count


def test_who_is_held_back_reads_what_the_rule_says_and_what_to_do() -> None:
    *_, rule = ledger.ledger_rules(5, 10, "5%")
    examples = [{"operator_id": "lab", "source_id": "mx1"}]
    told = checks.format_broken("bronze.file", rule.name, 1, examples, rule.says)
    assert told.splitlines() == [
        "bronze.file: rule quarantine_within_limit is broken on 1 row; the table stays as it was.",
        "  It says: at most 5% of a source's lines are quarantined (limits.quarantined_pct), or fewer than 10"
        " (limits.quarantined_lines); `observatory quarantine` shows what those look like; after a correction"
        " `observatory run --requarantine` reads them again.",
        "  operator_id=lab, source_id=mx1",
    ]
