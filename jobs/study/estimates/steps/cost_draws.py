"""Costs of operators, point by point: what each may have cost in each replicate.

An operator's package has three points of each amount, not how amounts vary together. So it is assumed:

- Marginal cost is effort times prices that are the same for all operators. An error of a price is one for
  all, so marginal costs of a strategy stand at the same place of each operator's distribution in a replicate:
  such errors do not average out.
- An operator's own figures err for themselves: each operator stands at a place of its own, in all months.
- Through three points goes the distribution that jobs/base/stats/sampling.py has; it is scaled to the mean.
- An operator that stated no fixed cost has in each replicate that of another one, of the same size class and
  wage level where LEAST_DONORS stated one, for each subscription. Donors are drawn in proportion to their
  subscriptions, from donors that are drawn themselves (approximate Bayesian bootstrap, Rubin and Schenker
  1986), so that few donors show. Its mean is the donors' amount over their subscriptions.
"""

from collections.abc import Iterator

import numpy as np

from jobs.base.stats.estimation import REPLICATES, Array
from jobs.base.stats.sampling import Z95
from jobs.study.estimates.steps.costs_given import FIXED, MARGINAL, OPERATORS_OWN, GivenCosts

LEAST_DONORS = 5
# A 5% point that was rounded to nothing stands at this part of the median.
SMALLEST_PART = 1e-3


def draw_costs(given: GivenCosts, seed: int, replicates: int = REPLICATES) -> Array:
    """Replicates x operators x strategies x OPERATORS_OWN; of each the mean over replicates is the given."""
    random = np.random.default_rng(seed)
    people, strategies, _ = given.means.shape
    shape = (replicates, people, strategies)
    alike = random.standard_normal((replicates, 1, strategies))
    apart = random.standard_normal((replicates, people, 1))
    places = {MARGINAL: np.broadcast_to(alike, shape), FIXED: np.broadcast_to(apart, shape)}
    z = np.stack([places[each] for each in OPERATORS_OWN], axis=-1)
    drawn = np.zeros(z.shape)
    for month in range(given.points.shape[3]):
        drawn += quantiles_at(z, given.points[..., month, :])
    # What serves several strategies varies as all together does.
    drawn[:, :, -1] = drawn[:, :, 0]
    mean = drawn.mean(axis=0)
    return drawn * np.divide(given.means, mean, out=np.zeros_like(mean), where=mean > 0)


def quantiles_at(z: Array, points: Array) -> Array:
    """Values at standard normal places, of distributions through 5, 50 and 95% points (the last axis)."""
    low, central, high = np.moveaxis(points, -1, 0)
    # A median that was rounded to nothing: the amount is its highest point's.
    central = np.where(central > 0, central, high / 2)
    low, high = np.maximum(low, SMALLEST_PART * central), np.maximum(high, central)
    below, above = (
        np.log(np.divide(one, other, out=np.ones_like(central), where=central > 0)) / Z95
        for one, other in ((central, low), (high, central))
    )
    found: Array = central * np.exp(np.where(z < 0, below, above) * z)
    return found


def impute_fixed(
    fixed: Array, stated: Array, subscriptions: Array, cells: list[Array], random: np.random.Generator
) -> Array:
    """Fixed costs of operators that stated none, (1 + replicates) x operators x strategies, the mean first.

    fixed: the same of all operators, the means first. cells: labels of each operator, the finest first.
    """
    found = np.zeros_like(fixed)
    has_rate = stated & (subscriptions > 0)
    for takers, donors in list_donors(stated, has_rate, cells):
        x = subscriptions[donors]
        found[0, takers] = np.outer(subscriptions[takers], fixed[0, donors].sum(axis=0) / x.sum())
        for replicate in range(1, len(fixed)):
            among = random.integers(0, len(donors), len(donors))
            chance = x[among] / x[among].sum()
            place = donors[among[random.choice(len(donors), len(takers), p=chance)]]
            rate = fixed[replicate, place] / subscriptions[place][:, None]
            found[replicate, takers] = subscriptions[takers][:, None] * rate
    return found


def list_donors(stated: Array, has_rate: Array, cells: list[Array]) -> Iterator[tuple[Array, Array]]:
    """Operators that take a rate, and those that give it: of the finest cell with LEAST_DONORS, else of the
    coarsest, where there are any."""
    left = ~stated
    for number, label in enumerate(cells):
        is_last = number == len(cells) - 1
        for code in sorted(set(label[left].tolist())):
            takers, donors = (np.flatnonzero(who & (label == code)) for who in (left, has_rate))
            if len(donors) >= (1 if is_last else LEAST_DONORS):
                yield takers, donors
                left[takers] = False
