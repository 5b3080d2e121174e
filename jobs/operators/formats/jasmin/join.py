"""Jasmin: from the lines of bronze to one row per SMS.

An accepted SMS-MT and its DLRs share the connector and the SMSC's id. The id may be used again, so a DLR
goes to the latest earlier SMS with its id (or the next later one, where it was logged first). A long SMS has
one line, with the id of its last part: the DLRs of its other parts fit nothing and make no row.

Tries that failed share Jasmin's own id with what followed. Those that an accepted SMS followed fold into it
and make no row; its try_count does not tell them, since nothing but the id is known of them there.
Those after which Jasmin gave the SMS up are one row with that end.
"""

from pathlib import Path

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.base.tables.contracts import read_csv_rows
from jobs.operators.formats import TRANSMISSION
from jobs.operators.formats.shared.fields import fill_rows
from jobs.operators.formats.shared.mobile import entry_code

_FINAL = ["DELIVRD", "EXPIRED", "REJECTD", "UNDELIV", "DELETED", "UNKNOWN"]
# SMPP 3.4, 5.1.3: command_status by name.
_STATUS = {row["name"]: row["status"] for row in read_csv_rows(Path(__file__).with_name("smpp_status.csv"))}
_ORDER = ["first_at", "source_id", "stream_id", "offset"]
_INBOUND = ["received", "refused"]
_TRIES = ["failed", "rejected"]
# What is joined by Jasmin's own id: failed tries of an SMS that may have been sent later, and its end.
UNSENT = [*_TRIES, "expired", "dropped"]


def transmissions(bronze: pl.LazyFrame) -> pl.LazyFrame:
    """One row per SMS: submitted through Jasmin, or received from an SMSC."""
    events = (
        bronze.sort("operator_id", *_ORDER)
        .with_row_index("_order")
        .with_columns(pl.col("_order").cast(pl.Int64))
        .collect()
        .lazy()
    )
    code = pl.col("event_code")
    units = [
        _add_reports(events.filter(code == "sent"), events.filter(code == "report")),
        _fold_tries(events.filter(code.is_in([*UNSENT, "followed"]))),
        _select_plain(events.filter(code.is_in(_INBOUND))),
    ]
    columns = units[-1].collect_schema().names()
    return _describe_units(pl.concat([unit.select(columns) for unit in units]))


def _select_plain(events: pl.LazyFrame) -> pl.LazyFrame:
    """Rows that no other line completes."""
    return events.with_columns(
        last_at=pl.col("first_at"),
        try_count=pl.lit(1, dtype=pl.Int32),
        _state=pl.lit(None, dtype=pl.String),
        _error=pl.lit(None, dtype=pl.String),
    )


def _fold_tries(events: pl.LazyFrame) -> pl.LazyFrame:
    """One row per SMS that was never accepted: placed by its first try, decided by its last."""
    same = ["operator_id", "assembly_key"]
    placed = ["source_id", "stream_id", "offset", "first_at"]
    ordered = _select_plain(events.sort("_order"))
    names = [name for name in ordered.collect_schema().names() if name not in (*same, *placed)]
    return (
        ordered.group_by(same, maintain_order=True)
        .agg(
            *(pl.col(name).first() for name in placed),
            # A line that gives an SMS up does not name its parties.
            *(pl.col(name).drop_nulls().last() for name in names if name != "try_count"),
            _is_followed=(pl.col("event_code") == "followed").any(),
            try_count=pl.col("event_code").is_in(_TRIES).sum().cast(pl.Int32),
        )
        .filter(~pl.col("_is_followed"))
    )


