"""Exim's logs: a real mainlog and rejectlog against eximstats, and lines that mislead a parser."""

import datetime as dt
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from jobs.operators.formats import LINES, TRANSMISSION, VERDICT, Source, exim, kannel, postfix
from jobs.operators.formats.registry import recognise_format
from jobs.operators.formats.rspamd import FORMAT as rspamd
from jobs.operators.silver.pipeline import count_once
from tests.support.examples import examples

LAB = Path(__file__).parents[3] / "sample_data" / "lab"
OTHERS = [*(LAB / "postfix").glob("*.log"), *(LAB / "kannel").glob("*.log")]
assert OTHERS
MAIN = (LAB / "exim" / "mainlog").read_text("utf-8").splitlines()
REJECT = (LAB / "exim" / "rejectlog").read_text("utf-8").splitlines()
STATS = (LAB / "exim" / "eximstats-default.txt").read_text("utf-8")
NEWEST = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
# 24 November 2026, 14:01:53 UTC.
ID = "1xVr5l-0000000001j-1Yd3"
OLD_ID = "1xVr5l-00000H-AB"
STAMP = "2026-11-24 14:01:53"


def parse(lines: list[str], stream: str = "main", start: int = 0, **kwargs: Any) -> pl.DataFrame:
    frame = pl.LazyFrame({"offset": range(start, start + len(lines)), "line": lines}, schema=LINES)
    return exim.parse(frame, Source("lab", "f", stream, NEWEST, **kwargs)).collect()


def placed(parsed: pl.DataFrame, stream: str = "main") -> pl.LazyFrame:
    return parsed.lazy().with_columns(
        operator_id=pl.lit("lab"), source_id=pl.lit("f"), stream_id=pl.lit(stream)
    )


def bronze(lines: list[str], stream: str = "main", **kwargs: Any) -> pl.DataFrame:
    parsed = parse(lines, stream, **kwargs)
    assert "quarantined" not in parsed["line_code"], parsed.filter(pl.col("reason_code").is_not_null()).rows()
    return exim.assemble(placed(parsed, stream)).collect()


def once(*rows: pl.DataFrame) -> pl.LazyFrame:
    """The rows of all files, each event once."""
    return count_once({"exim": pl.concat(rows)})[0]["exim"].lazy()


def counted(*rows: pl.DataFrame) -> list[dict[str, Any]]:
    found = exim.transmissions(exim.assemble(once(*rows))).collect()
    assert dict(found.schema) == TRANSMISSION
    return found.sort("first_at", "offset", "recipient", nulls_last=True).to_dicts()


def transmissions(*lines: str, **kwargs: Any) -> list[dict[str, Any]]:
    return counted(bronze(list(lines), **kwargs))


def one(*lines: str, **kwargs: Any) -> dict[str, Any]:
    rows = transmissions(*lines, **kwargs)
    assert len(rows) == 1, rows
    return rows[0]


def verdicts(*lines: str) -> list[dict[str, Any]]:
    found = exim.verdicts(bronze(list(lines)).lazy()).collect()
    assert dict(found.schema) == VERDICT
    return found.sort("offset").to_dicts()


def line(text: str, id: str = ID, at: str = STAMP) -> str:
    return f"{at} {id} {text}"


def arrival(text: str = "", sender: str = "shop@shop.example", **kwargs: str) -> str:
    host = "H=mx.shop.example (mail) [192.0.2.7]"
    return line(f"<= {sender} {text or host + ' P=esmtp S=812 id=m1@shop.example'}", **kwargs)


