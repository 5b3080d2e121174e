"""Time for which the settings keep logs and records, and the bytes that the next vacuum would remove."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from jobs.base.core.numbers import format_bytes
from jobs.base.settings.config import Observatory
from jobs.base.store.lake import Lake
from jobs.base.store.record import utc_now
from jobs.operators.keep.retention import ALL_OPERATORS, needed_days, plan_retention
from jobs.operators.keep.vacuum import TABLE

LAYERS = ("landing", "bronze", "silver")


@dataclass(frozen=True)
class Retained:
    """The days kept of an operator, as `status --json` prints them; fields: docs/operator-reference.md.

    Attributes:
        landing, bronze, silver: days before the newest one that stay, by the settings or because open days
            are computed from them.
        removed_at: when a vacuum last removed something.
        due_bytes: bytes of the operator that the next one removes.
        due_of_all_bytes: and of all operators together, as earlier versions of tables.
    """

    landing: int
    bronze: int
    silver: int
    removed_at: dt.datetime | None
    due_bytes: int
    due_of_all_bytes: int


def read_retained(lake: Lake, settings: Observatory, operators: Iterable[str]) -> dict[str, Retained]:
    """The days that an operator's logs and records are kept, and what a vacuum would remove, by operator."""
    chosen, days = list(operators), settings.retention
    found = needed_days(lake, settings)
    open_days = settings.lake.open_days

    def back_to(operator: str, layer: str) -> int:
        """The days from the newest one back to the first that is still needed."""
        if operator not in found:
            return 0
        return open_days + (found[operator].closed - getattr(found[operator], layer)).days

    removed = lake.read(TABLE, columns=["operator_id", "removed_at"])
    last = dict(removed.group_by("operator_id").agg(pl.col("removed_at").max()).rows())
    due: dict[str, int] = {}
    for each in plan_retention(lake, settings, chosen, (settings.lake.read_at or utc_now()).date()).removals:
        due[each.operator_id] = due.get(each.operator_id, 0) + each.bytes
    return {
        name: Retained(
            max(days.landing, back_to(name, "closed")),
            max(days.bronze, back_to(name, "bronze")),
            max(days.silver, back_to(name, "silver")),
            max((last[each] for each in (name, ALL_OPERATORS) if each in last), default=None),
            due.get(name, 0),
            due.get(ALL_OPERATORS, 0),
        )
        for name in chosen
    }


def describe_retained(retained: Sequence[Retained], settings: Observatory) -> list[str]:
    """The days kept of several operators, as sentences.

    Args:
        retained: one for each of them.
    """
    one, own = retained[0], settings.retention
    kept = {name: max(getattr(each, name) for each in retained) for name in LAYERS}
    longer = [f"{name} {getattr(own, name)}" for name in LAYERS if kept[name] > getattr(own, name)]
    why = (
        f" [retention] says {', '.join(longer)}, but days that are open ([lake] open_days ="
        f" {settings.lake.open_days}) are computed from more."
        if longer
        else ""
    )
    times = [each.removed_at for each in retained if each.removed_at]
    due = sum(each.due_bytes for each in retained) + one.due_of_all_bytes
    before = f"last removed something on {max(times):%Y-%m-%d}" if times else "has removed nothing yet"
    then = f"would now remove {format_bytes(due)}" if due else "has nothing to remove now"
    return [
        f"Days: {', '.join(f'{name} {days}' for name, days in kept.items())}; gold stays.{why}",
        f"`observatory vacuum` {before}, and {then}.",
    ]
