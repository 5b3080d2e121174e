"""The command `observatory study membership`: groups with and without countries whose exit is open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import format_change, format_compact, format_interval, to_decimal
from jobs.base.figures import words
from jobs.base.settings import config
from jobs.cli.arguments import Config
from jobs.cli.console import out

# Polars takes a part of a second to import.
if TYPE_CHECKING:
    import polars as pl

VOLUME = "study.spam_volume"
KINDS = {"spam_certain": "as seen", "spam_corrected": "corrected"}
HEADS = ("with", "95% interval", "without", "95% interval", "change")
ONLY_HERE = (
    "For the study alone: the two estimates differ by what these countries have, so no release may hold both."
    " Estimated again as if they had left: classes and weights of operators follow."
)


def membership(config_file: Config = Path("observatory.toml")) -> None:
    """Show spam of the Resolution's groups with and without countries whose exit from them is open.

    They are those of low confidence in schemas/reference/country_group.csv. Period: the last one with logs.
    """
    from jobs.base.store.lake import open_lake
    from jobs.cli.study.study_volume import volume_period
    from jobs.study.estimates.steps.open_exits import compare_exits

    settings = config.load_settings(config_file)
    lake = open_lake(settings.lake.root)
    if settings.study.files is None:
        raise ObservatoryError("study membership: [study] files is not set: it estimates again from them")
    period = volume_period(lake.read(VOLUME))
    if period is None:
        raise ObservatoryError("study membership: no estimate yet: run `observatory study estimate` first")
    exits, rows = compare_exits(lake, Path(settings.study.files), period)
    if exits.is_empty():
        out.print(f"In {period} no exit from the Resolution's groups is open.", markup=False)
        return
    for group, countries in exits.group_by("group_code", maintain_order=True).agg("iso3").rows():
        out.print(compare_table(group, countries, period, rows))
    out.print(Text(ONLY_HERE))


def compare_table(group: str, countries: list[str], period: str, rows: pl.DataFrame) -> Table:
    """The estimates of a group, with these countries and without them.

    Args:
        rows: of compare_exits().
    """
    import polars as pl

    from jobs.cli.study.study_tables import estimates_table, make_objects

    mine = rows.filter(pl.col("area_code") == group, pl.col("quantity_code").is_in(list(KINDS)))
    named = words.join_words(map(words.country_name, countries))
    title = f"{group}: spam in {period}, with and without {named}"
    table = estimates_table(title, *HEADS, first="channel")
    for row in make_objects(mine.sort("channel_code", "quantity_code")):
        table.add_row(f"{row.channel_code} {KINDS[row.quantity_code]}", *compare_row(row))
    return table


def compare_row(row: Any) -> tuple[str, ...]:
    before, after = row.estimate, row.estimate_left
    change = None if not before or after is None else 100 * (to_decimal(after) / to_decimal(before) - 1)
    return (
        format_compact(before),
        format_interval(row.estimate_low, row.estimate_high),
        format_compact(after),
        format_interval(row.estimate_low_left, row.estimate_high_left),
        format_change(change, 0),
    )
