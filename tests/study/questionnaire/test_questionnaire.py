"""The questionnaire kit: what is asked, the form, what comes back, and what the respondent then reads."""

import csv
import datetime as dt
import io
import json
import re
import string
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.periods import period_bounds
from jobs.study.questionnaire.assessment import Assessment
from jobs.study.questionnaire.checks import double_claims
from jobs.study.questionnaire.definition import form_for, list_questions, load_definition
from jobs.study.questionnaire.filing import Refused
from jobs.study.questionnaire.filled_forms import read_filing
from jobs.study.questionnaire.landing import answer_rows
from jobs.study.questionnaire.loading import EarlierFilings, check_claims, form_cells, new_rows, read_files
from jobs.study.questionnaire.order import Letterhead, Order
from jobs.study.questionnaire.respondents import country_names, read_respondents
from jobs.study.questionnaire.sheet_checks import group_range
from jobs.study.questionnaire.texts import (
    codes_by_label,
    fold_words,
    join_words,
    list_options,
    load_translations,
    option_labels,
    translate_key,
)
from jobs.study.questionnaire.workbook import lay_out_form, make_workbook
from tests.support.questionnaire import (
    GOOD,
    RESPONDENTS,
    SAVANNA,
    assessed,
    assessed_file,
    blank,
    cell,
    fill,
    filled,
    opened,
    reread,
    saved,
    told,
)

LANGUAGES = load_definition()["languages"]
AT = dt.datetime(2026, 11, 25, 9, 30, tzinfo=dt.UTC)


# --- the definition and its words -----------------------------------------------------------------------


def test_every_text_is_there_in_every_language_with_the_same_blanks() -> None:
    for group, keys in load_translations().items():
        for key, words in keys.items():
            assert sorted(words) == sorted(LANGUAGES), f"{group}.{key}"
            blanks = {
                language: {name for _, name, _, _ in string.Formatter().parse(said) if name}
                for language, said in words.items()
            }
            assert all(said.strip() for said in words.values()), f"{group}.{key}"
            assert len(set(map(frozenset, blanks.values()))) == 1, f"{group}.{key}: {blanks}"


def test_every_question_list_dimension_and_unit_has_its_words_and_no_words_are_left_over() -> None:
    assert sorted(load_translations()["question"]) == sorted(question.id for question in list_questions())
    assert set(load_translations()["help"]) <= set(load_translations()["question"])
    for codelist, codes in load_definition()["lists"].items():
        assert set(load_translations()[codelist]) == {"name", *codes}
    for dimension, codes in load_definition()["dimensions"].items():
        assert set(load_translations()[dimension]) == set(codes), dimension
    units = {question.unit for question in list_questions() if question.unit} | {"text", "date", "list"}
    assert set(load_translations()["unit"]) == units
    sections = {section["id"] for section in load_definition()["sections"]}
    assert set(load_translations()["section"]) == sections
    assert set(load_translations()["sheet"]) == sections | {"instructions", "codes", "errors"}


def test_names_of_sheets_and_of_errors_fit_into_a_workbook() -> None:
    for words in load_translations()["sheet"].values():
        assert all(len(name) <= 31 and not set(name) & set("[]:*?/\\'") for name in words.values())
    assert all(len(words) <= 32 for words in load_translations()["word"]["not_accepted"].values())
    assert all(len(words) <= 240 for key in load_translations()["check"].values() for words in key.values())


def test_labels_of_a_list_differ_in_each_language_and_mean_one_code_in_all() -> None:
    for codelist in load_definition()["lists"]:
        for language in LANGUAGES:
            labels = [fold_words(label) for label in option_labels(language, codelist).values()]
            assert len(set(labels)) == len(labels), (codelist, language)
        for language in LANGUAGES:
            for code, label in option_labels(language, codelist).items():
                assert codes_by_label(codelist)[fold_words(label)] == code


def test_the_core_set_is_small_and_each_role_has_its_own_questions() -> None:
    for role in ("O", "A", "M"):
        whole, core = form_for(role), form_for(role, core=True)
        assert {each.id for each in core.questions} < {each.id for each in whole.questions}
        assert len(core.questions) <= 25
    assert "sp711" not in form_for("O").indicators and "sp303.EMAIL.attempted" not in form_for("A").indicators
    assert len(form_for("M").questions) <= 10


@pytest.mark.long
def test_a_vendors_form_is_made_filled_in_and_read_back_in_every_language() -> None:
    """A vendor's form is the same for a year and for a quarter; its own questions are of no other role."""
    vendor = RESPONDENTS["filter-works"]
    own = {"sp1001.EMAIL.filtering": ("yesno", "yes"), "sp1002.EMAIL": 2.4, "sp1003.EMAIL": ("basis", "SAMPLE"),
           "sp1004.EMAIL": 40_000_000, "sp1005.EMAIL": 51.5, "sp1006.EMAIL": "Mail in 2025, p. 4, works.example"}  # fmt: skip
    for language in LANGUAGES:
        book = fill(opened(blank(vendor, language)), own, language)
        assert str(cell(book, "sp1002.EMAIL", "unit").value) == "CHF"
        found = assessed(book)
        assert found.faults == [] and set(own) < set(found.answers)
        assert found.answers["sp1003.EMAIL"].code == "SAMPLE"
    assert form_for("M") == form_for("M", period="2025-Q4")
    assert not {*own} & {*form_for("O").indicators, *form_for("A").indicators}
    named = assessed(fill(opened(blank(vendor)), own | {"sp1006.EMAIL": "ask jo@works.example"}))
    assert [(each.indicator, each.key) for each in named.faults] == [("sp1006.EMAIL", "personal")]


@pytest.mark.long
def test_the_form_of_a_role_without_a_waiver_does_not_speak_of_one() -> None:
    administration = next(each for each in RESPONDENTS.values() if each.role == "A")
    assert "sp904" not in form_for("A").indicators
    for whose, is_hidden in ((administration, True), (SAVANNA, False)):
        book = opened(blank(whose, "en"))
        assert book.worksheets[1].column_dimensions["F"].hidden == is_hidden
        instructions = [str(cell.value) for row in book.worksheets[0].iter_rows() for cell in row]
        assert any("sp904" in each for each in instructions) != is_hidden
        assert any("sp205" in each for each in instructions) != is_hidden
        assert sum("nobody can be recognized" in each for each in instructions) == 1


@pytest.mark.parametrize("role", ["O", "A", "M"])
@pytest.mark.parametrize("is_core", [False, True])
def test_parts_of_a_sum_stand_together_and_every_relation_names_lines_of_the_form(
    role: str, is_core: bool
) -> None:
    asked = form_for(role, is_core)
    layout = lay_out_form(asked, "en", "2025")
    assert len({(layout.sheet_of[code], row) for code, row in layout.row_of.items()}) == len(layout.row_of)
    for relation in asked.relations:
        assert set(relation.parts) <= set(asked.indicators)
        group_range(relation, layout)
    used = {relation.target for relation in form_for("O").relations}
    assert {"sp203", "sp303.EMAIL.attempted", "sp701._T"} <= used


