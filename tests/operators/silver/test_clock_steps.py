"""Clocks of logs that disagree: over generated layouts the ids show by how much, and under the settings that
follow from them the counts are those of logs that agree."""

import datetime as dt
from dataclasses import replace
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import Phase, given
from hypothesis import strategies as st

from jobs.operators.silver.clock_steps import (
    ID_TIMES,
    Apart,
    ClockStep,
    compare_logs,
    find_remedy,
    find_wrong_logs,
    format_offset,
    id_times_of_mails,
    id_times_of_verdicts,
)
from tests.support import clock_layouts
from tests.support.clock_layouts import FILTERS, KINDS, SERVERS, Log, Mail, counts, silver_of
from tests.support.examples import examples

# Whole, half and quarter hours; with summer time, of half an hour too, and without.
ZONES = (
    *("UTC", "Europe/Zurich", "Europe/London", "America/New_York", "America/St_Johns", "Australia/Lord_Howe"),
    *("Asia/Kolkata", "Asia/Kathmandu", "Pacific/Chatham", "Pacific/Kiritimati", "Pacific/Pago_Pago"),
)
# Days on which none, northern and southern zones change their clocks.
STARTS = tuple(
    dt.datetime(2026, month, day, 1, 7, tzinfo=dt.UTC) for month, day in ((2, 3), (3, 27), (10, 23), (10, 3))
)
MAILS = 90
# What joins by message-id or queue id joins within ten minutes.
SLACK_S = 600


@st.composite
def layouts(draw: st.DrawFn) -> tuple[list[Log], list[Mail]]:
    """A server and filters beside it: some have a wrong clock, or another zone than they are read in."""
    kind = draw(st.sampled_from(SERVERS))
    # The server is read as it was written: the filters are beside it.
    zone = draw(st.sampled_from(ZONES))
    server = Log("server", kind, zone, time_zone=zone if KINDS[kind][2] else "UTC")
    logs = [server]
    for name in draw(st.lists(st.sampled_from(FILTERS[kind]), min_size=1, max_size=3, unique=True)):
        is_local = KINDS[name][2]
        if is_local and draw(st.booleans()):
            logs.append(Log(name, name, draw(st.sampled_from(ZONES)), time_zone=draw(st.sampled_from(ZONES))))
        else:
            logs.append(Log(name, name, ahead_s=draw(st.integers(-50_000, 50_000))))
    start = draw(st.sampled_from(STARTS))
    gaps = draw(st.lists(st.integers(1500, 3600), min_size=MAILS, max_size=MAILS))
    lags = draw(st.lists(st.integers(0, 40), min_size=MAILS, max_size=MAILS))
    mails, at = [], start
    for number, (gap, lag) in enumerate(zip(gaps, lags, strict=True)):
        at += dt.timedelta(seconds=gap)
        # An hour that a clock shows twice cannot be told apart afterwards.
        hours = (at + dt.timedelta(minutes=minutes) for minutes in (-60, 0, 60))
        if all(log.is_plain(hour) for hour in hours for log in logs):
            mails.append(Mail(number, at, lag))
    return logs, mails


def found_in(
    logs: list[Log], mails: list[Mail], parts: int = 1
) -> tuple[list[Apart], list[tuple[object, ...]]]:
    """The clocks that are wrong, and the counts."""
    sent, said, messages = silver_of(logs, mails, parts)
    pairs = compare_logs(
        id_times_of_mails(sent.lazy()).collect(), id_times_of_verdicts(said.lazy()).collect()
    )
    return find_wrong_logs(pairs), counts(messages)


def shift_of(log: Log, mail: Mail) -> float:
    """Seconds by which a stamp of the log is later than it should be, as the log is read."""
    if not KINDS[log.kind][2]:
        return log.ahead_s - log.clock_offset
    shown = log.clock(mail.at)
    read = shown.replace(tzinfo=ZoneInfo(log.time_zone))
    return (read - mail.at).total_seconds() - log.clock_offset


