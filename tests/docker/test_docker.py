"""docker/: images, compose file and scripts, checked as far as that goes without an engine."""

import importlib.metadata
import os
import re
import shlex
import tomllib
import zlib
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.support.images import (
    BASE_PATH,
    BIN,
    COMPOSE,
    DOCKER,
    ROOT,
    Image,
    compose,
    compose_services,
    image_of,
    images,
    output,
)

DOCKERFILES = sorted(DOCKER.glob("*.Dockerfile"))
ONE_SHOT = {"init", "pipeline", "spark"}
# The services of each profile, and the lock that its image installs.
PROFILES = {
    "pipeline": {"pipeline"},
    "spark": {"spark", "spark-master", "spark-worker"},
    "airflow": {"postgres", "init", "api-server", "scheduler", "dag-processor"},
}
LOCKS = {"pipeline": "sources.lock", "spark": "spark.lock", "scheduler": "sources.lock"}
# Bytes of the packages of the image without Java: 1.11 GB in December 2026, three quarters of them Polars,
# delta-rs, PyArrow, DuckDB, SciPy and what draws charts; 33 MB are the languages of Babel.
MOST_BYTES = 1_120_000_000
# What a machine is to fetch at most, and of it what Debian, Python and GnuPG may take.
MOST_FETCHED, BASE_FETCHED = 700_000_000, 150_000_000


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return compose_services()


@pytest.fixture(params=LOCKS)
def image(request: pytest.FixtureRequest, services: dict[str, Any]) -> tuple[str, Image]:
    """The image of a service, each of the three once."""
    return request.param, image_of(services[request.param])


def packages_of(image: Image) -> Image:
    """The stage that the image takes its environment of packages from."""
    (stage,) = {stage for stage, source, _ in image.copied if source == "/opt/pipeline"}
    return next(
        found[stage] for found in map(images, DOCKERFILES) if found.get(stage) and image in found.values()
    )


def pins(lock: str) -> dict[str, str]:
    """Versions by package of a lock in requirements/."""
    return dict(
        re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements" / f"{lock}.lock").read_text(), re.MULTILINE)
    )


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda file: file.stem)
def test_hadolint_has_nothing_to_say(dockerfile: Path) -> None:
    assert output(BIN / "hadolint", "--failure-threshold", "info", dockerfile) == ""


