"""Weights and totals of operators that answered, for all operators of an area.

The operators of one channel and period are the population. All were asked; those that answered are taken
as a random part of their stratum, which a volunteer panel is not: intervals hold under that model, and the
non-response band says what follows if it is wrong.

- stratum: ITU region x development class x size, collapsed until each holds `SMALLEST` respondents
  (Särndal, Swensson and Wretman 1992, ch. 3 and 15).
- weight: d = N/n of the stratum, then raked so that subscriptions add up to what is known of each margin
  (Deming and Stephan 1940; Deville and Särndal 1992). A stratum of `SEPARATE` respondents is a margin of
  its own: the separate ratio. The other strata of a region share one: the combined ratio.
- total of an area: X (sum of w y) / (sum of w x), X the area's known subscriptions (Cochran 1977, 6.10-6.12).
- variance: bootstrap of Rao and Wu (1988) with the m-1 draws of Rao, Wu and Yue (1992), rescaled by
  sqrt(1 - n/N), of holdings, since operators of one owner may be alike and answer together; non-respondents
  are drawn too, and adjustment and raking are done again in each replicate (Rust and Rao 1996).
  jobs/base/stats/intervals.py makes errors and intervals of the replicates.

Arrays have one place for each operator. Rows of weights are the estimate's own, then its replicates.
Nothing depends on the order of operators but the random draws: sort by id first.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

Array = np.ndarray

SMALLEST = 5
SEPARATE = 20
REPLICATES = 400
SWEEPS, STEPS, TOLERANCE, CONTRADICTED = 50, 30, 1e-6, 1e-3
# Of the estimate's own weights: then they do not depend on how many sweeps the replicates need.
EXACT = 1e-12


def seed_of(*key: str) -> int:
    """A seed that a cell's key gives, on any machine and in any order of cells."""
    return int.from_bytes(hashlib.sha256("\x1f".join(key).encode()).digest()[:8], "big")


# --- strata ----------------------------------------------------------------------------------------


def collapse_strata(
    region: Array, development: Array, size: Array, is_respondent: Array, smallest: int = SMALLEST
) -> Array:
    """The stratum of each operator, as "region|class|size" with what was joined under "+".

    What distinguishes strata is given up in this order: sizes are joined first; a class whose operators
    are too few in all sizes together is joined to another of its region; a region too small as a whole to
    another region. Joined is the group with fewest respondents, to its neighbour with fewest; codes sort
    the ties, so that the order of operators changes nothing.
    """
    at_region = join_small(region, is_respondent, smallest)
    at_class, at_size = development.astype(object), size.astype(object)
    for each in np.unique(at_region):
        inside = at_region == each
        at_class[inside] = join_small(development[inside], is_respondent[inside], smallest)
        for kind in np.unique(at_class[inside].astype(str)):
            of_class = inside & (at_class == kind)
            at_size[of_class] = join_small(size[of_class], is_respondent[of_class], smallest)
    return np.array(
        [f"{a}|{b}|{c}" for a, b, c in zip(at_region, at_class, at_size, strict=True)], dtype=object
    )


def join_small(code: Array, is_respondent: Array, smallest: int) -> Array:
    """Codes, with those joined that have fewer than `smallest` respondents; neighbours in order of code."""
    names = sorted(set(code.tolist()))
    groups: list[tuple[str, ...]] = [(name,) for name in names]
    count = {name: int(is_respondent[code == name].sum()) for name in names}

    def count_respondents(group: tuple[str, ...]) -> int:
        return sum(count[name] for name in group)

    while len(groups) > 1 and min(map(count_respondents, groups)) < smallest:
        place = min(range(len(groups)), key=lambda at: (count_respondents(groups[at]), at))
        beside = [at for at in (place - 1, place + 1) if 0 <= at < len(groups)]
        other = min(beside, key=lambda at: (count_respondents(groups[at]), at))
        first, second = sorted((place, other))
        groups[first : second + 1] = [groups[first] + groups[second]]
    label = {name: "+".join(group) for group in groups for name in group}
    return np.array([label[name] for name in code.tolist()], dtype=object)


