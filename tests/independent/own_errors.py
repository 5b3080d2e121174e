"""Releases with the ends and bands of the study's own errors, as they once left: what an interval reveals.

The upper end on a grid of twenty steps in each power of ten, outward; the lower end estimate²/upper end.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from tests.independent.attacker import AREAS, SERIES, Release

STEPS = (1.00, 1.12, 1.25, 1.40, 1.60, 1.80, 2.00, 2.24, 2.50, 2.80,
         3.15, 3.55, 4.00, 4.50, 5.00, 5.60, 6.30, 7.10, 8.00, 9.00)  # fmt: skip
PUBLIC_TERMS = ("area_factor", "rates_variance", "rates_freedom")


def on_grid(value: float, is_up: bool) -> float:
    """The next number of the grid that is not below the value, or not above it."""
    power = math.floor(math.log10(value))
    numbers = [step * 10.0**at for at in (power - 1, power, power + 1) for step in STEPS]
    return (
        min(n for n in numbers if n >= value * (1 - 1e-12))
        if is_up
        else max(n for n in numbers if n <= value)
    )


def with_own_errors(release: Release, study: Mapping[str, pl.DataFrame]) -> Release:
    """The release with the study's own ends and bands in place of those of public terms.

    Args:
        study: its tables.
    """
    published = {code: name for name, code in release.known.country.select("m49", "iso3").rows()}
    published |= {code: name for name, code in AREAS.items()}
    tables = {}
    for table, rows in release.tables.items():
        if table not in SERIES or "estimate_high" not in rows.columns:
            continue
        key = ["period_code", "channel_code", *SERIES[table]]
        own = {
            (area, *of): (value, high, band)
            for area, value, high, band, *of in study[f"study.{table}"]
            .select("area_code", "estimate", "estimate_high", "cv_band_code", *key)
            .rows()
        }
        made = []
        for row in rows.to_dicts():
            name = row["area_code"].removesuffix("_STUDY").removeprefix("ITU_")
            codes = [code for code, other in published.items() if name in (code, other)] or [name]
            value, high, band = own[codes[0], *(row[each] for each in key)]
            has_ends = bool(high) and value > 0
            made.append(
                {column: cell for column, cell in row.items() if column not in PUBLIC_TERMS}
                | {"estimate_high": f"{on_grid(float(high), True)}" if has_ends else None}
                | {"estimate_low": f"{on_grid(float(value) ** 2 / float(high), False)}" if has_ends else None}
                | {"cv_band_code": band}
            )
        tables[table] = pl.DataFrame(made, infer_schema_length=None)
    return replace(release, tables=dict(release.tables) | tables)
