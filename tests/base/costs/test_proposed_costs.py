"""Fixed costs that an operator may copy into its settings."""

import datetime as dt
import tomllib
from pathlib import Path

import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.base.costs.parameter import explain_parameter
from jobs.base.costs.proposed_costs import describe_proposals, propose_costs
from jobs.base.settings.operator import Operator
from jobs.base.stats.formula import recovery_factor
from jobs.base.tables.contracts import reference_table
from tests.support.in_process import Run, cost_command

DAY = dt.date(2026, 11, 29)
CENTRAL = dict(reference_table("ref.cost_parameter").select("parameter_code", "central").rows())
RATES = dict(reference_table("ref.exchange_rate").select("currency_code", "usd_per_unit").rows())


def operator(**changed: object) -> Operator:
    given = {"id": "isle", "name": "Isle", "country": "GBR", "holding": "isle", "currency": "GBP"}
    return Operator.model_validate(given | {"subscribers": {"SMS": 300_000, "VOICE_IP": 2_000_000}} | changed)


def test_a_firewall_is_paid_over_its_life_at_the_countrys_rate() -> None:
    of = {each.parameter_code: each for each in propose_costs(operator(), "SMS", DAY)}
    assert set(of) == {"sms_firewall_capex_per_mno", "sms_firewall_opex_share"}
    bought = of["sms_firewall_capex_per_mno"]
    yearly = (
        CENTRAL["sms_firewall_capex_per_mno"]
        * recovery_factor(CENTRAL["discount_rate_real_developed"], CENTRAL["lifetime_years_sms_firewall"])
        * CENTRAL["shared_asset_share"]
        / RATES["GBP"]
    )
    assert bought.central == pytest.approx(yearly, rel=0.05)
    assert bought.low < bought.central < bought.high
    assert (bought.countermeasure_code, bought.channel_code) == ("CONTENT_FILTER", "SMS")
    # Elsewhere money is dearer.
    other = propose_costs(operator(country="NPL"), "SMS", DAY)[0]
    assert other.parameter_code == bought.parameter_code and other.central > 1.1 * bought.central


def test_prices_are_of_small_or_of_large_operators_and_of_the_channel() -> None:
    large = {each.parameter_code for each in propose_costs(operator(), "VOICE_IP", DAY)}
    small = {
        each.parameter_code
        for each in propose_costs(operator(subscribers={"VOICE_IP": 20_000}), "VOICE_IP", DAY)
    }
    assert large - small == {"stir_shaken_capex_large"} and small - large == {"stir_shaken_capex_small"}
    assert "call_analytics_per_subscription_year" in large & small


def test_what_is_stated_is_not_proposed() -> None:
    own = {"name": "firewall", "countermeasure": "CONTENT_FILTER", "channel": "SMS", "low": 1, "central": 2,
           "high": 3, "per": "year"}  # fmt: skip
    assert propose_costs(operator(fixed_cost=[own]), "SMS", DAY) == []
    assert propose_costs(operator(fixed_cost=[own | {"countermeasure": "_T"}]), "SMS", DAY) == []
    assert len(propose_costs(operator(fixed_cost=[own]), "VOICE_IP", DAY)) >= 3


def test_proposals_are_settings_that_say_that_they_are_proposed() -> None:
    proposals = propose_costs(operator(), "VOICE_IP", DAY)
    costs = tomllib.loads(describe_proposals(proposals))["operator"]["fixed_cost"]
    taken = operator(fixed_cost=costs).fixed_cost
    assert [float(each.central) for each in taken] == [each.central for each in proposals]
    assert all(each.name.startswith("proposed: ") and "assumption" in each.name or "published" in each.name
               for each in taken)  # fmt: skip


def test_without_subscribers_or_a_rate_there_is_no_proposal() -> None:
    with pytest.raises(ObservatoryError, match=r"'isle' has no subscribers of EMAIL: add subscribers ="):
        propose_costs(operator(), "EMAIL", DAY)
    with pytest.raises(ObservatoryError, match="no rate for KES"):
        propose_costs(operator(currency="KES"), "SMS", DAY)


def test_every_price_of_filtering_texts_and_calls_is_used() -> None:
    """Charged to what logs show, or proposed as a fixed cost."""
    for row in reference_table("ref.cost_parameter").rows(named=True):
        is_of = {"SMS", "MMS", "RCS", "VOICE_CS", "VOICE_IP"} & set(row["channels"].split("|"))
        counts = row["counts_as_investment"] == "yes" and row["cost_bearer"] == "operator"
        if is_of and counts and row["x1231_strategy_code"] in ("filtering", "service", "network"):
            assert row["countermeasures"] or row["fixed_for"], row["parameter_code"]


def test_the_command_prints_what_may_be_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "observatory.toml"
    settings.write_text(
        '[lake]\nroot = "lake"\n[[operator]]\nid = "isle"\nname = "Isle"\ncountry = "GBR"\nholding = "isle"\n'
        'currency = "GBP"\nsubscribers = 300000\n',
        encoding="utf-8",
    )
    run: Run = cost_command(settings, monkeypatch, capsys, ("list", "--help"))
    assert run("fixed", "isle", "SMS").out.startswith(
        '[[operator.fixed_cost]]\nname = "proposed: SMS firewall'
    )
    assert "did you mean 'isle'" in run("fixed", "isel", "SMS").err
    assert (
        "charged",
        "by nobody: `observatory cost fixed` proposes it as a fixed cost of content filter",
    ) in (explain_parameter("sms_firewall_capex_per_mno").facts)
