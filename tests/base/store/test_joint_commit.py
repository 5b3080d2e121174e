"""jobs.base.store.joint_commit: writes to several tables that count together, or not at all."""

from pathlib import Path

import pytest

from jobs.base.core.disk import DiskFull
from jobs.base.store.joint_commit import NOTE, commit_together, undo_unfinished
from jobs.base.store.lake import Lake
from tests.support.file_limits import files_no_longer_than


def test_a_note_without_room_leaves_nothing_that_stops_the_next_command(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    with (
        files_no_longer_than(10),
        pytest.raises(DiskFull, match="load.json"),
        commit_together(lake, ["study.submission"], "r"),
    ):
        raise AssertionError("nothing may be written without a note")
    undo_unfinished(lake)
    assert [each.name for each in (tmp_path / "lake").rglob("*") if each.is_file()] == []
    with commit_together(lake, ["study.submission"], "r"):
        assert (tmp_path / "lake" / NOTE).is_file()
    assert not (tmp_path / "lake" / NOTE).exists()
