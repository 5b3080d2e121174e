"""SIP: from the rows of accounting to one row per call attempt, or per instant message.

A call attempt is an INVITE outside a dialog, by its Call-ID and the caller's tag. It leaves a row for each
branch that it was forked to, for each challenge that it answered, for each proxy and log that saw it, and
a second one for a refusal; re-INVITEs and the BYE are rows of the same call. What belongs together is told
so:

1. Rows between the same two tags are of one dialog, whichever side sent them: the earliest INVITE tells
   who called. So the callee's re-INVITE or BYE, whose From is the callee, makes no call.
2. INVITEs of one caller's tag are one attempt, unless REUSED_AFTER lies between: broken clients use their
   ids again.
3. CDRs and script lines go to the attempt of their Call-ID that is nearest in time.

Nothing else makes a call: what a proxy drops before accounting (pike, htable bans) is logged without ids, a
line for each retransmission or none, so it cannot be counted.

A MESSAGE (RFC 3428) opens no dialog, and clients keep one Call-ID for a conversation, so its rows are told
apart by the answer's tag; a challenge and what follows it are one.

Outcome, by the code that the caller got (2xx before 6xx before others, challenges last):

    2xx                              delivered at delivery
    CALL_REFUSALS                    rejected at connect: somebody, or some rule, says no to this call
    any other from 300               bounced at delivery: busy, no answer, cancelled, failed on the way
    none from 200                    queued: only provisional replies are logged yet
"""

import datetime as dt
import hashlib
from functools import partial
from typing import Any

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.operators.formats import TRANSMISSION
from jobs.operators.formats.format import CopyRules, LineFormat
from jobs.operators.formats.shared.fields import fill_rows
from jobs.operators.formats.sip.records import assemble

# Timer C of RFC 3261 gives a branch three minutes and more; who rings several in a row is done by now.
REUSED_AFTER = dt.timedelta(minutes=10)
# A dialog's own rows (session refreshes, hold) come for as long as a call lasts.
DIALOG_WITHIN = dt.timedelta(days=1)
# Timer F of RFC 3261: how long a request other than INVITE waits for its answer.
TRANSACTION_WITHIN = dt.timedelta(seconds=32)

CHALLENGES = ["401", "407"]
# Credentials or rights (401, 403, 407), the number (404, 410, 484, 604), identity and consent (428 to 438,
# 470), the called side or its network (603, 607 of RFC 8197, its draft's 666, 608 of RFC 8688).
CALL_REFUSALS = ["401", "403", "404", "407", "410", "428", "429", "433", "436", "437", "438", "470", "484"]
CALL_REFUSALS += ["603", "604", "607", "608", "666"]
_CONTENT = r"(?i)spam|scam|phish|fraud|content"
_KEY = ["operator_id", "call_id"]
_ORDER = ["first_at", "source_id", "stream_id", "offset"]
_FIRST = ["sender", "recipient", "client_ip", "inbound_link", "outbound_link", "account", "log_text", "text"]
_FIRST += ["display_name", "user_agent", "verstat", "attestation_code", "origid"]


def join_calls(bronze: pl.LazyFrame, format_code: str) -> pl.LazyFrame:
    """Rows of TRANSMISSION from accounting rows of calls and instant messages."""
    tags = pl.col("from_tag", "to_tag").fill_null("")
    rows = bronze.with_columns(tags).sort(*_KEY, *_ORDER).with_row_index("_order").collect()
    # For each two tags of INVITEs the caller's: who sent the first one.
    pairs = (
        _order_tags(rows.filter(pl.col("method") == "INVITE"))
        .group_by(*_KEY, "_low", "_high")
        .agg(_caller=pl.col("from_tag").sort_by("_order").first())
    )
    invites = _numbered_invites(rows.filter(pl.col("method") == "INVITE"), pairs)
    messages = _numbered_messages(rows.filter(pl.col("method") == "MESSAGE"))
    messages = messages.with_columns(_call=pl.col("_call") + pl.lit(len(invites), dtype=pl.Int64))
    opened = pl.concat([invites, messages])
    rest = rows.filter(pl.col("method").is_null() | (pl.col("method") == "BYE"))
    between_tags = opened.select(*rows.columns, "_call", _is_by_id=pl.lit(False))
    whole = pl.concat([between_tags, _attach_to_calls(rest, opened, pairs)])
    return _describe_calls(_decide_calls(whole), format_code)


def proxy_format(name: str, **stated: Any) -> LineFormat:
    """The format of accounting rows of SIP proxies.

    Args:
        stated: the fields of LineFormat that are its own.
    """
    return LineFormat(
        name=name,
        channels=("VOICE_IP", "IM"),
        # A call may last for hours and its BYE is a row of its own.
        lookback_days=2,
        assemble=assemble,
        transmissions=partial(join_calls, format_code=name),
        rules_of=("sip",),
        copies=CopyRules(names_hosts=True),
        has_numbers=True,
        **stated,
    )


