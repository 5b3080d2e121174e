"""`make benchmark`: this pipeline beside pflogsumm, a plain DuckDB program and a raw read of the same logs.

    python -m benchmarks.speed [--megabytes SMALL LARGE] [--rounds N] [--tenfold MB] [--large] [--days [MB]]
                              [--memory SIZE] [--markdown]

The programs run in turn, as whole processes, round by round: figures are comparable within a run, not between
runs. A round before the first is not timed: it fills the page cache and samples memory.

    this pipeline   from pull to gold, onto an empty lake
    pflogsumm       Debian package pflogsumm; it reads the mail log alone, and its rate counts that log alone
    DuckDB program  benchmarks/duckdb_gold.py, gold's volumes only
    raw read        Polars reads the same bytes and counts their lines

Times are medians, with the least and the highest. The rate at the margin is the difference in megabytes
between the two sizes, divided by the difference in wall seconds: it leaves out what a run costs however small
its log is. Memory is the PSS of all of a program's processes together, sampled (tests/support/memory_of.py).
Processor seconds are those of all its processes (benchmarks/tools.py).
"""

import argparse
import math
import resource
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.tools import FOLDER, Report, Timed, generate, logs, size, spread, timed

# The lake that a day is added to.
DAYS = 30
RAW_READ = (
    "import sys, polars as pl;"
    "print(pl.scan_lines(sys.argv[1:]).select(pl.len()).collect(engine='streaming').item())"
)
PIPELINE, PFLOGSUMM, DUCKDB, RAW = "this pipeline", "pflogsumm", "DuckDB program", "raw read"
GOALS = {
    "margin": "above pflogsumm's, aim for 40 MB/s",
    "1 MB": "≤ 5 s",
    "nothing new": "≤ 1.5 s",
    "memory": "≤ 1.5 GB",
    "large memory": "≤ 2 GB",
    "tenfold": "≤ 10.5",
    "day": "≤ 1.3",
}


@dataclass(frozen=True)
class Program:
    """A program that reads a folder's logs.

    Attributes:
        reads: which of them, by name.
    """

    command: Callable[[Path], list[str | Path]]
    reads: str = "*.log"


@dataclass
class Runs:
    """Runs of one program on one size: megabytes that it read, timed runs, peak memory of a sampled one."""

    megabytes: float
    times: list[Timed] = field(default_factory=list)
    peak: float = 0

    @property
    def walls(self) -> list[float]:
        return [run.wall for run in self.times]

    @property
    def wall(self) -> float:
        return median(self.walls)

    @property
    def cpus(self) -> list[float]:
        return [run.cpu for run in self.times]


def programs() -> dict[str, Program]:
    """The programs that are installed."""
    found = {
        PIPELINE: Program(run_command),
        PFLOGSUMM: Program(lambda folder: ["pflogsumm", *logs(folder, "mail.log")], "mail.log"),
        DUCKDB: Program(
            lambda folder: [
                *(sys.executable, "-m", "benchmarks.duckdb_gold"),
                *(f"{folder}/*/{name}*" for name in ("mail.log", "rspamd.log")),
                folder / "duckdb",
            ]
        ),
        RAW: Program(lambda folder: [sys.executable, "-c", RAW_READ, *logs(folder)]),
    }
    if not shutil.which("pflogsumm"):
        del found[PFLOGSUMM]
    return found


def run_command(folder: Path, settings: str = "observatory.toml") -> list[str | Path]:
    return [sys.executable, "-m", "jobs", "run", "--config", folder / settings]


