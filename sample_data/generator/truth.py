"""Truth of the simulated world, counted by the rules of the study.

The rules, as applied here:
- A message counts once per envelope recipient (grain recipient), and once (grain message) under the
  outcome of highest precedence among its recipients; its first recipient of that outcome stands for it.
- What was refused before a message existed is an attempt: one per session, sender and recipient, and
  one per session that was refused before it named a recipient. An SMS that a number list or the
  SMSC refused is one as well; it has no segments.
- A refusal with 4xx, of an attempt or by the milter at the end of the message, that is followed
  within 24 hours by the same client network, sender and recipient folds into what followed: it is
  not counted, and what followed keeps its own day. A 4xx never followed stays, as deferred.
- The day is the UTC day of a message's first event (the line that names the client; a refusal's own
  line; the first line of an SMS).
"""

import datetime as dt
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, TextIO

from sample_data.generator.world import DAY, SECOND, country_of, network_of

FIELDS = (
    "operator_id",
    "period_date",
    "channel_code",
    "direction_code",
    "grain",
    "stage_code",
    "outcome_code",
    "spam_type_code",
    "countermeasure_code",
    "is_antispam",
    "source_country_code",
    "source_network",
    "inbound_link",
    "outbound_link",
)
EFFORT = ("operator_id", "period_date", "channel_code", "stage_code")
WORK = ("units", "bytes", "filtered_units", "filtered_bytes", "filter_us")
PRECEDENCE = (
    "delivered", "tagged", "quarantined", "discarded", "rejected", "bounced", "expired", "deferred", "queued",
)  # fmt: skip
RANK = {outcome: rank for rank, outcome in enumerate(PRECEDENCE)}


@dataclass(slots=True)
class Measure:
    """The measure that acted on a message or attempt; code None where none acted."""

    code: str | None = None
    is_antispam: bool | None = False


NO_MEASURE = Measure()


@dataclass(slots=True)
class Recipient:
    """One envelope recipient of a message, and what became of it."""

    address: str
    stage: str = "delivery"
    outcome: str = "queued"
    outbound_link: str | None = None


@dataclass(slots=True)
class Message:
    """A message, or an attempt (is_attempt) of one recipient or none."""

    at: int
    channel: str
    direction: str
    sender: str
    recipients: list[Recipient]
    client_ip: str | None = None
    country: str | None = None
    network: str | None = None
    inbound_link: str | None = None
    spam_type: str = "UNK"
    campaign: str | None = None
    measure: Measure = field(default_factory=Measure)
    is_attempt: bool = False
    is_temporary: bool = False
    is_spam: bool = False
    is_own_dsn: bool = False
    segments: int = 0
    logged_bytes: int = 0  # as a line of the server or of a filter tells them
    filter_us: int | None = None  # what filters say they took; None where none looked
    message_id: str | None = None
    queue_ids: list[str] = field(default_factory=list)
    last_at: int = 0

    def looked_at(self, size: int, took_us: int) -> None:
        """Tell that a filter looked, at how many bytes, and how long it says that it took."""
        self.logged_bytes = size
        self.filter_us = (self.filter_us or 0) + took_us

    def settle(self, stage: str, outcome: str, measure: Measure | None = None) -> None:
        """Give all recipients the same end."""
        for recipient in self.recipients:
            recipient.stage = stage
            recipient.outcome = outcome
        if measure is not None:
            self.measure = measure


@dataclass(slots=True)
class Pending:
    """A temporary refusal that waits for its retry; `open_recipients` have not come back."""

    message: Message
    open_recipients: set[str]
    keys_left: int


