"""docs/economist.ipynb: it runs on a lake, and draws what the lake holds."""

import datetime as dt
import html
import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import polars as pl
import pytest

from jobs.base.tables.contracts import polars_schema, read_contract
from tests.conftest import ROOT
from tests.support.cost_lake import write_lake
from tests.support.delta import write_delta
from tests.support.study_lake import write_study

pytestmark = pytest.mark.long

# Figures that the notebook read, told by the notebook itself.
CHECK = """
print(volume.select('operator_id', 'units', 'certain').rows())
print(period)
print(estimates.filter(area_code='WORLD').select('spam', 'estimate', 'low', 'high', 'half', 'more').rows())
print(spending.filter(area_code='EUR').select('component_code', 'estimate').rows())
print(gap.filter(area_code='ASP').select('target', 'spend', 'necessary', 'gap').rows())
"""
NOTEBOOK = ROOT / "docs" / "economist.ipynb"


def add_table(lake: Path, table: str, rows: list[dict[str, Any]]) -> None:
    frame = pl.DataFrame(rows, schema=polars_schema(table))
    write_delta(lake / table.replace(".", "/"), frame, list(read_contract(table).partition_by))


def runner() -> Any:
    """docs/run_notebook.py, which `make notebook` runs."""
    spec = importlib.util.spec_from_file_location("run_notebook", ROOT / "docs" / "run_notebook.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The notebook's cells by their ids, after a run on a small lake."""
    folder = tmp_path_factory.mktemp("notebook")
    write_lake(folder)
    write_study(folder)
    place = {"period_date": dt.date(2026, 11, 2), "direction_code": "inbound", "definition_code": "OPERATOR"}
    mail = place | {"operator_id": "alp-mail", "channel_code": "EMAIL", "unit_code": "recipient"}
    text = place | {"operator_id": "isle-mobile", "channel_code": "SMS", "unit_code": "attempt"}
    counts = {"units": 1000, "spam_certain": 250, "spam_possible": 300}
    # What goes out is no part of the chart, nor are messages, which are recipients counted otherwise.
    beside = [mail | counts | {"direction_code": "outbound"}, mail | counts | {"unit_code": "message"}]
    rows = [mail | counts, text | counts | {"spam_certain": 100}, *beside]
    add_table(folder / "lake", "gold.spam_volume_daily", rows)
    received = text | {"unit_code": "recipient"}
    types = [mail | counts | {"spam_type_code": "PHISH.mail"}, received | counts | {"spam_type_code": "UNK"}]
    add_table(folder / "lake", "gold.spam_type_daily", types)
    return executed(folder, CHECK)


def executed(folder: Path, added: str = "") -> dict[str, Any]:
    """The notebook's cells after a run on the lake in the folder, with a cell added at its end."""
    book = nbformat.read(NOTEBOOK, as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OBSERVATORY_LAKE", str(folder / "lake"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        check = nbformat.v4.new_code_cell(added)
        check.id = "check"
        book.cells.append(check)
        resources = {"metadata": {"path": str(ROOT)}}
        nbclient.NotebookClient(book, timeout=120, kernel_name="python3", resources=resources).execute()
    cells = {cell.id: cell for cell in book.cells if cell.cell_type == "code"}
    return cells | {"page": runner().page(book)}


def picture(cell: Any) -> str:
    """A chart, as text and markup."""
    (output,) = (each for each in cell.outputs if each.output_type == "execute_result")
    return html.unescape(output["data"]["text/html"])


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("volume", ["alp-mail", "isle-mobile", "spam in what was attempted", "25.0–30.0%"]),
        ("types", ["PHISH.mail", "UNK"]),
        ("cost", ["alp-mail, CHF", "isle-mobile, FJD", "CONTENT_FILTER", "DNSBL"]),
        (
            "estimates",
            ["WORLD, as", "ASP", "EUR", "LDC", "spam in 2026-Q4", "with their errors", "1.12M–1.75M"],
        ),
        ("spending", ["Capital", "Operating", "US dollars a year", "EUR", ">180</td>"]),
        ("gap", ["EMAIL, best", "EMAIL, norm", "LDC"]),
        ("models", ["nucleus_2004/per_worker", "missed", "cfca_2023/growth_amount"]),
        ("tornado", ["rao_reiley_2012/total, USD per year: 17.9bn–25.5bn", "pass_rate"]),
    ],
)
def test_each_chart_is_drawn_of_what_the_lake_holds(ran: dict[str, Any], cell: str, words: list[str]) -> None:
    drawn = picture(ran[cell])
    assert all(word in drawn for word in words)
    assert "https://" not in drawn and 'class="bar"' in drawn


