"""Small counts of a package: no count below the threshold leaves, and subtraction reveals none.

Under each definition the units of a cell are of three classes: certain spam, undecided, and not spam. A cell
is a stage and outcome, a type, or a country, within a group: a month, channel, direction and unit. What Rec.
ITU-T X.1237 aims at, that no count reveals a few subscribers, is asked of classes, not of cells alone: three
spam mails among a million, or three wanted ones in a flood, are as few as a cell of three.

1. A group of fewer units than the threshold is withheld. So is a definition that did not hold all month: the
   difference to the others would reveal the days that it lacks. The manifest names both.
2. In a whole group a small class counts as another, in every table alike: certain and not spam as undecided,
   which keeps certain and possible the bounds that they are; undecided, if it is then small, as the larger of
   the others. Totals so differ from gold's by less than the threshold, or stay bounds.
3. A cell of few units joins another: volumes the largest, types UNK, countries _U.
4. In a cell that is left small classes count as others by the rule of 2, and another cell gives back what
   that moved, so that cells add up to the group in each class and their units are those of gold. Where no
   cell can without a small class of its own, the changed cell joins the one that takes small ones.
5. All counts leave as multiples of the threshold. The units of a group are rounded to the nearest; classes
   and cells are rounded up or down so that they still add up, in every table alike.

Whatever is added up or subtracted is so a multiple of the threshold, or nothing: cells, groups and months,
classes, definitions of which one holds all that another does, units such as recipients and messages, and a
package and the one that the operator sends again when a late log has changed a few counts. A cell moves by
less than the threshold, seldom by twice as much. Two sendings under two thresholds are not protected from
each other: an operator keeps to one.

Routes are cells of three levels: a partner country, the kinds of link to it, and the kinds of network crossed
in between. Countries are settled first, by the very rule that settles sources, so that a country has one
count in both tables; then links within each, and networks within each link.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from jobs.base.packages.counts import GROUP, MEASURES

CERTAIN, UNDECIDED, CLEAN = range(3)
CellKey = tuple[str, ...]
# The codes of a cell, of a part of it, and so on.
CellPath = tuple[CellKey, ...]
# Whole numbers, the last two dimensions of which are definitions and classes.
Array = np.ndarray


@dataclass(frozen=True)
class Group:
    """A group that leaves.

    Attributes:
        counted_as: the class that each counts as, definitions x classes.
        total: what all cells add up to, so counted.
        rounded: the same as it leaves, in multiples of the threshold.
    """

    definitions: tuple[str, ...]
    counted_as: Array
    total: Array
    rounded: Array


def groups_of(volume: pl.DataFrame, least: int) -> tuple[dict[CellKey, Group], list[CellKey]]:
    """The groups of a package by their code, and what is withheld: a group's code and a definition, or _T."""
    summed = volume.group_by(*GROUP, "definition_code").agg(pl.col(*MEASURES).sum())
    found: dict[CellKey, dict[str, list[int]]] = {}
    for *codes, definition, units, certain, possible in summed.sort(*GROUP, "definition_code").iter_rows():
        found.setdefault(tuple(codes), {})[definition] = count_classes(units, certain, possible)
    groups: dict[CellKey, Group] = {}
    withheld: list[CellKey] = []
    for key, counts in found.items():
        size = max(map(sum, counts.values()))
        if size < least:
            withheld.append((*key, "_T"))
            continue
        withheld += [(*key, definition) for definition, of in counts.items() if sum(of) < size]
        whole = tuple(definition for definition, of in counts.items() if sum(of) == size)
        total = np.array([counts[definition] for definition in whole])
        classes = counted_as(total, least)
        of_class = move_counts(total, classes)
        total_units = round_to_multiple(size, least) // least
        rounded = np.array([least * apportion_counts(each, total_units, least) for each in of_class])
        groups[key] = Group(whole, classes, of_class, rounded)
    return groups, withheld


