"""Descriptions of formats. The registry finds them; settings, tables and docs derive from them."""

import datetime as dt
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.base.core.column_types import ColumnTypes
from jobs.base.tables.contracts import bronze_columns
from jobs.operators.formats import Document, Options, Source
from jobs.operators.formats.shared.lines import LONGEST_LINE

# Tables that take rows of every format.
TABLES_OF_EVERY_FORMAT = ("silver.copy_daily",)
# Functions of a kernel: of bronze rows, of the lines of a block, of a file. The package's docstring says
# which rows they take and return.
RowsToRows = Callable[[pl.LazyFrame], pl.LazyFrame]
LinesToRows = Callable[[pl.LazyFrame, Source], pl.LazyFrame]
LinesToRecords = Callable[[pl.DataFrame, Source], tuple[pl.DataFrame, pl.DataFrame]]
FileToDocuments = Callable[[bytes, str, Source, int], Iterator[Document]]


@dataclass(frozen=True)
class Events:
    """Functions of a format whose bronze rows hold several events; a copy may have them in other rows.

    Attributes:
        key: the columns that name what an event belongs to.
        is_of_several: from rows, which of them hold several events.
        taken_apart: from rows, a row per event.
        by_lifetime: from events, the rows again.
        event_times: from rows and the number of each one's file, the file, `at` and `offset` of each event.
        has_event_at: from seconds, which rows have an event in one of them.
    """

    key: list[str]
    is_of_several: Callable[[pl.DataFrame], pl.Series]
    taken_apart: Callable[[pl.DataFrame], pl.DataFrame]
    by_lifetime: Callable[[pl.DataFrame], pl.DataFrame]
    event_times: Callable[[pl.DataFrame, pl.Series], pl.DataFrame]
    has_event_at: Callable[[pl.Series], pl.Expr]


@dataclass(frozen=True)
class CopyRules:
    """Rules that recognise an event that several files hold (jobs/operators/silver/copies.py).

    Attributes:
        names_hosts: ids that no other host gives name an event: all sources are compared.
        is_snapshot: files overlap by design: each has all that there was when it was pulled.
        differing: columns in which two copies may differ, beside their place and fractions of a second.
        naming: columns that name an event by themselves: a block may be cut where its file ends.
        second_row: the event_code of a line's second row, which has another key.
        last: the column with the time until which a row has events.
        stamp: the column with a line's stamp as logged, where two lines of one second may have different
            ones.
        has_stable_key: a row's assembly_key does not hold its place.
        is_timeless: what a row holds names its event, whoever stamped the line, and when.
    """

    names_hosts: bool = False
    is_snapshot: bool = False
    differing: tuple[str, ...] = ()
    naming: tuple[str, ...] = ()
    second_row: str | None = None
    last: str = "first_at"
    stamp: str | None = None
    has_stable_key: bool = False
    is_timeless: bool = False
    events: Events | None = None


@dataclass(frozen=True)
class Requests:
    """Requests for SMS that a format records, and that another format records and counts as messages.

    Attributes:
        format: that other format.
        log: what people call its log.
        program: what accepts the requests.
        option: the option that is false for an operator without such a log.
        is_request, is_message: which bronze rows of the one are requests, and of the other what came of one.
        within: how long after its request a message may be recorded.
        slack: how long before, by two clocks.
    """

    format: str
    log: str
    program: str
    option: str
    is_request: pl.Expr
    is_message: pl.Expr
    within: dt.timedelta
    slack: dt.timedelta

    def are_counted_there(self, options: Options) -> bool:
        """Return whether a source with these options leaves it to the other log to count what was
        accepted."""
        return bool(options.get(self.option, True))


@dataclass(frozen=True)
class Profiles:
    """Mapping profiles of a format; a source names its profile in its options.

    Attributes:
        recognise: from a sample's bytes, the name of a shipped profile that fits, and how sure that is.
        draft: from a sample's bytes, a profile to start from, as TOML.
    """

    recognise: Callable[[bytes], tuple[str, float] | None]
    draft: Callable[[bytes], str]


