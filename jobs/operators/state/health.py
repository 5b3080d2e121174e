"""The messages of `observatory_health`, for people to read, from the rows of `status --json`.

Airflow imports this module in an environment that may have none of the pipeline's packages.
"""

from collections.abc import Callable, Sequence
from typing import TypedDict

from jobs.base.core.numbers import format_noun


class HealthRule(TypedDict):
    """A broken rule of a source, as jobs/operators/state/sources.py has it.

    Attributes:
        rows: how many break it.
    """

    table: str
    rule: str
    text: str
    rows: int
    is_of_source: bool


class HealthJump(TypedDict):
    """A day unlike the same weekdays before, as far as messages need it.

    Attributes:
        text: a sentence without its end.
    """

    text: str


class HealthProblem(TypedDict):
    """A PackageProblem of jobs/operators/packages/deliveries.py as JSON."""

    text: str
    step: str


class HealthRow(TypedDict):
    """One source of `observatory status --json`, as far as messages need it. Times are in ISO 8601."""

    operator: str
    source: str
    last_record: str | None
    stale_days: float
    is_stale: bool
    missing_days: list[str]
    held_rules: list[HealthRule]
    jumps: list[HealthJump]
    package_problems: list[HealthProblem]
    next_step: str | None


def stale_sources(rows: Sequence[HealthRow]) -> list[str]:
    """A line for each source whose last record is too old."""
    return [
        f"{source_name(row)}: {last_record(row)}, and {format_noun(row['stale_days'], 'day')} is the most"
        " that it may be old."
        f"{format_next_step(row)}"
        for row in rows
        if row["is_stale"]
    ]


def missing_days(rows: Sequence[HealthRow]) -> list[str]:
    """A line for each source without records of days that lie between others with records."""
    return [
        f"{source_name(row)}: no record of {', '.join(row['missing_days'])}. Bring the logs of"
        f" {'this day' if len(row['missing_days']) == 1 else 'these days'} to the source's folder, then"
        f" `observatory run --operator {row['operator']}`."
        for row in rows
        if row["missing_days"]
    ]


def held_validations(rows: Sequence[HealthRow]) -> list[str]:
    """A line for each broken rule: of each operator, or of each source that it holds back alone."""
    broken = {
        (source_name(row) if rule["is_of_source"] else row["operator"], rule["table"], rule["rule"]): (
            rule,
            row,
        )
        for row in rows
        for rule in row["held_rules"]
    }
    return [
        f"{who}: {'what is new waits' if rule['is_of_source'] else f'{table} stays as it was'}:"
        f" rule {rule_name} is broken on {rule['rows']:,}"
        f" row{'' if rule['rows'] == 1 else 's'}. It says: {rule['text'].rstrip('.')}.{format_next_step(row)}"
        for (who, table, rule_name), (rule, row) in sorted(broken.items(), key=lambda item: item[0])
    ]


def list_jumps(rows: Sequence[HealthRow]) -> list[str]:
    """A line for each day of an operator whose traffic or share of spam is far from what is usual."""
    found = {(row["operator"], *jump.values()): (row, jump) for row in rows for jump in row["jumps"]}
    return [
        f"{row['operator']}: {jump['text']}. If its logs are complete, `observatory report` shows why."
        for row, jump in found.values()
    ]


def list_package_problems(rows: Sequence[HealthRow]) -> list[str]:
    """A line for each package that was refused, waits for an answer, or is overdue."""
    found = [problem for row in rows for problem in row["package_problems"]]
    return list(dict.fromkeys(f"{each['text'].rstrip('.')}. {each['step']}." for each in found))


# By the name of its task: the check, and the heading of its text.
CHECKS: dict[str, tuple[Callable[[Sequence[HealthRow]], list[str]], str]] = {
    "stale_sources": (stale_sources, "Sources that send nothing new"),
    "missing_days": (missing_days, "Days without records"),
    "jumps": (list_jumps, "Days unlike the same weekdays before"),
    "held_validations": (held_validations, "Validations that hold tables back"),
    "packages": (list_package_problems, "Packages that the study lacks"),
}


def format_check(check: str, rows: Sequence[HealthRow]) -> str:
    """The text of a check: a heading and a line for each thing; empty where nothing is wrong."""
    look, heading = CHECKS[check]
    lines = look(rows)
    return "\n".join([f"{heading}: {len(lines)}", *(f"- {line}" for line in lines)]) if lines else ""


def source_name(row: HealthRow) -> str:
    return f"{row['operator']}/{row['source']}"


def last_record(row: HealthRow) -> str:
    """The time of the newest record, to the minute: 2026-11-24T23:30:00+00:00 as 2026-11-24 23:30 UTC."""
    last = row["last_record"]
    return f"the last record is of {last[:16].replace('T', ' ')} UTC" if last else "there is no record"


def format_next_step(row: HealthRow) -> str:
    """The next step, as a sentence of its own."""
    return f" {row['next_step'].rstrip('.')}." if row["next_step"] else ""
