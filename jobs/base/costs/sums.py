"""Cost figures that may be added, and their sum.

Estimates of the study are added over areas, channels or strategies that have nothing in common, if they are
of one table, component and conversion or definition; units of volume as ref.measure permits. How their errors
are correlated does not show in the figures, so that the interval of such a sum is the widest possible.

Spending, running cost, lost time, victims' losses, senders' revenue and transfers are different quantities;
so are amounts of different years, currencies or overlapping scopes. A sum is simulated as one total: its
points are never sums of points.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.periods import months_of
from jobs.base.costs.figure import Explained, Simulation
from jobs.base.costs.simulation import joint_bound
from jobs.base.figures import words
from jobs.base.stats.sampling import sample_parameters, three_quantiles
from jobs.base.tables.contracts import reference_table

# An amount, over the time that the scope says; not an amount per head, hour or message.
AMOUNT = re.compile(r"^[A-Z]{3}( per (day|month|year)| over .*)?$")
INSTEAD = {
    "investment": "An investment is put beside what it is meant to avoid, as a ratio",
    "operating_cost": "A running cost stands beside the investment, as accounts keep them",
    "social_cost": "Time lost is shown beside what is spent against it",
    "loss": "Victims' losses are shown beside time lost and spending, each on a line of its own",
    "criminal_revenue": "What senders earn is part of what victims lose: show it as a ratio to the loss",
    "transfer": "A transfer is one party's loss and another's gain: leave it out of totals and name who pays",
    "mixed": "A mixed total holds several quantities: take its parts, where its model prints them",
    "base": "It is what costs are computed from: put it into a formula, not into a sum",
    "quantity": "It is no amount of money: compare it with figures of the same unit",
}


@dataclass(frozen=True)
class Sum:
    """The total of several figures, with its 5, 50 and 95% points; of estimates with the ends of an interval
    that is as wide as 95% can be."""

    figures: list[Explained]
    points: tuple[float, float, float]
    currency_code: str | None
    bound_code: str


def sum_figures(figures: Sequence[Explained]) -> Sum:
    """The sum of figures. Raises ObservatoryError that names two which may not be added, and what to do."""
    for one, other in combinations(figures, 2):
        reason = reason_against_adding(one, other)
        if reason:
            raise ObservatoryError(reason)
    if all(each.estimate is not None for each in figures):
        return Sum(list(figures), sum_intervals(figures), figures[0].currency_code, "estimate")
    bound = joint_bound([each.bound_code for each in figures])
    return Sum(list(figures), sum_simulations(figures), figures[0].currency_code, bound)


def sum_intervals(figures: Sequence[Explained]) -> tuple[float, float, float]:
    """Low, value and high of a sum of estimates: as far apart as can be, since errors may go together."""
    ends = []
    for each in figures:
        assert each.estimate is not None
        if each.estimate.low is None or each.estimate.high is None:
            raise ObservatoryError(f"{each.name} cannot be added: it has one respondent, and so no interval")
        ends.append((each.estimate.low, each.estimate.value, each.estimate.high))
    low, value, high = (sum(each) for each in zip(*ends, strict=True))
    return low, value, high


def sum_simulations(figures: Sequence[Explained]) -> tuple[float, float, float]:
    """The 5, 50 and 95% points of a sum of simulated figures, added point by point."""
    simulations = [each.simulation for each in figures if each.simulation is not None]
    if len(simulations) < len(figures):
        missing = next(each for each in figures if each.simulation is None)
        raise ObservatoryError(f"{missing.name} cannot be added: no formula gives it a range")
    tables = []
    for each in simulations:
        names = [joint_name(each, name) for name in each.table["parameter_code"]]
        tables.append(each.table.with_columns(parameter_code=pl.Series(names, dtype=pl.String)))
    samples = sample_parameters(pl.concat(tables).unique("parameter_code", keep="first"))
    totals = [
        each.total({name: samples[joint_name(each, name)] for name in each.table["parameter_code"]})
        for each in simulations
    ]
    return three_quantiles(np.sum(totals, axis=0))


def joint_name(simulation: Simulation, name: str) -> str:
    """A parameter's name among those of other figures: shared ones vary together."""
    return f"{simulation.owner}/{name}" if name in simulation.own_parameters else name