def told(row: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


def result(row: dict[str, Any]) -> tuple[Any, ...]:
    return told(row, "recipient", "stage_code", "outcome_code")


# --- the real log ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab() -> list[dict[str, Any]]:
    return counted(bronze(MAIN), bronze(REJECT, "reject"))


def grand_total(name: str, column: int) -> int:
    return int(re.search(rf"^  {name}\s+(.*)$", STATS, re.M).group(1).split()[column])


def test_every_line_is_accounted_for() -> None:
    codes = parse(MAIN)["line_code"].value_counts().sort("line_code").rows()
    assert codes == [("ignored", 24), ("record", 105)]
    codes = parse(REJECT, "reject")["line_code"].value_counts().sort("line_code").rows()
    # 14 refusals and 16 lines of envelopes; one `sender verify fail` line, that the refusal after it repeats,
    # and 60 lines of headers.
    assert codes == [("ignored", 61), ("record", 30)]


def test_counts_are_those_of_eximstats_but_for_what_it_counts_twice(lab: list[dict[str, Any]]) -> None:
    received = {row["queue"] for row in lab if row["outcome_code"] != "rejected" and row["queue"]}
    assert len(received) == grand_total("Received", 1) == 20
    # eximstats counts each `=>`: the two addresses of the alias sales as two, and the blackhole.
    outcomes = Counter(row["outcome_code"] for row in lab if row["grain_code"] == "recipient")
    assert grand_total("Delivered", 2) == outcomes["delivered"] + 1 + outcomes["discarded"] == 24
    assert [row["recipient"] for row in lab].count("sales@example.test") == 1
    # "Delayed" are messages with a deferred recipient, "Failed" those with a bounced one.
    assert outcomes["deferred"] == grand_total("Received", 3) == 4
    assert outcomes["bounced"] == grand_total("Received", 5) == 3
    rejected = [row for row in lab if row["outcome_code"] == "rejected"]
    later = [row for row in lab if row["outcome_code"] == "deferred" and row["stage_code"] != "delivery"]
    # What it counts beside ours: HELO and MAIL refused in one session as two, the blackhole as refused, and
    # as refused by us two tries that met `Connection refused` at the next server. Messages that it counts as
    # one had two recipients.
    messages = {row["queue"] or number for number, row in enumerate(rejected)}
    assert grand_total("Rejects", 0) == len(messages) + 1 + 1 + 2
    assert grand_total("Temp Rejects", 0) == len(later) == 1


def test_totals(lab: list[dict[str, Any]]) -> None:
    assert Counter(told(row, "grain_code", "stage_code", "outcome_code") for row in lab) == {
        ("recipient", "delivery", "delivered"): 22,
        ("recipient", "delivery", "deferred"): 4,
        ("recipient", "delivery", "bounced"): 3,
        ("recipient", "content", "rejected"): 10,
        ("recipient", "content", "discarded"): 1,
        ("attempt", "connect", "rejected"): 1,
        ("attempt", "envelope", "rejected"): 5,
        ("attempt", "envelope", "deferred"): 1,
    }
    assert Counter(row["entry_code"] for row in lab) == {"smtp": 44, "dsn": 3}


def test_the_rejectlog_adds_recipients_of_refused_messages(lab: list[dict[str, Any]]) -> None:
    def facts(rows: list[dict[str, Any]]) -> list[str]:
        return sorted(str(told(row, "queue", "recipient", "stage_code", "outcome_code")) for row in rows)

    alone = counted(bronze(MAIN))
    # Four GTUBEs had two recipients each, a keyword and a message too big one.
    named = [row for row in lab if row["stage_code"] == "content" and row["outcome_code"] == "rejected"]
    assert Counter(row["recipient"] for row in named) == {
        "alice@example.test": 6,
        "carol@example.test": 4,
    }
    queues = {row["queue"] for row in named}
    others = [row for row in lab if row["queue"] not in queues]
    assert facts(others) == facts([row for row in alone if row["queue"] not in queues])
    assert {row["queue"] for row in alone} == {row["queue"] for row in lab}
    # Nor is the mainlog needed: the refusals of the rejectlog alone are those of both.
    only = counted(bronze(REJECT, "reject"))
    refused = [row for row in lab if row["stage_code"] != "delivery" and row["outcome_code"] != "discarded"]
    assert sorted(map(str, map(result, only))) == sorted(map(str, map(result, refused)))


def test_no_header_of_the_rejectlog_is_kept() -> None:
    parsed = parse(REJECT, "reject")
    texts = str(parsed.select(pl.col(pl.String)).rows())
    for secret in ("You WON", "cheap viagra", "X-Spam-Score", "@good.example>"):
        assert secret not in texts
    # Wherever the file was cut.
    for start in range(0, len(REJECT), 3):
        assert "quarantined" not in parse(REJECT[start : start + 9], "reject")["line_code"]


def test_verdicts_of_the_lab(lab: list[dict[str, Any]]) -> None:
    found = verdicts(*MAIN)
    assert len(found) == 20
    by_queue = {row["queue_id"]: row for row in found}
    assert Counter(row["is_spam"] for row in found) == {True: 6, False: 14}
    assert {row["engine_code"] for row in found} == {"spamassassin"}
    # The ACL named an action that the server did not take: verdict and outcome are apart.
    passed = by_queue["1xVr5k-0000000001N-3Vdn"]
    assert told(passed, "score", "required_score", "action") == (5.1, 5.0, "reject")
    assert [row["outcome_code"] for row in lab if row["queue_id"] == passed["queue_id"]] == ["delivered"]
    # The null sender, and the one that logwrite writes in octal.
    assert by_queue["1xVr5l-0000000001V-0EdD"]["sender"] == ""
    assert by_queue["1xVr5l-0000000001f-17e0"]["sender"] == "почта@good.example"


def test_ids_are_clocks() -> None:
    assert exim.offset_from_ids("\n".join(MAIN).encode()) == dt.timedelta(0)
    assert exim.offset_from_ids(b"nothing") is None
    by_id = bronze(MAIN).filter(pl.col("event_code") == "arrival")
    from jobs.operators.formats.exim.times import id_seconds

    late = by_id.select(pl.col("first_at").dt.epoch("s") - id_seconds(pl.col("queue_id"))).to_series()
    assert len(late) == 20
    assert late.is_between(0, 1).all()


# --- arrivals -------------------------------------------------------------------------------------------


def test_all_fields_of_an_arrival() -> None:
    row = one(
        line(
            "<= shop@shop.example H=mx.shop.example (mail) [2001:db8::7]:57303 I=[192.0.2.1]:587 U=x Ci=200"
            ' P=esmtpsa X=TLS1.3:AES:256 CV=no DN="C=ZZ, O=A id=B" A=plain:ann:x@y L.- S=440 M8S=0 RT=0.001s'
            ' id=m1@shop.example T="Meeting for two id=x" from <shop@shop.example> for ann@a.example',
            at=STAMP + ".632 [200]",
        )
    )
    assert told(row, "client_name", "client_ip", "helo") == ("mx.shop.example", "2001:db8::7", "mail")
    assert told(row, "sender", "message_id", "message_bytes") == ("shop@shop.example", "m1@shop.example", 440)
    assert told(row, "is_authenticated", "account", "entry_code") == (True, "ann", "submission")
    assert row["subject"] == "Meeting for two id=x"
    assert row["first_at"] == dt.datetime(2026, 11, 24, 14, 1, 53, 632000, dt.UTC)


def test_a_quoted_sender() -> None:
    row = one(arrival("H=(h) [192.0.2.7] P=smtp S=1", sender='"a <= b H=[203.0.113.1]"@x.example'))
    assert told(row, "sender", "client_ip") == ('"a <= b H=[203.0.113.1]"@x.example', "192.0.2.7")


def test_the_octal_escapes_of_an_address() -> None:
    row = one(
        line("<= \\320\\277@x.example H=(h) [192.0.2.7] P=utf8esmtp S=1"),
        line("=> \\320\\260@a.example R=r T=t"),
    )
    assert told(row, "sender", "recipient") == ("п@x.example", "а@a.example")
    # Bytes that are no UTF-8, control characters and backslashes stay as they are.
    row = one(line(r"<= \377\001\\@x.example H=(h) [192.0.2.7] P=smtp S=1"))
    assert row["sender"] == r"\377\001\\@x.example"


# --- deliveries -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(
            ["=> ann <ann@a.example> F=<shop@shop.example> P=<shop@shop.example> R=l T=t S=491 QT=0.1s"],
            [("ann@a.example", "delivery", "delivered")],
            id="+all",
        ),
        pytest.param(
            [
                "=> x@b.example <fwd@a.example> R=r T=t H=mx [192.0.2.1]",
                "-> y@b.example <fwd@a.example> R=r T=t",
            ],
            [("fwd@a.example", "delivery", "delivered")],
            id="an alias counts once",
        ),
        pytest.param(
            ["=> ann <all@a.example> R=l T=t", "** bob <all@a.example>: Unrouteable address"],
            [("all@a.example", "delivery", "delivered")],
            id="one address of an alias failed",
        ),
        pytest.param(
            ["=> ann (list@a.example, sub@a.example) <top@a.example> R=l T=t"],
            [("top@a.example", "delivery", "delivered")],
            id="all parents",
        ),
        pytest.param(
            [">> ann@a.example R=r T=t H=mx [192.0.2.1]"],
            [("ann@a.example", "delivery", "delivered")],
            id="cutthrough",
        ),
        pytest.param(
            ["*> ann@a.example R=r T=t"], [("ann@a.example", "delivery", "discarded")], id="suppressed"
        ),
        pytest.param(
            ["=> :blackhole: <ann@a.example> R=aliases"],
            [("ann@a.example", "delivery", "discarded")],
            id="router's black hole",
        ),
        pytest.param(
            ["=> /dev/null <ann@a.example> R=aliases T=**bypassed**"],
            [("ann@a.example", "delivery", "discarded")],
            id="dev null",
        ),
        pytest.param(
            ["=> |/usr/bin/vacation -a ann <ann@a.example> R=aliases T=address_pipe"],
            [("ann@a.example", "delivery", "delivered")],
            id="pipe",
        ),
        pytest.param(
            [
                "== ann@a.example R=r T=t defer (111): Connection refused",
                "** ann@a.example: retry timeout exceeded",
            ],
            [("ann@a.example", "delivery", "expired")],
            id="retry timeout",
        ),
        pytest.param(
            ["** ann@a.example R=r T=t: all hosts for 'a.example' have been failing for a long time"],
            [("ann@a.example", "delivery", "expired")],
            id="hosts failed too long",
        ),
        pytest.param(
            ["== ann@a.example R=r T=t defer (0): x", "=> ann@a.example R=r T=t"],
            [("ann@a.example", "delivery", "delivered")],
            id="delivered at last",
        ),
        pytest.param(
            ["== ann@a.example routing defer (-51): retry time not reached"],
            [("ann@a.example", "delivery", "deferred")],
            id="not tried yet",
        ),
        pytest.param(
            ["H=mx [192.0.2.1]: SMTP error from remote mail server after x: 550 rejected RCPT <a@b>"],
            [(None, "delivery", "queued")],
            id="a remote server's words are no refusal of ours",
        ),
        pytest.param(
            ["=> blackhole (DATA ACL discarded recipients): lottery", "Completed"],
            [(None, "content", "discarded")],
            id="DATA ACL discarded",
        ),
        pytest.param(
            ["=> blackhole (RCPT ACL discarded recipients)", "Completed"], [], id="counted by its RCPT lines"
        ),
        pytest.param(
            ["no immediate delivery: frozen by DATA ACL"], [(None, "content", "quarantined")], id="frozen"
        ),
        pytest.param(["frozen by ACL"], [(None, "content", "quarantined")], id="frozen, in 4.96"),
        pytest.param(
            [
                "no immediate delivery: frozen by DATA ACL",
                "Unfrozen by errmsg timer",
                "=> ann@a.example R=r T=t",
            ],
            [("ann@a.example", "delivery", "delivered")],
            id="thawed",
        ),
        pytest.param(
            ["== ann@a.example R=r T=t defer (0): x", "cancelled by timeout_frozen_after"],
            [("ann@a.example", "delivery", "expired")],
            id="cancelled",
        ),
        pytest.param(
            ["no immediate delivery: load average 9.00"], [(None, "delivery", "queued")], id="waits"
        ),
        pytest.param(["Completed"], [], id="completed, its delivery elsewhere"),
    ],
)
@pytest.mark.parametrize("id", [ID, OLD_ID])
def test_a_delivery(lines: list[str], expected: list[tuple[Any, ...]], id: str) -> None:
    rows = transmissions(arrival(id=id), *(line(text, id=id) for text in lines))
    assert [result(row) for row in rows] == expected
    assert all(row["message_id"] == "m1@shop.example" for row in rows)
    assert all(row["is_partial"] == (row["recipient"] is None) for row in rows)


