"""Figures as a person reads them: exact ones whole, estimates in three figures."""

import datetime as dt

from jobs.operators.sniff.survey import LogSurvey


def format_amount(answer: LogSurvey, count: float) -> str:
    """An exact count, or an estimate in three figures."""
    if answer.is_exact:
        return f"{count:,.0f}"
    return "≈" + format_rounded(count)


def format_rounded(count: float) -> str:
    """Three figures: 1,230,000."""
    if count < 1000:
        return f"{count:,.0f}"
    digits = len(str(int(count))) - 3
    return f"{round(count, -digits):,.0f}"


def format_percent(share: float) -> str:
    """100% and 0% only where it is so."""
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    return f"{min(max(share * 100, 0.1), 99.9):.1f}%"


def bytes_of(size: int) -> str:
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:,.1f} {name}"
    return f"{size} bytes"


def format_stamp(at: dt.datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def format_duration(length: dt.timedelta) -> str:
    for unit, name in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if length.total_seconds() >= 1.5 * unit:
            return f"{length.total_seconds() / unit:,.1f} {name}".replace(".0 ", " ")
    return f"{length.total_seconds():,.0f} seconds"
