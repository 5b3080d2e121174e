"""The embedded engine: tasks in processes of this machine.

Workers are forks of a server that has imported what they need and started no thread. Each is an executor of
its own with one process, so that the task of a process that dies is known.
"""

from __future__ import annotations

import atexit
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import forkserver

from jobs.base.engine.tasks import R, Task, TaskDied, TaskFailed, perform_call
from jobs.base.places import permissions
from jobs.base.settings.access import LAKE_ACCESS

# Measured as PSS on 2 GB of logs: a worker between tasks, and what steers them: the program's own process and
# the server that workers are forked from.
BASE_BYTES = 130_000_000
STEERING_BYTES = 320_000_000
# A task's memory is an estimate: so much is kept back where two workers, or the only one, have enough.
RESERVE_BYTES = 290_000_000
LEAST_TASK_BYTES = 64_000_000
# With less, buckets would be many and small: then there are fewer workers.
ENOUGH_TASK_BYTES = 200_000_000
# Once Polars is imported, a wait that has no end does not see an interrupt from the keyboard.
INTERRUPTIBLE = 0.5
# Text in the name of a task: the debugger begins before it.
STOP_AT = "OBSERVATORY_STOP_AT"
# Of fewer bytes of logs than this, tasks run in the process itself: workers would start for longer.
LITTLE = 2 << 20
# A kernel has its process to itself: tasks are the parallelism. What a task gave back to Polars' allocator
# (jemalloc) goes back to the system soon, not ten seconds later as by default: the next task may be another
# worker's.
ENVIRONMENT = {
    "POLARS_MAX_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "_RJEM_MALLOC_CONF": "dirty_decay_ms:500,muzzy_decay_ms:0",
}


