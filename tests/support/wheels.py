"""The project's wheel, built from the clone."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

PACKAGES = ("jobs", "schemas", "expectations")


def built_wheel(copy: Path) -> Path:
    """The wheel of a copy of the sources: setuptools leaves its own folders beside them."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / file, copy)
    build = ("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--no-cache-dir")
    command = [sys.executable, "-m", "pip", *build, "--wheel-dir", str(copy / "dist"), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=copy)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = (copy / "dist").glob("*.whl")
    return made
