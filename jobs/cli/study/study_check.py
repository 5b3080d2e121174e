"""The command `observatory study check`: suspicious figures, the questions about them, and decisions."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import format_compact, format_given_share, format_noun, format_percent
from jobs.base.settings import config
from jobs.cli.arguments import Config
from jobs.cli.console import out, write_own

if TYPE_CHECKING:
    from jobs.base.settings.config import Observatory
    from jobs.base.store.lake import Lake
    from jobs.study.estimates.steps.finding_decisions import DecidedFinding


class FindingChoice(StrEnum):
    """Possible decisions on a finding."""

    confirmed = "confirmed"
    left_out = "left_out"


def check(
    config_file: Config = Path("observatory.toml"),
    period: Annotated[
        list[str] | None, typer.Option(help="Only findings of this period; may be given several times.")
    ] = None,
    questions: Annotated[
        Path | None,
        typer.Option(
            help="Write the question to each respondent with an open finding into this folder.",
            metavar="FOLDER",
        ),
    ] = None,
    decide: Annotated[
        list[str] | None,
        typer.Option(help="Decide on this finding; may be given several times.", metavar="ID"),
    ] = None,
    decision: Annotated[FindingChoice | None, typer.Option("--as", help="What is decided.")] = None,
    reason: Annotated[str, typer.Option(help="Why, in a sentence.")] = "",
    by: Annotated[str, typer.Option(help="Who decides.")] = "",
) -> None:
    """List suspicious answers and packages of the last estimates; ask about them, decide on them. And list
    the countries that the frame or the denominators lack.

    A release waits for a decision on each figure that moves an area by more than \\[study] open_share.
    """
    from jobs.base.store.lake import open_lake
    from jobs.study.estimates.steps import finding_decisions, study_stage

    settings = config.load_settings(config_file)
    lake = open_lake(settings.lake.root)
    if (not decide) != (decision is None):
        raise ObservatoryError("a decision takes both --decide ID and --as confirmed or --as left_out")
    if decide and decision is not None:
        now = settings.lake.now
        list_unfit = partial(study_stage.list_unfit, lake, settings.study.files)
        finding_decisions.record_decisions(lake, decide, decision.value, reason, by, now, list_unfit)
        if decision is FindingChoice.confirmed:
            for each in decide:
                out.print(f"{each}: confirmed, by {by.strip()}", markup=False)
            return
        for line in finding_decisions.describe_left_out(lake, decide):
            out.print(line, markup=False, highlight=False)
        out.say("Next: observatory study estimate")
        return
    show_stops(lake, settings)
    found = finding_decisions.list_findings(lake, period)
    share = settings.study.open_share
    out.print(findings_table(found, share))
    decided = finding_decisions.describe_decisions(lake, period)
    if decided:
        lines = "\n".join([f"Decided: {len(decided)}", *decided])
        out.say(lines)
    for line in describe_missing(lake, settings):
        out.print(line, markup=False, highlight=False)
    if questions is not None:
        write_questions(questions, [each for each in found if each.is_open(share)], lake, settings)


def show_stops(lake: Lake, settings: Observatory) -> None:
    """Print why `study estimate` would stop now, if it would."""
    from jobs.study.estimates.steps.study_stage import list_stops

    lines = list_stops(lake, Path(settings.study.files)) if settings.study.files else []
    if lines:
        head = "`observatory study estimate` will stop until this is mended, and no table is computed:"
        out.say("\n".join([head, *lines]))


# What figures are without countries that the study's files do not have, or have in part.
MISSING = {
    "neither": "no operator in the frame and no subscriptions: figures do not hold them",
    "subscriptions": "subscriptions and no operator in the frame: figures hold them at the rate of others",
    "operator": "operators and no row in denominator.csv: their operators' own subscriptions stand",
}


def describe_missing(lake: Lake, settings: Observatory) -> list[str]:
    """Lines on the countries of ITU regions that the frame or the denominators lack, by channel."""
    from jobs.base.core.periods import last_period
    from jobs.base.tables.csv_tables import read_tables
    from jobs.study.estimates.steps.coverage import DENOMINATOR, FRAME, missing_members

    period = last_period(lake.read("study.spam_volume")["period_code"].unique())
    if settings.study.files is None or period is None:
        return []
    lines = []
    have = read_tables(Path(settings.study.files), (FRAME, DENOMINATOR))
    for channel, kinds in missing_members(period, have).items():
        for kind, countries in kinds.items():
            asked = settings.study.countries or countries
            own = [each for each in countries if each in asked]
            # Of nearly all countries the files of a small study have nothing, on purpose.
            others = 0 if kind == "neither" else len(countries) - len(own)
            if own or others:
                outside = [f"{f'and {others}' if own else 'all'} outside the study"] if others else []
                number = format_noun(len(own) + others, "country", "countries")
                named = " ".join([*own, *outside])
                lines.append(f"{channel} in {period}: {number} with {MISSING[kind]}: {named}")
    return lines


def findings_table(findings: list[DecidedFinding], share: float) -> Table | Text:
    """A row for each finding, in the order given."""
    if not findings:
        return Text("No figure is suspicious.")
    due = sum(each.is_open(share) for each in findings)
    table = Table("finding", "respondent", "figure", title_justify="left", caption_justify="left")
    for head in ("given, expected", "moves"):
        table.add_column(head, justify="right")
    table.add_column("state")
    table.title = f"Suspicious figures: {len(findings)}, open {due}"
    table.caption = (
        "figure: of a respondent, channel and period the one that moves an area most; others of it may be"
        " wrong, too. given: by its packages or answers; posts and spending, which no question asks for, as"
        " computed from them. expected: at the rate of the period before, of the size class or channel, the"
        " bound, or the sum of the year's quarters. moves: the area that the figure moves most, and by how"
        f" much of its estimate. open: by more than {format_given_share(share)}, undecided."
    )
    for each in findings:
        table.add_row(*map(Text, (each.finding_id, each.respondent_id, *finding_cells(each, share))))
    return table


def finding_cells(finding: DecidedFinding, share: float) -> list[str]:
    from jobs.study.estimates.steps.finding_decisions import short_figure

    state = "open" if finding.is_open(share) else (finding.decision_code or "small").replace("_", " ")
    if finding.is_open(share) and finding.decision_code:
        state = f"{finding.decision_code.replace('_', ' ')}, not estimated yet"
    return [
        f"{finding.period_code} {short_figure(finding)}",
        f"{format_compact(finding.contribution)}, {format_compact(finding.expected_value)}"
        f" {finding.rule_code.replace('_', ' ')}",
        f"{finding.area_code} {format_percent(finding.influence_pct)}",
        state,
    ]


def write_questions(folder: Path, findings: list[DecidedFinding], lake: Lake, settings: Observatory) -> None:
    """Write a text for each respondent in its language, readable by their owner alone."""
    from jobs.base.tables.contracts import reference_table
    from jobs.base.tables.csv_tables import read_table
    from jobs.study.desk.letters import sign_question
    from jobs.study.estimates.steps.finding_decisions import respondents_questions
    from jobs.study.estimates.steps.given_figures import ANSWERS
    from jobs.study.questionnaire.respondents import load_respondents

    listed = load_respondents(settings) if settings.study.respondents else {}
    sign = partial(sign_question, settings, settings.lake.now.date())
    files = settings.study.files
    prices = read_table(Path(files), "ref.price_level", is_needed=False) if files else None
    texts = respondents_questions(
        findings, lake.read(ANSWERS), reference_table("ref.indicator_measure"), listed, sign, prices
    )
    for respondent, text in texts.items():
        write_own(folder / f"{respondent}.txt", text.encode())
    out.print(f"Questions written to {folder}: {len(texts)}", markup=False)
