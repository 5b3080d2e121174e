"""Recognition of the format of a file, and of the files of a log that have one format."""

import glob
import os
from dataclasses import dataclass, field

from jobs.base.core.errors import SourceLost
from jobs.operators.formats import Options
from jobs.operators.formats.registry import (
    DOCUMENTS,
    FORMATS,
    LAID_OUT,
    MAPPED,
    PROFILES,
    SURE_ENOUGH,
    score_whole_log,
)
from jobs.operators.formats.shared.wrapped import unwrap_sample
from jobs.operators.ingest.chunks import DAMAGE
from jobs.operators.ingest.source_files import ROTATED
from jobs.operators.sniff import sampled_blocks
from jobs.operators.sniff.files import FileProblem, Log, LogFile, foreign_kind


@dataclass
class Recognised:
    """A file by its first bytes: how sure each format is, best first.

    Attributes:
        options: what a source must say beside the format, such as the profile of a delimited file.
        is_named: a person named the first format, however sure it is.
        assumed: where the options are a guess, lines as they decode them, masked.
    """

    file: LogFile
    head: bytes
    tail: bytes
    compression: str | None
    scores: list[tuple[str, float]]
    options: Options = field(default_factory=dict)
    is_named: bool = False
    assumed: list[str] = field(default_factory=list)

    @property
    def text(self) -> bytes:
        """The file's first bytes with lines unwrapped."""
        return unwrap_sample(self.head)

    @property
    def format(self) -> str | None:
        is_sure = self.is_named or (self.scores and self.scores[0][1] >= SURE_ENOUGH)
        return self.scores[0][0] if is_sure else None

    def take_layout(self, name: str, options: Options) -> None:
        """Read it as a log of this format in the operator's own layout."""
        self.scores = [(name, 1.0), *(pair for pair in self.scores if pair[0] != name)]
        self.options = options

    def set_format(self, kind: str) -> None:
        """Read it as a format that a person named."""
        self.scores.sort(key=lambda pair: pair[0] != kind)
        self.is_named = True


def recognise_file(file: LogFile) -> Recognised | FileProblem:
    """The confidence of each format in a file, or the file's fault."""
    try:
        with file.open_file() as raw:
            start = raw.read(sampled_blocks.HEAD)
        head, tail, compression = sampled_blocks.head_and_tail(file)
    except (*DAMAGE, ValueError, SourceLost) as error:
        return FileProblem(file.name, f"cannot be read: {error}")
    if not start:
        return FileProblem(file.name, "empty. There is nothing to count yet")
    scores, options = score_formats(head, start)
    found = Recognised(file, head, tail, compression, scores, options)
    if found.format is None:
        guess_layout(found)
    if found.format is None:
        if not head:
            text = f"damaged: nothing of its {compression} data can be read. Fetch it again"
            return FileProblem(file.name, text)
        what = foreign_kind(head) or (None if compression else foreign_kind(start))
        if what is not None:
            return FileProblem(file.name, what)
    return found


def guess_layout(recognised: Recognised) -> None:
    """Assume a layout in use that fits a log which an operator may have laid out itself."""
    for name, layouts in LAID_OUT.items():
        if options := layouts.guess_options(recognised.text):
            recognised.take_layout(name, options)
            recognised.assumed = layouts.show_lines(recognised.text, options)
            return


def score_formats(head: bytes, start: bytes) -> tuple[list[tuple[str, float]], Options]:
    """The confidence of each format (0 to 1), best first, and the options that the best one needs.

    Args:
        head: the first bytes, decompressed.
        start: as they lie, for formats that unpack by themselves.
    """
    text = unwrap_sample(head)
    scores = {name: module.sniff(text) for name, module in FORMATS.items()}
    for name, module in DOCUMENTS.items():
        scores[name] = max(module.sniff(head), module.sniff(start))
    profile, confidence = PROFILES.recognise(text) or ("", 0.0)
    is_mapped = confidence > scores[MAPPED]
    scores[MAPPED] = max(confidence, scores[MAPPED])
    ordered = sorted(score_whole_log(scores, text).items(), key=lambda pair: -pair[1])
    return ordered, {"profile": profile} if is_mapped and ordered[0][0] == MAPPED else {}


