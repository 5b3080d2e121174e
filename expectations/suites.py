"""Great Expectations suites, derived from the contracts, and their running.

A suite is made in memory each time; what is kept is the result, as JSON. Conditions over several columns
and the uniqueness of keys become columns of their own before the suite runs, because Great Expectations
answers all expectations on single columns in one Spark job, but needs one or more for each other kind.
Row-level rules of bronze and silver are native columns (jobs/checks.py): Great Expectations gates
aggregates and what is published.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.contracts import codes, contract

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
EXAMPLES = 3
AT_ONCE = 4
KEY_COUNT = "rows_of_key"


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
    """How a rule fared: how many rows break it, and the keys of a few of them."""

    table: str
    rule: str
    says: str
    is_held: bool
    violations: int
    examples: list[dict[str, str]] = field(default_factory=list)


def contract_rules(table: str) -> list[Rule]:
    """The rules that follow from a contract: nulls, codes, key and checks."""
    about = contract(table)
    rules = []
    for name in about.not_null:
        arguments = {"column": name}
        condition = f"{name} IS NOT NULL"
        rules.append(
            Rule(f"{name}_given", f"{name} is given", condition, "ExpectColumnValuesToNotBeNull", arguments)
        )
    for each in about.fields:
        if each.codelist:
            known = [*codes(each.codelist), "_U", "_T"]
            listed = ", ".join(f"'{code}'" for code in known)
            rules.append(
                Rule(
                    f"{each.name}_known",
                    f"{each.name} is in the list {each.codelist}",
                    f"{each.name} IS NULL OR {each.name} IN ({listed})",
                    "ExpectColumnValuesToBeInSet",
                    {"column": each.name, "value_set": known},
                )
            )
    says = f"the key ({', '.join(about.key)}) is unique"
    one = {"column": KEY_COUNT, "value_set": [1]}
    rules.append(Rule("key_unique", says, f"{KEY_COUNT} = 1", "ExpectColumnValuesToBeInSet", one))
    return rules + [row_rule(name, condition, condition) for name, condition in about.checks]


def row_rule(name: str, condition: str, says: str) -> Rule:
    """A rule that a SQL condition states over each row."""
    arguments = {"column": f"is_{name}", "value_set": [True]}
    return Rule(name, says, condition, "ExpectColumnValuesToBeInSet", arguments)


def prepared(frame: DataFrame, rules: list[Rule], key: tuple[str, ...]) -> DataFrame:
    """The frame with one column for each condition over several columns, and how often a row's key stands."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    asked = {rule.arguments["column"]: rule.condition for rule in rules}
    if KEY_COUNT in asked:
        frame = frame.withColumn(KEY_COUNT, F.count("*").over(Window.partitionBy(*key)))
    made = [
        F.coalesce(F.expr(condition), F.lit(False)).alias(column)
        for column, condition in asked.items()
        if column not in frame.columns
    ]
    return frame.select("*", *made)


@dataclass(frozen=True)
class Asked:
    """Rules to check on a frame. `key` names a row in what a person reads."""

    table: str
    frame: DataFrame
    rules: list[Rule]
    key: tuple[str, ...]


def validate(asked: list[Asked]) -> list[Result]:
    """Check each frame's rules; one result a rule, examples for those that failed.

    Each suite costs Great Expectations a Spark job or two that wait more than they work: several run at once.
    """
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_spark(name="frames", persist=False)
    runs = [definition(context, source, place, each) for place, each in enumerate(asked)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(answer, runs, asked))
    return [result for results in answers for result in results]


def definition(context: Any, source: Any, place: int, asked: Asked) -> Any:
    """Great Expectations' own form of what is asked. A table may be asked twice: `place` tells them apart."""
    import great_expectations as gx
    from great_expectations import expectations as gxe

    name = f"{place} {asked.table}"
    suite = gx.ExpectationSuite(name=name)
    for rule in asked.rules:
        suite.add_expectation(getattr(gxe, rule.expectation)(**rule.arguments, meta={"rule": rule.name}))
    context.suites.add(suite)
    batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
    return gx.ValidationDefinition(data=batch, suite=suite, name=name)


def answer(run: Any, asked: Asked) -> list[Result]:
    """Run one validation."""
    ready = prepared(asked.frame, asked.rules, asked.key)
    outcome = run.run(batch_parameters={"dataframe": ready}, result_format="BOOLEAN_ONLY")
    by_name = {rule.name: rule for rule in asked.rules}
    return [
        result_of(ready, asked.table, by_name[told.expectation_config.meta["rule"]], told, asked.key)
        for told in outcome.results
    ]


def result_of(frame: DataFrame, table: str, rule: Rule, told: Any, key: tuple[str, ...]) -> Result:
    """What Great Expectations said of a rule; only a broken one costs a look at its rows."""
    problem = told.exception_info or {}
    if problem.get("raised_exception"):
        raise RuntimeError(f"{table}, rule {rule.name}: {problem['exception_message']}")
    if told.success:
        return Result(table, rule.name, rule.says, True, 0)
    broken = frame.filter(breaks(rule))
    rows = broken.select(*key).limit(EXAMPLES).collect()
    examples = [{name: str(row[name]) for name in key} for row in rows]
    return Result(table, rule.name, rule.says, False, broken.count(), examples)


def breaks(rule: Rule) -> Column:
    """Whether a row breaks the rule: its condition is false, or unknown."""
    from pyspark.sql import functions as F

    return ~F.coalesce(F.expr(rule.condition), F.lit(False))


def keep(results: list[Result], folder: str | os.PathLike[str], run_id: str) -> Path:
    """Keep results as JSON, one file a run."""
    file = Path(folder) / f"{run_id}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"run_id": run_id, "results": [asdict(result) for result in results]}, indent=1)
    # A disk that fills leaves no half of it under its name.
    new = file.with_name(f".{file.name}.new")
    new.write_text(text, encoding="utf-8")
    return new.replace(file)
