"""A study of twelve countries from an empty folder: what others give as docs/tsb.md asks for it, and forms as
operators and administrations fill them in. Figures are drawn and of nobody."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import openpyxl

from jobs.study.desk.filled_rows import make_workbook
from jobs.study.questionnaire.definition import form_for
from tests.support.downloads import world_bank_zip

COUNTRIES = (
    "KEN", "NPL", "FJI", "GHA", "PER", "UZB", "JOR", "TUN", "POL", "BOL", "LAO", "MWI",
)  # fmt: skip
OPERATORS = 4
PERIODS = {"2026-Q4": 1.0, "2026": 4.1}
# The first commands of the walk in docs/tsb.md; fill_settings() comes between them.
INIT = ("study", "init", ".", "--countries", ",".join(COUNTRIES))
BUILD = ("study", "frame", "--year", "2026", "--ask")
# What an officer writes into the settings.
FILLED = {
    "agency": '"SPAMSTAT"', "contact": '"study@example.org"', "norm": "{ EMAIL = 2.5 }", "is_made_up": "true",
}  # fmt: skip


def fill_settings(folder: Path) -> None:
    """The settings that `study init` wrote, with what an officer fills in."""
    file = folder / "observatory.toml"
    lines = file.read_text(encoding="utf-8").splitlines()
    names = [line.removeprefix("# ").partition(" = ")[0] for line in lines]
    filled = [
        f"{name} = {FILLED[name]}" if name in FILLED else line
        for name, line in zip(names, lines, strict=True)
    ]
    text = "\n".join([*filled, "", "[engine]", "workers = 1", ""])
    file.write_text(text, encoding="utf-8")


def write_study(folder: Path) -> list[Path]:
    """Write what others give to the study: downloads, a list of operators and a workbook in `sources`, and
    the forms that came back."""
    for name in ("sources", "returned"):
        (folder / name).mkdir()
    random = np.random.default_rng(12)
    operators: list[tuple[object, ...]] = []
    forms = []
    for country in COUNTRIES:
        for number in range(OPERATORS):
            name, size = f"{country.lower()}-{number}", int(random.uniform(300_000, 900_000))
            operators.append((country, str(number), "e-mail", size, f"owner-{name}", "made up"))
            rate, spent = random.uniform(60, 90), random.uniform(1.0, 2.0)
            # The last operator of each second country stays silent.
            if number == OPERATORS - 1 and COUNTRIES.index(country) % 2:
                continue
            for period, factor in PERIODS.items():
                forms.append(write_form(folder / "returned", name, period, of_operator(
                    size, rate * factor, spent if period == "2026" else None
                )))  # fmt: skip
        office = f"{country.lower()}-administration"
        forms.append(write_form(folder / "returned", office, "2026", of_administration(random)))
    sources = folder / "sources"
    write(sources / "operators.csv", "country,operator,service,subscribers,owner,source", operators)
    cells = [(country, year) for country in COUNTRIES for year in (2025, 2026)]
    for series, value in (("NY.GDP.DEFL.ZS", 100), ("PA.NUS.PPP", 50), ("PA.NUS.FCRF", 100)):
        world_bank_zip(sources / f"{series}.zip", series, dict.fromkeys(cells, value))
    (sources / "frame.xlsx").write_bytes(make_workbook(COUNTRIES, 2026))
    book = openpyxl.load_workbook(sources / "frame.xlsx")
    for row in book["denominator"].iter_rows(min_row=3):
        if row[2].value == "EMAIL":
            row[3].value = sum(int(str(each[3])) for each in operators if each[0] == row[0].value)
    for row in book["price_level"].iter_rows(min_row=3):
        if row[0].value in COUNTRIES:
            row[5].value = 4000
    book.save(sources / "frame.xlsx")
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
    role = "A" if respondent.endswith("-administration") else "O"
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
