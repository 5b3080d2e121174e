"""jobs.base.costs.cost_model and jobs.base.stats.sensitivity: every published figure, its verdict, and what
dominates it."""

import csv
import math
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.base.costs.cost_model import (
    NO_COST,
    ModelFigure,
    evaluate_figure,
    figures_in_force,
    judge_reproduction,
    range_before_rounding,
    rounding_range,
)
from jobs.base.costs.figure import name_with_address
from jobs.base.costs.model_figures import area_name, explain_published
from jobs.base.costs.sums import have_overlap
from jobs.base.stats.sensitivity import rank_parameters
from jobs.base.tables import contracts
from jobs.base.tables.contracts import list_codes, polars_schema, read_contract, reference_table
from jobs.study.estimates.figures_of_others import row_of
from tests.conftest import ROOT

MODELS, PARAMETERS = reference_table("ref.cost_model"), reference_table("ref.cost_model_parameter")
FIGURES = figures_in_force(MODELS, PARAMETERS)
# What another program computed from the same inputs, and the verdict of who collected them.
with (Path(__file__).parents[2] / "data" / "cost" / "reproduction.csv").open(encoding="utf-8") as lines:
    COLLECTED = {f"{row['model_code']}/{row['output_code']}": row for row in csv.DictReader(lines)}


def test_every_figure_was_computed_elsewhere_too() -> None:
    assert list(FIGURES) and set(FIGURES) == set(COLLECTED)


@pytest.mark.parametrize("name", FIGURES)
def test_each_figure_has_the_value_and_the_verdict_that_it_was_collected_with(name: str) -> None:
    figure = FIGURES[name]
    found = evaluate_figure(figure)
    code, text = judge_reproduction(figure, found)
    assert code == COLLECTED[name]["reproduction_code"], text
    if COLLECTED[name]["computed"]:
        assert found is not None
        assert found.central == pytest.approx(float(COLLECTED[name]["computed"]), rel=1e-8)
        assert found.p05 <= found.p50 <= found.p95
        assert (found.p05 == found.p95) == (not found.sensitivities)
    else:
        assert found is None and figure.formula is None
    if code == "missed":
        assert len(text.split(". ", 1)) == 2, "a miss needs its reason"


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("nucleus_2003/per_worker", "873.6"),
        ("nucleus_2003/us_total", "87.4e9"),
        ("nucleus_2004/per_worker", "1934.4"),
        ("nucleus_2007/us_total", "71.38e9"),
        ("grey_route_2017/fee_2017", "0.0096"),
        ("grey_route_2017/loss_2022", "4.04e9"),
        ("grey_route_2017/loss_day", "21.1e6"),
        ("grey_route_2017/white_share_2017", "0.523"),
        ("grey_route_2017/white_share_2022", "0.851"),
        ("cfca_2021/loss", "39.96e9"),
        ("cfca_2021/implied_revenue", "1.80e12"),
        ("cfca_2023/implied_revenue", "1.56e12"),
        # "+12%" is the rate; the amount fell.
        ("cfca_2023/growth_rate", "0.126"),
        ("cfca_2023/growth_amount", "-0.024"),
    ],
)
def test_figures_that_others_published(name: str, printed: str) -> None:
    found = evaluate_figure(FIGURES[name])
    assert found is not None
    # The digits that are given, and not one more.
    mantissa, _, exponent = printed.partition("e")
    digits = len(mantissa.partition(".")[2]) - int(exponent or 0)
    assert round(found.central, digits) == pytest.approx(float(printed), rel=1e-12)


