"""Sendmail's log: lines of every documented form, each trap with what must come of it."""

import datetime as dt
import random
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from jobs.operators.formats import LINES, TRANSMISSION, Source, exim, kannel, postfix, sendmail
from jobs.operators.formats.registry import recognise_format
from jobs.operators.formats.rspamd import FORMAT as rspamd
from tests.support.examples import examples
from tests.support.samples.sendmail import LOG, RELAY, Q, R, came, line, rcpt, went

LAB = Path(__file__).parents[3] / "sample_data" / "lab"
OTHERS = [*(LAB / "postfix").glob("*.log"), *(LAB / "kannel").glob("*.log"), *(LAB / "exim").glob("*log")]
assert OTHERS
NEWEST = dt.datetime(2026, 11, 30, tzinfo=dt.UTC)


def parse(lines: list[str], **kwargs: Any) -> pl.DataFrame:
    frame = pl.LazyFrame({"offset": range(len(lines)), "line": lines}, schema=LINES)
    return sendmail.parse(frame, Source("lab", "f", "a", NEWEST, **kwargs)).collect()


def placed(parsed: pl.DataFrame) -> pl.LazyFrame:
    return parsed.lazy().with_columns(operator_id=pl.lit("lab"), source_id=pl.lit("f"), stream_id=pl.lit("a"))


def bronze(lines: list[str], **kwargs: Any) -> pl.DataFrame:
    parsed = parse(lines, **kwargs)
    assert "quarantined" not in parsed["line_code"], parsed.filter(pl.col("reason_code").is_not_null()).rows()
    return sendmail.assemble(placed(parsed)).collect()


def transmissions(*lines: str, **kwargs: Any) -> list[dict[str, Any]]:
    found = sendmail.transmissions(bronze(list(lines), **kwargs).lazy()).collect()
    assert dict(found.schema) == TRANSMISSION
    return found.sort("offset", "recipient", nulls_last=True).to_dicts()


def one(*lines: str, **kwargs: Any) -> dict[str, Any]:
    rows = transmissions(*lines, **kwargs)
    assert len(rows) == 1, rows
    return rows[0]


