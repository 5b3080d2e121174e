"""DMARC aggregate reports: what a mailbox provider saw of mail that claims to be from a domain.

RFC 7489 and RFC 9990, in .xml, .gz or .zip, alone or attached to a mail, and mailboxes of such mails. They
count messages by source address with what SPF and DKIM said: a measure of spoofing, not of spam.

A reporter sends a report again when it is unsure that it arrived: it counts once, whatever the files that it
came in. Some use a report_id again for other days or domains, so a report is identified by its organisation,
its id, its policy domain and the time that it covers (KEY). Of reports with one key and other content the one
sent last counts; of those sent at one time the one with the most records, then the one whose digest is the
smallest.
"""

import datetime as dt
import hashlib
import re
import zlib
from collections.abc import Iterator
from email.message import Message

import polars as pl

from jobs.base.tables.contracts import bronze_columns
from jobs.operators.formats import AUTHENTICATION_REPORT, PLACE, Document, Source
from jobs.operators.formats.dmarc.report_xml import UnreadableReport, rows_of
from jobs.operators.formats.format import DocumentFormat
from jobs.operators.formats.shared.documents import (
    GZIP,
    ZIP,
    Budget,
    Content,
    decode_part,
    is_mail,
    leaf_parts,
    mail_of,
    parse_date,
    refuse_document,
    split_mailbox,
    unpack_file,
    walk_parts,
)

NAME = "dmarc"

# bronze.dmarc: one row per record of a report.
BRONZE = bronze_columns(NAME)
KEY = pl.concat_str(
    pl.col("report_org").str.to_lowercase(),
    "report_id",
    "policy_domain",
    pl.col("first_at").dt.epoch("s"),
    pl.col("last_at").dt.epoch("s"),
    separator="|",
)

_FEEDBACK = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?feedback[\s>]")
_METADATA = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?report_metadata[\s>]")
# RFC 7489, 7.2.1.1: the subject of the mail, and `receiver!domain!begin!end` as the name of the file.
_SUBJECT = re.compile(r"(?i)^\s*report\s+domain:")
_FILE_NAME = re.compile(r"^[^!]+![^!]+!\d+!\d+")
_PACKED_MAIL = re.compile(
    rb"(?im)^subject:\s{0,9}report domain:|^content-(?:type|disposition):[^\n]{0,200}"
    rb"(?:\n[ \t][^\n]{0,200}){0,3}![^\n!]{1,255}!\d{1,12}!\d"
)
_ARF = re.compile(rb"(?im)^content-type:\s*message/feedback-report")
_ZIPPED_XML = re.compile(rb"\APK\x03\x04.{26}[^\x00]{0,255}?\.xml", re.DOTALL)
SNIFFED = 1 << 16
OLDEST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_XML = ("text/xml", "application/xml")


def sniff(sample: bytes) -> float:
    """1 for a report's XML, plain or in gzip; 0.9 for mails and archives that are named as reports are."""
    if sample.startswith(GZIP):
        try:
            sample = zlib.decompressobj(wbits=31).decompress(sample, SNIFFED)
        except zlib.error:
            return 0.0
    if sample.startswith(ZIP):
        return 0.9 if _ZIPPED_XML.match(sample) else 0.0
    if is_mail(sample):
        return 0.9 if _PACKED_MAIL.search(sample) and not _ARF.search(sample) else 0.0
    if not _FEEDBACK.search(sample):
        return 0.0
    return 1.0 if _METADATA.search(sample) else 0.6


def read(data: bytes, file_name: str, source: Source, limit_bytes: int) -> Iterator[Document]:
    """The reports of a file. Mails that are ARF reports belong to the format feedback: ignored here.

    Quarantine reasons: those of unpack_file() and rows_of(); too_large (more than limit_bytes, in the file or
    out of its archives); no_report (a mail without a report); from_the_future (it begins after its file
    was written and landed).
    """
    if len(data) > limit_bytes:
        yield refuse_document("too_large", data)
        return
    if not data.strip():
        yield refuse_document("empty")
        return
    budget = Budget(limit_bytes)
    for content in unpack_file(data, budget):
        if content.reason_code is None and is_mail(content.data):
            for mail in split_mailbox(content.data):
                yield from _read_mail(mail, source, budget, content.is_unpacked)
        else:
            yield _read_report(content, source, data)


