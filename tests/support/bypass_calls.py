"""The call records of one mobile operator among whose callers SIM boxes are, and the truth of it.

The same arguments give the same calls, each with its UTC second, link, sender, recipient, cell and the signs
of bypass that are true of it. Subscribers of the operator have cells, those of the peer and fixed lines have
none. What makes detection hard is in it as well: couriers who move, shops and clinics that stay where they
are and are called back, call centres on trunks and on SIM cards, boxes that stay small, that are moved from
cell to cell, or that use the peer's SIM cards.
"""

import dataclasses
import datetime as dt
import json
import random

from tests.support.bypass_sms import DAY, HOME, PEER, PREFIXES, in_order

OPERATOR = "detour-calls"
LINKS = {
    "RADIO": 'kind = "on-net"',
    "PEER-FR": 'kind = "peer"\nscope = "national"',
    "TRUNK-FR": 'kind = "peer"\nscope = "national"',
    "CARRIER-INTL": 'kind = "hub"',
}
# Of the fixed numbers kept for fiction in France.
FIXED = "3319900"
CELLS = 60
PROFILE = """name = "calls"
channel = "VOICE_CS"
delimiter = ";"
header = true
columns = ["at", "from", "to", "trunk", "cell", "result"]

[field]
first_at = { column = "at", formats = ["%Y-%m-%d %H:%M:%S"] }
sender = { column = "from" }
recipient = { column = "to" }
inbound_link = { column = "trunk" }
cell_id = { column = "cell" }

[outcome]
columns = ["result"]
default = "quarantine"

[[outcome.rule]]
is = "ANSWERED"
stage = "delivery"
outcome = "delivered"

[[outcome.rule]]
is = "NO ANSWER"
stage = "delivery"
outcome = "bounced"
"""


@dataclasses.dataclass(frozen=True)
class Call:
    """One call as it came in over a link, and the signs of bypass that are true of it."""

    at: int
    link: str
    sender: str
    recipient: str
    cell: str
    signs: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Caller:
    """A number, the link that it calls over, and the cells that it is in during the day."""

    number: str
    link: str
    cells: tuple[int, ...] = ()


