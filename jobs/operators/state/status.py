"""Lines read, joins, copies, and problems with what to do: what `observatory status` prints below sources."""

import contextlib
import datetime as dt
import itertools
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, fields

import polars as pl

from jobs.base.settings.config import Observatory
from jobs.base.store import record
from jobs.base.store.lake import Lake
from jobs.base.store.record import Periods
from jobs.base.store.table_files import naming_damage, query_files, scan_files
from jobs.operators.ingest import clock
from jobs.operators.ingest.manifest import (
    UnreadableManifest,
    has_manifest,
    open_landing,
    read_files,
    read_manifest,
)
from jobs.operators.state.joins import join_problems, period_files
from jobs.operators.state.late_records import format_files, late_records
from jobs.operators.state.recipients import above_acceptance, revised_reports, waiting_recipients
from jobs.operators.state.sources import OTHER_YEAR, former_sources

COPIES = "silver.copy_daily"
# Below this number, equal lines of two sources that name no host, or messages in transit, may be chance.
CHANCE = 10
# A log of so many lines has records.
SOME_LINES = 100


@dataclass(frozen=True)
class LinesRead:
    """The lines of a source and format that were read: how many became records, were ignored by a rule, or
    wait in quarantine."""

    operator_id: str
    source_id: str
    format_code: str
    lines: int
    records: int
    ignored: int
    quarantined: int


@dataclass(frozen=True)
class Joins:
    """Recipients of messages and calls of a source, by how further records were joined to them: a filter's
    verdict to a mail, a report to an SMS, rows to a call. The parts are codes of
    schemas/codelists/join_quality.csv, best first."""

    operator_id: str
    source_id: str
    units: int
    exact: int
    by_message_id: int
    by_numbers: int
    none: int

    @property
    def parts(self) -> tuple[int, ...]:
        return self.exact, self.by_message_id, self.by_numbers, self.none


@dataclass(frozen=True)
class CopiedLines:
    """Lines of a source that another one, whose lines count, holds too.

    Attributes:
        copied_line_count: those that count once.
        alike_line_count: equal lines that name no host and count twice.
        first, last: their days.
        records: the source's records of all days; None if the ledger has none.
    """

    operator_id: str
    source_id: str
    kept_source_id: str
    copied_line_count: int
    alike_line_count: int
    first: dt.date
    last: dt.date
    records: int | None


def count_lines(lake: Lake) -> list[LinesRead]:
    """The lines of each operator, source and format."""
    by = ["operator_id", "source_id", "format_code"]
    counts = pl.col("line_count", "record_count", "ignored_count", "quarantined_count")
    rows = lake.read("bronze.file").group_by(by).agg(counts.sum()).sort(by)
    return [LinesRead(*row) for row in rows.rows()]


def count_joins(lake: Lake) -> list[Joins]:
    """The joins of each operator and source, as the last finished run left them.

    Attempts are left out: they were refused before there was a further record.
    """
    table = "silver.message"
    by = ["operator_id", "source_id"]
    quality = pl.col("join_quality_code")
    codes = [each.name for each in fields(Joins)[3:]]
    rows = lake.query_table(
        table,
        lake.versions().get(table),
        lambda rows: (
            rows.filter(pl.col("grain_code") != "attempt")
            .group_by(by)
            .agg(units=pl.len(), **{code: (quality == code).sum() for code in codes})
            .sort(by)
        ),
    )
    return [Joins(*row) for row in rows.rows()]


def lost_manifests(lake: Lake, settings: Observatory, operators: set[str]) -> list[str]:
    """The sources that were read and have no manifest that can be read."""
    fs, area = open_landing(settings.lake.root)
    read = set(lake.read("bronze.file", columns=["operator_id", "source_id"]).unique().rows())
    found = []
    for operator in (each for each in settings.operator if each.id in operators):
        for source in operator.source:
            folder = f"{area}/{operator.id}/{source.id}"
            is_lost = (operator.id, source.id) in read and not has_manifest(fs, folder)
            with contextlib.suppress(UnreadableManifest):
                if read_manifest(fs, folder) or not is_lost:
                    continue
            found.append(
                f"operator '{operator.id}', source '{source.id}': {folder} has no manifest that can be read."
                " `observatory pull` makes it again from what was landed, or says what is lost."
            )
    return found


def unread_sources(lake: Lake, settings: Observatory, operators: set[str]) -> list[str]:
    """Sources without a line read, because their files have no line end, each with what to do."""
    fs, area = open_landing(settings.lake.root)
    read = set(lake.read("bronze.file", columns=["operator_id", "source_id"]).unique().rows())
    return [
        f"operator '{operator.id}', source '{source.id}': nothing was read: {min(waiting)} has no line end."
        " If nothing more is written to such files, set whole = true for the source."
        for operator in settings.operator
        for source in operator.source
        if operator.id in operators and (operator.id, source.id) not in read
        if (waiting := read_files(fs, f"{area}/{operator.id}/{source.id}").waiting)
    ]


