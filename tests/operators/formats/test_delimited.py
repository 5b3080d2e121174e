"""Delimited logs through mapping profiles: quoting, types, rules, and one message over several rows."""

import csv
import datetime as dt
import io
import random
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.core.errors import ObservatoryError
from jobs.operators.formats import LINES, TRANSMISSION, Source, delimited
from jobs.operators.formats.delimited.profile import Profile
from jobs.operators.formats.delimited.profile_files import list_shipped, validate_profile
from jobs.operators.formats.delimited.splitting import split_lines
from jobs.operators.protect.countermeasures import countermeasure_of_refusals
from jobs.operators.protect.refusal_types import type_of_transmissions
from tests.support.closure import assert_closed_under_cuts
from tests.support.examples import examples
from tests.support.samples.delimited import cdr, columns_of, verdict

NEWEST = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
RESTCOMM = {"profile": "restcomm"}
FIREWALL = {"profile": "sms_firewall"}


def parse(lines: list[str], options: dict[str, Any], zone: str = "UTC") -> pl.DataFrame:
    frame = pl.LazyFrame({"offset": range(len(lines)), "line": lines}, schema=LINES)
    return delimited.parse(frame, Source("lab", "smsc1", "a", NEWEST, zone, options=options)).collect()


def placed(parsed: pl.DataFrame, stream: str = "a") -> pl.LazyFrame:
    return parsed.lazy().with_columns(
        operator_id=pl.lit("lab"), source_id=pl.lit("smsc1"), stream_id=pl.lit(stream)
    )


def transmissions(lines: list[str], options: dict[str, Any], **kwargs: Any) -> list[dict[str, Any]]:
    parsed = parse(lines, options, **kwargs)
    assert "quarantined" not in parsed["line_code"], parsed["reason_code"].to_list()
    bronze = delimited.assemble(placed(parsed)).collect()
    assert dict(bronze.schema) == delimited.FORMAT.bronze
    frame = delimited.transmissions(bronze.lazy()).collect()
    assert dict(frame.schema) == TRANSMISSION
    return frame.sort("offset").to_dicts()


def firewall(fields: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """Options with the firewall's profile, some of its fields and keys changed."""
    shown = delimited.profile_of(FIREWALL).model_dump(mode="json", by_alias=True, exclude_none=True)
    return {"profile": shown | {"field": shown["field"] | fields} | keys}


# --- Restcomm ----------------------------------------------------------------------------------------


def test_a_row_of_restcomm() -> None:
    (row,) = transmissions([cdr(ORIGINATOR_SCCP_ADDRESS="35799900")], RESTCOMM, zone="Asia/Nicosia")
    assert row == dict.fromkeys(TRANSMISSION) | {
        "operator_id": "lab",
        "source_id": "smsc1",
        "stream_id": "a",
        "offset": 0,
        "format_code": "delimited",
        "channel_code": "SMS",
        "grain_code": "recipient",
        "entry_code": "box",
        "is_handoff": False,
        "message_id": "1001",
        "sender": "35799000009",
        "recipient": "35799000001",
        "is_authenticated": True,
        "inbound_link": "35799900",
        "account": "bulkco",
        "first_at": dt.datetime(2026, 11, 24, 11, 47, 3, 1000, tzinfo=dt.UTC),
        "last_at": dt.datetime(2026, 11, 24, 11, 47, 5, 250000, tzinfo=dt.UTC),
        "stage_code": "delivery",
        "outcome_code": "delivered",
        "event": "success",
        "text": "hello",
        "segment_count": 1,
        "try_count": 1,
        "join_quality": "none",
        "is_partial": False,
    }


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([cdr("success_esme")], ("recipient", "delivery", "delivered", 1, 1), id="to an ESME"),
        pytest.param(
            [cdr("partial", "13:47:04"), cdr("partial", "13:47:05"), cdr("success", "13:47:06")],
            ("recipient", "delivery", "delivered", 3, 1),
            id="three segments are one message",
        ),
        pytest.param(
            [cdr("success", MSG_PARTS="3")], ("recipient", "delivery", "delivered", 3, 1), id="sent whole"
        ),
        pytest.param(
            [cdr("temp_failed", "13:47:04"), cdr("temp_failed", "14:17:04"), cdr("success", "14:47:04")],
            ("recipient", "delivery", "delivered", 1, 3),
            id="tries fold",
        ),
        pytest.param(
            [cdr("success", "14:47:04"), cdr("temp_failed", "13:47:04")],
            ("recipient", "delivery", "delivered", 1, 2),
            id="in any order of lines",
        ),
        pytest.param(
            [cdr("partial", "13:47:04"), cdr("temp_failed", "13:47:05"), cdr("failed", "13:49:05")],
            ("recipient", "delivery", "bounced", 1, 2),
            id="the second segment failed for good",
        ),
        pytest.param([cdr("temp_failed")], ("recipient", "delivery", "deferred", 1, 1), id="no answer yet"),
        pytest.param(
            [cdr("mproc_rejected")], ("attempt", "envelope", "rejected", 1, 1), id="rejected by a rule"
        ),
        pytest.param([cdr("mproc_dropped")], ("recipient", "envelope", "discarded", 1, 1), id="dropped"),
        pytest.param([cdr("failed_imsi")], ("recipient", "delivery", "discarded", 1, 1), id="after the HLR"),
        pytest.param([cdr("ocs_rejected")], ("attempt", "envelope", "rejected", 1, 1), id="no credit"),
        pytest.param(
            [cdr("submit_failed_mo")], ("attempt", "envelope", "rejected", 1, 1), id="of a newer release"
        ),
    ],
)
def test_outcomes_of_restcomm(lines: list[str], expected: tuple[str, str, str, int, int]) -> None:
    (row,) = transmissions(lines, RESTCOMM)
    assert (
        row["grain_code"],
        row["stage_code"],
        row["outcome_code"],
        row["segment_count"],
        row["try_count"],
    ) == expected


