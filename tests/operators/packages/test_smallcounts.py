"""Small counts and small differences: none leaves, whatever an attacker subtracts."""

import itertools
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from jobs.base.packages.counts import GOLD, MEASURES
from jobs.base.store.lake import Lake
from jobs.operators.packages.packaging import package_of, write_package
from tests.base.packages.test_packages import ATOM, OPERATOR, daily, day_of, left_of, settings_of
from tests.study.packages.test_package_checks import received
from tests.support.delta import write_delta
from tests.support.submission_lake import put_gold

LATE = st.lists(ATOM, max_size=3)


@pytest.mark.long
@examples(max_examples=120)
@given(st.lists(ATOM, min_size=1, max_size=9), LATE, st.integers(2, 8))
def test_no_difference_that_an_attacker_finds_is_small(first: list[Any], late: list[Any], least: int) -> None:
    """A package is sent again with a few late messages, by definitions of which each is free: differences are
    between all counts of all tables, sums over cells, and what one definition has and another has not."""
    known = [numbers(left_of(daily(atoms), least)[0]) for atoms in (first, [*first, *late])]
    every = {0} | {number for of in known for found in of.values() for number in found}
    assert not any(0 < other - one < least for one, other in itertools.combinations(sorted(every), 2))
    # Signed sums over cells, too: cells of the one package less the same cells of the other.
    for place in known[0].keys() & known[1].keys():
        difference = sum(known[1][place]) - sum(known[0][place])
        assert difference == 0 or abs(difference) >= least


def numbers(tables: dict[str, pl.DataFrame]) -> dict[tuple[str, ...], list[int]]:
    """All counts and classes of each table and definition, and their sums."""
    found: dict[tuple[str, ...], list[int]] = {}
    for name, table in tables.items():
        for definition in sorted(set(table["definition_code"])):
            of = table.filter(pl.col("definition_code") == definition)
            units, certain, possible = (of[each] for each in MEASURES)
            classes = (units, certain, possible, possible - certain, units - possible, units - certain)
            counts = [number for each in classes for number in each]
            found[name, definition] = [*counts, *(int(each.sum()) for each in classes)]
    return found


def test_nested_definitions_differ_by_nothing_or_enough(tmp_path: Path) -> None:
    """A hundred messages are spam by one definition, and one more by another that holds the first."""
    root = tmp_path / "gold"
    put_gold(root, "north-mail", seen=[day_of("2026-10-02", 900)])
    spam = pl.when(pl.col("definition_code") == "OPERATOR").then(100).otherwise(101).cast(pl.Int64)
    for table in GOLD.values():
        rows = Lake(str(root)).read(table).with_columns(spam_certain=spam, spam_possible=spam)
        shutil.rmtree(root / table.replace(".", "/"))
        write_delta(root / table.replace(".", "/"), rows, ["operator_id", "period_date"])
    made = package_of(settings_of(root), OPERATOR, "2026-Q4", None)
    found = received(write_package(made, tmp_path, None))
    assert found.wrong == []
    for table in GOLD:
        certain = dict(found.tables[table].select("definition_code", "spam_certain").rows())
        assert certain == {"OPERATOR": 100, "CAN_SPAM": 100}
