"""Compare an operator's subscriptions with those in the study's frame of operators.

Totals are weighted by subscriptions, so that a slip changes a country's total, and the world's. The study's
figure may be rough, and operators count mailboxes, SIMs or customers, which differ by a factor of up to two;
a slip is thousands for ones, or a digit too many. WITHIN lies between two and ten.

A package with such a figure is refused, since its operator can correct it. An answer of a form is accepted,
as one answer of many; the frame's figure is then used in its place, and a note is printed.
"""

import polars as pl

from jobs.base.core.periods import last_day
from jobs.base.tables.validity import rows_on_day

# An operator's own figure is at most so many times that of the frame, and at least the frame's by it.
WITHIN = 3


def find_unlikely(given: dict[str, int], respondent_id: str, period: str, frame: pl.DataFrame) -> list[str]:
    """A line for each channel whose subscriptions are far from those of the frame on the period's last day.

    Args:
        given: by channel. A channel that the frame does not have is not looked at: an estimate asks for it.
    """
    known = list_framed(respondent_id, period, frame)
    return [
        describe_distance(channel, own, known[channel])
        for channel, own in sorted(given.items())
        if channel in known and is_far(own, known[channel])
    ]


def list_framed(respondent_id: str, period: str, frame: pl.DataFrame) -> dict[str, int]:
    """The respondent's subscriptions to each channel by the frame on the period's last day."""
    own = rows_on_day(frame, last_day(period)).filter(pl.col("respondent_id") == respondent_id)
    return dict(own.select("channel_code", "subscriptions").rows())


def is_far(reported: int, framed: int) -> bool:
    return max(reported, framed) > WITHIN * min(reported, framed)


def far_apart(reported: pl.Expr, framed: pl.Expr) -> pl.Expr:
    """is_far() of columns; never of a null."""
    return pl.max_horizontal(reported, framed) > WITHIN * pl.min_horizontal(reported, framed)


def describe_distance(channel: str, reported: int, framed: int) -> str:
    """Say that two numbers of subscriptions are far apart, and that one is to be corrected."""
    return (
        f"it has {reported:,} subscriptions to {channel}, and the study's frame has {framed:,}, more than"
        f" {WITHIN} times as many or few: if the frame is wrong, correct subscriptions in its line of"
        " operator_frame.csv; else the operator corrects `subscribers` in its settings and submits again"
    )
