"""A range of a landed piece in, bronze rows out.

A range is cut at line ends; the format's kernel parses blocks of some megabytes, and the filters that write
in such logs (its companions) get the lines that it ignored or quarantined. Files of documents are read whole.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from jobs.core.contracts import polars_schema
from jobs.core.lines import LONGEST_LINE, frame_of, rest_of_line
from jobs.formats import PARSED, Document, Source
from jobs.formats.format import Format, LineFormat
from jobs.ingest import clock, future
from jobs.ingest.packed import open_landed

PART = 16 << 20
KEPT_OF_LINE = 4096


@dataclass(frozen=True)
class Range:
    """The bytes [start, end) of a landed piece. It owns the lines that start in it.

    closed: the first UTC day that is still open; records before it are late.
    limit_bytes: of a file of documents; a larger one is quarantined without being read.
    before: paths and sizes of the pieces before this one in its stream, the nearest first.
    """

    path: str
    start: int
    end: int
    piece_id: str
    stream_offset: int
    source: Source
    closed: dt.date | None = None
    file_name: str = ""
    limit_bytes: int = 0
    before: tuple[tuple[str, int], ...] = ()
    format: str = ""

    def between(self, start: int, end: int) -> Range:
        """The part of the range that these bytes are."""
        return replace(self, start=start, end=end)

    @property
    def place(self) -> list[pl.Expr]:
        """The columns that name a row's stream."""
        source = self.source
        whose = {
            "operator_id": source.operator_id,
            "source_id": source.source_id,
            "stream_id": source.stream_id,
        }
        return [pl.lit(value).alias(column) for column, value in whose.items()]


@dataclass(frozen=True)
class Parsed:
    """What came of a block of lines or a file of documents: each is counted once.

    rows: bronze rows by format. quarantined: columns of bronze.quarantine. count: one row, for the ledger.
    """

    rows: dict[str, pl.DataFrame]
    quarantined: pl.DataFrame
    count: pl.DataFrame


def read_range(fs: Any, part: Range, ingest_id: str) -> Iterator[Parsed]:
    """What came of one range, block by block; of a file of documents at once."""
    from jobs.formats.registry import DOCUMENTS

    read = read_documents if part.format in DOCUMENTS else read_lines
    return read(fs, part, part.format, ingest_id)


def read_lines(fs: Any, part: Range, name: str, ingest_id: str) -> Iterator[Parsed]:
    """What came of the lines of a range, block by block."""
    from jobs.formats.registry import FORMATS

    is_head = FORMATS[name].is_head
    head = (head_before(fs, part, is_head) or part.source.head) if is_head else None
    for block, offset in blocks(fs, part):
        lines = frame_of(block, offset)
        own = replace(part, source=replace(part.source, head=head)) if is_head else part
        yield parse_block(lines, own, name, ingest_id)
        head = (last_head(lines, is_head) if is_head else None) or head


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
                last_head(frame_of(block, offset), is_head)
                for block, offset in blocks(fs, replace(part, path=path, start=start, end=end))
            ]
            if found := [head for head in heads if head is not None]:
                return found[-1]
            end = start
    return None


def blocks(fs: Any, part: Range) -> Iterator[tuple[bytes, int]]:
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
    """What the format's kernel, and then its companions, made of one block of lines."""
    from jobs.formats.registry import COMPANIONS, FORMATS, hosts_of

    kernel = FORMATS[name]
    fits = lines["line_bytes"] <= kernel.longest_line
    own_lines = lines if fits.all() else lines.filter(fits)
    codes, records = future.set_apart(*records_of(kernel, own_lines, part.source), part.source)
    record_count = records.height
    rows = {name: bronze_rows(kernel, records, part, ingest_id)}
    refused = [quarantined_of(codes, name)]
    if not fits.all():
        too_long = lines.filter(~fits).select("offset", reason_code=pl.lit("too_long"))
        refused.append(too_long.with_columns(format_code=pl.lit(name)))
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
        told = companion.parse(offered.lazy(), part.source).collect()
        said = clock.set_right(told, part.source.clock_offset)
        own = said.filter(pl.col("line_code") != "ignored")
        if not own.height:
            continue
        records = own.filter(pl.col("line_code") == "record")
        own, records = future.set_apart(own.select(*PARSED), records, part.source)
        record_count += records.height
        rows[companion.name] = bronze_rows(companion, records, part, ingest_id)
        # What a companion knows as its own is no more what the host said of it.
        refused = [without(each, own) for each in refused]
        refused.append(quarantined_of(own, companion.name))
        ignored, found = without(ignored, own), without(found, own)
    quarantined = pl.concat(refused)
    of_quarantined = lines["offset"].is_in(quarantined["offset"].implode()).arg_true()
    texts = lines[of_quarantined].select(
        "offset", "line_bytes", line_text=pl.col("line").str.slice(0, KEPT_OF_LINE)
    )
    quarantined = quarantined.join(texts, on="offset", how="left", maintain_order="left")
    counts = {"record": record_count, "ignored": ignored.height, "quarantined": quarantined.height}
    return accounted(rows, quarantined, counts, lines.height, part, ingest_id)


