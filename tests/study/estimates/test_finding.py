"""Suspicious figures: what is found, how far it moves an area, and what is decided on it."""

import datetime as dt
import math
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.languages import format_count, use_language
from jobs.base.settings.config import Observatory
from jobs.base.store.lake import Lake, open_lake
from jobs.base.store.lock import hold_lock
from jobs.base.tables.contracts import read_contract, reference_table, rows_frame
from jobs.base.tables.csv_tables import read_table, read_tables
from jobs.study.estimates import finding
from jobs.study.estimates.steps import finding_decisions, study_stage
from jobs.study.estimates.steps.finding_decisions import respondents_questions
from jobs.study.estimates.steps.given_figures import (
    ANSWERS,
    QUALITY,
    ROUTES,
    SUBMISSION,
    Given,
    finding_id,
    leave_out,
)
from jobs.study.estimates.steps.sample import Reference
from jobs.study.questionnaire.definition import load_definition
from jobs.study.questionnaire.respondents import Respondent
from jobs.study.questionnaire.texts import translate_key
from sample_data.membership import BEFORE, FOLDER
from tests.support.delta import write_delta
from tests.support.examples import examples
from tests.support.in_process import Run, command_line_of
from tests.support.small_study import Small, basis, drawn
from tests.support.study_node import SETTINGS

ODD = "brb-email-5"
FIGURE = "study.respondent_figure"
GIVEN = tuple(name for name in read_contract("study.contribution").reads if name.startswith("study."))
SPAM = "sp303.EMAIL.attempted"
NOW = dt.datetime(2027, 2, 3, 9, tzinfo=dt.UTC)
INDICATORS = reference_table("ref.indicator_measure")


def membership(channel: str | None = None) -> dict[str, pl.DataFrame]:
    """Return the tables of the made-up membership; of one channel its volumes alone."""
    have = read_tables(FOLDER, study_stage.REFERENCES)
    have |= {table: read_table(FOLDER, table, is_needed=False) for table in study_stage.SUBMITTED_TABLES}
    if channel:
        have[SUBMISSION] = have[SUBMISSION].filter(pl.col("channel_code") == channel)
        indicator = pl.col("indicator_code")
        have[ANSWERS] = have[ANSWERS].filter(indicator.str.contains(rf"\.{channel}(\.|$)|^sp20"))
    return have


