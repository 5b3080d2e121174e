"""Contracts hold together, and jobs hold to them."""

import ast
import csv
import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import polars as pl
import pyarrow as pa
import pytest
import yaml

from jobs.base.core import column_types
from jobs.base.core.errors import ObservatoryError
from jobs.base.tables import contracts
from jobs.base.tables.contracts import (
    CODELISTS,
    REFERENCE,
    SCHEMAS,
    arrow_schema,
    conform_frame,
    list_tables,
    polars_schema,
    read_contract,
    read_fields,
    rows_frame,
)
from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.operators.build.gold_steps import GOLD
from jobs.operators.formats.registry import KERNELS
from jobs.operators.runs import quality
from jobs.operators.silver.frames import SILVER
from jobs.study.estimates.steps import study_stage
from jobs.study.estimates.steps.study_stage import find_kernel, name_inputs
from tests.conftest import ROOT
from tests.support.gold_tables import find_count
from tests.support.kernel_rooms import KERNEL_ROOMS, kernel_module

# What commands write (answers, labels, packages) is no run's: those contracts read nothing.
# Tables of silver come from the steps of one pipeline: jobs/operators/silver/pipeline.py.
FOLDERS = {layer: ROOT.joinpath(*room.split(".")) for layer, room in KERNEL_ROOMS.items()}
JOBS = [
    table for table in list_tables() if table.startswith(("gold.", "study.")) and read_contract(table).reads
]
# A job holds a transform and nothing that reads, writes or starts anything.
FORBIDDEN_MODULES = (
    *(
        "jobs.base.engine",
        "jobs.base.places",
        "jobs.base.store",
        "jobs.operators.runs.runner",
        "jobs.operators.ingest.pull",
        "jobs.base.settings",
        "os",
        "deltalake",
        "delta",
        "pyspark",
    ),
)
FORBIDDEN_CALLS = {
    *("open", "now", "today", "utcnow", "read_csv", "read_parquet", "scan_csv", "scan_parquet", "read_delta"),
    *("scan_delta", "read_text", "read_bytes", "write_text", "write_bytes", "write_csv", "write_parquet"),
    *("write_delta", "sink_parquet"),
}


@pytest.mark.parametrize("table", list_tables())
def test_a_contract_holds_together(table: str) -> None:
    contract = read_contract(table)
    assert contract.description.endswith(".")
    assert len(set(contract.columns)) == len(contract.columns)
    assert contract.key
    assert set(contract.key) <= set(contract.columns)
    assert set(contract.partition_by) <= set(contract.columns)
    assert set(contract.required) <= set(contract.columns)
    assert set(contract.reads) <= set(list_tables())
    assert table not in contract.reads
    # What is replaced as a whole is an operator's period, in this order; across operators, a period.
    if contract.layer == "study":
        assert contract.partition_by in ((), ("period_code",))
    else:
        assert contract.partition_by[:1] in ((), ("operator_id",))
    if contract.layer in ("silver", "gold"):
        assert contract.period, (
            "a run replaces periods: say partition_by, operator_id and the period's column"
        )
    assert arrow_schema(table).names == contract.columns
    assert all(field.metadata[b"comment"] for field in arrow_schema(table))


@pytest.mark.parametrize("table", [table for table in list_tables() if table.startswith("gold.")])
def test_what_merges_is_counted_in_parts(table: str) -> None:
    """A table of messages says how each column outside its key merges; its job counts parts, and finishes."""
    contract = read_contract(table)
    job = importlib.import_module(f"jobs.operators.gold.{contract.name}")
    rules = dict(contract.merge)
    assert bool(rules) == ("silver.message" in contract.reads) == hasattr(job, "partial")
    assert rules or not hasattr(job, "finish")
    assert not set(rules) & set(contract.key)
    if rules and not hasattr(job, "finish"):
        assert set(rules) == set(contract.columns) - set(contract.key)
    for name, rule in rules.items():
        kind = polars_schema(table).get(name)
        if rule == "sum" and kind is not None:
            assert kind.is_numeric()
        if rule in ("any", "all") and kind is not None:
            assert kind == pl.Boolean


def test_inputs_come_before_what_reads_them() -> None:
    order = ["ref", "bronze", "silver", "gold", "study", "meta"]
    for table in list_tables():
        contract = read_contract(table)
        for name in contract.reads:
            assert order.index(read_contract(name).layer) <= order.index(contract.layer)


