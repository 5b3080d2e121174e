"""Messages, recipients and attempts of one log by the counting rules, without Spark.

The rules are those of silver.message, as far as one log and no settings can tell: hops through filters are
folded into the message that came in, temporary refusals into what followed them within a day, bounces of
the server's own and reports of spam are not counted. What silver knows from the settings (whose a client
is) is taken from the address here: loopback and private addresses are the operator's. A verdict that
stands in another log, and may name further recipients of a refused message, is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from jobs.formats import PRECEDENCE

# As in jobs/silver; tests hold the two together.
NOT_COUNTED = ["dsn", "report"]
CLOCK_SLACK = pl.duration(minutes=10)
HANDOFF = pl.duration(hours=1)
FOLDING = pl.duration(hours=24)

_OWN = r"^(?:127\.|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.|::1$|f[cd][0-9a-f]{2}:|fe80:)"
_FILE = ["operator_id", "queue", "first_at"]
_TRIPLE = ["operator_id", "network", "sender", "recipient"]
_FROM_LAST = ["stage_code", "outcome_code"]


@dataclass
class Units:
    """What is counted: units by channel, unit, stage and outcome; and what was left out, by why."""

    units: dict[tuple[str, str, str, str], float] = field(default_factory=dict)
    left_out: dict[str, float] = field(default_factory=dict)

    def total(self, unit: str) -> float:
        return sum(count for (_, name, _, _), count in self.units.items() if name == unit)


def units_of(transmissions: pl.DataFrame, scales: dict[str, float]) -> Units:
    """Count transmissions; each stands for as many as its stream's scale says."""
    frame = transmissions.with_columns(
        pl.col("stream_id").replace_strict(scales, default=1.0, return_dtype=pl.Float64).alias("weight")
    ).with_row_index("row")
    frame = frame.with_columns(pl.col("sender", "recipient").str.to_lowercase())
    not_counted = pl.col("entry_code").is_in(NOT_COUNTED).fill_null(False)
    own = frame.filter(not_counted)
    counted = frame.filter(~not_counted)
    folded = fold_hops(counted)
    settled = fold_temporary_refusals(folded)
    left_out = {
        "dsn": _weight(own.filter(pl.col("entry_code") == "dsn")),
        "report": _weight(own.filter(pl.col("entry_code") == "report")),
        "hop": _weight(counted) - _weight(folded),
        "followed_up": _weight(folded) - _weight(settled),
    }
    return Units(_by_unit(settled), {name: count for name, count in left_out.items() if count})


def _weight(frame: pl.DataFrame) -> float:
    return float(frame["weight"].sum())


def _by_unit(rows: pl.DataFrame) -> dict[tuple[str, str, str, str], float]:
    """Recipients, messages (the recipient of highest precedence stands for all), attempts and segments."""
    rank = pl.col("outcome_code").replace_strict(
        PRECEDENCE, list(range(len(PRECEDENCE))), default=len(PRECEDENCE), return_dtype=pl.Int64
    )
    recipients = rows.filter(pl.col("grain_code") == "recipient").with_columns(
        (rank * rows.height + pl.col("row").rank("ordinal").cast(pl.Int64)).alias("standing")
    )
    place = pl.concat_str("source_id", "stream_id", "offset", separator=":")
    message = pl.struct("operator_id", pl.coalesce("queue", place), "first_at")
    standing = recipients.filter(pl.col("standing") == pl.col("standing").min().over(message))
    others = rows.filter(pl.col("grain_code") != "recipient")
    segments = rows.filter(pl.col("segment_count").is_not_null()).with_columns(
        pl.col("weight") * pl.col("segment_count")
    )
    found = {}
    for unit, frame in (
        ("recipient", recipients),
        ("message", standing),
        ("segment", segments),
        # An attempt or a call is its own unit.
        *((grain, frame) for (grain,), frame in others.partition_by("grain_code", as_dict=True).items()),
    ):
        sums = frame.group_by("channel_code", "stage_code", "outcome_code").agg(pl.col("weight").sum())
        for channel, stage, outcome, count in sums.iter_rows():
            found[channel, unit, stage, outcome] = count
    return found


