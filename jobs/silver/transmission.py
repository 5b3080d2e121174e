"""silver.transmission: what an MTA, SMSC or SIP server did, one row per queue file (or SMS) and recipient,
per refused attempt or per call."""

from __future__ import annotations

import polars as pl

from jobs.silver.assembling import from_bronze


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
    operator: pl.DataFrame,
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
    }
    return from_bronze("silver.transmission", formats, operator)
