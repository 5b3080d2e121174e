"""Spending of operators: annualisation, the order of deflation and conversion, and budget bands."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import norm

from jobs.base.core.errors import ObservatoryError
from jobs.base.costs.investment_assumptions import draw_parameters
from jobs.base.figures.areas import Area
from jobs.base.stats.censoring import draws_inside, fit_lognormal, mean_inside
from jobs.base.stats.estimation import REPLICATES, floor_at_one
from jobs.base.stats.formula import recovery_factor
from jobs.base.stats.imputation import PARTS, impute_spending, multiply_capital
from jobs.base.tables import contracts
from jobs.base.tables.contracts import polars_schema, reference_table, rows_frame
from jobs.study.estimates.investment import add_area_shares, amounts_of_year, money_rows, sum_areas
from jobs.study.estimates.steps.accounts import (
    Price,
    account_rows,
    annual_cost,
    bands_of_base,
    convert_amounts,
    count_posts,
    list_assets,
    rises_of,
    running_cost,
    split_shares,
    yearly_capital,
)
from jobs.study.estimates.steps.sample import Reference, sample_of
from jobs.study.estimates.steps.spending import (
    CONVERSIONS,
    certain_factors,
    component_factors,
    dollar_prices,
    draw_capital,
    draw_spending,
    measure_names,
    spending_measures,
    sum_by_respondent,
)
from tests.support.examples import examples

ASSUMED = {
    "discount_rate": 0.07,
    "asset_share": 0.5,
    "life_SERVER": 5.0,
    "life_SOFTWARE": 4.0,
    "life_OTHER": 5.0,
    "earlier_age": 0.5,
    "days_per_post": 220.0,
}
BANDS = {
    "B0": (0.0, 0.0), "B2": (10_000.0, 50_000.0), "B4": (250_000.0, 1_000_000.0), "B7": (25e6, None)
}  # fmt: skip
DAY = dt.date(2026, 12, 31)
PRICES = (Price("FJD", 110.0, 1.1, 2.2, 150.0), Price("FJD", 100.0, 1.0, 2.0, 140.0))


def test_the_yearly_payments_pay_the_asset_back() -> None:
    payment = annual_cost(1000, 1, 8, 0.05)
    assert sum(payment / 1.05**year for year in range(1, 9)) == pytest.approx(1000)
    assert annual_cost(1000, 0.5, 8, 0.05) == pytest.approx(payment / 2)
    assert annual_cost(1000, 1, 8, 0) == 125
    assert annual_cost(1000, 1, 8, 1e-9) == pytest.approx(125)
    with pytest.raises(ObservatoryError, match="give at least one year"):
        annual_cost(1000, 1, 0, 0.05)


def test_what_a_sum_holds_beside_its_parts_is_of_other_assets() -> None:
    """5 years at 7% is 0.243891 a year, of which half serves against spam."""

    def cost(answers: dict[str, str]) -> float:
        return yearly_capital(list_assets(answers, ASSUMED, {0: 1.0}), ASSUMED)

    apart = {"sp701.SERVER": "1000"}
    assert cost(apart) == cost(apart | {"sp701._T": "1000"}) == pytest.approx(1000 * 0.243891 / 2, rel=1e-5)
    assert cost(apart | {"sp701._T": "900"}) == cost(apart)
    assert cost(apart | {"sp701._T": "5000"}) == pytest.approx(5 * cost(apart))
    assert cost(apart | {"sp704._T": "5000"}) == pytest.approx(6 * cost(apart))
    told = apart | {"sp701._T": "5000", "sp702.OTHER": "100", "sp703.OTHER": "1"}
    # Of what nobody named neither life nor share was told.
    assert cost(told) == pytest.approx(5 * cost(apart))


def test_assets_bought_earlier_cost_what_they_would_at_the_prices_of_the_year() -> None:
    """Bought half a life ago: two of five years, five of ten, or as far back as prices are known."""
    since = {0: 1.0, 1: 1.5, 2: 2.336}

    def bought(answers: dict[str, str]) -> list[float]:
        return [each.purchase for each in list_assets(answers, ASSUMED, since)]

    assert bought({"sp701.SERVER": "100", "sp704.SERVER": "100"}) == pytest.approx([100, 233.6])
    assert bought({"sp704.SERVER": "100", "sp703.SERVER": "10"}) == pytest.approx([233.6])
    assert bought({"sp704.SERVER": "100", "sp703.SERVER": "3"}) == pytest.approx([150])
    assert bought({"sp704.SERVER": "100", "sp703.SERVER": "1"}) == [100]
    prices = {
        ("TUR", 2024): Price("TRL", 1.0, 1, 1, None), ("TUR", 2025): Price("TRY", 100.0, 1, 1, None),
        ("TUR", 2026): Price("TRY", 233.6, 1, 1, None), ("TUR", 2027): Price("TRY", 400.0, 1, 1, None),
        ("FJI", 2023): Price("TRY", 1.0, 1, 1, None),
    }  # fmt: skip
    assert rises_of(prices, "TUR", 2026) == pytest.approx({0: 1.0, 1: 2.336})


def test_staff_days_do_not_count_beside_the_cost_of_staff() -> None:
    assert running_cost({"sp705.STAFF": "500", "sp706": "20"}, 100.0) == (500, 0)
    assert running_cost({"sp705.LICENCE": "70", "sp706": "20"}, 100.0) == (2000, 70)
    assert running_cost({"sp705._T": "5000", "sp706": "20"}, 100.0) == (2000, 3000)
    # A sum is told, a wage is the country's: staff is no more than the sum leaves.
    assert running_cost({"sp705._T": "5000", "sp705.LICENCE": "4000", "sp706": "20"}, 100.0) == (1000, 4000)
    assert running_cost({"sp705._T": "5000", "sp705.LICENCE": "4000", "sp705.STAFF": "300"}, 1.0) == (
        300,
        4700,
    )
    with pytest.raises(ObservatoryError, match="add wage_per_day"):
        running_cost({"sp706": "20"}, None)


# Of 100,000 of servers over 5 years at 7%, half of which serves.
SERVERS = 100_000 * 0.2438907 / 2


@pytest.mark.parametrize(
    ("answers", "withheld", "low", "high"),
    [
        # A refused sum of running cost, and a band of the whole.
        ({"sp701._T": "100000", "sp709": "B4"}, {"sp705._T": "R"}, 250_000, 1e6),
        ({"sp701._T": "100000", "sp709": "B4"}, {}, 250_000, 1e6),
        ({"sp701._T": "100000", "sp709": "B2"}, {"sp705._T": "R"}, SERVERS, 50_000),
        ({"sp701._T": "1000000", "sp709": "B2"}, {"sp705._T": "NA"}, 10 * SERVERS, None),
        ({"sp701._T": "1000000", "sp709": "B0"}, {"sp705._T": "NA"}, 10 * SERVERS, None),
        # Without a band what was told is the least.
        ({"sp701._T": "100000"}, {"sp705._T": "R"}, SERVERS, None),
        ({"sp705.LICENCE": "10000"}, {"sp701._T": "R"}, 10_000, None),
        ({"sp701.SERVER": "100000", "sp705._T": "0"}, {"sp701.PROBE": "R"}, SERVERS, None),
        ({"sp701.SERVER": "100000", "sp705._T": "0"}, {"sp701._T": "R"}, SERVERS, None),
        ({"sp701.SERVER": "100000", "sp705._T": "0"}, {"sp704._T": "R"}, SERVERS, None),
        ({"sp701._T": "0", "sp705.LICENCE": "500"}, {"sp705.STAFF": "NA"}, 500, None),
        ({"sp701._T": "0", "sp705.LICENCE": "500"}, {"sp706": "R"}, 500, None),
        ({"sp706": "10"}, {"sp701._T": "R", "sp705._T": "R"}, 1500, None),
        ({"sp709": "B7"}, {"sp701._T": "R"}, 25e6, None),
        # What is not applicable stands for no days and for no sum, and no band is exact for it.
        ({"sp701._T": "0", "sp705.LICENCE": "500"}, {"sp705.STAFF": "R", "sp706": "NP"}, 500, None),
        (
            {"sp701.SERVER": "100000", "sp705._T": "0"}, {"sp701._T": "NP", "sp701.FIREWALL": "R"},
            SERVERS, None,
        ),
        ({"sp701._T": "7"}, {"sp705.STAFF": "NP", "sp705._T": "NA"}, 7 * SERVERS / 100_000, None),
        ({"sp709": "B4"}, {"sp701._T": "NP", "sp705._T": "NP", "sp706": "NP"}, 250_000, 1e6),
    ],
)  # fmt: skip
def test_what_is_told_in_part_is_a_band_and_no_amount(
    answers: dict[str, str], withheld: dict[str, str], low: float, high: float | None
) -> None:
    (row,) = account_rows(answers, {"EMAIL": 1.0}, PLAIN, ASSUMED, BANDS, withheld)
    assert row["is_band"] is True
    assert row["band_low"] == pytest.approx(low, rel=1e-6)
    assert row["band_high"] == high
    assert not {"amount", "ppp_amount", "assets"} & row.keys()


PLAIN = (Price("FJD", 100.0, 1.0, 2.0, 150.0), Price("FJD", 100.0, 1.0, 2.0, 150.0))


@pytest.mark.parametrize(
    ("answers", "withheld", "amount"),
    [
        # The sum holds what is refused of its parts, and each question its own.
        (
            {"sp701.SERVER": "100000", "sp701._T": "1000000", "sp705._T": "0"},
            {"sp701.PROBE": "R"}, 10 * SERVERS,
        ),
        ({"sp701.SERVER": "10000", "sp704._T": "1000000", "sp705._T": "0"}, {}, 10.1 * SERVERS),
        (
            {"sp701._T": "0", "sp705.LICENCE": "10000", "sp705._T": "500000", "sp706": "100"},
            {"sp705.STAFF": "R"}, 500_000,
        ),
        ({"sp701._T": "0", "sp705.LICENCE": "500", "sp706": "10"}, {"sp705.STAFF": "R"}, 2000),
        ({"sp701._T": "0", "sp705.LICENCE": "500", "sp705.STAFF": "9"}, {"sp706": "R"}, 509),
        # A sum that is not available beside its parts is theirs.
        ({"sp701._T": "0", "sp705.LICENCE": "500"}, {"sp705._T": "NA"}, 500),
        ({"sp701._T": "0", "sp705._T": "900", "sp709": "B4"}, {"sp702.SERVER": "R"}, 900),
        # What is not applicable is none, and told.
        ({"sp701._T": "100000"}, {"sp705._T": "NP", "sp706": "NP"}, SERVERS),
        ({"sp705._T": "900"}, {"sp701._T": "NP", "sp704._T": "NP"}, 900),
        ({"sp701.SERVER": "100000", "sp705._T": "0"}, {"sp701._T": "NP", "sp701.PROBE": "NP"}, SERVERS),
        ({"sp705.LICENCE": "900"}, {"sp701._T": "NP", "sp705.STAFF": "NP", "sp706": "NA"}, 900),
        ({"sp706": "10"}, {"sp701._T": "NP", "sp705._T": "NP"}, 1500),
    ],
)  # fmt: skip
def test_what_is_told_whole_is_exact(
    answers: dict[str, str], withheld: dict[str, str], amount: float
) -> None:
    (row,) = account_rows(answers, {"EMAIL": 1.0}, PLAIN, ASSUMED, BANDS, withheld)
    assert row["is_band"] is False
    assert row["amount"] == pytest.approx(amount, rel=1e-6)


def test_who_refuses_all_is_no_respondent() -> None:
    refused = {"sp701._T": "R", "sp705._T": "R"}
    assert account_rows({"sp706": "0"}, {"EMAIL": 1.0}, PLAIN, ASSUMED, BANDS, refused) == []
    assert account_rows({"sp707.EMAIL": "100"}, {"EMAIL": 1.0}, PLAIN, ASSUMED, BANDS, refused) == []
    assert account_rows({}, {"EMAIL": 1.0}, PLAIN, ASSUMED, BANDS, dict.fromkeys(refused, "NP")) == []


def test_posts_are_days_or_else_staff_at_the_wage_and_unknown_without() -> None:
    assert count_posts({"sp706": "440", "sp705.STAFF": "999"}, 100.0, 220.0) == 2
    assert count_posts({"sp705.STAFF": "22000"}, 100.0, 220.0) == 1
    assert count_posts({"sp705.STAFF": "0"}, 100.0, 220.0) == 0
    assert count_posts({"sp705.STAFF": "22000"}, None, 220.0) is None
    assert count_posts({"sp705.LICENCE": "22000"}, 100.0, 220.0) is None


def test_amounts_are_deflated_before_they_are_converted() -> None:
    """100 bn local and high inflation: 10.7 at parity by the right order, 8.8 and 3.3 by the others."""
    then, now = Price("XXX", 100.0, 4.0, 8.0, None), Price("XXX", 233.64486, 10.33, 27.55, None)
    us_deflator = 1.10
    found = convert_amounts([0.0, 60.0, 40.0], 60.0, now, then)
    assert found["ppp_amount"] == pytest.approx(10.7, abs=0.005)
    assert found["market_amount"] == pytest.approx(5.35, abs=0.005)
    assert found["mixed_amount"] == pytest.approx(0.6 * 10.7 + 0.4 * 5.35, abs=0.005)
    assert 100 / now.ppp / us_deflator == pytest.approx(8.8, abs=0.005)
    assert 100 / now.market / us_deflator == pytest.approx(3.3, abs=0.005)


def test_shares_that_do_not_add_up_to_a_hundred_are_scaled() -> None:
    assert split_shares({"sp707.EMAIL": "60", "sp707.SMS": "42"}, "sp707", {}) == pytest.approx(
        {"EMAIL": 60 / 102, "SMS": 42 / 102}
    )
    assert split_shares({}, "sp707", {"EMAIL": 30.0, "SMS": 10.0}) == {"EMAIL": 0.75, "SMS": 0.25}


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({"sp701.SERVER": "12 000 FJD"}, "sp701.SERVER: '12 000 FJD' is no number"),
        ({"sp705.STAFF": "-5"}, "sp705.STAFF: -5 is below 0"),
        ({"sp709": "B9"}, "'B9' is no budget band; known are B0, B2, B4, B7"),
    ],
)
def test_a_wrong_answer_is_named(answers: dict[str, str], told: str) -> None:
    with pytest.raises(ObservatoryError, match=told):
        account_rows(answers, {"EMAIL": 1.0}, PRICES, ASSUMED, BANDS)


def test_bands_are_of_the_base_years_dollars_as_amounts_are() -> None:
    """Dollars lost a tenth of their worth: 11,000 of the year are 10,000 of the base year."""
    prices = {("USA", 2026): Price("USD", 110.0, 1, 1, None), ("USA", 2025): Price("USD", 100.0, 1, 1, None)}
    bands: dict[str, tuple[float, float | None]] = {
        "B0": (0, 0),
        "B1": (11_000, 55_000),
        "B2": (55_000, None),
    }
    found = bands_of_base(bands, prices, 2026, 2025)
    assert {code: low for code, (low, _) in found.items()} == pytest.approx({"B0": 0, "B1": 1e4, "B2": 5e4})
    assert found["B1"][1] == pytest.approx(5e4) and found["B2"][1] is None
    assert bands_of_base(bands, {}, 2025, 2025) == bands
    with pytest.raises(ObservatoryError, match="no price level for USA in 2025: add a row"):
        bands_of_base(bands, {("USA", 2026): prices["USA", 2026]}, 2026, 2025)


def test_public_money_alone_is_no_account() -> None:
    assert account_rows({"sp711.REGISTER": "1000"}, {"SMS": 1.0}, PRICES, ASSUMED, BANDS) == []


POINTS = draw_parameters(contracts.reference_table("ref.cost_parameter"))


# --- estimates ---------------------------------------------------------------------------------------


def made_up(seed: int) -> tuple[pl.DataFrame, pl.DataFrame, Reference]:
    """Accounts of some of a few dozen operators in ten countries, how they are of each respondent, and the
    frame. Who is large spends little of one kind or much: what each part weighs differs."""
    random = np.random.default_rng(seed)
    frame, accounts = [], []
    for number in range(int(random.integers(12, 60))):
        size, level, response = [("SMALL", 9, 0.3), ("MEDIUM", 12, 0.5), ("LARGE", 15, 0.75)][
            random.integers(3)
        ]
        subscriptions = float(np.exp(random.normal(level, 1)))
        whose = {"respondent_id": f"r{number:02}", "country_code": str(random.choice(COUNTRIES))}
        whose |= {"channel_code": "EMAIL"}
        frame.append(
            whose
            | {"holding_id": whose["respondent_id"], "size_code": size, "subscriptions": int(subscriptions)}
            | {"valid_from": dt.date(2020, 1, 1)}
        )
        if number >= 5 and random.random() > response:
            continue
        is_band, amount = bool(random.random() < 0.25), subscriptions * np.exp(random.normal())
        parts = random.dirichlet([0.6, 0.6, 0.6])
        told = {"asset_code": "FIREWALL", "purchase": 1.0, "share": None, "life": None}
        assets = [told | {"share": 0.3, "life": 5.0} if number % 3 else told]
        of_strategies = {"network": 0.25, "filtering": 0.75} if number % 2 else {"filtering": 1.0}
        for strategy, share in of_strategies.items():
            row = whose | {"strategy_code": strategy, "share": share, "is_band": is_band}
            row |= {"band_low": 10_000.0, "band_high": 50_000.0} if is_band else {
                "amount": amount * share, "ppp_amount": amount * share, "assets": assets,
                **{f"{name}_amount": part * amount * share for name, part in zip(PARTS, parts, strict=True)},
            }  # fmt: skip
            accounts.append(row)
    columns = polars_schema("study.investment_account")
    plain = {name: pl.Float64 if isinstance(kind, pl.Decimal) else kind for name, kind in columns.items()}
    of_all = pl.DataFrame(frame, schema=polars_schema("ref.operator_frame"))
    known = of_all.group_by("country_code", "channel_code").agg(pl.col("subscriptions").sum())
    found = pl.DataFrame(accounts, schema=plain)
    people = sum_by_respondent(found, of_all, DAY).with_columns(subscriptions=pl.lit(None, dtype=pl.Int64))
    countries = Reference(
        of_all,
        rows_frame([row | {"period_code": "2026"} for row in known.to_dicts()], "ref.denominator"),
        reference_table("ref.country"),
        reference_table("ref.country_group"),
    )
    return found, people, countries


COUNTRIES = ["NPL", "FJI", "KEN", "TZA", "FRA", "DEU", "BRA", "IND", "CHE", "WSM"]


@examples(4)
@given(st.integers(0, 2**32))
# Of these the raking gave some less than their own weight: parts came to 6% more than the whole.
@example(3)
@example(5)
@example(12)
def test_capital_and_operating_cost_add_up_and_nobody_counts_for_less_than_it_said(seed: int) -> None:
    accounts, people, countries = made_up(seed)
    strategies = ["_T", "filtering", "network"]
    dollars = dict.fromkeys(COUNTRIES, 0.5)
    rows = money_rows(
        accounts, people, countries, dollars, POINTS, strategies, ("investment", "EMAIL", "2026")
    ).to_dicts()
    names = ("area_code", "strategy_code", "component_code", "conversion_code")
    found = {tuple(row[name] for name in names): row for row in rows}
    for (area, strategy, component, conversion), row in found.items():
        estimate = row["estimate"]
        if estimate is None:
            continue
        assert row["reported"] <= estimate * (1 + 1e-9)
        if component == "_T":
            parts = [found[area, strategy, each, conversion]["estimate"] for each in ("capital", "operating")]
            assert sum(parts) == pytest.approx(estimate, rel=1e-9)
        if strategy == "_T":
            each = [found[area, name, component, conversion]["estimate"] for name in strategies[1:]]
            assert sum(each) == pytest.approx(estimate, rel=1e-9)


@examples(10)
@given(st.integers(0, 2**32))
@example(3)
@example(5)
@example(12)
def test_nobody_stands_for_less_than_itself_before_any_floor(seed: int) -> None:
    """estimate_figures() ends with a floor for last digits; the weights alone keep what was reported, of
    bands too."""
    accounts, people, countries = made_up(seed)
    sample, answered = sample_of(countries, people, "EMAIL", "2026", ("investment", "EMAIL", "2026"))
    found = draw_spending(answered, 1, np.ones((2, answered.height)))
    answering = sample.weighted.operators.is_respondent
    subscriptions = sample.weighted.operators.subscriptions[answering]
    for place, known in enumerate(sample.known):
        own = sample.member[place, answering]
        if own.any():
            weights = floor_at_one(sample.weighted.weights[0, own], subscriptions[own], float(known))
            assert (weights >= 1).all()
            for amounts in (found.mean, found.lowest, found.highest):
                assert weights @ amounts[own] >= amounts[own].sum() * (1 - 1e-12)


def test_a_band_is_of_the_subscriptions_and_size_of_the_day() -> None:
    frame = pl.DataFrame(
        [
            whose | {"respondent_id": "one", "channel_code": channel, "country_code": "FJI"}
            for channel in ("EMAIL", "SMS")
            for whose in (
                {"size_code": "SMALL", "subscriptions": 1000, "valid_from": dt.date(2020, 1, 1),
                 "valid_to": dt.date(2025, 1, 1)},
                {"size_code": "LARGE", "subscriptions": 1100, "valid_from": dt.date(2025, 1, 1)},
            )
        ],
        schema=polars_schema("ref.operator_frame"),
    )  # fmt: skip
    row = {"respondent_id": "one", "country_code": "FJI", "is_band": True, "share": 1.0, "band_low": 10_000}
    accounts = pl.DataFrame([row], schema=polars_schema("study.investment_account"))
    for day, size, subscriptions in ((DAY, "LARGE", 2200), (dt.date(2024, 12, 31), "SMALL", 2000)):
        (found,) = sum_by_respondent(accounts, frame, day).to_dicts()
        assert (found["size_code"], found["all_subscriptions"]) == (size, subscriptions)


# --- what nobody tells --------------------------------------------------------------------------------


def bought(*assets: dict[str, object]) -> pl.DataFrame:
    kind = polars_schema("study.investment_account")["assets"]
    return pl.DataFrame({"assets": pl.Series([[each] if each else None for each in assets], dtype=kind)})


def test_rate_life_and_share_are_drawn_once_for_all_and_what_is_told_is_not() -> None:
    wall = {"asset_code": "FIREWALL", "purchase": 1000.0, "share": None, "life": None}
    told = {"share": 0.5, "life": 7.0}
    answered = bought(wall, wall | {"purchase": 7.0}, wall | told, wall | {"life": 7.0}, {}, wall)
    classes = ["LDC", "DEVELOPING", "LDC", "LDC", "LDC", "DEVELOPED"]
    times = draw_capital(answered, classes, POINTS)
    assert times.shape == (REPLICATES, 6)
    assert times[:, 0] == pytest.approx(times[:, 1])
    assert (times[:, 4] == 1).all()
    rates = POINTS["discount_rate_real_developing"]
    assert times[:, 2] == pytest.approx(recovery_factor(rates[1:], 7.0) / recovery_factor(rates[0], 7.0))
    share = POINTS["shared_asset_share"]
    assert times[:, 3] == pytest.approx(times[:, 2] * share[1:] / share[0])
    assert share.max() <= 1
    spread = np.log(times).std(axis=0)
    assert spread[2] < 0.15 < 0.35 < spread[3] < spread[0]
    assert not np.allclose(times[:, 5], times[:, 0])
    assert np.median(times[:, 0]) == pytest.approx(1, abs=0.1)


@given(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), st.floats(0, 1e9), st.floats(0.1, 3))
def test_only_capital_is_multiplied(parts: list[float], amount: float, times: float) -> None:
    share = np.array([parts]) / sum(parts)
    amounts, drawn = multiply_capital(np.array([amount]), share, np.array([[times]]))
    whole = share * amount * np.array([times, 1, 1])
    assert drawn.sum(axis=-1) == pytest.approx(1)
    assert (amounts[..., None] * drawn)[0] == pytest.approx(whole)


def test_the_interval_holds_what_capital_takes_for_granted() -> None:
    """All operators answered: nothing but rate, lives and shares is unknown, and nobody's running cost."""
    count = 8
    frame = pl.DataFrame(
        [
            {"respondent_id": f"r{number}", "holding_id": f"r{number}", "country_code": "FJI",
             "channel_code": "EMAIL", "size_code": "SMALL", "subscriptions": 1000,
             "valid_from": dt.date(2020, 1, 1)}
            for number in range(count)
        ],
        schema=polars_schema("ref.operator_frame"),
    )  # fmt: skip
    wall = {"asset_code": "FIREWALL", "purchase": 500.0, "share": None, "life": None}
    amounts = {"amount": 300.0, "ppp_amount": 300.0, "capital_amount": 100.0, "labour_amount": 200.0,
               "other_amount": 0.0}  # fmt: skip
    rows = [
        {"respondent_id": f"r{number}", "country_code": "FJI", "strategy_code": "network", "share": 1.0,
         "is_band": False, "assets": [wall]} | amounts
        for number in range(count)
    ]  # fmt: skip
    columns = polars_schema("study.investment_account")
    plain = {name: pl.Float64 if isinstance(kind, pl.Decimal) else kind for name, kind in columns.items()}
    accounts = pl.DataFrame(rows, schema=plain)
    people = sum_by_respondent(accounts, frame, DAY).with_columns(subscriptions=pl.lit(None, dtype=pl.Int64))
    known = pl.DataFrame(
        [{"country_code": "FJI", "channel_code": "EMAIL", "period_code": "2026", "subscriptions": 8000}],
        schema=polars_schema("ref.denominator"),
    )
    of = Reference(frame, known, reference_table("ref.country"), reference_table("ref.country_group"))
    key = ("investment", "EMAIL", "2026")
    found = {
        (row["area_code"], row["component_code"]): row
        for row in money_rows(accounts, people, of, {"FJI": 0.5}, POINTS, ["_T", "network"], key).to_dicts()
        if row["strategy_code"] == "_T" and row["conversion_code"] == "ppp"
    }
    wall_only = bought(*[wall] * count)
    times = draw_capital(wall_only, ["DEVELOPING"] * count, POINTS)[:, 0]
    for area in ("FJI", "WORLD", "SIDS"):
        running, capital_, whole = (found[area, part] for part in ("operating", "capital", "_T"))
        assert running["estimate"] == pytest.approx(1600)
        assert [running["estimate_low"], running["estimate_high"]] == pytest.approx([1600, 1600])
        assert whole["estimate"] == pytest.approx(2400)
        assert capital_["cv_pct"] == pytest.approx(100 * times.std(ddof=1), rel=0.02)
        # Nearly all that is drawn, and not much more.
        assert 2 < capital_["estimate_high"] / capital_["estimate"] < 4
        inside = (times >= capital_["estimate_low"] / 800) & (times <= capital_["estimate_high"] / 800)
        assert inside.mean() >= 0.93
        assert whole["estimate_low"] > 1600
    assert found["FJI", "operating"]["nature_code"] == "C"
    assert found["FJI", "capital"]["nature_code"] == "CA"