def test_what_is_no_message_of_its_own() -> None:
    lines = [cdr(), cdr(MESSAGE_TYPE="dlr", ORIGINATION_TYPE="LOCAL_ORIG", MESSAGE_ID="1002")]
    assert len(transmissions(lines, RESTCOMM)) == 1
    # An id comes round, goes to several numbers, or is not told at all.
    lines = [cdr(), cdr(MESSAGE_ID="1002"), cdr(ADDR_DST_DIGITS="35799000002")]
    lines += [cdr(DELIVERY_DATE="2026-12-24 13:47:05.250", SUBMIT_DATE="2026-12-24 13:47:05.250")]
    lines += [cdr(MESSAGE_ID="null"), cdr(MESSAGE_ID="null")]
    assert len(transmissions(lines, RESTCOMM)) == 6


def test_origins_of_restcomm() -> None:
    lines = [
        cdr(
            ORIGINATION_TYPE="SS7_MO",
            ORIG_SYSTEM_ID="null",
            ORIGINATOR_SCCP_ADDRESS="35799900",
            MESSAGE_ID="1",
        ),
        cdr(ORIGINATION_TYPE="SS7_MO", ADDR_DST_DIGITS="7726", MESSAGE_ID="2"),
        cdr(ORIGINATION_TYPE="HTTP", MESSAGE_ID="3", NNN_DIGITS="35799901"),
    ]
    rows = transmissions(lines, RESTCOMM)
    assert [(row["entry_code"], row["inbound_link"], row["is_authenticated"]) for row in rows] == [
        ("link", "35799900", False),
        ("report", "bulkco", False),
        ("box", "bulkco", True),
    ]
    assert rows[2]["outbound_link"] == "35799901"


def test_the_measure_is_told_by_status_or_reason() -> None:
    reason = "Error absentSubscriber after MtForwardSM Request"
    lines = [
        cdr("mproc_rejected", MESSAGE_ID="1"),
        cdr("mproc_rejected", MESSAGE_ID="2", MPROC_NOTES="sender on blacklist"),
        cdr(
            "failed", MESSAGE_ID="3", REASON_FOR_FAILURE='"Error absentSubscriber after MtForwardSM Request"'
        ),
    ]
    frame = pl.DataFrame(transmissions(lines, RESTCOMM), schema=TRANSMISSION)
    measures = countermeasure_of_refusals(frame)["countermeasure_code"].to_list()
    assert measures == ["CONTENT_FILTER", "NUMBER_BLOCKLIST", "DELIVERY_FAILURE"]
    assert frame["reply_text"].to_list() == [None, "sender on blacklist", reason]


