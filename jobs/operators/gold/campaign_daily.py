"""gold.campaign_daily: near-duplicates across messages and senders, day by day.

Which campaign a message belongs to depends on all messages of its operator and day, so that a narrow pass
over distinct signatures comes first. For any parts of the messages, cut anywhere:

    of_part   = count_signatures(message)                                    for each part
    signature = merge_rows(concat(of_part), SIGNATURE_KEY, SIGNATURE_RULES)  whole operator-days
    member    = find_members(signature, campaign_parameter)                  whole operator-days
    counts    = partial(message, member)                                     for each part
    campaigns = finish(merge_rows(concat(counts), key, merge of the contract))

count_signatures() reads the columns SIGNATURE_COLUMNS only, partial() COUNTED_COLUMNS. Signatures may be cut
by signature_bucket() before they are merged; the members of all buckets together are the members.
"""

import polars as pl

from jobs.base.figures.counting_rules import ACTED
from jobs.base.tables import sketch
from jobs.operators.gold.shared.origins import UNKNOWN, origin_code
from jobs.operators.gold.shared.similarity import (
    CHANNEL_DAY,
    CONTENT_KINDS,
    SIGNED,
    Thresholds,
    unite_signatures,
)

SIGNATURE_COLUMNS = [*SIGNED, "signature_kind_code", "spam_type_code", "signature_sketch"]
SIGNATURE_KEY = [*SIGNED, "signature_kind_code", "spam_type_code"]
SIGNATURE_RULES = {"signature_sketch": "first", "copies": "sum"}
# The columns that partial() reads.
COUNTED_COLUMNS = [
    *(*SIGNED, "recipient_hash", "recipient_domain", "sender_hash", "client_network", "is_message_row"),
    "key_id",
    *("grain_code", "outcome_code", "is_antispam", "is_marked", "first_at", "last_at", "spam_type_codes"),
    *("direction_code", "inbound_link_code", "origin_observed_code", "origin_claimed_code"),
]
CAMPAIGN = [*CHANNEL_DAY, "campaign_hash"]
COUNTED_UNITS = ("recipient", "sender", "network", "domain")


def count_signatures(message: pl.DataFrame) -> pl.DataFrame:
    """Count the copies of each signature, by their type of spam."""
    return (
        message.select(SIGNATURE_COLUMNS)
        .filter(pl.col("signature_hash").is_not_null())
        .group_by(SIGNATURE_KEY)
        .agg(pl.col("signature_sketch").first(), copies=pl.len().cast(pl.Int64))
    )


def signature_bucket(count: int) -> pl.Expr:
    """The number of the bucket, of so many, that a row of count_signatures() belongs to: find_members() may
    take each bucket alone. A day's signatures with sketches stay together."""
    alone = pl.when(pl.col("signature_sketch").is_null()).then("signature_hash")
    return pl.struct(*CHANNEL_DAY, alone.alias("signature_hash")).hash(seed=0) % count


def find_members(signature: pl.DataFrame, campaign_parameter: pl.DataFrame) -> pl.DataFrame:
    """The signatures of each campaign that is large enough to be one, with the campaign's commonest type."""
    parts = [
        find_untyped_members(signature.filter(thresholds.is_in_force()), thresholds)
        for thresholds in Thresholds.list_thresholds(campaign_parameter)
    ]
    whole = pl.concat(parts)
    typed = signature.join(whole, on=[*SIGNED, "signature_kind_code"], how="inner")
    return whole.join(commonest_type(typed), on=CAMPAIGN, how="left").with_columns(
        pl.col("spam_type_code").fill_null("UNK")
    )


