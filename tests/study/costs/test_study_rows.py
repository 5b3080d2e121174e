"""`observatory cost` on the study's tables: how an estimate came about, and which may be added."""

import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console, RenderableType

from jobs.base.core.errors import ObservatoryError
from jobs.base.costs.drawing import draw_division, draw_pairs
from jobs.base.costs.figure import Explained, TotalPart
from jobs.base.costs.investment_assumptions import PARAMETERS, list_assumptions
from jobs.base.costs.sums import reason_against_adding, sum_figures
from jobs.base.settings import config
from jobs.base.stats.formula import evaluate_formula
from jobs.base.tables.contracts import (
    conform_frame,
    polars_schema,
    read_contract,
    reference_table,
    stage_tables,
)
from jobs.cli.cost import explain_figure
from jobs.study.costs.table_explanations import explain_study
from tests.support.delta import write_delta
from tests.support.in_process import Run, cost_command
from tests.support.study_lake import write_study

Explain = Callable[[str], Explained]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def explain(settings: Path) -> Explain:
    loaded = config.load_settings(settings)
    return lambda name: explain_study(name, loaded)


@pytest.fixture
def observatory(settings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return cost_command(settings, monkeypatch, capsys)


PUBLIC = "study.public_spending/2026/"


def test_public_money_is_told_as_it_was_and_added_to_no_spending(explain: Explain) -> None:
    nepal, fiji = explain(f"{PUBLIC}npl-gov/sp711._T"), explain(f"{PUBLIC}fji-gov/sp711._T")
    assert nepal.estimate is not None
    assert (nepal.estimate.value, nepal.estimate.low, nepal.estimate.high) == (50, 50, 50)
    assert sum_figures([nepal, fiji]).points == (80, 80, 80)
    spent = explain("study.investment/2026/FJI/EMAIL")
    assert "are of different tables" in str(reason_against_adding(nepal, spent))
    assert "overlap" in str(reason_against_adding(nepal, explain(f"{PUBLIC}npl-gov/sp711.REGISTER")))


# --- one figure -----------------------------------------------------------------------------------------


def test_a_name_ends_where_what_follows_is_the_usual(explain: Explain) -> None:
    assert explain("study.investment/2026/LDC/EMAIL").name == ("study.investment/2026/LDC/EMAIL/_T/_T/market")
    assert explain("study.investment/2026/LDC/EMAIL/_T/posts").name.endswith("/_T/posts/none")
    assert explain("study.spam_volume/2026-Q4/LDC/EMAIL").name.endswith("/recipient/OPERATOR/spam_certain")


@pytest.mark.parametrize(
    ("name", "title", "estimand", "unit", "ends"),
    [
        ("investment/2026/WORLD/EMAIL", "Spending against spam in the world, 2026: E-mail, all strategies",
         "investment", "USD per year", (800, 1000, 1250)),
        ("investment/2026/LDC/EMAIL/filtering/capital", "Capital cost against spam, a year in the least",
         "investment", "USD per year", (18, 22.5, 28.12)),
        ("investment/2026/FJI/EMAIL/_T/operating/ppp", "Running cost against spam in Fiji",
         "operating_cost", "international dollars per year", (336, 420, 525)),
        ("investment/2026/FJI/EMAIL/_T/posts", "Posts that counter spam in Fiji",
         "quantity", "full-time posts", (4.8, 6, 7.5)),
        ("investment_gap/2026/ASP/EMAIL/norm", "Investment gap of Asia and the Pacific, 2026:"
         " E-mail, target norm", "investment", "USD per year", (300, 400, 480)),
        ("spam_volume/2026-11/CHE/EMAIL", "Certain spam in Switzerland, November 2026: E-mail", "quantity",
         "recipients", (240_000, 300_000, 375_000)),
    ],
)  # fmt: skip
def test_an_estimate_is_that_of_the_lake_with_its_interval(
    explain: Explain, name: str, title: str, estimand: str, unit: str, ends: tuple[float, ...]
) -> None:
    found = explain(f"study.{name}")
    assert found.title.startswith(title)
    assert (found.estimand_code, found.unit) == (estimand, unit)
    assert found.estimate is not None
    assert (found.estimate.low, found.estimate.value, found.estimate.high) == pytest.approx(ends)


def test_the_steps_of_an_estimate_can_be_computed_again(explain: Explain) -> None:
    for name in ("study.investment/2026/WORLD/EMAIL", "study.investment/2026/FJI/EMAIL/_T/_T/mixed"):
        found = explain(name)
        whole = next(step for step in found.steps if step.name == "All operators")
        assert found.estimate is not None
        assert evaluate_formula(whole.numbers, {}) == pytest.approx(found.estimate.value, rel=1e-5)
        parts = next(step for step in found.steps if step.name == "Its components")
        assert evaluate_formula(parts.numbers, {}) == pytest.approx(found.estimate.value)
    gap = explain("study.investment_gap/2026/ASP/EMAIL/norm")
    assert [evaluate_formula(step.numbers, {}) for step in gap.steps] == [800, 400]
    assert gap.compared.startswith("The lake holds the same. ")


def test_the_formula_is_that_of_the_conversion_and_component(explain: Explain) -> None:
    def steps(rest: str) -> list[str]:
        return [step.formula for step in explain(f"study.investment/2026/WORLD/EMAIL/_T/{rest}").steps]

    assert steps("capital/market")[:2] == [
        "purchase*share*rate/(1-(1+rate)**-life)",
        "amount*deflator_2025/deflator_of_year/market_rate_2025",
    ]
    assert steps("operating/mixed")[:2] == [
        "labour+other",
        "(labour/ppp_rate_2025+rest/market_rate_2025)*deflator_2025/deflator_of_year",
    ]
    assert steps("_T/ppp")[1].endswith("/ppp_rate_2025")
    assert steps("posts")[0] == "person_days/days_per_post"


def test_what_dominates_is_told_by_area_strategy_component_and_what_is_known(explain: Explain) -> None:
    divided = dict(explain("study.investment/2026/WORLD/EMAIL").divided)
    assert [(part.name, part.value, part.error) for part in divided["By region"]] == [
        ("Europe", 600, 60), ("Asia and the Pacific", 400, 40)
    ]  # fmt: skip
    assert [(part.name, part.value) for part in divided["By strategy"]] == [
        ("Filtering strategies", 750), ("Network strategies", 250)
    ]  # fmt: skip
    assert [(part.name, part.value) for part in divided["By component"]] == [
        ("Operating", 700), ("Capital", 300)
    ]  # fmt: skip
    assert [part.value for part in divided["By what is known"]] == [750, 250]
    of_region = dict(explain("study.investment/2026/ASP/EMAIL/network/capital").divided)
    assert [part.name for part in of_region["By country"]] == ["Fiji", "Nepal"]
    assert set(of_region) == {"By country", "By what is known"}
    # The least developed countries hold Nepal, and Fiji no more.
    of_group = dict(explain("study.spam_volume/2026-Q4/LDC/EMAIL").divided)
    assert [part.name for part in of_group["By country"]] == ["Nepal"]
    assert "By country" not in dict(explain("study.investment/2026/FJI/EMAIL").divided)
    of_gap = dict(explain("study.investment_gap/2026/WORLD/EMAIL/norm").divided)
    assert [(part.name, part.value) for part in of_gap["By region"]] == [("Asia and the Pacific", 400)]


def test_corrected_spam_tells_its_formula_its_audits_and_what_they_take_for_granted(explain: Explain) -> None:
    found = explain("study.spam_volume/2026-Q4/FJI/EMAIL/recipient/OPERATOR/spam_corrected")
    assert found.title.startswith("Corrected spam in Fiji")
    assert [step.formula for step in found.steps] == [
        "certain_before+undecided_before/2+flagged*F+undecided*U+passed*P",
        "sum(y)+subscriptions_of_others*rate",
    ]  # fmt: skip
    assert dict(found.facts)["audits"].startswith("1 of 6 respondents have an own audit or test, of 63%")
    assert [part.name for part in dict(found.divided)["By what is known"]] == [
        "refused before content, as counted", "by audits, and estimated for the others"
    ]  # fmt: skip
    assert any("own audit or test" in text for text in found.assumptions)
    plain = explain("study.spam_volume/2026-Q4/FJI/EMAIL")
    assert [step.formula for step in plain.steps] == [
        "sum(units*days/days_with_logs)",
        "reported+subscriptions_of_others*rate",
    ]
    assert "audits" not in dict(plain.facts)
    assert dict(plain.facts)["days"].startswith("logs have 98.8% of the days, weighted by subscriptions;")
    assert "days" not in dict(found.facts)
    assert not any("own audit or test" in text for text in plain.assumptions)


def test_inputs_have_versions_and_sources(explain: Explain) -> None:
    found = explain("study.investment/2026/WORLD/EMAIL")
    versions = dict(found.versions)
    assert versions["study.investment"] == versions["study.submission"] == "Delta version 0"
    assert versions["ref.price_level"].endswith(", by World Bank")
    assert versions["ref.operator_frame"].endswith(", by register of the regulator")
    assert versions["ref.investment_assumption"].startswith("file ")
    assert (
        found.compared
        == "study.investment, estimated 1\u00a0February\u00a02027, 06:00 UTC by code abc1234; unprotected"
    )
    assert versions["ref.cost_parameter"].startswith("file ")
    (rate,) = [each for each in found.inputs if each.code == "discount_rate_real_developing"]
    assert (rate.low, rate.central, rate.high) == (0.08, 0.12, 0.18)
    assert {each.code for each in found.inputs} == set(PARAMETERS)
    gap = explain("study.investment_gap/2026/FJI/EMAIL/best")
    # It stands alone here, so that what spending takes for granted is told with it.
    of_spending = list_assumptions(
        reference_table("ref.cost_parameter"), reference_table("ref.investment_assumption")
    )
    assert gap.assumptions == ["Norm: 0.3 US dollars.", "The target is taken as known.", *of_spending]


def test_a_published_figure_is_held_against_the_one_that_the_lake_holds(
    tmp_path: Path, explain: Explain
) -> None:
    found = explain("study.cost/nucleus_2004/per_worker")
    facts = dict(found.facts)
    assert facts["in the lake"] == "study.cost, column social_cost, holds the same points"
    assert found.points is not None and found.points[1] == pytest.approx(1934.4)
    assert dict(explain("study.cost/ntrs_2009/time_cost").facts)["in the lake"].endswith(
        "holds the same points"
    )
    file = write_study(tmp_path)
    row = {
        "model_code": "nucleus_2004", "output_code": "per_worker", "estimand_code": "social_cost",
        "social_cost": dict.fromkeys(("p05", "p50", "p95", "central", "printed"), 7),
    }  # fmt: skip
    other = pl.DataFrame([row], schema=polars_schema("study.cost"))
    shutil.rmtree(tmp_path / "lake" / "study" / "cost")
    write_delta(tmp_path / "lake" / "study" / "cost", other, [])
    told = dict(explain_study("study.cost/nucleus_2004/per_worker", config.load_settings(file)).facts)
    assert "holds other points" in told["in the lake"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("study.invesment/2026", "unknown table 'study.invesment'; did you mean 'study.investment'?"),
        ("study.investment/2062", "no period '2062'; did you mean '2026'?"),
        ("study.investment", "name its area too: add one of /ASP, /CHE,"),
        ("study.investment/2026/LCD/EMAIL", "no area 'LCD'; did you mean 'LDC'?"),
        ("study.investment/2026/LDC/EMAIL/_T/capitl", "no component 'capitl'; did you mean 'capital'?"),
        ("study.investment/2026/LDC/EMAIL/_T/posts/ppp", "no conversion 'ppp'; known are: none"),
        ("study.investment_gap/2026/LDC/EMAIL", "name its target too: add one of /best, /norm"),
        ("study.investment_gap/2026/LDC/EMAIL/norm/x",
         "write it as study.investment_gap/period_code/area_code/channel_code/target_code"),
        ("study.investment_gap/2026/WORLD/SMS", "No target by the best: no respondent."),
        ("study.investment/2026/NRU/EMAIL", "nothing is known of it: no operator of the area"),
    ],
)  # fmt: skip
def test_a_wrong_name_is_told_with_the_nearest_right_one(explain: Explain, name: str, told: str) -> None:
    with pytest.raises(ObservatoryError) as found:
        explain(name)
    assert told in str(found.value)


