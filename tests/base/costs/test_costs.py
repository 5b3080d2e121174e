"""jobs.base.costs and `observatory cost`: how a figure came about, and which may be added."""

import dataclasses
from collections.abc import Callable
from decimal import Decimal
from itertools import combinations
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import format_number, format_rate, formula_number
from jobs.base.core.periods import count_days
from jobs.base.costs.drawing import draw_inputs
from jobs.base.costs.figure import Explained, Input
from jobs.base.costs.fixed_costs import fixed_cost_rows, read_fixed_cost
from jobs.base.costs.model_figures import explain_published, matching_figures, published_figures
from jobs.base.costs.month import explain_month
from jobs.base.costs.parameter import explain_parameter, parameters_in_force
from jobs.base.costs.sums import INSTEAD, reason_against_adding, sum_figures
from jobs.base.figures import words
from jobs.base.settings import config
from jobs.base.stats.formula import evaluate_formula
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import list_codes, read_contract, reference_table, rows_frame
from jobs.cli.cost import explain
from jobs.cli.operators.main_figures import cost_rates_table, cost_table
from jobs.operators.report import money
from jobs.operators.report.figures import FIGURES, Figures
from jobs.operators.report.report import Report
from jobs.operators.report.unclaimed import reported_operator
from tests.support.cost_lake import COST, LICENCE, write_lake
from tests.support.delta import write_delta
from tests.support.in_process import Run, cost_command

Explain = Callable[[str], Explained]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lake(tmp_path_factory.mktemp("costs"))


@pytest.fixture(scope="module")
def month(settings: Path) -> Explain:
    loaded = config.load_settings(settings)
    return lambda name: explain_month(name, loaded)


