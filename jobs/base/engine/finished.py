"""Tables as stages leave them for a commit: their rows in staging, finished from merged parts."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from jobs.base.engine.tasks import StagedFrame, leave_frame
from jobs.base.tables.checksum import Fingerprints, fingerprint_periods
from jobs.base.tables.contracts import read_contract


@dataclass(frozen=True)
class Finished:
    """A whole table, or the periods of it that were computed: its rows in staging, and their fingerprints."""

    table: str
    frames: list[StagedFrame]
    fingerprints: Fingerprints


def leave_finished(staging: str, table: str, rows: pl.DataFrame) -> Finished:
    return Finished(table, leave_frame(rows, table, staging), fingerprint_periods(rows, table))


def is_in_periods(periods: Mapping[str, set[str]], table: str) -> pl.Expr:
    """Whether a row of a table belongs to one of the operator-periods."""
    period = read_contract(table).period
    assert period is not None
    parts = [
        (pl.col("operator_id") == operator) & pl.col(period).cast(pl.String).is_in(sorted(of_operator))
        for operator, of_operator in sorted(periods.items())
    ]
    return pl.any_horizontal(parts) if parts else pl.lit(False)
