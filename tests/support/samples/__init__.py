"""Logs of every format, which many tests read: a module for each, which is named after it and holds SAMPLES
(forms.py says what of). Tests of a format take their lines from its module."""

import importlib
import pkgutil

from jobs.operators.formats.registry import FORMATS
from tests.support.samples.forms import Canaries, Log, Samples

__all__ = ["CANARIES", "LOGS", "SAMPLES", "files_of", "lines_of"]

SAMPLES: dict[str, Samples] = {
    each.name: importlib.import_module(f"{__name__}.{each.name}").SAMPLES
    for each in pkgutil.iter_modules(__path__)
    if each.name != "forms"
}
CANARIES: tuple[Canaries, ...] = tuple(each for samples in SAMPLES.values() for each in samples.canaries)


def entries_of(canaries: Canaries, count: int = 40) -> Log:
    """A log of entries without canaries."""
    text = canaries.head + "".join(canaries.entry(number) for number in range(100, 100 + count))
    return Log(canaries.kernel, text.splitlines(), canaries.source_options)


def logs_of(name: str) -> dict[str, Log]:
    """Logs of many events of a format of lines that has files of its own."""
    samples = SAMPLES[name]
    if samples.logs or name not in FORMATS or FORMATS[name].stands_in_mail_logs:
        return samples.logs
    return {name: entries_of(samples.canaries[0])}


def files_of(name: str) -> dict[str, Log]:
    """Files of a format that the laboratory has no logs of."""
    return SAMPLES[name].files or logs_of(name)


def lines_of(name: str) -> list[str]:
    """Lines of all kinds of a format."""
    logs = [*SAMPLES[name].files.values(), *logs_of(name).values(), *map(entries_of, SAMPLES[name].canaries)]
    return [line for log in logs for line in log.lines]


# Those in which copies are sought, by name.
LOGS: dict[str, Log] = {name: log for format_name in SAMPLES for name, log in logs_of(format_name).items()}
