"""Figures of every area from a sample: a row for each area and measure, with interval, band and status."""

from collections.abc import Iterator

import numpy as np

from jobs.base.figures.areas import COUNTRY, WORLD
from jobs.base.stats.estimation import Array
from jobs.base.stats.intervals import (
    BAND_FACTORS,
    ONE_RESPONDENT,
    EstimateTable,
    add_known_errors,
    at_factor,
    cv_band,
    estimate_figures,
)
from jobs.base.stats.prediction import (
    Imputed,
    Multiples,
    RateCell,
    draw_multiples,
    has_own_rate,
    predicted_figure,
)
from jobs.base.stats.variance_function import rule_margin, spread_of
from jobs.study.disclosure.coarse import round_significant, round_up_variance
from jobs.study.estimates.steps.rows import conf_status_code
from jobs.study.estimates.steps.sample import Sample, cell_totals, in_cell

# Digits of an area's factor; the fewest degrees of freedom of a public interval.
FACTOR_DIGITS, FEWEST_FREE = 4, 2.0
# The variance of what is imputed of one operator, as a share of that of rates. Without it 86% of countries'
# intervals of corrected text messages hold the truth (docs/estimates.md).
IMPUTED = 0.01
# Columns of a figure for each factor of the non-response band other than 1, which is the estimate itself.
AT = {factor: f"at_{round(100 * factor):03d}" for factor in BAND_FACTORS if factor != 1.0}


