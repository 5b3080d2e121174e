"""study.volume_change: the change of volumes between a period and the one before, from matched respondents.

Who answered is not the same from period to period, so that the difference of two estimates mixes what changed
with who joined and left. Here both periods are estimated from the respondents that have a figure in both, by
logs both times or by answers both times. Who has one in one of the periods alone stands apart
(unmatched_*): those of the later period joined, those of the earlier one left. How the ratio is estimated:
jobs/base/stats/change.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from jobs.base.core.periods import period_before
from jobs.base.stats.change import ChangeTable, MatchedPeriod, estimate_change
from jobs.base.stats.estimation import REPLICATES, Array, draw_holdings, seed_of, weight_by_factors
from jobs.base.stats.intervals import EstimateTable, add_known_errors
from jobs.base.tables.contracts import polars_schema
from jobs.study.estimates.respondent_figure import ANSWERS, CELL, LOGS, RESPONDENT_CELL
from jobs.study.estimates.spam_volume import choose_logs_or_answers
from jobs.study.estimates.steps.area_rows import area_terms
from jobs.study.estimates.steps.rows import MEASURES, conf_status_code, frame_rows, periods_of
from jobs.study.estimates.steps.sample import Reference, Sample, sample_of, select_areas

TABLE = "study.volume_change"
# The later of two periods, and the earlier.
BEFORE, AFTER = "with_before", "with_after"
# Quantities of which figures may leave.
PUBLISHED = ("spam_certain",)
# Of the terms of public intervals those that a change has.
PUBLIC_TERMS = ("area_factor", "days_variance")
# Figures of one respondent are compared if both are from logs, or both answered.
WHO = ("respondent_id", pl.col("answer_status_code").is_null().alias("is_log"))


@dataclass(frozen=True)
class MatchedPair:
    """Respondents with a figure of the same kind in two periods: a row for each, sorted by respondent_id,
    of either period; and of those that have one in one period alone.

    Attributes:
        periods: the earlier and the later.
        quantities: the quantities that these respondents reported.
    """

    periods: tuple[str, str]
    quantities: tuple[str, ...]
    people: tuple[pl.DataFrame, pl.DataFrame]
    unmatched: tuple[pl.DataFrame, pl.DataFrame]


def transform(
    respondent_figure: pl.DataFrame,
    spam_volume: pl.DataFrame,
    reference: Reference,
) -> pl.DataFrame:
    """Two rows for each area but countries and quantity of two periods in turn, channel, unit and definition:
    one of each period, by the same respondents.

    In parts: all respondents of a channel, unit and definition, and all periods.
    """
    rows: list[dict[str, object]] = []
    for key, pair in list_pairs(respondent_figure, reference):
        rows += [row | key for row in change_rows(pair, reference, key)]
    return add_wholes(frame_rows(rows, TABLE), spam_volume)


def list_pairs(
    figures: pl.DataFrame, reference: Reference, with_months: bool = True
) -> Iterator[tuple[dict[str, str], MatchedPair]]:
    """The matched respondents of each channel, unit and definition and two periods in turn.

    Args:
        figures: rows of study.respondent_figure.
    """
    for of_cell in figures.sort(RESPONDENT_CELL).partition_by(CELL, maintain_order=True):
        key = {name: str(of_cell[name][0]) for name in CELL}
        periods = [each for each in periods_of(of_cell) if with_months or "Q" in each or len(each) == 4]
        people = {
            period: choose_logs_or_answers(of_cell, period, reference, key["channel_code"])
            for period in periods
        }
        for later in periods:
            if period_before(later) in people:
                for pair in match_respondents((period_before(later), later), people):
                    yield key, pair


def match_respondents(periods: tuple[str, str], people: dict[str, pl.DataFrame]) -> Iterator[MatchedPair]:
    """The pairs of two periods, one for each set of respondents that reported some of the quantities."""
    quantities: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    for name in MEASURES:
        given = [people[period].filter(pl.col(name).is_not_null()).select(WHO) for period in periods]
        matched = given[0].join(given[1], on=["respondent_id", "is_log"])
        sets = (matched, *given)
        quantities.setdefault(tuple(tuple(each["respondent_id"].sort()) for each in sets), []).append(name)
    for (matched_ids, *_), names in quantities.items():
        is_in = pl.col("respondent_id").is_in(matched_ids)
        whole = [people[period].filter(pl.col(names[0]).is_not_null()) for period in periods]
        if matched_ids:
            yield MatchedPair(
                periods,
                tuple(names),
                (whole[0].filter(is_in).sort("respondent_id"), whole[1].filter(is_in).sort("respondent_id")),
                (whole[0].filter(~is_in), whole[1].filter(~is_in)),
            )


# --- rows --------------------------------------------------------------------------------------------


def change_rows(pair: MatchedPair, reference: Reference, key: dict[str, str]) -> list[dict[str, object]]:
    """The rows of a pair, of the areas with respondents enough in both periods."""
    earlier, later = (
        sample_of(reference, people, key["channel_code"], period, tuple(key.values()), replicates=0)[0]
        for people, period in zip(pair.people, pair.periods, strict=True)
    )
    enough = [
        {area.code for area, is_enough in zip(each.areas, each.ratio_mask, strict=True) if is_enough}
        for each in (earlier, later)
    ]
    codes = [area.code for area in later.areas if area.code in enough[0] & enough[1]]
    if not codes:
        return []
    samples = draw_together(earlier, later, seed_of(*key.values(), *pair.periods))
    earlier, later = (select_areas(each, codes) for each in samples)
    before, after = (
        MatchedPeriod(
            sample.weighted,
            people.select(pair.quantities).cast(pl.Float64).to_numpy(),
            sample.member,
            sample.known,
        )
        for sample, people in zip((earlier, later), pair.people, strict=True)
    )
    found = add_days(estimate_change(before, after), earlier.days_variance + later.days_variance)
    rows: list[dict[str, object]] = []
    for side, (sample, code) in enumerate(((earlier, AFTER), (later, BEFORE))):
        beside = describe_areas(sample, pair, side)
        terms = area_terms(sample, sample.factors)
        for place, area in enumerate(sample.areas):
            for number, quantity in enumerate(pair.quantities):
                rows.append(
                    {"period_code": pair.periods[side], "match_code": code, "quantity_code": quantity}
                    | {"earlier_period_code": pair.periods[0], "later_period_code": pair.periods[1]}
                    | {"area_code": area.code, "area_kind_code": area.kind}
                    | beside[place, number]
                    # Without the error of subscriptions, which cancels.
                    | {name: terms[name][place] for name in PUBLIC_TERMS}
                    | {"estimate": float((found.before, found.after)[side][place, number])}
                    | (describe_change(found, place, number) if code == BEFORE else {})
                )
    return rows


def add_days(found: ChangeTable, variance: Array) -> ChangeTable:
    """Changes with the errors of days without logs, which are of one period alone.

    Args:
        variance: of each area's totals, both together, relative to their squares. What is wrong with
            subscriptions cancels: both totals are in proportion to the same ones.
    """
    none = np.zeros_like(found.ratio)
    ratio = EstimateTable(found.ratio, none, found.low, found.high)
    widened = add_known_errors(ratio, variance[:, None], none)
    return replace(found, low=widened.low, high=widened.high)


def draw_together(
    earlier: Sample, later: Sample, seed: int, replicates: int = REPLICATES
) -> tuple[Sample, Sample]:
    """The samples of two periods with replicates of the same draws. Who is in the frame of the earlier period
    alone is in each of them once."""
    people = later.weighted.operators
    drawn = draw_holdings(later.weighted.index, later.holding, people.is_respondent, replicates, seed)
    place = {name: at for at, name in enumerate(people.respondent)}
    at = np.array([place.get(name, -1) for name in earlier.weighted.operators.respondent])
    factors = np.where(at >= 0, drawn[:, at], 1.0)
    return (
        replace(earlier, weighted=weight_by_factors(earlier.weighted, earlier.groups, factors)),
        replace(later, weighted=weight_by_factors(later.weighted, later.groups, drawn)),
    )


def describe_areas(sample: Sample, pair: MatchedPair, side: int) -> dict[tuple[int, int], dict[str, object]]:
    """Describe who stands behind each area's and quantity's row of one of the periods, and who has a figure
    in it alone."""
    operators = sample.weighted.operators
    answering = operators.is_respondent
    x, holding = operators.subscriptions, sample.holding
    place = {name: at for at, name in enumerate(operators.respondent)}
    alone = [place[name] for name in pair.unmatched[side]["respondent_id"] if name in place]
    listed = pair.unmatched[side].filter(pl.col("respondent_id").is_in(list(place)))
    found = {}
    for number, inside in enumerate(sample.member):
        mine, known = inside & answering, float(sample.known[number])
        others = [at for at in alone if inside[at]]
        owners = len(set(holding[mine].tolist()))
        other_owners = len(set(holding[others].tolist()))
        beside: dict[str, object] = {
            "subscriptions": round(known),
            "coverage_pct": 100 * float(x[mine].sum()) / known if known > 0 else 0.0,
            "respondent_count": int(mine.sum()),
            "holding_count": owners,
            "unmatched_count": len(others),
            "unmatched_holding_count": other_owners,
            "nature_code": "E",
            "obs_status_code": "E",
            "conf_status_code": conf_status_code(owners if not other_owners else min(owners, other_owners)),
        }
        is_mine, is_other = inside[answering], np.isin(alone, others)
        for measure, quantity in enumerate(pair.quantities):
            found[number, measure] = beside | {
                "reported": float(pair.people[side][quantity].to_numpy()[is_mine].sum()),
                "unmatched_reported": float(listed[quantity].to_numpy()[is_other].sum()),
            }
    return found


def describe_change(found: ChangeTable, place: int, number: int) -> dict[str, object]:
    """The change of an area's quantity in percent, with its interval, and whether that leaves open which way
    it goes; nothing where there was nothing before."""
    ratio, low, high = (float(each[place, number]) for each in (found.ratio, found.low, found.high))
    if not ratio > 0:
        return {}
    change = "rise" if low > 1 else "fall" if high < 1 else "unclear"
    return {
        "change_pct": 100 * (ratio - 1),
        "change_low_pct": 100 * (low - 1),
        "change_high_pct": 100 * (high - 1),
        "change_code": change,
    }


def add_wholes(rows: pl.DataFrame, spam_volume: pl.DataFrame) -> pl.DataFrame:
    """Rows with the estimate from all respondents of their period, and that estimate's own change."""
    whose = ["area_code", *CELL, "quantity_code"]
    whole = spam_volume.select("period_code", *whose, whole_estimate="estimate")
    earlier = whole.rename({"period_code": "earlier_period_code", "whole_estimate": "before"})
    before = pl.col("before").cast(pl.Float64)
    change = 100 * (pl.col("whole_estimate").cast(pl.Float64) / before - 1)
    is_later = pl.col("match_code") == BEFORE
    kinds = polars_schema(TABLE)
    return (
        rows.drop("whole_estimate", "whole_change_pct")
        .join(whole, on=["period_code", *whose], how="left")
        .join(earlier, on=["earlier_period_code", *whose], how="left")
        .with_columns(whole_change_pct=pl.when(is_later & (before > 0)).then(change.round(4)))
        .select(pl.col(name).cast(kind) for name, kind in kinds.items())
    )


# --- contributions -----------------------------------------------------------------------------------


def matched_contributions(figures: pl.DataFrame, reference: Reference) -> list[dict[str, object]]:
    """Contributions of each matched respondent to the figures that may leave: those of PUBLISHED, and of no
    month."""
    return [
        {"table_name": TABLE, "period_code": period, "respondent_id": person["respondent_id"]}
        | key
        | {"quantity_code": quantity, "contribution": float(person[quantity])}
        | {"own_subscriptions": person["subscriptions"]}
        | {"waived_by": LOGS if person["answer_status_code"] is None else ANSWERS}
        | {"series": "/".join((key["unit_code"], key["definition_code"], quantity, code))}
        for key, pair in list_pairs(figures, reference, with_months=False)
        for quantity in pair.quantities
        if quantity in PUBLISHED
        for period, people, code in zip(pair.periods, pair.people, (AFTER, BEFORE), strict=True)
        for person in people.to_dicts()
    ]
