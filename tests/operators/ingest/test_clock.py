"""clock_offset moves all times of a log, those in lists and structs too, and nothing else."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from jobs.operators.formats.registry import FORMATS
from jobs.operators.ingest.clock import correct_times
from tests.support.examples import examples
from tests.support.filter_logs import frame_of, placed, source
from tests.support.samples import LOGS


# A profile of the tests is a file of another folder.
@pytest.mark.parametrize("name", sorted(name for name in LOGS if "profile" not in LOGS[name].options))
def test_all_that_a_log_tells_is_earlier_by_the_offset_and_else_the_same(name: str) -> None:
    log, offset = LOGS[name], 86_400 * 3 + 4_321
    kernel = FORMATS[log.format]
    told = kernel.parse(frame_of(log.lines[:400]).lazy(), source(options=log.options)).collect()
    records = told.filter(pl.col("line_code") == "record")
    right, moved = (placed(rows) for rows in (records, correct_times(records, offset)))
    for view in (kernel.assemble, *filter(None, (kernel.transmissions, kernel.verdicts))):
        of = (lambda rows: rows) if view is kernel.assemble else kernel.assemble
        one, other = (view(of(rows)).collect() for rows in (right, moved))
        assert one.height or view is not kernel.assemble
        order = [name for name in ("stream_id", "offset", "recipient") if name in one.columns]
        assert_frame_equal(by_place(correct_times(other, -offset)).sort(order), by_place(one).sort(order))


def by_place(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows, sessions named by their first line: kernels name some by the time."""
    if "session" not in rows.columns:
        return rows
    first = pl.when(pl.col("session").is_not_null()).then(pl.col("offset").min().over("session"))
    return rows.with_columns(session=first)


@given(st.lists(st.integers(0, 10**6), max_size=3), st.integers(-(10**8), 10**8))
@examples(30)
def test_times_in_lists_and_structs_move_too(seconds: list[int], offset: int) -> None:
    times = [dt.datetime(2026, 11, 24, tzinfo=dt.UTC) + dt.timedelta(seconds=each) for each in seconds]
    kind = pl.Datetime("us", "UTC")
    frame = pl.DataFrame(
        {"n": [7], "at": [None], "events": [[{"at": each, "text": "x"} for each in times]], "one": [None]},
        schema={
            "n": pl.Int64,
            "at": kind,
            "events": pl.List(pl.Struct({"at": kind, "text": pl.String})),
            "one": pl.Struct({"at": kind}),
        },
    )
    moved = correct_times(frame, offset)
    assert [each["at"] for each in moved["events"][0]] == [
        each - dt.timedelta(seconds=offset) for each in times
    ]
    assert moved.schema == frame.schema
    assert (moved["at"].to_list(), moved["one"].to_list()) == ([None], [None])
    assert_frame_equal(correct_times(moved, -offset), frame)
