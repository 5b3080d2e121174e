"""An SMS operator with Kannel 1.4.5: messages over links, delivery reports in pieces, refusals.

Lines are those of the bearerbox access log in its default format. An SMS of several parts is one
`Sent SMS` line when it goes out, and one `Receive SMS` line for each part when it comes in.
"""

import datetime as dt
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

from sample_data.generator.logfile import LogFile
from sample_data.generator.profiles import SmsOperator
from sample_data.generator.texts import (
    HAM_SMS,
    LONG_TAIL,
    ROGUE_SERVICES,
    SERVICES,
    SPAM_SMS,
    UNICODE_HAM,
    UNICODE_SPAM,
)
from sample_data.generator.truth import Measure, Message, Recipient, Truth
from sample_data.generator.world import HOUR, SECOND, World

NUMBER_BLOCKLIST = Measure("NUMBER_BLOCKLIST", True)
USER_REPORT = Measure("USER_REPORT", True)
# SMPP status of a refused submission, its words in Kannel, and the measure that it tells.
REFUSALS = (
    ("0x0000000b", "Invalid Destination Address", Measure("RECIPIENT_CHECK", False), 5),
    ("0x00000045", "Submit failed", Measure("UNKNOWN", None), 3),
    ("0x00000058", "Throttling error", Measure("RATE_LIMIT", True), 2),
    ("0x0000000a", "Invalid Source Address", Measure("SENDER_AUTH", None), 1),
)
# Ranges kept for fiction: calling code and block, digits that follow.
FICTION = {
    "USA": (("12025550",), 3, 100, 199),
    "AUS": (("6149157",), 4, 156, 159),
    "IRL": (("353209",), 6, 110_000, 119_999),
}
GSM_EXTENSION = frozenset("^{}\\[~]|")


class Text(NamedTuple):
    """An SMS text as sent: coding 0 is the GSM alphabet, 2 is UCS-2.

    Attributes:
        campaign: the wording filled in.
    """

    body: str
    coding: int
    spam_type: str
    is_spam: bool
    campaign: str | None = None

    def logged(self, part: str) -> str:
        return part if self.coding == 0 else part.encode("utf-16-be").hex().upper()

    def size(self, part: str) -> int:
        return len(part) if self.coding == 0 else len(part.encode("utf-16-be"))


