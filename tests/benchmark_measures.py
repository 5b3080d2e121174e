"""`make benchmark`, its third part: what each measure costs, as a share of the whole run.

    python -m tests.benchmark_measures [--megabytes N] [--rounds N]

One generated log goes through the whole pipeline in one Spark session, stage by stage; a smaller one went
before it and warmed Java up. Then each measure is done over the tables that the run left, round by round, and
nothing is written:

- definitions: gold's tables that count under every definition, with all of them and with one (goal: less than
  twice); the share is the difference.
- types, location: what Spark's workers spend in them while silver's transmissions and verdicts are computed:
  the rules on types; country, network and operator of addresses and numbers. Rules and ranges are loaded.
- campaigns: gold.campaign_daily, and what it takes to mark bulk by it.

Shares are of processor seconds, Spark's workers included: wall time on a shared machine tells more of the
others. The goal for all of silver and gold is 1.5 times the time of parsing (bronze). How fast addresses are
placed, beside DuckDB, comes last (tests/benchmark_location.py).
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from rich.console import Console
from rich.table import Table

from jobs import assembly, campaigns, config, session
from jobs.contracts import contract
from jobs.gold import bulk
from jobs.lake import Lake
from jobs.pull import pull
from jobs.runner import GOLD_DAILY, STAGES, Run, compute, read_reference, run
from tests.benchmark import KEY, ROOT, generate, logs, size

GOAL = 1.5
# The functions that silver's kernels call for a measure, by module.
WATCHED = {
    "type matching": {"jobs.protect": ["type_of_transmissions"], "jobs.rules": ["type_of_verdicts"]},
    "location": {
        "jobs.protect": ["located"],
        "jobs.location": ["country_of_numbers", "network_of"],
        "jobs.parties": ["networks_of_numbers"],
    },
}


@dataclass(frozen=True)
class Cost:
    """Wall and processor seconds."""

    wall: float
    cpu: float

    def less(self, other: Cost) -> Cost:
        return Cost(self.wall - other.wall, self.cpu - other.cpu)

    def more(self, other: Cost) -> Cost:
        return Cost(self.wall + other.wall, self.cpu + other.cpu)


def processor_seconds() -> float:
    """Processor seconds so far of this process and all that it started, Java and Spark's workers too."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name, in brackets, may hold spaces.
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        process = int(stat.parent.name)
        parents[process] = int(fields[1])
        # Own time, and that of children that ended.
        ticks[process] = sum(map(int, fields[11:15]))
    found, mine = 0, os.getpid()
    for process in ticks:
        above = process
        while above not in (mine, 0):
            above = parents.get(above, 0)
        found += ticks[process] if above == mine else 0
    return found / os.sysconf("SC_CLK_TCK")


def cost(work: Callable[[], object]) -> Cost:
    start, used = time.monotonic(), processor_seconds()
    work()
    return Cost(time.monotonic() - start, processor_seconds() - used)


def computed(frames: list[DataFrame]) -> None:
    """Every row of the frames, kept nowhere."""
    for frame in frames:
        frame.write.format("noop").mode("overwrite").save()


# --- the run -----------------------------------------------------------------------------------------


def staged(spark: Any, folder: Path) -> tuple[Run, dict[str, Cost]]:
    """Pull and run the folder's logs into an empty lake; what each stage cost."""
    shutil.rmtree(folder / "lake", ignore_errors=True)
    settings = config.load(folder / "observatory.toml", lake_root=str(folder / "lake"))
    now = dt.datetime.now(dt.UTC)
    for operator in settings.operator:
        problems = pull(operator, settings.lake.root, now).problems
        if problems:
            raise SystemExit("\n".join(problems))
    lake = Lake(spark, settings.lake.root)
    work = Run(lake, settings, list(settings.operator), f"{now:%Y%m%dT%H%M%S.%f}", say=lambda text: None)
    return work, {stage: cost(lambda stage=stage: run(work, [stage])) for stage in STAGES}  # type: ignore[misc]


# --- the measures ------------------------------------------------------------------------------------


def definitions(work: Run, message: DataFrame, count: int | None) -> list[DataFrame]:
    """The gold tables that count under definitions: all of these, or so many."""
    known = work.lake.read("ref.definition")
    if count is not None:
        some = ["OPERATOR", *sorted({row.definition_code for row in known.collect()} - {"OPERATOR"})][:count]
        known = known.filter(known.definition_code.isin(some))
    have = {"silver.message": message, "ref.definition": known}
    return [compute(work, table, have) for table in GOLD_DAILY if "ref.definition" in contract(table).reads]


def silver(work: Run, folder: Path) -> list[DataFrame]:
    """The silver tables that hold types and places, as the stage computes them. Their kernels write down, in
    the folder, what they spend in the functions that are watched."""
    lake = work.lake
    whole = assembly.assembly_kernel
    assembly.assembly_kernel = lambda *given: watched(whole(*given), str(folder))
    try:
        frames = []
        for table in ("silver.transmission", "silver.verdict"):
            bronze = [name for name in contract(table).reads if name.startswith("bronze.")]
            have = {name: lake.read(name) if lake.exists(name) else lake.local([], name) for name in bronze}
            frames.append(compute(work, table, have))
        return frames
    finally:
        assembly.assembly_kernel = whole


Batches = Iterator[pa.RecordBatch]


