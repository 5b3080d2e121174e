"""The program's own files, and digests of them."""

import pytest

from jobs.base.core.program import find_sources


def test_a_pattern_that_matches_no_file_of_the_project_is_an_error() -> None:
    assert find_sources("jobs/base/core/prog*.py")
    with pytest.raises(AssertionError, match="moved"):
        find_sources("jobs/base/core/*.py", "jobs/moved/*.py")