def assign_subscriptions(
    reported: Array, country: Array, is_respondent: Array, known: dict[str, float]
) -> Array:
    """The subscriptions that each operator stands for, so that a country adds up to what is known of it.

    Respondents keep their own; what is left of a country's known total goes to the others in proportion to
    the frame. A known total below what respondents report is not believed: the others then stand for none.
    Where the frame names no others, the rest of the total belongs to operators that nobody listed.
    """
    stands = reported.astype(float).copy()
    for name in np.unique(country):
        silent = (country == name) & ~is_respondent
        if name in known and reported[silent].sum() > 0:
            left = known[name] - reported[(country == name) & is_respondent].sum()
            stands[silent] = reported[silent] * max(left, 0.0) / reported[silent].sum()
    return stands


# --- weights ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Operators:
    """The operators of one channel and period, sorted by id. `subscriptions` is what each stands for, and
    `holding` its owner."""

    respondent: Array
    country: Array
    region: Array
    development: Array
    size: Array
    subscriptions: Array
    is_respondent: Array
    holding: Array


@dataclass(frozen=True)
class Weighted:
    """Weights of the respondents, replicates after the estimate's own; and the strata of all operators."""

    operators: Operators
    stratum: Array
    index: Array
    weights: Array

    @cached_property
    def owner(self) -> Array:
        """The place of each operator's owner."""
        found: Array = np.unique(self.operators.holding.astype(str), return_inverse=True)[1]
        return found

    @cached_property
    def unit(self) -> Array:
        """The unit that is drawn: all operators that a holding has in a stratum. The unit of each
        operator."""
        both = self.index * (int(self.owner.max(initial=0)) + 1) + self.owner
        found: Array = np.unique(both, return_inverse=True)[1]
        return found


@dataclass(frozen=True)
class Margins:
    """A partition of the operators, or of a part of them, into sets whose subscriptions are known.

    Attributes:
        place: which set an operator is in, -1 for none.
        totals: what is known of each set.
    """

    name: str
    place: Array
    totals: Array


def weight_respondents(
    operators: Operators, groups: dict[str, Array], seed: int, replicates: int = REPLICATES
) -> Weighted:
    """Weights adjusted for non-response and raked to the ratio groups, then to overlapping groups."""
    people = operators
    stratum = collapse_strata(people.region, people.development, people.size, people.is_respondent)
    index = np.unique(stratum.astype(str), return_inverse=True)[1]
    drawn = draw_holdings(index, people.holding, people.is_respondent, replicates, seed)
    return weight_by_factors(Weighted(operators, stratum, index, np.empty((0, 0))), groups, drawn)


def weight_by_factors(sample: Weighted, groups: dict[str, Array], drawn: Array) -> Weighted:
    """The sample with weights of its own, and of replicates by these factors, replicates x operators."""
    people, index = sample.operators, sample.index
    margins = [ratio_groups(sample.stratum, people.is_respondent, people.subscriptions)]
    for name, member in groups.items():
        if (member & people.is_respondent).sum() >= SMALLEST:
            total = people.subscriptions[member].sum()
            margins.append(Margins(name, np.where(member, 0, -1), np.array([total])))
    factors = np.vstack([np.ones(len(index)), drawn])
    weights = calibrate_weights(
        adjust_nonresponse(factors, index, people.is_respondent)[:, people.is_respondent],
        people.subscriptions[people.is_respondent],
        [Margins(each.name, each.place[people.is_respondent], each.totals) for each in margins],
    )
    return Weighted(people, sample.stratum, index, weights)


def ratio_groups(stratum: Array, is_respondent: Array, x: Array) -> Margins:
    """Strata with respondents enough for a ratio of their own, and for each region one group of the others.

    Where too few respondents would be left for that group, none of the region's strata stands apart.
    """
    region = np.array([label.split("|")[0] for label in stratum], dtype=object)
    group = region.copy()
    for name in sorted(set(region.tolist())):
        inside = region == name
        apart = np.zeros(len(stratum), dtype=bool)
        for label in sorted(set(stratum[inside].tolist())):
            member = stratum == label
            if is_respondent[member].sum() >= SEPARATE:
                apart |= member
        rest = inside & ~apart
        if not rest.any() or is_respondent[rest].sum() >= SMALLEST:
            group[apart] = stratum[apart]
    names, place = np.unique(group.astype(str), return_inverse=True)
    return Margins("ratio groups", place, np.bincount(place, weights=x, minlength=len(names)))


