"""Pages on the release itself: quality, method, dictionary, glossary, and how to use the data."""

import json
from collections.abc import Mapping
from pathlib import Path

from jobs.base.core import languages
from jobs.base.core.periods import last_day
from jobs.base.figures import words
from jobs.base.page.blocks import Cell, Column, Table
from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.study.release.codebook import NOTES, QUESTIONS
from jobs.study.release.released_tables import description_of, meanings_of
from jobs.study.site import sentences
from jobs.study.site.cells import text_column
from jobs.study.site.figures import SiteFigure
from jobs.study.site.names import describe_code, name_code
from jobs.study.site.pages import RULES, Page, PageSection, english_texts, links_to
from jobs.study.site.published_release import QUANTITIES, PublishedRelease
from jobs.study.site.table_views import TABLES
from jobs.study.site.texts import ESMS, GLOSSARY, about_table, say

SQL = (
    "SELECT area_name, share_pct, estimate, estimate_low, estimate_high\n"
    "FROM read_csv('data/{file}', types = {{'area_code': 'VARCHAR'}})\n"
    "WHERE {condition}\n"
    "ORDER BY share_pct DESC;"
)
CONDITION = {"channel_code": "EMAIL", "unit_code": "attempted", "definition_code": "OPERATOR"}
PANDAS = (
    "import pandas as pd\n\n"
    "rows = pd.read_csv('data/{file}', dtype={{'area_code': str}})\n"
    "found = rows.query(\"{condition}\").sort_values('share_pct', ascending=False)\n"
    "print(found[['area_name', 'share_pct', 'estimate', 'estimate_low', 'estimate_high']])"
)
R = (
    'rows <- read.csv("data/{file}", colClasses = c(area_code = "character"))\n'
    "found <- subset(rows, {condition})\n"
    'found[order(-found$share_pct), c("area_name", "share_pct", "estimate", "estimate_low", "estimate_high")]'
)

# Terms of the glossary that stand in no code list.
TERMS = ("holding", "subscription", "variation", "norm")
# Points of the method in short that have texts of their own.
METHOD = ("asked", "whom", "counted", "corrected", "estimated", "rounded")
# What readers ask for and no table has.
ABSENT = (
    "countries", "networks", "measures", "missed", "government", "economy", "years", "subscription", "people",
    "harm", "channels",
)  # fmt: skip


def about_pages(release: PublishedRelease, folder: Path) -> list[Page]:
    """Return the pages on quality, method, columns, words and files.

    Args:
        folder: of the release, for its validation.
    """
    return [
        quality_page(release, folder),
        method_page(),
        dictionary_page(release),
        glossary_page(),
        data_page(release),
    ]


def publisher_of(release: PublishedRelease) -> dict[str, str]:
    """Details a release gives of itself, for sentences."""
    about = release.about
    return {
        "publisher": about["publisher"],
        "contact": about["contact"],
        "licence": about["licence"],
        "title": about["title"],
        "version": about["version"],
        "name": f"{release.period}/{about['version']}",
        "day": languages.format_day(last_day(release.period)),
        "digest": release.digest,
        "published": publication_sentence(release),
        "address": str(about.get("address") or ""),
    }


def publication_sentence(release: PublishedRelease) -> str:
    """Write a sentence with the date of publication of a release."""
    day = release.published_date
    return say("published.on", day=languages.format_day(day)) if day else say("published.not")


def count_days(release: PublishedRelease) -> str:
    """Write how long it took to publish; empty for a release that is not published."""
    if not release.published_date:
        return ""
    days = (release.published_date - last_day(release.period)).days
    return say("published.after", days=languages.format_count(days))


