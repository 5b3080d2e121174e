"""The table of filter errors in a package: a row for each month and channel that an audit or a test elsewhere
speaks for."""

import polars as pl

from jobs.base.core.call_shares import CALLS
from jobs.base.figures.counting_rules import HAD_CONTENT, OPERATOR, RECEIVED
from jobs.base.tables.contracts import read_contract
from jobs.base.tables.sql import parse_expression

QUALITY = "study.submission_quality"
MONTH = ["period_code", "channel_code"]


def count_seen(volume: pl.DataFrame) -> pl.DataFrame:
    """Count, by month and channel, the messages whose content the operator had, by its filter's call."""
    units, certain, possible = (pl.col(name).sum() for name in ("units", "spam_certain", "spam_possible"))
    return (
        volume.filter(
            pl.col("definition_code") == OPERATOR,
            pl.col("direction_code").is_in(RECEIVED),
            parse_expression(HAD_CONTENT),
        )
        .group_by(MONTH)
        .agg(flagged=certain, undecided=possible - certain, passed=units - possible)
        .sort(MONTH)
    )


def find_contradictions(quality: pl.DataFrame, volume: pl.DataFrame) -> list[str]:
    """A line for each audit of what the package has no messages of, and each share that is there without
    messages of its call, or not there with them."""
    file, volumes = (f"{read_contract(table).name}.csv" for table in (QUALITY, "study.submission"))
    both = quality.join(count_seen(volume), on=MONTH, how="left").sort(MONTH)
    wrong = []
    for row in both.to_dicts():
        place = f"{row['period_code']}, {row['channel_code']}"
        if row["flagged"] is None:
            wrong.append(
                f"{file}: a row is of {place}, and {volumes} has no recipients of it whose content was seen"
            )
            continue
        wrong += [
            f"{file}: {call}_spam_share of {place} is {'missing' if row[call] else 'given'}, and {volumes}"
            f" has {row[call]:,} such recipients"
            for call in CALLS
            if (row[call] > 0) != (row[f"{call}_spam_share"] is not None)
        ]
    return wrong
