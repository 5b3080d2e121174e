"""Rspamd's task log against the history that the same server kept, and against misleading lines."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from jobs.operators.formats import LINES, VERDICT, Source
from jobs.operators.formats.rspamd import FORMAT as rspamd
from jobs.operators.formats.rspamd import _parse_any_form, _read_plain
from jobs.operators.formats.rspamd.clickhouse import FORMAT as rspamd_clickhouse
from jobs.operators.formats.rspamd.history import FORMAT as rspamd_history
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


def test_sniff() -> None:
    log = LOG.read_bytes()
    assert rspamd.sniff(log[:20_000]) == 1
    assert rspamd.sniff(b"Nov 24 14:16:12 mx1 postfix/smtpd[1]: connect\n" * 9 + log[:99]) < 0.5
    assert rspamd.sniff(b"") == rspamd.sniff(b"\x00\xff\x1f\x8b") == 0


def test_plain_lines_read_as_those_of_any_form() -> None:
    logged = LOG.read_text("utf-8").splitlines()
    lines = pl.DataFrame({"offset": range(len(logged)), "line": logged}, schema=LINES)
    plain, is_plain = _read_plain(lines, source())
    assert is_plain.sum() > 40
    assert_frame_equal(plain, _parse_any_form(lines.filter(is_plain), source())[0])


# --- three forms, one verdict --------------------------------------------------------------------------

CLICKHOUSE = "postfix/clickhouse_posts.txt"


def forms() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Verdicts of one server in each of its three forms, by message-id."""
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
