"""Postfix's log against what was really sent, and against lines that once misled a parser."""

import datetime as dt
import json
import random
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from jobs.operators.formats import Source, postfix
from jobs.operators.formats.postfix.assembly import BRONZE
from tests.support.examples import examples
from tests.support.filter_logs import tasks_of
from tests.support.held_log import PROXIED, held_log

LAB = Path(__file__).parents[3] / "sample_data" / "lab" / "postfix"
RENDERINGS = ["rfc3164", "iso8601", "rfc5424"]
NEWEST = dt.datetime(2026, 11, 24, 14, 19, tzinfo=dt.UTC)


def source(**kwargs: Any) -> Source:
    return Source(
        **({"operator_id": "lab", "source_id": "mx1", "stream_id": "a", "newest_at": NEWEST} | kwargs)
    )


def as_lines(data: bytes) -> pl.DataFrame:
    """Return the frame that the caller hands over: offset and text of each line, or latin-1 of other
    bytes."""
    offsets, texts, at = [], [], 0
    for line in data.split(b"\n"):
        offsets.append(at)
        at += len(line) + 1
        try:
            texts.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            texts.append(line.decode("latin-1"))
    if texts and texts[-1] == "":
        offsets.pop()
        texts.pop()
    return pl.DataFrame({"offset": offsets, "line": texts}, schema={"offset": pl.Int64, "line": pl.String})


def parsed(text: str | bytes, **kwargs: Any) -> pl.DataFrame:
    data = text.encode() if isinstance(text, str) else text
    return postfix.parse(as_lines(data).lazy(), source(**kwargs)).collect()


def records(text: str | bytes, stream_id: str = "a", **kwargs: Any) -> pl.DataFrame:
    rows = parsed(text, **kwargs).filter(pl.col("line_code") == "record")
    return rows.with_columns(
        operator_id=pl.lit("lab"), source_id=pl.lit("mx1"), stream_id=pl.lit(stream_id, pl.String)
    )


def assembled(*frames: pl.DataFrame) -> pl.DataFrame:
    return postfix.assemble(pl.concat(frames).lazy()).collect()


def counted(*frames: pl.DataFrame) -> pl.DataFrame:
    return postfix.transmissions(assembled(*frames).lazy()).collect()


def rows(text: str | bytes, **kwargs: Any) -> list[dict[str, Any]]:
    found = counted(records(text, **kwargs))
    return found.sort("first_at", "offset", "recipient", nulls_last=True).to_dicts()


def log(*bodies: str, host: str = "mx1", start: str = "2026-11-24T10:00:00") -> str:
    """Lines a second apart; each body begins with the daemon, such as `smtpd[7]: …`."""
    first = dt.datetime.fromisoformat(start)
    stamps = [(first + dt.timedelta(seconds=at)).isoformat() for at in range(len(bodies))]
    return "".join(f"{at}+00:00 {host} postfix/{body}\n" for at, body in zip(stamps, bodies, strict=True))


@pytest.fixture(scope="module", params=RENDERINGS)
def lab(request: pytest.FixtureRequest) -> pl.DataFrame:
    return counted(records((LAB / f"mail.{request.param}.log").read_bytes()))


@pytest.fixture(scope="module")
def truth() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (LAB / "truth.jsonl").read_text().splitlines()]


PRECEDENCE = [
    "delivered",
    "tagged",
    "quarantined",
    "discarded",
    "rejected",
    "bounced",
    "expired",
    "deferred",
    "queued",
]


def folded(lab: pl.DataFrame) -> list[dict[str, Any]]:
    """First hops of messages with the outcomes of their later hops; silver does this for all logs.

    A hop follows a hand-off when it names that queue as its previous one, is the queue that the
    filter answered with, or came by pickup with the same message-id.
    """
    found = [row for row in lab.to_dicts() if row["grain_code"] == "recipient"]
    used = set()
    hops = defaultdict(list)
    for row in found:
        if not row["is_handoff"]:
            continue
        for index, later in enumerate(found):
            follows = (
                later["previous_queue"] == row["queue"]
                or (later["queue_id"] == row["next_queue_id"] and row["next_queue_id"])
                or (later["entry_code"] == "pickup" and later["message_id"] == row["message_id"])
            )
            if follows and later is not row:
                hops[id(row)].append(later)
                used.add(index)
    for row in found:
        for later in hops[id(row)]:
            row["hops"] = row.get("hops", 0) + 1
            if PRECEDENCE.index(later["outcome_code"]) < PRECEDENCE.index(row.get("end", "queued")):
                row["end"] = later["outcome_code"]
    first = [row for index, row in enumerate(found) if index not in used]
    return [row | {"outcome_code": row.get("end", row["outcome_code"])} for row in first]


def test_every_submission_is_found(lab: pl.DataFrame, truth: list[dict[str, Any]]) -> None:
    messages = folded(lab)
    attempts = [row for row in lab.to_dicts() if row["grain_code"] == "attempt"]
    left = {id(row): row for row in messages + attempts}
    tally: Counter[Any] = Counter()
    for sent in truth:
        if sent["swaks_exit"] == 1:
            continue
        begun = dt.datetime.fromtimestamp(int(sent["t"]), dt.UTC)
        near = [
            row
            for row in sorted(left.values(), key=lambda row: (row["first_at"], row["offset"]))
            if begun <= row["first_at"] <= begun + dt.timedelta(seconds=3)
            and row["client_ip"] == sent["client_ip"]
            and (row["sender"] == sent["mail_from"].strip("<>") or row["sender"] is None)
        ]
        if sent["swaks_exit"] == 24:
            hits = [
                row for row in near if row["grain_code"] == "attempt" and row["recipient"] in sent["rcpt"]
            ][:1]
            assert [row["stage_code"] for row in hits] == ["envelope"]
            assert {row["outcome_code"] for row in hits} <= {"rejected", "deferred"}
            tally["refused at RCPT"] += 1
        elif sent["swaks_exit"] == 26:
            mine = [
                row for row in near if row["grain_code"] == "recipient" and row["stage_code"] == "content"
            ]
            mine = [row for row in mine if row["outcome_code"] in ("rejected", "deferred")]
            named = [
                row
                for row in mine
                if row["message_id"] == sent["message_id"].removeprefix("<").removesuffix(">")
            ]
            hits = (named or [row for row in mine if row["message_id"] is None])[:1]
            assert len(hits) == 1, sent
            assert hits[0]["is_partial"]
            assert hits[0]["recipient"] is None or hits[0]["recipient"] in sent["rcpt"]
            tally["refused after DATA"] += 1
            tally["recipients refused after DATA"] += len(sent["rcpt"])
        else:
            named = [
                row
                for row in messages
                if row["message_id"] == sent["message_id"].removeprefix("<").removesuffix(">")
            ]
            # Discarded before cleanup had seen the header, or written by Postfix: found by envelope.
            hits = named or [row for row in near if row["recipient"] in sent["rcpt"]][:1]
            assert Counter(row["recipient"] for row in hits) == Counter(sent["rcpt"]), sent
            tally["accepted"] += 1
            tally["accepted recipients"] += len(hits)
            tally[("accepted by message-id", bool(named))] += 1
            for row in hits:
                tally[(row["stage_code"], row["outcome_code"])] += 1
        for row in hits:
            del left[id(row)]
    assert tally == {
        "accepted": 95,
        "accepted recipients": 125,
        # Discarded at RCPT or by its header, before cleanup logs the message-id.
        ("accepted by message-id", True): 87,
        ("accepted by message-id", False): 8,
        ("delivery", "delivered"): 97,
        ("delivery", "deferred"): 5,
        ("delivery", "bounced"): 4,
        ("envelope", "discarded"): 4,
        ("content", "discarded"): 12,
        ("envelope", "quarantined"): 3,
        "refused at RCPT": 25,
        "refused after DATA": 24,
        "recipients refused after DATA": 26,
    }

    # What no submission explains: 20 messages of the load generator, four DSNs on the bounced
    # recipients, one message sent by hand over a raw connection, a web browser's request, and postscreen's
    # sessions: of eight, two were refused at RCPT, two failed PREGREET, one only hung up and three passed.
    rest = Counter(
        (row["grain_code"], row["entry_code"], row["stage_code"], row["sender"]) for row in left.values()
    )
    assert rest == {
        ("recipient", "smtp", "delivery", "bot@bulk.example"): 20,
        ("recipient", "dsn", "delivery", ""): 4,
        ("recipient", "smtp", "delivery", "почта@good.example"): 1,
        ("attempt", "smtp", "envelope", "s@bulk.example"): 2,
        ("attempt", "smtp", "envelope", None): 1,
        ("attempt", "smtp", "connect", None): 2,
    }


