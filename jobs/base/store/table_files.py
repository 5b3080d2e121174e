"""The Parquet files of tables: how tasks write them, and how their rows are read."""

import contextlib
import io
import os
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.base.core.disk import add_file
from jobs.base.core.errors import ObservatoryError
from jobs.base.places.file_systems import is_local, open_store, plain_url, store_options
from jobs.base.places.permissions import write_privately
from jobs.base.tables.contracts import arrow_schema, polars_schema, read_contract

# Small, quick to read for every reader, and the same bytes for the same rows.
COMPRESSION: dict[str, Any] = {"compression": "zstd", "compression_level": 1, "statistics": False}


class DamagedTable(ObservatoryError):
    """A file of a table is not there, or is not as it was written."""


@dataclass(frozen=True)
class DataFile:
    """A Parquet file of a table, and the values of the partition columns that all its rows have."""

    path: str
    partition: tuple[tuple[str, str | None], ...]
    bytes: int
    rows: int

    def partition_value(self, column: str) -> str | None:
        return dict(self.partition)[column]


@dataclass(frozen=True)
class NewFile:
    """A Parquet file that a task wrote for a table and that no transaction names yet.

    Attributes:
        path: relative to the table's folder.
        partition: the values of the table's partition columns.
    """

    table: str
    path: str
    partition: tuple[tuple[str, str], ...]
    bytes: int
    rows: int


def folder_of(root: str, table: str) -> str:
    """The folder of a table in the lake at a root."""
    return f"{plain_url(root)}/{table.replace('.', '/')}"


@write_privately
def write_files(frame: pl.DataFrame, table: str, root: str) -> list[NewFile]:
    """Write rows as Parquet files of a table, one for each partition, under names that no file has; no
    transaction names them yet."""
    by = list(read_contract(table).partition_by)
    fs, folder = open_store(folder_of(root, table))
    columns = [name for name in polars_schema(table) if name not in by]
    made = []
    for values, part in partitions_of(frame, by):
        partition = tuple((name, str(value)) for name, value in zip(by, values, strict=True))
        inside = "/".join(f"{name}={value}" for name, value in partition)
        path = f"{inside}/part-{uuid.uuid4()}.parquet" if inside else f"part-{uuid.uuid4()}.parquet"
        # Python's own writing says when a disk is full; Polars loses the reason.
        data = io.BytesIO()
        part.select(columns).write_parquet(data, **COMPRESSION)
        add_file(fs, f"{folder}/{path}", data.getbuffer())
        made.append(NewFile(table, path, partition, data.tell(), part.height))
    return made


def partitions_of(frame: pl.DataFrame, by: list[str]) -> list[tuple[tuple[Any, ...], pl.DataFrame]]:
    """The rows by the values of partition columns; the frame itself, not a copy, where they are all alike."""
    values = frame.select(by).unique().rows() if by else [()]
    if len(values) == 1:
        return [(values[0], frame)]
    return list(frame.partition_by(by, as_dict=True).items())


def remove_files(files: Iterable[NewFile], root: str) -> None:
    """Remove files that no transaction will name."""
    for file in files:
        fs, folder = open_store(folder_of(root, file.table))
        with contextlib.suppress(FileNotFoundError):
            fs.rm_file(f"{folder}/{file.path}")


def scan_files(table: str, files: Iterable[DataFile]) -> pl.LazyFrame:
    """The rows of files of a table, in the columns and types of its contract; columns that it got later are
    null."""
    kinds = polars_schema(table)
    by = list(read_contract(table).partition_by)
    stored = {name: kind for name, kind in kinds.items() if name not in by}
    by_partition: dict[tuple[tuple[str, str | None], ...], list[str]] = {}
    files = list(files)
    # Its credentials are those that all else of the lake uses; Polars would look for others.
    options = store_options(files[0].path) if files else None
    place: dict[str, Any] = (
        {"storage_options": polars_options(options), "credential_provider": None} if options else {}
    )
    for file in files:
        by_partition.setdefault(file.partition, []).append(file.path)
    frames = [
        pl.scan_parquet(
            paths,
            schema=stored,
            missing_columns="insert",
            extra_columns="ignore",
            hive_partitioning=False,
            glob=False,
            **place,
        ).with_columns(
            pl.lit(value, pl.String).str.to_date("%Y-%m-%d").alias(name)
            if kinds[name] == pl.Date
            else pl.lit(value, kinds[name]).alias(name)
            for name, value in partition
        )
        for partition, paths in by_partition.items()
    ]
    if not frames:
        return pl.LazyFrame(schema=kinds)
    return pl.concat(frames).select(list(kinds))


