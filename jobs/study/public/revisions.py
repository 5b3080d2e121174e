"""Which figures that were published before may change, and which stay as published."""

from collections.abc import Sequence

import polars as pl

from jobs.base.tables.public_contracts import PublicContract
from jobs.study.disclosure import rules
from jobs.study.public.cells import CELL, Released, in_areas, name_cells

NEW, SAME, REVISED, STANDS = "NEW", "SAME", "REVISED", "STANDS"


def revise_rows(
    rows: pl.DataFrame, inside: pl.DataFrame, about: PublicContract, earlier: Sequence[Released]
) -> pl.DataFrame:
    """The rows with what the revision rule says: revision_code, and stands_from where an earlier figure
    stands.

    silent_pct is added, too: the share of the estimate that stands for silent operators.
    """
    assert about.protect is not None
    own = inside.filter(pl.col("table_name") == about.protect.contributions)
    totals = own.group_by(CELL).agg(given=pl.col("contribution").sum())
    figure = pl.col(about.protect.figure).cast(pl.Float64)
    rows = rows.join(totals, on=CELL, how="left").with_columns(
        silent_pct=pl.when(figure > 0).then(100 * (1 - pl.col("given") / figure)).otherwise(0.0).clip(0, 100)
    )
    origin = find_origins(about, earlier)
    rows = rows.join(origin, on=CELL, how="left")
    parts = []
    for each in earlier:
        mine = rows.filter(pl.col("origin") == each.basis.release)
        if mine.is_empty():
            continue
        before = in_areas(each.basis, sorted(set(mine["period_code"])))
        changes = rules.count_changed(
            before.filter(pl.col("table_name") == about.protect.contributions), own, CELL
        )
        parts.append(mine.join(changes, on=CELL, how="left").with_columns(pl.col("changed").fill_null(0)))
    fresh = rows.filter(pl.col("origin").is_null()).with_columns(changed=pl.lit(0, pl.UInt32))
    every = pl.concat([fresh, *(part.with_columns(pl.col("changed").cast(pl.UInt32)) for part in parts)])
    stands = pl.col("origin").is_not_null() & ~rules.may_change(pl.col("changed"))
    return every.with_columns(
        revision_code=pl.when(pl.col("origin").is_null()).then(pl.lit(NEW)).when(stands).then(pl.lit(STANDS)),
        stands_from=pl.when(stands).then(pl.col("origin")),
    )


def find_origins(about: PublicContract, earlier: Sequence[Released]) -> pl.DataFrame:
    """Find, for each figure published before, the release that it comes from: CELL and origin."""
    found = pl.DataFrame(schema={**dict.fromkeys(CELL, pl.String), "origin": pl.String})
    for each in earlier:
        if about.table in each.public:
            now = name_cells(each.public[about.table], about).select(
                *CELL, origin=pl.coalesce("stands_from", pl.lit(each.basis.release))
            )
            found = pl.concat([found.join(now, on=CELL, how="anti"), now])
    return found


def standing_rows(about: PublicContract, earlier: Sequence[Released]) -> pl.DataFrame:
    """The rows that were published last of each figure, with the release that each comes from."""
    found = pl.DataFrame(schema={**about.schema, "origin": pl.String})
    for each in earlier:
        if about.table in each.public:
            rows = each.public[about.table]
            now = rows.with_columns(origin=pl.coalesce("stands_from", pl.lit(each.basis.release)))
            found = pl.concat([found.join(now, on=about.key, how="anti"), now.select(found.columns)])
    return found


def with_earlier(rows: pl.DataFrame, about: PublicContract, earlier: Sequence[Released]) -> pl.DataFrame:
    """Public rows with the earlier ones that stand, and what changed of the others."""
    assert about.protect is not None
    figure = about.protect.figure
    before = standing_rows(about, earlier)
    stood = before.join(rows.filter(pl.col("revision_code") == STANDS), on=about.key, how="semi")
    stood = stood.with_columns(revision_code=pl.lit(STANDS), stands_from=pl.col("origin")).drop("origin")
    own = rows.filter(pl.col("revision_code").ne_missing(STANDS)).join(
        before.select(*about.key, before=figure), on=about.key, how="left"
    )
    is_new, is_same = pl.col("before").is_null(), pl.col("before") == pl.col(figure)
    said = pl.when(is_new).then(pl.lit(NEW)).when(is_same).then(pl.lit(SAME)).otherwise(pl.lit(REVISED))
    changed = own.with_columns(revision_code=said).drop("before")
    return pl.concat([changed.select(rows.columns), stood.select(rows.columns)]).sort(about.key)
