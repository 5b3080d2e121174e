"""Drawing a stratified sample of silver.message for a person to label.

The population is messages to the operator's own, whose content the operator had: never attempts and calls,
which had none. Strata are channel × what the filter did × whether the logs tell a type × band of the score.
Within a stratum the units with the smallest SHA-256 of seed and unit are drawn: the same seed draws the same,
however the table is laid out.
"""

from __future__ import annotations

import calendar
import datetime as dt
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.errors import ObservatoryError
from jobs.gold.predicates import of_operator
from jobs.lake import Lake
from jobs.prevalence import allocate
from jobs.shares import CONTENT_SEEN, RECEIVED

# Shares of spam that are guessed before anybody looks: they steer how many units a stratum gives, and bias
# nothing. What passed in the highest band of scores is the likeliest miss.
GUESSES = {"blocked": 0.95, "tagged": 0.9, "undecided": 0.5, "passed": 0.05}
GUESS_OF_HIGHEST = 0.3
# Units are told apart by so many hexadecimal digits.
ID_DIGITS = 16
STRATUM = ["stratum_code", "channel_code", "filter_call_code", "is_typed", "score_band"]


@dataclass(frozen=True)
class Plan:
    """What to draw. month: as 2026-11. cuts: scores at which a band begins."""

    operator_id: str
    month: str
    size: int
    seed: int
    least: int
    cuts: tuple[float, ...]

    @property
    def days(self) -> tuple[dt.date, dt.date]:
        year, month = map(int, self.month.split("-"))
        return dt.date(year, month, 1), dt.date(year, month, calendar.monthrange(year, month)[1])

    def columns(self) -> dict[str, Any]:
        """The plan as columns of silver.audit_sample."""
        return {
            "operator_id": self.operator_id,
            "period_code": self.month,
            "sample_size": self.size,
            "sample_seed": self.seed,
            "least_count": self.least,
            "score_cuts": list(self.cuts),
        }


def draw(lake: Lake, plan: Plan) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of silver.audit_sample, but for when and by which code, and of silver.audit_label."""
    version = lake.versions().get("silver.message")
    if version is None:
        raise ObservatoryError("the lake has no silver.message yet: run `observatory run` first")
    units = population(lake.read("silver.message", version), operator_definition(lake, plan), plan)
    counted = units.groupBy(*STRATUM).agg(F.count("*").alias("population_count"))
    strata = [row.asDict() for row in counted.orderBy("stratum_code").collect()]
    if not strata:
        raise ObservatoryError(
            f"operator {plan.operator_id} has no message with content in {plan.month}: nothing to draw from."
            " `observatory show gold.spam_volume_daily` tells which days there are"
        )
    spreads = [spread(row, plan.cuts) for row in strata]
    given = allocate([row["population_count"] for row in strata], spreads, plan.size, plan.least)
    if sum(given) > plan.size:
        raise ObservatoryError(
            f"--size {plan.size} is too small for {len(strata)} strata of {plan.least} units at least:"
            f" give --size {sum(given)} or more, or a smaller --least"
        )
    drawn = smallest(units, dict(zip([row["stratum_code"] for row in strata], given, strict=True)))
    columns = ["stratum_code", "message_hash", "recipient_hash", "period_date", "channel_code"]
    columns += ["spam_type_code", "source_id", "stream_id", "offset"]
    rows = drawn.select(*columns, F.right("place_hash", F.lit(ID_DIGITS)).alias("sample_id")).toArrow()
    whose = {"operator_id": plan.operator_id, "period_code": plan.month}
    design = [
        {**plan.columns(), **row, "sampled_count": count, "message_version": version}
        for row, count in zip(strata, given, strict=True)
    ]
    return design, [{**whose, **row} for row in rows.to_pylist()]


def operator_definition(lake: Lake, plan: Plan) -> Column:
    """Whether the operator's own measures called a unit spam, as the definition OPERATOR says."""
    _, last = plan.days
    (rule,) = of_operator(lake.read("ref.definition"), last)
    return F.expr(rule.predicate)