def unfolded_hops(lake: Lake, periods: Periods) -> list[str]:
    """The messages that count twice because a filter's address is not among the operator's networks, on days
    of operators."""
    table = "silver.transmission"
    files = period_files(lake, table, periods)
    if not files:
        return []
    # Kernels take long to import, for a command that finds nothing to look at.
    from jobs.operators.silver.hops import find_unfolded

    with naming_damage(table, files):
        found = find_unfolded(scan_files(table, files))
    return [format_counted_twice(**row) for row in found.iter_rows(named=True)]


def format_counted_twice(
    operator_id: str,
    source_id: str,
    client_network: str | None,
    messages: int,
    recipients: int,
    since: dt.date,
) -> str:
    """The message on recipients that count twice because a filter came back from a network not listed.

    Args:
        client_network: the network of the filter's address; None where the log has that address as relay=
            alone.
        since: the first day with such messages.
    """
    if client_network is None:
        where, what = "whose address is", "the filter's address, which the log has as relay="
    else:
        where, what = f"by an address in {client_network}, which is", f"the address, or {client_network}"
    return (
        f"operator '{operator_id}', source '{source_id}': {messages:,} message{'s' if messages > 1 else ''}"
        f" ({recipients:,} recipient{'s' if recipients > 1 else ''}) counted twice, having come back from a"
        f" filter {where} not among the operator's networks. If it is the operator's own, add {what}, to"
        f" networks of [[operator]] '{operator_id}', and run `observatory run --since {since}`."
    )


def count_copies(lake: Lake, operators: set[str]) -> list[CopiedLines]:
    """The copies of each operator and pair of sources, as the last finished run left them."""
    found = lake.read(COPIES, lake.versions().get(COPIES), where=pl.col("operator_id").is_in(operators))
    by = ["operator_id", "source_id", "kept_source_id"]
    records = lake.read("bronze.file").group_by(by[:2]).agg(records=pl.col("record_count").sum())
    rows = (
        found.group_by(by)
        .agg(
            pl.col("copied_line_count", "alike_line_count").sum(),
            first=pl.col("period_date").min(),
            last=pl.col("period_date").max(),
        )
        .join(records, on=by[:2], how="left")
        .sort(by)
    )
    return [CopiedLines(*row) for row in rows.rows()]


def copy_steps(rows: Iterable[CopiedLines]) -> list[tuple[str, str]]:
    """Sources whose lines are mostly copies of another source's, each with what to do."""
    return [
        (
            f"{row.operator_id}/{row.source_id}",
            f"{row.copied_line_count:,} of {row.records:,} records are in source"
            f" '{row.kept_source_id}', too, and count once. If it is the same log, move this source's id"
            f" to former_sources of [[operator]] '{row.operator_id}': it only takes time to read.",
        )
        for row in rows
        if row.source_id != row.kept_source_id and 2 * row.copied_line_count > (row.records or 0)
    ]


def alike_sources(rows: Iterable[CopiedLines]) -> list[str]:
    """Sources that may be one log and count twice, each with what to do."""
    return [
        f"operator '{row.operator_id}', sources '{row.kept_source_id}' and '{row.source_id}':"
        f" {row.alike_line_count:,} equal lines from {row.first} to {row.last} count twice: they"
        " name no host, and may be two servers'. If they are copies, remove one of the sources, or name all"
        " files in one (its url may have wildcards); then `observatory renew --anew` and `observatory run`"
        " count anew."
        for row in rows
        if row.alike_line_count >= CHANCE
    ]


def list_unread(lake: Lake, settings: Observatory, operators: set[str]) -> list[str]:
    """Sources whose lines were all ignored: their format is another one."""
    urls = {(each.id, source.id): source.shown_url for each in settings.operator for source in each.source}
    found = []
    for row in count_lines(lake):
        operator, source = row.operator_id, row.source_id
        is_silent = row.lines >= SOME_LINES and not row.records + row.quarantined
        if not is_silent or operator not in operators or (operator, source) not in urls:
            continue
        url = shlex.quote(urls[operator, source])
        found.append(
            f"operator '{operator}', source '{source}': {row.lines:,} lines, and none of them is a record of"
            f" {row.format_code}. `observatory sniff {url}` shows what the files look like."
        )
    return found


def uncounted_requests(settings: Observatory, operators: set[str]) -> list[str]:
    """Sources of requests for SMS that no other source of the operator counts."""
    from jobs.operators.formats.registry import REQUESTS

    return [
        f"operator '{operator.id}', source '{source.id}': SMS that {requests.program} accepted are counted by"
        f" {requests.log}, of which the settings name none. Add it, of format {requests.format}; or, if there"
        f" is none, set options = {{ {requests.option} = false }} for the source, then `observatory renew"
        " --anew` and `observatory run`."
        for operator in settings.operator
        for source in operator.source
        if operator.id in operators
        and (requests := REQUESTS.get(source.format))
        and requests.are_counted_there(source.options)
        and not {requests.format, "auto"} & {each.format for each in operator.source}
    ]


