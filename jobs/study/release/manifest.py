"""manifest.json: the SHA-256 of every file of a release, and what it was made from; and its verification.

Anyone can verify a release with its folder alone. The manifest names the software, the reference tables and
the inputs by digest. Inputs hold what single operators reported: a plain digest of them could be tried out
by whoever knows all but one number, so they are named by one keyed digest, whose key stays in the restricted
folder.
"""

import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs.base.core.errors import ObservatoryError
from jobs.study.release.about import PERIOD, About
from jobs.study.release.codebook import json_bytes
from jobs.study.release.membership import Membership

NAME = "manifest.json"
# What stands in the folder of a release that was taken back, and beside the periods: the list of releases.
TOMBSTONE, INDEX = "WITHDRAWN.json", "index.json"
FORM = "spam-observatory release 1"
# The form of each statement on releases, and the texts that it holds.
STATEMENTS = {
    TOMBSTONE: (
        "spam-observatory withdrawal 1",
        ("period", "version", "sha256_of_manifest", "reason", "withdrawn_at"),
    ),
    INDEX: ("spam-observatory index 1", ("dated",)),
}
TEXTS = ("title", "period", "version", "agency", "software")


def compute_digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def seal_inputs(data: bytes, key: bytes) -> str:
    """A keyed digest (HMAC-SHA-256) of inputs."""
    return hmac.new(key, data, hashlib.sha256).hexdigest()


def format_manifest(
    about: About,
    files: Mapping[str, bytes],
    references: Mapping[str, str],
    inputs: str,
    memberships: Sequence[Membership] = (),
) -> bytes:
    """The manifest of these files.

    Args:
        references: the digest of each reference table.
        inputs: their seal.
        memberships: which countries each group has, by which source.
    """
    return json_bytes(
        {
            "form": FORM,
            "title": about.title,
            "period": about.period,
            "version": about.version,
            "is_made_up": about.is_made_up,
            "agency": about.agency,
            "publisher": about.agency_name,
            "contact": about.contact,
            "licence": about.licence,
            **({"address": about.own_address} if about.own_address else {}),
            "software": about.code,
            "inputs_seal": inputs,
            "reference_tables": dict(references),
            "group_membership": {each.group: each.describe() for each in memberships},
            "files": {
                name: {"sha256": compute_digest(data), "bytes": len(data)} for name, data in files.items()
            },
        }
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a release's folder. Raises ObservatoryError for a folder that has none."""
    file = folder / NAME
    try:
        found: dict[str, Any] = json.loads(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        if (folder / TOMBSTONE).is_file():
            raise ObservatoryError(
                f"{folder} has no {NAME}, and a {TOMBSTONE}: `observatory release verify {folder} --signers"
                " FILE` checks whether the publisher withdrew it, and prints the reason"
            ) from None
        raise ObservatoryError(
            f"{folder} is no release: it has no {NAME}. Name the folder of a version, such as"
            " releases/2026-Q4/v1.0.0"
        ) from None
    except ValueError as error:
        raise ObservatoryError(f"{file} is damaged: {error}") from None
    if not isinstance(found, dict) or found.get("form") != FORM:
        raise ObservatoryError(f"{file} is not of the form '{FORM}': a newer program made it, or none did")
    is_named = all(isinstance(found.get(name), str) for name in TEXTS)
    if not (is_named and is_list_of_files(found.get("files"))):
        raise ObservatoryError(f"{file} is damaged: it lacks the release's name or the digests of its files")
    return found


def read_statement(file: Path) -> dict[str, Any]:
    """An index or a tombstone. Raises ObservatoryError for a file that is none."""
    form, texts = STATEMENTS.get(file.name, ("", ()))
    try:
        found: dict[str, Any] = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ObservatoryError(f"{file} cannot be read: {error}") from None
    is_whole = isinstance(found, dict) and all(isinstance(found.get(name), str) for name in texts)
    if not texts or not is_whole or found.get("form") != form:
        raise ObservatoryError(
            f"{file} is no {' or '.join(STATEMENTS)} of this program: an older one made it, or none did"
        )
    return found


def find_day(folder: Path, digest: str) -> dt.date | None:
    """The day on which a release was published, by the index of the folder that it lies in; None where no
    index lists it. A file of that name that is no index says nothing."""
    try:
        listed = read_statement(folder.resolve().parents[1] / INDEX)["releases"]
        (day,) = [each["published_at"] for each in listed if each["sha256_of_manifest"] == digest]
        return dt.datetime.fromisoformat(day).date()
    except (ObservatoryError, LookupError, TypeError, ValueError):
        return None


def refuse_other_name(folder: Path, period: str, version: str) -> None:
    """Raise ObservatoryError if a folder has the name of another release than the one in it: readers go by
    the name."""
    path = folder.resolve()
    is_other_period = PERIOD.match(path.parent.name) and path.parent.name != period
    if path.name != version or is_other_period:
        raise ObservatoryError(
            f"{folder} is not {period}/{version}, which it holds: give the folder its name {period}/{version}"
            " again, and find out who renamed it"
        )


def is_list_of_files(value: object) -> bool:
    """Return whether this is what `files` of a manifest holds: a SHA-256 for each name."""
    return isinstance(value, dict) and all(
        isinstance(each, dict) and isinstance(each.get("sha256"), str) for each in value.values()
    )


def verify_release(folder: Path) -> str:
    """The digest of a release whose folder has its name and whose files are all as its manifest says. Raises
    ObservatoryError for another name, or with a line for each file that is changed, missing or not named."""
    found = read_manifest(folder)
    refuse_other_name(folder, found["period"], found["version"])
    return verify_files(folder)


def verify_files(folder: Path) -> str:
    """Verify the files of a folder that does not have its release's name yet."""
    found = read_manifest(folder)
    named: dict[str, dict[str, Any]] = found["files"]
    files = [each for each in folder.rglob("*") if each.is_symlink() or not each.is_dir()]
    present = {each.relative_to(folder).as_posix() for each in files} - {NAME}
    wrong = [f"{name} is missing" for name in sorted(set(named) - present)]
    wrong += [f"{name} is not in the manifest" for name in sorted(present - set(named))]
    wrong += [f"{each.relative_to(folder)} is a link" for each in sorted(files) if each.is_symlink()]
    for name in sorted(set(named) & present):
        data = (folder / name).read_bytes()
        if compute_digest(data) != named[name]["sha256"]:
            wrong.append(f"{name} was changed: its SHA-256 is {compute_digest(data)[:16]}…, the manifest has"
                         f" {named[name]['sha256'][:16]}…")  # fmt: skip
    if wrong:
        raise ObservatoryError("\n".join(f"{folder}: {each}" for each in wrong))
    return compute_digest((folder / NAME).read_bytes())
