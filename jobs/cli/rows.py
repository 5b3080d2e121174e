"""Rows of tables on a terminal, in a pipe, in a file."""

from __future__ import annotations

import enum
import json
import os
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jobs.base.core.choices import nearest_hint
from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import row_number
from jobs.base.tables import contracts
from jobs.cli.console import fit_tables

# Polars takes a part of a second to import.
if TYPE_CHECKING:
    import polars as pl

    from jobs.base.store.lake import Lake

# A longer value is cut on a terminal.
LONGEST = 40
# The width of a column beside its values: a line and two spaces.
EDGE = 3


class OutputFormat(enum.StrEnum):
    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


def read_rows(
    lake: Lake,
    table: str,
    where: str | None,
    limit: int | None,
    has_sketches: bool = True,
    columns: Sequence[str] = (),
) -> tuple[pl.DataFrame, int]:
    """Rows of a table in the order of its key, and how many there are without a limit.

    Args:
        has_sketches: keep sketches; without it, each is replaced by the count that it estimates.
        columns: only these, in this order.
    """
    import polars as pl

    from jobs.base.store.table_files import naming_damage, scan_files

    contract = contracts.read_contract(table)
    version = lake.versions().get(table)
    files = [] if contract.layer == "ref" else lake.files(table, version)
    frame = lake.read(table).lazy() if contract.layer == "ref" else scan_files(table, files)
    sketches = [] if has_sketches else [each.name for each in contract.fields if each.type == "binary"]
    # Before the condition only if it names them: most rows of a large table need none.
    early = [name for name in sketches if where is not None and name in where]
    frame = frame.with_columns(sketch_estimates(early))
    try:
        if where is not None:
            from jobs.base.tables.sql import parse_condition

            schema = contracts.polars_schema(table) | dict.fromkeys(early, pl.Int64)
            frame = frame.filter(parse_condition(where, table, schema))
        ordered = frame.sort(contract.key, maintain_order=True)
        ordered = ordered.select(columns) if columns else ordered
        with naming_damage(table, files):
            rows = (ordered.head(limit) if limit else ordered).collect()
            count = frame.select(pl.len()).collect().item() if limit == rows.height else rows.height
    except ObservatoryError as error:
        if where is None:
            raise
        raise ObservatoryError(f"--where: {error}") from None
    except pl.exceptions.PolarsError as error:
        if where is None:
            raise
        # A value that does not fit its column shows only when rows are read.
        reason = str(error).splitlines()[0]
        raise ObservatoryError(f"--where: {reason}. Columns: {', '.join(contract.columns)}") from None
    left = [name for name in sketches if name not in early and name in rows.columns]
    return rows.with_columns(sketch_estimates(left)), count


def sketch_estimates(sketches: Iterable[str]) -> list[pl.Expr]:
    """Return an expression for each sketch's distinct count: an estimate, exact below 4,096."""
    import polars as pl

    from jobs.base.tables.sketch import estimate_distinct, unpack_hashes

    return [estimate_distinct(unpack_hashes(pl.col(name))).alias(name) for name in sketches]


def parse_columns(text: str | None, table: str) -> list[str]:
    """The columns that a person names, with commas. Raises ObservatoryError for one that the table lacks."""
    known = contracts.read_contract(table).columns
    names = split_names(text)
    for name in names:
        if name not in known:
            hint = nearest_hint(name, known)
            raise ObservatoryError(f"--columns: {table} has no column '{name}'{hint}")
    return names


def split_names(text: str | None) -> list[str]:
    """Names that a person gives with commas, each once."""
    names = [name.strip() for name in (text or "").split(",")]
    return list(dict.fromkeys(name for name in names if name))


def write_rows(
    frame: pl.DataFrame,
    table: str,
    format: OutputFormat,
    output: Path | None,
    out: Console,
    err: Console,
    count: int | None = None,
    needed: Sequence[str] = (),
    then: Sequence[str] = (),
) -> None:
    """Print or write rows; in text formats nested values become JSON, and bytes hexadecimal.

    Args:
        count: how many rows there are in all.
        needed, then: the columns that a narrow terminal shows before others; without them, the first ones.
    """
    import polars as pl

    from jobs.base.core.patterns import write_safe_csv, write_safe_json

    if format is not OutputFormat.parquet:
        frame = frame.with_columns(pl.selectors.binary().bin.encode("hex"))
    if format is OutputFormat.table and output is None:
        print_table(frame, table, out, frame.height if count is None else count, needed, then)
        return
    text = (
        ""
        if format is OutputFormat.parquet
        else write_safe_json(frame)
        if format is OutputFormat.json
        else write_safe_csv(nested_to_json(frame))
    )
    if output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    try:
        if format is OutputFormat.parquet:
            frame.write_parquet(output)
        else:
            output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ObservatoryError(f"--output {output}: {error.strerror or error}") from None
    err.print(f"{frame.height:,} rows in {output}")


