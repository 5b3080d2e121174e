"""Every file of a release, read by a program that did not write it, and held to the tables: a file that
cannot be read, or reads otherwise, is not released."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from xml.etree.ElementTree import Element, ParseError
from zipfile import BadZipFile

import openpyxl
import polars as pl
import pyarrow.parquet as pq
import yaml
from defusedxml.ElementTree import fromstring
from openpyxl.utils.exceptions import InvalidFileException
from pydantic_core import from_json

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import count_noun, exact_number
from jobs.study.release import sdmx, triangle
from jobs.study.release.about import About
from jobs.study.release.manifest import NAME
from jobs.study.release.released_tables import ReleasedTable, format_rows
from jobs.study.release.workbook import LONGEST_NAME, MAIN, TOP, add_code_names

# What readers raise for a file that they cannot read.
UNREADABLE = (
    ValueError, KeyError, OSError, ParseError, BadZipFile, pl.exceptions.PolarsError, yaml.YAMLError,
    InvalidFileException,
)  # fmt: skip
Cell = str | float | None
Observation = dict[str, Cell]
# Columns of SDMX-CSV before those of the structure.
OF_MESSAGE = ("STRUCTURE", "STRUCTURE_ID", "ACTION")


@dataclass
class Reading:
    """The files that are still to be read, and a line for each that reads otherwise than it was written."""

    files: dict[str, bytes]
    wrong: list[str] = field(default_factory=list)

    def hold(self, name: str, read: Callable[[bytes], Any], written: Any) -> None:
        """Read a file and compare what is in it with what was written."""
        data = self.files.pop(name, None)
        if data is None:
            self.wrong.append(f"{name} is missing")
            return
        try:
            found = read(data)
        except UNREADABLE as error:
            self.wrong.append(f"{name} cannot be read: {' '.join(str(error).split())}")
            return
        if found != written:
            self.wrong.append(
                f"{name} reads otherwise than it was written: {first_difference(found, written)}"
            )


def refuse_unreadable(files: Mapping[str, bytes], tables: Sequence[ReleasedTable], about: About) -> None:
    """Raise ObservatoryError with a line for each file that cannot be read or reads otherwise than it was
    written, and for each that has no reader here."""
    reading = Reading(dict(files))
    for table in tables:
        hold_table(reading, table, about)
    reading.hold(f"sdmx/{about.file_name('structure', 'xml')}", read_structure, names_of_structure(tables))
    book = about.file_name(f"spam-{about.period}-{about.version}", "xlsx")
    reading.hold(
        book, read_workbook, {each.name[:LONGEST_NAME]: cells_of(add_code_names(each)) for each in tables}
    )
    reading.hold(
        "datapackage.json",
        lambda data: [each["schema"]["primaryKey"] for each in from_json(data)["resources"]],
        [each.contract.key for each in tables],
    )
    for name in ("codebook", "revisions", triangle.NAME):
        reading.hold(about.file_name(name, "csv"), lambda data: bool(read_csv(data)), True)
    for name in ("validation.json", NAME):
        reading.hold(name, lambda data: from_json(data)["title"], about.title)
    reading.hold("CITATION.cff", lambda data: yaml.safe_load(data)["title"], about.title)
    reading.hold("README.md", lambda data: data.decode("utf-8").splitlines()[0], f"# {about.title}")
    wrong = [*reading.wrong, *(f"{name}: this program has no reader for it" for name in reading.files)]
    if wrong:
        raise ObservatoryError(
            "\n".join([*wrong, "No release is made of files that readers cannot use: report these lines"])
        )


def hold_table(reading: Reading, table: ReleasedTable, about: About) -> None:
    """A table in each of its forms; one without rows has no data in SDMX."""
    texts = [table.tidy.columns, *format_rows(table.tidy)]
    reading.hold(f"data/{about.file_name(table.name, 'csv')}", read_csv, texts)
    reading.hold(f"data/{about.file_name(table.name, 'parquet')}", read_parquet, cells_of(table.tidy))
    columns = [sdmx.concept_of(each.field.name) for each in table.columns if each.role != "measure"]
    observed = sdmx.list_observations(table, [*columns, sdmx.MEASURE, sdmx.VALUE])
    if observed.height:
        written = sort_observations(observed.to_dicts())
        reading.hold(f"sdmx/{about.file_name(table.name, 'csv')}", read_observations_csv, written)
        reading.hold(f"sdmx/{about.file_name(table.name, 'xml')}", read_observations, written)


def first_difference(found: Any, written: Any) -> str:
    """Find the first difference of two values, for the person who looks for the fault."""
    if isinstance(found, dict) and isinstance(written, dict) and found.keys() == written.keys():
        name = next(each for each in found if found[each] != written[each])
        return f"{name}: {first_difference(found[name], written[name])}"
    if isinstance(found, list) and isinstance(written, list):
        if len(found) != len(written):
            return f"{count_noun(len(found), 'row')} in place of {len(written)}"
        return next(
            f"{one} in place of {other}" for one, other in zip(found, written, strict=True) if one != other
        )
    return f"{found} in place of {written}"


# --- readers ----------------------------------------------------------------------------------------


def read_csv(data: bytes) -> list[list[str]]:
    """Header and rows, by Polars; Python's csv and pandas wrote them."""
    rows = pl.read_csv(data, has_header=False, infer_schema=False)
    return [[value or "" for value in row] for row in rows.rows()]


