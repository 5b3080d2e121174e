"""What the operator knows of a message, put before what rules read from its logs."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.attributes import ATTRIBUTES

WHOSE = ["operator_id", "period_date"]
NAMING = ["queue_id", "message_id_hash", "sender_hash", "recipient_hash"]
# How facts name messages, the most specific first, as in jobs/formats/knowledge.py.
KEYS = (
    ("queue_id", "recipient_hash"),
    ("queue_id",),
    ("message_id_hash", "recipient_hash"),
    ("message_id_hash",),
    ("sender_hash", "recipient_hash"),
    ("sender_hash",),
    ("recipient_hash",),
)


def known(message: DataFrame, operator_knowledge: DataFrame) -> DataFrame:
    """The messages with each attribute as the operator knows it, else as rules told it.

    Facts are joined once for each way of naming messages that there is, which is none where an operator
    gives no facts. A more specific fact comes before a general one.
    """
    given = [F.col(name).isNotNull().alias(name) for name in NAMING]
    ways = {
        tuple(name for name in NAMING if row[name])
        for row in operator_knowledge.select(*given).distinct().collect()
    }
    told = []
    joined = message
    for place, key in enumerate(KEYS):
        if key not in ways:
            continue
        named = (f"{name} IS {'NOT ' if name in key else ''}NULL" for name in NAMING)
        facts = operator_knowledge.filter(" AND ".join(named))
        name = f"told_{place}"
        agreed = F.struct(*(agreement(attribute) for attribute in ATTRIBUTES)).alias(name)
        joined = joined.join(facts.groupBy(*WHOSE, *key).agg(agreed), on=[*WHOSE, *key], how="left")
        told.append(name)
    attributes = {
        attribute: F.coalesce(*(F.col(f"{name}.{attribute}") for name in told), F.col(attribute))
        for attribute in ATTRIBUTES
    }
    return joined.select(*(attributes.get(name, F.col(name)).alias(name) for name in message.columns))


def agreement(attribute: str) -> Column:
    """What facts on the same messages say together; null where they say different things."""
    return F.when(F.min(attribute) == F.max(attribute), F.min(attribute)).alias(attribute)