def test_recipients_that_wait() -> None:
    came = arrival("H=(h) [192.0.2.7] P=smtp S=1 id=m@x.example for Ann@a.example bob@a.example")
    done = line("=> ann <ann@a.example> R=l T=t")
    rows = transmissions(came, done)
    assert [result(row) for row in rows] == [
        ("ann@a.example", "delivery", "delivered"),
        ("bob@a.example", "delivery", "queued"),
    ]
    assert len(transmissions(came, done, line("Completed"))) == 1


def test_the_next_server_and_its_reply() -> None:
    row = one(
        arrival(),
        line(
            '=> ann@a.example R=r T=remote_smtp H=mx.b.example [192.0.2.9]:25 X=TLS:x DN="O=R=x" C="250 2.0.0'
            ' Ok: queued as 4Fx"'
        ),
    )
    assert told(row, "outbound_link", "reply_code", "dsn_code") == (
        "mx.b.example[192.0.2.9]:25",
        "250",
        "2.0.0",
    )
    assert told(row, "next_queue_id", "is_handoff") == ("4Fx", False)


@pytest.mark.parametrize(
    ("text", "is_handoff", "next_id"),
    [
        (
            '=> a@a.example R=r T=t H=127.0.0.1 [127.0.0.1] C="250 OK id=1xVr5l-0000000001v-2No4"',
            True,
            "1xVr5l-0000000001v-2No4",
        ),
        ('=> a@a.example R=r T=t H=localhost [::1]:10024 C="250 2.0.0 fine"', True, None),
        ('=> a@a.example R=r T=lmtp H=localhost [127.0.0.1]:24 C="250 2.0.0 saved"', False, None),
        ("=> a@a.example R=scan T=spamcheck", True, None),
        ("=> a <a@a.example> R=l T=local_delivery", False, None),
    ],
)
def test_a_filter_is_no_mailbox(text: str, is_handoff: bool, next_id: str | None) -> None:
    row = one(arrival(), line(text))
    assert told(row, "is_handoff", "next_queue_id") == (is_handoff, next_id)


