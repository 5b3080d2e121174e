"""Pages of the site and their content: sections of sentences, figures and lists."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import polars as pl

from jobs.base.core import languages
from jobs.base.costs.prices import base_year
from jobs.base.page.blocks import Cell, Column
from jobs.base.tables.contracts import Row, reference_rows
from jobs.base.tables.public_contracts import PublicColumn, PublicContract, public_contract
from jobs.study.release.released_tables import AREA, COMMON, PART, WHOLE, area_codes, published_codes
from jobs.study.site import cells, figures, money_figures, sentences, table_views
from jobs.study.site.cells import ShownColumn, english_cell
from jobs.study.site.figures import SiteFigure
from jobs.study.site.names import (
    name_code,
    name_place,
    name_question,
    name_region,
    name_type,
    sort_key,
)
from jobs.study.site.published_release import KINDS, PublishedRelease
from jobs.study.site.sentences import ChannelCard, name_period
from jobs.study.site.texts import about_table, page_file, say

# A page with so many titles begins with a list of them.
LONG = 4
RULES = ("holdings", "dominance", "silent", "attack", "consent")


@dataclass(frozen=True)
class PageSection:
    """A section of a page of the site.

    Attributes:
        title: empty for the first of a page.
        terms: words with their meanings.
        links: names with their files.
        code: lines to run, as they are.
        is_english: its terms are, in every language.
        name: of the place in the page, where another page leads to it.
    """

    title: str = ""
    texts: Sequence[str] = ()
    figures: Sequence[SiteFigure] = ()
    terms: Sequence[tuple[str, str]] = ()
    links: Sequence[tuple[str, str]] = ()
    code: str = ""
    is_english: bool = False
    name: str = ""


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        name: of its file, without .html.
        cards: of the front page.
        parent: the name of the page that leads to it.
    """

    name: str
    title: str
    lead: str
    sections: Sequence[PageSection]
    cards: Sequence[ChannelCard] = field(default_factory=list)
    parent: str = ""

    def places(self) -> list[tuple[str, str]]:
        """The sections with titles and the figures of a page, in order: the name of the place, and the
        title."""
        found, count = [], 0
        for at, section in enumerate(self.sections, 1):
            if section.title:
                found.append((section.name or f"section-{at}", section.title))
            for figure in section.figures:
                count += 1
                found.append((f"figure-{count}", figure.title))
        return found

    def contents(self) -> list[tuple[str, str]]:
        """Table of contents; empty on the front page, whose cards come first, and on short pages."""
        places = self.places()
        return places if self.name != "index" and len(places) >= LONG else []


# Of each subject the figures, and why it may have none.
SUBJECTS: Mapping[str, tuple[Callable[[PublishedRelease], list[SiteFigure]], str]] = {
    "volume": (figures.volume_figures, "why_held"),
    "types": (figures.type_figures, "why_held"),
    "sources": (figures.source_figures, "why_held"),
    "routes": (figures.route_figures, "why_held"),
    "measures": (money_figures.measure_figures, "why_money"),
    "investment": (money_figures.investment_figures, "why_money"),
    "policy": (money_figures.policy_figures, "why_held"),
    "users": (money_figures.user_figures, "why_held"),
    "others": (money_figures.other_figures, "why_held"),
}


# Subjects whose tables have texts as their sources have them.
IN_ENGLISH = ("users", "others")


def main_pages(release: PublishedRelease) -> list[Page]:
    """The front page, a page for each subject, the list of areas, and a page for each area."""
    return [
        front_page(release),
        *(subject_page(release, name) for name in SUBJECTS),
        *country_pages(release),
        areas_page(release),
        *(area_page(release, area) for area in release.areas),
    ]


