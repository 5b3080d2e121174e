"""Lakes of other versions: a table that lacks a column of its contract is read, and gets it; a lake of
another form is refused. A renewal keeps what landing cannot give back."""

import datetime as dt
import io
import json
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
import typer
from deltalake import DeltaTable, write_deltalake
from fsspec.implementations.local import LocalFileSystem

from jobs.base.core.errors import ObservatoryError
from jobs.base.settings.config import Observatory
from jobs.base.settings.node import LakeSettings
from jobs.base.store import record
from jobs.base.store.lake import Lake
from jobs.base.store.lake_notes import FORM, MARK
from jobs.base.store.lease import LOCK
from jobs.base.tables.contracts import polars_schema, read_contract, rows_frame
from jobs.cli import main as command_line
from jobs.operators.build.gold_steps import GOLD
from jobs.operators.keep.renew import renew_lake
from jobs.operators.runs.quality import AUDIT
from jobs.operators.runs.quality import TABLE as QUALITY
from jobs.operators.silver.frames import SILVER
from tests.conftest import ROOT
from tests.operators.audit.test_audit import xlsx
from tests.support.in_process import Told, command_line_of
from tests.support.whole_runs import MAIL_NETWORK, operator_toml, rows_in, source_toml

LAB = ROOT / "sample_data" / "lab" / "postfix"
ANSWER = "study.questionnaire_answer"
COMPUTED = (*SILVER, *GOLD)
Command = Callable[..., Told]
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


