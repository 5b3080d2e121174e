"""Parts of estimated spam: study.spam_type, study.spam_source and study.spam_route; and what they are
estimated from, study.respondent_part: parts of each respondent's volumes by type, source, route and fate.

- Types are the primary ones of messages as logs determine them (docs/counting.md).
- The country of a source is that of the connecting address for mail, of the number for text messages and
  calls (jobs/operators/gold/shared/origins.py).
- A route has the region that inbound traffic came from, the kind of link that it came in by, and the kind of
  network that it crossed before (docs/counting.md). Packages of the form before have no transit: unknown.

How parts are estimated: jobs/study/estimates/steps/volume_parts.py. In parts: all respondents of a channel,
unit and definition and all periods of a year, as spam_volume.

Counts of study.respondent_part are those of the days with logs, of what came in. A month whose parts do not
add up to its volumes has none of their kind. Who reads it scales parts to the volumes of
study.respondent_figure.
"""

from collections.abc import Sequence

import polars as pl

from jobs.base.figures.counting_rules import HAD_CONTENT, RECEIVED, STOPPED
from jobs.base.tables.series import ALL, PARTS, UNKNOWN
from jobs.base.tables.sql import parse_expression
from jobs.study.estimates.respondent_figure import CELL, RESPONDENT_CELL
from jobs.study.estimates.spam_volume import CORRECTED
from jobs.study.estimates.steps.days import keep_covered_months
from jobs.study.estimates.steps.part_estimates import estimate_parts
from jobs.study.estimates.steps.rows import MEASURES
from jobs.study.estimates.steps.sample import Reference, known_subscriptions
from jobs.study.estimates.steps.volume_parts import JOINED, Breakdown, join_regions, split_volumes

REGION, COUNTRY = "source_region_code", "source_country_code"
ORIGIN, LINK, TRANSIT = "origin_region_code", "link_code", "transit_code"
# Figures of all types may leave.
TYPES = Breakdown(
    "study.spam_type", "type", ("spam_type_code",), (), ("spam_certain", "spam_possible", CORRECTED),
    published=lambda part: part,
)  # fmt: skip
# Regions have rows with all of their countries; figures of single countries never leave.
SOURCES = Breakdown(
    "study.spam_source", "source", (REGION, COUNTRY), ((0,),), MEASURES,
    published=lambda part: part[:1] if part[1] == ALL else None, countries=False,
)  # fmt: skip
# Links by origin, origins, links, and transit; figures of links leave for all origins and networks together.
ROUTES = Breakdown(
    "study.spam_route", "route", (ORIGIN, LINK, TRANSIT), ((0, 1), (0,), (1,), (2,)), MEASURES,
    published=lambda part: part[:2] if part[0] in (PARTS, ALL) and part[2] == ALL else None, countries=False,
)  # fmt: skip
BREAKDOWNS = (TYPES, SOURCES, ROUTES)
# Channels whose senders have numbers; those of others have addresses.
NUMBERED = ("SMS", "MMS", "RCS", "VOICE_CS", "VOICE_IP", "FAX")
# The code of a link that the settings do not name, and of transit that no log recorded.
UNKNOWN_LINK = "unknown"
# A package's units as figures have them: the one permitted sum of two, and calls.
COUNTED = {"recipient": "attempted", "attempt": "attempted", "call": "call"}
# Fates: with content or before, and stopped or not.
FATE, CONTENT, BEFORE, STOP, PASS = "fate", "content", "before", "stopped", "passed"


def respondent_part(
    submission: pl.DataFrame,
    submission_type: pl.DataFrame,
    submission_source: pl.DataFrame,
    submission_route: pl.DataFrame,
    country: pl.DataFrame,
) -> pl.DataFrame:
    """A row for each respondent, period, channel, unit, definition and part of a kind."""
    covered = keep_covered_months(submission)
    sources = join_regions(submission_source, country, "source_country_code", REGION)
    routes = join_regions(submission_route, country, "partner_country_code", ORIGIN)
    placed = zip(BREAKDOWNS, (submission_type, sources, routes), strict=True)
    parts = pl.concat(
        [
            *(sum_parts(rows, each.kind, each.by) for each, rows in placed),
            sum_parts(covered.with_columns(*name_fate()), FATE, ("seen", "fate")),
        ]
    )
    whole = sum_parts(covered, "", ()).select(*RESPONDENT_CELL, *MEASURES)
    sums = parts.group_by(*RESPONDENT_CELL, "part_kind_code").agg(pl.col(MEASURES).sum())
    added_up = sums.join(whole, on=[*RESPONDENT_CELL, *MEASURES], how="semi")
    return parts.join(added_up, on=[*RESPONDENT_CELL, "part_kind_code"], how="semi")


