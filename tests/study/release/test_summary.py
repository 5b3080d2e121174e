"""The summary of a release that a person approves."""

import json
from pathlib import Path

import polars as pl

from jobs.study.public.cells import HELD_SCHEMA
from jobs.study.release import clearance, decisions, folders
from jobs.study.release.production import note_unquoted, note_unrevised
from jobs.study.release.summary import count_changes, describe_table, list_rows_left_out
from tests.support.release import NOW


def test_a_table_without_rows_says_when_a_row_stands() -> None:
    assert describe_table("policy", 3) == "- policy: 3 rows"
    needed = "A row stands where nine administrations answered the line, and where"
    assert describe_table("policy", 0).startswith(f"- policy: 0 rows. {needed}")


def test_a_version_after_one_that_was_only_made_is_compared_with_none(tmp_path: Path) -> None:
    restricted = tmp_path / "2026-Q4" / "v1.1.0"
    restricted.mkdir(parents=True)
    (restricted / folders.ABOUT).write_text('{"earlier": ["2026-Q3/v1.0.0"]}')
    assert "no version of this period was published before" in count_changes(tmp_path, restricted)


def test_figures_that_a_correction_does_not_change_are_counted() -> None:
    rows = pl.DataFrame({"revision_code": ["STANDS", "REVISED", None, "STANDS"]})
    (said,) = note_unrevised({"spam_volume": rows, "cost": pl.DataFrame({"cost": [1.0]})})
    nothing, _ = note_unrevised({"spam_volume": rows.filter(pl.col("revision_code") != "REVISED")})
    assert nothing.startswith("This version revises no figure")
    assert said.startswith("2\u00a0rows stand as in an earlier version")
    assert note_unrevised({"spam_volume": rows.filter(revision_code="REVISED")}) == []


def test_what_was_left_out_is_named_with_who_decided_it_and_why(tmp_path: Path) -> None:
    first, second = (tmp_path / "2026-Q4" / version for version in ("v1.0.0", "v1.1.0"))
    for folder, left_out in ((first, []), (second, ["FJI"])):
        folder.mkdir(parents=True)
        (folder / folders.ABOUT).write_text(json.dumps({"left_out": left_out}))
        pl.DataFrame(schema=HELD_SCHEMA).write_csv(folder / "held.csv")
    decisions.record_decision(first, clearance.OVERRULED, "B. Officer", "00", NOW, "NPL", "by letter")
    decisions.record_decision(first, clearance.LEFT_OUT, "A. Officer", "00", NOW, "FJI", "the ministry asks")
    assert list_rows_left_out(first) == []
    # One row of a held area, as the gate writes it when areas are left out.
    row = dict.fromkeys(HELD_SCHEMA) | {
        "table_name": "study.spam_volume", "area_code": "AFR", "channel_code": "EMAIL",
        "period_code": "2026-Q4", "rule": "attack",
    }  # fmt: skip
    pl.DataFrame([row], schema=HELD_SCHEMA).write_csv(second / "held.csv")
    assert list_rows_left_out(second) == [
        "Rows of FJI, by decision of A. Officer on v1.0.0: the ministry asks",
        "Areas left out, with all their rows of the tables named: Africa (ITU region)"
        " (EMAIL in 2026-Q4: spam_volume).",
    ]


def test_a_release_of_which_no_volume_may_be_quoted_says_so() -> None:
    rows = pl.DataFrame(
        {
            "area_code": ["001", "001", "001", "ITU_AFR"],
            "quantity_code": ["spam_certain", "spam_certain", "units", "spam_certain"],
            "cv_band_code": [None, "unreliable", "acceptable", "acceptable"],
        }
    )
    (said,) = note_unquoted({"public.spam_volume": rows})
    assert "1\u00a0row leaves without reliability" in said and "and 1 of low reliability" in said
    assert note_unquoted({"spam_volume": rows.with_columns(cv_band_code=pl.lit("caution"))}) == []
    assert note_unquoted({"spam_volume": rows.tail(1)}) == note_unquoted({}) == []
