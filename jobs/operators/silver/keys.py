"""Keys of silver rows that have none of their own: MD5 of what identifies a row."""

from hashlib import md5

import polars as pl


def digest_rows(rows: pl.DataFrame, *parts: str | pl.Expr, separator: str) -> pl.Series:
    """For each row the MD5 of its parts, as 32 hexadecimal digits. Parts that are null are left out."""
    text = rows.select(key=pl.concat_str(*parts, separator=separator, ignore_nulls=True))["key"]
    return pl.Series("key", [md5(each.encode()).hexdigest() for each in text.to_list()], dtype=pl.String)
