"""Tables of a lake that Great Expectations evaluates: when somebody asks, and before a package leaves.

Ordinary runs check the same rules natively and never import it.
"""

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from expectations import suite_files
from expectations.evaluation import Evaluated, evaluate
from expectations.suite_files import suite_tables
from jobs.core.contracts import read_contract
from jobs.core.errors import ValidationHeld
from jobs.engine.lake import Lake, is_local
from jobs.engine.table_files import query_files
from jobs.stages.validations import EVALUATED

# So many files of a table are in memory at once.
FILES = 64
# A file beside the results: of each operator and month that held, the digest of what held.
HELD = "held_months.json"


def results_folder(lake: Lake) -> Path | None:
    """The folder of Great Expectations' results; none for a lake that is not on this machine."""
    return Path(lake.root, EVALUATED) if is_local(lake.root) else None


def evaluate_lake(
    lake: Lake,
    operators: Collection[str],
    run_name: str,
    months: Collection[str] = (),
    is_kept: bool = True,
) -> list[Evaluated]:
    """Evaluate the suites of gold on the rows of operators, as the last finished stage left them, and of the
    study's tables that the lake has. months: of gold only these, and nothing of the study. is_kept: results
    are written to the lake."""
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
    return evaluate(frames, results_folder(lake) if is_kept else None, run_name)


def gold_rows(
    lake: Lake, table: str, version: int, operators: Collection[str], months: Collection[str]
) -> Iterator[pl.DataFrame]:
    """The table's rows without sketches, which are most of its bytes; of one that a rule names, whether it
    is there."""
    about = read_contract(table)
    period = str(about.period)
    columns = [
        pl.when(pl.col(field.name).is_not_null()).then(pl.lit(b"")).alias(field.name)
        if field.type == "binary"
        else pl.col(field.name)
        for field in about.fields
        if field.type != "binary" or any(re.search(rf"\b{field.name}\b", rule) for _, rule in about.checks)
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
    """For each operator and month of gold a digest of the suites and of the names of the files that hold its
    rows: another one if a row or a rule may be another."""
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
    """The months of which something changed since note_held(), of any operator. now: of month_digests()."""
    held = read_held(lake)
    return {month for (operator, month), digest in now.items() if held.get(f"{operator} {month}") != digest}


def note_held(lake: Lake, now: Mapping[tuple[str, str], str], months: Collection[str]) -> None:
    """Note that no expectation is broken in these months. A lake in an object store keeps no note."""
    folder = results_folder(lake)
    if folder is None:
        return
    held = read_held(lake) | {
        f"{operator} {month}": digest for (operator, month), digest in now.items() if month in months
    }
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / f"{HELD}.new"
    new.write_text(json.dumps(held, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(new, folder / HELD)


def read_held(lake: Lake) -> dict[str, str]:
    """What note_held() noted; nothing where that cannot be read."""
    folder = results_folder(lake)
    if folder is None or not (folder / HELD).is_file():
        return {}
    try:
        found: dict[str, str] = json.loads((folder / HELD).read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return found


def refuse_broken_expectations(evaluated: Sequence[Evaluated], consequence: str) -> None:
    """Raise ValidationHeld that names each broken expectation, if one is broken.

    consequence: what does not happen therefore.
    """
    lines = [
        f"{each.table}: expectation {each.rule} is broken on {each.violations:,}"
        f" row{'' if each.violations == 1 else 's'}. It says: {each.says}."
        for suite in evaluated
        for each in suite.results()
        if not each.is_held
    ]
    if lines:
        raise ValidationHeld("\n".join([*lines, consequence]))
