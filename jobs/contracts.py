"""Contracts: what each table is, read from schemas/, and all that derives from it.

schemas/fields.yaml defines every column once; schemas/<layer>/<table>.yaml names a table's columns,
key, partitions and inputs. From them come the StructType with comments, the Arrow and Polars schemas
of the kernels, conform(), the Delta properties, the checks, the Great Expectations suites, the data
dictionary and Airflow's assets. This module imports neither Spark nor Great Expectations until a
function needs them, because Airflow reads contracts while it parses DAGs.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from jobs.errors import ObservatoryError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import DataType, StructType

SCHEMAS = Path(__file__).resolve().parent.parent / "schemas"
CODELISTS = SCHEMAS / "codelists"
REFERENCE = SCHEMAS / "reference"
LAYERS = ("bronze", "silver", "gold", "study", "meta", "ref")
# The words of a contract's file.
NEEDED = ("table", "description", "key", "fields")
OPTIONAL = ("reads", "partition_by", "required", "checks")


@dataclass(frozen=True)
class Field:
    """One column, wherever it stands.

    type: as in Spark SQL. unit: of a measure. codelist: the list under schemas/codelists/ or
    `ref.<table>.<column>` that holds its codes.
    """

    name: str
    type: str
    description: str
    unit: str | None = None
    codelist: str | None = None


@dataclass(frozen=True)
class Contract:
    """One table: a row is what `description` says; `key` is unique in it.

    reads: the tables that its job takes. required: columns beside the key that are never null.
    checks: SQL conditions that hold in every row, by name.
    """

    table: str
    description: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    reads: tuple[str, ...] = ()
    partition_by: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    checks: tuple[tuple[str, str], ...] = ()

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
    def not_null(self) -> list[str]:
        return [*self.key, *(name for name in self.required if name not in self.key)]


@cache
def fields() -> dict[str, Field]:
    """Every column of every table, from schemas/fields.yaml."""
    raw = yaml.safe_load((SCHEMAS / "fields.yaml").read_text(encoding="utf-8"))
    return {name: Field(name=name, **properties) for name, properties in raw.items()}


@cache
def contract(table: str) -> Contract:
    """The contract of a table such as gold.spam_volume_daily."""
    layer, _, name = table.partition(".")
    file = (REFERENCE if layer == "ref" else SCHEMAS / layer) / f"{name}.yaml"
    if not file.is_file():
        raise ObservatoryError(f"unknown table '{table}': there is no {file.relative_to(SCHEMAS.parent)}")
    raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    refuse_words(file.name, raw)
    unknown = [column for column in raw["fields"] if column not in fields()]
    if unknown:
        raise ObservatoryError(f"{file.name}: {', '.join(unknown)} not defined in schemas/fields.yaml")
    if raw["table"] != table:
        raise ObservatoryError(f"{file.name} says it is {raw['table']}, not {table}")
    return Contract(
        table=table,
        description=raw["description"].strip(),
        fields=tuple(fields()[column] for column in raw["fields"]),
        key=tuple(raw["key"]),
        reads=tuple(raw.get("reads", ())),
        partition_by=tuple(raw.get("partition_by", ())),
        required=tuple(raw.get("required", ())),
        checks=tuple(raw.get("checks", {}).items()),
    )


def refuse_words(file_name: str, raw: Mapping[str, Any]) -> None:
    """Raise ObservatoryError for what a contract must say and does not, or says in a word of no meaning: a
    misspelt `partition_by` would make a table that no run can replace."""
    told = [f"lacks {word}" for word in NEEDED if word not in raw]
    told += [f"has an unknown word '{word}'" for word in raw if word not in (*NEEDED, *OPTIONAL)]
    if told:
        known = ", ".join((*NEEDED, *OPTIONAL))
        raise ObservatoryError(f"{file_name} {' and '.join(told)}; a contract's words are: {known}")


@cache
def tables() -> tuple[str, ...]:
    """Every table that has a contract, layer by layer."""
    folders = {layer: REFERENCE if layer == "ref" else SCHEMAS / layer for layer in LAYERS}
    return tuple(f"{layer}.{file.stem}" for layer in LAYERS for file in sorted(folders[layer].glob("*.yaml")))


@cache
def codes(codelist: str) -> tuple[str, ...]:
    """The codes of a list under schemas/codelists/, or of a reference table's column."""
    if codelist.startswith("ref."):
        _, table, column = codelist.split(".")
        file = REFERENCE / f"{table}.csv"
    else:
        file, column = CODELISTS / f"{codelist}.csv", "code"
    with file.open(newline="", encoding="utf-8") as rows:
        return tuple(dict.fromkeys(row[column] for row in csv.DictReader(rows)))


