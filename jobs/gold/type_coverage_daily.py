"""gold.type_coverage_daily: how much of what was blocked or marked has a type, by who told it."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.gold.counting import CERTAIN, UNITS, state
from jobs.gold.predicates import of_operator

KEY = ["operator_id", "period_date", "channel_code", "engine_code"]
UNTYPED = "UNK"
# What all told together, and the server alone where no filter spoke.
ALL, NO_FILTER = "_T", "_U"


def transform(message: DataFrame, definition: DataFrame) -> DataFrame:
    """Each unit typed by a strong rule, by weak rules alone, or not at all: once under _T, by all that told,
    and under each filter that spoke, by what that filter told.

    Raises ObservatoryError if there is no definition of what was blocked or marked.
    """
    marked = message.filter(state(of_operator(definition)) == CERTAIN).select(
        *KEY[:-1],
        tellers().alias("tellers"),
        *(F.expr(weight).alias(unit) for unit, weight in UNITS.items()),
    )
    # First the few groups, then each of them once for each teller and unit.
    grouped = marked.groupBy(*KEY[:-1], "tellers").agg(*(F.sum(unit).alias(unit) for unit in UNITS))
    units = F.array(*(F.struct(F.lit(unit).alias("code"), F.col(unit).alias("count")) for unit in UNITS))
    told = grouped.select("*", F.explode("tellers").alias("teller"))
    cells = told.select(*KEY[:-1], "teller.*", F.explode(units).alias("unit")).filter("unit.count > 0")
    return cells.groupBy(*KEY, F.col("unit.code").alias("unit_code")).agg(
        F.sum("unit.count").alias("units_marked"),
        *(
            F.sum(F.when(F.col("typed") == kind, F.col("unit.count")).otherwise(0)).alias(f"units_{kind}")
            for kind in ("strong", "weak", "untyped")
        ),
    )


def tellers() -> Column:
    """Under which codes a message counts, each with what is told there."""

    def told_by(code: Column, typed: Column) -> Column:
        return F.struct(code.alias("engine_code"), typed.alias("typed"))

    together = typed(F.col("spam_type_code"), F.col("is_type_strong"))
    engines = F.transform(
        "engine_types", lambda one: told_by(one.engine_code, typed(one.spam_type_code, one.is_type_strong))
    )
    spoke = F.coalesce(F.size("engine_types") > 0, F.lit(False))
    by_engine = F.when(spoke, engines).otherwise(F.array(told_by(F.lit(NO_FILTER), together)))
    return F.concat(by_engine, F.array(told_by(F.lit(ALL), together)))


def typed(code: Column, is_strong: Column) -> Column:
    """strong, weak or untyped."""
    return F.when(code == UNTYPED, "untyped").when(is_strong, "strong").otherwise("weak")