def draw_holdings(index: Array, holding: Array, is_respondent: Array, replicates: int, seed: int) -> Array:
    """Rescaled bootstrap factors, replicates x operators.

    In a stratum of M holdings, M-1 are drawn with replacement, each with all operators that it has there; the
    factor is 1 - l + l t M/(M-1) with t the times drawn and l = sqrt(1 - m/M), m the holdings that answered:
    a stratum that answered in full does not vary.
    """
    random = np.random.default_rng(seed)
    factors = np.ones((replicates, len(index)))
    for stratum in range(index.max() + 1):
        members = np.flatnonzero(index == stratum)
        owner = np.unique(holding[members].astype(str), return_inverse=True)[1]
        count = owner.max() + 1
        if count < 2:
            continue
        answered = len(set(owner[is_respondent[members]].tolist()))
        drawn = random.integers(0, count, size=(replicates, count - 1))
        offsets = np.arange(replicates)[:, None] * count
        times = np.bincount((drawn + offsets).ravel(), minlength=replicates * count)
        scale = np.sqrt(1.0 - answered / count)
        of_owner = 1.0 - scale + scale * times.reshape(replicates, count) * count / (count - 1)
        factors[:, members] = of_owner[:, owner]
    return factors


def adjust_nonresponse(factors: Array, index: Array, is_respondent: Array) -> Array:
    """Weights after the adjustment for non-response: respondents carry the weight of their stratum.

    Factors of 1 give N/n; a replicate's factors give the adjustment done again.
    """
    of_stratum = encode_sets(index, index.max() + 1)
    everyone = factors @ of_stratum
    answering = (factors * is_respondent) @ of_stratum
    ratio = np.divide(everyone, answering, out=np.zeros_like(everyone), where=answering > 0)
    return factors * is_respondent * ratio[:, index]


def encode_sets(place: Array, count: int) -> Array:
    """Operators x sets: 1 where an operator is in the set."""
    return (place[:, None] == np.arange(count)).astype(float)


def sum_rows(values: Array, place: Array) -> Array:
    """Sums of the rows of each set.

    Args:
        place: the set of each row; every one from 0 up has a row.
    """
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))
    found: Array = np.add.reduceat(values[order], starts, axis=0) if len(order) else values
    return found


def rake_weights(
    weights: Array, x: Array, margins: Sequence[Margins], tolerance: float = TOLERANCE
) -> tuple[Array, float]:
    """Weights scaled, margin by margin, until the sums of w x are the totals; how far they last were from it.

    Operators that are in the same set of every margin are scaled alike: the work is on one cell for each
    combination of sets. A set without respondents keeps what it has: nothing. Rows that some sweeps did not
    settle, where groups overlap much, are solved by Newton's method, which gives the same weights.
    """
    cells, cell = np.unique(np.stack([each.place for each in margins], axis=1), axis=0, return_inverse=True)
    cell = cell.reshape(-1)
    mass = (weights * x) @ encode_sets(cell, len(cells))
    factor = np.ones_like(mass)
    sets = []
    for number, each in enumerate(margins):
        inside = np.flatnonzero(cells[:, number] >= 0)
        place = cells[inside, number]
        sets.append((inside, place, encode_sets(place, len(each.totals)), each.totals))
    off = np.zeros(len(weights))
    for _ in range(SWEEPS):
        off = np.zeros(len(weights))
        for inside, place, of_set, totals in sets:
            found = (mass * factor)[:, inside] @ of_set
            scale = np.divide(totals, found, out=np.ones_like(found), where=found > 0)
            off = np.maximum(off, np.abs(scale - 1.0).max(axis=1))
            factor[:, inside] *= scale[:, place]
        if off.max() < tolerance or len(sets) == 1:
            return weights * factor[:, cell], 0.0
    rows = np.flatnonzero(off >= tolerance)
    of_set = np.hstack(
        [encode_sets(cells[:, number], len(each.totals)) for number, each in enumerate(margins)]
    )
    totals = np.concatenate([each.totals for each in margins])
    solved, is_solved = solve_factors((mass * factor)[rows], of_set, totals, tolerance)
    rows = rows[is_solved]
    factor[rows] *= solved[is_solved]
    off[rows] = 0.0
    return weights * factor[:, cell], float(off.max())


