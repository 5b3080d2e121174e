"""What `release verify` finds out about a path: a release, one that was withdrawn, or the index of releases.

It needs no lake and no settings: readers verify what they downloaded.
"""

from pathlib import Path

from jobs.base.core.errors import ObservatoryError
from jobs.study.release import manifest, signatures

UNCHECKED = "Who signed was not checked: name the publisher's public key with --signers."


def verify_path(path: Path, signers: Path | None) -> list[str]:
    """Lines on which release this is and who signed it. Raises ObservatoryError for one that is changed,
    withdrawn, renamed or not signed by one of the signers."""
    if path.name == manifest.INDEX and path.is_file():
        return verify_index(path, signers)
    if (path / manifest.TOMBSTONE).is_file():
        refuse_withdrawn(path, signers)
    digest = manifest.verify_release(path)
    about = manifest.read_manifest(path)
    signed = UNCHECKED if signers is None else signatures.signer_of(path, signers).text
    return [
        f"Release {about['period']}/{about['version']} of {about['agency']}: {about['title']}",
        f"All {len(about['files'])} files are as the manifest says.",
        f"digest {digest}",
        signed,
    ]


def refuse_withdrawn(folder: Path, signers: Path | None) -> None:
    """Raise ObservatoryError with what a tombstone says, and whether the publisher says so."""
    file = folder / manifest.TOMBSTONE
    found = manifest.read_statement(file)
    name = f"{found['period']}/{found['version']}"
    manifest.refuse_other_name(folder, found["period"], found["version"])
    told = f"{name} was withdrawn on {found['withdrawn_at'][:10]}: {found['reason']}"
    if signers is None:
        raise ObservatoryError(f"{file} says: {told}\n{UNCHECKED}")
    try:
        signed = signatures.signer_of_statement(file, signers)
    except ObservatoryError as error:
        raise ObservatoryError(
            f"{file} is not believed, because none of the signers signed it: ask the publisher whether {name}"
            f" was withdrawn\n{error}"
        ) from None
    raise ObservatoryError(f"{told}\n{signed.text}")


def verify_index(file: Path, signers: Path | None) -> list[str]:
    """Lines on an index: its date, what it lists, and who signed it."""
    found = manifest.read_statement(file)
    signed = UNCHECKED if signers is None else signatures.signer_of_statement(file, signers).text
    lines = [
        f"Index of {len(found['releases'])} release(s), as of {found['dated'][:16].replace('T', ' ')} UTC"
    ]
    for each in found["releases"]:
        state = "current" if each["is_current"] else each["status"]
        lines.append(f"{each['period']}/{each['version']}: {state}, digest {each['sha256_of_manifest']}")
    return [*lines, signed]
