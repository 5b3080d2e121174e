"""eximstats: its figures, and which lines it counts for each (as of the one of Exim 4.98).

It takes for a reject every line without an arrow that has rejected, refused or dropped in it, and every
delivery without a transport.
"""

import re
import shutil
import subprocess
from collections.abc import Iterable

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.base.core.errors import ObservatoryError
from jobs.operators.reconcile.bridge import OtherCounts

PROGRAM = "eximstats"
PACKAGE = "exim4-base"
SERVICES: tuple[str, ...] = ()
# Its "Grand total summary". Of deliveries the second count is that of addresses.
TOTALS = {
    "received": re.compile(r"^\s*Received\s+\S+\s+(\d+)\b", re.MULTILINE),
    "delivered": re.compile(r"^\s*Delivered\s+\S+\s+\d+\s+(\d+)\b", re.MULTILINE),
    "rejected": re.compile(r"^\s*Rejects\s+(\d+)\b", re.MULTILINE),
    "temp_rejected": re.compile(r"^\s*Temp Rejects\s+(\d+)\b", re.MULTILINE),
}
STAMP = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?(?: [+-]\d{4})?(?: \[\d+\])? (.*)$"
ID = r"^([0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}|[0-9A-Za-z]{11})-[0-9A-Za-z]{2}(?:[0-9A-Za-z]{2})?) (.*)$"


def read_version() -> str | None:
    """Read the name and version of eximstats; None where it is not installed."""
    if shutil.which(PROGRAM) is None:
        return None
    printed = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, errors="replace")
    found = re.search(r"\b\d+\.\d+[\d._A-Z]*", printed.stdout + printed.stderr)
    return f"{PROGRAM} {found[0]}" if found else PROGRAM


def run_program(data: Iterable[bytes]) -> str:
    """The text that eximstats prints for a log."""
    done = subprocess.run([PROGRAM, "-nr", "-t0"], input=b"".join(data), capture_output=True)
    if done.returncode:
        complaint = done.stderr.decode(errors="replace").strip()[:300]
        raise ObservatoryError(f"{PROGRAM} failed: {complaint}")
    return done.stdout.decode(errors="replace")


def read_figures(printed: str) -> OtherCounts:
    """The figures in what it prints; it leaves out rows that are nothing."""
    found = {name: pattern.search(printed) for name, pattern in TOTALS.items()}
    if "Grand total summary" not in printed:
        raise ObservatoryError(f"{PROGRAM} printed no totals that could be read. Run it by hand to see why")
    return OtherCounts({name: int(match[1]) if match else 0 for name, match in found.items()})


def label_lines(lines: pl.DataFrame) -> pl.DataFrame:
    """A row per line (offset, line), two where eximstats counts the line twice: kind, queue_id;
    is_read: whether it reads the line at all; is_outgoing: whether the line is no refusal of the server's."""
    text = pl.col("line").str.extract(STAMP)
    rest = lines.select("offset", rest=text).with_columns(
        queue_id=pl.col("rest").str.extract(ID, 1),
        said=pl.coalesce(pl.col("rest").str.extract(ID, 2), "rest"),
    )
    said = pl.col("said")
    flag = said.str.extract(r"^(<=|=>|->|>>|\*\*|==|\*>|SA)")
    is_reject = flag.is_null() & said.str.contains(r"rejected|refused|dropped")
    is_for_now = said.str.contains(r"temporarily (?:rejected|refused connection)")
    kind = choose_code(
        received=flag == "<=",
        delivered=flag.is_in(["=>", "->"]),
        temp_rejected=is_reject & is_for_now,
        rejected=is_reject,
    )
    is_outgoing = pl.col("queue_id").is_not_null() & said.str.contains(
        r"^(?:H=\S+ )?\[.*\].* Connection refused"
    )
    whole = rest.select(
        "offset",
        "queue_id",
        service=pl.lit(None, pl.String),
        kind=kind,
        is_read=pl.col("rest").is_not_null(),
        is_outgoing=(is_reject & is_outgoing).fill_null(False),
    )
    without_transport = rest.select((flag == "=>") & ~said.str.contains(r"\sT=\S+")).to_series()
    twice = whole.filter(without_transport.fill_null(False)).with_columns(kind=pl.lit("rejected"))
    return pl.concat([whole, twice])
