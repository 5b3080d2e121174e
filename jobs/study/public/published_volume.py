"""public.published_volume: volumes that others published, beside public figures of this study."""

import polars as pl

from jobs.base.figures.own_figures import OWN, WHERE, own_figures
from jobs.base.tables.public_contracts import PublicContract
from jobs.study.disclosure.coarse import coarsen_outward
from jobs.study.public.intervals import DIGITS
from jobs.study.public.tables import coarsen_rows


def transform(rows: pl.DataFrame, contract: PublicContract, spam_volume: pl.DataFrame) -> pl.DataFrame:
    """A row for each published figure."""
    own = own_figures(spam_volume)
    for name, outward in (("own_low", -1), ("own_high", 1)):
        ends = [None if end is None else coarsen_outward(end, DIGITS, outward) for end in own[name].to_list()]
        own = own.with_columns(pl.Series(name, ends, dtype=pl.Float64))
    return coarsen_rows(rows.drop(OWN).join(own, on=[*WHERE, "comparison_code"], how="left"), contract)
