"""Estimated spam by type, source and route on a terminal."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import polars as pl
from rich.table import Table

from jobs.base.core.numbers import DASH, format_compact, format_part, format_whole_percent
from jobs.base.figures import words
from jobs.base.figures.areas import WORLD
from jobs.base.figures.counting_rules import OPERATOR
from jobs.base.figures.words import UNKNOWN
from jobs.base.tables.series import ALL, PARTS
from jobs.cli.study.study_tables import (
    CORRECTED,
    UNCORRECTED,
    estimates_table,
    explain_marks,
    format_interval,
    format_marked,
    is_of_period,
    latest_period,
    make_objects,
    name_area,
    spam_title,
)

LEAST_DEVELOPED = "LDC"
HEADS = ("95% interval", "share")
SOURCE_HEADS = ("95% interval", "share", "per 1,000 there")
ROUTE_HEADS = ("95% interval", "of known")
# So many countries of source are printed.
SOURCES = 8
IS_CERTAIN = pl.col("quantity_code") == "spam_certain"


def type_tables(frame: pl.DataFrame) -> list[Table]:
    """Types of the world's spam in the latest and longest period, most first, a table for each channel;
    corrected for filter error where there are audits."""
    tables = []
    for rows in rows_of_channels(frame):
        corrected = [row for row in rows if row.quantity_code == "spam_corrected"]
        shown = corrected or [row for row in rows if row.quantity_code == "spam_certain"]
        wholes = {row.area_code: row for row in shown if row.spam_type_code == PARTS}
        types = [row for row in shown if row.spam_type_code not in (ALL, PARTS, *words.FAMILIES)]
        title = title_of(shown[0], CORRECTED if corrected else UNCORRECTED)
        table = estimates_table(f"{title}\nby type", *heads_of(shown, *HEADS), first="type")
        for code, row, poor in most_first(types, lambda row: row.spam_type_code):
            add_part(table, words.type_name(code), row, poor, partial(share_of_all, wholes))
        table.caption = explain_marks(row.cv_band_code for row in types)
        tables.append(table)
    return tables


def source_tables(frame: pl.DataFrame) -> list[Table]:
    """The countries that most of the world's certain spam comes from in the latest and longest period, a
    table for each channel, with the rate for each thousand subscriptions there."""
    tables = []
    for rows in rows_of_channels(frame, IS_CERTAIN):
        wholes = {row.area_code: row for row in rows if row.source_region_code == PARTS}
        basis = words.lower_first(words.code_name("source_basis", rows[0].source_basis_code))
        title = title_of(rows[0])
        table = estimates_table(
            f"{title}\nby country of {basis}", *heads_of(rows, *SOURCE_HEADS), first="source"
        )
        sources = [row for row in rows if row.source_country_code != ALL or row.source_region_code == UNKNOWN]
        places = most_first(sources, lambda row: (row.source_region_code, row.source_country_code))
        for (region, country), row, poor in places[:SOURCES]:
            rate = format_compact(row.per_thousand_source_subscriptions)
            name = region if country == ALL else country
            add_part(table, name, row, poor, partial(share_of_all, wholes), rate)
        shown = [row.cv_band_code for _, *pair in places[:SOURCES] for row in pair if row is not None]
        table.caption = explain_marks(shown)
        tables.append(table)
    return tables


def route_tables(frame: pl.DataFrame) -> list[Table]:
    """The world's certain spam by kind of inbound link in the latest and longest period, a table for each
    channel, with each link's share of what came by known links."""
    tables = []
    for every in rows_of_channels(frame, IS_CERTAIN, pl.col("origin_region_code") == PARTS):
        rows = [row for row in every if row.transit_code == ALL]
        crossed = [row for row in every if row.transit_code != ALL and row.link_code == ALL]
        table = estimates_table(
            f"{title_of(rows[0])}\nby kind of inbound link", *heads_of(rows, *ROUTE_HEADS), first="link"
        )
        whole = next(row for row in rows if row.area_code == WORLD and row.link_code == ALL)
        seeing = f"{whole.seeing_count} of {whole.respondent_count} operators"
        coverage = f"{seeing} name the inbound link of some spam.{say_crossed(crossed)}"
        links = [row for row in rows if row.link_code != ALL]
        for code, row, poor in most_first(links, lambda row: row.link_code):
            add_part(table, words.code_name("route", code), row, poor, share_of_known)
        table.caption = "\n".join(filter(None, (coverage, explain_marks(row.cv_band_code for row in links))))
        tables.append(table)
    return tables


def rows_of_channels(frame: pl.DataFrame, *where: pl.Expr) -> Iterator[list[Any]]:
    """The parts of the world's and the least developed countries' figures that are printed, by channel."""
    found = frame.filter(
        is_of_period(latest_period(frame)),
        pl.col("definition_code") == OPERATOR,
        pl.col("area_code").is_in([WORLD, LEAST_DEVELOPED]),
        *where,
    )
    for channel in sorted(set(found["channel_code"])):
        yield make_objects(found.filter(pl.col("channel_code") == channel))


def heads_of(rows: list[Any], *heads: str) -> tuple[str, ...]:
    """The heads of a table: all countries' figure with what stands behind it, and that of the LDC."""
    of = {row.area_code: name_area(row) for row in rows}
    whole = "world" if of[WORLD] == WORLD else of[WORLD]
    return (whole, *heads, of.get(LEAST_DEVELOPED, LEAST_DEVELOPED), heads[1])


def title_of(row: Any, kind: str = UNCORRECTED) -> str:
    return spam_title(row.channel_code, row.period_code, kind, row.unit_code)


def most_first(rows: list[Any], part_of: Callable[[Any], Any]) -> list[tuple[Any, Any, Any]]:
    """Parts of the world's spam, most first: the part, its row, and that of the least developed countries."""
    poor = {part_of(row): row for row in rows if row.area_code == LEAST_DEVELOPED}
    of_world = [row for row in rows if row.area_code == WORLD]
    return [
        (part_of(row), row, poor.get(part_of(row))) for row in sorted(of_world, key=lambda row: -row.estimate)
    ]


def add_part(
    table: Table, name: str, row: Any, poor: Any, format_part: Callable[[Any], str], *more: str
) -> None:
    """Add a row to a table.

    Args:
        format_part: a row's share.
        more: cells behind the world's.
    """
    table.add_row(
        name, format_marked(row), format_interval(row.estimate_low, row.estimate_high),
        format_part(row), *more,
        *(("–", "–") if poor is None else (format_marked(poor), format_part(poor))),
    )  # fmt: skip


def say_crossed(rows: list[Any]) -> str:
    """A line on what kinds of network spam crossed in between; nothing where no log recorded any."""
    known = [row for row in rows if row.area_code == WORLD and row.base_share_pct is not None]
    if not known:
        return ""
    shares = ", ".join(
        f"{words.code_name('route', row.transit_code)} {format_whole_percent(row.base_share_pct)}"
        for row in sorted(known, key=lambda row: -row.estimate)
    )
    return f"\nOf what crossed known networks: {shares}. {known[0].seeing_count} operators name any."


def share_of_known(row: Any) -> str:
    return format_whole_percent(row.base_share_pct)


def share_of_all(wholes: dict[str, Any], row: Any) -> str:
    """The share of all parts whole, by area."""
    whole = wholes[row.area_code].estimate
    return format_part(row.estimate, whole, 0) if whole else DASH