def name_fate() -> tuple[pl.Expr, pl.Expr]:
    """Return whether the respondent had the content of a row's messages, and whether it stopped them."""
    stopped = pl.col("outcome_code").is_in(STOPPED)
    return (
        pl.when(parse_expression(HAD_CONTENT)).then(pl.lit(CONTENT)).otherwise(pl.lit(BEFORE)).alias("seen"),
        pl.when(stopped).then(pl.lit(STOP)).otherwise(pl.lit(PASS)).alias("fate"),
    )


def sum_parts(rows: pl.DataFrame, kind: str, by: Sequence[str]) -> pl.DataFrame:
    """Sums of a package's rows by RESPONDENT_CELL and the codes of a part."""
    codes = pl.concat_str(by, separator=JOINED) if by else pl.lit("")
    return (
        rows.filter(pl.col("direction_code").is_in(RECEIVED), pl.col("unit_code").is_in(list(COUNTED)))
        .with_columns(pl.col("unit_code").replace(COUNTED), part_kind_code=pl.lit(kind), part_codes=codes)
        .group_by(*RESPONDENT_CELL, "part_kind_code", "part_codes")
        .agg(pl.col(MEASURES).sum())
    )


def spam_type(
    respondent_figure: pl.DataFrame,
    respondent_part: pl.DataFrame,
    spam_volume: pl.DataFrame,
    definition: pl.DataFrame,
    reference: Reference,
) -> pl.DataFrame:
    """A row for each area, quantity and type of a period, channel, unit and definition."""
    given = split_volumes(respondent_figure, respondent_part, TYPES)
    return estimate_parts(given, spam_volume, definition, reference)


def spam_source(
    respondent_figure: pl.DataFrame,
    respondent_part: pl.DataFrame,
    spam_volume: pl.DataFrame,
    definition: pl.DataFrame,
    reference: Reference,
) -> pl.DataFrame:
    """A row for each area but countries, quantity and source of a period, channel, unit and definition."""
    given = split_volumes(respondent_figure, respondent_part, SOURCES)
    rows = estimate_parts(given, spam_volume, definition, reference)
    is_number = pl.col("channel_code").is_in(list(NUMBERED))
    return add_rates(rows, reference.denominator).with_columns(
        source_basis_code=pl.when(is_number).then(pl.lit("number")).otherwise(pl.lit("address"))
    )


def spam_route(
    respondent_figure: pl.DataFrame,
    respondent_part: pl.DataFrame,
    spam_volume: pl.DataFrame,
    definition: pl.DataFrame,
    reference: Reference,
) -> pl.DataFrame:
    """A row for each area but countries, quantity, origin, link and transit of a period, channel, unit and
    definition."""
    given = split_volumes(respondent_figure, respondent_part, ROUTES)
    return add_link_shares(estimate_parts(given, spam_volume, definition, reference))


def add_rates(rows: pl.DataFrame, denominator: pl.DataFrame) -> pl.DataFrame:
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
    sources = rows.select(*of, *SOURCES.by).unique().filter(pl.col(COUNTRY) != ALL)
    single = sources.join(known, on=[*of, COUNTRY], how="left")
    subscriptions = pl.col("source_subscriptions")
    regions = (
        single.filter(pl.col(REGION) != UNKNOWN)
        .group_by(*of, REGION)
        .agg(pl.when(subscriptions.is_not_null().all()).then(subscriptions.sum()))
        .with_columns(pl.lit(ALL).alias(COUNTRY))
    )
    both = pl.concat([each.select(*of, *SOURCES.by, "source_subscriptions") for each in (single, regions)])
    found = rows.drop("source_subscriptions").join(both, on=[*of, *SOURCES.by], how="left")
    rate = 1000 * pl.col("estimate").cast(pl.Float64) / subscriptions
    return found.with_columns(
        subscriptions.cast(pl.Int64),
        per_thousand_source_subscriptions=pl.when(subscriptions > 0).then(rate.round(6)),
    )


def add_link_shares(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of known links, and of known networks crossed in between, with their share of what came from the
    origin by known ones, and that base."""
    estimate = pl.col("estimate").cast(pl.Float64)
    found = rows.with_columns(
        pl.lit(None, pl.Float64).alias(name) for name in ("base_estimate", "base_share_pct")
    )
    for own, other in ((LINK, TRANSIT), (TRANSIT, LINK)):
        cell = ["period_code", "area_code", *CELL, "quantity_code", ORIGIN, other]
        is_known = ~pl.col(own).is_in([ALL, UNKNOWN_LINK]) & (pl.col(other) == ALL)
        base = pl.when(is_known).then(estimate.filter(is_known).sum().over(cell))
        share = pl.when(base > 0).then((100 * estimate / base).round(4))
        found = found.with_columns(
            base_estimate=pl.coalesce("base_estimate", base),
            base_share_pct=pl.coalesce("base_share_pct", share),
        )
    return found