def mostly_transit(lake: Lake, settings: Observatory, periods: Periods) -> list[str]:
    """Operators most of whose traffic of these days is transit and who have no links: their settings may lack
    something."""
    table = "silver.message"
    have_links = {each.id for each in settings.operator if each.link}
    files = period_files(
        lake, table, {each: days for each, days in periods.items() if each not in have_links}
    )
    if not files:
        return []
    found = query_files(
        table,
        files,
        lambda rows: (
            rows.filter(pl.col("grain_code") != "attempt")
            .group_by("operator_id")
            .agg(transit=(pl.col("direction_code") == "transit").sum(), units=pl.len())
            .filter((2 * pl.col("transit") > pl.col("units")) & (pl.col("units") >= CHANCE))
            .sort("operator_id")
        ),
    )
    return [
        f"operator '{operator}': {transit:,} of {units:,} recipients and calls are transit: neither client"
        " nor recipient is the operator's, and totals of spam leave them out. If they are its own, add"
        f" domains, networks or number_prefixes to [[operator]] '{operator}'; the next run counts them anew."
        for operator, transit, units in found.rows()
    ]


def wrong_clocks(lake: Lake, operators: set[str]) -> list[str]:
    """Operators with records of days more than a year before all others: a host that starts without its clock
    stamps its lines so."""
    days: dict[str, list[dt.date]] = {}
    for (_, operator, day), (rows, _) in sorted(record.read_state(lake, ["silver.message"]).items()):
        if operator in operators and not rows.startswith("0:"):
            days.setdefault(operator, []).append(dt.date.fromisoformat(day))
    found = []
    for operator, of_operator in days.items():
        gaps = [
            number
            for number, (day, after) in enumerate(itertools.pairwise(of_operator), start=1)
            if after - day > OTHER_YEAR
        ]
        if not gaps:
            continue
        before, after = of_operator[: gaps[-1]], of_operator[gaps[-1]]
        files = lake.read(
            "bronze.file",
            columns=["file_name"],
            where=(pl.col("operator_id") == operator) & (pl.col("first_event_date") <= before[-1]),
        )
        names = sorted(set(files["file_name"]))
        where = f" ({format_files(names[0], len(names))})" if names else ""
        if len(before) == 1:
            what = f"the records of {before[0]} lie"
        else:
            what = f"the records of {len(before):,} days, {before[0]} to {before[-1]}, lie"
        found.append(
            f"operator '{operator}': {what} more than a year before the next, of {after}. Was the clock of a"
            f" host wrong{where}? They count under the days that they state."
        )
    return found


def open_periods(lake: Lake, operators: set[str], open_days: int) -> Periods:
    """The days of each operator that its next lines may still change."""
    table = "silver.transmission"
    days: dict[str, set[str]] = {}
    for file in lake.files(table, lake.versions().get(table)):
        partition = dict(file.partition)
        if partition["operator_id"] in operators:
            days.setdefault(str(partition["operator_id"]), set()).add(str(partition["period_date"]))
    return {
        operator: {
            day
            for day in of_operator
            if dt.date.fromisoformat(day)
            >= dt.date.fromisoformat(max(of_operator)) - dt.timedelta(days=open_days)
        }
        for operator, of_operator in days.items()
    }


def find_doubts(lake: Lake, settings: Observatory, operators: set[str], periods: Periods) -> list[str]:
    """Reasons to doubt figures, each with what to do. A run, `status` and the page print them."""
    found = former_sources(lake, settings, operators) + join_problems(lake, settings, periods)
    return found + above_acceptance(lake, periods) + waiting_recipients(lake, periods)[0]


def list_problems(lake: Lake, settings: Observatory, operators: set[str]) -> list[str]:
    """Problems with logs, each with what to do; find_doubts() has those that make figures doubtful."""
    mine = pl.col("operator_id").is_in(sorted(operators))
    found = lost_manifests(lake, settings, operators)
    by = ["operator_id", "source_id"]
    found += unread_sources(lake, settings, operators)
    quarantined = lake.read("bronze.quarantine", where=mine & (pl.col("reason_code") == clock.REASON))
    for operator, source, count in quarantined.group_by(by).len().sort(by).rows():
        found.append(
            f"operator '{operator}', source '{source}': {count:,} line{'s' if count > 1 else ''} with a time"
            " after the file was written and read: the clock of the host was wrong. They are not counted;"
            " `observatory quarantine --reason from_the_future` shows them."
        )
    found += late_records(lake, settings, operators)
    found += wrong_clocks(lake, operators)
    # A run counts open days anew, and no others.
    periods = open_periods(lake, operators, settings.lake.open_days)
    found += mostly_transit(lake, settings, periods)
    found += list_unread(lake, settings, operators)
    found += uncounted_requests(settings, operators)
    found += alike_sources(count_copies(lake, operators))
    found += waiting_recipients(lake, periods)[1]
    found += revised_reports(lake, operators)
    return found + unfolded_hops(lake, periods)
