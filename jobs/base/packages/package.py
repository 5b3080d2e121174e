"""A package: one zip of a CSV file per table and manifest.json, with manifest.json.asc if it is signed.

CSV, because whoever answers for what leaves an operator can read it. The manifest holds the SHA-256 of every
table, so that a signature of the manifest is one of the package. The same counts of the same run make the
same bytes; a signature adds the time of signing.
"""

import csv
import datetime as dt
import hashlib
import io
import json
import re
import zipfile
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from jobs.base.core import archives
from jobs.base.core.errors import ObservatoryError
from jobs.base.packages.counts import PACKAGE_TABLES, SUBMITTED_DIRECTIONS
from jobs.base.tables.contracts import REFERENCE, read_contract

# The form of packages that are made here; jobs/base/packages/forms.py has those that are read.
FORM = "spam-observatory submission 7"
MANIFEST, SIGNATURE = "manifest.json", "manifest.json.asc"
FILES = {f"{read_contract(table).name}.csv": table for table in PACKAGE_TABLES}
# What the study knows itself, or the manifest says once.
GIVEN_ELSEWHERE = ("respondent_id", "holding_id", "country_code", "subscriptions", "day_count", "waiver")
# The reference tables that say what is counted under a code: both sides have the same, or the package is
# refused.
DECIDING = ("ref.definition", "ref.measure")
# Those that say how a filter's words are read. An operator may have rules for what its own filters say.
COUNTING = (
    "ref.attribute_rule", "ref.bulk_preset", "ref.campaign_parameter", "ref.countermeasure_rule",
    "ref.type_rule",
)  # fmt: skip
WORDS = ("name", "source", "note")
# A year of a large operator is some ten megabytes in all, packed and unpacked.
LARGEST = 64 * 2**20
# Bytes that encryption may add to it.
ENCRYPTION = 2**20
# Of a package's other files, and of the rows and columns of a table.
LARGEST_OF = {MANIFEST: 4 * 2**20, SIGNATURE: 2**16}
MOST_ROWS = 500_000
LARGEST_HEAD = 4096
# No count is larger: all mail servers together see some 10^13 messages a month. Sums over all packages of a
# study stay within 64 bits.
MOST_UNITS = 10**13
MOST_LINES = 10**15
MOST_SUBSCRIPTIONS = 10**11
MOST_LEAST = 10**6
FIRST_YEAR, LAST_YEAR = 2000, 2099
# The first time that a zip can hold.
TIME = (1980, 1, 1, 0, 0, 0)


class PackagePart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


# Names and codes, without control characters.
Text = Annotated[str, Field(pattern=r"^[ -~]{1,100}$")]
Period = Annotated[str, Field(pattern=r"^20[0-9]{2}(-(Q[1-4]|0[1-9]|1[0-2]))?$")]
Month = Annotated[str, Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Lines = Annotated[int, Field(ge=0, le=MOST_LINES)]
# A year has 12 months of each channel, direction and unit.
Some = Field(max_length=10_000)


class Days(PackagePart):
    period_code: Month
    channel_code: Text
    days: int = Field(ge=0, le=31)
    of: int = Field(ge=28, le=31)


class PackageSource(PackagePart):
    format_code: Text
    sources: int = Field(ge=0, le=10**6)
    lines: Lines
    quarantined: Lines


class Coverage(PackagePart):
    days: list[Days] = Some
    sources: list[PackageSource] = Field(max_length=1000)


class PackageFile(PackagePart):
    sha256: Digest
    rows: int = Field(ge=0, le=MOST_ROWS)


class Withheld(PackagePart):
    period_code: Month
    channel_code: Text
    direction_code: Text
    unit_code: Text
    definition_code: Text


class Total(PackagePart):
    period_code: Month
    channel_code: Text
    direction_code: Text
    unit_code: Text
    units: int = Field(ge=0, le=100 * MOST_UNITS)


class Manifest(PackagePart):
    """The manifest of a package.

    Attributes:
        computed_at: when the counts were computed; of two packages of a period the one computed later stands.
        subscriptions: by channel.
        references: the SHA-256 of each table of DECIDING and COUNTING.
        withheld: what was too small to leave, _T under every definition.
        waiver: what of confidentiality the operator waives for these counts.
    """

    form: Text
    operator_id: Text
    country_code: Text
    period_code: Period
    computed_at: dt.datetime | None = None  # None in older forms, which are refused by their form.
    subscriptions: dict[Text, Annotated[int, Field(ge=0, le=MOST_SUBSCRIPTIONS)]] = Field(max_length=100)
    contract_digest: Digest
    reference_digest: Digest
    references: dict[Text, Digest] = Field({}, max_length=100)  # The same.
    waiver: Text | None = None  # The same.
    code_revision: Text
    least_units: int = Field(ge=1, le=MOST_LEAST)
    definition_codes: list[Text] = Some
    totals: list[Total] = Some
    withheld: list[Withheld] = Some
    coverage: Coverage
    files: dict[Text, PackageFile] = Field(max_length=100)

    @field_validator("computed_at")
    @classmethod
    def read_as_utc(cls, at: dt.datetime | None) -> dt.datetime | None:
        """A time without zone is one in UTC."""
        if at is None:
            return None
        if not FIRST_YEAR <= at.year <= LAST_YEAR:
            raise ValueError(f"the year must be {FIRST_YEAR} to {LAST_YEAR}")
        return at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at.astimezone(dt.UTC)


@dataclass(frozen=True)
class Package:
    """A package as it was opened, before anything in it is believed."""

    manifest: Manifest
    manifest_bytes: bytes
    signature: bytes | None
    files: dict[str, bytes]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.manifest_bytes).hexdigest()


