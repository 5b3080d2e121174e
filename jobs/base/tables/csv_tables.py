"""Read tables from CSV files: the study's own files, such as its frame of operators, and those of packages.

A table is <name>.csv or <name>.csv.gz with the columns of its contract, in any order; columns that may be
null may be left out. Nothing else is guessed: what does not fit names the file, the row and what to do.
"""

import gzip
import io
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import format_noun
from jobs.base.tables.contracts import list_codes, polars_schema, read_contract, reference_table

EXAMPLES = 3
# So many codes of a list are named.
SHOWN = 8


def read_tables(folder: Path, tables: Iterable[str]) -> dict[str, pl.DataFrame]:
    """The rows of reference tables: the study's own, or the project's where a contract says so and the folder
    has no file. Raises ObservatoryError with what is wrong of all files."""
    found, wrong = {}, []
    for table in tables:
        places = read_contract(table).given_in
        is_own = "files" in places and ("project" not in places or file_of(folder, table) is not None)
        try:
            found[table] = read_table(folder, table) if is_own else reference_table(table)
        except ObservatoryError as error:
            wrong.append(str(error))
    if wrong:
        raise ObservatoryError("\n".join(wrong))
    return found


def read_table(folder: Path, table: str, is_needed: bool = True) -> pl.DataFrame:
    """The table's rows from its file in the folder; none where it has no file and needs none.

    Raises ObservatoryError for a file that does not fit.
    """
    contract, file = read_contract(table), file_of(folder, table)
    if file is None and not is_needed:
        return pl.DataFrame(schema=polars_schema(table))
    if file is None:
        raise ObservatoryError(
            f"{folder} has no {contract.name}.csv (or .csv.gz): it needs the columns"
            f" {', '.join(contract.required_columns)}"
        )
    return parse_columns(read_cells(file), table, file)


def read_cells(file: Path) -> pl.DataFrame:
    """The cells of a CSV file, plain or packed, as text. Raises ObservatoryError if it is none."""
    data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    try:
        return pl.read_csv(io.BytesIO(data), infer_schema=False)
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        raise ObservatoryError(f"{file} is no CSV file in UTF-8: {error}") from None


def file_of(folder: Path, table: str) -> Path | None:
    """The table's file in the folder, plain before packed."""
    name = read_contract(table).name
    named = (folder / f"{name}.csv", folder / f"{name}.csv.gz")
    return next((each for each in named if each.is_file()), None)


def parse_columns(text: pl.DataFrame, table: str, file: Path) -> pl.DataFrame:
    """The columns as the contract types them, with its rules on nulls, codes and key checked.

    Raises ObservatoryError with a line for each column and rule that rows break.
    """
    contract, schema = read_contract(table), polars_schema(table)
    missing = [name for name in contract.required_columns if name not in text.columns]
    surplus = sorted(set(text.columns) - set(schema))
    if missing or surplus:
        raise ObservatoryError(
            f"{file}: columns {missing} are missing and {surplus} are unknown; it has to have"
            f" {contract.columns}"
        )
    columns = {}
    wrong: list[str] = []
    for name, kind in schema.items():
        given = text[name] if name in text.columns else pl.Series(name, [None] * text.height, dtype=pl.String)
        given = given.replace("", None)
        if isinstance(kind, pl.Datetime):
            made = given.str.to_datetime(time_zone="UTC", strict=False).cast(kind)
        elif kind == pl.Date:
            made = given.str.to_date("%Y-%m-%d", strict=False)
        elif kind == pl.Boolean:
            made = given.replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)
        else:
            made = given.cast(kind, strict=False)
        wrong += describe_wrong_rows(file, name, given, made.is_null() & given.is_not_null(), f"is no {kind}")
        if name in contract.required_columns:
            wrong += describe_wrong_rows(file, name, given, given.is_null(), "is empty and has to be given")
        columns[name] = made
    frame = pl.DataFrame(columns)
    for field in contract.fields:
        if field.codelist:
            known = (*list_codes(field.codelist), *dict(contract.also).get(field.name, ()))
            unknown = ~frame[field.name].is_in(list(known)) & frame[field.name].is_not_null()
            shown = ", ".join(known[:SHOWN]) + (", …" if len(known) > SHOWN else "")
            says = f"is not in the list {field.codelist}: {shown}"
            wrong += describe_wrong_rows(file, field.name, frame[field.name], unknown, says)
    again = frame.select(pl.struct(*contract.key).is_duplicated()).to_series()
    key = frame[contract.key[0]].cast(pl.String)
    wrong += describe_wrong_rows(file, " and ".join(contract.key), key, again, "stands more than once")
    if wrong:
        raise ObservatoryError("\n".join(wrong))
    return frame


def describe_wrong_rows(file: Path, column: str, values: pl.Series, wrong: pl.Series, says: str) -> list[str]:
    """A line on the rows that are wrong, if any are; the header is row 1."""
    rows = wrong.arg_true().to_list()
    shown = "; ".join(f"row {row + 2}: '{values[row] or ''}'" for row in rows[:EXAMPLES])
    return [f"{file}, {column}: {shown} {says} ({format_noun(len(rows), 'row')})"] if rows else []
