"""Reliability of an estimate, by its band: its mark, and whether it may be quoted.

One of low reliability (OBS_STATUS U) stands in tables alone, with its interval: no sentence and no headline
has it, as Eurostat's labour force survey does with imprecise estimates.
"""

# Codes of the list `cv_band`.
MARKS = {"caution": "!", "unreliable": "!!", "one_respondent": "!!", "few_holdings": "!!"}
LOW_MARK = "!!"
LOW = tuple(code for code, mark in MARKS.items() if mark == LOW_MARK)


def mark_of(band: str | None) -> str:
    """The mark behind an estimate; nothing of an acceptable one."""
    return MARKS.get(band or "", "")


def published_mark(band: str | None) -> str:
    """The mark behind a published estimate: that of low reliability, too, where its band is not known."""
    return mark_of(band) if may_be_quoted(band) else LOW_MARK


def may_be_quoted(band: str | None) -> bool:
    """Return whether a sentence may have an estimate of this band. One that is not known may be low."""
    return bool(band) and band not in LOW
