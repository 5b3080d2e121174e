"""A line chart over days, as SVG that is the same for the same values."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import quoteattr

import altair as alt
import polars as pl
import vl_convert
from markupsafe import Markup

from jobs.base.page.colours import BAND, GRID, MUTED

WIDTH, HEIGHT, FONT = 300, 150, "Helvetica, Arial, sans-serif"
APART = 17  # pixels between the middles of two labels, so that they can be read
POINTS = 31  # up to so many days each is marked


@dataclass(frozen=True)
class ChartLine:
    """A line: its column, and the label at its last day. label_at: the label's height, as a value."""

    column: str
    colour: str
    label: str
    label_at: float


@dataclass(frozen=True)
class Axis:
    """The vertical axis, from 0 to `top`. unit: % for shares, empty for counts."""

    top: float
    unit: str = ""


def draw_lines(days: pl.DataFrame, lines: Sequence[ChartLine], axis: Axis, title: str) -> Markup:
    """Lines over days, with a band between the columns `low` and `high`.

    days: a row for each day, period_date and columns of numbers; null where there is no value, so that no
    line crosses a gap (fill_gaps). A label stands at the last day with values.
    """
    columns = dict.fromkeys([*(line.column for line in lines), "low", "high"])
    day = pl.col("period_date").dt.epoch("ms")
    values = days.select(day.alias("day"), *(pl.col(name) for name in columns)).to_dicts()
    there = days.filter(pl.col("low").is_not_null())
    layers = [each for line in lines for each in gap_layers(values, line.column, axis)]
    x, y = chart_axes(axis)
    layers.append(alt.Chart(chart_data(values)).mark_area(color=BAND).encode(x=x, y=y, y2="high:Q"))
    layers += [each for line in lines for each in line_layers(values, line, axis, there.height)]
    last = there["period_date"].max()
    if isinstance(last, dt.date):
        layers += label_layers(lines, last, axis)
    return render_svg(layers, title)


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


def chart_axes(axis: Axis, column: str = "low") -> tuple[alt.X, alt.Y]:
    x = alt.X(
        "day:T",
        scale=alt.Scale(type="utc"),
        axis=alt.Axis(
            format="%-d %b", title=None, tickCount=4, labelFlush=False, grid=False, labelOverlap=True
        ),
    )
    upright = alt.Axis(
        labelExpr=f"datum.value ? format(datum.value, '{'.0%' if axis.unit else '~s'}') : '0'",
        title=None,
        tickCount=3,
        domain=False,
        ticks=False,
        labelPadding=6,
    )
    return x, alt.Y(f"{column}:Q", scale=alt.Scale(domain=[0, axis.top], nice=False), axis=upright)


def chart_data(values: list[dict[str, Any]]) -> alt.Data:
    """Days are milliseconds since 1970: text would be read in the zone of the machine."""
    return alt.Data(values=values)


def line_layers(values: list[dict[str, Any]], line: ChartLine, axis: Axis, count: int) -> list[alt.Chart]:
    """A line, and a point for each of its days if they are few."""
    x, y = chart_axes(axis, line.column)
    base = alt.Chart(chart_data(values)).encode(x=x, y=y)
    drawn = [base.mark_line(color=line.colour, strokeWidth=2.2, strokeJoin="round")]
    if count <= POINTS:
        drawn.append(base.mark_point(color=line.colour, fill=line.colour, size=22, opacity=1))
    return drawn


def gap_layers(values: list[dict[str, Any]], column: str, axis: Axis) -> list[alt.Chart]:
    """A dashed line over days without data: a day alone after a gap belongs to the line before it."""
    there = [row for row in values if row[column] is not None]
    if len(there) in (len(values), 0, 1):
        return []
    x, y = chart_axes(axis, column)
    line = alt.Chart(chart_data(there)).mark_line(color=MUTED, strokeWidth=1, strokeDash=[3, 3])
    return [line.encode(x=x, y=y)]


def label_layers(lines: Sequence[ChartLine], day: dt.date, axis: Axis) -> list[alt.Chart]:
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
    layers = []
    for line, height in zip(ordered, heights, strict=True):
        x, y = chart_axes(axis)
        at = (day - dt.date(1970, 1, 1)).days * 86_400_000
        text = alt.Chart(chart_data([{"day": at, "low": height, "text": line.label}]))
        marked = text.mark_text(
            baseline="middle", align="left", dx=8, color=line.colour, fontSize=14, fontWeight=600
        )
        layers.append(marked.encode(x=x, y=y, text="text:N"))
    return layers


def render_svg(layers: list[alt.Chart], title: str) -> Markup:
    """The SVG, without parts that differ from run to run and without inner roles, which confuse screen
    readers."""
    chart = (
        alt.layer(*layers)
        .properties(width=WIDTH, height=HEIGHT, padding={"left": 44, "right": 106, "top": 12, "bottom": 26})
        .properties(autosize=alt.AutoSizeParams(type="none"))
        .configure(font=FONT, aria=False, background="transparent")
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=MUTED, labelFontSize=13, gridColor=GRID, domainColor=MUTED, tickColor=MUTED, tickSize=4
        )
    )
    # Altair would check the chart against the schema of Vega-Lite, which takes longer than drawing it.
    svg = vl_convert.vegalite_to_svg(chart.to_dict(validate=False))
    svg = re.sub(r' (?:role|aria-[a-z]+|pointer-events|class)="[^"]*"', "", svg)
    for number, name in enumerate(dict.fromkeys(re.findall(r'id="([^"]+)"', svg))):
        svg = svg.replace(f'"{name}"', f'"i{number}"').replace(f"#{name})", f"#i{number})")
    head = f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label={quoteattr(title)} '
    view = re.search(r'viewBox="[^"]*"', svg)
    assert view is not None
    return Markup(head + view.group() + re.sub(r"^<svg[^>]*", "", svg))
