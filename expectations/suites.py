"""Great Expectations suites, derived from the contracts, and their running.

A suite is made in memory each time; what is kept is the result, as JSON. Great Expectations decides every
rule, on pandas frames. A question costs it about 5 ms, however few the rows are. So the first question of a
table is whether all of its rules hold in all rows, and one suite asks it of all tables. Only a table that
breaks one is asked rule by rule. Row-level rules of bronze and silver are native (jobs/stages/checks.py):
Great Expectations gates aggregates and what is published.

The import of Great Expectations takes seconds. Only functions import it, so that a process can do it beside
other work: warm() does no more than that.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl

from jobs.core.checksum import row_hashes
from jobs.core.contracts import codes, contract
from jobs.core.sql import expression

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
EXAMPLES = 3
KEY_COUNT = "rows_of_key"
# An expectation's name and arguments.
Expectation = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Rule:
    """A rule on the rows of one table: `condition` holds in each, as SQL; null counts as broken.

    expectation, arguments: how Great Expectations checks it.
    """

    name: str
    says: str
    condition: str
    expectation: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Result:
    """How a rule fared: how many rows break it, the keys of a few of them, and the operators that have such
    rows.

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


def contract_rules(table: str) -> list[Rule]:
    """The rules that follow from a contract: nulls, codes, key and checks."""
    about = contract(table)
    rules = []
    for name in about.not_null:
        given = "ExpectColumnValuesToNotBeNull", {"column": name}
        rules.append(Rule(f"{name}_given", f"{name} is given", f"{name} IS NOT NULL", *given))
    for each in about.fields:
        if each.codelist:
            known = [*codes(each.codelist), "_U", "_T"]
            listed = ", ".join(f"'{code}'" for code in known)
            rules.append(
                Rule(
                    f"{each.name}_known",
                    f"{each.name} is in the list {each.codelist}",
                    f"{each.name} IS NULL OR {each.name} IN ({listed})",
                    *in_set(each.name, known),
                )
            )
    says = f"the key ({', '.join(about.key)}) is unique"
    rules.append(Rule("key_unique", says, f"{KEY_COUNT} = 1", *in_set(KEY_COUNT, [1])))
    return rules + [row_rule(name, condition, condition) for name, condition in about.checks]


def row_rule(name: str, condition: str, says: str) -> Rule:
    """A rule that a SQL condition states over each row."""
    return Rule(name, says, condition, *in_set(f"is_{name}", [True]))


def in_set(column: str, values: list[Any]) -> Expectation:
    return "ExpectColumnValuesToBeInSet", {"column": column, "value_set": values}


@dataclass(frozen=True)
class Asked:
    """Rules to check on a frame. `key` names a row in what a person reads."""

    table: str
    frame: pl.DataFrame
    rules: list[Rule]
    key: tuple[str, ...]


# Great Expectations imports these for charts, tests of distributions, notebooks and other frames. No rule
# uses them, and they take half of the time. It can do without those of the first line.
OPTIONAL = ("pyspark", "IPython", "sqlalchemy")
UNUSED = ("altair", "scipy", "scipy.stats", "scipy.special")


class Unused(ModuleType):
    """Stands for a module during an import; each name in it is an empty class."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__spec__ = ModuleSpec(name, None)

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def warm() -> None:
    """Import Great Expectations, for a process that is to validate later."""
    if "great_expectations" in sys.modules:
        return
    stand_ins = dict.fromkeys(OPTIONAL) | {name: Unused(name) for name in UNUSED}
    stand_ins = {name: module for name, module in stand_ins.items() if name not in sys.modules}
    # Nothing that an import makes is garbage: to look for it costs a fifth of the time.
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        sys.modules.update(stand_ins)  # type: ignore[arg-type]
        import great_expectations  # noqa: F401
    finally:
        for name in stand_ins:
            sys.modules.pop(name, None)
        if was_collecting:
            gc.enable()


def validate(asked: list[Asked]) -> list[Result]:
    """Check each frame's rules; one result a rule, examples for those that failed."""
    warm()
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_pandas(name="frames")
    frames = [prepared(each) for each in asked]
    results: list[Result] = []
    for place, is_held in enumerate(all_hold(source, frames, asked)):
        each = asked[place]
        if is_held:
            results += [Result(each.table, rule.name, rule.says, True, 0) for rule in each.rules]
        else:
            results += rule_by_rule(source, f"{place} {each.table}", frames[place], each)
    return results