@dataclass(frozen=True)
class OwnLayouts:
    """Layouts of a format that operators may define themselves, found by a log's first bytes.

    Attributes:
        log: what people call such a log.
        setting: where the program has its layout; both as parts of a sentence.
        is_log: from a log's first bytes, whether it is such a log, whatever its layout.
        guess_options: from them, the options of a layout in use that fits; None without one.
        check_layout: from them and a layout that a person names, the options for it; raises ObservatoryError
            where it does not fit.
        show_lines: from them and options, the first lines as they are decoded, masked.
    """

    log: str
    setting: str
    is_log: Callable[[bytes], bool]
    guess_options: Callable[[bytes], Options | None]
    check_layout: Callable[[bytes, str], Options]
    show_lines: Callable[[bytes, Options], list[str]]


@dataclass(frozen=True, kw_only=True)
class Format:
    """The description of a format. A kernel module ends with its FORMAT, a LineFormat or a DocumentFormat.

    Rows for silver, still with raw identifiers: transmissions, verdicts, complaints,
    authentication_reports, facts.

    Rows that belong together:

    Bronze rows of an operator that transmissions() or verdicts() need together have the same assembly_key.

    Settings:

    Attributes:
        name: as settings write it; the bronze table is bronze.<name>.
        title, description: as the list of formats has them (schemas/codelists/format.csv).
        channels: those that its transmissions may have; () for filters, reports, and where a profile decides.
        lookback_days: how long after its first event a message may still have events.
        sniff: from a sample's bytes, how sure it is, from 0 to 1, that they are of this format.
        assemble: from records, bronze rows; assemble(a + b) == assemble(assemble(a) + assemble(b)).
        rules_of: engines whose rules of types and countermeasures hold for its rows beside its own and those
            of every engine (schemas/reference/type_rule.csv, countermeasure_rule.csv).
        names_signatures: the symbols of its verdicts are names of viruses: rules on `signature_regex` match
            them.
        engines_of_origin: engines of its verdicts that judge a message's origin, not whether it is spam.
        place: what decides in which bucket of silver a row is, instead of its queue_id, or else its
            assembly_key. Copies of a row must share it. A format needs one if its keys hold the source or the
            place in a file (place_of_event() of jobs/operators/formats/shared/fields.py), or if rows of a key
            have different queue ids.
        is_held: which bronze rows get their key only when the rows of all pieces are there.
        settle: from those rows, the same with their keys.
        completed_by: the format whose records complete or repeat these transmissions; both have the same
            keys.
        complete: of that other format, joins these transmissions and its records.
        requests: of a format of requests for messages that another format records.
        copies: how an event that several files hold is recognised.
        has_absolute_stamps: its stamps are seconds of UTC, whatever zone a host has.
        awaits_no_lines: it is no log, and so never stale.
        options: the names of the options that a source may have.
        check_options: from options and a folder that paths in them are relative to, the options as tasks get
            them; raises ObservatoryError for a wrong one.
        has_numbers: its files may write numbers as they are dialled inside a country.
    """

    name: str
    title: str
    description: str
    lookback_days: int
    sniff: Callable[[bytes], float]
    assemble: RowsToRows
    channels: tuple[str, ...] = ()
    transmissions: RowsToRows | None = None
    verdicts: RowsToRows | None = None
    complaints: RowsToRows | None = None
    authentication_reports: RowsToRows | None = None
    facts: RowsToRows | None = None
    rules_of: tuple[str, ...] = ()
    names_signatures: bool = False
    engines_of_origin: tuple[str, ...] = ()
    place: pl.Expr | None = None
    is_held: pl.Expr | None = None
    settle: RowsToRows | None = None
    completed_by: str | None = None
    complete: Callable[[pl.LazyFrame, pl.LazyFrame], pl.LazyFrame] | None = None
    requests: Requests | None = None
    copies: CopyRules = CopyRules()
    has_absolute_stamps: bool = False
    awaits_no_lines: bool = False
    options: tuple[str, ...] = ()
    check_options: Callable[[Options, Path], Options] | None = None
    has_numbers: bool = False
    # Of formats of lines (LineFormat).
    profiles: Profiles | None = None
    is_mail_log: bool = False
    stands_in_mail_logs: bool = False

    @property
    def kind(self) -> str:
        """The way in which its files are read, a value of the column `kind` of the list of formats: as whole
        documents, as lines, or as lines by a profile that the source names."""
        raise NotImplementedError

    @property
    def bronze(self) -> ColumnTypes:
        """The columns of its bronze rows, and their types."""
        return bronze_columns(self.name)

    @property
    def silver_rows(self) -> dict[str, RowsToRows]:
        """Return the functions that return silver rows of its bronze rows, by silver table."""
        hooks = {
            "silver.transmission": self.transmissions,
            "silver.verdict": self.verdicts,
            "silver.complaint": self.complaints,
            "silver.authentication_report": self.authentication_reports,
            "silver.operator_knowledge": self.facts,
        }
        return {table: rows_of for table, rows_of in hooks.items() if rows_of}

    @property
    def silver(self) -> tuple[str, ...]:
        """The silver tables that take rows of it."""
        return (*self.silver_rows, *TABLES_OF_EVERY_FORMAT)


