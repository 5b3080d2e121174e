"""Bulk: whether the same content was sent often enough, in a message's day and in the 29 before.

gold.campaign_daily has the copies of each campaign by day; ref.bulk_preset how many are bulk, where, and in
how many days. Campaigns of two days are one when they share a signature.

TRUE is proved. Laws count messages: the count is of messages to recipients that differ, day by day, so that
trying one number again makes no bulk, and the same words to the same people on another day are other
messages. Messages whose recipients no log names prove nothing. Nor do envelopes: 201 notices of a bank, or
calls of one number, each have their own content. "Your order has been sent" is the subject of many shops,
none of which needs to send in bulk: the copies of a subject are divided by its senders in the days that are
looked at.

FALSE is proved of texts alone, by the messages of all days that a preset looks at. Where anything else
differs, in a digest, an envelope or a subject, it may be the same mail to another name. A text is not bulk
where its own copies and DOUBT times those of texts that share a bucket with it stay below every preset: texts
that differ by a name share few of their buckets. A short text, most of which a name or two may change, is not
bulk only where no other shares a bucket with it; one with so few letters beside its links that it has no
sketch is always open. Links are no part of likeness, for each recipient may have a host. Laws speak of any 24
hours, which one UTC day may not hold: for a preset of one day the day before must not bring it over the line.
A day of which nothing is on record in the channel may have held anything: a preset of more than one day
disproves nothing until all its days are there. Days under another key of pseudonyms disprove nothing, either:
none of their texts is known again (decision 153). What copies of days under one key prove stays proved.

All else stays as the operator set it, else unknown: no built-in rule sets is_bulk
(docs/decisions/0064-attributes-only-where-implied.md).

A text of one part may be like that of another, so that a narrow pass over distinct texts comes first. For any
parts of the messages, cut anywhere:

    of_part = count_texts(message)                          for each part of the days and those before
    text    = merge_rows(concat(of_part), TEXT_KEY, TEXT_RULES)
                                                            all days of each operator and channel
    proof   = collect_evidence(text, campaign_daily, campaign_parameter, presets, days)
    message = fill_bulk(message, proof)                     for each part of the days

gold.bulk_daily counts messages by the evidence for is_bulk, so that it records why a message is bulk.

bulk_presets.days_of_texts() says how many days before. count_texts() reads the columns TEXT_COLUMNS only,
collect_evidence() of gold.campaign_daily CAMPAIGN_COLUMNS. collect_evidence() may be called for each
operator, or each operator and channel, alone.
"""

from collections.abc import Iterable
from typing import Any

import polars as pl

from jobs.base.tables import sketch
from jobs.operators.gold.shared.bulk_presets import Preset, first_reached, join_conditions
from jobs.operators.gold.shared.similarity import (
    CHANNEL_DAY,
    SIGNED,
    Thresholds,
    count_neighbours,
    sum_windows,
)

PROVES = ["text", "fuzzy", "digest", "subject"]
DISPROVES = "text"
# So many signatures of campaigns are looked at together.
ROWS = 1_000_000
# The columns that count_texts() reads.
TEXT_COLUMNS = [*SIGNED, "signature_sketch", "is_text_short", "key_id"]
TEXT_KEY = SIGNED
TEXT_RULES = {"signature_sketch": "first", "is_text_short": "first", "key_id": "first", "copies": "sum"}
# What proves that a signature is bulk: the campaign of its day, or the signature alone; the preset, and the
# copies that reach it.
REACHED = ["group_hash", "preset_code", "bulk_copy_count"]
# The columns of gold.campaign_daily that collect_evidence() reads.
CAMPAIGN_COLUMNS = [
    *(*CHANNEL_DAY, "campaign_hash", "signature_kind_code", "signature_hashes"),
    *("copy_count", "distinct_recipient_count", "sender_sketch"),
]


def count_texts(message: pl.DataFrame) -> pl.DataFrame:
    """Count the copies of each text that has a sketch; one row without signature_hash, of all other
    messages, for each operator, day and channel that has any."""
    has_sketch = pl.col("signature_sketch").is_not_null()
    others = message.filter(~has_sketch).select(*CHANNEL_DAY, "key_id").unique(CHANNEL_DAY)
    return pl.concat(
        [
            message.select(TEXT_COLUMNS)
            .filter(has_sketch)
            .group_by(SIGNED)
            .agg(
                pl.col("signature_sketch", "is_text_short", "key_id").first(),
                copies=pl.len().cast(pl.Int64),
            ),
            others.select(
                *CHANNEL_DAY,
                signature_hash=pl.lit(None, pl.String),
                signature_sketch=pl.lit(None, message.schema["signature_sketch"]),
                is_text_short=pl.lit(None, pl.Boolean),
                key_id="key_id",
                copies=pl.lit(None, pl.Int64),
            ),
        ]
    )