def watched(kernel: Callable[[Batches], Batches], folder: str) -> Callable[[Batches], Batches]:
    """The kernel with its functions watched: in the worker, where it runs."""
    functions = WATCHED

    def ran(batches: Batches) -> Batches:
        import importlib
        import time
        import uuid
        from pathlib import Path

        spent = {measure: [0.0, 0.0] for measure in functions}
        before = []

        def clocked(measure: str, function: Callable[..., Any]) -> Callable[..., Any]:
            def called(*given: Any) -> Any:
                start, used = time.monotonic(), time.process_time()
                try:
                    return function(*given)
                finally:
                    spent[measure][0] += time.monotonic() - start
                    spent[measure][1] += time.process_time() - used

            return called

        for measure, modules in functions.items():
            for name, names in modules.items():
                module = importlib.import_module(name)
                for each in names:
                    before.append((module, each, getattr(module, each)))
                    setattr(module, each, clocked(measure, getattr(module, each)))
        try:
            yield from kernel(batches)
        finally:
            for module, each, function in before:
                setattr(module, each, function)
            lines = [f"{measure}\t{wall}\t{cpu}\n" for measure, (wall, cpu) in spent.items()]
            (Path(folder) / uuid.uuid4().hex).write_text("".join(lines))

    return ran


def spent(folder: Path) -> dict[str, Cost]:
    """What the kernels wrote down, added up."""
    found = dict.fromkeys(WATCHED, Cost(0.0, 0.0))
    for line in "".join(file.read_text() for file in folder.iterdir()).splitlines():
        measure, wall, cpu = line.split("\t")
        found[measure] = found[measure].more(Cost(float(wall), float(cpu)))
    return found


def marked(work: Run, message: DataFrame, campaign: DataFrame) -> DataFrame:
    """The messages with bulk by their campaigns."""
    presets = bulk.presets(*(read_reference(work, table) for table in ("ref.bulk_preset", "ref.operator")))
    parameter = read_reference(work, "ref.campaign_parameter")
    return bulk.filled(message, message, campaign, parameter, presets, "TRUE")


def measured(work: Run, megabytes: float, rounds: int, folder: Path) -> dict[str, Cost]:
    """The median cost of each thing. The first round only warms up."""
    lake = work.lake
    session.tune(lake.spark, round(megabytes * 1e6), work.settings.spark)
    message = lake.read("silver.message").persist()
    campaign = lake.read(campaigns.TABLE).persist()
    computed([message, campaign])
    things: dict[str, Callable[[], list[DataFrame]]] = {
        "all definitions": lambda: definitions(work, message, None),
        "one definition": lambda: definitions(work, message, 1),
        "campaigns": lambda: [compute(work, campaigns.TABLE, {"silver.message": message})],
        "marked messages": lambda: [marked(work, message, campaign)],
        "messages": lambda: [message],
    }
    found: dict[str, list[Cost]] = {name: [] for name in (*things, *WATCHED)}
    for number in range(rounds + 1):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        computed(silver(work, folder))
        costs = spent(folder)
        for name, frames in things.items():
            costs[name] = cost(lambda frames=frames: computed(frames()))  # type: ignore[misc]
        for name, each in costs.items() if number else ():
            found[name].append(each)
    message.unpersist()
    campaign.unpersist()
    return {
        name: Cost(
            statistics.median(each.wall for each in costs), statistics.median(each.cpu for each in costs)
        )
        for name, costs in found.items()
    }


# --- what is printed ---------------------------------------------------------------------------------


def shown(stages: dict[str, Cost], found: dict[str, Cost], megabytes: float, count: int) -> list[Table]:
    whole = Cost(sum(each.wall for each in stages.values()), sum(each.cpu for each in stages.values()))
    table = Table(title=f"{megabytes:,.0f} MB of logs: shares of the whole run", title_justify="left")
    for name in ("what", "wall s", "CPU s", "share of CPU"):
        table.add_column(name, justify="left" if name == "what" else "right")
    rows = {
        **stages,
        "the whole run": whole,
        f"definitions: {count} less one": found["all definitions"].less(found["one definition"]),
        **{name: found[name] for name in WATCHED},
        "campaigns and bulk": found["campaigns"].more(found["marked messages"].less(found["messages"])),
    }
    for name, each in rows.items():
        table.add_row(
            name, f"{each.wall:,.2f}", f"{each.cpu:,.2f}", f"{each.cpu / whole.cpu:.2%}",
            end_section=name == "the whole run",
        )  # fmt: skip
    goals = Table(title="Against the goals", title_justify="left")
    for name in ("what", "wall", "CPU", "goal"):
        goals.add_column(name, justify="left" if name == "what" else "right")
    after = Cost(whole.wall - stages["bronze"].wall, whole.cpu - stages["bronze"].cpu)
    ratios = {
        "silver and gold, times parsing": (after, stages["bronze"], f"at most {GOAL}"),
        f"{count} definitions, times one": (found["all definitions"], found["one definition"], "less than 2"),
    }
    for name, (above, below, goal) in ratios.items():
        goals.add_row(name, f"{above.wall / below.wall:.2f}", f"{above.cpu / below.cpu:.2f}", goal)
    return [table, goals]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=float, default=100, help="size of the log (100)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, after one that warms up (3)")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "benchmark" / "measures")
    arguments = parser.parse_args()
    os.environ.setdefault(KEY, "benchmark-key-benchmark-key-benchmark")
    folder = arguments.folder
    spark = session.open_session(config.Spark(), "benchmark")
    staged(spark, generate(folder / "warm", max(1, arguments.megabytes / 20)))
    work, stages = staged(spark, generate(folder / "whole", arguments.megabytes))
    megabytes = size(logs(folder / "whole", "*.log"))
    found = measured(work, megabytes, arguments.rounds, folder / "spent")
    count = len({row.definition_code for row in work.lake.read("ref.definition").collect()})
    for table in shown(stages, found, megabytes, count):
        Console().print(table)
    spark.stop()
    shutil.rmtree(folder)
    # In a process of its own: on one core, without Java.
    subprocess.run([sys.executable, "-m", "tests.benchmark_location"], check=True)


if __name__ == "__main__":
    main()
