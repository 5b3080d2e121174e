"""Rows that break rules, made from the contracts: of each column the values that the table's checks name,
codes of its list, and one that is in no list."""

import datetime as dt
import random
from collections.abc import Mapping
from typing import Any

import polars as pl
import sqlglot
from sqlglot import exp

from expectations.rules import CONDITION, NOT_NULL, UNIQUE, rules_of
from jobs.base.tables.contracts import Field, list_codes, polars_schema, read_contract
from jobs.base.tables.public_contracts import public_contract

NO_CODE = "no_code"
DAYS = [dt.date(2026, 11, 1), dt.date(2026, 11, 2)]
TIMES = [dt.datetime(2026, 11, 1, hour, tzinfo=dt.UTC) for hour in (1, 2, 3)]
# Of one row in so many a column that may be null is.
NULLS = 5


def fields_of(table: str) -> list[Field]:
    if table.startswith("public."):
        return [each.field for each in public_contract(table).columns]
    return list(read_contract(table).fields)


def schema_of(table: str) -> Mapping[str, Any]:
    return public_contract(table).schema if table.startswith("public.") else polars_schema(table)


def never_null(table: str) -> list[str]:
    return [rule.columns[0] for rule in rules_of(table) if rule.kind == NOT_NULL]


def literals(table: str) -> list[exp.Literal]:
    """The numbers and texts in the table's checks."""
    trees = [sqlglot.parse_one(rule.condition) for rule in rules_of(table) if rule.kind == CONDITION]
    return [each for tree in trees for each in tree.find_all(exp.Literal)]


def pool(field: Field, texts: list[str], numbers: list[float]) -> list[Any]:
    """Values of a column."""
    if field.type == "string":
        listed = list(list_codes(field.codelist)[:3]) if field.codelist else ["a", "b", "2026-11", "2026"]
        return [*listed, *texts, "", "_T", NO_CODE]
    return value_pool(field.type, numbers)


def value_pool(kind: str, numbers: list[float]) -> list[Any]:
    if kind.startswith("array<"):
        inner = value_pool(kind.removeprefix("array<")[:-1], numbers)
        return [[], inner[:1], inner[:2]]
    if kind.startswith("struct<"):
        schema = polars_struct(kind)
        return [
            {name: random.Random(f"{name}{place}").choice([0, 1, 2]) for name in schema} for place in range(6)
        ]
    simple = {
        "string": ["a", "b"],
        "boolean": [True, False],
        "date": DAYS,
        "timestamp": TIMES,
        "binary": [b"x"],
    }
    return simple.get(kind) or [
        -1,
        0,
        1,
        2,
        3,
        *(sign * (int(number) + 1) for number in numbers for sign in (1, -1)),
    ]


def polars_struct(kind: str) -> list[str]:
    return [
        part.split(":")[0].strip() for part in kind.removeprefix("struct<")[:-1].split(",") if ":" in part
    ]


def random_rows(table: str, count: int, seed: int) -> pl.DataFrame:
    """Rows of random values, whose columns that are never null are given."""
    chance = random.Random(f"{table}{seed}")
    found = literals(table)
    texts = sorted({each.name for each in found if each.is_string})
    numbers = sorted({float(each.name) for each in found if not each.is_string})
    given = never_null(table)
    columns = {}
    for field in fields_of(table):
        values = pool(field, texts, numbers)
        columns[field.name] = [
            None if field.name not in given and not chance.randrange(NULLS) else chance.choice(values)
            for _ in range(count)
        ]
    schema = schema_of(table)
    return pl.DataFrame(
        [pl.Series(name, values, strict=False).cast(schema[name]) for name, values in columns.items()]
    )


def with_nulls(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows, each column that is never null without a value in one of them."""
    return rows.with_columns(
        pl.when(pl.int_range(pl.len()) != place).then(pl.col(name)).alias(name)
        for place, name in enumerate(never_null(table))
    )


def with_repeated(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows, of which three have one key."""
    (key,) = [rule.columns for rule in rules_of(table) if rule.kind == UNIQUE]
    first = rows.head(1).select(key)
    repeated = pl.concat([rows.slice(1, 2).drop(key), pl.concat([first, first])], how="horizontal")
    return pl.concat([rows, repeated.select(rows.columns)])
