"""One writer per lake in an object store: whoever comes second is told who writes, and a dead writer's lease
ends. The server is Versity's gateway."""

import json
import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError

from jobs.base.core.errors import Locked, ObservatoryError
from jobs.base.places import held_leases
from jobs.base.places.file_systems import store_options
from jobs.base.places.held_leases import HELD, others_died
from jobs.base.places.store_errors import CommitLost, LeaseLost, StoreAway, find_store_error
from jobs.base.store import lease, lock
from jobs.base.store.lake import Lake, commit_note
from jobs.base.store.lease import EVERY, LEASE, LOCK, REST, Lease
from jobs.base.store.lock import hold_lock
from jobs.base.store.table_files import rows_of
from jobs.base.tables.contracts import rows_frame
from jobs.operators.ingest.manifest import open_landing, read_manifest
from jobs.operators.ingest.pull import pull_operator
from jobs.operators.ingest.source_options import load_with_options
from tests.operators.ingest.test_clock import NOW, message
from tests.support.held_lock import start_holder
from tests.support.lakes_on_s3 import ROOT, end_lease, start_store
from tests.support.servers import S3
from tests.support.whole_runs import MAIL_NETWORK, operator_toml, source_toml

pytestmark = pytest.mark.remote
TRIALS, LOGS = 20, 10
TABLE = "meta.retention"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    yield from start_store(tmp_path / "s3", monkeypatch)


def held_by(store: S3) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((store.folder / "logs" / "lake" / LOCK).read_text())
    return found


def forget_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process one that holds no lock, like another one."""
    monkeypatch.setattr(lock, "_locked_lakes", set())
    monkeypatch.setattr(held_leases, "HELD", {})
    monkeypatch.setattr(lease, "HELD", held_leases.HELD)


def test_a_second_writer_is_told_who_writes_and_the_lock_is_given_back(
    store: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hold_lock(ROOT, "observatory run"):
        assert held_by(store)["command"] == "observatory run"
        # A command that pulls and runs holds it once.
        with hold_lock(ROOT, "observatory pull"):
            assert held_by(store)["command"] == "observatory run"
        with monkeypatch.context() as other:
            forget_locks(other)
            with pytest.raises(Locked, match=r"`observatory run` .* ends by itself, in 1\d\d seconds"):
                Lease(ROOT, {}).take()
    assert held_by(store) == {}
    with hold_lock(ROOT, "observatory vacuum"):
        assert not others_died(ROOT)


def test_a_dead_writers_lease_ends_and_only_one_takes_it_over(store: S3) -> None:
    other = start_holder(ROOT)
    other.kill()
    other.wait()
    with pytest.raises(Locked, match="observatory run"), hold_lock(ROOT, "observatory pull"):
        pass
    end_lease(store)
    with hold_lock(ROOT, "observatory pull"):
        assert others_died(ROOT) and held_by(store)["command"] == "observatory pull"
        with pytest.raises(Locked, match="observatory pull"):
            Lease(ROOT, {}).take()


def test_a_lease_is_renewed_as_long_as_its_writer_lives(store: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    assert EVERY < LEASE - REST < LEASE and REST < LEASE
    monkeypatch.setattr(lease, "EVERY", 0.05)
    with hold_lock(ROOT, "observatory run"):
        first = held_by(store)["count"]
        end_lease(store)
        until = time.monotonic() + 10
        while held_by(store)["count"] == first and time.monotonic() < until:
            time.sleep(0.02)
        with pytest.raises(Locked):
            Lease(ROOT, {}).take()


def rows(run_id: str) -> pl.DataFrame:
    about = {"run_id": run_id, "removed_at": NOW, "operator_id": "a", "removed_from": "landing"}
    return rows_frame([about | {"removal_code": "age", "file_count": 1, "removed_bytes": 1}], TABLE)


def test_a_writer_that_lost_its_lease_notices_before_it_commits(
    store: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(ROOT)
    with (
        pytest.raises(LeaseLost, match="`observatory run` .*has taken it over"),
        hold_lock(ROOT, "observatory pull"),
    ):
        lake.append(rows("mine"), TABLE)
        # It stood still for longer than its lease.
        end_lease(store)
        own = HELD[ROOT]
        own.renewed -= LEASE
        usurper = Lease(ROOT, lock.describe_holder("observatory run"))
        usurper.take()
        before = sorted(store.files().find("logs"))
        for write in (
            lambda: lake.append(rows("lost"), TABLE),
            lambda: lake.rewrite(rows("lost"), TABLE),
            lambda: lake.delete(TABLE, "run_id = 'mine'"),
            lambda: lake.undo_writes(TABLE, 0),
            lambda: lake.add_notes({"lost": 1}),
            lambda: lake.own_file("")[0].rm("logs/lake/observatory.json"),
        ):
            with pytest.raises(LeaseLost):
                write()
        assert sorted(store.files().find("logs")) == before
        assert lake.read(TABLE)["run_id"].to_list() == ["mine"]
        lake.append(rows("lost"), TABLE)
    # The other one's lock is not given back.
    assert held_by(store)["command"] == "observatory run"


def test_a_commit_upon_another_writers_is_refused(store: S3) -> None:
    """The writer's lease ended between its last look and its commit."""
    lake = Lake(ROOT)
    lake.append(rows("first"), TABLE)
    log = DeltaTable(lake.path(TABLE), storage_options=store_options(ROOT))
    lake.append(rows("second"), TABLE)
    with pytest.raises(CommitFailedError) as failed:
        write_deltalake(log, rows_of(rows("late"), TABLE), mode="append", commit_properties=commit_note(None))
    assert isinstance(find_store_error(failed.value), CommitLost)
    assert sorted(lake.read(TABLE)["run_id"]) == ["first", "second"]


