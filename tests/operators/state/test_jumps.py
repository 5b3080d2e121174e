"""Days unlike the same weekdays before: what is a jump, what is not, and what says so."""

import datetime as dt
import math
import random
from pathlib import Path

import polars as pl
import pytest
from prometheus_client.parser import text_string_to_metric_families

from jobs.base.store.lake import Lake
from jobs.operators.state import health
from jobs.operators.state.jumps import (
    REFUSED,
    REFUSED_TABLE,
    SCORE,
    SHARE,
    TRAFFIC,
    find_jumps,
    jumps_of,
    refusals_of,
)
from tests.operators.state.test_status import LAST, Command, observatory, statuses, with_ledger, written
from tests.support.volume_rows import TABLE, frame
from tests.support.whole_runs import source_toml

__all__ = ["observatory"]
TUESDAY = dt.date(2026, 11, 24)
Counts = dict[dt.date, tuple[int, int]]


def quiet(days: int = 70, noise: float = 0.1, seed: int = 1) -> Counts:
    """Traffic with a week of its own, and 40% spam, up to TUESDAY."""
    chance = random.Random(seed)
    found = {}
    for number in range(days):
        day = TUESDAY - dt.timedelta(days=number)
        units = int(10_000 * (0.4 if day.weekday() > 4 else 1) * math.exp(chance.gauss(0, noise)))
        found[day] = (units, int(units * 0.4))
    return found


def test_quiet_traffic_has_no_jump_and_weekends_are_none() -> None:
    # At 20% noise one day in some 1,600.
    assert [jump for seed in range(100) for jump in jumps_of(quiet(seed=seed), "EMAIL", "recipient")] == []


@pytest.mark.parametrize("factor", [0.1, 0.4, 3, 20])
def test_traffic_that_changes_by_a_factor_is_a_jump(factor: float) -> None:
    day = TUESDAY - dt.timedelta(days=2)
    counts = quiet()
    counts[day] = tuple(int(each * factor) for each in counts[day])
    (jump,) = jumps_of(counts, "EMAIL", "recipient")
    assert (jump.day, jump.measure, jump.value) == (day, TRAFFIC, counts[day][0])
    assert abs(jump.score) >= SCORE and (jump.score > 0) == (factor > 1)
    assert f"Sunday, {day}: {counts[day][0]:,} received" in jump.text


def test_a_share_that_changes_is_a_jump_of_the_share() -> None:
    day = TUESDAY - dt.timedelta(days=1)
    counts = quiet()
    counts[day] = (counts[day][0], int(counts[day][0] * 0.8))
    (jump,) = jumps_of(counts, "EMAIL", "recipient")
    assert (jump.measure, round(jump.value), round(jump.usual)) == (SHARE, 80, 40)
    assert "80.0% certain spam, where 40.0% are usual on that weekday" in jump.text


