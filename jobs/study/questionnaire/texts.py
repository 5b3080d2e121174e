"""The words of the questionnaire in the six languages, from schemas/questionnaire/translations.yaml."""

import re
import unicodedata
from functools import cache

from jobs.base.core.languages import LEFT_TO_RIGHT, RIGHT_TO_LEFT
from jobs.base.tables.contracts import codelist_rows, read_yaml
from jobs.study.questionnaire.definition import FOLDER, Indicator, Question, load_definition

# An area's name by name_study_countries(), in jobs/base/figures/areas.py.
COUNTED = re.compile(
    r"(?:(?P<world>\d+) countr(?:y|ies) of the study|.*: (?P<framed>\d+) of (?P<all>\d+) countries)"
    r"(?:, and (?P<rated>\d+) at their rate)?"
)


@cache
def load_translations() -> dict[str, dict[str, dict[str, str]]]:
    words: dict[str, dict[str, dict[str, str]]] = read_yaml(FOLDER / "translations.yaml")
    return words


def translate_key(language: str, group: str, key: str, **values: object) -> str:
    """The text of a key in a language.

    Args:
        values: what its braces are filled with.
    """
    words = load_translations()[group][key][language]
    if str(values.get("period", "")).isdigit():
        # In some languages a year alone does not say that it is one.
        values["period"] = load_translations()["word"]["year"][language].format(year=values["period"])
    if language in RIGHT_TO_LEFT:
        values = {name: keep_order(value) for name, value in values.items()}
    return words.format(**values) if values else words


def counts_of_name(name: str) -> dict[str, str]:
    """The counts in a name by name_study_countries(), for the same name in another language: framed; all, but
    of all countries together; rated, if there are any. Empty for a name without counts."""
    found = COUNTED.fullmatch(name)
    given = {key: text for key, text in found.groupdict().items() if text} if found else {}
    return {"framed" if key == "world" else key: text for key, text in given.items()}


def translate_area(language: str, area: str, part: str = "") -> str:
    """A group of countries in a language.

    Args:
        part: the English name that the release has of an area of which the study has some countries, whose
            counts it keeps.
    """
    name = translate_key(language, "area", area)
    if not part:
        return name
    given = counts_of_name(part)
    if not given:
        return translate_key(language, "area", "part", area=name)
    rated = given.pop("rated", "")
    key = "part_counted" if "all" in given else "part_world"
    found = translate_key(language, "area", key, area=name, **given)
    return translate_key(language, "area", "part_rated", name=found, rated=rated) if rated else found


def keep_order(value: object) -> object:
    """A code, date or file name for a text from right to left, where its parts would change places."""
    text = str(value)
    is_code = text.isascii() and any(map(str.isdigit, text)) and not text.isdigit()
    return f"{LEFT_TO_RIGHT}{text}{LEFT_TO_RIGHT}" if is_code else value


def join_words(language: str, *parts: str) -> str:
    """Parts with the comma of a language between."""
    in_order = map(str, map(keep_order, parts)) if language in RIGHT_TO_LEFT else parts
    return {"ar": "، ", "zh": "、"}.get(language, ", ").join(in_order)


def channel_name(language: str, code: str) -> str:
    """A channel in a language; in English if the questionnaire does not ask of it."""
    words = load_translations()["channel"].get(code)
    return words[language] if words else str(codelist_rows("channel")[code]["name"])


def group_keys(group: str) -> list[str]:
    """The keys of a group of texts."""
    return list(load_translations()[group])


def option_labels(language: str, codelist: str) -> dict[str, str]:
    """The labels of a list, by code."""
    return {code: translate_key(language, codelist, code) for code in load_definition()["lists"][codelist]}


def list_options(language: str, codelist: str) -> str:
    """The labels of a list in one text, with the semicolon of the language between."""
    between = {"ar": "؛ ", "zh": "；"}.get(language, "; ")
    return between.join(option_labels(language, codelist).values())


def line_label(language: str, indicator: Indicator) -> str:
    """The label of a line: its parts, as `SMS – attempted`, or `Your answer` if the question has one line."""
    if not indicator.parts:
        return translate_key(language, "word", "answer_line")
    return " – ".join(translate_key(language, dimension, code) for dimension, code in indicator.parts)


def line_text(language: str, question: Question, line: Indicator) -> str:
    """Text of a line, to be read without its question: `Legal model: SMS`."""
    asked = translate_key(language, "question", question.id)
    return f"{asked.rstrip('?؟？ ')}: {line_label(language, line)}" if line.parts else asked


def unit_label(language: str, question: Question, currency: str) -> str:
    if question.kind == "money":
        return currency
    if question.unit:
        return translate_key(language, "unit", question.unit)
    return translate_key(language, "unit", question.kind if question.kind in ("text", "date") else "list")


@cache
def unit_words(unit: str | None, kind: str) -> frozenset[str]:
    """The names of a question's unit, in every language and usual form."""
    found = set(load_translations()["unit"][unit].values()) if unit else set()
    for key in (unit, kind):
        for forms in load_translations()["unit_form"].get(key or "", {}).values():
            found.update(each.strip() for each in forms.split("|"))
    return frozenset(found)


def fold_words(words: str) -> str:
    """A text for comparison: without differences of case, width, direction marks and space."""
    plain = unicodedata.normalize("NFKC", words)
    plain = "".join(each for each in plain if unicodedata.category(each) != "Cf")
    return " ".join(plain.split()).casefold()


@cache
def codes_by_label(codelist: str) -> dict[str, str]:
    """The codes of a list, by the code and by its label in every language.

    A form may come back with labels of another language, if answers were copied from another form.
    """
    found = {fold_words(code): code for code in load_definition()["lists"][codelist]}
    for language in load_definition()["languages"]:
        found |= {fold_words(label): code for code, label in option_labels(language, codelist).items()}
    return found