def records_of(kernel: LineFormat, lines: pl.DataFrame, source: Source) -> tuple[pl.DataFrame, pl.DataFrame]:
    """offset, line_code and reason_code of each line, and what parse() gives of those that are records."""
    if kernel.records:
        codes, records = kernel.records(lines, source)
    else:
        told = kernel.parse(lines.select("offset", "line").lazy(), source).collect()
        codes, records = told.select(*PARSED), told.filter(pl.col("line_code") == "record")
    return codes, clock.set_right(records, source.clock_offset)


def without(lines: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """The lines that are not among the others, in their order."""
    return lines.join(others, on="offset", how="anti", maintain_order="left")


def quarantined_of(told: pl.DataFrame, name: str) -> pl.DataFrame:
    """The lines that a kernel quarantined: their offset, reason and format."""
    return told.filter(pl.col("line_code") == "quarantined").select(
        "offset", pl.col("reason_code").cast(pl.String), format_code=pl.lit(name)
    )


def read_documents(fs: Any, part: Range, name: str, ingest_id: str) -> Iterator[Parsed]:
    """What came of a file of documents, read whole. A document's offset is its number in the file."""
    from jobs.formats.registry import DOCUMENTS
    from jobs.formats.shared.documents import frame_of as rows_of

    kernel = DOCUMENTS[name]
    size = part.end - part.start
    if size > part.limit_bytes:
        documents = [Document(reason_code="too_large", size=size)]
    else:
        with fs.open(part.path, "rb") as file:
            data = file.read()
        documents = list(kernel.read(data, part.file_name, part.source, part.limit_bytes))
    told = rows_of(enumerate(documents), part.source, kernel.bronze)
    refused = pl.DataFrame(
        [
            (number, document.reason_code, name, document.size, document.text)
            for number, document in enumerate(documents)
            if document.line_code == "quarantined"
        ],
        schema={
            "offset": pl.Int64,
            "reason_code": pl.String,
            "format_code": pl.String,
            "line_bytes": pl.Int64,
            "line_text": pl.String,
        },
        orient="row",
    )
    codes = Counter(document.line_code for document in documents)
    rows = {name: bronze_rows(kernel, told, part, ingest_id)}
    yield accounted(rows, refused, codes, len(documents), part, ingest_id)


def bronze_rows(kernel: Format, records: pl.DataFrame, part: Range, ingest_id: str) -> pl.DataFrame:
    """The rows of bronze.<format> that records make."""
    rows = kernel.assemble(records.with_columns(part.place).lazy()).with_columns(
        pl.lit(ingest_id).alias("ingest_id"), pl.col("first_at").dt.date().alias("event_date")
    )
    frame: pl.DataFrame = rows.select(list(polars_schema(f"bronze.{kernel.name}"))).collect()
    return frame


def accounted(
    rows: dict[str, pl.DataFrame],
    refused: pl.DataFrame,
    codes: Mapping[str, int],
    line_count: int,
    part: Range,
    ingest_id: str,
) -> Parsed:
    """Rows and quarantine, with what the ledger must know of them."""
    quarantined = refused.with_columns(
        *part.place, pl.lit(part.piece_id).alias("piece_id"), pl.lit(ingest_id).alias("ingest_id")
    ).select(list(polars_schema("bronze.quarantine")))
    dates = pl.concat([frame["event_date"] for frame in rows.values()])
    count = pl.DataFrame(
        {
            "piece_key": [f"{part.source.operator_id}/{part.source.source_id}/{part.piece_id}"],
            "line_count": [line_count],
            "record_count": [codes.get("record", 0)],
            "ignored_count": [codes.get("ignored", 0)],
            "quarantined_count": [codes.get("quarantined", 0)],
            "late_count": [int((dates < part.closed).sum()) if part.closed else 0],
            "first_event_date": [dates.min()],
            "last_event_date": [dates.max()],
        },
        schema_overrides={"first_event_date": pl.Date, "last_event_date": pl.Date},
    )
    return Parsed(rows, quarantined, count)
