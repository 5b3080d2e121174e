"""Complaints by mail: ARF reports (RFC 5965) and failure reports of DMARC (RFC 6591, RFC 9991).

Both are a multipart/report whose second part, message/feedback-report, says what is reported, and whose
third part is the message or its headers. One such part is one complaint. Complaints of Microsoft's Junk Mail
Reporting Program have no such part: a multipart/mixed holds the message, on top of whose header Microsoft
writes the recipient. Any other mail, such as a complaint that was merely forwarded, says in prose only what
it is about: it is quarantined, not guessed at.
"""

import datetime as dt
import hashlib
import ipaddress
import re
from collections.abc import Iterator
from email import message_from_string
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parseaddr
from html.parser import HTMLParser

import polars as pl

from jobs.base.tables.contracts import bronze_columns
from jobs.operators.formats import COMPLAINT, Document, Source
from jobs.operators.formats.dmarc import is_report_mail
from jobs.operators.formats.format import DocumentFormat
from jobs.operators.formats.shared.documents import (
    LONGEST_FIELD,
    decode_part,
    inner_parts,
    is_mail,
    keep_first,
    leaf_parts,
    mail_of,
    parse_date,
    read_contents,
    refuse_document,
    split_mailbox,
)

NAME = "feedback"
KEPT_OF_TEXT = 4096
# RFC 5965, 7.3; RFC 6430 (not-spam); RFC 6591 (auth-failure); IANA's list of feedback report types.
FEEDBACK_TYPES = ["abuse", "fraud", "virus", "other", "not-spam", "auth-failure"]
# Mails in which a complaint may lie that was forwarded as a whole.
DEEPEST = 8

# bronze.feedback: one row per complaint.
BRONZE = bronze_columns(NAME)

_REPORT = "message/feedback-report"
_ORIGINAL = ("message/rfc822", "text/rfc822-headers", "message/rfc822-headers")
_HAS_REPORT = re.compile(rb"(?im)^content-type:\s*(?:multipart/report|message/feedback-report)")
_IS_FEEDBACK = re.compile(rb"(?i)feedback-report")
# Microsoft's field, in the header of the reported message.
_RECIPIENT = "x-hmxmroriginalrecipient"
_IS_MICROSOFT = re.compile(rb"(?im)^%b:" % _RECIPIENT.encode())
_HAS_MESSAGE = re.compile(rb"(?im)^content-type:\s*message/rfc822")
# Its subject: `complaint about message from 192.0.2.55`.
_ABOUT_CLIENT = re.compile(r"(?i)complaint about message from\s+(\S+)")


def sniff(sample: bytes) -> float:
    """1 for a mail, or a mailbox that starts with one, that is a feedback report, or one of Microsoft's."""
    if not is_mail(sample):
        return 0.0
    is_report = _HAS_REPORT.search(sample) and _IS_FEEDBACK.search(sample)
    is_microsoft = _IS_MICROSOFT.search(sample) and _HAS_MESSAGE.search(sample)
    return 1.0 if is_report or is_microsoft else 0.0


def read(data: bytes, file_name: str, source: Source, limit_bytes: int) -> Iterator[Document]:
    """The complaints of a file. Mails that bring aggregate reports belong to the format dmarc: ignored here.

    Quarantine reasons: those of unpack_file(); too_large; unknown_shape (no mail); no_report (a mail without
    the part that reports); bad_field (no type, or a number that cannot be); bad_timestamp (no date);
    from_the_future (a date after the file was written and landed).
    """

    def read_content(content: bytes) -> Iterator[Document]:
        if not is_mail(content):
            yield refuse_document("unknown_shape", content)
            return
        for mail in split_mailbox(content):
            yield from _read_mail(mail, source)

    return read_contents(data, limit_bytes, read_content)


def _read_mail(data: bytes, source: Source) -> Iterator[Document]:
    mail = mail_of(data)
    if mail is None:
        yield refuse_document("unknown_shape", data)
        return
    found = list(_find_reports(mail, mail, 0))
    for envelope, part, original in found:
        message = _original_message(original) if original is not None else Message()
        yield _read_complaint(envelope, _report_fields(part), message, source, data)
    if not found and (reported := _reported_to_microsoft(mail)) is not None:
        yield _read_complaint(mail, _fields_of_microsoft(mail, reported), reported, source, data)
    elif not found:
        yield Document(size=len(data)) if is_report_mail(mail) else refuse_document("no_report", data)


