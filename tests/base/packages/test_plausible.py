"""Counts of a package held against the lines of its logs, its subscriptions and the package it replaces."""

import datetime as dt
import io
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.packages.counts import GOLD, MEASURES
from jobs.base.packages.package import MANIFEST
from jobs.base.packages.plausible import find_changes
from jobs.base.store.lake import Lake
from jobs.operators.packages.packaging import package_of, write_package
from jobs.study.packages.loading import RECEIPT, land_packages
from tests.base.packages.test_packages import OPERATOR, again, contents, judged, months_in, settings_of
from tests.support.submission_lake import COMPUTED, Rows, put_gold

LATER = COMPUTED + dt.timedelta(days=2)


def day_of(day: str, units: int) -> tuple[Any, ...]:
    return (day, "inbound", "delivery", "delivered", "UNK", "KEN", units, 0, 0)


def days_of(count: int, units: int) -> Rows:
    """Rows of the first days of October, with the same number of units each."""
    return [day_of(f"2026-10-{day:02}", units) for day in range(1, count + 1)]


def sent(folder: Path, seen: Rows, computed: dt.datetime = COMPUTED) -> Path:
    logs = ("2026-10-01", max(row[0] for row in seen))
    put_gold(folder / "gold", OPERATOR.id, seen=seen, logs=logs, computed=computed)
    return write_package(package_of(settings_of(folder / "gold"), OPERATOR, "2026-Q4", None), folder, None)


def multiplied(file: Path, factor: int, **about: Any) -> Path:
    """The package with all counts multiplied, and a manifest that says so, as an operator's program could
    have made it; about: other values of the manifest."""
    files = contents(file)
    manifest = json.loads(files[MANIFEST]) | about
    for total in manifest["totals"]:
        total["units"] *= factor
    tables = {}
    for name in (f"{table.partition('.')[2]}.csv" for table in GOLD):
        rows = pl.read_csv(io.BytesIO(files[name]))
        tables[name] = rows.with_columns(pl.col(MEASURES) * factor).write_csv().encode()
    return again(file, tables | {MANIFEST: json.dumps(manifest).encode()})


def coverage(file: Path, **about: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(contents(file)[MANIFEST])["coverage"]
    return {"coverage": found | about}


def test_counts_beyond_the_lines_of_the_logs_are_refused(tmp_path: Path) -> None:
    file = sent(tmp_path, days_of(4, 100))
    assert judged(file).wrong == []
    (line,) = judged(multiplied(file, 10_000)).wrong
    assert "4,000,000 recipients of EMAIL" in line and "905 lines" in line
    assert "compute gold again" in line


def test_a_packages_name_is_stored_and_names_no_person(tmp_path: Path) -> None:
    file = sent(tmp_path, days_of(4, 100)).rename(tmp_path / "anna@example.org.zip")
    (line,) = judged(file).wrong
    assert "name holds an address or a number of a person: rename it" in line


def test_a_package_without_a_log_has_no_counts(tmp_path: Path) -> None:
    file = sent(tmp_path, days_of(4, 100))
    (line,) = judged(multiplied(file, 5, **coverage(file, sources=[]))).wrong
    assert "0 lines" in line


def test_counts_beyond_what_subscriptions_can_get_are_refused(tmp_path: Path) -> None:
    """Four days of 1,000 mailboxes: ten thousand a day for each are forty million."""
    file = sent(tmp_path, days_of(4, 100))
    source = {"format_code": "postfix", "sources": 1, "lines": 10**9, "quarantined": 0}
    wide = coverage(file, sources=[source])
    assert judged(multiplied(file, 90_000, **wide)).wrong == []
    (line,) = judged(multiplied(file, 2, **wide)).wrong
    assert "72,000,000" in line and "1,000 subscriptions" in line and "4 days" in line


def test_another_package_of_one_computation_has_its_counts(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    land_packages(lake, [judged(sent(tmp_path / "1", days_of(4, 500)))], "1")
    more = judged(sent(tmp_path / "2", days_of(30, 500)))
    land_packages(lake, [more], "2")
    (line,) = more.wrong
    assert "2026-10 EMAIL inbound recipient: 15,000 on 30 days" in line and "2,000 on 4" in line
    assert "north-mail_2026-Q4.zip" in line and "computed at the same time" in line
    assert "--accept-change" in line
    assert months_in(lake) == {"2026-10": 2000} and lake.read(RECEIPT).height == 1


@pytest.mark.long
def test_whole_logs_take_the_place_of_a_few_days(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    land_packages(lake, [judged(sent(tmp_path / "1", days_of(4, 500)))], "1")
    whole = judged(sent(tmp_path / "2", days_of(30, 600), LATER))
    land_packages(lake, [whole], "2")
    assert whole.wrong == [] and months_in(lake) == {"2026-10": 18_000}


@pytest.mark.long
@pytest.mark.parametrize("units", [2_000, 100])
def test_counts_that_jump_are_taken_only_where_the_study_says_so(tmp_path: Path, units: int) -> None:
    lake = Lake(str(tmp_path / "lake"))
    land_packages(lake, [judged(sent(tmp_path / "1", days_of(20, 500)))], "1")
    file = sent(tmp_path / "2", days_of(20, units), LATER)
    jump = judged(file)
    land_packages(lake, [jump], "2")
    (line,) = jump.wrong
    assert "more than 3 times as many or few a day" in line and "--accept-change" in line
    assert months_in(lake) == {"2026-10": 10_000}
    taken = judged(file)
    land_packages(lake, [taken], "3", is_change_accepted=True)
    assert taken.wrong == [] and months_in(lake) == {"2026-10": 20 * units}


GROUP = ("2026-10", "EMAIL", "inbound", "recipient")


@given(
    units=st.integers(1000, 10**9),
    factor=st.fractions(2, 10_000),
    days=st.integers(1, 31),
    before=st.integers(1, 31),
)
def test_no_multiple_of_one_computation_replaces_it(
    units: int, factor: Fraction, days: int, before: int
) -> None:
    """Up or down, and however many days it claims; days alone are enough. Of a later computation as many a
    day pass, whatever the days, and more than three times as many do not."""
    more, then = int(units * factor), {GROUP: (units, before)}
    assert find_changes({GROUP: (more, days)}, then, True, "p.zip")
    assert find_changes({GROUP: (units, before)}, {GROUP: (more, days)}, True, "p.zip")
    assert bool(find_changes({GROUP: (units, days)}, then, True, "p.zip")) == (days != before)
    alike = {GROUP: (units * days, days)}, {GROUP: (units * before, before)}
    assert find_changes(*alike, False, "p.zip") == []
    assert bool(find_changes({GROUP: (int(units * factor * days), days)}, alike[1], False, "p.zip")) == (
        int(units * factor * days) > 3 * units * days
    )
