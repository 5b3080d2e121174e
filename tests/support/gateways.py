"""Mail logs of hosts that are no plain mailbox server, made with their truth: whose the domains are.

Addresses of strangers are of 240.0.0.0/4, which is reserved, so that they may come from everywhere.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

OUTSIDE, CUSTOMERS = "203.0.113", "198.51.100"


@dataclass
class Mail:
    """One recipient of a message, or of a session that was refused."""

    sender: str
    recipient: str
    client: str
    # Where it goes: a host, `mailbox`, `discard` or `error`; or why it was refused.
    relay: str = ""
    refused: str = ""
    account: str = ""


@dataclass
class Layout:
    """A host's mail, and the domains that its log shows to be its operator's: none where it only sends."""

    mails: list[Mail]
    own: set[str]


def made(kind: str, seed: int, own_count: int, per_domain: int) -> Layout:
    """A layout of a kind.

    Args:
        per_domain: recipients of each own domain, or foreign ones that are written to.
    """
    chance = random.Random(seed)
    own = [f"{name}{number}.example" for number, name in enumerate(chance.sample(NAMES, own_count))]
    foreign = [f"far{number}.test" for number in range(chance.randint(8, 40))]

    def stranger() -> str:
        return ".".join(str(chance.randint(*ends)) for ends in ((240, 255), (0, 255), (0, 255), (1, 254)))

    def inbound(domain: str, relay: str, refused_share: float = 0.3) -> list[Mail]:
        found = []
        for number in range(per_domain):
            mail = Mail(f"s{number}@{chance.choice(foreign)}", f"u{number % 5}@{domain}", stranger(), relay)
            if number and chance.random() < refused_share:
                mail.refused = chance.choice(["listed", "unknown", "later"])
            found.append(mail)
        return found

    def outbound(client: Callable[[], str], relay: str, account: str = "") -> list[Mail]:
        return [
            Mail(
                sender=f"u{number % 7}@{chance.choice(own)}",
                recipient=f"p{number}@{to}",
                client=client(),
                relay=relay or f"mx.{to}",
                account=account,
            )
            for to in foreign
            for number in range(chance.randint(1, 6))
        ]

    probes = [
        Mail(f"a{n}@probe.test", f"victim{n}@{chance.choice(foreign)}", stranger(), refused="relaying")
        for n in range(chance.randint(0, 4))
    ]

    def private() -> str:
        return f"10.0.{chance.randint(0, 9)}.{chance.randint(1, 254)}"

    def customer() -> str:
        return f"{CUSTOMERS}.{chance.randint(1, 254)}"

    if kind == "relay to inside":
        mails = [mail for domain in own for mail in inbound(domain, "store.inside")]
    elif kind == "relay to public hosts":
        mails = [mail for domain in own for mail in inbound(domain, f"store.{domain}")]
    elif kind == "backup":
        mails = [mail for domain in own for mail in inbound(domain, f"mx1.{domain}", 0.1)]
    elif kind == "hosting":
        mails = [
            mail
            for number, domain in enumerate(own)
            for mail in inbound(domain, "mailbox" if number % 2 else f"mail.{domain}")
        ]
        mails += outbound(stranger, "", account="seller") + outbound(private, "")
    elif kind == "mostly refused":
        mails = [mail for domain in own for mail in inbound(domain, "store.inside", 0.95)]
    elif kind == "discard":
        mails = [
            mail
            for number, domain in enumerate(own)
            for mail in inbound(domain, ("discard", "error", f"mail.{domain}")[number % 3], 0.1)
        ]
    elif kind == "sink":
        mails = outbound(private, "discard") + outbound(private, "error")
        return Layout(mails, set())
    elif kind == "smarthost of users":
        return Layout(outbound(stranger, "", account="seller") + probes, set())
    elif kind == "smarthost of the inside":
        relay = chance.choice(["", "filter.inside", f"out.{foreign[0]}"])
        return Layout(outbound(private, relay) + probes, set())
    elif kind == "smarthost of customers":
        clients = [stranger() for _ in range(chance.randint(1, 4))]
        mails = outbound(lambda: chance.choice(clients), "") + outbound(customer, "")
        return Layout(mails + probes, set())
    else:
        raise ValueError(kind)
    mails += probes
    chance.shuffle(mails)
    return Layout(mails, set(own))


NAMES = ["isp", "post", "web", "shop", "bank", "news", "town", "school", "club", "farm", "lake", "hill"]
KINDS = [
    *("relay to inside", "relay to public hosts", "backup", "hosting", "mostly refused", "discard"),
    *("sink", "smarthost of users", "smarthost of the inside", "smarthost of customers"),
]


def address_of(host: str) -> str:
    return "10.9.0.5" if host.endswith(".inside") else f"{OUTSIDE}.{sum(host.encode()) % 250 + 1}"


def clock(n: int) -> str:
    return f"{n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d}"


def postfix(n: int, mail: Mail) -> list[str]:
    def line(program: str, text: str) -> str:
        return f"Nov 24 {clock(n)} mx1 postfix/{program}: {text}"

    name = f"c{n}.test[{mail.client}]"
    envelope = f"from=<{mail.sender}> to=<{mail.recipient}> proto=ESMTP helo=<c{n}.test>"
    if mail.refused:
        reason = {
            "listed": f"554 5.7.1 Service unavailable; Client host [{mail.client}] blocked using"
            " zen.list.example",
            "unknown": f"550 5.1.1 <{mail.recipient}>: Recipient address rejected: User unknown in relay"
            " recipient table",
            "later": f"450 4.2.0 <{mail.recipient}>: Recipient address rejected: Greylisted",
            "relaying": f"454 4.7.1 <{mail.recipient}>: Relay access denied",
        }[mail.refused]
        return [line(f"smtpd[{n}]", f"NOQUEUE: reject: RCPT from {name}: {reason}; {envelope}")]
    id = f"4cYqX{n:05d}z1fQ".replace("0", "B").replace("1", "C")
    login = f", sasl_method=PLAIN, sasl_username={mail.account}" if mail.account else ""
    delivery = {
        "mailbox": ("virtual[9]", "virtual", "2.0.0", "sent (delivered to maildir)"),
        "discard": ("discard[9]", "none", "2.0.0", "sent (silently)"),
        "error": ("error[9]", "none", "5.1.1", "bounced (no such mailbox)"),
    }.get(
        mail.relay, ("smtp[9]", f"{mail.relay}[{address_of(mail.relay)}]:25", "2.0.0", "sent (250 2.0.0 Ok)")
    )
    program, relay, dsn, status = delivery
    return [
        line(f"smtpd[{n}]", f"{id}: client={name}{login}"),
        line("cleanup[7]", f"{id}: message-id=<m{n}@{mail.sender.split('@')[1]}>"),
        line("qmgr[8]", f"{id}: from=<{mail.sender}>, size=812, nrcpt=1 (queue active)"),
        line(program, f"{id}: to=<{mail.recipient}>, relay={relay}, delay=0.1, delays=0/0/0/0.1, dsn={dsn},"
             f" status={status}"),
        line("qmgr[8]", f"{id}: removed"),
    ]  # fmt: skip


def exim(n: int, mail: Mail) -> list[str]:
    at = f"2026-11-24 {clock(n)}"
    host = f"H=c{n}.test [{mail.client}]"
    if mail.refused:
        reason = {
            "listed": f"{mail.client} is in a black list at zen.list.example",
            "unknown": "Unrouteable address",
            "later": "greylisted",
            "relaying": "relay not permitted",
        }[mail.refused]
        word = "temporarily rejected" if mail.refused == "later" else "rejected"
        return [f"{at} {host} F=<{mail.sender}> {word} RCPT <{mail.recipient}>: {reason}"]
    id = f"1vNq{n:02X}"[:6].ljust(6, "a") + f"-{n:06d}-AB"
    login = f" A=login:{mail.account}" if mail.account else ""
    protocol = "esmtpsa" if mail.account else "esmtps"
    user = mail.recipient.split("@")[0]
    went = {
        "mailbox": f"=> {user} <{mail.recipient}> R=localuser T=local_delivery",
        "discard": f"=> :blackhole: <{mail.recipient}> R=discard_all",
        "error": f"** {mail.recipient} R=error_all: no such mailbox",
    }.get(
        mail.relay,
        f'=> {mail.recipient} R=route T=remote_smtp H={mail.relay} [{address_of(mail.relay)}] C="250 Ok"',
    )
    return [
        f"{at} {id} <= {mail.sender} {host} P={protocol}{login} S=812 id=m{n}@{mail.sender.split('@')[1]}"
        f" for {mail.recipient}",
        f"{at} {id} {went}",
        f"{at} {id} Completed",
    ]


def sendmail(n: int, mail: Mail) -> list[str]:
    # A queue id ends in the number of its process.
    id = f"xAOC{n:04d}{n + 100:06d}"

    def line(text: str, pid: int = n + 100, named: bool = True) -> str:
        return f"Nov 24 {clock(n)} mx1 sm-mta[{pid}]: {id + ': ' if named else ''}{text}"

    host = f"c{n}.test [{mail.client}]"
    if mail.refused:
        reason = {
            "listed": f"550 5.7.1 Mail from {mail.client} refused by blackhole site zen.list.example",
            "unknown": f"550 5.1.1 <{mail.recipient}>... User unknown",
            "later": f"451 4.7.1 <{mail.recipient}>... Greylisted",
            "relaying": f"550 5.7.1 <{mail.recipient}>... Relaying denied",
        }[mail.refused]
        return [line(f"ruleset=check_rcpt, arg1=<{mail.recipient}>, relay={host}, reject={reason}")]
    before = [line(f"AUTH=server, relay={host}, authid={mail.account}, mech=PLAIN, bits=0", named=False)]
    came = (
        f"from=<{mail.sender}>, size=812, class=0, nrcpts=1, msgid=<m{n}@{mail.sender.split('@')[1]}>,"
        f" proto=ESMTP, daemon=MTA, relay={host}"
    )
    if mail.relay == "discard":
        # An entry of the access map.
        return [line(f"ruleset=check_rcpt, arg1=<{mail.recipient}>, relay={host}, discard")]
    went = {
        "mailbox": "mailer=local, pri=30812, dsn=2.0.0, stat=Sent",
        "error": "mailer=error, pri=30812, dsn=5.1.1, stat=User unknown",
    }.get(
        mail.relay,
        f"mailer=esmtp, pri=30812, relay={mail.relay}. [{address_of(mail.relay)}], dsn=2.0.0, stat=Sent (Ok)",
    )
    return [
        *(before if mail.account else []),
        line(came),
        line(f"to=<{mail.recipient}>, delay=00:00:01, xdelay=00:00:01, {went}", n + 101),
    ]


WRITERS: dict[str, Callable[[int, Mail], list[str]]] = {
    "postfix": postfix,
    "exim": exim,
    "sendmail": sendmail,
}


def lines_of(layout: Layout, server: str) -> list[str]:
    """The layout's log, as a server writes it."""
    return [line for n, mail in enumerate(layout.mails, start=1) for line in WRITERS[server](n, mail)]
