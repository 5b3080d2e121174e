"""Settings: argument > environment > observatory.toml > default.

The file names the lake and, for each operator, its own address space, its links and its sources.
Secrets never stand in it: the pseudonym key comes from OBSERVATORY_PSEUDONYM_KEY, or from the file
that OBSERVATORY_PSEUDONYM_KEY_FILE or else [lake] key_file names.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import re
import tomllib
import zoneinfo
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from jobs.core import machine
from jobs.core.choices import model_of, nearest, one_of
from jobs.core.contracts import codes, format_kind, reference_rows
from jobs.core.errors import ObservatoryError
from jobs.core.key_names import KEY, KEY_FILE
from jobs.core.mobile_networks import is_mcc_mnc

# What a kind of link says of its own; of others the operator must say.
SCOPE_OF_KIND = {"on-net": "national", "hub": "international", "roaming": "international"}
TRAFFIC_OF_KIND = {"on-net": "p2p", "peer": "p2p", "roaming": "p2p", "aggregator": "a2p"}

# Of the engine. Less memory than the least holds no worker; more than WORKER_MEMORY gains a worker nothing.
LEAST_MEMORY = 256_000_000
WORKER_MEMORY = 4_000_000_000
MOST_WORKERS = 1024
UNITS = {"": 1, "B": 1} | {
    f"{prefix}{unit}": base**power
    for power, prefix in enumerate("KMGT", start=1)
    for unit, base in (("B", 1000), ("iB", 1024))
}
# Environment variables of the pseudonym key.
# Argument, environment variable, and the setting that each replaces.
OVERRIDES = (
    ("lake_root", "OBSERVATORY_LAKE_ROOT", "lake", "root"),
    ("read_at", "OBSERVATORY_READ_AT", "lake", "read_at"),
    ("engine", "OBSERVATORY_ENGINE_NAME", "engine", "name"),
    ("master", "OBSERVATORY_ENGINE_MASTER", "engine", "master"),
    ("memory", "OBSERVATORY_ENGINE_MEMORY", "engine", "memory"),
    ("workers", "OBSERVATORY_ENGINE_WORKERS", "engine", "workers"),
)
SPARK_TABLE = (
    '[spark]: Spark no longer computes tables. Remove this table. [engine] replaces it: memory, as in "2GB", '
    "in place of driver_memory, and workers in place of master; both have defaults"
)

# Ten years.
MOST_DAYS = 3660
# More than the world has, and less than what 64 bits hold.
MOST_SUBSCRIBERS = 10**12

Subscribers = Annotated[int, Field(ge=1, le=MOST_SUBSCRIBERS)]
Cost = Annotated[float, Field(ge=0, allow_inf_nan=False)]
StaleDays = Annotated[float, Field(gt=0, le=MOST_DAYS)]
Code = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Lake(Settings):
    """root: a folder or an s3a: URL. open_days: days after which a day is closed to late lines.

    key_file: the file that holds the key of pseudonyms; OBSERVATORY_PSEUDONYM_KEY and
        OBSERVATORY_PSEUDONYM_KEY_FILE come before it.
    group: the group of users that may read the lake; without it its owner alone.
    read_at: the time at which logs are read, in place of the clock's. Samples and tests fix it: a stamp more
        than two days after it is from the future. Leave it out for logs that grow.
    stale_days: how old a source's last record may be, in days, before `status` calls the source stale.
    """

    root: str = "build/lake"
    key_file: str | None = None
    open_days: int = Field(35, ge=1, le=MOST_DAYS)
    group: str | None = None
    read_at: AwareDatetime | None = None
    stale_days: StaleDays = 2

    @field_validator("root")
    @classmethod
    def printable_root(cls, root: str) -> str:
        return without_control(root)


class Engine(Settings):
    """The engine that computes tables.

    memory: what all of its processes together may use, as text with a unit ("2GB", "1.5 GiB") or in bytes.
    Without it half of the memory that the machine, or the container, gives, and not more than 4 GB a worker.
    workers: processes that work at the same time; without it one for each usable core.

    Of Spark alone: master, as in "local[2]" or "spark://host:7077"; without it spark-submit's, or this
    machine. conf: settings of Spark, which come before the engine's own. wheel: the project's wheel for
    executors; without it they get the files that run here. On a cluster memory is what Python may use on an
    executor, and workers are the cores to take: without them what executors have.
    """

    name: Literal["embedded", "spark"] = "embedded"
    memory: int | str | None = Field(None, validate_default=True)
    workers: int = Field(default_factory=machine.usable_cores, ge=1, le=MOST_WORKERS)
    master: str | None = None
    conf: dict[str, str | int | float | bool] = {}
    wheel: str | None = None

    @field_validator("name", mode="before")
    @classmethod
    def known_engine(cls, name: Any) -> Any:
        return one_of(name, {"embedded", "spark"}, "engine") if isinstance(name, str) else name

    @field_validator("memory", mode="before")
    @classmethod
    def in_bytes(cls, given: Any) -> Any:
        if given is None:
            return None
        if isinstance(given, bool) or not isinstance(given, int | str):
            raise ValueError('memory must be a text with a unit, as in "2GB", or a number of bytes')
        found = bytes_of(given) if isinstance(given, str) else given
        if found < LEAST_MEMORY:
            raise ValueError(f"memory is {given}, less than the least that the engine works in, 256MB")
        return found

    @property
    def memory_bytes(self) -> int:
        if self.memory is not None:
            return int(self.memory)
        share = min(machine.usable_memory() // 2, self.workers * WORKER_MEMORY)
        return max(share, LEAST_MEMORY)


class Location(Settings):
    """Tables of the operator's own choice that tell where an address or a number is from.

    ranges: address ranges, a CSV or Parquet file with prefix,country_code,asn,as_name, or a MaxMind DB.
    name, date: what the table of addresses is called and of when it is; every figure that rests on it says
        so. A MaxMind DB tells both itself.
    number_ranges: number ranges with the network that each was given to, a CSV or Parquet file with
        prefix,mcc_mnc. None is bundled: licences and portability forbid it.
    """

    ranges: str | None = None
    name: str | None = None
    date: dt.date | None = None
    number_ranges: str | None = None

    @field_validator("ranges")
    @classmethod
    def known_suffix(cls, file: str | None) -> str | None:
        return with_suffix(file, (".csv", ".parquet", ".mmdb"))

    @field_validator("number_ranges")
    @classmethod
    def known_suffix_of_numbers(cls, file: str | None) -> str | None:
        return with_suffix(file, (".csv", ".parquet"))


class Limits(Settings):
    """quarantined_pct: the share of quarantined lines above which validation holds publication back.

    document_mb: megabytes (2^20 bytes) of a file of reports, as it came and unpacked; a larger one is
    quarantined, so that no sender of reports can fill the memory.
    """

    quarantined_pct: float = Field(5.0, ge=0, le=100)
    document_mb: int = Field(64, ge=1, le=1024)


class Retention(Settings):
    """For how many days `observatory vacuum` keeps what a layer holds: landing from the day when a piece was
    pulled, bronze and silver from the day of the records. What open days, and batches that no run has
    finished, need stays as long as they need it; gold stays.
    """

    landing: int = Field(35, ge=1, le=MOST_DAYS)
    bronze: int = Field(35, ge=1, le=MOST_DAYS)
    silver: int = Field(400, ge=1, le=MOST_DAYS)


class Link(Settings):
    """What connects the operator to others: an SMSC id, a relay's name or an address range.

    scope: whether it comes from inside the country. traffic: what its contract is for, messages of
    applications to persons or of persons to persons. networks: MCC-MNC of the networks whose subscribers may
    use it. They are what bypass is told by; scope and traffic follow from the kind where it leaves no choice.
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
        return parsed_network(name)

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
        return one_of(kind, codes("route"), "kind of link")

    @property
    def scope_code(self) -> str | None:
        return self.scope or SCOPE_OF_KIND.get(self.kind)

    @property
    def traffic_code(self) -> str | None:
        return self.traffic or TRAFFIC_OF_KIND.get(self.kind)


