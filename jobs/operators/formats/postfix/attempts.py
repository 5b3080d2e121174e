"""Attempts that Postfix refused: in sessions before there was a queue file, and in postscreen."""

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.operators.formats.postfix.deliveries import META, REFUSAL, decide_refusals, rows_of

# The last failed test of a postscreen session that stands for it.
_TESTS = [
    "DENYLISTED",
    "BLACKLISTED",
    "DNSBL",
    "PREGREET",
    "reject",
    "BARE NEWLINE",
    "NON-SMTP COMMAND",
    "COMMAND",
]
_LISTING_SLACK = pl.duration(minutes=1)


def session_rows(bronze: pl.DataFrame) -> pl.DataFrame:
    sessions = rows_of(bronze, "session", *META, "assembly_key", "process_id", "host", "refusals", "entries")
    sessions = sessions.filter(pl.col("refusals").list.len() > 0)
    sessions = sessions.sort(
        "operator_id", "assembly_key", "first_at", "stream_id", "offset", nulls_last=True
    )
    sessions = sessions.with_columns(pl.col("first_at").dt.epoch("s").alias("second")).with_columns(
        pl.int_range(pl.len()).over("operator_id", "assembly_key", "second").alias("ordinal")
    )
    ordinal = pl.when(pl.col("ordinal") > 0).then(pl.concat_str(pl.lit("|"), "ordinal")).otherwise(pl.lit(""))
    name = pl.concat_str(
        pl.col("host").fill_null(""), pl.lit("|"), "process_id", pl.lit("|"), "second", ordinal
    )
    return _gather_attempts(sessions.with_columns(name.alias("session")))


def _gather_attempts(sessions: pl.DataFrame) -> pl.DataFrame:
    """One row per session, sender and recipient; one without a recipient if the session has no other."""
    rows = sessions.select(
        *[name for name in META if name != "first_at"], "host", "session", "refusals"
    ).with_row_index("number")
    rows = _add_clients(_explode_refusals(rows), sessions)
    rows = decide_refusals(rows)
    is_kept = pl.col("outcome_code").is_in(["discarded", "quarantined"])
    named = pl.col("recipient").is_not_null() & ~pl.col("step_code").is_in(["VRFY", "ETRN"])
    rows = rows.with_columns(
        pl.when(named).then(pl.col("recipient")).alias("recipient"), is_kept.alias("is_kept")
    )
    # Refusals before RCPT are one attempt, and none where a recipient was refused.
    rows = rows.with_columns(pl.col("recipient").is_not_null().any().over("number").alias("has_recipient"))
    rows = rows.filter(pl.col("recipient").is_not_null() | ~pl.col("has_recipient"))
    rows = rows.with_columns(pl.when(pl.col("recipient").is_not_null()).then("sender").alias("per_sender"))
    rows = rows.group_by("number", "per_sender", "recipient", maintain_order=True).agg(
        pl.col("operator_id", "source_id", "stream_id", "session").first(),
        pl.col("event_offset").first().alias("offset"),
        pl.col("at").min().alias("first_at"),
        pl.col("at").max().alias("last_at"),
        pl.len().cast(pl.Int32).alias("try_count"),
        pl.col("is_kept", "sender", "client_ip", "client_name", "account", *REFUSAL).last(),
    )
    return rows.select(
        *META,
        "last_at",
        "session",
        pl.when("is_kept").then(pl.lit("recipient")).otherwise(pl.lit("attempt")).alias("grain_code"),
        pl.lit("smtp").alias("entry_code"),
        pl.lit(False).alias("is_handoff"),
        "sender",
        "recipient",
        "client_ip",
        "client_name",
        pl.col("account").is_not_null().alias("is_authenticated"),
        "account",
        *REFUSAL,
        "try_count",
        # A discard or hold speaks for the whole message, and names the recipient that caused it.
        pl.col("is_kept").alias("is_partial"),
    )


