"""docker/: images, compose file and scripts, checked as far as that goes without an engine."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCKER = ROOT / "docker"
BIN = Path(sys.executable).parent
DOCKERFILES = sorted(DOCKER.glob("*.Dockerfile"))
COMPOSE = DOCKER / "compose.yaml"
ONE_SHOT = {"init"}


def output(*words: str | Path, **environment: str) -> str:
    """What a command prints; its own message if it fails."""
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, cwd=ROOT, env=os.environ | environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def compose(*words: str) -> str:
    """Run Docker Compose: the environment's, or that of the docker command."""
    own = BIN / "docker-compose"
    program: list[str | Path] = [own] if own.exists() else ["docker", "compose"]
    return output(*program, "--file", COMPOSE, *words)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found = json.loads(compose("config", "--format", "json"))["services"]
    assert len(found) == 5
    return found


def copied(dockerfile: Path) -> list[str]:
    """What a Dockerfile copies from the build context."""
    lines = re.findall(r"^COPY (?!--from)(.*)$", dockerfile.read_text(), re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def locked(package: str) -> str:
    """A package's pin with its hashes in requirements/dev.lock."""
    lock = (ROOT / "requirements" / "dev.lock").read_text()
    found = re.search(rf"^{re.escape(package)}==.*\\\n(?:    --hash=.*\n)+", lock, re.MULTILINE)
    assert found, f"requirements/dev.lock has no {package}"
    return found.group()


def test_there_are_two_images() -> None:
    assert [file.name for file in DOCKERFILES] == ["airflow.Dockerfile", "pipeline.Dockerfile"]


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda file: file.stem)
def test_hadolint_has_nothing_to_say(dockerfile: Path) -> None:
    assert output(BIN / "hadolint", "--failure-threshold", "info", dockerfile) == ""


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda file: file.stem)
def test_an_image_copies_what_is_there_and_what_the_context_lets_in(dockerfile: Path) -> None:
    allowed = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    sources = copied(dockerfile)
    assert {"jobs", "schemas", "expectations", "requirements"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists(), f"{dockerfile.name} copies {source}, which is not there"
        assert source in allowed, f".dockerignore keeps {source} out"


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda file: file.stem)
def test_an_image_installs_what_is_locked_and_does_not_run_as_root(dockerfile: Path) -> None:
    text = dockerfile.read_text().replace("\\\n", " ")
    installs = re.findall(r"pip install.*", text)
    assert installs
    assert all("--require-hashes" in install for install in installs)
    files = re.findall(r"-r (\S+)", " ".join(installs))
    assert files == ["requirements/run.lock"]
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE)[-1] == "50000:0"


def test_the_airflow_image_is_the_airflow_of_the_lock() -> None:
    version = re.match(r"apache-airflow==(\S+)", locked("apache-airflow"))
    assert version
    assert (
        f"FROM apache/airflow:{version.group(1)}-python3.11\n" in (DOCKER / "airflow.Dockerfile").read_text()
    )


def test_images_have_the_python_that_the_locks_are_made_for() -> None:
    lowest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert lowest == ">=3.11"
    for dockerfile in DOCKERFILES:
        assert re.search(r"^FROM \S*3\.11\S*$", dockerfile.read_text(), re.MULTILINE)


def test_compose_is_plain_yaml() -> None:
    rules = "{extends: default, rules: {line-length: {max: 120}, document-start: disable}}"
    assert output(BIN / "yamllint", "--strict", "--config-data", rules, COMPOSE) == ""


def test_compose_accepts_the_file() -> None:
    compose("config", "--quiet")


def test_each_service_tells_whether_it_is_well(services: dict[str, Any]) -> None:
    lasting = services.keys() - ONE_SHOT
    assert all("healthcheck" in services[name] for name in lasting)
    assert all(services[name]["restart"] == "unless-stopped" for name in lasting)


def test_nothing_is_reached_from_other_machines(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert [(port["host_ip"], port["published"]) for port in ports] == [("127.0.0.1", "8080")]


def test_mounted_folders_and_files_of_the_build_are_there(services: dict[str, Any]) -> None:
    binds = {
        mount["source"]
        for service in services.values()
        for mount in service.get("volumes", [])
        if mount["type"] == "bind"
    }
    assert binds == {str(ROOT / "sample_data")}
    builds = [service["build"] for service in services.values() if "build" in service]
    assert {build["context"] for build in builds} == {str(ROOT)}
    assert all((ROOT / build["dockerfile"]).is_file() for build in builds)


@pytest.mark.parametrize("script", sorted(DOCKER.glob("*.sh")), ids=lambda file: file.stem)
def test_scripts_are_plain_shell(script: Path) -> None:
    output("sh", "-n", script)
    assert os.access(script, os.X_OK)


def test_secrets_are_made_once_and_reach_airflow(services: dict[str, Any], tmp_path: Path) -> None:
    """The commands of the compose file print what docker/make_secrets.sh made."""
    (tmp_path / "docker").mkdir()
    script = tmp_path / "docker" / "make_secrets.sh"
    script.write_bytes((DOCKER / "make_secrets.sh").read_bytes())
    output("sh", script)
    folder = tmp_path / "build" / "secrets" / "docker"
    made = {file.name: file.read_text() for file in folder.iterdir()}
    assert set(made) == {secret["source"] for secret in services["scheduler"]["secrets"]}
    assert folder.stat().st_mode & 0o077 == 0
    output("sh", script)
    assert {file.name: file.read_text() for file in folder.iterdir()} == made

    of_service = services["scheduler"]["environment"]
    commands = {name: value for name, value in of_service.items() if name.endswith("_CMD")}
    assert len(commands) == 3
    told = {
        name: output(*shlex.split(value.replace("$$", "$").replace("/run/secrets", str(folder))))
        for name, value in commands.items()
    }
    password = made["postgres_password"]
    assert told == {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": f"postgresql+psycopg2://airflow:{password}@postgres/airflow",
        "AIRFLOW__API_AUTH__JWT_SECRET_CMD": made["airflow_jwt"],
        "AIRFLOW__CORE__FERNET_KEY_CMD": made["airflow_fernet"],
    }
    assert not any(value in str(services) for value in made.values())
