"""Hops: a message that a filter takes and gives back leaves several queue files, and counts once.

The queue files of one message may lie in several buckets. Link ends find each other by hashes: a few numbers
per queue file that was handed off or may follow one (link_ends, find_parents, find_roots). The rows of
later hops then move to the bucket of the first (later_rows), and fold_hops() puts their outcome on the
first's rows.
"""

import datetime as dt

import polars as pl

from jobs.operators.silver.bucketing import SEED

# Not messages of anyone: the server's own bounces, and reports of spam, which are complaints.
NOT_COUNTED = ["dsn", "report"]
# Clocks of a mail server and its filter may differ by this much.
CLOCK_SLACK = dt.timedelta(minutes=10)
# A hand-off that names only the message-id is followed within this time.
HANDOFF = dt.timedelta(hours=1)
FILE = ["operator_id", "place_key", "file_key", "first_at"]
# What the last hop decides of a message.
FROM_LAST = [
    *("stage_code", "outcome_code", "outbound_link_id", "outbound_link_code", "destination_operator_id"),
    *("countermeasure_code", "strategy_code", "is_antispam"),
]
# Columns of the frames that pass between buckets.
ENDS = pl.Schema(
    [
        ("link", pl.UInt64()),
        ("is_parent", pl.Boolean()),
        ("file", pl.UInt64()),
        ("key", pl.UInt64()),
        ("bucket", pl.Int32()),
        ("first_at", pl.Datetime("us", "UTC")),
        ("until", pl.Datetime("us", "UTC")),
        ("file_key", pl.String()),
    ]
)


def place_files(transmission: pl.DataFrame) -> pl.DataFrame:
    """The transmissions that count, with the hash of their queue file: an attempt is a file of its own."""
    is_counted = ~pl.col("entry_code").is_in(NOT_COUNTED).fill_null(False)
    keys = [
        pl.coalesce("queue_id", "transmission_hash").alias("place_key"),
        pl.coalesce("queue_key", "transmission_hash").alias("file_key"),
    ]
    rows = transmission.filter(is_counted).with_columns(keys)
    return rows.with_columns(
        file=pl.struct(FILE).hash(SEED), place=pl.struct("operator_id", "place_key").hash(SEED)
    )


def link_ends(rows: pl.DataFrame, bucket: int) -> pl.DataFrame:
    """Ends of possible links of placed transmissions: `link`, of which two ends have the same, and the file.

    A hop is recognised by the queue id that the re-injecting client names, by the queue id that the filter
    answered with, or, through a pipe, by its message-id alone.

    Args:
        bucket: where the rows lie.
    """
    handed = rows.filter("is_handoff")
    follows = rows.filter(may_follow())
    if handed.is_empty() and follows.is_empty():
        return pl.DataFrame(schema=ENDS)

    def make_side(frame: pl.DataFrame, kind: str, value: str, slack: dt.timedelta | None) -> pl.DataFrame:
        frame = frame.filter(pl.col(value).is_not_null())
        is_parent = slack is not None
        return frame.select(
            pl.struct("operator_id", pl.lit(kind), value).hash(SEED).alias("link"),
            pl.lit(is_parent).alias("is_parent"),
            "file",
            pl.col("file_key").hash(SEED).alias("key"),
            pl.lit(bucket).alias("bucket"),
            "first_at",
            (pl.col("last_at") + slack if is_parent else pl.lit(None)).alias("until"),
            pl.col("file_key") if is_parent else pl.lit(None).alias("file_key"),
        ).cast(ENDS)

    unnamed = handed.filter(pl.col("next_queue_key").is_null())
    piped = follows.filter(pl.col("entry_code") == "pickup")
    found = pl.concat(
        [
            make_side(handed, "name", "queue_key", CLOCK_SLACK),
            make_side(handed, "answer", "next_queue_key", CLOCK_SLACK),
            make_side(unnamed, "message", "message_id_hash", HANDOFF),
            make_side(follows, "name", "previous_queue_key", None),
            make_side(follows, "answer", "queue_key", None),
            make_side(piped, "message", "message_id_hash", None),
        ]
    )
    # Recipients of one file have the same ends.
    return found.sort("until", nulls_last=False).unique(["link", "is_parent", "file"], keep="last")


def may_follow() -> pl.Expr:
    """Return whether a transmission may be a later hop: its client is own, or says by XFORWARD that it is a
    filter.

    Mail of all other clients would make the frames of ends as long as the log.
    """
    is_again = (pl.col("entry_code") == "reinjection").fill_null(False)
    return pl.col("previous_queue_key").is_not_null() | pl.col("is_own_client") | is_again


