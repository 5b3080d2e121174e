"""Ignored lines: which look like refusals, and what `sniff --ignored` shows of them."""

import datetime as dt
import io
import json
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from jobs.cli import main as command_line
from jobs.operators.formats import Source
from jobs.operators.formats.exim import FORMAT as exim
from jobs.operators.formats.jasmin import FORMAT as jasmin
from jobs.operators.formats.postfix import FORMAT as postfix
from jobs.operators.formats.rspamd import FORMAT as rspamd
from jobs.operators.formats.sendmail import FORMAT as sendmail
from jobs.operators.formats.shared.lines import frame_lines
from jobs.operators.formats.sip.kamailio import FORMAT as kamailio
from jobs.operators.ingest.parsing import parse_block
from jobs.operators.ingest.piece_ranges import Range
from jobs.operators.silver.assembling import assemble_rows
from jobs.operators.silver.pipeline import count_once
from jobs.operators.sniff.command import sniff_files
from jobs.operators.sniff.silver import PROTECTION
from jobs.operators.sniff.tally import OPERATOR, look_like_refusals
from tests.conftest import ROOT
from tests.operators.formats.test_formats import golden_lines
from tests.operators.formats.test_postfix import LIMITS

LAB = ROOT / "sample_data" / "lab"
NEWEST = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)


def told(path: Path, has_ignored: bool = True, width: int = 80) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width)
    sniff_files([str(path)], time.monotonic() + 3600, False, console, console, has_ignored=has_ignored)
    return out.getvalue()


def as_json(path: Path, has_ignored: bool = True) -> dict[str, Any]:
    out = io.StringIO()
    console = Console(file=out)
    sniff_files([str(path)], time.monotonic() + 3600, True, console, console, has_ignored=has_ignored)
    (log,) = json.loads(out.getvalue())["logs"]
    return dict(log)


def line(second: int, text: str) -> str:
    at = f"10:{second // 60:02d}:{second % 60:02d}"
    return f"2026-11-24T{at}+00:00 mx1 postfix/{text}\n"


def message(number: int) -> str:
    queue_id = f"4AB{number:07X}"
    return "".join(
        line(number, text)
        for text in (
            f"smtpd[7]: connect from mail.shop.example[192.0.2.{number}]",
            f"smtpd[7]: {queue_id}: client=mail.shop.example[192.0.2.{number}]",
            f"cleanup[8]: {queue_id}: message-id=<m{number}@shop.example>",
            f"qmgr[9]: {queue_id}: from=<a{number}@shop.example>, size=900, nrcpt=1 (queue active)",
            f"local[5]: {queue_id}: to=<ann{number}@own.example>, relay=local, delay=1, dsn=2.0.0,"
            " status=sent (delivered to mailbox)",
            f"qmgr[9]: {queue_id}: removed",
            f"smtpd[7]: disconnect from mail.shop.example[192.0.2.{number}] commands=5",
        )
    )


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    """Eight messages, and lines that a Postfix of the future writes of what it refuses."""
    future = [
        line(
            100 + n,
            f"smtpd[7]: tarpit: dropped bob{n}@secret.example from x[192.0.2.{n}]: sentence {4711 + n}",
        )
        for n in range(3)
    ]
    future.append(line(110, "smtpd[7]: moon phase limit of 198.51.100.9 exceeded by <eve@secret.example>"))
    repeated = line(111, "smtpd[7]: NOQUEUE: reject_warning: RCPT from x[192.0.2.9]: 554 5.7.1 <x>: denied")
    beside = line(112, "x").replace("postfix/x", "dovecot: imap: Connection dropped by administrator")
    elsewhere = line(113, "smtp[6]: connect to mx.b.example[192.0.2.8]:25: Connection refused")
    path = tmp_path / "mail.log"
    path.write_text("".join([*map(message, range(8)), *future, repeated, beside, elsewhere]))
    return path


