"""What the buckets of silver need of each other, in cuts: tasks over narrow rows of all buckets.

Rows that may meet have a value in common: the ends of a link, a message-id, the network, sender and recipient
of a refusal. All rows of a value lie in one cut, so each row is read and joined once, however many buckets
there are.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from jobs.engine.tasks import Left, by_value, leave_buckets, take
from jobs.silver import hops, refusals, standing
from jobs.silver.frames import Frame

# A cut has the narrow rows of so many buckets: they take less memory than all rows of one. More cuts would be
# more frames in staging, of which each bucket leaves one for each cut.
BUCKETS_OF_A_CUT = 32


def cut_count(buckets: int) -> int:
    """The number of cuts for so many buckets, which is a power of two: a divisor of it."""
    return max(buckets // BUCKETS_OF_A_CUT, 1)


def leave_by(rows: pl.DataFrame, value: str, name: str, staging: str, count: int) -> list[Left]:
    """Leave rows by the one of `count` cuts, or buckets, that the number in a column belongs to."""
    to = rows.select((pl.col(value) % count).cast(pl.Int32)).to_series()
    return leave_buckets(by_value(rows, to), name, staging, count)


def link(*, staging: str, ends: Sequence[Left], count: int) -> list[Left]:
    """The possible parents of later hops, by the cut that the later hop's bucket is in."""
    rows = take(ends)
    assert rows is not None
    return leave_by(hops.candidates(rows), "bucket", Frame.CANDIDATES, staging, count)


def choose(*, staging: str, candidates: Sequence[Left], count: int) -> list[Left]:
    """The parent of each later hop: for the cut of the hop, and for that of its parent."""
    rows = take(candidates)
    assert rows is not None
    chosen = hops.earliest(rows)
    return [
        *leave_by(chosen, "bucket", Frame.PARENTS, staging, count),
        *leave_by(chosen, "parent_bucket", Frame.CHILDREN, staging, count),
    ]


def root(*, staging: str, children: Sequence[Left], parents: Sequence[Left], count: int) -> list[Left]:
    """The first hops of files whose parents are in this cut, by the bucket of each file."""
    rows = take(children)
    assert rows is not None
    above = take(parents)
    return leave_by(
        hops.rooted(rows, rows.clear() if above is None else above), "bucket", Frame.LINKS, staging, count
    )


def route(*, staging: str, asked: Sequence[Left], ids: Sequence[Left], count: int) -> list[Left]:
    """The buckets that verdicts without a queue id go to, by the bucket that each verdict is in."""
    questions, answers = take(asked), take(ids)
    if questions is None or answers is None:
        return []
    return leave_by(standing.routes(questions, answers).unique(), "bucket", Frame.ROUTES, staging, count)


def follow(*, staging: str, triples: Sequence[Left], count: int) -> list[Left]:
    """The temporary refusals that were followed up, by the bucket of each."""
    rows = take(triples)
    assert rows is not None
    return leave_by(refusals.followed(rows), "bucket", Frame.FOLLOWED, staging, count)


def spread(*, staging: str, moving: Sequence[Left], count: int) -> list[Left]:
    """Rows that move to buckets of a cut, by the bucket that each goes to.

    Straight from bucket to bucket they would be as many frames as the square of the number of buckets.
    """
    rows = take(moving)
    assert rows is not None
    return leave_by(rows, "bucket", moving[0].name, staging, count)
