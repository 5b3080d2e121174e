"""Published figures, got again through this pipeline's own counting: messages, volumes, permitted sums.

The messages are made after a publication's own ratios; what is tested is that unit, stage, outcome and
ref.measure keep apart what the publications keep apart.
"""

import datetime as dt
from typing import Any

import polars as pl
import pytest

from jobs.base.figures.counting_rules import OPERATOR
from jobs.base.tables.contracts import reference_table, rows_frame
from jobs.operators.report.gather import is_measured
from tests.support.gold_tables import count_table

DAY = dt.date(2026, 11, 24)
# MAAWG, last quarter of 2005: for each unaltered delivered message four were blocked or tagged,
# and 5.6 when each dropped connection counts as one.
MAAWG = [
    (100, "recipient", "delivery", "delivered", False),
    (250, "recipient", "content", "rejected", True),
    (90, "recipient", "content", "tagged", True),
    (60, "recipient", "content", "discarded", True),
    (160, "attempt", "connect", "rejected", True),
]
# ENISA's funnel of 2009: a fifth of connections becomes accepted mail, and 22% of that is delivered.
ENISA = [
    (44, "recipient", "delivery", "delivered", False),
    (150, "recipient", "content", "discarded", True),
    (6, "recipient", "delivery", "bounced", False),
    (700, "attempt", "connect", "rejected", True),
    (100, "attempt", "envelope", "rejected", True),
]


@pytest.fixture(scope="module")
def volume() -> pl.DataFrame:
    """gold.spam_volume_daily of both, an operator each."""
    rows: list[dict[str, Any]] = []
    for operator, groups in (("maawg", MAAWG), ("enisa", ENISA)):
        for count, grain, stage, outcome, is_antispam in groups:
            message: dict[str, Any] = {
                "operator_id": operator,
                "period_date": DAY,
                "channel_code": "EMAIL",
                "direction_code": "inbound",
                "grain_code": grain,
                "stage_code": stage,
                "outcome_code": outcome,
                "is_message_row": grain == "recipient",
                "is_antispam": is_antispam,
            }
            rows += [message] * count
    found = count_table(
        "gold.spam_volume_daily", rows_frame(rows, "silver.message"), reference_table("ref.definition")
    )
    return found.filter(pl.col("definition_code") == OPERATOR)


def units(volume: pl.DataFrame, operator: str, measure: str, unit: str | None = None) -> int:
    inside = volume.filter(is_measured(measure=measure), pl.col("operator_id") == operator)
    if unit:
        inside = inside.filter(pl.col("unit_code") == unit)
    return int(inside["units"].sum())


def test_maawg_80_and_85_per_cent(volume: pl.DataFrame) -> None:
    """Mail is 80.0% abusive by blocked and tagged messages, 84.8% with dropped connections."""
    delivered = units(volume, "maawg", "maawg_unaltered_delivered")
    messages = units(volume, "maawg", "maawg_abusive", "recipient")
    abusive = units(volume, "maawg", "maawg_abusive")
    assert (messages / delivered, abusive / delivered) == (4.0, 5.6)
    assert round(100 * messages / (messages + delivered), 1) == 80.0
    assert round(100 * abusive / (abusive + delivered), 1) == 84.8


def test_enisa_4_4_per_cent(volume: pl.DataFrame) -> None:
    """80% of a thousand connections end before mail is accepted, and 4.4% end in a mailbox."""
    connections = units(volume, "enisa", "enisa_connections")
    accepted = units(volume, "enisa", "enisa_accepted")
    delivered = units(volume, "enisa", "enisa_delivered")
    assert (connections, accepted) == (1000, 200)
    assert round(100 * delivered / connections, 1) == 4.4
