"""Days without records of a source that has records of days before and after."""

import datetime as dt
from collections.abc import Collection, Iterable

# Days before the newest one that are looked at: an older gap is no news.
LOOKED_AT = 7

# The first and the last day of a piece of a log.
Span = tuple[dt.date, dt.date]


def missing_days(spans: Iterable[Span], recorded: Collection[dt.date]) -> list[dt.date]:
    """The days, within a week before the newest, that no piece of the source's logs spans, or of which its
    operator has no record of the source's formats.

    Args:
        spans: of the source's pieces.
        recorded: days of which the operator has records of the source's formats.
    """
    known = list(spans)
    if not known:
        return []
    oldest, newest = min(first for first, _ in known), max(last for _, last in known)
    # Bronze may be kept for fewer days than the ledger.
    kept = min(recorded, default=newest)
    looked_at = (newest - dt.timedelta(days=number) for number in range(LOOKED_AT, 0, -1))
    return [
        day
        for day in looked_at
        if day > oldest
        and (not any(first <= day <= last for first, last in known) or (day > kept and day not in recorded))
    ]
