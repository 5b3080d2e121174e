"""DMARC aggregate reports: both standards, every container, what reporters get wrong, and what is hostile."""

import datetime as dt
import gzip
import io
import tracemalloc
import zipfile
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from jobs.base.tables.contracts import list_codes
from jobs.operators.formats import AUTHENTICATION_REPORT, Document, Source, dmarc
from jobs.operators.formats.dmarc import report_xml as dmarc_xml
from jobs.operators.formats.shared.documents import frame_of, mask_start
from tests.support.examples import examples

SAMPLES = Path(__file__).parents[2] / "data" / "reports"
NEWEST = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
SOURCE = Source("op", "rua", "stream", NEWEST)
LIMIT = 1 << 20
BEGIN, END = dt.datetime(2026, 11, 23, tzinfo=dt.UTC), dt.datetime(2026, 11, 23, 23, 59, 59, tzinfo=dt.UTC)


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def read(data: bytes, limit: int = LIMIT, source: Source = SOURCE) -> list[Document]:
    return list(dmarc.read(data, "name!of!1!2.xml", source, limit))


def only(data: bytes, **kwargs: Any) -> Document:
    (document,) = read(data, **kwargs)
    return document


def reason(data: bytes, **kwargs: Any) -> str | None:
    document = only(data, **kwargs)
    assert document.line_code == "quarantined"
    assert document.rows == ()
    return document.reason_code


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def mailed(*attached: tuple[bytes, str, str], text: str = "unused") -> bytes:
    """A mail as reporters send it. attached: data, subtype of application/, file name."""
    mail = EmailMessage()
    mail["From"] = "reports@receiver.example"
    mail["Subject"] = "Report Domain: shop.example Submitter: receiver.example Report-ID: <1>"
    mail.set_content(text)
    for data, subtype, name in attached:
        mail.add_attachment(data, maintype="application", subtype=subtype, filename=name)
    return mail.as_bytes()


def report(number: int = 1, records: int = 1, **values: str) -> bytes:
    """A report with some records. values: replace what elements hold, by name."""
    given = {
        "org_name": "receiver.example",
        "report_id": f"r{number}",
        "begin": "1795392000",
        "end": "1795478399",
        "domain": "shop.example",
        "p": "none",
        "source_ip": "192.0.2.1",
        "count": "2",
    } | values

    def element(name: str) -> str:
        return f"<{name}>{given[name]}</{name}>"

    record = (
        f"<record><row>{element('source_ip')}{element('count')}<policy_evaluated><disposition>none</disposition>"
        "<dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>"
        "<identifiers><header_from>shop.example</header_from></identifiers><auth_results/></record>"
    )
    return (
        f"<feedback><report_metadata>{element('org_name')}{element('report_id')}<date_range>{element('begin')}"
        f"{element('end')}</date_range></report_metadata><policy_published>{element('domain')}{element('p')}"
        f"</policy_published>{record * records}</feedback>"
    ).encode()


def bronze(*files: bytes, stream: str = "stream") -> pl.DataFrame:
    """Rows of several files, each a stream of its own."""
    frames = []
    for number, data in enumerate(files):
        source = Source("op", "rua", f"{stream}{number}", NEWEST)
        documents = list(dmarc.read(data, "x", source, LIMIT))
        assert {each.reason_code for each in documents} == {None}
        frames.append(frame_of(enumerate(documents), source, dmarc.BRONZE))
    return pl.concat(frames)


# --- what a report says ---