def find_untyped_members(signature: pl.DataFrame, thresholds: Thresholds) -> pl.DataFrame:
    """The members of campaigns, without types, on days that have the same thresholds."""
    own = signature.group_by(*SIGNED, "signature_kind_code").agg(
        pl.col("signature_sketch").drop_nulls().first(), pl.col("copies").sum()
    )
    joined = unite_signatures(own, thresholds)
    least = (
        pl.when(pl.col("signature_kind_code").is_in(CONTENT_KINDS))
        .then(thresholds.least_copies_content)
        .otherwise(thresholds.least_copies_behaviour)
    )
    kept = [*SIGNED, "signature_kind_code", "campaign_hash", "is_bucket_capped"]
    # Most signatures are like no other.
    alone = (
        own.filter(pl.col("copies") >= least)
        .join(joined, on=SIGNED, how="anti")
        .with_columns(campaign_hash="signature_hash", is_bucket_capped=False)
    )
    united = own.join(joined, on=SIGNED, how="inner").filter(pl.col("copies").sum().over(CAMPAIGN) >= least)
    return pl.concat([alone.select(kept), united.select(kept)])


def commonest_type(signature: pl.DataFrame) -> pl.DataFrame:
    """The commonest type of spam of each campaign; of several the least. Untyped copies do not count."""
    return (
        signature.filter(pl.col("spam_type_code") != "UNK")
        .group_by(*CAMPAIGN, "spam_type_code")
        .agg(pl.col("copies").sum())
        .sort("copies", "spam_type_code", descending=[True, False])
        .unique(CAMPAIGN, keep="first", maintain_order=True)
        .drop("copies")
    )


def partial(message: pl.DataFrame, member: pl.DataFrame) -> pl.DataFrame:
    """The counts of each campaign in some of the messages."""
    acted = pl.col("outcome_code").is_in(ACTED) | pl.col("is_marked")
    return (
        message.select(COUNTED_COLUMNS)
        .join(member, on=SIGNED, how="inner")
        .with_columns(
            # Rows without a known recipient, and the null sender, are nobody to count.
            recipient=sketch.hash_pseudonym(pl.col("recipient_hash").replace("_U", None)),
            sender=sketch.hash_pseudonym(pl.col("sender_hash")),
            network=sketch.hash_text(pl.col("client_network")),
            domain=sketch.hash_text(pl.col("recipient_domain")),
            origin=origin_code().replace(UNKNOWN, None),
        )
        .group_by(CAMPAIGN)
        .agg(
            pl.col("signature_kind_code").min(),
            sort_codes(pl.col("signature_hash")).alias("signature_hashes"),
            pl.col("is_bucket_capped").any(),
            pl.col("key_id").first(),
            pl.len().cast(pl.Int64).alias("copy_count"),
            count_true(pl.col("is_message_row")).alias("message_count"),
            count_true(pl.col("grain_code") == "attempt").alias("attempt_count"),
            count_true(pl.col("outcome_code") == "delivered").alias("delivered_count"),
            count_true(pl.col("is_antispam") & acted).alias("blocked_count"),
            pl.col("first_at").min(),
            pl.col("last_at").max(),
            *(sketch.smallest_hashes(pl.col(name)).alias(f"{name}_sketch") for name in COUNTED_UNITS),
            pl.col("spam_type_code").first(),
            sort_codes(pl.col("spam_type_codes").list.explode(keep_nulls=False, empty_as_null=False)).alias(
                "spam_type_codes"
            ),
            sort_codes(pl.col("direction_code")).alias("direction_codes"),
            sort_codes(pl.col("inbound_link_code")).alias("inbound_link_codes"),
            sort_codes(pl.col("origin")).alias("origin_codes"),
        )
    )


def finish(campaign: pl.DataFrame) -> pl.DataFrame:
    """The table's rows from the counts of whole operator-days."""
    sketches = [f"{name}_sketch" for name in COUNTED_UNITS]
    return campaign.with_columns(
        *(
            sketch.estimate_distinct(pl.col(f"{name}_sketch")).alias(f"distinct_{name}_count")
            for name in COUNTED_UNITS
        ),
        *(sketch.pack_hashes(pl.col(name)).alias(name) for name in sketches),
        signature_count=pl.col("signature_hashes").list.len().cast(pl.Int64),
    ).drop("domain_sketch")


def count_true(condition: pl.Expr) -> pl.Expr:
    """The number of rows that fulfil a condition."""
    return condition.fill_null(False).sum().cast(pl.Int64)


def sort_codes(codes: pl.Expr) -> pl.Expr:
    return codes.drop_nulls().unique().sort()
