"""Days that `observatory vacuum` and `renew` removed: by layer and operator the day before which nothing is
left.

These days are written to observatory.json before anything is removed, so that half a day counts as removed.
Tables that were computed from them stay as they are. A later run leaves these days out, even if code,
definitions or settings changed: from the rest it would compute other figures, or none.
"""

import datetime as dt
from collections.abc import Mapping

from jobs.base.store.lake import Lake

LANDING, BRONZE, SILVER = "landing", "bronze", "silver"
# What a renewal found: the day before which landing lacks records, though the ledger that says so went.
RECORDS = "records"
Days = dict[str, dt.date]


def read_removed_days(lake: Lake, layer: str) -> Days:
    """The day before which a layer's rows were removed, by operator."""
    found = lake.read_notes().get("removed", {}).get(layer, {})
    return {operator: dt.date.fromisoformat(day) for operator, day in found.items()}


def remember_removal(lake: Lake, layers: Mapping[str, Days]) -> None:
    """Remember what is about to be removed; a day never goes back."""
    removed = dict(lake.read_notes().get("removed", {}))
    for layer, days in layers.items():
        known = removed.get(layer, {})
        later = {operator: max(day.isoformat(), known.get(operator, "")) for operator, day in days.items()}
        removed[layer] = {**known, **later}
    lake.add_notes({"removed": removed})


def settled_gold_days(lake: Lake) -> Days:
    """The day before which gold keeps its rows, by operator: messages that these days look at are gone."""
    found = read_removed_days(lake, SILVER)
    return {operator: day + gold_lookback() for operator, day in found.items()} if found else {}


def gold_lookback() -> dt.timedelta:
    """Return the time before a day of gold from which it uses messages."""
    # Its rules take long to import, for commands that do not need them.
    from jobs.operators.gold.shared.bulk_presets import LONGEST_DAYS

    return dt.timedelta(days=LONGEST_DAYS - 1)


def settled_silver_days(lake: Lake, lookback_days: Mapping[str, int]) -> Days:
    """The day before which silver keeps its rows, by operator: records that these days look at are gone, or
    gold could not follow them.

    Args:
        lookback_days: of each operator the longest life of a message.
    """
    settled = settled_gold_days(lake)
    for operator, day in read_removed_days(lake, BRONZE).items():
        first = day + dt.timedelta(days=lookback_days.get(operator, 0) + 1)
        settled[operator] = max(first, settled.get(operator, first))
    return settled
