"""study.spam_volume: estimated volume of a period per area, channel, unit, definition and quantity.

Certain and possible spam are as filters decided. spam_corrected is corrected for filter error as audits
measure it: for recipients, alone or with attempts, under the definitions that labels apply to, from logs.
"""

import numpy as np
import polars as pl

from jobs.base.core.periods import count_days, last_day
from jobs.base.figures.areas import COUNTRY
from jobs.base.packages.subscriptions import far_apart
from jobs.base.stats.estimation import REPLICATES, Array, seed_of
from jobs.base.tables.attributes import asked_attributes
from jobs.base.tables.validity import rows_on_day
from jobs.study.estimates.respondent_figure import CELL, RESPONDENT_CELL
from jobs.study.estimates.steps import audits
from jobs.study.estimates.steps.area_rows import estimate_areas
from jobs.study.estimates.steps.rows import (
    AT_LEAST,
    MEASURES,
    WEAKNESS,
    fill_columns,
    frame_rows,
    period_volumes,
    periods_of,
    type_columns,
)
from jobs.study.estimates.steps.sample import Reference, Sample, sample_of

TABLE = "study.spam_volume"
# The unit that is labelled, and the permitted sum that holds it.
LABELLED = ("recipient", "attempted")
CORRECTED = "spam_corrected"
# Statuses of an answer that is weaker than a figure that was reported.
WEAKER = {status for status, rank in WEAKNESS.items() if rank}


def transform(
    respondent_figure: pl.DataFrame,
    definition: pl.DataFrame,
    reference: Reference,
) -> pl.DataFrame:
    """A row for each area and quantity of a period, channel, unit and definition.

    In parts: an estimate needs all respondents of a channel, and a quarter or year the periods within it, so
    the key is channel_code, unit_code and definition_code (CELL), with all periods of a year.
    """
    return estimate_cells(respondent_figure, reference, labelled_definitions(definition))


def labelled_definitions(definition: pl.DataFrame) -> frozenset[str]:
    """The definitions that labels of an audit apply to: those without attributes."""
    predicates = definition.group_by("definition_code").agg("predicate").iter_rows()
    return frozenset(code for code, texts in predicates if not asked_attributes(texts))


def estimate_cells(figures: pl.DataFrame, reference: Reference, labelled: frozenset[str]) -> pl.DataFrame:
    """The rows of every channel, unit, definition and period that logs or answers give.

    Args:
        figures: rows of study.respondent_figure.
        labelled: the definitions that labels of an audit apply to. Quantities that different respondents
            reported have weights of their own.
    """
    found = [frame_rows([], TABLE)]
    for of_cell in figures.sort(RESPONDENT_CELL).partition_by(CELL, maintain_order=True):
        found += cell_rows(of_cell, reference, labelled)
    return pl.concat(found)


def cell_rows(figures: pl.DataFrame, reference: Reference, labelled: frozenset[str]) -> list[pl.DataFrame]:
    """The rows of one channel, unit and definition; arguments as of estimate_cells()."""
    cell = {name: figures[name][0] for name in CELL}
    rows = []
    for period in periods_of(figures):
        people, respondents_of, corrected = cell_basis(figures, period, reference, labelled)
        for respondents in dict.fromkeys(filter(None, respondents_of.values())):
            quantities = [name for name in MEASURES if respondents_of[name] == respondents]
            sample, reported = sample_of(
                reference,
                people.filter(pl.col("respondent_id").is_in(respondents)),
                cell["channel_code"],
                period,
                tuple(cell.values()),
            )
            estimates = [counted_rows(sample, reported, quantities)] if quantities else []
            if corrected and respondents_of[CORRECTED] == respondents:
                estimates.append(corrected_rows(sample, corrected))
            codes = {name: pl.lit(code) for name, code in (cell | {"period_code": period}).items()}
            for each in estimates:
                dated = add_days(each, sample, reported, period).with_columns(**codes)
                rows.append(fill_columns(type_columns(dated, TABLE), TABLE))
    return rows


def cell_basis(
    figures: pl.DataFrame,
    period: str,
    reference: Reference,
    labelled: frozenset[str],
    replicates: int = REPLICATES,
) -> tuple[pl.DataFrame, dict[str, tuple[str, ...]], audits.Corrected | None]:
    """The input of the estimates of one cell and period: the figures of choose_logs_or_answers(), the
    respondents that reported each quantity, and their corrected spam where enough of them have audited.

    Args:
        figures, labelled: the arguments of estimate_cells(), figures of one cell alone.
    """
    cell = {name: figures[name][0] for name in CELL}
    people = choose_logs_or_answers(figures, period, reference, cell["channel_code"])
    respondents_of = {
        name: tuple(people.filter(pl.col(name).is_not_null())["respondent_id"]) for name in MEASURES
    }
    corrected = None
    if cell["unit_code"] in LABELLED and cell["definition_code"] in labelled:
        months = audits.select_period_with_calls(
            figures.filter(pl.col("answer_status_code").is_null()), period
        )
        corrected = audits.correct_spam(months, seed_of(*cell.values(), period, CORRECTED), replicates)
        respondents_of[CORRECTED] = tuple(months["respondent_id"].unique().sort()) if corrected else ()
    return people, respondents_of, corrected


