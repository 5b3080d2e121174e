"""Output of a pipeline command as a DAG takes it: its JSON, and beside it the text for a human."""

import logging
from pathlib import Path

import pytest

from jobs.base.orchestration import scheduling


def test_what_a_command_says_beside_its_json_is_in_the_tasks_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Notes of `release make --json` are an example: waivers without effect, figures left out by decision."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'No effect of a waiver' >&2\necho '{\"name\": \"2026-Q4\"}'\n")
    python.chmod(0o755)
    monkeypatch.setattr(scheduling, "pipeline_python", lambda: str(python))
    (tmp_path / "observatory.toml").write_text('[lake]\nroot = "lake"\n')
    monkeypatch.setenv("OBSERVATORY_CONFIG", str(tmp_path / "observatory.toml"))
    with caplog.at_level(logging.INFO):
        assert scheduling.command_output(["release", "make", "--json"]) == {"name": "2026-Q4"}
    assert "No effect of a waiver" in caplog.text