def test_every_value_of_a_report_of_rfc_7489() -> None:
    first, second = only(sample("rfc7489.xml")).rows
    shared = {
        "first_at": BEGIN,
        "last_at": END,
        "report_org": "Receiver Example",
        "report_email": "dmarc-reports@receiver.example",
        "report_id": "20261123-7489-1",
        "report_record_count": 2,
        "mailed_at": NEWEST,
        "is_revised": False,
        "policy_domain": "shop.example",
        "policy": "quarantine",
        "subdomain_policy": "reject",
        "nonexistent_policy": None,
        "policy_percent": 50,
        "policy_test": None,
        "dkim_mode": "r",
        "spf_mode": "s",
        "discovery_method": None,
        "report_digest": first["report_digest"],
    }
    assert first == shared | {
        "record_number": 1,
        "client_ip": "192.0.2.10",
        "message_count": 12,
        "disposition": "none",
        "dkim_evaluated": "pass",
        "spf_evaluated": "fail",
        "overrides": [],
        "header_from": "shop.example",
        "envelope_from": "bounces.shop.example",
        "envelope_to": "receiver.example",
        "dkim_results": [
            {"domain": "shop.example", "selector": "s2026", "result": "pass"},
            {"domain": "sender.example", "selector": "k1", "result": "fail"},
        ],
        "spf_results": [{"domain": "bounces.shop.example", "scope": "mfrom", "result": "softfail"}],
    }
    assert second == shared | {
        "record_number": 2,
        "client_ip": "2001:db8::25",
        "message_count": 300,
        "disposition": "quarantine",
        "dkim_evaluated": "fail",
        "spf_evaluated": "fail",
        "overrides": [
            {"type": "mailing_list", "comment": "list of anna@lists.example"},
            {"type": "local_policy", "comment": "arc=pass"},
        ],
        "header_from": "shop.example",
        "envelope_from": None,
        "envelope_to": None,
        "dkim_results": [],
        "spf_results": [{"domain": "other.example", "scope": None, "result": "pass"}],
    }


def test_a_report_of_rfc_9990_in_its_namespace() -> None:
    (row,) = only(sample("rfc9990.xml")).rows
    assert (row["policy"], row["subdomain_policy"], row["nonexistent_policy"]) == (
        "reject",
        "reject",
        "quarantine",
    )
    assert (row["policy_test"], row["discovery_method"], row["policy_percent"]) == ("y", "treewalk", None)
    assert (row["disposition"], row["message_count"]) == ("pass", 41)
    assert row["overrides"] == [{"type": "policy_test_mode", "comment": None}]


def test_a_prefixed_report_in_an_old_encoding() -> None:
    (row,) = only(sample("prefixed.xml")).rows
    assert (row["report_org"], row["message_count"]) == ("Präfix GmbH", 3)
    assert row["spf_results"] == [{"domain": "shop.example", "scope": None, "result": "pass"}]


def test_utf_16_with_its_mark() -> None:
    data = '<?xml version="1.0" encoding="utf-16"?>' + sample("rfc9990.xml").decode()
    assert len(only(data.encode("utf-16")).rows) == 1
    mail = EmailMessage()
    mail["Subject"] = "x"
    mail.add_attachment(data.encode("utf-16"), maintype="application", subtype="xml")
    assert only(mail.as_bytes()).line_code == "record"


def test_a_report_of_no_mail_is_no_record_and_no_error() -> None:
    document = only(sample("no_records.xml"))
    assert (document.line_code, document.reason_code) == ("ignored", None)


# --- what reporters get wrong ---


@pytest.mark.parametrize(("name", "id"), [("stray_schema", "stray-1"), ("wrapping_schema", "stray-2")])
def test_stray_tags_of_a_schema(name: str, id: str) -> None:
    (row,) = only(sample(f"{name}.xml")).rows
    assert (row["report_id"], row["client_ip"], row["message_count"]) == (id, "192.0.2.2", 1)
    with pytest.raises(dmarc_xml.UnreadableReport):
        dmarc_xml._read_rows(sample("stray_schema.xml"))


def test_stray_tags_inside_the_report() -> None:
    data = report().replace(b"<record>", b'<xs:schema xmlns:xs="x"><record>')
    assert len(only(data).rows) == 1


def test_brackets_in_email_and_a_bare_ampersand() -> None:
    (row,) = only(sample("brackets.xml")).rows
    assert (row["report_org"], row["report_email"]) == ("Tom & Sons", "Tom Sons dmarc@brackets.example")
    assert row["message_count"] == 2


def test_words_in_upper_case_an_empty_reason_and_the_names_of_a_draft() -> None:
    (row,) = only(sample("upper_case.xml")).rows
    words = ("disposition", "dkim_evaluated", "spf_evaluated", "policy", "dkim_mode", "spf_mode")
    assert [row[word] for word in words] == ["none", "pass", "fail", "reject", "r", "s"]
    assert (row["overrides"], row["header_from"], row["client_ip"]) == ([], "shop.example", "192.0.2.4")
    assert row["dkim_results"] == [{"domain": "shop.example", "selector": "s1", "result": "pass"}]
    assert row["spf_results"] == [{"domain": None, "scope": None, "result": "hardfail"}]


