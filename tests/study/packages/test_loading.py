"""Packages are loaded whole or not at all, and none keeps the others from it;
the one computed last stands."""

import datetime as dt
import itertools
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.base.packages.counts import PACKAGE_TABLES, VOLUME
from jobs.base.settings.config import Observatory
from jobs.base.store import joint_commit
from jobs.base.store.lake import Lake
from jobs.study.estimates.steps import study_stage
from jobs.study.packages.loading import RECEIPT, land_packages
from tests.base.packages.test_packages import OPERATOR, OTHER, day_of, loaded, months_in, state
from tests.study.packages.test_package_checks import good, received, sent, with_manifest
from tests.support.submission_lake import AT, COMPUTED

pytestmark = pytest.mark.long

__all__ = ["good"]


def test_a_package_that_cannot_be_loaded_does_not_keep_the_others_from_it(
    good: bytes, tmp_path: Path
) -> None:
    bad = with_manifest(good, tmp_path / "bad.zip", ["least_units"], 10**400)
    other = sent(tmp_path / "other", [day_of("2026-10-02", 50)], operator=OTHER)
    lake = Lake(str(tmp_path / "lake"))
    refused, taken = received(bad), received(other)
    land_packages(lake, [refused, taken], "r")
    assert refused.wrong and not taken.wrong
    assert lake.read(RECEIPT)["operator_id"].to_list() == ["north-sms"]


@pytest.mark.parametrize("stops_at", [*PACKAGE_TABLES, RECEIPT, "meta.run"])
@pytest.mark.parametrize("is_killed", [False, True])
def test_a_package_is_loaded_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stops_at: str, is_killed: bool
) -> None:
    """A reader of each table's latest version, as estimates are, sees no half either; after a kill once the
    next command has begun."""
    lake = Lake(str(tmp_path / "lake"))
    land_packages(lake, [received(sent(tmp_path / "1", [day_of("2026-10-02", 50)]))], "first")
    before = {table: rows_of(lake, table) for table in (*PACKAGE_TABLES, RECEIPT)}
    later = COMPUTED + dt.timedelta(days=1)
    second = received(sent(tmp_path / "2", [day_of("2026-10-02", 90)], later))
    stop_writing(monkeypatch, stops_at, is_killed)
    with pytest.raises(OSError if not is_killed else Killed):
        land_packages(lake, [second], "second")
    monkeypatch.undo()
    if is_killed:
        joint_commit.undo_unfinished(lake)
    assert {table: rows_of(lake, table) for table in (*PACKAGE_TABLES, RECEIPT)} == before
    assert months_in(lake) == {"2026-10": 50}
    assert loaded(lake, received(tmp_path / "2" / "north-mail_2026-Q4.zip")) == []
    assert months_in(lake) == {"2026-10": 90}
    state(lake)


def test_the_first_package_of_a_lake_is_undone_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(str(tmp_path / "lake"))
    stop_writing(monkeypatch, RECEIPT, False)
    with pytest.raises(OSError):
        land_packages(lake, [received(sent(tmp_path / "1", [day_of("2026-10-02", 50)]))], "first")
    assert all(lake.read(table).is_empty() for table in (*PACKAGE_TABLES, RECEIPT))


def test_estimating_undoes_what_a_killed_loading_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(str(tmp_path / "lake"))
    stop_writing(monkeypatch, VOLUME, True)
    with pytest.raises(Killed):
        land_packages(lake, [received(sent(tmp_path / "1", [day_of("2026-10-02", 50)]))], "first")
    monkeypatch.undo()
    assert not lake.read("study.submission_type").is_empty()
    with pytest.raises(ObservatoryError):
        study_stage.estimate_tables(lake, Observatory(), tmp_path, "r", lambda text: None)
    assert lake.read("study.submission_type").is_empty()


class Killed(BaseException):
    """An error in place of a signal: nothing after it is done."""


