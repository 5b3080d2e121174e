"""study.mirror: traffic from one region to another, as operators of either region counted it.

The two never agree: hubs stand in between, origins are forged, senders stop some themselves, and not every
operator answers. So the discrepancy is an indicator of a pair of regions and of a kind of link, not an error
to be spread over them. What leaves by a hub and comes in by a SIM farm shows by link, while the totals may
agree.

A pair of regions adds up the pairs of countries of which both report, so that neither side has traffic that
nobody on the other could have seen. Behind a side stand the holdings that had any of it, not all that
answered.
"""

import polars as pl

from jobs.base.figures.counting_rules import RECEIVED_MEASURES, SENT_MEASURES
from jobs.base.tables.validity import holds_on
from jobs.study.estimates.steps.days import keep_covered_months
from jobs.study.estimates.steps.rows import OWNERS, last_day, round_decimal, sum_or_null
from jobs.study.estimates.steps.volume_parts import join_regions

FIGURE = ["period_code", "channel_code", "measure_code", "definition_code"]
REGIONS = ["origin_region_code", "destination_region_code"]
PAIR = [*FIGURE, *REGIONS, "link_code"]
COUNTRIES = ["origin_code", "destination_code"]
MEASURES = ["units", "spam_certain", "spam_possible"]
# A country or region that a side does not know, and the row of all links.
UNKNOWN, ALL = "_U", "_T"


def transform(
    submission_route: pl.DataFrame, operator_frame: pl.DataFrame, country: pl.DataFrame
) -> pl.DataFrame:
    """One row a pair of regions and kind of link, and one for all links, where one side reports any; the
    countries of one region are a pair, too.

    Both countries of a pair have to report the cell: senders what they sent, receivers what they got. What
    one of them does not report of the other is then 0, as far as it is not among what it does not place.
    Months of which an operator's logs lack many days are left out; a few days that are missing are not made
    up for.
    In parts: a row needs all respondents of a cell, so the key is period_code, channel_code and
    definition_code.
    """
    given = keep_covered_months(submission_route)
    people = frame_by_month(operator_frame, submission_route, country)
    sent = report_side(given, country, "outbound", SENT_MEASURES, *COUNTRIES)
    received = report_side(given, country, "inbound", RECEIVED_MEASURES, *COUNTRIES[::-1])
    mirrored = {
        "sent": (keep_mirrored(sent, received, "destination_code"), sent, "origin"),
        "received": (keep_mirrored(received, sent, "origin_code"), received, "destination"),
    }
    pairs = pl.concat(pair.select(*FIGURE, *REGIONS, *COUNTRIES) for pair, *_ in mirrored.values()).unique()
    beside = pairs.group_by(*FIGURE, *REGIONS).agg(country_pair_count=pl.len().cast(pl.Int64))
    links = pl.concat(pair.select(PAIR) for pair, *_ in mirrored.values()).unique()
    beside = beside.join(links, on=[*FIGURE, *REGIONS])
    for name, (pair, side, end) in mirrored.items():
        region = [*FIGURE, f"{end}_region_code"]
        sums = pair.group_by(PAIR).agg(pl.col(MEASURES).sum().name.prefix(f"{name}_"))
        beside = (
            beside.join(sums, on=PAIR, how="left")
            .join(count_holdings(pair, people, name), on=[*FIGURE, *REGIONS], how="left")
            .join(reporting_operators(side, people, end, name), on=region)
            .join(unplaced_units(side, end, name), on=region, how="left")
        )
    counted = (*MEASURES, "unplaced_units", "holding_count")
    figures = [f"{name}_{of}" for name in mirrored for of in counted]
    beside = beside.with_columns(pl.col(figures).fill_null(0))
    difference = pl.col("sent_units") - pl.col("received_units")
    larger = pl.max_horizontal("sent_units", "received_units")
    # Ten digits, then four: a decimal is divided to the digits that its numerator has.
    share = difference.cast(pl.Decimal(38, 10)) * 100 / pl.when(larger != 0).then(larger)
    few = pl.min_horizontal("sent_holding_count", "received_holding_count") < OWNERS
    return beside.with_columns(
        discrepancy_units=difference,
        discrepancy_pct=share.round(4, mode="half_away_from_zero"),
        is_within_unplaced=(difference <= pl.col("received_unplaced_units"))
        & (-difference <= pl.col("sent_unplaced_units")),
        conf_status_code=pl.when(few).then(pl.lit("C")).otherwise(pl.lit("N")),
    )