class SmsCentre:
    """One Kannel and its links."""

    def __init__(self, profile: SmsOperator, world: World, log: LogFile, truth: Truth) -> None:
        self.profile = profile
        self.world = world
        self.rng = world.rng
        self.log = log
        self.truth = truth
        self.links = {kind: name for name, kind in profile.links}
        self.ids: dict[str, Iterator[int]] = {
            name: count(20_000 + 1_000_000 * n) for n, (name, _) in enumerate(profile.links)
        }
        self.references = count(1)

    def arrive(self, at: int, spam_chance: float) -> None:
        """One SMS: coming in over a link, or handed in by a customer."""
        is_spam = self.world.chance(spam_chance)
        roll = self.rng.random()
        if is_spam and roll < 0.15:
            self.report(at)
        elif roll < 0.45:
            self.incoming(at, is_spam)
        else:
            self.outgoing(at, is_spam)

    # --- numbers and texts ----------------------------------------------------------------------------

    def number(self, prefixes: tuple[str, ...]) -> str:
        digits = self.profile.number_digits
        return f"{self.rng.choice(prefixes)}{self.rng.randrange(10**digits):0{digits}d}"

    def foreigner(self) -> tuple[str, str]:
        """A number that is not the operator's own, and its country."""
        callers = self.profile.foreign_callers
        country = self.rng.choices(list(callers), list(callers.values()))[0]
        if country == self.profile.country:
            return self.number(self.profile.other_prefixes), country
        if country in FICTION:
            blocks, width, low, high = FICTION[country]
            return f"{self.rng.choice(blocks)}{self.rng.randint(low, high):0{width}d}", country
        blocks, digits = (("447700900",), 3) if country == "GBR" else (("3363998",), 4)
        return f"{blocks[0]}{self.rng.randrange(10**digits):0{digits}d}", country

    def text(self, is_spam: bool) -> Text:
        rng, language = self.rng, self.profile.language
        fill = {
            "n": rng.randrange(11, 60),
            "k": rng.randrange(100_000, 1_000_000),
            "c": f"{rng.choice('abcdefghkmnp')}{rng.randrange(10, 999)}q",
        }
        if is_spam:
            types = self.profile.spam_types
            spam_type = rng.choices(list(types), list(types.values()))[0]
            if spam_type in UNICODE_SPAM and self.world.chance(0.12):
                wording = UNICODE_SPAM[spam_type]
                return Text(wording.format(**fill), 2, spam_type, True, wording)
            wording = rng.choice(SPAM_SMS[language][spam_type])
            body = wording.format(**fill)
            tail = LONG_TAIL[language][: rng.randint(120, 290)].rstrip() if self.world.chance(0.1) else ""
            return Text(body + tail, 0, spam_type, True, wording)
        if self.world.chance(0.09):
            fill["n"] = rng.randrange(1, 24)
            wording = rng.choice(UNICODE_HAM)
            return Text(wording.format(**fill), 2, "UNK", False, wording)
        wording = rng.choice(HAM_SMS[language])
        body = wording.format(**fill)
        tail = LONG_TAIL[language][: rng.randint(120, 290)].rstrip() if self.world.chance(0.13) else ""
        return Text(body + tail, 0, "UNK", False, wording)

    # --- in -------------------------------------------------------------------------------------------

    def incoming(self, at: int, is_spam: bool) -> None:
        """An SMS from a foreign number to one of the operator's own."""
        sender, country = self.foreigner()
        own = (
            self.number(self.profile.own_prefixes) if self.world.chance(0.7) else self.profile.short_codes[0]
        )
        kind = "peer" if country == self.profile.country and not is_spam else "hub"
        text = self.text(is_spam)
        blocked = is_spam and self.world.chance(0.45)
        self.receive(at, kind, sender, own, text, country, "inbound", NUMBER_BLOCKLIST if blocked else None)

    def report(self, at: int) -> None:
        """A subscriber forwards spam to the reporting short code; the report itself is no spam."""
        code = self.profile.short_codes[1]
        sender = self.number(self.profile.own_prefixes)
        accused, _ = self.foreigner()
        spam = self.text(True)
        text = Text(f"{accused} {spam.body}", spam.coding, spam.spam_type, False)
        self.receive(at, "on-net", sender, code, text, self.profile.country, "internal", None)

    def receive(
        self,
        at: int,
        kind: str,
        sender: str,
        recipient: str,
        text: Text,
        country: str,
        direction: str,
        blocked: Measure | None,
    ) -> None:
        link = self.links[kind]
        parts = split(text)
        message = Message(
            at, "SMS", direction, sender, [Recipient(recipient)], country=country, inbound_link=link
        )
        message.spam_type, message.is_spam, message.segments = text.spam_type, text.is_spam, len(parts)
        message.campaign = text.campaign
        message.logged_bytes = sum(text.size(part) for part in parts)
        self.truth.open(message)
        event = "REJECTED - black-listed SMS" if blocked else "Receive SMS"
        reference = next(self.references) % 256
        for place, part in enumerate(parts):
            udh = (
                f"[udh:6:050003{reference:02X}{len(parts):02X}{place + 1:02X}]"
                if len(parts) > 1
                else "[udh:0:]"
            )
            self.log.add(
                at + place * 700_000,
                f"{event} [SMSC:{link}] [SVC:] [ACT:{link.lower()}] [BINF:] [FID:] [META:?smpp?]"
                f" [from:+{sender}] [to:+{recipient}] [flags:-1:{text.coding}:-1:0:-1]"
                f" [msg:{text.size(part)}:{text.logged(part)}] {udh}",
            )
        if blocked:
            refuse(message, blocked)
        else:
            message.settle("delivery", "delivered", USER_REPORT if recipient == "7726" else None)
        self.truth.close(message)

    # --- out ------------------------------------------------------------------------------------------

    def outgoing(self, at: int, is_spam: bool) -> None:
        """An SMS that a customer hands in, to a subscriber of the operator or of another one."""
        if self.world.chance(0.35):
            recipient, country, direction = (
                self.number(self.profile.own_prefixes),
                self.profile.country,
                "internal",
            )
        else:
            (recipient, country), direction = self.foreigner(), "outbound"
        kind = (
            "on-net"
            if direction == "internal"
            else "peer"
            if country == self.profile.country
            else "aggregator"
        )
        service = self.rng.choice(ROGUE_SERVICES if is_spam else SERVICES)
        sender = service[3]
        origin = None
        blocked = is_spam and self.world.chance(0.4)
        if blocked or self.world.chance(0.15):
            sender, origin = self.number(self.profile.own_prefixes), self.profile.country
        self.send(
            at, kind, sender, recipient, self.text(is_spam), direction, service, origin, is_blocked=blocked
        )

    def send(
        self,
        at: int,
        kind: str,
        sender: str,
        recipient: str,
        text: Text,
        direction: str,
        service: tuple[str, str, str, str],
        origin: str | None,
        *,
        is_blocked: bool,
    ) -> None:
        link = self.links[kind]
        segments = len(split(text))
        target = Recipient(recipient, outbound_link=None if is_blocked else link)
        message = Message(at, "SMS", direction, sender, [target], country=origin)
        message.spam_type, message.is_spam, message.segments = text.spam_type, text.is_spam, segments
        message.campaign = text.campaign
        message.logged_bytes = text.size(text.body)
        self.truth.open(message)
        refusal = None if is_blocked else self.refusal()
        wants_report = is_blocked or refusal is not None or self.world.chance(0.9)
        mask = 31 if wants_report else 0
        account, tariff = service[1], service[2]
        said = f"[msg:{text.size(text.body)}:{text.logged(text.body)}] [udh:0:]"
        numbers = f"[from:{sender}] [to:{recipient}]"
        flags = f"[flags:-1:{text.coding}:-1:-1:{mask}]"
        tag = f"?smpp?campaign={service[0]}%%2026&tenant={account[-2:]}&" if self.world.chance(0.3) else ""
        billing = f"[SVC:{service[0]}] [ACT:{account}] [BINF:{tariff}]"
        if is_blocked or refusal:
            shown = "" if is_blocked else link
            meta = tag if is_blocked else tag + "?smpp_resp?"
            self.log.add(
                at,
                f"REJECTED Send SMS [SMSC:{shown}] {billing} [FID:] [META:{meta}] {numbers} {flags} {said}",
            )
            reason = "NACK/sender in black-list"
            measure = NUMBER_BLOCKLIST
            if refusal:
                reason, measure = f"NACK/{refusal[0]}/{refusal[1]}", refusal[2]
            response = "" if is_blocked else "?smpp_resp?"
            self.log.add(
                at + 3000,
                f"Receive DLR [SMSC:{shown}] [SVC:{service[0]}] [ACT:] [BINF:] [FID:]"
                f" [META:{tag}?orig_msg?dlr_mask={mask}&{response}] {numbers}"
                f" [flags:-1:-1:-1:-1:16] [msg:{len(reason)}:{reason}] [udh:0:]",
            )
            refuse(message, measure)
            self.truth.close(message)
            return
        link_id = next(self.ids[link])
        for _ in range(segments - 1):
            next(self.ids[link])
        self.log.add(
            at,
            f"Sent SMS [SMSC:{link}] {billing} [FID:{link_id}] [META:{tag}?smpp_resp?]"
            f" {numbers} {flags} {said}",
        )
        if not wants_report:
            message.settle("delivery", "delivered")
            self.truth.close(message)
            return
        self.log.add(
            at + 4000,
            f"Receive DLR [SMSC:{link}] [SVC:{service[0]}] [ACT:] [BINF:] [FID:{link_id}]"
            f" [META:{tag}?orig_msg?dlr_mask=31&?smpp_resp?] {numbers}"
            f" [flags:-1:-1:-1:-1:8] [msg:4:ACK/] [udh:0:]",
        )
        self.await_report(at, link, link_id, service[0], message, segments)

    def refusal(self) -> tuple[str, str, Measure, int] | None:
        if not self.world.chance(0.02):
            return None
        return self.rng.choices(REFUSALS, [row[3] for row in REFUSALS])[0]

    def await_report(
        self, at: int, link: str, link_id: int, service: str, message: Message, segments: int
    ) -> None:
        """The final report comes in seconds, in hours, after midnight, or never."""
        roll = self.rng.random()
        delay = (
            self.world.span(1, 20)
            if roll < 0.84
            else self.world.span(20, 3600)
            if roll < 0.94
            else self.world.span(3600, 72_000)
        )
        state = self.rng.choices(("DELIVRD", "UNDELIV", "EXPIRED", "lost"), (92, 4.5, 2, 1.5))[0]
        if state == "EXPIRED":
            delay = 12 * HOUR + self.world.span(0, 600)
        sender, recipient = message.sender, message.recipients[0].address
        if delay > HOUR and self.world.chance(0.5):
            # An intermediate report: the far side holds the message (mask 4).
            self.report_line(
                at + 2 * SECOND, at, link, link_id, service, sender, recipient, "ACCEPTD", "000", 4
            )
        done = at + delay
        if state == "lost" or done >= self.world.end:
            message.settle("delivery", "queued")
            self.truth.close(message)
            return
        error, mask = {"DELIVRD": ("000", 1), "UNDELIV": ("011", 2), "EXPIRED": ("027", 2)}[state]
        self.report_line(done, at, link, link_id, service, sender, recipient, state, error, mask)
        for step in range(1, segments):
            stray = report_text(link_id + step, at, done, state, error)
            self.log.add(
                done + step * 2000,
                f"FAILED Receive DLR [SMSC:{link}] [SVC:] [ACT:] [BINF:] [FID:] [META:?smpp?]"
                f" [from:+{recipient}] [to:+{sender}]"
                f" [flags:-1:0:-1:0:-1] [msg:{len(stray)}:{stray}] [udh:0:]",
            )
        message.last_at = done
        message.settle(
            "delivery", {"DELIVRD": "delivered", "UNDELIV": "bounced", "EXPIRED": "expired"}[state]
        )
        self.truth.close(message)

    def report_line(
        self,
        done: int,
        at: int,
        link: str,
        link_id: int,
        service: str,
        sender: str,
        recipient: str,
        state: str,
        error: str,
        mask: int,
    ) -> None:
        text = report_text(link_id, at, done, state, error)
        code = f"%03%00%{int(error):02X}"
        self.log.add(
            done,
            f"Receive DLR [SMSC:{link}] [SVC:{service}] [ACT:{link.lower()}] [BINF:] [FID:{link_id}]"
            f" [META:?orig_msg?dlr_mask=31&?smpp?dlr_err={code}&] [from:{sender}] [to:{recipient}]"
            f" [flags:-1:-1:-1:-1:{mask}] [msg:{len(text)}:{text}] [udh:0:]",
        )


