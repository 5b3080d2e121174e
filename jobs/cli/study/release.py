"""The commands `observatory release`: from protected tables to a published folder, and to a site."""

from __future__ import annotations

import datetime as dt
import json
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import format_noun
from jobs.base.settings import config
from jobs.cli.arguments import Config
from jobs.cli.console import err, out, show_steps
from jobs.cli.study.release_revisions import revisions

if TYPE_CHECKING:
    from jobs.study.release.clearance import Clearance


def site(
    folder: Annotated[Path, typer.Argument(help="The folder of a release.", metavar="FOLDER")],
    output: Annotated[Path, typer.Option(help="Folder of the site, outside the release.")] = Path("site"),
) -> None:
    """Write a release as a folder of pages that anyone can read; it needs no lake and no settings."""
    from jobs.study.site.writing import write_site

    print_site(output, write_site(folder, output))


def print_site(folder: Path, digest: str) -> None:
    """Print a site's path and the digest of its list of files."""
    out.say(f"Site: {folder / 'index.html'}\ndigest of its files {digest}")


class DocumentForm(StrEnum):
    """Whom a document is for: TSAG as a temporary document, or the Council."""

    td = "td"
    council = "council"


class DocumentLanguage(StrEnum):
    """The languages of the United Nations."""

    en = "en"
    fr = "fr"
    es = "es"
    ar = "ar"
    zh = "zh"
    ru = "ru"


def document(
    folder: Annotated[Path, typer.Argument(help="The folder of a release.", metavar="FOLDER")],
    form: Annotated[DocumentForm, typer.Option(help="For TSAG, or for the Council.")] = DocumentForm.td,
    language: Annotated[DocumentLanguage, typer.Option(help="Its language.")] = DocumentLanguage.en,
    output: Annotated[
        Path | None, typer.Option(help="The file; without it one named after the release.")
    ] = None,
) -> None:
    """Write a release's main figures as a document in Word's format; it needs no lake and no settings."""
    from jobs.study.site.document import write_document

    file = write_document(folder, form.value, language.value, output)
    out.say(f"Document: {file}")


app = typer.Typer(help="Releases: make, clear, sign, publish, verify, withdraw.", no_args_is_help=True)
clear = typer.Typer(help="Ask each administration about its own rows.", no_args_is_help=True)
app.add_typer(clear, name="clear")
app.command()(revisions)
app.command()(site)
app.command()(document)
SETTINGS = Path("observatory.toml")
Name = Annotated[str, typer.Argument(help="A release, as 2026-Q4/v1.0.0.", metavar="RELEASE")]
Folder = Annotated[Path, typer.Argument(help="The folder of a release.", metavar="FOLDER")]
By = Annotated[str, typer.Option("--by", help="Who decides: a name, kept with the release.")]
Signers = Annotated[Path | None, typer.Option(help="Public keys of those who may sign, or one such file.")]
Reason = Annotated[str, typer.Option("--reason", help="Why.")]


class ObjectionOutcome(StrEnum):
    """Outcomes for the rows that an administration objects to."""

    published = "published"
    left_out = "left_out"


# So many differences are printed; the rest is counted.
SHOWN = 40


@app.callback()
def release() -> None:
    """Releases: make, clear, sign, publish, verify, withdraw."""


