"""Folders of releases: where each is, and writing one at once or not at all.

<root>/2026-Q4/v1.0.0/        a release as it was made; never changed
<root>/2026-Q4/v1.0.0.asc     its signature, put beside it by the officer
<restricted>/2026-Q4/v1.0.0/  what it takes to make it again, and who decided what; its owner's alone
<public_root>/2026-Q4/v1.0.0/ the release once it is published
<public_root>/2026-Q4/v1.0.0-site/  its site
<public_root>/index.json      all releases, for programs; signed
<public_root>/index.html      the same for readers
"""

import contextlib
import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from jobs.base.core.disk import DiskFull, is_full
from jobs.base.core.errors import ObservatoryError
from jobs.study.release.about import PERIOD, VERSION, parts_of

PRIVATE_FOLDER, PRIVATE_FILE, OPEN_FOLDER, OPEN_FILE = 0o700, 0o600, 0o755, 0o444
UNFINISHED = ".unfinished-"
# A file of a restricted folder whose release is not yet in its place.
UNMADE = "unmade"
# The file of the restricted folder with what a release was made of, and with which options.
ABOUT = "about.json"


def versions_in(root: Path, period: str) -> list[str]:
    """The versions of a period under a root, in order."""
    folder = root / period
    found = [each.name for each in folder.iterdir() if VERSION.match(each.name)] if folder.is_dir() else []
    return sorted(found, key=parts_of)


def list_releases(root: Path) -> list[tuple[str, str]]:
    """Every period and version under a root, in order."""
    periods = sorted(each.name for each in root.iterdir() if PERIOD.match(each.name)) if root.is_dir() else []
    return [(period, version) for period in periods for version in versions_in(root, period)]


def signature_of(folder: Path) -> Path:
    """Return the place of a release's signature: beside its folder, which it would change otherwise."""
    return folder.with_name(f"{folder.name}.asc")


def site_of(folder: Path) -> Path:
    """Return the place of a release's site: beside its folder."""
    return folder.with_name(f"{folder.name}-site")


def write_folder(target: Path, files: Mapping[str, bytes], is_private: bool = False) -> None:
    """Write a folder of files at once or not at all. Raises ObservatoryError if it exists."""
    with stage_folder(target, files, is_private) as new:
        put_in_place(new, target, is_private)


def write_release(folder: Path, files: Mapping[str, bytes], own: Path, kept: Mapping[str, bytes]) -> None:
    """Write a release's folder and its restricted one: both, or none.

    The restricted one comes first, because it has the record. Killed between the two, remove_unmade() finds
    it by the file UNMADE, which goes when both are there.
    """
    kept = {**kept, UNMADE: b""}
    with stage_folder(own, kept, is_private=True) as new_own, stage_folder(folder, files) as new:
        put_in_place(new_own, own, is_private=True)
        try:
            put_in_place(new, folder)
        except BaseException:
            shutil.rmtree(own)
            raise
    (own / UNMADE).unlink()


@contextlib.contextmanager
def stage_folder(target: Path, files: Mapping[str, bytes], is_private: bool = False) -> Iterator[Path]:
    """A folder of files beside the target, which only its owner can read; put_in_place() gives it the name of
    the target, or it is removed.

    Raises ObservatoryError if the target exists or nothing can be written.
    """
    folder_mode, file_mode = (PRIVATE_FOLDER, PRIVATE_FILE) if is_private else (OPEN_FOLDER, OPEN_FILE)
    refuse_existing(target)
    new = target.parent / f"{UNFINISHED}{uuid.uuid4().hex}"
    try:
        make_folder(target.parent, folder_mode)
        # Remove the unfinished folders of processes that were killed: those whose lock nobody holds.
        for each in target.parent.glob(f"{UNFINISHED}*/"):
            with contextlib.suppress(OSError), hold_lock(each):
                shutil.rmtree(each)
        new.mkdir(PRIVATE_FOLDER)
        with hold_lock(new):
            for name, data in files.items():
                file = new / name
                make_folder(file.parent, folder_mode)
                with file.open("wb") as out:
                    out.write(data)
                    out.flush()
                    os.fsync(out.fileno())
                file.chmod(file_mode)
            yield new
    except OSError as error:
        if is_full(error):
            raise DiskFull(str(target)) from None
        raise ObservatoryError(f"{target} cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(new, ignore_errors=True)


@contextlib.contextmanager
def hold_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder. Raises BlockingIOError where another process does."""
    number = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(number)


def make_folder(folder: Path, mode: int) -> None:
    """Make a folder and those above it, with this mode whatever the umask; folders that exist stay."""
    if not folder.is_dir():
        make_folder(folder.parent, mode)
        folder.mkdir(exist_ok=True)
        folder.chmod(mode)


def put_in_place(new: Path, target: Path, is_private: bool = False) -> None:
    """Give a finished folder its name. Raises ObservatoryError if another has it."""
    try:
        new.chmod(PRIVATE_FOLDER if is_private else OPEN_FOLDER)
        os.rename(new, target)
    except OSError:
        refuse_existing(target)
        raise


def refuse_existing(target: Path) -> None:
    if target.exists():
        raise ObservatoryError(
            f"{target} exists: a release is never changed. A new one of the period gets the next version"
        )
