"""A study's folder as it begins: settings, folders, and a template of each file that a study takes.

Columns, codes and meanings come from the contracts and code lists that read the files later.
"""

import csv
import io
import json
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from babel.languages import get_official_languages

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.languages import ENGLISH, LANGUAGES
from jobs.base.figures.sizes import class_of, size_of
from jobs.base.settings.base import Settings
from jobs.base.settings.docstrings import read_docstrings
from jobs.base.settings.release import Release
from jobs.base.settings.study import Gap, Study
from jobs.base.tables.contracts import codelist_rows, file_tables, read_contract, reference_rows
from jobs.study.public.secret import FILE
from jobs.study.questionnaire.respondents import COLUMNS, administration_name
from jobs.study.questionnaire.texts import option_labels

SETTINGS, GUIDE, SECRET = "observatory.toml", "FILES.md", "p"
FOLDERS = ("inbox", "files", "keys", "signers", "sources", "examples")
# What a new study's settings hold; None stands as a comment, to be filled in.
VALUES: Mapping[str, Mapping[str, Any]] = {
    "study": {
        "respondents": "respondents.csv",
        "inbox": "inbox",
        "files": "files",
        "keyring": "keys",
        "receipt_key": None,
        "deadline": None,
        "return_address": None,
    },
    "study.gap": {"norm": None},
    "release": {
        "agency": None,
        "agency_name": "The study of spam",
        "contact": None,
        "licence": "CC-BY-4.0",
        "address": None,
        "root": "releases",
        "restricted": "restricted",
        "public_root": "public",
        "signers": "signers",
        "is_made_up": False,
    },
}
MODELS: Mapping[str, type[Settings]] = {"study": Study, "study.gap": Gap, "release": Release}
# What a setting without a value may be, in its comment.
SAMPLES = {
    "receipt_key": '"study@example.org"', "deadline": "2027-02-28", "return_address": '"study@example.org"',
    "address": '"https://example.org/spam"',
    "norm": "{ EMAIL = 0.8, SMS = 0.2 }", "agency": '"SPAMSTAT"',    "contact": '"study@example.org"',
}  # fmt: skip
LANGUAGE_NOTE = (
    "respondents.csv: `study init` writes for an administration the one of en, fr, es, ar, zh and ru that is"
    " official in its country by CLDR, and en where none is, or several are. Correct the column language"
    " before `study frame --ask`, which adds operators in the language of their administration."
)
WIDTH = 98
# The country of examples: their amounts are of its size, in its currency.
EXAMPLE = "KEN"
SUBSCRIPTIONS = 1_200_000


def begin_study(folder: Path, countries: Sequence[str], year: int) -> list[str]:
    """Write a new study's files; their names.

    Raises ObservatoryError if one of them is there already: nothing is written then.

    Args:
        year: of the examples.
    """
    texts = {
        SETTINGS: settings_text(countries),
        "respondents.csv": csv_text(COLUMNS, [administration(code) for code in countries]),
        GUIDE: guide_text(),
        "examples/respondents.csv": csv_text(COLUMNS, [example_respondent()]),
    }
    for table in file_tables():
        contract = read_contract(table)
        texts[f"examples/{contract.name}.csv"] = csv_text(contract.columns, [example_row(table, year)])
        # An empty file would stand in place of the project's own: nobody would have any product.
        if "project" not in contract.given_in:
            texts[f"files/{contract.name}.csv"] = csv_text(contract.columns, [])
    there = [name for name in (*texts, SECRET) if (folder / name).exists()]
    if there:
        more = f", and {len(there) - 1} more of a study's files" if len(there) > 1 else ""
        raise ObservatoryError(
            f"{folder} has {there[0]} already{more}: nothing was written. `observatory study init {folder}"
            " --check` says what is missing there; to begin anew name another folder"
        )
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    # p is chosen by who makes releases, and read by nobody else: the file exists with its mode before it has
    # a content.
    (folder / SECRET).touch(mode=0o600)
    return [*texts, SECRET]


