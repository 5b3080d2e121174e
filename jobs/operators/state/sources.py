"""The state of each source of the settings: what is landed, what waits, how old its last record is, what
holds it back, and what to do next.

Records of sources that left the settings stay in all figures until the operator decides.
"""

import datetime as dt
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple, Self

import polars as pl

from expectations.native import Result
from jobs.base.checks.validations import latest_results
from jobs.base.settings.config import Observatory
from jobs.base.settings.operator import Operator, SourceSettings
from jobs.base.store.lake import Lake
from jobs.base.store.record import utc_now
from jobs.base.store.table_files import DataFile, query_files
from jobs.base.tables.contracts import format_kind, read_contract
from jobs.operators.ingest.manifest import (
    Stream,
    UnreadableManifest,
    has_manifest,
    open_landing,
    read_files,
    read_manifest,
)
from jobs.operators.packages.deliveries import Delivery, PackageDue, PackageProblem, Packages, read_packages
from jobs.operators.state.jumps import Jump, find_jumps
from jobs.operators.state.missing_days import Span, missing_days
from jobs.operators.state.retained import Retained, read_retained

# The times of a bronze row: the later one counts.
TIMES = ("first_at", "last_at")
# What to do about a stale source begins so.
STALE_STEP = "Check that "
# A log whose last record is older was written by a host whose clock is wrong, or is an archive.
OTHER_YEAR = dt.timedelta(days=366)


@dataclass(frozen=True)
class HeldRule:
    """A rule that an operator's rows broke when they were last checked: the operator's tables stay as they
    were.

    Attributes:
        is_of_source: it holds back what is new of this source alone.
    """

    table: str
    rule: str
    text: str
    rows: int
    is_of_source: bool = False


@dataclass(frozen=True)
class SourceStatus:
    """The state of a source. docs/operator-reference.md documents the fields, which `status --json` prints.

    Attributes:
        landed: bytes in landing.
        landed_at: when the last of them came.
        waiting: bytes that are not read yet.
        last_record: time of the newest record.
        missing_days: days without records in the week before it.
        quarantined: lines that no rule matched.
        jumps, packages, package_due, package_problems: of all its operator's sources together.
    """

    operator: str
    source: str
    landed: int
    landed_at: dt.datetime | None
    waiting: int
    last_record: dt.datetime | None
    stale_days: float | None
    is_stale: bool
    missing_days: list[str]
    quarantined: int
    held_rules: list[HeldRule]
    jumps: list[Jump]
    packages: list[Delivery]
    package_due: PackageDue | None
    package_problems: list[PackageProblem]
    retention: Retained
    next_step: str | None


@dataclass(frozen=True)
class Read:
    """The ledger's record of a source: its pieces, quarantined lines, formats, newest day, and the first and
    last day of each piece."""

    pieces: frozenset[str]
    quarantined: int
    formats: frozenset[str]
    newest: dt.date | None
    spans: frozenset[Span]


NOTHING_READ = Read(frozenset(), 0, frozenset(), None, frozenset())


def source_rows(
    lake: Lake,
    settings: Observatory,
    operators: Iterable[Operator],
    packages: Mapping[str, Packages] | None = None,
) -> list[SourceStatus]:
    """One row for each source that the settings have.

    Args:
        packages: of read_packages(), where they were read.
    """
    chosen = list(operators)
    kept = read_retained(lake, settings, [each.id for each in chosen])
    read = read_ledger(lake)
    held = held_rules(latest_results(lake, [each.id for each in chosen]))
    jumps = find_jumps(lake, {each.id for each in chosen})
    at = settings.lake.read_at or utc_now()
    if packages is None:
        packages = read_packages(lake, settings, [each.id for each in chosen])
    first_run: Any = lake.read("meta.run", columns=["finished_at"])["finished_at"].min()
    fs, area = open_landing(lake.root)
    found = []
    for operator in chosen:
        for source in operator.source:
            of_source = read.get((operator.id, source.id), NOTHING_READ)
            landed = Landed.read_folder(fs, f"{area}/{operator.id}/{source.id}", of_source)
            last = last_record(lake, operator.id, source.id, of_source)
            days = stale_days(settings, source, of_source.formats)
            since: dt.datetime | None = last or first_run
            row = SourceStatus(
                operator=operator.id,
                source=source.id,
                landed=landed.bytes,
                landed_at=landed.at,
                waiting=landed.unread + landed.waiting,
                last_record=last,
                stale_days=days,
                is_stale=days is not None and since is not None and since + dt.timedelta(days=days) < at,
                missing_days=[str(day) for day in days_without_records(lake, operator.id, of_source)],
                quarantined=of_source.quarantined,
                held_rules=held.get((operator.id, source.id), []) + held.get((operator.id, None), []),
                jumps=jumps[operator.id],
                packages=packages[operator.id].sent,
                package_due=packages[operator.id].due,
                package_problems=packages[operator.id].problems,
                retention=kept[operator.id],
                next_step=None,
            )
            found.append(replace(row, next_step=next_step(row, source, landed, at)))
    return found


