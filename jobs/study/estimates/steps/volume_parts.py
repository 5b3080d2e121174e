"""Parts of the volumes that study.spam_volume estimates: by type, by source, by route.

One estimator makes all of them:

- Who has parts: respondents by logs whose package has them. An operator that only answered the questionnaire
  gave none; it is a non-respondent of the parts, and the weights of the others stand for it.
- A part is estimated as a volume is, by the weights of all that have parts, whether they saw any of it or
  not. So each figure is a linear function of respondents' parts, and in each replicate the parts add up to
  PARTS, what all of them have together.
- What logs could not place, and counts too small to leave an operator, stand under the code for unknown.
- Parts by several columns have rows for the codes of some of them (margins), with ALL of the others, and with
  PARTS of the first where that is among the others. What stands alone in its first margin, and is unknown by
  the last column, has no row beside the margin's.
- Families of types, such as FRAUD of FRAUD.loan and FRAUD.lottery, have rows, too, where a period and channel
  have two or more of the family.
- The whole, ALL, is the figure of study.spam_volume. It rests on answers, too, and so differs from PARTS;
  part_factor is their ratio, one for all parts of a whole. Parts times part_factor add up to the whole.
- Corrected spam: a call's share of spam is taken to be that of all its parts (audits.correct_parts()).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from jobs.base.core.periods import months_of
from jobs.base.figures.counting_rules import OPERATOR
from jobs.base.stats.estimation import REPLICATES, Array, seed_of
from jobs.base.tables.series import ALL, PARTS, UNKNOWN, UNPLACED
from jobs.study.estimates.respondent_figure import CELL, LOGS, RESPONDENT_CELL, UNIT
from jobs.study.estimates.spam_volume import CORRECTED, LABELLED, labelled_definitions
from jobs.study.estimates.steps import audits
from jobs.study.estimates.steps.rows import MEASURES, is_month, period_volumes, periods_of

# Between the codes of a part.
JOINED = "/"
# Behind the family in the code of a type.
FAMILY = "."
# For each kind of sum that has rows, the places of the columns that name it.
Margins = tuple[tuple[int, ...], ...]
# What parts add up to in each month, so that certain <= possible <= units in each part.
CLASSES = ("certain", "undecided", "clean")


@dataclass(frozen=True)
class Breakdown:
    """The division of volumes in a table.

    Attributes:
        kind: the kind of rows of study.respondent_part.
        by: the columns that name a part.
        margins: the places of the columns whose codes have rows of their own, those of all but the last
            first.
        published: the codes of a part in a series; None for one whose figures never leave.
        countries: whether to include rows of countries.
    """

    table: str
    kind: str
    by: tuple[str, ...]
    margins: Margins
    quantities: tuple[str, ...]
    published: Callable[[tuple[str, ...]], tuple[str, ...] | None]
    countries: bool = True


@dataclass(frozen=True)
class Parted:
    """Respondents' months in parts.

    Attributes:
        months: rows of study.respondent_figure by logs, of respondents whose parts are known.
        parts: for each of them and each part (columns breakdown.by, RESPONDENT_CELL) the counts of CLASSES,
            which add up to the month's.
    """

    breakdown: Breakdown
    months: pl.DataFrame
    parts: pl.DataFrame


@dataclass(frozen=True)
class PartCell:
    """The parts of one channel, unit, definition and period.

    Attributes:
        names: the codes of each part and of their sums, all together last.
        people: a row for each respondent, with its volumes.
        values: respondents x parts for each quantity, with replicates before where they were imputed.
        least: the certain part of the values.
        freedom: degrees of freedom of the imputed values.
        sees: which respondents place any units by each column, respondents x columns.
    """

    names: tuple[tuple[str, ...], ...]
    people: pl.DataFrame
    values: dict[str, Array]
    least: dict[str, Array]
    freedom: float | None
    sees: Array


def split_volumes(
    respondent_figure: pl.DataFrame, respondent_part: pl.DataFrame, breakdown: Breakdown
) -> Parted:
    """Volumes of packages with their parts of one kind. Counts are of all days of a month, as
    study.respondent_figure has them."""
    by = breakdown.by
    certain, possible, units = (pl.col(name) for name in ("spam_certain", "spam_possible", "units"))
    classes = dict(zip(CLASSES, (certain, possible - certain, units - possible), strict=True))
    codes = pl.col("part_codes").str.split_exact(JOINED, len(by) - 1).struct.rename_fields(by)
    parts = (
        respondent_part.filter(pl.col("part_kind_code") == breakdown.kind)
        .select(*RESPONDENT_CELL, codes.alias("codes"), **classes)
        .unnest("codes")
    )
    months = respondent_figure.filter(
        pl.col("given_by_code") == LOGS, pl.col("unit_code").is_in(list(UNIT.values()))
    )
    sums = parts.group_by(RESPONDENT_CELL).agg(pl.col(CLASSES).sum().name.suffix("_parts"))
    factors = months.join(sums, on=RESPONDENT_CELL).select(
        *RESPONDENT_CELL,
        *(
            pl.when(pl.col(f"{name}_parts") > 0).then(goal / pl.col(f"{name}_parts")).otherwise(1.0)
            .alias(f"{name}_factor")
            for name, goal in classes.items()
        ),
    )  # fmt: skip
    found = parts.join(factors, on=RESPONDENT_CELL).select(
        *RESPONDENT_CELL, *by, *(pl.col(name) * pl.col(f"{name}_factor") for name in CLASSES)
    )
    return Parted(breakdown, months.join(sums, on=RESPONDENT_CELL, how="semi"), found)


def list_cells(
    given: Parted,
    labelled: frozenset[str],
    quantities: Sequence[str],
    replicates: int = REPLICATES,
    with_months: bool = True,
) -> Iterator[tuple[dict[str, str], str, PartCell]]:
    """Each channel, unit and definition with parts, and each period that they can be estimated for."""
    for of_cell in given.months.sort(RESPONDENT_CELL).partition_by(CELL, maintain_order=True):
        key = {name: str(of_cell[name][0]) for name in CELL}
        parts = given.parts.filter(pl.col(name) == code for name, code in key.items())
        for period in periods_of(of_cell):
            if not with_months and len(months_of(period)) == 1:
                continue
            found = read_cell(given, of_cell, parts, period, key, labelled, quantities, replicates)
            if found is not None:
                yield key, period, found


def read_cell(
    given: Parted,
    months: pl.DataFrame,
    parts: pl.DataFrame,
    period: str,
    key: dict[str, str],
    labelled: frozenset[str],
    quantities: Sequence[str],
    replicates: int,
) -> PartCell | None:
    """The parts of one cell and period; None where nobody has any.

    Args:
        months: the respondents' months in this channel, unit and definition.
        parts: the parts of these months.
        key: the cell's codes, by column.
        labelled: the definitions that labels of an audit apply to.
        quantities: those to read: of MEASURES, and CORRECTED.
        replicates: how many draws a correction has.
    """
    people = period_volumes(months, period, ["respondent_id"]).sort("respondent_id")
    # The months that the period's figures are the sums of.
    rows = audits.select_period(months, period).sort(audits.MONTH)
    own = parts.join(rows.select(audits.MONTH), on=list(audits.MONTH), how="semi")
    if people.is_empty() or own.is_empty():
        return None
    codes = own.select(given.breakdown.by).unique().sort(given.breakdown.by)
    names, sums = list_sums(codes.rows(), given.breakdown.margins)
    counts = count_parts(rows, own, codes, given.breakdown.by)
    starts = np.flatnonzero(np.diff(rows["respondent_id"].rle_id().to_numpy(), prepend=-1))
    certain, undecided, clean = np.moveaxis(np.add.reduceat(counts, starts), 2, 0)
    measured = dict(zip(MEASURES, (certain + undecided + clean, certain, certain + undecided), strict=True))
    values = {name: measured[name] @ sums for name in MEASURES if name in quantities}
    least = dict(values)
    freedom = None
    if CORRECTED in quantities and key["unit_code"] in LABELLED and key["definition_code"] in labelled:
        corrected = correct_cell(rows, counts, key, period, replicates)
        if corrected is not None:
            found, freedom = corrected
            values[CORRECTED] = found @ sums
            least[CORRECTED] = np.zeros_like(values[CORRECTED][0])
    placed = np.array([[code not in UNPLACED for code in part] for part in codes.rows()])
    return PartCell(names, people, values, least, freedom, measured["units"] @ placed > 0)


def count_parts(rows: pl.DataFrame, own: pl.DataFrame, codes: pl.DataFrame, by: Sequence[str]) -> Array:
    """Counts of months x parts x CLASSES."""
    placed = own.join(rows.select(audits.MONTH).with_row_index("month"), on=list(audits.MONTH)).join(
        codes.with_row_index("part"), on=list(by)
    )
    counts = np.zeros((rows.height, codes.height, len(CLASSES)))
    counts[placed["month"].to_numpy(), placed["part"].to_numpy()] = placed.select(CLASSES).to_numpy()
    return counts


def correct_cell(
    rows: pl.DataFrame, counts: Array, key: dict[str, str], period: str, replicates: int
) -> tuple[Array, float] | None:
    """Corrected spam in parts, and its degrees of freedom; None where too few audited, or where the filter's
    calls of a month are not those of its definition."""
    if (
        key["definition_code"] != OPERATOR
        or audits.select_period_with_calls(rows, period).height < rows.height
    ):
        return None
    drawn = audits.draw_corrections(rows, seed_of(*key.values(), period, CORRECTED), replicates)
    return None if drawn is None else (audits.correct_parts(drawn, counts), drawn.donors - 1)


def list_sums(
    parts: Sequence[tuple[str, ...]], margins: Margins
) -> tuple[tuple[tuple[str, ...], ...], Array]:
    """The rows of a table with these parts, and which parts each is the sum of, parts x rows."""
    rows: dict[tuple[str, ...], list[int]] = {part: [place] for place, part in enumerate(parts)}
    for kept in margins:
        for place, part in enumerate(parts):
            rows.setdefault(name_margin(part, kept), []).append(place)
    families: dict[tuple[str, ...], list[int]] = {}
    for place, part in enumerate(parts):
        if len(part) == 1 and FAMILY in part[0]:
            families.setdefault((part[0].partition(FAMILY)[0],), []).append(place)
    # One of a single part would be the same figure twice.
    rows |= {family: of for family, of in families.items() if len(of) > 1}
    for part in parts:
        if margins and part[-1] in UNPLACED and len(rows[name_margin(part, margins[0])]) == 1:
            # Its row is the margin's.
            del rows[part]
    rows[sum_of(len(parts[0]))] = list(range(len(parts)))
    sums = np.zeros((len(parts), len(rows)))
    for place, of in enumerate(rows.values()):
        sums[of, place] = 1.0
    return tuple(rows), sums


def name_margin(part: tuple[str, ...], kept: Sequence[int]) -> tuple[str, ...]:
    """The codes of a part's row by these columns."""
    return tuple(code if column in kept else ALL if column else PARTS for column, code in enumerate(part))


