"""The part of an operator's gold tables that goes into its package: monthly sums, and the share of the period
that has logs."""

import datetime as dt
from dataclasses import dataclass

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.periods import last_day, months_of, period_bounds
from jobs.base.packages.costs import COST, VOLUME
from jobs.base.packages.counts import CELL, GOLD, GROUP, ROUTE, SUBMITTED_DIRECTIONS, find_disagreements
from jobs.base.packages.quality import QUALITY
from jobs.base.settings.operator import Operator
from jobs.base.store.lake import Lake, Partition, open_lake
from jobs.base.store.table_files import read_files
from jobs.base.tables.contracts import Row
from jobs.operators.formats.registry import KERNELS
from jobs.operators.gold.shared.origins import origin_code
from jobs.operators.packages.gold_costs import EFFORT, costs_of
from jobs.operators.packages.gold_quality import GOLD_QUALITY, quality_of
from jobs.operators.packages.smallcounts import groups_of, protect_rows, round_to_multiple

# So many days without a record may lie between two in one file and count as quiet: from Good Friday to Easter
# Monday. What is longer is more likely a log that was lost.
QUIET_DAYS = 4


# A source with fewer days than this share of another's, in percent, is reported: its part of the traffic is
# missing on days that the other has.
ALIKE_PCT = 90


@dataclass(frozen=True)
class Counts:
    """An operator's counts of a period.

    Attributes:
        withheld: the groups and definitions that are too small to leave.
        cells: by table, how many cells of the groups that leave gold has, and how many leave; the others
            joined one of these.
        partial: sources with few days, of partial_sources(); their names stay with the operator.
        computed_at: when gold was computed last, and code_revision by which code.
    """

    tables: dict[str, pl.DataFrame]
    withheld: list[dict[str, str]]
    cells: dict[str, tuple[int, int]]
    coverage: Row
    partial: list[Row]
    computed_at: dt.datetime
    code_revision: str


def counts_of(root: str, operator: Operator, period_code: str, threshold: int) -> Counts:
    """The counts, as the last finished run left gold. Raises ObservatoryError if there are none."""
    lake = open_lake(root)
    known = lake.versions()
    operator_id = operator.id
    daily = {
        table: rows_of(lake, gold, known.get(gold), operator_id, period_code) for table, gold in GOLD.items()
    }
    if daily[VOLUME].is_empty():
        raise ObservatoryError(
            f"gold has no volumes of operator '{operator_id}' in {period_code}: run its logs first"
        )
    daily[ROUTE] = add_other_end(daily[ROUTE])
    wrong = find_disagreements(daily)
    if wrong:
        raise ObservatoryError(
            "\n".join(f"{operator_id}, {period_code}: {line}: compute gold again" for line in wrong)
        )
    groups, withheld = groups_of(daily[VOLUME], threshold)
    tables, cells = {}, {}
    for table, rows in daily.items():
        levels, rest = CELL[table]
        tables[table] = protect_rows(rows, groups, levels, threshold, rest)
        of_group = tables[table].select(GROUP).unique()
        columns = [*GROUP, *(name for level in levels for name in level)]
        cells[table] = (
            count_distinct(rows.join(of_group, on=GROUP, how="semi"), columns),
            count_distinct(tables[table], columns),
        )
    if not groups:
        raise ObservatoryError(
            f"operator '{operator_id}' has fewer than {threshold} units of each kind in {period_code}:"
            " too few to leave it ([submission] least_units)"
        )
    tables[QUALITY] = quality_of(lake, known.get(GOLD_QUALITY), operator_id, tables[VOLUME], threshold)
    tables[COST] = costs_of(lake, known.get(EFFORT), operator, period_code, tables[VOLUME], threshold)
    ledger = lake.files(
        "bronze.file", known.get("bronze.file"), lambda each: each["operator_id"] == operator_id
    )
    files = read_files("bronze.file", ledger)
    return Counts(
        tables,
        [dict(zip((*GROUP, "definition_code"), each, strict=True)) for each in withheld],
        cells,
        {
            "days": count_days(daily[VOLUME], files),
            "sources": count_sources(files, months_of(period_code), threshold),
        },
        partial_sources(daily[VOLUME], files),
        *last_gold(lake),
    )


def count_distinct(rows: pl.DataFrame, columns: list[str]) -> int:
    return rows.select(columns).n_unique()


def rows_of(lake: Lake, table: str, version: int | None, operator_id: str, period_code: str) -> pl.DataFrame:
    """The table's rows of the operator and period, but transit, with the month as period_code."""
    first, last = map(str, period_bounds(period_code))

    def is_wanted(of_file: Partition) -> bool:
        return of_file["operator_id"] == operator_id and first <= str(of_file["period_date"]) <= last

    rows = read_files(table, lake.files(table, version, is_wanted))
    return rows.filter(
        pl.col("direction_code").is_in(SUBMITTED_DIRECTIONS), pl.col("units") > 0
    ).with_columns(pl.col("period_date").dt.strftime("%Y-%m").alias("period_code"))


