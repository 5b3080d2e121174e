"""Prices by country, group and region: which row holds, and what a file may not have."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.base.costs.parameter import area_facts
from jobs.base.costs.price_areas import prices_of_period, prices_on_day, world_prices
from jobs.base.figures.areas import GROUPS, list_areas
from jobs.base.tables import contracts
from jobs.base.tables.contracts import REFERENCE, list_codes, read_contract, reference_table

TABLE = "ref.cost_parameter"
COUNTRY, MEMBERS = reference_table("ref.country"), reference_table("ref.country_group")
WORLD_ROW = reference_table(TABLE).filter(parameter_code="transit_gb")
UNLISTED = (
    "is not in the list ref.country.iso3 and not AFR, AMS, ARB, ASP, CIS, EUR, LDC, SIDS, LLDC, TRANSITION,"
    " DEVELOPING, DEVELOPED: correct it"
)


def priced(**central: float) -> pl.DataFrame:
    """The price of transit in the world, 1.0, and in areas."""
    rows = [WORLD_ROW.with_columns(low=1.0, central=1.0, high=1.0)]
    for code, value in central.items():
        points = dict.fromkeys(("low", "central", "high"), value)
        rows.append(
            WORLD_ROW.with_columns(price_area_code=pl.lit(code), **{k: pl.lit(v) for k, v in points.items()})
        )
    return pl.concat(rows)


def price_in(country: str, table: pl.DataFrame, period: str = "2026-11") -> float:
    (value,) = prices_of_period(table, country, period, COUNTRY, MEMBERS)["central"]
    return float(value)


def test_the_most_specific_price_holds() -> None:
    # Nepal is least developed, landlocked and in Asia and the Pacific.
    steps = {"ASP": 2.0, "LLDC": 3.0, "LDC": 4.0, "NPL": 5.0}
    given: dict[str, float] = {}
    assert price_in("NPL", priced()) == 1.0
    for code, value in steps.items():
        given[code] = value
        assert price_in("NPL", priced(**given)) == value
        # The order of rows does not matter.
        assert price_in("NPL", priced(**given).reverse()) == value
    whole = priced(**steps)
    # Viet Nam is in the region alone, Paraguay landlocked alone, and France in none of these.
    assert [price_in(each, whole) for each in ("VNM", "PRY", "FRA")] == [2.0, 3.0, 1.0]
    # A territory without a region has the world's.
    assert price_in("ATA", whole) == 1.0


def test_groups_are_those_of_the_period() -> None:
    # Sao Tome and Principe left the least developed countries on 13 December 2024.
    table = priced(LDC=4.0)
    assert [price_in("STP", table, month) for month in ("2024-11", "2024-12")] == [4.0, 1.0]


def test_a_dated_price_holds_on_its_days_alone() -> None:
    day = dt.date(2027, 1, 1)
    both = pl.concat(
        [priced().with_columns(valid_to=day), priced().with_columns(valid_from=day, central=2.0)]
    )
    assert [price_in("FRA", both, month) for month in ("2026-12", "2027-01")] == [1.0, 2.0]


def test_the_projects_own_prices_are_of_the_world() -> None:
    whole = reference_table(TABLE)
    assert world_prices(whole).equals(whole)
    assert prices_on_day(whole, "NPL", dt.date(2026, 11, 30), COUNTRY, MEMBERS).equals(whole)


def test_every_area_of_the_study_may_have_a_price() -> None:
    countries = pl.DataFrame({"country_code": ["FRA"], "region_code": ["EUR"], "group_codes": [list(GROUPS)]})
    regions = set(COUNTRY["itu_region"].drop_nulls())
    named = set(dict(read_contract(TABLE).also)["price_area_code"])
    assert named == {*regions, *GROUPS}
    assert {each.code for each in list_areas(countries)} - {"WORLD"} <= named | set(
        list_codes("ref.country.iso3")
    )


# Where a row that is added stands, and the world's price of transit.
LAST, WORLDS = (
    reference_table(TABLE).height + 2,
    reference_table(TABLE)["parameter_code"].to_list().index("transit_gb") + 2,
)
DOES_NOT_HOLD = "does not hold: correct it"


@pytest.mark.parametrize(
    ("area", "changed", "where", "message"),
    [
        ("LCD", {}, "transit_gb, LCD", f"price_area_code 'LCD' {UNLISTED}"),
        ("WORLD", {}, "transit_gb, WORLD", f"price_area_code 'WORLD' {UNLISTED}"),
        ("LDC", {"low": "-0.1"}, "transit_gb, LDC", f"low >= 0 {DOES_NOT_HOLD}"),
        (
            *("LDC", {"currency_code": "EUR"}, "transit_gb, LDC"),
            f"currency_code is 'EUR', and row {WORLDS}, of all areas, has 'USD': take the same",
        ),
        (
            *("LDC", {"parameter_code": "transit_gbit"}, "transit_gbit, LDC"),
            "no row transit_gbit has an empty price_area_code: add it, or correct the code; did you mean"
            " 'transit_gb'?",
        ),
        (
            *("LDC", {"parameter_code": "shared_asset_share", "cost_kind": "capital"}),
            "shared_asset_share, LDC",
            f"price_area_code IS NULL OR cost_kind <> 'capital' {DOES_NOT_HOLD}",
        ),
    ],
)
def test_a_wrong_row_of_an_area_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    area: str,
    changed: dict[str, str],
    where: str,
    message: str,
) -> None:
    told = refusal_of(tmp_path, monkeypatch, area, changed)
    assert told == f"cost_parameter.csv, row {LAST} ({where}, 1990-01-01): {message}"


def test_an_area_stands_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again = "have the same key (transit_gb, LDC, 1990-01-01): correct it"
    told = refusal_of(tmp_path, monkeypatch, "LDC", {}, count=2)
    assert told == f"cost_parameter.csv, rows {LAST} and {LAST + 1} {again}"
    told = refusal_of(tmp_path, monkeypatch, None, {})
    assert told == f"cost_parameter.csv, rows {WORLDS} and {LAST} {again.replace(', LDC', '')}"


def refusal_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, area: str | None, changed: dict[str, str], count: int = 1
) -> str:
    """Return the message about the price file with one more price of transit, for an area and changed."""
    read_contract(TABLE)
    text = pl.read_csv(REFERENCE / "cost_parameter.csv", infer_schema=False)
    row = text.filter(parameter_code="transit_gb").with_columns(price_area_code=pl.lit(area))
    row = row.with_columns(**{name: pl.lit(value) for name, value in changed.items()})
    pl.concat([text, *[row] * count]).write_csv(tmp_path / "cost_parameter.csv")
    monkeypatch.setattr(contracts, "REFERENCE", tmp_path)
    with pytest.raises(ObservatoryError) as told:
        reference_table.__wrapped__(TABLE)
    return str(told.value)


def test_the_prices_of_areas_are_among_the_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.base.costs.parameter.reference_table", lambda _: priced(LDC=3.0, NPL=4.5))
    assert [(label, text.partition(",")[0]) for label, text in area_facts("transit_gb")] == [
        ("in LDC", "3 (3–3)"),
        ("in NPL", "4.5 (4.5–4.5)"),
    ]
