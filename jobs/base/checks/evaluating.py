"""Tables of a lake that Great Expectations evaluates: when somebody asks, and before a package leaves.

Ordinary runs check the same rules natively and never import it.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from expectations import suite_files
from expectations.evaluation import Evaluated, evaluate
from expectations.suite_files import suite_tables
from jobs.base.checks.validations import EVALUATED
from jobs.base.core.disk import replace_file
from jobs.base.engine.tasks import open_scratch
from jobs.base.places.file_systems import is_local
from jobs.base.store.lake import Lake
from jobs.base.store.table_files import query_files
from jobs.base.tables.contracts import read_contract

# So many files of a table are in memory at once.
FILES = 64
# A file beside the results: of each operator and month that held, the digest of what held.
HELD = f"{EVALUATED}/held_months.json"


@contextmanager
def open_results(lake: Lake, is_read: bool = False) -> Iterator[Path]:
    """The folder of Great Expectations' results. Of a lake in an object store it is on this machine for as
    long as this lasts, with the earlier results if they are to be read, and new ones are put there after."""
    fs, folder = lake.own_file(EVALUATED)
    if is_local(lake.root):
        yield Path(folder)
        return
    with open_scratch(lake.root) as here:
        there = {path.removeprefix(f"{folder}/"): path for path in fs.find(folder)} if is_read else {}
        for name, path in there.items():
            copy = here / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(fs.cat_file(path))
        yield here
        for file in here.rglob("*.json"):
            if (name := file.relative_to(here).as_posix()) not in there:
                fs.pipe_file(f"{folder}/{name}", file.read_bytes())


def evaluate_lake(
    lake: Lake,
    operators: Collection[str],
    run_name: str,
    months: Collection[str] = (),
    is_kept: bool = True,
) -> list[Evaluated]:
    """Evaluate the suites of gold on the rows of operators, as the last finished stage left them, and of the
    study's tables that the lake has.

    Args:
        months: of gold only these, and nothing of the study.
        is_kept: results are written to the lake.
    """
    versions = lake.versions()
    frames = {
        table: gold_rows(lake, table, versions[table], operators, months)
        for table in suite_tables()
        if table.startswith("gold.") and operators and table in versions
    }
    if not months:
        frames |= {
            table: iter([lake.read(table)])
            for table in suite_tables()
            if table.startswith("study.") and lake.exists(table)
        }
    with open_scratch(lake.root) as scratch:
        if not is_kept:
            return evaluate(frames, None, run_name, scratch)
        with open_results(lake) as folder:
            return evaluate(frames, folder, run_name, scratch)


def gold_rows(
    lake: Lake, table: str, version: int, operators: Collection[str], months: Collection[str]
) -> Iterator[pl.DataFrame]:
    """The table's rows without sketches, which are most of its bytes; of one that a rule names, whether it
    is there."""
    contract = read_contract(table)
    period = str(contract.period)
    columns = [
        pl.when(pl.col(field.name).is_not_null()).then(pl.lit(b"")).alias(field.name)
        if field.type == "binary"
        else pl.col(field.name)
        for field in contract.fields
        if field.type != "binary" or any(re.search(rf"\b{field.name}\b", rule) for _, rule in contract.checks)
    ]
    files = lake.files(
        table,
        version,
        lambda partition: (
            partition["operator_id"] in operators and (not months or str(partition[period])[:7] in months)
        ),
    )
    # A table without rows is there for its rules, too.
    for start in range(0, max(len(files), 1), FILES):
        yield query_files(table, files[start : start + FILES], lambda rows: rows.select(columns))


def month_digests(lake: Lake, operators: Collection[str]) -> dict[tuple[str, str], str]:
    """Compute for each operator and month of gold a digest of the suites and of the names of the files that
    hold its rows: another one if a row or a rule may be another."""
    suites = hashlib.sha256()
    for suite in sorted(suite_files.FOLDER.glob("gold.*.json")):
        suites.update(suite.read_bytes())
    found: dict[tuple[str, str], Any] = {}
    versions = lake.versions()
    for table in suite_tables():
        if not table.startswith("gold.") or table not in versions:
            continue
        period = str(read_contract(table).period)
        for file in lake.files(table, versions[table], lambda of: of["operator_id"] in operators):
            month = str(file.partition_value("operator_id")), str(file.partition_value(period))[:7]
            found.setdefault(month, suites.copy()).update(f"{table} {file.path}\n".encode())
    return {month: digest.hexdigest() for month, digest in found.items()}


def changed_months(lake: Lake, now: Mapping[tuple[str, str], str]) -> set[str]:
    """The months in which rows or rules of any operator changed since note_held().

    Args:
        now: month_digests().
    """
    held = read_held(lake)
    return {month for (operator, month), digest in now.items() if held.get(f"{operator} {month}") != digest}


def note_held(lake: Lake, now: Mapping[tuple[str, str], str], months: Collection[str]) -> None:
    """Note that no expectation is broken in these months."""
    held = read_held(lake) | {
        f"{operator} {month}": digest for (operator, month), digest in now.items() if month in months
    }
    replace_file(*lake.own_file(HELD), (json.dumps(held, indent=1, sort_keys=True) + "\n").encode())


def read_held(lake: Lake) -> dict[str, str]:
    """Read what note_held() noted; nothing where that cannot be read."""
    fs, file = lake.own_file(HELD)
    try:
        found: dict[str, str] = json.loads(fs.cat_file(file))
    except (FileNotFoundError, ValueError):
        return {}
    return found
