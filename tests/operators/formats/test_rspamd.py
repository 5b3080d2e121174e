"""Rspamd's task log against the history that the same server kept, and against misleading lines."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from jobs.operators.formats import LINES, VERDICT, Source, rspamd
from jobs.operators.formats.rspamd import clickhouse as rspamd_clickhouse
from jobs.operators.formats.rspamd import history as rspamd_history
from tests.support.filter_logs import lab, read

LOG = Path(__file__).parents[3] / "sample_data" / "lab" / "postfix" / "rspamd.log"
HISTORY = Path(__file__).parents[2] / "data" / "rspamd" / "history.jsonl"
NEWEST = dt.datetime(2026, 11, 24, 15, 0, tzinfo=dt.UTC)
STAMP = "2026-11-24 14:00:01 #12(normal) <a1b2c3>; task; "


def source(**kwargs: Any) -> Source:
    return Source(
        **({"operator_id": "lab", "source_id": "f1", "stream_id": "a", "newest_at": NEWEST} | kwargs)
    )


def parse(lines: list[str], **kwargs: Any) -> pl.DataFrame:
    frame = pl.LazyFrame({"offset": range(len(lines)), "line": lines}, schema=LINES)
    return rspamd.parse(frame, source(**kwargs)).collect()


def placed(parsed: pl.DataFrame) -> pl.LazyFrame:
    return parsed.lazy().with_columns(
        operator_id=pl.lit("lab"), source_id=pl.lit("f1"), stream_id=pl.lit("a")
    )


def task(fields: str = "", **parts: str) -> str:
    """A task line; `fields` stand between the id and the verdict."""
    given = {
        "stamp": STAMP,
        "id": "m1@shop.example",
        "flag": "F",
        "action": "no action",
        "scores": "1.50/15.00",
        "symbols": "ARC_NA(0.00){}",
        "tail": ", digest: <00ff>, rcpts: <ann@a.example>, mime_rcpts: <ann@a.example>",
    } | parts
    return (
        "{stamp}rspamd_task_write_log: id: <{id}>"
        + fields
        + ", (default: {flag} ({action}): [{scores}] [{symbols}]),"
        " len: 812, time: 7.125ms, dns req: 3{tail}"
    ).format(**given)


def verdict(line: str, **kwargs: Any) -> dict[str, Any]:
    parsed = parse([line], **kwargs)
    assert parsed["line_code"].to_list() == ["record"], parsed["reason_code"].to_list()
    return rspamd.verdicts(rspamd.assemble(placed(parsed))).collect().to_dicts()[0]


def test_every_verdict_agrees_with_the_history() -> None:
    parsed = parse(LOG.read_text("utf-8").splitlines())
    assert parsed["line_code"].value_counts().sort("line_code").rows() == [("ignored", 1185), ("record", 50)]
    found = rspamd.verdicts(rspamd.assemble(placed(parsed))).collect()
    assert dict(found.schema) == VERDICT
    by_id = {row["message_id"]: row for row in found.to_dicts()}
    history = [json.loads(line) for line in HISTORY.read_text("utf-8").splitlines()]
    assert len(by_id) == 50 and len(history) == 44
    for kept in history:
        row = by_id.pop(kept["message-id"])
        assert row["action"] == kept["action"]
        # The log cuts the score to two digits, the history keeps six.
        assert row["score"] == pytest.approx(kept["score"], abs=0.0101)
        assert row["required_score"] == kept["required_score"]
        assert sorted(row["symbols"]) == kept["symbols"]
        assert row["message_bytes"] == kept["size"]
        assert row["recipients"] == kept["rcpt_smtp"]
        assert row["sender"] == kept["sender_smtp"]
        assert row["client_ip"] == kept["ip"]
        assert row["is_spam"] is False
    # The history leaves out what a GTUBE pre-result decided.
    assert sorted(row["action"] for row in by_id.values()) == [
        "add header",
        *["reject"] * 4,
        "rewrite subject",
    ]
    assert all(row["is_spam"] and row["symbols"] == ["GTUBE"] for row in by_id.values())


def test_all_fields() -> None:
    fields = ", qid: <4jYl>, ip: 2001:db8::7, user: ann@a.example, from: <shop@shop.example>"
    row = verdict(task(fields, tail=", digest: <00ff>, rcpts: <ann@a.example,bob@a.example>"))
    assert row | {"offset": 0} == {
        "operator_id": "lab",
        "source_id": "f1",
        "stream_id": "a",
        "offset": 0,
        "format_code": "rspamd",
        "engine_code": "rspamd",
        "verdict_at": dt.datetime(2026, 11, 24, 14, 0, 1, tzinfo=dt.UTC),
        "queue_id": "4jYl",
        "message_id": "m1@shop.example",
        "sender": "shop@shop.example",
        "recipients": ["ann@a.example", "bob@a.example"],
        "client_ip": "2001:db8::7",
        "action": "no action",
        "is_spam": False,
        "score": 1.5,
        "required_score": 15.0,
        "symbols": ["ARC_NA"],
        "digest": "00ff",
        "fuzzy": None,
        "subject": None,
        "message_bytes": 812,
        "filter_us": 7125,
    }


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(
            task(tail=""),
            {"queue_id": None, "sender": "", "recipients": None, "digest": None},
            id="no blocks",
        ),
        pytest.param(task(id="undef"), {"message_id": None}, id="undefined id"),
        pytest.param(task(id=""), {"message_id": None}, id="empty id"),
        pytest.param(task(id="7.1@<>"), {"message_id": "7.1@<>"}, id="brackets inside the id"),
        pytest.param(task(id="<x@y.example>"), {"message_id": "x@y.example"}, id="brackets around the id"),
        pytest.param(
            task(", qid: <Q1>", id="a>,(default:b>,c@x.example"),
            {"message_id": "a>,(default:b>,c@x.example", "queue_id": "Q1"},
            id="id that looks like fields",
        ),
        pytest.param(
            task(', from: <"a b, (c"@x.example>'),
            {"sender": '"a b, (c"@x.example'},
            id="quoted sender with blanks",
        ),
        pytest.param(
            task(tail=', digest: <1>, rcpts: <"a,b"@x.example,c@x.example>'),
            {"recipients": ['"a,b"@x.example', "c@x.example"]},
            id="comma in a recipient",
        ),
        pytest.param(
            task(scores="nan/15.00"), {"score": None, "required_score": 15.0}, id="score not a number"
        ),
        pytest.param(
            task(scores="-4.20/nan"), {"score": -4.2, "required_score": None}, id="limit not a number"
        ),
        pytest.param(task(symbols=""), {"symbols": []}, id="no symbols"),
        pytest.param(
            task(symbols="URL-X.1(2.00){a,b:c(d);http://u.example/?q={z};},R_NA(-0.10){},T(nan){x;y;}"),
            {"symbols": ["URL-X.1", "R_NA", "T"]},
            id="signs in options",
        ),
        pytest.param(
            task(symbols="ARC_NA(0.00){},FUZZY_DENIED(12.00){1:b639f4eae7:1.00:txt;},R_NA(-0.10){x;}"),
            {"fuzzy": "b639f4eae7", "symbols": ["ARC_NA", "FUZZY_DENIED", "R_NA"]},
            id="fuzzy hash",
        ),
        pytest.param(
            task(symbols="FUZZY_PROB(5.00){2:eb2efd2e8c:0.69:txt:f7487da4c0;}"),
            {"fuzzy": "eb2efd2e8c"},
            id="fuzzy hash with the one that was asked for",
        ),
        pytest.param(
            task(symbols="FUZZY_DENIED(12.00){1:aaaaaaaaaa:0.71:txt;1:bbbbbbbbbb:0.93:txt;}"),
            {"fuzzy": "bbbbbbbbbb"},
            id="likest of two fuzzy hashes",
        ),
        pytest.param(
            task(
                symbols="FUZZY_WHITE(-2.00){3:bbbbbbbbbb:1.00:txt;},LOCAL_FUZZY_X(1.00){11:cccccccccc:1.00:txt;}"
            ),
            {"fuzzy": "cccccccccc"},
            id="equally like fuzzy hashes of two symbols",
        ),
        pytest.param(
            task(
                symbols="LOCAL_FUZZY_X(1.00){11:cccccccccc:1.00:txt;},FUZZY_WHITE(-2.00){3:bbbbbbbbbb:1.00:txt;}"
            ),
            {"fuzzy": "cccccccccc"},
            id="the same in another order",
        ),
        pytest.param(
            task(
                symbols="FUZZY_DENIED(9.00){1:aaaaaaaaaa:1.00:img;1:bbbbbbbbbb:1.00:bin;1:cccccccccc:0.80:html;}"
            ),
            {"fuzzy": None, "symbols": ["FUZZY_DENIED"]},
            id="fuzzy hashes of what is no text",
        ),
        pytest.param(
            task(symbols="FUZZY_DENIED(9.20){1:bce8ae39d1:0.75;}"),
            {"fuzzy": None},
            id="fuzzy hash of nobody knows which part",
        ),
        pytest.param(
            task(symbols="FUZZY_BLOCKED(0.00){},FUZZY_DENIED(9.20){1:bce8ae39d1:0.75:txt;}"),
            {"fuzzy": "bce8ae39d1"},
            id="fuzzy symbol without options",
        ),
        pytest.param(
            task(symbols="SUBJ(1.00){1:bce8ae39d1:1.00:txt;FUZZY_DENIED(9.20){1:aaaaaaaaaa:1.00:txt;}"),
            {"fuzzy": None},
            id="options that look like fuzzy hashes",
        ),
        pytest.param(
            task(symbols="SUBJ(1.00){FAKE(9.00){;},GOOD(0.00){ok},ALSO_FAKE(1.00){;}"),
            {"symbols": ["SUBJ", "GOOD"]},
            id="options that look like symbols",
        ),
        pytest.param(
            task(
                flag="S",
                action="rewrite subject",
                tail=', digest: <1>, forced: rewrite subject "x"; score=nan',
            ),
            {"action": "rewrite subject", "is_spam": True},
            id="forced result",
        ),
        pytest.param(task(flag="S"), {"is_spam": False}, id="skipped scan is no spam"),
        pytest.param(
            task(flag="F", action="add header"), {"is_spam": True}, id="old releases flag only rejects"
        ),
        pytest.param(
            task(flag="T", action="to the cellar"),
            {"action": "to the cellar", "is_spam": True},
            id="own action",
        ),
        pytest.param(task(action="soft reject", scores="11.50/15.00"), {"is_spam": False}, id="greylisted"),
        pytest.param(
            task().replace("7.125ms", "12.5ms real, 3.0ms virtual"),
            {"filter_us": 12500, "digest": "00ff"},
            id="old time",
        ),
        pytest.param(
            task(symbols="X(1.00){cut off here").split("]), len")[0],
            {"action": "no action", "message_bytes": None, "recipients": None},
            id="broken inside an option",
        ),
        pytest.param(task() + "\r", {"recipients": ["ann@a.example"]}, id="carriage return"),
        pytest.param(
            task(tail=", digest: <1>, rcpts: <a@x.example,b@x.example,...>"),
            {"recipients": ["a@x.example", "b@x.example"]},
            id="list that Rspamd cut short",
        ),
    ],
)
def test_trap(line: str, expected: dict[str, Any]) -> None:
    row = verdict(line)
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("stamp", "zone", "expected"),
    [
        ("2026-11-24 14:16:12.123 #45(normal) <a>; task; ", "UTC", "2026-11-24T14:16:12.123000"),
        ("2018-10-13 09:34:20.03286 #9(x) <a>; task; ", "UTC", "2018-10-13T09:34:20.032860"),
        ("2026-11-24 14:16:12 #45(normal) <a>; task; ", "Asia/Nicosia", "2026-11-24T12:16:12.000000"),
        # The hour that summer time skips and the one that it runs twice.
        ("2026-03-29 03:30:00 #45(normal) <a>; task; ", "Asia/Nicosia", "2026-03-29T01:30:00.000000"),
        ("2026-10-25 03:30:00 #45(normal) <a>; task; ", "Asia/Nicosia", "2026-10-25T00:30:00.000000"),
        ("Nov  4 09:05:07 mx1 rspamd[48]: <a>; task; ", "Asia/Nicosia", "2026-11-04T07:05:07.000000"),
        # Later than anything in the file may be: the year before.
        ("Dec 31 23:59:58 mx1 rspamd[48]: <a>; task; ", "UTC", "2025-12-31T23:59:58.000000"),
        ("Feb 29 01:00:00 mx1 rspamd: <a>; task; ", "UTC", "2024-02-29T01:00:00.000000"),
        (
            "2026-11-24T15:16:12.5+01:00 mx1 rspamd[48]: <a>; task; ",
            "Asia/Nicosia",
            "2026-11-24T14:16:12.500000",
        ),
        ("<30>1 2026-11-24T14:16:12Z mx1 rspamd 48 - - <a>; task; ", "UTC", "2026-11-24T14:16:12.000000"),
        # With facility and level, as in tests/operators/formats/test_syslog.py.
        ("Nov 24 14:16:12 <mail.info> mx1 rspamd[48]: <a>; task; ", "UTC", "2026-11-24T14:16:12.000000"),
        ("2026-11-24T14:16:12Z <2.6> mx1 rspamd[48]: <a>; task; ", "UTC", "2026-11-24T14:16:12.000000"),
        ("<mail.info>Nov 24 14:16:12 mx1 rspamd[48]: <a>; task; ", "UTC", "2026-11-24T14:16:12.000000"),
        ("Nov 24 14:16:12 mx1 mail.info rspamd[48]: <a>; task; ", "UTC", "2026-11-24T14:16:12.000000"),
    ],
)
def test_stamp(stamp: str, zone: str, expected: str) -> None:
    row = verdict(task(stamp=stamp), time_zone=zone)
    assert row["verdict_at"].strftime("%Y-%m-%dT%H:%M:%S.%f") == expected


@pytest.mark.parametrize(
    ("line", "code", "reason"),
    [
        (
            "2026-11-24 14:16:12 #45(main) <c>; cfg; rspamd_config: options {a(1.00){}]), len: 3",
            "ignored",
            None,
        ),
        ("Nov 24 14:16:12 mx1 rspamd[48]: <c>; lua; greylist.lua:1: x", "ignored", None),
        ("", "ignored", None),
        ("job-id 9: an option that went on;},MID(0.50){}]), len: 9", "quarantined", "bad_timestamp"),
        (
            "Nov 24 14:16:12 mx1 postfix/smtpd[1]: connect from a.example[192.0.2.1]",
            "quarantined",
            "unknown_shape",
        ),
        (STAMP + "rspamd_task_write_log: (default: nothing", "quarantined", "bad_field"),
        (task(stamp="2026-13-24 14:00:01 #1(x) <a>; task; "), "quarantined", "bad_timestamp"),
        (task(stamp="Feb 31 14:00:01 mx1 rspamd[1]: <a>; task; "), "quarantined", "bad_timestamp"),
        (task(stamp="no stamp "), "quarantined", "bad_timestamp"),
    ],
)
def test_other_lines(line: str, code: str, reason: str | None) -> None:
    assert parse([line]).select("line_code", "reason_code").rows() == [(code, reason)]


def test_sniff() -> None:
    log = LOG.read_bytes()
    assert rspamd.sniff(log[:20_000]) == 1
    assert rspamd.sniff(b"Nov 24 14:16:12 mx1 postfix/smtpd[1]: connect\n" * 9 + log[:99]) < 0.5
    assert rspamd.sniff(b"") == rspamd.sniff(b"\x00\xff\x1f\x8b") == 0


def test_plain_lines_read_as_those_of_any_form() -> None:
    logged = LOG.read_text("utf-8").splitlines()
    lines = pl.DataFrame({"offset": range(len(logged)), "line": logged}, schema=LINES)
    plain, is_plain = rspamd._read_plain(lines, source())
    assert is_plain.sum() > 40
    assert_frame_equal(plain, rspamd._of_any_form(lines.filter(is_plain), source()))


# --- three forms, one verdict --------------------------------------------------------------------------

CLICKHOUSE = "postfix/clickhouse_posts.txt"


def forms() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """By message-id, the verdicts of one server in each of its three forms."""
    found = (
        {row["message_id"]: row for row in read(kernel, lab(name))}
        for kernel, name in (
            (rspamd, "postfix/rspamd.log"),
            (rspamd_history, "postfix/rspamd_history_redis.jsonl"),
            (rspamd_clickhouse, CLICKHOUSE),
        )
    )
    log, history, clickhouse = found
    return log, history, clickhouse


def test_the_three_forms_tell_of_the_same_messages() -> None:
    log, history, clickhouse = forms()
    assert (len(log), len(history), len(clickhouse)) == (50, 44, 44)
    assert history.keys() == clickhouse.keys()
    # What a forced result (GTUBE) decided before the scan is in the task log alone: both modules run
    # among the last symbols, which such a message does not reach.
    left_out = [log[mid] for mid in log.keys() - history.keys()]
    assert sorted(row["action"] for row in left_out) == ["add header", *["reject"] * 4, "rewrite subject"]
    assert all(row["symbols"] == ["GTUBE"] for row in left_out)


def test_the_three_forms_agree_field_by_field() -> None:
    log, history, clickhouse = forms()
    places = {"source_id", "stream_id", "offset", "format_code"}
    compared = 0
    for mid, in_history in history.items():
        in_log, in_clickhouse = log[mid], clickhouse[mid]
        differs = {
            name
            for name in in_log
            if name not in places and not in_log[name] == in_history[name] == in_clickhouse[name]
        }
        # Neither form has the queue id and the digest; ClickHouse has no required score.
        for name in ("queue_id", "digest"):
            assert in_log[name] and in_history[name] is in_clickhouse[name] is None
        assert in_history["required_score"] == in_log["required_score"] == 15
        assert in_clickhouse["required_score"] is None
        # The task log cuts scores to two digits.
        assert in_history["score"] == in_clickhouse["score"] == pytest.approx(in_log["score"], abs=0.0101)
        # The log and the history write symbols in different order. ClickHouse had them not enabled, so
        # that those are known which its columns on DKIM, SPF and DMARC stand for; `dnsfail` is two symbols.
        assert sorted(in_log["symbols"]) == sorted(in_history["symbols"])
        assert set(in_clickhouse["symbols"]) <= set(in_log["symbols"])
        about_origin = ("R_DKIM_", "R_SPF_", "DMARC_")
        assert set(in_clickhouse["symbols"]) == {
            name for name in in_log["symbols"] if name.startswith(about_origin)
        } - {"R_SPF_DNSFAIL"}
        # The log rounds down to a microsecond, the history to the nearest, ClickHouse to a millisecond.
        assert abs(in_history["filter_us"] - in_log["filter_us"]) <= 1
        assert in_clickhouse["filter_us"] == in_history["filter_us"] // 1000 * 1000
        # The log has the second in which the scan ended, the others that in which it began.
        assert in_history["verdict_at"] == in_clickhouse["verdict_at"]
        waited = in_log["verdict_at"] - in_history["verdict_at"]
        scan = dt.timedelta(microseconds=in_log["filter_us"])
        assert dt.timedelta(0) <= waited <= scan + dt.timedelta(seconds=1)
        # ClickHouse did not insert subjects, and the task log never has them.
        assert in_log["subject"] is in_clickhouse["subject"] is None
        explained = {"queue_id", "digest", "required_score", "score", "symbols", "filter_us", "verdict_at"}
        explained |= {"subject"}
        assert differs <= explained
        compared += len(in_log.keys() - places - explained)
    assert sum(row["subject"] is not None for row in history.values()) == 24
    # message-id, sender, recipients, address, action, is_spam, size, fuzzy, engine, operator: all alike.
    assert compared == 44 * 10
