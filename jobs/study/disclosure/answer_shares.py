"""Shares of yes-or-no answers: which areas' classes may leave.

A share of 0 or 100% tells each member's answer. So shares leave as quarters, and only where MEMBERS members
answered: then each outer quarter holds three counts, and a member that takes off its own answer is left with
two. Areas overlap, and two classes together may reveal what neither reveals alone: all of CIS are economies
in transition. find_hidden() leaves out areas until each member's answer could have been another one: for each
set of members that are in the same areas, and that all but at most one answered alike, one more of them may
have answered otherwise, with every published class as it is, by itself or with one member of another set.
"""

from bisect import bisect_right

import numpy as np

from jobs.base.tables.thresholds import MEMBERS, SHARE_EDGES


def share_bounds(chosen: np.ndarray, answered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the fewest and the most members that an area's class of the share allows."""
    low, high = np.zeros(len(chosen), dtype=int), np.array(answered, dtype=int)
    for place, (yes, of) in enumerate(zip(chosen.tolist(), answered.tolist(), strict=True)):
        if of:
            at = bisect_right(SHARE_EDGES, 100 * yes / of)
            if at:
                low[place] = -(-SHARE_EDGES[at - 1] * of // 100)
            if at < len(SHARE_EDGES):
                high[place] = -(-SHARE_EDGES[at] * of // 100) - 1
    return low, high


def find_revealed(inside: np.ndarray, chosen: np.ndarray, answered: np.ndarray) -> np.ndarray:
    """The sets whose members' answers the classes of these areas reveal.

    Args:
        inside: areas x sets, whether the set is part of the area.
        chosen, answered: of each set.
    """
    low, high = share_bounds(inside @ chosen, inside @ answered)
    total = inside @ chosen
    # By how many members each area's count may rise and fall within its class.
    room = {1: high - total, -1: total - low}
    free = {
        step: np.array([bool((room[step][inside[:, at]] >= 1).all()) for at in range(len(chosen))])
        for step in (1, -1)
    }
    left = {1: answered - chosen, -1: chosen}
    revealed = np.zeros(len(chosen), dtype=bool)
    for step, alike in ((1, chosen <= 1), (-1, answered - chosen <= 1)):
        # One more member that answers otherwise: there has to be one.
        for at in np.flatnonzero(alike & (left[step] > 0) & ~free[step]):
            others = np.flatnonzero(left[-step] >= 2)
            only_here = inside[:, [at]] & ~inside[:, others]
            only_there = ~inside[:, [at]] & inside[:, others]
            fits = (~only_here | (room[step][:, None] >= 1)) & (~only_there | (room[-step][:, None] >= 1))
            revealed[at] |= not bool((fits.all(axis=0) & (others != at)).any())
    return revealed


def find_hidden(inside: np.ndarray, chosen: np.ndarray, answered: np.ndarray) -> np.ndarray:
    """The areas whose class may not leave: those with fewer than MEMBERS answers, and of those that reveal an
    answer together the smallest, one after the other."""
    of_area = inside @ answered
    hidden: np.ndarray = of_area < MEMBERS
    while not hidden.all():
        shown = np.flatnonzero(~hidden)
        revealed = find_revealed(inside[shown], chosen, answered) & inside[shown].any(axis=0)
        if not revealed.any():
            break
        blamed = shown[inside[shown][:, revealed].any(axis=1)]
        hidden[blamed[np.argmin(of_area[blamed])]] = True
    return hidden
