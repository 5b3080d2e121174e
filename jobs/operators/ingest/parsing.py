"""A range of a landed piece in, bronze rows out.

A range is cut at line ends; the format's kernel parses blocks of some megabytes, and the filters that write
in such logs (its companions) get the lines that it ignored or quarantined. Files of documents are read whole.
Small files of a source are parsed together (jobs/operators/ingest/small_files.py): a kernel's call takes as
long as the reading of some thousand lines.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from jobs.base.tables.contracts import column_types, polars_schema
from jobs.operators.formats import PARSED, Document, FilesDiffer, Source
from jobs.operators.formats.format import Format, LineFormat
from jobs.operators.formats.shared.lines import (
    LONGEST_LINE,
    drop_erased,
    find_erased,
    frame_lines,
    is_erased_file,
    rest_of_line,
)
from jobs.operators.ingest import clock
from jobs.operators.ingest.packed import open_landed
from jobs.operators.ingest.piece_ranges import Range
from jobs.operators.ingest.small_files import SMALL, RowPlace, lines_of, small_together

PART = 16 << 20
KEPT_OF_LINE = 4096
LINE_CODES = ("record", "ignored", "quarantined")
# Quarantined documents.
REFUSED = {
    **column_types("operator_id", "source_id", "stream_id"),
    "part": pl.Int64,
    **column_types("offset", "reason_code", "format_code", "line_bytes", "line_text"),
}


@dataclass(frozen=True)
class Parsed:
    """The result of a block of lines, or of files of documents: each line or document is counted once.

    Attributes:
        rows: bronze rows by format.
        quarantined: columns of bronze.quarantine.
        count: one row, for the ledger.
    """

    rows: dict[str, pl.DataFrame]
    quarantined: pl.DataFrame
    count: pl.DataFrame


def read_ranges(fs: Any, ranges: Iterable[Range], ingest_id: str) -> Iterator[Parsed]:
    """The results of ranges, block by block; of files of documents at once. Small ones of a source that were
    written at about the same time are read together."""
    from jobs.operators.formats.registry import DOCUMENTS, FORMATS

    ordered = sorted(ranges, key=lambda each: (*each.whose, each.source.newest_at))
    for (name, *_), parts in itertools.groupby(ordered, lambda each: each.whose):
        if name in DOCUMENTS:
            yield from read_documents(fs, parts, name, ingest_id)
        elif FORMATS[name].is_head:
            for part in parts:
                yield from read_under_heads(fs, part, name, ingest_id)
        else:
            yield from parse_blocks(fs, parts, name, ingest_id)


def parse_blocks(fs: Any, parts: Iterable[Range], name: str, ingest_id: str) -> Iterator[Parsed]:
    """The results of the lines of a source's ranges, block by block, small blocks together."""
    from jobs.operators.formats.registry import FORMATS

    limit = 0 if FORMATS[name].is_read_alone else SMALL
    for small in small_together(((part, *each) for part in parts for each in read_blocks(fs, part)), limit):
        try:
            yield parse_lines(*lines_of(small), name, ingest_id)
        except FilesDiffer:
            for each in small:
                yield parse_lines(*lines_of([each]), name, ingest_id)


def read_under_heads(fs: Any, part: Range, name: str, ingest_id: str) -> Iterator[Parsed]:
    """The results of a range, block by block, whose columns are named by lines in it or before it."""
    from jobs.operators.formats.registry import FORMATS

    is_head = FORMATS[name].is_head
    assert is_head is not None
    head = head_before(fs, part, is_head) or part.source.head
    for block, offset in read_blocks(fs, part):
        lines = frame_lines(block, offset)
        yield parse_block(lines, replace(part, source=replace(part.source, head=head)), name, ingest_id)
        head = last_head(lines, is_head) or head


def last_head(lines: pl.DataFrame, is_head: Callable[[pl.Expr], pl.Expr]) -> str | None:
    """The last of the lines that names the columns of those after it."""
    fits = pl.col("line_bytes") <= LONGEST_LINE
    found = lines.filter(fits).filter(is_head(pl.col("line")))["line"]
    return found[-1] if len(found) else None


