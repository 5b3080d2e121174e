"""Answers of vendors, Associates and academia enter no estimate and leave in no release."""

import polars as pl

from jobs.base.tables.contracts import list_tables, read_contract
from jobs.base.tables.csv_tables import read_table, read_tables
from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.study.estimates.figures_of_others import MEMBERS
from jobs.study.estimates.steps import study_stage
from jobs.study.estimates.steps.study_stage import ANSWERS, compute_table
from sample_data.membership import FOLDER

# Every table that reads answers, but study.countermeasure and study.finding, which read estimates, too.
ENTERED = (
    "study.respondent_figure", "study.respondent_waiver", "study.reconciliation", "study.answered_share",
    "study.investment_account", "study.public_spending", "study.policy",
)  # fmt: skip


def test_no_other_table_reads_their_answers_and_no_published_table_reads_this_one() -> None:
    readers = {name for name in list_tables() if "M" in {role for role, _ in read_contract(name).questions}}
    assert readers == {MEMBERS}
    assert not [name for name in study_stage.TABLES if MEMBERS in read_contract(name).reads]
    assert not [name for name in public_tables() if public_contract(name).source == MEMBERS]


def test_estimates_are_byte_equal_with_and_without_them() -> None:
    """Figures in operators' and administrations' own lines, under their own names, change nothing if the role
    says another member."""
    have = read_tables(FOLDER, study_stage.REFERENCES)
    have |= {table: read_table(FOLDER, table, is_needed=False) for table in study_stage.SUBMITTED_TABLES}
    is_here = pl.col("country_code").is_in(["AFG", "ARE", "NPL"])
    have |= {name: have[name].filter(is_here) for name in (ANSWERS, "study.submission")}
    theirs = have[ANSWERS].with_columns(
        role_code=pl.lit("M"),
        received_at=pl.col("received_at") + pl.duration(days=9),
        file_sha256=pl.lit("f"),
    )
    more = have | {ANSWERS: pl.concat([have[ANSWERS], theirs])}
    for table in ENTERED:
        made = compute_table(table, have)
        assert made.height and made.write_ndjson() == compute_table(table, more).write_ndjson(), table
