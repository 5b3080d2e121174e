"""The workbook of a release."""

import io
import subprocess
from pathlib import Path

import openpyxl
import pytest

from jobs.study.release.released_tables import AREA
from tests.support.release import made, tables


def test_the_workbook_has_one_table_a_sheet_and_flags_in_columns() -> None:
    files = made()
    (name,) = [name for name in files if name.endswith(".xlsx")]
    book = openpyxl.load_workbook(io.BytesIO(files[name]))
    assert book.sheetnames == ["Contents", "spam_volume", "Codebook", "Codes", "Notes"]
    sheet = book["spam_volume"]
    assert not sheet.merged_cells.ranges
    assert [cell.value for cell in sheet[5]] == tables()[0].tidy.columns
    assert sheet["H6"].value == "world" and sheet["I6"].value == 17_200_000_000
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
    assert contents["A9"].value == "spam_volume" and contents["A9"].alignment.vertical == "top"


@pytest.mark.site
def test_libreoffice_opens_the_workbook(tmp_path: Path) -> None:
    (name,) = [name for name in made() if name.endswith(".xlsx")]
    (tmp_path / "book.xlsx").write_bytes(made()[name])
    # The second sheet, as it is shown: with separators of thousands or without, by the machine's languages.
    second = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,2"
    home = f"-env:UserInstallation=file://{tmp_path}/profile"
    done = subprocess.run(
        ["libreoffice", home, "--headless", "--convert-to", second, "--outdir", tmp_path,
         tmp_path / "book.xlsx"],
        capture_output=True, timeout=180, check=True,
    )  # fmt: skip
    (out,) = tmp_path.glob("book*.csv")
    assert "17200000000" in out.read_text().replace(",", ""), done.stdout
