"""Channels of a month that lack an audit, and the progress of an audit."""

import datetime as dt
from pathlib import Path

import pytest

from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import rows_frame
from jobs.operators.audit.due_audits import list_audits
from tests.support.in_process import command_line_of
from tests.support.submission_lake import NORTH, put_gold, put_quality

SETTINGS = f'[lake]\nroot = "lake"\n{NORTH}'


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    put_gold(tmp_path / "lake", "north-mail")
    return Lake(str(tmp_path / "lake"))


def label(sample_id: str, code: str | None) -> dict[str, object]:
    at = dt.datetime(2026, 12, 2, tzinfo=dt.UTC)
    return {
        "operator_id": "north-mail", "period_code": "2026-11", "sample_id": sample_id, "stratum_code": "s",
        "message_hash": "m", "recipient_hash": "r", "period_date": dt.date(2026, 11, 2),
        "channel_code": "EMAIL", "spam_type_code": "UNK", "source_id": "mx1", "stream_id": "1", "offset": 1,
        "label_code": code, "labelled_at": at if code else None,
    }  # fmt: skip


def test_an_audit_is_due_until_its_labels_are_loaded(lake: Lake, tmp_path: Path) -> None:
    put_quality(tmp_path / "lake", "north-mail", {"period_code": "2026-10"})
    found = list_audits(lake, ["north-mail"], "2026-Q4")
    assert [(each.period_code, each.audit_code, each.drawn) for each in found] == [
        ("2026-10", "done", 0),
        ("2026-11", "not_drawn", 0),
    ]
    assert found[0].step is None
    assert found[1].step == (
        "`observatory audit sample --month 2026-11 --operator north-mail` draws messages to label"
    )
    labels = rows_frame([label("1", "spam"), label("2", None)], "silver.audit_label")
    lake.append(labels, "silver.audit_label")
    (later,) = list_audits(lake, ["north-mail"], "2026-11")
    assert (later.audit_code, later.drawn, later.labelled) == ("labelling", 2, 1)
    assert later.step == "fill in the sheet of 2026-11 (1 of 2 done), then `observatory audit load`"
    assert list_audits(lake, ["south-mail"], "2026-Q4") == []


def test_the_command_says_what_is_due(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "observatory.toml").write_text(SETTINGS)
    observatory = command_line_of(monkeypatch, capsys)
    told = observatory("audit", "due", "--period", "2026-11", "--config", tmp_path / "observatory.toml")
    assert told.code == 0 and "no sample" in told.out and "draws messages to label" in told.out, told
