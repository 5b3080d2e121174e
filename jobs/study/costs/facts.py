"""Facts that explanations of the study's figures share: scope, coverage and quality, parameters and
assumptions."""

import polars as pl

from jobs.base.core.numbers import format_number, format_pct, format_percent, format_whole_percent
from jobs.base.core.periods import LEAST_DAYS_PCT
from jobs.base.costs.figure import Estimate, Input, Scope, input_of
from jobs.base.figures import words
from jobs.base.tables.contracts import Row, reference_table
from jobs.study.costs.study_rows import StudyRow, countries_of

ASSUMPTION, PARAMETER = "ref.investment_assumption", "ref.cost_parameter"


def figure_scope(study_row: StudyRow, part: tuple[str, str], quantity: tuple[str, ...]) -> Scope:
    area, period = study_row.row["area_code"], study_row.row["period_code"]
    return Scope(study_row.table, area, period, part, quantity, countries_of(area, period))


def channel_name(row: Row) -> str:
    return words.code_name("channel", row["channel_code"])


def name_units(code: str) -> str:
    """The units of a volume, as a sentence has them."""
    return "recipients and attempts" if code == "attempted" else f"{code}s"


def strategy_name(row: Row) -> str:
    code = row["strategy_code"]
    return "all strategies" if code == "_T" else words.lower_first(words.code_name("strategy", code))


def estimate_of(row: Row) -> Estimate:
    return estimate_in(row, "estimate")


def estimate_in(row: Row, name: str) -> Estimate:
    """The estimate of a column with the interval beside it."""
    low, high = (row.get(f"{name}{end}") for end in ("_low", "_high"))
    return Estimate(
        float(row[name]), None if low is None else float(low), None if high is None else float(high)
    )


def format_cv(row: Row) -> str:
    return "no CV" if row["cv_pct"] is None else f"CV {format_percent(row['cv_pct'])}"


def rate_source(row: Row) -> str:
    """The operators whose rate is used for an area without respondents."""
    owners = row.get("rate_holding_count")
    return f"; rate of operators of {owners} owners" if owners and not row["respondent_count"] else ""


def list_facts(study_row: StudyRow, unit: str, thousand: str) -> list[tuple[str, str]]:
    """Coverage, quality, the non-response band, bands of refused amounts, and rates."""
    row = study_row.row
    lines = [
        ("of", f"{row['respondent_count']} of {row['operator_count']} operators ({row['holding_count']}"
               f" owners{rate_source(row)}), {format_whole_percent(row['coverage_pct'])} of"
               f" {format_number(row['subscriptions'])} subscriptions"),
        ("quality", f"{format_cv(row)}"
                    f" ({words.lower_first(words.code_name('cv_band', row['cv_band_code']))}),"
                    f" NATURE {row['nature_code']}, OBS_STATUS {row['obs_status_code']}"),
        ("others", "if those that did not answer have 0.5, 0.75 or 1.5 times the rate: "
         + ", ".join(format_number(row[name]) for name in ("at_050", "at_075", "at_150"))),
    ]  # fmt: skip
    if row.get("band_count") and row.get("bands_lowest") is not None:
        lines.append(
            ("refused", f"{row['band_count']} respondents gave only a budget band or a part; all at their"
             f" lower edges {format_number(row['bands_lowest'])}, at their upper"
             f" {format_number(row['bands_highest'])}")
        )  # fmt: skip
    if row.get("day_pct") is not None:
        lines.append(
            ("days", f"logs have {format_percent(row['day_pct'])} of the days, weighted by subscriptions;"
             f" counts of the others are taken to be like theirs, of months with at least"
             f" {format_pct(LEAST_DAYS_PCT)}")
        )  # fmt: skip
    if row.get("audit_count") is not None:
        share = format_whole_percent(row["audit_pct"], "none")
        lines.append(
            ("audits", f"{row['audit_count']} of {row['respondent_count']} respondents have an own audit or"
             f" test, of {share} of the messages whose content respondents saw")
        )  # fmt: skip
    if row["per_subscription"] is not None:
        lines.append(("each", f"{format_number(row['per_subscription'])} {unit} for a subscription"))
    if row.get("per_thousand_units") is not None:
        # A year's spending over a year's messages is no rate of a year.
        once = unit.removesuffix(" per year")
        lines.append(("", f"{format_number(row['per_thousand_units'])} {once} for 1,000 {thousand}"))
    return lines


def assumed_value(code: str) -> float:
    return assumption_input(code).central


def parameter_input(code: str) -> Input:
    row = reference_table(PARAMETER).row(by_predicate=pl.col("parameter_code") == code, named=True)
    return input_of(row, code)


def assumption_input(code: str) -> Input:
    row = reference_table(ASSUMPTION).row(by_predicate=pl.col("assumption_code") == code, named=True)
    value, about = row["central"], (row["description"], row["unit_text"])
    return Input(code, *about, value, value, value, row["source"], "assumption", "")
