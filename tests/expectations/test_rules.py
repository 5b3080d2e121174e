"""Polars and Great Expectations find the same: how many rows break each rule of each table, on rows that are
made to break them."""

from collections.abc import Mapping

import polars as pl
import pytest

from expectations import native
from expectations.evaluation import Evaluated, evaluate
from expectations.rules import CONDITION, IN_SET, KEY_UNIQUE, NOT_NULL, condition, rules_of
from expectations.suite_files import suite_tables
from jobs.base.core.errors import ObservatoryError
from tests.support.rule_rows import random_rows, with_nulls, with_repeated

ROWS = 60
# Tables that hold each kind of expectation, and a rule between tables.
FEW = ["gold.spam_volume_daily", "gold.traffic_hourly_daily", "gold.campaign_daily"]


def test_a_condition_that_cannot_be_read_is_refused_when_its_rule_is_made() -> None:
    with pytest.raises(ObservatoryError, match="cannot parse 'units >= '"):
        condition("some_units", "units >= ", "there are units")


def native_counts(frames: Mapping[str, pl.DataFrame]) -> dict[tuple[str, str], int]:
    """Count by table and rule the rows that break it, as Polars finds them."""
    results = [each for table, rows in frames.items() for each in native.check_table(table, rows)]
    for rule in native.cross_rules_of(frames):
        results += native.check_between(frames, rule)
    return {(each.table, each.rule): each.violations for each in results}


def evaluated_counts(found: list[Evaluated]) -> dict[tuple[str, str], int]:
    """Return the number of violations that Great Expectations finds, by table and rule."""
    return {(each.table, result.rule): result.violations for each in found for result in each.results()}


def hold_alike(tables: list[str], seed: int) -> None:
    """Compare what both find on random rows, rows without keys, and rows whose key is repeated."""
    rows = {table: random_rows(table, ROWS, seed) for table in tables}
    found = native_counts(rows)
    assert evaluated_counts(evaluate(rows)) == found
    between = {(rule.table, each.name) for rule in native.cross_rules_of(rows) for each in rule.rules}
    conditions = {
        (table, rule.name) for table in tables for rule in rules_of(table) if rule.kind in (CONDITION, IN_SET)
    }
    assert {key for key in conditions | between if not found[key]} == set()

    # A condition on a column that is never null is not asked of its nulls: the rule on nulls finds them.
    nulls = {table: with_nulls(table, each) for table, each in rows.items()}
    given = {(table, rule.name) for table in tables for rule in rules_of(table) if rule.kind == NOT_NULL}
    found, evaluated = native_counts(nulls), evaluated_counts(evaluate(nulls))
    assert {key: evaluated[key] for key in given} == {key: found[key] for key in given}
    assert all(found[key] for key in given)

    repeated = {table: with_repeated(table, each) for table, each in rows.items()}
    keys = {(table, KEY_UNIQUE) for table in tables}
    found, evaluated = native_counts(repeated), evaluated_counts(evaluate(repeated))
    assert {key: evaluated[key] for key in keys} == {key: found[key] for key in keys}
    assert all(found[key] >= 3 for key in keys)


@pytest.mark.long
def test_both_find_broken_rules_of_every_kind() -> None:
    hold_alike(FEW, 1)


@pytest.mark.long
def test_both_find_every_broken_rule_of_every_table() -> None:
    hold_alike(suite_tables(), 2)


def test_published_rows_of_low_reliability_say_so() -> None:
    rows = random_rows("public.spam_volume", 3, 1).with_columns(
        cv_band_code=pl.Series(["unreliable", "unreliable", "caution"]),
        obs_status_code=pl.Series(["U", "E", "E"]),
    )
    found = native_counts({"public.spam_volume": rows})
    assert found["public.spam_volume", "low_reliability_is_marked"] == 1