def test_bytes_that_are_not_utf_8_and_control_signs() -> None:
    data = sample("rfc7489.xml").replace(b"arc=pass", b"arc=\xff\xfe\x00\x0bpass").replace(b"R", b"R\x80", 1)
    first, second = only(data).rows
    assert second["overrides"][1]["comment"] == "arc=\ufffd\ufffdpass"
    assert first["message_count"] == 12


@pytest.mark.parametrize("wrong", ["utf-9", "rot13", "idna", "shift_jis", "utf-16"])
def test_a_declared_encoding_that_it_is_not_in(wrong: str) -> None:
    assert len(only(f'<?xml version="1.0" encoding="{wrong}"?>'.encode() + report()).rows) == 1


def test_text_around_the_report() -> None:
    data = b'\xef\xbb\xbf\r\n\r\n<?xml version="1.0"?>\n' + report() + b"\n--\nvirus checked\n"
    assert len(only(data).rows) == 1


def test_an_organisation_without_a_name_is_its_domain_and_a_missing_id_the_digest() -> None:
    data = report(org_name="", report_id="").replace(
        b"<org_name></org_name>", b"<email>x@mail.example</email>"
    )
    (row,) = only(data).rows
    assert row["report_org"] == "mail.example"
    assert row["report_id"] == row["report_digest"]
    again = only(data.replace(b"<p>none</p>", b"<p>reject</p>")).rows[0]
    assert again["report_id"] != row["report_id"]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"count": ""}, "bad_field"),
        ({"count": "-1"}, "bad_field"),
        ({"count": "1e3"}, "bad_field"),
        ({"count": "9" * 400}, "bad_field"),
        ({"count": "٣"}, "bad_field"),
        ({"source_ip": ""}, "bad_field"),
        ({"source_ip": "localhost"}, "bad_field"),
        ({"source_ip": "192.0.2.999"}, "bad_field"),
        ({"domain": ""}, "bad_field"),
        ({"org_name": ""}, "bad_field"),
        ({"begin": ""}, "bad_timestamp"),
        ({"begin": "yesterday"}, "bad_timestamp"),
        ({"begin": "1795478400"}, "bad_timestamp"),
        ({"end": "99999999999999999999"}, "bad_timestamp"),
        ({"end": "999999999999"}, "bad_timestamp"),
        # Later than the file: it would close all days before it.
        ({"begin": "1795737601", "end": "1795823999"}, "from_the_future"),
    ],
)
def test_a_value_that_cannot_be_is_a_reason(values: dict[str, str], told: str) -> None:
    assert reason(report(**values)) == told


def test_times_in_iso_8601_and_with_fractions() -> None:
    (row,) = only(report(begin="2026-11-23T02:00:00+02:00", end="1795478399.75")).rows
    assert (row["first_at"], row["last_at"]) == (BEGIN, END)


# --- containers ---


def test_gzip_zip_and_mails_of_them_tell_the_same() -> None:
    plain = sample("rfc7489.xml")
    wanted = only(plain).rows
    packed = [gzip.compress(plain), zipped({"a!b!1!2.xml": plain}), zipped({"x": plain}, zipfile.ZIP_STORED)]
    # Line ends behind a gzip, as one provider has them.
    packed.append(gzip.compress(plain) + b"\r\n")
    packed.append(gzip.compress(plain[:100]) + gzip.compress(plain[100:]))
    for each in packed:
        assert only(each).rows == wanted
        assert only(mailed((each, "octet-stream", "a!b!1!2.xml.gz"))).rows == wanted
    assert only(mailed((plain, "xml", "a.xml"))).rows == wanted


def test_a_zip_a_mail_and_a_mailbox_of_several_reports() -> None:
    reports = {f"{number}.xml": report(number) for number in range(3)}
    assert [each.rows[0]["report_id"] for each in read(zipped(reports))] == ["r0", "r1", "r2"]
    attached = [(data, "xml", name) for name, data in reports.items()]
    mail = mailed(*attached)
    assert [each.rows[0]["report_id"] for each in read(mail)] == ["r0", "r1", "r2"]
    line = b"From reports@receiver.example Tue Nov 24 03:00:00 2026\n"
    mailbox = line + mailed(attached[0]) + b"\n" + line + sample("unused.eml") + b"\n" + line + mail
    codes = [each.reason_code or each.rows[0]["report_id"] for each in read(mailbox)]
    assert codes == ["r0", "no_report", "r0", "r1", "r2"]
    assert read(gzip.compress(line + mailed(attached[0])))[0].line_code == "record"


