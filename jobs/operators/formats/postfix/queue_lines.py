"""Lines of Postfix's queue files by their kind, each read into the fields of its event."""

import polars as pl

from jobs.operators.formats.postfix.refusals import NOT_IDS, session_of, subject_of

# Queue-file lines by the first four characters of what follows `QID: `.
KINDS = {
    "clie": "client",
    "uid=": "pickup",
    "mess": "message_id",
    "from": "queued",
    "to=<": "delivery",
    "remo": "removal",
    "milt": "refusal",
    "reje": "refusal",
    "disc": "refusal",
    "hold": "refusal",
    "send": "notice",
    "post": "notice",
}
# How the text of each kind begins, where its first four characters are not all.
PREFIXES: dict[str, pl.Expr] = {
    "client": pl.col("text").str.contains(r"^client=\S"),
    "pickup": pl.col("text").str.contains(r"^uid=\d"),
    "message_id": pl.col("text").str.starts_with("message-id="),
    "queued": pl.col("text").str.starts_with("from=<"),
    "removal": (pl.col("text") == "removed") | pl.col("text").str.starts_with("removed "),
    "refusal": pl.col("text").str.contains(
        r"^(?:milter-reject|milter-hold|milter-discard|reject|discard|hold): "
    ),
    "notice": pl.col("text").str.contains(r"^(?:sender|postmaster) .*notification: [0-9A-Za-z]+$"),
}

CODES = ["client", "pickup", "message_id", "queued", "delivery", "removal", "refusal", "notice"]

ID_WORD = r"^[0-9A-Za-z]{5,}$"

# What header_checks(5) and their like only remark, or do without refusing.
_REMARKED = r"(?i)^(?:warning|info|prepend|replace|redirect|filter|bcc|pass|strip|delay): header subject:"


def _read_client(some: pl.DataFrame) -> pl.DataFrame:
    """`client=name[ip]`, with what a login or a content filter's re-injection adds."""
    pieces = some["text"].str.slice(7).str.splitn(", ", 2).struct.unnest()
    who = pieces["field_0"].str.splitn("[", 2).struct.unnest()
    address = who["field_1"].str.splitn("]", 2).struct.unnest()
    rest = pieces["field_1"]
    typed = some.select(
        "row",
        pl.lit("entry").alias("event_code"),
        pl.col("head").alias("queue_id"),
        pl.lit("client").alias("status_code"),
        who["field_0"].alias("client_name"),
        address["field_0"].alias("client_ip"),
        address["field_1"].is_null().alias("is_cut"),
    )
    if rest.null_count() == len(rest):
        return typed
    typed = typed.with_columns(
        rest.str.extract(r"(?s)sasl_username=(.*?)(?:, [a-z_]+=|$)").alias("account"),
        rest.str.extract(r"orig_queue_id=([0-9A-Za-z]+)").alias("linked_queue_id"),
    )
    # Without a queue id before, the filter stood before the queue: whom it had it from is the client.
    origin = rest.str.extract_groups(r"orig_client=([^\s\[]*)\[([^\]]+)\]").struct.unnest()
    is_forwarded = origin["2"].is_not_null() & typed["linked_queue_id"].is_null()
    if not is_forwarded.any():
        return typed
    forwarded = pl.Series(["forwarded"]).new_from_index(0, typed.height)
    return typed.with_columns(
        forwarded.zip_with(is_forwarded, typed["status_code"]).alias("status_code"),
        origin["1"].zip_with(is_forwarded, typed["client_name"]).alias("client_name"),
        origin["2"].zip_with(is_forwarded, typed["client_ip"]).alias("client_ip"),
    )


def read_proxied(some: pl.DataFrame, envelope: pl.DataFrame) -> pl.DataFrame:
    """`NOQUEUE: client=name[ip]`: smtpd hands what this client sends to a filter before the queue."""
    client = _read_client(some).with_columns(*session_of(some, envelope))
    return client.filter(~pl.col("is_cut")).drop("is_cut", "queue_id")


def _read_pickup(some: pl.DataFrame) -> pl.DataFrame:
    """`uid=106 from=<address>`: handed in on this machine."""
    return some.select(
        "row",
        pl.lit("entry").alias("event_code"),
        pl.col("head").alias("queue_id"),
        pl.lit("pickup").alias("status_code"),
        pl.col("text").str.extract(r"(?s) from=<(.*)>").alias("sender"),
    )


