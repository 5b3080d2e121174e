"""Silver of the bronze rows that were read, computed by a run's own kernels in memory.

Without settings, loopback and private addresses are assumed to be the operator's own, and nothing else.
Nothing is stored, so that the key of the pseudonyms protects nothing; it is always the same, and one log
gives one answer.
"""

from dataclasses import dataclass, field
from typing import Any

import polars as pl

from jobs.operators.gold.shared.measures import UNITS
from jobs.operators.protect.operators import OperatorSpace, Protection
from jobs.operators.silver import hops, pipeline, refusals, steps
from jobs.operators.silver.exchange import StepParameters
from jobs.operators.silver.frames import MESSAGE, TRANSMISSION, VERDICT, Frame
from jobs.operators.silver.memory import Memory
from jobs.operators.sniff.tally import OPERATOR

# The networks of an operator of which nothing is known, beside loopback, which every operator has.
NETWORKS = (
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
    *("fc00::/7", "fe80::/10"),
)
PROTECTION = Protection((OperatorSpace(OPERATOR, "", (), NETWORKS, (), (), key=bytes(32)),), None)
OUTCOME = ("channel_code", "stage_code", "outcome_code")
TABLES = (TRANSMISSION, VERDICT)
# What is needed of messages, to fold temporary refusals and to count.
COUNT_COLUMNS = (
    *(*OUTCOME, "stream_id", "grain_code", "is_message_row", "is_partial", "segment_count"),
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
    """Units that are counted, and transmissions that are not.

    Attributes:
        units: by channel, unit, stage and outcome.
        not_counted: transmissions, by reason.
        named: recipients that no transmission has and a filter's verdict names.
    """

    units: dict[tuple[str, str, str, str], float] = field(default_factory=dict)
    not_counted: dict[str, float] = field(default_factory=dict)
    named: float = 0.0

    def count_units(self, unit: str) -> float:
        return sum(count for (_, name, _, _), count in self.units.items() if name == unit)


@dataclass
class Silver:
    """Totals of silver: transmissions by OUTCOME, verdicts by ACTION, and units where something was sent."""

    transmissions: dict[tuple[str, str, str], float]
    verdicts: dict[tuple[str, str, bool | None], float]
    units: Units | None


def count_silver(bronze: dict[str, pl.DataFrame], scales: dict[str, float], sampled: list[str]) -> Silver:
    """Totals of the bronze rows of each format.

    Args:
        scales: how many rows of the whole each row of a stream stands for.
        sampled: streams that were not read whole.
    """
    count = 1 + sum(rows.height for rows in bronze.values()) // BUCKET_ROWS
    parameters = StepParameters(PROTECTION, count, tables=TABLES, message_columns=COUNT_COLUMNS)
    memory = pipeline.read_bronze(bronze, parameters)
    pipeline.assemble_tables(memory)
    sent, verdicts = (
        [
            steps.read_home_rows(memory.make_place(number), table)
            for number in range(memory.parameters.buckets)
        ]
        for table in TABLES
    )
    begun = begun_in_sample(sent, sampled)
    if begun is not sent:
        memory.replace_rows(TRANSMISSION, begun)
    has_sent = any(rows.height for rows in begun)
    if has_sent:
        pipeline.make_messages(memory)
    return Silver(
        weigh_rows(begun, OUTCOME, scales),
        weigh_rows(verdicts, ACTION, scales),
        units_of(memory, begun, scales) if has_sent else None,
    )


def begun_in_sample(sent: Frames, sampled: list[str]) -> Frames:
    """Keep of sampled streams the messages whose beginning was read: the others belong to blocks before."""
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


def units_of(memory: Memory, sent: Frames, scales: dict[str, float]) -> Units:
    """The units of silver.message, and what its steps (jobs/operators/silver/pipeline.py) leave out."""
    message = memory.table_rows(MESSAGE)
    links, refused = memory.left_rows(Frame.LINKS), memory.left_rows(Frame.TEMPORARY)
    dropped = memory.left_rows(Frame.FOLLOWED)
    followed_up = 0.0
    if refused is not None and dropped is not None:
        kept = refusals.drop_followed(refused, dropped)
        followed_up = total_weight([refused], scales) - total_weight([kept], scales)
    later_hops = (
        [] if links is None else [hops.place_files(rows).join(links, on="file", how="semi") for rows in sent]
    )
    not_counted = {
        code: total_weight([rows.filter(pl.col("entry_code") == code) for rows in sent], scales)
        for code in hops.NOT_COUNTED
    } | {"hop": total_weight(later_hops, scales)}
    left_out = not_counted | {"followed_up": followed_up}
    return Units(
        count_units(message, scales),
        {reason: number for reason, number in left_out.items() if number},
        total_weight([message], scales)
        + followed_up
        - total_weight(sent, scales)
        + sum(not_counted.values()),
    )


def count_units(counted: pl.DataFrame, scales: dict[str, float]) -> dict[tuple[str, str, str, str], float]:
    """Units of messages by channel, unit, stage and outcome."""
    sums = counted.group_by(OUTCOME).agg(
        (value * row_scale(scales)).sum().alias(unit) for unit, value in UNITS.items()
    )
    return {
        (channel, unit, stage, outcome): count
        for channel, stage, outcome, *counts in sums.sort(OUTCOME).iter_rows()
        for unit, count in zip(UNITS, counts, strict=True)
        if count
    }


def weigh_rows(frames: Frames, by: tuple[str, ...], scales: dict[str, float]) -> dict[Any, float]:
    """The estimated rows of the whole log, by columns."""
    rows = pl.concat(each.select("stream_id", *by) for each in frames)
    sums = rows.group_by(by).agg(row_scale(scales).sum().alias("weight"))
    return {row[:-1]: row[-1] for row in sums.sort(by).iter_rows()}


def total_weight(frames: Frames, scales: dict[str, float]) -> float:
    return float(sum(rows.select(row_scale(scales).sum()).item() for rows in frames))


def row_scale(scales: dict[str, float]) -> pl.Expr:
    """The number of rows of the whole log that a row stands for."""
    return pl.col("stream_id").replace_strict(scales, default=1.0, return_dtype=pl.Float64)
