"""gold.spam_route_daily: spam volume by origin, inbound link, transit, outbound link and destination."""

from pyspark.sql import DataFrame

from jobs.gold.counting import counted, known_or

WHOSE = ["operator_id", "period_date", "channel_code", "direction_code"]
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


def transform(message: DataFrame, definition: DataFrame) -> DataFrame:
    rest = [name for name in message.columns if name not in ROUTE]
    return counted(message.select(*rest, *known_or(*ROUTE)), definition, [*WHOSE, *ROUTE], has_content=True)