class Embedded:
    """An engine of at most so many processes, which together with the process that steers them and the server
    that they are forked from keep to so much memory. Less memory gives fewer workers.

    Args:
        preload: modules that import what most tasks need, before workers are forked, so that each need not.
            A task runs without them, too: its function's module imports what the function needs.
    """

    def __init__(self, workers: int, memory_bytes: int, preload: Sequence[str] = ()) -> None:
        self.preload = preload
        for_workers = memory_bytes - STEERING_BYTES
        if for_workers - RESERVE_BYTES >= min(workers, 2) * (BASE_BYTES + ENOUGH_TASK_BYTES):
            for_workers -= RESERVE_BYTES
        self.has_lost = False
        self.workers = max(min(workers, for_workers // (BASE_BYTES + ENOUGH_TASK_BYTES)), 1)
        self.task_bytes = max(for_workers // self.workers - BASE_BYTES, LEAST_TASK_BYTES)
        self._executors: list[ProcessPoolExecutor] = []

    def __enter__(self) -> Embedded:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            # What the others are at does not count any more.
            for executor in self._executors:
                for process in list((executor._processes or {}).values()):
                    process.kill()
        self.release_workers()

    def release_workers(self) -> None:
        """End the workers; the next tasks start others."""
        for executor in self._executors:
            executor.shutdown(wait=True, cancel_futures=True)
        self._executors = []

    def start_workers(self) -> None:
        """Start the workers, so that they are there when the first tasks are."""
        while len(self._executors) < self.workers:
            self._executors.append(start_executor(self.preload))

    def run_tasks(
        self, tasks: Iterable[Task[R]], done: Callable[[int], None] = lambda count: None
    ) -> list[R]:
        self.start_workers()
        # The place of a piece of a task is the task's place and its own.
        waiting: deque[tuple[tuple[int, ...], Task[R]]] = deque(
            ((place,), task) for place, task in enumerate(tasks)
        )
        found: dict[tuple[int, ...], R] = {}
        idle = list(range(self.workers))
        running: dict[Future[R], tuple[int, tuple[int, ...], Task[R]]] = {}
        while waiting or running:
            while waiting and idle:
                place, task = waiting.popleft()
                worker = idle.pop()
                running[self._submit_task(worker, task)] = (worker, place, task)
            for future in wait(running, INTERRUPTIBLE, FIRST_COMPLETED).done:
                worker, place, task = running.pop(future)
                idle.append(worker)
                try:
                    found[place] = future.result()
                except (BrokenProcessPool, TaskDied):
                    self._replace_worker(worker)
                    if len(place) > 1:
                        raise TaskDied(format_death(task.about)) from None
                    self.has_lost = True
                    waiting.extendleft(
                        ((*place, number), piece)
                        for number, piece in reversed(list(enumerate(task.split_task())))
                    )
                except TaskFailed as error:
                    raise TaskFailed(f"{task.about}: {error}") from None
                else:
                    done(len(found))
        return [found[place] for place in sorted(found)]

    def _submit_task(self, worker: int, task: Task[R]) -> Future[R]:
        try:
            return self._executors[worker].submit(perform_call, task.call)
        except BrokenProcessPool:
            # It died while it had nothing to do.
            self._replace_worker(worker)
            return self._executors[worker].submit(perform_call, task.call)

    def _replace_worker(self, worker: int) -> None:
        self._executors[worker].shutdown(wait=False)
        self._executors[worker] = start_executor(self.preload)


def start_server(preload: Sequence[str]) -> None:
    """Start the server that workers are forked from, without waiting for its imports."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(list(preload))
    with worker_environment():
        forkserver.ensure_running()


def start_executor(preload: Sequence[str] = ()) -> ProcessPoolExecutor:
    """An executor with one process, which has what tasks need once the server that it is forked from has."""
    start_server(preload)
    context = multiprocessing.get_context("forkserver")
    executor = ProcessPoolExecutor(
        1,
        mp_context=context,
        initializer=attach_worker,
        initargs=(permissions.lake_umask(), os.environ.get(LAKE_ACCESS)),
    )
    with worker_environment():
        executor.submit(int)
    return executor


def attach_worker(umask: int, lake_access: str | None) -> None:
    """Tie a worker to the process that started it: it ends with that one, however that ends, leaves an
    interrupt from the keyboard to it, writes files for those who may read that one's, and reaches
    its lake."""
    os.umask(umask)
    if lake_access:
        os.environ[LAKE_ACCESS] = lake_access
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # It has nothing to end in order, and to take its modules apart would take a second.
    atexit.register(os._exit, 0)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=end_with, args=(parent.sentinel,), daemon=True).start()


def end_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


def format_death(about: str) -> str:
    return (
        f"{about}: its process ended twice before it was done. Most often its memory was not enough: give"
        " [engine] memory less than the machine has, or look into the system's log for a process that was"
        " killed"
    )


@contextmanager
def worker_environment() -> Iterator[None]:
    """The environment in which workers start: their own variables, and an empty main module, so that they do
    not run the program's. Both are put back in this process afterwards."""
    main = sys.modules["__main__"]
    with changed_environment(ENVIRONMENT):
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


@contextmanager
def changed_environment(own: Mapping[str, str]) -> Iterator[None]:
    """The environment with variables of what is started; afterwards this process has its own again."""
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class Inline:
    """Runs tasks in this process: for work that takes less time than starting workers, and for debugging. It
    stops before the tasks that OBSERVATORY_STOP_AT names (docs/debugging.md).
    """

    workers = 1
    task_bytes = 512 << 20
    has_lost = False

    def __enter__(self) -> Inline:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to end."""

    def release_workers(self) -> None:
        """Nothing is there to end."""

    def run_tasks(
        self, tasks: Iterable[Task[R]], done: Callable[[int], None] = lambda count: None
    ) -> list[R]:
        found = []
        stop_at = os.environ.get(STOP_AT)
        for task in tasks:
            if stop_at and stop_at in task.about:
                breakpoint()
            try:
                found.append(perform_call(task.call))
            except TaskDied:
                raise TaskDied(format_death(task.about)) from None
            except TaskFailed as error:
                raise TaskFailed(f"{task.about}: {error}") from None
            done(len(found))
        return found
