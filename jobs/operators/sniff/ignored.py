"""Ignored lines of a server's log that look like refusals: whatever they refused is not counted.

A kernel ignores lines about nothing that is counted. New versions and sites' own rules log
refusals in words that no kernel has met yet: such a line would be called understood. The words here take
too much rather than too little; what is known to be no refusal of its own is named.
"""

import polars as pl

from jobs.operators.formats.format import LineFormat
from jobs.operators.formats.shared.syslog import PROGRAMS_BESIDE

REFUSES = (
    r"(?i)\b(?:reject|refus(?:e|ing|al)|den(?:y|ied)\b|disallow|block(?:ed|ing)\b|black ?list|discard"
    r"|drop(?:ped|ping)?\b|(?:limit|quota|size|maximum)\b.{0,20}\bexceeded|exceeds\b|too many\b"
    r"|not (?:permitted|allowed|accepted)\b|temp ?fail|throttl|banned\b|greylist|blackhol|prohibit)"
)
# Another server refused, or the system.
ELSEWHERE = r"(?i)connection refused|permission denied|(?:error|reply) from remote|host \S+ (?:said|refused)"
# Other programs beside a mail server: their own formats read what they refuse.
BESIDE = rf"^(?:\S+ +){{1,5}}{PROGRAMS_BESIDE.removeprefix('^')}"


def look_like_refusals(lines: pl.Series, kernel: LineFormat) -> pl.Series:
    """Which of a log's ignored lines look like refusals; none of a log that has verdicts alone."""
    if kernel.transmissions is None or not len(lines):
        return pl.Series([False]).new_from_index(0, len(lines))
    found = lines.str.contains(REFUSES)
    places = found.arg_true()
    some = lines.gather(places)
    is_other = some.str.contains(ELSEWHERE)
    if kernel.repeats:
        is_other |= some.str.contains(kernel.repeats)
    if kernel.is_mail_log:
        is_other |= some.str.contains(BESIDE)
    return found.scatter(places.filter(is_other), False)
