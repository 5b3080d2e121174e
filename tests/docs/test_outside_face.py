"""Files that a visitor of the repository meets: hosted CI, hooks, citation, templates, security policy."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def read(path: str | Path) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def makefile() -> str:
    return (ROOT / "Makefile").read_text(encoding="utf-8")


def targets_of(text: str) -> set[str]:
    return set(re.findall(r"\bmake ([a-z-]+(?: ENGINE=spark)?)", text))


def test_hosted_ci_calls_what_ci_here_calls() -> None:
    jobs = read(".github/workflows/ci.yml")["jobs"].values()
    hosted = "\n".join(step.get("run", "") for job in jobs for step in job["steps"])
    ours = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    # Set-up is part of each target.
    assert targets_of(ours) - targets_of(hosted) <= {"setup", "setup-dev"}
    for target in targets_of(hosted):
        assert re.search(rf"^{target.split()[0]}:", makefile(), re.MULTILINE), target


def test_hooks_run_the_commands_of_make_check() -> None:
    (repo,) = read(".pre-commit-config.yaml")["repos"]
    check = makefile().split("\ncheck:")[1].split("\n\n")[0]
    for hook in repo["hooks"]:
        program = hook["entry"].removeprefix(".venv/bin/").split()[0]
        assert f"$(BIN)/{program}" in check, hook["id"]
        assert hook["language"] == "system"
    assert len(repo["hooks"]) == check.count("$(BIN)/")


def test_the_citation_names_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    cited = read("CITATION.cff")
    assert (cited["version"], cited["license"]) == (project["version"], project["license"])


def test_readme_and_changelog_say_alike_whether_this_version_is_released() -> None:
    changelog, readme = ((ROOT / name).read_text(encoding="utf-8") for name in ("CHANGELOG.md", "README.md"))
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    (state,) = re.findall(rf"^## \[{re.escape(version)}\] - (.+)$", changelog, re.MULTILINE)
    is_released = re.fullmatch(r"\d{4}-\d\d-\d\d", state) is not None
    assert f"State: {version}, {'released' if is_released else 'not released yet'}" in readme
    assert is_released or state == "not released yet"


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.stem)
def test_issue_templates_ask_for_no_real_log(file: Path) -> None:
    template = read(file)
    assert {"name", "description", "body"} <= template.keys()
    told = [each["attributes"]["value"] for each in template["body"] if each["type"] == "markdown"]
    assert any("Send no real log" in text for text in told)
    ids = [each["id"] for each in template["body"] if each["type"] != "markdown"]
    assert len(ids) == len(set(ids)) >= 4


def test_security_says_how_to_report_personal_data() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([\w/.-]+)\)", text):
        assert (ROOT / link).exists(), link
    assert "Report privately" in text and "no real identifier" in text
