"""The content of a respondent's file: lines of cells, each with its place."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs.study.questionnaire.texts import translate_key

COLUMNS = ("code", "question", "unit", "answer", "status", "waiver", "note", "check")
# The columns that a respondent fills in.
FILLED = ("answer", "status", "waiver", "note")
SHOWN = 80
# Messages of questions without an answer.
GAPS = ("required", "required_any", "definition_needed")


@dataclass(frozen=True)
class FilePlace:
    """A place in a file: a sheet and a cell, or the file's name and a line."""

    sheet: str
    cell: str

    def __str__(self) -> str:
        return f"{self.sheet}!{self.cell}" if self.cell else self.sheet


@dataclass(frozen=True)
class FormCell:
    """The content of a cell.

    Attributes:
        number_format: the spreadsheet's format, which may contain the unit.
    """

    value: str | int | float | bool | dt.date | None
    place: FilePlace
    is_formula: bool = False
    is_error: bool = False
    number_format: str = ""

    @property
    def is_empty(self) -> bool:
        return self.value is None or (isinstance(self.value, str) and not self.value.strip())

    @property
    def short_text(self) -> str:
        """The value as a text that is short enough for a message."""
        if self.value is None:
            return ""
        shown = self.value.isoformat()[:10] if isinstance(self.value, dt.date) else str(self.value).strip()
        return shown if len(shown) <= SHOWN else shown[: SHOWN - 1] + "…"


@dataclass(frozen=True)
class FormLine:
    """One line of a form: an indicator, and the cells that the respondent fills in."""

    indicator: str
    cells: dict[str, FormCell]

    @property
    def is_open(self) -> bool:
        """Return whether it has neither an answer nor a status."""
        return all(self.cells[name].is_empty for name in ("answer", "status") if name in self.cells)


@dataclass(frozen=True)
class Fault:
    """An error or a gap that a respondent is asked to correct: its place, the text there, and the message's
    key.

    Attributes:
        column: the column that it is in.
        others: further indicators of which one may be wrong instead.
    """

    place: FilePlace
    indicator: str
    written: str
    group: str
    key: str
    values: Mapping[str, object] = field(default_factory=dict)
    column: str = "answer"
    others: tuple[str, ...] = ()

    @property
    def is_gap(self) -> bool:
        """Return whether nothing is wrong, but an answer is missing."""
        return self.key in GAPS

    @property
    def lost_indicators(self) -> tuple[str, ...]:
        """The indicators whose answers cannot count: none where only a note or a waiver is wrong."""
        return (self.indicator, *self.others) if self.column in ("answer", "status") else ()

    def format_message(self, language: str) -> str:
        return translate_key(language, self.group, self.key, **{"value": self.written, **self.values})


@dataclass(frozen=True)
class Filing:
    """One file of one respondent, not yet checked."""

    file_name: str
    sha256: str
    respondent_id: str
    period: str
    language: str
    version: str
    lines: list[FormLine]
    faults: list[Fault]


class Refused(Exception):
    """A file that cannot be read at all; the fault has the reason.

    Attributes:
        identity: whose form it is, if it says.
    """

    def __init__(self, fault: Fault, identity: Mapping[str, str] | None = None) -> None:
        super().__init__(fault.key)
        self.fault = fault
        self.identity = identity or {}


def file_refusal(file_name: str, key: str, group: str = "file", **values: object) -> Refused:
    return Refused(Fault(FilePlace(file_name, ""), "", str(values.get("value", "")), group, key, values))
