"""Rows of silver in buckets, in memory."""

from collections.abc import Mapping, Sequence

import polars as pl

from jobs.operators.protect.operators import Protection
from jobs.operators.silver import pipeline, steps
from jobs.operators.silver.exchange import StepParameters
from jobs.operators.silver.frames import KNOWLEDGE, MESSAGE, TRANSMISSION, VERDICT
from jobs.operators.silver.memory import Memory


def assembled_in_buckets(
    table: str, formats: Mapping[str, pl.DataFrame], protection: Protection, count: int
) -> Sequence[pl.DataFrame]:
    """The rows of a silver table in each bucket, before those that belong elsewhere move."""
    memory = pipeline.read_bronze(formats, StepParameters(protection, count, tables=(table,)))
    pipeline.assemble_tables(memory)
    return [memory.kept_rows(table, number) for number in range(count)]


def message_in_buckets(
    transmission: pl.DataFrame,
    verdict: pl.DataFrame,
    operator_knowledge: pl.DataFrame,
    attribute_rule: pl.DataFrame,
    count: int,
) -> pl.DataFrame:
    """silver.message of transmissions and verdicts that lie anywhere, with as many cuts as buckets."""
    memory = Memory(StepParameters(pipeline.NOBODY, count, cuts=count, attribute_rule=attribute_rule))
    for table, rows in ((TRANSMISSION, transmission), (VERDICT, verdict)):
        anywhere = rows.hash_rows(7) % count if rows.height else pl.Series([], dtype=pl.UInt64)
        for number in range(count):
            steps.leave_home(memory.make_place(number), table, rows.filter(anywhere == number))
    memory.leave_rows(KNOWLEDGE, operator_knowledge)
    pipeline.make_messages(memory)
    return memory.table_rows(MESSAGE)