def head_before(fs: Any, part: Range, is_head: Callable[[pl.Expr], pl.Expr]) -> str | None:
    """The last line before a range, in its stream, that names columns; looked for from the range back."""
    for path, end in ((part.path, part.start), *part.before):
        while end > 0:
            start = max(end - PART, 0)
            heads = [
                last_head(frame_lines(block, offset), is_head)
                for block, offset in read_blocks(fs, replace(part, path=path, start=start, end=end))
            ]
            if found := [head for head in heads if head is not None]:
                return found[-1]
            end = start
    return None


def read_blocks(fs: Any, part: Range) -> Iterator[tuple[bytes, int]]:
    """The lines that start in the range, in blocks of some megabytes, each with its offset in the stream."""
    with open_landed(fs, part.path) as file:
        position = part.start
        if part.start:
            # The line that the range starts in belongs to the range before; a line that starts exactly
            # here is found by looking at the byte before.
            file.seek(part.start - 1)
            position = part.start - 1 + len(rest_of_line(file))
        file.seek(position)
        while position < part.end:
            block = file.read(min(PART, part.end - position))
            if not block:
                return
            block += rest_of_line(file, block[-1:]) if not block.endswith(b"\n") else b""
            yield block, part.stream_offset + position
            position += len(block)


def parse_block(lines: pl.DataFrame, part: Range, name: str, ingest_id: str) -> Parsed:
    """Parse one block of a range's lines, by the format's kernel and its companions."""
    return parse_lines(lines, RowPlace([part], [0], [0]), name, ingest_id)


def parse_lines(lines: pl.DataFrame, place: RowPlace, name: str, ingest_id: str) -> Parsed:
    """Parse a block of lines wherever they stand, by the format's kernel and its companions. Raises
    FilesDiffer for lines of several files that must be read file by file."""
    erased = find_erased(lines).select("offset")
    whole = lines
    lines = remove_lines(lines, erased) if erased.height else lines
    rows: dict[str, pl.DataFrame] = {}

    def keep_rows(kernel: Format, records: pl.DataFrame) -> None:
        rows[kernel.name] = bronze_rows(kernel, place.add_streams(records), place, ingest_id)

    codes = classify_lines(lines, place, name, keep_rows)
    of_quarantined = lines["offset"].is_in(codes.quarantined["offset"].implode()).arg_true()
    texts = lines[of_quarantined].select(
        "offset", "line_bytes", line_text=pl.col("line").str.slice(0, KEPT_OF_LINE)
    )
    quarantined = codes.quarantined.join(texts, on="offset", how="left", maintain_order="left")
    counts = {
        "line_count": place.count_in_ranges(whole["offset"]),
        "record_count": place.count_in_ranges(codes.recorded),
        "ignored_count": place.count_in_ranges(pl.concat([codes.ignored["offset"], erased["offset"]])),
        "quarantined_count": place.count_in_ranges(quarantined["offset"]),
    }
    return make_parsed(rows, place.add_streams(quarantined), counts, place, ingest_id)


@dataclass(frozen=True)
class LineCodes:
    """The lines of a block by the code that kernels gave each of them.

    Attributes:
        recorded: offsets of records.
        ignored: offset.
        quarantined: offset, reason_code, format_code.
    """

    recorded: pl.Series
    ignored: pl.DataFrame
    quarantined: pl.DataFrame


