"""Files derived from contracts, kernels and settings: the data dictionary, by layer, the list of formats, the
suites of Great Expectations, expectations/suites/, and the page of settings, docs/settings.md.

python -m schemas.dictionary            writes them
python -m schemas.dictionary --check    exits 1 if one is stale
"""

import csv
import io
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from expectations import suite_files
from jobs.base.tables.contracts import (
    CODELISTS,
    LAYERS,
    SCHEMAS,
    Contract,
    folder_of,
    list_codes,
    list_tables,
    read_contract,
)
from jobs.operators.formats import registry
from jobs.study.questionnaire.definition import list_questions
from schemas import settings_page

FORMATS = CODELISTS / "format.csv"
# The roles of respondents, as the form calls them.
ASKED = {"O": "operators", "A": "administrations", "M": "vendors, Associates and academia"}
SETTINGS = SCHEMAS.parent / "docs" / "settings.md"
GUIDE = SCHEMAS.parent / "docs" / "tsb.md"
# What stands between these is derived.
BEGIN, END = "<!-- forms, by `make derived`; do not edit -->\n", "<!-- end of forms -->"


def index() -> str:
    """The first page as Markdown: the layers with their tables."""
    lines = [
        "# Data dictionary",
        "",
        "Derived from `fields.yaml` and the contracts by `make derived`; do not edit. Names of columns end in"
        " what they are: `_date` UTC day, `_at` UTC time, `_code` with its list, `_hash` keyed pseudonym,"
        " `_count`, `_bytes`, `_us` microseconds.",
        "",
    ]
    for layer, about in LAYERS.items():
        lines += [f"## [{layer}]({folder_of(layer).name}/README.md)", "", about, ""]
        lines += [
            f"- [`{table}`]({page_of(table)}): {first_sentence(read_contract(table))}"
            for table in tables_of(layer)
        ]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def layer_page(layer: str) -> str:
    """The page of a layer as Markdown: what its tables are computed from, then each with its columns."""
    lines = [
        f"# {folder_of(layer).name.capitalize()} tables",
        "",
        f"{LAYERS[layer]} Derived by `make derived`; do not edit. [All layers](../README.md)",
        "",
    ]
    computed = [table for table in tables_of(layer) if read_contract(table).reads]
    if computed:
        lines += ["## What is computed from what", "", "| table | reads |", "|---|---|"]
        lines += [
            f"| {link(table)} | {', '.join(map(link, read_contract(table).reads))} |" for table in computed
        ]
        lines.append("")
    for table in tables_of(layer):
        lines += described(read_contract(table))
    return "\n".join(lines).rstrip() + "\n"


def tables_of(layer: str) -> list[str]:
    return [table for table in list_tables() if read_contract(table).layer == layer]


def link(table: str) -> str:
    """A table's name as a link from the page of any layer."""
    return f"[`{table}`](../{page_of(table)})"


def page_of(table: str) -> str:
    """The page on which a table is described, from schemas/."""
    return f"{folder_of(read_contract(table).layer).name}/README.md#{table.replace('.', '')}"


def first_sentence(contract: Contract) -> str:
    """Return the line that says what a row of a table is."""
    return re.split(r"(?<=[.:;])(?<!Rec\.) ", " ".join(contract.description.split()))[0].rstrip(".:;") + "."


