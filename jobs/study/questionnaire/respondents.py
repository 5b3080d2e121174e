"""The list of respondents: a CSV file that the settings name, one row for each."""

import csv
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jobs.base.core.choices import nearest_hint
from jobs.base.core.errors import ObservatoryError
from jobs.base.core.identifiers import has_identifier
from jobs.base.core.periods import last_day
from jobs.base.settings.config import Observatory
from jobs.base.settings.countries import country_codes, nearest_country
from jobs.base.tables.contracts import reference_rows
from jobs.study.questionnaire.definition import load_definition
from jobs.study.questionnaire.texts import translate_key

# The columns of the list, and what each holds.
COLUMNS = {
    "respondent_id": "An id of letters, digits and hyphens; forms and packages bear it",
    "name": "The organisation's name, of no person",
    "role": "O, A or M: see below",
    "country": "ISO 3166-1 alpha-3",
    "holding": "The owner's id; operators of one owner are one in disclosure control",
    "operator_ids": "The operators that it answers for, with spaces between; each of one respondent alone",
    "language": "The language of its form: en, fr, es, ar, zh or ru",
    "size_class": "S1 to S5 by subscriptions, or empty",
}


@dataclass(frozen=True)
class Respondent:
    """A respondent.

    Attributes:
        role: O an operating agency or provider, A an administration, M another member.
    """

    id: str
    name: str
    role: str
    country: str
    holding: str
    operators: tuple[str, ...]
    language: str
    size_class: str

    def currency_of(self, period: str) -> str:
        """The country's currency on the last day of a period; forms of that period use it."""
        return currency_on(self.country, last_day(period)) or "USD"


def load_respondents(settings: Observatory) -> dict[str, Respondent]:
    """The respondents that the settings name, by id."""
    if settings.study.respondents is None:
        raise ObservatoryError(
            "[study] respondents is not set: name the CSV file with the list of respondents in the settings"
        )
    return read_respondents(Path(settings.study.respondents))


def read_respondents(file: Path) -> dict[str, Respondent]:
    """The respondents by id.

    Raises ObservatoryError with one line for each row that is wrong.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            rows = csv.DictReader(lines)
            missing = [name for name in COLUMNS if name not in (rows.fieldnames or [])]
            if missing:
                raise ObservatoryError(
                    f"{file}: the columns {', '.join(missing)} are missing of {', '.join(COLUMNS)}"
                )
            found = [(rows.line_num, row) for row in rows]
    except FileNotFoundError:
        raise ObservatoryError(
            f"[study] respondents: {file} does not exist; write it with the columns {', '.join(COLUMNS)}"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ObservatoryError(f"{file}: the list of respondents cannot be read: {error}") from None
    respondents: dict[str, Respondent] = {}
    holders: dict[str, str] = {}
    wrong: list[str] = []
    for number, row in found:
        cells = {name: (row[name] or "").strip() for name in COLUMNS}
        operators = tuple(cells["operator_ids"].split())
        problems = row_problems(cells)
        if cells["respondent_id"] in respondents:
            problems.append(f"the id '{cells['respondent_id']}' stands twice")
        problems += [
            f"operator '{each}' belongs to '{holders[each]}' already: one respondent answers for an operator"
            for each in operators
            if each in holders
        ]
        wrong += [f"{file}: row {number}: {problem}" for problem in problems]
        holders |= dict.fromkeys(operators, cells["respondent_id"])
        respondents[cells["respondent_id"]] = Respondent(
            cells["respondent_id"], name_in_language(cells), cells["role"], cells["country"],
            cells["holding"], operators, cells["language"], cells["size_class"],
        )  # fmt: skip
    if wrong:
        raise ObservatoryError("\n".join(wrong))
    return respondents


def name_in_language(cells: Mapping[str, str]) -> str:
    """The name of a respondent; one that `study init` wrote for an administration in the row's language,
    which the officer may have corrected since."""
    languages = load_definition()["languages"]
    written = {administration_name(cells["country"], each) for each in languages}
    if cells["name"] in written and cells["language"] in languages:
        return administration_name(cells["country"], cells["language"])
    return cells["name"]


def administration_name(country: str, language: str) -> str:
    """Return the name of a country's administration where nobody named it."""
    name = country_names(language).get(country, country)
    return translate_key(language, "word", "administration", country=name)


def row_problems(cells: Mapping[str, str]) -> list[str]:
    """Errors in a row of the list by itself, column by column."""
    lists = load_definition()["lists"]
    known = {
        "role": lists["role"],
        "country": country_codes(),
        "language": load_definition()["languages"],
        "size_class": lists["size"],
    }
    needed = ("respondent_id", "name", "role", "country", "language")
    problems = [f"{name} is empty" for name in needed if not cells[name]]
    if not all(each.isalnum() or each in "-_" for each in cells["respondent_id"]):
        problems.append(f"respondent_id '{cells['respondent_id']}' may hold letters, digits and hyphens only")
    problems += [
        f"{name} holds an address or a number of a person: write the organisation's name"
        for name in ("name", "holding")
        if has_identifier(cells[name])
    ]
    return problems + [
        f"unknown {name} '{cells[name]}'"
        + (nearest_country(cells[name]) if name == "country" else nearest_hint(cells[name], known[name]))
        for name in known
        if cells[name] and cells[name] not in known[name]
    ]


def currency_on(country: str, day: dt.date) -> str | None:
    """The currency (ISO 4217) of a country (ISO 3166-1 alpha-3) on a day; None if it has none."""
    for row in reference_rows("former_currency"):
        if row["iso3"] == country and row["valid_from"] <= day.isoformat() < row["valid_to"]:
            return row["currency"]
    return next((row["currency"] for row in reference_rows("country") if row["iso3"] == country), "") or None


@cache
def country_names(language: str) -> dict[str, str]:
    """The name of each country in a language by its code (ISO 3166-1 alpha-3)."""
    table = "country" if language == "en" else "country_name"
    return {row["iso3"]: row[f"name_{language}"] for row in reference_rows(table)}
