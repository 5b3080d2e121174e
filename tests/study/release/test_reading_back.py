"""Every file of a release is read by other programs, with texts that a writer may spoil and tables without
rows; and a file that cannot be read, or reads otherwise, stops the making."""

import dataclasses
import io
import json
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import openpyxl
import polars as pl
import pytest
import sdmx
import yaml
from frictionless import Package
from lxml import etree
from pysdmx.io import read_sdmx

from jobs.base.core.errors import ObservatoryError
from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.study.release import folders, manifest
from jobs.study.release.reading_back import refuse_unreadable
from jobs.study.release.released_tables import ReleasedTable, release_table
from jobs.study.release.signatures import sign_release
from jobs.study.site.writing import write_site
from tests.support.release import ABOUT, VOLUME, made, tables

HARD = 'L\'étude a"b "c" & <Côte d\'Ivoire> "l\'un" \\n ⟦26⟧ _x0041_ \u00ad\u2028 ½ 𝄞'
LINES = f"{HARD}\n\tand a second line"
HARD_ABOUT = dataclasses.replace(ABOUT, agency_name=HARD, contact="o'brien@example.org", is_made_up=True)
EMPTY = "volume_change"
OTHERS = "public.published_volume"


def published() -> pl.DataFrame:
    """Two published volumes whose texts are hard."""
    like: dict[str, Any] = {
        "period_code": "2025", "area_code": "WORLD", "channel_code": "EMAIL", "figure_code": "first",
        "issuer": HARD, "statistic_text": HARD, "base_text": "'", "published_bound_code": None,
        "printed_value": 85.5, "unit_text": '"', "comparison_code": None, "own_period_code": None,
        "own_value": None, "own_low": None, "own_high": None, "source": LINES,
        "source_url": "https://example.org/?a=1&b='2'", "source_page": "<1>", "source_read": None,
        "note": HARD, "conf_status_code": "F",
    }  # fmt: skip
    rows = [like, like | {"figure_code": "second", "note": None, "printed_value": 0.0001}]
    return pl.DataFrame(rows, schema=public_contract(OTHERS).schema)


def hard_tables() -> list[ReleasedTable]:
    """All tables of a release: volumes, published volumes, and the others without a row."""
    given = {VOLUME: tables()[0], OTHERS: release_table(OTHERS, published())}
    empty = {
        each: release_table(each, pl.DataFrame(schema=public_contract(each).schema))
        for each in public_tables()
    }
    return list((empty | given).values())


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return made(HARD_ABOUT, hard_tables())


