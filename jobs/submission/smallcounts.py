"""Small counts of a submission: what is of fewer units than the threshold is counted elsewhere.

One rule. Within a month, channel, direction and unit (a group), a cell of fewer units than the threshold is
added to another cell, under every definition alike: volumes to the largest cell, types to UNK, sources to _U.
If what is gathered there is still too small, the next larger cell joins it. So every count that leaves is of
at least that many units, nothing can be found by subtraction, and sums over stages, outcomes, types and
sources are exactly those of gold. A group that is too small as a whole is withheld from all tables, and the
manifest names it. This is what Rec. ITU-T X.1237 aims at: that no count tells of a few subscribers.
"""

from __future__ import annotations

import polars as pl

MEASURES = ["units", "spam_certain", "spam_possible"]
GROUP = ["period_code", "channel_code", "direction_code", "unit_code"]
Cell = tuple[str, ...]


def protected(
    rows: pl.DataFrame, cell: list[str], threshold: int, rest: Cell | None = None
) -> tuple[pl.DataFrame, list[tuple[str, ...]]]:
    """The rows with small cells merged, and the groups that are withheld.

    cell: the columns that tell cells of a group apart. rest: the cell that takes small ones; the group's
    largest without it.
    """
    sizes: dict[tuple[str, ...], dict[Cell, int]] = {}
    width = len(GROUP)
    # A definition that came or went within the month has fewer units than the others.
    least = rows.group_by(*GROUP, *cell, "definition_code").agg(pl.col("units").sum())
    for row in least.group_by(*GROUP, *cell).agg(pl.col("units").min()).iter_rows():
        sizes.setdefault(row[:width], {})[row[width:-1]] = row[-1]
    moves, withheld = [], []
    for group, cells in sizes.items():
        target = targets(cells, threshold, rest)
        if target is None:
            withheld.append(group)
        else:
            moves += [(*group, *before, *after) for before, after in target.items()]
    new = [f"new_{name}" for name in cell]
    schema = dict.fromkeys([*GROUP, *cell, *new], pl.String)
    moved = rows.join(pl.DataFrame(moves, schema=schema, orient="row"), on=[*GROUP, *cell])
    by = [*GROUP, "definition_code", *cell]
    kept = moved.drop(cell).rename(dict(zip(new, cell, strict=True)))
    return kept.group_by(by).agg(pl.col(*MEASURES).sum()).sort(by), sorted(withheld)


def targets(cells: dict[Cell, int], threshold: int, rest: Cell | None) -> dict[Cell, Cell] | None:
    """Where each cell of a group is counted; None if all of them together are too few."""
    if sum(cells.values()) < threshold:
        return None
    rising = sorted(cells, key=lambda each: (cells[each], each))
    sink = rising[-1] if rest is None else rest
    moved = [each for each in rising if cells[each] < threshold and each != sink]
    gathered = sum(cells[each] for each in moved) + cells.get(sink, 0)
    for each in rising:
        if (moved or sink in cells) and gathered < threshold and each not in moved and each != sink:
            moved.append(each)
            gathered += cells[each]
    return {each: sink if each in moved else each for each in cells}
