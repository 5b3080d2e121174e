"""Publishing a release and withdrawing it: each at once or not at all, and recorded."""

import datetime as dt
import json
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

from jobs.base.core.errors import ObservatoryError
from jobs.study.release import clearance, comparing, decisions, manifest
from jobs.study.release.about import parts_of
from jobs.study.release.codebook import json_bytes
from jobs.study.release.folders import (
    ABOUT,
    OPEN_FILE,
    UNFINISHED,
    list_releases,
    put_in_place,
    signature_of,
    site_of,
    stage_folder,
    write_folder,
)
from jobs.study.release.signatures import Signed, signer_of, signer_of_statement, statement_signature


class AlreadyDone(ObservatoryError):
    """A release is published or withdrawn already, and listed as such."""


@decisions.recorded_alone
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
    one of the signers signed it with a key that is valid, and no objection is open.

    The record comes before the folder: whatever readers have seen, the next attack knows. Killed in between,
    a release counts as published, and the same command publishes it.

    Args:
        approved: the digest that it must have.
    """
    refuse_withdrawn(restricted)
    digest = manifest.verify_release(folder)
    if approved is not None and digest != approved:
        raise ObservatoryError(
            f"{folder} is not the release that was approved: its digest is {digest}, and {approved} was"
            " approved. Nothing is published"
        )
    about = manifest.read_manifest(folder)
    signed = signer_of(folder, signers)
    if signed.expired_at is not None:
        raise ObservatoryError(
            f"{folder} is signed with a key that expired on {signed.expired_at:%Y-%m-%d}: the officer"
            f" prolongs it or signs with another one, and its public key replaces {signed.key_file} among the"
            " signers"
        )
    refuse_unready(folder, restricted, digest, at.date())
    target = public_root / about["period"] / about["version"]
    event = decisions.format_decision("published", by, digest, at, reason=f"signed by {signed.fingerprint}")
    if is_release_whole(target, digest):
        is_recorded = any(each.what == "published" for each in decisions.read_decisions(restricted))
        if is_recorded and is_listed(public_root, restricted.parents[1]):
            raise AlreadyDone(f"{about['period']}/{about['version']} is published already: {target}")
        if not is_recorded:
            decisions.append_decision(restricted, event)
        write_index(public_root, restricted.parents[1])
        return target, signed
    files = {
        str(each.relative_to(folder)): each.read_bytes()
        for each in sorted(folder.rglob("*"))
        if each.is_file()
    }
    with stage_folder(target, files) as new:
        if manifest.verify_files(new) != digest:
            raise ObservatoryError(f"{target}: what was copied differs from {folder}; nothing is published")
        signature = new / signature_of(target).name
        shutil.copyfile(signature_of(folder), signature)
        signature.chmod(OPEN_FILE)
        decisions.append_decision(restricted, event)
        os.replace(signature, signature_of(target))
        put_in_place(new, target)
    write_index(public_root, restricted.parents[1])
    return target, signed


def refuse_unready(folder: Path, restricted: Path, digest: str, today: dt.date) -> None:
    """Raise ObservatoryError if a release may not leave, signed or not: nobody recorded that it was made, it
    does not know another one that was published since, or it is not cleared."""
    made = [each for each in decisions.read_decisions(restricted) if each.what == "made"]
    if not made or made[-1].digest != digest:
        raise ObservatoryError(f"{folder} is not the release that {restricted} has a record of")
    newer = list_newer(restricted)
    if newer:
        raise ObservatoryError(
            f"{', '.join(newer)} was published after this release was made, so the attack did not know it:"
            f" make the next version, `{clearance.make_command(restricted)}`"
        )
    row_counts = clearance.count_country_rows(comparing.areas_in(folder))
    clearance.refuse_uncleared(restricted, digest, row_counts, today)


def is_release_whole(target: Path, digest: str) -> bool:
    """Return whether a published folder is there with all of its files, and is the release of this digest."""
    return (target / manifest.NAME).is_file() and manifest.verify_release(target) == digest


def refuse_unfinished(restricted_root: Path, public_root: Path) -> None:
    """Raise ObservatoryError if readers find a release without a record, or there is a record of one that
    they cannot find: what the attack on a later one must know is in doubt."""
    there = {"/".join(each) for each in list_releases(public_root)}
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


def list_newer(restricted: Path) -> list[str]:
    """The releases that were published since this one was made: the attack on this one did not know them."""
    own = f"{restricted.parent.name}/{restricted.name}"
    known = [*json.loads((restricted / ABOUT).read_bytes())["earlier"], own]
    return [name for name in decisions.list_published(restricted.parents[1]) if name not in known]


def refuse_withdrawn(restricted: Path) -> None:
    """Raise ObservatoryError for a release that was withdrawn: readers have been told not to use it."""
    for each in decisions.read_decisions(restricted):
        if each.what == "withdrawn":
            raise ObservatoryError(
                f"{restricted.parent.name}/{restricted.name} was withdrawn on {each.at[:10]} by"
                f" {each.by}: {each.reason}. It is not published again: make the next version,"
                f" `{clearance.make_command(restricted)}`"
            )


@decisions.recorded_alone
def withdraw_release(
    period: str, version: str, restricted: Path, public_root: Path, by: str, reason: str, at: dt.datetime
) -> Path:
    """Take a release back: a tombstone with the reason stands in place of its files; its signature stays, and
    its site goes. The record comes first. Killed in between, the same command goes on.

    Args:
        restricted: the restricted folder of this version.
        public_root: the folder of all published releases.
        by: the name of who withdraws it.
        reason: in a sentence; readers see it.
    """
    target = public_root / period / version
    events = decisions.read_decisions(restricted)
    published = [each for each in events if each.what == "published"]
    if not published:
        raise ObservatoryError(f"{period}/{version} is not published under {public_root}")
    withdrawn = [each for each in events if each.what == "withdrawn"]
    if not withdrawn:
        if not reason.strip():
            raise ObservatoryError("why is it withdrawn? Give --reason: readers see it")
        decisions.record_decision(restricted, "withdrawn", by, published[-1].digest, at, reason=reason)
        withdrawn = decisions.read_decisions(restricted)[-1:]
    content = format_tombstone(period, version, withdrawn[-1])
    tombstone = target / manifest.TOMBSTONE
    kept = {tombstone, statement_signature(tombstone)}
    is_written = tombstone.is_file() and tombstone.read_bytes() == content
    has_site = site_of(target).is_dir()
    if (
        not has_site
        and is_written
        and kept >= {*target.iterdir()}
        and is_listed(public_root, restricted.parents[1])
    ):
        raise AlreadyDone(f"{period}/{version} is withdrawn already, since {withdrawn[-1].at[:10]}")
    if not is_written:
        statement_signature(tombstone).unlink(missing_ok=True)
        if target.is_dir():
            replace_file(tombstone, content)
        else:
            write_folder(target, {manifest.TOMBSTONE: content})
    if has_site:
        shutil.rmtree(site_of(target))
    for each in {*target.iterdir()} - kept:
        if each.is_dir():
            shutil.rmtree(each)
        else:
            each.unlink()
    write_index(public_root, restricted.parents[1])
    return target


def format_tombstone(period: str, version: str, withdrawn: decisions.Decision) -> bytes:
    """Format the file that replaces a withdrawn release, from the record of its withdrawal."""
    return json_bytes(
        {
            "form": manifest.STATEMENTS[manifest.TOMBSTONE][0],
            "period": period,
            "version": version,
            "sha256_of_manifest": withdrawn.digest,
            "reason": withdrawn.reason,
            "withdrawn_at": withdrawn.at,
        }
    )


def list_public(public_root: Path, restricted_root: Path) -> list[dict[str, Any]]:
    """Every release under the public root that the study has a record of: period, version, whether it is
    withdrawn, when and why, its digest, and whether it is the one to use of its period. Files under the
    public root say nothing here: whoever can write there could withdraw a release."""
    found: list[dict[str, Any]] = []
    for period, version in list_releases(restricted_root):
        events = decisions.read_decisions(restricted_root / period / version)
        published = [each for each in events if each.what == "published"]
        if not published or not (public_root / period / version).is_dir():
            continue
        withdrawn = [each for each in events if each.what == "withdrawn"]
        found.append(
            {
                "period": period,
                "version": version,
                "status": "withdrawn" if withdrawn else "published",
                "published_at": published[-1].at,
                "withdrawn_at": withdrawn[-1].at if withdrawn else None,
                "reason": withdrawn[-1].reason if withdrawn else "",
                "sha256_of_manifest": published[-1].digest,
                "is_current": False,
            }
        )
    for period in {each["period"] for each in found}:
        stands = [each for each in found if each["period"] == period and each["status"] == "published"]
        if stands:
            max(stands, key=lambda each: parts_of(each["version"]))["is_current"] = True
    return found


def format_index(public_root: Path, restricted_root: Path) -> bytes:
    """The list of releases that readers and feeds go by, dated by the last event in it."""
    releases = list_public(public_root, restricted_root)
    dates = [each["withdrawn_at"] or each["published_at"] for each in releases]
    form, _ = manifest.STATEMENTS[manifest.INDEX]
    return json_bytes({"form": form, "dated": max(dates, default=""), "releases": releases})


def write_index(public_root: Path, restricted_root: Path) -> None:
    """Write the index if it changed; then its signature goes, which is of the one before."""
    if not is_listed(public_root, restricted_root):
        statement_signature(public_root / manifest.INDEX).unlink(missing_ok=True)
        replace_file(public_root / manifest.INDEX, format_index(public_root, restricted_root))


def is_listed(public_root: Path, restricted_root: Path) -> bool:
    """Return whether the index says what is recorded."""
    file = public_root / manifest.INDEX
    return file.is_file() and file.read_bytes() == format_index(public_root, restricted_root)


def list_unsigned(public_root: Path, signers: Path) -> list[Path]:
    """The index and the tombstones that none of the signers signed."""
    tombstones = [public_root.joinpath(*name, manifest.TOMBSTONE) for name in list_releases(public_root)]
    found = []
    for file in [public_root / manifest.INDEX, *tombstones]:
        if file.is_file():
            try:
                signer_of_statement(file, signers)
            except ObservatoryError:
                found.append(file)
    return found


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
