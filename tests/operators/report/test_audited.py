"""Error of filters in the figures of the page."""

import dataclasses
import datetime as dt
import math
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.core import numbers
from jobs.base.core.call_shares import CALL_SHARES
from jobs.base.figures import words
from jobs.base.tables.attributes import ATTRIBUTES
from jobs.operators.report import audited, content_types
from jobs.operators.report.figures import FIGURES, Figures
from jobs.operators.report.page import write_page
from jobs.operators.report.report import Report, Spam
from tests.operators.report.test_report import plain, read
from tests.support.report_figures import (
    ABOUT,
    MAIL,
    OPERATORS,
    PARTS,
    audited_figures,
    errors,
    estimated,
    figures,
    validation,
)

TOTAL = Spam(10_000, 5_000, 5_200)


def seen(*rows: tuple[int, int, int, tuple[float, float, float] | None]) -> pl.DataFrame:
    """Return rows of filters: units, certain, possible, and prevalence with its interval."""
    made = [
        {
            "operator_id": f"o{place}",
            "units": units,
            "spam_certain": certain,
            "spam_possible": possible,
            "quality_method_code": "audit" if ends else None,
            **dict(
                zip(("prevalence", "prevalence_low", "prevalence_high"), ends or (None,) * 3, strict=True)
            ),
        }
        for place, (units, certain, possible, ends) in enumerate(rows)
    ]
    return errors(pl.DataFrame(made, schema=FIGURES["quality"].columns))


def test_an_audited_part_stands_in_place_of_what_was_counted() -> None:
    # 4,000 attempts and what was refused before content stay: 4,000 certain, 4,100 possible.
    found = audited.correct_spam(TOTAL, seen((6_000, 1_000, 1_100, (0.2, 0.15, 0.3))))
    assert (found.low, found.high, found.share) == (4_000 + 900, 4_100 + 1_800, 1)


def test_what_nobody_audited_stays_as_counted() -> None:
    found = audited.correct_spam(TOTAL, seen((6_000, 1_000, 1_100, None)))
    assert (found.low, found.high, found.share, found.methods) == (5_000, 5_200, 0, ())
    assert audited.describe_error(found) == "Not audited: the range does not include filter error."
    half = audited.correct_spam(TOTAL, seen((3_000, 500, 500, (0.2, 0.2, 0.2)), (3_000, 500, 600, None)))
    assert (half.low, half.high, half.share) == (4_500 + 600, 4_700 + 600, 0.5)
    assert (
        audited.describe_error(half)
        == "The interval includes filter error for 50.0% of the messages that filters saw (by audit)."
    )


def test_intervals_of_operators_add_as_squares() -> None:
    # 600 and 800 with distances of 30 and 40 below, 60 and 80 above: 1,400 - 50 and + 100.
    rows = (3_000, 500, 500, (0.2, 0.19, 0.22)), (4_000, 500, 500, (0.2, 0.19, 0.22))
    found = audited.correct_spam(TOTAL, seen(*rows))
    assert (found.low, found.high) == (
        pytest.approx(4_000 + 1_350, abs=1),
        pytest.approx(4_200 + 1_500, abs=1),
    )
    apart = [audited.correct_spam(TOTAL, seen(row)) for row in rows]
    width = found.high - found.low - 200
    assert max(each.high - each.low - 200 for each in apart) <= width
    assert width < sum(each.high - each.low - 200 for each in apart)


@given(
    st.lists(
        st.tuples(st.integers(1, 10**6), *[st.floats(0, 1)] * 2, st.tuples(*[st.floats(0, 1)] * 3)),
        max_size=5,
    ),
    st.integers(0, 10**6),
)
def test_corrected_spam_is_between_none_and_all(rows: list[Any], rest: int) -> None:
    made = []
    for units, certain, possible, ends in rows:
        low, value, high = sorted(ends)
        counts = sorted((int(units * certain), int(units * possible)))
        made.append((units, counts[0], counts[1], (value, low, high)))
    units, certain, possible = (sum(each[place] for each in made) for place in range(3))
    total = Spam(rest + units, certain, rest + possible)
    found = audited.correct_spam(total, seen(*made))
    assert 0 <= found.low <= found.high <= total.units


