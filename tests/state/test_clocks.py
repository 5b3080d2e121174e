"""Clocks and zones of logs that disagree: run, status and page say so, and the setting that they name gives
the figures of logs that agree. The sample generator shifts one log, and nothing else differs."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.engine.lake import Lake
from sample_data.generate import generate
from sample_data.generator.profiles import LAGOON
from tests.support.in_process import Told, command_line_of

Command = Callable[..., Told]
START = dt.date(2026, 11, 20)


@pytest.fixture
def observatory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.delenv("OBSERVATORY_READ_AT", raising=False)
    return command_line_of(monkeypatch, capsys, 400)


def written(folder: Path, days: int = 1, megabytes: float = 0.25, **about: object) -> Path:
    """Logs of a mail server in +01:00 that state it, and of its filter, which do not. The settings name
    no zone."""
    operator = dataclasses.replace(LAGOON, time_zone="Europe/Zurich", **about)  # type: ignore[arg-type]
    generate(folder, operators=(operator,), start=START, days=days, megabytes=megabytes)
    file = folder / "observatory.toml"
    text = re.sub(r'time_zone = ".*"\n', "", file.read_text(encoding="utf-8"))
    file.write_text(text, encoding="utf-8")
    return file


def with_setting(file: Path, setting: str, source: str = "filter") -> None:
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(f'id = "{source}"\n', f'id = "{source}"\n{setting}\n'), encoding="utf-8")


def volume(folder: Path) -> list[str]:
    rows = Lake(str(folder / "lake")).read("gold.spam_volume_daily").to_dicts()
    return sorted(json.dumps(row, default=str) for row in rows)


def test_a_filters_log_in_another_zone_is_named_and_its_setting_mends_all(
    tmp_path: Path, observatory: Command
) -> None:
    file = written(tmp_path)
    said = "the times of source 'filter' are 1:00:00 ahead of those of source 'mx1', by "
    ran = observatory("run", "--config", file)
    assert (ran.code, said in ran.err) == (0, True), ran.err
    status = observatory("status", "--config", file)
    assert said in status.out
    proposed = re.search(r'Set (time_zone = "[^"]+") ', status.out)
    assert proposed and "spam is counted too low" in status.out
    page = observatory("report", "--config", file, "--output", tmp_path / "page")
    assert page.code == 0
    assert "1:00:00 ahead of" in (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    with_setting(file, proposed[1])
    # What was read keeps the former zone, and no other is proposed for it.
    observatory("run", "--config", file)
    again = observatory("status", "--config", file)
    assert "Lines were read before time_zone changed" in again.out and "Set time_zone" not in again.out
    assert observatory("renew", "--anew", "--yes", "--config", file).code == 0
    ran = observatory("run", "--config", file)
    assert said not in ran.err + observatory("status", "--config", file).out
    observatory("report", "--config", file, "--output", tmp_path / "page")
    assert "ahead of" not in (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    truth = tmp_path / "truth"
    right = written(truth)
    with_setting(right, 'time_zone = "Europe/Zurich"')
    observatory("run", "--config", right)
    assert volume(tmp_path) == volume(truth)


@pytest.mark.parametrize("ahead", [-4000, 1907])
def test_a_clock_that_is_wrong_is_set_right_by_its_offset(
    tmp_path: Path, observatory: Command, ahead: int
) -> None:
    file = written(tmp_path, filter_time_zone="UTC", filter_ahead_s=ahead)
    ran = observatory("run", "--config", file)
    proposed = re.search(r"Set clock_offset = (-?\d+) ", ran.err)
    assert proposed and abs(int(proposed[1]) - ahead) <= 5, ran.err
    with_setting(file, f"clock_offset = {proposed[1]}")
    observatory("renew", "--anew", "--yes", "--config", file)
    assert "ahead of" not in observatory("run", "--config", file).err
    truth = tmp_path / "truth"
    observatory("run", "--config", written(truth, filter_time_zone="UTC"))
    assert volume(tmp_path) == volume(truth)
