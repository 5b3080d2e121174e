"""Lines that are read by the first reader that is sure of them."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.operators.formats.shared.fields import read_in_turn
from tests.support.examples import examples


def reader(sign: str) -> Any:
    """A reader that is sure of the texts that begin with a sign, of all where it is empty."""

    def read(texts: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
        is_read = texts.str.starts_with(sign)
        return pl.DataFrame({"text": texts.filter(is_read)}).with_columns(by=pl.lit(sign)), is_read

    return read


@examples(60)
@given(st.lists(st.text("abc", min_size=1, max_size=2), max_size=12))
def test_each_line_has_its_row_in_its_place_by_the_first_reader_that_is_sure(lines: list[str]) -> None:
    found = read_in_turn(pl.Series(lines, dtype=pl.String), reader("a"), reader("b"), reader(""))
    assert found.rows() == [(line, line[0] if line[0] in "ab" else "") for line in lines]


def test_a_last_reader_that_is_not_sure_of_all_is_a_fault() -> None:
    with pytest.raises(AssertionError, match="1 of 2"):
        read_in_turn(pl.Series(["a", "c"]), reader("a"), reader("b"))
