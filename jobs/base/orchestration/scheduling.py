"""Settings as Airflow reads them, and one command of the pipeline as a task.

A command runs as it stands, or by spark-submit where `[engine] name` is "spark". Airflow imports this module
when it parses DAGs, in an environment that may have none of the pipeline's packages.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import Asset, TaskInstanceState
from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy

from jobs.base.core.errors import NOTHING_CHANGED
from jobs.base.orchestration.connecting import PipelineCommand, connection_variables
from jobs.base.orchestration.exit_codes import CommandFailed, exit_code
from jobs.base.places.connections import variable_of

if TYPE_CHECKING:
    from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator

# The words of a command line, from the context of a run.
Words = Callable[[Any], Sequence[str]]

log = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parents[3]
# The exit codes that every further try would end with, too. Of spark-submit itself 1 is a wrong option.
LASTING = {1: "a validation held something back", 2: "wrong input or settings"}
# The settings of [engine] that decide how a stage runs, and what comes before them.
ENGINE = {"name": "OBSERVATORY_ENGINE_NAME", "master": "OBSERVATORY_ENGINE_MASTER"}
# Airflow's connection of the master that the settings name.
CONNECTION = "observatory_spark"
# Seconds that OBSERVATORY_ALERT may take.
LONGEST_ALERT = 60
NO_PROVIDER = (
    '[engine] name = "spark" needs the package apache-airflow-providers-apache-spark in Airflow\'s'
    " environment: install it there, or set OBSERVATORY_ENGINE_NAME=embedded"
)


class UnlessLasting(RetryPolicy):
    """Retry a failed command, unless its exit code names a cause that lasts; its log describes the cause."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any = None
    ) -> RetryDecision:
        code = exit_code(exception)
        cause = LASTING.get(code) if code is not None else None
        return RetryDecision.fail(reason=cause) if cause else RetryDecision.default()


def config_file() -> Path:
    """The settings file that the DAGs are made from."""
    return Path(os.environ.get("OBSERVATORY_CONFIG", ROOT / "observatory.toml")).resolve()


class NoSettings(Exception):
    """The settings file that the DAGs are made from cannot be read."""


class NoProvider(Exception):
    """Airflow lacks the provider of the engine that the settings name."""


def read_settings() -> dict[str, Any]:
    """The settings as they stand in the file. Raises NoSettings, with what to set, which Airflow shows."""
    file = config_file()
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        wrong = "no such settings file"
    except OSError as error:
        wrong = f"the settings cannot be read: {error.strerror}"
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        wrong = f"not TOML: {error}"
    except RecursionError:
        wrong = "not TOML: lists or tables in it are nested too deep"
    raise NoSettings(
        f"{file}: {wrong}. Set OBSERVATORY_CONFIG to the path of observatory.toml, in the environment of"
        " Airflow's DAG processor and of its workers"
    )


def pipeline_python() -> str:
    """The Python of the pipeline's environment."""
    return os.environ.get("OBSERVATORY_PYTHON", sys.executable)


def lake_url(settings: dict[str, Any]) -> str:
    """The lake's URL: a relative folder is one beside the settings file."""
    root = os.environ.get("OBSERVATORY_LAKE_ROOT") or settings.get("lake", {}).get("root", "build/lake")
    if "://" in root:
        return str(root).rstrip("/")
    return (config_file().parent / root.removeprefix("file:")).resolve().as_uri()


def render_by_call(value: Callable[[Any], Any]) -> Any:
    """A field that Airflow fills when the task runs, by a call.

    Commands are made by calls, never from templates: no value of a run or of the settings is then read as a
    template or by the shell.
    """
    return lambda context, jinja_env: value(context)


def pipeline_task(
    task_id: str, words: Words, connections: Sequence[str] = (), **options: Any
) -> BashOperator:
    """A command of the pipeline as a task.

    Args:
        connections: ids of Airflow's connections that it needs besides the lake's.
    """
    return PipelineCommand(
        task_id=task_id,
        connections=[*lake_connections(), *connections],
        bash_command=render_by_call(
            lambda context: shlex.join([pipeline_python(), "-m", "jobs", *words(context)])
        ),
        # Tasks run in a folder of their own and find the project by this path.
        env={"PYTHONPATH": str(ROOT)},
        append_env=True,
        skip_on_exit_code=NOTHING_CHANGED,
        **{"do_xcom_push": False, **options},
    )


def choose_task(settings: dict[str, Any]) -> Callable[..., BashOperator | SparkSubmitOperator]:
    """Return the maker of a stage's task: pipeline_task, or spark_task where the engine is Spark."""
    given = {"name": "embedded", "master": "", **settings.get("engine", {})}
    engine = {key: os.environ.get(variable) or given[key] for key, variable in ENGINE.items()}
    return partial(spark_task, master=engine["master"]) if engine["name"] == "spark" else pipeline_task