@pytest.fixture
def observatory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command line in this process."""

    return command_line_of(monkeypatch, capsys, width=200)


def write_earlier(lake: Lake, table: str, frame: pl.DataFrame) -> None:
    """Write a table as an earlier version did, with the columns that the frame has."""
    lake.record_form()
    by = list(read_contract(table).partition_by)
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
    assert lake.read(RSPAMD, 0).columns == read_contract(RSPAMD).columns
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
    """A study table is an example: other columns, other types and periods of an earlier version are gone."""
    lake, table = Lake(str(tmp_path)), "study.investment_gap"
    row = {"period_code": "2026", "area_code": "WORLD", "channel_code": "EMAIL", "target_code": "norm"}
    earlier = rows_frame([row, row | {"period_code": "2025"}], table).drop("gap", "spend")
    earlier = earlier.with_columns(gone=1, necessary=pl.lit(1).cast(pl.Decimal(9, 1)))
    write_earlier(lake, table, earlier)
    lake.rewrite(rows_frame([row | {"gap": Decimal("1.25")}], table), table, {"run_id": "r2"})
    written = DeltaTable(lake.path(table)).schema().fields
    assert [each.name for each in written] == read_contract(table).columns
    assert dict(lake.read(table).schema) == polars_schema(table)
    assert lake.read(table).select("period_code", "gap").rows() == [("2026", Decimal("1.25"))]
    assert lake.version(table) == 1
    lake.rewrite(rows_frame([], table), table, {"run_id": "r3"})
    assert lake.read(table).is_empty()


def labelled_lake(root: Path) -> Lake:
    """A lake with records, and a label of an audit."""
    lake = Lake(str(root))
    write_earlier(lake, RSPAMD, rows_frame([EARLIER], RSPAMD))
    label = {"operator_id": "a", "sample_id": "one", "message_hash": "m", "recipient_hash": "r"}
    of_audit = "silver.audit_label"
    known = {name: value for name, value in label.items() if name in polars_schema(of_audit)}
    frame = rows_frame([known | {"period_date": AT.date()}], of_audit)
    write_earlier(lake, of_audit, frame)
    return lake


def older_lake(root: Path) -> Lake:
    """A lake from before forms were counted."""
    lake = labelled_lake(root)
    (root / MARK).unlink()
    return lake


def test_a_lake_of_another_form_is_refused_and_says_what_to_do(tmp_path: Path) -> None:
    lake = older_lake(tmp_path)
    assert lake.read_form() == 1
    for write in (
        lambda: lake.append(rows_frame([EARLIER], RSPAMD), RSPAMD),
        lambda: lake.rewrite(rows_frame([], "study.mirror"), "study.mirror"),
    ):
        with pytest.raises(ObservatoryError, match="development version .*in form 1, .* new folder"):
            write()
    (tmp_path / MARK).write_text(json.dumps({"form": FORM + 1}), encoding="utf-8")
    with pytest.raises(ObservatoryError, match=f"this lake has form {FORM + 1}"):
        lake.record_form()


# Commands of an operator and of the study, each with what lets it come as far as the lake.
READERS_AND_WRITERS: dict[tuple[str, ...], list[str]] = {
    ("submit",): ["--period", "2026-11"],
    ("receipts",): [],
    ("key", "check"): [],
    ("erase",): ["--number", "+447700900123", "--yes"],
    ("pull",): [],
    ("run",): [],
    ("validate",): [],
    ("show",): ["silver.message"],
    ("status",): [],
    ("explain",): ["4jYlH071Srz1fPlf"],
    ("vacuum",): [],
    ("quarantine",): [],
    ("demo",): [],
    ("renew",): ["--yes"],
    ("report",): [],
    ("audit", "sample"): ["--month", "2026-11"],
    ("audit", "load"): ["{sheet}"],
    ("audit", "due"): ["--period", "2026-11"],
    ("cost", "explain"): ["lab-mail/2026-11"],
    ("cost", "sum"): ["lab-mail/2026-11", "lab-sms/2026-11"],
    ("cost", "sensitivity"): ["study.investment_gap/2026/LDC/EMAIL"],
    ("questionnaire", "load"): ["{file}"],
    ("questionnaire", "status"): ["--period", "2026-Q4", "--config", "{settings}"],
    ("study", "estimate"): ["--files", "{membership}"],
    ("study", "load"): ["{file}"],
    ("study", "check"): [],
    ("study", "membership"): [],
    ("release", "make"): ["--period", "2026-Q3"],
}
OF_RELEASES = (
    "list", "show", "diff", "revisions", "verify", "sign", "publish", "withdraw", "site", "document",
)  # fmt: skip
# What comes to the lake only once a release is published, or a round of letters has its settings.
LATER = {("study", "brief"), ("study", "feedback"), ("questionnaire", "letters")}
OF_CLEARANCE = ("make", "load", "show", "decide", "unasked")
WITHOUT_A_LAKE = {
    *(
        ("cost", "fixed"),
        ("cost", "list"),
        ("tables",),
        ("sniff",),
        ("init",),
        ("reconcile",),
        ("questionnaire", "make"),
    ),
    *(("study", each) for each in ("init", "frame")),
    *(("release", each) for each in OF_RELEASES),
    *(("release", "clear", each) for each in OF_CLEARANCE),
}


def commands(group: Any, names: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    if not hasattr(group, "commands"):
        return {names}
    return {each for name, inner in group.commands.items() for each in commands(inner, (*names, name))}


def test_every_command_is_asked_here() -> None:
    known = {*READERS_AND_WRITERS, *WITHOUT_A_LAKE, *LATER}
    assert commands(typer.main.get_command(command_line.app)) == known


@pytest.mark.parametrize("is_newer", [False, True], ids=["older", "newer"])
@pytest.mark.parametrize("command", READERS_AND_WRITERS, ids=" ".join)
def test_every_command_that_reads_or_writes_refuses_a_lake_of_another_form(
    observatory: Command,
    command: tuple[str, ...],
    is_newer: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lake = older_lake(tmp_path / "lake")
    if is_newer:
        (tmp_path / "lake" / MARK).write_text(json.dumps({"form": FORM + 1, "later": [1]}), encoding="utf-8")
    before = files_in(tmp_path / "lake")
    (tmp_path / "file.csv").write_text("no,answer\n")
    given = {
        "{sheet}": xlsx(tmp_path),
        "{file}": tmp_path / "file.csv",
        "{membership}": ROOT / "sample_data" / "membership",
        "{settings}": ROOT / "sample_data" / "observatory.toml",
    }
    monkeypatch.setenv("OBSERVATORY_LAKE_ROOT", lake.root)
    arguments = [given.get(each, each) for each in READERS_AND_WRITERS[command]]
    told = observatory(*command, *arguments, "--config", ROOT / "sample_data" / "observatory.toml")
    assert told.code == 2, told.err
    said = f"a development version wrote this lake, in form 1, and this version reads form {FORM} alone:"
    said += " keep the logs, and run again with a new folder as [lake] root"
    if is_newer:
        said = f"form {FORM + 1}, of a newer version; this one writes form {FORM}. Install the version"
    assert said in " ".join(told.err.split())
    assert "Traceback" not in told.err
    assert files_in(tmp_path / "lake") == before


def files_in(root: Path) -> dict[str, bytes]:
    """Every file of a lake but its lock."""
    files = (path for path in root.rglob("*") if path.is_file() and path.name != LOCK)
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """Settings of an operator of mail."""
    text = f"""