def test_one_bad_member_leaves_the_others() -> None:
    documents = read(zipped({"a": report(1), "b": b"text", "c": b"", "d/": b"", "e": report(2)}))
    assert [each.reason_code for each in documents] == [None, "unknown_shape", "empty", None]


def test_a_mail_that_says_unused_and_brings_nothing() -> None:
    assert reason(sample("unused.eml")) == "no_report"
    assert reason(b"unused") == "unknown_shape"
    assert reason(mailed((b"PK\x03\x04 no zip", "zip", "a.zip"))) == "bad_archive"


def test_a_complaint_is_for_the_other_format() -> None:
    assert only(sample("abuse.eml")).line_code == "ignored"


# --- hostile input ---


@pytest.mark.parametrize("name", ["bomb_entities", "external_entity", "external_dtd"])
def test_document_types_and_entities_are_refused(name: str) -> None:
    assert reason(sample(f"{name}.xml")) == "unsafe_xml"


def test_an_entity_that_no_one_declared_any_more_is_not_expanded() -> None:
    # The mended text starts at <feedback>, behind the document type.
    head = b'\x01<!DOCTYPE feedback [<!ENTITY file SYSTEM "file:///etc/hostname">]>'
    (row,) = only(head + report(org_name="&file;")).rows
    assert row["report_org"] == "&file;"


def test_nesting_and_crowds_of_elements_cost_no_memory() -> None:
    deep = b"<feedback>" + b"<a>" * 300_000
    wide = b"<feedback><record>" + b"<a/>" * 200_000
    tracemalloc.start()
    for data in (deep, wide, deep + b"</a>" * 300_000 + b"</feedback>"):
        assert reason(data, limit=1 << 23) == "unsafe_xml"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 << 20


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: zipped({"a.xml": data})])
def test_what_unpacks_to_more_than_the_limit_is_refused_without_unpacking_it(pack: Any) -> None:
    bomb = pack(b"<feedback>" + b" " * (64 << 20))
    assert len(bomb) < 100_000
    tracemalloc.start()
    assert reason(bomb) == "too_large"
    assert reason(mailed((bomb, "octet-stream", "a.gz"))) == "too_large"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * LIMIT


def test_the_limit_is_for_the_whole_file_not_for_each_member() -> None:
    members = {str(number): report(number) + b" " * 1000 for number in range(20)}
    documents = read(zipped(members), limit=10_000)
    assert 0 < sum(each.line_code == "record" for each in documents) < 20
    assert documents[-1].reason_code == "too_large"
    assert reason(report() + b" " * 10_000, limit=10_000) == "too_large"
    assert [each.reason_code for each in read(zipped(members), limit=200_000)] == [None] * 20


def test_an_archive_in_an_archive_is_refused() -> None:
    inner = zipped({"a.xml": report()})
    for data in (zipped({"a.zip": inner}), gzip.compress(inner), zipped({"a.gz": gzip.compress(report())})):
        assert reason(data) == "nested_archive"
        assert reason(mailed((data, "zip", "a.zip"))) == "nested_archive"
    assert reason(gzip.compress(mailed((inner, "zip", "a.zip")))) == "nested_archive"


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "C:\\x.xml", "a\x00b", "", "\udcff"])
def test_names_in_an_archive_open_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        info = zipfile.ZipInfo("name")
        info.filename = name.encode("utf-8", "replace").decode()
        archive.writestr(info, report())
    assert only(file.getvalue()).line_code == "record"
    assert list(dmarc.read(report(), f"/nowhere/{name}", SOURCE, LIMIT))[0].line_code == "record"
    assert list(tmp_path.iterdir()) == []


