"""Decisions about a release, with who made them and when: a file of lines in its restricted folder, appended
to."""

import datetime as dt
import fcntl
import functools
import inspect
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from jobs.base.core.errors import Locked, ObservatoryError
from jobs.study.release.folders import hold_lock, list_releases

P = ParamSpec("P")
T = TypeVar("T")
FILE = "decisions.jsonl"


@dataclass(frozen=True)
class Decision:
    """One event.

    Attributes:
        what: made, cleared, objection_overruled, row_left_out, published_unasked (rows of a country without
            an administration leave), published or withdrawn.
        about: the area, where it is of one.
        digest: of the release's manifest.
    """

    what: str
    by: str
    at: str
    digest: str
    about: str = ""
    reason: str = ""


def format_decision(
    what: str, by: str, digest: str, at: dt.datetime, about: str = "", reason: str = ""
) -> str:
    """A decision as a line of the file. Raises ObservatoryError for one without a name.

    Args:
        what, about: as in Decision; about is empty where the decision is on the whole release.
        by: the name of who decided.
        digest: of the release's manifest.
    """
    if not by.strip():
        raise ObservatoryError("no name is given: state with --by who decides; it is kept with the release")
    found = Decision(what, by.strip(), at.isoformat(timespec="seconds"), digest, about, reason.strip())
    return json.dumps(asdict(found), ensure_ascii=False) + "\n"


def record_decision(
    restricted: Path, what: str, by: str, digest: str, at: dt.datetime, about: str = "", reason: str = ""
) -> None:
    """Append a decision. Raises ObservatoryError for one without a name.

    Args:
        restricted: the restricted folder of the release's version.
        what, by, digest, at, about, reason: as format_decision() takes them.
    """
    append_decision(restricted, format_decision(what, by, digest, at, about, reason))


def recorded_alone(function: Callable[P, T]) -> Callable[P, T]:
    """Let one process at a time change what is recorded about releases.

    Raises Locked where another process does.

    Args:
        function: with a parameter `restricted`, the restricted folder of a release.
    """
    names = [*inspect.signature(function).parameters]

    @functools.wraps(function)
    def run_alone(*args: P.args, **kwargs: P.kwargs) -> T:
        restricted = {**dict(zip(names, args, strict=False)), **kwargs}["restricted"]
        assert isinstance(restricted, Path)
        root = restricted.parents[1]
        try:
            with hold_lock(root):
                return function(*args, **kwargs)
        except BlockingIOError:
            raise Locked(
                f"another `observatory release` command writes to {root}: run the same command again"
            ) from None

    return run_alone


def append_decision(restricted: Path, text: str) -> None:
    """Append a decision that is a line already: all of it or nothing."""
    with (restricted / FILE).open("ab") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        whole = find_last_end(restricted / FILE)
        try:
            file.truncate(whole)
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            file.truncate(whole)
            raise


def read_decisions(restricted: Path) -> list[Decision]:
    """The decisions on a release, in the order in which they were made."""
    file = restricted / FILE
    if not file.is_file():
        return []
    # A line without its end was broken off: what it says was not done.
    return [
        Decision(**json.loads(line)) for line in file.read_bytes()[: find_last_end(file)].split(b"\n")[:-1]
    ]


def find_last_end(file: Path) -> int:
    """Find the end of the last whole line of a file, in bytes."""
    return file.read_bytes().rfind(b"\n") + 1


def list_published(restricted_root: Path) -> list[str]:
    """The releases that were ever published, withdrawn ones too, in the order of publication: each once."""
    found = {}
    for period, version in list_releases(restricted_root):
        for each in read_decisions(restricted_root / period / version):
            if each.what == "published":
                found[f"{period}/{version}"] = each.at
    return sorted(found, key=lambda name: (found[name], name))


def list_withdrawn(restricted_root: Path) -> list[str]:
    """The releases that are withdrawn, in order of their names."""
    return [
        f"{period}/{version}"
        for period, version in list_releases(restricted_root)
        if any(each.what == "withdrawn" for each in read_decisions(restricted_root / period / version))
    ]
