"""The start of a Spark session: settings, what spark-submit gave, and the project as a wheel."""

import importlib.util
import os
import re
import zipfile
from pathlib import Path

from jobs.base.core import program
from jobs.base.core.errors import ObservatoryError
from jobs.base.engine.embedded import ENVIRONMENT
from jobs.base.places.file_systems import is_local
from jobs.base.settings.access import LAKE_ACCESS, lake_access

MISSING = (
    '[engine] name = "spark" needs the extra `spark`, which is not installed: `pip install'
    " 'spam-observatory[spark]'`, or `make setup-spark` in a clone"
)
# Java sees no wide row, and its optimizing compiler would take more processor time than 500 MB of logs: on a
# machine with few cores, from the tasks.
JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
DEFAULTS = {
    "spark.app.name": "spam-observatory",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.sql.session.timeZone": "UTC",
    # Polars reads no INT96.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.adaptive.enabled": "false",
    # By TCP a task would wait 40 ms for its input: Java sends it in two parts, and the second only once the
    # first is acknowledged.
    "spark.python.unix.domain.socket.enabled": "true",
    # Compiling plans costs more than the few rows that they see.
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.driver.extraJavaOptions": JAVA_OPTIONS,
    "spark.executor.extraJavaOptions": JAVA_OPTIONS,
    **{f"spark.executorEnv.{name}": value for name, value in ENVIRONMENT.items()},
}
ON_ONE_MACHINE = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
}


def store_settings(root: str) -> dict[str, str]:
    """Return the settings by which Java and executors reach a lake in an object store; nothing for a folder.
    No secret is among them: each machine takes its credentials from AWS' usual chain."""
    if is_local(root):
        return {}
    from jobs.base.places.s3 import describe_store

    endpoint, region, is_path = describe_store()
    found = {
        "aws.credentials.provider": "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider",
        "endpoint.region": region,
        "path.style.access": decode_bytes(is_path),
        # A store that is away ends the stage; Hadoop's own patience is many minutes.
        "attempts.maximum": "3",
        "retry.limit": "3",
        "connection.establish.timeout": "5s",
    }
    found |= {"endpoint": endpoint} if endpoint else {}
    own = {LAKE_ACCESS: os.environ.get(LAKE_ACCESS), "AWS_PROFILE": lake_access().profile}
    return {f"spark.hadoop.fs.s3a.{name}": value for name, value in found.items()} | {
        f"spark.executorEnv.{name}": value for name, value in own.items() if value
    }


def refuse_missing_pyspark() -> None:
    """Raise ObservatoryError where the extra `spark` is not installed."""
    if importlib.util.find_spec("pyspark") is None:
        raise ObservatoryError(MISSING)


def is_submitted() -> bool:
    """Return whether spark-submit started this program."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def submitted_settings() -> dict[str, str]:
    """Return the settings that spark-submit was given: they override our own defaults."""
    if not is_submitted():
        return {}
    from pyspark import SparkConf, SparkContext

    SparkContext._ensure_initialized()
    return dict(SparkConf().getAll())


def pack_project(file: Path) -> str:
    """Write the project's packages, and what names their version, as its wheel has them; the version."""
    files = program.read_project()
    number = program.project_number()
    about = f"Metadata-Version: 2.1\nName: {program.PROJECT}\nVersion: {number}\n"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        for name, data in files:
            made.writestr(name, data)
        made.writestr(f"{program.PROJECT.replace('-', '_')}-{number}.dist-info/METADATA", about)
    return program.project_version(files)


def decode_bytes(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def java_bytes(text: str) -> int:
    """Bytes of a size as Spark writes it: 1g, 512m, 2gb."""
    found = re.fullmatch(r"(\d+)([kmgt]?)b?", text.strip().lower())
    if not found:
        raise ObservatoryError(f"[engine] conf: '{text}' is no size such as 4g")
    return int(found.group(1)) << {"": 20, "k": 10, "m": 20, "g": 30, "t": 40}[found.group(2)]