def test_every_attribute_of_a_definition_has_a_word() -> None:
    assert set(audited.UNLABELLED) == set(ATTRIBUTES)


def test_labels_speak_for_what_asks_only_what_measures_did() -> None:
    assert audited.list_unlabelled("OPERATOR") == ()
    assert audited.list_unlabelled("SPAMHAUS_UBE") == ("bulk", "consent")
    every = {row["definition_code"] for row in words.reference("definition")}
    assert {code for code in every if not audited.list_unlabelled(code)} == {"OPERATOR"}


# --- the page -----------------------------------------------------------------------------------------------


def page_of(tables: Figures, folder: Path) -> Any:
    write_page(tables, OPERATORS, validation(), ABOUT, folder)
    return read(folder / "index.html")


def test_a_page_without_an_audit_says_so(tmp_path: Path) -> None:
    page = page_of(figures(), tmp_path)
    (base,) = [each for each in page.elements if each["attrs"].get("class") == "base"]
    assert plain(base["text"]).endswith(
        "Not audited: e-mail and SMS, whose ranges do not include filter error."
    )
    assert "E-mail is not audited: its figures are as filters saw it." in page.seen
    mail, *_ = tables_of(page, "under each definition")
    assert {cells[-1] for cells in mail} >= {"not audited", "labels do not record bulk and consent"}
    assert not any("%" in cells[-1] or cells[-1][:1].isdigit() for cells in mail)
    told = "Not audited, so shown as filters saw it: e-mail and SMS."
    assert plain(page.seen).count(told) == 4
    # Without an audit there is no column of errors: the annex has one that says what labels could correct.
    tables = {caption["text"] for caption in page.all("caption")}
    assert {"E-mail per day", "E-mail from attempt to delivery"} <= tables
    for heading in (
        "E-mail per day",
        "Largest routes of e-mail",
        "Countries that e-mail",
        "Networks that sent",
    ):
        (table,) = [each for each in page.all("table") if heading in page.within(each, "caption")[0]["text"]]
        assert not [head for head in page.within(table, "th") if "errors" in head["text"]], heading


def tables_of(page: Any, heading: str) -> list[list[list[str]]]:
    """The cells of each row, but its first, of the tables whose caption holds a text."""
    found = [each for each in page.all("table") if heading in page.within(each, "caption")[0]["text"]]
    rows = [[[cell["text"] for cell in page.within(row, "td")] for row in page.within(table, "tr")]
            for table in found]  # fmt: skip
    return [[cells for cells in table if cells] for table in rows]


def test_a_page_with_audits_holds_the_errors_of_filters(tmp_path: Path) -> None:
    tables = audited_figures(*MAIL)
    page = page_of(tables, tmp_path)
    report = Report(tables, {each.id: each for each in OPERATORS}, None)
    mail, sms = report.totals["EMAIL"], report.totals["SMS"]
    found = audited.correct_channel(report, "EMAIL", mail)
    assert found.share == 1 and (found.low, found.high) != (mail.certain, mail.possible)
    ends = numbers.format_range(found.low / mail.units, found.high / mail.units, numbers.format_share)
    assert plain(page.all("h1")[0]["text"]) == f"Spam was {ends} of e-mail and {sms.range} of SMS"
    seen_text = plain(page.seen)
    assert "The interval of e-mail includes filter error. Not audited: SMS, whose ranges" in seen_text
    assert "The interval includes filter error (by audit and by a test elsewhere)." in seen_text
    assert "Audit: 371 of 400 drawn were labelled" in seen_text
    assert "31.0% (27.0–36.0%)" in seen_text
    links = [each for each in page.all("a") if each["attrs"].get("href") == "quality.csv"]
    assert [each["text"] for each in links] == ["Numbers as CSV", "quality.csv"]
    assert (tmp_path / "quality.csv").is_file()
    # The definition that labels speak for has the same ends; the others say what labels do not tell.
    definitions, of_sms = tables_of(page, "under each definition")
    assert [plain(cells[-1]) for cells in definitions][0] == ends
    assert sum("labels do not record" in cells[-1] for cells in definitions) == len(definitions) - 1
    assert of_sms[0][-1] == "not audited"
    # Of recipients alone the audited part is the same and the rest is smaller: attempts had no content.
    bases, *_ = tables_of(page, "counted in several ways")
    (attempted,) = (cells for cells in bases if plain(cells[-1]) == ends)
    recipients = bases[bases.index(attempted) - 1]
    assert "%" in recipients[-1] and recipients[-1] != attempted[-1]


