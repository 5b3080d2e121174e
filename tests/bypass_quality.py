"""How well signs of bypass are found, on generated traffic whose truth is known.

The thresholds of the SIM box are chosen on seed 1, those with the best F1 of messages;
tests/detection_quality.py reports other seeds. A message counts once for each sign.
"""

from __future__ import annotations

import collections
import datetime as dt
import itertools
from pathlib import Path
from typing import Any

import polars as pl
from pyspark.sql import DataFrame, SparkSession

from jobs import config, protect
from jobs.contracts import struct_type
from jobs.formats import LINES, Source, kannel
from jobs.gold.bypass import signs
from jobs.lake import Lake
from jobs.runner import Run, read_reference
from jobs.silver import message
from sample_data import bypass

CHOSEN_ON, REPORTED_ON = 1, (2, 3, 4)
GRID = {
    "simbox_recipients": (15, 20, 30, 40, 60),
    "simbox_reply_share": (0.05, 0.1, 0.2),
    "simbox_received_share": (0.1, 0.2),
}
Signs = collections.Counter[tuple[str, bool, bool]]


def traffic(spark: SparkSession, seed: int, folder: Path) -> tuple[DataFrame, DataFrame, dict[Any, Any]]:
    """silver.message of the generated log, ref.operator, and the true signs of each message."""
    (folder / "number-ranges.csv").write_text(bypass.number_ranges(), "utf-8")
    (folder / "observatory.toml").write_text(bypass.settings(), "utf-8")
    settings = config.load(folder / "observatory.toml")
    work = Run(Lake(spark, str(folder)), settings, settings.operator, "quality", say=lambda text: None)
    operator = read_reference(work, "ref.operator")
    sent = bypass.simulate(seed)
    lines = pl.DataFrame({"line": [bypass.line_of(sms) for sms in sent]}).with_row_index("offset")
    source = Source("detour-sms", "smsc", "log", dt.datetime(2026, 11, 30, tzinfo=dt.UTC))
    parsed = kannel.parse(lines.select(list(LINES)).cast(LINES).lazy(), source)
    placed = parsed.filter(pl.col("line_code") == "record").with_columns(
        operator_id=pl.lit("detour-sms"), source_id=pl.lit("smsc"), stream_id=pl.lit("log")
    )
    raw = kannel.transmissions(kannel.assemble(placed)).collect()
    rows = protect.transmissions(raw, protect.Door.of(operator.collect()))
    schema = struct_type("silver.transmission")
    whole = rows.with_columns(transmission_hash=pl.col("offset").cast(pl.String)).select(schema.names)
    transmission = spark.createDataFrame(whole.to_arrow(), schema)
    rule = read_reference(work, "ref.attribute_rule")
    verdict = spark.createDataFrame([], struct_type("silver.verdict"))
    knowledge = spark.createDataFrame([], struct_type("silver.operator_knowledge"))
    made = message.transform(transmission, verdict, knowledge, rule)
    # A line's offset is its place in the list.
    truth = {place: sms.signs for place, sms in enumerate(sent)}
    return made.persist(), operator, truth


def told(made: DataFrame, operator: DataFrame, parameter: DataFrame, truth: dict[int, Any]) -> Signs:
    """For each sign how many messages have it or not, in truth and as found."""
    found = {
        row.offset: {sign.bypass_code for sign in row.signs if sign.is_flagged}
        for row in signs(made, operator, parameter).select("offset", "signs").collect()
    }
    counts: Signs = collections.Counter()
    for place, true in truth.items():
        for code in config.codes("bypass"):
            counts[code, code in true, code in found.get(place, ())] += 1
    return counts


def quality(counts: Signs, code: str) -> tuple[float, float]:
    """Precision and recall of a sign."""
    right, missed, wrong = counts[code, True, True], counts[code, True, False], counts[code, False, True]
    return right / max(right + wrong, 1), right / max(right + missed, 1)


def with_thresholds(parameter: DataFrame, thresholds: dict[str, float]) -> DataFrame:
    rows = [
        {**row.asDict(), "value": str(thresholds.get(row.parameter_code, row.value))}
        for row in parameter.collect()
    ]
    return parameter.sparkSession.createDataFrame(rows, parameter.schema)


def f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def best(spark: SparkSession, seed: int, folder: Path) -> tuple[dict[str, float], float]:
    """The thresholds of the grid with the best F1 of messages on a seed, and that F1."""
    parameter = Lake(spark, "").reference("ref.bypass_parameter")
    made, operator, truth = traffic(spark, seed, folder)
    scores = []
    for values in itertools.product(*GRID.values()):
        thresholds = dict(zip(GRID, values, strict=True))
        counts = told(made, operator, with_thresholds(parameter, thresholds), truth)
        scores.append((f1(*quality(counts, "SIMBOX")), values))
    made.unpersist()
    score, values = max(scores)
    return dict(zip(GRID, values, strict=True)), score
