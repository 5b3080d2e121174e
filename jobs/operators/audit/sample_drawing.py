"""Draw a stratified sample of silver.message for a person to label.

The population is inbound and internal messages whose content the operator received; attempts and calls have
no content. Strata are channel × the filter's call × whether the logs give a type × band of the score. Within
a stratum the units with the smallest SHA-256 of seed and unit are drawn, so that the same seed draws the same
units, however the table's files are arranged.
"""

import calendar
import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import exact_number
from jobs.base.figures.counting_rules import CONTENT_SEEN, RECEIVED
from jobs.base.stats.prevalence import allocate_sample
from jobs.base.store.lake import Lake
from jobs.base.store.table_files import read_files
from jobs.base.tables.contracts import Row, rows_frame
from jobs.operators.build import removed_days
from jobs.operators.gold.shared.predicates import operator_definitions

# Shares of spam that are guessed before any label: they decide how many units a stratum gives, and bias no
# estimate. Messages that passed in the highest band of scores are most likely missed spam.
GUESSES = {"blocked": 0.95, "tagged": 0.9, "undecided": 0.5, "passed": 0.05}
GUESS_OF_HIGHEST = 0.3
# A unit's sample id has so many hexadecimal digits.
ID_DIGITS = 16
STRATUM = ["stratum_code", "channel_code", "filter_call_code", "is_typed", "score_band"]
# The columns of a drawn unit, and those that its stratum is computed from.
UNIT = ["message_hash", "recipient_hash", "period_date", "channel_code", "spam_type_code"]
UNIT += ["source_id", "stream_id", "offset", "key_id"]
POPULATION = ["operator_id", "grain_code", "direction_code", "stage_code", "outcome_code", "score"]
ORDER = ["place_hash", "message_hash", "recipient_hash"]


@dataclass(frozen=True)
class SamplePlan:
    """The design of a sample.

    Attributes:
        month: as 2026-11.
        cuts: scores at which a band begins.
    """

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

    def plan_row(self) -> Row:
        """The plan as columns of silver.audit_sample."""
        return {
            "operator_id": self.operator_id,
            "period_code": self.month,
            "sample_size": self.size,
            "sample_seed": self.seed,
            "least_count": self.least,
            "score_cuts": list(self.cuts),
        }


def draw_units(lake: Lake, plan: SamplePlan) -> tuple[list[Row], list[Row]]:
    """Rows of silver.audit_sample, without time and code revision, and rows of silver.audit_label."""
    version = lake.versions().get("silver.message")
    if version is None:
        raise ObservatoryError("the lake has no silver.message yet: run `observatory run` first")
    gone = removed_days.read_removed_days(lake, removed_days.SILVER).get(plan.operator_id)
    if gone is not None and plan.days[0] < gone:
        raise ObservatoryError(
            f"operator {plan.operator_id}: messages of days before {gone} are gone ([retention] silver). A"
            f" sample of {plan.month} would stand for a part of it, or for nothing. Draw from a later month"
        )
    # Whether a unit is spam under the definition OPERATOR, by the operator's own measures.
    _, last = plan.days
    (rule,) = operator_definitions(lake.read("ref.definition"), last)
    is_spam = rule.spam
    strata = count_strata(read_population(lake, version, is_spam, plan))
    if not strata:
        raise ObservatoryError(
            f"operator {plan.operator_id} has no message with content in {plan.month}: nothing to draw from."
            " `observatory show gold.spam_volume_daily` shows which days there are"
        )
    spreads = [guess_deviation(row, plan.cuts) for row in strata]
    given = allocate_sample([row["population_count"] for row in strata], spreads, plan.size, plan.least)
    if sum(given) > plan.size:
        raise ObservatoryError(
            f"--size {plan.size} is too small for {len(strata)} strata of {plan.least} units at least:"
            f" give --size {sum(given)} or more, or a smaller --least"
        )
    wanted = dict(zip([row["stratum_code"] for row in strata], given, strict=True))
    drawn = draw_smallest(read_population(lake, version, is_spam, plan), wanted, plan.seed)
    rows = drawn.select(
        "stratum_code", *UNIT, pl.col("place_hash").str.tail(ID_DIGITS).alias("sample_id")
    ).to_dicts()
    whose = {"operator_id": plan.operator_id, "period_code": plan.month}
    design = [
        {**plan.plan_row(), **row, "sampled_count": count, "message_version": version}
        for row, count in zip(strata, given, strict=True)
    ]
    return design, [{**whose, **row} for row in rows]


def read_population(lake: Lake, version: int, is_spam: pl.Expr, plan: SamplePlan) -> Iterator[pl.DataFrame]:
    """The population of a month, file by file, because a month of messages may not fit in memory."""
    first, last = (day.isoformat() for day in plan.days)
    files = lake.files(
        "silver.message",
        version,
        lambda values: (
            values["operator_id"] == plan.operator_id and first <= (values["period_date"] or "") <= last
        ),
    )
    columns = dict.fromkeys([*POPULATION, *UNIT, *is_spam.meta.root_names()])
    for file in files:
        yield select_population(read_files("silver.message", [file], columns), is_spam, plan)