def _find_reports(
    mail: Message, part: Message, depth: int
) -> Iterator[tuple[Message, Message, Message | None]]:
    """Each feedback-report part, with the mail that it stands in and the message that it is about.

    A reported message is never searched: it may be made to look like a complaint.
    """
    if part.get_content_type() == _REPORT:
        yield mail, part, None
        return
    below = inner_parts(part)
    if not below or depth > DEEPEST:
        return
    kinds = [each.get_content_type() for each in below]
    if _REPORT in kinds:
        place = kinds.index(_REPORT)
        original = next((each for each in below[place + 1 :] if each.get_content_type() in _ORIGINAL), None)
        yield mail, below[place], original
        return
    is_whole = part.get_content_type() == "message/rfc822"
    for each in below:
        yield from _find_reports(each if is_whole else mail, each, depth + 1)


def _reported_to_microsoft(mail: Message) -> Message | None:
    """The message that a complaint of Microsoft's program holds; None of any other mail."""
    for part in inner_parts(mail):
        message = next(iter(inner_parts(part)), None) if part.get_content_type() == "message/rfc822" else None
        if message is not None and read_field(message, _RECIPIENT) is not None:
            return message
    return None


def _fields_of_microsoft(mail: Message, message: Message) -> Message:
    """The fields that a feedback-report part would have."""
    fields = Message()
    fields["Feedback-Type"] = "abuse"
    client = _ABOUT_CLIENT.search(read_field(mail, "subject") or "")
    found = {
        "Source-IP": client[1] if client else None,
        "Original-Rcpt-To": read_field(message, _RECIPIENT),
        "Received-Date": _date_of_trace(message),
    }
    for name, value in found.items():
        if value:
            fields[name] = value
    return fields


def _read_complaint(
    mail: Message, fields: Message, message: Message, source: Source, data: bytes
) -> Document:
    """One complaint.

    Args:
        fields: of its feedback-report part.
        message: the reported one, or its header.
    """
    kind = (read_field(fields, "feedback-type") or "").lower()
    incidents = _parse_incidents(read_field(fields, "incidents"))
    if not kind or incidents is None:
        return refuse_document("bad_field", data)
    arrival = _read_arrival(fields, source.bound_at)
    reported = parse_date(read_field(mail, "date")) or parse_date(_date_of_trace(mail)) or arrival
    if reported is None:
        return refuse_document("bad_timestamp", data)
    if reported > source.bound_at:
        return refuse_document("from_the_future", data)
    sender = read_field(fields, "original-mail-from")
    row = {
        "first_at": reported,
        "arrival_at": arrival,
        "feedback_type": kind,
        "agent": read_field(fields, "user-agent"),
        "reporter": _parse_address(read_field(mail, "from")),
        "sender": _strip_brackets(sender if sender is not None else read_field(message, "return-path")),
        "header_from": _parse_address(read_field(message, "from")),
        "recipients": [_strip_brackets(each) or "" for each in read_fields(fields, "original-rcpt-to")],
        "client_ip": _parse_ip(read_field(fields, "source-ip")),
        "message_id": _strip_brackets(read_field(message, "message-id") or read_field(fields, "message-id"))
        or None,
        "incident_count": incidents,
        "delivery_result": (read_field(fields, "delivery-result") or "").lower() or None,
        "auth_failure": (read_field(fields, "auth-failure") or "").lower() or None,
        "reported_domains": [each.lower() for each in read_fields(fields, "reported-domain")],
        "subject": _decode_header(read_field(message, "subject")),
        "text": _first_text(message),
    }
    identity = repr((read_field(mail, "message-id"), row)).encode("utf-8", "replace")
    row["assembly_key"] = hashlib.sha256(identity).hexdigest()
    return Document(rows=(row,), size=len(data))


def _read_arrival(fields: Message, latest: dt.datetime) -> dt.datetime | None:
    """The time at which the reported mail arrived; None where it is missing, or lies in the future."""
    given = (parse_date(read_field(fields, name)) for name in ("arrival-date", "received-date"))
    arrival = next(filter(None, given), None)
    return arrival if arrival and arrival <= latest else None


def assemble(records: pl.LazyFrame) -> pl.LazyFrame:
    """Bronze rows, one per complaint; a mail that came twice is one, placed where it is first by name."""
    return keep_first(records, BRONZE)