def test_hops_are_explained(lab: pl.DataFrame) -> None:
    """The log's 56 deliveries to filters: 8 that Amavis discarded, and 46 recipients, two of them aliases."""
    handed = lab.filter("is_handoff")
    by_relay = Counter("pipe" if relay == "spamassassin" else "amavis" for relay in handed["outbound_link"])
    assert by_relay == {"pipe": 27, "amavis": 19}
    assert lab.filter(pl.col("entry_code") == "pickup").height == 28
    again = lab.filter(pl.col("entry_code") == "reinjection")
    assert again.height == 20
    assert set(again["previous_queue"]) <= set(handed["queue"])
    answers = {f"mx1|{queue_id}" for queue_id in handed["next_queue_id"].drop_nulls()}
    assert set(again["queue"]) == answers


def test_postscreen_sessions(lab: pl.DataFrame) -> None:
    screens = lab.filter(
        pl.col("session").str.count_matches("|", literal=True) == 3, pl.col("client_ip") != "127.0.0.1"
    )
    screens = screens.filter(pl.col("session").str.contains(pl.col("client_ip"), literal=True))
    found = {
        tuple(row) for row in screens.select("client_ip", "stage_code", "dnsbl_zone", "dnsbl_code").rows()
    }
    assert found == {
        ("198.51.100.66", "envelope", "zen.spamhaus.org", "127.0.0.2"),
        ("203.0.113.13", "envelope", "zen.spamhaus.org", "127.0.0.2"),
        ("203.0.113.14", "connect", None, None),
        ("198.51.100.66", "connect", "bl.spamcop.net", "127.0.0.2"),
    }


def test_what_a_row_is_of_stands_in_columns() -> None:
    text = log(
        "smtpd[7]: NOQUEUE: reject: RCPT from a.example[192.0.2.1]: 550 5.1.1 no; from=<a@a.example>"
        " to=<b@example.test> proto=ESMTP helo=<a>",
        "smtpd[7]: 1A2B3C4D5E: client=a.example[192.0.2.1]",
        "postscreen[8]: PREGREET 11 after 0.1 from [192.0.2.2]:4711: EHLO a",
        "dnsblog[9]: addr 192.0.2.2 listed by domain zen.list.example as 127.0.0.2",
        "smtpd[10]: NOQUEUE: hold: RCPT from a.example[192.0.2.1]: held; from=<a@a.example>"
        " to=<b@example.test> proto=ESMTP helo=<a>",
    )
    names = ("row_code", "queue_id", "process_id", "client_port")
    found = assembled(records(text)).select(*names, pl.col("assembly_key").str.split("mx1|postfix|").list[1])
    assert sorted(found.rows(), key=str) == [
        ("held", None, "10", None, "held|10|192.0.2.1"),
        ("held", None, "7", None, "held|7|192.0.2.1"),
        ("listing", None, None, None, "screen|192.0.2.2"),
        ("queue", "1A2B3C4D5E", None, None, "1A2B3C4D5E"),
        ("screen", None, None, "4711", "screen|192.0.2.2"),
        ("session", None, "7", None, "session|7"),
    ]


def test_renderings_agree() -> None:
    def whole_seconds(rendering: str) -> pl.DataFrame:
        found = counted(records((LAB / f"mail.{rendering}.log").read_bytes()))
        found = found.with_columns(pl.col("first_at", "last_at").dt.truncate("1s")).drop("offset")
        return found.sort(pl.exclude("log_text"))

    iso, *others = [whole_seconds(rendering) for rendering in ("iso8601", "rfc3164", "rfc5424")]
    for other in others:
        assert iso.equals(other)


def test_lines_are_conserved_and_none_is_unread() -> None:
    for rendering in RENDERINGS:
        data = (LAB / f"mail.{rendering}.log").read_bytes()
        out = parsed(data)
        assert out["offset"].equals(as_lines(data)["offset"])
        assert out["line_code"].value_counts().sort("line_code").rows() == [("ignored", 858), ("record", 977)]
        assert postfix.sniff(data) >= 0.5


def test_newest_time_from_long_ids() -> None:
    data = (LAB / "mail.rfc3164.log").read_bytes()
    assert postfix.newest_from_ids(data) == dt.datetime(2026, 11, 24, 14, 17, 44, tzinfo=dt.UTC)
    assert (
        postfix.newest_from_ids(b"Nov 24 14:16:28 mx1 postfix/smtpd[1]: 26590ACE9E0: client=a[192.0.2.1]\n")
        is None
    )


# --- one line, one trap ----------------------------------------------------------------------


