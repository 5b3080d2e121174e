"""The embedded engine: tasks whose process dies, errors in workers, and processes that outlive nothing.

Its tasks are functions of this module, which workers import.
"""

import importlib
import os
import pickle
import pkgutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import jobs
from jobs.base.core.disk import DiskFull
from jobs.base.core.errors import ObservatoryError, ValidationHeld
from jobs.base.engine.embedded import (
    BASE_BYTES,
    ENOUGH_TASK_BYTES,
    LEAST_TASK_BYTES,
    RESERVE_BYTES,
    STEERING_BYTES,
    Embedded,
    Inline,
)
from jobs.base.engine.tasks import (
    StagedFrame,
    Task,
    TaskDied,
    TaskFailed,
    leave_buckets,
    leave_frame,
    perform_call,
    take_frames,
)
from jobs.base.settings import config
from jobs.base.store.lake import Lake
from jobs.base.tables.buckets import Bucket, ByBucket
from jobs.cli import main as command_line
from jobs.operators.build.gold_steps import GOLD
from jobs.operators.build.run import Run
from jobs.operators.ingest.pull import pull_operator
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.runs import runner
from jobs.operators.runs.runner import run_stages
from jobs.operators.silver.frames import SILVER
from tests.conftest import KEY, ROOT
from tests.support.memory_of import tree_of
from tests.support.whole_runs import MAIL_NETWORK, operator_toml, rows_in, source_toml

HERE = __name__
LAB = ROOT / "sample_data" / "lab"
MEMORY = 2_000_000_000


# --- tasks --------------------------------------------------------------------------------------------------


def numbers(start: int, end: int, folder: str) -> list[int]:
    """The numbers from start to end. Where folder has a file `die-<number>` of one of them, the process is
    killed; the file goes first if it says so."""
    for number in range(start, end):
        marker = Path(folder, f"die-{number}")
        if marker.exists():
            if marker.read_text() == "once":
                marker.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
    Path(folder, f"done-{start}-{end}").touch()
    return list(range(start, end))


def numbers_of(start: int, end: int, folder: str) -> Task[list[int]]:
    middle = (start + end) // 2
    whole = Task(f"numbers from {start}", numbers, start, end, folder=folder)
    return whole.cut_by(lambda: [numbers_of(start, middle, folder), numbers_of(middle, end, folder)])


def fails(kind: str) -> None:
    if kind == "held":
        raise ValidationHeld("a rule is broken")
    if kind == "settings":
        raise ObservatoryError("mx1: the setting is wrong")
    if kind == "full":
        raise OSError(28, "No space left on device", "/lake/staging/x")
    if kind == "fault":
        raise LookupError("a mistake\nof ours")
    if kind == "memory":
        raise MemoryError
    if kind == "panic":
        raise pl.exceptions.PanicException("attempt to add with overflow")
    if kind == "real panic":
        # Polars 2.1: an empty chunk before another.
        parts = [pl.DataFrame({"a": ["h0", "h1", "h2"], "kept": [kept] * 3}) for kept in (False, True)]
        rows = pl.concat(parts, rechunk=False).with_row_index("i").filter("kept")
        rows.select(pl.format("{}|{}", "a", "a"))


def sleeps(folder: str) -> None:
    Path(folder, f"pid-{os.getpid()}").touch()
    time.sleep(120)


def pid() -> int:
    return os.getpid()


@pytest.fixture(scope="module")
def engine() -> Iterator[Embedded]:
    with Embedded(2, MEMORY) as made:
        yield made


# --- what a task is ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [lambda: 1, Path("x").exists], ids=["a lambda", "a method"])
def test_a_function_that_no_other_process_finds_is_no_task(function: Callable[[], Any]) -> None:
    """Tasks with little to do run in this process, where a function that no other process finds would
    work."""
    with pytest.raises(TypeError, match="cannot be a task: other processes find a function by its module"):
        Task("a task", function)