@pytest.fixture
def observatory(settings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `observatory cost` in this process."""

    return cost_command(settings, monkeypatch, capsys, ("list", "--help"))


def stored(settings: Path, **key: str) -> dict[str, object]:
    rows = Lake(config.load_settings(settings).lake.root).read(COST)
    return rows.filter(cost_component_code="total", **key).row(0, named=True)


def points(row: dict[str, object]) -> list[float]:
    return [float(str(row[name])) for name in ("amount_p05", "amount_p50", "amount_p95")]


# --- figures of a month ---------------------------------------------------------------------------------


def test_a_months_figure_is_the_one_that_the_lake_holds(settings: Path, month: Explain) -> None:
    found = month("alp-mail/2026-11/CONTENT_FILTER")
    row = stored(
        settings, operator_id="alp-mail", period_code="2026-11", countermeasure_code="CONTENT_FILTER"
    )
    assert found.name == "alp-mail/2026-11/CONTENT_FILTER/EMAIL"
    assert found.points == pytest.approx(points(row), abs=1e-4)
    assert found.compared == "The lake holds the same points."
    # The licence is stated, and the filter's time is that of its log.
    assert (found.currency_code, found.estimand_code, found.bound_code) == ("CHF", "operating_cost", "upper")
    assert any(label == "too high" and text.startswith("filter_us: ") for label, text in found.facts)
    assert ("gold.countermeasure_effort_daily", "Delta version 0") in found.versions
    assert {name for name, _ in found.versions} >= {"ref.cost_parameter", "ref.exchange_rate"}


def test_the_steps_of_a_month_can_be_computed_again(month: Explain) -> None:
    found = month("alp-mail/2026-11/CONTENT_FILTER")
    by_what = {step.name: step for step in found.steps}
    cpu = by_what["Content filter: cpu_hour"]
    assert cpu.formula == "(filter_us/1e6)/3600*cpu_hour"
    # Two hours on each of two days, at 0.042 dollars.
    assert cpu.numbers == "(14400000000/1e6)/3600*0.042".replace("14400000000", formula_number(1.44e10))
    assert evaluate_formula(cpu.numbers, {}) == pytest.approx(4 * 0.042)
    franc = next(each for each in found.inputs if each.code == "rate:CHF").central
    assert cpu.result == f"0.168 USD = {format_number(4 * 0.042 / franc)} CHF"
    licence = by_what["filter licence"]
    assert (licence.numbers, licence.result) == ("1200*2/30", "80 CHF")
    assert evaluate_formula(licence.numbers, {}) == pytest.approx(80)
    total = 0.0
    for step in found.steps:
        total += evaluate_formula(step.numbers, {}) / (1 if step.name == "filter licence" else franc)
    assert found.central == pytest.approx(total)


def test_a_month_says_what_was_measured_and_what_dominates(month: Explain) -> None:
    found = month("alp-mail/2026-11")
    assert found.title == "Cost of all countermeasures: Alp Mail, November 2026"
    effort = dict(found.measured)
    assert effort["Content filter, E-mail"] == (
        "80,000 examined, 24,000 acted on, filter time 4\N{NO-BREAK SPACE}h, 1.8\N{NO-BREAK SPACE}GB"
        " received, 20\N{NO-BREAK SPACE}MB quarantined"
    )
    assert effort["Greylisting, E-mail"].startswith("180,000 examined (derived)")
    assert found.sensitivities[0].parameter_code == "fixed:0"
    assert found.sensitivities[0].first_order > 0.95
    assert {each.code for each in found.inputs} >= {each.parameter_code for each in found.sensitivities}
    licence = next(each for each in found.inputs if each.code == "fixed:0")
    assert (licence.low, licence.central, licence.high) == (900, 1200, 1800)
    assert licence.source == "settings of alp-mail"


def test_a_measure_without_a_price_is_a_lower_bound_and_says_so(month: Explain) -> None:
    found = month("alp-mail/2026-11/GREYLIST")
    assert found.points == (0, 0, 0) and found.steps == [] and found.sensitivities == []
    assert (
        found.bound_code == "lower"
        and ("missing", "a price for the work of greylisting of e-mail") in found.facts
    )
    assert ("missing", "the fixed cost of greylisting of e-mail: [[operator.fixed_cost]]") in found.facts


@pytest.mark.long
def test_gold_the_command_and_the_page_mark_every_cost_alike(
    settings: Path, observatory: Run, month: Explain
) -> None:
    loaded = config.load_settings(settings)
    costs = Lake(loaded.lake.root).read(COST)
    names = {each.id: each.name for each in loaded.operator}
    last = costs.filter(pl.col("period_code") == pl.col("period_code").max().over("operator_id"))
    figures = Figures(costs=last.select(list(FIGURES["costs"].columns)))
    report = Report(figures, {each.id: reported_operator(each) for each in loaded.operator}, None)
    blocks = {block.heading: block for block in money.costs_section(report).blocks}
    told = set()
    for row in last.filter(cost_component_code="total").to_dicts():
        channel, code = row["channel_code"], row["countermeasure_code"]
        if code == "_T" and channel != "_T":
            continue
        name = f"{row['operator_id']}/{row['period_code']}" + ("" if code == "_T" else f"/{code}/{channel}")
        assert month(name).bound_code == row["bound_code"], name
        sign = words.bound_sign(row["bound_code"])
        shown = " ".join(observatory("explain", name).out.split())
        assert ("at least this" in shown, "either side" in shown) == (sign == "≥ ", sign == "~ "), name
        told.add(row["bound_code"])
        if code == "_T":
            # The last row of the page's table is the total of all.
            *_, line = blocks[names[row["operator_id"]]].table.rows
            assert line[0].text.startswith("Total")
            low, median, high = (cell.text for cell in line[1:])
            assert median.startswith(sign), name
            # A total that lacks a part has no percentiles.
            is_whole = row["bound_code"] == "upper"
            assert [bool(low), bool(high)] == [is_whole, is_whole], name
            assert ("5 to 95%:" in shown) == is_whole, name
    assert told == {"lower", "upper", "neither"}


def test_an_operators_own_costs_are_rows_of_the_settings_and_figures_of_these_rows(settings: Path) -> None:
    (row,) = fixed_cost_rows(config.load_settings(settings).operator[0])
    assert list(row) == read_contract("ref.fixed_cost").columns
    assert row["operator_id"] == "alp-mail"
    assert read_fixed_cost(row) == LICENCE


def test_the_demos_costs_state_their_days_and_their_signs(settings: Path) -> None:
    """A lake of few days has costs of these days, and no month's."""
    lake = Lake(str(settings.parent / "lake"))
    console = Console(width=80, record=True)
    console.print(cost_table(lake, lake.versions()))
    text = console.export_text()
    total = lake.read(COST).filter(
        countermeasure_code="_T", channel_code="_T", cost_component_code="total", operator_id="alp-mail"
    )
    shown = [line for line in text.splitlines() if "alp-mail" in line]
    months = total.sort("period_code").select("period_code", "day_count").rows()
    assert len(shown) == len(months) > 0
    for line, (period, days) in zip(shown, months, strict=True):
        assert period in line and f"{days} of {count_days(period)}" in line
    assert "≥: a part is missing, such as staff" in text


def test_the_demo_and_explain_give_whole_months_and_rates(settings: Path, observatory: Run) -> None:
    lake = Lake(str(settings.parent / "lake"))
    total = lake.read(COST).filter(
        countermeasure_code="_T", channel_code="EMAIL", cost_component_code="total", operator_id="alp-mail"
    )
    console = Console(width=80, record=True)
    console.print(cost_rates_table(lake, lake.versions()))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= 80
    for row in total.to_dicts():
        days = count_days(row["period_code"])
        whole = float(row["amount_p50"]) * days / row["day_count"]
        assert float(row["whole_p50"]) == pytest.approx(whole, abs=1e-3)
        assert float(row["per_subscriber_p50"]) == pytest.approx(whole / row["subscriber_count"], abs=1e-6)
        assert float(row["per_thousand_p50"]) == pytest.approx(
            float(row["amount_p50"]) * 1000 / row["traffic_units"], abs=1e-6
        )
        [line] = [each for each in lines if "alp-mail" in each and row["period_code"] in each]
        assert format_rate(row["per_thousand_p50"]) in line
        shown = " ".join(observatory("explain", f"alp-mail/{row['period_code']}/_T/EMAIL").out.split())
        assert "whole month" in shown and f"{row['subscriber_count']:,} subscribers" in shown


def test_small_and_large_rates_are_short() -> None:
    """A list in place of a table is what a wider row becomes."""
    rates = {"0": "0", "7760.4321": "7,760", "0.01823": "0.0182", "0.0000056": "0.0000056", "12.5": "12.5"}
    assert {given: format_rate(Decimal(given)) for given in rates} == rates


def test_no_code_of_a_parameter_is_broken_on_80_columns() -> None:
    """Whoever looks a parameter up finds its code in one piece."""
    points = {"low": 0.08, "central": 0.12, "high": 0.18}
    about = {"source": "Judgement", "source_kind": "assumption", "confidence": "medium"}
    codes = [
        "discount_rate_real_developing", "lifetime_years_sms_firewall", "lifetime_years_voice_platform",
        "call_analytics_per_subscription_year", "cpu_hour",
    ]  # fmt: skip
    rows = [Input(code, "Real cost", "share per year", **points, **about) for code in codes]
    console = Console(width=80, record=True)
    console.print(draw_inputs(rows, 80))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= 80
    words = {word for line in lines for word in line.split()}
    assert set(codes) <= words
    assert {"0.08", "0.12", "0.18", "assumption,"} <= words


def test_the_demos_costs_fit_80_columns(tmp_path: Path) -> None:
    """Names whole, and each amount on one line with its sign and currency."""
    lake = Lake(str(tmp_path / "lake"))
    contract = dict.fromkeys(read_contract(COST).columns) | {
        "period_code": "2026-11", "channel_code": "_T", "countermeasure_code": "_T", "strategy_code": "_T",
        "cost_component_code": "total", "bound_code": "neither", "day_count": 4,
    }  # fmt: skip
    amounts = {"amount_p05": Decimal("5556.87"), "amount_p50": Decimal("7778.69")}
    operators = {"hexagone-sms": "EUR", "himal-mail": "NPR"}
    rows = [
        contract | amounts | {"operator_id": name, "currency_code": code, "amount_p95": Decimal("11110.60")}
        for name, code in operators.items()
    ]
    zeros = {f"amount_{point}": Decimal(0) for point in ("p05", "p50", "p95")}
    rows.append(contract | zeros | {"operator_id": "lab-sms", "currency_code": "EUR", "bound_code": "lower"})
    folder = tmp_path / "lake" / COST.replace(".", "/")
    write_delta(folder, rows_frame(rows, COST), list(read_contract(COST).partition_by))
    console = Console(width=80, record=True)
    console.print(cost_table(lake, {}))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= 80
    for name, code in operators.items():
        [line] = [line for line in lines if name in line]
        assert line.split()[-3:] == ["~", "7,778.69", code]
    # At least nothing says nothing.
    [unpriced] = [line for line in lines if "lab-sms" in line]
    assert unpriced.split()[-2:] == ["–", "EUR"] and "–: no price" in " ".join(lines)


def test_no_price_names_another_price_as_its_source() -> None:
    """A reader of `cost explain` sees the source alone, not the other row's."""
    rows = reference_table("ref.cost_parameter").select("parameter_code", "source").rows()
    codes_of = {code for code, _ in rows}
    assert not [code for code, source in rows if codes_of & set(source.replace(",", " ").split())]


def test_prices_that_changed_since_are_told(settings: Path, tmp_path: Path) -> None:
    changed = tmp_path / "observatory.toml"
    text = settings.read_text(encoding="utf-8").replace(
        'root = "lake"', f'root = "{settings.parent / "lake"}"'
    )
    changed.write_text(text.replace("high = 1800", "high = 3600"), encoding="utf-8")
    found = explain_month("alp-mail/2026-11/CONTENT_FILTER", config.load_settings(changed))
    assert "have changed since it was computed. `observatory run` computes it again" in found.compared
    # The sample study has no key of its own in the settings.
    assert found.compared.endswith("(for the sample study, `make demo`).")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("alp-mial/2026-11", "unknown operator 'alp-mial'; did you mean 'alp-mail'?"),
        ("alp-mail/2026-12", "alp-mail has no month '2026-12'; did you mean '2026-1"),
        (
            "alp-mail/2026-11/CONTENTFILTER",
            "in that month; did you mean 'CONTENT_FILTER'?",
        ),
        ("alp-mail/2026-11/DNSBL/SMS", "DNSBL has no channel 'SMS'; known are: EMAIL"),
        ("alp-mail/2026-11/DNSBL/EMAIL/X", "write it as operator/month/COUNTERMEASURE/CHANNEL"),
        ("isle-mobile/2026-11/CONTENT_FILTER", "is of several channels: add one of /EMAIL, /SMS"),
        ("new-mail/2026-11", "has no cost of new-mail yet: `observatory run`"),
    ],
)
def test_a_wrong_month_is_told_with_the_nearest_right_one(month: Explain, name: str, told: str) -> None:
    with pytest.raises(ObservatoryError) as found:
        month(name)
    assert told in str(found.value)


