"""Who decided what about a release, and when: a file of lines in its restricted folder, appended to."""

from __future__ import annotations

import datetime as dt
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from jobs.core.errors import ObservatoryError
from jobs.release.folders import all_in

FILE = "decisions.jsonl"


@dataclass(frozen=True)
class Decision:
    """One event. what: made, cleared, objection_overruled, row_left_out, published or withdrawn. about: the
    area, where it is of one. digest: of the release's manifest."""

    what: str
    by: str
    at: str
    digest: str
    about: str = ""
    reason: str = ""


def line(what: str, by: str, digest: str, at: dt.datetime, about: str = "", reason: str = "") -> str:
    """A decision as a line of the file. Raises ObservatoryError for one without a name."""
    if not by.strip():
        raise ObservatoryError("no name is given: state with --by who decides; it is kept with the release")
    found = Decision(what, by.strip(), at.isoformat(timespec="seconds"), digest, about, reason.strip())
    return json.dumps(asdict(found), ensure_ascii=False) + "\n"


def record(
    restricted: Path, what: str, by: str, digest: str, at: dt.datetime, about: str = "", reason: str = ""
) -> None:
    """Append a decision. Raises ObservatoryError for one without a name."""
    append(restricted, line(what, by, digest, at, about, reason))


def append(restricted: Path, text: str) -> None:
    """Append a decision that is a line already."""
    with (restricted / FILE).open("a", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def recorded(restricted: Path) -> list[Decision]:
    """The decisions on a release, in the order in which they were made."""
    file = restricted / FILE
    if not file.is_file():
        return []
    return [Decision(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


def published(restricted_root: Path) -> list[str]:
    """The releases that were ever published, withdrawn ones too, in the order of publication."""
    found = []
    for period, version in all_in(restricted_root):
        events = recorded(restricted_root / period / version)
        found += [(each.at, f"{period}/{version}") for each in events if each.what == "published"]
    return [name for _, name in sorted(found)]
