"""Complaints by mail: ARF, DMARC failure reports, mails that are neither, and what is hostile."""

import datetime as dt
import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from jobs.base.tables.contracts import list_codes
from jobs.operators.formats import COMPLAINT, Document, Source, feedback
from jobs.operators.formats.shared.documents import frame_of
from tests.support.examples import examples

SAMPLES = Path(__file__).parents[2] / "data" / "reports"
NEWEST = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
SOURCE = Source("op", "fbl", "stream", NEWEST)
LIMIT = 1 << 20


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"2026-11-{text}+00:00")


def read(data: bytes, limit: int = LIMIT) -> list[Document]:
    return list(feedback.read(data, "name.eml", SOURCE, limit))


def row(data: bytes) -> dict[str, Any]:
    (document,) = read(data)
    (found,) = document.rows
    assert set(found) == set(feedback.BRONZE) - {"operator_id", "source_id", "stream_id", "offset"}
    return found


def reason(data: bytes, limit: int = LIMIT) -> str | None:
    (document,) = read(data, limit)
    assert document.line_code == "quarantined"
    return document.reason_code


def bronze(*files: bytes) -> pl.DataFrame:
    frames = []
    for number, data in enumerate(files):
        source = Source("op", "fbl", f"s{number}", NEWEST)
        frames.append(frame_of(enumerate(feedback.read(data, "x", source, LIMIT)), source, feedback.BRONZE))
    return pl.concat(frames)


def arf(fields: str = "", date: str = "Tue, 24 Nov 2026 10:00:00 +0000", number: int = 1) -> bytes:
    """A report with these fields beside its type, which they may replace."""
    kind = "" if "feedback-type:" in fields.lower() else "Feedback-Type: abuse\n"
    dated = f"Date: {date}\n" if date else ""
    return (
        f"From: fbl@provider.example\n{dated}Message-ID: <{number}@provider.example>\n"
        "Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n"
        f"--b\nContent-Type: message/feedback-report\n\n{kind}Version: 1\n{fields}\n--b--\n"
    ).encode()


# --- what a complaint says ---


def test_every_value_of_a_complaint() -> None:
    found = row(sample("abuse.eml"))
    key = found.pop("assembly_key")
    assert len(key) == 64
    assert found == {
        "first_at": at("24T08:15:30"),
        "arrival_at": at("24T07:58:01"),
        "feedback_type": "abuse",
        "agent": "ProviderFBL/2.0",
        "reporter": "fbl@provider.example",
        "sender": "bounce-1@mailer.example",
        "header_from": "deals@mailer.example",
        "recipients": ["maria@provider.example", "nikos@provider.example"],
        "client_ip": "192.0.2.55",
        "message_id": "orig-1@mailer.example",
        "incident_count": 3,
        "delivery_result": None,
        "auth_failure": None,
        "reported_domains": ["mailer.example", "pills.example"],
        "subject": "Cheap Viagra",
        "text": "Buy viagra without prescription http://pills.example/buy here",
    }


def test_a_failure_report_of_dmarc_with_an_empty_sender_and_an_unknown_charset() -> None:
    found = row(sample("dmarc_failure.eml"))
    assert (found["feedback_type"], found["auth_failure"]) == ("auth-failure", "dmarc")
    assert found["delivery_result"] == "delivered"
    assert (found["sender"], found["header_from"]) == ("", "billing@shop.example")
    assert (found["client_ip"], found["message_id"]) == ("203.0.113.9", "orig-3@fake.example")
    assert found["text"] == "Please pay â\x82¬ 100."
    assert found["incident_count"] == 1


def test_a_complaint_of_microsofts_program_has_no_report_part() -> None:
    found = row(sample("jmrp.eml"))
    assert len(found.pop("assembly_key")) == 64
    assert found == {
        "first_at": at("24T08:15:30"),
        "arrival_at": at("24T07:58:01"),
        "feedback_type": "abuse",
        "agent": None,
        "reporter": "staff@hotmail.example",
        "sender": "bounce-1@mailer.example",
        "header_from": "deals@mailer.example",
        "recipients": ["maria@provider.example"],
        "client_ip": "192.0.2.55",
        "message_id": "orig-9@mailer.example",
        "incident_count": 1,
        "delivery_result": None,
        "auth_failure": None,
        "reported_domains": [],
        "subject": "Cheap Viagra",
        "text": "Buy viagra without prescription",
    }
    assert feedback.sniff(sample("jmrp.eml")) == 1.0


