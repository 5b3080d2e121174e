"""Respondents that gave logs or answers and are not in the frame of operators: they are named before any
table is computed."""

import datetime as dt
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.base.settings.config import Observatory
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import read_contract, reference_table, rows_frame
from jobs.base.tables.csv_tables import read_table
from jobs.study.estimates.steps.frame import (
    refuse_missing_respondents,
    refuse_unlikely,
    refuse_unplaced,
    refuse_unpriced,
    refuse_wrong,
    unfit_figures,
)
from jobs.study.estimates.steps.given_figures import Given, leave_out
from jobs.study.estimates.steps.study_stage import REFERENCES, SUBMITTED_TABLES, estimate_tables
from sample_data.membership import FOLDER


def logs(who: str, period: str, channel: str = "EMAIL", **other: Any) -> dict[str, Any]:
    return {
        "respondent_id": who, "holding_id": "own", "country_code": "FJI", "period_code": period,
        "channel_code": channel, "direction_code": "inbound", "stage_code": "content",
        "outcome_code": "rejected", "unit_code": "recipient", "definition_code": "OPERATOR", "units": 5,
        "spam_certain": 0, "spam_possible": 0,
    } | other  # fmt: skip


def answer(who: str, period: str, indicator: str, value: str | None, hour: int = 0) -> dict[str, Any]:
    return {
        "respondent_id": who, "period_code": period, "indicator_code": indicator, "value": value,
        "answer_status_code": "A" if value else "NA", "country_code": "NPL", "role_code": "O",
        "received_at": dt.datetime(2027, 2, 1, hour), "file_sha256": "0",
    }  # fmt: skip


def listed(who: str, channel: str = "EMAIL", since: str = "2020-01-01", until: str = "") -> dict[str, Any]:
    return {
        "respondent_id": who, "holding_id": "own", "country_code": "FJI", "channel_code": channel,
        "size_code": "SMALL", "subscriptions": 100, "valid_from": dt.date.fromisoformat(since),
        "valid_to": dt.date.fromisoformat(until) if until else None,
    }  # fmt: skip


def have(
    given: list[dict[str, Any]], answers: list[dict[str, Any]], frame: list[dict[str, Any]]
) -> dict[str, pl.DataFrame]:
    of_project = [name for name in REFERENCES if "project" in read_contract(name).given_in]
    return {name: reference_table(name) for name in of_project} | {
        "study.submission": rows_frame(given, "study.submission"),
        "study.questionnaire_answer": rows_frame(answers, "study.questionnaire_answer"),
        "ref.operator_frame": rows_frame(frame, "ref.operator_frame"),
    }


