"""bronze → silver: the rows of one key become transmissions, verdicts, complaints, reports or facts.

Bronze rows that may belong together share (operator_id, assembly_key). The kernel that assembled each piece
of a log assembles the rows of all pieces, and protect turns raw identifiers into pseudonyms.

The work can be cut into buckets (jobs/operators/silver/bucketing.py). Held rows, which have no key of their
own yet, are settled before that, over all rows.
"""

from collections.abc import Mapping

import polars as pl

from jobs.base.tables.contracts import polars_schema, read_contract
from jobs.operators.formats.registry import KERNELS
from jobs.operators.protect.operators import Protection
from jobs.operators.protect.pseudonyms import PROTECT
from jobs.operators.silver import copies, file_order
from jobs.operators.silver.event_identity import digest_rows
from jobs.operators.silver.file_order import Order

# A line among those of an operator.
LINE_KEY = ("source_id", "stream_id", "offset")
# For each silver table the column of its key that is made here, its separator and parts.
KEYS: dict[str, tuple[str, str, tuple[str | pl.Expr, ...]]] = {
    "silver.verdict": ("verdict_hash", ":", ("engine_code", *LINE_KEY)),
    "silver.complaint": ("complaint_hash", ":", LINE_KEY),
    "silver.authentication_report": ("record_hash", ":", ("report_hash", "record_number")),
    "silver.operator_knowledge": ("knowledge_hash", ":", LINE_KEY),
    # An attempt has no queue: the place of its first line identifies it.
    "silver.transmission": (
        "transmission_hash",
        "|",
        (
            pl.coalesce("queue_key", pl.concat_str(*LINE_KEY, separator=":", ignore_nulls=True)),
            pl.col("first_at").dt.epoch("us"),
            "recipient_hash",
        ),
    ),
}


def is_held(format_name: str) -> pl.Expr:
    """Return whether a bronze row of the format waits for settle_rows()."""
    held = KERNELS[format_name].is_held
    return pl.lit(False) if held is None else held.fill_null(False)


def settle_rows(format_name: str, bronze: pl.DataFrame) -> pl.DataFrame:
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


def assemble_rows(
    table: str, formats: Mapping[str, pl.DataFrame], protection: Protection, order: Order | None = None
) -> pl.DataFrame:
    """Rows of a silver table from the bronze rows of each format, of which no row is held.

    All bronze rows of an assembly_key must be there, of formats that complete each other too. Formats without
    rows of the table may be there. The columns are those of the table's contract.

    Args:
        order: of the files (jobs/operators/silver/file_order.py), if the rows are not all; streams may have
            their names already.
    """
    order = order_formats(formats) if order is None else order
    parts = [
        PROTECT[table](raw_rows(table, name, formats, order), protection)
        for name, bronze in formats.items()
        if table in KERNELS[name].silver_rows and not bronze.is_empty()
    ]
    if not parts:
        return pl.DataFrame(schema=polars_schema(table))
    return add_key(table, pl.concat(parts)).select(read_contract(table).columns)


def add_key(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of a silver table with the column of its key."""
    column, separator, identity = KEYS[table]
    return rows.with_columns(digest_rows(rows, *identity, separator=separator).alias(column))


def raw_rows(
    table: str, name: str, formats: Mapping[str, pl.DataFrame], order: Order | None = None
) -> pl.DataFrame:
    """Rows of a silver table from the bronze rows of one format, with raw identifiers and without a key."""
    order = order_formats(formats) if order is None else order
    kernel = KERNELS[name]
    # Kernels collect their rows more than once.
    rows = kernel.assemble(file_order.name_streams(formats[name], order).lazy()).collect().lazy()
    found = kernel.silver_rows[table](rows)
    other = KERNELS.get(kernel.completed_by or "")
    records = formats.get(other.name) if other else None
    if table == "silver.transmission" and other and other.complete and records is not None and len(records):
        beside = other.assemble(file_order.name_streams(records, order).lazy())
        found = other.complete(found, beside)
    raw: pl.DataFrame = found.collect()
    return file_order.restore_streams(raw, order)


def order_formats(formats: Mapping[str, pl.DataFrame]) -> Order:
    """The order of the files that these bronze rows are of."""
    found = [pl.DataFrame(schema=copies.EXTENT)]
    return file_order.order_files(
        pl.concat([*found, *(copies.file_extents(rows, name) for name, rows in formats.items())])
    )
