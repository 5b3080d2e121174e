"""Rows of the tables of parts: estimates of each area's parts beside their whole. How volumes are split, and
what parts add up to: jobs/study/estimates/steps/volume_parts.py."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from jobs.base.figures.areas import COUNTRY
from jobs.base.stats.estimation import Array
from jobs.base.stats.intervals import ONE_RESPONDENT
from jobs.base.tables.contracts import polars_schema
from jobs.base.tables.series import ALL, PARTS
from jobs.study.estimates.respondent_figure import CELL
from jobs.study.estimates.spam_volume import CORRECTED, labelled_definitions
from jobs.study.estimates.steps.area_rows import estimate_areas
from jobs.study.estimates.steps.rows import OWNERS, fill_columns, type_columns
from jobs.study.estimates.steps.sample import Reference, Sample, sample_of, select_areas
from jobs.study.estimates.steps.volume_parts import PartCell, Parted, list_cells, sum_of

# The band of a part that fewer than three holdings had any of.
FEW_HOLDINGS = "few_holdings"


def estimate_parts(
    given: Parted, spam_volume: pl.DataFrame, definition: pl.DataFrame, reference: Reference
) -> pl.DataFrame:
    """The rows of a table of parts, with PARTS and ALL for each area, channel, unit, definition and quantity.

    Left out are parts that no respondent of an area had any of.
    """
    of = given.breakdown
    schema = polars_schema(of.table)
    found = []
    for key, period, cell in list_cells(given, labelled_definitions(definition), of.quantities):
        sample, _ = sample_of(reference, cell.people, key["channel_code"], period, tuple(key.values()))
        if not of.countries:
            sample = select_areas(sample, [area.code for area in sample.areas if area.kind != COUNTRY])
        codes = {name: pl.lit(code) for name, code in (key | {"period_code": period}).items()}
        found += [
            type_columns(each.with_columns(**codes), of.table) for each in cell_rows(sample, cell, of.by)
        ]
    if not found:
        return pl.DataFrame(schema=schema)
    return join_wholes(pl.concat(found), spam_volume, of.by, of.table)


def cell_rows(sample: Sample, cell: PartCell, by: Sequence[str]) -> Iterator[pl.DataFrame]:
    """The rows of a cell, those of what was counted and those of what was corrected."""
    answering = sample.weighted.operators.is_respondent
    inside = sample.member[:, answering]
    counted = [name for name in cell.values if name != CORRECTED]
    corrected = [name for name in cell.values if name == CORRECTED]
    for names in filter(None, (counted, corrected)):
        y = np.concatenate([cell.values[name] for name in names], axis=-1)
        least = np.concatenate([cell.least[name] for name in names], axis=-1)
        codes = [(quantity, *part) for quantity in names for part in cell.names]
        own = y[0] if y.ndim == 3 else y
        rows = estimate_areas(sample, y, least, cell.freedom if names == corrected else None)
        owners = np.array([count_owners(own[mine], sample.holding[answering][mine]) for mine in inside])
        seeing = inside.astype(int) @ cell.sees[:, [seen_by(part) for _, *part in codes]]
        of_measure = {
            name: np.tile(np.array(values, dtype=object), len(inside))
            for name, values in zip(("quantity_code", *by), zip(*codes, strict=True), strict=True)
        }
        beside = {"part_holding_count": owners.ravel(), "seeing_count": seeing.ravel()} | of_measure
        rows = rows.with_columns(pl.Series(name, values) for name, values in beside.items())
        # Of no corrected part is anything known without audits.
        yield rows.with_columns(reported=pl.lit(0.0)) if names == corrected else rows


def seen_by(part: Sequence[str]) -> int:
    """The column that a respondent has to place units by, to have seen what a row is of: the last that the
    row names, at least the second where there is one."""
    named = [column for column, code in enumerate(part) if code not in (ALL, PARTS)]
    return max([*named, min(1, len(part) - 1)])


def count_owners(own: Array, holding: Array) -> Array:
    """Count the owners that have any of each measure.

    Args:
        own: respondents x measures.
    """
    names, place = np.unique(holding.astype(str), return_inverse=True)
    given = np.zeros((len(names), own.shape[1]))
    np.add.at(given, place, own)
    found: Array = (given > 0).sum(axis=0)
    return found


def join_wholes(
    parts: pl.DataFrame, spam_volume: pl.DataFrame, by: Sequence[str], table: str
) -> pl.DataFrame:
    """Parts that an area has any of, with the row of their whole, and with part_factor."""
    whose = ["period_code", "area_code", *CELL, "quantity_code"]
    is_sum = pl.all_horizontal(pl.col(name) == code for name, code in zip(by, sum_of(len(by)), strict=True))
    sums = parts.filter(is_sum).select(
        *whose,
        "seeing_count",
        parts_estimate="estimate",
        with_parts="respondent_count",
        owners_with_parts="holding_count",
    )
    has_others = pl.col("respondent_count") > pl.col("with_parts")
    others = pl.max_horizontal(pl.col("holding_count") - pl.col("owners_with_parts"), 1)
    wholes = (
        spam_volume.filter(pl.col("estimate").is_not_null())
        .join(sums, on=whose)
        .with_columns(
            *(pl.lit(ALL).alias(name) for name in by),
            part_holding_count=pl.col("holding_count"),
            other_holding_count=pl.when(has_others).then(others).otherwise(0),
            part_factor=pl.when(pl.col("parts_estimate") > 0).then(
                (pl.col("estimate").cast(pl.Float64) / pl.col("parts_estimate").cast(pl.Float64)).round(10)
            ),
        )
    )
    factors = wholes.select(*whose, "part_factor", "other_holding_count")
    few = pl.col("part_holding_count") < OWNERS
    is_alone = pl.col("cv_band_code") == ONE_RESPONDENT
    own = (
        parts.filter(is_sum | (pl.col("estimate") > 0), pl.col("estimate").is_not_null())
        .join(factors, on=whose)
        .with_columns(
            conf_status_code=pl.when(few).then(pl.lit("C")).otherwise("conf_status_code"),
            cv_band_code=pl.when(few & ~is_alone).then(pl.lit(FEW_HOLDINGS)).otherwise("cv_band_code"),
            obs_status_code=pl.when(few).then(pl.lit("U")).otherwise("obs_status_code"),
        )
    )
    return pl.concat([fill_columns(each, table) for each in (own, wholes)])
