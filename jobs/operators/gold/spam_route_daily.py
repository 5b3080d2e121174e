"""gold.spam_route_daily: spam volume by origin, inbound link, transit, outbound link and destination."""

import polars as pl

from jobs.operators.gold.shared.counting import count_units, fill_unknown, mark_messages

DIRECTION_DAY = ["operator_id", "period_date", "channel_code", "direction_code"]
ROUTE = [
    "origin_claimed_code",
    "origin_verified_code",
    "origin_observed_code",
    "inbound_link_code",
    "transit_code",
    "outbound_link_code",
    "destination_code",
    "destination_operator_id",
]


def partial(message: pl.DataFrame, definition: pl.DataFrame) -> pl.DataFrame:
    # Definitions see a route as the log records it: first the marks, then _U.
    named = mark_messages(message, definition).with_columns(fill_unknown(*ROUTE))
    return count_units(named, definition, [*DIRECTION_DAY, *ROUTE], has_content=True)