def complaints(bronze: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of COMPLAINT, one per complaint. Types that no standard names are other."""
    kind = pl.col("feedback_type")
    return bronze.with_columns(
        format_code=pl.lit(NAME),
        channel_code=pl.lit("EMAIL"),
        feedback_type_code=pl.when(kind.is_in(FEEDBACK_TYPES)).then(kind).otherwise(pl.lit("other")),
        reported_at=pl.col("first_at"),
        inbound_link=pl.lit(None, dtype=pl.String),
        text=pl.concat_str("subject", "text", separator="\n", ignore_nulls=True).replace("", None),
    ).select(*COMPLAINT)


# --- parts and fields ------------------------------------------------------------------------------


def _report_fields(part: Message) -> Message:
    """The fields of a feedback-report part, which the mail library takes for the header of a message.

    Some reporters put an empty line before them, or encode the part, which RFC 5965 forbids.
    """
    inner = next(iter(inner_parts(part)), part)
    if inner is not part and inner.get("feedback-type") is not None:
        return inner
    body = Message()
    body["Content-Transfer-Encoding"] = str(part.get("content-transfer-encoding", "7bit"))
    body.set_payload(decode_part(inner).decode("ascii", "surrogateescape"))
    return message_from_string(decode_part(body).decode("utf-8", "replace").lstrip())


def _original_message(original: Message) -> Message:
    """The reported message, or its headers alone."""
    if original.is_multipart():
        return next(iter(inner_parts(original)), Message())
    return message_from_string(decode_part(original).decode("utf-8", "replace").lstrip())


def read_field(message: Message, name: str) -> str | None:
    """A field's value on one line; null where the field is missing."""
    value = message.get(name)
    return None if value is None else re.sub(r"\s+", " ", str(value)).strip()


def read_fields(message: Message, name: str) -> list[str]:
    """The values of a field that may come several times, without empty ones."""
    values = (re.sub(r"\s+", " ", str(value)).strip() for value in message.get_all(name, []))
    return [value for value in values if value]


def _decode_header(value: str | None) -> str | None:
    """A header in clear (RFC 2047); as it stands where it cannot be decoded."""
    if not value:
        return None
    try:
        return str(make_header(decode_header(value[:LONGEST_FIELD])))
    except (MessageError, LookupError, ValueError):
        return value[:LONGEST_FIELD]


def _first_text(message: Message) -> str | None:
    """The first text of a message, without the tags of HTML."""
    parts = [part for part in leaf_parts(message) if part.get_content_maintype() == "text"]
    for part in parts:
        text = _decoded_text(part)
        if part.get_content_subtype() == "html":
            text = _strip_tags(text[: 8 * KEPT_OF_TEXT])
        if text.strip():
            return text.strip()[:KEPT_OF_TEXT]
    return None


def _decoded_text(part: Message) -> str:
    content = decode_part(part)
    try:
        return content.decode(part.get_content_charset("utf-8"))
    except (LookupError, ValueError):
        return content.decode("latin-1")


def _strip_tags(page: str) -> str:
    """The words of a page; up to a section such as `<![none[`, of which the library makes an error."""
    words = _Words()
    try:
        words.feed(page)
        words.close()
    except AssertionError:
        pass
    return " ".join(words.found)


class _Words(HTMLParser):
    """The words between the tags, and where links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.is_code = False

    def handle_data(self, data: str) -> None:
        self.found += [data.strip()] if data.strip() and not self.is_code else []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.is_code = tag in ("script", "style")
        self.found += [value for name, value in attrs if name == "href" and value]

    def handle_endtag(self, tag: str) -> None:
        self.is_code = False


# --- values ----------------------------------------------------------------------------------------


def _strip_brackets(value: str | None) -> str | None:
    """An address or id without the angle brackets around it; '' for the null sender."""
    if value is None:
        return None
    found = re.search(r"<([^<>]*)>", value)
    return (found[1] if found else value).strip()


def _parse_address(value: str | None) -> str | None:
    """The address in a From field; null where there is none, or comments nest beyond reason."""
    try:
        return parseaddr(value[:LONGEST_FIELD])[1] or None if value else None
    except RecursionError:
        return None


def _parse_ip(value: str | None) -> str | None:
    """The address in a value such as `[IPv6:2001:db8::1]` or `192.0.2.1 (mx.example.org)`; null if none."""
    first = (value or "").strip("[] ").split(" ")[0].strip("[]")
    try:
        return str(ipaddress.ip_address(re.sub("(?i)^ipv6:", "", first)))
    except ValueError:
        return None


def _parse_incidents(value: str | None) -> int | None:
    """RFC 5965: one where it is not given. Null where it is no number."""
    if value is None:
        return 1
    return int(value) if re.fullmatch(r"[1-9]\d{0,8}", value, re.ASCII) else None


def _date_of_trace(mail: Message) -> str | None:
    """The time at which the last server received the mail, as it wrote it."""
    value = read_field(mail, "received")
    return value.rpartition(";")[2].strip() if value else None


FORMAT = DocumentFormat(
    name=NAME,
    title="Feedback reports",
    description="Complaints by mail: ARF, DMARC failure reports, Microsoft's JMRP",
    # A complaint is complete at once; a copy of it has the same date.
    lookback_days=1,
    sniff=sniff,
    read=read,
    assemble=assemble,
    complaints=complaints,
)