def read_parquet(data: bytes) -> list[list[Cell]]:
    """Header and cells, by Arrow; Polars wrote them."""
    rows = pl.DataFrame(pq.read_table(io.BytesIO(data)))
    return [[*rows.columns], *([normalise_cell(value) for value in row] for row in rows.rows())]


def read_observations_csv(data: bytes) -> list[Observation]:
    header, *rows = read_csv(data)
    found = [dict(zip(header, row, strict=True)) for row in rows]
    return sort_observations(
        [{name: row[name] for name in header if name not in OF_MESSAGE} for row in found]
    )


def read_observations(data: bytes) -> list[Observation]:
    """The observations of a message in SDMX-ML."""
    return sort_observations([dict(each.attrib) for each in fromstring(data).iter("Obs")])


def sort_observations(rows: Sequence[Mapping[str, str | None]]) -> list[Observation]:
    """Observations without what is empty, values as numbers, in one order."""
    found = [{name: row[name] or "" for name in sorted(row) if row[name]} for row in rows]
    return sorted(
        ({**row, sdmx.VALUE: normalise_cell(float(row[sdmx.VALUE]))} for row in found),
        key=lambda row: [(name, str(value)) for name, value in row.items()],
    )


def local(element: Element) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def read_structure(data: bytes) -> list[tuple[str, str, str]]:
    """Kind, id and name of everything that has a name in a message of structures."""
    return sorted(
        (local(each), each.attrib["id"], text.text or "")
        for each in fromstring(data).iter()
        for text in each
        if local(text) == "Name" and local(each) != "Sender"
    )


def names_of_structure(tables: Sequence[ReleasedTable]) -> list[tuple[str, str, str]]:
    """List the structure's names as read_structure() does, from the tables."""
    found = [("ConceptScheme", sdmx.SCHEME, sdmx.SCHEME_NAME)]
    found += [("Concept", name, described) for name, described in sdmx.describe_concepts(tables).items()]
    for concept, codes in sdmx.list_codes(tables).items():
        found.append(("Codelist", f"CL_{concept}", sdmx.name_of_list(concept)))
        found += [("Code", sdmx.code_id(code), name) for code, name in codes.items()]
    for table in tables:
        for kind, prefix in (("DataStructure", "DSD"), ("Dataflow", "DF")):
            found.append((kind, f"{prefix}_{table.name.upper()}", table.contract.description))
    return sorted(found)


def read_workbook(data: bytes) -> dict[str, list[list[Cell]]]:
    """The cells of each sheet with a table, by openpyxl; XlsxWriter wrote them."""
    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True)
    return {
        sheet.title: [
            [normalise_cell(value) for value in row]
            for row in sheet.iter_rows(min_row=TOP + 1, values_only=True)
        ]
        for sheet in book
        if sheet.title not in (MAIN, "Contents", "Codebook", "Codes", "Notes")
    }


def cells_of(rows: pl.DataFrame) -> list[list[Cell]]:
    """List the cells of rows as read_workbook() does."""
    return [[*rows.columns], *([normalise_cell(value) for value in row] for row in rows.rows())]


def normalise_cell(value: Any) -> Cell:
    """A cell's value: numbers with the fifteen digits that a workbook holds, nothing for an empty text."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return float(exact_number(float(value)))
    return None if value is None else str(value) or None
