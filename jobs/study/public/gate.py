"""The gate: which rows leave. Nothing else makes public tables.

make_public_tables() decides by the primary rules, lets earlier figures stand where fewer than three holdings
changed, and asks the attacker. Where that finds a contribution with the variance of a series, the series
leaves without intervals. Else the smallest of the figures that reveal it is dropped that their contract lets
drop, such as one by another definition than the operators' own; without one the country that most findings
rest on, then developing or developed countries. Then the attacker is asked again. If only other areas
reveal it, nothing leaves. What earlier releases reveal by themselves is recorded, and holds nothing back.
"""

import importlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.figures.areas import COUNTRY, HALVES, REGION
from jobs.base.figures.areas import GROUP as GROUPED
from jobs.base.tables.contracts import read_contract
from jobs.base.tables.public_contracts import PublicContract, public_contract, public_tables
from jobs.base.tables.sql import parse_expression
from jobs.study.attack.known import EVERYWHERE, Finding
from jobs.study.attack.search import Attack
from jobs.study.public.cells import (
    CELL,
    DEFINITION,
    GROUP,
    HELD_SCHEMA,
    Basis,
    EarlierRelease,
    candidate_rows,
    name_cells,
    refuse_rows,
    repeat_by_area,
)
from jobs.study.public.derived import derive_columns
from jobs.study.public.intervals import choose_variances, withhold_variances
from jobs.study.public.knowledge import known_release, list_shapes, read_rows, release_numbers
from jobs.study.public.revisions import add_earlier, revise_rows
from jobs.study.public.tables import coarsen_rows
from jobs.study.public.wholes import join_blocks, name_both, name_series, name_wholes, refuse_apart

# What the gate itself makes, of all tables.
BY_GATE = {"interval", "revision"}
FINDING_COLUMNS = (
    "attacker",
    "holding",
    "respondents",
    "period_code",
    "channel_code",
    "series",
    "side",
    "cells",
)
# Kinds of areas that may be left out, in this order.
RANK = {GROUPED: 0, REGION: 1}
# The values of CELL.
CellName = tuple[str | None, ...]
FINDING_SCHEMA = dict.fromkeys(FINDING_COLUMNS, pl.String)


@dataclass(frozen=True)
class Protected:
    """Public tables after disclosure control, with what it held back.

    Attributes:
        public: the tables that leave.
        held_rows: HELD_SCHEMA's columns, which rule held which row back; series is null where a country's
            rows were held together.
        findings: FINDING_SCHEMA's columns, what the attacker found on the way. Both are restricted.
    """

    public: Mapping[str, pl.DataFrame]
    held_rows: pl.DataFrame
    findings: pl.DataFrame


REVEALED = (
    "figures of the world, regions or groups reveal what a holding contributed, and leaving out countries"
    " does not prevent it: no release is made"
)


class Unprotectable(ObservatoryError):
    """Areas alone reveal a contribution: nothing leaves.

    Attributes:
        held_rows, findings: as Protected has them, for the restricted log; the message names no cell.
    """

    exit_code = 1

    def __init__(
        self,
        says: str = REVEALED,
        held_rows: pl.DataFrame | None = None,
        findings: pl.DataFrame | None = None,
    ) -> None:
        super().__init__(says)
        self.held_rows, self.findings = held_rows, findings


def write_tables(
    passing: Mapping[str, pl.DataFrame],
    guarded: Mapping[str, PublicContract],
    earlier: Sequence[EarlierRelease],
) -> dict[str, pl.DataFrame]:
    """The protected tables as readers see them, of the rows that leave."""
    coarse = {
        contract.table: add_earlier(transform_rows(passing[name], contract), contract, earlier)
        for name, contract in guarded.items()
    }
    return {
        contract.table: derive_columns(coarse[contract.table], contract, coarse)
        for contract in guarded.values()
    }