def test_what_misses_is_told_as_such() -> None:
    verdicts = {name: judge_reproduction(figure, evaluate_figure(figure)) for name, figure in FIGURES.items()}
    assert {name for name, (code, _) in verdicts.items() if code == "missed"} == {
        "ntrs_2004/hours_week", "ferris_2002/productivity", "ferris_2009/us_total",
        "anderson_2012/world_police", "mef_2021/loss",
        "grey_route_2017/cumulative", "juniper_a2p_2020/loss_2025", "osterman_2022/year_one",
        "stratix_nl_2004/total", "cfca_2021/growth_amount", "cfca_2023/growth_amount",
    }  # fmt: skip
    assert "The amount fell 2.4 percent" in verdicts["cfca_2023/growth_amount"][1]
    assert {verdicts[name][0] for name in ("nucleus_2004/per_worker", "nucleus_2007/us_total")} == {"exact"}


def test_no_formula_is_no_miss() -> None:
    for name, figure in FIGURES.items():
        code, text = judge_reproduction(figure, evaluate_figure(figure))
        assert (code == "no_formula") == (figure.formula is None), name
        assert (code == "no_formula") == text.startswith("The source gives the total alone"), name


@pytest.mark.parametrize(
    ("printed", "low", "high"),
    [
        (874, 873.5, 874.5), (0.014, 0.0135, 0.0145), (7, 6.5, 7.5), (20e9, 19.5e9, 20.5e9),
        (100, 95, 105), (2080, 2075, 2085), (100_249_046, 100_249_045.5, 100_249_046.5),
        (39.89e9, 39.885e9, 39.895e9), (71e9, 70.5e9, 71.5e9), (0.3, 0.25, 0.35), (1.8e12, 1.75e12, 1.85e12),
    ],
)  # fmt: skip
def test_a_printed_number_is_rounded_to_its_last_digit(printed: float, low: float, high: float) -> None:
    assert rounding_range(printed) == pytest.approx((low, high), rel=1e-12)


def test_a_match_within_the_rounding_of_the_inputs_says_what_they_allow() -> None:
    """712 dollars need 15.6 seconds a message, and 16 are printed: no miss, and no match either."""
    found = FIGURES["nucleus_2007/per_worker_from_seconds"]
    code, text = judge_reproduction(found, evaluate_figure(found))
    assert code == "rounding" and "the inputs as printed allow 676.984 to 781.435" in text
    low, high = range_before_rounding(found)
    assert low == pytest.approx(20.5 * 15.5 / 3600 * 29.5 * 260) and low < 712 < high


def test_sums_shares_and_growth_of_one_source_are_identities() -> None:
    """Arithmetic on amounts of one kind that a source prints reproduces no model."""
    verdicts = {
        name: judge_reproduction(figure, evaluate_figure(figure))[0] for name, figure in FIGURES.items()
    }
    assert {name for name, code in verdicts.items() if code == "identity"} == {
        "nucleus_2003/time_share", "ntrs_2004/jobs", "rao_reiley_2012/ratio", "anderson_2012/world_defence",
        "spamalytics_2008/year",
        "grey_route_2017/loss_day", "grey_route_2017/white_share_2017", "grey_route_2017/white_share_2022",
        "mef_2021/loss_day", "juniper_a2p_2020/traffic_fall", "juniper_a2p_2020/revenue_growth",
        "cfca_2021/growth_rate", "cfca_2023/growth_rate", "japan_jadac_2008/total",
        "japan_jadac_2008/investment", "comreg_2024/harm", "comreg_2024/share_calls",
        "comreg_2024/calls_day", "comreg_2024/sms_day", "uk_finance_2024/total",
    }  # fmt: skip


def test_the_counts_in_the_documents_are_those_of_the_table() -> None:
    with_formula = [figure for figure in FIGURES.values() if figure.formula]
    compared = [figure for figure in with_formula if figure.published_value is not None]
    counts = (
        f"{len(FIGURES)} published figures, {len(with_formula)} with a formula, {len(compared)} with both"
        " formula and printed value"
    )
    for file in ("README.md", "docs/economist.md"):
        assert counts in " ".join((ROOT / file).read_text(encoding="utf-8").split()), f"{file}: {counts}"


