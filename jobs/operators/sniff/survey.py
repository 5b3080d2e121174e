"""One log, looked at: a first answer from its beginning and end, then totals from what time allows."""

from __future__ import annotations

import datetime as dt
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jobs.base.settings import config
from jobs.operators.formats import AHEAD, Options, Source
from jobs.operators.formats.format import DocumentFormat
from jobs.operators.formats.registry import DOCUMENTS, FORMATS
from jobs.operators.formats.shared.lines import first_line, frame_lines
from jobs.operators.ingest.file_formats import newest_line
from jobs.operators.ingest.source_files import newest_times
from jobs.operators.sniff import sampled_blocks
from jobs.operators.sniff.files import FileProblem, Log
from jobs.operators.sniff.recognition import Recognised
from jobs.operators.sniff.tally import (
    OPERATOR,
    SOURCE,
    Documents,
    Lines,
    Tally,
    count_documents,
    parse_stamps,
    see_times,
)
from jobs.operators.sniff.zones import Zone, zone_of

if TYPE_CHECKING:
    from jobs.operators.sniff.silver import Units

# Another format is worth a word when it is nearly as sure.
CLOSE = 0.6
# Time for drawing.
RESERVE_S = 0.3
# A machine that has other work takes longer than it took when it was measured.
CAUTION = 1.5
# What a row costs to join is measured from so many on: below it, what is fixed hides it.
MEASURED_FROM = 2000


@dataclass
class LogSurvey:
    """All that is printed of one log. `is_final` once the totals are there."""

    log: Log
    recognised: list[Recognised]
    format: str | None = None
    confidence: float = 0.0
    runner_up: tuple[str, float] | None = None
    options: Options = field(default_factory=dict)
    zone: Zone | None = None
    progress: list[sampled_blocks.Progress] = field(default_factory=list)
    tally: Tally | None = None
    documents: Documents | None = None
    transmissions: dict[tuple[str, str, str], float] = field(default_factory=dict)
    verdicts: dict[tuple[str, str, bool | None], float] = field(default_factory=dict)
    units: Units | None = None
    problems: list[FileProblem] = field(default_factory=list)
    copies: list[tuple[str, str]] = field(default_factory=list)
    # Of each file that was read, the stream that its rows name.
    streams: list[str] = field(default_factory=list)
    first_at: dt.datetime | None = None
    last_at: dt.datetime | None = None
    is_final: bool = False

    @property
    def is_exact(self) -> bool:
        return all(each.is_whole for each in self.progress) and not any(
            file.is_cut for file in self.log.files
        )

    @property
    def share_read(self) -> float:
        """Return the share of bytes read, of decompressed bytes where a file is compressed, 0 to 1."""
        total = sum(each.total for each in self.progress)
        return sum(each.read for each in self.progress) / total if total else 1.0

    def quarantined_by_reason(self) -> dict[str, float]:
        """Quarantined lines by reason, each file's scaled to the whole of it."""
        return self._sum_scaled("reasons")

    def records_by_companion(self) -> dict[str, float]:
        """Records of other formats between the lines, scaled likewise."""
        return self._sum_scaled("companions")

    def _sum_scaled(self, name: str) -> dict[str, float]:
        assert self.tally is not None
        sums: dict[str, float] = {}
        for lines, progress in zip(self.tally.files, self.progress, strict=False):
            for key, number in getattr(lines, name).items():
                sums[key] = sums.get(key, 0.0) + number * progress.scale
        return dict(sorted(sums.items()))

    def estimate_count(self, counts: Callable[[Any], float]) -> float:
        """A count of all files' lines, each file by its own scale."""
        assert self.tally is not None
        return sum(
            counts(lines) * progress.scale
            for lines, progress in zip(self.tally.files, self.progress, strict=False)
        )


