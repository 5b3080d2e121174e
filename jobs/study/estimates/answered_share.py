"""study.answered_share: means of the shares that operators answered, by area, line of the form and item.

One row of answered_shares() is a respondent's share of one item: a percentage as answered; 100 or 0 of yes or
no, and of each answer of a choice or country that was or was not named. Where items divide a whole, or five
may be named, an item without an answer is 0.

summarise_shares() takes means of those that answered, weighted by their subscriptions in the frame. Nothing
is scaled up: who did not answer may differ, and the interval has the spread between respondents alone.
"""

from collections.abc import Collection
from functools import cache

import numpy as np
import polars as pl
from scipy.special import stdtrit

from jobs.base.core.periods import last_day
from jobs.base.figures.areas import COUNTRY, classify_countries, list_areas
from jobs.base.tables.contracts import polars_schema, read_contract
from jobs.base.tables.validity import rows_on_day
from jobs.study.estimates.steps.rows import conf_status_code, round_decimal
from jobs.study.questionnaire.definition import Question, list_questions
from jobs.study.questionnaire.latest_answers import RESPONDENT, keep_asked, latest_answers

TABLE = "study.answered_share"
AREA = ["area_code", "area_kind_code"]
# An item of a line that has one.
WHOLE = "_T"
# Countries by rank, and the share of each of them.
NAMED, SHARE = "sp502", "sp503"
LINE = ["question_code", "line_code"]
ITEM = [*LINE, "item_code"]


def transform(
    questionnaire_answer: pl.DataFrame,
    operator_frame: pl.DataFrame,
    country: pl.DataFrame,
    country_group: pl.DataFrame,
) -> pl.DataFrame:
    """A row for each area, line and item that anyone answered. A respondent that the frame lacks in the
    line's channel is left out."""
    shares = answered_shares(questionnaire_answer, read_contract(TABLE).questions)
    if shares.is_empty():
        return pl.DataFrame(schema=polars_schema(TABLE))
    found = summarise_shares(*place_shares(shares, operator_frame, country, country_group), AREA)
    return found.select(name for name in polars_schema(TABLE) if name in found.columns)


@cache
def form_lines() -> pl.DataFrame:
    """Every indicator of the form: question and channel make a line, the rest is its part."""
    return pl.DataFrame(
        [
            {
                "indicator_code": each.code,
                "question_code": question.id,
                "line_code": ".".join(filter(None, (question.id, each.channel))),
                "of_channel": each.channel,
                "part": each.part,
                "kind": question.kind,
                "is_divided": is_divided(question),
            }
            for question in list_questions()
            for each in question.indicators
        ],
        infer_schema_length=None,
    )


def is_divided(question: Question) -> bool:
    """Return whether an item without an answer is 0: items add up to 100, are answers of a choice, or are
    ranked."""
    adds_up = any(relation.is_equal and str(relation.target) == "100" for relation in question.relations)
    return adds_up or question.kind == "choice" or question.id in (NAMED, SHARE)


def answered_shares(
    questionnaire_answer: pl.DataFrame, questions: Collection[tuple[str, str]]
) -> pl.DataFrame:
    """A row for each respondent, period, line and item: its share, from 0 to 100."""
    given = (
        latest_answers(keep_asked(questionnaire_answer, questions))
        .filter(pl.col("value").is_not_null())
        .select(*RESPONDENT, "indicator_code", "value")
        .join(form_lines(), on="indicator_code")
    )
    kind, value = pl.col("kind"), pl.col("value").str.strip_chars()
    number = value.cast(pl.Float64, strict=False)
    of_rank = given.filter(pl.col("question_code") == NAMED).select(
        *RESPONDENT, "of_channel", "part", country="value"
    )
    answers = given.join(
        of_rank, on=[*RESPONDENT, "of_channel", "part"], how="left", nulls_equal=True
    ).with_columns(
        item_code=pl.when(pl.col("question_code") == SHARE)
        .then("country")
        .when(kind.is_in(["choice", "country"]))
        .then(value)
        .otherwise(pl.col("part").fill_null(WHOLE)),
        share=pl.when(kind == "percent")
        .then(number)
        .when(kind == "yesno")
        .then(pl.when(value == "yes").then(100.0).otherwise(0.0))
        .otherwise(100.0),
    )
    whose = [*RESPONDENT, *LINE, "of_channel", "is_divided"]
    shares = (
        answers.drop_nulls(["item_code", "share"]).group_by(*whose, "item_code").agg(pl.col("share").sum())
    )
    # A line is answered by whoever answered a part of it.
    items = shares.filter("is_divided").select("period_code", "line_code", "item_code").unique()
    absent = (
        shares.filter("is_divided")
        .select(whose)
        .unique()
        .join(items, on=["period_code", "line_code"])
        .join(shares, on=[*RESPONDENT, "line_code", "item_code"], how="anti")
        .with_columns(share=pl.lit(0.0))
    )
    return pl.concat([shares, absent.select(shares.columns)]).drop("is_divided")


