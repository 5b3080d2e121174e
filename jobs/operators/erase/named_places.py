"""Places where a lake names subscribers: lines of logs in landing, and the bronze rows read from them.

A line goes if it names a subscriber. With it go all lines of a message, attempt or call of which nothing else
is left: one that the subscriber sent, or that went to the subscriber alone. Where others received it too, the
lines that name the subscriber go, and the others stay.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import polars as pl

from jobs.base.core.column_types import ColumnTypes
from jobs.base.core.errors import ObservatoryError
from jobs.base.store.lake import Lake
from jobs.base.store.table_files import read_files
from jobs.operators.erase.subscribers import Subscribers, found_in_rows
from jobs.operators.formats import Source
from jobs.operators.formats.registry import DOCUMENTS, KERNELS
from jobs.operators.formats.shared.documents import (
    Budget,
    is_mail,
    mail_of,
    split_mailbox,
    unpack_file,
    walk_parts,
)
from jobs.operators.formats.shared.lines import frame_lines
from jobs.operators.ingest.manifest import Piece, Stream, has_manifest, open_landing, read_manifest
from jobs.operators.ingest.packed import ORPHAN
from jobs.operators.ingest.parsing import read_blocks
from jobs.operators.ingest.piece_ranges import Range
from jobs.operators.silver.assembling import order_formats, raw_rows
from jobs.operators.silver.line_places import PLACE, has_lists, place_lines

QUARANTINE, TRANSMISSION = "bronze.quarantine", "silver.transmission"
ROW = [*PLACE, "assembly_key"]
# Columns of raw transmissions that name whose they are.
NAMING = ("sender", "recipient", "account")
# So many bytes may come out of a file of documents.
LARGEST = 1 << 30
LINES: ColumnTypes = {"source_id": pl.String, "stream_id": pl.String, "offset": pl.Int64}


@dataclass(frozen=True)
class LandedPiece:
    """A piece of an operator's landing.

    Attributes:
        key: operator/source/piece.
    """

    key: str
    source_id: str
    stream: Stream
    piece: Piece

    @property
    def is_document(self) -> bool:
        return self.stream.format in DOCUMENTS

    @property
    def whole(self) -> Range:
        """All of it, as a range of lines."""
        source = Source("", self.source_id, self.stream.stream_id, dt.datetime.max)
        piece = self.piece
        return Range(piece.path, 0, piece.bytes, piece.piece_id, piece.offset, source)


@dataclass
class NamedPlaces:
    """The places where an operator's lake names subscribers.

    Attributes:
        lines: by the key of a piece, the offsets in its stream of lines that go.
        documents: keys of pieces that go as a whole.
        rows: by table, the bronze rows that name a subscriber or go with one.
        quarantined: rows of bronze.quarantine.
        names: what was found, in the forms that pseudonyms are made of.
    """

    lines: dict[str, set[int]] = field(default_factory=dict)
    documents: set[str] = field(default_factory=set)
    rows: dict[str, pl.DataFrame] = field(default_factory=dict)
    quarantined: pl.DataFrame = field(default_factory=pl.DataFrame)
    names: set[str] = field(default_factory=set)

    @property
    def line_count(self) -> int:
        return sum(map(len, self.lines.values())) + len(self.documents)

    @property
    def is_nothing(self) -> bool:
        return not (self.line_count or self.rows or self.quarantined.height)


def landed_of(lake: Lake, operator_id: str) -> list[LandedPiece]:
    """All pieces of an operator, of sources that left the settings, too. Raises ObservatoryError where a
    source's manifest is lost: nobody knows what its pieces are."""
    fs, area = open_landing(lake.root)
    fs.invalidate_cache()
    lost = [
        folder
        for folder in fs.glob(f"{area}/{operator_id}/*")
        if fs.glob(f"{folder}/*{ORPHAN}") or (fs.ls(folder) and not has_manifest(fs, folder))
    ]
    if lost:
        raise ObservatoryError(
            f"{lost[0]} has pieces that no manifest names. `observatory pull` makes the manifest again; then"
            " run the same command"
        )
    sources = [path.rsplit("/", 2)[-2] for path in sorted(fs.glob(f"{area}/{operator_id}/*/manifest.json"))]
    return [
        LandedPiece(f"{operator_id}/{source}/{piece.piece_id}", source, stream, piece)
        for source in sources
        for stream in read_manifest(fs, f"{area}/{operator_id}/{source}")
        for piece in stream.pieces
    ]


