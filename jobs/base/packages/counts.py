"""The tables of counts in a package: monthly sums by the columns of each, and what all of them agree in."""

import polars as pl

from jobs.base.core.numbers import format_noun
from jobs.base.packages.costs import COST
from jobs.base.packages.quality import QUALITY
from jobs.base.tables.contracts import Row, read_contract

MEASURES = ["units", "spam_certain", "spam_possible"]
GROUP = ["period_code", "channel_code", "direction_code", "unit_code"]
# Transit is other operators' inbound and outbound.
SUBMITTED_DIRECTIONS = ("inbound", "internal", "outbound")
VOLUME, TYPE, SOURCE = "study.submission", "study.submission_type", "study.submission_source"
ROUTE = "study.submission_route"
GOLD = {
    VOLUME: "gold.spam_volume_daily",
    TYPE: "gold.spam_type_daily",
    SOURCE: "gold.spam_source_daily",
    ROUTE: "gold.spam_route_daily",
}
# What a package holds.
PACKAGE_TABLES = (*GOLD, QUALITY, COST)
# What distinguishes cells, parts of a cell and so on, and the cell that takes small ones.
CELL: dict[str, tuple[list[list[str]], tuple[str, ...] | None]] = {
    VOLUME: ([["stage_code", "outcome_code"]], None),
    TYPE: ([["spam_type_code"]], ("UNK",)),
    SOURCE: ([["source_country_code"]], ("_U",)),
    ROUTE: ([["partner_country_code"], ["link_code"], ["transit_code"]], ("_U",)),
}


def compute_totals(volume: pl.DataFrame) -> list[Row]:
    """Units of each group, under whichever definition: all count the same."""
    by_cell = volume.group_by(*GROUP, "stage_code", "outcome_code").agg(pl.col("units").max())
    return by_cell.group_by(GROUP).agg(pl.col("units").sum()).sort(GROUP).to_dicts()


def compute_sums(rows: pl.DataFrame) -> pl.DataFrame:
    """Sums by month, channel, direction, unit and definition: what all tables of a package agree in."""
    by = [*GROUP, "definition_code"]
    return rows.group_by(by).agg(pl.col(*MEASURES).sum()).sort(by)


def find_disagreements(tables: dict[str, pl.DataFrame]) -> list[str]:
    """Sums over types, sources or routes that are not those of the volumes."""
    by = [*GROUP, "definition_code"]
    volume = compute_sums(tables[VOLUME])
    wrong = []
    for table, rows in tables.items():
        if table not in GOLD:
            continue
        both = (
            volume.join(compute_sums(rows), on=by, how="full", coalesce=True, suffix="_other")
            .fill_null(0)
            .sort(by)
        )
        for measure in MEASURES:
            unequal = both.filter(pl.col(measure) != pl.col(f"{measure}_other"))
            if unequal.height:
                row = unequal.row(0, named=True)
                place = ", ".join(row[each] for each in by)
                wrong.append(
                    f"{read_contract(table).name}.csv: {measure} of {place} add up to"
                    f" {row[f'{measure}_other']:,},"
                    f" and those of {read_contract(VOLUME).name}.csv to {row[measure]:,}"
                    f" ({format_noun(unequal.height, 'difference')})"
                )
    return wrong