def _order_tags(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with the two tags in an order that does not depend on who asked."""
    return rows.with_columns(
        _low=pl.min_horizontal("from_tag", "to_tag"), _high=pl.max_horizontal("from_tag", "to_tag")
    )


def _numbered_invites(invites: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """The rows with `_caller`, and `_call`, which separates call attempts."""
    paired = _order_tags(invites).join(pairs, on=[*_KEY, "_low", "_high"])
    other = pl.when(pl.col("_low") == pl.col("_caller")).then("_high").otherwise("_low")
    opened = pl.col("first_at").min().over(*_KEY, "_caller", "_other")
    is_in_dialog = (pl.col("_other") != "") & (pl.col("first_at") - opened <= DIALOG_WITHIN)
    ordered = (
        paired.with_columns(_other=other)
        .with_columns(_opened=pl.when(is_in_dialog).then(opened).otherwise("first_at"))
        .sort(*_KEY, "_caller", "_opened", "_order")
    )
    is_new = _differs_from_previous(*_KEY, "_caller") | (_time_since_previous() > REUSED_AFTER)
    return ordered.with_columns(_call=is_new.cast(pl.Int64).cum_sum())


def _numbered_messages(messages: pl.DataFrame) -> pl.DataFrame:
    opened = pl.col("first_at").min().over(*_KEY, "from_tag", "to_tag")
    is_same = (pl.col("to_tag") != "") & (pl.col("first_at") - opened <= TRANSACTION_WITHIN)
    ordered = messages.with_columns(
        _caller=pl.col("from_tag"), _opened=pl.when(is_same).then(opened).otherwise("first_at")
    ).sort(*_KEY, "_caller", "_opened", "to_tag", "_order")
    follows = pl.col("reply_code").shift(1).is_in(CHALLENGES) & (_time_since_previous() <= TRANSACTION_WITHIN)
    is_new = _differs_from_previous(*_KEY, "_caller") | (
        (_differs_from_previous("to_tag") | (_time_since_previous() > TRANSACTION_WITHIN))
        & ~follows.fill_null(False)
    )
    return ordered.with_columns(
        _call=is_new.cast(pl.Int64).cum_sum(), _low=pl.lit(""), _high=pl.lit(""), _other=pl.col("to_tag")
    ).select(*messages.columns, "_low", "_high", "_caller", "_other", "_opened", "_call")


def _differs_from_previous(*names: str) -> pl.Expr:
    return pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in names)


def _time_since_previous() -> pl.Expr:
    return (pl.col("_opened") - pl.col("_opened").shift(1)).fill_null(dt.timedelta(0))


def _attach_to_calls(rest: pl.DataFrame, opened: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """BYEs, CDRs and script lines with their `_call`; those whose call is not in the log are left out.

    A BYE goes to the latest attempt between its tags that was there by then.
    """
    starts = opened.group_by("_call", *_KEY, "_caller").agg(first_at=pl.col("_opened").min())
    starts = starts.sort("first_at", *_KEY, "_caller", "_call")
    named = _order_tags(rest).join(pairs, on=[*_KEY, "_low", "_high"], how="left").sort("first_at", "_order")
    is_stated = pl.col("_caller").is_not_null() & (pl.col("method") == "BYE").fill_null(False)
    by_tags = _join_nearest(named.filter(is_stated), starts, [*_KEY, "_caller"], "backward")
    loose = pl.concat([by_tags.filter(pl.col("_call").is_null()).drop("_call"), named.filter(~is_stated)])
    by_id = _join_nearest(loose.sort("first_at", "_order"), starts.drop("_caller"), _KEY, "nearest")
    found = pl.concat(
        [by_tags.select(by_id.columns).with_columns(_is_by_id=False), by_id.with_columns(_is_by_id=True)]
    )
    return found.filter(pl.col("_call").is_not_null()).select(*rest.columns, "_call", "_is_by_id")


def _join_nearest(rows: pl.DataFrame, starts: pl.DataFrame, by: list[str], strategy: str) -> pl.DataFrame:
    return rows.join_asof(
        starts,
        on="first_at",
        by=by,
        strategy=strategy,  # type: ignore[arg-type]
        check_sortedness=False,
    )


def _decide_calls(whole: pl.DataFrame) -> pl.DataFrame:
    """One row per call: its first rows' facts, the reply that decided, how long it was talked."""
    code = pl.col("reply_code")
    is_request = pl.col("method").is_in(["INVITE", "MESSAGE"]).fill_null(False)
    is_success = is_request & code.str.starts_with("2")
    rank = (
        pl.when(~is_request)
        .then(0)
        .when(is_success)
        .then(5)
        .when(code.str.starts_with("6"))
        .then(4)
        .when(code.str.starts_with("1") | (code == "000"))
        .then(1)
        .when(code.is_in(CHALLENGES))
        .then(2)
        .otherwise(3)
    )
    is_bye = (pl.col("method") == "BYE").fill_null(False)
    ranked = whole.with_columns(
        _is_request=is_request,
        _answer=pl.when(is_success).then("first_at"),
        _bye=pl.when(is_bye).then("first_at"),
        _good_bye=pl.when(is_bye & code.str.starts_with("2")).then("first_at"),
        _rank=rank,
        # A branch's reply is not what the caller got.
        _is_branch=pl.col("event_code") == "missed",
    ).sort("_call", "_order")
    best = ["_rank", "_is_branch", "first_at", "reply_code", "_order"]
    deciding = ranked.sort(
        "_call", *best, descending=[False, True, False, True, True, False], nulls_last=True
    ).unique("_call", keep="first", maintain_order=True)
    facts = ranked.group_by("_call", maintain_order=True).agg(
        pl.col("operator_id", "call_id").first(),
        pl.col("source_id", "stream_id", "offset").first(),
        pl.col("from_tag").filter("_is_request").first(),
        pl.col("method").filter("_is_request").first(),
        *(pl.col(name).drop_nulls().first() for name in _FIRST),
        # A CDR is written at the end; a script line before the answer.
        first_at=pl.col("first_at").filter("_is_request").min(),
        last_at=pl.col("first_at").max(),
        try_count=pl.col("to_tag").filter("_is_request").n_unique().cast(pl.Int32),
        _answered=pl.coalesce(pl.col("answered_at").min(), pl.col("_answer").min()),
        _ended=pl.coalesce(pl.col("_good_bye").max(), pl.col("_bye").max()),
        _stated_us=pl.col("talk_us").max(),
        # A Call-ID alone is what its caller chose, as a message-id is.
        join_quality=choose_code(
            by_message_id=pl.col("_is_by_id").any(), exact=pl.len() > 1, otherwise="none"
        ),
    )
    decision = deciding.select("_call", "_rank", "reply_code", "reply_text")
    return facts.join(decision, on="_call", maintain_order="left")


def _describe_calls(decided: pl.DataFrame, format_code: str) -> pl.LazyFrame:
    """The columns of TRANSMISSION."""
    is_call = pl.col("method") == "INVITE"
    outcome = choose_code(
        delivered=pl.col("_rank") == 5,
        queued=pl.col("_rank") == 1,
        rejected=pl.col("reply_code").is_in(CALL_REFUSALS),
        otherwise="bounced",
    )
    is_refused = pl.col("outcome_code") == "rejected"
    stage = choose_code(
        delivery=~is_refused,
        connect=is_call,
        content=pl.col("log_text").str.contains(_CONTENT).fill_null(False),
        otherwise="envelope",
    )
    passed = pl.col("outcome_code").is_in(["delivered", "queued"])
    span = (pl.col("_ended") - pl.col("_answered")).dt.total_microseconds()
    talk = pl.coalesce("_stated_us", pl.when(span >= 0).then(span))
    keyed = decided.with_columns(outcome_code=outcome, queue=_digest_keys(decided))
    known = {
        "format_code": pl.lit(format_code),
        "channel_code": pl.when(is_call).then(pl.lit("VOICE_IP")).otherwise(pl.lit("IM")),
        # An instant message is counted as an SMS is: taken over, or refused before that.
        "grain_code": choose_code(call=is_call, recipient=passed, otherwise="attempt"),
        "entry_code": pl.when(pl.col("account").is_null()).then(pl.lit("link")).otherwise(pl.lit("box")),
        "is_handoff": pl.lit(False),
        "is_authenticated": pl.col("account").is_not_null(),
        "stage_code": stage,
        "reply_code": pl.when(~passed).then("reply_code"),
        "reply_text": pl.when(~passed).then("reply_text"),
        "log_text": pl.when(~passed).then("log_text"),
        "is_partial": pl.lit(False),
        "attestation": pl.col("attestation_code"),
        "talk_us": pl.when(is_call & (pl.col("outcome_code") == "delivered")).then(talk),
    }
    return fill_rows(keyed.lazy(), TRANSMISSION, **known)


def _digest_keys(decided: pl.DataFrame) -> pl.Series:
    """The name of a call for `queue`: a Call-ID often has the caller's address, and silver keeps queues."""
    keys = zip(decided["call_id"].to_list(), decided["from_tag"].to_list(), strict=True)
    digests = [hashlib.blake2b(f"{call}|{tag}".encode(), digest_size=12).hexdigest() for call, tag in keys]
    return pl.Series("queue", ["call||" + digest for digest in digests], dtype=pl.String)
