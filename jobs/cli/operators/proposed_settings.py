"""`observatory report LOG…` and `observatory init LOG…`."""

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

from jobs.base.core import key_names
from jobs.base.core.errors import ObservatoryError, raise_problems
from jobs.base.core.numbers import format_bytes, name_few
from jobs.base.core.patterns import escape_unseen
from jobs.base.settings import config, countries
from jobs.base.settings.operator import Operator
from jobs.base.settings.values import check_zone
from jobs.cli.interrupt import Interrupted
from jobs.operators.formats import Options
from jobs.operators.formats.format import OwnLayouts
from jobs.operators.formats.registry import LAID_OUT
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.proposal.domains import Domains
from jobs.operators.proposal.settings_proposal import Proposal, add_known, country_row, propose_from_logs
from jobs.operators.proposal.settings_text import EXAMPLES, Answers, proposed_answers, settings_text
from jobs.operators.protect.pseudonym_keys import operator_key
from jobs.operators.sniff.files import FileProblem

KEY_NAME = "pseudonym.key"
# Settings of another name get a lake of another name: two files must not fill one lake by mistake.
DEFAULT = Path("observatory.toml")
STARTERS = "`observatory sniff FILE` shows what it is like, and drafts a profile to read it with"


def propose_settings(logs: list[str], err: Console) -> Proposal:
    """The settings that the logs propose. Raises ObservatoryError if no log can be used."""
    with err.status("Looking at the logs"):
        return propose_from_logs(logs)


def refuse_none(proposal: Proposal) -> None:
    """Raise ObservatoryError where no log can be used."""
    if not proposal.sources:
        raise ObservatoryError("\n".join(list_problems(proposal)) or "no log was named")


def list_problems(proposal: Proposal) -> list[str]:
    """A line for each log that cannot be used."""
    unknown = [FileProblem(log.name, f"of no known format. {STARTERS}") for log, _ in proposal.unknown]
    return [str(each) for each in (*proposal.problems, *unknown)]


def print_logs(out: Console, proposal: Proposal) -> None:
    """Print a line for each log."""
    width = max(len(Path(each.url).name) for each in proposal.sources)
    kind = max(len(each.format) for each in proposal.sources)
    for each in proposal.sources:
        files = f"{each.files} files, " if each.files > 1 else ""
        zone = f"{each.time_zone}, {each.zone_by}" if each.zone_by else "UTC assumed: the log does not say"
        name = escape_unseen(Path(each.url).name)
        clock = f"; clock_offset {each.clock_offset}, {each.clock_by}" if each.clock_offset else ""
        line = f"  {name:<{width}}  {each.format:<{kind}}  {files}{format_bytes(each.bytes)}; {zone}{clock}"
        out.print(Text(line), soft_wrap=out.width >= 100)
        if each.assumed:
            own = each.options["access_log_format"]
            out.print(Text(f"    assumed: {own}. Lines as it decodes them, masked:"))
            for decoded in each.assumed:
                out.print(Padding(Text(decoded), (0, 0, 0, 6)))


def list_assumptions(proposal: Proposal, answers: Answers) -> list[tuple[str, str]]:
    """The assumptions of a report without settings, each with its name."""
    rows = []
    if proposal.has_mail:
        part = ", by a sample of the logs" if proposal.is_sampled else ""
        rows.append(("own domains", describe_domains(proposal.domains, part)))
        rows.append(("own networks", "loopback and private addresses"))
    if proposal.has_numbers:
        rows.append(("own numbers", f"{name_few(answers.number_prefixes)}, all numbers of the country"))
    country = country_row(answers.country)["name_en"]
    by = proposal.country_by or "a placeholder, for nothing names one"
    rows.append(("country", f"{country}, {by}; costs in {answers.currency}"))
    rows.append(("places", "sources are not located: that needs a table of address ranges"))
    return rows