@pytest.mark.parametrize(
    ("text", "link", "reply"),
    [
        pytest.param(
            "** a@a.example R=r T=t H=mx [192.0.2.1]:25: SMTP error from remote mail server after RCPT"
            " TO:<a@b>: 550 5.7.1 No",
            "mx[192.0.2.1]:25",
            ("550", "5.7.1"),
            id="new",
        ),
        pytest.param(
            "** a@a.example R=r T=t: SMTP error from remote mailer after RCPT TO:<a@b>: host mx [192.0.2.1]:"
            " 550 No",
            "mx[192.0.2.1]",
            ("550", None),
            id="old",
        ),
        pytest.param("** a@a.example: Unrouteable address", None, (None, None), id="not routed"),
    ],
)
def test_a_bounce(text: str, link: str | None, reply: tuple[str | None, ...]) -> None:
    row = one(arrival(), line(text))
    assert result(row) == ("a@a.example", "delivery", "bounced")
    assert row["outbound_link"] == link
    assert told(row, "reply_code", "dsn_code") == reply


def test_tries_are_counted_where_one_was_made() -> None:
    tries = [
        line(
            "== a@a.example R=r T=t defer (-44) H=mx [192.0.2.1]: 451 4.7.1 greylisted",
            at="2026-11-24 14:02:00",
        ),
        line(
            "== a@a.example R=r T=t defer (-53): retry time not reached for any host",
            at="2026-11-24 14:05:00",
        ),
        line(
            "== a@a.example R=r T=t defer (-44) H=mx [192.0.2.1]: 451 4.7.1 greylisted",
            at="2026-11-24 14:22:00",
        ),
        line(
            "== a@a.example R=r T=t defer (-53): retry time not reached for any host",
            at="2026-11-24 14:25:00",
        ),
    ]
    row = one(arrival(), *tries)
    assert told(row, "try_count", "outcome_code", "reply_code", "dsn_code") == (2, "deferred", "451", "4.7.1")