@pytest.mark.parametrize("head", ["NOQUEUE", "4F8B21C0E2"])
def test_a_refusal_cut_anywhere_is_counted_or_quarantined(head: str) -> None:
    begin = f"postfix/smtpd[12]: {head}: reject: "
    rest = "RCPT from mail.example.net[192.0.2.7]: 554 5.7.1 <a@example.com>: Relay access denied;"
    found = parsed(log(*(begin + rest[:end] for end in range(len(rest)))))
    uncounted = len("RCPT from mail.example.net[192.0.2.7]: ")
    assert found["line_code"].to_list()[:uncounted] == ["quarantined"] * uncounted
    assert set(found["line_code"][uncounted:]) == {"record"}
    assert set(found["reason_code"][:uncounted]) == {"truncated"}


def test_a_warning_that_says_reject_is_no_refusal() -> None:
    assert parsed(log("postfix/smtpd[12]: warning: reject: no such table"))["line_code"].to_list() == [
        "ignored"
    ]


def test_message_with_alias_and_retries_past_midnight() -> None:
    text = log(
        "smtpd[7]: 1A2B3C4D5E: client=mail.sender.example[2001:db8::7]",
        "cleanup[8]: 1A2B3C4D5E: message-id=<a b@sender.example>",
        "qmgr[9]: 1A2B3C4D5E: from=<ann@sender.example>, size=900, nrcpt=3 (queue active)",
        "virtual[10]: 1A2B3C4D5E: to=<x@own.test>, orig_to=<team@own.test>, relay=virtual, delay=1, "
        "dsn=2.0.0, status=sent (delivered to maildir)",
        "smtp[11]: 1A2B3C4D5E: to=<y@far.example>, orig_to=<team@own.test>, "
        "relay=mx.far.example[198.51.100.4]:25, "
        "delay=1, dsn=4.2.0, status=deferred (host mx.far.example[198.51.100.4] said: 450 4.2.0 later "
        "(in reply to RCPT TO command))",
        "smtp[11]: 1A2B3C4D5E: to=<z@far.example>, relay=mx.far.example[198.51.100.4]:25, delay=1, "
        "dsn=4.2.0, status=deferred (host mx.far.example[198.51.100.4] said: 450 4.2.0 later (in reply "
        "to RCPT TO))",
        start="2026-11-23T23:59:56",
    ) + log(
        "smtp[11]: 1A2B3C4D5E: to=<z@far.example>, relay=mx.far.example[198.51.100.4]:25, conn_use=2, "
        "delay=700, "
        "delays=1/0/0/0, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 77AA88BB99)",
        start="2026-11-24T00:20:00",
    )
    team, z = rows(text)
    assert (team["recipient"], team["outcome_code"], team["try_count"]) == ("team@own.test", "delivered", 1)
    assert (z["recipient"], z["outcome_code"], z["try_count"]) == ("z@far.example", "delivered", 2)
    assert z["next_queue_id"] == "77AA88BB99"
    assert z["outbound_link"] == "mx.far.example[198.51.100.4]:25"
    assert not z["is_handoff"]
    assert z["first_at"] == dt.datetime(2026, 11, 23, 23, 59, 56, tzinfo=dt.UTC)
    assert z["message_id"] == "a b@sender.example"
    assert z["client_ip"] == "2001:db8::7"
    assert z["queue"] == "mx1|1A2B3C4D5E"
    assert z["message_bytes"] == 900


def queue_file(id: str, *deliveries: str, count: int = 1, client: bool = True) -> list[str]:
    """Lines of a queue file, with its deliveries as `to=…`, relay and reply."""
    came = [f"smtpd[7]: {id}: client=mail.sender.example[192.0.2.7]"] if client else []
    return [
        *came,
        f"cleanup[8]: {id}: message-id=<m@sender.example>",
        f"qmgr[9]: {id}: from=<ann@sender.example>, size=900, nrcpt={count} (queue active)",
        *(f"local[10]: {id}: {text.replace('|', ', delay=1, dsn=2.0.0, status=')}" for text in deliveries),
        f"qmgr[9]: {id}: removed",
    ]


def test_a_local_alias_that_forwards_hands_its_message_on() -> None:
    """local(8) makes a queue file of its own for what goes elsewhere; it is no further message."""
    text = log(
        *queue_file(
            "1A2B3C4D5E",
            "to=<bob@own.test>, orig_to=<team@own.test>, relay=local|sent (delivered to mailbox)",
            "to=<team@own.test>, relay=local|sent (forwarded as 2A2B3C4D5E)",
        ),
        *queue_file(
            "2A2B3C4D5E",
            "to=<x@far.example>, orig_to=<team@own.test>, relay=mx[198.51.100.4]:25|bounced (no)",
            client=False,
        ),
    )
    first, second = rows(text)
    assert (first["recipient"], first["is_handoff"], first["next_queue_id"]) == (
        *("team@own.test", True, "2A2B3C4D5E"),
    )
    assert (second["recipient"], second["entry_code"]) == ("team@own.test", "reinjection")


def test_addresses_of_one_mailbox_are_as_many_recipients() -> None:
    given = ["", ", orig_to=<sales@own.test>", ", orig_to=<info@own.test>"]
    lines = [f"to=<bob@own.test>{each}, relay=local|sent (delivered to mailbox)" for each in given]
    found = rows(log(*queue_file("1A2B3C4D5E", *lines, count=3)))
    assert sorted(row["recipient"] for row in found) == ["bob@own.test", "info@own.test", "sales@own.test"]
    assert not any(row["is_partial"] for row in found)


def test_an_alias_to_dev_null_discards() -> None:
    (row,) = rows(
        log(*queue_file("1A2B3C4D5E", "to=<no@own.test>, relay=local|sent (delivered to file: /dev/null)"))
    )
    assert (row["stage_code"], row["outcome_code"]) == ("delivery", "discarded")


def test_short_id_is_reused_after_removal_and_after_a_lost_removal() -> None:
    def message(number: int, *, is_removed: bool) -> list[str]:
        return [
            f"smtpd[7]: ABCDEF12: client=c{number}[192.0.2.{number}]",
            f"cleanup[8]: ABCDEF12: message-id=<{number}@m.example>",
            f"qmgr[9]: ABCDEF12: from=<s@m.example>, size={number}, nrcpt=1 (queue active)",
            "local[10]: ABCDEF12: to=<u@own.test>, relay=local, delay=1, dsn=2.0.0, status=sent "
            "(delivered to mailbox)",
            *(["qmgr[9]: ABCDEF12: removed"] if is_removed else []),
        ]

    found = rows(
        log(*message(1, is_removed=True), *message(2, is_removed=False), *message(3, is_removed=True))
    )
    assert [row["message_id"] for row in found] == ["1@m.example", "2@m.example", "3@m.example"]
    assert [row["client_ip"] for row in found] == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]


def test_lifetime_ends_after_the_lookback() -> None:
    line = "qmgr[9]: ABCDEF12: from=<s@m.example>, size=5, nrcpt=1 (queue active)"
    early, late = log(line, start="2026-11-01T00:00:00"), log(line, start="2026-11-07T00:00:01")
    assert len(rows(early + log(line, start="2026-11-07T00:00:00"))) == 1
    assert len(rows(early + late)) == 2


