"""Bulk: whether what a message says was sent often enough, in its day and in the 29 before.

gold.campaign_daily has the copies of each campaign by day; ref.bulk_preset how many are bulk, where, and in
how many days. Campaigns of two days are one when they share a signature.

TRUE is proved. Laws count messages: what is counted is those to recipients that differ, day by day, so that
trying one number again makes no bulk, and the same words to the same people on another day are other
messages. Messages whose recipients no log names prove nothing. Nor do envelopes: 201 notices of a bank, or
calls of one number, say what they say. "Your order has been sent" is the subject of many shops, none of which
needs to send in bulk: what a subject came to is divided by its senders in the days that are looked at.

FALSE is proved of texts alone, by the messages of all days that a preset looks at. Whatever else differs in a
digest, an envelope or a subject may be the same mail to another name. A text is not bulk where its own copies
and DOUBT times those of texts that share a bucket with it stay below every preset: texts that differ by a
name share few of their buckets. A short text, most of which a name or two may change, is not bulk only where
no other shares a bucket with it; one that says so little beside its links that it has no sketch is always
open. Links are no part of what is alike, for each recipient may have a host. Laws speak of any 24 hours,
which one UTC day may not hold: for a preset of one day the day before must not bring it over the line. A day
of which nothing is on record in the channel may have held anything: a preset of more than one day disproves
nothing until all its days are there.

All else stays as the operator told it, else unknown: no rule of this project tells bulk (DECISIONS 64).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.errors import ObservatoryError
from jobs.gold.counting import covers
from jobs.gold.predicates import channels_of
from jobs.gold.similarity import Thresholds, company

# No preset may look further back than this: each day further is read again for every day that is counted, and
# makes one more day due again when a line comes late.
LONGEST_DAYS = 30
# The fewest days that a disproof looks at: 24 hours that end on a day began on the day before.
FEWEST_DAYS = 2
# Of the copies of a text that differs by a name, at least one in so many is counted in the buckets of each:
# at a likeness of 0.7 for 99 of 100 texts, of 0.55 for 85 to 97 (three wordings of 28 to 70 letters to 300
# names, under four keys). What is open of texts that nobody sent in bulk grows with traffic: of 73,000 lines
# of English in a day 3 in 100 share so much that 201 copies stay possible, in another sample 0.1, 0.6 and 1.6
# of 20,000, 40,000 and 80,000. Any shared bucket at all would leave 41 in 100 open at 73,000.
DOUBT = 8
PROVES = ["text", "fuzzy", "digest", "subject"]
DISPROVES = "text"
# The channel whose logs hold no texts.
WITHOUT_TEXTS = "EMAIL"
OWN = ["operator_id", "period_date", "channel_code"]


@dataclass(frozen=True)
class Preset:
    """A row of ref.bulk_preset: so many copies in so many days are bulk.

    operators: of the countries where it holds; None is all. channels likewise.
    """

    least_copies: int
    window_days: int
    operators: tuple[str, ...] | None
    channels: tuple[str, ...] | None
    valid_from: dt.date
    valid_to: dt.date | None

    def holds(self) -> Column:
        when = F.col("period_date") >= F.lit(self.valid_from)
        if self.valid_to is not None:
            when &= F.col("period_date") < F.lit(self.valid_to)
        if self.operators is not None:
            when &= F.col("operator_id").isin(*self.operators)
        return when & covers(self.channels)

    def certain(self) -> Column:
        return self.holds() & (F.col(f"copies_{self.window_days}") >= self.least_copies)

    def possible(self) -> Column:
        own, near = F.col(f"own_{self.looked_at}"), F.col(f"near_{self.looked_at}")
        is_near_enough = own + near * DOUBT >= self.least_copies
        return self.holds() & (is_near_enough | (F.col("is_text_short") & (near > 0)))

    def unseen(self) -> Column:
        """Whether some of its days are not on record; a message's own day is."""
        return self.holds() & (F.col(f"days_{self.window_days}") < self.window_days)

    @property
    def looked_at(self) -> int:
        """The days, the message's own last, whose texts tell that it was not reached."""
        return max(self.window_days, FEWEST_DAYS)


def presets(bulk_preset: DataFrame, operator: DataFrame) -> list[Preset]:
    """The presets, as they hold for the operators.

    Raises ObservatoryError that names a preset of a longer window than gold looks back.
    """
    countries: dict[str, list[str]] = {}
    for row in operator.collect():
        countries.setdefault(row.country_code, []).append(row.operator_id)
    found = []
    for row in bulk_preset.collect():
        if row.window_days > LONGEST_DAYS:
            raise ObservatoryError(
                f"bulk_preset.csv, row {row.preset_code}: a window of {row.window_days} days is longer than"
                f" the {LONGEST_DAYS} that gold looks back, so that the row would never apply; delete it"
            )
        where = None if row.jurisdiction == "_T" else tuple(countries.get(row.jurisdiction, []))
        of_channels = channels_of(row.channels)
        found.append(
            Preset(row.least_copies, row.window_days, where, of_channels, row.valid_from, row.valid_to)
        )
    return found


def days_of_texts(presets: list[Preset], operators: Iterable[str]) -> dict[str, int]:
    """For each operator how many days of texts, a message's own last, tell of bulk."""
    return {
        operator: max(
            [FEWEST_DAYS]
            + [
                preset.looked_at
                for preset in presets
                if (preset.operators is None or operator in preset.operators)
                and preset.channels != (WITHOUT_TEXTS,)
            ]
        )
        for operator in operators
    }


