"""Logs of mail servers."""

from __future__ import annotations

from functools import partial

from tests.support.canaries.forms import (
    ADDRESS,
    HOST,
    IP,
    NUMBER,
    TELLING_HOST,
    TEXT,
    VERDICT,
    Log,
    at,
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


def exim(
    n: int,
    sender: str = "news@shop.example",
    recipient: str = "ann@isp.example",
    name: str = "mail.shop.example",
    ip: str = "192.0.2.10",
    relay: str = "mx.other.example",
    relay_ip: str = "203.0.113.9",
    message_id: str = "m@shop.example",
    account: str = "seller",
    subject: str = "hello",
    reply: str = "queued",
    scanned: str = "news@shop.example",
) -> str:
    id = f"1xVr{n % 62:02d}-0000000{n:04d}-1V8v"
    stamp = f"{at(n):%Y-%m-%d %H:%M:%S}"
    return (
        f"{stamp} {id} SA: score=1.3 required=5.0 action=no action (scanned from=<{scanned}> ip={ip})\n"
        f"{stamp} {id} <= {sender} H={name} [{ip}] P=esmtpa A=plain:{account} S=438 id={message_id}"
        f' T="{subject}"\n'
        f'{stamp} {id} => {recipient} R=dnslookup T=remote_smtp H={relay} [{relay_ip}] C="250 Ok {reply}"\n'
        f"{stamp} {id} Completed\n"
    )


def exim_refused(
    n: int,
    sender: str = "news@shop.example",
    recipient: str = "ann@isp.example",
    helo: str = "mail.shop.example",
    ip: str = "192.0.2.10",
    text: str = "listed",
) -> str:
    return (
        f"{at(n):%Y-%m-%d %H:%M:%S} H=({helo}) [{ip}] F=<{sender}> rejected RCPT <{recipient}>:"
        f" rejected because {ip} is in a black list at zen.list.example: {text}\n"
    )


def sendmail(
    n: int,
    sender: str = "news@shop.example",
    recipient: str = "ann@other.example",
    owner: str = "ann@isp.example",
    name: str = "mail.shop.example",
    ip: str = "192.0.2.10",
    relay: str = "mx.other.example",
    relay_ip: str = "203.0.113.9",
    message_id: str = "m@shop.example",
    reply: str = "queued",
    host: str = "mx1",
) -> str:
    id = f"xAOC{n:04d}02{n:04d}"
    line = partial(syslog, n, host=host)
    return (
        line(f"sm-mta[{n}]", f"{id}: from=<{sender}>, size=812, class=0, nrcpts=1, msgid=<{message_id}>,"
            f" proto=ESMTP, daemon=MTA, relay={name} [{ip}]")
        + line(f"sm-mta[{n + 1}]", f"{id}: to=<{recipient}>, ctladdr=<{owner}>, delay=00:00:01,"
            f" xdelay=00:00:01, mailer=esmtp, pri=30812, relay={relay}. [{relay_ip}], dsn=2.0.0, stat=Sent"
            f" (Ok {reply})")
    )  # fmt: skip


# Postfix and Exim take a blank or a bracket in a host for its end.
SENT = VERDICT | {
    "name": HOST, "relay": HOST, "relay_ip": IP, "account": (*ADDRESS[:1], *NUMBER[:1]), "reply": TEXT,
}  # fmt: skip
LOGS = (
    Log("postfix", postfix, SENT | {"original": ADDRESS, "subject": TEXT, "host": TELLING_HOST}),
    Log(
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
    Log("exim", exim, SENT | {"subject": TEXT, "scanned": ADDRESS}),
    Log(
        "exim_refused",
        exim_refused,
        {"sender": ADDRESS, "recipient": ADDRESS, "helo": HOST, "ip": IP, "text": TEXT},
        format="exim",
    ),
    Log(
        "sendmail",
        sendmail,
        {name: forms for name, forms in SENT.items() if name != "account"}
        | {"owner": ADDRESS, "host": TELLING_HOST},
    ),
)