def _read_mail(data: bytes, source: Source, budget: Budget, is_unpacked: bool) -> Iterator[Document]:
    """The reports that a mail has attached."""
    mail = mail_of(data)
    if mail is None:
        yield refuse_document("unknown_shape", data)
        return
    found = False
    mailed_at = parse_date(str(mail.get("date", "")))
    for part in leaf_parts(mail):
        attached = decode_part(part)
        is_xml = part.get_content_type() in _XML or _FEEDBACK.search(attached)
        if is_xml or attached.startswith((GZIP, ZIP)):
            found = True
            for content in unpack_file(attached, budget, is_unpacked):
                yield _read_report(content, source, attached, mailed_at)
    if not found:
        is_other = any(part.get_content_type() == "message/feedback-report" for part in walk_parts(mail))
        yield Document(size=len(data)) if is_other else refuse_document("no_report", data)


def is_report_mail(mail: Message) -> bool:
    """Return whether a mail brings an aggregate report, by its subject or what it attaches."""
    if _SUBJECT.match(str(mail.get("subject", ""))):
        return True
    for part in leaf_parts(mail):
        name = part.get_filename()
        if (name and _FILE_NAME.match(name)) or _FEEDBACK.search(decode_part(part)[:SNIFFED]):
            return True
    return False


def _read_report(
    content: Content, source: Source, whole: bytes, mailed_at: dt.datetime | None = None
) -> Document:
    """One report, or the reason why it is none.

    Args:
        whole: what it was packed in.
        mailed_at: its mail's date.
    """
    if content.reason_code is not None:
        return Document(reason_code=content.reason_code, size=len(whole))
    if content.data.strip() and not _might_be_xml(content.data):
        return refuse_document("unknown_shape", content.data)
    try:
        rows = rows_of(content.data)
        if rows and rows[0]["first_at"] > source.bound_at:
            raise UnreadableReport("from_the_future")
    except UnreadableReport as error:
        return refuse_document(error.reason_code, content.data)
    digest = hashlib.sha256(repr(rows).encode("utf-8", "replace")).hexdigest()
    for row in rows:
        row["report_digest"] = digest
        row["report_id"] = row["report_id"] or digest
        row["mailed_at"] = mailed_at if mailed_at and mailed_at <= source.bound_at else source.newest_at
        row["is_revised"] = False
    return Document(rows=tuple(rows), size=len(content.data))


def _might_be_xml(data: bytes) -> bool:
    start = data.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\x00")
    return start.startswith(b"<") or _FEEDBACK.search(data) is not None


def assemble(records: pl.LazyFrame) -> pl.LazyFrame:
    """Bronze rows, each record of each report once; see the module for which of several reports counts."""
    rank = pl.struct(
        pl.col("mailed_at").fill_null(OLDEST).dt.epoch("us").neg(),
        -pl.col("report_record_count"),
        "report_digest",
        *list(PLACE)[1:],
    )
    report = ["operator_id", "assembly_key"]
    is_revised = pl.col("is_revised").fill_null(False).any() | (pl.col("report_digest").n_unique() > 1)
    return (
        records.with_columns(assembly_key=KEY)
        .select(*BRONZE)
        .with_columns(rank.rank("dense").over(report).alias("_rank"), is_revised.over(report))
        .filter(pl.col("_rank") == pl.col("_rank").min().over(report))
        .unique(subset=[*report, "record_number"], keep="any", maintain_order=True)
        .select(*BRONZE)
    )


def authentication_reports(bronze: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of AUTHENTICATION_REPORT, one per record of each report."""
    return bronze.with_columns(begin_at=pl.col("first_at"), end_at=pl.col("last_at")).select(
        *AUTHENTICATION_REPORT
    )


FORMAT = DocumentFormat(
    name=NAME,
    title="DMARC reports",
    description="DMARC aggregate reports: XML, gzip, zip, mails",
    # A report is complete at once; a copy of it begins at the same time.
    lookback_days=1,
    sniff=sniff,
    read=read,
    assemble=assemble,
    authentication_reports=authentication_reports,
    place=KEY,
)
