"""The operators of a channel and period as the estimator takes them, and figures of every area from them.

Frame, denominators and groups are hundreds of rows: they are collected, and the work is numpy's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from jobs.areas import COUNTRY, GROUPS, Area, areas, classified, members, on_day, with_classes
from jobs.errors import ObservatoryError
from jobs.estimation import (
    REPLICATES,
    SMALLEST,
    Array,
    Operators,
    Weighted,
    ratio_totals,
    seed_of,
    subscriptions_stood_for,
    weighted,
)
from jobs.intervals import BAND_FACTORS, Imputed, at_factor, cv_band, figures, predicted_figure
from jobs.periods import last_day, months_of
from jobs.study_rows import confidentiality

# Columns of a figure for each factor of the non-response band other than 1, which is the estimate itself.
AT = {factor: f"at_{round(100 * factor):03d}" for factor in BAND_FACTORS if factor != 1.0}


@dataclass(frozen=True)
class Reference:
    """What is known of operators and countries whether they answer or not; small tables."""

    operator_frame: pl.DataFrame
    denominator: pl.DataFrame
    country: pl.DataFrame
    country_group: pl.DataFrame


@dataclass(frozen=True)
class Sample:
    """Weighted operators of a channel and period, the areas, and each area's operators and subscriptions."""

    weighted: Weighted
    areas: list[Area]
    member: Array
    known: Array
    holding: Array


def known_subscriptions(denominator: pl.DataFrame, channel: str, period: str) -> dict[str, float]:
    """Each country's subscriptions for a period, from the user's table.

    The row of the period itself; else of the shortest period that holds it; else the latest before its end.
    """
    months = set(months_of(period))
    found: dict[str, tuple[tuple[bool, bool, int, str], float]] = {}
    for country, given, subscriptions in (
        denominator.filter(pl.col("channel_code") == channel)
        .select("country_code", "period_code", "subscriptions")
        .rows()
    ):
        spans = months_of(given)
        holds = months <= set(spans)
        if not holds and spans[-1] > max(months):
            continue
        rank = (given == period, holds, -len(spans) if holds else 0, spans[-1])
        if country not in found or rank > found[country][0]:
            found[country] = (rank, float(subscriptions))
    return {country: value for country, (_, value) in found.items()}


def sample_of(
    reference: Reference, answered: pl.DataFrame, channel: str, period: str, key: Sequence[str]
) -> tuple[Sample, pl.DataFrame]:
    """The operators of a channel and period, weighted; and the answers in the order of the respondents.

    answered: a row for each respondent, with respondent_id and, where it gave them, its subscriptions. key:
    of the cell; the random numbers of its replicates are drawn from it.
    """
    day = last_day(period)
    people = (
        on_day(reference.operator_frame, day)
        .filter(pl.col("channel_code") == channel)
        .select(
            "respondent_id", "holding_id", "country_code", "size_code", frame_subscriptions="subscriptions"
        )
        .sort("respondent_id")
    )
    unknown = sorted(set(answered["respondent_id"]) - set(people["respondent_id"]))
    if unknown:
        raise ObservatoryError(
            f"{', '.join(unknown[:5])} answered for {channel} in {period} and is not in the frame of"
            " operators: add it to operator_frame.csv with the day it started"
        )
    countries = classified(reference.country, reference.country_group, day)
    people = with_classes(people, countries).join(
        answered.select("respondent_id", own="subscriptions", is_respondent=pl.lit(True)),
        on="respondent_id",
        how="left",
        maintain_order="left",
    )
    is_respondent = people["is_respondent"].fill_null(False).to_numpy()
    reported = (
        people.select(pl.coalesce("own", "frame_subscriptions").cast(pl.Float64)).to_series().to_numpy()
    )
    country = people["country_code"].to_numpy().astype(object)
    known = known_subscriptions(reference.denominator, channel, period)
    stands = subscriptions_stood_for(reported, country, is_respondent, known)
    of_country = {name: float(stands[country == name].sum()) for name in sorted(set(country.tolist()))}
    # Operators that nobody listed have subscriptions too: areas count them.
    of_country |= {name: value for name, value in known.items() if value > of_country.get(name, 0.0)}
    listed = areas(countries.filter(pl.col("country_code").is_in(list(of_country))))
    operators = Operators(
        respondent=people["respondent_id"].to_numpy().astype(object),
        country=country,
        region=people["region_code"].to_numpy().astype(object),
        development=people["development_code"].to_numpy().astype(object),
        size=people["size_code"].to_numpy().astype(object),
        subscriptions=stands,
        is_respondent=is_respondent,
    )
    member = np.array([members(area, country) for area in listed])
    groups = {area.code: member[place] for place, area in enumerate(listed) if area.code in GROUPS}
    drawn = weighted(operators, groups, seed_of(*key, channel, period), REPLICATES)
    totals = np.array([sum(of_country.get(name, 0.0) for name in area.countries) for area in listed])
    holding = people["holding_id"].to_numpy().astype(object)
    return Sample(drawn, listed, member, totals, holding), people.filter(is_respondent).select(
        "respondent_id"
    ).join(answered, on="respondent_id", how="left", maintain_order="left")


