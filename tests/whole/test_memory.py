"""Memory that a run takes, of all its processes together: what [engine] memory says, whatever the logs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.base.engine import silver_buckets
from jobs.base.engine.embedded import Embedded
from jobs.base.engine.silver_buckets import EXPANSION
from jobs.base.store.lake import Lake
from jobs.operators.build.gold_steps import narrow_bucket_count
from tests.conftest import KEY, ROOT
from tests.support.memory_of import peak_of

MEMORY = 512_000_000
MEGABYTES = 100


@pytest.mark.long
def test_the_sampler_sees_all_processes() -> None:
    """Two processes of 100 MB each, below one of little."""
    holds = "import time; held = b'x' * 100_000_000; time.sleep(1.5)"
    code = (
        "import subprocess, sys\n"
        f"each = [subprocess.Popen([sys.executable, '-c', {holds!r}]) for _ in range(2)]\n"
        "for process in each: process.wait()\n"
    )
    peak = peak_of([sys.executable, "-c", code])
    assert 200_000_000 < peak.bytes < 260_000_000
    assert len(peak.of_process) == 3
    with pytest.raises(subprocess.CalledProcessError):
        peak_of([sys.executable, "-c", "raise SystemExit(3)"])


@pytest.mark.parametrize("workers", [1, 2])
def test_less_memory_or_more_logs_make_more_buckets(workers: int) -> None:
    sizes = [
        Embedded(workers, memory * 1_000_000).task_bytes for memory in (512, 1000, 2000, 4000, 16_000, 64_000)
    ]
    assert sizes == sorted(sizes)
    for log_bytes in (1_000_000, 100_000_000, 10_000_000_000):
        counts = [silver_buckets.bucket_count(log_bytes, size, workers) for size in sizes]
        assert counts == sorted(counts, reverse=True)
        for count, size in zip(counts, sizes, strict=True):
            # A bucket's share of the logs, as it is in memory, fits the task.
            least = 1 << 20
            assert log_bytes / count <= max(size / EXPANSION, least)
    assert [narrow_bucket_count(rows, sizes[0]) for rows in (0, 1, 10_000, 10_000_000)] == sorted(
        narrow_bucket_count(rows, sizes[0]) for rows in (0, 1, 10_000, 10_000_000)
    )


@pytest.mark.long
def test_a_run_keeps_to_its_memory(tmp_path: Path) -> None:
    generate = [sys.executable, "-m", "sample_data.generate", "--out", tmp_path, "--seed", "11"]
    generate += ["--profile", "benchmark", "--days", "1", "--megabytes", str(MEGABYTES)]
    subprocess.run([str(word) for word in generate], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    env = os.environ | {
        "OBSERVATORY_PSEUDONYM_KEY": KEY,
        "OBSERVATORY_ENGINE_MEMORY": str(MEMORY),
        "OBSERVATORY_ENGINE_WORKERS": "2",
    }
    command = [sys.executable, "-m", "jobs", "run", "--config", tmp_path / "observatory.toml"]
    peak = peak_of(command, env, tmp_path / "output", cwd=ROOT)
    print(f"{peak.bytes / 1e6:,.0f} MB at {peak.at:.1f} s: {sorted(peak.of_process.values())}")
    # Room for what this machine's libraries take more than those that the constants were measured with.
    assert peak.bytes < MEMORY * 1.1
    lake = Lake(str(tmp_path / "lake"))
    assert lake.read("bronze.file")["line_count"].sum() > 400_000
    # Each bucket writes a file of its messages: there are as many as little memory asks for.
    tight, wide = (
        silver_buckets.bucket_count(MEGABYTES * 10**6, engine.task_bytes, engine.workers)
        for engine in (Embedded(2, MEMORY), Embedded(2, 16 * MEMORY))
    )
    assert len(lake.files("silver.message")) >= tight > 2 * wide