def nested_to_json(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with its nested values as JSON."""
    import polars as pl

    def dump_json(name: str) -> pl.Series:
        values = [
            value if value is None else json.dumps(value, default=str) for value in frame[name].to_list()
        ]
        return pl.Series(name, values, dtype=pl.String)

    return frame.with_columns(dump_json(name) for name, kind in frame.schema.items() if kind.is_nested())


# --- on a terminal --------------------------------------------------------------------------------------


def print_table(
    frame: pl.DataFrame,
    title: str,
    out: Console,
    count: int,
    needed: Sequence[str] = (),
    then: Sequence[str] = (),
) -> None:
    """Print rows as a table that fits the terminal. No word is broken, and columns left out are named below.

    If room is short, text columns with one value in all rows move below the table; then texts take several
    lines; then the last columns are left out.

    Args:
        needed, then: the columns that get room before others.
    """
    is_bounded = out.is_terminal or "COLUMNS" in os.environ
    frame = nested_to_json(frame)
    cells = {name: [format_value(value) for value in frame[name]] for name in frame.columns}
    names = list(frame.columns)
    widths = {name: max(map(cell_len, (name, *cells[name]))) + EDGE for name in names}
    room = out.width - 1 if is_bounded else sum(widths.values())
    constant = find_constant(frame, cells) if sum(widths.values()) > room else []
    names = [name for name in names if name not in constant]
    first = [name for name in needed if name in names] or names
    if sum(widths[name] for name in first) > room:
        widths |= {name: word_width(name, cells[name]) for name in names}
    kept = fitting_columns(names, widths, room, [*first, *then])
    table = build_table(frame, cells, kept)
    wide = Console(file=out.file, width=max(sum(widths.values()) + 1, 20)) if not is_bounded else out
    wide.print(Text(title, "italic"))
    if kept:
        wide.print(fit_tables(table, wide.width))
    for line in table_notes(frame, cells, names, kept, constant, count):
        wide.print(Text(line), soft_wrap=not is_bounded)


def build_table(frame: pl.DataFrame, cells: dict[str, list[str]], names: Sequence[str]) -> Table:
    """The columns of these names as a table, numbers to the right."""
    table = Table()
    for name in names:
        is_number = frame.schema[name].is_numeric()
        table.add_column(name, justify="right" if is_number else "left", overflow="ellipsis")
    for row in zip(*(cells[name] for name in names), strict=True):
        table.add_row(*map(Text, row))
    return table


def find_constant(frame: pl.DataFrame, cells: dict[str, list[str]]) -> list[str]:
    """The text columns with one value in all of several rows."""
    if frame.height < 2:
        return []
    return [name for name, own in cells.items() if len(set(own)) == 1 and not frame.schema[name].is_numeric()]


def word_width(name: str, cells: Sequence[str]) -> int:
    """Return the least width of a column that breaks no word."""
    return max(map(cell_len, [name, *(word for cell in cells for word in cell.split())])) + EDGE


def format_value(value: object) -> str:
    """A value as text: counts with separators, control characters visible, long values cut."""
    from jobs.base.core.patterns import escape_unseen

    if value is None:
        return ""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float):
        return row_number(value)
    text = escape_unseen(str(value))
    return text if cell_len(text) <= LONGEST else set_cell_size(text, LONGEST - 1).rstrip() + "…"


def fitting_columns(
    names: Sequence[str], widths: dict[str, int], room: int, first: Sequence[str]
) -> list[str]:
    """The columns that fit, in their order.

    Args:
        first: columns that get room before others; none is left out for a later one.
    """
    kept: set[str] = set()
    for name in dict.fromkeys((*first, *names)):
        if name in names:
            room -= widths[name]
            if room < 0 and kept:
                break
            kept.add(name)
    return [name for name in names if name in kept]


def table_notes(
    frame: pl.DataFrame,
    cells: dict[str, list[str]],
    names: Sequence[str],
    columns: Sequence[str],
    constant: Sequence[str],
    count: int,
) -> list[str]:
    """The lines below a table: the number of rows, and what the table leaves out.

    Args:
        cells: the values of each column as text.
        names: all columns but those in constant.
        columns: those of them that the table shows.
        constant: the columns with one value in all rows.
        count: how many rows there are, of which the frame may have a part.
    """
    of = f" of {count:,}" if count > frame.height else ""
    rows = "row" if frame.height == 1 and not of else "rows"
    lines = [f"{frame.height:,}{of} {rows} shown"]
    if constant:
        same = [f"{name} {cells[name][0]}" for name in constant if cells[name][0]]
        empty = [name for name in constant if not cells[name][0]]
        lines += [f"In all of them: {', '.join(same)}"] if same else []
        lines += [f"Empty in all of them: {', '.join(empty)}"] if empty else []
    if left := [name for name in names if name not in columns]:
        lines.append(f"Left out: {', '.join(left)}")
        lines.append("--columns chooses; a wider terminal and --format csv have all.")
    if any(cell.endswith("…") for name in columns for cell in cells[name]):
        lines.append("Values after … are cut; --format json has all of them.")
    return lines
