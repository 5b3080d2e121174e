"""`make benchmark`, its third part: where the processor time of a run goes, step by step.

    python -m benchmarks.measures [--megabytes N] [--rounds N] [--markdown]

Two generated logs, of 1 MB and of N, go through the whole pipeline in one process on one core, with the same
tasks as in the pool of processes; a run before them loads modules, rules and ranges. The functions of each
step are clocked: processor seconds of a step leave out those of other steps that it calls. The margin is the
difference between the two logs.

The second table is about gold's definitions: the task that counts, with all definitions and with one (goal:
less than twice). How many addresses a second are placed, beside DuckDB, comes last
(benchmarks/location.py).
"""

import argparse
import datetime as dt
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

# Polars reads it once, when it is imported.
os.environ["POLARS_MAX_THREADS"] = "1"

import polars as pl

from benchmarks.tools import FOLDER, KEY, Report, generate, logs, size
from jobs.base.engine.embedded import Inline
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import read_contract, reference_table
from jobs.operators.build import gold_tasks
from jobs.operators.build.gold_steps import GOLD_DAILY
from jobs.operators.build.run import Run
from jobs.operators.build.settings_tables import read_reference
from jobs.operators.ingest import pull
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.runs import runner
from jobs.operators.runs.runner import run_stages

GOAL = 2
REST = "steering and the rest"
# The functions of each step, as module:function or module:Class.method.
STEPS = {
    "pull": ["jobs.operators.ingest.pull:pull_operator"],
    "parse": ["jobs.operators.build.bronze_tasks:parse_ranges"],
    "assemble": [
        f"jobs.operators.silver.steps:{name}" for name in ("split_bronze", "settle_held", "assemble_bucket")
    ],
    "protect": [
        f"jobs.operators.protect.pseudonyms:pseudonymise_{name}"
        for name in ("transmissions", "verdicts", "complaints", "authentication_reports", "facts")
    ],
    "types and measures": [
        "jobs.operators.protect.refusal_types:type_of_transmissions",
        *(f"jobs.operators.protect.message_types:{name}" for name in ("type_of_verdicts", "type_of_texts")),
        *(
            f"jobs.operators.protect.countermeasures:{name}"
            for name in ("countermeasure_of_refusals", "countermeasure_of_verdicts")
        ),
    ],
    "places": [
        "jobs.operators.protect.addresses:locate_addresses",
        "jobs.operators.protect.location:country_of_numbers",
        "jobs.operators.protect.location:find_networks",
        "jobs.operators.protect.parties:networks_of_numbers",
    ],
    "message": [
        f"jobs.operators.silver.steps:{name}"
        for name in (
            *("link_hops", "route_verdicts", "forward_rows", "open_messages"),
            *("follow_refusals", "keep_refusals"),
        )
    ],
    "checks and checksums": [
        "jobs.operators.build.checks:check_rows",
        "jobs.base.tables.checksum:fingerprint_periods",
    ],
    "files and staging": [
        *(f"jobs.base.store.table_files:{name}" for name in ("read_files", "write_files")),
        *(f"jobs.base.engine.tasks:{name}" for name in ("leave_frame", "take_frames")),
    ],
    "commits": [
        f"jobs.base.store.lake:Lake.{name}"
        for name in ("append", "replace", "rewrite", "add_files", "replace_periods")
    ],
    "gold: counts": [
        *(
            f"jobs.operators.build.gold_tasks:{name}"
            for name in ("count_messages", "finish_table", "write_periods")
        ),
        "jobs.operators.build.gold_steps:Steps.compute_monthly",
    ],
    "gold: campaigns and bulk": [
        f"jobs.operators.build.gold_tasks:{name}"
        for name in (
            *("leave_signatures", "leave_members", "leave_campaigns"),
            *("leave_texts", "leave_evidence"),
        )
    ],
    "gold: bypass": [
        f"jobs.operators.build.gold_tasks:{name}" for name in ("leave_contacts", "leave_behaviour")
    ],
    "validation": ["jobs.operators.build.gold_tasks:check_table"],
}


class Clock:
    """Processor seconds of each step, without those of other steps that it calls."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._steps = [REST]
        self._since = time.process_time()

    def turn(self) -> None:
        """Add the seconds since the last turn to the step that runs."""
        now = time.process_time()
        self.spent[self._steps[-1]] += now - self._since
        self._since = now

    def read(self) -> dict[str, float]:
        """The seconds of each step since the last reading."""
        self.turn()
        found = dict(self.spent)
        self.spent.clear()
        return found

    def clocked(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def called(*given: Any, **named: Any) -> Any:
            self.turn()
            self._steps.append(step)
            try:
                return function(*given, **named)
            finally:
                self.turn()
                self._steps.pop()

        return called

    def watch(self) -> None:
        """Clock the functions of all steps, in every module that has imported them, from now on."""
        for step, names in STEPS.items():
            for name in names:
                module, _, path = name.partition(":")
                owner: Any = importlib.import_module(module)
                *above, last = path.split(".")
                for part in above:
                    owner = getattr(owner, part)
                function = getattr(owner, last)
                replace(owner, last, function, self.clocked(step, function))


def replace(owner: Any, name: str, function: Any, other: Any) -> None:
    """Put another function in the place of one, wherever the project's modules have it."""
    setattr(owner, name, other)
    for module in [each for known, each in sys.modules.items() if known.split(".")[0] == "jobs"]:
        for alias in [alias for alias, value in vars(module).items() if value is function]:
            setattr(module, alias, other)
        for table in [value for value in vars(module).values() if isinstance(value, dict)]:
            table.update({key: other for key, value in table.items() if value is function})


