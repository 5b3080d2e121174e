"""Listings of another host may be wrong about its files: each line is landed once all the same."""

import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from jobs.base.core.errors import Away
from jobs.base.settings.operator import Operator, SourceSettings
from jobs.operators.ingest import source_files
from jobs.operators.ingest.pull import Pulled, pull_operator
from tests.support.remote_logs import count_landed, mail_lines

NOW = dt.datetime(2026, 11, 24, 15, 0, tzinfo=dt.UTC)
URL = "sftp://mx1.example.org/log/mail.log*"
# What a listing shows in place of the truth, by the name of a file.
Lies = dict[str, dict[str, Any]]


class Host(MemoryFileSystem):
    """A host whose listing says what a test wants."""

    protocol = ("sftp", "ssh")
    store: dict[str, Any] = {}
    cachable = False
    lies: Lies

    def glob(self, path: str, maxdepth: int | None = None, **kwargs: Any) -> Mapping[str, Any]:
        truth = {
            name: {"name": name, "type": "file", "size": len(file.getvalue()), "mtime": file.modified}
            for name, file in self.store.items()
        }
        return {
            name: truth.get(name, {"name": name, "type": "file", "size": 1, "mtime": NOW})
            | self.lies.get(name, {})
            for name in [*truth, *(self.lies.keys() - truth.keys())]
        }


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    found = Host()
    found.lies = {}
    monkeypatch.setattr(source_files, "open_source", lambda url, access: (found, "/log/mail.log*"))
    yield found
    found.store.clear()


def write(host: Host, data: str, name: str = "/log/mail.log") -> None:
    host.pipe_file(name, data.encode())
    host.store[name].modified = NOW


def pull(folder: Path) -> Pulled:
    source = SourceSettings(id="mx1", url=URL, format="postfix")
    operator = Operator(id="a", name="A", country="CHE", holding="a", currency="CHF", source=[source])
    return pull_operator(operator, str(folder / "lake"), NOW)


@pytest.mark.parametrize("shown", [{"size": 5}, {"size": 10**9}, {"size": None}, {"mtime": None}])
def test_a_size_or_time_that_is_not_so_loses_no_line(
    tmp_path: Path, host: Host, shown: dict[str, Any]
) -> None:
    host.lies["/log/mail.log"] = shown
    write(host, mail_lines(0, 40))
    assert (pull(tmp_path).problems, count_landed(tmp_path)) == ([], 40)
    write(host, mail_lines(0, 60))
    # Shown as before, though it grew: what is new comes once the listing says so.
    before = count_landed(tmp_path)
    pull(tmp_path)
    assert count_landed(tmp_path) in (before, 60)
    host.lies.clear()
    assert (pull(tmp_path).problems, count_landed(tmp_path)) == ([], 60)


def test_a_file_that_is_listed_and_not_there_is_named_and_the_others_are_landed(
    tmp_path: Path, host: Host
) -> None:
    write(host, mail_lines(0, 10))
    host.lies["/log/mail.log.1"] = {}
    pulled = pull(tmp_path)
    (problem,) = pulled.problems
    assert "/log/mail.log.1 cannot be read" in problem and isinstance(problem, Away)
    assert count_landed(tmp_path) == 10


def test_a_file_that_is_left_out_of_a_listing_comes_later(tmp_path: Path, host: Host) -> None:
    write(host, mail_lines(0, 10))
    write(host, mail_lines(10, 5), "/log/mail.log.1")
    hidden = host.store.pop("/log/mail.log.1")
    assert (pull(tmp_path).problems, count_landed(tmp_path)) == ([], 10)
    host.store["/log/mail.log.1"] = hidden
    assert (pull(tmp_path).problems, count_landed(tmp_path)) == ([], 15)


def test_one_file_under_two_names_counts_once(tmp_path: Path, host: Host) -> None:
    write(host, mail_lines(0, 10))
    write(host, mail_lines(0, 10), "/log/mail.log.1")
    assert (pull(tmp_path).problems, count_landed(tmp_path)) == ([], 10)