@pytest.fixture(scope="module")
def folder(files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("hard") / "2026-Q4" / "v1.0.0"
    folders.write_folder(target, files)
    return target


def test_the_readers_of_the_making_accept_them(files: dict[str, bytes]) -> None:
    refuse_unreadable(files, hard_tables(), HARD_ABOUT)


def test_pysdmx_reads_all_sdmx_by_the_schemas(files: dict[str, bytes]) -> None:
    read = [
        name
        for name, data in files.items()
        if name.startswith("sdmx/") and read_sdmx(data.decode(), validate=True)
    ]
    assert len(read) == 5
    found = read_sdmx(files["sdmx/published_volume.made-up.xml"].decode(), validate=True).data[0].data
    assert found["NOTE"].iloc[0] == HARD and found["SOURCE"].iloc[0] == LINES


def test_another_program_reads_the_sdmx(files: dict[str, bytes]) -> None:
    message = sdmx.read_sdmx(io.BytesIO(files["sdmx/structure.made-up.xml"]))
    assert str(message.header.sender.name) == HARD
    definitions = message.structure
    assert {f"DSD_{each.name.upper()}" for each in hard_tables()} == {*definitions}
    data = files["sdmx/published_volume.made-up.xml"]
    read = sdmx.read_sdmx(io.BytesIO(data), dsd=definitions["DSD_PUBLISHED_VOLUME"])
    observed = [
        {key: str(value.value) for key, value in each.attached_attribute.items()} for each in read.data[0].obs
    ]
    assert [each["ISSUER"] for each in observed] == [HARD, HARD]
    assert {each["SOURCE"] for each in observed} == {LINES} and {each.get("NOTE") for each in observed} == {
        HARD,
        None,
    }


@pytest.mark.long
def test_duckdb_reads_csv_parquet_and_json(folder: Path) -> None:
    for table in hard_tables():
        texts = f"read_csv('{folder}/data/{table.name}.made-up.csv', header = true, all_varchar = true)"
        for source in (texts, f"'{folder}/data/{table.name}.made-up.parquet'"):
            with duckdb.connect() as own:
                found = own.sql(f"SELECT * FROM {source}").pl()
            assert found.columns == table.tidy.columns and found.height == table.rows.height
            for name in [each for each in found.columns if table.tidy[each].dtype == pl.String]:
                assert found[name].to_list() == table.tidy[name].to_list(), (table.name, name)
    for name in ("datapackage", "validation", "manifest"):
        with duckdb.connect() as own:
            found = own.sql(f"SELECT title FROM '{folder}/{name}.json'").fetchall()
        assert found == [(HARD_ABOUT.title,)]


def test_frictionless_openpyxl_and_a_parser_of_yaml_read_the_rest(folder: Path) -> None:
    assert Package(str(folder / "datapackage.json")).validate().valid
    book = openpyxl.load_workbook(folder / "spam-2026-Q4-v1.0.0.made-up.xlsx")
    cells = [cell.value for cell in book["published_volume"][6]]
    assert HARD in cells and LINES in cells and book[EMPTY].max_row == 5
    cited = yaml.safe_load((folder / "CITATION.cff").read_bytes())
    assert cited["authors"] == [{"name": HARD}] and cited["contact"] == [{"email": "o'brien@example.org"}]
    assert json.loads((folder / "datapackage.json").read_bytes())["contributors"][0]["title"] == HARD


@pytest.mark.long
def test_the_site_of_a_release_is_well_formed(folder: Path, tmp_path: Path) -> None:
    write_site(folder, tmp_path / "site")
    pages = sorted((tmp_path / "site").glob("*.html"))
    for page in pages:
        parser = etree.HTMLParser()
        read = etree.parse(str(page), parser)
        kinds = {each.type_name for each in parser.error_log} - {"HTML_UNKNOWN_TAG"}
        assert kinds == set(), page.name
        text = " ".join(read.find(".//footer").itertext())
        assert " ".join(HARD.split()) in " ".join(text.split()), page.name
    assert len(pages) > 15


def test_gpgv_reads_the_signature(folder: Path, keys: SimpleNamespace, tmp_path: Path) -> None:
    """A verifier that shares no code with the gpg that signed accepts the signature."""
    ring = tmp_path / "ring.gpg"
    subprocess.run(
        ["gpg", "--batch", "--output", ring, "--dearmor", next(keys.signers.iterdir())], check=True
    )
    said = subprocess.run(
        ["gpgv", "--keyring", ring, sign_release(folder, keys.officer), folder / manifest.NAME],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "Good signature" in said.stderr


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("sdmx/published_volume.made-up.xml", b"&#x27;", b'"', "cannot be read"),
        ("sdmx/published_volume.made-up.xml", b"&#x27;", b"", "reads otherwise"),
        ("sdmx/spam_volume.made-up.csv", b"17200000000", b"17300000000", "reads otherwise"),
        ("sdmx/structure.made-up.xml", b">World<", b">Word<", "reads otherwise"),
        ("data/spam_volume.made-up.csv", b"1230000", b"1240000", "reads otherwise"),
        ("data/spam_volume.made-up.parquet", b"PAR1", b"PAR2", "cannot be read"),
        ("datapackage.json", b'"', b"'", "cannot be read"),
        ("CITATION.cff", b"title: ", b"title: 'x", "cannot be read"),
        ("spam-2026-Q4-v1.0.0.made-up.xlsx", b"PK", b"KP", "cannot be read"),
        ("README.md", b"# MADE-UP", b"MADE-UP", "reads otherwise"),
    ],
)
def test_a_file_that_reads_otherwise_is_refused(
    files: dict[str, bytes], name: str, old: bytes, new: bytes, told: str
) -> None:
    assert old in files[name]
    spoilt = files | {name: files[name].replace(old, new)}
    with pytest.raises(ObservatoryError, match=f"^{re.escape(name)} {told}") as found:
        refuse_unreadable(spoilt, hard_tables(), HARD_ABOUT)
    assert len(str(found.value).splitlines()) == 2


def test_a_file_that_is_missing_or_that_nothing_reads_is_refused(files: dict[str, bytes]) -> None:
    less = {name: data for name, data in files.items() if name != "data/cost.made-up.csv"}
    with pytest.raises(ObservatoryError) as found:
        refuse_unreadable(less | {"notes.txt": b""}, hard_tables(), HARD_ABOUT)
    assert "data/cost.made-up.csv is missing" in str(found.value)
    assert "notes.txt: this program has no reader for it" in str(found.value)
