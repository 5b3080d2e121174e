"""Facts that the operator states about its messages; they take precedence over attributes from rules."""

import polars as pl

from jobs.base.tables.attributes import ATTRIBUTES

OPERATOR_DAY = ["operator_id", "period_date"]
NAMING = ["queue_id", "message_id_hash", "sender_hash", "recipient_hash"]
# How facts name messages, the most specific first, as in jobs/operators/formats/knowledge.
KEYS = (
    ("queue_id", "recipient_hash"),
    ("queue_id",),
    ("message_id_hash", "recipient_hash"),
    ("message_id_hash",),
    ("sender_hash", "recipient_hash"),
    ("sender_hash",),
    ("recipient_hash",),
)


def fill_known(message: pl.DataFrame, operator_knowledge: pl.DataFrame) -> pl.DataFrame:
    """The messages with each attribute from the operator's facts, else from rules.

    A more specific fact comes before a general one.
    """
    told = []
    joined = message
    for place, key in enumerate(KEYS):
        facts = operator_knowledge.filter(
            *(pl.col(name).is_not_null() if name in key else pl.col(name).is_null() for name in NAMING)
        )
        if facts.is_empty():
            continue
        on = [*OPERATOR_DAY, *key]
        agreed = [agreed_value(name).alias(f"{place}_{name}") for name in ATTRIBUTES]
        joined = joined.join(facts.group_by(on).agg(agreed), on=on, how="left", maintain_order="left")
        told.append(place)
    if not told:
        return message
    return joined.select(
        pl.coalesce(*(f"{place}_{name}" for place in told), name).alias(name) if name in ATTRIBUTES else name
        for name in message.columns
    )


def agreed_value(attribute: str) -> pl.Expr:
    """The value that all facts on the same messages give; null where they differ."""
    value = pl.col(attribute)
    return pl.when(value.min() == value.max()).then(value.min())
