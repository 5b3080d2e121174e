"""Rules on tables, derived once: from a table's contract, and from what must hold between tables.

Polars checks them on every run (expectations/native.py), and Great Expectations on what leaves
(expectations/evaluation.py), from suites that are derived from them (expectations/suite_files.py).
"""

from collections.abc import Collection
from dataclasses import dataclass

from jobs.base.figures import reliability
from jobs.base.tables.contracts import Contract, Field, list_codes, read_contract
from jobs.base.tables.public_contracts import PublicContract, public_contract
from jobs.base.tables.series import ALL, PARTS
from jobs.base.tables.sql import parse_expression

NOT_NULL, IN_SET, UNIQUE, CONDITION = "not_null", "in_set", "unique", "condition"
KEY_UNIQUE = "key_unique"
# Codes that every list has: unknown, and in aggregates the row of all.
UNKNOWN = "_U"
LOW, FIGURE, HIGH = "estimate_low", "estimate", "estimate_high"
BAND, STATUS = "cv_band_code", "obs_status_code"


@dataclass(frozen=True)
class Rule:
    """A rule on the rows of one table.

    Attributes:
        kind: NOT_NULL and IN_SET are on one column, whose null is in every set; UNIQUE says that no two rows
            have the same values in the columns; CONDITION is SQL that is true in each row, where null counts
            as broken.
    """

    name: str
    says: str
    kind: str
    columns: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    condition: str = ""


def rules_of(table: str) -> list[Rule]:
    """The rules on single rows and on the key that follow from a table's contract."""
    if table.startswith("public."):
        return public_rules(public_contract(table))
    contract = read_contract(table)
    rules = [not_null(name) for name in contract.required_columns]
    more = (UNKNOWN,) if contract.layer in ("bronze", "silver") else (UNKNOWN, *wholes_of(contract.columns))
    also = dict(contract.also)
    rules += [known(each, (*more, *also.get(each.name, ()))) for each in contract.fields if each.codelist]
    rules += [condition(name, text, text) for name, text in contract.checks]
    return [*rules, unique(key_and_period(contract))]


def wholes_of(columns: Collection[str]) -> tuple[str, ...]:
    """The codes of wholes that a column may have in a table of these columns."""
    return (ALL, PARTS) if "part_factor" in columns else (ALL,)


def public_rules(contract: PublicContract) -> list[Rule]:
    """The rules of a published table."""
    fields = [each.field for each in contract.columns]
    names = [field.name for field in fields]
    figures = [] if contract.protect is None else [contract.protect.figure]
    rules = [not_null(name) for name in (*contract.key, *figures)]
    for field in fields:
        if field.name == "conf_status_code":
            rules.append(
                Rule(f"{field.name}_known", f"{field.name} is F or C", IN_SET, (field.name,), ("F", "C"))
            )
        elif field.codelist:
            # Codes that others add up to, such as families of types.
            sums = contract.protect.shape.sums.get(field.name, {}) if contract.protect else {}
            more = dict.fromkeys((UNKNOWN, *wholes_of(names), *sums))
            rules.append(known(field, tuple(more)))
    if {LOW, FIGURE, HIGH} <= set(names):
        inside = f"{LOW} <= {FIGURE} AND {FIGURE} <= {HIGH}"
        rules.append(
            condition("interval_holds_figure", f"coalesce({inside}, TRUE)", f"{inside}, where given")
        )
    if {BAND, STATUS} <= set(names):
        low = ", ".join(f"'{code}'" for code in reliability.LOW)
        rules.append(
            condition(
                "low_reliability_is_marked",
                f"coalesce({BAND} NOT IN ({low}) OR {STATUS} = 'U', TRUE)",
                f"{STATUS} is U where {BAND} is one of {low}",
            )
        )
    return [*rules, unique(contract.key)]


def not_null(name: str) -> Rule:
    return Rule(f"{name}_not_null", f"{name} is given", NOT_NULL, (name,))


def known(field: Field, more: tuple[str, ...]) -> Rule:
    """Return the rule that a column's codes are in its list."""
    assert field.codelist is not None
    values = (*list_codes(field.codelist), *more)
    return Rule(
        f"{field.name}_known", f"{field.name} is in the list {field.codelist}", IN_SET, (field.name,), values
    )


def unique(columns: list[str]) -> Rule:
    return Rule(KEY_UNIQUE, f"the key ({', '.join(columns)}) is unique", UNIQUE, tuple(columns))


def condition(name: str, text: str, says: str) -> Rule:
    """A rule that a SQL condition states over each row. Raises ObservatoryError for text that is no such
    condition, before any row is checked."""
    parse_expression(text)
    return Rule(name, says, CONDITION, condition=text)


def key_and_period(contract: Contract) -> list[str]:
    return list(dict.fromkeys([*contract.key, *([contract.period] if contract.period else [])]))