def test_rao_and_reiley_stay_within_their_band() -> None:
    found = evaluate_figure(FIGURES["rao_reiley_2012/total"])
    assert found is not None
    # 6.5 billion for technology, as the paper has it, and not what is left of 20 after 14.
    assert [round(each / 1e9, 1) for each in (found.p05, found.p95)] == [17.9, 25.5]
    assert found.p05 < 20e9 < found.p95
    assert {FIGURES[name].row["geography_code"] for name in FIGURES if name.startswith("rao_")} == {"USA"}
    (part,) = found.sensitivities
    assert part.parameter_code == "pass_rate"
    assert [round(each / 1e9, 1) for each in (part.low, part.high)] == [17.9, 25.5]


def test_what_rests_on_figures_solved_back_or_remembered_is_not_exact() -> None:
    verdicts = {name: judge_reproduction(figure, evaluate_figure(figure)) for name, figure in FIGURES.items()}
    by_code = {
        code: {name for name in FIGURES if verdicts[name][0] == code} for code in list_codes("reproduction")
    }
    assert by_code["circular"] == {
        "grey_route_2017/loss_2022", "osterman_2022/hourly", "osterman_2022/mail_low",
        "osterman_2022/mail_high", "enisa_2009/delivered", "ntrs_2004/us_total", "rao_reiley_2012/user_cost",
        "rao_reiley_2012/total_with_6_bn", "ferris_2002/us_total", "anderson_2012/world_antivirus",
        "fcc_2019/total",
    }  # fmt: skip
    for name in by_code["exact"]:
        kinds = {row["source_kind"] for row in FIGURES[name].parameters.values()}
        assert kinds <= {"published", "constant"} and FIGURES[name].row["source_read"] != "memory", name
    assert "minutes_low solved back from a printed figure" in verdicts["osterman_2022/mail_low"][1]


def test_no_figure_and_no_central_input_is_from_memory() -> None:
    assert "memory" not in MODELS["source_read"] and "memory" not in PARAMETERS["source_kind"]


def test_a_match_with_an_input_from_memory_says_so() -> None:
    figure = FIGURES["nucleus_2004/per_worker"]
    remembered = {name: {**row, "source_kind": "memory"} for name, row in figure.parameters.items()}
    figure = replace(figure, parameters={**figure.parameters, "wage": remembered["wage"]})
    code, text = judge_reproduction(figure, evaluate_figure(figure))
    assert code == "from_memory" and "wage from memory" in text


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("ferris_2002/us_total", 8.9e9), ("ferris_2002/europe_total", 2.5e9),
        ("ferris_2002/providers", 500e6), ("aristotle_2003/workplace", 14e9),
        ("oecd_2004/provider_share", 0.10), ("oecd_2005/licence", 1), ("itu_2008/gdp_direct", 0.004),
        ("itu_2008/gdp_worst", 0.01), ("anderson_2012/world_defence", 25.84e9),
        ("anderson_2012/world_police", 400e6), ("anderson_2019/online_share", 0.5),
        ("gasa_2025/total", 442e9), ("juniper_robocall/loss_2025", 80e9), ("fcc_2020/nuisance", 3e9),
        ("fcc_2020/fraud", 10e9),
    ],
)  # fmt: skip
def test_each_source_that_was_asked_for_gives_a_figure_and_where_it_was_read(
    name: str, printed: float
) -> None:
    row = FIGURES[name].row
    assert FIGURES[name].published_value == printed and row["source_read"] in ("issuer", "secondary")
    assert name_with_address(row["source"]) != row["source"]


def test_an_area_of_several_or_without_a_code_is_named_and_overlaps() -> None:
    assert area_name("USA|150") == "United States and Europe" and area_name("_X") == "area without a code"
    assert area_name("USA|150", short=True) == "several" and area_name("_X", short=True) == "no code"
    providers, firms = (explain_published(f"ferris_2002/{each}") for each in ("providers", "us_total"))
    assert have_overlap(providers, firms) and have_overlap(explain_published("oecd_2005/licence"), firms)
    elsewhere = replace(firms, scope=replace(firms.scope, subject="CAN"))
    assert not have_overlap(elsewhere, firms)


