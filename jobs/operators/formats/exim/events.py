"""bronze.exim: events of Exim's logs, and the verdicts among them.

Bronze keeps every line with an event, so that a cut anywhere leaves nothing to be joined.

An event that several files hold (mainlog and rejectlog, a file and syslog) counts once: see
jobs/operators/silver/copies.py. Two servers of one operator must be distinguished by the source's option
`host`, or by syslog, for what was refused without an id.
"""

import polars as pl

from jobs.base.tables.contracts import bronze_columns
from jobs.operators.formats import PLACE, VERDICT
from jobs.operators.formats.exim.headers import add_open
from jobs.operators.formats.exim.times import zone_error
from jobs.operators.formats.shared.fields import fill_rows

# bronze.exim: one row per line about a message, a refusal or a verdict.
BRONZE = bronze_columns("exim")


def assemble(records: pl.LazyFrame) -> pl.LazyFrame:
    """Bronze rows, one per event; a line that was read twice is one row.

    Events of a message share its id, events without one their client's address.
    """
    if "line_code" in records.collect_schema().names():
        client = pl.concat_str(
            pl.lit("c|"), pl.col("host").fill_null(""), pl.lit("|"), pl.col("client_ip").fill_null("")
        )
        keyed = records.filter(pl.col("line_code") == "record").with_columns(
            assembly_key=pl.coalesce(pl.lit("q|") + pl.col("queue_id"), client)
        )
        records = add_open(keyed)
    return records.select(*BRONZE).unique(subset=[*PLACE, "assembly_key"], keep="any", maintain_order=True)


def verdicts(bronze: pl.LazyFrame) -> pl.LazyFrame:
    """One row per verdict that SA-Exim, or an ACL in its manner, logged.

    Syslog gets twice what goes to mainlog and rejectlog: a message has no verdict twice in one second.
    """
    logged = sort_events(bronze.filter(pl.col("event_code") == "verdict").collect())
    content = ["operator_id", "assembly_key", "second", "action", "score", "required_score", "sender"]
    logged = logged.unique(content, keep="first", maintain_order=True)
    return fill_rows(
        logged.lazy(),
        VERDICT,
        format_code=pl.lit("exim"),
        engine_code=pl.lit("spamassassin"),
        verdict_at=pl.col("first_at") - zone_error(pl.col("first_at"), pl.col("queue_id")),
        is_spam=pl.col("score") >= pl.col("required_score"),
        symbols=pl.lit([], pl.List(pl.String)),
    )


def sort_events(bronze: pl.DataFrame) -> pl.DataFrame:
    """The events in order within their key."""
    events = bronze.select(list(BRONZE)).with_columns(second=pl.col("first_at").dt.truncate("1s"))
    return events.sort("operator_id", "assembly_key", "second", "stream_id", "offset", "source_id")