def refuse(message: Message, measure: Measure) -> None:
    """No message came of it: what was refused is an attempt, and has no segments."""
    message.is_attempt = True
    message.settle("envelope", "rejected", measure)


def report_text(link_id: int, sent: int, done: int, state: str, error: str) -> str:
    """The text of an SMPP delivery report; its dates are in UTC, to the minute."""
    first, last = (f"{dt.datetime.fromtimestamp(at // SECOND, dt.UTC):%y%m%d%H%M}" for at in (sent, done))
    delivered = "001" if state == "DELIVRD" else "000"
    dates = f"submit date:{first} done date:{last}"
    return f"id:{link_id} sub:001 dlvrd:{delivered} {dates} stat:{state} err:{error} text:"


def split(text: Text) -> list[str]:
    """The parts of an SMS: 160 septets, or 153 in each of several; 70 UTF-16 units, or 67."""
    whole, each = (160, 153) if text.coding == 0 else (70, 67)
    sizes = [units(character, text.coding) for character in text.body]
    if sum(sizes) <= whole:
        return [text.body]
    parts, part, used = [], "", 0
    for character, size in zip(text.body, sizes, strict=True):
        if used + size > each:
            parts.append(part)
            part, used = "", 0
        part += character
        used += size
    return [*parts, part]


def units(character: str, coding: int) -> int:
    """Septets of a character in the GSM alphabet, or its UTF-16 units."""
    if coding == 0:
        return 2 if character in GSM_EXTENSION else 1
    return 2 if ord(character) > 0xFFFF else 1
