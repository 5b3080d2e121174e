"""gold.bulk_daily: messages of each day by their is_bulk, and by the evidence for it."""

import polars as pl

from jobs.base.core.codes import choose_case
from jobs.operators.gold.shared import bulk
from jobs.operators.gold.shared.similarity import CHANNEL_DAY

# The group of what no copies prove.
NO_GROUP = "_T"


def partial(message: pl.DataFrame, proof: pl.DataFrame) -> pl.DataFrame:
    """A row per operator, day and basis of bulk, from the messages of some days.

    Args:
        message: before bulk.fill_bulk().
        proof: bulk.collect_evidence() of its days.
    """
    judged = bulk.join_evidence(message.select(COLUMNS), proof, bulk.REACHED).with_columns(
        is_bulk=bulk.BULK, basis_code=bulk_basis()
    )
    is_proved = pl.col("basis_code") == "copies"
    # A text that the operator stated as bulk may also be proved.
    found = {name: pl.when(is_proved).then(name) for name in bulk.REACHED}
    group = found["group_hash"].fill_null(NO_GROUP)
    return (
        judged.with_columns(**found | {"group_hash": group})
        .group_by(*CHANNEL_DAY, "basis_code", "group_hash")
        .agg(
            pl.col("is_bulk", *bulk.REACHED[1:]).drop_nulls().first(),
            message_row_count=pl.len().cast(pl.Int64),
            key_id=pl.col("key_id").first(),
        )
    )


def bulk_basis() -> pl.Expr:
    """Evidence for is_bulk of a message without copies: what the operator stated comes first."""
    stated = pl.when("is_bulk").then(pl.lit("told_bulk")).otherwise(pl.lit("told_not_bulk"))
    return choose_case(
        (pl.col("is_bulk").is_not_null(), stated),
        ("proved", "copies"),
        ("is_found", "alike"),
        (bulk.IS_LOOKED_UP & pl.col("disproved").is_not_null(), "texts"),
        otherwise="unknown",
    )


# The columns of silver.message that partial() reads.
COLUMNS = [*bulk.TEXT_COLUMNS, "signature_kind_code", "is_bulk"]
