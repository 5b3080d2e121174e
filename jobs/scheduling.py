"""What the DAGs share: the settings as Airflow reads them, and one Spark application as a task.

Airflow parses it, in an environment that may have none of the pipeline's packages.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import Asset
from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy

from jobs.toolchain import JARS

ROOT = Path(__file__).resolve().parent.parent
# Spark's own log at its usual level would hide what the application says.
LOG4J = ROOT / "jobs" / "log4j2.properties"


class UnlessTold(RetryPolicy):
    """Retry, unless the application itself has told what is wrong: then it would only tell it again."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any = None
    ) -> RetryDecision:
        told = re.search(r"^Error: (.*)", str(exception), re.MULTILINE)
        return RetryDecision.fail(reason=told.group(1)) if told else RetryDecision.default()


def config_file() -> Path:
    """The settings file that the DAGs are of."""
    return Path(os.environ.get("OBSERVATORY_CONFIG", ROOT / "observatory.toml")).resolve()


def pipeline_python() -> str:
    """The Python of the pipeline's environment."""
    return os.environ.get("OBSERVATORY_PYTHON", sys.executable)


def environment() -> dict[str, str]:
    """Tasks find the project by PYTHONPATH: spark-submit puts only jobs/ on Python's path."""
    return {"PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": pipeline_python()}


def lake_url(settings: dict[str, Any]) -> str:
    """Where the lake is, as a URL: a relative folder is one beside the settings file."""
    root = os.environ.get("OBSERVATORY_LAKE_ROOT") or settings.get("lake", {}).get("root", "build/lake")
    if "://" in root:
        return str(root).rstrip("/")
    return (config_file().parent / root.removeprefix("file:")).resolve().as_uri()


def as_assets(names: list[str], settings: dict[str, Any]) -> list[Asset]:
    """Tables of the lake as assets."""
    return [Asset(name=table, uri=f"{lake_url(settings)}/{table.replace('.', '/')}") for table in names]


def application(
    task_id: str, name: str, words: Any, tables: list[str], settings: dict[str, Any]
) -> SparkSubmitOperator:
    """The command line as a Spark application, the lake's only writer while it runs.

    words: its arguments, or a template that renders to the list. tables: those that it writes.
    """
    spark = settings.get("spark", {})
    java = (f"-Dlog4j2.configurationFile={LOG4J.as_uri()}", spark.get("java_options", ""))
    return SparkSubmitOperator(
        task_id=task_id,
        application=str(ROOT / "jobs" / "__main__.py"),
        application_args=words,
        name=name,
        jars=",".join(str(jar) for jar in sorted(JARS.glob("*.jar"))),
        conf={"spark.driver.extraJavaOptions": " ".join(java).strip()},
        driver_memory=spark.get("driver_memory", "2g"),
        spark_binary=str(Path(pipeline_python()).parent / "spark-submit"),
        env_vars=environment(),
        outlets=as_assets(tables, settings),
        pool="lake",
        retry_policy=UnlessTold(),
    )
