"""The commands `observatory questionnaire make` and `load`."""

import datetime as dt
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from jobs.base.core.choices import refuse_unknown
from jobs.base.core.errors import ObservatoryError
from jobs.base.core.languages import ENGLISH
from jobs.base.core.numbers import format_noun, name_few
from jobs.base.core.periods import period_bounds
from jobs.base.places import permissions
from jobs.base.settings import config
from jobs.base.settings.config import Observatory
from jobs.cli.arguments import Config
from jobs.cli.console import err, out
from jobs.cli.study import questionnaire_desk
from jobs.cli.study.study_check import show_stops
from jobs.study.questionnaire.definition import form_for, load_definition
from jobs.study.questionnaire.filing import Fault
from jobs.study.questionnaire.loading import FileOutcome, form_cells, land_answers, read_files
from jobs.study.questionnaire.order import Letterhead, Order
from jobs.study.questionnaire.received import Received, describe_future, parse_received
from jobs.study.questionnaire.respondents import load_respondents
from jobs.study.questionnaire.texts import translate_key

# Files of one call: all are held in memory until the last one is read.
MOST_FILES = 1000
# How the names of files begin that Excel and LibreOffice put beside a workbook while it is open.
OPENED = ("~$", ".~lock.")
# The folder, in that of the forms to send back, of those that a later form of the respondent replaces.
CORRECTED = "corrected"

app = typer.Typer(
    help="Make the questionnaire's forms, load what comes back, see who is silent, and write letters.",
    no_args_is_help=True,
)


