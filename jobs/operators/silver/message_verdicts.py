"""Verdicts of filters on messages: which of them stands, and what all of them contribute.

A verdict belongs to the queue file that it names, or to those with the message-id that it names. The former
lie in its bucket; the latter may lie anywhere: message_ids, ids_asked_for and find_routes decide, from two
numbers each, which buckets such a verdict goes to.
"""

import polars as pl

from jobs.operators.formats.registry import ENGINES_OF_ORIGIN
from jobs.operators.silver.bucketing import SEED
from jobs.operators.silver.hops import CLOCK_SLACK
from jobs.operators.silver.type_evidence import is_pure, is_strong, row_evidence, strong_type, type_of

IDS = pl.Schema({"id": pl.UInt64, "bucket": pl.Int32})
ENGINE_TYPES = pl.List(
    pl.Struct({"engine_code": pl.String, "spam_type_code": pl.String, "is_type_strong": pl.Boolean})
)
# Actions of a filter that mark a message and let it through.
TAGGING = [
    *("add header", "rewrite subject", "identified spam", "flagged as Spam but accepted"),
    *("Passed SPAM", "Passed SPAMMY"),
]
UNKNOWN = "UNKNOWN"
# Columns of the verdict that stands, by their names on the message.
STANDS = {
    "v_bytes": "message_bytes",
    "v_countermeasure_code": "countermeasure_code",
    "v_strategy_code": "strategy_code",
    "v_is_antispam": "is_antispam",
    "countermeasure_codes": "countermeasure_codes",
    "engine_code": "engine_code",
    "score": "score",
}


def id_of() -> pl.Expr:
    return pl.struct("operator_id", "message_id_hash").hash(SEED).alias("id")


def message_ids(rows: pl.DataFrame, bucket: int) -> pl.DataFrame:
    """The message-ids of placed transmissions, as hashes, and `bucket`, where these lie."""
    named = rows.filter(pl.col("message_id_hash").is_not_null())
    return named.select(id_of(), pl.lit(bucket).alias("bucket")).unique().cast(IDS)


def ids_asked_for(verdict: pl.DataFrame, bucket: int) -> pl.DataFrame:
    """The message-ids of verdicts that name no queue id, and `bucket`, where the verdicts lie."""
    return unplaced_verdicts(verdict).select(id_of(), pl.lit(bucket).alias("bucket")).unique().cast(IDS)


def unplaced_verdicts(verdict: pl.DataFrame) -> pl.DataFrame:
    return verdict.filter(pl.col("queue_id").is_null(), pl.col("message_id_hash").is_not_null())


def find_routes(questions: pl.DataFrame, ids: pl.DataFrame) -> pl.DataFrame:
    """A row per message-id that a bucket asks for and bucket with a file of it: id, bucket, to_bucket.

    The rows of one `id` must be together.
    """
    return questions.join(ids.rename({"bucket": "to_bucket"}), on="id")