def front_page(release: PublishedRelease) -> Page:
    """The front page, in the present language."""
    found = figures.map_figure(release)
    who_answered = sentences.answered_sentences(release) + sentences.answered_on_spending(release)
    who_answered = who_answered or [say("card.none")]
    take_part = say("answered.take_part", contact=release.about["contact"])
    sections = [
        PageSection(figures=[found] if found else [], links=[(say("more"), page_file("volume"))]),
        PageSection(say("answered"), [*who_answered, take_part], links=links_to("method")),
        PageSection(say("money"), sentences.money(release), links=links_to("measures", "investment")),
        PageSection(say("new"), sentences.whats_new(release)),
        PageSection(
            say("unsure"),
            sentences.whats_unsure(release),
            links=[*links_to("quality"), (say("absent"), f"{page_file('method')}#absent")],
        ),
    ]
    title = release.about["title"]
    if not languages.is_english():
        title = say("title", period=name_period(release.period))
    return Page("index", title, sentences.headline(release), sections, sentences.cards(release))


def links_to(*names: str) -> list[tuple[str, str]]:
    return [(say(f"page.{name}"), page_file(name)) for name in names]


def subject_page(release: PublishedRelease, name: str) -> Page:
    make, why = SUBJECTS[name]
    found = make(release)
    texts = [] if found else [say("no_rows", why=say(why))]
    if name == "volume" and release.tables["volume_change"].is_empty():
        texts.append(say("no_rows", why=say("why_change")))
    if name == "investment" and found and release.tables["investment_gap"].is_empty():
        texts.append(say("why_norm"))
    if name == "others" and found and release.is_made_up:
        texts.append(say("others.real", column=say("others.own")))
    if name in IN_ENGLISH and found:
        texts += english_texts()
    countries = figures.country_figures(release) if name == "volume" else {}
    links = [(each.title, page_file(countries_page(channel))) for channel, each in countries.items()]
    sections = [PageSection(texts=texts, figures=found, links=links)]
    return Page(name, say(f"page.{name}"), say(f"{name}.lead", year=base_year()), sections)


def countries_page(channel: str) -> str:
    """The name of the page of a channel's countries."""
    return f"volume-{channel.lower()}"


def country_pages(release: PublishedRelease) -> list[Page]:
    """Volumes of countries, a page for each channel: the tables of all channels would make one too large."""
    return [
        Page(
            countries_page(channel),
            f"{say('page.volume')}: {sentences.name_channel(channel)}",
            say("volume.lead"),
            [PageSection(figures=[each])],
            parent="volume",
        )
        for channel, each in figures.country_figures(release).items()
    ]


def english_texts() -> list[str]:
    """Note on texts that stay English in other languages."""
    return [say("english_texts")] if not languages.is_english() else []


# --- areas ------------------------------------------------------------------------------------------


def page_of(area: str) -> str:
    """The name of an area's page."""
    return f"area-{area.lower()}"


def areas_page(release: PublishedRelease) -> Page:
    sections = []
    names = [(area, name_place(area, label)) for area, label in release.areas.items()]
    names.sort(key=lambda each: sort_key(each[1]))
    for kind in KINDS:
        own = [(name, page_file(page_of(area))) for area, name in names if release.kind_of(area) == kind]
        if own:
            sections.append(PageSection(say(f"areas.{kind}"), links=own))  # fmt: skip
    rules = [say(f"areas.rule.{rule}") for rule in RULES]
    texts = [say("areas.rules"), *rules, say("areas.ask", contact=release.about["contact"])]
    texts.append(list_without(release))
    return Page(
        "areas", say("page.areas"), say("areas.lead"), [*sections, PageSection(say("areas.without"), texts)]
    )


def list_without(release: PublishedRelease) -> str:
    """List the countries without a page. A study of few countries does not publish which it covers."""
    world, countries_alone = WHOLE
    if countries_alone in release.areas and world not in release.areas:
        return say("areas.part")
    without = [
        name_place(*area_codes()[row["iso3"]])
        for row in reference_rows("country")
        if row["itu_region"] and not row["valid_to"] and row["m49"] not in release.areas
    ]
    return say("areas.list", names=languages.join_parts(sorted(without, key=sort_key)))


