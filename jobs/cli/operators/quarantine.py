"""The command `observatory quarantine`: lines that no rule matched, by pattern."""

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from jobs.base.core.choices import refuse_unknown
from jobs.base.figures.words import code_description
from jobs.base.settings import config
from jobs.base.tables.contracts import format_kind, list_codes
from jobs.cli.arguments import Config, OperatorId
from jobs.cli.console import out
from jobs.operators.ingest.source_options import load_with_options

UNPACK = {".gz": "zcat", ".bz2": "bzcat", ".xz": "xzcat", ".zst": "zstdcat"}


def quarantine(
    config_file: Config = Path("observatory.toml"),
    operator: OperatorId = None,
    source: Annotated[str | None, typer.Option(help="One source, by its id.")] = None,
    reason: Annotated[str | None, typer.Option(help="One reason, by its code.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most patterns to print.")] = 20,
) -> None:
    """Show the lines in quarantine, grouped by pattern, the commonest first.

    Addresses, numbers and names are masked. An example has the name that the file had when it was pulled and
    the byte offset of the line, decompressed.
    """
    settings = load_with_options(config_file)
    chosen = config.choose_operators(settings, operator)
    refuse_unknown("--source", filter(None, [source]), {each.id for one in chosen for each in one.source})
    refuse_unknown("--reason", filter(None, [reason]), list_codes("quarantine_reason"))
    from jobs.base.core.patterns import escape_unseen, pattern_text
    from jobs.base.store.lake import open_lake
    from jobs.operators.ingest.quarantine import read_patterns

    found = read_patterns(open_lake(settings.lake.root), [each.id for each in chosen], source, reason)
    if found.is_empty():
        out.print("Nothing in quarantine: a rule matched every line.")
        return
    table = Table(title="Quarantine", title_justify="left", caption_justify="left")
    lines, kinds = count_of(int(found["line_count"].sum()), "line"), count_of(found.height, "kind")
    more = f"; the commonest {limit} are shown" if found.height > limit else ""
    table.caption = f"{lines} of {kinds}{more}"
    table.add_column("lines", justify="right")
    for name in ("operator", "source", "format", "reason", "for example"):
        table.add_column(name, overflow="fold")
    table.add_column("looks like", overflow="fold", ratio=1)
    for row in found.head(limit).iter_rows(named=True):
        example = f"{escape_unseen(row['file_name'] or '?')} @{row['offset']:,}"
        table.add_row(
            f"{row['line_count']:,}", row["operator_id"], row["source_id"], row["format_code"],
            row["reason_code"], Text(example), pattern_text(row["pattern"]),
        )  # fmt: skip
    out.print(table)
    for code in found.head(limit)["reason_code"].unique().sort():
        out.say(f"{code}: {code_description('quarantine_reason', code)}.")
    first = found.row(0, named=True)
    how = how_to_read(first["file_name"], first["format_code"], first["offset"])
    out.say(f"Read a line, here the first one's: {escape_unseen(how)}")
    out.say("After you correct the source's settings: observatory run --requarantine")
    out.say("If nothing can be corrected, and the lines hold a source back: raise [limits] quarantined_pct")


def count_of(count: int, what: str) -> str:
    """A count with its noun: 1 line, 1,200 lines."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def how_to_read(file_name: str | None, format_name: str, offset: int) -> str:
    """The command that prints the line at an offset of a file; for a file of documents, the document's
    number."""
    name = file_name or "FILE"
    file = shlex.quote(name)
    if format_kind(format_name) == "documents":
        return f"document {offset + 1} of {file}"
    packed = next((command for suffix, command in UNPACK.items() if name.endswith(suffix)), None)
    if packed:
        return f"{packed} {file} | tail -c +{offset + 1} | head -n 1"
    return f"tail -c +{offset + 1} {file} | head -n 1"
