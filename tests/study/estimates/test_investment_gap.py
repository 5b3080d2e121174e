"""Targets that spending is held against, and the assumptions of a gap."""

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from rich.console import Console
from typer.testing import CliRunner

from jobs.base.core.errors import ObservatoryError
from jobs.base.figures.areas import classify_countries
from jobs.base.settings import config
from jobs.base.settings.study import Gap
from jobs.base.tables.contracts import polars_schema, reference_table
from jobs.cli.main import app
from jobs.cli.study.study import parse_gap
from jobs.cli.study.study_spending import gap_assumptions, investment_tables
from jobs.study.estimates.investment_gap import (
    best_respondents,
    channel_rows,
    stopped_share,
    taken_for_granted,
)
from jobs.study.estimates.steps.accounts import Price
from jobs.study.estimates.steps.investment_targets import authority_code, channel_targets, read_targets
from jobs.study.estimates.steps.rows import frame_rows
from jobs.study.estimates.steps.spending_groups import TargetGroup
from tests.support import study_lake

ASSUMED = reference_table("ref.investment_assumption")


def chosen(given: Gap, settings: Gap) -> list[tuple[str, str, float, str]]:
    rows = read_targets(given, settings, ASSUMED).rows()
    return [
        (target, channel, value, source.split(",")[0].split(" (")[0])
        for target, channel, value, source in rows
    ]


def test_the_command_line_comes_before_the_settings_and_these_before_what_is_assumed() -> None:
    assert chosen(Gap(), Gap()) == [
        ("norm", "_T", 0.5, "investment_assumption.csv"),
        ("middle", "_T", 0.5, "investment_assumption.csv"),
        ("top", "_T", 0.25, "investment_assumption.csv"),
        ("best", "_T", 0.25, "investment_assumption.csv"),
    ]
    settings = Gap.model_validate({"norm": 0.9, "best_share": 0.1, "targets": ["best"]})
    assert chosen(Gap(), settings) == [("best", "_T", 0.1, "the settings")]
    given = Gap.model_validate({"norm": {"EMAIL": 0.8, "SMS": 0.2}, "targets": ["norm", "best"]})
    assert chosen(given, settings) == [
        ("norm", "EMAIL", 0.8, "the command line"),
        ("norm", "SMS", 0.2, "the command line"),
        ("best", "_T", 0.1, "the settings"),
    ]