def test_what_is_no_jump() -> None:
    day = TUESDAY - dt.timedelta(days=2)
    # The newest day, whose logs may still come; a day without records; three weeks; a few units.
    newest = quiet() | {TUESDAY: (10, 5)}
    missing = quiet()
    del missing[day]
    short = quiet(days=7 * 4) | {day: (1, 0)}
    few = {each: (units // 1000, spam // 1000) for each, (units, spam) in quiet().items()} | {day: (60, 0)}
    old = quiet() | {TUESDAY - dt.timedelta(days=8): (1, 0)}
    for counts in (newest, missing, short, few, old, {}):
        assert jumps_of(counts, "EMAIL", "recipient") == []


def sent(refused: float = 0.02, units: int = 1_000) -> Counts:
    """Outbound traffic to a network that refuses a share of it, up to TUESDAY."""
    chance = random.Random(2)
    days = [TUESDAY - dt.timedelta(days=number) for number in range(70)]
    return {day: (units, sum(chance.random() < refused for _ in range(units))) for day in days}


def test_a_network_that_refuses_far_more_than_before_is_a_jump() -> None:
    day = TUESDAY - dt.timedelta(days=1)
    (jump,) = refusals_of(sent() | {day: (1_000, 400)}, "EMAIL", "big.example", TUESDAY)
    assert (jump.day, jump.measure, jump.network, jump.value) == (day, REFUSED, "big.example", 40)
    assert jump.text.startswith(
        f"EMAIL recipient of Monday, {day}: big.example refused 40.0% of 1,000, where"
    )
    (jump,) = refusals_of(sent() | {day: (1_000, 400)}, "EMAIL", "_O", TUESDAY)
    assert "small networks together refused" in jump.text


def test_what_is_no_rise_of_refusals() -> None:
    day = TUESDAY - dt.timedelta(days=1)
    fewer = sent(0.3) | {day: (1_000, 0)}
    # From none to 2% is a great factor of hardly anything.
    hardly = sent(0.0) | {day: (1_000, 20)}
    few = sent(units=90) | {day: (90, 60)}
    newest, without = sent() | {TUESDAY: (1_000, 900)}, {day: (1_000, 900)}
    for counts in (sent(), fewer, hardly, few, newest, without, {}):
        assert refusals_of(counts, "EMAIL", "big.example", TUESDAY) == []
    assert refusals_of(sent(), "EMAIL", "big.example", None) == []


def test_refusals_stand_in_status(tmp_path: Path, observatory: Command) -> None:
    file = written(tmp_path, LAST + dt.timedelta(hours=1), source_toml("mx1", "mail.log", "postfix"))
    lake = gold_lake(tmp_path, 1)
    day = TUESDAY - dt.timedelta(days=1)
    about = {"operator_id": "a", "channel_code": "EMAIL", "receiving_network": "big.example"}
    rows = [
        about
        | {"period_date": each, "outbound_units": units, "refused_for_now_units": 10, "refused_units": few}
        for each, (units, few) in (sent() | {day: (1_000, 390)}).items()
    ]
    lake.append(frame(*rows, table=REFUSED_TABLE), REFUSED_TABLE)
    code, told = statuses(observatory, file)
    (jump,) = told[0]["jumps"]
    assert (code, jump["network"], jump["measure"], jump["value"]) == (3, "big.example", "refused", 40)


def gold_lake(folder: Path, factor: float) -> Lake:
    """A lake of operator a whose traffic of the day before the newest was changed by a factor."""
    lake = with_ledger(folder)
    changed = TUESDAY - dt.timedelta(days=1)
    parts = [
        frame(
            {
                "period_date": day,
                "units": units,
                "spam_certain": spam,
                "spam_possible": units,
                "unit_code": unit,
            },
            # Outbound mail, and another definition's spam, are not what was received.
            {"period_date": day, "units": 99, "direction_code": "outbound", "unit_code": unit},
            {"period_date": day, "units": units, "definition_code": "BULK", "unit_code": unit},
        )
        for day, counts in quiet().items()
        for units, spam in [tuple(int(each * (factor if day == changed else 1)) for each in counts)]
        for unit in ("recipient",)
    ]
    lake.append(pl.concat(parts), TABLE)
    return lake


def test_a_jump_ends_status_with_3_and_stands_in_all_that_it_prints(
    tmp_path: Path, observatory: Command
) -> None:
    file = written(tmp_path, LAST + dt.timedelta(hours=1), source_toml("mx1", "mail.log", "postfix"))
    lake = gold_lake(tmp_path, 5)
    (jump,) = find_jumps(lake, {"a"})["a"]
    code, rows = statuses(observatory, file)
    assert (code, [each["text"] for each in rows[0]["jumps"]]) == (3, [jump.text])
    told = observatory("status", "--config", file)
    assert told.code == 3 and f"operator 'a': {jump.text}." in " ".join(told.out.split())
    text = health.format_check("jumps", rows)
    assert text.startswith(
        "Days unlike the same weekdays before: 1\n- a: EMAIL recipient of Monday, 2026-11-23"
    )


def test_quiet_gold_ends_status_with_0(tmp_path: Path, observatory: Command) -> None:
    file = written(tmp_path, LAST + dt.timedelta(hours=1), source_toml("mx1", "mail.log", "postfix"))
    gold_lake(tmp_path, 1)
    code, rows = statuses(observatory, file)
    assert (code, rows[0]["jumps"]) == (0, [])


def test_metrics_are_what_a_collector_reads(tmp_path: Path, observatory: Command) -> None:
    gold_lake(tmp_path, 5)
    late = written(tmp_path, LAST + dt.timedelta(days=3), source_toml("mx1", "mail.log", "postfix"))
    metrics = tmp_path / "observatory.prom"
    assert observatory("status", "--config", late, "--metrics", metrics).code == 3
    found = {
        sample.name: (sample.labels, sample.value)
        for family in text_string_to_metric_families(metrics.read_text())
        for sample in family.samples
    }
    of_source = {"operator": "a", "source": "mx1"}
    assert found["observatory_source_stale"] == (of_source, 1)
    assert found["observatory_source_last_record_timestamp_seconds"] == (of_source, LAST.timestamp())
    assert found["observatory_source_quarantined_lines"] == (of_source, 2)
    assert found["observatory_source_held_rules"] == (of_source, 0)
    assert found["observatory_jumps"] == ({"operator": "a"}, 1)
    assert found["observatory_doubts"] == ({}, 0)
    assert list(tmp_path.glob("*.prom*")) == [metrics]
    for wrong in (tmp_path / "metrics.txt", tmp_path / "none" / "m.prom"):
        told = observatory("status", "--config", late, "--metrics", wrong)
        assert (told.code, f"--metrics {wrong}" in told.err.replace("\n", "")) == (2, True), told
