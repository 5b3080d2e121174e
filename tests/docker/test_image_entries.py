"""The entry points of docker/'s images, run outside of Docker: the same command lines, with the environment
that image and compose file set and nothing else, on the same folders below a folder of the test."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from jobs.base.engine import java
from jobs.base.store.lake import Lake
from jobs.operators.build.gold_steps import GOLD
from jobs.operators.silver.frames import SILVER
from tests.support.images import BIN, DOCKER, LaidOut, compose_services, image_of, images, lay_out
from tests.support.true_of_few import refuse_world, say_world
from tests.support.twelve_countries import BUILD, INIT, fill_settings, write_study
from tests.support.whole_runs import rows_in

ONE = ("--operator", "lab-sms")
RUN = ("run", "--config", "/etc/observatory/observatory.toml", *ONE)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return compose_services()


def ended(command: list[str], environment: dict[str, str], folder: str) -> str:
    """Run a command that ends well and return its output."""
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return done.stdout


@pytest.fixture(scope="module")
def pipeline(services: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> LaidOut:
    """The pipeline's image after a run of one operator."""
    found = lay_out(image_of(services["pipeline"]), tmp_path_factory.mktemp("pipeline"))
    service = services["pipeline"]
    assert tuple(service["command"]) == RUN[:3]
    ended(found.command(service, *RUN), found.environment(service), found.work_folder)
    return found


@pytest.mark.long
def test_the_pipelines_image_runs_from_logs_to_the_page(pipeline: LaidOut, services: dict[str, Any]) -> None:
    service = services["pipeline"]
    environment = pipeline.environment(service)
    assert Lake(str(pipeline.folder / "lake")).read("gold.spam_volume_daily").height
    settings = RUN[1:3]
    command = pipeline.command(service, "report", *settings, "--output", "/report")
    assert str(pipeline.folder / "report") in ended(command, environment, pipeline.work_folder)
    assert (pipeline.folder / "report" / "index.html").is_file()
    # Without a command it says what it can.
    of_image = json.loads(pipeline.image.last("CMD"))
    told = ended(pipeline.command(service, *of_image), environment, pipeline.work_folder)
    assert "Bring logs from their sources to validated gold tables" in " ".join(told.split())
    # Nothing of this machine's clone was used.
    python, *_ = pipeline.command(service)
    told = ended([python, "-c", "import jobs; print(jobs.__file__)"], environment, "/")
    assert told.strip() == str(Path(pipeline.work_folder, "jobs", "__init__.py"))


@pytest.mark.long
def test_the_pipelines_image_makes_a_release_of_twelve_countries(tmp_path: Path) -> None:
    """The image runs as in docs/tsb.md: in the study's folder, which is the container's work folder."""
    found = lay_out(images(DOCKER / "pipeline.Dockerfile")["pipeline"], tmp_path / "image")
    study = tmp_path / "study"
    study.mkdir()
    forms = [str(each.relative_to(study)) for each in write_study(study)]
    environment = found.environment({}) | {
        "OBSERVATORY_LAKE_ROOT": str(study / "study-lake"), "OBSERVATORY_P_PCT_FILE": str(study / "p"),
        "OBSERVATORY_READ_AT": "2027-02-15T12:00:00Z", "COLUMNS": "80",
    }  # fmt: skip
    ended(found.command({}, *INIT), environment, str(study))
    fill_settings(study)
    (study / "p").write_text("13.73519")
    for words in (
        BUILD,
        ("questionnaire", "load", *forms, "--received", "2027-02-10T08:00"),
        ("study", "estimate"),
        ("study", "check"),
        ("release", "make", "--period", "2026-Q4"),
        ("release", "show", "2026-Q4/v1.0.0"),
    ):
        assert say_world(ended(found.command({}, *words), environment, str(study))) == [], words
    refuse_world(study / "releases" / "2026-Q4" / "v1.0.0", tmp_path / "site")


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


