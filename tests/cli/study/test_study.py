"""Output of `observatory study estimate` about its tables."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from rich.console import Console, Group

from jobs.base.costs.drawing import draw_sentences
from jobs.base.tables.contracts import rows_frame
from jobs.cli.study.study_results import result_tables
from jobs.cli.study.study_spending import SPENDING_HEADS, gap_assumptions, public_spending_table
from jobs.cli.study.study_tables import estimates_table, format_interval
from jobs.cli.study.study_volume import CORRECTED_HEADS, VOLUME_HEADS, corrected_tables, volume_tables
from jobs.study.estimates.steps import study_stage

TABLE = "study.spam_volume"
# What result_tables() prints of.
STUDY = (*study_stage.TABLES, "study.submission_quality", "ref.investment_target")


def row(period: str, unit: str, estimate: int, respondents: int, answers: int) -> dict[str, Any]:
    return {
        "period_code": period, "area_code": "WORLD", "area_kind_code": "world", "channel_code": "EMAIL",
        "population_pct": 97,
        "unit_code": unit, "definition_code": "OPERATOR", "quantity_code": "spam_certain",
        "respondent_count": respondents, "answer_count": answers, "cv_band_code": "acceptable",
        "day_pct": None if answers == respondents else Decimal("98.75"),
        "answer_pct": Decimal(100 * answers) / respondents, "coverage_pct": Decimal(40), "cv_pct": Decimal(9),
        "conf_status_code": "C" if respondents < 3 else "N",
    } | {name: Decimal(estimate) for name in
         ("estimate", "estimate_low", "estimate_high", "at_050", "at_150")}  # fmt: skip


def printed(*rows: dict[str, Any]) -> str:
    console = Console(width=80, record=True)
    for table in volume_tables(rows_frame(list(rows), TABLE)):
        console.print(table)
    return console.export_text()


def test_marks_of_the_coefficient_of_variation_are_explained() -> None:
    """Whoever publishes must not have to guess which estimate may not be quoted."""
    good = row("2026-Q4", "attempted", 4300, 8, 2)
    rough = good | {"area_code": "ARB", "cv_pct": Decimal(27), "cv_band_code": "caution"}
    bad = good | {"area_code": "CIS", "cv_pct": Decimal(96), "cv_band_code": "unreliable"}
    told = " ".join(printed(good, rough, bad).split())
    assert "27%!" in told and "96%!!" in told
    assert (
        "CV: ! use with caution (16.6% to 33.3%), !! low reliability (above 33.3%: for tables alone, not to"
        " be quoted)." in told
    )
    assert "CV:" not in printed(good) and "!!" not in printed(good, rough)


def test_the_quarter_of_logs_is_printed_and_not_the_year_of_one_answer() -> None:
    """The share of it that rests on answers is printed; recipients apart, which nobody is asked for, are
    not."""
    quarter, year = row("2026-Q4", "attempted", 4300, 8, 2), row("2026", "attempted", 77, 1, 1)
    text = printed(quarter, year, row("2026-Q4", "recipient", 1200, 6, 0))
    assert "EMAIL: spam in 2026-Q4, as filters saw it" in text
    assert "Attempted (recipients and attempts), definition OPERATOR" in text
    assert "WORLD" in text and "4.3k" in text and "25%" in text
    assert " ".join(text.split()).count("no interval includes the errors of filters") == 1
    # Of the logs' days, too; an answer has none.
    days = "Share of days with logs (counts are scaled up to all days): EMAIL"
    assert f"{days} 98.8%." in " ".join(text.split())
    assert f"{days} no logs." in " ".join(printed(year).split())
    # What is stated of subscriptions, too.
    assert "Subscriptions are taken as exact" in " ".join(text.split())
    stated = " ".join(printed(quarter | {"subscriptions_variance": 0.0025}).split())
    assert "due to errors of subscriptions as denominator.csv states them: EMAIL 31%." in stated
    # Few small operators that answered are not nobody.
    assert "<1%" in printed(row("2026-Q4", "attempted", 4300, 900, 1))
    assert "<1%" not in printed(row("2026-Q4", "attempted", 4300, 900, 0))
    assert "77" not in text and "1.2k" not in text
    assert "EMAIL: spam in 2026, as" in printed(year)


def test_one_respondent_has_no_interval_and_is_confidential() -> None:
    alone = row("2026-11", "attempted", 992_000, 1, 0) | {"coverage_pct": Decimal(7)}
    alone |= dict.fromkeys(("estimate_low", "estimate_high", "cv_pct")) | {"cv_band_code": "one_respondent"}
    text = printed(alone)
    (line,) = (line for line in text.splitlines() if "WORLD" in line)
    assert line.split() == ["WORLD", "C", "992k", "one", "respondent", "–", "7%", "0%", "992k–992k"]
    assert "C: confidential" in text and "one respondent: no interval" in " ".join(text.split())
    # Of many there is neither, and no word on it.
    text = printed(row("2026-11", "attempted", 4300, 8, 2))
    assert "confidential" not in text and "one respondent" not in text
    assert format_interval(None, None) == "one respondent"


def audited(channel: str, estimate: int, audits: int, pct: str = "62.5") -> dict[str, Any]:
    """The world's spam with the filters' errors, of eight respondents."""
    about = {"quantity_code": "spam_corrected", "channel_code": channel, "audit_count": audits}
    return row("2026-Q4", "attempted", estimate, 8, 0) | about | {"audit_pct": Decimal(pct)}


def test_spam_with_the_filters_errors_stands_beside_what_they_saw() -> None:
    """Audits behind it are printed; a channel of few audits says how many, and one of none that it has
    none."""
    texts = [
        row("2026-Q4", "attempted", 900, 8, 0) | {"channel_code": code} for code in ("SMS", "MMS", "VOICE")
    ]
    first = row("2026-Q4", "attempted", 4300, 8, 2)
    frame = rows_frame([first, audited("EMAIL", 5100, 6), audited("CHAT", 9, 5, "0.4"), *texts], TABLE)
    given = [
        {"respondent_id": f"a{number}", "period_code": period, "channel_code": "SMS",
         "quality_method_code": method}
        for number, period, method in [
            (1, "2026-11", "audit"), (1, "2026-10", "audit"), (2, "2026-12", "audit"),
            (3, "2026-11", "rogan_gladen"), (4, "2026-09", "audit"),
        ]
    ]  # fmt: skip
    # Six of another channel, each of one month.
    given += [
        {"respondent_id": f"b{number}", "period_code": "2026-11", "channel_code": "VOICE",
         "quality_method_code": "audit"}
        for number in range(6)
    ]  # fmt: skip
    quality = rows_frame(given, "study.submission_quality")
    console = Console(width=80, record=True)
    for part in corrected_tables(frame, quality):
        console.print(part)
    text = console.export_text()
    assert "EMAIL: spam in 2026-Q4, corrected for filter error" in text
    assert text.count("Attempted (recipients and attempts), definition OPERATOR") == 2
    chat, line = (line for line in text.splitlines() if "WORLD" in line)
    assert line.split() == ["WORLD", "N", "5.1k", "5.1k–5.1k", "9%", "4.3k", "40%", "6", "63%"]
    assert "MMS: not corrected for filter error: no operator audited, 5 are needed" in text
    assert "SMS: not corrected for filter error: 2 operators audited, 5 are needed" in text
    assert "6 operators audited, but fewer than 5 of them sent every month of 2026-Q4" in " ".join(
        text.split()
    )
    # Little that is audited is not nothing.
    assert chat.split()[-1] == "<1%"
    assert "…" not in text


def test_corrected_figures_are_printed_before_those_that_filters_saw() -> None:
    """Filters of the sample's SMS saw a third less than there was: no interval of theirs holds the truth."""
    own = row("2026-Q4", "attempted", 4300, 8, 2)
    calls = own | {"channel_code": "VOICE_CS", "unit_code": "call"}
    frame = rows_frame([own, calls, audited("EMAIL", 5100, 6)], TABLE)
    empty = {name: rows_frame([], name) for name in STUDY if name != TABLE}
    console = Console(width=80, record=True)
    for part in result_tables(empty | {TABLE: frame}):
        console.print(part)
    text = console.export_text()
    titles = [line.strip() for line in text.splitlines() if ": spam in" in line or "definition OPER" in line]
    assert titles == [
        "EMAIL: spam in 2026-Q4, corrected for filter error",
        "Attempted (recipients and attempts), definition OPERATOR",
        "EMAIL: spam in 2026-Q4, as filters saw it",
        "Attempted (recipients and attempts), definition OPERATOR",
        "VOICE_CS: spam in 2026-Q4, as filters saw it",
        "Calls, definition OPERATOR",
    ]
    assert "the errors of filters: see the corrected figures of EMAIL" in " ".join(text.split())