# --- refusals -------------------------------------------------------------------------------------------

HOST = "H=(h) [192.0.2.7]"


def test_a_refused_attempt_is_of_no_queue_file_and_quoted() -> None:
    text = f"{HOST} F=<s@x.example> rejected RCPT <a@a.example>: no"
    assert told(one(f"{STAMP} {text}"), "grain_code", "queue", "log_text") == ("attempt", None, text)


def test_a_recipient_that_the_acl_discarded() -> None:
    row = one(f"{STAMP} {HOST} F=<s@x.example> RCPT <a@a.example>: discarded by RCPT ACL: trap")
    assert told(row, "grain_code", "stage_code", "outcome_code") == ("recipient", "envelope", "discarded")
    assert told(row, "recipient", "sender") == ("a@a.example", "s@x.example")


@pytest.mark.parametrize(
    "text",
    [
        f"{HOST} F=<s@x.example> rejected after DATA: spam",
        f"{HOST} F=<s@x.example> rejected during MIME ACL checks: bad name",
        f"F=s@x.example {HOST} P=smtp rejected by local_scan(): Rejected: hits=7.5 required=5.0",
        f"rejected from <s@x.example> {HOST}: message too big: read=3 max=2",
    ],
)
def test_a_message_that_is_refused_for_its_content(text: str) -> None:
    row = one(line(text))
    assert told(row, "grain_code", "stage_code", "outcome_code") == ("recipient", "content", "rejected")
    assert told(row, "sender", "client_ip", "is_partial", "recipient") == (
        "s@x.example",
        "192.0.2.7",
        True,
        None,
    )
    assert row["queue_id"] == ID


def rcpt(
    recipient: str = "a@a.example", at: str = "14:00:00", pid: str = "", sender: str = "s@x.example"
) -> str:
    return f"2026-11-24 {at} {pid and f'[{pid}] '}{HOST} F=<{sender}> rejected RCPT <{recipient}>: no"


def test_refusals_of_one_session_by_its_process() -> None:
    lines = [
        f"2026-11-24 14:00:00 [7] {HOST} rejected EHLO or HELO x: bad",
        rcpt(pid="7"),
        rcpt(pid="7", at="14:00:20"),
        rcpt("b@a.example", pid="7", at="14:00:30"),
        rcpt("b@a.example", pid="7", at="14:00:30", sender="t@x.example"),
        rcpt(pid="8", at="14:00:30"),
        rcpt(pid="7", at="14:20:00"),
    ]
    rows = transmissions(*lines)
    assert len(rows) == 5
    assert Counter(row["recipient"] for row in rows) == {"a@a.example": 3, "b@a.example": 2}
    assert sorted(row["try_count"] for row in rows) == [1, 1, 1, 1, 2]
    assert len({row["session"] for row in rows}) == 3


