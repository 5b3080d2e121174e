"""Published amounts in prices of another year and another currency."""

import io

import polars as pl
import pytest
from rich.console import Console

from jobs.base.core.errors import ObservatoryError
from jobs.base.costs.drawing import draw_list, restate_figure
from jobs.base.costs.model_figures import explain_published
from jobs.base.costs.price_year import PriceBasis, read_basis, restate_explained
from jobs.base.costs.sums import reason_against_adding, sum_figures
from jobs.base.tables.contracts import reference_table
from jobs.cli.cost import published_rows
from tests.support.in_process import Run, cost_command

INDEX = {
    (row["currency_code"], row["price_year"]): row for row in reference_table("ref.price_index").to_dicts()
}


@pytest.fixture
def observatory(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    folder = tmp_path_factory.mktemp("no_settings") / "observatory.toml"
    return cost_command(folder, monkeypatch, capsys, ("list", "--help"))


def test_prices_come_before_the_currency() -> None:
    """96.9 bn yen of 2007: consumer prices of Japan to 2025, then dollars at the mean rate of 2025."""
    factor = PriceBasis(2025, "USD").factor("JPY", 2007)
    prices = INDEX["JPY", 2025]["consumer_index"] / INDEX["JPY", 2007]["consumer_index"]
    assert factor == pytest.approx(prices * INDEX["JPY", 2025]["usd_per_unit"])
    # At the rate of 2007 and by US prices it would be another figure.
    other = INDEX["JPY", 2007]["usd_per_unit"] * 100 / INDEX["USD", 2007]["consumer_index"]
    assert abs(factor / other - 1) > 0.25
    assert 96.9e9 * factor == pytest.approx(0.7597e9, rel=0.001)


def test_years_and_currencies_can_be_asked_for_alone() -> None:
    prices = INDEX["EUR", 2025]["consumer_index"] / INDEX["EUR", 2004]["consumer_index"]
    assert PriceBasis(2025, None).factor("EUR", 2004) == pytest.approx(prices)
    assert PriceBasis(None, "USD").factor("EUR", 2004) == pytest.approx(INDEX["EUR", 2004]["usd_per_unit"])
    assert PriceBasis(None, "EUR").factor("EUR", 2004) == PriceBasis(2004, "EUR").factor("EUR", 2004) == 1
    there = PriceBasis(2025, "EUR").factor("USD", 2010)
    back = PriceBasis(2010, "USD").factor("EUR", 2025)
    assert there is not None and back is not None and there * back != pytest.approx(1, abs=0.05)


def test_what_has_no_index_is_none_and_is_named(observatory: Run) -> None:
    assert PriceBasis(2010, "USD").factor("GBP", 2024) is None
    assert PriceBasis(2025, "USD").factor("XTS", 2024) is None
    shown = " ".join(observatory("list", "--prices", "2010", "--currency", "USD").out.split())
    assert "No index or rate: " in shown and "(GBP of 2024)" in shown


def test_a_list_in_prices_of_2025() -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    draw_list(published_rows(), console, PriceBasis(2025, "USD"))
    out = console.export_text()
    assert max(map(len, out.splitlines())) <= 80
    shown = " ".join(out.split())
    # 21.8 M euros of 2024, of which prices rose by 128.75 over 126.07.
    assert "comreg_2024/investment" in shown and "25.18 M" in shown
    assert "USD of 2025 over seven years" in shown
    assert "No index or rate" not in shown, "every published amount has its index"
    assert "quantities that are no money are left out" in shown
    # 873.6 and 874 dollars of 2003, times 321.943 over 184.0.
    row = next(line for line in out.splitlines() if line.startswith("nucleus_2003/per_worker"))
    assert row.split()[1:3] == ["1,528.5", "1,529.2"]


def test_amounts_of_two_years_add_up_in_prices_of_one(observatory: Run) -> None:
    """Euros of 2008 for Germany and of 2022 for Ireland."""
    names = ("caliendo_2012/cost_year", "comreg_2024/harm")
    before, now = (
        [restate(explain_published(name)) for name in names]
        for restate in (lambda each: each, lambda each: restate_explained(each, 2025))
    )
    assert "--prices YEAR brings both to one" in str(reason_against_adding(*before))
    for old, new in zip(before, now, strict=True):
        rise = (
            INDEX["EUR", 2025]["consumer_index"] / INDEX["EUR", int(old.scope.period_code)]["consumer_index"]
        )
        assert old.points is not None and new.points == pytest.approx([rise * each for each in old.points])
        assert old.central is not None and new.central == pytest.approx(rise * old.central)
    total = sum_figures(now).points[1]
    assert total == pytest.approx(sum(each.points[1] for each in now if each.points), rel=0.02)
    said = " ".join(observatory("sum", *names, "--prices", "2025").out.split())
    assert said.startswith("Simulated as one total") and "EUR" in said


def test_what_is_no_published_money_or_has_no_index_is_not_restated() -> None:
    with pytest.raises(ObservatoryError, match="restates published amounts of money"):
        restate_explained(explain_published("nucleus_2004/time_share"), 2025)
    with pytest.raises(ObservatoryError, match="has no prices of EUR in 2008 or in 1999"):
        restate_explained(explain_published("caliendo_2012/cost_year"), 1999)


def test_years_and_currencies_without_rows_are_refused() -> None:
    assert read_basis(None, None) is None
    with pytest.raises(ObservatoryError, match="--prices 1850: ref.price_index has years from 1999 to 2025"):
        read_basis(1850, None)
    with pytest.raises(ObservatoryError, match="--currency USB: .* did you mean 'USD'"):
        read_basis(None, "USB")


def test_a_model_is_deflated_from_the_year_of_its_data() -> None:
    """Rao and Reiley published in 2012 what spam cost in 2010; the index rose by 5.3% between the two."""
    figures = {each.name: each for rows in published_rows().values() for each in rows}
    for name, printed in (("total", 20e9), ("user_cost", 14e9)):
        restated = restate_figure(figures[f"rao_reiley_2012/{name}"], PriceBasis(2025, "USD"))
        prices = INDEX["USD", 2025]["consumer_index"] / INDEX["USD", 2010]["consumer_index"]
        assert restated is not None and restated.printed == pytest.approx(printed * prices)
    assert INDEX["USD", 2012]["consumer_index"] / INDEX["USD", 2010]["consumer_index"] == pytest.approx(
        1.053, abs=0.001
    )
    # The hour is theirs, and of the same year.
    row = reference_table("ref.cost_parameter").row(
        by_predicate=pl.col("parameter_code") == "user_hour_value", named=True
    )
    assert (row["central"], row["price_year"]) == (25, 2010)
