"""Distinct senders of spam, as sketches that add up over days, sources and operators' parts."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.gold.counting import CERTAIN, state
from jobs.gold.predicates import definitions


def sender_sketches(message: DataFrame, definition: DataFrame, by: list[str]) -> DataFrame:
    """For each group, unit and definition with certain spam a theta sketch of its senders.

    Units are recipients, attempts and calls: messages and segments have the senders of the recipients. A row
    is looked at once, whatever the number of definitions, and only spam is sketched. The sketch keeps the
    smallest hashes, so that neither order nor partitioning changes it, and the union of parts is the sketch
    of the whole.
    """
    spam = F.array(
        *(
            F.when(state(rows) == CERTAIN, F.lit(code))
            for code, rows in definitions(definition.collect()).items()
        )
    )
    told = message.select(
        *by,
        F.col("grain_code").alias("unit_code"),
        F.explode(F.array_compact(spam)).alias("definition_code"),
        "sender_hash",
    )
    return told.groupBy(*by, "unit_code", "definition_code").agg(
        F.theta_sketch_agg("sender_hash").alias("sender_sketch")
    )
