"""`make benchmark`: this pipeline beside pflogsumm and a plain DuckDB program, on one generated log.

    python -m tests.benchmark [--megabytes N] [--rounds N]

The three run in turn, as whole processes, round by round: figures are comparable within a run, not
between runs. What is printed: MB of log a second, processor seconds, peak memory of the largest process,
and ratios of medians. The fixed cost is the same run on a log of one megabyte. pflogsumm (Debian package
pflogsumm) reads the mail log only; its rate counts that log's bytes only.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
KEY = "OBSERVATORY_PSEUDONYM_KEY"
# The day that is added to a lake of thirty.
DAYS = 30
# How much larger the larger log is.
TIMES = 10


@dataclass(frozen=True)
class Timed:
    """One run of a command: wall and processor seconds, peak resident megabytes of its largest process."""

    wall: float
    cpu: float
    peak: float


def timed(command: list[str | Path], output: Path | None = None) -> Timed:
    """Run a command to its end; what it and its children used. Raises if it fails."""
    start = time.monotonic()
    environment = {**os.environ, KEY: "benchmark-key-benchmark-key-benchmark"}
    with open(output or os.devnull, "wb") as out:
        process = subprocess.Popen(
            [str(word) for word in command], stdout=out, stderr=subprocess.STDOUT, cwd=ROOT, env=environment
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} failed with {process.returncode}; see {output}")
    wall = time.monotonic() - start
    return Timed(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def generate(folder: Path, megabytes: float, days: int = 1, start: str = "2026-10-01") -> Path:
    """A log of one mail operator; its folder."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [
        sys.executable,
        "-m",
        "sample_data.generate",
        "--out",
        folder,
        "--seed",
        "11",
        "--profile",
        "benchmark",
    ]
    command += ["--days", str(days), "--start", start, "--megabytes", str(megabytes)]
    subprocess.run([str(word) for word in command], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return folder


def logs(folder: Path, name: str) -> list[Path]:
    return sorted(folder.glob(f"*/{name}*"))


def size(files: list[Path]) -> float:
    """Megabytes."""
    return sum(file.stat().st_size for file in files) / 1e6


def pipeline(folder: Path) -> Timed:
    """All of it, onto an empty lake."""
    shutil.rmtree(folder / "lake", ignore_errors=True)
    command: list[str | Path] = [sys.executable, "-m", "jobs", "run", "--config", folder / "observatory.toml"]
    return timed(command, folder / "pipeline.log")


def duckdb(folder: Path) -> Timed:
    mail, rspamd = (str(logs(folder, name)[0].parent / f"{name}*") for name in ("mail.log", "rspamd.log"))
    command = [sys.executable, "-m", "tests.duckdb_gold", mail, rspamd, folder / "duckdb"]
    return timed(command, folder / "duckdb.log")


def pflogsumm(folder: Path) -> Timed:
    return timed(["pflogsumm", *logs(folder, "mail.log")], folder / "pflogsumm.txt")


def compare(folder: Path, rounds: int) -> dict[str, list[Timed]]:
    """The programs in turn, round by round."""
    programs: dict[str, Callable[[Path], Timed]] = {"this pipeline": pipeline, "DuckDB program": duckdb}
    if shutil.which("pflogsumm"):
        programs["pflogsumm"] = pflogsumm
    runs: dict[str, list[Timed]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, program in programs.items():
            runs[name].append(program(folder))
    return runs


def shown(runs: dict[str, list[Timed]], folder: Path) -> Table:
    """Medians, and each program's wall time against this pipeline's."""
    table = Table(title=f"{size(logs(folder, '*.log')):,.0f} MB of logs, medians", title_justify="left")
    for name in ("program", "MB/s", "wall s", "CPU s", "peak MB", "wall ratio"):
        table.add_column(name, justify="left" if name == "program" else "right")
    own = statistics.median(run.wall for run in runs["this pipeline"])
    for name, times in runs.items():
        wall = statistics.median(run.wall for run in times)
        read = size(logs(folder, "mail.log" if name == "pflogsumm" else "*.log"))
        table.add_row(
            name,
            f"{read / wall:,.1f}",
            f"{wall:,.1f}",
            f"{statistics.median(run.cpu for run in times):,.1f}",
            f"{statistics.median(run.peak for run in times):,.0f}",
            f"{own / wall:.2f}",
        )
    return table


def new_day(folder: Path, megabytes: float) -> tuple[float, float]:
    """Wall seconds of one day onto an empty lake, and onto one that holds thirty days before it."""
    generate(folder, megabytes * (DAYS + 1), DAYS + 1)
    last = max(
        logs(folder, "mail.log") + logs(folder, "rspamd.log"), key=lambda file: file.stat().st_mtime
    ).parent
    newest = [last / "mail.log", last / "rspamd.log"]
    older = [file for file in (*logs(folder, "mail.log"), *logs(folder, "rspamd.log")) if file not in newest]
    aside = folder / "aside"
    aside.mkdir()
    moved = {file: aside / file.name for file in older}
    for file, place in moved.items():
        file.rename(place)
    empty = pipeline(folder).wall
    for file in newest:
        moved[file] = aside / file.name
        file.rename(moved[file])
    for file in older:
        moved[file].rename(file)
    pipeline(folder)
    for file in newest:
        moved[file].rename(file)
    config = folder / "observatory.toml"
    return empty, timed([sys.executable, "-m", "jobs", "run", "--config", config], folder / "day.log").wall


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--megabytes",
        type=float,
        default=100,
        help="size of the smaller log; the larger has ten times that (100)",
    )
    parser.add_argument("--rounds", type=int, default=3, help="runs of each program (3)")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "benchmark")
    parser.add_argument("--days", action="store_true", help="also one day onto a lake of thirty")
    arguments = parser.parse_args()
    console = Console()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not shutil.which("pflogsumm"):
        console.print("pflogsumm is not installed (Debian package pflogsumm): left out.")
    small = generate(arguments.folder / "small", 1)
    fixed = statistics.median(pipeline(small).wall for _ in range(arguments.rounds))
    console.print(f"Fixed cost (1 MB of logs): {fixed:.1f} s")
    medians = {}
    for megabytes in (arguments.megabytes, arguments.megabytes * TIMES):
        folder = generate(arguments.folder / f"{megabytes:.0f}", megabytes)
        runs = compare(folder, arguments.rounds)
        console.print(shown(runs, folder))
        medians[megabytes] = {
            name: statistics.median(run.wall for run in times) for name, times in runs.items()
        }
        read = {name: size(logs(folder, "mail.log" if name == "pflogsumm" else "*.log")) for name in runs}
        medians[-megabytes] = read
        shutil.rmtree(folder / "lake", ignore_errors=True)
    table = Table(title="At the margin, between the two sizes", title_justify="left")
    for name in ("program", "MB/s", "ratio to this pipeline"):
        table.add_column(name, justify="left" if name == "program" else "right")
    low, high = arguments.megabytes, arguments.megabytes * TIMES
    rates = {
        name: (medians[-high][name] - medians[-low][name]) / (medians[high][name] - medians[low][name])
        for name in medians[low]
    }
    for name, rate in rates.items():
        table.add_row(name, f"{rate:,.1f}", f"{rate / rates['this pipeline']:.2f}")
    console.print(table)
    grown = medians[high]["this pipeline"] / medians[low]["this pipeline"]
    console.print(f"{TIMES} times the input took this pipeline {grown:.1f} times the time")
    if arguments.days:
        empty, onto = new_day(arguments.folder / "days", arguments.megabytes / 100)
        console.print(
            f"One day onto an empty lake {empty:.1f} s, onto {DAYS} days {onto:.1f} s: {onto / empty:.2f}"
        )


if __name__ == "__main__":
    main()
