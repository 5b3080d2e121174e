"""A small release of public tables, for tests of what is written, signed and published; its figures are of
nobody."""

import datetime as dt
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl

from jobs.base.tables.public_contracts import public_contract
from jobs.study.release import assembly, clearance, folders, manifest, publishing
from jobs.study.release.about import About
from jobs.study.release.released_tables import ReleasedTable, release_table
from jobs.study.release.triangle import build_triangle
from jobs.study.site.clearance_sheet import build_sheet

VOLUME = "public.spam_volume"
NOW, BEFORE = dt.datetime(2027, 2, 1, 12, tzinfo=dt.UTC), dt.date(2027, 1, 20)
ASKED = {"FJI": "Ministry of Fiji", "NPL": "Authority of Nepal", "TON": "Ministry of Tonga"}
ABOUT = About(
    period="2026-Q4",
    version="v1.0.0",
    agency="SPAMSTAT",
    agency_name="The study of spam",
    contact="study@example.org",
    licence="CC-BY-4.0",
    code="0.1.0",
)
# Tonga's administration has none in the list.
LANGUAGES = {"FJI": "en", "NPL": "fr"}
LIKE: dict[str, Any] = {
    "period_code": "2026-Q4", "channel_code": "EMAIL", "unit_code": "recipient",
    "definition_code": "OPERATOR", "quantity_code": "spam_certain", "area_kind_code": "country",
    "estimate": 1_230_000,
    "estimate_low": 1_000_000, "estimate_high": 1_400_000, "cv_band_code": "acceptable",
    "coverage_class_code": "50_75", "holdings_class_code": "3_5", "silent_class_code": "25_50",
    "area_country_count": 2, "frame_country_count": 2, "rated_country_count": 0, "population_pct": 100,
    "nature_code": "CA", "obs_status_code": "E", "conf_status_code": "F", "revision_code": "NEW",
    "stands_from": None,
}  # fmt: skip


def volume(**areas: dict[str, Any]) -> pl.DataFrame:
    """Rows of public.spam_volume: one for each area, with what differs from LIKE."""
    rows = [LIKE | {"area_code": area} | own for area, own in areas.items()]
    return pl.DataFrame(rows, schema=public_contract(VOLUME).schema)


def tables() -> list[ReleasedTable]:
    world = {
        "area_kind_code": "world",
        "estimate": 17_200_000_000,
        "estimate_low": 16e9,
        "estimate_high": 20e9,
    }
    region = {
        "area_kind_code": "region",
        "estimate": 5_000_000_000,
        "estimate_low": 4e9,
        "estimate_high": 6.3e9,
    }
    return [release_table(VOLUME, volume(WORLD=world, AFR=region, FJI={}, NPL={"estimate": 2_340_000}))]


def made(about: About = ABOUT, of: list[ReleasedTable] | None = None) -> dict[str, bytes]:
    revised = build_triangle([])
    return assembly.files_of(
        of or tables(), about, assembly.ReleaseEvidence({"ref.country": "00"}, "11", [], [], revised)
    )


def few_files() -> dict[str, bytes]:
    """A release of two files, whose every change is soon tried."""
    files = {
        name: data for name, data in made(ABOUT).items() if name in ("README.md", "data/spam_volume.csv")
    }
    return files | {manifest.NAME: manifest.format_manifest(ABOUT, files, {}, "")}


def write(root: Path, about: About = ABOUT) -> Path:
    """A release's folder under a root."""
    folder = root / about.period / about.version
    folders.write_folder(folder, made(about))
    return folder


def new_key(home: Path, name: str) -> str:
    """Make an OpenPGP key in GNUPGHOME `home`, and put its public part into <name>.asc beside; the
    fingerprint."""
    home.mkdir(mode=0o700, exist_ok=True)
    gpg = [
        "gpg",
        "--homedir",
        str(home),
        "--batch",
        "--quiet",
        "--passphrase",
        "",
        "--pinentry-mode",
        "loopback",
    ]
    subprocess.run(
        [*gpg, "--quick-generate-key", f"{name} <{name}@example.org>", "ed25519", "sign", "never"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    exported = subprocess.run(
        ["gpg", "--homedir", str(home), "--armor", "--export", name],
        check=True,
        capture_output=True,
        timeout=60,
    ).stdout
    (home.parent / f"{name}.asc").write_bytes(exported)
    listed = subprocess.run(
        ["gpg", "--homedir", str(home), "--with-colons", "--fingerprint", name],
        check=True, capture_output=True, text=True, timeout=60,
    ).stdout  # fmt: skip
    return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))


def clear_tables(
    restricted: Path,
    released: list[ReleasedTable],
    digest: str,
    asked: Mapping[str, str] = ASKED,
    deadline: dt.date = BEFORE,
    languages: Mapping[str, str] | None = None,
) -> clearance.Clearance:
    """Ask administrations about a release."""
    build = partial(
        build_sheet, about=ABOUT, digest=digest, deadline=deadline, return_address="answers@example.org"
    )
    return clearance.make_clearance(restricted, released, digest, asked, deadline, languages or {}, build)


@dataclass
class Place:
    """A release that was made and recorded, and where it would be published."""

    folder: Path
    restricted: Path
    public: Path
    digest: str

    def clear(self, deadline: dt.date = BEFORE, asked: Mapping[str, str] = ASKED) -> None:
        clear_tables(self.restricted, tables(), self.digest, asked, deadline, LANGUAGES)

    def publish(self, signers: Path) -> Path:
        return publishing.publish_release(
            self.folder, self.restricted, self.public, signers, "A. Officer", NOW
        )[0]


@contextmanager
def signing_keys(folder: Path) -> Iterator[SimpleNamespace]:
    """The keys of an officer and of a stranger, in a home of their own in a folder."""
    home = folder / "home"
    officer, stranger = new_key(home, "officer"), new_key(home, "stranger")
    yield SimpleNamespace(folder=folder, home=home, officer=officer, stranger=stranger)
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