def _add_clients(rows: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """The refusals, those of a filter before the queue with the client that smtpd named before them."""
    rows = rows.with_columns(pl.lit(None, pl.String).alias("account"))
    nameless = rows["client_ip"].is_null()
    if not nameless.any():
        return rows
    named = (
        sessions.with_row_index("number")
        .filter(pl.col("entries").list.len() > 0)
        .select("number", pl.col("stream_id").alias("row_stream"), "entries")
        .explode("entries")
        .unnest("entries")
    )
    named = named.select(
        "number",
        pl.col("at").dt.truncate("1s").alias("named_second"),
        pl.coalesce("stream_id", "row_stream").alias("named_stream"),
        pl.col("offset").alias("named_offset"),
        pl.col("client_ip", "client_name", "account").name.prefix("named_"),
    )
    place = ["number", "stream_id", "event_offset"]
    second = pl.col("at").dt.truncate("1s")
    before = (
        pl.when(pl.col("named_stream") == pl.col("stream_id"))
        .then(pl.col("named_offset") < pl.col("event_offset"))
        .otherwise(pl.col("named_second") <= second)
    )
    found = (
        rows.filter(nameless)
        .select(*place, "at")
        .join(named, on="number", how="inner")
        .filter(before)
        .sort("named_second", "named_stream", "named_offset")
        .unique(place, keep="last", maintain_order=True)
    )
    own = {name: pl.coalesce(name, f"named_{name}") for name in ("client_ip", "client_name", "account")}
    return (
        rows.join(
            found.select(*place, *(f"named_{name}" for name in own)),
            on=place,
            how="left",
            maintain_order="left",
        )
        .with_columns(**own)
        .drop(f"named_{name}" for name in own)
    )


def _explode_refusals(rows: pl.DataFrame) -> pl.DataFrame:
    """The refusals of each row, with the stream and offset of their own line."""
    event = pl.col("refusals").struct
    rows = rows.explode("refusals")
    fields = rows["refusals"].struct.fields
    own = {"offset", "source_id", "stream_id"}
    return rows.select(
        *[name for name in rows.columns if name not in {"refusals", "offset", "source_id", "stream_id"}],
        *[event.field(name) for name in fields if name not in own],
        event.field("offset").alias("event_offset"),
        pl.coalesce(event.field("source_id"), "source_id").alias("source_id"),
        pl.coalesce(event.field("stream_id"), "stream_id").alias("stream_id"),
    )


def screen_rows(bronze: pl.DataFrame) -> pl.DataFrame:
    """postscreen: refused RCPTs, else the session's failed test; with the list that named the client."""
    screens = rows_of(bronze, "screen", *META, "last_at", "assembly_key", "client_port", "host", "refusals")
    screens = screens.with_row_index("screen")
    verbs = pl.col("refusals").list.eval(pl.element().struct.field("status_code"))
    screens = screens.filter(verbs.list.contains("reject") | ~verbs.list.contains("PASS"))
    session = pl.concat_str(
        pl.col("host").fill_null(""),
        pl.col("refusals").list.first().struct.field("client_ip"),
        "client_port",
        pl.col("first_at").dt.epoch("s"),
        separator="|",
    )
    rows = _attempts_of_screens(screens.with_columns(session.alias("session")))
    listings = rows_of(bronze, "listing", "operator_id", "assembly_key", "refusals")
    listings = listings.explode("refusals").select(
        "operator_id",
        "assembly_key",
        *[
            pl.col("refusals").struct.field(name).alias("listed_" + name)
            for name in ("at", "dnsbl_zone", "dnsbl_code")
        ],
    )
    found = _first_listings(rows.unique("screen", maintain_order=True), listings)
    rows = rows.join(found, on="screen", how="left")
    return rows.with_columns(
        pl.coalesce("dnsbl_zone", "listed_dnsbl_zone").alias("dnsbl_zone"),
        pl.col("listed_dnsbl_code").alias("dnsbl_code"),
    )


def _first_listings(screens: pl.DataFrame, listings: pl.DataFrame) -> pl.DataFrame:
    """Find each session's first listing of its client in its time; in its own list where it names one.

    A search in order, not all pairs: a client that comes back all day has as many listings as sessions.
    """
    client = pl.concat_str(pl.col("operator_id", "assembly_key").fill_null(""), separator="|")
    listings = listings.with_columns(client.alias("client")).sort(
        "listed_at", "listed_dnsbl_zone", maintain_order=True
    )
    screens = screens.select(
        "screen",
        client.alias("client"),
        "dnsbl_zone",
        (pl.col("opened_at") - _LISTING_SLACK).alias("since"),
        (pl.col("closed_at") + _LISTING_SLACK).alias("until"),
    ).sort("since")
    has_zone = pl.col("dnsbl_zone").is_not_null()
    of_zone = ["client", "dnsbl_zone"]
    found = []
    for some, by in ((screens.filter(~has_zone), ["client"]), (screens.filter(has_zone), of_zone)):
        named = listings.with_columns(pl.col("listed_dnsbl_zone").alias("dnsbl_zone"))
        named = named.unique([*by, "listed_at"], keep="first", maintain_order=True)
        found.append(
            some.select("screen", "since", "until", *by)
            .join_asof(
                named.select("listed_at", "listed_dnsbl_zone", "listed_dnsbl_code", *by),
                left_on="since",
                right_on="listed_at",
                by=by,
                strategy="forward",
                check_sortedness=False,
            )
            .filter(pl.col("listed_at") <= pl.col("until"))
            .select("screen", "listed_dnsbl_zone", "listed_dnsbl_code")
        )
    return pl.concat(found)


def _attempts_of_screens(screens: pl.DataFrame) -> pl.DataFrame:
    rows = screens.select(
        "screen",
        "operator_id",
        "source_id",
        "stream_id",
        "offset",
        "assembly_key",
        "session",
        "first_at",
        "last_at",
        "refusals",
    ).rename({"first_at": "opened_at", "last_at": "closed_at"})
    rows = _explode_refusals(rows)
    rows = rows.filter(pl.col("status_code").is_in(_TESTS))
    rank = pl.col("status_code").replace_strict(
        _TESTS, list(range(len(_TESTS))), default=99, return_dtype=pl.UInt8
    )
    rows = decide_refusals(rows).with_columns(rank.alias("rank"))
    is_test = pl.col("recipient").is_null()
    rows = rows.with_columns(
        (~is_test).any().over("screen").alias("has_recipient"),
        pl.when(is_test).then(pl.lit("connect")).otherwise("stage_code").alias("stage_code"),
        # postscreen answers 421 to a client that it has no process for (psc_smtpd.c).
        choose_code(
            deferred=is_test & (pl.col("status_code") == "reject") & pl.col("reply_code").is_null(),
            otherwise=pl.col("outcome_code"),
        ).alias("outcome_code"),
        pl.when(~is_test).then("sender").alias("sender"),
    )
    rows = rows.filter(~is_test | ~pl.col("has_recipient")).sort("rank", maintain_order=True)
    rows = rows.group_by("screen", "sender", "recipient", maintain_order=True).agg(
        pl.col(
            "operator_id", "source_id", "stream_id", "assembly_key", "session", "opened_at", "closed_at"
        ).first(),
        pl.col("event_offset").min().alias("offset"),
        pl.col("at").min().alias("first_at"),
        pl.col("at").max().alias("last_at"),
        pl.len().cast(pl.Int32).alias("try_count"),
        pl.col("client_ip", *REFUSAL).first(),
    )
    return rows.with_columns(
        pl.lit("attempt").alias("grain_code"),
        pl.lit("smtp").alias("entry_code"),
        pl.lit(False).alias("is_handoff"),
        pl.lit(False).alias("is_authenticated"),
        pl.lit(False).alias("is_partial"),
    )
