"""Columns that follow from the published rows of a release alone: rates, shares, ranks, unit costs, intervals
of changes (change_intervals.py).

They are made last, of rows as they leave, so that they show nothing that these do not. A rate has an
interval, since its denominator is one number for both ends. A share has none, nor has money for 1,000 units:
how the errors of the two estimates go together is not published, and the widest that both intervals leave
open says little.
"""

from collections.abc import Callable, Mapping, Sequence

import polars as pl

from jobs.base.figures.areas import REGION
from jobs.base.figures.counting_rules import OPERATOR
from jobs.base.figures.own_figures import ALL as UNITS
from jobs.base.figures.own_figures import COUNTED
from jobs.base.tables.contracts import list_codes
from jobs.base.tables.public_contracts import PublicContract, public_contract
from jobs.base.tables.series import ALL, PARTS, UNPLACED
from jobs.study.disclosure.coarse import coarsen_digits, coarsen_outward
from jobs.study.public.change_intervals import add_change_intervals
from jobs.study.public.tables import digits_of

AREA, AREA_KIND = "area_code", "area_kind_code"
LOW, FIGURE, HIGH = "estimate_low", "estimate", "estimate_high"
BAND, RELEASE = "cv_band_code", "stands_from"
RATES = {FIGURE: ("rate_per_subscription", 0), LOW: ("rate_low", -1), HIGH: ("rate_high", 1)}


