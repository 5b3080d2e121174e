"""Layouts of logs that once made a run take out of proportion: `python -m benchmarks.layouts`.

    python -m benchmarks.layouts [--amavis MB…] [--files N] [--runs N] [--memory SIZE] [--beside CLONE]
                                 [--markdown]

    --amavis   logs of a mail server whose mail passes Amavis and comes back under another queue id
    --files    so many small files: lines of one mail log cut into files, and as many DMARC reports
    --runs     so many runs, each five minutes of the same log later, with `observatory vacuum` after every
               288; then the same lake with the records of thirty times as many runs

What is not named is left out. --beside names a clone of another version with its own .venv, which is measured
in turn with this one: figures are comparable within a run only.
"""

from __future__ import annotations

import argparse
import datetime as dt
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import polars as pl

from benchmarks.tools import FOLDER, ROOT, Report, Timed, generate, logs, size, timed
from jobs.base.store.lake import Lake

RUNS_OF_A_DAY = 288
DAYS = 30
REPORT = ROOT / "tests" / "data" / "reports" / "rfc7489.xml"
LAYERS = ("bronze", "silver", "gold", "meta")


@dataclass(frozen=True)
class Version:
    """A version of the project: its name in tables, and the Python that has it."""

    name: str
    python: str

    def command(self, *words: str | Path) -> list[str | Path]:
        # -P: the folder that it is called in is this version's.
        return [self.python, "-P", "-m", "jobs", *words]


class Benchmark:
    """Runs of versions on logs in a folder.

    Attributes:
        environment: what the pipeline gets beside its own.
    """

    def __init__(self, folder: Path, versions: list[Version], environment: dict[str, str]) -> None:
        self.folder, self.versions, self.environment = folder, versions, environment

    def once(self, version: Version, logs: Path, is_sampled: bool = False) -> tuple[Timed, float]:
        """A run onto an empty lake, and the seconds that silver took of it."""
        shutil.rmtree(logs / "lake", ignore_errors=True)
        output = self.folder / "run.txt"
        command = version.command("run", "--config", logs / "observatory.toml")
        run = timed(command, output, self.environment, is_sampled)
        found = re.search(r"^silver .* in ([\d:.]+)(?: s)?$", output.read_text(), re.MULTILINE)
        return run, seconds(found[1]) if found else 0.0

    def amavis(self, sizes: list[float], report: Report) -> None:
        """A row for each size and version: times, peak memory, and times beside those of the first size."""
        rows, first = [], dict[str, tuple[float, float, float]]()
        for megabytes in sizes:
            folder = generate(self.folder / "amavis", megabytes, profile="amavis")
            read = size(logs(folder))
            for version in self.versions:
                run, silver = self.once(version, folder, is_sampled=True)
                start = first.setdefault(version.name, (read, run.wall, silver or 0.1))
                rows.append(
                    [
                        version.name,
                        f"{read:,.0f}",
                        f"{run.wall:,.1f}",
                        f"{silver:,.1f}",
                        f"{run.cpu:,.1f}",
                        f"{run.peak:,.0f}",
                        *(
                            f"{each / one:,.1f}"
                            for each, one in zip((read, run.wall, silver), start, strict=True)
                        ),
                    ]
                )
            shutil.rmtree(folder)
        columns = [
            "version",
            "MB",
            "wall s",
            "silver s",
            "CPU s",
            "peak MB",
            "MB, first = 1",
            "wall",
            "silver",
        ]
        report.table("Mail that passes Amavis", columns, rows)

    def files(self, count: int, report: Report) -> None:
        """A row for each kind of file and version."""
        rows = []
        for kind in ("lines of a mail log", "DMARC reports"):
            folder = self.folder / "files"
            (small_logs if kind == "lines of a mail log" else reports)(folder, count)
            megabytes = sum(path.stat().st_size for path in folder.rglob("*.small")) / 1e6
            for version in self.versions:
                run, _ = self.once(version, folder)
                rows.append([version.name, kind, f"{megabytes:,.1f}", f"{run.wall:,.1f}", f"{run.cpu:,.1f}"])
            shutil.rmtree(folder)
        report.table(f"{count:,} small files", ["version", "files", "MB", "wall s", "CPU s"], rows)

    def runs(self, count: int, report: Report) -> None:
        """A row for each version: runs five minutes apart, and what they leave."""
        rows = []
        for version in self.versions:
            folder = generate(self.folder / "often", count / RUNS_OF_A_DAY, 1)
            grown = Growing(folder, count)
            walls = []
            for number in grown.steps():
                walls.append(timed(version.command("run", "--config", grown.settings), self.output).wall)
                if (number + 1) % RUNS_OF_A_DAY == 0 or number + 1 == count:
                    timed(version.command("vacuum", "--config", grown.settings), self.output)
            few = min(10, count)
            left = files_of(grown.lake)
            status = self.status(version, grown)
            aged(Lake(str(grown.lake)))
            nothing_new = timed(version.command("run", "--config", grown.settings), self.output).wall
            rows.append(
                [
                    version.name,
                    f"{median(walls[:few]):.1f}",
                    f"{median(walls[-few:]):.1f}",
                    f"{left:,}",
                    f"{status:.1f}",
                    f"{self.status(version, grown):.1f}",
                    f"{nothing_new:.1f}",
                ]
            )
            shutil.rmtree(folder)
        columns = ["version", f"first {few} runs, s", f"last {few}, s", "files of tables", "status, s"]
        columns += [f"status with {DAYS * count:,} runs on record, s", "nothing new, s"]
        report.table(f"{count:,} runs every five minutes", columns, rows)

    def status(self, version: Version, grown: Growing) -> float:
        # Its exit code is 3 where the sample's sources are stale.
        command = version.command("status", "--config", grown.settings, "--json")
        return timed(["sh", "-c", f"{' '.join(map(str, command))} || true"], self.output).wall

    @property
    def output(self) -> Path:
        return self.folder / "output.txt"