# --- a firewall ----------------------------------------------------------------------------------------


def test_verdicts_of_a_firewall() -> None:
    header = ";".join(columns_of("sms_firewall"))
    lines = [header, "# restarted", verdict(), verdict("MARK"), verdict("REJECT_SPOOF", rule="smsc_spoof")]
    lines += [
        verdict("DISCARD", rule="keyword"),
        verdict("HOLD"),
        verdict("THROTTLE"),
        verdict(direction="SRI"),
    ]
    parsed = parse(lines, FIREWALL)
    assert parsed["line_code"].to_list() == ["ignored"] * 2 + ["record"] * 6 + ["ignored"]
    rows = transmissions(lines, FIREWALL)
    assert [(row["grain_code"], row["stage_code"], row["outcome_code"]) for row in rows] == [
        ("recipient", "delivery", "delivered"),
        ("recipient", "content", "tagged"),
        ("attempt", "content", "rejected"),
        ("recipient", "content", "discarded"),
        ("recipient", "content", "quarantined"),
        ("attempt", "connect", "deferred"),
    ]
    assert {(row["sender"], row["recipient"]) for row in rows} == {("35799000009", "35799000001")}
    measures = countermeasure_of_refusals(pl.DataFrame(rows, schema=TRANSMISSION))
    assert measures["countermeasure_code"].to_list()[2:4] == ["SIGNALLING_FILTER", "CONTENT_FILTER"]


def test_parts_of_a_message() -> None:
    """A row per segment: each is decided by its last try, the message by its worst segment."""

    def segment(number: int, action: str, second: int, **fields: str) -> str:
        about = {"message_ref": "77", "segment": str(number), "segments": "", "octets": "140"} | fields
        return verdict(action, time=f"2026-11-24 13:47:{second:02d}", text=f"part {number} ", **about)

    lines = [
        segment(10, "ALLOW", 3),
        segment(2, "THROTTLE", 1),
        segment(2, "ALLOW", 4),
        segment(1, "ALLOW", 2),
    ]
    (row,) = transmissions(lines, FIREWALL)
    assert (row["outcome_code"], row["segment_count"], row["message_bytes"]) == ("delivered", 3, 420)
    assert (row["text"], row["try_count"], row["offset"]) == ("part 1 part 2 part 10 ", 2, 1)
    (row,) = transmissions([*lines, segment(3, "REJECT", 5, rule="keyword")], FIREWALL)
    assert (row["outcome_code"], row["grain_code"], row["reply_text"]) == ("rejected", "recipient", "keyword")
    # Declared by the log.
    lines = [segment(1, "ALLOW", 2, segments="1"), segment(2, "ALLOW", 2, segments="1")]
    assert [row["segment_count"] for row in transmissions(lines, FIREWALL)] == [2]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"text": "=SUM(A1)"}, {"text": "=SUM(A1)"}),
        ({"text": "+35799 call me"}, {"text": "+35799 call me"}),
        ({"text": "@now"}, {"text": "@now"}),
        ({"text": "  two blanks "}, {"text": "  two blanks "}),
        ({"text": '"semi;colon ""quoted"""'}, {"text": 'semi;colon "quoted"'}),
        ({"text": '""'}, {"text": None}),
        ({"text": "\\N"}, {"text": None}),
        ({"calling": " SHOP "}, {"sender": "SHOP"}),
        ({"calling": "+357 99-000 009"}, {"sender": "35799000009"}),
        ({"remote": "192.0.2.7:2775"}, {"client_ip": "192.0.2.7"}),
        ({"remote": "[2001:db8::7]:2775"}, {"client_ip": "2001:db8::7"}),
        ({"remote": "2001:db8::7"}, {"client_ip": "2001:db8::7"}),
        ({"peer": "-", "system_id": "bulkco"}, {"inbound_link": "bulkco", "account": "bulkco"}),
        ({"direction": "AO"}, {"entry_code": "box"}),
        ({"cause": "0x00000045"}, {"reply_code": "0x00000045"}),
        (
            {"time": "2026-11-24T13:47:05.5+02:00"},
            {"first_at": dt.datetime(2026, 11, 24, 11, 47, 5, 500000, tzinfo=dt.UTC)},
        ),
    ],
)
def test_fields(fields: dict[str, str], expected: dict[str, Any]) -> None:
    (row,) = parse([verdict("REJECT", **fields)], FIREWALL).to_dicts()
    assert row["line_code"] == "record", row["reason_code"]
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("means", "cause", "expected"),
    [
        ("map_error", "27", "map_error 27"),
        ("rp_cause", "21", "rp_cause 21"),
        ("tp_fcs", "197", "tp_fcs 197"),
        ("tp_fcs", "0xC5", "tp_fcs 197"),
        # What is no number of the table stays as it stands.
        ("map_error", "0x00000045", "0x00000045"),
        ("map_error", "absent", "absent"),
        ("rp_cause", "", None),
        (None, "27", "27"),
    ],
)
def test_numbers_of_a_table_of_causes(means: str | None, cause: str, expected: str | None) -> None:
    options = firewall({"reply_code": {"column": "cause"} | ({"means": means} if means else {})})
    (row,) = parse([verdict("REJECT", cause=cause)], options).to_dicts()
    assert row["reply_code"] == expected


