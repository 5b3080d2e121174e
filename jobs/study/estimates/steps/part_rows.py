"""Rows of the tables of parts: estimates of each area's parts beside their whole. How volumes are split, and
what parts add up to: jobs/study/estimates/steps/parts.py."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from jobs.base.core.column_types import ColumnTypes
from jobs.base.figures.areas import COUNTRY
from jobs.base.stats.estimation import Array
from jobs.base.stats.intervals import ONE_RESPONDENT
from jobs.base.tables.contracts import polars_schema
from jobs.base.tables.series import ALL, PARTS
from jobs.study.estimates.respondent_figure import CELL
from jobs.study.estimates.spam_volume import CORRECTED, labelled_definitions
from jobs.study.estimates.steps.area_rows import estimate_columns
from jobs.study.estimates.steps.parts import PartCell, Parted, list_cells, sum_of
from jobs.study.estimates.steps.rows import OWNERS
from jobs.study.estimates.steps.sample import Reference, Sample, sample_of, select_areas

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
        columns: dict[str, list[object]] = {}
        for each in cell_columns(sample, cell, of.by):
            for name, values in each.items():
                columns.setdefault(name, []).extend(values)
        codes = {name: pl.lit(code) for name, code in (key | {"period_code": period}).items()}
        found.append(typed_columns(columns, schema).with_columns(**codes))
    if not found:
        return pl.DataFrame(schema=schema)
    return join_wholes(pl.concat(found), spam_volume, of.by, of.table)


def cell_columns(sample: Sample, cell: PartCell, by: Sequence[str]) -> Iterator[dict[str, list[object]]]:
    """The rows of a cell as columns, those of each area and batch of quantities in turn."""
    answering = sample.weighted.operators.is_respondent
    counted = [name for name in cell.values if name != CORRECTED]
    corrected = [name for name in cell.values if name == CORRECTED]
    for names in filter(None, (counted, corrected)):
        y = np.concatenate([cell.values[name] for name in names], axis=-1)
        least = np.concatenate([cell.least[name] for name in names], axis=-1)
        codes = [(quantity, *part) for quantity in names for part in cell.names]
        own = y[0] if y.ndim == 3 else y
        freedom = cell.freedom if names == corrected else None
        for place, columns in enumerate(estimate_columns(sample, y, least, freedom)):
            inside = sample.member[place, answering]
            owners = count_owners(own[inside], sample.holding[answering][inside])
            if names == corrected:
                # Of no part is anything known without audits.
                columns["reported"] = [0.0] * len(codes)
            columns["part_holding_count"] = owners.tolist()
            seeing = (inside[:, None] & cell.sees).sum(axis=0).tolist()
            columns["seeing_count"] = [seeing[seen_by(part)] for _, *part in codes]
            for name, values in zip(("quantity_code", *by), zip(*codes, strict=True), strict=True):
                columns[name] = list(values)
            yield columns


def seen_by(part: Sequence[str]) -> int:
    """The column that a respondent has to place units by, to have seen what a row is of: the last that the
    row names, at least the second where there is one."""
    named = [column for column, code in enumerate(part) if code not in (ALL, PARTS)]
    return max([*named, min(1, len(part) - 1)])


def count_owners(own: Array, holding: Array) -> Array:
    """Count the owners that have any of each measure. own: respondents x measures."""
    names, place = np.unique(holding.astype(str), return_inverse=True)
    given = np.zeros((len(names), own.shape[1]))
    np.add.at(given, place, own)
    found: Array = (given > 0).sum(axis=0)
    return found


def typed_columns(columns: dict[str, list[object]], schema: ColumnTypes) -> pl.DataFrame:
    """Columns as the contract types them; those that it lacks are left out. Decimals are rounded."""
    found = {}
    for name, values in columns.items():
        kind = schema.get(name)
        if isinstance(kind, pl.Decimal):
            found[name] = pl.Series(name, values, dtype=pl.Float64).round(kind.scale).cast(kind)
        elif kind is not None:
            found[name] = pl.Series(name, values, dtype=kind)
    return pl.DataFrame(found)


def join_wholes(
    parts: pl.DataFrame, spam_volume: pl.DataFrame, by: Sequence[str], table: str
) -> pl.DataFrame:
    """Parts that an area has any of, with the row of their whole, and with part_factor."""
    whose = ["period_code", "area_code", *CELL, "quantity_code"]
    is_sum = pl.all_horizontal(pl.col(name) == code for name, code in zip(by, sum_of(len(by)), strict=True))
    together = parts.filter(is_sum).select(
        *whose,
        "seeing_count",
        together="estimate",
        with_parts="respondent_count",
        owners_with_parts="holding_count",
    )
    has_others = pl.col("respondent_count") > pl.col("with_parts")
    others = pl.max_horizontal(pl.col("holding_count") - pl.col("owners_with_parts"), 1)
    wholes = (
        spam_volume.filter(pl.col("estimate").is_not_null())
        .join(together, on=whose)
        .with_columns(
            *(pl.lit(ALL).alias(name) for name in by),
            part_holding_count=pl.col("holding_count"),
            other_holding_count=pl.when(has_others).then(others).otherwise(0),
            part_factor=pl.when(pl.col("together") > 0).then(
                (pl.col("estimate").cast(pl.Float64) / pl.col("together").cast(pl.Float64)).round(10)
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


def fill_columns(rows: pl.DataFrame, table: str) -> pl.DataFrame:
    """Rows with the columns of the table's contract, null where they have none."""
    return rows.select(
        (pl.col(name) if name in rows.columns else pl.lit(None).alias(name)).cast(kind)
        for name, kind in polars_schema(table).items()
    )