def test_all_that_are_missing_are_told_at_once_with_their_lines() -> None:
    given = [
        *(logs("a-mail", f"2026-{month}") for month in ("10", "11", "12")),
        logs("known", "2026-11"),
        logs("late", "2026-10"),
        logs("late", "2026-12"),
        logs("gone", "2026-Q4"),
        # Outbound mail is another's inbound and in no total.
        logs("sender", "2026-11", direction_code="outbound"),
    ]
    answers = [
        answer("b-sms", "2026-Q4", "sp305.SMS.attempted", "70"),
        *(answer(who, "2026-Q4", "sp301.SMS", "OPERATOR") for who in ("b-sms", "none", "back")),
        # By a definition that no estimate is of.
        answer("other", "2026-Q4", "sp305.SMS.attempted", "70"),
        answer("other", "2026-Q4", "sp301.SMS", "COMPLAINT"),
        answer("none", "2026-Q4", "sp305.SMS.attempted", "0"),
        answer("back", "2026-Q4", "sp305.SMS.attempted", "70"),
        answer("back", "2026-Q4", "sp305.SMS.attempted", None, hour=1),
        answer("spends", "2026", "sp705._T", "1000"),
        answer("parts", "2026", "sp705._T", "1000"),
        answer("parts", "2026", "sp707.EMAIL", "60"),
        answer("parts", "2026", "sp707.SMS", "40"),
        answer("parts", "2026", "sp707.VOICE_CS", "0"),
        # No sum, so no account.
        answer("known", "2026", "sp707.SMS", "40"),
    ]
    frame = [
        listed("known"), listed("late", since="2026-11-01"), listed("gone", until="2026-12-31"),
        listed("parts"), listed("none"),
    ]  # fmt: skip
    known = have(given, answers, frame)
    with pytest.raises(ObservatoryError) as told:
        refuse_missing_respondents(known, FOLDER)
    head, *lines, foot, how = str(told.value).splitlines()
    option = r"; or leave it out(?:, with all its spending of the year)?:((?: --decide \w+)+)$"
    named = {each for line in lines for each in re.search(option, line)[1].split(" --decide ")[1:]}  # type: ignore[index]
    spending = [line.split(",")[0].strip() for line in lines if "with all its spending" in line]
    assert spending == ["parts", "spends"]
    lines = [re.sub(option, "", line) for line in lines]
    assert how == (
        "to leave figures out: `observatory study check --decide ID --as left_out --reason WHY --by NAME`,"
        " with --decide once for each"
    )
    assert head == f"{FOLDER}/operator_frame.csv.gz lacks 6 that gave logs or answers:"
    since = "with the day it started, if earlier"
    assert lines == [
        "  a-mail, EMAIL in 2026-10, 2026-11, 2026-12: add a-mail,own,FJI,EMAIL,<size_code>,<subscriptions>,"
        f"2026-10-01 {since}",
        "  b-sms, SMS in 2026-Q4: add b-sms,<holding_id>,NPL,SMS,<size_code>,<subscriptions>,"
        f"2026-12-01 {since}; if sp305.SMS.attempted should be empty, ask for the form again",
        "  gone, EMAIL in 2026-Q4: it stands there from 2020-01-01 to 2026-12-31: correct valid_from or"
        " valid_to",
        "  late, EMAIL in 2026-10: it stands there from 2026-11-01 to now: correct valid_from or valid_to",
        "  parts, SMS in 2026: add parts,<holding_id>,NPL,SMS,<size_code>,<subscriptions>,"
        f"2026-12-01 {since}; if sp707.SMS should be empty, ask for the form again",
        "  spends, spending in 2026: add spends,<holding_id>,NPL,<channel_code>,<size_code>,<subscriptions>,"
        f"2026-12-01 {since}",
    ]
    assert foot.endswith(
        ": respondent_id,holding_id,country_code,channel_code,size_code,subscriptions,valid_from"
    )
    # Without the figures that the lines name, which are all of these, nothing is missing.
    unfit = unfit_figures(known)
    assert named == set(unfit["finding_id"])
    given_now = {name: known[name] for name in ("study.submission", "study.questionnaire_answer")}
    for row in unfit.select("table_name", "period_code", "channel_code", "respondent_id").rows():
        given_now = leave_out(Given(*row), given_now, known["ref.indicator_measure"])
    refuse_missing_respondents(known | given_now, FOLDER)
    assert given_now["study.questionnaire_answer"].height > 0


def test_subscriptions_far_from_the_frames_are_told() -> None:
    """Thousands for ones would lift the totals of country and world; what lies within three times passes."""
    given = [
        logs("near", "2026-11", subscriptions=300),
        logs("far", "2026-10", subscriptions=100_000),
        logs("far", "2026-11", subscriptions=100),
        logs("few", "2026-Q4", subscriptions=33),
        # What the frame says now was not so then.
        logs("grown", "2026-10", subscriptions=5),
        logs("silent", "2026-11"),
    ]
    grown = [listed("grown", until="2026-11-01") | {"subscriptions": 5}, listed("grown", since="2026-11-01")]
    people = [*(listed(who) for who in ("near", "far", "few", "silent")), *grown]
    with pytest.raises(ObservatoryError) as told:
        refuse_unlikely(have(given, [], people), FOLDER)
    head, *lines = str(told.value).splitlines()
    assert head == f"{FOLDER}/operator_frame.csv.gz:"
    assert [line.split(" subscriptions")[0] for line in lines] == [
        "far, 2026-10: it has 100,000", "few, 2026-Q4: it has 33"
    ]  # fmt: skip
    assert "the study's frame has 100, more than 3 times as many or few: if the frame is wrong" in lines[0]
    refuse_unlikely(
        have(
            [
                row
                for row in given
                if row["respondent_id"][:2] != "fe" and row.get("subscriptions") != 100_000
            ],
            [],
            people,
        ),
        FOLDER,
    )


