"""The secret percentage of the p% rule. It is a setting of the deployment and stands in no output and no
message.

Whoever knew it could compute how near a published cell is to its limit.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from jobs.core.errors import ObservatoryError

VALUE, FILE = "OBSERVATORY_P_PCT", "OBSERVATORY_P_PCT_FILE"
LEAST, MOST = 1.0, 100.0


def p_pct() -> float:
    """The percentage, from OBSERVATORY_P_PCT or the file that OBSERVATORY_P_PCT_FILE names.

    Raises ObservatoryError without its value where there is none, or no number from LEAST to below MOST, and
    for a file that others may read.
    """
    if os.environ.get(VALUE):
        text, source = os.environ[VALUE], VALUE
    elif os.environ.get(FILE):
        file, source = Path(os.environ[FILE]), FILE
        if not file.is_file():
            raise ObservatoryError(
                f"{FILE} names {file}, which is not there: name the file that holds the percentage"
            )
        refuse_others(file)
        text = file.read_text(encoding="utf-8")
    else:
        raise ObservatoryError(
            f"no percentage for the p% rule: set {FILE} to a file that holds it, readable by its owner alone."
            " Choose a number, for instance between 5 and 20, and tell it to nobody"
        )
    try:
        found = float(text.strip())
    except ValueError:
        found = float("nan")
    if not LEAST <= found < MOST:
        raise ObservatoryError(
            f"{source} does not hold a number from {LEAST:g} to below {MOST:g}: correct it"
        )
    return found


def refuse_others(file: Path) -> None:
    """Raise ObservatoryError for a file that anyone but its owner may read or change."""
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        raise ObservatoryError(
            f"{FILE} names {file}, which others than its owner may read or change (its mode is {mode:04o}):"
            f" the percentage has to be secret. Run `chmod 600 {file}`, and choose another percentage if"
            " somebody may have read this one"
        )
