"""Small counts of a submission: what is of fewer units than the threshold is counted elsewhere.

One rule. Within a month, channel, direction and unit (a group), a cell of fewer units than the threshold is
added to another cell, under every definition alike: volumes to the largest cell, types to UNK, sources to _U.
If what is gathered there is still too small, the next larger cell joins it. So every count that leaves is of
at least that many units, nothing can be found by subtraction, and sums over stages, outcomes, types and
sources are exactly those of gold. A group that is too small as a whole is withheld from all tables, and the
manifest names it. This is what Rec. ITU-T X.1237 aims at: that no count tells of a few subscribers.

Routes are cells of two levels: a partner country, and the kinds of link to it. Countries are merged first, by
the very rule that merges sources, so that a country has one count in both tables; then small links of a
country join its largest. Merged as single cells they would tell of a few units by what the sources hold more.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

MEASURES = ["units", "spam_certain", "spam_possible"]
GROUP = ["period_code", "channel_code", "direction_code", "unit_code"]
Cell = tuple[str, ...]
# Units under every definition.
Counts = tuple[int, ...]


def protected(
    rows: pl.DataFrame,
    cell: list[str],
    threshold: int,
    rest: Cell | None = None,
    within: list[str] | None = None,
) -> tuple[pl.DataFrame, list[tuple[str, ...]]]:
    """The rows with small cells merged, and the groups that are withheld.

    cell: the columns that tell cells of a group apart. rest: the cell that takes small ones; the group's
    largest without it. within: the columns that tell parts of a cell apart; its small parts join its largest.
    """
    moved, withheld = merged(rows, GROUP, cell, threshold, rest)
    if within:
        moved, small = merged(moved, [*GROUP, *cell], within, threshold, None)
        # What the first step kept is large enough as a whole.
        assert not small
    by = [*GROUP, "definition_code", *cell, *(within or [])]
    return moved.group_by(by).agg(pl.col(*MEASURES).sum()).sort(by), withheld


def merged(
    rows: pl.DataFrame, whole: list[str], cell: list[str], threshold: int, rest: Cell | None
) -> tuple[pl.DataFrame, list[tuple[str, ...]]]:
    """The rows under the cells that they are counted in, and the wholes that are too small.

    whole: the columns whose sums stay as they are.
    """
    # A definition that came or went within the month has fewer units than the others, and none in some cells.
    place = {code: number for number, code in enumerate(sorted(set(rows["definition_code"])))}
    sizes: dict[tuple[str, ...], dict[Cell, list[int]]] = {}
    width = len(whole)
    counts = rows.group_by(*whole, *cell, "definition_code").agg(pl.col("units").sum())
    for *key, code, units in counts.iter_rows():
        cells = sizes.setdefault(tuple(key[:width]), {})
        cells.setdefault(tuple(key[width:]), [0] * len(place))[place[code]] = units
    moves, withheld = [], []
    for of_whole, cells in sizes.items():
        target = targets({each: tuple(units) for each, units in cells.items()}, threshold, rest)
        if target is None:
            withheld.append(of_whole)
        else:
            moves += [(*of_whole, *before, *after) for before, after in target.items()]
    new = [f"new_{name}" for name in cell]
    schema = dict.fromkeys([*whole, *cell, *new], pl.String)
    moved = rows.join(pl.DataFrame(moves, schema=schema, orient="row"), on=[*whole, *cell])
    return moved.drop(cell).rename(dict(zip(new, cell, strict=True))), sorted(withheld)


def targets(cells: dict[Cell, Counts], threshold: int, rest: Cell | None) -> dict[Cell, Cell] | None:
    """Where each cell of a group is counted; None if all of them together are too few.

    cells: units of each under every definition; none at all are no small count.
    """

    def is_small(counts: Counts) -> bool:
        return any(0 < units < threshold for units in counts)

    def added(these: Iterable[Cell]) -> Counts:
        return tuple(map(sum, zip(*(cells[each] for each in these), strict=True)))

    if is_small(added(cells)):
        return None
    rising = sorted(cells, key=lambda each: (min(filter(None, cells[each])), each))
    sink = rising[-1] if rest is None else rest
    gathered = [sink] if sink in cells else []
    gathered += [each for each in rising if is_small(cells[each]) and each != sink]
    for each in rising:
        if gathered and each not in gathered and is_small(added(gathered)):
            gathered.append(each)
    return {each: sink if each in gathered else each for each in cells}