def round_to_multiple(count: Any, least: int) -> Any:
    """The multiple of the threshold that is nearest to a count, or to each of a column's."""
    return (count + least // 2) // least * least


def count_classes(units: int, certain: int, possible: int) -> list[int]:
    return [certain, possible - certain, units - possible]


def counted_as(counts: Array, least: int) -> Array:
    """Return the class that each class counts as, so that none is small where all together are not."""
    classes = np.broadcast_to(np.arange(3), counts.shape).copy()
    for side in (CERTAIN, CLEAN):
        classes[..., side][counts[..., side] < least] = UNDECIDED
    of_class = move_counts(counts, classes)
    larger = np.where(of_class[..., CERTAIN] > of_class[..., CLEAN], CERTAIN, CLEAN)
    is_small = (of_class[..., UNDECIDED] > 0) & (of_class[..., UNDECIDED] < least)
    return np.where((classes == UNDECIDED) & is_small[..., None], larger[..., None], classes)


def move_counts(counts: Array, reported: Array) -> Array:
    """The counts under the classes that they count as."""
    return np.stack([(counts * (reported == each)).sum(axis=-1) for each in range(3)], axis=-1)


def has_small(counts: Array, least: int) -> Array:
    """Return whether any class of a row of classes is small or, after a move, negative."""
    return ((counts != 0) & (counts < least)).any(axis=-1)


def protect_rows(
    rows: pl.DataFrame,
    groups: Mapping[CellKey, Group],
    levels: Sequence[Sequence[str]],
    least: int,
    rest: CellKey | None = None,
) -> pl.DataFrame:
    """The rows of a table as they leave.

    Args:
        levels: the columns that distinguish cells of a group, those that distinguish parts of a cell, and so
            on.
        rest: the cell that takes small ones; the group's largest without it. Small parts join a cell's
            largest.
    """
    columns = [name for level in levels for name in level]
    names = [*GROUP, "definition_code", *columns, *MEASURES]
    made: list[tuple[str | int, ...]] = []
    for key, cells in count_cells(rows, groups, levels).items():
        group = groups[key]
        for codes, counts in place_counts(cells, group.total, group.rounded, least, rest):
            for definition, (certain, undecided, clean) in zip(
                group.definitions, counts.tolist(), strict=True
            ):
                possible = certain + undecided
                made.append((*key, definition, *codes, possible + clean, certain, possible))
    schema = {name: pl.Int64 if name in MEASURES else pl.String for name in names}
    return pl.DataFrame(made, schema=schema, orient="row").filter(pl.col("units") > 0).sort(names)


def count_cells(
    rows: pl.DataFrame, groups: Mapping[CellKey, Group], levels: Sequence[Sequence[str]]
) -> dict[CellKey, dict[CellPath, Array]]:
    """Count each group's smallest parts of cells, with classes as the group counts them."""
    found: dict[CellKey, dict[CellPath, Array]] = {}
    columns = [name for level in levels for name in level]
    ends = np.cumsum([len(GROUP), *(len(level) for level in levels)]).tolist()
    summed = rows.group_by(*GROUP, *columns, "definition_code").agg(pl.col(*MEASURES).sum())
    for *codes, definition, units, certain, possible in summed.iter_rows():
        key = tuple(codes[: len(GROUP)])
        group = groups.get(key)
        if group is not None and definition in group.definitions:
            path = tuple(tuple(codes[start:end]) for start, end in pairwise(ends))
            part = found.setdefault(key, {}).setdefault(path, np.zeros_like(group.total))
            part[group.definitions.index(definition)] = count_classes(units, certain, possible)
    return {
        key: {path: move_counts(of, groups[key].counted_as) for path, of in cells.items()}
        for key, cells in found.items()
    }


def place_counts(
    cells: Mapping[CellPath, Array], total: Array, rounded: Array, least: int, rest: CellKey | None
) -> Iterator[tuple[CellKey, Array]]:
    """The codes of each part that leaves, and its counts in multiples of the threshold: cells first, then
    parts within each.

    Args:
        total: what the cells add up to.
        rounded: the same as it leaves.
    """
    wholes: dict[CellKey, Array] = {}
    for (cell, *_), of in cells.items():
        wholes[cell] = wholes.get(cell, 0) + of
    target, settled = settle_cells(wholes, total, least, rest)
    exact = scale_cells(settled, rounded, least)
    for place, counts in settled.items():
        parts: dict[CellPath, Array] = {}
        for (cell, *within), of in cells.items():
            if target[cell] == place:
                parts[tuple(within)] = parts.get(tuple(within), 0) + of
        if () in parts:
            yield place, exact[place]
            continue
        for codes, of in place_counts(parts, counts, exact[place], least, None):
            yield (*place, *codes), of


def settle_cells(
    cells: Mapping[CellKey, Array], total: Array, least: int, rest: CellKey | None
) -> tuple[dict[CellKey, CellKey], dict[CellKey, Array]]:
    """The cell in which each is counted, and the counts of each that is left.

    Args:
        total: what these add up to; it has no small class.
    """
    left = dict(cells)
    target = {each: each for each in cells}

    def measure_cell(each: CellKey) -> tuple[int, CellKey]:
        return int(left[each].sum(axis=1).max()), each

    sink = max(left, key=measure_cell) if rest is None else rest

    def join_cell(each: CellKey) -> None:
        left[sink] = left.get(sink, 0) + left.pop(each)
        target.update({one: sink for one, now in target.items() if now == each})

    while len(left) > 1:
        small = [each for each in left if measure_cell(each)[0] < least]
        if not small:
            balanced = balance_cells(left, total, least)
            if balanced is not None:
                return target, balanced
            small = [each for each, of in left.items() if has_small(of, least).any()]
        # The cell that takes the others cannot join itself.
        others = [each for each in left if each != sink]
        join_cell(min([each for each in others if each in small] or others, key=measure_cell))
    return {each: sink if sink in left else each for each in target}, dict.fromkeys(left, total)


def balance_cells(cells: Mapping[CellKey, Array], total: Array, least: int) -> dict[CellKey, Array] | None:
    """Counts of cells, so that no class is small and all add up to the total; None where no one cell of a
    definition can take what the others moved."""
    falling = sorted(cells, key=lambda each: (-int(cells[each].sum()), each))
    counts = np.stack([cells[each] for each in falling])
    raised = move_counts(counts, counted_as(counts, least))
    moved = total - raised.sum(axis=0)
    for definition in np.flatnonzero(moved.any(axis=-1)):
        tried = raised[:, definition] + moved[definition]
        takes = np.flatnonzero(~has_small(tried, least))
        if not takes.size:
            return None
        raised[takes[0], definition] = tried[takes[0]]
    return dict(zip(falling, raised, strict=True))


def apportion_counts(counts: Array, total: int, least: int) -> Array:
    """Counts as numbers of thresholds that add up to the total: each rounded down, then up those with the
    largest rest.

    Args:
        total: no less than what all have rounded down.
    """
    found = counts // least
    # Of equal rests the first.
    order = np.argsort(-(counts % least), kind="stable")
    found[order[: total - int(found.sum())]] += 1
    return found


def scale_cells(cells: Mapping[CellKey, Array], total: Array, least: int) -> dict[CellKey, Array]:
    """The cells in multiples of the threshold, which add up to the total: definitions x classes, multiples
    themselves. A cell's units are the same under every definition, as they were."""
    falling = sorted(cells, key=lambda each: (-int(cells[each].sum()), each))
    counts = np.stack([cells[each] for each in falling])
    wanted = total // least
    rounded = np.empty_like(counts)
    for definition in range(counts.shape[1]):
        of_cells = counts[:, definition]
        units = apportion_counts(of_cells.sum(axis=1), int(wanted[definition].sum()), least)
        rounded[:, definition] = least * match_sums(of_cells, units, wanted[definition], least)
    return dict(zip(falling, rounded, strict=True))


def match_sums(counts: Array, of_cells: Array, of_classes: Array, least: int) -> Array:
    """Cells x classes as numbers of thresholds, with these sums of each cell and class.

    All are rounded down; then those are raised that have the largest rest and whose cell and class both lack
    something. What is nothing stays so where the sums allow it.
    """
    found, rest = counts // least, counts % least
    lacks_cell, lacks_class = of_cells - found.sum(axis=1), of_classes - found.sum(axis=0)
    raised = np.zeros(counts.shape, dtype=bool)
    # Parts of a cell that was rounded by more than one threshold may have too much even so.
    for kind in np.flatnonzero(lacks_class < 0).tolist():
        for cell in np.argsort(rest[:, kind], kind="stable").tolist():
            taken = min(int(found[cell, kind]), -int(lacks_class[kind]))
            found[cell, kind] -= taken
            lacks_class[kind] += taken
            lacks_cell[cell] += taken

    def raise_count(cell: int, kind: int) -> None:
        raised[cell, kind] = True
        found[cell, kind] += 1
        lacks_cell[cell] -= 1
        lacks_class[kind] -= 1

    order = np.argsort(-rest, axis=None, kind="stable")
    for place in order[: np.count_nonzero(rest)].tolist():
        cell, kind = divmod(place, rest.shape[1])
        if lacks_cell[cell] > 0 and lacks_class[kind] > 0:
            raise_count(cell, kind)
    for cell in np.flatnonzero(lacks_cell > 0).tolist():
        while lacks_cell[cell] > 0:
            # Of some classes the one with most.
            kind = max(np.flatnonzero(lacks_class > 0).tolist(), key=lambda each: int(counts[cell, each]))
            swap = None if counts[cell, kind] else find_exchange(counts, raised, cell, kind)
            if swap is not None:
                other, through = swap
                # The other cell is raised in the class that lacks, and this one in the other's.
                raised[other, through] = False
                found[other, through] -= 1
                lacks_cell[other] += 1
                lacks_class[through] += 1
                raise_count(other, kind)
                kind = through
            raise_count(cell, kind)
    return found


def find_exchange(counts: Array, raised: Array, cell: int, kind: int) -> tuple[int, int] | None:
    """Another cell that can be raised in this class in place of one in which this cell has something, and
    that class; None without one."""
    for through in np.flatnonzero((counts[cell] > 0) & ~raised[cell]):
        others = np.flatnonzero(raised[:, through] & ~raised[:, kind] & (counts[:, kind] > 0))
        if others.size:
            return int(others[0]), int(through)
    return None
