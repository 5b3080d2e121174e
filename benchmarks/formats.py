"""`make benchmark`, its second part: each hot format's kernel, and its parse to Delta, beside a raw copy.

    python -m benchmarks.formats [--megabytes N] [--rounds N] [--formats NAME ...] [--markdown]

In one process on one core, turn by turn:

    copy    Polars copies the log as text, line by line, to Parquet
    kernel  a landed log becomes bronze rows in memory (jobs/operators/ingest/parsing.py)
    parse   the same, and the rows, the quarantine and the ledger are committed to Delta
    (jobs/operators/build/bronze_stage.py)

Each is done on the log and on a quarter of it. Rates are megabytes a processor second between the two: they
leave out what each costs however small its log is, and what other programs take of the machine. They are
comparable within a run, not between runs. The goal of parse is half the copy's rate.

Postfix's, Rspamd's and Kannel's logs come from the sample data's generator. Exim's and Kamailio's are logs
of real servers (sample_data/lab) repeated through a day, with other ids, numbers, addresses and times each
time; the delimited log is drawn at random, in the columns of the profile sms_firewall.
"""

import argparse
import datetime as dt
import itertools
import os
import random
import re
import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median

# Polars reads it once, when it is imported.
os.environ["POLARS_MAX_THREADS"] = "1"

import fsspec
import polars as pl

from benchmarks.tools import FOLDER, KEY, ROOT, Report
from jobs.base.engine.embedded import Inline
from jobs.base.settings import config
from jobs.base.store.lake import Lake
from jobs.operators.build.batches import Ingest, landed_pieces
from jobs.operators.build.bronze_stage import ingest_pending
from jobs.operators.build.ranges import ranges_of
from jobs.operators.formats.delimited import profile_of
from jobs.operators.ingest.manifest import open_landing
from jobs.operators.ingest.parsing import read_ranges
from jobs.operators.ingest.pull import pull_operator
from jobs.operators.ingest.source_options import load_with_options
from sample_data.generate import generate
from sample_data.generator.profiles import OPERATORS
from sample_data.generator.texts import HAM_SMS, SPAM_SMS

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
        yield MASKED.sub(partial(other, number=number, seconds=seconds), log)


def other(found: re.Match[str], number: int, seconds: int) -> str:
    """Return the text that replaces an id, a time, an address or a phone number in this copy."""
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
    return load_with_options(file)


def copy_text(log: Path, folder: Path) -> float:
    """Processor seconds that Polars takes to copy a log, line by line, to Parquet."""
    target = folder / "text.parquet"
    return processor_seconds(lambda: pl.scan_lines(log).sink_parquet(target))


def land(name: str, log: Path, folder: Path) -> config.Observatory:
    """Pull a log into an empty lake; the settings."""
    settings = settings_of(name, log, folder)
    shutil.rmtree(settings.lake.root, ignore_errors=True)
    (operator,) = settings.operator
    problems = pull_operator(operator, settings.lake.root, dt.datetime.now(dt.UTC)).problems
    if problems:
        raise SystemExit("\n".join(problems))
    return settings


def read_log(settings: config.Observatory) -> float:
    """Processor seconds from a landed log to bronze rows in memory."""
    fs, area = open_landing(settings.lake.root)
    ranges = ranges_of(list(landed_pieces(fs, area, settings.operator)))
    disk = fsspec.filesystem("file")

    def read() -> None:
        for part in ranges:
            for _ in read_ranges(disk, [part], "benchmark"):
                pass

    return processor_seconds(read)


def parse_log(name: str, settings: config.Observatory) -> float:
    """Processor seconds from a landed log to its bronze table, quarantine and ledger."""
    lake = Lake(settings.lake.root)
    taken = processor_seconds(
        lambda: ingest_pending(Ingest(lake, settings, list(settings.operator), Inline()), "benchmark")
    )
    row = lake.read("bronze.file").row(0, named=True)
    if row["quarantined_count"] or not row["record_count"]:
        raise SystemExit(f"{name}: the log was not understood whole: {row}")
    return taken


def processor_seconds(work: Callable[[], object]) -> float:
    """Processor seconds of this process, which include those of the threads of Polars and delta-rs."""
    start = time.process_time()
    work()
    return time.process_time() - start


def cut(name: str, folder: Path, megabytes: float) -> tuple[Path, Path]:
    """A quarter of a log, and the whole."""
    folder.mkdir(parents=True)
    quarter, whole = folder / "quarter", folder / "whole"
    write_log(name, folder, round(megabytes * 1e6)).rename(whole)
    limit = whole.stat().st_size / 4
    with whole.open("rb") as lines, quarter.open("wb") as out:
        for line in itertools.takewhile(lambda _: out.tell() < limit, lines):
            out.write(line)
    return quarter, whole


def rates(name: str, folder: Path, megabytes: float, rounds: int) -> tuple[float, dict[str, float]]:
    """Megabytes of the log; the megabytes a processor second of copy, kernel and parse, from medians. The
    first round only warms up."""
    logs = cut(name, folder, megabytes)
    taken: dict[str, list[list[float]]] = {what: [[], []] for what in ("copy", "kernel", "parse")}
    for number in range(rounds + 1):
        for place, log in enumerate(logs):
            copied = copy_text(log, folder)
            settings = land(name, log, folder)
            done = {"copy": copied, "kernel": read_log(settings), "parse": parse_log(name, settings)}
            for what, each in done.items() if number else ():
                taken[what][place].append(each)
    quarter, whole = (log.stat().st_size / 1e6 for log in logs)
    shutil.rmtree(folder)
    return whole, {
        what: (whole - quarter) / max(median(many) - median(few), 1e-3) for what, (few, many) in taken.items()
    }


def row(name: str, megabytes: float, found: dict[str, float]) -> list[str]:
    copy, kernel, parse = (found[what] for what in ("copy", "kernel", "parse"))
    cells = [name, f"{megabytes:,.0f}", f"{copy:,.0f}", f"{kernel:,.0f}", f"{parse:,.0f}"]
    return [*cells, f"{kernel / copy:.2f}", f"{parse / copy:.2f}"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=float, default=100, help="size of each log (100)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, after one that warms up (3)")
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--markdown", action="store_true", help="print the table of docs/speed.md")
    parser.add_argument("--folder", type=Path, default=FOLDER / "formats")
    arguments = parser.parse_args()
    os.environ.update(KEY)
    report = Report(arguments.markdown)
    report.begin()
    shutil.rmtree(arguments.folder, ignore_errors=True)
    report.table(
        "Megabytes a processor second, by format",
        ["format", "MB", "copy", "kernel", "parse to Delta", "kernel / copy", "parse / copy"],
        [
            row(name, *rates(name, arguments.folder / name, arguments.megabytes, arguments.rounds))
            for name in arguments.formats
        ],
    )
    shutil.rmtree(arguments.folder)


if __name__ == "__main__":
    main()
