"""Every byte of what leaves, searched: no respondent, no operator, no holding, no figure of one, no p."""

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
import xlsxwriter
from typer.testing import CliRunner

from jobs.cli.main import app
from jobs.engine.lake import open_lake
from tests.release.conftest import READ_AT, P
from tests.support.byte_search import found_in
from tests.support.release_study import P_PCT, TODAY, Node, copied, frame, texts_of

NAME = "2026-Q4/v1.0.0"


def ids() -> set[str]:
    return texts_of(frame(), ["respondent_id", "holding_id"]) | {P_PCT}


def figures(node: Node) -> set[float]:
    """All numbers that are one respondent's: contributions, counts and subscriptions; what the respondents of
    a country reported together; and p."""
    lake = open_lake(str(node.folder / "lake"))
    numbers = {float(P_PCT), float(P_PCT) / 100}
    for table, columns in (
        ("study.contribution", ["contribution", "own_subscriptions"]),
        ("study.submission", ["units", "spam_certain", "spam_possible", "subscriptions"]),
    ):
        numbers |= {float(each) for each in texts_of(lake.read(table), columns)}
    volume = lake.read("study.spam_volume")
    numbers |= {float(each) for each in texts_of(volume, ["reported"])}
    return {each for each in numbers if each}


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def test_no_byte_of_a_release_is_a_respondents(made: SimpleNamespace) -> None:
    files = files_of(made.node.releases)
    assert len(files) > 20
    numbers = figures(made.node)
    assert len(numbers) > 500
    assert found_in(files, ids(), numbers) == {}
    assert found_in({"said": made.said.encode()}, ids(), numbers) == {}


def test_p_is_in_no_file_of_the_restricted_folder_nor_of_the_lake(made: SimpleNamespace) -> None:
    p = {float(P_PCT), float(P_PCT) / 100}
    assert found_in(files_of(made.node.restricted), {P_PCT}, p) == {}
    assert found_in(files_of(made.node.folder / "lake"), {P_PCT}, p) == {}


def test_a_sheet_holds_its_countrys_rows_alone(made: SimpleNamespace, tmp_path: Path) -> None:
    node = copied(made.node, tmp_path / "node")
    words = ["release", "clear", "make", NAME, "--deadline", "2027-03-01", "--config", str(node.settings)]
    done = CliRunner().invoke(app, words, env={READ_AT: TODAY, P: P_PCT}, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    sheets = files_of(node.restricted / NAME / "clearance")
    assert sheets.keys() == {"ken.xlsx", "fji.xlsx"}
    assert found_in(sheets, ids(), figures(made.node)) == {}
    volume = pl.read_csv(made.node.releases / NAME / "data" / "spam_volume.csv", infer_schema=False)
    others = texts_of(volume.filter(pl.col("area_code") != "404"), ["area_name"])
    assert found_in({"ken.xlsx": sheets["ken.xlsx"]}, others, []) == {}
    assert found_in({"ken.xlsx": sheets["ken.xlsx"]}, {"Kenya"}, []) != {}


# --- the search finds what is there -----------------------------------------------------------------


def parquet(rows: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    rows.write_parquet(out, compression="zstd")
    return out.getvalue()


def workbook(rows: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for at, row in enumerate(rows.rows()):
            sheet.write_row(at, 0, [float(each) if not isinstance(each, str) else each for each in row])
    return out.getvalue()


@pytest.mark.parametrize("form", [parquet, workbook, lambda rows: rows.write_csv().encode()])
@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("study.spam_volume", "reported"), ("study.contribution", "contribution"),
        ("study.contribution", "holding_id"), ("study.submission", "subscriptions"),
    ],
)  # fmt: skip
def test_a_column_that_was_left_in_is_found(
    made: SimpleNamespace, form: Callable[[pl.DataFrame], bytes], table: str, column: str
) -> None:
    rows = open_lake(str(made.node.folder / "lake")).read(table).select(column).drop_nulls()
    data = form(rows)
    assert set(found_in({"left.in": data}, ids(), figures(made.node))) == {"left.in"}
