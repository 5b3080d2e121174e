"""The wheel is whole: it has every module, contract and table of the clone, and runs from any folder."""

import email
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.wheels import PACKAGES, built_wheel

pytestmark = pytest.mark.long

LOG = ROOT / "sample_data" / "lab" / "postfix" / "mail.iso8601.log"


def run(*words: str | Path, cwd: Path, **environment: str) -> str:
    """The output of a command; its messages if it fails."""
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def sources() -> set[str]:
    """The files of the packages in the clone, as the wheel should name them."""
    return {
        str(file.relative_to(ROOT))
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_wheel(tmp_path_factory.mktemp("clone"))


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel installed in it, without its dependencies: this environment has those."""
    folder = tmp_path_factory.mktemp("site")
    install = ("install", "--quiet", "--no-deps", "--no-index", "--no-cache-dir", "--target")
    run(sys.executable, "-m", "pip", *install, folder, wheel, cwd=folder)
    return folder


def test_the_wheel_has_every_file_of_its_packages_and_no_other(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == sources()


def test_the_wheel_states_its_licence_and_has_its_text(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (folder,) = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        about = email.message_from_bytes(archive.read(f"{folder}/METADATA"))
        carried = {name: archive.read(f"{folder}/licenses/{name}") for name in ("LICENSE", "NOTICE")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (about["License-Expression"], about["Version"]) == ("Apache-2.0", project["version"])
    assert carried == {name: (ROOT / name).read_bytes() for name in carried}


def test_installed_commands_run_from_any_folder(site: Path, tmp_path: Path) -> None:
    installed = {"PYTHONPATH": str(site), "POLARS_MAX_THREADS": "1"}
    where = "import schemas; from jobs.base.settings import config; print(config.__file__, schemas.__file__)"
    found = run(sys.executable, "-c", where, cwd=tmp_path, **installed).split()
    assert all(Path(file).is_relative_to(site) for file in found)
    observatory = site / "bin" / "observatory"
    tables = run(observatory, "tables", cwd=tmp_path, COLUMNS="200", **installed)
    assert "gold.spam_volume_daily" in tables
    sniffed = run(observatory, "sniff", LOG, cwd=tmp_path, **installed)
    assert 'format = "postfix"' in sniffed
    assert list(tmp_path.iterdir()) == []
