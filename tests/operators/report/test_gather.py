"""The sections of one page agree: where spam came from and what it crossed are the same in all of them."""

import random
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs.base.tables.contracts import reference_table, rows_frame
from jobs.operators.gold import spam_corrected_monthly, spam_source_monthly
from jobs.operators.report.figures import Figures
from jobs.operators.report.gather import gather_figures
from jobs.operators.silver.message_outcome import CARRIERS, transit_code
from tests.operators.gold.test_kernels import OPERATORS, row_of
from tests.support.examples import examples
from tests.support.gold_tables import count_table

SUMS = ["units", "spam_certain", "spam_possible"]
COUNTRIES = ["FRA", "DEU", "GBR", None]
LINKS = ["on-net", "hub", "peer", "internet", "aggregator", None]
# What gold corrects.
COUNTED = ("spam_volume_daily", "spam_type_daily", "spam_route_daily", "spam_source_monthly")
# Sections that divide all that came in.
WHOLE = ("daily", "types", "routes", "transits", "countries", "stages")


def message_of(seed: int) -> dict[str, Any]:
    """A message with origins, links and a direction that its origin and its destination have."""
    drawn = random.Random(seed)
    is_own_client, is_own_recipient = drawn.random() < 0.5, drawn.random() < 0.8
    directions = {(True, True): "internal", (True, False): "outbound", (False, True): "inbound"}
    return row_of(seed) | {
        "is_own_recipient": is_own_recipient,
        "direction_code": directions.get((is_own_client, is_own_recipient), "transit"),
        "origin_observed_code": drawn.choice(COUNTRIES),
        "origin_claimed_code": drawn.choice(COUNTRIES),
        "inbound_link_code": "on-net" if is_own_client else drawn.choice(LINKS[1:]),
        "outbound_link_code": drawn.choice([None, "on-net", "hub"]),
    }


def figures_of(rows: list[dict[str, Any]]) -> Figures:
    """The figures of a page on these messages."""
    own = pl.Series([row.pop("is_own_recipient") for row in rows], dtype=pl.Boolean)
    message = rows_frame(rows, "silver.message").with_columns(is_own_recipient=own)
    message = message.with_columns(transit_code=transit_code()).drop("is_own_recipient")
    given_ = {"message": message, "definition": reference_table("ref.definition")}
    daily = [f"gold.spam_{name}_daily" for name in ("route", "type", "volume", "source")]
    made = {table: count_table(table, **given_) for table in daily}
    made["gold.spam_source_monthly"] = spam_source_monthly.transform(
        made["gold.spam_source_daily"], OPERATORS
    )
    made["gold.spam_corrected_monthly"] = spam_corrected_monthly.transform(
        *(made[f"gold.{name}"] for name in COUNTED),
        rows_frame([], "gold.filter_quality_monthly"),
        given_["definition"],
        reference_table("ref.measure"),
    )
    return gather_figures(lambda table: made[table] if table in made else rows_frame([], table))


def by(table: pl.DataFrame, *keys: str) -> dict[Any, tuple[int, ...]]:
    """The sums of a figure by keys, without those of nothing."""
    summed = table.group_by(keys).agg(pl.col(SUMS).sum()).filter(pl.col("units") > 0)
    return {row[: len(keys)]: row[len(keys) :] for row in summed.select(*keys, *SUMS).rows()}


@pytest.mark.long
@examples(60)
@given(seeds=st.lists(st.integers(0, 9999), max_size=30))
@example(seeds=list(range(300)))
def test_the_sections_of_a_page_agree(seeds: list[int]) -> None:
    figures = figures_of([message_of(seed) for seed in seeds])
    totals = {name: by(getattr(figures, name), "channel_code") for name in WHOLE}
    assert all(total == totals["daily"] for total in totals.values())
    origins = by(figures.routes, "channel_code", "origin_code")
    assert origins == by(figures.countries, "channel_code", "source_country_code")
    links = by(figures.routes, "channel_code", "inbound_link_code")
    crossed = by(figures.transits, "channel_code", "transit_code")
    nothing = (0, 0, 0)
    for channel in totals["daily"]:
        for kind in ("on-net", *CARRIERS):
            # A gateway's signature tells of a hub where the link does not.
            told, counted = crossed.get((*channel, kind), nothing), links.get((*channel, kind), nothing)
            assert told >= counted or kind == "on-net", (channel, kind)
        vague = [link for _, link in links if link not in ("on-net", *CARRIERS)]
        unknown = sum(links[key][0] for key in links if key[0] == channel[0] and key[1] in vague)
        assert crossed.get((*channel, "_U"), nothing)[0] <= unknown, channel


def test_what_stays_in_one_network_crossed_none() -> None:
    """37 SMS of own subscribers to own subscribers were On-net as routes and Unknown in transit."""
    text = {"channel_code": "SMS", "grain_code": "recipient", "direction_code": "internal"}
    text |= {"inbound_link_code": "on-net", "outbound_link_code": None, "attestation_code": None}
    placed = {"is_own_recipient": True, "origin_observed_code": "GBR", "origin_claimed_code": "GBR"}
    abroad = {"direction_code": "inbound", "inbound_link_code": "hub", "origin_observed_code": None}
    rows = [row_of(1) | text | placed for _ in range(37)]
    rows += [row_of(1) | text | placed | abroad for _ in range(5)]
    figures = figures_of(rows)
    crossed = by(figures.transits, "transit_code")
    assert {code: counts[0] for (code,), counts in crossed.items()} == {"on-net": 37, "hub": 5}
    assert {code: counts[0] for (code,), counts in by(figures.routes, "origin_code").items()} == {"GBR": 42}