def told(row: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


def result(row: dict[str, Any]) -> tuple[Any, ...]:
    return told(row, "recipient", "stage_code", "outcome_code")


# --- messages -------------------------------------------------------------------------------------------


def test_all_fields_of_a_message() -> None:
    row = one(came(), went(stat="Sent (Ok: queued as 4Fx, thanks)"))
    assert row | {"offset": 0} == dict.fromkeys(TRANSMISSION) | {
        "operator_id": "lab",
        "source_id": "f",
        "stream_id": "a",
        "offset": 0,
        "format_code": "sendmail",
        "channel_code": "EMAIL",
        "grain_code": "recipient",
        "entry_code": "smtp",
        "queue": f"mx1|{Q}",
        "queue_id": Q,
        "next_queue_id": "4Fx",
        "is_handoff": False,
        "message_id": "m1@shop.example",
        "sender": "shop@shop.example",
        "recipient": "ann@a.example",
        "client_ip": "192.0.2.7",
        "client_name": "mx.shop.example",
        "is_authenticated": False,
        "outbound_link": "mx.a.example[198.51.100.5]",
        "first_at": dt.datetime(2026, 11, 24, 14, 1, 53, tzinfo=dt.UTC),
        "last_at": dt.datetime(2026, 11, 24, 14, 1, 53, tzinfo=dt.UTC),
        "stage_code": "delivery",
        "outcome_code": "delivered",
        "dsn_code": "2.0.0",
        "reply_text": "Sent (Ok: queued as 4Fx, thanks)",
        "message_bytes": 812,
        "try_count": 1,
        "recipient_count": 1,
        "is_partial": False,
    }


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([came()], [(None, "delivery", "queued")], id="not tried yet"),
        pytest.param(
            [came(count=3), went('<a@a.example>,<b@a.example>,<"c,d"@a.example>')],
            [(name, "delivery", "delivered") for name in ('"c,d"@a.example', "a@a.example", "b@a.example")],
            id="many in one line, a comma in one",
        ),
        pytest.param(
            [came(), went(stat="Deferred: 451 4.7.1 Greylisted, please wait", dsn="4.7.1"), went()],
            [("ann@a.example", "delivery", "delivered")],
            id="tried again",
        ),
        pytest.param(
            [
                came(),
                went(
                    stat="Deferred: Connection refused by mx.a.example.", dsn="4.0.0", relay="mx.a.example."
                ),
            ],
            [("ann@a.example", "delivery", "deferred")],
            id="deferred",
        ),
        pytest.param(
            [came(), went(stat="User unknown", dsn="5.1.1"), line(f"{R}: DSN: User unknown")],
            [("ann@a.example", "delivery", "bounced")],
            id="bounced, the DSN not sent yet",
        ),
        pytest.param(
            [
                came(),
                went(stat="Deferred: timed out", dsn="4.0.0"),
                line(
                    "xATE1rmz030000: sender notify: Cannot send message for 5 days",
                    at="Nov 29 14:02:00",
                    pid=30000,
                ),
            ],
            [("ann@a.example", "delivery", "expired")],
            id="given up",
        ),
        pytest.param(
            [
                came(),
                went(stat="Deferred: timed out", dsn="4.0.0"),
                line(f"{R}: sender notify: Warning: could not send message for past 4 hours"),
            ],
            [("ann@a.example", "delivery", "deferred")],
            id="only a warning",
        ),
        pytest.param(
            [
                came(),
                went('"|/usr/bin/filter -a, -b"', owner="<all@a.example> (8/0)", mailer="prog"),
                went("ann@b.example", "User unknown", "5.1.1", owner="<all@a.example> (8/0)"),
            ],
            [("all@a.example", "delivery", "delivered")],
            id="an alias counts once",
        ),
        pytest.param(
            [
                came("ann", count=2, relay="ann@localhost"),
                went("x@b.example", owner="ann (1000/1000)"),
                went("y@b.example", owner="ann (1000/1000)"),
            ],
            [("x@b.example", "delivery", "delivered"), ("y@b.example", "delivery", "delivered")],
            id="the user whose program sent it is no alias",
        ),
        pytest.param(
            [came(), went("/dev/null", owner="<ann@a.example> (8/0)", mailer="*file*")],
            [("ann@a.example", "delivery", "discarded")],
            id="dev null",
        ),
        pytest.param(
            [came(count=2), went()], [("ann@a.example", "delivery", "delivered")], id="one of two, so far"
        ),
        pytest.param(
            [came(), went(stat="quarantined", dsn="")],
            [("ann@a.example", "delivery", "quarantined")],
            id="held",
        ),
        pytest.param(
            [came(), line("milter=x, quarantine=phish"), went(stat="quarantined", dsn="")],
            [("ann@a.example", "content", "quarantined")],
            id="held by a milter",
        ),
        pytest.param(
            [
                came(count=2),
                line("Milter: data, reject=550 5.7.1 Blocked, see x"),
                went("<a@a>,<b@a>", "Blocked", ""),
            ],
            [("a@a", "content", "rejected"), ("b@a", "content", "rejected")],
            id="refused by a milter, whatever stat= says",
        ),
        pytest.param(
            [
                came(),
                line("Milter: data, reject=451 4.7.1 Try again later"),
                went(stat="Please try again later", dsn=""),
            ],
            [("ann@a.example", "content", "deferred")],
            id="put off by a milter",
        ),
        pytest.param(
            [came(), line("Milter (x): data, discard"), line("discarded")],
            [(None, "content", "discarded")],
            id="discarded by a milter",
        ),
        pytest.param(
            [line(f"ruleset=check_mail, arg1=<shop@shop.example>, relay={RELAY}, discard"), came()],
            [(None, "envelope", "discarded")],
            id="discarded by the access map",
        ),
        pytest.param(
            [came(), line(f"ruleset=check_eom, arg1=x, relay={RELAY}, reject=554 5.7.1 no, no")],
            [(None, "content", "rejected")],
            id="refused by a ruleset after DATA",
        ),
        pytest.param(
            [
                came(),
                went(),
                line("STARTTLS=client, relay=mx.a.example., version=TLSv1.3, verify=OK", id=None),
            ],
            [("ann@a.example", "delivery", "delivered")],
            id="TLS line",
        ),
    ],
)
def test_a_message(lines: list[str], expected: list[tuple[Any, ...]]) -> None:
    rows = transmissions(*lines)
    assert [result(row) for row in rows] == expected
    assert {row["sender"] for row in rows} <= {"shop@shop.example", "ann"}
    many = "nrcpts=2" in "".join(lines) and len(rows) == 1
    assert all(row["is_partial"] == (row["recipient"] is None or many) for row in rows)