# --- tasks that die -----------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_task_whose_process_is_killed_is_done_again_in_smaller_ones(
    engine: Embedded, tmp_path: Path
) -> None:
    tasks = [numbers_of(start, start + 4, str(tmp_path)) for start in range(0, 20, 4)]
    for number in (5, 7, 16):
        (tmp_path / f"die-{number}").write_text("once")
    # The second of two in one task: the first kills the process, the second its half.
    (tmp_path / "die-7").unlink()
    counted: list[int] = []
    found = engine.run_tasks(tasks, counted.append)
    # In the order of the tasks, whichever was done first.
    assert [number for part in found for number in part] == list(range(20))
    assert counted == list(range(1, 8))
    assert {path.name for path in tmp_path.glob("done-*")} == {
        *("done-0-4", "done-4-6", "done-6-8", "done-8-12", "done-12-16", "done-16-18", "done-18-20"),
    }


@pytest.mark.long
def test_a_task_that_dies_again_is_named(engine: Embedded, tmp_path: Path) -> None:
    (tmp_path / "die-5").write_text("always")
    with pytest.raises(TaskDied, match=r"^numbers from 4: its process ended twice.*\[engine\] memory"):
        engine.run_tasks([numbers_of(start, start + 4, str(tmp_path)) for start in range(0, 20, 4)])
    # The engine goes on with other tasks.
    (tmp_path / "die-5").unlink()
    assert engine.run_tasks([numbers_of(4, 8, str(tmp_path))]) == [[4, 5, 6, 7]]


@pytest.mark.long
def test_a_task_that_cannot_be_cut_is_done_again_as_it_is(engine: Embedded, tmp_path: Path) -> None:
    (tmp_path / "die-1").write_text("once")
    whole = Task("numbers", numbers, start=0, end=3, folder=str(tmp_path))
    assert engine.run_tasks([whole]) == [[0, 1, 2]]


@pytest.mark.long
def test_a_worker_that_dies_between_tasks_is_replaced(engine: Embedded) -> None:
    before = set(engine.run_tasks([Task("a process", pid)] * 8))
    for each in before:
        os.kill(each, signal.SIGKILL)
    while any(alive(each) for each in before):
        time.sleep(0.01)
    after = set(engine.run_tasks([Task("a process", pid)] * 8))
    assert after and not after & before


@pytest.mark.long
def test_no_memory_left_is_a_death(engine: Embedded) -> None:
    task = Task("silver, bucket 3 of 8", fails, kind="memory")
    with pytest.raises(TaskDied, match="^silver, bucket 3 of 8: its process ended twice"):
        engine.run_tasks([task])
    with pytest.raises(TaskDied, match="^silver, bucket 3 of 8: "):
        Inline().run_tasks([task])


# --- errors in workers --------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("which", [Inline, None])
def test_an_error_that_a_person_can_act_on_comes_through_as_it_is(engine: Embedded, which: Any) -> None:
    runs = which() if which else engine
    with pytest.raises(ObservatoryError, match="^mx1: the setting is wrong$") as wrong:
        runs.run_tasks([Task("a task", fails, kind="settings")])
    assert type(wrong.value) is ObservatoryError and wrong.value.exit_code == 2
    with pytest.raises(ValidationHeld, match="^a rule is broken$") as held:
        runs.run_tasks([Task("a task", fails, kind="held")])
    assert held.value.exit_code == 1
    with pytest.raises(DiskFull, match="^/lake/staging/x: the disk is full"):
        runs.run_tasks([Task("a task", fails, kind="full")])


@pytest.mark.long
@pytest.mark.parametrize("which", [Inline, None])
@pytest.mark.parametrize(
    ("kind", "first"),
    [
        ("fault", "LookupError: a mistake"),
        ("panic", "pyo3_runtime.PanicException: attempt to add with overflow"),
        ("real panic", "pyo3_runtime.PanicException: assertion failed"),
    ],
)
def test_a_fault_or_a_panic_is_named_with_its_task_and_traceback(
    engine: Embedded, which: Any, kind: str, first: str
) -> None:
    runs = which() if which else engine
    with pytest.raises(TaskFailed) as failed:
        runs.run_tasks([Task("mx1, mail.log from byte 0", fails, kind=kind)])
    head, *trace = str(failed.value).splitlines()
    assert head.startswith(f"mx1, mail.log from byte 0: {first}")
    assert "Traceback" in trace[0] and any("test_engine.py" in line for line in trace)
    # The engine is whole.
    assert runs.run_tasks([Task("a process", pid)])


