"""A package: one zip of a CSV file per table and manifest.json, with manifest.json.asc if it is signed.

CSV, because whoever answers for what leaves an operator can read it. The manifest holds the SHA-256 of every
table, so that a signature of the manifest is one of the package. Equal counts make equal bytes; only a
signature holds a time.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jobs.contracts import REFERENCE, contract
from jobs.errors import ObservatoryError
from jobs.submission.counts import SUBMITTED, TABLES

FORM = "spam-observatory submission 4"
MANIFEST, SIGNATURE = "manifest.json", "manifest.json.asc"
FILES = {f"{contract(table).name}.csv": table for table in TABLES}
# What the study knows itself, or the manifest says once.
GIVEN_ELSEWHERE = ("respondent_id", "holding_id", "country_code", "subscriptions", "day_count")
# The reference tables that say what is counted under a code: both sides have the same, or the package is
# refused.
DECIDING = ("ref.definition", "ref.measure")
# Those that say how a filter's words are read. An operator may have rules for what its own filters say.
COUNTING = (
    "ref.attribute_rule", "ref.bulk_preset", "ref.campaign_parameter", "ref.countermeasure_rule",
    "ref.type_rule",
)  # fmt: skip
WORDS = ("name", "source", "note")
# A year of a large operator is some ten megabytes.
LARGEST = 256 * 2**20
# The first time that a zip can hold.
TIME = (1980, 1, 1, 0, 0, 0)


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Days(Part):
    period_code: str
    channel_code: str
    days: int
    of: int


class Source(Part):
    format_code: str
    sources: int
    lines: int
    quarantined: int


class Coverage(Part):
    days: list[Days]
    sources: list[Source]


class File(Part):
    sha256: str
    rows: int


class Withheld(Part):
    period_code: str
    channel_code: str
    direction_code: str
    unit_code: str
    definition_code: str


class Total(Part):
    period_code: str
    channel_code: str
    direction_code: str
    unit_code: str
    units: int


class Manifest(Part):
    """What a package says of itself.

    subscriptions: by channel. references: the SHA-256 of each table of DECIDING and COUNTING.
    withheld: what was too small to leave, _T under every definition.
    """

    form: str
    operator_id: str
    country_code: str
    period_code: str
    subscriptions: dict[str, Annotated[int, Field(ge=0)]]
    contract_digest: str
    reference_digest: str
    references: dict[str, str] = {}  # Form 3 has none.
    code_revision: str
    least_units: int = Field(ge=1)
    definition_codes: list[str]
    totals: list[Total]
    withheld: list[Withheld]
    coverage: Coverage
    files: dict[str, File]


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
    for table in TABLES:
        about = contract(table)
        columns = [(field.name, field.type, field.codelist) for field in about.fields]
        text = json.dumps([table, columns, about.key, about.required, about.checks, SUBMITTED])
        digest.update(text.encode())
    return digest.hexdigest()


@cache
def references() -> dict[str, str]:
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
    return [name for name in contract(table).columns if name not in GIVEN_ELSEWHERE]


def csv_of(rows: pl.DataFrame, table: str) -> bytes:
    """The rows as CSV, in the order of the key."""
    names = columns_of(table)
    key = [name for name in contract(table).key if name in names]
    return rows.select(names).sort(key).write_csv().encode()


def manifest_bytes(about: dict[str, Any], tables: dict[str, bytes]) -> bytes:
    """The manifest of the tables' files, as it is hashed and signed."""
    files = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "rows": data.count(b"\n") - 1}
        for name, data in tables.items()
    }
    manifest = Manifest.model_validate(about | {"form": FORM, "files": files})
    return (json.dumps(manifest.model_dump(), indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def packed(files: dict[str, bytes]) -> bytes:
    """A zip of the files, the same bytes for the same files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            # Else it tells the system that it was made on.
            entry.create_system = 3
            archive.writestr(entry, files[name])
    return made.getvalue()


def opened(data: bytes) -> Package:
    """The package in a zip's bytes. Raises ObservatoryError, a line for each thing that is wrong.

    Nothing is written to a disk, no name of the archive is believed, and no more is unpacked than LARGEST.
    """
    files = unpacked(data)
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


def unpacked(data: bytes) -> dict[str, bytes]:
    """The archive's files by name."""
    known = {MANIFEST, SIGNATURE, *FILES}
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        entries = archive.infolist()
        names = [entry.filename for entry in entries]
        wrong = [f"it holds {name!r}, which no package has" for name in sorted(set(names) - known)]
        wrong += [f"it holds {name} more than once" for name in sorted(set(names)) if names.count(name) > 1]
        if wrong:
            raise ObservatoryError("\n".join(wrong[:10]))
        found: dict[str, bytes] = {}
        left = LARGEST
        for entry in entries:
            with archive.open(entry) as content:
                # What an archive says of its sizes may be untrue.
                found[entry.filename] = content.read(left + 1)
            left -= len(found[entry.filename])
            if left < 0:
                raise ObservatoryError(f"it unpacks to more than {LARGEST // 2**20} MB")
    except (
        *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError),
        # A damaged name.
        UnicodeDecodeError,
    ) as error:
        raise ObservatoryError(f"it is no zip archive that can be read: {error}") from None
    return found
