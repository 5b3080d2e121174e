"""A log that is cut into several files counts as the log does, wherever the cuts are and in whatever order
the files come: where stamps are equal, the order of the files decides."""

import random
import re
from collections.abc import Callable
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st

from jobs.operators.formats.registry import FORMATS
from tests.operators.silver.test_copies import LOGS, lines_of, profile, read, silver, times_of, together
from tests.support.examples import examples
from tests.support.samples import CANARIES
from tests.support.samples.forms import Log

pytestmark = pytest.mark.long

__all__ = ["profile"]

FEW = ("kannel",)
OTHERS = [name for name in LOGS if name not in FEW]
# How an entry of several lines begins. It is written at once, so whoever rotates the log leaves it whole.
BEGINS = {"opendmarc_history": re.compile("job "), "exim, rejectlog": re.compile(r"\d{4}-\d\d-\d\d ")}
CLOCK = re.compile(r"(\d\d):(\d\d):(\d\d)(?:[.,]\d+)?")


def squeezed(line: str, factor: int, later: int = 0) -> str:
    """The line with a stamp of whole seconds, of which each stands for so many: much is of one second.

    Args:
        later: seconds that are added.
    """
    at = CLOCK.search(line)
    if at is None:
        return line
    hours, minutes, seconds = map(int, at.groups())
    second = (hours * 3600 + minutes * 60 + seconds) // factor + later
    clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    return line[: at.start()] + clock + line[at.end() :]


def postfix_of_short_ids(n: int) -> str:
    """Postfix uses a short queue id again as soon as the file is removed."""
    (postfix,) = (log for log in CANARIES if log.name == "postfix")
    return postfix.entry(n).replace(f"4cYqX{n:05d}z1fQ", f"3F2A11C{n:03X}")


ENTRIES = {log.name: log.entry for log in CANARIES if not log.is_files and log.kernel in FORMATS}
KERNEL = {log.name: (log.kernel, log.source_options) for log in CANARIES}
ENTRIES["postfix, short ids"], KERNEL["postfix, short ids"] = postfix_of_short_ids, ("postfix", {})
USUAL = ("postfix, short ids", "sendmail")


def crowd(entry: Callable[[int], str], seed: int) -> list[str]:
    """An early entry, several of one second whose lines are mixed, and a late one."""
    choice = random.Random(seed)
    waiting = [entry(n).splitlines() for n in range(200, 206)]
    mixed = []
    while waiting := [lines for lines in waiting if lines]:
        mixed.append(choice.choice(waiting).pop(0))
    lines = [*entry(100).splitlines(), *mixed, *entry(300).splitlines()]
    return [squeezed(line, 60) for line in lines]


def have_an_order(files: list[dict[str, pl.DataFrame]], lines: list[str]) -> bool:
    """Return whether no two files lie in one and the same second; nor one, where lines are equal: in such a
    file they are copies, for all that is known."""
    spans = [times_of(file) for file in files]
    is_moment = any(first == last for first, last in spans)
    return len(set(spans)) == len(spans) and not (is_moment and len(set(lines)) < len(lines))


OF_CROWDS = [*USUAL, *(pytest.param(each, marks=pytest.mark.long) for each in ENTRIES if each not in USUAL)]


@pytest.mark.parametrize("name", OF_CROWDS)
@examples(9, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 1000), shares=st.lists(st.floats(0, 1), min_size=1, max_size=2))
def test_a_rotation_in_a_busy_second_changes_nothing(name: str, seed: int, shares: list[float]) -> None:
    kernel, options = KERNEL[name]
    log = Log(kernel, crowd(ENTRIES[name], seed), options)
    last = len(log.lines) - 1
    cuts = sorted({min(1 + int(share * last), last) for share in shares})
    if begins := BEGINS.get(name):
        cuts = [cut for cut in cuts if begins.match(log.lines[cut])]
    parts = [log.lines[begin:end] for begin, end in pairwise([0, *cuts, last + 1])]
    # The later part has the smaller name.
    files = [read(log, "a", *each) for each in zip("321", parts, strict=False)]
    assume(have_an_order(files, log.lines))
    found, counts = silver(together(*files))
    assert found == silver(read(log))[0]
    assert counts.is_empty()


@pytest.mark.parametrize("name", [*FEW, *(pytest.param(each, marks=pytest.mark.long) for each in OTHERS)])
@examples(5, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_cuts_at_any_lines_change_nothing(name: str, data: st.DataObject) -> None:
    log = LOGS[name]
    factor = data.draw(st.sampled_from([10, 60, 600]), "seconds in one")
    some = dict.fromkeys(lines_of(log, data.draw(st.integers(0, 1000), "seed"), 40))
    # Forty lines of the laboratory's logs are often of one second, and files of one second have no order.
    each = data.draw(st.sampled_from([3, 8, 20]), "lines of one second")
    lines = [squeezed(line, factor, place // each) for place, line in enumerate(some)]
    cuts = data.draw(st.lists(st.integers(1, len(lines) - 1), min_size=1, max_size=3, unique=True), "cuts")
    if begins := BEGINS.get(name):
        cuts = [cut for cut in cuts if begins.match(lines[cut])]
    parts = [lines[begin:end] for begin, end in pairwise([0, *sorted(cuts), len(lines)])]
    # The later part has the smaller name, and so on.
    files = [read(log, "a", *each) for each in zip("4321", parts, strict=False)]
    assume(have_an_order(files, lines))
    found, counts = silver(together(*files))
    assert found == silver(read(log, lines=lines))[0]
    assert counts.is_empty()
