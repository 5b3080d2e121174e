"""Publishing a release and withdrawing it: each at once or not at all, and recorded."""

import datetime as dt
import json
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

from jobs.core.errors import ObservatoryError
from jobs.release import clearance, comparing, decisions, manifest
from jobs.release.about import parts_of
from jobs.release.codebook import json_bytes
from jobs.release.folders import (
    OPEN_FILE,
    UNFINISHED,
    all_in,
    put_in_place,
    signature_of,
    stage_folder,
    write_folder,
)
from jobs.release.signatures import Signed, signer_of

INDEX = "index.json"
# The file of the restricted folder that names the releases that were published before.
ABOUT = "about.json"


def publish_release(
    folder: Path,
    restricted: Path,
    public_root: Path,
    signers: Path,
    by: str,
    at: dt.datetime,
    approved: str | None = None,
) -> tuple[Path, Signed]:
    """Copy a release to where readers find it. Raises ObservatoryError unless every file is as it was made,
    one of the signers signed it, and no objection is open. approved: the digest that it must have.

    The record comes before the folder: whatever readers have seen, the next attack knows. Killed in between,
    a release counts as published, and the same command publishes it.
    """
    digest = manifest.verify_release(folder)
    if approved is not None and digest != approved:
        raise ObservatoryError(
            f"{folder} is not the release that was approved: its digest is {digest}, and {approved} was"
            " approved. Nothing is published"
        )
    about = manifest.read_manifest(folder)
    signed = signer_of(folder, signers)
    made = [each for each in decisions.read_decisions(restricted) if each.what == "made"]
    if not made or made[-1].digest != digest:
        raise ObservatoryError(f"{folder} is not the release that {restricted} has a record of")
    refuse_newer(restricted)
    leaving = clearance.count_leaving(comparing.areas_in(folder))
    clearance.refuse_uncleared(restricted, digest, leaving, at.date())
    target = public_root / about["period"] / about["version"]
    event = decisions.format_decision("published", by, digest, at, reason=f"signed by {signed.fingerprint}")
    if is_whole(target, digest):
        is_recorded = any(each.what == "published" for each in decisions.read_decisions(restricted))
        if is_recorded and is_listed(public_root):
            raise ObservatoryError(f"{about['period']}/{about['version']} is published already: {target}")
        if not is_recorded:
            decisions.append_decision(restricted, event)
        write_index(public_root)
        return target, signed
    files = {
        str(each.relative_to(folder)): each.read_bytes()
        for each in sorted(folder.rglob("*"))
        if each.is_file()
    }
    with stage_folder(target, files) as new:
        if manifest.verify_release(new) != digest:
            raise ObservatoryError(f"{target}: what was copied differs from {folder}; nothing is published")
        signature = new / signature_of(target).name
        shutil.copyfile(signature_of(folder), signature)
        signature.chmod(OPEN_FILE)
        decisions.append_decision(restricted, event)
        os.replace(signature, signature_of(target))
        put_in_place(new, target)
    write_index(public_root)
    return target, signed


def is_whole(target: Path, digest: str) -> bool:
    """Whether a published folder is there with all of its files, and is the release of this digest."""
    return (target / manifest.NAME).is_file() and manifest.verify_release(target) == digest


def refuse_unfinished(restricted_root: Path, public_root: Path) -> None:
    """Raise ObservatoryError if readers find a release without a record, or there is a record of one that
    they cannot find: what the attack on a later one must know is in doubt."""
    there = {"/".join(each) for each in all_in(public_root)}
    recorded = set(decisions.list_published(restricted_root))
    wrong = [
        f"{public_root / name} has no record of its publication: `observatory release publish {name}` adds it"
        for name in sorted(there - recorded)
    ]
    wrong += [
        f"{name} is recorded as published and not in {public_root}: run `observatory release publish {name}`"
        f" again, which was broken off, or `observatory release withdraw {name}`; if it lies elsewhere, name"
        " that folder in [release] public_root"
        for name in sorted(recorded - there)
    ]
    if wrong:
        raise ObservatoryError("\n".join(wrong))


def refuse_newer(restricted: Path) -> None:
    """Raise ObservatoryError if a release was published since this one was made: the attack on this one did
    not know it."""
    own = f"{restricted.parent.name}/{restricted.name}"
    known = [*json.loads((restricted / ABOUT).read_bytes())["earlier"], own]
    newer = [name for name in decisions.list_published(restricted.parents[1]) if name not in known]
    if newer:
        raise ObservatoryError(
            f"{', '.join(newer)} was published after this release was made, so the attack did not know it:"
            " make the next version, `observatory release make`"
        )


def withdraw_release(
    period: str, version: str, restricted: Path, public_root: Path, by: str, reason: str, at: dt.datetime
) -> Path:
    """Take a release back: a tombstone with the reason stands in place of its files. Killed in between, the
    same command goes on."""
    target = public_root / period / version
    events = [each for each in decisions.read_decisions(restricted) if each.what == "published"]
    if not events:
        raise ObservatoryError(f"{period}/{version} is not published under {public_root}")
    tombstone, signature = target / manifest.TOMBSTONE, signature_of(target)
    if tombstone.is_file():
        if [*target.iterdir()] == [tombstone] and not signature.exists() and is_listed(public_root):
            raise ObservatoryError(f"{period}/{version} is withdrawn already")
    else:
        if not reason.strip():
            raise ObservatoryError("why is it withdrawn? Give --reason: readers see it")
        digest = events[-1].digest
        told = json_bytes(
            {"period": period, "version": version, "sha256_of_manifest": digest, "reason": reason.strip(),
             "withdrawn_at": at.isoformat(timespec="seconds")}
        )  # fmt: skip
        decisions.append_decision(
            restricted, decisions.format_decision("withdrawn", by, digest, at, reason=reason)
        )
        if target.is_dir():
            replace_file(tombstone, told)
        else:
            write_folder(target, {manifest.TOMBSTONE: told})
    for each in target.iterdir():
        if each.is_dir():
            shutil.rmtree(each)
        elif each != tombstone:
            each.unlink()
    signature.unlink(missing_ok=True)
    write_index(public_root)
    return target


def list_public(public_root: Path) -> list[dict[str, Any]]:
    """Every release under the public root: period, version, whether it is withdrawn and why, its digest, and
    whether it is the one to use of its period."""
    found: list[dict[str, Any]] = []
    for period, version in all_in(public_root):
        folder = public_root / period / version
        tombstone = folder / manifest.TOMBSTONE
        if tombstone.is_file():
            told = json.loads(tombstone.read_bytes())
            found.append(
                {"period": period, "version": version, "status": "withdrawn", "reason": told["reason"],
                 "sha256_of_manifest": told["sha256_of_manifest"], "is_current": False}
            )  # fmt: skip
            continue
        digest = manifest.compute_digest((folder / manifest.NAME).read_bytes())
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
    replace_file(public_root / INDEX, json_bytes({"releases": list_public(public_root)}))


def is_listed(public_root: Path) -> bool:
    """Whether the list of releases names what is there."""
    file = public_root / INDEX
    return file.is_file() and json.loads(file.read_bytes()) == {"releases": list_public(public_root)}


def replace_file(file: Path, data: bytes) -> None:
    """Write a file for readers, at once or not at all."""
    new = file.with_name(f"{UNFINISHED}{uuid.uuid4().hex}")
    try:
        new.write_bytes(data)
        new.chmod(OPEN_FILE)
        os.replace(new, file)
    except OSError:
        new.unlink(missing_ok=True)
        raise