@dataclass(frozen=True, kw_only=True)
class LineFormat(Format):
    """A format whose files are lines.

    Attributes:
        parse: from lines and their source, one row per line: typed, ignored or quarantined.
        records: where rows of parse() are wide and many lines are no records: from lines and their source,
            offset, line_code and reason_code of every line, and the rows of parse() that are records; both in
            file order.
        longest_line: the bytes that a line may have; a longer one is quarantined without being read.
        is_read_alone: parse() gets lines of one file at a time, because what it gives of a line depends on
            other lines or on the file's own time; of other formats many small files come in one call.
        is_head: which lines name the columns of those after them; the last one before a piece comes with its
            Source.
        profiles: of a format that is read through a mapping profile, and means nothing without one.
        own_layouts: of a format that operators may lay out themselves.
        lacks: a pattern of ignored lines by which something is missing in the log, and a sentence that says
            what.
        repeats: a pattern of ignored lines that repeat what another line refuses, or remark what was let
            through.
        joined: a pattern of a line that was several, which a shipper made one of: #012 stands for their ends.
        is_json: its lines are objects of JSON; of another format such a line is one that is cut, or without
            text.
        is_mail_log: it is the log of a mail server, among whose lines filters write theirs.
        stands_in_mail_logs: its lines, of a filter, stand in the logs of mail servers. Of lines that hold its
            texts, parse() ignores those of other programs.
        literals: texts of which every line of its own holds one.
        pattern: where these are common words, a pattern that every line of its own contains.
        newest_from_ids: from bytes of a log, the newest time that its ids tell.
        offset_from_ids: from bytes of a log, the zone of its stamps, as its ids tell it.
    """

    parse: LinesToRows
    records: LinesToRecords | None = None
    longest_line: int = LONGEST_LINE
    is_read_alone: bool = False
    is_head: Callable[[pl.Expr], pl.Expr] | None = None
    joined: str | None = None
    is_json: bool = False
    repeats: str | None = None
    lacks: tuple[str, str] | None = None
    literals: tuple[str, ...] = ()
    pattern: str | None = None
    newest_from_ids: Callable[[bytes], dt.datetime | None] | None = None
    offset_from_ids: Callable[[bytes], dt.timedelta | None] | None = None
    own_layouts: OwnLayouts | None = None

    @property
    def kind(self) -> str:
        return "profile" if self.profiles else "lines"

    @property
    def own_text(self) -> str:
        """A pattern that every line of its own contains, of a format that stands in the logs of others."""
        # contains_any() takes three times as long.
        return self.pattern or "|".join(map(re.escape, self.literals))

    def refuse_lines(self, lines: pl.DataFrame) -> pl.Series:
        """The reason why each line of frame_lines() is quarantined unparsed; null for the others."""
        is_long = pl.col("line_bytes") > self.longest_line
        # What is still wrapped could not be unwrapped.
        is_cut = pl.lit(False) if self.is_json else pl.col("line").str.starts_with('{"')
        is_joined = pl.col("line").str.contains(self.joined) if self.joined else pl.lit(False)
        code = choose_code(too_long=is_long, bad_json=is_cut, several_lines=is_joined)
        return lines.select(code.alias("reason_code")).to_series()


@dataclass(frozen=True, kw_only=True)
class DocumentFormat(Format):
    """A format whose files are whole reports.

    Attributes:
        read: from a file's bytes, its name, its source and the most bytes that it may unpack to, one Document
            per report that is in it.
        has_lines: a file that is plain text has a report on each line, such as rows of CSV.
    """

    read: FileToDocuments
    has_lines: bool = False

    @property
    def kind(self) -> str:
        return "documents"