class FixedCost(Settings):
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
        return one_of(code, {*codes("countermeasure"), "_T"}, "countermeasure")

    @model_validator(mode="after")
    def ordered(self) -> FixedCost:
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


class Source(Settings):
    """Logs of one kind: a URL with wildcards, read by one format.

    time_zone: of stamps without an offset. numbers: what digits are that begin neither with +, nor with a
    prefix for abroad, nor with 0: e164, with the country's code, or national, of the operator's own country.
    Both hold for what is read from then on; of the numbers that subscribers report, when silver is computed.
    whole: no file grows, so that a last line without its end is read at once.
    stale_days: in place of [lake] stale_days, for a source that gets lines more rarely or more often.
    """

    id: Code
    url: str
    format: str = "auto"
    time_zone: str = "UTC"
    numbers: Literal["e164", "national"] = "e164"
    whole: bool = False
    stale_days: StaleDays | None = None
    options: dict[str, Any] = {}

    @field_validator("url")
    @classmethod
    def printable_url(cls, url: str) -> str:
        return without_control(url)

    @field_validator("format")
    @classmethod
    def known_format(cls, name: str) -> str:
        return one_of(name, {*codes("format"), "auto"}, "format")

    @field_validator("time_zone")
    @classmethod
    def known_zone(cls, name: str) -> str:
        return one_of(name, zoneinfo.available_timezones(), "time zone")

    @model_validator(mode="after")
    def with_numbers(self) -> Source:
        if self.numbers == "national":
            from jobs.formats.registry import KERNELS

            takers = sorted(name for name, kernel in KERNELS.items() if kernel.has_numbers)
            if self.format not in takers:
                raise ValueError(f"numbers is for {', '.join(takers)}; {self.format} takes none")
        return self


