"""bronze.sendmail: events of Sendmail's log, each under the host and process that its queue id names.

Bronze keeps every line with an event, so that a cut anywhere leaves nothing to be joined. A
notice stands twice where two processes made the message that it is about and the one that carries it.
"""

import polars as pl

from jobs.base.tables.contracts import bronze_columns
from jobs.operators.formats import PLACE

# Year, month, day, hour, minute, second and sequence, then the process; before 8.10 three letters.
QUEUE_ID = r"^(?:[0-9A-Za-z]{8}|[A-Z]{3})\d{5,10}$"

BRONZE = bronze_columns("sendmail")


def assemble(records: pl.LazyFrame) -> pl.LazyFrame:
    """Bronze rows, one per event; a line that was read twice is one row."""
    if "line_code" in records.collect_schema().names():
        records = records.filter(pl.col("line_code") == "record")
        notices = records.filter(pl.col("event_code") == "notice")
        # Nothing else shows that a message was made here: it has no from= line.
        carriers = notices.with_columns(
            pl.lit("carrier").alias("event_code"),
            pl.lit(None, pl.String).alias("status_code"),
            _process_key(pl.col("linked_queue_id")).alias("assembly_key"),
            queue_id="linked_queue_id",
            linked_queue_id="queue_id",
        ).filter(pl.col("assembly_key") != _process_key(pl.col("linked_queue_id")))
        records = pl.concat(
            [records.with_columns(_process_key(pl.col("queue_id")).alias("assembly_key")), carriers],
            how="diagonal",
        )
    return records.select(*BRONZE).unique(subset=[*PLACE, "assembly_key"], keep="any", maintain_order=True)


def _process_key(queue_id: pl.Expr) -> pl.Expr:
    """Host and process: that which made the queue id, or where there is none, that which wrote the line."""
    maker = queue_id.str.extract(r"^(?:.{8}|[A-Z]{3})(\d{5,10})$")
    process = pl.coalesce(maker, "pid").str.strip_chars_start("0")
    return pl.concat_str(pl.col("host").fill_null(""), pl.lit("|"), process.fill_null(""))