def collect_evidence(
    text: pl.DataFrame,
    campaign_daily: pl.DataFrame,
    campaign_parameter: pl.DataFrame,
    presets: list[Preset],
    days: pl.DataFrame,
) -> pl.DataFrame:
    """The evidence of bulk for the signatures of the days: operator_id, period_date, channel_code,
    signature_hash and is_bulk. TRUE: a preset is reached, and the columns REACHED name it; NULL: one may be.
    FALSE is in rows without signature_hash: texts of this operator, day and channel are not bulk unless a row
    of their own says otherwise.

    Args:
        text: from count_texts(), of the days and of those before that disprove (days_of_texts).
        campaign_daily: the rows of the days and of the 29 before.
        days: operator_id and period_date.
    """
    sketched = text.filter(pl.col("signature_hash").is_not_null())
    doubted = [
        possible_texts(sketched, thresholds, presets).filter(thresholds.is_in_force())
        for thresholds in Thresholds.list_thresholds(campaign_parameter)
    ]
    open_ = filter_days(pl.concat(doubted), days)
    bulky = reached_signatures(campaign_daily, presets, days)
    recorded = count_recorded_days(text, presets)
    ruled_out = recorded.filter(
        join_conditions(preset.is_in_force() for preset in presets)
        & ~join_conditions(preset.has_unseen_days() for preset in presets)
    )
    nothing = pl.lit(None, pl.String)
    by_nothing = [pl.lit(None, bulky.schema[name]).alias(name) for name in REACHED]
    return pl.concat(
        [
            bulky.select(*SIGNED, *REACHED, is_bulk=True),
            open_.join(bulky, on=SIGNED, how="anti").select(
                *SIGNED, *by_nothing, is_bulk=pl.lit(None, pl.Boolean)
            ),
            filter_days(ruled_out, days).select(
                *CHANNEL_DAY, nothing.alias("signature_hash"), *by_nothing, is_bulk=False
            ),
        ]
    )


def empty_evidence() -> pl.DataFrame:
    """Evidence of nothing."""
    kinds = {"period_date": pl.Date, "is_bulk": pl.Boolean, REACHED[-1]: pl.Int64}
    return pl.DataFrame(schema={name: kinds.get(name, pl.String) for name in (*SIGNED, *REACHED, "is_bulk")})


def fill_bulk(message: pl.DataFrame, evidence: pl.DataFrame) -> pl.DataFrame:
    """The messages with is_bulk as the evidence proves it, where the operator did not set it."""
    return join_evidence(message, evidence).with_columns(is_bulk=BULK).select(message.columns)


def join_evidence(message: pl.DataFrame, evidence: pl.DataFrame, more: Iterable[str] = ()) -> pl.DataFrame:
    """The messages with the evidence for their signature, or else that for all other signatures."""
    of_signature = evidence.filter(pl.col("signature_hash").is_not_null()).select(
        *SIGNED, *more, is_found=True, proved="is_bulk"
    )
    of_others = evidence.filter(pl.col("signature_hash").is_null()).select(*CHANNEL_DAY, disproved="is_bulk")
    return message.join(of_signature, on=SIGNED, how="left", maintain_order="left").join(
        of_others, on=CHANNEL_DAY, how="left", maintain_order="left"
    )


# Of messages beside the evidence: whether a text without a row of its own is ruled out, and what is_bulk is.
IS_LOOKED_UP = (pl.col("signature_kind_code") == DISPROVES) & pl.col("signature_sketch").is_not_null()
BULK = pl.coalesce("is_bulk", pl.when(pl.col("is_found")).then("proved").when(IS_LOOKED_UP).then("disproved"))


def possible_texts(text: pl.DataFrame, thresholds: Thresholds, presets: list[Preset]) -> pl.DataFrame:
    """The texts by operator, day and channel that may reach a preset."""
    windows = sorted({preset.evidence_days for preset in presets})
    return (
        count_neighbours(text, thresholds, windows)
        .filter(join_conditions(preset.is_possible() for preset in presets))
        .select(SIGNED)
    )


def count_recorded_days(text: pl.DataFrame, presets: list[Preset]) -> pl.DataFrame:
    """Count the days of each window that have messages under the day's key, by operator, day and channel, and
    say whether days of it have messages under another (is_cut)."""
    recorded = text.select(*CHANNEL_DAY, "key_id").unique(CHANNEL_DAY)
    day = recorded["period_date"].to_physical().to_numpy().astype("int64")
    windows = sorted({days for preset in presets for days in (preset.window_days, preset.evidence_days)})

    def count_days(*names: str) -> dict[int, Any]:
        series = recorded.select(pl.struct(names).rank("dense")).to_series().to_numpy()
        return sum_windows(series, day, (day * 0) + 1, windows)

    all_days = count_days("operator_id", "channel_code")
    alike = count_days("operator_id", "channel_code", "key_id")
    return recorded.with_columns(
        *(pl.Series(f"days_{days}", count) for days, count in alike.items()),
        *(pl.Series(f"is_cut_{days}", all_days[days] > count) for days, count in alike.items()),
    )


