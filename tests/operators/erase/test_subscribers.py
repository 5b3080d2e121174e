"""Erased subscribers are found in whatever text names them, and nobody else is."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.core.errors import ObservatoryError
from jobs.operators.erase import subscribers
from jobs.operators.erase.subscribers import (
    Subscribers,
    found_in_rows,
    hash_names,
    normalise_address,
    normalise_number,
)
from tests.support.examples import examples


def gone(*names: str) -> Subscribers:
    hashes = hash_names(pl.Series(names), "op", None)
    return Subscribers("op", "GBR", {None: frozenset(hashes)})


def are_named(who: Subscribers, texts: list[str], is_national: bool = False) -> list[bool]:
    return found_in_rows(who.find_named(pl.Series(texts, dtype=pl.String), is_national), len(texts)).to_list()


FIGURES = st.integers(0, 999).map(lambda number: f"7700900{number:03d}")
WRITTEN = st.sampled_from(
    [
        "44{0}",
        "+44{0}",
        "0044{0}",
        "0{0}",
        "+44 {1}",
        "+44 (0){1}",
        "sip:+44{0}@sip.example",
        "x=44{0};y",
        "[to:0{0}]",
    ]
)
AROUND = st.sampled_from(["{}", "<{}>", "from={},", "call {} now", '"{}"', "{}\n2026-11-24 10:00"])


@given(figures=FIGURES, other=FIGURES, written=WRITTEN, around=AROUND)
@examples(60)
def test_a_number_is_found_however_it_is_written(figures: str, other: str, written: str, around: str) -> None:
    who = gone(normalise_number(f"0{figures}", "GBR"))
    apart = f"{figures[:4]} {figures[4:]}"
    other_apart = f"{other[:4]} {other[4:]}"
    texts = [around.format(written.format(figures, apart)), around.format(written.format(other, other_apart))]
    assert are_named(who, texts) == [True, figures == other]


LOCAL = st.from_regex(r"[a-z][a-z0-9._-]{0,9}", fullmatch=True)
MARKED = st.sampled_from(
    ["<{}>", "from={},", "to=<{}>, orig", "user={}", '"{}"', "sip:{};tag", "({})", "{}."]
)


@given(
    local=LOCAL, other=LOCAL, tag=st.sampled_from(["", "+shop", "+a.b"]), around=MARKED, upper=st.booleans()
)
@examples(60)
def test_an_address_is_found_in_any_letters_and_with_a_tag(
    local: str, other: str, tag: str, around: str, upper: bool
) -> None:
    who = gone(normalise_address(f"{local}@ISP.example"))
    texts = [around.format(f"{each}{tag}@isp.example") for each in (local, other)]
    if upper:
        texts = [each.upper() for each in texts]
    assert are_named(who, texts) == [True, local == other]


def test_digits_without_a_prefix_are_national_where_the_source_says_so() -> None:
    who = gone("447700900123")
    assert are_named(who, ["7700900123", "size=7700900123"]) == [False, False]
    assert are_named(who, ["7700900123"], is_national=True) == [True]


def test_a_hash_is_no_pseudonym() -> None:
    name = pl.Series(["ann@isp.example"])
    assert hash_names(name, "op", None).item() not in subscribers.pseudonyms_of(name, "op", [None])
    assert hash_names(name, "op", None).item() != hash_names(name, "other", None).item()


@pytest.mark.parametrize("text", ["", "ann", "+", "12", "1" * 20, "ann@isp.example"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ObservatoryError, match="is no number"):
        normalise_number(text, "GBR")


@pytest.mark.parametrize(
    "text", ["", "ann", "@isp.example", "ann@isp", "ann@b@isp.example", "a b@isp.example"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ObservatoryError, match="is no address"):
        normalise_address(text)


def test_an_address_in_brackets_is_one() -> None:
    assert normalise_address(" <Ann@ISP.example> ") == "ann@isp.example"
