"""`make benchmark`, its second part: each hot format parsed to Delta, beside Spark's copy of the same text.

    python -m tests.benchmark_formats [--megabytes N] [--rounds N] [--formats NAME ...]

In one Spark session and turn by turn, Spark copies a log as text to Parquet, and this project ingests it:
landed pieces to bronze in Delta, quarantine and ledger included (jobs.ingest). Each is done on the log and
on a quarter of it, so that the rate between the two leaves out what a batch costs however small it is.
Rates are comparable within a run, not between runs. The goal is half the copy's rate.

Postfix's, Rspamd's and Kannel's logs come from the sample data's generator. Exim's and Kamailio's are logs
of real servers (sample_data/lab) repeated through a day, with other ids, numbers, addresses and times each
time; the delimited log is drawn at random, in the columns of the profile sms_firewall.
"""

from __future__ import annotations

import argparse
import base64
import datetime as dt
import itertools
import os
import random
import re
import shutil
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import SparkSession
from rich.console import Console
from rich.table import Table

from jobs import config
from jobs.formats.delimited import profile_of
from jobs.ingest import ingest
from jobs.lake import Lake
from jobs.pull import pull
from jobs.session import open_session
from sample_data.generate import generate
from sample_data.generator.profiles import OPERATORS
from sample_data.generator.texts import HAM_SMS, SPAM_SMS

ROOT = Path(__file__).resolve().parent.parent
LAB = ROOT / "sample_data" / "lab"
FORMATS = ("postfix", "rspamd", "exim", "kannel", "kamailio", "delimited")
# The lab's logs are of one afternoon: copies of them are spread over what is left of that day.
HOURS = 9
BASE_62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
MASKED = re.compile(
    r"(?P<plain>^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)|(?P<syslog>^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)"
    r"|(?P<exim_id>\b[0-9A-Za-z]{6}-[0-9A-Za-z]{11}-[0-9A-Za-z]{4}\b)|(?P<epoch>\b17955\d{5}(?=[.,;]))"
    r"|(?P<local>[\w.+-]+(?=@))|(?P<number>\+\d{8,})|(?P<network>\b(?:203\.0\.113|192\.0\.2)\.)\d{1,3}\b",
    re.MULTILINE,
)


def copies(log: str, size: int) -> Iterator[str]:
    """A log of a real server again and again, until it is `size` bytes: the same lines of other messages."""
    count = -(-size // len(log))
    for number in range(count):
        seconds = number * HOURS * 3600 // count
        yield MASKED.sub(lambda found, n=number, s=seconds: other(found, n, s), log)


def other(found: re.Match[str], number: int, seconds: int) -> str:
    """What stands in the copy of this number in place of an id, a time, an address or a phone number."""
    text = found[0]
    match found.lastgroup:
        case "plain":
            return f"{dt.datetime.fromisoformat(text) + dt.timedelta(seconds=seconds)}"
        case "syslog":
            at = dt.datetime.strptime(f"2026 {text}", "%Y %b %d %H:%M:%S") + dt.timedelta(seconds=seconds)
            return f"{at:%b} {at.day:2d} {at:%H:%M:%S}"
        case "exim_id":
            return f"{base_62(from_base_62(text[:6]) + seconds, 6)}-{base_62(number, 11)}-{text[-4:]}"
        case "epoch":
            return f"{int(text) + seconds}"
        case "number":
            return f"+{int(text) + number}"
        case "network":
            return f"{found['network']}{number % 250}"
    return f"{number:x}{text}"


def from_base_62(digits: str) -> int:
    value = 0
    for digit in digits:
        value = value * 62 + BASE_62.index(digit)
    return value


def base_62(value: int, width: int) -> str:
    digits = ""
    for _ in range(width):
        value, digit = divmod(value, 62)
        digits = BASE_62[digit] + digits
    return digits


def verdicts(size: int) -> Iterator[str]:
    """Lines of an SMS firewall, in the columns of the profile that ships."""
    rng = random.Random(11)
    columns = profile_of({"profile": "sms_firewall"}).columns
    texts = [text for kinds in SPAM_SMS.values() for some in kinds.values() for text in some]
    texts += [text for some in HAM_SMS.values() for text in some]
    yield ";".join(columns) + "\n"
    written = 0
    at = dt.datetime(2026, 11, 24)
    while written < size:
        at += dt.timedelta(milliseconds=rng.randrange(40))
        action = rng.choices(["ALLOW", "REJECT_RULE", "DISCARD_URL", "HOLD", "THROTTLE"], [80, 8, 8, 2, 2])[0]
        text = rng.choice(texts).format(n=rng.randrange(100), k=rng.randrange(10**6), c=rng.randrange(10**4))
        values = {
            "time": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}+0000",
            "direction": rng.choice(["MO", "MT", "AO"]),
            "calling": f"+3579{rng.randrange(10**7):07d}",
            "called": f"+3579{rng.randrange(10**7):07d}",
            "peer": rng.choice(["HUB-1", "HUB-2", "ROAM"]),
            "system_id": f"esme{rng.randrange(40)}",
            "remote": f"198.51.100.{rng.randrange(250)}",
            "smsc": rng.choice(["SMSC-1", "SMSC-2"]),
            "imsi": "-",
            "message_ref": f"{rng.randrange(65536)}",
            "segment": "1",
            "segments": "1",
            "octets": f"{len(text)}",
            "rule": "" if action == "ALLOW" else f"rule-{rng.randrange(300)}",
            "action": action,
            "cause": "0x00000000" if action == "ALLOW" else "0x00000045",
            "text": '"' + text.replace('"', '""') + '"',
        }
        line = ";".join(values[column] for column in columns) + "\n"
        written += len(line)
        yield line


