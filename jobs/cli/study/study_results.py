"""The main figures of the study on a terminal, and how to see the others."""

import polars as pl
from rich.console import RenderableType
from rich.text import Text

from jobs.cli.study.study_change import change_tables
from jobs.cli.study.study_costs import cost_tables
from jobs.cli.study.study_measures import measure_tables
from jobs.cli.study.study_parts import route_tables, source_tables, type_tables
from jobs.cli.study.study_spending import investment_tables, public_spending_table
from jobs.cli.study.study_volume import corrected_tables, volume_tables

OTHERS = (
    "Other figures: `observatory show` with study.investment (parts of spending, posts, shares of economies),"
    " study.policy (what administrations answered), study.mirror (sent beside received),"
    " study.published_volume (volumes that others published) or study.reconciliation (answers beside logs)."
    " `observatory tables` lists all."
)


def result_tables(frames: dict[str, pl.DataFrame]) -> list[RenderableType]:
    """The main figures of the latest and longest period, each table with its interval, coverage and band.

    Corrected ones come first: where filters err, intervals of what they saw do not contain the truth.
    """
    return [
        *corrected_tables(frames["study.spam_volume"], frames["study.submission_quality"]),
        *volume_tables(frames["study.spam_volume"]),
        *change_tables(frames["study.volume_change"]),
        *type_tables(frames["study.spam_type"]),
        *source_tables(frames["study.spam_source"]),
        *route_tables(frames["study.spam_route"]),
        *investment_tables(
            frames["study.investment"], frames["study.investment_gap"], frames["ref.investment_target"]
        ),
        *public_spending_table(frames["study.public_spending"]),
        *measure_tables(frames["study.countermeasure"]),
        *cost_tables(frames["study.countermeasure_cost"]),
        Text(OTHERS),
    ]
