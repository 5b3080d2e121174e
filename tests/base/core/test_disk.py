"""A disk without room, as libraries say it."""

import sqlite3
from contextlib import closing

import pytest

from jobs.base.core.disk import is_full


def test_a_database_without_room_is_a_full_disk() -> None:
    """Great Expectations reads tables from a file of SQLite, which gives no number of an error."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("PRAGMA max_page_count = 2")
        with pytest.raises(sqlite3.OperationalError) as found:
            connection.execute("CREATE TABLE rows AS SELECT zeroblob(1000000) AS cell")
    assert is_full(found.value)