# --- the form -------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("language", ["fr", "ar"])
def test_the_same_input_gives_the_same_bytes(language: str) -> None:
    order = Order(SAVANNA, language, "2025", is_core=True)
    assert make_workbook(order) == make_workbook(order)


def test_a_form_is_locked_but_for_its_answers_and_knows_whose_it_is() -> None:
    book = opened(blank())
    hidden = book["_form"]
    assert hidden.sheet_state == "veryHidden"
    assert {row[0].value: row[1].value for row in hidden.iter_rows()} == {
        "questionnaire": "R52SPAM",
        "respondent": "savanna-mobile",
        "period": "2025",
        "language": "en",
        "version": load_definition()["version"],
    }
    for sheet in book.worksheets:
        assert sheet.protection.sheet
    assert not cell(book, "sp201").protection.locked and not cell(book, "sp201", "note").protection.locked
    assert cell(book, "sp201", "question").protection.locked and cell(book, "sp102").protection.locked
    # What is not the respondent's to waive cannot be waived in the form either.
    assert cell(book, "sp301.EMAIL", "waiver").protection.locked
    assert cell(book, "sp701.SERVER", "unit").value == "KES"
    sheet = book[translate_key("en", "sheet", "3")]
    assert sheet.freeze_panes == "C4" and sheet.row_dimensions[1].hidden and sheet.print_title_rows == "$3:$3"
    assert sheet.page_setup.orientation == "landscape" and sheet.page_setup.fitToHeight == 0
    assert not sheet.merged_cells.ranges


@pytest.mark.long
def test_the_first_sheet_says_who_asks_until_when_and_what_for() -> None:
    letterhead = Letterhead("2027-02-28", "forms@study.example", "The study, ask@study.example")
    for language in LANGUAGES:
        order = Order(RESPONDENTS["atlas-telecom"], language, "2025", True, letterhead=letterhead)
        sheet = opened(make_workbook(order)).worksheets[0]
        shown = {row[0].value: row[1].value for row in sheet.iter_rows(max_col=2)}
        for key, value in asdict(letterhead).items():
            assert shown[translate_key(language, "word", key)] == value
        assert shown[translate_key(language, "word", "country")] == f"{country_names(language)['SEN']} (SEN)"
        assert shown[translate_key(language, "word", "purpose")] == translate_key(
            language, "cover", "purpose"
        )
        # Nobody who speaks them has read the translations.
        assert (translate_key(language, "word", "unofficial") in shown) == (language != "en")
    assert translate_key("en", "word", "deadline") not in {
        row[0].value for row in opened(blank()).worksheets[0].iter_rows()
    }


@pytest.mark.long
def test_the_first_sheet_speaks_of_money_only_where_the_form_asks_for_it() -> None:
    for period, asks in (("2025", True), ("2025-Q4", False)):
        sheet = opened(make_workbook(Order(SAVANNA, "en", period))).worksheets[0]
        shown = [str(value) for row in sheet.iter_rows(max_col=2, values_only=True) for value in row]
        amounts = translate_key("en", "instruction", "04", currency="KES")
        assert (amounts in shown) == asks and (translate_key("en", "word", "currency") in shown) == asks


def test_a_country_is_read_by_its_name_in_any_language() -> None:
    named = {"Marruecos": "MAR", " côte d’ivoire ": "CIV", "中国": "CHN", "ken": "KEN", "Кения": "KEN"}
    for words, code in named.items():
        found = assessed(filled({"sp502.EMAIL.1": words}))
        assert found.answers["sp502.EMAIL.1"].code == code
    folded = [{fold_words(name): code for code, name in country_names(each).items()} for each in LANGUAGES]
    assert all(len(names) == 249 for names in folded)
    # No name is that of one country here and of another there.
    assert all(
        code == others.get(name, code)
        for names in folded
        for name, code in names.items()
        for others in folded
    )


def test_a_list_has_the_semicolons_of_its_language() -> None:
    signs = {language: list_options(language, "yesno")[len(option_labels(language, "yesno")["yes"]) :][0]
             for language in LANGUAGES}  # fmt: skip
    assert signs == {"en": ";", "fr": ";", "es": ";", "ar": "؛", "zh": "；", "ru": ";"}


def test_the_arabic_percent_sign_is_the_same_everywhere() -> None:
    texts = [words["ar"] for keys in load_translations().values() for words in keys.values()]
    assert not any("٪" in text for text in texts)
    # As CLDR writes it, and the site.
    assert [text for text in texts if re.search(r"[\d}] %", text)] == []


def test_numbers_dates_and_codes_keep_their_order_in_arabic() -> None:
    """A space, and a hyphen after Arabic letters, lets their parts change places by Unicode's rules."""
    texts = [words["ar"] for keys in load_translations().values() for words in keys.values()]
    assert [text for text in texts if re.search(r"\d \d{3}", text)] == []
    assert [
        text for text in texts if re.search(r"(?<![\u200e\d])\d{4}-\d", text.replace("ISO 3166-1", ""))
    ] == []
    line = translate_key("ar", "letter", "return", deadline=dt.date(2027, 2, 28), address="a@example.org")
    assert "\u200e2027-02-28\u200e" in line
    assert "\u200e" not in translate_key("fr", "letter", "subject_thanks", period="2026-Q4")
    assert join_words("ar", "أ", "2026-Q4") == "أ، \u200e2026-Q4\u200e"
    assert [join_words(each, "a", "b") for each in ("zh", "ru")] == ["a、b", "a, b"]


def test_a_channel_that_is_not_offered_goes_with_one_answer() -> None:
    """The form of an operator of mail alone: by the sheet's formulas and by what loading says."""
    others = [f"sp205.{each}" for each in load_definition()["dimensions"]["channel"] if each != "EMAIL"]
    mail = {code: None for code in GOOD if "SMS" in code or "VOICE" in code} | {"sp501.EMAIL.peer": 100}
    book = filled(mail)
    open_before = {fault.indicator.split(".")[0] for fault in assessed(book).faults}
    assert open_before == {"sp305", "sp306"}
    for code in others:
        cell(book, code, "status").value = "Not applicable"
    assert assessed(book).faults == []
    formula = (
        cell(book, "sp306.VOICE_CS.attempted", "check")
        .parent.cell(cell(book, "sp306.VOICE_CS.attempted").row - 1, 8)
        .value
    )
    status = cell(book, "sp205.VOICE_IP", "status")
    assert f"'{status.parent.title}'!{status.coordinate}<>\"Not applicable\"" in formula


