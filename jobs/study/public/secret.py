"""The secret percentage of the p% rule. It is a setting of the deployment and stands in no output and no
message.

Whoever knew it could compute how near a published cell is to its limit.
"""

import os
from pathlib import Path

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import exact_number
from jobs.base.core.secret_file import read_secret

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
        source = FILE
        data = read_secret(
            Path(os.environ[FILE]),
            FILE,
            "percentage",
            if_lost="Name the file that holds the percentage",
            if_read="choose another percentage",
        )
        text = data.decode("utf-8", "replace")
    else:
        raise ObservatoryError(
            f"no percentage for the p% rule: set {FILE} to a file that holds it, readable by its owner alone."
            " Choose a number, for instance between 5 and 12, and tell it to nobody"
        )
    try:
        found = float(text.strip())
    except ValueError:
        found = float("nan")
    if not LEAST <= found < MOST:
        raise ObservatoryError(
            f"{source} does not hold a number from {exact_number(LEAST)} to below {exact_number(MOST)}:"
            " correct it"
        )
    return found
