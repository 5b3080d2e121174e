"""Settings of an operator: who it is, its links, its sources, and costs and tests of its own."""

from __future__ import annotations

import ipaddress
import zoneinfo
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from jobs.core.choices import check_choice
from jobs.core.contracts import format_kind, list_codes
from jobs.core.mobile_networks import is_mcc_mnc
from jobs.settings.access import Access, check_access
from jobs.settings.base import Code, Settings, StaleDays
from jobs.settings.countries import check_country, currency_codes
from jobs.settings.values import check_network, refuse_control_characters, refuse_repeats

# What follows from the kind of a link; for other kinds the operator states it.
SCOPE_OF_KIND = {"on-net": "national", "hub": "international", "roaming": "international"}
TRAFFIC_OF_KIND = {"on-net": "p2p", "peer": "p2p", "roaming": "p2p", "aggregator": "a2p"}
# More than the world has, and less than what 64 bits hold.
MOST_SUBSCRIBERS = 10**12
# Ten years: a host that starts without its clock begins with some year of the past.
MOST_OFFSET_S = 10 * 366 * 86_400

Subscribers = Annotated[int, Field(ge=1, le=MOST_SUBSCRIBERS)]
# One number or one for each channel: by its form a wrong value gets the errors of one of the two.
IN_ALL, BY_CHANNEL = "in all", "by channel"
AllSubscribers = Annotated[
    Annotated[Subscribers, Tag(IN_ALL)] | Annotated[dict[str, Subscribers], Tag(BY_CHANNEL)],
    Discriminator(lambda given: BY_CHANNEL if isinstance(given, dict) else IN_ALL),
]
# More than the world produces in a year, in any currency, and few enough to be added up.
MOST_COST = 10**18
Cost = Annotated[float, Field(ge=0, le=MOST_COST, allow_inf_nan=False)]
# Protocols of fsspec that wrap files of another place.
NO_PLACES = (
    *("zip", "tar", "libarchive", "reference", "dir", "data", "memory", "generic", "file-list"),
    *("cached", "blockcache", "filecache", "simplecache", "asynclocal", "asyncwrapper"),
)


class Link(Settings):
    """What connects the operator to others: an SMSC id, a relay's name or an address range.

    scope: whether it comes from inside the country. traffic: what its contract is for, messages of
    applications to persons or of persons to persons. networks: MCC-MNC of the networks whose subscribers may
    use it. Bypass detection uses them; scope and traffic follow from the kind where it leaves no choice.
    """

    name: str
    kind: str
    scope: Literal["national", "international"] | None = None
    traffic: Literal["a2p", "p2p"] | None = None
    networks: list[str] = []

    @field_validator("name")
    @classmethod
    def whole_network(cls, name: str) -> str:
        try:
            ipaddress.ip_address(name.partition("/")[0])
        except ValueError:
            return name
        return check_network(name)

    @field_validator("networks")
    @classmethod
    def known_networks(cls, networks: list[str]) -> list[str]:
        for network in networks:
            if not is_mcc_mnc(network):
                raise ValueError(f"'{network}' is no MCC-MNC; write it as in 234-15")
        return networks

    @field_validator("kind")
    @classmethod
    def known_kind(cls, kind: str) -> str:
        return check_choice(kind, list_codes("route"), "kind of link")

    @property
    def scope_code(self) -> str | None:
        return self.scope or SCOPE_OF_KIND.get(self.kind)

    @property
    def traffic_code(self) -> str | None:
        return self.traffic or TRAFFIC_OF_KIND.get(self.kind)


class FixedCostSettings(Settings):
    """A cost of the operator's own that no log shows, with its 5, 50 and 95% points.

    countermeasure: a code of its list, or `_T` for what serves all of the channel's measures.
    """

    name: str
    countermeasure: str
    channel: Literal["EMAIL", "SMS"]
    low: Cost
    central: Cost
    high: Cost
    per: Literal["year", "month"] = "year"

    @field_validator("countermeasure")
    @classmethod
    def known_countermeasure(cls, code: str) -> str:
        return check_choice(code, {*list_codes("countermeasure"), "_T"}, "countermeasure")

    @model_validator(mode="after")
    def check_order(self) -> FixedCostSettings:
        if not self.low <= self.central <= self.high:
            raise ValueError(f"low, central and high of cost '{self.name}' must not fall")
        return self


class FilterQuality(Settings):
    """How the operator's filter fared in a test elsewhere: how many messages of known kind it was given, and
    how many of them it flagged. Corrects what was counted in months without an audit."""

    channel: Literal["EMAIL", "SMS"]
    spam_tested: int = Field(ge=1)
    spam_flagged: int = Field(ge=0)
    ham_tested: int = Field(ge=1)
    ham_flagged: int = Field(ge=0)
    source: str

    @model_validator(mode="after")
    def of_use(self) -> FilterQuality:
        for kind in ("spam", "ham"):
            if getattr(self, f"{kind}_flagged") > getattr(self, f"{kind}_tested"):
                raise ValueError(f"{kind}_flagged must not be more than {kind}_tested")
        if self.spam_flagged * self.ham_tested <= self.ham_flagged * self.spam_tested:
            raise ValueError("a filter that flags no larger share of spam than of ham corrects nothing")
        return self