def test_an_open_question_is_named_by_a_channel_that_is_offered() -> None:
    book = filled({code: None for code in GOOD if "EMAIL" in code or code.startswith("sp501")})
    cell(book, "sp205.EMAIL", "status").value = "Not applicable"
    open_lines = {fault.indicator for fault in assessed(book).faults}
    assert "sp501.SMS.on-net" in open_lines
    assert not [code for code in open_lines if "EMAIL" in code]


@pytest.mark.long
def test_arabic_runs_from_right_to_left_and_the_others_do_not() -> None:
    for language in LANGUAGES:
        book = opened(blank(language=language, is_core=True))
        assert {
            bool(sheet.sheet_view.rightToLeft) for sheet in book.worksheets if sheet.title != "_form"
        } == {language == "ar"}


@pytest.mark.long
def test_drop_downs_offer_the_labels_of_their_lists() -> None:
    book = opened(blank(language="fr"))
    wanted = cell(book, "sp301.SMS")
    rules = wanted.parent.data_validations.dataValidation
    source = next(rule.formula1 for rule in rules if wanted.coordinate in str(rule.sqref).split())
    sheet, cells = source.replace("$", "").rsplit("!", 1)
    offered = [row[0].value for row in book[sheet.strip("'")][cells]]
    assert offered == list(option_labels("fr", "definition").values())


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        ("2024", "2024-01-01", "2024-12-31"),
        ("2026-Q1", "2026-01-01", "2026-03-31"),
        ("2026-Q4", "2026-10-01", "2026-12-31"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2026-12", "2026-12-01", "2026-12-31"),
    ],
)
def test_a_period_has_its_first_and_last_day(period: str, first: str, last: str) -> None:
    assert [day.isoformat() for day in period_bounds(period)] == [first, last]


# --- there and back -------------------------------------------------------------------------------------


def essence(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in row.items() if key not in ("language_code", "file_sha256")}
        for row in rows
    ]


@pytest.mark.long
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_form_filled_in_in_any_language_comes_back_as_the_same_answers(language: str) -> None:
    found = reread(fill(opened(blank(language=language, is_core=True)), GOOD, language))
    assert told(found, language) == []
    assert found.readings == []
    rows = answer_rows(found, AT)
    assert essence(rows) == essence(answer_rows(assessed(filled()), AT))
    assert {row["language_code"] for row in rows} == {language}
    by_code = {row["indicator_code"]: row for row in rows}
    assert set(GOOD) < set(by_code)
    assert by_code["sp701._T"]["value"] == "4000000.5" and by_code["sp701._T"]["currency_code"] == "KES"
    assert by_code["sp301.EMAIL"]["value"] == "OPERATOR"
    # The general waiver holds where the figures are the respondent's own, and only there.
    assert by_code["sp201"]["waiver"] == "W1" and by_code["sp301.EMAIL"]["waiver"] == "W0"


def test_an_untouched_form_says_what_has_to_be_answered() -> None:
    found = assessed(opened(blank(is_core=True)))
    assert {fault.key for fault in found.faults} == {"required", "required_any"}
    required = [question for question in form_for("O").questions if question.required and not question.given]
    assert [fault.indicator.split(".")[0] for fault in found.faults] == [question.id for question in required]


def test_a_whole_form_comes_back_as_a_core_form_does(book: Any) -> None:
    assert essence(answer_rows(reread(book), AT)) == essence(answer_rows(assessed(filled()), AT))


def test_sheets_may_be_renamed_hidden_and_moved() -> None:
    book = filled()
    book.move_sheet(book["3 Volume"], offset=-3)
    book["3 Volume"].title = "Ours"
    book["7 Investment"].sheet_state = "hidden"
    sheet = book["2 Services"]
    sheet.insert_rows(6)
    sheet["B6"] = "a line of our own"
    assert essence(answer_rows(assessed(book), AT)) == essence(answer_rows(assessed(filled()), AT))
    cell(book, "sp303.EMAIL.attempted").value = "many"
    assert [each[0] for each in told(assessed(book))] == ["Ours"]


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_sheet_without_its_hidden_row_is_read_by_its_headings(language: str) -> None:
    book = fill(opened(blank(language=language, is_core=True)), GOOD, language)
    sheets = {name: translate_key(language, "sheet", name) for name in ("2", "3")}
    book[sheets["2"]].insert_rows(1)
    book[sheets["3"]].delete_rows(1)
    assert essence(answer_rows(assessed(book), AT)) == essence(answer_rows(assessed(filled()), AT))


def test_a_sheet_without_any_headings_is_asked_about_and_loses_its_own_figures() -> None:
    book = filled()
    book["2 Services"].delete_rows(1, 3)
    found = assessed(book)
    assert [(fault.place.sheet, fault.place.cell) for fault in found.faults] == [("2 Services", "A2")]
    whole = assessed(filled()).answers
    assert set(found.answers) == {code for code in whole if not code.startswith("sp2")}


def test_a_file_that_other_software_wrote_anew_is_read() -> None:
    """Strings in the cells and not in a table of their own, no styles, no validations, no protection."""
    plain = openpyxl.Workbook(write_only=True)
    for sheet in filled().worksheets:
        copy = plain.create_sheet(sheet.title)
        for row in sheet.iter_rows():
            copy.append([each.value if each.data_type != "f" else None for each in row])
    assert essence(answer_rows(reread(plain), AT)) == essence(answer_rows(assessed(filled()), AT))


def test_a_form_that_libreoffice_saved_is_read() -> None:
    found = assessed_file(Path(__file__).parents[2] / "data" / "questionnaire" / "libreoffice.xlsx")
    assert told(found) == []
    assert {code: answer.value for code, answer in found.answers.items() if answer.value is not None} == {
        code: answer.value for code, answer in assessed(filled()).answers.items() if answer.value is not None
    }


def test_the_checks_in_the_sheet_say_what_loading_says() -> None:
    """LibreOffice computed them: broken.xlsx is libreoffice.xlsx with some answers changed."""
    folder = Path(__file__).parents[2] / "data" / "questionnaire"
    good = openpyxl.load_workbook(folder / "libreoffice.xlsx", data_only=True)
    assert {each for each in checks_of(good).values() if each} == {"✓"}
    assert good["Instructions"]["B11"].value == translate_key("en", "word", "ready")
    broken = checks_of(openpyxl.load_workbook(folder / "broken.xlsx", data_only=True))
    found = assessed_file(folder / "broken.xlsx")
    wrong = {code: said for code, said in broken.items() if said and said.startswith("✗")}
    assert wrong == {
        "sp105.first": "✗ the form is of 2025-01-01 to 2025-12-31",
        "sp105.last": "✗ the form is of 2025-01-01 to 2025-12-31",
        "sp201": "✗ a whole number from 0 to 1000000000000000",
        "sp301.SMS": "✗ say by which definition the figures below are counted",
        "sp303.EMAIL.delivered": "✗ must not be more than D15",
        "sp305.SMS.attempted": "✗ must not be more than '2 Services'!D10",
        "sp401.EMAIL.UNK sum": "✗ the parts must add up to 100",
        "sp503.EMAIL.1": "✗ a number from 0 to 100",
        "sp503.EMAIL.5 sum": "✗ must not be more than 100",
        "sp503.SMS.2": "✗ write a number of 1 or more, or the sign too, as in 0.7 %",
        "sp701._T": "✗ the parts must add up to D12",
        "sp706": "✗ an answer or this Status, not both",
    }
    told_once = {"sp105.last", "sp503.EMAIL.5"}
    assert {each.indicator for each in found.faults} == {
        each.removesuffix(" sum") for each in wrong
    } - told_once
    # A spreadsheet keeps 0.7 % as 0.007.
    assert broken["sp503.SMS.1"] == "✓" and found.answers["sp503.SMS.1"].value == Decimal("0.7")