def test_a_message_with_microsofts_field_that_nobody_complained_about_is_none() -> None:
    """Spam may have the field; a report quotes it in a part, and mail that brings it itself is no report."""
    date = b"Date: Tue, 24 Nov 2026 10:00:00 +0000\n"
    spam = b"X-HmXmrOriginalRecipient: <a@x.example>\nFrom: b@x.example\n" + date + b"\nhi\n"
    assert reason(spam) == "no_report"
    assert feedback.sniff(spam) == 0.0
    quoted = sample("jmrp.eml").replace(b"X-HmXmrOriginalRecipient", b"X-Other")
    assert reason(quoted) == "no_report"


def test_line_ends_of_the_network_tell_the_same() -> None:
    for name in ("abuse.eml", "dmarc_failure.eml", "headers_only.eml", "jmrp.eml"):
        assert row(sample(name).replace(b"\n", b"\r\n")) == row(sample(name))


def test_an_encoded_part_headers_alone_and_an_address_in_brackets() -> None:
    found = row(sample("headers_only.eml"))
    assert (found["feedback_type"], found["agent"]) == ("virus", "gate/1")
    assert found["client_ip"] == "2001:db8::25"
    assert (found["subject"], found["text"]) == ("Your invoice", None)
    assert (found["message_id"], found["header_from"]) == ("orig-2@mailer.example", "news@mailer.example")
    assert found["sender"] is None


def test_an_empty_line_before_the_fields() -> None:
    data = sample("abuse.eml").replace(b"feedback-report\n\nFeed", b"feedback-report\n\n\n\nFeed")
    assert row(data)["incident_count"] == 3


def test_a_report_part_alone_and_one_in_a_forwarded_mail() -> None:
    date = b"Date: Tue, 24 Nov 2026 10:00:00 +0000\n"
    alone = date + b"Content-Type: message/feedback-report\n\nFeedback-Type: fraud\n"
    assert row(alone)["feedback_type"] == "fraud"
    wrapped = (
        b"From: helpdesk@isp.example\nDate: Tue, 24 Nov 2026 20:00:00 +0000\nSubject: Fwd\n"
        b"Content-Type: multipart/mixed; boundary=outer\n\n--outer\nContent-Type: text/plain\n\nsee below\n"
        b"--outer\nContent-Type: message/rfc822\n\n" + sample("abuse.eml") + b"\n--outer--\n"
    )
    # What counts is the report and its own date, not who passed it on.
    assert row(wrapped) == row(sample("abuse.eml"))


def test_a_reported_message_that_looks_like_a_report_is_not_read_as_one() -> None:
    inner = sample("abuse.eml").replace(b"b1", b"b9")
    data = arf().replace(b"--b--", b"--b\nContent-Type: message/rfc822\n\n" + inner + b"\n--b--")
    (document,) = read(data)
    (found,) = document.rows
    assert (found["incident_count"], found["header_from"]) == (1, "fbl@provider.example")


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("Source-IP: 192.0.2.1", "192.0.2.1"),
        ("Source-IP: [192.0.2.1]", "192.0.2.1"),
        ("Source-IP: 192.0.2.1 (mx.mailer.example)", "192.0.2.1"),
        ("Source-IP: IPv6:2001:db8::1", "2001:db8::1"),
        ("Source-IP: 2001:DB8:0::1", "2001:db8::1"),
        ("Source-IP: unknown", None),
        ("Source-IP:", None),
        ("", None),
    ],
)
def test_source_addresses_as_they_are_written(written: str, told: str | None) -> None:
    assert row(arf(written + "\n"))["client_ip"] == told


# --- what is no complaint, or a wrong one ---


def test_a_mail_without_the_part_that_reports_is_no_report() -> None:
    assert reason(sample("no_arf_part.eml")) == "no_report"
    assert reason(sample("forwarded.eml")) == "no_report"
    (document,) = read(sample("forwarded.eml"))
    assert "anna" not in document.text
    assert "Fwd: You WON!" in document.text


def test_an_aggregate_report_is_for_the_other_format() -> None:
    (document,) = read(sample("unused.eml"))
    assert document.line_code == "ignored"
    mail = b'Content-Type: application/gzip; name="a.example!b.example!1!2.xml.gz"\nSubject: x\n\nabc'
    assert read(mail)[0].line_code == "ignored"
    assert read(b"Content-Type: text/xml\nSubject: x\n\n" + sample("rfc9990.xml"))[0].line_code == "ignored"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (arf("Feedback-Type:\n"), "bad_field"),
        (arf("Incidents: many\n"), "bad_field"),
        (arf("Incidents: 0\n"), "bad_field"),
        (arf("Incidents: -3\n"), "bad_field"),
        (arf("Incidents: 1000000000\n"), "bad_field"),
        (arf("Incidents: ٣\n"), "bad_field"),
        (arf(date=""), "bad_timestamp"),
        (arf(date="soon"), "bad_timestamp"),
        (arf(date="Tue, 24 Nov 99999 10:00:00 +0000"), "bad_timestamp"),
        (arf(date="Tue, 24 Nov 2026 10:00:00 +9999999"), "bad_timestamp"),
        (arf(date="Fri, 27 Nov 2026 00:00:01 +0000"), "from_the_future"),
        (arf(date="Fri, 31 Dec 9999 23:59:59 -0500"), "bad_timestamp"),
        (b"", "empty"),
        (b"\r\n", "empty"),
        (b"\x00\x01\x02", "unknown_shape"),
        (b"hello", "unknown_shape"),
        (gzip.compress(gzip.compress(arf())), "nested_archive"),
        (gzip.compress(arf())[:-12], "truncated"),
    ],
)
def test_what_cannot_be_is_a_reason(data: bytes, told: str) -> None:
    assert reason(data) == told


