"""study.policy: how administrations answered the questions on policy, by group.

Administrations are the contributors: what operators answer to the same questions is not counted here. The
answers are a census of states with silent members, not a sample of a population: no rate is scaled up, and
the two ends of the share of all administrations assume nothing of the silent ones.

Groups overlap, and a share of 0 or 100% tells each member's answer. Rows that would tell one, alone or with
others, are confidential (jobs.study.disclosure.answer_shares); only classes of the others leave.
"""

from collections.abc import Sequence

import polars as pl

from jobs.base.core.periods import last_day
from jobs.base.figures.areas import COUNTRY, classify_countries, list_areas
from jobs.base.tables.contracts import polars_schema
from jobs.base.tables.validity import rows_on_day
from jobs.study.disclosure.hidden_answers import MEMBER, hidden_rows
from jobs.study.estimates.steps.rows import round_decimal
from jobs.study.questionnaire.definition import Question, list_options, list_questions
from jobs.study.questionnaire.latest_answers import latest_answers, question_code
from jobs.study.questionnaire.texts import line_text

TABLE = "study.policy"
ADMINISTRATION = "A"
# Answers to questions that ask for a number, as they are counted.
NOTHING, SOME = "zero", "some"
# What a line's answers are counted by; and the areas that have them.
LINE = ["period_code", "indicator_code"]
CELL = [*LINE, "area_code"]


def transform(
    questionnaire_answer: pl.DataFrame,
    policy_question: pl.DataFrame,
    country: pl.DataFrame,
    country_group: pl.DataFrame,
) -> pl.DataFrame:
    """A row for each line that any administration answered, area and answer that the form offers."""
    answers = coded_answers(questionnaire_answer, policy_question)
    parts = [
        count_period(str(period), rows, country, country_group)
        for (period,), rows in sorted(answers.partition_by("period_code", as_dict=True).items())
    ]
    if not parts:
        return pl.DataFrame(schema=polars_schema(TABLE))
    counted = pl.concat(parts)
    pillars = pillars_of(policy_question, sorted(set(counted["period_code"])))
    answered = pl.col("answered_count")
    share = pl.col("chosen_count") * 100 / pl.when(answered > 0).then(answered)
    silent = pl.col("administration_count") - answered
    of_all = 100 / pl.col("administration_count")
    return counted.join(pillars, on=["period_code", "question_code"]).with_columns(
        chosen_pct=round_decimal(share, 2),
        chosen_low_pct=round_decimal(pl.col("chosen_count") * of_all, 2),
        chosen_high_pct=round_decimal((pl.col("chosen_count") + silent) * of_all, 2),
    )


def coded_answers(questionnaire_answer: pl.DataFrame, policy_question: pl.DataFrame) -> pl.DataFrame:
    """The latest answers of administrations to the questions on policy: a row for each period, line and
    country. Of two respondents of a country the answer that was received last counts."""
    asked = policy_question["question_code"].unique().to_list()
    own = questionnaire_answer.filter(
        (pl.col("role_code") == ADMINISTRATION) & question_code(pl.col("indicator_code")).is_in(asked)
    )
    latest = latest_answers(own).filter(pl.col("value").is_not_null())
    of_country = latest.sort("received_at", "file_sha256", "respondent_id").unique(
        [*LINE, "country_code"], keep="last", maintain_order=True
    )
    options = offered_answers()
    number = pl.col("value").cast(pl.Float64, strict=False)
    answered = pl.when(number > 0).then(pl.lit(SOME)).otherwise(pl.lit(NOTHING))
    code = pl.when(number.is_null()).then("value").otherwise(answered)
    return (
        of_country.with_columns(answer_code=code)
        .join(options.select("indicator_code", "answer_code").unique(), on=["indicator_code", "answer_code"])
        .select(*LINE, "country_code", "answer_code")
    )


def offered_answers() -> pl.DataFrame:
    """A row for each line of the form and answer that it offers, with its texts."""
    rows = [
        {
            "question_code": question.id,
            "indicator_code": line.code,
            "channel_code": line.channel,
            "part_code": line.part,
            "answer_code": answer,
            "indicator_text": line_text("en", question, line),
        }
        for question in list_questions()
        for line in question.indicators
        for answer in answers_of(question)
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def answers_of(question: Question) -> tuple[str, ...]:
    """The answers to a question that have rows of their own."""
    if question.kind == "number":
        return (NOTHING, SOME)
    return list_options(question)


def pillars_of(policy_question: pl.DataFrame, periods: Sequence[str]) -> pl.DataFrame:
    """The pillar of each question on the last day of each period."""
    return pl.concat(
        rows_on_day(policy_question, last_day(period)).select(
            "question_code", "pillar_code", period_code=pl.lit(period)
        )
        for period in periods
    )


def count_period(
    period: str, answers: pl.DataFrame, country: pl.DataFrame, country_group: pl.DataFrame
) -> pl.DataFrame:
    """The counts of one period: a row for each line that was answered, area and answer."""
    listed = list_areas(classify_countries(country, country_group, last_day(period)))
    areas = [area for area in listed if area.kind != COUNTRY]
    inside = pl.DataFrame(
        [(area.code, area.kind, name) for area in areas for name in area.countries],
        schema=["area_code", "area_kind_code", "country_code"],
        orient="row",
    )
    placed = answers.join(inside, on="country_code")
    returned = pl.col("returned_by").fill_null(0)
    of_area = (
        inside.group_by("area_code", "area_kind_code")
        .agg(administration_count=pl.len().cast(pl.Int64))
        .join(
            placed.group_by("area_code").agg(returned_by=pl.col("country_code").n_unique().cast(pl.Int64)),
            on="area_code",
            how="left",
        )
        .with_columns(returned_count=returned)
        .drop("returned_by")
    )
    offered = offered_answers()
    codes = dict(offered.group_by("indicator_code").agg("answer_code").rows())
    renamed = {"country_code": MEMBER}
    hidden = hidden_rows(inside.rename(renamed), answers.rename(renamed), LINE, lambda line: codes[line[1]])
    # Where none of an area's administrations answered.
    is_hidden = pl.col("is_hidden").fill_null(True)
    answered = placed.group_by(*CELL).agg(answered_count=pl.len().cast(pl.Int64))
    chosen = placed.group_by(*CELL, "answer_code").agg(chosen_count=pl.len().cast(pl.Int64))
    return (
        answers.select(*LINE)
        .unique()
        .join(offered, on="indicator_code")
        .join(of_area, how="cross")
        .join(answered, on=CELL, how="left")
        .join(chosen, on=[*CELL, "answer_code"], how="left")
        .with_columns(pl.col("answered_count", "chosen_count").fill_null(0))
        .join(hidden, on=[*CELL, "answer_code"], how="left")
        .with_columns(conf_status_code=pl.when(is_hidden).then(pl.lit("C")).otherwise(pl.lit("N")))
        .drop("is_hidden")
    )
