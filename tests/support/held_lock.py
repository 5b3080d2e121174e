"""A process of its own that holds a lake's lock. It imports no more than that takes."""

import subprocess
import sys

from tests.conftest import ROOT

HOLD = """
import sys, time
from jobs.base.store.lock import hold_lock
with hold_lock(sys.argv[1], "observatory run"):
    print("held", flush=True)
    time.sleep(60)
"""


def start_holder(root: str) -> subprocess.Popen[str]:
    """A process that has the lock of the lake and keeps it for a minute, or until it is killed."""
    other = subprocess.Popen([sys.executable, "-c", HOLD, root], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None and other.stdout.readline() == "held\n"
    return other
