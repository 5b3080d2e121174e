"""Settings of the machine that computes: lake, engine, tables of places, limits and retention."""

import datetime as dt
from typing import Any, Literal

from pydantic import AwareDatetime, Field, field_validator

from jobs.core import machine
from jobs.core.choices import check_choice
from jobs.settings.base import MOST_DAYS, Settings, StaleDays
from jobs.settings.values import check_suffix, parse_bytes, refuse_control_characters

# Of the engine. Less memory than the least holds no worker; more than WORKER_MEMORY gains a worker nothing.
LEAST_MEMORY = 256_000_000
WORKER_MEMORY = 4_000_000_000
MOST_WORKERS = 1024


class LakeSettings(Settings):
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
    def known_root(cls, root: str) -> str:
        refuse_control_characters(root)
        scheme = root.partition("://")[0] if "://" in root else "file"
        if scheme not in ("file", "s3", "s3a"):
            raise ValueError(f"'{root}' can be no lake: it is a folder or an s3a:// URL")
        return root

    @field_validator("read_at")
    @classmethod
    def within_bounds(cls, at: dt.datetime | None) -> dt.datetime | None:
        if at is not None and not 1990 <= at.year < 2200:
            raise ValueError(f"the year {at.year} is no time at which logs are read")
        return at


class EngineSettings(Settings):
    """The engine that computes tables.

    name: embedded, with processes of this machine; inline, with all tasks in one, to debug; spark.
    memory: what all of its processes together may use, as text with a unit ("2GB", "1.5 GiB") or in bytes.
    Without it half of the memory that the machine, or the container, gives, and not more than 4 GB a worker.
    workers: processes that work at the same time; without it one for each usable core.

    Of Spark alone: master, as in "local[2]" or "spark://host:7077"; without it spark-submit's, or this
    machine. conf: settings of Spark, which come before the engine's own. wheel: the project's wheel for
    executors; without it they get the files that run here. On a cluster memory is what Python may use on an
    executor, and workers are the cores to take: without them what executors have.
    """

    name: Literal["embedded", "inline", "spark"] = "embedded"
    memory: int | str | None = Field(None, validate_default=True)
    workers: int = Field(default_factory=machine.usable_cores, ge=1, le=MOST_WORKERS)
    master: str | None = None
    conf: dict[str, str | int | float | bool] = {}
    wheel: str | None = None

    @field_validator("name", mode="before")
    @classmethod
    def known_engine(cls, name: Any) -> Any:
        return (
            check_choice(name, {"embedded", "inline", "spark"}, "engine") if isinstance(name, str) else name
        )

    @field_validator("memory", mode="before")
    @classmethod
    def in_bytes(cls, given: Any) -> Any:
        if given is None:
            return None
        if isinstance(given, bool) or not isinstance(given, int | str):
            raise ValueError('memory must be a text with a unit, as in "2GB", or a number of bytes')
        found = parse_bytes(given) if isinstance(given, str) else given
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
    """Tables of the operator's own choice that locate addresses and numbers.

    ranges: address ranges, a CSV or Parquet file with prefix,country_code,asn,as_name, or a MaxMind DB.
    name, date: name and date of the address table, shown with every figure that uses it. A MaxMind DB
        contains both.
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
        return check_suffix(file, (".csv", ".parquet", ".mmdb"))

    @field_validator("number_ranges")
    @classmethod
    def known_suffix_of_numbers(cls, file: str | None) -> str | None:
        return check_suffix(file, (".csv", ".parquet"))


class LimitSettings(Settings):
    """quarantined_pct: the share of a source's quarantined lines, in percent, above which what is new of the
    source waits. quarantined_lines: with fewer quarantined lines no source waits.

    document_mb: megabytes (2^20 bytes) of a file of reports, as it came and unpacked; a larger one is
    quarantined, so that no sender of reports can fill the memory.
    """

    quarantined_pct: float = Field(5.0, ge=0, le=100)
    quarantined_lines: int = Field(10, ge=1, le=10**9)
    document_mb: int = Field(64, ge=1, le=1024)


class Retention(Settings):
    """For how many days `observatory vacuum` keeps what a layer holds: landing from the day when a piece was
    pulled, bronze and silver from the day of the records. Data that open days or unfinished batches need is
    kept as long as they need it; gold is always kept.
    """

    landing: int = Field(35, ge=1, le=MOST_DAYS)
    bronze: int = Field(35, ge=1, le=MOST_DAYS)
    silver: int = Field(400, ge=1, le=MOST_DAYS)
