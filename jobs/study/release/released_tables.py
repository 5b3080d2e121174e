"""Public tables as they are released: published codes, flat columns, checked, in a fixed order.

Every file of a release is written from these frames. Areas have the codes of M49 where it has one: 001 the
world, 199 LDC, 432 LLDC, 722 SIDS; ITU's regions, economies in transition, developing and developed countries
are no areas of M49 and have codes of their own.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import count_noun, plain_number
from jobs.base.figures import words
from jobs.base.figures.areas import WORLD, is_whole_area, name_countries_alone, name_study_countries
from jobs.base.tables.contracts import CODELISTS, read_fields, reference_rows, reference_table
from jobs.base.tables.public_contracts import PublicColumn, PublicContract, public_contract
from jobs.base.tables.series import PARTS
from jobs.study.release.about import About

AREA, AREA_NAME = "area_code", "area_name"
# Areas that are no country: the published code and the name.
AREAS: Mapping[str, tuple[str, str]] = {
    WORLD: ("001", "World"),
    "LDC": ("199", "Least developed countries"),
    "LLDC": ("432", "Landlocked developing countries"),
    "SIDS": ("722", "Small island developing States"),
    "TRANSITION": ("TRANSITION", "Economies in transition"),
    "DEVELOPING": ("DEVELOPING", "Developing countries"),
    "DEVELOPED": ("DEVELOPED", "Developed countries"),
    "AFR": ("ITU_AFR", "Africa (ITU region)"),
    "AMS": ("ITU_AMS", "Americas (ITU region)"),
    "ARB": ("ITU_ARB", "Arab States (ITU region)"),
    "ASP": ("ITU_ASP", "Asia and the Pacific (ITU region)"),
    "CIS": ("ITU_CIS", "Commonwealth of Independent States (ITU region)"),
    "EUR": ("ITU_EUR", "Europe (ITU region)"),
}
# An area whose frame has under 90% of its population has a code and a name of its own: the study's countries.
PART = "_STUDY"
# The codes of all countries together: of the world, and of a study that has too few for that.
WHOLE = (AREAS[WORLD][0], AREAS[WORLD][0] + PART)
# CONF_STATUS of what is published: free, or confidential where a cell is named without its value.
PUBLISHED_STATUS = ("F", "C")
# What published columns hold, where the study's tables hold something else.
PUBLISHED = {
    AREA: "Area: countries, all of them, LDC, LLDC and SIDS by their code of M49; ITU regions, economies in"
    " transition, developing and developed countries, which M49 does not have, by codes of their own."
    " Developed are all countries that are not on the list of developing ones. With _STUDY at its end a code"
    " is of the study's countries in the area alone, which have under 90% of its population",
    "period_code": "Period: a quarter as 2026-Q4, or a year",
    "conf_status_code": "Free to publish",
}
# Codes that every list has beside its own, as in SDMX; and all parts of a whole together.
COMMON = {"_T": "Total", "_U": "Unknown", PARTS: "All parts together"}
# Characters that no XML 1.0 may hold.
NO_TEXT = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x{fffe}\x{ffff}]"
# How a text begins that spreadsheets take for a formula when they open a CSV file; +0.5% is none.
FORMULA = r"^(?:[=@]|[+-][^\d.<])"
# What a row says of how much of its area the study has.
COVERAGE = ("area_country_count", "frame_country_count", "rated_country_count", "population_pct")
NUMBER = (pl.Decimal, pl.Float64, pl.Int64, pl.Int32)


@dataclass(frozen=True)
class ReleasedTable:
    """One table of a release: its contract and its rows, sorted by key."""

    contract: PublicContract
    rows: pl.DataFrame

    @property
    def name(self) -> str:
        return self.contract.name

    @property
    def columns(self) -> tuple[PublicColumn, ...]:
        return self.contract.columns

    @property
    def tidy(self) -> pl.DataFrame:
        """The rows without columns that are alike in every row, which SDMX needs and no other reader: DuckDB
        takes a column of F for one of no and yes."""
        return self.rows.drop(each.field.name for each in self.columns if each.way == "always")

    @property
    def measures(self) -> list[str]:
        return [each.field.name for each in self.columns if each.role == "measure"]


@cache
def area_codes() -> dict[str, tuple[str, str]]:
    """The published code and the name of each area, by the study's own code."""
    countries = reference_table("ref.country").filter(pl.col("valid_to").is_null())
    found = {iso3: (m49, name) for iso3, m49, name in countries.select("iso3", "m49", "name_en").rows()}
    return found | dict(AREAS)


def release_table(table: str, rows: pl.DataFrame) -> ReleasedTable:
    """The table as it is released. Raises ObservatoryError for a row that a reader could not use: a code that
    is in no list, a control character, a key that stands twice, an empty dimension."""
    contract = public_contract(table)
    wanted = list(contract.schema)
    if rows.columns != wanted:
        raise ObservatoryError(f"{table} has the columns {rows.columns}; its contract names {wanted}")
    rows = rows.with_columns(
        pl.col(name).list.join(" ") for name, kind in rows.schema.items() if kind == pl.List(pl.String)
    )
    check_rows(contract, rows)
    if AREA in rows.columns:
        coded = pl.DataFrame(name_areas(rows), schema=[AREA, AREA_NAME], orient="row")
        place = rows.columns.index(AREA) + 1
        rows = rows.with_columns(coded[AREA]).insert_column(place, coded[AREA_NAME])
    return ReleasedTable(contract, rows.sort(contract.key))