def test_a_country_without_prices_is_told_with_its_year() -> None:
    answers = [answer("a-mail", "2026", "sp705._T", "1000")]
    tables = have([], answers, [listed("a-mail"), listed("other")])
    known = {"country_code": "FJI", "price_year": 2026}
    tables["ref.price_level"] = rows_frame([known], "ref.price_level")
    with pytest.raises(ObservatoryError, match=r"price_level.csv.gz has no price level for FJI in 2025: add"):
        refuse_unpriced(tables, 2025, FOLDER)
    refuse_unpriced(tables, 2026, FOLDER)
    # Dollars of the base year are of the base year; those of another are not.
    banded = [answer("a-mail", "2026", "sp709", "B2")]
    tables["study.questionnaire_answer"] = rows_frame(banded, "study.questionnaire_answer")
    refuse_unpriced(tables, 2026, FOLDER)
    years = [known | {"price_year": year} for year in (2025, 2026)]
    tables["ref.price_level"] = rows_frame(years, "ref.price_level")
    with pytest.raises(ObservatoryError, match=r"no price level for USA in 2025, USA in 2026: add"):
        refuse_unpriced(tables, 2025, FOLDER)


def test_who_has_nothing_to_spend_needs_neither_prices_nor_a_place_in_the_frame() -> None:
    answers = [
        answer("none", "2026", indicator, None) | {"answer_status_code": "NP"}
        for indicator in ("sp701._T", "sp705._T", "sp706")
    ]
    tables = have([], answers, [listed("none")])
    tables["ref.price_level"] = rows_frame([], "ref.price_level")
    refuse_unpriced(tables, 2026, FOLDER)
    refuse_missing_respondents(have([], answers, [listed("other")]), FOLDER)
    refuse_wrong(tables)


def test_amounts_and_prices_are_in_one_currency_or_it_is_told() -> None:
    """Answers of 2025 are in lev, and some by an older form in euro; the year's prices are in lev, those of
    the base year, 2026, in euro. A withdrawn answer is in no currency."""
    asked = [("bg-1", "2025", "BGN"), ("bg-2", "2025", "EUR"), ("hr", "2026", "EUR"), ("ke", "2026", None)]
    answers = [answer(who, year, "sp705._T", "1000") | {"currency_code": code} for who, year, code in asked]
    answers += [
        answer("hr", "2026", "sp705.STAFF", "5") | {"currency_code": "HRK"},
        answer("hr", "2026", "sp705.STAFF", None, hour=1) | {"currency_code": "HRK"},
        # No amount.
        answer("bg-1", "2025", "sp706", "3"),
    ]
    places = {"bg-1": "BGR", "bg-2": "BGR", "hr": "HRV", "ke": "KEN"}
    frame = [listed(who) | {"country_code": country} for who, country in places.items()]
    tables = have([], answers, frame)
    levels = [
        ("BGR", 2025, "BGN"), ("BGR", 2026, "EUR"), ("HRV", 2026, "EUR"), ("KEN", 2026, "KES"),
        # Of a year that nobody answered for.
        ("HRV", 2022, "HRK"),
    ]  # fmt: skip
    tables["ref.price_level"] = rows_frame(
        [dict(zip(("country_code", "price_year", "currency_code"), row, strict=True)) for row in levels],
        "ref.price_level",
    )
    with pytest.raises(ObservatoryError) as told:
        refuse_unpriced(tables, 2026, FOLDER)
    assert str(told.value).splitlines() == [
        f"{FOLDER}/price_level.csv.gz is not in the currency of the amounts:",
        "  BGR: answers for 2025 are in EUR, its row of 2025 is in BGN: put parity, market rate and wage of"
        " that row into EUR, or ask for these answers in BGN",
        "  BGR: its row of 2025 is in BGN, that of the base year 2026 in EUR: put parity, market rate and"
        " wage of 2026 into BGN, and its deflator if it is of another series",
    ]