class SourceSettings(Settings):
    """Logs of one kind: a URL with wildcards, read by one format.

    time_zone: of stamps without an offset. clock_offset: seconds by which the host's clock was ahead; of logs
    of lines only. numbers: what digits are that begin neither with +, nor with a prefix for abroad, nor with
    0: e164, with the country's code, or national, of the operator's own country. All of them hold for what is
    read from then on; of the numbers that subscribers report, when silver is computed.
    whole: no file grows, so that a last line without its end is read at once.
    access: how another host is reached, where its URL and the usual files do not say it.
    stale_days: in place of [lake] stale_days, for a source that gets lines more rarely or more often.
    """

    id: Code
    url: str
    access: Access = Access()
    format: str = "auto"
    time_zone: str = "UTC"
    clock_offset: int = Field(default=0, ge=-MOST_OFFSET_S, le=MOST_OFFSET_S)
    numbers: Literal["e164", "national"] = "e164"
    whole: bool = False
    stale_days: StaleDays | None = None
    options: dict[str, Any] = {}

    @field_validator("url")
    @classmethod
    def known_place(cls, url: str) -> str:
        refuse_control_characters(url)
        scheme = url.partition("://")[0] if "://" in url else ""
        if "::" in scheme or scheme in NO_PLACES:
            raise ValueError(
                f"{scheme}: is no place that logs are read from. Name the files themselves, by a path or a"
                " URL, as in sftp://host/var/log/mail.log*"
            )
        return url

    @field_validator("format")
    @classmethod
    def known_format(cls, name: str) -> str:
        return check_choice(name, {*list_codes("format"), "auto"}, "format")

    @field_validator("time_zone")
    @classmethod
    def known_zone(cls, name: str) -> str:
        return check_choice(name, zoneinfo.available_timezones(), "time zone")

    @model_validator(mode="after")
    def with_access(self) -> SourceSettings:
        check_access(self.url, self.access)
        return self

    @model_validator(mode="after")
    def with_clock(self) -> SourceSettings:
        if self.clock_offset and format_kind(self.format) == "documents":
            raise ValueError(f"clock_offset is for logs of lines; {self.format} is a format of whole reports")
        return self

    @model_validator(mode="after")
    def with_numbers(self) -> SourceSettings:
        if self.numbers == "national":
            from jobs.formats.registry import KERNELS

            takers = sorted(name for name, kernel in KERNELS.items() if kernel.has_numbers)
            if self.format not in takers:
                raise ValueError(f"numbers is for {', '.join(takers)}; {self.format} takes none")
        return self


class Operator(Settings):
    """One operator: who it is, what is its own, how it is linked, where its logs are.

    subscribers: how many subscribe, or how many to each channel, as in { EMAIL = 900, SMS = 1200 }. One
    number is that of each channel in rates per 1,000; a package for the study takes it only from an operator
    of one channel, since estimates go by a channel's own.
    waiver: what of confidentiality its packages waive, a code of the list `waiver`; without it the operator's
    form holds.
    former_sources: ids of sources that were removed, and whose records are to stay in all figures.
    """

    id: Code
    name: str
    country: str
    holding: str
    currency: str
    subscribers: AllSubscribers | None = None
    waiver: str | None = None
    domains: list[str] = []
    networks: list[str] = []
    number_prefixes: list[str] = []
    link: list[Link] = []
    source: list[SourceSettings] = []
    former_sources: list[Code] = []
    fixed_cost: list[FixedCostSettings] = []
    filter_quality: list[FilterQuality] = []

    @field_validator("country")
    @classmethod
    def known_country(cls, code: str) -> str:
        return check_country(code)

    @field_validator("currency")
    @classmethod
    def known_currency(cls, code: str) -> str:
        return check_choice(code, currency_codes(), "currency (ISO 4217)")

    @field_validator("subscribers")
    @classmethod
    def known_channels(cls, given: int | dict[str, int] | None) -> int | dict[str, int] | None:
        for channel in given if isinstance(given, dict) else ():
            check_choice(channel, list_codes("channel"), "channel")
        return given

    @field_validator("waiver")
    @classmethod
    def known_waiver(cls, code: str | None) -> str | None:
        return code if code is None else check_choice(code, list_codes("waiver"), "waiver")

    @field_validator("networks")
    @classmethod
    def parse_networks(cls, networks: list[str]) -> list[str]:
        return [check_network(network) for network in networks]

    @field_validator("number_prefixes")
    @classmethod
    def parse_prefixes(cls, prefixes: list[str]) -> list[str]:
        for prefix in prefixes:
            if not prefix.lstrip("+").isdigit() or prefix.lstrip("+").startswith("0"):
                raise ValueError(
                    f"number prefix '{prefix}' must be digits that begin with the country's code, as in +4477"
                )
        return [prefix.lstrip("+") for prefix in prefixes]

    @model_validator(mode="after")
    def distinct_sources(self) -> Operator:
        refuse_repeats([source.id for source in self.source], f"source id of operator '{self.id}'")
        for each in self.source:
            if each.id in self.former_sources:
                raise ValueError(f"former_sources has '{each.id}', which is a source of operator '{self.id}'")
        tests: list[str] = [each.channel for each in self.filter_quality]
        refuse_repeats(tests, f"filter_quality channel of operator '{self.id}'")
        refuse_repeats([link.name for link in self.link], f"link name of operator '{self.id}'")
        return self
