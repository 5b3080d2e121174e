"""The report page: a static page that an operator can open, print and show.

The page loads nothing from other servers and runs no script. The same figures give the same bytes.
"""

from collections.abc import Sequence
from pathlib import Path

from expectations.native import Result
from jobs.base.page.blocks import Section
from jobs.base.page.templates import render_template
from jobs.operators.report import (
    audited,
    campaigns,
    content_types,
    definitions,
    downloads,
    header,
    hours,
    money,
    operations,
    routes,
    sources,
    stages,
    volumes,
)
from jobs.operators.report.figures import Figures
from jobs.operators.report.report import PageOrigin, Report
from jobs.operators.report.unclaimed import ReportedOperator

TEMPLATES = Path(__file__).parent / "templates"


def write_page(
    figures: Figures,
    operators: Sequence[ReportedOperator],
    validation: Sequence[Result],
    origin: PageOrigin,
    folder: Path,
) -> Path:
    """Write index.html, validation.html, a CSV for each figure and SHA256SUMS; the path of index.html.

    Args:
        operators: those of the settings.
        validation: the results of each rule of the last run.
    """
    report = Report(figures, {each.id: each for each in operators}, origin.location_name)
    folder.mkdir(parents=True, exist_ok=True)
    files = downloads.write_csvs(report, validation, folder)
    page = render_template(
        TEMPLATES,
        "index.html.j2",
        origin=origin,
        sources=downloads.source_lines(report, origin.run_id),
        headline=header.write_headline(report, origin.versions, origin.domains),
        sections=[
            *make_sections(report),
            operations.validation_section(validation),
            definitions.definitions_section(report),
        ],
        tiles=header.number_tiles(report),
        cards=header.channel_cards(report),
        audit_note=audited.audit_note(report),
        files=files,
    )
    # Rules of each table, the broken ones first.
    ordered = sorted(validation, key=lambda rule: (rule.table, rule.is_held))
    names = list(dict.fromkeys(rule.table for rule in ordered))
    results = [(name, [rule for rule in ordered if rule.table == name]) for name in names]
    checks = render_template(TEMPLATES, "validation.html.j2", origin=origin, results=results)
    files += [
        downloads.write_file(folder, name, text.encode())
        for name, text in (("index.html", page), ("validation.html", checks))
    ]
    listed = "".join(f"{each.digest}  {each.name}\n" for each in sorted(files, key=lambda each: each.name))
    (folder / "SHA256SUMS").write_text(listed, encoding="utf-8")
    return folder / "index.html"


def make_sections(report: Report) -> list[Section]:
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
        operations.coverage_section(report),
        operations.countermeasures_section(report),
        money.costs_section(report),
        operations.operators_section(report),
        hours.hours_section(report),
    ]
