"""study.countermeasure: which measures are in operation, what each stopped, and what it cost.

- Strategies: in operation as operators answered (sp601), with the share of the stopped spam that each stopped
  (sp602). The first measure that acted counts.
- Stages: where packages say that spam was stopped, of all certain spam of the operators' own definition. The
  months of a quarter and of a year that packages have are pooled, all respondents together.
- Money: an area's spending on a strategy (study.investment) for each subscription, and for each 1,000 that
  the strategy stopped: spending for each 1,000 messages or calls, over the share of them that was stopped,
  over the strategy's share of that.
"""

import polars as pl

from jobs.base.figures.counting_rules import OPERATOR, RECEIVED
from jobs.base.tables.contracts import polars_schema, read_contract
from jobs.study.disclosure.hidden_answers import MEMBER, hidden_rows
from jobs.study.estimates.answered_share import answered_shares, place_shares, summarise_shares
from jobs.study.estimates.steps.days import keep_covered_months
from jobs.study.estimates.steps.rows import OWNERS, is_month, round_decimal

TABLE = "study.countermeasure"
DEPLOYED, STOPPED = "sp601", "sp602"
ALL = "_T"
# Units that add up, and outcomes by which a user does not get a message.
COUNTED = ("recipient", "attempt", "call")
KEPT = ("rejected", "discarded", "quarantined")
BY = ["area_code", "area_kind_code", "size_code"]
CELL = ["period_code", "channel_code", *BY]
YES = "yes"


def transform(
    questionnaire_answer: pl.DataFrame,
    submission: pl.DataFrame,
    investment: pl.DataFrame,
    operator_frame: pl.DataFrame,
    country: pl.DataFrame,
    country_group: pl.DataFrame,
) -> pl.DataFrame:
    """A row for each area, size class and strategy or stage. A respondent that the frame lacks in the channel
    is left out."""
    schema = polars_schema(TABLE)
    kept, of_traffic = stopped_shares(submission)
    shares = answered_shares(questionnaire_answer, read_contract(TABLE).questions)
    known = (operator_frame, country, country_group)
    parts = []
    if not kept.is_empty():
        placed = place_shares(pl.concat([kept, of_traffic]), *known)
        stages = summarise_shares(*split_by_size(*placed), BY)
        is_stage = pl.col("line_code") == STAGES
        traffic = stages.filter(~is_stage).select(*CELL, traffic_pct="mean")
        parts.append(stage_rows(stages.filter(is_stage)))
    else:
        traffic = pl.DataFrame(schema={**dict.fromkeys(CELL, pl.String), "traffic_pct": pl.Float64})
    if not shares.is_empty():
        placed = place_shares(shares, *known)
        found = summarise_shares(*split_by_size(*placed), BY)
        parts.append(strategy_rows(found, judge_deployment(placed[0]), traffic, investment))
    if not parts:
        return pl.DataFrame(schema=schema)
    columns = list(schema)
    return pl.concat(
        [
            each.select(
                (pl.col(name) if name in each.columns else pl.lit(None)).cast(schema[name]).alias(name)
                for name in columns
            )
            for each in parts
        ]
    )


STAGES, TRAFFIC = "stages", "traffic"


