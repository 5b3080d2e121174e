"""OpenDKIM's and OpenDMARC's results, by log line and by history, against what was sent."""

import datetime as dt
import re
from collections import Counter
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.operators.formats.opendkim import FORMAT as opendkim
from jobs.operators.formats.opendmarc_history import FORMAT as opendmarc_history
from tests.support.examples import examples
from tests.support.filter_logs import (
    MAIL_LOGS,
    assert_closed,
    frame_of,
    lab,
    one,
    parse,
    placed,
    read,
    source,
    truth,
    verdicts_of,
)

DKIM = "Nov 24 14:16:42 mx1 opendkim[77]: 4jYlHG3gP6z1fPrT: "
DMARC = "Nov 24 14:16:42 mx1 opendmarc[79]: 4jYlHG3gP6z1fPrT: "


@pytest.mark.parametrize("name", MAIL_LOGS)
def test_every_message_that_was_handed_over(name: str) -> None:
    lines = lab(f"postfix/{name}")
    found = read(opendkim, lines)
    names = [re.search(r" (\w+): message-id=<(.*)>$", line) for line in lines]
    message_ids = {match[1]: match[2] for match in names if match}
    by_engine = {
        engine: {message_ids[row["queue_id"]]: row for row in found if row["engine_code"] == engine}
        for engine in ("opendkim", "opendmarc")
    }
    assert {engine: len(rows) for engine, rows in by_engine.items()} == {"opendkim": 22, "opendmarc": 23}
    sent = {row["mid"]: row for row in truth("opendkim+opendmarc")}
    # Refused or discarded by rules of Postfix's own before the filters were asked, or never sent.
    unseen = {"access null", "lottery winner", "cheap viagra", "your bank", "big", "syntax"}
    seen = {mid for mid, row in sent.items() if row["swaks_exit"] != 24 and row["subject"] not in unseen}
    # One message had no From that could be read, so that neither filter has a result for it.
    seen -= {mid for mid in seen if mid.endswith("@<>")}
    assert by_engine["opendkim"].keys() == seen
    # OpenDMARC also saw the message that was sent for OpenDKIM to sign.
    (signed,) = by_engine["opendmarc"].keys() - seen
    assert by_engine["opendmarc"][signed]["symbols"] == ["SPF_PASS", "DMARC_MISSING"]
    # No message had a signature, and only one domain of the senders was spoofed.
    assert {(row["action"], *row["symbols"]) for row in by_engine["opendkim"].values()} == {
        ("none", "DKIM_NONE")
    }
    results = Counter((row["action"], *row["symbols"]) for row in by_engine["opendmarc"].values())
    assert results == {
        ("pass", "SPF_PASS", "DMARC_PASS"): 9,
        ("none", "SPF_PASS", "DMARC_MISSING"): 12,
        ("none", "SPF_NONE", "DMARC_MISSING"): 1,
        ("fail", "SPF_FAIL", "DMARC_FAIL"): 1,
    }
    (spoofed,) = (mid for mid, row in by_engine["opendmarc"].items() if row["action"] == "fail")
    assert sent[spoofed]["mail_from"] == "ceo@spoof.example" and sent[spoofed]["swaks_exit"] == 26
    for mid, row in by_engine["opendmarc"].items():
        if row["action"] == "pass":
            assert sent[mid]["mail_from"].endswith("@good.example")
    assert all(row["is_spam"] is None and row["message_id"] is None for row in found)


def test_the_history_tells_the_same_as_the_log() -> None:
    by_queue = {
        row["queue_id"]: row
        for row in read(opendkim, lab("postfix/mail.rfc5424.log"))
        if row["engine_code"] == "opendmarc"
    }
    history = read(opendmarc_history, lab("postfix/opendmarc.history"))
    # OpenDMARC records only messages whose domain publishes a policy.
    assert {row["queue_id"] for row in history} == {
        queue for queue, row in by_queue.items() if "DMARC_MISSING" not in row["symbols"]
    }
    assert len(history) == 10
    for row in history:
        logged = by_queue[row["queue_id"]]
        assert row["action"] == logged["action"]
        assert set(logged["symbols"]) <= set(row["symbols"])
        # The history knows the address and what the policy asks for; the log knows fractions of a second.
        assert set(row["symbols"]) - set(logged["symbols"]) == (
            {"DMARC_REJECT"} if row["action"] == "fail" else set()
        )
        assert dt.timedelta(0) <= logged["verdict_at"] - row["verdict_at"] < dt.timedelta(seconds=1)
        assert row["client_ip"] is not None and logged["client_ip"] is None


# --- lines of the log -------------------------------------------------------------------------------


def test_a_message_has_one_verdict_of_each_engine() -> None:
    lines = [
        DKIM + "DKIM verification successful",
        DMARC + "SPF(mailfrom): a.example fail",
        DMARC + "a.example pass",
    ]
    assert [(row["engine_code"], row["action"], row["symbols"]) for row in read(opendkim, lines)] == [
        ("opendkim", "pass", ["DKIM_VALID"]),
        ("opendmarc", "pass", ["SPF_FAIL", "DMARC_PASS"]),
    ]


def test_a_queue_id_that_is_used_again_is_another_message() -> None:
    first = [DMARC + "SPF(mailfrom): a.example pass", DMARC + "a.example pass"]
    for at, count in (("14:26:42", 1), ("14:26:43", 2)):
        later = [line.replace("14:16:42", at).replace("pass", "fail") for line in first]
        assert len(rows := read(opendkim, [*first, *later])) == count
    assert [row["symbols"] for row in rows] == [["SPF_PASS", "DMARC_PASS"], ["SPF_FAIL", "DMARC_FAIL"]]


