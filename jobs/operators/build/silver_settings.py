"""Settings of operators that silver depends on: if one changes, open days are computed again.

observatory.json has a digest of each setting with which silver of all open days was last computed, and
digests of the settings of sources that bronze depends on. Lines are read once: if a source's settings
changed, a run prints which rows keep the former ones.
"""

import json
from collections.abc import Collection
from typing import Any

import polars as pl

from jobs.base.settings.config import Observatory
from jobs.base.settings.operator import Operator
from jobs.base.store import record
from jobs.base.store.lake import Lake
from jobs.operators.build.settings_tables import rows_of_operators

# The names of settings by the columns of ref.operator. A newer table of ranges places new days only, as its
# date beside each row says; the first one places all.
NAMES = {
    "country_code": "country",
    "domains": "domains",
    "networks": "networks",
    "number_prefixes": "number_prefixes",
    "national_sources": "numbers",
    "links": "link",
    "ranges_url": "[location] ranges",
    "number_ranges_url": "[location] number_ranges",
}
ONE_FOR_ALL = ("ranges_url", "number_ranges_url")
SOURCE_SETTINGS = ("time_zone", "clock_offset", "numbers", "options")


def settings_digests(settings: Observatory) -> dict[str, dict[str, str]]:
    """A digest of each setting that silver reads, by operator."""
    return {
        str(row["operator_id"]): {name: digest_setting(column, row[column]) for column, name in NAMES.items()}
        for row in rows_of_operators(settings)
    }


def digest_setting(column: str, value: Any) -> str:
    if column in ONE_FOR_ALL:
        value = value is not None
    elif isinstance(value, list):
        value = sorted(json.dumps(each, sort_keys=True) for each in value)
    return record.digest_text(json.dumps(value))


def digests_of_sources(operator: Operator) -> dict[str, dict[str, str]]:
    """A digest of each setting that bronze depends on, by source."""
    return {
        each.id: {name: record.digest_text(repr(getattr(each, name))) for name in SOURCE_SETTINGS}
        for each in operator.source
    }


def changed_settings(lake: Lake, settings: Observatory, operators: Collection[str]) -> dict[str, list[str]]:
    """The settings that changed since open days were computed, by operator; nothing of an operator that none
    was computed of."""
    known, now = lake.read_notes().get("operators", {}), settings_digests(settings)
    found = {}
    for operator in sorted(operators):
        before = known.get(operator, {}).get("settings", {})
        names = [name for name, value in now[operator].items() if before.get(name, value) != value]
        if names:
            found[operator] = names
    return found


def changed_sources(lake: Lake, settings: Observatory, operators: Collection[str]) -> list[str]:
    """The sources whose lines were read by settings that changed since, each with what to do."""
    known = lake.read_notes().get("operators", {})
    return [
        f"operator '{operator.id}', source '{source}': {' and '.join(names)} changed. Lines that"
        " were read before keep the former setting; `observatory renew --anew` and `observatory"
        " run` read all that landing holds by the present one."
        for operator in settings.operator
        if operator.id in operators
        for source, names in changed_of(known.get(operator.id, {}), operator).items()
    ]


def changed_of(known: dict[str, Any], operator: Operator) -> dict[str, list[str]]:
    """The settings that differ from those that are known of the operator, by source."""
    before = known.get("source_settings", {})
    found = {}
    for source, now in digests_of_sources(operator).items():
        known_of = before.get(source, now)
        names = [name for name, value in now.items() if known_of.get(name, value) != value]
        if names:
            found[source] = names
    return found


def outdated_sources(lake: Lake, known: dict[str, Any], operator: Operator) -> dict[str, list[str]]:
    """The settings that changed after lines were read, by source; a renewal forgets them."""
    found = {source: set(names) for source, names in known.get("outdated", {}).items()}
    if changed := changed_of(known, operator):
        of_operator = pl.col("operator_id") == operator.id
        read = set(lake.read("bronze.file", columns=["source_id"], where=of_operator)["source_id"])
        for source, names in changed.items():
            if source in read:
                found.setdefault(source, set()).update(names)
    return {source: sorted(names) for source, names in sorted(found.items())}


def remember_settings(lake: Lake, settings: Observatory, operators: Collection[str]) -> None:
    """Remember by which settings the logs of operators are read and all their open days are computed."""
    known, now = lake.read_notes().get("operators", {}), settings_digests(settings)
    own = {
        each.id: known.get(each.id, {})
        | {
            "settings": now[each.id],
            "source_settings": digests_of_sources(each),
            "outdated": outdated_sources(lake, known.get(each.id, {}), each),
        }
        for each in settings.operator
        if each.id in operators
    }
    if any(known.get(each) != value for each, value in own.items()):
        lake.add_notes({"operators": {**known, **own}})