def reason_against_adding(one: Explained, other: Explained) -> str | None:
    """Why two figures may not be added, and what may be done instead; None where they may."""
    both = f"{one.name} and {other.name}"
    for each in (one, other):
        if each.is_modelled:
            return (
                f"{each.name} is modelled: it stands beside what was measured or answered and is added to"
                " nothing, nor to another model's figure. Show each on a line of its own."
            )
    if are_components(one, other):
        whole = "/".join([*one.name.split("/")[:5], "_T", one.scope.quantity[1]])
        return (
            f"{both} are components of spending, whose errors go together. Their total is the component _T,"
            f" estimated as one: {whole}. Capital is a yearly cost there: each purchase spread over its life."
        )
    if one.estimand_code != other.estimand_code:
        said = " and ".join(f"{each.name} is {quantity_phrase(each.estimand_code)}" for each in (one, other))
        instead = ". ".join(INSTEAD[each.estimand_code] for each in (one, other))
        return f"{said}: different quantities are never added. {instead}."
    if one.estimate is not None or other.estimate is not None:
        return reason_against_estimates(one, other)
    if one.estimand_code in ("mixed", "base", "quantity"):
        name = quantity_phrase(one.estimand_code)
        return f"{both} are each {name}, of which no two are added. {INSTEAD[one.estimand_code]}."
    for each in (one, other):
        if not AMOUNT.match(each.unit):
            return (
                f"{each.name} is in {each.unit}: rates are not added. Multiply it by the number of units that"
                " it is per, and add the amounts."
            )
    if one.currency_code != other.currency_code:
        return (
            f"{one.name} is in {one.currency_code} and {other.name} in {other.currency_code}: not added."
            " Deflate each in its own currency, then convert at the rates or purchasing power of one year."
        )
    if one.unit != other.unit or one.scope.kind != other.scope.kind:
        return f"{one.name} is in {one.unit}, {other.name} in {other.unit}: bring them to the same time."
    if one.scope.period_code != other.scope.period_code and one.scope.kind == "published":
        return (
            f"{one.name} is of {one.scope.period_code} and {other.name} of {other.scope.period_code}, in the"
            " prices of their own years: --prices YEAR brings both to one."
        )
    if have_overlap(one, other):
        return f"{both} overlap: what they have in common would count twice." + (
            " They are two estimates: show them as a range."
            if one.scope.kind == "published"
            else " Take the larger of them, or parts that have nothing in common."
        )
    return None


def are_components(one: Explained, other: Explained) -> bool:
    """Return whether two figures are the capital and the running part of one account."""
    if not one.scope.quantity or not other.scope.quantity:
        return False
    (first, *rest), (second, *others) = one.scope.quantity, other.scope.quantity
    accounts = [replace(each.scope, quantity=()) for each in (one, other)]
    return {first, second} == {"capital", "operating"} and rest == others and accounts[0] == accounts[1]


def reason_against_estimates(one: Explained, other: Explained) -> str | None:
    """Why two estimates of the study, of one quantity, may not be added; None if they may."""
    both, kinds = f"{one.name} and {other.name}", {one.scope.kind, other.scope.kind}
    if one.estimate is None or other.estimate is None:
        return (
            f"{both} are no figures of one kind: one is estimated for all operators of an area, the other is"
            " not, and what they have in common would count twice."
        )
    if len(kinds) > 1:
        return f"{both} are of different tables, {' and '.join(sorted(kinds))}: show them side by side."
    if one.currency_code != other.currency_code:
        return (
            f"{one.name} is in {one.currency_code} and {other.name} in {other.currency_code}: not added. Take"
            " both at one conversion: --prices market or international, without one in the names."
        )
    if one.scope.quantity != other.scope.quantity and not differ_in_unit(one, other):
        what = " and ".join("/".join(each.scope.quantity) for each in (one, other))
        return f"{both} are different quantities, {what}: only the same one of areas apart is added."
    if have_overlap(one, other):
        return (
            f"{both} overlap: what they have in common would count twice. Take areas, channels or strategies"
            " that have nothing in common."
        )
    return None


def differ_in_unit(one: Explained, other: Explained) -> bool:
    """Return whether two volumes differ in their unit alone, and ref.measure has a sum of both units."""
    units = {one.scope.quantity[-1], other.scope.quantity[-1]}
    if one.scope.quantity[:-1] != other.scope.quantity[:-1]:
        return False
    allowed = reference_table("ref.measure").filter("is_included").group_by("measure_code").agg("unit_code")
    return any(units <= set(codes) for codes in allowed["unit_code"].to_list())


def quantity_phrase(code: str) -> str:
    """A quantity for the middle of a sentence, with what it means."""
    name = words.code_name("estimand", code).lower()
    article = "an" if name[0] in "aeiou" else "a"
    return f"{article} {name} ({words.lower_first(words.code_description('estimand', code))})"


def holds_other(one: str, other: str) -> bool:
    """Return whether one of two codes of a column holds the other: the whole all of them, FRAUD
    FRAUD.loan."""
    return one == other or "_T" in (one, other) or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def have_overlap(one: Explained, other: Explained) -> bool:
    """Return whether two figures of one kind have anything in common."""
    if one.estimate is not None:
        return (
            one.scope.quantity == other.scope.quantity
            and not set(months_of(one.scope.period_code)).isdisjoint(months_of(other.scope.period_code))
            and not one.scope.countries.isdisjoint(other.scope.countries)
            and all(map(holds_other, one.scope.part, other.scope.part))
        )
    if one.scope.kind == "published":
        areas = {one.scope.subject, other.scope.subject}
        # Codes of the world, a continent, several areas or none may hold the country.
        return len(areas) == 1 or not all(area.isalpha() for area in areas)
    if (one.scope.subject, one.scope.period_code) != (other.scope.subject, other.scope.period_code):
        return False
    return all(a == b or "_T" in (a, b) for a, b in zip(one.scope.part, other.scope.part, strict=True))
