"""The study from operators' gold to every table of the study, by the commands alone.

Six operators of Nepal and two of Fiji, 100 mailboxes each. Four of Nepal and one of Fiji send packages of the
quarter; the fifth of Nepal answers the questionnaire, and so does the first, beside its logs. One operator of
each country is silent. The administration of Nepal tells of public money.
"""

import json
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs.base.core.call_shares import SHARES
from jobs.base.core.periods import period_bounds
from jobs.base.store.lake import Lake
from jobs.cli import main as command_line
from jobs.study.estimates.steps.study_stage import TABLES
from jobs.study.questionnaire.definition import form_for
from tests.support.submission_lake import effort_rows, put_effort, put_gold, put_quality

NEPAL, FIJI = [f"npl-{number}" for number in range(1, 7)], ["fji-1", "fji-2"]
SENT = [*NEPAL[:4], FIJI[0]]
MONTHS = ("2026-10", "2026-11", "2026-12")
# Certain spam of a month among 100 recipients that came in; ten more are undecided.
SPAM = dict(zip(SENT, (20, 30, 40, 50, 60), strict=True))

# All that was flagged is spam, half of what is undecided, and a tenth of what passed.
AUDIT = dict(zip(SHARES, (1, 1, 1, 0.5, 0.3, 0.7, 0.1, 0.05, 0.15), strict=True))


def seen(operator: str) -> dict[str, list[tuple[Any, ...]]]:
    """A quarter's days in gold by unit. Nepal's send 25 recipients a month each to Fiji, whose one operator
    gets 20 from Nepal by a hub; 50 attempts are refused before a message exists."""
    spam = SPAM[operator]
    own, other = ("NPL", "FJI") if operator in NEPAL else ("FJI", "NPL")
    recipients: list[tuple[Any, ...]] = []
    attempts: list[tuple[Any, ...]] = []
    for month in MONTHS:
        abroad = 20 if own == "FJI" else 0
        recipients += [
            (f"{month}-03", "inbound", "content", "tagged", "AD.retail", own, spam, spam, spam, own, "peer"),
            (f"{month}-04", "inbound", "delivery", "delivered", "UNK", own, 100 - spam - abroad, 0, 10, own,
             "peer"),
            (f"{month}-05", "outbound", "delivery", "delivered", "UNK", own, 25, 0, 0, other, "hub"),
        ]  # fmt: skip
        if abroad:
            recipients.append(
                (f"{month}-04", "inbound", "delivery", "delivered", "UNK", other, abroad, 0, 0, own, "hub")
            )
        attempts.append(
            (f"{month}-06", "inbound", "connect", "rejected", "UNK", own, 50, 50, 50, own, "peer")
        )
    return {"recipient": recipients, "attempt": attempts}


