"""A brief for an administration holds published rows and its own answers, and nothing else."""

import datetime as dt

import polars as pl

from jobs.base.tables.contracts import rows_frame
from jobs.study.desk.brief import MOST_MEASURES, make_brief
from jobs.study.desk.reader_page import write_html
from jobs.study.desk.reader_release import ReaderRelease
from jobs.study.desk.rounds import FORMS
from jobs.study.questionnaire.definition import form_for
from jobs.study.questionnaire.landing import TABLE, answer_rows
from tests.study.desk.test_feedback import ROW, release
from tests.support.questionnaire import RESPONDENTS, assessed, blank, fill, opened
from tests.support.returned_forms import AT

NONE, NO_FORM = rows_frame([], TABLE), rows_frame([], FORMS)


def told(country: str, published: ReaderRelease, language: str = "en") -> str:
    return write_html(make_brief(country, language, NONE, NO_FORM, published))


def test_a_country_without_a_row_is_told_that_and_not_why() -> None:
    """The page is the same whatever held the row: it cannot know."""
    published = release(ITU_AFR={}, **{"454": {"share_pct": "12.3"}})
    page = told("KEN", published)
    assert "No volume of spam of Kenya itself is published." in page
    # Right above figures of areas that may have Kenya's part in them.
    assert "Figures of the areas that it belongs to may include it." in page
    assert "Africa (ITU region), E-mail" in page
    # Malawi's row is public, and no part of Kenya's brief.
    assert "12.3" not in page and "12.3" in told("MWI", published)
    for word in ("holding", "dominat", "suppress", "withheld", "confidential", "rule"):
        assert word not in page.lower()


def test_a_region_in_part_has_its_counts_in_another_language() -> None:
    own = {"area_code": "ITU_AFR_STUDY", "area_name": "Africa (ITU region): 2 of 44 countries"}
    page = told("KEN", release(ITU_AFR=own), "fr")
    assert "Afrique (région de l'UIT): 2 pays sur 44, " in page.replace("&#39;", "'").replace("&#x27;", "'")


def test_what_is_missing_is_named() -> None:
    page = told("KEN", release(ITU_AFR={}))
    assert "Nothing of your areas is published of: " in page
    assert "We have no answers of yours for 2025." in page
    whose = next(each for each in RESPONDENTS.values() if each.role == "A")
    form = assessed(fill(opened(blank(whose, "en")), {"sp902": 3}))
    rows = rows_frame(answer_rows(form, AT), TABLE)
    left = make_brief(whose.country, "en", rows, NO_FORM, release(ITU_AFR={})).tables[-1].sentences[-1]
    assert left.startswith("Questions that you left open for 2025: ") and "sp901" in left
    assert "sp902" not in left
    # No form asks for it to be filled in, so `questionnaire status` does not count it.
    assert "sp704" not in left


def test_points_to_correct_are_named_and_no_form_with_them_is_complete() -> None:
    whose = next(each for each in RESPONDENTS.values() if each.role == "A")
    form = assessed(fill(opened(blank(whose, "en")), {"sp902": 3}))
    answers = rows_frame(answer_rows(form, AT), TABLE)
    asked = [each.id for each in form_for("A", period="2025").questions]
    every = pl.concat([answers.head(1).with_columns(indicator_code=pl.lit(each)) for each in asked])
    judged = {"respondent_id": whose.id, "period_code": "2025", "file_sha256": "a", "file_name": "a.xlsx",
              "is_taken": True, "open_count": 0}  # fmt: skip
    forms = [
        judged | {"received_at": AT, "to_correct_count": 9},
        judged | {"received_at": AT + dt.timedelta(hours=1), "to_correct_count": 2},
    ]
    said = [
        make_brief(whose.country, "en", every, rows_frame(of, FORMS), release(ITU_AFR={}))
        .tables[-1]
        .sentences
        for of in (forms, [])
    ]
    assert said[0][-1] == "Points to correct in your last form for 2025: 2."
    assert said[1][-1] == "You answered all required questions for 2025."


