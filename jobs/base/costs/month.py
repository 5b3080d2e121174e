"""Explanations of what a countermeasure cost an operator in a month: measured effort times prices, and fixed
cost.

A figure is named operator/month, operator/month/COUNTERMEASURE or operator/month/COUNTERMEASURE/CHANNEL. Its
effort is read from the lake at the versions that the last finished run named; it is computed again from that,
the reference tables and the settings as they are now, and held against the points that the lake has.
"""

import calendar
from collections.abc import Sequence

import polars as pl

from jobs.base.core.choices import nearest_hint
from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import format_number
from jobs.base.costs.figure import Explained, Scope, Simulation
from jobs.base.costs.fixed_costs import fixed_cost_rows, read_fixed_cost
from jobs.base.costs.month_steps import (
    PARAMETER,
    RATE,
    Month,
    central_samples,
    effort_lines,
    fill_with_central,
    list_formula_steps,
    list_inputs,
)
from jobs.base.costs.price_areas import prices_of_period
from jobs.base.costs.prices import collect_prices
from jobs.base.costs.simulation import OVERSTATED, round_amount
from jobs.base.figures import words
from jobs.base.settings.config import Observatory
from jobs.base.stats.sampling import sample_parameters, three_quantiles
from jobs.base.stats.sensitivity import rank_parameters
from jobs.base.store.lake import open_lake
from jobs.base.store.table_files import read_files
from jobs.base.tables.contracts import Row, reference_table
from jobs.base.tables.reference_version import reference_version

COST, EFFORT = "gold.countermeasure_cost_monthly", "gold.countermeasure_effort_daily"
# All costs in the lake are running costs of countermeasures.
ESTIMAND = "operating_cost"
POINTS = ("amount_p05", "amount_p50", "amount_p95")


def explain_month(name: str, settings: Observatory) -> Explained:
    """The figure of this name. Raises ObservatoryError where the lake has none such, with the nearest."""
    month = read_month(name, settings)
    samples = sample_parameters(month.priced.table)
    points = three_quantiles(month.sum_covered_cost(samples))
    steps, used = list_formula_steps(month)
    table = month.priced.table.filter(pl.col("parameter_code").is_in(sorted(used)))
    own = frozenset(each for each in month.priced.table["parameter_code"] if each.startswith("fixed:"))
    unit = month.priced.shown
    return Explained(
        name="/".join(each for each in (month.operator.id, month.period_code, *part_of(month)) if each),
        title=f"Cost of {title_of(month)}",
        estimand_code=ESTIMAND,
        unit=unit,
        currency_code=unit,
        scope=Scope("month", month.operator.id, month.period_code, (month.channel, month.measure)),
        facts=facts_of(month),
        compared=compare_with_lake(month, points),
        central=float(month.sum_covered_cost(central_samples(month.priced.table))[0]),
        points=points,
        simulation=Simulation(month.priced.table, month.sum_covered_cost, own, month.operator.id),
        bound_code=month.bound.code,
        steps=steps,
        inputs=list_inputs(month, used),
        measured=effort_lines(month),
        versions=versions_of(month),
        sensitivities=rank_parameters(
            lambda values: month.sum_covered_cost(fill_with_central(values, month)), table
        ),
    )


def part_of(month: Month) -> tuple[str, ...]:
    return () if month.measure == "_T" else (month.measure, month.channel)


def title_of(month: Month) -> str:
    name = words.lower_first(words.code_name("countermeasure", month.measure))
    what = "all countermeasures" if month.measure == "_T" else name
    where = "" if month.channel == "_T" else f", {words.code_name('channel', month.channel)}"
    return f"{what}{where}: {month.operator.name}, {words.format_period(month.period_code)}"


def facts_of(month: Month) -> list[tuple[str, str]]:
    year, number_ = map(int, month.period_code.split("-"))
    days = calendar.monthrange(year, number_)[1]
    facts = [
        ("of", f"{month.operator.name}, {month.days} of {days} days with data"),
        ("borne by", "operator"),
    ]
    return [*facts, *rate_facts(month), *bound_facts(month)]


def rate_facts(month: Month) -> list[tuple[str, str]]:
    """The median as the lake has it: for the whole month, for each subscriber, for 1,000 of the traffic."""
    row, unit = month.stored, month.priced.shown
    if words.is_unpriced(row["bound_code"], row["whole_p50"]):
        return []
    facts = [("whole month", f"{format_number(row['whole_p50'])} {unit}, if all days were like these")]
    if row["per_subscriber_p50"] is not None:
        of = f"of {row['subscriber_count']:,} subscribers or mailboxes, for the whole month"
        facts.append(("each", f"{format_number(row['per_subscriber_p50'])} {unit} {of}"))
    if row["per_thousand_p50"] is not None:
        of = f"for 1,000 of {row['traffic_units']:,} messages or calls received"
        facts.append(("", f"{format_number(row['per_thousand_p50'])} {unit} {of}"))
    return facts


