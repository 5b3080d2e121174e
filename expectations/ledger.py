"""Rules on the ledger, bronze.file: it accounts for every line, and few enough were beyond understanding."""

import polars as pl

from expectations.rules import Rule, condition

TABLE = "bronze.file"
KEY = ("operator_id", "source_id", "format_code")
WITHIN_LIMIT = "quarantine_within_limit"


def quarantine_share(ledger: pl.DataFrame) -> pl.DataFrame:
    """Per operator, source and format the lines, and the share in quarantine, in percent."""
    counts = [f"{name}_count" for name in ("line", "record", "ignored", "quarantined")]
    # Unknown where a file lacks all.
    totals = ledger.group_by(KEY).agg(
        pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum()) for name in counts
    )
    lines = pl.col("line_count")
    # Files without a line have no share to limit.
    share = pl.when(lines > 0).then(pl.col("quarantined_count") * 100.0 / lines).otherwise(0.0)
    return totals.with_columns(share.alias("quarantined_pct"))


def ledger_rules(limit_pct: float, least: int, limit: str) -> list[Rule]:
    """The rules on rows of quarantine_share().

    Args:
        least: so many quarantined lines a source has at least before their share is judged.
        limit: limit_pct as people read it.
    """
    return [
        condition(
            "lines_conserved",
            "line_count = record_count + ignored_count + quarantined_count",
            "lines = records + ignored + quarantined",
        ),
        condition(
            WITHIN_LIMIT,
            f"quarantined_pct <= {limit_pct} OR quarantined_count < {least}",
            f"at most {limit} of a source's lines are quarantined (limits.quarantined_pct), or"
            f" fewer than {least} (limits.quarantined_lines);"
            " `observatory quarantine` shows what those look like; after a correction"
            " `observatory run --requarantine` reads them again",
        ),
    ]