def survey_log(
    log: Log,
    recognised: list[Recognised],
    until: float,
    has_totals: bool = True,
    has_ignored: bool = False,
) -> Iterator[LogSurvey]:
    """The first answer, the same with what was read since, again and again, and the final one.

    Args:
        until: when to be done (monotonic). One answer object is yielded all along.
        has_totals: join and count what was read; without it the answer has the rows alone.
        has_ignored: sort ignored lines by their kind.
    """
    best = max(recognised, key=lambda each: each.scores[0][1] if each.scores else 0.0)
    answer = LogSurvey(log, recognised, best.format)
    if best.scores:
        answer.confidence = min(
            (
                score
                for each in recognised
                for name, score in each.scores
                if name == best.format and each.format == name
            ),
            default=best.scores[0][1],
        )
        others = [pair for pair in best.scores[1:] if pair[1] >= max(CLOSE * best.scores[0][1], 0.05)]
        answer.runner_up = others[0] if others else None
    if best.format is None:
        answer.is_final = True
        yield answer
        return
    answer.options = best.options
    if best.format in DOCUMENTS:
        yield from _look_at_documents(answer, DOCUMENTS[best.format], until)
        return
    yield from _look_at_lines(answer, Tally(FORMATS[best.format], has_ignored), until, has_totals)


def _look_at_documents(answer: LogSurvey, kernel: DocumentFormat, until: float) -> Iterator[LogSurvey]:
    answer.documents = Documents()
    sources, _ = _make_sources(answer)
    for number, each in enumerate(answer.recognised):
        count_documents(kernel, each.file, sources[number], answer.documents)
        if number == 0:
            yield answer
        if time.monotonic() >= until:
            break
    answer.is_final = True
    yield answer


def _look_at_lines(answer: LogSurvey, tally: Tally, until: float, has_totals: bool) -> Iterator[LogSurvey]:
    """Yield the answer after each block of lines that is read, and once more when all is read."""
    kernel, answer.tally = tally.kernel, tally
    _leave_out_copies(answer)
    sources, written_at = _make_sources(answer)
    answer.zone = zone_of(_read_ends(answer), kernel, sources[-1], written_at)
    sources = [replace(source, time_zone=answer.zone.name or "UTC") for source in sources]
    answer.streams = [source.stream_id for source in sources]
    answer.progress = [sampled_blocks.Progress() for _ in sources]
    # The time range by both ends, before anything between them is read.
    for sample in _read_ends(answer):
        lines = Lines()
        see_times(lines, parse_stamps(kernel, frame_lines(sample, 0), sources[-1]))
        _widen_sources(answer, lines)
    clock = _Clock(until, answer, sources)
    longest = kernel.longest_line
    for number, each in enumerate(answer.recognised):
        progress = answer.progress[number]
        tally.make_room(number)
        clock.give_share(number)
        for block in sampled_blocks.read_blocks(each.file, progress, clock.find_deadline, longest):
            tally.add_block(number, block, sources[number])
            for counted in tally.files:
                _widen_sources(answer, counted)
            if has_totals:
                clock.measure_joining()
            yield answer
        if progress.damage:
            text = f"damaged, {progress.damage}. What came before is counted; fetch it again"
            answer.problems.append(FileProblem(each.file.name, text))
    if has_totals:
        summarise_answer(answer, sources)
    answer.is_final = True
    yield answer


def _leave_out_copies(answer: LogSurvey) -> None:
    """Leave out files that hold nothing but what another one begins with: a pull lands that once."""
    kept: list[Recognised] = []
    by_line: dict[bytes, list[Recognised]] = {}
    for each in answer.recognised:
        by_line.setdefault(first_line(each.head), []).append(each)
    left_out: dict[str, str] = {}
    for alike in by_line.values():
        for one in alike:
            for other in alike:
                is_between = one is not other and other.file.name not in left_out
                if (
                    is_between
                    and one.file.name not in left_out
                    and sampled_blocks.begins_with(other.file, one.file)
                ):
                    left_out[one.file.name] = other.file.name
    kept = [each for each in answer.recognised if each.file.name not in left_out]
    answer.copies = sorted(left_out.items())
    answer.recognised = kept