def checks_of(book: Any) -> dict[str, str | None]:
    """Return the cell Check of each line, and of the sum below it."""
    said: dict[str, str | None] = {}
    for sheet in book.worksheets:
        last = None
        for row in sheet.iter_rows(min_row=4, max_col=8):
            if row[0].value is None and last and row[2].value:
                said[f"{last} sum"] = row[7].value
            elif row[0].value and len(row) == 8 and sheet.title[0].isdigit():
                last = row[0].value
                said[last] = row[7].value
    return said


def as_csv(delimiter: str = ",", changes: dict[str, str] | None = None) -> bytes:
    stream = io.StringIO()
    out = csv.writer(stream, delimiter=delimiter)
    out.writerow(["respondent", "period", "indicator", "answer", "status", "waiver", "note"])
    for code, value in {**plain_answers(), **(changes or {})}.items():
        out.writerow(["savanna-mobile", "2025", code, value, "", "", ""])
    return stream.getvalue().encode()


def plain_answers() -> dict[str, str]:
    return {row["indicator_code"]: row["value"] for row in answer_rows(assessed(filled()), AT)}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252"])
def test_the_same_answers_as_csv_are_the_same_rows(tmp_path: Path, delimiter: str, encoding: str) -> None:
    file = tmp_path / "form.xlsx.csv"
    name = {"sp104": "Société Générale des Télécoms"}
    file.write_bytes(as_csv(delimiter, name).decode().encode(encoding))
    rows = answer_rows(assessed_file(file), AT)
    expected = answer_rows(assessed(filled(name), "form.xlsx.csv"), AT)
    assert essence(rows) == essence(expected)


def test_the_same_answers_as_json_are_the_same_rows(tmp_path: Path) -> None:
    file = tmp_path / "form.json"
    answers = [{"indicator": code, "answer": value} for code, value in plain_answers().items()]
    answers[8]["answer"] = int(answers[8]["answer"])  # type: ignore[assignment]
    file.write_text(json.dumps({"respondent": "savanna-mobile", "period": "2025", "answers": answers}))
    assert essence(answer_rows(assessed_file(file), AT)) == essence(
        answer_rows(assessed(filled(), "form.json"), AT)
    )


