"""The report page: a static page that an operator can open, print and show.

`gather_figures` computes the few figures that the page shows; `write_page` draws them. The page loads nothing
from other servers and runs no script. The same figures give the same bytes.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import polars as pl
from markupsafe import Markup

from jobs.core import words
from jobs.core.counting_rules import ATTEMPTED
from jobs.report import (
    accounts,
    audited,
    campaigns,
    content_types,
    definitions,
    hours,
    provenance,
    routes,
    sources,
    stages,
    volumes,
)
from jobs.report.blocks import Part, Section
from jobs.report.figures import FIGURES
from jobs.report.gather import gather_figures
from jobs.report.operators import ReportedOperator
from jobs.report.report import EXPECTED, Report, channel_name, share_bar, spam_range
from jobs.report.unclaimed import describe_unclaimed, unclaimed_channels

__all__ = ["FIGURES", "gather_figures", "write_page"]

TEMPLATES = Path(__file__).parent / "templates"
CONTENTS = {
    "volume.csv": "Volume by operator, channel, direction and definition of spam",
    "bases.csv": "The same spam, of recipients, of attempts too, and by M3AAWG's metrics",
    "daily.csv": "Volume and spam per day and channel",
    "operator_days.csv": "Volume and spam per day, channel and operator",
    "days.csv": "Days with data by operator and channel",
    "types.csv": "Spam by content type",
    "type_coverage.csv": "How much of what filters marked has a type",
    "campaigns.csv": "The largest campaigns of the operators' last days",
    "campaign_days.csv": "Copies of these campaigns per day",
    "routes.csv": "Spam by origin, inbound link and destination",
    "origins.csv": "Spam by country of origin, observed or only claimed",
    "transits.csv": "Spam by transit",
    "bypass.csv": "Signs of bypass by inbound link",
    "countries.csv": "Spam by country of origin",
    "networks.csv": "Networks that sent most spam",
    "stages.csv": "Volume and spam by stage and outcome",
    "hours.csv": "Units, bytes and delays by operator, channel, direction and hour of the day",
    "effort.csv": "What countermeasures examined and acted on",
    "complaints.csv": "What receivers complained about",
    "quality.csv": "What filters saw, and what audits and tests say of it",
    "quality_parts.csv": "How often filters err by band of the score and by what has a type",
    "type_quality.csv": "What filters saw of each type, and what audits say of it",
    "costs.csv": "Cost by countermeasure: 5, 50 and 95% points",
    "coverage.csv": "Files and lines read, by operator and format",
    "validation.csv": "Results of every validation rule",
}
# The name of the units in the denominator of every share.
UNITS_NAME = words.lower_first(
    next(row["name"] for row in words.reference("measure") if row["measure_code"] == ATTEMPTED)
)
# For each column of codes: the function that returns the name of a code.
NAMES = {
    "channel_code": lambda code: words.code_name("channel", code),
    "direction_code": lambda code: words.code_name("direction", code),
    "measure_code": words.measure_name,
    "unit_code": lambda code: words.code_name("unit", code),
    "engine_code": lambda code: words.code_name("engine", code),
    "spam_type_code": words.type_name,
    "feedback_type_code": lambda code: words.code_name("feedback_type", code),
    "signature_kind_code": lambda code: words.code_name("signature_kind", code),
    "bypass_code": lambda code: words.code_name("bypass", code),
    "transit_code": lambda code: words.code_name("route", code),
    "origin_code": words.country_name,
    "destination_code": words.country_name,
    "source_country_code": words.country_name,
    "inbound_link_code": lambda code: words.code_name("route", code),
    "stage_code": lambda code: words.code_name("stage", code),
    "outcome_code": lambda code: words.code_name("outcome", code),
    "countermeasure_code": lambda code: words.code_name("countermeasure", code),
    "strategy_code": lambda code: words.code_name("strategy", code) if code else "",
    "bound_code": lambda code: words.code_name("bound", code) if code else "",
    "cost_component_code": lambda code: words.code_name("cost_component", code),
    "quality_method_code": lambda code: words.code_name("quality_method", code) if code else "",
    "format_code": lambda code: words.code_name("format", code),
}


def write_page(
    figures: dict[str, pl.DataFrame],
    operators: list[ReportedOperator],
    validation: list[dict[str, Any]],
    about: dict[str, Any],
    folder: Path,
) -> Path:
    """Write index.html, validation.html, a CSV for each figure and SHA256SUMS; the path of index.html.

    figures: those of FIGURES; a missing one counts as empty.
    operators: those of the settings.
    validation: table, rule, says, is_held, violations and examples of each rule of the last run.
    about: run_id, generated_at, code_revision, versions (of tables), location_name, left_out (operators
        of the lake that no figure has), doubts (sentences on what makes figures doubtful).
    """
    tables = {name: figures.get(name, pl.DataFrame(schema=schema)) for name, schema in FIGURES.items()}
    report = Report(tables, {each.id: each for each in operators}, about.get("location_name"))
    pages = [
        *list_sections(report),
        accounts.validation_section(validation),
        definitions.definitions_section(report),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    sums = write_csvs(report, validation, folder)
    given = {
        "sources": provenance.source_lines(report, about["run_id"]),
        "about": about
        | {"generated": words.format_time(about["generated_at"]) if about.get("generated_at") else ""},
        "words": words,
        "style": Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
    }
    files = [(name, CONTENTS[name], size) for name, (size, _) in sums.items()]
    page = (
        load_templates()
        .get_template("index.html.j2")
        .render(
            given,
            headline=write_headline(report, about.get("versions", {}), about.get("domains", [])),
            sections=pages,
            tiles=number_tiles(report),
            cards=channel_cards(report),
            audit_note=audited.audit_note(report),
            files=files,
        )
    )
    checks = (
        load_templates().get_template("validation.html.j2").render(given, results=rules_by_table(validation))
    )
    for name, text in (("index.html", page), ("validation.html", checks)):
        data = text.encode()
        (folder / name).write_bytes(data)
        sums[name] = (len(data), hashlib.sha256(data).hexdigest())
    listed = "".join(f"{digest}  {name}\n" for name, (_, digest) in sorted(sums.items()))
    (folder / "SHA256SUMS").write_text(listed, encoding="utf-8")
    return folder / "index.html"


@cache
def load_templates() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(TEMPLATES)
    return jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )


def list_sections(report: Report) -> list[Section]:
    """The sections, in the order of the page."""
    return [
        definitions.shares_section(report),
        volumes.time_section(report),
        content_types.types_section(report),
        campaigns.campaigns_section(report),
        routes.routes_section(report),
        sources.sources_section(report),
        stages.stages_section(report),
        audited.filters_section(report),
        accounts.coverage_section(report),
        accounts.countermeasures_section(report),
        accounts.costs_section(report),
        accounts.operators_section(report),
        hours.hours_section(report),
    ]


@dataclass(frozen=True)
class Headline:
    """text: the first line of the page. base: the sentences below it, on what the shares are shares of."""

    text: str
    base: str


@dataclass(frozen=True)
class Card:
    """A channel's card, with its numbers as text. share: empty if the channel has no traffic.

    is_nobodys: most of the channel's traffic is unclaimed. spam: certain to possible. undecided: a share.
    """

    name: str
    is_nobodys: bool
    share: str = ""
    bar: tuple[Part, ...] = ()
    counted: str = ""
    error: str = ""
    complaints: str = ""
    spam: str = ""
    all: str = ""
    undecided: str = ""


def write_headline(report: Report, versions: dict[str, int], domains: list[str]) -> Headline:
    """The headline: spam shares with their intervals; below it, what they are shares of.

    versions: of all tables. domains: those of the recipients, if the operator's own domains are not known.
    """
    nobodys = unclaimed_channels(report.unclaimed, report.figures["directions"])
    told = " ".join(
        describe_unclaimed(each, domains) for each in report.unclaimed if each.channel_code in nobodys
    )
    totals = [row for row in report.totals if row["channel_code"] not in nobodys]
    if not totals and nobodys:
        names = words.join_words([channel_name(code, inside=True) for code in nobodys])
        what = "domains" if "EMAIL" in nobodys else "numbers"
        return Headline(f"Most {names} here is nobody's: name the operator's {what}", told)
    if not totals:
        base = "The tables hold no inbound or internal message."
        if any(table.startswith("study.") for table in versions):
            base += " Estimates are in the tables study.*: `observatory study estimate` prints them."
        return Headline("No traffic has been counted yet", base)
    parts = [
        f"{spam_range(audited.with_filter_error(report, row))} of"
        f" {channel_name(row['channel_code'], inside=True)}"
        for row in totals
    ]
    amounts = [
        f"{words.format_rounded(row['units'])} {channel_name(row['channel_code'], inside=True)} {UNITS_NAME}"
        for row in totals
    ]
    first, last = first_and_last_day(report)
    there = set(report.figures["days"]["operator_id"])
    countries = {report.operators[code].country for code in there if code in report.operators}
    who = words.with_noun(len(there), "operator")
    where = f" in {words.with_noun(len(countries), 'country', 'countries')}" if countries else ""
    return Headline(
        f"Spam was {words.join_words(parts)}",
        f"Of {words.join_words(amounts)} at {who}{where}, {words.format_days(first, last)}."
        f" {audited.audit_note(report)}{' ' if told else ''}{told}",
    )


def first_and_last_day(report: Report) -> tuple[dt.date, dt.date]:
    days = report.figures["daily"]["period_date"]
    return days.min(), days.max()  # type: ignore[return-value]


def channel_cards(report: Report) -> list[Card]:
    """A card for each channel: its spam share, and the units that it is a share of."""
    nobodys = unclaimed_channels(report.unclaimed, report.figures["directions"])
    made = [
        Card(
            name=channel_name(row["channel_code"]),
            share=spam_range(audited.with_filter_error(report, row)),
            is_nobodys=row["channel_code"] in nobodys,
            bar=share_bar(audited.with_filter_error(report, row)),
            counted=counted_share(report, row),
            error=audited.describe_error(audited.correct_channel(report, row)),
            complaints=describe_complaints(report, row["channel_code"]),
            spam=words.format_range(row["spam_certain"], row["spam_possible"]),
            all=f"{words.format_rounded(row['units'])} {UNITS_NAME}",
            undecided=words.format_percent(
                words.share_of(row["spam_possible"] - row["spam_certain"], row["units"])
            ),
        )
        for row in report.totals
    ]
    absent = [code for code in EXPECTED if code not in report.channels]
    return made + [Card(channel_name(code), is_nobodys=code in nobodys) for code in absent]


def describe_complaints(report: Report, channel: str) -> str:
    """How often receivers complained, by kind of complaint; empty without complaints."""
    rows = report.figures["complaints"].filter(pl.col("channel_code") == channel)
    if rows.is_empty():
        return ""
    rows = rows.sort(-pl.col("complaint_count"), "feedback_type_code")
    counts = {
        words.lower_first(words.code_name("feedback_type", code)): count
        for code, count in rows.select("feedback_type_code", "complaint_count").rows()
    }
    kinds = (
        [f"{kind} {words.format_count(count)}" for kind, count in counts.items()]
        if len(counts) > 1
        else counts
    )
    times = words.with_noun(sum(counts.values()), "time")
    return f"Receivers complained {times} ({', '.join(kinds)}), which adds nothing to the share."


def counted_share(report: Report, row: dict[str, Any]) -> str:
    """The share before it is corrected for filter error; empty if it was not corrected."""
    return f", {spam_range(row)}" if audited.correct_channel(report, row).share else ""


def number_tiles(report: Report) -> list[tuple[str, str]]:
    """The report in five numbers: operators, days, files, lines, share in quarantine."""
    days, read = report.figures["days"], report.figures["coverage"]
    there = set(days["operator_id"])
    days_there, file_count = report.figures["daily"]["period_date"].n_unique(), int(read["file_count"].sum())
    lines = int(read["line_count"].sum())
    share = words.share_of(int(read["quarantined_count"].sum()), lines)
    return [
        (words.format_count(len(there)), "operator" if len(there) == 1 else "operators"),
        (words.format_count(days_there), "day with data" if days_there == 1 else "days with data"),
        (words.format_rounded(file_count), "log file" if file_count == 1 else "log files"),
        (words.format_rounded(lines), "lines read"),
        (words.format_percent(share), "of lines in quarantine"),
    ]


def rules_by_table(validation: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Rules of each table, the broken ones first."""
    ordered = sorted(validation, key=lambda rule: (rule["table"], rule["is_held"]))
    names = list(dict.fromkeys(rule["table"] for rule in ordered))
    return [(name, [rule for rule in ordered if rule["table"] == name]) for name in names]