def test_a_countrys_volume_is_shown_with_its_interval_in_the_language_of_the_brief() -> None:
    """The row of the country has no rate."""
    kenya = {"rate_per_subscription": None, "rate_low": None, "rate_high": None, "estimate": "345000000",
             "estimate_low": "301000000", "estimate_high": "396000000"}  # fmt: skip
    published = release(ITU_AFR={}, **{"404": kenya})
    assert make_brief("KEN", "en", NONE, NO_FORM, published).tables[0].rows == [
        ("Kenya, E-mail", "345M", "301M–396M", "49.3 !!")
    ]
    french = make_brief("KEN", "fr", NONE, NO_FORM, published)
    assert french.tables[0].rows[0][1:] == ("345\xa0M", "301\xa0M–396\xa0M", "49,3 !!")
    assert french.tables[1].rows[0][1:] == ("72,8", "71,9–74,2", "49,3 !!")


def test_a_published_figure_whose_reliability_is_not_known_is_marked() -> None:
    """The site has it in brackets, and in no sentence."""
    published = release(ITU_AFR={"cv_band_code": ""}, **{"404": {"share_cv_band_code": None}})
    page = make_brief("KEN", "en", NONE, NO_FORM, published)
    assert page.tables[0].rows[0][-1] == "49.3 !!"
    assert page.tables[1].rows[0][1] == "72.8 !!"


def test_measures_are_of_the_smallest_area_with_any_the_cheapest_first() -> None:
    cost = {
        "period_code": "2025", "channel_code": "EMAIL", "cost_component_code": "stated",
        "thousand_cv_band_code": "caution",
    }  # fmt: skip
    costs = [
        cost
        | {"area_code": area, "area_name": area, "strategy_code": strategy, "cost_per_thousand": amount}
        for area, strategy, amount in (
            ("ITU_AFR", "filtering", "0.02"), ("ITU_AFR", "network", "0.004"), ("001", "service", "0.001"),
        )
    ]  # fmt: skip
    share = {
        "period_code": "2025", "channel_code": "EMAIL", "area_code": "ITU_AFR", "area_name": "Africa",
        "strategy_code": "feedback", "share_from_pct": "25", "share_below_pct": "50",
    }  # fmt: skip
    tables = {"countermeasure_cost": pl.DataFrame(costs), "countermeasure": pl.DataFrame([share])}
    published = ReaderRelease("2025/v1.0.0", "2025", tables)
    page = make_brief("KEN", "en", NONE, NO_FORM, published)
    rows = [line[1:] for line in page.tables[2].rows]
    assert [(line[1], line[2]) for line in rows] == [("", "0.004 !"), ("", "0.02 !"), ("25–50", "")]
    # Where no cost is published nothing has that column.
    tables["countermeasure_cost"] = tables["countermeasure_cost"].clear()
    table = make_brief("KEN", "en", NONE, NO_FORM, published).tables[2]
    assert table.sentences == [
        "Published rows. What each measure stopped and what it costs is not published."
    ]
    assert table.columns[2:] == ["Operators that have it, %"] and [line[2:] for line in table.rows] == [
        ("25–50",)
    ]


def test_a_brief_of_all_channels_and_areas_is_two_pages() -> None:
    """A browser prints 32 lines of tables on two pages of A4, whatever the language."""
    codes = ("404", "ITU_AFR_STUDY", "DEVELOPING_STUDY", "001_STUDY")
    rows = [
        ROW | {"area_code": code, "area_name": code, "channel_code": channel}
        for code in codes
        for channel in ("EMAIL", "SMS", "MMS", "RCS", "VOICE_CS", "VOICE_IP", "IM", "INAPP")
    ]
    published = ReaderRelease("2025/v1.0.0", "2025", {"spam_volume": pl.DataFrame(rows)})
    page = make_brief("KEN", "en", NONE, NO_FORM, published)
    assert sum(len(each.rows) for each in page.tables) + MOST_MEASURES == 32