def test_an_empty_table_is_named_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "observatory.toml"
    file.write_text('[lake]\nroot = "lake"\n')
    loaded = config.load_settings(file)
    with pytest.raises(ObservatoryError, match="is empty: `observatory study estimate` writes it anew"):
        explain_study("study.investment/2026/WORLD/EMAIL", loaded)


def test_an_estimate_of_one_respondent_is_told_without_an_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_study(tmp_path)
    alone = {"cv_band_code": "one_respondent"} | dict.fromkeys(("estimate_low", "estimate_high", "cv_pct"))
    kinds = {
        "investment": alone,
        "investment_gap": dict.fromkeys(("spend_low", "spend_high", "gap_low", "gap_high")),
    }
    for name, lost in kinds.items():
        folder, table = tmp_path / "lake" / "study" / name, f"study.{name}"
        rows = pl.read_delta(str(folder)).with_columns(
            pl.lit(value).alias(key) for key, value in lost.items()
        )
        shutil.rmtree(folder)
        write_delta(folder, conform_frame(rows, table), list(read_contract(table).partition_by))
    observatory = cost_command(file, monkeypatch, capsys)
    spent = observatory("explain", "study.investment/2026/WORLD/EMAIL")
    assert "no interval: one respondent shows no variance" in spent.out
    assert "no CV (no interval)" in spent.out
    gap = observatory("explain", "study.investment_gap/2026/WORLD/EMAIL/norm")
    assert "of one respondent, without interval" in gap.out
    loaded = config.load_settings(file)
    figures = [explain_study(f"study.investment/2026/{code}/EMAIL", loaded) for code in ("FJI", "NPL")]
    with pytest.raises(ObservatoryError, match="FJI/.* cannot be added: it has one respondent"):
        sum_figures(figures)


