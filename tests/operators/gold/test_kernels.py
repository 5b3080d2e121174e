"""Gold in parts: cutting the messages anywhere and merging gives the whole, for every table that merges."""

import datetime as dt
import hashlib
import importlib
import random
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs.base.tables.contracts import conform_frame, list_tables, read_contract, reference_table, rows_frame
from jobs.base.tables.merge import merge_rows
from jobs.operators.gold import campaign_daily
from jobs.operators.gold.shared import bulk, bulk_presets, bypass
from jobs.operators.gold.shared.counting import READ, mark_messages
from tests.support.examples import examples
from tests.support.gold_tables import count_table

Frames = dict[str, pl.DataFrame]

MERGED = [table for table in list_tables() if read_contract(table).merge]
# So few values that rows meet under the same key, in several parts.
DAYS = [dt.date(2026, 11, 24), dt.date(2026, 11, 25)]
NOON = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
TYPES = ["AD.MED", "UNK"]
NUMBERS = sorted(hashlib.sha256(bytes([place])).hexdigest() for place in range(4))
GIVEN: dict[str, list[Any]] = {
    "operator_id": ["a", "b"],
    "period_date": DAYS,
    "channel_code": ["EMAIL", "SMS", "VOICE_CS"],
    "direction_code": ["inbound", "outbound"],
    "grain_code": ["recipient", "attempt", "call"],
    "stage_code": ["connect", "envelope", "content", "delivery"],
    "outcome_code": ["delivered", "rejected", "quarantined"],
    "is_message_row": [True, False],
    "spam_type_code": TYPES,
    "recipient_hash": [*NUMBERS[:3], "_U"],
    "first_at": [NOON, NOON + dt.timedelta(hours=1)],
    "last_at": [NOON + dt.timedelta(hours=1), NOON + dt.timedelta(hours=2)],
}
RECORDED: dict[str, list[Any]] = {
    "segment_count": [1, 3],
    "recipient_domain": ["one.example", "two.example"],
    "sender_hash": NUMBERS[:3],
    "sender_kind_code": ["number", "name"],
    "sender_network_code": ["20801", "26201"],
    "sender_domain": ["big.example", "small.example"],
    "client_network": ["192.0.2.0/24", "198.51.100.0/24"],
    "source_asn": [64496],
    "is_origin_verified": [True, False],
    "origin_claimed_code": ["FRA", "DEU"],
    "origin_verified_code": ["FRA"],
    "origin_observed_code": ["DEU"],
    "location_database": ["geo"],
    "location_date": DAYS,
    "inbound_link_id": ["link"],
    "inbound_link_code": ["peer"],
    "transit_code": ["FRA"],
    "outbound_link_code": ["peer"],
    "destination_code": ["FRA"],
    "destination_operator_id": ["c"],
    "countermeasure_code": ["DNSBL", "GREYLIST", "CONTENT_FILTER", "POLICY_SIZE"],
    "strategy_code": ["filtering", "network"],
    "is_antispam": [True, False],
    "engine_code": ["rspamd"],
    "filter_us": [5, 7],
    "message_bytes": [1000, 2000],
    "is_type_strong": [True, False],
    "spam_type_codes": [["AD.MED"], [], ["AD.MED", "PHISH"]],
    "engine_types": [
        [],
        [{"engine_code": "rspamd", "spam_type_code": code, "is_type_strong": True} for code in TYPES[:1]],
        [{"engine_code": name, "spam_type_code": "UNK", "is_type_strong": None} for name in ("amavis", "x")],
    ],
    "is_bulk": [True, False],
    "commercial_code": ["none", "primary"],
    "consent_code": ["none", "express"],
    "is_malicious": [True, False],
    "attestation_code": ["A", "C"],
    "origid_hash": NUMBERS[:2],
    "cell_hash": NUMBERS[:2],
}
# A signature has one kind and one sketch.
SIGNATURES: list[dict[str, Any]] = [
    {},
    {"signature_kind_code": "fuzzy", "signature_hash": NUMBERS[0]},
    *(
        {"signature_kind_code": "text", "signature_hash": name, "signature_sketch": [place] * 2 + [7] * 30}
        for place, name in enumerate(NUMBERS[1:])
    ),
]
OPERATORS = rows_frame(
    [
        {
            "operator_id": name,
            "country_code": "FRA",
            "links": [
                {
                    "link_id": "link",
                    "link_code": "peer",
                    "link_scope_code": scope,
                    "link_traffic_code": "p2p",
                    "network_codes": ["20801"],
                }
            ],
        }
        for name, scope in (("a", "national"), ("b", "international"))
    ],
    "ref.operator",
)


def row_of(seed: int) -> dict[str, Any]:
    """A message: what is drawn with the seed; half of what a log may record is null."""
    drawn = random.Random(seed)
    some = {name: drawn.choice(values) for name, values in GIVEN.items()}
    known = {name: drawn.choice(values) for name, values in RECORDED.items() if drawn.random() < 0.5}
    return some | known | drawn.choice(SIGNATURES)


def few(table: str) -> pl.DataFrame:
    """A reference table whose thresholds a few messages reach."""
    name = {"ref.campaign_parameter": "parameter_value", "ref.bypass_parameter": "value"}[table]
    counts = ["least_copies_content", "least_copies_behaviour", "grey_recipients", "simbox_recipients"]
    value = pl.when(pl.col("parameter_code").is_in(counts)).then(pl.lit("2")).otherwise(pl.col(name))
    frame = reference_table(table)
    return frame.with_columns(value.cast(frame.schema[name]).alias(name))


