"""Sentences and drawings of the page that readers would take for more than the figures hold."""

import datetime as dt
import re
from pathlib import Path

import polars as pl
import pytest

from jobs.base.core import numbers
from jobs.base.page.blocks import Section
from jobs.operators.report import campaigns, definitions, routes, sources, volumes
from jobs.operators.report.page import make_sections, write_page
from jobs.operators.report.report import Report
from tests.support.report_figures import ABOUT, OPERATORS, audited_figures, figures, validation, with_figure

DAY = dt.date(2026, 11, 2)


@pytest.fixture(scope="module")
def report() -> Report:
    return Report(figures(), {each.id: each for each in OPERATORS}, None)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    write_page(figures(), OPERATORS, validation(), ABOUT, folder)
    return (folder / "index.html").read_text(encoding="utf-8")


def titles(section: Section) -> list[str]:
    return [block.finding for block in section.blocks if block.finding]


def sections(report: Report) -> list[Section]:
    return [*make_sections(report), definitions.definitions_section(report)]


# --- origins that are only claimed ------------------------------------------------------------------


def test_a_claimed_origin_is_not_said_to_have_sent(report: Report) -> None:
    """Origins of mail are observed here, those of SMS are calling numbers, some of them flagged."""
    mail, sms = titles(sources.sources_section(report))
    assert " sent " in mail and "claim" not in mail
    assert " sent " not in sms
    assert "is claimed by" in sms and "by the calling number, which can be forged" in sms
    assert "3,120 of 160,300 examined are flagged as foreign home network" in sms
    _, route = [line for line in titles(routes.routes_section(report)) if "largest known" in line]
    assert "its origin is that of the calling number, which can be forged" in route


def test_a_source_that_is_claimed_in_part_says_how_much(report: Report) -> None:
    origins = report.figures.origins.filter(pl.col("channel_code") == "SMS")
    half = origins.with_columns(origin_kind=pl.lit("observed"))
    both = with_figure(report, origins=pl.concat([report.figures.origins, half]))
    _, sms = titles(sources.sources_section(both))
    shares = [float(each) for each in re.findall(r"([\d.]+)%", sms)]
    assert shares[1] == pytest.approx(shares[0] / 2, abs=0.06)
    assert "only as claimed by the calling number" in sms
    (block,) = [b for b in sources.sources_section(both).blocks if b.heading == "SMS by country"]
    place = [column.name for column in block.table.columns].index("Origin only claimed")
    assert {row[place].text for row in block.table.rows} <= {"50.0%", ""}


# --- days with other operators ----------------------------------------------------------------------


def of_days(rows: list[tuple[str, int, int, int]]) -> pl.DataFrame:
    return pl.DataFrame(
        [(who, "SMS", DAY + dt.timedelta(days=day), units, spam, spam) for who, day, units, spam in rows],
        schema=figures().operator_days.schema,
        orient="row",
    )


def test_a_range_over_days_is_of_the_same_operators(report: Report) -> None:
    """A small operator without spam is alone on the last day: that day compares operators, not days."""
    rows = [("alp", day, 1000, 400 + 10 * day) for day in range(4)]
    rows += [("lab", day, 10, 0) for day in range(5)]
    found = volumes.time_finding(with_figure(report, operator_days=of_days(rows)), "SMS")
    low, high = numbers.format_share(400 / 1010), numbers.format_share(430 / 1010)
    assert f"from {low} on" in found and f"to {high} on" in found
    assert "certain spam at the same 2 operators ranged" in found and found.endswith("(4 of 5 days).")


def test_days_without_a_common_operator_are_not_compared(report: Report) -> None:
    apart = of_days([("alp", 0, 1000, 400), ("lab", 1, 10, 0)])
    found = volumes.time_finding(with_figure(report, operator_days=apart), "SMS")
    assert found == "SMS: no two days have the same operators, so days cannot be compared."


