"""The program's own files, and the version that they have together."""

import hashlib
import importlib.metadata
from collections.abc import Iterable
from functools import cache
from pathlib import Path

PROJECT = "spam-observatory"
PACKAGES = ("jobs", "schemas", "expectations")
HOME = Path(__file__).resolve().parents[3]


@cache
def own_project() -> str:
    """The version of the project that runs here."""
    return project_version(read_project())


def project_version(files: Iterable[tuple[str, bytes]]) -> str:
    """The project's version, and a digest of its files: a clone changes more often than its number does."""
    return f"{project_number()} ({digest_files(files)})"


def digest_files(files: Iterable[tuple[str, bytes]]) -> str:
    """Twelve hexadecimal digits for the names and bytes of files."""
    found = hashlib.sha256()
    for name, data in files:
        found.update(f"{name}:{hashlib.sha256(data).hexdigest()}\n".encode())
    return found.hexdigest()[:12]


def project_number() -> str:
    try:
        return importlib.metadata.version(PROJECT)
    except importlib.metadata.PackageNotFoundError:
        return "0"


def read_project() -> list[tuple[str, bytes]]:
    """The files of the project's packages, as its wheel names them, in the order of their names."""
    files = (file for package in PACKAGES for file in (HOME / package).rglob("*"))
    wanted = [file for file in files if file.is_file() and "__pycache__" not in file.parts]
    return sorted((str(file.relative_to(HOME)), file.read_bytes()) for file in wanted)


def find_sources(*patterns: str) -> list[Path]:
    """The project's files that match patterns, in the order of their names. A pattern that none matches is an
    error: what it stood for has moved, and a digest would no longer cover it."""
    found = {pattern: [*HOME.glob(pattern)] for pattern in patterns}
    assert all(found.values()), [pattern for pattern, files in found.items() if not files]
    files = {file for of in found.values() for file in of}
    return sorted(file for file in files if file.is_file() and "__pycache__" not in file.parts)