def seconds(text: str) -> float:
    """Of 12.3, 1:05 or 2:00:05."""
    found = 0.0
    for part in text.split(":"):
        found = found * 60 + float(part)
    return found


def small_logs(folder: Path, count: int) -> None:
    """A mail log of three lines a file or more, cut into so many files."""
    whole = generate(folder, max(count * 600 / 1e6, 1))
    [log] = logs(whole, "mail.log")
    lines = log.read_bytes().splitlines(keepends=True)
    step = len(lines) / count
    for number in range(count):
        part = lines[round(number * step) : round((number + 1) * step)]
        log.with_name(f"{number:05d}.small").write_bytes(b"".join(part))
    settings(folder, "mail.log*", "*.small", "postfix")


def reports(folder: Path, count: int) -> None:
    """So many DMARC reports, each of another id."""
    whole = generate(folder, 1)
    [log] = logs(whole, "mail.log")
    text = REPORT.read_text()
    for number in range(count):
        unlike = re.sub(r"<report_id>[^<]*<", f"<report_id>benchmark-{number}<", text)
        log.with_name(f"{number:05d}.small").write_text(unlike)
    settings(folder, "mail.log*", "*.small", "dmarc")


def settings(folder: Path, url: str, by: str, name: str) -> None:
    """Leave the first source alone, with other files and another format."""
    file = folder / "observatory.toml"
    first, second = (
        match.start() for match in re.finditer(r"^\[\[operator\.source\]\]", file.read_text(), re.M)
    )
    text = file.read_text()
    source = text[first:second].replace(url, by).replace('format = "postfix"', f'format = "{name}"')
    # After the reports' days, too.
    head = re.sub(r"^read_at = .*$", "read_at = 2026-12-01T00:00:00Z", text[:first], flags=re.M)
    file.write_text(head + source)


class Growing:
    """Logs that grow by a five minutes' share of their lines before each run."""

    def __init__(self, folder: Path, count: int) -> None:
        self.count, self.lake = count, folder / "lake"
        self.settings = folder / "observatory.toml"
        self.lines = {log: log.read_bytes().splitlines(keepends=True) for log in logs(folder)}
        for log in self.lines:
            log.write_bytes(b"")

    def steps(self) -> Iterator[int]:
        for number in range(self.count):
            for log, lines in self.lines.items():
                step = len(lines) / self.count
                with log.open("ab") as file:
                    file.writelines(lines[round(number * step) : round((number + 1) * step)])
            yield number


def files_of(lake: Path) -> int:
    """Files of tables, with those of their logs."""
    return sum(path.is_file() for layer in LAYERS for path in (lake / layer).rglob("*"))


def aged(lake: Lake) -> None:
    """Add the records of so many runs a day to a lake, for as many days before as DAYS says."""
    runs, ledger = lake.read("meta.run"), lake.read("bronze.file")
    for frame, table, key in ((runs, "meta.run", "run_id"), (ledger, "bronze.file", "piece_id")):
        times = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime)]
        older = [
            frame.with_columns(
                pl.concat_str(key, pl.lit(f"-{day}")),
                *(pl.col(name) - dt.timedelta(days=day) for name in times),
            )
            for day in range(1, DAYS)
        ]
        lake.append(pl.concat(older), table)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--amavis", type=float, nargs="+", default=[], metavar="MB")
    parser.add_argument("--files", type=int, metavar="N")
    parser.add_argument("--runs", type=int, metavar="N")
    parser.add_argument("--memory", metavar="SIZE", help='memory of the engine, as "2GB"')
    parser.add_argument("--beside", type=Path, metavar="CLONE", help="also another version, by its folder")
    parser.add_argument("--markdown", action="store_true", help="print the tables of docs/speed.md")
    parser.add_argument("--folder", type=Path, default=FOLDER / "layouts")
    arguments = parser.parse_args()
    versions = [Version("this", sys.executable)]
    if arguments.beside:
        versions.append(Version("before", str(arguments.beside / ".venv" / "bin" / "python")))
    environment = {"OBSERVATORY_ENGINE_MEMORY": arguments.memory} if arguments.memory else {}
    report = Report(arguments.markdown)
    report.begin()
    bench = Benchmark(arguments.folder, versions, environment)
    if arguments.amavis:
        bench.amavis(arguments.amavis, report)
    if arguments.files:
        bench.files(arguments.files, report)
    if arguments.runs:
        bench.runs(arguments.runs, report)
    shutil.rmtree(arguments.folder)


if __name__ == "__main__":
    main()