def separate_logs(
    logs: list[Log], profile: str | None = None, kind: str | None = None
) -> tuple[list[tuple[Log, list[Recognised]]], list[FileProblem]]:
    """The files of all logs by format and options, as separate_files() has them; reports of one format in one
    folder, which a shell may list file by file, are one log, with those that cannot be read."""
    parts: list[tuple[Log, list[Recognised]]] = []
    problems: list[FileProblem] = []
    for log in logs:
        found, wrong = separate_files(log, profile, kind)
        parts += found
        problems += wrong
    folders: dict[str, set[tuple[str, str]]] = {}
    for log, some in parts:
        if some[0].format in DOCUMENTS:
            folders.setdefault(folder_of(log), set()).add((some[0].format, repr(some[0].options)))
    kinds = {folder: next(iter(known)) for folder, known in folders.items() if len(known) == 1}
    joined: dict[str, tuple[Log, list[Recognised]]] = {}
    kept: list[tuple[Log, list[Recognised]]] = []
    for log, some in parts:
        folder = folder_of(log)
        if folder not in kinds or (some[0].format not in (None, kinds[folder][0])):
            kept.append((log, some))
        elif folder in joined:
            joined[folder][1].extend(some)
        else:
            joined[folder] = (log, list(some))
            kept.append(joined[folder])
    for place, (log, some) in enumerate(kept):
        if len(some) > len(log.files):
            url = shared_url([each.file.name for each in some], log.url)
            kept[place] = (Log(url, [each.file for each in some]), some)
    return kept, problems


def folder_of(log: Log) -> str:
    return log.url.rpartition("/")[0]


def separate_files(
    log: Log, profile: str | None = None, kind: str | None = None
) -> tuple[list[tuple[Log, list[Recognised]]], list[FileProblem]]:
    """The log's files by format and options: those of one wildcard may be of several.

    Args:
        profile: of a mapping profile to read all of them through, whatever they look like.
        kind: a format to read all of them as.
    """
    problems: list[FileProblem] = []
    alike: dict[tuple[str | None, str], list[Recognised]] = {}
    for file in log.files:
        found = recognise_file(file)
        if isinstance(found, FileProblem):
            problems.append(found)
        else:
            if profile is not None:
                found.scores, found.options = [(MAPPED, 1.0)], {"profile": profile}
            elif kind is not None:
                found.set_format(kind)
            alike.setdefault((found.format, repr(found.options)), []).append(found)
    known = [key for key in alike if key[0] is not None]
    if len(known) == 1 and known[0][0] in DOCUMENTS and len(alike) == 2:
        # A report that no format recognises is one that cannot be read: the source would quarantine it.
        alike = {known[0]: [each for some in (alike[known[0]], alike[None, "{}"]) for each in some]}
    if len(alike) <= 1:
        return [(log, some) for some in alike.values()], problems
    return [
        (Log(shared_url([each.file.name for each in some], log.url), [each.file for each in some]), some)
        for some in alike.values()
    ], problems


def shared_url(names: list[str], url: str) -> str:
    """A url for some of the files of a wildcard, the url: their own name, or what they begin with."""
    scheme, is_remote, rest = url.partition("://")
    # Names over HTTP are URLs; those of other hosts have no host, those of buckets have one.
    place = f"{scheme}://" if is_remote and not names[0].startswith(scheme) else ""
    place += rest.partition("/")[0] if place and names[0].startswith("/") else ""
    if len(names) == 1:
        return place + glob.escape(names[0])
    start = os.path.commonprefix(names)
    return place + glob.escape(ROTATED.sub("", start)) + "*"