def population(message: DataFrame, is_spam: Column, plan: Plan) -> DataFrame:
    """The units of an operator's month that had content, with their stratum and `place_hash`, the order in
    which they are drawn."""
    first, last = plan.days
    there = message.filter(
        (F.col("operator_id") == plan.operator_id)
        & F.col("period_date").between(F.lit(first), F.lit(last))
        & (F.col("grain_code") == "recipient")
        & F.col("direction_code").isin(RECEIVED)
        & F.col("stage_code").isin(CONTENT_SEEN)
    )
    call = (
        F.when(is_spam & (F.col("outcome_code") == "tagged"), "tagged")
        .when(is_spam, "blocked")
        .when(is_spam.isNull(), "undecided")
        .otherwise("passed")
    )
    is_typed = F.col("spam_type_code") != "UNK"
    placed = there.select(
        "*",
        call.alias("filter_call_code"),
        is_typed.alias("is_typed"),
        band(plan.cuts).alias("score_band"),
        F.sha2(F.concat_ws("|", F.lit(str(plan.seed)), "message_hash", "recipient_hash"), 256).alias(
            "place_hash"
        ),
    )
    typed = F.when(F.col("is_typed"), "typed").otherwise("untyped")
    code = F.concat_ws(".", "channel_code", "filter_call_code", typed, "score_band")
    return placed.withColumn("stratum_code", code)


def band(cuts: tuple[float, ...]) -> Column:
    """The band of a score: lt0, 0to4, ge4 for cuts at 0 and 4; none without a score."""
    names = bands(cuts)
    found = F.when(F.col("score").isNull(), "none")
    for cut, name in zip(cuts, names, strict=False):
        found = found.when(F.col("score") < cut, name)
    return found.otherwise(names[-1])


def bands(cuts: tuple[float, ...]) -> list[str]:
    """The names of the bands, the lowest first."""
    texts = [f"{cut:g}" for cut in cuts]
    between = [f"{low}to{high}" for low, high in zip(texts, texts[1:], strict=False)]
    return [f"lt{texts[0]}", *between, f"ge{texts[-1]}"] if texts else ["any"]


def spread(stratum: dict[str, Any], cuts: tuple[float, ...]) -> float:
    """The guessed standard deviation of spam in a stratum."""
    guess = GUESSES[stratum["filter_call_code"]]
    if stratum["filter_call_code"] == "passed" and cuts and stratum["score_band"] == bands(cuts)[-1]:
        guess = GUESS_OF_HIGHEST
    return float((guess * (1 - guess)) ** 0.5)


def smallest(units: DataFrame, given: dict[str, int]) -> DataFrame:
    """The first units of each stratum. The limit that all share lets Spark keep no more while it sorts."""
    order = Window.partitionBy("stratum_code").orderBy("place_hash", "message_hash", "recipient_hash")
    ranked = units.withColumn("place", F.row_number().over(order)).filter(
        F.col("place") <= max(given.values())
    )
    count = F.create_map(*(F.lit(part) for pair in sorted(given.items()) for part in pair))
    return ranked.filter(F.col("place") <= F.element_at(count, F.col("stratum_code")))


def file_names(lake: Lake, operator_id: str, units: list[dict[str, Any]]) -> dict[str, str]:
    """By sample id, the file that a unit's first line stands in, as it was called when last seen."""
    asked = lake.local([{key: each.get(key) for key in LABEL_PLACE} for each in units], "silver.audit_label")
    wanted = asked.select("sample_id", "source_id", "stream_id", F.col("offset").alias("at"))
    pieces = lake.read("bronze.file").filter(F.col("operator_id") == operator_id)
    inside = (F.col("offset") <= F.col("at")) & (F.col("at") < F.col("offset") + F.col("piece_bytes"))
    found = pieces.join(F.broadcast(wanted), ["source_id", "stream_id"]).filter(inside)
    return {row.sample_id: row.file_name for row in found.select("sample_id", "file_name").collect()}


LABEL_PLACE = ("sample_id", "source_id", "stream_id", "offset")
