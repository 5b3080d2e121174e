"""A line chart over days, as SVG that is the same for the same values."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import quoteattr

import polars as pl
from markupsafe import Markup, escape

from jobs.base.core.numbers import format_compact, format_share
from jobs.base.figures.words import abbreviate_day
from jobs.base.page.colours import BAND, GRID, MUTED

WIDTH, HEIGHT = 300, 150  # of the lines' field, in pixels
LEFT, RIGHT, TOP, BOTTOM = 44, 106, 12, 26  # beside it: heights, labels, room, days
APART = 17  # pixels between the middles of two labels, so that they can be read
POINTS = 31  # up to so many days each is marked
HALF = 4.5  # from the middle of a text to its line

Point = tuple[float, float]


@dataclass(frozen=True)
class ChartLine:
    """A line: its column, and the label at its last day.

    Attributes:
        label_at: the label's height, as a value.
    """

    column: str
    colour: str
    label: str
    label_at: float


@dataclass(frozen=True)
class Axis:
    """The vertical axis, from 0 to `top`.

    Attributes:
        unit: % for shares, empty for counts.
    """

    top: float
    unit: str = ""


def draw_lines(days: pl.DataFrame, lines: Sequence[ChartLine], axis: Axis, title: str) -> Markup:
    """Lines over days, with a band between the columns `low` and `high`.

    Args:
        days: a row for each day, period_date and columns of numbers; null where there is no value, so that no
            line crosses a gap (fill_gaps). A label stands at the last day with values.
    """
    body = [*draw_heights(axis), *draw_days(days)]
    for line in lines:
        runs = runs_of(days[line.column], axis)
        if len(runs) > 1:
            # All points together, over the gaps: a day alone after a gap belongs to the line before.
            body.append(draw_path([*itertools.chain(*runs)], MUTED, 'stroke-dasharray="3 3"'))
    lows, highs = (runs_of(days[name], axis) for name in ("low", "high"))
    body += [
        f'<path d="{write_path([*low, *reversed(high)])}Z" fill="{BAND}"/>'
        for low, high in zip(lows, highs, strict=True)
    ]
    there = days["low"].is_not_null().arg_true().to_list()
    for line in lines:
        runs = runs_of(days[line.column], axis)
        body += [draw_path(run, line.colour, 'stroke-width="2.2" stroke-linejoin="round"') for run in runs]
        if len(there) <= POINTS:
            body += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{line.colour}"/>'
                     for run in runs for x, y in run]  # fmt: skip
    if there:
        body += draw_labels(lines, place_x(there[-1], days.height), axis)
    size = f'viewBox="0 0 {LEFT + WIDTH + RIGHT} {TOP + HEIGHT + BOTTOM}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label={quoteattr(title)} '
    return Markup(f'{head}font-size="13">' + "".join(body) + "</svg>")


def fill_gaps(daily: pl.DataFrame) -> pl.DataFrame:
    """Every day from the first to the last, null where there is none: a line must not cross a gap."""
    first, last = pl.col("period_date").min(), pl.col("period_date").max()
    every = daily.select(pl.date_range(first, last).alias("period_date"))
    return every.join(daily, on="period_date", how="left").sort("period_date")


def nice_top(value: Any) -> float:
    """The next of 1, 1.5, 2, 3, 4, 5, 6, 8 and 10 times a power of ten, with a little room."""
    if not value:
        return 1.0
    power = (
        10.0 ** (len(str(int(value))) - 1)
        if value >= 1
        else 10.0 ** -(next(n for n in range(1, 9) if value * 10**n >= 1))
    )
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15) if step * power >= value * 1.02)


def place_x(place: int, count: int) -> float:
    """Pixels from the left of one of `count` days."""
    return LEFT + WIDTH * place / max(count - 1, 1)


def place_y(value: float, axis: Axis) -> float:
    return TOP + HEIGHT * (1 - value / axis.top)


def runs_of(values: pl.Series, axis: Axis) -> list[list[Point]]:
    """The points of days with a value, those that follow each other together."""
    placed = [(place_x(at, len(values)), value) for at, value in enumerate(values)]
    return [
        [(x, place_y(value, axis)) for x, value in run]
        for is_there, run in itertools.groupby(placed, lambda each: each[1] is not None)
        if is_there
    ]


def write_path(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points)


def draw_path(points: Sequence[Point], colour: str, style: str = "") -> str:
    return f'<path d="{write_path(points)}" fill="none" stroke="{colour}" {style}/>'


def draw_text(text: str, at: Point, anchor: str, style: str = f'fill="{MUTED}"') -> str:
    """A text whose middle is at a height."""
    x, y = at
    return f'<text x="{x:.1f}" y="{y + HALF:.1f}" text-anchor="{anchor}" {style}>{escape(text)}</text>'


def draw_heights(axis: Axis) -> list[str]:
    """A line and its value at up to five heights."""
    power = 10.0 ** math.floor(math.log10(axis.top))
    step = next(each * power for each in (0.2, 0.5, 1, 2, 5) if axis.top / (each * power) < 4.5)
    digits = max(0, -math.floor(math.log10(100 * step)))
    drawn = []
    for height in (step * place for place in range(int(axis.top / step + 0.01) + 1)):
        y = place_y(height, axis)
        text = format_share(height, digits) if axis.unit else format_compact(height)
        drawn.append(draw_path([(LEFT, y), (LEFT + WIDTH, y)], GRID if height else MUTED))
        drawn.append(draw_text(text if height else "0", (LEFT - 6, y), "end"))
    return drawn


def draw_days(days: pl.DataFrame) -> list[str]:
    """The names of up to five days, the same number of days apart."""
    drawn, foot = [], TOP + HEIGHT
    for place in range(0, days.height, math.ceil(days.height / 5)):
        x = place_x(place, days.height)
        drawn.append(draw_path([(x, foot), (x, foot + 4)], MUTED))
        drawn.append(draw_text(abbreviate_day(days["period_date"][place]), (x, foot + 14), "middle"))
    return drawn


def draw_labels(lines: Sequence[ChartLine], end: float, axis: Axis) -> list[str]:
    """Text at the lines' ends, moved apart where two would overlap."""
    gap = APART / HEIGHT * axis.top
    ordered = sorted(lines, key=lambda line: -line.label_at)
    heights = [line.label_at for line in ordered]
    for above, below in zip(range(len(heights)), range(1, len(heights)), strict=False):
        lack = gap - (heights[above] - heights[below])
        if lack > 0:
            down = min(lack / 2, max(heights[below], 0))
            heights[below] -= down
            heights[above] += lack - down
    return [
        draw_text(
            line.label,
            (end + 8, place_y(height, axis)),
            "start",
            f'fill="{line.colour}" font-size="14" font-weight="600"',
        )
        for line, height in zip(ordered, heights, strict=True)
    ]
