"""What a run would make of the bronze rows that were read: its own kernels compute silver, in memory.

What a run has from the settings is assumed here: loopback and private addresses are the operator's own, and
nothing else is. Nothing is stored, so that the key of the pseudonyms protects nothing; it is always the same,
and one log gives one answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import polars as pl

from jobs.contracts import polars_schema, reference
from jobs.gold.units import UNITS
from jobs.protect import Door, Own
from jobs.silver import hops, message, refusals, standing
from jobs.silver.assembling import assembled, settled
from jobs.sniff.tally import OPERATOR

# The networks of an operator of which nothing is known.
NETWORKS = (
    *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
    *("::1/128", "fc00::/7", "fe80::/10"),
)
DOOR = Door((Own(OPERATOR, "", (), NETWORKS, (), (), key=bytes(32)),), None)
OUTCOME = ("channel_code", "stage_code", "outcome_code")
VERDICT = ("engine_code", "action_name", "is_spam")
# A message that began before a sampled block is told by its missing entry, if entries are logged at all.
ENTRIES_LOGGED = 0.5


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
    """Totals of silver: transmissions by OUTCOME, verdicts by VERDICT, and units where something was sent."""

    transmissions: dict[tuple[str, str, str], float]
    verdicts: dict[tuple[str, str, bool | None], float]
    units: Units | None


def totals(bronze: dict[str, pl.DataFrame], scales: dict[str, float], sampled: list[str]) -> Silver:
    """Totals of the bronze rows of each format.

    scales: how many rows of the whole each row of a stream stands for. sampled: streams that were not read
    whole.
    """
    formats = {name: settled(name, rows) for name, rows in bronze.items()}
    sent = begun_in_sample(assembled("silver.transmission", formats, DOOR), sampled)
    said = assembled("silver.verdict", formats, DOOR)
    return Silver(
        weighed(sent, OUTCOME, scales),
        weighed(said, VERDICT, scales),
        None if sent.is_empty() else units_of(sent, said, scales),
    )


def begun_in_sample(transmission: pl.DataFrame, sampled: list[str]) -> pl.DataFrame:
    """Of sampled streams only messages whose beginning was read: the others belong to blocks before."""
    if not sampled or transmission.is_empty():
        return transmission
    is_cut = (
        pl.col("stream_id").is_in(sampled)
        & (pl.col("grain_code") == "recipient")
        & pl.col("entry_code").is_null()
    )
    if transmission.select(is_cut.mean()).item() > ENTRIES_LOGGED:
        return transmission
    return transmission.filter(~is_cut)


def units_of(transmission: pl.DataFrame, verdict: pl.DataFrame, scales: dict[str, float]) -> Units:
    """The units of silver.message, and what its steps leave out."""
    needs = message.narrow(transmission, verdict, 0)
    links = hops.roots(hops.candidates(needs.ends))
    moved = message.moving(transmission, verdict, links, standing.routes(needs.asked, needs.message_ids))
    opened = message.opened(
        transmission,
        verdict,
        links,
        moved.later,
        moved.by_id,
        pl.DataFrame(schema=polars_schema("silver.operator_knowledge")),
        reference("ref.attribute_rule"),
    )
    counted = refusals.without_followed(opened, refusals.followed(refusals.triples(opened)))
    own = {code: transmission.filter(pl.col("entry_code") == code) for code in hops.NOT_COUNTED}
    later = hops.placed(transmission).join(links, on="file", how="semi")
    left_out = {code: weight(rows, scales) for code, rows in own.items()}
    left_out |= {
        "hop": weight(later, scales),
        "followed_up": weight(opened, scales) - weight(counted, scales),
    }
    named = (
        weight(opened, scales)
        - weight(transmission, scales)
        + sum(count for reason, count in left_out.items() if reason != "followed_up")
    )
    return Units(units(counted, scales), {name: count for name, count in left_out.items() if count}, named)


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


def weighed(rows: pl.DataFrame, by: tuple[str, ...], scales: dict[str, float]) -> dict[Any, float]:
    sums = rows.group_by(by).agg(scale(scales).sum().alias("weight"))
    return {row[:-1]: row[-1] for row in sums.sort(by).iter_rows()}


def weight(rows: pl.DataFrame, scales: dict[str, float]) -> float:
    return float(rows.select(scale(scales).sum()).item())


def scale(scales: dict[str, float]) -> pl.Expr:
    """How many rows of the whole a row stands for."""
    return pl.col("stream_id").replace_strict(scales, default=1.0, return_dtype=pl.Float64)