def derive_columns(
    rows: pl.DataFrame, contract: PublicContract, public: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:
    """The published rows with the columns that their contract derives; others as they are.

    Args:
        public: all that leaves, before any column was derived.
    """
    wanted = {each.by for each in contract.columns if each.way == "derived"}
    for name, add in ADDED.items():
        if name in wanted:
            rows = select_contracted(add(rows, contract), contract)
    if "change" in wanted and contract.protect is not None and contract.protect.whole is not None:
        rows = select_contracted(add_change_intervals(rows, public[contract.protect.whole]), contract)
    if contract.thousand is None:
        return rows
    return select_contracted(add_unit_costs(rows, contract, public[contract.thousand]), contract)


def select_contracted(rows: pl.DataFrame, contract: PublicContract) -> pl.DataFrame:
    return rows.select(pl.col(each).cast(kind) for each, kind in contract.schema.items())


def figure_digits(rows: pl.DataFrame, contract: PublicContract) -> list[int]:
    """The significant digits of each row's estimate."""
    (figure,) = (each for each in contract.columns if each.field.name == FIGURE)
    return digits_of(rows, figure)


def add_rates(rows: pl.DataFrame, contract: PublicContract) -> pl.DataFrame:
    """Estimates and their ends for each subscription: null where no subscription is known."""
    digits = figure_digits(rows, contract)
    people = rows["area_subscriptions"].to_list()
    found = []
    for name, (rate, outward) in RATES.items():
        values = [
            None
            if value is None or not of
            else coarsen_outward(value / of, count, outward)
            if outward
            else coarsen_digits(value / of, count)
            for value, of, count in zip(rows[name].cast(pl.Float64).to_list(), people, digits, strict=True)
        ]
        found.append(pl.Series(rate, values, dtype=pl.Float64))
    return rows.with_columns(found)


def add_shares(rows: pl.DataFrame, contract: PublicContract) -> pl.DataFrame:
    """Estimates as shares of the row that the contract names, of which both are of one release; of wholes
    none."""
    is_base = pl.all_horizontal(pl.col(name) == code for name, code in contract.share.items())
    is_whole = pl.all_horizontal(pl.col(name) == ALL for name in contract.share)
    by = [name for name in contract.key if name not in contract.share]
    rows = rows.with_columns(digits=pl.Series(figure_digits(rows, contract), dtype=pl.Int64))
    share = pl.when(~is_base & ~is_whole)
    return add_quotients(rows, rows.filter(is_base), by, 100).with_columns(
        share_pct=share.then(pl.col("quotient").clip(upper_bound=100)),
        share_cv_band_code=share.then("worse_band"),
    )


def add_unit_costs(rows: pl.DataFrame, contract: PublicContract, spam_volume: pl.DataFrame) -> pl.DataFrame:
    """Money for each 1,000 messages or calls, refused attempts included, that the same release has of the
    area, channel and period."""
    assert contract.thousand is not None
    volumes = public_contract(contract.thousand)
    units = spam_volume.filter(
        pl.col("unit_code").is_in(COUNTED), quantity_code=UNITS, definition_code=OPERATOR
    )
    units = units.with_columns(digits=pl.Series(figure_digits(units, volumes), dtype=pl.Int64))
    rows = rows.with_columns(digits=pl.Series(figure_digits(rows, contract), dtype=pl.Int64))
    by = [name for name in contract.key if name in volumes.key]
    return add_quotients(rows, units, by, 1000).with_columns(
        cost_per_thousand="quotient", thousand_cv_band_code="worse_band"
    )


def add_quotients(rows: pl.DataFrame, base: pl.DataFrame, by: Sequence[str], times: float) -> pl.DataFrame:
    """Rows with `quotient`: so many times their estimate over that of the base with the same codes, with the
    digits of the rougher one; and with `worse_band`, the worse of both bands. Both are null where the base
    is missing, nothing, or of another release.

    Args:
        rows, base: have `digits`.
    """
    taken = (FIGURE, BAND, RELEASE, "digits")
    base = base.select(*by, *(pl.col(name).name.suffix("_of_base") for name in taken))
    both = rows.join(base, on=by, how="left", maintain_order="left")
    part, whole = (pl.col(name).cast(pl.Float64) for name in (FIGURE, f"{FIGURE}_of_base"))
    is_one = (whole > 0) & pl.col(RELEASE).eq_missing(pl.col(f"{RELEASE}_of_base"))
    found = both.select(
        quotient=pl.when(is_one).then(times * part / whole),
        digits=pl.min_horizontal("digits", "digits_of_base"),
    )
    values = [None if value is None else coarsen_digits(value, count) for value, count in found.rows()]
    # The list has bands in the order of reliability.
    listed = pl.Enum(list_codes("cv_band"))
    bands = [pl.col(name).cast(listed) for name in (BAND, f"{BAND}_of_base")]
    is_worse = bands[1].to_physical() > bands[0].to_physical()
    return both.with_columns(
        pl.Series("quotient", values, dtype=pl.Float64),
        worse_band=pl.when(is_one & is_worse.is_not_null()).then(
            pl.when(is_worse).then(bands[1]).otherwise(bands[0])
        ),
    )


def add_ranks(rows: pl.DataFrame, contract: PublicContract) -> pl.DataFrame:
    """The best and the worst rank that intervals leave open: of regions by their rates, since other areas
    overlap, and of parts of a whole by their estimates. Wholes and parts of unknown kind have none; nor has a
    row without interval, or one that is alone."""
    assert contract.rank is not None
    is_area = contract.rank == AREA
    low, high = (RATES[end][0] if is_area else end for end in (LOW, HIGH))
    by = [name for name in contract.key if name != contract.rank]
    # Codes that others add up to are no part beside them.
    sums = contract.protect.shape.sums.get(contract.rank, {}) if contract.protect else {}
    is_part = ~pl.col(contract.rank).is_in([ALL, PARTS, *UNPLACED, *sums])
    ranked = (
        rows.filter(pl.col(AREA_KIND) == REGION if is_area else is_part)
        .select(*contract.key, low=low, high=high)
        .filter(pl.len().over(by) > 1)
    )
    others = ranked.select(*by, other_low="low", other_high="high")
    counted = (
        ranked.drop_nulls(["low", "high"])
        .join(others, on=by)
        .group_by(contract.key)
        .agg(
            rank_from=1 + (pl.col("other_low") > pl.col("high")).fill_null(False).sum(),
            rank_to=(pl.col("other_high") >= pl.col("low")).fill_null(True).sum(),
        )
    )
    return rows.drop("rank_from", "rank_to").join(counted, on=contract.key, how="left", maintain_order="left")


ADDED: Mapping[str, Callable[[pl.DataFrame, PublicContract], pl.DataFrame]] = {
    "rate": add_rates,
    "share": add_shares,
    "rank": add_ranks,
}
