"""The zones and clocks of several logs of one operator, by the ids that they share.

A log that states the offset of its stamps, or whose ids hold UTC, shows the zone of the others, one after
another. See docs/operator.md, Clocks and time zones.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from jobs.base.core.time_zones import this_machines_zone
from jobs.operators.formats.registry import KERNELS, REQUESTS
from jobs.operators.formats.shared.fields import clock_to_utc
from jobs.operators.protect.message_ids import normalise_ids
from jobs.operators.silver import clock_steps
from jobs.operators.sniff.zones import Zone

if TYPE_CHECKING:
    from jobs.operators.sniff.survey import LogSurvey

# So many bronze rows of each format are looked at.
LOOKED_AT = 50_000
NONE = pl.DataFrame(schema=clock_steps.ID_TIMES)


@dataclass(frozen=True)
class IdTimes:
    """A log's ids with their times, as it was read.

    Attributes:
        zone: the zone that was found; the log was read as of its name, or else as of UTC.
        by_kind: those of mails, of verdicts on them, of SMS that bearerbox has, and of those that smsbox was
            asked for.
    """

    name: str
    zone: Zone
    by_kind: Mapping[str, pl.DataFrame]

    def select_kind(self, kind: str) -> pl.DataFrame:
        return self.by_kind.get(kind, NONE)

    @property
    def is_known(self) -> bool:
        return self.zone.is_explicit or self.zone.by == "ids"


@dataclass(frozen=True)
class Clock:
    """The state of a log's clock, by ids that it shares with another log.

    Attributes:
        is_sure: the other one's zone is known, or follows from one that is.
        ahead: by how much it is wrong, for a person.
        time_zone, clock_offset: the settings that follow; None where it needs none, or none would do.
    """

    name: str
    other: str
    ids: int
    is_wrong: bool
    is_sure: bool
    ahead: str = ""
    time_zone: str | None = None
    clock_offset: int | None = None

    @property
    def evidence(self) -> str:
        """The evidence for it, in words."""
        apart = f"; else {self.ahead}" if self.is_wrong else ""
        return f"by {self.ids:,} ids shared with {self.other}{apart}"


def times_of(answer: LogSurvey, name: str) -> IdTimes | None:
    """The times of a log that was looked at; None of documents, and where nothing was read."""
    if answer.tally is None or answer.zone is None:
        return None
    return times_in(answer.tally.bronze_rows(), name, answer.zone)


def times_in(formats: Mapping[str, pl.DataFrame], name: str, zone: Zone) -> IdTimes:
    """The times of a log, by its bronze rows of each format."""
    found: dict[str, list[pl.DataFrame]] = {}
    for format_name, rows in formats.items():
        kernel = KERNELS[format_name]
        bronze = kernel.assemble(rows.head(LOOKED_AT).lazy()).collect().lazy()
        if kernel.transmissions is not None and "EMAIL" in kernel.channels:
            sent = unify_ids(kernel.transmissions(bronze))
            found.setdefault("mails", []).append(clock_steps.id_times_of_mails(sent, "message_id").collect())
        if kernel.verdicts is not None:
            verdicts = unify_ids(kernel.verdicts(bronze))
            found.setdefault("verdicts", []).append(
                clock_steps.id_times_of_verdicts(verdicts, "message_id").collect()
            )
        for name_of_requests, requests in REQUESTS.items():
            for kind, of, is_sms in (
                (f"submitted {name_of_requests}", requests.format, requests.is_message),
                (f"asked {name_of_requests}", name_of_requests, requests.is_request),
            ):
                if format_name == of:
                    found.setdefault(kind, []).append(clock_steps.id_times_of_sms(bronze, is_sms).collect())
    by_kind = {
        kind: pl.concat(frames).with_columns(log=pl.lit(name)).select(list(clock_steps.ID_TIMES))
        for kind, frames in found.items()
    }
    return IdTimes(name, zone, by_kind)


def unify_ids(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Raw rows with message-ids in the one form that joins."""
    frame = rows.collect()
    return frame.with_columns(normalise_ids(frame["message_id"]).alias("message_id")).lazy()