@pytest.mark.parametrize(
    ("relay", "name", "ip"),
    [
        ("mx.shop.example [192.0.2.7]", "mx.shop.example", "192.0.2.7"),
        ("mx.shop.example [192.0.2.7] (may be forged)", None, "192.0.2.7"),
        ("[192.0.2.7]", None, "192.0.2.7"),
        ("[IPv6:2001:db8::7]", None, "2001:db8::7"),
        ("mx.shop.example [IPv6:2001:db8::7]", "mx.shop.example", "2001:db8::7"),
        ("ann@localhost", None, None),
    ],
)
def test_the_client(relay: str, name: str | None, ip: str | None) -> None:
    row = one(came(relay=relay))
    assert told(row, "client_name", "client_ip") == (name, ip)
    assert row["entry_code"] == ("smtp" if ip else "pickup")


@pytest.mark.parametrize(
    ("msgid", "found"),
    [
        (", msgid=<a@b>, proto=ESMTP", "a@b"),
        (", msgid=<x, relay=evil [203.0.113.1], proto=SMTP>, bodytype=8BITMIME, proto=ESMTP", None),
        (
            ", msgid=<x@y>, proto=ESMTP, daemon=MTA, tls_verify=NO, tls_version=TLSv1.3, cipher=X, auth=NONE",
            "x@y",
        ),
        ("", None),
    ],
)
def test_a_message_id(msgid: str, found: str | None) -> None:
    row = one(line(f"from=<s@x.example>, size=9, class=0, pri=30009, nrcpts=1{msgid}, relay={RELAY}"))
    assert row["client_ip"] == "192.0.2.7"
    if found or not msgid:
        assert row["message_id"] == found


@pytest.mark.parametrize("pid", [27713, 99])
def test_a_login_belongs_to_what_its_process_brought(pid: int) -> None:
    login = line(
        f"AUTH=server, relay={RELAY}, authid=ann, mech=PLAIN, bits=0", id=None, pid=pid, at="Nov 24 14:01:50"
    )
    row = one(login, came(), went())
    mine = pid == 27713
    assert told(row, "is_authenticated", "account") == (mine, "ann" if mine else None)
    assert row["entry_code"] == ("submission" if mine else "smtp")


@pytest.mark.parametrize(("at", "account"), [("13:01:53", "ann"), ("13:01:52", None)])
def test_a_login_is_forgotten_after_an_hour(at: str, account: str | None) -> None:
    text = f"AUTH=server, relay={RELAY}, authid=ann, mech=PLAIN, bits=0"
    assert one(line(text, id=None, at=f"Nov 24 {at}"), came(), went())["account"] == account


def test_a_submission_without_a_login_line() -> None:
    assert one(came().replace("proto=ESMTP", "proto=ESMTPSA"))["entry_code"] == "submission"
    assert one(came(more=", auth=LOGIN"))["is_authenticated"] is True
    assert one(came(more=", auth=NONE"))["is_authenticated"] is False
    assert one(came().replace("daemon=MTA", "daemon=MSA"))["entry_code"] == "submission"


