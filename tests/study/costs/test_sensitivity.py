"""Parameters that spending depends on, one at a time."""

import datetime as dt

import polars as pl
import pytest

from jobs.base.costs.investment_assumptions import PARAMETERS
from jobs.base.stats.formula import recovery_factor
from jobs.base.tables.contracts import polars_schema, reference_table
from jobs.study.costs.sensitivity import vary_each, vary_parameters
from jobs.study.estimates.steps.sample import Reference

PRICES = reference_table("ref.cost_parameter")
CENTRAL = dict(PRICES.select("parameter_code", "central").rows())
NAMES = "abcde"


def five_operators(share: float | None, life: float | None) -> tuple[pl.DataFrame, Reference]:
    """Five operators of Fiji with 1,000 mailboxes answered: each spends 300 on assets and 700 on labour."""
    frame = [
        {"respondent_id": name, "holding_id": name, "country_code": "FJI", "channel_code": "EMAIL",
         "size_code": "SMALL", "subscriptions": 1000, "valid_from": dt.date(2020, 1, 1), "source": "made up"}
        for name in NAMES
    ]  # fmt: skip
    asset = {"asset_code": "SERVER", "purchase": 500.0, "share": share, "life": life}
    accounts = [
        {"respondent_id": name, "country_code": "FJI", "channel_code": "EMAIL", "strategy_code": "filtering",
         "share": 1.0, "is_band": False, "amount": 1000.0, "ppp_amount": 1000.0, "capital_amount": 300.0,
         "labour_amount": 700.0, "other_amount": 0.0, "assets": [asset]}
        for name in NAMES
    ]  # fmt: skip
    columns = polars_schema("study.investment_account")
    plain = {name: pl.Float64 if isinstance(kind, pl.Decimal) else kind for name, kind in columns.items()}
    known = [{"country_code": "FJI", "period_code": "2026", "channel_code": "EMAIL", "subscriptions": 5000}]
    reference = Reference(
        pl.DataFrame(frame, schema=polars_schema("ref.operator_frame")),
        pl.DataFrame(known, schema=polars_schema("ref.denominator")),
        reference_table("ref.country"),
        reference_table("ref.country_group"),
    )
    return pl.DataFrame(accounts, schema=plain), reference


def test_a_parameter_changes_the_capital_of_those_who_did_not_state_it() -> None:
    """Half a US dollar an international one: 2,500 in all, of which 750 are capital."""
    accounts, reference = five_operators(share=None, life=None)
    spent, effects = vary_parameters(
        accounts, reference, {"FJI": 0.5}, PRICES, area="FJI", channel="EMAIL", period="2026"
    )
    assert spent == pytest.approx(2500)
    of = {each.parameter_code: each for each in effects}
    assert set(of) == set(PARAMETERS)
    share, life = of["shared_asset_share"], of["lifetime_years_server"]
    assert share.at_low == pytest.approx(1750 + 750 * share.low / share.central)
    assert share.at_high == pytest.approx(1750 + 750 * 1.0 / share.central)
    rate = CENTRAL["discount_rate_real_developing"]
    for years, found in ((life.low, life.at_low), (life.high, life.at_high)):
        ratio = recovery_factor(rate, years) / recovery_factor(rate, life.central)
        assert found == pytest.approx(1750 + 750 * ratio)
    # Fiji is not developed, and nobody bought a firewall.
    assert of["discount_rate_real_developed"].swing == of["lifetime_years_sms_firewall"].swing == 0
    assert of["discount_rate_real_developing"].at_high > 2500
    assert [each.swing for each in effects] == sorted((each.swing for each in effects), reverse=True)


def test_what_respondents_stated_does_not_change() -> None:
    accounts, reference = five_operators(share=0.4, life=6.0)
    _, effects = vary_parameters(accounts, reference, {"FJI": 0.5}, PRICES, "FJI", "EMAIL", "2026")
    swings = {each.parameter_code for each in effects if each.swing > 1e-9}
    assert swings == {"discount_rate_real_developing"}


def test_each_scenario_moves_one_parameter() -> None:
    drawn = vary_each({"a": (1.0, 2.0, 4.0), "b": (0.1, 0.2, 0.3)})
    assert drawn["a"].tolist() == [2, 1, 4, 2, 2] and drawn["b"].tolist() == [0.2, 0.2, 0.2, 0.1, 0.3]
