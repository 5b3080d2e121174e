"""Packages of this form and of the one before, each brought to this one table by table."""

import hashlib
import json
from pathlib import Path

import pytest

from jobs.base.packages.costs import COST
from jobs.base.packages.counts import ROUTE, TABLES, VOLUME
from jobs.base.packages.forms import known_forms
from jobs.base.packages.package import FILES, FORM, MANIFEST, columns_of, hash_references, pack_files
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import polars_schema, read_contract
from jobs.study.packages.judging import Judged
from jobs.study.packages.loading import land_packages
from tests.base.packages.test_packages import judged

# Made by the release that had form 6, of the gold tables of tests/support/submission_lake.py.
FORMER = Path(__file__).parents[2] / "data" / "submission" / "form_6"


def judge_former(folder: Path, **said: object) -> Judged:
    """The stored package, with this release's reference tables, and something else in its manifest."""
    files = {each.name: each.read_bytes() for each in FORMER.iterdir()}
    manifest = json.loads(files[MANIFEST]) | {"references": hash_references()} | said
    file = folder / "former.zip"
    file.write_bytes(pack_files(files | {MANIFEST: json.dumps(manifest).encode()}))
    return judged(file)


def test_a_package_of_the_form_before_loads_with_what_stands_for_what_it_lacks(tmp_path: Path) -> None:
    assert json.loads((FORMER / MANIFEST).read_bytes())["form"] != FORM
    found = judge_former(tmp_path)
    assert found.wrong == []
    assert set(found.tables) == set(TABLES)
    assert {table: set(rows.columns) for table, rows in found.tables.items()} == {
        table: set(polars_schema(table)) for table in TABLES
    }
    route = found.tables[ROUTE]
    assert route.select("partner_country_code", "link_code", "transit_code", "units").rows()[0] == (
        "_U", "hub", "unknown", 465,
    )  # fmt: skip
    assert found.tables[COST].is_empty()
    assert found.tables[VOLUME]["units"].sum() == 2 * 545
    lake = Lake(str(tmp_path / "study"))
    land_packages(lake, [found], "run")
    assert set(lake.read(ROUTE)["transit_code"]) == {"unknown"}


def test_a_file_of_this_form_in_a_package_of_the_one_before_counts_nothing(tmp_path: Path) -> None:
    """Its manifest's form says what it holds."""
    data = (",".join(columns_of(COST)) + "\n").encode()
    about = json.loads((FORMER / MANIFEST).read_bytes())["files"]
    about["submission_cost.csv"] = {"sha256": hashlib.sha256(data).hexdigest(), "rows": 1}
    assert judge_former(tmp_path, files=about).tables[COST].is_empty()


@pytest.mark.parametrize("form", ["spam-observatory submission 5", "x"])
def test_another_form_is_refused_with_those_that_are_read(tmp_path: Path, form: str) -> None:
    (wrong,) = judge_former(tmp_path, form=form).wrong
    assert f"of the form '{form}'" in wrong
    assert f"'{FORM}' and 'spam-observatory submission 6'" in wrong


def test_a_newer_form_is_refused_though_its_files_are_unknown(tmp_path: Path) -> None:
    (wrong,) = judge_former(tmp_path, form="spam-observatory submission 8").wrong
    assert wrong.startswith("a newer version made it")


def test_a_former_package_by_other_contracts_than_that_form_had_is_refused(tmp_path: Path) -> None:
    (wrong,) = judge_former(tmp_path, contract_digest="0" * 64).wrong
    assert "another version of the contracts (000000000000, here 8c3cc88d197e)" in wrong


def test_what_a_form_lacks_is_a_table_or_a_column_with_what_stands_for_it() -> None:
    for form in known_forms():
        assert set(form.without) <= set(FILES.values())
        for table, columns in form.lacks.items():
            assert set(columns) <= dict(read_contract(table).added).keys()