def quality_page(release: PublishedRelease, folder: Path) -> Page:
    """The quality report in the order of ESMS."""
    passed, rules = count_rules(folder)
    protected, low = sentences.protected_counts(release)
    given = publisher_of(release) | {
        "tables": languages.format_count(len(release.tables)),
        "after": count_days(release),
        "rows": languages.format_count(sum(rows.height for rows in release.tables.values())),
        "periods": periods_of(release),
        "passed": languages.format_count(passed),
        "rules": languages.format_count(rules),
        "answered": " ".join(sentences.answered_sentences(release)),
        "all": languages.format_count(protected),
        "low": languages.format_count(low),
        "new": sentences.revisions(release),
        "changes": sentences.unsure_changes(release),
        "intervals": sentences.unsure_intervals(release),
        "made_up": say("band") if release.is_made_up else say("quality.no_comment"),
    }
    terms = [(f"{at}. {say(f'esms.{at}.head')}", say(f"esms.{at}.text", **given)) for at in ESMS]
    rules_held = [say(f"areas.rule.{rule}") for rule in RULES]
    return Page(
        "quality",
        say("page.quality"),
        say("quality.lead"),
        [
            PageSection(terms=terms),
            PageSection(say("quality.held"), [*rules_held, say("quality.held_count")]),
            PageSection(say("unsure"), sentences.whats_unsure(release)),
        ],
    )


def periods_of(release: PublishedRelease) -> str:
    """The periods that this study's figures are for, the latest first, with the tables of each."""
    found: dict[str, list[str]] = {}
    for name, view in TABLES.items():
        for code in release.tables[name]["period_code"].unique():
            found.setdefault(code, []).append(say(view.title))
    parts = [
        say("esms.5.part", period=sentences.name_period(code), tables=languages.join_parts(found[code]))
        for code in sorted(found, reverse=True)
    ]
    return say("between").join(parts)


def count_rules(folder: Path) -> tuple[int, int]:
    """Count rules on public tables, and those that passed."""
    results = json.loads((folder / "validation.json").read_bytes())["results"]
    each = [bool(rule["success"]) for table in results for rule in table["results"]]
    return sum(each), len(each)


def method_page() -> Page:
    arguments = [
        (f"{contract.name}, {column}", text)
        for contract in map(public_contract, public_tables())
        for column, text in contract.arguments.items()
    ]
    in_short = [(say(f"method.{point}.head"), say(f"method.{point}.text")) for point in METHOD]
    in_short += [
        (say("interval"), f"{say('method.interval.text')} {say('unsure.intervals')}"),
        (say("change"), f"{say('change.note')} {say('unsure.change')}"),
        (say("money"), say("money.apart")),
        (say("esms.7.head"), say("esms.7.text")),
    ]
    absent = [(say(f"absent.{point}.head"), say(f"absent.{point}.text")) for point in ABSENT]
    sections = [
        PageSection(say("method.short"), terms=in_short, links=links_to("glossary", "dictionary", "quality")),
        PageSection(
            say("absent"), terms=absent, links=links_to("policy", "measures", "users"), name="absent"
        ),
        PageSection(say("method.notes"), english_texts(), terms=NOTES, is_english=True),
        PageSection(say("method.questions"), terms=QUESTIONS, is_english=True),
        PageSection(say("method.leaves"), terms=arguments, is_english=True),
    ]
    return Page("method", say("page.method"), say("method.lead"), sections)


def dictionary_page(release: PublishedRelease) -> Page:
    sections, codes = [PageSection(texts=english_texts())], {}
    for contract in map(public_contract, public_tables()):
        rows = release.tables[contract.name]
        columns = [
            Column(say(f"dictionary.{each}"), "text", is_minor=each in ("role", "unit"))
            for each in ("column", "role", "unit", "means")
        ]
        lines = []
        for each in contract.columns:
            name = each.field.name
            if name not in rows.columns:
                continue
            lines.append(
                [Cell(name), Cell(each.role), Cell(each.field.unit or ""), Cell(description_of(name))]
            )
            used = set(rows[name].drop_nulls()) if each.role != "measure" and name != "area_code" else set()
            for code, meaning in (meanings_of(each) or {}).items():
                if code in used:
                    codes[name, code] = meaning
        table = Table(contract.name, columns, lines)
        about = name_code("table", contract.name, contract.description)
        figure = SiteFigure(contract.name, contract.name, about, table, is_english=True)
        sections.append(PageSection(figures=[figure]))
    columns = [text_column(f"dictionary.{each}") for each in ("column", "code", "means")]
    lines = [[Cell(name), Cell(code), Cell(meaning)] for (name, code), meaning in sorted(codes.items())]
    if lines:
        listed = Table(say("dictionary.codes"), columns, lines)
        figure = SiteFigure("", say("dictionary.codes"), "", listed, is_english=True)
        sections.append(PageSection(figures=[figure]))
    return Page("dictionary", say("page.dictionary"), say("dictionary.lead"), sections)


