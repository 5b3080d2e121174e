"""The commands `observatory study feedback` and `brief`: what respondents and administrations get back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.base.core.choices import refuse_unknown
from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import format_noun
from jobs.base.core.periods import last_day
from jobs.base.settings import config
from jobs.base.settings.config import Observatory
from jobs.base.settings.countries import country_codes, nearest_country
from jobs.cli.arguments import Config
from jobs.cli.console import out, write_own
from jobs.study.questionnaire.definition import load_definition
from jobs.study.questionnaire.landing import TABLE
from jobs.study.questionnaire.respondents import load_respondents

# Polars takes a part of a second to import.
if TYPE_CHECKING:
    import polars as pl

Name = Annotated[str, typer.Argument(help="A published release, as 2026-Q4/v1.0.0.", metavar="RELEASE")]


def feedback(
    release: Name,
    config_file: Config = Path("observatory.toml"),
    respondent: Annotated[
        list[str] | None, typer.Option(help="These respondents, by id. Default: all operators.")
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder of the pages and sheets.")] = Path("feedback"),
) -> None:
    """Write a page and a sheet for each respondent: its own figures beside the published ones of its areas.

    They hold published rows and the respondent's own answers alone. Send each to its respondent only.
    """
    from jobs.study.desk.feedback import has_spam, make_feedback
    from jobs.study.desk.reader_page import write_html, write_sheet
    from jobs.study.desk.reader_release import read_published

    settings = config.load_settings(config_file)
    known = {name: each for name, each in load_respondents(settings).items() if each.role == "O"}
    refuse_unknown("--respondent", respondent or [], known, "operator")
    published = read_published(settings, release)
    written = 0
    without: dict[bool, list[str]] = {True: [], False: []}
    for name in respondent or known:
        answers = own_answers(settings, [name])
        page = make_feedback(known[name], answers, published)
        if page is None:
            without[has_spam(answers, published.volume_periods)].append(name)
            continue
        file = output / f"{name}_{release.replace('/', '_')}"
        write_own(file.with_name(f"{file.name}.html"), write_html(page).encode())
        write_own(file.with_name(f"{file.name}.xlsx"), write_sheet(page, last_day(published.period)))
        written += 1
    out.say(f"{format_noun(written, 'page')} and as many sheets in {output}, each for its respondent alone")
    reasons = {
        True: "whose spam is by another definition than the published figures",
        False: f"without figures of spam in {', '.join(published.volume_periods)}",
    }
    for is_other, names in without.items():
        if names:
            operators = format_noun(len(names), "operator")
            out.print(f"No page for {operators} {reasons[is_other]}: {', '.join(names)}", markup=False)


def brief(
    country: Annotated[str, typer.Argument(help="The country, ISO 3166-1 alpha-3.", metavar="ISO3")],
    release: Name,
    config_file: Config = Path("observatory.toml"),
    language: Annotated[
        str | None, typer.Option(help="en, fr, es, ar, zh or ru. Default: the administration's own, or en.")
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder of the briefs.")] = Path("briefs"),
) -> None:
    """Write a brief for an administration, restricted: what is published of its country, or that nothing is,
    the region beside it, measures, and what is missing.

    It holds published rows and the administration's own answers alone.
    """
    from jobs.study.desk.brief import make_brief
    from jobs.study.desk.reader_page import write_html
    from jobs.study.desk.reader_release import read_published
    from jobs.study.desk.rounds import FORMS

    if country not in country_codes():
        raise ObservatoryError(f"unknown country '{country}'{nearest_country(country)}")
    refuse_unknown("--language", [] if language is None else [language], load_definition()["languages"])
    settings = config.load_settings(config_file)
    readers = [
        each for each in load_respondents(settings).values() if each.role == "A" and each.country == country
    ]
    published = read_published(settings, release)
    spoken = language or (readers[0].language if readers else "en")
    own = [each.id for each in readers]
    page = make_brief(
        country, spoken, own_answers(settings, own), own_answers(settings, own, FORMS), published
    )
    file = output / f"{country}_{release.replace('/', '_')}_{spoken}.html"
    write_own(file, write_html(page).encode())
    out.say(f"Brief, restricted: {file}")


def own_answers(settings: Observatory, respondents: list[str], table: str = TABLE) -> pl.DataFrame:
    """The answers of these respondents, or their rows of another table, and of nobody else."""
    import polars as pl

    from jobs.base.store.lake import open_lake

    return open_lake(settings.lake.root).read(table, where=pl.col("respondent_id").is_in(respondents))
