"""Distinct senders: sketches add up, whatever the order and the parts."""

import datetime as dt
import hashlib

import numpy as np
import polars as pl
import pytest

from jobs.base.tables import sketch
from jobs.base.tables.contracts import conform_frame, polars_schema, rows_frame
from jobs.base.tables.merge import merge_rows
from jobs.operators.gold import spam_source_monthly
from jobs.operators.gold.spam_source_daily import sender_sketches
from tests.support.gold_tables import count_table

# More than a sketch keeps exactly: 4,096.
SENDERS = 9000


@pytest.fixture(scope="module")
def definition() -> pl.DataFrame:
    since = dt.date(2020, 1, 1)
    rows = [
        {"definition_code": "HARM", "channels": "EMAIL", "predicate": "is_malicious = TRUE"},
        {"definition_code": "SPAM", "channels": "*", "predicate": "is_antispam = TRUE"},
    ]
    return rows_frame([row | {"valid_from": since} for row in rows], "ref.definition")


def messages(senders: int) -> pl.DataFrame:
    """Two days of mail; each sender writes on one or on both, from one of three networks."""
    place = pl.int_range(senders + senders // 2, eager=True)
    number = place % senders
    frame = pl.DataFrame(
        {
            "period_date": pl.select(
                pl.when(place < senders).then(dt.date(2026, 11, 3)).otherwise(dt.date(2026, 11, 4))
            ).to_series(),
            "sender_hash": [hashlib.md5(str(value).encode()).hexdigest() for value in number],
            "client_network": [f"192.0.2.{value % 3}" for value in number],
            "is_malicious": number % 2 == 0,
            "is_antispam": [value % 5 == 0 or None for value in number],
        }
    ).with_columns(
        operator_id=pl.lit("op"),
        channel_code=pl.lit("EMAIL"),
        direction_code=pl.lit("inbound"),
        stage_code=pl.lit("delivery"),
        outcome_code=pl.lit("delivered"),
        grain_code=pl.lit("recipient"),
        origin_observed_code=pl.lit("FRA"),
        is_message_row=True,
    )
    kinds = polars_schema("silver.message")
    missing = {name: pl.lit(None, dtype=kind) for name, kind in kinds.items() if name not in frame.columns}
    return conform_frame(frame.with_columns(**missing), "silver.message")


def lists_of(frame: pl.DataFrame) -> dict[tuple[str, str], list[int]]:
    return {(row["unit_code"], row["definition_code"]): row["sender_sketch"] for row in frame.to_dicts()}


def estimates(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(senders=sketch.estimate_distinct(sketch.unpack_hashes(pl.col("sender_sketch"))))


def test_neither_order_nor_parts_change_a_sketch(definition: pl.DataFrame) -> None:
    """The union of the days' sketches is the sketch of both days."""
    found = []
    cell = ["unit_code", "definition_code"]
    for order in ("sender_hash", "client_network"):
        message = messages(SENDERS).sort(order)
        found.append(lists_of(sender_sketches(message, definition, ["operator_id"])))
        by_day = sender_sketches(message, definition, ["operator_id", "period_date", "client_network"])
        found.append(lists_of(merge_rows(by_day, cell, {"sender_sketch": "sketch"})))
    assert set(found[0]) == {("recipient", "HARM"), ("recipient", "SPAM")}
    assert found[1:] == [found[0]] * 3
    small = sender_sketches(messages(100), definition, ["operator_id"])
    assert {code: len(hashes) for (_, code), hashes in lists_of(small).items()} == {"HARM": 50, "SPAM": 20}


def test_an_estimate_beyond_what_a_sketch_holds_is_near(definition: pl.DataFrame) -> None:
    rows = sender_sketches(messages(3 * SENDERS), definition, ["operator_id"])
    found = dict(
        rows.select("definition_code", sketch.estimate_distinct(pl.col("sender_sketch"))).iter_rows()
    )
    # Three standard errors are 5%.
    assert found["HARM"] == pytest.approx(1.5 * SENDERS, rel=0.05)
    assert found["SPAM"] == pytest.approx(0.6 * SENDERS, rel=0.05)


def test_a_sketch_is_its_hashes_as_bytes() -> None:
    lists = [[1, 2**59 + 7], None, [], [3]]
    frame = pl.DataFrame({"hashes": lists}, schema={"hashes": sketch.LIST})
    for rows, wanted in (
        (frame, lists),
        (frame[1:], lists[1:]),
        (frame[:0], []),
        (pl.concat([frame, frame[:2]], rechunk=False), lists + lists[:2]),
    ):
        written = rows.select(sketch.pack_hashes(pl.col("hashes")))
        assert written["hashes"].to_list() == [
            None if one is None else np.array(one, "<i8").tobytes() for one in wanted
        ]
        assert written.select(sketch.unpack_hashes(pl.col("hashes")))["hashes"].to_list() == wanted
        assert written[1:].select(sketch.unpack_hashes(pl.col("hashes")))["hashes"].to_list() == wanted[1:]


def test_months_add_up(definition: pl.DataFrame) -> None:
    """A sender of two days and its network count once in the month."""
    message = messages(100)
    daily = count_table("gold.spam_source_daily", message, definition)
    operator = rows_frame(
        [{"operator_id": "op", "subscribers": [{"channel_code": "_T", "subscriber_count": 500}]}],
        "ref.operator",
    )
    monthly = conform_frame(spam_source_monthly.transform(daily, operator), "gold.spam_source_monthly")
    rows = {(row["unit_code"], row["definition_code"]): row for row in estimates(monthly).to_dicts()}
    harm = rows["recipient", "HARM"]
    names = ("units", "spam_certain", "senders", "network_count", "day_count")
    assert [harm[name] for name in names] == [150, 75, 50, 3, 2]
    assert str(harm["spam_certain_rate"]) == "150.000000"
    assert rows["recipient", "SPAM"]["senders"] == 20
    # Messages have the senders of their recipients: the sketch stands once.
    assert rows["message", "HARM"]["sender_sketch"] is None


def test_a_rate_is_rounded_half_up() -> None:
    """1 of 3, 2 of 3, and what is half of the last place."""
    frame = pl.DataFrame({"spam": [1, 2, 1, 5, 10**11], "subscriber_count": [3, 3, 2 * 10**9, None, 7]})
    found = frame.select(rate=spam_source_monthly.divide_by_thousands("spam"))["rate"].to_list()
    assert [rate and str(rate) for rate in found] == [
        "333.333333",
        "666.666667",
        "0.000001",
        None,
        "14285714285714.285714",
    ]
