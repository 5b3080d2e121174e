"""Public tables of some of the respondents of another public table, their whole (`whole` in a contract), and
of parts of its figures (`volumes`).

Both rest on the same contributions: the attacker has the other table's figures of all releases in the same
equations. Of some respondents a figure leaves only if no holding or at least three differ between it and each
figure of the whole that was published: their difference is what the others contributed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from jobs.base.tables.public_contracts import PublicContract, public_contract
from jobs.base.tables.series import ALL, VOLUME, Shape
from jobs.study.attack.known import Finding, KnownRelease
from jobs.study.attack.system import find_block
from jobs.study.disclosure import rules
from jobs.study.public.cells import CELL, GROUP, EarlierRelease, name_cells, repeat_by_area
from jobs.study.public.knowledge import shape_of

RULE = "whole"
# What a block is found by.
WHERE = ["channel_code", "series"]


@dataclass(frozen=True)
class TableLink:
    """A table, and another whose figures the attacker holds under this one's names.

    Attributes:
        suffix: the end of a series that the other's lack.
        is_copied: under their own names, too.
    """

    contract: PublicContract
    whole: PublicContract
    suffix: str
    is_copied: bool


def contributions_of(contract: PublicContract) -> str:
    """The table of contributions of a public table."""
    assert contract.protect is not None
    return contract.protect.contributions


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
    assert contract.protect is not None
    if contract.protect.whole is None or rows.is_empty():
        return held
    whole = public_contract(contract.protect.whole)
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
            yield repeat_by_area(each.basis, periods).filter(of).join(public, on=CELL, how="semi")


# --- what the attacker knows -------------------------------------------------------------------------


def join_blocks(
    releases: Sequence[KnownRelease], guarded: Mapping[str, PublicContract]
) -> list[KnownRelease]:
    """The releases with the figures and contributions of wholes under the names that they have in the tables
    that they are the whole of, where anything of a block of these left, and of volumes where a part of the
    channel left: one set of equations for both.

    Args:
        guarded: by table of contributions.
    """
    made = list(releases)
    for link in list_links(guarded):
        is_own = pl.col("table_name") == contributions_of(link.contract)
        own = pl.concat(each.published.filter(is_own).select(WHERE) for each in releases).unique()
        made = [
            replace(
                each,
                published=rename_rows(each.published, link, own),
                contribution=rename_rows(each.contribution, link, own),
            )
            for each in made
        ]
    return made


def list_links(guarded: Mapping[str, PublicContract]) -> list[TableLink]:
    """The tables whose figures the attacker holds together with those of others; copies come first."""
    found = []
    for contract in guarded.values():
        assert contract.protect is not None
        for table, code in ((contract.protect.volumes, VOLUME), (contract.protect.whole, ALL)):
            if table is not None:
                whole = public_contract(table)
                more = len(shape_of(contract).columns) - len(shape_of(whole).columns)
                suffix = "/".join(["", code, *[ALL] * (more - 1)])
                found.append(TableLink(contract, whole, suffix, code == VOLUME))
    return sorted(found, key=lambda link: not link.is_copied)


def rename_rows(rows: pl.DataFrame, link: TableLink, own: pl.DataFrame) -> pl.DataFrame:
    """Rows, with those of a whole under the names that they have in the table that it is the whole of.

    Args:
        own: channels and series of that table that left.
    """
    is_whole = pl.col("table_name") == contributions_of(link.whole)
    renamed = {
        "table_name": pl.lit(contributions_of(link.contract)), "series": pl.col("series") + link.suffix,
    }  # fmt: skip
    shape = shape_of(link.whole if link.is_copied else link.contract)
    blocks = {(channel, join_series(series, shape)) for channel, series in own.rows()}
    linked = [
        (channel, series)
        for channel, series in rows.filter(is_whole).select(WHERE).unique().rows()
        if (channel, join_series(series + link.suffix, shape)) in blocks
    ]
    named = pl.DataFrame(linked, dict.fromkeys(WHERE, pl.String), orient="row")
    found = rows.filter(is_whole).join(named, on=WHERE, how="semi", maintain_order="left")
    left = (
        rows
        if link.is_copied
        else pl.concat([rows.filter(~is_whole), rows.filter(is_whole).join(named, on=WHERE, how="anti")])
    )
    return pl.concat([left, found.with_columns(**renamed)])


def join_series(series: str, shape: Shape) -> tuple[str, ...]:
    """Return what linked series have in common: their block, without the codes under which figures of all
    traffic are one.

    Args:
        shape: of their first columns.
    """
    codes = series.split("/")[: len(shape.columns)]
    block = zip(shape.columns, find_block("/".join(codes), shape), strict=True)
    return tuple(code for column, code in block if column not in shape.same)


def name_wholes(findings: Iterable[Finding], guarded: Mapping[str, PublicContract]) -> list[Finding]:
    """Findings with the figures of wholes under their own names again."""
    found = list(findings)
    for link in list_links(guarded):
        name, of, suffix = contributions_of(link.contract), contributions_of(link.whole), link.suffix
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
    """Series by table, period, channel and codes, those of wholes under all of their names."""
    found = list(series)
    return found + [
        (contributions_of(link.contract), *rest, codes + link.suffix)
        for link in list_links(guarded)
        for of, *rest, codes in found
        if of == contributions_of(link.whole)
    ]


def name_both(
    dropped: pl.DataFrame, passing: Mapping[str, pl.DataFrame], guarded: Mapping[str, PublicContract]
) -> list[tuple[str, ...]]:
    """Dropped figures, those of wholes under all of their names.

    Each series is named: where all of a table's go, figures of another table stay that have its name.

    Args:
        passing: with them.
    """
    whole_groups = dropped.filter(pl.col("series").is_null())
    of_tables = [rows.select(CELL).join(whole_groups, on=GROUP, how="semi") for rows in passing.values()]
    figures = pl.concat([dropped.select(CELL).drop_nulls("series"), *of_tables])
    found: list[tuple[str, ...]] = figures.rows()
    for link in list_links(guarded):
        of, name = contributions_of(link.whole), contributions_of(link.contract)
        own = figures.filter(pl.col("table_name") == of).rows()
        found += [(name, *rest[:2], series + link.suffix, area) for _, *rest, series, area in own]
    return found