def find_unfolded(transmission: pl.LazyFrame) -> pl.DataFrame:
    """Messages that came back from a filter and count twice, because the address of the filter, or of the
    client that it came back by, is not own: a row per operator, source and network of the client.

    The server that took the message answered with the queue id of another one in the same log. The network
    is null where the client's address is own, or is not the filter's but by XFORWARD another's.

    Of a large log all hand-offs beside all files would not fit in memory: hashes find the few that matter.
    """
    by = ["operator_id", "queue_key"]
    link = pl.struct(by).hash(SEED)
    handed = transmission.filter(pl.col("next_queue_key").is_not_null()).select(
        "operator_id",
        "is_handoff",
        queue_key="next_queue_key",
        parent_first_at="first_at",
        until=pl.col("last_at") + CLOCK_SLACK,
    )
    parents = handed.select("is_handoff", link=link).collect(engine="streaming").lazy()
    is_other = (pl.col("entry_code") == "reinjection") & pl.col("previous_queue_key").is_null()
    came = transmission.filter(
        pl.col("queue_key").is_not_null(), ~pl.col("entry_code").is_in(NOT_COUNTED)
    ).select(
        *(*by, "source_id", "recipient_hash", "period_date", "first_at"),
        may_follow=may_follow(),
        client_network=pl.when(~pl.col("is_own_client"), ~is_other).then("client_network"),
        link=link,
    )
    # What was handed off, and may follow, is folded.
    narrow = came.select("link", "may_follow")
    matched = pl.concat(
        [
            narrow.filter(~pl.col("may_follow").fill_null(False)).join(parents, on="link", how="semi"),
            narrow.filter("may_follow").join(parents.filter(~pl.col("is_handoff")), on="link", how="semi"),
        ]
    ).collect(engine="streaming")
    not_folded = came.join(matched.lazy(), on="link", how="semi").collect(engine="streaming")
    of_these = handed.join(not_folded.lazy().select(by).unique(), on=by, how="semi")
    return (
        not_folded.lazy()
        .join(of_these, on=by)
        .filter(
            pl.col("first_at").is_between("parent_first_at", "until"),
            ~(pl.col("is_handoff") & pl.col("may_follow")),
        )
        .select(*by, "source_id", "recipient_hash", "period_date", "client_network")
        .unique()
        .group_by("operator_id", "source_id", "client_network")
        .agg(
            messages=pl.col("queue_key").n_unique(),
            recipients=pl.len(),
            since=pl.col("period_date").min(),
        )
        .sort("operator_id", "source_id", "client_network")
        .collect(engine="streaming")
    )


def find_parents(found: pl.DataFrame) -> pl.DataFrame:
    """Find the best parent of each file that may be a later hop, by the ends that share links.

    The rows of one `link` must be together. Of the candidates of several cuts choose_earliest() chooses.
    """
    parents = found.filter("is_parent").drop("is_parent").rename(lambda name: f"parent_{name}")
    children = found.filter(~pl.col("is_parent")).select("link", "file", "key", "bucket", "first_at")
    pairs = children.join(parents, left_on="link", right_on="parent_link").filter(
        pl.col("first_at").is_between("parent_first_at", "parent_until"),
        pl.col("key") != pl.col("parent_key"),
    )
    columns = ["file", "bucket", "parent_file", "parent_bucket", "parent_first_at", "parent_file_key"]
    return choose_earliest(pairs.select(columns))


def choose_earliest(pairs: pl.DataFrame) -> pl.DataFrame:
    """Choose the earliest of each file's parents."""
    order = ["parent_first_at", "parent_file_key", "parent_file"]
    return pairs.sort(order).unique("file", keep="first", maintain_order=True)


def find_roots(found: pl.DataFrame) -> pl.DataFrame:
    """Find, from all candidates, the first hop's file and the depth of each file that is a later hop."""
    step = choose_earliest(found)
    return join_roots(step, step)


def join_roots(step: pl.DataFrame, parents: pl.DataFrame) -> pl.DataFrame:
    """The first hop's file and the depth of files with their parents.

    Args:
        parents: of those parents that are later hops, too. A parent's parent is the first hop; there is no
            third.
    """
    above = parents.select(parent_file="file", above="parent_file", above_bucket="parent_bucket")
    return step.join(above, on="parent_file", how="left").select(
        "file",
        "bucket",
        pl.coalesce("above", "parent_file").alias("root"),
        pl.coalesce("above_bucket", "parent_bucket").alias("root_bucket"),
        pl.when(pl.col("above").is_null()).then(1).otherwise(2).cast(pl.Int8).alias("depth"),
    )


def later_rows(rows: pl.DataFrame, links: pl.DataFrame) -> pl.DataFrame:
    """The placed transmissions of later hops, with their first hop's file and `bucket`, where they belong."""
    decided = links.select("file", "root", "depth", bucket="root_bucket")
    columns = ["recipient_hash", "transmission_hash", "last_at", "try_count", *FROM_LAST]
    return rows.join(decided, on="file").select("root", "bucket", "depth", *columns)


def fold_hops(rows: pl.DataFrame, links: pl.DataFrame, later: pl.DataFrame) -> pl.DataFrame:
    """One row per recipient of the message that came in, with the outcome of its last hop.

    A recipient that only a later hop has is an alias that was expanded there: not counted.

    Args:
        links: of files that lie here.
        later: rows of later hops whose first hop lies here.
    """
    if not links.is_empty():
        rows = rows.join(links.select("file"), on="file", how="anti", maintain_order="left")
    if later.is_empty():
        return rows
    last = (
        later.sort("depth", "transmission_hash")
        .group_by("root", "recipient_hash")
        .agg(
            pl.col(*FROM_LAST).last().name.prefix("hop_"),
            hop_last_at=pl.col("last_at").max(),
            hop_tries=pl.col("try_count").sum(),
            is_hopped=pl.lit(True),
        )
    )
    joined = rows.join(
        last,
        left_on=["file", "recipient_hash"],
        right_on=["root", "recipient_hash"],
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )
    return joined.with_columns(
        *(pl.when("is_hopped").then(f"hop_{name}").otherwise(name).alias(name) for name in FROM_LAST),
        last_at=pl.max_horizontal("last_at", "hop_last_at"),
        try_count=pl.col("try_count") + pl.col("hop_tries").fill_null(0),
    ).drop("is_hopped", "hop_last_at", "hop_tries", *(f"hop_{name}" for name in FROM_LAST))
