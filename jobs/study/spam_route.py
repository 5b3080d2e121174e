"""study.spam_route: estimated spam that regions, groups and the world received, by region of origin and kind
of inbound link.

Origin and link are those of packages' routes: of what came in where it came from, and by which kind of link
(docs/counting.md). Packages have no networks crossed in between. How parts are estimated:
jobs/study/estimate/parts.py.
"""

from __future__ import annotations

import polars as pl

from jobs.core.series import ALL, PARTS
from jobs.study.estimate.parts import estimate_parts, join_regions, split_volumes
from jobs.study.estimate.rows import MEASURES
from jobs.study.estimate.sample import Reference
from jobs.study.spam_volume import CELL

TABLE = "study.spam_route"
ORIGIN, LINK = BY = ("origin_region_code", "link_code")
QUANTITIES = MEASURES
# The code of a link that the settings do not name.
UNKNOWN_LINK = "unknown"


def published_codes(part: tuple[str, ...]) -> tuple[str, ...] | None:
    """The codes of a part in a series: figures of links leave for all origins together."""
    return part if part[0] in (PARTS, ALL) else None


def transform(
    submission: pl.DataFrame,
    submission_route: pl.DataFrame,
    submission_quality: pl.DataFrame,
    spam_volume: pl.DataFrame,
    definition: pl.DataFrame,
    measure: pl.DataFrame,
    operator_frame: pl.DataFrame,
    denominator: pl.DataFrame,
    country: pl.DataFrame,
    country_group: pl.DataFrame,
) -> pl.DataFrame:
    """A row for each area but countries, quantity, origin and link of a period, channel, unit and definition.

    In parts: all respondents of a channel, unit and definition and all periods of a year, as spam_volume.
    """
    part = with_region(submission_route, country)
    given = split_volumes(submission, part, submission_quality, measure, BY)
    reference = Reference(operator_frame, denominator, country, country_group)
    rows = estimate_parts(TABLE, given, spam_volume, definition, reference, QUANTITIES, countries=False)
    return with_shares(rows)


def with_region(submission_route: pl.DataFrame, country: pl.DataFrame) -> pl.DataFrame:
    """Packages' routes with the ITU region of the country of origin, _U where it has none."""
    return join_regions(submission_route, country, "partner_country_code", ORIGIN)


def with_shares(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of known links with their share of what came from the origin by known links, and that base."""
    cell = ["period_code", "area_code", *CELL, "quantity_code", ORIGIN]
    is_link = (pl.col(LINK) != ALL) & (pl.col(LINK) != UNKNOWN_LINK)
    estimate = pl.col("estimate").cast(pl.Float64)
    base = rows.filter(is_link).group_by(cell).agg(base_estimate=estimate.sum())
    found = rows.drop("base_estimate", "base_share_pct").join(base, on=cell, how="left")
    share = (100 * estimate / pl.col("base_estimate")).round(4)
    return found.with_columns(
        base_estimate=pl.when(is_link).then("base_estimate"),
        base_share_pct=pl.when(is_link & (pl.col("base_estimate") > 0)).then(share),
    )
