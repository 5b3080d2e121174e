"""A standalone Spark master with workers of one core each, on this machine's loopback.

Its workers see the project's wheel and the packages of this environment, and no clone.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sysconfig
import time
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jobs.base.core.key_names import KEY_FILE
from jobs.base.engine import java
from jobs.base.settings.node import EngineSettings
from tests.support.memory_of import tree_of


@dataclass
class Cluster:
    """A standalone master with workers.

    Attributes:
        python: what executors run.
        key_file: that of workers.
    """

    master: str
    workers: list[subprocess.Popen[bytes]]
    python: Path
    key_file: Path
    wheel: Path

    def engine(self, wheel: Path | None = None, **conf: str) -> EngineSettings:
        own = {
            "spark.pyspark.python": str(self.python),
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.executor.memory": "512m",
            f"spark.executorEnv.{KEY_FILE}": str(self.key_file),
        }
        return EngineSettings(
            name="spark",
            master=self.master,
            workers=len(self.workers),
            wheel=str(wheel or self.wheel),
            conf=own | conf,
        )


@contextlib.contextmanager
def standalone(folder: Path, wheel: Path, key: str, workers: int = 2) -> Iterator[Cluster]:
    """A cluster in a new folder, gone when this ends."""
    folder.mkdir()
    key_file = folder / "key"
    key_file.write_text(key)
    key_file.chmod(0o600)
    python = bare_python(folder / "python")
    without = {"OBSERVATORY_PSEUDONYM_KEY", "PYTHONPATH", "SPARK_SUBMIT_OPTS"}
    env = {name: value for name, value in java.spark_env().items() if name not in without}
    env |= {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": "256m"}
    master = f"spark://127.0.0.1:{free_port()}"
    local = ("--host", "127.0.0.1", "--webui-port", "0")
    slot = ("--cores", "1", "--memory", "1g", "--port", "0", "--work-dir", str(folder / "work"))
    port = master.rpartition(":")[2]
    started: list[subprocess.Popen[bytes]] = []

    def start(kind: str, *words: str) -> subprocess.Popen[bytes]:
        command = [str(java.spark_home() / "bin" / "spark-class"), f"org.apache.spark.deploy.{kind}", *words]
        with (folder / "output").open("ab") as output:
            process = subprocess.Popen(command, cwd=folder, env=env, stdout=output, stderr=output)
        started.append(process)
        return process

    def wait_for(text: str, times: int) -> None:
        until = time.monotonic() + 180
        while (said := (folder / "output").read_text()).count(text) < times:
            assert time.monotonic() < until and all(each.poll() is None for each in started), said
            time.sleep(0.1)

    try:
        start("master.Master", "--port", port, *local)
        wait_for("New state: ALIVE", 1)
        found = [start("worker.Worker", *local, *slot, master) for _ in range(workers)]
        wait_for("Successfully registered with master", workers)
        yield Cluster(master, found, python, key_file, wheel)
    finally:
        for process in started:
            end(process)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def bare_python(folder: Path) -> Path:
    """A Python with this environment's packages and without the project, which a .pth file names: Python
    reads none in a folder that another .pth file names."""
    venv.create(folder, with_pip=False)
    [site] = folder.glob("lib/python*/site-packages")
    (site / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin" / "python"


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process of the cluster, with the executors that it started."""
    for pid in tree_of(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
