"""Names of areas and codes in the present language."""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache

from jobs.base.core import languages
from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import DASH
from jobs.base.figures import words
from jobs.study.questionnaire.definition import list_questions
from jobs.study.questionnaire.respondents import country_names
from jobs.study.questionnaire.texts import line_text, translate_area, translate_key
from jobs.study.release.released_tables import AREAS, COMMON, PART, area_codes
from jobs.study.site.texts import COUNTS, SHARES, asked_group, load_texts, say


def name_code(codelist: str, code: str, english: str) -> str:
    """A code by its name.

    Args:
        english: what English pages call it.
    """
    if codelist == "cv_band":
        return say(f"band.{code}")
    if languages.is_english():
        return english
    if codelist in SHARES:
        return name_class(code)
    if codelist in COUNTS:
        low, _, high = code.partition("_")
        signs = {"UNDER": f"< {high}", "FROM": f"≥ {high}"}
        return signs.get(low, f"{low}{DASH}{high}")
    if codelist == "definition" and code == "OPERATOR":
        return first_large(say("definition"))
    language, of = languages.current.get(), "common" if code in COMMON else codelist
    if (key := f"code.{of}.{code}") in load_texts(language):
        return load_texts(language)[key]
    group = asked_group(codelist, code)
    if group is None:
        raise KeyError(f"{codelist}.{code} has no name in {language}")
    return first_large(translate_key(language, group, code))


def describe_code(codelist: str, code: str, english: str) -> str:
    """Meaning of a code; empty where its name says it.

    Args:
        english: the description in its list.
    """
    if languages.is_english():
        return english
    return "" if codelist in (*SHARES, *COUNTS) else say(f"about.{codelist}.{code}")


def first_large(text: str) -> str:
    """A name at the head of a line."""
    return text[:1].upper() + text[1:]


def name_class(code: str) -> str:
    """A class of shares, such as 25_50 or FROM_90, in words."""
    low, _, high = code.partition("_")
    if low == "UNDER":
        return say("class.under", high=high)
    return say("class.from", low=high) if low == "FROM" else say("class.between", low=low, high=high)


def name_type(code: str) -> str:
    return name_code("type", code, words.type_name(code))


def name_strategy(code: str) -> str:
    return name_code("strategy", code, words.code_name("strategy", code).removesuffix(" strategies"))


def name_listed(codelist: str, code: str) -> str:
    """A code that English pages call as its list does."""
    return name_code(codelist, code, words.code_name(codelist, code))


# --- areas ------------------------------------------------------------------------------------------


@cache
def own_area_codes() -> dict[str, str]:
    """The study's own code of each area, by the published one."""
    return {code: own for own, (code, _) in area_codes().items()}


def name_place(code: str, english: str) -> str:
    """An area by its published code.

    Args:
        english: the name that the release has.
    """
    if languages.is_english():
        return english
    own, language = own_area_codes()[code.removesuffix(PART)], languages.current.get()
    if own not in AREAS:
        return find_name(country_names(language), own)
    return translate_area(language, own, english if code.endswith(PART) else "")


def name_country(iso3: str) -> str:
    """A country by its code of three letters; in English short enough for a chart."""
    language = languages.current.get()
    return words.country_name(iso3) if languages.is_english() else find_name(country_names(language), iso3)


def find_name(names: Mapping[str, str], code: str) -> str:
    """A name in the present language. Raises ObservatoryError if it has none."""
    if not names.get(code):
        raise ObservatoryError(
            f"{code} has no name in {languages.current.get()}: no page is drawn without it. Add the name to"
            " the reference tables or the questionnaire's translations"
        )
    return names[code]


def name_region(code: str) -> str:
    """A region that spam comes from, without the word that says whose region it is."""
    if code in COMMON:
        return name_code("common", code, "Unknown" if code == words.UNKNOWN else COMMON[code])
    return re.sub(r"\s*[(（].*$", "", name_place(*area_codes()[code]))


def sort_key(name: str) -> str:
    """Names in the order of the alphabet, whatever their accents."""
    return "".join(each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each))


# --- questions on policy ----------------------------------------------------------------------------


@cache
def question_texts(language: str) -> dict[str, str]:
    """The questionnaire's lines in a language, by the code of each."""
    return {
        line.code: line_text(language, question, line)
        for question in list_questions()
        for line in question.indicators
    }


def name_question(code: str, english: str) -> str:
    """A question on policy.

    Args:
        english: as the release has it.
    """
    return english if languages.is_english() else find_name(question_texts(languages.current.get()), code)