def test_the_figures_are_those_of_the_tables(ran: dict[str, Any]) -> None:
    told = "".join(output.text for output in ran["check"].outputs if output.name == "stdout")
    assert told.splitlines() == [
        "[('alp-mail', 1000, 0.25), ('isle-mobile', 1000, 0.1)]",
        # A quarter's spam, not that of its last month nor of a year that none but answers tell of; what was
        # attempted, as the command prints.
        "2026-Q4",
        "[('as filters saw it', 1400000.0, 1120000.0, 1750000.0, 1225000.0, 1575000.0),"
        " ('with their errors', 1610000.0, 1288000.0, 2012500.0, 1408750.0, 1811250.0)]",
        "[('_T', 600.0), ('capital', 180.0), ('operating', 420.0), ('posts', 12.0)]",
        "[('EMAIL, best', 400.0, 1200.0, 800.0), ('EMAIL, norm', 400.0, 800.0, 400.0)]",
    ]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("posts", ["WORLD", "20.0"]),
        ("granted", ["The target is taken as known.", "Norm: 0.2 US dollars."]),
        ("losses", ["ftc_text_2024", "uk_finance_2024", "p50"]),
    ],
)
def test_tables_are_shown_beside_the_charts(ran: dict[str, Any], cell: str, words: list[str]) -> None:
    (output,) = ran[cell].outputs
    assert all(word in output["data"]["text/html"] for word in words)


def test_a_page_has_all_that_the_notebook_shows(ran: dict[str, Any]) -> None:
    page = ran["page"]
    assert page.count('<div class="drawn">') == 8 and "<h2>Investment gap</h2>" in page
    assert "alp-mail, CHF" in page and "The target is taken as known." in page
    assert "<script" not in page and not re.search(r'(?:src|href)="https?:', page)


def test_make_notebook_runs_it_with_what_its_set_installs() -> None:
    """DuckDB and a kernel were missing after `make demo`, and nothing said what to install."""
    rules = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(
        r"^notebook: setup-dev .*\n\t@\$\(BIN\)/python docs/run_notebook.py$", rules, re.MULTILINE
    )
    locked = (ROOT / "requirements" / "dev.lock").read_text(encoding="utf-8")
    for package in ("duckdb", "ipykernel", "mistune", "nbclient", "nbformat"):
        assert re.search(rf"^{package}==", locked, re.MULTILINE), package
    book = nbformat.read(NOTEBOOK, as_version=4)
    assert "`make notebook`" in book.cells[0].source and "requirements/dev.lock" in book.cells[0].source


def test_without_a_lake_or_duckdb_it_is_said_what_to_do(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "run_notebook.py")],
        env={"OBSERVATORY_LAKE": str(tmp_path / "none"), "PATH": ""},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 1
    assert (
        told.stderr
        == f"No lake at {tmp_path / 'none'}: `make demo` makes one, or OBSERVATORY_LAKE names yours.\n"
    )
    (first,) = (
        cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if "import duckdb" in cell.source
    )
    without = f"import sys\nsys.modules['duckdb'] = None\n{first.source}"
    told = subprocess.run(
        [sys.executable, "-c", without], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert told.stderr == "DuckDB is not installed: `make notebook` installs what this needs, and runs it.\n"


def test_the_notebook_is_kept_without_outputs() -> None:
    book = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(book)
    for cell in book.cells:
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)


@pytest.mark.parametrize("write", [write_lake, write_study])
def test_a_lake_without_a_study_or_without_gold_has_empty_charts(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    write(tmp_path)
    cells = executed(tmp_path)
    drawn = picture(cells["gap"]), picture(cells["cost"])
    has_study = write is write_study
    assert ("EMAIL, norm" in drawn[0], "alp-mail, CHF" in drawn[1]) == (has_study, not has_study)
