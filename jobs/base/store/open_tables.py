"""Keep the Delta tables of a lake open: reading a log anew takes milliseconds in a folder, and
a request per commit in an object store.

In an object store a command sees each table as it first opened it, or as it wrote it itself: a command is the
lake's only writer, or only reads. In a folder it sees each commit: a log is read anew as soon as its folder
holds other files.
"""

import os
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from jobs.base.places.file_systems import store_options
from jobs.base.places.held_leases import lease_token

# By endpoint, credentials and path.
Key = tuple[str, ...]
T = TypeVar("T")
LATER = "there are later commits"
# With the lease under which a log was last looked at (None without one), or under which there was no table.
_latest: dict[Key, tuple[DeltaTable, str | None]] = {}
_missing: dict[Key, str] = {}
# What was found in a version of a table, as the log that was open then has it.
_found: dict[Key, tuple[DeltaTable, int, object]] = {}
# Logs in folders by path, with what their folder held; those that were opened last.
_of_folders: OrderedDict[str, tuple[DeltaTable, tuple[object, ...]]] = OrderedDict()
MOST_OPEN = 24


def open_log(root: str, path: str, version: int | None) -> DeltaTable:
    """A table's log, up to a version. Raises what DeltaTable() raises."""
    options = store_options(root)
    if options is None:
        newest = open_in_folder(path)
        return newest if version in (None, newest.version()) else DeltaTable(path, version)
    key, token = key_of(path, options), lease_token(root)
    if token is not None and _missing.get(key) == token:
        raise TableNotFoundError(path)
    log, seen_under = _latest.get(key, (None, None))
    if log is None:
        log = DeltaTable(path, storage_options=options)
    elif token != seen_under:
        log.update_incremental()
    _latest[key] = log, token
    return log if version in (None, log.version()) else DeltaTable(path, version, options)


def open_in_folder(path: str) -> DeltaTable:
    """The log of a table in a folder, up to its latest version."""
    try:
        about = os.stat(f"{path}/_delta_log")
        # A commit is a new file. Where the folder itself is another, so are its files.
        holds = (about.st_dev, about.st_ino, about.st_mtime_ns, *sorted(os.listdir(f"{path}/_delta_log")))
    except OSError:
        _of_folders.pop(path, None)
        return DeltaTable(path)
    known = _of_folders.pop(path, None)
    log = known[0] if known and known[1] == holds else DeltaTable(path)
    _of_folders[path] = log, holds
    if len(_of_folders) > MOST_OPEN:
        _of_folders.popitem(last=False)
    return log


def has_table(root: str, path: str) -> bool:
    """Return whether there is a table."""
    options = store_options(root)
    if options is None:
        return DeltaTable.is_deltatable(path)
    key, token = key_of(path, options), lease_token(root)
    if key in _latest:
        return True
    if token is not None and _missing.get(key) == token:
        return False
    is_there = DeltaTable.is_deltatable(path, options)
    if not is_there and token is not None:
        _missing[key] = token
    return is_there


def is_open(root: str, path: str) -> bool:
    """Return whether a log is open: then its table is there."""
    options = store_options(root)
    return options is not None and key_of(path, options) in _latest


def look_again(root: str, path: str) -> None:
    """Look for later commits when the log is opened next: there is one."""
    if options := store_options(root):
        key = key_of(path, options)
        _missing.pop(key, None)
        if key in _latest:
            _latest[key] = _latest[key][0], LATER


def forget_log(root: str, path: str) -> None:
    """Close a log: its table is removed, or nobody knows what became of a transaction."""
    _of_folders.pop(path, None)
    if options := store_options(root):
        _missing.pop(key_of(path, options), None)
        _latest.pop(key_of(path, options), None)


def forget_all() -> None:
    """Close all logs: another command begins."""
    for each in (_latest, _missing, _found, _of_folders):
        each.clear()


def remember_found(root: str, path: str, find: Callable[[DeltaTable], T]) -> T:
    """Look something up in the latest version of a table, once for each version."""
    log, key = open_log(root, path, None), key_of(path, store_options(root) or {})
    known, version, found = _found.get(key, (None, None, None))
    if known is not log or version != log.version():
        found = find(log)
        _found[key] = log, log.version(), found
    return found  # type: ignore[return-value]


def key_of(path: str, options: dict[str, str]) -> Key:
    return options.get("aws_endpoint_url", ""), options.get("aws_access_key_id", ""), path
