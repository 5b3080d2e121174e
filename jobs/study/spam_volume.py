"""study.spam_volume: estimated volume of a period per area, channel, unit, definition and quantity."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.areas import COUNTRY, on_day
from jobs.contracts import struct_type
from jobs.estimation import Array
from jobs.periods import last_day
from jobs.study.questionnaire_answer import counted
from jobs.study_rows import COUNTED, MEASURES, as_table, collected, of_period, periods_of
from jobs.study_sample import Reference, Sample, estimates, sample_of

TABLE = "study.spam_volume"
CELL = ("channel_code", "unit_code", "definition_code")
WHOSE = ("respondent_id", "period_code", *CELL)
# The measures that a respondent is asked for and that are all of a unit; others are a part of one.
UNIT = {"attempted": "attempted", "calls": "call"}
GIVEN = (*WHOSE, *MEASURES, "subscriptions", "answer_status_code")


def transform(
    submission: DataFrame,
    questionnaire_answer: DataFrame,
    measure: DataFrame,
    indicator_measure: DataFrame,
    operator_frame: DataFrame,
    denominator: DataFrame,
    country: DataFrame,
    country_group: DataFrame,
) -> DataFrame:
    """Spark adds up stages and outcomes; each cell of hundreds of operators is then estimated in one task."""
    reference = Reference(
        collected(operator_frame), collected(denominator), collected(country), collected(country_group)
    )

    def estimated(given: pa.Table) -> pa.Table:
        found = pl.from_arrow(given)
        assert isinstance(found, pl.DataFrame)
        return as_table(cell_rows(found, reference), TABLE)

    given = logged(submission, measure).unionByName(answered(questionnaire_answer, indicator_measure))
    return given.groupBy(*CELL).applyInArrow(estimated, struct_type(TABLE))


def logged(submission: DataFrame, measure: DataFrame) -> DataFrame:
    """What respondents gave from logs, in GIVEN's columns: each unit, and the sum of two that the
    questionnaire asks for."""
    inside = submission.filter(F.col("direction_code").isin(*COUNTED))
    cells = measure.filter("is_included AND measure_code = 'attempted'")
    summed = inside.join(F.broadcast(cells), ["unit_code", "stage_code", "outcome_code"], "left_semi")
    return (
        inside.unionByName(summed.withColumn("unit_code", F.lit("attempted")))
        .groupBy(*WHOSE)
        .agg(*(F.sum(name).alias(name) for name in MEASURES), F.max("subscriptions").alias("subscriptions"))
        .withColumn("answer_status_code", F.lit(None).cast("string"))
        .select(*GIVEN)
    )


def answered(questionnaire_answer: DataFrame, indicator_measure: DataFrame) -> DataFrame:
    """What respondents answered, in GIVEN's columns; null what one did not. An answer decides what is spam:
    it is certain and possible alike."""
    unit = F.create_map(*(F.lit(text) for pair in UNIT.items() for text in pair))
    asked = indicator_measure.filter(F.col("measure_code").isin(*UNIT)).withColumn(
        "unit_code", unit[F.col("measure_code")]
    )
    answers = counted(questionnaire_answer, asked)

    def figure(quantity: str) -> Column:
        return F.max(F.when(F.col("quantity_code") == quantity, F.round("answer_value"))).cast("bigint")

    return (
        answers.groupBy(*WHOSE)
        .agg(
            figure("units").alias("units"),
            figure("spam_certain").alias("spam_certain"),
            # Of A, E and P the weakest: an estimate, then what is to be replaced.
            F.max_by(
                "answer_status_code",
                F.when(F.col("answer_status_code") == "E", 2)
                .when(F.col("answer_status_code") == "P", 1)
                .otherwise(0),
            ).alias("answer_status_code"),
        )
        .withColumn("spam_possible", F.col("spam_certain"))
        .withColumn("subscriptions", F.lit(None).cast("bigint"))
        .select(*GIVEN)
    )


def cell_rows(given: pl.DataFrame, reference: Reference) -> list[dict[str, object]]:
    """The rows of one channel, unit and definition, of every period that logs or answers give.

    given: rows of GIVEN. Quantities that different respondents gave have weights of their own.
    """
    cell = {name: given[name][0] for name in CELL}
    rows = []
    for period in periods_of(given):
        people = of_logs_or_answers(given, period, reference, cell["channel_code"])
        who = {name: tuple(people.filter(pl.col(name).is_not_null())["respondent_id"]) for name in MEASURES}
        for respondents in dict.fromkeys(filter(None, who.values())):
            quantities = [name for name in MEASURES if who[name] == respondents]
            sample, those = sample_of(
                reference,
                people.filter(pl.col("respondent_id").is_in(respondents)),
                cell["channel_code"],
                period,
                tuple(cell.values()),
            )
            y = those.select(quantities).cast(pl.Float64).to_numpy()
            status = those["answer_status_code"].to_numpy().astype(object)
            answers = by_answers(sample, y, status)
            for row in estimates(sample, y):
                place = row.pop("measure")
                assert isinstance(place, int)
                beside = dict(answers[str(row["area_code"]), place])
                weakest = beside.pop("weakest")
                if row["obs_status_code"] == "A" and weakest:
                    row["obs_status_code"] = weakest
                rows.append(row | beside | cell | {"period_code": period, "quantity_code": quantities[place]})
    return rows


def of_logs_or_answers(given: pl.DataFrame, period: str, reference: Reference, channel: str) -> pl.DataFrame:
    """Each respondent's figures of a period: by its logs, else as it answered, of it or of all its parts.

    So nobody counts twice. An answer of nothing by one that is not in the channel's frame on the last day is
    that it has no such service.
    """
    is_log = pl.col("answer_status_code").is_null()
    logs, answers = (of_period(given.filter(each), period, ["respondent_id"]) for each in (is_log, ~is_log))
    frame = on_day(reference.operator_frame, last_day(period))
    listed = frame.filter(pl.col("channel_code") == channel)["respondent_id"]
    # That is asked of what it answered for the period itself: of parts that it answered, each has been asked.
    own = given.filter(~is_log, pl.col("period_code") == period, pl.max_horizontal(*MEASURES) > 0)
    named = pl.col("respondent_id").is_in([*listed, *own["respondent_id"]])
    return pl.concat([logs, answers.filter(named).join(logs, on="respondent_id", how="anti")]).sort(
        "respondent_id"
    )


def by_answers(sample: Sample, y: Array, status: Array) -> dict[tuple[str, int], dict[str, object]]:
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
        told = set(status[inside[place] & is_answer])
        for quantity in range(y.shape[1]):
            whole = float((of_area * y[:, quantity]).sum())
            answered = float((of_area * y[:, quantity])[is_answer].sum())
            found[area.code, quantity] = {
                "answer_count": int((inside[place] & is_answer).sum()),
                "answer_pct": 100 * answered / whole if whole > 0 else None,
                "weakest": next((code for code in ("E", "P") if code in told), None),
            }
    return found
