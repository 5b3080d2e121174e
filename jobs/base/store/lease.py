"""One writer per lake in an object store: a lease, held by conditional puts of lock.json.

Whoever writes puts its own words there: only if no object is there (If-None-Match), or if it is still the one
that was read (If-Match), and again every few seconds. A lease that was not renewed for LEASE seconds, both
times by the store's own clock, is a dead writer's: the next one takes it over. A writer goes by its own
clock, which began before the request was sent: it writes nothing while less than REST seconds are left, and a
request takes less than that, whatever the network does (jobs/base/places/s3.py).

A store that accepts such puts but ignores their conditions would let every writer in: so a writer that takes
a lease also sends two puts that must fail.
"""

import contextlib
import datetime as dt
import json
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, TypedDict

from jobs.base.core.errors import Locked, ObservatoryError
from jobs.base.places.file_systems import open_store, refuse_missing_bucket
from jobs.base.places.held_leases import HELD
from jobs.base.places.store_errors import LeaseLost, code_of, find_store_error

LEASE, REST, EVERY = 120, 60, 20
LOCK = "lock.json"
NEVER = '"00000000000000000000000000000000"'
# What a store answers where a condition does not hold: two puts at once are the second.
UNMET = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")


class Holder(TypedDict, total=False):
    """The holder of a lake, as its lock says: command, machine, process, and since when; of a lease its token
    and how often it was put. A lock that was given back says nothing."""

    command: str
    host: str
    process: int
    since: str
    token: str
    count: int


@dataclass(frozen=True)
class SeenLock:
    """The lock as it was read.

    Attributes:
        age: seconds since it was put, by the store's clock.
    """

    etag: str
    about: Holder
    age: float


