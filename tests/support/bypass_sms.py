"""The SMS of one operator over whose links routes are got round, as lines of Kannel, and the truth of it.

The same arguments give the same messages, each with its UTC second, link, sender, recipient and the signs of
bypass that are true of it. What makes detection hard is in them as well: people who write to many
and get few answers, numbers that moved to another network, subscribers abroad without a roaming link, SIM
boxes that stay small.
"""

import dataclasses
import datetime as dt
import json
import random
from collections.abc import Callable
from typing import Protocol, TypeVar

from sample_data.generator.texts import HAM_SMS, SPAM_SMS

HOME, PEER, OTHER = "208-90", "208-91", "208-92"
# The range kept for fiction in France, as if three networks shared it.
PREFIXES = {
    HOME: tuple(f"3363998{n}" for n in range(4)),
    PEER: ("33639984", "33639985", "33639986"),
    OTHER: ("33639988",),
}
LINKS = {
    "HOME-FR": f'kind = "on-net"\nnetworks = ["{HOME}"]',
    "PEER-FR": f'kind = "peer"\nscope = "national"\nnetworks = ["{PEER}"]',
    "HUB-INTL": 'kind = "hub"',
    "AGG-EST": 'kind = "aggregator"',
}
LINK_OF = {HOME: "HOME-FR", PEER: "PEER-FR"}
BRANDS = ("Banque-X", "Colis24", "VotreCode", "MaBoutique", "Energie")
DAY = 86_400


@dataclasses.dataclass(frozen=True)
class Sms:
    """One SMS as it came in over a link, and the signs of bypass that are true of it."""

    at: int
    link: str
    sender: str
    recipient: str
    text: str
    signs: tuple[str, ...] = ()


class Day:
    """The messages of one day."""

    def __init__(self, rng: random.Random, begin: int) -> None:
        self.rng = rng
        self.begin = begin
        self.sent: list[Sms] = []

    def number(self, network: str) -> str:
        return f"{self.rng.choice(PREFIXES[network])}{self.rng.randrange(1000):03d}"

    def subscriber(self) -> tuple[str, str]:
        """A number of the operator's or the peer's, and the link that it writes over."""
        network = self.rng.choices((HOME, PEER), (6, 4))[0]
        return self.number(network), LINK_OF[network]

    def ham(self) -> str:
        return self.fill(self.rng.choice(HAM_SMS["fr"]))

    def ad(self) -> str:
        return self.fill(self.rng.choice(SPAM_SMS["fr"]["AD.gambling"]))

    def fill(self, text: str) -> str:
        rng = self.rng
        return text.format(
            n=rng.randrange(11, 60), k=rng.randrange(100_000, 1_000_000), c=f"a{rng.randrange(99)}q"
        )

    def send(self, link: str, sender: str, recipient: str, text: str, *signs: str) -> None:
        at = self.begin + self.rng.randrange(DAY)
        self.sent.append(Sms(at, link, sender, recipient, text, signs))

    def talk(self) -> None:
        """Two people write to each other."""
        (one, one_link), (other, other_link) = self.subscriber(), self.subscriber()
        for place in range(self.rng.randint(1, 6)):
            pair = (one_link, one, other) if place % 2 == 0 else (other_link, other, one)
            self.send(*pair, self.ham())

    def reach(
        self, sender: str, link: str, many: int, answering: float, *signs: str, text: str = "ham"
    ) -> None:
        """A number writes to many; some answer."""
        for _ in range(many):
            other, other_link = self.subscriber()
            self.send(link, sender, other, self.ad() if text == "ad" else self.ham(), *signs)
            if self.rng.random() < answering:
                self.send(other_link, other, sender, self.ham())

    def people(self) -> None:
        rng = self.rng
        for _ in range(700):
            self.talk()
        # Clubs and families; the second kind gets few answers and is the one that looks like a SIM box.
        for low, high, least, most in ((20, 60, 0.3, 0.7), (12, 45, 0.04, 0.25)):
            for _ in range(5):
                sender, link = self.subscriber()
                self.reach(sender, link, rng.randint(low, high), rng.uniform(least, most))
        # Numbers that moved to the peer and kept the range of another network.
        for _ in range(12):
            self.send("PEER-FR", self.number(rng.choice((HOME, OTHER))), self.number(HOME), self.ham())
        for _ in range(120):
            foreign = f"447700900{rng.randrange(1000):03d}"
            self.send("HUB-INTL", foreign, self.number(HOME), self.ham())
        # Subscribers abroad whose messages come by the hub.
        for _ in range(6):
            self.send("HUB-INTL", self.number(HOME), self.number(HOME), self.ham())

    def applications(self) -> None:
        for _ in range(300):
            self.send("AGG-EST", self.rng.choice((*BRANDS, "36111")), self.number(HOME), self.ham())

    def bypass(self) -> None:
        rng = self.rng
        for _ in range(8):
            sender, link = self.subscriber()
            self.reach(sender, link, rng.randint(18, 120), rng.uniform(0, 0.07), "SIMBOX")
        for _ in range(60):
            self.send("PEER-FR", rng.choice(BRANDS), self.number(HOME), self.ham(), "GREY_ROUTE")
        # An application behind SIM cards of the peer is a grey route and a SIM box at once; one advertises.
        for text in ("ham", "ad"):
            many = rng.randint(150, 320)
            self.reach(self.number(PEER), "PEER-FR", many, 0.01, "GREY_ROUTE", "SIMBOX", text=text)
        for _ in range(80):
            number = self.number(OTHER) if rng.random() < 0.5 else f"35320911{rng.randrange(10_000):04d}"
            self.send("PEER-FR", number, self.number(HOME), self.ham(), "HOME_MISMATCH")
        for _ in range(90):
            self.send(
                "HUB-INTL",
                self.number(rng.choice((HOME, PEER, OTHER))),
                self.number(HOME),
                self.ham(),
                "SPOOFED_CLI",
            )


