import hmac

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.tables.keyed_hashes import keyed_hashes

TEXTS = st.none() | st.text(max_size=90)


@given(st.lists(TEXTS, max_size=20), st.binary(min_size=1, max_size=90))
def test_keyed_hashes_are_truncated_hmacs(values, key):
    expected = [
        None if value is None else hmac.digest(key, value.encode(), "sha256").hex()[:32] for value in values
    ]
    assert keyed_hashes(pl.Series(values, dtype=pl.String), key).to_list() == expected