@pytest.mark.long
@given(layouts(), st.integers(1, 3))
# To shrink a layout would take minutes.
@examples(40, phases=[Phase.explicit, Phase.generate])
def test_the_ids_show_by_how_much_clocks_disagree(layout: tuple[list[Log], list[Mail]], parts: int) -> None:
    logs, mails = layout
    wrong, _ = found_in(logs, mails, parts)
    truth = counts(silver_of([clock_layouts.unshifted(log) for log in logs], mails)[2])
    named = {each.log: each for each in wrong}
    mended = [logs[0]]
    for log in logs[1:]:
        shifts = [abs(shift_of(log, mail)) for mail in mails]
        if max(shifts) < SLACK_S - 100:
            assert log.name not in named
        # A few ids at another distance may be chance.
        far = sum(shift > SLACK_S + 100 for shift in shifts)
        if far < 0.15 * len(shifts):
            # Between both bounds some ids join and some do not: either answer is right.
            is_right = far == 0 and log.name not in named
            right = replace(log, time_zone=log.zone, clock_offset=log.ahead_s)
            mended.append(log if is_right else right)
            continue
        each = named[log.name]
        made = find_remedy(each.steps, log.time_zone, log.clock_offset, has_zone=KINDS[log.kind][2])
        zone = made.time_zone or log.time_zone
        offset = log.clock_offset if made.clock_offset is None else made.clock_offset
        mended.append(replace(log, time_zone=zone, clock_offset=offset))
        assert (made.time_zone, made.clock_offset) != (None, None)
    again, after = found_in(mended, mails, parts)
    assert again == []
    assert after == truth


@pytest.mark.long
@given(layouts(), st.integers(0, 1000))
@examples(10)
def test_the_order_of_marks_changes_nothing(layout: tuple[list[Log], list[Mail]], seed: int) -> None:
    logs, mails = layout
    sent, said, _ = silver_of(logs, mails)
    homes, seen = id_times_of_mails(sent.lazy()).collect(), id_times_of_verdicts(said.lazy()).collect()
    shuffled = (frame.sample(fraction=1, shuffle=True, seed=seed) for frame in (homes, seen))
    assert compare_logs(*shuffled) == compare_logs(homes, seen)


def test_ids_that_come_again_by_chance_are_no_clock() -> None:
    begin = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
    mails = [Mail(number, begin + dt.timedelta(minutes=number), 5) for number in range(200)]
    logs = [Log("server", "postfix iso"), Log("rspamd", "rspamd")]
    sent, said, _ = silver_of(logs, mails)
    homes, seen = id_times_of_mails(sent.lazy()).collect(), id_times_of_verdicts(said.lazy()).collect()
    # One id in twelve is of another day's mail, each at another distance.
    kept = pl.col("nr") % 12 > 0
    moved = pl.col("first_at") + pl.duration(minutes=97 * pl.col("nr"))
    mixed = seen.with_row_index("nr").with_columns(first_at=pl.when(kept).then("first_at").otherwise(moved))
    (pair,) = compare_logs(homes, mixed.drop("nr"))
    assert (pair.is_wrong, pair.ids, pair.apart) == (False, 200, 16)


def test_a_zone_of_the_operators_country_goes_before_others() -> None:
    winter, summer = (dt.datetime(2026, month, 5, tzinfo=dt.UTC) for month in (1, 7))
    steps = [ClockStep(3601, 50, winter, winter), ClockStep(7202, 50, summer, summer)]
    assert find_remedy(steps, "UTC", likely=["Europe/Zurich"]).time_zone == "Europe/Zurich"
    assert "Europe/Paris" in find_remedy(steps, "UTC").fitting
    assert find_remedy(steps[:1], "UTC").time_zone == "Etc/GMT-1"
    # An offset that is no zone's, and one that its stamps state, are the clock's.
    assert find_remedy([ClockStep(1800, 50, winter, winter)], "UTC").clock_offset == 1800
    assert find_remedy(steps[:1], "UTC", 30, has_zone=False).clock_offset == 3631
    # A clock that jumped has no remedy.
    jumped = find_remedy([ClockStep(4000, 50, winter, winter), ClockStep(-3000, 50, summer, summer)], "UTC")
    assert (jumped.time_zone, jumped.clock_offset) == (None, None)


