"""Kannel: from the events of bronze to one row per SMS.

An SMS leaves up to a dozen lines: its tries, its parts, and reports on each. Reports are matched to what
they report on, in this order:

1. by the SMSC's id and the recipient, since one id may serve many recipients of one submission;
2. those that bearerbox wrote itself at submission (ACK, NACK), to the latest earlier SMS between the same
   two numbers, accepted or refused as the report says;
3. final ones without a usable id, to the latest earlier accepted SMS between the two numbers that still
   waits for its report.

`join_quality` tells the best way that a report was matched by: exact is the first, by_numbers the others.

A report that fits nothing (its SMS is older than the log, or it is one of the further reports on a long
SMS that bearerbox cut itself) makes no row.
"""

import datetime as dt

import polars as pl

from jobs.base.core.codes import choose_case, choose_code
from jobs.base.figures.counting_rules import RETRIED_WITHIN
from jobs.operators.formats import TRANSMISSION
from jobs.operators.formats.shared.fields import fill_rows
from jobs.operators.formats.shared.mobile import entry_code

INBOUND = ["received", "refused", "dropped"]
SUBMITTED = ["sent", "rejected", "failed", "discarded", "expired"]
# Reference numbers come round; parts further apart than this are of two messages.
PARTS_WITHIN = dt.timedelta(hours=1)
# Report masks of Kannel's User's Guide, "Delivery reports".
DELIVERED, UNDELIVERED, ASKS_DELIVERED, REFUSED = 1, 2, 1, 16

# Words by which an SMSC says that it was the content that it refused.
_CONTENT = r"(?i)spam|firewall|content|keyword|phish|smish|fraud|malicious|fingerprint|duplicate|\burl\b"
_NUMBERS = ["operator_id", "sender", "recipient"]
_ORDER = ["first_at", "source_id", "stream_id", "offset"]
# The outcome of a message in parts is that of its worst part: without it, the message cannot be read.
_SEVERITY = ["delivered", "queued", "deferred", "expired", "bounced", "discarded", "rejected"]


def transmissions(bronze: pl.LazyFrame) -> pl.LazyFrame:
    """One row per SMS: received from an SMSC, or submitted by a customer through a box."""
    numbered = bronze.sort("operator_id", *_ORDER).with_row_index("_order")
    events = _collect_once(numbered.with_columns(pl.col("_order").cast(pl.Int64)))
    units = _collect_once(_fold_tries(events.filter(pl.col("event_code").is_in(INBOUND + SUBMITTED))))
    reports = _collect_once(_read_reports(events.filter(pl.col("event_code") == "report")))
    matched = _collect_once(_match_reports(reports, units.filter(pl.col("event_code").is_in(SUBMITTED))))
    decided = _collect_once(_decide_outcomes(units, matched))
    return _join_parts(decided)


def _collect_once(frame: pl.LazyFrame) -> pl.LazyFrame:
    """The frame worked out: what reads it several times does not work it out again."""
    return frame.collect().lazy()


def _fold_tries(tries: pl.LazyFrame) -> pl.LazyFrame:
    """One row per SMS or part: a failed try folds into the next try of the same SMS.

    The row is placed by its first try and described by its last.
    """
    same = [*_NUMBERS, "_is_submitted", "_text_hash"]
    follows = (
        pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift(1)) for name in same)
        & (pl.col("event_code").shift(1) == "failed")
        & (pl.col("first_at") - pl.col("first_at").shift(1) <= RETRIED_WITHIN)
    ).fill_null(False)
    placed = ["source_id", "stream_id", "offset", "first_at"]
    ordered = (
        tries.with_columns(
            _text_hash=pl.struct("service", "coding", "udh", "text").hash(),
            _is_submitted=pl.col("event_code").is_in(SUBMITTED),
        )
        .sort(*same, "_order")
        .with_columns(_follows=follows)
        .with_columns(
            _unit=(~pl.col("_follows")).cum_sum().cast(pl.Int64),
            _is_single=~pl.col("_follows") & ~pl.col("_follows").shift(-1, fill_value=False),
            last_at=pl.col("first_at"),
            try_count=pl.lit(1, dtype=pl.Int32),
        )
        .drop("_text_hash", "_is_submitted", "_follows")
    )
    names = [name for name in ordered.collect_schema().names() if name not in ("_unit", "try_count", *placed)]
    again = (
        ordered.filter(~pl.col("_is_single"))
        .group_by("_unit")
        .agg(
            *(pl.col(name).sort_by("_order").first() for name in placed),
            *(pl.col(name).sort_by("_order").last() for name in names),
            try_count=pl.len().cast(pl.Int32),
        )
    )
    columns = ordered.collect_schema().names()
    return pl.concat([ordered.filter("_is_single").select(columns), again.select(columns)])


