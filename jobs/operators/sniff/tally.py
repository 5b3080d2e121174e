"""Counts of a log's blocks: lines by the code that ingest gives them, patterns, bronze rows.

The numbers of a whole log are those of the ledger: jobs/operators/ingest/parsing.py reads the lines for both.

A kernel ignores lines about nothing that is counted. New versions and sites' own rules log refusals in words
that no kernel has met yet: such a line would be called understood. The words of REFUSES take too much rather
than too little; what is known to be no refusal of its own is named.

A file of a format of whole documents, such as reports in XML or mail, is read as one or more of them. The
format unpacks what it reads by itself: it is offered bytes as they lie.
"""

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field, replace

import polars as pl

from jobs.base.core.patterns import count_patterns
from jobs.base.tables.contracts import Row
from jobs.operators.formats import Source
from jobs.operators.formats.format import DocumentFormat, Format, LineFormat
from jobs.operators.formats.shared.lines import frame_lines
from jobs.operators.formats.shared.syslog import PROGRAMS_BESIDE
from jobs.operators.ingest import clock
from jobs.operators.ingest.parsing import bronze_rows, classify_lines
from jobs.operators.ingest.piece_ranges import Range
from jobs.operators.ingest.small_files import RowPlace
from jobs.operators.sniff.files import LogFile
from jobs.operators.sniff.sampled_blocks import LineBlock

REFUSES = (
    r"(?i)\b(?:reject|refus(?:e|ing|al)|den(?:y|ied)\b|disallow|block(?:ed|ing)\b|black ?list|discard"
    r"|drop(?:ped|ping)?\b|(?:limit|quota|size|maximum)\b.{0,20}\bexceeded|exceeds\b|too many\b"
    r"|not (?:permitted|allowed|accepted)\b|temp ?fail|throttl|banned\b|greylist|blackhol|prohibit)"
)
# Another server refused, or the system.
ELSEWHERE = r"(?i)connection refused|permission denied|(?:error|reply) from remote|host \S+ (?:said|refused)"
# Other programs beside a mail server: their own formats read what they refuse.
BESIDE = rf"^(?:\S+ +){{1,5}}{PROGRAMS_BESIDE.removeprefix('^')}"


def look_like_refusals(lines: pl.Series, kernel: LineFormat) -> pl.Series:
    """Return whether each of a log's ignored lines looks like a refusal; none of a log that has verdicts
    alone."""
    if kernel.transmissions is None or not len(lines):
        return pl.Series([False]).new_from_index(0, len(lines))
    found = lines.str.contains(REFUSES)
    places = found.arg_true()
    some = lines.gather(places)
    is_other = some.str.contains(ELSEWHERE)
    if kernel.repeats:
        is_other |= some.str.contains(kernel.repeats)
    if kernel.is_mail_log:
        is_other |= some.str.contains(BESIDE)
    return found.scatter(places.filter(is_other), False)


OPERATOR, SOURCE = "sniff", "sniff"
# Of one block, at most so many lines are made patterns of.
MASKED = 20_000
# More kinds of lines than these are not separated any further.
KINDS = 5_000
# So many patterns are shown.
COMMONEST = 10
# So many ignored lines at each end of a block widen the time range; those between are of the same time.
ENDS = 64
# Why an ignored line is shown.
REFUSAL, OTHER = "refusal", "other"
_PATTERNS = {
    "stream": pl.Int32,
    "reason_code": pl.String,
    "pattern": pl.String,
    "count": pl.Int64,
    "offset": pl.Int64,
}


@dataclass
class Lines:
    """Counts of the lines of one file, by code and reason."""

    lines: int = 0
    records: int = 0
    ignored: int = 0
    # Of the ignored lines, those that look like refusals.
    refusals: int = 0
    # And those that show that something is not in the log.
    lacks: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    # Records that another format found between the lines of this one, such as a filter's.
    companions: Counter[str] = field(default_factory=Counter)
    first_at: dt.datetime | None = None
    last_at: dt.datetime | None = None

    @property
    def quarantined(self) -> int:
        return sum(self.reasons.values())


