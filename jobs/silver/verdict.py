"""silver.verdict: one row per verdict of a filter on a message."""

from __future__ import annotations

import polars as pl

from jobs.silver.assembling import from_bronze


def transform(
    rspamd: pl.DataFrame,
    rspamd_history: pl.DataFrame,
    rspamd_clickhouse: pl.DataFrame,
    spamassassin: pl.DataFrame,
    amavis: pl.DataFrame,
    opendkim: pl.DataFrame,
    opendmarc_history: pl.DataFrame,
    exim: pl.DataFrame,
    operator: pl.DataFrame,
) -> pl.DataFrame:
    formats = {
        "rspamd": rspamd,
        "rspamd_history": rspamd_history,
        "rspamd_clickhouse": rspamd_clickhouse,
        "spamassassin": spamassassin,
        "amavis": amavis,
        "opendkim": opendkim,
        "opendmarc_history": opendmarc_history,
        "exim": exim,
    }
    return from_bronze("silver.verdict", formats, operator)