def test_parts_of_an_audited_channel_hold_the_errors_of_filters(tmp_path: Path) -> None:
    tables = audited_figures(*MAIL)
    # By hand, of the last day: from 2,000 to 5,000 of 10,000.
    is_last = (pl.col("channel_code") == "EMAIL") & (pl.col("period_date") == pl.col("period_date").max())
    ends_ = {"units": 10_000, "spam_low": Decimal(2_000), "spam_high": Decimal(5_000)}
    daily = tables.daily.with_columns(
        pl.when(is_last).then(pl.lit(value)).otherwise(name).cast(FIGURES["daily"].columns[name]).alias(name)
        for name, value in ends_.items()
    )
    tables = dataclasses.replace(tables, daily=daily)
    page = page_of(tables, tmp_path)
    stages_ = tables.stages.filter(pl.col("channel_code") == "EMAIL")
    for figure in PARTS:
        named = getattr(tables, figure)
        assert (named["spam_low"] <= named["spam_high"]).all(), figure
        texts = named.filter(pl.col("channel_code") == "SMS")
        assert texts["audited_units"].sum() == 0, figure
        assert (texts["spam_low"] == texts["spam_certain"]).all(), figure
    headings = {
        "E-mail per day": audited.HEADING,
        "E-mail from attempt": "Share of spam, corrected for filter error",
        "Largest routes of e-mail": audited.HEADING,
        "Countries that e-mail": audited.HEADING,
        "Networks that sent": audited.HEADING,
    }
    for heading, last in headings.items():
        (table,) = [each for each in page.all("table") if heading in page.within(each, "caption")[0]["text"]]
        columns = [head["text"] for head in page.within(table, "th") if head["attrs"].get("scope") != "row"]
        assert columns[-1] == last, heading
        (rows,) = tables_of(page, heading)
        told = [plain(cells[-1]) for cells in rows]
        assert any(re.fullmatch(r"[0-9,.]+(–[0-9,.]+)?( million|%)?", text) for text in told), (heading, told)
    days, *_ = tables_of(page, "E-mail per day")
    assert plain(days[-1][-1]) == "20.0–50.0%"
    for heading in ("SMS per day", "SMS from attempt", "Largest routes of SMS", "Countries that SMS"):
        (table,) = [each for each in page.all("table") if heading in page.within(each, "caption")[0]["text"]]
        assert not [head for head in page.within(table, "th") if "errors" in head["text"]], heading
    (stages_told,) = tables_of(page, "E-mail from attempt")
    # Before content there is nothing to audit; the last row is what got through.
    assert stages_told[1][-1] == stages_told[2][-1] == ""
    got = stages_.filter(pl.col("outcome_code") == "delivered")
    ends = [math.floor(got["spam_low"].sum()), math.ceil(got["spam_high"].sum())]
    share = numbers.format_range(*(end / got["units"].sum() for end in ends), numbers.format_share)
    text = plain(page.seen)
    assert f"delivered without a mark, {share}, was spam that got through." in text
    assert "Not audited, so shown as filters saw it: SMS." in text
    assert "assuming that a filter errs alike in all of it" in text


def test_ends_of_parts_are_added_and_cut_to_what_there_was() -> None:
    one, other = part(), part(units=9, spam_low=Decimal("3.7"), spam_high=Decimal("9.2"))
    both = audited.add_parts([one, other])
    assert (both["units"], both["spam_low"], both["spam_high"]) == (109, Decimal("23.7"), Decimal("59.2"))
    assert audited.spam_bounds(both) == (23, 60)
    assert audited.spam_bounds(other) == (3, 9)


