"""Figures of every area from a sample: a row for each area and measure, with interval, band and status."""

from dataclasses import fields

import numpy as np
import polars as pl

from jobs.base.figures.areas import COUNTRY, WORLD
from jobs.base.stats.estimation import Array
from jobs.base.stats.intervals import (
    BAND_FACTORS,
    ONE_RESPONDENT,
    EstimateTable,
    add_known_errors,
    cv_band,
    estimate_figures,
    figure_at_factor,
)
from jobs.base.stats.prediction import (
    Imputed,
    SmallAreas,
    draw_multiples,
    has_own_rate,
    predict_areas,
)
from jobs.base.stats.variance_function import rule_margin, spread_of
from jobs.study.disclosure.coarse import coarsen_digits, round_up_variance
from jobs.study.estimates.steps.rows import conf_status_code
from jobs.study.estimates.steps.sample import Sample, cell_mask, cell_totals

# Digits of an area's factor; the fewest degrees of freedom of a public interval.
FACTOR_DIGITS, FEWEST_FREE = 4, 2.0
# The variance of what is imputed of one operator, as a share of that of rates. Without it 86% of countries'
# intervals of corrected text messages hold the truth (docs/estimates.md).
IMPUTED = 0.01
# Columns of a figure for each factor of the non-response band other than 1, which is the estimate itself.
AT = {factor: f"at_{round(100 * factor):03d}" for factor in BAND_FACTORS if factor != 1.0}


def estimate_areas(
    sample: Sample, y: Array, least: Array | None = None, imputed_freedom: float | None = None
) -> pl.DataFrame:
    """A row for each area and measure, those of an area together, `measure` its place: estimate, interval,
    band, counts, nature, status. All countries, and areas with fewer respondents than SMALLEST of
    jobs/base/stats/estimation.py, are what was reported and the rest at a rate; the others are ratio totals.

    Args:
        y: respondents x measures, or replicates x respondents x measures where values were imputed.
        least: the certain part of imputed values, respondents x measures.
        imputed_freedom: see estimate_figures() of jobs/base/stats/intervals.py.
    """
    own = y[0] if y.ndim == 3 else y
    certain = own if least is None else least
    inside = sample.member[:, sample.weighted.operators.is_respondent].astype(float)
    figures = area_figures(sample, y, certain, imputed_freedom)
    known = (sample.known_variance + sample.days_variance)[:, None]
    figures = add_known_errors(figures, known, inside @ (certain * (1 - sample.missing[:, None])))
    is_certain = inside @ (own != certain) == 0
    measures = own.shape[1]
    of_area = describe_areas(sample) | area_terms(sample, public_factors(sample, y))
    of_measure = {"measure": np.arange(measures)} | public_terms(sample, y)
    kinds = {"rate_holding_count": pl.Int64}
    rows = pl.DataFrame(of_area, schema_overrides=kinds).select(pl.all().repeat_by(measures).explode())
    beside = {name: np.tile(values, len(sample.areas)) for name, values in of_measure.items()}
    described = describe_figures(sample, figures, inside @ own, is_certain)
    return rows.with_columns(
        pl.Series(name, values.ravel(), nan_to_null=True) for name, values in (beside | described).items()
    )


def area_figures(sample: Sample, y: Array, certain: Array, imputed_freedom: float | None) -> EstimateTable:
    """Estimates of areas x measures; not a number where no operator is known. Arguments: see
    estimate_areas()."""
    shape = (len(sample.areas), certain.shape[1])
    table = EstimateTable(*(np.full(shape, np.nan) for _ in fields(EstimateTable)))
    enough = sample.ratio_mask
    small = np.flatnonzero(~enough & sample.member.any(axis=1))
    own = sample.member[enough], sample.known[enough]
    found = [(enough, estimate_figures(sample.weighted, y, *own, certain, imputed_freedom))]
    if small.size:
        found.append((small, predict_small(sample, y, certain, small, imputed_freedom)))
    for places, figures in found:
        for field in fields(EstimateTable):
            getattr(table, field.name)[places] = getattr(figures, field.name)
    return table


