"""The Spark engine's work on executors: running tasks, and merging the parts of gold tables.

Only driver and executors of Spark import this module. Frames travel as Arrow files in staging or as Arrow
bytes in one column: Spark never converts a wide row.
"""

import gc
import hashlib
import hmac
import importlib
import io
import pickle
import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import polars as pl
import pyarrow as pa

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.master_key import master_key
from jobs.base.core.program import own_project
from jobs.base.engine.tasks import TaskDied, TaskFailed, is_in_periods, perform_call, read_staged
from jobs.base.places.file_systems import open_store
from jobs.base.store.lake import Periods
from jobs.base.store.table_files import rows_of
from jobs.base.tables.contracts import read_contract
from jobs.base.tables.merge import merge_parts


@dataclass(frozen=True)
class Expected:
    """The state of the driver that every worker must have, too.

    Attributes:
        project: the version of its files.
        seal: the HMAC of nonce by the pseudonym key, so that keys are compared and never sent.
        shared: a file in the lake that workers must see.
        preload: modules that import what most tasks need.
    """

    project: str
    nonce: bytes
    seal: str
    shared: str
    preload: tuple[str, ...] = ()


def seal_nonce(nonce: bytes) -> str:
    """The HMAC of a nonce by this process's pseudonym key."""
    return hmac.new(master_key(), nonce, hashlib.sha256).hexdigest()


@cache
def refuse_unlike(expected: Expected) -> None:
    """Raise ObservatoryError if this worker differs from the driver: once for each process."""
    if own_project() != expected.project:
        raise ObservatoryError(
            f"Spark's workers differ from the driver: spam-observatory is {expected.project} on the driver"
            f" and {own_project()} on worker {platform.node()}. Give both the same wheel"
        )
    fs, shared = open_store(expected.shared)
    if not fs.exists(shared):
        raise ObservatoryError(
            f"worker {platform.node()} does not see {expected.shared}: every worker must mount the lake's"
            " folder at the same path as the driver, or reach the same object store"
        )
    if seal_nonce(expected.nonce) != expected.seal:
        raise ObservatoryError(
            f"worker {platform.node()} has another pseudonym key than the driver: give both the same file in"
            " OBSERVATORY_PSEUDONYM_KEY_FILE (`spark.executorEnv.` sets it for workers)"
        )


@cache
def import_modules(names: tuple[str, ...]) -> None:
    """Import what most tasks need, once for each process.

    After each task Spark looks for garbage among all objects that there are, for 50 ms. Those of modules
    stay, and are left out.
    """
    for name in names:
        importlib.import_module(name)
    gc.freeze()


def report_outcome(call: bytes, expected: Expected) -> tuple[str, Any]:
    """Return the outcome of a task: ("value", …), ("error", an error for a person), ("failed", text) or
    ("died", "").

    Spark would try a task that raises again, and would wrap its error.
    """
    try:
        refuse_unlike(expected)
        import_modules(expected.preload)
        return "value", perform_call(pickle.loads(call))
    except ObservatoryError as error:
        return "error", error
    except TaskFailed as error:
        return "failed", str(error)
    except TaskDied:
        return "died", ""


def parts_by_period(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Parts of tables (table, path) cut by operator and period: table, operator_id, period and the rows."""
    for batch in batches:
        for row in batch.to_pylist():
            period = read_contract(row["table"]).period
            assert period is not None
            frame = pl.read_ipc(read_staged(row["path"]))
            cut = frame.partition_by(["operator_id", period], as_dict=True)
            found = [
                {
                    "table": row["table"],
                    "operator_id": operator,
                    "period": str(when),
                    "rows": pack_frame(part),
                }
                for (operator, when), part in cut.items()
            ]
            yield from pa.Table.from_pylist(found, PARTS).to_batches() if found else ()


PARTS = pa.schema(
    [("table", pa.string()), ("operator_id", pa.string()), ("period", pa.string()), ("rows", pa.binary())]
)


def finished_period(parts: pa.Table, finish: bytes) -> pa.Table:
    """The rows of one operator-period of one table, from all parts of it: merged by the contract's rules, and
    finished by a pickled function of merged rows and the table."""
    table = parts["table"][0].as_py()
    frame = pl.concat([unpack_frame(each) for each in parts["rows"].to_pylist()], rechunk=True)
    made = pickle.loads(finish)(merge_parts(frame, table), table)
    first = {name: parts[name][0].as_py() for name in ("table", "operator_id", "period")}
    return pa.Table.from_pylist([first | {"rows": pack_frame(made)}], PARTS)


def table_rows(
    batches: Iterable[pa.RecordBatch], table: str, changed: Periods | None
) -> Iterator[pa.RecordBatch]:
    """The rows of frames in staging, in the types of the table's contract; those of the periods that changed,
    or all."""
    for batch in batches:
        for path in batch["path"].to_pylist():
            frame = pl.read_ipc(read_staged(path))
            if changed is not None:
                days = {operator: set(of_operator) for operator, of_operator in changed.items()}
                frame = frame.filter(is_in_periods(days, table))
            yield from rows_of(frame, table).to_batches()


def pack_frame(frame: pl.DataFrame) -> bytes:
    data = io.BytesIO()
    frame.write_ipc(data, compression="lz4")
    return data.getvalue()


def unpack_frame(data: bytes) -> pl.DataFrame:
    return pl.read_ipc(io.BytesIO(data))