# --- what may be added ----------------------------------------------------------------------------------

SPENT, VOLUME = "study.investment/2026/", "study.spam_volume/2026-Q4/"


def added(explain: Explain, *names: str) -> tuple[float, ...]:
    return sum_figures([explain(name) for name in names]).points


def test_estimates_that_have_nothing_in_common_are_added(explain: Explain) -> None:
    regions = added(explain, f"{SPENT}ASP/EMAIL", f"{SPENT}EUR/EMAIL")
    assert regions == pytest.approx((800, 1000, 1250))
    parts = [f"{SPENT}ASP/EMAIL/{strategy}/capital/ppp" for strategy in ("filtering", "network")]
    assert added(explain, *parts)[1] == pytest.approx(400 * 0.3 * 2)
    posts = added(explain, f"{SPENT}FJI/EMAIL/_T/posts", f"{SPENT}CHE/EMAIL/_T/posts")
    assert posts[1] == pytest.approx(18)
    gaps = [f"study.investment_gap/2026/{area}/EMAIL/norm" for area in ("NPL", "FJI")]
    assert added(explain, *gaps)[1] == pytest.approx(500)


def test_units_are_added_as_measures_permit(explain: Explain) -> None:
    assert added(explain, f"{VOLUME}FJI/EMAIL/recipient", f"{VOLUME}FJI/EMAIL/attempt")[1] == 200_000
    for other in ("message", "attempt/OPERATOR/spam_possible"):
        reason = reason_against_adding(
            explain(f"{VOLUME}FJI/EMAIL/recipient"), explain(f"{VOLUME}FJI/EMAIL/{other}")
        )
        assert reason is not None and "are different quantities" in reason


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (f"{SPENT}WORLD/EMAIL", f"{SPENT}EUR/EMAIL", "overlap: what they have in common would count twice"),
        (f"{SPENT}LDC/EMAIL", f"{SPENT}ASP/EMAIL", "overlap"),
        (f"{SPENT}ASP/EMAIL", f"{SPENT}ASP/EMAIL/network", "overlap"),
        (f"{SPENT}EUR/EMAIL", f"{SPENT}EUR/EMAIL", "overlap"),
        (f"{VOLUME}FJI/EMAIL", "study.spam_volume/2026-11/FJI/EMAIL", "overlap"),
        (
            f"{SPENT}ASP/EMAIL/_T/capital",
            f"{SPENT}ASP/EMAIL/_T/operating",
            "the component _T, estimated as one: study.investment/2026/ASP/EMAIL/_T/_T/market.",
        ),
        (
            f"{SPENT}ASP/EMAIL/_T/capital",
            f"{SPENT}EUR/EMAIL",
            "are different quantities, capital/market and _T/market",
        ),
        (f"{SPENT}ASP/EMAIL/_T/posts", f"{SPENT}EUR/EMAIL", "different quantities are never added"),
        (
            f"{SPENT}ASP/EMAIL/_T/_T/ppp",
            f"{SPENT}EUR/EMAIL",
            "Take both at one conversion: --prices market or international",
        ),
        (f"{SPENT}ASP/EMAIL", "study.investment_gap/2026/EUR/EMAIL/norm", "are of different tables"),
        ("study.investment_gap/2026/ASP/EMAIL/norm", "study.investment_gap/2026/EUR/EMAIL/best", "norm"),
        (f"{SPENT}ASP/EMAIL", "study.cost/japan_jadac_2008/investment", "are no figures of one kind"),
        (f"{VOLUME}FJI/EMAIL", f"{SPENT}FJI/EMAIL/_T/posts", "are of different tables"),
        (
            "study.cost/nucleus_2003/us_total",
            "study.cost/nucleus_2007/us_total",
            "in the prices of their own years",
        ),
    ],
)
def test_a_sum_of_estimates_that_must_not_be_is_refused(
    explain: Explain, one: str, other: str, told: str
) -> None:
    for pair in ((one, other), (other, one)):
        with pytest.raises(ObservatoryError) as found:
            sum_figures([explain(name) for name in pair])
        if pair == (one, other):
            assert told in " ".join(str(found.value).split())