class Benchmark:
    """Runs programs on logs in a folder.

    Attributes:
        environment: what the pipeline gets beside its own.
    """

    def __init__(self, folder: Path, rounds: int, environment: dict[str, str]) -> None:
        self.folder = folder
        self.rounds = rounds
        self.environment = environment

    def run(self, name: str, program: Program, folder: Path, is_sampled: bool = False) -> Timed:
        """Run a program once; the pipeline onto an empty lake."""
        if name == PIPELINE:
            shutil.rmtree(folder / "lake", ignore_errors=True)
        output = self.folder / f"{name.replace(' ', '-')}.txt"
        return timed(program.command(folder), output, self.environment, is_sampled)

    def again(self, folder: Path) -> list[float]:
        """Wall seconds of runs that find nothing new."""
        output = self.folder / "nothing-new.txt"
        return [timed(run_command(folder), output, self.environment).wall for _ in range(self.rounds)]

    def compare(self, folder: Path, chosen: dict[str, Program]) -> dict[str, Runs]:
        """The programs in turn, round by round."""
        found = {name: Runs(size(logs(folder, program.reads))) for name, program in chosen.items()}
        for number in range(self.rounds + 1):
            for name, program in chosen.items():
                run = self.run(name, program, folder, is_sampled=not number)
                if number:
                    found[name].times.append(run)
                else:
                    found[name].peak = run.peak
        return found

    def once(self, megabytes: float) -> Runs:
        """The pipeline on logs too large for rounds: one run, timed and sampled."""
        folder = generate(self.folder / "logs", megabytes)
        run = self.run(PIPELINE, programs()[PIPELINE], folder, is_sampled=True)
        found = Runs(size(logs(folder)), [run], run.peak)
        shutil.rmtree(folder)
        return found

    def new_day(self, megabytes: float) -> tuple[list[float], list[float]]:
        """Wall seconds of one day's logs of so many MB onto an empty lake, and onto a lake of the thirty days
        before it."""
        folder = generate(self.folder / "days", megabytes * (DAYS + 1), DAYS + 1)
        text = (folder / "observatory.toml").read_text()
        # The newest day's logs have no number.
        (folder / "newest.toml").write_text(text.replace('.log*"', '.log"'))
        (folder / "older.toml").write_text(text.replace('.log*"', '.log.*"'))
        output = self.folder / "days.txt"

        def run(settings: str, lake: Path) -> float:
            own = {**self.environment, "OBSERVATORY_LAKE_ROOT": str(lake)}
            return timed(run_command(folder, settings), output, own).wall

        run("older.toml", folder / "thirty")
        empty, onto = [], []
        for _ in range(self.rounds):
            lake = folder / "lake"
            shutil.rmtree(lake, ignore_errors=True)
            empty.append(run("newest.toml", lake))
            shutil.rmtree(lake)
            shutil.copytree(folder / "thirty", lake)
            onto.append(run("observatory.toml", lake))
        shutil.rmtree(folder)
        return empty, onto


def rows_of(found: dict[str, Runs]) -> list[list[str]]:
    """One row a program."""
    own = found[PIPELINE].wall
    return [
        [
            name,
            f"{runs.megabytes:,.0f}",
            spread(runs.walls),
            f"{runs.megabytes / runs.wall:,.1f}",
            spread(runs.cpus),
            f"{runs.peak:,.0f}",
            f"{runs.wall / own:.2f}",
        ]
        for name, runs in found.items()
    ]


def margin(small: Runs, large: Runs) -> tuple[float, float]:
    """Megabytes a wall second and a processor second, between the two sizes; not a number where the larger
    size took no longer."""
    more = large.megabytes - small.megabytes
    seconds = (large.wall - small.wall, median(large.cpus) - median(small.cpus))
    wall, cpu = (more / each if each > 0 else math.nan for each in seconds)
    return wall, cpu


def figure(value: float, digits: int = 1) -> str:
    return "–" if math.isnan(value) else f"{value:,.{digits}f}"


def goal(name: str, text: str, measured: str) -> list[str]:
    return [text, GOALS[name], measured]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--megabytes", type=float, nargs=2, default=[40, 800], metavar=("SMALL", "LARGE"),
        help="the two sizes that the programs are compared on (40 800)",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=3, help="timed runs of each program (3)")
    parser.add_argument(
        "--tenfold", type=float, default=100, metavar="MB",
        help="compare a log of this size with one of ten times that; 0 leaves it out (100)",
    )  # fmt: skip
    parser.add_argument("--large", action="store_true", help="also 10 and 100 times that size, one run each")
    parser.add_argument(
        "--days", type=float, nargs="?", const=10, metavar="MB",
        help="also one day onto a lake of thirty; MB of logs a day (10)",
    )  # fmt: skip
    parser.add_argument("--memory", metavar="SIZE", help='memory of the engine, as "1GB"')
    parser.add_argument("--markdown", action="store_true", help="print the tables of docs/speed.md")
    parser.add_argument("--folder", type=Path, default=FOLDER / "pipeline")
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    report = Report(arguments.markdown)
    report.begin()
    environment = {"OBSERVATORY_ENGINE_MEMORY": arguments.memory} if arguments.memory else {}
    if arguments.memory:
        report.say(f"Memory of the engine: {arguments.memory}.")
    chosen = programs()
    if PFLOGSUMM not in chosen:
        report.say("pflogsumm is not installed (Debian package pflogsumm): left out.")
    bench = Benchmark(arguments.folder, arguments.rounds, environment)
    goals, found = compare_sizes(bench, chosen, arguments.megabytes, report)
    if arguments.tenfold:
        goals += tenfold(bench, arguments.tenfold, arguments.large, found)
    if arguments.days:
        empty, onto = bench.new_day(arguments.days)
        text = f"a day of {arguments.days:,.0f} MB onto {DAYS} days, against onto an empty lake"
        times = f"{spread(onto)} s, {spread(empty)} s"
        goals.append(goal("day", text, f"{median(onto) / median(empty):.2f} ({times})"))
    report.table("This pipeline", ["", "goal", "measured"], goals)
    shutil.rmtree(arguments.folder)


