"""Which type a message has, of all that its server and its filters told.

Each of them gives the type that its rules tell best (jobs/rules.py) with the priority of the best rule. Here
these are held against each other in the same order: a type beats UNK, strong beats weak, the smaller priority
wins, then the more harmful group. How many rules told a type counts only among the rules of one place.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from jobs.rules import HARM, UNKNOWN_TYPE

CODES = "array<string>"
# Rows of before priorities were kept come last among as strong ones.
LAST = 2**31 - 1


def evidence() -> Column:
    """What one row of a server or a filter tells of the type; the least is the best, null tells nothing."""
    code = F.col("spam_type_code")
    harm = F.array_position(F.array(*map(F.lit, HARM)), F.split(code, r"\.")[0])
    told = F.struct(
        (code == UNKNOWN_TYPE).alias("is_unknown"),
        (~F.coalesce("is_type_strong", F.lit(False))).alias("is_weak"),
        F.coalesce("type_priority", F.lit(LAST)).alias("priority"),
        harm.alias("harm"),
        code.alias("spam_type_code"),
    )
    return F.when(code.isNotNull(), told)


def of_engine() -> Column:
    """The engine of a verdict with the type that it told by itself."""
    return F.struct(
        "said.engine_code",
        F.coalesce("said.evidence.spam_type_code", F.lit(UNKNOWN_TYPE)).alias("spam_type_code"),
        F.coalesce(~F.col("said.evidence.is_weak"), F.lit(False)).alias("is_type_strong"),
    )


def decided() -> list[Column]:
    """The type of a message, whether strong evidence tells it, and all types, from `filters_told`, the best
    that filters told, `filters_types`, all of theirs, and the server's own columns."""
    best = F.least("filters_told", evidence())
    return [
        F.coalesce(best.spam_type_code, F.lit(UNKNOWN_TYPE)).alias("spam_type_code"),
        F.coalesce(~best.is_weak, F.lit(False)).alias("is_type_strong"),
        F.array_sort(
            F.array_distinct(
                F.concat(
                    *(
                        F.coalesce(each, F.array().cast(CODES))
                        for each in ("filters_types", "spam_type_codes")
                    )
                )
            )
        ).alias("spam_type_codes"),
    ]
