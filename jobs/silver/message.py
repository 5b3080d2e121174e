"""silver.message: one row per message and recipient, or per attempt refused before a message existed.

Hops through filters are folded into the message that came in, temporary refusals into what followed
them, verdicts joined, attributes derived. Counting rules: README, "What is counted".
"""

from __future__ import annotations

import datetime as dt

from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F

from jobs.attributes import ATTRIBUTES
from jobs.formats import PRECEDENCE
from jobs.silver.knowing import known
from jobs.silver.telling import decided, evidence, of_engine
from jobs.silver.transit import transit

# Not messages of anyone: the server's own bounces, and reports of spam, which are complaints.
NOT_COUNTED = ["dsn", "report"]
# Actions of a filter that mark a message and let it through.
TAGGING = ["add header", "rewrite subject", "identified spam", "Passed SPAM", "Passed SPAMMY"]
UNDELIVERED = ["bounced", "deferred", "expired"]
# Clocks of a mail server and its filter may differ by this much.
CLOCK_SLACK = "INTERVAL 10 MINUTES"
FOLDING = "INTERVAL 24 HOURS"
# A hand-off that carries only the message-id is believed this long.
HANDOFF = "INTERVAL 1 HOUR"

VERIFIED = [
    *("R_SPF_ALLOW", "R_DKIM_ALLOW", "DMARC_POLICY_ALLOW"),
    *("SPF_PASS", "DKIM_VALID", "DKIM_VALID_AU", "DMARC_PASS"),
]
# They tell of a message's origin, and say nothing of spam.
ORIGIN_ENGINES = ["opendkim", "opendmarc"]
# Whatever is asked of a queue file, its rows and what filters said of it lie in one partition: the wide rows
# are moved once, and every join and window below finds them where they are.
PLACE = ["operator_id", "place_key"]
FILE = [*PLACE, "file_key", "first_at"]
# What the last hop decides of a message.
FROM_LAST = [
    *("stage_code", "outcome_code", "outbound_link_id", "outbound_link_code", "destination_operator_id"),
    *("reply_code", "dsn_code"),
    *("countermeasure_code", "strategy_code", "is_antispam"),
]
ENGINE_TYPES = "array<struct<engine_code:string,spam_type_code:string,is_type_strong:boolean>>"
RECIPIENT = ["recipient_hash", "recipient_domain", "is_own_recipient"]
TRIPLE = ["operator_id", "client_network", "sender_hash", "recipient_hash"]
# The only type of advertising that sells nothing.
NOT_SELLING = "AD.political"
# Where a row of a reference table has no start of its own (schemas/reference/NOTES.md).
NO_START = dt.date(1990, 1, 1)
# What only the work here needs.
NOT_KEPT = ["place_key", "queue_id", "named_by", "is_own_client", "is_own_recipient", "symbols"]


def transform(
    transmission: DataFrame, verdict: DataFrame, operator_knowledge: DataFrame, attribute_rule: DataFrame
) -> DataFrame:
    counted = transmission.filter(~F.coalesce("entry_code", F.lit("")).isin(NOT_COUNTED))
    told = with_verdicts(fold_hops(placed(counted)), verdict)
    marked = mark_message_rows(decide(name_all_recipients(told)))
    settled = fold_temporary_refusals(marked)
    attributed = settled.select("*", *attributes(attribute_rule), direction().alias("direction_code"))
    return known(attributed, operator_knowledge).drop(*NOT_KEPT)


def placed(transmission: DataFrame) -> DataFrame:
    """The rows with the keys of their queue file, those of one queue id in one partition.

    An attempt has no queue file: it is one of its own.
    """
    return transmission.withColumns(
        {
            "place_key": F.coalesce("queue_id", "transmission_hash"),
            "file_key": F.coalesce("queue_key", "transmission_hash"),
            "recipient_key": F.coalesce("recipient_hash", F.lit("")),
        }
    ).repartition(*PLACE)


def beside(rows: DataFrame) -> DataFrame:
    """The shorter side of a join, to be hashed, so that the other side is not sorted."""
    return rows.hint("shuffle_hash")


