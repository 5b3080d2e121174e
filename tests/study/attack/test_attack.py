"""Spending in two currencies: the price between them is public, also of who spends nothing."""

import polars as pl
import pytest

from jobs.base.tables.public_contracts import public_contract
from jobs.base.tables.series import Shape
from jobs.study.attack.coefficients import World
from jobs.study.attack.known import ESTIMATE, PUBLISHED, KnownRelease
from jobs.study.attack.search import Attack
from jobs.study.attack.system import build_systems
from jobs.study.public.cells import WORLD, Basis
from jobs.study.public.knowledge import list_prices, shape_of
from tests.study.public.test_gate import country, plain
from tests.support.small_study import CHANNEL, Small, basis

TABLE, YEAR = "study.investment", "2026"
SHAPE: dict[str, Shape] = {TABLE: shape_of(public_contract("public.investment"))}
# One operator of a country whose prices are five times those of the others.
PRICES = {"POL": 1.0, "KEN": 0.2, "NPL": 0.2}
SPENT = {"pol-0": 1000.0, "ken-0": 2000.0, "ken-1": 2500.0, "npl-0": 3000.0}
SERIES = {"ppp": "_T/_T/ppp", "market": "_T/_T/market"}


def release(nothing: str, prices: dict[str, float]) -> KnownRelease:
    """World spending in both currencies, to three digits. nothing: the country of a respondent that spends
    nothing."""
    spent = SPENT | {f"{nothing.lower()}-9": 0.0}
    listed = [each for name in spent for each in country(name[:3].upper(), plain(1))]
    operators = [
        type(each)(name, each.country, name, 1000, plain(1)) for name, each in zip(spent, listed, strict=True)
    ]
    tables = basis(Small(tuple(operators)), "r1").tables
    denominator = tables["ref.denominator"].with_columns(period_code=pl.lit(YEAR))
    rows = [
        {"table_name": TABLE, "period_code": YEAR, "channel_code": CHANNEL, "series": series,
         "respondent_id": name, "holding_id": name, "country_code": name[:3].upper(),
         "contribution": value * (PRICES.get(name[:3].upper(), 0.2) if code == "market" else 1.0),
         "own_subscriptions": None, "is_waived": False}
        for name, value in spent.items() for code, series in SERIES.items()
    ]  # fmt: skip
    contribution = pl.DataFrame(rows, schema_overrides={"own_subscriptions": pl.Float64})
    figures = [
        dict.fromkeys(PUBLISHED) | {"table_name": TABLE, "period_code": YEAR, "channel_code": CHANNEL,
         "series": series, "area_code": "WORLD", "form": ESTIMATE, "digits": 3,
         "value": float(f"{contribution.filter(series=series)['contribution'].sum():.2e}")}
        for series in SERIES.values()
    ]  # fmt: skip
    frame, _, names, groups = (tables[name] for name in WORLD)
    world = World(frame, denominator, names, groups, prices)
    return KnownRelease("r1", world, contribution, pl.DataFrame(figures, schema=PUBLISHED))


@pytest.mark.parametrize(("nothing", "prices"), [("KEN", {}), ("FJI", {"FJI": 0.2})], ids=["other", "price"])
def test_who_spends_nothing_hides_nobody(nothing: str, prices: dict[str, float]) -> None:
    """Spending at market prices less a fifth of that at parity is four fifths of what the one operator
    spends. With two unknowns for each figure of nothing the attack would not see it. The price is that of the
    country's other respondents, or in a country where all spend nothing the price level."""
    known = release(nothing, prices)
    (system,) = build_systems([known], SHAPE)
    assert len(system.truth) == len(SPENT) + 1
    found = Attack([known], SHAPE, 10.0).find_all()
    assert {each.holding for each in found if not each.attacker} == {"pol-0"}


def test_prices_are_those_of_the_base_year() -> None:
    levels = pl.DataFrame(
        {"country_code": ["KEN"] * 2, "price_year": [2025, 2026], "ppp_rate": [40.0, 44.0],
         "market_rate": [100.0] * 2}
    )  # fmt: skip
    assert list_prices(Basis("r", {"ref.price_level": levels})) == {"KEN": pytest.approx(0.4)}
    assert list_prices(Basis("r", {})) == {}