def test_tables_are_in_the_same_order_in_every_process() -> None:
    """The first stands for all in the record of runs, and given ones are in a digest."""
    code = (
        "from jobs.base.tables.contracts import given_tables, order_tables, stage_tables\n"
        "tables = order_tables(stage_tables('study'))\n"
        "print(tables, given_tables(tables))"
    )
    told = {
        subprocess.check_output(
            [sys.executable, "-c", code], cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": seed}
        )
        for seed in ("1", "2", "3")
    }
    assert len(told) == 1


def test_each_file_of_schemas_is_a_contract_and_each_contract_is_found() -> None:
    # Public tables have contracts of their own kind: tests/base/tables/test_public_contracts.py.
    others = ("questionnaire", "public")
    files = [file for file in SCHEMAS.glob("*/*.yaml") if file.parent.name not in others]
    assert {yaml.safe_load(file.read_text(encoding="utf-8"))["table"] for file in files} == set(list_tables())
    assert len(files) == len(list_tables())


def test_every_field_is_used_and_described() -> None:
    used = {name for table in list_tables() for name in read_contract(table).columns}
    used |= {name for table in public_tables() for name in public_contract(table).schema}
    assert set(read_fields()) - used == set()
    for field in read_fields().values():
        assert field.description
        if field.name.startswith("is_"):
            assert field.type == "boolean"
        if field.name.endswith("_at"):
            assert field.type == "timestamp"
        if field.name.endswith("_date"):
            assert field.type == "date"