def any_of(conditions: Iterable[Column]) -> Column:
    return reduce(Column.__or__, conditions, F.lit(False))


def filled(
    message: DataFrame,
    seen: DataFrame,
    campaign_daily: DataFrame,
    campaign_parameter: DataFrame,
    presets: list[Preset],
    days: str,
) -> DataFrame:
    """The messages with is_bulk as they and their campaigns tell, where the operator did not.

    seen: the messages of the days and of those before that tell of their texts (days_of_texts).
    campaign_daily: the rows of the days and of the 29 before.
    days: a SQL condition, the operators' days that the messages are of.
    """
    doubted = [
        possible(seen, thresholds, presets).filter(thresholds.hold())
        for thresholds in Thresholds.of(campaign_parameter.collect())
    ]
    told = (
        reduce(DataFrame.unionByName, doubted)
        .filter(days)
        .withColumn("is_reached", F.lit(False))
        .unionByName(reached(campaign_daily, presets, days).withColumn("is_reached", F.lit(True)))
        .groupBy(*OWN, "signature_hash")
        .agg(F.max("is_reached").alias("is_reached"))
    )
    ruled_out = any_of(preset.holds() for preset in presets) & ~any_of(preset.unseen() for preset in presets)
    joined = message.join(told, on=[*OWN, "signature_hash"], how="left").join(
        F.broadcast(on_record(seen, presets).filter(days)), on=OWN, how="left"
    )
    is_looked_up = (F.col("signature_kind_code") == DISPROVES) & F.col("signature_sketch").isNotNull()
    proved = F.when(F.col("is_reached"), True).when(
        F.col("is_reached").isNull() & is_looked_up & ruled_out, False
    )
    return joined.withColumn("is_bulk", F.coalesce("is_bulk", proved)).select(message.columns)


def possible(seen: DataFrame, thresholds: Thresholds, presets: list[Preset]) -> DataFrame:
    """The texts by operator, day and channel that may reach a preset."""
    signature = (
        seen.filter("signature_sketch IS NOT NULL")
        .groupBy(*OWN, "signature_hash", "signature_sketch", "is_text_short")
        .agg(F.count("*").alias("copies"))
    )
    windows = sorted({preset.looked_at for preset in presets})
    return (
        company(signature, thresholds, windows)
        .filter(any_of(preset.possible() for preset in presets))
        .select(*OWN, "signature_hash")
    )


def on_record(seen: DataFrame, presets: list[Preset]) -> DataFrame:
    """By operator, day and channel how many days of each window have messages."""
    until = Window.partitionBy("operator_id", "channel_code").orderBy(F.unix_date("period_date"))
    windows = sorted({preset.window_days for preset in presets})
    counts = {f"days_{days}": F.count("*").over(until.rangeBetween(1 - days, 0)) for days in windows}
    return seen.select(*OWN).distinct().withColumns(counts)


def reached(campaign_daily: DataFrame, presets: list[Preset], days: str) -> DataFrame:
    """The signatures by operator, day and channel that reach a preset."""
    is_subject = F.col("signature_kind_code") == "subject"
    listed = campaign_daily.filter(F.col("signature_kind_code").isin(*PROVES)).select(
        *OWN,
        "campaign_hash",
        F.least("copy_count", "distinct_recipient_count").alias("copies"),
        is_subject.alias("is_subject"),
        F.when(is_subject, F.col("sender_sketch")).alias("sender_sketch"),
        F.explode("signature_hashes").alias("signature_hash"),
    )
    until = F.date_add("copy_date", LONGEST_DAYS - 1)
    looked_at = (
        listed.withColumnRenamed("period_date", "copy_date")
        .withColumn("period_date", F.explode(F.sequence("copy_date", until)))
        .filter(days)
    )
    ago = F.date_diff("period_date", "copy_date")
    # The campaign of the day, or the signature alone where the day itself has too few copies.
    today = listed.select(*OWN, "signature_hash", F.col("campaign_hash").alias("own_hash"))
    named = looked_at.join(today, on=[*OWN, "signature_hash"], how="left").withColumn(
        "own_hash", F.coalesce("own_hash", "signature_hash")
    )
    windows = sorted({preset.window_days for preset in presets})
    counts = (
        named.dropDuplicates([*OWN, "own_hash", "copy_date", "campaign_hash"])
        .groupBy(*OWN, "own_hash")
        .agg(*(of_all_or_each(ago < window).alias(f"copies_{window}") for window in windows))
        .filter(any_of(preset.certain() for preset in presets))
        .select(*OWN, "own_hash")
    )
    member = named.select(*OWN, "own_hash", "signature_hash").distinct()
    return member.join(counts, on=[*OWN, "own_hash"], how="inner").drop("own_hash")


def of_all_or_each(inside: Column) -> Column:
    """The copies in a window; of a subject how many each of its senders sent on average."""
    copies = F.sum(F.when(inside, F.col("copies")).otherwise(0))
    senders = F.theta_sketch_estimate(F.theta_union_agg(F.when(inside, F.col("sender_sketch"))))
    of_each = F.coalesce(F.floor(F.try_divide(copies, senders)), F.lit(0))
    return F.when(F.bool_or("is_subject"), of_each).otherwise(copies)
