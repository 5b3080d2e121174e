"""The rows of `observatory status` in Prometheus' text format, for node_exporter's textfile collector."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from jobs.base.core.errors import ObservatoryError
from jobs.base.store.record import utc_now
from jobs.operators.packages.deliveries import REFUSED, Packages
from jobs.operators.state.sources import SourceStatus

# By name what a metric of a source is, and its value; none is written where there is none.
OF_SOURCE: dict[str, tuple[str, Callable[[SourceStatus], float | None]]] = {
    "landed_bytes": ("Bytes of logs in landing, unpacked.", lambda row: row.landed),
    "waiting_bytes": ("Bytes that are landed and not read.", lambda row: row.waiting),
    "quarantined_lines": ("Lines that no rule matched.", lambda row: row.quarantined),
    "last_record_timestamp_seconds": (
        "Time of the newest record.",
        lambda row: row.last_record.timestamp() if row.last_record else None,
    ),
    "stale": ("1 if the newest record is older than stale_days.", lambda row: row.is_stale),
    "missing_days": ("Days of the last week without records.", lambda row: len(row.missing_days)),
    "held_rules": (
        "Broken rules that hold this source back, alone or with its operator.",
        lambda row: len(row.held_rules),
    ),
}


# The same of an operator's packages: labels besides the operator, and by these the values.
OF_PACKAGES: dict[str, tuple[str, list[str], Callable[[Packages], dict[tuple[str, ...], float]]]] = {
    "sent_timestamp_seconds": (
        "When the last package was sent to the study.",
        [],
        lambda found: {(): max(each.sent_at.timestamp() for each in found.sent)} if found.sent else {},
    ),
    "days_after_due": (
        "Days since the next package was due; negative before.",
        ["period"],
        lambda found: {(found.due.period_code,): found.due.days_after_due} if found.due else {},
    ),
    "refused": (
        "1 for each reason for which the study refused the last package of a period.",
        ["period", "reason"],
        lambda found: {
            (each.period_code, reason): 1
            for each in found.sent
            if each.delivery_code == REFUSED
            for reason in each.answer_reasons
        },
    ),
    "unanswered_days": (
        "Days since a package was sent that the study has not answered.",
        ["period"],
        lambda found: {
            (each.period_code,): each.days_without_answer(utc_now())
            for each in found.sent
            if each.answer_at is None
        },
    ),
}


def write_metrics(
    file: Path, rows: Sequence[SourceStatus], packages: Mapping[str, Packages], doubts: int
) -> None:
    """Replace the file in one step.

    Args:
        doubts: how many of the things that make figures doubtful were found.
    """
    if file.suffix != ".prom":
        raise ObservatoryError(f"--metrics {file}: the collector reads files that end in .prom; name one")
    registry = CollectorRegistry()
    for name, (text, value) in OF_SOURCE.items():
        gauge = Gauge(f"observatory_source_{name}", text, ["operator", "source"], registry=registry)
        for row in rows:
            if (number := value(row)) is not None:
                gauge.labels(row.operator, row.source).set(number)
    jumps = Gauge(
        "observatory_jumps",
        "Days of the last week unlike the same weekdays before.",
        ["operator"],
        registry=registry,
    )
    for row in rows:
        jumps.labels(row.operator).set(len(row.jumps))
    for name, (text, labels, values) in OF_PACKAGES.items():
        gauge = Gauge(f"observatory_package_{name}", text, ["operator", *labels], registry=registry)
        for operator, found in packages.items():
            for labelled, number in values(found).items():
                gauge.labels(operator, *labelled).set(number)
    Gauge("observatory_doubts", "Things that make figures doubtful.", registry=registry).set(doubts)
    Gauge("observatory_status_timestamp_seconds", "When this was written.", registry=registry).set(
        time.time()
    )
    try:
        write_to_textfile(str(file), registry)
    except OSError as error:
        raise ObservatoryError(
            f"--metrics {file} cannot be written: {error.strerror}. Its folder has to be there, and this user"
            " needs the right to write into it"
        ) from None