def test_means_is_for_reply_codes_alone() -> None:
    with pytest.raises(ObservatoryError, match="field: text is no reply_code: means does not belong to it"):
        delimited.profile_of(firewall({"text": {"column": "text", "means": "rp_cause"}}))


def test_a_firewall_of_calls_carries_names_and_categories() -> None:
    told = {"category": {"column": "rule"}, "display_name": {"column": "text"}, "text": {"value": ""}}
    told |= {"cell_id": {"columns": ["smsc", "segment"], "join": "-"}}
    options = firewall(told, channel="VOICE_CS")
    line = verdict("REJECT", rule="WANGIRI", text="Great Casino", smsc="41", segment="7")
    (row,) = transmissions([line], options)
    assert (row["category"], row["display_name"], row["cell_id"]) == ("WANGIRI", "Great Casino", "41-7")
    assert row["grain_code"] == "call"
    typed = type_of_transmissions(pl.DataFrame([row], schema=TRANSMISSION))
    assert typed.row(0) == ("PHONE.wangiri", ["AD.gambling", "PHONE.wangiri"], True, 20)


@pytest.mark.parametrize("channel", ["VOICE_CS", "VOICE_IP", "VIDEO_IP"])
def test_rows_of_calls_are_calls(channel: str) -> None:
    """A call is no message and no refused attempt, whatever became of it."""
    codes = [("0", "delivery", "delivered"), ("1", "connect", "rejected"), ("2", "delivery", "bounced")]
    codes += [("3", "envelope", "deferred")]
    rules = [{"is": [code], "stage": stage, "outcome": outcome} for code, stage, outcome in codes]
    outcome = {"columns": ["status"], "rule": rules, "default": "quarantine"}
    lines = [f"24/11/2026 10:00:0{code},35799000009,35722000001,{code}" for code, *_ in codes]
    options = profile(channel=channel, outcome=outcome, message_key=["at"])
    for keys in (options, options | {"profile": {**options["profile"], "message_key": []}}):
        rows = transmissions(lines, keys)
        assert [row["grain_code"] for row in rows] == ["call"] * 4
        assert [row["outcome_code"] for row in rows] == ["delivered", "rejected", "bounced", "deferred"]


@pytest.mark.parametrize(
    ("channel", "grain", "told"),
    [
        ("VOICE_CS", "recipient", "rows of calls are calls: grain must be call"),
        ("SMS", "call", "grain call is for VOICE_CS, VOICE_IP and VIDEO_IP"),
    ],
)
def test_a_grain_that_the_channel_has_not_is_refused(channel: str, grain: str, told: str) -> None:
    rule = {"is": ["0"], "stage": "delivery", "outcome": "delivered", "grain": grain}
    outcome = {"columns": ["status"], "rule": [rule], "default": "quarantine"}
    with pytest.raises(ObservatoryError, match=told):
        validate_profile(profile(channel=channel, outcome=outcome)["profile"], "profile")


