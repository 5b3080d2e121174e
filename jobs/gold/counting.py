"""Counting messages under every definition of spam at once, in one pass."""

from __future__ import annotations

import sqlglot
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from sqlglot import exp

from jobs.contracts import contract
from jobs.errors import ObservatoryError

# How much of each unit a row of silver.message is, as SQL: Spark is not there yet when this is imported.
UNITS = {
    "recipient": "CAST(grain_code = 'recipient' AS BIGINT)",
    "message": "CAST(is_message_row AS BIGINT)",
    "attempt": "CAST(grain_code = 'attempt' AS BIGINT)",
    "call": "CAST(grain_code = 'call' AS BIGINT)",
    "segment": "CAST(IF(grain_code = 'recipient', COALESCE(segment_count, 0), 0) AS BIGINT)",
}
# Messages to the operator's own, decided on when their content was there: what a filter's error is of.
RECEIVED = ["inbound", "internal"]
CONTENT_SEEN = ["content", "delivery"]
# What a predicate may be made of: anything else could see a NULL as a value, or run code.
ALLOWED = (
    exp.Column,
    exp.Identifier,
    exp.Literal,
    exp.Boolean,
    exp.EQ,
    exp.NEQ,
    exp.LT,
    exp.LTE,
    exp.GT,
    exp.GTE,
    exp.In,
    exp.And,
    exp.Or,
    exp.Not,
    exp.Paren,
)


def counted(message: DataFrame, definition: DataFrame, by: list[str]) -> DataFrame:
    """Rows `by` those columns and unit_code and definition_code, with units, spam_certain and
    spam_possible.

    Definitions are aggregated wide, in one pass whatever their number, then turned long.
    """
    defined = [
        (row.definition_code, predicate(row.predicate, row.definition_code), row.channels)
        for row in definition.collect()
    ]
    sums = [
        F.sum(F.when(condition, F.expr(weight)).otherwise(0)).alias(f"{unit}_{code}_{name}")
        for unit, weight in UNITS.items()
        for code, spam, _ in defined
        for name, condition in (("certain", spam), ("possible", F.coalesce(spam, F.lit(True))))
    ]
    totals = [F.sum(F.expr(weight)).alias(f"{unit}_units") for unit, weight in UNITS.items()]
    wide = message.groupBy(by).agg(*totals, *sums)
    cells = F.array(
        *(
            F.struct(
                F.lit(unit).alias("unit_code"),
                F.lit(code).alias("definition_code"),
                F.when(covers(channels), F.col(f"{unit}_units")).otherwise(0).alias("units"),
                F.col(f"{unit}_{code}_certain").alias("spam_certain"),
                F.col(f"{unit}_{code}_possible").alias("spam_possible"),
            )
            for unit in UNITS
            for code, _, channels in defined
        )
    )
    return wide.select(*by, F.explode(F.filter(cells, lambda cell: cell.units > 0)).alias("cell")).select(
        *by, "cell.*"
    )


def covers(channels: str) -> Column:
    """Whether a definition speaks of the row's channel; `*` speaks of all."""
    return F.lit(True) if channels == "*" else F.col("channel_code").isin(channels.split("|"))


def predicate(text: str, code: str) -> Column:
    """A definition's predicate as a three-valued column over silver.message.

    Raises ObservatoryError, naming the definition, if it does not parse, names an unknown column or uses
    more than columns, literals, comparisons, IN, AND, OR and NOT.
    """
    where = f"ref.definition, row {code}"
    try:
        tree = sqlglot.parse_one(text, dialect="spark")
    except sqlglot.errors.SqlglotError as error:
        raise ObservatoryError(
            f"{where}: the predicate does not parse: {str(error).splitlines()[0]}"
        ) from None
    known = contract("silver.message").columns
    for node in tree.walk():
        if not isinstance(node, ALLOWED):
            raise ObservatoryError(
                f"{where}: '{node.sql()}' is a {type(node).__name__}; a predicate may hold columns, literals,"
                " comparisons, IN, AND, OR and NOT only"
            )
        if isinstance(node, exp.Column) and node.name not in known:
            raise ObservatoryError(f"{where}: silver.message has no column '{node.name}'")
    return F.expr(text)


def known_or(*columns: str, unknown: Column | None = None) -> list[Column]:
    """The columns with _U where a log does not tell."""
    value = F.lit("_U") if unknown is None else unknown
    return [F.coalesce(name, value).alias(name) for name in columns]


VOLUME = ["operator_id", "period_date", "channel_code", "direction_code", "stage_code", "outcome_code"]
