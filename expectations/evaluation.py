"""Great Expectations evaluates the suites of expectations/suites/ on tables, and keeps its own results.

It reads the tables from a SQLite file that is made for the evaluation and goes with it: conditions over
columns and between tables are SQL, and counts stay whole numbers. Its import takes seconds, so that only
functions import it, and no run needs it.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from expectations.between import sql_name
from expectations.data_docs import make_local
from expectations.native import EXAMPLES, Result
from expectations.suite_files import FOLDER, file_of

if TYPE_CHECKING:
    from great_expectations.data_context import EphemeralDataContext  # type: ignore[attr-defined]

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
SITE = "data_docs"
# What a result keeps of values that break an expectation: a few, not all.
RESULT_FORMAT = {"result_format": "SUMMARY", "partial_unexpected_count": EXAMPLES}
# So many rows are written to SQLite at once.
ROWS = 50_000


@dataclass(frozen=True)
class Evaluated:
    """The suite of one table, evaluated.

    Attributes:
        rows: the number of rows that the table has.
        result: as Great Expectations keeps it.
    """

    table: str
    rows: int
    result: dict[str, Any]

    def results(self) -> list[Result]:
        """One result for each expectation, in the suite's order."""
        return [
            Result(
                self.table,
                each["expectation_config"]["meta"]["rule"],
                each["expectation_config"]["description"],
                each["success"],
                0 if each["success"] else count_of(each["result"]),
            )
            for each in self.result["results"]
        ]


def all_results(found: Iterable[Evaluated]) -> list[Result]:
    """The results of all suites."""
    return [each for suite in found for each in suite.results()]


def count_of(result: Mapping[str, Any]) -> int:
    """Count the rows that break an expectation: of a query its observed value is the number of its rows."""
    return int(result.get("unexpected_count", result.get("observed_value", 0)))


def evaluate(
    frames: Mapping[str, pl.DataFrame | Iterable[pl.DataFrame]],
    kept: Path | None = None,
    run_name: str | None = None,
    scratch: Path | None = None,
) -> list[Evaluated]:
    """Evaluate the suite of each table that has one. The others are there for rules between tables.

    Args:
        frames: a table's rows, or parts of them.
        kept: the folder of results; without it none is kept.
        scratch: a folder for the rows while they are evaluated; without it a temporary one.
    """
    with database(scratch) as file:
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
            rows = {
                table: store(connection, table, [parts] if isinstance(parts, pl.DataFrame) else parts)
                for table, parts in frames.items()
            }
        with uncollected():
            results = run_suites(file, [table for table in rows if file_of(table).is_file()], kept, run_name)
    return [Evaluated(table, rows[table], result) for table, result in results.items()]


@contextmanager
def uncollected() -> Iterator[None]:
    """Look for no garbage meanwhile: there is little, and the search takes a fifth of the time."""
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_collecting:
            gc.enable()


def suite_in(table: str) -> dict[str, Any]:
    """A table's suite, as it lies in its file."""
    suite: dict[str, Any] = json.loads(file_of(table).read_text(encoding="utf-8"))
    return suite


# --- tables in SQLite -----------------------------------------------------------------------------------


@contextmanager
def database(scratch: Path | None) -> Iterator[Path]:
    """The path of a database for an evaluation, in a folder that its owner alone can read."""
    with tempfile.TemporaryDirectory(prefix="observatory-validate-", dir=scratch) as folder:
        yield Path(folder) / "tables.sqlite"


def store(connection: sqlite3.Connection, table: str, parts: Iterable[pl.DataFrame]) -> int:
    """Write a table's rows into a database; how many they are."""
    name, is_made, count = sql_name(table), False, 0
    for part in parts:
        rows = storable(part)
        if not is_made:
            columns = ", ".join(f'"{column}" {sql_type(kind)}' for column, kind in rows.schema.items())
            connection.execute(f'CREATE TABLE "{name}" ({columns})')
            is_made = True
        marks = ", ".join("?" for _ in rows.columns)
        count += rows.height
        for piece in rows.iter_slices(ROWS):
            connection.executemany(f'INSERT INTO "{name}" VALUES ({marks})', piece.iter_rows())
    connection.commit()
    return count


