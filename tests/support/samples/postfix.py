"""Postfix's mail logs."""

from functools import partial

from tests.support.filter_logs import lab
from tests.support.held_log import held_log
from tests.support.samples.forms import (
    ADDRESS,
    HOST,
    IP,
    SENT,
    TELLING_HOST,
    TEXT,
    Canaries,
    Log,
    Samples,
    syslog,
)


def postfix(
    n: int,
    sender: str = "news@shop.example",
    recipient: str = "ann@isp.example",
    original: str = "list@isp.example",
    name: str = "mail.shop.example",
    ip: str = "192.0.2.10",
    relay: str = "mx.other.example",
    relay_ip: str = "203.0.113.9",
    message_id: str = "m@shop.example",
    account: str = "seller",
    subject: str = "hello",
    reply: str = "queued",
    host: str = "mx1",
) -> str:
    id = f"4cYqX{n:05d}z1fQ"
    line = partial(syslog, n, host=host)
    return (
        line("postfix/smtpd[7]", f"{id}: client={name}[{ip}], sasl_method=PLAIN, sasl_username={account}")
        + line("postfix/cleanup[8]", f"{id}: warning: header Subject: {subject} from {name}[{ip}];"
            f" from=<{sender}> to=<{recipient}> proto=ESMTP helo=<{name}>")
        + line("postfix/cleanup[8]", f"{id}: message-id=<{message_id}>")
        + line("postfix/qmgr[9]", f"{id}: from=<{sender}>, size=812, nrcpt=1 (queue active)")
        + line("postfix/smtp[10]", f"{id}: to=<{recipient}>, orig_to=<{original}>,"
            f" relay={relay}[{relay_ip}]:25, delay=0.1, delays=0.1/0/0/0,"
            f" dsn=2.0.0, status=sent (250 2.0.0 Ok: {reply})")
        + line("postfix/qmgr[9]", f"{id}: removed")
    )  # fmt: skip


def postfix_refused(
    n: int,
    sender: str = "news@shop.example",
    recipient: str = "ann@isp.example",
    name: str = "mail.shop.example",
    ip: str = "192.0.2.10",
    helo: str = "mail.shop.example",
    zone: str = "zen.list.example",
    text: str = "listed",
) -> str:
    return syslog(
        n, f"postfix/smtpd[{n}]", f"NOQUEUE: reject: RCPT from {name}[{ip}]: 554 5.7.1 Service unavailable;"
        f" Client host [{ip}] blocked using {zone}; {text}; from=<{sender}> to=<{recipient}> proto=ESMTP"
        f" helo=<{helo}>",
    )  # fmt: skip


SAMPLES = Samples(
    canaries=(
        Canaries("postfix", postfix, SENT | {"original": ADDRESS, "subject": TEXT, "host": TELLING_HOST}),
        Canaries(
            "postfix_refused",
            postfix_refused,
            {
                "sender": ADDRESS,
                "recipient": ADDRESS,
                "name": HOST,
                "ip": IP,
                "helo": (*HOST, *IP),
                "zone": HOST[:2],
                "text": TEXT,
            },
            format="postfix",
        ),
    ),
    logs={
        "postfix, ISO": Log("postfix", lab("postfix/mail.iso8601.log")),
        "postfix, RFC 3164": Log("postfix", lab("postfix/mail.rfc3164.log")),
    },
    files={"held": Log("postfix", held_log())},
    joins_records=True,
)
