"""Clearance: each administration sees its own rows as they would leave, and answers before they do.

`release clear make` writes a sheet for each administration; it answers in the sheet "Answer". An objection
stays open until a decision on it is recorded: the rows leave all the same, or the next version is made
without them. A country whose rows leave and that has no administration needs a decision of its own, with name
and reason: `clear make` lists these countries in a file, and `clear unasked` takes it filled in.
"""

import csv
import datetime as dt
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import polars as pl

from jobs.base.core import workbooks
from jobs.base.core.archives import Damaged
from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import format_noun, name_few
from jobs.base.settings.countries import fold_name
from jobs.base.tables.public_contracts import public_contract
from jobs.study.questionnaire.definition import load_definition
from jobs.study.questionnaire.texts import translate_key
from jobs.study.release import decisions
from jobs.study.release.folders import ABOUT, PRIVATE_FILE, PRIVATE_FOLDER
from jobs.study.release.released_tables import AREA, AREAS, ReleasedTable, area_codes

FILE, SHEETS = "clearance.json", "clearance"
AGREED, OBJECTED, NONE = "agreed", "objected", "none"
OVERRULED, LEFT_OUT, UNASKED = "objection_overruled", "row_left_out", "published_unasked"
# The file of countries without an administration: what `clear make` writes, and what is filled in.
UNASKED_FILE = "unasked.csv"
UNASKED_COLUMNS = ("country", "name", "rows", "decision", "by", "reason")
OUTCOMES = {"published": UNASKED, "left_out": LEFT_OUT}
ANSWER = "Answer"
# The rows of the answer's sheet, each with its label and what it holds.
FILLED = ("answer", "reason", "who", "date")
FIRST = 4
# So many countries are named in an error; the rest is counted.
NAMED = 10


@dataclass(frozen=True)
class Cleared:
    """The question to an administration and its answer.

    Attributes:
        decision: on its objection; '' while there is none.
        administration: '' for a country that has none here: decision, reason, by and answered_at are then of
            the decision on its rows.
    """

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
    """All of a release.

    Attributes:
        digest: of the manifest that was cleared.
        asked: every country that was asked, or whose rows leave.
    """

    digest: str
    deadline: str
    asked: Mapping[str, Cleared] = field(default_factory=dict)

    @property
    def open_objections(self) -> list[Cleared]:
        return [each for each in self.asked.values() if each.answer == OBJECTED and not each.decision]

    @property
    def countries_left_out(self) -> list[str]:
        """The countries whose rows a decision leaves out."""
        return sorted(each.country for each in self.asked.values() if each.decision == LEFT_OUT)

    @property
    def unanswered(self) -> list[Cleared]:
        """The administrations that are waited for: rows of their countries would leave."""
        return [each for each in self.concerned if each.administration and each.answer == NONE]

    @property
    def waited(self) -> list[Cleared]:
        """The countries that lack an answer or a decision of their own."""
        return [*self.unanswered, *self.undecided]

    @property
    def concerned(self) -> list[Cleared]:
        """The countries whose rows leave."""
        return [each for each in self.asked.values() if each.rows]

    @property
    def unasked(self) -> list[Cleared]:
        """The countries whose rows leave and that have no administration here."""
        return [each for each in self.concerned if not each.administration]

    @property
    def undecided(self) -> list[Cleared]:
        """The unasked countries without a decision of their own."""
        return [each for each in self.unasked if not each.decision]


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


@decisions.recorded_alone
def make_clearance(
    restricted: Path,
    tables: Sequence[ReleasedTable],
    digest: str,
    administrations: Mapping[str, str],
    deadline: dt.date,
    languages: Mapping[str, str],
    build_sheet: Callable[[Mapping[str, pl.DataFrame], Cleared, str], bytes],
) -> Clearance:
    """Write a sheet for each administration and the file of countries that have none, and note who was asked.

    Args:
        administrations: the name of each country's.
        languages: what it reads, English without one.
        build_sheet: the workbook with a country's own rows. Asked again, answers to the same release stay.
    """
    before = read_clearance(restricted)
    kept = before.asked if before and before.digest == digest else {}
    folder = restricted / SHEETS
    folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    asked = {}
    row_counts = count_country_rows(areas_of(tables))
    for country, name in sorted(administrations.items()):
        count = row_counts.get(country, 0)
        # Nobody is asked about what others published alone.
        own = country_rows(tables, country) if count else {}
        file = folder / f"{country.lower()}.xlsx"
        file.write_bytes(build_sheet(own, Cleared(country, name, count), languages.get(country, "en")))
        file.chmod(PRIVATE_FILE)
        asked[country] = (
            replace(kept[country], rows=count)
            if country in kept and kept[country].administration
            else Cleared(country, name, count)
        )
    for country, count in row_counts.items():
        if country not in asked:
            is_kept = country in kept and not kept[country].administration
            asked[country] = kept[country] if is_kept else Cleared(country, "", count)
    found = Clearance(digest, deadline.isoformat(), dict(sorted(asked.items())))
    write_unasked(folder / UNASKED_FILE, found.unasked)
    write_clearance(restricted, found)
    return found