def predict_small(
    sample: Sample, y: Array, certain: Array, places: Array, imputed_freedom: float | None
) -> EstimateTable:
    """Estimates of countries and small areas, these areas x measures."""
    own = y[0] if y.ndim == 3 else y
    inside = sample.member[places][:, sample.weighted.operators.is_respondent]
    each = [sample.subscriptions[place] for place in places]
    answered, silent = (pad([of[number] for of in each]) for number in (0, 1))
    ratio, concentration, drawn = cells_of(sample, y, [of[2] for of in each])
    imputed = None
    if drawn is not None:
        reported = np.array([y[1:, mine].sum(axis=1) for mine in inside])
        imputed = Imputed(np.moveaxis(reported, 1, -1), drawn, imputed_freedom)
    cell = sample.cell[sample.weighted.operators.is_respondent]
    rates = draw_multiples(sample.weighted, cell, own, silent.shape[1], answered.shape[1])
    totals = inside.astype(float) @ own, inside.astype(float) @ certain
    areas = SmallAreas(*totals, answered, silent, ratio, concentration, imputed)
    return predict_areas(areas, rates)


def pad(rows: list[Array]) -> Array:
    """Rows of one length, at least 1, with 0 in the end."""
    found = np.zeros((len(rows), max((len(row) for row in rows), default=1) or 1))
    for place, row in enumerate(rows):
        found[place, : len(row)] = row
    return found


def area_terms(sample: Sample, factors: Array) -> dict[str, list[float]]:
    """Return the terms of each area's public error beside the variance of rates: its factor, and the relative
    variances of its subscriptions and of days without logs. No contribution is in them."""
    found = {
        "area_factor": factors,
        "subscriptions_variance": sample.known_variance,
        "days_variance": sample.days_variance,
    }
    return {
        name: [coarsen_digits(value, FACTOR_DIGITS) for value in values.tolist()]
        for name, values in found.items()
    }


def public_factors(sample: Sample, y: Array) -> Array:
    """Each area's factor. Of imputed values a respondent's own is uncertain, too: IMPUTED times the sum of
    squares of the subscriptions that respondents stand for is added, over the square of all subscriptions.

    Args:
        y: the argument of estimate_areas().
    """
    if y.ndim == 2:
        return sample.factors
    people = sample.weighted.operators
    stands = sample.coefficients * people.subscriptions[people.is_respondent]
    above, below = (stands**2).sum(axis=1), sample.known**2
    found: Array = sample.factors + IMPUTED * np.divide(above, below, out=0 * above, where=below > 0)
    return found


def public_terms(sample: Sample, y: Array) -> dict[str, Array]:
    """Return the terms of each measure's errors beside an area's factor: the variance of rates, rounded up,
    its degrees of freedom, and the largest p that it is safe for; none where nothing shows a variance. Of
    imputed values the variance has that of the world's total by imputation alone, as if it were one of
    rates, too.

    Args:
        y: the argument of estimate_areas().
    """
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
        "rates_variance": rounded,
        "rates_freedom": np.full(len(rounded), float(freedom)),
        "rates_margin_pct": np.minimum(margin, 99_999.0),
    }


def describe_areas(sample: Sample) -> dict[str, list[object]]:
    """Columns of each area: how many operators it has, and who answered."""
    people = sample.weighted.operators
    rows: list[dict[str, object]] = []
    for place, area in enumerate(sample.areas):
        inside, known = sample.member[place], float(sample.known[place])
        answered = inside & people.is_respondent
        owners, of_rate = owners_of(sample, answered), owners_of_rate(sample, place)
        rows.append(
            {
                "area_code": area.code,
                "area_kind_code": area.kind,
                "subscriptions": round(known),
                "coverage_pct": 100 * float(people.subscriptions[answered].sum()) / known
                if known > 0
                else 0.0,
                "respondent_count": int(answered.sum()),
                "holding_count": owners,
                "rate_holding_count": of_rate,
                # Where nobody answered the figure is its donors'.
                "conf_status_code": conf_status_code(owners or of_rate or 0),
                "operator_count": int(inside.sum()),
            }
        )
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def describe_figures(
    sample: Sample, figures: EstimateTable, reported: Array, is_certain: Array
) -> dict[str, Array]:
    """Columns of areas x measures; of figures not a number where no operator is known, or where nothing shows
    an error.

    Args:
        is_certain: whether all that respondents reported is.
    """
    estimate, known = figures.estimate, sample.known[:, None]
    answered = sample.member & sample.weighted.operators.is_respondent
    covered = (answered * sample.weighted.operators.subscriptions).sum(axis=1)[:, None]
    is_complete = is_certain & (covered >= known * (1 - 1e-9))
    is_country = np.array([area.kind == COUNTRY for area in sample.areas])[:, None]
    nature = nature_codes(is_country, answered.any(axis=1)[:, None], is_complete)
    cv_pct = 100 * np.divide(figures.error, estimate, out=0 * figures.error, where=estimate > 0)
    band = np.array([cv_band(each) for each in cv_pct.ravel().tolist()], dtype=object).reshape(cv_pct.shape)
    is_nothing = np.isnan(estimate)
    status = np.where(is_nothing, "O", obs_statuses(nature == "C", band)).astype(object)
    ends = (("", estimate), ("_low", figures.low), ("_high", figures.high))
    return {
        "reported": reported,
        "nature_code": nature,
        **{f"estimate{end}": value for end, value in ends},
        **{
            f"{name}{end}": figure_at_factor(value, reported, factor)
            for factor, name in AT.items()
            for end, value in ends
        },
        "per_subscription": np.divide(estimate, known, out=np.full_like(estimate, np.nan), where=known > 0),
        "cv_pct": np.minimum(cv_pct, 99_999.0),
        "cv_band_code": np.where(is_nothing, np.array(None), band),
        "obs_status_code": status,
    }


