"""Claims that a person reads of a study of few countries are no more than the study has."""

import io
import re
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl

from jobs.study.site.writing import write_site

WORLD = re.compile(r"\bworld\b", re.IGNORECASE)
# Names of sources, and tables of what others published, who speak of the world themselves.
NAMES = re.compile(r"World Population Prospects|World Bank|World Factbook|World Economic Situation")
OF_OTHERS = {"published_volume", "cost"}


def say_world(text: str) -> list[str]:
    """The lines of a text that speak of the world."""
    return [line for line in text.splitlines() if WORLD.search(NAMES.sub("", line))]


def texts_of_workbook(content: bytes) -> str:
    """Every text of a workbook but of the sheets and rows on figures of others, a line for each cell."""
    book = openpyxl.load_workbook(io.BytesIO(content), read_only=True)
    return "\n".join(
        cell
        for sheet in book.worksheets
        if sheet.title not in OF_OTHERS
        for row in sheet.iter_rows(values_only=True)
        if not row or row[0] not in OF_OTHERS
        for cell in row
        if isinstance(cell, str) and cell != "world"
    )


def refuse_world(release: Path, site: Path) -> dict[str, Any]:
    """Fail if README, workbook, tables, codebook or site of a release speak of the world, or set a figure of
    its few countries beside one of all. The rows of its tables of areas, by table."""
    (workbook,) = release.glob("*.xlsx")
    (codebook,) = release.glob("codebook*.csv")
    read_me = (release / "README.md").read_text("utf-8")
    assert say_world(read_me) == []
    assert say_world(texts_of_workbook(workbook.read_bytes())) == []
    own = [line for line in codebook.read_text("utf-8").splitlines() if line.split(",")[0] not in OF_OTHERS]
    # A code list names all its codes, those that stand in no table, too.
    assert [line for line in say_world("\n".join(own)) if ",world," not in line] == []
    write_site(release, site)
    for page in site.glob("*.html"):
        # That of others' figures has their own words; the dictionary is the codebook, which was read above.
        if page.name.split(".")[0] not in ("others", "dictionary"):
            assert say_world(re.sub(r"<[^>]*>", "\n", page.read_text("utf-8"))) == [], page.name
    tables = {
        file.name.split(".")[0]: pl.read_csv(file, infer_schema=False)
        for file in sorted((release / "data").glob("*.csv"))
    }
    assert tables["published_volume"]["own_value"].null_count() == tables["published_volume"].height
    of_areas = {
        name: rows.filter(pl.col("area_kind_code") != "country")
        for name, rows in tables.items()
        if "population_pct" in rows.columns
    }
    for rows in of_areas.values():
        assert rows["area_code"].str.ends_with("_STUDY").all()
    return of_areas
