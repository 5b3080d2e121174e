"""Lakes of earlier versions: a table that lacks a column of its contract is read, and gets it; a lake of
another form is refused, and renewed without losing what landing cannot give back."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import write_deltalake

from jobs.contracts import contract, polars_schema, rows_frame
from jobs.engine.lake import FORM, MARK, Lake
from jobs.engine.renew import renew
from jobs.errors import ObservatoryError

AT = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
RSPAMD = "bronze.rspamd"
EARLIER: dict[str, Any] = {
    "operator_id": "a",
    "stream_id": "s",
    "offset": 0,
    "assembly_key": "k",
    "first_at": AT,
    "event_date": AT.date(),
}


def write_earlier(lake: Lake, table: str, frame: pl.DataFrame) -> None:
    """Write a table as an earlier version did, with the columns that the frame has."""
    lake.mark()
    by = list(contract(table).partition_by)
    write_deltalake(lake.path(table), frame.to_arrow(), partition_by=by)


def test_a_column_that_came_later_is_null_in_older_rows(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    write_earlier(lake, RSPAMD, rows_frame([EARLIER], RSPAMD).drop("fuzzy"))
    before = lake.read(RSPAMD)
    assert dict(before.schema) == polars_schema(RSPAMD)
    assert before["fuzzy"].to_list() == [None]
    lake.append(rows_frame([EARLIER | {"offset": 9, "fuzzy": "00ff"}], RSPAMD), RSPAMD)
    assert lake.read(RSPAMD).sort("offset")["fuzzy"].to_list() == [None, "00ff"]
    # The version before is still read as it was, and a day is replaced as before.
    assert lake.read(RSPAMD, 0).columns == contract(RSPAMD).columns
    day = "operator_id = 'a' AND event_date = '2026-11-24'"
    lake.replace(rows_frame([EARLIER | {"fuzzy": "11ee"}], RSPAMD), RSPAMD, day)
    after = lake.read(RSPAMD)
    assert dict(after.schema) == polars_schema(RSPAMD)
    assert after["fuzzy"].to_list() == ["11ee"]


def test_a_table_that_is_replaced_gets_its_later_column(tmp_path: Path) -> None:
    lake, table = Lake(str(tmp_path)), "silver.verdict"
    row = {"operator_id": "a", "period_date": AT.date(), "verdict_hash": "v", "engine_code": "rspamd"}
    row |= {"verdict_at": AT, "key_id": "k"}
    write_earlier(lake, table, rows_frame([row], table).drop("fuzzy_hash", "subject_hash"))
    day = "operator_id = 'a' AND period_date = '2026-11-24'"
    lake.replace(rows_frame([row | {"subject_hash": "s"}], table), table, day)
    assert lake.read(table).select("fuzzy_hash", "subject_hash").rows() == [(None, "s")]


def test_a_table_that_is_computed_as_a_whole_is_written_anew(tmp_path: Path) -> None:
    """As study tables are: other columns, other types and periods of an earlier version are gone."""
    lake, table = Lake(str(tmp_path)), "study.investment_gap"
    row = {"period_code": "2026", "area_code": "WORLD", "channel_code": "EMAIL", "target_code": "norm"}
    earlier = rows_frame([row, row | {"period_code": "2025"}], table).drop("gap", "spend")
    earlier = earlier.with_columns(gone=1, necessary=pl.lit(1).cast(pl.Decimal(9, 1)))
    write_earlier(lake, table, earlier)
    lake.rewrite(rows_frame([row | {"gap": Decimal("1.25")}], table), table, {"run_id": "r2"})
    assert lake.columns(table) == contract(table).columns
    assert dict(lake.read(table).schema) == polars_schema(table)
    assert lake.read(table).select("period_code", "gap").rows() == [("2026", Decimal("1.25"))]
    assert lake.version(table) == 1
    lake.rewrite(rows_frame([], table), table, {"run_id": "r3"})
    assert lake.read(table).is_empty()


def older_lake(root: Path) -> Lake:
    """A lake from before forms were counted: logs, what was computed from them, and a label of an audit."""
    lake = Lake(str(root))
    write_earlier(lake, RSPAMD, rows_frame([EARLIER], RSPAMD))
    label = {"operator_id": "a", "sample_id": "one", "message_hash": "m", "recipient_hash": "r"}
    of_audit = "silver.audit_label"
    known = {name: value for name, value in label.items() if name in polars_schema(of_audit)}
    frame = rows_frame([known | {"period_date": AT.date()}], of_audit)
    write_earlier(lake, of_audit, frame)
    (root / MARK).unlink()
    return lake


def test_a_lake_of_another_form_is_refused_and_says_what_to_do(tmp_path: Path) -> None:
    lake = older_lake(tmp_path)
    assert lake.form() == 1
    for write in (
        lambda: lake.append(rows_frame([EARLIER], RSPAMD), RSPAMD),
        lambda: lake.rewrite(rows_frame([], "study.mirror"), "study.mirror"),
    ):
        with pytest.raises(
            ObservatoryError, match=f"form 1; this version writes form {FORM}. Run `observatory renew`"
        ):
            write()
    (tmp_path / MARK).write_text(json.dumps({"form": FORM + 1}), encoding="utf-8")
    with pytest.raises(ObservatoryError, match=f"this lake has form {FORM + 1}"):
        lake.mark()


def test_renewing_keeps_what_landing_cannot_give_back(tmp_path: Path) -> None:
    lake = older_lake(tmp_path)
    labels = lake.read("silver.audit_label")
    assert labels.height == 1
    assert renew(lake) == ["silver.audit_label"]
    assert lake.form() == FORM
    assert not lake.exists(RSPAMD)
    assert lake.read("silver.audit_label").equals(labels)
    assert lake.versions() == {"silver.audit_label": 0}
    with pytest.raises(ObservatoryError, match="nothing to renew"):
        renew(lake)
