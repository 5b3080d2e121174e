"""A release's page: what it says of the cost of countermeasures, from released tables alone."""

from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from typer.testing import CliRunner

from jobs.base.core.errors import ObservatoryError
from jobs.base.figures.reliability import LOW
from jobs.base.tables.public_contracts import public_contract
from jobs.cli.main import app
from jobs.study.release.manifest import read_manifest
from jobs.study.release.page import (
    change_section,
    cost_section,
    describe_revisions,
    user_section,
    volume_section,
    write_page,
)
from tests.support.release import made as made_files

AREAS = {"001": "World", "199": "Least developed countries"}


def costs(*rows: tuple[str, str, str, str]) -> pl.DataFrame:
    """Released cost by area, strategy, component and estimate; intervals are from half to twice."""
    return pl.DataFrame(
        [
            {
                "period_code": "2026-Q4", "area_code": area, "area_name": AREAS[area],
                "channel_code": "EMAIL", "strategy_code": strategy, "cost_component_code": component,
                "estimate": estimate,
                "estimate_low": str(int(estimate) // 2), "estimate_high": str(2 * int(estimate)),
                "cv_band_code": "acceptable",
                "rate_per_subscription": "0.017" if area == "001" else None,
            }
            for area, strategy, component, estimate in rows
        ]
    )  # fmt: skip


WHOLE = costs(
    ("001", "_T", "marginal", "3000000"), ("001", "_T", "fixed", "14000000"),
    ("001", "_T", "stated", "17000000"), ("001", "filtering", "stated", "11000000"),
    ("001", "network", "stated", "390000"), ("199", "_T", "marginal", "1000000"),
    ("199", "_T", "stated", "1200000"),
)  # fmt: skip


def test_cost_stands_by_area_and_by_strategy_as_lower_bounds() -> None:
    section = cost_section(WHOLE)
    by_area, by_strategy = section.blocks
    assert [[cell.text for cell in row] for row in by_area.table.rows] == [
        ["World", "3M", "≥ 14M", "≥ 17M", "8.5M–34M", "≥ 0.017"],
        # Fewer than five holdings stated a fixed cost there: no figure left.
        ["Least developed countries", "1M", "–", "≥ 1.2M", "600k–2.4M", ""],
    ]
    assert [[cell.text for cell in row] for row in by_strategy.table.rows] == [
        ["World", "≥ 390k", "≥ 11M"],
        ["Least developed countries", "–", "–"],
    ]
    assert [column.name for column in by_strategy.table.columns][1:] == ["Network", "Filtering"]
    assert section.finding == (
        "Countermeasures cost the world's operators 17M (8.5M to 34M) US dollars for e-mail in 2026-Q4,"
        " without fixed cost that was not stated."
    )
    assert any("lower bound" in note for note in section.notes)


def test_bars_end_where_those_that_are_drawn_do() -> None:
    """Bars are of both together: the interval of marginal cost alone, which may be far wider, is no bar."""
    wide = pl.when(pl.col("cost_component_code") == "marginal").then(pl.lit("9000000000"))
    drawn, all_of_it = (
        cost_section(each).blocks[0].table
        for each in (WHOLE, WHOLE.with_columns(estimate_high=wide.otherwise("estimate_high")))
    )
    assert drawn.axis == all_of_it.axis == ("0", "34M")
    assert [line[0].bar for line in drawn.rows] == [line[0].bar for line in all_of_it.rows]


def test_what_did_not_leave_is_said() -> None:
    section = cost_section(WHOLE.clear())
    assert section.blocks == [] and section.missing


def test_corrected_spam_stands_before_what_filters_saw() -> None:
    row = {
        "period_code": "2026-Q4", "area_code": "001", "area_name": "World", "area_kind_code": "world",
        "channel_code": "EMAIL", "unit_code": "attempted", "definition_code": "OPERATOR",
        "cv_band_code": "caution", "estimate_low": "1", "estimate_high": "3000000",
    }  # fmt: skip
    rows = pl.DataFrame(
        [row | {"quantity_code": "spam_certain", "estimate": "2000000"},
         row | {"quantity_code": "spam_corrected", "estimate": "1900000"}]
    )  # fmt: skip
    section = volume_section(rows)
    (block,) = section.blocks
    assert block.table.rows[0][1].text == "1.9M !" and "corrected for filter error" in block.heading
    assert "recipients and attempts" in block.heading
    assert section.finding == (
        "The world received spam: 1.9M (1 to 3M) recipients and attempts by e-mail in 2026-Q4, corrected for"
        " filter error."
    )
    assert not any("ubscriptions" in note for note in section.notes)
    derived = {"share_pct": "41", "share_cv_band_code": "caution", "rate_per_subscription": "2.1"}
    with_rates = volume_section(
        rows.with_columns(pl.lit(value).alias(name) for name, value in derived.items())
    )
    assert [cell.text for cell in with_rates.blocks[0].table.rows[0][3:]] == ["41% !", "2.1"]
    assert any("follow from published figures" in note for note in with_rates.notes)
    terms = {"area_factor": "0.02", "rates_variance": "0.5", "days_variance": "0"}
    for subscriptions, says in (
        ("0", "Subscriptions are taken as exact"),
        ("0.000001", "<1% (E-mail) is due to errors of subscriptions."),
        ("0.0025", "20% (E-mail) is due to errors of subscriptions. They are the study's judgement"),
    ):
        known = [pl.lit(each).alias(name) for name, each in terms.items()]
        notes = volume_section(rows.with_columns(*known, subscriptions_variance=pl.lit(subscriptions))).notes
        assert any(says in note for note in notes)
    # What is of low reliability stands in the table alone.
    rough = volume_section(rows.with_columns(cv_band_code=pl.lit("unreliable")))
    assert rough.finding == "" and rough.blocks[0].table.rows[0][1].text == "1.9M !!"


def test_no_sentence_has_a_cost_of_low_reliability() -> None:
    for band in LOW:
        section = cost_section(WHOLE.with_columns(cv_band_code=pl.lit(band)))
        assert section.finding == "" and section.blocks[0].table.rows[0][3].text == "≥ 17M !!"


def test_modelled_cost_has_a_section_of_its_own_and_is_in_no_sentence() -> None:
    row = dict.fromkeys(public_contract("public.user_cost").schema) | {
        "period_code": "2026-Q4", "channel_code": "EMAIL", "user_cost_code": "user_seconds_per_spam_email",
        "area_code": "199", "area_name": "Least developed countries", "description": "Time to delete",
        "user_basis_code": "model", "bound_code": "upper", "hours_p50": "60", "modelled_p05": "9.1",
        "modelled_p50": "1234", "modelled_p95": "20000", "spam_units": "1200000",
    }  # fmt: skip
    (block,) = (section := user_section(pl.DataFrame([row]))).blocks
    assert [[cell.text for cell in line] for line in block.table.rows] == [
        ["Least developed countries", "Time to delete", "≤ 1.23k", "9–20k", "60",
         "published model, at its own wages"]
    ]  # fmt: skip
    (block,) = user_section(pl.DataFrame([row | {"hour_factor": "0.05"}])).blocks
    assert block.table.rows[0][-1].text == "published model"
    assert section.finding == "" and "modelled, not measured, and never added" in section.notes[0]
    assert user_section(pl.DataFrame([row]).clear()).missing


def test_the_page_says_how_many_prices_are_judgement() -> None:
    assert "5 of 8 of them judgement of this project" in cost_section(WHOLE).notes[0]


def test_a_release_has_its_page(made: SimpleNamespace, tmp_path: Path) -> None:
    folder = made.node.releases / "2026-Q4" / "v1.0.0"
    before = read_manifest(folder)
    done = CliRunner().invoke(app, ["release", "page", str(folder), "--output", str(tmp_path / "page")])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "page" / "index.html").read_text()
    assert before["title"] in text and "<script" not in text and "http" not in text.replace("xmlns", "")
    assert (tmp_path / "page" / "spam_volume.csv").read_bytes() == (
        folder / "data" / "spam_volume.csv"
    ).read_bytes()
    # The release stays as it is signed.
    assert read_manifest(folder) == before and not (folder / "index.html").exists()
    inside = CliRunner().invoke(app, ["release", "page", str(folder), "--output", str(folder / "page")])
    assert isinstance(inside.exception, ObservatoryError) and "never changes" in str(inside.exception)


