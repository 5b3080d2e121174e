"""Mirror statistics of routes, worked by hand."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pyspark.sql import SparkSession

from jobs.study.mirror import mirrored

ROUTE = {
    "period_date": dt.date(2026, 11, 3),
    "channel_code": "SMS",
    "unit_code": "recipient",
    "definition_code": "HARM",
    "origin_claimed_code": "_U",
    "origin_observed_code": "_U",
    "destination_code": "_U",
}
SCHEMA = (
    "operator_id string, period_date date, channel_code string, direction_code string, unit_code string,"
    " definition_code string, origin_claimed_code string, origin_observed_code string,"
    " destination_code string, units bigint, spam_certain bigint, spam_possible bigint"
)


def row(
    operator: str, direction: str, units: int, certain: int, possible: int, **values: Any
) -> dict[str, Any]:
    measures = {"units": units, "spam_certain": certain, "spam_possible": possible}
    return ROUTE | {"operator_id": operator, "direction_code": direction} | measures | values


def test_what_one_side_sent_stands_beside_what_the_other_got(spark: SparkSession) -> None:
    routes = [
        row("fr-1", "outbound", 60, 6, 8, destination_code="GBR"),
        row("fr-2", "outbound", 40, 4, 4, destination_code="GBR", period_date=dt.date(2026, 11, 30)),
        # The address that it came from before the country that it claims.
        row("gb-1", "inbound", 50, 25, 30, origin_observed_code="FRA", origin_claimed_code="USA"),
        row("gb-1", "inbound", 25, 5, 5, origin_claimed_code="FRA"),
        # Only one side tells.
        row("gb-1", "outbound", 7, 0, 1, destination_code="FRA"),
        row("fr-1", "inbound", 9, 9, 9, origin_claimed_code="CHE", period_date=dt.date(2026, 12, 1)),
        # No operator of the United States reports, and these are of no pair.
        row("gb-1", "inbound", 99, 9, 9, origin_claimed_code="USA"),
        row("fr-1", "outbound", 99, 9, 9, destination_code="FRA"),
        row("fr-1", "outbound", 99, 9, 9),
        row("fr-1", "internal", 99, 9, 9, destination_code="GBR"),
    ]
    countries = [("fr-1", "FRA"), ("fr-2", "FRA"), ("gb-1", "GBR"), ("ch-1", "CHE")]
    found = mirrored(
        spark.createDataFrame(
            [tuple(each[name.split()[0]] for name in SCHEMA.split(", ")) for each in routes], SCHEMA
        ),
        spark.createDataFrame(countries, "operator_id string, country_code string"),
    )
    assert sorted(map(tuple, found.drop("channel_code", "unit_code", "definition_code").collect())) == [
        ("2026-11", "FRA", "GBR", 100, 10, 12, 75, 30, 35, 25, 25),
        ("2026-11", "GBR", "FRA", 7, 0, 1, 0, 0, 0, 7, 100),
        ("2026-12", "CHE", "FRA", 0, 0, 0, 9, 9, 9, -9, -100),
    ]