def fold_hops(transmission: DataFrame) -> DataFrame:
    """One row per recipient of the message that came in, with the outcome of its last hop.

    A recipient that only a later hop has is an alias that was expanded there: not counted.
    """
    links = hops(transmission)
    later = transmission.select(
        *FILE, "recipient_key", "transmission_hash", "last_at", "try_count", *FROM_LAST
    ).join(links, on=FILE, how="inner")
    last = (
        later.select("root.*", *(name for name in later.columns if name not in (*PLACE[1:], *FILE[2:])))
        .repartition(*PLACE)
        .groupBy(*FILE, "recipient_key")
        .agg(
            F.max_by(F.struct(*FROM_LAST), F.struct("depth", "transmission_hash")).alias("hop"),
            F.max("last_at").alias("hop_last_at"),
            F.sum("try_count").alias("hop_tries"),
        )
    )
    first = transmission.join(beside(links.select(*FILE)), on=FILE, how="left_anti")
    changed = {
        name: F.when(F.col("hop").isNull(), F.col(name)).otherwise(F.col(f"hop.{name}")) for name in FROM_LAST
    }
    changed |= {
        "last_at": F.greatest("last_at", "hop_last_at"),
        "try_count": F.col("try_count") + F.coalesce("hop_tries", F.lit(0)),
    }
    joined = first.join(beside(last), on=[*FILE, "recipient_key"], how="left")
    return joined.withColumns(changed).drop("hop", "hop_last_at", "hop_tries", "recipient_key")


def hops(transmission: DataFrame) -> DataFrame:
    """For each queue file that is a later hop: `root`, the file of the first, and its `depth`.

    A hop is known by the queue id that the re-injecting client names, by the queue id that the filter
    answered with, or, through a pipe, by its message-id alone.
    """
    by_name = F.concat(F.lit("name:"), "queue_key")
    by_answer = F.concat(F.lit("answer:"), "next_queue_key")
    by_message = F.when(F.col("next_queue_key").isNull(), F.concat(F.lit("message:"), "message_id_hash"))
    file = F.struct("first_at", "file_key", "place_key")
    parents = transmission.filter("is_handoff").select(
        "operator_id",
        F.explode(F.array(by_name, by_answer, by_message)).alias("link"),
        file.alias("parent"),
        F.col("last_at").alias("parent_last"),
    )
    is_piped = F.col("entry_code") == "pickup"
    is_again = F.coalesce(F.col("entry_code") == "reinjection", F.lit(False))
    may_follow = F.col("previous_queue_key").isNotNull() | F.col("is_own_client") | is_again
    children = transmission.filter(may_follow).select(
        "operator_id",
        F.explode(
            F.array(
                F.concat(F.lit("name:"), "previous_queue_key"),
                F.concat(F.lit("answer:"), "queue_key"),
                F.when(is_piped, F.concat(F.lit("message:"), "message_id_hash")),
            )
        ).alias("link"),
        file.alias("child"),
    )
    slack = F.when(F.col("link").startswith("message:"), F.expr(HANDOFF)).otherwise(F.expr(CLOCK_SLACK))
    in_time = F.col("child.first_at").between(F.col("parent.first_at"), F.col("parent_last") + slack)
    step = (
        parents.filter("link IS NOT NULL")
        .join(children.filter("link IS NOT NULL"), on=["operator_id", "link"], how="inner")
        .filter(in_time & (F.col("parent.file_key") != F.col("child.file_key")))
        .groupBy("operator_id", "child")
        .agg(F.min("parent").alias("parent"))
    )
    above = step.select("operator_id", F.col("child").alias("parent"), F.col("parent").alias("grandparent"))
    return (
        step.join(above, on=["operator_id", "parent"], how="left")
        .select(
            "operator_id",
            "child.*",
            F.coalesce("grandparent", "parent").alias("root"),
            F.when(F.col("grandparent").isNull(), 1).otherwise(2).alias("depth"),
        )
        .repartition(*PLACE)
    )


