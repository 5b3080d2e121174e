"""A log in JSON gives the rows of the log itself, however its file is cut and whatever is broken in it."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs.operators.formats.registry import FORMATS
from jobs.operators.ingest import parsing
from tests.operators.ingest.test_ingest import COUNTS, joined, ranges
from tests.support.filter_logs import LAB
from tests.support.wrapped_logs import WRAPPERS, to_iso

LOGS = {
    "postfix": LAB / "postfix" / "mail.iso8601.log",
    "rspamd": LAB / "postfix" / "rspamd.log",
    "kannel": LAB / "kannel" / "bearerbox-access.log",
    "exim": LAB / "exim" / "mainlog",
}
BROKEN = [b'{"MESSAGE": "cut', b'{"message": {"a": 1}}', b'{"other": "text"}']
LINES = 400


def read_log(path: Path, name: str, step: int, part: int) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsing, "PART", part)
        return joined(ranges(path, path.stat().st_size, step, name=name), name)


def told(found: dict[str, Any], name: str) -> list[str]:
    """List the rows of messages of a format and of its companions, without their places in the file."""
    rows = []
    for each, frame in {name: found["rows"], **found["companions"]}.items():
        kernel = FORMATS[each]
        bronze = kernel.assemble(frame.drop("ingest_id", "event_date").lazy())
        for view in (kernel.transmissions, kernel.verdicts):
            if view:
                said = view(bronze).drop("offset").collect()
                rows += [f"{each} {row}" for row in said.to_dicts()]
    return sorted(rows)


@pytest.mark.long
@pytest.mark.parametrize("wrapper", ["docker", "journal json", "rsyslog"])
@pytest.mark.parametrize("name", LOGS)
def test_rows_are_those_of_the_log(tmp_path: Path, name: str, wrapper: str) -> None:
    lines = [to_iso(line) for line in LOGS[name].read_text("utf-8").splitlines()[:LINES]]
    plain = tmp_path / "plain.log"
    plain.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    wanted = read_log(plain, name, 1 << 30, 1 << 24)
    wrapped = [WRAPPERS[wrapper](line) for line in lines]
    places = [len(wrapped) // 3, len(wrapped) // 2, len(wrapped)]
    for place, broken in zip(reversed(places), BROKEN, strict=True):
        wrapped.insert(place, broken + b"\n")
    path = tmp_path / "wrapped.log"
    path.write_bytes(b"".join(wrapped))
    for step, part in ((1 << 30, 1 << 24), (30_011, 9_001)):
        found = read_log(path, name, step, part)
        assert told(found, name) == told(wanted, name)
        counts = {count: found[count] - wanted[count] for count in COUNTS}
        assert counts == {"line_count": 3, "record_count": 0, "ignored_count": 0, "quarantined_count": 3}
        refused = found["quarantine"].filter(pl.col("reason_code") == "bad_json")
        assert sorted(refused["line_text"]) == sorted(line.decode() for line in BROKEN)
        assert set(refused["offset"]) == {
            sum(map(len, wrapped[:number])) for number, line in enumerate(wrapped) if line[:-1] in BROKEN
        }
