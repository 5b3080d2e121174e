"""gold.bypass_indicator_daily: units that show a sign of bypass, of those that could, by inbound link.

Some signs need all messages of a number and day, so that a narrow pass over pairs of numbers comes first. For
any parts of the messages, cut anywhere:

    of_part   = count_contacts(message)                                   for each part
    contact   = merge_rows(concat(of_part), CONTACT_KEY, CONTACT_RULES)   all rows of each number and day
    behaviour = numbers_behaviour(contact, bypass_parameter)              the same
    counts    = partial(message, operator, bypass_parameter, behaviour)   for each part
    signs     = finish(merge_parts(concat(counts), table))

The first three are in jobs/operators/gold/shared/bypass.py. count_contacts() reads the columns
CONTACT_COLUMNS only. Contacts may be cut by contact_bucket() before they are merged; the behaviour of all
buckets together is the behaviour. Without links in ref.operator nothing is examined, and these steps may be
left out (has_links).
"""

import polars as pl

from jobs.base.tables import sketch
from jobs.operators.gold.shared.bypass import find_signs, operator_links

LINK = ["operator_id", "period_date", "channel_code", "inbound_link_id", "inbound_link_code"]
SKETCHES = ("flagged_sender_sketch", "origid_sketch", "flagged_origid_sketch")


def has_links(operator: pl.DataFrame) -> bool:
    """Return whether any operator has links, without which nothing is examined."""
    return not operator_links(operator).is_empty()


def partial(
    message: pl.DataFrame, operator: pl.DataFrame, bypass_parameter: pl.DataFrame, behaviour: pl.DataFrame
) -> pl.DataFrame:
    """The counts of each sign in some of the messages."""
    is_flagged = pl.col("is_flagged")
    return (
        find_signs(message, operator, bypass_parameter, behaviour)
        .with_columns(
            sender=sketch.hash_pseudonym(pl.col("sender_hash")),
            origid=sketch.hash_pseudonym(pl.col("origid_hash")),
        )
        .group_by(*LINK, "bypass_code", unit_code="grain_code")
        .agg(
            units_examined=pl.len().cast(pl.Int64),
            units_flagged=is_flagged.sum().cast(pl.Int64),
            flagged_sender_sketch=sketch.smallest_hashes(pl.col("sender").filter(is_flagged)),
            origid_sketch=sketch.smallest_hashes(pl.col("origid")),
            flagged_origid_sketch=sketch.smallest_hashes(pl.col("origid").filter(is_flagged)),
            key_id=pl.col("key_id").first(),
        )
    )


def finish(indicator: pl.DataFrame) -> pl.DataFrame:
    """The table's rows from the counts of whole operator-days."""
    return indicator.with_columns(sketch.pack_hashes(pl.col(name)).alias(name) for name in SKETCHES)