@pytest.mark.parametrize("process", [27713, 30000])
def test_a_dsn_is_told_by_the_notice(process: int) -> None:
    """A DSN has no from= line, and may be made by another process than the message that it is about."""
    dsn = f"xAOE1rmz{process:06d}"
    rows = transmissions(
        came(),
        went(stat="User unknown", dsn="5.1.1"),
        line(f"{dsn}: DSN: User unknown", pid=process),
        went("<shop@shop.example>", id=dsn),
    )
    by_id = {row["queue_id"]: row for row in rows}
    assert told(by_id[dsn], "entry_code", "sender", "outcome_code") == ("dsn", "", "delivered")
    assert told(by_id[Q], "entry_code", "outcome_code") == ("smtp", "bounced")


def test_a_message_whose_beginning_is_not_in_the_log() -> None:
    assert told(one(went()), "entry_code", "sender", "outcome_code") == (None, None, "delivered")


def test_the_submission_program_hands_on_to_the_server() -> None:
    handed = went(
        "x@b.example", f"Sent ({R} Message accepted for delivery)", owner="ann (1000/1000)", mailer="relay",
        relay="[127.0.0.1] [127.0.0.1]", tag="sendmail",
    )  # fmt: skip
    row = one(came("ann", relay="ann@localhost", tag="sendmail"), handed)
    assert told(row, "is_handoff", "next_queue_id", "entry_code") == (True, R, "pickup")


def test_an_id_that_is_used_again() -> None:
    first = [came(), went()]
    again = [
        line(
            f"ruleset=check_rcpt, arg1=<no@a.example>, relay={RELAY}, reject=550 5.7.1 no",
            at="Nov 24 14:05:00",
        ),
        came("<other@shop.example>", at="Nov 24 14:05:01"),
        went("<bob@a.example>", at="Nov 24 14:05:02"),
    ]
    rows = transmissions(*first, *again)
    assert [told(row, "sender", "recipient", "outcome_code") for row in rows] == [
        ("shop@shop.example", "ann@a.example", "delivered"),
        ("other@shop.example", "no@a.example", "rejected"),
        ("other@shop.example", "bob@a.example", "delivered"),
    ]


# --- refusals -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "ruleset=check_rcpt, arg1=<a@a.example>, relay=x.example [192.0.2.7] (may be forged), reject=550"
            " 5.7.1 <a@a.example>... Relaying denied, sorry. IP name possibly forged [192.0.2.7]",
            ("a@a.example", None, "envelope", "rejected", "550", "5.7.1", None),
            id="relaying, with a comma",
        ),
        pytest.param(
            "ruleset=check_rcpt, arg1=<a@a.example>, relay=[192.0.2.7], reject=550 5.7.1 <a@a.example>..."
            " Rejected: 192.0.2.7 listed at zen.example.org",
            ("a@a.example", None, "envelope", "rejected", "550", "5.7.1", "zen.example.org"),
            id="list",
        ),
        pytest.param(
            'ruleset=check_rcpt, arg1=<"x, relay=[203.0.113.1], reject=9"@a.example>, relay=[192.0.2.7],'
            " reject=451 4.7.1 later",
            (
                '"x, relay=[203.0.113.1], reject=9"@a.example',
                None,
                "envelope",
                "deferred",
                "451",
                "4.7.1",
                None,
            ),
            id="an address that looks like fields",
        ),
        pytest.param(
            "ruleset=check_mail, arg1=<s@x.example>, relay=[192.0.2.7], reject=553 5.1.8 <s@x.example>..."
            " Domain of sender address s@x.example does not exist",
            (None, "s@x.example", "envelope", "rejected", "553", "5.1.8", None),
            id="sender",
        ),
        pytest.param(
            "Milter: to=<a@a.example>, reject=451 4.7.1 Greylisting in action, come back",
            ("a@a.example", None, "envelope", "deferred", "451", "4.7.1", None),
            id="milter at RCPT",
        ),
        pytest.param(
            "Milter: from=<s@x.example>, tempfail",
            (None, "s@x.example", "envelope", "deferred", None, None, None),
            id="milter at MAIL",
        ),
        pytest.param(
            "<a@a.example>... User unknown",
            ("a@a.example", None, "envelope", "rejected", None, None, None),
            id="unknown user",
        ),
    ],
)
def test_a_refused_attempt(text: str, expected: tuple[Any, ...]) -> None:
    names = ("recipient", "sender", "stage_code", "outcome_code", "reply_code", "dsn_code", "dnsbl_zone")
    row = one(line(text))
    assert told(row, *names) == expected
    assert told(row, "grain_code", "queue", "log_text") == ("attempt", None, text)
    # from= with nrcpts=0 closes the transaction: no message, but it knows sender and client.
    row = one(line(text), came("<s@x.example>", 0, "[192.0.2.7]"))
    assert told(row, *names) == (expected[0], "s@x.example", *expected[2:])
    assert row["client_ip"] == "192.0.2.7"


