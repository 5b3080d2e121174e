"""The commands `observatory study init` and `frame`: a study's folder, what it lacks, and its frame."""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import format_noun, name_few
from jobs.base.settings import config
from jobs.cli.arguments import Config
from jobs.cli.console import err, out

if TYPE_CHECKING:
    from jobs.study.desk.frame_remarks import FrameRemarks


def init(
    folder: Annotated[Path, typer.Argument(help="The study's folder.", metavar="FOLDER")],
    countries: Annotated[
        str | None,
        typer.Option(
            help="Codes (ISO 3166-1 alpha-3) as KEN,NPL,FJI; a file with one on each line; an ITU region, as"
            " AFR; or all, for 193 countries.",
            metavar="LIST|REGION|all",
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; show what is missing and what comes next.")
    ] = False,
) -> None:
    """Begin a study: write settings, folders and a template of every file, then show what comes next.

    Nothing is overwritten.
    """
    from jobs.study.desk.countries import parse_countries
    from jobs.study.desk.study_folder import LANGUAGE_NOTE, SETTINGS, begin_study

    if check == (countries is not None):
        raise ObservatoryError(
            "name the study's countries with --countries, as in --countries KEN,NPL,FJI, to begin a study;"
            " or --check alone, to see what one lacks"
        )
    if countries is not None:
        chosen = parse_countries(countries)
        written = begin_study(folder, chosen, dt.datetime.now(dt.UTC).year)
        out.say(
            f"{format_noun(len(chosen), 'country', 'countries')}, {len(written)} files in {folder}; FILES.md"
            " there explains each"
        )
        out.say(LANGUAGE_NOTE)
    show_steps(folder / SETTINGS)


def show_steps(file: Path) -> None:
    """Print the steps of a study, and the first that is not done."""
    from jobs.study.desk.next_steps import list_steps

    if not file.is_file():
        raise ObservatoryError(
            f"{file.parent} has no {file.name}: begin a study there with `observatory study init"
            f" {file.parent} --countries LIST`"
        )
    table = Table(title=Text(f"Study in {file.parent}"), title_justify="left")
    table.add_column("step", no_wrap=True)
    table.add_column("missing")
    table.add_column("what to do")
    steps = list_steps(config.load_settings(file), file)
    for number, step in enumerate(steps, 1):
        missing = Text("\n".join(step.missing) or "done", overflow="fold")
        table.add_row(f"{number} {step.name}", missing, Text(step.do if step.missing else ""))
    out.print(table)
    following = next((each for each in steps if each.missing and each.is_needed), None)
    if following:
        out.say(f"Next: {following.do}")
    elif any(each.missing for each in steps):
        out.say("Nothing has to be done: what is missing is yours to decide.")
    else:
        out.say("Nothing is missing: the last release is published.")


def frame(
    config_file: Config = Path("observatory.toml"),
    sources: Annotated[
        Path | None, typer.Option(help="Folder of the files. Default: sources, beside the settings.")
    ] = None,
    year: Annotated[
        int | None, typer.Option(min=1990, max=2199, help="The study's year. Default: the last whole one.")
    ] = None,
    ask: Annotated[
        bool, typer.Option("--ask", help="Also add the frame's operators to the list of respondents.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; show what would be missing.")
    ] = False,
    workbook: Annotated[
        Path | None,
        typer.Option(help="Write a workbook to fill in for what no download has, and read nothing."),
    ] = None,
) -> None:
    """Build operators, subscriptions, price levels and economy from the files that you have.

    Downloads of ITU's DataHub and the World Bank, lists of operators as CSV, and the workbook are recognised
    by their headings. Then it lists for each country what is missing, stale or changed.
    """
    from jobs.study.desk import frame as building
    from jobs.study.desk.filled_rows import FRAME, TABLES
    from jobs.study.desk.frame_remarks import FrameRemarks, note_all

    settings = config.load_settings(config_file)
    countries, files = settings.study.countries, settings.study.files
    if not countries or files is None:
        raise ObservatoryError(
            "[study] countries and files have to be set: `observatory study init FOLDER --countries LIST`"
            " writes them"
        )
    if ask and settings.study.respondents is None:
        raise ObservatoryError("--ask: [study] respondents is not set: name the list of respondents")
    listed = Path(settings.study.respondents) if ask and settings.study.respondents else None
    year = year or settings.lake.now.year - 1
    if workbook is not None:
        write_workbook(workbook, countries, year)
        return
    given = sources or config_file.resolve().parent / "sources"
    with err.status(f"Reading {given.name}"):
        found = building.read_sources(given, year)
    remarks = FrameRemarks()
    made = building.build_tables(found, countries, year, settings.study.changed_share, remarks)
    folder = Path(files)
    before = {table: building.existing_rows(table, folder) for table in TABLES}
    tables = {table: building.merge_rows(table, rows, before[table]) for table, rows in made.items()}
    building.refuse_wrong_rows(tables, folder)
    asked = building.operators_to_ask(listed, tables[FRAME], found.filled.names) if listed else []
    limits = (settings.study.changed_share, settings.study.stale_years)
    note_all(tables, before, countries, year, limits, remarks)
    for name, what in found.read:
        out.say(f"{name}: {what}")
    others = {row["country_code"] for row in found.filled.rows[FRAME]} - set(countries)
    if others:
        out.say(
            f"Left out, because [study] countries does not name them: operators of {name_few(sorted(others))}"
        )
    show_remarks(remarks, countries, year)
    if check:
        out.print("Nothing was written.")
        return
    written = building.write_tables(tables, folder)
    out.say(f"Written in {folder}: {', '.join(written)}")
    if listed:
        building.add_respondents(listed, asked)
        out.print(f"Added to the list of respondents: {format_noun(len(asked), 'operator')}", highlight=False)
        for line in building.list_other_sizes(listed, tables[FRAME]):
            out.say(line)
    for licence in building.list_licences(found.figures):
        out.say(licence)


def write_workbook(file: Path, countries: list[str], year: int) -> None:
    from jobs.study.desk.filled_rows import make_workbook

    if file.exists():
        raise ObservatoryError(f"--workbook: {file} is there already; name another file, or move it")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(make_workbook(countries, year))
    out.say(
        f"{file}: fill in what no download has, put it into the folder of sources, and run"
        " `observatory study frame`"
    )


def show_remarks(remarks: "FrameRemarks", countries: list[str], year: int) -> None:
    """Print what is missing or stale in all countries once, and a row for each country with more."""
    common = [remarks.take_common(countries, found) for found in (remarks.missing, remarks.stale)]
    noted = remarks.countries()
    named = format_noun(len(countries), "country", "countries")
    but = " but for what all lack" if any(common) else ""
    out.print(f"{named} in {year}, {len({*countries} - {*noted})} complete{but}", highlight=False)
    for name, lines in zip(("Missing", "Stale"), common, strict=True):
        if lines:
            out.print(f"{name} in all: {'; '.join(lines)}", highlight=False, markup=False)
    if not noted:
        return
    table = Table("country", "missing", "stale", "changed")
    for each in noted:
        cells = [found.get(each, []) for found in (remarks.missing, remarks.stale, remarks.changed)]
        table.add_row(each, *(Text("\n".join(lines)) for lines in cells))
    out.print(table)