def stopped_shares(submission: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Compute, in the columns of answered_shares() with a weight, each respondent's share of its spam that
    was stopped at each stage and at all, and of its traffic the share that was stopped as spam."""
    month = pl.col("period_code")
    quarter = (month.str.slice(5, 2).cast(pl.Int32, strict=False) + 2) // 3
    own = keep_covered_months(submission).filter(
        pl.col("direction_code").is_in(RECEIVED),
        pl.col("unit_code").is_in(COUNTED),
        pl.col("definition_code") == OPERATOR,
        is_month(month),
    )
    periods = pl.concat_list(month.str.slice(0, 4), month.str.slice(0, 4) + "-Q" + quarter.cast(pl.String))
    rows = own.with_columns(period_code=periods).explode("period_code")
    whose = ["respondent_id", "period_code", "channel_code"]
    spam = pl.col("spam_certain").cast(pl.Float64)
    totals = rows.group_by(whose).agg(spam=spam.sum(), units=pl.col("units").cast(pl.Float64).sum())
    is_kept = pl.col("outcome_code").is_in(KEPT)
    by_stage = rows.group_by(*whose, "stage_code").agg(kept=spam.filter(is_kept).sum())
    at_all = by_stage.group_by(whose).agg(pl.col("kept").sum()).with_columns(stage_code=pl.lit(ALL))
    # A stage at which one respondent stopped nothing is 0 of it, if any stopped something.
    seen = by_stage.filter(pl.col("kept") > 0).select("period_code", "channel_code", "stage_code").unique()
    stages = pl.concat(
        [
            totals.select(whose)
            .join(seen, on=["period_code", "channel_code"])
            .join(by_stage, on=[*whose, "stage_code"], how="left"),
            at_all.select(*whose, "stage_code", "kept"),
        ]
    ).join(totals, on=whose)
    kept = pl.col("kept").fill_null(0.0)

    def compute_shares(rows: pl.DataFrame, line: str, of: str) -> pl.DataFrame:
        return rows.filter(pl.col(of) > 0).select(
            "respondent_id",
            "period_code",
            question_code=pl.lit(line),
            line_code=pl.lit(line),
            of_channel="channel_code",
            item_code="stage_code",
            share=100 * kept / pl.col(of),
            weight=pl.col(of),
        )

    return compute_shares(stages, STAGES, "spam"), compute_shares(
        stages.filter(pl.col("stage_code") == ALL), TRAFFIC, "units"
    )


def split_by_size(placed: pl.DataFrame, people: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Each row under its size class and under all."""
    whole = pl.lit(ALL).alias("size_code")
    return pl.concat([placed, placed.with_columns(whole)]), pl.concat([people, people.with_columns(whole)])


def stage_rows(found: pl.DataFrame) -> pl.DataFrame:
    """The rows of stages."""
    few = pl.col("holding_count") < OWNERS
    return found.with_columns(
        strategy_code=pl.lit(ALL),
        stage_code="item_code",
        stopped_pct="mean_pct",
        stopped_low_pct="mean_low_pct",
        stopped_high_pct="mean_high_pct",
        conf_status_code=pl.when(few).then(pl.lit("C")).otherwise(pl.lit("N")),
    )


def strategy_rows(
    found: pl.DataFrame, judged: pl.DataFrame, traffic: pl.DataFrame, investment: pl.DataFrame
) -> pl.DataFrame:
    """The rows of strategies: in operation, what each stopped, and money."""
    is_deployment = pl.col("question_code") == DEPLOYED
    key = [*CELL, "item_code"]
    stopped = found.filter(~is_deployment).select(
        *key,
        stopped="mean",
        stopped_pct="mean_pct",
        stopped_low_pct="mean_low_pct",
        stopped_high_pct="mean_high_pct",
    )
    money = investment.filter(
        pl.col("component_code") == ALL, pl.col("conversion_code") == "market", pl.col("strategy_code") != ALL
    ).select(
        "period_code",
        "channel_code",
        "area_code",
        item_code="strategy_code",
        size_code=pl.lit(ALL),
        spend_per_subscription=pl.col("per_subscription").cast(pl.Float64),
        per_thousand=pl.col("per_thousand_units").cast(pl.Float64),
    )
    share = pl.col("stopped") * pl.col("traffic_pct") / 10_000
    return (
        found.filter(is_deployment)
        .with_columns(deployed_pct="mean_pct")
        .join(stopped, on=key, how="left")
        .join(judged, on=["period_code", "channel_code", "area_code", "size_code", "item_code"], how="left")
        .join(traffic, on=CELL, how="left")
        .join(money, on=["period_code", "channel_code", "area_code", "size_code", "item_code"], how="left")
        .with_columns(
            strategy_code="item_code",
            stage_code=pl.lit(ALL),
            stopped_traffic_pct=round_decimal(pl.col("traffic_pct"), 4),
            chosen_pct=round_decimal(100 * pl.col("chosen_count") / pl.col("answered_count"), 2),
            spend_per_thousand_stopped=pl.col("per_thousand") / pl.when(share > 0).then(share),
            conf_status_code=pl.when(pl.col("is_hidden").fill_null(True))
            .then(pl.lit("C"))
            .otherwise(pl.lit("N")),
        )
    )


def judge_deployment(placed: pl.DataFrame) -> pl.DataFrame:
    """Count, by strategy, area and size class, the holdings that answered and those that have it in
    operation; whether the class of their share would reveal one's answer.

    A holding counts once in each area: it has a strategy where any of its operators, anywhere, has it. Its
    size class is no fact that leaves, so rows of classes are hidden.
    """
    line = ["period_code", "channel_code", "item_code"]
    own = placed.filter(pl.col("question_code") == DEPLOYED)
    answers = own.group_by(*line, pl.col("holding_id").alias(MEMBER)).agg(
        answer_code=pl.when((pl.col("share") > 0).any()).then(pl.lit(YES)).otherwise(pl.lit("no"))
    )
    hidden = []
    for rows in answers.partition_by("period_code", "channel_code", maintain_order=True):
        inside = own.join(rows, on=["period_code", "channel_code"], how="semi").select(
            pl.col("holding_id").alias(MEMBER), "area_code"
        )
        hidden.append(hidden_rows(inside.unique(), rows, line, lambda _: (YES,)))
    sized = pl.concat([own, own.with_columns(size_code=pl.lit(ALL))])
    counted = (
        sized.select(*line, "area_code", "size_code", pl.col("holding_id").alias(MEMBER))
        .unique()
        .join(answers, on=[*line, MEMBER])
        .group_by(*line, "area_code", "size_code")
        .agg(
            answered_count=pl.len().cast(pl.Int64),
            chosen_count=(pl.col("answer_code") == YES).sum().cast(pl.Int64),
        )
    )
    judged = pl.concat(hidden).drop("answer_code").with_columns(size_code=pl.lit(ALL))
    return counted.join(judged, on=[*line, "area_code", "size_code"], how="left")