[lake]
root = "lake"
[limits]
quarantined_pct = 40
{operator_toml("lab-mail", "Lab mail provider", "CHE", "lab", "CHF", MAIL_NETWORK)}
{source_toml("mx1", str(LAB / "mail.iso8601.log"), "postfix")}
{source_toml("filter", str(LAB / "rspamd.log"), "rspamd")}
"""
    (tmp_path / "observatory.toml").write_text(text)
    return tmp_path / "observatory.toml"


@pytest.mark.long
def test_renewing_computes_anew_and_keeps_what_landing_cannot_give_back(
    observatory: Command, settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def done(*arguments: object) -> Told:
        told = observatory(*arguments, "--config", settings)
        assert told.code == 0, told.err
        return told

    done("run")
    sheets = tmp_path / "sheets"
    done("audit", "sample", "--month", "2026-11", "--size", 80, "--output", sheets)
    [sheet] = sheets.glob("*.xlsx")
    done("audit", "load", filled(sheet))
    lake = Lake(str(tmp_path / "lake"))
    given = rows_frame([{"respondent_id": "north", "period_code": "2026", "item_code": "x"}], ANSWER)
    lake.append(given, ANSWER)
    before = rows_in(lake, COMPUTED)
    quality = rows_in(lake, [QUALITY])
    kept = {table: lake.read(table) for table in (*AUDIT, ANSWER)}
    assert all(frame.height for frame in kept.values()) and quality[QUALITY] and before["silver.message"]
    # A table is damaged, and a run died.
    lake.append(lake.read("gold.campaign_daily").head(1), "gold.campaign_daily")
    for folder in ("_intent", "_staging"):
        (tmp_path / "lake" / folder).mkdir(exist_ok=True)
        (tmp_path / "lake" / folder / "old.json").write_text("{}")
    # Asked first: nothing happens without a yes.
    state = files_in(tmp_path / "lake")
    for answer in ("n\n", ""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        told = observatory("renew", "--anew", "--config", settings)
        assert told.code == 2 and "nothing was changed" in told.err
    assert files_in(tmp_path / "lake") == state
    told = done("renew", "--anew", "--yes")
    assert all(table in told.out for table in kept) and "silver.message" not in told.out
    assert lake.read_form() == FORM
    assert lake.versions() == {table: lake.version(table) for table in kept}
    for table, frame in kept.items():
        assert lake.read(table).equals(frame)
    assert not (tmp_path / "lake" / "_intent").exists()
    assert not lake.exists("silver.message") and not lake.exists(QUALITY)
    told = observatory("renew", "--yes", "--config", settings)
    assert told.code == 2 and "nothing to renew" in told.err
    done("run")
    assert rows_in(lake, COMPUTED) == before
    assert rows_in(lake, [QUALITY]) == quality
    for table, frame in kept.items():
        assert lake.read(table).equals(frame)
    assert "Nothing new" in done("run").out


def filled(sheet: Path) -> Path:
    """A sheet with labels by turns."""
    book = openpyxl.load_workbook(sheet)
    for number, row in enumerate(book["Label"].iter_rows(min_row=2)):
        row[8].value = ("spam", "not spam")[number % 2]
    book.save(sheet)
    return sheet


@pytest.mark.long
def test_renewing_that_is_killed_can_be_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every removal, and the row of meta.run, is once the step that is never done."""
    settings = Observatory(lake=LakeSettings(root=str(tmp_path)))
    for step in range(100):
        lake = labelled_lake(tmp_path / str(step))
        labels = lake.read("silver.audit_label")
        steps = iter(range(1000))

        def dying(does: Callable[..., Any], steps: Any = steps, step: int = step) -> Callable[..., Any]:
            def maybe(*arguments: Any, **named: Any) -> Any:
                if next(steps) == step:
                    raise KeyboardInterrupt
                return does(*arguments, **named)

            return maybe

        is_killed = False
        with monkeypatch.context() as patch:
            patch.setattr(LocalFileSystem, "rm", dying(LocalFileSystem.rm))
            patch.setattr(LocalFileSystem, "mv", dying(LocalFileSystem.mv))
            patch.setattr(record, "add_stage", dying(record.add_stage))
            try:
                renew_lake(lake, settings, is_anew=True)
            except KeyboardInterrupt:
                is_killed = True
        if is_killed:
            assert renew_lake(lake, settings, is_anew=True) == ["silver.audit_label"]
        assert lake.read_form() == FORM and not lake.exists(RSPAMD)
        assert lake.read("silver.audit_label").equals(labels)
        assert lake.versions() == {"silver.audit_label": 0}
        if not is_killed:
            break
    assert 10 < step < 99