def test_an_image_copies_what_is_there_and_what_the_context_lets_in(image: tuple[str, Image]) -> None:
    allowed = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    found = image[1]
    sources = [
        source for each in (found, packages_of(found)) for stage, source, _ in each.copied if stage is None
    ]
    assert {"jobs", "schemas", "expectations"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists(), f"{source} is copied, which is not there"
        assert source.split("/")[0] in allowed, f".dockerignore keeps {source} out"


def test_an_image_installs_what_is_locked_in_a_stage_of_its_own(image: tuple[str, Image]) -> None:
    name, found = image
    assert found.installs == []
    packages = packages_of(found)
    assert packages.start == found.start, "an environment works with the Python that made it"
    assert all("--require-hashes" in install and "--no-cache-dir" in install for install in packages.installs)
    files = re.findall(r"-r (\S+)", " ".join(packages.installs))
    assert files == [f"requirements/{LOCKS[name]}"]
    assert ("requirements/" + LOCKS[name]) in [source for _, source, _ in packages.copied]


def test_an_image_does_not_run_as_root_and_holds_no_secret(image: tuple[str, Image]) -> None:
    assert image[1].last("USER") == "50000:0"
    assert not [name for name in image[1].environment if re.search("KEY|SECRET|PASSWORD", name)]


def test_an_image_finds_the_programs_of_its_base(image: tuple[str, Image]) -> None:
    """useradd is in /usr/sbin: a PATH without it ends the build."""
    for each in (image[1], packages_of(image[1])):
        folders = each.environment.get("PATH", BASE_PATH).split(":")
        assert set(BASE_PATH.split(":")) <= set(folders)


def test_only_the_image_of_spark_has_java(services: dict[str, Any]) -> None:
    with_java = {
        name
        for name in LOCKS
        if "jre" in str(image_of(services[name]).all("RUN"))
        or "JAVA_HOME" in image_of(services[name]).environment
    }
    assert with_java == {"spark"}
    jars = [source for stage, source, _ in image_of(services["spark"]).copied if stage]
    assert "/opt/observatory/build/jars" in jars


def test_base_images_are_pinned(services: dict[str, Any]) -> None:
    starts = {stage.start for file in DOCKERFILES for stage in images(file).values()}
    bases = starts | {service["image"] for service in services.values() if "build" not in service}
    assert len(bases) == 2
    for base in bases:
        assert re.search(r":\d+\.\d+(\.\d+)?-[\w-]+@sha256:[0-9a-f]{64}$", base), (
            f"{base} may be another tomorrow"
        )


def test_base_images_may_be_named_by_digest(services: dict[str, Any]) -> None:
    """Arguments alone say from which images stages start; the compose file hands on the same ones."""
    for file in DOCKERFILES:
        text = file.read_text()
        arguments = dict(re.findall(r"^ARG (\w+)=(\S+)$", text, re.MULTILINE))
        stages = set(images(file)) | {f"${{{name}}}" for name in arguments}
        assert {start.split(" AS ")[0] for start in re.findall(r"^FROM (.+)$", text, re.MULTILINE)} <= stages
        built = [each["build"] for each in services.values() if each.get("build", {}).get("dockerfile")]
        handed = [each["args"] for each in built if ROOT / each["dockerfile"] == file]
        assert handed and all(each == arguments for each in handed)
    own = {"POSTGRES_IMAGE": "postgres:17.6-bookworm@sha256:" + "0" * 64}
    assert own["POSTGRES_IMAGE"] in compose("config", **own)


def test_the_airflow_of_the_image_is_the_one_that_is_tested(services: dict[str, Any]) -> None:
    """Versions are the same for all that both have, what DAGs import, and a driver for Postgres."""
    (stage,) = {
        stage
        for stage, source, _ in image_of(services["scheduler"]).copied
        if source == "/opt/airflow/environment"
    }
    (install,) = images(DOCKER / "airflow.Dockerfile")[str(stage)].installs
    assert "--require-hashes" in install and install.split()[-1] == "requirements/airflow.lock"
    own, tested = pins("airflow"), pins("dev")
    imported = {"apache-airflow", "apache-airflow-task-sdk", "apache-airflow-providers-apache-spark"}
    assert imported | {"psycopg2-binary"} <= own.keys()
    assert {name: tested[name] for name in own.keys() & tested.keys()} == {
        name: own[name] for name in own.keys() & tested.keys()
    }


def test_images_have_the_python_that_the_locks_are_made_for(image: tuple[str, Image]) -> None:
    lowest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert lowest == ">=3.11"
    assert re.search(r"\b(python)?:?3\.11\b", image[1].start)


def test_the_packages_of_the_pipeline_do_not_grow_unseen() -> None:
    """Bytes of what the lock of the image without Java installs, as this environment has it."""
    total = sum(file.size or 0 for file in packaged_files())
    assert 500_000_000 < total < MOST_BYTES


@pytest.mark.long
def test_the_image_of_the_pipeline_is_fetched_in_less_than_700_mb() -> None:
    """zlib at its fastest leaves more than a registry's layers have."""
    packer = zlib.compressobj(1)
    compressed = 0
    for file in packaged_files():
        path = Path(str(file.locate()))
        # pip leaves bytecode beside a module; here it is there if the module was imported once.
        for each in (path, Path(cache_from_source(path))) if path.suffix == ".py" else (path,):
            if each.is_file():
                compressed += len(packer.compress(each.read_bytes()))
    compressed += len(packer.flush())
    print(f"{compressed / 1e6:,.0f} MB of packages, compressed")
    assert 200_000_000 < compressed < MOST_FETCHED - BASE_FETCHED


def packaged_files() -> list[importlib.metadata.PackagePath]:
    """The files of the packages in the lock of the image without Java, without bytecode."""
    lines = re.findall(r"^\S+==[^\\\n]*", (ROOT / "requirements" / "sources.lock").read_text(), re.MULTILINE)
    pins = [pin for pin in map(Requirement, lines) if pin.marker is None or pin.marker.evaluate()]
    files = [file for pin in pins for file in importlib.metadata.files(pin.name) or ()]
    return [file for file in files if file.suffix != ".pyc"]


def test_compose_is_plain_yaml() -> None:
    rules = "{extends: default, rules: {line-length: {max: 120}, document-start: disable}}"
    assert output(BIN / "yamllint", "--strict", "--config-data", rules, COMPOSE) == ""


def test_compose_accepts_the_file() -> None:
    compose("config", "--quiet")


def test_a_profile_has_its_services(services: dict[str, Any]) -> None:
    found = {
        profile: {name for name, each in services.items() if each["profiles"] == [profile]}
        for profile in PROFILES
    }
    assert found == PROFILES
    assert services.keys() == set().union(*PROFILES.values())


def test_who_computes_has_the_lake_as_a_volume_and_the_key_as_a_secret(services: dict[str, Any]) -> None:
    drivers, workers = {"pipeline", "spark", "scheduler"}, {"spark-worker"}
    for name in drivers | workers:
        service = services[name]
        mounts = {mount["target"]: mount for mount in service["volumes"]}
        assert mounts["/lake"]["type"] == "volume" and mounts["/etc/observatory"]["read_only"]
        if name in drivers:
            assert mounts["/report"]["type"] == "volume" and mounts["/logs"]["read_only"]
        assert service["environment"]["OBSERVATORY_PSEUDONYM_KEY_FILE"] == "/run/secrets/pseudonym_key"
        assert "pseudonym_key" in {secret["source"] for secret in service["secrets"]}
        # Volumes belong to whom the image's folders belong to.
        runs = " ".join(image_of(service).all("RUN"))
        assert re.search(r"chown 50000:0 .*/lake /report", runs)
    assert not {"secrets", "volumes", "environment"} & services["spark-master"].keys()
    for name in services.keys() - drivers - workers:
        service = services[name]
        assert "pseudonym_key" not in {secret["source"] for secret in service.get("secrets", [])}, name
        targets = {mount["target"] for mount in service.get("volumes", [])}
        assert not {"/lake", "/logs", "/report"} & targets, name
        assert "OBSERVATORY_PSEUDONYM_KEY_FILE" not in (service.get("environment") or {}), name


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