REFUSED = (
    "smtpd[7]: NOQUEUE: reject: RCPT from h.example[203.0.113.9]: 554 5.7.1 Service unavailable; Client host "
    "[203.0.113.9] blocked using Bl.Example.net.; see; from=<x> to=<y>; from=<s@b.example> to=<r@own.test> "
    "proto=ESMTP helo=<h.example>"
)


def test_refusal_is_read_from_the_right() -> None:
    (row,) = rows(log(REFUSED))
    assert row["grain_code"] == "attempt"
    assert (row["sender"], row["recipient"], row["helo"]) == ("s@b.example", "r@own.test", "h.example")
    assert (row["stage_code"], row["outcome_code"]) == ("envelope", "rejected")
    assert (row["reply_code"], row["dsn_code"]) == ("554", "5.7.1")
    assert row["reply_text"].endswith("see; from=<x> to=<y>")
    assert row["dnsbl_zone"] == "bl.example.net"
    assert row["log_text"].startswith("NOQUEUE: reject: RCPT from")


def test_refused_twice_in_a_session_counts_once_and_again_in_the_next() -> None:
    end = "smtpd[7]: disconnect from h.example[203.0.113.9] ehlo=1 mail=2 rcpt=0/2 quit=1 commands=4/6"
    found = rows(log(REFUSED, REFUSED, end, REFUSED, end))
    assert [row["try_count"] for row in found] == [2, 1]
    assert len({row["session"] for row in found}) == 2


def test_a_session_whose_end_is_not_logged_lasts_six_hours() -> None:
    first = log(REFUSED)
    assert [row["try_count"] for row in rows(first + log(REFUSED, start="2026-11-24T16:00:00"))] == [2]
    assert [row["try_count"] for row in rows(first + log(REFUSED, start="2026-11-24T16:00:01"))] == [1, 1]


def test_refusal_before_rcpt_is_one_attempt_and_none_beside_a_recipient() -> None:
    helo = (
        "smtpd[7]: NOQUEUE: reject: EHLO from h.example[203.0.113.9]: 504 5.5.2 <x>: Helo command "
        "rejected: need "
        "fully-qualified hostname; proto=SMTP helo=<x>"
    )
    (row,) = rows(log(helo, helo))
    assert (row["recipient"], row["stage_code"], row["outcome_code"]) == (None, "envelope", "rejected")
    (row,) = rows(log(helo, REFUSED))
    assert row["recipient"] == "r@own.test"
    connect = "smtpd[7]: NOQUEUE: reject: CONNECT from unknown[203.0.113.9]: 421 4.7.1 busy; proto=SMTP"
    (row,) = rows(log(connect))
    assert (row["stage_code"], row["outcome_code"], row["client_ip"]) == (
        "connect",
        "deferred",
        "203.0.113.9",
    )


LIMITS = [
    ("Connection rate limit exceeded: 61 from {} for service smtpd", "connect", "deferred", "421"),
    ("Connection concurrency limit exceeded: 51 from {} for service smtpd", "connect", "deferred", "421"),
    (
        "Message delivery request rate limit exceeded: 11 from {} for service smtpd",
        "envelope",
        "deferred",
        "450",
    ),
    ("Recipient address rate limit exceeded: 11 from {} for service smtpd", "envelope", "deferred", "450"),
    ("AUTH command rate limit exceeded: 11 from {} for service submission", "envelope", "deferred", "450"),
    ("New TLS session rate limit exceeded: 11 from {} for service smtpd", "envelope", "deferred", "421"),
    ("Refusing STARTTLS request from {} for service smtpd", "envelope", "deferred", "454"),
    ("Refusing TLS service request from {} for service smtps", "connect", "deferred", "421"),
    ("non-SMTP command from {}: GET / HTTP/1.1", "envelope", "rejected", "221"),
    ("Illegal address syntax from {} in MAIL command: <a b@c.example>", "envelope", "rejected", "501"),
    ("Illegal address syntax from {} in RCPT command: <ann@>", "envelope", "rejected", "501"),
]


@pytest.mark.parametrize(("text", "stage", "outcome", "code"), LIMITS)
def test_what_smtpd_refuses_without_a_reject_line(text: str, stage: str, outcome: str, code: str) -> None:
    client = "mail.b.example[192.0.2.7]"
    text = f"smtpd[7]: warning: {text.format(client)}"
    session = [
        f"smtpd[7]: connect from {client}",
        text,
        text,
        f"smtpd[7]: disconnect from {client} commands=0/0",
    ]
    # The same client comes again to the same process.
    first, second = rows(log(*session, *session))
    for row in (first, second):
        assert (row["grain_code"], row["stage_code"], row["outcome_code"]) == ("attempt", stage, outcome)
        assert (row["client_ip"], row["client_name"]) == ("192.0.2.7", "mail.b.example")
        assert row["reply_code"] == code and row["try_count"] == 2
        assert (row["recipient"] == "ann@") is ("RCPT" in text)
        assert (row["sender"] == "a b@c.example") is ("MAIL" in text)
    # A recipient that was refused stands for its session.
    refused = REFUSED.replace("h.example[203.0.113.9]", client)
    assert len(rows(log(session[0], text, refused, session[-1]))) == 1 + ("RCPT" in text)


def test_too_many_errors_end_a_session_and_are_no_attempt_beside_a_refused_recipient() -> None:
    client = "unknown[192.0.2.7]"
    ended = f"smtpd[7]: too many errors after AUTH from {client}"
    (row,) = rows(
        log(f"smtpd[7]: connect from {client}", ended, f"smtpd[7]: disconnect from {client} auth=0/20")
    )
    assert (row["stage_code"], row["outcome_code"], row["recipient"]) == ("envelope", "deferred", None)
    refused = REFUSED.replace("h.example[203.0.113.9]", client)
    assert [row["recipient"] for row in rows(log(refused, ended.replace("AUTH", "RCPT")))] == ["r@own.test"]


def test_postscreen_and_etrn_refuse_without_a_queue_id() -> None:
    (busy,) = rows(log("postscreen[7]: reject: connect from [192.0.2.7]:4711: all screening ports busy"))
    assert (busy["stage_code"], busy["outcome_code"], busy["client_ip"]) == (
        "connect",
        "deferred",
        "192.0.2.7",
    )
    (etrn,) = rows(log("smtpd[7]: reject: ETRN own.example... from mail.b.example[192.0.2.7]"))
    assert (etrn["stage_code"], etrn["outcome_code"], etrn["client_ip"]) == (
        "envelope",
        "rejected",
        "192.0.2.7",
    )