@dataclass
class Kinds:
    """Lines by their pattern and a reason, the commonest of them, each with the place of a first one."""

    patterns: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_PATTERNS))
    first_lines: dict[tuple[int, int], int] = field(default_factory=dict)
    unmasked: int = 0

    def count_lines(self, file: int, some: pl.DataFrame, block: LineBlock, lines: pl.DataFrame) -> None:
        """Count lines of a block that have a `reason_code`; `lines` are all lines of the block."""
        if some.is_empty():
            return
        self.unmasked += max(some.height - MASKED, 0)
        found = count_patterns(some.head(MASKED), ["reason_code"]).with_columns(
            pl.lit(file, pl.Int32).alias("stream"), pl.col("count").cast(pl.Int64)
        )
        whole = pl.concat([self.patterns, found.select(list(_PATTERNS))])
        self.patterns = (
            whole.group_by("reason_code", "pattern")
            .agg(
                pl.col("count").sum(),
                pl.col("stream", "offset").sort_by("stream", "offset").first(),
            )
            .sort("count", "pattern", descending=[True, False])
            .head(KINDS)
            .select(list(_PATTERNS))
        )
        if block.first_line is not None:
            for (offset,) in found.select("offset").unique().head(KINDS).iter_rows():
                number = int(lines["offset"].search_sorted(offset))
                self.first_lines[file, offset] = block.first_line + number

    def list_commonest(self, reason_code: str | None = None) -> list[Row]:
        """The commonest patterns, of one reason or all, each with its file and a line's place there."""
        rows = self.patterns if reason_code is None else self.patterns_of(reason_code)
        ordered = rows.sort("count", "pattern", descending=[True, False]).head(COMMONEST).to_dicts()
        return [row | {"line": self.first_lines.get((row["stream"], row["offset"]))} for row in ordered]

    def patterns_of(self, reason_code: str) -> pl.DataFrame:
        return self.patterns.filter(pl.col("reason_code") == reason_code)


@dataclass
class Tally:
    """A log as read so far, by one format and those that write between its lines.

    Attributes:
        refused: the lines that were quarantined.
        ignored: those that were ignored, where `has_ignored` asks for them; their reason is REFUSAL or OTHER.
    """

    kernel: LineFormat
    has_ignored: bool = False
    files: list[Lines] = field(default_factory=list)
    bronze: dict[str, list[pl.DataFrame]] = field(default_factory=dict)
    refused: Kinds = field(default_factory=Kinds)
    ignored: Kinds = field(default_factory=Kinds)
    # Lines of each file that name the columns of those after them, with their offsets, in order.
    heads: dict[int, list[tuple[int, str]]] = field(default_factory=dict)

    def make_room(self, file: int) -> None:
        """Make room for a file's counts."""
        while len(self.files) <= file:
            self.files.append(Lines())

    def add_block(self, file: int, block: LineBlock, source: Source) -> None:
        """Count a block of a file; `source` has the file's own stream."""
        lines = frame_lines(block.data, block.offset)
        source = self._add_header(file, lines, block, source)
        place = RowPlace([Range("", 0, 0, "", 0, source)], [0], [0])
        counts = self.files[file]

        def keep_records(kernel: Format, records: pl.DataFrame) -> None:
            if records.is_empty():
                return
            see_times(counts, records)
            if kernel.name != self.kernel.name:
                counts.companions[kernel.name] += records.height
            rows = bronze_rows(kernel, place.add_streams(records), place, "").drop("part")
            self.bronze.setdefault(kernel.name, []).append(rows)

        codes = classify_lines(lines, place, self.kernel.name, keep_records)
        counts.lines += lines.height
        counts.records += len(codes.recorded)
        counts.ignored += codes.ignored.height
        refused = lines.join(
            codes.quarantined.drop("format_code"), on="offset", how="inner", maintain_order="left"
        )
        counts.reasons.update(dict(refused["reason_code"].value_counts().iter_rows()))
        self.refused.count_lines(file, refused, block, lines)
        ignored = lines.join(codes.ignored, on="offset", how="semi", maintain_order="left")
        ends = ignored if ignored.height <= 2 * ENDS else ignored.head(ENDS).vstack(ignored.tail(ENDS))
        see_times(counts, parse_stamps(self.kernel, ends, source))
        self._see_ignored(file, ignored, block, lines)

    def _add_header(self, file: int, lines: pl.DataFrame, block: LineBlock, source: Source) -> Source:
        """The source with the last line before a block that names columns, as far as the file was read."""
        is_head = self.kernel.is_head
        if is_head is None:
            return source
        heads = self.heads.setdefault(file, [])
        before = [text for offset, text in heads if offset < block.offset]
        heads += lines.filter(is_head(pl.col("line"))).select("offset", "line").rows()
        heads.sort()
        return replace(source, head=before[-1] if before else None)

    def _see_ignored(self, file: int, ignored: pl.DataFrame, block: LineBlock, lines: pl.DataFrame) -> None:
        is_refusal = look_like_refusals(ignored["line"], self.kernel)
        self.files[file].refusals += int(is_refusal.sum())
        if self.kernel.lacks:
            self.files[file].lacks += int(ignored["line"].str.contains(self.kernel.lacks[0]).sum())
        if self.has_ignored:
            reason = pl.when(is_refusal).then(pl.lit(REFUSAL)).otherwise(pl.lit(OTHER))
            is_empty = pl.col("line").str.strip_chars() == ""
            coded = ignored.with_columns(reason.alias("reason_code")).filter(~is_empty)
            self.ignored.count_lines(file, coded, block, lines)

    def bronze_rows(self) -> dict[str, pl.DataFrame]:
        """The bronze rows of each format, of all blocks."""
        return {name: pl.concat(frames) for name, frames in self.bronze.items()}

    @property
    def rows(self) -> int:
        return sum(frame.height for frames in self.bronze.values() for frame in frames)