def _read_reports(reports: pl.LazyFrame) -> pl.LazyFrame:
    """The fields of a report: SMPP status or state of the message, and its words."""
    text = pl.col("text").fill_null("")
    nack = text.str.extract_groups(r"^NACK/?(?P<status>0[xX][0-9A-Fa-f]{1,8})?/?(?P<words>(?s:.*))$").struct
    return reports.with_columns(
        _is_final=pl.col("dlr_mask").is_in([DELIVERED, UNDELIVERED]),
        _is_refusal=pl.col("dlr_mask").is_in([UNDELIVERED, REFUSED]),
        _state=text.str.extract(r"\bstat:(\w+)").str.to_uppercase(),
        _status=nack.field("status").str.to_lowercase(),
        # SMSCs put the first signs of the message, or a reason, behind `text:`.
        _words=pl.coalesce(nack.field("words"), text.str.replace(r"(?is) ?\btext:.*$", "")),
        _note=text.str.extract(r"(?is)\btext:(.*)$").str.strip_chars(),
    )


def _match_reports(reports: pl.LazyFrame, units: pl.LazyFrame) -> pl.LazyFrame:
    """The reports that fit an SMS, with its _unit."""
    by_id = [*_NUMBERS[::2], "foreign_id"]
    with_id = reports.filter(pl.col("foreign_id").is_not_null())
    sent = units.filter(pl.col("event_code") == "sent")
    after = _attach_nearest(with_id, sent, by_id)
    # A report may be logged before the `Sent SMS` that it reports on.
    before = _attach_nearest(_keep_unattached(after), sent, by_id, strategy="forward")
    matched = _keep_attached(after, before)
    rest = pl.concat([_keep_unattached(before), reports.filter(pl.col("foreign_id").is_null())])

    is_refused = pl.col("event_code") != "sent"
    interim = _attach_nearest(
        rest.filter(~pl.col("_is_final")).with_columns(_is_refused=pl.col("dlr_mask") == REFUSED),
        units.with_columns(_is_refused=is_refused),
        [*_NUMBERS, "_is_refused"],
    ).drop("_is_refused")
    interim_late = _attach_nearest(_keep_unattached(interim), units, _NUMBERS)

    answered = matched.filter("_is_final").select("_unit")
    waiting = sent.filter(pl.col("dlr_mask") > 0).join(answered, on="_unit", how="anti")
    final = _attach_to_waiting(rest.filter("_is_final"), waiting)
    by_numbers = pl.concat([_keep_attached(interim, interim_late), _keep_attached(final)])
    return pl.concat([matched.with_columns(_is_exact=True), by_numbers.with_columns(_is_exact=False)])


def _attach_nearest(
    reports: pl.LazyFrame, units: pl.LazyFrame, by: list[str], strategy: str = "backward"
) -> pl.LazyFrame:
    """Each report with the _unit of the nearest SMS that agrees in `by`; null where there is none."""
    return (
        reports.sort("_order")
        .join_asof(
            units.sort("_order").select(*by, "_order", "_unit"),
            on="_order",
            by=by,
            strategy=strategy,  # type: ignore[arg-type]
            check_sortedness=False,
        )
        .pipe(_collect_once)
    )