@pytest.mark.parametrize(
    "reason",
    [
        "queue file size limit exceeded",
        "message rejected: hopcount exceeded",
        "BDAT request from mail.b.example[192.0.2.7] exceeds message size limit",
    ],
)
def test_a_message_that_smtpd_and_cleanup_refuse_as_a_whole(reason: str) -> None:
    (row,) = rows(
        log(
            "smtpd[7]: ABCDEF12: client=mail.b.example[192.0.2.7]",
            "cleanup[8]: ABCDEF12: message-id=<m@b.example>",
            f"cleanup[8]: warning: ABCDEF12: {reason}",
        )
    )
    assert (row["grain_code"], row["stage_code"], row["outcome_code"]) == ("recipient", "content", "rejected")
    assert row["reply_text"] == reason.removeprefix("message rejected: ")


def test_refusal_inside_a_transaction_is_an_attempt() -> None:
    found = rows(
        log(
            "smtpd[7]: ABCDEF12: client=h.example[203.0.113.9]",
            "smtpd[7]: ABCDEF12: reject: RCPT from h.example[203.0.113.9]: 550 5.1.1 <no@own.test>: "
            "User unknown; "
            "from=<s@b.example> to=<no@own.test> proto=ESMTP helo=<h>",
            "cleanup[8]: ABCDEF12: message-id=<>",
            "qmgr[9]: ABCDEF12: from=<s@b.example>, size=5, nrcpt=1 (queue active)",
            "local[10]: ABCDEF12: to=<u@own.test>, relay=local, delay=1, dsn=2.0.0, status=sent "
            "(delivered to mailbox)",
        )
    )
    assert {(row["grain_code"], row["recipient"]) for row in found} == {
        ("recipient", "u@own.test"),
        ("attempt", "no@own.test"),
    }
    assert {row["message_id"] for row in found} == {None}


def test_hold_and_discard_at_rcpt_speak_for_their_queue_file() -> None:
    tail = (
        "RCPT from h[203.0.113.9]: <s@b.example>: x; from=<s@b.example> to=<u@own.test> proto=SMTP helo=<h>"
    )
    held = [
        f"smtpd[7]: NOQUEUE: hold: {tail}",
        "smtpd[7]: ABCDEF12: client=h[203.0.113.9]",
        "cleanup[8]: ABCDEF12: message-id=<1@b.example>",
    ]
    (row,) = rows(log(*held))
    assert (row["outcome_code"], row["grain_code"], row["recipient"]) == (
        "quarantined",
        "recipient",
        "u@own.test",
    )
    assert (row["queue_id"], row["message_id"]) == ("ABCDEF12", "1@b.example")
    released = [
        "qmgr[9]: ABCDEF12: from=<s@b.example>, size=5, nrcpt=1 (queue active)",
        "local[10]: ABCDEF12: to=<u@own.test>, relay=local, delay=1, dsn=2.0.0, status=sent (delivered "
        "to mailbox)",
    ]
    assert [row["outcome_code"] for row in rows(log(*held, *released))] == ["delivered"]
    discarded = [held[0].replace("hold", "discard"), held[1], "cleanup[8]: ABCDEF12: removed (discarded)"]
    assert [row["outcome_code"] for row in rows(log(*discarded))] == ["discarded"]
    # The queue file is opened within five seconds, though in the next piece of the log.
    first, other = log(held[0]), log("smtpd[6]: connect from h[203.0.113.8]")
    for seconds, named in ((5, {"ABCDEF12"}), (6, {None})):
        opened = log(*held[1:], start=f"2026-11-24T10:00:0{seconds}")
        pieces = counted(records(first), records(other + opened, "b"))
        assert {row["queue_id"] for row in rows(first + opened)} == set(pieces["queue_id"]) == named


@pytest.mark.parametrize("verb", ["warn", "filter", "redirect", "prepend", "info", "bcc", "reject_warning"])
@pytest.mark.parametrize("head", ["NOQUEUE", "ABCDEF12"])
def test_what_access_only_remarks_changes_no_count(verb: str, head: str) -> None:
    """access(5): the message goes on, to another place or with a note; its delivery tells the outcome."""
    remark = (
        f"smtpd[7]: {head}: {verb}: RCPT from h[203.0.113.9]: <s@b.example>: Sender address triggers X; "
        "from=<s@b.example> to=<u@own.test> proto=ESMTP helo=<h>"
    )
    message = [
        "smtpd[7]: ABCDEF12: client=h[203.0.113.9]",
        "qmgr[9]: ABCDEF12: from=<s@b.example>, size=5, nrcpt=1 (queue active)",
        "local[10]: ABCDEF12: to=<u@own.test>, relay=local, delay=1, dsn=2.0.0, status=sent (delivered)",
    ]
    assert parsed(log(remark))["line_code"].to_list() == ["ignored"]
    (with_it,) = rows(log(remark, *message))
    (without,) = rows(log("smtpd[7]: connect from h[203.0.113.9]", *message))
    assert with_it | {"offset": 0} == without | {"offset": 0}


@pytest.mark.parametrize("head", ["", "NOQUEUE: "])
def test_a_filter_before_the_queue_refuses_or_discards_for_good(head: str) -> None:
    """smtpd_proxy_filter: the refused message never has a queue id, and its line names no client."""
    tail, client = PROXIED
    refused = f"smtpd[7]: {head}proxy-reject: END-OF-MESSAGE: 554 5.7.0 Reject, id=0-1 - spam; from=<x>{tail}"
    (row,) = rows(log(client, refused))
    assert (row["grain_code"], row["stage_code"], row["outcome_code"]) == ("attempt", "content", "rejected")
    assert (row["client_ip"], row["client_name"], row["account"]) == ("203.0.113.9", "h.example", "ann")
    assert (row["sender"], row["recipient"], row["is_authenticated"]) == ("s@b.example", "u@own.test", True)
    assert (row["reply_code"], row["dsn_code"]) == ("554", "5.7.0")
    assert row["reply_text"] == "Reject, id=0-1 - spam; from=<x>"
    (row,) = rows(log(refused))
    assert (row["client_ip"], row["outcome_code"]) == (None, "rejected")
    later = refused.replace("554 5.7.0 Reject", "451 4.3.0 Error")
    assert [row["outcome_code"] for row in rows(log(client, later))] == ["deferred"]
    dropped = (
        f"smtpd[7]: {head}proxy-accept: END-OF-MESSAGE: 250 2.7.0 Ok, discarded, id=00113-03 - spam{tail}"
    )
    (row,) = rows(log(client, dropped))
    assert (row["grain_code"], row["stage_code"], row["outcome_code"]) == (
        "recipient",
        "content",
        "discarded",
    )
    passed = f"smtpd[7]: {head}proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as ABCDEF12{tail}"
    assert rows(log(client, passed)) == []


