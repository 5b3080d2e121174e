"""Public tables of some of the respondents of another public table, their whole (`whole` in a contract).

Both rest on the same contributions, so that their difference is what the other respondents contributed. The
attacker has the whole's figures of all releases in the same equations; and a figure leaves only if no holding
or at least three differ between it and each figure of the whole that was published.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import polars as pl

from jobs.base.tables.public_contracts import PublicContract, public_contract
from jobs.base.tables.series import ALL
from jobs.study.attack.known import Finding, KnownRelease
from jobs.study.attack.system import find_block
from jobs.study.disclosure import rules
from jobs.study.public.cells import CELL, GROUP, EarlierRelease, in_areas, name_cells
from jobs.study.public.knowledge import shape_of

RULE = "whole"
# What a block is found by.
WHERE = ["channel_code", "series"]


def whole_of(contract: PublicContract) -> PublicContract | None:
    """The table of wholes."""
    named = None if contract.protect is None else contract.protect.whole
    return None if named is None else public_contract(named)


def contributions_of(contract: PublicContract) -> str:
    """The table of contributions of a public table."""
    assert contract.protect is not None
    return contract.protect.contributions


def suffix_of(contract: PublicContract, whole: PublicContract) -> str:
    """Return the end of a table's series that the series of its whole lack."""
    return f"/{ALL}" * (len(shape_of(contract).columns) - len(shape_of(whole).columns))


# --- the rule ----------------------------------------------------------------------------------------


def refuse_apart(
    held: pl.DataFrame,
    rows: pl.DataFrame,
    inside: pl.DataFrame,
    contract: PublicContract,
    earlier: Sequence[EarlierRelease],
) -> pl.DataFrame:
    """The rows that are held back, with those that fewer than three holdings set apart from a figure of their
    whole that was published, or is to be."""
    whole = whole_of(contract)
    if whole is None or rows.is_empty():
        return held
    own = inside.filter(pl.col("table_name") == contributions_of(contract))
    cut = len(shape_of(whole).columns)
    base = pl.col("series").str.split("/").list.head(cut).list.join("/")
    cells = own.select(CELL).unique().with_columns(base=base)
    apart = [held]
    for others in list_versions(whole, inside, sorted(set(own["period_code"])), earlier):
        of = others.rename({"series": "base"}).drop("table_name")
        before = of.join(cells, on=[name for name in cells.columns if name in of.columns])
        now = own.join(before.select(CELL).unique(), on=CELL, how="semi")
        changed = rules.count_changed(before, now, CELL)
        apart.append(
            changed.filter(~rules.may_change(pl.col("changed")))
            .join(rows, on=CELL, how="semi")
            .select(*CELL, rule=pl.lit(RULE))
        )
    return pl.concat(apart).unique(CELL, keep="first", maintain_order=True)


def list_versions(
    whole: PublicContract, inside: pl.DataFrame, periods: Sequence[str], earlier: Sequence[EarlierRelease]
) -> Iterator[pl.DataFrame]:
    """The contributions to each figure of a whole: those of this release, and those of each earlier one to
    what it published itself."""
    of = pl.col("table_name") == contributions_of(whole)
    yield inside.filter(of)
    for each in earlier:
        if whole.table in each.public:
            public = name_cells(each.public[whole.table].filter(pl.col("stands_from").is_null()), whole)
            yield in_areas(each.basis, periods).filter(of).join(public, on=CELL, how="semi")


# --- what the attacker knows -------------------------------------------------------------------------


def join_blocks(
    releases: Sequence[KnownRelease], guarded: Mapping[str, PublicContract]
) -> list[KnownRelease]:
    """The releases with the figures and contributions of wholes under the names that they have in the tables
    that they are the whole of, where anything of a block of these left: one set of equations for both.
    guarded: by table of contributions."""
    made = list(releases)
    for contract, whole in list_wholes(guarded):
        is_own = pl.col("table_name") == contributions_of(contract)
        own = pl.concat(each.published.filter(is_own).select(WHERE) for each in releases).unique()
        blocks = {(channel, join_series(series, contract)) for channel, series in own.rows()}
        made = [
            replace(
                each,
                published=rename_rows(each.published, contract, whole, blocks),
                contribution=rename_rows(each.contribution, contract, whole, blocks),
            )
            for each in made
        ]
    return made