def select_population(message: pl.DataFrame, is_spam: pl.Expr, plan: SamplePlan) -> pl.DataFrame:
    """The units of an operator's month whose content was seen, with their stratum."""
    first, last = plan.days
    there = message.filter(
        (pl.col("operator_id") == plan.operator_id)
        & pl.col("period_date").is_between(first, last)
        & (pl.col("grain_code") == "recipient")
        & pl.col("direction_code").is_in(RECEIVED)
        & pl.col("stage_code").is_in(CONTENT_SEEN)
    )
    call = choose_code(
        tagged=is_spam & (pl.col("outcome_code") == "tagged"),
        blocked=is_spam,
        undecided=is_spam.is_null(),
        otherwise="passed",
    )
    is_typed = pl.col("spam_type_code") != "UNK"
    typed = pl.when("is_typed").then(pl.lit("typed")).otherwise(pl.lit("untyped"))
    return there.with_columns(
        call.alias("filter_call_code"), is_typed.alias("is_typed"), score_band(plan.cuts).alias("score_band")
    ).select(
        *UNIT,
        *(name for name in STRATUM[1:] if name not in UNIT),
        pl.concat_str("channel_code", "filter_call_code", typed, "score_band", separator=".").alias(
            STRATUM[0]
        ),
    )


def count_strata(days: Iterator[pl.DataFrame]) -> list[Row]:
    """The strata of a population, each with its number of units."""
    counts = [units.group_by(STRATUM).agg(pl.len().alias("population_count")) for units in days]
    if not counts:
        return []
    whole = pl.concat(counts).group_by(STRATUM).agg(pl.col("population_count").sum())
    return whole.sort("stratum_code").to_dicts()


def score_band(cuts: tuple[float, ...]) -> pl.Expr:
    """The band of a score: lt0, 0to4, ge4 for cuts at 0 and 4; none without a score."""
    names = band_names(cuts)
    found: Any = pl.when(pl.col("score").is_null()).then(pl.lit("none"))
    for cut, name in zip(cuts, names, strict=False):
        found = found.when(pl.col("score") < cut).then(pl.lit(name))
    made: pl.Expr = found.otherwise(pl.lit(names[-1]))
    return made


def band_names(cuts: tuple[float, ...]) -> list[str]:
    """The names of the bands, the lowest first."""
    texts = list(map(exact_number, cuts))
    between = [f"{low}to{high}" for low, high in zip(texts, texts[1:], strict=False)]
    return [f"lt{texts[0]}", *between, f"ge{texts[-1]}"] if texts else ["any"]


def guess_deviation(stratum: Row, cuts: tuple[float, ...]) -> float:
    """The guessed standard deviation of spam in a stratum."""
    guess = GUESSES[stratum["filter_call_code"]]
    if stratum["filter_call_code"] == "passed" and cuts and stratum["score_band"] == band_names(cuts)[-1]:
        guess = GUESS_OF_HIGHEST
    return float((guess * (1 - guess)) ** 0.5)


def draw_smallest(days: Iterator[pl.DataFrame], given: dict[str, int], seed: int) -> pl.DataFrame:
    """The first units of each stratum, in the order of the SHA-256 of seed and unit, as `place_hash`."""
    count = pl.col("stratum_code").replace_strict(given, default=0, return_dtype=pl.Int64)
    place = pl.int_range(pl.len()).over("stratum_code")
    kept: list[pl.DataFrame] = []
    for units in days:
        named = pl.concat_str(
            pl.lit(str(seed)), "message_hash", "recipient_hash", separator="|", ignore_nulls=True
        )
        texts = units.select(named).to_series()
        hashes = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        placed = units.with_columns(pl.Series("place_hash", hashes, pl.String))
        kept = [pl.concat([*kept, placed]).sort(ORDER).filter(place < count)]
    return pl.concat(kept)


def file_names(lake: Lake, operator_id: str, units: list[Row]) -> dict[str, str]:
    """The last known name of the file with a unit's first line, by sample id."""
    wanted = rows_frame(units, "silver.audit_label").select(
        "sample_id", "source_id", "stream_id", pl.col("offset").alias("at")
    )
    pieces = lake.read(
        "bronze.file",
        columns=["source_id", "stream_id", "offset", "piece_bytes", "file_name"],
        where=pl.col("operator_id") == operator_id,
    )
    begin = pl.col("offset")
    inside = (begin <= pl.col("at")) & (pl.col("at") < begin + pl.col("piece_bytes"))
    found = pieces.join(wanted, on=["source_id", "stream_id"]).filter(inside)
    return dict(found.select("sample_id", "file_name").iter_rows())
