"""Closure under cuts: bronze rows do not depend on the pieces in which a log came."""

import random
from typing import Any

import polars as pl
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

KEY = ["offset", "assembly_key"]


def assert_closed_under_cuts(
    kernel: Any, parsed: pl.DataFrame, shuffler: random.Random, data: st.DataObject
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The bronze rows of parsed lines, and what they tell, each line at most once.

    Two pieces of the lines in any order, which may share some, assemble to the same rows. Keys part these
    into groups that need nothing of one another.
    """
    whole = kernel.assemble(parsed.lazy()).collect().sort(KEY)
    order = shuffler.sample(range(len(parsed)), len(parsed))
    cut, overlap = (data.draw(st.integers(0, len(parsed))) for _ in range(2))
    pieces = [parsed[order[: cut + overlap]], parsed[order[cut:]]]
    again = kernel.assemble(pl.concat([kernel.assemble(piece.lazy()) for piece in pieces])).collect()
    assert_frame_equal(again.sort(KEY), whole)
    rows = told(kernel, whole)
    assert_frame_equal(told(kernel, again), rows)
    apart = [told(kernel, group) for group in whole.partition_by("assembly_key")]
    assert_frame_equal(pl.concat([rows.clear(), *apart]).sort("offset"), rows)
    assert rows["offset"].is_unique().all()
    return whole, rows


def told(kernel: Any, bronze: pl.DataFrame) -> pl.DataFrame:
    rows: pl.DataFrame = kernel.transmissions(bronze.lazy()).collect()
    return rows.sort("offset")