def csv_text(columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [*columns], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def administration(country: str) -> dict[str, str]:
    """The administration of a country as a respondent, in a language that the officer may correct."""
    language = official_language(country)
    return {"respondent_id": f"{country.lower()}-administration",
            "name": administration_name(country, language), "role": "A",
            "country": country, "language": language}  # fmt: skip


def official_language(country: str) -> str:
    """The one language of the Union that is official in a country, by CLDR; English if there is not just
    one."""
    codes = {row["iso3"]: row["iso2"] for row in reference_rows("country")}
    official = {each.partition("_")[0] for each in get_official_languages(codes[country], de_facto=True)}
    found = official & set(LANGUAGES)
    return found.pop() if len(found) == 1 else ENGLISH


def example_respondent() -> dict[str, str]:
    row = example_row("ref.operator_frame", 2026)
    return {"respondent_id": row["respondent_id"], "name": "Example Mobile", "role": "O", "country": EXAMPLE,
            "holding": row["holding_id"], "operator_ids": row["respondent_id"], "language": "en",
            "size_class": class_of(SUBSCRIPTIONS)}  # fmt: skip


def example_row(table: str, year: int) -> dict[str, str]:
    """A row of a table as its reader takes it, of nobody."""
    known = {
        "respondent_id": f"{EXAMPLE.lower()}-example-mobile",
        "holding_id": "example-holding",
        "country_code": EXAMPLE,
        "channel_code": "SMS",
        "size_code": size_of(SUBSCRIPTIONS),
        "subscriptions": str(SUBSCRIPTIONS),
        "valid_from": f"{year}-01-01",
        "period_code": str(year),
        "price_year": str(year),
        "currency_code": "KES",
        "deflator_index": "100",
        "ppp_rate": "45.5",
        "market_rate": "129.2",
        "wage_per_day": "4200",
        "gdp_amount": "108000000000",
        "source": "an example, of nobody",
    }
    return {name: known[name] for name in read_contract(table).columns if name in known}


def settings_text(countries: Sequence[str]) -> str:
    """observatory.toml of a new study: each setting below its meaning; those to fill in behind a #."""
    named = textwrap.wrap(", ".join(f'"{code}"' for code in countries), WIDTH - 4)
    lines = [
        "# Settings of a study of spam, as `observatory study init` wrote them. Paths are relative to this",
        f"# file, which {GUIDE} explains; settings behind a # are still to be filled in.",
        "",
        "[lake]",
        'root = "study-lake"',
    ]
    for table, values in VALUES.items():
        lines += ["", f"[{table}]"]
        meanings = read_docstrings(MODELS[table])
        if table == "study":
            lines += [
                *comment(meanings["countries"]),
                "countries = [",
                *(f"    {each}" for each in named),
                "]",
            ]
        for name, value in values.items():
            lines += comment(meanings[name])
            lines.append(f"# {name} = {SAMPLES[name]}" if value is None else f"{name} = {json.dumps(value)}")
    return "\n".join(lines) + "\n"


def comment(meaning: str) -> list[str]:
    """A meaning as lines of a comment, without links."""
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", meaning)
    return textwrap.wrap(f"{plain}.", WIDTH, initial_indent="# ", subsequent_indent="# ")


def guide_text() -> str:
    """Contents of each file of the folder, column by column, with the codes that it takes."""
    lines = [
        "# The files of this study",
        "",
        "`observatory study init . --check` says what is missing and what comes next. The folder `examples`"
        " has each file with a row of nobody; nothing reads it. Downloads of ITU and the World Bank, and"
        " regulators' lists, go into `sources`; `observatory study frame` builds `files` from them.",
        "",
        "## Size classes",
        "",
        "Forms and `respondents.csv` use S1 to S5, `operator_frame.csv` SMALL, MEDIUM and LARGE, which follow"
        " from them: `study frame` writes them from subscriptions.",
        "",
        "| class | subscriptions | in the frame |",
        "|---|---|---|",
    ]
    sizes = codelist_rows("size_class")
    lines += [f"| {code} | {row['description']} | {row['size_code']} |" for code, row in sizes.items()]
    lines += [
        "",
        "## respondents.csv",
        "",
        "Who is asked.",
        "",
        LANGUAGE_NOTE,
        "",
        "| column | meaning |",
        "|---|---|",
    ]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in COLUMNS.items()]
    roles = [f"{code} {label}" for code, label in option_labels("en", "role").items()]
    lines += ["", f"Roles: {'; '.join(roles)}."]
    for table in file_tables():
        contract = read_contract(table)
        optional = " Optional." if "project" in contract.given_in else ""
        lines += ["", f"## files/{contract.name}.csv", "", f"{contract.description}{optional}", ""]
        lines += ["| column | needed | meaning |", "|---|---|---|"]
        for field in contract.fields:
            codes = codelist_rows(field.codelist) if field.codelist in ("size", "channel") else {}
            of = f": {', '.join(codes)}" if codes else ""
            needed = "yes" if field.name in contract.required_columns else ""
            lines.append(f"| `{field.name}` | {needed} | {field.description}{of} |")
    lines += [
        "",
        f"## {SECRET}",
        "",
        "The percentage of the p% rule, empty at first: who makes releases chooses it, writes it into this"
        f" file and tells nobody. The variable {FILE} names the file; one that others may read is refused.",
    ]
    return "\n".join(lines) + "\n"