# --- bands ------------------------------------------------------------------------------------------


def test_two_edges_and_three_bands_give_the_distribution_exactly() -> None:
    """One of four below 2, two between 2 and 8, one above: quartiles, so s = ln(8/2)/(2 x 0.67449)."""
    low, high = np.array([0.0, 2.0, 2.0, 8.0]), np.array([2.0, 8.0, 8.0, np.inf])
    mean, spread = fit_lognormal(np.array([]), low, high)
    assert mean == pytest.approx(np.log(4), abs=1e-6)
    assert spread == pytest.approx(np.log(4) / (2 * 0.6744897501960817), rel=1e-6)


def test_exact_amounts_alone_give_the_textbook_estimate() -> None:
    amounts = np.exp(np.random.default_rng(1).normal(3, 0.7, 50))
    none = np.array([])
    mean, spread = fit_lognormal(amounts, none, none)
    assert mean == pytest.approx(np.log(amounts).mean(), abs=1e-6)
    assert spread == pytest.approx(np.log(amounts).std(), rel=1e-6)


def test_the_score_is_nought_where_the_fit_stands() -> None:
    """Three amounts at each of 50 e^(+-d) and the bands 10-50 and 50-250: by symmetry the mean is ln 50, and
    the score in the spread, solved apart, has its root where the fit is."""
    distance, edge = 1.2, np.log(5)
    exact = 50 * np.exp(np.repeat([distance, -distance], 3))
    mean, spread = fit_lognormal(exact, np.array([10.0, 50.0]), np.array([50.0, 250.0]))

    def score(s: float) -> float:
        z = edge / s
        return -6 / s + 6 * distance**2 / s**3 - 2 * z / s * norm.pdf(z) / (ndtr(z) - 0.5)

    assert mean == pytest.approx(np.log(50), abs=1e-7)
    assert spread == pytest.approx(brentq(score, 0.3, 3), rel=1e-7)


