"""One writer per lake: whoever comes second is told who writes, changes nothing, and may try again."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.base.core.errors import Locked
from jobs.base.settings import config
from jobs.base.store import lock
from jobs.base.store.lake import Lake
from jobs.base.store.lease import LOCK
from jobs.base.store.lock import hold_lock
from jobs.cli import main as command_line
from jobs.operators.audit import command as audit
from jobs.operators.ingest.manifest import open_landing, read_manifest
from jobs.operators.ingest.pull import pull_operator
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.keep import renew
from jobs.operators.runs import runner
from jobs.study.estimates.steps import study_stage
from jobs.study.packages import loading as submission
from jobs.study.questionnaire import loading as questionnaire
from tests.conftest import ROOT
from tests.operators.ingest.test_clock import NOW, message
from tests.support.held_lock import start_holder
from tests.support.landed import data_of
from tests.support.whole_runs import MAIL_NETWORK, operator_toml, rows_in, source_toml
from tests.whole.test_faults import FILTER, MAIL, SMS, settings_of

TRIALS = 20
LOGS = 40


def site(root: Path) -> config.Observatory:
    """One operator with many logs in one source."""
    (root / "logs").mkdir(parents=True)
    for number in range(LOGS):
        (root / "logs" / f"mx{number}.log").write_text(message(number, "2026-11-23"))
    text = operator_toml(
        *("a", "A", "CHE", "a", "CHF", MAIL_NETWORK), source_toml("mx1", f"{root}/logs/*.log", "postfix")
    )
    (root / "observatory.toml").write_text(f'[lake]\nroot = "{root / "lake"}"\n{text}')
    return load_with_options(root / "observatory.toml")


def pull_at_once(roots: list[Path], together: Any, codes: Any) -> None:
    """Pull into each lake, at the moment when the other process does."""
    for root in roots:
        settings = load_with_options(root / "observatory.toml")
        together.wait()
        try:
            pull_operator(settings.operator[0], settings.lake.root, NOW)
            codes.put(0)
        except Locked as error:
            codes.put(error.exit_code)
        except Exception as error:
            codes.put(repr(error))
        together.wait()


@pytest.mark.long
def test_two_pulls_at_once_lose_nothing(tmp_path: Path) -> None:
    roots = [tmp_path / str(number) for number in range(TRIALS)]
    for root in roots:
        site(root)
    context = multiprocessing.get_context("spawn")
    together, codes = context.Barrier(2), context.Queue()
    pulls = [context.Process(target=pull_at_once, args=(roots, together, codes)) for _ in range(2)]
    for each in pulls:
        each.start()
    told = [codes.get(timeout=120) for _ in range(2 * TRIALS)]
    for each in pulls:
        each.join()
    # Whoever came second was told so, or came when the first was done.
    assert set(told) <= {0, 5}
    assert told.count(0) >= TRIALS
    for root in roots:
        settings = load_with_options(root / "observatory.toml")
        assert pull_operator(settings.operator[0], settings.lake.root, NOW).problems == []
        fs, area = open_landing(settings.lake.root)
        streams = read_manifest(fs, f"{area}/a/mx1")
        texts = sorted(data_of(piece.path).decode() for stream in streams for piece in stream.pieces)
        assert texts == sorted(message(number, "2026-11-23") for number in range(LOGS))
        assert not list(root.rglob("*.new"))


def observatory(folder: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "jobs", *words, "--config", str(folder / "observatory.toml")]
    return subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


@pytest.mark.long
def test_of_two_runs_the_second_is_told_to_try_again(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "two", str(MAIL), str(FILTER), str(SMS))
    locked = Path(settings.lake.root) / LOCK
    for _ in range(2):
        first = observatory(tmp_path / "two", "run")
        wait_for(lambda: locked.exists() and locked.stat().st_size > 0, first)
        # It goes on when the second has ended, however quick it is.
        first.send_signal(signal.SIGSTOP)
        second = observatory(tmp_path / "two", "run")
        _, said = second.communicate(timeout=120)
        first.send_signal(signal.SIGCONT)
        assert second.returncode == 5, said
        assert "locked" in said and "observatory run" in said and "since" in said
        assert "Traceback" not in said
        assert first.wait(timeout=300) == 0
    alone = settings_of(tmp_path / "alone", str(MAIL), str(FILTER), str(SMS))
    assert observatory(tmp_path / "alone", "run").wait(timeout=300) == 0
    tables = ("silver.message", "gold.spam_volume_daily", "bronze.postfix")
    drop = {"bronze.postfix": ("ingest_id",)}
    for table in tables:
        one, other = (
            rows_in(Lake(each.lake.root), [table], drop.get(table, ())) for each in (settings, alone)
        )
        assert one == other != {table: []}


def command_of(folder: Path, *words: str) -> list[str]:
    return ["observatory", *words, "--config", str(folder / "observatory.toml")]


@pytest.mark.parametrize(
    "words",
    [
        ["pull"],
        ["run"],
        ["run", "--stage", "gold"],
        ["audit", "sample", "--month", "2026-11"],
        ["study", "estimate", "--files", str(ROOT / "sample_data" / "membership")],
    ],
)
def test_every_command_that_writes_waits_for_no_one(
    tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = site(tmp_path)
    with hold_lock(settings.lake.root, "observatory study load"):
        before = sorted(tmp_path.rglob("*"))
        # As in another process: this one holds no lock.
        monkeypatch.setattr(lock, "_locked_lakes", set())
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", command_of(tmp_path, *words))
        with pytest.raises(SystemExit) as left:
            command_line.main()
        assert left.value.code == 5
        assert sorted(tmp_path.rglob("*")) == before
    said = " ".join(capsys.readouterr().err.split())
    for word in ("locked", "`observatory study load`", "since", "run the same command again"):
        assert word in said


@pytest.mark.long
@pytest.mark.parametrize(
    "writes",
    [
        runner.do_stages,
        *(audit.write_sample, audit.load_labels, renew.renew_lake),
        *(
            study_stage.land_folder,
            study_stage.estimate_tables,
            submission.land_packages,
            questionnaire.land_answers,
        ),
    ],
)
def test_every_function_that_writes_is_the_only_one(tmp_path: Path, writes: Any) -> None:
    lake = Lake(str(tmp_path))
    with start_holder(str(tmp_path)) as other:
        with pytest.raises(Locked):
            writes(lake, *[None] * 5)
        other.kill()


def test_reading_needs_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = site(tmp_path)
    with hold_lock(settings.lake.root, "observatory run"):
        monkeypatch.setattr(lock, "_locked_lakes", set())
        assert Lake(settings.lake.root).read("silver.message").is_empty()
        for words in (["status"], ["show", "gold.spam_volume_daily"]):
            monkeypatch.setattr(sys, "argv", command_of(tmp_path, *words))
            with pytest.raises(SystemExit) as left:
                command_line.main()
            assert not left.value.code


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    """A dead holder's lock is free whatever its process id, which another container may have, too."""
    root = tmp_path / "lake"
    other = start_holder(str(root))
    about = json.loads((root / LOCK).read_text())
    assert about["process"] == other.pid
    with pytest.raises(Locked, match=f"process {other.pid}"), hold_lock(str(root), "observatory pull"):
        pass
    other.send_signal(signal.SIGKILL)
    other.wait()
    with hold_lock(str(root), "observatory pull"):
        assert json.loads((root / LOCK).read_text())["process"] == os.getpid()
        # A command that pulls and runs holds it once.
        with hold_lock(str(root), "observatory run"):
            pass
        assert json.loads((root / LOCK).read_text())["command"] == "observatory pull"
    assert (root / LOCK).read_text() == ""
