"""Deliveries: what a mail server sends on, to whom, and what it is answered."""

import random
from dataclasses import dataclass, field
from typing import NamedTuple

from sample_data.generator.truth import Message, Recipient

TLS = "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519"
TLS_SERVER = f"{TLS} server-signature RSA-PSS (2048 bits) server-digest SHA256"


class Client(NamedTuple):
    """A client that connects: the name of its address (`unknown` without one), address, greeting, log-in."""

    name: str
    ip: str
    helo: str
    user: str | None = None


class Partner(NamedTuple):
    """A domain that the operator's customers exchange mail with, and its mail host."""

    domain: str
    host: str
    ip: str
    fate: str


class Plan(NamedTuple):
    """The course of a delivery: tries that are deferred, then sent, bounced or never."""

    deferrals: int
    final: str
    reason: str


SENT = Plan(0, "sent", "")


@dataclass(slots=True)
class Task:
    """A delivery: the recipient of the truth, the address that the queue file has, its plan."""

    recipient: Recipient
    address: str
    plan: Plan
    partner: Partner | None
    tries: int = 0


@dataclass(slots=True)
class QueueFile:
    """A message in the queue."""

    queue_id: str
    message: Message
    size: int
    arrived: int
    tasks: list[Task]
    client: Client | None = None
    tries: int = 0
    is_dsn: bool = False
    dropped_by_filter: bool = False
    open_tasks: list[Task] = field(default_factory=list)


def remote_plan(rng: random.Random, partner: Partner, message: Message) -> Plan:
    """Draw the course of a message's delivery at a partner's server."""
    if partner.fate == "dead":
        return Plan(10**6, "never", "timeout")
    if partner.fate == "unknown":
        return Plan(0, "bounced", "nohost")
    if message.is_spam and rng.random() < 0.4:
        return Plan(0, "bounced", "spam")
    if partner.fate == "greylists" and rng.random() < 0.5:
        return Plan(rng.randrange(1, 4), "sent", "greylist")
    roll = rng.random()
    if roll < 0.03:
        return Plan(0, "bounced", "user")
    if roll < 0.06:
        return Plan(rng.randrange(1, 9), "sent" if roll < 0.05 else "bounced", "timeout")
    return SENT


def local_reply(
    rng: random.Random, status: str, address: str, server: str | None
) -> tuple[str, str, str, str]:
    """Daemon, relay, status code and text of a local delivery; by LMTP where `server` names the host."""
    if server is None:
        if status == "sent":
            return "virtual", "virtual", "2.0.0", "delivered to maildir"
        return (
            "virtual",
            "virtual",
            "5.2.2",
            "maildir delivery failed: error writing message: Disk quota exceeded",
        )
    relay = f"{server}[private/dovecot-lmtp]"
    if status == "sent":
        return "lmtp", relay, "2.0.0", f"250 2.0.0 <{address}> {rng.getrandbits(60):015x} Saved"
    code, dsn = ("452", "4.2.2") if status == "deferred" else ("552", "5.2.2")
    said = f"{code} {dsn} <{address}> Quota exceeded (mailbox for user is full)"
    return "lmtp", relay, dsn, f"host {relay} said: {said} (in reply to end of DATA command)"


def remote_reply(
    rng: random.Random, status: str, plan: Plan, partner: Partner, address: str
) -> tuple[str, str, str]:
    """Relay, status code and text of a delivery to another server."""
    place = f"{partner.host}[{partner.ip}]"
    if status == "sent":
        return f"{place}:25", "2.0.0", f"250 2.0.0 Ok: queued as {rng.getrandbits(44):011X}"
    if status == "deferred" and plan.reason == "greylist":
        said = "451 4.7.1 Greylisted, please try again (in reply to RCPT TO command)"
        return f"{place}:25", "4.7.1", f"host {place} said: {said}"
    if status == "deferred":
        return "none", "4.4.1", f"connect to {place}:25: Connection timed out"
    if plan.reason == "nohost":
        text = f"Name service error for name={partner.domain} type=A: Host not found"
        return "none", "5.4.4", f"Host or domain name not found. {text}"
    if plan.reason == "spam":
        said = "550 5.7.1 Message rejected as spam by Content Filtering. (in reply to end of DATA command)"
        return f"{place}:25", "5.7.1", f"host {place} said: {said}"
    said = f"550 5.1.1 <{address}>: Recipient address rejected: User unknown"
    return f"{place}:25", "5.1.1", f"host {place} said: {said} (in reply to RCPT TO command)"


def amount(seconds: float) -> str:
    """Seconds as Postfix writes them: two digits, no zeros at the end."""
    if seconds >= 10:
        return f"{seconds:.0f}"
    text = f"{seconds:.1f}" if seconds >= 1 else f"{seconds:.2f}"
    return text.rstrip("0").rstrip(".") or "0"
