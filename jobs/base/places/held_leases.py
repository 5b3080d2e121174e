"""The leases that this process holds, by the lake's root: whoever writes to a lake looks here first."""

from typing import Protocol


class HeldLease(Protocol):
    """A lease while it is held: see jobs/base/store/lease.py."""

    bucket: str
    key: str
    token: str
    others_died: bool
    lost: str | None

    def check(self) -> None: ...

    def is_short(self) -> bool: ...


HELD: dict[str, HeldLease] = {}


def check_lease(root: str) -> None:
    """Check the lease before a table is committed: raise LeaseLost where this process was a lake's writer,
    and is no more."""
    if root in HELD:
        HELD[root].check()


def find_doubtful(bucket: str | None, key: str | None) -> HeldLease | None:
    """The lease that must be checked before an object is written, other than the lock itself."""
    for lease in HELD.values():
        if lease.bucket == bucket and lease.key != key and (lease.lost or lease.is_short()):
            return lease
    return None


def lease_token(root: str) -> str | None:
    """The token of this process's lease; None where it does not write to the lake."""
    return HELD[root].token if root in HELD else None


def others_died(root: str) -> bool:
    """Return whether the writer before this one died."""
    return root in HELD and HELD[root].others_died
