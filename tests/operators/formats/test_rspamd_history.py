"""Rspamd's history: fields, documents, and misleading lines."""

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.operators.formats.rspamd import history as rspamd_history
from tests.support.examples import examples
from tests.support.filter_logs import assert_closed, codes, lab, one, parse, placed, read

HISTORY = "postfix/rspamd_history_redis.jsonl"


def row(**fields: Any) -> dict[str, Any]:
    return {
        "size": 812,
        "score": 1.5,
        "is_skipped": False,
        "required_score": 15,
        "thresholds": {"reject": 15, "add header": 6},
        "time_real": 0.007125,
        "action": "add header",
        "sender_smtp": "ann@a.example",
        "rcpt_smtp": ["bob@b.example"],
        "message-id": "m1@a.example",
        "ip": "192.0.2.7",
        "unix_time": 1795529802,
        "symbols": {"R_NA": {"score": 0, "options": ["x"]}, "URL-X.1": {"name": "URL-X.1", "score": 2.5}},
        "user": "unknown",
    } | fields


def fuzzy(*options: str) -> dict[str, Any]:
    """Symbols, a fuzzy one with options among them."""
    denied = {
        "name": "FUZZY_DENIED",
        "score": 12.0,
        "description": "Denied [fuzzy]",
        "options": list(options),
    }
    return {"FUZZY_DENIED": denied, "R_NA": {"name": "R_NA", "options": ["x"]}}


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def test_all_fields_of_a_history_row() -> None:
    assert one(rspamd_history, compact(row(user="ann"))) == {
        "operator_id": "lab",
        "source_id": "f1",
        "stream_id": "a",
        "offset": 0,
        "format_code": "rspamd_history",
        "engine_code": "rspamd",
        "verdict_at": dt.datetime.fromtimestamp(1795529802, dt.UTC),
        "queue_id": None,
        "message_id": "m1@a.example",
        "sender": "ann@a.example",
        "recipients": ["bob@b.example"],
        "client_ip": "192.0.2.7",
        "action": "add header",
        "is_spam": True,
        "score": 1.5,
        "required_score": 15.0,
        "symbols": ["R_NA", "URL-X.1"],
        "digest": None,
        "fuzzy": None,
        "subject": None,
        "message_bytes": 812,
        "filter_us": 7125,
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"sender_smtp": "unknown", "rcpt_smtp": [], "ip": "unknown"}, {"sender": "", "recipients": None}),
        ({"ip": "unknown"}, {"client_ip": None}),
        ({"message-id": "undef"}, {"message_id": None}),
        ({"message-id": "<m@x.example>"}, {"message_id": "m@x.example"}),
        ({"rcpt_smtp": ["a@b.example", "unknown"]}, {"recipients": ["a@b.example"]}),
        ({"action": "to the cellar"}, {"action": "to the cellar", "is_spam": None}),
        ({"action": "soft reject", "score": 11.5}, {"is_spam": False}),
        ({"required_score": None, "score": "nan"}, {"required_score": None, "score": None}),
        ({"symbols": {}}, {"symbols": []}),
        # Texts that look like symbols, in places where a message decides them.
        ({"subject": '","symbols":{"FAKE":{"score":1}},"x":"'}, {"symbols": ["R_NA", "URL-X.1"]}),
        ({"symbols": {"SUBJ": {"options": ['{"FAKE":{', '"FAKE":{']}}}, {"symbols": ["SUBJ"]}),
        ({"unix_time": 1795529802.9, "time_real": 1e-6}, {"filter_us": 1}),
        ({"subject": 'Grüße "aus" Aachen'}, {"subject": 'Grüße "aus" Aachen'}),
        ({"subject": "unknown"}, {"subject": None}),
        (
            {"symbols": fuzzy("1:aaaaaaaaaa:0.71:txt", "1:bbbbbbbbbb:0.93:txt:f7487da4c0")},
            {"fuzzy": "bbbbbbbbbb"},
        ),
        ({"symbols": fuzzy("1:aaaaaaaaaa:1.00:img")}, {"fuzzy": None, "symbols": ["FUZZY_DENIED", "R_NA"]}),
        ({"symbols": {"SUBJ": {"options": ["1:aaaaaaaaaa:1.00:txt", "FUZZY_"]}}}, {"fuzzy": None}),
        ({"subject": '"FUZZY_DENIED":{"options":["1:aaaaaaaaaa:1.00:txt"]}'}, {"fuzzy": None}),
        ({"symbols": fuzzy("1:aaaaaaaaaa:1.00:txt"), "fuzzy_hashes": ["ffff"]}, {"fuzzy": "aaaaaaaaaa"}),
    ],
)
def test_history_trap(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    found = one(rspamd_history, compact(row(**fields)))
    assert {name: found[name] for name in expected} == expected
    # Blanks between the signs of JSON change nothing.
    assert one(rspamd_history, json.dumps(row(**fields))) == found


def test_a_row_of_the_history_in_memory() -> None:
    old = {
        "time": "2026-11-24 14:16:42",
        "unix_time": 1795529802,
        "id": "m1@a.example",
        "ip": "192.0.2.7",
        "action": "no action",
        "score": 1.5,
        "required_score": 15.0,
        "symbols": {"R_NA": {"score": 0.0}},
        "size": 812,
        "scan_time": 0.007125,
    }
    found = one(rspamd_history, compact([old]))
    assert (found["message_id"], found["filter_us"], found["symbols"]) == ("m1@a.example", 7125, ["R_NA"])
    assert found["sender"] is found["recipients"] is None


def test_a_document_tells_the_same_as_its_rows() -> None:
    lines = lab(HISTORY)
    rows = [json.loads(line) for line in lines]
    expected = read(rspamd_history, lines)
    for document in ({"rows": rows, "version": 2}, {"version": 2, "rows": rows}, rows):
        for text in (compact(document), json.dumps(document)):
            parsed = parse(rspamd_history, [text])
            assert parsed["line_code"].to_list() == ["record"]
            found = rspamd_history.verdicts(rspamd_history.assemble(placed(parsed))).collect()
            assert found.drop("offset").to_dicts() == [
                {name: value for name, value in each.items() if name != "offset"} for each in expected
            ]
            # Each verdict has a place of its own.
            assert found["offset"].n_unique() == len(rows)


def test_a_history_that_is_asked_for_twice_counts_once() -> None:
    rows = [row(**{"message-id": f"m{number}@a.example"}) for number in range(5)]
    polls = [compact({"rows": rows[2:], "version": 2}), compact({"rows": rows[:4], "version": 2})]
    assert len(read(rspamd_history, polls)) == 5
    # The same message scanned again is another verdict.
    again = compact(row(**{"message-id": "m1@a.example", "time_real": 0.009}))
    assert len(read(rspamd_history, [*polls, again])) == 6


@pytest.mark.parametrize(
    ("line", "code", "reason"),
    [
        (compact(row())[:-9], "quarantined", "truncated"),
        (compact(row()).replace('"score":1.5', '"score":1.'), "quarantined", "bad_field"),
        (compact(row(unix_time="now")), "quarantined", "bad_timestamp"),
        (compact(row(unix_time=-5)), "quarantined", "bad_timestamp"),
        (compact({"success": True}), "quarantined", "bad_field"),
        (compact(row(action={})), "quarantined", "bad_field"),
        (compact({"rows": [row(), {"x": 1}]}), "quarantined", "bad_field"),
        (compact({"rows": [row(), 7]}), "quarantined", "bad_field"),
        ("[" * 100_000 + "]" * 100_000, "quarantined", "bad_field"),
        ('{"a":' * 5_000 + "1" + "}" * 5_000, "quarantined", "bad_field"),
        ("{", "quarantined", "truncated"),
        ("{}", "quarantined", "bad_field"),
        ("no JSON", "quarantined", "unknown_shape"),
        (compact({"version": 2, "rows": []}), "ignored", None),
        ("[]", "ignored", None),
        ("", "ignored", None),
    ],
)
def test_other_lines_of_a_history(line: str, code: str, reason: str | None) -> None:
    assert codes(rspamd_history, [line]) == [(code, reason)]


@examples(25)
@given(data=st.data())
def test_a_damaged_line_is_quarantined_alone(data: st.DataObject) -> None:
    damage = ["{}", '{"action":[]}', compact(row())[:-1] + "x}", '{"rows":7}', '{"unix_time":1e999}']
    lines = data.draw(st.lists(st.sampled_from([compact(row()), *damage]), min_size=1, max_size=20))
    expected = [
        ("record", None) if line == compact(row()) else ("quarantined", "bad_field") for line in lines
    ]
    assert codes(rspamd_history, lines) == expected


@examples(25)
@given(
    documents=st.lists(st.lists(st.integers(0, 6), max_size=4), max_size=5),
    cuts=st.lists(st.integers(0, 5), max_size=3),
    seed=st.integers(0, 99),
)
def test_documents_survive_every_cut(documents: list[list[int]], cuts: list[int], seed: int) -> None:
    lines = [
        compact({"rows": [row(**{"message-id": f"m{number}@a.example"}) for number in numbers]})
        for numbers in documents
    ]
    assert_closed(rspamd_history.FORMAT, lines, cuts, seed)
    assert len(read(rspamd_history, lines)) == len({number for numbers in documents for number in numbers})
