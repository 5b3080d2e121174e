"""Progress of a run: one line per stage, renewed every second on a terminal, printed at its end in a pipe."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from jobs.base.core.numbers import NARROW, format_bytes, format_duration, format_share, join_ends
from jobs.cli.interrupt import stop_if_pressed

# In a pipe, a stage that takes longer than this many seconds gets another line.
QUIET_S = 30.0
# An estimate of the time left needs so much of a stage's time and work.
LEAST_S, LEAST_SHARE = 1.0, 0.02
WIDTH = 80


@dataclass
class StageProgress:
    """A stage at work.

    Attributes:
        done: of `size` bytes of logs, where the size is known.
        share: of the work.
    """

    name: str
    began: float
    about: str
    done: int = 0
    size: int = 0
    share: float = 0.0
    moved: float = 0.0

    def seconds_left(self, now: float) -> float | None:
        """The time left at the rate so far; None if the stage has just begun, or if that time has passed."""
        spent = self.moved - self.began
        if self.share < LEAST_SHARE or spent < LEAST_S:
            return None
        left = spent * (1 - self.share) / self.share - (now - self.moved)
        return left if left > 0 else None


@dataclass
class Meter:
    """Prints the progress of a run. `report_step` takes texts as `silver: validating`, `report_share` a
    stage's progress.

    Attributes:
        operators: ids of the run's operators.
        finished: names of the stages that are done.
    """

    console: Console
    operators: Sequence[str]
    clock: Callable[[], float] = time.monotonic
    finished: list[str] = field(default_factory=list)
    stage: StageProgress | None = None
    _live: Live | None = None
    _printed: float = 0.0

    def __enter__(self) -> Meter:
        if self.console.is_terminal:
            self._live = Live(
                console=self.console, refresh_per_second=1, transient=True, get_renderable=self.render_line
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.end_stage()
        if self._live is not None:
            self._live.stop()

    def report_step(self, text: str) -> None:
        name, _, about = text.partition(": ")
        self.begin_stage(name, about)

    def report_share(self, name: str, share: float, size: int = 0) -> None:
        """Set a stage's share of work done; 1 ends the stage.

        Args:
            size: the bytes of logs that it reads.
        """
        stage = self.begin_stage(name)
        now = self.clock()
        if share >= 1:
            self.end_stage()
            return
        if not stage.share:
            # The text was about the preparation.
            stage.about = self.label_operators()
        stage.share, stage.size, stage.moved = share, size, now
        stage.done = round(stage.share * size)
        if self._live is None and now - self._printed > QUIET_S:
            self.print_line(stage, now)

    def begin_stage(self, name: str, about: str = "") -> StageProgress:
        """The stage of this name; the one before it is done."""
        stop_if_pressed()
        now = self.clock()
        if self.stage is None or self.stage.name != name:
            self.end_stage()
            self.stage = StageProgress(name, now, self.label_operators(), moved=now)
            self._printed = now
        if about:
            names = about.split(", ")
            is_whose = set(names) <= set(self.operators)
            self.stage.about = name_operators(names) if is_whose else about
        return self.stage

    def end_stage(self) -> None:
        """The stage is done: its line stays."""
        stage, self.stage = self.stage, None
        if stage is None:
            return
        self.finished.append(stage.name)
        if stage.share:
            # A stage that is done shows its operators, not its last step.
            stage.share, stage.done, stage.about = 1.0, stage.size, self.label_operators()
        self.print_line(stage, self.clock(), is_done=True)

    def label_operators(self) -> str:
        return name_operators(self.operators)

    def print_line(self, stage: StageProgress, now: float, is_done: bool = False) -> None:
        self._printed = now
        line = format_line(stage, now, self.measure_width(), is_done)
        self.console.print(Text(line), soft_wrap=True, highlight=False)

    def render_line(self) -> Text:
        if self.stage is None:
            return Text("")
        return Text(format_line(self.stage, self.clock(), self.measure_width()), no_wrap=True)

    def measure_width(self) -> int:
        return min(self.console.width, WIDTH) if self.console.is_terminal else WIDTH


def name_operators(operators: Sequence[str]) -> str:
    return operators[0] if len(operators) == 1 else f"{len(operators)} operators"


def format_line(stage: StageProgress, now: float, width: int, is_done: bool = False) -> str:
    """A line such as `silver  lab-mail      120 of 203 MB   38.2 MB/s   0:03 left`."""
    spent = max(now - stage.began, 0.001)
    parts = []
    if stage.size:
        whole = format_bytes(stage.size)
        parts.append(whole if is_done else join_ends(format_bytes(stage.done), whole, " of "))
        rate = stage.done / (spent if is_done else max(stage.moved - stage.began, 0.001))
        parts.append(f"{format_bytes(rate)}/s" if stage.done else "")
    elif stage.share and not is_done:
        parts.append(format_share(stage.share, 0))
    if is_done:
        parts.append("in " + (format_duration(spent) if spent < 60 else format_clock(spent)))
    else:
        left = stage.seconds_left(now)
        parts.append(format_clock(spent) if left is None else f"{format_clock(left)} left")
    widths = (22, 12, 13)[3 - len(parts) :]
    right = "".join(f"{part:>{wide}}" for part, wide in zip(parts, widths, strict=True))
    room = width - len(right) - 9
    about = stage.about if len(stage.about) <= room else f"{stage.about[: max(room - 1, 0)]}…"
    return f"{stage.name:<8}{about:<{max(room, 0)}}{right}".replace(NARROW, " ").rstrip()[:width]


def format_clock(span: float) -> str:
    """1:05, or 2:00:05."""
    hours, rest = divmod(round(span), 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"
