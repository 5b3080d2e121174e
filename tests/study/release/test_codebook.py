"""The codebook of a release: every dimension, code and amount."""

import json

import polars as pl

from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.study.release.about import About
from jobs.study.release.codebook import NOTES
from tests.support.release import LIKE, VOLUME, made


def test_a_reader_learns_what_each_code_and_amount_means() -> None:
    """The release alone explains each, without the program's internal names."""
    codebook = made()["codebook.csv"].decode()
    for line in (
        "spam_volume,definition_code,,,,OPERATOR,Blocked or tagged by the operator",
        "spam_volume,quantity_code,,,,spam_possible,Possible spam. Units that are spam or that",
    ):
        assert line in codebook, line
    area = next(line for line in codebook.splitlines() if line.startswith("spam_volume,area_code,dim"))
    assert "M49" in area and "alpha-3" not in area
    notes = made()["README.md"].decode()
    assert "are in prices of 2025" in notes and "US dollars" in notes
    for table in public_tables():
        contract = public_contract(table)
        for text in (contract.description, *contract.arguments.values()):
            assert "public." not in text, text


def test_notes_name_what_has_fewer_digits_and_what_is_in_prices_of_its_own_period() -> None:
    notes = dict(NOTES)
    for table in map(public_contract, public_tables()):
        ways = {each.by for each in table.columns if each.way == "digits"}
        if any("2" in each for each in ways):
            assert table.name in notes["Estimates"] or any("spam_corrected" in each for each in ways), table
        if table.source == "study.countermeasure_cost":
            # Its amounts became dollars at the rates of ref.exchange_rate, and were not deflated.
            assert table.name in notes["Money"].split("in prices of 2025")[1]
    assert "spam_corrected" in notes["Estimates"]


def test_every_dimension_and_code_is_in_the_codebook() -> None:
    rows = pl.read_csv(made()["codebook.csv"], infer_schema=False)
    constant = {each.field.name for each in public_contract(VOLUME).columns if each.way == "always"}
    assert (set(public_contract(VOLUME).schema) | {"area_name"}) - constant == set(rows["column"])
    listed = rows.filter((pl.col("column") == "revision_code") & pl.col("code").is_not_null())
    assert {"NEW", "STANDS"} <= set(listed["code"])
    assert About.__dataclass_fields__.keys() >= {"period", "version"} and LIKE
    assert json.loads(made()["datapackage.json"])["resources"][0]["schema"]["primaryKey"][0] == "period_code"
