"""gold.spam_source_monthly: spam by source country and autonomous system, with distinct senders and rates."""

from decimal import Decimal

import polars as pl

from jobs.base.figures.counting_rules import HAD_CONTENT
from jobs.base.tables import sketch
from jobs.base.tables.merge import merge_rows
from jobs.base.tables.sql import parse_expression
from jobs.operators.gold.shared.counting import CONTENT_NAMES

KEY = [
    *("operator_id", "period_code", "channel_code", "direction_code", "source_country_code", "source_asn"),
    *("unit_code", "definition_code"),
]
LOCATION = ["location_database", "location_date"]
MEASURES = ["units", "spam_certain", "spam_possible"]
# What has senders of its own: messages and segments have those of their recipients.
SENT = ["recipient", "attempt", "call"]


def transform(spam_source_daily: pl.DataFrame, operator: pl.DataFrame) -> pl.DataFrame:
    """Counts are summed, sketches united, and rates taken of the sums.

    Senders of days with different keys are not united: one sender has two pseudonyms. Their sketch is null,
    and so is key_id, which names the key of the others. See decision 153.
    """
    daily = spam_source_daily.with_columns(period_code=pl.col("period_date").dt.strftime("%Y-%m"))
    is_located = pl.col("location_database").is_not_null()
    had_content = parse_expression(HAD_CONTENT)
    sends = (pl.col("spam_certain") > 0) & (pl.col("source_network") != "_U")
    # Tables of ranges age within weeks: a month may be located by several, and then the last is named.
    monthly = (
        daily.sort("period_date", *reversed(LOCATION))
        .group_by(KEY)
        .agg(
            *(pl.col(name).sum() for name in MEASURES),
            *(pl.col(name).filter(had_content).sum().alias(own) for name, own in CONTENT_NAMES.items()),
            *(pl.col(name).filter(is_located).last() for name in LOCATION),
            network_count=pl.col("source_network").filter(sends).n_unique().cast(pl.Int64),
            day_count=pl.col("period_date").n_unique().cast(pl.Int64),
            key_ids=pl.col("key_id").drop_nulls().unique(),
            location_count=pl.struct(LOCATION).filter(is_located).n_unique().cast(pl.Int64),
        )
    )
    has_senders = (pl.col("spam_certain") > 0) & pl.col("unit_code").is_in(SENT)
    united = pl.col("sender_sketch").fill_null(pl.lit([], dtype=sketch.LIST))
    # The senders of each month, from those of its days.
    sketched = daily.filter(pl.col("sender_sketch").is_not_null())
    lists = sketched.select(*KEY, sketch.unpack_hashes(pl.col("sender_sketch")))
    joined = monthly.join(
        merge_rows(lists, KEY, {"sender_sketch": "sketch"}), on=KEY, how="left", nulls_equal=True
    )
    rows = joined.with_columns(sender_sketch=sketch.pack_hashes(pl.when(has_senders).then(united)))
    is_cut = pl.col("key_ids").list.len() > 1
    rows = rows.with_columns(
        sender_sketch=pl.when(~is_cut).then("sender_sketch"),
        key_id=pl.when(~is_cut).then(pl.col("key_ids").list.first()),
    )
    return join_subscribers(rows.drop("key_ids"), operator).with_columns(
        spam_certain_rate=divide_by_thousands("spam_certain"),
        spam_possible_rate=divide_by_thousands("spam_possible"),
    )


def join_subscribers(rows: pl.DataFrame, operator: pl.DataFrame) -> pl.DataFrame:
    """The rows with the subscribers of their channel, or the one number for all, which stands under _T."""
    given = operator.select("operator_id", "subscribers").explode("subscribers").unnest("subscribers")
    of_channel = given.rename({"subscriber_count": "of_channel"})
    of_all = given.filter(pl.col("channel_code") == "_T").select("operator_id", of_all="subscriber_count")
    return (
        rows.join(of_channel, on=["operator_id", "channel_code"], how="left")
        .join(of_all, on="operator_id", how="left")
        .with_columns(subscriber_count=pl.coalesce("of_channel", "of_all"))
        .drop("of_channel", "of_all")
    )


def divide_by_thousands(measure: str) -> pl.Expr:
    """A measure per 1,000 subscribers, rounded half up at the sixth place; null without subscribers."""
    exact = pl.col(measure).cast(pl.Int128) * 1000 * 10**6
    subscribers = pl.col("subscriber_count").cast(pl.Int128)
    millionths = (2 * exact + subscribers) // (2 * subscribers)
    return (millionths.cast(pl.Decimal(38, 0)) * pl.lit(Decimal("0.000001"))).cast(pl.Decimal(20, 6))
