import polars as pl
import pytest

from jobs.base.figures.own_figures import own_figures


@pytest.mark.parametrize(("population_pct", "count"), [(90.0, 2), (89.99, 0), (None, 0)])
def test_figures_of_a_part_stand_beside_no_total(population_pct: float | None, count: int) -> None:
    row = {
        "period_code": "2026-Q4", "area_code": "WORLD", "area_kind_code": "world", "channel_code": "EMAIL",
        "unit_code": "attempted", "definition_code": "OPERATOR", "quantity_code": "spam_certain",
        "estimate": 920.0, "estimate_low": 900.0, "estimate_high": 940.0, "population_pct": population_pct,
    }  # fmt: skip
    found = own_figures(pl.DataFrame([row], schema_overrides={"population_pct": pl.Float64}))
    assert found.height == count
    # A country is never a part of itself, whatever its row says.
    country = row | {"area_code": "FJI", "area_kind_code": "country"}
    assert own_figures(pl.DataFrame([country], schema_overrides={"population_pct": pl.Float64})).height == 2