def _keep_attached(*attached: pl.LazyFrame) -> pl.LazyFrame:
    return pl.concat([frame.filter(pl.col("_unit").is_not_null()) for frame in attached])


def _keep_unattached(attached: pl.LazyFrame) -> pl.LazyFrame:
    return attached.filter(pl.col("_unit").is_null()).drop("_unit")


def _attach_to_waiting(reports: pl.LazyFrame, waiting: pl.LazyFrame) -> pl.LazyFrame:
    """Each final report with the latest earlier SMS between its numbers that no other one answered.

    This is how brackets pair: an SMS opens, a report closes. `_depth` is how many are open, once reports
    that found none open are left out; a report pairs with the latest SMS that opened at its depth.
    """
    steps = pl.concat(
        [
            waiting.select(*_NUMBERS, "_order", _step=pl.lit(1, dtype=pl.Int64)),
            reports.select(*_NUMBERS, "_order", _step=pl.lit(-1, dtype=pl.Int64)),
        ]
    ).sort(*_NUMBERS, "_order")
    total = pl.col("_step").cum_sum().over(_NUMBERS)
    lowest = pl.min_horizontal(pl.col("_total").cum_min().over(_NUMBERS), 0)
    depths = (
        steps.with_columns(_total=total)
        .with_columns(_lowest=lowest)
        .with_columns(_found_none=pl.col("_lowest") < pl.col("_lowest").shift(1, fill_value=0).over(_NUMBERS))
        .select(
            "_order",
            _depth=pl.col("_total") - pl.col("_lowest") + (pl.col("_step") < 0).cast(pl.Int64),
            _found_none=pl.col("_found_none"),
        )
    )
    open_units = waiting.join(depths.select("_order", "_depth"), on="_order")
    closing = reports.join(depths.filter(~pl.col("_found_none")).select("_order", "_depth"), on="_order")
    return _attach_nearest(closing, open_units, [*_NUMBERS, "_depth"]).drop("_depth")


def _decide_outcomes(units: pl.LazyFrame, reports: pl.LazyFrame) -> pl.LazyFrame:
    """Each SMS or part with its outcome, the stage that decided it, and the words of the refusal."""
    said = reports.group_by("_unit").agg(
        _reported_at=pl.col("first_at").max(),
        _is_delivered=(pl.col("dlr_mask") == DELIVERED).any(),
        _is_exact=pl.col("_is_exact").any(),
        _refusal=pl.struct("dlr_mask", "_state", "_status", "_words", "_note")
        .filter(pl.col("_is_refusal"))
        .sort_by(pl.col("_order").filter(pl.col("_is_refusal")))
        .last(),
    )
    code = pl.col("event_code")
    refusal = pl.col("_refusal").struct
    is_delivered = pl.col("_is_delivered").fill_null(False)
    is_refused = refusal.field("dlr_mask").is_not_null() & ~is_delivered
    wants_report = (pl.col("dlr_mask") > 0) & ((pl.col("dlr_mask") & ASKS_DELIVERED) != 0)
    outcome = choose_case(
        (code == "received", "delivered"),
        (code.is_in(["refused", "rejected"]), "rejected"),
        (code == "dropped", "deferred"),
        (code == "failed", pl.when(is_refused).then(pl.lit("rejected")).otherwise(pl.lit("deferred"))),
        (code.is_in(["discarded", "expired"]), code),
        (is_delivered, "delivered"),
        (is_refused & (refusal.field("_state") == "EXPIRED"), "expired"),
        (
            is_refused & ((refusal.field("_state") == "REJECTD") | (refusal.field("dlr_mask") == REFUSED)),
            "rejected",
        ),
        (is_refused, "bounced"),
        (wants_report, "queued"),
        otherwise="delivered",
    )
    note = refusal.field("_note")
    # The message's own first signs are not the SMSC's reason.
    is_reason = (note != "") & ~pl.col("text").fill_null("").str.starts_with(note)
    words = (
        pl.when(is_reason)
        .then(refusal.field("_words") + pl.lit(" text:") + note)
        .otherwise(refusal.field("_words"))
    )
    is_inbound = code.is_in(INBOUND)
    return (
        units.join(said, on="_unit", how="left")
        .with_columns(
            outcome_code=outcome,
            last_at=pl.max_horizontal("last_at", "_reported_at"),
            join_quality=choose_code(
                exact="_is_exact", by_numbers=pl.col("_is_exact").is_not_null(), otherwise="none"
            ),
            grain_code=choose_code(
                attempt=code.is_in(["refused", "dropped", "rejected", "failed"]), otherwise="recipient"
            ),
            reply_code=pl.when(is_refused).then(
                pl.coalesce(refusal.field("_status"), refusal.field("_state"))
            ),
            reply_text=pl.when(is_refused & (words != "")).then(words),
            _is_inbound=is_inbound,
        )
        .with_columns(
            stage_code=choose_code(
                delivery=pl.col("outcome_code").is_in(["delivered", "queued", "bounced", "expired"]),
                content=(pl.col("outcome_code") == "rejected")
                & pl.col("reply_text").str.contains(_CONTENT).fill_null(False),
                otherwise="envelope",
            ),
        )
    )


