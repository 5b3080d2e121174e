"""The simulated operators: who they are, where they are, what traffic they see.

Shares are of arrivals: a session of a mail client, or an SMS. All names, numbers and addresses are
from ranges kept for documentation and fiction.
"""

from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class MailOperator:
    """A mail provider with Postfix and Rspamd.

    Attributes:
        filter_time_zone: of the filter's log, where it is another one.
        filter_ahead_s: seconds by which the clock of the filter's host is ahead.
    """

    id: str
    name: str
    country: str
    currency: str
    holding: str
    time_zone: str
    stamp: str
    host: str
    domains: tuple[str, ...]
    networks: tuple[str, ...]
    server_ip: str
    office_prefix: str
    users: int
    spam_share: float
    swing: float
    outbound_share: float
    internal_share: float
    weight: float
    has_long_ids: bool = False
    has_content_filter: bool = False
    ipv6_share: float = 0.12
    queue_lifetime_hours: float = 120.0
    subscribers: int = 0
    filter_time_zone: str = ""
    filter_ahead_s: int = 0
    ham_countries: dict[str, float] = field(default_factory=dict)
    spam_countries: dict[str, float] = field(default_factory=dict)
    spam_types: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class SmsOperator:
    """An SMS operator with Kannel. Numbers are `calling_code` + `own_block` or `other_block` + digits."""

    id: str
    name: str
    country: str
    currency: str
    holding: str
    time_zone: str
    language: str
    own_prefixes: tuple[str, ...]
    other_prefixes: tuple[str, ...]
    number_digits: int
    short_codes: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    spam_share: float
    swing: float
    weight: float
    subscribers: int = 0
    spam_types: dict[str, float] = field(default_factory=dict)
    foreign_callers: dict[str, float] = field(default_factory=dict)


HIMAL = MailOperator(
    id="himal-mail",
    name="Himal Mail",
    country="NPL",
    currency="NPR",
    holding="himal",
    time_zone="Asia/Kathmandu",
    stamp="rfc3164",
    host="mx1",
    domains=("himal.example", "sherpa.example"),
    networks=("192.0.2.0/26", "2001:db8:100::/48", "127.0.0.0/8"),
    server_ip="192.0.2.10",
    office_prefix="192.0.2.",
    users=900,
    spam_share=0.62,
    swing=0.22,
    outbound_share=0.11,
    internal_share=0.04,
    weight=0.30,
    queue_lifetime_hours=8,
    subscribers=210_000,
    ham_countries={
        "NPL": 30, "IND": 22, "USA": 14, "GBR": 7, "AUS": 7, "JPN": 6, "DEU": 5, "CHN": 4, "NLD": 3,
        "FRA": 2,
    },
    spam_countries={
        "CHN": 20, "VNM": 16, "IND": 15, "RUS": 13, "IDN": 10, "BRA": 9, "TUR": 6, "USA": 5, "NGA": 4,
        "NLD": 2,
    },
    spam_types={
        "AD.pharma": 20, "PHISH.mail": 24, "FRAUD.advance-fee": 20, "FRAUD.lottery": 9, "MALWARE.link": 8,
        "MALWARE.attach": 5, "UNK": 14,
    },
)  # fmt: skip

LAGOON = MailOperator(
    id="lagoon-mail",
    name="Lagoon Mail",
    country="FJI",
    currency="FJD",
    holding="lagoon",
    time_zone="UTC",
    stamp="iso",
    host="mx1",
    domains=("lagoon.example",),
    networks=("192.0.2.64/26", "2001:db8:200::/48", "127.0.0.0/8"),
    server_ip="192.0.2.70",
    office_prefix="192.0.2.",
    users=260,
    spam_share=0.35,
    swing=0.30,
    outbound_share=0.16,
    internal_share=0.06,
    weight=0.34,
    has_long_ids=True,
    has_content_filter=True,
    ipv6_share=0.2,
    queue_lifetime_hours=20,
    subscribers=38_000,
    ham_countries={
        "FJI": 28, "AUS": 26, "USA": 12, "JPN": 7, "GBR": 7, "IND": 6, "FRA": 5, "DEU": 4, "ZAF": 2,
        "NLD": 3,
    },
    spam_countries={
        "USA": 18, "RUS": 16, "CHN": 12, "BRA": 11, "NGA": 10, "IDN": 9, "VNM": 8, "NLD": 7, "ZAF": 5,
        "TUR": 4,
    },
    spam_types={
        "PHISH.mail": 34, "FRAUD.advance-fee": 14, "MALWARE.attach": 14, "AD.pharma": 11, "MALWARE.link": 8,
        "FRAUD.lottery": 5, "UNK": 14,
    },
)  # fmt: skip

