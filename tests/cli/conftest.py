"""A lake with a few rows in it, and the command line on it."""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs.base.store.lake import Lake
from jobs.base.tables import sketch
from jobs.base.tables.contracts import rows_frame
from tests.support.in_process import Told, command_line_of
from tests.support.whole_runs import operator_toml, source_toml

SETTINGS = '[lake]\nroot = "lake"\n' + operator_toml(
    *("a", "A", "CHE", "a", "CHF"), source_toml("mx1", "mail.log", "postfix")
)

Observatory = Callable[..., Told]


@pytest.fixture
def observatory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Observatory:
    """Run the command line in this process."""

    return command_line_of(monkeypatch, capsys, width=200)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings of a lake with a few rows in it."""
    folder = tmp_path_factory.mktemp("command_line")
    lasting = SETTINGS.replace("[lake]", "[lake]\nstale_days = 3660")
    (folder / "observatory.toml").write_text(lasting, encoding="utf-8")
    lake = Lake(str(folder / "lake"))

    def append(table: str, *rows: dict[str, Any]) -> None:
        lake.append(rows_frame(list(rows), table), table)

    day = {"operator_id": "a", "period_date": dt.date(2026, 11, 24), "channel_code": "EMAIL"}
    place = {"direction_code": "inbound", "stage_code": "delivery", "outcome_code": "delivered"}
    what = {"definition_code": "OPERATOR", "spam_certain": 0, "spam_possible": 0}
    volume = [
        day | place | what | {"unit_code": unit, "units": units}
        for unit, units in (("recipient", 1234567), ("message", 1000), ("attempt", 7))
    ]
    append("gold.spam_volume_daily", *volume)
    three = pl.select(sketch.pack_hashes(pl.lit([1, 2, 3], dtype=sketch.LIST))).item()
    append("gold.bypass_indicator_daily", day | {"bypass_code": "SIMBOX", "flagged_sender_sketch": three})
    file = {"operator_id": "a", "source_id": "mx1", "format_code": "postfix", "file_name": "mail.log"}
    counts = {"line_count": 5000, "record_count": 4000, "ignored_count": 997, "quarantined_count": 3}
    landed = dt.datetime(2026, 11, 25, 6, 30, tzinfo=dt.UTC)
    times = {"last_event_date": dt.date(2026, 11, 24), "landed_at": landed}
    append("bronze.file", file | counts | times | {"stream_id": "s", "piece_id": "s-0"})
    odd = {"operator_id": "a", "source_id": "mx1", "piece_id": "s-0", "format_code": "postfix"}
    lines = [f"weird [red]\x1b[m <{name}@secret.example> {len(name)}" for name in ("ann", "bobby")]
    reasons = ["unknown_shape", "unknown_shape", "truncated"]
    quarantined = [
        odd | {"offset": 100 - number, "reason_code": reason, "line_text": line}
        for number, (reason, line) in enumerate(zip(reasons, [*lines, "cut"], strict=True))
    ]
    append("bronze.quarantine", *quarantined)
    joined = {"operator_id": "a", "source_id": "mx1", "period_date": dt.date(2026, 11, 24)}
    qualities = ["exact"] * 5 + ["by_message_id"] * 1 + ["none"] * 2
    messages = [joined | {"grain_code": "recipient", "join_quality_code": each} for each in qualities]
    for code in ("by_message_id", "by_numbers"):
        messages.append(joined | {"grain_code": "call", "join_quality_code": code})
    # No filter could look at what was refused before.
    append("silver.message", *messages, joined | {"grain_code": "attempt", "join_quality_code": "none"})
    named = ("gold.spam_volume_daily", "silver.message")
    versions = [{"table_name": table, "version": lake.version(table)} for table in named]
    run = {"run_id": "r1", "stage_name": "gold", "ingest_ids": ["i1", "i2"], "table_versions": versions}
    append("meta.run", run)
    # Written after the last finished run: nobody is shown it.
    append("gold.spam_volume_daily", volume[0] | {"outcome_code": "tagged"})
    kept = folder / "lake" / "_validation" / "r1.json"
    kept.parent.mkdir()
    rules = {"first": True, "second": True, "third": False}
    results = [
        {"table": "gold.spam_volume_daily", "rule": rule, "says": "so", "is_held": held, "violations": 0}
        for rule, held in rules.items()
    ]
    kept.write_text(json.dumps({"run_id": "r1", "operators": ["a"], "results": results}), encoding="utf-8")
    return folder / "observatory.toml"


@pytest.fixture
def show(observatory: Observatory, study: Path) -> Observatory:
    return lambda command, *arguments: observatory(command, *arguments, "--config", study)