def country_rows(tables: Sequence[ReleasedTable], country: str) -> dict[str, pl.DataFrame]:
    """The rows of a country in each table that has areas."""
    code = area_codes()[country][0]
    return {
        table.name: table.rows.filter(pl.col(AREA) == code) for table in tables if AREA in table.rows.columns
    }


def areas_of(tables: Sequence[ReleasedTable]) -> dict[str, list[str]]:
    """The areas of the rows of each table that has areas."""
    return {table.name: table.rows[AREA].to_list() for table in tables if AREA in table.rows.columns}


def count_country_rows(areas: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The countries that have rows in tables of a release, with how many; without what others published,
    which stands beside the study's own figures.

    Args:
        areas: of each table, areas_of() or comparing.areas_in().
    """
    countries = {code: country for country, (code, _) in area_codes().items() if country not in AREAS}
    own = [codes for name, codes in areas.items() if not public_contract(f"public.{name}").beside]
    found = Counter(countries[code] for codes in own for code in codes if code in countries)
    return dict(sorted(found.items()))


def write_unasked(file: Path, unasked: Sequence[Cleared]) -> None:
    """The countries whose rows leave without an administration: a line each, to be filled in."""
    outcomes = {decision: outcome for outcome, decision in OUTCOMES.items()}
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(UNASKED_COLUMNS)
        for each in unasked:
            name = area_codes()[each.country][1]
            decision = outcomes.get(each.decision, "")
            writer.writerow((each.country, name, each.rows, decision, each.by, each.reason))
    file.chmod(PRIVATE_FILE)


def answer_in(file: Path) -> tuple[str, str, str, str, str]:
    """Read a returned sheet: the release's digest, country, answer, reason and who."""
    try:
        data = file.read_bytes()
        workbooks.check_workbook(data, workbooks.LARGE)
        page = workbooks.open_workbook(data, read_only=True, data_only=True)[ANSWER]
        cells = {
            row: list(values)
            for row, values in enumerate(page.iter_rows(min_col=1, max_col=2, max_row=20, values_only=True))
        }
    except (OSError, KeyError, workbooks.TooLarge, Damaged) as error:
        raise ObservatoryError(f"{file} is no clearance sheet: {error}") from None
    written = [
        str((cells.get(row) or [None, None])[1] or "").strip() for row in (1, *range(FIRST - 1, FIRST + 3))
    ]
    release, country, answer, reason, who = written
    return release.rpartition(" ")[2], country, code_answer(answer, bool(reason)), reason, who


def code_answer(written: str, has_reason: bool) -> str:
    """AGREED or OBJECTED, as written in any language; else what was written. A bare yes is consent only
    without a reason: with one it may stand for `yes, we object`."""
    words: dict[str, str] = {}
    for language in load_definition()["languages"]:
        for code in (AGREED, OBJECTED):
            named = translate_key(language, "clearance", f"{code}_words").split("|")
            words |= {fold_name(each): code for each in (translate_key(language, "clearance", code), *named)}
        words[fold_name(translate_key(language, "yesno", "no"))] = OBJECTED
        if not has_reason:
            words[fold_name(translate_key(language, "yesno", "yes"))] = AGREED
    return words.get(fold_name(written.rstrip(" .!。！۔")), written.lower())


@decisions.recorded_alone
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
            wrong.append(
                f"{file}: the answer is '{answer}'; it has to be {AGREED} or {OBJECTED}, in any of the six"
                f" languages; yes, alone and without a reason, counts as {AGREED}, and no as {OBJECTED}"
            )
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


@decisions.recorded_alone
def decide_unasked(restricted: Path, file: Path, at: dt.datetime) -> Clearance:
    """Record the decisions in a file of countries without an administration: all, or none if one is wrong. A
    line is of one country, with who decided and why; a line without a decision is skipped."""
    clearance = read_clearance(restricted)
    if clearance is None:
        raise ObservatoryError("no country is listed yet: `observatory release clear make` first")
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ObservatoryError(f"{file} cannot be read: {error}") from None
    known = {each.country for each in clearance.unasked}
    asked, wrong, recorded = dict(clearance.asked), [], []
    stamp, seen = at.isoformat(timespec="seconds"), set()
    for number, row in enumerate(rows, 2):
        country, decision, by, reason = (
            (row.get(name) or "").strip() for name in ("country", "decision", "by", "reason")
        )
        place = f"{file}, line {number}"
        if country not in known:
            wrong.append(
                f"{place}: '{country}' is no country whose rows leave without an administration; a line is of"
                " one country, by its code of three letters"
            )
        elif country in seen:
            wrong.append(f"{place}: {country} is there twice")
        elif decision and decision not in OUTCOMES:
            wrong.append(f"{place}: the decision is '{decision}'; it has to be {' or '.join(OUTCOMES)}")
        elif decision and not (by and reason):
            wrong.append(f"{place}: the decision on {country} needs a name (by) and a reason")
        elif decision:
            what = OUTCOMES[decision]
            asked[country] = replace(asked[country], decision=what, by=by, reason=reason, answered_at=stamp)
            recorded.append(decisions.format_decision(what, by, clearance.digest, at, country, reason))
        seen.add(country)
    if wrong or not recorded:
        raise ObservatoryError("\n".join([*wrong, f"{file}: no decision was recorded"]))
    found = replace(clearance, asked=asked)
    decisions.append_decision(restricted, "".join(recorded))
    write_clearance(restricted, found)
    return found


@decisions.recorded_alone
def decide_objection(
    restricted: Path, country: str, decision: str, by: str, reason: str, at: dt.datetime
) -> Clearance:
    """Record what becomes of an objection: first who decided it and why, so that none counts without.

    Args:
        restricted: the restricted folder of the release's version.
        decision: objection_overruled or row_left_out.
        by: the name of who decided.
    """
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


def refuse_uncleared(restricted: Path, digest: str, row_counts: Mapping[str, int], today: dt.date) -> None:
    """Raise ObservatoryError unless every country whose rows leave was asked or decided on, the time to
    answer is over or all answered, and no objection is open or leaves rows out.

    Args:
        row_counts: count_country_rows() of the release itself.
    """
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
    if clearance.countries_left_out:
        wrong.append(
            f"rows of {', '.join(clearance.countries_left_out)} are to be left out, and this version has"
            f" them: make the next version, `{make_command(restricted)}`"
        )
    unlisted = sorted(set(row_counts) - {each.country for each in clearance.concerned})
    if unlisted:
        wrong.append(
            f"not in the clearance: {format_noun(len(unlisted), 'country', 'countries')} whose rows leave:"
            f" {name_few(unlisted, NAMED)}. List them: `observatory release clear make {name}"
            " --deadline DATE`"
        )
    if clearance.undecided:
        file = restricted / SHEETS / UNASKED_FILE
        undecided = [each.country for each in clearance.undecided]
        wrong.append(
            f"rows of {format_noun(len(undecided), 'country', 'countries')} leave without an administration"
            f" that was asked: {name_few(undecided, NAMED)}. Add their administrations to the list of"
            f" respondents and ask them (`observatory release clear make`), or decide on each in {file} and"
            f" run `observatory release clear unasked {name} {file}`"
        )
    if clearance.unanswered and today <= dt.date.fromisoformat(clearance.deadline):
        wrong.append(
            f"no answer yet of {format_noun(len(clearance.unanswered), 'administration')}, with time until"
            f" {clearance.deadline}: {name_few((each.country for each in clearance.unanswered), NAMED)}"
        )
    if wrong:
        raise ObservatoryError("\n".join(wrong))


def make_command(restricted: Path) -> str:
    """The command that makes the next version of a release, with the options that it was made with."""
    about = json.loads((restricted / ABOUT).read_bytes())
    options = " --leave-out-areas" if about.get("leave_out_areas") else ""
    return f"observatory release make --period {restricted.parent.name}{options}"


def describe_grounds(clearance: Clearance) -> list[str]:
    """Describe whose rows leave on what ground, a line for each ground: all countries by name."""
    grounds: dict[str, list[str]] = {}
    for each in clearance.concerned:
        grounds.setdefault(ground_of(each), []).append(each.country)
    total = f"Rows of {format_noun(len(clearance.concerned), 'country', 'countries')} leave."
    return [
        total,
        *(f"{len(found)} {ground}: {', '.join(found)}" for ground, found in sorted(grounds.items())),
    ]


def ground_of(each: Cleared) -> str:
    """Why a country's rows leave, or what is missing."""
    if not each.administration:
        if not each.decision:
            return "without an administration and without a decision"
        outcome = "to be left out" if each.decision == LEFT_OUT else "published"
        return f"without an administration, {outcome} by decision of {each.by} ({each.reason})"
    if each.answer == NONE:
        return "asked, without an answer"
    return f"asked and {each.answer}" + (f", {each.decision.replace('_', ' ')}" if each.decision else "")