def test_a_formula_in_csv_is_told_as_one_and_a_small_share_has_its_sign(tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    file.write_bytes(as_csv(changes={"sp201": "=A1+5", "sp503.EMAIL.1": "0.7 %"}))
    found = assessed_file(file)
    assert [(fault.indicator, fault.key) for fault in found.faults] == [("sp201", "formula")]
    assert found.answers["sp503.EMAIL.1"].value == Decimal("0.7")


def test_csv_has_the_same_checks_and_names_the_line(tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    file.write_bytes(as_csv(changes={"sp201": "1.234", "sp999": "1"}))
    assert told(assessed_file(file)) == [
        ("answers.csv", "36: answer", "“sp999” is no question of your form. Restore the code as it was, or delete the line."),
        ("answers.csv", "9: answer", "“1.234” can be read as 1234 or as 1.234. Write it again without separators of thousands."),
    ]  # fmt: skip


# --- what respondents do to a form, and what they then read ---------------------------------------------


def number_format(indicator: str, value: float, style: str) -> Callable[[Any], None]:
    def change(book: Any) -> None:
        cell(book, indicator).value = value
        cell(book, indicator).number_format = style

    return change


def puts(indicator: str, value: Any, column: str = "answer") -> Callable[[Any], None]:
    def change(book: Any) -> None:
        cell(book, indicator, column).value = value

    return change


def merges(cells: str) -> Callable[[Any], None]:
    return lambda book: book["2 Services"].merge_cells(cells)


def copies(book: Any) -> None:
    book.copy_worksheet(book["2 Services"])
    cell(book, "sp201").value = 1


# What is done, and the cell and the words that come back.
BAD: dict[str, tuple[Callable[[Any], None], str, str]] = {
    "thousands that may be decimals": (
        puts("sp201", "12.500"),
        "2 Services!D5",
        "“12.500” can be read as 12500 or as 12.500. Write it again without separators of thousands.",
    ),
    "separators of no style": (
        puts("sp201", "1,23,4"),
        "2 Services!D5",
        "The separators in “1,23,4” follow no known pattern. Write the figures without separators, such as 1250000.",
    ),
    "a short form": (
        puts("sp701._T", "4 M"),
        "7 Investment!D12",
        "“4 M” is shortened. Write the number in full: 4000000, if that is what you mean.",
    ),
    "another currency": (
        puts("sp706", "3 M USD"),
        "7 Investment!D46",
        "“3 M USD” holds a unit that this cell does not ask for: USD. This cell is in: person-days. Convert it and write the number alone.",
    ),
    "another currency in the format": (
        number_format("sp705.STAFF", 900000, "[$€-407] #,##0"),
        "7 Investment!D40",
        "“900000” holds a unit that this cell does not ask for: €. This cell is in: KES. Convert it and write the number alone.",
    ),
    "words in the format": (
        number_format("sp201", 820, '#,##0" thousand"'),
        "2 Services!D5",
        'The format of this cell, #,##0" thousand", shows 820 as another number or with words. Set the format to Number and write the number in full, such as 1250000.',
    ),
    "thousands that the format leaves out": (
        number_format("sp705.STAFF", 900000, "#,##0,"),
        "7 Investment!D40",
        "The format of this cell, #,##0,, shows 900000 as another number or with words. Set the format to Number and write the number in full, such as 1250000.",
    ),
    "more spam than traffic": (
        puts("sp205.EMAIL", 1000),
        "3 Volume!D23",
        "7000000000 is more than 1000 (sp205.EMAIL, E-mail). A part cannot be more than the whole: correct one of the two.",
    ),
    "more delivered than attempted": (
        puts("sp305.SMS.delivered", 65000000),
        "3 Volume!D30",
        "65000000 is more than 64000000 (sp305.SMS.attempted, SMS – Attempted). A part cannot be more than the whole: correct one of the two.",
    ),
    "spam of no definition": (
        puts("sp301.SMS", None),
        "3 Volume!D6",
        "You gave spam in sp305.SMS.attempted and not by which definition it was counted. Choose the definition here, or a Status such as Not available.",
    ),
    "days of another year": (
        puts("sp105.first", "2024-01-01"),
        "1 Respondent!D13",
        "The form is of 2025, from 2025-01-01 to 2025-12-31. If your figures are of these days, write them; if not, ask for a form of the period that they are of.",
    ),
    "another's operator": (
        puts("sp107", "savanna-mobile, atlas-gsm"),
        "1 Respondent!D16",
        "Our list gives the operator atlas-gsm to Atlas Télécom, who answers for it. Remove it here, and write to us if it has changed hands.",
    ),
    "an operator that nobody knows": (
        puts("sp107", "zzz"),
        "1 Respondent!D16",
        "“zzz” is not what our list says: savanna-mobile, savanna-mail. Restore it, and write to us if the list is wrong.",
    ),
    "a formula as text": (
        puts("sp203", " =A1+5"),
        "2 Services!D9",
        "This cell holds the formula =A1+5. Replace it by its result: copy the cell and paste it in place as values only.",
    ),
    "words": (
        puts("sp201", "very many"),
        "2 Services!D5",
        "“very many” is not a number. Write the number alone, in figures, such as 1250000, and explanations in Notes.",
    ),
    "a range": (
        puts("sp201", "100-200"),
        "2 Services!D5",
        "“100-200” is a range or an approximation. Write one number, your best estimate, choose the Status Estimated and give the range in Notes.",
    ),
    "a percentage over 100": (
        puts("sp503.EMAIL.1", 120),
        "5 Routes and sources!D56",
        "120 % is more than 100 %. Write the share of the whole, from 0 to 100.",
    ),
    "a percentage below one": (
        puts("sp503.EMAIL.1", 0.12),
        "5 Routes and sources!D56",
        "0.12 may mean 12 % or less than 1 %. Write 12 for the first; for the second write the sign too: 0.12 %.",
    ),
    "shares that do not add": (
        puts("sp401.EMAIL.AD", 10),
        "4 Types!D11",
        "The parts add up to 60, not to 100. Correct a part or the total.",
    ),
    "a total that does not add": (
        puts("sp701._T", 5000000),
        "7 Investment!D12",
        "The parts add up to 4000000.5, not to 5000000. Correct a part or the total.",
    ),
    "more than the whole": (
        puts("sp303.EMAIL.delivered", 1300000000),
        "3 Volume!D25",
        "1300000000 is more than 1200000000 (sp303.EMAIL.accepted, E-mail – Accepted by the system). A part cannot be more than the whole: correct one of the two.",
    ),
    "negative money": (
        puts("sp705.STAFF", -900000),
        "7 Investment!D40",
        "-900000 is negative. Write a number of 0 or more; explain refunds or corrections in Notes.",
    ),
    "half a mailbox": (
        puts("sp201", 10.5),
        "2 Services!D5",
        "10.5 is not a whole number. Write a whole number.",
    ),
    "a date that was a number": (
        puts("sp201", dt.datetime(2026, 5, 1)),
        "2 Services!D5",
        "This cell holds the date 2026-05-01: the spreadsheet may have changed what you typed. Set the format of the cell to Number and type the number again.",
    ),
    "no date": (
        puts("sp105.last", "end of 2025"),
        "1 Respondent!D14",
        "“end of 2025” is not a date. Write year, month and day, such as 2026-12-31.",
    ),
    "dates the wrong way round": (
        puts("sp105.first", "2026-01-01"),
        "1 Respondent!D13",
        "2026-01-01 is after 2025-12-31 (sp105.last, Last day). Correct one of the two dates.",
    ),
    "a formula": (
        puts("sp201", "=400000+420000"),
        "2 Services!D5",
        "This cell holds the formula =400000+420000. Replace it by its result: copy the cell and paste it in place as values only.",
    ),
    "an error": (
        puts("sp201", "#REF!"),
        "2 Services!D5",
        "This cell holds the error #REF!. Write the number itself.",
    ),
    "not in the list": (
        puts("sp601.EMAIL.filtering", "perhaps"),
        "6 Measures!D8",
        "“perhaps” is not in the list. Choose one of: Yes; No.",
    ),
    "no country": (
        puts("sp502.EMAIL.1", "Frankreich"),
        "5 Routes and sources!D35",
        "“Frankreich” is not a country code of three letters (ISO 3166-1), such as KEN. Take it from the sheet Code lists.",
    ),
    "a text that is too long": (
        puts("sp107", "x" * 501),
        "1 Respondent!D16",
        "The text has 501 characters; at most 500 are kept. Shorten it, or send the rest as a letter.",
    ),
    "a note that is too long": (
        puts("sp201", "x" * 1001, "note"),
        "2 Services!G5",
        "The text has 1001 characters; at most 1000 are kept. Shorten it, or send the rest as a letter.",
    ),
    "an answer and a reason for none": (
        puts("sp201", "Not available", "status"),
        "2 Services!E5",
        "The line has an answer, 820000, and the Status Not available. Keep one of the two.",
    ),
    "a status without an answer": (
        puts("sp203", "Estimated", "status"),
        "2 Services!E9",
        "The Status Estimated stands without an answer. Write the answer, or choose the Status Not available.",
    ),
    "no answer": (
        puts("sp201", None),
        "2 Services!D5",
        "This question needs an answer. Answer it, or choose a Status such as Not available.",
    ),
    "merged cells": (
        merges("D5:E5"),
        "2 Services!D5",
        "The cells D5:E5 are merged. Unmerge them and write one answer in each cell.",
    ),
    "a copied sheet": (
        copies,
        "2 Services Copy!D5",
        "sp201 is answered twice: here and in 2 Services!D5. Delete the copied line or sheet.",
    ),
    "a changed code": (
        puts("sp201", "sp2001", "code"),
        "2 Services!A5",
        "“sp2001” is no question of your form. Restore the code as it was, or delete the line.",
    ),
    "another country than ours": (
        puts("sp103", "UGA"),
        "1 Respondent!D9",
        "“UGA” is not what our list says: KEN. Restore it, and write to us if the list is wrong.",
    ),
    "a waiver for others' figures": (
        puts("sp301.EMAIL", "By name", "waiver"),
        "3 Volume!F5",
        "The confidentiality of this figure is not yours to waive. Leave the cell empty.",
    ),
}


@pytest.fixture(scope="module")
def whole_form() -> Any:
    form = filled(is_core=False)
    assert assessed(form).faults == []
    return form


@pytest.fixture
def book(whole_form: Any) -> Iterator[Any]:
    """A whole form, filled in; put back as it was afterwards, because to open one takes a second."""
    sheets = list(whole_form.sheetnames)
    cells = [each for sheet in whole_form.worksheets for row in sheet.iter_rows(max_col=7) for each in row]
    before = [(each, each.value, each.number_format) for each in cells]
    yield whole_form
    for sheet in whole_form.worksheets:
        for merged in list(sheet.merged_cells.ranges):
            sheet.unmerge_cells(str(merged))
        if sheet.title not in sheets:
            whole_form.remove(sheet)
    for each, value, style in before:
        if each.parent[each.coordinate] is not each:
            each.parent._cells[each.row, each.column] = each
        each.value, each.number_format = value, style


@pytest.mark.parametrize("case", BAD)
def test_each_mistake_has_a_message_that_names_the_cell_and_the_remedy(case: str, book: Any) -> None:
    change, place, words = BAD[case]
    change(book)
    found = assessed(book)
    assert (place, words) in [(f"{sheet}!{name}", said) for sheet, name, said in told(found)], told(found)
    # The same in the respondent's own language: another text, no blank left, the same figures.
    for fault in found.faults:
        for language in LANGUAGES[1:]:
            assert fault.format_message(language) != fault.format_message("en")
            assert "{" not in fault.format_message(language).replace(fault.written, "")


def test_all_errors_of_a_file_are_told_at_once(book: Any) -> None:
    for case in ("thousands that may be decimals", "negative money", "a percentage over 100", "no country"):
        BAD[case][0](book)
    keys = [fault.key for fault in assessed(book).faults]
    assert keys == ["ambiguous", "country", "over_hundred", "negative"]


def lost(changes: dict[str, Any]) -> tuple[set[str], set[str]]:
    """Indicators of GOOD with changes that count no longer, and those of them that are stored as NA."""
    found = assessed(filled(changes))
    assert not found.is_refused
    rows = {row["indicator_code"]: row for row in answer_rows(found, AT)}
    held = {code for code, row in rows.items() if row["value"] is not None}
    return set(GOOD) - held, set(rows) - held


@pytest.mark.parametrize(
    ("changes", "gone", "stored"),
    [
        # Core questions left open.
        (dict.fromkeys(("sp201", "sp904", "sp706", "sp601.EMAIL.filtering")), None, set()),
        ({"sp301.SMS": None}, None, set()),
        ({"sp201": "many"}, {"sp201"}, {"sp201"}),
        # Either may be the wrong one.
        ({"sp303.EMAIL.delivered": 1300000000}, {"sp303.EMAIL.delivered", "sp303.EMAIL.accepted"}, None),
        ({"sp701._T": 5}, {"sp701.SERVER", "sp701.FIREWALL", "sp701._T"}, None),
        ({"sp401.EMAIL.AD": 10}, {"sp401.EMAIL.AD", "sp401.EMAIL.PHISH", "sp401.EMAIL.UNK"}, None),
        # More than each of several: all of them.
        (
            {"sp303.EMAIL.delivered": 7000000001},
            {"sp303.EMAIL.delivered", "sp303.EMAIL.accepted", "sp303.EMAIL.attempted"},
            None,
        ),
    ],
)  # fmt: skip
def test_a_fault_loses_its_own_figures_and_not_the_form(
    changes: dict[str, Any], gone: set[str] | None, stored: set[str] | None
) -> None:
    gone = set(changes) if gone is None else gone
    assert lost(changes) == (gone, gone if stored is None else stored)


def test_what_is_wrong_beside_a_figure_does_not_lose_it() -> None:
    book = filled()
    cell(book, "sp201", "note").value = "ask jo@works.example"
    cell(book, "sp202", "waiver").value = "perhaps"
    found = assessed(book)
    assert [(each.indicator, each.column) for each in found.faults] == [
        ("sp201", "note"),
        ("sp202", "waiver"),
    ]
    rows = {row["indicator_code"]: row for row in answer_rows(found, AT)}
    assert rows["sp201"]["value"] == "820000" and rows["sp201"]["note"] is None
    # What it allows to publish is not known: nothing, although all other answers are W1.
    assert (rows["sp202"]["value"], rows["sp202"]["waiver"], rows["sp201"]["waiver"]) == (
        "4100000",
        "W0",
        "W1",
    )


@pytest.mark.parametrize(
    "changes",
    [{"sp105.first": "2024-01-01"}, {"sp105.last": "soon"}, {"sp103": "UGA"}, {"sp107": "atlas-gsm"},
     dict.fromkeys(GOOD), {**dict.fromkeys(GOOD), "sp201": "many"}],
)  # fmt: skip
def test_a_form_of_unknown_days_or_owner_or_without_an_answer_is_refused_whole(
    changes: dict[str, Any],
) -> None:
    assert assessed(filled(changes)).is_refused


@pytest.mark.parametrize("value", ["n/a", "-", "unknown", "Not available", "非 available", "н/д", "غير متاح"])
def test_no_figure_is_a_status_of_its_own(value: str, book: Any) -> None:
    cell(book, "sp203").value = value
    found = assessed(book)
    if value == "非 available":
        assert [fault.key for fault in found.faults] == ["not_a_number"]
        return
    assert (
        found.faults == [] and found.answers["sp203"].status == "NA" and found.answers["sp203"].value is None
    )
    assert [(each.line.indicator, each.read) for each in found.readings] == [("sp203", "Not available")]


def test_what_was_read_otherwise_than_written_is_told() -> None:
    book = filled({"sp201": "８２０，０００，０００", "sp202": "4.1 million", "sp503.EMAIL.1": 0.125})
    cell(book, "sp503.EMAIL.1").number_format = "0.0%"
    found = assessed(book)
    assert found.faults == []
    assert [(each.line.indicator, each.read) for each in found.readings] == [
        ("sp201", "820000000"),
        ("sp202", "4100000"),
        ("sp503.EMAIL.1", "12.5"),
    ]


@pytest.mark.parametrize(
    ("first", "last", "key"),
    [
        ("2025-04-01", "2026-03-31", None),
        ("2024-07-03", "2025-07-02", None),
        ("2025-07-02", "2026-07-01", None),
        ("2024-12-30", "2025-12-28", None),
        ("2024-12-31", "2025-12-28", "other_days"),
        ("2025-01-01", "2026-01-06", None),
        ("2025-01-01", "2026-01-07", "other_days"),
        ("2024-07-02", "2025-07-01", "other_days"),
        ("2025-07-03", "2026-07-02", "other_days"),
        ("2025-01-01", "2025-06-30", "other_days"),
        ("2024-01-01", "2025-12-31", "other_days"),
        ("2026-01-01", "2025-12-31", "not_after"),
    ],
)
def test_a_year_of_its_own_is_read_as_the_one_that_has_most_of_its_days(
    first: str, last: str, key: str | None, book: Any
) -> None:
    cell(book, "sp105.first").value, cell(book, "sp105.last").value = first, last
    found = assessed(book)
    assert [fault.key for fault in found.faults] == ([key] if key else [])
    assert [(each.key, each.read) for each in found.readings] == ([] if key else [("own_year", "2025")])


def test_a_quarter_is_of_its_own_days(book: Any) -> None:
    """A year's form with another period: what it has of money is of years, and no question of a quarter."""

    def faults(found: Assessment) -> list[tuple[str, str]]:
        yearly = {code for code, question in form_for("O").indicators.items() if question.yearly}
        told = [(fault.indicator, fault.key) for fault in found.faults]
        assert {code for code, key in told if key == "unknown_code"} == set(GOOD) & yearly
        return [each for each in told if each[1] != "unknown_code"]

    for row in book["_form"].iter_rows():
        if row[0].value == "period":
            row[1].value = "2025-Q4"
    assert faults(assessed(book)) == [("sp105.first", "other_days")]
    cell(book, "sp105.first").value = "2025-10-01"
    found = assessed(book)
    for row in book["_form"].iter_rows():
        if row[0].value == "period":
            row[1].value = "2025"
    assert faults(found) == []


def test_a_cell_may_say_its_own_unit_and_what_was_read_is_told(book: Any) -> None:
    given = {
        "sp201": ("820 000 mailboxes", "820000"),
        "sp202": ("+4 100 000 abonnés", "4100000"),
        "sp303.EMAIL.attempted": ("7000000000.", "7000000000"),
        "sp503.EMAIL.1": ("0.7 %", "0.7"),
        "sp702.SERVER": ("50 percent", "50"),
        "sp703.SERVER": ("5 лет", "5"),
        "sp705.STAFF": ("KSh 900,000.00", "900000"),
    }
    for code, (words, _) in given.items():
        cell(book, code).value = words
    found = assessed(book)
    assert told(found) == []
    assert {each.line.indicator: each.read for each in found.readings} == {
        code: read for code, (_, read) in given.items()
    }


def test_no_figure_of_spam_needs_no_definition(book: Any) -> None:
    for code in ("sp301.SMS", "sp305.SMS.attempted", "sp305.SMS.delivered"):
        cell(book, code).value = None
    cell(book, "sp305.SMS.attempted", "status").value = "Not available"
    assert assessed(book).faults == []


def test_a_missing_part_may_leave_a_sum_short_but_not_over(book: Any) -> None:
    cell(book, "sp401.EMAIL.UNK").value = None
    cell(book, "sp401.EMAIL.UNK", "status").value = "Not available"
    assert assessed(book).faults == []
    cell(book, "sp401.EMAIL.AD").value = 90
    assert [fault.key for fault in assessed(book).faults] == ["equals"]


def test_a_part_that_cannot_be_read_is_told_alone_and_its_sum_only_if_over(book: Any) -> None:
    cell(book, "sp401.EMAIL.AD").value = 150
    assert [(fault.indicator, fault.key) for fault in assessed(book).faults] == [
        ("sp401.EMAIL.AD", "over_hundred")
    ]
    cell(book, "sp401.EMAIL.UNK").value = 90
    assert [fault.key for fault in assessed(book).faults] == ["over_hundred", "equals"]


def test_a_budget_band_spares_the_amounts() -> None:
    amounts = {code: None for code in GOOD if code.startswith(("sp701", "sp705", "sp706"))}
    assert {fault.indicator for fault in assessed(filled(amounts)).faults} == {
        "sp701.SERVER",
        "sp705.LICENCE",
        "sp706",
    }
    assert assessed(filled({**amounts, "sp709": ("budget", "B4")})).faults == []


def test_a_text_that_looks_like_a_formula_is_kept_inert(book: Any) -> None:
    attack = "=cmd|' /C calc'!A0"
    cell(book, "sp201", "note").value = attack
    cell(book, "sp201", "note").data_type = "s"
    found = assessed(book)
    assert found.faults == []
    rows = {row["indicator_code"]: row for row in answer_rows(found, AT)}
    assert rows["sp201"]["note"] == f"'{attack}"


# --- files that are no forms ----------------------------------------------------------------------------


def with_part(content: bytes, name: str) -> bytes:
    stream = io.BytesIO(content)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(name, b"\0")
    return stream.getvalue()


def without_identity() -> bytes:
    book = filled()
    del book["_form"]
    return saved(book)


def bomb() -> bytes:
    stream = io.BytesIO(blank(is_core=True))
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/image1.png", b"\0" * (33 * 2**20))
    return stream.getvalue()


HEAD = b"respondent,period,indicator,answer\n"


@pytest.mark.parametrize(
    ("name", "content", "key"),
    [
        ("form_2025_en.xlsm", lambda: blank(language="fr", is_core=True), "macros"),
        ("Book1.xlsx", lambda: with_part(blank(language="fr", is_core=True), "xl/vbaProject.bin"), "macros"),
        ("form_2025_fr.xlsx", lambda: b"\xd0\xcf\x11\xe0 an old or protected workbook", "not_a_workbook"),
        ("form_2025_fr.ods", lambda: b"", "not_a_workbook"),
        ("form_2025_fr.xlsx", lambda: blank(is_core=True)[:20000], "cut"),
        ("form_2025_fr.xlsx", without_identity, "damaged"),
        ("form_2025_fr.xlsx", bomb, "too_large"),
        ("form_2025_fr.csv", lambda: b"indicator,answer\nsp201,1\n", "column"),
        ("form_2025_fr.csv", lambda: HEAD, "no_answers"),
        (
            "form_2025_fr.csv",
            lambda: f"{HEAD.decode()}savanna-mobile,2025,sp101,д\n".encode("utf-16"),
            "encoding",
        ),
        (
            "form_2025_fr.csv",
            lambda: HEAD + "savanna-mobile,2025,sp101,Ассоциация".encode("cp1251"),
            "encoding",
        ),
        (
            "form_2025_fr.csv",
            lambda: HEAD + b"savanna-mobile,2025,sp201,1\nsavanna-mobile,2024,sp202,1",
            "several",
        ),
        ("form_2025_fr.json", lambda: b"[]", "shape"),
        ("form_2025_fr.json", lambda: b"{", "shape"),
    ],
)
def test_what_is_no_form_is_refused_in_the_language_of_the_form(
    tmp_path: Path, name: str, content: Callable[[], bytes], key: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content())
    outcome = read_files([file], RESPONDENTS, AT)[0]
    assert [fault.key for fault in outcome.faults] == [key]
    assert outcome.language == "fr"
    assert outcome.faults[0].format_message("fr") != outcome.faults[0].format_message("en")


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("period", "2024", "other_period"),
        ("respondent", "nobody", "unknown_respondent"),
        ("period", "last year", "period"),
        ("version", "0.1", "version"),
    ],
)
def test_a_changed_hidden_sheet_is_refused(key: str, value: str, fault: str) -> None:
    book = filled()
    for row in book["_form"].iter_rows():
        if row[0].value == key:
            row[1].value = value
    with pytest.raises(Refused) as refused:
        assessed(book, "savanna-mobile_2025_en.xlsx")
    assert refused.value.fault.key == fault


