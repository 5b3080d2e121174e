"""study.countermeasure_cost: what countermeasures cost operators to run, per area, channel and strategy.

Marginal cost is measured: effort of logs at reference prices (ref.cost_parameter). Fixed cost is what
operators stated; that of others is imputed, in rows of its own, so that it can be left out. Totals are
simulated over operators, point by point, and estimated as all volumes are. An operator's package has three
points of each amount, not how amounts vary together. So it is assumed:

- Marginal cost is effort times prices that are the same for all operators, or for all of an area. An error of
  a price is taken to be one for all, so marginal costs of a strategy stand at the same place of each
  operator's distribution in a replicate: such errors do not average out.
- An operator's own figures err for themselves: each operator stands at a place of its own, in all months.
- Through three points goes the distribution that jobs/base/stats/sampling.py has; it is scaled to the mean.
- An operator that stated no fixed cost has in each replicate that of another one, of the same size class and
  wage level where LEAST_DONORS stated one, for each subscription. Donors are drawn in proportion to their
  subscriptions, from donors that are drawn themselves (approximate Bayesian bootstrap, Rubin and Schenker
  1986), so that few donors show. Its mean is the donors' amount over their subscriptions. Who states one is
  taken to be random within a class; docs/estimates.md has what follows where it is not.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from jobs.base.core.periods import last_day
from jobs.base.costs.simulation import bound_code, joint_bound
from jobs.base.figures.areas import COUNTRY
from jobs.base.figures.counting_rules import OPERATOR
from jobs.base.stats.estimation import REPLICATES, Array, seed_of
from jobs.base.stats.sampling import Z95
from jobs.base.tables.contracts import Row
from jobs.study.estimates.respondent_cost import (
    CONVERSION,
    FIXED,
    MARGINAL,
    OPERATORS_OWN,
    STATED,
    GivenCosts,
    list_costs,
)
from jobs.study.estimates.respondent_figure import UNIT
from jobs.study.estimates.steps.area_rows import estimate_areas
from jobs.study.estimates.steps.part_estimates import count_owners
from jobs.study.estimates.steps.rows import conf_status_code, frame_rows
from jobs.study.estimates.steps.sample import Reference, Sample, sample_of, select_areas

TABLE = "study.countermeasure_cost"
IMPUTED, TOTAL_COST = "imputed", "total"
# Of which of marginal, fixed and imputed cost each component is the sum.
COMPONENTS = {
    MARGINAL: (1, 0, 0), FIXED: (0, 1, 0), STATED: (1, 1, 0), IMPUTED: (0, 0, 1), TOTAL_COST: (1, 1, 1),
}  # fmt: skip
# Those without anything imputed: linear functions of what operators sent, which alone are published.
LINEAR = (MARGINAL, FIXED, STATED)
LEAST_DONORS = 5
# A 5% point that was rounded to nothing stands at this part of the median.
SMALLEST_PART = 1e-3


def transform(
    submission_cost: pl.DataFrame,
    submission: pl.DataFrame,
    spam_volume: pl.DataFrame,
    reference: Reference,
    price_level: pl.DataFrame,
    exchange_rate: pl.DataFrame,
) -> pl.DataFrame:
    """A row for each area but countries, strategy and component of a quarter or year and channel.

    In parts: an estimate needs all respondents of a channel and period.
    """
    units = read_units(spam_volume)
    rows: list[Row] = []
    for channel, period, given in list_costs(submission_cost, submission, exchange_rate):
        sample, _ = sample_of(reference, given.people, channel, period, ("cost", channel, period))
        sample = select_areas(sample, [area.code for area in sample.areas if area.kind != COUNTRY])
        y = draw_components(given, sample, price_level, period, channel)
        rows += [
            row
            | {"period_code": period, "channel_code": channel, "conversion_code": CONVERSION}
            | {
                "per_thousand_units": divide_by_thousands(
                    row, units.get((period, channel, str(row["area_code"])))
                )
            }
            for row in area_rows(given, sample, y)
        ]
    return frame_rows(rows, TABLE)


def draw_components(
    given: GivenCosts, sample: Sample, price_level: pl.DataFrame, period: str, channel: str
) -> Array:
    """(1 + replicates) x operators x strategies x COMPONENTS, the means first."""
    own = np.concatenate([given.means[None], draw_costs(given, seed_of(TABLE, channel, period))])
    fixed = own[..., OPERATORS_OWN.index(FIXED)]
    people = sample.weighted.operators
    wages = wage_levels(people.country, price_level, period)
    size, wage = (each[people.is_respondent] for each in (people.size, wages))
    both = np.array([f"{one}|{other}" for one, other in zip(size, wage, strict=True)], dtype=object)
    cells = [both, size, np.full(len(size), "", dtype=object)]
    random = np.random.default_rng(seed_of(TABLE, channel, period, IMPUTED))
    subscriptions = people.subscriptions[people.is_respondent]
    imputed = impute_fixed(fixed, given.states_fixed, subscriptions, cells, random)
    parts = np.stack([own[..., OPERATORS_OWN.index(MARGINAL)], fixed, imputed], axis=-1)
    return parts @ np.array(list(COMPONENTS.values()), dtype=float).T


def wage_levels(country: Array, price_level: pl.DataFrame, period: str) -> Array:
    """Return whether a day's wage in US dollars is above the median of the frame's operators' countries; ""
    where it is not known."""
    wage = daily_wages(price_level, period)
    known = [wage[name] for name in sorted(set(country.tolist())) if name in wage]
    middle = float(np.median(known)) if known else 0.0
    level = {name: "high" if amount > middle else "low" for name, amount in wage.items()}
    return np.array([level.get(name, "") for name in country.tolist()], dtype=object)


def daily_wages(price_level: pl.DataFrame, period: str) -> dict[str, float]:
    """The wage of a day in US dollars of each country that has one, of its last year up to the period's."""
    latest = (
        price_level.filter(pl.col("price_year") <= last_day(period).year)
        .sort("price_year")
        .unique("country_code", keep="last")
        .drop_nulls("wage_per_day")
    )
    return dict(
        latest.select(
            "country_code", pl.col("wage_per_day").cast(pl.Float64) / pl.col("market_rate").cast(pl.Float64)
        ).rows()
    )