def test_a_process_is_of_one_session_until_five_minutes_of_silence_have_passed() -> None:
    first = rcpt(pid="7")
    assert [row["try_count"] for row in transmissions(first, rcpt(pid="7", at="14:05:00"))] == [2]
    assert [row["try_count"] for row in transmissions(first, rcpt(pid="7", at="14:05:01"))] == [1, 1]


def test_refusals_of_one_client_where_nothing_tells_sessions_apart() -> None:
    helo = f"2026-11-24 14:00:00 {HOST} rejected EHLO or HELO x: bad"
    # EHLO and HELO refused, then a recipient: one attempt. The same recipient again: another.
    assert len(transmissions(helo, helo, rcpt(at="14:00:01"))) == 1
    assert len(transmissions(rcpt(), rcpt())) == 2
    assert len(transmissions(helo, helo.replace("14:00:00", "14:00:05"))) == 1
    assert len(transmissions(helo, helo.replace("14:00:00", "14:00:06"))) == 2
    # After MAIL, a HELO begins another session.
    mail = f"2026-11-24 14:00:01 {HOST} rejected MAIL <s@x.example>: no"
    assert len(transmissions(helo, mail)) == 1
    assert len(transmissions(mail.replace("14:00:01", "14:00:00"), helo.replace("14:00:00", "14:00:01"))) == 2
    protection = '2026-11-24 14:00:00 H=[192.0.2.7] rejected connection in "connect" ACL: no'
    assert len(transmissions(protection, protection, protection)) == 3


def test_an_event_counts_as_often_as_the_log_that_has_it_most_often() -> None:
    main, reject = bronze([rcpt(), rcpt(), rcpt("b@a.example")]), bronze([rcpt(), rcpt()], "reject")
    assert len(counted(main, reject)) == 3
    assert len(counted(reject, main, bronze([rcpt(), rcpt()], "syslog"))) == 3
    # Two servers may refuse the same at the same second.
    other = bronze([rcpt()], "other", options={"host": "mx2"})
    assert len(counted(main, reject, other)) == 4


# --- stamps ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stamp", "zone", "utc"),
    [
        ("2026-11-24 14:01:53", "UTC", "14:01:53"),
        ("2026-11-24 15:01:53.632", "Europe/Zurich", "14:01:53.632"),
        ("2026-11-24 19:46:53 +0545", "UTC", "14:01:53"),
        ("2026-11-24 10:31:53.5 -0330 [77]", "Asia/Kathmandu", "14:01:53.5"),
        ("2026-11-24 14:01:53 [77]", "UTC", "14:01:53"),
    ],
)
def test_a_stamp(stamp: str, zone: str, utc: str) -> None:
    row = one(f"{stamp} {HOST} F=<> rejected RCPT <a@a.example>: no", time_zone=zone)
    assert row["first_at"] == dt.datetime.fromisoformat(
        f"2026-11-24T{utc.ljust(9, '.').ljust(15, '0')}+00:00"
    )


@pytest.mark.parametrize(
    ("zone", "wall"), [("UTC", "19:46:53"), ("America/St_Johns", "14:01:53"), ("Europe/Zurich", "14:01:53")]
)
def test_the_id_is_believed_where_the_zone_contradicts_it(zone: str, wall: str) -> None:
    """The server's clock is not in the zone that the settings name; its ids are in UTC all the same."""
    lines = [
        arrival(at=f"2026-11-24 {wall}"),
        line("SA: score=9.0 required=5.0 action=x (scanned from=<> ip=192.0.2.7)", at=f"2026-11-24 {wall}"),
        line("== a@a.example R=r T=t defer (0): x", at=f"2026-11-24 {wall}"),
        line("=> a@a.example R=r T=t", at=f"2026-11-26 {wall}"),
    ]
    row = one(*lines, time_zone=zone)
    assert row["first_at"] == dt.datetime(2026, 11, 24, 14, 1, 53, tzinfo=dt.UTC)
    assert row["last_at"] == dt.datetime(2026, 11, 26, 14, 1, 53, tzinfo=dt.UTC)
    said = exim.verdicts(bronze(lines, time_zone=zone).lazy()).collect()
    assert said["verdict_at"].to_list() == [row["first_at"]]
    wall_offset = exim.offset_from_ids("\n".join(lines).encode())
    assert wall_offset == (dt.timedelta(hours=5, minutes=45) if wall == "19:46:53" else dt.timedelta(0))