def add_other_end(route: pl.DataFrame) -> pl.DataFrame:
    """Routes with the country and the link at their other end: of outbound traffic where it went and what it
    left by, of other where it came from, as all figures have it, and what it came in by; and with the kind of
    network crossed in between."""
    is_outbound = pl.col("direction_code") == "outbound"
    link = pl.when(is_outbound).then("outbound_link_code").otherwise("inbound_link_code")
    return route.with_columns(
        pl.when(is_outbound).then("destination_code").otherwise(origin_code()).alias("partner_country_code"),
        link.replace("_U", "unknown").alias("link_code"),
        pl.col("transit_code").replace("_U", "unknown"),
    )


def count_days(volume: pl.DataFrame, files: pl.DataFrame) -> list[Row]:
    """Count the days with logs of each month and channel: days with any count, and days within a log file of
    the channel. A small operator has quiet days, which are no gap."""
    by = ["period_code", "channel_code"]
    counted = volume.select(*by, "period_date").unique()
    quiet = logged_days(files, counted).join(counted.select(by).unique(), on=by)
    found = pl.concat([counted, quiet.select(counted.columns)]).unique()
    each = found.group_by(by).agg(pl.col("period_date").n_unique().alias("days")).sort(by)
    return [row | {"of": last_day(row["period_code"]).day} for row in each.to_dicts()]


def partial_sources(volume: pl.DataFrame, files: pl.DataFrame) -> list[Row]:
    """Sources with logs of under ALIKE_PCT of the days that another source of the channel has in the month:
    period_code, channel_code, source_id, its days and the most that one has."""
    by = ["period_code", "channel_code"]
    counted = volume.select(*by, "period_date").unique()
    each = (
        logged_days(files, counted)
        .join(counted.select(by).unique(), on=by)
        .group_by(*by, "source_id")
        .agg(pl.col("period_date").n_unique().cast(pl.Int64).alias("days"))
        .with_columns(pl.col("days").max().over(by).alias("most"))
    )
    return each.filter(100 * pl.col("days") < ALIKE_PCT * pl.col("most")).sort(*by, "source_id").to_dicts()


def logged_days(files: pl.DataFrame, counts: pl.DataFrame) -> pl.DataFrame:
    """The days of each source's log files, by channel: those with a record, and those between two such days
    of one file, at most QUIET_DAYS.

    The ledger has days with a record where a piece of a file begins and ends; the others are days on which
    something of the channel was counted. Files read by a profile are of the channels of `counts` that no
    other format carries.
    """
    carries = {
        name: list(each.channels) for name, each in KERNELS.items() if name in set(files["format_code"])
    }
    rest = sorted(set(counts["channel_code"]).difference(*carries.values()))
    carries |= {name: rest for name in carries if KERNELS[name].kind == "profile"}
    by = ["source_id", "stream_id", "format_code", "channel_code"]
    pieces = (
        files.drop_nulls(["first_event_date", "last_event_date"])
        .with_columns(
            pl.col("format_code")
            .replace_strict(carries, default=[], return_dtype=pl.List(pl.String))
            .alias("channel_code")
        )
        .explode("channel_code")
        .drop_nulls("channel_code")
    )
    spans = pieces.group_by(by).agg(pl.col("first_event_date").min(), pl.col("last_event_date").max())
    within = spans.join(counts.select("channel_code", "period_date"), on="channel_code").filter(
        pl.col("period_date").is_between("first_event_date", "last_event_date")
    )
    ends = (pieces.select(*by, pl.col(f"{end}_event_date").alias("period_date")) for end in ("first", "last"))
    seen = pl.concat([*ends, within.select(*by, "period_date")]).unique().sort(*by, "period_date")
    after = pl.col("period_date").shift(-1).over(by)
    is_quiet = (after - pl.col("period_date")).dt.total_days() <= QUIET_DAYS + 1
    until = pl.when(is_quiet).then(after).otherwise("period_date")
    return (
        seen.select("source_id", "channel_code", pl.date_ranges("period_date", until).alias("period_date"))
        .explode("period_date")
        .unique()
        .with_columns(pl.col("period_date").dt.strftime("%Y-%m").alias("period_code"))
    )


def count_sources(files: pl.DataFrame, months: tuple[str, ...], threshold: int) -> list[Row]:
    """Count the sources and lines of each log format, of pieces of files with records of the period.

    Lines leave in multiples of the threshold, as counts do: a line of an SMS log is a message.
    The sources' own names stay where they are: they may reveal hosts.
    """
    first, last = (pl.col(f"{end}_event_date").dt.strftime("%Y-%m") for end in ("first", "last"))
    of_period = files.filter(first <= months[-1], last >= months[0])
    found = of_period.group_by("format_code").agg(
        pl.col("source_id").n_unique().alias("sources"),
        round_to_multiple(pl.col("line_count").sum(), threshold).alias("lines"),
        round_to_multiple(pl.col("quarantined_count").sum(), threshold).alias("quarantined"),
    )
    return found.sort("format_code").to_dicts()


def last_gold(lake: Lake) -> tuple[dt.datetime, str]:
    """The time of gold's last computation, and the revision of the code that did it."""
    gold = lake.read("meta.run", where=pl.col("stage_name") == "gold").sort("finished_at")
    if gold.is_empty():
        raise ObservatoryError("no run has finished gold yet: run `observatory run` to its end")
    finished_at: dt.datetime = gold["finished_at"][-1]
    return finished_at, str(gold["code_revision"][-1])
