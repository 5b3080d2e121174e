"""The workbook of a release."""

import io
import subprocess
from dataclasses import replace
from pathlib import Path

import openpyxl
import polars as pl
import pytest

from jobs.study.release.released_tables import AREA, release_table
from jobs.study.release.workbook import build_workbook
from tests.support.release import ABOUT, VOLUME, made, tables, volume


def test_the_workbook_has_one_table_a_sheet_and_flags_in_columns() -> None:
    files = made()
    (name,) = [name for name in files if name.endswith(".xlsx")]
    book = openpyxl.load_workbook(io.BytesIO(files[name]))
    assert book.sheetnames == ["Main figures", "Contents", "spam_volume", "Codebook", "Codes", "Notes"]
    sheet = book["spam_volume"]
    assert not sheet.merged_cells.ranges
    header = [cell.value for cell in sheet[5]]
    assert [name for name in header if not name.endswith("_name") or name == "area_name"] == (
        tables()[0].tidy.columns
    )
    first = dict(zip(header, [cell.value for cell in sheet[6]], strict=True))
    assert first["area_kind_code"] == "world" and first["estimate"] == 17_200_000_000
    assert (first["channel_code"], first["channel_name"]) == ("EMAIL", "E-mail")
    assert sheet["A5"].font.bold and len(sheet.tables) == 1
    assert sheet.print_title_rows == "$5:$5"
    codes = {tuple(cell.value for cell in row[:3]) for row in book["Codes"].iter_rows(min_row=4)}
    used = {
        ("spam_volume", each.field.name, code)
        for each in tables()[0].columns
        if each.field.codelist and each.field.name != AREA
        for code in tables()[0].rows[each.field.name].drop_nulls()
    }
    assert codes == used and ("spam_volume", "unit_code", "recipient") in used
    contents = book["Contents"]
    assert contents["A10"].value == "spam_volume" and contents["A10"].alignment.vertical == "top"


def test_no_text_is_a_formula() -> None:
    about = replace(ABOUT, agency_name="=1+1", contact="=1+1", licence="=1+1")
    book = openpyxl.load_workbook(io.BytesIO(build_workbook(tables(), about)))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert [cell.data_type for cell in cells if cell.value == "=1+1"] == ["s", "s", "s"]


def test_main_figures_come_first_with_a_chart_for_each_channel() -> None:
    attempted = volume(
        WORLD={"area_kind_code": "world", "unit_code": "attempted", "rate_per_subscription": 12.5},
        AFR={"area_kind_code": "region", "unit_code": "attempted", "cv_band_code": "unreliable"},
        FJI={"unit_code": "attempted"},
    )
    rows = pl.concat([attempted, attempted.with_columns(channel_code=pl.lit("SMS"))])
    (data,) = [data for name, data in made(of=[release_table(VOLUME, rows)]).items() if name.endswith("xlsx")]
    sheet = openpyxl.load_workbook(io.BytesIO(data))["Main figures"]
    header, *found = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=5, max_row=9)]
    assert [row[:2] for row in found] == [
        ["E-mail", "World"], ["E-mail", "Africa (ITU region)"],
        ["SMS", "World"], ["SMS", "Africa (ITU region)"],
    ]  # fmt: skip
    assert found[0][header.index("Each subscription")] == 12.5
    assert found[1][header.index("Reliability")] == "Low reliability"
    assert sheet["A3"].value == "Figures whose reliability is low or not published are not to be quoted."
    assert len(sheet._charts) == 2
    assert sheet.column_dimensions["B"].width >= len("Africa (ITU region)")


@pytest.mark.site
def test_libreoffice_opens_the_workbook(tmp_path: Path) -> None:
    (name,) = [name for name in made() if name.endswith(".xlsx")]
    (tmp_path / "book.xlsx").write_bytes(made()[name])
    # The third sheet, as it is shown: with separators of thousands or without, by the machine's languages.
    third = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,3"
    home = f"-env:UserInstallation=file://{tmp_path}/profile"
    done = subprocess.run(
        ["libreoffice", home, "--headless", "--convert-to", third, "--outdir", tmp_path,
         tmp_path / "book.xlsx"],
        capture_output=True, timeout=180, check=True,
    )  # fmt: skip
    (out,) = tmp_path.glob("book*.csv")
    assert "17200000000" in out.read_text().replace(",", ""), done.stdout
