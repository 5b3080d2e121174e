"""Signing and encrypting by GnuPG: it is on most servers, works offline, and does both.

The signature is a detached one of the manifest and lies in the package; encryption goes around the whole. A
package is verified by the key of its own respondent alone, in a GnuPG home made for it: what other keys the
study's user trusts does not matter.
"""

import datetime as dt
import os
import re
import select
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from jobs.base.core.errors import ObservatoryError

# Seconds of one call. Decrypting 64 MB takes two; a person may have to type a passphrase.
LONGEST = 120
# Bytes of a signature, a key's fingerprint, or what gpg says.
LARGEST_ANSWER = 2**20
CHUNK = 2**16
NOT_A_PACKAGE = "that is no package; have it made again by `observatory submit`"
FINGERPRINT = re.compile(r"(?:[0-9A-F]{40}|[0-9A-F]{64})")
SIGNED = "manifest.json"


@dataclass(frozen=True)
class Done:
    """The result of a call of gpg."""

    returncode: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True)
class GoodSignature:
    """A good signature.

    Attributes:
        fingerprint: of the primary key.
        name: its user id.
        signed_at: as the signature states it.
        expired_at: when the key expired since; None while it is valid.
    """

    fingerprint: str
    name: str
    signed_at: dt.datetime
    expired_at: dt.datetime | None = None


