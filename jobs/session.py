"""The SparkSession: one way to make it, for every stage, test and cluster."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from pyspark.logger import PySparkLogger
from pyspark.sql import DataFrame, SparkSession

from jobs import archive, toolchain
from jobs.config import Spark

LOGGING = f"-Dlog4j2.configurationFile=file:{Path(__file__).with_name('log4j2.properties')}"


SMALL = 256 << 20
PARTITION = 64 << 20
# Of so few bytes of logs Java's second compiler costs more than it saves.
LITTLE = 16 << 20
FIRST_COMPILER = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


def open_session(
    settings: Spark, name: str = "spam-observatory", log_bytes: int | None = None
) -> SparkSession:
    """Start Spark with Delta, or take the session that is running.

    log_bytes: of the logs to be read, where this is known and all there is to do: for little, Java compiles
    quickly rather than well, unless the settings have java_options of their own.

    Inside spark-submit the master and memory come from there; `settings.conf` always applies.
    """
    submitted = "SPARK_ENV_LOADED" in os.environ or "PYSPARK_GATEWAY_PORT" in os.environ
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    # A kernel has its worker to itself: Spark's tasks are the parallelism.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    if not submitted:
        os.environ["JAVA_HOME"] = str(toolchain.java_home())
    builder = SparkSession.builder.appName(name)
    is_little = log_bytes is not None and log_bytes <= LITTLE
    for key, value in session_conf(settings, submitted, is_little).items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    # The error itself says it to a person; these would print it before, as JSON with its stack trace.
    for logger in ("DataFrameQueryContextLogger", "SQLQueryContextLogger"):
        PySparkLogger.getLogger(logger).setLevel(logging.CRITICAL)
    return session


def delta_jars(master: str) -> dict[str, str]:
    """How the jars come to where they are needed. On this machine by the class path: Java archives classes
    from there alone."""
    jars = [str(jar) for jar in toolchain.jars()]
    if master.startswith("local"):
        return {"spark.driver.extraClassPath": ":".join(jars)}
    return {"spark.jars": ",".join(jars)}


def tune(spark: SparkSession, size: int, own: Spark) -> bool:
    """Set Spark for a stage by the bytes that go into it, and say whether they are few; what the settings
    say themselves stays.

    Adaptive execution starts a job for every shuffle, and plans again after each; generated code is compiled
    once per plan. On little data both cost more than the data itself. On much, adaptive execution pays by
    joining small partitions and splitting large ones, and compiled code by its speed per row.
    """
    is_small = size <= SMALL
    tuned = {
        "spark.sql.adaptive.enabled": not is_small,
        "spark.sql.codegen.factoryMode": "NO_CODEGEN" if is_small else "FALLBACK",
        "spark.sql.shuffle.partitions": max(spark.sparkContext.defaultParallelism, -(-size // PARTITION)),
    }
    for key, value in tuned.items():
        if key not in own.conf:
            spark.conf.set(key, value)
    return is_small


def held(frame: DataFrame, is_small: bool) -> DataFrame:
    """The frame, computed once for all who read it, when the first of them does.

    A persisted frame keeps its plan, and Spark analyses, optimises and plans it again within that of every
    frame above it: on little data this is most of the time. A local checkpoint cuts the plan there, but
    keeps rows where `persist` keeps compressed columns, and is lost with its executor.
    """
    return frame.localCheckpoint(eager=False) if is_small else frame.persist()


def session_conf(settings: Spark, submitted: bool = False, is_little: bool = False) -> dict[str, str]:
    """Every Spark setting that differs from Spark's own default, with its reason."""
    conf = {
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.session.timeZone": "UTC",
        # Logs and tables here are small beside Delta's default of 50 snapshot partitions.
        "spark.databricks.delta.snapshotPartitions": "2",
        # For what is outside the stages; tune() sets each stage's own.
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.adaptive.advisoryPartitionSizeInBytes": "32m",
        # Rows that lie together by a part of a key need no shuffle to be joined by the whole key.
        "spark.sql.requireAllClusterKeysForCoPartition": "false",
        # Java does not compile methods above this size; Spark then makes smaller ones.
        "spark.sql.codegen.hugeMethodLimit": "8000",
        # Kernels want few large batches.
        "spark.sql.execution.arrow.maxRecordsPerBatch": "100000",
        "spark.sql.execution.pythonUDF.arrow.enabled": "true",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    if not submitted:
        java = settings.java_options or (FIRST_COMPILER if is_little else "")
        conf |= {
            "spark.master": settings.master,
            "spark.driver.memory": settings.driver_memory,
            # Warnings that no user can act on stay off the terminal.
            "spark.driver.extraJavaOptions": f"{LOGGING} {archive.options()} {java}",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            **delta_jars(settings.master),
            "spark.sql.warehouse.dir": str(toolchain.HOME / "warehouse"),
        }
    return conf | {key: str(value) for key, value in settings.conf.items()}