def test_a_store_that_is_away_at_a_renewal_stops_the_writer_in_time(store: S3) -> None:
    lake = Lake(ROOT)
    with hold_lock(ROOT, "observatory pull"):
        lake.append(rows("mine"), TABLE)
        store.kill()
        HELD[ROOT].renewed -= LEASE
        with pytest.raises(StoreAway, match="does not answer"):
            lake.append(rows("late"), TABLE)
        store.start()
        # Nobody took it over: it is this one's still.
        lake.append(rows("again"), TABLE)
    assert sorted(lake.read(TABLE)["run_id"]) == ["again", "mine"]
    assert held_by(store) == {}


# --- two at once --------------------------------------------------------------------------------------------


def site(folder: Path, root: str) -> Path:
    """One operator with some logs in one source."""
    (folder / "logs").mkdir(parents=True)
    for number in range(LOGS):
        (folder / "logs" / f"mx{number}.log").write_text(message(number, "2026-11-23"))
    text = operator_toml(
        *("a", "A", "CHE", "a", "CHF", MAIL_NETWORK), source_toml("mx1", f"{folder}/logs/*.log", "postfix")
    )
    file = folder / "observatory.toml"
    file.write_text(f'[lake]\nroot = "{root}"\n{text}')
    return file


def pull_at_once(files: list[Path], together: Any, codes: Any) -> None:
    """Pull into each lake, at the moment when the other process does."""
    for file in files:
        settings = load_with_options(file)
        together.wait()
        try:
            pull_operator(settings.operator[0], settings.lake.root, NOW)
            codes.put(0)
        except ObservatoryError as error:
            codes.put(error.exit_code)
        except Exception as error:
            codes.put(repr(error))
        together.wait()


def test_of_two_writers_at_once_one_works(tmp_path: Path, store: S3) -> None:
    roots = [f"{ROOT}-{number}" for number in range(TRIALS)]
    files = [site(tmp_path / str(number), root) for number, root in enumerate(roots)]
    context = multiprocessing.get_context("spawn")
    together, codes = context.Barrier(2), context.Queue()
    pulls = [context.Process(target=pull_at_once, args=(files, together, codes)) for _ in range(2)]
    for each in pulls:
        each.start()
    told = [codes.get(timeout=200) for _ in range(2 * TRIALS)]
    for each in pulls:
        each.join()
    # Whoever came second was told so, or came when the first was done.
    assert set(told) <= {0, Locked.exit_code} and told.count(0) >= TRIALS, told
    for root in roots:
        fs, area = open_landing(root)
        streams = read_manifest(fs, f"{area}/a/mx1")
        assert len(streams) == LOGS == len([*fs.glob(f"{area}/a/mx1/*.zst")])
        assert not fs.glob(f"{area}/a/mx1/*.new")
