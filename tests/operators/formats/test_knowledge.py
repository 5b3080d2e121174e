"""Facts that an operator knows beside its logs: read, refused row by row, protected as pseudonyms only."""

import datetime as dt
import gzip
from io import BytesIO
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.tables.attributes import ATTRIBUTES
from jobs.base.tables.contracts import polars_schema, read_contract
from jobs.operators.formats import Document, Source, knowledge
from jobs.operators.formats.shared.documents import frame_of
from jobs.operators.protect import pseudonym_keys, pseudonyms
from jobs.operators.protect.operators import OperatorSpace, Protection
from jobs.operators.protect.pseudonym_keys import operator_key
from jobs.operators.silver import message
from tests.support.examples import examples

SOURCE = Source("op", "register", "a", dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC))
LIMIT = 1 << 20
REGISTER = """day,sender,recipient,queue_id,consent_code,is_recipient_natural
2026-11-24,News@Shop.example,ann@isp.example,,express,true
2026-11-24,,<bob@isp.example>,,,FALSE
2026-11-23,,,4cYqX00001z1fQ,revoked,unknown
2026-11-24,,eve@isp.example,,unknown,
"""


def read(data: bytes | str, limit: int = LIMIT) -> list[Document]:
    raw = data.encode() if isinstance(data, str) else data
    return list(knowledge.read(raw, "register.csv", SOURCE, limit))


def bronze(*files: bytes | str) -> pl.LazyFrame:
    frames = [
        frame_of(
            enumerate(read(file)),
            Source("op", "register", f"file-{place}", SOURCE.newest_at),
            knowledge.BRONZE,
        )
        for place, file in enumerate(files)
    ]
    return pl.concat(frames).lazy()