def find_places(
    lake: Lake,
    subscribers: Subscribers,
    pieces: Iterable[LandedPiece],
    national_sources: Iterable[str],
    until: dt.datetime | None = None,
    batches: set[str] | None = None,
) -> NamedPlaces:
    """Find where pieces of an operator's landing and its bronze name subscribers.

    Args:
        national_sources: those whose digits without + are national numbers.
        until: records of later events stay.
        batches: those whose rows of bronze are looked at; None for all.
    """
    places, looked_at = NamedPlaces(), list(pieces)
    gone, kept = [pl.DataFrame(schema=LINES)], [pl.DataFrame(schema=LINES)]
    for name in KERNELS:
        goes, shared, stays = find_rows(lake, name, subscribers, until, batches, places)
        if goes.height or shared.height:
            places.rows[f"bronze.{name}"] = pl.concat([goes, shared]).select(*ROW, "ingest_id")
        gone.append(place_lines(goes).select(*LINES).cast(pl.Schema(LINES)))
        kept.append(place_lines(stays).select(*LINES).cast(pl.Schema(LINES)))
    of_rows = pl.concat(gone).unique()
    stays_there = pl.concat(kept).unique().join(of_rows, on=PLACE, how="anti")
    add_lines(lake, looked_at, subscribers, set(national_sources), of_rows, stays_there, places)
    quarantined = lake.read(QUARANTINE, where=is_of_operator(subscribers.operator_id, batches))
    found = subscribers.find_named(quarantined["line_text"])
    places.quarantined = quarantined.filter(found_in_rows(found, quarantined.height)).select(
        "source_id", "piece_id", "offset", "ingest_id"
    )
    return places


# --- bronze ---