def test_a_date_is_taken_from_the_server_where_the_mail_has_none() -> None:
    received = b"Received: from a by b; Tue, 24 Nov 2026 11:00:00 +0200\n"
    assert row(received + arf(date=""))["first_at"] == at("24T09:00:00")
    assert row(arf("Arrival-Date: Mon, 23 Nov 2026 09:00:00 +0000\n", date=""))["first_at"] == at(
        "23T09:00:00"
    )
    assert row(arf("Arrival-Date: Tue, 01 Dec 2026 09:00:00 +0000\n"))["arrival_at"] is None


# --- containers ---


def test_mailboxes_and_archives_of_mails() -> None:
    line = b"From fbl@provider.example Tue Nov 24 10:00:00 2026\n"
    mailbox = line + arf(number=1) + b"\n" + line + sample("no_arf_part.eml") + b"\n" + line + arf(number=2)
    assert [each.line_code for each in read(mailbox)] == ["record", "quarantined", "record"]
    assert [each.line_code for each in read(gzip.compress(mailbox))] == ["record", "quarantined", "record"]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../a.eml", arf(number=1))
        archive.writestr("b.eml", arf(number=2))
    assert [each.line_code for each in read(file.getvalue())] == ["record", "record"]
    assert reason(gzip.compress(b" " * (4 << 20))) == "too_large"
    assert reason(arf() + b"x" * 1000, limit=1000) == "too_large"


# --- hostile input ---


@pytest.mark.parametrize(
    "data",
    [
        arf().replace(b"From: fbl@provider.example", b"From: " + b"(" * 100_000),
        arf().replace(b"From: fbl@provider.example", b"From: " + b"<" * 100_000),
        arf("Original-Mail-From: " + "<" * 100_000 + "\n"),
        arf("Source-IP: " + "1" * 100_000 + "\n"),
        arf("Original-Rcpt-To: a@b.example\n" * 5_000),
        arf(f"Subject: {'=?utf-8?b?' * 20_000}\n"),
        arf("User-Agent: \x1b[2J\x00\n"),
    ],
)
def test_endless_values_are_read(data: bytes) -> None:
    assert row(data)["feedback_type"] == "abuse"


def test_an_encoded_subject_that_cannot_be_decoded_stays_as_it_is() -> None:
    for subject in ("=?x-none?b?YQ==?=", "=?utf-8?b?/w==?=", "=?utf-8?q?=C3?=", "=?ut\xff-8?q?a?="):
        data = sample("abuse.eml").replace(b"=?utf-8?b?Q2hlYXAgVmlhZ3Jh?=", subject.encode())
        assert row(data)["subject"]


@pytest.mark.parametrize("charset", ["u\x00tf-8", "x-none", "idna", "utf-7", "rot13", "\xff"])
def test_charsets_that_no_one_has(charset: str) -> None:
    data = sample("dmarc_failure.eml").replace(b"x-unknown-set", charset.encode())
    assert row(data.replace(b"quoted-printable", b"8bit"))["text"] in ("Please pay =E2=82=AC 100.", None)
    assert row(data.replace(b"quoted-printable", b"x-uuencode"))["incident_count"] == 1
    assert reason(f"Content-Type: text/plain; charset={charset}\n\n\xff".encode("latin-1")) == "no_report"


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (b"<p>Buy</p> now", "Buy now"),
        (b"Buy now &amp; here &", "Buy now & here &"),
        (b"Buy<!-- not this --><style>p {color: red}</style> now<script>x=1</script>", "Buy now"),
    ],
)
def test_pages_that_are_no_html(page: bytes, words: str | None) -> None:
    data = sample("abuse.eml")
    start, end = data.index(b"<html>"), data.index(b"</html>") + 7
    found = row(data[:start] + page + data[end:])["text"]
    assert found == words


