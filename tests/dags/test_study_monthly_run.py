"""The whole DAG of a study node with the real Airflow, on a package and a filled form."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs.base.checks.validations import EVALUATED
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import list_tables, read_contract
from jobs.study.estimates.steps.study_stage import SUBMITTED_TABLES, TABLES
from tests.support.airflow import new_airflow
from tests.support.commands import ROOT, call, run
from tests.support.study_node import Node, write_node

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    return write_node(tmp_path_factory.mktemp("node"))


@pytest.fixture(scope="module")
def airflow(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of an Airflow of its own, with its database made, after a run of the DAG."""
    environment = new_airflow(
        tmp_path_factory.mktemp("airflow"), PYTHONPATH=str(ROOT), OBSERVATORY_CONFIG=str(node.settings)
    )
    run("observatory", "questionnaire", "load", str(node.form), "--config", str(node.settings), **environment)
    run("airflow", "dags", "test", "study_monthly", "2027-01-05", **environment)
    yield environment


def lake_of(node: Node) -> str:
    return str(node.settings.parent / "lake")


def rows(node: Node, table: str, **where: str) -> list[dict[str, Any]]:
    return Lake(lake_of(node)).read(table).filter(**where).rows(named=True)


def commits(node: Node) -> dict[str, int]:
    """Count the commits of each table of the study."""
    folder = Path(lake_of(node)) / "study"
    return {each.name: len(list((each / "_delta_log").glob("*.json"))) for each in folder.iterdir()}


def test_a_run_leaves_every_table_of_the_study(airflow: dict[str, str], node: Node) -> None:
    for table in list_tables():
        # Nobody decided on anything.
        if table.startswith("study.") and table != "study.finding_decision":
            assert Lake(lake_of(node)).exists(table), table
            assert Lake(lake_of(node)).read(table).columns == read_contract(table).columns, table
    assert {row["respondent_id"] for row in rows(node, "study.submission")} == {"savanna-mobile"}
    # Half of the world's e-mail subscriptions of 4,000 are not the respondent's: they are estimated.
    (world,) = rows(
        node, "study.spam_volume", period_code="2026-10", area_code="WORLD", channel_code="EMAIL",
        unit_code="recipient", definition_code="OPERATOR", quantity_code="spam_certain",
    )  # fmt: skip
    own = sum(
        row["spam_certain"]
        for row in rows(node, "study.submission", period_code="2026-10", definition_code="OPERATOR")
        if row["direction_code"] in ("inbound", "internal")
    )
    assert (float(world["reported"]), float(world["estimate"])) == (own, 4 * own) and own > 0
    spent = rows(node, "study.investment", area_code="KEN", channel_code="EMAIL", strategy_code="_T")
    by_component = {
        row["component_code"]: float(row["estimate"])
        for row in spent
        if row["conversion_code"] in ("market", "none")
    }
    assert by_component["_T"] == pytest.approx(by_component["capital"] + by_component["operating"], abs=0.02)
    # 440 person days are two posts, of which a third is of e-mail: the channels have as many subscriptions.
    assert by_component["posts"] == pytest.approx(2 / 3, abs=0.005)
    (gap,) = rows(node, "study.investment_gap", area_code="KEN", channel_code="EMAIL", target_code="norm")
    assert gap["assumptions"][0].startswith("Norm: 9,000 US dollars of 2025")
    assert rows(node, "study.cost")


def test_great_expectations_finds_all_rules_kept(airflow: dict[str, str], node: Node) -> None:
    run("observatory", "validate", "--config", str(node.settings), **airflow)
    files = (Path(lake_of(node)) / EVALUATED / "validations").glob("*/*/*/*/*.json")
    results = [json.loads(file.read_text()) for file in files]
    assert {*SUBMITTED_TABLES, *TABLES} <= {result["suite_name"] for result in results}
    assert all(result["success"] for result in results)
    runs = Lake(lake_of(node)).read("meta.run").filter(pl.col("stage_name") == "study")
    named = {each["table_name"] for each in runs.row(-1, named=True)["table_versions"]}
    assert named == {*SUBMITTED_TABLES, *TABLES}


def test_a_refused_package_fails_the_run_and_nothing_is_estimated(
    airflow: dict[str, str], node: Node
) -> None:
    before = commits(node)
    altered = node.package.with_name("altered.zip")
    shutil.copy(node.package, altered)
    content = bytearray(altered.read_bytes())
    # So many bytes that they are not all of a name or a time that nothing reads.
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(byte ^ 0xFF for byte in content[middle : middle + 200])
    altered.write_bytes(bytes(content))
    try:
        done = call("airflow", "dags", "test", "study_monthly", "2027-02-05", **airflow)
    finally:
        altered.unlink()
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert "altered.zip" in said and "1 refused" in said, said[-5000:]
    assert commits(node) == before


def test_a_study_node_has_no_dag_of_an_operator(airflow: dict[str, str]) -> None:
    code = f"""
from airflow.dag_processing.dagbag import DagBag
bag = DagBag({str(ROOT / "dags")!r})
print("found", sorted(bag.dags), bag.import_errors)
"""
    assert "found ['study_monthly'] {}" in run("python", "-c", code, **airflow)