class OnThisMachine:
    """A service's words and environment, with this machine's names, ports and Java in place of the network's
    of containers."""

    def __init__(self, laid_out: LaidOut, services: dict[str, Any]) -> None:
        self.laid_out = laid_out
        self.services = services
        self.ports = {"7077": free_port(), "8081": free_port()}

    def here(self, text: str) -> str:
        # Whole numbers, all at once: a free port may have another's digits in it.
        text = re.sub(r"(?<![\w/-])(7077|8081)\b", lambda found: self.ports[found[0]], text)
        return text.replace("spark-master", "127.0.0.1")

    def command(self, name: str, *words: str) -> list[str]:
        return [self.here(word) for word in self.laid_out.command(self.services[name], *words)]

    def environment(self, name: str) -> dict[str, str]:
        own = {
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_DAEMON_MEMORY": "256m",
            "JAVA_HOME": str(java.java_home()),
        }
        found = self.laid_out.environment(self.services[name]) | own
        return {variable: self.here(value) for variable, value in found.items()}


@pytest.fixture
def cluster(services: dict[str, Any], tmp_path: Path) -> Iterator[OnThisMachine]:
    """The profile `spark`, its master and both workers ready."""
    found = OnThisMachine(lay_out(image_of(services["spark"]), tmp_path), services)
    started: list[subprocess.Popen[bytes]] = []
    said = tmp_path / "said"

    def start(name: str) -> None:
        with said.open("ab") as output:
            started.append(
                subprocess.Popen(
                    found.command(name),
                    env=found.environment(name),
                    cwd=found.laid_out.work_folder,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            )
        until = time.monotonic() + 180
        check = [found.here(word) for word in services[name]["healthcheck"]["test"]]
        kind, *command = check
        assert kind == "CMD"
        while subprocess.run(command, env=found.environment(name), capture_output=True).returncode:
            assert time.monotonic() < until and started[-1].poll() is None, said.read_text()
            time.sleep(0.5)

    try:
        start("spark-master")
        for _ in range(services["spark-worker"]["deploy"]["replicas"]):
            # Each container has ports of its own; here each worker has.
            found.ports["8081"] = free_port()
            start("spark-worker")
        yield found
    finally:
        for process in started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


@pytest.mark.long
def test_the_image_of_spark_runs_as_master_workers_and_driver(
    pipeline: LaidOut, cluster: OnThisMachine, services: dict[str, Any]
) -> None:
    command = cluster.command("spark", *RUN)
    ended(command, cluster.environment("spark"), cluster.laid_out.work_folder)
    lakes = [Lake(str(folder / "lake")) for folder in (pipeline.folder, cluster.laid_out.folder)]
    one, other = (rows_in(lake, (*SILVER, *GOLD)) for lake in lakes)
    assert any(one.values()) and one == other
    history = DeltaTable(lakes[1].path("gold.spam_volume_daily")).history()
    assert any(str(each.get("engineInfo")).startswith("Apache-Spark") for each in history)


@pytest.mark.airflow
@pytest.mark.timeout(1200)
def test_airflows_image_finds_the_dags_and_runs_the_pipeline_in_its_own_environment(
    services: dict[str, Any], tmp_path: Path
) -> None:
    found = lay_out(image_of(services["scheduler"]), tmp_path)
    # PostgreSQL, and the services behind their addresses, are another container's.
    of_others = ("AIRFLOW__DATABASE__", "AIRFLOW__CORE__EXECUTION_API", "AIRFLOW__API_AUTH__", "_FERNET_KEY")
    environment = {
        name: value
        for name, value in found.environment(services["scheduler"]).items()
        if not any(each in name for each in of_others)
    }
    # Airflow's own environment is this one.
    environment |= {"PATH": f"{BIN}:/usr/bin:/bin", "AIRFLOW_HOME": str(tmp_path / "airflow")}

    def airflow(*words: str) -> str:
        return ended([*words], environment, found.work_folder)

    (shell, option, script) = services["init"]["command"]
    airflow(shell, option, script)
    assert "lake" in airflow("airflow", "pools", "list")
    airflow("airflow", "dags", "reserialize")
    listed = airflow("airflow", "dags", "list", "--columns", "dag_id", "--output", "plain").split()
    assert {"operator_daily__lab-sms", "observatory_health"} <= set(listed)
    said = airflow("airflow", "dags", "test", "operator_daily__lab-sms", "2026-11-20")
    assert f"{tmp_path}/opt/pipeline/bin/python -m jobs run" in said
    assert Lake(str(tmp_path / "lake")).read("gold.spam_volume_daily").height
    assert (tmp_path / "report" / "index.html").is_file()