def with_verdicts(message: DataFrame, verdict: DataFrame) -> DataFrame:
    """Each message with `v`, the verdict that stands, found by queue id or by message-id, and what all said.

    Of an engine its last verdict counts, and one that names the queue id before one that names the
    message-id, which a sender can choose. Where engines differ, the one that did something stands; those
    that tell of the origin alone stand only where no other spoke.
    """
    said = F.struct(
        (~F.col("engine_code").isin(ORIGIN_ENGINES)).alias("is_of_spam"),
        F.col("countermeasure_code").isNotNull().alias("is_acting"),
        "verdict_at",
        "engine_code",
        "action_name",
        "score",
        "symbols",
        "filter_us",
        "named_recipients",
        F.col("message_bytes").alias("bytes"),
        F.struct("countermeasure_code", "strategy_code", "is_antispam").alias("acting"),
        "countermeasure_codes",
        evidence().alias("evidence"),
        "spam_type_codes",
        "digest_hash",
        "fuzzy_hash",
        "subject_hash",
    )
    files = message.groupBy(*FILE).agg(
        F.max("last_at").alias("until"), F.max("message_id_hash").alias("message_id_hash")
    )
    spoken = verdict.select(
        "operator_id",
        F.col("queue_id").alias("place_key"),
        F.col("message_id_hash").alias("named_id"),
        F.col("queue_id").isNotNull().alias("is_exact"),
        "verdict_hash",
        said.alias("said"),
    )
    places = files.filter("message_id_hash IS NOT NULL").select(
        "operator_id", "place_key", F.col("message_id_hash").alias("named_id")
    )
    by_message = spoken.filter("NOT is_exact").drop("place_key")
    found = spoken.filter("is_exact").unionByName(
        by_message.join(places.distinct(), on=["operator_id", "named_id"], how="inner")
    )
    is_of_file = F.col("is_exact") | (F.col("named_id") == F.col("message_id_hash"))
    in_time = F.col("said.verdict_at").between(
        F.col("first_at") - F.expr(CLOCK_SLACK), F.col("until") + F.expr(CLOCK_SLACK)
    )
    last = F.struct("is_exact", "said.verdict_at", "verdict_hash")
    told = (
        found.repartition(*PLACE)
        .join(beside(files), on=PLACE, how="inner")
        .filter(is_of_file & in_time)
        .groupBy(*FILE, "said.engine_code")
        .agg(F.max_by("said", last).alias("said"), F.max("is_exact").alias("is_exact"))
        .groupBy(*FILE)
        .agg(
            F.max("said").alias("v"),
            F.flatten(F.collect_list("said.symbols")).alias("symbols"),
            F.min("said.evidence").alias("filters_told"),
            F.flatten(F.collect_list("said.spam_type_codes")).alias("filters_types"),
            F.array_sort(F.collect_list(F.when(F.col("said.is_of_spam"), of_engine()))).alias("engine_types"),
            *(F.max(f"said.{name}").alias(name) for name in ("digest_hash", "fuzzy_hash", "subject_hash")),
            F.sum("said.filter_us").alias("filter_us"),
            F.when(F.max("is_exact"), "exact").otherwise("by_message_id").alias("said_quality"),
        )
    )
    joined = message.join(beside(told), on=FILE, how="left")
    quality = F.coalesce("said_quality", "join_quality_code", F.lit("none"))
    return joined.withColumn("join_quality_code", quality).drop("said_quality")


def name_all_recipients(message: DataFrame) -> DataFrame:
    """A refusal after DATA names one recipient of a message; the filter's log knows them all.

    `named_by` tells, where the filter named more, the server's recipient that a row is or was added to.
    Where the server has several rows of one message, mark_message_rows keeps what one of them added.
    """
    own = F.struct(*RECIPIENT)
    named = F.col("v.named_recipients")
    known = F.coalesce(F.col("is_partial") & (F.size(named) > 0), F.lit(False))
    others = F.filter(F.array_distinct(named), lambda one: one.recipient_hash != F.col("recipient_hash"))
    all_known = F.when(F.col("recipient_hash").isNull(), F.array_distinct(named)).otherwise(
        F.concat(F.array(own), others)
    )
    rows = message.withColumn("r", F.explode(F.when(known, all_known).otherwise(F.array(own))))
    is_added = known & ~F.col("r.recipient_hash").eqNullSafe(F.col("recipient_hash"))
    # What the server has not tried yet waits in its queue.
    waits = is_added & (F.col("stage_code") == "delivery")
    changed = {
        "outcome_code": F.when(waits, "queued").otherwise(F.col("outcome_code")),
        "try_count": F.when(~waits, F.col("try_count")).otherwise(0),
        "is_partial": F.col("is_partial") & ~known,
    }
    kept = [name for name in message.columns if name not in (*RECIPIENT, *changed)]
    return rows.select(
        *kept,
        *(value.alias(name) for name, value in changed.items()),
        *(F.col(f"r.{name}").alias(name) for name in RECIPIENT),
        F.when(known, F.coalesce("recipient_hash", F.lit("_U"))).alias("named_by"),
    )


