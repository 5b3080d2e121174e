"""The receipt for a form, in the six languages."""

from pathlib import Path

import pytest

from jobs.study.desk.receipts import write_receipt
from jobs.study.questionnaire.definition import load_definition
from jobs.study.questionnaire.loading import FileOutcome
from jobs.study.questionnaire.texts import translate_key
from tests.support.questionnaire import assessed, filled
from tests.support.returned_forms import AT


@pytest.mark.parametrize("language", load_definition()["languages"])
def test_a_receipt_says_what_counts_what_is_open_and_how_numbers_were_read(language: str) -> None:
    found = assessed(filled({"sp202": "4.1 million", "sp201": "many", "sp904": None}))
    text = write_receipt(FileOutcome(Path("form.xlsx"), AT, language, found))
    assert "{" not in text and "2026-02-01 08:00" in text and found.filing.sha256 in text
    # One figure is wrong and one question open.
    assert translate_key(language, "receipt", "counted", count=len(found.answers)) in text
    assert translate_key(language, "receipt", "open", count=2) in text
    assert "sp202: " in text and "4100000" in text
    assert (translate_key(language, "word", "unofficial") in text) == (language != "en")


def test_a_form_in_order_has_no_more_to_say() -> None:
    text = write_receipt(FileOutcome(Path("form.xlsx"), AT, "en", assessed(filled())))
    assert len(text.splitlines()) == 3