def test_an_address_that_is_none_is_told() -> None:
    assert parse([verdict(remote="mx.example")], FIREWALL)["reason_code"].to_list() == ["bad_field"]


# --- profiles of one's own ------------------------------------------------------------------------------


def profile(**keys: Any) -> dict[str, Any]:
    given = {
        "name": "own",
        "channel": "SMS",
        "columns": ["at", "from", "to", "status"],
        "field": {
            "first_at": {"column": "at", "formats": ["%d/%m/%Y %H:%M:%S"]},
            "sender": {"column": "from"},
            "recipient": {"column": "to"},
        },
        "outcome": {
            "columns": ["status"],
            "rule": [{"is": ["0"], "stage": "delivery", "outcome": "delivered"}],
            "default": {"stage": "envelope", "outcome": "rejected"},
        },
    } | keys
    return {"profile": given}


@pytest.mark.parametrize(
    ("delimiter", "quote", "line"),
    [
        ("\t", '"', "24/11/2026 13:47:05\t1\t2\t0"),
        ("|", "", '24/11/2026 13:47:05|"1|2"|0'),
        (";", "'", "24/11/2026 13:47:05;'1;1';2;0"),
        ("^", '"', '"24/11/2026 13:47:05"^"1"^"2"^"0"'),
        (".", '"', "24/11/2026 13:47:05.1.2.0"),
    ],
)
def test_delimiters(delimiter: str, quote: str, line: str) -> None:
    (row,) = parse([line], profile(delimiter=delimiter, quote=quote)).to_dicts()
    assert row["line_code"] == "record"
    assert (row["first_at"].hour, row["outcome_code"]) == (13, "delivered")


def test_extra_columns() -> None:
    line = "24/11/2026 13:47:05,1,2,0,more,and more"
    assert parse([line], profile())["reason_code"].to_list() == ["unknown_shape"]
    assert parse([line, line[:-9]], profile(extra_columns=True))["line_code"].to_list() == ["record"] * 2


@pytest.mark.parametrize(
    ("form", "zone", "text", "at"),
    [
        ("epoch_s", None, "1795528019.568", "2026-11-24T13:46:59.568"),
        ("epoch_ms", None, "1795528019568", "2026-11-24T13:46:59.568"),
        ("epoch_us", None, "1795528019568001", "2026-11-24T13:46:59.568001"),
        ("%Y%m%d%H%M%S", None, "20261124134659", "2026-11-24T11:46:59"),
        ("%Y%m%d%H%M%S", "UTC", "20261124134659", "2026-11-24T13:46:59"),
        ("%d-%b-%y %I:%M:%S %p", "UTC", "24-Nov-26 01:46:59 PM", "2026-11-24T13:46:59"),
        ("%Y-%m-%dT%H:%M:%SZ", None, "2026-11-24T13:46:59Z", "2026-11-24T13:46:59"),
        ("%Y-%m-%dT%H:%M:%S%z", None, "2026-11-24T13:46:59+0530", "2026-11-24T08:16:59"),
        # The hour that the clock skips in Cyprus on 29 March 2026, and the one that it runs twice.
        ("%Y-%m-%d %H:%M:%S", None, "2026-03-29 03:30:00", "2026-03-29T01:30:00"),
        ("%Y-%m-%d %H:%M:%S", None, "2026-10-25 03:30:00", "2026-10-25T00:30:00"),
    ],
)
def test_times(form: str, zone: str | None, text: str, at: str) -> None:
    field = profile()["profile"]["field"]
    options = profile(field=field | {"first_at": {"column": "at", "formats": [form], "time_zone": zone}})
    (row,) = parse([f"{text},1,2,0"], options, "Asia/Nicosia").to_dicts()
    assert row["first_at"] == dt.datetime.fromisoformat(at + "+00:00")


