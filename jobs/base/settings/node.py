"""Settings of the machine that computes: lake, engine, tables of places, limits and retention."""

import datetime as dt
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field, field_validator, model_validator

from jobs.base.core import machine
from jobs.base.core.choices import check_choice
from jobs.base.settings.access import Access, check_access
from jobs.base.settings.base import MOST_DAYS, Settings, StaleDays
from jobs.base.settings.values import parse_bytes, read_by_suffix, refuse_control_characters

# Of the engine. Less memory than the least holds no worker; more than WORKER_MEMORY gains a worker nothing.
LEAST_MEMORY = 256_000_000
WORKER_MEMORY = 4_000_000_000
MOST_WORKERS = 1024


class LakeSettings(Settings):
    """The place of the tables."""

    paths = ("root", "key_file")

    root: str = "build/lake"
    """A folder, or an `s3://` URL: see [a lake in an object store](operator.md#a-lake-in-an-object-store)."""
    access: Access = Access()
    """Of an `s3://` root: what AWS' own variables and files do not say, as `endpoint`, `region`,
    `path_style`, `profile` or `connection`."""
    key_file: str | None = None
    """The file with the [pseudonym key](operator.md#keys). The variables `OBSERVATORY_PSEUDONYM_KEY`, the key
    itself, and `OBSERVATORY_PSEUDONYM_KEY_FILE` come before it."""
    open_days: int = Field(35, ge=1, le=MOST_DAYS)
    """A day takes late lines until the operator's newest day is this many days later. Then it is closed: a
    late line is recorded in `bronze.file` and changes no figure, which the run and `status` report. Before
    you add older logs, raise it."""
    group: str | None = None
    """The Unix group that may read the lake. Without it only the owner can."""
    read_at: AwareDatetime | None = None
    """A fixed time of reading in place of the clock's, for samples and tests: a stamp more than two days
    after it is from the future. Leave it out for logs that grow."""
    stale_days: StaleDays = 2
    """The age, in days, of a source's last record at which `status` calls the source stale."""

    @property
    def now(self) -> dt.datetime:
        """The time of reading: the fixed one, or the clock's."""
        return self.read_at or dt.datetime.now(dt.UTC)

    @field_validator("root")
    @classmethod
    def check_root(cls, root: str) -> str:
        refuse_control_characters(root)
        scheme = root.partition("://")[0] if "://" in root else "file"
        if scheme not in ("file", "s3", "s3a"):
            raise ValueError(f"'{root}' can be no lake: it is a folder or an s3:// URL")
        return root

    @model_validator(mode="after")
    def check_place(self) -> Self:
        check_access(self.root, self.access)
        if self.group is not None and "://" in self.root:
            raise ValueError("group is for a folder; who may read a bucket is set where the bucket is")
        return self

    @field_validator("read_at")
    @classmethod
    def check_bounds(cls, at: dt.datetime | None) -> dt.datetime | None:
        if at is not None and not 1990 <= at.year < 2200:
            raise ValueError(f"the year {at.year} is no time at which logs are read")
        return at


class KeySettings(Settings):
    """A later [key of pseudonyms](operator.md#keys), one block for each. The first key stays in `[lake]
    key_file`."""

    paths = ("file",)

    valid_from: dt.date
    """The first UTC day whose rows are made with it. It is a day that has no rows yet."""
    file: str
    """The file that holds it."""


