"""Clocks and zones of logs that disagree: run, status and page say so, and the setting that they name gives
the figures of logs that agree. The sample generator shifts one log, and nothing else differs."""

import dataclasses
import datetime as dt
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.base.store.lake import Lake
from sample_data.generate import generate
from sample_data.generator.profiles import HIMAL
from tests.support.clock_layouts import Log, Mail, lines_of
from tests.support.in_process import Told, command_line_of
from tests.support.whole_runs import operator_toml, rows_in, source_toml

pytestmark = pytest.mark.long

Command = Callable[..., Told]
START = dt.date(2026, 11, 20)


@pytest.fixture
def observatory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.delenv("OBSERVATORY_READ_AT", raising=False)
    return command_line_of(monkeypatch, capsys, 400)


def written(folder: Path, days: int = 1, megabytes: float = 0.25, **about: object) -> Path:
    """Logs of a mail server in +01:00 that state it, and of its filter, which do not. The settings name
    no zone."""
    operator = dataclasses.replace(HIMAL, stamp="iso", time_zone="Europe/Zurich", **about)  # type: ignore[arg-type]
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
    wrong = volume(tmp_path)
    status = observatory("status", "--config", file)
    assert (status.code, said in status.out) == (3, True)
    told = observatory("status", "--json", "--config", file)
    assert (told.code, said in told.err, len(json.loads(told.out))) == (3, True, 2)
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
    status = observatory("status", "--config", file)
    assert (status.code, said in ran.err + status.out) == (0, False)
    observatory("report", "--config", file, "--output", tmp_path / "page")
    assert "ahead of" not in (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    truth = tmp_path / "truth"
    right = written(truth)
    with_setting(right, 'time_zone = "Europe/Zurich"')
    observatory("run", "--config", right)
    assert wrong != volume(tmp_path) == volume(truth)


@pytest.mark.parametrize("ahead", [-4000, pytest.param(1907, marks=pytest.mark.long)])
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


def lines_of_day(day: dt.date, mails: int, judged: int) -> tuple[str, str]:
    """A day's mail log, and the filter's log, which has verdicts on so many of the mails."""
    server, filters = [], []
    for number in range(mails):
        at = dt.datetime.combine(day, dt.time(8), dt.UTC) + dt.timedelta(seconds=37 * number)
        mail = Mail(day.day * 1000 + number, at, 4)
        server += lines_of(Log("mx1", "postfix iso"), [mail])
        filters += lines_of(Log("filter", "rspamd"), [mail]) if number < judged else []
    return "\n".join([*server, ""]), "\n".join([*filters, ""])


def site_of(folder: Path, days: list[tuple[int, int]]) -> Path:
    """Settings, and logs of days: mails, and how many of them have verdicts."""
    logs = [
        lines_of_day(dt.date(2026, 11, 10) + dt.timedelta(days=number), *of_day)
        for number, of_day in enumerate(days)
    ]
    (folder / "mail.log").write_text("".join(server for server, _ in logs), encoding="utf-8")
    (folder / "filter.log").write_text("".join(filters for _, filters in logs), encoding="utf-8")
    sources = [
        source_toml("mx1", str(folder / "mail.log"), "postfix"),
        source_toml("filter", str(folder / "filter.log"), "rspamd"),
    ]
    about = operator_toml("a", "A", "CHE", "a", "CHF", 'domains = ["own.example"]\n', *sources)
    file = folder / "observatory.toml"
    file.write_text(f'[lake]\nroot = "lake"\nread_at = 2026-11-25T00:00:00Z\n{about}', encoding="utf-8")
    return file


def test_a_day_with_far_fewer_joins_than_those_before_is_named(tmp_path: Path, observatory: Command) -> None:
    # The last day's logs may not all be there yet.
    file = site_of(tmp_path, [(110, 100), (110, 104), (110, 96), (110, 20), (110, 10)])
    said = (
        "operator 'a', source 'mx1': on 2026-11-13 18% of the recipients have a filter's verdict; on the days"
        " before it was 91%."
    )
    ran = observatory("run", "--config", file)
    assert (ran.code, said in ran.err) == (0, True), ran.err
    assert said in observatory("status", "--config", file).out
    observatory("report", "--config", file, "--output", tmp_path / "page")
    assert "have a filter&#39;s verdict" in (tmp_path / "page" / "index.html").read_text(encoding="utf-8")


def test_days_alike_and_days_without_a_filter_are_not(tmp_path: Path, observatory: Command) -> None:
    for number, days in enumerate(([(110, 60), (110, 100), (110, 55), (110, 60)], [(110, 5)] * 4)):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert "Warning" not in observatory("run", "--config", site_of(folder, days)).err


def test_verdicts_whose_messages_no_log_has_are_named(tmp_path: Path, observatory: Command) -> None:
    file = site_of(tmp_path, [(130, 130)])
    server, _ = lines_of_day(dt.date(2026, 11, 10), 50, 0)
    (tmp_path / "mail.log").write_text(server, encoding="utf-8")
    said = "operator 'a', source 'filter': the messages of only 38% of 130 verdicts are in a log"
    assert said in observatory("run", "--config", file).err
    assert said in observatory("status", "--config", file).out


def test_smsbox_an_hour_from_bearerbox_is_named(tmp_path: Path, observatory: Command) -> None:
    begin = dt.datetime(2026, 11, 24, 9, tzinfo=dt.UTC)
    times = [begin + dt.timedelta(seconds=61 * number) for number in range(20)]
    sent = "".join(
        f"{at:%Y-%m-%d %H:%M:%S} Sent SMS [SMSC:HUB] [SVC:s] [ACT:] [BINF:] [FID:f{number}] [META:]"
        f" [from:SHOP] [to:3579900{number:04d}] [flags:-1:0:-1:-1:31] [msg:5:hello] [udh:0:]\n"
        for number, at in enumerate(times)
    )
    asked = "".join(
        f"{at + dt.timedelta(hours=2):%Y-%m-%d %H:%M:%S} send-SMS request added - sender:s:SHOP 192.0.2.10"
        f" target:3579900{number:04d} request: 'hello'\n"
        for number, at in enumerate(times)
    )
    (tmp_path / "bearerbox.log").write_text(sent, encoding="utf-8")
    (tmp_path / "smsbox.log").write_text(asked, encoding="utf-8")
    sources = [
        source_toml("bearerbox", str(tmp_path / "bearerbox.log"), "kannel"),
        source_toml("smsbox", str(tmp_path / "smsbox.log"), "kannel_smsbox"),
    ]
    about = operator_toml("a", "A", "CYP", "a", "EUR", 'number_prefixes = ["+357"]\n', *sources)
    file = tmp_path / "observatory.toml"
    file.write_text(f'[lake]\nroot = "lake"\nread_at = 2026-11-25T00:00:00Z\n{about}', encoding="utf-8")
    ran = observatory("run", "--config", file)
    assert "source 'smsbox' are 2:00:00 ahead of those of source 'bearerbox', by 20 ids" in ran.err
    assert "Set time_zone = \"Asia/Nicosia\" for 'smsbox'" in ran.err


@pytest.mark.parametrize("is_reversed", [False, True])
def test_files_that_come_in_several_runs_give_the_same_rows_and_sentences(
    tmp_path: Path, observatory: Command, is_reversed: bool
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    about = {"days": 2, "megabytes": 0.3, "filter_time_zone": "UTC", "filter_ahead_s": 4000}
    observatory("run", "--config", written(whole, **about))  # type: ignore[arg-type]
    file = written(parts, **about)  # type: ignore[arg-type]
    logs = sorted((parts / "himal-mail").iterdir(), reverse=is_reversed)
    assert len(logs) >= 4
    aside = parts / "aside"
    aside.mkdir()
    for log in logs:
        log.rename(aside / log.name)
    for log in logs:
        (aside / log.name).rename(log)
        observatory("run", "--config", file)
    silver = ("silver.transmission", "silver.verdict", "silver.message")
    one, other = (rows_in(Lake(str(folder / "lake")), silver) for folder in (whole, parts))
    assert one == other
    said = [observatory("status", "--config", folder / "observatory.toml").out for folder in (whole, parts)]
    problems = [text.partition("Problems\n")[2].partition("\n\n")[0] for text in said]
    assert problems[0] == problems[1] and "1:06:4" in problems[0]