def name_areas(rows: pl.DataFrame) -> list[tuple[str, str]]:
    """The published code and the name of each row's area: by the row's own counts where it has too little of
    the area. A table without population_pct is of whole areas, whoever published its figures."""
    known = area_codes()
    if "population_pct" not in rows.columns:
        return [known[code] for code in rows[AREA].to_list()]
    columns = [name for name in (AREA, "area_kind_code", *COVERAGE) if name in rows.columns]
    found = []
    for row in rows.select(columns).to_dicts():
        code, name = known[row[AREA]]
        found.append((code, name) if is_whole_area(row) else (code + PART, name_study_countries(row, name)))
    return found


def check_rows(contract: PublicContract, rows: pl.DataFrame) -> None:
    """Refuse rows with unknown codes, empty or repeated keys, or a status that is not published, none of
    which pysdmx checks."""
    wrong = []
    for each in contract.columns:
        column = rows[each.field.name]
        if isinstance(column.dtype, pl.Struct | pl.List):
            wrong.append(f"{each.field.name} is nested and fits into no table")
            continue
        if each.role == "dimension" and column.null_count():
            wrong.append(f"{each.field.name} is empty in {count_noun(column.null_count(), 'row')}")
        if column.dtype == pl.String and (count := column.str.contains(NO_TEXT).sum()):
            wrong.append(
                f"{each.field.name} has a control character in {count_noun(count, 'row')}, which XML cannot"
                " hold"
            )
        if column.dtype == pl.String and (count := column.str.contains(FORMULA).sum()):
            wrong.append(
                f"{each.field.name} begins like a formula in {count_noun(count, 'row')}: spreadsheets would"
                " compute it"
            )
        known = list_of(each)
        if known is not None:
            unknown = sorted(set(column.drop_nulls().to_list()) - set(known))
            wrong += [f"{each.field.name} has the unknown code '{code}'" for code in unknown[:3]]
    if "conf_status_code" in rows.columns:
        other = sorted(set(rows["conf_status_code"].to_list()) - set(PUBLISHED_STATUS), key=str)
        wrong += [f"conf_status_code is '{code}', which is never published" for code in other]
    twice = rows.select(pl.struct(contract.key).is_duplicated().sum()).item()
    if twice:
        wrong.append(f"{twice} rows share a key ({', '.join(contract.key)})")
    if wrong:
        raise ObservatoryError("\n".join(f"{contract.table}: {each}" for each in wrong))


def list_of(column: PublicColumn) -> dict[str, str] | None:
    """The codes of a column with their names; None where it has no list."""
    name = column.field.name
    if name == AREA:
        return {code: label for code, (_, label) in area_codes().items()}
    codelist = column.field.codelist
    if codelist is None:
        return None
    return names_of(codelist)


@cache
def names_of(codelist: str) -> dict[str, str]:
    """The codes of a list, or of a reference table's column, with their names."""
    if codelist.startswith("ref."):
        _, table, column = codelist.split(".")
        return {row[column]: row.get("name") or row[column] for row in reference_rows(table)}
    families = {code: f"{name}, all of its types" for code, name in words.FAMILIES.items()}
    own = {code: name for code, name, _ in rows_of(codelist)}
    return own | (families if codelist == "type" else {}) | COMMON


def meanings_of(column: PublicColumn) -> dict[str, str] | None:
    """The published codes of a column with what they mean; None where it has no list."""
    found, codelist = published_codes(column), column.field.codelist
    if found is None or codelist is None or codelist.startswith("ref."):
        return found
    return found | {
        code: f"{name}. {description}" if description and description != name else name
        for code, name, description in rows_of(codelist)
    }


@cache
def rows_of(codelist: str) -> list[tuple[str, str, str | None]]:
    """Code, name and description of each code of a list."""
    columns = ["code", "name", "description"]
    return pl.read_csv(CODELISTS / f"{codelist}.csv", infer_schema=False, columns=columns).rows()


def published_codes(column: PublicColumn) -> dict[str, str] | None:
    """Return the code list of a column as list_of() does, with the codes that are published."""
    if column.field.name == AREA:
        parts = {code + PART: name_countries_alone(own, name) for own, (code, name) in AREAS.items()}
        return dict(area_codes().values()) | parts
    return list_of(column)


def description_of(column: str) -> str:
    if column == AREA_NAME:
        return "Name of the area"
    return PUBLISHED.get(column) or read_fields()[column].description


def text_of(value: object) -> str:
    """A value as text: numbers without an exponent and without zeros at their end."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return plain_number(value)
    text = str(value)
    return text.rstrip("0").rstrip(".") if "." in text and is_number(text) else text


def is_number(text: str) -> bool:
    return text.replace(".", "", 1).removeprefix("-").isdigit()


def format_rows(rows: pl.DataFrame) -> list[list[str]]:
    """All values of a frame as text, numbers by text_of()."""
    columns = [
        [text_of(value) for value in column.to_list()]
        if isinstance(column.dtype, NUMBER)
        else ["" if value is None else str(value) for value in column.to_list()]
        for column in rows
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def csv_of(table: ReleasedTable) -> bytes:
    """The table as CSV in UTF-8 with a header; empty where there is no value."""
    return csv_bytes(table.tidy.columns, format_rows(table.tidy))


def csv_bytes(header: list[str], rows: list[list[str]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode("utf-8")


def parquet_of(table: ReleasedTable, about: About) -> bytes:
    """The table as Parquet; the file's metadata has the release's title."""
    out = io.BytesIO()
    rows = table.tidy
    numbers = [pl.col(name).cast(pl.Float64) for name in rows.columns if rows[name].dtype.is_decimal()]
    rows.with_columns(numbers).write_parquet(
        out,
        compression="zstd",
        metadata={"title": about.title, "release": about.name, "table": table.name},
    )
    return out.getvalue()