def decide(message: DataFrame) -> DataFrame:
    """The outcome, the measure that acted, and the type, from what the server and the filter said."""
    marked = F.coalesce(F.col("v.action_name").isin(TAGGING), F.lit(False))
    tagged = (F.col("outcome_code") == "delivered") & marked
    by_filter = F.col("v").isNotNull() & (tagged | (F.col("stage_code") == "content"))
    # What another operator refused on delivery was no measure of this one.
    elsewhere = (F.col("stage_code") == "delivery") & F.col("outcome_code").isin(UNDELIVERED)
    passed = (F.col("outcome_code").isin("delivered", "queued") & ~tagged) | elsewhere

    def acting(name: str) -> Column:
        said = by_filter & F.col("v.acting.countermeasure_code").isNotNull()
        return F.when(said, F.col(f"v.acting.{name}")).when(~passed, F.col(name))

    verified = F.arrays_overlap("symbols", F.array(*map(F.lit, VERIFIED)))
    contributed = F.coalesce("v.countermeasure_codes", F.array().cast("array<string>"))
    place = F.concat_ws(":", "source_id", "stream_id", "offset")
    return message.select(
        "operator_id",
        F.to_date("first_at").alias("period_date"),
        F.md5(F.concat_ws("|", F.coalesce("queue_key", place), F.unix_micros("first_at"))).alias(
            "message_hash"
        ),
        F.coalesce("recipient_hash", F.lit("_U")).alias("recipient_hash"),
        "recipient_domain",
        "channel_code",
        "grain_code",
        F.when(tagged, "content").otherwise(F.col("stage_code")).alias("stage_code"),
        F.when(tagged, "tagged").otherwise(F.col("outcome_code")).alias("outcome_code"),
        "segment_count",
        "first_at",
        "last_at",
        "sender_hash",
        "sender_domain",
        "sender_kind_code",
        "sender_network_code",
        "sender_registered_domain",
        "client_network",
        "queue_id",
        "message_id_hash",
        "origin_claimed_code",
        F.when(verified, F.col("origin_claimed_code")).alias("origin_verified_code"),
        F.coalesce(verified, F.lit(False)).alias("is_origin_verified"),
        "origin_observed_code",
        "destination_code",
        "destination_operator_id",
        "source_asn",
        "location_database",
        "location_date",
        "inbound_link_id",
        "inbound_link_code",
        transit().alias("transit_code"),
        "outbound_link_id",
        "outbound_link_code",
        acting("countermeasure_code").alias("countermeasure_code"),
        acting("strategy_code").alias("strategy_code"),
        # What no measure acted on was not blocked: that is known, not unknown.
        F.when(passed, False).otherwise(acting("is_antispam")).alias("is_antispam"),
        contributed.alias("countermeasure_codes"),
        F.col("v.engine_code").alias("engine_code"),
        "join_quality_code",
        "filter_us",
        F.col("v.score").alias("score"),
        *decided(),
        F.coalesce("engine_types", F.array().cast(ENGINE_TYPES)).alias("engine_types"),
        F.coalesce("message_bytes", "v.bytes").alias("message_bytes"),
        *signature(),
        "try_count",
        "is_partial",
        "attestation_code",
        "origid_hash",
        "cell_hash",
        "talk_us",
        "source_id",
        "stream_id",
        "offset",
        "key_id",
        "is_own_client",
        "is_own_recipient",
        "symbols",
        "named_by",
        "place_key",
    )


def signature() -> list[Column]:
    """The best signature that the server or a filter has (jobs/signatures.py): text, fuzzy, digest, subject,
    envelope."""

    def of_server(kind: str) -> Column:
        return F.when(F.col("signature_kind_code") == kind, F.col("signature_hash"))

    known = {
        "text": of_server("text"),
        "fuzzy": F.col("fuzzy_hash"),
        "digest": F.col("digest_hash"),
        "subject": F.coalesce(of_server("subject"), "subject_hash"),
        "behaviour": of_server("behaviour"),
    }
    kind = F.coalesce(*(F.when(value.isNotNull(), F.lit(name)) for name, value in known.items()))
    return [
        kind.alias("signature_kind_code"),
        F.coalesce(*known.values()).alias("signature_hash"),
        F.col("signature_sketch"),
        F.col("is_text_short"),
    ]


