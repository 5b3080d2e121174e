"""Functions that the benchmarks share: logs, timed processes, a description of the machine, tables."""

import contextlib
import ctypes
import datetime as dt
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jobs.base.core import machine
from tests.support.memory_of import children, sampled

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "benchmark"
KEY = {"OBSERVATORY_PSEUDONYM_KEY": "benchmark-key-benchmark-key-benchmark"}
# Above this load a core, other programs take so much time that figures mean little.
BUSY = 0.5
# prctl's number for "orphans below this process become its children".
SUBREAPER = 36


@dataclass(frozen=True)
class Timed:
    """One run of a command: wall seconds, and processor seconds of all its processes.

    Attributes:
        peak: the most memory that all its processes had at once, in MB, as sampled PSS; 0 without samples.
    """

    wall: float
    cpu: float
    peak: float = 0


def timed(
    command: Sequence[str | Path],
    output: Path,
    environment: Mapping[str, str] | None = None,
    is_sampled: bool = False,
) -> Timed:
    """Run a command to its end. Raises SystemExit if it fails.

    Processor seconds are those that the kernel adds up for ended children. A command does not wait for
    the processes that its fork server started: as orphans they become children of this process, which does.
    Sampling memory takes processor time beside the command: wall seconds of such a run are higher.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    output.parent.mkdir(parents=True, exist_ok=True)
    others = own_children()
    before = children_cpu()
    start = time.monotonic()
    with output.open("wb") as out:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            # Compiled modules are kept, as on any user's machine.
            env={**os.environ, **KEY, "PYTHONDONTWRITEBYTECODE": "", **(environment or {})},
        )
        with sampled(process.pid) if is_sampled else contextlib.nullcontext() as peak:
            code = process.wait()
            wall = time.monotonic() - start
    if code:
        raise SystemExit(f"{' '.join(map(str, command[:4]))} failed with {code}; see {output}")
    while own := own_children() - others:
        for pid in own:
            os.waitpid(pid, 0)
    return Timed(wall, children_cpu() - before, peak.bytes / 1e6 if peak else 0)


def own_children() -> set[int]:
    return set(children().get(os.getpid(), ()))


def children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def generate(folder: Path, megabytes: float, days: int = 1, profile: str = "benchmark") -> Path:
    """Write Postfix and Rspamd logs of one operator, and settings for them, to a folder; the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "sample_data.generate", "--out", folder, "--profile", profile]
    command += ["--seed", 11, "--start", "2026-10-01", "--days", days, "--megabytes", megabytes]
    subprocess.run([str(word) for word in command], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return folder


def logs(folder: Path, name: str = "*.log") -> list[Path]:
    return sorted(folder.glob(f"*/{name}*"))


def size(files: Sequence[Path]) -> float:
    """Megabytes: a megabyte is a million bytes."""
    return sum(file.stat().st_size for file in files) / 1e6


def cores() -> int:
    return machine.usable_cores()


def described() -> str:
    """The machine, in one sentence."""
    names = [
        line.split(":", 1)[1].strip()
        for line in lines_of(Path("/proc/cpuinfo"))
        if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{dt.date.today():%-d %B %Y}, {cores()} cores ({names[0] if names else platform.machine()}), "
        f"{memory:.0f} GB of memory, Python {platform.python_version()}, "
        f"load at start {os.getloadavg()[0]:.1f}"
    )


def lines_of(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.is_file() else []


def warning() -> str | None:
    """A warning where other programs keep the machine busy."""
    load = os.getloadavg()[0] / cores()
    if load <= BUSY:
        return None
    return f"The load is {load:.1f} a core before the benchmark starts: figures mean little."


def spread(values: Sequence[float], digits: int = 1) -> str:
    """The median, with the least and the highest value where there are several."""
    text = f"{statistics.median(values):,.{digits}f}"
    if len(values) == 1:
        return text
    return f"{text} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


class Report:
    """Prints text and tables: for a terminal, or as Markdown."""

    def __init__(self, is_markdown: bool) -> None:
        self.is_markdown = is_markdown
        self.console = Console()

    def begin(self) -> None:
        """Describe the machine, and warn if it is busy."""
        self.say(f"Measured on a {'loaded' if warning() else 'quiet'} machine: {described()}.")
        if text := warning():
            print(text, file=sys.stderr)

    def say(self, text: str) -> None:
        if self.is_markdown:
            print(f"{text}\n", flush=True)
        else:
            self.console.print(text, highlight=False)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table whose first column is text and whose others are figures."""
        if self.is_markdown:
            marks = ["---", *("---:" for _ in columns[1:])]
            written = [f"| {' | '.join(row)} |" for row in (columns, marks, *rows)]
            print(f"{title}\n", *written, "", sep="\n", flush=True)
            return
        table = Table(title=title, title_justify="left")
        for place, name in enumerate(columns):
            table.add_column(name, justify="right" if place else "left")
        for row in rows:
            table.add_row(*row)
        self.console.print(table)
