"""Clocks that disagree, verdicts without messages, and days on which fewer records are joined: each makes
the spam share too low.

Found in the lake alone, so the order in which logs arrived makes no difference.
"""

from __future__ import annotations

import datetime as dt
import statistics
from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl

from jobs.base.core.numbers import format_part, format_share
from jobs.base.core.time_zones import example_zones, this_machines_zone, zones_by_country
from jobs.base.settings.config import Observatory
from jobs.base.settings.operator import Operator, SourceSettings
from jobs.base.store.lake import Lake
from jobs.base.store.record import Periods
from jobs.base.store.table_files import DataFile, query_files
from jobs.base.tables.contracts import Row, read_contract, reference_rows

if TYPE_CHECKING:
    from jobs.operators.formats.format import Requests
    from jobs.operators.silver.clock_steps import Apart

TRANSMISSION, VERDICT, MESSAGE = "silver.transmission", "silver.verdict", "silver.message"
# Above this number of rows, a sample by the hash of their ids is compared.
LOOKED_AT = 200_000
# Below this number, verdicts or messages of a day may be chance.
LEAST_UNITS = 100
# The least share of verdicts whose messages should be in a log.
LEAST_FOUND = 0.5
# A day's share of joined messages should be at least LEAST_OF_BEFORE of the median of the MOST_DAYS days
# before it. Days with fewer than FEWEST_DAYS before them, or a median below LEAST_BEFORE, are not compared.
LEAST_OF_BEFORE, LEAST_BEFORE, FEWEST_DAYS, MOST_DAYS = 0.5, 0.2, 3, 7
ANEW = "`observatory renew --anew` and `observatory run` then count anew"


def join_problems(lake: Lake, settings: Observatory, periods: Periods) -> list[str]:
    """Reasons why records of one message were not joined on these days, each with what to do."""
    found, alone = compare_logs(lake, periods)
    problems = [format_disagreement(lake, settings, each) for each in found]
    problems += [format_lacking(*row) for row in alone if row[0] not in {each.operator_id for each in found}]
    named = {each.operator_id for each in found} | {row[0] for row in alone}
    others = {operator: days for operator, days in periods.items() if operator not in named}
    return problems + fallen_joins(lake, others)


# --- ids that two logs have -----------------------------------------------------------------------------


def compare_logs(lake: Lake, periods: Periods) -> tuple[list[Apart], list[tuple[str, str, int, int]]]:
    """Logs whose clock disagrees with another log's; and sources most of whose verdicts have no message in
    any log: operator, source, verdicts, and verdicts with a message."""
    # Kernels take long to import, for a command that finds nothing to look at.
    from jobs.operators.formats.registry import REQUESTS
    from jobs.operators.silver import clock_steps

    found: list[Apart] = []
    alone: list[tuple[str, str, int, int]] = []
    verdict, sent = period_files(lake, VERDICT, periods), period_files(lake, TRANSMISSION, periods)
    if verdict and sent:
        part = is_sampled(sent + verdict)
        homes = query_files(TRANSMISSION, sent, lambda rows: clock_steps.id_times_of_mails(rows).filter(part))
        seen = query_files(VERDICT, verdict, lambda rows: clock_steps.id_times_of_verdicts(rows).filter(part))
        found += clock_steps.compare_logs(homes, seen)
        alone = [
            row
            for row in clock_steps.count_answered(homes, seen)
            if row[2] >= LEAST_UNITS and row[3] < LEAST_FOUND * row[2]
        ]
    for name, requests in REQUESTS.items():
        asked, submitted = (period_files(lake, f"bronze.{each}", periods) for each in (name, requests.format))
        if asked and submitted:
            found += compared_requests(name, requests, asked, submitted)
    return clock_steps.find_wrong_logs(found, absolute_logs(lake) if found else ()), alone


def absolute_logs(lake: Lake) -> set[tuple[str, str]]:
    """The operators and sources whose stamps are seconds of UTC."""
    from jobs.operators.formats.registry import KERNELS

    absolute = [name for name, each in KERNELS.items() if each.has_absolute_stamps]
    ledger = lake.read("bronze.file", columns=["operator_id", "source_id", "format_code"])
    rows = ledger.filter(pl.col("format_code").is_in(absolute))
    return set(rows.select("operator_id", "source_id").unique().rows())


def compared_requests(
    name: str, requests: Requests, asked: list[DataFile], submitted: list[DataFile]
) -> list[Apart]:
    """Compare the clocks of a log of requests and of the log that counts their SMS, by SMS that both have."""
    from jobs.operators.silver import clock_steps

    part = is_sampled(submitted + asked)

    def read_id_times(format_name: str, files: list[DataFile], is_sms: pl.Expr) -> pl.DataFrame:
        return query_files(
            f"bronze.{format_name}",
            files,
            lambda rows: clock_steps.id_times_of_sms(rows, is_sms).filter(part),
        )

    homes = read_id_times(requests.format, submitted, requests.is_message)
    seen = read_id_times(name, asked, requests.is_request)
    return clock_steps.compare_logs(homes, seen, requests.within, requests.slack)


def is_sampled(files: list[DataFile]) -> pl.Expr:
    """Return whether a mark is compared: all of few rows, a sample of many."""
    parts = sum(file.rows for file in files) // LOOKED_AT + 1
    return pl.col("id") % parts == 0


