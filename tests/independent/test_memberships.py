"""The attacker of its own on published files of a twelfth and an eighth of the countries, made by the
commands' own code; money with parts of nothing is among them. More, and three releases in a row:
python -m benchmarks.independent."""

from pathlib import Path

import pytest

from benchmarks.independent import MEMBERSHIPS, P_PCT, RAISED, attack_membership, deal
from jobs.study.public.secret import VALUE
from tests.independent.derived import RATED, SHARES, UNIT_COSTS, compute_again


@pytest.mark.long
@pytest.mark.timeout(2400)
@pytest.mark.parametrize(
    ("number", "every", "count"),
    [
        pytest.param(0, 12, 2, marks=pytest.mark.releases, id="two"),
        pytest.param(RAISED[0], MEMBERSHIPS, 1, id="dominated"),
    ],
)
def test_nothing_is_found(
    number: int, every: int, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two releases in a row; and one of a membership in which an operator has most of its region."""
    monkeypatch.setenv(VALUE, f"{P_PCT}")
    countries, raised = deal(number, every)
    report = attack_membership(tmp_path / "study", f"{number}", countries, raised, count, P_PCT)
    assert report.rows > 300 and report.asked > 100
    assert report.intervals > 100 and not report.found and not report.unlike
    derived = [each for data in tmp_path.rglob("root/*/*/data") for each in compute_again(data)]
    assert [each for each in derived if each.published != each.own] == []
    shown = {(each.table, each.column) for each in derived if each.own}
    assert {table for table, _ in shown} == {*SHARES, *RATED}
    assert {table for table, column in shown if column == "cost_per_thousand"} == {UNIT_COSTS}
