"""Pulls in a process of its own, which prints the most memory that they took and what each of them said."""

import datetime as dt
import json
import re
import sys
from pathlib import Path

from jobs.base.settings.operator import Operator, SourceSettings
from jobs.operators.ingest.pull import pull_operator


def measure_pulls(rounds: int, root: str, urls: list[str]) -> list[object]:
    sources = [SourceSettings(id=f"mx{at}", url=url, format="postfix") for at, url in enumerate(urls, 1)]
    operator = Operator(id="a", name="A", country="CHE", holding="a", currency="CHF", source=sources)
    at = dt.datetime(2026, 11, 24, 15, 0, tzinfo=dt.UTC)
    pulls = [pull_operator(operator, root, at) for _ in range(rounds)]
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return [int(peak) << 10, *((pulled.bytes, pulled.problems) for pulled in pulls)]


if __name__ == "__main__":
    print(json.dumps(measure_pulls(int(sys.argv[1]), sys.argv[2], sys.argv[3:])))
