"""Sign a release, and find out whose signature lies beside it.

The officer signs on her own machine, where her key is: the signature is a detached one of the manifest, whose
digests cover every file.
"""

from dataclasses import dataclass
from pathlib import Path

from jobs.core.errors import ObservatoryError
from jobs.release import manifest
from jobs.release.folders import signature_of
from jobs.submission import signing


@dataclass(frozen=True)
class Signed:
    """A good signature: the key's fingerprint, and the file among the signers that holds it."""

    fingerprint: str
    key_file: str


def sign_release(folder: Path, key: str) -> Path:
    """Verify a release and sign it. The signature's file, beside the folder."""
    manifest.verify_release(folder)
    file = signature_of(folder)
    file.write_bytes(signing.sign_data((folder / manifest.NAME).read_bytes(), key))
    return file


def signer_of(folder: Path, signers: Path) -> Signed:
    """Who signed a release. signers: a folder of OpenPGP public keys, a file each, or one such file.

    Raises ObservatoryError where there is no signature, or none of them made it.
    """
    file = signature_of(folder)
    if not file.is_file():
        raise ObservatoryError(
            f"{folder} is not signed: `observatory release sign {folder} --key KEY` on the officer's machine"
            f" makes {file.name}; put it beside the folder"
        )
    keys = sorted(signers.glob("*.asc")) if signers.is_dir() else [signers]
    if not keys or not keys[0].is_file():
        raise ObservatoryError(f"{signers} holds no public key (*.asc) of anyone who may sign a release")
    data, signature = (folder / manifest.NAME).read_bytes(), file.read_bytes()
    reasons = []
    for key in keys:
        try:
            return Signed(signing.verify_signature(data, signature, key), key.name)
        except ObservatoryError as error:
            reasons.append(str(error))
    raise ObservatoryError(
        "\n".join(
            [
                f"{file} is no signature of this release by any of the {len(keys)} key(s) in {signers}:",
                *reasons,
                "`observatory release sign FOLDER --key KEY`: the owner of one of these keys signs it",
            ]
        )
    )