class Lease:
    """The right to write to a lake until it is given back, or is not renewed in time."""

    def __init__(self, root: str, about: Holder) -> None:
        self.root, self.about = root, about
        self.fs, folder = open_store(root)
        self.bucket, _, prefix = folder.partition("/")
        self.key = f"{prefix}/{LOCK}".lstrip("/")
        self.token, self.count = uuid.uuid4().hex, 0
        self.etag = ""
        self.renewed = 0.0
        self.others_died = False
        self.lost: str | None = None
        self.one_at_a_time = threading.Lock()
        self.is_over = threading.Event()

    def take(self) -> None:
        """Raises Locked, which names the writer, and ObservatoryError for a store that has no such puts."""
        refuse_missing_bucket(self.fs, self.bucket)
        self.renewed = read_clock()
        etag = self.put(IfNoneMatch="*")
        if etag is None:
            found = self.read()
            if found is not None and found.about.get("token") and found.age < LEASE:
                raise Locked(self.format_locked(found))
            self.others_died = found is not None and bool(found.about.get("token"))
            self.renewed = read_clock()
            etag = self.put(**({"IfMatch": found.etag} if found else {"IfNoneMatch": "*"}))
            if etag is None:
                raise Locked(self.format_locked(self.read()))
        self.etag = etag
        self.refuse_unconditional()

    def refuse_unconditional(self) -> None:
        """Raise ObservatoryError for a store that takes a put whose condition does not hold."""
        for condition in ({"IfNoneMatch": "*"}, {"IfMatch": NEVER}):
            if self.put_words(**condition) is not None:
                raise ObservatoryError(
                    f"{self.root}: the object store ignores the conditions of puts ({', '.join(condition)}),"
                    " so that two writers at once would go unnoticed. Name a store that has conditional"
                    " writes (AWS S3, MinIO, Ceph, versitygw, …), or a folder, in [lake] root"
                )

    def put(self, **condition: str) -> str | None:
        """Put the lock under a condition: its ETag, None where the condition does not hold. Where the answer
        to a put was lost, that was tried again, its condition does not hold any more: then the lock is
        this one's own."""
        etag = self.put_words(**condition)
        if etag is None and (found := self.read()) is not None and found.about.get("token") == self.token:
            is_this = found.about["count"] == self.count
            return found.etag if is_this else self.put_words(IfMatch=found.etag)
        return etag

    def put_words(self, **condition: str) -> str | None:
        # Another count is another ETag.
        self.count += 1
        words = json.dumps({**self.about, "token": self.token, "count": self.count}).encode()
        return put_object(self.fs, self.root, Bucket=self.bucket, Key=self.key, Body=words, **condition)

    def read(self) -> SeenLock | None:
        """The lock as it is; None where there is none."""
        try:
            found = self.fs.call_s3("head_object", Bucket=self.bucket, Key=self.key)
            data = self.fs.cat_file(f"{self.bucket}/{self.key}")
        except FileNotFoundError:
            return None
        headers = found["ResponseMetadata"]["HTTPHeaders"]
        now = parsedate_to_datetime(headers["date"]) if "date" in headers else dt.datetime.now(dt.UTC)
        try:
            about = json.loads(data)
        except ValueError:
            about = {}
        return SeenLock(found["ETag"], about, (now - found["LastModified"]).total_seconds())

    def format_locked(self, found: SeenLock | None) -> str:
        left = max(int(LEASE - (found.age if found else 0)), 0)
        who = format_holder(found.about if found else {})
        return (
            f"{self.root}: the lake is locked: {who}. Nothing was changed; run the same command again when"
            f" the other one has ended. If it was killed, its lock ends by itself, in {left} seconds"
        )

    def renew(self) -> None:
        """Put the lock again. Raises LeaseLost where it is another's."""
        with self.one_at_a_time:
            at = read_clock()
            etag = self.put(IfMatch=self.etag)
            if etag is None:
                self.lost = self.format_lost(self.read())
                raise LeaseLost(self.lost)
            self.etag, self.renewed = etag, at

    def format_lost(self, found: SeenLock | None) -> str:
        about = found.about if found else {}
        who = f"`{about['command']}` (host {about['host']})" if "command" in about else "another command"
        return (
            f"{self.root}: this command lost the lake's lock: it could not renew it for {LEASE} seconds, and"
            f" {who} has taken it over. It has written nothing since. What was finished before stays: run it"
            " again when the other one has ended"
        )

    def keep(self) -> None:
        """Renew until it is over: in a thread."""
        while not self.is_over.wait(EVERY):
            # What went wrong is tried again; whoever writes finds it, too.
            with contextlib.suppress(Exception):
                self.renew()
            if self.lost:
                return

    def check(self) -> None:
        """Raise LeaseLost, or StoreAway, where too little is left to write."""
        if self.lost:
            raise LeaseLost(self.lost)
        if self.is_short():
            self.renew()

    def is_short(self) -> bool:
        return read_clock() - self.renewed > LEASE - REST

    def give_back(self) -> None:
        """Put a lock of nobody in its place."""
        with self.one_at_a_time, contextlib.suppress(Exception):
            put_object(self.fs, self.root, Bucket=self.bucket, Key=self.key, Body=b"{}\n", IfMatch=self.etag)


def format_holder(about: Any) -> str:
    """Say who holds a lake's lock, as far as its file says."""
    try:
        return (
            f"`{about['command']}` (host {about['host']}, process {about['process']}) writes to it since"
            f" {about['since']}"
        )
    except (KeyError, TypeError):
        return "another command writes to it"


def put_object(fs: Any, root: str, **named: Any) -> str | None:
    """Put an object under a condition; its ETag, None where the condition does not hold. Raises
    ObservatoryError for a store that does not know conditions."""
    try:
        return str(fs.call_s3("put_object", **named)["ETag"])
    except Exception as error:
        code, status = code_of(error)
        if code in UNMET or status in (409, 412):
            return None
        if code == "NoSuchKey":
            # If-Match, and the lock is gone.
            return None
        if code == "NotImplemented" or status == 501:
            raise ObservatoryError(
                f"{root}: the object store refuses conditional puts ({code}), without which two writers at"
                " once would go unnoticed. Name a store or region that has them, or a folder, in [lake] root"
            ) from error
        raise find_store_error(error) or error from error


def read_clock() -> float:
    """Seconds that go on while the machine sleeps, where it has such a clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@contextlib.contextmanager
def hold_lease(root: str, about: Holder) -> Iterator[None]:
    """Be the only writer of a lake in an object store."""
    lease = Lease(root, about)
    lease.take()
    HELD[root] = lease
    thread = threading.Thread(target=lease.keep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        lease.is_over.set()
        del HELD[root]
        lease.give_back()