# --- several forms --------------------------------------------------------------------------------------


def written(folder: Path, name: str, whose: str, answers: dict[str, Any]) -> Path:
    language = RESPONDENTS[whose].language
    book = fill(opened(blank(RESPONDENTS[whose], language, True)), {**GOOD, **answers}, language)
    file = folder / name
    file.write_bytes(saved(book))
    return file


@pytest.mark.long
def test_two_respondents_cannot_answer_for_one_operator(tmp_path: Path) -> None:
    """The list says whose an operator is; what was answered by another list stands until mended."""
    files = [
        written(tmp_path, "a.xlsx", "savanna-mobile", {}),
        written(tmp_path, "b.xlsx", "atlas-telecom", {"sp107": "atlas-gsm; savanna-mail"}),
        written(tmp_path, "c.xlsx", "himal-mail", {}),
    ]
    outcomes = read_files(files, RESPONDENTS, AT)
    assert [each.faults[0].format_message(each.language) if each.faults else None for each in outcomes] == [
        None,
        "Notre liste attribue l'exploitant savanna-mail à Savanna Mobile, qui répond pour lui. Retirez-le ici et écrivez-nous s'il a changé de propriétaire.",
        None,
    ]
    check_claims(outcomes[:1], EarlierFilings(claims={("himal-mail", "2024"): ["savanna-mail"]}), RESPONDENTS)
    assert not outcomes[0].faults
    check_claims(outcomes[:1], EarlierFilings(claims={("himal-mail", "2025"): ["savanna-mail"]}), RESPONDENTS)
    assert [each.format_message("en").partition(". ")[0] for each in outcomes[0].faults] == [
        f"The operator savanna-mail is also answered for by {RESPONDENTS['himal-mail'].name}"
    ]
    assert double_claims({}, {"a": ["x"], "b": ["x"]}, {}) == {}


