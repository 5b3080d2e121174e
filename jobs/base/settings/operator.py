"""Settings of an operator: who it is, its links, its sources, and costs and tests of its own."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, field_validator, model_validator

from jobs.base.core.choices import check_choice
from jobs.base.figures.mobile_networks import is_mcc_mnc
from jobs.base.settings.access import Access, check_access, hide_query
from jobs.base.settings.base import Code, Settings, StaleDays, code_of
from jobs.base.settings.countries import check_country, check_currency
from jobs.base.settings.values import check_network, check_zone, refuse_control_characters, refuse_repeats
from jobs.base.tables.contracts import codelist_rows, format_kind, list_codes

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
    """A connection of the operator to others: see [links](operator.md#links). Bypass detection uses scope,
    traffic and networks; the first two follow from the kind where it leaves no choice."""

    name: str
    """An SMSC id, a relay's name or an address range, as logs have it."""
    kind: Annotated[str, code_of("route", "kind of link")]
    """A code of the list [`route`](../schemas/codelists/route.csv)."""
    scope: Literal["national", "international"] | None = None
    """Whether it comes from inside the country."""
    traffic: Literal["a2p", "p2p"] | None = None
    """What its contract is for: messages of applications to persons, or of persons to persons."""
    networks: list[str] = []
    """MCC-MNC of the networks whose subscribers may use it, as in `234-15`."""

    @field_validator("name")
    @classmethod
    def check_name(cls, name: str) -> str:
        try:
            ipaddress.ip_address(name.partition("/")[0])
        except ValueError:
            return name
        return check_network(name)

    @field_validator("networks")
    @classmethod
    def check_networks(cls, networks: list[str]) -> list[str]:
        for network in networks:
            if not is_mcc_mnc(network):
                raise ValueError(f"'{network}' is no MCC-MNC; write it as in 234-15")
        return networks

    @property
    def scope_code(self) -> str | None:
        return self.scope or SCOPE_OF_KIND.get(self.kind)

    @property
    def traffic_code(self) -> str | None:
        return self.traffic or TRAFFIC_OF_KIND.get(self.kind)


class FixedCostSettings(Settings):
    """A cost of the operator's own that no log shows: see [the economist's
    guide](economist.md#fixed-costs)."""

    name: str
    """What is paid for."""
    countermeasure: Annotated[str, code_of("countermeasure", "countermeasure", "_T")]
    """A code of the list [`countermeasure`](../schemas/codelists/countermeasure.csv), or `_T` for what serves
    all of the channel's measures."""
    channel: Annotated[str, code_of("channel", "channel")]
    """The channel that it serves, a code of the list [`channel`](../schemas/codelists/channel.csv)."""
    low: Cost
    """The 5% point, in the operator's currency."""
    central: Cost
    """The 50% point."""
    high: Cost
    """The 95% point."""
    per: Literal["year", "month"] = "year"
    """The time that it is paid for."""

    @model_validator(mode="after")
    def check_order(self) -> FixedCostSettings:
        if not self.low <= self.central <= self.high:
            raise ValueError(f"low, central and high of cost '{self.name}' must not fall")
        return self


class FilterQuality(Settings):
    """Results of a test of the operator's filter elsewhere, which correct what was counted in months without
    an audit: see [audits](audit.md#without-an-audit-a-test-elsewhere)."""

    channel: Literal["EMAIL", "SMS"]
    """The filter's channel."""
    spam_tested: int = Field(ge=1)
    """Messages known as spam that it was given."""
    spam_flagged: int = Field(ge=0)
    """How many of them it flagged."""
    ham_tested: int = Field(ge=1)
    """Messages known as wanted that it was given."""
    ham_flagged: int = Field(ge=0)
    """How many of them it flagged."""
    source: str
    """Who tested it, and when."""

    @model_validator(mode="after")
    def check_use(self) -> FilterQuality:
        for kind in ("spam", "ham"):
            if getattr(self, f"{kind}_flagged") > getattr(self, f"{kind}_tested"):
                raise ValueError(f"{kind}_flagged must not be more than {kind}_tested")
        if self.spam_flagged * self.ham_tested <= self.ham_flagged * self.spam_tested:
            raise ValueError("a filter that flags no larger share of spam than of ham corrects nothing")
        return self


class SourceSettings(Settings):
    """Logs of one kind. Time zone, offset and numbers hold for what is read from then on; of the numbers that
    subscribers report, when silver is computed."""

    paths = ("url",)

    id: Code
    """Never change it: what was read is stored under it, and a run refuses a renamed source."""
    url: str
    """A path with wildcards, or a URL: `sftp://user@host/var/log/mail.log*`, `s3://bucket/logs/*`,
    `https://…`. For the first two `make setup-sources` installs what they need: see [logs on other
    hosts](operator.md#logs-on-other-hosts). Over HTTP wildcards need the server's list of files."""
    access: Access = Access()
    format: Annotated[str, code_of("format", "format", "auto")] = "auto"
    """A name from the table of formats in the [README](../README.md#formats); `auto` recognises each file by
    its content."""
    time_zone: Annotated[str, AfterValidator(check_zone)] = "UTC"
    """IANA zone of time stamps without an offset: see [clocks](operator.md#clocks-and-time-zones)."""
    clock_offset: int = Field(default=0, ge=-MOST_OFFSET_S, le=MOST_OFFSET_S)
    """Seconds by which the host's clock was ahead (negative: behind); a run takes them off all times. For
    logs of lines."""
    numbers: Literal["e164", "national"] = "e164"
    """What digits are that begin neither with `+`, nor with a prefix for abroad, nor with 0: `e164`, with the
    country's code, or `national`, of the operator's own country: see [numbers](operator.md#numbers)."""
    whole: bool = False
    """True if files do not grow: a last line without a line end is then read at once."""
    stale_days: StaleDays | None = None
    """In place of `[lake] stale_days`, for a source that receives lines less or more often."""
    options: dict[str, Any] = {}
    """By format: see [options](operator-reference.md#options-of-formats)."""

    @field_validator("url")
    @classmethod
    def check_url(cls, url: str) -> str:
        refuse_control_characters(url)
        scheme = url.partition("://")[0] if "://" in url else ""
        if "::" in scheme or scheme in NO_PLACES:
            raise ValueError(
                f"{scheme}: is no place that logs are read from. Name the files themselves, by a path or a"
                " URL, as in sftp://host/var/log/mail.log*"
            )
        return url

    @property
    def shown_url(self) -> str:
        """The URL as messages show it."""
        return hide_query(self.url)

    @model_validator(mode="after")
    def validate_access(self) -> SourceSettings:
        check_access(self.url, self.access)
        return self

    @model_validator(mode="after")
    def check_clock(self) -> SourceSettings:
        if self.clock_offset and format_kind(self.format) == "documents":
            raise ValueError(f"clock_offset is for logs of lines; {self.format} is a format of whole reports")
        return self

    @model_validator(mode="after")
    def check_numbers(self) -> SourceSettings:
        if self.numbers == "national":
            takers = sorted(name for name, about in codelist_rows("format").items() if about["has_numbers"])
            if self.format not in takers:
                raise ValueError(f"numbers is for {', '.join(takers)}; {self.format} takes none")
        return self


class Operator(Settings):
    """An operator: one block for each. Several may share a lake; a broken rule holds back one of them and no
    other."""

    id: Code
    """Small letters, digits, hyphens. Never change it: a run refuses a renamed operator."""
    name: str
    """Your name."""
    country: Annotated[str, AfterValidator(check_country)]
    """ISO 3166-1 alpha-3, as in `CHE`."""
    holding: str
    """The group that owns you."""
    currency: Annotated[str, AfterValidator(check_currency)]
    """ISO 4217. Costs are in this currency."""
    subscribers: AllSubscribers | None = None
    """How many subscribe, or `{ EMAIL = 900, SMS = 1200 }`. Needed for rates per 1,000 and for the study,
    where one number does only for an operator of one channel."""
    waiver: Annotated[str, code_of("waiver", "waiver")] | None = None
    """What your package lets the study publish: `W0` protected totals alone, `W1` also a national total from
    which your figure may be recognised, `W2` your figure by name. Without it your form's answer holds, and
    without that `W0`. A holding waives with all of its operators. It stands in the signed manifest and holds
    for the months of the package; a new package changes it."""
    domains: list[str] = []
    """Your domains: see [directions](operator.md#directions)."""
    networks: list[str] = []
    """Your address ranges."""
    number_prefixes: list[str] = []
    """What your subscribers' numbers begin with, as in `+4477`."""
    link: list[Link] = []
    source: list[SourceSettings] = []
    former_sources: list[Code] = []
    """Ids of [sources that you removed](operator.md#a-source-that-is-no-longer-in-the-settings), whose
    records are to stay in all figures."""
    fixed_cost: list[FixedCostSettings] = []
    filter_quality: list[FilterQuality] = []

    @field_validator("subscribers")
    @classmethod
    def check_channels(cls, given: int | dict[str, int] | None) -> int | dict[str, int] | None:
        for channel in given if isinstance(given, dict) else ():
            check_choice(channel, list_codes("channel"), "channel")
        return given

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
    def check_sources(self) -> Operator:
        refuse_repeats([source.id for source in self.source], f"source id of operator '{self.id}'")
        for each in self.source:
            if each.id in self.former_sources:
                raise ValueError(f"former_sources has '{each.id}', which is a source of operator '{self.id}'")
        tests: list[str] = [each.channel for each in self.filter_quality]
        refuse_repeats(tests, f"filter_quality channel of operator '{self.id}'")
        refuse_repeats([link.name for link in self.link], f"link name of operator '{self.id}'")
        return self