def test_a_milter_that_failed_and_a_message_that_says_that_it_is_too_big() -> None:
    failed = one(line("Milter: initialization failed, temp failing commands"))
    assert told(failed, "grain_code", "stage_code", "outcome_code") == ("attempt", "connect", "deferred")
    refused = one(line("Milter: initialization failed, rejecting commands"))
    assert told(refused, "stage_code", "outcome_code") == ("connect", "rejected")
    size = line("message size (316149) exceeds maximum (204800)")
    big = one(size, came("<big@x.example>", count=0))
    assert told(big, "grain_code", "stage_code", "outcome_code", "sender", "client_ip", "reply_code") == (
        "attempt",
        "envelope",
        "rejected",
        "big@x.example",
        "192.0.2.7",
        "552",
    )


def test_a_message_that_is_too_big_after_all() -> None:
    # collect() finds it out after DATA, when from= has been written.
    size = line("message size (316149) exceeds maximum (204800)")
    row = one(came("<big@x.example>"), size)
    assert told(row, "grain_code", "stage_code", "outcome_code", "sender", "reply_code") == (
        "recipient",
        "content",
        "rejected",
        "big@x.example",
        "552",
    )
    row = one(came("<big@x.example>"), size, went(stat="Message exceeds maximum fixed size", dsn="5.2.3"))
    assert result(row) == ("ann@a.example", "content", "rejected")


@pytest.mark.parametrize(
    "space",
    [
        "low on space ({} needs 812 bytes + 100 blocks in /var/spool/mqueue), max avail: 12",
        # Before 8.10.
        "low on space (have 12, {} needs 100 in /var/spool/mqueue)",
    ],
)
def test_no_room_for_a_message(space: str) -> None:
    row = one(line(space.format("mx.shop.example"), id=None))
    assert told(row, "grain_code", "stage_code", "outcome_code", "reply_code", "recipient") == (
        "attempt",
        "envelope",
        "deferred",
        "452",
        None,
    )
    # The daemon looks for itself, whoever comes.
    assert transmissions(line(space.format("SMTP-DAEMON"), id=None)) == []


@pytest.mark.parametrize(
    "text",
    [
        "ruleset=try_tls, arg1=mx.a.example, relay=mx.a.example, reject=550 5.7.1 <mx.a.example>... do not"
        " try TLS with mx.a.example [198.51.100.5]",
        "ruleset=tls_server, arg1=SOFTWARE, relay=mx.a.example, reject=403 4.7.0 TLS handshake failed.",
        "ruleset=tls_rcpt, arg1=ann@a.example, relay=mx.a.example, reject=403 4.7.0 encryption too weak",
    ],
)
def test_rules_on_servers_that_mail_goes_to_refuse_no_message(text: str) -> None:
    assert result(one(came(), line(text, pid=27714), went())) == ("ann@a.example", "delivery", "delivered")
    later = went(stat="Deferred: 403 4.7.0 TLS handshake failed.", dsn="4.7.0")
    assert result(one(came(), line(text, pid=27714), later)) == ("ann@a.example", "delivery", "deferred")


