"""A brief for an administration: what a release published of its country and of the areas around it, and what
is missing; two pages, restricted.

An administration may know all operators of its country, and is an attacker then. So a brief holds published
rows and the reader's own answers, and nothing else: not even why a row is not there.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from jobs.base.core.languages import format_significant, use_language
from jobs.base.core.numbers import to_decimal
from jobs.base.figures.areas import WORLD
from jobs.base.figures.reliability import published_mark
from jobs.base.tables.contracts import Row
from jobs.study.desk.reader_page import ReaderPage, ReaderTable
from jobs.study.desk.reader_release import ReaderRelease, areas_of, name_area, show_published
from jobs.study.questionnaire.definition import form_for
from jobs.study.questionnaire.latest_answers import latest_answers, question_code
from jobs.study.questionnaire.respondents import country_names
from jobs.study.questionnaire.texts import channel_name, group_keys, join_words, translate_key
from jobs.study.release.released_tables import AREAS

# A brief is two pages: of measures it names so many rows.
MOST_MEASURES = 8
# The areas beside a country: more would not fit.
BESIDE = {code for code, (published, _) in AREAS.items() if published.startswith("ITU_")} | {WORLD}


def make_brief(
    country: str, language: str, answers: pl.DataFrame, forms: pl.DataFrame, release: ReaderRelease
) -> ReaderPage:
    """The brief of a country (ISO 3166-1 alpha-3).

    Args:
        answers, forms: the rows of study.questionnaire_answer and study.returned_form of the administration
            that reads it.
    """
    name = country_names(language)[country]

    def say(key: str, **values: str) -> str:
        return translate_key(language, "brief", key, **values)

    areas = areas_of(country, release.period)
    rows = release.volumes(areas, release.period)
    own = [row for row in rows if row["area"] == country]
    around = [row for row in rows if row["area"] in BESIDE]
    with use_language(language):
        measures = measure_rows(release, areas, language)
        # A country's row has a volume and no rate; a region's volume says nothing beside it.
        own_lines, lines_around = (
            volume_lines(own, "volume", language),
            volume_lines(around, "rate", language),
        )
    headings = [translate_key(language, "feedback", "area"), say("measure"), say("operators"), say("cost")]
    is_costed = any(line[3] for line in measures)
    about_whom = say("measures" if is_costed else "measures_only")
    about_measures = say("measures_about" if is_costed else "measures_uncosted")
    if not is_costed:
        headings, measures = headings[:3], [line[:3] for line in measures]
    missing = [*missing_channels(rows, language), *missing_answers(answers, forms, release.period, language)]
    return ReaderPage(
        language,
        say("title", country=name),
        say("restricted", release=release.name),
        say("about"),
        [
            ReaderTable(
                say("own_row", country=name),
                [] if own else [say("no_row", country=name)],
                head_columns("volume", language),
                own_lines,
            ),
            ReaderTable(
                say("beside"),
                [] if around else [say("none")],
                head_columns("rate", language),
                lines_around,
            ),
            ReaderTable(
                about_whom,
                [about_measures if measures else say("none")],
                headings,
                measures,
            ),
            ReaderTable(say("missing"), missing),
        ],
        translate_key(language, "feedback", "caution", mark="!!"),
        release.is_made_up,
    )


def head_columns(figure: str, language: str) -> list[str]:
    return [translate_key(language, "feedback", each) for each in ("area", figure, "interval", "share")]


def name_place(row: Mapping[str, Any], language: str) -> str:
    """The area and the channel of a row."""
    named = {"area": name_area(row, language), "channel": channel_name(language, row["channel_code"])}
    return translate_key(language, "feedback", "place", **named)


def volume_lines(rows: Sequence[Row], figure: str, language: str) -> list[tuple[str, ...]]:
    """A line for each published row: area and channel, a figure with its interval, and spam's share of
    traffic."""
    lines: list[tuple[str, ...]] = []
    for row in rows:
        shown, share = (show_published(row, each) or ("", "") for each in (figure, "share"))
        lines.append((name_place(row, language), *shown, share[0]))
    return lines


def measure_rows(release: ReaderRelease, areas: list[str], language: str) -> Sequence[tuple[str, ...]]:
    """A row per channel and strategy, of the smallest area with any: how many operators have it and what it
    costs, the cheapest first."""
    costs = {
        (row["channel_code"], row["area"], row["strategy_code"]): row
        for row in release.select_areas("countermeasure_cost", areas, release.period)
        if row["cost_component_code"] == "stated" and row.get("cost_per_thousand")
    }
    shares = {
        (row["channel_code"], row["area"], row["strategy_code"]): row
        for row in release.select_areas("countermeasure", areas, release.period)
    }
    known = set(group_keys("strategy"))
    found = []
    for channel in dict.fromkeys(channel for channel, _, _ in (*costs, *shares)):
        area = next(each for each in areas if any(key[:2] == (channel, each) for key in (*costs, *shares)))
        for strategy in known:
            cost, share = (each.get((channel, area, strategy)) for each in (costs, shares))
            row = cost or share
            if row is None:
                continue
            amount = to_decimal(cost["cost_per_thousand"]) if cost else None
            shown = (
                f"{format_significant(amount)} {published_mark(cost['thousand_cv_band_code'])}"
                if cost and amount
                else ""
            )
            found.append(
                (
                    (channel, amount is None, amount or 0, strategy),
                    (
                        name_place(row, language),
                        translate_key(language, "strategy", strategy),
                        f"{share['share_from_pct']}–{share['share_below_pct']}" if share else "",
                        shown.strip(),
                    ),
                )
            )
    return [line for _, line in sorted(found)][:MOST_MEASURES]


def missing_channels(rows: Sequence[Row], language: str) -> list[str]:
    """A sentence on the channels of which no row of the areas is published."""
    published = {row["channel_code"] for row in rows}
    absent = [channel_name(language, each) for each in group_keys("channel") if each not in published]
    channels = join_words(language, *absent)
    return [translate_key(language, "brief", "no_channel", channels=channels)] if absent else []


def missing_answers(answers: pl.DataFrame, forms: pl.DataFrame, period: str, language: str) -> list[str]:
    """Sentences for each form of the quarter and of its year that the administration returned: the required
    questions left open, as `questionnaire status` counts them, and how many points its last form has to
    correct. Or one that it returned neither."""
    latest = latest_answers(answers)
    found = []
    for asked in dict.fromkeys((period, period[:4])):
        own = latest.filter(pl.col("period_code") == asked)
        judged = (
            forms.filter(pl.col("period_code") == asked)
            .sort("received_at")
            .unique("respondent_id", keep="last", maintain_order=True)
        )
        wrong = int(judged["to_correct_count"].sum())
        if wrong:
            values = {"period": asked, "count": str(wrong)}
            found.append(translate_key(language, "brief", "wrong", **values))
        if own.is_empty():
            continue
        answered = set(own.select(question_code(pl.col("indicator_code"))).to_series())
        required = [each.id for each in form_for("A", period=asked).questions if each.required]
        left = [each for each in required if each not in answered]
        values = {"period": asked}
        if left:
            values["questions"] = join_words(language, *left)
        if left or not wrong:
            found.append(translate_key(language, "brief", "open" if left else "complete", **values))
    return found or [translate_key(language, "brief", "no_form", period=period)]