@pytest.mark.long
def test_ignored_lines_that_look_like_refusals_are_not_called_understood(mail: Path) -> None:
    log = as_json(mail)
    assert log["lines"] == 8 * 7 + 7 and not log["quarantined"]
    assert log["ignored_refusals"] == 4
    assert [(row["count"], row["pattern"]) for row in log["ignored_lines"] if row["looks_like_refusal"]] == [
        (3, "<time> mx1 postfix/smtpd[<n>]: tarpit: dropped <address> from x[<ip>]: sentence <n>"),
        (1, "<time> mx1 postfix/smtpd[<n>]: moon phase limit of <ip> exceeded by <address>"),
    ]
    others = {row["pattern"]: row["count"] for row in log["ignored_lines"] if not row["looks_like_refusal"]}
    assert others["<time> mx1 postfix/smtpd[<n>]: connect from <host>[<ip>]"] == 8
    assert sum(others.values()) == log["ignored"] - 4
    # Asked for or not, they count.
    short = as_json(mail, has_ignored=False)
    assert short["ignored_refusals"] == 4 and short["ignored_lines"] == []


@pytest.mark.long
def test_the_terminal_says_so_within_eighty_columns(mail: Path) -> None:
    text = told(mail, has_ignored=False)
    assert "93.7% of 63 lines" in text
    assert "in doubt  4 ignored lines (6.3%) look like refusals; --ignored shows them" in text
    text = told(mail)
    assert "in doubt 4 ignored lines (6.3%) look like refusals lines" in " ".join(text.split())
    first, _, second = text.partition("ignored lines that look like refusals")[2].partition(
        "commonest other ignored lines"
    )
    assert "tarpit: dropped" in first and "moon phase" in first and "connect from" in second
    for secret in ("secret.example", "192.0.2", "198.51.100", "4711", "4AB"):
        assert secret not in text.partition("ingesting it")[0]
    # The path of the log may be longer.
    assert max(len(line) for line in text.splitlines() if mail.name not in line) <= 80


REFUSED = "postfix/smtpd[7]: NOQUEUE: {}: RCPT from x[192.0.2.{}]: {}; from=<a@b.example> to=<{}> proto=ESMTP"
# What a policy service logs, and what the server logs of the refusal: how, its text, and what it is.
SERVICES = [
    (
        "{}policyd-spf[9]: 550 5.7.23 Message rejected due to: SPF fail - not authorized. Please see http://spf/",
        "reject",
        "550 5.7.23 <{}>: Recipient address rejected: Message rejected due to: SPF fail - not authorized.",
        ("rejected", "SENDER_AUTH"),
    ),
    (
        "{}postgrey[9]: action=greylist, reason=new, client_address=192.0.2.9/32, sender=a@b.example",
        "reject",
        "450 4.2.0 <{}>: Recipient address rejected: Greylisted, see http://postgrey.example/help",
        ("deferred", "GREYLIST"),
    ),
    (
        "{}milter-greylist[9]: (unknown id): addr x[192.0.2.9] from <a@b.example> rejected, denied by ACL 52",
        "milter-reject",
        "451 4.7.1 Greylisting in action, please come back in 00:05:00",
        ("deferred", "GREYLIST"),
    ),
]


@pytest.mark.parametrize("prefix", ["", "postfix/"])
@pytest.mark.parametrize("stamp", ["Nov 24 10:00:{:02d} mx1 ", "2026-11-24T10:00:{:02d}+00:00 mx1 "])
def test_refusals_of_policy_services_are_the_servers_alone(tmp_path: Path, prefix: str, stamp: str) -> None:
    """A service's own line is no second refusal, whatever its name; the server's line has the measure."""
    lines = []
    for n, (own, step, text, _) in enumerate(SERVICES):
        recipient = f"u{n}@own.example"
        lines.append(stamp.format(n) + own.format(prefix))
        lines.append(stamp.format(n) + REFUSED.format(step, n + 1, text.format(recipient), recipient))
    path = tmp_path / "mail.log"
    path.write_text("\n".join(lines) + "\n")
    log = as_json(path)
    assert (log["records"], log["ignored_refusals"]) == (3, 0)
    about = Source(OPERATOR, "a", "1", NEWEST)
    part = Range("", 0, path.stat().st_size, "piece", 0, about, format="postfix")
    rows = parse_block(frame_lines(path.read_bytes(), 0), part, "postfix", "batch").rows
    formats, _ = count_once(rows)
    found = assemble_rows("silver.transmission", formats, PROTECTION).sort("first_at")
    assert found.select("outcome_code", "countermeasure_code").rows() == [each[3] for each in SERVICES]
    assert found["is_antispam"].all()


