"""The XML of a DMARC aggregate report, of RFC 7489 (Appendix C) and of RFC 9990, as rows.

The XML is read by defusedxml, which refuses document types, entities and external references. Reporters
write XML that no parser takes: stray xs:schema tags around the report, bytes that are not UTF-8, `<email>`
with the angle brackets of a mail header, bare ampersands. mend_xml() repairs these in the text, and only when
the report cannot be read as it is. What the elements hold is taken as leniently: names in any namespace or
none, words in any case.
"""

import datetime as dt
import ipaddress
import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

# No report nests deeper than eight elements, or has as many in one record.
DEEPEST = 32
MOST_ELEMENTS = 10_000
MOST_MESSAGES = 2**53
_OLDEST, _NEWEST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.datetime(9000, 1, 1, tzinfo=dt.UTC)

_ENCODING = re.compile(rb"\A\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,20})[\"']")
# A declaration that can be read as ASCII is not in UTF-16, whatever it says.
_ENCODINGS = ("iso-8859-1", "iso-8859-15", "windows-1252")
_FEEDBACK = re.compile(r"<((?:[A-Za-z_][\w.-]*:)?)feedback[\s>]")
_SCHEMA = re.compile(r"</?xs:schema\b[^<>]*>")
_EMAIL = re.compile(r"(?s)(<email>)(.{0,1000}?)(</email>)")
_AMPERSAND = re.compile(r"&(?!#\d{1,7};|#x[0-9A-Fa-f]{1,6};|(?:amp|lt|gt|quot|apos);)")
_NO_XML_SIGN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class UnreadableReport(Exception):
    """Why a report cannot be read: a code of quarantine_reason."""

    def __init__(self, reason_code: str) -> None:
        super().__init__(reason_code)
        self.reason_code = reason_code


def rows_of(data: bytes) -> list[dict[str, Any]]:
    """The records of a report, each with what the report says of them all; none is a report of no mail.

    Raises Unreadable: empty, truncated, bad_xml, unsafe_xml, unknown_shape (XML that is no report),
    bad_timestamp, bad_field.
    """
    if not data.strip():
        raise UnreadableReport("empty")
    try:
        return _read_rows(data)
    except UnreadableReport as first:
        if first.reason_code not in ("bad_xml", "truncated"):
            raise
        again = mend_xml(data)
        if again == data:
            raise
        return _read_rows(again)


def mend_xml(data: bytes) -> bytes:
    """The report in UTF-8 with what is known to be wrong repaired."""
    named = _ENCODING.match(data)
    encoding = named[1].decode().lower() if named else ""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif encoding not in _ENCODINGS:
        encoding = "utf-8"
    text = data.decode(encoding, "replace")
    text = _SCHEMA.sub("", _NO_XML_SIGN.sub("", text))
    begin = _FEEDBACK.search(text)
    if begin:
        close = f"</{begin[1]}feedback>"
        end = text.rfind(close)
        text = text[begin.start() : end + len(close) if end >= 0 else len(text)]
    text = _EMAIL.sub(lambda found: found[1] + re.sub("[<>]", "", found[2]) + found[3], text)
    return _AMPERSAND.sub("&amp;", text).encode()


def _read_rows(data: bytes) -> list[dict[str, Any]]:
    """The rows, with the errors of the XML library as reasons."""
    try:
        return list(_walk_records(data))
    except ParseError as error:
        # expat's code 3 is "no element found": the text ends before its elements do.
        raise UnreadableReport("truncated" if error.code == 3 else "bad_xml") from None
    except DefusedXmlException:
        raise UnreadableReport("unsafe_xml") from None
    except (LookupError, ValueError):  # an encoding that Python or expat does not have
        raise UnreadableReport("bad_xml") from None


def _walk_records(data: bytes) -> Iterator[dict[str, Any]]:
    """Walk the report record by record, so that its tree is never in memory as a whole."""
    depth, elements, number = 0, 0, 0
    report: dict[str, Any] = {}
    seen: dict[str, Element] = {}
    above: list[Element] = []
    records: list[dict[str, Any]] = []
    found = False
    for event, element in iterparse(BytesIO(data), events=("start", "end"), forbid_dtd=True):
        name = local_name(element.tag)
        if event == "start":
            depth, elements = depth + 1, elements + 1
            if depth > DEEPEST or elements > MOST_ELEMENTS:
                raise UnreadableReport("unsafe_xml")
            found = found or name == "feedback"
            above.append(element)
            continue
        depth -= 1
        above.pop()
        if name == "record":
            number += 1
            records.append({"record_number": number, **_read_record(element)})
            elements = 0
        elif name in ("report_metadata", "policy_published"):
            seen.setdefault(name, element)
        if name == "record" and above:
            above[-1].remove(element)
    if not found:
        raise UnreadableReport("unknown_shape")
    if not records and "report_metadata" not in seen:
        raise UnreadableReport("bad_field")
    report = _read_report(
        children_by_name(seen.get("report_metadata")), children_by_name(seen.get("policy_published"))
    )
    for record in records:
        yield {**report, **record, "report_record_count": number}