def owners_of(sample: Sample, chosen: Array) -> int:
    """Count the owners of these operators."""
    return len(set(sample.holding[chosen].tolist()))


def owners_of_rate(sample: Sample, place: int) -> int | None:
    """Owners of the respondents whose rate an area's silent operators take, as point_estimates() has it; None
    where none is silent or known."""
    people, inside = sample.weighted.operators, sample.member[place]
    answered, silent, label = sample.subscriptions[place]
    if not inside.any() or not silent.sum() > 0:
        return None
    if sample.ratio_mask[place] or has_own_rate(answered, silent):
        return owners_of(sample, inside & people.is_respondent)
    donors = people.is_respondent & (sample.cell == label)
    return owners_of(sample, donors if donors.any() else people.is_respondent)


def obs_statuses(is_complete: Array, band: Array) -> Array:
    """SDMX OBS_STATUS: A if all operators reported it, U for an estimate of low reliability, E for any other.
    The band shows which of these are to be used with caution."""
    is_low = np.isin(band, ("unreliable", ONE_RESPONDENT))
    return np.where(is_complete, "A", np.where(is_low, "U", "E"))


def nature_codes(is_country: Array, has_respondents: Array, is_complete: Array) -> Array:
    """SDMX NATURE: C a country's operators all answered, CA they were scaled up, M none did, E of an area."""
    of_country = np.where(has_respondents, np.where(is_complete, "C", "CA"), "M")
    return np.where(is_country, of_country, "E").astype(object)


def cells_of(sample: Sample, values: Array, labels: list[str]) -> tuple[Array, Array, Array | None]:
    """The rates of these cells (region and class), the world's where nobody of one answered: the ratio of
    each measure to subscriptions, cells x measures; the sum of its respondents' squared shares of the
    subscriptions that they stand for; and, where values were imputed, replicates of the ratio at the
    estimate's weights, cells x measures x replicates.

    Args:
        values: y of estimate_areas().
    """
    y = values[0] if values.ndim == 3 else values
    people, weights = sample.weighted.operators, sample.weighted.weights[0]
    stands = weights * people.subscriptions[people.is_respondent]
    ratios = {label: each[0] for label, each in cell_totals(sample, y, weights[None]).items()}
    names = list(ratios)
    inside = np.array([cell_mask(sample, label) for label in names])
    below = (inside @ stands)[:, None]
    share, weight = (
        np.divide(inside * each, below, out=np.zeros(inside.shape), where=below > 0)
        for each in (stands, weights)
    )
    at = [names.index(label) if label in ratios else 0 for label in labels]
    imputed = None
    if values.ndim == 3:
        drawn = [each[mine] @ values[1:, mine] for each, mine in zip(weight, inside, strict=True)]
        imputed = np.moveaxis(np.array(drawn)[at], 1, -1)
    ratio = np.array([ratios[names[place]] for place in at]).reshape(len(at), y.shape[1])
    return ratio, (share**2).sum(axis=1)[at], imputed