def spark_task(task_id: str, words: Words, master: str, **options: Any) -> SparkSubmitOperator:
    """A command of the pipeline as the driver of a Spark job, on the machine of the task.

    Args:
        master: that of the settings; without it that of Airflow's connection `spark_default`.
    """
    try:
        # Without Spark's provider nothing is submitted.
        from jobs.base.orchestration.connecting import SubmitStage
    except ImportError:
        raise NoProvider(NO_PROVIDER) from None
    if master:
        os.environ[variable_of(CONNECTION)] = json.dumps({"conn_type": "spark", "host": master})
    beside = Path(pipeline_python()).with_name("spark-submit")
    return SubmitStage(
        task_id=task_id,
        conn_id=CONNECTION if master else "spark_default",
        spark_binary=str(beside) if beside.exists() else "spark-submit",
        # Of another mode Airflow would not learn the exit code.
        deploy_mode="client",
        name=f"spam-observatory {task_id}",
        application=str(ROOT / "jobs" / "__main__.py"),
        application_args=render_by_call(lambda context: list(words(context))),
        # Java has to have the jars of Delta before Python starts.
        jars=render_by_call(lambda context: ",".join(map(str, delta_jars()))),
        env_vars=render_by_call(lambda context: spark_environment()),
        do_xcom_push=False,
        **options,
    )


def changed_since(context: Any) -> list[str]:
    """The words that end a command with NOTHING_CHANGED if its tables are as they were when its task last
    succeeded. What a failed try wrote counts as new."""
    before = context["ti"].get_previous_ti(state=TaskInstanceState.SUCCESS)
    if before is None or before.end_date is None:
        return []
    return ["--changed-since", f"{before.end_date.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S.%fZ}"]


def delta_jars() -> list[Path]:
    """The jars of Delta, and those for a lake in an object store where they were fetched."""
    from jobs.base.engine import java

    return java.find_jars(is_on_s3=java.S3.folder.is_dir())


def spark_environment() -> dict[str, str]:
    """The variables by which spark-submit finds the project, its Python and a Java."""
    from jobs.base.engine import java

    own = {"PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": pipeline_python()}
    return own if os.environ.get("JAVA_HOME") else own | {"JAVA_HOME": str(java.java_home())}


def command_output(
    words: Sequence[str], may_end_with: Collection[int] = (), connections: Sequence[str] = ()
) -> Any:
    """Return what a command of the pipeline prints as JSON; its other output goes to the log. Raises
    CommandFailed, with what it says.

    Args:
        may_end_with: exit codes other than 0 with which it has done its work.
        connections: as pipeline_task() has them.
    """
    done = subprocess.run(
        [pipeline_python(), "-m", "jobs", *words],
        env=os.environ
        | {"PYTHONPATH": str(ROOT)}
        | connection_variables([*lake_connections(), *connections]),
        capture_output=True,
        text=True,
    )
    if done.returncode not in {0, *may_end_with}:
        raise CommandFailed(done.returncode, f"observatory {words[0]}", done.stderr.strip())
    for line in done.stderr.splitlines():
        log.info("%s", line)
    return json.loads(done.stdout)


def alert_text(context: Any) -> str:
    """The text on a failed task for a person: its DAG and task, then the text that it failed with."""
    task = context["task_instance"]
    return f"Spam Observatory, {task.dag_id}.{task.task_id}\n\n{context['exception']}\n"


def send_alert(context: Any) -> None:
    """Give the text of a failed task to the command of OBSERVATORY_ALERT, and to the log."""
    pass_on(alert_text(context))


def pass_on(text: str) -> None:
    """Give a text to the command of OBSERVATORY_ALERT, and to the log."""
    log.error(text)
    if command := os.environ.get("OBSERVATORY_ALERT"):
        subprocess.run(command, shell=True, input=text, text=True, timeout=LONGEST_ALERT, check=True)


def writer_options(tables: list[str], settings: dict[str, Any]) -> dict[str, Any]:
    """The options of a task that writes these tables, as the lake's only writer while it runs."""
    return {
        "outlets": [
            Asset(name=table, uri=f"{lake_url(settings)}/{table.replace('.', '/')}") for table in tables
        ],
        "pool": "lake",
        "retry_policy": UnlessLasting(),
    }


def report_folder(settings: dict[str, Any]) -> Path:
    """The folder of the report page: OBSERVATORY_REPORT, or `report` beside a lake of this machine."""
    return folder_beside(settings, "report", "OBSERVATORY_REPORT")


def folder_beside(settings: dict[str, Any], name: str, variable: str) -> Path:
    """The folder that a variable of the environment names, or one of this name beside a lake of this
    machine."""
    if given := os.environ.get(variable):
        return Path(given)
    lake = lake_url(settings)
    if lake.startswith("file://"):
        return Path(unquote(lake.removeprefix("file://"))).with_name(name)
    return config_file().parent / "build" / name


def lake_connections() -> list[str]:
    """The id of Airflow's connection by which each command reaches the lake, where the settings name one."""
    return named_connections(read_settings().get("lake", {}))


def named_connections(*tables: dict[str, Any]) -> list[str]:
    """The ids of Airflow's connections that tables of settings name for their hosts."""
    named = (table.get("access", {}).get("connection") for table in tables)
    return sorted({each for each in named if each})