@app.command()
def make(
    period: Annotated[str, typer.Option(help="A quarter, as 2026-Q4; the fourth carries its year.")],
    config_file: Config = SETTINGS,
    is_major: Annotated[
        bool, typer.Option("--major", help="A change of method: v2.0.0 after v1.3.0.")
    ] = False,
    again: Annotated[
        str | None,
        typer.Option(
            help="Make this version again from what its restricted folder kept, into --output.",
            metavar="VERSION",
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="With --again: the folder to write into.")] = None,
    leave_out_areas: Annotated[
        bool,
        typer.Option(
            "--leave-out-areas", help="Leave out groups and regions whose figures reveal a contribution."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Name and digest, for a program.")] = False,
) -> None:
    """Protect the study's tables, attack them, and write a release if nothing is found."""
    from jobs.study.release import production

    settings = config.load_settings(config_file)
    if (again is None) != (output is None):
        raise ObservatoryError("--again and --output go together: a version, and the folder to write it into")
    with show_steps("release") as show_step:
        if again is not None and output is not None:
            folder = production.make_again(settings, period, again, output)
            out.say(f"made again: {folder}")
            return
        made = production.make_release(settings, period, is_major, show_step, leave_out_areas)
    if as_json:
        for line in made.notes:
            err.say(line)
        print(json.dumps({"name": made.about.name, "digest": made.digest}))
        return
    table = Table("table", "rows", "held back", title=f"Release {made.about.name}", title_justify="left")
    for name, rows, held_back in made.counts:
        table.add_row(name, f"{rows:,}", f"{held_back:,}")
    out.print(table)
    for line in made.notes:
        out.print(line, markup=False, highlight=False)
    out.say(f"Release: {made.folder}\ndigest {made.digest}")
    out.say(f"Next: observatory release clear make {made.about.name} --deadline DATE")


@app.command(name="list")
def list_(config_file: Config = SETTINGS) -> None:
    """List releases: made, cleared, published, withdrawn."""
    from jobs.study.desk.next_steps import list_unready
    from jobs.study.release import clearance, decisions, folders, publishing

    settings = config.load_settings(config_file)
    public = {
        (each["period"], each["version"]): each
        for each in (
            publishing.list_public(public_folder(settings), Path(settings.release.restricted))
            if settings.release.public_root
            else []
        )
    }
    table = Table("period", "version", "state", "cleared", "reason", title="Releases", title_justify="left")
    recorded = decisions.list_published(Path(settings.release.restricted))
    waiting: list[str] = []
    made = folders.list_releases(Path(settings.release.root))
    latest = dict(made)
    for period, version in made:
        found = public.get((period, version))
        name, restricted = f"{period}/{version}", restricted_folder(settings, period, version)
        state = "publication broken off" if name in recorded else "made"
        if found:
            state = found["status"] + (", current" if found["is_current"] else "")
        if name not in recorded:
            folder = Path(settings.release.root) / period / version
            unready = list_unready(folder, restricted, settings.lake.now.date())
            # What the last version lacks is of use; what one before it lacks, nobody mends.
            if unready and version != latest[period]:
                unready = [f"{latest[period]} was made after it"]
            waiting += [f"{name} may not leave: {line}" for line in unready]
        asked = clearance.read_clearance(restricted)
        answered = (
            f"{len(asked.concerned) - len(asked.waited)} of {len(asked.concerned)}" if asked else "not asked"
        )
        table.add_row(period, version, state, answered, found["reason"] if found else "")
    out.print(table)
    for period, version in latest.items():
        command = clearance.make_command(restricted_folder(settings, period, version))
        out.print(f"Next version of {period}: {command}", markup=False, highlight=False)
    for line in waiting:
        out.print(line, markup=False, highlight=False)
    if public:
        print_unsigned(settings)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A release, or a period for its newest.", metavar="RELEASE")],
    config_file: Config = SETTINGS,
    as_json: Annotated[bool, typer.Option("--json", help="Name, digest and text, for a program.")] = False,
) -> None:
    """Show a release: its headline figures, what changed, what the attack found, who decided what."""
    from jobs.study.release import decisions, manifest, summary
    from jobs.study.release.about import PERIOD
    from jobs.study.release.folders import versions_in

    settings = config.load_settings(config_file)
    versions = versions_in(Path(settings.release.root), name)
    if not versions and PERIOD.match(name):
        raise ObservatoryError(
            f"no release of {name} was made here: `observatory release make --period {name}` makes one"
        )
    period, version = (name, versions[-1]) if versions else parse_name(name)
    folder, restricted = (
        Path(settings.release.root) / period / version,
        restricted_folder(settings, period, version),
    )
    digest = manifest.verify_release(folder)
    text = summary.text_of(folder, restricted, digest)
    if as_json:
        found = {"name": f"{period}/{version}", "digest": digest, "text": text}
        out.print_json(json.dumps(found, ensure_ascii=False))
        return
    out.print(text, markup=False, highlight=False)
    out.print("\n## Decisions\n", markup=False)
    for each in decisions.read_decisions(restricted):
        about_it = f" {each.about}" if each.about else ""
        why = f": {each.reason}" if each.reason else ""
        done = f"- {each.at[:16].replace('T', ' ')} UTC: {each.what.replace('_', ' ')}{about_it}"
        out.print(f"{done} by {each.by}{why}", markup=False, highlight=False)


@app.command()
def diff(
    before: Folder,
    after: Annotated[Path, typer.Argument(metavar="FOLDER")],
    signers: Signers = None,
) -> None:
    """Verify the folders of two releases, and print what differs; it needs no lake and no settings."""
    from jobs.study.release import comparing, signatures

    for folder in (before, after):
        first, *_, signed = signatures.verify_path(folder, signers)
        out.print(f"{first}\n{signed}", markup=False, highlight=False)
    found = comparing.compare_tables(comparing.tables_in(before), comparing.tables_in(after))
    table = Table("table", "row", "change", "before", "after", title_justify="left")
    for each in found[:SHOWN]:
        ends = [end or "none" if each.kind == "changed" else end for end in (each.before, each.after)]
        table.add_row(each.table, each.key, f"{each.kind} {each.column}".strip(), *ends)
    if found:
        out.print(table)
    more = f"; {len(found) - SHOWN} more are not shown" if len(found) > SHOWN else ""
    out.print(f"{format_noun(len(found), 'difference')}{more}")


@app.command()
def verify(
    path: Annotated[
        Path, typer.Argument(help="The folder of a release, or the index of releases.", metavar="PATH")
    ],
    signers: Signers = None,
) -> None:
    """Check a release, its tombstone or the index: which it is, its files, who signed it and when. It
    needs no lake and no settings."""
    from jobs.study.release import signatures

    for line in signatures.verify_path(path, signers):
        out.print(line, markup=False, highlight=False)


@app.command()
def sign(
    path: Annotated[
        Path,
        typer.Argument(help="The folder of a release, index.json or WITHDRAWN.json.", metavar="PATH"),
    ],
    key: Annotated[str, typer.Option(help="Your secret key, as gpg names it.")],
) -> None:
    """Verify a release, an index or a tombstone, and sign it with your own key; it needs no lake."""
    from jobs.study.release import signatures

    if path.is_file():
        file, beside = signatures.sign_statement(path, key), path.name
    else:
        file, beside = signatures.sign_release(path, key), "the release's folder"
    out.say(f"Signature: {file}\nPut it beside {beside} on the study node.")


@app.command()
def publish(
    name: Name,
    by: By,
    config_file: Config = SETTINGS,
    digest: Annotated[
        str | None, typer.Option(help="The digest that was approved: refuse another release.")
    ] = None,
) -> None:
    """Publish a release that is cleared and signed: at once, or not at all; and its site beside it."""
    from jobs.study.release import clearance, folders, publishing
    from jobs.study.site.releases import write_releases
    from jobs.study.site.writing import write_site

    settings = config.load_settings(config_file)
    period, version = parse_name(name)
    if settings.release.signers is None:
        raise ObservatoryError("[release] signers is not set: name the folder with the signers' public keys")
    restricted = restricted_folder(settings, period, version)
    roots = public_folder(settings), Path(settings.release.restricted)
    beside = folders.site_of(roots[0] / period / version)
    try:
        target, signed = publishing.publish_release(
            Path(settings.release.root) / period / version,
            restricted,
            roots[0],
            Path(settings.release.signers),
            by,
            settings.lake.now,
            digest,
        )
    except publishing.AlreadyDone:
        # Broken off before its pages were written, it gets them; pages that stand stay as they are.
        if not beside.is_dir():
            print_site(beside, write_site(roots[0] / period / version, beside))
        write_releases(*roots)
        raise
    out.say(f"Published: {target}\nsigned by {signed.fingerprint} ({signed.key_file})")
    asked = clearance.read_clearance(restricted)
    assert asked is not None, "publish_release() refuses a release that was not cleared"
    for line in clearance.describe_grounds(asked):
        out.print(line, markup=False, highlight=False)
    print_site(beside, write_site(target, beside))
    write_releases(*roots)
    print_unsigned(settings)


@app.command()
def withdraw(name: Name, by: By, reason: Reason, config_file: Config = SETTINGS) -> None:
    """Take a published release back: a tombstone with the reason stands in its place."""
    from jobs.study.release import publishing
    from jobs.study.site.releases import write_releases

    settings = config.load_settings(config_file)
    period, version = parse_name(name)
    restricted = restricted_folder(settings, period, version)
    roots = public_folder(settings), Path(settings.release.restricted)
    try:
        target = publishing.withdraw_release(
            period, version, restricted, roots[0], by, reason, settings.lake.now
        )
    except publishing.AlreadyDone:
        write_releases(*roots)
        raise
    write_releases(*roots)
    out.say(f"Withdrawn: {target}")
    print_unsigned(settings)


# --- clearance --------------------------------------------------------------------------------------


@clear.callback()
def clearing() -> None:
    """Ask each administration about its own rows, and record its answer."""


@clear.command(name="make")
def clear_make(
    name: Name,
    deadline: Annotated[str, typer.Option(help="The last day to answer, as 2027-03-01.", metavar="DATE")],
    config_file: Config = SETTINGS,
) -> None:
    """Write a sheet for each administration with its own rows as they would leave."""
    from jobs.study.release import clearance, production
    from jobs.study.site.clearance_sheet import build_sheet

    settings = config.load_settings(config_file)
    restricted, digest = verify_made(settings, name)
    try:
        day = dt.date.fromisoformat(deadline)
    except ValueError:
        raise ObservatoryError(f"--deadline {deadline}: write a day as 2027-03-01") from None
    today = settings.lake.now.date()
    if day < today:
        raise ObservatoryError(
            f"--deadline {deadline} is over: today is {today}. Give the administrations time to answer"
        )
    about, tables = production.read_kept_release(restricted)
    found = clearance.make_clearance(
        restricted,
        tables,
        digest,
        production.list_administrations(settings),
        day,
        production.list_languages(settings),
        partial(
            build_sheet,
            about=about,
            digest=digest,
            deadline=day,
            return_address=settings.study.return_address,
        ),
    )
    out.print(clearance_table(found))
    out.say(f"Sheets: {restricted / clearance.SHEETS}")
    if found.undecided:
        file = restricted / clearance.SHEETS / clearance.UNASKED_FILE
        out.say(
            f"Rows of {len(found.undecided)} of {len(found.concerned)} countries leave without an"
            f" administration to ask. Decide on each in {file}, then"
            f" `observatory release clear unasked {name} {file}`."
        )
    else:
        print_next(settings, name)


@clear.command(name="load")
def clear_load(
    name: Name,
    files: Annotated[list[Path], typer.Argument(help="Sheets that came back.", metavar="FILE…")],
    config_file: Config = SETTINGS,
) -> None:
    """Record the answers in these sheets: all, or none if one is wrong."""
    from jobs.study.release import clearance

    settings = config.load_settings(config_file)
    restricted = restricted_folder(settings, *parse_name(name))
    out.print(clearance_table(clearance.load_answers(restricted, files, settings.lake.now)))
    print_next(settings, name)


@clear.command(name="show")
def clear_show(name: Name, config_file: Config = SETTINGS) -> None:
    """Show who was asked, and who answered what."""
    from jobs.study.release import clearance

    settings = config.load_settings(config_file)
    found = clearance.read_clearance(restricted_folder(settings, *parse_name(name)))
    if found is None:
        raise ObservatoryError(f"no administration was asked about {name}: `observatory release clear make`")
    out.print(clearance_table(found))
    print_next(settings, name)


@clear.command(name="unasked")
def clear_unasked(
    name: Name,
    file: Annotated[Path, typer.Argument(help="The file unasked.csv, filled in.", metavar="FILE")],
    config_file: Config = SETTINGS,
) -> None:
    """Record why rows of countries without an administration leave: a line and a decision for each."""
    from jobs.study.release import clearance

    settings = config.load_settings(config_file)
    restricted, _ = verify_made(settings, name)
    out.print(clearance_table(clearance.decide_unasked(restricted, file, settings.lake.now)))
    print_next(settings, name)


@clear.command(name="decide")
def clear_decide(
    name: Name,
    country: Annotated[str, typer.Argument(help="Country whose administration objects, as FJI.")],
    by: By,
    reason: Reason,
    as_: Annotated[
        ObjectionOutcome,
        typer.Option("--as", help="Publish the rows all the same, or leave them out of the next version."),
    ],
    config_file: Config = SETTINGS,
) -> None:
    """Record what becomes of an objection."""
    from jobs.study.release import clearance

    settings = config.load_settings(config_file)
    restricted, _ = verify_made(settings, name)
    decision = clearance.LEFT_OUT if as_ is ObjectionOutcome.left_out else clearance.OVERRULED
    at = settings.lake.now
    found = clearance.decide_objection(restricted, country.upper(), decision, by, reason, at)
    out.print(clearance_table(found))
    print_next(settings, name)


def clearance_table(found: Clearance) -> Table:
    """Table of the administrations that were asked, with the answer of each."""
    from jobs.study.release.clearance import NONE

    table = Table("country", "rows", "answer", "by", "reason", "decision", title_justify="left")
    table.title = f"Clearance, answers until {found.deadline}"
    for each in found.asked.values():
        decision = each.decision.replace("_", " ")
        answer = each.answer if each.administration else "not asked"
        if each.answer == NONE and not each.rows:
            answer = "none needed"
        table.add_row(each.country, str(each.rows), answer, each.by, each.reason, decision)
    return table


# --- what the commands share ------------------------------------------------------------------------


def parse_name(name: str) -> tuple[str, str]:
    """Period and version of a release's name."""
    from jobs.study.release.about import PERIOD, VERSION

    period, _, version = name.partition("/")
    if not PERIOD.match(period) or not VERSION.match(version):
        raise ObservatoryError(f"'{name}' is no release; write it as 2026-Q4/v1.0.0")
    return period, version


def verify_made(settings: Any, name: str) -> tuple[Path, str]:
    """Verify a release's files against its manifest; its restricted folder and its digest."""
    from jobs.study.release import manifest

    period, version = parse_name(name)
    restricted = restricted_folder(settings, period, version)
    return restricted, manifest.verify_release(Path(settings.release.root) / period / version)


def print_next(settings: Any, name: str) -> None:
    """Print what comes next of a release that is not published yet."""
    from jobs.study.desk.next_steps import list_publication_steps

    following = [each for each in list_publication_steps(settings, *parse_name(name)) if each.missing]
    if following:
        out.say(f"Next: {following[0].do}")


def print_unsigned(settings: Any) -> None:
    """Name what readers do not believe yet: the index and tombstones without a signature."""
    from jobs.study.release import publishing

    if settings.release.signers is not None:
        for file in publishing.list_unsigned(public_folder(settings), Path(settings.release.signers)):
            out.say(
                f"Not signed yet: {file}. On the officer's machine: `observatory release sign {file.name}"
                f" --key KEY`; put {file.name}.asc beside it."
            )


def restricted_folder(settings: Any, period: str, version: str) -> Path:
    """The restricted folder of a release."""
    folder = Path(settings.release.restricted) / period / version
    if not folder.is_dir():
        raise ObservatoryError(
            f"{folder} does not exist: `observatory release list` names the releases that were made here"
        )
    return folder


def public_folder(settings: Any) -> Path:
    if settings.release.public_root is None:
        raise ObservatoryError("[release] public_root is not set: name the folder that readers see")
    return Path(settings.release.public_root)