# --- the command ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(
    "name",
    ["investment/2026/WORLD/EMAIL", "investment/2026/LDC/EMAIL/filtering/operating/mixed",
     "investment/2026/FJI/EMAIL/_T/posts", "investment_gap/2026/ASP/EMAIL/best",
     "spam_volume/2026-Q4/WORLD/EMAIL", "cost/rao_reiley_2012/total"],
)  # fmt: skip
def test_an_explanation_fits_the_terminal(observatory: Run, name: str, width: int) -> None:
    told = observatory("explain", f"study.{name}", width=width)
    assert (told.code, told.err) == (0, "")
    assert max(map(len, told.out.splitlines())) <= width
    assert "…" not in told.out
    words = " ".join(told.out.split())
    for part in ("How it is computed", "What dominates", "Read from"):
        assert part in words


@pytest.mark.parametrize("width", [80, 120])
def test_an_explanation_has_all_that_the_estimate_came_from(observatory: Run, width: int) -> None:
    told = " ".join(observatory("explain", "study.investment/2026/WORLD/EMAIL", width=width).out.split())
    for part in (
        "estimate 1,000 USD per year 95% interval: 800 to 1,250",
        "quantity Investment Spending on facilities and technical means",
        "of 6 of 12 operators (5 owners), 50% of 7,000 subscriptions",
        "quality CV 10.0% (acceptable), NATURE E, OBS_STATUS E",
        "have 0.5, 0.75 or 1.5 times the rate: 875, 937.5, 1,125",
        "refused 2 respondents gave only a budget band or a part; all at their lower edges 900, at their"
        " upper 1,300",
        "each 0.1429 USD per year for a subscription 10 USD for 1,000 messages or calls",
        "In prices and at rates of 2025: deflated first, then converted",
        "= 300 + 700 1,000",
        "= 7000 × 0.142857 1,000 USD per year",
        "[1] Judgement of this project",
        "Of an asset without a stated share (sp702), 50% (25–100%) of the cost counts as spent against spam.",
        "in proportion to subscriptions; a mailbox counts like a SIM.",
        "Europe 600 60.0% 69.2% ━",
        "reported by respondents 750 75.0% ━",
        "is a transfer between operators and is left out.",
        "ref.price_level file",
    ):
        assert part in told, part


