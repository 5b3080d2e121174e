"""Read and write the tables of a lake.

A table is a Delta table at <root>/<layer>/<table>: Parquet files, and a log that delta-rs writes. There are
four kinds of writes, each one Delta transaction:

- add rows,
- replace the rows that a condition selects,
- write the whole table anew,
- put files that tasks wrote in place of whole operator-periods; one transaction for each operator if
  operators replace different periods.

The last row of meta.run names the versions of tables that belong together. Readers that need several tables
to agree read these; a later version does not count until a row names it.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import polars as pl
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction

from jobs.base.core.disk import replace_file
from jobs.base.core.errors import ObservatoryError
from jobs.base.places.file_systems import is_local, store_options
from jobs.base.places.held_leases import check_lease
from jobs.base.store.lake_notes import FORM, MARK, own_file, read_mark, refuse_form
from jobs.base.store.open_tables import (
    forget_all,
    forget_log,
    has_table,
    is_open,
    look_again,
    open_log,
    remember_found,
)
from jobs.base.store.table_files import (
    DataFile,
    NewFile,
    drop_comments,
    folder_of,
    plain_type,
    query_files,
    read_files,
    refuse_missing_files,
    rows_of,
)
from jobs.base.tables.contracts import LAYERS, arrow_schema, read_contract, reference_table

# Readers find files by partition: statistics of columns would cost a quarter of a write.
PROPERTIES: dict[str, str | None] = {"delta.dataSkippingNumIndexedCols": "0"}
Partition = dict[str, str | None]
Periods = Mapping[str, Iterable[str]]


@dataclass(frozen=True)
class Lake:
    """A lake at `root`, a folder or an s3:// URL."""

    root: str

    def path(self, table: str) -> str:
        """The folder of a table."""
        return folder_of(self.root, table)

    def own_file(self, name: str) -> tuple[Any, str]:
        """The file system and path of a file that stands beside the tables."""
        return own_file(self.path(""), name)

    def exists(self, table: str) -> bool:
        return has_table(self.root, self.path(table))

    def version(self, table: str) -> int:
        """The table's latest version, whether meta.run names it or not."""
        return self.open_table(table).version()

    def versions(self) -> dict[str, int]:
        """Return the version of each table that the last finished stage named: versions that belong
        together."""
        if not self.exists("meta.run"):
            return {}
        return dict(
            remember_found(self.root, self.path("meta.run"), lambda log: self._read_named(log.version()))
        )

    def _read_named(self, version: int) -> dict[str, int]:
        rows = self.read("meta.run", version, ["table_versions"]).explode("table_versions").drop_nulls()
        named = rows.unnest("table_versions").group_by("table_name").agg(pl.col("version").max())
        return dict(named.rows())

    def files(
        self,
        table: str,
        version: int | None = None,
        is_wanted: Callable[[Partition], bool] = lambda partition: True,
    ) -> list[DataFile]:
        """The files that hold a version of the table (the latest without one), in the order of their names;
        none for a table that was never written.

        Args:
            is_wanted: by the values of a file's partition columns, whether it is needed.
        """
        try:
            log = self.open_table(table, version)
        except TableNotFoundError:
            return []
        by = list(read_contract(table).partition_by)
        folder = self.path(table)
        # pa.table() would import pandas.
        actions = pl.DataFrame(log.get_add_actions(flatten=True))
        names, sizes = actions["path"].to_list(), actions["size_bytes"].to_list()
        # A writer that keeps no statistics leaves the number of rows out.
        rows = actions["num_records"].to_list() if "num_records" in actions.columns else [0] * len(names)
        values = [[format_value(each) for each in actions[f"partition.{name}"].to_list()] for name in by]
        found = []
        for name, size, count, *of_file in zip(names, sizes, rows, *values, strict=True):
            partition = dict(zip(by, of_file, strict=True))
            if is_wanted(partition):
                found.append(
                    DataFile(f"{folder}/{unquote(name)}", tuple(partition.items()), size, count or 0)
                )
        refuse_missing_files(table, found)
        return sorted(found, key=lambda file: file.path)

    def read(
        self,
        table: str,
        version: int | None = None,
        columns: Iterable[str] | None = None,
        where: pl.Expr | None = None,
    ) -> pl.DataFrame:
        """The table's rows in the columns and types of its contract; reference tables come from their CSV.

        A table that was never written is an empty frame; a column that its contract got later is null.
        """
        if read_contract(table).layer == "ref":
            frame = reference_table(table)
            frame = frame if where is None else frame.filter(where)
            return frame if columns is None else frame.select(list(columns))
        return read_files(table, self.files(table, version), columns, where)

    def query_table(
        self, table: str, version: int | None, query: Callable[[pl.LazyFrame], pl.LazyFrame]
    ) -> pl.DataFrame:
        """The result of a lazy query over the table's rows, which need not fit in memory."""
        return query_files(table, self.files(table, version), query)

    def append(self, frame: pl.DataFrame, table: str) -> int:
        """Add rows in one transaction; the new version."""
        return self._write_rows(frame, table, None, mode="append", schema_mode="merge")

    def replace(
        self, frame: pl.DataFrame, table: str, where: str, note: Mapping[str, Any] | None = None
    ) -> int:
        """Put the frame's rows in place of those that a SQL condition selects, in one transaction; the new
        version. Rows of the frame that the condition does not select are refused."""
        return self._write_rows(frame, table, note, mode="overwrite", predicate=where, schema_mode="merge")

    def rewrite(self, frame: pl.DataFrame, table: str, note: Mapping[str, Any] | None = None) -> int:
        """Write a table anew as a whole, in one transaction; the new version. It gets the columns of its
        contract, whatever an earlier contract gave it."""
        by = list(read_contract(table).partition_by)
        anew: dict[str, Any] = {"schema_mode": "overwrite", "partition_by": by, "configuration": PROPERTIES}
        return self._write_rows(frame, table, note, mode="overwrite", **anew)

    def delete(self, table: str, where: str) -> None:
        """Take out the rows that a SQL condition selects, in one transaction."""
        if self.exists(table):
            with self.open_to_write(table) as log:
                log.delete(where, commit_properties=commit_note(None))

    def add_files(self, table: str, files: Iterable[NewFile], note: Mapping[str, Any] | None = None) -> int:
        """Add files that tasks wrote, in one transaction; the new version."""
        files = list(files)
        self.check_files(files)
        self.make_table(table)
        if files:
            self._commit_files(table, files, "append", None, note)
        return self.version(table)

    def replace_periods(
        self, table: str, periods: Periods, files: Iterable[NewFile], note: Mapping[str, Any] | None = None
    ) -> int:
        """Put files that tasks wrote in place of whole operator-periods, in one transaction for each
        operator; the new version. A period without a file becomes empty.

        Raises ObservatoryError for a file of another period, or whose columns are not the contract's:
        delta-rs would take both.
        """
        operator, period = read_contract(table).partition_by
        of_operator: dict[str, list[NewFile]] = {name: [] for name in periods}
        for file in files:
            name, day = (dict(file.partition)[column] for column in (operator, period))
            if name not in of_operator or day not in periods[name]:
                raise ObservatoryError(f"{table}: {file.path} lies outside of the periods to be replaced")
            of_operator[name].append(file)
        self.check_files(file for of_one in of_operator.values() for file in of_one)
        self.make_table(table)
        for name, of_one in sorted(of_operator.items()):
            where = [(operator, "=", name), (period, "in", sorted(periods[name]))]
            self._commit_files(table, of_one, "overwrite", where, note)
        return self.version(table)

    def undo_writes(self, table: str, version: int | None) -> bool:
        """Take back what was written to a table after a version, without one all that was written: that of a
        run that died before meta.run named it. Whether there was anything."""
        if not self.exists(table):
            return False
        if self.version(table) == version or (version is None and not self.files(table)):
            return False
        with self.open_to_write(table) as log:
            if version is None:
                log.delete(commit_properties=commit_note(None))
            else:
                log.restore(version, commit_properties=commit_note(None))
        return True

    def make_table(self, table: str) -> None:
        """Make the table if it is not there, with the partitions, types and comments of its contract: what
        comes first where a table is written."""
        check_lease(self.root)
        if is_open(self.root, self.path(table)):
            return
        self.record_form()
        if not self.exists(table):
            DeltaTable.create(
                self.path(table),
                arrow_schema(table),
                mode="ignore",
                partition_by=list(read_contract(table).partition_by),
                configuration=PROPERTIES,
                storage_options=store_options(self.root),
            )
            look_again(self.root, self.path(table))

    def read_form(self) -> int | None:
        """The form in which the lake is written; None for a lake without tables. One whose
        tables lack a mark has form 1: the first development versions wrote none."""
        about = self.read_notes()
        if about:
            return int(about["form"])
        fs, folder = self.own_file("")
        logs = (fs.glob(f"{folder}{layer}/*/_delta_log") for layer in LAYERS)
        return 1 if is_local(self.root) and any(logs) else None

    def record_form(self) -> None:
        """Record the form of a lake that has no table yet; raise ObservatoryError for one of another form."""
        self.refuse_other_form()
        if self.read_form() is None:
            self.add_notes({})

    def read_notes(self) -> dict[str, Any]:
        """Read the lake's notes on itself: its form, and its operators (jobs/operators/keep/identity.py)."""
        return read_mark(*self.own_file(MARK))

    def add_notes(self, about: Mapping[str, Any]) -> None:
        """Add to what the lake remembers of itself, which is written as a whole or not at all."""
        data = json.dumps({"form": FORM, **self.read_notes(), **about}, sort_keys=True).encode()
        replace_file(*self.own_file(MARK), data)

    def refuse_other_form(self) -> None:
        """Raise ObservatoryError, with what to do, for a lake that another version wrote in another form."""
        refuse_form(self.root, self.read_form())

    def check_files(self, files: Iterable[NewFile]) -> None:
        """Raise ObservatoryError for a file whose columns and types are not those of its table's contract:
        a transaction of files takes whatever it is given."""
        for file in files:
            if not is_local(self.root):
                # A request for each file.
                continue
            found = pq.read_schema(f"{self.path(file.table)}/{file.path}")
            by = read_contract(file.table).partition_by
            wanted = {field.name: field.type for field in arrow_schema(file.table) if field.name not in by}
            types = {field.name: plain_type(field.type) for field in found}
            if types != wanted:
                wrong = sorted(
                    name for name in types.keys() | wanted.keys() if types.get(name) != wanted.get(name)
                )
                raise ObservatoryError(
                    f"{file.table}: {file.path} has other columns than the contract: {wrong}"
                )

    def open_table(self, table: str, version: int | None = None) -> DeltaTable:
        """The table's log, up to a version."""
        try:
            return open_log(self.root, self.path(table), version)
        except (DeltaError, TableNotFoundError):
            # A log that begins after the version looks like no table.
            if version is None or not self.exists(table):
                raise
            latest = self.version(table)
            raise ObservatoryError(
                f"{table}: its log does not have version {version} any more; the latest is {latest}"
            ) from None

    @contextmanager
    def open_to_write(self, table: str) -> Iterator[DeltaTable]:
        """The table's log, for one transaction. Raises LeaseLost where the lake has another writer."""
        check_lease(self.root)
        try:
            yield self.open_table(table)
        except BaseException:
            self.close_log(table)
            raise
        look_again(self.root, self.path(table))

    def close_log(self, table: str) -> None:
        """Forget what is known of the table's log: another program wrote it, or nobody knows what was."""
        forget_log(self.root, self.path(table))

    def _write_rows(self, frame: pl.DataFrame, table: str, note: Mapping[str, Any] | None, **how: Any) -> int:
        self.make_table(table)
        with self.open_to_write(table) as log:
            rows = rows_of(frame, table)
            if how["schema_mode"] == "merge":
                rows = drop_comments(rows, {field.name for field in log.schema().fields})
            write_deltalake(log, rows, commit_properties=commit_note(note), **how)
        return self.version(table)

    def _commit_files(
        self,
        table: str,
        files: list[NewFile],
        mode: str,
        where: list[tuple[str, str, Any]] | None,
        note: Mapping[str, Any] | None,
    ) -> None:
        """Commit files that lie in a table's folder, in one transaction."""
        now = int(time.time() * 1000)
        actions: list[Any] = [
            AddAction(
                file.path, file.bytes, dict(file.partition), now, True, json.dumps({"numRecords": file.rows})
            )
            for file in files
        ]
        with self.open_to_write(table) as log:
            log.create_write_transaction(
                actions,
                mode,
                arrow_schema(table),
                partition_by=list(read_contract(table).partition_by),
                partition_filters=where,
                commit_properties=commit_note(note),
            )


def open_lake(root: str) -> Lake:
    """The lake at a root, as every command opens it. Raises ObservatoryError for one of another form."""
    forget_all()
    lake = Lake(root)
    lake.refuse_other_form()
    return lake


def commit_note(note: Mapping[str, Any] | None) -> CommitProperties:
    """Return the note in a transaction's row of the log. No transaction is tried again upon another writer's:
    there is none, or the lease was lost, or it is this one, whose answer was lost."""
    words = {"userMetadata": json.dumps(note, sort_keys=True)} if note else None
    return CommitProperties(custom_metadata=words, max_commit_retries=0)


def format_value(value: Any) -> str | None:
    return None if value is None else str(value)


def select_any(column: str, values: Iterable[str]) -> str:
    """A SQL condition such as `operator_id IN ('a', 'b')`."""
    quoted = []
    for value in values:
        if "'" in value or "\\" in value:
            raise ObservatoryError(f"{column}: '{value}' holds a quote")
        quoted.append(f"'{value}'")
    return f"{column} IN ({', '.join(quoted)})"
