"""The figures of a release in the form that the attack takes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from jobs.base.costs.prices import base_year
from jobs.base.tables import public_contracts as contracts
from jobs.base.tables.contracts import list_codes
from jobs.base.tables.public_contracts import CLASSES, PublicContract
from jobs.base.tables.series import Shape
from jobs.base.tables.sql import parse_expression
from jobs.study.attack.coefficients import World
from jobs.study.attack.known import ESTIMATE, EVERYWHERE, PUBLISHED, SILENT_PCT, VARIANCE, KnownRelease
from jobs.study.public.cells import (
    CONTRIBUTION,
    DEFINITION,
    PRICES,
    SERIES,
    WORLD,
    Basis,
    EarlierRelease,
    name_cells,
)
from jobs.study.public.nesting import find_nested


def shape_of(contract: PublicContract) -> Shape:
    """Return the links between series by the contract alone."""
    assert contract.protect is not None
    return contract.protect.shape


def list_shapes(guarded: Mapping[str, PublicContract], bases: Sequence[Basis]) -> dict[str, Shape]:
    """List the links between the series of each table of contributions: as contracts state them, and which of
    the definitions that contributions are counted by are within others."""
    shapes = {name: shape_of(contract) for name, contract in guarded.items()}
    places = {
        name: shape.columns.index(DEFINITION) for name, shape in shapes.items() if DEFINITION in shape.columns
    }
    codes = {
        series.split("/")[places[name]]
        for basis in bases
        for name, series in basis.tables[CONTRIBUTION].select("table_name", "series").unique().rows()
        if name in places
    }
    nested = find_nested(frozenset(codes))
    shapes |= {name: replace(shapes[name], within={DEFINITION: nested}) for name in places}
    for name, contract in guarded.items():
        assert contract.protect is not None
        if contract.protect.volumes is not None:
            volumes = shape_of(contracts.public_contract(contract.protect.volumes))
            shapes[name] = replace(shapes[name], volumes=replace(volumes, within=shapes[name].within))
    return shapes


def known_release(basis: Basis, published_rows: pl.DataFrame) -> KnownRelease:
    known = {name.removeprefix("ref."): basis.tables[name] for name in WORLD}
    world = World(**known, prices=list_prices(basis))
    return KnownRelease(basis.release, world, basis.tables[CONTRIBUTION], published_rows)


def list_prices(basis: Basis) -> dict[str, float]:
    """US dollars for one international dollar of the base year, by country; none in releases that kept no
    price levels."""
    if PRICES not in basis.tables:
        return {}
    levels = basis.tables[PRICES].filter(pl.col("price_year") == base_year())
    rates = (pl.col(name).cast(pl.Float64) for name in ("ppp_rate", "market_rate"))
    return {country: ppp / market for country, ppp, market in levels.select("country_code", *rates).rows()}


def release_numbers(each: EarlierRelease, guarded: Mapping[str, PublicContract]) -> pl.DataFrame:
    """Return the published numbers of an earlier release."""
    return pl.concat(
        read_rows(name_cells(each.public[contract.table], contract), contract)
        for contract in guarded.values()
        if contract.table in each.public
    )


def read_rows(rows: pl.DataFrame, contract: PublicContract) -> pl.DataFrame:
    """Public rows as the attacker reads them: their figures, the classes of the effect of non-response, and
    the variance of each series."""
    assert contract.protect is not None
    own = rows.filter(pl.col("stands_from").is_null())
    figure = next(each for each in contract.columns if each.field.name == contract.protect.figure)
    value = pl.col(contract.protect.figure).cast(pl.Float64)
    cell = own.with_columns(value=value, digits=parse_expression(figure.by).cast(pl.Int64))
    none = pl.lit(None, pl.Float64)
    parts = [cell.with_columns(form=pl.lit(ESTIMATE), low=none, high=none)]
    for each in contract.columns:
        if each.by == "silent_pct":
            parts.append(cell.with_columns(form=pl.lit(SILENT_PCT), **class_edges(each.field.name, each.by)))
    if contracts.VARIANCE in contract.schema:
        of_series = own.unique(SERIES, maintain_order=True).drop_nulls(contracts.VARIANCE)
        parts.append(
            of_series.with_columns(
                form=pl.lit(VARIANCE),
                area_code=pl.lit(EVERYWHERE),
                value=pl.col(contracts.VARIANCE),
                digits=none,
                low=none,
                high=none,
            )
        )
    return pl.concat(
        part.select(pl.col(name).cast(kind) for name, kind in PUBLISHED.items()) for part in parts
    )


def class_edges(column: str, number: str) -> dict[str, pl.Expr]:
    """The edges of a class, null where it has none. An unknown class raises."""
    codelist, steps = CLASSES[number]
    names = list_codes(codelist)
    low = dict(zip(names, (None, *map(float, steps)), strict=True))
    high = dict(zip(names, (*map(float, steps), None), strict=True))
    return {
        end: pl.col(column).replace_strict({**of, None: None}, return_dtype=pl.Float64)
        for end, of in (("low", low), ("high", high))
    }
