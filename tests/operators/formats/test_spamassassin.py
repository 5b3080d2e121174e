"""spamd's verdicts against what was sent through it, and against misleading lines."""

import datetime as dt
import re

import polars as pl
import pytest

from jobs.operators.formats.spamassassin import FORMAT as spamassassin
from tests.support.filter_logs import MAIL_LOGS, codes, lab, one, parse, placed, read, truth

STAMP = "Nov 24 14:16:37 mx1 spamd[60]: "


def result(**parts: str) -> str:
    given = {
        "flag": "Y",
        "score": "12",
        "tests": "BAYES_99,RDNS_NONE",
        "time": "0.7",
        "size": "895",
        "user": "filter",
        "mid": "<m1@shop.example>",
        "more": "",
    } | parts
    return (
        "spamd: result: {flag} {score} - {tests} scantime={time},size={size},user={user},uid=106,"
        "required_score=5.0,rhost=mx1.a.example,raddr=127.0.0.1,rport=36202,mid={mid}{more},autolearn=no"
    ).format(**given)


def score(exact: str = "12.5", size: str = "895", time: str = "0.7", words: str = "identified spam") -> str:
    return f"spamd: {words} ({exact}/5.0) for filter:106 in {time} seconds, {size} bytes."


@pytest.mark.parametrize("name", MAIL_LOGS)
def test_every_message_that_was_handed_over(name: str) -> None:
    found = {row["message_id"]: row for row in read(spamassassin, lab(f"postfix/{name}"))}
    accepted = {row["mid"]: row for row in truth("spamc-pipe") if row["swaks_exit"] == 0}
    assert (len(found), len(accepted)) == (21, 25)
    # Postfix held, discarded, redirected or refused these by rules of its own, before the content filter.
    never_seen = {"access quar", "access null", "access redir", "lottery winner"}
    # spamd writes a question mark for signs that a message-id cannot have.
    renamed = {mid.replace("@<>", "@?"): row for mid, row in accepted.items()}
    assert found.keys() == {mid for mid, row in renamed.items() if row["subject"] not in never_seen}
    for mid, row in found.items():
        assert row["is_spam"] == (row["action"] == "identified spam")
        assert row["is_spam"] or not renamed[mid]["gtube"] or row["score"] < row["required_score"]
        assert (row["score"] >= row["required_score"]) == row["is_spam"]
        assert ("GTUBE" in row["symbols"]) == ("WON" in renamed[mid]["subject"])
    assert sum(row["is_spam"] for row in found.values()) == 6


def test_every_line_of_spamds_own_file_beside_a_plain_reading() -> None:
    lines = lab("exim/spamd.log")
    last: dict[str, tuple[str, str]] = {}
    told = []
    for line in lines:
        pid = re.search(r"\[(\d+)\] info", line)
        assert pid
        if found := re.search(r"(identified spam|clean message) \((.*?)/", line):
            last[pid[1]] = (found[1], found[2])
        if found := re.search(r"result: .* mid=<(.*)>,|result: .*,mid=(?:<(.*)>|\(unknown\)),", line):
            told.append((*last.pop(pid[1]), found[1] or found[2]))
    rows = read(spamassassin, lines)
    assert len(rows) == sum("checking message" in line for line in lines) == 40
    assert [(row["action"], row["score"], row["message_id"]) for row in rows] == [
        (words, float(exact), mid) for words, exact, mid in told
    ]
    # The integer of the result line is never what is kept: most scores have a fraction.
    assert sum(row["score"] % 1 != 0 for row in rows) > 20


def test_a_file_without_messages() -> None:
    start = "Tue Nov 24 14:16:14 2026 [65] info: spamd: server started on IO::Socket::IP [127.0.0.1]:784"
    assert (
        codes(spamassassin, [start, "Tue Nov 24 14:16:14 2026 [65] info: prefork: child states: I"])
        == [("ignored", None)] * 2
    )


def test_all_fields() -> None:
    assert one(spamassassin, STAMP + score(), STAMP + result()) == {
        "operator_id": "lab",
        "source_id": "f1",
        "stream_id": "a",
        "offset": len(STAMP + score()) + 1,
        "format_code": "spamassassin",
        "engine_code": "spamassassin",
        "verdict_at": dt.datetime(2026, 11, 24, 14, 16, 37, tzinfo=dt.UTC),
        "queue_id": None,
        "message_id": "m1@shop.example",
        "sender": None,
        "recipients": None,
        "client_ip": None,
        "action": "identified spam",
        "is_spam": True,
        "score": 12.5,
        "required_score": 5.0,
        "symbols": ["BAYES_99", "RDNS_NONE"],
        "digest": None,
        "fuzzy": None,
        "subject": None,
        "message_bytes": 895,
        "filter_us": 700_000,
    }


def test_children_at_work_at_once() -> None:
    """Two children check messages of one size in one second; each result takes its own child's score."""
    other = STAMP.replace("60", "61")
    lines = [
        STAMP + score("12.5"),
        other + score("12.1"),
        other + result(mid="<b@x.example>"),
        STAMP + result(mid="<a@x.example>"),
        STAMP + score("12.9"),
        STAMP + result(mid="<c@x.example>"),
        # This result's score line was lost; that of another message is not taken for it.
        STAMP + result(mid="<d@x.example>", size="896"),
        STAMP + score("7.9"),
        STAMP + result(mid="<e@x.example>"),
    ]
    found = {row["message_id"]: row["score"] for row in read(spamassassin, lines)}
    assert found == {
        "a@x.example": 12.5,
        "b@x.example": 12.1,
        "c@x.example": 12.9,
        "d@x.example": 12.0,
        "e@x.example": 12.0,
    }


def test_a_log_rotated_between_the_two_lines() -> None:
    before = placed(parse(spamassassin, [STAMP + score("12.5")]), "old")
    after = placed(parse(spamassassin, [STAMP + result()]), "new")
    bronze = spamassassin.assemble(pl.concat([before, after]))
    assert spamassassin.verdicts(bronze).collect()["score"].to_list() == [12.5]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_scores_of_a_second_in_another_file_are_told_apart_by_their_duration(
    order: tuple[int, int],
) -> None:
    lines = [STAMP + score("12.5"), STAMP + score("12.9", time="0.8")]
    before = [placed(parse(spamassassin, [lines[place]], 100 * place), "old") for place in order]
    after = placed(parse(spamassassin, [STAMP + result()]), "new")
    bronze = spamassassin.assemble(pl.concat([*before, after]))
    assert spamassassin.verdicts(bronze).collect()["score"].to_list() == [12.5]


@pytest.mark.parametrize(("at", "exact"), [("14:16:27", 12.5), ("14:16:26", 12.0)])
def test_an_old_score_of_a_child_with_the_same_number_is_not_taken(at: str, exact: float) -> None:
    before = STAMP.replace("14:16:37", at)
    assert one(spamassassin, before + score("12.5"), STAMP + result())["score"] == exact
