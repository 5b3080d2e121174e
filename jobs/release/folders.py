"""Folders of releases: where each is, and writing one at once or not at all.

<root>/2026-Q4/v1.0.0/        a release as it was made; never changed
<root>/2026-Q4/v1.0.0.asc     its signature, put beside it by the officer
<restricted>/2026-Q4/v1.0.0/  what it takes to make it again, and who decided what; its owner's alone
<public_root>/2026-Q4/v1.0.0/ the release once it is published
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

from jobs.core.disk import DiskFull, is_full
from jobs.core.errors import ObservatoryError
from jobs.release.about import PERIOD, VERSION, parts_of

PRIVATE_FOLDER, PRIVATE_FILE, OPEN_FOLDER, OPEN_FILE = 0o700, 0o600, 0o755, 0o444
UNFINISHED = ".unfinished-"


def versions_in(root: Path, period: str) -> list[str]:
    """The versions of a period under a root, in order."""
    folder = root / period
    found = [each.name for each in folder.iterdir() if VERSION.match(each.name)] if folder.is_dir() else []
    return sorted(found, key=parts_of)


def all_in(root: Path) -> list[tuple[str, str]]:
    """Every period and version under a root, in order."""
    periods = sorted(each.name for each in root.iterdir() if PERIOD.match(each.name)) if root.is_dir() else []
    return [(period, version) for period in periods for version in versions_in(root, period)]


def signature_of(folder: Path) -> Path:
    """Where the signature of a release lies: beside its folder, which it would change otherwise."""
    return folder.with_name(f"{folder.name}.asc")


def write_folder(target: Path, files: Mapping[str, bytes], is_private: bool = False) -> None:
    """Write a folder of files at once or not at all. Raises ObservatoryError if it exists."""
    folder_mode, file_mode = (PRIVATE_FOLDER, PRIVATE_FILE) if is_private else (OPEN_FOLDER, OPEN_FILE)
    refuse_existing(target)
    new = target.parent / f"{UNFINISHED}{uuid.uuid4().hex}"
    try:
        make_folder(new, folder_mode)
        for name, data in files.items():
            file = new / name
            make_folder(file.parent, folder_mode)
            with file.open("wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            file.chmod(file_mode)
        put(new, target)
    except OSError as error:
        if is_full(error):
            raise DiskFull(str(target)) from None
        raise ObservatoryError(f"{target} cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(new, ignore_errors=True)


def make_folder(folder: Path, mode: int) -> None:
    """Make a folder and those above it, with this mode whatever the umask; folders that exist stay."""
    if not folder.is_dir():
        make_folder(folder.parent, mode)
        folder.mkdir(exist_ok=True)
        folder.chmod(mode)


def put(new: Path, target: Path) -> None:
    """Give a finished folder its name. Raises ObservatoryError if another has it."""
    try:
        os.rename(new, target)
    except OSError:
        refuse_existing(target)
        raise


def refuse_existing(target: Path) -> None:
    if target.exists():
        raise ObservatoryError(
            f"{target} exists: a release is never changed. A new one of the period gets the next version"
        )
