"""Classes of shares of yes-or-no answers, with the edges of each class as figures."""

from itertools import pairwise

import polars as pl

from jobs.base.tables.contracts import list_codes
from jobs.base.tables.public_contracts import CLASSES, PublicContract
from jobs.study.public.tables import coarsen_rows


def transform(rows: pl.DataFrame, contract: PublicContract) -> pl.DataFrame:
    """A row for each line, area and answer that leaves."""
    codelist, steps = CLASSES["chosen_pct"]
    edges = dict(zip(list_codes(codelist), pairwise((0, *steps, 100)), strict=True))
    made = coarsen_rows(rows, contract)
    for name, end in (("share_from_pct", 0), ("share_below_pct", 1)):
        of_class = {code: float(each[end]) for code, each in edges.items()}
        share = pl.col("share_class_code").replace_strict(of_class, return_dtype=pl.Float64)
        made = made.with_columns(share.cast(contract.schema[name]).alias(name))
    return made
