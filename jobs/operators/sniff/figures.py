"""Figures as a person reads them: exact ones whole, estimates in three figures."""

import datetime as dt

from jobs.base.core.numbers import format_count, format_significant
from jobs.operators.sniff.survey import LogSurvey


def format_amount(answer: LogSurvey, count: float) -> str:
    """An exact count, or an estimate in three figures."""
    return format_count(count) if answer.is_exact else f"≈{format_significant(round(count))}"


def format_stamp(at: dt.datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"
