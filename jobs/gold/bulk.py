"""Bulk: whether what a message says was sent often enough, in its day and in the 29 before.

gold.campaign_daily has the copies of each campaign by day; ref.bulk_preset how many are bulk, where, and in
how many days. A copy is a message to one envelope recipient, or an attempt to one: laws count messages, and
no preset counts recipients that differ, so who gets a text twice counts twice. Campaigns of two days are one
when they share a signature.

What each kind of signature proves, where its copies reach a preset or cannot:

text, digest    bulk, and where no preset can be reached that a message was not: its text was told apart from
                all others
fuzzy           bulk. Not the opposite: copies that came before the storage learned the text are counted by
                their digests, and who shares a storage has seen the text elsewhere
subject         bulk, where its senders sent enough each. "Your order has been sent" is the subject of many
                shops, none of which needs to send in bulk: the copies of a subject are divided by its senders
                in the days that are looked at
behaviour       bulk, not the opposite
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.errors import ObservatoryError
from jobs.gold.counting import covers
from jobs.gold.predicates import channels_of
from jobs.gold.similarity import Thresholds

# No preset may look further back than this: each day further is read again for every day that is counted, and
# makes one more day due again when a line comes late.
LONGEST_DAYS = 30
DISPROVES = ["text", "digest"]
OWN = ["operator_id", "period_date", "channel_code"]


@dataclass(frozen=True)
class Preset:
    """A row of ref.bulk_preset: so many copies in so many days are bulk for the operators where it holds.

    slack: copies that campaigns too small for a row of gold.campaign_daily may have had in each day.
    """

    least_copies: int
    window_days: int
    holds: Column
    slack: int

    def certain(self) -> Column:
        return self.holds & (copies(self.window_days) >= self.least_copies)

    def possible(self) -> Column:
        unseen = (F.lit(self.window_days) - days_seen(self.window_days)) * self.slack
        return self.holds & (copies(self.window_days) + unseen >= self.least_copies)


def presets(bulk_preset: DataFrame, operator: DataFrame, campaign_parameter: DataFrame) -> list[Preset]:
    """The presets, as they hold for the operators.

    Raises ObservatoryError that names a preset of a longer window than gold looks back.
    """
    slack = Thresholds.of(campaign_parameter.collect()).least_copies_content - 1
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
        where = (
            F.lit(True)
            if row.jurisdiction == "_T"
            else F.col("operator_id").isin(countries.get(row.jurisdiction, []))
        )
        when = F.col("period_date") >= F.lit(row.valid_from)
        if row.valid_to is not None:
            when &= F.col("period_date") < F.lit(row.valid_to)
        found.append(
            Preset(row.least_copies, row.window_days, where & when & covers(channels_of(row.channels)), slack)
        )
    return found


def copies(window_days: int) -> Column:
    return F.col(f"copies_{window_days}")


def days_seen(window_days: int) -> Column:
    return F.col(f"days_{window_days}")


def any_of(conditions: list[Column]) -> Column:
    return reduce(Column.__or__, conditions, F.lit(False))


def filled(message: DataFrame, campaign_daily: DataFrame, presets: list[Preset], days: str) -> DataFrame:
    """The messages with is_bulk as their campaigns tell; what symbols told stays where they do not.

    TRUE where a preset is reached. FALSE where none can be and the kind of signature disproves: what else the
    sender sent is another thing.
    campaign_daily: the rows of the messages' days and of those before that the presets look back to.
    days: a SQL condition, the operators' days that the messages are of.
    """
    told = F.broadcast(reached(campaign_daily, presets, days))
    # Of what has no row of campaigns: a preset that so few may reach cannot be ruled out.
    ruled_out = any_of([preset.holds for preset in presets]) & ~any_of(
        [preset.holds & (preset.slack * preset.window_days >= preset.least_copies) for preset in presets]
    )
    joined = message.join(told, on=[*OWN, "signature_hash"], how="left")
    is_bulk = (
        F.when(F.col("is_reached"), True)
        .when(F.col("is_bulk").isNotNull(), F.col("is_bulk"))
        .when(F.col("is_reached").isNull() & F.col("signature_kind_code").isin(DISPROVES) & ruled_out, False)
    )
    return joined.withColumn("is_bulk", is_bulk).select(message.columns)


def reached(campaign_daily: DataFrame, presets: list[Preset], days: str) -> DataFrame:
    """Signatures by operator, day and channel that reach a preset (is_reached TRUE) or may (FALSE)."""
    is_subject = F.col("signature_kind_code") == "subject"
    listed = campaign_daily.select(
        *OWN,
        "campaign_hash",
        "copy_count",
        is_subject.alias("is_subject"),
        F.when(is_subject, F.col("sender_sketch")).alias("sender_sketch"),
        F.explode("signature_hashes").alias("signature_hash"),
    )
    until = F.date_add("copy_date", LONGEST_DAYS - 1)
    seen = (
        listed.withColumnRenamed("period_date", "copy_date")
        .withColumn("period_date", F.explode(F.sequence("copy_date", until)))
        .filter(days)
    )
    ago = F.date_diff("period_date", "copy_date")
    # The campaign of the day, or the signature alone where the day itself has too few copies.
    today = listed.select(*OWN, "signature_hash", F.col("campaign_hash").alias("own_hash"))
    named = seen.join(today, on=[*OWN, "signature_hash"], how="left").withColumn(
        "own_hash", F.coalesce("own_hash", "signature_hash")
    )
    windows = sorted({preset.window_days for preset in presets})
    inside = {window: ago < window for window in windows}
    counts = (
        named.dropDuplicates([*OWN, "own_hash", "copy_date", "campaign_hash"])
        .groupBy(*OWN, "own_hash")
        .agg(
            *(of_all_or_each(inside[window]).alias(f"copies_{window}") for window in windows),
            *(F.count_distinct(F.when(inside[w], F.col("copy_date"))).alias(f"days_{w}") for w in windows),
        )
        .filter(any_of([preset.possible() for preset in presets]))
        .select(*OWN, "own_hash", any_of([preset.certain() for preset in presets]).alias("is_reached"))
    )
    member = named.select(*OWN, "own_hash", "signature_hash").distinct()
    return member.join(counts, on=[*OWN, "own_hash"], how="inner").drop("own_hash")


def of_all_or_each(inside: Column) -> Column:
    """The copies in a window; of a subject how many each of its senders sent on average."""
    copies = F.sum(F.when(inside, F.col("copy_count")).otherwise(0))
    senders = F.theta_sketch_estimate(F.theta_union_agg(F.when(inside, F.col("sender_sketch"))))
    of_each = F.coalesce(F.floor(F.try_divide(copies, senders)), F.lit(0))
    return F.when(F.bool_or("is_subject"), of_each).otherwise(copies)