def write_log(name: str, folder: Path, size: int) -> Path:
    """A log of the format, of about `size` bytes; the file."""
    if name in ("postfix", "rspamd", "kannel"):
        operator = OPERATORS["channel-sms" if name == "kannel" else "bench-mail"]
        # The generator's size is of a mail log and its filter's log together.
        megabytes = size / 1e6 * {"postfix": 1.6, "rspamd": 2.6, "kannel": 1}[name]
        generate(
            folder, seed=11, start=dt.date(2026, 10, 1), days=1, megabytes=megabytes, operators=(operator,)
        )
        log = {"postfix": "mail.log", "rspamd": "rspamd.log", "kannel": "bearerbox-access.log"}[name]
        return max((folder / operator.id).glob(f"{log}*"), key=lambda file: file.stat().st_size)
    file = folder / f"{name}.log"
    if name == "delimited":
        lines = verdicts(size)
    else:
        real = (LAB / {"exim": "exim/mainlog", "kamailio": "kamailio/kamailio.rfc3164.log"}[name]).read_text()
        # What a server says once, when it starts, is no part of its day.
        begins = real.index("2026-11-24 14:01:51" if name == "exim" else "Nov 24 14:14:02")
        lines = copies(real[begins:], size)
    with file.open("w", encoding="utf-8") as out:
        out.writelines(lines)
    return file


def settings_of(name: str, log: Path, folder: Path) -> config.Observatory:
    """Settings of one operator with this log, and a lake of its own in the folder."""
    profile = 'options = { profile = "sms_firewall" }' if name == "delimited" else ""
    file = folder / "observatory.toml"
    file.write_text(
        f"""
[lake]
root = "lake"
[[operator]]
id = "bench"
name = "Benchmark"
country = "CHE"
holding = "bench"
currency = "CHF"
[[operator.source]]
id = "log"
url = "{log.resolve()}"
format = "{name}"
{profile}
""",
        encoding="utf-8",
    )
    return config.load(file)


def copy_text(spark: SparkSession, log: Path, folder: Path) -> float:
    """Seconds that Spark takes to copy a log, line by line, to Parquet."""
    target = folder / "text.parquet"
    shutil.rmtree(target, ignore_errors=True)
    start = time.monotonic()
    spark.read.text(str(log)).write.parquet(str(target))
    seconds = time.monotonic() - start
    shutil.rmtree(target)
    return seconds


