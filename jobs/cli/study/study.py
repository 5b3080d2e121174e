"""The commands `observatory study estimate` and `load`: packages in, estimates out."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.table import Table
from rich.text import Text

from jobs.base.core.errors import ObservatoryError
from jobs.base.places import permissions
from jobs.base.settings import config
from jobs.base.settings.study import Gap
from jobs.cli.arguments import Config, SpendingTarget
from jobs.cli.console import err, out
from jobs.cli.study import study_check, study_desk, study_membership, study_readers
from jobs.study.questionnaire.received import Received, parse_received

app = typer.Typer(
    help="Begin a study, build its frame, load packages, estimate and check.", no_args_is_help=True
)


@app.callback()
def study() -> None:
    """Begin a study, build its frame, load packages, estimate and check."""


app.command()(study_desk.init)
app.command()(study_desk.frame)


@app.command()
def estimate(
    files: Annotated[
        Path | None,
        typer.Option(
            help="Folder with operator_frame, denominator and price_level as CSV. Default: \\[study] files."
        ),
    ] = None,
    config_file: Config = Path("observatory.toml"),
    with_answers: Annotated[
        bool,
        typer.Option(
            "--with-answers",
            help="First load packages' tables (submission, submission_type and so on) and"
            " questionnaire_answer from that folder.",
        ),
    ] = False,
    target: Annotated[
        list[SpendingTarget] | None,
        typer.Option(help="Target to compare spending with; may be given several times. Default: all four."),
    ] = None,
    norm: Annotated[
        list[str] | None,
        typer.Option(
            help="US dollars for each subscription and year: 0.8, or EMAIL=0.8 for this channel alone; may be"
            " given several times. Default: \\[study.gap] norm.",
            metavar="AMOUNT",
        ),
    ] = None,
    best_share: Annotated[
        float | None,
        typer.Option(
            help="Share of respondents that count as the best, as 0.25. Default: \\[study.gap] best_share."
        ),
    ] = None,
) -> None:
    """Estimate volume and investment from the operators that answered, and print the main figures."""
    settings = config.load_settings(config_file)
    given = parse_gap(target, norm, best_share)
    files = files or (Path(settings.study.files) if settings.study.files else None)
    if files is None:
        raise ObservatoryError("name the folder of the study's files with --files, or as [study] files")
    with err.status("Reading submissions and answers") as status:
        from jobs.base.store import record
        from jobs.base.store.lake import open_lake
        from jobs.cli.study.study_results import result_tables
        from jobs.study.estimates.steps import answers_left_out, finding_decisions, study_stage

        lake = open_lake(settings.lake.root)
        permissions.prepare_folder(lake.root, settings.lake.group)
        run_id = record.new_run_id()
        if with_answers:
            study_stage.land_folder(lake, files, run_id)
        frames = study_stage.estimate_tables(lake, settings, files, run_id, status.update, given)
        checked = finding_decisions.note_findings(lake, settings.study.open_share)
        notes = [*checked, *answers_left_out.note_left_out(frames)]
        tables = [*map(Text, notes), *result_tables(frames)]
    for table in tables:
        out.print(table)


def parse_gap(target: list[SpendingTarget] | None, norm: list[str] | None, best_share: float | None) -> Gap:
    """The targets, norms and share of the command line, that spending is compared with."""
    amounts = {}
    for each in norm or []:
        channel, _, amount = each.rpartition("=")
        try:
            amounts[channel or "_T"] = float(amount)
        except ValueError:
            raise ObservatoryError(
                f"--norm {each}: '{amount}' is no amount; write --norm 0.8, or --norm EMAIL=0.8 for a channel"
            ) from None
    try:
        return Gap.model_validate(
            {"targets": [each.value for each in target or []] or None, "norm": amounts or None,
             "best_share": best_share}
        )  # fmt: skip
    except ValidationError as error:
        problems = [
            f"--{str(each['loc'][0]).replace('_', '-')}: {each['msg'].removeprefix('Value error, ')}"
            for each in error.errors()
        ]
        raise ObservatoryError("\n".join(problems)) from None


app.command()(study_check.check)
app.command()(study_membership.membership)
app.command()(study_readers.feedback)
app.command()(study_readers.brief)


@app.command()
def load(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Packages. Default: those in \\[study] inbox.", metavar="FILE…"),
    ] = None,
    config_file: Config = Path("observatory.toml"),
    received: Received = None,
    check: Annotated[bool, typer.Option("--check", help="Only check; load nothing.")] = False,
    accept_change: Annotated[
        bool,
        typer.Option(
            "--accept-change",
            help="Take counts that are far from those of the package that they replace.",
        ),
    ] = False,
) -> None:
    """Verify operators' packages and load them; one that is refused changes nothing.

    Each package of the inbox is answered in `receipts` beside it: received, or refused and why.

    Ends with exit code 2 if any was refused; the others are loaded.
    """
    from jobs.base.core.patterns import escape_unseen
    from jobs.base.store import record
    from jobs.base.store.lake import open_lake
    from jobs.base.tables.csv_tables import read_table
    from jobs.study.packages.inbox import PACKAGES, answer_packages, open_inbox
    from jobs.study.packages.loading import choose_taken, land_packages
    from jobs.study.packages.package_checks import judge_file
    from jobs.study.questionnaire.respondents import load_respondents

    settings = config.load_settings(config_file)
    respondents = load_respondents(settings)
    refuse_missing_files(files or ())
    known = settings.study.files
    frame = read_table(Path(known), "ref.operator_frame", is_needed=False) if known else None
    with open_inbox(settings, files or ()) as inbox:
        for name in inbox.others:
            err.say(f"{escape_unseen(name)}: no package, whose name ends in {' or '.join(PACKAGES)}")
        chosen = files or list(inbox.packages)
        if not chosen:
            out.say(f"No package in {settings.study.inbox}.")
            return
        found = [
            judge_file(file, settings, respondents, parse_received(received, settings.lake.now), frame)
            for file in chosen
        ]
        lake = open_lake(settings.lake.root)
        failed: list[ObservatoryError] = []
        if check:
            choose_taken(lake, found, accept_change)
        else:
            permissions.prepare_folder(lake.root, settings.lake.group)
            land_packages(lake, found, record.new_run_id(), accept_change)
            failed = answer_packages(inbox, found, settings.study.receipt_key)
    out.print(packages_table(found, check))
    for text in (f"{each.file.name}: {line}" for each in found if not each.wrong for line in each.noted):
        out.say(escape_unseen(text))
    wrong = [f"{inbox.place_of(each.file)}: {line}" for each in found for line in each.wrong]
    if wrong:
        refused = sum(1 for each in found if each.wrong)
        wrong.append(describe_counts(len(found) - refused, refused, check))
        raise ObservatoryError("\n".join([*wrong, *map(str, failed)]))
    if failed:
        raise type(failed[0])("\n".join(map(str, failed)))


def refuse_missing_files(files: Iterable[Path]) -> None:
    missing = [f"{file}: no such file" for file in files if not file.is_file()]
    if missing:
        raise ObservatoryError("\n".join(missing))


def describe_counts(taken: int, refused: int, is_check: bool) -> str:
    if is_check:
        return f"{taken} in order, {refused} refused; nothing was loaded"
    return f"{taken} loaded, {refused} refused; of a refused one the study keeps what it had"


def packages_table(found: list[Any], is_check: bool) -> Table:
    """A row for each package: respondent, period, signature and result."""
    from jobs.base.core.patterns import escape_unseen

    table = Table("package", "respondent", "period", "signed", "result", title_justify="left")
    table.title = "Submissions"
    for each in found:
        result = "in order" if is_check else "loaded before" if each.is_known else "loaded"
        is_read = each.package is not None
        has_signature = is_read and each.package.signature is not None
        signed = f"by {each.signer[-16:]}" if each.signer else "not verified" if has_signature else "no"
        table.add_row(
            Text(escape_unseen(each.file.name)),
            each.respondent_id,
            Text(each.manifest.period_code if is_read else ""),
            signed,
            "refused" if each.wrong else result,
        )
    return table