def _make_sources(answer: LogSurvey) -> tuple[list[Source], dt.datetime | None]:
    """The source of each file, as a pull finds it; and the time at which the last one was written."""
    newest: dict[str, dt.datetime] = {}
    on_disk = [each.file for each in answer.recognised if each.file.fs is not None]
    for fs in {id(file.fs): file.fs for file in on_disk}.values():
        newest |= newest_times(fs, [file.name for file in on_disk if file.fs is fs])
    now = dt.datetime.now(dt.UTC)
    read_at = config.fixed_time()
    taken: Counter[str] = Counter()
    sources = []
    for each in answer.recognised:
        stream = hashlib.sha256(first_line(each.head)).hexdigest()[:16]
        taken[stream] += 1
        stream += f"-{taken[stream]}" if taken[stream] > 1 else ""
        written_at = newest.get(each.file.name, now)
        assert answer.format is not None
        at = written_at
        if answer.documents is None:
            at = newest_line(answer.format, each.tail or each.head, at)
        latest_at = (read_at or max(written_at, now)) + AHEAD
        at = min(at, read_at) if read_at else at
        sources.append(Source(OPERATOR, SOURCE, stream, at, options=answer.options, latest_at=latest_at))
    last = answer.recognised[-1]
    is_growing = last.file.fs is not None and not last.compression and last.tail.endswith(b"\n")
    return sources, newest.get(last.file.name) if is_growing else None


def _read_ends(answer: LogSurvey) -> list[bytes]:
    """Whole lines from the beginning of the oldest file and the end of the youngest."""
    first, last = answer.recognised[0], answer.recognised[-1]
    end = last.tail.partition(b"\n")[2] if len(last.tail) == sampled_blocks.HEAD else last.tail
    end = end or last.head
    samples = [sample[: sample.rfind(b"\n") + 1] or sample for sample in (first.head, end)]
    return samples if samples[0] != samples[1] else samples[:1]


def _widen_sources(answer: LogSurvey, lines: Lines) -> None:
    if lines.first_at is not None and lines.last_at is not None:
        answer.first_at = min(answer.first_at or lines.first_at, lines.first_at)
        answer.last_at = max(answer.last_at or lines.last_at, lines.last_at)


class _Clock:
    """The time at which reading stops, so that there is time for joining and counting what was read.

    The time left is shared among the files by their size. What a row costs to join is measured as rows come.
    """

    def __init__(self, end: float, answer: LogSurvey, sources: list[Source]) -> None:
        self.end, self.answer, self.sources = end, answer, sources
        self.row_s = 0.0
        self.measured_at = MEASURED_FROM
        self.file_end, self.rows_then = end, 0

    def give_share(self, number: int) -> None:
        """Give the next file its part of the time that is left."""
        sizes = [_estimate_bytes(each) for each in self.answer.recognised[number:]]
        self.rows_then = self._count_rows()
        left = self.end - time.monotonic() - RESERVE_S - self.row_s * self.rows_then
        self.file_end = time.monotonic() + max(left, 0.0) * sizes[0] / sum(sizes)

    def find_deadline(self) -> float:
        return self.file_end - self.row_s * (self._count_rows() - self.rows_then)

    def measure_joining(self) -> None:
        """Join and count what there is, whenever there is four times as much."""
        if self._count_rows() < self.measured_at:
            return
        begun = time.monotonic()
        summarise_answer(self.answer, self.sources)
        self.row_s = CAUTION * (time.monotonic() - begun) / self._count_rows()
        self.measured_at = 4 * self._count_rows()

    def _count_rows(self) -> int:
        assert self.answer.tally is not None
        return self.answer.tally.rows


def _estimate_bytes(each: Recognised) -> int:
    """About how many bytes there are to read: text packs to a tenth."""
    size = each.file.size if each.file.size is not None else len(each.file.content or b"")
    return max(size, 1) * (10 if each.compression else 1)


def summarise_answer(answer: LogSurvey, sources: list[Source]) -> None:
    """Totals of what was read, each file's scaled to the whole of it."""
    # The first answer does not wait for silver's kernels to be imported.
    from jobs.operators.sniff import silver

    assert answer.tally is not None
    pairs = list(zip(sources, answer.progress, strict=True))
    scales = {source.stream_id: progress.scale for source, progress in pairs}
    sampled = [source.stream_id for source, progress in pairs if not progress.is_whole]
    found = silver.count_silver(answer.tally.bronze_rows(), scales, sampled)
    answer.transmissions, answer.verdicts, answer.units = found.transmissions, found.verdicts, found.units
