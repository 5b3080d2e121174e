"""Rates, shares and ranks of a release follow from its other columns, by code that shares none with them."""

from types import SimpleNamespace

from jobs.base.tables.public_contracts import public_contract, public_tables
from tests.independent.derived import compute_again

NAME = "2026-Q4/v1.0.0"


def test_every_derived_figure_follows_from_published_ones(made: SimpleNamespace) -> None:
    found = compute_again(made.node.releases / NAME / "data")
    assert [each for each in found if each.published != each.own] == []
    assert sum(bool(each.own) for each in found) > 100


def test_no_derived_column_is_left_out(made: SimpleNamespace) -> None:
    asked = {(each.table, each.column) for each in compute_again(made.node.releases / NAME / "data")}
    named = {
        (about.name, each.field.name)
        for about in map(public_contract, public_tables())
        for each in about.columns
        if each.way == "derived"
    }
    # Tables without a row in this release are asked in the membership's (tests/independent).
    assert asked and asked <= named
    assert {column for _, column in asked} == {column for _, column in named}
