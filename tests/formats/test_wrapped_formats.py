"""A log in JSON, of a container or of the journal is read as the log itself, whatever its format."""

import pytest
from polars.testing import assert_frame_equal

from jobs.core.lines import frame_lines
from jobs.core.wrapped import unwrap_sample
from jobs.formats.registry import recognise_format
from tests.support.samples import LOGS
from tests.support.wrapped_logs import WRAPPERS, to_iso

# Its records of several lines are recognised by where lines end; nobody ships them.
SEVERAL_LINES = {"opendmarc_history"}
WHOLE = {name: log for name, log in LOGS.items() if log.format not in SEVERAL_LINES}


@pytest.mark.parametrize("name", WHOLE)
def test_lines_are_those_of_the_log(name: str) -> None:
    lines = [to_iso(line) for line in WHOLE[name].lines[:200]]
    plain = "".join(f"{line}\n" for line in lines).encode()
    for wrap in WRAPPERS.values():
        wrapped = b"".join(map(wrap, lines))
        assert unwrap_sample(wrapped) == plain
        assert_frame_equal(frame_lines(wrapped, 0).select("line"), frame_lines(plain, 0).select("line"))
    # What sniff's kernels see is then the same, too.
    assert unwrap_sample(plain) == plain


@pytest.mark.parametrize("name", ["exim", "kannel"])
def test_the_format_is_that_of_the_log(name: str) -> None:
    lines = [to_iso(line) for line in WHOLE[name].lines[:40]]
    for wrapper in ("docker", "journal json"):
        wrapped = b"".join(map(WRAPPERS[wrapper], lines))
        assert recognise_format(wrapped) == recognise_format("\n".join(lines).encode())