def stop_writing(monkeypatch: pytest.MonkeyPatch, table: str, is_killed: bool) -> None:
    """Let the writing of a table fail, or the program end there without undoing anything."""
    error: BaseException = Killed() if is_killed else OSError("No space left on device")
    for method in ("replace", "append"):
        original = getattr(Lake, method)

        def stops(self: Lake, frame: pl.DataFrame, of: str, *rest: Any, do: Any = original) -> Any:
            if of == table:
                raise error
            return do(self, frame, of, *rest)

        monkeypatch.setattr(Lake, method, stops)
    if is_killed:
        undo = joint_commit.undo_unfinished
        calls = itertools.count()
        # The first call is the one before anything is written; who is killed makes no other.
        monkeypatch.setattr(joint_commit, "undo_unfinished", lambda lake: None if next(calls) else undo(lake))


def rows_of(lake: Lake, table: str) -> list[Any]:
    frame = lake.read(table)
    return sorted(map(repr, frame.iter_rows()))


def test_one_that_cannot_be_written_is_named_and_the_others_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(str(tmp_path / "lake"))
    packages = [
        received(sent(tmp_path / each.id, [day_of("2026-10-02", 50)], operator=each))
        for each in (OPERATOR, OTHER)
    ]
    replace = Lake.replace

    def fails(self: Lake, frame: pl.DataFrame, of: str, where: str, note: Any = None) -> int:
        if "EMAIL" in set(frame["channel_code"]):
            raise pl.exceptions.ComputeError("nobody thought of it")
        return replace(self, frame, of, where, note)

    monkeypatch.setattr(Lake, "replace", fails)
    land_packages(lake, packages, "r")
    assert [each.wrong for each in packages] == [
        ["it cannot be written: ComputeError: nobody thought of it"],
        [],
    ]
    assert lake.read(RECEIPT)["operator_id"].to_list() == ["north-sms"]
    assert set(lake.read(VOLUME)["channel_code"]) == {"SMS"}


@pytest.mark.parametrize("at", [None, AT + dt.timedelta(days=30)])
def test_an_old_package_that_is_sent_again_does_not_replace_a_newer_one(
    tmp_path: Path, at: dt.datetime | None
) -> None:
    """The manifest decides which counts are newer, whatever time its file has and whoever says that it came
    in later. A package that the study never loaded replaces no newer one either."""
    lake = Lake(str(tmp_path / "lake"))
    old = sent(tmp_path / "old", [day_of("2026-10-02", 50)])
    new = sent(tmp_path / "new", [day_of("2026-10-02", 90)], COMPUTED + dt.timedelta(days=1))
    unseen = sent(tmp_path / "unseen", [day_of("2026-10-02", 70)], COMPUTED + dt.timedelta(hours=1))
    assert loaded(lake, received(old)) == []
    assert loaded(lake, received(new, AT + dt.timedelta(days=1))) == []
    for file in (old, unseen):
        file.touch()
        found = received(file, at)
        wrong = loaded(lake, found)
        assert months_in(lake) == {"2026-10": 90}
        if not found.is_known:
            (message,) = wrong
            assert message.startswith("its counts were computed 2026-11-20 0")
            assert "north-mail_2026-Q4.zip, which stands, 2026-11-21 00:00" in message


def test_of_packages_that_are_loaded_together_the_one_computed_last_stands(tmp_path: Path) -> None:
    """An inbox that was copied has the files' times in any order."""
    old = sent(tmp_path / "old", [day_of("2026-10-02", 50)])
    new = sent(tmp_path / "new", [day_of("2026-10-02", 90)], COMPUTED + dt.timedelta(days=1))
    lake = Lake(str(tmp_path / "lake"))
    assert loaded(lake, received(new, AT), received(old, AT + dt.timedelta(days=1))) == []
    assert months_in(lake) == {"2026-10": 90}
    # A clock that is wrong would keep the operator's corrections out.
    ahead = sent(tmp_path / "ahead", [day_of("2026-10-02", 95)], dt.datetime(2036, 1, 1, tzinfo=dt.UTC))
    (message,) = received(ahead).wrong
    assert message.startswith("its counts were computed 2036-01-01 00:00, which is in the future")
