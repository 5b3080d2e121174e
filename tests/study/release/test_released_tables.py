"""Rows of a release: codes of areas and of wholes, numbers as text, and rows that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from frictionless import Package

from jobs.base.core.errors import ObservatoryError
from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.base.tables.series import ALL, PARTS
from jobs.study.release.released_tables import (
    AREA,
    AREA_NAME,
    area_codes,
    csv_of,
    list_of,
    parquet_of,
    release_table,
    text_of,
)
from jobs.study.release.workbook import add_code_names
from tests.support.release import ABOUT, VOLUME, made, tables, volume, write

PARTED = [table for table in public_tables() if "part_factor" in public_contract(table).schema]


@pytest.mark.parametrize("table", PARTED)
def test_the_codes_of_wholes_are_known(table: str) -> None:
    listed = [list_of(each) for each in public_contract(table).columns if each.role == "dimension"]
    assert any({ALL, PARTS} <= set(codes) for codes in listed if codes is not None)


def test_areas_have_the_codes_of_m49_or_own_ones() -> None:
    (table,) = tables()
    assert table.rows.select("area_code", "area_name").rows() == [
        ("001", "World"), ("242", "Fiji"), ("524", "Nepal"), ("ITU_AFR", "Africa (ITU region)"),
    ]  # fmt: skip
    known = area_codes()
    assert [known[code][0] for code in ("LDC", "LLDC", "SIDS", "TRANSITION")] == [
        "199", "432", "722", "TRANSITION",
    ]  # fmt: skip
    assert len({code for code, _ in known.values()}) == len(known)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (17_200_000_000.0, "17200000000"),
        (0.5, "0.5"),
        (None, ""),
        (100, "100"),
        ("1.50", "1.5"),
        (True, "true"),
    ],
)
def test_numbers_are_written_without_exponent_and_without_zeros_at_the_end(value: object, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"channel_code": "NONSENSE"}, "channel_code has the unknown code 'NONSENSE'"),
        ({"conf_status_code": "N"}, "conf_status_code is 'N', which is never published"),
        ({"unit_code": None}, "unit_code is empty in 1\N{NO-BREAK SPACE}row"),
        ({"stands_from": "2026\x00"}, "stands_from has a control character in 1\N{NO-BREAK SPACE}row"),
        ({"stands_from": "=1+1"}, "stands_from begins like a formula in 1\N{NO-BREAK SPACE}row"),
        ({"cv_band_code": "fine"}, "cv_band_code has the unknown code 'fine'"),
    ],
)
def test_a_row_that_no_reader_could_use_is_refused(own: dict[str, object], told: str) -> None:
    with pytest.raises(ObservatoryError, match=told):
        release_table(VOLUME, volume(FJI=own))


def test_a_key_that_stands_twice_is_refused() -> None:
    rows = pl.concat([volume(FJI={}), volume(FJI={})])
    with pytest.raises(ObservatoryError, match="2 rows share a key"):
        release_table(VOLUME, rows)


@pytest.mark.parametrize("name", ["reported", "at_050", "coverage_pct"])
def test_a_column_that_the_contract_does_not_name_is_refused(name: str) -> None:
    with pytest.raises(ObservatoryError, match="its contract names"):
        release_table(VOLUME, volume(FJI={}).with_columns(pl.lit(1).alias(name)))


PART = {"population_pct": 89.99, "area_country_count": 44, "frame_country_count": 3, "rated_country_count": 2}


@pytest.mark.parametrize(
    ("area", "kind", "row", "named"),
    [
        ("AFR", "region", PART,
         ("ITU_AFR_STUDY", "Africa (ITU region): 3 of 44 countries, and 2 at their rate")),
        ("AFR", "region", PART | {"population_pct": 90}, ("ITU_AFR", "Africa (ITU region)")),
        ("WORLD", "world", PART | {"rated_country_count": 0}, ("001_STUDY", "3 countries of the study")),
        ("WORLD", "world", PART | {"rated_country_count": 0, "frame_country_count": 1},
         ("001_STUDY", "1 country of the study")),
        # A figure that stands from a release without these columns.
        ("LDC", "group", dict.fromkeys(PART),
         ("199_STUDY", "Least developed countries: countries of the study")),
        ("FJI", "country", dict.fromkeys(PART), ("242", "Fiji")),
    ],
)  # fmt: skip
def test_an_area_that_a_study_has_in_part_is_called_by_its_countries(
    area: str, kind: str, row: dict[str, Any], named: tuple[str, str]
) -> None:
    made = release_table(VOLUME, volume(**{area: {"area_kind_code": kind} | row})).rows
    assert made.select("area_code", "area_name").row(0) == named


# --- tidy files and the data package that describes them ------------------------------------------------

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
    header = add_code_names(released).columns
    assert [name for name in header if name in named] == named
    assert set(header) - set(named) <= {name.removesuffix("_code") + "_name" for name in named}
    assert len(set(header)) == len(header)


def test_duckdb_takes_no_code_for_a_yes_or_no(tmp_path: Path) -> None:
    with duckdb.connect() as own:
        kinds = own.read_csv(str(write(tmp_path) / CSV)).types
    assert kinds and "BOOLEAN" not in map(str, kinds)


def test_the_data_package_is_valid_and_refuses_what_is_wrong(tmp_path: Path) -> None:
    folder = write(tmp_path)
    assert Package(str(folder / "datapackage.json")).validate().valid
    spoilt = (folder / CSV).read_text().replace("EMAIL", "NONSENSE", 1)
    (folder / CSV).chmod(0o644)
    (folder / CSV).write_text(spoilt + spoilt.splitlines()[-1] + "\n")
    told = str(Package(str(folder / "datapackage.json")).validate().flatten(["type", "message"]))
    assert "NONSENSE" in told and "primary-key" in told