def test_every_code_list_exists_is_used_and_has_unique_codes() -> None:
    named = {field.codelist for field in read_fields().values() if field.codelist}
    for codelist in sorted(named):
        assert contracts.list_codes(codelist)
    lists = {file.stem for file in CODELISTS.glob("*.csv")}
    sources = [file.read_text(encoding="utf-8") for file in (ROOT / "jobs").rglob("*.py")]
    read = {name for text in sources for name in re.findall(r'codelist_rows\("(\w+)"\)', text)}
    assert lists == {name for name in named if not name.startswith("ref.")} | read
    for name in sorted(lists):
        with (CODELISTS / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            codes = [row["code"] for row in csv.DictReader(file)]
        assert len(codes) == len(set(codes)), name


@pytest.mark.parametrize("file", sorted(REFERENCE.glob("*.csv")), ids=lambda file: file.stem)
def test_every_row_of_a_dated_table_says_where_it_comes_from(file: Path) -> None:
    with file.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert rows
    assert all(row["source"].strip() and row["valid_from"] for row in rows)


@pytest.mark.parametrize("table", [name for name in list_tables() if name.startswith(("ref.", "study."))])
def test_rows_are_computed_or_given_somewhere(table: str) -> None:
    """A table has a job, or its contract says where its rows come from: in the project's own file, if any."""
    contract = read_contract(table)
    assert bool(contract.reads) != bool(contract.given_in)
    file = REFERENCE / f"{contract.name}.csv"
    assert ("project" in contract.given_in) == (contract.layer == "ref" and file.is_file())
    if "project" in contract.given_in:
        with file.open(newline="", encoding="utf-8") as lines:
            assert next(csv.reader(lines)) == contract.columns


# --- jobs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", JOBS)
def test_a_job_takes_the_tables_that_its_contract_reads(table: str) -> None:
    contract = read_contract(table)
    job = importlib.import_module(kernel_module(contract.layer, contract.kernel or contract.name))
    if contract.layer == "study":
        kernel = find_kernel(table)
    else:
        kernel = find_count(table) if contract.merge else job.transform
    inputs = name_inputs(kernel)
    assert [name for taken in inputs.values() for name in taken] == [
        name.split(".")[1] for name in contract.reads
    ]
    assert all(
        each.default is inspect.Parameter.empty for each in inspect.signature(kernel).parameters.values()
    )
    # Alone, or fields of a dataclass.
    kinds = {name: kind for name, kind in get_type_hints(kernel).items() if name != "return"}
    assert all(kind is pl.DataFrame for name, kind in kinds.items() if inputs[name] == (name,))
    assert contract.layer == "study" or all(taken == (name,) for name, taken in inputs.items())
    assert job.__doc__ is not None
    assert table in job.__doc__ if contract.kernel else job.__doc__.startswith(f"{table}: ")


def test_a_run_computes_every_job_of_silver_and_gold() -> None:
    """A table that no stage names has a contract, a job and a golden case, and never a row."""
    # Computed after gold, and when labels are loaded.
    of_audits = {quality.TABLE, quality.CORRECTED}
    assert {table for table in JOBS if table.startswith("gold.")} == {*GOLD} | of_audits
    assert {table for table in JOBS if table.startswith("study.")} == {*study_stage.TABLES}
    # What people say of samples comes from files, and reads no table.
    silver = {table for table in list_tables() if table.startswith("silver.") and read_contract(table).reads}
    assert silver == {*SILVER}


def test_each_module_with_a_transform_has_a_contract() -> None:
    for layer, folder in FOLDERS.items():
        for file in folder.glob("*.py"):
            body = ast.parse(file.read_text()).body
            defines = {node.name for node in body if isinstance(node, ast.FunctionDef)}
            defines |= {
                ast.unparse(target)
                for node in body
                if isinstance(node, ast.Assign)
                for target in node.targets
            }
            table = f"{layer}.{file.stem}"
            own = read_contract(table) if table in JOBS else None
            named = "partial" if own and own.merge else "transform"
            is_own = own is not None and own.kernel is None
            assert (defines & {"partial", "transform"}) == ({named} if is_own else set()), file


def sins(source: str) -> list[str]:
    """List what a job must not do: import an engine, read, write, ask the clock."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [each.name for each in node.names if each.name.startswith(FORBIDDEN_MODULES)]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{each.name}" for each in node.names]
            found += [name for name in names if name.startswith(FORBIDDEN_MODULES)]
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            found += [called] if called in FORBIDDEN_CALLS else []
        elif isinstance(node, ast.If) and "__name__" in ast.unparse(node.test):
            found.append("main")
    return found


@pytest.mark.parametrize(
    "file",
    [file for folder in FOLDERS.values() for file in sorted(folder.glob("*.py"))],
    ids=lambda file: f"{file.parent.name}.{file.stem}",
)
def test_a_job_neither_reads_writes_nor_starts_anything(file: Path) -> None:
    assert sins(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "from pyspark.sql import functions as F",
        "from jobs.base.store.lake import Lake",
        "from jobs.base.store import lake",
        "import os",
        "def transform(message):\n    message.write_parquet('x')",
        "def transform(message):\n    return pl.scan_delta('x')",
        "import datetime as dt\n\ndef transform(message):\n    return dt.date.today()",
        "if __name__ == '__main__':\n    transform()",
    ],
)
def test_the_search_for_such_jobs_finds_them(source: str) -> None:
    assert sins(source)


# --- what derives from contracts ------------------------------------------------------------------------


def test_conform_orders_and_casts() -> None:
    contract = read_contract("ref.fixed_cost")
    frame = pl.DataFrame({name: ["7"] for name in reversed(contract.columns)})
    made = conform_frame(frame, "ref.fixed_cost")
    assert dict(made.schema) == polars_schema("ref.fixed_cost")
    assert made.columns == contract.columns
    assert made["low"].to_list() == [7.0]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("missing", r"lacks columns \['per'\] and has surplus columns \[\]"),
        ("surplus", r"lacks columns \[\] and has surplus columns \['extra'\]"),
        ("renamed", r"lacks columns \['per'\] and has surplus columns \['pre'\]"),
    ],
)
def test_conform_refuses_other_columns(change: str, told: str) -> None:
    frame = rows_frame([], "ref.fixed_cost")
    changed = {
        "missing": frame.drop("per"),
        "surplus": frame.with_columns(extra=1),
        "renamed": frame.rename({"per": "pre"}),
    }[change]
    with pytest.raises(ObservatoryError, match=f"ref.fixed_cost: the job {told}"):
        conform_frame(changed, "ref.fixed_cost")


@pytest.mark.parametrize("table", ["gold.nothing", "nothing", "silver.", "../gold.spam_volume_daily", ""])
def test_an_unknown_table_is_an_error_that_names_the_file(table: str) -> None:
    with pytest.raises(ObservatoryError, match="unknown table"):
        read_contract(table)


def test_a_contract_with_an_undefined_column_or_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (SCHEMAS / "gold" / "spam_type_daily.yaml").read_text(encoding="utf-8")
    folder = tmp_path / "schemas"
    (folder / "gold").mkdir(parents=True)
    (folder / "gold" / "wrong_name.yaml").write_text(text, encoding="utf-8")
    (folder / "gold" / "wrong_column.yaml").write_text(
        text.replace("gold.spam_type_daily", "gold.wrong_column").replace("units,", "unitz,"),
        encoding="utf-8",
    )
    known = read_fields()
    monkeypatch.setattr(contracts, "SCHEMAS", folder)
    monkeypatch.setattr(contracts, "read_fields", lambda: known)
    with pytest.raises(ObservatoryError, match="wrong_name.yaml says it is gold.spam_type_daily"):
        read_contract("gold.wrong_name")
    with pytest.raises(ObservatoryError, match="wrong_column.yaml: unitz not defined in schemas/fields.yaml"):
        read_contract("gold.wrong_column")


def test_a_contract_in_other_words_is_an_error_that_names_the_right_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (SCHEMAS / "gold" / "spam_type_daily.yaml").read_text(encoding="utf-8")
    (tmp_path / "schemas" / "gold").mkdir(parents=True)
    words = {
        "columns": ("fields:", "columns:"),
        "partitions": ("partition_by:", "partitions:"),
        "meant": ("partition_by:", "meanings: {unitz: each}\npartition_by:"),
    }
    for name, change in words.items():
        changed = text.replace("gold.spam_type_daily", f"gold.{name}").replace(*change)
        (tmp_path / "schemas" / "gold" / f"{name}.yaml").write_text(changed, encoding="utf-8")
    known = read_fields()
    monkeypatch.setattr(contracts, "SCHEMAS", tmp_path / "schemas")
    monkeypatch.setattr(contracts, "read_fields", lambda: known)
    with pytest.raises(ObservatoryError, match="columns.yaml lacks fields and has an unknown word 'columns'"):
        read_contract("gold.columns")
    # Without this it is a table that a run computes and then cannot write.
    with pytest.raises(
        ObservatoryError,
        match="unknown word 'partitions'; .* key, fields, reads, kernel, given_in, questions, partition",
    ):
        read_contract("gold.partitions")
    with pytest.raises(ObservatoryError, match="meant.yaml has meanings of unitz, which its fields do not"):
        read_contract("gold.meant")


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("units: sum", "units: mean", "wrong.yaml: unknown merge rule mean; known are sum, min"),
        (
            "spam_certain <= spam_possible",
            "spam_sure <= spam_possible",
            "wrong.yaml: unknown column of the check .*: spam_sure; known are operator_id, ",
        ),
    ],
)
def test_a_contract_that_names_what_is_not_there_is_refused_when_it_is_loaded(
    right: str, wrong: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (SCHEMAS / "gold" / "spam_type_daily.yaml").read_text(encoding="utf-8")
    assert right in text
    (tmp_path / "schemas" / "gold").mkdir(parents=True)
    changed = text.replace("gold.spam_type_daily", "gold.wrong").replace(right, wrong)
    (tmp_path / "schemas" / "gold" / "wrong.yaml").write_text(changed, encoding="utf-8")
    known = read_fields()
    monkeypatch.setattr(contracts, "SCHEMAS", tmp_path / "schemas")
    monkeypatch.setattr(contracts, "read_fields", lambda: known)
    with pytest.raises(ObservatoryError, match=told):
        read_contract("gold.wrong")


@pytest.mark.parametrize(
    "wrong", ["type: bigint", "type: bigint, unit: percent", "type: string, unit: as nothing"]
)
def test_a_number_without_a_known_unit_is_refused(
    wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fields.yaml").write_text(f"units: {{{wrong}, description: Units}}", encoding="utf-8")
    monkeypatch.setattr(contracts, "SCHEMAS", tmp_path)
    with pytest.raises(ObservatoryError, match=r"fields.yaml: units has the unit .*; known are none,"):
        read_fields.__wrapped__()


def test_an_unknown_type_is_an_error() -> None:
    with pytest.raises(ObservatoryError, match="unknown type 'varchar'"):
        column_types.arrow_type("varchar")
    nested = column_types.arrow_type("array<struct<at:timestamp,cost:decimal(20,4)>>")
    struct = pa.struct({"at": pa.timestamp("us", "UTC"), "cost": pa.decimal128(20, 4)})
    assert nested == pa.list_(pa.field("element", struct))


@pytest.mark.parametrize("table", list_tables())
def test_arrow_and_polars_schemas_have_the_contracts_columns(table: str) -> None:
    assert contracts.arrow_schema(table).names == read_contract(table).columns
    assert list(contracts.polars_schema(table)) == read_contract(table).columns


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_ingest_adds_the_day_and_the_batch_to_a_formats_rows(name: str) -> None:
    assert [*KERNELS[name].bronze, "event_date", "ingest_id"] == read_contract(f"bronze.{name}").columns


def test_a_format_without_a_contract_is_an_error_that_names_its_file() -> None:
    with pytest.raises(ObservatoryError, match="there is no schemas/bronze/petrel.yaml"):
        contracts.bronze_columns("petrel")


def test_each_column_is_defined_once() -> None:
    """The later of two definitions would stand, and change what tables of the earlier hold."""
    text = (SCHEMAS / "fields.yaml").read_text(encoding="utf-8")
    names = re.findall(r"^(\w+):", text, re.MULTILINE)
    assert sorted({name for name in names if names.count(name) > 1}) == []