def compare_sizes(
    bench: Benchmark, chosen: dict[str, Program], sizes: list[float], report: Report
) -> tuple[list[list[str]], dict[float, Runs]]:
    """Compare the programs on 1 MB and on both sizes; rows for the goals, and the pipeline's runs by size."""
    compared: dict[float, dict[str, Runs]] = {}
    again: dict[float, list[float]] = {}
    for megabytes in sorted({1.0, *sizes}):
        folder = generate(bench.folder / "logs", megabytes)
        compared[megabytes] = bench.compare(folder, chosen)
        again[megabytes] = bench.again(folder)
        shutil.rmtree(folder)
        title = f"{megabytes:,.0f} MB of logs"
        columns = ["program", "MB read", "wall s", "MB/s", "CPU s", "peak MB", "wall, this pipeline = 1"]
        report.table(title, columns, rows_of(compared[megabytes]))
    small, large = (compared[megabytes] for megabytes in sorted(sizes))
    rates = {name: margin(small[name], large[name]) for name in chosen}
    own, _ = rates[PIPELINE]
    span = f"{min(sizes):,.0f} → {max(sizes):,.0f} MB"
    report.table(
        f"Rate at the margin, {span}",
        ["program", "MB/s", "this pipeline = 1", "MB a CPU s"],
        [[name, figure(rate), figure(rate / own, 2), figure(cpu)] for name, (rate, cpu) in rates.items()],
    )
    beside = f", {figure(own / rates[PFLOGSUMM][0], 2)} × pflogsumm's" if PFLOGSUMM in rates else ""
    peak = large[PIPELINE].peak / 1000
    goals = [
        goal("margin", f"rate at the margin, {span}", f"{figure(own)} MB/s{beside}"),
        goal("1 MB", "1 MB from start to end", f"{spread(compared[1.0][PIPELINE].walls)} s"),
        *(
            goal(
                "nothing new", f"nothing new, {megabytes:,.0f} MB on record", f"{spread(again[megabytes])} s"
            )
            for megabytes in sorted({1.0, max(sizes)})
        ),
        goal("memory", f"peak memory of all processes, {max(sizes):,.0f} MB of logs", f"{peak:.2f} GB"),
    ]
    return goals, {megabytes: runs[PIPELINE] for megabytes, runs in compared.items()}


def tenfold(bench: Benchmark, megabytes: float, is_large: bool, found: dict[float, Runs]) -> list[list[str]]:
    """Rows for the goals: how many times as long a log of ten times the size takes."""
    chosen = {PIPELINE: programs()[PIPELINE]}
    wanted = [megabytes * times for times in (1, 10, 100)[: 3 if is_large else 2]]
    rows = []
    for each in wanted:
        if each in found:
            continue
        if each > megabytes * 10:
            found[each] = bench.once(each)
        else:
            folder = generate(bench.folder / "logs", each)
            found[each] = bench.compare(folder, chosen)[PIPELINE]
            shutil.rmtree(folder)
    for low, high in zip(wanted, wanted[1:], strict=False):
        text = f"ten times the input, {low:,.0f} → {high:,.0f} MB"
        walls = f"{spread(found[low].walls)} s, {spread(found[high].walls)} s"
        rows.append(goal("tenfold", text, f"{found[high].wall / found[low].wall:.1f} ({walls})"))
    if is_large:
        peak = f"{found[wanted[-1]].peak / 1000:.2f} GB"
        text = f"peak memory of all processes, {wanted[-1]:,.0f} MB of logs"
        rows.append(goal("large memory", text, peak))
    return rows


if __name__ == "__main__":
    main()