def described(contract: Contract) -> list[str]:
    """One table: what a row is, its key, its columns."""
    lines = [f"## {contract.table}", "", contract.description, ""]
    lines.append(f"Key: {', '.join(f'`{name}`' for name in contract.key)}.")
    for role in dict.fromkeys(role for role, _ in contract.questions):
        codes = ", ".join(f"`{code}`" for whose, code in contract.questions if whose == role)
        lines.append(f"Questions to {ASKED[role]}: {codes}.")
    if contract.partition_by:
        lines.append(f"Replaced by {', '.join(f'`{name}`' for name in contract.partition_by)}.")
    lines += [f"Check `{name}`: `{condition}`." for name, condition in contract.checks]
    if contract.merge:
        of_rule: dict[str, list[str]] = {}
        for name, rule in contract.merge:
            of_rule.setdefault(rule, []).append(f"`{name}`")
        rules = "; ".join(f"{rule} of {', '.join(names)}" for rule, names in of_rule.items())
        lines.append(f"Rows of the same key in parts of the messages merge to: {rules}.")
    lines += ["", "| column | type | unit | what it is |", "|---|---|---|---|"]
    for field in contract.fields:
        text = field.description
        if meaning := dict(contract.meanings).get(field.name):
            text += f". Here: {meaning}"
        if field.codelist:
            known = list_codes(field.codelist)
            shown = ", ".join(f"`{code}`" for code in known) if len(known) <= 12 else f"{len(known)} codes"
            text += f" (list `{field.codelist}`: {shown})"
        kind = field.type.replace("|", "\\|")
        lines.append(f"| `{field.name}` | {kind} | {field.unit or ''} | {text.replace('|', chr(92) + '|')} |")
    return [*lines, ""]


def formats() -> str:
    """The list of formats as CSV: a row for each kernel, with the silver tables that take its rows, and
    the engines whose rules hold for them. names_signatures and has_numbers: true, or empty."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(
        ["code", "name", "description", "kind", "silver", "rules_of", "names_signatures", "has_numbers"]
    )
    rows.writerows(
        [
            *(each.name, each.title, each.description, each.kind, " ".join(each.silver)),
            " ".join(each.rules_of),
            *("true" if holds else "" for holds in (each.names_signatures, each.has_numbers)),
        ]
        for each in registry.KERNELS.values()
    )
    return text.getvalue()


def forms() -> str:
    """The TSB officer's guide with its table of which form feeds which table."""
    yearly = {
        (role, question.id) for question in list_questions() if question.yearly for role in question.who
    }
    given = {question.id for question in list_questions() if question.given}
    heads: dict[tuple[str, bool], str] = {}
    for role, name in ASKED.items():
        if any(role == whose for whose, _ in yearly):
            heads |= {(role, False): f"{name}, a year", (role, True): f"{name}, a quarter or month"}
        else:
            heads |= {(role, False): f"{name}, any period"}
    lines = [f"| table | {' | '.join(heads.values())} |", "|---" * (1 + len(heads)) + "|"]
    for table in tables_of("study"):
        asked = [each for each in read_contract(table).questions if each[1] not in given]
        if asked:
            cells = [
                format_questions(
                    [id for whose, id in asked if whose == role and not (is_short and (role, id) in yearly)]
                )
                for role, is_short in heads
            ]
            lines.append(f"| `{table}` | {' | '.join(cells)} |")
    before, _, rest = GUIDE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n".join([before + BEGIN, *lines, END]) + after


def format_questions(ids: list[str]) -> str:
    """Numbers of questions, consecutive ones as a range: 201–204, 301; a dash for none."""
    runs: list[list[int]] = []
    for number in sorted(int(each.removeprefix("sp")) for each in set(ids)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs) or "–"


def derived_files() -> dict[Path, Callable[[], str]]:
    """Each file and what writes it; the list of formats first, for the others read it."""
    pages = {SCHEMAS / folder_of(layer).name / "README.md": partial(layer_page, layer) for layer in LAYERS}
    suites = {
        suite_files.file_of(table): partial(suite_files.suite_text, table)
        for table in suite_files.suite_tables()
    }
    own = {SCHEMAS / "README.md": index, SETTINGS: settings_page.write_page, GUIDE: forms}
    return {FORMATS: formats, **own, **pages, **suites}


def main(arguments: list[str]) -> int:
    stale = []
    for file, derived in derived_files().items():
        text = derived()
        if file.exists() and file.read_text(encoding="utf-8") == text:
            continue
        stale.append(str(file.relative_to(SCHEMAS.parent)))
        if "--check" not in arguments:
            file.write_text(text, encoding="utf-8")
    for file in suite_files.surplus_files():
        stale.append(str(file.relative_to(SCHEMAS.parent)))
        if "--check" not in arguments:
            file.unlink()
    if stale and "--check" in arguments:
        print(f"{' and '.join(stale)}: stale, run `make derived`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
