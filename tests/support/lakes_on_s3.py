"""A lake in a real object store, reached as AWS' variables say."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.base.places.s3 import connect_once
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import list_tables, read_contract
from tests.support.servers import S3
from tests.support.whole_runs import rows_in

ROOT = "s3://logs/lake"
# What differs from run to run, and nothing else may.
OWN = ("run_id", "ingest_id", "started_at", "finished_at", "landed_at", "table_versions", "ingest_ids")


def start_store(folder: Path, monkeypatch: pytest.MonkeyPatch, copied: Path | None = None) -> Iterator[S3]:
    """A store, whose address and credentials the environment names."""
    found = S3(folder, copied)
    point_to(found.port, monkeypatch)
    for name, value in found.credentials().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", found.region)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    try:
        yield found
    finally:
        found.kill()


def point_to(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reach the store by this port from now on."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    connect_once.cache_clear()


def end_lease(store: S3, root: str = ROOT) -> None:
    """Let the lock of a lake be so old as if its writer had been dead for an hour."""
    old = time.time() - 3600
    os.utime(store.folder / root.removeprefix("s3://") / "lock.json", (old, old))


def rows_of_lake(lake: Lake) -> dict[str, list[str]]:
    """All rows of a lake, without what each run says of itself."""
    names = [name for name in list_tables() if read_contract(name).layer not in ("ref", "meta")]
    found = {}
    for name in names:
        columns = read_contract(name).columns
        found |= rows_in(lake, [name], [column for column in OWN if column in columns])
    return found
