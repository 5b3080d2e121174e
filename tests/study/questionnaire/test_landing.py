"""Answers in the lake: appended, never overwritten; the latest is the same whatever the order of loading."""

import datetime as dt
import itertools
import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from jobs.base.core.errors import ValidationHeld
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import rows_frame
from jobs.cli import main as command_line
from jobs.cli.study.questionnaire import group_faults
from jobs.study.packages.loading import RECEIPT
from jobs.study.questionnaire.checks import CLAIMS
from jobs.study.questionnaire.filing import FilePlace
from jobs.study.questionnaire.landing import TABLE, answer_rows
from jobs.study.questionnaire.latest_answers import latest_answers
from jobs.study.questionnaire.loading import FileOutcome, append_validated, check_claims, read_earlier_filings
from tests.conftest import ROOT
from tests.support.questionnaire import RESPONDENTS, assessed, cell, filled, saved

pytestmark = pytest.mark.long

FIRST = dt.datetime(2026, 11, 1, 8, tzinfo=dt.UTC)


def receipt(answers: dict[str, Any], at: dt.datetime, digest: str) -> list[dict[str, Any]]:
    """Rows of a form with these answers, received at a time; of a few indicators, which is enough."""
    rows = answer_rows(assessed(filled(answers)), at)
    return [
        row | {"file_sha256": digest} for row in rows if row["question_code"] in ("sp201", "sp202", "sp303")
    ]


def test_the_latest_answer_is_the_same_in_any_order_of_loading(tmp_path: Path) -> None:
    withdrawn = filled({"sp202": None})
    cell(withdrawn, "sp202", "status").value = "Not available"
    later = FIRST + dt.timedelta(days=3)
    receipts = [
        receipt({"sp201": 1}, FIRST, "bb"),
        # The same day: the higher hash stands.
        receipt({"sp201": 2}, FIRST, "cc"),
        [
            row | {"file_sha256": "aa"}
            for row in answer_rows(assessed(withdrawn), later)
            if row["indicator_code"] == "sp202"
        ],
    ]
    expected = None
    for number, order in enumerate(itertools.permutations(receipts)):
        lake = Lake(str(tmp_path / f"lake{number}"))
        for rows in order:
            append_validated(lake, rows)
        assert lake.read(TABLE).height == sum(map(len, receipts))
        standing = {
            row["indicator_code"]: (row["value"], row["answer_status_code"])
            for row in latest_answers(lake.read(TABLE)).to_dicts()
        }
        expected = expected or standing
        assert standing == expected
    assert expected is not None and expected["sp201"] == ("2", "A") and expected["sp202"] == (None, "NA")
    assert expected["sp303.EMAIL.attempted"] == ("7000000000", "A")


