"""Great Expectations on tables: what it is given, what it keeps, and who does without it."""

import datetime as dt
import json
import re
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from expectations.evaluation import all_results, build_data_docs, evaluate, store
from jobs.base.checks.validations import EVALUATED, refuse_broken, superseded_evaluations
from jobs.base.core.errors import ValidationHeld
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import rows_frame
from tests.conftest import ROOT
from tests.expectations.test_native import ROW, TABLE, frame

pytestmark = pytest.mark.long


def test_values_are_as_sqlite_has_them() -> None:
    kinds = {
        "day": pl.Date(),
        "at": pl.Datetime("us", "UTC"),
        "is_given": pl.Boolean(),
        "amount": pl.Decimal(20, 4),
        "codes": pl.List(pl.String()),
        "points": pl.Struct({"p05": pl.Decimal(20, 4), "p50": pl.Decimal(20, 4)}),
        "sketch": pl.Binary(),
        "units": pl.Int64(),
    }
    row = {
        "day": dt.date(2026, 11, 2),
        "at": dt.datetime(2026, 11, 2, 3, 4, 5, 600, tzinfo=dt.UTC),
        "is_given": True,
        "amount": Decimal("0.3000"),
        "codes": ["a", 'b"}'],
        "points": {"p05": Decimal("1.5000"), "p50": None},
        "sketch": b"x",
        "units": 2**62,
    }
    rows = pl.DataFrame([row, dict.fromkeys(row)], schema=kinds)
    with sqlite3.connect(":memory:") as connection:
        assert store(connection, "gold.some", [rows, rows.clear()]) == 2
        first, second = connection.execute("SELECT * FROM gold_some").fetchall()
        (found,) = connection.execute(
            "SELECT json_array_length(codes), json_extract(codes, '$[1]'), json_extract(points, '$.p05')"
            " FROM gold_some WHERE units IS NOT NULL"
        ).fetchall()
    assert first[:4] == ("2026-11-02", "2026-11-02T03:04:05.000600", 1, 0.3)
    # Of a sketch whether it is there.
    assert first[6:] == ("", 2**62)
    assert found == (2, 'b"}', 1.5)
    assert second == (None,) * 8


def test_sums_of_cents_are_no_surprise() -> None:
    """Doubles give less than 0.02 for 100.02 - 100, and more for 8.02 - 8."""
    parts = {"amount": "8.02", "capital_amount": "4", "labour_amount": "3", "other_amount": "1"}
    row = {name: Decimal(value) for name, value in parts.items()} | {"is_band": False}
    for amount, is_held in (("8.02", True), ("7.98", True), ("8.03", False), ("7.97", False)):
        rows = rows_frame([row | {"amount": Decimal(amount)}], "study.investment_account")
        (found,) = evaluate({"study.investment_account": rows})
        (result,) = [each for each in found.results() if each.rule == "parts_add_up"]
        assert result.is_held is is_held, amount


def test_results_with_observed_values_are_kept_and_shown(tmp_path: Path) -> None:
    kept, docs = tmp_path / EVALUATED, tmp_path / "docs"
    rows = frame(ROW, {"unit_code": "message", "spam_certain": 9}, {"outcome_code": "rejectd"})
    for run in ("first", "second"):
        (found,) = evaluate({TABLE: rows}, kept, run)
    files = sorted(kept.glob("validations/*/*/*/*/*.json"))
    assert [file.parts[-3] for file in files] == ["first", "second"]
    assert superseded_evaluations(Lake(str(tmp_path))) == [str(files[0])]
    result = json.loads(files[1].read_text(encoding="utf-8"))
    assert (result["success"], result["suite_name"], found.rows) == (False, TABLE, 3)
    broken = {
        each["expectation_config"]["meta"]["rule"]: each["result"]
        for each in result["results"]
        if not each["success"]
    }
    assert broken.keys() == {"outcome_code_known", "certain_within_possible"}
    assert broken["outcome_code_known"]["partial_unexpected_list"] == ["rejectd"]
    assert (result["statistics"]["evaluated_expectations"], found.results()[0].rule) == (
        len(found.results()),
        "operator_id_not_null",
    )
    index = build_data_docs(kept, docs)
    assert "Great Expectations" in index.read_text(encoding="utf-8")
    page = next(docs.glob("validations/gold/*/second/*/*.html")).read_text(encoding="utf-8")
    assert "outcome_code is in the list outcome" in page and "rejectd" in page
    loaded = re.compile(r"<(?:link|script|img)\b[^>]*https?:|url\(['\"]?https?:|@import")
    for file in docs.rglob("*"):
        if file.suffix in (".html", ".css"):
            assert loaded.search(file.read_text(encoding="utf-8")) is None, file


def test_a_broken_expectation_is_named_with_its_rows() -> None:
    found = evaluate({TABLE: frame(ROW, {"unit_code": "message", "spam_certain": 9})})
    with pytest.raises(ValidationHeld) as error:
        refuse_broken(all_results(found), "Nothing was made.")
    assert str(error.value).splitlines() == [
        f"{TABLE}: expectation certain_within_possible is broken on 1 row. It says: spam_certain <="
        " spam_possible.",
        "Nothing was made.",
    ]
    refuse_broken(all_results(evaluate({TABLE: frame(ROW)})), "")


def test_a_run_imports_neither_great_expectations_nor_sqlalchemy() -> None:
    code = (
        "import sys; from jobs.operators.build import gold_stage, silver_stage;"
        "from jobs.operators.runs import preload, quality, runner;"
        "from expectations import native; native.check_table('gold.spam_volume_daily',"
        " __import__('polars').DataFrame(schema=__import__('jobs.base.tables.contracts', fromlist='x')"
        ".polars_schema('gold.spam_volume_daily')));"
        "assert not {'great_expectations', 'sqlalchemy', 'altair', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
