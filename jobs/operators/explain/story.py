"""The explanation of one match, in the order of the pipeline: lines, bronze, silver, gold."""

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from jobs.base.settings.config import Observatory
from jobs.base.store.lake import Lake
from jobs.operators.explain.assembled import find_decisions
from jobs.operators.explain.cells import GoldCell, find_cells
from jobs.operators.explain.lines import LogLine, find_records, line_places, read_lines
from jobs.operators.explain.reasons import Reason, list_reasons, why_not_counted
from jobs.operators.explain.same_message import complete_match
from jobs.operators.explain.search import MESSAGE, TRANSMISSION, LakeSearch, Match, SearchQuestion
from jobs.operators.explain.searched_names import KEY_SHOWN
from jobs.operators.gold.shared.measures import UNITS

COUNTS = "gold.spam_volume_daily"
# Columns of a cell's key that all cells of a message share, or that are printed once.
SHARED = {"operator_id", "period_date", "period_code", "channel_code", "definition_code", "unit_code"}
# Columns of bronze rows that are printed elsewhere, or do not describe the message.
PLUMBING = {
    *("operator_id", "source_id", "stream_id", "offset", "ingest_id", "event_date"),
    "assembly_key",
}
STATES = ("certainly spam under", "possibly spam under", "not spam under")


@dataclass(frozen=True)
class Summary:
    """A match as a row of a list.

    Attributes:
        at: the time of its first event, in ISO 8601.
        key: the beginning of the key that selects it alone.
    """

    operator: str
    source: str
    channel: str
    at: str
    outcome: str
    key: str

    @property
    def time(self) -> str:
        """The first event to the second, as 2026-11-24 14:16:03."""
        return self.at[:19].replace("T", " ")


@dataclass(frozen=True)
class Story:
    """A match with its log lines, its rows and its cells.

    Attributes:
        bronze: rows by format.
        not_counted: why no cell counts it; None if one does.
    """

    match: Match
    lines: list[LogLine]
    bronze: dict[str, pl.DataFrame]
    reasons: list[Reason]
    not_counted: str | None
    cells: list[GoldCell]

    @property
    def title(self) -> str:
        row = summarise_match(self.match)
        parts = (row.operator, row.channel, f"{row.time} UTC", row.outcome)
        return "  ".join(part for part in parts if part)

    def bronze_lines(self) -> list[str]:
        """Each bronze row with the values that it has."""
        return [
            f"bronze.{name} @{row['offset']:,}  {format_values(row)}"
            for name, rows in self.bronze.items()
            for row in rows.to_dicts()
        ]

    def definitions_by_state(self) -> dict[str, list[str]]:
        """The definitions of spam by their result for the match, a state of STATES."""
        found: dict[str, list[str]] = {state: [] for state in STATES}
        for cell in (each for each in self.cells if each.table == COUNTS):
            certain, possible = (cell.counts.get(name) for name in ("spam_certain", "spam_possible"))
            state = STATES[0] if certain else STATES[1] if possible else STATES[2]
            found[state].append(cell.key["definition_code"])
        return {state: sorted(set(names)) for state, names in found.items()} if self.cells else {}

    def gold_lines(self) -> list[tuple[str, str, str]]:
        """List the rows of gold, without definition and unit: table, key, and the counts of the match."""
        groups: dict[tuple[Any, ...], dict[str, str]] = {}
        for cell in self.cells:
            period = cell.key.get("period_date") or cell.key.get("period_code")
            named = ", ".join(f"{name} {value}" for name, value in cell.key.items() if name not in SHARED)
            counts = groups.setdefault((cell.table, f"{period}  {named}".strip()), {})
            counts |= dict(format_counts(cell))
        return [
            (
                table,
                key,
                ", ".join(counts[name] for name in sorted(counts, key=measure_rank)) or "counts in it",
            )
            for (table, key), counts in groups.items()
        ]

    def dump_json(self) -> str:
        found = asdict(summarise_match(self.match)) | {
            "lines": [asdict(line) for line in self.lines],
            "bronze": {f"bronze.{name}": rows.to_dicts() for name, rows in self.bronze.items()},
            "silver": {table: rows.to_dicts() for table, rows in self.match.silver.items()},
            "reasons": [asdict(reason) for reason in self.reasons],
            "not_counted": self.not_counted,
            "gold": [asdict(cell) for cell in self.cells],
        }
        return json.dumps(found, indent=1, default=str, ensure_ascii=False)


def make_story(lake: Lake, settings: Observatory, question: SearchQuestion, match: Match) -> Story:
    search = LakeSearch(lake, settings, match.operator, question)
    whole = complete_match(search, match)
    records = find_records(search, whole)
    lines = read_lines(search, line_places(records.rows))
    reasons = list_reasons(whole, find_decisions(search, records.groups))
    return Story(whole, lines, records.rows, reasons, why_not_counted(whole), find_cells(search, whole))


def format_counts(cell: GoldCell) -> Iterator[tuple[str, str]]:
    """The counts that a match adds to a cell, by unit or measure, each with the lake's total.

    Spam under a definition is left out: definitions() has it.
    """
    unit = cell.key.get("unit_code")
    for measure, count in cell.counts.items():
        if "definition_code" in cell.key and measure != "units":
            continue
        name = str(unit) if measure == "units" else f"{unit} {measure}" if unit else measure
        total = cell.totals.get(measure)
        of = f"of {total:,}" if total is not None else "(the lake has no such cell)"
        yield name, f"{name} {count:,} {of}"


def measure_rank(name: str) -> tuple[int, str]:
    """The place of a measure in print: units in the order of UNITS, then measures by name."""
    unit = name.split(" ")[0]
    return (list(UNITS).index(unit) if unit in UNITS else len(UNITS), name)


def format_values(row: Mapping[str, Any]) -> str:
    parts = []
    for name, value in row.items():
        if name in PLUMBING or value in (None, [], ""):
            continue
        if isinstance(value, list) and isinstance(value[0], dict):
            value = f"{len(value)} line{'s' if len(value) > 1 else ''}"
        elif isinstance(value, list):
            value = " ".join(map(str, value))
        elif isinstance(value, dt.datetime):
            value = f"{value:%Y-%m-%d %H:%M:%S}"
        parts.append(f"{name}={value}")
    return " ".join(parts)


def summarise_match(match: Match) -> Summary:
    row = match.first
    sent = match.silver_rows(TRANSMISSION)
    outcome = str(row.get("action_name") or row.get("feedback_type_code") or "")
    if sent.height:
        outcome = ", ".join(
            sorted(set(match.silver_rows(MESSAGE)["outcome_code"]) or set(sent["outcome_code"]))
        )
    return Summary(
        operator=match.operator.id,
        source=match.source,
        channel=str(row.get("channel_code") or ""),
        at=match.at.isoformat(),
        outcome=outcome,
        key=match.key[:KEY_SHOWN],
    )
