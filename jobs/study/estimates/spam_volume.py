"""study.spam_volume: estimated volume of a period per area, channel, unit, definition and quantity.

Certain and possible spam are as filters decided. spam_corrected is corrected for filter error as audits
measure it: for recipients, alone or with attempts, under the definitions that labels apply to, from logs.
"""

import numpy as np
import polars as pl

from jobs.base.core.periods import count_days, last_day
from jobs.base.figures.areas import COUNTRY, rows_on_day
from jobs.base.packages.subscriptions import far_apart
from jobs.base.stats.estimation import REPLICATES, Array, seed_of
from jobs.base.tables.attributes import asked_attributes
from jobs.study.estimates.respondent_figure import CELL, RESPONDENT_CELL
from jobs.study.estimates.steps import audits
from jobs.study.estimates.steps.area_rows import estimate_areas
from jobs.study.estimates.steps.rows import (
    AT_LEAST,
    MEASURES,
    WEAKNESS,
    of_period,
    periods_of,
    typed_rows,
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
    labelled = labelled_definitions(definition)
    rows: list[dict[str, object]] = []
    for of_cell in respondent_figure.sort(RESPONDENT_CELL).partition_by(CELL, maintain_order=True):
        rows += cell_rows(of_cell, reference, labelled)
    return typed_rows(rows, TABLE)


def labelled_definitions(definition: pl.DataFrame) -> frozenset[str]:
    """The definitions that labels of an audit apply to: those without attributes."""
    predicates = definition.group_by("definition_code").agg("predicate").iter_rows()
    return frozenset(code for code, texts in predicates if not asked_attributes(texts))


def cell_rows(
    figures: pl.DataFrame, reference: Reference, labelled: frozenset[str]
) -> list[dict[str, object]]:
    """The rows of one channel, unit and definition, of every period that logs or answers give.

    figures: rows of study.respondent_figure. labelled: the definitions that labels of an audit apply to.
    Quantities that different respondents reported have weights of their own.
    """
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
            estimates = counted_rows(sample, reported, quantities) if quantities else []
            if corrected and respondents_of[CORRECTED] == respondents:
                estimates += corrected_rows(sample, corrected)
            rows += [
                row | cell | {"period_code": period} for row in with_days(estimates, sample, reported, period)
            ]
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

    figures, labelled: as cell_rows() has them.
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


def with_days(
    rows: list[dict[str, object]], sample: Sample, reported: pl.DataFrame, period: str
) -> list[dict[str, object]]:
    """The rows with the share of the period's days that the logs of an area's respondents cover, in percent,
    weighted by subscriptions; null where none reported from logs. A country's figure that was scaled up to
    all days is an estimate."""
    share = reported["day_count"].cast(pl.Float64).to_numpy() / count_days(period)
    people = sample.weighted.operators
    by_logs = ~np.isnan(share)
    # Who has no subscriptions yet weighs next to nothing.
    weights = np.maximum(people.subscriptions[people.is_respondent], 1e-9)
    inside = sample.member[:, people.is_respondent] & by_logs
    day_share_of: dict[object, float | None] = {}
    for area, own in zip(sample.areas, inside, strict=True):
        day_share_of[area.code] = float(np.average(share[own], weights=weights[own])) if own.any() else None
    with_share = []
    for row in rows:
        days = day_share_of[row["area_code"]]
        is_scaled = days is not None and days < 1 - 1e-9
        status = "E" if is_scaled and row["obs_status_code"] == "A" else row["obs_status_code"]
        with_share.append(row | {"day_pct": None if days is None else 100 * days, "obs_status_code": status})
    return with_share


def counted_rows(sample: Sample, reported: pl.DataFrame, quantities: list[str]) -> list[dict[str, object]]:
    """A row for each area and quantity that respondents counted or answered."""
    y = reported.select(quantities).cast(pl.Float64).to_numpy()
    answers = count_answers(sample, y, reported["answer_status_code"].to_numpy().astype(object))
    rows = []
    for row in estimate_areas(sample, y):
        place = row.pop("measure")
        assert isinstance(place, int)
        beside = dict(answers[str(row["area_code"]), place])
        weakest = beside.pop("weakest")
        if row["obs_status_code"] == "A" and weakest:
            row["obs_status_code"] = "E" if weakest == AT_LEAST else weakest
        rows.append(row | beside | {"quantity_code": quantities[place]})
    return rows


def corrected_rows(sample: Sample, corrected: audits.Corrected) -> list[dict[str, object]]:
    """A row for each area, corrected for filter error. The reported part needs no audit: it is certain spam
    that was refused before there was content."""
    answering = sample.weighted.operators.is_respondent
    rows = []
    for place, row in enumerate(estimate_areas(sample, corrected.y, corrected.least, corrected.donors - 1)):
        inside = sample.member[place, answering]
        weights = inside * (1.0 if row["area_kind_code"] == COUNTRY else sample.weighted.weights[0])
        seen = float(weights @ corrected.content_seen)
        with_quality = float(weights @ corrected.content_seen_with_quality)
        rows.append(
            {name: value for name, value in row.items() if name != "measure"}
            | {
                "quantity_code": CORRECTED,
                "reported": float(corrected.least[inside].sum()),
                "answer_count": 0,
                "answer_pct": 0.0,
                "audit_count": int((inside & corrected.has_quality).sum()),
                "audit_pct": 100 * with_quality / seen if seen > 0 else None,
            }
        )
    return rows


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
    logs, answers = (of_period(figures.filter(each), period, ["respondent_id"]) for each in (is_log, ~is_log))
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


def count_answers(sample: Sample, y: Array, status: Array) -> dict[tuple[str, int], dict[str, object]]:
    """For each area and quantity how many respondents answered in place of logs, their part, and the weakest
    status of these answers where it is not A.

    y: respondents x quantities. status: of a respondent's answer, None where its logs count. The part is of
    a country's reported figures, and of the weighted ones of other areas.
    """
    inside = sample.member[:, sample.weighted.operators.is_respondent]
    is_answer = np.array([each is not None for each in status])
    found: dict[tuple[str, int], dict[str, object]] = {}
    for place, area in enumerate(sample.areas):
        weights = 1.0 if area.kind == COUNTRY else sample.weighted.weights[0]
        of_area = inside[place] * weights
        statuses = set(status[inside[place] & is_answer])
        for quantity in range(y.shape[1]):
            whole = float((of_area * y[:, quantity]).sum())
            answered = float((of_area * y[:, quantity])[is_answer].sum())
            found[area.code, quantity] = {
                "answer_count": int((inside[place] & is_answer).sum()),
                "answer_pct": 100 * answered / whole if whole > 0 else None,
                "weakest": max(statuses & WEAKER, key=WEAKNESS.__getitem__, default=None),
            }
    return found
