"""Clearance: each administration sees its own rows as they would leave, and answers before they do.

`release clear make` writes a sheet for each administration; it answers in the sheet "Answer". An objection
stays open until a decision on it is recorded: the rows leave all the same, or the next version is made
without them.
"""

import datetime as dt
import io
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import openpyxl
import polars as pl
import xlsxwriter
from openpyxl.utils.exceptions import InvalidFileException

from jobs.core.errors import ObservatoryError
from jobs.release import decisions
from jobs.release.about import About
from jobs.release.folders import PRIVATE_FILE, PRIVATE_FOLDER
from jobs.release.released import AREA, ReleasedTable, area_codes

FILE, SHEETS = "clearance.json", "clearance"
AGREED, OBJECTED, NONE = "agreed", "objected", "none"
OVERRULED, LEFT_OUT = "objection_overruled", "row_left_out"
ANSWER = "Answer"
# The rows of the answer's sheet, each with its label and what it holds.
FILLED = ("Answer (agreed or objected)", "Reason (needed for an objection)", "Name and office", "Date")
FIRST = 4


@dataclass(frozen=True)
class Cleared:
    """What an administration was asked and answered. decision: on its objection; '' while there is none."""

    country: str
    administration: str
    rows: int
    answer: str = NONE
    reason: str = ""
    by: str = ""
    answered_at: str = ""
    decision: str = ""


@dataclass(frozen=True)
class Clearance:
    """All of a release. digest: of the manifest that was cleared."""

    digest: str
    deadline: str
    asked: Mapping[str, Cleared] = field(default_factory=dict)

    @property
    def open_objections(self) -> list[Cleared]:
        return [each for each in self.asked.values() if each.answer == OBJECTED and not each.decision]

    @property
    def left_out(self) -> list[str]:
        """The countries whose rows a decision leaves out."""
        return sorted(each.country for each in self.asked.values() if each.decision == LEFT_OUT)

    @property
    def unanswered(self) -> list[Cleared]:
        """Who is waited for: those of whose countries rows would leave."""
        return [each for each in self.asked.values() if each.answer == NONE and each.rows]


def read_clearance(restricted: Path) -> Clearance | None:
    """The clearance of a release; None before anyone was asked."""
    file = restricted / FILE
    if not file.is_file():
        return None
    found = json.loads(file.read_text(encoding="utf-8"))
    asked = {each["country"]: Cleared(**each) for each in found["asked"]}
    return Clearance(found["digest"], found["deadline"], asked)


def write_clearance(restricted: Path, clearance: Clearance) -> None:
    new = restricted / f"{FILE}.new"
    value = {
        "digest": clearance.digest,
        "deadline": clearance.deadline,
        "asked": [asdict(clearance.asked[country]) for country in sorted(clearance.asked)],
    }
    new.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    new.chmod(PRIVATE_FILE)
    os.replace(new, restricted / FILE)


def make_clearance(
    restricted: Path,
    tables: Sequence[ReleasedTable],
    about: About,
    digest: str,
    administrations: Mapping[str, str],
    deadline: dt.date,
) -> Clearance:
    """Write a sheet for each administration, and note who was asked. administrations: the name of each
    country's. Asked again, answers to the same release stay."""
    before = read_clearance(restricted)
    kept = before.asked if before and before.digest == digest else {}
    folder = restricted / SHEETS
    folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    asked = {}
    for country, name in sorted(administrations.items()):
        own = own_rows(tables, country)
        count = sum(rows.height for rows in own.values())
        file = folder / f"{country.lower()}.xlsx"
        file.write_bytes(build_sheet(own, about, digest, country, name, deadline))
        file.chmod(PRIVATE_FILE)
        asked[country] = (
            replace(kept[country], rows=count) if country in kept else Cleared(country, name, count)
        )
    found = Clearance(digest, deadline.isoformat(), asked)
    write_clearance(restricted, found)
    return found


def own_rows(tables: Sequence[ReleasedTable], country: str) -> dict[str, pl.DataFrame]:
    """The rows of a country in each table that has areas."""
    code = area_codes()[country][0]
    return {
        table.name: table.rows.filter(pl.col(AREA) == code) for table in tables if AREA in table.rows.columns
    }