# --- the history ---------------------------------------------------------------------------------------


def block(job: str = "4jYl", **fields: Any) -> list[str]:
    given = {
        "reporter": "mx1.b.example",
        "received": 1795529802,
        "ipaddr": "192.0.2.10",
        "from": "a.example",
        "mfrom": "bounce.a.example",
        "spf": 0,
        "pdomain": "a.example",
        "policy": 15,
        "rua": "mailto:rua@a.example",
        "align_dkim": 5,
        "align_spf": 4,
        "action": 2,
    } | fields
    lines = [f"job {job}"]
    for key, value in given.items():
        lines += [f"{key} {each}" for each in (value if isinstance(value, list) else [value])]
    return lines


def test_all_fields_of_a_block() -> None:
    lines = block(dkim=["a.example k1 0", "b.example k2 7"], align_dkim=4, spf=2)
    row = one(opendmarc_history, *lines)
    assert row == dict.fromkeys(row) | {
        "operator_id": "lab",
        "source_id": "f1",
        "stream_id": "a",
        "offset": 0,
        "format_code": "opendmarc_history",
        "engine_code": "opendmarc",
        "verdict_at": dt.datetime.fromtimestamp(1795529802, dt.UTC),
        "queue_id": "4jYl",
        "client_ip": "192.0.2.10",
        "action": "pass",
        "symbols": ["SPF_SOFTFAIL", "DKIM_VALID", "DKIM_VALID_AU", "DMARC_PASS"],
    }
    bronze = opendmarc_history.assemble(placed(parse(opendmarc_history, lines))).collect().to_dicts()[0]
    assert [(each["domain"], each["result"]) for each in bronze["signatures"]] == [
        ("a.example", 0),
        ("b.example", 7),
    ]
    assert (bronze["sender_domain"], bronze["from_domain"]) == ("bounce.a.example", "a.example")


@pytest.mark.parametrize(
    ("fields", "action", "symbols"),
    [
        ({"policy": 14, "spf": 6}, "none", ["SPF_NONE", "DMARC_MISSING"]),
        ({"policy": 13, "spf": -1}, "none", []),
        ({"policy": 16, "spf": 7}, "fail", ["SPF_FAIL", "DMARC_FAIL", "DMARC_REJECT"]),
        ({"policy": 17, "spf": 4}, "fail", ["SPF_TEMPERROR", "DMARC_FAIL", "DMARC_QUAR"]),
        (
            {"policy": 18, "dkim": "a.example 7"},
            "fail",
            ["SPF_PASS", "DKIM_INVALID", "DMARC_FAIL", "DMARC_NONE"],
        ),
        ({"policy": 99, "spf": 3}, "none", ["SPF_NEUTRAL"]),
    ],
)
def test_numbers(fields: dict[str, Any], action: str, symbols: list[str]) -> None:
    row = one(opendmarc_history, *block(**fields))
    assert (row["action"], row["symbols"]) == (action, symbols)


@examples(40)
@given(
    count=st.integers(1, 6),
    cuts=st.lists(st.integers(0, 80), max_size=6),
    seed=st.integers(0, 99),
    overlap=st.integers(0, 5),
    data=st.data(),
)
def test_a_block_that_is_cut_is_whole_again(
    count: int, cuts: list[int], seed: int, overlap: int, data: st.DataObject
) -> None:
    lines: list[str] = []
    for number in range(count):
        signed = data.draw(st.lists(st.sampled_from(["a.example k 0", "a.example 7"]), max_size=3))
        lines += block(f"job{number}", dkim=signed, policy=15 + number % 4)
    assert [row["queue_id"] for row in read(opendmarc_history, lines)] == [f"job{n}" for n in range(count)]
    assert_closed(opendmarc_history, lines, cuts, seed, overlap)


def test_what_a_missing_piece_takes_with_it() -> None:
    first, second, third = block("one"), block("two", spf=7), block("three", policy=16)
    lines = [*first, *second, *third]
    offsets = frame_of(lines)["offset"].to_list()
    # The end of the first block and the beginning of the second never came.
    begin, end = len(first) - 3, len(first) + 5
    early = parse(opendmarc_history, lines[:begin])
    late = parse(opendmarc_history, lines[end:], offsets[end])
    rows = verdicts_of(opendmarc_history, pl.concat([early, late]))
    # What is left of the second block is not taken for the first one's.
    assert [(row["queue_id"], row["symbols"][0]) for row in rows] == [
        ("one", "SPF_PASS"),
        ("three", "SPF_PASS"),
    ]


def test_return_signs_do_not_cut_blocks() -> None:
    lines = [line + "\r" for line in (*block("one"), *block("two"))]
    assert [row["queue_id"] for row in read(opendmarc_history, lines)] == ["one", "two"]
    # As ingest gives them: the return sign is gone, its byte is not.
    stripped = frame_of(lines).with_columns(pl.col("line").str.strip_chars_end("\r"))
    parsed = opendmarc_history.parse(stripped.lazy(), source()).collect()
    assert [row["queue_id"] for row in verdicts_of(opendmarc_history, parsed)] == ["one", "two"]


def test_blocks_that_are_done_do_not_share_a_key() -> None:
    lines = [*block("one"), *block("two"), *block("three")]
    bronze = opendmarc_history.assemble(placed(parse(opendmarc_history, lines))).collect()
    keys = bronze.sort("offset")["assembly_key"].to_list()
    assert [key.split("|")[0] for key in keys] == ["job", "job", "cut"]
    assert len(set(keys)) == 3
