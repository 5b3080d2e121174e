"""Rate of the Spark engine beside the embedded engine's, and of two workers beside one.

    python -m benchmarks.spark [--megabytes SMALL LARGE] [--rounds N] [--markdown]

The same logs go through the embedded engine, through Spark in one process (local[2]), and through a
standalone master with one worker of one core and with two. Each run is a whole process onto an empty lake,
from pull to gold. The rate at the margin is the difference in megabytes between the two sizes, divided by the
difference in wall seconds: it leaves out what a run costs however small its log is. Needs `make setup-spark`.
"""

import argparse
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.speed import Runs, figure, run_command
from benchmarks.speed import margin as margin_of
from benchmarks.tools import FOLDER, KEY, Report, Timed, generate, logs, size, spread, timed
from jobs.base.settings.node import EngineSettings
from tests.support.cluster import standalone
from tests.support.wheels import built_wheel

EMBEDDED, LOCAL, ONE, TWO = "embedded", "Spark, local[2]", "Spark, one worker", "Spark, two workers"
[PSEUDONYM_KEY] = KEY.values()


def engines(folder: Path) -> Iterator[tuple[str, EngineSettings]]:
    """The engines that are compared; a cluster runs while its engine is the last one given."""
    yield EMBEDDED, EngineSettings()
    yield LOCAL, EngineSettings(name="spark", master="local[2]")
    wheel = built_wheel(folder / "project")
    for name, workers in ((ONE, 1), (TWO, 2)):
        with standalone(folder / f"cluster-{workers}", wheel, PSEUDONYM_KEY, workers) as cluster:
            yield name, cluster.engine()


def as_toml(engine: EngineSettings) -> str:
    """The table [engine] of a settings file. A text or number of JSON is one of TOML."""
    given = engine.model_dump(exclude_none=True, exclude_defaults=True)
    conf = given.pop("conf", {})
    lines = [f"{key} = {json.dumps(value)}" for key, value in given.items()]
    lines += ["[engine.conf]", *(f"{json.dumps(key)} = {json.dumps(value)}" for key, value in conf.items())]
    return "\n".join(["[engine]", *lines, ""])


def measure(name: str, engine: EngineSettings, folders: dict[float, Path], rounds: int) -> dict[float, Runs]:
    """Runs of the pipeline by an engine on each size of logs; one on the least before them is not timed."""
    run(name, engine, folders[min(folders)])
    return {
        each: Runs(size(logs(folder)), [run(name, engine, folder) for _ in range(rounds)])
        for each, folder in folders.items()
    }


def run(name: str, engine: EngineSettings, folder: Path) -> Timed:
    """The pipeline once, onto an empty lake."""
    settings = folder / "engine.toml"
    settings.write_text((folder / "observatory.toml").read_text() + as_toml(engine))
    shutil.rmtree(folder / "lake", ignore_errors=True)
    return timed(run_command(folder, settings.name), folder / f"{name}.txt")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--megabytes", type=float, nargs=2, default=[40, 800], metavar=("SMALL", "LARGE"), help="(40 800)"
    )
    parser.add_argument("--rounds", type=int, default=1, help="timed runs of each engine and size (1)")
    parser.add_argument("--markdown", action="store_true", help="print the tables of docs/scale.md")
    parser.add_argument("--folder", type=Path, default=FOLDER / "spark")
    arguments = parser.parse_args()
    report = Report(arguments.markdown)
    report.begin()
    shutil.rmtree(arguments.folder, ignore_errors=True)
    small, large = sorted(arguments.megabytes)
    folders = {each: generate(arguments.folder / f"{each:.0f}", each) for each in (small, large)}
    found = {
        name: measure(name, engine, folders, arguments.rounds) for name, engine in engines(arguments.folder)
    }
    rates = {name: margin_of(runs[small], runs[large])[0] for name, runs in found.items()}
    report.table(
        f"Engines, {small:,.0f} and {large:,.0f} MB of logs",
        ["engine", f"{small:,.0f} MB, s", f"{large:,.0f} MB, s", "margin, MB/s"],
        [
            [name, *(spread(runs[each].walls) for each in (small, large)),
             figure(rates[name])]
            for name, runs in found.items()
        ],
    )  # fmt: skip
    report.table(
        "Ratios of rates at the margin",
        ["", "goal", "measured"],
        [
            [f"{LOCAL} to {EMBEDDED}", "≥ 0.8", figure(rates[LOCAL] / rates[EMBEDDED], 2)],
            [f"{TWO} to one", "≥ 1.6", figure(rates[TWO] / rates[ONE], 2)],
        ],
    )
    shutil.rmtree(arguments.folder)


if __name__ == "__main__":
    main()
