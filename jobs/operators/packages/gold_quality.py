"""The errors of the operator's filter in a package, from its gold tables: a row for each month and channel
that an audit or a test elsewhere speaks for.

Where all of a call was labelled, the number of labels is that of its messages, and a share is a count: 0.03
of 100 messages is three. So the number of labels leaves as a multiple of `least_units`. A share leaves in
steps of `least_units` of its messages or a little more, and its interval is widened by steps alone: whatever
counts lie in one step leave as the same three numbers, if all was labelled. For large numbers that changes
nothing.
"""

import polars as pl

from jobs.base.core.call_shares import CALLS, ENDS, UNTOLD
from jobs.base.packages.quality import MONTH, QUALITY, count_seen
from jobs.base.store.lake import Lake
from jobs.base.store.table_files import read_files
from jobs.base.tables.contracts import polars_schema
from jobs.operators.packages.smallcounts import round_to_multiple

GOLD_QUALITY = "gold.filter_quality_monthly"
# Decimals of a share, and a part of a step that only floating point makes.
DIGITS, TINY = 8, 1e-9


def quality_of(
    lake: Lake, version: int | None, operator_id: str, volume: pl.DataFrame, least: int
) -> pl.DataFrame:
    """The rows of a package, for months and channels of its volumes; an audit comes before a test."""
    files = lake.files(GOLD_QUALITY, version, lambda each: each["operator_id"] == operator_id)
    schema = {name: kind for name, kind in polars_schema(QUALITY).items() if name != "respondent_id"}
    if not files:
        return pl.DataFrame(schema=schema)
    estimates = (
        read_files(GOLD_QUALITY, files)
        .filter(stratum_code="_T", spam_type_code="_T")
        .filter(pl.col("prevalence").is_not_null())
        .sort(*MONTH, "quality_method_code")
        .unique(MONTH, keep="first", maintain_order=True)
        .join(count_seen(volume), on=MONTH)
    )
    steps = [each for call in CALLS for each in round_to_steps(call, least)]
    labels = pl.col("labelled_count")
    # An audit has labels: few leave as the least.
    some = pl.when(labels > 0).then(round_to_multiple(labels, least).clip(least)).otherwise(0)
    return estimates.with_columns(some.alias("labelled_count"), *steps).select(
        pl.col(name).cast(kind) for name, kind in schema.items()
    )


def round_to_steps(call: str, least: int) -> list[pl.Expr]:
    """A call's share and its interval as they leave; null where the package has no messages of the call.

    Small counts are under another class: the package may have messages of a call that gold had none of, of
    which nothing is known.
    """
    has_any = pl.col(call) > 0
    # Equal steps from none to all: the last one would otherwise be short, and reveal a small rest.
    step = 1 / (pl.col(call) // least).clip(1)
    value, low, high = (
        pl.col(f"{call}_spam_share{end}").cast(pl.Float64).fill_null(otherwise)
        for end, otherwise in zip(ENDS, UNTOLD, strict=True)
    )
    near = ((value / step).round() * step).clip(0, 1)
    # Distances are rounded, not ends: exact ends would reveal where in its step the share is. They are whole
    # steps and half a step more, for the share itself moves by as much.
    below, above = (
        ((distance / step - TINY).ceil().clip(0) + 0.5) * step for distance in (value - low, high - value)
    )
    ends = (near, (near - below).clip(0, 1), (near + above).clip(0, 1))
    return [
        pl.when(has_any).then(each.round(DIGITS)).alias(f"{call}_spam_share{end}")
        for end, each in zip(ENDS, ends, strict=True)
    ]
