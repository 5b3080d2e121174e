"""pflogsumm: its figures, and which lines it counts for each (as of pflogsumm 1.1.5).

The lines are found by its own patterns, so that a difference to its figures is a difference in reading.
"""

import re
import shutil
import subprocess
from collections.abc import Iterable

import polars as pl

from jobs.base.core.codes import choose_case, choose_code
from jobs.base.core.errors import ObservatoryError
from jobs.operators.reconcile.bridge import OtherCounts

PROGRAM = "pflogsumm"
PACKAGE = "pflogsumm"
# What it counts, by its own words in its "Grand Totals".
WORDS = {
    "received": "received",
    "delivered": "delivered",
    "forwarded": "forwarded",
    "deferred": "deferred",
    "bounced": "bounced",
    "rejected": "rejected",
    "reject warnings": "reject_warning",
    "held": "held",
    "discarded": "discarded",
}
TOTAL = re.compile(r"^\s*(\d+)([km ])\s+([a-z][a-z ]*?)(?:\s+\((?:\d+%|(\d+)([km ])\s*deferrals)\))?\s*$")
UNITS = {" ": 1, "k": 1 << 10, "m": 1 << 20}
# Stamps that it reads, and the rest of the line behind the host.
STAMPS = (
    r"^[^ ]{3} {1,2}\d{1,2} \d{2}:\d{2}:\d{2} \S+ (.+)$",
    r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[+-]\d{2}:\d{2}|Z) \S+ (.+)$",
)
SERVICE = r"^postfix(?:/(?:smtps|submission))?/([^\[:]*).*?: ([^:\s]+)"
CLEANUP = (
    r"/cleanup\[\d+\]: .*?\b((?:milter-)?reject|warning|hold|discard): (?:header|body|END-OF-MESSAGE) .*$"
)
REFUSAL = r"\[\d+\]: \w+: (reject(?:_warning)?|hold|discard): "
CLIENT = r"\[\d+\]: \w+: client=.+?(?:,|$)"
DELIVERY = (
    r"to=<[^>]*>, (?:orig_to=<[^>]*>, )?relay=[^,]+, (?:conn_use=[^,]+, )?delay=[^,]+, (?:delays=[^,]+, )?"
    r"(?:dsn=[^,]+, )?status=(\S+)"
)
KINDS = {
    "reject": "rejected",
    "milter-reject": "rejected",
    "reject_warning": "reject_warning",
    "warning": "reject_warning",
    "hold": "held",
    "discard": "discarded",
}
# Services whose lines it takes for what they are.
SERVICES = ("smtpd", "postscreen", "cleanup", "pickup")


def read_version() -> str | None:
    """Read the name and version of pflogsumm; None where it is not installed."""
    if shutil.which(PROGRAM) is None:
        return None
    printed = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, errors="replace")
    return printed.stdout.strip() or PROGRAM


def run_program(data: Iterable[bytes]) -> str:
    """The text that pflogsumm prints for a log."""
    with subprocess.Popen(
        [PROGRAM, "--detail", "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        assert program.stdin is not None
        for block in data:
            program.stdin.write(block)
        # It prints when it has read all.
        printed, complaint = program.communicate()
    if program.returncode:
        raise ObservatoryError(f"{PROGRAM} failed: {complaint.decode(errors='replace').strip()[:300]}")
    return printed.decode(errors="replace")


def read_figures(printed: str) -> OtherCounts:
    """The figures in what it prints. Above 524,288 it prints them in units of 1,024, and 2^20."""
    counts: dict[str, int] = {}
    rounding: dict[str, int] = {}
    for line in printed.splitlines():
        found = TOTAL.match(line)
        if found is None or found[3] not in WORDS or WORDS[found[3]] in counts:
            continue
        name = WORDS[found[3]]
        counts[name], rounding[name] = int(found[1]) * UNITS[found[2]], UNITS[found[2]] - 1
        if name == "deferred":
            counts["deferral"] = int(found[4] or 0) * UNITS[found[5] or " "]
            rounding["deferral"] = UNITS[found[5] or " "] - 1
    if not counts:
        raise ObservatoryError(f"{PROGRAM} printed no totals that could be read. Run it by hand to see why")
    return OtherCounts(counts, rounding)


def label_lines(lines: pl.DataFrame) -> pl.DataFrame:
    """A row per line (offset, line): the kind and queue_id that pflogsumm counts it for, null where it counts
    nothing. service: the name of the daemon. is_read: whether it reads the line at all. is_outgoing: whether
    a line that it counts as a refusal is none of the server's."""
    text = pl.col("line").str.replace(r": \[ID \d+ [^\]]+\] ", ": ")
    rest = lines.select("offset", rest=pl.coalesce(text.str.extract(stamp) for stamp in STAMPS)).with_columns(
        service=pl.col("rest").str.extract(SERVICE, 1), queue_id=pl.col("rest").str.extract(SERVICE, 2)
    )
    at, service, queue_id = pl.col("rest"), pl.col("service"), pl.col("queue_id")
    status = at.str.extract(DELIVERY)
    is_forwarded = at.str.contains("forwarded as ", literal=True)
    of_delivery = choose_code(
        forwarded=(status == "sent") & is_forwarded,
        delivered=status == "sent",
        deferral=status == "deferred",
        bounced=status == "bounced",
    )
    of_cleanup = (
        pl.when(service == "cleanup").then(at.str.extract(CLEANUP)).replace_strict(KINDS, default=None)
    )
    of_refusal = at.str.extract(REFUSAL).replace_strict(KINDS, default=None)
    of_name = pl.when(queue_id.is_in([*KINDS])).then(queue_id.replace_strict(KINDS, default=None))
    is_size = at.str.contains(r"from=<[^>]*>, size=\d+")
    kind = choose_case(
        (of_cleanup.is_not_null(), of_cleanup),
        (queue_id.is_in(["warning", "fatal", "panic"]) | (service == "master"), None),
        (queue_id.is_in(["reject", "reject_warning", "hold", "discard"]), of_name),
        (
            service.is_in(["smtpd", "postscreen"]),
            pl.when(at.str.contains(CLIENT)).then(pl.lit("received")).otherwise(of_refusal),
        ),
        (is_size, None),
        (of_delivery.is_not_null() | status.is_not_null(), of_delivery),
        ((service == "pickup") & at.str.contains(r": (?:sender|uid)="), "received"),
    )
    return rest.select(
        "offset",
        "queue_id",
        "service",
        kind=pl.when(queue_id.is_not_null()).then(kind),
        is_read=pl.col("rest").is_not_null(),
        is_outgoing=pl.lit(False),
    )