def parse_log(spark: SparkSession, name: str, log: Path, folder: Path) -> float:
    """Seconds from a landed log to its bronze table, quarantine and ledger."""
    settings = settings_of(name, log, folder)
    root = settings.lake.root
    shutil.rmtree(root, ignore_errors=True)
    (operator,) = settings.operator
    problems = pull(operator, root, dt.datetime.now(dt.UTC)).problems
    if problems:
        raise SystemExit("\n".join(problems))
    lake = Lake(spark, root)
    start = time.monotonic()
    ingest(lake, settings, [operator], "benchmark")
    seconds = time.monotonic() - start
    row = lake.read("bronze.file").first()
    if row is None or row.quarantined_count or not row.record_count:
        raise SystemExit(f"{name}: the log was not understood whole: {row}")
    shutil.rmtree(root)
    return seconds


@dataclass
class Rounds:
    """Megabytes of a log and of a quarter of it, and the seconds that each round took on both."""

    sizes: tuple[float, float]
    copied: list[tuple[float, float]] = field(default_factory=list)
    parsed: list[tuple[float, float]] = field(default_factory=list)

    def rates(self, times: list[tuple[float, float]]) -> tuple[float, float]:
        """MB/s of the whole log, and between the quarter and the whole: medians."""
        quarter, whole = self.sizes
        few = statistics.median(pair[0] for pair in times)
        many = statistics.median(pair[1] for pair in times)
        return whole / many, (whole - quarter) / max(many - few, 1e-3)


def compare(
    spark: SparkSession, folder: Path, names: list[str], megabytes: float, rounds: int
) -> dict[str, Rounds]:
    """Copies and parses of each format in turn, round by round. The first round only warms Spark up."""
    logs = {}
    for name in names:
        (folder / name).mkdir(parents=True)
        quarter, whole = (folder / name / part for part in ("quarter", "whole"))
        log = write_log(name, folder / name, round(megabytes * 1e6))
        log.rename(whole)
        with whole.open("rb") as lines, quarter.open("wb") as out:
            for line in itertools.takewhile(lambda _: out.tell() < whole.stat().st_size / 4, lines):  # noqa: B023
                out.write(line)
        logs[name] = (quarter, whole)
    found = {
        name: Rounds((pair[0].stat().st_size / 1e6, pair[1].stat().st_size / 1e6))
        for name, pair in logs.items()
    }
    for number in range(rounds + 1):
        for name, (quarter, whole) in logs.items():
            copied = tuple(copy_text(spark, log, folder) for log in (quarter, whole))
            parsed = tuple(parse_log(spark, name, log, folder) for log in (quarter, whole))
            if number:
                found[name].copied.append(copied)
                found[name].parsed.append(parsed)
    return found


def shown(found: dict[str, Rounds]) -> Table:
    table = Table(title="MB/s: Spark's copy of the text to Parquet, and this project's parse to Delta")
    for name in ("format", "MB", "copy", "parse", "ratio", "copy, margin", "parse, margin", "ratio, margin"):
        table.add_column(name, justify="left" if name == "format" else "right")
    for name, rounds in found.items():
        copy, copy_margin = rounds.rates(rounds.copied)
        parse, parse_margin = rounds.rates(rounds.parsed)
        cells = (copy, parse, parse / copy, copy_margin, parse_margin, parse_margin / copy_margin)
        digits = (0, 0, 2, 0, 0, 2)
        table.add_row(
            name,
            f"{rounds.sizes[1]:,.0f}",
            *(f"{cell:,.{places}f}" for cell, places in zip(cells, digits, strict=True)),
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=float, default=200, help="size of each log (200)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, after one that warms up (3)")
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "benchmark" / "formats")
    arguments = parser.parse_args()
    os.environ.setdefault("OBSERVATORY_PSEUDONYM_KEY", base64.b64encode(os.urandom(32)).decode())
    shutil.rmtree(arguments.folder, ignore_errors=True)
    spark = open_session(config.Spark(), "benchmark")
    found = compare(spark, arguments.folder, arguments.formats, arguments.megabytes, arguments.rounds)
    Console().print(shown(found))
    shutil.rmtree(arguments.folder)
    spark.stop()


if __name__ == "__main__":
    main()
