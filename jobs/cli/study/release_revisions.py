"""The command `observatory release revisions`: how figures changed from release to release."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import format_change, format_compact, format_noun
from jobs.cli.console import out

# So many figures are printed; the rest is counted.
FIGURES = 40


def revisions(
    folder: Annotated[Path, typer.Argument(help="The folder of a release.", metavar="FOLDER")],
    table_name: Annotated[str, typer.Option("--table", help="A public table.")] = "spam_volume",
    area: Annotated[
        str, typer.Option(help="An area by its published code; 001 is all countries together.")
    ] = "001",
    period: Annotated[str | None, typer.Option(help="A quarter or year; all without it.")] = None,
) -> None:
    """Print each figure as each release had it, up to this one; it needs no lake and no settings."""
    import polars as pl

    from jobs.study.release.released_tables import PART
    from jobs.study.release.triangle import read_triangle

    rows = read_triangle(folder)
    ordered = rows.select(pl.col("release_number").cast(pl.Int64), "release").unique().sort("release_number")
    releases = ordered["release"].to_list()
    of_table = rows.filter(pl.col("table") == table_name)
    found = of_table.filter(pl.col("area_code").is_in([area, area + PART]))
    if period is not None:
        found = found.filter(pl.col("period_code") == period)
    if found.is_empty():
        known = of_table["area_code"].unique().sort().to_list()
        raise ObservatoryError(
            f"{folder} has no figure of {table_name}, area {area}{'' if period is None else f', {period}'};"
            f" it has areas {', '.join(known) or 'of other tables alone'}"
        )
    title = f"{table_name}, area {area}: figures as of each release, and their change since the first"
    shown = Table("figure", *releases, title=title, title_justify="left")
    figures = found.partition_by("key", maintain_order=True)
    for figure in figures[:FIGURES]:
        of = {release: (value, pct) for release, value, pct in figure.select(
            "release", "figure", "revision_pct"
        ).rows()}  # fmt: skip
        name = [code for code in figure["key"][0].split("/") if code not in (area, area + PART)]
        shown.add_row("/".join(name), *(format_figure(*of[each]) if each in of else "" for each in releases))
    out.print(shown)
    if len(figures) > FIGURES:
        out.print(f"{format_noun(len(figures) - FIGURES, 'more figure')}; --period and --table choose others")


def format_figure(value: str, pct: str | None) -> str:
    """A figure, with its change where there is one."""
    changed = f" ({format_change(pct)})" if pct and float(pct) else ""
    return f"{format_compact(value)}{changed}"
