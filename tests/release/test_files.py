"""jobs.release: the files of a release, read back by other programs, and made again to the byte."""

import dataclasses
import io
import json
import subprocess
import zipfile
from pathlib import Path

import openpyxl
import polars as pl
import pytest
import sdmx
from frictionless import Package
from pysdmx.io import read_sdmx

from jobs.core.errors import ObservatoryError
from jobs.public.contracts import public_contract, public_tables
from jobs.release import manifest
from jobs.release.about import MADE_UP, About, next_version
from jobs.release.released import AREA, area_codes, release_table, text_of
from tests.support.release import ABOUT, LIKE, VOLUME, made, tables, volume, write

CSV = "data/spam_volume.csv"


def test_the_same_tables_give_the_same_bytes() -> None:
    assert made() == made()


def test_rows_in_another_order_give_the_same_bytes() -> None:
    (table,) = tables()
    mixed = volume(FJI={}, NPL={"estimate": 2_340_000}).reverse()
    straight = volume(FJI={}, NPL={"estimate": 2_340_000})
    assert made(of=[release_table(VOLUME, mixed)]) == made(of=[release_table(VOLUME, straight)])
    assert table.rows["area_code"].to_list() == sorted(table.rows["area_code"])


def test_nothing_in_a_workbook_or_package_is_of_a_clock() -> None:
    for name, data in made().items():
        if name.endswith("xlsx"):
            with zipfile.ZipFile(io.BytesIO(data)) as parts:
                assert {part.date_time[0] for part in parts.infolist()} == {1980}
                core = parts.read("docProps/core.xml").decode()
            assert "2026-12-31T00:00:00Z" in core


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


def test_the_tidy_files_hold_the_table() -> None:
    (table,) = tables()
    files = made()
    read = pl.read_csv(files[CSV], infer_schema=False)
    assert read.columns == table.rows.columns
    assert read["estimate"].to_list() == ["17200000000", "1230000", "2340000", "5000000000"]
    parquet = pl.read_parquet(files["data/spam_volume.parquet"])
    assert parquet["estimate"].to_list() == [17.2e9, 1.23e6, 2.34e6, 5e9]
    assert parquet.columns == table.rows.columns


def test_another_program_reads_the_sdmx(tmp_path: Path) -> None:
    files = made()
    for name in ("structure.xml", "spam_volume.xml"):
        (tmp_path / name).write_bytes(files[f"sdmx/{name}"])
    structure = sdmx.read_sdmx(tmp_path / "structure.xml")
    definition = structure.structure["DSD_SPAM_VOLUME"]
    found = sdmx.to_pandas(sdmx.read_sdmx(tmp_path / "spam_volume.xml", dsd=definition))
    by = found.index.names
    assert set(by) == {
        "REF_AREA", "CHANNEL", "UNIT", "DEFINITION", "QUANTITY", "MEASURE", "TIME_PERIOD",
    }  # fmt: skip
    assert found.xs(("001", "ESTIMATE"), level=("REF_AREA", "MEASURE")).to_list() == [17.2e9]
    assert len(found) == 4 * 3
    assert {"001", "ITU_AFR", "242"} <= {code.id for code in structure.codelist["CL_REF_AREA"]}
    assert {agency.maintainer.id for agency in structure.codelist.values()} == {"SPAMSTAT"}


def test_the_sdmx_is_valid_by_its_schemas() -> None:
    files = made()
    for name in ("structure.xml", "spam_volume.xml"):
        assert read_sdmx(files[f"sdmx/{name}"].decode(), validate=True)
    assert "Test>false<" in files["sdmx/structure.xml"].decode()
    assert b"dataflow,SPAMSTAT:DF_SPAM_VOLUME(1.0),I,001," in files["sdmx/spam_volume.csv"]


