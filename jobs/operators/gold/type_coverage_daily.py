"""gold.type_coverage_daily: how much of what was blocked or marked has a type, by the source of the type."""

import polars as pl

from jobs.base.figures.counting_rules import OPERATOR
from jobs.operators.gold.shared.counting import CERTAIN, mark_messages, unpack_state
from jobs.operators.gold.shared.measures import UNITS
from jobs.operators.gold.shared.predicates import operator_definitions, read_definitions

DAY = ["operator_id", "period_date", "channel_code"]
UNTYPED = "UNK"
# All sources of types together, and the server alone where no filter gave a verdict.
ALL, NO_FILTER = "_T", "_U"


def partial(message: pl.DataFrame, definition: pl.DataFrame) -> pl.DataFrame:
    """Each unit typed by a strong rule, by weak rules alone, or not at all: once under _T, by all sources
    together, and under each filter that gave a verdict, by that filter's types.

    Raises ObservatoryError if there is no definition of what was blocked or marked.
    """
    operator_definitions(definition)
    place = list(read_definitions(definition)).index(OPERATOR)
    units = [f"units_{unit}" for unit in UNITS]
    spam = mark_messages(message, definition).filter(unpack_state(place) == CERTAIN)
    kept = [*DAY, *units]
    types = [*kept, "spam_type_code", "is_type_strong"]
    has_engines = (pl.col("engine_types").list.len() > 0).fill_null(False)
    parts = [
        spam.select(*types, engine_code=pl.lit(ALL)),
        spam.filter(~has_engines).select(*types, engine_code=pl.lit(NO_FILTER)),
        spam.filter(has_engines)
        .select(*kept, "engine_types")
        .explode("engine_types")
        .unnest("engine_types")
        .select(*types, "engine_code"),
    ]
    is_untyped = (pl.col("spam_type_code") == UNTYPED).fill_null(False)
    is_strong = pl.col("is_type_strong").fill_null(False)
    typed = pl.when(is_untyped).then(pl.lit("untyped")).when(is_strong).then(pl.lit("strong"))
    kinds = ("strong", "weak", "untyped")
    # First the few groups, then each of them once for each unit.
    grouped = (
        pl.concat(parts)
        .with_columns(typed=typed.otherwise(pl.lit("weak")))
        .group_by(*DAY, "engine_code")
        .agg(
            *(pl.col(unit).sum() for unit in units),
            *(
                pl.col(unit).filter(pl.col("typed") == kind).sum().alias(f"{unit}_{kind}")
                for unit in units
                for kind in kinds
            ),
        )
    )
    return pl.concat(
        grouped.filter(pl.col(f"units_{unit}") > 0).select(
            *DAY,
            "engine_code",
            unit_code=pl.lit(unit),
            units_marked=f"units_{unit}",
            **{f"units_{kind}": f"units_{unit}_{kind}" for kind in kinds},
        )
        for unit in UNITS
    )