def test_an_earlier_release_without_measured_cost_has_a_page(tmp_path: Path) -> None:
    for name, data in made_files().items():
        file = tmp_path / "release" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    text = write_page(tmp_path / "release", tmp_path / "page").read_text()
    assert "No cost left" in text and not (tmp_path / "page" / "countermeasure_cost.csv").exists()


def test_no_page_of_what_is_no_release(tmp_path: Path) -> None:
    with pytest.raises(ObservatoryError, match="is no release"):
        CliRunner().invoke(app, ["release", "page", str(tmp_path)], catch_exceptions=False)


def changes(*rows: tuple[str, str, str, str]) -> pl.DataFrame:
    """Released changes by area: estimates of both quarters, and the change."""
    like = {
        "channel_code": "EMAIL", "unit_code": "attempted", "definition_code": "OPERATOR",
        "quantity_code": "spam_certain", "earlier_period_code": "2026-Q3", "later_period_code": "2026-Q4",
        "holdings_class_code": "FROM_11", "coverage_class_code": "50_75",
    }  # fmt: skip
    of_period = {"2026-Q3": "with_after", "2026-Q4": "with_before"}
    return pl.DataFrame(
        [
            like | {"area_code": area, "area_name": AREAS[area], "period_code": period, "match_code": match,
                    "estimate": estimate, "change_pct": change if match == "with_before" else None}
            for area, before, after, change in rows
            for (period, match), estimate in zip(of_period.items(), (before, after), strict=True)
        ]
    )  # fmt: skip


def test_a_change_stands_between_its_two_figures_with_what_it_rests_on() -> None:
    section = change_section(
        changes(("199", "54000000", "66000000", "22"), ("001", "196000000", "212000000", "8.2"))
    )
    (block,) = section.blocks
    assert [[cell.text for cell in row] for row in block.table.rows] == [
        ["World", "196M", "212M", "+8.2%", "More than 10", "50 to 75%"],
        ["Least developed countries", "54M", "66M", "+22.0%", "More than 10", "50 to 75%"],
    ]
    assert [column.name for column in block.table.columns][1:4] == ["2026-Q3", "2026-Q4", "Change"]
    assert section.finding == "Spam in the world changed: +8.2% by e-mail from 2026-Q3 to 2026-Q4."
    assert any("No interval of a change is published" in note for note in section.notes)
    nothing = change_section(changes(("001", "1", "1", "0")).clear())
    assert nothing.blocks == [] and nothing.missing


def test_the_page_says_how_many_figures_are_revised() -> None:
    rows = pl.DataFrame({"revision_code": ["NEW", "REVISED", "STANDS", "STANDS"]})
    (says,) = describe_revisions(rows)
    assert says.startswith(
        "Of 4 figures of spam 3 were published before: 1 are revised, 0 are unchanged, and 2"
    )
    assert describe_revisions(rows.head(1)) == ["No figure of spam was published before, so none is revised."]
    assert describe_revisions(rows.rename({"revision_code": "other"})) == []
