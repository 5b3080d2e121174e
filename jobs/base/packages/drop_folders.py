"""Folders through which two parties hand each other files: on this machine, by SFTP, or in an object store.

A file is there as a whole or not at all. Where a name is made before its content is complete, a hidden name
is made first, and takes the file's own place in one step.
"""

import contextlib
import datetime as dt
import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fsspec.asyn import sync

from jobs.base.core.errors import Away, ObservatoryError, TryAgain
from jobs.base.places.connections import classify_problem, connection_errors
from jobs.base.places.file_systems import find_missing_bucket, is_remote, needed_extra, open_place, written_at
from jobs.base.settings.access import S3, Access


@dataclass(frozen=True)
class DroppedFile:
    """A file in a folder, by its listing.

    Attributes:
        written_at: UTC; None where the listing does not say it.
    """

    name: str
    size: int
    written_at: dt.datetime | None


@dataclass(frozen=True)
class DropFolder:
    """A folder by its path or URL.

    Its methods raise ObservatoryError that says what to do; TryAgain where the trouble may pass by itself.

    Attributes:
        setting: what names it, for messages.
    """

    url: str
    access: Access
    setting: str

    @property
    def scheme(self) -> str:
        return self.url.partition("://")[0] if is_remote(self.url) else "file"

    @cached_property
    def opened(self) -> tuple[Any, str]:
        """The file system, and the folder in it."""
        with self.reach_host("cannot be reached"):
            fs, folder = open_place(self.url, self.access)
        return fs, folder.rstrip("/")

    def open_sibling(self, name: str) -> "DropFolder":
        """A folder of another name in the same place, by the same connection."""
        fs, folder = self.opened
        other = DropFolder(f"{self.url.rstrip('/').rpartition('/')[0]}/{name}", self.access, self.setting)
        other.__dict__["opened"] = (fs, f"{folder.rpartition('/')[0]}/{name}")
        return other

    def list_files(self) -> list[DroppedFile]:
        """The files by name, but hidden ones."""
        fs, folder = self.opened
        with self.reach_host("cannot be listed"):
            try:
                fs.invalidate_cache()
                found = fs.ls(folder, detail=True)
            except FileNotFoundError:
                # A store has no folder without an object.
                if self.scheme in S3 and not find_missing_bucket(fs, folder):
                    return []
                raise ObservatoryError(self.describe_missing()) from None
        files = [each for each in found if each["type"] == "file" and each["name"].rstrip("/") != folder]
        named = ((posixpath.basename(each["name"]), each) for each in files)
        return sorted(
            (
                DroppedFile(name, int(each["size"]), local_time(each) or written_at(each))
                for name, each in named
                if name and not name.startswith(".")
            ),
            key=lambda each: each.name,
        )

    def read_file(self, name: str, most: int) -> bytes | None:
        """A file's content; None where it is not there. Raises ObservatoryError for one of more bytes."""
        fs, folder = self.opened
        with self.reach_host(f"does not give {name}"):
            try:
                fs.invalidate_cache()
                path = f"{folder}/{name}"
                if self.scheme in S3 and fs.info(path)["size"] <= most:
                    # In one request: several may each read another object of this name.
                    data = bytes(fs.cat_file(path, max_concurrency=1))
                else:
                    with fs.open(path, "rb") as file:
                        data = bytes(file.read(most + 1))
            except FileNotFoundError:
                return None
        if len(data) > most:
            raise ObservatoryError(f"{self.setting}: {self.url}/{name} is larger than {most:,} bytes")
        return data

    def put_file(self, name: str, data: bytes) -> None:
        """Write a file, in place of one of the same name: whoever lists the folder sees the one or the
        other, and never a part."""
        fs, folder = self.opened
        path, hidden = f"{folder}/{name}", f"{folder}/.{name}.part"
        with self.reach_host(f"does not take {name}"):
            try:
                if self.scheme in S3:
                    fs.pipe_file(path, data)
                    return
                with fs.open(hidden, "wb") as file:
                    file.write(data)
                replace_name(fs, hidden, path)
            except FileNotFoundError:
                raise ObservatoryError(self.describe_missing()) from None
            except BaseException:
                with contextlib.suppress(Exception):
                    fs.rm_file(hidden)
                raise

    def describe_missing(self) -> str:
        """Describe a folder that is missing."""
        fs, folder = self.opened
        return (self.scheme in S3 and find_missing_bucket(fs, folder)) or "the folder is not there"

    def make_folder(self) -> None:
        """Make the folder where it is not there."""
        fs, folder = self.opened
        if self.scheme not in S3:
            with self.reach_host("cannot be made"):
                fs.makedirs(folder, exist_ok=True)

    @contextlib.contextmanager
    def reach_host(self, failure: str) -> Iterator[None]:
        """Errors of the folder's host become those that a person is meant to read.

        Args:
            failure: what does not work, as the end of a sentence on the folder.
        """
        place = f"{self.setting}: {self.url} {failure}"
        errors: tuple[type[Exception], ...] = (OSError, *connection_errors())
        try:
            yield
        except ImportError as error:
            raise ObservatoryError(f"{place}: {error}. {needed_extra(self.url)}") from None
        except (ObservatoryError, ValueError) as error:
            raise ObservatoryError(f"{place}: {error}") from None
        except errors as error:
            problem = classify_problem(error, f"{place}: {error}")
            is_away = isinstance(problem, Away) and self.scheme != "file"
            raise (TryAgain if is_away else ObservatoryError)(problem) from None


def local_time(info: dict[str, Any]) -> dt.datetime | None:
    """Return the time at which a file was written, as a listing on this machine has it, UTC."""
    at = info.get("mtime")
    return dt.datetime.fromtimestamp(int(at), dt.UTC) if isinstance(at, int | float) else None


def replace_name(fs: Any, old: str, new: str) -> None:
    """Give a file another's name in one step, whether or not there is one of that name."""
    if not hasattr(fs, "client"):
        os.replace(old, new)
        return
    from asyncssh import SFTPOpUnsupported

    # sshfs copies by a shell where the server knows no such step, and a reader may see half a file.
    async def rename() -> None:
        async with fs._pool.get() as channel:
            await channel.posix_rename(old, new)

    try:
        sync(fs.loop, rename)
    except SFTPOpUnsupported:
        raise ObservatoryError(
            "the server cannot replace a file in one step (posix-rename@openssh.com): ask for a server that"
            " can, such as OpenSSH's"
        ) from None
