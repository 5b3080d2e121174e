"""public.cost: costs of spam by published models, each figure of one quantity in columns of its own."""

import polars as pl

from jobs.base.tables.public_contracts import PublicContract
from jobs.study.public.tables import coarsen_rows

# Columns of study.cost, one for each quantity, and the points that each holds.
QUANTITIES = ("investment", "operating_cost", "social_cost", "loss", "criminal_revenue", "transfer", "mixed")
POINTS = ("p05", "p50", "p95", "central", "printed")


def transform(rows: pl.DataFrame, contract: PublicContract) -> pl.DataFrame:
    """A row for each figure of a published model: its points, whichever quantity it is of."""
    points = [
        pl.coalesce(pl.col(quantity).struct.field(point) for quantity in QUANTITIES).alias(f"amount_{point}")
        for point in POINTS
    ]
    return coarsen_rows(rows.with_columns(points), contract)
