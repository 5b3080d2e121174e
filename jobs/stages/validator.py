"""A process in which Great Expectations is imported while the work goes on, and rules are asked afterwards.

Its import costs seconds of processor time, which a run of little data has nowhere else to spare. So this
module imports little, and functions that the process runs import the rest.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import cache, partial
from typing import TYPE_CHECKING

import polars as pl

from jobs.engine.embedded import INTERRUPTIBLE, died, started
from jobs.engine.tasks import Left, P, R, TaskDied, perform, take

if TYPE_CHECKING:
    from expectations import suites

# The validator gives way to the workers a little.
NICE = 5


@cache
def executor() -> ProcessPoolExecutor:
    """The process, started once."""
    made = started("spawn")
    atexit.register(made.shutdown, wait=False, cancel_futures=True)
    made.submit(perform, warm)
    return made


def prepare() -> None:
    """Start the process and its imports, without waiting for them."""
    executor()


def warm() -> None:
    from expectations import suites

    os.nice(NICE)
    suites.warm()


def validate(frames: Mapping[str, list[Left]]) -> tuple[list[suites.Result], list[str]]:
    """Ask the rules of each table, and of the tables against each other, of frames in staging; the results,
    and the operators whose rows break a rule."""
    return ask(answer, dict(frames))


def validate_table(table: str, frame: pl.DataFrame) -> list[suites.Result]:
    """Ask the rules of one small table."""
    return ask(answer_table, table, frame)


def ask(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """The value of a function, called in the process; in another one if that process died."""
    for _ in range(2):
        try:
            future = executor().submit(perform, partial(function, *args, **kwargs))
            while not wait([future], INTERRUPTIBLE).done:
                pass
            return future.result()
        except BrokenProcessPool:
            executor.cache_clear()
    raise TaskDied(died("validation"))


def answer_table(table: str, frame: pl.DataFrame) -> list[suites.Result]:
    from expectations import suites
    from jobs.core.contracts import contract

    return suites.validate([suites.Asked(table, frame, suites.contract_rules(table), contract(table).key)])


def answer(left: dict[str, list[Left]]) -> tuple[list[suites.Result], list[str]]:
    from expectations import domain, suites
    from jobs.core.contracts import contract, polars_schema

    frames = {}
    for table, parts in left.items():
        rows = take(parts)
        frames[table] = pl.DataFrame(schema=polars_schema(table)) if rows is None else rows
    asked = [
        suites.Asked(table, frame, suites.contract_rules(table), contract(table).key)
        for table, frame in frames.items()
    ]
    asked += [rule.asked(frames) for rule in domain.GOLD]
    results = suites.validate(asked)
    return results, sorted(suites.holders(results))
