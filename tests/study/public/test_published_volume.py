"""Published volumes of others beside the study's public ones."""

from decimal import Decimal

import polars as pl

from jobs.base.tables.contracts import rows_frame
from jobs.base.tables.public_contracts import public_contract
from jobs.study.public.published_volume import transform

COMMON = {"area_code": "WORLD", "channel_code": "EMAIL"}
VOLUME = COMMON | {
    "period_code": "2026-Q4", "definition_code": "OPERATOR", "unit_code": "attempted",
    "estimate_low": Decimal(160_000_000_000), "estimate_high": Decimal(250_000_000_000),
    "area_kind_code": "world", "population_pct": 100,
}  # fmt: skip


def test_own_figures_have_three_digits() -> None:
    volumes = pl.DataFrame(
        [VOLUME | {"quantity_code": "spam_certain", "estimate": Decimal(209_000_000_000)},
         VOLUME | {"quantity_code": "units", "estimate": Decimal(331_000_000_000)}]
    )  # fmt: skip
    given = [COMMON | {"figure_code": kind, "comparison_code": kind} for kind in ("share", "per_day")]
    rows = rows_frame(given, "study.published_volume")
    made = transform(rows, public_contract("public.published_volume"), volumes)
    daily, share = made.sort("figure_code").to_dicts()
    assert share["own_value"] == Decimal("63.1") and share["own_low"] is None
    assert daily["own_value"] == 2_270_000_000
    assert daily["own_low"] <= 160_000_000_000 / 92 and daily["own_high"] >= 250_000_000_000 / 92