# What is bulk by the copies of the first day, on both days by those of a month.
CAMPAIGNS = rows_frame(
    [
        {
            "operator_id": "a",
            "period_date": DAYS[0],
            "channel_code": channel,
            "campaign_hash": NUMBERS[0],
            "signature_kind_code": kind,
            "signature_hashes": NUMBERS[:2],
            "copy_count": 1500,
            "distinct_recipient_count": 1500,
        }
        for channel, kind in (("EMAIL", "fuzzy"), ("SMS", "text"))
    ],
    "gold.campaign_daily",
)


@cache
def inputs(table: str) -> Frames:
    made = {
        "definition": reference_table("ref.definition"),
        "operator": OPERATORS,
        "campaign_parameter": few("ref.campaign_parameter"),
        "bypass_parameter": few("ref.bypass_parameter"),
        "bulk_preset": reference_table("ref.bulk_preset"),
        "campaign_daily": CAMPAIGNS,
    }
    return {
        name: made[name] for each in read_contract(table).reads if (name := each.split(".")[1]) != "message"
    }


def member(parts: list[pl.DataFrame], frames: Frames) -> Frames:
    counted = merge_rows(
        pl.concat([campaign_daily.count_signatures(part) for part in parts]),
        campaign_daily.SIGNATURE_KEY,
        campaign_daily.SIGNATURE_RULES,
    )
    return {"member": campaign_daily.find_members(counted, frames["campaign_parameter"])}


def behaviour(parts: list[pl.DataFrame], frames: Frames) -> Frames:
    counted = merge_rows(
        pl.concat([bypass.count_contacts(part) for part in parts]), bypass.CONTACT_KEY, bypass.CONTACT_RULES
    )
    return frames | {"behaviour": bypass.numbers_behaviour(counted, frames["bypass_parameter"])}


def proof(parts: list[pl.DataFrame], frames: Frames) -> Frames:
    text = merge_rows(pl.concat([bulk.count_texts(part) for part in parts]), bulk.TEXT_KEY, bulk.TEXT_RULES)
    presets = bulk_presets.presets_by_operator(frames["bulk_preset"], frames["operator"])
    days = pl.concat(parts).select("operator_id", "period_date").unique()
    parameter = frames["campaign_parameter"]
    return {"proof": bulk.collect_evidence(text, frames["campaign_daily"], parameter, presets, days)}


# What some tables need to have of all messages before they count each part.
FIRST: dict[str, Callable[[list[pl.DataFrame], Frames], Frames]] = {
    "gold.bulk_daily": proof,
    "gold.campaign_daily": member,
    "gold.bypass_indicator_daily": behaviour,
}


def counted_in_parts(table: str, parts: list[pl.DataFrame]) -> pl.DataFrame:
    job = importlib.import_module(f"jobs.operators.gold.{read_contract(table).name}")
    contract = read_contract(table)
    frames = inputs(table)
    if table in FIRST:
        frames = FIRST[table](parts, frames)
    counts = [job.partial(message=part, **frames) for part in parts]
    for each in counts:
        assert set(each.columns) == {*contract.key, *dict(contract.merge)}
        assert each.select(contract.key).is_unique().all(), "a part has one row for each key"
    # Merging is closed: parts of parts give the same.
    half = len(counts) // 2
    rules = dict(contract.merge)
    steps = [
        merge_rows(pl.concat(some), contract.key, rules) for some in (counts[:half], counts[half:]) if some
    ]
    frame = merge_rows(pl.concat(steps), contract.key, rules)
    return conform_frame(job.finish(frame) if hasattr(job, "finish") else frame, table)


def rows_of(frame: pl.DataFrame) -> Counter[str]:
    return Counter(str(row) for row in frame.rows())


def test_every_table_of_messages_merges() -> None:
    readers = {table for table in list_tables() if "silver.message" in read_contract(table).reads}
    assert readers == set(MERGED), "a contract that reads silver.message has `merge`, its job `partial`"


@pytest.mark.parametrize("table", MERGED)
def test_a_run_hands_out_every_column_that_a_table_reads(table: str) -> None:
    """Golden cases have all columns of messages; a run has those of READ."""
    message = rows_frame([row_of(seed) for seed in range(20)], "silver.message")
    narrow = mark_messages(message.select(READ), reference_table("ref.definition"))
    try:
        counted_in_parts(table, [narrow])
    except pl.exceptions.ColumnNotFoundError as error:
        (missing, *_) = str(error).splitlines()
        pytest.fail(f"{table}: add the column to READ of jobs/operators/gold/shared/counting.py: {missing}")


@pytest.mark.parametrize("table", MERGED)
@examples(25)
@given(cut=st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 3)), max_size=40))
@example(cut=[(place, place % 4) for place in range(200)])
@example(cut=[])
def test_parts_merge_to_the_whole(table: str, cut: list[tuple[int, int]]) -> None:
    """cut: each message's seed, and the part that it is in."""
    message = rows_frame([row_of(seed) for seed, _ in cut], "silver.message")
    part_of = pl.Series([part for _, part in cut], dtype=pl.Int64)
    whole = count_table(table, message=message, **inputs(table))
    # As an engine hands them out: the columns that gold reads, marked once.
    narrow = mark_messages(message.select(READ), reference_table("ref.definition"))
    parts = [narrow.filter(part_of == place) for place in range(4)]
    assert rows_of(counted_in_parts(table, parts)) == rows_of(whole)
    assert whole.height > 0 or len(cut) < 200, "the example counts nothing"
