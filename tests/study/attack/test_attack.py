"""Public facts beside figures: the price between two currencies, also of who spends nothing; and that no more
is received than was attempted, by parts, too."""

from collections.abc import Mapping

import polars as pl
import pytest

from jobs.base.tables.public_contracts import public_contract
from jobs.base.tables.series import Shape
from jobs.study.attack.coefficients import World
from jobs.study.attack.known import ESTIMATE, PUBLISHED, KnownRelease
from jobs.study.attack.search import Attack
from jobs.study.attack.system import build_systems
from jobs.study.public.cells import WORLD, Basis
from jobs.study.public.knowledge import list_prices, list_shapes, shape_of
from jobs.study.public.wholes import join_blocks, name_wholes
from tests.study.public.test_gate import country, plain
from tests.support.small_study import CHANNEL, Small, basis

TABLE, YEAR = "study.investment", "2026"
SHAPE: dict[str, Shape] = {TABLE: shape_of(public_contract("public.investment"))}
# One operator of a country whose prices are five times those of the others.
PRICES = {"POL": 1.0, "KEN": 0.2, "NPL": 0.2}
SPENT = {"pol-0": 1000.0, "ken-0": 2000.0, "ken-1": 2500.0, "npl-0": 3000.0}
SERIES = {"ppp": "_T/_T/ppp", "market": "_T/_T/market"}


def release(nothing: str, prices: dict[str, float], spent: Mapping[str, float] = SPENT) -> KnownRelease:
    """World spending in both currencies, to three digits.

    Args:
        nothing: the country of a respondent that spends nothing.
    """
    spent = {**spent, f"{nothing.lower()}-9": 0.0}
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


def test_an_administration_finds_what_no_operator_of_its_country_does() -> None:
    """An administration that knows both operators of Kenya knows what all others spend: one of them is nearly
    all of that."""
    spent = {"npl-0": 1000.0, "ken-0": 2000.0, "ken-1": 2500.0, "npl-1": 10.0}
    found = Attack([release("FJI", {"FJI": 0.2}, spent)], SHAPE, 10.0).find_all()
    assert {each.attacker for each in found if each.holding == "npl-0"} == {"administration of KEN"}


def test_prices_are_those_of_the_base_year() -> None:
    levels = pl.DataFrame(
        {"country_code": ["KEN"] * 2, "price_year": [2025, 2026], "ppp_rate": [40.0, 44.0],
         "market_rate": [100.0] * 2}
    )  # fmt: skip
    assert list_prices(Basis("r", {"ref.price_level": levels})) == {"KEN": pytest.approx(0.4)}
    assert list_prices(Basis("r", {})) == {}


VOLUME, SOURCE = "study.spam_volume", "study.spam_source"
GUARDED = {VOLUME: public_contract("public.spam_volume"), SOURCE: public_contract("public.spam_source")}
# What was attempted: from Africa for one operator, from America for others; one sent no parts.
AFRICAN, AMERICAN, APART = {"pol-0": 1e6}, {"ken-0": 1.2e6, "ken-1": 1e3}, {"npl-0": 4e5}
ATTEMPTED = AFRICAN | AMERICAN | APART
RECEIVED = {name: 0.99 * amount for name, amount in ATTEMPTED.items()}


def traffic() -> KnownRelease:
    """The world's certain spam that was received, and what was attempted from two regions."""
    known = release("KEN", {})
    of = known.contribution.filter(series=SERIES["ppp"])
    attempted = "attempted/OPERATOR/spam_certain"
    parts = {"_T": ATTEMPTED, "_S": AFRICAN | AMERICAN, "AFR": AFRICAN, "AMS": AMERICAN}
    series = {(SOURCE, f"{attempted}/{code}"): amounts for code, amounts in parts.items()}
    series |= {(VOLUME, "recipient/OPERATOR/spam_certain"): RECEIVED, (VOLUME, attempted): ATTEMPTED}
    contribution = pl.concat(
        of.with_columns(
            table_name=pl.lit(table),
            series=pl.lit(named),
            contribution=pl.col("respondent_id").replace_strict(amounts, default=0.0),
        )
        for (table, named), amounts in series.items()
    )  # fmt: skip
    left = contribution.filter(pl.col("series").str.contains("recipient|/A.S|/AFR"))
    sums = left.group_by("table_name", "series", maintain_order=True).agg(pl.col("contribution").sum())
    figures = [
        known.published.row(0, named=True)
        | {"table_name": table, "series": of_series, "value": float(f"{value:.2e}")}
        for table, of_series, value in sums.rows()
    ]
    return KnownRelease("r1", known.world, contribution, pl.DataFrame(figures, schema=PUBLISHED))


def test_parts_bound_what_was_received() -> None:
    """No more was received than was attempted. Who has most of what came from America knows how little of the
    rest another one can have of it, and from Africa; of all that was received it does not."""
    known = traffic()
    shapes = list_shapes(GUARDED, [])
    found = name_wholes(Attack(join_blocks([known], GUARDED), shapes, 10.0).find_all(), GUARDED)
    pair = ("ken-0", "pol-0", "recipient/OPERATOR/spam_certain")
    assert pair in {(each.attacker, each.holding, each.series) for each in found if each.table_name == VOLUME}
    alone = Attack([known], shapes, 10.0).find_all()
    assert {each.table_name for each in alone} == {SOURCE}