@pytest.mark.parametrize(
    "page", [b"Buy <![none[ x ]]> now", b"Buy" + b"<" * 40_000, b"Buy <!DOCTYPE [<!ELEMENT"]
)
def test_pages_that_the_library_stumbles_over(page: bytes) -> None:
    data = sample("abuse.eml")
    start, end = data.index(b"<html>"), data.index(b"</html>") + 7
    found = row(data[:start] + page + data[end:])["text"]
    assert found.startswith("Buy")
    assert len(found) <= 4096


WORDS = [
    "Tue,",
    "24",
    "Nov",
    "2026",
    "0001",
    "9999",
    "10:00:00",
    "+0000",
    "-9999",
    "9" * 11,
    ":",
    "(",
    "٣",
    "\0",
]


@examples(50)
@given(st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join))
def test_no_date_makes_it_raise(date: str) -> None:
    assert len(read(arf(date=date))) == 1


def test_parts_in_parts_without_end() -> None:
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(3000))
    assert reason(b"Subject: x\n" + nested) == "unknown_shape"
    few = b"".join(b"Content-Type: multipart/mixed; boundary=n%d\n\n--n%d\n" % (n, n) for n in range(60))
    assert reason(b"Subject: x\n" + few + sample("abuse.eml")) == "no_report"


@examples(50)
@given(st.binary(max_size=600), st.sampled_from([b"", b"Subject: x\n", b"--b\n", arf()[:-6]]))
def test_no_bytes_make_it_raise(data: bytes, before: bytes) -> None:
    documents = read(before + data)
    assert documents
    assert {each.reason_code for each in documents} <= {None, *list_codes("quarantine_reason")}
    assert 0 <= feedback.sniff(before + data) <= 1


WHOLE = [sample(f"{name}.eml") for name in ("abuse", "headers_only", "dmarc_failure", "forwarded")]


@examples(50)
@given(st.sampled_from(WHOLE), st.data())
def test_no_damage_of_a_mail_makes_it_raise(whole: bytes, data: st.DataObject) -> None:
    damaged = bytearray(whole)
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=8)):
        damaged[place] = data.draw(st.one_of(st.integers(0, 255), st.sampled_from(b'\n:;="()<>@?-')))
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(damaged))] * 2)))
    if data.draw(st.booleans()):
        del damaged[start:end]
    documents = read(bytes(damaged))
    assert documents
    assert {each.reason_code for each in documents} <= {None, *list_codes("quarantine_reason")}
    frame_of(enumerate(documents), SOURCE, feedback.BRONZE)


# --- once ---


def test_a_mail_that_came_twice_is_one_complaint_and_two_alike_are_two() -> None:
    line = b"From fbl@provider.example Tue Nov 24 10:00:00 2026\n"
    rows = bronze(
        arf(number=1), line + arf(number=1) + b"\n" + line + arf(number=2), gzip.compress(arf(number=1))
    )
    assert rows.height == 4
    kept = feedback.assemble(rows.lazy()).collect()
    assert sorted(kept.select("stream_id", "offset").rows()) == [("s0", 0), ("s1", 1)]


@examples(30)
@given(st.randoms(use_true_random=False), st.integers(0, 6))
def test_any_order_and_any_pieces_give_the_same(random: Any, cut: int) -> None:
    rows = bronze(*(arf(number=number % 3) for number in range(6)), sample("abuse.eml"))
    whole = feedback.assemble(rows.lazy()).collect()
    order = list(range(rows.height))
    random.shuffle(order)
    shuffled = rows[order]
    pieces = [feedback.assemble(piece.lazy()) for piece in (shuffled[:cut], shuffled[cut:])]
    again = feedback.assemble(pl.concat([*pieces, pieces[1]])).collect()
    assert_frame_equal(whole.sort("stream_id"), again.sort("stream_id"))
    assert whole.height == 4


# --- the rest of the interface ---


def test_complaints_have_a_known_type_and_subject_with_text() -> None:
    rows = feedback.complaints(
        bronze(sample("abuse.eml"), arf("Feedback-Type: Opt-Out\n"), sample("headers_only.eml")).lazy()
    ).collect()
    assert rows.schema == pl.Schema(COMPLAINT)
    assert rows["feedback_type_code"].to_list() == ["abuse", "other", "virus"]
    assert rows["text"].to_list() == [
        "Cheap Viagra\nBuy viagra without prescription http://pills.example/buy here",
        None,
        "Your invoice",
    ]
    assert set(feedback.FEEDBACK_TYPES) | {"sms-7726"} == set(list_codes("feedback_type"))


def test_sniff() -> None:
    for name in ("abuse.eml", "headers_only.eml", "dmarc_failure.eml"):
        assert feedback.sniff(sample(name)) == 1.0
    for name in ("no_arf_part.eml", "forwarded.eml", "unused.eml", "rfc9990.xml"):
        assert feedback.sniff(sample(name)) == 0.0