def test_answers_that_make_no_account_are_told_each_with_its_respondent() -> None:
    answers = [
        *(answer(who, "2026", "sp701._T", "0") for who in ("days", "life", "fine")),
        answer("days", "2026", "sp706", "20"),
        answer("days", "2026", "sp705.LICENCE", "5"),
        answer("life", "2026", "sp704.SERVER", "1000"),
        answer("life", "2026", "sp703.SERVER", "0"),
        answer("life", "2026", "sp705._T", "5"),
        answer("fine", "2026", "sp705._T", "5"),
        answer("code", "2025", "sp709", "B99"),
    ]
    tables = have([], answers, [listed(who) for who in ("days", "life", "fine", "code")])
    prices = {"country_code": "FJI", "currency_code": "FJD", "deflator_index": 1.0, "ppp_rate": 1.0,
              "market_rate": 1.0}  # fmt: skip
    years = [prices | {"price_year": year} for year in (2025, 2026)]
    tables["ref.price_level"] = rows_frame(years, "ref.price_level")
    with pytest.raises(ObservatoryError) as told:
        refuse_wrong(tables)
    lines = str(told.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["code, 2025", "days, 2026", "life, 2026"]
    for line, says in zip(lines, ("no budget band", "add wage_per_day", "life of 0 years"), strict=True):
        assert says in line
    wages = [prices | {"price_year": year, "wage_per_day": 9.0} for year in (2025, 2026)]
    tables["ref.price_level"] = rows_frame(wages, "ref.price_level")
    kept = tables["study.questionnaire_answer"].filter(pl.col("respondent_id").is_in(["days", "fine"]))
    refuse_wrong(tables | {"study.questionnaire_answer": kept})


def test_a_country_without_a_region_is_told_with_the_frame() -> None:
    nowhere = listed("there") | {"country_code": "XXX"}
    ended = listed("gone", until="2026-01-01") | {"country_code": "XXY"}
    tables = have([logs("known", "2026-11")], [], [listed("known"), nowhere, ended])
    with pytest.raises(ObservatoryError, match=r"operator_frame.csv.gz has operators in XXX, which country"):
        refuse_unplaced(tables, FOLDER)
    refuse_unplaced(have([logs("known", "2026-11")], [], [listed("known"), ended]), FOLDER)


def test_estimating_tells_it_before_any_table_is_computed(tmp_path: Path) -> None:
    tables = {
        "ref.operator_frame": [listed("known")],
        "ref.denominator": [],
        "ref.price_level": [{"country_code": "FJI", "price_year": 2026, "currency_code": "FJD",
                             "deflator_index": 1.0, "ppp_rate": 1.0, "market_rate": 1.0}],
        "study.submission": [logs("stranger", "2026-11")],
        "study.submission_route": [],
        "study.questionnaire_answer": [],
    }  # fmt: skip
    lake, said = Lake(str(tmp_path / "lake")), list[str]()
    for name, rows in tables.items():
        folder = tmp_path / "files"
        folder.mkdir(exist_ok=True)
        frame = rows_frame(rows, name)
        frame.write_csv(folder / f"{name.split('.')[1]}.csv")
        if name in SUBMITTED_TABLES:
            lake.rewrite(frame, name)
    settings = Observatory.model_validate({"lake": {"root": lake.root}})
    with pytest.raises(ObservatoryError, match="stranger, EMAIL in 2026-11: add stranger,own,FJI,EMAIL"):
        estimate_tables(lake, settings, folder, "run", said.append)
    assert not any("spam_volume" in line for line in said)


def test_missing_files_are_told_at_once_with_their_columns(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    lake = Lake(str(tmp_path / "lake"))
    for name in SUBMITTED_TABLES:
        lake.rewrite(rows_frame([], name), name)
    settings = Observatory.model_validate({"lake": {"root": lake.root}})
    with pytest.raises(ObservatoryError) as found:
        estimate_tables(lake, settings, tmp_path / "files", "run", print)
    lines = sorted(str(found.value).splitlines())
    assert [line.partition(" (")[0].rpartition(" ")[2] for line in lines] == [
        "denominator.csv", "operator_frame.csv", "price_level.csv",
    ]  # fmt: skip
    assert "it needs the columns country_code, price_year, currency_code" in lines[2]


def test_an_unknown_code_is_told_with_the_codes_of_its_list(tmp_path: Path) -> None:
    """Respondents have classes S1 to S4 of the questionnaire, operators of the frame have others."""
    row = listed("known") | {"size_code": "S3", "valid_from": "2020-01-01"}
    pl.DataFrame([row]).write_csv(tmp_path / "operator_frame.csv")
    with pytest.raises(ObservatoryError, match=r"'S3' is not in the list size: SMALL, MEDIUM, LARGE"):
        read_table(tmp_path, "ref.operator_frame")