def make_public_tables(
    basis: Basis,
    earlier: Sequence[EarlierRelease],
    periods: Sequence[str],
    p_pct: float,
    leave_out_areas: bool = False,
) -> Protected:
    """The public tables of some periods.

    Raises Unprotectable if the world, regions or the Resolution's groups alone reveal a contribution; with
    leave_out_areas the group or region with the fewest units is left out instead, but never the world.

    Args:
        earlier: in the order of release.
    """
    guarded = {
        each.protect.contributions: each for each in map(public_contract, public_tables()) if each.protect
    }
    rows = {name: candidate_rows(contract, basis, periods) for name, contract in guarded.items()}
    concerned = {period for each in rows.values() for period in each["period_code"]}
    inside = repeat_by_area(basis, sorted({*periods, *concerned}))
    held = [
        refuse_apart(refuse_rows(rows[name], inside, contract, p_pct), rows[name], inside, contract, earlier)
        for name, contract in guarded.items()
    ]
    passing = {
        name: choose_variances(
            revise_rows(rows[name].join(refusal, on=CELL, how="anti"), inside, contract, earlier),
            basis,
            contract,
            earlier,
            p_pct,
        )
        for (name, contract), refusal in zip(guarded.items(), held, strict=True)
    }
    shapes = list_shapes(guarded, [*(each.basis for each in earlier), basis])
    before = [known_release(each.basis, release_numbers(each, guarded)) for each in earlier]
    now = known_release(
        basis,
        pl.concat(
            read_rows(name_cells(transform_rows(passing[name], contract), contract), contract)
            for name, contract in guarded.items()
        ),
    )
    attack = Attack(join_blocks([*before, now], guarded), shapes, p_pct)
    found: list[Finding] = []
    while True:
        every = name_wholes(attack.find_all(), guarded)
        # What earlier releases reveal by themselves, to who bought an operator since, is out: no figure that
        # stays now prevents it.
        findings = [each for each in every if not rests_on_earlier(each, basis.release)]
        if not findings:
            found += every
            break
        found += findings
        variances = rests_on(findings, basis.release)
        if variances:
            # No interval leaves of these series.
            attack.drop_variances(basis.release, name_series(variances, guarded))
            passing = {name: withhold_variances(each, variances) for name, each in passing.items()}
            continue
        dropped = choose_dropped(findings, passing, guarded, basis.release, leave_out_areas)
        if dropped.is_empty():
            raise Unprotectable(held_rows=pl.concat(held), findings=finding_rows(found))
        attack.drop_figures(basis.release, set(name_both(dropped, passing, guarded)))
        # Without a series all rows of a table, period, channel and area.
        whole, single = dropped.filter(pl.col("series").is_null()), dropped.drop_nulls("series")
        for name in passing:
            passing[name] = passing[name].join(whole, on=GROUP, how="anti").join(single, on=CELL, how="anti")
        held.append(dropped.with_columns(rule=pl.lit("attack")).select(list(HELD_SCHEMA)))
    public = write_tables(passing, guarded, earlier)
    return Protected(
        public | unguarded_tables(basis, public, periods, earlier), pl.concat(held), finding_rows(found)
    )


def rests_on_earlier(finding: Finding, release: str) -> bool:
    """Return whether a finding follows from figures of releases before this one. One without figures rests on
    none that is known, and holds the release back."""
    return bool(finding.cells) and all(cell.release != release for cell in finding.cells)


def rests_on(findings: Sequence[Finding], release: str) -> set[tuple[str, ...]]:
    """The series of a release on whose variances findings rest."""
    return {
        (cell.table_name, cell.period_code, cell.channel_code, cell.series)
        for each in findings
        for cell in each.cells
        if cell.release == release and cell.area_code == EVERYWHERE
    }


def choose_dropped(
    findings: Sequence[Finding],
    passing: Mapping[str, pl.DataFrame],
    guarded: Mapping[str, PublicContract],
    release: str,
    leave_out_areas: bool,
) -> pl.DataFrame:
    """Choose for each finding the figure that most findings rest on, the smallest of several: CELL's columns.

    First single rows that their contract lets drop, of a country all by the same definition; then countries,
    with all their rows of a table, period and channel, series null; then developing and developed countries,
    and with leave_out_areas other groups and regions, alike. Nothing if all findings rest on others alone.
    """
    columns = (*CELL, "area_kind_code", "estimate")
    figures = {
        row[:5]: (str(row[5]), float(row[6]))
        for each in passing.values()
        for row in each.select(columns).rows()
    }
    single = {
        row
        for name, contract in guarded.items()
        if contract.protect is not None
        for row in passing[name].filter(parse_expression(contract.protect.leave_out)).select(CELL).rows()
    }
    cells = [
        [cell for each in finding.cells if each.release == release and (cell := each.name) in figures]
        for finding in findings
    ]
    steps: list[tuple[Callable[[Any], bool], bool]] = [
        (lambda cell: cell in single, True),
        (lambda cell: figures[cell][0] == COUNTRY, False),
        (lambda cell: cell[4] in HALVES, False),
        (lambda cell: leave_out_areas and figures[cell][0] in RANK, False),
    ]
    for may_go, is_single in steps:
        chosen = choose_cells(cells, figures, may_go, is_single)
        if chosen:
            dropped = pl.DataFrame(
                sorted(chosen, key=repr), schema=dict.fromkeys(CELL, pl.String), orient="row"
            )
            return add_same_definition(dropped, passing)
    return pl.DataFrame(schema=dict.fromkeys(CELL, pl.String))


