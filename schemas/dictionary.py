"""What derives from contracts and kernels: the data dictionary, schemas/README.md, and the list of formats.

python -m schemas.dictionary            writes both
python -m schemas.dictionary --check    exits 1 if one is stale
"""

from __future__ import annotations

import csv
import io
import sys

from jobs.core.contracts import CODELISTS, SCHEMAS, Contract, codes, contract, tables
from jobs.formats import registry

PAGE = SCHEMAS / "README.md"
FORMATS = CODELISTS / "format.csv"
LAYERS = {
    "bronze": "As received, typed; raw addresses and numbers; short retention.",
    "silver": "One row per message and recipient; pseudonyms only.",
    "gold": "Aggregates of one operator, unprotected.",
    "study": "Estimates across operators and from published models, unprotected.",
    "meta": "What ran.",
    "ref": "Definitions, rules and parameters, dated and sourced.",
}


def dictionary() -> str:
    """The page as Markdown: lineage, then every table with its columns."""
    lines = [
        "# Data dictionary",
        "",
        "Derived from `fields.yaml` and the contracts by `make derived`; do not edit.",
        "",
        "## Lineage",
        "",
        "```mermaid",
        "flowchart LR",
    ]
    for table in tables():
        lines += [
            f"  {source.replace('.', '_')} --> {table.replace('.', '_')}" for source in contract(table).reads
        ]
    lines += ["```", ""]
    for layer, about in LAYERS.items():
        lines += [f"## {layer}", "", about, ""]
        for table in tables():
            if contract(table).layer == layer:
                lines += described(contract(table))
    return "\n".join(lines).rstrip() + "\n"


def described(about: Contract) -> list[str]:
    """One table: what a row is, its key, its columns."""
    lines = [f"### {about.table}", "", about.description, ""]
    lines.append(f"Key: {', '.join(f'`{name}`' for name in about.key)}.")
    if about.partition_by:
        lines.append(f"Replaced by {', '.join(f'`{name}`' for name in about.partition_by)}.")
    lines += [f"Check `{name}`: `{condition}`." for name, condition in about.checks]
    if about.merge:
        of_rule: dict[str, list[str]] = {}
        for name, rule in about.merge:
            of_rule.setdefault(rule, []).append(f"`{name}`")
        rules = "; ".join(f"{rule} of {', '.join(names)}" for rule, names in of_rule.items())
        lines.append(f"Rows of the same key in parts of the messages merge to: {rules}.")
    lines += ["", "| column | type | unit | what it is |", "|---|---|---|---|"]
    for field in about.fields:
        text = field.description
        if field.codelist:
            known = codes(field.codelist)
            shown = ", ".join(f"`{code}`" for code in known) if len(known) <= 12 else f"{len(known)} codes"
            text += f" (list `{field.codelist}`: {shown})"
        kind = field.type.replace("|", "\\|")
        lines.append(f"| `{field.name}` | {kind} | {field.unit or ''} | {text.replace('|', chr(92) + '|')} |")
    return [*lines, ""]


def formats() -> str:
    """The list of formats as CSV: a row for each kernel, with the silver tables that take its rows."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["code", "name", "description", "kind", "silver"])
    rows.writerows(
        [each.name, each.title, each.description, each.kind, " ".join(each.silver)]
        for each in registry.KERNELS.values()
    )
    return text.getvalue()


def main(arguments: list[str]) -> int:
    without = [name for name in registry.KERNELS if f"bronze.{name}" not in tables()]
    for name in without:
        print(f"jobs/formats/{name}.py has no schemas/bronze/{name}.yaml", file=sys.stderr)
    if without:
        return 1
    stale = []
    # The dictionary reads the list.
    for file, derived in ((FORMATS, formats), (PAGE, dictionary)):
        text = derived()
        if file.exists() and file.read_text(encoding="utf-8") == text:
            continue
        stale.append(str(file.relative_to(SCHEMAS.parent)))
        if "--check" not in arguments:
            file.write_text(text, encoding="utf-8")
    if stale and "--check" in arguments:
        print(f"{' and '.join(stale)}: stale, run `make derived`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
