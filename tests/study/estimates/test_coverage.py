import datetime as dt

import polars as pl
import pytest

from jobs.base.tables.contracts import list_tables, read_contract, reference_table, rows_frame
from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.study.estimates.steps.coverage import COLUMNS, DENOMINATOR, FRAME, cover_areas, cover_rows

START = dt.date(2020, 1, 1)


def have(framed: dict[str, str], known: list[tuple[str, str]]) -> dict[str, pl.DataFrame]:
    """A frame with an operator in each country, of a channel; and subscriptions of countries and channels."""
    frame = [
        {"respondent_id": f"op-{country}", "country_code": country, "channel_code": channel,
         "subscriptions": 1_000, "valid_from": START}
        for country, channel in framed.items()
    ]  # fmt: skip
    denominator = [
        {"country_code": country, "channel_code": channel, "period_code": "2026", "subscriptions": 1_000}
        for country, channel in known
    ]
    return {FRAME: rows_frame(frame, FRAME), DENOMINATOR: rows_frame(denominator, DENOMINATOR)}


def of_areas(
    period: str, channel: str | None, tables: dict[str, pl.DataFrame]
) -> dict[str, dict[str, object]]:
    return {str(row["area_code"]): row for row in cover_areas(period, channel, tables)}


def test_counts_are_of_the_channel_and_shares_of_the_people() -> None:
    tables = have(
        {"CHN": "EMAIL", "IND": "EMAIL", "FJI": "SMS"}, [("CHN", "EMAIL"), ("JPN", "EMAIL"), ("FJI", "SMS")]
    )
    people = dict(reference_table("ref.population").select("iso3", "population").rows())
    found = of_areas("2026-Q4", "EMAIL", tables)
    asia = found["ASP"]
    assert (asia["frame_country_count"], asia["rated_country_count"]) == (2, 1)
    # By hand from the table: China and India, of the 39 members of the region.
    members = reference_table("ref.country").filter(itu_region="ASP")["iso3"].to_list()
    assert asia["area_country_count"] == len(members) == 39
    share = 100 * (people["CHN"] + people["IND"]) / sum(people[each] for each in members)
    assert asia["population_pct"] == pytest.approx(share, abs=0.005)
    assert 60 < share < 70
    assert found["FJI"]["population_pct"] == 0 and found["CHN"]["population_pct"] == 100
    # Without a channel an operator of any counts, and no other country is held at a rate.
    every = of_areas("2026", None, tables)
    assert (every["ASP"]["frame_country_count"], every["ASP"]["rated_country_count"]) == (3, 0)
    assert every["SIDS"]["frame_country_count"] == 1


def test_the_frame_and_the_groups_are_those_of_the_periods_last_day() -> None:
    tables = have({"BTN": "EMAIL"}, [])
    later = tables[FRAME].with_columns(valid_from=pl.date(2026, 12, 31))
    assert of_areas("2026-Q3", "EMAIL", {**tables, FRAME: later})["WORLD"]["frame_country_count"] == 0
    assert of_areas("2026-Q4", "EMAIL", {**tables, FRAME: later})["WORLD"]["frame_country_count"] == 1
    # Bhutan left the least developed countries on 13 December 2023.
    assert of_areas("2023-Q3", "EMAIL", tables)["LDC"]["frame_country_count"] == 1
    assert of_areas("2023-Q4", "EMAIL", tables)["LDC"]["frame_country_count"] == 0


def test_a_population_of_each_country_in_a_region() -> None:
    placed = reference_table("ref.country").filter(pl.col("itu_region").is_not_null())["iso3"].to_list()
    population = reference_table("ref.population")
    assert set(placed) <= set(population["iso3"])
    # The source's own total of the world, in thousands; its row of Kosovo has no ISO code and stays out.
    assert population["population"].sum() == 8_266_245_291 - 1_669_591


def test_tables_have_the_columns_that_their_contracts_name() -> None:
    tables = have({"CHN": "EMAIL"}, [])
    rows = pl.DataFrame({"period_code": ["2026"], "area_code": ["WORLD"]})
    with_channel = rows.with_columns(channel_code=pl.lit("EMAIL"))
    for table in (table for table in list_tables() if table.startswith("study.")):
        named = [each for each in COLUMNS if each in read_contract(table).columns]
        own = with_channel if "channel_code" in read_contract(table).key else rows
        made = cover_rows(own, table, tables)
        assert made.columns == [*own.columns, *named]
        assert made.null_count().sum_horizontal().item() == 0
    assert cover_rows(with_channel.clear(), "study.spam_volume", tables).columns[3:] == list(COLUMNS)


def test_every_table_of_areas_says_what_its_frame_has() -> None:
    """Every table with a kind of area has its share of the population, in the study and in a release."""
    for table in (table for table in list_tables() if table.startswith("study.")):
        columns = read_contract(table).columns
        assert ("area_kind_code" in columns) == ("population_pct" in columns), table
    for table in public_tables():
        published = public_contract(table)
        assert ("area_kind_code" in published.schema) == ("population_pct" in published.schema), table
        if "population_pct" in published.schema:
            assert "population_pct" in published.arguments, table
