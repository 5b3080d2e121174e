"""PASSporTs: what they claim, and that no damage makes them claim or raise anything."""

import base64
import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.operators.formats.sip import passport
from tests.support.examples import examples

UUID = "0d8f1a52-6c1e-4a7b-9e55-5b1f0c2d3e4f"


def part(content: Any) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def token(payload: Any, header: Any = None) -> str:
    return f"{part(header or {'alg': 'ES256', 'ppt': 'shaken'})}.{part(payload)}.c2lnbmF0dXJl"


def shaken(**changes: Any) -> dict[str, Any]:
    whole = {"attest": "A", "dest": {"tn": ["35722000001"]}, "iat": 1795529642, "origid": UUID}
    return {name: value for name, value in (whole | changes).items() if value is not None}


def read(*texts: str | None) -> list[tuple[str | None, str | None]]:
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    return frame.select(passport.read_claims(pl.col("text")).struct.unnest()).rows()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(token(shaken()), ("A", UUID), id="bare"),
        pytest.param(
            token(shaken(attest="B")) + ';info=<https://x.test>;ppt="shaken"', ("B", UUID), id="header"
        ),
        pytest.param(
            "Identity: " + token(shaken(attest="C", origid=UUID.upper())), ("C", UUID), id="upper case"
        ),
        pytest.param(token(shaken(origid=None)), ("A", None), id="no origid"),
        pytest.param(token(shaken(attest=None)), (None, UUID), id="no attest"),
        pytest.param(token(shaken(attest="D")), (None, UUID), id="no level of RFC 8588"),
        pytest.param(token(shaken(attest="a")), (None, UUID), id="lower case is no level"),
        pytest.param(token(shaken(attest=["A"])), (None, UUID), id="a list is no level"),
        pytest.param(token(shaken(attest={"A": 1}, origid=7)), (None, None), id="other kinds"),
        pytest.param(token(shaken(origid="x" * 129)), ("A", None), id="too long for an id"),
        pytest.param(
            token({"div": {"tn": "1"}}, {"ppt": "div"}), (None, None), id="RFC 8946 claims no level"
        ),
        pytest.param("..c2lnbmF0dXJl;info=<https://x.test>", (None, None), id="compact form"),
        pytest.param(token(shaken())[:-30], (None, None), id="cut in the payload"),
        pytest.param(
            f"{part({'a': 1})}.{part(b'{' + bytes([34, 255, 254]) + b'}')}.x", (None, None), id="no UTF-8"
        ),
        pytest.param(f"{part({'a': 1})}.eyJhdHRlc3QiOiJB.x", (None, None), id="half a JSON object"),
        pytest.param(f"{part({'a': 1})}.eyJhdHRlc.x", (None, None), id="no base64"),
        pytest.param("", (None, None), id="empty"),
        pytest.param(None, (None, None), id="none"),
    ],
)
def test_claims(text: str | None, expected: tuple[str | None, str | None]) -> None:
    assert read(text) == [expected]


def test_each_row_gets_its_own_claims() -> None:
    texts = [token(shaken(attest=level, origid=level * 3)) for level in "ABCAB"]
    assert read(*texts, None, *texts[::-1]) == [
        *((level, level.lower() * 3) for level in "ABCAB"),
        (None, None),
        *((level, level.lower() * 3) for level in "BACBA"),
    ]
    assert read() == []


def test_deep_nesting_is_no_way_to_stop_a_run() -> None:
    deep = b'{"a":' * 1000 + b"1" + b"}" * 1000
    assert read(token(deep), token(shaken())) == [(None, None), ("A", UUID)]


@examples(50)
@given(st.text(max_size=60), st.integers(0, 250), st.integers(0, 5))
def test_damage_never_raises_or_invents(noise: str, at: int, cut: int) -> None:
    whole = token(shaken())
    ((level, origid),) = read(whole[:at] + noise + whole[at + cut :])
    assert level in (None, "A", "B", "C")
    assert origid is None or len(origid) <= passport.LONGEST_ID
