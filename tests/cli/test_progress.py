"""Progress of a run: what stands on a terminal of 80 columns, and what in a pipe; and Ctrl-C."""

import io

from rich.console import Console

from jobs.cli.interrupt import describe_stop
from jobs.cli.progress import Meter, StageProgress, format_clock, format_line


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def meter_in_a_pipe(*operators: str) -> tuple[Meter, Clock, io.StringIO]:
    out, clock = io.StringIO(), Clock()
    return Meter(Console(file=out, force_terminal=False, width=80), operators, clock), clock, out


def test_a_pipe_gets_a_plain_line_for_each_stage() -> None:
    meter, clock, out = meter_in_a_pipe("lab-mail")
    with meter:
        meter.report_step("bronze: looking for what is new")
        clock.now += 2
        meter.report_share("bronze", 0.5, 200_000_000)
        clock.now += 2
        meter.report_share("bronze", 1.0, 200_000_000)
        assert meter.finished == ["bronze"]
        meter.report_step("silver: nothing new")
        clock.now += 0.25
    first, second = out.getvalue().splitlines()
    assert first.split() == ["bronze", "lab-mail", "200", "MB", "50", "MB/s", "in", "4", "s"]
    assert second.split() == ["silver", "nothing", "new", "in", "250", "ms"]
    assert all(sign.isprintable() for sign in first + second)
    assert max(map(len, (first, second))) <= 80
    assert meter.finished == ["bronze", "silver"]


def test_a_line_without_bytes_has_room_for_words_and_ends_with_no_step() -> None:
    meter, clock, out = meter_in_a_pipe("a")
    with meter:
        meter.report_step("silver: a waits, for its ledger broke a rule")
        clock.now += 1
        meter.report_share("gold", 0.5)
        meter.report_step("gold: validating")
        clock.now += 1
    first, second = out.getvalue().splitlines()
    assert first.startswith("silver  a waits, for its ledger broke a rule  ")
    assert first.endswith("in 1 s") and len(first) <= 80
    assert second.split() == ["gold", "a", "in", "1", "s"]


def test_a_long_stage_in_a_pipe_gets_a_line_now_and_then() -> None:
    meter, clock, out = meter_in_a_pipe("a", "b")
    with meter:
        meter.report_step("bronze: looking for what is new")
        for step in range(1, 5):
            clock.now += 20
            meter.report_share("bronze", step / 4 - 0.01, 4_000_000_000)
    lines = [line.split() for line in out.getvalue().splitlines()]
    assert [line[:3] for line in lines] == [["bronze", "2", "operators"]] * 3
    assert lines[0][3:] == ["1.96", "of", "4", "GB", "49", "MB/s", "0:42", "left"]
    assert lines[-1][3:] == ["4", "GB", "50", "MB/s", "in", "1:20"]


def test_operators_are_named_or_counted() -> None:
    meter, _, _ = meter_in_a_pipe("a", "b", "c")
    for text, about in {"b": "b", "a, c": "2 operators", "validating": "validating"}.items():
        meter.report_step(f"silver: {text}")
        assert meter.stage is not None and meter.stage.about == about


def test_a_stage_that_fails_is_not_finished() -> None:
    meter, _, out = meter_in_a_pipe("a")
    try:
        with meter:
            meter.report_share("bronze", 0.5, 1000)
            raise ValueError
    except ValueError:
        pass
    assert (meter.finished, out.getvalue()) == ([], "")


def test_the_time_left_falls_while_nothing_is_reported_and_never_lies() -> None:
    stage = StageProgress("silver", 0.0, "a", share=0.5, moved=10.0)
    assert [stage.seconds_left(now) for now in (10.0, 14.0, 30.0)] == [10.0, 6.0, None]
    assert StageProgress("silver", 0.0, "a", share=0.0, moved=10.0).seconds_left(10.0) is None


def test_no_line_is_wider_than_the_terminal() -> None:
    stage = StageProgress(
        "bronze", 0.0, "a-very-long-operator-name-indeed" * 3, 10**13, 2 * 10**13, 0.5, 100_000.0
    )
    for width in (80, 60, 40):
        assert len(format_line(stage, 100_000.0, width)) <= width
    assert "27:46:40 left" in format_line(stage, 100_000.0, 80)


def test_times() -> None:
    assert [format_clock(span) for span in (0.4, 59.6, 61, 7205)] == ["0:00", "1:00", "1:01", "2:00:05"]


def test_what_an_interrupted_run_says() -> None:
    stages = ["bronze", "silver", "gold"]
    assert describe_stop([], stages).startswith("Stopped. The lake's tables are as they were.")
    assert describe_stop(["bronze"], stages).startswith(
        "Stopped. bronze is finished and kept; silver and gold are as they were."
    )
    assert "bronze and silver are finished and kept; gold is as it was." in describe_stop(stages[:2], stages)
    assert "Every stage is finished" in describe_stop(stages, stages)
