"""Outcome, measure, type and transit of a message, from its transmissions and the verdicts on it."""

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.operators.formats import PRECEDENCE
from jobs.operators.protect.shapes import VERIFIED
from jobs.operators.silver.event_identity import digest_rows
from jobs.operators.silver.message_verdicts import UNKNOWN
from jobs.operators.silver.type_evidence import is_pure, is_strong, row_evidence, strong_type, type_of

# Links whose other end carries the traffic of third parties.
CARRIERS = ["hub", "aggregator", "roaming", "sim-farm"]


def transit_code() -> pl.Expr:
    """The kind of network in between; on-net where there is none; null where the log does not record it.

    A link to a carrier shows it: the inbound one before the outbound one. A call that a gateway signed
    (attestation C, RFC 8588) came in by that gateway, whichever link brought it on; origid identifies the
    gateway, and gold.bypass_indicator_daily counts gateways. Attestations A and B come from the network where
    the call began, which is no transit. The Received fields of a mail, which name its hops, are in no log
    that is read here. What comes in from the operator's own network for its own recipient stays in it: its
    route is on-net, and so is its transit.
    """
    inbound, outbound = (
        pl.when(pl.col(link).is_in(CARRIERS)).then(link)
        for link in ("inbound_link_code", "outbound_link_code")
    )
    gateway = pl.when(pl.col("attestation_code") == "C").then(pl.lit("hub"))
    stays = (pl.col("inbound_link_code") == "on-net") & pl.col("is_own_recipient")
    return pl.coalesce(inbound, gateway, outbound, pl.when(stays).then(pl.lit("on-net")))


UNDELIVERED = ["bounced", "deferred", "expired"]
MESSAGE = ["place", "message_hash"]
RECIPIENT = ["recipient_hash", "recipient_domain", "is_own_recipient"]


def name_all_recipients(rows: pl.DataFrame) -> pl.DataFrame:
    """A refusal after DATA names one recipient of a message; the filter's log names them all.

    Where the filter named more, `named_by` is the server's recipient that a row is or was added to, and
    `is_added` marks what was added. Where the server has several rows of one message, mark_message_rows keeps
    what one of them added.
    """
    is_known = (pl.col("is_partial") & (pl.col("v_named").list.len() > 0)).fill_null(False)
    server = pl.coalesce("recipient_hash", pl.lit("_U"))
    rows = rows.with_columns(named_by=pl.when(is_known).then(server), is_added=pl.lit(False))
    known = rows.filter(is_known).with_columns(is_partial=False).with_row_index("nr")
    if known.is_empty():
        return rows.drop("v_named")
    added = (
        known.select("nr", own="recipient_hash", named="v_named")
        .explode("named")
        .unnest("named")
        .unique(maintain_order=True)
        .filter(pl.col("own").is_null() | (pl.col("recipient_hash") != pl.col("own")))
        .select("nr", *RECIPIENT)
    )
    # Beside a recipient that the server names, the others wait in its queue. If it names none, its row holds
    # for all recipients.
    waits = (pl.col("stage_code") == "delivery") & (pl.col("named_by") != "_U")
    others = (
        known.drop(*RECIPIENT)
        .join(added, on="nr")
        .with_columns(
            outcome_code=pl.when(waits).then(pl.lit("queued")).otherwise("outcome_code"),
            try_count=pl.when(waits).then(0).otherwise("try_count"),
            is_added=pl.lit(True),
        )
    )
    return pl.concat(
        [
            rows.filter(pl.col("named_by").is_null()),
            known.filter(pl.col("recipient_hash").is_not_null()).select(rows.columns),
            others.select(rows.columns),
        ],
        how="vertical_relaxed",
    ).drop("v_named")