def test_a_register_is_read_row_by_row() -> None:
    done = read(REGISTER)
    assert [each.line_code for each in done] == ["record", "record", "record", "ignored"]
    rows = frame_of(enumerate(done), SOURCE, knowledge.BRONZE)
    named = ["first_at", "sender", "recipient", "queue_id", "consent_code", "is_recipient_natural"]
    assert [tuple(row) for row in rows.with_columns(pl.col("first_at").dt.day()).select(named).rows()] == [
        (24, "News@Shop.example", "ann@isp.example", None, "express", True),
        (24, None, "bob@isp.example", None, None, False),
        (23, None, None, "4cYqX00001z1fQ", "revoked", None),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_any_usual_delimiter_a_byte_order_mark_line_ends_of_windows_and_gzip(delimiter: str) -> None:
    data = ("\ufeff" + REGISTER.replace(",", delimiter).replace("\n", "\r\n")).encode()
    assert read(data) == read(gzip.compress(data)) == read(REGISTER)
    assert knowledge.sniff(data) == 1.0


def test_parquet_says_the_same_as_csv() -> None:
    frame = pl.read_csv(REGISTER.encode(), schema_overrides={"is_recipient_natural": pl.String})
    natural = pl.col("is_recipient_natural").str.to_lowercase().replace("unknown", None) == "true"
    frame = frame.with_columns(natural)
    day = pl.col("day").str.to_date()
    for kind in (day, day.cast(pl.Datetime("us")), pl.col("day")):
        file = BytesIO()
        frame.with_columns(kind).write_parquet(file)
        assert [each.rows for each in read(file.getvalue())] == [each.rows for each in read(REGISTER)]


@pytest.mark.parametrize(
    ("header", "row", "reason"),
    [
        ("day,sender,consent_code", ",a@b.example,none", "bad_timestamp"),
        ("day,sender,consent_code", "24.11.2026,a@b.example,none", "bad_timestamp"),
        ("day,sender,consent_code", "2026-11-28,a@b.example,none", "from_the_future"),
        ("day,sender,consent_code", "2026-11-24,a@b.example,given", "bad_field"),
        ("day,sender,is_exempt", "2026-11-24,a@b.example,yes", "bad_field"),
        ("day,sender,consent_code", "2026-11-24,,none", "bad_field"),
        ("day,sender,queue_id,consent_code", "2026-11-24,a@b.example,4Qd,none", "bad_field"),
        ("day,sender,consent_code", "2026-11-24,a@b.example", "unknown_shape"),
        ("day,sender,consent_code", "2026-11-24,a@b.example,none,more", "unknown_shape"),
        ("day,sender,consent_code", '2026-11-24,"a@b.example,none', "unknown_shape"),
        ("day,sender,consent", "2026-11-24,a@b.example,none", "bad_field"),
        ("sender,consent_code", "a@b.example,none", "bad_field"),
        ("day,sender,sender,consent_code", "2026-11-24,a@b.example,a@b.example,none", "bad_field"),
    ],
)
def test_what_is_wrong_is_quarantined_masked_and_the_rest_is_kept(header: str, row: str, reason: str) -> None:
    good = ",".join(
        {"day": "2026-11-24", "sender": "c@d.example"}.get(name, "") for name in header.split(",")
    )
    done = read(f"{header}\n{row}\n{good}\n")
    assert done[0].reason_code == reason
    assert "a@b.example" not in done[0].text
    is_header = header in ("day,sender,consent", "sender,consent_code", "day,sender,sender,consent_code")
    assert len(done) == (1 if is_header or '"' in row else 2)


def test_whole_files_that_cannot_be_read() -> None:
    assert [each.reason_code for each in read(b"")] == ["empty"]
    assert [each.reason_code for each in read("day,sender,consent_code\n\xe9".encode("latin-1"))] == [
        "bad_encoding"
    ]
    assert [each.reason_code for each in read(b"PAR1 and no more")] == ["unknown_shape"]
    assert [each.reason_code for each in read(REGISTER, limit=20)] == ["too_large"]
    # A column of one value takes no room in the file, and all of it in memory.
    file = BytesIO()
    many = pl.DataFrame(
        {"day": ["2026-11-24"] * 100_000, "sender": ["x"] * 100_000, "is_bulk": [True] * 100_000}
    )
    many.write_parquet(file)
    assert len(file.getvalue()) < 100_000
    assert [each.reason_code for each in read(file.getvalue(), limit=100_000)] == ["too_large"]


@examples(200)
@given(st.binary(max_size=200), st.sampled_from([b"", b"PAR1", b"day,sender,consent_code\n", b"\x1f\x8b"]))
def test_no_bytes_raise(data: bytes, start: bytes) -> None:
    for document in read(start + data):
        assert document.line_code in ("record", "ignored", "quarantined")
    knowledge.sniff(start + data)


@given(st.permutations([REGISTER, REGISTER.replace("express", "none"), REGISTER + "\n"]), st.integers(0, 3))
@examples(10)
def test_assembly_is_closed_and_knows_a_row_that_came_twice(files: list[str], cut: int) -> None:
    rows = bronze(*files)
    whole = knowledge.assemble(rows).collect()
    parts = [knowledge.assemble(bronze(*files).slice(0, cut)), knowledge.assemble(bronze(*files).slice(cut))]
    assert knowledge.assemble(pl.concat(parts)).collect().equals(whole)
    assert whole.height == 4
    assert whole["assembly_key"].n_unique() == 4


def test_only_pseudonyms_pass_the_door_and_they_are_those_of_the_logs() -> None:
    own = OperatorSpace("op", "CYP", ("isp.example",), (), (), ())
    raw = knowledge.facts(knowledge.assemble(bronze(REGISTER))).collect()
    done = pseudonyms.pseudonymise_facts(raw, Protection((own,), None))
    schema = polars_schema("silver.operator_knowledge")
    assert dict(done.schema) == {name: kind for name, kind in schema.items() if name != "knowledge_hash"}
    assert done["period_date"].to_list() == [dt.date(2026, 11, 24)] * 2 + [dt.date(2026, 11, 23)]
    text = str(done.to_dicts()).lower()
    assert "shop.example" not in text and "isp.example" not in text
    key = operator_key("op")
    sender, recipient = (
        pseudonym_keys.make_pseudonyms(pl.Series([name]), key)[0]
        for name in ("news@shop.example", "bob@isp.example")
    )
    assert done["sender_hash"][0] == sender and done["recipient_hash"][1] == recipient
    assert done["queue_id"].to_list() == [None, None, "4cYqX00001z1fQ"]


def test_a_register_of_national_numbers_names_the_subscribers_of_a_log_of_such() -> None:
    register = """day,sender,recipient,consent_code
2026-11-24,(202) 555-0123,+4520123456,none
2026-11-24,MyBank,12025550124,none
2026-11-24,news@shop.example,82262,none
"""
    told = {}
    for country in (None, "USA"):
        source = Source("op", "register", "a", SOURCE.newest_at, numbers_of=country)
        rows = frame_of(enumerate(read(register)), source, knowledge.BRONZE)
        raw = knowledge.facts(knowledge.assemble(rows.lazy())).collect()
        own = OperatorSpace("op", "USA", (), (), (), ())
        told[country] = pseudonyms.pseudonymise_facts(raw, Protection((own,), None)).select(
            "sender_hash", "recipient_hash"
        )
    key = operator_key("op")
    named = {
        None: [("2025550123", "4520123456"), ("mybank", "12025550124"), ("news@shop.example", "82262")],
        "USA": [("12025550123", "4520123456"), ("mybank", "12025550124"), ("news@shop.example", "82262")],
    }
    for country, pairs in named.items():
        hashed = [tuple(pseudonym_keys.make_pseudonyms(pl.Series(pair), key)) for pair in pairs]
        assert told[country].rows() == hashed


def test_silver_knows_the_same_ways_of_naming_messages() -> None:
    pseudonym: dict[str, Any] = {"queue_id": "queue_id"}
    ways = tuple(tuple(pseudonym.get(name, f"{name}_hash") for name in key) for key in knowledge.KEYS)
    assert ways == message.KEYS
    assert set(ATTRIBUTES) <= set(read_contract("silver.message").columns)