def use_one_process() -> None:
    """Do in this process what a run gives to others."""
    runner.engine_of = lambda *_: Inline()


def whole_run(folder: Path, megabytes: float) -> Run:
    """Pull and run generated logs into an empty lake."""
    generate(folder, megabytes)
    settings = load_with_options(folder / "observatory.toml", lake_root=str(folder / "lake"))
    now = dt.datetime.now(dt.UTC)
    lake, run_id = Lake(settings.lake.root), f"{now:%Y%m%dT%H%M%S.%f}"
    work = Run(lake, settings, list(settings.operator), run_id, report_step=lambda text: None)
    for operator in settings.operator:
        # By its module, where a clock may have taken its place.
        problems = pull.pull_operator(operator, settings.lake.root, now).problems
        if problems:
            raise SystemExit("\n".join(problems))
    run_stages(work)
    return work


def counting_seconds(work: Run, definitions: pl.DataFrame) -> float:
    """Processor seconds of the task that counts, over all messages under these definitions."""
    messages = work.lake.files(gold_tasks.MESSAGE, work.lake.versions()[gold_tasks.MESSAGE])
    operator = read_reference(work.settings, "ref.operator")
    tables = [
        table
        for table in GOLD_DAILY
        if table not in (gold_tasks.CAMPAIGN, gold_tasks.BYPASS)
        and "ref.definition" in read_contract(table).reads
    ]

    def chosen(table: str) -> pl.DataFrame:
        return definitions if table == "ref.definition" else reference_table(table)

    with mock.patch.object(gold_tasks, "reference_table", chosen), tempfile.TemporaryDirectory() as staging:
        start = time.process_time()
        gold_tasks.count_messages(
            staging=staging, tables=tables, files=messages, proved=[], behaviours=[], operator=operator
        )
        return time.process_time() - start


def definition_rows(work: Run, rounds: int) -> list[list[str]]:
    """Return the time that all definitions take beside one: medians, after a round that warms up."""
    known = reference_table("ref.definition")
    codes = sorted(set(known["definition_code"]) - {"OPERATOR"})
    sets = {len(codes) + 1: known, 1: known.filter(pl.col("definition_code") == "OPERATOR")}
    taken: dict[int, list[float]] = {count: [] for count in sets}
    for number in range(rounds + 1):
        for count, definitions in sets.items():
            seconds = counting_seconds(work, definitions)
            if number:
                taken[count].append(seconds)
    medians = {count: median(times) for count, times in taken.items()}
    return [
        [f"{count} definition{'s' if count > 1 else ''}", f"{each:.2f}", f"{each / medians[1]:.2f}"]
        for count, each in medians.items()
    ]


def step_rows(small: dict[str, float], large: dict[str, float], megabytes: float) -> list[list[str]]:
    """One row a step, and the whole run.

    Args:
        megabytes: the difference between the two logs.
    """
    steps = [step for step in (*STEPS, REST) if large.get(step)]
    seconds = {step: (small.get(step, 0), large[step]) for step in steps}
    seconds["the whole run"] = (sum(small.values()), sum(large.values()))
    more = {step: (high - low) / megabytes * 1000 for step, (low, high) in seconds.items()}
    return [
        [
            step,
            f"{low:,.2f}",
            f"{high:,.2f}",
            f"{more[step]:,.1f}",
            f"{more[step] / more['the whole run']:.0%}",
        ]
        for step, (low, high) in seconds.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=float, default=100, help="size of the log (100)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, after one that warms up (3)")
    parser.add_argument("--markdown", action="store_true", help="print the tables of docs/speed.md")
    parser.add_argument("--folder", type=Path, default=FOLDER / "measures")
    arguments = parser.parse_args()
    os.environ.update(KEY)
    report = Report(arguments.markdown)
    report.begin()
    folder = arguments.folder
    use_one_process()
    whole_run(folder / "small", 1)
    clock = Clock()
    clock.watch()
    whole_run(folder / "small", 1)
    small = clock.read()
    work = whole_run(folder / "large", arguments.megabytes)
    large = clock.read()
    megabytes = [size(logs(folder / name)) for name in ("small", "large")]
    report.table(
        f"{megabytes[0]:,.0f} and {megabytes[1]:,.0f} MB of logs, in one process",
        ["step", "CPU s, small", "CPU s, large", "CPU ms per MB at the margin", "share of it"],
        step_rows(small, large, megabytes[1] - megabytes[0]),
    )
    report.table(
        f"Counting under definitions (goal: less than {GOAL} times one)",
        ["definitions", "CPU s", "one = 1"],
        definition_rows(work, arguments.rounds),
    )
    shutil.rmtree(folder)
    # In a process of its own, whose memory holds no lake.
    command = [sys.executable, "-m", "benchmarks.location"]
    subprocess.run(command + ["--markdown"] * arguments.markdown, check=True)


if __name__ == "__main__":
    main()
