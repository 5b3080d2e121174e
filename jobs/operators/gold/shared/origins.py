"""The country of origin in figures: one rule for all tables, packages and sections.

silver and the routes keep three origins apart: claimed, verified and observed. A figure of one origin takes
the observed one: the country of the connecting address, or the operator's own if its own network sent it.
Where a log records none, it takes the claimed one: the country of the calling number, or of a mail's sender
domain.
"""

import polars as pl

UNKNOWN = "_U"
OBSERVED, CLAIMED = "origin_observed_code", "origin_claimed_code"


def origin_code() -> pl.Expr:
    """The country of origin, _U where neither is known. Both may be null or _U where they are not."""
    return pl.coalesce(pl.col(OBSERVED).replace(UNKNOWN, None), CLAIMED, pl.lit(UNKNOWN))


def origin_kind() -> pl.Expr:
    """The kind of the origin: observed or claimed; null where neither is known."""
    known = {name: pl.col(name).fill_null(UNKNOWN) != UNKNOWN for name in (OBSERVED, CLAIMED)}
    return pl.when(known[OBSERVED]).then(pl.lit("observed")).when(known[CLAIMED]).then(pl.lit("claimed"))
