"""study.respondent_part: parts of each respondent's volumes by type, source, route and fate. Restricted.

Counts are those of the days with logs, of what came in. A month whose parts do not add up to its volumes has
none of their kind. Who reads it scales parts to the volumes of study.respondent_figure.
"""

from collections.abc import Sequence

import polars as pl

from jobs.base.figures.counting_rules import HAD_CONTENT, RECEIVED, STOPPED
from jobs.base.tables.sql import parse_expression
from jobs.study.estimates.respondent_figure import RESPONDENT_CELL
from jobs.study.estimates.spam_part import BREAKDOWNS, ORIGIN, REGION
from jobs.study.estimates.steps.days import keep_covered_months
from jobs.study.estimates.steps.parts import JOINED, join_regions
from jobs.study.estimates.steps.rows import MEASURES

TABLE = "study.respondent_part"
# A package's units as figures have them: the one permitted sum of two, and calls.
COUNTED = {"recipient": "attempted", "attempt": "attempted", "call": "call"}
# Fates: with content or before, and stopped or not.
FATE, CONTENT, BEFORE, STOP, PASS = "fate", "content", "before", "stopped", "passed"


def transform(
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
    together = parts.group_by(*RESPONDENT_CELL, "part_kind_code").agg(pl.col(MEASURES).sum())
    added_up = together.join(whole, on=[*RESPONDENT_CELL, *MEASURES], how="semi")
    return parts.join(added_up, on=[*RESPONDENT_CELL, "part_kind_code"], how="semi")


def name_fate() -> tuple[pl.Expr, pl.Expr]:
    """Whether the respondent had the content of a row's messages, and whether it stopped them."""
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
