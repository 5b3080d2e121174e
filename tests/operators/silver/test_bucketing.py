"""The number of buckets that silver is computed in changes no row."""

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from jobs.base.tables.contracts import conform_frame, read_contract, reference_table, rows_frame
from jobs.operators.formats.registry import FORMATS
from jobs.operators.protect.operators import OperatorSpace, Protection
from jobs.operators.silver.bucketing import home_of
from jobs.operators.silver.frames import MESSAGE
from jobs.operators.silver.pipeline import make_messages_in_memory
from tests.golden.test_golden import CASES, inputs, is_alone
from tests.support.buckets import assembled_in_buckets, message_in_buckets
from tests.support.examples import examples
from tests.support.filter_logs import lab, parse, placed
from tests.support.held_log import held_log
from tests.support.lab_logs import LOGS
from tests.support.samples.sendmail import LOG

PROTECTION = Protection((OperatorSpace("lab", "CHE", ("own.test",), (), (), ()),), None)
# Logs beside those of the laboratory: their names and lines.
MORE = {"postfix": {"held": held_log()}, "sendmail": {"mail.log": LOG}}
TABLE = "silver.message"
COUNTS = (1, 2, 7, 64)
COLUMNS = {
    name: name.split(".")[1]
    for name in ("silver.transmission", "silver.verdict", "silver.operator_knowledge", "ref.attribute_rule")
}


