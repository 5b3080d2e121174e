"""SIP accounting by syslog and in flat files: real logs with every call worked out; lines that mislead."""

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

from jobs.operators.formats import LINES, TRANSMISSION, Source
from jobs.operators.formats.sip.kamailio import FORMAT as kamailio
from jobs.operators.formats.sip.kamailio_flat import FORMAT as kamailio_flat
from jobs.operators.protect.countermeasures import countermeasure_of_refusals
from tests.operators.formats.test_passport import UUID, shaken, token
from tests.support.closure import assert_closed_under_cuts
from tests.support.examples import examples

LAB = Path(__file__).parents[3] / "sample_data" / "lab" / "kamailio"
LOG = LAB / "kamailio.rfc3164.log"
FLAT = sorted((LAB / "acc_flat").glob("*.log"))
COLUMNS = {"columns": ["src_user", "src_ip", "dst_user", "dst_domain"]}
NEWEST = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
NOON = 1795521600  # 2026-11-24 12:00:00 UTC


def parse(lines: list[str], kernel: Any = kamailio, **kwargs: Any) -> pl.DataFrame:
    frame = pl.LazyFrame({"offset": range(len(lines)), "line": lines}, schema=LINES)
    return kernel.parse(frame, Source("lab", "sip1", "a", NEWEST, **kwargs)).collect()


def placed(parsed: pl.DataFrame, stream: str = "a") -> pl.LazyFrame:
    whose = {"operator_id": "lab", "source_id": "sip1", "stream_id": stream}
    return parsed.lazy().with_columns(**{name: pl.lit(value) for name, value in whose.items()})


def bronze(lines: list[str], kernel: Any = kamailio, stream: str = "a", **kwargs: Any) -> pl.DataFrame:
    parsed = parse(lines, kernel, **kwargs)
    assert "quarantined" not in parsed["line_code"], parsed["reason_code"].to_list()
    return kernel.assemble(placed(parsed, stream)).collect()


def counted(rows: pl.DataFrame, kernel: Any = kamailio) -> list[dict[str, Any]]:
    return kernel.transmissions(rows.lazy()).collect().sort("first_at", "stream_id", "offset").to_dicts()


def transmissions(lines: list[str], **kwargs: Any) -> list[dict[str, Any]]:
    return counted(bronze(lines, **kwargs))