def run_gpg(*words: str, data: bytes = b"", most: int = LARGEST_ANSWER) -> Done:
    """Run gpg without asking anyone anything.

    A few kilobytes of OpenPGP can unpack to gigabytes: gpg's output is read through a pipe, and gpg is ended
    as soon as it gives more than `most` bytes or takes longer than LONGEST seconds. Then ObservatoryError is
    raised.

    Args:
        data: its input.
    """
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as given:
        given.write(data)
        given.seek(0)
        try:
            process = subprocess.Popen(
                ["gpg", "--batch", "--no-tty", *words],
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        except FileNotFoundError:
            raise ObservatoryError(
                "gpg is not installed, which signs, encrypts and verifies: install GnuPG (apt install gnupg)"
            ) from None
        try:
            answer = read_within(process, most)
        finally:
            # gpg that was cut off would go on.
            process.kill()
            code = process.wait()
        errors.seek(0)
        return Done(code, answer, errors.read(LARGEST_ANSWER))


def read_within(process: subprocess.Popen[bytes], most: int) -> bytes:
    """All of a process's output, until it ends."""
    assert process.stdout is not None
    ends = time.monotonic() + LONGEST
    found = bytearray()
    with process.stdout as pipe:
        while True:
            left = ends - time.monotonic()
            if left <= 0 or not select.select([pipe], [], [], left)[0]:
                raise ObservatoryError(f"gpg took longer than {LONGEST} seconds: {NOT_A_PACKAGE}")
            part = os.read(pipe.fileno(), CHUNK)
            if not part:
                break
            found += part
            if len(found) > most:
                raise ObservatoryError(f"it unpacks to more than {most // 2**20} MiB: {NOT_A_PACKAGE}")
    try:
        process.wait(max(ends - time.monotonic(), 1))
    except subprocess.TimeoutExpired:
        raise ObservatoryError(f"gpg took longer than {LONGEST} seconds: {NOT_A_PACKAGE}") from None
    return bytes(found)


def format_reason(done: Done) -> str:
    """Format the reason that gpg gave, without what it says of the folder that its first call makes."""
    lines = done.stderr.decode(errors="replace").splitlines()
    said = (line for line in lines if line.strip() and not line.endswith("' created"))
    reasons = (" ".join(line.removeprefix("gpg: ").split()) for line in said)
    return "; ".join(reasons) or "no reason given"


def sign_data(data: bytes, key: str) -> bytes:
    """A detached signature by the key."""
    done = run_gpg("--armor", "--local-user", key, "--detach-sign", data=data)
    if done.returncode:
        raise ObservatoryError(
            f"no signature by the key '{key}': {format_reason(done)}. `gpg --list-secret-keys` lists yours."
        )
    return done.stdout


def encrypt_data(data: bytes, recipient: str) -> bytes:
    """The data, to be read by the recipient alone. A whole fingerprint names a key beyond doubt and is
    trusted; of anything else GnuPG's own trust decides."""
    whole = recipient.replace(" ", "").upper()
    trust = ("--trust-model", "always") if FINGERPRINT.fullmatch(whole) else ()
    # A package is compressed already: encryption adds some hundred bytes, and armour would a third.
    most = 2 * len(data) + LARGEST_ANSWER
    done = run_gpg(*trust, "--recipient", whole if trust else recipient, "--encrypt", data=data, most=most)
    if done.returncode:
        raise ObservatoryError(
            f"--encrypt-to {recipient}: {format_reason(done)}. Import the study's key, and give its whole"
            " fingerprint."
        )
    return done.stdout


def decrypt_data(data: bytes, most: int) -> bytes:
    """Decrypt data for a key of the user's own: at most so many bytes."""
    done = run_gpg("--decrypt", data=data, most=most)
    if done.returncode:
        raise ObservatoryError(f"it cannot be decrypted: {format_reason(done)}")
    return done.stdout


def verify_signature(data: bytes, signature: bytes, key_file: Path) -> str:
    """The fingerprint of the key that signed the data. Raises ObservatoryError unless it is the one in the
    file, not expired and not revoked."""
    checked = check_signature(data, signature, key_file)
    if checked.expired_at is not None:
        raise ObservatoryError(
            f"the signature is not good by {key_file.name} of the keyring: the key expired on"
            f" {checked.expired_at:%Y-%m-%d}"
        )
    return checked.fingerprint


def check_signature(data: bytes, signature: bytes, key_file: Path) -> GoodSignature:
    """Find who signed the data, and when. Raises ObservatoryError unless the key in the file did, while it
    was valid, and is not revoked."""
    with tempfile.TemporaryDirectory(prefix="keys-") as home:
        (Path(home) / SIGNED).write_bytes(data)
        (Path(home) / f"{SIGNED}.asc").write_bytes(signature)
        # No agent: there is nothing secret in this home.
        alone = ("--homedir", home, "--no-autostart")
        taken = run_gpg(*alone, "--import", str(key_file))
        if taken.returncode:
            raise ObservatoryError(f"{key_file}: it holds no public key: {format_reason(taken)}")
        files = (f"{home}/{SIGNED}.asc", f"{home}/{SIGNED}")
        done = run_gpg(*alone, "--trust-model", "always", "--status-fd", "1", "--verify", *files)
        listed = run_gpg(*alone, "--with-colons", "--list-keys")
    states = {line[1]: line[2:] for row in done.stdout.decode().splitlines() if (line := row.split())[1:]}
    if "REVKEYSIG" in states:
        raise ObservatoryError(
            f"the key {key_file.name} of the keyring is revoked: its owner has to sign with a key that is in"
            " force, whose public part then takes its place in the keyring"
        )
    good = states.get("GOODSIG") or states.get("EXPKEYSIG")
    if done.returncode or good is None or "VALIDSIG" not in states:
        raise ObservatoryError(
            f"the signature is not good by {key_file.name} of the keyring: {format_reason(done)}"
        )
    # The first word is of the key that signed, the last of its primary key.
    own, _, stamp, *_, primary = states["VALIDSIG"]
    signed_at = dt.datetime.fromtimestamp(int(stamp), dt.UTC)
    ends = expiries_in(listed.stdout.decode(errors="replace"))
    expired_at = min((ends[key] for key in (own, primary) if key in ends), default=None)
    if "GOODSIG" in states or expired_at is None:
        return GoodSignature(primary, " ".join(good[1:]), signed_at)
    if signed_at >= expired_at:
        raise ObservatoryError(
            f"the signature is not good by {key_file.name} of the keyring: it was made on"
            f" {signed_at:%Y-%m-%d}, and the key expired on {expired_at:%Y-%m-%d}"
        )
    return GoodSignature(primary, " ".join(good[1:]), signed_at, expired_at)


def expiries_in(listed: str) -> dict[str, dt.datetime]:
    """Return the expiry of each key of gpg's list with colons, by fingerprint; without those that never
    expire."""
    found, ends = {}, ""
    for fields in (line.split(":") for line in listed.splitlines()):
        if fields[0] in ("pub", "sub"):
            ends = fields[6]
        elif fields[0] == "fpr" and ends:
            found[fields[9]] = dt.datetime.fromtimestamp(int(ends), dt.UTC)
    return found