def bound_facts(month: Month) -> list[tuple[str, str]]:
    """List the bound, the inputs it lacks and those too high or too low; empty for an estimate."""
    bound = month.bound
    if bound.code == "estimate":
        return []
    said = f"{words.bound_sign(bound.code)}{words.code_name('bound', bound.code).lower()}"
    facts = [("is", f"{said}: {words.lower_first(words.code_description('bound', bound.code))}")]
    if bound.unstated:
        facts.append(
            ("missing", f"the fixed cost of {list_measures(bound.unstated)}: [[operator.fixed_cost]]")
        )
    if bound.priceless:
        facts.append(("missing", f"a price for the work of {list_measures(bound.priceless)}"))
    facts += [("too high", each) for each in list_reasons(month, bound.over)]
    facts += [("too low", each) for each in list_reasons(month, bound.under)]
    return facts


def list_measures(measures: Sequence[tuple[str, str]]) -> str:
    """Measures by their names, with their channels; `_T` is all of a channel."""
    named = [
        f"{words.lower_first(words.code_name('countermeasure', code)) if code != '_T' else 'measures'} of"
        f" {words.lower_first(words.code_name('channel', channel))}"
        for channel, code in measures
    ]
    return words.join_words(named)


def list_reasons(month: Month, inputs: Sequence[str]) -> list[str]:
    """Why each input errs: an effort as logs have it, or a parameter with its note."""
    notes = dict(month.parameters.select("parameter_code", "note").rows())
    return [f"{each}: {OVERSTATED.get(each) or notes.get(each) or ''}" for each in inputs]


# --- from the lake --------------------------------------------------------------------------------------


def read_month(name: str, settings: Observatory) -> Month:
    whose, period, *part = name.split("/")
    operators = {each.id: each for each in settings.operator}
    if whose not in operators:
        raise ObservatoryError(f"figure '{name}': unknown operator '{whose}'{nearest_hint(whose, operators)}")
    lake = open_lake(settings.lake.root)
    versions = lake.versions()
    costs = lake.files(COST, versions.get(COST), lambda each: each["operator_id"] == whose)
    own = read_files(COST, costs).filter(cost_component_code="total")
    if own.is_empty():
        raise ObservatoryError(
            f"figure '{name}': {COST} in {settings.lake.root} has no cost of {whose} yet: `observatory run`"
            " computes it"
        )
    periods = sorted(set(own["period_code"]))
    if period not in periods:
        raise ObservatoryError(
            f"figure '{name}': {whose} has no month '{period}'{nearest_hint(period, periods)}"
        )
    stored = choose_row(name, own.filter(pl.col("period_code") == period), part)
    effort = lake.files(
        EFFORT,
        versions.get(EFFORT),
        lambda each: each["operator_id"] == whose and str(each["period_date"]).startswith(period),
    )
    operator = operators[whose]
    figures = [read_fixed_cost(row) for row in fixed_cost_rows(operator)]
    parameters = prices_of_period(
        reference_table(PARAMETER),
        *(operator.country, period, reference_table("ref.country"), reference_table("ref.country_group")),
    )
    priced = collect_prices(parameters, figures, reference_table(RATE), operator.currency)
    return Month(
        operator,
        period,
        stored["channel_code"],
        stored["countermeasure_code"],
        read_files(EFFORT, effort),
        stored,
        parameters,
        priced,
        versions,
    )


def choose_row(name: str, rows: pl.DataFrame, part: list[str]) -> Row:
    """The row that a part such as CONTENT_FILTER or CONTENT_FILTER/EMAIL means; the whole without one."""
    measure, channel = part[0] if part else "_T", part[1] if len(part) == 2 else None
    if len(part) > 2:
        raise ObservatoryError(f"figure '{name}': write it as operator/month/COUNTERMEASURE/CHANNEL")
    if channel is None and measure == "_T":
        channel = "_T"
    of_measure = rows.filter(pl.col("countermeasure_code") == measure)
    if of_measure.is_empty():
        known = sorted(set(rows["countermeasure_code"]) - {"_T"})
        raise ObservatoryError(
            f"figure '{name}': no effort of '{measure}' in that month{nearest_hint(measure, known)}"
        )
    channels = sorted(set(of_measure["channel_code"]))
    if channel is None and len(channels) > 1:
        raise ObservatoryError(f"figure '{name}' is of several channels: add one of /{', /'.join(channels)}")
    found = of_measure.filter(pl.col("channel_code") == (channel or channels[0]))
    if found.is_empty():
        raise ObservatoryError(
            f"figure '{name}': {measure} has no channel '{channel}'{nearest_hint(str(channel), channels)}"
        )
    return found.row(0, named=True)


def compare_with_lake(month: Month, points: tuple[float, float, float]) -> str:
    """Return whether the lake holds the points that were computed now."""
    stored = tuple(month.stored[each] for each in POINTS)
    is_same = stored == tuple(round_amount(each) for each in points)
    if is_same and month.stored["bound_code"] == month.bound.code:
        return "The lake holds the same points."
    held = (
        "the same points as another bound" if is_same else ", ".join(format_number(each) for each in stored)
    )
    return (
        f"The lake holds {held}: prices, rates or the operator's own figures have changed since it was"
        " computed. `observatory run` computes it again (for the sample study, `make demo`)."
    )


def versions_of(month: Month) -> list[tuple[str, str]]:
    known = [each for each in (COST, EFFORT) if each in month.versions]
    tables = [(each, f"Delta version {month.versions[each]}") for each in known]
    files = [(each, f"file {reference_version(each)}") for each in (PARAMETER, RATE)]
    return [*tables, *files]
