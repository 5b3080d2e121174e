"""Golden cases: input rows as CSV and expected rows as CSV, one folder per table and case.

tests/golden/<table>/<case>/ holds a CSV for each table that the case needs, named after it, and expected.csv.
Columns that a file leaves out are null; an input table without a file is empty, a reference table is the real
one; what respondents gave (study.respondent_*) is computed from what the case has of packages and answers, so
that an estimate can be followed from what came in. A case of gold is counted under the definitions of spam
that its expected rows name, so that a new one touches no case of others: the real ones, and HARM of
tests/golden/ref.definition.csv. Arrays and structs are JSON. The columns that expected.csv names must match
exactly, in any order. is_marked is false unless a file gives it, and operator_id is the name of the case: so
the cases of a table run as one, and one that touched another operator's rows would show. Public tables have a
runner of their own: test_golden_public.py.
"""

import collections
import csv
import importlib
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from expectations import native
from expectations.rules import UNIQUE, rules_of
from jobs.base.tables.contracts import (
    REFERENCE,
    conform_frame,
    list_tables,
    polars_schema,
    read_contract,
    reference_table,
)
from jobs.operators.silver.frames import COPY, MESSAGE
from jobs.operators.silver.pipeline import count_once, make_messages_in_memory
from jobs.study.estimates.steps.coverage import DENOMINATOR, FRAME, cover_rows
from jobs.study.estimates.steps.study_stage import run_kernel
from jobs.study.questionnaire.latest_answers import keep_asked
from tests.support.cells import value_of
from tests.support.gold_tables import count_table
from tests.support.kernel_rooms import kernel_module

GOLDEN = Path(__file__).parent
DEFINITION, RESPONDENT = "ref.definition", "study.respondent_"
# A definition of one attribute, for cases that are not about definitions.
HARM = GOLDEN / f"{DEFINITION}.csv"
CASES = sorted(
    file.parent
    for file in GOLDEN.glob("*/*/expected.csv")
    if not file.parent.parent.name.startswith("public.")
)