def test_each_refusal_before_the_queue_has_the_client_named_before_it() -> None:
    tail, _ = PROXIED
    refused = f"smtpd[7]: proxy-reject: END-OF-MESSAGE: 554 5.7.0 Reject{tail}"
    clients = [f"smtpd[7]: NOQUEUE: client=h{number}[203.0.113.{number}]" for number in (1, 2)]
    found = rows(log(clients[0], refused, clients[1], refused))
    assert [row["client_ip"] for row in found] == ["203.0.113.1", "203.0.113.2"]
    assert len({row["session"] for row in found}) == 2


def test_what_a_filter_before_the_queue_passed_on_came_from_its_client() -> None:
    tail, client = PROXIED
    (row,) = rows(
        log(
            client,
            "smtpd[8]: ABCDEF12: client=localhost[127.0.0.1], orig_client=h.example[203.0.113.9]",
            f"smtpd[7]: proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as ABCDEF12{tail}",
            "qmgr[9]: ABCDEF12: from=<s@b.example>, size=5, nrcpt=1 (queue active)",
        )
    )
    assert (row["client_ip"], row["client_name"]) == ("203.0.113.9", "h.example")
    assert (row["entry_code"], row["previous_queue"]) == ("reinjection", None)


def test_a_filter_is_not_a_mailbox() -> None:
    def outcome(status: str, relay: str) -> tuple[str, bool]:
        entry = "qmgr[9]: ABCDEF12: from=<>, size=5, nrcpt=1 (queue active)"
        to = f"smtp[9]: ABCDEF12: to=<u@own.test>, relay={relay}, delay=1, dsn=2.0.0, status={status}"
        (row,) = rows(log(entry, to))
        assert row["sender"] == ""
        return row["outcome_code"], row["is_handoff"]

    amavis = "127.0.0.1[127.0.0.1]:10024"
    assert outcome("sent (250 2.0.0 Ok: queued as 77AA88BB99)", amavis) == ("delivered", True)
    assert outcome("sent (250 2.7.0 Ok, discarded, id=00113-03 - spam)", amavis) == ("discarded", False)
    assert outcome("deferred (connect to 127.0.0.1[127.0.0.1]:10024: Connection refused)", "none") == (
        "deferred",
        True,
    )
    assert outcome("deferred (host 127.0.0.1 said: 451 4.5.0 busy)", amavis) == ("deferred", True)
    assert outcome("sent (250 2.0.0 <u@own.test> Saved)", "127.0.0.1[127.0.0.1]:24") == ("delivered", False)
    assert outcome("sent (delivered via spamfilter service)", "spamfilter") == ("delivered", True)
    assert outcome("sent (delivered via dovecot service)", "dovecot") == ("delivered", False)
    assert outcome("sent (own.test)", "discard") == ("discarded", False)
    assert outcome("bounced (unknown user)", "local") == ("bounced", False)


def test_expired_queued_and_aborted() -> None:
    taken = "qmgr[9]: ABCDEF12: from=<s@b.example>, size=5, nrcpt=2 (queue active)"
    tried = (
        "smtp[1]: ABCDEF12: to=<u@far.example>, relay=none, delay=9, dsn=4.4.1, status=deferred (timed out)"
    )
    (row,) = rows(log(taken))
    assert (row["recipient"], row["outcome_code"], row["is_partial"]) == (None, "queued", True)
    (row,) = rows(log(taken, tried))
    assert (row["outcome_code"], row["is_partial"]) == ("deferred", True)
    expired = "qmgr[9]: ABCDEF12: from=<s@b.example>, status=expired, returned to sender"
    (row,) = rows(log(taken, tried, expired))
    assert row["outcome_code"] == "expired"
    assert (
        rows(log("smtpd[7]: ABCDEF12: client=h[203.0.113.9]", "cleanup[8]: ABCDEF12: removed (canceled)"))
        == []
    )


def test_content_refusals() -> None:
    def refused(verb: str, text: str) -> tuple[str, str, str, str]:
        tail = "from=<s@b.example> to=<u@own.test> proto=ESMTP helo=<h>"
        (row,) = rows(log(f"cleanup[8]: ABCDEF12: {verb}: {text.format(tail=tail)}"))
        assert row["is_partial"]
        return row["stage_code"], row["outcome_code"], row["recipient"], row["dsn_code"]

    end = "END-OF-MESSAGE from h[203.0.113.9]: "
    assert refused("milter-reject", end + "5.7.1 no; {tail}") == (
        "content",
        "rejected",
        "u@own.test",
        "5.7.1",
    )
    assert refused("milter-reject", end + "4.7.1 wait; {tail}") == (
        "content",
        "deferred",
        "u@own.test",
        "4.7.1",
    )
    assert refused("milter-hold", end + "milter triggers HOLD action; {tail}")[:2] == (
        "content",
        "quarantined",
    )
    assert refused("milter-discard", end + "x; {tail}")[:2] == ("content", "discarded")
    nasty = "header Subject: from me; from=<no@x> to=<no@y> from h[203.0.113.9]; {tail}: 5.7.1 Spam"
    assert refused("reject", nasty) == ("content", "rejected", "u@own.test", "5.7.1")
    assert refused("discard", "body win from local; {tail}: x")[:3] == ("content", "discarded", "u@own.test")


FROM_CLIENT = "from h[203.0.113.9]; from=<s@b.example> to=<u@own.test> proto=ESMTP helo=<h>"


@pytest.mark.parametrize(
    ("logged", "subject"),
    [
        (f"warning: header Subject: Win a prize today {FROM_CLIENT}", "Win a prize today"),
        (f"info: header subject: Win a prize today {FROM_CLIENT}: said by us", "Win a prize today"),
        (f"prepend: header Subject: Win {FROM_CLIENT}: X-Seen: yes", "Win"),
        ("warning: header Subject: from me from local; from=<s@b.example>", "from me"),
        # The text is the sender's: what looks like the end of the line is looked for from the right.
        (f"warning: header Subject: a {FROM_CLIENT} {FROM_CLIENT}", f"a {FROM_CLIENT}"),
        # A header of two lines is logged with a question mark for the line's end.
        (
            f"warning: header Subject: =?UTF-8?Q?Win_a?=? =?UTF-8?Q?_prize?= {FROM_CLIENT}",
            "=?UTF-8?Q?Win_a?= =?UTF-8?Q?_prize?=",
        ),
        (f"warning: header Subject: {FROM_CLIENT}", None),
        (f"warning: header X-Subject: Win a prize today {FROM_CLIENT}", None),
        (f"warning: mime-header Subject: of a forwarded mail {FROM_CLIENT}", None),
        ("warning: header Subject: Win a prize to", None),
    ],
)
def test_the_subject_that_header_checks_remark(logged: str, subject: str | None) -> None:
    """No remark of header_checks changes a count, and a line without a subject is passed over."""
    lines = [
        "smtpd[7]: ABCDEF12: client=h[203.0.113.9]",
        f"cleanup[8]: ABCDEF12: {logged}",
        "cleanup[8]: ABCDEF12: message-id=<m@b.example>",
        "qmgr[9]: ABCDEF12: from=<s@b.example>, size=5, nrcpt=1 (queue active)",
        "local[10]: ABCDEF12: to=<u@own.test>, relay=local, delay=1, dsn=2.0.0, status=sent (delivered)",
    ]
    (row,) = rows(log(*lines))
    assert row["subject"] == subject
    (without,) = rows(log(*lines[:1], "anvil[8]: statistics: none", *lines[2:]))
    assert row | {"subject": None} == without | {"offset": row["offset"]}
    codes = parsed(log(*lines))["line_code"].to_list()
    assert codes == ["record", "record" if subject else "ignored", "record", "record", "record"]