def join_series(series: str, contract: PublicContract) -> tuple[str, ...]:
    """Return what linked series have in common: their block, without the codes under which figures of all
    traffic are one."""
    shape = shape_of(contract)
    block = zip(shape.columns, find_block(series, shape), strict=True)
    return tuple(code for column, code in block if column not in shape.same)


def list_wholes(guarded: Mapping[str, PublicContract]) -> list[tuple[PublicContract, PublicContract]]:
    """The tables that have a whole, with it."""
    return [(contract, whole) for contract in guarded.values() if (whole := whole_of(contract)) is not None]


def rename_rows(
    rows: pl.DataFrame,
    contract: PublicContract,
    whole: PublicContract,
    blocks: Collection[tuple[str, tuple[str, ...]]],
) -> pl.DataFrame:
    """Rows, with those of a whole in these channels and blocks under the names that they have in the table
    that it is the whole of."""
    suffix = suffix_of(contract, whole)
    is_whole = pl.col("table_name") == contributions_of(whole)
    kept = [
        (channel, series, True)
        for channel, series in rows.filter(is_whole).select(WHERE).unique().rows()
        if (channel, join_series(series + suffix, contract)) in blocks
    ]
    kinds = {**dict.fromkeys(WHERE, pl.String), "moves": pl.Boolean}
    named = pl.DataFrame(kept, kinds, orient="row")
    moves = is_whole & pl.col("moves").fill_null(False)
    return (
        rows.join(named, on=WHERE, how="left", maintain_order="left")
        .with_columns(
            table_name=pl.when(moves).then(pl.lit(contributions_of(contract))).otherwise("table_name"),
            series=pl.when(moves).then(pl.col("series") + suffix).otherwise("series"),
        )
        .drop("moves")
    )


def name_wholes(findings: Iterable[Finding], guarded: Mapping[str, PublicContract]) -> list[Finding]:
    """Findings with the figures of wholes under their own names again."""
    found = list(findings)
    for contract, whole in list_wholes(guarded):
        name, suffix = contributions_of(contract), suffix_of(contract, whole)
        of = contributions_of(whole)
        for number, each in enumerate(found):
            if each.table_name != name:
                continue
            cells = tuple(
                replace(cell, table_name=of, series=cell.series.removesuffix(suffix))
                if cell.series.endswith(suffix)
                else cell
                for cell in each.cells
            )
            table = of if each.series.endswith(suffix) else name
            series = each.series.removesuffix(suffix)
            found[number] = replace(each, table_name=table, series=series, cells=cells)
    return found


def name_series(
    series: Iterable[tuple[str, ...]], guarded: Mapping[str, PublicContract]
) -> list[tuple[str, ...]]:
    """Series by table, period, channel and codes, those of wholes under both of their names."""
    found = list(series)
    for contract, whole in list_wholes(guarded):
        name, suffix = contributions_of(contract), suffix_of(contract, whole)
        found += [
            (name, *rest, codes + suffix) for of, *rest, codes in found if of == contributions_of(whole)
        ]
    return found


def name_both(
    dropped: pl.DataFrame, leaving: Mapping[str, pl.DataFrame], guarded: Mapping[str, PublicContract]
) -> list[tuple[str | None, ...]]:
    """Dropped figures, those of wholes under both of their names. leaving: with them."""
    found: list[tuple[str | None, ...]] = dropped.select(CELL).rows()
    for contract, whole in list_wholes(guarded):
        of, suffix = contributions_of(whole), suffix_of(contract, whole)
        own = dropped.filter(pl.col("table_name") == of).select(CELL)
        together = own.filter(pl.col("series").is_null())
        figures = pl.concat(
            [own.drop_nulls("series"), leaving[of].select(CELL).join(together, on=GROUP, how="semi")]
        )
        name = contributions_of(contract)
        found += [(name, *rest[:2], series + suffix, area) for _, *rest, series, area in figures.rows()]
    return found
