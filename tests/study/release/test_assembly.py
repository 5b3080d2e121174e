"""The files of a release: the same bytes from the same tables, of no clock, and marked where made up."""

import dataclasses
import io
import zipfile

from jobs.study.release import manifest
from jobs.study.release.about import MADE_UP
from jobs.study.release.released_tables import release_table
from tests.support.release import ABOUT, VOLUME, made, tables, volume

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


def test_made_up_figures_say_so_in_every_file() -> None:
    files = made(dataclasses.replace(ABOUT, is_made_up=True))
    told = {"datapackage.json", "validation.json", "CITATION.cff", "README.md", manifest.NAME}
    for name, data in files.items():
        assert MADE_UP in name or (name in told and b"MADE-UP FIGURES" in data), name
    assert b"<mes:Test>true</mes:Test>" in files["sdmx/structure.made-up.xml"]


# --- what is refused --------------------------------------------------------------------------------