def printed(part: RenderableType) -> str:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(part)
    return " ".join(console.export_text().split())


def test_countries_that_do_not_add_up_to_their_area_are_no_riddle() -> None:
    """Each area is estimated by itself."""
    countries = [TotalPart("Comoros", 60.0), TotalPart("Nepal", 44.0)]
    assert printed(draw_division("By country", countries, 100.0)).endswith(
        "Each is estimated by itself: together 104, and the estimate is 100."
    )
    assert "by itself" not in printed(draw_division("By country", countries, 104.0))


def test_a_setting_in_brackets_is_printed() -> None:
    assert printed(draw_pairs([("ref.price_level", "not named ([study] files)")])).endswith("([study] files)")


@pytest.mark.parametrize("width", [80, 120])
def test_a_sum_of_estimates_says_how_wide_it_is(observatory: Run, width: int) -> None:
    told = observatory("sum", f"{SPENT}ASP/EMAIL", f"{SPENT}EUR/EMAIL", width=width)
    assert told.code == 0
    assert max(map(len, told.out.splitlines())) <= width
    words = " ".join(told.out.split())
    assert words.startswith("Estimates added up") and "sum 800 1,000 1,250 USD per year" in words
    assert "as if all errors went together" in words


@pytest.mark.parametrize("table", stage_tables("study"))
def test_every_table_of_the_study_is_taken(explain: Explain, table: str) -> None:
    """The lake has rows of some; what it lacks is empty, and no table is unknown."""
    with pytest.raises(ObservatoryError) as told:
        explain(f"{table}/nothing")
    assert "is empty: `observatory study estimate`" in str(told.value) or "'nothing'" in str(told.value)


