"""public.published_volume: volumes that others published, beside public figures of this study."""

import polars as pl

from jobs.core.own_figures import OWN, WHERE, own_figures
from jobs.public.contracts import PublicContract
from jobs.public.tables import coarsen_rows


def transform(rows: pl.DataFrame, about: PublicContract, spam_volume: pl.DataFrame) -> pl.DataFrame:
    """A row for each published figure."""
    own = own_figures(spam_volume)
    return coarsen_rows(rows.drop(OWN).join(own, on=[*WHERE, "comparison_code"], how="left"), about)
