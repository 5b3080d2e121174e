"""The formats there are, by name: each module of this room that holds a FORMAT.

They are found, not listed, so that none is forgotten.
"""

import importlib
import pkgutil

from jobs.operators import formats
from jobs.operators.formats.format import DocumentFormat, Format, LineFormat
from jobs.operators.formats.rspamd.times import ANY_STAMP
from jobs.operators.formats.shared.sample_shares import sample_lines
from jobs.operators.formats.shared.wrapped import unwrap_sample


def find_formats() -> dict[str, Format]:
    """The formats of the package's modules, by name."""
    names = [each.name for each in pkgutil.walk_packages(formats.__path__, "jobs.operators.formats.")]
    modules = [importlib.import_module(name) for name in names]
    kernels = [each for module in modules if isinstance(each := getattr(module, "FORMAT", None), Format)]
    return {each.name: each for each in sorted(kernels, key=lambda each: each.name)}


# All of them; those of lines, and those of whole documents.
KERNELS: dict[str, Format] = find_formats()
FORMATS: dict[str, LineFormat] = {
    name: each for name, each in KERNELS.items() if isinstance(each, LineFormat)
}
DOCUMENTS: dict[str, DocumentFormat] = {
    name: each for name, each in KERNELS.items() if isinstance(each, DocumentFormat)
}
# Filters whose lines stand in the logs of other formats.
COMPANIONS: tuple[LineFormat, ...] = tuple(each for each in FORMATS.values() if each.stands_in_mail_logs)
# The format that reads files through a mapping profile.
((MAPPED, PROFILES),) = [(name, each.profiles) for name, each in FORMATS.items() if each.profiles]
# How the layout of a log is found that operators may lay out themselves, by format.
LAID_OUT = {name: each.own_layouts for name, each in FORMATS.items() if each.own_layouts}
# Formats of requests for messages that another format records.
REQUESTS = {name: each.requests for name, each in KERNELS.items() if each.requests}
# Engines that judge a message's origin, not whether it is spam.
ENGINES_OF_ORIGIN = sorted({engine for each in KERNELS.values() for engine in each.engines_of_origin})
# Below this, a sample is of no format that is known here.
SURE_ENOUGH = 0.5
LOOKED_AT = 256 << 10
# A log of which so many lines have a stamp in front is one of those that several programs write.
MOSTLY_STAMPED = 0.5


def hosts_of(kernel: Format) -> tuple[str, ...]:
    """The formats of the logs in which lines of a filter stand."""
    return tuple(name for name, each in FORMATS.items() if kernel.stands_in_mail_logs and each.is_mail_log)


def score_whole_log(shares: dict[str, float], sample: bytes) -> dict[str, float]:
    """The confidence of each format (0 to 1) in a sample, by the share of its lines that each recognises.

    A log that has lines of a server is the server's, however many of them are a filter's: as the filter's, no
    mail in it would count. A log of stamped lines is of the format that has most of them, however few: the
    others are what an attack, the system or a remark of the server left between them.
    """
    scores = score_by_shape(shares, sample)
    best = max(scores, key=lambda name: scores[name])
    hosts = [host for host in hosts_of(KERNELS[best]) if scores[host] > 0]
    if not hosts:
        return scores
    host = max(hosts, key=lambda name: scores[name])
    return scores | {host: min(scores[host] + scores[best], 1.0), best: scores[host]}


def score_by_shape(shares: dict[str, float], sample: bytes) -> dict[str, float]:
    """Score formats where none has enough lines of a stamped log: those with some are half sure, and surer
    the more lines they have."""
    if max(shares.values()) >= SURE_ENOUGH or not any(shares.values()):
        return shares
    if not is_mostly_stamped(sample):
        return shares
    return {name: SURE_ENOUGH + (1 - SURE_ENOUGH) * share if share else 0.0 for name, share in shares.items()}


def is_mostly_stamped(sample: bytes) -> bool:
    """Return whether most lines of a sample have a stamp in front."""
    lines = sample_lines(sample)
    return bool(lines.str.contains(ANY_STAMP).sum() >= MOSTLY_STAMPED * max(len(lines), 1))


def find_host_log(name: str, block: bytes) -> str:
    """The format of the log that lines of a filter stand in, as a block of lines shows it; without lines of a
    server, the filter's own."""
    ends = (unwrap_sample(block[:LOOKED_AT]), unwrap_sample(block[-LOOKED_AT:]))
    scores = {host: max(map(KERNELS[host].sniff, ends)) for host in hosts_of(KERNELS[name])}
    best = max(scores, key=lambda host: scores[host], default=name)
    return best if scores.get(best, 0) > 0 else name


def recognise_format(sample: bytes) -> tuple[str | None, float]:
    """The format that recognises the sample best, and how sure it is; None when none is sure enough."""
    sample = unwrap_sample(sample)
    scores = score_whole_log({name: kernel.sniff(sample) for name, kernel in KERNELS.items()}, sample)
    name, confidence = max(scores.items(), key=lambda pair: pair[1])
    return (name, confidence) if confidence >= SURE_ENOUGH else (None, confidence)
