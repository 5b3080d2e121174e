"""Periods and versions of releases."""

import dataclasses

import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.study.release.about import next_version
from tests.support.release import ABOUT


def test_only_quarters_are_released_and_the_fourth_carries_its_year() -> None:
    assert ABOUT.periods == ("2026", "2026-Q4")
    assert dataclasses.replace(ABOUT, period="2026-Q3").periods == ("2026-Q3",)
    for period in ("2026", "2026-11", "2026-Q5", "next"):
        with pytest.raises(ObservatoryError, match="is no quarter"):
            dataclasses.replace(ABOUT, period=period)


def test_versions_go_up() -> None:
    assert next_version([], False) == "v1.0.0"
    assert next_version(["v1.0.0", "v1.10.0", "v1.9.0"], False) == "v1.11.0"
    assert next_version(["v1.0.0", "v1.10.0"], True) == "v2.0.0"
    with pytest.raises(ObservatoryError, match="write it as v1.0.0"):
        dataclasses.replace(ABOUT, version="1.0")
