"""Countries of origin that are only claimed, by a calling number or by a sender's domain.

A claimed origin can be forged, so that no sentence says that its country sent the traffic.
"""

from typing import Any

import polars as pl

from jobs.base.core import numbers
from jobs.base.figures import words
from jobs.base.page.blocks import Cell, number_cell
from jobs.operators.report.report import Report

# What claims an origin, of mail or not.
SOURCE = {True: "the sender's domain", False: "the calling number"}
# The signs that the calling number is not the sender's.
SIGNS = ("SPOOFED_CLI", "HOME_MISMATCH")


def claimed_by_country(report: Report, channel: str) -> dict[str, tuple[int, int]]:
    """By country: its certain spam whose origin is only claimed, and all its certain spam; empty if no origin
    is only claimed."""
    table = report.figures.origins.filter(pl.col("channel_code") == channel)
    is_claimed = pl.col("origin_kind") == "claimed"
    sums = table.group_by("origin_code").agg(
        claimed=pl.col("spam_certain").filter(is_claimed).sum(), total=pl.col("spam_certain").sum()
    )
    found = {code: (claimed, total) for code, claimed, total in sums.rows()}
    return found if any(claimed for claimed, _ in found.values()) else {}


def claimed_share(report: Report, channel: str, country: str) -> float:
    """The share of a country's certain spam whose origin is only claimed."""
    return numbers.share_of(*claimed_by_country(report, channel).get(country, (0, 0)))


def claimed_share_cell(
    claimed: dict[str, tuple[int, int]], rows: list[dict[str, Any]], row: dict[str, Any]
) -> Cell:
    """The share of a row's certain spam whose origin is only claimed. The row of other countries sums up the
    countries that have no row of their own."""
    code = row["source_country_code"]
    if code == words.UNKNOWN:
        return number_cell("")
    if code != words.OTHER:
        return number_cell(numbers.format_part(*claimed.get(code, (0, 0))))
    last = [each["source_country_code"] for each in rows if each["source_country_code"] != words.UNKNOWN]
    parts = [claimed.get(each, (0, 0)) for each in last[-row["country_count"] :]]
    return number_cell(numbers.format_part(sum(a for a, _ in parts), sum(b for _, b in parts)))


def describe_flagged(report: Report, channel: str) -> str:
    """How many of the numbers that were examined are flagged; a unit may show several signs."""
    table = report.figures.bypass.filter(pl.col("channel_code") == channel)
    told = []
    for sign in SIGNS:
        rows = table.filter(pl.col("bypass_code") == sign)
        examined, found = int(rows["units_examined"].sum() or 0), int(rows["units_flagged"].sum() or 0)
        if found:
            what = words.lower_first(words.code_name("bypass", sign))
            told.append(
                f"{numbers.format_count(found)} of {numbers.format_count(examined)} examined are flagged as"
                f" {what}"
            )
    return f" ({'; '.join(told)})" if told else ""