# --- what may be added ----------------------------------------------------------------------------------


def test_every_quantity_says_what_to_do_in_place_of_a_sum() -> None:
    assert set(INSTEAD) == set(list_codes("estimand"))


@pytest.fixture(scope="module")
def published() -> dict[str, Explained]:
    return {name: explain_published(name) for name in published_figures()}


def test_no_two_published_figures_of_different_quantities_are_added(published: dict[str, Explained]) -> None:
    refused = 0
    for one, other in combinations(published.values(), 2):
        reason, back = reason_against_adding(one, other), reason_against_adding(other, one)
        assert (reason is None) == (back is None)
        if one.estimand_code != other.estimand_code:
            assert reason is not None
            assert "different quantities are never added" in reason
            assert one.name in reason and other.name in reason
            assert INSTEAD[one.estimand_code] in reason and INSTEAD[other.estimand_code] in reason
            refused += 1
        if reason is None:
            assert one.unit == other.unit and one.scope.subject != other.scope.subject
    assert refused > 3000


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        (
            ("japan_jadac_2008/investment", "nucleus_2007"),
            "japan_jadac_2008/investment is an investment (spending on facilities and technical means against"
            " spam: the question of WTSA Resolution 52) and nucleus_2007/us_total is a social cost (",
        ),
        (("spamalytics_2008/year", "truecaller_us/loss_2015"), "show it as a ratio to the loss"),
        (("ferris_2009", "cfca_2021"), "are each a mixed total"),
        (("cfca_2023/implied_revenue", "cfca_2021/implied_revenue"), "are each a base amount"),
        (("nucleus_2003", "nucleus_2004"), "is in USD per worker year: rates are not added"),
        (
            ("nucleus_2003/us_total", "nucleus_2007"),
            "of 2003 and nucleus_2007/us_total of 2007, in the",
        ),
        (("nucleus_2003/us_total", "china_isc_2016"), "is in USD and china_isc_2016/loss in CNY: not added."),
        (("grey_route_2017/loss_day", "grey_route_2017"), "bring them to the same time"),
        (("juniper_ait_2024", "juniper_vox_2024"), "They are two estimates: show them as a range."),
        (
            ("alp-mail/2026-11/DNSBL", "alp-mail/2026-11"),
            "overlap: what they have in common would count twice",
        ),
        (("alp-mail/2026-11/DNSBL", "isle-mobile/2026-11"), "is in CHF and isle-mobile/2026-11 in FJD"),
        (("alp-mail/2026-11/DNSBL", "nucleus_2003"), "is an operating cost (what it costs to run"),
        (
            ("alp-mail/2026-11/DNSBL", "osterman_2022/year_five"),
            "in CHF and osterman_2022/year_five in USD",
        ),
        (("alp-mail/2026-11/DNSBL",), "name two figures or more"),
    ],
)
def test_a_sum_that_must_not_be_is_refused(observatory: Run, figures: tuple[str, ...], told: str) -> None:
    found = observatory("sum", *figures)
    assert (found.code, found.out) == (2, "")
    assert told in found.err


