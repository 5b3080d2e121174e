"""A Postfix log of some weeks, with what is true of it: how many messages began on each day, and who was
refused.

On each day mails are delivered by way of a content filter, so that each is two queue files that a Message-ID
joins; one of them goes on past midnight. A block list refuses others, the same senders day after day.
"""

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.whole_runs import MAIL_NETWORK, operator_toml, source_toml

FIRST, DAYS = dt.date(2026, 11, 10), 30
MAILS = 3


@dataclass
class MonthOfMail:
    """text: the log. delivered: messages by the day of their first event. refused: senders of each day."""

    text: str = ""
    delivered: dict[dt.date, int] = field(default_factory=dict)
    refused: dict[dt.date, set[str]] = field(default_factory=dict)


def month_of_mail(first: dt.date = FIRST, days: int = DAYS) -> MonthOfMail:
    month = MonthOfMail()
    lines: list[Line] = []
    for number in range(days):
        day = first + dt.timedelta(days=number)
        midnight = dt.datetime.combine(day, dt.time(), dt.UTC)
        for mail in range(MAILS):
            begin = midnight + dt.timedelta(hours=9 + mail)
            lines += lines_of_mail(begin, number * 10 + mail, f"person{mail}@far.example")
        late = midnight + dt.timedelta(hours=23, minutes=59, seconds=58)
        lines += lines_of_mail(late, number * 10 + 9, "late@far.example")
        month.delivered[day] = MAILS + 1
        month.refused[day] = {f"bad{each}@spam.example" for each in (number % 3, 7)}
        for place, sender in enumerate(sorted(month.refused[day])):
            lines.append(refusal(midnight + dt.timedelta(hours=15 + place), sender))
    month.text = "".join(f"{at:%Y-%m-%dT%H:%M:%S.%f}+00:00 mx1 {text}\n" for at, text in sorted(lines))
    return month


Line = tuple[dt.datetime, str]


def lines_of_mail(
    begin: dt.datetime, number: int, sender: str, recipient: str = "ann@example.test"
) -> list[Line]:
    """A mail that a content filter gives back two seconds later, and that is delivered five seconds later."""
    one, two = f"4cYqA{number:04d}z1fQ", f"4cYqB{number:04d}z1fR"
    name = f"m{number}@far.example"

    def line(after: float, program: str, text: str) -> Line:
        return begin + dt.timedelta(seconds=after), f"postfix/{program}: {text}"

    relay = "relay=127.0.0.1[127.0.0.1]:10024"
    return [
        line(0, "smtpd[1]", f"{one}: client=mail.far.example[192.0.2.10]"),
        line(0.1, "cleanup[2]", f"{one}: message-id=<{name}>"),
        line(0.2, "qmgr[3]", f"{one}: from=<{sender}>, size=900, nrcpt=1 (queue active)"),
        line(2, "smtpd[5]", f"{two}: client=localhost[127.0.0.1]"),
        line(2.1, "cleanup[6]", f"{two}: message-id=<{name}>"),
        line(2.2, "qmgr[3]", f"{two}: from=<{sender}>, size=1200, nrcpt=1 (queue active)"),
        line(2.3, "smtp[4]", f"{one}: to=<{recipient}>, {relay}, delay=2.3, delays=0.1/0/0/2.2, dsn=2.0.0,"
            f" status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as {two})"),
        line(2.4, "qmgr[3]", f"{one}: removed"),
        line(5, "virtual[7]", f"{two}: to=<{recipient}>, relay=virtual, delay=3, delays=0.1/0/0/2.9,"
            " dsn=2.0.0, status=sent (delivered to maildir)"),
        line(5.1, "qmgr[3]", f"{two}: removed"),
    ]  # fmt: skip


def refusal(at: dt.datetime, sender: str, recipient: str = "ann@example.test") -> Line:
    return at, (
        "postfix/smtpd[8]: NOQUEUE: reject: RCPT from unknown[203.0.113.7]: 554 5.7.1 Service unavailable;"
        f" Client host [203.0.113.7] blocked using zen.spamhaus.org; listed; from=<{sender}>"
        f" to=<{recipient}> proto=ESMTP helo=<x>"
    )


def write_settings(folder: Path, log: str = "mail.log", more: str = "", key_file: str = "one.key") -> Path:
    """Settings of one operator with the log.

    Args:
        more: what else they say.
    """
    file = folder / "observatory.toml"
    source = source_toml("mx", log, "postfix")
    text = (
        f'[lake]\nroot = "lake"\nkey_file = "{key_file}"\n'
        f'read_at = 2027-01-01T00:00:00Z\n[engine]\nname = "inline"\n{more}'
        + operator_toml("north", "North", "FJI", "north", "FJD", MAIL_NETWORK, source)
    )
    file.write_text(text, encoding="utf-8")
    return file


def write_key(folder: Path, name: str, key: str) -> Path:
    file = folder / name
    file.write_text(key, encoding="ascii")
    file.chmod(0o600)
    return file
