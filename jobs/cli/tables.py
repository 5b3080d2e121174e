"""The commands `observatory show` and `observatory tables`: rows of a table, and the catalogue."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from jobs.base.core.choices import nearest_hint
from jobs.base.core.errors import ObservatoryError
from jobs.base.tables import contracts
from jobs.cli.arguments import Config
from jobs.cli.console import err, out
from jobs.cli.rows import OutputFormat, parse_columns, read_rows, split_names, write_rows
from jobs.operators.ingest.source_options import load_with_options

# Numeric columns that identify something and measure nothing.
NAMES = ("offset", "end_offset", "source_asn")


def show(
    table: Annotated[
        str | None,
        typer.Argument(
            help="A table, such as gold.spam_volume_daily; without one, what the lake holds.",
            metavar="[TABLE]",
        ),
    ] = None,
    config_file: Config = Path("observatory.toml"),
    columns: Annotated[str | None, typer.Option(help="Only these columns, separated by commas.")] = None,
    where: Annotated[str | None, typer.Option(help="A SQL condition on its columns.")] = None,
    release: Annotated[
        Path | None,
        typer.Option(
            help="The folder of a release: verify it, and print its table, with names in place of codes.",
            metavar="FOLDER",
        ),
    ] = None,
    sql: Annotated[
        str | None, typer.Option(help="A DuckDB query over any tables, in place of TABLE.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Most rows to print: by default 20 on a terminal, all in a file."),
    ] = None,
    format: Annotated[OutputFormat, typer.Option(help="Format of the output.")] = OutputFormat.table,
    output: Annotated[Path | None, typer.Option(help="Write to this file.")] = None,
) -> None:
    """Print rows of a table, as the last finished run left it.

    A narrow terminal shows the columns that fit, and names the others.
    """
    if sql is not None and (table or columns or where or release):
        raise ObservatoryError(
            "--sql goes without a table, --columns, --where and --release: the query names them"
        )
    if release is None:
        refuse_unknown_table(table)
    if format is OutputFormat.parquet and output is None:
        raise ObservatoryError("--format parquet needs a file: add --output FILE")
    if output is not None and format is OutputFormat.table:
        format = OutputFormat.csv
    if release is not None:
        show_released(release, table, where, columns, limit, format, output)
        return
    from jobs.base.store.lake import open_lake

    lake = open_lake(load_with_options(config_file).lake.root)
    limit = limit or (20 if format is OutputFormat.table else None)
    if sql is not None:
        from jobs.cli.query import run_sql

        found, count = run_sql(lake, sql, limit)
        write_rows(found, "Result", format, output, out, err, count)
        return
    if table is None:
        from jobs.cli.query import show_lake

        show_lake(lake, out)
        return
    contract = contracts.read_contract(table)
    otherwise = key_first(contract) if format is OutputFormat.table else []
    chosen = parse_columns(columns, table) or otherwise
    rows, count = read_rows(lake, table, where, limit, format is OutputFormat.parquet, chosen)
    write_rows(rows, table, format, output, out, err, count, *([] if columns else measures_first(contract)))


def refuse_unknown_table(table: str | None) -> None:
    known = contracts.list_tables()
    if table is not None and table not in known:
        raise ObservatoryError(f"unknown table '{table}'{nearest_hint(table, known)}")


def show_released(
    folder: Path,
    table: str | None,
    where: str | None,
    columns: str | None,
    limit: int | None,
    format: OutputFormat,
    output: Path | None,
) -> None:
    """Print rows of a release's table, or which tables it has; it needs no lake and no settings.

    Args:
        table: None lists the tables.
        where: a SQL condition on the columns.
        columns: names separated by commas; None for all.
        limit: the most rows; None for 20 on a terminal, and for all in a file.
        output: the file to write; None for standard output.
    """
    from jobs.cli.study.release_rows import list_released, released_rows

    if table is None:
        out.print(list_released(folder))
        return
    on_terminal = format is OutputFormat.table
    rows, *first = released_rows(folder, table, where, split_names(columns), on_terminal)
    limit = limit or (20 if on_terminal else rows.height)
    write_rows(rows.head(limit), table, format, output, out, err, rows.height, *([] if columns else first))


def key_first(contract: contracts.Contract) -> list[str]:
    """The columns of a table in the order of reading: its key first."""
    return list(dict.fromkeys((*contract.key, *contract.columns)))


def measures_first(contract: contracts.Contract) -> tuple[list[str], list[str]]:
    """The columns that a narrow terminal shows before others: the first measure, the key, and the day or
    month; then the other measures."""
    kinds = ("bigint", "int", "double", "decimal")
    numbers = [each.name for each in contract.fields if each.type.startswith(kinds)]
    measures = [name for name in numbers if name not in (*contract.key, *NAMES)]
    period = [contract.period] if contract.period else []
    return [*measures[:1], *contract.key, *period], measures[1:]


def tables() -> None:
    """List every table, with its key and what a row is."""
    table = Table("table", "a row is", "key", title="Tables", title_justify="left")
    for name in contracts.list_tables():
        contract = contracts.read_contract(name)
        table.add_row(name, contract.description, ", ".join(contract.key))
    out.print(table)
