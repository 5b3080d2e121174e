"""Code that Spark sends to executors, before they can import the project: it makes the project importable
there, runs a task, and collects outcomes.
"""

import importlib.metadata
import re
import sys
from collections.abc import Callable
from typing import Any

from jobs.base.core.errors import ObservatoryError
from jobs.base.engine.tasks import TaskFailed

# What Spark says of a task whose process ended, and not of one that raised an error.
DIED = re.compile(r"worker exited unexpectedly|crashed|ExecutorLostFailure|OutOfMemoryError|exit code 137")
TASK = re.compile(r"Task (\d+) in stage")
OTHER_PYTHON = "PYTHON_VERSION_MISMATCH"
# What must have one version on driver and workers, beside the project and Python.
LIBRARIES = ("polars", "pyarrow", "deltalake")


def make_bring(folder: str) -> Callable[[], None]:
    """Return the function that makes the project importable on an executor. Spark sends it as code, for it
    must run before anything of the project is imported there."""

    def add_to_path() -> None:
        import os
        import sys

        from pyspark import SparkFiles

        place = os.path.join(SparkFiles.getRootDirectory(), folder)
        if place not in sys.path:
            sys.path.insert(0, place)

    return add_to_path


def make_perform(
    bring: Callable[[], None], outcomes: Any, expected: bytes
) -> Callable[[tuple[int, bytes]], None]:
    """Return the function that runs a task on an executor; it is sent as code, too."""

    libraries = [(name, importlib.metadata.version(name)) for name in LIBRARIES]

    def perform_task(numbered: tuple[int, bytes]) -> None:
        import importlib.metadata
        import pickle
        import platform

        place, task = numbered

        def find_version(name: str) -> str:
            try:
                return importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                return "missing"

        unlike = [f"{name} is {version} on the driver and {find_version(name)} on worker {platform.node()}"
                  for name, version in libraries if find_version(name) != version]  # fmt: skip
        try:
            bring()
            if not unlike:
                from jobs.base.engine import executor
        except ImportError as error:
            unlike.append(f"worker {platform.node()} cannot import the project: {error}")
        if unlike:
            text = f"Spark's workers differ from the driver: {'; '.join(unlike)}. Install the same on both"
            outcomes.add({place: pickle.dumps(("unlike", text))})
        else:
            outcomes.add({place: pickle.dumps(executor.report_outcome(task, pickle.loads(expected)))})

    return perform_task


def outcomes_accumulator() -> Any:
    """The accumulator in which Spark collects outcomes, by the task's place. Spark sends its class as code: a
    worker needs it before it can import the project."""
    from pyspark.accumulators import AccumulatorParam

    class ByPlace(AccumulatorParam):
        def zero(self, value: dict[int, bytes]) -> dict[int, bytes]:
            return {}

        def addInPlace(self, one: dict[int, bytes], other: dict[int, bytes]) -> dict[int, bytes]:  # noqa: N802
            one.update(other)
            return one

    return ByPlace()


def died_in(error: Exception) -> set[int]:
    """The place of the task whose process ended, as Spark's error has it. Raises what the error says where
    none died."""
    text = str(error)
    if OTHER_PYTHON in text:
        raise ObservatoryError(
            f"Spark's workers have another Python than the driver's {sys.version_info.major}."
            f"{sys.version_info.minor}: name the same one by `spark.pyspark.python` in [engine] conf"
        ) from None
    place = TASK.search(text)
    if not place or not DIED.search(text):
        raise TaskFailed(f"Spark: {text}") from None
    return {int(place.group(1))}