def area_page(release: PublishedRelease, area: str) -> Page:
    """An area beside all countries together, and every published row of it, by table. Some rows of an area
    are of a part of its countries alone, which has a page of its own: each leads to the other."""
    label = name_place(area, release.areas[area])
    headline = sentences.headline(release, [area])
    lead = say("area.none", area=label) if headline == say("headline.none") else headline
    rows = release.rows_of_area[area]
    found = figures.comparison_figures(release, area)
    found += [area_figure(name, rows[name]) for name in table_views.TABLES if name in rows]
    links = [
        (name_place(other, release.areas[other]), page_file(page_of(other)))
        for other in (area + PART, area.removesuffix(PART))
        if other != area and other in release.areas
    ]
    sections = [PageSection(texts=[say("area.lead", area=label)], figures=found, links=links)]
    return Page(page_of(area), label, lead, sections, parent="areas")


def area_figure(name: str, rows: pl.DataFrame) -> SiteFigure:
    """The rows of a table for one area, with codes by their names."""
    contract = public_contract(f"public.{name}")
    title = say(
        "area.title", table=say(table_views.TABLES[name].title), area=cells.label_of(rows.row(0, named=True))
    )
    shown = [*key_columns(contract, rows), *table_views.TABLES[name].columns()]
    table = table_views.shown_table(title, rows.to_dicts(), shown)
    about = name_code("table", name, about_table(contract.table))
    about = f"{about} {describe_alike(contract, rows)}".strip()
    return SiteFigure(name, title, about, table, table_views.reading_note(name, rows))


# Parts of a key that are said above a table in which they do not differ; what a figure is of is a column.
SAID = (
    "period_code", "unit_code", "definition_code", "quantity_code", "conversion_code",
    "match_code", "origin_region_code", "earlier_period_code", "later_period_code", "target_code",
)  # fmt: skip


def is_said(key: str, rows: pl.DataFrame) -> bool:
    return key in SAID and rows[key].n_unique() == 1


def describe_alike(contract: PublicContract, rows: pl.DataFrame) -> str:
    """Period, unit and the like, as far as they are the same in all rows."""
    columns_of = {each.field.name: each for each in contract.columns}
    row = rows.row(0, named=True)
    return say("between").join(
        f"{say(HEADINGS[key])}: {name_key(row, columns_of[key])}"
        for key in contract.key
        if is_said(key, rows)
    )


def key_columns(contract: PublicContract, rows: pl.DataFrame) -> list[ShownColumn]:
    """The parts of a table's key that are not said above it; not the area."""
    columns_of = {each.field.name: each for each in contract.columns}
    return [
        (Column(say(HEADINGS[key]), "text"), partial(key_cell, column=columns_of[key]))
        for key in contract.key
        if key != AREA and not is_said(key, rows)
    ]


HEADINGS = {
    "period_code": "column.period", "channel_code": "column.channel",
    "unit_code": "column.unit", "definition_code": "column.definition",
    "quantity_code": "column.quantity",
    "spam_type_code": "part.type", "source_region_code": "part.source",
    "link_code": "part.route",
    "strategy_code": "column.strategy", "component_code": "column.component",
    "cost_component_code": "column.component", "conversion_code": "column.conversion",
    "indicator_code": "policy.line", "answer_code": "policy.answer",
    "match_code": "column.match",
    "user_cost_code": "users.what", "origin_region_code": "column.origin",
    "earlier_period_code": "column.earlier", "target_code": "column.target",
    "later_period_code": "column.later",
}  # fmt: skip


def name_key(row: Row, column: PublicColumn) -> str:
    """Value of a key column, in words."""
    key = column.field.name
    code: str = row[key]
    if key.endswith("period_code"):
        return name_period(code)
    if key == "indicator_code":
        return name_question(code, row["indicator_text"])
    if key == "user_cost_code":
        return str(row["description"])
    if key == "spam_type_code" and code not in COMMON:
        return name_type(code)
    if key in ("source_region_code", "origin_region_code"):
        return name_region(code)
    codelist = column.field.codelist or ""
    english = (published_codes(column) or {}).get(code, code)
    return name_code("definition" if codelist.startswith("ref.") else codelist, code, english)


def key_cell(row: Row, column: PublicColumn) -> Cell:
    write = english_cell if column.field.name == "user_cost_code" else Cell
    return write(name_key(row, column))