def decide_outcome(rows: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """The outcome, the measure that acted, and the type, from the server's rows and the filters' verdicts.

    Of the server's and the filter's measure the filter's acted, unless the server's says more: that it was
    one against spam, or which it was.
    """
    # A mark stays, whatever became of the message after it.
    marked = pl.col("is_marked").fill_null(False)
    tagged = (pl.col("outcome_code") == "delivered") & marked
    says_less = (pl.col("is_antispam").fill_null(False) & ~pl.col("v_is_antispam").fill_null(False)) | (
        (pl.col("v_countermeasure_code") == UNKNOWN) & (pl.col("countermeasure_code") != UNKNOWN)
    ).fill_null(False)
    # What another operator refused on delivery was no measure of this one.
    elsewhere = (pl.col("stage_code") == "delivery") & pl.col("outcome_code").is_in(UNDELIVERED)
    went_on = pl.col("outcome_code").is_in(["delivered", "queued"]) | elsewhere
    by_mark = went_on & marked
    by_filter = pl.col("engine_code").is_not_null() & (by_mark | (pl.col("stage_code") == "content"))
    passed = went_on & ~marked
    by_verdict = by_filter & pl.col("v_countermeasure_code").is_not_null() & (elsewhere | ~says_less)
    rows = rows.with_columns(
        is_tagged=tagged,
        is_passed=passed,
        is_marked=by_mark | (pl.col("outcome_code") == "tagged"),
        is_by_verdict=by_verdict,
        is_verified=pl.col("symbols").list.set_intersection([*VERIFIED]).list.len() > 0,
        best_evidence=pl.min_horizontal("filters_evidence", row_evidence(names)),
    )

    def acting_column(name: str) -> pl.Expr:
        return pl.when("is_by_verdict").then(f"v_{name}").when(~pl.col("is_passed")).then(name)

    none = pl.lit([], dtype=pl.List(pl.String))
    place = pl.concat_str("source_id", "stream_id", "offset", separator=":", ignore_nulls=True)
    key = digest_rows(rows, pl.coalesce("queue_key", place), pl.col("first_at").dt.epoch("us"), separator="|")
    kind, signature = best_signature()
    return rows.with_columns(
        key.alias("message_hash"),
        kind.alias("signature_kind_code"),
        signature.alias("signature_hash"),
        period_date=pl.col("first_at").dt.date(),
        recipient_hash=pl.coalesce("recipient_hash", pl.lit("_U")),
        stage_code=pl.when("is_tagged").then(pl.lit("content")).otherwise("stage_code"),
        outcome_code=pl.when("is_tagged").then(pl.lit("tagged")).otherwise("outcome_code"),
        origin_verified_code=pl.when("is_verified").then("origin_claimed_code"),
        is_origin_verified=pl.col("is_verified").fill_null(False),
        transit_code=transit_code(),
        countermeasure_code=acting_column("countermeasure_code"),
        strategy_code=acting_column("strategy_code"),
        # What no measure acted on was not blocked: that is known, not unknown.
        is_antispam=pl.when("is_passed").then(False).otherwise(acting_column("is_antispam")),
        countermeasure_codes=pl.col("countermeasure_codes").fill_null(none),
        join_quality_code=pl.coalesce("said_quality", "join_quality_code", pl.lit("none")),
        spam_type_code=type_of("best_evidence", names),
        is_type_strong=is_strong("best_evidence"),
        strong_types=pl.concat_str(strong_type(), "filters_strong", ignore_nulls=True),
        pure_types=pl.concat_str(pl.when(is_pure()).then(strong_type()), "filters_pure", ignore_nulls=True),
        spam_type_codes=list_types(rows),
        engine_types=pl.col("engine_types").fill_null(pl.lit([], dtype=rows.schema["engine_types"])),
        message_bytes=pl.coalesce("message_bytes", "v_bytes"),
    )


def list_types(rows: pl.DataFrame) -> pl.Series:
    """The types that the server and the filters found, each once, in order."""
    none = pl.lit([], dtype=pl.List(pl.String))
    servers, filters = (pl.col(name).fill_null(none) for name in ("spam_type_codes", "filters_types"))
    found = rows.select(
        pl.when(servers.list.len() > 0).then(servers).otherwise(filters).alias("types"),
        is_mixed=servers.list.len() + filters.list.len() > 1,
    )
    if not found["is_mixed"].any():
        return found["types"]
    # Few rows have more than one.
    mixed = rows.filter(found["is_mixed"]).select(
        types=filters.list.concat(servers).list.unique().list.sort()
    )
    place = found.select(
        pl.when("is_mixed").then(pl.col("is_mixed").cum_sum() - 1).cast(pl.UInt32).alias("place")
    )
    moved = mixed["types"].gather(place["place"])
    return found.select(pl.when("is_mixed").then(moved).otherwise("types").alias("types"))["types"]


def best_signature() -> tuple[pl.Expr, pl.Expr]:
    """Kind and value of the best signature that the server or a filter has
    (jobs/operators/protect/signatures.py):
    text, fuzzy, digest, subject, envelope."""

    def server_signature(kind: str) -> pl.Expr:
        return pl.when(pl.col("signature_kind_code") == kind).then("signature_hash")

    known = {
        "text": server_signature("text"),
        "fuzzy": pl.col("fuzzy_hash"),
        "digest": pl.col("digest_hash"),
        "subject": pl.coalesce(server_signature("subject"), "subject_hash"),
        "behaviour": server_signature("behaviour"),
    }
    kinds = (pl.when(value.is_not_null()).then(pl.lit(name)) for name, value in known.items())
    return pl.coalesce(*kinds), pl.coalesce(*known.values())


def decide_direction() -> pl.Expr:
    """Inbound, outbound, internal or transit, by whose client and whose recipient it is."""
    own_client, own_recipient = pl.col("is_own_client"), pl.col("is_own_recipient")
    return choose_code(
        internal=own_client & own_recipient, outbound=own_client, inbound=own_recipient, otherwise="transit"
    )


def mark_message_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Mark the one recipient that stands for its message: the outcome of highest precedence.

    Recipients that the filter named are left out where the server has a row of them, or added them twice.
    """
    rows = rows.with_row_index("nr")
    rank = pl.col("outcome_code").replace_strict(PRECEDENCE, range(len(PRECEDENCE)), default=-1)
    # Most messages have one row: only the others are put in order.
    columns = rows.select("nr", *MESSAGE, "is_added", "recipient_hash", "outcome_code")
    several = columns.filter(pl.col("place").is_duplicated()).with_columns(rank=rank)
    # Only the server's own rows stand for a message, unless it has none.
    order = ["is_added", "rank", "recipient_hash"]
    kept = several.sort(order).unique(MESSAGE, keep="first", maintain_order=True)["nr"]
    others = several.filter(~pl.col("nr").is_in(kept.implode()))["nr"]
    is_other = pl.col("nr").is_in(others.implode())
    marked = rows.with_columns(is_message_row=(pl.col("grain_code") == "recipient") & ~is_other)
    if not rows["is_added"].any():
        return marked.drop("nr")
    named = marked.filter(pl.col("named_by").is_not_null())
    servers = named.filter(~pl.col("is_added")).select(*MESSAGE, "recipient_hash").unique()
    adding = named.group_by(MESSAGE).agg(adding=pl.col("named_by").min())
    once = (
        named.filter("is_added")
        .join(servers, on=[*MESSAGE, "recipient_hash"], how="anti")
        .join(adding, on=MESSAGE)
        .filter(pl.col("named_by") == pl.col("adding"))
    )
    return marked.filter(~pl.col("is_added") | pl.col("nr").is_in(once["nr"].implode())).drop("nr")
