"""Logs whose clocks disagree: by ids that two logs of an operator have, and the times beside them.

A verdict joins the message that it names only if both logs put them at about the same time. Where one log
has another zone, or its host's clock is wrong, most verdicts join nothing, and spam looks like less than it
is. The ids show it all the same: they are equal, and the times beside them are apart by the same amount again
and again.

Nothing here changes how a log is read.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import polars as pl

from jobs.base.core.time_zones import QUARTER, best_zone, zones_with
from jobs.operators.silver.bucketing import SEED
from jobs.operators.silver.hops import CLOCK_SLACK

# Rows of a mark: an id of a log, from when to when the log has events of it. A verdict has one time.
ID_TIMES = pl.Schema(
    [
        ("operator_id", pl.String()),
        ("log", pl.String()),
        ("id", pl.UInt64()),
        ("first_at", pl.Datetime("us", "UTC")),
        ("last_at", pl.Datetime("us", "UTC")),
    ]
)
# Fewer ids at the same distance may be chance.
LEAST_IDS = 10
# Shares of the ids that two logs share: of those at one distance, below which it is chance; and of those that
# are too far apart to join, above which the clocks disagree.
LEAST_SHARE, MOST_APART = 0.02, 0.05
# Distances are counted by minutes; those up to five minutes from each other are one.
BIN_S, GAP_BINS = 60, 5
# A filter is called, and its line written, within this time of a message's first line.
LAG_S = 120
# How far within its first and last time a step is looked at.
MARGINS = (dt.timedelta(0), dt.timedelta(hours=2), dt.timedelta(days=366))
# A quarter of an hour and so many seconds is shown as the quarter.
NEARLY_S = 5
# A step with such a share of the ids is no chance.
MAIN_SHARE = 0.1


@dataclass(frozen=True)
class ClockStep:
    """A distance between two clocks, with the number of ids at it.

    Attributes:
        ahead_s: seconds by which the log's times are later than the other's.
        first_at, last_at: of the first and the last of them, by the other log.
    """

    ahead_s: int
    ids: int
    first_at: dt.datetime
    last_at: dt.datetime

    @property
    def times(self) -> tuple[dt.datetime, dt.datetime]:
        return self.first_at, self.last_at


@dataclass(frozen=True)
class Apart:
    """The distance between the clocks of two logs of an operator, by the ids that both have.

    Attributes:
        ids: that both have.
        apart: of them, those whose times are too far apart to join.
        steps: the distances, the earliest first; one of a few seconds where the clocks agree.
        before_s, after_s: how much earlier or later the log's times may be.
    """

    operator_id: str
    log: str
    other: str
    ids: int
    apart: int
    steps: tuple[ClockStep, ...]
    before_s: float
    after_s: float

    @property
    def is_wrong(self) -> bool:
        """Return whether the clocks disagree, so that what belongs together is not joined."""
        far = sum(each.ids for each in self.steps if not -self.before_s <= each.ahead_s <= self.after_s)
        return min(far, self.apart) >= max(LEAST_IDS, MOST_APART * self.ids)

    @property
    def distance_text(self) -> str:
        """`1:00:00 ahead of`, `1:00:00, then 2:00:00 behind`"""
        steps = [each.ahead_s for each in self.steps]
        if all(step <= 0 for step in steps):
            return f"{', then '.join(format_offset(-step) for step in steps)} behind"
        return f"{', then '.join(format_offset(step) for step in steps)} ahead of"

    @property
    def turned(self) -> Apart:
        """The distance as the other log sees it."""
        steps = tuple(
            ClockStep(
                -each.ahead_s, each.ids, *(at + dt.timedelta(seconds=each.ahead_s) for at in each.times)
            )
            for each in self.steps
        )
        before, after = self.after_s, self.before_s
        return replace(self, log=self.other, other=self.log, steps=steps, before_s=before, after_s=after)


def format_offset(seconds: int) -> str:
    """1:00:00; a quarter of an hour and some seconds, which a message takes, is a quarter."""
    near = round(seconds / QUARTER) * QUARTER
    shown = near if abs(seconds - near) <= NEARLY_S else seconds
    return f"{'-' if shown < 0 else ''}{dt.timedelta(seconds=abs(shown))}"


@dataclass(frozen=True)
class Remedy:
    """The settings under which a log's times agree with the other's; both None where none would do.

    Attributes:
        fitting: the zones of the world that would do.
    """

    time_zone: str | None = None
    clock_offset: int | None = None
    fitting: tuple[str, ...] = ()


def id_of(kind: str, *values: str) -> pl.Expr:
    """A hash of an id.

    Args:
        kind: of what.
    """
    return pl.struct("operator_id", pl.lit(kind).alias("kind"), *values).hash(SEED).alias("id")


def queue_kinds(message_id: str) -> list[tuple[str, str]]:
    """The kinds of ids that mails and verdicts share, each with its column."""
    return [("queue", "queue_id"), ("message", message_id)]


def id_times_of_mails(transmission: pl.LazyFrame, message_id: str = "message_id_hash") -> pl.LazyFrame:
    """The queue ids and message-ids of transmissions.

    Args:
        message_id: the column that has the latter.
    """
    rows = transmission.with_columns(log="source_id")
    return pl.concat(
        rows.filter(pl.col(column).is_not_null()).select(
            "operator_id", "log", id_of(kind, column), "first_at", "last_at"
        )
        for kind, column in queue_kinds(message_id)
    )


def id_times_of_verdicts(verdict: pl.LazyFrame, message_id: str = "message_id_hash") -> pl.LazyFrame:
    """The id that each verdict names its message by: the queue id, else the message-id."""
    rows = verdict.with_columns(log="source_id", first_at="verdict_at", last_at="verdict_at")
    (queue, by_queue), (message, by_message) = queue_kinds(message_id)
    names_queue = pl.col(by_queue).is_not_null()
    columns = ("operator_id", "log", "first_at", "last_at")
    return pl.concat(
        [
            rows.filter(names_queue).select(*columns, id_of(queue, by_queue)),
            rows.filter(~names_queue, pl.col(by_message).is_not_null()).select(
                *columns, id_of(message, by_message)
            ),
        ]
    ).select(ID_TIMES.names())


def id_times_of_sms(bronze: pl.LazyFrame, is_sms: pl.Expr) -> pl.LazyFrame:
    """The numbers and text of each SMS, or request for one, in bronze rows.

    Args:
        is_sms: which rows are one.
    """
    rows = bronze.filter(is_sms).with_columns(log="source_id", last_at="first_at")
    id = id_of("sms", "sender", "recipient", "text")
    return rows.select("operator_id", "log", id, "first_at", "last_at")


def compare_logs(
    homes: pl.DataFrame,
    others: pl.DataFrame,
    before: dt.timedelta = CLOCK_SLACK,
    after: dt.timedelta = CLOCK_SLACK,
) -> list[Apart]:
    """The distances between the clocks of each two logs that share ids, by the names of the logs.

    Args:
        homes: ids of messages with their times.
        others: those of records that belong to them, such as verdicts.
        before, after: how long before or after its message such a record may be.
    """
    files = homes.group_by("operator_id", "log", "id").agg(pl.col("first_at").min(), pl.col("last_at").max())
    ahead = pl.col("first_at") - pl.col("first_at_home")
    pairs = (
        others.join(files, on=["operator_id", "id"], suffix="_home")
        .filter(pl.col("log") != pl.col("log_home"))
        .with_columns(
            ahead_s=ahead.dt.total_milliseconds() / 1000,
            is_apart=~pl.col("first_at").is_between(
                pl.col("first_at_home") - before, pl.col("last_at_home") + after
            ),
        )
    )
    two = ["operator_id", "log", "log_home"]
    # Of several events with an id, such as two verdicts, the one that is nearest.
    order = [pl.col("ahead_s").abs(), pl.col("ahead_s"), pl.col("first_at")]
    nearest = pairs.sort(order).unique([*two, "id"], keep="first", maintain_order=True)
    window = (before.total_seconds(), after.total_seconds())
    found = []
    for (operator, log, other), part in sorted(nearest.partition_by(two, as_dict=True).items()):
        is_apart = int(part["is_apart"].sum())
        steps = find_clock_steps(part)
        found.append(Apart(str(operator), str(log), str(other), part.height, is_apart, steps, *window))
    return found


def find_clock_steps(pairs: pl.DataFrame) -> tuple[ClockStep, ...]:
    """The distances at which many ids lie: neighbouring minutes with enough of them."""
    binned = pairs.with_columns(bin=(pl.col("ahead_s") // BIN_S).cast(pl.Int64))
    kept = binned.filter(pl.len().over("bin") >= LEAST_SHARE * pairs.height).sort("bin")
    is_new = (pl.col("bin") - pl.col("bin").shift(1)).fill_null(0) > GAP_BINS
    found = (
        kept.with_columns(step=is_new.cum_sum())
        .group_by("step")
        .agg(
            pl.col("ahead_s").median().round().cast(pl.Int64),
            pl.len().alias("ids"),
            first=pl.col("first_at_home").min(),
            last=pl.col("first_at_home").max(),
        )
        .sort("first", "ahead_s")
    )
    return tuple(ClockStep(*row) for row in found.select("ahead_s", "ids", "first", "last").iter_rows())


def count_answered(homes: pl.DataFrame, seen: pl.DataFrame) -> list[tuple[str, str, int, int]]:
    """A row per log of message events: operator, log, count of ids, count of those in any log's messages."""
    has = seen.join(homes.select("operator_id", "id").unique(), on=["operator_id", "id"], how="semi")
    by = ["operator_id", "log"]
    whole = seen.group_by(by).agg(ids=pl.col("id").n_unique())
    found = has.group_by(by).agg(found=pl.col("id").n_unique())
    counts = whole.join(found, on=by, how="left").with_columns(pl.col("found").fill_null(0))
    return [(str(row[0]), str(row[1]), row[2], row[3]) for row in counts.sort(by).iter_rows()]


