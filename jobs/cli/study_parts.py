"""Estimated spam by type, source and route on a terminal."""

from typing import Any

import polars as pl
from rich.table import Table

from jobs.cli.study_tables import (
    CORRECTED,
    UNCORRECTED,
    estimates_table,
    format_interval,
    format_share,
    format_short,
    is_of_period,
    latest_period,
    spam_title,
    to_objects,
)
from jobs.core import words
from jobs.core.areas import WORLD
from jobs.core.counting_rules import OPERATOR
from jobs.core.series import ALL, PARTS
from jobs.core.words import UNKNOWN

LEAST_DEVELOPED = "LDC"
HEADS = ("world", "95% interval", "share", "LDC", "share")
SOURCE_HEADS = ("world", "95% interval", "share", "per 1,000 there", "LDC", "share")
# So many countries of source are printed.
SOURCES = 8


def type_tables(frame: pl.DataFrame) -> list[Table]:
    """Types of the world's spam in the latest and longest period, most first, a table for each channel;
    corrected for filter error where there are audits."""
    found = of_world_and_poor(frame)
    tables = []
    for channel in sorted(set(found["channel_code"])):
        of_channel = found.filter(pl.col("channel_code") == channel)
        is_corrected = pl.col("quantity_code") == "spam_corrected"
        corrected = of_channel.filter(is_corrected)
        shown = of_channel.filter(pl.col("quantity_code") == "spam_certain")
        shown = corrected if corrected.height else shown
        tables += [types_table(to_objects(shown), CORRECTED if corrected.height else UNCORRECTED)]
    return tables


def of_world_and_poor(frame: pl.DataFrame) -> pl.DataFrame:
    """Parts of the world's and the least developed countries' figures that are printed."""
    return frame.filter(
        is_of_period(latest_period(frame)),
        pl.col("definition_code") == OPERATOR,
        pl.col("area_code").is_in([WORLD, LEAST_DEVELOPED]),
    )


def source_tables(frame: pl.DataFrame) -> list[Table]:
    """The countries that most of the world's certain spam comes from in the latest and longest period, a
    table for each channel, with the rate for each thousand subscriptions there."""
    found = of_world_and_poor(frame).filter(pl.col("quantity_code") == "spam_certain")
    tables = []
    for channel in sorted(set(found["channel_code"])):
        rows = to_objects(found.filter(pl.col("channel_code") == channel))
        figures = {(row.area_code, row.source_region_code, row.source_country_code): row for row in rows}
        title = spam_title(channel, rows[0].period_code, UNCORRECTED, rows[0].unit_code)
        basis = words.lower_first(words.code_name("source_basis", rows[0].source_basis_code))
        table = estimates_table(f"{title}\nby country of {basis}", *SOURCE_HEADS, first="source")
        of_world = [
            row
            for row in rows
            if row.area_code == WORLD
            and (row.source_country_code != ALL or row.source_region_code == UNKNOWN)
        ]
        for row in sorted(of_world, key=lambda row: -row.estimate)[:SOURCES]:
            part = (row.source_region_code, row.source_country_code)
            poor = figures.get((LEAST_DEVELOPED, *part))
            rate = row.per_thousand_source_subscriptions
            table.add_row(
                part[0] if part[1] == ALL else part[1],
                format_short(row.estimate),
                format_interval(row.estimate_low, row.estimate_high),
                share_of_all(figures, row),
                "–" if rate is None else format_short(rate),
                *(("–", "–") if poor is None else (format_short(poor.estimate), share_of_all(figures, poor))),
            )
        tables.append(table)
    return tables


ROUTE_HEADS = ("world", "95% interval", "of known", "LDC", "of known")


def route_tables(frame: pl.DataFrame) -> list[Table]:
    """The world's certain spam by kind of inbound link in the latest and longest period, a table for each
    channel, with each link's share of what came by known links."""
    all_origins = of_world_and_poor(frame).filter(
        pl.col("quantity_code") == "spam_certain", pl.col("origin_region_code") == PARTS
    )
    found = all_origins.filter(pl.col("transit_code") == ALL)
    crossed = all_origins.filter(pl.col("area_code") == WORLD, pl.col("transit_code") != ALL)
    tables = []
    for channel in sorted(set(found["channel_code"])):
        rows = to_objects(found.filter(pl.col("channel_code") == channel))
        figures = {(row.area_code, row.link_code): row for row in rows}
        title = spam_title(channel, rows[0].period_code, UNCORRECTED, rows[0].unit_code)
        table = estimates_table(f"{title}\nby kind of inbound link", *ROUTE_HEADS, first="link")
        whole = figures[WORLD, ALL]
        seeing = f"{whole.seeing_count} of {whole.respondent_count} operators"
        of_channel = to_objects(crossed.filter(pl.col("channel_code") == channel, pl.col("link_code") == ALL))
        table.caption = f"{seeing} name the inbound link of some spam.{say_crossed(of_channel)}"
        table.caption_justify = "left"
        of_world = [row for row in rows if row.area_code == WORLD and row.link_code != ALL]
        for row in sorted(of_world, key=lambda row: -row.estimate):
            cells = [format_short(row.estimate), format_interval(row.estimate_low, row.estimate_high)]
            poor = figures.get((LEAST_DEVELOPED, row.link_code))
            cells += [share_of_known(row)]
            cells += ["–", "–"] if poor is None else [format_short(poor.estimate), share_of_known(poor)]
            table.add_row(words.code_name("route", row.link_code), *cells)
        tables.append(table)
    return tables


def say_crossed(rows: list[Any]) -> str:
    """A line on what kinds of network spam crossed in between; nothing where no log recorded any."""
    known = [row for row in rows if row.base_share_pct is not None]
    if not known:
        return ""
    shares = ", ".join(
        f"{words.code_name('route', row.transit_code)} {format_share(row.base_share_pct)}"
        for row in sorted(known, key=lambda row: -row.estimate)
    )
    return f"\nOf what crossed known networks: {shares}. {known[0].seeing_count} operators name any."


def share_of_known(row: Any) -> str:
    return "–" if row.base_share_pct is None else format_share(row.base_share_pct)


def share_of_all(figures: dict[tuple[str, str, str], Any], row: Any) -> str:
    """The share of all sources together."""
    together = figures[row.area_code, PARTS, ALL].estimate
    return format_share(100 * row.estimate / together if together else None)


def types_table(rows: list[Any], kind: str) -> Table:
    """The table of one channel."""
    figures = {(row.area_code, row.spam_type_code): row for row in rows}
    title = spam_title(rows[0].channel_code, rows[0].period_code, kind, rows[0].unit_code)
    table = estimates_table(f"{title}\nby type", *HEADS, first="type")
    of_world = [row for row in rows if row.area_code == WORLD and row.spam_type_code not in (ALL, PARTS)]
    for row in sorted(of_world, key=lambda row: -row.estimate):
        low, high = row.estimate_low, row.estimate_high
        cells = [format_short(row.estimate), format_interval(low, high), share_of(figures, row)]
        poor = figures.get((LEAST_DEVELOPED, row.spam_type_code))
        cells += ["–", "–"] if poor is None else [format_short(poor.estimate), share_of(figures, poor)]
        table.add_row(words.type_name(row.spam_type_code), *cells)
    return table


def share_of(figures: dict[tuple[str, str], Any], row: Any) -> str:
    """The share of all types together."""
    together = figures[row.area_code, PARTS].estimate
    return format_share(100 * row.estimate / together if together else None)
