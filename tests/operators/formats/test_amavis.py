"""Amavis' verdicts against what was sent through it, and against misleading lines."""

import datetime as dt
from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.tables.contracts import REFERENCE
from jobs.operators.formats.amavis import _CATEGORIES
from jobs.operators.formats.amavis import FORMAT as amavis
from tests.support.examples import examples
from tests.support.filter_logs import (
    MAIL_LOGS,
    assert_closed,
    lab,
    one,
    read,
    truth,
)

STAMP = "Nov 24 14:16:40 mx1 amavis[113]: "


def line(**parts: str) -> str:
    given = {
        "id": "00113-01",
        "head": "Passed CLEAN {RelayedInbound}",
        "route": "[192.0.2.10]:39500 [192.0.2.10] <ann@a.example> -> <bob@b.example>",
        "keys": "Queue-ID: 4jYl, Message-ID: <m1@a.example>, mail_id: 7Hf7, Hits: 1.3, size: 529",
        "tail": ", queued_as: 4jYm, 257 ms",
    } | parts
    return STAMP + "({id}) {head}, {route}, {keys}{tail}".format(**given)


@pytest.mark.parametrize("name", MAIL_LOGS)
def test_every_message_that_was_handed_over(name: str) -> None:
    found = read(amavis, lab(f"postfix/{name}"))
    accepted = [row for row in truth("amavis") if row["swaks_exit"] == 0]
    assert (len(found), len(accepted)) == (21, 25)
    # Postfix held, discarded, redirected or refused these by rules of its own, before the content filter.
    never_seen = {"access quar", "access null", "access redir", "lottery winner"}
    seen = {row["mid"]: row for row in accepted if row["subject"] not in never_seen}
    by_id = {row["message_id"]: row for row in found}
    # One message had an id that Amavis found empty.
    without_id = by_id.pop(None)
    broken = next(row for mid, row in seen.items() if mid.endswith("@<>"))
    assert (without_id["sender"], without_id["recipients"]) == ("", broken["rcpt"])
    del seen[broken["mid"]]
    assert by_id.keys() == seen.keys()
    for mid, row in by_id.items():
        sent = seen[mid]
        assert row["sender"] == sent["mail_from"]
        assert row["client_ip"] == sent["client_ip"]
        # Postfix expands its aliases before the filter.
        assert len(row["recipients"]) >= len(sent["rcpt"])
        if sent["rcpt"] not in (["sales@example.test"], ["fwd@example.test"]):
            assert row["recipients"] == sent["rcpt"]
        assert row["is_spam"] == (row["score"] > 6.31)
    assert Counter(row["action"] for row in found) == {"Passed CLEAN": 15, "Blocked SPAM": 6}


def test_all_fields() -> None:
    text = line(
        head="Blocked SPAM {DiscardedInbound,Quarantined}",
        route="LOCAL [2001:db8::7]:1025 [198.51.100.9] <ann@a.example> -> <bob@b.example>,<c@b.example>",
        keys="quarantine: X/spam-X1.gz, Queue-ID: 4jYl, Message-ID: <m1@a.example>, mail_id: X1-_9, "
        "Hits: 12.5, size: 812",
        tail=", Tests: [BAYES_99=3.5,RDNS_NONE=0.8], dkim_sd=k1:a.example, 112 ms",
    )
    assert one(amavis, text) == {
        "operator_id": "lab",
        "source_id": "f1",
        "stream_id": "a",
        "offset": 0,
        "format_code": "amavis",
        "engine_code": "amavis",
        "verdict_at": dt.datetime(2026, 11, 24, 14, 16, 40, tzinfo=dt.UTC),
        "queue_id": "4jYl",
        "message_id": "m1@a.example",
        "sender": "ann@a.example",
        "recipients": ["bob@b.example", "c@b.example"],
        "client_ip": "2001:db8::7",
        "action": "Blocked SPAM",
        "is_spam": True,
        "score": 12.5,
        "required_score": None,
        "symbols": ["BAYES_99", "RDNS_NONE", "DKIM_VALID"],
        "digest": None,
        "fuzzy": None,
        "subject": None,
        "message_bytes": 812,
        "filter_us": 112_000,
    }


def test_a_message_with_two_fates_has_two_verdicts() -> None:
    blocked = line(
        head="Blocked SPAM {DiscardedInbound}", route="<a@a.example> -> <c@b.example>", tail=", 9 ms"
    )
    rows = read(amavis, [line(), blocked])
    assert [(row["action"], row["recipients"]) for row in rows] == [
        ("Passed CLEAN", ["bob@b.example"]),
        ("Blocked SPAM", ["c@b.example"]),
    ]


def broken(text: str, size: int) -> list[str]:
    """A line as Amavis breaks it for syslog."""
    prefix, rest = STAMP + "(00113-01) ", text.removeprefix(STAMP + "(00113-01) ")
    pieces = []
    while len(rest) > size:
        pieces.append(prefix + rest[: size - 3] + "...")
        rest = "..." + rest[size - 3 :]
    return [*pieces, prefix + rest]


@examples(30)
@given(count=st.integers(1, 60), size=st.integers(60, 400), cuts=st.lists(st.integers(0, 50), max_size=3))
def test_a_line_that_amavis_broke_is_whole_again(count: int, size: int, cuts: list[int]) -> None:
    recipients = [f"user{number}@b.example" for number in range(count)]
    text = line(route="[192.0.2.7]:9 <ann@a.example> -> " + ",".join(f"<{each}>" for each in recipients))
    lines = broken(text, size)
    other = [
        STAMP.replace("113", "114") + "(00114-01) Checking: ... -> <x@b.example>...",
        STAMP.replace("113", "114") + "(00114-01) ...,<y@b.example>",
    ]
    mixed = [*lines[:1], *other, *lines[1:]]
    row = one(amavis, *mixed)
    assert row | {"offset": 0} == one(amavis, text)
    assert row["recipients"] == recipients
    assert_closed(amavis, mixed, cuts, seed=2)


def test_pieces_of_a_broken_line_that_do_not_meet() -> None:
    text = line(route="<a@a.example> -> " + ",".join(f"<user{number}@b.example>" for number in range(40)))
    lines = broken(text, 300)
    assert len(lines) > 3
    assert read(amavis, lines[1:]) == []
    assert read(amavis, lines[:2]) == []
    # The same name is used again later: what is late belongs to no line from before.
    for at, count in (("14:16:50", 1), ("14:16:51", 0)):
        assert len(read(amavis, [lines[0], *(each.replace("14:16:40", at) for each in lines[1:])])) == count


def test_every_action_of_amavis_has_a_rule() -> None:
    rules = pl.read_csv(REFERENCE / "countermeasure_rule.csv", infer_schema=False)
    known = rules.filter(engine_code="amavis", match_on="action")["pattern"].to_list()
    said = {f"{fate} {category}" for fate in ("Passed", "Blocked") for category in _CATEGORIES.split("|")}
    # What Amavis has no category for, and a failure that lets a message pass, which does not happen.
    assert said - set(known) == {"Passed OTHER", "Blocked OTHER", "Passed TEMPFAIL"}
    assert set(known) <= said