def answers(respondent: str, period: str, given: dict[str, Any], role: str = "O") -> str:
    """A filing as JSON: what is asked of all and not given is not available."""
    asked = ("sp201", "sp202", "sp205.EMAIL", "sp301.EMAIL", "sp303.EMAIL.attempted", "sp305.SMS.attempted",
             "sp306.VOICE_CS.attempted", "sp401.EMAIL.UNK", "sp501.EMAIL.unknown", "sp601.EMAIL.filtering",
             "sp701._T", "sp705._T", "sp706", "sp801.EMAIL", "sp901.EMAIL", "sp904")  # fmt: skip
    days = zip(("sp105.first", "sp105.last"), map(str, period_bounds(period)), strict=True)
    given = given | {"sp101": respondent, "sp102": role, "sp103": "NPL"} | dict(days)
    lines: list[dict[str, Any]] = [{"indicator": name, "answer": value} for name, value in given.items()]
    lines += [
        {"indicator": name, "status": "NA"}
        for name in asked
        if name not in given and name in form_for(role, period=period).indicators
    ]
    about = {"respondent": respondent, "period": period, "language": "en", "version": "0.4"}
    return json.dumps(about | {"answers": lines})


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """Settings of all operators, with a lake of gold each, and of the study, with files and respondents."""
    operators = "".join(
        f'[[operator]]\nid = "{name}"\nname = "{name}"\ncountry = "{name[:3].upper()}"\nholding = "{name}"\n'
        f'currency = "USD"\nsubscribers = {{ EMAIL = 100 }}\n'
        for name in SENT
    )
    study = '[study]\nrespondents = "respondents.csv"\ninbox = "inbox"\nfiles = "files"\n'
    study += "require_signature = false\n"
    (tmp_path / "operators.toml").write_text(f'[lake]\nroot = "gold"\n{operators}')
    (tmp_path / "study.toml").write_text(f'[lake]\nroot = "lake"\n{study}')
    for operator in SENT:
        for unit, rows in seen(operator).items():
            put_gold(tmp_path / "gold", operator, seen=rows, unit=unit)
        put_quality(tmp_path / "gold", operator, *(AUDIT | {"period_code": month} for month in MONTHS))
    # What a thousand recipients a month of each operator took of its filter.
    took = ("EMAIL", "CONTENT_FILTER", 1000, 100, 10**9, 0, 0)
    days = [f"{month}-05" for month in MONTHS]
    put_effort(tmp_path / "gold", *(effort_rows(name, took, day=day) for name in SENT for day in days))
    listed = [f"{name},{name},O,{name[:3].upper()},{name},{name},en,S1" for name in [*NEPAL, *FIJI]]
    listed.append("npl-gov,npl-gov,A,NPL,npl-gov,,en,")
    head = "respondent_id,name,role,country,holding,operator_ids,language,size_class"
    (tmp_path / "respondents.csv").write_text("\n".join([head, *listed]) + "\n")
    files = tmp_path / "files"
    files.mkdir()
    frame = [f"{name},{name},{name[:3].upper()},EMAIL,SMALL,100,2020-01-01" for name in [*NEPAL, *FIJI]]
    head = "respondent_id,holding_id,country_code,channel_code,size_code,subscriptions,valid_from"
    (files / "operator_frame.csv").write_text("\n".join([head, *frame]) + "\n")
    (files / "denominator.csv").write_text(
        "country_code,period_code,channel_code,subscriptions\nNPL,2026,EMAIL,600\nFJI,2026,EMAIL,200\n"
    )
    # A unit of each currency is a dollar at the market and two in purchasing power.
    currency = {"NPL": "NPR", "FJI": "FJD"}
    level = [
        f"{country},{year},{currency[country]},100,0.5,1,10" for country in currency for year in (2025, 2026)
    ]
    head = "country_code,price_year,currency_code,deflator_index,ppp_rate,market_rate,wage_per_day"
    (files / "price_level.csv").write_text("\n".join([head, *level]) + "\n")
    money = {"sp701._T": 0, "sp705.LICENCE": 1000, "sp706": 0}
    money |= {"sp707.EMAIL": 100, "sp708.filtering": 100, "sp401.EMAIL.AD": 100}
    (tmp_path / "first.json").write_text(
        answers("npl-1", "2026-Q4", {"sp301.EMAIL": "OPERATOR", "sp303.EMAIL.attempted": 210})
    )
    (tmp_path / "fifth.json").write_text(
        answers(
            "npl-5", "2026-Q4", {"sp205.EMAIL": 500, "sp301.EMAIL": "OPERATOR", "sp303.EMAIL.attempted": 300}
        )
    )
    (tmp_path / "year.json").write_text(answers("npl-5", "2026", money))
    (tmp_path / "public.json").write_text(
        answers("npl-gov", "2026", {"sp711._T": 700, "sp901.EMAIL": "OPTIN"}, "A")
    )
    return tmp_path


