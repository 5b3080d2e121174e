"""SQL over a lake: DuckDB reads the files of the versions that meta.run names, and nothing else."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from jobs.base.core.choices import nearest_hint
from jobs.base.core.errors import ObservatoryError
from jobs.base.tables import contracts

if TYPE_CHECKING:
    import duckdb
    import polars as pl

    from jobs.base.store.lake import Lake


def run_sql(lake: Lake, sql: str, limit: int | None) -> tuple[pl.DataFrame, int]:
    """The rows of a query, and how many there are without the limit.

    Tables have the names of their contracts, as gold.spam_volume_daily; a query sees them as the last
    finished run left them. Nothing is written, and no other file is read. Raises ObservatoryError unless the
    text is one query.
    """
    import duckdb

    from jobs.base.places.file_systems import is_local, open_store

    try:
        with closing(duckdb.connect()) as connection:
            statements = connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise ObservatoryError("--sql takes one query, as SELECT … FROM gold.spam_volume_daily")
            connection.execute("SET TimeZone = 'UTC'")
            if not is_local(lake.root):
                # DuckDB's own reader is an extension, which it would fetch.
                connection.register_filesystem(open_store(lake.root)[0])
            add_views(connection, lake, named_tables(sql))
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            query: Any = connection.sql(sql)
            rows = (query.limit(limit) if limit else query).pl()
            count = rows.height
            if limit == count:
                ((count,),) = query.aggregate("count(*)").fetchall()
            return rows, count
    except duckdb.Error as error:
        raise ObservatoryError(f"--sql: {str(error).strip()}") from None


def named_tables(sql: str) -> list[str]:
    """The tables that a query names. Raises ObservatoryError for an unknown one, with the nearest known."""
    import sqlglot
    from sqlglot import exp

    try:
        tree = sqlglot.parse_one(sql, dialect="duckdb")
    except sqlglot.errors.SqlglotError:
        # DuckDB reports the error, or understands more.
        return [name for name in contracts.list_tables() if name in sql]
    known = contracts.list_tables()
    found = []
    for table in tree.find_all(exp.Table):
        name = f"{table.db}.{table.name}" if table.db else ""
        if name in known:
            found.append(name)
        elif table.db in {each.partition(".")[0] for each in known}:
            raise ObservatoryError(f"--sql: unknown table '{name}'{nearest_hint(name, known)}")
    return list(dict.fromkeys(found))


def add_views(connection: duckdb.DuckDBPyConnection, lake: Lake, tables: list[str]) -> None:
    """Make a view for each table over the files of its version; the connection may read no other file."""
    versions = lake.versions()
    paths: list[str] = []
    for table in tables:
        schema, name = table.split(".")
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        files = [] if schema == "ref" else lake.files(table, versions.get(table))
        if not files:
            # Reference tables are small; a table that was never written has columns, but no files.
            connection.register("_rows", lake.read(table, versions.get(table)).to_arrow())
            connection.execute(f'CREATE TABLE {schema}."{name}" AS SELECT * FROM _rows')
            connection.unregister("_rows")
            continue
        paths += [file.path for file in files]
        connection.execute(f'CREATE VIEW {schema}."{name}" AS {select_files(connection, table, files)}')
    connection.execute(f"SET allowed_paths = {sql_list(paths)}")


def select_files(connection: duckdb.DuckDBPyConnection, table: str, files: list[Any]) -> str:
    """SQL that selects the contract's columns from the files; a column that they lack is null."""
    contract = contracts.read_contract(table)
    kinds = {field.name: field.type for field in contract.fields}
    by = {name: "DATE" if kinds[name] == "date" else "VARCHAR" for name in contract.partition_by}
    hive = ", ".join(f"'{name}': {kind}" for name, kind in by.items())
    source = f"read_parquet({sql_list([file.path for file in files])}, union_by_name = true"
    source += (
        f", hive_partitioning = true, hive_types = {{{hive}}})" if by else ", hive_partitioning = false)"
    )
    there = {row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
    columns = [f'"{name}"' if name in there else f'NULL AS "{name}"' for name in contract.columns]
    return f"SELECT {', '.join(columns)} FROM {source}"


def sql_list(texts: list[str]) -> str:
    """A list of texts in SQL."""
    quoted = ["'" + text.replace("'", "''") + "'" for text in texts]
    return f"[{', '.join(quoted)}]"


def show_lake(lake: Lake, out: Console) -> None:
    """Print the tables that the lake holds, and how other programs open them."""
    versions = lake.versions()
    table = Table(title="Tables of the lake", title_justify="left")
    table.add_column("table", no_wrap=True)
    for name in ("version", "rows"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in (each for each in contracts.list_tables() if each in versions):
        rows = sum(file.rows for file in lake.files(name, versions[name]))
        table.add_row(name, str(versions[name]), f"{rows:,}" if rows else "")
    if not table.row_count:
        out.print("The lake holds no tables yet: `observatory run` writes them.")
        return
    out.print(table)
    example = "gold.spam_volume_daily" if "gold.spam_volume_daily" in versions else next(iter(versions))
    version, path = versions[example], lake.path(example)
    lines = [
        "",
        "Here:",
        f"  observatory show {example}",
        f'  observatory show --sql "SELECT count(*) FROM {example}"',
        "Elsewhere the tables are Delta tables; these versions belong together:",
        "  Polars  polars.read_delta(",
        f'            "{path}",',
        f"            version={version})",
        "  DuckDB  SELECT * FROM delta_scan(",
        f"            '{path}')",
        '  Spark   spark.read.format("delta").option("versionAsOf", ' + f"{version}).load(",
        f'            "{path}")',
        "`observatory tables` says what a row of each table is.",
    ]
    for line in lines:
        out.print(line, soft_wrap=True, highlight=False, markup=False)
