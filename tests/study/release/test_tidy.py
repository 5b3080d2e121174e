"""Tidy files of a release, and the data package that describes them."""

from pathlib import Path

import duckdb
import polars as pl
import pytest
from frictionless import Package

from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.study.release.released import AREA, AREA_NAME, release_table
from jobs.study.release.tidy import csv_of, parquet_of
from tests.support.release import ABOUT, made, tables, write

CSV = "data/spam_volume.csv"


def test_the_tidy_files_hold_the_table() -> None:
    (table,) = tables()
    files = made()
    read = pl.read_csv(files[CSV], infer_schema=False)
    assert read.columns == [each for each in table.rows.columns if each != "conf_status_code"]
    assert read["estimate"].to_list() == ["17200000000", "1230000", "2340000", "5000000000"]
    parquet = pl.read_parquet(files["data/spam_volume.parquet"])
    assert parquet["estimate"].to_list() == [17.2e9, 1.23e6, 2.34e6, 5e9]
    assert parquet.columns == read.columns


@pytest.mark.parametrize("table", public_tables())
def test_a_sheet_has_exactly_the_columns_of_its_contract(table: str) -> None:
    columns = public_contract(table).columns
    named = [each.field.name for each in columns if each.way != "always"]
    if AREA in named:
        named.insert(named.index(AREA) + 1, AREA_NAME)
    released = release_table(table, pl.DataFrame(schema=public_contract(table).schema))
    assert csv_of(released).decode().splitlines() == [",".join(named)]
    assert pl.read_parquet(parquet_of(released, ABOUT)).columns == named


def test_duckdb_takes_no_code_for_a_yes_or_no(tmp_path: Path) -> None:
    kinds = duckdb.read_csv(str(write(tmp_path) / CSV)).types
    assert kinds and "BOOLEAN" not in map(str, kinds)


def test_the_data_package_is_valid_and_refuses_what_is_wrong(tmp_path: Path) -> None:
    folder = write(tmp_path)
    assert Package(str(folder / "datapackage.json")).validate().valid
    spoilt = (folder / CSV).read_text().replace("EMAIL", "NONSENSE", 1)
    (folder / CSV).chmod(0o644)
    (folder / CSV).write_text(spoilt + spoilt.splitlines()[-1] + "\n")
    told = str(Package(str(folder / "datapackage.json")).validate().flatten(["type", "message"]))
    assert "NONSENSE" in told and "primary-key" in told
