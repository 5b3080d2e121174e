"""A study of twelve countries from an empty folder: its files as docs/tsb.md asks for them, and forms as
operators and administrations fill them in. Figures are drawn and of nobody."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from jobs.study.questionnaire.definition import form_for

LISTED = "respondent_id,name,role,country,holding,operator_ids,language,size_class"
FRAME = (
    "respondent_id,holding_id,country_code,channel_code,size_code,subscriptions,valid_from,valid_to,source"
)
DENOMINATOR = "country_code,period_code,channel_code,subscriptions,source"
PRICES = "country_code,price_year,currency_code,deflator_index,ppp_rate,market_rate,wage_per_day,source"
COUNTRIES = {
    "KEN": "KES", "NPL": "NPR", "FJI": "FJD", "GHA": "GHS", "PER": "PEN", "UZB": "UZS", "JOR": "JOD",
    "TUN": "TND", "POL": "PLN", "BOL": "BOB", "LAO": "LAK", "MWI": "MWK",
}  # fmt: skip
OPERATORS = 4
PERIODS = {"2026-Q4": 1.0, "2026": 4.1}
SETTINGS = """
[lake]
root = "study-lake"

[engine]
workers = 1

[study]
respondents = "respondents.csv"
inbox = "inbox"
files = "files"
keyring = "keys"

[study.gap]
norm = { EMAIL = 2.5 }

[release]
agency = "SPAMSTAT"
agency_name = "The study of spam"
contact = "study@example.org"
licence = "CC-BY-4.0"
root = "releases"
restricted = "restricted"
public_root = "public"
signers = "signers"
is_made_up = true
"""


def write_study(folder: Path) -> list[Path]:
    """The folder's settings, respondents, frame, denominators and price levels; the forms that came back."""
    (folder / "observatory.toml").write_text(SETTINGS, encoding="utf-8")
    for name in ("inbox", "files", "keys", "signers", "returned"):
        (folder / name).mkdir()
    random = np.random.default_rng(12)
    listed, frame, forms = [], [], []
    for country in COUNTRIES:
        for number in range(OPERATORS):
            name, size = f"{country.lower()}-{number}", int(random.uniform(300_000, 900_000))
            listed.append((name, f"Mail {name}", "O", country, f"owner-{name}", name, "en", "S3"))
            frame.append(
                (name, f"owner-{name}", country, "EMAIL", "MEDIUM", size, "2020-01-01", "", "made up")
            )
            rate, spent = random.uniform(60, 90), random.uniform(1.0, 2.0)
            # The last operator of each second country stays silent.
            if number == OPERATORS - 1 and list(COUNTRIES).index(country) % 2:
                continue
            for period, factor in PERIODS.items():
                forms.append(write_form(folder / "returned", name, period, of_operator(
                    size, rate * factor, spent if period == "2026" else None
                )))  # fmt: skip
        office = f"{country.lower()}-gov"
        listed.append((office, f"Authority of {country}", "A", country, "", "", "en", ""))
        forms.append(write_form(folder / "returned", office, "2026", of_administration(random)))
    known = [
        (country, "2026", "EMAIL", sum(row[5] for row in frame if row[2] == country), "made up")
        for country in COUNTRIES
    ]
    prices = [
        (country, year, currency, 100, 50, 100, 4000, "made up")
        for country, currency in COUNTRIES.items()
        for year in (2025, 2026)
    ]
    write(folder / "respondents.csv", LISTED, listed)
    write(folder / "files" / "operator_frame.csv", FRAME, frame)
    write(folder / "files" / "denominator.csv", DENOMINATOR, known)
    write(folder / "files" / "price_level.csv", PRICES, prices)
    return forms


def of_operator(size: int, rate: float, spent: float | None) -> Iterator[tuple[str, object]]:
    """An operator's answers: mailboxes, traffic, spam by its own definition, and what it spent."""
    spam = int(size * rate)
    yield "sp201", size
    yield "sp205.EMAIL", int(spam * 1.7)
    yield "sp301.EMAIL", "OPERATOR"
    yield "sp303.EMAIL.attempted", spam
    if spent is not None:
        yield "sp705.STAFF", int(size * spent * 100)
        yield "sp707.EMAIL", 100


def of_administration(random: np.random.Generator) -> Iterator[tuple[str, object]]:
    yield "sp901.EMAIL", str(random.choice(["OPTIN", "NONE"]))
    yield "sp902", int(random.integers(0, 3))


def write_form(folder: Path, respondent: str, period: str, answers: Iterator[tuple[str, object]]) -> Path:
    """A form as CSV: what is given and answered, and of all else that the form requires that it is not
    available."""
    role = "A" if respondent.endswith("-gov") else "O"
    begins = "2026-01-01" if period == "2026" else "2026-10-01"
    given = dict(answers) | {
        "sp101": respondent, "sp102": role, "sp103": respondent[:3].upper(), "sp105.first": begins,
        "sp105.last": "2026-12-31", "sp904": "W0",
    }  # fmt: skip
    answered = {code.partition(".")[0] for code in given}
    rows: list[tuple[object, ...]] = []
    for question in form_for(role, period=period).questions:
        for line in question.indicators:
            if line.code in given:
                rows.append((respondent, period, line.code, given[line.code], ""))
            elif question.required and (question.required == "each" or question.id not in answered):
                rows.append((respondent, period, line.code, "", "NA"))
    file = folder / f"{respondent}-{period}.csv"
    write(file, "respondent,period,indicator,answer,status", rows)
    return file


def write(file: Path, head: str, rows: Sequence[tuple[object, ...]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(head.split(","))
        writer.writerows(rows)