def test_what_is_taken_for_granted_names_the_setting_in_its_brackets() -> None:
    sentence = "Norm: 9000 US dollars, by the settings, [study.gap]."
    held = [SimpleNamespace(target_code="norm", channel_code="EMAIL", assumptions=[sentence])]
    for shown in (Group(*gap_assumptions(held)), draw_sentences([sentence])):
        console = Console(width=80, record=True)
        console.print(shown)
        assert sentence in console.export_text()


@pytest.mark.parametrize(
    ("heads", "cells"),
    [
        (VOLUME_HEADS, ("C", "26.5bn", "21.3bn–36.5bn", "16%!!", "100%", "100%", "21.3bn–36.5bn")),
        (CORRECTED_HEADS, ("C", "26.5bn", "21.3bn–36.5bn", "16%!!", "26.5bn", "100%", "134", "100%")),
        (
            SPENDING_HEADS,
            ("C", "26.5bn", "21.3bn–36.5bn", "16%!!", "100%", "21.33", "0.0365"),
        ),
        (VOLUME_HEADS, ("C", "26.5bn", "one respondent", "16%!!", "100%", "100%", "21.3bn–36.5bn")),
        (
            SPENDING_HEADS,
            ("C", "26.5bn", "one respondent", "–", "100%", "21.33", "0.0365"),
        ),
    ],
)
def test_eighty_columns_hold_the_longest_of_all(heads: tuple[str, ...], cells: tuple[str, ...]) -> None:
    table = estimates_table("Title", *heads)
    table.add_row("TRANSITION", *cells)
    console = Console(width=80, record=True)
    console.print(table)
    lines = console.export_text().splitlines()
    assert "…" not in "".join(lines)
    above = next(at for at, line in enumerate(lines) if "──" in line)
    named = sorted(" ".join(lines[1:above]).split())
    assert named == sorted(["area", *" ".join(heads).split()])


