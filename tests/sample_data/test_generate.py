"""The generator of sample data: the same seed gives the same bytes, and the truth holds together."""

import datetime as dt
import gzip
import hashlib
import json
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from sample_data.generate import arrivals_for, copies_of, generate, main, settings
from sample_data.generator.profiles import BENCH, HIMAL, LAGOON, PROFILES
from sample_data.generator.queueids import ALPHABET, QueueIds
from sample_data.generator.sms import Text, split
from sample_data.generator.truth import FIELDS, PRECEDENCE, Measure, Message, Recipient, Truth
from sample_data.generator.world import DAY, SECOND, country_of, network_of, ranges

SIZE = 2.5
STAMPS = {
    "himal-mail/mail.log": r"(?:Nov) [ 12][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9] mx1 ",
    "lagoon-mail/mail.log": r"2026-11-2[0-2]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{6}\+00:00 mx1 ",
    "rspamd.log": r"2026-11-2[0-3] [0-2][0-9]:[0-5][0-9]:[0-5][0-9] #",
    "bearerbox-access.log": r"2026-11-2[0-3] [0-2][0-9]:[0-5][0-9]:[0-5][0-9] [A-Z]",
}
KANNEL = re.compile(
    r"^\S+ \S+ (?P<event>Receive SMS|Receive DLR|Sent SMS|REJECTED Send SMS|REJECTED - black-listed SMS"
    r"|FAILED Receive DLR)"
    r" \[SMSC:[^\]]*\] \[SVC:[^\]]*\] \[ACT:[^\]]*\] \[BINF:[^\]]*\] \[FID:[^\]]*\] \[META:[^\]]*\]"
    r" \[from:[^\]]*\] \[to:\+?[0-9A-Z]+\] \[flags:-1:(?P<coding>-?[0-9]):-1:-?[0-9]:-?[0-9]+\]"
    r" \[msg:(?P<length>[0-9]+):(?P<text>.*)\] \[udh:(?:0:|6:050003[0-9A-F]{6})\]$"
)
RSPAMD = re.compile(
    r"^\S+ \S+ #\d+\(rspamd_proxy\) <[0-9a-f]{6}>; proxy; rspamd_task_write_log:"
    r" id: <[^<>]+>, qid: <(?P<qid>\w+)>,"
    r" ip: [0-9a-f.:]+,(?: user: \S+,)?(?: from: <[^<>]+>,)?"
    r" \(default: (?P<flag>[SF]) \((?P<action>[a-z ]+)\):"
    r" \[-?\d+\.\d\d/15\.00\] \[.*\]\), len: \d+, time: \d+\.\d{3}ms, dns req: \d+,"
    r" digest: <[0-9a-f]{32}>, rcpts: <[^<>]+>, mime_rcpts: <[^<>]+>(?:, forced: .*)?$"
)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    out = tmp_path_factory.mktemp("study")
    return out, generate(out, seed=11, megabytes=SIZE)


def files_of(out: Path, log: str) -> list[Path]:
    """The files of a log, oldest first."""
    folder, name = out / log.split("/")[0], log.split("/")[1]
    return sorted(folder.glob(f"{name}*"), key=lambda path: (path.stat().st_mtime, path.name))


def lines_of(out: Path, log: str) -> list[str]:
    return [line for path in files_of(out, log) for line in path.read_text("utf-8").splitlines()]


def sums(facts: list[dict], *names: str) -> Counter:
    total: Counter = Counter()
    for fact in facts:
        total[tuple(fact[name] for name in names)] += fact["count"]
    return total