def glossary_page() -> Page:
    terms = [(say(f"glossary.{term}.head"), say(f"glossary.{term}.text")) for term in TERMS]
    sections = [PageSection(say("glossary.terms"), terms=terms)]
    for codelist in GLOSSARY:
        terms = [
            (name_code(codelist, code, row["name"]), describe_code(codelist, code, row["description"]))
            for code, row in words.codelist_rows(codelist).items()
        ]
        sections.append(PageSection(say(f"glossary.{codelist}"), terms=terms))
    return Page("glossary", say("page.glossary"), say("glossary.lead"), sections)


def write_code(release: PublishedRelease, template: str, equals: str, quote: str, between: str) -> str:
    """Lines that find the share of the front page's headline, and those of regions and groups."""
    main = sentences.main_rows(release).get("EMAIL", {"quantity_code": QUANTITIES[-1]})
    wanted = CONDITION | {"quantity_code": main["quantity_code"]}
    parts = [f"{name} {equals} {quote}{value}{quote}" for name, value in wanted.items()]
    parts.append(f"area_kind_code != {quote}country{quote}")
    return template.format(file=release.files["spam_volume"].name, condition=between.join(parts))


def lines_to_run(release: PublishedRelease) -> Mapping[str, str]:
    """Lines that read the volume of spam by e-mail, by the program that runs them."""
    return {
        "DuckDB": write_code(release, SQL, "=", "'", " AND "),
        "pandas": write_code(release, PANDAS, "==", "'", " and "),
        "R": write_code(release, R, "==", '"', " & "),
    }


def workbook_link(release: PublishedRelease) -> list[tuple[str, str]]:
    return [(release.workbook.name, f"data/{release.workbook.name}")] if release.workbook else []


def data_page(release: PublishedRelease) -> Page:
    given = publisher_of(release)
    before = sorted(set(release.revised["release"]) - {given["name"]})
    releases = say("data.releases", names=languages.join_parts(before)) if before else say("data.no_releases")
    columns = [
        text_column("data.table"),
        Column(say("data.rows"), is_minor=True),
        text_column("dictionary.means"),
    ]
    lines = [
        [
            Cell(file.name),
            Cell(languages.format_count(release.tables[name].height)),
            Cell(name_code("table", name, about_table(f"public.{name}"))),
        ]
        for name, file in release.files.items()
    ]
    files = SiteFigure("", say("data.files"), "", Table(say("data.files"), columns, lines))
    links = [(file.name, f"data/{file.name}") for file in release.files.values()]
    cited = f"{say('citation', table='…', **given)} {given['address']}".rstrip()
    return Page(
        "data",
        say("page.data"),
        say("data.lead"),
        [
            *(PageSection(program, code=code) for program, code in lines_to_run(release).items()),
            PageSection("Excel", [say("data.excel")], links=workbook_link(release)),
            PageSection(figures=[files], links=links),
            PageSection("", [say("data.folder", **given)]),
            PageSection(say("cite"), [cited, say("data.reuse", **given)]),
            PageSection(
                say("data.check"),
                [say("data.check_text"), say("data.check_site"), releases],
                code=f"observatory release verify {given['name']} --signers KEYS\nsha256sum -c files.sha256",
                links=[("files.sha256", "files.sha256")],
            ),
        ],
    )
