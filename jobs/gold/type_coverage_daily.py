"""gold.type_coverage_daily: how much of what was blocked or marked has a type, by filter engine."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.errors import ObservatoryError
from jobs.gold.counting import CERTAIN, UNITS, known_or, state
from jobs.gold.predicates import definitions

KEY = ["operator_id", "period_date", "channel_code", "engine_code"]
# Blocked or marked by a measure against spam.
MARKED = "OPERATOR"
UNTYPED = "UNK"


def transform(message: DataFrame, definition: DataFrame) -> DataFrame:
    """Each unit once: typed by a strong rule, typed by weak rules alone, or of no type that the log tells.

    Raises ObservatoryError if there is no definition of what was blocked or marked.
    """
    rules = definitions(definition.filter(F.col("definition_code") == MARKED).collect()).get(MARKED)
    if rules is None:
        raise ObservatoryError(
            f"definition.csv has no row {MARKED}, which says what measures against spam stopped or marked:"
            " add it again"
        )
    marked = message.filter(state(rules) == CERTAIN).select(
        *KEY[:-1],
        *known_or("engine_code"),
        typed().alias("typed"),
        *(F.expr(weight).alias(unit) for unit, weight in UNITS.items()),
    )
    # First the few groups, then each of them once for each unit.
    grouped = marked.groupBy(*KEY, "typed").agg(*(F.sum(unit).alias(unit) for unit in UNITS))
    units = F.array(*(F.struct(F.lit(unit).alias("code"), F.col(unit).alias("count")) for unit in UNITS))
    cells = grouped.select(*KEY, "typed", F.explode(units).alias("unit")).filter("unit.count > 0")
    return cells.groupBy(*KEY, F.col("unit.code").alias("unit_code")).agg(
        F.sum("unit.count").alias("units_marked"),
        *(
            F.sum(F.when(F.col("typed") == kind, F.col("unit.count")).otherwise(0)).alias(f"units_{kind}")
            for kind in ("strong", "weak", "untyped")
        ),
    )


def typed() -> Column:
    """strong, weak or untyped."""
    return (
        F.when(F.col("spam_type_code") == UNTYPED, "untyped")
        .when(F.col("is_type_strong"), "strong")
        .otherwise("weak")
    )
