"""Figures of countries from files of ITU and the World Bank in their published layouts (sources.yaml)."""

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import Any

from jobs.base.core.archives import DAMAGED, Damaged, open_archive
from jobs.base.core.errors import ObservatoryError
from jobs.base.settings.countries import country_codes
from jobs.base.tables.contracts import read_yaml
from jobs.study.questionnaire.filing import Refused
from jobs.study.questionnaire.filled_forms import decode_text

# The World Bank's files have four lines before their headings.
HEADED = 10
# Bytes of a file as text; all indicators of the World Bank together have some 200 million.
LARGEST = 256 * 2**20
# So many characters a cell may have.
LONGEST = 1 << 17
YEAR = re.compile(r"((?:19|20)\d\d)(?: \[YR\d{4}\])?")
NOTHING = {"", "..", "n/a", "-"}
Rows = Iterator[list[str]]


@dataclass(frozen=True)
class CountryFigure:
    """A figure of a country and year.

    Attributes:
        name: as sources.yaml calls it.
        rank: of its source; the first stands.
    """

    name: str
    country: str
    year: int
    value: float
    source: str
    rank: int


@cache
def load_sources() -> Mapping[str, Any]:
    """The content of sources.yaml."""
    found: Mapping[str, Any] = read_yaml(Path(__file__).with_name("sources.yaml"))
    return found


def read_texts(file: Path) -> Iterator[str]:
    """The texts of the CSV files in a file: itself, or those of an archive but for its metadata.

    Raises ObservatoryError for what is no text, and for an archive that is damaged or has none.
    """
    data = file.read_bytes()
    if file.suffix.lower() != ".zip":
        yield decode(data, file)
        return
    try:
        archive = open_archive(data)
        members = [
            each
            for each in archive.infolist()
            if each.filename.lower().endswith(".csv") and "metadata" not in Path(each.filename).name.lower()
        ]
        if sum(each.file_size for each in members) > LARGEST:
            raise Damaged(f"its files are larger than {LARGEST // 2**20} MiB together")
        contents = [archive.read(each) for each in members]
    except (Damaged, *DAMAGED) as error:
        raise ObservatoryError(f"{file}: the archive cannot be read ({error}): download it again") from None
    if not contents:
        raise ObservatoryError(f"{file}: the archive holds no CSV file: download the indicator as CSV")
    for content in contents:
        yield decode(content, file)


def decode(data: bytes, file: Path) -> str:
    if len(data) > LARGEST:
        raise ObservatoryError(f"{file}: larger than {LARGEST // 2**20} MiB: download fewer series")
    try:
        return decode_text(file.name, data)
    except Refused:
        raise ObservatoryError(
            f"{file}: its letters cannot be read: save it in the spreadsheet as CSV UTF-8"
        ) from None


def parse_rows(text: str, file: Path) -> Rows:
    """The lines of a CSV file, with commas, semicolons or tabs, one after the other: a download of all series
    has millions of cells, and few are taken."""
    delimiter = max(",;\t", key=text[:4096].count)
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            # The reader's own limit may have been raised by another library.
            if max(map(len, row), default=0) > LONGEST:
                raise csv.Error(f"a cell of more than {LONGEST:,} characters")
            yield row
    except csv.Error as error:
        raise ObservatoryError(
            f"{file}: no CSV file ({error}): look for a quotation mark that does not close"
        ) from None


def find_headings(first: Sequence[Sequence[str]], needed: Iterable[str]) -> int | None:
    """The number of the line with these headings, among the first lines."""
    wanted = set(needed)
    return next((n for n, row in enumerate(first) if wanted <= {cell.strip() for cell in row}), None)


def read_download(rows: Rows, place: Path) -> list[CountryFigure] | None:
    """The figures that a file has of countries, not of areas; None if it has no layout of sources.yaml.

    Raises ObservatoryError for one without any series that is taken, with another unit, or with a value that
    is no number.
    """
    first = list(islice(rows, HEADED))
    for rank, about in enumerate(load_sources()["downloads"]):
        columns = about["columns"]
        line = find_headings(first, [heading for key, heading in columns.items() if key != "unit"])
        if line is None:
            continue
        heads = [cell.strip() for cell in first[line]]
        cells = (
            (number, {head: cell.strip() for head, cell in zip(heads, row, strict=False)})
            for number, row in enumerate(chain(first[line + 1 :], rows), line + 2)
        )
        of_whole = (each for each in cells if not any(each[1].get(empty) for empty in about.get("empty", ())))
        taken = take_series(of_whole, columns, f"{place} ({about['name']})")
        return [
            CountryFigure(
                figure, row[columns["country"]], year, value, f"{about['name']}, {series}, {place.name}", rank
            )
            for number, row, series, figure in taken
            if row[columns["country"]] in country_codes()
            for year, value in values_of(row, about, f"{place}, line {number}")
        ]
    return None


def take_series(
    cells: Iterable[tuple[int, dict[str, str]]], columns: Mapping[str, str], place: str
) -> list[tuple[int, dict[str, str], str, str]]:
    """The rows of series that are taken, with the series and its figure."""
    known = load_sources()["series"]
    taken, others = [], set()
    for number, row in cells:
        series = row.get(columns["series"], "")
        if series not in known:
            others.add(series)
            continue
        lost = [head for key, head in columns.items() if key != "unit" and head not in row]
        if lost:
            raise ObservatoryError(
                f"{place}, line {number}: it ends before {lost[0]}: the file is cut; download it again"
            )
        unit, wrong = row.get(columns.get("unit", ""), ""), known[series].get("not_unit")
        if wrong and wrong in unit:
            raise ObservatoryError(
                f"{place}, line {number}: {series} is here in '{unit}'; the frame takes the number itself:"
                " download the series in units"
            )
        taken.append((number, row, series, known[series]["figure"]))
    if not taken:
        named = ", ".join(sorted(others - {""})[:4]) or "none"
        raise ObservatoryError(
            f"{place}: the frame takes none of its series ({named}). It takes {', '.join(known)}: download"
            " one of these, or move the file out of the folder"
        )
    return taken


def values_of(row: Mapping[str, str], about: Mapping[str, Any], place: str) -> Iterator[tuple[int, float]]:
    """The years and values of a row. Raises ObservatoryError for a value that is no number, or negative."""
    columns = about["columns"]
    if about["layout"] == "long":
        pairs = [(row[columns["year"]], row[columns["value"]])]
    else:
        pairs = [(head, cell) for head, cell in row.items() if YEAR.fullmatch(head)]
    for head, cell in pairs:
        found = YEAR.fullmatch(head)
        if cell.lower() in NOTHING:
            continue
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if found is None or not 0 <= value < math.inf:
            raise ObservatoryError(f"{place}: '{cell}' of '{head}' is no figure of a year: download it again")
        yield int(found[1]), value
