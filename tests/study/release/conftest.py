"""A study node that can be released, and the same with its first release, for all tests of the room."""

import fcntl
import os
import pickle
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from jobs.cli.main import app
from jobs.study.public.cells import Basis
from jobs.study.public.gate import Protected, make_public_tables
from jobs.study.release import decisions, folders, manifest, production
from tests.support.release import NOW, Place, new_key, write
from tests.support.release_study import P_PCT, TODAY, Node, copied, write_node

P, READ_AT = "OBSERVATORY_P_PCT", "OBSERVATORY_READ_AT"


def built_once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], Any]) -> Any:
    """Return the result of `build` on a new folder, built once for all processes that run tests: the others
    wait for it, and read it."""
    whole = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        whole = whole.parent
    file = whole / f"{name}.pickle"
    with (whole / f"{name}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            file.write_bytes(pickle.dumps(build(factory.mktemp(name))))
        return pickle.loads(file.read_bytes())


@pytest.fixture(scope="session")
def estimated(tmp_path_factory: pytest.TempPathFactory) -> Node:
    """A node whose study is estimated; Kenya's first operator waived protection in its form, and the
    second in its package."""
    node: Node = built_once(tmp_path_factory, "study", estimate_study)
    return node


def estimate_study(folder: Path) -> Node:
    node = write_node(folder, {"ken-0": "W1"}, of_packages={"ken-1": "W1"})
    words = ["study", "estimate", "--with-answers", "--config", str(node.settings)]
    done = CliRunner().invoke(app, words, env={READ_AT: TODAY}, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    (node.folder / "estimated.txt").write_text(done.output, encoding="utf-8")
    return node


@pytest.fixture(scope="session")
def made(estimated: Node, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The node with its first release, what `make` printed, and what its gate was given and let through."""
    release: SimpleNamespace = built_once(tmp_path_factory, "made", partial(make_release, estimated))
    return release


def make_release(estimated: Node, folder: Path) -> SimpleNamespace:
    node = copied(estimated, folder)
    words = ["release", "make", "--period", "2026-Q4", "--config", str(node.settings)]
    gates = []

    def gate(*given: Any) -> Protected:
        gates.append((given, make_public_tables(*given)))
        return gates[-1][1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(production, "make_public_tables", gate)
        done = CliRunner().invoke(app, words, env={READ_AT: TODAY, P: P_PCT}, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    (passed,) = gates
    return SimpleNamespace(node=node, said=done.output, passed=passed)


@pytest.fixture
def known_gate(made: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate takes what it was given for the release of `made`, nothing else, and answers at once."""

    def gate(basis: Basis, *more: Any) -> Protected:
        (first, *others), answer = made.passed
        assert (basis.release, basis.tables.keys(), more) == (first.release, first.tables.keys(), (*others,))
        for table, rows in basis.tables.items():
            assert_frame_equal(rows, first.tables[table])
        passed: Protected = answer
        return passed

    monkeypatch.setattr(production, "make_public_tables", gate)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """Two officers' keys: of one the study knows the public part."""
    folder = tmp_path_factory.mktemp("keys")
    home = folder / "home"
    before = os.environ.get("GNUPGHOME")
    os.environ["GNUPGHOME"] = str(home)
    signers, others = folder / "signers", folder / "others"
    signers.mkdir()
    others.mkdir()
    officer, stranger = new_key(home, "officer"), new_key(home, "stranger")
    (folder / "officer.asc").rename(signers / "officer.asc")
    (folder / "stranger.asc").rename(others / "stranger.asc")
    yield SimpleNamespace(signers=signers, others=others, officer=officer, stranger=stranger)
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
    if before is None:
        del os.environ["GNUPGHOME"]
    else:
        os.environ["GNUPGHOME"] = before


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = write(tmp_path / "releases")
    restricted = tmp_path / "restricted" / "2026-Q4" / "v1.0.0"
    restricted.mkdir(parents=True, mode=0o700)
    digest = manifest.verify_release(folder)
    decisions.record_decision(restricted, "made", "observatory", digest, NOW)
    (restricted / folders.ABOUT).write_text('{"earlier": []}')
    public = tmp_path / "public"
    public.mkdir()
    return Place(folder, restricted, public, digest)