def test_public_money_is_printed_as_told_and_added_to_nothing() -> None:
    """A total before its parts, the sum of parts without one; the last year alone."""

    def told(who: str, question: str, part: str | None, dollars: int | None, **other: Any) -> dict[str, Any]:
        about = {
            "period_code": "2026",
            "respondent_id": who,
            "country_code": "NPL",
            "question_code": question,
        }
        return about | {"part_code": part, "market_amount": dollars and Decimal(dollars)} | other

    given = [
        told("gov", "sp711", "_T", 10_000), told("gov", "sp711", "REGISTER", 6_000),
        told("gov", "sp705", "STAFF", 700), told("gov", "sp705", "LICENCE", 300),
        told("gov", "sp706", None, None, person_days=Decimal(220)),
        told("gov", "sp711", "_T", 99, period_code="2025"), told("other", "sp711", "_T", 5),
    ]  # fmt: skip
    frame = rows_frame(given, "study.public_spending")
    console = Console(width=80, record=True)
    for part in public_spending_table(frame):
        console.print(part)
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    assert "NPL gov 10k 1k 220" in lines and "NPL other 5" in lines
    assert any(line.startswith("Public money in 2026, US dollars") for line in lines)
    assert "neither added" in " ".join(lines)
    assert public_spending_table(frame.filter(pl.lit(False))) == []