def add_days(rows: pl.DataFrame, sample: Sample, reported: pl.DataFrame, period: str) -> pl.DataFrame:
    """The rows with the share of the period's days that the logs of an area's respondents cover, in percent,
    weighted by subscriptions; null where none reported from logs. A country's figure that was scaled up to
    all days is an estimate."""
    share = reported["day_count"].cast(pl.Float64).to_numpy() / count_days(period)
    people = sample.weighted.operators
    by_logs = ~np.isnan(share)
    # Who has no subscriptions yet weighs next to nothing.
    weights = np.maximum(people.subscriptions[people.is_respondent], 1e-9)
    inside = sample.member[:, people.is_respondent] & by_logs
    covered = [float(np.average(share[own], weights=weights[own])) if own.any() else None for own in inside]
    days = pl.DataFrame({"area_code": [area.code for area in sample.areas], "share": covered})
    is_scaled = (pl.col("share") < 1 - 1e-9) & (pl.col("obs_status_code") == "A")
    return rows.join(
        days.cast({"share": pl.Float64}), on="area_code", how="left", maintain_order="left"
    ).with_columns(
        day_pct=100 * pl.col("share"),
        obs_status_code=pl.when(is_scaled).then(pl.lit("E")).otherwise("obs_status_code"),
    )


def counted_rows(sample: Sample, reported: pl.DataFrame, quantities: list[str]) -> pl.DataFrame:
    """A row for each area and quantity that respondents counted or answered."""
    y = reported.select(quantities).cast(pl.Float64).to_numpy()
    answers = count_answers(sample, y, reported["answer_status_code"].to_numpy().astype(object))
    status, weakest = pl.col("obs_status_code"), pl.col("weakest")
    names = np.array(quantities, dtype=object)
    return pl.concat([estimate_areas(sample, y), answers], how="horizontal").with_columns(
        quantity_code=pl.Series(np.tile(names, len(sample.areas))),
        obs_status_code=pl.when(status != "A")
        .then(status)
        .otherwise(pl.coalesce(weakest.replace(AT_LEAST, "E"), status)),
    )


def corrected_rows(sample: Sample, corrected: audits.Corrected) -> pl.DataFrame:
    """A row for each area, corrected for filter error. The reported part needs no audit: it is certain spam
    that was refused before there was content."""
    rows = estimate_areas(sample, corrected.y, corrected.least, corrected.donors - 1)
    inside = sample.member[:, sample.weighted.operators.is_respondent]
    weights = area_weights(sample)
    seen = weights @ corrected.content_seen
    with_quality = 100 * weights @ corrected.content_seen_with_quality
    audited = np.divide(with_quality, seen, out=np.full_like(seen, np.nan), where=seen > 0)
    return rows.with_columns(
        quantity_code=pl.lit(CORRECTED),
        reported=pl.Series((inside @ corrected.least).ravel()),
        answer_count=0,
        answer_pct=0.0,
        audit_count=pl.Series(inside.astype(int) @ corrected.has_quality),
        audit_pct=pl.Series(audited, nan_to_null=True),
    )


def area_weights(sample: Sample) -> Array:
    """Weights of respondents' figures, areas x respondents: 1 in a country, where reported figures count as
    they are; in other areas the respondents' weights."""
    inside = sample.member[:, sample.weighted.operators.is_respondent]
    is_country = np.array([area.kind == COUNTRY for area in sample.areas])
    return inside * np.where(is_country[:, None], 1.0, sample.weighted.weights[0])


def choose_logs_or_answers(
    figures: pl.DataFrame, period: str, reference: Reference, channel: str
) -> pl.DataFrame:
    """Each respondent's figures of a period, from one source, so that none counts twice: from its logs, or
    else from its answers for the period or for all of its parts.

    A respondent that answered 0 and is not in the channel's frame on the period's last day has no such
    service, and is left out. Answered subscriptions far from those of the frame are set to null: the frame's
    are used.
    """
    is_log = pl.col("answer_status_code").is_null()
    logs, answers = (
        period_volumes(figures.filter(each), period, ["respondent_id"]) for each in (is_log, ~is_log)
    )
    frame = rows_on_day(reference.operator_frame, last_day(period))
    listed = frame.filter(pl.col("channel_code") == channel).select("respondent_id", framed="subscriptions")
    # That is asked of what it answered for the period itself: of parts that it answered, each has been asked.
    answered = figures.filter(~is_log, pl.col("period_code") == period, pl.max_horizontal(*MEASURES) > 0)
    is_in_channel = pl.col("respondent_id").is_in([*listed["respondent_id"], *answered["respondent_id"]])
    is_far = far_apart(pl.col("subscriptions"), pl.col("framed"))
    near = (
        answers.filter(is_in_channel)
        .join(listed, on="respondent_id", how="left")
        .with_columns(subscriptions=pl.when(is_far).then(None).otherwise(pl.col("subscriptions")))
        .drop("framed")
    )
    return pl.concat([logs, near.join(logs, on="respondent_id", how="anti")]).sort("respondent_id")


def count_answers(sample: Sample, y: Array, status: Array) -> pl.DataFrame:
    """A row per area and quantity, in this order: the number of respondents who answered in place of logs,
    their part, and the weakest status of these answers where it is not A.

    Args:
        y: respondents x quantities.
        status: each answer's status, None where its logs count. The part is of a country's reported
            figures, and of the weighted ones of other areas.
    """
    is_answer = np.array([each is not None for each in status])
    answering = sample.member[:, sample.weighted.operators.is_respondent] & is_answer
    weights = area_weights(sample)
    whole, answered = weights @ y, (weights * is_answer) @ y
    part = np.divide(100 * answered, whole, out=np.full_like(whole, np.nan), where=whole > 0)
    weakest = [max({*status[own]} & WEAKER, key=WEAKNESS.__getitem__, default=None) for own in answering]
    count = y.shape[1]
    return pl.DataFrame(
        {
            "answer_count": np.repeat(answering.sum(axis=1), count),
            "answer_pct": pl.Series(part.ravel(), nan_to_null=True),
            "weakest": pl.Series(weakest, dtype=pl.String).repeat_by(count).explode(),
        }
    )