def at(second: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(NOON + second, dt.UTC)


def prefix(at: float = 0, tag: str = "kamailio[26]") -> str:
    clock = dt.datetime.fromtimestamp(NOON + at, dt.UTC)
    return f"{clock:%b %d %H:%M:%S} sip1 {tag}: "


def acc(
    method: str = "INVITE",
    code: int | str = 200,
    second: int = 0,
    tags: tuple[str, str] = ("f1", "t1"),
    call: str = "c1@192.0.2.1",
    words: str = "transaction answered",
    extras: str = ";src_user=+35799000009;src_domain=example.test;src_ip=192.0.2.9;dst_ouser=+35722000001",
    reason: str = "",
    time: str = "",
) -> str:
    """An acc line, `second` seconds after noon of 24 November 2026 UTC."""
    return (
        f"{prefix(second)}NOTICE: acc [acc.c:288]: acc_log_request(): ACC: {words}: timestamp={NOON + second}"
        f"{time};method={method};from_tag={tags[0]};to_tag={tags[1]};call_id={call};code={code}"
        f";reason={reason}{extras}"
    )


def cdr(start: float, end: float, extras: str = "; call_id=c1@192.0.2.1") -> str:
    return (
        f"{prefix(end)}NOTICE: acc [acc_cdr.c:373]: log_write_cdr(): start_time={NOON + start:.3f};"
        f" end_time={NOON + end:.3f}; duration={end - start:.3f}{extras}"
    )


def script(text: str, second: int = 0) -> str:
    return f"{prefix(second)}NOTICE: <script>: {text}"


# --- the lab's calls, from the lines of its two runs by hand ------------------------------------------------

# Call-ID, caller, called number, source, attestation, seconds from answer to BYE by syslog and by file.
# The runs are twenty seconds apart, so whole seconds fall differently; the CDRs beside them say the truth.
ANSWERED = [
    ("1e71df6da8e1@127.0.0.10", "35799120000", "35722000000", "127.0.0.10", "A", 0, 0),
    ("38f88000b3d9@127.0.0.11", "35799120001", "35722000001", "127.0.0.11", "B", 1, 1),
    ("40a2201a95cc@127.0.0.12", "35799120002", "35722000002", "127.0.0.12", "C", 1, 1),
    ("6cc5cd9a68b4@127.0.0.13", "35799120003", "35722000003", "127.0.0.13", "A", 1, 1),
    ("95eb2584a43f@127.0.0.14", "35799120004", "35722000004", "127.0.0.14", "B", 2, 2),
    ("519d8b5af321@127.0.0.15", "35799120005", "35722000005", "127.0.0.15", "C", 2, 3),
    ("84fb80e6ce97@127.0.0.66", "robo0", "35722001000", "127.0.0.66", None, 0, 0),
    ("7de346a6d78a@127.0.0.66", "robo1", "35722001001", "127.0.0.66", None, 0, 0),
    ("498cc8317eba@127.0.0.66", "robo2", "35722001002", "127.0.0.66", None, 1, 0),
    ("34a213dad126@127.0.0.66", "robo3", "35722001003", "127.0.0.66", None, 0, 0),
]
# Refused: Call-ID, caller, called, source address, attestation, code.
REFUSED = [
    ("65fedc09a981@127.0.0.66", "19005550000", "35722000000", "127.0.0.66", "C", "607"),
    ("1167b303e1b2@127.0.0.66", "19005550001", "35722000001", "127.0.0.66", "C", "607"),
    ("eed3ca0d475a@127.0.0.66", "19005550002", "35722000002", "127.0.0.66", "C", "607"),
    ("5ebeff379fff@127.0.0.66", "19005550003", "35722000003", "127.0.0.66", "C", "607"),
    ("158d7062ccde@127.0.0.66", "19005550004", "35722000004", "127.0.0.66", "C", "607"),
    ("bfe12a4ffd56@127.0.0.67", "100", "000449000", "127.0.0.67", None, "403"),
    # 00 and a country's code: an international number.
    ("dfed37fefa6a@127.0.0.67", "100", "1449001", "127.0.0.67", None, "403"),
    ("76ac9cb56aca@127.0.0.67", "100", "2449002", "127.0.0.67", None, "403"),
    ("6b32da41bee2@127.0.0.66", "3579912000", "608", "127.0.0.66", None, "608"),
]
# Instant messages, all declined with 603.
MESSAGES = [
    (f"{call}@127.0.0.68", f"im{number}", "alice@127.0.0.1", "127.0.0.68", None, "603")
    for number, call in enumerate(["9fafe7310b7a", "c601e4ca3a17", "966bff4f2ce2"])
]


def truth(by_file: bool) -> set[tuple[Any, ...]]:
    """Return the 22 rows that must come out."""
    # The flat files' columns hold no domain of the caller.
    domain = "" if by_file else "@sip1.example.test"

    def caller(name: str) -> str:
        return name if name.isdigit() else name + domain

    rows: set[tuple[Any, ...]] = set()
    for call, sender, to, ip, level, by_log, in_file in ANSWERED:
        seconds = in_file if by_file else by_log
        level = None if by_file else level
        rows.add((call, "call", caller(sender), to, ip, level, "delivery", "delivered", None, seconds))
    for call, sender, to, ip, level, code in REFUSED:
        level = None if by_file else level
        rows.add((call, "call", caller(sender), to, ip, level, "connect", "rejected", code, None))
    for call, sender, to, ip, level, code in MESSAGES:
        # Only the script's line, which is in the syslog, says that it was the content.
        stage = "envelope" if by_file else "content"
        rows.add((call, "attempt", caller(sender), to, ip, level, stage, "rejected", code, None))
    return rows


def found(rows: pl.DataFrame, kernel: Any) -> set[tuple[Any, ...]]:
    calls = rows.select("stream_id", "offset", "call_id")
    whole = kernel.transmissions(rows.lazy()).collect()
    assert dict(whole.schema) == TRANSMISSION
    named = whole.join(calls, on=["stream_id", "offset"])
    assert len(named) == len(whole) == 22
    return {
        (
            *(
                row[name]
                for name in ("call_id", "grain_code", "sender", "recipient", "client_ip", "attestation")
            ),
            *(row[name] for name in ("stage_code", "outcome_code", "reply_code")),
            None if row["talk_us"] is None else row["talk_us"] / 1_000_000,
        )
        for row in named.to_dicts()
    }


def flat_rows(order: list[Path] = FLAT) -> pl.DataFrame:
    parts = [
        bronze(file.read_text().splitlines(), kamailio_flat, file.name, options=COLUMNS) for file in order
    ]
    return pl.concat(parts)


def test_lab_syslog() -> None:
    """124 lines, of which 82 acc and acc_json lines and 8 script lines tell of 19 calls and 3 messages.

    Traps: each refused INVITE is `call missed` and `transaction answered`, each twice over since acc_json
    says it again, and has a CDR of zero length; `;` inside the Identity header.
    """
    lines = LOG.read_text().splitlines()
    assert Counter(parse(lines)["line_code"]) == {"record": 90, "ignored": 34}
    rows = bronze(lines)
    assert Counter(rows["event_code"]) == {"answered": 73, "missed": 9, "script": 8}
    assert found(rows, kamailio) == truth(by_file=False)


def test_lab_flat_files() -> None:
    """41 rows of four files. Traps: INVITE and BYE of a call in different files; refusals in two of them."""
    rows = flat_rows()
    assert len(rows) == 41
    assert found(rows, kamailio_flat) == truth(by_file=True)
    assert_frame_equal(
        kamailio_flat.transmissions(flat_rows(FLAT[::-1]).lazy()).collect(),
        kamailio_flat.transmissions(rows.lazy()).collect(),
    )


def test_lab_syslog_and_files_tell_the_same_calls() -> None:
    """Two runs of one script: what both logs can say is the same, call by call."""

    def said(rows: set[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
        # Call, grain, caller's user part, called number, address, outcome, code.
        return {(*row[:2], row[2].split("@")[0], *row[3:5], row[7], row[8]) for row in rows}

    assert said(found(bronze(LOG.read_text().splitlines()), kamailio)) == said(
        found(flat_rows(), kamailio_flat)
    )


def test_lab_talk_agrees_with_the_cdrs() -> None:
    """Nothing ties a CDR without Call-ID to its call, but numbers and times show that both say the same."""
    pattern = r"start_time=([\d.]+); .*duration=([\d.]+); caller=sip:\+?([^;]+)@.*callee=sip:\+?([^@]+)@"
    told = re.findall(pattern, LOG.read_text())
    cdrs = {(caller, callee): float(duration) for _, duration, caller, callee in told}
    assert len(told) == 19
    calls = [row for row in transmissions(LOG.read_text().splitlines()) if row["talk_us"] is not None]
    assert len(calls) == len([duration for duration in cdrs.values() if duration > 0]) == 10
    for row in calls:
        duration = cdrs[row["sender"].split("@")[0], row["recipient"]]
        # The proxy's stamps are whole seconds.
        assert abs(row["talk_us"] / 1_000_000 - duration) < 1


def test_lab_measures() -> None:
    rows = kamailio.transmissions(bronze(LOG.read_text().splitlines()).lazy()).collect()
    acted = pl.concat([rows, countermeasure_of_refusals(rows)], how="horizontal")
    named = acted.filter(pl.col("outcome_code") == "rejected").select(
        "channel_code", "reply_code", "countermeasure_code", "is_antispam"
    )
    assert Counter(named.rows()) == {
        # The script says why it answered 607: "SPIT blocked".
        ("VOICE_IP", "607", "CALL_ANALYTICS", True): 5,
        ("VOICE_IP", "608", "CALL_ANALYTICS", True): 1,
        # "SCANNER blocked" has no Call-ID, so the code alone speaks, and it does not say whether it is spam.
        ("VOICE_IP", "403", "SENDER_BLOCKLIST", None): 3,
        ("IM", "603", "CONTENT_FILTER", True): 3,
    }
    flat = kamailio_flat.transmissions(flat_rows().lazy()).collect()
    acted = pl.concat([flat, countermeasure_of_refusals(flat)], how="horizontal")
    by_code = {row["reply_code"]: row for row in acted.to_dicts()}
    assert (by_code["607"]["countermeasure_code"], by_code["607"]["is_antispam"]) == ("CALLEE_REJECT", True)
    # A decline may be the user's own.
    assert (by_code["603"]["countermeasure_code"], by_code["603"]["is_antispam"]) == ("CALLEE_REJECT", None)


def test_lab_message_text() -> None:
    rows = [row for row in transmissions(LOG.read_text().splitlines()) if row["channel_code"] == "IM"]
    assert [row["text"] for row in rows] == ["You have WON 1000 EUR, visit http://win."] * 3


# --- one row ---------------------------------------------------------------------------------------------


def test_row() -> None:
    extras = (
        ";src_user=+35799000009;src_domain=example.test;src_ip=192.0.2.9;dst_ouser=+35722000001;dst_user=dev7"
        f';ua=X/1;ident={token(shaken())};info=<https://x.test/c>;alg=ES256;ppt="shaken";pai=;account=acme'
        ";in_gw=carrier-a;gateway=gw2"
    )
    lines = [acc(second=5, extras=extras), acc("BYE", second=65, extras=extras)]
    (row,) = transmissions(lines)
    assert row == dict.fromkeys(TRANSMISSION) | {
        "operator_id": "lab",
        "source_id": "sip1",
        "stream_id": "a",
        "offset": 0,
        "format_code": "kamailio",
        "channel_code": "VOICE_IP",
        "grain_code": "call",
        "entry_code": "box",
        "queue": row["queue"],
        "is_handoff": False,
        "sender": "35799000009",
        "recipient": "35722000001",
        "client_ip": "192.0.2.9",
        "is_authenticated": True,
        "inbound_link": "carrier-a",
        "outbound_link": "gw2",
        "account": "acme",
        "first_at": at(5),
        "last_at": at(65),
        "stage_code": "delivery",
        "outcome_code": "delivered",
        "try_count": 1,
        "join_quality": "exact",
        "is_partial": False,
        "user_agent": "X/1",
        "attestation": "A",
        "origid": UUID,
        "talk_us": 60_000_000,
    }
    # Call-IDs often hold the caller's address, and silver keeps queue keys as they are.
    assert re.fullmatch(r"call\|\|[0-9a-f]{24}", row["queue"])


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (200, ("delivery", "delivered", None)),
        (202, ("delivery", "delivered", None)),
        (302, ("delivery", "bounced", "302")),
        (401, ("connect", "rejected", "401")),
        (403, ("connect", "rejected", "403")),
        (404, ("connect", "rejected", "404")),
        (408, ("delivery", "bounced", "408")),
        (428, ("connect", "rejected", "428")),
        (480, ("delivery", "bounced", "480")),
        (486, ("delivery", "bounced", "486")),
        (487, ("delivery", "bounced", "487")),
        (503, ("delivery", "bounced", "503")),
        (600, ("delivery", "bounced", "600")),
        (603, ("connect", "rejected", "603")),
        (607, ("connect", "rejected", "607")),
        (608, ("connect", "rejected", "608")),
        # Early media is accounted before the answer is there.
        (183, ("delivery", "queued", None)),
    ],
)
def test_outcome(code: int, expected: tuple[str, str, str | None]) -> None:
    for words in ("transaction answered", "call missed", "request accounted"):
        (row,) = transmissions([acc(code=code, words=words)])
        assert (row["stage_code"], row["outcome_code"], row["reply_code"]) == expected
        assert row["talk_us"] is None


@pytest.mark.parametrize(
    ("code", "measure", "is_antispam"),
    [
        (603, "CALLEE_REJECT", None),
        (607, "CALLEE_REJECT", True),
        (608, "CALL_ANALYTICS", True),
        (438, "CALLER_AUTH", True),
        (404, "RECIPIENT_CHECK", False),
        (408, "DELIVERY_FAILURE", False),
        (486, "DELIVERY_FAILURE", False),
        (500, "DELIVERY_FAILURE", False),
    ],
)
def test_measure(code: int, measure: str, is_antispam: bool | None) -> None:
    rows = kamailio.transmissions(bronze([acc(code=code, reason="Whatever")]).lazy()).collect()
    acted = countermeasure_of_refusals(rows)
    assert acted.select("countermeasure_code", "is_antispam").rows() == [(measure, is_antispam)]


# --- one call, whatever its rows -------------------------------------------------------------------------


def outcome(lines: list[str]) -> list[tuple[str, str | None, int | None]]:
    return [(row["outcome_code"], row["reply_code"], row["talk_us"]) for row in transmissions(lines)]


def test_a_refusal_is_missed_and_answered() -> None:
    lines = [acc(code=607, words="call missed"), acc(code=607), cdr(0, 0)]
    assert outcome(lines) == [("rejected", "607", None)]


def test_forks() -> None:
    branches = [
        acc(code=code, tags=("f1", tag), words="call missed") for tag, code in (("a", 487), ("b", 486))
    ]
    answered = acc(second=1, tags=("f1", "c"))
    assert outcome([*branches, answered]) == [("delivered", None, None)]
    assert [row["try_count"] for row in transmissions([*branches, answered])] == [3]
    # What the caller got counts, not the last branch.
    final = acc(code=480, tags=("f1", "x"))
    late = acc(code=487, tags=("f1", "b"), second=1, words="call missed")
    assert outcome([branches[1], final, late]) == [("bounced", "480", None)]
    # RFC 3261, 16.7: one branch's 6xx is the call's.
    assert outcome([acc(code=607, tags=("f1", "a"), words="call missed"), acc(code=486, second=1)]) == [
        ("rejected", "607", None)
    ]


def test_challenge() -> None:
    challenge = acc(code=407, tags=("f1", "p"))
    assert outcome([challenge, acc(second=1)]) == [("delivered", None, None)]
    assert outcome([acc(code=486, second=1), challenge]) == [("bounced", "486", None)]
    assert outcome([challenge]) == [("rejected", "407", None)]


def test_rows_within_the_dialog() -> None:
    lines = [
        acc(),
        # Hold by the caller; session refresh and BYE by the callee, whose From is the callee.
        acc(second=900),
        acc(second=1800, tags=("t1", "f1")),
        acc(code=488, second=2000, tags=("t1", "f1")),
        acc("BYE", second=2500, tags=("t1", "f1")),
    ]
    assert outcome(lines) == [("delivered", None, 2_500_000_000)]
    (row,) = transmissions(lines)
    assert row["first_at"] == at(0)
    # Beside a branch that failed, the callee's own request is still of this call.
    assert outcome([acc(code=486, tags=("f1", "b"), words="call missed"), *lines[:3]]) == [
        ("delivered", None, None)
    ]


def test_ids_that_are_used_again() -> None:
    day = [acc(), acc("BYE", second=30), acc(code=486, second=3600, tags=("f1", "t2"))]
    assert outcome(day) == [("delivered", None, 30_000_000), ("bounced", "486", None)]
    # The very same ids on another day, as load generators make them.
    again = [acc(), acc("BYE", second=30), acc(second=100_000), acc("BYE", second=100_005)]
    assert outcome(again) == [("delivered", None, 30_000_000), ("delivered", None, 5_000_000)]
    # A dialog's own rows come for a day.
    for second, count in ((86_400, 1), (86_401, 2)):
        assert len(outcome([acc(), acc(second=second)])) == count
    # Who rings several in a row is done after ten minutes.
    for second, count in ((600, 1), (601, 2)):
        assert len(outcome([acc(code=486), acc(code=486, second=second, tags=("f1", "t2"))])) == count
    # Another caller's tag, or another Call-ID, is another call at once.
    assert len(outcome([acc(), acc(tags=("f2", "t2")), acc(call="c2@192.0.2.1")])) == 3


def test_two_proxies_see_one_call() -> None:
    first = bronze([acc(), acc("BYE", second=9)], stream="edge")
    second = bronze([acc(second=0), acc("BYE", second=9)], stream="core").with_columns(
        source_id=pl.lit("sip2")
    )
    (row,) = counted(pl.concat([first, second]))
    assert (row["source_id"], row["talk_us"]) == ("sip1", 9_000_000)
    # Another operator's lines may stand at the same places.
    other = first.with_columns(operator_id=pl.lit("other"))
    both = kamailio.assemble(pl.concat([first, other]).lazy()).collect()
    assert (len(both), len(counted(both))) == (4, 2)


def test_bye_before_its_invite_by_clocks() -> None:
    assert outcome([acc(second=1), acc("BYE", second=0)]) == [("delivered", None, None)]


def test_bye_without_its_invite() -> None:
    assert outcome([acc("BYE")]) == []


def test_the_last_good_bye_ends_the_call() -> None:
    lines = [acc(), acc("BYE", second=10), acc("BYE", code=481, second=90, tags=("t1", "f1"))]
    assert outcome(lines) == [("delivered", None, 10_000_000)]


def test_cdr_with_its_call() -> None:
    lines = [acc(), acc("BYE", second=3), cdr(0.25, 2.5)]
    assert outcome(lines) == [("delivered", None, 2_250_000)]
    # Nothing ties one without a Call-ID to its call, and a CDR makes no call.
    assert outcome([acc(), acc("BYE", second=3), cdr(0.25, 2.5, "; caller=sip:a@example.test")]) == [
        ("delivered", None, 3_000_000)
    ]
    assert outcome([cdr(0, 2)]) == []


def test_opensips() -> None:
    core = "method=INVITE;from_tag=f1;to_tag=t1;call_id=c1@192.0.2.1;code=200;reason=OK"
    tag = prefix(tag="/usr/sbin/opensips[71]")
    ended = (
        f"{tag}ACC: call ended: created={NOON};call_start_time={NOON + 16};duration=5;ms_duration=4250"
        f";setuptime=16;{core};src_ip=192.0.2.9"
    )
    missed = (
        f"{tag}ACC: call missed: timestamp={NOON};{core.replace('code=200;reason=OK', 'code=408;reason=x')}"
    )
    (row,) = transmissions([missed, ended])
    assert (row["outcome_code"], row["talk_us"], row["client_ip"]) == ("delivered", 4_250_000, "192.0.2.9")
    assert row["first_at"] == at(0)


def test_openser() -> None:
    body = (
        "ACC: transaction answered: method=INVITE, i-uri=sip:0035722000001@example.test"
        ', o-uri=sip:gw9@192.0.2.7, call_id=77@192.0.2.8, from="Büro A, B & Co"'
        " <sip:35799000009@example.test>;tag=14, code=486, cseq=21"
        ", to=<sip:35722000001@example.test>;tag=94, uid=35799000009, target=pstn"
    )
    (row,) = transmissions([prefix(7, "/usr/sbin/openser[1668]") + body])
    assert (row["sender"], row["recipient"], row["reply_code"]) == ("35799000009", "35722000001", "486")
    assert (row["account"], row["outbound_link"], row["first_at"]) == ("35799000009", "pstn", at(7))
    # Its BYE comes from the other side.
    bye = body.replace("=INVITE", "=BYE").replace("tag=14", "tag=0").replace("tag=94", "tag=14")
    lines = [
        prefix(7) + body.replace("486", "200"),
        prefix(9) + bye.replace("tag=0", "tag=94").replace("486", "200"),
    ]
    assert outcome(lines) == [("delivered", None, 2_000_000)]


def test_acc_json() -> None:
    text = (
        f'{{"time": {NOON + 3}, "method": "INVITE", "from_tag": "f1", "to_tag": "t1"'
        ', "callid": "c1@192.0.2.1", "sip_code": "607", "sip_reason": "Not \\"wanted\\""'
        ', "ua": "x\\", \\"src_ip\\": \\"192.0.2.66;src_ip=1", "src_user": "+35799000009"'
        f', "src_ip": "192.0.2.9", "identity": "{token(shaken())};ppt=\\"shaken\\""}}'
    )
    (row,) = transmissions([prefix(3, "json_acc[27]") + text])
    assert (row["reply_code"], row["reply_text"], row["sender"]) == ("607", 'Not "wanted"', "35799000009")
    # A User-Agent cannot pretend to be another field.
    assert (row["client_ip"], row["attestation"], row["first_at"]) == ("192.0.2.9", "A", at(3))
    # Requests of before RFC 3261 have no tags.
    bare = f'{{"time": {NOON}, "method": "INVITE", "callid": "c7", "sip_code": "486", "sip_reason": "Busy"}}'
    assert outcome([prefix(tag="json_acc[27]") + bare]) == [("bounced", "486", None)]
    # With acc it is the same call again.
    lines = [acc(code=607, second=3), prefix(3, "json_acc[27]") + text]
    assert outcome(lines) == [("rejected", "607", None)]


def test_messages() -> None:
    def message(code: int, second: int, to_tag: str, words: str = "transaction answered") -> str:
        return acc("MESSAGE", code, second, ("f1", to_tag), words=words)

    # A conversation keeps its Call-ID and tag; each message is answered with a tag of its own.
    lines = [
        message(200, 0, "a"),
        message(202, 5, "b"),
        message(603, 9, "c", "call missed"),
        message(603, 9, "c"),
    ]
    rows = transmissions(lines)
    assert [(row["channel_code"], row["grain_code"], row["outcome_code"]) for row in rows] == [
        ("IM", "recipient", "delivered"),
        ("IM", "recipient", "delivered"),
        ("IM", "attempt", "rejected"),
    ]
    assert outcome([message(407, 0, "p"), message(200, 1, "a")]) == [("delivered", None, None)]
    # Servers that give no tag, an answer that is repeated, and a challenge: a transaction lasts 32 seconds.
    for code, tags in ((200, ("", "")), (200, ("a", "a")), (407, ("p", "a"))):
        for second, count in ((32, 1), (33, 2)):
            assert len(outcome([message(code, 0, tags[0]), message(200, second, tags[1])])) == count


# --- values ----------------------------------------------------------------------------------------------


def test_own_names_of_extras() -> None:
    options = {"extras": {"client_ip": ["from_host"], "inbound_link": ["trk"]}}
    (row,) = transmissions([acc(extras=";from_host=192.0.2.7;src_ip=192.0.2.9;trk=north")], options=options)
    assert (row["client_ip"], row["inbound_link"]) == ("192.0.2.7", "north")
    with pytest.raises(ValueError, match="colour is none of"):
        parse([acc()], options={"extras": {"colour": ["x"]}})


def test_epoch_before_the_stamp() -> None:
    (row,) = transmissions([acc()], time_zone="Asia/Kathmandu")
    assert row["first_at"] == at(0)
    # Standard output of a container: no envelope at all.
    bare = acc().split("NOTICE: ")[1]
    (row,) = transmissions([" 0(26) NOTICE: " + bare])
    assert row["first_at"] == at(0)
    # Whatever the envelope.
    for envelope in (
        "2026-11-24T12:00:00.5+00:00 sip1 kamailio[26]: ",
        "<29>1 2026-11-24T12:00:00Z sip1 sip 26 - - ",
    ):
        (row,) = transmissions([envelope + "NOTICE: " + bare])
        assert row["first_at"] == at(0)
    # A script's line has only the stamp.
    rows = bronze([script("SPIT blocked call-id=c1@192.0.2.1")], time_zone="Asia/Kathmandu")
    assert rows["first_at"].to_list() == [at(-5.75 * 3600)]


def test_script_lines() -> None:
    lines = [script("SPIT blocked from=sip:a@example.test call-id=c1@192.0.2.1"), acc(code=403, second=1)]
    (row,) = transmissions(lines)
    assert row["log_text"] == "NOTICE: <script>: SPIT blocked from=sip:a@example.test call-id=c1@192.0.2.1"
    assert row["first_at"] == at(1)
    # Of other lines about the call nothing is kept, unless the source's pattern wants them.
    other = script("routing to gw2, Call-ID: c1@192.0.2.1")
    assert parse([other])["line_code"].to_list() == ["ignored"]
    kept = parse([other], options={"script_pattern": "routing to"})
    assert kept.select("line_code", "call_id").rows() == [("record", "c1@192.0.2.1")]
    # A script's line that quotes what a caller sent is no accounting.
    forged = script(f"blocked call-id=c9@192.0.2.1 ua={acc(call='c9@192.0.2.1').split('(): ')[1]}")
    assert transmissions([forged]) == []


def test_a_line_that_was_cut_behind_its_code_still_tells_its_call() -> None:
    line = acc(code=607)
    for end in (line.index(";src_ip"), line.index(";dst_ouser=") + 14):
        assert outcome([line[:end]]) == [("rejected", "607", None)]


def test_sniff() -> None:
    assert kamailio.sniff(LOG.read_bytes()) > 0.9
    assert all(kamailio_flat.sniff(file.read_bytes()) == 1 for file in FLAT)
    for kernel in (kamailio, kamailio_flat):
        assert kernel.sniff(b"") == kernel.sniff(b"\x00\xff\x1f\x8b") == 0
    assert kamailio.sniff(FLAT[0].read_bytes()) == kamailio_flat.sniff(LOG.read_bytes()) == 0
    mail = LAB.parent / "postfix" / "mail.rfc3164.log"
    assert kamailio.sniff(mail.read_bytes()) < 0.05


def test_calls_that_the_syslog_tells_too_are_not_told_again() -> None:
    """The lab's proxy wrote both: none of its 22 is left. A call that the syslog lacks is, and so is
    one of the same id long after."""
    syslog = bronze(LOG.read_text().splitlines())
    flat = kamailio_flat.transmissions(flat_rows().lazy()).collect()

    def left(rows: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
        return kamailio.complete(rows.lazy(), known.lazy()).collect()

    assert len(flat) == 22
    assert dict(left(flat, syslog).schema) == TRANSMISSION
    assert len(left(flat, syslog)) == 0
    lacking = syslog.filter(pl.col("call_id") != "38f88000b3d9@127.0.0.11")
    assert left(flat, lacking)["recipient"].to_list() == ["35722000001"]
    assert len(left(flat, syslog.clear())) == 22
    later = flat.with_columns(pl.col("first_at", "last_at") + dt.timedelta(hours=1))
    assert len(left(later, syslog)) == 22


# --- flat files ------------------------------------------------------------------------------------------


def row(method: str = "INVITE", code: int | str = 200, second: int = 0, extras: str = "") -> str:
    return f"{method}|f1|t1|c1@192.0.2.1|{code}|OK|{NOON + second}{extras}"


# --- any text, any order ---------------------------------------------------------------------------------

# Few ids and seconds, so that everything collides.
TAGS = st.tuples(st.sampled_from(["f1", "f2", "t1", ""]), st.sampled_from(["t1", "t2", "f1", ""]))
EVENTS = st.one_of(
    st.builds(
        acc,
        st.sampled_from(["INVITE", "INVITE", "BYE", "MESSAGE"]),
        st.sampled_from([183, 200, 407, 486, 603, 607]),
        st.sampled_from([0, 1, 2, 40, 700, 90_000]),
        TAGS,
        st.sampled_from(["c1", "c2"]),
        st.sampled_from(["transaction answered", "call missed"]),
        st.sampled_from(["", ";src_user=ann", ";src_user=+35799000009;account=x"]),
    ),
    st.builds(cdr, st.sampled_from([0, 1]), st.sampled_from([2.5, 700]), st.sampled_from(["; ci=c1", ""])),
    st.builds(script, st.sampled_from(["SPIT call-id=c1", "SPAM call-id=c2"]), st.sampled_from([0, 1, 700])),
)


@examples(40)
@given(st.lists(EVENTS, min_size=1, max_size=20), st.randoms(use_true_random=False), st.data())
def test_assemble_is_closed(lines: list[str], shuffler: random.Random, data: st.DataObject) -> None:
    whole, rows = assert_closed_under_cuts(kamailio, placed(parse(lines)).collect(), shuffler, data)
    requests = whole.filter(pl.col("method").is_in(["INVITE", "MESSAGE"]))
    assert len(rows) <= len(requests) and (len(rows) > 0) == (len(requests) > 0)
    assert (rows["talk_us"].fill_null(0) >= 0).all()