def test_encrypted_members_and_unknown_methods() -> None:
    data = bytearray(zipped({"a.xml": report()}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert reason(bytes(data)) == "bad_archive"
    assert reason(zipped({"a.xml": report()}, zipfile.ZIP_LZMA)) == "bad_archive"


def test_cut_files_say_so() -> None:
    assert reason(report()[:300]) == "truncated"
    assert reason(gzip.compress(report())[:-20]) == "truncated"
    assert reason(zipped({"a.xml": report()})[:-10]) == "bad_archive"
    assert reason(b"") == "empty" == reason(b" \r\n") == reason(gzip.compress(b""))


def test_parts_in_parts_without_end_and_endless_headers() -> None:
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(3000))
    assert reason(b"Subject: x\n" + nested) == "unknown_shape"
    assert reason(b'Content-Type: text/plain; a="' + b";" * 500_000) == "unknown_shape"
    crowd = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\n" * 100_000
    assert reason(crowd) == "unknown_shape" == reason(b"a:\n" * 200_000)
    assert reason(b"From " + b"a" * 500_000) == "unknown_shape"
    assert reason(b"From: a@b.example\n\n" + b"x" * 900_000) == "no_report"


def test_a_quarantined_text_shows_no_address_number_or_control_sign() -> None:
    text = (
        "call +357 99-000 123 or 35799000123,\x1b[31m mail <anna@isp.example> at 192.0.2.7 [2001:db8::1]\r\n"
    )
    assert mask_start(text.encode()) == "call # or #, [31m mail <[address]> at [ip] [[ip]]"
    document = only(b"Subject: x\n\n" + text.encode())
    for secret in ("anna", "isp.example", "99", "192.0.2", "2001", "\x1b"):
        assert secret not in document.text
    assert len(only(b"x" * 10_000).text) <= 200


@examples(50)
@given(st.binary(max_size=600), st.sampled_from(["", "gzip", "zip", "mail", "xml"]))
def test_no_bytes_make_it_raise(data: bytes, pack: str) -> None:
    packed = {
        "": lambda: data,
        "gzip": lambda: gzip.compress(data),
        "zip": lambda: zipped({"a": data}),
        "mail": lambda: b"Content-Type: multipart/mixed; boundary=b\n\n--b\n" + data,
        "xml": lambda: b"<feedback>" + data,
    }[pack]()
    documents = read(packed)
    assert documents
    assert {each.reason_code for each in documents} <= {None, *list_codes("quarantine_reason")}
    assert 0 <= dmarc.sniff(packed) <= 1


WHOLE = {
    "xml": sample("rfc7489.xml"),
    "gzip": gzip.compress(sample("rfc7489.xml")),
    "zip": zipped({"a.xml": sample("rfc9990.xml"), "b.xml": report()}),
    "mail": mailed((zipped({"a.xml": report()}), "zip", "a.zip"), (report(), "xml", "b.xml")),
}


@examples(50)
@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_no_damage_of_a_report_makes_it_raise(kind: str, data: st.DataObject) -> None:
    damaged = bytearray(WHOLE[kind])
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=6)):
        damaged[place] = data.draw(st.integers(0, 255))
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(damaged))] * 2)))
    if data.draw(st.booleans()):
        del damaged[start:end]
    documents = read(bytes(damaged))
    assert documents
    assert {each.reason_code for each in documents} <= {None, *list_codes("quarantine_reason")}
    frame_of(enumerate(documents), SOURCE, dmarc.BRONZE)


# --- once ---


def test_a_report_that_came_again_counts_once() -> None:
    again = mailed((gzip.compress(sample("rfc7489.xml")), "gzip", "a.xml.gz"))
    rows = dmarc.assemble(bronze(sample("rfc7489.xml"), again, report()).lazy()).collect()
    assert rows.height == 3
    assert rows["message_count"].sum() == 12 + 300 + 2
    assert set(rows["stream_id"]) == {"stream0", "stream2"}


def test_equal_ids_of_two_reporters_are_two_reports() -> None:
    rows = bronze(report(1), report(1, org_name="other.example"))
    assert dmarc.assemble(rows.lazy()).collect().height == 2


def test_an_id_that_is_used_again_for_other_days_or_domains_is_another_report() -> None:
    files = (
        report(),
        report(begin="1795478400", end="1795564799"),
        report(end="1795564799"),
        report(domain="other.example"),
    )
    rows = dmarc.assemble(bronze(*files).lazy()).collect()
    assert rows["message_count"].to_list() == [2, 2, 2, 2]
    assert not rows["is_revised"].any()
    assert rows.select(dmarc.KEY).to_series().n_unique() == 4


