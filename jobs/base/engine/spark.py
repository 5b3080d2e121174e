"""The Spark engine: executors run the same tasks, for a cluster or for whoever has one.

    tasks     one Spark job for each round of tasks, one partition for each task; frames go through staging,
              so that no wide row passes Spark
    gold      parts of tables, cut by operator and period, are grouped, merged and finished by executors, and
              committed by delta-spark

Executors get the project as a wheel, and the pseudonym key from a file of their own, never from Spark. Every
worker must reach the lake: a folder is mounted at the same path on all of them; a lake in an object store
needs no mount.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.key_names import KEY_FILE
from jobs.base.core.program import own_project
from jobs.base.engine import embedded, executor
from jobs.base.engine.embedded import (
    BASE_BYTES,
    LEAST_TASK_BYTES,
    RESERVE_BYTES,
    STEERING_BYTES,
    changed_environment,
)
from jobs.base.engine.spark_session import (
    DEFAULTS,
    ON_ONE_MACHINE,
    decode_bytes,
    is_submitted,
    java_bytes,
    pack_project,
    refuse_missing_pyspark,
    store_settings,
    submitted_settings,
)
from jobs.base.engine.spark_worker import died_in, make_bring, make_perform, outcomes_accumulator
from jobs.base.engine.tasks import R, StagedFrame, StagedTable, Task, TaskDied, TaskFailed, leave_table
from jobs.base.places.file_systems import is_local, plain_url
from jobs.base.places.store_errors import find_store_error
from jobs.base.settings.node import EngineSettings
from jobs.base.store.lake import Lake, Periods
from jobs.base.store.lake_notes import MARK
from jobs.base.tables.contracts import Row, read_contract

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
# The driver's Java, measured: its heap is bounded by spark.driver.memory, 1 GB.
JAVA_BYTES = 900_000_000
# Seconds between two looks at a job: progress, errors, and an interrupt from the keyboard.
EVERY = 0.2
LOCAL = re.compile(r"local(?:\[(\d+|\*)(?:,\d+)?\])?$")
# Where executors find the project, below the folder in which Spark puts a job's files.
UNPACKED = "observatory"
# What a task may end with, as an error to raise.
ERRORS: dict[str, Callable[[Any, str], Exception]] = {
    "error": lambda error, about: error,
    "failed": lambda text, about: TaskFailed(f"{about}: {text}"),
    "unlike": lambda text, about: ObservatoryError(text),
}


class Spark:
    """An engine whose tasks Spark's executors run.

    Attributes:
        preload: modules that import what most tasks need.
        workers: the tasks that run at a time.
        task_bytes: of local masters the share of [engine] memory, as for the embedded engine; of a cluster
            the share of an executor's memory for each of its cores.
    """

    # Spark repeats tasks by itself: any run may have lost one.
    has_lost = True

    def __init__(self, settings: EngineSettings, root: str, preload: Sequence[str] = ()) -> None:
        refuse_missing_pyspark()
        self.preload = tuple(preload)
        self.settings = settings
        self.root = root
        self.master = settings.master or ("" if is_submitted() else f"local[{settings.workers}]")
        local = LOCAL.match(self.master)
        self.is_local = local is not None
        self._thread = ThreadPoolExecutor(1)
        self._folder = tempfile.TemporaryDirectory(prefix="observatory-spark-")
        # Java starts while the stage looks for what is to be done.
        self._session: Future[SparkSession] = self._thread.submit(self._start_session)
        self._is_checked = False
        if local:
            cores = local.group(1)
            self.workers = int(cores) if cores and cores != "*" else settings.workers if cores else 1
            for_tasks = settings.memory_bytes - STEERING_BYTES - RESERVE_BYTES - JAVA_BYTES
            self.task_bytes = max(for_tasks // self.workers - BASE_BYTES, LEAST_TASK_BYTES)
        else:
            try:
                self.workers = self._count_slots()
                self.task_bytes = max(self._executor_bytes(), LEAST_TASK_BYTES)
            except BaseException:
                self.__exit__(Exception)
                raise

    def __enter__(self) -> Spark:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            self._session.result().stop()
        except Exception:
            if kind is None:
                raise
        finally:
            self._thread.shutdown()
            self._folder.cleanup()

    def release_workers(self) -> None:
        """Executors keep their processes: others may wait for them."""

    @property
    def session(self) -> SparkSession:
        return self._session.result()

    def run_tasks(
        self, tasks: Iterable[Task[R]], done: Callable[[int], None] = lambda count: None
    ) -> list[R]:
        self._check_workers()
        waiting: dict[tuple[int, ...], Task[R]] = {(place,): task for place, task in enumerate(tasks)}
        found: dict[tuple[int, ...], R] = {}
        while waiting:
            places = list(waiting)
            data = [pickle.dumps(waiting[place].call) for place in places]
            about = [waiting[place].about for place in places]
            outcomes, dead = self._run_job(data, about, len(found), done)
            again: dict[tuple[int, ...], Task[R]] = {}
            for number, place in enumerate(places):
                task = waiting[place]
                kind, value = outcomes.get(number, ("died", "") if number in dead else ("unfinished", ""))
                if kind == "value":
                    found[place] = value
                elif kind == "unfinished":
                    again[place] = task
                elif len(place) > 1:
                    raise TaskDied(embedded.format_death(task.about))
                else:
                    again |= {(*place, number): piece for number, piece in enumerate(task.split_task())}
            waiting = again
        return [found[place] for place in sorted(found)]

    def merge_tables(
        self, staging: str, parts: Mapping[str, Sequence[StagedFrame]], finish: Callable[..., pl.DataFrame]
    ) -> list[StagedTable]:
        """The rows of whole tables, from parts of them that tasks left: executors merge each operator-period,
        and finish its rows by a function of merged rows and their table."""
        self._check_workers()
        # Executors find the function once they have the project.
        by = pickle.dumps(finish)
        paths = [
            {"table": table, "path": left.path} for table, of_table in parts.items() for left in of_table
        ]
        made: dict[str, list[pl.DataFrame]] = {table: [] for table in parts}
        if paths:
            bring = make_bring(UNPACKED)

            def cut_batches(batches: Iterator[Any]) -> Iterator[Any]:
                bring()
                from jobs.base.engine import executor

                yield from executor.parts_by_period(batches)

            def merge_period(group: Any) -> Any:
                bring()
                from jobs.base.engine import executor

                return executor.finished_period(group, by)

            columns = "table string, operator_id string, period string, rows binary"
            cuts = self._spread_rows(paths, "table string, path string").mapInArrow(cut_batches, columns)
            whole = cuts.groupBy("table", "operator_id", "period").applyInArrow(merge_period, columns)
            for row in self._call_spark(whole.collect):
                made[row["table"]].append(executor.unpack_frame(bytes(row["rows"])))
        return [
            leave_table(staging, table, pl.concat(frames, rechunk=True) if frames else None)
            for table, frames in made.items()
        ]

    def replace_periods(
        self, lake: Lake, table: str, periods: Periods, left: Sequence[StagedFrame], note: Mapping[str, Any]
    ) -> int:
        """Put rows in staging in place of whole operator-periods, in one transaction; the new version."""
        lake.make_table(table)
        operator, period = read_contract(table).partition_by
        condition = " OR ".join(
            f"({operator} = '{name}' AND {period} IN ({', '.join(repr(day) for day in sorted(of_operator))}))"
            for name, of_operator in sorted(periods.items())
        )
        rows = self._read_staged(table, left, {name: sorted(days) for name, days in periods.items()})
        writer = rows.repartition(operator, period).write.format("delta").mode("overwrite")
        writer = writer.option("userMetadata", json.dumps(dict(note), sort_keys=True))
        path = lake.path(table).replace("s3://", "s3a://")
        self._call_spark(
            lambda: writer.option("replaceWhere", condition).option("mergeSchema", "true").save(path)
        )
        lake.close_log(table)
        return lake.version(table)

    def _read_staged(
        self, table: str, left: Sequence[StagedFrame], periods: dict[str, list[str]] | None
    ) -> DataFrame:
        """The rows of frames in staging as Spark's, of the contract's types."""
        bring = make_bring(UNPACKED)

        def read_batches(batches: Iterator[Any]) -> Iterator[Any]:
            bring()
            from jobs.base.engine import executor

            yield from executor.table_rows(batches, table, periods)

        columns = ", ".join(f"`{field.name}` {field.type}" for field in read_contract(table).fields)
        return self._spread_rows([{"path": each.path} for each in left], "path string").mapInArrow(
            read_batches, columns
        )

    def _spread_rows(self, rows: list[Row], schema: str) -> DataFrame:
        """A small frame, cut for all workers."""
        frame = self.session.createDataFrame([tuple(row.values()) for row in rows], schema)
        return frame.repartition(max(min(len(rows), self.workers), 1))

    def _run_job(
        self, tasks: Sequence[bytes], about: Sequence[str], before: int, done: Callable[[int], None]
    ) -> tuple[dict[int, tuple[str, Any]], set[int]]:
        """Run tasks as one job of Spark: what came of each by its place, and the places of those whose
        process ended. Raises the first error that a task ended with.

        Spark hands over outcomes as tasks end, each once, however often it tried.
        """
        context = self.session.sparkContext
        outcomes = context.accumulator({}, outcomes_accumulator())
        perform = make_perform(make_bring(UNPACKED), outcomes, pickle.dumps(self._expected))
        job = self._thread.submit(context.parallelize(list(enumerate(tasks)), len(tasks)).foreach, perform)
        dead: set[int] = set()
        found: dict[int, tuple[str, Any]] = {}
        is_over = False
        while not is_over:
            try:
                job.result(EVERY)
                is_over = True
            except NotYet:
                pass
            except KeyboardInterrupt:
                context.cancelAllJobs()
                raise
            except Exception as error:
                is_over, dead = True, died_in(error)
            ready = dict(outcomes.value)
            new = sorted(ready.keys() - found.keys())
            for place in new:
                found[place] = kind, value = pickle.loads(ready[place])
                if kind in ERRORS:
                    context.cancelAllJobs()
                    raise ERRORS[kind](value, about[place])
            if new:
                done(before + len(found))
        return found, dead

    def _call_spark(self, work: Callable[[], Any]) -> Any:
        """Call Spark and return its result; its own errors become a fault of the program, with their text."""
        try:
            return work()
        except Exception as error:
            raise find_store_error(error) or TaskFailed(f"Spark: {error}") from None

    def _check_workers(self) -> None:
        """Refuse workers that differ from the driver, before the first task."""
        if self._is_checked:
            return
        self._is_checked = True
        self.run_tasks([Task("Spark's workers", int) for _ in range(self.workers)])

    def _count_slots(self) -> int:
        """The tasks that a cluster runs at a time, once its executors are there."""
        if "workers" in self.settings.model_fields_set:
            return self.settings.workers
        self._call_spark(self.session.sparkContext.parallelize([0], 1).count)
        return max(self.session.sparkContext.defaultParallelism, 1)

    def _executor_bytes(self) -> int:
        """The memory for a task of an executor: its share of what Python may use there."""
        conf = self.session.sparkContext.getConf()
        given = conf.get("spark.executor.pyspark.memory") or conf.get("spark.executor.memory", "1g")
        whole = self.settings.memory_bytes if self.settings.memory else java_bytes(str(given))
        cores = int(str(conf.get("spark.executor.cores", "1")))
        return whole // max(cores, 1) - BASE_BYTES

    def _start_session(self) -> SparkSession:
        from jobs.base.engine import java

        jars = [str(jar) for jar in java.find_jars(is_on_s3=not is_local(self.root))]
        conf = DEFAULTS | store_settings(self.root)
        if self.is_local:
            conf |= ON_ONE_MACHINE | {"spark.driver.extraClassPath": ":".join(jars)}
        else:
            conf["spark.jars"] = ",".join(jars)
            if "workers" in self.settings.model_fields_set:
                conf["spark.cores.max"] = str(self.settings.workers)
        if os.environ.get(KEY_FILE):
            conf[f"spark.executorEnv.{KEY_FILE}"] = os.environ[KEY_FILE]
        conf["spark.pyspark.python"] = os.environ.get("PYSPARK_PYTHON") or sys.executable
        conf["spark.sql.warehouse.dir"] = str(Path(self._folder.name, "warehouse"))
        conf["spark.sql.shuffle.partitions"] = str(self.settings.workers)
        conf |= submitted_settings() | {
            name: decode_bytes(value) for name, value in self.settings.conf.items()
        }
        if self.master:
            conf["spark.master"] = self.master
        quiet = Path(self._folder.name, "log4j2.properties")
        quiet.write_text("rootLogger.level = off\n")
        own = {
            "JAVA_HOME": str(java.java_home()),
            # PySpark asks the environment before its settings.
            "PYSPARK_PYTHON": conf["spark.pyspark.python"],
            "SPARK_SUBMIT_OPTS": os.environ.get("SPARK_SUBMIT_OPTS")
            or f"-Dlog4j2.configurationFile=file:{quiet}",
        }
        if self.is_local:
            own["SPARK_LOCAL_IP"] = "127.0.0.1"

        from pyspark.sql import SparkSession

        builder = SparkSession.builder
        for name, value in conf.items():
            builder = builder.config(name, value)
        with changed_environment(own):
            session = builder.getOrCreate()
        session.sparkContext.setLogLevel("OFF")
        # Under this name Spark unpacks it.
        wheel = Path(self._folder.name, "project.zip")
        if self.settings.wheel:
            wheel.write_bytes(Path(self.settings.wheel).read_bytes())
            project = own_project()
        else:
            project = pack_project(wheel)
        session.sparkContext.addArchive(f"{wheel}#{UNPACKED}")
        # A file of the lake that every worker must see.
        Lake(self.root).record_form()
        nonce = secrets.token_bytes(16)
        self._expected = executor.Expected(
            project, nonce, executor.seal_nonce(nonce), f"{plain_url(self.root)}/{MARK}", self.preload
        )
        return session