def test_two_printings_of_one_input_are_two_figures() -> None:
    """One report prints the paper's cost of technology as 6.5 billion, another as 6; neither is a
    correction."""
    one = FIGURES["rao_reiley_2012/total"].parameters["tech"]
    other = FIGURES["rao_reiley_2012/total_with_6_bn"].parameters["tech_digest"]
    assert (one["central"], other["central"]) == (6.5e9, 6e9)
    assert "conflict" in one["note"] and "conflict" in other["note"]
    assert one["source"] != other["source"]


def test_every_source_has_an_address_or_says_that_none_was_found() -> None:
    rows = {row["source"]: row for row in reference_table("ref.cost_source").to_dicts()}
    named = [PARAMETERS["source"], MODELS["source"], reference_table("ref.cost_parameter")["source"]]
    assert set(rows) == set(pl.concat(named))
    for source, row in rows.items():
        if row["source_url"]:
            assert all(each.startswith("http") for each in row["source_url"].split()), source
            assert row["source_page"] and row["read_date"], source
        else:
            assert row["note"].startswith(("Address not found", "No outside source: ")), source
            assert row["read_date"] is None
    assert sum(bool(row["source_url"]) for row in rows.values()) >= 60


# --- what is refused ------------------------------------------------------------------------------------


def tables(
    formula: str, unit: str = "USD per year", price: str = "USD per message"
) -> tuple[pl.DataFrame, ...]:
    model = {
        "model_code": "m", "output_code": "o", "formula": formula, "unit_text": unit, "estimand_code": "loss",
        "currency_code": unit[:3] if unit[:3].isupper() else None, "published_value": 1.0,
    }  # fmt: skip
    points = {"low": 1.0, "central": 2.0, "high": 3.0, "distribution": "triangular"}
    inputs = [
        {"model_code": "m", "parameter_code": "price", "unit_text": price, **points},
        {"model_code": "m", "parameter_code": "count", "unit_text": "messages", **points},
        {"model_code": "other", "parameter_code": "elsewhere", "unit_text": "messages", **points},
    ]
    return (
        pl.DataFrame([model], schema=polars_schema("ref.cost_model")),
        pl.DataFrame(inputs, schema=polars_schema("ref.cost_model_parameter")),
    )


@pytest.mark.parametrize(
    ("formula", "told"),
    [
        ("price*elsewhere", "formula 'price*elsewhere', character 7: 'elsewhere' is not declared"),
        ("price.real", "'price.real' is not allowed"),
        ("open(price)", "'open(price)' is not allowed"),
        ("price*count +", "character 14: invalid syntax"),
        ("(" * 201 + "price" + ")" * 201, "too many nested parentheses"),
        ("price + count", "character 1: an amount of money is added to what is none"),
        ("count*3", "gives no money, and the unit is 'USD per year'"),
        ("price*price", "gives money to the power 2"),
    ],
)
def test_a_formula_that_may_not_be_is_refused_with_its_row(formula: str, told: str) -> None:
    with pytest.raises(ObservatoryError) as found:
        figures_in_force(*tables(formula))
    assert str(found.value).startswith("ref.cost_model, row m/o: ")
    assert told in str(found.value)


@pytest.mark.parametrize("formula", ["price*9**9**9**9", "price/(count-count)", "price*(0-count)**0.5"])
def test_a_formula_without_a_finite_value_is_refused_with_its_row(formula: str) -> None:
    (figure,) = figures_in_force(*tables(formula)).values()
    with pytest.raises(ObservatoryError, match=r"ref.cost_model, row m/o: formula .* is no finite number"):
        evaluate_figure(figure)


