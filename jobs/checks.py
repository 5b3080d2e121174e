"""Native checks and fingerprints of a frame, in one pass: what gates bronze and silver, and what tells
whether an operator-period changed at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.contracts import Contract, codes, contract
from jobs.errors import ValidationHeld

EXAMPLES = 3


@dataclass(frozen=True)
class Fingerprint:
    """What an operator-period holds: how many rows, and a checksum that their order does not change."""

    rows: int
    checksum: str


Fingerprints = dict[tuple[str, str], Fingerprint]


def row_rules(about: Contract) -> dict[str, Column]:
    """Conditions that hold in every row, by rule name. A code list's codes, a key's values, checks."""
    rules: dict[str, Column] = {f"{name}_not_null": F.col(name).isNotNull() for name in about.not_null}
    for field in about.fields:
        if field.codelist:
            known = F.col(field.name).isin([*codes(field.codelist), "_U"])
            rules[f"{field.name}_known"] = F.coalesce(known, F.lit(True))
    for name, condition in about.checks:
        rules[name] = F.coalesce(F.expr(condition), F.lit(False))
    return rules


def fingerprints(frame: DataFrame, table: str, rules: dict[str, Column] | None = None) -> Fingerprints:
    """Each operator-period's fingerprint; rules are checked in the same pass.

    Raises ValidationHeld, naming table, rule, rows and a few keys, if a rule is broken.
    """
    about = contract(table)
    rules = rules or {}
    broken = [F.sum((~condition).cast("bigint")).alias(name) for name, condition in rules.items()]
    # The key must be unique, or equal rows would cancel out in the checksum.
    distinct = F.count_distinct(F.xxhash64(*about.key)).alias("_keys")
    # A hash passes over nulls and empty lists: it takes the place and the null of each column too, or a
    # value that moves to the next column would be no change.
    placed = [
        part
        for place, name in enumerate(about.columns)
        for part in (F.when(F.col(name).isNull(), ~place).otherwise(place), F.col(name))
    ]
    period = F.col(about.period).cast("string") if about.period else F.lit("")
    rows = (
        frame.groupBy("operator_id", period.alias("_period"))
        .agg(
            F.count("*").alias("_rows"),
            F.bit_xor(F.xxhash64(*placed)).alias("_checksum"),
            distinct,
            *broken,
        )
        .collect()
    )
    for name, condition in rules.items():
        count = sum(row[name] for row in rows)
        if count:
            raise ValidationHeld(held(frame, about, name, condition, count))
    repeated = sum(row["_rows"] - row["_keys"] for row in rows)
    if repeated:
        again = (
            frame.groupBy(*about.key).count().filter("count > 1").select(*about.key).limit(EXAMPLES).collect()
        )
        raise ValidationHeld(message(table, "key_unique", repeated, [row.asDict() for row in again]))
    return {
        (row["operator_id"], row["_period"]): Fingerprint(
            row["_rows"], format(row["_checksum"] % 2**64, "016x")
        )
        for row in rows
    }


def held(frame: DataFrame, about: Contract, name: str, condition: Column, count: int) -> str:
    examples = frame.filter(~condition).select(*about.key).limit(EXAMPLES).collect()
    return message(about.table, name, count, [row.asDict() for row in examples])


def message(
    table: str, rule: str, count: int, examples: Sequence[Mapping[str, object]], says: str = ""
) -> str:
    """What a person reads when a rule held a table back: what it says, and a few keys."""
    lines = [
        f"{table}: rule {rule} is broken on {count:,} row{'' if count == 1 else 's'};"
        " the table stays as it was."
    ]
    lines += [f"  It says: {says}."] if says else []
    lines += ["  " + ", ".join(f"{key}={value}" for key, value in example.items()) for example in examples]
    return "\n".join(lines)