def test_rules_by_whole_value_go_before_rules_by_begin() -> None:
    outcome = {
        "columns": ["from", "status"],
        "rule": [
            {"starts_with": "A/", "stage": "content", "outcome": "discarded"},
            {"is": "A/0", "stage": "delivery", "outcome": "delivered"},
            {"starts_with": "A/4", "stage": "envelope", "outcome": "rejected"},
        ],
        "default": "ignore",
    }
    lines = [f"24/11/2026 13:47:05,{sender},2,{status}" for sender, status in ("A0", "A4", "A9", "B0")]
    parsed = parse(lines, profile(outcome=outcome))
    assert parsed["outcome_code"].to_list() == ["delivered", "discarded", "discarded", None]
    assert parsed["line_code"].to_list() == ["record"] * 3 + ["ignored"]


# --- what must always hold -------------------------------------------------------------------------------

FIELD = st.text(st.sampled_from("a,\"=+ \t'é\x00;1"), max_size=6)


@examples(50)
@given(st.lists(st.lists(FIELD, min_size=3, max_size=3), min_size=1, max_size=12), st.booleans())
def test_what_a_csv_writer_wrote_is_read(rows: list[list[str]], quotes_all: bool) -> None:
    written = io.StringIO()
    style = csv.QUOTE_ALL if quotes_all else csv.QUOTE_MINIMAL
    csv.writer(written, lineterminator="\n", quoting=style).writerows(rows)
    lines = written.getvalue().split("\n")[:-1]
    read = split_lines(pl.Series(lines, dtype=pl.String), 3, [0, 1, 2], ",", '"', False)
    assert read["_reason"].null_count() == len(rows)
    values = [[value or "" for value in row] for row in read.drop("_reason").rows()]
    assert values == rows


CDRS = st.builds(
    cdr,
    st.sampled_from(["success", "partial", "temp_failed", "failed", "mproc_rejected"]),
    st.integers(0, 59).map(lambda second: f"13:47:{second:02d}"),
    MESSAGE_ID=st.sampled_from(["1", "2", "null"]),
    ADDR_DST_DIGITS=st.sampled_from(["35799000001", "35799000002"]),
    FIRST_20_CHARACTERS_OF_SMS=st.sampled_from(['"a, b"', '"c"']),
)
SEGMENTS = st.builds(
    verdict,
    st.sampled_from(["ALLOW", "REJECT", "DISCARD", "THROTTLE", "MARK"]),
    time=st.integers(0, 59).map(lambda second: f"2026-11-24 13:47:{second:02d}"),
    message_ref=st.sampled_from(["1", "2", ""]),
    segment=st.sampled_from(["1", "2", ""]),
    text=st.sampled_from(["a", "b", ""]),
)


@examples(40)
@given(
    st.one_of(
        st.tuples(st.just("restcomm"), st.lists(CDRS, min_size=1, max_size=20)),
        st.tuples(st.just("sms_firewall"), st.lists(SEGMENTS, min_size=1, max_size=20)),
    ),
    st.randoms(use_true_random=False),
    st.data(),
)
def test_assemble_is_closed(log: tuple[str, list[str]], shuffler: random.Random, data: st.DataObject) -> None:
    name, lines = log
    parsed = placed(parse(lines, {"profile": name})).collect()
    _, rows = assert_closed_under_cuts(delimited, parsed, shuffler, data)
    assert 0 < len(rows) <= len(lines)


def test_a_long_line() -> None:
    assert (
        parse([cdr(FIRST_20_CHARACTERS_OF_SMS='"' + "x" * 5_000_000 + '"')], RESTCOMM)["line_code"][0]
        == "record"
    )


def test_recognised() -> None:
    assert delimited.sniff(cdr().encode()) == 0
    assert delimited.recognise_profile("\n".join([cdr(), cdr("failed")]).encode()) == ("restcomm", 1.0)
    assert delimited.recognise_profile("\n".join([verdict(), "x"]).encode()) == ("sms_firewall", 0.5)
    assert delimited.recognise_profile(b"a,b,c\n1,2,3\n") is None
    assert delimited.recognise_profile(b"") is None
    assert all(isinstance(validate_profile(profile()["profile"], name), Profile) for name in list_shipped())