def test_parts_of_a_month_are_simulated_as_one_total(
    settings: Path, observatory: Run, month: Explain
) -> None:
    parts = [month(f"alp-mail/2026-11/{each}") for each in ("CONTENT_FILTER", "DNSBL", "GREYLIST")]
    total = sum_figures(parts)
    row = stored(
        settings,
        operator_id="alp-mail",
        period_code="2026-11",
        channel_code="EMAIL",
        countermeasure_code="_T",
    )
    assert total.points == pytest.approx(points(row), rel=0.01)
    assert total.bound_code == row["bound_code"] == "neither"
    sums = [sum(each.points[place] for each in parts if each.points) for place in (0, 2)]
    assert sums[0] < total.points[0] and total.points[2] < sums[1]
    told = observatory("sum", *(each.name for each in parts))
    assert told.code == 0 and "The points of the sum are not sums of the points above it." in told.out


def test_months_of_one_operator_may_be_added(month: Explain) -> None:
    october, november = month("alp-mail/2026-10"), month("alp-mail/2026-11")
    total = sum_figures([october, november])
    # Both months share every uncertain price, so their points do add up, to the last of them.
    assert october.points is not None and november.points is not None
    expected = [one + other for one, other in zip(october.points, november.points, strict=True)]
    assert total.points == pytest.approx(expected, rel=0.01)