def _message_id(some: pl.DataFrame) -> pl.DataFrame:
    bare = pl.col("text").str.slice(11).str.strip_chars(" ").str.strip_prefix("<").str.strip_suffix(">")
    return some.select(
        "row",
        pl.lit("message_id").alias("event_code"),
        pl.col("head").alias("queue_id"),
        pl.when(bare != "").then(bare).alias("message_id"),
    )


def read_subject(some: pl.DataFrame) -> pl.DataFrame:
    """`warning: header Subject: TEXT from name[ip]; …`."""
    # Most of the others have no queue id; they are set aside by the cheaper pattern.
    some = some.filter(pl.col("text").is_not_null() & pl.col("head").str.contains(ID_WORD))
    return (
        some.filter(pl.col("text").str.contains(_REMARKED) & ~pl.col("head").is_in(NOT_IDS))
        .select(
            "row",
            pl.lit("subject").alias("event_code"),
            pl.col("head").alias("queue_id"),
            subject_of(pl.col("text")).alias("subject"),
        )
        .filter(pl.col("subject").is_not_null())
    )


def _read_queued(some: pl.DataFrame) -> pl.DataFrame:
    """`from=<address>, size=444, nrcpt=1 (queue active)`, or `from=<address>, status=expired, …`."""
    pieces = some["text"].str.slice(6).str.splitn(">, size=", 2).struct.unnest()
    numbers = pieces["field_1"].str.splitn(", nrcpt=", 2).struct.unnest()
    count = numbers["field_1"].str.splitn(" ", 2).struct.field("field_0").cast(pl.Int32, strict=False)
    typed = some.select(
        "row",
        pl.lit("queued").alias("event_code"),
        pl.col("head").alias("queue_id"),
        pieces["field_0"].alias("sender"),
        numbers["field_0"].cast(pl.Int64, strict=False).alias("message_bytes"),
        count.alias("recipient_count"),
        count.is_null().alias("is_cut"),
    )
    if not typed["is_cut"].any():
        return typed
    ended = (
        some["text"].str.extract_groups(r"(?s)^from=<(.*)>, status=(?:force-)?(expired)\b").struct.unnest()
    )
    return typed.with_columns(
        pl.coalesce(ended["1"], "sender").alias("sender"),
        ended["2"].alias("status_code"),
        (pl.col("is_cut") & ended["2"].is_null()).alias("is_cut"),
    )


def _read_delivery(some: pl.DataFrame) -> pl.DataFrame:
    """`to=<a>, orig_to=<b>, relay=r, …, dsn=2.0.0, status=sent (reply)`."""
    halves = some["text"].str.slice(4).str.splitn(", status=", 2).struct.unnest()
    ways = halves["field_0"].str.splitn(">, relay=", 2).struct.unnest()
    names = ways["field_0"].str.splitn(">, orig_to=<", 2).struct.unnest()
    result = halves["field_1"].str.splitn(" (", 2).struct.unnest()
    return some.select(
        "row",
        pl.lit("delivery").alias("event_code"),
        pl.col("head").alias("queue_id"),
        names["field_0"].alias("recipient"),
        names["field_1"].alias("original_recipient"),
        ways["field_1"].str.splitn(", ", 2).struct.field("field_0").alias("relay"),
        ways["field_1"].str.splitn(", dsn=", 2).struct.field("field_1").alias("dsn_code"),
        result["field_0"].alias("status_code"),
        result["field_1"].str.strip_suffix(")").alias("reply_text"),
        (halves["field_1"].is_null() | ways["field_1"].is_null()).alias("is_cut"),
    )


def _read_removal(some: pl.DataFrame) -> pl.DataFrame:
    return some.select(
        "row",
        pl.lit("removal").alias("event_code"),
        pl.col("head").alias("queue_id"),
        pl.col("text").str.extract(r"^removed \((\w+)\)").alias("status_code"),
    )


def _read_notice(some: pl.DataFrame) -> pl.DataFrame:
    """`QID: sender non-delivery notification: QID2` shows that QID2 was made here."""
    return some.select(
        "row",
        pl.lit("notice").alias("event_code"),
        pl.col("text").str.extract(r": ([0-9A-Za-z]+)$").alias("queue_id"),
        pl.col("head").alias("linked_queue_id"),
    )


QUEUE_READERS = {
    "client": _read_client,
    "pickup": _read_pickup,
    "message_id": _message_id,
    "queued": _read_queued,
    "delivery": _read_delivery,
    "removal": _read_removal,
    "notice": _read_notice,
}
