"""Coverage of intervals of countries, by band of the coefficient of variation, and of a release.

An acceptable coefficient must not choose estimates that are too high: where the error does not grow with the
estimate, they have the smallest.
"""

import numpy as np
import pytest

from benchmarks.change_intervals import RELEASE, Growing, simulate_changes
from benchmarks.interval_quality import simulate, spam
from sample_data.membership import RESPONSE, World
from tests.support.memberships import BANDS, Held, corrected_held, money_held, spam_held

# Per cent of intervals, of those of each band.
LEAST = 92


def told(title: str, found: Held) -> None:
    for kind in ("country", "area"):
        bands = ", ".join("{1:.1f}% of {0} {band}".format(*found.of(kind, band), band=band) for band in BANDS)
        print(f"{title}, {kind}: {bands}")


def test_countries_that_seem_certain_hold_the_truth_as_often_as_others() -> None:
    found = spam_held("EMAIL", (1, 2), 2)
    told("EMAIL", found)
    for band in BANDS:
        rows, held, above = found.of("country", band)
        assert rows > 50
        assert held >= LEAST and above <= 4, band


@pytest.mark.long
@pytest.mark.parametrize(
    "world",
    [
        World(),
        World(spread=0.4),
        World(spread=1.2),
        World(alike=0.5),
        World(spread=0.4, alike=0.8),
        World(by_size=-0.15),
        World(by_size=0.15),
        World(sizes=2.2),
        World(sizes=0.8),
        World(has_gamma=True),
    ],
    ids=str,
)
def test_countries_of_other_memberships_hold_the_truth(world: World) -> None:
    found = spam_held("EMAIL", range(12), 3, world)
    told(str(world), found)
    for band in BANDS:
        assert found.of("country", band)[1] >= LEAST, band
    for respondents in (0, 1, 2, 3):
        assert found.of("country", respondents=respondents)[1] >= LEAST, respondents


@pytest.mark.long
@pytest.mark.parametrize(
    "response",
    [
        {"SMALL": 0.1, "MEDIUM": 0.2, "LARGE": 0.35},
        {"SMALL": 0.7, "MEDIUM": 0.8, "LARGE": 0.95},
        {"SMALL": 0.6, "MEDIUM": 0.4, "LARGE": 0.3},
    ],
    ids=["few answer", "many answer", "small ones answer"],
)
def test_countries_hold_the_truth_whoever_answers(response: dict[str, float]) -> None:
    assert set(response) == set(RESPONSE)
    found = spam_held("SMS", range(12), 3, response=response)
    told(str(response), found)
    for band in BANDS:
        assert found.of("country", band)[1] >= LEAST, band


@pytest.mark.long
@pytest.mark.parametrize("world", [World(by_size=0.15), World(uneven=2.0), World(owned=0.4)], ids=str)
def test_intervals_of_a_release_hold_the_truth(world: World) -> None:
    """Rates that rise with size, a region of twice the spread, owners whose operators are alike and answer
    together: of the world, of which there are few, less three standard errors."""
    found = simulate(spam(world=world), 30, 2)
    for kind in ("region", "group", "country", "large"):
        assert found[kind].held >= LEAST, kind
    assert found["world"].held >= LEAST - 3 * 100 * (0.92 * 0.08 / 60) ** 0.5
    # Rates are skewed, so that truths miss above; arms of two lengths allow for it.
    assert np.mean(found["region"].above) <= 0.05


@pytest.mark.long
@pytest.mark.parametrize("of", [Growing(world=World(pareto=1.5)), Growing(reverts=0.5)], ids=["tail", "anew"])
def test_intervals_of_changes_in_a_release_hold_the_truth(of: Growing) -> None:
    """Rates with a tail, and rates of which half is drawn anew, where 86% of the world's would with a fixed
    correlation of 0.7 of both periods' errors."""
    found = simulate_changes(of, 30, 1)
    for kind in ("region", "group", "large"):
        assert found[RELEASE, kind].held >= LEAST, kind
    assert found[RELEASE, "world"].held >= LEAST - 3 * 100 * (0.92 * 0.08 / 30) ** 0.5


@pytest.mark.long
def test_corrected_figures_and_spending_hold_the_truth_in_each_band() -> None:
    for title, found in (
        ("corrected EMAIL", corrected_held("EMAIL", range(4), 5)),
        ("corrected SMS", corrected_held("SMS", range(4), 5)),
        ("spending", money_held("EMAIL", range(4), 5)),
    ):
        told(title, found)
        for band in BANDS:
            rows, held, _ = found.of("country", band)
            assert rows and held >= LEAST, (title, band)