def test_the_mean_of_draws_is_the_mean_inside_the_band() -> None:
    low, high = np.array([1.0, 5.0, 20.0]), np.array([5.0, 20.0, np.inf])
    drawn = draws_inside(low, high, 2.0, 0.8, np.random.default_rng(0), 200_000)
    assert ((low <= drawn) & (drawn <= high)).all()
    assert drawn.mean(axis=0) == pytest.approx(mean_inside(low, high, 2.0, 0.8), rel=0.01)


def test_a_band_without_a_chance_stands_at_its_nearest_edge() -> None:
    assert mean_inside(np.array([1e9]), np.array([2e9]), 0.0, 0.5).tolist() == [1e9]
    assert mean_inside(np.array([1e-9]), np.array([2e-9]), 0.0, 0.5).tolist() == [2e-9]


def test_bands_become_amounts_and_exact_ones_stay() -> None:
    count = 12
    exact = np.exp(np.linspace(9, 11, count))
    exact[:3] = np.nan
    low, high = np.zeros(count), np.zeros(count)
    low[:2], high[:2] = 10_000, 50_000
    x, size = np.full(count, 100.0), np.array(["SMALL"] * 6 + ["LARGE"] * 6, dtype=object)
    parts = np.tile([0.25, 0.5, 0.25], (count, 1))
    found = impute_spending(exact, parts, low, high, x, size, seed=1, replicates=50)
    assert found.mean[3:].tolist() == exact[3:].tolist()
    assert (found.draws[:, 3:] == exact[3:]).all()
    assert ((found.draws[:, :2] >= 10_000) & (found.draws[:, :2] <= 50_000)).all()
    # The third spends nothing (B0): that is known, and no band to draw from.
    assert found.mean[2] == found.draws[:, 2].max() == found.highest[2] == 0
    assert (found.lowest[:2] == 10_000).all() and (found.highest[:2] == 50_000).all()
    assert (found.drawn_parts == parts).all()
    again = impute_spending(exact, parts, low, high, x, size, seed=1, replicates=50)
    assert np.array_equal(found.draws, again.draws)


