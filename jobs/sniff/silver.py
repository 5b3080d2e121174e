"""What a run would make of the bronze rows that were read: its own kernels compute silver, in memory.

What a run has from the settings is assumed here: loopback and private addresses are the operator's own, and
nothing else is. Nothing is stored, so that the key of the pseudonyms protects nothing; it is always the same,
and one log gives one answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import polars as pl

from jobs.core.contracts import polars_schema, reference
from jobs.gold.units import UNITS
from jobs.protect.operators import Door, Own
from jobs.silver import hops, message, refusals, standing
from jobs.silver.assembling import all_counted_once, assembled, order_of
from jobs.silver.bucketing import bucket_of, home_of
from jobs.sniff.tally import OPERATOR

# The networks of an operator of which nothing is known, beside loopback, which every operator has.
NETWORKS = (
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
    *("fc00::/7", "fe80::/10"),
)
DOOR = Door((Own(OPERATOR, "", (), NETWORKS, (), (), key=bytes(32)),), None)
OUTCOME = ("channel_code", "stage_code", "outcome_code")
TRANSMISSION, VERDICT = TABLES = ("silver.transmission", "silver.verdict")
# What is needed of messages, to fold temporary refusals and to count.
COUNTED = (
    *(*OUTCOME, "stream_id", "grain_code", "is_message_row", "segment_count"),
    *(*refusals.TRIPLE, "first_at", "message_hash"),
)
# More bronze rows than these are joined in parts: silver's rows are wide.
BUCKET_ROWS = 50_000
ACTION = ("engine_code", "action_name", "is_spam")
# A message that began before a sampled block shows by its missing entry, if entries are logged at all.
ENTRIES_LOGGED = 0.5
# One frame for each bucket.
Frames = list[pl.DataFrame]


@dataclass
class Units:
    """What is counted.

    units: by channel, unit, stage and outcome. left_out: transmissions that are not counted, by reason.
    named: recipients that no transmission has and a filter's verdict names.
    """

    units: dict[tuple[str, str, str, str], float] = field(default_factory=dict)
    left_out: dict[str, float] = field(default_factory=dict)
    named: float = 0.0

    def total(self, unit: str) -> float:
        return sum(count for (_, name, _, _), count in self.units.items() if name == unit)


@dataclass
class Silver:
    """Totals of silver: transmissions by OUTCOME, verdicts by ACTION, and units where something was sent."""

    transmissions: dict[tuple[str, str, str], float]
    verdicts: dict[tuple[str, str, bool | None], float]
    units: Units | None


def totals(bronze: dict[str, pl.DataFrame], scales: dict[str, float], sampled: list[str]) -> Silver:
    """Totals of the bronze rows of each format.

    scales: how many rows of the whole each row of a stream stands for. sampled: streams that were not read
    whole.
    """
    formats, _ = all_counted_once(bronze)
    count = 1 + sum(rows.height for rows in formats.values()) // BUCKET_ROWS
    sent, said = in_buckets(formats, count)
    sent = begun_in_sample(sent, sampled)
    return Silver(
        weighed(sent, OUTCOME, scales),
        weighed(said, ACTION, scales),
        units_of(sent, said, scales) if any(rows.height for rows in sent) else None,
    )


def in_buckets(formats: dict[str, pl.DataFrame], count: int) -> tuple[Frames, Frames]:
    """Transmissions and verdicts, each by the bucket that it belongs to."""
    if count == 1:
        sent, said = (assembled(table, formats, DOOR) for table in TABLES)
        return [sent], [said]
    parts = {name: split(rows, bucket_of(rows, name, count)) for name, rows in formats.items()}
    found: dict[str, list[Frames]] = {table: [[] for _ in range(count)] for table in TABLES}
    order = order_of(formats)
    for number in range(count):
        own = {name: of_format[number] for name, of_format in parts.items() if number in of_format}
        for table, frames in found.items():
            rows = assembled(table, own, DOOR, order)
            for home, part in split(rows, home_of(rows, count).fill_null(number)).items():
                frames[home].append(part)
    whole = {
        table: [pl.concat([none_of(table), *frames]) for frames in buckets]
        for table, buckets in found.items()
    }
    return whole[TRANSMISSION], whole[VERDICT]


def split(rows: pl.DataFrame, number: pl.Series) -> dict[int, pl.DataFrame]:
    """The rows by the number of their bucket."""
    numbered = rows.with_columns(number.alias("_bucket"))
    parts = numbered.partition_by("_bucket", as_dict=True, include_key=False)
    return {int(bucket): part for (bucket,), part in parts.items()}


@cache
def none_of(table: str) -> pl.DataFrame:
    return pl.DataFrame(schema=polars_schema(table))


def begun_in_sample(sent: Frames, sampled: list[str]) -> Frames:
    """Of sampled streams only messages whose beginning was read: the others belong to blocks before."""
    if not sampled:
        return sent
    is_cut = (
        pl.col("stream_id").is_in(sampled)
        & (pl.col("grain_code") == "recipient")
        & pl.col("entry_code").is_null()
    )
    cut = sum(rows.select(is_cut.sum()).item() for rows in sent)
    if cut > ENTRIES_LOGGED * sum(rows.height for rows in sent):
        return sent
    return [rows.filter(~is_cut) for rows in sent]


def units_of(sent: Frames, said: Frames, scales: dict[str, float]) -> Units:
    """The units of silver.message, and what its steps (jobs/silver/message.py) leave out."""
    pairs = list(zip(sent, said, strict=True))
    needs = [message.narrow(*pair, number) for number, pair in enumerate(pairs)]
    links = hops.roots(hops.candidates(pl.concat(each.ends for each in needs)))
    routes = standing.routes(
        pl.concat(each.asked for each in needs), pl.concat(each.message_ids for each in needs)
    )
    here = pl.col("bucket")
    moved = [message.moving(*pair, links, routes.filter(here == number)) for number, pair in enumerate(pairs)]
    later, by_id = pl.concat(each.later for each in moved), pl.concat(each.by_id for each in moved)
    opened = [
        message.opened(
            *pair,
            links,
            later.filter(here == number),
            by_id.filter(here == number),
            none_of("silver.operator_knowledge"),
            reference("ref.attribute_rule"),
        ).select(COUNTED)
        for number, pair in enumerate(pairs)
    ]
    followed = refusals.followed(pl.concat(map(refusals.triples, opened)))
    counted = [refusals.without_followed(rows, followed) for rows in opened]
    later_hops = (
        [] if links.is_empty() else [hops.placed(rows).join(links, on="file", how="semi") for rows in sent]
    )
    not_counted = {
        code: weight([rows.filter(pl.col("entry_code") == code) for rows in sent], scales)
        for code in hops.NOT_COUNTED
    } | {"hop": weight(later_hops, scales)}
    left_out = not_counted | {"followed_up": weight(opened, scales) - weight(counted, scales)}
    return Units(
        units(pl.concat(counted), scales),
        {reason: number for reason, number in left_out.items() if number},
        weight(opened, scales) - weight(sent, scales) + sum(not_counted.values()),
    )


def units(counted: pl.DataFrame, scales: dict[str, float]) -> dict[tuple[str, str, str, str], float]:
    """Units of messages by channel, unit, stage and outcome."""
    sums = counted.group_by(OUTCOME).agg(
        (value * scale(scales)).sum().alias(unit) for unit, value in UNITS.items()
    )
    return {
        (channel, unit, stage, outcome): count
        for channel, stage, outcome, *counts in sums.sort(OUTCOME).iter_rows()
        for unit, count in zip(UNITS, counts, strict=True)
        if count
    }


def weighed(frames: Frames, by: tuple[str, ...], scales: dict[str, float]) -> dict[Any, float]:
    """How many rows of the whole there are, by columns."""
    rows = pl.concat(each.select("stream_id", *by) for each in frames)
    sums = rows.group_by(by).agg(scale(scales).sum().alias("weight"))
    return {row[:-1]: row[-1] for row in sums.sort(by).iter_rows()}


def weight(frames: Frames, scales: dict[str, float]) -> float:
    return float(sum(rows.select(scale(scales).sum()).item() for rows in frames))


def scale(scales: dict[str, float]) -> pl.Expr:
    """How many rows of the whole a row stands for."""
    return pl.col("stream_id").replace_strict(scales, default=1.0, return_dtype=pl.Float64)