@pytest.mark.parametrize("verb", ["reject", "discard", "hold"])
def test_the_subject_that_header_checks_act_on(verb: str) -> None:
    (row,) = rows(log(f"cleanup[8]: ABCDEF12: {verb}: header Subject: Win a prize {FROM_CLIENT}: 5.7.1 no"))
    assert (row["subject"], row["recipient"]) == ("Win a prize", "u@own.test")


def test_a_first_subject_stands_whoever_logged_it() -> None:
    """Two checks may look at a header, and a filter before the queue may have put another in its place."""
    (row,) = rows(
        log(
            f"cleanup[8]: ABCDEF12: warning: header Subject: first {FROM_CLIENT}",
            f"cleanup[8]: ABCDEF12: replace: header Subject: first {FROM_CLIENT}: Subject: [SPAM] first",
            f"cleanup[8]: ABCDEF12: reject: header Subject: second {FROM_CLIENT}: 5.7.1 no",
        )
    )
    assert row["subject"] == "first"


def test_entries() -> None:
    def entry(*bodies: str) -> dict[str, Any]:
        taken = "qmgr[9]: ABCDEF12: from=<s@b.example>, size=5, nrcpt=1 (queue active)"
        (row,) = [row for row in rows(log(*bodies, taken)) if row["queue_id"] == "ABCDEF12"]
        return row

    login = entry(
        "submission/smtpd[7]: ABCDEF12: client=h[203.0.113.9], sasl_method=PLAIN, sasl_username=ann lee"
    )
    assert (login["entry_code"], login["is_authenticated"], login["account"]) == (
        "submission",
        True,
        "ann lee",
    )
    assert entry("submission/smtpd[7]: ABCDEF12: client=h[203.0.113.9]")["entry_code"] == "submission"
    again = entry(
        "smtpd[7]: ABCDEF12: client=localhost[127.0.0.1], orig_queue_id=77AA88BB99, "
        "orig_client=h[203.0.113.9]"
    )
    assert (again["entry_code"], again["previous_queue"]) == ("reinjection", "mx1|77AA88BB99")
    assert entry("smtpd[7]: ABCDEF12: client=unknown[203.0.113.9]:2525")["client_ip"] == "203.0.113.9"
    assert entry("pickup[7]: ABCDEF12: uid=0 from=<root>")["entry_code"] == "pickup"
    assert (
        entry(
            "bounce[7]: 77AA88BB99: sender non-delivery notification: ABCDEF12",
            "cleanup[8]: ABCDEF12: message-id=<1@own.test>",
        )["entry_code"]
        == "dsn"
    )


def test_per_service_and_per_address_names() -> None:
    text = (
        "Nov 24 10:00:00 mx1 postfix/sa/smtpd[7]: ABCDEF12: client=h[203.0.113.9]\n"
        "Nov 24 10:00:01 mx1 postfix/qmgr[8]: ABCDEF12: from=<a@b.example>, size=5, nrcpt=1 (queue active)\n"
        "Nov 24 10:00:02 mx1 postfix-192.0.2.1/qmgr[9]: ABCDEF12: from=<c@b.example>, size=5, nrcpt=1 "
        "(queue active)\n"
    )
    bronze = assembled(records(text)).filter(pl.col("row_code") == "queue")
    assert bronze.sort("offset").select("instance", "assembly_key").rows() == [
        ("postfix", "mx1|postfix|ABCDEF12"),
        ("postfix-192.0.2.1", "mx1|postfix-192.0.2.1|ABCDEF12"),
    ]


def test_year_of_a_yearless_log_over_new_year() -> None:
    text = (
        "Dec 31 23:59:58 mx1 postfix/smtpd[7]: ABCDEF12: client=h[203.0.113.9]\n"
        "Jan  1 00:00:02 mx1 postfix/qmgr[8]: ABCDEF12: from=<a@b.example>, size=5, nrcpt=1 (queue active)\n"
    )
    (row,) = rows(text, newest_at=dt.datetime(2026, 1, 1, 6, tzinfo=dt.UTC))
    assert row["first_at"] == dt.datetime(2025, 12, 31, 23, 59, 58, tzinfo=dt.UTC)
    assert row["last_at"] == dt.datetime(2026, 1, 1, 0, 0, 2, tzinfo=dt.UTC)


def test_reason_codes() -> None:
    text = (
        b"no stamp at all\n"
        b"2026-02-30T10:00:00+00:00 mx1 postfix/smtpd[7]: ABCDEF12: client=h[203.0.113.9]\n"
        b"2026-11-24T10:00:00+00:00 mx1\n"
        b"2026-11-24T10:00:00+00:00 mx1 postfix/qmgr[7]: ABCDEF12: wobbles strangely\n"
        b"2026-11-24T10:00:00+00:00 mx1 postfix/smtp[7]: ABCDEF12: to=<u@own.test>, relay=no\n"
        b"\n"
        b"2026-11-24T10:00:00+00:00 mx1 postfix/smtpd[7]: warning: ABCDEF12: hostname x does not resolve\n"
        b"2026-11-24T10:00:00+00:00 mx1 postfix/smtpd[7]: NOQUEUE: client=h[203.0.113.9]\r\n"
        b"2026-11-24T10:00:00+00:00 mx1 postfix/qmgr[7]: ABCDEF12: from=<J\xfcrg@b.example>, size=5, "
        b"nrcpt=1 (x)\r\n"
    )
    out = parsed(text)
    reasons = [
        "bad_timestamp",
        "bad_timestamp",
        "truncated",
        "unknown_shape",
        "truncated",
        None,
        None,
        None,
        None,
    ]
    assert out["reason_code"].to_list() == reasons
    assert out["line_code"].to_list() == ["quarantined"] * 5 + ["ignored"] * 2 + ["record"] * 2
    assert out["sender"][-1] == "Jürg@b.example"


# --- joining in pieces -----------------------------------------------------------------------