def test_every_error_of_the_project_can_be_sent_between_processes() -> None:
    for module in pkgutil.walk_packages(jobs.__path__, "jobs."):
        if module.name != "jobs.__main__" and "spark" not in module.name:
            importlib.import_module(module.name)

    def kinds(kind: type[ObservatoryError]) -> set[type[ObservatoryError]]:
        return {kind, *(each for below in kind.__subclasses__() for each in kinds(below))}

    found = {each for each in kinds(ObservatoryError) if each.__module__.startswith("jobs.")}
    assert len(found) > 2
    for kind in found:
        error = kind("what happened")
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), again.exit_code) == (kind, str(error), error.exit_code)


@pytest.mark.long
def test_a_worker_without_the_key_says_how_to_set_it(tmp_path: Path) -> None:
    """The process that steers has the key; workers were started before it did."""
    code = f"""
import os, sys
from jobs.cli import main as command_line
from jobs.cli.operators import pipeline
from jobs.base.engine.embedded import Embedded
from jobs.base.engine.tasks import Task
from jobs.operators.protect.pseudonym_keys import master_key

def late(*arguments):
    with Embedded(2, {MEMORY}) as engine:
        engine.start_workers()
        os.environ["OBSERVATORY_PSEUDONYM_KEY"] = "{KEY}"
        engine.run_tasks([Task("silver, bucket 1 of 2", master_key)])

pipeline.pull_all = late
sys.argv = ["observatory", "pull", "--config", "sample_data/observatory.toml"]
command_line.command()
"""
    env = {name: value for name, value in os.environ.items() if not name.startswith("OBSERVATORY_")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2, done.stderr
    assert "no pseudonym key: set OBSERVATORY_PSEUDONYM_KEY_FILE" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


# --- processes ----------------------------------------------------------------------------------------------


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.long
def test_an_error_ends_the_other_tasks_at_once(tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(ObservatoryError, match="setting"), Embedded(2, MEMORY) as engine:
        engine.run_tasks(
            [Task("sleeps", sleeps, folder=str(tmp_path)), Task("fails", fails, kind="settings")]
        )
    assert time.monotonic() - start < 60
    for path in tmp_path.glob("pid-*"):
        until(lambda path=path: not alive(int(path.name.split("-")[1])))


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_the_one_that_started_it(tmp_path: Path, how: signal.Signals) -> None:
    """Killed by itself, as by a system without memory, or by a person at a terminal: all of its group."""
    code = f"""
from jobs.base.engine.embedded import Embedded
from jobs.base.engine.tasks import Task
from {HERE} import sleeps

if __name__ == "__main__":
    with Embedded(2, {MEMORY}) as engine:
        engine.run_tasks([Task("sleeps", sleeps, folder={str(tmp_path)!r})])
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, start_new_session=True, stderr=subprocess.PIPE, text=True
    )
    until(lambda: bool(list(tmp_path.glob("pid-*"))), 120)
    tree = tree_of(process.pid)
    assert len(tree) >= 4
    if how == signal.SIGINT:
        os.killpg(process.pid, how)
    else:
        process.send_signal(how)
    _, told = process.communicate(timeout=60)
    until(lambda: not any(alive(each) for each in tree))
    if how == signal.SIGINT:
        assert told.count("Traceback") <= 1 and "KeyboardInterrupt" in told


# --- memory and workers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, 8, 64])
@pytest.mark.parametrize("memory", [256, 512, 700, 1000, 1500, 2000, 4000, 64_000])
def test_processes_together_fit_the_memory(workers: int, memory: int) -> None:
    engine = Embedded(workers, memory * 1_000_000)
    assert 1 <= engine.workers <= workers and engine.task_bytes >= LEAST_TASK_BYTES
    total = STEERING_BYTES + engine.workers * (BASE_BYTES + engine.task_bytes)
    # One worker with the least that it works in may be more than what is allowed.
    is_least = (engine.workers, engine.task_bytes) == (1, LEAST_TASK_BYTES)
    assert total <= memory * 1_000_000 or is_least
    if memory >= 1000:
        assert engine.workers >= min(workers, 2)
        assert engine.task_bytes >= ENOUGH_TASK_BYTES
    if memory >= 1500:
        assert total <= memory * 1_000_000 - RESERVE_BYTES


# --- whole runs ---------------------------------------------------------------------------------------------


class Deadly(Embedded):
    """An engine of which every task's process dies the first time, half of them when their work is done."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.deaths: list[str] = []

    def run_tasks(self, tasks: Any, done: Any = lambda count: None) -> list[Any]:
        return super().run_tasks([self.deadly(task, place) for place, task in enumerate(tasks)], done)

    def deadly(self, task: Task[Any], place: int) -> Task[Any]:
        def smaller() -> Sequence[Task[Any]]:
            self.deaths.append(task.about)
            return task.split_task()

        return Task(task.about, work_and_die, task.call, is_late=bool(place % 2)).cut_by(smaller)


def work_and_die(call: Callable[[], Any], is_late: bool) -> None:
    if is_late:
        perform_call(call)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def settings(tmp_path: Path) -> config.Observatory:
    """Settings of two operators with the lab's logs, pulled."""
    logs = [
        operator_toml(
            *("lab-mail", "Lab mail provider", "CHE", "lab", "CHF", MAIL_NETWORK),
            source_toml("mx1", str(LAB / "postfix" / "mail.iso8601.log"), "postfix"),
            source_toml("filter", str(LAB / "postfix" / "rspamd.log"), "rspamd"),
        ),
        operator_toml(
            *("lab-sms", "Lab SMS operator", "CYP", "lab", "EUR"),
            'number_prefixes = ["+3579"]\n[[operator.link]]\nname = "SMPP-INTL"\nkind = "hub"\n',
            source_toml("bearerbox", str(LAB / "kannel" / "bearerbox-access.log"), "kannel"),
        ),
    ]
    text = '[lake]\nroot = "lake"\n[limits]\nquarantined_pct = 40\n' + "\n".join(logs)
    (tmp_path / "observatory.toml").write_text(text)
    return load_with_options(tmp_path / "observatory.toml")


def run_on(settings: config.Observatory, root: Path, engine: Any, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Pull and run everything into a lake of its own, on an engine."""
    settings = settings.model_copy(update={"lake": settings.lake.model_copy(update={"root": str(root)})})
    for operator in settings.operator:
        assert pull_operator(operator, str(root), runner.record.utc_now()).problems == []
    lake = Lake(str(root))
    with monkeypatch.context() as patch:
        patch.setattr(runner, "engine_of", lambda work, log_bytes: engine)
        run_stages(Run(lake, settings, list(settings.operator), "r", report_step=lambda text: None))
    return lake


@pytest.mark.long
def test_a_run_whose_every_task_dies_once_gives_the_same_tables(
    settings: config.Observatory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run_on(settings, tmp_path / "whole", Inline(), monkeypatch)
    monkeypatch.setattr("jobs.base.engine.silver_buckets.SMALLEST_BUCKET", 100_000)
    monkeypatch.setattr("jobs.operators.build.ranges.SMALLEST_RANGE", 50_000)
    deadly = Deadly(2, MEMORY)
    lake = run_on(settings, tmp_path / "deadly", deadly, monkeypatch)
    tables = (*SILVER, *GOLD)
    assert rows_in(lake, tables) == rows_in(whole, tables)
    counts = ["line_count", "record_count", "ignored_count", "quarantined_count"]
    ledgers = [
        each.read("bronze.file").sort("source_id").select("source_id", *counts) for each in (lake, whole)
    ]
    assert ledgers[0].equals(ledgers[1])
    # Every kind of task died. Small logs share a task, which is named by the first of them.
    for about in (
        *("lab-mail/mx1, ", "silver, bucket ", "silver, messages of bucket "),
        *("silver, refusals", "gold, signatures", "gold, members", "gold, count", "gold, files of gold."),
    ):
        assert any(each.startswith(about) for each in deadly.deaths), (about, sorted(set(deadly.deaths)))
    assert files_of_no_version(lake) == []


def files_of_no_version(lake: Lake) -> list[str]:
    """Parquet files in the folders of tables that no version in their log has."""
    found = []
    for table in (*SILVER, *GOLD):
        if not lake.exists(table):
            found += [str(path) for path in Path(lake.path(table)).rglob("part-*.parquet")]
            continue
        known = set()
        for version in range(lake.version(table) + 1):
            known |= {each.path for each in lake.files(table, version)}
        found += [
            str(path) for path in Path(lake.path(table)).rglob("part-*.parquet") if str(path) not in known
        ]
    return found


@pytest.mark.long
@pytest.mark.parametrize(
    "names",
    ["lab-mail/", "silver, bucket "],
)
def test_a_task_that_keeps_dying_is_a_short_message_and_exit_code_4(
    settings: config.Observatory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    names: str,
) -> None:
    class Doomed(Embedded):
        def run_tasks(self, tasks: Any, done: Any = lambda count: None) -> list[Any]:
            return super().run_tasks([doomed(each) for each in tasks], done)

    def doomed(task: Task[Any]) -> Task[Any]:
        if not task.about.startswith(names):
            return task
        made = Task(task.about, work_and_die, task.call, is_late=False)
        return made.cut_by(lambda: [doomed(each) for each in task.split_task()])

    monkeypatch.setattr(runner, "engine_of", lambda work, log_bytes: Doomed(2, MEMORY))
    monkeypatch.setenv("COLUMNS", "500")
    monkeypatch.setattr(sys, "argv", ["observatory", "run", "--config", str(tmp_path / "observatory.toml")])
    with pytest.raises(SystemExit) as end:
        command_line.command()
    told = capsys.readouterr().err
    assert end.value.code == 4
    assert f"TaskDied: {names}" in told and "its process ended twice" in told
    assert "Run the same command again" in told and "Traceback" not in told
    monkeypatch.undo()
    monkeypatch.setenv("OBSERVATORY_PSEUDONYM_KEY", KEY)
    # The same command again does it all.
    assert run_on(settings, tmp_path / "lake", Inline(), monkeypatch).read("silver.message").height


# --- staging ------------------------------------------------------------------------------------------------


def test_frames_come_back_from_staging_as_they_were(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [1, None], "b": [["x"], []], "c": [b"\x00", None]})
    left = leave_frame(frame, "some", str(tmp_path))
    assert left[0].rows == 2 and left[0].bytes == Path(left[0].path).stat().st_size
    found = take_frames([*left, *leave_frame(frame, "some", str(tmp_path))])
    assert found is not None and found.equals(pl.concat([frame, frame]))
    assert leave_frame(frame.clear(), "none", str(tmp_path)) == [] and take_frames([]) is None


def test_frames_of_many_buckets_share_a_file(tmp_path: Path) -> None:
    """Tasks times buckets files would be a hundred times as many for ten times the logs."""
    frames = [(number, pl.DataFrame({"a": [number] * number})) for number in range(9)]
    left = leave_buckets(frames, "some", str(tmp_path), 16)
    assert len(list(tmp_path.iterdir())) == 1
    # A frame without rows leaves nothing.
    assert [(each.bucket, each.count, each.rows) for each in left] == [(n, 16, n) for n in range(1, 9)]
    for each in reversed(left):
        assert each.read_rows().equals(frames[each.bucket][1])


@pytest.mark.parametrize("count", [1, 2, 8])
def test_every_row_is_in_one_of_the_halves_of_its_bucket(count: int) -> None:
    for value in range(200):
        [own] = [number for number in range(count) if value % count == number]
        halves_of = Bucket(own, count).halves
        assert [half.number for half in halves_of if value % half.count == half.number] == [
            value % (2 * count)
        ]
        # Frames that were cut more finely, or less, are looked at where they may have rows of a bucket, once.
        cuts = (1, 2, 4, 16)
        left = ByBucket(StagedFrame("x", "p", 1, 1, number, cut) for cut in cuts for number in range(cut))
        own_frames = [("x", value % cut, cut) for cut in cuts]
        found = [(each.name, each.bucket, each.count) for each in left.frames_of(Bucket(own, count))]
        assert set(own_frames) <= set(found) and len(set(found)) == len(found)
        assert all(bucket % min(cut, count) == own % min(cut, count) for _, bucket, cut in found)
        of_halves = [
            (each.name, each.bucket, each.count) for half in halves_of for each in left.frames_of(half)
        ]
        assert set(of_halves) == set(found)


def test_the_debugger_begins_before_the_named_task_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The task, its function and what it gets are at hand, as docs/debugging.md shows."""
    seen = []

    def stop() -> None:
        task = sys._getframe(1).f_locals["task"]
        seen.append((task.about, task.function.__name__, task.call.keywords))

    monkeypatch.setenv("OBSERVATORY_STOP_AT", "bucket 2")
    monkeypatch.setattr(sys, "breakpointhook", stop)
    tasks = [Task(f"silver, bucket {number} of 2", take_frames, left=[]) for number in (1, 2)]
    assert Inline().run_tasks(tasks) == [None, None]
    assert seen == [("silver, bucket 2 of 2", "take_frames", {"left": []})]