def test_figures_of_two_countries_may_be_added_and_vary_apart() -> None:
    one = explain_published("fcc_2019")
    assert one.simulation is not None and one.points is not None
    apart = dataclasses.replace(one.simulation, owner="elsewhere")
    other = dataclasses.replace(
        one, name="elsewhere/total", simulation=apart, scope=dataclasses.replace(one.scope, subject="CAN")
    )
    total = sum_figures([one, other])
    assert 2 * one.points[0] < total.points[0] and total.points[2] < 2 * one.points[2]
    world = dataclasses.replace(other, scope=dataclasses.replace(one.scope, subject="001"))
    with pytest.raises(ObservatoryError, match="overlap"):
        sum_figures([one, world])
    unknown = dataclasses.replace(other, simulation=None)
    with pytest.raises(ObservatoryError, match="elsewhere/total cannot be added: no formula"):
        sum_figures([one, unknown])


# --- the command ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", ["nucleus_2004", "rao_reiley_2012", "ntrs_2009", "alp-mail/2026-11"])
def test_an_explanation_fits_the_terminal(observatory: Run, name: str, width: int) -> None:
    told = observatory("explain", name, width=width)
    assert (told.code, told.err) == (0, "")
    assert max(map(len, told.out.splitlines())) <= width
    assert "…" not in told.out


