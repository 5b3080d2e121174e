"""`observatory status` on a lake with a few rows."""

import pytest

from tests.cli.conftest import Observatory


def test_status_shows_the_ledger_and_the_last_validation(show: Observatory) -> None:
    told = show("status")
    assert told.code == 0
    words = " ".join(told.out.split())
    assert "a mx1 postfix 5,000 4,000 997 3 (0.06%)" in words
    # Eight recipients and two calls; the attempt is none of them.
    assert "a mx1 10 50.0% 20.0% 10.0% 20.0%" in words
    assert "Last validation: 3 rules on 1 tables, 1 broken" in words


def test_status_names_whole_sources_on_a_narrow_terminal(
    show: Observatory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    told = show("status")
    (row,) = [line for line in told.out.splitlines() if "postfix" in line]
    # The operator stands above.
    assert row.split()[:2] == ["mx1", "postfix"]
    assert "…" not in told.out
