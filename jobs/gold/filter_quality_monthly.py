"""gold.filter_quality_monthly: how much of what a filter saw was spam, and how often the filter was right."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs import prevalence
from jobs.contracts import arrow_schema, struct_type
from jobs.gold.counting import CONTENT_SEEN, RECEIVED
from jobs.prevalence import Figure, Stratum

TABLE = "gold.filter_quality_monthly"
CHANNEL = ["operator_id", "period_code", "channel_code"]
# Whether the filter's call says spam; logs do not tell where the measure is unknown.
FLAGS = {"blocked": True, "tagged": True, "undecided": None, "passed": False}


def transform(
    audit_sample: DataFrame, audit_label: DataFrame, spam_volume_daily: DataFrame, filter_quality: DataFrame
) -> DataFrame:
    """A channel's month is estimated as a whole: its strata are drawn again together."""
    of_strata = with_labels(audit_sample, audit_label).groupBy(*CHANNEL)
    audited = of_strata.applyInArrow(audited_quality, struct_type(TABLE))
    of_tests = flagged(spam_volume_daily).join(
        F.broadcast(filter_quality.withColumnRenamed("channel", "channel_code")),
        ["operator_id", "channel_code"],
    )
    tested = of_tests.groupBy(*CHANNEL).applyInArrow(tested_quality, struct_type(TABLE))
    return audited.unionByName(tested)


def with_labels(sample: DataFrame, label: DataFrame) -> DataFrame:
    """The strata of a sample, with how many of their units were labelled."""
    key = ["operator_id", "period_code", "stratum_code"]
    labelled = label.groupBy(*key).agg(
        F.count_if(F.col("label_code").isin("spam", "not_spam")).alias("labelled"),
        F.count_if(F.col("label_code") == "spam").alias("spam"),
        F.count_if(F.col("label_code") == "unsure").alias("unsure"),
    )
    columns = ["channel_code", "filter_call_code", "population_count", "sampled_count", "sample_seed"]
    return sample.select(*key, *columns).join(labelled, on=key, how="left").na.fill(0)


def flagged(volume: DataFrame) -> DataFrame:
    """What the filter made of the messages whose content it had, by operator, month and channel."""
    is_asked = (
        (F.col("definition_code") == "OPERATOR")
        & (F.col("unit_code") == "recipient")
        & F.col("direction_code").isin(RECEIVED)
        & F.col("stage_code").isin(CONTENT_SEEN)
    )
    month = F.date_format("period_date", "yyyy-MM").alias("period_code")
    sums = [F.sum(name).alias(name) for name in ("units", "spam_certain", "spam_possible")]
    return volume.filter(is_asked).groupBy("operator_id", month, "channel_code").agg(*sums)


def audited_quality(strata: pa.Table) -> pa.Table:
    """The rows of one channel's audit: its strata, and _T."""
    rows = sorted(strata.to_pylist(), key=lambda row: row["stratum_code"])
    seed = "|".join(str(rows[0][name]) for name in (*CHANNEL, "sample_seed"))
    made = []
    cells = []
    for row in rows:
        flag = FLAGS[row["filter_call_code"]]
        cell = Stratum(
            code=row["stratum_code"],
            call=row["filter_call_code"],
            is_flagged=flag,
            units=row["population_count"],
            sampled=row["sampled_count"],
            labelled=row["labelled"],
            spam=row["spam"],
        )
        cells.append(cell)
        alone = prevalence.of_stratum(cell, seed)
        clean = cell.labelled - cell.spam
        ends = (cell.spam / cell.sampled, 1 - clean / cell.sampled) if alone else None
        made.append(counts(row, cell.code, [cell], row["unsure"]) | figures("prevalence", alone) | band(ends))
    found = prevalence.quality(cells, seed)
    total = counts(rows[0], "_T", cells, sum(row["unsure"] for row in rows))
    if found is not None:
        total |= figures("prevalence", found.prevalence) | band((found.least, found.most))
        total |= figures("sensitivity", found.sensitivity) | figures("specificity", found.specificity)
    return table_of([*made, total])


def counts(row: dict[str, Any], code: str, cells: list[Stratum], unsure: int) -> dict[str, Any]:
    """What a row of an audit counts."""
    sampled, labelled = (sum(getattr(each, name) for each in cells) for name in ("sampled", "labelled"))
    return {
        **{name: row[name] for name in CHANNEL},
        "stratum_code": code,
        "quality_method_code": "audit",
        "units": sum(each.units for each in cells),
        "spam_certain": sum(each.units for each in cells if each.is_flagged),
        "spam_possible": sum(each.units for each in cells if each.is_flagged is not False),
        "sampled_count": sampled,
        "labelled_count": labelled,
        "unsure_count": unsure,
        "response_share": decimal(labelled / sampled) if sampled else None,
        "is_clipped": False,
    }


def tested_quality(month: pa.Table) -> pa.Table:
    """The row of one channel whose filter was tested elsewhere."""
    (row,) = month.to_pylist()
    seed = "|".join(row[name] for name in CHANNEL)
    spam, ham = ((row[f"{kind}_tested"], row[f"{kind}_flagged"]) for kind in ("spam", "ham"))
    apparent = row["spam_certain"] / row["units"], row["spam_possible"] / row["units"]
    found, is_clipped = prevalence.corrected(apparent, spam, ham, seed)
    wrong = prevalence.rate_of(ham, seed, "ham")
    passed = Figure(1 - wrong.value, 1 - wrong.high, 1 - wrong.low)
    made = {name: row[name] for name in (*CHANNEL, "units", "spam_certain", "spam_possible")}
    made |= {"stratum_code": "_T", "quality_method_code": "rogan_gladen", "is_clipped": is_clipped}
    made |= {"sampled_count": 0, "labelled_count": 0, "unsure_count": 0}
    made |= figures("prevalence", found) | figures("specificity", passed)
    return table_of([made | figures("sensitivity", prevalence.rate_of(spam, seed, "spam"))])


def figures(name: str, figure: Figure | None) -> dict[str, Decimal]:
    """An estimate and its interval, as columns."""
    if figure is None:
        return {}
    return {
        name: decimal(figure.value),
        f"{name}_low": decimal(figure.low),
        f"{name}_high": decimal(figure.high),
    }


def band(ends: tuple[float, float] | None) -> dict[str, Decimal]:
    return {} if ends is None else {"prevalence_least": decimal(ends[0]), "prevalence_most": decimal(ends[1])}


def decimal(share: float) -> Decimal:
    return Decimal(f"{share:.8f}")


def table_of(rows: Iterable[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=arrow_schema(TABLE))