@pytest.mark.parametrize("problem", ["unexpected close", "I/O error", "read timeout"])
def test_a_message_that_its_client_broke_off_was_never_taken(problem: str) -> None:
    broken = line(f"collect: {problem} on connection from mx.shop.example, sender=<shop@shop.example>")
    early = line("collect: premature EOM: unexpected close")
    assert transmissions(early, broken, came()) == []
    # Recipients refused before are attempts all the same; the next message of the session counts.
    rows = transmissions(rcpt(), early, broken, came(), came(id=R), went(id=R))
    assert [told(row, "grain_code", "outcome_code") for row in rows] == [
        ("attempt", "rejected"),
        ("recipient", "delivered"),
    ]


def test_a_message_that_its_client_broke_off_in_the_words_of_8_17() -> None:
    broken = line("collect: relay=mx.shop.example, from=<shop@shop.example>, info=unexpected close")
    assert transmissions(line("collect: premature EOM: unexpected close"), broken, came()) == []
    assert transmissions(broken, came()) == []


# A transaction whose client left, or reset it, after an accepted RCPT: a callout, a harvester.
LEFT = line(f"from=<shop@shop.example>, size=0, class=0, nrcpts=1, proto=ESMTP, daemon=MTA, relay={RELAY}")


def test_an_envelope_that_never_became_a_message() -> None:
    assert transmissions(LEFT) == []
    refused = line("<no@a.example>... User unknown")
    (row,) = transmissions(refused, LEFT)
    assert told(row, "grain_code", "outcome_code", "recipient", "sender", "client_ip") == (
        *("attempt", "rejected", "no@a.example", "shop@shop.example", "192.0.2.7"),
    )
    # A message of no bytes is one all the same.
    assert result(one(LEFT, went())) == ("ann@a.example", "delivery", "delivered")


def member(to: str, stat: str = "Sent", dsn: str = "2.0.0", mailer: str = "local") -> str:
    """A to= line of an alias's member: without brackets, and without the alias."""
    return went(to, stat, dsn, mailer=mailer, relay="")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(
            [came(), member("ann"), member("bob"), member("cat", "Deferred: quota", "4.2.2")],
            [("ann", "delivered", True)],
            id="one alias",
        ),
        pytest.param(
            [came(), member("ann", "User unknown", "5.1.1"), member("x@b.example", mailer="esmtp")],
            [("x@b.example", "delivered", True)],
            id="the best outcome, of one elsewhere",
        ),
        pytest.param(
            [came(count=2), member("ann"), member("bob"), went("<z@b.example>")],
            [("ann", "delivered", True), ("z@b.example", "delivered", None)],
            id="an alias and an address",
        ),
        pytest.param(
            [came(count=2), member("ann"), member("bob"), member("x@b.example", "No", "5.1.1", "esmtp")],
            [("ann", "delivered", True), ("bob", "delivered", True)],
            id="two aliases, whose members are not told apart",
        ),
        pytest.param(
            [came(count=3), member("ann"), member("bob")],
            [("ann", "delivered", True), ("bob", "delivered", True)],
            id="not more than there are",
        ),
        pytest.param(
            [
                came("ann", relay="ann@localhost"),
                went("bob", owner="ann (1000/1000)", mailer="local", relay=""),
                went("cat", owner="ann (1000/1000)", mailer="local", relay=""),
            ],
            [("bob", "delivered", True)],
            id="an alias that a program on this host wrote to",
        ),
        pytest.param(
            [came(), went("<ann@other.example>", mailer="local", relay="")],
            [("ann@other.example", "delivered", True)],
            id="a mailbox on this host, whatever its domain",
        ),
    ],
)
def test_rows_of_a_message_are_at_most_its_recipients(lines: list[str], expected: list[Any]) -> None:
    rows = transmissions(*lines)
    assert [told(row, "recipient", "outcome_code", "is_own_recipient") for row in rows] == expected


def test_recipients_beyond_the_limit_are_attempts_without_a_name() -> None:
    overflow = line("Too many recipients")
    rows = transmissions(rcpt("no@a.example"), overflow, overflow, came(), went())
    assert [
        told(row, "grain_code", "recipient", "outcome_code", "reply_code", "is_partial") for row in rows
    ] == [
        ("attempt", "no@a.example", "rejected", "550", False),
        ("attempt", None, "deferred", "452", True),
        ("attempt", None, "deferred", "452", True),
        ("recipient", "ann@a.example", "delivered", None, False),
    ]
    assert {row["sender"] for row in rows} == {"shop@shop.example"}
    assert {row["client_ip"] for row in rows} == {"192.0.2.7"}


