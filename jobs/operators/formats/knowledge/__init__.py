"""Facts that an operator has of its messages beside its logs: consent and preference registers, registered
senders and templates, opt-outs, as CSV or Parquet.

A row names messages of a UTC day (`day`) and gives their attributes:

    day,sender,recipient,consent_code,is_recipient_natural
    2026-11-24,news@shop.example,ann@isp.example,express,true

Messages are named by the columns of one of KEYS, as the log has them; a sender may be TCCCPR's header. The
attributes are columns of jobs/base/tables/attributes.py, where an empty cell or `unknown` gives no value.
A file that is exported again with changes is read beside the one before: where two rows contradict each
other, neither counts.
"""

import csv
import datetime as dt
import hashlib
from collections.abc import Iterator
from io import BytesIO, StringIO
from itertools import chain
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.base.tables.attributes import ATTRIBUTES
from jobs.base.tables.contracts import bronze_columns, list_codes, read_fields
from jobs.operators.formats import FACT, Document, Source
from jobs.operators.formats.format import DocumentFormat
from jobs.operators.formats.shared.documents import keep_first, read_contents, refuse_document

NAME = "knowledge"

# The ways to name messages, from the one that names the fewest to the one that names the most.
KEYS = (
    ("queue_id", "recipient"),
    ("queue_id",),
    ("message_id", "recipient"),
    ("message_id",),
    ("sender", "recipient"),
    ("sender",),
    ("recipient",),
)
NAMING = ("queue_id", "message_id", "sender", "recipient")
DAY = "day"
COLUMNS = (DAY, *NAMING, *ATTRIBUTES)
UNKNOWN = ("", "unknown")
TRUTH = {"true": True, "false": False}
PARQUET = b"PAR1"
# A column of one value takes no room in a Parquet file and all of it in memory.
BYTES_OF_ROW = 16

# bronze.knowledge: one row per row of a file.
BRONZE = bronze_columns(NAME)


def sniff(sample: bytes) -> float:
    """1 for a CSV whose first line names the day and no column that is not known here."""
    header = sample.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].decode("utf-8", "replace").strip("\r")
    names = header.split(delimiter_of(header))
    return 1.0 if len(names) > 2 and DAY in names and set(names) <= set(COLUMNS) else 0.0


def read(data: bytes, file_name: str, source: Source, limit_bytes: int) -> Iterator[Document]:
    """The rows of a file, each a document.

    Quarantine reasons: those of unpack_file(); too_large; empty; bad_encoding (not UTF-8); unknown_shape (no
    CSV or Parquet, or a row of more or fewer cells than the header); bad_field (an unknown column, a
    value that it cannot have, or messages named in no way of KEYS); bad_timestamp (no day);
    from_the_future (a day after the file was written and landed).
    Rows without any attribute are ignored.
    """

    def read_content(content: bytes) -> Iterator[Document]:
        is_parquet = content.startswith(PARQUET)
        return (
            read_parquet_file(content, source, limit_bytes) if is_parquet else read_csv_file(content, source)
        )

    return read_contents(data, limit_bytes, read_content)


def read_csv_file(data: bytes, source: Source) -> Iterator[Document]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        yield refuse_document("bad_encoding", data)
        return
    first_line = text.split("\n", 1)[0]
    lines = csv.reader(StringIO(text, newline=""), delimiter=delimiter_of(first_line), strict=True)
    try:
        names = [name.strip() for name in next(lines)]
        if not are_known(names):
            yield refuse_document("bad_field", first_line)
            return
        for cells in lines:
            if len(cells) == len(names):
                yield read_fact(dict(zip(names, cells, strict=True)), source)
            elif cells:
                yield refuse_document("unknown_shape", ",".join(cells))
    except (csv.Error, StopIteration):
        yield refuse_document("unknown_shape", data)


def read_parquet_file(data: bytes, source: Source, limit_bytes: int) -> Iterator[Document]:
    try:
        file = pq.ParquetFile(BytesIO(data))
        if file.metadata.num_rows * BYTES_OF_ROW > limit_bytes:
            yield refuse_document("too_large")
            return
        if not are_known(file.schema_arrow.names):
            yield refuse_document("bad_field", ",".join(file.schema_arrow.names))
            return
        rows = chain.from_iterable(batch.to_pylist() for batch in file.iter_batches())
        for row in rows:
            yield read_fact({name: text_of(value) for name, value in row.items()}, source)
    except (pa.ArrowException, OSError, ValueError):
        yield refuse_document("unknown_shape")


def delimiter_of(header: str) -> str:
    """The sign between columns: comma, semicolon or tab."""
    return max((",", ";", "\t"), key=header.count)


def are_known(names: list[str]) -> bool:
    """Return whether these are columns of such a file, the day among them, each once."""
    return DAY in names and set(names) <= set(COLUMNS) and len(set(names)) == len(names)


def text_of(value: Any) -> str:
    """A value of a Parquet file, as a CSV would have it."""
    if value is None:
        return ""
    return value.date().isoformat() if isinstance(value, dt.datetime) else str(value)


def read_fact(cells: dict[str, str], source: Source) -> Document:
    """The facts of one row."""
    whole = ",".join(cells.values())
    rest = {name: text.strip() for name, text in cells.items()}
    try:
        day = dt.datetime.combine(dt.date.fromisoformat(rest.pop(DAY)), dt.time(), dt.UTC)
    except ValueError:
        return refuse_document("bad_timestamp", whole)
    if day > source.bound_at:
        return refuse_document("from_the_future", whole)
    named: dict[str, Any] = {name: rest.pop(name, "").strip("<>") or None for name in NAMING}
    known = {name: value_of(name, text.lower()) for name, text in rest.items() if text.lower() not in UNKNOWN}
    way = tuple(name for name in NAMING if named[name] is not None)
    if way not in KEYS or None in known.values():
        return refuse_document("bad_field", whole)
    if not known:
        return Document(size=len(whole))
    row = {"first_at": day, **named, **known}
    row["assembly_key"] = hashlib.sha256(repr(sorted(row.items(), key=str)).encode()).hexdigest()
    return Document(rows=(row,), size=len(whole))


def value_of(attribute: str, text: str) -> bool | str | None:
    """A cell as a value of the attribute; None where it can have no such value."""
    if ATTRIBUTES[attribute] == "boolean":
        return TRUTH.get(text)
    return text if text in list_codes(str(read_fields()[attribute].codelist)) else None


def assemble(records: pl.LazyFrame) -> pl.LazyFrame:
    """Bronze rows; what two files say in the same words is one row, placed where it is first."""
    return keep_first(records, BRONZE)


def facts(bronze: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of FACT."""
    return bronze.select(*FACT)


FORMAT = DocumentFormat(
    name=NAME,
    title="Operator's knowledge",
    description="What the operator knows beside its logs: registers of consent, preferences,"
    " senders, as CSV or Parquet",
    # A row is about its own day.
    lookback_days=0,
    sniff=sniff,
    read=read,
    assemble=assemble,
    facts=facts,
    has_numbers=True,
    awaits_no_lines=True,
    has_lines=True,
)