def storable(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with the types that SQLite has: days and times as ISO text, which sorts as they do, decimals as
    doubles, arrays and structs as JSON. Of a sketch expectations ask whether it is there, and no more."""
    return rows.select(storable_column(name, kind).alias(name) for name, kind in rows.schema.items())


def storable_column(name: str, kind: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if kind == pl.Binary:
        return pl.when(column.is_not_null()).then(pl.lit(""))
    if kind == pl.Date:
        return column.dt.strftime("%Y-%m-%d")
    if isinstance(kind, pl.Datetime):
        return column.dt.strftime("%Y-%m-%dT%H:%M:%S%.6f")
    if kind == pl.Boolean:
        return column.cast(pl.Int8)
    if isinstance(kind, pl.Struct | pl.List):
        text = pl.struct(column.cast(with_doubles(kind)).alias("value")).struct.json_encode()
        return pl.when(column.is_not_null()).then(text.str.strip_prefix('{"value":').str.strip_suffix("}"))
    return column.cast(with_doubles(kind))


def with_doubles(kind: Any) -> Any:
    """A type with doubles in place of decimals."""
    if isinstance(kind, pl.Decimal):
        return pl.Float64()
    if isinstance(kind, pl.List):
        return pl.List(with_doubles(kind.inner))
    if isinstance(kind, pl.Struct):
        return pl.Struct({field.name: with_doubles(field.dtype) for field in kind.fields})
    return kind


def sql_type(kind: pl.DataType) -> str:
    if kind.is_integer():
        return "INTEGER"
    return "REAL" if kind.is_float() else "TEXT"


# --- Great Expectations ---------------------------------------------------------------------------------


def run_suites(
    file: Path, tables: Sequence[str], kept: Path | None, run_name: str | None
) -> dict[str, dict[str, Any]]:
    """The results of the suites of these tables of a database, by table."""
    import great_expectations as gx
    from great_expectations.core.run_identifier import RunIdentifier

    context = context_of(kept, None)
    source = context.data_sources.add_sqlite("tables", connection_string=f"sqlite:///{file}")
    run = RunIdentifier(run_name=run_name)
    found = {}
    for table in tables:
        suite = context.suites.add(gx.ExpectationSuite(**suite_in(table)))
        whole = source.add_table_asset(table, table_name=sql_name(table)).add_batch_definition_whole_table(
            "all"
        )
        definition = gx.ValidationDefinition(name=table, data=whole, suite=suite)
        context.validation_definitions.add(definition)
        result = definition.run(result_format=RESULT_FORMAT, run_id=run).to_json_dict()
        refuse_failed(table, result)
        found[table] = in_order(result)
    return found


def context_of(kept: Path | None, docs: Path | None) -> EphemeralDataContext:
    """A context that keeps results in one folder and Data Docs in another, and nothing else."""
    # It says on standard output and in the log what it does with each suite.
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(),
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        config.stores[config.validation_results_store_name] = {
            "class_name": "ValidationResultsStore",
            "store_backend": in_folder(kept / "validations"),
        }
    if docs is not None:
        config.data_docs_sites = {
            SITE: {
                "class_name": "SiteBuilder",
                "show_how_to_buttons": False,
                "store_backend": in_folder(docs),
                "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            }
        }
    return gx.get_context(mode="ephemeral", project_config=config)


def in_folder(folder: Path) -> dict[str, str]:
    return {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder.resolve())}


def refuse_failed(table: str, result: Mapping[str, Any]) -> None:
    """Raise RuntimeError for an expectation that could not be evaluated: a fault of its suite."""
    for each in result["results"]:
        problems = each.get("exception_info") or {}
        for problem in [problems, *(value for value in problems.values() if isinstance(value, dict))]:
            if problem.get("raised_exception"):
                rule = each["expectation_config"]["meta"]["rule"]
                raise RuntimeError(f"{table}, expectation {rule}: {problem['exception_message']}")


def in_order(result: dict[str, Any]) -> dict[str, Any]:
    """A result with its expectations in the order of the suite."""
    order = {
        each["meta"]["rule"]: place
        for place, each in enumerate(suite_in(result["suite_name"])["expectations"])
    }
    result["results"].sort(key=lambda each: order[each["expectation_config"]["meta"]["rule"]])
    return result


def build_data_docs(kept: Path, docs: Path) -> Path:
    """Write Great Expectations' Data Docs of the suites and of the results in a folder; their index. No page
    loads anything from the network."""
    import great_expectations as gx

    context = context_of(kept, docs)
    for file in sorted(FOLDER.glob("*.json")):
        context.suites.add(gx.ExpectationSuite(**suite_in(file.stem)))
    context.build_data_docs()
    make_local(docs)
    return docs / "index.html"