class Gap(Settings):
    """What spending against spam is held against.

    targets: norm, an amount for each subscription and year; best, what the respondents spend that stop most
        of their spam. Both without.
    norm: US dollars of the base year, one for all channels or one for each that is listed.
    best_share: the share of respondents that are the best.
    Without them the values of schemas/reference/investment_assumption.csv hold, which have no authority.
    """

    targets: list[Literal["norm", "best"]] | None = Field(None, min_length=1)
    norm: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] | None = Field(None, min_length=1)
    best_share: float | None = Field(None, gt=0, le=1)

    @field_validator("norm", mode="before")
    @classmethod
    def one_for_all(cls, given: Any) -> Any:
        return {"_T": given} if isinstance(given, int | float) else given

    @field_validator("norm")
    @classmethod
    def known_channels(cls, norm: dict[str, float] | None) -> dict[str, float] | None:
        for channel in norm or {}:
            one_of(channel, {*codes("channel"), "_T"}, "channel")
        return norm


class Study(Settings):
    """What the study node has.

    respondents: the CSV file that lists who is asked.
    inbox: a folder of operators' packages. files: a folder with operator_frame, denominator and price_level.
    keyring: a folder with the OpenPGP public key of each respondent, <respondent_id>.asc, by which the
        signatures of its packages are verified.
    require_signature: refuse a package that its respondent did not sign, which is so unless this is false.
    gap: what spending is held against.
    """

    respondents: str | None = None
    inbox: str | None = None
    files: str | None = None
    keyring: str | None = None
    require_signature: bool = True
    gap: Gap = Gap()

    @model_validator(mode="after")
    def verifiable(self) -> Study:
        # By default a keyring is only asked for when a package comes in: few settings are those of a study.
        is_set = "require_signature" in self.model_fields_set
        if is_set and self.require_signature and self.keyring is None:
            raise ValueError("require_signature needs keyring, the folder of the respondents' public keys")
        return self


class Submission(Settings):
    """What leaves an operator. least_units: counts leave as multiples of it, so that neither a count below it
    leaves nor a difference that would tell one (X.1237)."""

    least_units: int = Field(5, ge=1, le=10**6)


class Operator(Settings):
    """One operator: who it is, what is its own, how it is linked, where its logs are.

    subscribers: how many subscribe, or how many to each channel, as in { EMAIL = 900, SMS = 1200 }. One
    number is that of each channel in rates per 1,000; a package for the study takes it only from an operator
    of one channel, since estimates go by a channel's own.
    """

    id: Code
    name: str
    country: str
    holding: str
    currency: str
    subscribers: Subscribers | dict[str, Subscribers] | None = None
    domains: list[str] = []
    networks: list[str] = []
    number_prefixes: list[str] = []
    link: list[Link] = []
    source: list[Source] = []
    fixed_cost: list[FixedCost] = []
    filter_quality: list[FilterQuality] = []

    @field_validator("country")
    @classmethod
    def known_country(cls, code: str) -> str:
        return known_country(code)

    @field_validator("currency")
    @classmethod
    def known_currency(cls, code: str) -> str:
        return one_of(code, currencies(), "currency (ISO 4217)")

    @field_validator("subscribers")
    @classmethod
    def known_channels(cls, given: int | dict[str, int] | None) -> int | dict[str, int] | None:
        for channel in given if isinstance(given, dict) else ():
            one_of(channel, codes("channel"), "channel")
        return given

    @field_validator("networks")
    @classmethod
    def parse_networks(cls, networks: list[str]) -> list[str]:
        return [parsed_network(network) for network in networks]

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
        tests: list[str] = [each.channel for each in self.filter_quality]
        refuse_repeats(tests, f"filter_quality channel of operator '{self.id}'")
        refuse_repeats([link.name for link in self.link], f"link name of operator '{self.id}'")
        return self