@app.command()
def make(
    config_file: Config = Path("observatory.toml"),
    respondent: Annotated[
        list[str] | None, typer.Option(help="These respondents, by id. Default: all.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="en, fr, es, ar, zh or ru. Default: the respondent's own.")
    ] = None,
    core: Annotated[bool, typer.Option("--core", help="Only the questions of the core set.")] = False,
    period: Annotated[
        str | None, typer.Option(help="A year, 2026-Q4 or 2026-11. Default: the last whole year.")
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder of the forms.")] = Path("questionnaires"),
) -> None:
    """Make the forms: a workbook for each respondent."""
    from jobs.study.questionnaire.workbook import make_workbook

    settings = config.load_settings(config_file)
    known = load_respondents(settings)
    today = settings.lake.now.date()
    period = questionnaire_desk.parse_period(period or str(today.year - 1))
    first, last = period_bounds(period)
    if first > today:
        raise ObservatoryError(
            f"--period: {period} has not begun: name one that has, such as {today.year - 1}"
        )
    refuse_unknown("--language", [] if language is None else [language], load_definition()["languages"])
    refuse_unknown("--respondent", respondent or [], known)
    output.mkdir(parents=True, exist_ok=True)
    chosen = [known[each] for each in respondent or known]
    for whose in chosen:
        spoken = language or whose.language
        name = f"{whose.id}_{period}_{spoken}{'_core' if core else ''}.xlsx"
        (output / name).write_bytes(
            make_workbook(Order(whose, spoken, period, core, letterhead=read_letterhead(settings)))
        )
    out.say(f"{len(chosen)} form{'' if len(chosen) == 1 else 's'} in {output}")
    if last >= today:
        out.say(
            f"{period} ends on {last}: forms that come in before it has ended are not complete, and refused"
        )


app.command()(questionnaire_desk.status)
app.command()(questionnaire_desk.letters)


def read_letterhead(settings: Observatory) -> Letterhead:
    """The study's office for forms, as far as the settings name it."""
    study, release = settings.study, settings.release
    contact = f"{release.agency_name}, {release.contact}" if "contact" in release.model_fields_set else None
    return Letterhead(study.deadline.isoformat() if study.deadline else None, study.return_address, contact)


@app.command()
def load(
    files: Annotated[list[Path], typer.Argument(help="Workbooks, CSV or JSON files.", metavar="FILE…")],
    config_file: Config = Path("observatory.toml"),
    received: Received = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder of what goes back: marked forms and receipts. Default: `errors` and `receipts`"
            " beside each file."
        ),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only check; load nothing.")] = False,
) -> None:
    """Load answers. What is complete counts; a receipt, and a form with the rest marked, are written for its
    sender.

    Ends with exit code 2 if a file was refused whole and no later form of its respondent and period is
    loaded; the others are loaded.
    """
    settings = config.load_settings(config_file)
    respondents = load_respondents(settings)
    if len(files) > MOST_FILES:
        raise ObservatoryError(
            f"{len(files):,} files: at most {MOST_FILES:,} are read at a time, and nothing was loaded. Load"
            " them in parts, such as one folder after the other"
        )
    files = pass_over_others(files)
    at = parse_received(received, settings.lake.now)
    found = read_files(files, respondents, at, may_be_early=check)
    # Files have the machine's clock, even where a time of reading is fixed.
    now = max(settings.lake.now, dt.datetime.now(dt.UTC))
    outcomes, unclear = split_same_time([each for each in found if each.received_at <= now])
    unclear += [
        line for each in found for line in describe_future(f"{each.file}, last saved", each.received_at, now)
    ]
    if check:
        from jobs.study.questionnaire.loading import EarlierFilings, check_claims

        check_claims(outcomes, EarlierFilings(), respondents)
        loaded, settled = None, None
    else:
        from jobs.base.store.lake import open_lake
        from jobs.study.desk.rounds import record_forms, settled_forms

        lake = open_lake(settings.lake.root)
        permissions.prepare_folder(lake.root, settings.lake.group)
        loaded = land_answers(lake, outcomes, respondents, received is not None)
        record_forms(lake, outcomes, respondents)
        settled = settled_forms(lake)
    print_outcomes(outcomes, loaded)
    moved = set_replaced_aside(outcomes, output, settled)
    write_returns(outcomes, output, read_letterhead(settings), loaded is not None)
    for folder, count in moved.items():
        named = f"{format_noun(count, 'marked form')} that a later form replaces moved to"
        err.say(f"{named} {folder / CORRECTED}")
    if loaded is not None:
        show_stops(lake, settings)
    refused = [each for each in outcomes if each.is_to_correct]
    if refused:
        unclear.append(f"{len(refused)} of {len(outcomes)} files were refused and not loaded")
    if unclear:
        raise ObservatoryError("\n".join(unclear))


def write_returns(
    outcomes: list[FileOutcome], output: Path | None, letterhead: Letterhead, is_loaded: bool
) -> None:
    """Write what goes back to senders: forms with faults marked, and receipts of what is loaded."""
    for each in sorted(outcomes, key=lambda one: one.received_at):
        if each.is_known:
            continue
        if each.faults and each.later_at is None:
            write_back(each, output or each.file.parent / "errors", letterhead)
        if is_loaded and not each.is_refused:
            confirm(each, output or each.file.parent / "receipts")


def pass_over_others(files: list[Path]) -> list[Path]:
    """The files without folders, such as `errors`, which an earlier call made beside them, and without the
    files by which a spreadsheet program marks a workbook as opened."""
    others = [file for file in files if file.is_dir() or file.name.startswith(OPENED)]
    missing = [str(file) for file in files if not file.is_file() and not file.is_dir()]
    if missing:
        raise ObservatoryError("\n".join(f"{file}: no such file" for file in missing))
    if len(others) == len(files):
        raise ObservatoryError(f"{name_few(map(str, others))}: no form; name the files that came back")
    for other in others:
        what = "a folder" if other.is_dir() else "a mark of a workbook that is open"
        err.say(f"{other}: {what}, passed over")
    return [file for file in files if file not in others]


def split_same_time(outcomes: list[FileOutcome]) -> tuple[list[FileOutcome], list[str]]:
    """The outcomes without different forms of one respondent and period that came in at the same time, and a
    line for each group of these: any of them could be the later one."""
    groups: dict[tuple[str, str, dt.datetime], list[FileOutcome]] = {}
    for each in outcomes:
        if each.assessment is not None:
            filing = each.assessment.filing
            groups.setdefault((filing.respondent_id, filing.period, each.received_at), []).append(each)
    unclear = {
        key: found
        for key, found in groups.items()
        if len({each.assessment.filing.sha256 for each in found if each.assessment}) > 1
    }
    left_out = [id(each) for found in unclear.values() for each in found]
    lines = [
        f"{' and '.join(str(each.file) for each in found)} are of '{respondent}' for {period} and came in at"
        " the same time: load them one by one, each with its time as --received; none of them was loaded"
        for (respondent, period, _), found in unclear.items()
    ]
    return [each for each in outcomes if id(each) not in left_out], lines


def print_outcomes(outcomes: list[FileOutcome], loaded: int | None) -> None:
    """Print the result of each file, then, in English, every error to correct of those that are new."""

    table = Table("file", "received (UTC)", "answers", "result", title="Questionnaires", title_justify="left")
    for each in outcomes:
        about = each.assessment
        result = describe_result(each, is_loaded=loaded is not None)
        if each.later_at and not each.is_known:
            result += f"; the answers of {each.later_at:%Y-%m-%d %H:%M} stand"
        table.add_row(
            Text(name_file(each)),
            f"{each.received_at.astimezone(dt.UTC):%Y-%m-%d %H:%M}",
            f"{len(set(about.answers) - about.lost_indicators):,}" if about and not each.is_refused else "0",
            result,
        )
    out.print(table)
    for each in outcomes:
        if each.is_known:
            continue
        if each.assessment and each.assessment.readings and not each.is_refused:
            show_readings(each)
        if each.faults and (each.is_to_correct or not each.is_refused):
            show_faults(each)


def name_file(outcome: FileOutcome) -> str:
    """A file's name; with whose form it is, and of which period, where its name does not begin so."""
    from jobs.base.core.patterns import escape_unseen

    whose = [each for each in (outcome.respondent_id, outcome.period) if each]
    named = escape_unseen(outcome.file.name)
    return named if named.startswith("_".join(whose)) else f"{named} ({', '.join(whose)})"


def describe_result(outcome: FileOutcome, is_loaded: bool) -> str:
    """A file's result, with the numbers of points to correct and of open points."""
    if outcome.is_known:
        return "loaded before"
    if outcome.is_refused and not outcome.is_to_correct:
        return "refused"
    counts = Counter("open" if fault.is_gap else "to correct" for fault in outcome.faults)
    checked = "can be loaded" if outcome.faults else "in order"
    result = "refused" if outcome.is_refused else "loaded" if is_loaded else checked
    if outcome.assessment and not outcome.is_refused and is_early(outcome):
        result = "cannot count yet"
    points = ", ".join(f"{counts[each]} {each}" for each in ("to correct", "open") if counts[each])
    return f"{result}: {points}" if points else result


def is_early(outcome: FileOutcome) -> bool:
    """Return whether a form came in before its period had ended."""
    return outcome.received_at.astimezone(dt.UTC).date() <= period_bounds(outcome.period)[1]


def show_faults(outcome: FileOutcome) -> None:
    from jobs.base.core.patterns import escape_unseen

    table = Table(
        "sheet",
        "cell",
        "question",
        "what to do",
        title=Text(escape_unseen(outcome.file.name)),
        title_justify="left",
    )
    for *where, words in group_faults(outcome.faults):
        shown = "\n".join(map(escape_unseen, words.splitlines()))
        table.add_row(*(Text(escape_unseen(each)) for each in where), Text(shown, overflow="fold"))
    out.print(table)


def group_faults(faults: Sequence[Fault]) -> list[tuple[str, str, str, str]]:
    """Sheet, cells, questions and message, one row for all cells of a sheet with the same message."""
    found: dict[tuple[str, str], list[Fault]] = {}
    for fault in faults:
        found.setdefault((fault.place.sheet, fault.format_message(ENGLISH)), []).append(fault)
    return [
        (
            sheet,
            name_few(each.place.cell for each in of if each.place.cell),
            name_few(each.indicator for each in of if each.indicator),
            words,
        )
        for (sheet, words), of in found.items()
    ]


def show_readings(outcome: FileOutcome) -> None:
    """Print the answers that were not read exactly as written, such as numbers with units."""
    from jobs.base.core.patterns import escape_unseen

    assert outcome.assessment is not None
    for each in outcome.assessment.readings:
        cell = each.line.cells["answer"]
        words = translate_key(ENGLISH, "reading", each.key, value=cell.short_text, read=each.read)
        out.say(escape_unseen(f"{outcome.file.name}, {cell.place}: {words}"))


def name_stem(outcome: FileOutcome) -> str:
    """The name of what goes back: respondent and period, before the file's own name if that lacks them."""
    whose = "_".join(filter(None, (outcome.respondent_id, outcome.period)))
    return outcome.file.stem if outcome.file.name.startswith(whose) else f"{whose}_{outcome.file.stem}"


def confirm(outcome: FileOutcome, folder: Path) -> None:
    """Write the receipt of a form that was loaded."""
    from jobs.study.desk.letters import write_receipt

    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name_stem(outcome)}.receipt.txt").write_text(write_receipt(outcome), encoding="utf-8")