class Landed(NamedTuple):
    """The contents of landing of a source: bytes, the time of the last, bytes that no run has read, and bytes
    that wait for a line end.

    Attributes:
        is_lost: pieces were read, and landing knows no stream.
        unended: files of which nothing could be read for want of a line end.
        is_known: a pull found files.
    """

    bytes: int
    at: dt.datetime | None
    unread: int
    waiting: int
    is_lost: bool
    unended: list[str]
    is_known: bool

    @classmethod
    def read_folder(cls, fs: Any, folder: str, read: Read) -> Self:
        streams = read_streams(fs, folder) or []
        pieces = [piece for stream in streams for piece in stream.pieces]
        return cls(
            bytes=sum(piece.bytes for piece in pieces),
            at=max((dt.datetime.fromisoformat(each.landed_at) for each in pieces), default=None),
            unread=sum(piece.bytes for piece in pieces if piece.piece_id not in read.pieces),
            waiting=sum(stream.waiting_bytes for stream in streams),
            # Retention may have removed all pieces: the manifest still has their streams.
            is_lost=bool(read.pieces) and not streams,
            unended=[] if read.pieces else sorted(read_files(fs, folder).waiting),
            is_known=has_manifest(fs, folder),
        )


def stale_days(settings: Observatory, source: SourceSettings, formats: frozenset[str]) -> float | None:
    """The age in days from which the source's last record is stale; None for what has no new lines."""
    from jobs.operators.formats.registry import KERNELS

    if source.stale_days is not None:
        return source.stale_days
    known = formats or {source.format}
    awaits_none = all(name in KERNELS and KERNELS[name].awaits_no_lines for name in known)
    return None if awaits_none else settings.lake.stale_days


def read_streams(fs: Any, folder: str) -> list[Stream] | None:
    """The streams in a source's landing; None where its manifest cannot be read."""
    try:
        return read_manifest(fs, folder)
    except UnreadableManifest:
        return None


def read_ledger(lake: Lake) -> dict[tuple[str, str], Read]:
    """The ledger's entries by operator and source."""
    rows = (
        lake.read("bronze.file")
        .group_by("operator_id", "source_id")
        .agg(
            pl.col("piece_id"),
            pl.col("quarantined_count").sum(),
            pl.col("format_code").unique(),
            pl.col("last_event_date").max(),
            pl.col("first_event_date").alias("firsts"),
            pl.col("last_event_date").alias("lasts"),
        )
        .rows()
    )
    return {
        (operator, source): Read(
            frozenset(pieces),
            quarantined,
            frozenset(formats),
            newest,
            frozenset((first, last) for first, last in zip(firsts, lasts, strict=True) if first and last),
        )
        for operator, source, pieces, quarantined, formats, newest, firsts, lasts in rows
    }


def days_without_records(lake: Lake, operator: str, read: Read) -> list[dt.date]:
    """The days that are missing between others; none of reports, which come when they come."""
    if not read.spans or all(format_kind(name) == "documents" for name in read.formats):
        return []
    days = {
        dt.date.fromisoformat(str(file.partition_value("event_date")))
        for name in read.formats
        for file in lake.files(f"bronze.{name}", None, lambda part: part["operator_id"] == operator)
    }
    return missing_days(read.spans, days)


def last_record(lake: Lake, operator: str, source: str, read: Read) -> dt.datetime | None:
    """The time of the newest record; None where there is none.

    It is found in the newest day's rows and in the day's before, whose mails may have gone on since.
    """
    if read.newest is None:
        return None
    days = {str(read.newest), str(read.newest - dt.timedelta(days=1))}
    found = [
        newest_time(table, files, source)
        for table in (f"bronze.{name}" for name in sorted(read.formats))
        if (
            files := lake.files(
                table, None, lambda part: part["operator_id"] == operator and part["event_date"] in days
            )
        )
    ]
    times = [each for each in found if each is not None]
    return max(times, default=None)


def newest_time(table: str, files: list[DataFile], source: str) -> dt.datetime | None:
    """The newest time in rows of one source."""
    names = [name for name in TIMES if name in read_contract(table).columns]
    is_of_source, newest = pl.col("source_id") == source, pl.max_horizontal(pl.col(names).max())
    found: dt.datetime | None = query_files(
        table, files, lambda rows: rows.filter(is_of_source).select(newest)
    ).item()
    return found


# --- what holds back ------------------------------------------------------------------------------------