def reached_signatures(
    campaign_daily: pl.DataFrame, presets: list[Preset], days: pl.DataFrame
) -> pl.DataFrame:
    """The signatures by operator, day and channel that reach a preset, with the first that each reaches."""
    is_subject = pl.col("signature_kind_code") == "subject"
    listed = campaign_daily.filter(pl.col("signature_kind_code").is_in(PROVES)).select(
        *CHANNEL_DAY,
        "campaign_hash",
        "signature_hashes",
        copies=pl.min_horizontal("copy_count", "distinct_recipient_count"),
        is_subject=is_subject,
        senders=pl.when(is_subject).then("sender_sketch"),
    )
    asked = days.select("operator_id", "period_date").unique().sort("period_date")
    # So many days at a time that what they look at stays small.
    rows = int(listed["signature_hashes"].list.len().sum())
    step = max(1, ROWS // max(rows, 1))
    parts = [reached_in_days(listed, presets, part) for part in asked.iter_slices(step)]
    nothing = listed.clear().select(
        *CHANNEL_DAY,
        signature_hash="campaign_hash",
        group_hash="campaign_hash",
        preset_code=pl.lit(None, pl.String),
        bulk_copy_count=pl.lit(None, pl.Int64),
    )
    return pl.concat([nothing, *parts])


def reached_in_days(listed: pl.DataFrame, presets: list[Preset], days: pl.DataFrame) -> pl.DataFrame:
    """The presets that signatures reach on a few days."""
    ago = (pl.col("period_date") - pl.col("copy_date")).dt.total_days()
    is_asked = join_conditions(preset.is_in_force() & (ago < preset.window_days) for preset in presets)
    looked_at = (
        days.join(listed.rename({"period_date": "copy_date"}), on="operator_id", how="inner")
        .filter(ago >= 0, is_asked)
        .rename({"signature_hashes": "signature_hash"})
    )
    campaign = looked_at.drop("signature_hash")
    # The campaign of the day, or the signature alone where the day itself has too few copies.
    today = (
        listed.join(days, on=["operator_id", "period_date"], how="semi")
        .select(*CHANNEL_DAY, "signature_hashes", own_hash="campaign_hash")
        .explode("signature_hashes")
        .rename({"signature_hashes": "signature_hash"})
    )
    named = (
        looked_at.select(*CHANNEL_DAY, "copy_date", "campaign_hash", "signature_hash")
        .explode("signature_hash")
        .join(today, on=SIGNED, how="left")
        .with_columns(pl.coalesce("own_hash", "signature_hash").alias("own_hash"))
    )
    of_campaign = [*CHANNEL_DAY, "copy_date", "campaign_hash"]
    once = named.select(*of_campaign, "own_hash").unique().join(campaign, on=of_campaign, how="inner")
    windows = sorted({preset.window_days for preset in presets})
    own = [*CHANNEL_DAY, "own_hash"]
    counts = (
        once.group_by(own)
        .agg(pl.col("copies").filter(ago < days).sum().alias(f"copies_{days}") for days in windows)
        .join(count_senders(once.filter("is_subject"), windows), on=own, how="left")
        .with_columns(copies_per_sender(days) for days in windows)
        .with_columns(
            preset_code=first_reached([(preset, pl.lit(preset.code)) for preset in presets], pl.String),
            bulk_copy_count=first_reached(
                [(preset, pl.col(f"copies_{preset.window_days}")) for preset in presets], pl.Int64
            ),
        )
        .filter(pl.col("preset_code").is_not_null())
        .select(*own, *REACHED[1:])
    )
    return (
        named.select(*SIGNED, "own_hash")
        .unique()
        .join(counts, on=own)
        .select(*SIGNED, pl.col("own_hash").alias(REACHED[0]), *REACHED[1:])
    )


def count_senders(subject: pl.DataFrame, windows: list[int]) -> pl.DataFrame:
    """Count the senders in each window, by operator, day, channel and own_hash of subjects."""
    ago = (pl.col("period_date") - pl.col("copy_date")).dt.total_days()
    hashes = pl.col("senders").list.explode(keep_nulls=False, empty_as_null=False)
    each = subject.with_columns(sketch.unpack_hashes(pl.col("senders")))
    whole = each.select(*CHANNEL_DAY, "own_hash").unique()
    for days in windows:
        of_window = (
            each.filter(ago < days).group_by(*CHANNEL_DAY, "own_hash").agg(sketch.smallest_hashes(hashes))
        )
        counted = of_window.select(
            *CHANNEL_DAY, "own_hash", sketch.estimate_distinct(pl.col("senders")).alias(f"senders_{days}")
        )
        whole = whole.join(counted, on=[*CHANNEL_DAY, "own_hash"], how="left")
    return whole.with_columns(pl.col(f"senders_{days}").fill_null(0) for days in windows)


def copies_per_sender(days: int) -> pl.Expr:
    """The copies in a window; of a subject how many each of its senders sent on average."""
    copies, number = pl.col(f"copies_{days}"), pl.col(f"senders_{days}")
    each = pl.when(number > 0).then(copies // number).otherwise(0)
    return pl.when(number.is_null()).then(copies).otherwise(each).alias(copies.meta.output_name())


def filter_days(rows: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    return rows.join(days, on=["operator_id", "period_date"], how="semi")