class Observatory(Settings):
    """The whole of observatory.toml."""

    lake: Lake = Lake()
    engine: Engine = Field(default_factory=Engine)
    location: Location | None = None
    limits: Limits = Limits()
    retention: Retention = Retention()
    study: Study = Study()
    submission: Submission = Submission()
    operator: list[Operator] = []

    @model_validator(mode="after")
    def distinct_operators(self) -> Observatory:
        refuse_repeats([operator.id for operator in self.operator], "operator id")
        return self


def parsed_network(text: str) -> str:
    """The network itself if it is one; else an error with the nearest one."""
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"{error}{nearest_network(text)}") from None
    return text


def nearest_network(text: str) -> str:
    """A hint such as `; did you mean '192.0.2.0/24'?` where only the bits after the prefix are wrong."""
    try:
        return f"; did you mean '{ipaddress.ip_network(text, strict=False)}'?"
    except ValueError:
        return "; write it as in 192.0.2.0/24 or 2001:db8::/32"


def without_control(text: str) -> str:
    """The text if it has no control characters, such as NUL, which no path may have."""
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in text):
        raise ValueError(f"{text!r} has a control character; write a path or a URL")
    return text


def with_suffix(file: str | None, suffixes: tuple[str, ...]) -> str | None:
    """The file's name if it ends in one of those, by which it is read."""
    if file is not None and not file.endswith(suffixes):
        raise ValueError(f"'{file}' must end in {', '.join(suffixes)}: by that it is read")
    return file


def refuse_repeats(values: list[str], what: str) -> None:
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{what} '{value}' stands twice")