def digest(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


@pytest.mark.long
def test_same_seed_gives_same_bytes(study: tuple[Path, dict], tmp_path: Path) -> None:
    generate(tmp_path, seed=11, megabytes=SIZE)
    assert digest(tmp_path) == digest(study[0])


@pytest.mark.long
def test_other_seed_gives_other_bytes(study: tuple[Path, dict], tmp_path: Path) -> None:
    generate(tmp_path, seed=12, megabytes=SIZE)
    ours, theirs = digest(study[0]), digest(tmp_path)
    assert ours["himal-mail/mail.log"] != theirs["himal-mail/mail.log"]
    assert ours["truth.json"] != theirs["truth.json"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("profile", "megabytes", "days"), [("study", SIZE, 3), ("study", 6, 5), ("benchmark", 5, 1)]
)
def test_size_is_met(tmp_path: Path, profile: str, megabytes: float, days: int) -> None:
    generate(tmp_path, megabytes=megabytes, days=days, operators=PROFILES[profile])
    written = sum(path.stat().st_size for path in tmp_path.glob("*/*.log*"))
    assert abs(written / 1e6 - megabytes) <= 0.2 * megabytes


def test_told_size_is_size_on_disk(study: tuple[Path, dict]) -> None:
    out, truth = study
    for operator in truth["operators"]:
        for name, size in operator["bytes_written"].items():
            paths = files_of(out, f"{operator['operator_id']}/{name}")
            assert sum(path.stat().st_size for path in paths) == size
            assert sum(path.read_bytes().count(b"\n") for path in paths) == operator["line_count"][name]


LOGS = [
    "himal-mail/mail.log",
    "himal-mail/rspamd.log",
    "lagoon-mail/mail.log",
    "lagoon-mail/rspamd.log",
    "channel-sms/bearerbox-access.log",
    "hexagone-sms/bearerbox-access.log",
]


@pytest.mark.parametrize("log", LOGS)
def test_every_line_has_its_stamp_and_comes_in_order(study: tuple[Path, dict], log: str) -> None:
    stamp = re.compile(STAMPS.get(log) or STAMPS[log.split("/")[1]])
    width = len("2026-11-22T00:12:52.042300") if log.startswith("lagoon-mail/mail") else 19
    width = 15 if log.startswith("himal-mail/mail") else width
    lines = lines_of(study[0], log)
    assert len(lines) > 100
    assert [line for line in lines if not stamp.match(line)] == []
    stamps = [line[:width] for line in lines]
    assert stamps == sorted(stamps)


@pytest.mark.parametrize("log", LOGS)
def test_a_file_holds_one_local_day(study: tuple[Path, dict], log: str) -> None:
    paths = files_of(study[0], log)
    width = 6 if log.startswith("himal-mail/mail") else 10
    days = [{line[:width] for line in path.read_text("utf-8").splitlines()} for path in paths]
    assert all(len(day) == 1 for day in days)
    assert len(set().union(*days)) == len(paths) >= 3


def test_mail_forms(study: tuple[Path, dict]) -> None:
    """The forms that a reader of Postfix logs must know are all there."""
    himal = "\n".join(lines_of(study[0], "himal-mail/mail.log"))
    lagoon = "\n".join(lines_of(study[0], "lagoon-mail/mail.log"))
    both = himal + "\n" + lagoon
    for form in (
        r"postfix/smtpd\[\d+\]: [0-9A-F]{11,12}: client=\S+\[[0-9a-f.:]+\]$",
        r"postfix/submission/smtpd\[\d+\]: \w+: client=\S+\[\S+\], sasl_method=PLAIN, sasl_username=\S+@\S+$",
        r"postfix/postscreen\[\d+\]: NOQUEUE: reject: RCPT from \[\S+\]:\d+: 550 5\.7\.1 Service unavailable;"
        r" client \[\S+\] blocked using zen\.spamhaus\.org; from=<\S+>, to=<\S+>, proto=ESMTP, helo=<\S+>$",
        r"postfix/postscreen\[\d+\]: DNSBL rank [3-5] for \[\S+\]:\d+$",
        r"postfix/dnsblog\[\d+\]: addr \S+ listed by domain \S+ as 127\.0\.0\.\d+$",
        r"postfix/postscreen\[\d+\]: PREGREET \d+ after \S+ from \[\S+\]:\d+: EHLO \S+\\r\\n$",
        r"postfix/cleanup\[\d+\]: \w+: removed \(canceled\)$",
        r"postfix/cleanup\[\d+\]: \w+: removed \(discarded\)$",
        r"postfix/virtual\[\d+\]: \w+: to=<\S+>, orig_to=<\S+>, relay=virtual,"
        r" delay=\S+, delays=\S+, dsn=2\.0\.0, status=sent \(delivered to maildir\)$",
    ):
        assert re.search(form, himal, re.M), form
    for form in (
        r"postfix/reinject/smtpd\[\d+\]: \w+: client=localhost\[127\.0\.0\.1\], "
        r"orig_queue_id=\w+, orig_client=\S+\[\S+\]$",
        r"relay=127\.0\.0\.1\[127\.0\.0\.1\]:10024, .* status=sent \(250 2\.0\.0 from MTA.*queued as \w+\)$",
        r"status=sent \(250 2\.7\.0 Ok, discarded, id=\S+ - spam\)$",
        r"postfix/lmtp\[\d+\]: \w+: to=<\S+>, relay=mx1\.lagoon\.example\[private/dovecot-lmtp\]",
    ):
        assert re.search(form, lagoon, re.M), form
    for form in (
        r"NOQUEUE: reject: RCPT from \S+: 450 4\.2\.0 <\S+>: Recipient address rejected: Greylisted",
        r"milter-reject: END-OF-MESSAGE from \S+\[\S+\]: 5\.7\.1 Spam message rejected; from=<\S+> to=<",
        r"milter-reject: END-OF-MESSAGE from \S+\[\S+\]: 4\.7\.1 Try again later; from=<\S*> to=<\S+>",
        r"status=deferred \(connect to \S+\[\S+\]:25: Connection timed out\)$",
        r"status=bounced \(host \S+ said: 550 ",
        r"sender non-delivery notification: \w+$",
        r"qmgr\[\d+\]: \w+: from=<>, size=\d+, nrcpt=1 \(queue active\)$",
        r"statistics: max connection rate \d+/60s for \(smtp:\S+\) at Nov ",
    ):
        assert re.search(form, both, re.M), form


def test_queue_files_begin_and_end(study: tuple[Path, dict]) -> None:
    """A queue id is never taken while its file lives, and the files left at the end are deferred ones."""
    for log in ("himal-mail/mail.log", "lagoon-mail/mail.log"):
        live: dict[str, str] = {}
        for line in lines_of(study[0], log):
            found = re.search(r"postfix/\S+\[\d+\]: ((?!statistics)[0-9A-Za-z]{10,}): (.*)", line)
            if not found:
                continue
            queue_id, text = found.groups()
            if text.startswith("client="):
                assert queue_id not in live
                live[queue_id] = ""
            elif text.startswith("message-id="):
                live.setdefault(queue_id, "")
            elif text.startswith("removed"):
                del live[queue_id]
            else:
                assert queue_id in live, line
                live[queue_id] += text
        assert all("status=deferred" in told for told in live.values())


def test_rspamd_lines(study: tuple[Path, dict]) -> None:
    actions: Counter = Counter()
    for log in ("himal-mail/rspamd.log", "lagoon-mail/rspamd.log"):
        queue_ids = set(
            re.findall(r": (\w{10,}): client=", "\n".join(lines_of(study[0], log.replace("rspamd", "mail"))))
        )
        for line in lines_of(study[0], log):
            found = RSPAMD.match(line)
            assert found, line
            assert found["qid"] in queue_ids
            assert (found["flag"] == "S") == (found["action"] in ("reject", "add header", "rewrite subject"))
            actions[found["action"]] += 1
    assert {"no action", "reject", "add header", "soft reject"} <= set(actions)


def test_kannel_lines(study: tuple[Path, dict]) -> None:
    events: Counter = Counter()
    for log in ("channel-sms/bearerbox-access.log", "hexagone-sms/bearerbox-access.log"):
        for line in lines_of(study[0], log):
            if line.endswith(("Log begins", "Log ends")):
                continue
            found = KANNEL.match(line)
            assert found, line
            text = found["text"]
            size = len(text) // 2 if found["coding"] == "2" else len(text.encode())
            assert size == int(found["length"])
            events[found["event"]] += 1
            if "[flags:-1:-1:-1:-1:" in line:
                events[f"mask {line.split('[flags:-1:-1:-1:-1:')[1].split(']')[0]}"] += 1
    assert all(
        events[event] for event in ("Receive SMS", "Sent SMS", "REJECTED Send SMS", "FAILED Receive DLR")
    )
    assert all(events[f"mask {mask}"] for mask in (1, 2, 4, 8, 16))


def test_only_documentation_addresses_and_names(study: tuple[Path, dict]) -> None:
    known = re.compile(r"^(?:192\.0\.2|198\.51\.100|203\.0\.113)\.\d+$|^127\.0\.0\.\d+$")
    for log in LOGS[:4]:
        text = "\n".join(lines_of(study[0], log))
        assert [
            ip
            for ip in set(re.findall(r"(?<![\d.])\d+\.\d+\.\d+\.\d+(?![\d.])", text))
            if not known.match(ip)
        ] == []
        for domain in set(re.findall(r"<[^<>@ ]+@([^<>@ ]+)>", text)):
            assert domain.rsplit(".", 1)[-1] in ("example", "test", "invalid"), domain
    fiction = re.compile(
        r"\+?(?:447700900\d{3}|3363998\d{4}|120255501\d\d|6149157015[6-9]|35320911\d{4}|60777|7726|36111|33700)"
    )
    for log in LOGS[4:]:
        for number in set(re.findall(r"\[(?:from|to):(\+?\d+)\]", "\n".join(lines_of(study[0], log)))):
            assert fiction.fullmatch(number), number


def test_facts_are_whole(study: tuple[Path, dict]) -> None:
    facts = study[1]["facts"]
    assert len({tuple(fact[name] for name in FIELDS) for fact in facts}) == len(facts)
    for fact in facts:
        assert set(fact) == {*FIELDS, "count"}
        assert fact["count"] > 0
        assert fact["outcome_code"] in PRECEDENCE
        assert fact["stage_code"] in ("connect", "envelope", "content", "delivery")
        assert fact["direction_code"] in ("inbound", "outbound", "internal", "transit")
        assert fact["grain"] != "attempt" or fact["outcome_code"] in ("rejected", "deferred")
        assert fact["countermeasure_code"] is not None or fact["is_antispam"] is False
        assert (fact["source_network"] is not None) == (fact["channel_code"] == "EMAIL")
    assert {fact["period_date"] for fact in facts} == {"2026-11-20", "2026-11-21", "2026-11-22"}


def test_messages_recipients_and_segments_agree(study: tuple[Path, dict]) -> None:
    by = sums(study[1]["facts"], "grain", "operator_id", "period_date", "direction_code")
    for (grain, *rest), messages in by.items():
        if grain == "message":
            assert messages <= by["recipient", *rest]
            if rest[0].endswith("sms"):
                assert (
                    messages == by["recipient", *rest] < by["segment", *rest]
                    or messages <= by["segment", *rest]
                )
            else:
                assert ("segment", *rest) not in by


def test_operators_differ(study: tuple[Path, dict]) -> None:
    """Blocked or tagged spam makes shares that a chart can tell apart."""
    shares = {}
    for operator in study[1]["operators"]:
        mine = [
            f
            for f in study[1]["facts"]
            if f["operator_id"] == operator["operator_id"] and f["grain"] != "segment"
        ]
        units = [f for f in mine if f["grain"] in ("message", "attempt")]
        stopped = sum(f["count"] for f in units if f["is_antispam"] and f["outcome_code"] != "delivered")
        shares[operator["operator_id"]] = stopped / sum(f["count"] for f in units)
    assert (
        shares["himal-mail"] > shares["lagoon-mail"] > shares["channel-sms"] > shares["hexagone-sms"] > 0.005
    )
    countries = {f["source_country_code"] for f in study[1]["facts"] if f["channel_code"] == "EMAIL"}
    assert len(countries) >= 14


def test_settings_name_the_logs(study: tuple[Path, dict]) -> None:
    out = study[0]
    told = tomllib.loads((out / "observatory.toml").read_text("utf-8"))
    assert [operator["id"] for operator in told["operator"]] == [
        o["operator_id"] for o in study[1]["operators"]
    ]
    matched = {
        path
        for operator in told["operator"]
        for source in operator["source"]
        for path in out.glob(source["url"])
    }
    assert matched == set(out.glob("*/*.log*"))
    assert {s["format"] for o in told["operator"] for s in o["source"]} == {"postfix", "rspamd", "kannel"}


def test_gzip_keeps_the_bytes_and_the_time(study: tuple[Path, dict], tmp_path: Path) -> None:
    generate(tmp_path, seed=11, megabytes=SIZE, is_gzip=True)
    packed = sorted(tmp_path.glob("*/*.gz"))
    assert len(packed) == len(list(study[0].glob("*/*.log*")))
    for path in packed:
        twin = study[0] / path.relative_to(tmp_path).with_suffix("")
        assert gzip.decompress(path.read_bytes()) == twin.read_bytes()
        assert int.from_bytes(path.read_bytes()[4:8], "little") == int(twin.stat().st_mtime)


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "--operators",
        "lagoon-mail",
        "--copies",
        "2",
        "--days",
        "1",
        "--megabytes",
        "0.6",
        "--start",
        "2026-12-31",
    ]
    details = tmp_path / "messages.jsonl"
    assert main(["--out", str(tmp_path / "x"), *arguments, "--truth-messages", str(details)]) == 0
    assert "lagoon-mail-2" in capsys.readouterr().out
    truth = json.loads((tmp_path / "x" / "truth.json").read_text("utf-8"))
    assert {fact["period_date"] for fact in truth["facts"]} == {"2026-12-31"}
    told = [json.loads(line) for line in details.read_text("utf-8").splitlines()]
    recipients = sum(len(m["recipients"]) for m in told if m["grain"] == "message" and not m["is_own_dsn"])
    assert recipients == sums(truth["facts"], "grain")["recipient",]
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path), "--days", "0"])


