"""Published variances as cones: what they are, and that what is cleared breaks none of them."""

from dataclasses import replace

import numpy as np
import pytest

from jobs.base.stats.variance_function import spread_of
from jobs.study.attack.cones import Cones
from jobs.study.attack.inside import walk
from jobs.study.attack.search import Attack, BlockSearch
from jobs.study.estimates.respondent_figure import CELL
from jobs.study.estimates.steps.sample import Reference, sample_of
from tests.study.public.test_gate import P_PCT, SHAPES, knowledge, unattacked
from tests.support.small_study import CHANNEL, PERIOD, answers, basis, drawn


@pytest.fixture(scope="module", params=[3, 5])
def search(request: pytest.FixtureRequest) -> BlockSearch:
    with pytest.MonkeyPatch.context() as patch:
        released = unattacked(basis(drawn(request.param), "r1"), [], patch)
    (found,) = Attack(knowledge([released]), SHAPES, P_PCT).searches
    assert len(found.classes.cones.cones) == 3
    return found


def test_a_cone_is_the_studys_variance() -> None:
    """The attack computes weights, cells and their ratios anew."""
    small = drawn(3)
    study = basis(small, "r1")
    with pytest.MonkeyPatch.context() as patch:
        released = unattacked(study, [], patch)
    (system,) = [each.system for each in Attack(knowledge([released]), SHAPES, P_PCT).searches]
    given = answers(small)
    reference = Reference(*(study.tables[f"ref.{name}"] for name in
                            ("operator_frame", "denominator", "country", "country_group")))  # fmt: skip
    key = (CHANNEL, *(given[name][0] for name in CELL[1:]))
    sample, reported = sample_of(reference, given, CHANNEL, PERIOD, key, 0)
    for cone in system.cones:
        y = reported.select(cone.cell.series.split("/")[2]).to_numpy().astype(float)
        spread = spread_of(sample.weighted, y)
        found = cone.spread(cone.figures @ system.truth)
        assert found == pytest.approx(spread.variance[0] * spread.unit, rel=1e-9)
        assert found <= cone.most


def test_a_slope_is_how_much_a_spread_grows(search: BlockSearch) -> None:
    cones = search.classes.cones
    for cone, y in zip(cones.cones, cones.truth, strict=True):
        for at in range(0, len(y), 5):
            step = np.zeros(len(y))
            step[at] = 1e-5 * y[at]
            grown = (cone.spread(y + step) - cone.spread(y - step)) / 2e-5
            assert y[at] * cone.slope(y)[at] == pytest.approx(grown, rel=1e-4, abs=1e-6 * cone.most)


def test_moves_within_the_limits_break_no_cone(search: BlockSearch) -> None:
    """Any direction of length 1 that leaves the sums as they are; without the limits some do."""
    cones, mass = search.classes.cones, search.views[0].mass
    scale, stay = cones.limit_moves(mass)
    assert np.all(scale <= 1) and np.allclose(stay @ stay.T, np.eye(len(stay)))
    random, broken = np.random.default_rng(7), 0
    for at in range(300):
        # Each class alone, and all together.
        way = np.eye(len(mass))[at % len(mass)] if at < 200 else random.normal(size=len(mass))
        for sums, size in ((stay, scale), (stay[:0], np.ones(len(mass)))):
            free = way - sums.T @ (sums @ way)
            if (length := float(np.linalg.norm(free))) < 1e-9:
                continue
            change = mass * size * free / length
            if size is scale:
                assert cones.find_broken(change * (1 - 1e-9)) == []
            else:
                broken += bool(cones.find_broken(change))
    assert broken > 50


def test_what_a_walk_reaches_breaks_nothing(search: BlockSearch) -> None:
    view, cones = search.views[0], search.classes.cones
    walked = 0
    for target in range(0, len(search.targets), 6):
        part = slice(*search.parts.starts[target : target + 2])
        gain = np.zeros(len(view.mass))
        gain[search.parts.of_class[part]] = 1.0
        point = walk(search.program, cones, gain, view.mass, view.count > 0, 100.0, 0 * gain)
        walked += bool(gain @ point > 0)
        changed = search.program.rows @ point
        assert np.all(changed >= search.program.low - 1e-6) and np.all(changed <= search.program.high + 1e-6)
        assert np.all(point >= -view.mass - 1e-6)
        assert cones.find_broken(point * (1 - 1e-9)) == []
    assert walked > 3


def test_a_variance_that_is_less_than_the_own_one_is_anothers(search: BlockSearch) -> None:
    own = [
        replace(cone, most=0.9 * cone.spread(cone.figures @ search.system.truth))
        for cone in search.system.cones
    ]
    first = np.unique(search.classes.of_atom, return_index=True)[1]
    assert Cones(own, search.system.truth, first, search.classes.size).cones == []
