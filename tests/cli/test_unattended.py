"""What a scheduler goes by: which failures end with the exit code for another try; the rest goes on."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from jobs.engine.lake import Lake
from tests.support.in_process import Run, command_line_of
from tests.support.whole_runs import operator_toml, source_toml

LINE = "2026-11-24T10:00:0{}+00:00 mx1 postfix/qmgr[7]: 4jYlH071Srz1fPl{}: removed\n"
AGAIN, WRONG = 5, 2


@pytest.fixture
def observatory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return command_line_of(monkeypatch, capsys)


def settings_of(folder: Path, *sources: str) -> Path:
    file = folder / "observatory.toml"
    file.write_text('[lake]\nroot = "lake"\n' + operator_toml("a", "A", "CHE", "a", "CHF", "", *sources))
    return file


def landed(folder: Path) -> set[str]:
    """The sources that pieces were landed of."""
    return {path.parent.name for path in (folder / "lake/landing").rglob("*.log*")}


def test_a_source_that_was_there_and_is_away_is_worth_another_try(observatory: Run, tmp_path: Path) -> None:
    mount = tmp_path / "mount"
    mount.mkdir()
    (mount / "mail.log").write_text(LINE.format(1, "A"))
    (tmp_path / "other.log").write_text(LINE.format(2, "B"))
    file = settings_of(
        tmp_path, source_toml("mx1", "mount/mail.log*", "postfix"), source_toml("mx2", "other.log", "postfix")
    )
    assert observatory("pull", "--config", file).code == 0
    mount.rename(tmp_path / "elsewhere")
    (tmp_path / "other.log").write_text(LINE.format(2, "B") + LINE.format(3, "C"))
    told = observatory("run", "--config", file)
    words = " ".join(told.err.split())
    assert told.code == AGAIN
    assert "operator 'a', source 'mx1'" in words and "is away" in words and "the next pull" in words
    # The other source was read.
    assert Lake(str(tmp_path / "lake")).read("bronze.file")["source_id"].to_list().count("mx2") == 2


def test_a_source_that_never_had_a_file_is_a_wrong_setting(observatory: Run, tmp_path: Path) -> None:
    file = settings_of(tmp_path, source_toml("mx1", "mial.log*", "postfix"))
    assert observatory("pull", "--config", file).code == WRONG


def test_what_lasts_is_not_worth_another_try_and_stops_no_other_file(
    observatory: Run, tmp_path: Path
) -> None:
    (tmp_path / "mail.log").write_text(LINE.format(1, "A"))
    (tmp_path / "mail.log.1").symlink_to(tmp_path / "gone.log")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("mail.log", LINE.format(2, "B"))
    (tmp_path / "mail.log.zip").write_bytes(packed.getvalue())
    file = settings_of(tmp_path, source_toml("mx1", "mail.log*", "postfix"))
    told = observatory("run", "--config", file)
    words = " ".join(told.err.split())
    assert told.code == WRONG
    assert f"{tmp_path}/mail.log.1 is a link to {tmp_path}/gone.log, which is not there" in words
    assert "mail.log.zip is an archive (zip)" in words
    assert Lake(str(tmp_path / "lake")).read("bronze.file")["record_count"].sum() == 1
