"""Files that hold reports: plain, in gzip or zip, in a mail or a mailbox of mails, opened in memory.

Whoever may send mail to a reports' mailbox may send anything, so all that comes out of archives is counted
against one limit for the file, archives inside archives are refused, and names inside them open nothing.
Damage is a reason and never an exception.
"""

import datetime as dt
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from email.utils import parsedate_to_datetime
from io import BytesIO

import polars as pl

from jobs.base.core.column_types import ColumnTypes
from jobs.operators.formats import PLACE, Document, Source
from jobs.operators.protect.numbering import normalise_e164

GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"
KEPT_OF_TEXT = 200
# zipfile reports damage in all of these ways.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
)
_ENCRYPTED = 0x1
# RFC 4155: a mailbox separates its mails by lines as `From joe@example.org Tue Nov 24 13:47:04 2026`.
_MBOX = re.compile(rb"(?:\A|(?<=\n))From \S{1,320} [^\n]{0,60}?\d\d:\d\d(?::\d\d)?[^\n]{0,40}\r?\n")
# The mail library takes time that grows with the square of such a header; real ones are below 1,000 signs.
_LONG_HEADER = re.compile(rb"(?im)^content-[a-z-]{1,40}:((?:[^\n]*\n[ \t])*[^\n]*)")
LONGEST_HEADER = 8192
# RFC 5322, 2.1.1: a line has at most 998 signs.
LONGEST_FIELD = 998
# And memory of some fifty times what each of these takes in the file.
_FIELD = re.compile(rb"(?m)^[A-Za-z0-9-]{1,80}:")
MOST_PARTS, MOST_FIELDS = 10_000, 100_000
_HEADER = re.compile(rb"\A[ \t\r\n]*[A-Za-z][A-Za-z0-9-]*:[ \t\r\n]")
_ADDRESS = re.compile(r"[^\s<>\"'(),;:@]+@[^\s<>\"'(),;@]+")
_IP = re.compile(
    r"(?<![\w:.])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})(?![\w:])"
)
_NUMBER = re.compile(r"\+?\d(?:[ ().-]{0,2}\d){5,}")


@dataclass
class Budget:
    """The bytes that may still come out of the archives of a file."""

    bytes_left: int


@dataclass(frozen=True)
class Content:
    """One plain file, or why there is none.

    Attributes:
        is_unpacked: it came out of an archive.
    """

    data: bytes = b""
    reason_code: str | None = None
    is_unpacked: bool = False


def unpack_file(data: bytes, budget: Budget, is_unpacked: bool = False) -> Iterator[Content]:
    """The contents of a file: itself, or the members of an archive.

    Reasons: nested_archive, too_large, bad_archive (damaged, encrypted, or of an unknown method),
    truncated (a gzip that ends early).
    """
    is_gzip, is_zip = data.startswith(GZIP), data.startswith(ZIP)
    if (is_gzip or is_zip) and is_unpacked:
        yield Content(reason_code="nested_archive")
    elif is_gzip or is_zip:
        for content in [_unpack_gzip(data, budget)] if is_gzip else _unpack_zip(data, budget):
            is_nested = content.data.startswith((GZIP, ZIP))
            yield Content(reason_code="nested_archive") if is_nested else content
    else:
        yield Content(data, is_unpacked=is_unpacked)


def _unpack_gzip(data: bytes, budget: Budget) -> Content:
    """All members of a gzip file; what follows the last one is not looked at, as line ends stand there."""
    parts = []
    while data.startswith(GZIP):
        member = zlib.decompressobj(wbits=31)
        try:
            part = member.decompress(data, budget.bytes_left + 1)
        except zlib.error:
            return Content(reason_code="bad_archive")
        if len(part) > budget.bytes_left:
            return Content(reason_code="too_large")
        if not member.eof:
            return Content(reason_code="truncated")
        budget.bytes_left -= len(part)
        parts.append(part)
        data = member.unused_data
    return Content(b"".join(parts), is_unpacked=True)


def _unpack_zip(data: bytes, budget: Budget) -> Iterator[Content]:
    try:
        archive = zipfile.ZipFile(BytesIO(data))
    except _ZIP_ERRORS:
        yield Content(reason_code="bad_archive")
        return
    members = [member for member in archive.infolist() if not member.filename.endswith("/")]
    if not members:
        yield Content(reason_code="empty")
    for member in members:
        content = _read_member(archive, member, budget)
        yield content
        if content.reason_code == "too_large":
            return


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, budget: Budget) -> Content:
    is_known = member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    if member.flag_bits & _ENCRYPTED or not is_known:
        return Content(reason_code="bad_archive")
    try:
        with archive.open(member) as file:
            data = file.read(budget.bytes_left + 1)
    except _ZIP_ERRORS:
        return Content(reason_code="bad_archive")
    if len(data) > budget.bytes_left:
        return Content(reason_code="too_large")
    budget.bytes_left -= len(data)
    return Content(data, is_unpacked=True)