def write_csvs(report: Report, validation: list[dict[str, Any]], folder: Path) -> dict[str, tuple[int, str]]:
    """Write the numbers of every figure, codes with their names; size and SHA-256 of each file."""
    frames = {f"{name}.csv": add_names(report, table) for name, table in report.figures.items()}
    schema = {
        "table": pl.String,
        "rule": pl.String,
        "says": pl.String,
        "is_held": pl.Boolean,
        "violations": pl.Int64,
    }
    kept = [{column: rule[column] for column in schema} for rule in validation]
    frames["validation.csv"] = pl.DataFrame(kept, schema=schema).sort("table", "rule")
    written = {}
    for name in CONTENTS:
        data = frames[name].write_csv().encode()
        (folder / name).write_bytes(data)
        written[name] = (len(data), hashlib.sha256(data).hexdigest())
    return written


def add_names(report: Report, table: pl.DataFrame) -> pl.DataFrame:
    """The table in a fixed order, with a column of names after each column of codes."""
    ordered = table.sort(pl.all())
    columns: list[pl.Series] = []
    names_of = NAMES | {"operator_id": report.operator_name, "definition_code": report.definition_name}
    for column in ordered.columns:
        columns.append(ordered[column])
        naming = names_of.get(column)
        if naming is not None:
            names = [naming(code) for code in ordered[column]]
            title = f"{column.removesuffix('_code').removesuffix('_id')}_name"
            columns.append(pl.Series(title, names, dtype=pl.String))
    return pl.DataFrame(columns)