class Event(Protocol):
    """Event of a log, an SMS or a call: its time, sender and recipient."""

    @property
    def at(self) -> int: ...
    @property
    def sender(self) -> str: ...
    @property
    def recipient(self) -> str: ...


E = TypeVar("E", bound=Event)


def in_order(days: int, start: dt.date, of_day: Callable[[int], list[E]]) -> list[E]:
    """All that of_day makes of each day's first second, in time order. No two have the same second, sender
    and recipient, and nobody reaches itself."""
    made: dict[tuple[int, str, str], E] = {}
    for place in range(days):
        midnight = dt.datetime.combine(start, dt.time(), dt.UTC) + dt.timedelta(days=place)
        for event in of_day(int(midnight.timestamp())):
            if event.sender != event.recipient:
                made.setdefault((event.at, event.sender, event.recipient), event)
    return [made[key] for key in sorted(made)]


def simulate(seed: int, days: int = 2, start: dt.date = dt.date(2026, 11, 20)) -> list[Sms]:
    """All messages, as in_order() has them."""
    rng = random.Random(f"bypass {seed}")

    def of_day(begin: int) -> list[Sms]:
        day = Day(rng, begin)
        day.people()
        day.applications()
        day.bypass()
        return day.sent

    return in_order(days, start, of_day)


def line_of(sms: Sms) -> str:
    """The line of Kannel's access log in its default format."""
    stamp = dt.datetime.fromtimestamp(sms.at, dt.UTC)
    sender = f"+{sms.sender}" if sms.sender.isdigit() else sms.sender
    return (
        f"{stamp:%Y-%m-%d %H:%M:%S} Receive SMS [SMSC:{sms.link}] [SVC:] [ACT:{sms.link.lower()}] [BINF:]"
        f" [FID:] [META:?smpp?] [from:{sender}] [to:+{sms.recipient}] [flags:-1:0:-1:0:-1]"
        f" [msg:{len(sms.text.encode())}:{sms.text}] [udh:0:]"
    )


def number_ranges() -> str:
    rows = [f"+{prefix},{network}\n" for network, prefixes in PREFIXES.items() for prefix in prefixes]
    return "prefix,mcc_mnc\n" + "".join(rows) + "+447700900,234-90\n+35320911,272-90\n"


def settings() -> str:
    own = json.dumps([f"+{prefix}" for prefix in PREFIXES[HOME]])
    links = "".join(f'\n[[operator.link]]\nname = "{name}"\n{rest}\n' for name, rest in LINKS.items())
    return (
        '[lake]\nroot = "lake"\nread_at = 2027-01-01T00:00:00Z\n'
        '\n[location]\nnumber_ranges = "number-ranges.csv"\n\n'
        '[[operator]]\nid = "detour-sms"\nname = "Detour SMS"\ncountry = "FRA"\nholding = "detour"\n'
        f'currency = "EUR"\nsubscribers = 4000\nnumber_prefixes = {own}\n{links}'
        '\n[[operator.source]]\nid = "smsc"\nurl = "bearerbox-access.log"\nformat = "kannel"\n'
    )