def test_an_explanation_of_a_published_figure_has_all_that_it_came_from(
    observatory: Run,
) -> None:
    told = " ".join(observatory("explain", "nucleus_2004").out.split())
    for part in (
        "nucleus_2004/per_worker",
        "computed 1,934.4 USD per worker year",
        "printed 1,934 USD per worker year",
        "reproduces Exact +0.02% from the printed figure, which is rounding",
        "quantity Social cost",
        "of United States, 2004, E-mail",
        "time_share × hours_year × wage",
        "= 0.031 × 2080 × 30 1,934.4",
        "time_share Share of working time lost 0.031 share published, high [1]",
        "[1] Nucleus Research 2004, reported by Digital Trends, 2004, and Cebit Australia News, 2007",
        "ref.cost_model_parameter file ",
        "Also of nucleus_2004: time_share",
        "http://www.digitaltrends.com/computing/spam-costs-volumes-soar-despite-new-laws/",
        "(articles, read 2026-11-27)",
    ):
        assert part in told


def test_an_explanation_of_a_band_has_points_and_a_tornado(observatory: Run) -> None:
    told = " ".join(observatory("explain", "rao_reiley_2012").out.split())
    assert "median 20.5 bn USD per year 5 to 95%: 17.9 bn to 25.5 bn" in told
    assert "pass_rate Share passing the filters 0.018 0.0221 0.03 share implied, medium" in told
    assert "pass_rate 100% 100% 17.91 bn 25.51 bn ━" in told


@pytest.mark.long
def test_every_published_figure_can_be_explained(observatory: Run) -> None:
    for name in published_figures():
        told = observatory("explain", name, width=80)
        assert told.code == 0, told.err
        assert max(map(len, told.out.splitlines())) <= 80, name


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nucleus_204", "unknown figure 'nucleus_204'; did you mean 'nucleus_2004'?"),
        ("nucleus_2003/us_totl", "did you mean 'nucleus_2003/us_total'?"),
        ("???", "`observatory cost list` names the published ones"),
        ("alp-mail/2026-11/DNSBLS", "did you mean 'DNSBL'?"),
    ],
)
def test_an_unknown_figure_is_told_with_the_nearest(observatory: Run, name: str, told: str) -> None:
    found = observatory("explain", name)
    assert (found.code, found.out) == (2, "")
    assert told in found.err


@pytest.mark.parametrize("width", [80, 120])
def test_the_list_names_every_published_figure(observatory: Run, width: int) -> None:
    told = observatory("list", width=width)
    assert told.code == 0
    assert max(map(len, told.out.splitlines())) <= width
    words = set(told.out.split())
    assert set(published_figures()) <= words
    assert told.out.index("Investment") < told.out.index("Social cost") < told.out.index("Transfer")


def test_a_models_name_is_its_first_figure() -> None:
    assert matching_figures("nucleus_2007")[0] == "nucleus_2007/us_total"
    assert matching_figures("nucleus_2007/us_total") == ["nucleus_2007/us_total"]
    assert matching_figures("nucleus") == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (873.6, "873.6"), (1934.4, "1,934.4"), (2080, "2,080"), (71.37732e9, "71.38 bn"),
        (0.00963704, "0.009637"), (1.8e12, "1.8 tn"), (45509.33, "45,509"), (999_999.9, "1 M"),
        (-0.0235648, "-0.02356"), (4.2e-9, "4.2e-9"), (100, "100"), (21.0959e6, "21.1 M"),
    ],
)  # fmt: skip
def test_numbers_are_written_for_people(value: float, text: str) -> None:
    assert format_number(value) == text


def test_a_price_is_explained_with_its_year_and_what_is_charged(capsys: pytest.CaptureFixture[str]) -> None:
    row = {each["parameter_code"]: each for each in reference_table("ref.cost_parameter").to_dicts()}[
        "cpu_hour"
    ]
    explain("cpu_hour", Path("absent.toml"))
    told = " ".join(capsys.readouterr().out.split())
    assert f"prices of {row['price_year']}, in {row['currency_code']}, not deflated" in told
    assert f"5 to 95%: {row['low']} to {row['high']}" in told
    assert "cpu_seconds / 3600 × cpu_hour" in told and "charged to every measure" in told


@pytest.mark.parametrize("code", parameters_in_force())
def test_every_parameter_is_explained(code: str) -> None:
    found = explain_parameter(code)
    year = str(parameters_in_force()[code]["price_year"])
    assert any(text.startswith(year) for label, text in found.facts if label in ("prices of", "as of"))
    assert found.points == (
        parameters_in_force()[code]["low"],
        found.central,
        parameters_in_force()[code]["high"],
    )
