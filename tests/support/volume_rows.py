"""Rows of gold.spam_volume_daily that hold every rule, to be changed by tests of rules."""

import datetime as dt
from typing import Any

import polars as pl

from jobs.base.tables.contracts import rows_frame

TABLE = "gold.spam_volume_daily"
DAY = dt.date(2026, 11, 24)
ROW: dict[str, Any] = {
    "operator_id": "a",
    "period_date": DAY,
    "channel_code": "EMAIL",
    "direction_code": "inbound",
    "stage_code": "content",
    "outcome_code": "rejected",
    "unit_code": "recipient",
    "definition_code": "OPERATOR",
    "units": 10,
    "spam_certain": 4,
    "spam_possible": 6,
}


def frame(*rows: dict[str, Any], table: str = TABLE) -> pl.DataFrame:
    """Rows of a table: of this one each is ROW but for what is given."""
    base = ROW if table == TABLE else {}
    return rows_frame([base | row for row in rows], table)