def set_replaced_aside(
    outcomes: Sequence[FileOutcome], output: Path | None, settled: Collection[tuple[str, str]] | None
) -> dict[Path, int]:
    """Set aside what earlier calls marked of forms that later ones replace; how many, by folder.

    Args:
        output: the folder of all marked forms; without it each is in a folder beside its form.
        settled: the respondents and periods whose last form in the lake has nothing to correct and nothing
            open; None if the forms were only checked.
    """
    # What is marked of the last forms, beside them.
    marked = {(each.file.parent / "errors", name_stem(each)) for each in outcomes if each.later_at is None}
    moved: Counter[Path] = Counter()
    for each in sorted(outcomes, key=lambda one: one.received_at):
        folder = output or each.file.parent / "errors"
        # Of a form that a later one replaces, the later one may have come in another folder.
        is_last = not each.is_refused and each.later_at is None
        is_settled = each.later_at is not None and (each.respondent_id, each.period) in (settled or ())
        if settled is not None and (is_last or is_settled):
            moved[folder] += set_aside(each, folder)
        elif each.later_at is not None and output is None and (folder, name_stem(each)) not in marked:
            moved[folder] += set_aside(each, folder, is_own=True)
    return {folder: count for folder, count in moved.items() if count}


def set_aside(outcome: FileOutcome, folder: Path, is_own: bool = False) -> int:
    """Move the forms that were marked of a respondent and period before the last form of these came in; how
    many. What is marked of that form itself stays.

    Args:
        is_own: only what was marked of this form.
    """
    whose = f"{outcome.respondent_id}_{outcome.period}"
    own = name_stem(outcome)
    marked = [
        each
        for each in folder.glob("*.errors.*")
        if each.name.startswith(f"{own}.errors." if is_own else (f"{whose}_", f"{whose}."))
        if not (outcome.faults and outcome.later_at is None and each.name.startswith(f"{own}.errors."))
    ]
    for each in marked:
        (folder / CORRECTED).mkdir(exist_ok=True)
        each.replace(folder / CORRECTED / each.name)
    return len(marked)


def write_back(outcome: FileOutcome, folder: Path, letterhead: Letterhead) -> None:
    """Write the form to send back: the respondent's own answers, a list of all errors, and a comment on each
    cell to correct. If the file could not be read, write the reason as text."""
    from jobs.base.core.patterns import escape_unseen
    from jobs.study.questionnaire.workbook import make_workbook

    folder.mkdir(parents=True, exist_ok=True)
    about, stem = outcome.assessment, name_stem(outcome)
    if about is None:
        file = folder / f"{stem}.errors.txt"
        words = [each.format_message(outcome.language) for each in outcome.faults]
        if outcome.language not in load_definition()["reviewed"]:
            words.append(f"({translate_key(outcome.language, 'word', 'unofficial')})")
        file.write_text("\n".join([*words, ""]), encoding="utf-8")
    else:
        file = folder / f"{stem}.errors.xlsx"
        is_core = set(about.lines) <= set(form_for(about.respondent.role, core=True).indicators)
        order = Order(
            about.respondent,
            outcome.language,
            about.filing.period,
            is_core,
            form_cells(about),
            tuple(outcome.faults),
            letterhead,
        )
        file.write_bytes(make_workbook(order))
    err.say(f"To send back: {escape_unseen(str(file))}")
