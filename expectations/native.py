"""Rules checked by Polars: they guard every run, and tell which operators' rows break one."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import polars as pl

from expectations.between import CrossRule, cross_rules, sql_name
from expectations.rules import IN_SET, NOT_NULL, UNIQUE, Rule, rules_of
from jobs.base.tables.checksum import row_hashes
from jobs.base.tables.contracts import read_contract
from jobs.base.tables.public_contracts import public_contract
from jobs.base.tables.sql import parse_expression

EXAMPLES = 3


@dataclass(frozen=True)
class Result:
    """Result of a rule: the number of rows that break it, the keys of a few of them, and their operators.

    Attributes:
        sources: as operator/source, those whose new parts alone the rule holds back, not their operator.
    """

    table: str
    rule: str
    says: str
    is_held: bool
    violations: int
    examples: list[dict[str, str]] = field(default_factory=list)
    operators: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)


def check_table(table: str, frame: pl.DataFrame) -> list[Result]:
    """One result for each rule that follows from the table's contract."""
    key = public_contract(table).key if table.startswith("public.") else read_contract(table).key
    return check(table, frame, rules_of(table), key)


def check_tables(frames: Mapping[str, pl.DataFrame]) -> list[Result]:
    """One result for each rule of these tables and between them."""
    found = [each for table, frame in frames.items() for each in check_table(table, frame)]
    return found + [each for rule in cross_rules_of(frames) for each in check_between(frames, rule)]


def check_between(frames: Mapping[str, pl.DataFrame], rule: CrossRule) -> list[Result]:
    """One result for each condition of a rule between these tables."""
    return check(rule.table, lay_side_by_side(frames, rule), rule.rules, rule.key)


def lay_side_by_side(frames: Mapping[str, pl.DataFrame], rule: CrossRule) -> pl.DataFrame:
    """The rows of a rule's query."""
    known = pl.SQLContext({sql_name(table): frames[table] for table in (rule.table, *rule.others)})
    return known.execute(rule.query.format(batch=sql_name(rule.table)), eager=True)


def cross_rules_of(tables: Iterable[str]) -> list[CrossRule]:
    """The rules between these tables."""
    known = set(tables)
    return [rule for rule in cross_rules() if {rule.table, *rule.others} <= known]


def check(table: str, frame: pl.DataFrame, rules: Sequence[Rule], key: Sequence[str]) -> list[Result]:
    """One result for each rule.

    Args:
        key: the columns that name a row in what a person reads.
    """
    conditions = {rule.name: holds(rule) for rule in rules if rule.kind != UNIQUE}
    counts = frame.select((~holding).sum().alias(name) for name, holding in conditions.items()).to_dicts()
    violations = counts[0] if counts else {}
    results = []
    for rule in rules:
        if rule.kind == UNIQUE:
            broken = repeated(frame, rule.columns)
        elif violations.get(rule.name):
            broken = frame.filter(~conditions[rule.name])
        else:
            broken = frame.clear()
        results.append(result_of(table, rule, broken, key))
    return results


def holds(rule: Rule) -> pl.Expr:
    """Return whether a row keeps the rule; never null."""
    if rule.kind == NOT_NULL:
        return pl.col(*rule.columns).is_not_null()
    if rule.kind == IN_SET:
        return pl.col(*rule.columns).is_in(list(rule.values)).fill_null(True)
    return parse_expression(rule.condition).fill_null(False)


def repeated(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """The rows whose values in the columns another row has, too."""
    keys = frame.select(columns)
    # Equal keys have equal hashes; where hashes are equal, the keys are compared.
    hashes = pl.Series("hash", row_hashes(keys))
    if hashes.n_unique() == frame.height:
        return frame.clear()
    suspects = frame.filter(hashes.is_duplicated())
    return suspects.filter(suspects.select(columns).is_duplicated())


def result_of(table: str, rule: Rule, broken: pl.DataFrame, key: Sequence[str]) -> Result:
    """The result of a rule, from the rows that break it."""
    if broken.is_empty():
        return Result(table, rule.name, rule.says, True, 0)
    rows = broken.select(key).sort(key).head(EXAMPLES).to_dicts()
    examples = [{name: str(value) for name, value in row.items()} for row in rows]
    # "" stands for rows of a table without operators.
    owners = broken["operator_id"].fill_null("") if "operator_id" in broken.columns else pl.Series([""])
    return Result(table, rule.name, rule.says, False, broken.height, examples, sorted(set(owners)))


def holders(results: Iterable[Result]) -> set[str]:
    """The operators whose rows break a rule: those to hold back; "" for rows of a table without operators."""
    return {operator for each in results for operator in each.operators}


def format_results(results: list[Result], run_id: str, operators: Iterable[str]) -> str:
    """Results as JSON, the file of a run.

    Args:
        operators: those whose rows were checked.
    """
    kept = [asdict(result) for result in results]
    return json.dumps({"run_id": run_id, "operators": sorted(operators), "results": kept}, indent=1)
