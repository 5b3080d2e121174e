"""Queue ids and process ids, as Postfix gives them out."""

import random
from collections import deque
from heapq import heappop, heappush

SECOND = 1_000_000
HOUR = 3600 * SECOND
ALPHABET = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"


class QueueIds:
    """Queue ids of one Postfix.

    A long id is the time (seconds, microseconds) in base 52, `z`, and the inode in base 51. A short
    id is the microseconds and the inode in hexadecimal: it comes back after the file is gone. Here
    one id in fifty is one that was freed an hour or more ago.
    """

    def __init__(self, rng: random.Random, *, is_long: bool) -> None:
        self.rng = rng
        self.is_long = is_long
        self._live: set[str] = set()
        self._freed: list[tuple[int, str]] = []
        self._reusable: deque[str] = deque(maxlen=5000)

    def take(self, at: int) -> str:
        inode = 0xACE000 + self.rng.randrange(3000)
        if self.is_long:
            return base52(at // SECOND, 6) + base52(at % SECOND, 4) + "z" + base51(inode)
        while self._freed and self._freed[0][0] <= at - HOUR:
            queue_id = heappop(self._freed)[1]
            self._live.discard(queue_id)
            self._reusable.append(queue_id)
        queue_id = self._reusable.popleft() if self._reusable and self.rng.random() < 0.02 else ""
        if not queue_id or queue_id in self._live:
            queue_id = f"{at % SECOND:05X}{inode:X}"
            while queue_id in self._live:
                inode += 1
                queue_id = f"{at % SECOND:05X}{inode:X}"
        self._live.add(queue_id)
        return queue_id

    def free(self, at: int, queue_id: str) -> None:
        """The queue file was removed at that time."""
        if not self.is_long:
            heappush(self._freed, (at, queue_id))


def base52(number: int, width: int) -> str:
    digits = ""
    while number or len(digits) < width:
        number, digit = divmod(number, 52)
        digits = ALPHABET[digit] + digits
    return digits


def base51(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 51)
        digits = ALPHABET[digit] + digits
    return digits


class Pids:
    """Processes of one daemon: one is busy with one session at a time, and retires after 100."""

    def __init__(self, rng: random.Random, first: int) -> None:
        self.rng = rng
        self._next = first
        self._idle: list[tuple[int, int, int]] = []

    def take(self, begin: int, end: int) -> int:
        """A process that is idle at `begin`; it is busy until `end`."""
        if self._idle and self._idle[0][0] <= begin:
            _, pid, uses = heappop(self._idle)
        else:
            self._next += self.rng.randrange(1, 40)
            pid, uses = self._next, 0
        if uses < 100:
            heappush(self._idle, (end, pid, uses + 1))
        return pid
