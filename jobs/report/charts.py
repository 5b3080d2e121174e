"""Line charts over time, as SVG that is the same for the same figures."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any
from xml.sax.saxutils import quoteattr

import altair as alt
import polars as pl
import vl_convert

from jobs.core.words import format_compact, format_percents

ACCENT, BAND, INK, MUTED, GRID = "#b23a1e", "#e9b7a6", "#1d2126", "#5b636b", "#dfe2e5"
WIDTH, HEIGHT, FONT = 300, 150, "Helvetica, Arial, sans-serif"
APART = 17  # pixels between the middles of two labels, so that they can be read
POINTS = 31  # up to so many days each is marked


def volume_chart(daily: pl.DataFrame, title: str) -> str:
    """All units and certain spam per day, with the band up to possible spam. Labelled at the last day."""
    days = fill_gaps(daily)
    top = nice_top(days["units"].max())
    last = daily.sort("period_date").row(-1, named=True)
    labels = [
        {"text": f"All {format_compact(last['units'])}", "value": last["units"], "colour": MUTED},
        {
            "text": f"Spam {format_compact(last['spam_certain'])}",
            "value": last["spam_certain"],
            "colour": ACCENT,
        },
    ]
    values = chart_rows(days, all=pl.col("units"), low=pl.col("spam_certain"), high=pl.col("spam_possible"))
    layers = [*gap_layers(values, "all", top), *gap_layers(values, "low", top), band_layer(values, top)]
    layers += line_layers(values, "all", MUTED, top, len(daily))
    layers += line_layers(values, "low", ACCENT, top, len(daily))
    return render_svg([*layers, *label_layers(labels, last["period_date"], top)], title)


def share_chart(daily: pl.DataFrame, title: str) -> str:
    """Certain spam as a share of all units per day, with the band up to possible spam, or, of audited days,
    the band that holds the filters' errors. Labelled at the last day."""
    days = fill_gaps(daily)
    is_audited = pl.col("audited_units") > 0
    certain, low, high = (
        pl.when(is_audited).then(audited.cast(pl.Float64)).otherwise(counted) / pl.col("units")
        for audited, counted in (
            (pl.col("spam_certain"), pl.col("spam_certain")),
            (pl.col("spam_low"), pl.col("spam_certain")),
            (pl.col("spam_high"), pl.col("spam_possible")),
        )
    )
    there = daily.filter(pl.col("units") > 0).sort("period_date")
    highest = there.select(pl.max_horizontal(high, certain).max()).item()
    top = min(1.0, nice_top(highest or 0.1))
    values = chart_rows(days, certain=certain, low=low, high=high)
    layers = [*gap_layers(values, "certain", top, "%"), band_layer(values, top, "%")]
    layers += line_layers(values, "certain", ACCENT, top, len(daily), "%")
    if len(there):
        end = there.select("period_date", is_audited=is_audited, low=low, high=high).row(-1, named=True)
        at = (end["low"] + end["high"]) / 2 if end["is_audited"] else end["low"]
        labels = [{"text": format_percents(end["low"], end["high"]), "value": at, "colour": ACCENT}]
        layers += label_layers(labels, end["period_date"], top, "%")
    return render_svg(layers, title)


def fill_gaps(daily: pl.DataFrame) -> pl.DataFrame:
    """Every day from the first to the last, null where there is none: a line must not cross a gap."""
    first, last = pl.col("period_date").min(), pl.col("period_date").max()
    every = daily.select(pl.date_range(first, last).alias("period_date"))
    return every.join(daily, on="period_date", how="left").sort("period_date")


def chart_rows(days: pl.DataFrame, **columns: pl.Expr) -> list[dict[str, Any]]:
    """A row per day with these columns, null on days without units."""
    finite = {name: pl.when(pl.col("units") > 0).then(column) for name, column in columns.items()}
    return days.select(day=pl.col("period_date").dt.epoch("ms"), **finite).to_dicts()


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


def chart_axes(top: float, unit: str = "") -> tuple[alt.X, alt.Y]:
    """The axes; `unit` is % for shares."""
    x = alt.X(
        "day:T",
        scale=alt.Scale(type="utc"),
        axis=alt.Axis(
            format="%-d %b", title=None, tickCount=4, labelFlush=False, grid=False, labelOverlap=True
        ),
    )
    axis = alt.Axis(
        labelExpr=f"datum.value ? format(datum.value, '{'.0%' if unit else '~s'}') : '0'",
        title=None,
        tickCount=3,
        domain=False,
        ticks=False,
        labelPadding=6,
    )
    return x, alt.Y("low:Q", scale=alt.Scale(domain=[0, top], nice=False), axis=axis)


def epoch_ms(day: dt.date) -> int:
    return (day - dt.date(1970, 1, 1)).days * 86_400_000


def chart_data(values: list[dict[str, Any]]) -> alt.Data:
    """Days are milliseconds since 1970: text would be read in the zone of the machine."""
    return alt.Data(values=values)


def band_layer(values: list[dict[str, Any]], top: float, unit: str = "") -> alt.Chart:
    x, y = chart_axes(top, unit)
    return alt.Chart(chart_data(values)).mark_area(color=BAND).encode(x=x, y=y, y2="high:Q")


def line_layers(
    values: list[dict[str, Any]], field: str, colour: str, top: float, count: int, unit: str = ""
) -> list[alt.Chart]:
    x, y = chart_axes(top, unit)
    y.shorthand = f"{field}:Q"
    base = alt.Chart(chart_data(values)).encode(x=x, y=y)
    lines = [base.mark_line(color=colour, strokeWidth=2.2, strokeJoin="round")]
    return (
        lines + [base.mark_point(color=colour, fill=colour, size=22, opacity=1)] if count <= POINTS else lines
    )


def gap_layers(values: list[dict[str, Any]], field: str, top: float, unit: str = "") -> list[alt.Chart]:
    """A dashed line over days without data: a day alone after a gap belongs to the line before it."""
    there = [row for row in values if row[field] is not None]
    if len(there) in (len(values), 0, 1):
        return []
    x, y = chart_axes(top, unit)
    y.shorthand = f"{field}:Q"
    line = alt.Chart(chart_data(there)).mark_line(color=MUTED, strokeWidth=1, strokeDash=[3, 3])
    return [line.encode(x=x, y=y)]


def label_layers(labels: list[dict[str, Any]], day: dt.date, top: float, unit: str = "") -> list[alt.Chart]:
    """Text at the lines' ends, moved apart where two would overlap."""
    gap = APART / HEIGHT * top
    ordered = sorted(labels, key=lambda each: -each["value"])
    for above, below in zip(ordered, ordered[1:], strict=False):
        lack = gap - (above["value"] - below["value"])
        if lack > 0:
            down = min(lack / 2, max(below["value"], 0))
            below["value"] -= down
            above["value"] += lack - down
    layers = []
    for each in ordered:
        x, y = chart_axes(top, unit)
        values = [{"day": epoch_ms(day), "low": each["value"], "text": each["text"]}]
        mark = {"align": "left", "dx": 8, "color": each["colour"], "fontSize": 14, "fontWeight": 600}
        layers.append(
            alt.Chart(chart_data(values)).mark_text(baseline="middle", **mark).encode(x=x, y=y, text="text:N")
        )
    return layers


def render_svg(layers: list[alt.Chart], title: str) -> str:
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
    return head + view.group() + re.sub(r"^<svg[^>]*", "", svg)