def fold_temporary_refusals(message: DataFrame) -> DataFrame:
    """Leave out a temporary refusal that the same network, sender and recipient followed up in 24 hours."""
    temporary = (F.col("outcome_code") == "deferred") & F.col("stage_code").isin(
        "connect", "envelope", "content"
    )
    temporary &= F.col("client_network").isNotNull()
    in_turn = Window.partitionBy(*TRIPLE).orderBy("first_at", "message_hash")
    # If any row follows in time, the next one does.
    followed = F.lead("first_at").over(in_turn) <= F.col("first_at") + F.expr(FOLDING)
    answered = message.withColumn("is_followed", temporary & F.coalesce(followed, F.lit(False)))
    return answered.filter(~F.col("is_followed")).drop("is_followed")


def attributes(attribute_rule: DataFrame) -> list[Column]:
    """What symbols, types and the acting measure tell of each attribute; null where they tell nothing.

    A rule speaks of the days on which it holds.
    """
    rules = sorted(attribute_rule.collect(), key=lambda rule: (int(rule.priority), rule.pattern))
    return [
        attribute(name, kind, [rule for rule in rules if rule.attribute == name])
        for name, kind in ATTRIBUTES.items()
    ]


def attribute(name: str, kind: str, rules: list) -> Column:
    values = [F.when(told_by(rule), F.lit(rule.value).cast(kind)) for rule in rules]
    return F.coalesce(*values, F.lit(None).cast(kind)).alias(name)


def told_by(rule: Row) -> Column:
    """Whether the rule holds on a row's day and the row has its symbol, its type by a strong rule, or its
    measure. A pattern that ends in * fits what starts so."""
    found = fits(rule.match_on, rule.pattern)
    # Most rules have no start and no end: they cost no comparison.
    if rule.valid_from is not None and rule.valid_from > NO_START:
        found &= F.col("period_date") >= F.lit(rule.valid_from)
    if rule.valid_to is not None:
        found &= F.col("period_date") < F.lit(rule.valid_to)
    # `cause` says that nothing is sold, which it cannot where some rule, weak or strong, told that.
    return found & ~sells() if rule.value == "cause" else found


def sells() -> Column:
    """Whether any type that was told is of advertising for money, or of a fraud that looks like it."""
    return F.exists(
        "spam_type_codes",
        lambda code: (code.startswith("AD.") | code.startswith("FRAUD.")) & (code != NOT_SELLING),
    )


def fits(match_on: str, pattern: str) -> Column:
    if match_on == "symbol":
        return F.array_contains("symbols", pattern)
    column = F.col({"type": "spam_type_code", "countermeasure": "countermeasure_code"}[match_on])
    told = column.startswith(pattern[:-1]) if pattern.endswith("*") else column == pattern
    # A weak keyword may name a type, but not decide that something is spam.
    return told & F.col("is_type_strong") if match_on == "type" else told


def direction() -> Column:
    """Inbound, outbound, internal or transit, by whose client and whose recipient it is."""
    return (
        F.when(F.col("is_own_client") & F.col("is_own_recipient"), "internal")
        .when(F.col("is_own_client"), "outbound")
        .when(F.col("is_own_recipient"), "inbound")
        .otherwise("transit")
    )


def mark_message_rows(message: DataFrame) -> DataFrame:
    """Mark the one recipient that stands for its message: the outcome of highest precedence.

    Recipients that the filter named are left out where the server has a row of them, or added them twice.
    """
    of_message = Window.partitionBy(*PLACE, "message_hash")
    is_added = F.coalesce(F.col("named_by") != F.col("recipient_hash"), F.lit(False))
    servers = F.when(F.col("named_by") == F.col("recipient_hash"), F.col("recipient_hash"))
    rank = F.array_position(F.array(*map(F.lit, PRECEDENCE)), F.col("outcome_code"))
    # Only the server's own rows stand for a message, unless it has none.
    mine = F.struct(is_added.alias("is_added"), rank.alias("rank"), "recipient_hash")
    standing = (mine == F.min(mine).over(of_message)) & (F.col("grain_code") == "recipient")
    marked = message.select(
        "*",
        standing.alias("is_message_row"),
        F.min("named_by").over(of_message).alias("adding"),
        F.collect_set(servers).over(of_message).alias("servers"),
    )
    twice = is_added & (
        (F.col("named_by") != F.col("adding")) | F.array_contains("servers", F.col("recipient_hash"))
    )
    return marked.filter(~twice).drop("adding", "servers")