@pytest.fixture
def observatory(monkeypatch: pytest.MonkeyPatch, node: Path) -> Any:
    """The command line in the node's folder."""
    monkeypatch.chdir(node)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str) -> None:
        monkeypatch.setattr(sys, "argv", ["observatory", *words])
        try:
            command_line.main()
        except SystemExit as end:
            assert not end.code, words

    return run


@pytest.mark.long
def test_from_gold_to_every_table_of_the_study(
    observatory: Any, node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    observatory("submit", "--config", "operators.toml", "--period", "2026-Q4", "--output", "inbox")
    monkeypatch.setenv("OBSERVATORY_READ_AT", "2027-01-10T00:00:00Z")
    observatory("study", "load", "--config", "study.toml", "--received", "2027-01-05")
    filings = [str(node / f"{name}.json") for name in ("first", "fifth", "year", "public")]
    observatory("questionnaire", "load", *filings, "--config", "study.toml", "--received", "2027-01-09")
    observatory("study", "estimate", "--config", "study.toml")
    lake = Lake(str(node / "lake"))
    found = {table: lake.read(table).to_dicts() for table in TABLES}

    def volume(area: str, unit: str, quantity: str) -> dict[str, Any]:
        (row,) = (
            row for row in found["study.spam_volume"]
            if (row["area_code"], row["unit_code"], row["quantity_code"]) == (area, unit, quantity)
            and (row["period_code"], row["definition_code"]) == ("2026-Q4", "OPERATOR")
        )  # fmt: skip
        return row

    # Recipients: five of eight equal operators, in one stratum. Each sum of a quarter is three months'.
    world = volume("WORLD", "recipient", "spam_certain")
    assert float(world["reported"]) == 3 * 200
    assert float(world["estimate"]) == pytest.approx(600 * 8 / 5)
    assert (world["respondent_count"], world["operator_count"], world["coverage_pct"]) == (5, 8, 62.5)
    assert (world["answer_count"], world["answer_pct"], world["conf_status_code"]) == (0, 0, "N")
    assert float(volume("WORLD", "recipient", "units")["estimate"]) == pytest.approx(1500 * 8 / 5)
    assert float(volume("WORLD", "recipient", "spam_possible")["estimate"]) == pytest.approx(750 * 8 / 5)
    # With the filters' errors: each month 5 of 10 undecided, and of what passed 5, as which 3 to 7 of so few
    # leave. Nobody was refused before content; of attempts no audit is, and an answer is of no log.
    world = volume("WORLD", "recipient", "spam_corrected")
    assert float(world["estimate"]) == pytest.approx(3 * (200 + 5 * 10) * 8 / 5, rel=1e-6)
    assert (float(world["reported"]), world["audit_count"], world["audit_pct"]) == (0, 5, 100)
    assert world["estimate_low"] < world["estimate"] < world["estimate_high"]
    world = volume("WORLD", "attempted", "spam_corrected")
    assert float(world["estimate"]) == pytest.approx(3 * (200 + 5 * 10 + 5 * 50) * 8 / 5, rel=1e-6)
    assert (float(world["reported"]), world["respondent_count"]) == (3 * 5 * 50, 5)
    # Attempted: 50 attempts more a month, and the fifth of Nepal by its answer. Five of Nepal's six answered,
    # so that Nepal, an LDC, is calibrated to its own mailboxes: 6/5 there, and what is left, 2, in Fiji.
    nepal, fiji = 3 * (140 + 4 * 50) + 300, 3 * (60 + 50)
    world = volume("WORLD", "attempted", "spam_certain")
    assert float(world["reported"]) == nepal + fiji
    assert float(world["estimate"]) == pytest.approx(nepal * 6 / 5 + fiji * 2, rel=1e-5)
    assert (world["respondent_count"], world["answer_count"]) == (6, 1)
    assert float(world["answer_pct"]) == pytest.approx(
        100 * 300 * 6 / 5 / (nepal * 6 / 5 + fiji * 2), abs=0.01
    )
    ldc = volume("LDC", "attempted", "units")
    assert float(ldc["estimate"]) == pytest.approx((4 * 3 * 150 + 500) * 6 / 5, rel=1e-5)
    country = volume("FJI", "attempted", "spam_certain")
    assert float(country["estimate"]) == fiji * 2
    assert (country["nature_code"], country["conf_status_code"]) == ("CA", "C")
    # What the first answered is held against its logs and counts no second time.
    (both,) = found["study.reconciliation"]
    assert (both["respondent_id"], both["logs_value"], both["answer_value"]) == ("npl-1", 210, 210)
    assert (both["agreement_code"], both["conf_status_code"]) == ("agrees", "C")
    # Five sent 25 a month to the other country, both of one region: four of Nepal, and the one of Fiji that
    # tells. That one saw 20 come in, and Nepal's none.
    (hub,) = (
        row for row in found["study.mirror"]
        if (row["period_code"], row["definition_code"], row["link_code"]) == ("2026-11", "OPERATOR", "hub")
        and (row["origin_region_code"], row["destination_region_code"]) == ("ASP", "ASP")
    )  # fmt: skip
    assert (hub["sent_units"], hub["received_units"], hub["discrepancy_units"]) == (125, 20, 105)
    assert float(hub["discrepancy_pct"]) == 84
    # The fifth spends 1,000 a year on filtering, ten dollars a mailbox; nobody else told.
    (account,) = found["study.investment_account"]
    assert (account["respondent_id"], account["strategy_code"]) == ("npl-5", "filtering")
    assert (float(account["market_amount"]), float(account["ppp_amount"])) == (1000, 2000)
    # Public money is told for itself, and in no estimate.
    (public,) = found["study.public_spending"]
    assert (public["respondent_id"], public["indicator_code"]) == ("npl-gov", "sp711._T")
    assert (float(public["told_amount"]), float(public["market_amount"])) == (700, 700)
    (spent,) = (
        row for row in found["study.investment"]
        if (row["area_code"], row["strategy_code"], row["component_code"], row["conversion_code"])
        == ("WORLD", "_T", "_T", "market")
    )  # fmt: skip
    assert (float(spent["reported"]), float(spent["estimate"])) == (1000, 8000)
    assert (spent["cv_band_code"], spent["estimate_low"], spent["obs_status_code"]) == (
        "one_respondent",
        None,
        "U",
    )
    (gap,) = (
        row for row in found["study.investment_gap"]
        if (row["area_code"], row["target_code"]) == ("WORLD", "norm")
    )  # fmt: skip
    assert (float(gap["necessary"]), float(gap["gap"])) == (800 * 0.5, 0)
    assert (gap["spend_low"], gap["gap_high"]) == (None, None)
    # Alike operators, five of eight, and filters alone: what each package says of them, eight times.
    sums = lake.read("study.submission_cost").group_by("strategy_code").agg(pl.col("amount_mean").sum())
    each = float(dict(sums.rows())["_T"]) / 5
    cost = {
        (row["strategy_code"], row["cost_component_code"]): float(row["estimate"])
        for row in found["study.countermeasure_cost"]
        if (row["area_code"], row["period_code"]) == ("WORLD", "2026-Q4")
    }
    assert each > 0 and cost["_T", "marginal"] == cost["filtering", "marginal"]
    assert cost["_T", "marginal"] == pytest.approx(8 * each, abs=0.005)
    published = {(row["model_code"], row["output_code"]): row for row in found["study.cost"]}
    # 6.5 minutes of 480, 2,080 hours a year, 30 dollars an hour.
    assert published["nucleus_2003", "per_worker"]["reproduction_code"] == "exact"
    # Nothing is suspicious.
    assert [table for table in TABLES if not found[table]] == [
        *("study.respondent_waiver", "study.member_answer", "study.finding")
    ]
