"""Find a message: first in silver by its pseudonyms, then in bronze by its ids as logged."""

from collections.abc import Mapping

import polars as pl

from jobs.base.settings.config import Observatory
from jobs.base.store.lake import Lake
from jobs.operators.explain.assembled import silver_keys
from jobs.operators.explain.same_message import group_matches
from jobs.operators.explain.search import (
    TRANSMISSION,
    VERDICT,
    LakeSearch,
    Match,
    SearchQuestion,
    day_span,
)
from jobs.operators.formats.registry import KERNELS
from jobs.operators.silver.assembling import LINE_KEY


def find_matches(lake: Lake, settings: Observatory, question: SearchQuestion) -> list[Match]:
    """All matches, the earliest first."""
    found: list[Match] = []
    for operator in question.operators:
        search = LakeSearch(lake, settings, operator, question)
        silver = search.search_silver()
        bronze: dict[str, pl.DataFrame] = {}
        if all(frame.is_empty() for frame in silver.values()):
            bronze = search.search_bronze()
            silver |= silver_from_bronze(search, bronze)
        found += group_matches(search, silver, bronze)
    kept = [match for match in found if is_asked(match, question)]
    return sorted(kept, key=lambda match: (match.at, match.operator.id, match.key))


def is_asked(match: Match, question: SearchQuestion) -> bool:
    sources = {source for frame in match.silver.values() for source in frame["source_id"]}
    sources |= {source for frame in match.bronze.values() for source in frame["source_id"]}
    return (question.day is None or match.at.date() == question.day) and (
        question.source is None or question.source in sources
    )


def silver_from_bronze(search: LakeSearch, bronze: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The rows of silver that bronze rows were assembled to.

    Most silver rows begin at the place of one of the bronze rows. If none does, the bronze rows are assembled
    again, to get the keys of their silver rows.
    """
    if not bronze:
        return {}
    places = pl.concat(frame.select(LINE_KEY) for frame in bronze.values()).unique()
    longest_life = max(KERNELS[name].lookback_days for name in bronze)
    days = day_span(bronze.values(), before=longest_life, after=1)
    found = {}
    for table, key in ((TRANSMISSION, "transmission_hash"), (VERDICT, "verdict_hash")):
        rows = search.read_places(table, places, days)
        if rows.is_empty():
            hashes = silver_keys(search, table, bronze)
            rows = search.find_rows(table, pl.col(key).is_in(hashes), days)
        found[table] = rows
    return found