def bytes_of(text: str) -> int:
    """The bytes that a text such as 2GB (10^9) or 1.5 GiB (2^30) states; without a unit, bytes."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    units = {name.upper(): size for name, size in UNITS.items()}
    if not found or found.group(2).upper() not in units:
        raise ValueError(f"'{text}' is no amount of memory; write a number and a unit, as in 2GB or 512MiB")
    return int(float(found.group(1)) * units[found.group(2).upper()])


@cache
def countries() -> frozenset[str]:
    return frozenset(row["iso3"] for row in reference_rows("country"))


@cache
def countries_by_alpha_2() -> dict[str, str]:
    """Alpha-3 codes by alpha-2 codes."""
    found = {row["iso2"]: row["iso3"] for row in reference_rows("country")}
    return found | {"UK": found["GB"]}


def known_country(code: str) -> str:
    """The code itself if it is one of ISO 3166-1 alpha-3; else an error with the right or nearest one."""
    if code in countries():
        return code
    raise ValueError(f"unknown country (ISO 3166-1 alpha-3) '{code}'{nearest_country(code)}")


def nearest_country(code: str) -> str:
    """A hint such as `; did you mean 'CHE'?`: what two letters stand for, else the nearest code."""
    of_two = countries_by_alpha_2().get(code.upper())
    return f"; did you mean '{of_two}'?" if of_two else nearest(code, countries())


@cache
def currencies() -> frozenset[str]:
    return frozenset(row["currency"] for row in reference_rows("country") if row["currency"]) | {"USD", "EUR"}


def load(path: str | os.PathLike[str] = "observatory.toml", **overrides: Any) -> Observatory:
    """Read the settings file.

    Paths in it are relative to the file. `overrides` are arguments: `lake_root`, `read_at`, `memory`,
    `workers`. The environment may set OBSERVATORY_LAKE_ROOT, OBSERVATORY_READ_AT, OBSERVATORY_ENGINE_MEMORY
    and OBSERVATORY_ENGINE_WORKERS.

    Raises ObservatoryError that names the file, the setting and the nearest right name.
    """
    file = Path(path)
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ObservatoryError(
            f"{file}: no such settings file. Name one with --config, or write one from"
            " your logs: observatory init LOG…"
        ) from None
    except OSError as error:
        raise ObservatoryError(f"{file}: the settings cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ObservatoryError(f"{file}: not TOML: {error}") from None
    if "spark" in raw:
        raise ObservatoryError(f"{file}: {SPARK_TABLE}.")
    for key, variable, table, name in OVERRIDES:
        value = overrides.get(key) or os.environ.get(variable)
        if value and isinstance(raw.setdefault(table, {}), dict):
            raw[table][name] = value
    try:
        settings = Observatory.model_validate(raw)
    except ValidationError as error:
        raise ObservatoryError(
            "\n".join(f"{file}: {told(problem, raw)}" for problem in error.errors())
        ) from None
    settings = resolve_paths(settings, file.resolve().parent)
    use_key_file(settings.lake.key_file)
    return with_options(settings, file)


_used: dict[str, str] = {}


def use_key_file(file: str | None) -> None:
    """Let this process and its workers take the pseudonym key from the file that the settings name, unless
    the environment has one already."""
    if os.environ.get(KEY_FILE) == _used.get(KEY_FILE):
        # By the settings that were read before.
        os.environ.pop(KEY_FILE, None)
    if file and not os.environ.get(KEY) and not os.environ.get(KEY_FILE):
        os.environ[KEY_FILE] = _used[KEY_FILE] = file


def fixed_time() -> dt.datetime | None:
    """The time at which logs are read where the environment fixes it, for commands without settings."""
    text = os.environ.get("OBSERVATORY_READ_AT")
    return Lake(read_at=text).read_at if text else None


def resolve_paths(settings: Observatory, base: Path) -> Observatory:
    """Make relative paths absolute, from the folder of the settings file."""

    def absolute(url: str) -> str:
        return (
            url
            if "://" in url or url.startswith("s3a:")
            else str((base / url.removeprefix("file:")).resolve())
        )

    return settings.model_copy(
        update={
            "lake": settings.lake.model_copy(
                update={
                    "root": absolute(settings.lake.root),
                    "key_file": settings.lake.key_file and absolute(settings.lake.key_file),
                }
            ),
            "engine": settings.engine.model_copy(
                update={"wheel": settings.engine.wheel and absolute(settings.engine.wheel)}
            ),
            "location": settings.location
            and settings.location.model_copy(
                update={
                    name: url and absolute(url)
                    for name, url in (
                        ("ranges", settings.location.ranges),
                        ("number_ranges", settings.location.number_ranges),
                    )
                }
            ),
            "study": settings.study.model_copy(
                update={
                    name: place and absolute(place)
                    for name in ("respondents", "inbox", "files", "keyring")
                    for place in (getattr(settings.study, name),)
                }
            ),
            "operator": [
                operator.model_copy(
                    update={
                        "source": [
                            source.model_copy(update={"url": absolute(source.url)})
                            for source in operator.source
                        ]
                    }
                )
                for operator in settings.operator
            ],
        }
    )


def with_options(settings: Observatory, file: Path) -> Observatory:
    """Check each source's options for its format, and put in what files they name.

    Raises ObservatoryError with one line for each source whose options are wrong.
    """
    wrong: list[str] = []

    def whole(operator: Operator, source: Source) -> Source:
        if not source.options and format_kind(source.format) != "profile":
            return source
        # The kernels' own libraries take half a second to load.
        from jobs.formats.options import made_whole

        try:
            options = made_whole(source.format, source.options, file.resolve().parent)
        except ObservatoryError as error:
            place = f"{file}: [operator] '{operator.id}' source '{source.id}' options"
            wrong.extend(f"{place} {line}" for line in str(error).splitlines())
            return source
        return source.model_copy(update={"options": options})

    operators = [
        operator.model_copy(update={"source": [whole(operator, source) for source in operator.source]})
        for operator in settings.operator
    ]
    if wrong:
        raise ObservatoryError("\n".join(wrong))
    return settings.model_copy(update={"operator": operators})


def told(problem: Any, raw: dict[str, Any]) -> str:
    """One sentence on a setting that is wrong: where it stands, what is wrong, what is right."""
    place = ""
    model: Any = Observatory
    value: Any = raw
    for step in problem["loc"]:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else {}
            name = value.get("id") or value.get("name") if isinstance(value, dict) else None
            place += f" '{name}'" if name else f" number {step + 1}"
        else:
            model = (
                model_of(model, step)
                if problem["type"] != "extra_forbidden" or step != problem["loc"][-1]
                else model
            )
            value = value.get(step, {}) if isinstance(value, dict) else {}
            place += f" {step}" if place else f"[{step}]" if isinstance(raw.get(step), dict | list) else step
    if problem["type"] == "extra_forbidden":
        known = list(model.model_fields) if hasattr(model, "model_fields") else []
        return f"{place}: unknown setting '{problem['loc'][-1]}'{nearest(str(problem['loc'][-1]), known)}"
    if problem["type"] == "missing":
        return f"{place}: this setting is missing"
    if problem["type"] == "string_pattern_mismatch":
        return f"{place}: '{problem['input']}' may hold small letters, digits and hyphens only"
    return f"{place}: {problem['msg'].removeprefix('Value error, ')}"


def operators(settings: Observatory, only: str | None = None) -> list[Operator]:
    """All operators, or the one that is named."""
    if only is None:
        return list(settings.operator)
    known = {operator.id: operator for operator in settings.operator}
    if only not in known:
        raise ObservatoryError(f"unknown operator '{only}'{nearest(only, known)}")
    return [known[only]]