def describe_domains(domains: Domains, part: str) -> str:
    """The own domains and the evidence for them; without own domains, the domains of recipients."""
    statements = []
    if domains.local:
        statements.append(f"{name_few(domains.local)}: mail to them is delivered here")
    if domains.relayed:
        statements.append(
            f"{name_few(domains.relayed)}: mail of strangers to them is taken here, to go elsewhere"
        )
    if statements:
        return "; ".join(statements) + part
    others = f". Recipients are in {name_few(domains.others)}" if domains.others else ""
    return f"none: the logs show no mail that ends here, and none that is taken from strangers{others}"


def print_rows(out: Console, rows: list[tuple[str, str]]) -> None:
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column()
    for name, text in rows:
        table.add_row(f"  {name}", Text(text))
    out.print(table)


# --- report ---------------------------------------------------------------------------------------------


def report_logs(
    logs: list[str],
    output: Path,
    keep: bool,
    country: str | None,
    out: Console,
    err: Console,
    compute: Callable[[config.Observatory], list[str]],
    write: Callable[[config.Observatory, Path, Sequence[str]], Path],
) -> None:
    """Compute the report page from logs, with a temporary lake.

    Args:
        compute: pulls, runs all stages, and returns the problems of sources.
        write: draws the page; it takes the domains of recipients, to name them if no own domain is known.
    """
    if output.is_file():
        raise ObservatoryError(f"--output {output}: a file. Name a folder")
    if output.is_dir() and any(output.iterdir()) and not (output / "SHA256SUMS").is_file():
        raise ObservatoryError(f"--output {output}: holds other files. Name a new folder, or an empty one")
    found = propose_settings(logs, err)
    refuse_none(found)
    answers = proposed_answers(found)
    if country is not None:
        try:
            answers = replace(answers, country=parse_country(country))
        except ValueError as error:
            raise ObservatoryError(f"--country: {error}") from None
        answers.currency = country_row(answers.country)["currency"] or "USD"
        found.country_by = "as named"
    out.print("Logs")
    print_logs(out, found)
    out.print("Assumed, because there are no settings")
    print_rows(out, list_assumptions(found, answers))
    problems = list_problems(found)
    with lake_folder(keep, out) as folder, use_new_key(folder):
        file = folder / "observatory.toml"
        file.write_text(settings_text(found, answers), encoding="utf-8")
        settings = load_with_options(file, lake_root=str(folder / "lake"))
        held: ObservatoryError | None = None
        try:
            problems += compute(settings)
        except ObservatoryError as error:
            # The page leaves out what a validation holds back; the error is raised at the end.
            if error.exit_code != 1:
                raise
            held = error
        page = write(settings, output, () if answers.domains else tuple(found.domains.others)[: EXAMPLES[-1]])
        out.print(f"Report: {page.resolve()}", soft_wrap=True)
    if held is not None:
        raise held
    raise_problems(problems)


@contextmanager
def lake_folder(keep: bool, out: Console) -> Iterator[Path]:
    """A private folder for the lake, deleted at the end unless `keep` is set."""
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
def use_new_key(folder: Path) -> Iterator[None]:
    """While it lasts, a new key replaces the one that the environment names."""
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
    """Write a new key that its owner alone can read. Raises FileExistsError if the file exists."""
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as new:
        new.write(secrets.token_hex(32) + "\n")


# --- init -----------------------------------------------------------------------------------------------


def write_settings(logs: list[str], output: Path, yes: bool, out: Console, err: Console) -> None:
    """Write a settings file and a key from logs, and ask for what the logs do not record."""
    key = output.parent / KEY_NAME
    if output.exists():
        raise ObservatoryError(
            f"{output}: there is one already, and init never overwrites. Name another: --output."
            " It gets a lake of its own"
        )
    if not output.parent.is_dir():
        raise ObservatoryError(f"{output}: the folder {output.parent} is not there")
    found = propose_settings(logs, err)
    if not yes:
        ask_formats(found, out)
    refuse_none(found)
    out.print("Logs")
    print_logs(out, found)
    own = None if output.name == DEFAULT.name else make_slug(output.stem)
    answers = proposed_answers(found, own or "own")
    if not yes:
        answers = ask_settings(found, answers, out)
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
    # Every other command must be able to read the file just written.
    load_with_options(output)
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
    if problems := list_problems(found):
        raise ObservatoryError("\n".join(problems))


