"""Content types of transmissions: from texts, subjects and, where they were refused, from what refused them.

Beside the text, a mail's subject or a firewall's own category, a refusal may have a type by the block list
that it names and its return code, by the words of the reply or the log, by a SIP code; a call by its numbers,
by the name that the caller shows, which is matched as texts are, and by its User-Agent. All evidence leads to
one decision, as in jobs/operators/protect/message_types.py: strong beats weak, specific beats general, all
types are kept.

Rules on texts are not tried on replies, which are about full mailboxes and how to be let in: their
words are those of advertising and phishing. Refusals have rules of their own (reject_text_regex).
"""

from collections.abc import Callable
from functools import cache

import polars as pl

from jobs.base.figures.channels import CALLS
from jobs.base.tables.matching import split_places
from jobs.operators.protect import rules, signatures
from jobs.operators.protect.countermeasures import is_refusal
from jobs.operators.protect.message_types import decide_types, matching_places
from jobs.operators.protect.rules import Rules


def type_of_transmissions(frame: pl.DataFrame, loaded: Rules | None = None) -> pl.DataFrame:
    """Columns as of rules.type_of_verdicts(), one row for each transmission of one format and channel."""
    loaded = loaded or rules.load_rules()
    engine, channel = str(frame["format_code"][0]), str(frame["channel_code"][0])
    return decide_types(
        places_of_transmissions(frame, loaded), split_places, rules.type_rules(loaded, engine, channel)
    )


def places_of_transmissions(frame: pl.DataFrame, loaded: Rules) -> pl.Series:
    """The places in rules.type_rules() of the rules that match each transmission, as `3,17`."""
    frame = frame.with_columns(subject=signatures.decode_subjects(frame["subject"]))
    engine, channel = str(frame["format_code"][0]), str(frame["channel_code"][0])
    is_refused = frame.select(is_refusal(frame.columns)).to_series()
    found = [
        matching_places(frame[column], rules.type_matcher(loaded, engine, channel, match_on))
        for column, match_on in rules.ALWAYS_TYPED.items()
    ]
    for column, match_on in rules.REFUSAL_TYPED.items():
        match = rules.type_matcher(loaded, engine, channel, match_on)
        found.append(matching_places(frame[column].set(~is_refused, None), match))
    listed = pl.concat_str("dnsbl_zone", pl.col("dnsbl_code"), separator="=")
    named = frame.select(pl.when(is_refused).then(listed.str.to_lowercase()).alias("listed"))["listed"]
    found.append(matching_places(named, listing_matcher(loaded, engine, channel)))
    if channel in CALLS:
        found += [
            matching_places(frame[column], rules.type_matcher(loaded, engine, channel, match_on))
            for column, match_on in rules.CALL_TYPED.items()
        ]
    return pl.select(pl.concat_str(found, separator=",", ignore_nulls=True).alias("places"))["places"]


@cache
def listing_matcher(loaded: Rules, engine: str, channel: str) -> Callable[[str], list[int]]:
    """A function that gives the places of the rules on block lists for `zone=code`.

    A rule names a zone's whole return code, or one bit of the code's last octet.
    """
    codes: dict[str, list[int]] = {}
    masks: dict[str, list[tuple[int, int]]] = {}
    for place, rule in enumerate(rules.type_rules(loaded, engine, channel)):
        if rule.match_on == "dnsbl_code":
            codes.setdefault(rule.pattern.lower(), []).append(place)
        elif rule.match_on == "dnsbl_bit":
            zone, _, bit = rule.pattern.lower().partition("&")
            masks.setdefault(zone, []).append((int(bit), place))

    def places_in(listing: str) -> list[int]:
        zone, _, code = listing.partition("=")
        found = list(codes.get(listing, ()))
        # 127.255.255.x says that the list refused the question, not what is listed.
        if zone in masks and not code.startswith("127.255.255."):
            last = last_octet(code)
            found += [place for bit, place in masks[zone] if last & bit]
        return found

    return places_in


def last_octet(code: str) -> int:
    last = code.rpartition(".")[2]
    return int(last) if last.isascii() and last.isdigit() else 0