def rows_of(
    file: Path, table: str, operator: str, kinds: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The rows of a CSV with all columns of the table's contract.

    Args:
        kinds: its columns, of a public table.
    """
    kinds = kinds or polars_schema(table)
    with file.open(newline="", encoding="utf-8") as lines:
        raw = list(csv.DictReader(lines))
    for row in raw:
        assert not set(row) - set(kinds), f"{file}: {set(row) - set(kinds)} not in {table}"
        if "operator_id" in kinds:
            row.setdefault("operator_id", operator)
        if "is_marked" in kinds:
            row.setdefault("is_marked", "FALSE")
    return [{name: value_of(row.get(name, ""), kind) for name, kind in kinds.items()} for row in raw]


def definitions_named(case: Path) -> frozenset[str]:
    """The definitions that a case of gold names in its expected rows; none of a case that brings its own."""
    if not case.parent.name.startswith("gold.") or (case / f"{DEFINITION}.csv").exists():
        return frozenset()
    with (case / "expected.csv").open(newline="", encoding="utf-8") as lines:
        return frozenset(filter(None, (row.get("definition_code") for row in csv.DictReader(lines))))


def definition_rows(named: Iterable[str]) -> pl.DataFrame:
    """The rows of ref.definition of these definitions."""
    one = pl.DataFrame(rows_of(HARM, DEFINITION, ""), schema=polars_schema(DEFINITION), orient="row")
    rows = pl.concat([reference_table(DEFINITION), one])
    return rows.filter(pl.col("definition_code").is_in(list(named)))


def inputs(table: str, cases: list[Path]) -> dict[str, pl.DataFrame]:
    """Return the tables that a table's job reads, for all of these cases, which name the same definitions."""
    frames = {}
    for name in read_contract(table).reads:
        files = [case / f"{name}.csv" for case in cases if (case / f"{name}.csv").exists()]
        if name == DEFINITION and (named := definitions_named(next(iter(cases)))):
            frames[name] = definition_rows(named)
        elif not files and name.startswith(RESPONDENT):
            frames[name] = conform_frame(computed(name, inputs(name, cases)), name)
        elif not files and (REFERENCE / f"{read_contract(name).name}.csv").exists():
            frames[name] = reference_table(name)
        else:
            rows = [row for file in files for row in rows_of(file, name, file.parent.name)]
            frames[name] = pl.DataFrame(rows, schema=polars_schema(name), orient="row")
    return frames


def is_alone(case: Path) -> bool:
    """Return whether the case brings a reference table of its own, which no other case must see."""
    replaced = [REFERENCE / f"{file.stem.removeprefix('ref.')}.csv" for file in case.glob("ref.*.csv")]
    return any(file.exists() for file in replaced)


def computed(table: str, frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """The rows of a table, from the tables that it reads."""
    contract = read_contract(table)
    short = {name.split(".")[1]: frame for name, frame in frames.items()}
    if "questionnaire_answer" in short:
        short["questionnaire_answer"] = keep_asked(short["questionnaire_answer"], contract.questions)
    if table == MESSAGE:
        return make_messages_in_memory(**short).table_rows(MESSAGE)
    if table == COPY:
        return count_once(short)[1]
    if contract.merge:
        return count_table(table, **short)
    if contract.layer != "study":
        rows: pl.DataFrame = importlib.import_module(kernel_module(contract.layer, contract.name)).transform(
            **short
        )
        return rows
    asked = {name: short[name.split(".")[1]] for name in frames}
    empty = {name: pl.DataFrame(schema=polars_schema(name)) for name in (FRAME, DENOMINATOR)}
    return cover_rows(run_kernel(table, asked), table, empty | frames)


@cache
def made(table: str) -> dict[Path, list[dict[str, Any]]]:
    """Rows that a table's job makes, by case; a table's cases run together."""
    found: dict[Path, list[dict[str, Any]]] = {}
    contract = read_contract(table)
    of_table = [case for case in CASES if case.parent.name == table]
    # No column tells the cases of a table across operators apart: each is alone.
    alone = [case for case in of_table if is_alone(case) or "operator_id" not in contract.columns]
    groups = [[case] for case in alone]
    for _, together in groupby(
        sorted(set(of_table) - set(alone), key=lambda each: sorted(definitions_named(each))),
        definitions_named,
    ):
        groups.append([*together])
    for group in groups:
        frames = inputs(table, group)
        rows = conform_frame(computed(table, frames), table)
        whole = rows.to_dicts()
        if "operator_id" not in rows.columns:
            assert len(group) == 1
            found[group[0]] = whole
            continue
        names = [case.name for case in group]
        for each in whole:
            assert each["operator_id"] in names
        for case in group:
            found[case] = [row for row in whole if row["operator_id"] == case.name]
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_golden(case: Path) -> None:
    table = case.parent.name
    contract = read_contract(table)
    with (case / "expected.csv").open(newline="", encoding="utf-8") as lines:
        columns = next(csv.reader(lines))
    expected = [
        {name: row[name] for name in columns} for row in rows_of(case / "expected.csv", table, case.name)
    ]
    rows = made(table)[case]
    assert found_in([{name: row[name] for name in columns} for row in rows]) == found_in(expected)
    keys = [tuple(row[name] for name in contract.key) for row in rows]
    assert len(keys) == len(set(keys)), f"the key ({', '.join(contract.key)}) is not unique"


STUDIES = sorted({case.parent.name for case in CASES if case.parent.name.startswith("study.")})


@pytest.mark.parametrize("table", STUDIES)
def test_rows_of_the_study_hold_their_rules(table: str) -> None:
    # HARM is a definition of cases alone.
    rules = [each for each in rules_of(table) if each.kind != UNIQUE and each.name != "definition_code_known"]
    for case, rows in made(table).items():
        frame = pl.DataFrame(rows, schema=polars_schema(table), orient="row")
        broken = [each.name for each in rules if not frame.select(native.holds(each).all()).item()]
        assert broken == [], case.name


def found_in(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Count each row, in an order that makes a difference easy to read."""
    return dict(sorted(collections.Counter(str(row) for row in rows).items()))


def test_every_job_that_counts_has_cases() -> None:
    # What makes transmissions and verdicts of bronze is a kernel; tests/operators/formats asks those.
    # What operators and respondents send comes with a package, not from a job.
    counted = {
        name for name in list_tables() if name.startswith(("gold.", "study.")) and read_contract(name).reads
    }
    wanted = counted | {"silver.message", "silver.copy_daily"}
    assert {case.parent.name for case in CASES} == wanted


def test_no_file_of_a_case_is_overlooked() -> None:
    for case in CASES:
        reads = read_contract(case.parent.name).reads
        behind = [of for name in reads if name.startswith(RESPONDENT) for of in read_contract(name).reads]
        known = {f"{name}.csv" for name in (*reads, *behind)} | {"expected.csv", "case.md"}
        assert {file.name for file in case.iterdir()} <= known
    for folder in GOLDEN.glob("*.*/*"):
        assert folder in CASES or folder.parent.name.startswith("public."), f"{folder} has no expected.csv"
