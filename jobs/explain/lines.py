"""The bronze rows of a match, and the lines of logs that they were read from, as landing holds them."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from jobs.core.contracts import polars_schema
from jobs.core.lines import rest_of_line
from jobs.explain.assembled import PARTNERS, groups_of
from jobs.explain.search import COMPLAINT, IDS, KNOWLEDGE, PLACE, TRANSMISSION, VERDICT, Match, Search
from jobs.formats.registry import KERNELS
from jobs.ingest.manifest import Unreadable, landing, read_manifest
from jobs.ingest.packed import open_landed
from jobs.silver.hops import CLOCK_SLACK

# So many bytes of a line are read.
LONGEST = 1 << 20
Place = tuple[str, str, int]


@dataclass(frozen=True)
class Line:
    """A line of a log. file_name: as it was called when it was pulled. offset: the byte where it begins in
    it, decompressed. text: None where landing no longer holds it."""

    source_id: str
    stream_id: str
    offset: int
    file_name: str
    text: str | None


@dataclass(frozen=True)
class Records:
    """rows: the bronze rows of a match by format. groups: these, and all that are assembled with them."""

    rows: dict[str, pl.DataFrame]
    groups: dict[str, pl.DataFrame]


def records_of(search: Search, match: Match) -> Records:
    """The bronze rows that the rows of a match come from."""
    tables = (TRANSMISSION, VERDICT, COMPLAINT, KNOWLEDGE)
    silver = [match.rows(table) for table in tables if match.rows(table).height]
    if not silver:
        return Records(match.bronze, groups_of(search, match.bronze))
    places = pl.concat(rows.select(PLACE) for rows in [*silver, *match.bronze.values()]).unique()
    anchors = {}
    for name in search.formats:
        days = search.days_of(match, KERNELS[name].lookback_days)
        rows = search.rows(f"bronze.{name}", holds_place(name, places), days)
        if rows.height:
            anchors[name] = rows
    groups = groups_of(search, anchors)
    of_format = {name: anchors[name] if name in anchors else anchors[PARTNERS[name]] for name in groups}
    return Records({name: of_match(rows, of_format[name], silver) for name, rows in groups.items()}, groups)


def holds_place(format_name: str, places: pl.DataFrame) -> pl.Expr:
    """Whether a bronze row begins at one of these places, or has one of its lines there."""
    offsets = places["offset"].implode()
    found = pl.col("stream_id").is_in(places["stream_id"].implode()) & pl.col("offset").is_in(offsets)
    for name, kind in polars_schema(f"bronze.{format_name}").items():
        if is_list_of_lines(kind):
            inside = pl.element().struct.field("offset").is_in(offsets)
            found |= pl.col(name).list.eval(inside).list.any()
    return found


def is_list_of_lines(kind: Any) -> bool:
    inner = getattr(kind, "inner", None)
    return isinstance(inner, pl.Struct) and "offset" in {field.name for field in inner.fields}


def of_match(rows: pl.DataFrame, anchors: pl.DataFrame, silver: list[pl.DataFrame]) -> pl.DataFrame:
    """Of the rows of a key, which may be a number with many messages, those of this match: the ones at its
    places, and while it went on those with their ids, or with their numbers where they have no id.

    anchors: the rows at its places, of this format or of the one that it completes.
    """
    place = ["stream_id", "offset", "assembly_key"]
    here = rows.join(anchors, on=place, how="semi")
    times = [
        row
        for frame in silver
        if "last_at" in frame.columns
        for row in frame.select("first_at", "last_at").rows()
    ]
    both = [name for name in rows.columns if name in anchors.columns]
    ids = [name for name in (*IDS, "row_key") if name in both and anchors[name].null_count() < anchors.height]
    names = ids or [name for name in ("sender", "recipient") if name in both]
    slack = CLOCK_SLACK if ids else dt.timedelta(0)
    during = [pl.col("first_at").is_between(begin - slack, end + slack) for begin, end in times]
    same = [
        pl.col(name).is_in(anchors[name].drop_nulls().unique().implode()).fill_null(False) for name in names
    ]
    if not during or not same:
        return here
    alike = pl.any_horizontal(same) if ids else pl.all_horizontal(same)
    whole = pl.concat([here, rows.filter(pl.any_horizontal(during) & alike)]).unique(place)
    return whole.sort("first_at", "source_id", "stream_id", "offset")


def places_of(records: Mapping[str, pl.DataFrame]) -> list[Place]:
    """Where each line of bronze rows begins, in the order of files."""
    found: set[Place] = set()
    for rows in records.values():
        for row in rows.iter_rows(named=True):
            found.add((row["source_id"], row["stream_id"], row["offset"]))
            for value in row.values():
                if isinstance(value, list):
                    found |= {
                        (
                            each["source_id"] or row["source_id"],
                            each["stream_id"] or row["stream_id"],
                            each["offset"],
                        )
                        for each in value
                        if isinstance(each, dict) and each.get("offset") is not None
                    }
    return sorted(found)


def lines_at(search: Search, places: Iterable[Place]) -> list[Line]:
    """The lines at these places."""
    fs, area = landing(search.lake.root)
    ledger = search.rows("bronze.file", pl.col("operator_id") == search.operator.id)
    pieces = {
        (row["source_id"], row["piece_id"]): row
        for row in ledger.select("source_id", "stream_id", "piece_id", "offset", "file_name").to_dicts()
    }
    paths: dict[tuple[str, str], str] = {}
    for source in {source for source, *_ in places}:
        with contextlib.suppress(Unreadable):
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
        text = line_at(fs, path, offset - piece["offset"]) if piece and path else None
        found.append(Line(source, stream, offset, name, text))
    return found


def line_at(fs: Any, path: str, offset: int) -> str | None:
    """The line that begins at a byte of a landed file; None where the file is gone."""
    try:
        with open_landed(fs, path) as file:
            file.seek(offset)
            return rest_of_line(file, most=LONGEST).rstrip(b"\r\n").decode("utf-8", "replace")
    except OSError:
        return None
