"""study.spam_source: estimated spam that regions, groups and the world received, by country of its source.

The country of a package's row is that of the connecting address for mail, of the number for text messages and
calls (jobs/operators/gold/shared/origins.py); how parts are estimated: jobs/study/estimates/steps/parts.py.
"""

import polars as pl

from jobs.base.tables.series import ALL
from jobs.study.estimates.steps.part_rows import estimate_parts
from jobs.study.estimates.steps.parts import UNKNOWN, join_regions, split_volumes
from jobs.study.estimates.steps.rows import MEASURES
from jobs.study.estimates.steps.sample import Reference, known_subscriptions

TABLE = "study.spam_source"
REGION, COUNTRY = BY = ("source_region_code", "source_country_code")
# Regions, with all of their countries.
MARGINS = ((0,),)
QUANTITIES = MEASURES
# Channels whose senders have numbers; those of others have addresses.
NUMBERED = ("SMS", "MMS", "RCS", "VOICE_CS", "VOICE_IP", "FAX")


def published_codes(part: tuple[str, ...]) -> tuple[str, ...] | None:
    """The codes of a part in a series: its region; figures of single countries never leave."""
    return part[:1] if part[1] == ALL else None


def transform(
    respondent_figure: pl.DataFrame,
    submission: pl.DataFrame,
    submission_source: pl.DataFrame,
    spam_volume: pl.DataFrame,
    definition: pl.DataFrame,
    operator_frame: pl.DataFrame,
    denominator: pl.DataFrame,
    country: pl.DataFrame,
    country_group: pl.DataFrame,
) -> pl.DataFrame:
    """A row for each area but countries, quantity and source of a period, channel, unit and definition.

    In parts: all respondents of a channel, unit and definition and all periods of a year, as spam_volume.
    """
    part = with_region(submission_source, country)
    given = split_volumes(respondent_figure, submission, part, BY, MARGINS)
    reference = Reference(operator_frame, denominator, country, country_group)
    rows = estimate_parts(TABLE, given, spam_volume, definition, reference, QUANTITIES, countries=False)
    is_number = pl.col("channel_code").is_in(list(NUMBERED))
    return with_rates(rows, denominator).with_columns(
        source_basis_code=pl.when(is_number).then(pl.lit("number")).otherwise(pl.lit("address"))
    )


def with_region(submission_source: pl.DataFrame, country: pl.DataFrame) -> pl.DataFrame:
    """Packages' sources with the ITU region of each country."""
    return join_regions(submission_source, country, COUNTRY, REGION)


def with_rates(rows: pl.DataFrame, denominator: pl.DataFrame) -> pl.DataFrame:
    """Rows with the subscriptions of the source, and with the estimate for each thousand of them.

    Those of a region are of all of its countries that anyone received from, and null where one has none.
    """
    of = ["period_code", "channel_code"]
    kinds = dict.fromkeys((*of, COUNTRY), pl.String) | {"source_subscriptions": pl.Float64}
    known = pl.DataFrame(
        [
            (period, channel, country, subscriptions)
            for period, channel in rows.select(of).unique().rows()
            for country, subscriptions in known_subscriptions(denominator, channel, period).items()
        ],
        schema=kinds,
        orient="row",
    )
    sources = rows.select(*of, *BY).unique().filter(pl.col(COUNTRY) != ALL)
    single = sources.join(known, on=[*of, COUNTRY], how="left")
    subscriptions = pl.col("source_subscriptions")
    regions = (
        single.filter(pl.col(REGION) != UNKNOWN)
        .group_by(*of, REGION)
        .agg(pl.when(subscriptions.is_not_null().all()).then(subscriptions.sum()))
        .with_columns(pl.lit(ALL).alias(COUNTRY))
    )
    both = pl.concat([each.select(*of, *BY, "source_subscriptions") for each in (single, regions)])
    found = rows.drop("source_subscriptions").join(both, on=[*of, *BY], how="left")
    rate = 1000 * pl.col("estimate").cast(pl.Float64) / subscriptions
    return found.with_columns(
        subscriptions.cast(pl.Int64),
        per_thousand_source_subscriptions=pl.when(subscriptions > 0).then(rate.round(6)),
    )