def held_rules(results: Iterable[Result]) -> dict[tuple[str, str | None], list[HeldRule]]:
    """The rules that rows broke when they were last checked: by operator and source those that hold back
    one source, and by operator and None those that hold back all of it."""
    found: dict[tuple[str, str | None], list[HeldRule]] = {}
    for each in results:
        alone = {(operator, source) for operator, _, source in (name.partition("/") for name in each.sources)}
        whole = [(operator, None) for operator in each.operators if operator not in dict(alone)]
        places: list[tuple[str, str | None]] = [*sorted(alone), *whole]
        for place in places:
            rule = HeldRule(each.table, each.rule, each.says, each.violations, place in alone)
            found.setdefault(place, []).append(rule)
    return found


# --- what to do -----------------------------------------------------------------------------------------


def next_step(row: SourceStatus, source: SourceSettings, landed: Landed, at: dt.datetime) -> str | None:
    """A command or a setting, the most urgent one; None where there is nothing to do.

    Args:
        at: the time now.
    """
    chosen = f"--operator {row.operator}"
    if landed.is_lost:
        return f"`observatory pull {chosen}` makes the lost manifest of landing again"
    if row.held_rules:
        rules = {each.rule for each in row.held_rules}
        if "quarantine_within_limit" in rules and row.quarantined:
            return quarantine_step(row)
        return f"Mend what the held rule names, then `observatory run {chosen}`"
    if landed.unread:
        return f"`observatory run {chosen}` reads what is landed"
    if not row.landed and landed.unended:
        return f"Set whole = true for the source if {landed.unended[0]} is complete: it has no line end"
    if not row.landed and row.last_record is None:
        if landed.is_known:
            return f"All files are empty or left out: `observatory pull {chosen}` says why"
        return f"Nothing is landed: check that {source.shown_url} is right, then `observatory run {chosen}`"
    if row.is_stale and row.last_record is not None and at - row.last_record > OTHER_YEAR:
        age = (at - row.last_record).days
        return (
            f"The last record is of {row.last_record:%Y-%m-%d}, {age:,} days ago: check its host's clock,"
            f" and that {source.shown_url} still grows, then `observatory run {chosen}`"
        )
    if row.is_stale:
        return f"{STALE_STEP}{source.shown_url} still grows, then `observatory run {chosen}`"
    if row.missing_days:
        days = ", ".join(row.missing_days)
        return f"Bring the logs of {days}, of which there is no record, then `observatory run {chosen}`"
    if row.waiting:
        return "Set whole = true for the source if its files are complete: the last line has no end"
    if row.quarantined:
        return quarantine_step(row)
    return None


def list_steps(rows: Iterable[SourceStatus]) -> list[tuple[str, str]]:
    """The next steps as text: the source that a step is for, if it is for one, and the step. Stale sources
    have one step together."""
    steps = [(row, row.next_step) for row in rows if row.next_step]
    stale = [row for row, step in steps if step.startswith(STALE_STEP)]
    if len(stale) == 1:
        stale = []
    found = [(f"{row.operator}/{row.source}", step) for row, step in steps if row not in stale]
    if stale:
        operators = {row.operator for row in stale}
        chosen = f" --operator {operators.pop()}" if len(operators) == 1 else ""
        files = f"{len(stale)} sources are stale: check that their files still grow"
        found.append(("", f"{files}, then `observatory run{chosen}`"))
    return found


def quarantine_step(row: SourceStatus) -> str:
    """The commands that show quarantined lines, and that read them again after a correction."""
    return (
        f"`observatory quarantine --operator {row.operator} --source {row.source}` shows what was not"
        " understood. After you correct the source's settings,"
        f" `observatory run --operator {row.operator} --requarantine` reads its files again"
    )


def dump_json(rows: Iterable[SourceStatus]) -> str:
    """The rows as `status --json` prints them."""
    return json.dumps(
        [asdict(row) for row in rows], indent=1, default=lambda time: time.isoformat(), ensure_ascii=False
    )


def former_sources(lake: Lake, settings: Observatory, operators: Collection[str]) -> list[str]:
    """The sources of operators whose records the lake has, and which neither the settings nor their
    former_sources name, each with what to do."""
    named = {
        (each.id, source)
        for each in settings.operator
        for source in (*each.former_sources, *(one.id for one in each.source))
    }
    by = ["operator_id", "source_id"]
    rows = (
        lake.read("bronze.file", where=pl.col("operator_id").is_in(sorted(operators)))
        .group_by(by)
        .agg(
            pl.col("record_count").sum(),
            pl.col("first_event_date").min(),
            pl.col("last_event_date").max(),
        )
        .filter(pl.col("record_count") > 0)
        .sort(by)
        .rows()
    )
    return [
        f"operator '{operator}': source '{source}' is no longer in the settings, and its {records:,}"
        f" record{'s' if records > 1 else ''} of {first}{f' to {last}' if last != first else ''} stay in all"
        f" figures. To keep them, add '{source}' to former_sources of [[operator]] '{operator}'. To remove"
        " them, run `observatory renew --anew` and `observatory run`: they count anew what landing holds of"
        " the sources in the settings."
        for operator, source, records, first, last in rows
        if (operator, source) not in named
    ]
