"""Tables of a lake that Great Expectations evaluates: when somebody asks, and before a package leaves.

Ordinary runs check the same rules natively and never import it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import polars as pl

from expectations.evaluation import Evaluated, evaluate
from expectations.suite_files import suite_tables
from jobs.core.contracts import read_contract
from jobs.core.errors import ValidationHeld
from jobs.engine.lake import Lake, is_local
from jobs.engine.table_files import read_files
from jobs.stages.validations import EVALUATED

# So many files of a table are in memory at once.
FILES = 64


def results_folder(lake: Lake) -> Path | None:
    """The folder of Great Expectations' results; none for a lake that is not on this machine."""
    return Path(lake.root, EVALUATED) if is_local(lake.root) else None


def evaluate_lake(
    lake: Lake, operators: Collection[str], run_name: str, months: Collection[str] = ()
) -> list[Evaluated]:
    """Evaluate the suites of gold on the rows of operators, as the last finished stage left them, and of the
    study's tables that the lake has. months: of gold only these, and nothing of the study."""
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
    return evaluate(frames, results_folder(lake), run_name)


def gold_rows(
    lake: Lake, table: str, version: int, operators: Collection[str], months: Collection[str]
) -> Iterator[pl.DataFrame]:
    """The table's rows without its sketches, which are most of its bytes and have no rule."""
    about = read_contract(table)
    period = str(about.period)
    columns = [field.name for field in about.fields if field.type != "binary"]
    files = lake.files(
        table,
        version,
        lambda partition: (
            partition["operator_id"] in operators and (not months or str(partition[period])[:7] in months)
        ),
    )
    # A table without rows is there for its rules, too.
    for start in range(0, max(len(files), 1), FILES):
        yield read_files(table, files[start : start + FILES], columns)


def refuse_broken_expectations(found: Sequence[Evaluated], consequence: str) -> None:
    """Raise ValidationHeld that names each broken expectation, if one is broken.

    consequence: what does not happen therefore.
    """
    lines = [
        f"{each.table}: expectation {each.rule} is broken on {each.violations:,}"
        f" row{'' if each.violations == 1 else 's'}. It says: {each.says}."
        for suite in found
        for each in suite.results()
        if not each.is_held
    ]
    if lines:
        raise ValidationHeld("\n".join([*lines, consequence]))