def join_routes(verdict: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """The verdicts that name no queue id, once for each `bucket` that they go to."""
    # Several buckets may ask for one message-id.
    to = found.select("id", bucket="to_bucket").unique()
    return unplaced_verdicts(verdict).with_columns(id_of()).join(to, on="id").drop("id")


def choose_verdicts(rows: pl.DataFrame, verdict: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Choose the verdict that stands (STANDS) for each file with verdicts, found by queue id or message-id,
    and merge what all verdicts contribute.

    Of an engine its last verdict counts, and one that names the queue id before one that names the
    message-id, which a sender can choose; verdicts that call the message spam count beside each other and
    beside the last one before them that does not. Of those that count, the one that acted stands, one whose
    measure is against spam before others, and known before unknown measures; those that judge the origin
    alone stand only where there is no other.
    """
    files = rows.group_by("file").agg(
        pl.col("place", "first_at").first(),
        until=pl.col("last_at").max() + CLOCK_SLACK,
        operator_id=pl.col("operator_id").first(),
        message_id_hash=pl.col("message_id_hash").max(),
    )
    files = files.with_columns(pl.col("first_at") - CLOCK_SLACK, id_of())
    narrow = verdict.with_row_index("nr").select(
        "nr",
        "engine_code",
        "verdict_at",
        pl.col("queue_id").is_not_null().alias("is_exact"),
        pl.struct("operator_id", place_key="queue_id").hash(SEED).alias("place"),
        id_of(),
        pl.col("message_id_hash").is_not_null().alias("has_id"),
    )
    by_id = narrow.filter(~pl.col("is_exact"), "has_id")
    named = files.filter(pl.col("message_id_hash").is_not_null())
    span = ["file", "first_at", "until"]
    found = pl.concat(
        [
            narrow.filter("is_exact").join(files.select("place", *span), on="place"),
            by_id.join(named.select("id", *span), on="id"),
        ],
        how="diagonal",
    )
    pairs = found.filter(pl.col("verdict_at").is_between("first_at", "until")).select(
        "nr", "file", "engine_code", "is_exact", "verdict_at"
    )
    # Nearly every file has one verdict: only the others need groups.
    is_one = pairs.select(~pl.col("file").is_duplicated()).to_series()
    one = pairs.filter(is_one)
    several = pairs.filter(~is_one)
    alone, grouped = contribution_columns()
    order = ["is_of_spam", "is_acting", "is_against_spam", "is_known", "is_last", "verdict_at", "engine_code"]
    one = read_verdicts(one.with_columns(is_last=pl.lit(True)), verdict, names)
    several = read_verdicts(counting_pairs(several, verdict), verdict, names)
    return pl.concat(
        [one.select("file", *alone), several.sort(order).group_by("file").agg(grouped)],
        how="vertical_relaxed",
    )


def counting_pairs(pairs: pl.DataFrame, verdict: pl.DataFrame) -> pl.DataFrame:
    """The pairs that count, each engine's in order: its last verdict, or its last one that does not call the
    message spam and all that do since. is_last: whether it is the engine's last."""
    ordered = pairs.with_columns(
        verdict["verdict_hash"].gather(pairs["nr"]), verdict["is_spam"].gather(pairs["nr"])
    ).sort("file", "engine_code", "is_exact", "verdict_at", "verdict_hash")
    engine = pl.struct("file", "engine_code")
    ordered = ordered.with_columns(is_last=(engine != engine.shift(-1)).fill_null(True))
    # Few engines have two verdicts on a message.
    if ordered["is_last"].all():
        return ordered
    ends = pl.col("is_spam").fill_null(False).not_()
    later = ends.cast(pl.Int32).cum_sum(reverse=True).over("file", "engine_code") - ends.cast(pl.Int32)
    return ordered.filter(later == 0)


def read_verdicts(pairs: pl.DataFrame, verdict: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """The verdicts of pairs that count."""
    columns = [*STANDS.values(), "symbols", "spam_type_codes", "digest_hash", "fuzzy_hash", "subject_hash"]
    columns += ["filter_us", "verdict_at", "spam_type_code", "is_type_strong", "type_priority"]
    columns += ["action_name", "named_recipients"]
    rows = verdict.select(columns)[pairs["nr"]].with_columns(pairs["file", "is_exact", "is_last"])
    rows = rows.with_columns(
        row_evidence(names).alias("evidence"),
        strong=strong_type(),
        pure=pl.when(is_pure()).then(strong_type()),
        is_marked=pl.col("action_name").is_in(TAGGING).fill_null(False),
        is_of_spam=~pl.col("engine_code").is_in(ENGINES_OF_ORIGIN),
        is_acting=pl.col("countermeasure_code").is_not_null(),
        is_against_spam=pl.col("is_antispam").fill_null(False),
        is_known=(pl.col("countermeasure_code") != UNKNOWN).fill_null(False),
    )
    if not rows["is_last"].all():
        # What an engine records in several verdicts goes with its last one.
        of_engine = ["file", "engine_code"]
        rows = rows.with_columns(
            pl.col("evidence").min().over(of_engine),
            filter_us=pl.when("is_last").then(pl.col("filter_us").drop_nulls().last().over(of_engine)),
        )
    return rows.with_columns(
        engine_type=pl.struct(
            "engine_code",
            type_of("evidence", names).alias("spam_type_code"),
            is_strong("evidence").alias("is_type_strong"),
        )
    )


def contribution_columns() -> tuple[list[pl.Expr], list[pl.Expr]]:
    """Columns of a file from its only verdict, and from its verdicts in order, the one that stands last."""

    def quality_column(is_exact: pl.Expr) -> pl.Expr:
        return (
            pl.when(is_exact).then(pl.lit("exact")).otherwise(pl.lit("by_message_id")).alias("said_quality")
        )

    hashes = ("digest_hash", "fuzzy_hash", "subject_hash")
    alone: list[pl.Expr] = [
        *(pl.col(name).alias(new) for new, name in STANDS.items()),
        pl.col("symbols", "is_marked"),
        pl.col("named_recipients").alias("v_named"),
        pl.col("strong").alias("filters_strong"),
        pl.col("pure").alias("filters_pure"),
        pl.col("evidence").alias("filters_evidence"),
        pl.col("spam_type_codes").alias("filters_types"),
        pl.when("is_of_spam")
        .then(pl.concat_list("engine_type"))
        .otherwise(pl.lit([], dtype=ENGINE_TYPES))
        .alias("engine_types"),
        pl.col(*hashes, "filter_us"),
        quality_column(pl.col("is_exact")),
    ]
    flat = {"keep_nulls": False, "empty_as_null": False}
    is_last_spam = pl.col("is_of_spam") & pl.col("is_last")
    grouped = [
        *(pl.col(name).last().alias(new) for new, name in STANDS.items()),
        pl.col("symbols").list.explode(**flat),
        pl.col("is_marked").any(),
        pl.col("named_recipients").list.explode(**flat).alias("v_named"),
        pl.col("strong").str.join("").alias("filters_strong"),
        pl.col("pure").str.join("").alias("filters_pure"),
        pl.col("evidence").min().alias("filters_evidence"),
        pl.col("spam_type_codes").list.explode(**flat).alias("filters_types"),
        pl.col("engine_type")
        .filter(is_last_spam)
        .sort_by(pl.col("engine_code").filter(is_last_spam))
        .alias("engine_types"),
        pl.col(*hashes).max(),
        pl.when(pl.col("filter_us").count() > 0).then(pl.col("filter_us").sum()).alias("filter_us"),
        quality_column(pl.col("is_exact").any()),
    ]
    return alone, grouped