class Truth:
    """Counts of one operator."""

    def __init__(self, operator_id: str, details: TextIO | None = None) -> None:
        self.operator_id = operator_id
        self.facts: Counter[tuple[Any, ...]] = Counter()
        self.own_dsns: Counter[tuple[Any, ...]] = Counter()
        self.effort: dict[tuple[str, ...], Counter[str]] = {}
        self.details = details
        self.folded = 0
        self._pending: dict[tuple[str | None, str, str], Pending] = {}
        self._sweep_at = 0

    def open(self, message: Message) -> Message:
        """Tell that a message or attempt begins; earlier temporary refusals fold into it."""
        if message.client_ip is not None and message.network is None:
            message.network = network_of(message.client_ip)
            message.country = country_of(message.client_ip)
        if message.channel == "EMAIL" and not message.is_own_dsn:
            for recipient in message.recipients:
                self._fold(message, recipient.address)
            if message.at >= self._sweep_at:
                self._sweep(message.at)
        return message

    def _fold(self, message: Message, address: str) -> None:
        waiting = self._pending.pop((message.network, message.sender, address), None)
        if waiting is None:
            return
        if message.at - waiting.message.at <= DAY:
            waiting.open_recipients.discard(address)
            self.folded += 1
        waiting.keys_left -= 1
        if not waiting.keys_left:
            self._count_rest(waiting)

    def close(self, message: Message) -> None:
        """Tell that a message or attempt has come to its end, for now or for good."""
        if message.is_temporary:
            addresses = {recipient.address for recipient in message.recipients}
            waiting = Pending(message, addresses, len(addresses))
            for address in addresses:
                self._fold(message, address)
                self._pending[(message.network, message.sender, address)] = waiting
        else:
            self._count(message, message.recipients)

    def _sweep(self, at: int) -> None:
        old = {id(w): w for w in self._pending.values() if at - w.message.at > DAY}
        self._pending = {key: w for key, w in self._pending.items() if id(w) not in old}
        for waiting in old.values():
            self._count_rest(waiting)
        self._sweep_at = at + DAY // 4

    def _count_rest(self, waiting: Pending) -> None:
        rest = [r for r in waiting.message.recipients if r.address in waiting.open_recipients]
        if rest:
            self._count(waiting.message, rest)

    def finish(self) -> None:
        """Count the temporary refusals that nothing followed."""
        for waiting in {id(w): w for w in self._pending.values()}.values():
            self._count_rest(waiting)
        self._pending.clear()

    def _count(self, message: Message, recipients: list[Recipient]) -> None:
        facts = self.own_dsns if message.is_own_dsn else self.facts
        for recipient in recipients:
            facts[self._key(message, "attempt" if message.is_attempt else "recipient", recipient)] += 1
        if not message.is_attempt:
            first = min(recipients, key=lambda recipient: RANK[recipient.outcome])
            facts[self._key(message, "message", first)] += 1
            if message.segments:
                facts[self._key(message, "segment", first)] += message.segments
        # A report to a short code is a complaint, not a message that was handled.
        if not message.is_own_dsn and message.measure.code != "USER_REPORT":
            self._count_effort(message, recipients)
        if self.details is not None:
            self._write_details(message, recipients)

    def _count_effort(self, message: Message, recipients: list[Recipient]) -> None:
        """A message is looked at once, whatever its recipients; each attempt is."""
        first = min(recipients, key=lambda recipient: RANK[recipient.outcome])
        for recipient in recipients if message.is_attempt else [first]:
            key = self._key(message, "", recipient)
            of_stage = tuple(key[FIELDS.index(name)] for name in EFFORT)
            filtered = message.filter_us is not None
            self.effort.setdefault(of_stage, Counter()).update(
                {
                    "units": 1,
                    "bytes": message.logged_bytes,
                    "filtered_units": int(filtered),
                    "filtered_bytes": message.logged_bytes if filtered else 0,
                    "filter_us": message.filter_us or 0,
                }
            )

    def _key(self, message: Message, grain: str, recipient: Recipient) -> tuple[Any, ...]:
        return (
            self.operator_id,
            dt.datetime.fromtimestamp(message.at // SECOND, dt.UTC).date().isoformat(),
            message.channel,
            message.direction,
            grain,
            recipient.stage,
            recipient.outcome,
            message.spam_type,
            message.measure.code,
            message.measure.is_antispam,
            message.country,
            message.network,
            message.inbound_link,
            recipient.outbound_link,
        )

    def _write_details(self, message: Message, recipients: list[Recipient]) -> None:
        record = {
            "operator_id": self.operator_id,
            "grain": "attempt" if message.is_attempt else "message",
            "is_own_dsn": message.is_own_dsn,
            "is_spam": message.is_spam,
            "direction_code": message.direction,
            "first_at": iso(message.at),
            "last_at": iso(max(message.at, message.last_at)),
            "client_ip": message.client_ip,
            "sender": message.sender,
            "recipients": [[r.address, r.stage, r.outcome, r.outbound_link] for r in recipients],
            "message_id": message.message_id,
            "queue_ids": message.queue_ids,
            "spam_type_code": message.spam_type,
            "campaign": message.campaign,
            "countermeasure_code": message.measure.code,
            "is_antispam": message.measure.is_antispam,
            "inbound_link": message.inbound_link,
            "segments": message.segments or None,
        }
        assert self.details is not None
        self.details.write(json.dumps(record, ensure_ascii=False) + "\n")


def iso(at: int) -> str:
    """A time as ISO 8601 in UTC, with microseconds."""
    moment = dt.datetime.fromtimestamp(at // SECOND, dt.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at % SECOND:06d}Z"


def rows(facts: Counter[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Counts as objects, in a fixed order."""
    ordered = sorted(facts.items(), key=lambda item: tuple(str(value) for value in item[0]))
    return [{**dict(zip(FIELDS, key, strict=True)), "count": count} for key, count in ordered]


def work_rows(effort: dict[tuple[str, ...], Counter[str]]) -> list[dict[str, Any]]:
    """Rows of the effort of filters, by operator, day, channel and the stage that a message came to, in a
    fixed order."""
    return [
        {**dict(zip(EFFORT, key, strict=True)), **{name: done[name] for name in WORK}}
        for key, done in sorted(effort.items())
    ]
