"""Ctrl-C in the middle of a run, in a real process: what counts stays as it was, and the next run goes on."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from jobs.base.store import record
from jobs.base.store.lake import Lake
from jobs.cli.interrupt import Interrupted, catch_interrupts, interruptible
from jobs.cli.operators.pipeline import pull_all, run_with_progress
from jobs.cli.progress import Meter
from jobs.operators.ingest.source_options import load_with_options
from tests.support.commands import ROOT
from tests.support.whole_runs import operator_toml, source_toml

LOG = ROOT / "sample_data" / "lab" / "postfix" / "mail.rfc3164.log"
SETTINGS = '[lake]\nroot = "lake"\n' + operator_toml(
    *("a", "A", "CHE", "a", "CHF", 'domains = ["example.test"]\n'), source_toml("mx1", "mail.log*", "postfix")
)


def start(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "jobs", "run", "--config", str(folder / "observatory.toml")]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def stopped_when(folder: Path, holds: Callable[[], bool]) -> str:
    """Return the output of a run that gets SIGINT, with all of its processes, once a condition holds."""
    process = start(folder)
    end = time.monotonic() + 300
    while not holds() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 130, told
    assert "Traceback" not in told and "\x1b" not in told and "\r" not in told
    return told


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="signals to a group of processes")
def test_an_interrupted_run_leaves_what_counts_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "observatory.toml").write_text(SETTINGS, encoding="utf-8")
    lines = LOG.read_bytes()
    (tmp_path / "mail.log.1").write_bytes(lines)
    process = start(tmp_path)
    out, told = process.communicate(timeout=300)
    assert (process.returncode, "gold.spam_volume_daily" in out) == (0, True), told
    lake = Lake(str(tmp_path / "lake"))
    before = lake.versions()
    rows = lake.read("gold.spam_volume_daily", before["gold.spam_volume_daily"])

    # Enough for workers, and for many tasks; other messages than before, on other days.
    more = [lines.replace(b"Nov 24", b"Nov %02d" % day) for day in range(1, 21)]
    (tmp_path / "mail.log").write_bytes(b"".join(more))
    written = set((tmp_path / "lake" / "bronze").rglob("part-*"))
    told = stopped_when(tmp_path, lambda: bool(set((tmp_path / "lake" / "bronze").rglob("part-*")) - written))
    assert "Stopped. The lake's tables are as they were." in told
    assert lake.versions() == before

    told = stopped_when(tmp_path, lambda: lake.versions()["bronze.file"] > before["bronze.file"])
    assert "bronze is finished and kept; silver and gold are as they were" in " ".join(told.split())
    now = lake.versions()
    assert {name: now[name] for name in before if not name.startswith("bronze.")} == {
        name: version for name, version in before.items() if not name.startswith("bronze.")
    }
    assert lake.read("gold.spam_volume_daily", now["gold.spam_volume_daily"]).equals(rows)

    process = start(tmp_path)
    _, told = process.communicate(timeout=300)
    assert process.returncode == 0, told
    days = lake.read("gold.spam_volume_daily", lake.versions()["gold.spam_volume_daily"])["period_date"]
    assert days.n_unique() == 21


@pytest.mark.long
@pytest.mark.parametrize(
    ("stage", "what"),
    [
        ("bronze", "bronze is finished and kept; silver and gold are as they were"),
        ("silver", "bronze and silver are finished and kept; gold is as it was"),
        ("gold", "Every stage is finished"),
    ],
)
def test_a_stage_that_has_its_row_is_said_to_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, what: str
) -> None:
    """Readers see its tables, though its run was not told so yet."""
    (tmp_path / "observatory.toml").write_text(SETTINGS, encoding="utf-8")
    (tmp_path / "mail.log").write_bytes(LOG.read_bytes())
    settings = load_with_options(tmp_path / "observatory.toml")
    pull_all(settings, None, is_followed=True)
    add_stage = record.add_stage

    def add_and_stop(lake: Lake, run_id: str, name: str, *others: Any) -> None:
        add_stage(lake, run_id, name, *others)
        if name == stage:
            raise KeyboardInterrupt

    monkeypatch.setattr(record, "add_stage", add_and_stop)
    with pytest.raises(Interrupted, match=what):
        run_with_progress(settings, None, ["bronze", "silver", "gold"])


@pytest.fixture
def caught() -> Iterator[None]:
    """Ctrl-C as the command line catches it, for one test."""
    before = signal.getsignal(signal.SIGINT), sys.unraisablehook
    catch_interrupts()
    yield
    catch_interrupts()
    signal.signal(signal.SIGINT, before[0])
    sys.unraisablehook = before[1]


def test_a_ctrl_c_that_polars_takes_says_what_counts(caught: None) -> None:
    """Polars raises KeyboardInterrupt of its own, which libraries for command lines would take for theirs."""
    stages = ["bronze", "silver", "gold"]
    with (
        pytest.raises(Interrupted, match="bronze is finished and kept"),
        interruptible(lambda: ["bronze"], stages),
    ):
        raise KeyboardInterrupt


class Closing:
    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def test_a_ctrl_c_that_is_lost_in_clean_up_stops_the_run_all_the_same(
    caught: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python ignores what is raised where an object is deleted, and prints a traceback."""
    meter = Meter(Console(file=io.StringIO()), ["alp"])
    stages = ["bronze", "silver", "gold"]
    with pytest.raises(Interrupted, match="gold are as they were"), interruptible(lambda: ["bronze"], stages):
        Closing()
        meter.report_step("silver: alp")
    # Also where nothing follows that asks.
    catch_interrupts()
    with (
        pytest.raises(Interrupted, match="Every stage is finished"),
        interruptible(lambda: ["gold"], ["gold"]),
    ):
        Closing()
    assert "Traceback" not in capsys.readouterr().err