class EngineSettings(Settings):
    """The engine that computes the tables, and the memory and processes that it may use. For Spark see [the
    pipeline on Spark](spark.md)."""

    paths = ("wheel",)

    name: Literal["embedded", "inline", "spark"] = "embedded"
    """`embedded`, with processes of this machine; `inline`, in one process, to [debug](debugging.md);
    `spark`."""
    memory: int | str | None = Field(None, validate_default=True)
    """What all processes together use, as in `"2GB"` or `"1.5 GiB"`. Without it half of what the machine, or
    the container, has, and not more than 4 GB a worker. With less memory a run takes longer. On a cluster:
    what Python may use on an executor."""
    workers: int = Field(default_factory=machine.usable_cores, ge=1, le=MOST_WORKERS)
    """Processes that work at the same time; without it one for each usable core. On a cluster: the cores to
    take; without it what executors have."""
    master: str | None = None
    """Of Spark alone: as in `local[2]` or `spark://host:7077`; without it spark-submit's, or this machine."""
    conf: dict[str, str | int | float | bool] = {}
    """Of Spark alone: its settings, which come before the engine's own."""
    wheel: str | None = None
    """Of Spark alone: the project's wheel for executors; without it they get the files that run here."""

    @field_validator("name", mode="before")
    @classmethod
    def check_engine(cls, name: Any) -> Any:
        return (
            check_choice(name, {"embedded", "inline", "spark"}, "engine") if isinstance(name, str) else name
        )

    @field_validator("memory", mode="before")
    @classmethod
    def parse_size(cls, given: Any) -> Any:
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
    """Tables that place addresses and numbers. No table is bundled, because licences forbid it. Without one,
    sources have no country and no network operator."""

    paths = ("ranges", "number_ranges")

    ranges: Annotated[str, read_by_suffix(".csv", ".parquet", ".mmdb")] | None = None
    """Address ranges: CSV or Parquet with `prefix,country_code,asn,as_name`, or a MaxMind DB (`.mmdb`)."""
    name: str | None = None
    """The name of that table, printed beside every figure that uses it. A MaxMind DB contains it."""
    date: dt.date | None = None
    """The date of that table, printed, too. A MaxMind DB contains it."""
    number_ranges: Annotated[str, read_by_suffix(".csv", ".parquet")] | None = None
    """Number ranges with the network that each was given to: CSV or Parquet with `prefix,mcc_mnc`.
    Portability is not considered."""


class LimitSettings(Settings):
    """Limits above which new data of a source wait, or a file is too large."""

    quarantined_pct: float = Field(5.0, ge=0, le=100)
    """The percentage of a source's lines in quarantine above which what is new of the source waits
    ([quarantine](operator.md#what-is-read-and-when))."""
    quarantined_lines: int = Field(10, ge=1, le=10**9)
    """So many lines, or reports, of a source are in quarantine before the percentage is judged."""
    document_mb: int = Field(64, ge=1, le=1024)
    """The largest file of reports, packed and unpacked, in MiB; a larger one is quarantined, so that no
    sender of reports can fill the memory."""


class Lineage(Settings):
    """The place that OpenLineage's events go to ([lineage](operator.md#lineage)). Without one its own
    variables and files decide."""

    paths = ("file",)

    url: str | None = None
    """An endpoint that takes them, such as Marquez's."""
    file: str | None = None
    """A file to which they are added, one a line."""
    namespace: str = Field("spam-observatory", min_length=1, max_length=200)
    """The namespace of jobs and tables in them."""

    @field_validator("url")
    @classmethod
    def check_scheme(cls, url: str | None) -> str | None:
        if url is not None:
            refuse_control_characters(url)
            if not url.startswith(("http://", "https://")):
                raise ValueError(f"'{url}' takes no events: it must begin with http:// or https://")
            if "@" in url.partition("://")[2].partition("/")[0]:
                raise ValueError("a URL with a password is refused: give it as OPENLINEAGE_API_KEY")
        return url

    @model_validator(mode="after")
    def check_single_place(self) -> Self:
        if self.url and self.file:
            raise ValueError("events go to a url or to a file, not to both")
        return self

    @property
    def place(self) -> str | None:
        return self.url or self.file

    @property
    def named_place(self) -> str:
        """The place for a person."""
        return self.place or "the place that OpenLineage's own settings name"


class Retention(Settings):
    """Days for which `observatory vacuum` keeps what a layer holds: see [privacy](privacy.md#how-long). Data
    that open days or unfinished batches need is kept as long as they need it; gold is always kept."""

    landing: int = Field(35, ge=1, le=MOST_DAYS)
    """Pieces of logs, from the day when they were pulled."""
    bronze: int = Field(35, ge=1, le=MOST_DAYS)
    """Rows of logs, from the day of the records."""
    silver: int = Field(400, ge=1, le=MOST_DAYS)
    """Messages, from the day of the records."""