def test_a_channel_has_its_own_norm_or_that_of_all_or_none() -> None:
    given = read_targets(parse_gap(None, ["0.3", "SMS=0.1"], None), Gap(), ASSUMED)
    assert {code: value for code, (value, _) in channel_targets(given, "EMAIL").items()} == {
        "norm": 0.3,
        "middle": 0.5,
        "top": 0.25,
        "best": 0.25,
    }
    assert channel_targets(given, "SMS")["norm"][0] == 0.1
    assert "norm" not in channel_targets(
        read_targets(parse_gap(None, ["SMS=0.1"], None), Gap(), ASSUMED), "EMAIL"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--norm", "much"], "--norm much: 'much' is no amount; write --norm 0.8, or --norm EMAIL=0.8"),
        (["--norm", "EMIAL=0.8"], "--norm: unknown channel 'EMIAL'; did you mean 'EMAIL'?"),
        (["--norm", "-1"], "--norm: Input should be greater than 0"),
        (["--norm", "nan"], "--norm: Input should be"),
        (["--best-share", "25"], "--best-share: Input should be less than or equal to 1"),
    ],
)
def test_a_wrong_target_is_told_before_anything_starts(tmp_path: Path, words: list[str], told: str) -> None:
    file = tmp_path / "observatory.toml"
    file.write_text('[study]\nfiles = "here"\n')
    found = CliRunner().invoke(app, ["study", "estimate", "--config", str(file), *words])
    assert isinstance(found.exception, ObservatoryError)
    assert told in str(found.exception)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("norm = { EMIAL = 1 }", "[study] gap norm: unknown channel 'EMIAL'; did you mean 'EMAIL'?"),
        ("best_share = 0", "[study] gap best_share: Input should be greater than 0"),
        ('targets = ["mean"]', "[study] gap targets"),
        ("nrom = 1", "unknown setting 'nrom'; did you mean 'norm'?"),
    ],
)
def test_a_wrong_setting_is_told(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "observatory.toml"
    file.write_text(f"[study.gap]\n{text}\n")
    with pytest.raises(ObservatoryError) as found:
        config.load_settings(file)
    assert told in str(found.value)


def test_settings_name_one_norm_or_one_for_each_channel(tmp_path: Path) -> None:
    file = tmp_path / "observatory.toml"
    for text, norm in (("0.8", {"_T": 0.8}), ("{ EMAIL = 0.8, SMS = 1 }", {"EMAIL": 0.8, "SMS": 1.0})):
        file.write_text(f"[study.gap]\nnorm = {text}\n")
        assert config.load_settings(file).study.gap.norm == norm


def accounts(rows: list[tuple[str, str, float, float]]) -> pl.DataFrame:
    """Respondent, strategy, labour and rest in dollars of every kind."""
    amounts = ("amount", "real_amount", "ppp_amount", "market_amount")
    return pl.DataFrame(
        [
            {"respondent_id": who, "channel_code": "EMAIL", "strategy_code": strategy, "is_band": False}
            | {"labour_amount": labour, "capital_amount": 0}
            | dict.fromkeys(amounts, labour + rest)
            for who, strategy, labour, rest in rows
        ],
        schema=polars_schema("study.investment_account"),
    )


NO_ASSETS = pl.DataFrame(
    schema={"respondent_id": pl.String, "development_code": pl.String, "over_own": pl.Float64}
)


def framed(names: str) -> pl.DataFrame:
    """Each letter a respondent of its own owner with 100 subscriptions."""
    rows = [
        {"respondent_id": each, "holding_id": each, "channel_code": "EMAIL", "subscriptions": 100}
        | {"valid_from": dt.date(2020, 1, 1)}
        for each in names
    ]
    return pl.DataFrame(rows, schema=polars_schema("ref.operator_frame"))


def audited(rates: dict[str, float]) -> pl.DataFrame:
    """Shares of spam messages that each respondent stopped; nine tenths of 80 flagged messages were spam."""
    return pl.DataFrame(
        {"respondent_id": list(rates), "channel_code": "EMAIL", "rate": list(rates.values()),
         "flagged": 80.0, "right": 72.0}
    )  # fmt: skip


def test_the_best_and_their_measures_are_told() -> None:
    """Two fifths of those with accounts: the one that stopped 90 of 100, and the one that stopped 20."""
    mine = [("a", "filtering", 50, 25), ("a", "network", 0, 25), ("b", "filtering", 0, 0)]
    others = [(each, "service", 9, 9) for each in "cdef"]
    rates = {"a": 0.9, "b": 0.8, "c": 0.2, "d": 0.1, "e": 0.05, "f": 0.0}
    best = best_respondents(accounts([*mine, *others]), NO_ASSETS, audited(rates), framed("abcdef"), 0.4)
    # The second spends nothing, so five have accounts; two fifths of them are two.
    assert best.spending and (best.of, best.least) == (5, 0.2)
    assert (best.spending.count, best.spending.owners) == (2, 2)
    assert best.spending.strategies == [("filtering", 75 / 118), ("network", 25 / 118), ("service", 18 / 118)]
    told = taken_for_granted("best", ASSUMED, (0.4, "the command line"), best)
    assert told[0].startswith(
        "The best are 40% of the respondents with an account in amounts and an audit or test of their filter,"
        " set by the command line: 2 of 5, "
    )
    assert "at least 20.0% of the spam sent to it" in told[0] and "90.0% of what they flagged" in told[0]
    assert "64% filtering, 21% network, 15% service" in " ".join(told)
    assert "measures are not priced one by one" in " ".join(told)
    assert "annualised at the paying country's discount rate" in " ".join(told)
    # What spending takes for granted is told beside it, once.
    assert not any(word in " ".join(told) for word in ("did not answer", "a stated life", "in prices of"))
    assert "All assumptions of study.investment apply." in told


def test_who_stops_as_much_as_the_last_of_the_best_is_one_of_them() -> None:
    """Names do not decide: the quarter of six, two, ends between three that are alike."""
    rates = {"f": 0.9, "a": 0.7, "b": 0.7, "c": 0.7, "d": 0.2, "e": 0.1}
    given = accounts([(each, "service", 9, 9) for each in rates])
    best = best_respondents(given, NO_ASSETS, audited(rates), framed("abcdef"), 0.3)
    assert best.spending and (best.spending.count, best.of, best.least) == (4, 6, 0.7)


def test_fewer_than_five_audits_tell_no_best() -> None:
    rates = {"a": 0.9, "b": 0.8, "c": 0.2, "d": 0.1}
    given = accounts([(each, "service", 9, 9) for each in "abcdef"])
    best = best_respondents(given, NO_ASSETS, audited(rates), framed("abcdef"), 0.25)
    assert best == TargetGroup(4)
    assert taken_for_granted("best", ASSUMED, (0.25, "the settings"), best) == [
        "No target by the best: 4 respondents with an account in amounts and an audit or test of its filter,"
        " and 5 are needed to rank them: counts do not include the spam that filters miss."
    ]


def a_month(who: str, period: str = "2026-11", **told: Any) -> dict[str, Any]:
    counts = dict.fromkeys(
        ("stopped_before", "certain_before", "undecided_before", "stopped_flagged", "flagged", "undecided",
         "passed"), 0
    )  # fmt: skip
    shares = {"flagged_spam_share": 0.9, "undecided_spam_share": None, "passed_spam_share": 0.01}
    return {"respondent_id": who, "period_code": period, "channel_code": "EMAIL", **counts, **shares, **told}


def test_what_a_filter_misses_counts_against_it() -> None:
    """The first rejects the one message that it flags and lets 999 pass, a tenth of them spam.

    Of the second: 50 before content, of them 40 refused, and half of 20 undecided; 100 flagged, nine tenths
    of them spam, 80 stopped; half of 10 undecided; one in a hundred of 500 that passed. In all 60 + 90 + 5 +
    5, stopped 40 + 72.
    """
    first = a_month("first", flagged=1, stopped_flagged=1, passed=999, flagged_spam_share=1.0)
    second = {"certain_before": 50, "stopped_before": 40, "undecided_before": 20, "flagged": 100}
    second |= {"stopped_flagged": 80, "undecided": 10, "passed": 500}
    rows = [first | {"passed_spam_share": 0.1}, a_month("second", **second)]
    found = stopped_share(pl.DataFrame(rows + [a_month("second", "2026-12", **second), a_month("none")]))
    assert found.select("respondent_id", "year", "rate", "spam").rows() == [
        ("first", "2026", round(1 / 100.9, 9), 100.9),
        ("second", "2026", 112 / 160, 320),
    ]


def test_only_the_targets_that_are_wanted_are_held_against() -> None:
    spending = pl.DataFrame(
        [
            {"area_code": "FJI", "area_kind_code": "country", "subscriptions": 1000, "estimate": 100.0,
             "estimate_low": 50.0, "estimate_high": 900.0, "subscriptions_variance": 0.0,
             "conf_status_code": "C"}
        ]
    )  # fmt: skip
    members = classify_countries(
        reference_table("ref.country"), reference_table("ref.country_group"), dt.date(2026, 12, 31)
    )
    prices = {("FJI", 2025): Price("FJD", 100, 1, 2, None)}
    rows = channel_rows(spending, members, prices, ASSUMED, {"norm": (0.8, "the command line")}, {})
    assert {(row["target_code"], row["authority_code"]) for row in rows} == {("norm", "trial")}
    (row,) = [row for row in rows if row["area_code"] == "FJI"]
    assert row["conf_status_code"] == "C"
    assert (row["necessary"], row["gap"], row["gap_low"], row["gap_high"]) == (800, 700, 0, 750)
    assert (row["necessary_low"], row["necessary_high"]) == (800, 800)
    assert row["assumptions"][0] == (
        "Norm: 0.8 US dollars of 2025 for each subscription and year, set by the command line."
    )


def test_only_what_the_settings_name_is_the_studys() -> None:
    chosen = read_targets(Gap(), Gap.model_validate({"norm": 0.8}), ASSUMED)
    by = {target: authority_code(source) for target, source in chosen.select("target_code", "source").rows()}
    assert by == {"norm": "study", "middle": "none", "top": "none", "best": "none"}


@pytest.mark.parametrize("width", [80, 120])
def test_assumptions_stand_beside_the_estimate_each_once(width: int) -> None:
    def row(target: str, channel: str, *told: str) -> Any:
        return SimpleNamespace(target_code=target, channel_code=channel, assumptions=list(told))

    held = [
        row("norm", "EMAIL", "Norm: 0.8.", "Of all."),
        row("norm", "SMS", "Norm: 0.2.", "Of all."),
        row("best", "EMAIL", "Of the best.", "Of all."),
        row("best", "SMS", "Of the best.", "Of all."),
    ]
    console = Console(width=width, record=True)
    for part in gap_assumptions(held):
        console.print(part)
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    assert max(map(len, lines)) <= width
    assert " ".join(lines[:-4]) == (
        "The gap is an estimate of the investment that is necessary in addition. Assumptions:"
    )
    assert lines[-4:] == [
        "all Of all.",
        "best Of the best.",
        "norm, EMAIL Norm: 0.8.",
        "norm, SMS Norm: 0.2.",
    ]
    assert gap_assumptions([]) == []


def test_what_is_spent_is_printed_with_what_is_missing() -> None:
    frames = [
        frame_rows(rows, table)
        for table, rows in (
            ("study.investment", study_lake.investment()),
            ("study.investment_gap", [*study_lake.gap(), study_lake.untold()]),
        )
    ]
    printed = printed_investment(*frames, read_targets(Gap(), Gap(), ASSUMED))
    assert max(map(len, printed.splitlines())) <= 80
    title = "EMAIL: targets in 2026, norm a placeholder that nobody chose, dollars each per year"
    assert f"{title}, and what is missing in all" in " ".join(printed.split())
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    wanted = [
        "area estimate 95% interval CV cov. year /1,000",
        "WORLD 1k 800–1.25k 10% 50% 0.14 10",
        "area spent norm gap best gap",
        "WORLD 0.14 0.20 400 0.30 1.1k",
        "LDC 0.03 0.20 500 0.30 800",
        "norm Norm: 0.2 US dollars.",
        "best, SMS No target by the best: no respondent.",
    ]
    assert [line for line in wanted if line not in lines] == []
    assert "No gap to the norm" not in printed and "/1,000 is –" not in printed


def test_spending_over_no_traffic_says_why_it_is_missing() -> None:
    """A study of forms alone has no traffic."""
    spending = frame_rows(study_lake.investment(), "study.investment")
    spending = spending.with_columns(per_thousand_units=pl.lit(None, spending.schema["per_thousand_units"]))
    chosen = read_targets(Gap(), Gap(), ASSUMED)
    printed = printed_investment(spending, frame_rows([], "study.investment_gap"), chosen)
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    assert "WORLD 1k 800–1.25k 10% 50% 0.14 –" in lines
    assert "/1,000 is – for EMAIL where no package has a month of the year" in " ".join(lines)


def printed_investment(*frames: pl.DataFrame) -> str:
    console = Console(width=80, record=True)
    for part in investment_tables(*frames):
        console.print(part)
    return console.export_text()


@pytest.mark.parametrize("others", [["norm"], ["norm", "best"]])
def test_a_channel_that_the_norm_does_not_name_is_reported(others: list[str]) -> None:
    """--norm EMAIL=0.8 leaves the other channels without a gap to the norm, and says so."""
    spending = frame_rows(study_lake.investment(), "study.investment")
    gaps = [each for each in study_lake.gap() if each["target_code"] in others]
    chosen = read_targets(Gap.model_validate({"norm": {"EMAIL": 0.2}, "targets": others}), Gap(), ASSUMED)
    both = pl.concat([spending, spending.with_columns(channel_code=pl.lit("SMS"))])
    printed = printed_investment(both, frame_rows(gaps, "study.investment_gap"), chosen)
    assert (
        "No gap to the norm for SMS: the norm names only EMAIL. Add --norm SMS=AMOUNT, or SMS to [study.gap]"
        " norm."
    ) in " ".join(printed.split())
    assert "norm for EMAIL" not in printed
    no_gaps = frame_rows([], "study.investment_gap")
    chosen = read_targets(Gap.model_validate({"norm": {"VOICE_IP": 1}, "targets": ["norm"]}), Gap(), ASSUMED)
    alone = " ".join(printed_investment(spending, no_gaps, chosen).split())
    assert "EMAIL: spending in 2026, US dollars each, area" in alone
    assert "No gap to the norm for EMAIL: the norm names only VOICE_IP." in alone