def test_amounts_with_no_upper_edge_stand_at_what_was_told_where_nothing_says_more() -> None:
    count = 8
    low, high = np.linspace(100, 800, count), np.full(count, np.inf)
    exact, size = np.full(count, np.nan), np.full(count, "SMALL", dtype=object)
    parts = np.zeros((count, 3))
    found = impute_spending(exact, parts, low, high, np.ones(count), size, seed=1, replicates=3)
    assert found.mean.tolist() == low.tolist()
    assert (found.draws == low).all()
    exact[:4] = [400, 500, 600, 900]
    low[:4], high[:4] = 0, 0
    found = impute_spending(exact, parts, low, high, np.ones(count), size, seed=1, replicates=3)
    assert (found.mean[4:] > low[4:]).all()
    assert (found.mean[4:] < 3 * low[4:]).all()


@pytest.mark.parametrize(("small", "is_apart"), [(8, True), (7, False)])
def test_a_size_class_of_eight_accounts_is_fitted_by_itself(small: int, is_apart: bool) -> None:
    """Spending of large operators says nothing of a small one's band where there are eight small ones."""
    count = 2 * small + 2
    is_small = np.arange(count) < small
    exact, size = np.linspace(100, 200, count), np.where(is_small, "SMALL", "LARGE").astype(object)
    exact[0] = np.nan
    low, high = np.zeros(count), np.zeros(count)
    low[0], high[0] = 50, 500
    found = [
        impute_spending(
            np.where(is_small, exact, times * exact),
            np.zeros((count, 3)),
            low,
            high,
            np.ones(count),
            size,
            1,
            3,
        ).mean[0]
        for times in (1, 2)
    ]
    assert (found[0] == found[1]) == is_apart


