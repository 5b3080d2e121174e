"""The summary that a person approves: headline figures, changes, rows held back, findings, and the digest."""

import json
from collections import Counter
from pathlib import Path

import polars as pl

from jobs.base.core.numbers import count_noun, format_count, format_noun
from jobs.base.figures import words
from jobs.base.figures.counting_rules import OPERATOR
from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.study.release import clearance, comparing, decisions, folders, manifest
from jobs.study.release.production import note_areas, note_unquoted, note_unrevised
from jobs.study.release.released_tables import WHOLE


def text_of(folder: Path, restricted: Path, digest: str) -> str:
    """The summary as Markdown.

    Args:
        digest: of the release's manifest.
    """
    about = manifest.read_manifest(folder)
    tables = comparing.tables_in(folder)
    parts = [
        f"# {about['title']}",
        f"Release {about['period']}/{about['version']} of {about['agency']}, made by program version"
        f" {about['software']}.",
        "## Headline figures",
        "\n".join(list_headlines(tables)) or "None of all countries together.",
        "## Tables",
        "\n".join(describe_table(name, rows.height) for name, rows in tables.items()),
        "## Changes since the last release of this period",
        " ".join([count_changes(folder, restricted), *note_unquoted(tables), *note_unrevised(tables)]),
        "## Held back, by rule",
        count_by(restricted / "held.csv", "rule") or "No row.",
        "## Left out",
        "\n".join(f"- {each}" for each in list_rows_left_out(restricted))
        or "No country on a decision, and no area.",
        "## The attack",
        describe_findings(restricted / "attack.csv"),
        "## Clearance",
        describe_clearance(folder, restricted, digest),
        f"Digest: `{digest}`",
    ]
    return "\n\n".join(parts)


def list_headlines(tables: dict[str, pl.DataFrame]) -> list[str]:
    """The figures of all countries together: spam by the operators' own definition, and all spending."""
    found = []
    volume = tables.get("spam_volume")
    if volume is not None:
        of_world = volume.filter(
            pl.col("area_code").is_in(WHOLE) & (pl.col("definition_code") == OPERATOR)
        ).sort("period_code", "channel_code", "unit_code", "quantity_code")
        for row in of_world.filter(pl.col("quantity_code").str.starts_with("spam")).to_dicts():
            found.append(
                f"- {row['area_name']}, {row['period_code']},"
                f" {words.code_name('channel', row['channel_code'])},"
                f" {words.code_name('quantity', row['quantity_code']).lower()}, {row['unit_code']}:"
                f" {format_count(row['estimate'] or 0)}{format_interval(row)}"
            )
    money = tables.get("investment")
    if money is not None:
        whole = money.filter(
            pl.col("area_code").is_in(WHOLE),
            pl.col("strategy_code") == "_T",
            pl.col("component_code") == "_T",
            pl.col("conversion_code") == "market",
        )
        for row in whole.to_dicts():
            found.append(
                f"- {row['area_name']}, {row['period_code']},"
                f" {words.code_name('channel', row['channel_code'])}, spending on it:"
                f" {format_count(row['estimate'] or 0)} US dollars{format_interval(row)}"
            )
    return found


def format_interval(row: dict[str, str | None]) -> str:
    if not row["estimate_low"] or not row["estimate_high"]:
        return ""
    return f" (95% interval {format_count(row['estimate_low'])} to {format_count(row['estimate_high'])})"


def describe_table(name: str, count: int) -> str:
    """A table's rows; of one without rows when a row stands, as its contract says it."""
    line = f"- {name}: {count:,} rows"
    if count or f"public.{name}" not in public_tables():
        return line
    sentences = public_contract(f"public.{name}").description.removesuffix(".").split(". ")
    needed = [each for each in sentences if " stands where " in each or " stand where " in each]
    return f"{line}. {needed[0].replace('They ', 'Rows ', 1)}." if needed else line


def count_changes(folder: Path, restricted: Path) -> str:
    """Count the rows that came, went and changed, by the release's own revision log."""
    earlier = json.loads((restricted / folders.ABOUT).read_bytes())["earlier"]
    if not any(name.startswith(f"{restricted.parent.name}/") for name in earlier):
        return (
            "None: no version of this period was published before. `observatory release diff` compares with"
            " one that was only made."
        )
    counted = [f"{count:,} rows {kind}" for kind, count in comparing.count_logged(folder).items()]
    return f"{', '.join(counted) or 'None'}."


def count_by(file: Path, column: str) -> str:
    rows = pl.read_csv(file, infer_schema=False)
    return "\n".join(
        f"- {name}: {count:,}" for name, count in sorted(Counter(rows[column].to_list()).items())
    )


def list_rows_left_out(restricted: Path) -> list[str]:
    """The countries whose rows a decision on an earlier version left out, with who decided it and why; and
    the areas that were left out because they reveal a contribution."""
    left_out = json.loads((restricted / folders.ABOUT).read_bytes())["left_out"]
    decided = {}
    for version in folders.versions_in(restricted.parents[1], restricted.parent.name):
        for each in decisions.read_decisions(restricted.with_name(version)):
            if each.what == clearance.LEFT_OUT and each.about in left_out:
                decided[each.about] = f"of {each.by} on {version}: {each.reason}"
    lines = [
        f"Rows of {country}, by decision {decided.get(country, 'on an objection')}" for country in left_out
    ]
    return [*lines, *note_areas(pl.read_csv(restricted / "held.csv", infer_schema=False))]


def describe_findings(file: Path) -> str:
    rows = pl.read_csv(file, infer_schema=False)
    if rows.is_empty():
        return "It found no contribution of any holding, and no row was dropped for it."
    return (
        f"It found {count_noun(rows.height, 'contribution')} on the way; what revealed any was dropped, and"
        " it finds nothing in what is left."
    )


def describe_clearance(folder: Path, restricted: Path, digest: str) -> str:
    """Describe whose rows leave, and who was asked.

    Args:
        folder: of the release itself.
    """
    asked = clearance.read_clearance(restricted)
    if asked is None or asked.digest != digest:
        row_counts = clearance.count_country_rows(comparing.areas_in(folder))
        named = f": {', '.join(row_counts)}" if row_counts else ""
        countries = format_noun(len(row_counts), "country", "countries")
        return f"The administrations were not asked yet. Rows of {countries} leave{named}"
    objections = f"{format_noun(len(asked.open_objections), 'objection')} open"
    first, *grounds = clearance.describe_grounds(asked)
    return "\n".join(
        [f"Answers until {asked.deadline}; {objections}. {first}", "", *(f"- {each}" for each in grounds)]
    ).rstrip()
