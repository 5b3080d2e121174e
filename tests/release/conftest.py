"""A study node that can be released, and the same with its first release, for all tests of the room."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from jobs.cli.main import app
from tests.support.release_study import P_PCT, TODAY, Node, copied, write_node

P, READ_AT = "OBSERVATORY_P_PCT", "OBSERVATORY_READ_AT"


@pytest.fixture(scope="session")
def estimated(tmp_path_factory: pytest.TempPathFactory) -> Node:
    """A node whose study is estimated; Kenya's first operator waived protection."""
    node = write_node(tmp_path_factory.mktemp("study"), {"ken-0": "W1"})
    words = ["study", "estimate", "--with-answers", "--config", str(node.settings)]
    done = CliRunner().invoke(app, words, env={READ_AT: TODAY}, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return node


@pytest.fixture(scope="session")
def made(estimated: Node, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The node with its first release, and what `make` printed."""
    node = copied(estimated, tmp_path_factory.mktemp("made"))
    words = ["release", "make", "--period", "2026-Q4", "--config", str(node.settings)]
    done = CliRunner().invoke(app, words, env={READ_AT: TODAY, P: P_PCT}, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return SimpleNamespace(node=node, said=done.output)