def test_a_file_is_taken_once_unless_someone_says_that_it_came_again(tmp_path: Path) -> None:
    outcomes = read_files([written(tmp_path, "a.xlsx", "savanna-mobile", {})], RESPONDENTS, AT)
    rows = new_rows(outcomes, EarlierFilings(), is_dated=False)
    assert len(rows) == len(outcomes[0].assessment.answers) if outcomes[0].assessment else False
    digest = rows[0]["file_sha256"]
    known = EarlierFilings({("savanna-mobile", "2025", digest, AT - dt.timedelta(days=1))})
    assert new_rows(outcomes, known, is_dated=False) == [] and outcomes[0].is_known
    assert new_rows(outcomes, known, is_dated=True) == rows
    assert new_rows(outcomes, EarlierFilings({("savanna-mobile", "2025", digest, AT)}), is_dated=True) == []


@pytest.mark.long
def test_what_goes_back_is_the_respondents_own_form_with_each_fault_marked() -> None:
    book = filled({"sp201": "12.500", "sp705.STAFF": "=2*450000", "sp202": None}, "en")
    found = assessed(book)
    order = Order(SAVANNA, "ar", "2025", True, form_cells(found), tuple(found.faults))
    back = opened(make_workbook(order))
    listed = [
        [each.value for each in row]
        for row in back[translate_key("ar", "sheet", "errors")].iter_rows(min_row=4)
    ]
    assert [row[2] for row in listed] == ["sp201", "sp202", "sp705.STAFF"]
    assert [row[4] for row in listed] == [fault.format_message("ar") for fault in found.faults]
    assert cell(back, "sp201").comment.text == found.faults[0].format_message("ar")
    assert cell(back, "sp201").value == "12.500" and cell(back, "sp706").value == 440
    # A formula goes back as the text that it was.
    assert cell(back, "sp705.STAFF").data_type == "s" and cell(back, "sp705.STAFF").value == "=2*450000"
    fill(back, {"sp201": 12500, "sp705.STAFF": 900000, "sp202": 4100000})
    assert told(assessed(back)) == []


