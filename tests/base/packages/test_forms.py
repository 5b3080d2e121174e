"""Packages of this form and of one before it, which is brought to this one table by table."""

import io
import json
from pathlib import Path

import polars as pl
import pytest

from jobs.base.packages import forms
from jobs.base.packages.costs import COST
from jobs.base.packages.counts import PACKAGE_TABLES, ROUTE, VOLUME
from jobs.base.packages.forms import PackageForm
from jobs.base.packages.package import FORM, MANIFEST
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import polars_schema
from jobs.study.packages.loading import land_packages
from jobs.study.packages.package_checks import Judged
from tests.base.packages.test_packages import again, contents, judged
from tests.base.packages.test_packages import package as package
from tests.base.packages.test_packages import root as root

# Made up: no release had it.
EARLIER = PackageForm(
    "an earlier form", "e" * 64, without=(COST,), lacks={ROUTE: {"transit_code": "unknown"}}
)

# A line of a file that the earlier form does not have.
UNREAD = b"no row\n"


@pytest.fixture(autouse=True)
def former(monkeypatch: pytest.MonkeyPatch) -> None:
    """A study of the release after the one with the earlier form."""
    monkeypatch.setattr(forms, "FORMER", (EARLIER,))


def judge_earlier(package: Path, **said: object) -> Judged:
    """A package of the earlier form, with something else in its manifest."""
    files = contents(package)
    routes = pl.read_csv(files["submission_route.csv"], infer_schema=False).drop("transit_code")
    manifest = json.loads(files[MANIFEST])
    manifest |= {"form": EARLIER.name, "contract_digest": EARLIER.digest}
    changes = {
        "submission_route.csv": written(routes),
        "submission_cost.csv": files["submission_cost.csv"] + UNREAD,
    }
    return judged(again(package, changes | {MANIFEST: json.dumps(manifest | said).encode()}))


def written(rows: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    rows.write_csv(file)
    return file.getvalue()


def test_a_package_of_the_form_before_loads_with_what_stands_for_what_it_lacks(
    package: Path, tmp_path: Path
) -> None:
    found = judge_earlier(package)
    assert found.wrong == []
    assert {table: set(rows.columns) for table, rows in found.tables.items()} == {
        table: set(polars_schema(table)) for table in PACKAGE_TABLES
    }
    assert set(found.tables[ROUTE]["transit_code"]) == {"unknown"}
    assert found.tables[VOLUME].height
    lake = Lake(str(tmp_path / "study"))
    land_packages(lake, [found], "run")
    assert set(lake.read(ROUTE)["transit_code"]) == {"unknown"}


def test_a_file_of_this_form_in_a_package_of_the_one_before_counts_nothing(package: Path) -> None:
    """A manifest's form says what its package holds."""
    found = judge_earlier(package)
    assert contents(package)["submission_cost.csv"].endswith(UNREAD)
    assert found.wrong == [] and found.tables[COST].is_empty()


@pytest.mark.parametrize("form", ["spam-observatory submission 6", "x"])
def test_another_form_is_refused_with_those_that_are_read(package: Path, form: str) -> None:
    (wrong,) = judge_earlier(package, form=form).wrong
    assert f"of the form '{form}'" in wrong
    assert f"'{FORM}' and '{EARLIER.name}'" in wrong and "submit again" in wrong


def test_a_newer_form_is_refused_though_its_files_are_unknown(package: Path) -> None:
    (wrong,) = judge_earlier(package, form="spam-observatory submission 8").wrong
    assert wrong.startswith("a newer version made it")


def test_a_former_package_by_other_contracts_than_that_form_had_is_refused(package: Path) -> None:
    (wrong,) = judge_earlier(package, contract_digest="0" * 64).wrong
    assert "another version of the contracts (000000000000, here eeeeeeeeeeee)" in wrong
