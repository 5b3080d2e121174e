"""Contracts: what each table is, read from schemas/, and all that derives from it.

schemas/fields.yaml defines every column once; schemas/<layer>/<table>.yaml names a table's columns,
key, partitions, inputs and how parts of it merge. From them derive the Arrow and Polars schemas,
conform_frame(), the Delta schema with its comments, the checks, the Great Expectations suites, the data
dictionary and Airflow's assets. Arrow and Polars are imported only where a function needs them, because
Airflow reads contracts while it parses DAGs.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from jobs.base.core.choices import nearest_hint
from jobs.base.core.column_types import ColumnTypes, arrow_type, polars_type
from jobs.base.core.errors import ObservatoryError
from jobs.base.core.program import find_sources

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

# A row of a table, or of a frame that is made of tables: its columns by name, which the contract of the table
# lists, with values of Python's types for theirs; None for null.
Row = dict[str, Any]

SCHEMAS = Path(__file__).resolve().parents[3] / "schemas"
CODELISTS = SCHEMAS / "codelists"
REFERENCE = SCHEMAS / "reference"
# The layers, in the order of the data dictionary. Tables of all but the last lie in the lake.
LAYERS = {
    "bronze": "As received, typed; raw addresses and numbers; short retention.",
    "silver": "One row per message and recipient; pseudonyms only.",
    "gold": "Aggregates of one operator, unprotected.",
    "study": "Estimates across operators and from published models, unprotected.",
    "meta": "What ran.",
    "ref": "Definitions, rules and parameters, dated and sourced.",
}
# The words of a contract's file.
NEEDED = ("table", "description", "key", "fields")
OPTIONAL = (
    "reads", "kernel", "given_in", "questions", "partition_by", "required", "checks", "merge", "meanings",
    "also", "variants",
)  # fmt: skip
# Where rows come from that no kernel computes, as `given_in` names it.
PLACES = {
    "project": "the project's own file",
    "files": "the study's own files",
    "settings": "the settings",
    "packages": "operators' packages",
    "forms": "filled-in questionnaires",
    "decisions": "the study's staff",
}
# A name in SQL that is no function's and no field's of a struct: in contracts small letters are names, of
# columns, of their fields behind a point, of functions before a bracket.
COLUMN = re.compile(r"(?<![\w.])[a-z_]\w*\b(?!\s*\()")
# Types of columns that need a unit.
NUMERIC = ("int", "bigint", "double", "decimal")
# Units of columns, beside `as COLUMN`. none: of codes, ranks, years and plain factors. unit: recipients,
# attempts and calls together. its table: the description of the table names it.
UNITS = (
    "none", "its table", "%", "share", "index", "USD", "international dollar", "mixed dollar", "unit",
    "recipient", "recipient squared", "message", "attempt", "try", "segment", "signature", "sender",
    "network", "domain", "byte", "microsecond", "second", "hour", "day", "file", "table", "row", "record",
    "line", "operator", "holding", "administration", "country", "country pair", "person", "subscriber",
    "subscription", "post",
)  # fmt: skip
# How the values of two parts of a table become one; jobs/base/tables/merge.py applies them.
MERGES = ("sum", "min", "max", "first", "union", "sketch", "any", "all")


@dataclass(frozen=True)
class Field:
    """One column, wherever it stands.

    Attributes:
        type: as in Spark SQL.
        unit: of a number, one of UNITS or `as COLUMN`.
        codelist: the list under schemas/codelists/ or `ref.<table>.<column>` that holds its codes.
        shape: of a text of silver without such a list, what may pass protection
            (jobs/operators/protect/shapes.py), of a struct by its fields.
        most: of a number of silver, the largest that may.
    """

    name: str
    type: str
    description: str
    unit: str | None = None
    codelist: str | None = None
    shape: str | dict[str, str] | None = None
    most: int | None = None


@dataclass(frozen=True)
class Variants:
    """Rows that stand beside one row of the same `of` whose `by` is empty, which has to exist, and that have
    the columns `alike` as it has."""

    of: str
    by: str
    alike: tuple[str, ...]


@dataclass(frozen=True)
class Contract:
    """One table: a row is what `description` says; `key` is unique in it.

    Attributes:
        reads: the tables that its job takes.
        kernel: the module that has the job, if it is not the table's own.
        given_in: of a table without a job the PLACES that its rows come from; the first that has any replaces
            those after it.
        questions: a role and a question of the questionnaire for each whose answers it takes; it sees no
            other answer.
        required: columns beside the key that are never null.
        checks: SQL conditions that hold in every row, by name.
        meanings: what columns hold in this table, where their description says less.
        also: codes that a column of rows from outside may have beside its list.
        variants: of a reference table, whose rows may differ by a column (see Variants).
    """

    table: str
    description: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    reads: tuple[str, ...] = ()
    kernel: str | None = None
    given_in: tuple[str, ...] = ()
    questions: tuple[tuple[str, str], ...] = ()
    partition_by: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    checks: tuple[tuple[str, str], ...] = ()
    merge: tuple[tuple[str, str], ...] = ()
    meanings: tuple[tuple[str, str], ...] = ()
    also: tuple[tuple[str, tuple[str, ...]], ...] = ()
    variants: Variants | None = None

    @property
    def layer(self) -> str:
        return self.table.split(".")[0]

    @property
    def name(self) -> str:
        return self.table.split(".")[1]

    @property
    def columns(self) -> list[str]:
        return [field.name for field in self.fields]

    @property
    def period(self) -> str | None:
        """The column whose values, with operator_id, are replaced as a whole."""
        return self.partition_by[1] if len(self.partition_by) > 1 else None

    @property
    def required_columns(self) -> list[str]:
        return [*self.key, *(name for name in self.required if name not in self.key)]


def read_yaml(file: Path) -> Any:
    """The content of a YAML file. LibYAML reads fields.yaml ten times as fast as PyYAML's own parser does."""
    return yaml.load(file.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@cache
def read_fields() -> dict[str, Field]:
    """Every column of every table, from schemas/fields.yaml."""
    raw = read_yaml(SCHEMAS / "fields.yaml")
    fields = {name: Field(name=name, **properties) for name, properties in raw.items()}
    for name, field in fields.items():
        is_number = field.type.partition("(")[0] in NUMERIC
        known = field.unit in UNITS or (field.unit or "").removeprefix("as ") in fields
        if (is_number or field.unit) and not known:
            raise ObservatoryError(
                f"fields.yaml: {name} has the unit {field.unit}; known are {', '.join(UNITS)}, `as COLUMN`"
            )
    return fields


@cache
def read_contract(table: str) -> Contract:
    """The contract of a table such as gold.spam_volume_daily."""
    layer, _, name = table.partition(".")
    file = folder_of(layer) / f"{name}.yaml"
    if not file.is_file():
        raise ObservatoryError(f"unknown table '{table}': there is no {file.relative_to(SCHEMAS.parent)}")
    raw = read_yaml(file)
    refuse_words(file.name, raw)
    if raw["table"] != table:
        raise ObservatoryError(f"{file.name} says it is {raw['table']}, not {table}")
    unknown = [column for column in raw["fields"] if column not in read_fields()]
    if unknown:
        raise ObservatoryError(f"{file.name}: {', '.join(unknown)} not defined in schemas/fields.yaml")
    checks = tuple(raw.get("checks", {}).items())
    for check, condition in checks:
        named = COLUMN.findall(re.sub(r"'[^']*'", "", condition))
        refuse_unknown(file.name, f"column of the check {check}:", named, raw["fields"])
    of_variants = raw.get("variants")
    variants = of_variants and Variants(of_variants["of"], of_variants["by"], tuple(of_variants["alike"]))
    if variants:
        alike = (variants.of, variants.by, *variants.alike)
        refuse_unknown(file.name, "column of variants:", alike, raw["fields"])
    given_in = tuple(raw.get("given_in", ("project",) if layer == "ref" else ()))
    refuse_unknown(file.name, "place in given_in", given_in, PLACES)
    merge = tuple(raw.get("merge", {}).items())
    refuse_unknown(file.name, "merge rule", [rule for _, rule in merge], MERGES)
    return Contract(
        table=table,
        description=raw["description"].strip(),
        fields=tuple(read_fields()[column] for column in raw["fields"]),
        key=tuple(raw["key"]),
        reads=tuple(each for given in raw.get("reads", ()) for each in expand_reads(given, table)),
        kernel=raw.get("kernel"),
        given_in=given_in,
        questions=tuple(
            (role, each)
            for role, named in raw.get("questions", {}).items()
            for given in named
            for each in expand_questions(given)
        ),
        partition_by=tuple(raw.get("partition_by", ())),
        required=tuple(raw.get("required", ())),
        checks=checks,
        merge=merge,
        meanings=tuple(raw.get("meanings", {}).items()),
        also=tuple((column, tuple(codes)) for column, codes in raw.get("also", {}).items()),
        variants=variants,
    )


def refuse_unknown(file_name: str, kind: str, given: Iterable[str], known: Collection[str]) -> None:
    """Refuse words of a contract that are none of those known."""
    if unknown := sorted({each for each in given if each not in known}):
        raise ObservatoryError(
            f"{file_name}: unknown {kind} {', '.join(unknown)}; known are {', '.join(known)}"
        )


def expand_reads(given: str, table: str) -> list[str]:
    """The tables that an entry of `reads` names: `bronze.*` stands for those of all formats that have rows
    for the table."""
    if given != "bronze.*":
        return [given]
    return [
        f"bronze.{code}" for code, row in codelist_rows("format").items() if table in row["silver"].split()
    ]


def expand_questions(given: str) -> list[str]:
    """The questions that an entry of `questions` names: a reference table stands for those of its rows."""
    if not given.startswith("ref."):
        return [given]
    rows = reference_rows(given.partition(".")[2])
    codes = (row.get("question_code") or row["indicator_code"].partition(".")[0] for row in rows)
    return list(dict.fromkeys(codes))


def format_kind(name: str) -> str:
    """Return how files of a format are read: lines, documents, or profile. Its kernel need not be
    imported."""
    return codelist_rows("format").get(name, {"kind": "lines"})["kind"]


def engines_of_format(name: str) -> tuple[str, ...]:
    """The engines whose rules hold for rows of a format, beside its own and those of every engine."""
    return tuple(codelist_rows("format").get(name, {"rules_of": ""})["rules_of"].split())


def names_signatures(name: str) -> bool:
    """Return whether the symbols in verdicts of a format are names of viruses."""
    return codelist_rows("format").get(name, {"names_signatures": ""})["names_signatures"] == "true"


def read_csv_rows(file: Path) -> tuple[dict[str, str], ...]:
    """The rows of a CSV file of the project, as text."""
    with file.open(newline="", encoding="utf-8") as lines:
        return tuple(csv.DictReader(lines))


@cache
def codelist_rows(codelist: str) -> dict[str, dict[str, str]]:
    """The rows of a list under schemas/codelists/, by code."""
    return {row["code"]: row for row in read_csv_rows(CODELISTS / f"{codelist}.csv")}


@cache
def reference_rows(table: str) -> tuple[dict[str, str], ...]:
    """The rows of a table under schemas/reference/, as text."""
    return read_csv_rows(REFERENCE / f"{table}.csv")


def refuse_words(file_name: str, raw: Mapping[str, Any]) -> None:
    """Raise ObservatoryError for a contract that lacks a required word or has an unknown one: a misspelt
    `partition_by` would make a table that no run can replace."""
    faults = [f"lacks {word}" for word in NEEDED if word not in raw]
    faults += [f"has an unknown word '{word}'" for word in raw if word not in (*NEEDED, *OPTIONAL)]
    for word in ("meanings", "also"):
        unlisted = [column for column in raw.get(word, ()) if column not in raw.get("fields", ())]
        faults += [f"has {word} of {column}, which its fields do not list" for column in unlisted]
    if faults:
        known = ", ".join((*NEEDED, *OPTIONAL))
        raise ObservatoryError(f"{file_name} {' and '.join(faults)}; a contract's words are: {known}")


def folder_of(layer: str) -> Path:
    """Return the folder of a layer's contracts."""
    return REFERENCE if layer == "ref" else SCHEMAS / layer


@cache
def list_tables() -> tuple[str, ...]:
    """Every table that has a contract, layer by layer."""
    return tuple(
        f"{layer}.{file.stem}" for layer in LAYERS for file in sorted(folder_of(layer).glob("*.yaml"))
    )


def stage_tables(stage: str) -> list[str]:
    """The tables that a stage computes: those of its layer that read others. What comes from outside reads
    nothing: labels of an audit, and of the study what packages, forms and decisions bring."""
    return [
        table
        for table in list_tables()
        if table.startswith(f"{stage}.") and (stage == "bronze" or read_contract(table).reads)
    ]


def order_tables(tables: Iterable[str]) -> tuple[str, ...]:
    """Tables, each after those of them that it reads; in every process in the same order."""
    wanted = sorted(tables)
    order = TopologicalSorter(
        {table: [each for each in read_contract(table).reads if each in wanted] for table in wanted}
    )
    return tuple(order.static_order())


def file_tables() -> tuple[str, ...]:
    """Tables whose rows a study's own files give: operators before countries, and last those that the project
    has a file of, too."""
    given = [table for table in list_tables() if table.startswith("ref.")]
    own = [each for each in map(read_contract, given) if "files" in each.given_in]
    own.sort(key=lambda each: ("project" in each.given_in, "respondent_id" not in each.key))
    return tuple(each.table for each in own)


def given_tables(tables: Iterable[str]) -> tuple[str, ...]:
    """List the tables that these read and that are none of them."""
    wanted = tuple(tables)
    read = dict.fromkeys(name for table in wanted for name in read_contract(table).reads)
    return tuple(name for name in read if name not in wanted)


@cache
def list_codes(codelist: str) -> tuple[str, ...]:
    """The codes of a list under schemas/codelists/, or of a reference table's column."""
    if not codelist.startswith("ref."):
        return tuple(codelist_rows(codelist))
    _, table, column = codelist.split(".")
    return tuple(dict.fromkeys(row[column] for row in reference_rows(table)))


@cache
def reference_digest() -> str:
    """SHA-256 over reference tables, code lists and gold contracts: what gold needs beside silver."""
    digest = hashlib.sha256()
    for file in find_sources("schemas/reference/*.csv", "schemas/codelists/*.csv", "schemas/gold/*.yaml"):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


@cache
def arrow_schema(table: str) -> pa.Schema:
    """The table's Arrow schema, each column with its comment. All columns are nullable: rules, not the
    schema, say what must be there."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field(field.name, arrow_type(field.type), metadata={"comment": field.description})
            for field in read_contract(table).fields
        ]
    )


@cache
def polars_schema(table: str) -> ColumnTypes:
    """The table's columns and Polars types."""
    return {field.name: polars_type(field.type) for field in read_contract(table).fields}


def column_types(*names: str) -> ColumnTypes:
    """The Polars types of columns, in this order."""
    return {name: polars_type(read_fields()[name].type) for name in names}


def bronze_columns(format_name: str) -> ColumnTypes:
    """The columns of a format's bronze rows: those of its table but for the day and the batch, which ingest
    adds."""
    added = ("event_date", "ingest_id")
    return {name: kind for name, kind in polars_schema(f"bronze.{format_name}").items() if name not in added}


def conform_frame(frame: pl.DataFrame, table: str) -> pl.DataFrame:
    """The frame with exactly the table's columns, in order and type.

    Raises ObservatoryError on a missing or surplus column, and Polars' own error on a value that does not
    fit its type.
    """
    import polars as pl

    wanted = pl.Schema(polars_schema(table))
    missing = sorted(set(wanted) - set(frame.columns))
    surplus = sorted(set(frame.columns) - set(wanted))
    if missing or surplus:
        raise ObservatoryError(f"{table}: the job lacks columns {missing} and has surplus columns {surplus}")
    return frame.select(list(wanted)).cast(wanted)


def rows_frame(rows: list[Row], table: str) -> pl.DataFrame:
    """Rows as a frame of the table's columns; a column that no row has is null."""
    import polars as pl

    kinds = polars_schema(table)
    return pl.DataFrame([{name: row.get(name) for name in kinds} for row in rows], schema=kinds, orient="row")


@cache
def reference_table(table: str) -> pl.DataFrame:
    """A reference table: schemas/reference/<name>.csv with the types of its contract; an empty cell is null.

    Raises ObservatoryError for a file that lacks a column, holds a value of another type, repeats a key or
    breaks a check of its contract.
    """
    import polars as pl

    file = REFERENCE / f"{read_contract(table).name}.csv"
    try:
        rows = pl.read_csv(file, schema_overrides=polars_schema(table)).select(read_contract(table).columns)
    except pl.exceptions.PolarsError as error:
        raise ObservatoryError(f"{file.name} is not as its contract says: {error}") from None
    refuse_broken_reference(rows, read_contract(table), file.name)
    return rows


def refuse_broken_reference(rows: pl.DataFrame, contract: Contract, file_name: str) -> None:
    """Raise ObservatoryError that names the first row of a reference table that breaks a check, has a code
    that is not in its column's list, breaks the key or is no variant of another as its contract says. Rows
    are numbered as in the file, whose first has the names of columns."""
    keys = rows.select(contract.key)
    for _, condition in contract.checks:
        # Half a second to import: most of these tables have no checks.
        from jobs.base.tables.sql import parse_expression

        broken = (~rows.select(parse_expression(condition).fill_null(False)).to_series()).arg_true()
        if len(broken):
            raise ObservatoryError(
                f"{file_name}, row {broken[0] + 2} ({name_row(keys, broken[0])}): {condition} does not hold:"
                " correct it"
            )
    for field in contract.fields:
        if field.codelist:
            also = dict(contract.also).get(field.name, ())
            # _T is all of a list.
            known = ["_T", *list_codes(field.codelist), *also]
            unlisted = (~rows[field.name].is_in(known)).fill_null(False).arg_true()
            if len(unlisted):
                raise ObservatoryError(
                    f"{file_name}, row {unlisted[0] + 2} ({name_row(keys, unlisted[0])}): {field.name}"
                    f" '{rows[field.name][unlisted[0]]}' is not in the list {field.codelist}"
                    f"{' and not ' + ', '.join(also) if also else ''}: correct it"
                )
    if keys.is_duplicated().any():
        first = keys.filter(keys.is_duplicated()).row(0)
        found = [place + 2 for place, key in enumerate(keys.iter_rows()) if key == first][:2]
        raise ObservatoryError(
            f"{file_name}, rows {' and '.join(map(str, found))} have the same key"
            f" ({name_row(keys, found[0] - 2)}): correct it"
        )
    if contract.variants:
        refuse_broken_variants(rows, keys, contract.variants, file_name)


def name_row(keys: pl.DataFrame, place: int) -> str:
    """A row by its key, without columns that are empty."""
    return ", ".join(str(value) for value in keys.row(place) if value is not None)


def refuse_broken_variants(
    rows: pl.DataFrame, keys: pl.DataFrame, variants: Variants, file_name: str
) -> None:
    """Raise ObservatoryError that names the first variant whose row is missing, or that differs from it."""
    listed = rows.to_dicts()
    whole = {row[variants.of]: place for place, row in enumerate(listed) if row[variants.by] is None}
    for place, row in enumerate(listed):
        where = f"{file_name}, row {place + 2} ({name_row(keys, place)})"
        if row[variants.of] not in whole:
            raise ObservatoryError(
                f"{where}: no row {row[variants.of]} has an empty {variants.by}: add it, or correct the code"
                f"{nearest_hint(row[variants.of], whole)}"
            )
        other = whole[row[variants.of]]
        for name in variants.alike if row[variants.by] is not None else ():
            if row[name] != listed[other][name]:
                raise ObservatoryError(
                    f"{where}: {name} is '{row[name]}', and row {other + 2}, of all areas, has"
                    f" '{listed[other][name]}': take the same"
                )