def test_a_log_without_them_is_understood_whole(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    path.write_text("".join(map(message, range(8))))
    text = told(path)
    assert "100% of 56 lines" in text and "in doubt" not in text
    assert "\ncommonest ignored lines\n" in text


def test_the_option_of_the_command_line(
    mail: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["observatory", "sniff", "--ignored", str(mail)])
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    assert not ended.value.code
    assert "ignored lines that look like refusals" in capsys.readouterr().out


@pytest.mark.long
def test_what_kernels_now_count_is_ignored_no_more(tmp_path: Path) -> None:
    client = "mail.b.example[192.0.2.7]"
    mail = tmp_path / "mail.log"
    limits = [f"smtpd[7]: warning: {text.format(client)}" for text, *_ in LIMITS]
    mail.write_text("".join(line(n, text) for n, text in enumerate(limits)))
    assert as_json(mail) | {"ignored": 0, "ignored_refusals": 0} == as_json(mail)
    main = tmp_path / "mainlog"
    lab = LAB / "exim" / "mainlog"
    refused = "".join(f"{line}\n" for line, row in golden_lines("exim") if row["grain_code"] == "attempt")
    main.write_text(lab.read_text("utf-8") + refused, encoding="utf-8")
    assert as_json(main)["ignored"] == as_json(lab)["ignored"] and not as_json(main)["ignored_refusals"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("postfix/mail.rfc3164.log", 0),
        ("postfix/mail.iso8601.log", 0),
        ("postfix/mail.rfc5424.log", 0),
        ("postfix/rspamd.log", 0),
        ("exim/mainlog", 0),
        ("exim/rejectlog", 0),
        ("exim/spamd.log", 0),
        ("kannel/bearerbox-access.log", 0),
        # The script's warning names no call.
        ("kamailio/kamailio.rfc3164.log", 3),
    ],
)
def test_the_laboratorys_logs(name: str, count: int) -> None:
    assert as_json(LAB / name, has_ignored=False)["ignored_refusals"] == count


@pytest.mark.parametrize(
    ("kernel", "text", "is_refusal"),
    [
        (exim, "2026-11-24 14:01:53 SMTP connection from H=[192.0.2.7] closed by DROP in ACL", False),
        (exim, "  X-Report: it was rejected", False),
        (exim, "2026-11-24 14:01:53 H=[192.0.2.7] banned for a week", True),
        (sendmail, "Nov 24 14:01:53 mx1 sm-mta[7]: xAOE1rmk027713: milter=a, action=mail, reject", False),
        (
            sendmail,
            "Nov 24 14:01:53 mx1 sm-mta[7]: rejecting connections on daemon MTA: load average: 12",
            True,
        ),
        (sendmail, "Nov 24 14:01:53 mx1 sm-mta[7]: NOQUEUE: [192.0.2.7]: VRFY root [rejected]", False),
        (
            sendmail,
            "Nov 24 14:01:53 mx1 sm-mta[7]: xAOE1rmk027713: ruleset=tls_server, arg1=SOFTWARE, reject=403",
            False,
        ),
        (
            jasmin,
            "2026-11-24 14:00:00 ERROR    4711 Received an object[7] which is not an instance of SubmitSm:"
            " discarding this unknown object from the queue",
            False,
        ),
        (postfix, 'Nov 24 14:01:53 mx1 postfix/smtpd[7]: warning: proxy a rejected "RCPT": "550"', False),
        (postfix, "Nov 24 14:01:53 mx1 spamd[7]: spamd: too many clients", False),
        (kamailio, "Nov 24 14:01:53 sip1 kamailio[7]: pike: PIKE - BLOCKing ip 192.0.2.7", True),
        # A filter's own log has verdicts, and their details.
        (rspamd, "2026-11-24 14:01:53 #7(normal) <abc>; lua; greylist.lua: greylisted", False),
    ],
)
def test_which_lines_look_like_refusals(kernel: Any, text: str, is_refusal: bool) -> None:
    assert look_like_refusals(pl.Series([text]), kernel).to_list() == [is_refusal]
    assert look_like_refusals(pl.Series([], dtype=pl.String), kernel).to_list() == []
