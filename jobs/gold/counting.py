"""Counting messages under every definition of spam at once, in one pass."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.gold.predicates import Definition, definitions
from jobs.shares import CONTENT_SEEN

# How much of each unit a row of silver.message is, as SQL: Spark is not there yet when this is imported.
UNITS = {
    "recipient": "CAST(grain_code = 'recipient' AS BIGINT)",
    "message": "CAST(is_message_row AS BIGINT)",
    "attempt": "CAST(grain_code = 'attempt' AS BIGINT)",
    "call": "CAST(grain_code = 'call' AS BIGINT)",
    "segment": "CAST(IF(grain_code = 'recipient', COALESCE(segment_count, 0), 0) AS BIGINT)",
}
# A definition's two bits in a mask: what it says of a message. SILENT: it does not speak of the channel, or
# was not yet or no longer the definition on that day.
NO, POSSIBLE, SILENT, CERTAIN = 0, 1, 2, 3
# So many definitions has one whole number: the sign's bit stays free.
PER_MASK = 31
# Of a recipient, whether the operator had its content: what has no stage keeps it apart, for only of that can
# an audit tell. Other units have none, since audits are of recipients.
CONTENT = (
    "CAST(IF(grain_code = 'recipient'"
    f" AND stage_code IN ({', '.join(repr(code) for code in CONTENT_SEEN)}), 1, 0) AS BIGINT)"
)
CONTENT_NAMES = {
    "units": "content_units",
    "spam_certain": "content_certain",
    "spam_possible": "content_possible",
}


def counted(message: DataFrame, definition: DataFrame, by: list[str], has_content: bool = False) -> DataFrame:
    """Rows `by` those columns and unit_code and definition_code, with units, spam_certain and
    spam_possible; has_content: also with those of them whose content the operator had, for recipients.

    All definitions together put one mask on each message, so that one pass groups by the mask whatever their
    number; the few groups are then told out by unit and definition. What a definition does not speak of has
    no row.
    """
    known = definitions(definition.collect())
    states = [state(rows) for rows in known.values()]
    masks = {
        f"mask_{start // PER_MASK}": mask(states[start : start + PER_MASK])
        for start in range(0, len(states), PER_MASK)
    }
    counts = UNITS | ({"content": CONTENT} if has_content else {})
    weights = [F.expr(weight).alias(unit) for unit, weight in counts.items()]
    marked = message.select(*by, *weights, *(value.alias(name) for name, value in masks.items()))
    grouped = marked.groupBy(*by, *masks).agg(*(F.sum(unit).alias(unit) for unit in counts))
    places = F.array(*map(F.lit, range(len(known))))
    cells = grouped.select("*", F.explode(places).alias("place")).withColumn("state", said(len(masks)))
    wide = cells.filter(F.col("state") != SILENT).groupBy(*by, "place").agg(*sums(list(counts)))
    return told_out(wide, list(known), by, has_content)


def said(masks: int) -> Column:
    """What the definition at `place` says, from its two bits."""
    mask = F.col("mask_0")
    for number in range(1, masks):
        mask = F.when(F.col("place") >= number * PER_MASK, F.col(f"mask_{number}")).otherwise(mask)
    shifted = F.call_function("shiftright", mask, F.col("place") % PER_MASK * 2)
    return shifted.bitwiseAND(F.lit(3)).cast("int")


def sums(counts: list[str]) -> list[Column]:
    """Of each count: all, those that are spam, and those that may be."""
    state = F.col("state")
    kept = {
        "units": F.lit(True),
        "spam_certain": state == CERTAIN,
        "spam_possible": state != NO,
    }
    return [
        F.sum(F.when(condition, F.col(unit)).otherwise(0)).alias(f"{unit}_{name}")
        for unit in counts
        for name, condition in kept.items()
    ]


def told_out(wide: DataFrame, known: list[str], by: list[str], has_content: bool) -> DataFrame:
    """One row for each unit that there is."""
    columns = {unit: {name: F.col(f"{unit}_{name}") for name in CONTENT_NAMES} for unit in UNITS}
    names = list(CONTENT_NAMES)
    if has_content:
        names += CONTENT_NAMES.values()
        for unit in UNITS:
            of_content = {
                own: F.col(f"content_{name}") if unit == "recipient" else F.lit(0).cast("bigint")
                for name, own in CONTENT_NAMES.items()
            }
            columns[unit] |= of_content
    units = F.array(
        *(
            F.struct(F.lit(unit).alias("unit_code"), *(columns[unit][name].alias(name) for name in names))
            for unit in UNITS
        )
    )
    code = F.element_at(F.array(*map(F.lit, known)), F.col("place") + 1).alias("definition_code")
    cells = wide.select(*by, code, F.explode(units).alias("unit")).filter("unit.units > 0")
    return cells.select(*by, "unit.unit_code", "definition_code", *(f"unit.{name}" for name in names))


def state(rows: list[Definition]) -> Column:
    """What the row of a definition that holds on the message's day says of it."""
    said = F.lit(SILENT)
    for row in rows:
        spam = F.expr(row.predicate)
        says = F.when(spam, CERTAIN).when(spam.isNull(), POSSIBLE).otherwise(NO)
        speaks = F.col("period_date") >= F.lit(row.valid_from)
        if row.valid_to is not None:
            speaks &= F.col("period_date") < F.lit(row.valid_to)
        said = F.when(speaks & covers(row.channels), says).otherwise(said)
    return said


def covers(channels: tuple[str, ...] | None) -> Column:
    """Whether a row's channel is one of those; None is all of them."""
    return F.lit(True) if channels is None else F.col("channel_code").isin(*channels)


def mask(states: list[Column]) -> Column:
    """The states side by side in one whole number, the first in its lowest bits."""
    parts = (F.shiftleft(said.cast("bigint"), 2 * place) for place, said in enumerate(states))
    return reduce(Column.bitwiseOR, parts)


def known_or(*columns: str, unknown: Column | None = None) -> list[Column]:
    """The columns with _U where a log does not tell."""
    value = F.lit("_U") if unknown is None else unknown
    return [F.coalesce(name, value).alias(name) for name in columns]


VOLUME = ["operator_id", "period_date", "channel_code", "direction_code", "stage_code", "outcome_code"]
