"""Sendmail's mail log."""

from functools import partial
from typing import Any

from tests.support.samples.forms import ADDRESS, SENT, TELLING_HOST, Canaries, Log, Samples, syslog


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


Q = "xAOE1rmk027713"


R = "xAOE1rml027713"


RELAY = "mx.shop.example [192.0.2.7]"


def line(
    text: str, id: str | None = Q, at: str = "Nov 24 14:01:53", pid: int = 27713, tag: str = "sm-mta"
) -> str:
    return f"{at} mx1 {tag}[{pid}]: {id + ': ' if id else ''}{text}"


def came(
    sender: str = "<shop@shop.example>", count: int = 1, relay: str = RELAY, more: str = "", **kwargs: Any
) -> str:
    size = 812 if count else 0
    text = f"from={sender}, size={size}, class=0, nrcpts={count}, msgid=<m1@shop.example>, proto=ESMTP"
    return line(f"{text}, daemon=MTA{more}, relay={relay}", **kwargs)


def went(
    to: str = "<ann@a.example>", stat: str = "Sent", dsn: str = "2.0.0", owner: str = "", **kwargs: Any
) -> str:
    relay = kwargs.pop("relay", "mx.a.example. [198.51.100.5]")
    mailer = kwargs.pop("mailer", "esmtp")
    owner = f", ctladdr={owner}" if owner else ""
    code = f", dsn={dsn}" if dsn else ""
    kwargs = {"pid": 27714} | kwargs
    text = f"to={to}{owner}, delay=00:00:01, xdelay=00:00:01, mailer={mailer}, pri=30812, relay={relay}{code}"
    return line(f"{text}, stat={stat}", **kwargs)


def rcpt(to: str = "a@a.example", ip: str = "192.0.2.7", **kwargs: Any) -> str:
    return line(f"ruleset=check_rcpt, arg1=<{to}>, relay=[{ip}], reject=550 5.7.1 no", **kwargs)


LOG = [
    came(count=2),
    went("<a@a.example>,<b@a.example>"),
    rcpt(id=R, at="Nov 24 14:02:00"),
    came("<s@x.example>", 0, "[192.0.2.7]", id=R, at="Nov 24 14:02:00"),
    line("x.example [192.0.2.7] did not issue MAIL/EXPN/VRFY/ETRN during connection to MTA", id=R),
    came("<>", id="xAOE1rmk000042", pid=42, at="Nov 24 14:03:00"),
    line("Milter: data, reject=550 5.7.1 no", id="xAOE1rmk000042", pid=42, at="Nov 24 14:03:01"),
    went("<c@a.example>", "no", "", id="xAOE1rmk000042", pid=42, at="Nov 24 14:03:01"),
    came(id="xAOE1rmk000043", pid=43, at="Nov 24 14:04:00"),
    went("<d@a.example>", "User unknown", "5.1.1", id="xAOE1rmk000043", at="Nov 24 14:04:01"),
    line("xAOE1rmk000044: DSN: User unknown", id="xAOE1rmk000043", pid=44, at="Nov 24 14:04:01"),
    went("<shop@shop.example>", id="xAOE1rmk000044", pid=44, at="Nov 24 14:04:02"),
    line("STARTTLS=server, relay=x, version=TLSv1.3, verify=NO, cipher=X, bits=256/256", id=None),
    line(
        f"AUTH=server, relay={RELAY}, authid=ann, mech=PLAIN, bits=0", id=None, pid=45, at="Nov 24 14:05:00"
    ),
    came(id="xAOE1rmk000045", pid=45, at="Nov 24 14:05:01"),
]


SAMPLES = Samples(
    canaries=(
        Canaries(
            "sendmail",
            sendmail,
            {name: forms for name, forms in SENT.items() if name != "account"}
            | {"owner": ADDRESS, "host": TELLING_HOST},
        ),
    ),
    logs={"sendmail": Log("sendmail", LOG)},
    files={
        "sendmail": Log(
            "sendmail",
            [
                came(),
                went(),
                line(f"ruleset=check_rcpt, arg1=<r@a.example>, relay={RELAY}, reject=550 5.7.1 no"),
                came("<big@shop.example>", id=R),
                line("message size (316149) exceeds maximum (204800)", id=R),
            ],
        )
    },
    joins_records=True,
)