@cache
def reference_digest() -> str:
    """SHA-256 over reference tables, code lists and gold contracts: what gold needs beside silver."""
    digest = hashlib.sha256()
    for file in sorted(
        [*REFERENCE.glob("*.csv"), *CODELISTS.glob("*.csv"), *(SCHEMAS / "gold").glob("*.yaml")]
    ):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def spark_type(text: str) -> DataType:
    """The Spark type that a field's `type` names; knows what the contracts use and no more."""
    from pyspark.sql import types as t

    simple: dict[str, Any] = {
        "string": t.StringType,
        "boolean": t.BooleanType,
        "int": t.IntegerType,
        "bigint": t.LongType,
        "double": t.DoubleType,
        "date": t.DateType,
        "timestamp": t.TimestampType,
        "binary": t.BinaryType,
    }
    text = text.strip()
    if text in simple:
        return simple[text]()
    if text.startswith("decimal("):
        precision, scale = text[len("decimal(") : -1].split(",")
        return t.DecimalType(int(precision), int(scale))
    if text.startswith("array<"):
        return t.ArrayType(spark_type(text[len("array<") : -1]))
    if text.startswith("struct<"):
        parts = [part.split(":", 1) for part in split_top(text[len("struct<") : -1])]
        return t.StructType([t.StructField(name.strip(), spark_type(kind)) for name, kind in parts])
    raise ObservatoryError(f"fields.yaml: unknown type '{text}'")


def split_top(text: str) -> list[str]:
    """Split at the commas that stand outside brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "<(") - (character in ">)")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


@cache
def struct_type(table: str) -> StructType:
    """The table's Spark schema, each column with its comment. All columns are nullable: rules, not the
    schema, say what must be there, because Spark trusts a schema without checking it."""
    from pyspark.sql.types import StructField, StructType

    return StructType(
        [
            StructField(field.name, spark_type(field.type), metadata={"comment": field.description})
            for field in contract(table).fields
        ]
    )


@cache
def arrow_schema(table: str) -> Any:
    """The table's Arrow schema, as kernels hand it to Spark."""
    from pyspark.sql.pandas.types import to_arrow_schema

    return to_arrow_schema(struct_type(table), timezone="UTC")


@cache
def polars_schema(table: str) -> dict[str, Any]:
    """The table's columns and Polars types."""
    import polars as pl

    empty = pl.from_arrow(arrow_schema(table).empty_table())
    assert isinstance(empty, pl.DataFrame)
    return dict(empty.schema)


def conform(frame: DataFrame, table: str) -> DataFrame:
    """The frame with exactly the table's columns, in order and type.

    Column sets are compared first, because Spark's own `to()` fills a missing column with nulls.
    Raises ObservatoryError on a missing or surplus column.
    """
    from pyspark.sql import functions as F

    wanted = struct_type(table)
    missing = sorted(set(wanted.names) - set(frame.columns))
    surplus = sorted(set(frame.columns) - set(wanted.names))
    if missing or surplus:
        raise ObservatoryError(f"{table}: the job lacks columns {missing} and has surplus columns {surplus}")
    return frame.select(
        [
            F.col(each.name).cast(each.dataType).alias(each.name, metadata=each.metadata)
            for each in wanted.fields
        ]
    )
