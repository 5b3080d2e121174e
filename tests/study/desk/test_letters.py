"""Letters to respondents in the six languages."""

import dataclasses
import datetime as dt
from pathlib import Path

import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.languages import format_day, use_language
from jobs.base.settings.config import Observatory
from jobs.study.desk.letters import (
    KINDS,
    Sender,
    choose_recipients,
    read_sender,
    sign_question,
    write_letter,
    write_receipt,
)
from jobs.study.desk.rounds import STATES, Standing
from jobs.study.questionnaire.definition import load_definition
from jobs.study.questionnaire.loading import FileOutcome
from jobs.study.questionnaire.texts import translate_key
from tests.support.questionnaire import assessed, filled
from tests.support.returned_forms import AT as RECEIVED

SENDER = Sender("The study of spam", "study@example.org", dt.date(2027, 2, 28), "answers@example.org")
AT = dt.datetime(2027, 2, 3, tzinfo=dt.UTC)
REFUSED = Standing("a", "Rift Mail", "O", "TZA", "en", "refused", "form", AT, AT, 2, 1, "why")
SETTINGS = {
    "study": {"deadline": "2027-02-28", "return_address": "answers@example.org"},
    "release": {"agency_name": "The study of spam", "contact": "study@example.org"},
}


@pytest.mark.parametrize("language", load_definition()["languages"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_letter_has_its_facts_and_no_blank(kind: str, language: str) -> None:
    text = write_letter(kind, dataclasses.replace(REFUSED, language=language), "2026-Q4", SENDER)
    assert "{" not in text
    assert all(len(line) <= 78 for line in text.splitlines()) or language == "zh"
    facts = ["2026-Q4", "Rift Mail", "study@example.org", "The study of spam"]
    with use_language(language):
        answered, asked = format_day(AT.date()), format_day(dt.date(2027, 2, 28))
    facts += [asked, "answers@example.org"] if kind != "thanks" else [answered]
    text = text if language == "zh" else text.replace("\n", " ")
    assert [each for each in facts if each not in text] == []
    unofficial = translate_key(language, "word", "unofficial")
    assert text.strip().endswith(f"({unofficial})") == (language != "en")


def test_a_year_has_its_word_where_a_language_needs_one() -> None:
    of = {
        language: write_letter("thanks", dataclasses.replace(REFUSED, language=language), "2026", SENDER)
        for language in ("en", "ru", "zh")
    }
    assert "figures of 2026," in of["en"] and "за 2026 год," in of["ru"] and "2026年数据" in of["zh"]


def test_a_refused_form_is_told_apart_and_administrations_waive_nothing() -> None:
    refused = translate_key("en", "letter", "refused")
    may_be_open = translate_key("en", "instruction", "13")
    letter = " ".join(write_letter("correction", REFUSED, "2026", SENDER).split())
    # What cannot be read has no form that could be marked: a text names its faults.
    assert "The file that comes with this letter names each of them." in letter
    # Nothing of it counts: it does not say in the same breath that what is complete counts.
    assert refused in letter and may_be_open not in letter
    taken = dataclasses.replace(REFUSED, state="gaps", role="A")
    text = write_letter("correction", taken, "2026", SENDER)
    assert refused not in text and "sp904" not in text and may_be_open in " ".join(text.split())
    assert "sp904" in write_letter("circular", REFUSED, "2026", SENDER)


@pytest.mark.parametrize("language", load_definition()["languages"])
def test_a_circular_speaks_of_costs_only_where_its_form_asks_for_money(language: str) -> None:
    def circular(role: str, period: str) -> str:
        text = write_letter(
            "circular", dataclasses.replace(REFUSED, role=role, language=language), period, SENDER
        )
        return " ".join(text.split())

    def said(key: str, period: str) -> str:
        return translate_key(language, "letter", key, period=period)

    for role, period in (("O", "2026"), ("A", "2026"), ("M", "2026-Q4")):
        assert said("circular", period) in circular(role, period)
    for role, period in (("O", "2026-Q4"), ("A", "2026-Q4"), ("O", "2026-12")):
        assert said("circular_no_money", period) in circular(role, period)


def test_who_gets_which() -> None:
    standings = [dataclasses.replace(REFUSED, state=state) for state in STATES]
    got = {kind: [each.state for each in choose_recipients(kind, standings)] for kind in KINDS}
    assert got["circular"] == list(STATES) and got["reminder"] == ["silent"]
    assert got["correction"] == ["refused", "to correct", "gaps"] and got["thanks"] == ["answered"]


def test_a_question_says_until_when_and_where_to_answer_and_who_asks() -> None:
    settings = Observatory.model_validate(SETTINGS)
    asked, contact, agency, mandate = sign_question(settings, dt.date(2027, 2, 1), "fr")
    assert asked == "Veuillez répondre au plus tard le 28 février 2027 à: answers@example.org"
    assert "study@example.org" in contact and agency == "The study of spam" and "52" in mandate
    # Of a day that is over nothing is said.
    assert sign_question(settings, dt.date(2027, 3, 1), "en")[0] == "Send the form to: answers@example.org"
    assert len(sign_question(Observatory(), dt.date(2027, 3, 1), "en")) == 2


def test_settings_that_letters_name() -> None:
    settings = Observatory.model_validate(SETTINGS)
    assert read_sender(settings, "circular", dt.date(2027, 2, 28)) == SENDER
    with pytest.raises(ObservatoryError, match="deadline, 2027-02-28, is over"):
        read_sender(settings, "reminder", dt.date(2027, 3, 1))
    assert read_sender(settings, "thanks", dt.date(2027, 3, 1)) == SENDER
    with pytest.raises(ObservatoryError) as refused:
        read_sender(Observatory(), "circular", dt.date(2027, 2, 1))
    assert len(str(refused.value).splitlines()) == 3


@pytest.mark.parametrize("language", load_definition()["languages"])
def test_a_receipt_says_what_counts_what_is_open_and_how_numbers_were_read(language: str) -> None:
    found = assessed(filled({"sp202": "4.1 million", "sp201": "many", "sp904": None}))
    text = write_receipt(FileOutcome(Path("form.xlsx"), RECEIVED, language, found))
    assert "{" not in text and "2026-02-01 08:00" in text and found.filing.sha256 in text
    # One figure is wrong and one question open.
    assert translate_key(language, "receipt", "counted", count=len(found.answers)) in text
    assert translate_key(language, "receipt", "open", count=2) in text
    assert "sp202: " in text and "4100000" in text
    assert (translate_key(language, "word", "unofficial") in text) == (language != "en")


def test_a_form_in_order_has_no_more_to_say() -> None:
    text = write_receipt(FileOutcome(Path("form.xlsx"), RECEIVED, "en", assessed(filled())))
    assert len(text.splitlines()) == 3
