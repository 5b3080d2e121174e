"""Contracts of published tables fail closed."""

import copy
import importlib
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.base.tables.contracts import read_contract, read_yaml
from jobs.base.tables.public_contracts import NEVER, PUBLIC, parse_contract, public_contract, public_tables
from jobs.base.tables.thresholds import MONEY_HOLDINGS
from jobs.study.public.gate import BY_GATE
from jobs.study.public.tables import coarsen_rows


def test_each_table_names_its_columns_and_none_that_never_leaves() -> None:
    for contract in map(public_contract, public_tables()):
        names = set(contract.schema)
        assert not names & set(NEVER)
        assert not any(name.startswith("at_") for name in names)
        assert set(contract.key) <= names and contract.arguments
        # Every column of the source that is not named stays.
        assert set(read_contract(contract.source).columns) - names or contract.protect is None


@pytest.mark.parametrize("table", public_tables())
def test_columns_that_are_made_name_the_gate_or_one_module_that_makes_rows(table: str) -> None:
    makers = {each.by for each in public_contract(table).columns if each.way == "made"} - BY_GATE
    assert len(makers) <= 1
    for maker in makers:
        assert callable(importlib.import_module(f"jobs.study.public.{maker}").transform)


def test_what_a_contract_does_not_name_does_not_leave() -> None:
    contract = public_contract("public.investment_gap")
    rows = pl.DataFrame(schema={field.name: pl.String for field in read_contract(contract.source).fields})
    assert coarsen_rows(rows.with_columns(secret=pl.lit("x")), contract).columns == list(contract.schema)


RAW = read_yaml(PUBLIC / "spam_volume.yaml")
WRONG: dict[str, Callable[[dict[str, Any]], Any]] = {
    "reported never leaves": lambda raw: raw["columns"].update(reported={"role": "measure"}),
    "at_050 never leaves": lambda raw: raw["columns"].update(at_050={"role": "measure"}),
    "holding_count never leaves": lambda raw: raw["columns"].update(holding_count={"role": "attribute"}),
    "needs a role": lambda raw: raw["columns"]["estimate"].pop("role"),
    "at most one of": lambda raw: raw["columns"]["estimate"].update(made="interval"),
    "no classes of": lambda raw: raw["columns"]["coverage_class_code"].update({"class": "cv_pct"}),
    "are not those of": lambda raw: raw["columns"]["coverage_class_code"].update({"class": "silent_pct"}),
    "is no code of": lambda raw: raw["columns"]["conf_status_code"].update(always="X"),
    "not defined in": lambda raw: raw["columns"].update(sum_of_all={"role": "measure"}),
    "is not in study.spam_volume": lambda raw: raw["columns"].update(strategy_code={"role": "dimension"}),
    "has no argument": lambda raw: raw["arguments"].pop("rates_variance"),
    "estimate_low would show": lambda raw: raw["columns"].update(estimate_low={"role": "measure"}),
    "cv_band_code would show": lambda raw: raw["columns"].update(cv_band_code={"role": "attribute"}),
    "obs_status_code would show": lambda raw: raw["columns"].update(obs_status_code={"role": "attribute"}),
    "rates_margin_pct never leaves": lambda raw: raw["columns"].update(rates_margin_pct={"role": "measure"}),
    "change_code would show the study.s own error": lambda raw: raw["columns"].update(
        change_code={"role": "attribute"}
    ),
    "is not rounded": lambda raw: raw["columns"]["estimate"].pop("digits"),
    "unknown word": lambda raw: raw.update(protects={}),
    "lacks rows": lambda raw: raw.pop("rows"),
    "rows: study.spam_volume has no column 'kind'": lambda raw: raw.update(rows="kind = 1"),
    "rows: .* is not a condition": lambda raw: raw.update(rows="estimate"),
    "countries: study.spam_volume has no": lambda raw: raw["protect"].update(countries="quantity = 'units'"),
    "leave_out: study.spam_volume has no": lambda raw: raw["protect"].update(leave_out="definition = 'X'"),
    "estimate: study.spam_volume has no": lambda raw: raw["columns"]["estimate"].update(digits="kind + 1"),
    "asks for 2 holdings, fewer than 3": lambda raw: raw["protect"].update(least_holdings=2),
    "asks for True holdings": lambda raw: raw["protect"].update(least_holdings=True),
    "protect has an unknown word 'least'": lambda raw: raw["protect"].update(least=5),
    "protect lacks least_holdings": lambda raw: raw["protect"].pop("least_holdings"),
}


@pytest.mark.parametrize("says", WRONG)
def test_a_contract_that_says_too_much_is_refused(says: str) -> None:
    raw = copy.deepcopy(RAW)
    WRONG[says](raw)
    with pytest.raises(ObservatoryError, match=says):
        parse_contract(raw, "public.spam_volume", "spam_volume.yaml")


def test_money_of_fewer_than_five_holdings_is_refused() -> None:
    raw = read_yaml(PUBLIC / "investment.yaml")
    raw["protect"]["least_holdings"] = MONEY_HOLDINGS - 1
    with pytest.raises(ObservatoryError, match="asks for 4 holdings, fewer than 5"):
        parse_contract(raw, "public.investment", "investment.yaml")
