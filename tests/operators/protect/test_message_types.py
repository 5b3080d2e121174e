"""Keyword rules in the six languages of the United Nations, on texts written for these tests."""

import csv

import polars as pl
import pytest

from jobs.operators.protect import rules
from jobs.operators.protect.message_types import type_of_texts
from tests.conftest import ROOT

LANGUAGES = ("ar", "en", "es", "fr", "ru", "zh")
TEXTS: dict[str, dict[str, str]] = {}
with (ROOT / "tests" / "data" / "type_wording" / "sentences.csv").open(encoding="utf-8", newline="") as rows:
    for row in csv.DictReader(rows):
        TEXTS.setdefault(row["spam_type_code"], {})[row["language"]] = row["text"]
# What a carrier shows in place of a caller's name. Who is called advertises; of scam it does not say which.
LABELS = {
    "AD.retail": {
        "ar": "تسويق هاتفي",
        "en": "Telemarketer",
        "es": "Televenta",
        "fr": "Démarchage",
        "ru": "Реклама",
        "zh": "推销电话",
    },
    "UNK": {
        "ar": "احتيال محتمل",
        "en": "Scam Likely",
        "es": "Posible fraude",
        "fr": "Spam probable",
        "ru": "Возможно, спам",
        "zh": "骚扰电话",
    },
}
# Types with rules on texts that TEXTS does not ask for in six languages, and why.
EXEMPT = {
    "PHISH.mail": "the rules of PHISH.smish on mail and instant messages, asked by its texts there",
    "PHISH.vish": "the rules of PHISH.smish on calls, asked by its texts there",
    "PHONE.robocall": "an English label that a carrier shows; no such label is known to us in others",
    "UNK": "labels of callers, asked in LABELS",
}
INNOCENT = {
    "ar": "نلتقي الساعة السادسة أمام المحطة",
    "en": "See you at six in front of the station",
    "es": "Nos vemos a las seis delante de la estación",
    "fr": "On se voit à six heures devant la gare",
    "ru": "Увидимся в шесть у вокзала",
    "zh": "六点在车站前见",
}
CASES = [(code, language) for code in TEXTS for language in LANGUAGES]


@pytest.mark.parametrize(("code", "language"), CASES)
@pytest.mark.parametrize(
    ("engine", "channel"),
    # Of calls, names that callers show (jobs/operators/protect/refusal_types.py).
    [("kannel", "SMS"), ("jasmin", "SMS"), ("kamailio", "IM"), ("asterisk", "VOICE_CS")],
)
def test_a_text_in_each_language_is_typed(code: str, language: str, engine: str, channel: str) -> None:
    told = type_of_texts(pl.Series([TEXTS[code][language]]), engine, channel)
    phishing = {"SMS": "PHISH.smish", "IM": "PHISH.mail", "VOICE_CS": "PHISH.vish"}[channel]
    wanted = code.replace("PHISH.smish", phishing)
    assert wanted in told["spam_type_codes"][0]
    assert told["spam_type_code"][0] == wanted
    # A keyword says what spam is about, never that something is spam.
    assert told["is_type_strong"][0] is False


def test_every_type_that_texts_are_matched_for_is_asked_in_each_language() -> None:
    told_by_texts = {
        rule.spam_type_code for rule in rules.load_rules().types if rule.match_on == "text_regex"
    }
    assert told_by_texts - EXEMPT.keys() == TEXTS.keys()
    assert EXEMPT.keys() <= told_by_texts
    assert {tuple(sorted(texts)) for texts in (*TEXTS.values(), *LABELS.values())} == {LANGUAGES}


@pytest.mark.parametrize(("code", "language"), [(code, each) for code in LABELS for each in LANGUAGES])
def test_a_label_in_place_of_a_callers_name_is_typed(code: str, language: str) -> None:
    told = type_of_texts(pl.Series([LABELS[code][language]]), "asterisk", "VOICE_CS")
    assert (told["spam_type_code"][0], told["is_type_strong"][0]) == (code, False)
    # Nor is every word of them a label, nor a message with it.
    for text, engine, channel in (
        (f"{LABELS[code][language]} Anna Virtanen AG", "asterisk", "VOICE_CS"),
        (LABELS[code][language], "kannel", "SMS"),
    ):
        assert type_of_texts(pl.Series([text]), engine, channel)["spam_type_code"].to_list() == [None]


@pytest.mark.parametrize(
    ("label", "code"),
    [
        *(("Spam Risk", "UNK"), ("Potential Spam", "UNK"), ("Fraud Risk", "UNK"), ("SCAM LIKELY", "UNK")),
        *(
            ("Robocaller", "PHONE.robocall"),
            ("Likely telemarketer", "AD.retail"),
            ("Scam Awareness Week", None),
        ),
        *(("Risk Services Ltd", None), ("Spamer, Anna", None), ("Ann Fraude", None)),
    ],
)
def test_labels_that_carriers_show(label: str, code: str | None) -> None:
    told = type_of_texts(pl.Series([label]), "kamailio", "VOICE_IP")
    assert told["spam_type_code"].to_list() == [code]


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_innocent_text_is_not_typed(language: str) -> None:
    told = type_of_texts(pl.Series([INNOCENT[language]]), "kannel", "SMS")
    assert told["spam_type_code"].to_list() == [None]
