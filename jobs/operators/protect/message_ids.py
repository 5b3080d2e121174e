"""Message-ids as programs write them into logs: one form, so that what names the same message joins."""

import polars as pl

# All but the printable signs of ASCII that every program writes as they are, and the same with brackets of
# comments.
_ODD, _ODD_OR_COMMENT = r"[^!-;=@-~]", r"[^!-'*-;=@-~]"
_COMMENT = r"\([^()]*\)"
# Comments lie in each other; a deeper one was made to take time.
_DEPTH = 8


def normalise_ids(ids: pl.Series) -> pl.Series:
    """The ids as spamd writes them (spamd.raw, parse_msgids): without comments and what follows the first
    closing bracket, and with a question mark for signs that a message-id cannot have.

    Mail servers and other filters write the header as it came. Nearly all ids are the same in both forms.
    """
    rows = ids.str.contains(_ODD_OR_COMMENT).fill_null(False).arg_true()
    if not len(rows):
        return ids
    odd = ids.gather(rows)
    for _ in range(_DEPTH):
        odd = odd.str.replace_all(_COMMENT, "")
    # spamd counts bytes, others characters: several odd signs in a row are one.
    cut = odd.str.strip_chars().str.replace(r"(?s)>.*$", "")
    return ids.scatter(rows, cut.str.replace_all(f"{_ODD}+", "?"))
