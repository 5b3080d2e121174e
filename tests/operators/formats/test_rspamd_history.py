"""Rspamd's history: fields, documents, and misleading lines."""

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.operators.formats.rspamd.history import FORMAT as rspamd_history
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


def test_blanks_between_the_signs_of_json_change_nothing() -> None:
    assert one(rspamd_history, json.dumps(row())) == one(rspamd_history, compact(row()))


@pytest.mark.parametrize("line", ["[" * 100_000 + "]" * 100_000, '{"a":' * 5_000 + "1" + "}" * 5_000])
def test_json_of_endless_depth_is_no_row(line: str) -> None:
    assert codes(rspamd_history, [line]) == [("quarantined", "bad_field")]


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
    assert_closed(rspamd_history, lines, cuts, seed)
    assert len(read(rspamd_history, lines)) == len({number for numbers in documents for number in numbers})
