"""The period before another, of the same length."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from jobs.base.core.periods import last_day, months_of, period_before, period_bounds
from tests.support.examples import examples

QUARTERS, MONTHS = (f"-Q{number}" for number in range(1, 5)), (f"-{number:02d}" for number in range(1, 13))
PERIODS = st.builds(
    lambda year, of: f"{year}{of}", st.integers(1001, 2998), st.sampled_from(["", *QUARTERS, *MONTHS])
)


@given(PERIODS)
@examples(60)
def test_the_period_before_ends_where_this_one_begins(period: str) -> None:
    before = period_before(period)
    assert last_day(before) + dt.timedelta(days=1) == period_bounds(period)[0]
    assert len(months_of(before)) == len(months_of(period))
