"""Parts of samples of logs: identifiers that are planted in every field that may carry one, and the search
for them in what a run leaves.

A log's *entry* is what tells of one message, call or report: a few lines. It has slots, such as the envelope
sender; each slot takes forms of some kinds, such as an address literal. There is one entry for each slot and
each form that the slot takes, with that form in it; all other slots hold what is nobody's.
"""

import datetime as dt
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

NOON = 1795521600  # 2026-11-24 12:00:00 UTC
# What each planted text holds one of: a word, a number kept for fiction, an address of documentation (its
# network may be told), also with hyphens.
PLANTED = re.compile(
    r"canary"
    r"|7700[ .()-]{0,2}900[ .-]?\d{3}"
    r"|(?:192[.-]0[.-]2|198[.-]51[.-]100|203[.-]0[.-]113)[.-](?!0/24)\d"
    r"|2001:0?db8:(?![0-9a-f]{1,4}::/48)",
    re.IGNORECASE,
)
# What differs from one canary to the next.
TOKEN = re.compile(r"canary\d+|7700900\d{3}|198[.-]51[.-]100[.-]7|2001:db8:7::9")
Form = Callable[[int], str]


def number(n: int) -> str:
    return f"447700900{n % 1000:03d}"


# An address as an envelope, a header or a SIP URI has it.
ADDRESS: tuple[Form, ...] = (
    lambda n: f"canary{n}@shop.example",
    lambda n: f"canary{n}@canary{n}.shop.example",
    lambda n: f"Canary{n}@Canary{n}.SHOP.Example.",
    lambda n: f"canary{n}@[198.51.100.7]",
    lambda n: f"canary{n}@[IPv6:2001:db8:7::9]",
    lambda n: f"canary{n}@198.51.100.7",
    lambda n: f"canary{n}@{number(n)}.msisdn.example",
    lambda n: f"canary{n}@{number(n)}.example",
    lambda n: f"canary{n}@198-51-100-7.example",
    lambda n: f"canary{n}@shop.example?subject=canary{n}",
    lambda n: f"canary{n}@shop.example?cc=canary{n}@other.example",
    lambda n: f"{number(n)}@shop.example",
    lambda n: f"canary{n}%40other.example@shop.example",
    lambda n: f"canary{n}@canary{n}",
    lambda n: f"canary{n}@canary{n}.local",
    lambda n: f"canary{n}@shop_canary{n}.example",
    lambda n: f"canary{n}@canary{n}.b\u00fccher.example",
    lambda n: f"canary{n}@canary{n}.xn--bcher-kva.example",
)
# The same where a blank, a bracket or a sign of a URI would end it.
HOST: tuple[Form, ...] = (
    lambda n: f"canary{n}.shop.example",
    lambda n: f"{number(n)}.msisdn.example",
    lambda n: f"{number(n)}.example",
    lambda n: f"198-51-100-7.canary{n}.example.org",
    lambda n: f"canary{n}",
    lambda n: f"canary{n}.local",
)
SIP: tuple[Form, ...] = (
    lambda n: f"sip:{number(n)}@198.51.100.7;user=phone",
    lambda n: f"sip:canary{n}@198.51.100.7:5060",
    lambda n: f"sip:canary{n}@[2001:db8:7::9]:5060;transport=tls",
    lambda n: f"sip:canary{n}@canary{n}.shop.example?subject=canary{n}",
    lambda n: f"sip:canary{n}@{number(n)}.example",
    lambda n: f"<sip:+{number(n)}@shop.example;user=phone>",
    lambda n: f"<sip:canary{n}@shop.example;tag=canary{n}>",
    lambda n: f"tel:+{number(n)}",
)
NUMBER: tuple[Form, ...] = (
    number,
    lambda n: "+" + number(n),
    lambda n: "00" + number(n),
    lambda n: "0" + number(n)[2:],
)
IP: tuple[Form, ...] = (lambda n: "198.51.100.7", lambda n: "2001:db8:7::9")
IPV4 = IP[:1]
# Names that administrators give, to hosts and to tests, may be any word; numbers and addresses they are not.
TELLING_HOST: tuple[Form, ...] = (*HOST[1:4], *IPV4)
TELLING_NAME: tuple[Form, ...] = (*NUMBER, *IP, *ADDRESS[:4], lambda n: f"FROM_{number(n)}")
WORD: tuple[Form, ...] = (lambda n: f"canary{n}",)
# What is put where a name, a subject or a text stands.
TEXT: tuple[Form, ...] = (
    lambda n: f"canary{n} casino bonus for {number(n)} at 198.51.100.7 canary{n}@shop.example",
    lambda n: f"call +{number(n)}",
)
# An id that somebody chose.
ID: tuple[Form, ...] = (
    lambda n: f"canary{n}@198.51.100.7",
    lambda n: f"{number(n)}.canary{n}@shop.example",
    number,
)
# The name of a link: of an SMSC, a trunk or a gateway.
LINK: tuple[Form, ...] = (number, lambda n: f"canary{n}", lambda n: f"gw-{number(n)}-198.51.100.7")
SENDER = (*NUMBER, *WORD, *ADDRESS[:1])
# What is put into every field of a log, whatever belongs there: a number, also in the forms of ids and codes,
# an address, a name, a text.
PLANTS: tuple[Form, ...] = (
    number,
    lambda n: f"+{number(n)}",
    lambda n: f"{number(n)}1",
    lambda n: f"{number(n)[:6]}-{number(n)[6:]}-00",
    lambda n: f"A{number(n)}",
    lambda n: f"0x{number(n)}",
    lambda n: f"canary{n}@shop.example",
    lambda n: "198.51.100.7",
    lambda n: f"canary{n}",
    lambda n: "CANARY_SMITH",
    lambda n: "Canary-Smith",
    lambda n: f"canary call +{number(n)}",
    lambda n: "Canary Smith called",
)
# A field, or a part of one, as far as signs of a log's form bound it.
FIELD = re.compile(r"[^\s<>\[\](){},;:=\"'|?&@/]+")

