"""List that named a client of postscreen: the first in the session's time, without a look at all pairs."""

import datetime as dt
import subprocess
import sys

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.operators.formats.postfix.attempts import _first_listings
from tests.conftest import ROOT
from tests.support.examples import examples

START = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
SLACK = dt.timedelta(minutes=1)
TIME = pl.Datetime("us", "UTC")
CLIENT = {"operator_id": pl.String, "assembly_key": pl.String}
SCREENS = {"screen": pl.UInt32, **CLIENT, "dnsbl_zone": pl.String, "opened_at": TIME, "closed_at": TIME}
LISTINGS = {**CLIENT, "listed_at": TIME, "listed_dnsbl_zone": pl.String, "listed_dnsbl_code": pl.String}
# Few values, and times half a minute apart: many meet, and some are on an edge.
CLIENTS = st.tuples(st.sampled_from(["a", None]), st.sampled_from(["x", "y"]))
ZONES = ["one.example", "two.example"]
TIMES = st.integers(0, 20).map(lambda half: START + dt.timedelta(seconds=30 * half))


@examples(200)
@given(
    st.lists(st.tuples(CLIENTS, st.sampled_from([None, *ZONES]), TIMES, TIMES), max_size=8),
    st.lists(
        st.tuples(CLIENTS, TIMES, st.sampled_from(ZONES), st.sampled_from(["2", "4"])),
        max_size=12,
        unique_by=lambda each: each[:3],
    ),
)
def test_the_first_listing_in_a_sessions_time_is_found(sessions: list, named: list) -> None:
    screens = [(n, *who, zone, min(a, b), max(a, b)) for n, (who, zone, a, b) in enumerate(sessions)]
    listings = [(*who, *rest) for who, *rest in named]
    found = _first_listings(
        pl.DataFrame(screens, SCREENS, orient="row"), pl.DataFrame(listings, LISTINGS, orient="row")
    )
    expected = {}
    for number, *who, zone, opened_at, closed_at in screens:
        fits = [
            (at, list_zone, code)
            for *of, at, list_zone, code in listings
            if of == who and opened_at - SLACK <= at <= closed_at + SLACK and zone in (None, list_zone)
        ]
        if fits:
            expected[number] = min(fits)[1:]
    assert {number: tuple(rest) for number, *rest in found.rows()} == expected


@pytest.mark.long
def test_a_client_that_comes_back_all_day_takes_little_memory() -> None:
    """6,000 sessions and as many listings: their pairs would take 2 GB."""
    code = """
import datetime as dt, resource
import polars as pl
from jobs.operators.formats.postfix.attempts import _first_listings
from tests.operators.formats.test_postfix_attempts import START
at = pl.Series([START + dt.timedelta(seconds=10 * n) for n in range(6000)])
own = {"operator_id": "a", "assembly_key": "x"}
screens = pl.DataFrame({"screen": range(6000), "dnsbl_zone": [None] * 6000, "opened_at": at, "closed_at": at})
screens = screens.with_columns(pl.col("dnsbl_zone").cast(pl.String), **{k: pl.lit(v) for k, v in own.items()})
listings = pl.DataFrame({"listed_at": at}).with_columns(
    **{k: pl.lit(v) for k, v in own.items()},
    listed_dnsbl_zone=pl.lit("one.example"),
    listed_dnsbl_code=pl.lit("2"),
)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert _first_listings(screens, listings).height == 6000
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    made = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(made.stdout) < 200
