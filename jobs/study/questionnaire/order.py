"""The inputs of a workbook, and the places of its cells."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xlsxwriter.utility import xl_rowcol_to_cell

from jobs.study.questionnaire.filing import COLUMNS, Fault
from jobs.study.questionnaire.respondents import Respondent


@dataclass
class Layout:
    """The places of a workbook: each indicator's sheet and row, and each list's cells.

    Attributes:
        period: the form's.
    """

    period: str
    sheet_of: dict[str, str] = field(default_factory=dict)
    row_of: dict[str, int] = field(default_factory=dict)
    list_range: dict[str, str] = field(default_factory=dict)

    def cell_reference(
        self, indicator: str, column: str, absolute: bool = False, seen_from: str | None = None
    ) -> str:
        """The reference of an indicator's cell; seen from another sheet, with its own sheet's name."""
        name = xl_rowcol_to_cell(self.row_of[indicator], COLUMNS.index(column), absolute, absolute)
        sheet = self.sheet_of[indicator]
        return name if sheet == seen_from else f"'{sheet}'!{name}"


@dataclass(frozen=True)
class Letterhead:
    """The study's office on the first sheet, as far as its settings name it."""

    deadline: str | None = None
    return_address: str | None = None
    contact: str | None = None


@dataclass(frozen=True)
class Order:
    """The inputs of a workbook.

    Attributes:
        filled: values already in cells, by indicator and column.
    """

    respondent: Respondent
    language: str
    period: str
    is_core: bool = False
    filled: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    letterhead: Letterhead = Letterhead()

    @property
    def currency(self) -> str:
        return self.respondent.currency_of(self.period)
