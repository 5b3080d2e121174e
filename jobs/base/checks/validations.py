"""The latest result of each rule: every run keeps its results, and some runs check only some of the rules."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from expectations.native import Result
from jobs.base.core.errors import ValidationHeld
from jobs.base.store.lake import Lake

FOLDER = "_validation"
# The results that Great Expectations keeps: validations/<layer>/<table>/<run>/<time>/<batch>.json.
EVALUATED = f"{FOLDER}/great_expectations"


def latest_results(lake: Lake, operators: Iterable[str]) -> list[Result]:
    """One result a rule: of each operator's rows the last one that was checked of them.

    A result's operators are those whose rows break the rule, its sources those of them that wait alone.
    """
    mine = set(operators)
    settled: set[tuple[str, str]] = set()
    found: dict[tuple[str, str], Result] = {}
    for _, run in newest_first(lake):
        checked = mine & set(run.operators)
        for each in run.results:
            breaks = {
                name
                for name in breaking_operators(each, mine) & checked
                if (name, checked_part(each)) not in settled
            }
            if not each.is_held and not breaks:
                continue
            rule = (each.table, each.rule)
            known = found.setdefault(rule, replace(each, operators=[], sources=[]))
            if breaks:
                sources = {name for name in each.sources if name.split("/", 1)[0] in breaks}
                found[rule] = replace(
                    each,
                    operators=sorted({*known.operators, *breaks}),
                    sources=sorted({*known.sources, *sources}),
                )
        settled |= {(name, checked_part(each)) for name in checked for each in run.results}
    return list(found.values())


def superseded_files(lake: Lake) -> list[str]:
    """The files in which nothing stands any more: all that they say was checked again since. See decision
    100."""
    settled: set[tuple[str, str]] = set()
    found = []
    for file, run in newest_first(lake):
        checked = {(name, checked_part(each)) for name in run.operators for each in run.results}
        found += [file] if checked <= settled else []
        settled |= checked
    return found


def superseded_evaluations(lake: Lake) -> list[str]:
    """The files of Great Expectations' results whose suite was evaluated again since, on whichever rows."""
    of_suite: dict[tuple[str, ...], list[str]] = {}
    fs, folder = lake.own_file(f"{EVALUATED}/validations")
    for file in fs.glob(f"{folder}/*/*/*/*/*.json"):
        of_suite.setdefault(tuple(file.split("/")[-5:-3]), []).append(file)
    # The folder of a run's time sorts as time does.
    ordered = (sorted(files, key=lambda file: file.split("/")[-2]) for files in of_suite.values())
    return [file for files in ordered for file in files[:-1]]


@dataclass(frozen=True)
class Checked:
    """A file of results: the operators whose rows were checked, and the results."""

    operators: list[str]
    results: list[Result]


def newest_first(lake: Lake) -> Iterator[tuple[str, Checked]]:
    """The files of runs with what they hold, the newest first."""
    fs, folder = lake.own_file(FOLDER)
    for file in sorted(fs.glob(f"{folder}/*.json"), reverse=True):
        kept = json.loads(fs.cat_file(file))
        yield file, Checked(kept["operators"], [Result(**each) for each in kept["results"]])


def checked_part(result: Result) -> str:
    """Return the part that is checked as a whole, whichever of its rules are kept: a table of gold, or all of
    silver, whose rules are kept where they are broken, beside those of the ledger."""
    return result.table if result.table.startswith("gold.") else "silver"


def breaking_operators(result: Result, operators: set[str]) -> set[str]:
    """The operators whose rows break a rule; all of them where the rows have none."""
    if result.is_held:
        return set()
    named = set(result.operators) - {""}
    return named or operators


def rule_counts(results: Iterable[Result]) -> list[tuple[str, int, int]]:
    """Count, by table, the rules that were checked and those that are broken."""
    counts: dict[str, tuple[int, int]] = {}
    for each in results:
        rules, broken = counts.get(each.table, (0, 0))
        counts[each.table] = rules + 1, broken + (not each.is_held)
    return [(table, *both) for table, both in sorted(counts.items())]


def refuse_broken(results: Iterable[Result], consequence: str) -> None:
    """Raise ValidationHeld that names each broken rule, if one is broken.

    Args:
        consequence: what does not happen therefore.
    """
    lines = [
        f"{each.table}: expectation {each.rule} is broken on {each.violations:,}"
        f" row{'' if each.violations == 1 else 's'}. It says: {each.says}."
        for each in results
        if not each.is_held
    ]
    if lines:
        raise ValidationHeld("\n".join([*lines, consequence]))