def test_a_channel_is_estimated_by_the_share_of_each_call() -> None:
    """More of one call may have come after the sample was drawn; prevalence is used where no share is
    known."""
    row = {"units": 100, "spam_certain": 30, "spam_possible": 40, "prevalence": 0.5}
    shares = dict(zip(CALL_SHARES, (0.9, 0.5, 0.1), strict=True))
    told = {
        "of each": estimated(row | shares),
        "but of one": estimated(row | shares | {CALL_SHARES[1]: None}),
        "of none": estimated(row | dict.fromkeys(CALL_SHARES)),
        "of a type": estimated(row),
    }
    assert {name: (each.units, each.certain, each.possible) for name, each in told.items()} == {
        "of each": (100, 30, 40),
        "but of one": (90, 30, 30),
        "of none": (100, 30, 40),
        "of a type": (100, 30, 40),
    }
    assert [each.spam for each in told.values()] == pytest.approx([27 + 5 + 6, 27 + 6, 50, 50])


def test_types_hold_the_errors_of_filters_and_those_that_filters_did_not_know(tmp_path: Path) -> None:
    tables = audited_figures(*MAIL)
    report = Report(tables, {each.id: each for each in OPERATORS}, None)
    (mail, sms) = content_types.types_section(report).blocks[:2]
    rows = {cells[0].text: cells for cells in mail.table.rows}
    (first, second) = rows[words.type_name("PHISH.mail")], rows[words.type_name("FRAUD.romance")]
    # By hand: what was refused before content stays, and of the rest that audits tell of half is spam.
    of_type = pl.col("spam_type_code") == "PHISH.mail"
    counted = tables.types.filter(of_type, pl.col("channel_code") == "EMAIL")
    seen = tables.type_quality.filter(of_type, pl.col("channel_code") == "EMAIL")
    known = seen.filter(pl.col("prevalence").is_not_null())
    stays = [counted[end].sum() - known[end].sum() for end in ("spam_certain", "spam_possible")]
    half = known["spam_certain"] / 2
    ends = [
        stays[0] + half.sum() - ((half * 0.1) ** 2).sum() ** 0.5,
        stays[1] + half.sum() + ((half * 0.2) ** 2).sum() ** 0.5,
    ]
    assert first[-1].text == numbers.format_range(math.floor(ends[0]), math.ceil(ends[1]))
    assert second[2].text == "0" and second[-1].text[0].isdigit() and second[-1].text != "0"
    assert "by audit" in mail.note and sms.note.startswith("Not audited")
    assert audited.HEADING not in {column.name for column in sms.table.columns}


def test_parts_say_where_filters_err_or_that_labels_are_too_few() -> None:
    report = Report(audited_figures(*MAIL), {each.id: each for each in OPERATORS}, None)
    (_, block) = audited.filters_section(report).blocks
    found = {cells[0].text: [cell.text for cell in cells[1:]] for cells in block.table.rows}
    assert {name: [plain(text) for text in cells] for name, cells in found.items()} == {
        "Score 0 to 4": ["too few labels", "", ""],
        "Score from 4": ["31.0% (27.0–36.0%)", "88.0% (82.0–93.0%)", "99.5% (98.1–99.9%)"],
        "Type not known": ["10.0% (5.0–20.0%)", "", ""],
    }
    assert [audited.part_name(f"EMAIL._T._T.{band}", "EMAIL") for band in ("lt2.5", "none", "any")] == [
        *("Score below 2.5", "No score", "Any score"),
    ]


def test_an_audit_of_some_operators_is_said_to_be_of_a_part(tmp_path: Path) -> None:
    page = page_of(audited_figures("alp-mail"), tmp_path)
    text = plain(page.seen)
    assert "The interval of e-mail includes filter error in part." in text
    assert "% of the messages that filters saw (by a test elsewhere)" in text


def quality_row(**changed: Any) -> dict[str, Any]:
    row = {"operator_id": "a", "period_code": "2026-11", "channel_code": "EMAIL"}
    return row | {"quality_method_code": "audit"} | changed