AT = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)


def clock_step(ahead_s: int, ids: int) -> ClockStep:
    return ClockStep(ahead_s, ids, AT, AT)


@pytest.mark.parametrize(
    ("ids", "ahead_s", "far", "is_wrong"),
    [
        # Ten ids, and one in twenty of all.
        (10, 4000, 10, True), (9, 4000, 9, False), (1000, 4000, 50, True), (1000, 4000, 49, False),
        # A step at either end of the window is within it.
        (100, -60, 100, False), (100, -61, 100, True), (100, 90, 100, False), (100, 91, 100, True),
    ],
)  # fmt: skip
def test_clocks_disagree_from_enough_ids_beyond_the_window(
    ids: int, ahead_s: int, far: int, is_wrong: bool
) -> None:
    pair = Apart("a", "rspamd", "server", ids, far, (clock_step(ahead_s, far),), before_s=60, after_s=90)
    assert pair.is_wrong == is_wrong


def id_times(log: str, seconds: list[float], last: float = 0) -> pl.DataFrame:
    """Rows of a log with an id for each second, which its last row has so much later."""
    times = [AT + dt.timedelta(seconds=each) for each in seconds]
    rows = [("a", log, number, at, at + dt.timedelta(seconds=last)) for number, at in enumerate(times)]
    return pl.DataFrame(rows, schema=ID_TIMES, orient="row")


def compared(seconds: list[float]) -> Apart:
    """Return the distance of a log whose ids are so many seconds after those of messages of one minute."""
    window = (dt.timedelta(minutes=1), dt.timedelta(minutes=2))
    homes = id_times("server", [0] * len(seconds), last=60)
    (pair,) = compare_logs(homes, id_times("rspamd", seconds), *window)
    return pair


@pytest.mark.parametrize(("second", "apart"), [(-60, 0), (-60.001, 1), (180, 0), (180.001, 1)])
def test_an_id_is_apart_beyond_its_messages_window(second: float, apart: int) -> None:
    assert compared([second]).apart == apart


@pytest.mark.parametrize(("count", "steps"), [(19, 1), (20, 2)])
def test_a_distance_of_one_id_in_fifty_is_a_step(count: int, steps: int) -> None:
    assert len(compared([0.0] * (1000 - count) + [4000.0] * count).steps) == steps


@pytest.mark.parametrize(("second", "steps"), [(359, 1), (360, 2)])
def test_distances_up_to_five_minutes_apart_are_one_step(second: float, steps: int) -> None:
    assert len(compared([0.0] * 10 + [second] * 10).steps) == steps


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(3605, "1:00:00"), (3606, "1:00:06"), (3595, "1:00:00"), (3594, "0:59:54"), (-3605, "-1:00:00")],
)
def test_an_offset_within_five_seconds_of_a_quarter_is_shown_as_the_quarter(seconds: int, shown: str) -> None:
    assert format_offset(seconds) == shown


@pytest.mark.parametrize(
    ("ahead_s", "zone", "offset"), [(3720, "Etc/GMT-1", None), (3721, None, 3721), (3480, "Etc/GMT-1", None)]
)
def test_a_zone_explains_a_step_within_two_minutes_of_a_quarter(
    ahead_s: int, zone: str | None, offset: int | None
) -> None:
    found = find_remedy([clock_step(ahead_s, 50)], "UTC")
    assert (found.time_zone, found.clock_offset) == (zone, offset)


@pytest.mark.parametrize(("count", "offset"), [(9, 4000), (10, None)])
def test_a_step_of_less_than_a_tenth_of_the_ids_is_left_out(count: int, offset: int | None) -> None:
    steps = [clock_step(4000, 100 - count), clock_step(9000, count)]
    assert find_remedy(steps, "UTC", has_zone=False).clock_offset == offset
