"""study.mirror: what operators of a country say they sent to another, beside what those of the other got.

The two never agree: hubs stand in between, origins are forged, senders stop some themselves, and not every
operator of a country answers. So the discrepancy is an indicator of a pair of countries and of a kind of
link, not an error to be spread over them. What leaves by a hub and comes in by a SIM farm shows by link,
while the totals may agree.
"""

import polars as pl

from jobs.core.areas import holds_on
from jobs.core.counting_rules import RECEIVED_MEASURES, SENT_MEASURES
from jobs.study.estimate.days import keep_covered_months
from jobs.study.estimate.rows import OWNERS, last_day, sum_or_null, to_decimal

CELL = ["period_code", "channel_code", "measure_code", "definition_code"]
PAIR = [*CELL, "origin_code", "destination_code", "link_code"]
MEASURES = ["units", "spam_certain", "spam_possible"]
# A country that a side does not know, and the row of all links.
UNKNOWN, ALL = "_U", "_T"


def transform(submission_route: pl.DataFrame, operator_frame: pl.DataFrame) -> pl.DataFrame:
    """One row a pair of countries and kind of link, and one for all links, where one side reports any.

    Both countries have to report the cell: senders what they sent, receivers what they got. What one of them
    does not report of the other is then 0, as far as it is not among what it does not place. Months of which
    an operator's logs lack many days are left out; a few days that are missing are not made up for.
    In parts: a row needs all respondents of a cell, so the key is period_code, channel_code and
    definition_code.
    """
    given = keep_covered_months(submission_route)
    sent = report_side(given, "outbound", SENT_MEASURES, "origin_code", "destination_code", "sent")
    received = report_side(given, "inbound", RECEIVED_MEASURES, "destination_code", "origin_code", "received")
    people = frame_by_month(operator_frame, submission_route)
    origin, destination = [*CELL, "origin_code"], [*CELL, "destination_code"]
    figures = [f"{name}_{each}" for name in ("sent", "received") for each in (*MEASURES, "unplaced_units")]
    beside = (
        sum_pairs(sent, "destination_code")
        .join(sum_pairs(received, "origin_code"), on=PAIR, how="full", coalesce=True)
        .join(reporting_countries(sent, people, "origin_code", "sent"), on=origin)
        .join(reporting_countries(received, people, "destination_code", "received"), on=destination)
        .join(unplaced_units(sent, "origin_code", "destination_code", "sent"), on=origin, how="left")
        .join(
            unplaced_units(received, "destination_code", "origin_code", "received"),
            on=destination,
            how="left",
        )
        .with_columns(pl.col(figures).fill_null(0))
    )
    difference = pl.col("sent_units") - pl.col("received_units")
    larger = pl.max_horizontal("sent_units", "received_units")
    # Ten digits, then four: a decimal is divided to the digits that its numerator has.
    share = difference.cast(pl.Decimal(38, 10)) * 100 / pl.when(larger != 0).then(larger)
    few = pl.min_horizontal("sent_holding_count", "received_holding_count") < OWNERS
    return beside.select(
        *PAIR,
        *(f"{name}_{measure}" for name in ("sent", "received") for measure in MEASURES),
        "sent_unplaced_units",
        "received_unplaced_units",
        "sent_respondent_count",
        "received_respondent_count",
        "sent_holding_count",
        "received_holding_count",
        "sent_coverage_pct",
        "received_coverage_pct",
        discrepancy_units=difference,
        discrepancy_pct=share.round(4, mode="half_away_from_zero"),
        is_within_unplaced=(difference <= pl.col("received_unplaced_units"))
        & (-difference <= pl.col("sent_unplaced_units")),
        conf_status_code=pl.when(few).then(pl.lit("C")).otherwise(pl.lit("N")),
    )


def report_side(
    route: pl.DataFrame, direction: str, measures: dict[str, str], home: str, partner: str, name: str
) -> pl.DataFrame:
    """The reports of one side, with the countries by their part in it; each row under its link and under all
    links."""
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
        *(pl.col(each).alias(f"{name}_{each}") for each in MEASURES),
    )
    return pl.concat([rows, rows.with_columns(link_code=pl.lit(ALL))])


def sum_pairs(routes: pl.DataFrame, partner: str) -> pl.DataFrame:
    """Sums of a side over each pair of two countries."""
    names = [each for each in routes.columns if each.endswith(tuple(MEASURES))]
    return (
        routes.filter((pl.col("origin_code") != pl.col("destination_code")) & (pl.col(partner) != UNKNOWN))
        .group_by(PAIR)
        .agg(pl.col(names).sum())
    )


def reporting_countries(routes: pl.DataFrame, people: pl.DataFrame, home: str, name: str) -> pl.DataFrame:
    """The countries that report a cell: how many of their operators do, and what share of subscriptions
    these have."""
    in_frame = people.rename({"country_code": home})
    by = ["period_code", "channel_code", home]
    of_all = in_frame.group_by(by).agg(of_all=sum_or_null(pl.col("subscriptions")))
    share = pl.col("of_tellers") * 100 / pl.when(pl.col("of_all") != 0).then(pl.col("of_all"))
    return (
        routes.select(*CELL, home, "respondent_id")
        .unique()
        .join(in_frame, on=[*by, "respondent_id"], how="left")
        .group_by(*CELL, home)
        .agg(
            pl.len().cast(pl.Int64).alias(f"{name}_respondent_count"),
            # One that the frame does not list is an owner of its own.
            pl.coalesce("holding_id", "respondent_id")
            .n_unique()
            .cast(pl.Int64)
            .alias(f"{name}_holding_count"),
            of_tellers=sum_or_null(pl.col("subscriptions")),
        )
        .join(of_all, on=by, how="left")
        .with_columns(to_decimal(share, 2).alias(f"{name}_coverage_pct"))
        .drop("of_tellers", "of_all")
    )


def frame_by_month(operator_frame: pl.DataFrame, route: pl.DataFrame) -> pl.DataFrame:
    """The operators of the frame in each month, as of its last day."""
    months = route.select("period_code").unique()
    return (
        operator_frame.join(months, how="cross")
        .filter(holds_on(last_day(pl.col("period_code"))))
        .select("period_code", "channel_code", "country_code", "respondent_id", "holding_id", "subscriptions")
    )


def unplaced_units(routes: pl.DataFrame, home: str, partner: str, name: str) -> pl.DataFrame:
    """Units to or from no known country that a country's operators report, by all links: who does not know
    the one may not know the other."""
    return (
        routes.filter((pl.col(partner) == UNKNOWN) & (pl.col("link_code") == ALL))
        .group_by(*CELL, home)
        .agg(pl.col(f"{name}_units").sum().alias(f"{name}_unplaced_units"))
    )