def test_networks_table_is_sound() -> None:
    rows = ranges()
    for row in rows:
        others = [other for other in rows if other is not row and other.version == row.version]
        assert not any(other.first <= row.last and row.first <= other.last for other in others)
    assert country_of("203.0.113.70") == "IDN"
    assert country_of("8.8.8.8") is None
    assert network_of("203.0.113.70") == "203.0.113.0/24"
    assert network_of("2001:db8:3004::1a") == "2001:db8:3004::/48"


def told(
    at: int,
    sender: str = "a@one.example",
    *,
    temporary: bool = False,
    attempt: bool = False,
    ip: str = "203.0.113.9",
) -> Message:
    """A message of two recipients, or the refused attempts for both."""
    recipients = [
        Recipient(f"{name}@himal.example", "envelope", "deferred" if temporary else "rejected")
        for name in "xy"
    ]
    message = Message(at, "EMAIL", "inbound", sender, recipients, ip, measure=Measure("GREYLIST", True))
    message.is_temporary, message.is_attempt = temporary, attempt
    return message


@pytest.mark.parametrize(
    ("gap", "sender", "ip", "attempts"),
    [
        (300 * SECOND, "a@one.example", "203.0.113.200", 0),
        (DAY + SECOND, "a@one.example", "203.0.113.9", 2),
        (300 * SECOND, "b@one.example", "203.0.113.9", 2),
        (300 * SECOND, "a@one.example", "198.51.100.9", 2),
    ],
    ids=["same network", "after a day", "other sender", "other network"],
)
def test_temporary_refusal_folds_into_what_follows(gap: int, sender: str, ip: str, attempts: int) -> None:
    truth = Truth("himal-mail")
    truth.close(truth.open(told(0, temporary=True, attempt=True)))
    message = truth.open(told(gap, sender, ip=ip))
    message.settle("delivery", "delivered", Measure())
    truth.close(message)
    truth.finish()
    grains: Counter = Counter()
    for key, count in truth.facts.items():
        grains[key[FIELDS.index("grain")]] += count
    assert grains == Counter({"recipient": 2, "message": 1, "attempt": attempts})


