"""The embedded engine: tasks in processes of this machine.

Workers are forks of a server that has imported what they need and started no thread. Each is an executor of
its own with one process, so that the task of a process that dies is known.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from jobs.engine.tasks import Task, TaskDied, perform

# What the program itself takes in each process before it has read a row.
BASE_BYTES = 160 << 20
LEAST_TASK_BYTES = 64 << 20
# A kernel has its process to itself: tasks are the parallelism.
ENVIRONMENT = {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Embedded:
    """An engine of so many processes, which together with the one that steers them keep to so much memory."""

    def __init__(self, workers: int, memory_bytes: int) -> None:
        self.workers = workers
        self.task_bytes = max(memory_bytes // (workers + 1) - BASE_BYTES, LEAST_TASK_BYTES)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["jobs.engine.preload"])
        self._executors: list[ProcessPoolExecutor] = []

    def __enter__(self) -> Embedded:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for executor in self._executors:
            executor.shutdown(wait=True, cancel_futures=True)
        self._executors = []

    def warm(self) -> None:
        """Start the workers, so that they are there when the first tasks are."""
        while len(self._executors) < self.workers:
            self._executors.append(started(self._context))

    def run(self, tasks: Iterable[Task], done: Callable[[int], None] = lambda count: None) -> list[Any]:
        self.warm()
        waiting = deque((place, task, False) for place, task in enumerate(tasks))
        found: dict[int, list[Any]] = {place: [] for place, *_ in waiting}
        idle = list(range(self.workers))
        running: dict[Future[Any], tuple[int, int, Task, bool]] = {}
        finished = 0
        try:
            while waiting or running:
                while waiting and idle:
                    place, task, is_again = waiting.popleft()
                    worker = idle.pop()
                    future = self._executors[worker].submit(perform, task.function, task.arguments)
                    running[future] = (worker, place, task, is_again)
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    worker, place, task, is_again = running.pop(future)
                    idle.append(worker)
                    try:
                        found[place].append(future.result())
                    except BrokenProcessPool:
                        self._executors[worker].shutdown(wait=False)
                        self._executors[worker] = started(self._context)
                        if is_again:
                            raise TaskDied(died(task)) from None
                        pieces = task.smaller(task) if task.smaller else [task]
                        waiting.extendleft((place, piece, True) for piece in reversed(pieces))
                        continue
                    finished += 1
                    done(finished)
        finally:
            for future in running:
                future.cancel()
        return [value for place in sorted(found) for value in found[place]]


def started(context: Any) -> ProcessPoolExecutor:
    """An executor with one process, which is on its way."""
    executor = ProcessPoolExecutor(1, mp_context=context)
    with environment():
        executor.submit(int)
    return executor


def died(task: Task) -> str:
    return (
        f"{task.about}: the process that worked on it ended twice without a word. Most often its memory was"
        " not enough: give [engine] memory less than the machine has, or look into the system's log for a"
        " process that was killed"
    )


@contextmanager
def environment() -> Iterator[None]:
    """What workers start with: their own settings, and an empty main module, for the program's own module is
    not theirs to run; this process keeps what it has."""
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    main = sys.modules["__main__"]
    os.environ.update(ENVIRONMENT)
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class Inline:
    """An engine of no process but this one: for so little work that starting workers would take longer.

    What is to be done beside the work still gets a process of its own.
    """

    workers = 1
    task_bytes = 512 << 20

    def __enter__(self) -> Inline:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to end."""

    def run(self, tasks: Iterable[Task], done: Callable[[int], None] = lambda count: None) -> list[Any]:
        found = []
        for task in tasks:
            found.append(perform(task.function, task.arguments))
            done(len(found))
        return found
