"""Rows, columns and number formats that the printed tables of the study share."""

from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import polars as pl
from rich import box
from rich.table import Table

from jobs.base.core import numbers
from jobs.base.core.periods import last_period, months_of
from jobs.base.figures import words
from jobs.base.figures.areas import WORLD, is_whole_area
from jobs.base.figures.counting_rules import OPERATOR
from jobs.base.figures.reliability import MARKS, mark_of


def latest_period(frame: pl.DataFrame) -> str | None:
    return last_period(frame["period_code"].unique())


def is_of_period(period: str | None) -> pl.Expr:
    """Return whether a row is of the period; false for all rows if it is None."""
    return pl.col("period_code") == pl.lit(period, pl.String)


def group_by_channel(rows: Sequence[Any]) -> Iterator[tuple[str, list[Any]]]:
    """The rows of each channel, in their order."""
    for channel in dict.fromkeys(row.channel_code for row in rows):
        yield channel, [row for row in rows if row.channel_code == channel]


# The world first, then regions, then groups.
ORDER = {"world": 0, "region": 1, "group": 2}


def select_estimates(frame: pl.DataFrame, *where: pl.Expr) -> list[Any]:
    """The estimates that meet the conditions, without those of countries, by channel and area."""
    found = make_objects(
        frame.filter(pl.col("area_kind_code") != "country", pl.col("estimate").is_not_null(), *where)
    )
    return sorted(found, key=lambda row: (row.channel_code, ORDER[row.area_kind_code], row.area_code))


def name_area(row: Any) -> str:
    """An area's code; with how many of its countries the study has, where these are not nearly all."""
    if is_whole_area(vars(row)):
        return str(row.area_code)
    framed = getattr(row, "frame_country_count", None)
    if framed is None:
        return "the study" if row.area_code == WORLD else f"{row.area_code} in part"
    more = f"+{row.rated_country_count}" if getattr(row, "rated_country_count", 0) else ""
    if row.area_code == WORLD:
        return f"{framed}{more} {'country' if f'{framed}{more}' == '1' else 'countries'}"
    return f"{row.area_code} {framed}{more}/{row.area_country_count}"


THE_WORLD = "the world"


def name_world(row: Any) -> str:
    """All countries together within a sentence: "the world", "12 countries of the study"."""
    if is_whole_area(vars(row)):
        return THE_WORLD
    return f"{name_area(row)} of the study" if row.frame_country_count else "countries of the study"


def explain_areas(rows: list[Any]) -> list[str]:
    """Lines that explain the areas that the study has in part."""
    parts = [row for row in rows if not is_whole_area(vars(row))]
    lines = []
    if parts:
        lines.append("Countries of the study alone where a number stands; 3/44: of the area's 44 it has 3.")
    if any(getattr(row, "rated_country_count", 0) for row in parts):
        lines.append("+: countries without an operator in the frame, at the rate of the others.")
    return lines


def make_objects(frame: pl.DataFrame) -> list[Any]:
    """Rows whose columns are attributes."""
    return [SimpleNamespace(**row) for row in frame.to_dicts()]


def estimates_table(title: str, *heads: str, first: str = "area", caption: str | None = None) -> Table:
    """An empty table whose rows are areas, or what `first` names. It fits eighty columns."""
    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
    table.box, table.pad_edge, table.padding = box.SIMPLE_HEAD, False, (0, 0, 0, 1)
    table.add_column(first, no_wrap=True, min_width=10)
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    return table


CORRECTED, UNCORRECTED = "corrected for filter error", "as filters saw it"
MEASURE_LABELS = {"attempted": "Attempted (recipients and attempts)", "call": "Calls"}


def spam_title(channel: str, period: str | None, kind: str, unit: str) -> str:
    """The title of a table of estimated spam: channel, period, kind of correction, unit and definition."""
    return f"{channel}: spam in {period}, {kind}\n{MEASURE_LABELS[unit]}, definition {OPERATOR}"


# In place of an interval: where operators are silent, the rate of one that answered shows no variance.
ALONE = "one respondent"
CONFIDENTIALITY = {
    "C": "C: confidential, of fewer than three owners.",
    "N": "N: not for publication yet.",
}


def format_interval(low: Any, high: Any, otherwise: str = ALONE) -> str:
    return numbers.format_interval(low, high, missing=otherwise)


def format_cv(row: Any) -> str:
    return numbers.format_whole_percent(row.cv_pct) + (
        "" if row.cv_pct is None else mark_of(row.cv_band_code)
    )


def format_marked(row: Any) -> str:
    """An estimate with the mark of its band; a dash for no row."""
    return "–" if row is None else numbers.format_compact(row.estimate) + mark_of(row.cv_band_code)


def explain_marks(bands: Iterable[str | None]) -> str:
    """A line on the marks of these bands; nothing where there is none."""
    found = set(bands)
    marks = [
        f"{mark} {words.lower_first(words.code_name('cv_band', code))}"
        f" ({words.lower_first(words.code_description('cv_band', code))})"
        for code, mark in MARKS.items()
        if code in found and code != "one_respondent"
    ]
    return f"CV: {', '.join(marks)}." if marks else ""


def period_kind(period: str) -> str:
    """The length of an amount's period: year, quarter or month."""
    return {12: "year", 3: "quarter"}.get(len(months_of(period)), "month")


def explain_signs(rows: list[Any]) -> list[str]:
    """Lines that explain the signs in these rows."""
    codes = {row.conf_status_code for row in rows}
    lines = [
        *explain_areas(rows),
        " ".join(text for code, text in CONFIDENTIALITY.items() if code in codes),
    ]
    lines.append(explain_marks(row.cv_band_code for row in rows))
    if any(row.estimate_low is None for row in rows):
        lines.append("Of one respondent: no interval, since one rate shows no variance.")
    return [line for line in lines if line]