def solve_factors(
    mass: Array, of_set: Array, totals: Array, tolerance: float = TOLERANCE
) -> tuple[Array, Array]:
    """Factors of cells by Newton's method on the multipliers of their sets (Deville and Särndal 1992), rows x
    cells; and which rows it solved: others have totals that contradict each other.

    Args:
        mass: rows x cells, sums of w x.
        of_set: cells x sets, 1 where a cell is in the set.
    """
    factor = np.ones_like(mass)
    is_solved = np.zeros(len(mass), dtype=bool)
    # A set that no operator of a row is in keeps nothing, and asks for nothing.
    drawn = mass @ of_set > 0
    # Divides what is missing of a set: an empty one may have a total of 0.
    divisor = np.where(drawn, totals, 1.0)
    for _ in range(STEPS):
        rows = np.flatnonzero(~is_solved)
        now = mass[rows] * factor[rows]
        missing = np.where(drawn[rows], totals - now @ of_set, 0.0)
        is_near = np.abs(missing / divisor[rows]).max(axis=1) < tolerance
        is_solved[rows[is_near]] = True
        rows, now, missing = rows[~is_near], now[~is_near], missing[~is_near]
        if not len(rows):
            break
        # Sets that say the same twice make it singular: the shortest step of those that fit.
        slope = of_set.T @ (now[:, :, None] * of_set)
        step = np.linalg.pinv(slope, rcond=1e-12, hermitian=True) @ missing[:, :, None]
        factor[rows] *= np.exp(np.clip(step[:, :, 0] @ of_set.T, -1.0, 1.0))
    return factor, is_solved


def calibrate_weights(weights: Array, x: Array, margins: Sequence[Margins]) -> Array:
    """Weights raked to the margins.

    Margins that contradict each other (where groups overlap and the overlap did not answer) are given up
    from the last; whether they do is judged on the first row, the weights of the estimate itself.
    """
    kept = list(margins)
    own, off = rake_weights(weights[:1], x, kept, EXACT)
    while len(kept) > 1 and off > CONTRADICTED:
        kept.pop()
        own, off = rake_weights(weights[:1], x, kept, EXACT)
    return np.concatenate([own, rake_weights(weights[1:], x, kept)[0]]) if len(weights) > 1 else own


# --- totals ----------------------------------------------------------------------------------------


def ratio_totals(weights: Array, x: Array, y: Array, member: Array, known: Array) -> Array:
    """X (sum of w y)/(sum of w x), as rows of weights x areas x measures. All arrays are of respondents.

    Args:
        y: respondents x measures.
        member: areas x respondents.
        known: subscriptions of each area.
    """
    below = weights @ (member * x).T
    scale = np.divide(known, below, out=np.zeros_like(below), where=below > 0)
    found = np.zeros((len(weights), len(member), y.shape[1]))
    # Of each area its own respondents alone: most areas have few, and a channel may have no area.
    for place, own in enumerate(member.astype(bool)):
        found[:, place] = (weights[:, own] @ y[own]) * scale[:, place, None]
    return found


def floor_at_one(weights: Array, x: Array, known: float) -> Array:
    """One area's weights w' with sum of w' x = known, no respondent standing for less than itself.

    Raking may give some less than 1. These have 1, and the others are scaled to what is left, until none has
    less; all have 1 where what is known is no more than they report. A total by these weights is never below
    what was reported, and totals of parts add up to that of the whole, which a floor under each would break.
    """
    alone = np.zeros(len(x), dtype=bool)
    while True:
        below = float(weights[~alone] @ x[~alone])
        scale = (known - float(x[alone].sum())) / below if below > 0 else 1.0
        found = np.where(alone, 1.0, weights * scale)
        less = found < 1
        if not less.any():
            return found
        alone |= less