def test_the_days_of_a_chart_say_how_many_operators_they_have(report: Report) -> None:
    rows = [("alp", day, 1000, 400) for day in range(4)] + [("lab", 0, 10, 0)]
    (_, sms) = volumes.time_section(with_figure(report, operator_days=of_days(rows))).blocks
    assert "A day has the data of 1 to 2 operators" in sms.note
    (_, same) = volumes.time_section(report).blocks
    assert same.note == ""


# --- definitions ------------------------------------------------------------------------------------


def test_what_operators_did_is_one_sentence_and_the_definitions_are_an_annex(
    report: Report, page: str
) -> None:
    lines = definitions.shares_section(report).finding.splitlines()
    (mail,) = [line for line in lines if line.startswith("Operators treated") and "e-mail" in line]
    assert re.fullmatch(r"Operators treated [\d.–]+% of e-mail as spam; of accepted e-mail, [\d.–]+%\.", mail)
    assert "Logs alone cannot decide in full whether it was unlawful" in lines[-2]
    annex = page.index('<section id="definitions">')
    assert annex > page.index('<section id="validation">')
    assert '<details class="annex">' in page[annex:]


# --- drawings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_audited", [False, True])
def test_each_table_with_bars_has_an_axis(is_audited: bool) -> None:
    known = {each.id: each for each in OPERATORS}
    every = audited_figures("alp-mail", "thames-text") if is_audited else figures()
    tables = [block.table for each in sections(Report(every, known, None)) for block in each.blocks]
    with_bars = [table for table in tables if table.rows[0][0].bar is not None]
    assert len(with_bars) > 10
    for table in with_bars:
        assert len(table.axis) >= 2 and table.axis[0] in ("0", "0%"), table.caption
        ends = [part.start + part.width for row in table.rows for part in row[0].bar or ()]
        assert max(ends, default=0) <= 100.1


def test_an_axis_is_drawn_above_the_bars(page: str) -> None:
    assert page.count('class="axis"') == page.count('<table class="bars">') > 10


def test_copies_that_were_let_pass_are_no_empty_bar(report: Report) -> None:
    rows = [row for block in campaigns.campaigns_section(report).blocks for row in block.table.rows]
    assert {part.kind for row in rows for part in row[0].bar or ()} == {"certain", "other"}


def test_a_day_alone_after_a_gap_is_joined_by_a_dashed_line(report: Report) -> None:
    daily = report.figures.daily.filter(pl.col("channel_code") == "SMS").sort("period_date")
    assert "stroke-dasharray" not in volumes.share_chart(daily, "t")
    gap = daily.filter(pl.col("period_date") != daily["period_date"][3])
    assert "stroke-dasharray" in volumes.share_chart(gap, "t")
    assert volumes.volume_chart(gap, "t").count("stroke-dasharray") == 2
    assert volumes.gap_note(gap) == ["Dashed: 1\u00a0day without data."] and volumes.gap_note(daily) == []


def test_columns_that_a_phone_leaves_out_are_named(page: str) -> None:
    for table, after in re.findall(r"(<table.*?</table>)</div>(.{0,200})", page, re.DOTALL):
        minor = re.findall(r'<th scope="col" class="[a-z]+ minor">(.*?)</th>', table)
        if minor:
            assert f"Left out on a narrow screen: {', '.join(minor)}." in after


def test_each_figure_has_a_source_line(page: str) -> None:
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page, re.DOTALL)
    assert len(captions) > 15
    for caption in captions:
        assert re.search(rf"Source: [a-z].*; .+; .+; run {ABOUT.run_id}\.", caption), caption
    assert "gold.spam_route_daily; definition OPERATOR; 2–6" in page.replace("\u202f", " ")


def test_the_page_uses_plain_terms(page: str, tmp_path: Path) -> None:
    write_page(audited_figures("alp-mail", "thames-text"), OPERATORS, validation(), ABOUT, tmp_path)
    both = page + (tmp_path / "index.html").read_text(encoding="utf-8")
    for odd in ("machines that dial", "a way out", "malice<", "M3AAWG&#39;s way", "M3AAWG's way"):
        assert odd not in both