class Day:
    """The calls of one day."""

    def __init__(self, rng: random.Random, begin: int) -> None:
        self.rng = rng
        self.begin = begin
        self.made: list[Call] = []
        self.callers: dict[str, Caller] = {}

    def mobile(self, network: str) -> str:
        return f"{self.rng.choice(PREFIXES[network])}{self.rng.randrange(1000):03d}"

    def somebody(self, network: str | None = None, least: int = 1, most: int = 6) -> Caller:
        """A subscriber, the same for all of the day."""
        rng = self.rng
        network = network or rng.choices((HOME, PEER), (6, 4))[0]
        number = self.mobile(network)
        cells = tuple(rng.sample(range(CELLS), rng.randint(least, most))) if network == HOME else ()
        made = Caller(number, "RADIO" if network == HOME else "PEER-FR", cells)
        return self.callers.setdefault(number, made)

    def one(self, network: str, least: int, most: int) -> Caller:
        """A subscriber that nobody was yet today."""
        while True:
            known = len(self.callers)
            made = self.somebody(network, least, most)
            if len(self.callers) > known:
                return made

    def fixed(self) -> Caller:
        number = f"{FIXED}{self.rng.randrange(10_000):04d}"
        return self.callers.setdefault(number, Caller(number, "TRUNK-FR"))

    def call(self, caller: Caller, called: Caller, *signs: str) -> None:
        cell = f"208-90-{self.rng.choice(caller.cells)}" if caller.cells else ""
        at = self.begin + self.rng.randrange(DAY)
        self.made.append(Call(at, caller.link, caller.number, called.number, cell, signs))

    def reach(
        self, caller: Caller, many: int, returned: float, incoming: float, again: float, *signs: str
    ) -> None:
        """A number calls many; some are called again, some call back, and others call it unasked.

        Args:
            returned, incoming, again: per number that it calls.
        """
        rng = self.rng
        for _ in range(many):
            called = self.somebody() if rng.random() < 0.8 or signs else self.fixed()
            self.call(caller, called, *signs)
            if rng.random() < again:
                self.call(caller, called, *signs)
            if rng.random() < returned:
                self.call(called, caller)
        for _ in range(round(many * incoming)):
            self.call(self.somebody(), caller)

    def people(self) -> None:
        rng = self.rng
        for _ in range(900):
            one, other = self.somebody(), self.somebody() if rng.random() < 0.8 else self.fixed()
            for _ in range(rng.randint(1, 4)):
                self.call(*rng.sample((one, other), 2))
        for _ in range(90):
            self.call(Caller(f"447700900{rng.randrange(1000):03d}", "CARRIER-INTL"), self.somebody(HOME))
        # Couriers and sellers: many customers, of whom few call back, from all over the town.
        for _ in range(12):
            caller = self.one(HOME, 2, 15)
            self.reach(caller, rng.randint(15, 70), rng.uniform(0.02, 0.3), rng.uniform(0, 0.2), 0.2)
        # Shops and clinics on a SIM card stay where they are, and are called.
        for _ in range(8):
            caller = self.one(HOME, 1, 2)
            self.reach(caller, rng.randint(15, 60), rng.uniform(0.05, 0.3), rng.uniform(0.1, 2), 0.15)

    def centres(self) -> None:
        """Call centres: those on trunks have no cells, and such as only call out are in all else like a box;
        so are those on SIM cards. Clinics and help desks are called, too."""
        rng = self.rng
        for _ in range(6):
            self.reach(self.fixed(), rng.randint(30, 200), rng.uniform(0.01, 0.1), rng.uniform(0, 0.03), 0.1)
        for _ in range(6):
            self.reach(self.fixed(), rng.randint(20, 120), rng.uniform(0.05, 0.3), rng.uniform(0.05, 1), 0.1)
        for _ in range(2):
            caller = self.one(HOME, 1, 2)
            self.reach(caller, rng.randint(30, 120), rng.uniform(0.02, 0.15), rng.uniform(0, 0.15), 0.1)

    def boxes(self) -> None:
        """Callees see a number that they do not know in place of their friend's abroad, and few call it."""
        rng = self.rng
        for network, count, most in ((HOME, 10, 2), (HOME, 2, 6), (PEER, 3, 1)):
            for _ in range(count):
                caller = self.one(network, 1 if most < 3 else 3, most)
                returned, incoming = rng.uniform(0, 0.08), rng.uniform(0, 0.03)
                self.reach(caller, rng.randint(15, 150), returned, incoming, 0.05, "SIMBOX")


def simulate(seed: int, days: int = 2, start: dt.date = dt.date(2026, 11, 20)) -> list[Call]:
    """All calls, as in_order() has them."""
    rng = random.Random(f"bypass calls {seed}")

    def of_day(begin: int) -> list[Call]:
        day = Day(rng, begin)
        # Boxes take numbers that nobody else has; whom they call is anybody.
        day.boxes()
        day.centres()
        day.people()
        return day.made

    return in_order(days, start, of_day)


def line_of(call: Call) -> str:
    stamp = dt.datetime.fromtimestamp(call.at, dt.UTC)
    result = "NO ANSWER" if call.at % 4 == 0 else "ANSWERED"
    return f"{stamp:%Y-%m-%d %H:%M:%S};+{call.sender};+{call.recipient};{call.link};{call.cell};{result}"


def settings() -> str:
    own = json.dumps([f"+{prefix}" for prefix in PREFIXES[HOME]])
    links = "".join(f'\n[[operator.link]]\nname = "{name}"\n{rest}\n' for name, rest in LINKS.items())
    return (
        '[lake]\nroot = "lake"\nread_at = 2027-01-01T00:00:00Z\n'
        f'\n[[operator]]\nid = "{OPERATOR}"\nname = "Detour calls"\ncountry = "FRA"\n'
        f'holding = "detour"\ncurrency = "EUR"\nsubscribers = 4000\nnumber_prefixes = {own}\n{links}'
        '\n[[operator.source]]\nid = "msc"\nurl = "calls.csv"\nformat = "delimited"\n'
        'options = { profile = "calls.toml" }\n'
    )
