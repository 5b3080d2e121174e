"""Output of `observatory submit --dry-run`: every row that would leave, and why others do not."""

from pathlib import Path

import polars as pl
from rich.table import Table
from rich.text import Text

from jobs.base.core import numbers
from jobs.base.core.errors import ObservatoryError
from jobs.base.figures import words
from jobs.base.packages.counts import GROUP
from jobs.base.packages.package import MANIFEST, Manifest, columns_of
from jobs.base.places.permissions import write_as_lake
from jobs.base.tables.contracts import read_contract
from jobs.cli.console import out
from jobs.operators.packages.package_text import describe_files, describe_group, describe_withheld
from jobs.operators.packages.packaging import MadePackage

# Heads of columns that would otherwise be wider than what stands below them.
HEADS = {"spam_certain": "certain", "spam_possible": "possible"}


def print_package(made: MadePackage, least: int, notes: list[str]) -> None:
    """Print what would leave of one package: in words, then all rows.

    Args:
        notes: what its operator should know besides.
    """
    manifest = made.manifest
    country = words.country_name(manifest.country_code)
    period = words.format_period(manifest.period_code)
    say_line(f"What would leave of operator '{manifest.operator_id}', {country}, for {period}:", "bold")
    say_line(
        f"Monthly counts in multiples of {least}, rounded so that no count of fewer than {least} and no"
        " difference reveals one. No address, number, domain, text or name of a host or partner. Traffic in"
        " transit is not in it: other operators count it. Costs are of effort rounded likewise."
    )
    for each in describe_files(made):
        say_line(f"- {each}")
    say_line("Not in it:" if (held := describe_withheld(made, least)) else "Nothing was withheld.")
    for each in held:
        say_line(f"- {each}")
    for each in notes:
        say_line(f"Note: {each}")
    print_manifest(manifest)
    for table, rows in made.counts.tables.items():
        print_rows(table, rows)


def print_manifest(manifest: Manifest) -> None:
    """Print what manifest.json says beside the rows."""
    about = Table.grid(padding=(0, 2, 0, 0))
    about.add_column(no_wrap=True)
    about.add_column(overflow="fold")
    has = ", ".join(f"{channel} {count:,}" for channel, count in sorted(manifest.subscriptions.items()))
    about.add_row("subscriptions", has or "not given")
    about.add_row("waiver", manifest.waiver or "none in the settings: that of your form holds")
    about.add_row("definitions", ", ".join(manifest.definition_codes))
    for each in manifest.coverage.days:
        about.add_row("days with logs", f"{each.period_code} {each.channel_code}: {each.days} of {each.of}")
    for source in manifest.coverage.sources:
        about.add_row(
            "log lines",
            f"{source.format_code}: {numbers.format_noun(source.sources, 'source')}, {source.lines:,} lines,"
            f" {source.quarantined:,} in quarantine",
        )
    about.add_row("gold computed", f"{manifest.computed_at:%Y-%m-%d %H:%M} UTC by {manifest.code_revision}")
    out.print()
    say_line(f"{MANIFEST}, besides totals, forms and digests", "bold")
    out.print(about)


def print_rows(table: str, rows: pl.DataFrame) -> None:
    """Print all rows of a table as its file has them, a block for each group."""
    columns = columns_of(table)
    shared = [name for name in GROUP if name in columns]
    rest = [name for name in columns if name not in shared]
    key = [name for name in read_contract(table).key if name in columns]
    name = f"{read_contract(table).name}.csv"
    out.print()
    say_line(f"{name}: {numbers.format_noun(rows.height, 'row')}", "bold")
    blocks = rows.select(columns).sort(*shared, *key).partition_by(shared, as_dict=True, maintain_order=True)
    for codes, block in blocks.items():
        say_line(describe_group(dict(zip(shared, map(str, codes), strict=True))))
        shown = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
        for each in rest:
            is_number = block.schema[each].is_numeric()
            shown.add_column(HEADS.get(each, heading_of(each)), justify="right" if is_number else "left")
        for row in block.select(rest).iter_rows():
            shown.add_row(*map(format_cell, row))
        out.print(shown)


def heading_of(column: str) -> str:
    """A column's name as a heading: stage, spam type."""
    return column.removesuffix("_code").replace("_", " ")


def format_cell(value: object) -> Text:
    if value is None:
        return Text("")
    return Text(f"{value:,}" if isinstance(value, int) else str(value))


def say_line(text: str, style: str = "") -> None:
    out.print(Text(text, style))


def write_package_files(made: MadePackage, folder: Path, root: str | None = None) -> Path:
    """Write the package's files as they are, before they are packed and signed, into a folder of its own."""
    into = folder / made.file_name.removesuffix(".zip")
    try:
        with write_as_lake(root, into) as written:
            into.mkdir(parents=True, exist_ok=True)
            for name, data in made.files.items():
                (into / name).write_bytes(data)
                written.append(into / name)
    except OSError as error:
        raise ObservatoryError(f"--output {folder}: {error.strerror or error}") from None
    return into