def test_bands_that_leave_the_spread_open_do_not_run_away() -> None:
    """One below 1 and one above 2 are likeliest of a spread without end."""
    mean, spread = fit_lognormal(np.array([]), np.array([0.0, 2.0]), np.array([1.0, np.inf]))
    assert spread == pytest.approx(3)
    assert abs(mean) < 1


def test_how_a_band_divides_is_drawn_from_accounts_by_amount() -> None:
    """Two kinds of accounts, all capital and all labour, three of four dollars on capital."""
    exact = np.array([300.0, 100.0] * 4 + [np.nan])
    count = len(exact)
    parts = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]] * 4 + [[0.0, 0.0, 0.0]])
    low, high = np.zeros(count), np.zeros(count)
    low[-1], high[-1] = 100, 400
    size = np.full(count, "SMALL", dtype=object)
    found = impute_spending(exact, parts, low, high, np.ones(count), size, seed=1, replicates=4000)
    assert found.parts[-1] == pytest.approx([0.75, 0.25, 0.0])
    assert set(map(tuple, found.drawn_parts[:, -1].tolist())) == {(1.0, 0.0, 0.0), (0.0, 1.0, 0.0)}
    assert found.drawn_parts[:, -1].mean(axis=0) == pytest.approx([0.75, 0.25, 0.0], abs=0.02)
    assert (found.drawn_parts[:, :-1] == parts[:-1]).all()


