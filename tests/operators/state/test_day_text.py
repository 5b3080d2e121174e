"""The day as text for a mail: 40 lines of 80 columns at most, whatever the lake holds."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest

from jobs.base.tables.contracts import rows_frame
from jobs.operators.formats import PRECEDENCE
from jobs.operators.state.day_text import LINES, WIDTH, write_day
from jobs.operators.state.jumps import Jump

DAY = dt.date(2026, 11, 24)
ABOUT = {"operator_id": "a", "period_date": DAY, "unit_code": "recipient", "definition_code": "OPERATOR"}
INBOUND = ABOUT | {"direction_code": "inbound"}


class Lake:
    """Rows of gold's tables."""

    def __init__(self, **tables: list[dict[str, Any]]) -> None:
        self.tables = {f"gold.{name}": rows for name, rows in tables.items()}

    def read(self, table: str, days: Sequence[dt.date]) -> pl.DataFrame:
        frame = rows_frame(self.tables.get(table, []), table)
        return frame.filter(pl.col("period_date").is_in(list(days)))


def volume(
    channel: str = "EMAIL", outcome: str = "delivered", units: int = 100, **more: Any
) -> dict[str, Any]:
    spam = {"spam_certain": units // 2, "spam_possible": units // 2}
    about = INBOUND | spam | {"channel_code": channel, "outcome_code": outcome, "stage_code": "content"}
    return about | {"units": units} | more


def jump(text: str, day: dt.date = DAY) -> Jump:
    return Jump(day, "EMAIL", "recipient", "traffic", 1, 1, 9, text)


def test_a_day_says_what_became_of_what_and_what_is_usual() -> None:
    weeks = [volume(units=80, period_date=DAY - dt.timedelta(weeks=week)) for week in range(1, 6)]
    rows = [
        volume(),
        volume(outcome="rejected", units=50, unit_code="attempt"),
        volume(direction_code="outbound"),
    ]
    other = [volume(units=9_999, definition_code="CAN_SPAM"), volume(units=9_999, unit_code="message")]
    refused = {"channel_code": "EMAIL", "receiving_network": "big.example", "outbound_units": 100}
    hour = {"channel_code": "EMAIL", "direction_code": "inbound", "hour_of_day": 1, "bytes": 2_500_000}
    hour |= {"units": 70, "delay_units": 0}
    delays = {"unit_code": "recipient", "delay_units": 50, "within_10s": 25, "within_600s": 50, "bytes": 0}
    lake = Lake(
        spam_volume_daily=[*rows, *weeks, *other],
        spam_type_daily=[volume(spam_type_code="PHARMA", units=70)],
        refused_by_others_daily=[ABOUT | refused | {"refused_for_now_units": 3, "refused_units": 4}],
        traffic_hourly_daily=[ABOUT | hour | {"unit_code": "message"}, ABOUT | hour | delays],
    )
    text = "\n".join(
        write_day(lake.read, "Lab mail", DAY, [jump("much"), jump("old", DAY - dt.timedelta(1))])
    )
    assert text.startswith("Lab mail, Tuesday 2026-11-24 (UTC)\n====")
    lines = {line.split("  ")[0]: line.split()[1:] for line in text.splitlines() if line}
    assert lines["delivered"] == ["100", "0", "100", "0"] and lines["rejected"] == ["50", "0", "0", "0"]
    assert lines["all"] == ["150", "0", "100", "0"]
    assert "Received 150, spam 50.0%; usual 80, 50.0%" in text
    assert "70 messages, 2.5 MB; delivered within 10 s 50.0%, 10 min 100%" in text
    assert "big.example" in text and "7 of 100" in text
    assert text.endswith("Unlike the same weekdays before\n- much")


@pytest.mark.parametrize("channels", [1, 3, 9])
@pytest.mark.parametrize("jumps", [0, 1, 30])
def test_it_fits_whatever_there_is(channels: int, jumps: int) -> None:
    long = "x" * 60 + ".example"
    names = [f"CH{number}" for number in range(channels)]
    rows = [volume(name, outcome, 10**10) for name in names for outcome in PRECEDENCE]
    lake = Lake(
        spam_volume_daily=rows,
        spam_type_daily=[volume(spam_type_code=f"T{number}{long}") for number in range(9)],
        spam_source_daily=[volume(source_network=f"2001:db8:{number}::/48") for number in range(9)],
        spam_sender_domain_daily=[volume(sender_domain=f"{number}{long}") for number in range(9)],
        refused_by_others_daily=[
            ABOUT | {"channel_code": "EMAIL", "receiving_network": f"{number}{long}"}
            | {"outbound_units": 10**10, "refused_for_now_units": 0, "refused_units": 10**9}
            for number in range(9)
        ],
    )  # fmt: skip
    said = [
        jump(f"EMAIL recipient of Tuesday: {long} refused a lot more than usual {n}") for n in range(jumps)
    ]
    lines = write_day(lake.read, "N\x1b[31m" + long * 2, DAY, said)
    assert len(lines) <= LINES and max(map(len, lines)) <= WIDTH
    assert "\x1b" not in "".join(lines)
    assert sum(line.startswith("CH") for line in lines) + len(named_later(lines)) == channels
    assert ("Unlike the same weekdays before" in lines) == (jumps > 0)


def named_later(lines: list[str]) -> list[str]:
    """The channels that there was no room for."""
    left = [line for line in lines if line.startswith("Left out here: ")]
    return left[0].removeprefix("Left out here: ").split(", ") if left else []
