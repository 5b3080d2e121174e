"""Membership of groups that a release of twelve countries states, and the absence of any claim that it is of
more. The way there, from an empty folder, is in tests/whole/test_twelve_countries.py."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from typer.testing import CliRunner

from jobs.base.figures.areas import GROUPS, HALVES
from jobs.base.tables.contracts import reference_table
from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.cli.main import app
from jobs.study.release.released_tables import description_of, meanings_of
from tests.conftest import ROOT
from tests.support.release_study import COUNTRIES
from tests.support.true_of_few import OF_OTHERS, refuse_world, say_world

pytestmark = pytest.mark.long

NAME = "2026-Q4/v1.0.0"


def share_of_people(countries: Sequence[str], of: Sequence[str]) -> float:
    people = dict(reference_table("ref.population").select("iso3", "population").rows())
    return 100 * sum(people[each] for each in countries) / sum(people[each] for each in of)


def test_every_sentence_is_true_of_twelve_countries(made: SimpleNamespace, tmp_path: Path) -> None:
    folder = made.node.folder
    assert say_world((folder / "estimated.txt").read_text("utf-8")) == []
    assert say_world(made.said) == []
    of_areas = refuse_world(made.node.releases / NAME, tmp_path / "site")
    assert "in 12 countries of the study" in (tmp_path / "site" / "index.html").read_text("utf-8")
    volume = of_areas["spam_volume"]
    names = dict(volume.select("area_code", "area_name").rows())
    assert names["001_STUDY"] == "12 countries of the study"
    region = dict(reference_table("ref.country").select("iso3", "itu_region").rows())
    listed = [each for each, where in region.items() if where is not None]
    for code in ("AFR", "AMS", "ASP"):
        own, every = ([each for each in of if region[each] == code] for of in (COUNTRIES, listed))
        assert names[f"ITU_{code}_STUDY"].endswith(f": {len(own)} of {len(every)} countries")
        row = volume.filter(area_code=f"ITU_{code}_STUDY").row(0, named=True)
        assert abs(float(row["population_pct"]) - share_of_people(own, every)) < 0.006
    whole = volume.filter(area_code="001_STUDY").row(0, named=True)
    assert abs(float(whole["population_pct"]) - share_of_people(list(COUNTRIES), listed)) < 0.006
    assert whole["rated_country_count"] == "0"


@pytest.mark.parametrize("table", [each for each in public_tables() if each.split(".")[1] not in OF_OTHERS])
def test_no_text_that_every_release_has_speaks_of_the_world(table: str) -> None:
    contract = public_contract(table)
    texts = [contract.description, *contract.arguments.values()]
    for each in contract.columns:
        texts.append(description_of(each.field.name))
        if each.field.name != "area_code":
            texts += (meanings_of(each) or {}).values()
    assert say_world("\n".join(texts)) == []


def test_codes_of_parts_are_in_the_code_list_of_sdmx(made: SimpleNamespace) -> None:
    structure = (made.node.releases / NAME / "sdmx" / "structure.xml").read_text("utf-8")
    assert '"001_STUDY"' in structure and "Countries of the study" in structure
    data = (made.node.releases / NAME / "sdmx" / "spam_volume.xml").read_text("utf-8")
    assert 'REF_AREA="001_STUDY"' in data and 'REF_AREA="001"' not in data


def test_a_release_says_which_membership_of_groups_it_used(made: SimpleNamespace) -> None:
    folder = made.node.releases / NAME
    found = json.loads((folder / "manifest.json").read_bytes())["group_membership"]
    assert set(found) == set(GROUPS)
    halves = [found[name]["countries"] for name in HALVES]
    listed = reference_table("ref.country").drop_nulls("itu_region")["iso3"]
    assert sorted(sum(halves, [])) == sorted(listed)
    ldc = found["LDC"]
    assert ldc["day"] == "2026-12-31" and len(ldc["countries"]) == 44
    # Rows of low confidence are counted as members, and named: their exit was set for this quarter.
    assert set(ldc["uncertain"]) == {"BGD", "LAO", "NPL"} <= set(ldc["countries"])
    assert ldc["confidence"] == {"high": 41, "low": 3}
    group = reference_table("ref.country_group").filter(group_code="LDC")
    assert ldc["sources"] == group.filter(pl.col("valid_to").is_null())["source"].unique().sort().to_list()
    said = "44 countries on 2026-12-31. Confidence: 41 high, 3 low."
    for name in ("README.md", "codebook.csv"):
        text = (folder / name).read_text("utf-8")
        assert said in text and "Bangladesh: " in text and "outcome not seen" in text


def test_groups_without_open_exits_are_printed_and_stay(made: SimpleNamespace) -> None:
    """Three countries would be revealed by subtraction from the group itself."""
    before = {each: each.read_bytes() for each in made.node.folder.rglob("*") if each.is_file()}
    told = CliRunner().invoke(
        app, ["study", "membership", "--config", str(made.node.settings)], catch_exceptions=False
    )
    assert told.exit_code == 0, told.output
    text = " ".join(told.output.split())
    assert "LDC: spam in 2026-Q4, with and without Bangladesh, Lao PDR and Nepal" in text
    assert "no release may hold both" in text
    after = {each: each.read_bytes() for each in made.node.folder.rglob("*") if each.is_file()}
    assert before == after
    taking = [
        str(file.relative_to(ROOT))
        for file in (ROOT / "jobs").rglob("*.py")
        if "open_exits" in file.read_text("utf-8") and file.stem != "open_exits"
    ]
    assert taking == ["jobs/cli/study/study_membership.py"]
