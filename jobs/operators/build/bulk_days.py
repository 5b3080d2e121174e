"""Days that gold must count again when the messages of a day change: bulk looks back.

A day is counted from its own messages, from the campaigns of it and the 29 days before, and from the texts
that disprove bulk: of the day before, or of 29 where a preset looks at so many. Its input checksum covers all
of these, so that a late line or a late day makes exactly the days due that depend on it.
"""

import datetime as dt
import hashlib
from collections.abc import Mapping

from jobs.base.tables.checksum import Fingerprints
from jobs.operators.gold.shared.bulk_presets import LONGEST_DAYS

TABLE = "gold.campaign_daily"
Periods = dict[str, set[str]]
Day = tuple[str, str]


def window_to(day: str) -> list[str]:
    """The days whose campaigns can prove bulk on a day, the day itself last."""
    last = dt.date.fromisoformat(day)
    return [(last - dt.timedelta(days=ago)).isoformat() for ago in reversed(range(LONGEST_DAYS))]


def campaign_checksums(
    known: Mapping[tuple[str, str, str], tuple[str, str]], due: Periods, found: Fingerprints
) -> dict[Day, str]:
    """The checksum of the campaigns of each operator-day that has any: as just found for the days that were
    due, as on record for the others."""
    kept = {
        (operator, day): checksum
        for (table, operator, day), (checksum, _) in known.items()
        if table == TABLE and day not in due.get(operator, ()) and not checksum.startswith("0:")
    }
    return kept | {key: f"{each.rows}:{each.checksum}" for key, each in found.items()}


def hash_inputs(
    inputs: dict[Day, str],
    checksums: dict[Day, str],
    messages: dict[Day, str],
    days_of_texts: Mapping[str, int],
) -> dict[Day, str]:
    """Return a checksum of each operator-day's inputs: its own messages, the campaigns that it looks at, and
    the messages of the days whose texts it looks at.

    Args:
        checksums: of the campaigns, messages: of the messages of each operator-day that has any.
    """
    found = {}
    for (operator, day), own in inputs.items():
        days = window_to(day)
        seen = [f"{each}={checksums.get((operator, each), '')}" for each in days]
        texts = [messages.get((operator, each), "") for each in days[-days_of_texts[operator] :]]
        found[operator, day] = hashlib.sha256("/".join([own, *seen, *texts]).encode()).hexdigest()[:16]
    return found


def days_on_record(stale: Periods, due: Periods) -> Periods:
    """The operator-days that the stale ones look at and that are on record; those due are found anew."""
    days = {operator: {each for day in days for each in window_to(day)} for operator, days in stale.items()}
    return {
        operator: on_record
        for operator, seen in days.items()
        if (on_record := seen - due.get(operator, set()))
    }


def add_earlier_days(stale: Periods, days_of_texts: Mapping[str, int]) -> Periods:
    """The stale operator-days, and those before whose texts they look at."""
    return {
        operator: {each for day in days for each in window_to(day)[-days_of_texts[operator] :]}
        for operator, days in stale.items()
    }