BENCH = MailOperator(
    id="bench-mail",
    name="Bench Mail",
    country="CHE",
    currency="CHF",
    holding="bench",
    time_zone="UTC",
    stamp="iso",
    host="mx1",
    domains=("bench.example",),
    networks=("192.0.2.128/26", "2001:db8:300::/48", "127.0.0.0/8"),
    server_ip="192.0.2.140",
    office_prefix="192.0.2.",
    users=40_000,
    spam_share=0.5,
    swing=0.2,
    outbound_share=0.14,
    internal_share=0.05,
    weight=1.0,
    has_long_ids=True,
    queue_lifetime_hours=24,
    subscribers=900_000,
    ham_countries=LAGOON.ham_countries,
    spam_countries=HIMAL.spam_countries,
    spam_types=HIMAL.spam_types,
)

# All mail passes amavisd, which gives it back under another queue id.
AMAVIS = replace(
    BENCH,
    id="amavis-mail",
    name="Amavis Mail",
    holding="amavis",
    host="mx2",
    domains=("amavis.example",),
    has_content_filter=True,
)

CHANNEL = SmsOperator(
    id="channel-sms",
    name="Channel SMS",
    country="GBR",
    currency="GBP",
    holding="trans-sms",
    time_zone="Europe/London",
    language="en",
    own_prefixes=("4477009000", "4477009001", "4477009002", "4477009003", "4477009004"),
    other_prefixes=("4477009005", "4477009006", "4477009007", "4477009008", "4477009009"),
    number_digits=2,
    short_codes=("60777", "7726"),
    links=(("HOME-GB", "on-net"), ("PEER-GB", "peer"), ("HUB-INTL", "hub"), ("AGG-WEST", "aggregator")),
    spam_share=0.12,
    swing=0.35,
    weight=0.20,
    subscribers=640_000,
    spam_types={
        "PHISH.smish": 40, "FRAUD.impersonation": 14, "FRAUD.lottery": 12, "FRAUD.loan": 9, "AD.gambling": 9,
        "FRAUD.invest": 6, "UNK": 10,
    },
    foreign_callers={"GBR": 34, "USA": 30, "AUS": 16, "IRL": 14, "FRA": 6},
)  # fmt: skip

HEXAGONE = SmsOperator(
    id="hexagone-sms",
    name="Hexagone SMS",
    country="FRA",
    currency="EUR",
    holding="trans-sms",
    time_zone="Europe/Paris",
    language="fr",
    own_prefixes=("33639980", "33639981", "33639982", "33639983", "33639984"),
    other_prefixes=("33639985", "33639986", "33639987", "33639988", "33639989"),
    number_digits=3,
    short_codes=("36111", "33700"),
    links=(("HOME-FR", "on-net"), ("PEER-FR", "peer"), ("HUB-SUD", "hub"), ("AGG-EST", "aggregator")),
    spam_share=0.06,
    swing=0.4,
    weight=0.16,
    subscribers=1_150_000,
    spam_types={
        "PHISH.smish": 52,
        "AD.gambling": 12,
        "FRAUD.loan": 10,
        "FRAUD.lottery": 12,
        "FRAUD.impersonation": 8,
        "UNK": 6,
    },
    foreign_callers={"FRA": 46, "GBR": 20, "USA": 14, "IRL": 8, "AUS": 12},
)

PROFILES: dict[str, tuple[MailOperator | SmsOperator, ...]] = {
    "study": (HIMAL, LAGOON, CHANNEL, HEXAGONE),
    "benchmark": (BENCH,),
    "amavis": (AMAVIS,),
}
OPERATORS = {operator.id: operator for group in PROFILES.values() for operator in group}