def estimates(
    sample: Sample, y: Array, least: Array | None = None, imputed_freedom: float | None = None
) -> list[dict[str, object]]:
    """A row for each area and measure, `measure` its place: estimate, interval, band, counts, nature, status.

    y: respondents x measures, or replicates x respondents x measures where values were imputed; least: what
    is certain of imputed ones, respondents x measures; imputed_freedom: see figures(). Areas with fewer than
    SMALLEST respondents, and all countries, are what was reported and the rest at a rate; the others are
    ratio totals.
    """
    own = y[0] if y.ndim == 3 else y
    answering = sample.weighted.operators.is_respondent
    enough = np.array(
        [area.kind != COUNTRY and sample.member[place, answering].sum() >= SMALLEST
         for place, area in enumerate(sample.areas)]
    )  # fmt: skip
    certain = own if least is None else least
    by_ratio = figures(
        sample.weighted, y, sample.member[enough], sample.known[enough], certain, imputed_freedom
    )
    at_ratio = {int(place): number for number, place in enumerate(np.flatnonzero(enough))}
    cells = cell_ratios(sample, y)
    rows = []
    for place, area in enumerate(sample.areas):
        inside = sample.member[place]
        for measure in range(own.shape[1]):
            reported = float(own[inside[answering], measure].sum())
            mine = inside[answering]
            is_certain = bool(np.array_equal(own[mine, measure], certain[mine, measure]))
            four: list[float] | None
            if place in at_ratio:
                number = at_ratio[place]
                four = [
                    float(each[number, measure])
                    for each in (by_ratio.estimate, by_ratio.error, by_ratio.low, by_ratio.high)
                ]
            else:
                four = predicted(
                    sample, y, certain, inside, sample.known[place], cells, measure, imputed_freedom
                )
            rows.append(
                {"area_code": area.code, "area_kind_code": area.kind, "measure": measure}
                | described(sample, place, reported, is_certain, four)
            )
    return rows


def described(
    sample: Sample, place: int, reported: float, is_certain: bool, four: list[float] | None
) -> dict[str, object]:
    """What stands beside an estimate. four: estimate, error and interval; None where there is none."""
    people, inside, known = sample.weighted.operators, sample.member[place], sample.known[place]
    answered = inside & people.is_respondent
    covered = float(people.subscriptions[answered].sum())
    owners = len(set(sample.holding[answered].tolist()))
    beside: dict[str, object] = {
        "reported": reported,
        "subscriptions": round(float(known)),
        "coverage_pct": 100 * covered / known if known > 0 else 0.0,
        "respondent_count": int(answered.sum()),
        "holding_count": owners,
        "conf_status_code": confidentiality(owners),
        "operator_count": int(inside.sum()),
        "nature_code": nature(
            sample.areas[place].kind, int(answered.sum()), is_certain and covered >= known * (1 - 1e-9)
        ),
    }
    names = [f"{name}{end}" for name in AT.values() for end in ("", "_low", "_high")]
    if four is None:
        nothing = ["estimate", "estimate_low", "estimate_high", "per_subscription", "cv_pct", "cv_band_code"]
        return beside | dict.fromkeys([*nothing, *names]) | {"obs_status_code": "O"}
    estimate, error, low, high = four
    cv_pct = 100 * error / estimate if estimate > 0 else 0.0
    band = cv_band(cv_pct)
    at = {
        f"{name}{end}": at_factor(value, reported, factor)
        for factor, name in AT.items()
        for end, value in (("", estimate), ("_low", low), ("_high", high))
    }
    status = obs_status(beside["nature_code"] == "C", band)
    return (
        beside
        | at
        | {
            "estimate": estimate,
            "estimate_low": low,
            "estimate_high": high,
            "per_subscription": estimate / known if known > 0 else None,
            "cv_pct": min(cv_pct, 99_999.0),
            "cv_band_code": band,
            "obs_status_code": status,
        }
    )


