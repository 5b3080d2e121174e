"""Zones and clocks of several logs, by the ids that they share: `init`, `report` and `sniff` find them, and
the counts are those of logs that agree."""

import dataclasses
import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import Phase, given
from hypothesis import strategies as st

from jobs.operators.formats.registry import FORMATS
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.sniff.log_clocks import IdTimes, clocks_of, times_in
from jobs.operators.sniff.zones import Zone
from sample_data.generate import generate
from sample_data.generator.profiles import LAGOON
from tests.support.clock_layouts import (
    FILTERS,
    KINDS,
    SERVERS,
    Log,
    Mail,
    bronze_of,
    counts,
    silver_of,
    unshifted,
)
from tests.support.examples import examples
from tests.support.filter_logs import frame_of, source
from tests.support.in_process import Told, command_line_of

Command = Callable[..., Told]
ZONES = (
    *("UTC", "Europe/Zurich", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Chatham"),
    *("Pacific/Pago_Pago", "Pacific/Kiritimati"),
)
STARTS = tuple(dt.datetime(2026, *day, 1, 7, tzinfo=dt.UTC) for day in ((2, 3), (3, 27), (10, 3), (10, 23)))
MAILS = 100
EXPLICIT, UNKNOWN = Zone("UTC", "each line says its own", "offset", is_explicit=True), Zone(None, "", "none")


@st.composite
def layouts(draw: st.DrawFn) -> tuple[list[Log], list[Mail]]:
    """A server and its filters, read as if all were in UTC: one log states its offset, the others have a zone
    or a clock of their own."""
    kind = draw(st.sampled_from(SERVERS))
    zone, start = draw(st.sampled_from(ZONES)), draw(st.sampled_from(STARTS))
    logs = [Log("server", kind, zone)]
    for name in draw(st.lists(st.sampled_from(FILTERS[kind]), min_size=1, max_size=3, unique=True)):
        is_local = KINDS[name][2]
        # Beside a server that states its offset, a log that states its own may have a wrong clock.
        ahead = 0 if is_local or KINDS[kind][2] else draw(st.integers(-20_000, 20_000))
        logs.append(Log(name, name, draw(st.sampled_from(ZONES)) if is_local else "UTC", ahead))
    if all(KINDS[log.kind][2] for log in logs):
        # Where none states its offset, the server's is taken for UTC.
        logs[0] = replace(logs[0], zone="UTC")
    mails = []
    for number in range(MAILS):
        at = start + dt.timedelta(seconds=1700 * number + draw(st.integers(0, 900)))
        hours = (at + dt.timedelta(minutes=minutes) for minutes in (-60, 0, 60))
        if all(log.is_plain(hour) for hour in hours for log in logs):
            mails.append(Mail(number, at, draw(st.integers(0, 30))))
    return logs, mails


def times(log: Log, mails: list[Mail]) -> IdTimes:
    zone = UNKNOWN if KINDS[log.kind][2] else EXPLICIT
    return times_in({log.format: bronze_of(log, mails)}, log.name, zone)


# To shrink a layout would take minutes.
@pytest.mark.long
@given(layouts())
@examples(30, phases=[Phase.explicit, Phase.generate])
def test_one_log_that_states_its_offset_shows_the_zones_of_all(
    layout: tuple[list[Log], list[Mail]],
) -> None:
    logs, mails = layout
    found = {each.name: each for each in clocks_of([times(log, mails) for log in logs])}
    mended = []
    for log in logs:
        clock = found.get(log.name)
        zone = (clock.time_zone if clock else None) or "UTC"
        mended.append(replace(log, time_zone=zone, clock_offset=(clock.clock_offset if clock else None) or 0))
    # Of logs that all state their offset, clocks that are right are not named.
    assert found or not any(KINDS[log.kind][2] or abs(log.ahead_s) > 1000 for log in logs)
    assert counts(silver_of(mended, mails)[2]) == counts(silver_of(list(map(unshifted, logs)), mails)[2])
    reverse = clocks_of([times(log, mails) for log in reversed(logs)])
    assert {each.name: (each.time_zone, each.clock_offset) for each in reverse} == {
        each.name: (each.time_zone, each.clock_offset) for each in found.values()
    }


@given(st.sampled_from(ZONES), st.integers(-40_000, 40_000), st.integers(12, 40))
@examples(10)
def test_smsboxs_zone_or_clock_follows_bearerboxs(zone: str, ahead: int, count: int) -> None:
    begin = dt.datetime(2026, 11, 24, 9, tzinfo=dt.UTC)
    sent, asked = [], []
    box = Log("smsbox", "rspamd", zone) if ahead % 2 else Log("smsbox", "rspamd", ahead_s=ahead)
    for number in range(count):
        at = begin + dt.timedelta(seconds=61 * number)
        shown = box.clock(at)
        sent.append(
            f"{at + dt.timedelta(seconds=number % 3):%Y-%m-%d %H:%M:%S} Sent SMS [SMSC:HUB] [SVC:s] [ACT:]"
            f" [BINF:] [FID:f{number}] [META:] [from:SHOP] [to:3579900{number:04d}] [flags:-1:0:-1:-1:31]"
            f" [msg:5:hello] [udh:0:]"
        )
        asked.append(
            f"{shown:%Y-%m-%d %H:%M:%S} send-SMS request added - sender:s:SHOP 192.0.2.10"
            f" target:3579900{number:04d} request: 'hello'"
        )
    boxes = [
        times_in({name: bronze_of_lines(name, lines)}, name, UNKNOWN)
        for name, lines in (("kannel", sent), ("kannel_smsbox", asked))
    ]
    (clock,) = clocks_of(boxes)
    shift = (box.clock(begin).replace(tzinfo=dt.UTC) - begin).total_seconds()
    assert (clock.name, clock.other, clock.ids) == ("kannel_smsbox", "kannel", count)
    # A request may wait for up to an hour, and a second is nothing.
    if -3700 < shift <= 4:
        return
    assert clock.is_wrong
    read_as = ZoneInfo(clock.time_zone or "UTC")
    right = box.clock(begin).replace(tzinfo=read_as) - dt.timedelta(seconds=clock.clock_offset or 0)
    assert abs((right - begin).total_seconds()) <= 125


def bronze_of_lines(name: str, lines: list[str]) -> pl.DataFrame:
    kernel = FORMATS[name]
    told = kernel.parse(frame_of(lines).lazy(), source()).collect()
    records = told.filter(pl.col("line_code") == "record")
    assert records.height == len(lines)
    placed = records.lazy().with_columns(
        operator_id=pl.lit("a"), source_id=pl.lit(name), stream_id=pl.lit(name)
    )
    rows: pl.DataFrame = kernel.assemble(placed).collect()
    return rows


# --- commands -------------------------------------------------------------------------------------------


@pytest.fixture
def observatory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    monkeypatch.delenv("OBSERVATORY_READ_AT", raising=False)
    monkeypatch.chdir(tmp_path)
    operator = dataclasses.replace(LAGOON, time_zone="America/St_Johns")
    generate(tmp_path / "logs", operators=(operator,), start=dt.date(2026, 11, 20), days=1, megabytes=0.25)
    return command_line_of(monkeypatch, capsys, 200)


LOGS = ("logs/lagoon-mail/mail.log*", "logs/lagoon-mail/rspamd.log*")


@pytest.mark.long
def test_init_finds_the_zone_of_a_filters_log(tmp_path: Path, observatory: Command) -> None:
    told = observatory("init", "--yes", *LOGS)
    assert told.code == 0, told.err
    assert "America/St_Johns, by " in told.out and "shared with mail; else 3:30:00 behind" in told.out
    (operator,) = load_with_options(tmp_path / "observatory.toml").operator
    zones = {each.id: each.time_zone for each in operator.source}
    assert zones == {"mail": "UTC", "rspamd": "America/St_Johns"}


@pytest.mark.long
def test_sniff_says_what_logs_show_of_each_others_clocks(observatory: Command) -> None:
    told = observatory("sniff", *LOGS)
    assert 'rspamd.log*: set time_zone = "America/St_Johns", by ' in told.out
    told = observatory("sniff", "--format", "json", *LOGS)
    assert told.out, told.err
    found = json.loads(told.out)["clocks"]
    assert [(Path(each["name"]).name, each["time_zone"]) for each in found] == [
        ("rspamd.log*", "America/St_Johns")
    ]
    assert "Clocks" not in observatory("sniff", LOGS[0]).out


@pytest.mark.long
def test_a_report_without_settings_reads_the_filters_log_in_its_zone(observatory: Command) -> None:
    told = observatory("report", *LOGS)
    assert "America/St_Johns, by " in told.out and "Warning" not in told.err