def test_without_an_account_each_part_of_a_band_has_a_third() -> None:
    one = np.array([np.nan])
    low, high = np.array([100.0]), np.array([400.0])
    size = np.array(["SMALL"], dtype=object)
    found = impute_spending(one, np.zeros((1, 3)), low, high, np.ones(1), size, seed=1, replicates=3)
    assert found.parts.tolist() == [[1 / 3, 1 / 3, 1 / 3]]
    assert (found.drawn_parts == 1 / 3).all()


@given(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), st.floats(0.1, 3), st.floats(0, 1e9))
def test_components_add_up_and_labour_is_at_parity(parts: list[float], dollar: float, amount: float) -> None:
    share = np.array([parts]) / sum(parts)
    price = dollar_prices(np.array([dollar]))
    places = {key: place for place, key in enumerate(measure_names(["_T"]))}
    found = spending_measures(np.array([amount]), np.ones((1, 1)), component_factors(share, price))[0]
    for conversion in CONVERSIONS:
        whole, capital, operating = (
            found[places["_T", part, conversion]] for part in ("_T", "capital", "operating")
        )
        assert capital + operating == pytest.approx(whole)
    labour = share[0, 1] * amount
    assert found[places["_T", "_T", "ppp"]] == pytest.approx(amount)
    assert found[places["_T", "_T", "market"]] == pytest.approx(amount * dollar)
    assert found[places["_T", "_T", "mixed"]] == pytest.approx(labour + (amount - labour) * dollar)
    # Of a band, whose division is not known, no more is certain than under any division.
    least = certain_factors(share, price, np.array([True]))[0]
    assert least.ravel().tolist() == pytest.approx([1, dollar, min(1, dollar)] + [0] * 6)
    assert np.array_equal(certain_factors(share, price, np.array([False])), component_factors(share, price))


