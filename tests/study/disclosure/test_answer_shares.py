"""Classes of shares reveal nobody's answer: every assignment of answers that agrees with them is tried."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.tables.thresholds import MEMBERS, SHARE_EDGES
from jobs.study.disclosure.answer_shares import find_hidden, share_bounds
from tests.support.examples import examples


def classes_of(chosen: np.ndarray, answered: np.ndarray) -> list[int]:
    return [
        int(np.searchsorted(SHARE_EDGES, 100 * yes / of, side="right")) if of else -1
        for yes, of in zip(chosen, answered, strict=True)
    ]


@given(st.integers(1, 60).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_bounds_are_those_of_the_class(given_: tuple[int, int]) -> None:
    yes, of = given_
    low, high = share_bounds(np.array([yes]), np.array([of]))
    own = classes_of(np.array([yes]), np.array([of]))
    alike = [count for count in range(of + 1) if classes_of(np.array([count]), np.array([of])) == own]
    assert (low[0], high[0]) == (alike[0], alike[-1])


@st.composite
def groups(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Up to four sets in up to three areas that overlap, and what each answered."""
    sets, areas = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    inside = np.array(
        draw(st.lists(st.lists(st.booleans(), min_size=sets, max_size=sets), min_size=areas, max_size=areas)),
        dtype=bool,
    )
    answered = np.array(draw(st.lists(st.integers(1, 9), min_size=sets, max_size=sets)))
    # Sets whose members answered alike are those that could be revealed.
    chosen = np.array(
        [draw(st.sampled_from(sorted({0, 1, of // 2, of - 1, of}))) for of in answered.tolist()]
    )
    return inside, chosen, answered


@given(groups())
@examples(150)
def test_no_answer_is_certain_for_an_outsider_or_for_another_member(
    given_: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    inside, chosen, answered = given_
    shown = ~find_hidden(inside, chosen, answered)
    told = classes_of(inside[shown] @ chosen, inside[shown] @ answered)
    possible = [
        np.array(each)
        for each in itertools.product(*(range(of + 1) for of in answered.tolist()))
        if classes_of(inside[shown] @ np.array(each), inside[shown] @ answered) == told
    ]
    # Who takes off its own answer: nobody, or a member of a set that answered yes or no.
    insiders: list[tuple[int, int] | None] = [None]
    insiders += [(at, 1) for at in range(len(chosen)) if chosen[at]]
    insiders += [(at, 0) for at in range(len(chosen)) if chosen[at] < answered[at]]
    for own in insiders:
        fits = possible
        if own:
            at, yes = own
            fits = [each for each in possible if (each[at] if yes else answered[at] - each[at]) >= 1]
        for target in range(len(chosen)):
            is_own = own is not None and own[0] == target
            others = answered[target] - is_own
            if not others:
                continue
            counts = {int(each[target]) - (own[1] if own and is_own else 0) for each in fits}
            assert counts != {0} and counts != {others}, (own, target)


def test_a_part_of_a_group_shows_with_the_group_what_neither_shows_alone() -> None:
    """Seven of nine, and seven of seventeen: nobody outside the nine answered yes."""
    inside = np.array([[True, False], [True, True]])
    chosen, answered = np.array([7, 0]), np.array([9, 7])
    assert not find_hidden(inside[:1], chosen, answered).any()
    assert not find_hidden(inside[1:], chosen, answered).any()
    assert find_hidden(inside, chosen, answered).tolist() == [False, True]


def test_few_answers_do_not_leave() -> None:
    inside = np.array([[True]])
    for of in (MEMBERS - 1, MEMBERS):
        assert find_hidden(inside, np.array([of // 2]), np.array([of])).tolist() == [of < MEMBERS]