def fold_hops(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per recipient of the message that came in, with the stage and outcome of its last hop."""
    if not rows["is_handoff"].any():
        return rows
    links = _hops(rows)
    placed = rows.join(links, on=_FILE, how="left", nulls_equal=True, maintain_order="left")
    alone = placed["root"].is_null() & ~placed["is_handoff"].fill_null(False)
    chained = placed.filter(~alone).with_columns(
        pl.coalesce("root", "queue").alias("root"),
        pl.coalesce("root_at", "first_at").alias("root_at"),
        pl.col("depth").fill_null(0),
    )
    ordered = chained.sort("depth", "row")
    from_first = [name for name in rows.columns if name not in ("operator_id", "recipient", *_FROM_LAST)]
    folded = ordered.group_by("operator_id", "root", "root_at", "recipient", maintain_order=True).agg(
        pl.col("depth").min(),
        pl.col(from_first).first(),
        pl.col(_FROM_LAST).last(),
    )
    # A recipient that only a later hop has is an alias that was expanded there: not counted.
    folded = folded.filter(pl.col("depth") == 0)
    return pl.concat([placed.filter(alone).select(rows.columns), folded.select(rows.columns)])


def _hops(rows: pl.DataFrame) -> pl.DataFrame:
    """For each queue file that is a later hop: `root` and `root_at` of the first, and its `depth`."""
    is_piped = pl.col("entry_code") == "pickup"
    is_own = (
        pl.col("is_authenticated").fill_null(False)
        | is_piped
        | pl.col("client_ip").str.to_lowercase().str.contains(_OWN).fill_null(False)
    )
    next_queue = pl.col("queue").str.replace(r"[^|]*$", "") + pl.col("next_queue_id")
    parents = (
        rows.filter("is_handoff")
        .select(
            "operator_id",
            pl.concat_list(
                pl.lit("name:") + pl.col("queue"),
                pl.lit("answer:") + next_queue,
                pl.when(next_queue.is_null()).then(pl.lit("message:") + pl.col("message_id")),
            ).alias("link"),
            pl.col("queue").alias("parent"),
            pl.col("first_at").alias("parent_at"),
            pl.col("last_at").alias("parent_last"),
        )
        .explode("link")
        .filter(pl.col("link").is_not_null())
    )
    children = (
        rows.filter(pl.col("previous_queue").is_not_null() | is_own.fill_null(False))
        .select(
            *_FILE,
            pl.concat_list(
                pl.lit("name:") + pl.col("previous_queue"),
                pl.lit("answer:") + pl.col("queue"),
                pl.when(is_piped).then(pl.lit("message:") + pl.col("message_id")),
            ).alias("link"),
        )
        .explode("link")
        .filter(pl.col("link").is_not_null())
        .unique()
    )
    until = pl.col("parent_last") + pl.when(pl.col("link").str.starts_with("message:")).then(
        HANDOFF
    ).otherwise(CLOCK_SLACK)
    step = (
        parents.join(children, on=["operator_id", "link"])
        .filter(
            (pl.col("first_at") >= pl.col("parent_at"))
            & (pl.col("first_at") <= until)
            & (pl.col("parent") != pl.col("queue"))
        )
        .sort("parent_at", "parent")
        .group_by(_FILE, maintain_order=True)
        .agg(pl.col("parent", "parent_at").first())
    )
    above = step.select(
        "operator_id",
        pl.col("queue").alias("parent"),
        pl.col("first_at").alias("parent_at"),
        pl.col("parent").alias("grand"),
        pl.col("parent_at").alias("grand_at"),
    )
    return step.join(above, on=["operator_id", "parent", "parent_at"], how="left").select(
        *_FILE,
        pl.coalesce("grand", "parent").alias("root"),
        pl.coalesce("grand_at", "parent_at").alias("root_at"),
        pl.when(pl.col("grand").is_null()).then(1).otherwise(2).alias("depth"),
    )


def fold_temporary_refusals(rows: pl.DataFrame) -> pl.DataFrame:
    """Leave out a temporary refusal that the same network, sender and recipient followed up in a day."""
    temporary = (
        (pl.col("outcome_code") == "deferred")
        & pl.col("stage_code").is_in(["connect", "envelope", "content"])
        & pl.col("client_ip").is_not_null()
    )
    if not rows.select(temporary.any()).item():
        return rows
    from jobs.location import network_of

    pairs = rows.filter(temporary).select("operator_id", "sender", "recipient").unique()
    some = rows.join(pairs, on=pairs.columns, how="semi", nulls_equal=True)
    some = some.with_columns(network_of(some["client_ip"]).alias("network"))
    followed = some.select(*_TRIPLE, pl.col("first_at").alias("then_at"), pl.col("row").alias("then_row"))
    # The next of the same triple is enough: the nearest follows soonest, or none does in time.
    ordered = followed.sort("then_at", "then_row")
    nexts = ordered.with_columns(pl.col("then_at").shift(-1).over(_TRIPLE).alias("next_at"))
    refused = some.filter(temporary & pl.col("network").is_not_null()).select("row")
    done = (
        nexts.filter(pl.col("next_at") <= pl.col("then_at") + FOLDING)
        .join(refused, left_on="then_row", right_on="row", how="semi")
        .select(pl.col("then_row").alias("row"))
    )
    return rows.join(done, on="row", how="anti")
