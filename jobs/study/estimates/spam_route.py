"""study.spam_route: estimated spam that regions, groups and the world received, by region of origin, kind of
inbound link and kind of network crossed in between.

Origin, link and transit are those of packages' routes: of what came in where it came from, by which kind of
link, and what kind of network it crossed before (docs/counting.md). Packages of the form before have no
transit: it is unknown. How parts are estimated: jobs/study/estimates/steps/parts.py.
"""

from __future__ import annotations

import polars as pl

from jobs.base.tables.series import ALL, PARTS
from jobs.study.estimates.respondent_figure import CELL
from jobs.study.estimates.steps.part_rows import estimate_parts
from jobs.study.estimates.steps.parts import join_regions, split_volumes
from jobs.study.estimates.steps.rows import MEASURES
from jobs.study.estimates.steps.sample import Reference

TABLE = "study.spam_route"
ORIGIN, LINK, TRANSIT = BY = ("origin_region_code", "link_code", "transit_code")
# Links by origin, origins, links, and transit.
MARGINS = ((0, 1), (0,), (1,), (2,))
QUANTITIES = MEASURES
# The code of a link that the settings do not name, and of transit that no log recorded.
UNKNOWN_LINK = "unknown"


def published_codes(part: tuple[str, ...]) -> tuple[str, ...] | None:
    """The codes of a part in a series: figures of links leave for all origins and networks together."""
    return part[:2] if part[0] in (PARTS, ALL) and part[2] == ALL else None


def transform(
    respondent_figure: pl.DataFrame,
    submission: pl.DataFrame,
    submission_route: pl.DataFrame,
    spam_volume: pl.DataFrame,
    definition: pl.DataFrame,
    operator_frame: pl.DataFrame,
    denominator: pl.DataFrame,
    country: pl.DataFrame,
    country_group: pl.DataFrame,
) -> pl.DataFrame:
    """A row for each area but countries, quantity, origin, link and transit of a period, channel, unit and
    definition.

    In parts: all respondents of a channel, unit and definition and all periods of a year, as spam_volume.
    """
    part = with_region(submission_route, country)
    given = split_volumes(respondent_figure, submission, part, BY, MARGINS)
    reference = Reference(operator_frame, denominator, country, country_group)
    rows = estimate_parts(TABLE, given, spam_volume, definition, reference, QUANTITIES, countries=False)
    return with_shares(rows)


def with_region(submission_route: pl.DataFrame, country: pl.DataFrame) -> pl.DataFrame:
    """Packages' routes with the ITU region of the country of origin, _U where it has none."""
    return join_regions(submission_route, country, "partner_country_code", ORIGIN)


def with_shares(rows: pl.DataFrame) -> pl.DataFrame:
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