def _add_reports(sent: pl.LazyFrame, reports: pl.LazyFrame) -> pl.LazyFrame:
    """Each accepted SMS with its state: delivered if any report says so, else what the last one says."""
    by = ["operator_id", "smsc", "foreign_id"]
    known = sent.select(*by, "_order", _unit=pl.col("_order")).filter(pl.col("foreign_id").is_not_null())
    final = reports.filter(pl.col("foreign_id").is_not_null() & pl.col("status").is_in(_FINAL))
    matched = _join_nearest(final, known, by, "backward")
    again = _join_nearest(matched.filter(pl.col("_unit").is_null()).drop("_unit"), known, by, "forward")
    both = pl.concat([matched, again]).filter(pl.col("_unit").is_not_null()).sort("_order")
    said = both.group_by("_unit").agg(
        _last=pl.col("first_at").max(),
        _state=choose_code(DELIVRD=(pl.col("status") == "DELIVRD").any(), otherwise=pl.col("status").last()),
        _error=pl.col("error_code").last(),
    )
    return (
        _select_plain(sent)
        .drop("_state", "_error")
        .join(said, left_on="_order", right_on="_unit", how="left")
        .with_columns(last_at=pl.max_horizontal("last_at", "_last"))
    )


def _join_nearest(reports: pl.LazyFrame, units: pl.LazyFrame, by: list[str], strategy: str) -> pl.LazyFrame:
    return reports.sort("_order").join_asof(
        units.sort("_order"),
        on="_order",
        by=by,
        strategy=strategy,  # type: ignore[arg-type]
        check_sortedness=False,
    )


def _describe_units(units: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of TRANSMISSION."""
    code, state = pl.col("event_code"), pl.col("_state")
    is_inbound = pl.col("event") == "SMS-MO"
    is_refused = code.is_in(["refused", "rejected", "failed"])
    outcome = choose_code(
        rejected=code.is_in(["refused", "rejected"]) | (state == "REJECTD"),
        deferred=code == "failed",
        expired=(code == "expired") | (state == "EXPIRED"),
        bounced=(code == "dropped") | state.is_in(["UNDELIV", "DELETED", "UNKNOWN"]),
        queued=(code == "sent") & state.is_null() & pl.col("wants_report").fill_null(False),
        otherwise="delivered",
    )
    # An interceptor sees the whole message.
    stage = choose_code(
        content=code == "refused", envelope=is_refused | (state == "REJECTD"), otherwise="delivery"
    )
    digits = pl.when(pl.col("status").str.contains(r"^\d{1,9}$")).then(pl.col("status")).cast(pl.Int64)
    hexadecimal = pl.lit("0x") + _hex_number(digits)
    smpp = pl.coalesce(pl.col("status").replace_strict(_STATUS, default=None), hexadecimal)
    is_bad_state = state.is_not_null() & (state != "DELIVRD")
    report = pl.concat_str(pl.lit("stat:"), state, pl.lit(" err:"), pl.col("_error").fill_null(""))
    return fill_rows(
        units,
        TRANSMISSION,
        format_code=pl.lit("jasmin"),
        channel_code=pl.lit("SMS"),
        grain_code=pl.when(is_refused).then(pl.lit("attempt")).otherwise(pl.lit("recipient")),
        entry_code=entry_code(is_inbound),
        is_handoff=pl.lit(False),
        message_id=pl.col("queue_message_id"),
        is_authenticated=~is_inbound,
        inbound_link=pl.when(is_inbound).then("smsc"),
        outbound_link=pl.when(~is_inbound).then("smsc"),
        stage_code=stage,
        outcome_code=outcome,
        reply_code=pl.when(is_refused).then(smpp).when(is_bad_state).then(state),
        reply_text=pl.when(is_refused).then("status").when(is_bad_state).then(report),
        is_partial=code.is_in(["expired", "dropped"]) & pl.col("recipient").is_null(),
        join_quality=pl.when(state.is_not_null()).then(pl.lit("exact")).otherwise(pl.lit("none")),
    )


def _hex_number(number: pl.Expr) -> pl.Expr:
    """A number as eight hexadecimal digits."""
    signs = pl.lit("0123456789abcdef")
    digits = [signs.str.slice((number // 16**place) % 16, 1) for place in range(7, -1, -1)]
    return pl.concat_str(digits)