TYPES, COSTS = "study.spam_type/2026-Q4/", "study.countermeasure_cost/2026-Q4/"


def test_a_type_and_a_cost_are_explained_by_what_all_estimates_have(explain: Explain) -> None:
    whole = explain(f"{TYPES}WORLD/EMAIL")
    assert (
        whole.name.endswith("/attempted/OPERATOR/spam_certain/_T") and whole.unit == "recipients and attempts"
    )
    assert whole.estimate is not None and (whole.estimate.low, whole.estimate.high) == (5600, 8750)
    divided = dict(whole.divided)
    assert [(part.name, part.value) for part in divided["By type"]] == [
        ("Advertising: retail", 5250), ("Phishing: mail", 1750),
    ]  # fmt: skip
    assert [part.name for part in divided["By region"]] == ["Asia and the Pacific", "Europe"]
    facts = dict(whole.facts)
    assert facts["of"].startswith("6 of 12 operators (5 owners), 50% of 7,000 subscriptions")
    cost = explain(f"{COSTS}ASP/EMAIL")
    assert cost.name.endswith("/_T/stated/market") and cost.estimand_code == "operating_cost"
    assert cost.unit == "USD over 2026-Q4" and "By strategy" in dict(cost.divided)
    assert dict(cost.versions)["study.countermeasure_cost"] == "Delta version 0"


def test_a_row_that_is_no_estimate_is_explained_column_by_column(explain: Explain) -> None:
    found = explain("study.policy/2026/LDC/sp901/yes")
    assert (
        found.estimate is None and found.title == "study.policy: 2026, least developed countries, sp901, Yes"
    )
    assert dict(found.facts)["answered_count"].startswith("12 ")


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (f"{TYPES}ASP/EMAIL/attempted/OPERATOR/spam_certain/_S", f"{TYPES}ASP/EMAIL/attempted/OPERATOR/"
         "spam_certain/AD.retail", "overlap"),
        (f"{TYPES}ASP/EMAIL/attempted/OPERATOR/spam_certain/AD", f"{TYPES}ASP/EMAIL/attempted/OPERATOR/"
         "spam_certain/AD.retail", "overlap"),
        (f"{COSTS}ASP/EMAIL/_T/marginal", f"{COSTS}EUR/EMAIL/_T/stated", "different quantities"),
        ("study.policy/2026/LDC/sp901/yes", f"{TYPES}ASP/EMAIL", "are no figures of one kind"),
    ],
)  # fmt: skip
def test_what_such_rows_have_in_common_is_added_once(
    explain: Explain, one: str, other: str, told: str
) -> None:
    assert told in str(reason_against_adding(explain(one), explain(other)))


def test_types_apart_are_added(explain: Explain) -> None:
    pair = [explain(f"{TYPES}ASP/EMAIL/attempted/OPERATOR/spam_certain/{code}") for code in
            ("AD.retail", "PHISH.mail")]  # fmt: skip
    assert sum_figures(pair).points == (3200, 4000, 5000)


def test_prices_choose_the_conversion_that_a_name_leaves_out(observatory: Run) -> None:
    told = observatory("sum", f"{SPENT}ASP/EMAIL", f"{SPENT}EUR/EMAIL", "--prices", "international")
    assert "sum 1,600 2,000 2,500 international" in " ".join(told.out.split())
    assert "800 USD per year" not in told.out
    assert (
        f"{SPENT}LDC/EMAIL/_T/_T/market"
        in observatory("explain", f"{SPENT}LDC/EMAIL", "--prices", "market").out
    )


@pytest.mark.parametrize(
    ("name", "prices", "told"),
    [
        (f"{SPENT}LDC/EMAIL/_T/_T/ppp", "market", "names another conversion than --prices"),
        (f"{VOLUME}FJI/EMAIL", "market", "study.spam_volume has one conversion alone"),
        (f"{SPENT}LDC/EMAIL", "2025", "a figure of the study takes market or international"),
        (f"{SPENT}LDC/EMAIL", "markt", "did you mean 'market'?; of published figures it takes a year"),
        ("nucleus_2004", "market", "is of the study's spending; others take a year"),
    ],
)
def test_prices_that_a_figure_does_not_have_are_refused(
    settings: Path, name: str, prices: str, told: str
) -> None:
    with pytest.raises(ObservatoryError, match=re.escape(told)):
        explain_figure(name, settings, prices)