def estimate_areas(
    sample: Sample, y: Array, least: Array | None = None, imputed_freedom: float | None = None
) -> list[dict[str, object]]:
    """A row for each area and measure, `measure` its place: estimate, interval, band, counts, nature, status.
    Arguments: see estimate_columns()."""
    rows: list[dict[str, object]] = []
    for columns in estimate_columns(sample, y, least, imputed_freedom):
        rows += [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return rows


def estimate_columns(
    sample: Sample, y: Array, least: Array | None = None, imputed_freedom: float | None = None
) -> Iterator[dict[str, list[object]]]:
    """The rows of each area in turn, as columns with a value for each measure.

    y: respondents x measures, or replicates x respondents x measures where values were imputed; least: what
    is certain of imputed ones, respondents x measures; imputed_freedom: see estimate_figures(). Areas with
    fewer than SMALLEST respondents, and all countries, are what was reported and the rest at a rate; the
    others are ratio totals.
    """
    own = y[0] if y.ndim == 3 else y
    certain = own if least is None else least
    is_certain = own == certain
    answering = sample.weighted.operators.is_respondent
    enough = sample.by_ratio
    found = estimate_figures(
        sample.weighted, y, sample.member[enough], sample.known[enough], certain, imputed_freedom
    )
    of_areas: dict[int, EstimateTable | None] = {
        int(place): EstimateTable(
            found.estimate[number], found.error[number], found.low[number], found.high[number]
        )
        for number, place in enumerate(np.flatnonzero(enough))
    }
    cells, rates = cells_of(sample, y), rates_of(sample, own, np.flatnonzero(~enough))
    of_series, factors = public_terms(sample, y), public_factors(sample, y)
    known = sample.known_variance + sample.days_variance
    logged = certain * (1 - sample.missing[:, None])
    for place in range(len(sample.areas)):
        mine = sample.member[place, answering]
        if place not in of_areas:
            of_areas[place] = predict_area(sample, y, certain, place, cells, rates, imputed_freedom)
        if of_area := of_areas[place]:
            of_area = add_known_errors(of_area, known[place], logged[mine].sum(axis=0))
        columns = describe_area(sample, place, own[mine].sum(axis=0), is_certain[mine].all(axis=0), of_area)
        for name, value in area_terms(sample, factors, place).items():
            columns[name] = [value] * own.shape[1]
        yield columns | of_series


def area_terms(sample: Sample, factors: Array, place: int) -> dict[str, float]:
    """Return the terms of an area's public error beside the variance of rates: its factor, and the relative
    variances of its subscriptions and of days without logs. No contribution is in them."""
    found = {
        "area_factor": factors,
        "subscriptions_variance": sample.known_variance,
        "days_variance": sample.days_variance,
    }
    return {name: round_significant(float(of[place]), FACTOR_DIGITS) for name, of in found.items()}


def public_factors(sample: Sample, y: Array) -> Array:
    """Each area's factor. Of imputed values a respondent's own is uncertain, too: IMPUTED times the sum of
    squares of the subscriptions that respondents stand for is added, over the square of all subscriptions. y:
    of estimate_columns()."""
    if y.ndim == 2:
        return sample.factors
    people = sample.weighted.operators
    stands = sample.coefficients * people.subscriptions[people.is_respondent]
    above, below = (stands**2).sum(axis=1), sample.known**2
    found: Array = sample.factors + IMPUTED * np.divide(above, below, out=0 * above, where=below > 0)
    return found


def public_terms(sample: Sample, y: Array) -> dict[str, list[object]]:
    """Return the terms of each measure's errors beside an area's factor: the variance of rates, rounded up,
    its degrees of freedom, and the largest p that it is safe for; none where nothing shows a variance. Of
    imputed values the variance has that of the world's total by imputation alone, as if it were one of rates,
    too. y: of estimate_columns()."""
    own = y[0] if y.ndim == 3 else y
    spread = spread_of(sample.weighted, own)
    variance = spread.variance
    if y.ndim == 3:
        (at,) = (place for place, area in enumerate(sample.areas) if area.code == WORLD)
        totals = sample.coefficients[at] @ y
        below = totals[0] ** 2 * public_factors(sample, y)[at]
        imputed = np.divide(
            totals[1:].var(axis=0, ddof=1), below, out=np.full_like(below, np.nan), where=below > 0
        )
        variance = variance + np.where(totals[0] > 0, imputed, 0.0)
    rounded = np.array([each if each != each else round_up_variance(each) for each in variance.tolist()])
    freedom = max(np.floor(10 * spread.freedom) / 10, FEWEST_FREE)
    answering = sample.weighted.operators.is_respondent
    margin = rule_margin(spread, rounded, sample.holding[answering])
    return {
        "rates_variance": or_none(rounded),
        "rates_freedom": [float(freedom)] * len(rounded),
        "rates_margin_pct": or_none(np.minimum(margin, 99_999.0)),
    }


def describe_area(
    sample: Sample,
    place: int,
    reported: Array,
    is_certain: Array,
    of_area: EstimateTable | None,
) -> dict[str, list[object]]:
    """The rows of an area as columns, with a value for each measure. of_area: estimate, error and interval,
    the last three not a number where nothing shows them; None where no operator is known."""
    people, inside, known = sample.weighted.operators, sample.member[place], float(sample.known[place])
    area, answered = sample.areas[place], inside & people.is_respondent
    covered, count = float(people.subscriptions[answered].sum()), int(answered.sum())
    owners, of_rate = owners_of(sample, answered), owners_of_rate(sample, place)
    beside: dict[str, object] = {
        "area_code": area.code,
        "area_kind_code": area.kind,
        "subscriptions": round(known),
        "coverage_pct": 100 * covered / known if known > 0 else 0.0,
        "respondent_count": count,
        "holding_count": owners,
        "rate_holding_count": of_rate,
        # Where nobody answered the figure is its donors'.
        "conf_status_code": conf_status_code(owners or of_rate or 0),
        "operator_count": int(inside.sum()),
    }
    is_complete = is_certain & (covered >= known * (1 - 1e-9))
    natures = [nature_code(area.kind, count, each) for each in is_complete.tolist()]
    columns: dict[str, list[object]] = {
        "measure": list(range(len(reported))),
        "reported": reported.tolist(),
        "nature_code": [*natures],
    }
    names = [f"{name}{end}" for name in AT.values() for end in ("", "_low", "_high")]
    if of_area is None:
        nothing = ["estimate", "estimate_low", "estimate_high", "per_subscription", "cv_pct", "cv_band_code"]
        beside |= dict.fromkeys([*nothing, *names]) | {"obs_status_code": "O"}
    else:
        estimate, error, low, high = of_area.estimate, of_area.error, of_area.low, of_area.high
        cv_pct = 100 * np.divide(error, estimate, out=0 * error, where=estimate > 0)
        bands = [cv_band(each) for each in cv_pct.tolist()]
        columns |= {
            f"{name}{end}": or_none(at_factor(value, reported, factor))
            for factor, name in AT.items()
            for end, value in (("", estimate), ("_low", low), ("_high", high))
        }
        columns |= {
            "estimate": estimate.tolist(),
            "estimate_low": or_none(low),
            "estimate_high": or_none(high),
            "per_subscription": (estimate / known).tolist() if known > 0 else [None] * len(bands),
            "cv_pct": or_none(np.minimum(cv_pct, 99_999.0)),
            "cv_band_code": [*bands],
            "obs_status_code": [
                obs_status(each == "C", band) for each, band in zip(natures, bands, strict=True)
            ],
        }
    return {name: [value] * len(reported) for name, value in beside.items()} | columns


def owners_of(sample: Sample, chosen: Array) -> int:
    """How many owners these operators have."""
    return len(set(sample.holding[chosen].tolist()))


def owners_of_rate(sample: Sample, place: int) -> int | None:
    """Owners of the respondents whose rate an area's silent operators take, as point_estimates() has it; None
    where none is silent or known."""
    people, inside = sample.weighted.operators, sample.member[place]
    answered, silent, label = sample.subscriptions[place]
    if not inside.any() or not silent.sum() > 0:
        return None
    if sample.by_ratio[place] or has_own_rate(answered, silent):
        return owners_of(sample, inside & people.is_respondent)
    donors = people.is_respondent & (sample.cell == label)
    return owners_of(sample, donors if donors.any() else people.is_respondent)


def or_none(values: Array) -> list[object]:
    """Numbers, None for one that is not a number."""
    return [None if value != value else value for value in values.tolist()]


def obs_status(is_complete: bool, band: str) -> str:
    """SDMX OBS_STATUS: A if all operators reported it, U for an estimate of low reliability, E for any other.
    The band shows which of these are to be used with caution."""
    return "A" if is_complete else "U" if band in ("unreliable", ONE_RESPONDENT) else "E"


def nature_code(kind: str, respondents: int, is_complete: bool) -> str:
    """SDMX NATURE: C a country's operators all answered, CA they were scaled up, M none did, E of an area."""
    if kind != COUNTRY:
        return "E"
    if not respondents:
        return "M"
    return "C" if is_complete else "CA"


def cells_of(sample: Sample, values: Array) -> dict[str, RateCell]:
    """Each region and class, and the world under ''. values: y of estimate_areas()."""
    y = values[0] if values.ndim == 3 else values
    people, weights = sample.weighted.operators, sample.weighted.weights[:1]
    x = people.subscriptions[people.is_respondent]
    found = {}
    for label, ratio in cell_totals(sample, y, weights).items():
        inside = in_cell(sample, label)
        stands = weights[0, inside] * x[inside]
        below = float(stands.sum())
        share = stands / below if below > 0 else 0 * stands
        imputed = None
        if values.ndim == 3:
            imputed = (weights[0, inside] / below if below > 0 else 0 * stands) @ values[1:, inside]
        found[label] = RateCell(ratio[0], float(share @ share), imputed)
    return found


def rates_of(sample: Sample, y: Array, places: Array) -> Multiples:
    """How rates vary, drawn for the operators of these areas. y: respondents x measures."""
    each = [sample.subscriptions[place][:2] for place in places]
    answered, silent = (max((len(of[number]) for of in each), default=0) for number in (0, 1))
    cell = sample.cell[sample.weighted.operators.is_respondent]
    return draw_multiples(sample.weighted, cell, y, max(silent, 1), answered)


def predict_area(
    sample: Sample,
    y: Array,
    certain: Array,
    place: int,
    cells: dict[str, RateCell],
    rates: Multiples,
    imputed_freedom: float | None,
) -> EstimateTable | None:
    """Estimate, error and interval of a country or a small area, for each measure; None where no operator is
    known.

    One respondent of all shows nothing of how rates vary: error and interval of what silent operators have
    are not a number. Where none is silent the figure is exact.
    """
    if not sample.member[place].any():
        return None
    answered, silent, label = sample.subscriptions[place]
    cell = cells.get(label, cells[""])
    mine = sample.member[place, sample.weighted.operators.is_respondent]
    imputed = None
    if cell.imputed is not None:
        imputed = Imputed(y[1:, mine].sum(axis=1), imputed_freedom)
    own = y[0] if y.ndim == 3 else y
    found = EstimateTable(
        *predicted_figure(own[mine], answered, silent, cell, rates, certain[mine].sum(axis=0), imputed)
    )
    if rates.freedom <= 0 and silent.sum() > 0:
        unknown = np.full_like(found.estimate, np.nan)
        return EstimateTable(found.estimate, unknown, unknown, unknown)
    return found
