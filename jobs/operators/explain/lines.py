"""The bronze rows of a match, and the log lines in landing that they were read from."""

import contextlib
import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from jobs.base.tables.contracts import polars_schema
from jobs.operators.explain.assembled import PARTNERS, assembly_groups
from jobs.operators.explain.search import (
    COMPLAINT,
    IDS,
    KNOWLEDGE,
    TRANSMISSION,
    VERDICT,
    LakeSearch,
    Match,
)
from jobs.operators.formats.registry import KERNELS
from jobs.operators.formats.shared.lines import rest_of_line
from jobs.operators.formats.shared.wrapped import unwrap_sample
from jobs.operators.ingest.manifest import UnreadableManifest, open_landing, read_manifest
from jobs.operators.ingest.packed import open_landed
from jobs.operators.silver.assembling import LINE_KEY
from jobs.operators.silver.hops import CLOCK_SLACK
from jobs.operators.silver.line_places import is_list_of_lines, place_lines

# So many bytes of a line are read.
LONGEST = 1 << 20
Place = tuple[str, str, int]


@dataclass(frozen=True)
class LogLine:
    """A line of a log.

    Attributes:
        file_name: when it was pulled.
        offset: the line's first byte in the decompressed file.
        text: None if landing no longer holds the line.
    """

    source_id: str
    stream_id: str
    offset: int
    file_name: str
    text: str | None


@dataclass(frozen=True)
class Records:
    """Bronze rows that match a search.

    Attributes:
        rows: the bronze rows of a match by format.
        groups: these, and the rows assembled with them.
    """

    rows: dict[str, pl.DataFrame]
    groups: dict[str, pl.DataFrame]


def find_records(search: LakeSearch, match: Match) -> Records:
    """The bronze rows that the silver rows of a match were assembled from."""
    tables = (TRANSMISSION, VERDICT, COMPLAINT, KNOWLEDGE)
    silver = [match.silver_rows(table) for table in tables if match.silver_rows(table).height]
    if not silver:
        return Records(match.bronze, assembly_groups(search, match.bronze))
    places = pl.concat(rows.select(LINE_KEY) for rows in [*silver, *match.bronze.values()]).unique()
    anchors = {}
    for name in search.formats:
        days = search.days_of(match, KERNELS[name].lookback_days)
        rows = search.find_rows(f"bronze.{name}", holds_place(name, places), days)
        if rows.height:
            anchors[name] = rows
    groups = assembly_groups(search, anchors)
    of_format = {name: anchors[name] if name in anchors else anchors[PARTNERS[name]] for name in groups}
    return Records(
        {name: rows_of_match(name, rows, of_format[name], silver) for name, rows in groups.items()}, groups
    )


def holds_place(format_name: str, places: pl.DataFrame) -> pl.Expr:
    """Return whether a bronze row begins at one of these places, or has one of its lines there."""
    offsets = places["offset"].implode()
    found = pl.col("stream_id").is_in(places["stream_id"].implode()) & pl.col("offset").is_in(offsets)
    for name, kind in polars_schema(f"bronze.{format_name}").items():
        if is_list_of_lines(kind):
            inside = pl.element().struct.field("offset").is_in(offsets)
            found |= pl.col(name).list.eval(inside).list.any()
    return found


def rows_of_match(
    format_name: str, rows: pl.DataFrame, anchors: pl.DataFrame, silver: list[pl.DataFrame]
) -> pl.DataFrame:
    """The rows of this match among all rows of an assembly key, which may be a number with many messages.

    These are the rows at the match's places, and those with the same ids within its time, or of the same key
    where rows hold several events; other rows without ids need the same numbers.

    Args:
        anchors: the rows at its places, of this format or of the one that it completes.
    """
    place = ["stream_id", "offset", "assembly_key"]
    here = rows.join(anchors, on=place, how="semi")
    both = [name for name in rows.columns if name in anchors.columns]
    ids = [name for name in IDS if name in both and anchors[name].null_count() < anchors.height]
    names = ids or [name for name in ("sender", "recipient") if name in both]
    events = KERNELS[format_name].copies.events
    same = [
        pl.col(name).is_in(anchors[name].drop_nulls().unique().implode()).fill_null(False) for name in names
    ]
    if events:
        same.append(pl.struct(events.key).is_in(anchors.select(pl.struct(events.key)).to_series().implode()))
    during = match_times(silver, CLOCK_SLACK if ids or events else dt.timedelta(0))
    if not during or not same:
        return here
    alike = pl.any_horizontal(same) if ids or events else pl.all_horizontal(same)
    whole = pl.concat([here, rows.filter(pl.any_horizontal(during) & alike)]).unique(place)
    return whole.sort("first_at", "source_id", "stream_id", "offset")


def match_times(silver: list[pl.DataFrame], slack: dt.timedelta) -> list[pl.Expr]:
    """Return whether a bronze row begins while one of these rows lasts, give or take `slack`."""
    return [
        pl.col("first_at").is_between(begin - slack, end + slack)
        for frame in silver
        if "last_at" in frame.columns
        for begin, end in frame.select("first_at", "last_at").rows()
    ]


def line_places(records: Mapping[str, pl.DataFrame]) -> list[Place]:
    """The places where the lines of bronze rows begin: source, stream and offset, in order."""
    return sorted({place for rows in records.values() for place in place_lines(rows).select(LINE_KEY).rows()})


def read_lines(search: LakeSearch, places: Iterable[Place]) -> list[LogLine]:
    """The lines at these places."""
    fs, area = open_landing(search.lake.root)
    ledger = search.find_rows("bronze.file", pl.col("operator_id") == search.operator.id)
    pieces = {
        (row["source_id"], row["piece_id"]): row
        for row in ledger.select("source_id", "stream_id", "piece_id", "offset", "file_name").to_dicts()
    }
    paths: dict[tuple[str, str], str] = {}
    for source in {source for source, *_ in places}:
        with contextlib.suppress(UnreadableManifest):
            for landed in read_manifest(fs, f"{area}/{search.operator.id}/{source}"):
                paths |= {(source, piece.piece_id): piece.path for piece in landed.pieces}
    found = []
    for source, stream, offset in places:
        own = [
            row
            for (of, _), row in pieces.items()
            if of == source and row["stream_id"] == stream and row["offset"] <= offset
        ]
        piece = max(own, key=lambda row: row["offset"], default=None)
        name = piece["file_name"] if piece else "?"
        path = paths.get((source, piece["piece_id"])) if piece else None
        text = read_line(fs, path, offset - piece["offset"]) if piece and path else None
        found.append(LogLine(source, stream, offset, name, text))
    return found


def read_line(fs: Any, path: str, offset: int) -> str | None:
    """The line that begins at a byte of a landed file; None if the file was removed."""
    try:
        with open_landed(fs, path) as file:
            file.seek(offset)
            line = rest_of_line(file, most=LONGEST).rstrip(b"\r\n")
            return unwrap_sample(line).decode("utf-8", "replace")
    except OSError:
        return None