@pytest.mark.parametrize("tries", [[], [went(stat="Deferred: Connection timed out", dsn="4.0.0")]])
def test_a_message_that_the_queue_lost(tries: list[str]) -> None:
    row = one(came(), *tries, line("Losing ./qfxAOE1rmk027713: savemail panic", at="Nov 24 15:00:00"))
    assert told(row, "grain_code", "stage_code", "outcome_code") == ("recipient", "delivery", "bounced")
    assert (
        one(came(), went(), line("Losing ./qfxAOE1rmk027713: savemail panic"))["outcome_code"] == "delivered"
    )


@pytest.mark.parametrize(
    "text",
    [
        "rejecting connections on daemon MTA: load average: 12",
        "rejecting connections on daemon MTA: 40 children, max 40",
        "deferring connections on daemon MTA: 3 per second",
        "delaying connections on daemon MTA: load average=12 >= 10",
        "mx.shop.example [192.0.2.7]: VRFY root [rejected]",
        "mx.shop.example [192.0.2.7]: possible SMTP attack: command=AUTH, count=3",
        "mx.shop.example [192.0.2.7] did not issue MAIL/EXPN/VRFY/ETRN during connection to MTA",
        "lost input channel from mx.shop.example [192.0.2.7] to MTA after rcpt",
        "timeout waiting for input from mx.shop.example during server cmd read",
        "AUTH failure (LOGIN): user not found (-20) SASL(-13): user not found",
    ],
)
def test_what_names_no_attempt_to_send(text: str) -> None:
    assert parse([line(text, id=None)])["line_code"].to_list() == ["ignored"]


def test_refusals_of_one_session() -> None:
    mail = line("ruleset=check_mail, arg1=<s@x.example>, relay=[192.0.2.7], reject=553 5.1.8 no", id=R)
    rows = transmissions(
        mail,
        rcpt(),
        rcpt(at="Nov 24 14:01:59"),
        rcpt("b@a.example"),
        rcpt(ip="192.0.2.8", at="Nov 24 14:03:00"),
        rcpt(at="Nov 24 15:01:53", ip="192.0.2.8"),
        rcpt(id="xAOE1rmk000042", pid=42),
    )
    assert Counter(row["recipient"] for row in rows) == {"a@a.example": 4, "b@a.example": 1}
    assert len({row["session"] for row in rows}) == 4
    # Nothing but refusals before RCPT is one attempt.
    assert len(transmissions(mail, mail.replace("s@x", "t@x"))) == 1


def test_a_session_lasts_until_ten_minutes_of_silence_have_passed() -> None:
    first, last = rcpt(at="Nov 24 14:00:00"), "Nov 24 14:10:0{}"
    assert [row["try_count"] for row in transmissions(first, rcpt(at=last.format(0)))] == [2]
    assert [row["try_count"] for row in transmissions(first, rcpt(at=last.format(1)))] == [1, 1]


def test_what_one_recipient_was_refused_another_got() -> None:
    rows = transmissions(rcpt("no@a.example"), came(), went())
    assert [told(row, "grain_code", "recipient", "sender") for row in rows] == [
        ("attempt", "no@a.example", "shop@shop.example"),
        ("recipient", "ann@a.example", "shop@shop.example"),
    ]


def test_a_recipient_whom_the_session_discards() -> None:
    row = one(line("ruleset=check_rcpt, arg1=<trap@a.example>, relay=[192.0.2.7], discard"))
    assert told(row, "grain_code", "outcome_code", "stage_code", "is_partial") == (
        "recipient",
        "discarded",
        "envelope",
        True,
    )


# --- what every kernel must hold ------------------------------------------------------------------------


