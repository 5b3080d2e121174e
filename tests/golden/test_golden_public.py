"""Golden cases of public tables: the study's tables as CSV, and what leaves of them as expected.csv.

tests/golden/public.<table>/<case>/ holds a CSV for each table that the gate reads, named after it,
expected.csv with the public rows, and held.csv with the rows that are held back and the rule that does it. A
case with a folder `before` has an earlier release, made of the tables there. What a case has no file of is
empty, but for lists of countries. Figures are such that the attack finds nothing; p is 13.7.
"""

import csv
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs.base.tables.contracts import REFERENCE, polars_schema, read_contract, reference_table
from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.study.public.cells import CONTRIBUTION, WORLD, Basis, EarlierRelease
from jobs.study.public.gate import Protected, make_public_tables
from tests.golden.test_golden import GOLDEN, found_in, rows_of

CASES = sorted(file.parent for file in GOLDEN.glob("public.*/*/expected.csv"))
PERIODS, P_PCT = ("2026", "2026-Q4", "2026-10"), 13.7
READ = sorted({public_contract(table).source for table in public_tables()} | {CONTRIBUTION, *WORLD})


def basis_of(folder: Path, release: str) -> Basis:
    """The tables that a release rests on, from a folder."""
    tables = {}
    for table in READ:
        file = folder / f"{table}.csv"
        if not file.exists() and (REFERENCE / f"{read_contract(table).name}.csv").exists():
            tables[table] = reference_table(table)
            continue
        rows = rows_of(file, table, "") if file.exists() else []
        tables[table] = pl.DataFrame(rows, schema=polars_schema(table), orient="row")
    return Basis(release, tables)


@cache
def protected_of(case: Path) -> Protected:
    """Return the public tables of a case, after its earlier release, if it has one."""
    earlier = []
    if (case / "before").is_dir():
        before = basis_of(case / "before", "2026-Q4/v1.0.0")
        earlier = [EarlierRelease(before, make_public_tables(before, [], PERIODS, P_PCT).public)]
    return make_public_tables(basis_of(case, "2026-Q4/v1.1.0"), earlier, PERIODS, P_PCT)


def named(file: Path, table: str, kinds: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a file, in the columns that it has."""
    with file.open(newline="", encoding="utf-8") as lines:
        columns = next(csv.reader(lines))
    return [{name: row[name] for name in columns} for row in rows_of(file, table, "", kinds)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_golden(case: Path) -> None:
    contract = public_contract(case.parent.name)
    made = protected_of(case)
    rows = made.public[contract.table]
    expected = named(case / "expected.csv", contract.table, contract.schema)
    columns = list(expected[0]) if expected else contract.key
    assert found_in(rows.select(columns).to_dicts()) == found_in(expected)
    assert not rows.select(pl.struct(contract.key).is_duplicated().any()).item()
    held = named(case / "held.csv", "held", dict.fromkeys(made.held_rows.columns, pl.String))
    of_table = made.held_rows.filter(pl.col("table_name") == contract.source)
    columns = list(held[0]) if held else ["rule"]
    assert found_in(of_table.select(columns).to_dicts()) == found_in(held)


def test_every_public_table_has_cases() -> None:
    assert {case.parent.name for case in CASES} == set(public_tables())


def test_no_file_of_a_case_is_overlooked() -> None:
    known = {f"{table}.csv" for table in READ}
    for case in CASES:
        names = {file.name for file in case.iterdir()}
        assert {"case.md", "held.csv"} <= names
        assert names <= known | {"expected.csv", "held.csv", "case.md", "before"}
        if (case / "before").is_dir():
            assert {file.name for file in (case / "before").iterdir()} <= known
    for folder in GOLDEN.glob("public.*/*"):
        assert folder in CASES, f"{folder} has no expected.csv"