def build_sheet(
    own: Mapping[str, pl.DataFrame],
    about: About,
    digest: str,
    country: str,
    administration: str,
    deadline: dt.date,
) -> bytes:
    """The workbook that an administration gets."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    book.set_properties(
        {"title": about.title, "created": dt.datetime(about.day.year, about.day.month, about.day.day)}
    )
    bold, wrap = book.add_format({"bold": True}), book.add_format({"text_wrap": True, "valign": "top"})
    form = book.add_worksheet(ANSWER)
    form.set_column(0, 0, 36)
    form.set_column(1, 1, 80, wrap)
    count = sum(rows.height for rows in own.values())
    form.write(0, 0, f"{about.title}: {area_codes()[country][1]}", bold)
    form.write(1, 0, "Release")
    form.write(1, 1, f"{about.name} {digest}")
    form.write(2, 0, "What is asked")
    form.write(3, 0, "Country")
    form.write(3, 1, country)
    asked = (
        f"{count} row(s) of your country would be published as the other sheets show them. Please answer by"
        f" {deadline.isoformat()}. Without an answer by that day they are published. An objection with its"
        " reason is decided on before anything is published, and the decision is sent to you."
    )
    form.write(2, 1, asked if count else "No row of your country would be published: you need not answer.")
    for row, label in enumerate(FILLED, FIRST):
        form.write(row, 0, label, bold)
    form.write(FIRST + len(FILLED) + 1, 0, administration)
    for name, rows in own.items():
        if rows.is_empty():
            continue
        page = book.add_worksheet(name[:31])
        page.write_row(0, 0, rows.columns, bold)
        for at, values in enumerate(rows.rows(), 1):
            for column, value in enumerate(values):
                if value is not None:
                    page.write(at, column, value if isinstance(value, int | float | str) else float(value))
        page.freeze_panes(1, 0)
    book.close()
    return out.getvalue()


def answer_in(file: Path) -> tuple[str, str, str, str, str]:
    """What a sheet that came back says: the release's digest, country, answer, reason and who."""
    try:
        page = openpyxl.load_workbook(file, read_only=True, data_only=True)[ANSWER]
        cells = {
            row: list(values)
            for row, values in enumerate(page.iter_rows(min_col=1, max_col=2, max_row=20, values_only=True))
        }
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, InvalidFileException) as error:
        raise ObservatoryError(f"{file} is no clearance sheet: {error}") from None
    written = [
        str((cells.get(row) or [None, None])[1] or "").strip() for row in (1, *range(FIRST - 1, FIRST + 3))
    ]
    release, country, answer, reason, who = written
    return release.rpartition(" ")[2], country, answer.lower(), reason, who


def load_answers(restricted: Path, files: Sequence[Path], at: dt.datetime) -> Clearance:
    """Record the answers in these sheets: all, or none if one is wrong."""
    clearance = read_clearance(restricted)
    if clearance is None:
        raise ObservatoryError("no administration was asked yet: `observatory release clear make` first")
    asked, wrong = dict(clearance.asked), []
    answered: set[str] = set()
    for file in files:
        digest, country, answer, reason, who = answer_in(file)
        if country not in asked:
            wrong.append(f"{file}: no administration of '{country}' was asked")
        elif country in answered:
            wrong.append(f"{file}: the sheet of {country} is there twice; keep the one that counts")
        elif digest != clearance.digest:
            wrong.append(f"{file}: it answers another release than this one")
        elif answer not in (AGREED, OBJECTED):
            wrong.append(f"{file}: the answer is '{answer}'; it has to be {AGREED} or {OBJECTED}")
        elif answer == OBJECTED and not reason:
            wrong.append(f"{file}: an objection needs its reason")
        elif not who:
            wrong.append(f"{file}: who answered? Name and office are empty")
        else:
            answered.add(country)
            asked[country] = replace(
                asked[country], answer=answer, reason=reason, by=who,
                answered_at=at.isoformat(timespec="seconds"), decision="",
            )  # fmt: skip
    if wrong:
        raise ObservatoryError("\n".join([*wrong, "nothing was recorded"]))
    found = replace(clearance, asked=asked)
    write_clearance(restricted, found)
    return found


def decide_objection(
    restricted: Path, country: str, decision: str, by: str, reason: str, at: dt.datetime
) -> Clearance:
    """Record what becomes of an objection: first who decided it and why, so that none counts without."""
    clearance = read_clearance(restricted)
    if clearance is None or country not in clearance.asked or clearance.asked[country].answer != OBJECTED:
        raise ObservatoryError(f"{country} has no objection to decide on")
    if not reason.strip():
        raise ObservatoryError("--reason is empty: a decision on an objection is recorded with its reason")
    asked = dict(clearance.asked) | {country: replace(clearance.asked[country], decision=decision)}
    found = replace(clearance, asked=asked)
    decisions.record_decision(restricted, decision, by, clearance.digest, at, country, reason)
    write_clearance(restricted, found)
    return found


def refuse_uncleared(restricted: Path, digest: str, today: dt.date) -> None:
    """Raise ObservatoryError unless everyone was asked, the time to answer is over or all answered, and no
    objection is open or leaves rows out."""
    clearance = read_clearance(restricted)
    if clearance is None or clearance.digest != digest:
        raise ObservatoryError(
            "the administrations were not asked about this release: `observatory release clear make` first"
        )
    name = f"{restricted.parent.name}/{restricted.name}"
    wrong = [
        f"{each.country} objects: {each.reason}. Record a decision: `observatory release clear decide {name}"
        f" {each.country} --as published|left_out --by NAME --reason TEXT`"
        for each in clearance.open_objections
    ]
    if clearance.left_out:
        wrong.append(
            f"rows of {', '.join(clearance.left_out)} are to be left out, and this version has them: make the"
            " next version, `observatory release make`"
        )
    if clearance.unanswered and today <= dt.date.fromisoformat(clearance.deadline):
        wrong.append(
            f"{len(clearance.unanswered)} administration(s) have not answered and may until"
            f" {clearance.deadline}: {', '.join(each.country for each in clearance.unanswered[:10])}"
        )
    if wrong:
        raise ObservatoryError("\n".join(wrong))