def test_of_reports_that_differ_the_one_sent_last_counts_and_is_marked() -> None:
    def sent(date: str, data: bytes) -> bytes:
        return f"Date: {date}\n".encode() + mailed((data, "xml", "a.xml"))

    first = sent("Tue, 24 Nov 2026 01:00:00 +0000", report(records=3))
    second = sent("Tue, 24 Nov 2026 03:30:00 +0200", report(records=2, count="7"))
    for files in ((first, second), (second, first), (second, first, first)):
        rows = dmarc.assemble(bronze(*files).lazy()).collect()
        assert rows["message_count"].to_list() == [7, 7]
        assert rows["is_revised"].all()
        # A piece that holds one of them alone, read later, changes nothing.
        again = dmarc.assemble(pl.concat([rows, dmarc.assemble(bronze(first).lazy()).collect()]).lazy())
        assert again.collect()["message_count"].to_list() == [7, 7]
    alone = dmarc.assemble(bronze(second, second).lazy()).collect()
    assert not alone["is_revised"].any()


def test_a_date_from_the_future_does_not_make_a_report_the_last() -> None:
    mail = b"Date: Tue, 24 Nov 2099 01:00:00 +0000\n" + mailed((report(), "xml", "a.xml"))
    assert [row["mailed_at"] for row in only(mail).rows] == [NEWEST]


def test_of_reports_mailed_at_one_time_the_one_with_more_records_stays_whole() -> None:
    short, long = report(1, records=2, count="7"), report(1, records=3)
    for files in ((short, long), (long, short)):
        rows = dmarc.assemble(bronze(*files).lazy()).collect()
        assert rows["message_count"].to_list() == [2, 2, 2]
        assert sorted(rows["record_number"]) == [1, 2, 3]


def test_equal_records_of_one_report_are_not_copies() -> None:
    assert dmarc.assemble(bronze(report(records=4)).lazy()).collect().height == 4


@examples(30)
@given(st.randoms(use_true_random=False), st.integers(0, 9))
def test_any_order_and_any_pieces_give_the_same(random: Any, cut: int) -> None:
    rows = bronze(
        report(1, records=2), report(2), report(1, records=2, count="9"), report(1, records=3), report(2)
    )
    whole = dmarc.assemble(rows.lazy()).collect()
    order = list(range(rows.height))
    random.shuffle(order)
    shuffled = rows[order]
    pieces = [dmarc.assemble(piece.lazy()) for piece in (shuffled[:cut], shuffled[cut:])]
    again = dmarc.assemble(pl.concat([*pieces, pieces[0]])).collect()
    by = ["stream_id", "offset", "record_number"]
    assert_frame_equal(whole.sort(by), again.sort(by))
    assert whole.height == 4


# --- the rest of the interface ---


def test_authentication_reports_are_the_records() -> None:
    rows = dmarc.authentication_reports(dmarc.assemble(bronze(sample("rfc7489.xml")).lazy())).collect()
    assert rows.schema == pl.Schema(AUTHENTICATION_REPORT)
    assert rows["begin_at"].unique().to_list() == [BEGIN]
    assert sorted(rows["message_count"]) == [12, 300]


@pytest.mark.parametrize(
    ("data", "sure"),
    [
        (sample("rfc7489.xml"), 1.0),
        (sample("rfc9990.xml")[:400], 1.0),
        (gzip.compress(sample("rfc7489.xml"))[:400], 1.0),
        (zipped({"a!b!1!2.xml": report()}), 0.9),
        (zipped({"a.exe": report()}), 0.0),
        (mailed((b"x", "gzip", "a!b!1!2.xml.gz")), 0.9),
        (sample("abuse.eml"), 0.0),
        (b"<html></html>", 0.0),
        (b"Nov 24 13:47:04 mx1 postfix/smtpd[1]: connect from a", 0.0),
        (b"\x1f\x8bno gzip", 0.0),
        (b"", 0.0),
    ],
)
def test_sniff(data: bytes, sure: float) -> None:
    assert dmarc.sniff(data) == sure


@pytest.mark.long
def test_a_report_of_45740_records() -> None:
    data = report(records=45_740)
    document = only(gzip.compress(data), limit=1 << 25)
    frame = frame_of([(0, document)], SOURCE, dmarc.BRONZE)
    assert frame.height == 45_740
    assert frame["message_count"].sum() == 2 * 45_740
    assert frame["record_number"].n_unique() == 45_740
    assert set(frame["report_record_count"]) == {45_740}
