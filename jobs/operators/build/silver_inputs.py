"""The bronze rows of a silver stage: those just parsed lie in staging already, others come from files."""

from collections.abc import Sequence

import polars as pl

from jobs.base.engine.silver_buckets import LARGEST_BUCKET
from jobs.base.engine.tasks import Engine, StagedFrame, Task, group_by_bytes
from jobs.base.store.lake import Lake
from jobs.base.store.table_files import DataFile, read_files
from jobs.base.tables.contracts import list_tables, read_contract
from jobs.operators.build import windows
from jobs.operators.build.batches import Ingested
from jobs.operators.build.staged_exchange import StagedShelf
from jobs.operators.silver import steps
from jobs.operators.silver.exchange import Days
from jobs.operators.silver.frames import SILVER, bronze_name


def stage_bronze(
    lake: Lake,
    engine: Engine,
    staging: str,
    days: Days,
    count: int,
    ingested: Ingested,
    waiting: pl.DataFrame,
) -> list[StagedFrame]:
    """The bronze rows of the operators' days in staging, by one of so many buckets.

    Args:
        ingested: what lies there already.
        waiting: parts of batches whose rows are left out.
    """
    versions = lake.versions()
    fresh = {f"{lake.path(file.table)}/{file.path}" for file in ingested.files} if ingested.frames else set()
    read = {name for table in SILVER for name in read_contract(table).reads}
    tasks = []
    for table in list_tables():
        if table not in read or table not in versions or not table.startswith("bronze."):
            continue
        files = lake.files(table, versions[table], lambda partition: windows.holds_partition(days, partition))
        for part in group_by_bytes([file for file in files if file.path not in fresh], LARGEST_BUCKET // 8):
            tasks.append(
                Task(
                    f"silver, files of {table}",
                    split_files,
                    staging=staging,
                    files=part,
                    format_name=table.split(".")[1],
                    count=count,
                    waiting=waiting,
                )
            )
    return [*ingested.frames, *(left for of_task in engine.run_tasks(tasks) for left in of_task)]


def split_files(
    *, staging: str, files: Sequence[DataFile], format_name: str, count: int, waiting: pl.DataFrame
) -> list[StagedFrame]:
    """Read files of a bronze table and leave their rows by bucket, but for those of parts that wait."""
    rows = read_files(bronze_name(format_name), files)
    if waiting.height:
        rows = rows.join(waiting, on=windows.PART, how="anti", maintain_order="left")
    folder = StagedShelf(staging)
    steps.split_bronze(folder, rows, format_name, count)
    return folder.left
