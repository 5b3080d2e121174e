"""A study node that can be released, and the same with its first release, for all tests of the room."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from jobs.cli.main import app
from jobs.study.release import decisions, manifest, publishing
from tests.support.release import NOW, Place, new_key, write
from tests.support.release_study import P_PCT, TODAY, Node, copied, write_node

P, READ_AT = "OBSERVATORY_P_PCT", "OBSERVATORY_READ_AT"


@pytest.fixture(scope="session")
def estimated(tmp_path_factory: pytest.TempPathFactory) -> Node:
    """A node whose study is estimated; Kenya's first operator waived protection in its form, and the
    second in its package."""
    node = write_node(tmp_path_factory.mktemp("study"), {"ken-0": "W1"}, of_packages={"ken-1": "W1"})
    words = ["study", "estimate", "--with-answers", "--config", str(node.settings)]
    done = CliRunner().invoke(app, words, env={READ_AT: TODAY}, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    (node.folder / "estimated.txt").write_text(done.output, encoding="utf-8")
    return node


@pytest.fixture(scope="session")
def made(estimated: Node, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The node with its first release, and what `make` printed."""
    node = copied(estimated, tmp_path_factory.mktemp("made"))
    words = ["release", "make", "--period", "2026-Q4", "--config", str(node.settings)]
    done = CliRunner().invoke(app, words, env={READ_AT: TODAY, P: P_PCT}, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return SimpleNamespace(node=node, said=done.output)


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
    (restricted / publishing.ABOUT).write_text('{"earlier": []}')
    public = tmp_path / "public"
    public.mkdir()
    return Place(folder, restricted, public, digest)
