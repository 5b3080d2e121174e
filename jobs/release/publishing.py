"""Publishing a release and withdrawing it: each at once or not at all, and recorded."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

from jobs.core.errors import ObservatoryError
from jobs.release import clearance, decisions, manifest
from jobs.release.about import parts_of
from jobs.release.codebook import json_bytes
from jobs.release.folders import (
    OPEN_FILE,
    OPEN_FOLDER,
    UNFINISHED,
    all_in,
    make_folder,
    put,
    signature_of,
    write_folder,
)
from jobs.release.signatures import Signed, signer_of

INDEX, TOMBSTONE = "index.json", "WITHDRAWN.json"
# The file of the restricted folder that names the releases that were published before.
ABOUT = "about.json"


def publish(
    folder: Path, restricted: Path, public_root: Path, signers: Path, by: str, at: dt.datetime
) -> tuple[Path, Signed]:
    """Copy a release to where readers find it. Raises ObservatoryError unless every file is as it was made,
    one of the signers signed it, and no objection is open."""
    digest = manifest.verify(folder)
    about = manifest.read(folder)
    signed = signer_of(folder, signers)
    made = [each for each in decisions.recorded(restricted) if each.what == "made"]
    if not made or made[-1].digest != digest:
        raise ObservatoryError(f"{folder} is not the release that {restricted} has a record of")
    refuse_newer(restricted)
    clearance.refuse_uncleared(restricted, digest, at.date())
    target = public_root / about["period"] / about["version"]
    files = {
        str(each.relative_to(folder)): each.read_bytes()
        for each in sorted(folder.rglob("*"))
        if each.is_file()
    }
    event = decisions.line("published", by, digest, at, reason=f"signed by {signed.fingerprint}")
    write_folder(target, files)
    # What is not recorded, no later attack would know of: then nothing is published.
    try:
        if manifest.verify(target) != digest:
            raise ObservatoryError(f"{target}: what was copied differs from {folder}; nothing is published")
        shutil.copyfile(signature_of(folder), signature_of(target))
        signature_of(target).chmod(OPEN_FILE)
        write_index(public_root)
        decisions.append(restricted, event)
    except BaseException:
        shutil.rmtree(target)
        signature_of(target).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            write_index(public_root)
        raise
    return target, signed


def refuse_newer(restricted: Path) -> None:
    """Raise ObservatoryError if a release was published since this one was made: the attack on this one did
    not know it."""
    own = f"{restricted.parent.name}/{restricted.name}"
    known = [*json.loads((restricted / ABOUT).read_bytes())["earlier"], own]
    newer = [name for name in decisions.published(restricted.parents[1]) if name not in known]
    if newer:
        raise ObservatoryError(
            f"{', '.join(newer)} was published after this release was made, so the attack did not know it:"
            " make the next version, `observatory release make`"
        )


def withdraw(
    period: str, version: str, restricted: Path, public_root: Path, by: str, reason: str, at: dt.datetime
) -> Path:
    """Take a release back: a tombstone with the reason stands in place of its files."""
    target = public_root / period / version
    if not target.is_dir():
        raise ObservatoryError(f"{period}/{version} is not published under {public_root}")
    if (target / TOMBSTONE).is_file():
        raise ObservatoryError(f"{period}/{version} is withdrawn already")
    if not reason.strip():
        raise ObservatoryError("why is it withdrawn? Give --reason: readers see it")
    digest = manifest.digest((target / manifest.NAME).read_bytes())
    event = decisions.line("withdrawn", by, digest, at, reason=reason)
    new, old = (target.parent / f"{UNFINISHED}{uuid.uuid4().hex}" for _ in range(2))
    make_folder(new, OPEN_FOLDER)
    (new / TOMBSTONE).write_bytes(
        json_bytes(
            {"period": period, "version": version, "sha256_of_manifest": digest, "reason": reason.strip(),
             "withdrawn_at": at.isoformat(timespec="seconds")}
        )
    )  # fmt: skip
    (new / TOMBSTONE).chmod(OPEN_FILE)
    decisions.append(restricted, event)
    os.rename(target, old)
    put(new, target)
    shutil.rmtree(old)
    signature_of(target).unlink(missing_ok=True)
    write_index(public_root)
    return target


def published(public_root: Path) -> list[dict[str, Any]]:
    """Every release under the public root: period, version, whether it is withdrawn and why, its digest, and
    whether it is the one to use of its period."""
    found: list[dict[str, Any]] = []
    for period, version in all_in(public_root):
        folder = public_root / period / version
        tombstone = folder / TOMBSTONE
        if tombstone.is_file():
            told = json.loads(tombstone.read_bytes())
            found.append(
                {"period": period, "version": version, "status": "withdrawn", "reason": told["reason"],
                 "sha256_of_manifest": told["sha256_of_manifest"], "is_current": False}
            )  # fmt: skip
            continue
        digest = manifest.digest((folder / manifest.NAME).read_bytes())
        found.append(
            {"period": period, "version": version, "status": "published", "reason": "",
             "sha256_of_manifest": digest, "is_current": False}
        )  # fmt: skip
    for period in {each["period"] for each in found}:
        stands = [each for each in found if each["period"] == period and each["status"] == "published"]
        if stands:
            max(stands, key=lambda each: parts_of(each["version"]))["is_current"] = True
    return found


def write_index(public_root: Path) -> None:
    """The list of releases that readers and feeds go by."""
    new = public_root / f"{UNFINISHED}{uuid.uuid4().hex}"
    new.write_bytes(json_bytes({"releases": published(public_root)}))
    new.chmod(0o644)
    os.replace(new, public_root / INDEX)