@cache
def contract_digest() -> str:
    """SHA-256 over the contracts of what is submitted: columns, types, keys and rules, not descriptions."""
    digest = hashlib.sha256()
    for table in PACKAGE_TABLES:
        contract = read_contract(table)
        columns = [(field.name, field.type, field.codelist) for field in contract.fields]
        text = json.dumps(
            [table, columns, contract.key, contract.required, contract.checks, SUBMITTED_DIRECTIONS]
        )
        digest.update(text.encode())
    return digest.hexdigest()


@cache
def hash_references() -> dict[str, str]:
    """The SHA-256 of each table of DECIDING and COUNTING as this release has it."""
    return {table: rows_digest(table) for table in (*DECIDING, *COUNTING)}


def rows_digest(table: str) -> str:
    """SHA-256 of a reference table's rows: in any order, and without what stands there for people alone."""
    with (REFERENCE / f"{table.removeprefix('ref.')}.csv").open(newline="", encoding="utf-8") as lines:
        rows = sorted(
            sorted((name, cell) for name, cell in row.items() if name not in WORDS)
            for row in csv.DictReader(lines)
        )
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def columns_of(table: str) -> list[str]:
    """The columns of a table's file."""
    return [name for name in read_contract(table).columns if name not in GIVEN_ELSEWHERE]


def csv_of(rows: pl.DataFrame, table: str) -> bytes:
    """The rows as CSV, in the order of the key."""
    names = columns_of(table)
    key = [name for name in read_contract(table).key if name in names]
    return rows.select(names).sort(key).write_csv().encode()


def manifest_bytes(about: dict[str, Any], tables: dict[str, bytes]) -> bytes:
    """The manifest of the tables' files, as it is hashed and signed."""
    files = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "rows": data.count(b"\n") - 1}
        for name, data in tables.items()
    }
    manifest = Manifest.model_validate(about | {"form": FORM, "files": files})
    found = manifest.model_dump(mode="json")
    return (json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def pack_files(files: dict[str, bytes]) -> bytes:
    """A zip of the files, the same bytes for the same files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            # Otherwise it reveals the system that it was made on.
            entry.create_system = 3
            archive.writestr(entry, files[name])
    return made.getvalue()


def open_package(data: bytes) -> Package:
    """The package in a zip's bytes. Raises ObservatoryError, a line for each thing that is wrong.

    Nothing is written to a disk, no name of the archive is believed, and no more is unpacked than LARGEST.
    """
    files = unpack_files(data)
    if MANIFEST not in files:
        raise ObservatoryError(f"it holds no {MANIFEST}: make it with `observatory submit`")
    raw = files.pop(MANIFEST)
    try:
        manifest = Manifest.model_validate_json(raw)
    except ValidationError as error:
        raise ObservatoryError("\n".join(
            f"{MANIFEST}: {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()
        )) from None  # fmt: skip
    return Package(manifest, raw, files.pop(SIGNATURE, None), files)


def unpack_files(data: bytes) -> dict[str, bytes]:
    """The archive's files by name."""
    known = {MANIFEST, SIGNATURE, *FILES}
    try:
        archive = archives.open_archive(data)
        refuse_newer(archive)
        entries = archive.infolist()
        names = [entry.filename for entry in entries]
        wrong = [f"it holds {name!r}, which no package has" for name in sorted(set(names) - known)]
        wrong += [f"it holds {name} more than once" for name in sorted(set(names)) if names.count(name) > 1]
        if wrong:
            raise ObservatoryError("\n".join(wrong[:10]))
        found: dict[str, bytes] = {}
        left = LARGEST
        for entry in entries:
            most = min(left, LARGEST_OF.get(entry.filename, LARGEST))
            with archive.open(entry) as content:
                # What an archive says of its sizes may be untrue.
                found[entry.filename] = content.read(most + 1)
            left -= len(found[entry.filename])
            if left < 0:
                raise ObservatoryError(f"it unpacks to more than {LARGEST // 2**20} MB")
            if len(found[entry.filename]) > most:
                raise ObservatoryError(f"its {entry.filename} unpacks to more than {most:,} bytes")
    except (archives.Damaged, *archives.DAMAGED) as error:
        raise ObservatoryError(f"it is no zip archive that can be read: {error}") from None
    return found


def refuse_newer(archive: zipfile.ZipFile) -> None:
    """Raise ObservatoryError for a package of a later form, before anything in it is found to be unknown."""
    if MANIFEST not in archive.namelist():
        return
    with archive.open(MANIFEST) as content:
        raw = content.read(LARGEST_OF[MANIFEST])
    try:
        form = str(json.loads(raw)["form"])
    except (ValueError, TypeError, KeyError, RecursionError):
        # What is wrong with it is found later.
        return
    number = re.fullmatch(rf"{re.escape(FORM.rpartition(' ')[0])} ([0-9]{{1,9}})", form)
    if number and int(number[1]) > int(FORM.rpartition(" ")[2]):
        raise ObservatoryError(
            f"a newer version made it, in the form '{form}', and this study reads '{FORM}' and older: install"
            " the newer version on the study node, then load it"
        )