def test_units_are_held_against_each_other() -> None:
    with pytest.raises(ObservatoryError, match="mixes EUR and USD"):
        figures_in_force(*tables("price*count", price="EUR per message"))
    with pytest.raises(ObservatoryError, match="gives money, and the unit is 'jobs'"):
        figures_in_force(*tables("price*count", unit="jobs"))
    models, parameters = tables("price*count")
    with pytest.raises(ObservatoryError, match="row m/o: the unit 'USD per year' is not in currency GBP"):
        figures_in_force(models.with_columns(currency_code=pl.lit("GBP")), parameters)
    with pytest.raises(ObservatoryError, match="cost_model_parameter, row m/price: has no unit_text"):
        figures_in_force(models, parameters.with_columns(unit_text=pl.lit(None, pl.String)))
    with pytest.raises(ObservatoryError, match="cost_model_parameter, row m/price: has no high"):
        figures_in_force(models, parameters.with_columns(high=pl.lit(None, pl.Float64)))
    with pytest.raises(ObservatoryError, match="row m/o: published_value is 0"):
        figures_in_force(models.with_columns(published_value=0.0), parameters)
    with pytest.raises(ObservatoryError, match="row m/o: stands twice"):
        figures_in_force(pl.concat([models, models]), parameters)


def test_parameters_that_cannot_be_are_refused_with_the_row() -> None:
    models, parameters = tables("price*count")
    (figure,) = figures_in_force(models, parameters.with_columns(high=0.5)).values()
    with pytest.raises(ObservatoryError, match="row m/o: low 1.0, central 2.0 and high 0.5 must not fall"):
        evaluate_figure(figure)


# --- what dominates -------------------------------------------------------------------------------------


def points(**ranges: tuple[float, float, float, str]) -> pl.DataFrame:
    rows = [(name, *each) for name, each in ranges.items()]
    return pl.DataFrame(
        rows, schema=["parameter_code", "low", "central", "high", "distribution"], orient="row"
    )


def test_indices_of_a_sum_are_shares_of_its_variance() -> None:
    table = points(
        a=(10.0, 12.0, 14.0, "triangular"), b=(11.0, 12.0, 13.0, "triangular"), c=(15.0, 15.0, 15.0, "fixed")
    )
    found = rank_parameters(lambda each: each["a"] + each["b"] + each["c"], table)
    assert [part.parameter_code for part in found] == ["a", "b"]
    assert [part.first_order for part in found] == pytest.approx([0.8, 0.2], abs=0.01)
    assert [part.total_order for part in found] == pytest.approx([0.8, 0.2], abs=0.01)
    assert (found[0].low, found[0].high) == pytest.approx((10 + 12 + 15, 14 + 12 + 15))


def test_indices_of_a_product_of_lognormals_are_those_of_theory() -> None:
    sigmas = {"a": 0.6, "b": 0.3}
    z95 = 1.6448536269514722
    ranges = {name: (math.exp(-z95 * s), 1.0, math.exp(z95 * s), "lognormal") for name, s in sigmas.items()}
    parts = rank_parameters(lambda each: each["a"] * each["b"], points(**ranges), 2**14)
    found = {part.parameter_code: part for part in parts}
    spread = {name: math.exp(s**2) - 1 for name, s in sigmas.items()}
    whole = (1 + spread["a"]) * (1 + spread["b"]) - 1
    for name, other in (("a", "b"), ("b", "a")):
        assert found[name].first_order == pytest.approx(spread[name] / whole, abs=0.02)
        assert found[name].total_order == pytest.approx(spread[name] * (1 + spread[other]) / whole, abs=0.02)


def test_indices_are_the_same_bits_in_any_order_and_one_alone_is_all() -> None:
    table = points(a=(1.0, 2.0, 3.0, "triangular"), b=(1.0, 2.0, 9.0, "lognormal"))
    first = rank_parameters(lambda each: each["a"] / each["b"], table)
    assert first == rank_parameters(lambda each: each["a"] / each["b"], table.reverse())
    (alone,) = rank_parameters(lambda each: each["a"] * 2, table.filter(parameter_code="a"))
    assert (alone.first_order, alone.total_order) == (1.0, 1.0)
    (idle,) = rank_parameters(lambda each: np.full(len(each["a"]), 7.0), table.filter(parameter_code="a"))
    assert (idle.first_order, idle.total_order) == (0.0, 0.0)