def classify_lines(
    lines: pl.DataFrame, place: RowPlace, name: str, keep_records: Callable[[Format, pl.DataFrame], None]
) -> LineCodes:
    """Read a block of lines by the format's kernel, and by its companions those that it has no records of.

    Raises FilesDiffer as parse_lines() does.

    Args:
        keep_records: takes each kernel with the rows of its parse() that are records.
    """
    from jobs.operators.formats.registry import COMPANIONS, FORMATS, hosts_of

    kernel, source = FORMATS[name], place.source
    refusal = kernel.refuse_lines(lines)
    fits = refusal.is_null()
    own_lines = lines if fits.all() else lines.filter(fits)
    codes, records = set_apart(*parse_records(kernel, own_lines, source), place)
    recorded = [records["offset"]]
    keep_records(kernel, records)
    refused = [quarantine_columns(codes, name)]
    if not fits.all():
        unread = lines.select("offset", reason_code=refusal.cast(pl.String)).filter(~fits)
        refused.append(unread.with_columns(format_code=pl.lit(name)))
    ignored = codes.filter(pl.col("line_code") == "ignored").select("offset")
    within = [companion for companion in COMPANIONS if name in hosts_of(companion)]
    if within:
        # Few lines contain what any of them looks for: the others are set aside once, not by each.
        found = own_lines.filter(codes["line_code"] != "record").select("offset", "line")
        found = found.filter(pl.col("line").str.contains("|".join(each.own_text for each in within)))
    for companion in within:
        offered = found.filter(pl.col("line").str.contains(companion.own_text))
        if not offered.height:
            continue
        parsed = companion.parse(offered.lazy(), source).collect()
        corrected = clock.correct_times(parsed, source.clock_offset)
        own = corrected.filter(pl.col("line_code") != "ignored")
        if not own.height:
            continue
        records = own.filter(pl.col("line_code") == "record")
        own, records = set_apart(own.select(*PARSED), records, place)
        recorded.append(records["offset"])
        keep_records(companion, records)
        # A line that a companion recognises as its own no longer counts as the host format read it.
        refused = [remove_lines(each, own) for each in refused]
        refused.append(quarantine_columns(own, companion.name))
        ignored, found = remove_lines(ignored, own), remove_lines(found, own)
    return LineCodes(pl.concat(recorded), ignored, pl.concat(refused))