def find_wrong_logs(differences: Sequence[Apart], absolute: Collection[tuple[str, str]] = ()) -> list[Apart]:
    """The logs whose clocks disagree, each beside the one that shares most ids with it: the log of what
    belongs to messages, such as verdicts, unless its times are absolute; then that of the messages.

    Args:
        absolute: operators and logs whose stamps are seconds of UTC, whatever zone a host has.
    """
    named = [
        each.turned if (each.operator_id, each.log) in absolute else each
        for each in differences
        if each.is_wrong
    ]
    best = {(each.operator_id, each.log): each for each in sorted(named, key=lambda each: each.ids)}
    return [best[key] for key in sorted(best)]


def find_remedy(
    steps: Sequence[ClockStep],
    time_zone: str,
    clock_offset: int = 0,
    has_zone: bool = True,
    likely: Sequence[str | None] = (),
) -> Remedy:
    """The settings that a log needs whose times are ahead by these steps, and which was read by these.

    Args:
        has_zone: its stamps carry no offset, so that a zone moves them.
        likely: zones that go before others.
    """
    total = sum(each.ids for each in steps)
    # The hour that a clock runs twice is read as one, and lies apart from the rest.
    for kept in (list(steps), [each for each in steps if each.ids >= MAIN_SHARE * total]):
        found = find_zone(kept, time_zone, likely) if has_zone else None
        if found is not None:
            return found
        if len(kept) == 1:
            return Remedy(None, clock_offset + kept[0].ahead_s)
    return Remedy()


def find_zone(steps: Sequence[ClockStep], time_zone: str, likely: Sequence[str | None]) -> Remedy | None:
    """The zone of a log that is ahead by these steps when it is read as of another zone; None if there is
    none."""
    quarters = [round(each.ahead_s / QUARTER) * QUARTER for each in steps]
    if any(abs(each.ahead_s - near) > LAG_S for each, near in zip(steps, quarters, strict=True)):
        return None
    zone = ZoneInfo(time_zone)
    # Around a change of a zone's clock some stamps are read as of an hour that there is not.
    for margin in MARGINS:
        seen = []
        for each, ahead in zip(steps, quarters, strict=True):
            inside = min(margin, (each.last_at - each.first_at) / 2)
            for at in (each.first_at + inside, each.last_at - inside):
                now = (at + dt.timedelta(seconds=ahead)).astimezone(zone).utcoffset()
                assert now is not None
                seen.append((int(now.total_seconds()) + ahead, at))
        if fitting := zones_with(seen):
            offsets = [offset for offset, _ in seen]
            return Remedy(best_zone(fitting, offsets, likely), None, tuple(fitting))
    return None
