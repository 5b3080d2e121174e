"""Signing and encrypting by GnuPG: it is on most servers, works offline, and does both.

The signature is a detached one of the manifest and lies in the package; encryption goes around the whole. A
package is verified by the key of its own respondent alone, in a GnuPG home made for it: what other keys the
study's user trusts does not matter.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from jobs.errors import ObservatoryError

FINGERPRINT = re.compile(r"(?:[0-9A-F]{40}|[0-9A-F]{64})")
SIGNED = "manifest.json"


def gpg(*words: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run gpg without asking anyone anything."""
    try:
        return subprocess.run(["gpg", "--batch", "--no-tty", *words], input=data, capture_output=True)
    except FileNotFoundError:
        raise ObservatoryError(
            "gpg is not installed, which signs, encrypts and verifies: install GnuPG (apt install gnupg)"
        ) from None


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    """What gpg gave as its reason."""
    lines = done.stderr.decode(errors="replace").splitlines()
    return "; ".join(line.removeprefix("gpg: ") for line in lines if line.strip()) or "no reason given"


def signed(data: bytes, key: str) -> bytes:
    """A detached signature by the key."""
    done = gpg("--armor", "--local-user", key, "--detach-sign", data=data)
    if done.returncode:
        raise ObservatoryError(f"--sign {key}: {said(done)}. See `gpg --list-secret-keys`.")
    return done.stdout


def encrypted(data: bytes, recipient: str) -> bytes:
    """The data, to be read by the recipient alone. A whole fingerprint names a key beyond doubt and is
    trusted; of anything else GnuPG's own trust decides."""
    whole = recipient.replace(" ", "").upper()
    trust = ("--trust-model", "always") if FINGERPRINT.fullmatch(whole) else ()
    done = gpg(*trust, "--recipient", whole if trust else recipient, "--encrypt", data=data)
    if done.returncode:
        raise ObservatoryError(
            f"--encrypt-to {recipient}: {said(done)}. Import the study's key, and give its whole fingerprint."
        )
    return done.stdout


def decrypted(data: bytes) -> bytes:
    """What was encrypted to a key of the user's own."""
    done = gpg("--decrypt", data=data)
    if done.returncode:
        raise ObservatoryError(f"it cannot be decrypted: {said(done)}")
    return done.stdout


def verified(data: bytes, signature: bytes, key_file: Path) -> str:
    """The fingerprint of the key that signed the data. Raises ObservatoryError unless it is the one in the
    file, not expired and not revoked."""
    with tempfile.TemporaryDirectory(prefix="keys-") as home:
        (Path(home) / SIGNED).write_bytes(data)
        (Path(home) / f"{SIGNED}.asc").write_bytes(signature)
        # No agent: there is nothing secret in this home.
        alone = ("--homedir", home, "--no-autostart")
        taken = gpg(*alone, "--import", str(key_file))
        if taken.returncode:
            raise ObservatoryError(f"{key_file}: it holds no public key: {said(taken)}")
        files = (f"{home}/{SIGNED}.asc", f"{home}/{SIGNED}")
        done = gpg(*alone, "--trust-model", "always", "--status-fd", "1", "--verify", *files)
    states = {line[1]: line[2:] for row in done.stdout.decode().splitlines() if (line := row.split())[1:]}
    if done.returncode or "GOODSIG" not in states or "VALIDSIG" not in states:
        raise ObservatoryError(f"the signature is not good by {key_file.name} of the keyring: {said(done)}")
    # The last word is the primary key's, whichever of its subkeys signed.
    return states["VALIDSIG"][-1]