def is_mail(data: bytes) -> bool:
    """Return whether a file starts as a mail or a mailbox does."""
    return _HEADER.match(data) is not None or _MBOX.match(data) is not None


def split_mailbox(data: bytes) -> Iterator[bytes]:
    """The mails of a mailbox; a mail alone is one."""
    starts = [found.span() for found in _MBOX.finditer(data)]
    if not starts or starts[0][0] > 0:
        yield data
        return
    ends = [start for start, _ in starts[1:]] + [len(data)]
    for (_, start), end in zip(starts, ends, strict=True):
        yield data[start:end]


def mail_of(data: bytes) -> Message | None:
    """A mail, taken apart; None where its parts nest, are many or have headers beyond reason."""
    if data.count(b"\n--") > MOST_PARTS or sum(1 for _ in _FIELD.finditer(data)) > MOST_FIELDS:
        return None
    if any(len(found[1]) > LONGEST_HEADER for found in _LONG_HEADER.finditer(data)):
        return None
    try:
        return message_from_bytes(data.lstrip(b" \t\r\n"))
    except RecursionError:
        return None


def inner_parts(part: Message) -> list[Message]:
    """The parts that a part of a mail holds."""
    # Asked for a text, get_payload() would decode it, which may fail.
    below = part.get_payload() if part.is_multipart() else []
    return [each for each in below if isinstance(each, Message)] if isinstance(below, list) else []


def walk_parts(mail: Message) -> Iterator[Message]:
    """All parts of a mail in their order, itself first; however deep they lie."""
    waiting = [mail]
    while waiting:
        part = waiting.pop()
        yield part
        waiting += reversed(inner_parts(part))


def leaf_parts(mail: Message) -> Iterator[Message]:
    """The parts of a mail that hold no other parts."""
    return (part for part in walk_parts(mail) if not part.is_multipart())


def decode_part(part: Message) -> bytes:
    """The content of a part that holds no others; nothing where it cannot be decoded at all."""
    try:
        content = part.get_payload(decode=True)
    except ValueError:  # of uuencode, or of a charset that no name can be
        content = None
    return content if isinstance(content, bytes) else b""


def parse_date(value: str | None) -> dt.datetime | None:
    """A date of RFC 5322 in UTC; null where it is none."""
    if not value:
        return None
    try:
        moment = parsedate_to_datetime(value[:LONGEST_FIELD])
        moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        return moment.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None


def mask_start(data: bytes | str) -> str:
    """The start of a document, on one line, without addresses, numbers and control signs."""
    start = data[: 4 * KEPT_OF_TEXT]
    text = start.decode("utf-8", "replace") if isinstance(start, bytes) else start
    text = "".join(sign if sign.isprintable() else " " for sign in text)
    text = _NUMBER.sub("#", _IP.sub("[ip]", _ADDRESS.sub("[address]", text)))
    return re.sub(r" {2,}", " ", text).strip()[:KEPT_OF_TEXT]


def read_contents(
    data: bytes, limit_bytes: int, read: Callable[[bytes], Iterable[Document]]
) -> Iterator[Document]:
    """The documents that `read` finds in what is in a file; a reason in place of what it never gets: contents
    that cannot be opened, are too large or empty."""
    if len(data) > limit_bytes:
        yield refuse_document("too_large", data)
        return
    for content in unpack_file(data, Budget(limit_bytes)):
        if content.reason_code is not None:
            yield Document(reason_code=content.reason_code, size=len(data))
        elif not content.data.strip():
            yield refuse_document("empty")
        else:
            yield from read(content.data)


def refuse_document(reason_code: str, data: bytes | str = b"") -> Document:
    """A quarantined document."""
    size = len(data) if isinstance(data, bytes) else len(data.encode("utf-8", "replace"))
    return Document(reason_code=reason_code, text=mask_start(data), size=size)


def frame_of(documents: Iterable[tuple[int, Document]], source: Source, columns: ColumnTypes) -> pl.DataFrame:
    """Bronze rows of a file's documents, each with its number.

    From a file of national numbers these are E.164 from here on, while their + is still to be seen.
    """
    place = {
        "operator_id": source.operator_id,
        "source_id": source.source_id,
        "stream_id": source.stream_id,
    }
    rows = [{**place, "offset": number, **row} for number, document in documents for row in document.rows]
    frame = pl.DataFrame(rows, schema=columns)
    if source.numbers_of is None:
        return frame
    numbers = (
        normalise_e164(pl.col(name), source.numbers_of, is_national=True) for name in ("sender", "recipient")
    )
    return frame.with_columns(numbers)


def keep_first(records: pl.LazyFrame, columns: Iterable[str]) -> pl.LazyFrame:
    """Bronze rows; of several with one key the first by place stays, whichever piece they came in."""
    return (
        records.select(*columns)
        .sort(*PLACE)
        .unique(subset=["operator_id", "assembly_key"], keep="first", maintain_order=True)
    )
