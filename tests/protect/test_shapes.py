"""jobs.protect.shapes: what looks like an id, a code or a name passes as it is, and nothing else does."""

from __future__ import annotations

import polars as pl
import pytest

from jobs.protect import shapes

KEY = bytes(32)
# As Postfix (short and long), Exim (before and since 4.97) and Sendmail make them.
QUEUE_IDS = (
    "3F2A11C0DE", "0A1B2C3D", "4jYlH071Srz1fPlf", "4jXRQg21Zzz1fPRf", "1tFabc-0001bC-2D",
    "1xVr5j-0000000000d-1V8v", "xAOE1rmk027713", "AAA12345",
)  # fmt: skip


@pytest.mark.parametrize("id", QUEUE_IDS)
def test_a_queue_id_stays(id: str) -> None:
    assert shapes.queue_ids(pl.Series([id, None]), KEY).to_list() == [id, None]
    for host in ("", "mx1|", "mx-12.isp.example|", "mx1|postfix-out|"):
        key = f"{host}{id}" if host else f"|{id}"
        assert shapes.queue_keys(pl.Series([None, key]), KEY).to_list() == [None, key]


@pytest.mark.parametrize(
    "id", ["447700900123", "ann@shop.example", "198.51.100.7", "ann.smith", "joesmith12345", "4cYq AA", ""]
)
def test_what_is_no_queue_id_is_a_pseudonym_that_still_joins(id: str) -> None:
    one = shapes.queue_ids(pl.Series([id, QUEUE_IDS[0]]), KEY)
    other = shapes.queue_ids(pl.Series([QUEUE_IDS[0], None, id]), KEY)
    assert len(one[0]) == 32 and one[0] == other[2] and one[1] == other[0] == QUEUE_IDS[0]
    assert shapes.queue_ids(pl.Series([id]), bytes(31) + b"1")[0] != one[0]


@pytest.mark.parametrize(
    "host",
    ["198.51.100.7", "198-51-100-7.isp.example", "2001:db8::7", "447700900123", "a.447700900123.example"],
)
def test_a_host_that_tells_an_address_or_a_number_is_a_pseudonym_with_its_ids(host: str) -> None:
    keys = shapes.queue_keys(pl.Series([f"{host}|{id}" for id in QUEUE_IDS[:2]] * 2), KEY).to_list()
    assert {len(key) for key in keys} == {32}
    assert keys[:2] == keys[2:] and keys[0] != keys[1]


def only(shape: str, *texts: str) -> list[str | None]:
    rows = pl.DataFrame({"text": [*texts, None]}, schema={"text": pl.String})
    return rows.select(shapes.of_shape("text", shape)).to_series().to_list()[:-1]


def test_codes_stay() -> None:
    replies = ("550", "404", "0x00000045", "UNDELIV", "ESME_RTHROTTLED", "map_error 27", "rp_cause 38")
    assert only(shapes.REPLY_CODE, *replies) == [*replies]
    assert only(shapes.DSN_CODE, "5.7.1", "2.0.0", "4.7.500") == ["5.7.1", "2.0.0", "4.7.500"]
    actions = (
        "no action",
        "add header",
        "Blocked SPAM",
        "Passed BAD-HEADER-7",
        "identified spam",
        "custom_2",
    )
    assert only(shapes.ACTION, *actions) == [*actions]


@pytest.mark.parametrize("shape", [shapes.REPLY_CODE, shapes.DSN_CODE, shapes.ACTION])
@pytest.mark.parametrize(
    "text",
    [
        "447700900123", "+447700900123", "call 447700900123", "4 4 7 7 0 0", "ann@shop.example",
        "198.51.100.7", "2001:db8::7", "see 198.51.100.7", "see http://shop.example/a", "a\nb",
    ],
)  # fmt: skip
def test_what_tells_somebody_is_no_code(shape: str, text: str) -> None:
    assert only(shape, text) == [None]


def test_names_of_tests_stay_and_what_is_none_goes() -> None:
    names = ["BAYES_99", "URL-X.1", "R_DKIM_ALLOW", "LOCAL_20261124", "__HAS_URI"]
    odd = ["447700900123", "FROM_447700900123", "ann@shop.example", "IP_198.51.100.7", "198.51.100.7", ""]
    lists = pl.Series([names, [], None, [names[0], *odd, names[1]]], dtype=pl.List(pl.String))
    assert shapes.symbols(lists).to_list() == [names, [], None, names[:2]]
    assert shapes.symbols(lists.head(3)).to_list() == [names, [], None]