def test_a_row_that_breaks_its_contract_is_not_written(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    rows = receipt({}, FIRST, "aa")
    rows[0]["waiver"] = "W9"
    with pytest.raises(ValidationHeld, match="waiver_known is broken on 1 row"):
        append_validated(lake, rows)
    assert not lake.exists(TABLE)


def test_an_operator_that_was_sold_is_answered_for_by_its_buyer(tmp_path: Path) -> None:
    """The seller sent packages of the year before the list gave the operator to another, and has no form that
    could be mended for it."""
    lake = Lake(str(tmp_path))
    sent = {
        "respondent_id": "himal-mail", "operator_id": "savanna-mail", "period_code": "2025-Q1",
        "month_codes": ["2025-01", "2025-02", "2025-03"], "channel_codes": ["EMAIL"], "received_at": FIRST,
    }  # fmt: skip
    lake.append(rows_frame([sent], RECEIPT), RECEIPT)
    form = assessed(filled())
    outcome = FileOutcome(tmp_path, FIRST, "en", form)
    check_claims([outcome], read_earlier_filings(lake, [outcome]), RESPONDENTS)
    assert form.filing.period == "2025" and "savanna-mail" in str(form.answers[CLAIMS].text)
    assert not outcome.faults
    # An older form that claims it is mended.
    append_validated(lake, [row | {"respondent_id": "himal-mail"} for row in answer_rows(form, FIRST)
                     if row["indicator_code"] == CLAIMS])  # fmt: skip
    check_claims([outcome], read_earlier_filings(lake, [outcome]), RESPONDENTS)
    assert {fault.key for fault in outcome.faults} == {"two_claims"}


@pytest.fixture
def observatory(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """The command line, with a lake of its own; exit code, output and errors."""
    listed = ROOT / "sample_data" / "study_node" / "respondents.csv"
    (tmp_path / "observatory.toml").write_text(
        f'[lake]\nroot = "lake"\n[study]\nrespondents = "{listed}"\n', encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["observatory", "questionnaire", *map(str, arguments)])
        code = 0
        try:
            command_line.main()
        except SystemExit as end:
            code = int(end.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_forms_are_made_filled_in_and_loaded(
    observatory: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    code, out, _ = observatory("make", "--respondent", "savanna-mobile", "--core", "--period", "2025")
    assert (code, out) == (0, "1 form in questionnaires\n")
    form = tmp_path / "questionnaires" / "savanna-mobile_2025_en_core.xlsx"
    assert openpyxl.load_workbook(form)["_form"]["B2"].value == "savanna-mobile"
    # Nothing is answered yet: refused, with a form to send back, and nothing in the lake.
    code, out, err = observatory("load", form)
    assert code == 2 and "This question needs an answer" in out and "1 of 1 files were refused" in err
    # Not among the answers: the next `load returned/*.xlsx` would take it for one.
    assert [each.name for each in form.parent.glob("*.errors.*")] == []
    assert (form.parent / "errors" / f"{form.stem}.errors.xlsx").exists()
    lake = Lake(str(tmp_path / "lake"))
    assert not lake.exists(TABLE)
    good, bad = tmp_path / "good.xlsx", tmp_path / "macros_2025_fr.xlsm"
    good.write_bytes(saved(filled()))
    os.utime(good, (FIRST.timestamp(), FIRST.timestamp()))
    bad.write_bytes(good.read_bytes())
    code, out, err = observatory("load", good, bad)
    assert code == 2 and "The workbook contains macros" in out
    assert "macros" in (tmp_path / "errors" / "savanna-mobile_2025_macros_2025_fr.errors.txt").read_text(
        encoding="utf-8"
    )
    received = lake.read(TABLE)["received_at"].to_list()
    assert len(received) == 34 and set(received) == {FIRST}
    # A file that was loaded is not loaded again; a later one stands beside it.
    code, out, _ = observatory("load", good)
    assert f"{FIRST:%Y-%m-%d %H:%M}" in out
    assert code == 0 and "loaded before" in out and lake.read(TABLE).height == 34
    good.write_bytes(saved(filled({"sp201": 5})))
    assert observatory("load", "--received", "2026-11-20", good)[0] == 0
    assert lake.read(TABLE).height == 68
    # One that was saved before the one that stands says so.
    earlier = tmp_path / "earlier.xlsx"
    earlier.write_bytes(saved(filled({"sp201": 4})))
    code, out, _ = observatory("load", "--received", "2026-11-10", earlier)
    assert code == 0 and "loaded; the answers of 2026-11-20 00:00 stand" in out
    standing = latest_answers(lake.read(TABLE)).filter(indicator_code="sp201")
    assert standing["value"].to_list() == ["5"]


def test_a_form_with_open_points_is_loaded_and_sent_back_with_these_marked(
    observatory: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    form = tmp_path / "form.xlsx"
    form.write_bytes(saved(filled({"sp201": "many", "sp202": None, "sp904": None})))
    code, out, err = observatory("load", form)
    assert code == 0 and "loaded: 1 to correct, 2 open" in out and "To send back" in err
    rows = {row["indicator_code"]: row for row in Lake(str(tmp_path / "lake")).read(TABLE).to_dicts()}
    assert (rows["sp201"]["value"], rows["sp201"]["answer_status_code"]) == (None, "NA")
    assert "sp202" not in rows and rows["sp706"]["value"] == "440"
    back = openpyxl.load_workbook(tmp_path / "errors" / "savanna-mobile_2025_form.errors.xlsx")["To correct"]
    assert [row[2].value for row in back.iter_rows(min_row=4)] == ["sp201", "sp202", "sp904"]
    receipt = tmp_path / "receipts" / "savanna-mobile_2025_form.receipt.txt"
    assert "Points that are open or to be corrected: 3." in receipt.read_text(encoding="utf-8")
    # Nothing is sent back or listed twice.
    (tmp_path / "errors" / "savanna-mobile_2025_form.errors.xlsx").unlink()
    assert "sp201" in out
    _, out, _ = observatory("load", form)
    assert "loaded before" in out and "sp201" not in out and not list((tmp_path / "errors").iterdir())


def test_marked_forms_that_a_later_form_corrects_are_moved(
    observatory: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    errors, corrected = tmp_path / "errors", tmp_path / "errors" / "corrected"
    for name, answer, hours in (("a.csv", "many", 0), ("c.csv", "9", 4), ("b.csv", "lots", 2)):
        (tmp_path / name).write_text(as_table({"sp201": answer}), encoding="utf-8")
        at = FIRST.timestamp() + 3600 * hours
        os.utime(tmp_path / name, (at, at))
    observatory("load", "a.csv")
    # Of others: another period, a respondent whose name begins so, and a file of the officer's.
    kept = [
        "savanna-mobile_2025-Q4_en.errors.xlsx",
        "savanna-mobile_2025_note.txt",
        "savanna_2025.errors.xlsx",
    ]
    for name in kept:
        (errors / name).touch()
    _, _, err = observatory("load", "a.csv", "b.csv")
    assert "1\u00a0marked form that a later form replaces moved to" in err
    assert [each.name for each in corrected.iterdir()] == ["savanna-mobile_2025_a.errors.xlsx"]
    assert observatory("load", "a.csv", "b.csv")[2] == ""
    # As the shell lists them, the last one first.
    (tmp_path / "d.csv").write_text(as_table({"sp201": "few"}), encoding="utf-8")
    os.utime(tmp_path / "d.csv", (FIRST.timestamp() + 10_000,) * 2)
    observatory("load", "c.csv", "b.csv", "d.csv")
    assert sorted(each.name for each in errors.glob("*.*")) == kept
    assert sorted(each.name[19:21] for each in corrected.iterdir()) == ["_a", "_b"]
    # One that is refused beside a later one that is loaded is no error, and not sent back.
    os.utime(tmp_path / "d.csv", (dt.datetime(2025, 6, 1, tzinfo=dt.UTC).timestamp(),) * 2)
    code, out, err = observatory("load", "c.csv", "d.csv")
    assert code == 0 and "refused; the answers of" in out and "what to do" not in out
    assert "To send back" not in err


def test_the_officer_reads_english_and_the_respondent_its_own_language(
    observatory: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    settings = tmp_path / "observatory.toml"
    text = settings.read_text(encoding="utf-8")
    listed = (ROOT / "sample_data" / "study_node" / "respondents.csv").read_text(encoding="utf-8")
    (tmp_path / "list.csv").write_text(listed.replace(",en,", ",fr,"), encoding="utf-8")
    settings.write_text(f'{text.partition("respondents")[0]}respondents = "list.csv"\n', encoding="utf-8")
    (tmp_path / "form.csv").write_text(as_table({"sp201": "many"}), encoding="utf-8")
    _, out, _ = observatory("load", "form.csv")
    assert "is not a number" in " ".join(out.split())
    back = openpyxl.load_workbook(tmp_path / "errors" / "savanna-mobile_2025_form.errors.xlsx")
    assert "À corriger" in back.sheetnames
    # Nothing of a refused form counts.
    (tmp_path / "early.csv").write_text(as_table({}), encoding="utf-8")
    _, out, _ = observatory("load", "--received", "2025-12-31", "early.csv")
    assert re.search(r"2025-12-31 00:00 +│ +0 +│ refused", out), out


def test_a_file_is_named_by_its_own_respondent_and_period(
    observatory: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    book = filled({"sp105.last": "soon"})
    (tmp_path / "Book1.xlsx").write_bytes(saved(book))
    (tmp_path / "Book2.xlsm").write_bytes(saved(filled()))
    code, out, err = observatory("load", "Book1.xlsx", "Book2.xlsm")
    assert code == 2 and out.count("savanna-mobile") == 2 and out.count("refused") == 2
    assert sorted(each.name for each in (tmp_path / "errors").iterdir()) == [
        "savanna-mobile_2025_Book1.errors.xlsx", "savanna-mobile_2025_Book2.errors.txt",
    ]  # fmt: skip


def as_table(changes: dict[str, str]) -> str:
    """A form in order as CSV, with changes."""
    values = {row["indicator_code"]: row["value"] for row in answer_rows(assessed(filled()), FIRST)} | changes
    lines = [f'savanna-mobile,2025,{code},"{value}"' for code, value in values.items()]
    return "\n".join(["respondent,period,indicator,answer", *lines, ""])


def test_a_form_is_checked_before_its_period_has_ended_and_loaded_after(
    observatory: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    (tmp_path / "form.csv").write_text(as_table({}), encoding="utf-8")
    early = ("--received", "2025-12-31", "form.csv")
    code, out, _ = observatory("load", "--check", *early)
    assert code == 0 and "cannot count yet" in out
    assert observatory("load", *early)[0] == 2 and not Lake(str(tmp_path / "lake")).exists(TABLE)


def test_of_two_answers_on_one_day_the_later_stands_and_neither_is_lost(
    observatory: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    for name, answer, at in (("b.csv", "1", FIRST), ("a.csv", "2", FIRST + dt.timedelta(hours=3))):
        (tmp_path / name).write_text(as_table({"sp201": answer}), encoding="utf-8")
        os.utime(tmp_path / name, (at.timestamp(), at.timestamp()))
    code, out, _ = observatory("load", "a.csv", "b.csv")
    assert code == 0 and "loaded; the answers of 2026-11-01 11:00 stand" in out
    # Both as received at midnight: which is the later one is asked, and nothing is loaded.
    code, _, err = observatory("load", "--received", "2026-11-02", "a.csv", "b.csv")
    assert code == 2 and "came in at the same time: load them one by one" in err.replace("\n", " ")
    kept = Lake(str(tmp_path / "lake")).read(TABLE).filter(indicator_code="sp201")
    assert sorted(kept["value"].to_list()) == ["1", "2"]
    assert latest_answers(kept)["value"].to_list() == ["2"]


def test_more_files_than_are_held_in_memory_are_refused(
    observatory: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    code, _, err = observatory("load", *(["form.xlsx"] * 1001))
    assert code == 2 and "1,001 files: at most 1,000 are read at a time" in err.replace("\n", " ")


def test_the_examples_on_the_page_load_as_printed(
    observatory: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    page = (ROOT / "schemas" / "questionnaire" / "README.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"```\n(respondent,period.*?)```", page, re.DOTALL)
    (json,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    (tmp_path / "form.csv").write_text(table, encoding="utf-8")
    (tmp_path / "form.json").write_text(json, encoding="utf-8")
    for name in ("form.csv", "form.json"):
        code, out, _ = observatory("load", name)
        assert code == 0 and "to correct" not in out and re.search(r"loaded: \d+ open", out), out
    rows = Lake(str(tmp_path / "lake")).read(TABLE)
    assert {"820000", "7000000000"} < set(rows["value"].drop_nulls())


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e400"])
def test_a_form_with_what_is_no_number_is_refused_and_sent_back(
    observatory: Callable[..., tuple[int, str, str]], tmp_path: Path, number: str
) -> None:
    answer = f'{{"indicator": "sp201", "answer": {number}}}'
    form = tmp_path / "form.json"
    form.write_text(f'{{"respondent": "savanna-mobile", "period": "2025", "answers": [{answer}]}}')
    code, out, err = observatory("load", form)
    assert code == 2 and "sp201" in out and "1 of 1 files were refused" in err
    assert list((tmp_path / "errors").glob("*_form.*"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["make", "--respondent", "savana"], "unknown 'savana'; did you mean 'savanna-mobile'?"),
        (["make", "--language", "de"], "--language: unknown 'de'"),
        (["make", "--period", "25"], "--period: '25' is no period"),
        (["load", "nothing.xlsx"], "nothing.xlsx: no such file"),
    ],
)
def test_a_mistake_is_a_message(
    observatory: Callable[..., tuple[int, str, str]], arguments: list[str], words: str
) -> None:
    code, _, err = observatory(*arguments)
    assert code == 2 and words in err.replace("\n", " ")


def test_errors_with_one_message_are_one_line() -> None:
    """An unfilled form misses the same of every question."""
    faults = assessed(filled(dict.fromkeys(("sp201", "sp202", "sp303.EMAIL.attempted")))).faults
    assert len({each.format_message("en") for each in faults}) < len(faults)
    rows = [(sheet, cells, words) for sheet, cells, _, words in group_faults(faults)]
    assert len({(sheet, words) for sheet, _, words in rows}) == len(rows) < len(faults)
    many = [replace(faults[0], place=FilePlace("Volume", f"F{row}")) for row in range(4, 22)]
    ((sheet, cells, indicators, _),) = group_faults(many)
    assert (sheet, cells) == ("Volume", "F4, F5, F6 and 15 more")
    assert indicators == faults[0].indicator