def test_months_of_one_test_add_up_and_those_of_audits_as_squares() -> None:
    of_month = {"units": 1_000, "spam_certain": 0, "spam_possible": 0}
    of_month |= {"prevalence": 0.2, "prevalence_low": 0.17, "prevalence_high": 0.24}
    months = [of_month | {"period_code": f"2026-{month:02}"} for month in (10, 11)]
    total = Spam(10_000, 0, 0)
    widths = {}
    for method, operators in (("audit", "aa"), ("rogan_gladen", "aa"), ("rogan_gladen", "ab")):
        rows = [
            quality_row(**month) | {"operator_id": operator, "quality_method_code": method}
            for operator, month in zip(operators, months, strict=True)
        ]
        found = audited.correct_spam(total, errors(pl.DataFrame(rows, schema=FIGURES["quality"].columns)))
        widths[method, operators] = (found.low, found.high)
    # 30 below and 40 above in each month.
    apart = (math.floor(400 - 30 * 2**0.5), math.ceil(400 + 40 * 2**0.5))
    assert widths == {
        ("audit", "aa"): apart,
        ("rogan_gladen", "aa"): (340, 480),
        ("rogan_gladen", "ab"): apart,
    }


def test_a_call_without_a_share_stays_as_counted_in_the_channel() -> None:
    shares = dict(zip(CALL_SHARES, (0.9, None, 0.1), strict=True))
    row = quality_row(units=100, spam_certain=30, spam_possible=40, **shares)
    row |= {"prevalence": 0.5, "prevalence_low": 0.5, "prevalence_high": 0.5}
    found = audited.correct_spam(
        Spam.read_row(row), errors(pl.DataFrame([row], schema=FIGURES["quality"].columns))
    )
    assert (found.low, found.high, found.share) == (27 + 6, 27 + 6 + 10, 0.9)


def part(**changed: Any) -> dict[str, Any]:
    row = {"units": 100, "spam_certain": 40, "spam_possible": 40, "seen_units": 80, "audited_units": 80}
    return row | {"audited_spam": Decimal(30), "spam_low": Decimal(20), "spam_high": Decimal(50)} | changed


def test_a_part_without_content_is_no_want_of_an_audit() -> None:
    for cell in (audited.part_share_cell, audited.part_count_cell):
        assert cell(part(audited_units=0)).text == "not audited"
        assert cell(part(audited_units=0, seen_units=0)).text == ""
    assert audited.part_share_cell(part()).text == numbers.format_range(0.2, 0.5, numbers.format_share)


def studied(rows: list[dict[str, Any]], quality: list[dict[str, Any]]) -> Report:
    """A study of e-mail with these days."""
    day = {"channel_code": "EMAIL", "period_date": dt.date(2026, 11, 1)}
    tables = dataclasses.replace(
        figures(),
        daily=pl.DataFrame([day | row for row in rows], schema=FIGURES["daily"].columns),
        quality=pl.DataFrame(quality, schema=FIGURES["quality"].columns),
    )
    return Report(tables, {each.id: each for each in OPERATORS}, None)


def daily_notes(report: Report) -> list[str]:
    return audited.part_notes(report, report.figures.daily, "as is.")


def test_why_parts_have_no_errors_is_said_by_what_there_is() -> None:
    known = quality_row(units=80, spam_certain=40, spam_possible=40, prevalence=0.5)
    shared = known | dict.fromkeys(CALL_SHARES, 0.5)
    silent, empty = part(audited_units=0), part(audited_units=0, seen_units=0)
    said = [
        daily_notes(studied([rows], [quality]))
        for rows, quality in (
            (silent, quality_row(units=80, spam_certain=40, spam_possible=40)),
            (empty, shared),
            (silent, shared),
        )
    ]
    assert said == [
        ["Not audited, so shown as filters saw it: e-mail."],
        ["Shown as filters saw it, because what is counted here had no content: e-mail."],
        ["Shown as filters saw it, because no audit covers what is counted here: e-mail."],
    ]  # fmt: skip


def test_parts_that_are_audited_in_part_are_said_to_be() -> None:
    known = [quality_row(units=80, spam_certain=40, spam_possible=40, prevalence=0.5)]
    assert daily_notes(studied([part()], known)) == ["Corrected for filter error as is."]
    half = [part(), part(audited_units=0, seen_units=120)]
    assert daily_notes(studied(half, known)) == [
        "Corrected for filter error as is. It covers 40.0% of the e-mail whose content filters saw."
    ]
