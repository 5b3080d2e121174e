"""The main figures of the study on a terminal, and where its sources disagree."""

from __future__ import annotations

import polars as pl
from rich.console import RenderableType
from rich.table import Table

from jobs.cli.study_spending import investment, public_spending
from jobs.cli.study_tables import latest_of, named_rows, of_period, short
from jobs.cli.study_volume import corrected, volume
from jobs.core.counting_rules import OPERATOR


def results(frames: dict[str, pl.DataFrame]) -> list[RenderableType]:
    """The main figures of the latest and longest period, each table with its interval, coverage and band.

    Corrected ones come first: where filters err, intervals of what they saw do not contain the truth.
    """
    return [
        *corrected(frames["study.spam_volume"], frames["study.submission_quality"]),
        *volume(frames["study.spam_volume"]),
        *investment(
            frames["study.investment"], frames["study.investment_gap"], frames["ref.investment_target"]
        ),
        *public_spending(frames["study.public_spending"]),
        *reconciliation(frames["study.reconciliation"]),
        *mirror(frames["study.mirror"]),
    ]


# So many pairs of countries are printed.
PAIRS = 8


def reconciliation(frame: pl.DataFrame) -> list[Table]:
    count = {
        (indicator, kind): number
        for indicator, kind, number in frame.group_by("indicator_code", "agreement_code").len().rows()
    }
    if not count:
        return []
    title = "Answers against logs of the same operators, number of answers"
    table = Table("indicator", title=title, title_justify="left")
    kinds = ("agrees", "differs", "conflicts", "other_definition")
    for kind in kinds:
        table.add_column(kind.replace("_", " "), justify="right")
    for indicator in sorted({indicator for indicator, _ in count}):
        table.add_row(indicator, *(str(count.get((indicator, kind), 0)) for kind in kinds))
    return [table]


def mirror(frame: pl.DataFrame) -> list[Table]:
    """The pairs of countries whose reports differ most in the last month: recipients, attempts and calls by
    the operators' own definition."""
    own = frame.filter(
        pl.col("definition_code") == OPERATOR, pl.col("measure_code").is_in(["attempted", "calls"])
    )
    found = named_rows(
        own.filter(
            of_period(latest_of(own)),
            pl.col("link_code") == "_T",
            ~pl.col("is_within_unplaced"),
        )
    )
    if not found:
        return []
    title = f"Sent and received in {found[0].period_code}: attempted or calls, definition {OPERATOR}"
    table = Table("channel", "from", "to", title=title, title_justify="left")
    for head in ("sent", "received", "discrepancy", "coverage"):
        table.add_column(head, justify="right")
    for row in sorted(
        found, key=lambda row: (-abs(row.discrepancy_units), row.origin_code, row.destination_code)
    )[:PAIRS]:
        table.add_row(
            row.channel_code, row.origin_code, row.destination_code, short(row.sent_units),
            short(row.received_units), f"{row.discrepancy_pct:+.0f}%",
            ", ".join("?" if each is None else f"{each:.0f}%"
                      for each in (row.sent_coverage_pct, row.received_coverage_pct)),
        )  # fmt: skip
    return [table]
