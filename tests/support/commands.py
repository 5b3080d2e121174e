"""Commands of this environment, run as a person does: in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


def call(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of this environment."""
    command = [str(BIN / words[0]), *words[1:]]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, cwd=ROOT)


def run(*words: str, **environment: str) -> str:
    """Return the output of a command; fail with all that it printed."""
    done = call(*words, **environment)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-20_000:]
    return done.stdout