# --- shares of gross domestic product and of revenue ---------------------------------------------------

ECONOMIES = [
    {"country_code": "FJI", "price_year": 2023, "gdp_amount": 4e9, "telecom_revenue_amount": 6e7},
    {"country_code": "FJI", "price_year": 2024, "gdp_amount": 5e9},
    {"country_code": "NZL", "price_year": 2026, "gdp_amount": 9e9, "telecom_revenue_amount": 1e8},
    {"country_code": "TON", "price_year": 2025, "telecom_revenue_amount": 1e7},
]
ISLANDS = [
    Area("WORLD", "world", ("FJI", "NZL", "TON")),
    Area("ASP", "region", ("FJI", "NZL")),
    Area("TON", "country", ("TON",)),
    Area("NIU", "country", ("NIU",)),
]


def test_an_area_has_a_share_where_each_of_its_countries_has_the_amount() -> None:
    rows = [row | {"source": "made up"} for row in ECONOMIES]
    found = sum_areas(amounts_of_year(rows_frame(rows, "ref.economy"), 2025), ISLANDS)
    # The latest to the base year, else the earliest after it; the year is the earliest of the countries'.
    assert found["ASP"] == {"gdp_amount": (14e9, 2024), "telecom_revenue_amount": (1.6e8, 2023)}
    # Tonga's product is not known, so neither is the world's: no share of what only some have.
    assert found["WORLD"] == {"telecom_revenue_amount": (1.7e8, 2023)}
    assert set(found) == {"WORLD", "ASP", "TON"}
    kinds = {"area_code": pl.String, "conversion_code": pl.String, "estimate": pl.Float64}
    given = [("ASP", "market", 28e3), ("ASP", "market", None), ("ASP", "ppp", 28e3), ("NIU", "market", 1.0)]
    of_dollars, *without = add_area_shares(pl.DataFrame(given, schema=kinds, orient="row"), found).rows()
    assert of_dollars[3:] == (2024, pytest.approx(2.0), 2023, pytest.approx(0.0175))
    assert {row[3:] for row in without} == {(None,) * 4}


def test_every_member_of_itu_but_one_has_a_product_and_none_a_revenue() -> None:
    """Revenues are ITU's, whose licence does not allow to hand them on."""
    known = reference_table("ref.economy")
    members = set(reference_table("ref.country").filter(pl.col("itu_member"))["iso3"])
    assert members - set(known["country_code"]) == {"VAT"}
    assert known["telecom_revenue_amount"].null_count() == known.height
    assert known["price_year"].is_between(2020, 2025).all()
