"""How the error of filters comes into the figures of the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.release import audited, report, words
from jobs.release.figures import FIGURES
from jobs.release.study import Study
from tests.report_figures import ABOUT, MAIL, OPERATORS, audited_figures, figures, validation
from tests.test_report import plain, read

TOTAL = {"channel_code": "EMAIL", "units": 10_000, "spam_certain": 5_000, "spam_possible": 5_200}


def seen(*rows: tuple[int, int, int, tuple[float, float, float] | None]) -> pl.DataFrame:
    """What filters saw: units, certain, possible, and prevalence with its interval."""
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
    return pl.DataFrame(made, schema=FIGURES["quality"])


def test_an_audited_part_stands_in_place_of_what_was_counted() -> None:
    # 4,000 attempts and what was refused before content stay: 4,000 certain, 4,100 possible.
    found = audited.corrected(TOTAL, seen((6_000, 1_000, 1_100, (0.2, 0.15, 0.3))))
    assert (found.low, found.high, found.share) == (4_000 + 900, 4_100 + 1_800, 1)


def test_what_nobody_audited_stays_as_counted() -> None:
    found = audited.corrected(TOTAL, seen((6_000, 1_000, 1_100, None)))
    assert (found.low, found.high, found.share, found.methods) == (5_000, 5_200, 0, ())
    assert audited.says(found) == "No audit: the interval does not hold the errors of filters."
    half = audited.corrected(TOTAL, seen((3_000, 500, 500, (0.2, 0.2, 0.2)), (3_000, 500, 600, None)))
    assert (half.low, half.high, half.share) == (4_500 + 600, 4_700 + 600, 0.5)
    assert (
        audited.says(half)
        == "The interval holds the errors of filters for 50.0% of the messages they saw (by audit)."
    )


def test_intervals_of_operators_add_as_squares() -> None:
    # 600 and 800 with distances of 30 and 40 below, 60 and 80 above: 1,400 - 50 and + 100.
    rows = (3_000, 500, 500, (0.2, 0.19, 0.22)), (4_000, 500, 500, (0.2, 0.19, 0.22))
    found = audited.corrected(TOTAL, seen(*rows))
    assert (found.low, found.high) == (
        pytest.approx(4_000 + 1_350, abs=1),
        pytest.approx(4_200 + 1_500, abs=1),
    )
    apart = [audited.corrected(TOTAL, seen(row)) for row in rows]
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
    total = {
        "channel_code": "EMAIL",
        "units": rest + sum(each[0] for each in made),
        "spam_certain": sum(each[1] for each in made),
        "spam_possible": rest + sum(each[2] for each in made),
    }
    found = audited.corrected(total, seen(*made))
    assert 0 <= found.low <= found.high <= total["units"]


# --- the page -----------------------------------------------------------------------------------------------


def page_of(tables: dict[str, pl.DataFrame], folder: Path) -> Any:
    report.build(tables, OPERATORS, validation(), ABOUT, folder)
    return read(folder / "index.html")


def test_a_page_without_an_audit_says_so(tmp_path: Path) -> None:
    page = page_of(figures(), tmp_path)
    (base,) = [each for each in page.elements if each["attrs"].get("class") == "base"]
    assert base["text"].endswith(
        "No audit stands behind e-mail and SMS: the errors of filters are not in the interval."
    )
    assert "There is no audit of e-mail: its figures are as filters see them." in page.seen
    tables = [
        each
        for each in page.all("table")
        if "under each definition" in page.within(each, "caption")[0]["text"]
    ]
    for table in tables:
        rows = [[cell["text"] for cell in page.within(row, "td")] for row in page.within(table, "tr")]
        assert {row[-1] for row in rows if row} <= {"no audit", ""}


def test_a_page_with_audits_holds_the_errors_of_filters(tmp_path: Path) -> None:
    tables = audited_figures(*MAIL)
    page = page_of(tables, tmp_path)
    study = Study(tables, {each["id"]: each for each in OPERATORS}, None)
    (mail, sms) = study.totals
    found = audited.of_channel(study, mail)
    assert found.share == 1 and (found.low, found.high) != (mail["spam_certain"], mail["spam_possible"])
    ends = words.percent_range(found.low / mail["units"], found.high / mail["units"])
    as_counted = words.percent_range(sms["spam_certain"] / sms["units"], sms["spam_possible"] / sms["units"])
    assert plain(page.all("h1")[0]["text"]) == f"Spam was {ends} of e-mail and {as_counted} of SMS"
    seen_text = plain(page.seen)
    assert "The interval of e-mail holds the errors of filters. No audit stands behind SMS" in seen_text
    assert "The interval holds the errors of filters (by audit and by a test elsewhere)." in seen_text
    assert "Audit: 371 of 400 drawn were labelled" in seen_text
    assert "31.0% (27.0–36.0%)" in seen_text
    links = [each for each in page.all("a") if each["attrs"].get("href") == "quality.csv"]
    assert [each["text"] for each in links] == ["Numbers as CSV", "quality.csv"]
    assert (tmp_path / "quality.csv").is_file()


def test_an_audit_of_some_operators_is_said_to_be_of_a_part(tmp_path: Path) -> None:
    page = page_of(audited_figures("alp-mail"), tmp_path)
    text = plain(page.seen)
    assert "The interval of e-mail holds the errors of filters in part." in text
    assert "% of the messages they saw (by a test elsewhere)" in text
