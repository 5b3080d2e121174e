"""The rules of contracts on the rows of bronze and silver, operator by operator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from expectations import native
from expectations.native import EXAMPLES
from expectations.rules import KEY_UNIQUE, UNIQUE, key_and_period, rules_of
from jobs.base.core.errors import ValidationHeld
from jobs.base.tables.checksum import row_hashes
from jobs.base.tables.contracts import Contract, read_contract


@dataclass(frozen=True)
class Broken:
    """A rule that rows of one operator break: on how many rows, and the keys of a few of them."""

    table: str
    rule: str
    operator_id: str
    violations: int
    examples: tuple[dict[str, object], ...]


def rule_text(table: str, rule: str) -> str:
    """The description of a rule in the table's contract."""
    return {each.name: each.says for each in rules_of(table)}.get(rule, rule)


def check_rows(frame: pl.DataFrame, table: str) -> list[Broken]:
    """The rules of the table's contract that rows break, by operator; empty if all rows hold.

    The last rule is that a key occurs once in an operator's period. A table that is written in buckets is
    checked bucket by bucket, and no other bucket has the key: silver's keys are keyed hashes of the queue
    key, or of the place of a bronze row where there is none, and these decide the bucket
    (jobs/operators/silver/bucketing.py).
    """
    rules = {rule.name: native.holds(rule) for rule in rules_of(table) if rule.kind != UNIQUE}
    counts = frame.select((~condition).sum().alias(name) for name, condition in rules.items()).row(
        0, named=True
    )
    broken = [
        each
        for name, condition in rules.items()
        if counts[name]
        for each in split_by_operator(table, name, frame.filter(~condition))
    ]
    return broken + split_by_operator(table, KEY_UNIQUE, repeated_rows(frame, read_contract(table)))


def split_by_operator(table: str, rule: str, rows: pl.DataFrame) -> list[Broken]:
    """One entry for each operator that the rows belong to."""
    key = read_contract(table).key
    parts = rows.select(key).sort(key).partition_by("operator_id", maintain_order=True)
    return [
        Broken(table, rule, part["operator_id"][0] or "", part.height, tuple(part.head(EXAMPLES).to_dicts()))
        for part in parts
    ]


def repeated_rows(frame: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """The rows of a key beyond its first."""
    names = key_and_period(contract)
    keys = frame.select(names)
    # Equal keys have equal hashes; where hashes are equal, the keys are compared.
    hashes = pl.Series("hash", row_hashes(keys))
    if hashes.n_unique() == frame.height:
        return keys.clear()
    suspects = keys.filter(hashes.is_duplicated())
    return suspects.filter(~suspects.select(pl.struct(names).is_first_distinct()).to_series())


def refuse_broken_rows(broken: Sequence[Broken]) -> None:
    """Raise ValidationHeld, naming table, rule, rows and a few keys, if a rule is broken."""
    if broken:
        raise ValidationHeld(
            "\n".join(format_broken(each.table, each.rule, each.violations, each.examples) for each in broken)
        )


def format_broken(
    table: str,
    rule: str,
    count: int,
    examples: Sequence[Mapping[str, object]],
    says: str = "",
    sources: Sequence[str] = (),
) -> str:
    """The message for a table that a rule held back: the rule, and keys of a few rows.

    Args:
        sources: those that the rule holds back, where the tables go on without their new rows.
    """
    held = "the table stays as it was."
    if sources:
        held = f"what is new of {', '.join(sources)} waits. Everything else went on."
    lines = [f"{table}: rule {rule} is broken on {count:,} row{'' if count == 1 else 's'}; {held}"]
    lines += [f"  It says: {says}."] if says else []
    lines += ["  " + ", ".join(f"{key}={value}" for key, value in example.items()) for example in examples]
    return "\n".join(lines)