def set_apart(
    codes: pl.DataFrame, records: pl.DataFrame, place: RowPlace
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """codes and records with the records from the future quarantined. Raises FilesDiffer where lines of
    several files are after the earliest of the times that each of them has for that."""
    codes, kept = clock.set_apart(codes, records, place.source)
    if len(place.parts) > 1 and kept.height < records.height:
        raise FilesDiffer
    return codes, kept


def parse_records(
    kernel: LineFormat, lines: pl.DataFrame, source: Source
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """offset, line_code and reason_code of each line, and what parse() gives of those that are records."""
    if kernel.records:
        codes, records = kernel.records(lines, source)
    else:
        parsed = kernel.parse(lines.select("offset", "line").lazy(), source).collect()
        codes, records = parsed.select(*PARSED), parsed.filter(pl.col("line_code") == "record")
    return codes, clock.correct_times(records, source.clock_offset)


def remove_lines(lines: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """The lines that are not among the others, in their order."""
    return lines.join(others, on="offset", how="anti", maintain_order="left")


def quarantine_columns(parsed: pl.DataFrame, name: str) -> pl.DataFrame:
    """The lines that a kernel quarantined: their offset, reason and format."""
    return parsed.filter(pl.col("line_code") == "quarantined").select(
        "offset", pl.col("reason_code").cast(pl.String), format_code=pl.lit(name)
    )


def read_documents(fs: Any, parts: Iterable[Range], name: str, ingest_id: str) -> Iterator[Parsed]:
    """The results of a source's files of documents, each read whole. A document's offset is its number in the
    file."""
    found: list[tuple[Range, list[Document]]] = []
    size = 0
    for part in parts:
        documents = documents_of(fs, part, name)
        found.append((part, documents))
        size += sum(document.size for document in documents)
        if size >= SMALL:
            yield collect_documents(found, name, ingest_id)
            found, size = [], 0
    if found:
        yield collect_documents(found, name, ingest_id)


def documents_of(fs: Any, part: Range, name: str) -> list[Document]:
    """The documents of a file."""
    from jobs.operators.formats.registry import DOCUMENTS

    size = part.end - part.start
    if size > part.limit_bytes:
        return [Document(reason_code="too_large", size=size)]
    with fs.open(part.path, "rb") as file:
        data = file.read()
    if is_erased_file(data):
        return [Document(size=size)]
    data, erased = drop_erased(data) if DOCUMENTS[name].has_lines else (data, 0)
    found = DOCUMENTS[name].read(data, part.file_name, part.source, part.limit_bytes)
    return [*found, *(Document() for _ in range(erased))]


def collect_documents(read: list[tuple[Range, list[Document]]], name: str, ingest_id: str) -> Parsed:
    """The result of the documents of files."""
    from jobs.operators.formats.registry import DOCUMENTS
    from jobs.operators.formats.shared.documents import frame_of

    kernel = DOCUMENTS[name]
    place = RowPlace([part for part, _ in read], [0] * len(read), [0] * len(read))
    records = pl.concat(
        frame_of(enumerate(documents), part.source, kernel.bronze).with_columns(part=pl.lit(number, pl.Int64))
        for number, (part, documents) in enumerate(read)
    )
    refused = pl.DataFrame(
        [
            (*part.stream.values(), file, number, document.reason_code, name, document.size, document.text)
            for file, (part, documents) in enumerate(read)
            for number, document in enumerate(documents)
            if document.line_code == "quarantined"
        ],
        schema=REFUSED,
        orient="row",
    )
    codes = [Counter(document.line_code for document in documents) for _, documents in read]
    counts = {f"{code}_count": np.array([each[code] for each in codes]) for code in LINE_CODES}
    counts = {"line_count": np.array([len(documents) for _, documents in read])} | counts
    rows = {name: bronze_rows(kernel, records, place, ingest_id)}
    return make_parsed(rows, refused, counts, place, ingest_id)


def bronze_rows(kernel: Format, records: pl.DataFrame, place: RowPlace, ingest_id: str) -> pl.DataFrame:
    """The rows of bronze.<format> that records make, of each file by itself; with `part`, its number."""
    # Rows of two operators are never joined: here each file has an operator of its own.
    several = len(place.parts) > 1
    whose = pl.col("part").cast(pl.String) if several else pl.col("operator_id")
    rows = kernel.assemble(records.with_columns(operator_id=whose).drop("part").lazy()).with_columns(
        pl.lit(ingest_id).alias("ingest_id"),
        pl.col("first_at").dt.date().alias("event_date"),
        part=pl.col("operator_id").cast(pl.Int64) if several else pl.lit(0, pl.Int64),
        operator_id=pl.lit(place.parts[0].source.operator_id),
    )
    frame: pl.DataFrame = rows.select(*polars_schema(f"bronze.{kernel.name}"), "part").collect()
    return frame


def make_parsed(
    rows: dict[str, pl.DataFrame],
    refused: pl.DataFrame,
    counts: Mapping[str, np.ndarray],
    place: RowPlace,
    ingest_id: str,
) -> Parsed:
    """Rows and quarantine, with what the ledger must know of them.

    Args:
        rows, refused: with `part`, the number of their range.
        counts: of each range.
    """
    pieces = pl.Series([part.piece_id for part in place.parts], dtype=pl.String)
    quarantined = refused.with_columns(
        pieces.gather(refused["part"]).alias("piece_id"), pl.lit(ingest_id).alias("ingest_id")
    ).select(list(polars_schema("bronze.quarantine")))
    closed = place.parts[0].closed
    day = pl.col("event_date")
    days = pl.concat([frame.select("part", "event_date") for frame in rows.values()])
    days = days.group_by("part").agg(
        late_count=(day < closed).sum().cast(pl.Int64) if closed else pl.lit(0, pl.Int64),
        first_event_date=day.min(),
        last_event_date=day.max(),
    )
    keys = [f"{part.source.operator_id}/{part.source.source_id}/{part.piece_id}" for part in place.parts]
    each = pl.DataFrame({"part": range(len(keys)), "piece_key": keys, **counts})
    count = each.join(days, on="part", how="left", maintain_order="left").drop("part")
    plain = {name: frame.drop("part") for name, frame in rows.items()}
    return Parsed(plain, quarantined, count.with_columns(pl.col("late_count").fill_null(0)))
