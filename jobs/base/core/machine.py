"""Memory and cores that this process may use, and the folder for what is made on the machine."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# Keys and tools that are made once: under build/ of a clone; of an installed wheel, of the present folder.
HOME = Path(
    os.environ.get("OBSERVATORY_HOME") or (ROOT if (ROOT / "pyproject.toml").is_file() else Path()) / "build"
).absolute()
CGROUPS = Path("/sys/fs/cgroup")
LISTED = Path("/proc/self/cgroup")


def usable_cores() -> int:
    """The number of cores that this process may use: its affinity and the quotas of its cgroups."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        cores = os.cpu_count() or 1
    return max(1, min([cores, *map(math.floor, cpu_quotas())]))


def usable_memory() -> int:
    """The bytes of memory that this process may use: the machine's, or the lowest limit of its cgroups."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for folder in cgroup_folders("memory"):
        # Of version 2 and version 1.
        found = (read_text(folder / name) for name in ("memory.max", "memory.limit_in_bytes"))
        limits += [int(limit) for limit in found if limit.isdigit() and int(limit)]
    return min(limits)


def cpu_quotas() -> Iterator[float]:
    """The cores that each cgroup of this process grants, version 2 and version 1."""
    for folder in cgroup_folders("cpu"):
        quota, _, period = read_text(folder / "cpu.max").partition(" ")
        if not quota:
            quota, period = read_text(folder / "cpu.cfs_quota_us"), read_text(folder / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(period):
            yield int(quota) / int(period)


def cgroup_folders(controller: str) -> Iterator[Path]:
    """The folders of this process's cgroup and of all above it: a limit of any of them binds."""
    for line in read_text(LISTED).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = CGROUPS / controller if controllers else CGROUPS
        # In a container the path may be that of the host, which is not mounted here.
        own = top / path.lstrip("/")
        yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(top))


def read_text(file: Path) -> str:
    """The file's text without the line's end; empty if it cannot be read."""
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
