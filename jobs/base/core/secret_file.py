"""Files that hold a secret: read only where nobody but their owner may read or change them."""

import stat
from pathlib import Path

from jobs.base.core.errors import ObservatoryError

# A container runtime mounts secrets here, for one container, and sets their mode itself: 0444 or 0644.
MOUNTED = Path("/run/secrets")


def read_secret(file: Path, setting: str, name: str, if_lost: str, if_read: str) -> bytes:
    """Read a secret's file.

    Raises ObservatoryError without the secret for a file that is missing, cannot be read, or that others than
    its owner may read or change; files under MOUNTED are exempt from the last rule.

    Args:
        setting: what names the file.
        name: what the secret is.
        if_lost: what to do where the file is missing.
        if_read: what to do if somebody may have read it.
    """
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        if not file.is_file():
            raise FileNotFoundError
        if mode & 0o077 and MOUNTED not in file.absolute().parents:
            raise ObservatoryError(
                f"{setting} names {file}, which others than its owner may read or change (its mode is"
                f" {mode:04o}): the {name} has to be secret. Run `chmod 600 {file}`, and {if_read} if"
                " somebody may have read this one"
            )
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise ObservatoryError(f"{setting} names {file}, which is not there. {if_lost}") from None
    except OSError as error:
        raise ObservatoryError(
            f"{setting} names {file}, which cannot be read ({error.strerror}): the user that runs this"
            " program has to own it"
        ) from None