def parse_stamps(kernel: LineFormat, lines: pl.DataFrame, source: Source) -> pl.DataFrame:
    """The rows of parse() of lines that are not quarantined: ignored lines have a time, too."""
    parsed = kernel.parse(lines.select("offset", "line").lazy(), source).collect()
    return clock.quarantine_future(parsed, source).filter(pl.col("line_code") != "quarantined")


def see_times(counts: Lines, parsed: pl.DataFrame) -> None:
    """Widen the time range by rows of parse()."""
    times = line_times(parsed)
    if times is None:
        return
    first, last = times[0].min(), times[1].max()
    if isinstance(first, dt.datetime) and isinstance(last, dt.datetime):
        counts.first_at = min(counts.first_at or first, first)
        counts.last_at = max(counts.last_at or last, last)


def line_times(parse: pl.DataFrame) -> tuple[pl.Series, pl.Series] | None:
    """The first and the last time of each line; None of a format whose lines have none.

    A block's own time goes before that of its file, which the other lines of a block have.
    """
    times = [name for name, kind in parse.schema.items() if isinstance(kind, pl.Datetime)]
    name = next(
        (name for name in ("received_at", "at", "first_at") if name in times), times[0] if times else None
    )
    if name is not None:
        return parse[name], parse[name]
    for name, kind in parse.schema.items():
        if (
            isinstance(kind, pl.List)
            and isinstance(kind.inner, pl.Struct)
            and "first_at" in kind.inner.to_schema()
        ):
            of_rows = parse[name].list.eval(pl.element().struct.field("first_at"))
            return of_rows.list.min(), of_rows.list.max()
    return None


# No report is larger; what unpacks to more is refused by the format.
LARGEST = 64 << 20


@dataclass
class Documents:
    """Counts of the documents of a log's files."""

    documents: int = 0
    records: int = 0
    ignored: int = 0
    rows: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    files_read: int = 0
    examples: dict[str, str] = field(default_factory=dict)


def count_documents(kernel: DocumentFormat, file: LogFile, source: Source, into: Documents) -> None:
    """Add the documents of one file."""
    with file.open_file() as raw:
        data = raw.read(LARGEST)
    name = file.name.rsplit("/", 1)[-1]
    into.files_read += 1
    for document in kernel.read(data, name, source, LARGEST):
        into.documents += 1
        reason = getattr(document, "reason_code", None)
        if reason:
            into.reasons[reason] += 1
            into.examples.setdefault(reason, name)
        elif document.rows:
            into.records += 1
            into.rows += len(document.rows)
        else:
            into.ignored += 1