# What a filter tells of a mail.
VERDICT = {"sender": ADDRESS, "recipient": ADDRESS, "ip": IP, "message_id": ID}
# What a mail server tells of a message. Postfix and Exim take a blank or a bracket in a host for its end.
SENT = VERDICT | {
    "name": HOST, "relay": HOST, "relay_ip": IP, "account": (*ADDRESS[:1], *NUMBER[:1]), "reply": TEXT,
}  # fmt: skip


def fields_of(text: str) -> list[str]:
    """The values of an entry's fields, each once."""
    return list(dict.fromkeys(FIELD.findall(text)))


def within(text: str, forms: tuple[Form, ...]) -> tuple[Form, ...]:
    """Forms inside of a longer text."""
    return tuple(lambda n, form=form: text.format(form(n)) for form in forms)


@dataclass(frozen=True)
class Canaries:
    """A log of one format with identifiers planted in it.

    Attributes:
        entry: the lines, or the one document, of the entry of a number, with these values in its slots.
        slots: for each slot the forms that it takes.
        table: of silver, with a row for each entry.
        unread: slots that no table has.
        format: where it is not the log's name.
        within: the format of the log that its lines stand in.
        options: of the source, as TOML.
        head: of the file.
        is_files: each entry is a file of its own.
    """

    name: str
    entry: Callable[..., str]
    slots: dict[str, tuple[Form, ...]]
    table: str = "silver.transmission"
    unread: tuple[str, ...] = ()
    format: str = ""
    within: str = ""
    options: str = ""
    head: str = ""
    is_files: bool = False
    suffix: str = ".log"

    @property
    def kernel(self) -> str:
        return self.format or self.name

    @property
    def source_options(self) -> dict[str, Any]:
        given: dict[str, Any] = tomllib.loads(f"options = {self.options or '{}'}")["options"]
        return given

    def entries(self) -> Iterator[tuple[str, str]]:
        """Each entry, and the canary in it; none in the first."""
        n = 100
        yield self.entry(n), ""
        for slot, forms in self.slots.items():
            for form in forms:
                n += 1
                canary = form(n)
                yield self.entry(n, **{slot: canary}), "" if slot in self.unread else canary

    def everywhere(self) -> Iterator[str]:
        """An entry for each of its fields and each of PLANTS, with that in place of the field's value."""
        n = 100
        for place in range(len(fields_of(self.entry(n)))):
            for plant in PLANTS:
                n += 1
                # Where two fields have one value, as an hour and a minute may, the entry has fewer.
                old, new = fields_of(text := self.entry(n))[place:][:1], plant(n)
                yield FIELD.sub(lambda each, old=old, new=new: new if [each[0]] == old else each[0], text)


@dataclass(frozen=True)
class Log:
    """A log of one format: its lines, and what its source says of it."""

    format: str
    lines: list[str]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Samples:
    """Logs that a module of this package holds as SAMPLES, of the format that it is named after.

    Attributes:
        canaries: logs with identifiers planted in each field; every format has them.
        logs: by name, logs of many events for the search for copies; without them, entries of the first
            canaries.
        files: by name, logs that sniff reads as a run does, beside those of sample_data/lab; without both,
            logs.
        joins_records: several records make a row of bronze, or one makes several, or one may be written
            twice.
    """

    canaries: tuple[Canaries, ...]
    logs: dict[str, Log] = field(default_factory=dict)
    files: dict[str, Log] = field(default_factory=dict)
    joins_records: bool = False


def at(n: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(NOON + 2 * n, dt.UTC)


def syslog(n: int, tag: str, text: str, host: str = "mx1") -> str:
    return f"{at(n):%b %d %H:%M:%S} {host} {tag}: {text}\n"


def times(count: int) -> list[str]:
    """Times of a clock, of which some come twice."""
    return [f"14:{number // 40:02}:{number // 2 % 20 * 3:02}" for number in range(count)]