def test_lasting_refusals_do_not_fold() -> None:
    truth = Truth("himal-mail")
    for at in (0, 300 * SECOND):
        truth.close(truth.open(told(at, attempt=True)))
    truth.finish()
    assert sum(truth.facts.values()) == 4


def test_message_counts_under_its_highest_outcome() -> None:
    truth = Truth("himal-mail")
    message = truth.open(told(0))
    message.recipients[0].outcome, message.recipients[1].outcome = "bounced", "delivered"
    truth.close(message)
    outcomes = {
        key[FIELDS.index("outcome_code")]: count for key, count in truth.facts.items() if "message" in key
    }
    assert outcomes == {"delivered": 1}


@pytest.mark.parametrize(
    ("body", "coding", "parts"),
    [
        ("a" * 160, 0, 1),
        ("a" * 161, 0, 2),
        ("[" * 80, 0, 1),
        ("[" * 81, 0, 2),
        ("ж" * 70, 2, 1),
        ("ж" * 71, 2, 2),
        ("😀" * 36, 2, 2),
    ],
)
def test_sms_parts(body: str, coding: int, parts: int) -> None:
    pieces = split(Text(body, coding, "UNK", False))
    assert len(pieces) == parts
    assert "".join(pieces) == body


def test_long_queue_id_tells_its_time() -> None:
    import random

    at = int(dt.datetime(2026, 11, 24, 14, 16, 28, 988252, dt.UTC).timestamp() * SECOND)
    queue_id = QueueIds(random.Random(1), is_long=True).take(at)
    assert queue_id.startswith("4jYlH071Srz")
    assert set(queue_id) <= set(ALPHABET)


def test_short_queue_id_comes_back_only_after_an_hour() -> None:
    import random

    ids = QueueIds(random.Random(1), is_long=False)
    freed: dict[str, int] = {}
    again = 0
    for step in range(6000):
        at = step * 7 * SECOND + step * 37
        queue_id = ids.take(at)
        if queue_id in freed:
            again += 1
            assert at - freed[queue_id] >= 3600 * SECOND
        ids.free(at + SECOND, queue_id)
        freed[queue_id] = at + SECOND
    assert again > 20


def test_more_megabytes_mean_more_arrivals() -> None:
    first = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
    counts = [arrivals_for(HIMAL, 7, first, 3, size) for size in (1_000_000, 10_000_000)]
    assert 9.9 < counts[1] / counts[0] < 10.1


def test_copies_are_operators_of_their_own() -> None:
    copies = copies_of((LAGOON, BENCH), 3)
    assert len({operator.id for operator in copies}) == len({operator.holding for operator in copies}) == 6
    assert len(tomllib.loads(settings(copies))["operator"]) == 6