def obs_status(is_complete: bool, band: str) -> str:
    """SDMX OBS_STATUS: A as all operators reported it, U an estimate of low reliability, E any other. One to
    be taken with caution is told so by its band."""
    return "A" if is_complete else "U" if band == "unreliable" else "E"


def nature(kind: str, respondents: int, is_complete: bool) -> str:
    """SDMX NATURE: C a country's operators all answered, CA they were scaled up, M none did, E of an area."""
    if kind != COUNTRY:
        return "E"
    if not respondents:
        return "M"
    return "C" if is_complete else "CA"


@dataclass(frozen=True)
class Cell:
    """Respondents of one region and class: ratio with replicates, and variance of their rates.

    imputed: replicates of the ratio at the estimate's weights, where values were imputed.
    """

    ratio: Array
    variance: Array
    freedom: int
    imputed: Array | None


def cell_ratios(sample: Sample, values: Array) -> dict[str, Cell]:
    """The ratio to subscriptions of each region and class, and of the world under ''. values: y of
    estimates()."""
    y = values[0] if values.ndim == 3 else values
    people = sample.weighted.operators
    answering = people.is_respondent
    x, weights = people.subscriptions[answering], sample.weighted.weights
    labels = np.array([label.rsplit("|", 1)[0] for label in sample.weighted.stratum])[answering]
    found = {}
    for label in ["", *sorted(set(labels.tolist()))]:
        inside = np.ones(len(x), dtype=bool) if label == "" else labels == label
        ratio = ratio_totals(weights, x, y, inside[None, :], np.ones(1))[:, 0]
        usable = inside & (x > 0)
        rates = y[usable] / x[usable][:, None]
        of = weights[0][usable]
        spread = (of[:, None] * (rates - ratio[0]) ** 2).sum(axis=0) / max(of.sum(), 1e-12)
        count = int(usable.sum())
        imputed = None
        if values.ndim == 3:
            stands = weights[0] * inside
            below = float(stands @ x)
            imputed = np.einsum("p,rpm->rm", stands / below if below > 0 else 0 * stands, values[1:])
        found[label] = Cell(ratio, spread * count / max(count - 1, 1), max(count - 1, 1), imputed)
    return found


def predicted(
    sample: Sample,
    y: Array,
    certain: Array,
    inside: Array,
    known: float,
    cells: dict[str, Cell],
    measure: int,
    imputed_freedom: float | None,
) -> list[float] | None:
    """Estimate, error and interval of a country or a small area; None where no operator is known of."""
    people = sample.weighted.operators
    if not inside.any():
        return None
    labels = {sample.weighted.stratum[place].rsplit("|", 1)[0] for place in np.flatnonzero(inside)}
    cell = cells.get(labels.pop() if len(labels) == 1 else "", cells[""])
    silent = people.subscriptions[inside & ~people.is_respondent]
    answered = people.subscriptions[inside & people.is_respondent]
    mine = inside[people.is_respondent]
    unlisted = known - silent.sum() - answered.sum()
    if unlisted > 1e-6 * known:
        silent = np.append(silent, unlisted)
    imputed = None
    if cell.imputed is not None:
        drawn = y[1:, mine, measure].sum(axis=1)
        imputed = Imputed(drawn, cell.imputed[:, measure], imputed_freedom)
    return list(
        predicted_figure(
            (y[0] if y.ndim == 3 else y)[mine, measure],
            answered,
            silent,
            cell.ratio[:, measure],
            float(cell.variance[measure]),
            cell.freedom,
            float(certain[mine, measure].sum()),
            imputed,
        )
    )
