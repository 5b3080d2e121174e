"""`observatory report LOG…` and `observatory init LOG…`."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from jobs.cli.interrupt import Interrupted
from jobs.core import key_names
from jobs.core.choices import one_of
from jobs.core.errors import ObservatoryError, raise_problems
from jobs.core.patterns import visible
from jobs.first.domains import Domains
from jobs.first.proposal import Proposal, add_known, country_row, named, propose
from jobs.first.settings_text import EXAMPLES, Answers, proposed_answers, settings_text
from jobs.protect.pseudonym_keys import operator_key
from jobs.settings import config, countries
from jobs.settings.operator import Operator, Source
from jobs.sniff import kannel
from jobs.sniff.figures import bytes_of
from jobs.sniff.files import Problem

KEY_NAME = "pseudonym.key"
# Settings of another name get a lake of another name: two files must not fill one lake by mistake.
DEFAULT = Path("observatory.toml")
STARTERS = "`observatory sniff FILE` shows what it is like, and drafts a profile to read it with"


def proposal_of(logs: list[str], err: Console) -> Proposal:
    """What the logs propose. Raises ObservatoryError where none of them can be used."""
    with err.status("Looking at the logs"):
        return propose(logs)


def refuse_none(found: Proposal) -> None:
    """Raise ObservatoryError where no log can be used."""
    if not found.sources:
        raise ObservatoryError("\n".join(problems_of(found)) or "no log was named")


def problems_of(found: Proposal) -> list[str]:
    """What could not be used, a line each."""
    unknown = [Problem(log.name, f"of no known format. {STARTERS}") for log, _ in found.unknown]
    return [str(each) for each in (*found.problems, *unknown)]


def draw(out: Console, found: Proposal) -> None:
    """The logs that were found, a line each."""
    width = max(len(Path(each.url).name) for each in found.sources)
    kind = max(len(each.format) for each in found.sources)
    for each in found.sources:
        files = f"{each.files} files, " if each.files > 1 else ""
        zone = f"{each.time_zone}, {each.zone_by}" if each.zone_by else "UTC assumed: the log does not say"
        name = visible(Path(each.url).name)
        clock = f"; clock_offset {each.clock_offset}, {each.clock_by}" if each.clock_offset else ""
        line = f"  {name:<{width}}  {each.format:<{kind}}  {files}{bytes_of(each.bytes)}; {zone}{clock}"
        out.print(Text(line), soft_wrap=out.width >= 100)
        if each.assumed:
            own = each.options["access_log_format"]
            out.print(Text(f"    assumed: {own}. Lines as it decodes them, masked:"))
            for decoded in each.assumed:
                out.print(Padding(Text(decoded), (0, 0, 0, 6)))


def assumptions(found: Proposal, answers: Answers) -> list[tuple[str, str]]:
    """What a report without settings takes as given."""
    rows = []
    if found.has_mail:
        part = ", by a sample of the logs" if found.is_sampled else ""
        rows.append(("own domains", told_domains(found.domains, part)))
        rows.append(("own networks", "loopback and private addresses"))
    if found.has_numbers:
        rows.append(("own numbers", f"{named(answers.number_prefixes)}, all numbers of the country"))
    country = country_row(answers.country)["name_en"]
    by = found.country_by or "a placeholder, for nothing names one"
    rows.append(("country", f"{country}, {by}; costs in {answers.currency}"))
    rows.append(("places", "sources are not located: that needs a table of address ranges"))
    return rows


def told_domains(domains: Domains, part: str) -> str:
    """The domains that are taken for own, and by what; without any, those that recipients are in."""
    told = []
    if domains.local:
        told.append(f"{named(domains.local)}: mail to them is delivered here")
    if domains.relayed:
        told.append(f"{named(domains.relayed)}: mail of strangers to them is taken here, to go elsewhere")
    if told:
        return "; ".join(told) + part
    others = f". Recipients are in {named(domains.others)}" if domains.others else ""
    return f"none: the logs show no mail that ends here, and none that is taken from strangers{others}"


def draw_rows(out: Console, rows: list[tuple[str, str]]) -> None:
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column()
    for name, text in rows:
        table.add_row(f"  {name}", Text(text))
    out.print(table)


# --- report ---------------------------------------------------------------------------------------------


def report(
    logs: list[str],
    output: Path,
    keep: bool,
    country: str | None,
    out: Console,
    err: Console,
    compute: Callable[[config.Observatory], list[str]],
    write: Callable[[config.Observatory, Path, Sequence[str]], Path],
) -> None:
    """From logs to the report page, with a lake that lives as long as the command.

    compute: pulls and runs all stages; the problems of sources. write: draws the page, with domains to name
    where none is known to be own.
    """
    refuse_other_folder(output)
    found = proposal_of(logs, err)
    refuse_none(found)
    answers = proposed_answers(found)
    if country is not None:
        try:
            answers = replace(answers, country=known_country(country))
        except ValueError as error:
            raise ObservatoryError(f"--country: {error}") from None
        answers.currency = country_row(answers.country)["currency"] or "USD"
        found.country_by = "as named"
    out.print("Logs")
    draw(out, found)
    out.print("Assumed, because there are no settings")
    draw_rows(out, assumptions(found, answers))
    problems = problems_of(found)
    with folder_of_lake(keep, out) as folder, own_key(folder):
        file = folder / "observatory.toml"
        file.write_text(settings_text(found, answers), encoding="utf-8")
        settings = config.load(file, lake_root=str(folder / "lake"))
        held: ObservatoryError | None = None
        try:
            problems += compute(settings)
        except ObservatoryError as error:
            # What a validation holds back is left out of the page, and said at the end.
            if error.exit_code != 1:
                raise
            held = error
        page = write(settings, output, () if answers.domains else tuple(found.domains.others)[: EXAMPLES[-1]])
        out.print(f"Report: {page.resolve()}", soft_wrap=True)
    if held is not None:
        raise held
    raise_problems(problems)


def refuse_other_folder(output: Path) -> None:
    """Raise ObservatoryError for a folder of anything but an earlier report."""
    if output.is_file():
        raise ObservatoryError(f"--output {output}: a file. Name a folder")
    if output.is_dir() and any(output.iterdir()) and not (output / "SHA256SUMS").is_file():
        raise ObservatoryError(f"--output {output}: holds other files. Name a new folder, or an empty one")


@contextmanager
def folder_of_lake(keep: bool, out: Console) -> Iterator[Path]:
    """A private folder for the lake, deleted in the end unless it is to be kept."""
    folder = Path(tempfile.mkdtemp(prefix="observatory-"))
    try:
        yield folder
    except Interrupted:
        kept = f"The lake so far is in {folder}." if keep else "The temporary lake was deleted."
        raise Interrupted(f"Stopped. No page was written. {kept}") from None
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    if keep:
        settings = folder / "observatory.toml"
        out.print(f"Lake, settings and key: {folder}", soft_wrap=True)
        out.print(f"  observatory show gold.spam_volume_daily --config {settings}", soft_wrap=True)
    else:
        out.print("The lake is deleted (--keep keeps it). To go on: observatory init LOG…")


@contextmanager
def own_key(folder: Path) -> Iterator[None]:
    """A key made for this lake, in place of one that the environment has."""
    before = {name: os.environ.pop(name, None) for name in (key_names.KEY, key_names.KEY_FILE)}
    operator_key.cache_clear()
    make_key(folder / KEY_NAME)
    os.environ[key_names.KEY_FILE] = str(folder / KEY_NAME)
    try:
        yield
    finally:
        os.environ.pop(key_names.KEY_FILE, None)
        os.environ.update({name: value for name, value in before.items() if value is not None})
        operator_key.cache_clear()


def make_key(file: Path) -> None:
    """Write a new key that its owner alone can read. Raises FileExistsError for one that is there."""
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as new:
        new.write(secrets.token_hex(32) + "\n")


# --- init -----------------------------------------------------------------------------------------------


def init(logs: list[str], output: Path, yes: bool, out: Console, err: Console) -> None:
    """Write a settings file and a key from logs, and ask what they do not say."""
    key = output.parent / KEY_NAME
    if output.exists():
        raise ObservatoryError(
            f"{output}: there is one already, and init never overwrites. Name another: --output."
            " It gets a lake of its own"
        )
    if not output.parent.is_dir():
        raise ObservatoryError(f"{output}: the folder {output.parent} is not there")
    found = proposal_of(logs, err)
    if not yes:
        ask_formats(found, out)
    refuse_none(found)
    out.print("Logs")
    draw(out, found)
    own = None if output.name == DEFAULT.name else slug(output.stem)
    answers = proposed_answers(found, own or "own")
    if not yes:
        answers = ask(found, answers, out)
    root = f"lake-{own}" if own else "lake"
    text = settings_text(found, answers, root)
    is_new_key = not key.exists()
    try:
        if is_new_key:
            make_key(key)
        with open(output, "x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ObservatoryError(f"{error.filename or output}: {error.strerror or error}") from None
    # What this wrote must be what every other command reads.
    config.load(output)
    out.print(f"Settings: {output}", soft_wrap=True)
    made = "" if is_new_key else " (it was there)"
    out.print(f"Key: {key}{made}. Keep it: another key makes other pseudonyms.", soft_wrap=True)
    if own:
        out.print(f"Lake: {output.parent / root}, beside any other. For two operators in one lake")
        out.print("see 'A second operator' in docs/operator.md.")
    if answers.is_assumed:
        out.print("Lines that are marked 'assumed' are guesses: check them before the first run.")
    other = "" if output == DEFAULT else f" --config {output}"
    out.print(f"Next: observatory run{other}", soft_wrap=True)
    if problems := problems_of(found):
        raise ObservatoryError("\n".join(problems))


def ask_formats(found: Proposal, out: Console) -> None:
    """Ask for the format of access logs of Kannel that no known format reads."""
    for log, recognised in list(found.unknown):
        head = recognised[0].head
        if not kannel.is_access_log(head):
            continue
        out.print(Text(f"{visible(log.name)} is an access log of Kannel in a format of its own."))
        options = answer(
            "access-log-format in its bearerbox.conf (- leaves the log out)", "-", reader_of(head), out
        )
        if options:
            for each in recognised:
                each.take_kannel(options)
            add_known(found, log, recognised)


def reader_of(head: bytes) -> Callable[[str], dict[str, Any] | None]:
    """Takes a format for a log that begins so; none for a hyphen."""
    return lambda text: None if text == "-" else kannel.asked(head, text)


def ask(found: Proposal, given: Answers, out: Console) -> Answers:
    """What the logs do not say, asked one by one; the return key takes the proposal."""
    out.print("Return takes what stands in brackets.")
    name = answer("Name of the operator", given.name, str.strip, out)
    operator_id = answer("Its id, for good: small letters, digits, hyphens", slug(name), known_id, out)
    country = answer(
        f"Country, three letters ({found.country_by or 'nothing names one'})",
        given.country, known_country, out,
    )  # fmt: skip
    currency = answer("Currency", country_row(country)["currency"] or given.currency, known_currency, out)
    holding = answer("Holding that owns it, one word", operator_id, str.strip, out)
    subscribers = answer("Subscribers (0: not known)", "0", known_count, out)
    domains, networks, prefixes = given.domains, given.networks, given.number_prefixes
    if found.has_mail:
        domains = answer("Own mail domains, with commas", ", ".join(domains) or "-", listed, out)
        networks = answer("Own networks, with commas", ", ".join(networks), known_networks, out)
    if found.has_numbers:
        prefixes = answer(
            "Own numbers begin with, with commas", ", ".join(prefixes) or "-", known_prefixes, out
        )
    for source in found.sources:
        if source.zone_by is None:
            source.time_zone = answer(f"Time zone of {source.id}", source.time_zone, known_zone, out)
            source.zone_by = "as answered"
    return Answers(
        operator_id,
        name,
        country,
        holding,
        currency,
        subscribers or None,
        domains,
        networks,
        prefixes,
        is_assumed=False,
    )


def answer(question: str, proposal: str, check: Callable[[str], Any], out: Console) -> Any:
    """A person's answer, asked again until it is right."""
    # A prompt that is too long breaks within words.
    fits = cell_len(f"{question} [{proposal}]: ") < out.width
    if not fits:
        out.print(Text(f"{question}: [{proposal}]"))
    while True:
        try:
            text = typer.prompt(question, default=proposal, show_default=fits)
        except typer.Abort:
            raise ObservatoryError(
                "init asks questions, and there is no terminal to answer on: --yes accepts the proposals"
            ) from None
        try:
            return check(text)
        except (ObservatoryError, ValueError) as error:
            out.print(Text(f"  {error}"))


def slug(name: str) -> str:
    kept = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in name.lower())
    return "-".join(part for part in kept.split("-") if part) or "own"


def known_id(text: str) -> str:
    if text != slug(text):
        raise ValueError(f"small letters, digits and hyphens only, such as {slug(text)}")
    return text


def known_country(text: str) -> str:
    return countries.known_country(text.strip().upper())


def known_currency(text: str) -> str:
    return one_of(text.strip().upper(), countries.currencies(), "currency (ISO 4217)")


def known_zone(text: str) -> str:
    return Source.known_zone(text.strip())


def known_count(text: str) -> int:
    digits = text.replace(",", "").replace(" ", "")
    if not digits.isdigit():
        raise ValueError("a whole number")
    return int(digits)


def listed(text: str) -> tuple[str, ...]:
    return tuple(each for each in text.replace(",", " ").lower().split() if each != "-")


def known_networks(text: str) -> tuple[str, ...]:
    networks = listed(text)
    Operator.parse_networks(list(networks))
    return networks


def known_prefixes(text: str) -> tuple[str, ...]:
    prefixes = listed(text)
    Operator.parse_prefixes(list(prefixes))
    return prefixes