def report_side(
    route: pl.DataFrame,
    country: pl.DataFrame,
    direction: str,
    measures: dict[str, str],
    home: str,
    partner: str,
) -> pl.DataFrame:
    """The reports of one side, with the countries by their part in it and their regions; each row under its
    link and under all links.

    Args:
        route: volumes between two countries by respondent.
        direction: a code of direction: inbound or outbound.
        measures: the measure that each unit counts as.
        home, partner: the columns that name the respondent's country and the other one.
    """
    rows = route.filter(
        (pl.col("direction_code") == direction) & pl.col("unit_code").is_in(list(measures))
    ).select(
        "period_code",
        "channel_code",
        "definition_code",
        "respondent_id",
        "link_code",
        pl.col("unit_code").replace_strict(measures, return_dtype=pl.String).alias("measure_code"),
        pl.col("country_code").alias(home),
        pl.col("partner_country_code").alias(partner),
        *MEASURES,
    )
    for of, region in zip(COUNTRIES, REGIONS, strict=True):
        rows = join_regions(rows, country, of, region)
    return pl.concat([rows, rows.with_columns(link_code=pl.lit(ALL))])


def keep_mirrored(own: pl.DataFrame, other: pl.DataFrame, partner: str) -> pl.DataFrame:
    """A side's reports of other countries that have a region and report the cell themselves."""
    is_pair = pl.col("origin_code") != pl.col("destination_code")
    has_regions = pl.all_horizontal(pl.col(REGIONS) != UNKNOWN)
    reporting = [*FIGURE, partner]
    return own.filter(is_pair & has_regions).join(other.select(reporting), on=reporting, how="semi")


def count_holdings(pair: pl.DataFrame, people: pl.DataFrame, name: str) -> pl.DataFrame:
    """Owners of the operators that had anything of each pair of regions. One that the frame does not list is
    an owner of its own."""
    of = ["period_code", "channel_code", "respondent_id"]
    owners = people.select(*of, "holding_id").unique(of)
    return (
        pair.filter(pl.col("units") > 0)
        .join(owners, on=of, how="left")
        .group_by(*FIGURE, *REGIONS)
        .agg(
            pl.coalesce("holding_id", "respondent_id")
            .n_unique()
            .cast(pl.Int64)
            .alias(f"{name}_holding_count")
        )
    )


def reporting_operators(routes: pl.DataFrame, people: pl.DataFrame, end: str, name: str) -> pl.DataFrame:
    """The operators of each region that report a cell: how many they are, and what share of the region's
    subscriptions they have."""
    region = f"{end}_region_code"
    in_frame = people.rename({"region_code": region})
    by = ["period_code", "channel_code", region]
    of_all = in_frame.group_by(by).agg(of_all=sum_or_null(pl.col("subscriptions")))
    share = pl.col("of_tellers") * 100 / pl.when(pl.col("of_all") != 0).then(pl.col("of_all"))
    return (
        routes.select(*FIGURE, region, "respondent_id")
        .unique()
        .join(in_frame, on=[*by, "respondent_id"], how="left")
        .group_by(*FIGURE, region)
        .agg(
            pl.len().cast(pl.Int64).alias(f"{name}_respondent_count"),
            of_tellers=sum_or_null(pl.col("subscriptions")),
        )
        .join(of_all, on=by, how="left")
        .with_columns(round_decimal(share, 2).alias(f"{name}_coverage_pct"))
        .drop("of_tellers", "of_all")
    )


def frame_by_month(operator_frame: pl.DataFrame, route: pl.DataFrame, country: pl.DataFrame) -> pl.DataFrame:
    """The operators of the frame in each month with their regions, as of its last day."""
    months = route.select("period_code").unique()
    rows = (
        operator_frame.join(months, how="cross")
        .filter(holds_on(last_day(pl.col("period_code"))))
        .select("period_code", "channel_code", "country_code", "respondent_id", "holding_id", "subscriptions")
    )
    return join_regions(rows, country, "country_code", "region_code")


def unplaced_units(routes: pl.DataFrame, end: str, name: str) -> pl.DataFrame:
    """Units to or from an unknown country that a region's operators report, over all links: where the
    country is unknown, the link may be, too."""
    partner = "destination_code" if end == "origin" else "origin_code"
    return (
        routes.filter((pl.col(partner) == UNKNOWN) & (pl.col("link_code") == ALL))
        .group_by(*FIGURE, f"{end}_region_code")
        .agg(pl.col("units").sum().alias(f"{name}_unplaced_units"))
    )
