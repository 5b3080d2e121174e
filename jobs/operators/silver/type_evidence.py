"""The type of a message, from the evidence of its server and its filters.

Each of them gives the type that its rules support best (jobs/operators/protect/message_types.py), with the
priority of the best rule. Here these are compared in the same order: a type beats UNK, strong beats weak, the
smaller priority wins, then the more harmful group. How many rules support a type counts only among the rules
of one place.

Evidence is a number; the smallest wins. Its lowest bits number the type.
"""

import polars as pl

from jobs.operators.protect.message_types import HARM, UNKNOWN_TYPE

# The only type of advertising that sells nothing.
NOT_SELLING = "AD.political"

# Rows from before priorities were kept come last among equally strong ones.
LAST = 2**31 - 1
NAME_BITS, HARM_BITS, PRIORITY_BITS = 13, 4, 31
WEAK = 1 << (NAME_BITS + HARM_BITS + PRIORITY_BITS)


def type_names(*frames: pl.DataFrame) -> list[str]:
    """The types in the frames and UNK, in order: a type's place is its number in row_evidence()."""
    found = {UNKNOWN_TYPE}
    for frame in frames:
        found.update(frame["spam_type_code"].unique().drop_nulls().to_list())
    return sorted(found)


def row_evidence(names: list[str]) -> pl.Expr:
    """The evidence of one row of a server or a filter; null without a type."""
    code = pl.col("spam_type_code")
    groups = [name.split(".")[0] for name in names]
    ranks = [
        ((name == UNKNOWN_TYPE) * 2 * WEAK)
        + ((HARM.index(group) + 1 if group in HARM else 0) << NAME_BITS)
        + place
        for place, (name, group) in enumerate(zip(names, groups, strict=True))
    ]
    rank = code.replace_strict(names, ranks, return_dtype=pl.Int64)
    weak = pl.when(pl.col("is_type_strong")).then(0).otherwise(WEAK)
    priority = pl.col("type_priority").cast(pl.Int64).fill_null(LAST) * (1 << (NAME_BITS + HARM_BITS))
    return rank + weak + priority


def type_of(evidence: str, names: list[str]) -> pl.Expr:
    """The type that evidence names; UNK where there is none."""
    number = pl.col(evidence) % (1 << NAME_BITS)
    found = number.replace_strict(list(range(len(names))), names, return_dtype=pl.String)
    return found.fill_null(UNKNOWN_TYPE)


def is_strong(evidence: str) -> pl.Expr:
    return ((pl.col(evidence) // WEAK) % 2 == 0).fill_null(False)


def strong_type() -> pl.Expr:
    """The type of one row of a server or a filter by a strong rule, as `,FRAUD.loan,`; else null.

    Those of several rows are joined: tells_strongly() asks for one of them.
    """
    return pl.when("is_type_strong").then(pl.concat_str(pl.lit(","), "spam_type_code", pl.lit(",")))


def is_pure() -> pl.Expr:
    """Return whether one row of a server or a filter names no type that is advertising for money, or a fraud
    that looks like it."""
    code = pl.element()
    is_sold = (code.str.starts_with("AD.") | code.str.starts_with("FRAUD.")) & (code != NOT_SELLING)
    return ~pl.col("spam_type_codes").list.eval(is_sold).list.any().fill_null(False)


def tells_strongly(types: str, pattern: str) -> pl.Expr:
    """Return whether a column of joined strong types has the type; a pattern that ends in * matches every
    type with that beginning."""
    wanted = "," + (pattern[:-1] if pattern.endswith("*") else pattern + ",")
    return pl.col(types).str.contains(wanted, literal=True)
