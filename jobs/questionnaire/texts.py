"""The words of the questionnaire in the six languages, from schemas/questionnaire/translations.yaml."""

from __future__ import annotations

import unicodedata
from functools import cache

from jobs.core.contracts import read_yaml
from jobs.questionnaire.definition import FOLDER, Indicator, Question, raw


@cache
def translations() -> dict[str, dict[str, dict[str, str]]]:
    words: dict[str, dict[str, dict[str, str]]] = read_yaml(FOLDER / "translations.yaml")
    return words


def text(language: str, group: str, key: str, **values: object) -> str:
    """The words of a key, with what stands in braces filled in."""
    words = translations()[group][key][language]
    return words.format(**values) if values else words


def keys(group: str) -> list[str]:
    """The keys that a group of texts has."""
    return list(translations()[group])


def options(language: str, codelist: str) -> dict[str, str]:
    """The labels of a list, by code."""
    return {code: text(language, codelist, code) for code in raw()["lists"][codelist]}


def line_label(language: str, indicator: Indicator) -> str:
    """What a line of a question is of: `SMS: attempted`; `Your answer` where the question has one line."""
    if not indicator.parts:
        return text(language, "word", "answer_line")
    return " – ".join(text(language, dimension, code) for dimension, code in indicator.parts)


def unit_label(language: str, question: Question, currency: str) -> str:
    if question.kind == "money":
        return currency
    if question.unit:
        return text(language, "unit", question.unit)
    return text(language, "unit", question.kind if question.kind in ("text", "date") else "list")


@cache
def unit_words(unit: str | None, kind: str) -> frozenset[str]:
    """What the unit of a question is called beside a number, in any language and usual form."""
    found = set(translations()["unit"][unit].values()) if unit else set()
    for key in (unit, kind):
        for forms in translations()["unit_form"].get(key or "", {}).values():
            found.update(each.strip() for each in forms.split("|"))
    return frozenset(found)


def folded(words: str) -> str:
    """Words as they are compared: letter case, width, direction marks and space do not matter."""
    plain = unicodedata.normalize("NFKC", words)
    plain = "".join(each for each in plain if unicodedata.category(each) != "Cf")
    return " ".join(plain.split()).casefold()


@cache
def codes_by_label(codelist: str) -> dict[str, str]:
    """Each code of a list by itself and by its label in any language.

    A form may come back with labels of another language, when answers were copied from another form.
    """
    found = {folded(code): code for code in raw()["lists"][codelist]}
    for language in raw()["languages"]:
        found |= {folded(label): code for code, label in options(language, codelist).items()}
    return found