def all_hold(source: Any, frames: list[pl.DataFrame], asked: list[Asked]) -> list[bool]:
    """For each frame whether all of its rules hold in all of its rows."""
    # A table may be asked twice: the place keeps its columns apart. Nulls below a shorter column pass.
    columns = [
        frame.select(pl.all_horizontal(holds(rule) for rule in each.rules).alias(f"{place} {each.table}"))
        for place, (frame, each) in enumerate(zip(frames, asked, strict=True))
        if each.rules
    ]
    if not columns:
        return [True] * len(asked)
    whole = pl.concat(columns, how="horizontal_extend")
    found = answers(source, "all", whole, [(name, in_set(name, [True])) for name in whole.columns])
    return [found.get(f"{place} {each.table}", True) for place, each in enumerate(asked)]


def rule_by_rule(source: Any, name: str, frame: pl.DataFrame, asked: Asked) -> list[Result]:
    """The result of each rule of a frame, which breaks one."""
    columns = sorted({rule.arguments["column"] for rule in asked.rules})
    questions = [(rule.name, (rule.expectation, rule.arguments)) for rule in asked.rules]
    found = answers(source, name, frame.select(columns), questions)
    return [result_of(frame, asked, rule, found[rule.name]) for rule in asked.rules]


def answers(
    source: Any, name: str, frame: pl.DataFrame, questions: list[tuple[str, Expectation]]
) -> dict[str, bool]:
    """What Great Expectations decides on a frame: by the question's name, whether it is met."""
    import great_expectations as gx
    from great_expectations import expectations as gxe

    suite = gx.ExpectationSuite(
        name=name,
        expectations=[
            getattr(gxe, kind)(**arguments, meta={"rule": rule}) for rule, (kind, arguments) in questions
        ],
    )
    whole = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
    batch = whole.get_batch(batch_parameters={"dataframe": frame.to_pandas()})
    found = {}
    for outcome in batch.validate(suite, result_format="BOOLEAN_ONLY").results:
        rule = outcome.expectation_config.meta["rule"]
        problem = outcome.exception_info or {}
        if problem.get("raised_exception"):
            raise RuntimeError(f"{name}, rule {rule}: {problem['exception_message']}")
        found[rule] = bool(outcome.success)
    return found


def prepared(asked: Asked) -> pl.DataFrame:
    """The frame with one column for each condition over several columns, and how often a row's key occurs."""
    frame = asked.frame
    if any(rule.arguments["column"] == KEY_COUNT for rule in asked.rules):
        frame = frame.with_columns(rows_of_key(frame.select(asked.key)).alias(KEY_COUNT))
    return frame.with_columns(
        holds(rule).alias(rule.arguments["column"])
        for rule in asked.rules
        if rule.arguments["column"] not in frame.columns
    )


def rows_of_key(keys: pl.DataFrame) -> pl.Expr:
    """How many rows have a row's key."""
    if pl.Series(row_hashes(keys)).n_unique() == keys.height:
        return pl.lit(1)
    return pl.len().over(keys.columns)


def result_of(frame: pl.DataFrame, asked: Asked, rule: Rule, is_held: bool) -> Result:
    """The result of a rule; only the rows of a broken one are counted and shown."""
    if is_held:
        return Result(asked.table, rule.name, rule.says, True, 0)
    broken = frame.filter(breaks(rule))
    rows = broken.select(asked.key).sort(asked.key).head(EXAMPLES).to_dicts()
    examples = [{name: str(value) for name, value in row.items()} for row in rows]
    # "" stands for rows of a table without operators.
    of = broken["operator_id"].fill_null("") if "operator_id" in broken.columns else pl.Series([""])
    operators = sorted(set(of))
    return Result(asked.table, rule.name, rule.says, False, broken.height, examples, operators)


def holds(rule: Rule) -> pl.Expr:
    """Whether a row keeps the rule; false where its condition is unknown."""
    return expression(rule.condition).fill_null(False)


def breaks(rule: Rule) -> pl.Expr:
    return ~holds(rule)


def holders(results: Iterable[Result]) -> set[str]:
    """The operators whose rows break a rule: those to hold back; "" for rows of a table without operators."""
    return {operator for each in results for operator in each.operators}


def keep(
    results: list[Result], folder: str | os.PathLike[str], run_id: str, operators: Iterable[str]
) -> Path:
    """Keep results as JSON, one file a run. operators: those whose rows were checked."""
    file = Path(folder) / f"{run_id}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = [asdict(result) for result in results]
    text = json.dumps({"run_id": run_id, "operators": sorted(operators), "results": kept}, indent=1)
    # A disk that fills leaves no half of it under its name.
    new = file.with_name(f".{file.name}.{uuid.uuid4().hex}.new")
    new.write_text(text, encoding="utf-8")
    return new.replace(file)
