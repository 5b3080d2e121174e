"""Feedback to respondents is theirs already: published rows, and their own answers."""

import datetime as dt
import io
from dataclasses import replace
from typing import Any

import openpyxl
import polars as pl
import pytest

from jobs.base.tables.contracts import rows_frame
from jobs.study.desk.brief import make_brief
from jobs.study.desk.feedback import list_own_rates, make_feedback
from jobs.study.desk.reader_page import WIDTHS, write_html, write_sheet
from jobs.study.desk.reader_release import ReaderRelease, areas_of
from jobs.study.desk.rounds import FORMS
from jobs.study.questionnaire.definition import load_definition
from jobs.study.questionnaire.landing import TABLE, answer_rows
from jobs.study.release.released_tables import area_codes
from jobs.study.site.texts import load_texts
from tests.support.questionnaire import SAVANNA, assessed, filled
from tests.support.returned_forms import AT

ROW = {
    "period_code": "2025", "channel_code": "EMAIL", "unit_code": "attempted", "definition_code": "OPERATOR",
    "quantity_code": "spam_certain", "rate_per_subscription": "72.8", "rate_low": "71.9", "rate_high": "74.2",
    "share_pct": "49.3", "share_cv_band_code": "unreliable", "cv_band_code": "acceptable",
}  # fmt: skip


def release(**areas: dict[str, Any]) -> ReaderRelease:
    names = dict(area_codes().values()) | {"001_STUDY": "12 countries of the study"}
    rows = pl.DataFrame(
        [ROW | {"area_code": code, "area_name": names.get(code)} | own for code, own in areas.items()]
    )
    return ReaderRelease("2025/v1.0.0", "2025", {"spam_volume": rows})


def answers(changes: dict[str, Any] | None = None) -> pl.DataFrame:
    return rows_frame(answer_rows(assessed(filled(changes or {})), AT), TABLE)


def test_own_figures_stand_beside_those_of_ones_own_areas_alone() -> None:
    published = release(ITU_AFR={}, ITU_EUR={}, **{"001_STUDY": {"rate_per_subscription": None}, "404": {}})
    page = make_feedback(SAVANNA, answers(), published)
    assert page is not None
    (mail,) = (each for each in page.tables if each.heading.startswith("E-mail"))
    # 7,000 million of 9,000 million attempts, of 820,000 mailboxes.
    assert mail.rows == [
        ("Kenya", "Spam for each subscription", "8,540", "72.8", "71.9–74.2"),
        ("Africa (ITU region)", "Spam for each subscription", "8,540", "72.8", "71.9–74.2"),
        ("Kenya", "Spam in % of all traffic", "77.8", "49.3 !!", ""),
        ("Africa (ITU region)", "Spam in % of all traffic", "77.8", "49.3 !!", ""),
        ("12 countries of the study", "Spam in % of all traffic", "77.8", "49.3 !!", ""),
    ]
    assert not mail.sentences
    sheet = openpyxl.load_workbook(io.BytesIO(write_sheet(page, dt.date(2025, 12, 31)))).worksheets[0]
    assert sheet.title == "Your figures"
    shown = {row[0].value: row for row in sheet.iter_rows() if row[1].value == "Spam in % of all traffic"}
    cells = shown["Kenya"][2:4]
    assert [(each.value, each.number_format) for each in cells] == [(77.8, "#,##0.0"), (49.3, '#,##0.0" !!"')]
    others = [each for each in page.tables if each is not mail]
    assert others and all(each.sentences and not each.rows for each in others)


def test_a_figure_that_ones_answers_do_not_give_is_explained() -> None:
    page = make_feedback(SAVANNA, answers({"sp201": ("status", "NA")}), release(ITU_AFR={}))
    assert page is not None
    (mail,) = (each for each in page.tables if each.heading.startswith("E-mail"))
    assert [row[2] for row in mail.rows] == ["–", "77.8"]
    (words,) = mail.sentences
    assert words.startswith("–: your answers lack a number that this figure needs")


def test_spam_by_another_definition_or_of_another_period_is_not_compared() -> None:
    assert ("EMAIL", "rate") in list_own_rates(answers())
    assert ("EMAIL", "rate") not in list_own_rates(answers({"sp301.EMAIL": ("definition", "NATIONAL")}))
    other = ReaderRelease("2026/v1.0.0", "2026", {})
    assert make_feedback(SAVANNA, answers(), other) is None


@pytest.mark.parametrize("language", load_definition()["languages"])
def test_of_a_release_of_made_up_figures_page_and_sheet_say_so(language: str) -> None:
    whose, band = replace(SAVANNA, language=language), load_texts(language)["band"]
    for published in (release(ITU_AFR={}), replace(release(ITU_AFR={}), is_made_up=True)):
        page = make_feedback(whose, answers(), published)
        assert page is not None
        sheet = openpyxl.load_workbook(io.BytesIO(write_sheet(page, dt.date(2025, 12, 31)))).worksheets[0]
        brief = make_brief("KEN", language, answers().clear(), rows_frame([], FORMS), published)
        shown = (band in write_html(page), sheet["A1"].value == band, band in write_html(brief))
        assert set(shown) == {published.is_made_up}


@pytest.mark.parametrize("language", load_definition()["languages"])
def test_the_page_is_in_the_respondents_language_and_its_sheet_has_the_same(language: str) -> None:
    page = make_feedback(replace(SAVANNA, language=language), answers(), release(ITU_AFR={}))
    assert page is not None and bool(page.unofficial) == (language != "en")
    html = write_html(page)
    assert f'lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}"' in html
    assert ("72,8" if language in ("fr", "es", "ru") else "72.8") in html
    assert "<script" not in html and "http" not in html
    written = write_sheet(page, dt.date(2025, 12, 31))
    assert written == write_sheet(page, dt.date(2025, 12, 31))
    sheet = openpyxl.load_workbook(io.BytesIO(written)).worksheets[0]
    assert sheet.sheet_properties.pageSetUpPr.fitToPage and sheet.page_setup.fitToHeight == 0
    merged = {each.min_row for each in sheet.merged_cells.ranges}
    # Nothing is cut: a text fits into its column, or its row goes over all of them.
    for number, row in enumerate(sheet.iter_rows(max_col=len(WIDTHS), values_only=True), 1):
        if number not in merged:
            assert all(len(str(text or "")) <= width for text, width in zip(row, WIDTHS, strict=True))


def test_a_country_is_in_its_region_and_groups() -> None:
    assert areas_of("NPL", "2026-Q4") == ["NPL", "LLDC", "ASP", "LDC", "DEVELOPING", "WORLD"]