def find_rows(
    lake: Lake,
    name: str,
    subscribers: Subscribers,
    until: dt.datetime | None,
    batches: set[str] | None,
    places: NamedPlaces,
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Find a format's bronze rows that go, those that lose lines, and those that name a subscriber and stay,
    because their events are later.

    Args:
        name: the format.
        until: rows of later events stay; None: none stays for its time.
        batches: ingest ids of the batches that are looked at; None for all.
        places: takes the names that are found.
    """
    table = f"bronze.{name}"
    parts = [lake.read(table, where=pl.lit(False))]
    for file in lake.files(table, is_wanted=lambda each: each["operator_id"] == subscribers.operator_id):
        rows = read_files(table, [file], where=is_of_operator(subscribers.operator_id, batches))
        found = subscribers.find_named(texts_of(rows))
        parts.append(rows.filter(found_in_rows(found, rows.height)))
        add_names(places, found)
    named = pl.concat(parts)
    is_late = pl.col("first_at") > until if until else pl.lit(False)
    stays, named = named.filter(is_late.fill_null(False)), named.filter(~is_late.fill_null(False))
    if named.is_empty():
        return named, named, stays
    own = (
        own_rows(lake, name, named, subscribers)
        if TRANSMISSION in KERNELS[name].silver_rows
        else named.clear()
    )
    others = named.join(own, on=ROW, how="anti")
    # A row of one line goes with it.
    return (own, others, stays) if has_lists(named) else (pl.concat([own, others]), named.clear(), stays)


def own_rows(lake: Lake, name: str, named: pl.DataFrame, subscribers: Subscribers) -> pl.DataFrame:
    """The bronze rows of messages, attempts and calls that are entirely these subscribers'."""
    is_key = pl.col("assembly_key").is_in(named["assembly_key"].unique().implode())
    rows = lake.read(f"bronze.{name}", where=is_of_operator(subscribers.operator_id) & is_key)
    formats = {name: rows}
    raw = raw_rows(TRANSMISSION, name, formats, order_formats(formats))
    if raw.is_empty():
        return rows.clear()
    found = subscribers.find_named(texts_of(raw.select(NAMING)))
    raw = raw.select(*PLACE, "first_at", is_own=found_in_rows(found, raw.height))
    keyed = place_lines(rows).join(rows.select("assembly_key").with_row_index("row"), on="row")
    placed = raw.join(keyed.unique(PLACE), on=PLACE)
    # A row may hold several events, as a session does refusals: all of them are to be the subscribers'.
    of_row = placed.group_by("row").agg(pl.col("is_own").all().alias("is_row_own"))
    # A name of a queue file comes back: each message of a key has the rows from its first event on.
    life = placed.group_by("assembly_key", "first_at").agg(pl.col("is_own").all()).sort("first_at")
    begun = (
        rows.with_row_index("row")
        .sort("first_at")
        .join_asof(life, on="first_at", by="assembly_key", check_sortedness=False)
        .join(of_row, on="row", how="left")
    )
    is_own = pl.col("is_own").fill_null(False) & pl.col("is_row_own").fill_null(True)
    return begun.filter(is_own).select(rows.columns)


def is_of_operator(operator_id: str, batches: set[str] | None = None) -> pl.Expr:
    mine = pl.col("operator_id") == operator_id
    return mine if batches is None else mine & pl.col("ingest_id").is_in(sorted(batches))


def texts_of(rows: pl.DataFrame) -> pl.Series:
    """All texts of each row as one."""
    names = [
        name
        for name, kind in rows.schema.items()
        if kind == pl.String or isinstance(kind, (pl.List, pl.Struct))
    ]
    return rows.select(pl.struct(names).struct.json_encode().alias("text"))["text"]


def add_names(places: NamedPlaces, found: pl.DataFrame) -> None:
    """Add the forms of what was found under which silver has it: an address with its tag, and each name."""
    places.names |= {each.lower().rstrip(".-") for each in found["token"] if "@" in each}
    places.names |= set(found["token"]) | set(found["name"])


# --- landing ---


def add_lines(
    lake: Lake,
    looked_at: list[LandedPiece],
    subscribers: Subscribers,
    national_sources: set[str],
    of_rows: pl.DataFrame,
    kept: pl.DataFrame,
    places: NamedPlaces,
) -> None:
    """Add the lines and documents of landing that go: those of rows that go, and those that name a subscriber
    and belong to no record that stays.

    Args:
        looked_at: the pieces of landing that are read.
        national_sources: ids of sources whose digits without + are national numbers.
        of_rows: the lines of bronze rows that go.
        kept: the lines of records that stay.
        places: takes the lines, documents and names that are found.
    """
    fs, _ = open_landing(lake.root)
    by_stream = {key: set(part["offset"]) for key, part in split_streams(of_rows)}
    stay = {key: set(part["offset"]) for key, part in split_streams(kept)}
    for each in looked_at:
        stream, national = (each.source_id, each.stream.stream_id), each.source_id in national_sources
        if each.is_document:
            with fs.open(each.piece.path, "rb") as file:
                data = file.read()
            if DOCUMENTS[each.stream.format].has_lines and is_text(data):
                texts = frame_lines(data, 0)
                found = subscribers.find_named(texts["line"], national)
                if found.height:
                    places.lines[each.key] = set(texts["offset"].gather(found["row"].unique()))
            else:
                whole = pl.Series(list(texts_in(data, LARGEST)), dtype=pl.String)
                found = subscribers.find_named(whole, national)
                if found.height or by_stream.get(stream):
                    places.documents.add(each.key)
            add_names(places, found)
            continue
        first, end = each.piece.offset, each.piece.offset + each.piece.bytes
        offsets = {offset for offset in by_stream.get(stream, ()) if first <= offset < end}
        for block, offset in read_blocks(fs, each.whole):
            lines, raw = frame_lines(block, offset), frame_lines(block, offset, is_raw=True)
            is_wrapped = lines["line"] != raw["line"]
            for texts in (lines, raw.filter(is_wrapped)) if is_wrapped.any() else (lines,):
                found = subscribers.find_named(texts["line"], national)
                add_names(places, found)
                offsets |= set(texts["offset"].gather(found["row"].unique())) - stay.get(stream, set())
        if offsets:
            places.lines[each.key] = offsets


def split_streams(lines: pl.DataFrame) -> Iterator[tuple[tuple[str, str], pl.DataFrame]]:
    for (source, stream), part in lines.partition_by("source_id", "stream_id", as_dict=True).items():
        yield (str(source), str(stream)), part


def is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def texts_in(data: bytes, limit: int) -> Iterator[str]:
    """A file of documents as texts: what it is, what is packed in it, and the parts of its mails.

    Args:
        limit: the most bytes that may come out of archives.
    """
    budget = Budget(limit)
    for content in unpack_file(data, budget):
        yield content.data.decode("utf-8", "replace")
        for mail in split_mailbox(content.data) if is_mail(content.data) else ():
            parsed = mail_of(mail)
            for part in walk_parts(parsed) if parsed is not None else ():
                payload = part.get_payload(decode=True)
                for inner in unpack_file(payload, budget) if isinstance(payload, bytes) else ():
                    yield inner.data.decode("utf-8", "replace")