def sum_of(columns: int) -> tuple[str, ...]:
    """The codes of all parts together."""
    return (PARTS, *[ALL] * (columns - 1))


def join_regions(part: pl.DataFrame, country: pl.DataFrame, of: str, region: str) -> pl.DataFrame:
    """A package's parts with the ITU region of the country in column `of`, as of its latest row; unknown
    where it has none."""
    regions = (
        country.filter(pl.col("itu_region").is_not_null())
        .sort("valid_from")
        .unique("iso3", keep="last")
        .select(pl.col("iso3").alias(of), pl.col("itu_region").alias(region))
    )
    return part.join(regions, on=of, how="left").with_columns(pl.col(region).fill_null(UNKNOWN))


# --- contributions -----------------------------------------------------------------------------------


def part_contributions(given: Parted, whole: pl.DataFrame, definition: pl.DataFrame) -> pl.DataFrame:
    """Contributions of each respondent to the figures of a table of parts, zeros included; none of months,
    which never leave.

    Args:
        whole: the contributions to study.spam_volume.
    """
    quantities, published = given.breakdown.quantities, given.breakdown.published
    found = [whole.clear()]
    labelled = labelled_definitions(definition)
    for key, period, cell in list_cells(given, labelled, quantities, replicates=1, with_months=False):
        people = cell.people.select("respondent_id", own_subscriptions="subscriptions")
        for quantity, values in cell.values.items():
            own = values[0] if values.ndim == 3 else values
            for place, part in enumerate(cell.names):
                own_codes = published(part)
                if own_codes is None:
                    continue
                codes = key | {"quantity_code": quantity}
                series = "/".join((key["unit_code"], key["definition_code"], quantity, *own_codes))
                found.append(
                    people.with_columns(
                        **{name: pl.lit(code) for name, code in codes.items()},
                        period_code=pl.lit(period),
                        series=pl.lit(series),
                        contribution=pl.Series(own[:, place]),
                        waived_by=pl.lit(LOGS),
                    )
                )
    last = "/".join(["", *(published((ALL,) * len(given.breakdown.by)) or ())])
    wholes = whole.filter(
        ~is_month(pl.col("period_code")),
        pl.col("unit_code").is_in(list(UNIT.values())),
        pl.col("quantity_code").is_in(quantities),
    ).with_columns(series=pl.col("series") + last)
    return pl.concat([*found, wholes], how="diagonal_relaxed").with_columns(
        table_name=pl.lit(given.breakdown.table)
    )