def period_files(lake: Lake, table: str, periods: Periods) -> list[DataFile]:
    """The files of a table that hold these days of operators."""
    column = str(read_contract(table).period)
    return lake.files(
        table,
        lake.versions().get(table),
        lambda partition: partition[column] in periods.get(str(partition["operator_id"]), ()),
    )


# --- sentences ------------------------------------------------------------------------------------------


def format_disagreement(lake: Lake, settings: Observatory, difference: Apart) -> str:
    """A sentence: which clocks disagree, by how much, and what to do."""
    return (
        f"operator '{difference.operator_id}': the times of source '{difference.log}' are"
        f" {difference.distance_text} those of source '{difference.other}', by {difference.ids:,} ids that"
        f" both have. {format_part(difference.apart, difference.ids, 0)} of what belongs together is not"
        " joined, so that spam is counted too low."
        f" {format_step(lake, settings, difference)}"
    )


def format_step(lake: Lake, settings: Observatory, difference: Apart) -> str:
    """The settings to change, and how to read the logs again with them."""
    from jobs.operators.silver import clock_steps

    operator, source = find_source(settings, difference.operator_id, difference.log)
    if operator is None or source is None:
        return f"Source '{difference.log}' is no longer in the settings."
    known = lake.read_notes().get("operators", {}).get(difference.operator_id, {})
    if names := known.get("outdated", {}).get(difference.log):
        return (
            f"Lines were read before {' and '.join(names)} changed: `observatory renew --anew` and"
            " `observatory run` read all that landing holds by the present setting."
        )
    # The zones of a country.
    iso2 = next((row["iso2"] for row in reference_rows("country") if row["iso3"] == operator.country), None)
    likely = [this_machines_zone(), *[zone for zone, code in zones_by_country() if code == iso2]]
    made = clock_steps.find_remedy(difference.steps, source.time_zone, source.clock_offset, likely=likely)
    if made.time_zone:
        is_place = "/" in made.time_zone and not made.time_zone.startswith("Etc/")
        places = [name for name in made.fitting if name != made.time_zone]
        place = "" if is_place or not places else f" (or its place, such as {example_zones(places)})"
        what = f"Set time_zone = \"{made.time_zone}\"{place} for '{difference.log}'"
        ahead = clock_steps.find_remedy(
            difference.steps, source.time_zone, source.clock_offset, has_zone=False
        ).clock_offset
        if ahead:
            what += f"; if its lines state their offset, or its zone is right, clock_offset = {ahead}"
    elif made.clock_offset is not None:
        what = f"Set clock_offset = {made.clock_offset} for '{difference.log}'"
    else:
        return f"No one setting mends that: a host's clock jumped. See that both keep their time; {ANEW}."
    return f"{what}. If it is '{difference.other}' that is wrong, change its settings instead; {ANEW}."


def find_source(
    settings: Observatory, operator: str, source: str
) -> tuple[Operator | None, SourceSettings | None]:
    found = next((each for each in settings.operator if each.id == operator), None)
    return found, next((each for each in found.source if each.id == source), None) if found else None


def format_lacking(operator: str, source: str, verdicts: int, found: int) -> str:
    return (
        f"operator '{operator}', source '{source}': the messages of only {format_part(found, verdicts, 0)} of"
        f" {verdicts:,} verdicts are in a log, so that spam is counted too low. Add the logs of all servers"
        " that use this filter, of the same days."
    )


# --- days on which joins fall ---------------------------------------------------------------------------


def fallen_joins(lake: Lake, periods: Periods) -> list[str]:
    """Mail sources with far fewer verdicts for their messages than on the days before, with what to do."""
    files = period_files(lake, MESSAGE, periods)
    if not files:
        return []
    by = ["operator_id", "source_id", "period_date"]
    is_joined = pl.col("join_quality_code").fill_null("none") != "none"
    shares = query_files(
        MESSAGE,
        files,
        lambda rows: (
            rows.filter(pl.col("grain_code") != "attempt", pl.col("channel_code") == "EMAIL")
            .group_by(by)
            .agg(units=pl.len(), share=is_joined.mean())
            .filter(pl.col("units") >= LEAST_UNITS)
            .sort(by)
        ),
    )
    newest = {operator: max(days) for operator, days in periods.items()}
    found = []
    for (operator, source), days in shares.partition_by(by[:2], as_dict=True).items():
        fallen = list(fallen_days(days.rows(named=True), newest[str(operator)]))
        if fallen:
            day, share, before = fallen[-1]
            more = f" (and on {len(fallen) - 1:,} days before it)" if len(fallen) > 1 else ""
            found.append(
                f"operator '{operator}', source '{source}': on {day}{more} {format_share(share, 0)} of the"
                f" recipients have a filter's verdict; on the days before it was {format_share(before, 0)}."
                " Spam is counted too low: look for a log of the filter that is missing, and at the clocks of"
                " the hosts."
            )
    return found


def fallen_days(days: list[Row], newest: str) -> Iterator[tuple[dt.date, float, float]]:
    """The days whose share is far below that of the days before: day, share, and share before.

    Args:
        newest: the last day, whose logs may not all be there yet.
    """
    for number, day in enumerate(days):
        before = [each["share"] for each in days[max(number - MOST_DAYS, 0) : number]]
        if len(before) < FEWEST_DAYS or str(day["period_date"]) == newest:
            continue
        usual = statistics.median(before)
        if usual >= LEAST_BEFORE and day["share"] < LEAST_OF_BEFORE * usual:
            yield day["period_date"], day["share"], usual
