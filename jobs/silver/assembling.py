"""bronze → silver, the first step: the rows of one key become transmissions, verdicts, complaints or facts.

Bronze rows that may belong together share (operator_id, assembly_key). The kernel that assembled each piece
of a log assembles the rows of all pieces, and protect turns raw identifiers into pseudonyms.

The work can be cut into buckets (jobs/silver/bucketing.py). Held rows, which have no key of their own yet,
are settled before that, over all rows.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from jobs.core.contracts import contract, polars_schema
from jobs.formats.format import SILVER
from jobs.formats.registry import KERNELS
from jobs.protect import pseudonyms
from jobs.protect.operators import Door
from jobs.silver import copies, repeats
from jobs.silver.keys import digests

PLACE = ("source_id", "stream_id", "offset")
# For each silver table the column of its key that is made here, its separator and parts.
KEYS: dict[str, tuple[str, str, tuple[str | pl.Expr, ...]]] = {
    "silver.verdict": ("verdict_hash", ":", ("engine_code", *PLACE)),
    "silver.complaint": ("complaint_hash", ":", PLACE),
    "silver.authentication_report": ("record_hash", ":", ("report_hash", "record_number")),
    "silver.operator_knowledge": ("knowledge_hash", ":", PLACE),
    # An attempt has no queue: the place of its first line identifies it.
    "silver.transmission": (
        "transmission_hash",
        "|",
        (
            pl.coalesce("queue_key", pl.concat_str(*PLACE, separator=":", ignore_nulls=True)),
            pl.col("first_at").dt.epoch("us"),
            "recipient_hash",
        ),
    ),
}


def settled_formats() -> list[str]:
    """The formats with rows that wait for settled()."""
    return [name for name, kernel in KERNELS.items() if kernel.settle]


def is_held(format_name: str) -> pl.Expr:
    """Whether a bronze row of the format waits for settled()."""
    held = KERNELS[format_name].held
    return pl.lit(False) if held is None else held.fill_null(False)


def settled(format_name: str, bronze: pl.DataFrame) -> pl.DataFrame:
    """The bronze rows with held rows settled: each has the key of its queue file or session.

    The held rows of an assembly_key must be together; all other rows pass as they are and need not be there.
    """
    kernel = KERNELS[format_name]
    if kernel.settle is None or bronze.is_empty():
        return bronze
    waits = bronze.select(is_held(format_name)).to_series()
    if not waits.any():
        return bronze
    found = kernel.settle(bronze.filter(waits).lazy()).collect()
    rest = bronze.filter(~waits).select(found.columns)
    return pl.concat([rest, found.select(pl.col(name).cast(kind) for name, kind in rest.schema.items())])


def assembled(table: str, formats: Mapping[str, pl.DataFrame], door: Door) -> pl.DataFrame:
    """Rows of a silver table from the bronze rows of each format, of which no row is held.

    All bronze rows of an assembly_key must be there, of formats that complete each other too. Formats without
    rows of the table may be there. The columns are those of the table's contract.
    """
    parts = [
        of_format(table, name, formats, door)
        for name, bronze in formats.items()
        if getattr(KERNELS[name], SILVER[table]) and not bronze.is_empty()
    ]
    if not parts:
        return pl.DataFrame(schema=polars_schema(table))
    return with_key(table, pl.concat(parts)).select(contract(table).columns)


def with_key(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of a silver table with the column of its key."""
    column, separator, identity = KEYS[table]
    return rows.with_columns(digests(rows, *identity, separator=separator).alias(column))


def of_format(table: str, name: str, formats: Mapping[str, pl.DataFrame], door: Door) -> pl.DataFrame:
    """Rows of a silver table from the bronze rows of one format, without their key."""
    protected: pl.DataFrame = getattr(pseudonyms, SILVER[table])(raw_rows(table, name, formats), door)
    return protected


def raw_rows(table: str, name: str, formats: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The same before protect: as the kernel of the format gives them, with raw identifiers."""
    kernel = KERNELS[name]
    # Kernels collect their rows more than once.
    rows = kernel.assemble(formats[name].lazy()).collect().lazy()
    found = getattr(kernel, SILVER[table])(rows)
    other = kernel.completed_by
    if table == "silver.transmission" and other and other in formats and not formats[other].is_empty():
        beside = KERNELS[other].assemble(formats[other].lazy())
        found = KERNELS[other].complete(found, beside)
    raw: pl.DataFrame = found.collect()
    return raw


def all_counted_once(formats: Mapping[str, pl.DataFrame]) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """All bronze rows of each format, settled and without copies, and the counts of the copies."""
    whole = {name: settled(name, bronze) for name, bronze in formats.items()}
    found = [pl.DataFrame(schema=copies.EXTENT)]
    found += [copies.extents(rows, name) for name, rows in whole.items()]
    extents = pl.concat(found)
    return copies.counted_once(whole, copies.logs_of(extents), repeats.turns(extents))


def from_bronze(table: str, formats: Mapping[str, pl.DataFrame], operator: pl.DataFrame) -> pl.DataFrame:
    """Rows of a silver table from all bronze rows of its formats and the rows of ref.operator."""
    return assembled(table, all_counted_once(formats)[0], Door.of(operator))