def place_shares(
    shares: pl.DataFrame, operator_frame: pl.DataFrame, country: pl.DataFrame, country_group: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The shares with each respondent's areas, holding, size and subscriptions; and all operators of the
    frame by area. A line without a channel has the subscriptions of all channels, and the size of the
    largest. Shares are weighted by these, where they have no weight of their own."""
    placed, people = [], []
    for period in sorted(set(shares["period_code"])):
        day = last_day(period)
        frame = rows_on_day(operator_frame, day)
        of_all = frame.group_by("respondent_id").agg(
            pl.col("holding_id", "country_code").first(),
            pl.col("size_code").sort_by("subscriptions").last(),
            pl.col("subscriptions").sum(),
            channel_code=pl.lit(None, pl.String),
        )
        columns = [*of_all.columns]
        listed = pl.concat([frame.select(columns), of_all.select(columns)]).with_columns(
            period_code=pl.lit(period)
        )
        areas = [
            (area.code, area.kind, name)
            for area in list_areas(classify_countries(country, country_group, day))
            if area.kind != COUNTRY
            for name in area.countries
        ]
        inside = pl.DataFrame(
            areas, schema=["area_code", "area_kind_code", "country_code"], orient="row"
        ).with_columns(pl.all().cast(pl.String))
        everyone = listed.join(inside, on="country_code")
        people.append(everyone)
        given = shares.filter(pl.col("period_code") == period).rename({"of_channel": "channel_code"})
        whose = ["respondent_id", "period_code", "channel_code"]
        placed.append(
            given.join(everyone, on=whose, nulls_equal=True).with_columns(
                weight=pl.col("weight" if "weight" in given.columns else "subscriptions")
            )
        )
    return pl.concat(placed), pl.concat(people)


def summarise_shares(placed: pl.DataFrame, people: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """A row for each item and area (and what else is in `by`): mean with its 95% interval, median, and who
    answered.

    Args:
        placed, people: the result of place_shares().
    """
    weight, share = pl.col("weight").cast(pl.Float64), pl.col("share")
    of_all = people.group_by("period_code", "channel_code", *by).agg(of_all=pl.col("subscriptions").sum())
    cell = ["period_code", "channel_code", *ITEM, *by]
    mean = (weight * share).sum() / weight.sum()
    found = placed.group_by(cell).agg(
        respondent_count=pl.len().cast(pl.Int64),
        holding_count=pl.col("holding_id").n_unique().cast(pl.Int64),
        mean=mean,
        median=share.median(),
        squares=((weight * (share - mean)) ** 2).sum() / weight.sum() ** 2,
        answering=pl.col("subscriptions").sum(),
    )
    count = found["respondent_count"].to_numpy().astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = stdtrit(count - 1, 0.975) * np.sqrt(found["squares"].to_numpy() * count / (count - 1))
    ends = found.with_columns(reach=pl.when(pl.col("respondent_count") > 1).then(pl.Series(reach)))
    return ends.join(of_all, on=["period_code", "channel_code", *by], nulls_equal=True).with_columns(
        mean_pct=round_decimal(pl.col("mean"), 2),
        mean_low_pct=round_decimal((pl.col("mean") - pl.col("reach")).clip(0, 100), 2),
        mean_high_pct=round_decimal((pl.col("mean") + pl.col("reach")).clip(0, 100), 2),
        median_pct=round_decimal(pl.col("median"), 2),
        coverage_pct=round_decimal(100 * pl.col("answering") / pl.col("of_all"), 2),
        conf_status_code=pl.col("holding_count").map_elements(conf_status_code, return_dtype=pl.String),
    )