def ask_formats(proposal: Proposal, out: Console) -> None:
    """Ask for the layout of logs that the operator laid out itself and that no known layout reads."""
    for log, recognised in list(proposal.unknown):
        head = recognised[0].text
        for name, layouts in LAID_OUT.items():
            if not layouts.is_log(head):
                continue
            out.print(Text(f"{escape_unseen(log.name)} is {layouts.log} in a format of its own."))
            options = ask_question(
                f"{layouts.setting} (- leaves the log out)", "-", layout_reader(layouts, head), out
            )
            if options:
                for each in recognised:
                    each.take_layout(name, options)
                add_known(proposal, log, recognised)
            break


def layout_reader(layouts: OwnLayouts, head: bytes) -> Callable[[str], Options | None]:
    """A function that turns an answered layout into options for a log with this beginning, and a hyphen into
    None."""
    return lambda text: None if text == "-" else layouts.check_layout(head, text)


def ask_settings(proposal: Proposal, answers: Answers, out: Console) -> Answers:
    """Ask for each setting that the logs do not give; the return key takes the proposal."""
    out.print("Return takes what stands in brackets.")
    name = ask_question("Name of the operator", answers.name, str.strip, out)
    operator_id = ask_question(
        "Its id, for good: small letters, digits, hyphens", make_slug(name), parse_id, out
    )
    country = ask_question(
        f"Country, three letters ({proposal.country_by or 'nothing names one'})",
        answers.country, parse_country, out,
    )  # fmt: skip
    currency = ask_question(
        "Currency", country_row(country)["currency"] or answers.currency, parse_currency, out
    )
    holding = ask_question("Holding that owns it, one word", operator_id, str.strip, out)
    subscribers = ask_question("Subscribers (0: not known)", "0", parse_count, out)
    domains, networks, prefixes = answers.domains, answers.networks, answers.number_prefixes
    if proposal.has_mail:
        domains = ask_question("Own mail domains, with commas", ", ".join(domains) or "-", split_list, out)
        networks = ask_question("Own networks, with commas", ", ".join(networks), parse_networks, out)
    if proposal.has_numbers:
        prefixes = ask_question(
            "Own numbers begin with, with commas", ", ".join(prefixes) or "-", parse_prefixes, out
        )
    for source in proposal.sources:
        if source.zone_by is None:
            source.time_zone = ask_question(f"Time zone of {source.id}", source.time_zone, parse_zone, out)
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


def ask_question(question: str, proposal: str, check: Callable[[str], Any], out: Console) -> Any:
    """A person's answer to a question, which is repeated until `check` accepts the answer."""
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


def make_slug(name: str) -> str:
    kept = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in name.lower())
    return "-".join(part for part in kept.split("-") if part) or "own"


def parse_id(text: str) -> str:
    if text != make_slug(text):
        raise ValueError(f"small letters, digits and hyphens only, such as {make_slug(text)}")
    return text


def parse_country(text: str) -> str:
    return countries.check_country(text.strip().upper())


def parse_currency(text: str) -> str:
    return countries.check_currency(text.strip().upper())


def parse_zone(text: str) -> str:
    return check_zone(text.strip())


def parse_count(text: str) -> int:
    digits = text.replace(",", "").replace(" ", "")
    if not digits.isdigit():
        raise ValueError("a whole number")
    return int(digits)


def split_list(text: str) -> tuple[str, ...]:
    return tuple(each for each in text.replace(",", " ").lower().split() if each != "-")


def parse_networks(text: str) -> tuple[str, ...]:
    networks = split_list(text)
    Operator.parse_networks(list(networks))
    return networks


def parse_prefixes(text: str) -> tuple[str, ...]:
    prefixes = split_list(text)
    Operator.parse_prefixes(list(prefixes))
    return prefixes