@dataclass(frozen=True)
class Measure:
    """A strategy and component, with their places."""

    strategy: str
    component: str
    place: tuple[int, int]


def area_rows(given: GivenCosts, sample: Sample, y: Array) -> Iterator[Row]:
    """The rows of each area, those with something imputed after the others."""
    donors = int(given.states_fixed.sum())
    for names, freedom in ((LINEAR, REPLICATES - 1), ((IMPUTED, TOTAL_COST), max(donors - 1, 1))):
        measures = [
            Measure(strategy, component, (at, list(COMPONENTS).index(component)))
            for at, strategy in enumerate(given.strategies)
            for component in names
        ]
        chosen = y[:, :, [each.place[0] for each in measures], [each.place[1] for each in measures]]
        shown = chosen[0].sum(axis=0) > 0
        measures = [each for each, has_any in zip(measures, shown, strict=True) if has_any]
        if not measures:
            continue
        values = chosen[:, :, shown]
        least = np.zeros_like(values[0])
        rows = estimate_areas(sample, values, least, float(freedom)).to_dicts()
        for number, row in enumerate(rows):
            place, measure = divmod(number, len(measures))
            yield describe_row(row, measures[measure], given, sample, y, place)


def describe_row(row: Row, measure: Measure, given: GivenCosts, sample: Sample, y: Array, place: int) -> Row:
    """A row with its codes, how many owners have any of it, what was imputed, and which bound it is.

    Args:
        y: (1 + replicates) x respondents x strategies x COMPONENTS, the means first.
        place: the row's area in the sample.
    """
    answering = sample.weighted.operators.is_respondent
    inside = sample.member[place, answering]
    own = dict(zip(COMPONENTS, np.moveaxis(y[0, inside, measure.place[0]], -1, 0), strict=True))
    having = {
        name: int(count_owners(of[:, None], sample.holding[answering][inside])[0]) for name, of in own.items()
    }
    imputed, total = (float(own[name].sum()) for name in (IMPUTED, TOTAL_COST))
    # Imputed amounts reveal operators that stated a cost, and none that stated nothing.
    stating = having[FIXED if imputed else STATED]
    behind = {IMPUTED: stating, TOTAL_COST: min(having[TOTAL_COST], stating)}
    return row | {
        "strategy_code": measure.strategy,
        "cost_component_code": measure.component,
        "part_holding_count": having[measure.component],
        "imputed_pct": 100 * imputed / total if measure.component == TOTAL_COST and total else None,
        "bound_code": bound_of_area(given, np.flatnonzero(inside).tolist(), measure),
        "conf_status_code": conf_status_code(behind.get(measure.component, having[measure.component])),
    }


def bound_of_area(given: GivenCosts, people: list[int], measure: Measure) -> str:
    """The bound of an area's cost: parts that are known to be missing or too high in these operators' costs.
    Fixed cost that an operator did not state is missing, unless it is imputed."""
    own = {MARGINAL: (MARGINAL,), FIXED: (FIXED,), IMPUTED: ()}.get(measure.component, OPERATORS_OWN)
    codes = [
        code
        for person in people
        for component in own
        for code in given.bounds.get((person, measure.strategy, component), ())
    ]
    lacks = FIXED in own and not all(given.states_fixed[person] for person in people)
    if lacks and measure.component != TOTAL_COST:
        codes.append(bound_code(True, False))
    return joint_bound(codes)


def read_units(spam_volume: pl.DataFrame) -> dict[tuple[str, str, str], float]:
    """Estimated messages or calls by period, channel and area, refused attempts included."""
    of_all = spam_volume.filter(
        pl.col("quantity_code") == "units",
        pl.col("definition_code") == OPERATOR,
        pl.col("unit_code").is_in(list(UNIT.values())),
        pl.col("estimate") > 0,
    )
    return {
        (period, channel, area): float(estimate)
        for period, channel, area, estimate in of_all.select(
            "period_code", "channel_code", "area_code", "estimate"
        ).rows()
    }


def divide_by_thousands(row: Row, units: float | None) -> float | None:
    """An estimate for each thousand messages or calls of its area; None where no volumes are estimated."""
    return 1000 * float(row["estimate"]) / units if units and row["estimate"] is not None else None


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

    Args:
        fixed: the same of all operators, the means first.
        cells: labels of each operator, the finest first.
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