def in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows in an order of their own; symbols of several filters come in any order."""
    whole = conform_frame(rows, TABLE)
    return whole.sort("operator_id", "message_hash", "recipient_hash", "source_id", "stream_id", "offset")


def groups() -> list[list[Path]]:
    of_table = [case for case in CASES if case.parent.name == TABLE]
    alone = [[case] for case in of_table if is_alone(case)]
    return [[case for case in of_table if not is_alone(case)], *alone]


@pytest.mark.long
@pytest.mark.parametrize("count", COUNTS)
def test_all_golden_cases_in_buckets(count: int) -> None:
    for cases in groups():
        frames = {COLUMNS[name]: frame for name, frame in inputs(TABLE, cases).items()}
        whole = make_messages_in_memory(**frames).table_rows(MESSAGE)
        assert whole.height > len(cases)
        assert_frame_equal(in_order(message_in_buckets(**frames, count=count)), in_order(whole))


# Few values of each, so that rows meet.
START = dt.datetime(2026, 11, 24, 10, tzinfo=dt.UTC)
OPERATORS = st.sampled_from(["heron", "ibis"])
QUEUES = st.sampled_from(["A1", "B2", "C3", "D4", "E5"])
IDS = st.none() | st.sampled_from(["id-1", "id-2", "id-3"])
PEOPLE = st.none() | st.sampled_from(["ann", "bob"])
MOMENTS = st.integers(0, 40).map(lambda number: START + dt.timedelta(minutes=7 * number))


@st.composite
def transmissions(draw: st.DrawFn) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    for number in range(draw(st.integers(0, 14))):
        queue_id = draw(st.none() | QUEUES)
        first_at = draw(MOMENTS)
        other = draw(st.none() | QUEUES)
        row: dict[str, Any] = {
            "operator_id": draw(OPERATORS),
            "period_date": first_at.date(),
            "transmission_hash": f"{number:032x}",
            "channel_code": "EMAIL",
            "grain_code": "attempt" if queue_id is None else "recipient",
            "entry_code": draw(st.sampled_from(["smtp", "pickup", "reinjection", "dsn", None])),
            "queue_id": queue_id,
            "queue_key": queue_id and f"mx||{queue_id}",
            "previous_queue_key": draw(st.sampled_from([None, other and f"mx||{other}"])),
            "next_queue_key": draw(st.sampled_from([None, other and f"mx||{other}"])),
            "is_handoff": draw(st.booleans()),
            "message_id_hash": draw(IDS),
            "sender_hash": draw(PEOPLE),
            "recipient_hash": draw(PEOPLE),
            "client_network": draw(st.sampled_from([None, "192.0.2.0/24", "198.51.100.0/24"])),
            "is_own_client": draw(st.none() | st.booleans()),
            "is_own_recipient": draw(st.booleans()),
            "first_at": first_at,
            "last_at": first_at + dt.timedelta(minutes=draw(st.integers(0, 90))),
            "stage_code": draw(st.sampled_from(["connect", "envelope", "content", "delivery"])),
            "outcome_code": draw(st.sampled_from(["delivered", "deferred", "rejected", "bounced"])),
            "is_partial": draw(st.booleans()),
            "try_count": draw(st.integers(1, 3)),
            "spam_type_code": draw(st.sampled_from([None, "UNK", "AD.retail", "PHISH.bank"])),
            "is_type_strong": draw(st.none() | st.booleans()),
            "type_priority": draw(st.none() | st.integers(1, 3)),
            "source_id": "s",
            "stream_id": "a",
            "offset": number,
            "key_id": "k",
        }
        # The key of a row of silver.transmission: queue file, time and recipient.
        known = {(r["operator_id"], r["queue_id"], r["first_at"], r["recipient_hash"]) for r in rows}
        if queue_id is None or (row["operator_id"], queue_id, first_at, row["recipient_hash"]) not in known:
            rows.append(row)
    return rows_frame(rows, "silver.transmission")


@st.composite
def verdicts(draw: st.DrawFn) -> pl.DataFrame:
    named = st.lists(st.sampled_from(["ann", "bob", "eve"]), max_size=3, unique=True)
    rows = []
    for number in range(draw(st.integers(0, 8))):
        measure = draw(st.sampled_from([None, "CONTENT_FILTER"]))
        at = draw(MOMENTS)
        row: dict[str, Any] = {
            "operator_id": draw(OPERATORS),
            "period_date": at.date(),
            "verdict_hash": f"{number:032x}",
            "engine_code": draw(st.sampled_from(["rspamd", "spamassassin", "opendkim"])),
            "verdict_at": at,
            "queue_id": draw(st.none() | QUEUES),
            "message_id_hash": draw(IDS),
            "named_recipients": [
                {"recipient_hash": who, "recipient_domain": "isp.example", "is_own_recipient": True}
                for who in draw(named)
            ],
            "action_name": draw(st.sampled_from(["add header", "no action", "reject"])),
            "score": float(number),
            "symbols": draw(st.lists(st.sampled_from(["SPF_PASS", "SPAMTRAP"]), max_size=2, unique=True)),
            "filter_us": draw(st.none() | st.integers(1, 9)),
            "countermeasure_code": measure,
            "is_antispam": measure and True,
            "countermeasure_codes": [measure] if measure else [],
            "spam_type_code": draw(st.sampled_from([None, "UNK", "AD.pharma", "MALWARE.link"])),
            "is_type_strong": draw(st.none() | st.booleans()),
            "type_priority": draw(st.none() | st.integers(1, 3)),
            "spam_type_codes": [],
            "source_id": "f",
            "stream_id": "a",
            "offset": number,
            "key_id": "k",
        }
        rows.append(row)
    return rows_frame(rows, "silver.verdict")


@pytest.mark.long
@examples(40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(transmissions(), verdicts(), st.sampled_from([2, 3, 7]))
def test_the_number_of_buckets_does_not_matter(
    transmission: pl.DataFrame, verdict: pl.DataFrame, count: int
) -> None:
    frames = {
        "transmission": transmission,
        "verdict": verdict,
        "operator_knowledge": rows_frame([], "silver.operator_knowledge"),
        "attribute_rule": reference_table("ref.attribute_rule"),
    }
    whole = in_order(make_messages_in_memory(**frames).table_rows(MESSAGE))
    assert_frame_equal(in_order(message_in_buckets(**frames, count=count)), whole)
    # Nor does the order in which rows come.
    turned = frames | {
        name: frames[name].sort("offset", descending=True) for name in ("transmission", "verdict")
    }
    assert_frame_equal(in_order(make_messages_in_memory(**turned).table_rows(MESSAGE)), whole)


def bronze_of(name: str) -> pl.DataFrame:
    """Bronze rows of a format from pieces of all its logs, which were assembled apart."""
    kernel, parts = FORMATS[name], []
    logs = {log: lab(log) for log in LOGS.get(name, [])} | MORE.get(name, {})
    for log, lines in logs.items():
        size = len(lines) // 5 + 1
        start = 0
        for begin in range(0, len(lines), size):
            piece = lines[begin : begin + size]
            parts.append(kernel.assemble(placed(parse(kernel, piece, start), log)).collect())
            start += sum(len(line.encode("utf-8", "surrogatepass")) + 1 for line in piece)
    return pl.concat(parts)


@pytest.mark.long
@pytest.mark.parametrize("name", sorted({*LOGS, *MORE}))
def test_assembly_in_buckets(name: str) -> None:
    """Rows assembled in buckets are those of all bronze rows together, nearly all in their own bucket."""
    formats = {name: bronze_of(name)}
    if other := FORMATS[name].completed_by:
        formats[other] = bronze_of(other)
    for table in FORMATS[name].silver_rows:
        by = read_contract(table).key
        (whole,) = assembled_in_buckets(table, formats, PROTECTION, 1)
        assert not whole.select(by).is_duplicated().any()
        for count in (2, 7):
            parts = assembled_in_buckets(table, formats, PROTECTION, count)
            assert_frame_equal(pl.concat(parts).sort(by), whole.sort(by))
            if "queue_id" in whole.columns:
                # Ids that may hold a number are hidden, and so are their homes.
                having = [rows["queue_id"] for rows in formats.values() if "queue_id" in rows.columns]
                logged = sorted({id for ids in having for id in ids.drop_nulls()})
                moves = [
                    (home_of(rows, count).fill_null(number) != number) & rows["queue_id"].is_in(logged)
                    for number, rows in enumerate(parts)
                ]
                # The last block of each piece of OpenDMARC's history may go on: it has no queue id's key yet.
                assert sum(each.sum() for each in moves) <= (5 if name == "opendmarc_history" else 0)