REUSED = "".join(
    log(
        f"smtpd[7]: ABCDEF12: client=c[192.0.2.{day}]",
        f"cleanup[8]: ABCDEF12: warning: header Subject: of day {day} from c[192.0.2.{day}]; from=<>",
        "qmgr[9]: ABCDEF12: from=<s@m.example>, size=5, nrcpt=1 (queue active)",
        "local[10]: ABCDEF12: to=<u@own.test>, relay=local, delay=1, dsn=2.0.0, status=sent (delivered "
        "to mailbox)",
        *(["qmgr[9]: ABCDEF12: removed"] if day % 2 else []),
        start=f"2026-11-0{day}T10:00:00",
    )
    for day in range(1, 9)
)


def canonical(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return sorted(frame.to_dicts(), key=repr)


@pytest.fixture(scope="module")
def whole() -> pl.DataFrame:
    lab_part = records((LAB / "mail.rfc3164.log").read_bytes())
    other = records(REUSED, stream_id="b")
    return pl.concat([lab_part, other])


@examples(12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), pieces=st.integers(2, 6), is_scattered=st.booleans())
def test_assembly_is_closed(whole: pl.DataFrame, seed: int, pieces: int, is_scattered: bool) -> None:
    """Any cut of the lines, in pieces or line by line, joined in any order, gives the same rows."""
    rng = random.Random(seed)
    if is_scattered:
        owner = pl.Series([rng.randrange(pieces) for _ in range(whole.height)])
    else:
        cuts = sorted(rng.randrange(whole.height) for _ in range(pieces - 1))
        owner = pl.Series([sum(at >= cut for cut in cuts) for at in range(whole.height)])
    parts = [assembled(whole.filter(owner == piece)) for piece in range(pieces)]
    rng.shuffle(parts)
    joined = assembled(assembled(*parts[:2]), *parts[2:])
    once = assembled(whole)
    assert canonical(joined) == canonical(once)
    assert (
        dict(joined.schema)
        == dict(once.schema)
        == {name: pl.Schema({name: kind})[name] for name, kind in BRONZE.items()}
    )


def told(bronze: pl.DataFrame) -> list[dict[str, Any]]:
    return canonical(postfix.transmissions(bronze.lazy()).collect())


def in_tasks(bronze: pl.DataFrame, seed: int) -> list[dict[str, Any]]:
    """Return silver's transmissions of bronze: held rows are settled first, then each key has one task."""
    held = pl.col("row_code") == "held"
    settled = [postfix.settle(task.lazy()).collect() for task in tasks_of(bronze.filter(held), seed)]
    found = []
    for task in tasks_of(pl.concat([bronze.filter(~held), *settled]), seed):
        found += postfix.transmissions(postfix.assemble(task.lazy())).collect().to_dicts()
    return sorted(found, key=repr)


def test_held_log_has_each_case() -> None:
    found = Counter((row["grain_code"], row["outcome_code"]) for row in rows("\n".join(held_log()) + "\n"))
    assert found == {
        # Four were released. Six holds have a queue file that came too late to be known for theirs.
        ("recipient", "delivered"): 4,
        ("recipient", "quarantined"): 4 + 6 + 3,
        ("recipient", "discarded"): 12,
        ("attempt", "rejected"): 24 * 3,
    }


@pytest.mark.long
@examples(20)
@given(
    cuts=st.lists(st.integers(0, 250), min_size=1, max_size=6),
    streams=st.sampled_from(["a", "ab", "ba"]),
    seed=st.integers(0, 9),
)
def test_what_is_held_before_it_is_named_joins_over_any_cut(cuts: list[int], streams: str, seed: int) -> None:
    """Each piece is read by itself, as a file that grows is, and a file that was rotated: another stream."""
    lines = held_log()
    bounds = sorted({0, len(lines), *(cut for cut in cuts if cut < len(lines))})
    parts, offset = [], 0
    for number, (begin, end) in enumerate(zip(bounds, bounds[1:], strict=False)):
        text = "\n".join(lines[begin:end]) + "\n"
        frame = as_lines(text.encode()).with_columns(pl.col("offset") + offset)
        offset += len(text)
        typed = postfix.parse(frame.lazy(), source()).filter(pl.col("line_code") == "record").collect()
        stream = streams[min(number, len(streams) - 1)]
        parts.append(
            postfix.assemble(
                typed.lazy().with_columns(
                    operator_id=pl.lit("lab"), source_id=pl.lit("mx1"), stream_id=pl.lit(stream)
                )
            ).collect()
        )
    once = assembled(records("\n".join(lines) + "\n"))
    random.Random(seed).shuffle(parts)
    again = pl.concat([*parts, parts[0]])
    place = {"stream_id": "", "offset": 0}

    def placeless(found: list[dict[str, Any]]) -> list[str]:
        return sorted(repr(row | place if len(streams) > 1 else row) for row in found)

    assert placeless(told(assembled(*parts))) == placeless(told(once))
    assert placeless(in_tasks(again, seed)) == placeless(told(once))
    assert placeless(in_tasks(once, seed)) == placeless(told(once))


@pytest.mark.long
def test_a_huge_line_and_zero_bytes() -> None:
    head = (
        b"2026-11-24T10:00:00+00:00 m postfix/smtpd[7]: NOQUEUE: reject: RCPT from h[203.0.113.9]: 554 5.7.1 "
    )
    data = (
        head + b"x; from=<" * 1_000_000 + b"\n" + head + b"\0\0; from=<a\0> to=<b> proto=SMTP helo=<>\n\0\0\n"
    )
    out = parsed(data)
    assert out["line_code"].to_list() == ["record", "record", "quarantined"]


def test_sniff_tells_other_logs() -> None:
    assert postfix.sniff(b"") == 0.0
    assert postfix.sniff(b"\x1f\x8b\x08\x00") == 0.0
    assert postfix.sniff((LAB / "rspamd.log").read_bytes()) == 0.0
    assert postfix.sniff(REUSED.encode()) == 1.0


def test_a_long_id_is_one_message_though_the_clock_jumps_back() -> None:
    text = (
        "2026-11-24T14:00:01+00:00 mx1 postfix/smtpd[7]: 4jYl9Z1ZHVz1fPrl: client=unknown[192.0.2.9]\n"
        "2026-11-24T14:00:02+00:00 mx1 postfix/qmgr[9]: 4jYl9Z1ZHVz1fPrl: from=<a@odd.example>, size=900, "
        "nrcpt=1 (queue active)\n"
        "2026-11-24T13:00:01+00:00 mx1 postfix/smtp[6]: 4jYl9Z1ZHVz1fPrl: to=<b@far.example>, "
        "relay=far.example[198.51.100.9]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)\n"
    )
    assert [(row["recipient"], row["outcome_code"]) for row in rows(text)] == [("b@far.example", "delivered")]
