"""The keys that a lake's pseudonyms were made with, day by day, beside those of the settings.

observatory.json has, for each operator, the ids of its keys and the first day of each. An id is a hash of the
operator's key: it names the key and reveals nothing of it. A day that has pseudonyms keeps its key: settings
that give it another are refused before anything is written. Days that are still to come may have a new one,
and so may days whose rows retention has removed. See decision 153.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.key_names import KeyPeriod, key_setting
from jobs.base.core.master_key import master_key
from jobs.base.settings.config import Observatory
from jobs.base.store.lake import Lake
from jobs.base.store.table_files import DamagedTable
from jobs.base.tables.contracts import list_tables, read_contract
from jobs.operators.build import removed_days, windows
from jobs.operators.protect.pseudonym_keys import derived_key_id, has_key

KnownOperators = dict[str, dict[str, Any]]
# The id of a key, and the first day that it holds for; None from the beginning.
Keys = list[dict[str, str | None]]


@dataclass(frozen=True)
class KeyUse:
    """A key of an operator.

    Attributes:
        first, last: the days of the lake's rows that were made with it; None without any.
    """

    operator_id: str
    period: KeyPeriod
    key_id: str
    first: dt.date | None
    last: dt.date | None
    day_count: int


def check_keys(settings: Observatory) -> None:
    """Raise ObservatoryError, with what to do, for a key that is missing, that others may read, or that can
    be guessed."""
    for period in settings.key_periods:
        master_key(period.key_file)


def is_key_usable(settings: Observatory) -> bool:
    try:
        check_keys(settings)
    except ObservatoryError:
        return False
    return True


def describe_keys(settings: Observatory, operator_id: str) -> Keys:
    """The ids of an operator's keys by the settings, as observatory.json has them."""
    return [
        {
            "valid_from": period.first.isoformat() if period.first else None,
            "key_id": derived_key_id(operator_id, period.key_file),
        }
        for period in settings.key_periods
    ]


def keys_of(known: Mapping[str, Any]) -> Keys:
    """The ids of an operator's keys by observatory.json."""
    return list(known.get("keys", ()))


def other_keys(lake: Lake, settings: Observatory) -> list[str]:
    """A line for each operator of which the lake has pseudonyms of a day under another key than the settings
    give it; none where no key is at hand."""
    if not has_key():
        return []
    known = known_operators(lake)
    newest, oldest = list_newest(lake), removed_days.read_removed_days(lake, removed_days.SILVER)
    wrong = []
    for each in settings.operator:
        before, now = keys_of(known.get(each.id, {})), describe_keys(settings, each.id)
        if not before:
            continue
        first, last = oldest.get(each.id, dt.date.min), newest.get(each.id, dt.date.max)
        days = sorted({first, *(start_of(key) for key in (*before, *now) if first < start_of(key) <= last)})
        differing = [day for day in days if key_on(before, day) != key_on(now, day)]
        if differing:
            wrong.append(format_other(lake, settings, each.id, differing[0], last))
    return wrong


def list_newest(lake: Lake) -> dict[str, dt.date]:
    """The newest day of an operator's records, by operator; none where the ledger is damaged, so that any day
    may have some."""
    try:
        return windows.newest_days(lake)
    except DamagedTable:
        return {}


def format_other(lake: Lake, settings: Observatory, operator_id: str, day: dt.date, last: dt.date) -> str:
    """A sentence on an operator's pseudonyms from a day on, which the settings give another key."""
    before = key_on(keys_of(known_operators(lake)[operator_id]), day)
    now = key_on(describe_keys(settings, operator_id), day)
    since = "" if day == dt.date.min else f" from {day} on"
    period = next(each for each in settings.key_periods if each.has_day(day))
    setting = key_setting() if period.first is None else f"the [[key]] with valid_from = {period.first}"
    later = ""
    if last != dt.date.max:
        later = (
            " To change the key from a day on, leave the former one where it is and add a [[key]] with"
            f" valid_from after {last}, the last day that has rows."
        )
    return (
        f"{lake.root}: the pseudonyms of operator '{operator_id}'{since} are under the key with the id"
        f" {before}, and the key now has the id {now}: the new pseudonyms would match none in the lake, and"
        f" senders and campaigns would count twice. The key comes from {setting}: name the former"
        f" key there.{later} If it is lost, or must not be used any more, `observatory renew` computes silver"
        " and gold anew from landing under the new key; of days that landing no longer holds gold stays"
    )


def start_of(key: Mapping[str, str | None]) -> dt.date:
    return dt.date.fromisoformat(key["valid_from"]) if key["valid_from"] else dt.date.min


def key_on(keys: Keys, day: dt.date) -> str | None:
    """The id of the key that holds on a day."""
    return next((key["key_id"] for key in reversed(keys) if start_of(key) <= day), None)


def list_keys(lake: Lake, settings: Observatory) -> list[KeyUse]:
    """Each operator's keys by the settings, with the days of the lake's rows that were made with them. Raises
    ObservatoryError if a row was made with a key that its day does not have."""
    found, wrong = [], []
    rows = days_by_key(lake)
    for operator in settings.operator:
        mine = rows.filter(pl.col("operator_id") == operator.id)
        keys = describe_keys(settings, operator.id)
        for table, key_id, day in mine.select("table_name", "key_id", "period_date").rows():
            if key_on(keys, day) != key_id:
                wrong.append((table, key_id, day, operator.id))
        for period, key in zip(settings.key_periods, keys, strict=True):
            days = mine.filter(pl.col("key_id") == key["key_id"])["period_date"].unique().sort().to_list()
            first, last = (days[0], days[-1]) if days else (None, None)
            found.append(KeyUse(operator.id, period, str(key["key_id"]), first, last, len(days)))
    if wrong:
        table, key_id, day, operator_id = min(wrong)
        raise ObservatoryError(
            f"{lake.root}: {len(wrong):,} day{'s' if len(wrong) > 1 else ''} of tables have rows under a key"
            f" that is not theirs, such as {table} of operator '{operator_id}' on {day}, whose key has the id"
            f" {key_id}. Name that key for the day, or compute the lake anew with `observatory renew`"
        )
    return found


def days_by_key(lake: Lake) -> pl.DataFrame:
    """The days of each table of silver that have rows under each key: table_name, operator_id, period_date
    and key_id."""
    columns = {"operator_id": pl.String, "period_date": pl.Date, "key_id": pl.String}
    parts = [pl.DataFrame(schema={"table_name": pl.String, **columns})]
    named = lake.versions()
    for table in list_tables():
        silver = read_contract(table)
        has_keys = silver.layer == "silver" and silver.period == "period_date" and "key_id" in silver.columns
        if has_keys and table in named and lake.exists(table):
            days = lake.query_table(table, named[table], lambda rows: rows.select(*columns).unique())
            parts.append(days.select(pl.lit(table).alias("table_name"), *columns))
    return pl.concat(parts)


def known_operators(lake: Lake) -> KnownOperators:
    """The operators that the lake was written for, by id: name, keys and sources of each."""
    found: KnownOperators = lake.read_notes().get("operators", {})
    return found