@pytest.mark.parametrize(
    ("logged", "first_at"),
    [
        ("24 13:58:52", "24 14:13:52"),
        ("24 13:58:53", "24 13:58:53"),
        # A slow message.
        ("24 14:28:52", "24 14:28:52"),
        ("24 14:28:53", "24 13:58:53"),
        ("25 16:13:52", "24 14:13:52"),
        ("25 16:13:53", "25 16:13:53"),
    ],
)
def test_how_far_a_line_may_be_from_its_id(logged: str, first_at: str) -> None:
    """A line is 3 minutes before its id to 27 after it; ids that are further away than 26 hours are none of
    Exim's."""
    row = one(arrival(at=f"2026-11-{logged}"))
    assert row["first_at"] == dt.datetime.fromisoformat(f"2026-11-{first_at}Z")


def test_a_foreign_id_moves_nothing() -> None:
    foreign = arrival(id="zzzzzz-0000000001j-1Yd3")
    assert one(foreign)["first_at"] == dt.datetime(2026, 11, 24, 14, 1, 53, tzinfo=dt.UTC)


@pytest.mark.parametrize("stamp", ["2026-03-29 02:30:00", "2026-10-25 02:30:00"])
def test_clocks_that_change(stamp: str) -> None:
    row = one(f"{stamp} {HOST} F=<> rejected RCPT <a@a.example>: no", time_zone="Europe/Zurich")
    assert row["first_at"].strftime("%H:%M") == ("01:30" if "03-29" in stamp else "00:30")


@pytest.mark.parametrize(
    "head",
    [
        "Nov 24 14:01:53 mx1 exim[77]: 2026-11-24 14:01:53 ",
        "Nov 24 14:01:53 mx1 exim[77]: ",
        "2026-11-24T14:01:53.000000+00:00 mx1 exim4[77]: ",
        "<22>1 2026-11-24T14:01:53Z mx1 exim 77 - - ",
        "<22>Nov 24 14:01:53 mx1 exim[77]: [1/2] 2026-11-24 14:01:53 ",
    ],
)
def test_lines_by_syslog(head: str) -> None:
    row = one(
        head + ID + " <= shop@shop.example H=(h) [192.0.2.7] P=esmtp S=1",
        head + ID + " => a@a.example R=r T=t",
    )
    assert told(row, "queue", "outcome_code") == (f"mx1|{ID}", "delivered")
    assert row["first_at"] == dt.datetime(2026, 11, 24, 14, 1, 53, tzinfo=dt.UTC)
    refused = head + f"{HOST} F=<> rejected RCPT <a@a.example>: no"
    # Syslog gets what goes to both logs twice; the process is the same.
    assert one(refused, refused)["session"].startswith("mx1|192.0.2.7|77|")


def test_the_rest_of_a_long_record_and_other_programs() -> None:
    lines = [
        r"Nov 24 14:01:53 mx1 exim[77]: [2\11] Envelope-from: <a@a.example>",
        "Nov 24 14:01:53 mx1 dovecot: imap(ann): Logged out",
        "Nov 24 14:01:53 mx1 postfix/smtpd[1]: connect from x[192.0.2.1]",
    ]
    parsed = parse(lines)
    assert parsed["line_code"].to_list() == ["ignored", "ignored", "quarantined"]
    assert parsed["reason_code"].to_list() == [None, None, "unknown_shape"]


# --- SA-Exim --------------------------------------------------------------------------------------------

SCANNED = "(scanned in 6/7 secs | Message-Id: a_b@x.example)."


def sa(action: str, score: str = "score=8.2 required=5.0", who: str = "host=NULL [192.0.2.7]") -> str:
    return line(
        f"SA: Action: {action}: {score} {SCANNED} From <s@x.example> ({who}) for ann@a.example, b@a.example"
    )


@pytest.mark.parametrize("cuts", [[], [2], [1, 2, 3]])
def test_a_verdict_that_stands_twice_counts_once_however_the_log_is_cut(cuts: list[int]) -> None:
    lines = [arrival(sender="s@x.example"), *[sa("flagged as Spam but accepted")] * 2, line("Completed")]
    bounds = [0, *cuts, len(lines)]
    parts = [
        exim.assemble(placed(parse(lines[start:end]).with_columns(pl.col("offset") + start))).collect()
        for start, end in zip(bounds, bounds[1:], strict=False)
    ]
    assert exim.verdicts(pl.concat(parts).lazy()).collect().height == 1
    # Another verdict is another.
    assert len(verdicts(*lines, sa("flagged as Spam but accepted", "score=9.9 required=5.0"))) == 2


