"""`make benchmark`, in its third part: how many addresses a second the table of ranges places.

    python -m benchmarks.location [--rows N] [--ranges N] [--rounds N] [--markdown]

The same addresses, as text, are placed by jobs/operators/protect/location.py, which joins them to the ranges
by sorted segments, and by DuckDB's ASOF join; both give country, AS number and name, and both have to agree
on every row. Once no address comes twice, once each comes ten times, as in logs. Rates are rows a wall second
and a processor second: on a shared machine the second means more. A worker has one core, and so do both here.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

# Polars reads it once, when it is imported.
os.environ.setdefault("POLARS_MAX_THREADS", "1")

import duckdb
import numpy as np
import polars as pl

from benchmarks.tools import Report
from jobs.operators.protect.location import Ranges, locate_in_ranges, make_ranges
from jobs.operators.protect.range_tables import LOCATED

COUNTRIES = ("CHE", "FJI", "FRA", "GBR", "IND", "NPL", "PYF", "USA")
TIMES = 10
DUCKDB = "DuckDB, ASOF join"
# An address as DuckDB has to make it of text, since its type for addresses is an extension.
NUMBER = "+".join(
    f"CAST(split_part(ip, '.', {place}) AS UBIGINT) * {256 ** (4 - place)}" for place in (1, 2, 3, 4)
)
ASOF = f"""
SELECT CASE WHEN number <= last THEN country_code END AS country_code,
       CASE WHEN number <= last THEN asn END AS asn,
       CASE WHEN number <= last THEN as_name END AS as_name
FROM (SELECT place, {NUMBER} AS number FROM address) a ASOF LEFT JOIN range r ON a.number >= r.first
ORDER BY place
"""


@dataclass(frozen=True)
class Rate:
    """Rows a second, of wall and of processor time."""

    wall: float
    cpu: float


def ranges_of(count: int, rng: np.random.Generator) -> tuple[Ranges, pl.DataFrame]:
    """Ranges side by side with gaps between some, as databases have them, and the same as DuckDB's table."""
    bounds = np.unique(rng.integers(1 << 24, 0xE0000000, 2 * count, dtype=np.int64))
    first, last = bounds[:-1:2], bounds[1::2] - 1
    # Every other gap is closed.
    last[::2][: len(first[1::2])] = first[1::2] - 1
    size = len(first)
    labels = pl.DataFrame(
        {
            "country_code": rng.choice(COUNTRIES, size),
            "asn": rng.integers(64_496, 65_535, size),
            "as_name": [f"Network {place % 40_000}" for place in range(size)],
        },
        schema=LOCATED,
    )
    spans = [(4, int(low), int(high)) for low, high in zip(first, last, strict=True)]
    table = labels.with_columns(first=pl.Series(first).cast(pl.UInt64), last=pl.Series(last).cast(pl.UInt64))
    return make_ranges(spans, labels), table


def addresses(count: int, times: int, rng: np.random.Generator) -> pl.Series:
    """So many addresses as text in any order, each so many times."""
    numbers = np.tile(rng.choice(1 << 32, count // times, replace=False).astype(np.uint32), times)
    rng.shuffle(numbers)
    octets = numbers.byteswap().view(np.uint8).reshape(-1, 4)
    return pl.Series("ip", [f"{a}.{b}.{c}.{d}" for a, b, c, d in octets.tolist()])


def rate(work: Callable[[], object], rows: int) -> Rate:
    wall, cpu = time.monotonic(), time.process_time()
    work()
    return Rate(rows / (time.monotonic() - wall), rows / (time.process_time() - cpu))


def compared(rows: int, ranges: int, rounds: int, seed: int = 52) -> dict[str, dict[str, Rate]]:
    """The median rates of both, for addresses that come once and that come TIMES times."""
    rng = np.random.default_rng(seed)
    known, table = ranges_of(ranges, rng)
    found: dict[str, dict[str, Rate]] = {}
    with duckdb.connect(config={"threads": 1}) as base:
        base.register("range_frame", table.to_arrow())
        base.execute("CREATE TABLE range AS SELECT * FROM range_frame")
        for name, times in (("each once", 1), (f"each {TIMES} times", TIMES)):
            ips = addresses(rows, times, rng)
            base.register("address_frame", ips.to_frame().with_row_index("place").to_arrow())
            base.execute("CREATE OR REPLACE TABLE address AS SELECT * FROM address_frame")
            programs: dict[str, Callable[[], pl.DataFrame]] = {
                "this project": lambda ips=ips: locate_in_ranges(ips, known),  # type: ignore[misc]
                DUCKDB: lambda: pl.DataFrame(base.sql(ASOF).to_arrow_table()),
            }
            # The first round warms up, and its results are held against each other.
            results = [program().cast(pl.Schema(LOCATED)) for program in programs.values()]
            if not results[0].equals(results[1]):
                raise SystemExit("the two place addresses differently: no rate is shown")
            rates: dict[str, list[Rate]] = {program: [] for program in programs}
            for _ in range(rounds):
                for program, work in programs.items():
                    rates[program].append(rate(work, len(ips)))
            found[name] = {
                program: Rate(
                    statistics.median(each.wall for each in of), statistics.median(each.cpu for each in of)
                )
                for program, of in rates.items()
            }
    return found


def rows_of(found: dict[str, dict[str, Rate]]) -> list[list[str]]:
    """One row for each kind of addresses and program."""
    return [
        [
            f"{program}, {name}",
            f"{each.wall / 1e6:.2f}",
            f"{each.cpu / 1e6:.2f}",
            f"{each.cpu / rates[DUCKDB].cpu:.2f}",
        ]
        for name, rates in found.items()
        for program, each in rates.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=2_000_000, help="addresses (2,000,000)")
    parser.add_argument("--ranges", type=int, default=400_000, help="ranges of the table (400,000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, after one that warms up (3)")
    parser.add_argument("--markdown", action="store_true", help="print the table of docs/speed.md")
    arguments = parser.parse_args()
    found = compared(arguments.rows, arguments.ranges, arguments.rounds)
    Report(arguments.markdown).table(
        f"{arguments.rows:,} addresses placed in {arguments.ranges:,} ranges, on one core",
        ["program", "million a second", "million a CPU second", "DuckDB = 1"],
        rows_of(found),
    )


if __name__ == "__main__":
    main()