def with_findings(have: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    for table in (*GIVEN, "study.contribution", finding.TABLE):
        have[table] = study_stage.compute_table(table, have)
    return have


def thousandfold(have: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Make one answer on spam, and that on all traffic, a thousand times too high, as in thousands."""
    is_odd = (pl.col("respondent_id") == ODD) & pl.col("indicator_code").is_in([SPAM, "sp205.EMAIL"])
    value = pl.when(is_odd).then(pl.col("value") + "000").otherwise("value")
    return have | {ANSWERS: have[ANSWERS].with_columns(value=value)}


@pytest.fixture(scope="module")
def odd() -> dict[str, pl.DataFrame]:
    return with_findings(thousandfold(membership("EMAIL")))


def test_an_answer_a_thousandfold_too_high_is_found(odd: dict[str, pl.DataFrame]) -> None:
    """All operators of its channel, a sum of world and regions that nobody would notice."""
    (row,) = odd[finding.TABLE].to_dicts()
    assert (row["respondent_id"], row["rule_code"], row["period_code"]) == (ODD, "size_class", "2026-Q4")
    assert row["influence_pct"] > 2 and row["ratio"] > 100
    assert row["expected_value"] < row["contribution"] / 100


@pytest.mark.long
def test_a_clean_membership_has_few_findings() -> None:
    """Volumes and money of both channels: heavy tails alone are not suspicious."""
    found = with_findings(membership())[finding.TABLE]
    print(f"findings of the clean membership: {found.height}")
    assert found.height <= 5 and found.filter(pl.col("influence_pct") > 2).is_empty()


def account_of(server: str) -> dict[str, pl.DataFrame]:
    """Six operators of Kenya that answer on money; the first gives this cost of a server."""
    names = [f"ken-{number}" for number in range(1, 7)]
    lines = {"sp701.SERVER": "400000", "sp702.SERVER": "100", "sp706": "30000", "sp707.EMAIL": "100",
             "sp708.filtering": "100"}  # fmt: skip
    rows = [
        {"respondent_id": name, "period_code": "2025", "indicator_code": code, "role_code": "O",
         "value": server if (name, code) == ("ken-1", "sp701.SERVER") else value, "waiver": "W0",
         "answer_status_code": "A", "country_code": "KEN", "received_at": NOW, "file_sha256": name}
        for name in names
        for code, value in lines.items()
    ]  # fmt: skip
    frame = pl.DataFrame(
        [{"respondent_id": name, "holding_id": name, "country_code": "KEN", "channel_code": "EMAIL",
          "size_code": "LARGE", "subscriptions": 2_000_000} for name in names]
    )  # fmt: skip
    frame = frame.with_columns(valid_from=dt.date(2020, 1, 1), source=pl.lit("x"))
    have = {table: rows_frame([], table) for table in study_stage.SUBMITTED_TABLES} | {
        ANSWERS: rows_frame(rows, ANSWERS),
        "ref.operator_frame": rows_frame(frame.to_dicts(), "ref.operator_frame"),
        "ref.denominator": rows_frame([], "ref.denominator"),
    }
    prices = [
        {"country_code": "KEN", "price_year": 2025, "currency_code": "KES", "deflator_index": 100.0,
         "ppp_rate": 50.0, "market_rate": 100.0, "wage_per_day": 4000.0, "source": "made up"}
    ]  # fmt: skip
    return with_findings(have | {"ref.price_level": rows_frame(prices, "ref.price_level")})


def test_a_server_of_a_trillion_shillings_is_found() -> None:
    """Once for the account, whatever channels it is divided over; five usual accounts are in order."""
    (row,) = account_of("999999999999")[finding.TABLE].to_dicts()
    assert (row["respondent_id"], row["table_name"]) == ("ken-1", "study.investment")
    assert row["influence_pct"] > 99 and row["series"] == "_T/_T/market"
    assert account_of("400000")[finding.TABLE].is_empty()


def row_of(values: dict[str, float], period: str = "2026-Q4") -> list[dict[str, Any]]:
    return [
        {"table_name": "study.spam_volume", "period_code": period, "channel_code": "EMAIL",
         "series": "recipient/OPERATOR/units", "unit_code": "recipient", "definition_code": "OPERATOR",
         "quantity_code": "units", "respondent_id": name, "holding_id": name, "country_code": "KEN",
         "contribution": value, "is_waived": False}
        for name, value in values.items()
    ]  # fmt: skip


def rules_of(*rows: dict[str, Any], bounds: pl.DataFrame | None = None) -> dict[str, set[int]]:
    """The rules that figures of the last quarter break, by respondent of a thousand subscriptions.

    Args:
        bounds: of ref.answer_bound, those of the project if None.
    """
    contributions = rows_frame(list(rows), "study.contribution")
    names = sorted(set(contributions["respondent_id"]))
    frame = rows_frame(
        [{"respondent_id": name, "holding_id": name, "country_code": "KEN", "channel_code": "EMAIL",
          "size_code": "SMALL", "subscriptions": 1000, "valid_from": dt.date(2020, 1, 1), "source": "x"}
         for name in names], "ref.operator_frame",
    )  # fmt: skip
    bounds = reference_table("ref.answer_bound") if bounds is None else bounds
    found = finding.find_suspicious(contributions, frame, bounds)
    rules: dict[str, set[int]] = {}
    for name, rule in found.filter(pl.col("period_code") == "2026-Q4").select("respondent_id", "rule").rows():
        rules.setdefault(name, set()).add(rule)
    return rules


@pytest.mark.parametrize(
    ("year", "quarters", "is_found"),
    [
        # A year cannot be less than one of its quarters, or than those that are known together.
        (257.0, [258.0], True), (257.0, [100.0, 258.0], True), (258.0, [258.0], False),
        # With all four it is their sum; with fewer it may be more.
        (400.0, [100.0] * 4, False), (800.0, [100.0] * 4, True),
        (404.0, [100.0] * 4, False), (404.1, [100.0] * 4, True),
        (396.0, [100.0] * 4, False), (395.9, [100.0] * 4, True),
        (800.0, [100.0] * 3, False),
    ],
)  # fmt: skip
def test_a_year_contradicts_no_quarter(year: float, quarters: list[float], is_found: bool) -> None:
    rows = [
        *row_of({"a": year}, "2026"),
        *(row for at, value in enumerate(quarters, 1) for row in row_of({"a": value}, f"2026-Q{at}")),
    ]
    frame = rows_frame(
        [{"respondent_id": "a", "channel_code": "EMAIL", "size_code": "SMALL", "subscriptions": 1000,
          "valid_from": dt.date(2020, 1, 1)}], "ref.operator_frame",
    )  # fmt: skip
    contributions = rows_frame(rows, "study.contribution")
    found = finding.find_suspicious(contributions, frame, reference_table("ref.answer_bound"))
    broken = found.filter(pl.col("rule") == finding.RULES.index("quarters"))
    assert broken.select("period_code", "expected_value").rows() == (
        [("2026", sum(quarters))] if is_found else []
    )


@pytest.mark.parametrize(
    ("now", "is_found"),
    [(4.9, False), (5.2, True), (0.21, False), (0.19, True), (0.0, True)],
)
def test_a_respondents_own_figure_changes_by_five_times_at_most(now: float, is_found: bool) -> None:
    """Each of the two quarters has 92 days."""
    earlier, later = row_of({"a": 1000}, "2026-Q3"), row_of({"a": 1000 * now})
    assert (rules_of(*earlier, *later) == {"a": {0}}) is is_found


def test_nothing_stays_nothing_and_something_from_nothing_is_asked_about() -> None:
    before, now = row_of({"a": 0, "b": 0}, "2026-Q3"), row_of({"a": 0, "b": 7})
    assert rules_of(*before, *now) == {"b": {0}}


def test_a_size_class_takes_five_and_a_factor_of_ten() -> None:
    usual = {f"p{number}": 1000.0 * (1 + number / 10) for number in range(5)}
    assert rules_of(*row_of(usual | {"odd": 9000})) == {}
    assert rules_of(*row_of(usual | {"odd": 50_000, "low": 20})) == {"odd": {1}, "low": {1}}
    assert rules_of(*row_of({name: usual[name] for name in ("p0", "p1", "p2")} | {"odd": 50_000})) == {}


@pytest.mark.parametrize(
    ("others", "factor", "is_found"),
    [(2, 0.001, True), (2, 1000, True), (3, 0.001, True), (3, 0.02, False), (1, 0.001, False),
     # Five of its size class speak for themselves.
     (5, 0.02, True)],
)  # fmt: skip
def test_where_a_size_class_has_few_a_figure_in_thousands_is_far_from_its_channel(
    others: int, factor: float, is_found: bool
) -> None:
    usual = {f"p{number}": 1000.0 * (1 + number / 2) for number in range(others)}
    rule = finding.RULES.index("size_class" if others >= 5 else "channel")
    assert rules_of(*row_of(usual | {"odd": 1000 * factor})) == ({"odd": {rule}} if is_found else {})


@pytest.mark.parametrize(
    ("others", "odd", "rules"),
    [
        # A size class takes five, and more than ten times its median.
        (4, 9_999, set()), (4, 10_001, {"size_class"}), (4, 100.01, set()), (4, 99.99, {"size_class"}),
        (3, 10_001, set()), (4, 100_001, {"size_class"}),
        # A channel takes three, and more than a hundred times its median.
        (3, 99_999, set()), (3, 100_001, {"channel"}), (2, 99_999, set()), (2, 100_001, {"channel"}),
        (1, 10_000_001, set()),
    ],
)  # fmt: skip
def test_peers_and_factors_at_their_limits(others: int, odd: float, rules: set[str]) -> None:
    found = rules_of(*row_of({f"p{number}": 1000.0 for number in range(others)} | {"odd": odd}))
    assert {finding.RULES[each] for each in found.get("odd", set())} == rules


@pytest.mark.parametrize(("deviation", "is_found"), [(4 * 1.4826 - 1e-4, False), (4 * 1.4826 + 1e-4, True)])
def test_a_figure_is_far_beyond_four_robust_standard_deviations(deviation: float, is_found: bool) -> None:
    """The median absolute deviation of the logarithms is 1."""
    logarithms = {"p0": -1.0, "p1": -1.0, "p2": 0.0, "p3": 1.0, "odd": deviation}
    found = rules_of(*row_of({name: 1000 * math.exp(each) for name, each in logarithms.items()}))
    assert found == ({"odd": {1}} if is_found else {})


@pytest.mark.parametrize(
    ("begin", "end", "is_found"),
    [((2026, 12, 31), (2027, 1, 1), True), ((2026, 12, 31), (2026, 12, 31), False),
     ((2027, 1, 1), None, False), ((2026, 12, 31), None, True)],
)  # fmt: skip
def test_a_bound_holds_if_it_holds_on_a_periods_last_day(
    begin: tuple[int, int, int], end: tuple[int, int, int] | None, is_found: bool
) -> None:
    bounds = reference_table("ref.answer_bound").with_columns(
        valid_from=pl.lit(dt.date(*begin)), valid_to=pl.lit(dt.date(*end) if end else None, pl.Date)
    )
    assert (rules_of(*row_of({"a": 1e12}), bounds=bounds) == {"a": {2}}) is is_found


def test_a_bound_is_for_each_subscription_and_day() -> None:
    most = 2000 * 1000 * 92
    assert rules_of(*row_of({"a": most})) == {} and rules_of(*row_of({"a": most + 1000})) == {"a": {2}}


def replaced(small: Small, name: str, figures: tuple[int, int, int]) -> Small:
    operators = [replace(each, figures=figures) if each.name == name else each for each in small.operators]
    return replace(small, operators=tuple(operators))


@examples(24, deadline=None)
@example(seed=117, factor=0.2)
@example(seed=102, factor=0.0)
@given(seed=st.integers(0, 10**6), factor=st.sampled_from([0.0, 0.2, 30.0, 1000.0]))
def test_influence_is_how_far_the_estimate_really_moves(seed: int, factor: float) -> None:
    """The study's own estimates are made with the figure and with the expected one in its place; and no area
    that may be published moves more."""
    small = drawn(seed, countries=5, answering=0.8)
    who = max((each for each in small.operators if each.figures), key=lambda each: each.subscriptions)
    assert who.figures
    units = round(who.figures[0] * factor)
    was = basis(small, "was").tables
    odd = replaced(small, who.name, (units, 0, 0))
    now = basis(odd, "now").tables
    series = "recipient/OPERATOR/units"
    rows = now["study.contribution"].filter(
        (pl.col("period_code") == small.period) & (pl.col("series") == series)
    )
    asked = rows.filter(pl.col("respondent_id") == who.name).select(
        *finding.SERIES, "respondent_id", "contribution", expected_value=pl.lit(float(who.figures[0]))
    )
    names = ("operator_frame", "denominator", "country", "country_group")
    known = Reference(*(now[f"ref.{name}"] for name in names))
    (found,) = finding.rank_influences(asked, rows, known)
    moved = {}
    for area, before, after, holdings, kind in (
        volumes(was)
        .join(volumes(now), on="area_code")
        .select("area_code", "estimate", "estimate_right", "holding_count", "area_kind_code")
        .rows()
    ):
        if holdings and (kind != "country" or holdings >= 3):
            share = abs(float(after) - float(before)) / float(after) if after else float(before > 0)
            moved[area] = 100 * share
    most = pytest.approx(max(moved.values()), rel=1e-3, abs=1e-3)
    assert found["influence_pct"] == most and moved[found["area_code"]] == most


def volumes(tables: Any) -> pl.DataFrame:
    frame: pl.DataFrame = tables["study.spam_volume"].filter(
        (pl.col("quantity_code") == "units") & (pl.col("period_code") == "2026-Q4")
    )
    return frame


# --- decisions --------------------------------------------------------------------------------------


@pytest.fixture
def lake(tmp_path: Path, odd: dict[str, pl.DataFrame]) -> Lake:
    """A lake with what the membership gave, and the finding on it."""
    (tmp_path / "observatory.toml").write_text(SETTINGS)
    root = tmp_path / "lake"
    for table in (SUBMISSION, ANSWERS, finding.TABLE):
        rows = odd[table] if table == finding.TABLE else odd[table].filter(pl.col("respondent_id") == ODD)
        write_delta(root / table.replace(".", "/"), rows, list(read_contract(table).partition_by))
    return Lake(str(root))


def only_finding(lake: Lake) -> finding_decisions.DecidedFinding:
    (found,) = finding_decisions.list_findings(lake)
    return found


def test_a_release_is_refused_while_a_finding_is_open(lake: Lake) -> None:
    (found,) = finding_decisions.open_findings(lake, ["2026-Q4"], 0.02)
    (line,) = finding_decisions.note_findings(lake, 0.02)
    assert line == "Suspicious figures to be decided on before a release: 1; see `observatory study check`"
    assert finding_decisions.open_findings(lake, ["2026-Q3"], 0.02) == []
    assert finding_decisions.open_findings(lake, ["2026-Q4"], 1.0) == []
    with pytest.raises(ObservatoryError, match=f"{found.finding_id}: {ODD}, EMAIL") as told:
        finding_decisions.refuse_open(lake, ["2026-Q4", "2026"], 0.02)
    assert "observatory study check --decide ID --as confirmed|left_out" in str(told.value)
    finding_decisions.record_decisions(
        lake, [found.finding_id], "confirmed", "botnet of October", "A. Officer", NOW
    )
    finding_decisions.refuse_open(lake, ["2026-Q4", "2026"], 0.02)
    assert finding_decisions.note_findings(lake, 0.02) == []
    (row,) = lake.read(finding_decisions.TABLE).to_dicts()
    assert (row["decided_by"], row["decided_at"]) == ("A. Officer", NOW)
    assert row["reason_text"] == "botnet of October"
    assert (row["respondent_id"], row["decision_code"]) == (ODD, "confirmed")


@pytest.mark.parametrize(("influence_pct", "is_open"), [(2.0, False), (2.001, True)])
def test_a_finding_that_moves_its_area_by_the_open_share_is_not_open(
    lake: Lake, influence_pct: float, is_open: bool
) -> None:
    assert replace(only_finding(lake), influence_pct=influence_pct).is_open(0.02) == is_open


def test_a_figure_left_out_is_open_until_it_is_computed_and_decisions_change(lake: Lake) -> None:
    found = only_finding(lake).finding_id
    for number, decision in enumerate(("confirmed", "left_out")):
        at = NOW + dt.timedelta(hours=number)
        finding_decisions.record_decisions(
            lake, [found], decision, "as answered by telephone", "A. Officer", at
        )
    with pytest.raises(ObservatoryError, match="run `observatory study estimate` first"):
        finding_decisions.refuse_open(lake, ["2026-Q4"], 0.02)
    assert (
        finding_decisions.note_findings(lake, 1.0)[0]
        == f"{ODD}, EMAIL in 2026-Q4: left out by A. Officer: as answered by telephone"
    )


def test_of_two_decisions_at_a_fixed_time_the_later_one_stands(lake: Lake) -> None:
    found = only_finding(lake).finding_id
    for decision in ("left_out", "confirmed"):
        finding_decisions.record_decisions(lake, [found], decision, "so", "A. Officer", NOW)
    made = lake.read(finding_decisions.TABLE)
    assert made.unique(["finding_id", "decided_at"]).height == 2
    assert only_finding(lake).decision_code == "confirmed"
    assert {at.date() for at in made["decided_at"]} == {NOW.date()}


@pytest.mark.parametrize(
    ("which", "reason", "by", "says"),
    [
        ("ffff", "so", "me", "no such finding"),
        (None, " ", "me", "--reason is empty"),
        (None, "so", "", "--by is empty"),
    ],
)
def test_a_decision_takes_a_finding_a_reason_and_a_name(
    lake: Lake, which: str | None, reason: str, by: str, says: str
) -> None:
    with pytest.raises(ObservatoryError, match=says):
        finding_decisions.record_decisions(
            lake, [which or only_finding(lake).finding_id], "confirmed", reason, by, NOW
        )
    assert lake.read(finding_decisions.TABLE).is_empty()


def decided(found: dict[str, Any], decision: str = "left_out") -> pl.DataFrame:
    names = ("finding_id", "table_name", "period_code", "channel_code", "respondent_id")
    about = {"decision_code": decision, "decided_at": NOW, "decided_by": "A. Officer", "reason_text": "so"}
    return rows_frame([{name: found[name] for name in names} | about], finding_decisions.TABLE)


def given_in(have: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    return {table: have[table] for table in study_stage.SUBMITTED_TABLES}


def test_what_is_left_out_counts_as_if_it_had_never_come(odd: dict[str, pl.DataFrame]) -> None:
    (row,) = odd[finding.TABLE].to_dicts()
    remaining, lines = finding_decisions.apply_decisions(given_in(odd), decided(row))
    assert lines == [f"{ODD}, EMAIL in 2026-Q4: left out by A. Officer: so"]
    is_odd = (pl.col("respondent_id") == ODD) & (pl.col("period_code") == "2026-Q4")
    is_answer = is_odd & pl.col("indicator_code").is_in(INDICATORS["indicator_code"].to_list())
    never = given_in(odd) | {ANSWERS: odd[ANSWERS].filter(~is_answer)}
    never |= {
        table: odd[table].filter(pl.col("respondent_id") != ODD) for table in (SUBMISSION, ROUTES, QUALITY)
    }
    assert never[ANSWERS].height < odd[ANSWERS].height
    for table, rows in remaining.items():
        assert rows.equals(never[table]), table
    left = odd | remaining
    left |= {table: study_stage.compute_table(table, left) for table in GIVEN}
    assert ODD not in set(left[FIGURE].filter(pl.col("units") > 0)["respondent_id"])
    contributed = study_stage.compute_table("study.contribution", left)
    assert ODD not in set(contributed["respondent_id"])
    others = odd["study.contribution"].filter(
        (pl.col("respondent_id") != ODD) & (pl.col("quantity_code") != "spam_corrected")
    )
    assert contributed.filter(pl.col("quantity_code") != "spam_corrected").equals(others)
    assert finding_decisions.apply_decisions(given_in(odd), decided(row, "confirmed"))[1] == []


def test_what_goes_with_a_figure_of_a_year_is_named(odd: dict[str, pl.DataFrame]) -> None:
    of_year = Given("study.spam_volume", "2026", "EMAIL", ODD)
    row = {"finding_id": finding_id(of_year, given_in(odd), INDICATORS), "respondent_id": ODD,
           "table_name": "study.spam_volume", "period_code": "2026", "channel_code": "EMAIL"}  # fmt: skip
    _, (line,) = finding_decisions.apply_decisions(given_in(odd), decided(row))
    assert line == f"{ODD}, EMAIL in 2026, with 2026-Q4: left out by A. Officer: so"


def test_a_corrected_answer_is_taken_again(odd: dict[str, pl.DataFrame]) -> None:
    """A file that repeats the same answer is none."""
    (row,) = odd[finding.TABLE].to_dicts()
    is_spam = (pl.col("respondent_id") == ODD) & (pl.col("indicator_code") == SPAM)
    later = odd[ANSWERS].filter(is_spam).with_columns(received_at=pl.lit(NOW).cast(pl.Datetime("us", "UTC")))
    repeated = given_in(odd) | {ANSWERS: pl.concat([odd[ANSWERS], later])}
    assert "left out" in finding_decisions.apply_decisions(repeated, decided(row))[1][0]
    corrected = later.with_columns(value=pl.lit("12510486"))
    given_now = given_in(odd) | {ANSWERS: pl.concat([odd[ANSWERS], corrected])}
    remaining, lines = finding_decisions.apply_decisions(given_now, decided(row))
    assert lines == [f"{ODD}, EMAIL in 2026-Q4: corrected since A. Officer left it out; it is taken again"]
    assert remaining[ANSWERS].height == given_now[ANSWERS].height


@pytest.mark.parametrize(("channel", "table"), [("EMAIL", QUALITY), ("SMS", ROUTES)])
def test_a_quarter_by_logs_goes_with_its_months_routes_and_audits(channel: str, table: str) -> None:
    have = {name: read_table(FOLDER, name) for name in (SUBMISSION, table)}
    have[ANSWERS] = rows_frame([], ANSWERS)
    who = have[table].filter(pl.col("channel_code") == channel)["respondent_id"].min()
    of = Given("study.spam_volume", "2026-Q4", channel, str(who))
    remaining = leave_out(of, have, INDICATORS)
    for name in (SUBMISSION, table):
        is_own = (pl.col("respondent_id") == who) & (pl.col("channel_code") == channel)
        # The quarter before stays.
        is_own &= pl.col("period_code") != BEFORE
        assert remaining[name].height < have[name].height
        assert remaining[name].equals(have[name].filter(~is_own)), name


def test_an_account_is_left_out_in_all_channels() -> None:
    have = account_of("999999999999")
    (row,) = have[finding.TABLE].to_dicts()
    remaining, _ = finding_decisions.apply_decisions(given_in(have), decided(row))
    accounts = study_stage.compute_table("study.investment_account", have | remaining)
    assert set(accounts["respondent_id"]) == {f"ken-{number}" for number in range(2, 7)}


# --- questions --------------------------------------------------------------------------------------


def numbers(text: str) -> set[str]:
    return {each.replace(",", "").rstrip(".") for each in re.findall(r"\d[\d,.]*", text)}


def test_a_question_holds_no_other_respondents_figure(lake: Lake, odd: dict[str, pl.DataFrame]) -> None:
    found = only_finding(lake)
    ((who, text),) = respondents_questions([found], odd[ANSWERS], INDICATORS, {}).items()
    assert who == ODD and "E-mail" in text and "2026-Q4" in text and found.finding_id in text
    own = odd[ANSWERS].filter(pl.col("respondent_id") == ODD)
    known = {*own["value"].drop_nulls(), "1", f"{found.contribution:.0f}"}
    codes = numbers(" ".join([*own["indicator_code"], ODD, "2026-Q4", found.finding_id]))
    assert numbers(text) <= known | codes
    others = set(odd["ref.operator_frame"]["respondent_id"]) - {ODD}
    assert not [name for name in others if re.search(rf"\b{name}\b", text)]
    assert found.area_code not in text


@pytest.mark.parametrize("language", load_definition()["languages"])
def test_a_question_is_in_the_respondents_language(
    lake: Lake, odd: dict[str, pl.DataFrame], language: str
) -> None:
    who = Respondent(ODD, "Poste Étrange", "O", "BRB", "odd", (), language, "")
    with use_language(language):
        previous = format_count(1234)
    for rule in finding.RULES:
        found = replace(only_finding(lake), rule_code=rule, previous_contribution=1234.0)
        ((_, text),) = respondents_questions([found], odd[ANSWERS], INDICATORS, {ODD: who}).items()
        assert translate_key(language, "finding", "intro") in " ".join(text.split()) or language == "zh"
        assert "{" not in text and found.finding_id in text and previous in text
        assert text.partition("\n")[0] == translate_key(language, "finding", "to", respondent=who.name)
        assert (translate_key(language, "word", "unofficial") in text) == (language != "en")


def test_a_definition_is_named_as_it_was_answered(lake: Lake, odd: dict[str, pl.DataFrame]) -> None:
    found = replace(only_finding(lake), series="attempted/ITU_T_SG2/spam_certain")
    answered = odd[ANSWERS].filter(pl.col("respondent_id") == ODD).head(1)
    bulk = answered.with_columns(
        indicator_code=pl.lit("sp301.EMAIL"), period_code=pl.lit(found.period_code), value=pl.lit("UBE")
    )
    for answers, name in (
        (bulk, "“Unsolicited and bulk”"),
        (bulk.clear(), "“Spam (ITU-T Study Group 2, 2006)”"),
    ):
        ((_, text),) = respondents_questions([found], answers, INDICATORS, {}).items()
        assert f"by the definition {name}" in " ".join(text.split())


def test_a_question_names_what_was_given_before(lake: Lake) -> None:
    found = replace(only_finding(lake), rule_code="previous", previous_contribution=1234.0)
    ((_, text),) = respondents_questions([found], rows_frame([], ANSWERS), INDICATORS, {}).items()
    assert "your figure for 2026-Q3: 1,234." in " ".join(text.split())


def test_money_is_asked_in_the_words_of_the_form() -> None:
    have = account_of("999999999999")
    row = have[finding.TABLE].to_dicts()[0]
    names = finding_decisions.DecidedFinding.__dataclass_fields__
    found = finding_decisions.DecidedFinding(**{name: row.get(name) for name in names})
    ((_, text),) = respondents_questions([found], have[ANSWERS], INDICATORS, {}).items()
    assert "sp701.SERVER (2025): 999999999999" in text


@pytest.mark.parametrize("language", load_definition()["languages"])
def test_computed_posts_are_asked_with_what_they_were_computed_from(language: str) -> None:
    """No other line of the account is named: a form has dozens."""
    have = account_of("999999999999")
    (row,) = have[finding.TABLE].to_dicts()
    row |= {"series": "_T/posts/none", "contribution": 136.4, "channel_code": "EMAIL"}
    names = finding_decisions.DecidedFinding.__dataclass_fields__
    found = finding_decisions.DecidedFinding(**{name: row.get(name) for name in names})
    who = {"ken-1": Respondent("ken-1", "A", "O", "KEN", "a", (), language, "")}
    by_days = have[ANSWERS]
    by_wage = by_days.with_columns(pl.col("indicator_code").replace("sp706", "sp705.STAFF"))
    for answers, code, key in (
        (by_days, "sp706", "posts_by_days"),
        (by_wage, "sp705.STAFF", "posts_by_wage"),
    ):
        ((_, text),) = respondents_questions(
            [found], answers, INDICATORS, who, price_level=have["ref.price_level"]
        ).items()
        with use_language(language):
            wage = {"wage": format_count(4000), "currency": "KES"} if key == "posts_by_wage" else {}
        said = translate_key(language, "finding", key, question=code, days="220", **wage)
        assert "".join(said.split()) in "".join(text.split())
        assert [line.split()[0] for line in text.splitlines() if " (2025): " in line] == [code, "sp707.EMAIL"]
    # Without the wage the question says no less than it did.
    ((_, text),) = respondents_questions([found], by_wage, INDICATORS, who).items()
    assert "sp705.STAFF (2025): 30000" in text


# --- the command ------------------------------------------------------------------------------------


def test_findings_are_listed_asked_about_and_decided(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OBSERVATORY_READ_AT", NOW.isoformat())
    run: Run = command_line_of(monkeypatch, capsys)
    found = only_finding(lake).finding_id
    head = "respondent_id,name,role,country,holding,operator_ids,language,size_class"
    (tmp_path / "respondents.csv").write_text(f"{head}\n{ODD},Odd,O,BRB,odd,,es,\n", encoding="utf-8")
    told = run("study", "check", "--questions", "questions")
    assert told.code == 0 and "Suspicious figures: 1, open 1" in told.out
    assert "others of it may be wrong, too" in " ".join(told.out.split())
    assert found in told.out and ODD in told.out and max(map(len, told.out.splitlines())) <= 80
    file = tmp_path / "questions" / f"{ODD}.txt"
    assert file.stat().st_mode & 0o777 == 0o600 and f"Referencia: {found}" in file.read_text()
    decision = ("--decide", found, "--as", "confirmed", "--reason", "a flood", "--by", "A. Officer")
    told = run("study", "check", *decision)
    assert told.code == 0 and "confirmed, by A. Officer" in told.out
    told = run("study", "check")
    assert "open 0" in told.out and "Decided: 1" in told.out
    # By `[lake] read_at`, as all dates of a study are.
    assert f"{found}: {ODD}, EMAIL in 2026-Q4: confirmed on 2027-02-03 by" in told.out
    assert "by A. Officer: a flood\n" in told.out
    assert run("study", "check", "--decide", found).code == 2
    other = run("study", "check", "--period", "2025").out
    assert "No figure is suspicious" in other and "Decided" not in other


def test_a_lake_without_estimates_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A release is refused, too: nothing was checked."""
    with pytest.raises(ObservatoryError, match="study estimate"):
        finding_decisions.refuse_open(Lake(str(tmp_path / "lake")), ["2026-Q4"], 0.02)
    (tmp_path / "observatory.toml").write_text(SETTINGS)
    monkeypatch.chdir(tmp_path)
    told = command_line_of(monkeypatch, capsys)("study", "check")
    assert told.code == 2 and "study estimate" in told.err


# What is estimated in this test: tables of volume and spending, and what they read.
WHOLE = ("study.spam_volume", "study.investment_account", "study.contribution", finding.TABLE)


def with_inputs(tables: Iterable[str]) -> tuple[str, ...]:
    """Study tables with those that they read, in the order in which they are computed."""
    wanted = set(tables)
    for table in reversed(study_stage.TABLES):
        wanted |= set(read_contract(table).reads) if table in wanted else set()
    return tuple(table for table in study_stage.TABLES if table in wanted)


@pytest.mark.long
def test_estimates_leave_out_what_was_decided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the lake and its validation: found, left out, estimated again as if it had never come, with the
    tables validated and the decision among what they were computed from."""
    tables = with_inputs(WHOLE)
    monkeypatch.setattr(study_stage, "TABLES", tables)
    monkeypatch.setattr(study_stage, "FIRST", (tables[0], "_T", "_T"))
    setting = Observatory.model_validate({"lake": {"root": str(tmp_path / "lake")}})
    have = thousandfold(membership("EMAIL"))
    lake = open_lake(setting.lake.root)
    with hold_lock(lake.root, "test"):
        for table in study_stage.SUBMITTED_TABLES:
            lake.rewrite(have[table], table)

    def estimated(run_id: str) -> pl.DataFrame:
        frames = study_stage.estimate_tables(lake, setting, FOLDER, run_id, lambda text: None)
        world = (pl.col("area_code") == "WORLD") & (pl.col("unit_code") == "attempted")
        return frames["study.spam_volume"].filter(world & (pl.col("period_code") == "2026-Q4"))

    with_odd = estimated("first")
    (found,) = finding_decisions.open_findings(lake, ["2026-Q4"], 0.02)
    assert study_stage.is_current(lake, setting, FOLDER)
    finding_decisions.record_decisions(
        lake, [found.finding_id], "confirmed", "by telephone", "A. Officer", NOW
    )
    # It changes no estimate.
    assert study_stage.is_current(lake, setting, FOLDER)
    later = NOW + dt.timedelta(hours=1)
    finding_decisions.record_decisions(
        lake, [found.finding_id], "left_out", "takes it back", "A. Officer", later
    )
    assert not study_stage.is_current(lake, setting, FOLDER)
    left = estimated("second")
    finding_decisions.refuse_open(lake, ["2026-Q4"], 0.02)
    assert lake.versions()[finding_decisions.TABLE] == lake.version(finding_decisions.TABLE)
    # What was loaded stays; it is the estimates that leave it out.
    assert ODD in set(lake.read(ANSWERS)["respondent_id"])
    with hold_lock(lake.root, "test"):
        given_now = given_in(have)
        of = Given("study.spam_volume", "2026-Q4", "EMAIL", ODD)
        for table, rows in leave_out(of, given_now, INDICATORS).items():
            lake.rewrite(rows, table)
    never = estimated("third")
    assert left.equals(never) and not left.equals(with_odd)