def choose_cells(
    findings: Sequence[Sequence[CellName]],
    figures: Mapping[CellName, tuple[str, float]],
    may_go: Callable[[Any], bool],
    is_single: bool,
) -> set[CellName]:
    """Choose a cell for each finding of whose cells one may go, unless one is chosen already.

    Args:
        findings: the cells that each rests on.
        figures: kind of area and estimate of a cell.
        is_single: else all series of the cell's area go with it, null for them.
    """
    chosen: set[CellName] = set()
    # What most findings rest on goes first: fewer countries and areas are lost.
    shared = Counter(whole for mine in findings for whole in set(map(name_all_series, mine)))
    for mine in sorted(findings, key=lambda mine: len(set(mine))):
        candidates = [
            (
                0 if is_single else RANK.get(figures[cell][0], 0),
                0 if is_single else -shared[name_all_series(cell)],
                figures[cell][1],
                cell if is_single else name_all_series(cell),
            )
            for cell in mine
            if may_go(cell)
        ]
        if candidates and not any(each in chosen for *_, each in candidates):
            chosen.add(min(candidates, key=lambda each: (each[:3], repr(each[3])))[3])
    return chosen


def name_all_series(cell: CellName) -> CellName:
    """The name of all series of a cell's table, period, channel and area."""
    return (*cell[:3], None, cell[4])


def add_same_definition(dropped: pl.DataFrame, passing: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Dropped figures, with those of the same country by the same definition."""
    by = [*GROUP, DEFINITION]
    more = [
        rows.join(rows.join(dropped, on=CELL, how="semi").filter(area_kind_code=COUNTRY), on=by, how="semi")
        for rows in passing.values()
        if DEFINITION in rows.columns
    ]
    return pl.concat([dropped, *(rows.select(CELL) for rows in more)]).unique(maintain_order=True)


def finding_rows(findings: Sequence[Finding]) -> pl.DataFrame:
    """Findings as rows, for the restricted log."""
    rows = [
        {name: getattr(each, name) for name in FINDING_SCHEMA if name not in ("respondents", "cells")}
        | {"respondents": " ".join(each.respondents)}
        | {"cells": "; ".join(f"{cell.release} {cell.area_code} {cell.series}" for cell in each.cells)}
        for each in findings
    ]
    return pl.DataFrame(rows, schema=FINDING_SCHEMA, orient="row")


def transform_rows(rows: pl.DataFrame, contract: PublicContract, *beside: pl.DataFrame) -> pl.DataFrame:
    """Rows that leave, made coarse by transform() of the module that the contract's columns name as `made`;
    coarse alone where they name none."""
    makers = {each.by for each in contract.columns if each.way == "made"} - BY_GATE
    if not makers:
        return coarsen_rows(rows, contract)
    (maker,) = makers
    made: pl.DataFrame = importlib.import_module(f"{__package__}.{maker}").transform(rows, contract, *beside)
    return made


def unguarded_tables(
    basis: Basis,
    public: Mapping[str, pl.DataFrame],
    periods: Sequence[str],
    earlier: Sequence[EarlierRelease],
) -> dict[str, pl.DataFrame]:
    """The public tables that the attack does not read: those that no respondent is behind, that take their
    figures from another one, or whose source marks the rows that may leave."""
    found = {}
    for contract in map(public_contract, public_tables()):
        if contract.protect is not None:
            continue
        rows = basis.tables[contract.source].filter(parse_expression(contract.rows))
        # Published models have years of their own.
        is_of_study = "period_code" in read_contract(contract.source).partition_by
        if is_of_study:
            rows = rows.filter(pl.col("period_code").is_in(list(periods)))
        made = transform_rows(rows, contract, *(public[each] for each in contract.beside))
        if is_of_study and not contract.beside:
            made = published_once(made, contract, periods, earlier)
        found[contract.table] = made.sort(contract.key)
    return found


def published_once(
    rows: pl.DataFrame, contract: PublicContract, periods: Sequence[str], earlier: Sequence[EarlierRelease]
) -> pl.DataFrame:
    """Rows, but of a period that was published before those of its first release: what changes would reveal
    what a respondent gave that came late."""
    for each in reversed(earlier):
        before = each.public.get(contract.table, rows.clear())
        before = before.filter(pl.col("period_code").is_in(list(periods)))
        rows = pl.concat([before, rows.join(before, on="period_code", how="anti")])
    return rows
