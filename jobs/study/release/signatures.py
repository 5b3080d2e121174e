"""Sign a release, find out whose signature lies beside it, and verify what a reader downloaded.

The officer signs on her own machine, where her key is: the signature is a detached one of the manifest, whose
digests cover every file. The index of releases and the tombstone of a withdrawn one are signed as files
(docs/decisions/0179-statements-on-releases-are-signed.md). Verifying needs no lake and no settings.
"""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import format_noun
from jobs.base.packages import signing
from jobs.study.release import manifest
from jobs.study.release.folders import signature_of

UNCHECKED = "Who signed was not checked: name the publisher's public key with --signers."


@dataclass(frozen=True)
class Signed:
    """A good signature: the key's fingerprint, the file among the signers that holds it, its user id, when it
    was made by its own account, and when the key expired, if it did since."""

    fingerprint: str
    key_file: str
    name: str = ""
    signed_at: dt.datetime | None = None
    expired_at: dt.datetime | None = None

    @property
    def text(self) -> str:
        """A sentence on who signed and when, for a person."""
        when = f" on {self.signed_at:%Y-%m-%d %H:%M} UTC" if self.signed_at else ""
        text = f"Signed by {self.fingerprint} ({self.key_file}: {self.name}){when}."
        if self.expired_at:
            text += (
                f"\nThe key expired on {self.expired_at:%Y-%m-%d}, after the date that the signature states:"
                " it stays good. Ask the publisher for the present key."
            )
        return text


def sign_release(folder: Path, key: str) -> Path:
    """Verify a release and sign it. The signature's file, beside the folder."""
    manifest.verify_release(folder)
    file = signature_of(folder)
    file.write_bytes(signing.sign_data((folder / manifest.NAME).read_bytes(), key))
    return file


def sign_statement(file: Path, key: str) -> Path:
    """Sign an index or a tombstone. The signature's file, beside it."""
    manifest.read_statement(file)
    signature = statement_signature(file)
    signature.write_bytes(signing.sign_data(file.read_bytes(), key))
    return signature


def statement_signature(file: Path) -> Path:
    return file.with_name(f"{file.name}.asc")


def signer_of(folder: Path, signers: Path) -> Signed:
    """Find who signed a release.

    Raises ObservatoryError where there is no signature, or none of them made it.

    Args:
        signers: a folder of OpenPGP public keys, a file each, or one such file.
    """
    return find_signer(folder / manifest.NAME, signature_of(folder), folder, signers)


def signer_of_statement(file: Path, signers: Path) -> Signed:
    """Find who signed an index or a tombstone, as signer_of() does for a release."""
    return find_signer(file, statement_signature(file), file, signers)


def find_signer(data_file: Path, file: Path, path: Path, signers: Path) -> Signed:
    """Find who signed a file.

    Args:
        file: its signature.
        path: what a person names to sign it.
    """
    if not file.is_file():
        what = "file" if path == data_file else "folder"
        raise ObservatoryError(
            f"{path} is not signed: no {file.name} lies beside the {what}."
            " A reader asks the publisher for it; the publisher makes it on the officer's machine:"
            f" `observatory release sign {path} --key KEY`"
        )
    if not signers.exists():
        raise ObservatoryError(f"{signers} does not exist: name a file or folder with public keys (*.asc)")
    keys = sorted(signers.glob("*.asc")) if signers.is_dir() else [signers]
    if not keys or not keys[0].is_file():
        raise ObservatoryError(f"{signers} holds no public key (*.asc) of anyone who may sign a release")
    data, signature = data_file.read_bytes(), file.read_bytes()
    reasons = []
    for key in keys:
        try:
            found = signing.check_signature(data, signature, key)
        except ObservatoryError as error:
            reasons.append(str(error))
        else:
            return Signed(found.fingerprint, key.name, found.name, found.signed_at, found.expired_at)
    of = "this release" if path != data_file else path.name
    raise ObservatoryError(
        "\n".join(
            [
                f"{file} is no signature of {of} by any key in {signers}:",
                *reasons,
                f"`observatory release sign {path} --key KEY`: the owner of one of these keys signs it",
            ]
        )
    )


def verify_path(path: Path, signers: Path | None) -> list[str]:
    """Lines on which release this is and who signed it. Raises ObservatoryError for one that is changed,
    withdrawn, renamed or not signed by one of the signers."""
    if path.name == manifest.INDEX and path.is_file():
        return verify_index(path, signers)
    if (path / manifest.TOMBSTONE).is_file():
        refuse_withdrawn(path, signers)
    digest = manifest.verify_release(path)
    about = manifest.read_manifest(path)
    signed = UNCHECKED if signers is None else signer_of(path, signers).text
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
    notice = f"{name} was withdrawn on {found['withdrawn_at'][:10]}: {found['reason']}"
    if signers is None:
        raise ObservatoryError(f"{file} says: {notice}\n{UNCHECKED}")
    try:
        signed = signer_of_statement(file, signers)
    except ObservatoryError as error:
        raise ObservatoryError(
            f"{file} is not believed, because none of the signers signed it: ask the publisher whether {name}"
            f" was withdrawn\n{error}"
        ) from None
    raise ObservatoryError(f"{notice}\n{signed.text}")


def verify_index(file: Path, signers: Path | None) -> list[str]:
    """Lines on an index: its date, what it lists, and who signed it."""
    found = manifest.read_statement(file)
    signed = UNCHECKED if signers is None else signer_of_statement(file, signers).text
    dated = found["dated"][:16].replace("T", " ")
    lines = [f"Index of {format_noun(len(found['releases']), 'release')}, as of {dated} UTC"]
    for each in found["releases"]:
        state = "current" if each["is_current"] else each["status"]
        lines.append(f"{each['period']}/{each['version']}: {state}, digest {each['sha256_of_manifest']}")
    return [*lines, signed]
