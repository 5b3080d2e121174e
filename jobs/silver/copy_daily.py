"""silver.copy_daily: how many lines of a source stand in files of it, or of another source, too."""

from __future__ import annotations

import polars as pl

from jobs.silver.assembling import all_counted_once


def transform(
    postfix: pl.DataFrame,
    exim: pl.DataFrame,
    sendmail: pl.DataFrame,
    kannel: pl.DataFrame,
    kannel_smsbox: pl.DataFrame,
    jasmin: pl.DataFrame,
    delimited: pl.DataFrame,
    kamailio: pl.DataFrame,
    kamailio_flat: pl.DataFrame,
    asterisk: pl.DataFrame,
    rspamd: pl.DataFrame,
    rspamd_history: pl.DataFrame,
    rspamd_clickhouse: pl.DataFrame,
    spamassassin: pl.DataFrame,
    amavis: pl.DataFrame,
    opendkim: pl.DataFrame,
    opendmarc_history: pl.DataFrame,
    dmarc: pl.DataFrame,
    feedback: pl.DataFrame,
    knowledge: pl.DataFrame,
) -> pl.DataFrame:
    formats = {
        "postfix": postfix,
        "exim": exim,
        "sendmail": sendmail,
        "kannel": kannel,
        "kannel_smsbox": kannel_smsbox,
        "jasmin": jasmin,
        "delimited": delimited,
        "kamailio": kamailio,
        "kamailio_flat": kamailio_flat,
        "asterisk": asterisk,
        "rspamd": rspamd,
        "rspamd_history": rspamd_history,
        "rspamd_clickhouse": rspamd_clickhouse,
        "spamassassin": spamassassin,
        "amavis": amavis,
        "opendkim": opendkim,
        "opendmarc_history": opendmarc_history,
        "dmarc": dmarc,
        "feedback": feedback,
        "knowledge": knowledge,
    }
    return all_counted_once(formats)[1]