def clocks_of(logs: Sequence[IdTimes], likely: Sequence[str] = ()) -> list[Clock]:
    """The clocks of logs, one for each log that shares ids with another.

    Args:
        likely: zones that go before others that would do.
    """
    if len(logs) < 2:
        return []
    left = {each.name: each for each in logs}
    # Servers before filters: of two whose zones are known, the filter's clock is the one that is named.
    of_messages = ("mails", *(f"submitted {name}" for name in REQUESTS))
    order = sorted(logs, key=lambda each: -sum(each.select_kind(kind).height for kind in of_messages))
    # Where no log shows its zone, the server's is taken as it was read.
    known = [each.name for each in order if each.is_known]
    sure = set(known)
    known = known or [each.name for each in order[:1]]
    found: dict[str, Clock] = {}
    while pair := next_of(list(left.values()), known, set(found)):
        log = left[pair.log]
        clock = judge_clock(pair, log, pair.other in sure, [this_machines_zone(), *likely])
        found[log.name], left[log.name] = clock, set_right(log, clock)
        known.append(log.name)
        sure |= {log.name} if clock.is_sure else set()
    return [found[each.name] for each in logs if each.name in found]


def next_of(logs: Sequence[IdTimes], known: Sequence[str], done: set[str]) -> clock_steps.Apart | None:
    """The log that shares most ids with one that is known, beside that one: first of those whose zone is not
    known, then of those that disagree all the same."""
    places = {name: place for place, name in enumerate(known)}
    pairs = []
    for each in compare_clocks(logs):
        for pair in (each, each.turned):
            if pair.other not in places or pair.log in done or pair.ids < clock_steps.LEAST_IDS:
                continue
            is_open = pair.log not in places
            if is_open or (pair.is_wrong and places[pair.log] > places[pair.other]):
                pairs.append((is_open, pair.ids, pair))
    return max(pairs, key=lambda one: one[:2])[2] if pairs else None


def compare_clocks(logs: Sequence[IdTimes]) -> list[clock_steps.Apart]:
    """The distance between the clocks of each two logs."""

    def join_kind(kind: str) -> pl.DataFrame:
        return pl.concat([each.select_kind(kind) for each in logs])

    found = clock_steps.compare_logs(join_kind("mails"), join_kind("verdicts"))
    for name, requests in REQUESTS.items():
        submitted, asked = join_kind(f"submitted {name}"), join_kind(f"asked {name}")
        found += clock_steps.compare_logs(submitted, asked, requests.within, requests.slack)
    return found


def judge_clock(pair: clock_steps.Apart, log: IdTimes, is_sure: bool, likely: Sequence[str | None]) -> Clock:
    """The clock of a log beside one whose times are taken as right.

    Args:
        is_sure: they are known to be.
    """
    clock = Clock(log.name, pair.other, pair.ids, pair.is_wrong, is_sure)
    if not pair.is_wrong:
        return clock
    clock = replace(clock, ahead=pair.distance_text.removesuffix(" of"))
    made = clock_steps.find_remedy(pair.steps, log.zone.name or "UTC", 0, not log.is_known, likely)
    return replace(clock, time_zone=made.time_zone, clock_offset=made.clock_offset)


def set_right(log: IdTimes, clock: Clock) -> IdTimes:
    """The log with its times as its settings would have them."""
    read = log.zone.name or "UTC"

    def move_column(column: str) -> pl.Expr:
        at = pl.col(column)
        if clock.time_zone:
            at = clock_to_utc(at.dt.convert_time_zone(read).dt.replace_time_zone(None), clock.time_zone)
        if clock.clock_offset:
            at = at - dt.timedelta(seconds=clock.clock_offset)
        return at.dt.convert_time_zone("UTC").alias(column)

    by_kind = {
        kind: frame.with_columns(move_column("first_at"), move_column("last_at"))
        for kind, frame in log.by_kind.items()
    }
    return replace(log, by_kind=by_kind)