def _join_parts(units: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of TRANSMISSION. Parts of one message are one row, with as many segments as the log has parts."""
    rows = _describe_units(units)
    is_part = (pl.col("part_total") > 1).fill_null(False)
    same = ["operator_id", "_is_inbound", "sender", "recipient", "part_reference", "part_total"]
    worst = ["event", "outbound_link", "stage_code", "outcome_code", "reply_code", "reply_text"]
    placed = ["source_id", "stream_id", "offset", "first_at"]
    severity = pl.col("outcome_code").replace_strict(
        _SEVERITY, list(range(len(_SEVERITY))), default=0, return_dtype=pl.Int64
    )
    started = (pl.col("first_at") - pl.col("first_at").shift(1).over(same)).fill_null(
        dt.timedelta(0)
    ) > PARTS_WITHIN
    parts = (
        rows.filter(is_part)
        .with_columns(_severity=severity)
        .sort(*same, "_order")
        .with_columns(_session=started.cast(pl.Int64).cum_sum().over(same))
        # Applications that never change the reference: the n-th part 1 goes with the n-th part 2.
        .with_columns(_copy=pl.col("_order").cum_count().over([*same, "_session", "part_number"]))
    )
    key = [*same, "_session", "_copy"]
    described = ["entry_code", "is_authenticated", "inbound_link", "account", "join_quality"]
    joined = parts.group_by(key).agg(
        *(pl.col(name).sort_by(_ORDER).first() for name in [*placed, *described]),
        *(pl.col(name).sort_by(["_severity", "_order"], descending=[True, False]).first() for name in worst),
        pl.col("last_at").max(),
        pl.col("grain_code").max(),  # recipient after attempt: one accepted part makes a message
        pl.col("message_bytes").sum(),
        pl.col("try_count").max(),
        pl.when(pl.col("text").count() > 0)
        .then(pl.col("text").sort_by(["part_number", "_order"]).str.join(""))
        .first()
        .alias("text"),
        segment_count=pl.len().cast(pl.Int32),
    )
    return pl.concat(
        fill_rows(
            each,
            TRANSMISSION,
            format_code=pl.lit("kannel"),
            channel_code=pl.lit("SMS"),
            is_handoff=pl.lit(False),
            is_partial=pl.lit(False),
        )
        for each in (rows.filter(~is_part), joined)
    )


def _describe_units(units: pl.LazyFrame) -> pl.LazyFrame:
    """The units with the two sides of each."""
    is_inbound = pl.col("_is_inbound")
    account = pl.concat_str(["service", "account"], separator="/", ignore_nulls=True)
    return units.with_columns(
        entry_code=entry_code(is_inbound),
        is_authenticated=~is_inbound,
        inbound_link=pl.when(is_inbound).then(pl.col("smsc")),
        outbound_link=pl.when(~is_inbound).then(pl.col("smsc")),
        account=pl.when(~is_inbound & (account != "")).then(account),
    )