def _read_report(metadata: dict[str, Element], policy: dict[str, Element]) -> dict[str, Any]:
    """The fields that a report has once: its author, its time range and the published policy."""
    spans = children_by_name(metadata.get("date_range"))
    begin, end = time_of(text_of(spans.get("begin"))), time_of(text_of(spans.get("end")))
    if begin is None or end is None or end < begin:
        raise UnreadableReport("bad_timestamp")
    email = text_of(metadata.get("email"))
    org = text_of(metadata.get("org_name")) or (email or "").rpartition("@")[2].strip("<> ")
    domain = word_of(policy.get("domain"))
    if not org or not domain:
        raise UnreadableReport("bad_field")
    return {
        "first_at": begin,
        "last_at": end,
        "report_org": org,
        "report_email": email,
        "report_id": text_of(metadata.get("report_id")),
        "policy_domain": domain,
        "policy": word_of(policy.get("p")),
        "subdomain_policy": word_of(policy.get("sp")),
        "nonexistent_policy": word_of(policy.get("np")),
        "policy_percent": _parse_percent(text_of(policy.get("pct"))),
        "policy_test": word_of(policy.get("testing") if "testing" in policy else policy.get("t")),
        "dkim_mode": word_of(policy.get("adkim")),
        "spf_mode": word_of(policy.get("aspf")),
        "discovery_method": word_of(policy.get("discovery_method")),
    }


def _read_record(element: Element) -> dict[str, Any]:
    """The fields of a record: one source, the number of its messages, and their results."""
    parts = children_by_name(element)
    row, results = children_by_name(parts.get("row")), parts.get("auth_results")
    # A draft called them identities.
    names = children_by_name(parts.get("identifiers") if "identifiers" in parts else parts.get("identities"))
    evaluated = parts_of(row.get("policy_evaluated"))
    decided = dict(reversed(evaluated))
    text = text_of(row.get("count"))
    if text is None or not re.fullmatch(r"\d{1,15}", text, re.ASCII) or int(text) > MOST_MESSAGES:
        raise UnreadableReport("bad_field")
    return {
        "client_ip": address_of(text_of(row.get("source_ip"))),
        "message_count": int(text),
        "disposition": word_of(decided.get("disposition")),
        "dkim_evaluated": word_of(decided.get("dkim")),
        "spf_evaluated": word_of(decided.get("spf")),
        # An empty reason says nothing.
        "overrides": [
            _read_override(children_by_name(each))
            for name, each in evaluated
            if name == "reason" and len(each)
        ],
        "header_from": word_of(names.get("header_from")),
        "envelope_from": word_of(names.get("envelope_from")),
        "envelope_to": word_of(names.get("envelope_to")),
        "dkim_results": [
            _read_result(children_by_name(each), "selector")
            for name, each in parts_of(results)
            if name == "dkim"
        ],
        "spf_results": [
            _read_result(children_by_name(each), "scope") for name, each in parts_of(results) if name == "spf"
        ],
    }


def _read_override(parts: dict[str, Element]) -> dict[str, str | None]:
    return {"type": word_of(parts.get("type")), "comment": text_of(parts.get("comment"))}


def _read_result(parts: dict[str, Element], third: str) -> dict[str, str | None]:
    return {
        "domain": word_of(parts.get("domain")),
        third: word_of(parts.get(third)),
        "result": word_of(parts.get("result")),
    }


def _parse_percent(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"\d{1,3}", text, re.ASCII) and int(text) <= 100 else None


def address_of(text: str | None) -> str:
    """An IP address in its usual form. Raises Unreadable."""
    try:
        return str(ipaddress.ip_address((text or "").strip("[] ").removeprefix("IPv6:")))
    except ValueError:
        raise UnreadableReport("bad_field") from None


def time_of(text: str | None) -> dt.datetime | None:
    """Seconds since 1970, as the schema asks for, or a time as ISO 8601 writes it; null where it is none."""
    if text is None:
        return None
    if re.fullmatch(r"\d{1,11}(?:\.\d*)?", text, re.ASCII):
        moment = _OLDEST + dt.timedelta(seconds=int(float(text)))
    else:
        try:
            moment = dt.datetime.fromisoformat(text)
        except ValueError:
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return moment.astimezone(dt.UTC) if _OLDEST <= moment <= _NEWEST else None


# --- elements --------------------------------------------------------------------------------------


def local_name(tag: str) -> str:
    """An element's name without its namespace."""
    return tag.rpartition("}")[2]


def parts_of(element: Element | None) -> list[tuple[str, Element]]:
    return [] if element is None else [(local_name(each.tag), each) for each in element]


def children_by_name(element: Element | None) -> dict[str, Element]:
    """The elements below one, by name; of several of a name the first."""
    return dict(reversed(parts_of(element)))


def text_of(element: Element | None) -> str | None:
    """The text of an element, whole; null where there is none."""
    text = "" if element is None else "".join(element.itertext()).strip()
    return text or None


def word_of(element: Element | None) -> str | None:
    text = text_of(element)
    return text.lower() if text else None
