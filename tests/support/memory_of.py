"""Memory of a program and of all processes that it starts, sampled while it runs.

    python -m tests.support.memory_of COMMAND…

PSS (proportional set size) counts a page that n processes share as 1/n of a page in each, so that the sum
over a tree of processes is the memory of the tree. The kernel has it in /proc/<pid>/smaps_rollup. Between two
samples memory may be higher: peaks are lower bounds.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

EVERY = 0.05
PROC = Path("/proc")


@dataclass
class Peak:
    """The highest sum of PSS over a tree of processes, in bytes, and what each process had then.

    Attributes:
        samples: what each process had at each sample, with its time.
    """

    bytes: int = 0
    at: float = 0.0
    of_process: dict[int, int] = field(default_factory=dict)
    samples: list[tuple[float, dict[int, int]]] = field(default_factory=list)

    def add(self, of_process: Mapping[int, int], now: float) -> None:
        total = sum(of_process.values())
        self.samples.append((now, dict(of_process)))
        if total > self.bytes:
            self.bytes, self.at, self.of_process = total, now, dict(of_process)


def children() -> dict[int, list[int]]:
    """The processes of this machine by their parent."""
    found: dict[int, list[int]] = {}
    for folder in PROC.glob("[0-9]*"):
        try:
            # The name, in brackets, may hold spaces.
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        found.setdefault(parent, []).append(int(folder.name))
    return found


def tree_of(pid: int) -> list[int]:
    """The process and all below it."""
    below = children()
    found = [pid]
    for each in found:
        found += below.get(each, [])
    return found


def pss_of(pid: int) -> int:
    """The process's PSS in bytes; 0 of one that has ended."""
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def memory_of(pid: int) -> dict[int, int]:
    """PSS in bytes of the process and of each below it."""
    return {each: pss for each in tree_of(pid) if (pss := pss_of(each))}


@contextmanager
def sampled(pid: int, every: float = EVERY) -> Iterator[Peak]:
    """The peak of a running process and of all below it, while this lasts."""
    peak, ended = Peak(), threading.Event()
    start = time.monotonic()

    def sample() -> None:
        while not ended.wait(every):
            peak.add(memory_of(pid), time.monotonic() - start)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def peak_of(
    command: Sequence[str | Path],
    env: Mapping[str, str] | None = None,
    output: Path | None = None,
    every: float = EVERY,
    cwd: Path | None = None,
) -> Peak:
    """Run a command to its end; the peak of its processes. Raises CalledProcessError if it fails."""
    words = [str(word) for word in command]
    with open(output or os.devnull, "wb") as out:
        process = subprocess.Popen(words, env=env, stdout=out, stderr=subprocess.STDOUT, cwd=cwd)
        with sampled(process.pid, every) as peak:
            code = process.wait()
    if code:
        raise subprocess.CalledProcessError(code, words)
    return peak


if __name__ == "__main__":
    found = peak_of(sys.argv[1:])
    print(f"{found.bytes / 1e6:,.0f} MB at {found.at:.1f} s of {found.samples[-1][0]:.1f} s")
    for process, size in sorted(found.of_process.items()):
        most = max(each.get(process, 0) for _, each in found.samples)
        print(f"  process {process}: {size / 1e6:,.0f} MB, at most {most / 1e6:,.0f}")
