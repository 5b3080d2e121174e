"""study.spam_volume: estimated volume of a period per area, channel, unit, definition and quantity."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.contracts import struct_type
from jobs.study_rows import COUNTED, MEASURES, as_table, collected, of_period, periods_of
from jobs.study_sample import Reference, estimates, sample_of

TABLE = "study.spam_volume"
CELL = ("channel_code", "unit_code", "definition_code")


def transform(
    submission: DataFrame,
    operator_frame: DataFrame,
    denominator: DataFrame,
    country: DataFrame,
    country_group: DataFrame,
) -> DataFrame:
    """Spark adds up stages and outcomes; each cell of hundreds of operators is then estimated in one task."""
    reference = Reference(
        collected(operator_frame), collected(denominator), collected(country), collected(country_group)
    )

    def estimated(volumes: pa.Table) -> pa.Table:
        found = pl.from_arrow(volumes)
        assert isinstance(found, pl.DataFrame)
        return as_table(cell_rows(found, reference), TABLE)

    whose = ("respondent_id", "period_code", *CELL)
    volumes = (
        submission.filter(F.col("direction_code").isin(*COUNTED))
        .groupBy(*whose)
        .agg(*(F.sum(name).alias(name) for name in MEASURES), F.max("subscriptions").alias("subscriptions"))
    )
    return volumes.groupBy(*CELL).applyInArrow(estimated, struct_type(TABLE))


def cell_rows(volumes: pl.DataFrame, reference: Reference) -> list[dict[str, object]]:
    """The rows of one channel, unit and definition, of every period that its volumes give."""
    cell = {name: volumes[name][0] for name in CELL}
    rows = []
    for period in periods_of(volumes):
        answered = of_period(volumes, period, ["respondent_id"])
        if answered.is_empty():
            continue
        sample, answered = sample_of(reference, answered, cell["channel_code"], period, tuple(cell.values()))
        for row in estimates(sample, answered.select(MEASURES).cast(pl.Float64).to_numpy()):
            place = row.pop("measure")
            assert isinstance(place, int)
            rows.append(row | cell | {"period_code": period, "quantity_code": MEASURES[place]})
    return rows
