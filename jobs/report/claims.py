"""How far a country of origin rests on what senders claim: a calling number or a sender's domain.

A claimed origin can be forged, so that no sentence says that its country sent the traffic.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from jobs.core import words
from jobs.report.blocks import Cell, number
from jobs.report.study import Study

# What claims an origin, of mail or not.
SOURCE = {True: "the sender's domain", False: "the calling number"}
# The signs that the calling number is not the sender's.
SIGNS = ("SPOOFED_CLI", "HOME_MISMATCH")


def by_country(study: Study, channel: str) -> dict[str, tuple[int, int]]:
    """Certain spam of each country that is only claimed, and all of it; empty where none is only claimed."""
    table = study.figures["origins"].filter(pl.col("channel_code") == channel)
    is_claimed = pl.col("origin_kind") == "claimed"
    sums = table.group_by("origin_code").agg(
        claimed=pl.col("spam_certain").filter(is_claimed).sum(), total=pl.col("spam_certain").sum()
    )
    found = {code: (claimed, total) for code, claimed, total in sums.rows()}
    return found if any(claimed for claimed, _ in found.values()) else {}


def of_country(study: Study, channel: str, country: str) -> float:
    """The share of a country's certain spam that is only claimed."""
    return words.share_of(*by_country(study, channel).get(country, (0, 0)))


def cell(claimed: dict[str, tuple[int, int]], rows: list[dict[str, Any]], row: dict[str, Any]) -> Cell:
    """The share of a row's certain spam that is only claimed; a row of other countries is of the rest."""
    code = row["source_country_code"]
    if code == words.UNKNOWN:
        return number("")
    if code != words.OTHER:
        return number(words.percent(words.share_of(*claimed.get(code, (0, 0)))))
    last = [each["source_country_code"] for each in rows if each["source_country_code"] != words.UNKNOWN]
    parts = [claimed.get(each, (0, 0)) for each in last[-row["country_count"] :]]
    return number(words.percent(words.share_of(sum(a for a, _ in parts), sum(b for _, b in parts))))


def flagged(study: Study, channel: str) -> str:
    """How many of the numbers that were examined are flagged; a unit may show several signs."""
    table = study.figures["bypass"].filter(pl.col("channel_code") == channel)
    told = []
    for sign in SIGNS:
        rows = table.filter(pl.col("bypass_code") == sign)
        examined, found = int(rows["units_examined"].sum() or 0), int(rows["units_flagged"].sum() or 0)
        if found:
            what = words.inside(words.name("bypass", sign))
            told.append(f"{words.whole(found)} of {words.whole(examined)} examined are flagged as {what}")
    return f" ({'; '.join(told)})" if told else ""