def polars_options(options: dict[str, str]) -> dict[str, Any]:
    """Options of delta-rs as Polars takes them."""
    own = {"aws_conditional_put", "retry_timeout", "max_retries"}
    return {name: value for name, value in options.items() if name not in own} | {
        "max_retries": int(options["max_retries"])
    }


def read_files(
    table: str,
    files: Iterable[DataFile],
    columns: Iterable[str] | None = None,
    where: pl.Expr | None = None,
) -> pl.DataFrame:
    """The rows of files of a table that a condition selects. Raises ObservatoryError for a damaged file."""
    files = list(files)
    with naming_damage(table, files):
        frame = scan_files(table, files)
        frame = frame if where is None else frame.filter(where)
        return (frame if columns is None else frame.select(list(columns))).collect()


def query_files(
    table: str, files: Iterable[DataFile], query: Callable[[pl.LazyFrame], pl.LazyFrame]
) -> pl.DataFrame:
    """Query the rows of a table's files, which need not fit in memory. Raises ObservatoryError for a damaged
    file."""
    files = list(files)
    with naming_damage(table, files):
        return query(scan_files(table, files)).collect(engine="streaming")


@contextlib.contextmanager
def naming_damage(table: str, files: Sequence[DataFile]) -> Iterator[None]:
    """While files of a table are read: where one is damaged, raise ObservatoryError with what brings it
    back. What else goes wrong is raised as it is."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        refuse_missing_files(table, files, is_sure=True)
        for file in files:
            if why := damage_of(file.path):
                raise DamagedTable(
                    f"{table}: {file.path} is damaged ({why}). {file_remedy(table)}"
                ) from error
        raise


def damage_of(path: str) -> str | None:
    """Describe the damage of a Parquet file, if any: it is read as a whole."""
    fs, file = open_store(path)
    try:
        with fs.open(file, "rb") as data:
            for _ in pq.ParquetFile(data).iter_batches():
                pass
    except (pa.ArrowException, OSError) as error:
        return str(error).partition("\n")[0].partition(": ")[0] or type(error).__name__
    return None


def refuse_missing_files(table: str, files: Iterable[DataFile], is_sure: bool = False) -> None:
    """Raise ObservatoryError for a file that the table's log names and that is not there.

    Args:
        is_sure: look in an object store, too, which is a request for each file.
    """
    for file in files:
        there = (
            os.path.exists(file.path) if is_local(file.path) else not is_sure or exists_in_store(file.path)
        )
        if not there:
            raise DamagedTable(f"{table}: {file.path} is missing. {file_remedy(table)}")


def exists_in_store(url: str) -> bool:
    fs, path = open_store(url)
    found: bool = fs.exists(path)
    return found


def file_remedy(table: str) -> str:
    """Say how to bring a file of a table back."""
    contract = read_contract(table)
    if contract.layer in ("bronze", "gold") or table == "meta.run" or contract.reads:
        return (
            "Put it back from a copy. Without one, `observatory renew --anew` and then `observatory run`"
            " compute the tables again from landing"
        )
    return "Put it back from a copy: no other table has its rows"


def rows_of(frame: pl.DataFrame, table: str) -> pa.Table:
    return frame.select(list(polars_schema(table))).to_arrow().cast(arrow_schema(table))


def drop_comments(rows: pa.Table, columns: Collection[str]) -> pa.Table:
    """Rows without the comments of columns: delta-rs adds none to a table that has other ones, those of an
    older contract."""
    fields = [field.remove_metadata() if field.name in columns else field for field in rows.schema]
    return rows.cast(pa.schema(fields))


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type that a contract names for a Parquet column as Polars writes it: large strings, lists and
    binaries are strings, lists and binaries."""
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_large_list(kind) or pa.types.is_list(kind):
        return pa.list_(pa.field("element", plain_type(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, plain_type(field.type)) for field in kind])
    return kind
