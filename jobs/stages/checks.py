"""Checks of rows, as native Polars expressions: they gate bronze and silver, operator by operator.

Great Expectations (expectations/suites.py) gates the small tables that are published.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from jobs.core.checksum import row_hashes
from jobs.core.contracts import Contract, codes, contract
from jobs.core.errors import ValidationHeld
from jobs.core.sql import expression

EXAMPLES = 3
KEY_UNIQUE = "key_unique"


@dataclass(frozen=True)
class Broken:
    """A rule that rows of one operator break: on how many rows, and the keys of a few of them."""

    table: str
    rule: str
    operator_id: str
    violations: int
    examples: tuple[dict[str, object], ...]


def row_rules(about: Contract) -> dict[str, pl.Expr]:
    """Conditions that hold in every row, by rule name; never null.

    Key and required columns are not null, codes are in their list, the contract's checks are true.
    """
    rules = {f"{name}_not_null": pl.col(name).is_not_null() for name in about.not_null}
    for field in about.fields:
        if field.codelist:
            known = pl.col(field.name).is_in([*codes(field.codelist), "_U"])
            rules[f"{field.name}_known"] = known.fill_null(True)
    for name, condition in about.checks:
        rules[name] = expression(condition).fill_null(False)
    return rules


def rule_text(table: str, rule: str) -> str:
    """What a rule of row_rules() or the key says, for a person."""
    about = contract(table)
    name = rule.removesuffix("_not_null").removesuffix("_known")
    lists = {field.name: field.codelist for field in about.fields}
    if rule == KEY_UNIQUE:
        return f"the key ({', '.join(about.key)}) is unique"
    if rule in dict(about.checks):
        return dict(about.checks)[rule]
    if rule.endswith("_not_null"):
        return f"{name} is given"
    return f"{name} is in the list {lists[name]}" if lists.get(name) else rule


def check_rows(frame: pl.DataFrame, table: str) -> list[Broken]:
    """The rules of the table's contract that rows break, by operator; empty if all rows hold.

    The last rule is that a key occurs once in an operator's period. A table that is written in buckets is
    checked bucket by bucket, and no other bucket has the key: silver's keys are keyed hashes of the queue
    key, or of the place of a bronze row where there is none, and these decide the bucket
    (jobs/silver/bucketing.py).
    """
    about = contract(table)
    rules = row_rules(about)
    counts = frame.select((~condition).sum().alias(name) for name, condition in rules.items()).row(
        0, named=True
    )
    broken = [
        each
        for name, condition in rules.items()
        if counts[name]
        for each in by_operator(table, name, frame.filter(~condition))
    ]
    return broken + by_operator(table, KEY_UNIQUE, repeated_rows(frame, about))


def by_operator(table: str, rule: str, rows: pl.DataFrame) -> list[Broken]:
    """One entry for each operator that the rows belong to."""
    key = contract(table).key
    parts = rows.select(key).sort(key).partition_by("operator_id", maintain_order=True)
    return [
        Broken(table, rule, part["operator_id"][0] or "", part.height, tuple(part.head(EXAMPLES).to_dicts()))
        for part in parts
    ]


def repeated_rows(frame: pl.DataFrame, about: Contract) -> pl.DataFrame:
    """The rows of a key beyond its first."""
    names = key_and_period(about)
    keys = frame.select(names)
    # Equal keys have equal hashes; where hashes are equal, the keys are compared.
    hashes = pl.Series("hash", row_hashes(keys))
    if hashes.n_unique() == frame.height:
        return keys.clear()
    suspects = keys.filter(hashes.is_duplicated())
    return suspects.filter(~suspects.select(pl.struct(names).is_first_distinct()).to_series())


def key_and_period(about: Contract) -> list[str]:
    return list(dict.fromkeys([*about.key, *([about.period] if about.period else [])]))


def refuse(broken: Sequence[Broken]) -> None:
    """Raise ValidationHeld, naming table, rule, rows and a few keys, if a rule is broken."""
    if broken:
        raise ValidationHeld(
            "\n".join(message(each.table, each.rule, each.violations, each.examples) for each in broken)
        )


def message(
    table: str,
    rule: str,
    count: int,
    examples: Sequence[Mapping[str, object]],
    says: str = "",
    sources: Sequence[str] = (),
) -> str:
    """What a person reads when a rule held a table back: what it says, and a few keys. sources: those that it
    holds back, where the tables go on without what is new of them."""
    held = "the table stays as it was."
    if sources:
        held = f"what is new of {', '.join(sources)} waits. Everything else went on."
    lines = [f"{table}: rule {rule} is broken on {count:,} row{'' if count == 1 else 's'}; {held}"]
    lines += [f"  It says: {says}."] if says else []
    lines += ["  " + ", ".join(f"{key}={value}" for key, value in example.items()) for example in examples]
    return "\n".join(lines)