def test_it_knows_its_own_log() -> None:
    data = "\n".join(LOG).encode()
    assert recognise_format(data) == ("sendmail", 1.0)
    assert all(module.sniff(data) < 0.5 for module in (exim, kannel, postfix, rspamd))
    assert sendmail.sniff(b"") == 0
    for other in OTHERS:
        assert sendmail.sniff(other.read_bytes()) == 0


def test_another_programs_log_is_quarantined() -> None:
    for other in OTHERS:
        parsed = parse(other.read_text("utf-8").splitlines())
        assert "record" not in parsed["line_code"]
        assert (parsed["line_code"] == "quarantined").sum() > parsed.height / 2


@pytest.mark.parametrize(
    "head",
    [
        "Nov 24 14:01:53 mx1 sm-mta[27713]: ",
        "2026-11-24T16:01:53+02:00 mx1 sendmail[27713]: ",
        "<22>1 2026-11-24T14:01:53Z mx1 sm-acceptingconnections 27713 - - ",
        "2026 Nov 24 14:01:53.000 mx1 mta[27713]: ",
    ],
)
def test_any_syslog_rendering(head: str) -> None:
    lines = [text.replace("Nov 24 14:01:53 mx1 sm-mta[27713]: ", head) for text in (came(), went(pid=27713))]
    row = one(*lines)
    assert told(row, "queue", "outcome_code") == (f"mx1|{Q}", "delivered")
    assert row["first_at"] == dt.datetime(2026, 11, 24, 14, 1, 53, tzinfo=dt.UTC)


@pytest.mark.long
def test_a_line_of_ten_megabytes() -> None:
    for text in (
        "from=<" + "x" * 10_000_000,
        "to=" + "<" * 10_000_000,
        "ruleset=check_rcpt, arg1=" + '"<' * 5_000_000,
    ):
        assert parse([line(text)]).height == 1


def test_totals_of_the_log() -> None:
    assert Counter(
        told(row, "grain_code", "entry_code", "stage_code", "outcome_code") for row in transmissions(*LOG)
    ) == {
        ("recipient", "smtp", "delivery", "delivered"): 2,
        ("attempt", "smtp", "envelope", "rejected"): 1,
        ("recipient", "smtp", "content", "rejected"): 1,
        ("recipient", "smtp", "delivery", "bounced"): 1,
        ("recipient", "dsn", "delivery", "delivered"): 1,
        ("recipient", "submission", "delivery", "queued"): 1,
    }


@examples(25)
@given(st.lists(st.integers(1, len(LOG) - 1), max_size=5), st.randoms(use_true_random=False))
def test_any_cut_gives_the_same(cuts: list[int], chance: random.Random) -> None:
    wanted = sendmail.transmissions(bronze(LOG).lazy()).collect()
    bounds = sorted({0, len(LOG), *cuts})
    pieces = [
        sendmail.assemble(placed(parse(LOG[start:end]).with_columns(pl.col("offset") + start))).collect()
        for start, end in zip(bounds, bounds[1:], strict=False)
    ]
    pieces += chance.sample(pieces, 1)
    chance.shuffle(pieces)
    half = len(pieces) // 2
    halves = [sendmail.assemble(pl.concat(some).lazy()).collect() for some in (pieces[:half], pieces[half:])]
    joined = sendmail.assemble(pl.concat(halves).lazy())
    assert_frame_equal(sendmail.transmissions(joined).collect(), wanted, check_row_order=False)


@pytest.mark.parametrize("mark", ["<mail.info> ", "<mail.notice> ", "<2.5> "])
def test_facility_and_level_before_the_host_change_nothing(mark: str) -> None:
    """FreeBSD's syslogd -v writes them."""
    lines = [
        came(),
        went(),
        line(f"ruleset=check_rcpt, arg1=<r@a.example>, relay={RELAY}, reject=550 5.7.1 no"),
    ]
    marked = [each.replace(" mx1 ", f" {mark}mx1 ", 1) for each in lines]
    assert parse(marked).equals(parse(lines))
    assert parse(lines)["line_code"].to_list() == ["record"] * 3
    assert recognise_format("\n".join(marked).encode())[0] == "sendmail"
