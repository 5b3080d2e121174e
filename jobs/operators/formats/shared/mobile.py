"""Fields of the SMS formats: numbers, clocks, empty fields, and the number of segments of a text."""

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.operators.formats import Source
from jobs.operators.protect.numbering import REPORT_SHORT_CODE, drop_trunk, normalise_e164

# 3GPP TS 23.040, 9.2.3.24: what fits into the 140 octets of one SMS, and into one of several with a
# concatenation header of six octets. UCS-2 and 8-bit content is measured in octets.
SEPTETS, SEPTETS_OF_PART = 160, 153
OCTETS, OCTETS_OF_PART = 140, 134


def normalise_number(text: pl.Expr, source: Source) -> pl.Expr:
    """Digits of a number without + or 00; an alphanumeric sender as it is.

    In a log of national numbers it becomes E.164 already here, while its + or prefix is still to be seen.
    """
    if source.numbers_of is not None:
        text = normalise_e164(text, source.numbers_of, is_national=True)
    return text.map_batches(_normalise_numbers, return_dtype=pl.String)


def _normalise_numbers(texts: pl.Series) -> pl.Series:
    # Most are digits and no more; only the others need patterns.
    odd = ((texts.str.strip_chars("0123456789") != "") | texts.str.starts_with("00")).fill_null(False)
    if not odd.any():
        return texts
    text = pl.col("text")
    digits = drop_trunk(text).str.replace_all(r"[+ ().-]", "").str.replace(r"^00(\d{7,})$", "$1")
    is_number = text.str.contains(r"^\+?[\d ().-]+$")
    normalised = (
        texts.filter(odd)
        .to_frame("text")
        .select(pl.when(is_number).then(digits).otherwise(text.str.strip_prefix("+")))
    )
    return texts.scatter(odd.arg_true(), normalised.to_series())


def entry_code(is_inbound: pl.Expr) -> pl.Expr:
    """The way in which an SMS came: from a box, as a subscriber's report of spam, or over a link."""
    return choose_code(box=~is_inbound, report=pl.col("recipient") == REPORT_SHORT_CODE, otherwise="link")


def count_segments(units: pl.Expr, is_septets: pl.Expr) -> pl.Expr:
    """Segments that a text of so many septets or octets takes, where the log records no header."""
    whole = pl.when(is_septets).then(SEPTETS).otherwise(OCTETS)
    part = pl.when(is_septets).then(SEPTETS_OF_PART).otherwise(OCTETS_OF_PART)
    return pl.when(units <= whole).then(1).otherwise((units + part - 1) // part).cast(pl.Int32)
