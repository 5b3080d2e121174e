"""Published variances as cones: what they are, and that what is cleared breaks none of them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csc_array, csr_array

from jobs.base.stats.variance_function import spread_of
from jobs.study.attack import linear_program
from jobs.study.attack.cones import Array, Cone, Cones
from jobs.study.attack.known import EVERYWHERE, PublishedCell
from jobs.study.attack.search import Attack, BlockSearch
from jobs.study.attack.second_order import find_far
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


@pytest.mark.long
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


@pytest.mark.long
def test_a_slope_is_how_much_a_spread_grows(search: BlockSearch) -> None:
    cones = search.classes.cones
    for cone, y in zip(cones.cones, cones.truth, strict=True):
        for at in range(0, len(y), 5):
            step = np.zeros(len(y))
            step[at] = 1e-5 * y[at]
            grown = (cone.spread(y + step) - cone.spread(y - step)) / 2e-5
            assert y[at] * cone.slope(y)[at] == pytest.approx(grown, rel=1e-4, abs=1e-6 * cone.most)


def test_moves_within_the_limits_break_no_cone(search: BlockSearch) -> None:
    """Directions of length 1, with what they move sums by as a part of the most; some use up a third of what
    a cone has to spare. At four times the length some break one."""
    cones, mass = search.classes.cones, search.view_of(0).mass
    scale, sums, most = cones.limit_moves(mass)
    assert np.all(scale <= 1) and np.all(most > 0)
    random, broken, used = np.random.default_rng(7), 0, 0.0
    for at in range(400):
        # Each class alone, all together, and those that change sums least.
        way = np.eye(len(mass))[at % len(mass)] if at < 200 else random.normal(size=len(mass))
        if at >= 300:
            way -= np.linalg.pinv(sums) @ (sums @ way)
        way /= np.sqrt(way @ way + ((sums @ way / most) ** 2).sum())
        change = mass * scale * way
        assert cones.find_broken(change * (1 - 1e-9)) == []
        broken += bool(cones.find_broken(4 * change))
        for cone, y, rows in zip(cones.cones, cones.truth, cones.rows, strict=True):
            grown = cone.spread(np.maximum(y + rows @ change, 0.0)) - cone.spread(y)
            used = max(used, grown / (cone.most - cone.spread(y)))
    assert broken > 10 and used > 1 / 3


def move_targets(search: BlockSearch) -> Iterator[tuple[Array, bool, float]]:
    """Points where targets are half as much again, or as much as that as may be; whether a cone stood
    between; and what a target gains there."""
    view, linear = search.view_of(0), search.program
    most = search.bound_moves(view)
    for target in range(len(search.targets)):
        part = slice(*search.parts.starts[target : target + 2])
        gain = np.zeros(len(view.mass))
        gain[search.parts.of_class[part]] = 1.0
        gains = np.concatenate([gain, -gain])
        solved = linear.find_change(gains, most, 0.5 * float(gain @ view.mass), search.classes.cones)
        assert solved is not None
        assert linear.is_inside(solved[0], most)
        assert len(linear.low) == linear.highs.getNumRow()
        yield solved[0], bool(solved[2]), float(gain @ solved[0])


def test_what_tangents_lead_to_breaks_nothing(search: BlockSearch) -> None:
    found = list(move_targets(search))
    assert all(search.classes.cones.find_broken(point) == [] for point, _, _ in found)
    assert sum(is_bent and bool(point.any()) for point, is_bent, _ in found) > 3


def test_second_order_programs_go_as_far_as_many_tangents(
    search: BlockSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within rows, bounds and cones but for the solver's tolerance: hardly any of the way is taken back."""
    asked: list[float] = []

    def check_far(*given: Any) -> Array:
        linear, _, rise, fall, _, cones, _ = given
        point = find_far(*given)
        moved = linear[0] @ point
        assert (moved >= linear[1] - 1e-7).all() and (moved <= linear[2] + 1e-7).all()
        assert (point <= rise).all() and (point >= -fall).all()
        asked.append(float(cones.reach(point, cones.find_broken(point)).min(initial=1.0)))
        return point

    def list_gains(tangents: int) -> Array:
        monkeypatch.setattr(linear_program, "TANGENTS", tangents)
        return np.array([gained for _, _, gained in move_targets(search)])

    monkeypatch.setattr(linear_program, "find_far", lambda *given: given[-1])
    by_tangents, by_one = list_gains(60), list_gains(1)
    monkeypatch.setattr(linear_program, "find_far", check_far)
    assert (list_gains(1) >= by_tangents * (1 - 1e-6)).all()
    assert (by_one < by_tangents * 0.99).any() and min(asked) > 0.999


def test_a_point_that_breaks_a_cone_counts_for_nothing(
    search: BlockSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The edge of a cone is taken to be farther than it is."""
    monkeypatch.setattr(Cones, "reach", lambda cones, change, broken: np.ones(len(broken)))
    found = [point for point, is_bent, _ in move_targets(search) if is_bent]
    assert found and all(search.classes.cones.find_broken(point) == [] for point in found)


def test_a_far_point_that_breaks_a_cone_counts_for_nothing(
    search: BlockSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second-order program gives the solution of rows alone, and all of it is said to be within."""
    bend, solutions = linear_program.Program.bend, list[Array]()

    def keep_solution(linear: linear_program.Program, change: Array, *given: Any) -> Any:
        solutions.append(change)
        return bend(linear, change, *given)

    monkeypatch.setattr(linear_program.Program, "bend", keep_solution)
    monkeypatch.setattr(Cones, "reach", lambda cones, change, broken: np.ones(len(broken)))
    monkeypatch.setattr(linear_program, "find_far", lambda *given: solutions[-1])
    found = [point for point, is_bent, _ in move_targets(search) if is_bent]
    assert found and all(search.classes.cones.find_broken(point) == [] for point in found)


def test_where_nobody_has_anything_all_may_rise_alike() -> None:
    """One alone of three who have nothing has no variance that is small enough, however little it gets."""
    of = PublishedCell("r1", "t", "2026-Q4", "EMAIL", "a", EVERYWHERE)
    cone = Cone(
        of, csr_array(np.eye(5)), np.ones(5), np.array([1.0, 1, 1, 2, 3]), np.array([0, 0, 1, 1, 1]), 0.1
    )
    cones = Cones([cone], np.array([100.0, 101, 0, 0, 0]), np.arange(5), np.ones(5))
    linear = linear_program.Program(csc_array(np.ones((1, 5))), np.array([-9.0]), np.array([9.0]))
    gain = np.array([0, 0, 1.0, 0, 0])
    found = linear.find_change(
        np.concatenate([gain, -gain]), np.full(10, 100.0) * ([1] * 7 + [0] * 3), 0.5, cones
    )
    assert found is not None and gain @ found[0] >= 0.5
    assert not cones.find_broken(found[0])
    assert found[0][2:] == pytest.approx(found[0][2] * np.array([1, 2, 3]))


def test_a_variance_that_is_less_than_the_own_one_is_anothers(search: BlockSearch) -> None:
    own = [
        replace(cone, most=0.9 * cone.spread(cone.figures @ search.system.truth))
        for cone in search.system.cones
    ]
    first = np.unique(search.classes.of_atom, return_index=True)[1]
    assert Cones(own, search.system.truth, first, search.classes.size).cones == []