# --- the list of respondents ----------------------------------------------------------------------------


def test_the_list_of_respondents_is_checked_row_by_row(tmp_path: Path) -> None:
    file = tmp_path / "respondents.csv"
    file.write_text(
        "respondent_id,name,role,country,holding,operator_ids,language,size_class\n"
        "a,A,O,KEN,h,x y,en,S1\n"
        "b,B,P,KEN,h,y,en,S1\n"
        "a,C,A,KE,,,de,S9\n"
        "../c,C,A,KEN,,,fr,\n",
        encoding="utf-8",
    )
    with pytest.raises(ObservatoryError) as error:
        read_respondents(file)
    lines = [line.removeprefix(f"{file}: ") for line in str(error.value).splitlines()]
    assert lines[0].startswith("row 3: unknown role 'P'")
    assert lines[1].startswith("row 3: operator 'y' belongs to 'a' already")
    assert [line.partition(": ")[2][:16] for line in lines[2:6]] == [
        "unknown country ", "unknown language", "unknown size_cla", "the id 'a' stand",
    ]  # fmt: skip
    assert lines[2].endswith("unknown country 'KE'; did you mean 'KEN'?")
    assert lines[6].startswith("row 5: respondent_id '../c' may hold")
    file.write_text("respondent_id,name\n", encoding="utf-8")
    with pytest.raises(ObservatoryError, match="the columns role, country"):
        read_respondents(file)


def test_the_sample_has_respondents_of_every_language_and_role() -> None:
    assert {each.language for each in RESPONDENTS.values()} == set(LANGUAGES)
    assert {each.role for each in RESPONDENTS.values()} == {"O", "A", "M"}


@pytest.mark.parametrize(
    ("country", "period", "currency"),
    [
        ("KEN", "2025", "KES"), ("FJI", "2026-Q4", "FJD"), ("BGR", "2025", "BGN"), ("BGR", "2025-12", "BGN"),
        ("BGR", "2026", "EUR"), ("HRV", "2022", "HRK"), ("HRV", "2023-Q1", "EUR"), ("AUT", "2022", "EUR"),
        # Not its own: a form needs one.
        ("ATA", "2025", "USD"),
    ],
)  # fmt: skip
def test_a_form_is_in_the_currency_that_its_country_had(country: str, period: str, currency: str) -> None:
    assert replace(SAVANNA, country=country).currency_of(period) == currency


def test_a_filing_knows_the_hash_of_its_file(tmp_path: Path) -> None:
    import hashlib

    file = written(tmp_path, "a.xlsx", "savanna-mobile", {})
    assert read_filing(file).sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