def test_a_table_that_is_not_as_its_contract_says_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (contracts.REFERENCE / "cost_model_parameter.csv").read_text(encoding="utf-8")
    (tmp_path / "cost_model_parameter.csv").write_text(text.replace(",2080,", ",2'080,", 1), encoding="utf-8")
    monkeypatch.setattr(contracts, "REFERENCE", tmp_path)
    with pytest.raises(
        ObservatoryError, match="cost_model_parameter.csv is not as its contract says: .*2'080"
    ):
        reference_table.__wrapped__("ref.cost_model_parameter")


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (
            "0.2,0.084,0.1,lognormal",
            "row 2 (cpu_hour, 1990-01-01): low <= central AND central <= high does not hold",
        ),
        (
            "0,0.042,0.1,lognormal",
            "row 2 (cpu_hour, 1990-01-01): low > 0 OR distribution <> 'lognormal' does not hold",
        ),
        (
            "0.01,0.042,0.1,normal",
            "row 2 (cpu_hour, 1990-01-01): distribution IN ('fixed', 'lognormal', 'triangular')"
            " does not hold",
        ),
        ("0.01,0.042,0.1,lognormal", "rows 2 and 75 have the same key (cpu_hour, 1990-01-01)"),
    ],
)
def test_a_wrong_price_is_named_by_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, points: str, message: str
) -> None:
    """An economist's wrong change of the price file ends in a sentence that names the row, not in a crash."""
    # Its contract stays where it is.
    read_contract("ref.cost_parameter")
    text = (contracts.REFERENCE / "cost_parameter.csv").read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith("cpu_hour,"))
    changed = row.replace("0.01,0.042,0.1,lognormal", points)
    text = f"{text}{row}\n" if changed == row else text.replace(row, changed)
    (tmp_path / "cost_parameter.csv").write_text(text, encoding="utf-8")
    monkeypatch.setattr(contracts, "REFERENCE", tmp_path)
    with pytest.raises(ObservatoryError) as told:
        reference_table.__wrapped__("ref.cost_parameter")
    assert str(told.value) == f"cost_parameter.csv, {message}: correct it"


def test_an_estimate_is_the_same_each_time() -> None:
    figure: ModelFigure = FIGURES["fcc_2019/total"]
    assert evaluate_figure(figure) == evaluate_figure(figure)


# --- the table ------------------------------------------------------------------------------------------


def test_each_quantity_has_a_column_that_no_other_stands_in() -> None:
    """No SQL sum over a column may mix two quantities."""
    quantities = [code for code in list_codes("estimand") if code not in NO_COST]
    assert [name for name in read_contract("study.cost").columns if name in quantities] == quantities
    rows = [row_of(figure) for figure in FIGURES.values() if figure.is_cost]
    for row in rows:
        assert [name for name in quantities if row.get(name) is not None] == [row["estimand_code"]]
    assert {row["estimand_code"] for row in rows} == set(quantities)
    # No column of numbers is shared by rows of two quantities but the share by which a formula is off.
    shared = {
        each.name
        for each in read_contract("study.cost").fields
        if each.type.startswith(("decimal", "double"))
    }
    assert shared == {"deviation_pct"}
    with duckdb.connect() as door:
        door.register("cost", pl.DataFrame(rows, schema=polars_schema("study.cost")).to_arrow())
        ((found, count),) = door.execute("SELECT sum(loss.p50), count(loss) FROM cost").fetchall()
    own = [Decimal(row["loss"]["p50"]) for row in rows if row.get("loss") and row["loss"]["p50"] is not None]
    assert (found, count) == (sum(own), sum(1 for row in rows if row["estimand_code"] == "loss"))
