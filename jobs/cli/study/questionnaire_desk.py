"""The commands `observatory questionnaire status` and `letters`: where respondents stand, and
what to write to them."""

import dataclasses
import datetime as dt
import enum
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from jobs.base.core.choices import refuse_unknown
from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import format_noun
from jobs.base.settings import config
from jobs.cli.arguments import Config
from jobs.cli.console import err, out
from jobs.cli.rows import OutputFormat
from jobs.study.questionnaire.filled_forms import PERIOD
from jobs.study.questionnaire.respondents import load_respondents

if TYPE_CHECKING:
    from jobs.study.desk.rounds import Standing

# So many questions without an answer are named.
MOST_QUESTIONS = 6


def parse_period(period: str) -> str:
    if not PERIOD.fullmatch(period):
        raise ObservatoryError(f"--period: '{period}' is no period: write 2026, 2026-Q4 or 2026-11")
    return period


def status(
    period: Annotated[str, typer.Option(help="A year, 2026-Q4 or 2026-11.")],
    config_file: Config = Path("observatory.toml"),
    format: Annotated[
        OutputFormat, typer.Option(help="table, or csv with every column and every error.")
    ] = OutputFormat.table,
    output: Annotated[Path | None, typer.Option(help="Write to this file, as CSV by default.")] = None,
) -> None:
    """Show who answered a period, was refused and why, has gaps, or is silent and since when.

    Whoever the list of respondents names was asked. Forms count as they were when last loaded; packages of
    any of the period's months count as answers.
    """
    import polars as pl

    from jobs.base.store.lake import open_lake
    from jobs.cli.rows import write_rows
    from jobs.study.desk.rounds import Standing, list_standings

    settings = config.load_settings(config_file)
    standings = list_standings(
        open_lake(settings.lake.root), load_respondents(settings), parse_period(period)
    )
    if format is OutputFormat.table and output is None:
        show_standings(standings, period, settings.study.deadline, settings.lake.now.date())
        return
    kinds: dict[str, pl.DataType] = {each.name: pl.String() for each in dataclasses.fields(Standing)}
    kinds |= dict.fromkeys(("received_at", "heard_at"), pl.Datetime("us", "UTC"))
    kinds |= dict.fromkeys(("to_correct_count", "open_count"), pl.Int64())
    frame = pl.DataFrame([dataclasses.asdict(each) for each in standings], schema=kinds)
    # One line for each respondent: a line feed would be escaped.
    frame = frame.with_columns(pl.col("why").str.replace_all("\n", "; ", literal=True))
    csv = OutputFormat.csv if format is OutputFormat.table else format
    write_rows(frame, "status", csv, output, out, err)


class Letter(enum.StrEnum):
    """The kinds of letters; jobs/study/desk/letters.py says to whom each goes."""

    circular = "circular"
    reminder = "reminder"
    correction = "correction"
    thanks = "thanks"


def letters(
    kind: Annotated[
        Letter,
        typer.Argument(
            help="circular to all, reminder to the silent, correction on errors or gaps, or thanks."
        ),
    ],
    period: Annotated[str, typer.Option(help="A year, 2026-Q4 or 2026-11.")],
    config_file: Config = Path("observatory.toml"),
    respondent: Annotated[
        list[str] | None, typer.Option(help="These respondents alone, by id. Default: all whom it concerns.")
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder of the letters.")] = Path("letters"),
) -> None:
    """Write letters as text files, each in its respondent's language. Nothing is sent.

    Who gets one follows from `questionnaire status`; agency, contact, deadline and return address come from
    the settings.
    """
    from jobs.base.store.lake import open_lake
    from jobs.study.desk.letters import choose_recipients, read_sender, write_letter
    from jobs.study.desk.rounds import list_standings
    from jobs.study.questionnaire.definition import load_definition

    settings = config.load_settings(config_file)
    known = load_respondents(settings)
    refuse_unknown("--respondent", respondent or [], known)
    sender = read_sender(settings, kind, settings.lake.now.date())
    standings = list_standings(open_lake(settings.lake.root), known, parse_period(period))
    chosen = [
        each
        for each in choose_recipients(kind, standings)
        if not respondent or each.respondent_id in respondent
    ]
    output.mkdir(parents=True, exist_ok=True)
    for standing in chosen:
        name = f"{kind}_{standing.respondent_id}_{period}_{standing.language}.txt"
        (output / name).write_text(write_letter(kind, standing, period, sender), encoding="utf-8")
    of = Counter(each.language for each in chosen)
    said = ", ".join(f"{count} {language}" for language, count in sorted(of.items()))
    out.print(
        f"{format_noun(len(chosen), 'letter')} in {output}{f': {said}' if said else ''}", highlight=False
    )
    unseen = sorted(set(of) - set(load_definition()["reviewed"]))
    if unseen:
        out.print(
            f"No native speaker has reviewed the words in {', '.join(unseen)}: these letters say so.",
            highlight=False,
        )


def show_standings(
    standings: Sequence["Standing"], period: str, deadline: dt.date | None, today: dt.date
) -> None:
    """Print how many are in each state, then a row for each respondent."""
    counts = Counter(each.state for each in standings)
    said = ", ".join(f"{counts[state]} {state}" for state in dict.fromkeys(each.state for each in standings))
    out.print(f"{period}: {len(standings)} asked: {said}", highlight=False, markup=False)
    if deadline is not None:
        days = (deadline - today).days
        when = f"in {days} days" if days > 0 else "today" if days == 0 else f"{-days} days ago"
        out.print(f"Deadline: {deadline}, {when}", highlight=False, markup=False)
    answered = [each.respondent_id for each in standings if each.state == "answered"]
    if answered:
        out.print(Text(f"Answered: {', '.join(answered)}"), highlight=False)
    table = Table("respondent", "state", "received", "what is open")
    for each in standings:
        if each.state != "answered":
            at = f" {each.received_at:%Y-%m-%d}" if each.received_at else ""
            table.add_row(Text(each.respondent_id), each.state, f"{each.by}{at}", Text(describe_open(each)))
    if table.row_count:
        out.print(table)


def describe_open(standing: "Standing") -> str:
    """A respondent's state for the staff: counts and the first error; of a silent one, since when."""
    if standing.state == "silent":
        heard = standing.heard_at
        return f"last heard of on {heard:%Y-%m-%d}" if heard else "nothing received yet"
    parts = [
        f"{number} {name}"
        for number, name in ((standing.to_correct_count, "to correct"), (standing.open_count, "open"))
        if number
    ]
    if not parts:
        return ""
    lines = standing.why.splitlines()
    if standing.to_correct_count:
        return "; ".join([", ".join(parts), *lines[:1]])
    # A gap needs no words: its question is enough.
    questions = list(dict.fromkeys(line.partition(":")[0].partition(".")[0] for line in lines))
    more = ", …" if len(questions) > MOST_QUESTIONS else ""
    return f"{', '.join(parts)}: {', '.join(questions[:MOST_QUESTIONS])}{more}"
