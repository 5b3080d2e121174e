"""Number of an area's countries in the study's frame, and their subscriptions: columns of every table of the
study with areas.

A table has them if its contract names them; they follow from the frame of operators, denominators and
populations alone, and no kernel computes them.
"""

from collections.abc import Mapping

import polars as pl

from jobs.base.core.periods import last_day
from jobs.base.figures.areas import COUNTRY, Area, classify_countries, list_areas
from jobs.base.tables.contracts import polars_schema, read_contract, reference_table
from jobs.base.tables.validity import rows_on_day
from jobs.study.estimates.steps.sample import known_subscriptions

COLUMNS = (
    "area_country_count", "frame_country_count", "rated_country_count", "population_pct",
    "area_subscriptions",
)  # fmt: skip
FRAME, DENOMINATOR, POPULATION = "ref.operator_frame", "ref.denominator", "ref.population"
CHANNEL = "channel_code"


def cover_rows(rows: pl.DataFrame, table: str, have: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The rows with those of COLUMNS that the table's contract names.

    Args:
        have: the frame, the denominators, and reference tables that replace the project's.
    """
    contract = read_contract(table)
    wanted = [name for name in COLUMNS if name in contract.columns]
    if not wanted:
        return rows
    by = ["period_code", CHANNEL] if CHANNEL in contract.key else ["period_code"]
    found = [
        row
        for period, *channel in rows.select(by).unique().sort(by).rows()
        for row in cover_areas(str(period), channel[0] if channel else None, have)
    ]
    kinds = polars_schema(table)
    on = [*by, "area_code"]
    covered = pl.DataFrame(found, schema={name: kinds[name] for name in (*on, *wanted)}, orient="row")
    return rows.drop(wanted, strict=False).join(covered, on=on, how="left", maintain_order="left")


def cover_areas(
    period: str, channel: str | None, have: Mapping[str, pl.DataFrame]
) -> list[dict[str, object]]:
    """A row for each area of a period: its countries, those with operators of the channel in the frame, those
    that figures hold at the rate of others, the share of the population that the frame's have, and the
    subscriptions of all of these, null without a channel and of single countries, whose subscriptions may be
    another's to publish."""
    day = last_day(period)
    country, groups, population = (
        have[name] if name in have else reference_table(name)
        for name in ("ref.country", "ref.country_group", POPULATION)
    )
    people = dict(rows_on_day(population, day).select("iso3", "population").rows())
    listed = rows_on_day(have[FRAME], day)
    if channel is not None:
        listed = listed.filter(pl.col(CHANNEL) == channel)
    framed = set(listed["country_code"])
    known = {} if channel is None else known_subscriptions(have[DENOMINATOR], channel, period)
    of_operators = listed.group_by("country_code").agg(pl.col("subscriptions").cast(pl.Float64).sum())
    subscriptions = dict(of_operators.rows()) | known
    return [
        {
            "period_code": period,
            CHANNEL: channel,
            "area_code": area.code,
            "area_country_count": len(area.countries),
            "frame_country_count": len(framed & set(area.countries)),
            "rated_country_count": len((known.keys() - framed) & set(area.countries)),
            "population_pct": population_pct(area, framed, people),
            "area_subscriptions": None
            if channel is None or area.kind == COUNTRY
            else round(sum(subscriptions.get(each, 0.0) for each in area.countries)),
        }
        for area in list_areas(classify_countries(country, groups, day))
    ]


def missing_members(period: str, have: Mapping[str, pl.DataFrame]) -> dict[str, dict[str, list[str]]]:
    """List, by channel, the countries of ITU regions that figures of a period do not have as the frame's:
    `neither` operators nor subscriptions, `subscriptions` alone, an `operator` alone."""
    day = last_day(period)
    listed = rows_on_day(have[FRAME], day)
    countries = classify_countries(reference_table("ref.country"), reference_table("ref.country_group"), day)
    members = sorted(countries["country_code"])
    found = {}
    for channel in sorted({*listed[CHANNEL], *have[DENOMINATOR][CHANNEL]}):
        framed = set(listed.filter(pl.col(CHANNEL) == channel)["country_code"])
        known = set(known_subscriptions(have[DENOMINATOR], channel, period))
        found[channel] = {
            "neither": [each for each in members if each not in framed | known],
            "subscriptions": [each for each in members if each in known - framed],
            "operator": [each for each in members if each in framed - known],
        }
    return found


def population_pct(area: Area, framed: set[str], people: Mapping[str, int]) -> float:
    """The share of an area's population that lives in these countries, in percent."""
    inside = sum(people.get(each, 0) for each in area.countries if each in framed)
    return round(100 * inside / sum(people.get(each, 0) for each in area.countries), 2)