def test_marked_and_let_through() -> None:
    lines = [
        sa("flagged as Spam but accepted"),
        arrival(sender="s@x.example"),
        line("=> ann <ann@a.example> R=l T=t"),
    ]
    row = transmissions(*lines)[0]
    assert result(row) == ("ann@a.example", "content", "tagged")
    (said,) = verdicts(*lines)
    assert said | {"stream_id": "", "source_id": ""} == {
        "operator_id": "lab",
        "source_id": "",
        "stream_id": "",
        "offset": 0,
        "format_code": "exim",
        "engine_code": "spamassassin",
        "verdict_at": dt.datetime(2026, 11, 24, 14, 1, 53, tzinfo=dt.UTC),
        "queue_id": ID,
        "message_id": None,
        "sender": "s@x.example",
        "recipients": ["ann@a.example", "b@a.example"],
        "client_ip": "192.0.2.7",
        "action": "flagged as Spam but accepted",
        "is_spam": True,
        "score": 8.2,
        "required_score": 5.0,
        "symbols": [],
        "digest": None,
        "fuzzy": None,
        "subject": None,
        "message_bytes": None,
        "filter_us": 6_000_000,
    }


def test_refused_and_tossed_by_sa_exim() -> None:
    refused = [
        sa("permanently rejected message", "score=31.0 required=5.0 trigger=12.0"),
        line("F=<s@x.example> H=(h) [192.0.2.7] P=smtp rejected by local_scan(): Rejected"),
    ]
    named = ["ann@a.example", "b@a.example"]
    rows = transmissions(*refused)
    assert [result(row) for row in rows] == [(name, "content", "rejected") for name in named]
    assert not any(row["is_partial"] for row in rows)
    # SA-Exim writes its line to both logs.
    both = once(bronze(refused), bronze(refused, "reject"))
    assert exim.verdicts(both).collect().height == 1
    tossed = [
        sa("silently tossed message", "score=31.0 required=5.0 trigger=30.0", "local"),
        arrival(sender="s@x.example"),
        line("=> blackhole (local_scan() discarded recipients)"),
        line("Completed"),
    ]
    assert [result(row) for row in transmissions(*tossed)] == [
        (name, "content", "discarded") for name in named
    ]
    (ham,) = verdicts(sa("scanned but message isn't spam", "score=-1.2 required=5.0"))
    assert told(ham, "is_spam", "score") == (False, -1.2)
    # A scan that did not end says nothing.
    assert (
        verdicts(line(f"SA: Action: spamd took more than 9 secs to run, accepting message {SCANNED}")) == []
    )


# --- what every kernel must hold ------------------------------------------------------------------------


def test_it_knows_its_own_logs() -> None:
    for name in ("mainlog", "rejectlog"):
        data = (LAB / "exim" / name).read_bytes()
        assert recognise_format(data) == ("exim", pytest.approx(exim.sniff(data)))
        assert exim.sniff(data) > 0.9
        assert all(module.sniff(data) < 0.5 for module in (kannel, postfix, rspamd))
    assert exim.sniff(b"") == 0
    assert exim.sniff(b"2026-11-24 14:01:49 status installed libc6:amd64 2.41-12\n" * 9) == 0
    for other in OTHERS:
        assert exim.sniff(other.read_bytes()) == 0


def test_another_programs_log_is_quarantined() -> None:
    for other in OTHERS:
        parsed = parse(other.read_text("utf-8").splitlines())
        assert "record" not in parsed["line_code"]
        assert (parsed["line_code"] == "quarantined").sum() > parsed.height / 2


@pytest.mark.long
def test_a_line_of_ten_megabytes() -> None:
    for text in (line("<= " + "x" * 10_000_000), line("<= a@b " + "H=(" * 3_000_000), "y" * 10_000_000):
        assert parse([text]).height == 1


@pytest.mark.long
@examples(25)
@given(st.lists(st.integers(0, 200), max_size=8), st.randoms(use_true_random=False))
def test_any_cut_gives_the_same(cuts: list[int], chance: random.Random) -> None:
    wanted = exim.transmissions(
        exim.assemble(pl.concat([bronze(MAIN), bronze(REJECT, "reject")]).lazy())
    ).collect()
    pieces = []
    for stream, lines in (("main", MAIN), ("reject", REJECT)):
        bounds = sorted({0, len(lines), *(cut for cut in cuts if cut < len(lines))})
        for start, end in zip(bounds, bounds[1:], strict=False):
            part = parse(lines[start:end], stream, start)
            pieces.append(exim.assemble(placed(part, stream)).collect())
    # A piece may come twice.
    pieces += chance.sample(pieces, min(2, len(pieces)))
    chance.shuffle(pieces)
    half = len(pieces) // 2
    halves = [exim.assemble(pl.concat(some).lazy()).collect() for some in (pieces[:half], pieces[half:])]
    joined = exim.assemble(pl.concat(halves).lazy()).collect()
    assert_frame_equal(exim.transmissions(joined.lazy()).collect(), wanted, check_row_order=False)
    assert exim.verdicts(joined.lazy()).collect().height == 20