def test_the_data_package_is_valid_and_refuses_what_is_wrong(tmp_path: Path) -> None:
    folder = write(tmp_path)
    assert Package(str(folder / "datapackage.json")).validate().valid
    spoilt = (folder / CSV).read_text().replace("EMAIL", "NONSENSE", 1)
    (folder / CSV).chmod(0o644)
    (folder / CSV).write_text(spoilt + spoilt.splitlines()[-1] + "\n")
    told = str(Package(str(folder / "datapackage.json")).validate().flatten(["type", "message"]))
    assert "NONSENSE" in told and "primary-key" in told


def test_the_workbook_has_one_table_a_sheet_and_flags_in_columns() -> None:
    files = made()
    (name,) = [name for name in files if name.endswith(".xlsx")]
    book = openpyxl.load_workbook(io.BytesIO(files[name]))
    assert book.sheetnames == ["Contents", "spam_volume", "Codebook", "Codes", "Notes"]
    sheet = book["spam_volume"]
    assert not sheet.merged_cells.ranges
    assert [cell.value for cell in sheet[5]] == tables()[0].rows.columns
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


def test_a_reader_learns_what_each_code_and_amount_means() -> None:
    """From the release alone, without the program's internal names."""
    codebook = made()["codebook.csv"].decode()
    for line in (
        "spam_volume,definition_code,,,,OPERATOR,Blocked or tagged by the operator",
        "spam_volume,quantity_code,,,,spam_possible,Possible spam. Units that are spam or that",
        'spam_volume,conf_status_code,attribute,string,,,"SDMX CONF_STATUS: F, free to publish; C',
    ):
        assert line in codebook, line
    area = next(line for line in codebook.splitlines() if line.startswith("spam_volume,area_code,dim"))
    assert "M49" in area and "alpha-3" not in area
    notes = made()["README.md"].decode()
    assert "Amounts are in prices of 2025" in notes and "US dollars" in notes
    for table in public_tables():
        about = public_contract(table)
        for text in (about.description, *about.arguments.values()):
            assert "public." not in text, text


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


def test_made_up_figures_say_so_in_every_file() -> None:
    files = made(dataclasses.replace(ABOUT, is_made_up=True))
    told = {"datapackage.json", "validation.json", "CITATION.cff", "README.md", manifest.NAME}
    for name, data in files.items():
        assert MADE_UP in name or (name in told and b"MADE-UP FIGURES" in data), name
    assert b"<mes:Test>true</mes:Test>" in files["sdmx/structure.made-up.xml"]


# --- what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"channel_code": "NONSENSE"}, "channel_code has the unknown code 'NONSENSE'"),
        ({"conf_status_code": "N"}, "conf_status_code is 'N', which is never published"),
        ({"unit_code": None}, "unit_code is empty in 1 row"),
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


def test_only_quarters_are_released_and_the_fourth_carries_its_year() -> None:
    assert ABOUT.periods == ("2026", "2026-Q4")
    assert dataclasses.replace(ABOUT, period="2026-Q3").periods == ("2026-Q3",)
    for period in ("2026", "2026-11", "2026-Q5", "next"):
        with pytest.raises(ObservatoryError, match="is no quarter"):
            dataclasses.replace(ABOUT, period=period)


def test_versions_go_up() -> None:
    assert next_version([], False) == "v1.0.0"
    assert next_version(["v1.0.0", "v1.10.0", "v1.9.0"], False) == "v1.11.0"
    assert next_version(["v1.0.0", "v1.10.0"], True) == "v2.0.0"
    with pytest.raises(ObservatoryError, match="write it as v1.0.0"):
        dataclasses.replace(ABOUT, version="1.0")


def test_every_dimension_and_code_is_in_the_codebook() -> None:
    rows = pl.read_csv(made()["codebook.csv"], infer_schema=False)
    assert set(public_contract(VOLUME).schema) | {"area_name"} == set(rows["column"])
    listed = rows.filter((pl.col("column") == "revision_code") & pl.col("code").is_not_null())
    assert {"NEW", "STANDS"} <= set(listed["code"])
    assert About.__dataclass_fields__.keys() >= {"period", "version"} and LIKE
    assert json.loads(made()["datapackage.json"])["resources"][0]["schema"]["primaryKey"][0] == "period_code"
