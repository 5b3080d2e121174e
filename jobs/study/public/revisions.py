"""Revisions: published figures that may change, and those that stay as published."""

from collections.abc import Sequence

import polars as pl

from jobs.base.tables.public_contracts import PublicContract
from jobs.study.disclosure import rules
from jobs.study.public.cells import CELL, EarlierRelease, name_cells, repeat_by_area

NEW, SAME, REVISED, STANDS = "NEW", "SAME", "REVISED", "STANDS"


def revise_rows(
    rows: pl.DataFrame, inside: pl.DataFrame, contract: PublicContract, earlier: Sequence[EarlierRelease]
) -> pl.DataFrame:
    """The rows with what the revision rule says: revision_code, and stands_from where an earlier figure
    stands.

    silent_pct is added, too: the share of the estimate that stands for silent operators.
    """
    assert contract.protect is not None
    own = inside.filter(pl.col("table_name") == contract.protect.contributions)
    totals = own.group_by(CELL).agg(given=pl.col("contribution").sum())
    figure = pl.col(contract.protect.figure).cast(pl.Float64)
    rows = rows.join(totals, on=CELL, how="left").with_columns(
        silent_pct=pl.when(figure > 0).then(100 * (1 - pl.col("given") / figure)).otherwise(0.0).clip(0, 100)
    )
    origin = find_origins(contract, earlier)
    rows = rows.join(origin, on=CELL, how="left")
    parts = []
    for each in earlier:
        mine = rows.filter(pl.col("origin") == each.basis.release)
        if mine.is_empty():
            continue
        before = repeat_by_area(each.basis, sorted(set(mine["period_code"])))
        changes = rules.count_changed(
            before.filter(pl.col("table_name") == contract.protect.contributions), own, CELL
        )
        parts.append(mine.join(changes, on=CELL, how="left").with_columns(pl.col("changed").fill_null(0)))
    fresh = rows.filter(pl.col("origin").is_null()).with_columns(changed=pl.lit(0, pl.UInt32))
    every = pl.concat([fresh, *(part.with_columns(pl.col("changed").cast(pl.UInt32)) for part in parts)])
    stands = pl.col("origin").is_not_null() & ~rules.may_change(pl.col("changed"))
    return every.with_columns(
        revision_code=pl.when(pl.col("origin").is_null()).then(pl.lit(NEW)).when(stands).then(pl.lit(STANDS)),
        stands_from=pl.when(stands).then(pl.col("origin")),
    )


def find_origins(contract: PublicContract, earlier: Sequence[EarlierRelease]) -> pl.DataFrame:
    """Find, for each figure published before, the release that it comes from: CELL and origin."""
    found = pl.DataFrame(schema={**dict.fromkeys(CELL, pl.String), "origin": pl.String})
    for each in earlier:
        if contract.table in each.public:
            now = name_cells(each.public[contract.table], contract).select(
                *CELL, origin=pl.coalesce("stands_from", pl.lit(each.basis.release))
            )
            found = pl.concat([found.join(now, on=CELL, how="anti"), now])
    return found


def latest_published_rows(contract: PublicContract, earlier: Sequence[EarlierRelease]) -> pl.DataFrame:
    """The rows that were published last of each figure, with the release that each comes from."""
    found = pl.DataFrame(schema={**contract.schema, "origin": pl.String})
    for each in earlier:
        if contract.table in each.public:
            rows = each.public[contract.table]
            now = rows.with_columns(origin=pl.coalesce("stands_from", pl.lit(each.basis.release)))
            found = pl.concat([found.join(now, on=contract.key, how="anti"), now.select(found.columns)])
    return found


def add_earlier(
    rows: pl.DataFrame, contract: PublicContract, earlier: Sequence[EarlierRelease]
) -> pl.DataFrame:
    """Public rows with the earlier ones that stand, and what changed of the others."""
    assert contract.protect is not None
    figure = contract.protect.figure
    before = latest_published_rows(contract, earlier)
    stood = before.join(rows.filter(pl.col("revision_code") == STANDS), on=contract.key, how="semi")
    stood = stood.with_columns(revision_code=pl.lit(STANDS), stands_from=pl.col("origin")).drop("origin")
    own = rows.filter(pl.col("revision_code").ne_missing(STANDS)).join(
        before.select(*contract.key, before=figure), on=contract.key, how="left"
    )
    is_new, is_same = pl.col("before").is_null(), pl.col("before") == pl.col(figure)
    said = pl.when(is_new).then(pl.lit(NEW)).when(is_same).then(pl.lit(SAME)).otherwise(pl.lit(REVISED))
    changed = own.with_columns(revision_code=said).drop("before")
    return pl.concat([changed.select(rows.columns), stood.select(rows.columns)]).sort(contract.key)
